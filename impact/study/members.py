"""The members of focus areas as a study's own file gives them: they go before the register."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from impact.errors import Problem
from impact.evidence.record import DataFile
from impact.register.areas import Confidence, Member
from impact.sources.contract import Column, Contract, Kind, Read, check_whole, listed, read_columns
from impact.sources.tables import Table, read_table
from impact.sources.values import Values

__all__ = ["Members", "read_members"]

_COLUMNS = (
    Column("area", Kind.TEXT),
    Column("code", Kind.CODE),
    Column("vintage", Kind.NUMBER),
    Column("share", Kind.NUMBER),
    Column("source", Kind.TEXT),
    Column("delineation", Kind.TEXT, required=False),
)


@dataclass(frozen=True, slots=True)
class Members:
    """Areas with their members, by slug, and the file that they stand in."""

    areas: Mapping[str, tuple[Member, ...]]
    file: DataFile


def read_members(
    path: Path,
    file: str,
    known: Sequence[str] | None,
    vintage: int | None,
    problems: list[Problem],
    delineation: str | None = None,
) -> Members | None:
    """Read a file with the columns area (slug), code, vintage (year), share (above 0 to 1) and source.

    It may hold several delineations of the areas, named in a column `delineation`.

    Parameters
    ----------
    path : Path
        Where it is: a workbook, CSV or parquet.
    file : str
        Its name as the study writes it.
    known : sequence of str or None
        Slugs of areas that may occur; None for areas of any name.
    vintage : int or None
        Year of the division of the outcomes, when the study states it.
    problems : list of Problem
        Whatever is wrong is added here; then there are no members.
    delineation : str, optional
        Which of several is meant; rows of the others are not looked at.
    """
    table = read_table(path, file=file)
    if not isinstance(table, Table):
        problems.extend(table)
        return None
    contract = Contract(_COLUMNS)
    read, unreadable = read_columns(table.frame, contract, table.places, file)
    found = [*check_whole(table.frame, contract, file), *unreadable]
    if found:
        problems.extend(found)
        return None
    kept = _meant(table, read, delineation)
    if isinstance(kept, Problem):
        problems.append(kept)
        return None
    area, code, source = (np.asarray(read[name])[kept] for name in ("area", "code", "source"))
    numbers = (read["vintage"], read["share"])
    years, shares = (values.number[kept] for values in numbers if isinstance(values, Values))
    rows_of_file = len(table.frame)
    lines = {name: rows[kept] for name, rows in table.lines.items()}
    table = replace(table, frame=table.frame.iloc[kept], rows=table.rows[kept], lines=lines)
    found = [*_unfit(table, area, code, years, shares, known, vintage)]
    if found:
        problems.extend(found)
        return None
    members: dict[str, list[Member]] = {}
    for row in range(len(code)):
        share = float(shares[row])
        members.setdefault(str(area[row]), []).append(
            Member("", str(code[row]), int(years[row]), share, str(source[row]), Confidence.UNKNOWN)
        )
    digest = DataFile("members", file, table.sha256, rows_of_file, "", "" if vintage is None else str(vintage))
    return Members({slug: tuple(rows) for slug, rows in members.items()}, digest)


def _meant(table: Table, read: Mapping[str, Read], delineation: str | None) -> np.ndarray | Problem:
    """Positions of the rows of the delineation that is meant: all where there is one."""
    if "delineation" not in read:
        if delineation is None:
            return np.arange(len(table.frame))
        hint = "Add a column `delineation`, or take `treatment.delineation` out."
        return Problem("DATA-117", f"there is no column 'delineation' to find '{delineation}' in.", hint, table.file)
    names = np.array([str(one).strip() for one in np.asarray(read["delineation"])])
    known = sorted(set(names.tolist()))
    if delineation is None and len(known) > 1:
        hint = "Name one in `treatment.delineation` (or --delineation)."
        return Problem("DATA-117", f"the file holds several delineations: {listed(known)}.", hint, table.file)
    if delineation is not None and delineation not in known:
        hint = f"It holds {listed(known)}."
        return Problem(
            "DATA-117", f"the file has no delineation '{delineation}'.", hint, table.file, path="delineation"
        )
    return np.flatnonzero(names == (delineation or known[0]))


def _unfit(
    table: Table,
    area: np.ndarray,
    code: np.ndarray,
    years: np.ndarray,
    shares: np.ndarray,
    known: Sequence[str] | None,
    vintage: int | None,
) -> Iterator[Problem]:
    """Rows that say what cannot be."""

    def problem(message: str, hint: str, odd: np.ndarray, column: str) -> Problem:
        named, first = table.places.name(odd, column), int(table.places.of(column)[odd].min())
        return Problem("DATA-117", f"{message} ({named}).", hint, table.file, first, path=column)

    for slug in dict.fromkeys(area.tolist()):
        if known is not None and slug not in known:
            close = get_close_matches(slug, known, n=1)
            hint = f"Did you mean '{close[0]}'?" if close else f"Areas are {listed(known, 20)}."
            yield problem(f"'{slug}' is not an area of the programme", hint, np.flatnonzero(area == slug), "area")
    odd = np.flatnonzero(~((shares > 0) & (shares <= 1)))
    if len(odd):
        named = listed([f"{share:g}" for share in dict.fromkeys(shares[odd].tolist())])
        message = f"a share lies above 0 and is at most 1; here stands {named}"
        yield problem(message, "1 when all of it lies in the area.", odd, "share")
    odd = np.flatnonzero(~np.isfinite(years) | (years != np.floor(years)))
    if len(odd):
        yield problem("a vintage is the year of a division", "Such as 2024.", odd, "vintage")
    elif vintage is not None and (years != vintage).any():
        odd = np.flatnonzero(years != vintage)
        hint = "A code can stand for other ground in another year; give the members in the division of the outcomes."
        yield problem(f"the outcomes are in the division of {vintage}, these members are not", hint, odd, "vintage")
    whole: dict[str, float] = {}
    for name, share in zip(code.tolist(), np.clip(np.nan_to_num(shares), 0, 1).tolist(), strict=True):
        whole[name] = whole.get(name, 0.0) + share
    pairs = list(zip(area.tolist(), code.tolist(), strict=True))
    odd = np.array([i for i, pair in enumerate(pairs) if pairs.count(pair) > 1 or whole[pair[1]] > 1 + 1e-9], dtype=int)
    if len(odd):
        codes = listed(sorted({str(one) for one in code[odd]}))
        message = f"a code stands once in an area, and in areas together for at most all of it; not so: {codes}"
        yield problem(message, "Give it to one area, or a `share` to each that add up to 1 at most.", odd, "code")
