"""Named pools of a study from a file of its own: nominated and not chosen, applied and rejected, treated later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from impact.errors import Problem
from impact.evidence.record import DataFile
from impact.sources.contract import Column, Contract, Kind, check_whole, read_columns
from impact.sources.tables import Table, read_table
from impact.sources.values import Values

__all__ = ["Pools", "read_pools"]

_COLUMNS = (
    Column("region", Kind.CODE),
    Column("vintage", Kind.NUMBER),
    Column("pool", Kind.TEXT),
    Column("source", Kind.TEXT),
)


@dataclass(frozen=True, slots=True)
class Pools:
    """Pools by name, each with its regions and where it is known from; and the file that they stand in."""

    named: Mapping[str, Mapping[str, str]]
    file: DataFile


def read_pools(path: Path, file: str, vintage: int | None, problems: list[Problem]) -> Pools | None:
    """Read a file with the columns region (code), vintage (year), pool (name) and source.

    Parameters
    ----------
    path : Path
        Where it is: a workbook, CSV or parquet.
    file : str
        Its name as the study writes it.
    vintage : int or None
        Year of the division of the outcomes, when the study states it; without it all rows must be of one year.
    problems : list of Problem
        Whatever is wrong is added here (``DATA-125`` for what a row says that cannot be); then there are no pools.
    """
    table = read_table(path, file=file)
    if not isinstance(table, Table):
        problems.extend(table)
        return None
    contract = Contract(_COLUMNS)
    read, unreadable = read_columns(table.frame, contract, table.places, file)
    found = [*check_whole(table.frame, contract, file), *unreadable]
    # What the columns say is judged as far as they could be read, so that all is said at once.
    if read.keys() >= {column.name for column in _COLUMNS}:
        found += _unfit(table, read, vintage)
    if found:
        problems.extend(found)
        return None
    named: dict[str, dict[str, str]] = {}
    for region, pool, source in zip(*(np.asarray(read[name]) for name in ("region", "pool", "source")), strict=True):
        named.setdefault(str(pool), {})[str(region)] = str(source)
    digest = DataFile("pools", file, table.sha256, len(table.frame), "", "" if vintage is None else str(vintage))
    return Pools(named, digest)


def _unfit(table: Table, read: Mapping[str, object], vintage: int | None) -> Iterator[Problem]:
    """Rows that say what cannot be."""
    region, pool = (np.asarray(read[name]).astype(str) for name in ("region", "pool"))
    values = read["vintage"]
    assert isinstance(values, Values)
    years = values.number

    def problem(message: str, hint: str, odd: np.ndarray, column: str) -> Problem:
        named, first = table.places.name(odd, column), int(table.places.of(column)[odd].min())
        return Problem("DATA-125", f"{message} ({named}).", hint, table.file, first, path=column)

    odd = np.flatnonzero(~np.isfinite(years) | (years != np.floor(years)))
    if len(odd):
        yield problem("a vintage is the year of a division", "Such as 2024.", odd, "vintage")
    elif vintage is not None and (years != vintage).any():
        odd = np.flatnonzero(years != vintage)
        hint = "A code can stand for other ground in another year; give the pools in the division of the outcomes."
        yield problem(f"the outcomes are in the division of {vintage}, these regions are not", hint, odd, "vintage")
    elif len(set(years.tolist())) > 1:
        odd = np.flatnonzero(years != years[0])
        hint = "Give all rows in one division, and state it in `data.outcomes.vintage`."
        yield problem(f"the first row is in the division of {years[0]:.0f}, these are not", hint, odd, "vintage")
    seen: set[tuple[str, str]] = set()
    twice = []
    for row, pair in enumerate(zip(pool.tolist(), region.tolist(), strict=True)):
        if pair in seen:
            twice.append(row)
        seen.add(pair)
    if twice:
        yield problem("a region stands once in a pool", "Take the second row out.", np.array(twice), "region")
