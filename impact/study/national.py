"""The rows of the outcomes table about the whole country: apart from all others, and never in an estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from impact.arrays import Bool1, Float1, frozen
from impact.errors import Problem
from impact.sources.contract import Column, Contract, Kind
from impact.sources.frame import Table
from impact.sources.rows import Long, read_long
from impact.sources.values import CBS
from impact.study.model import Outcome, Specification
from impact.study.series import read_series
from impact.study.tables import OutcomeTable

__all__ = ["apart", "read_national"]


def apart(table: Table, file: OutcomeTable, national: list[Table]) -> Table:
    """The table without the rows about the country, which are put into `national`."""
    column = file.columns.region
    if file.national is None or column not in table.frame.columns:
        return table
    named = np.array([str(cell).strip() == file.national for cell in table.frame[column]], dtype=bool)
    if named.any():
        national.append(_rows(table, named))
    return _rows(table, ~named)


def _rows(table: Table, kept: Bool1) -> Table:
    lines = {name: frozen(rows[kept], np.intp) for name, rows in table.lines.items()}
    frame = table.frame[kept].reset_index(drop=True)
    return replace(table, frame=frame, rows=frozen(table.rows[kept], np.intp), lines=lines)


def read_national(
    spec: Specification, tables: Sequence[Table], periods: Sequence[str], problems: list[Problem]
) -> Mapping[str, Float1]:
    """By indicator the outcome (T,) of the whole country; nan in a period without a figure."""
    file = spec.data.outcomes
    if file.national is None:
        return {}
    if not tables:
        hint = "Give the code as it stands in the column of the region, or take the key out."
        message = f"no row is about '{file.national}', the whole country."
        problems.append(Problem("DATA-156", message, hint, file.file, path=file.columns.region))
        return {}
    found = {}
    for outcome in spec.all_outcomes:
        grids = [_outcome(spec, outcome, table, periods, problems) for table in tables]
        known = [grid for grid in grids if grid is not None]
        if known:
            both = np.vstack(known)
            first = np.isfinite(both).argmax(axis=0)
            found[outcome.indicator] = frozen(both[first, np.arange(both.shape[1])], np.float64)
    return found


def _outcome(
    spec: Specification, outcome: Outcome, table: Table, periods: Sequence[str], problems: list[Problem]
) -> Float1 | None:
    file = spec.data.outcomes
    marks = CBS.override(**file.marks.given())
    contract = Contract(
        (
            Column(file.columns.region, Kind.TEXT),
            Column(file.columns.period, Kind.PERIOD),
            *(Column(name, Kind.NUMBER, decimal=file.decimal, marks=marks) for name in file.columns.numbers),
        ),
        key=(file.columns.region, file.columns.period),
    )
    where = {**file.rows.where, **outcome.where}
    long = read_long(table, contract, where=where, add=file.rows.add_up_to is not None)
    if not isinstance(long, Long):
        problems.extend(long)
        return None
    long = replace(long, region=np.array([str(name).strip() for name in long.region], dtype=object))
    (level,) = read_series(outcome, long, file, [str(file.national)], periods).y
    return np.asarray(level)
