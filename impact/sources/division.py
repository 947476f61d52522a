"""Whether a code names the same region in another year: what the yearly division says of it, and signs of re-use.

CBS flags in every edition of Kerncijfers wijken en buurten what happened to a region since the edition before, and only
since that one: 1 unchanged, 2 another code, 3 other borders. Editions before 2022 flag no gemeenten.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from impact.arrays import Int1, frozen
from impact.errors import Problem, Refused
from impact.sources.contract import Column, Contract, Kind, check_whole, read_columns
from impact.sources.crosswalk import Crosswalk, between
from impact.sources.frame import Table, listed
from impact.sources.regions import RegionKey, level_of
from impact.sources.values import Values

__all__ = ["JUMP", "KEPT", "Change", "Changes", "Joined", "changed", "join", "read_changes", "reused"]

KEPT: Final = 0.9
"""A code under which fewer of the addresses stay names another region than before."""
_EXACT: Final = 1e-12  # shares that were multiplied and added up again; one address of a million is far more
JUMP: Final = 1.5
"""A region that is so many times larger or smaller than the year before has hardly grown or shrunk to that."""


class Change(IntEnum):
    """What CBS says happened to a region since the year before."""

    UNCHANGED = 1
    CODE = 2
    BORDER = 3


_SAID = {Change.CODE: "got this code", Change.BORDER: "got other borders"}


@dataclass(frozen=True, slots=True)
class Changes:
    """Flags by code and year; what is not there is not known, and counts as changed."""

    flags: Mapping[tuple[str, int], Change] = field(default_factory=dict)

    def since(self, code: str, start: int, end: int) -> str:
        """Why a code of one year may be another region in the other; "" when every year between is unchanged.

        A flag of year y speaks of y-1 to y, so the flags of the earlier of the two years do not count.
        """
        first, last = min(start, end), max(start, end)
        for year in range(first + 1, last + 1):
            flag = self.flags.get((code, year))
            if flag is None:
                return f"no flag says what happened to it in {year}"
            if flag is not Change.UNCHANGED:
                return f"it {_SAID[flag]} in {year}"
        return ""


def read_changes(table: Table, *, code: str, year: str, flag: str) -> Changes | tuple[Problem, ...]:
    """The flags in a table of Kerncijfers wijken en buurten.

    Parameters
    ----------
    table : Table
        Of one or several editions, one row per region and edition.
    code, year, flag : str
        Names of its columns. The flag of a row speaks of the year before its own.

    Returns
    -------
    Changes or tuple of Problem
        ``DATA-144`` a flag other than 1, 2 and 3 (or nothing), a year that is none, or two flags of one region and year
        that differ; beside what the contract finds.
    """
    contract = Contract((Column(code, Kind.CODE), Column(year, Kind.NUMBER), Column(flag, Kind.NUMBER)))
    read, unreadable = read_columns(table.frame, contract, table.places, table.file)
    problems = (*check_whole(table.frame, contract, table.file), *unreadable)
    if problems:
        return problems
    years, flags = read[year], read[flag]
    assert isinstance(years, Values) and isinstance(flags, Values)
    codes = [str(cell) for cell in np.asarray(read[code])]
    found: dict[tuple[str, int], Change] = {}
    odd: list[int] = []
    for row, (region, when, what) in enumerate(zip(codes, years.number.tolist(), flags.number.tolist(), strict=True)):
        if not when.is_integer() or what not in (1, 2, 3):
            # Nothing at all is a flag that is not known; a year that is none can be of no use.
            odd += [row] if what == what or not when.is_integer() else []
        elif found.setdefault((region, int(when)), Change(int(what))) != what:
            odd.append(row)
    if not odd:
        return Changes(found)
    first, named = int(table.places.of(flag)[odd].min()), table.places.name(odd, flag)
    message = f"a region has one flag in a year: 1 unchanged, 2 another code, 3 other borders ({named})."
    return (Problem("DATA-144", message, "", table.file, first, path=flag),)


def changed(
    codes: Sequence[str],
    start: int,
    end: int,
    *,
    changes: Changes | None = None,
    crosswalks: Sequence[Crosswalk] = (),
    basis: str | None = None,
) -> dict[str, str]:
    """The codes of which it is not established that they name the same region in both years, with the reason.

    Where a crosswalk leads from one year to the other it decides, since it counted addresses: a code is the same region
    when all of it stays and nothing of another comes in. Elsewhere every year between must be flagged unchanged.

    Parameters
    ----------
    codes : str
        Codes that stand in both years.
    start : int
        Year of the one division.
    end : int
        Year of the other.
    changes : Changes, optional
        The flags; a year without one counts as changed.
    crosswalks : sequence of Crosswalk
        Of any levels and years.
    basis : str, optional
        Of the crosswalks, see `between`.
    """
    changes = changes or Changes()
    if start == end:
        return {}
    found: dict[str, str] = {}
    walks = {level: between(crosswalks, level, start, end, basis) for level in {level_of(code) for code in codes}}
    for level, walk in walks.items():
        mine = [code for code in codes if level_of(code) is level]
        if isinstance(walk, Crosswalk):
            found |= _moved(walk, mine)
        else:
            found |= {code: why for code in mine if (why := changes.since(code, start, end))}
    return found


def _moved(walk: Crosswalk, codes: Sequence[str]) -> dict[str, str]:
    received = {new for old, new in zip(walk.old, walk.new, strict=True) if old != new}
    found = {}
    for code, kept in zip(codes, walk.kept(codes).tolist(), strict=True):
        if kept < 1 - _EXACT:
            found[code] = f"{_percent(kept)} of it ({walk.basis}) stayed under this code"
        elif code in received:
            found[code] = "it took in a part of another region"
    return found


def _percent(part: float) -> str:
    """A part below 1 is never said to be all of it."""
    return f"{np.floor(1000 * part) / 10:.1f} %"


@dataclass(frozen=True, slots=True, eq=False)
class Joined:
    """Regions of two tables that are the same.

    Attributes
    ----------
    left, right : (m,) int
        Positions in either table, pair by pair in the order of the left one.
    left_only, right_only : tuple of RegionKey
        What stands in one of them only: to be told, not lost.
    """

    left: Int1
    right: Int1
    left_only: tuple[RegionKey, ...]
    right_only: tuple[RegionKey, ...]


def join(
    left: Sequence[RegionKey],
    right: Sequence[RegionKey],
    *,
    changes: Changes | None = None,
    crosswalks: Sequence[Crosswalk] = (),
    basis: str | None = None,
    suspect: Mapping[str, str] | None = None,
) -> Joined | Refused:
    """Join two tables on code, which is refused unless every code that stands in both names one region.

    Parameters
    ----------
    left, right : sequence of RegionKey
        Each of one vintage, each region once.
    changes, crosswalks, basis
        What is known of the years between, see `changed`.
    suspect : mapping from code to reason, optional
        Codes that seem to be used again, see `reused`.

    Returns
    -------
    Joined or Refused
        The refusal names every code and why.
    """
    start, end = _vintage(left, "left"), _vintage(right, "right")
    place = {key.code: row for row, key in enumerate(right)}
    both = [key.code for key in left if key.code in place]
    why = changed(both, start, end, changes=changes, crosswalks=crosswalks, basis=basis)
    if start != end:
        why = {code: reason for code, reason in (suspect or {}).items() if code in place and code in set(both)} | why
    if why:
        return Refused(
            f"a join on code of {start} and {end}",
            f"{len(why)} of {len(both)} codes may name another region: "
            + "; ".join(f"{code}: {why[code]}" for code in both if code in why),
            "Convert the counts of one year with a crosswalk, use years of one division, or compare gemeenten.",
        )
    rows = [row for row, key in enumerate(left) if key.code in place]
    return Joined(
        frozen(rows, np.intp),
        frozen([place[left[row].code] for row in rows], np.intp),
        tuple(key for key in left if key.code not in place),
        tuple(key for key in right if key.code not in set(both)),
    )


def _vintage(keys: Sequence[RegionKey], side: str) -> int:
    vintages = sorted({key.vintage for key in keys})
    if len(vintages) != 1:
        raise ValueError(f"the {side} table must have regions of one year; it has {listed(vintages) or 'none'}")
    twice = len(keys) - len(set(keys))
    if twice:
        raise ValueError(f"the {side} table has a region more than once")
    return vintages[0]


def reused(
    codes: Sequence[str],
    *,
    crosswalk: Crosswalk | None = None,
    names: tuple[Sequence[str], Sequence[str]] | None = None,
    sizes: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    kept: float = KEPT,
    jump: float = JUMP,
) -> dict[str, str]:
    """Codes that stand in both years and seem to name another region in each, with everything that shows it.

    A sign is not a proof: a new suburb grows fast, and a name may be spelled anew. Whether a code may be joined on is
    for `changed` to say; what is found here is to be looked at, or kept out of a join as `suspect`.

    Parameters
    ----------
    codes : (N,) str
        Codes that occur in both years, each once.
    crosswalk : Crosswalk, optional
        From the one year to the other: the code kept less than `kept` of its addresses.
    names : pair of (N,) str, optional
        Names before and after; blank where unknown.
    sizes : mapping from what is measured to a pair of (N,) float, optional
        ``{"residents": (before, after), "hectares": …}``: one is more than `jump` times the other. Unknown is nan.
    kept : float
        Part of the addresses, above 0 to 1.
    jump : float
        Ratio above 1.
    """
    if not (0 < kept <= 1 and jump > 1):
        raise ValueError(f"kept lies above 0 and is at most 1, jump lies above 1; got {kept} and {jump}")
    found: dict[str, list[str]] = {}
    if crosswalk is not None:
        stays = crosswalk.kept(codes).tolist()
        for code, part in zip(codes, stays, strict=True):
            if part < kept:
                found.setdefault(code, []).append(f"{_percent(part)} of it ({crosswalk.basis}) stayed under this code")
    for code, sign in _jumps(codes, sizes or {}, jump):
        found.setdefault(code, []).append(sign)
    for code, old, new in zip(codes, *(names or (codes, codes)), strict=True):
        if old.strip() and new.strip() and not _alike(old, new):
            found.setdefault(code, []).append(f"'{old.strip()}' became '{new.strip()}'")
    return {code: "; ".join(signs) for code, signs in found.items()}


def _jumps(
    codes: Sequence[str], sizes: Mapping[str, tuple[ArrayLike, ArrayLike]], jump: float
) -> Iterator[tuple[str, str]]:
    for what, pair in sizes.items():
        before, after = (np.asarray(size, dtype=np.float64).tolist() for size in pair)
        for code, old, new in zip(codes, before, after, strict=True):
            # Multiplied, not divided: from 0 to something is a jump, from 0 to 0 is none; nan is neither.
            if new > jump * old or old > jump * new:
                yield code, f"{what}: {old:,.0f} became {new:,.0f}"


def _alike(one: str, other: str) -> bool:
    """Whether two names may be those of one region: another spelling, or an addition ("Wijk 01 Centrum")."""
    left, right = (" ".join(name.casefold().replace("-", " ").split()) for name in (one, other))
    return left in right or right in left or SequenceMatcher(None, left, right).ratio() >= 0.7
