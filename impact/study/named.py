"""A table that names its regions: their codes, where gemeente and year make every name unique, or every row that fails.

A name that could be two regions is none: 'Centrum' lies in many gemeenten, and often in a wijk of that name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from impact.errors import Problem
from impact.evidence.record import DataFile
from impact.sources.contract import Column, Contract, Kind, check_whole, read_columns
from impact.sources.frame import Table
from impact.sources.names import NamedRegion, codes_of_names
from impact.sources.regions import Level, RegionKey, gemeente_or_blank
from impact.sources.rows import keep
from impact.sources.tables import read_table
from impact.sources.values import Values
from impact.study.faults import Fault
from impact.study.model import Specification
from impact.study.tables import OutcomeTable, UnitTable

__all__ = ["Named", "coded", "faults_of_names", "read_names"]

_MOST = 50  # rows that are named one by one


def faults_of_names(spec: Specification) -> Iterator[Fault]:
    """What a study says of names that cannot be."""
    data, tables = spec.data, _named(spec)
    for role, file in tables.items():
        at = ("data", role, "join")
        if data.names is None:
            hint = "Add `names: {file: …}` under `data`, with the columns code, vintage and name."
            yield Fault(at, "codes of names are looked for in a list of names, and there is none", hint)
        if file.vintage is None:
            hint = "State the year of the division in `vintage`: a name can have moved to other ground since."
            yield Fault(at, f"of which year the names of the {role} are is not stated", hint)
    if data.names is not None and not tables:
        hint = "Write `join: name` under the table that has names instead of codes, or take `names` out."
        yield Fault(("data", "names"), "no table names its regions", hint)


def _named(spec: Specification) -> dict[str, OutcomeTable | UnitTable]:
    both: dict[str, OutcomeTable | UnitTable | None] = {"outcomes": spec.data.outcomes, "units": spec.data.units}
    return {role: file for role, file in both.items() if file is not None and file.join == "name"}


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """Which region has which name in which year, and the file that says so."""

    regions: tuple[NamedRegion, ...]
    file: DataFile


def read_names(path: Path, file: str, problems: list[Problem]) -> Named | None:
    """Read a list with the columns code, vintage (year) and name; whatever is wrong is added to `problems`."""
    table = read_table(path, file=file)
    if not isinstance(table, Table):
        problems.extend(table)
        return None
    contract = Contract((Column("code", Kind.CODE), Column("vintage", Kind.NUMBER), Column("name", Kind.TEXT)))
    read, unreadable = read_columns(table.frame, contract, table.places, file)
    found = [*check_whole(table.frame, contract, file), *unreadable]
    years = read.get("vintage")
    if not found and isinstance(years, Values):
        odd = np.flatnonzero([not (year.is_integer() and 1995 <= year <= 2100) for year in years.number.tolist()])
        if len(odd):
            where, line = table.places.name(odd, "vintage"), int(table.places.of("vintage")[odd].min())
            message = f"a vintage is the year of a division ({where})."
            found.append(Problem("DATA-143", message, "Such as 2024.", file, line, path="vintage"))
    if found or not isinstance(years, Values):
        problems.extend(found)
        return None
    codes, names = (np.asarray(read[column]).tolist() for column in ("code", "name"))
    regions = tuple(
        NamedRegion(RegionKey(str(code), int(year)), str(name))
        for code, year, name in zip(codes, years.number.tolist(), names, strict=True)
    )
    return Named(regions, DataFile("names", file, table.sha256, len(table.frame)))


def coded(table: Table, file: OutcomeTable | UnitTable, named: Named, problems: list[Problem]) -> Table | None:
    """The table with codes in the place of the names of its regions.

    Every name of a gemeente is looked up once, however many rows have it; which rows these are is for the table's own
    contract to judge. The gemeente is the one that the study names, or that of the row.
    """
    column, within, frame = file.columns.region, file.columns.gemeente, table.frame
    absent = [name for name in (column, within) if name is not None and name not in frame.columns]
    if absent or file.vintage is None:
        return table  # the contract says that it is missing
    names = [str(cell).strip() for cell in frame[column]]
    gemeenten = [_code(cell) for cell in frame[within]] if within is not None else [file.within or ""] * len(names)
    kept, _ = keep(table, file.rows.where)  # what it finds is found again when the table is read
    first: dict[tuple[str, str], int] = {}
    for row in np.flatnonzero(kept).tolist():
        first.setdefault((gemeenten[row], names[row]), row)
    found = codes_of_names(
        [pair[1] for pair in first],
        [pair[0] for pair in first],
        file.vintage,
        named.regions,
        level=None if file.level is None else Level(file.level),
        file=table.file,
        column=column,
        places=table.places[np.array(list(first.values()), dtype=np.intp)],
    )
    if found and isinstance(found[0], Problem):
        wrong = [one for one in found if isinstance(one, Problem)]
        problems.extend(wrong[:_MOST])
        if len(wrong) > _MOST:
            problems.append(Problem("DATA-145", f"{len(wrong) - _MOST} more names have no one region.", "", table.file))
        return None
    code: Mapping[tuple[str, str], str] = {
        pair: key.code for pair, key in zip(first, found, strict=True) if isinstance(key, RegionKey)
    }
    codes = [code.get(pair, pair[1]) for pair in zip(gemeenten, names, strict=True)]
    return replace(table, frame=frame.assign(**{column: codes}))


def _code(cell: object) -> str:
    return gemeente_or_blank(str(cell).strip().upper())
