"""The members of focus areas as a study's own file gives them: they go before the register."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from impact.errors import Problem
from impact.evidence.record import DataFile
from impact.register.areas import Confidence, Member
from impact.sources.contract import Column, Contract, Kind, check_whole, listed, read_columns
from impact.sources.tables import Table, read_table
from impact.sources.values import Values

__all__ = ["Members", "read_members"]

_COLUMNS = (
    Column("area", Kind.TEXT),
    Column("code", Kind.CODE),
    Column("vintage", Kind.NUMBER),
    Column("share", Kind.NUMBER),
    Column("source", Kind.TEXT),
)


@dataclass(frozen=True, slots=True)
class Members:
    """Areas with their members, by slug, and the file that they stand in."""

    areas: Mapping[str, tuple[Member, ...]]
    file: DataFile


def read_members(
    path: Path, file: str, known: Sequence[str] | None, vintage: int | None, problems: list[Problem]
) -> Members | None:
    """Read a file with the columns area (slug), code, vintage (year), share (above 0 to 1) and source.

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
    area, code, source = (np.asarray(read[name]) for name in ("area", "code", "source"))
    years, shares = read["vintage"], read["share"]
    assert isinstance(years, Values) and isinstance(shares, Values)
    found = [*_unfit(table, area, code, years.number, shares.number, known, vintage)]
    if found:
        problems.extend(found)
        return None
    members: dict[str, list[Member]] = {}
    for row in range(len(code)):
        share = float(shares.number[row])
        members.setdefault(str(area[row]), []).append(
            Member("", str(code[row]), int(years.number[row]), share, str(source[row]), Confidence.UNKNOWN)
        )
    digest = DataFile("members", file, table.sha256, len(table.frame), "", "" if vintage is None else str(vintage))
    return Members({slug: tuple(rows) for slug, rows in members.items()}, digest)


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
        yield problem("a share lies above 0 and is at most 1", "1 when all of it lies in the area.", odd, "share")
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
        yield problem("a code stands once in an area, and in areas together for at most all of it", "", odd, "code")
