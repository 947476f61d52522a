"""From one division into wijken and buurten to another: which share of each region lies in which region of the other.

A crosswalk lists the regions that changed. A code that it does not list kept its region, and nothing else. Crosswalks
that follow each other in time can be put one behind the other, and one can be turned round when it is known how many
addresses (or residents) each region had.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from impact.arrays import Float1, Int1, frozen, require
from impact.errors import Problem, Refused
from impact.sources.contract import Column, Contract, Kind, check_whole, read_columns
from impact.sources.frame import Table, listed
from impact.sources.regions import Level, level_of
from impact.sources.tables import read_table
from impact.sources.values import Values

__all__ = ["Crosswalk", "between", "read_crosswalks"]

_ROUNDING: Final = 1e-6  # shares as published are rounded; sums that are off by more are an error of the file


@dataclass(frozen=True, slots=True, eq=False)
class Crosswalk:
    """Where the regions of one division lie in another.

    Attributes
    ----------
    level : Level
    start, end : int
        Years of the two divisions; `end` may be the earlier one.
    basis : str
        What the shares are shares of, as the file says ("adres", "inwoners").
    old, new : (n,) tuple of str
        Codes, each pair once. Only regions that changed need to be there: every other code keeps its region.
    share : (n,) float
        Part of `old` that lies in `new`, above 0; together 1 for every old code (to 1e-6, as shares are rounded).
    perhaps : frozenset of str
        Old codes of a chain that may not have been there at its start: regions moved to them in its first part, which
        does not say that they were there already.
    """

    level: Level
    start: int
    end: int
    basis: str
    old: tuple[str, ...]
    new: tuple[str, ...]
    share: Float1
    perhaps: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "share", frozen(self.share))
        require("share", self.share, (len(self.old),))
        if len(self.new) != len(self.old):
            raise ValueError(f"old has {len(self.old)} codes and new {len(self.new)}")
        if self.start == self.end or not all(1995 <= year <= 2100 for year in (self.start, self.end)):
            raise ValueError(f"a crosswalk leads from the division of one year to another, not {self.start}-{self.end}")
        for code in {*self.old, *self.new}:
            if level_of(code) is not self.level:
                raise ValueError(f"{code} is no {self.level}")
        if len(set(zip(self.old, self.new, strict=True))) < len(self.old):
            raise ValueError("a pair of codes stands there twice")
        if len(self.old) and not (self.share > 0).all():
            raise ValueError(f"the share of {self.old[int(np.argmin(self.share > 0))]} is not above 0")
        off = _off(self.old, self.share)
        if off:
            raise ValueError(f"the shares of {listed(off)} do not sum to 1")

    @classmethod
    def unchanged(cls, level: Level, start: int, end: int, basis: str) -> Crosswalk:
        """The statement that no region of this level changed between two years."""
        return cls(level, start, end, basis, (), (), np.zeros(0))

    def parts(self) -> Mapping[str, tuple[tuple[str, float], ...]]:
        """Old code to the new codes and shares in which it lies, together exactly 1; only codes that are listed."""
        found: dict[str, list[tuple[str, float]]] = {}
        for old, new, share in zip(self.old, self.new, self.share.tolist(), strict=True):
            found.setdefault(old, []).append((new, share))
        whole = {old: sum(share for _, share in rows) for old, rows in found.items()}
        return {old: tuple((new, share / whole[old]) for new, share in rows) for old, rows in found.items()}

    def kept(self, codes: Sequence[str]) -> Float1:
        """(N,) part of every code that lies under the same code afterwards: 1 where it is not listed."""
        parts = self.parts()
        stay = [sum(share for new, share in parts.get(code, ((code, 1.0),)) if new == code) for code in codes]
        return np.array(stay, dtype=np.float64)

    def then(self, later: Crosswalk) -> Crosswalk:
        """One crosswalk over both: shares multiply, as if those who lie together in the middle year had moved alike.

        A crosswalk that was measured over both at once does not need that assumption and is better.

        Raises
        ------
        ValueError
            The second does not start in the division in which this one ends, or is of another level or basis.
        """
        if (self.end, self.level, self.basis) != (later.start, later.level, later.basis):
            raise ValueError(f"{self} and {later} do not follow each other")
        first, second = self.parts(), later.parts()
        total: dict[tuple[str, str], float] = {}
        for old, rows in first.items():
            for middle, share in rows:
                for new, part in second.get(middle, ((middle, 1.0),)):
                    total[old, new] = total.get((old, new), 0.0) + share * part
        # What the first does not list kept its region, so what happens to it later counts from here. That holds for
        # a code that received part of another region too; were it new in the middle year, nobody converts it.
        for old, rows in second.items():
            if old not in first:
                total |= {(old, new): share for new, share in rows}
        perhaps = {code for code in self.new if code not in first and code in second}
        return replace(self._of(self.start, later.end, total), perhaps=self.perhaps | perhaps)

    def back(self, codes: Sequence[str], counts: ArrayLike) -> Crosswalk:
        """The crosswalk in the other direction: which share of each new region came from which old one.

        Parameters
        ----------
        codes : (N,) str
            All regions of ``start``, each once: what a new region holds beside its new parts must be known as well.
        counts : (N,) float
            How many addresses (residents) of the basis each had, 0 or more.

        Notes
        -----
        A new region without any address has no shares and keeps its code; regions that hold nothing but the region of
        the same code are not listed.

        Raises
        ------
        ValueError
            A code twice, a listed code without a count, or a count that is negative or not known.
        """
        number = np.asarray(counts, dtype=np.float64)
        require("counts", number, (len(codes),))
        if len(set(codes)) < len(codes):
            raise ValueError("a code stands there twice")
        lacking = sorted(set(self.old) - set(codes))
        if lacking:
            raise ValueError(f"no count is given for {listed(lacking)}")
        if not (np.isfinite(number) & (number >= 0)).all():
            raise ValueError("counts are numbers of 0 or more")
        parts = self.parts()
        flows: dict[str, dict[str, float]] = {}
        for old, count in zip(codes, number.tolist(), strict=True):
            for new, share in parts.get(old, ((old, 1.0),)):
                if count > 0:
                    flows.setdefault(new, {})[old] = count * share
        total = {
            (new, old): count / sum(rows.values())
            for new, rows in flows.items()
            if set(rows) != {new}
            for old, count in rows.items()
        }
        return self._of(self.end, self.start, total)

    def _of(self, start: int, end: int, total: Mapping[tuple[str, str], float]) -> Crosswalk:
        keys = sorted(total)
        old, new = tuple(old for old, _ in keys), tuple(new for _, new in keys)
        return Crosswalk(self.level, start, end, self.basis, old, new, np.array([total[key] for key in keys]))

    def __str__(self) -> str:
        return f"{self.level} {self.start}-{self.end} ({self.basis})"


def between(
    crosswalks: Iterable[Crosswalk], level: Level, start: int, end: int, basis: str | None = None
) -> Crosswalk | Refused:
    """The crosswalk that leads from one year to another: the one that was measured so, else the shortest chain.

    Parameters
    ----------
    crosswalks : iterable of Crosswalk
        Of any levels, years and bases.
    level : Level
        Which of them count.
    start : int
        Year of the division to come from.
    end : int
        Year of the division to go to, later or earlier.
    basis : str, optional
        Needed where the crosswalks of this level have several.

    Returns
    -------
    Crosswalk or Refused
        Refused where a year in between is not covered. A pair of years in which nothing changed has no rows in a file
        that lists changes; state it with `Crosswalk.unchanged`.
    """
    mine = [one for one in crosswalks if one.level == level and basis in (None, one.basis)]
    bases = sorted({one.basis for one in mine})
    if len(bases) > 1:
        raise ValueError(f"the crosswalks have several bases, choose one: {', '.join(bases)}")
    reached: dict[int, Crosswalk | None] = {start: None}
    ends = [start]
    # Breadth first, so that as few steps as possible lean on the assumption of a chain.
    while ends and end not in reached:
        here = ends.pop(0)
        so_far = reached[here]
        for one in sorted((one for one in mine if one.start == here), key=lambda one: abs(one.end - end)):
            # Never past the goal and back: that would spread twice for nothing.
            onward = (one.end - one.start) * (end - start) > 0 and (end - one.end) * (end - start) >= 0
            if onward and one.end not in reached:
                reached[one.end] = one if so_far is None else so_far.then(one)
                ends.append(one.end)
    found = reached.get(end)
    if found is not None:
        return found
    pairs = listed((f"{one.start}-{one.end}" for one in sorted(mine, key=lambda one: (one.start, one.end))), 8)
    return Refused(
        f"{level} from {start} to {end}",
        f"no crosswalk leads there ({pairs or 'none is of this level'})",
        "Give a crosswalk for the years that are missing, or state that nothing changed in them.",
    )


def read_crosswalks(
    path: Path, *, file: str = "", columns: Mapping[str, str] | None = None
) -> tuple[Crosswalk, ...] | tuple[Problem, ...]:
    """Every crosswalk of a table with the columns from, to, share, basis, and year or from_year and to_year.

    `year` is the year of the division of `to`; that of `from` is the year before. A file may hold several pairs of
    years, levels and bases; each becomes a crosswalk of its own.

    Parameters
    ----------
    path : Path
        A workbook, CSV (also ``.csv.gz``) or parquet.
    file : str
        Name for messages; the file's own name when empty.
    columns : mapping, optional
        How the file calls a column, where it has another name: ``{"from": "van"}``.

    Returns
    -------
    tuple of Crosswalk, or of Problem
        ``DATA-140`` shares that are not above 0 and at most 1, or do not sum to 1; ``DATA-141`` codes of two levels in
        one row; ``DATA-142`` a pair that stands there twice; ``DATA-143`` years that cannot be; beside what
        `read_table` and the contract find.
    """
    table = read_table(path, file=file or path.name)
    if not isinstance(table, Table):
        return table
    name = {key: key for key in ("from", "to", "share", "basis", "year", "from_year", "to_year")} | dict(columns or {})
    pair = ("from_year", "to_year")
    years = pair if any(name[key] in table.frame.columns for key in pair) else ("year",)
    kinds = {"from": Kind.CODE, "to": Kind.CODE, "share": Kind.NUMBER, "basis": Kind.TEXT}
    kinds |= dict.fromkeys(years, Kind.NUMBER)
    contract = Contract(tuple(Column(name[key], kind) for key, kind in kinds.items()))
    read, unreadable = read_columns(table.frame, contract, table.places, table.file)
    problems = (*check_whole(table.frame, contract, table.file), *unreadable)
    if problems:
        return problems
    rows = _Rows.of({key: read[name[key]] for key in kinds})
    found = tuple(rows.problems(table, name))
    return found or tuple(rows.assembled())


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """The rows of a file, column by column: (n,) each."""

    old: Sequence[str]
    new: Sequence[str]
    share: Float1
    basis: Sequence[str]
    start: Float1
    end: Float1

    @classmethod
    def of(cls, read: Mapping[str, object]) -> _Rows:
        """`year` alone is the year of the new division."""
        number = {key: column.number for key, column in read.items() if isinstance(column, Values)}
        text = {key: [str(cell) for cell in np.asarray(read[key])] for key in ("from", "to", "basis")}
        end = number["year"] if "year" in number else number["to_year"]
        start = end - 1 if "year" in number else number["from_year"]
        return cls(text["from"], text["to"], number["share"], text["basis"], start, end)

    def problems(self, table: Table, name: Mapping[str, str]) -> Iterator[Problem]:
        """Rows that say what cannot be."""

        def problem(code: str, message: str, hint: str, odd: Int1, column: str) -> Problem:
            named, first = table.places.name(odd, column), int(table.places.of(column)[odd].min())
            return Problem(code, f"{message} ({named}).", hint, table.file, first, path=column)

        year = next(name[key] for key in ("to_year", "year") if name[key] in table.frame.columns)
        fit = np.isfinite(self.start) & np.isfinite(self.end) & (self.start != self.end)
        for years in (self.start, self.end):
            with np.errstate(invalid="ignore"):
                fit &= (years == np.floor(years)) & (years >= 1995) & (years <= 2100)
        if not fit.all():
            hint = "Such as 2024; the years of `from` and `to` differ."
            yield problem("DATA-143", "a year is that of a division", hint, np.flatnonzero(~fit), year)
        odd = np.flatnonzero(~((self.share > 0) & (self.share <= 1 + _ROUNDING)))
        if len(odd):
            hint = "Leave out pairs that share nothing."
            yield problem("DATA-140", "a share lies above 0 and is at most 1", hint, odd, name["share"])
        pairs = zip(self.old, self.new, strict=True)
        odd = np.array([i for i, (old, new) in enumerate(pairs) if level_of(old) is not level_of(new)], dtype=np.intp)
        if len(odd):
            hint = "A wijk lies in wijken, a buurt in buurten."
            yield problem("DATA-141", "both codes of a row are of one level", hint, odd, name["to"])
        keys = self._keys()
        odd = np.flatnonzero(keys.assign(new=self.new).duplicated(keep=False).to_numpy())
        if len(odd):
            yield problem("DATA-142", "a pair of codes stands once in its years and basis", "", odd, name["to"])
        total = pd.Series(self.share).groupby([keys[column] for column in keys]).transform("sum").to_numpy()
        odd = np.flatnonzero(np.abs(total - 1) > _ROUNDING)
        if len(odd):
            hint = "Give every part of a region that changed, also what stays under its own code."
            codes = listed(dict.fromkeys(self.old[i] for i in odd.tolist()))
            yield problem("DATA-140", f"the shares of {codes} do not sum to 1", hint, odd, name["share"])

    def _keys(self) -> pd.DataFrame:
        return pd.DataFrame({"start": self.start, "end": self.end, "basis": self.basis, "old": self.old})

    def assembled(self) -> Iterator[Crosswalk]:
        """One crosswalk per level, pair of years and basis, in this order."""
        groups: dict[tuple[Level, int, int, str], list[int]] = {}
        years = zip(self.start.tolist(), self.end.tolist(), strict=True)
        for row, (start, end) in enumerate(years):
            groups.setdefault((level_of(self.old[row]), int(start), int(end), self.basis[row]), []).append(row)
        for (level, first, last, basis), at in sorted(groups.items()):
            old, new = tuple(self.old[i] for i in at), tuple(self.new[i] for i in at)
            yield Crosswalk(level, first, last, basis, old, new, self.share[at])


def _off(old: Sequence[str], share: Float1) -> tuple[str, ...]:
    """Codes whose shares do not sum to 1."""
    names, place = np.unique(np.array(old, dtype=str), return_inverse=True)
    total = np.bincount(place.ravel(), weights=share, minlength=len(names))
    return tuple(str(name) for name in names[np.abs(total - 1) > _ROUNDING])
