"""Codes that seem to name other ground in another year, by what the tables of a study say of every region."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from impact.errors import Problem
from impact.sources.contract import Column, Contract, Kind, check_whole, read_columns
from impact.sources.division import reused
from impact.sources.regions import Level
from impact.sources.rows import keep
from impact.sources.tables import Table
from impact.sources.values import CBS, Values
from impact.study.faults import Fault
from impact.study.model import Specification
from impact.study.tables import OutcomeTable, UnitTable

__all__ = ["faults_of_identity", "read_reused"]


def faults_of_identity(spec: Specification) -> Iterator[Fault]:
    """Where nothing can be seen of a code, or nothing need be."""
    data = spec.data
    given = {"outcomes": data.outcomes.columns.identity}
    if data.units is not None:
        given["units"] = data.units.columns.identity
    for role, identity in given.items():
        loc = ("data", role, "columns", "identity")
        if identity is not None and not any((identity.name, identity.residents, identity.surface)):
            yield Fault(loc, "no column is named", "Name `name`, `residents`, `surface`, or take `identity` out.")
        if identity is not None and data.crosswalk is not None and role == "outcomes":
            hint = "Take `identity` out: `data.crosswalk` says what became of every region."
            yield Fault(loc, "the outcomes are brought to one division, where a code names one region", hint)
    if data.units is not None and data.units.columns.identity is not None and data.units.columns.period is None:
        hint = "Name the column of the year in `columns.period`, or look at the table of outcomes instead."
        yield Fault(("data", "units", "columns", "identity"), "a table with one row per region shows no change", hint)
    if data.unchanged and not any(given.values()):
        hint = "Name columns in `data.outcomes.columns.identity`, or take `unchanged` out."
        yield Fault(
            ("data", "unchanged"), "nothing is looked at that shows whether a code still names its region", hint
        )


def read_reused(spec: Specification, tables: Mapping[str, Table | None], problems: list[Problem]) -> dict[str, str]:
    """Regions under whose code a name, or a size, jumps from one period to the next, with every jump.

    Periods are those of the table from the first to the last that the study uses. What cannot be read is added to
    `problems`.
    """
    found: dict[str, list[str]] = {}
    for role in ("outcomes", "units"):
        file, table = getattr(spec.data, role), tables.get(role)
        if file is None or table is None or file.columns.identity is None:
            continue
        rows = _rows(file, table, problems)
        if rows is None:
            continue
        used = [*spec.labels, *(file.periods if isinstance(file, UnitTable) else ())]
        rows = rows[(rows["period"] >= min(used)) & (rows["period"] <= max(used))]
        for region, signs in _signs(rows):
            found.setdefault(region, []).append(signs)
    return {region: "; ".join(dict.fromkeys(signs)) for region, signs in sorted(found.items())}


def _rows(file: OutcomeTable | UnitTable, table: Table, problems: list[Problem]) -> pd.DataFrame | None:
    """One row per region and period: its name ("" where rows differ or say nothing), residents and surface."""
    c, identity = file.columns, file.columns.identity
    assert identity is not None and c.period is not None
    marks = CBS.override(**file.marks.given())
    numbers = {key: name for key in ("residents", "surface") if (name := getattr(identity, key)) is not None}
    columns = (
        Column(c.region, Kind.CODE, level=None if file.level is None else Level(file.level)),
        Column(c.period, Kind.PERIOD),
        *(Column(name, Kind.NUMBER, decimal=file.decimal, marks=marks) for name in numbers.values()),
    )
    named = () if identity.name is None else (Column(identity.name, Kind.TEXT),)
    kept, missing = keep(table, file.rows.where)
    frame, places = table.frame[kept], table.places[kept]
    read, unreadable = read_columns(frame, Contract(columns), places, table.file)
    wrong = [*check_whole(table.frame, Contract((*columns, *named)), table.file), *missing, *unreadable]
    if wrong:
        problems.extend(wrong)
        return None
    rows = pd.DataFrame({"region": np.asarray(read[c.region]), "period": np.asarray(read[c.period])})
    rows["name"] = "" if identity.name is None else frame[identity.name].fillna("").astype(str).str.strip().to_numpy()
    for key in ("residents", "surface"):
        column = read[numbers[key]] if key in numbers else None
        rows[key] = column.number if isinstance(column, Values) else np.nan
    groups = rows.groupby(["region", "period"], sort=True)
    added = file.rows.add_up_to is not None
    told = {key: _together(rows[key], groups[key], added) for key in ("residents", "surface")}
    told["name"] = groups["name"].first().where(groups["name"].nunique() == 1, "")
    return pd.DataFrame(told).reset_index()


def _together(whole: pd.Series[Any], cells: Any, added: bool) -> pd.Series[Any]:
    """What the rows of every region and period say together of one size; nan where a row does not know.

    A size that is alike in all rows of every region and period is that of the region, repeated. Otherwise it is that of
    parts: the sum where the study adds rows up, and else nothing.
    """
    known = cells.count() == cells.size()
    if (cells.nunique() <= 1).all():
        found: pd.Series[Any] = cells.first().where(known)
        return found
    sums: pd.Series[Any] = cells.sum().where(known & added)
    return sums


def _signs(rows: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Region and what jumps, from each of its periods to its next; what a period does not say is as it last was."""
    rows = rows.sort_values(["region", "period"]).assign(name=rows["name"].replace("", None))
    told = ["name", "residents", "surface"]
    rows[told] = rows.groupby("region")[told].ffill()
    before = rows.groupby("region")[["period", *told]].shift(1).add_suffix("_before")
    pairs = rows.join(before).dropna(subset=["period_before"])
    for (first, then), part in pairs.groupby(["period_before", "period"], sort=True):
        sizes = {key: (part[f"{key}_before"].to_numpy(), part[key].to_numpy()) for key in told[1:]}
        names = (part["name_before"].fillna("").tolist(), part["name"].fillna("").tolist())
        for code, sign in reused(part["region"].tolist(), names=names, sizes=sizes).items():
            yield code, f"{first} to {then}: {sign}"
