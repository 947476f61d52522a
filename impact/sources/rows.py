"""From a table as it stands to one row per region and period: filter, add up, and say what does not add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from impact.arrays import Bool1, Int1, frozen
from impact.errors import Problem
from impact.sources.contract import Contract, Read, check_key, check_whole, near, read_columns
from impact.sources.frame import Note, Table, listed
from impact.sources.periods import starred
from impact.sources.values import NUMBERLESS, STATUSES, Labels, Odd, Status, Values

__all__ = ["Long", "add_up", "keep", "read_long"]


@dataclass(frozen=True, slots=True, eq=False)
class Long:
    """One row per region and period.

    Attributes
    ----------
    region, period : (n,) object arrays
        Canonical codes (or names) and periods.
    values : mapping from column name to Values of length n
        The number columns.
    texts : mapping from column name to (n,) object array
        Other code, period and text columns; empty after adding up.
    rows : (n,) int array
        How many rows of the file stand behind each row: 1, or what was added up.
    file, sha256 : str
        Where it comes from.
    notes : tuple of Note
    """

    region: Labels
    period: Labels
    values: Mapping[str, Values]
    texts: Mapping[str, Labels]
    rows: Int1
    file: str
    sha256: str
    notes: tuple[Note, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """Columns region, period, then per number column its value and ``<column>_status``, then the texts."""
        columns: dict[str, object] = {"region": self.region, "period": self.period}
        names = np.array([status.value for status in STATUSES], dtype=object)
        for name, values in self.values.items():
            columns |= {name: values.number, f"{name}_status": names[values.status]}
        return pd.DataFrame({**columns, **self.texts})


def keep(table: Table, where: Mapping[str, Sequence[object]]) -> tuple[Bool1, tuple[Problem, ...]]:
    """(n,) rows of a table whose columns have one of the stated values, and the values and columns that never occur.

    Values compare as text without outer spaces, and whole numbers whether or not they stand as ``11`` or ``11.0``. A
    cell that is no value is a problem, since its row would leave unseen.
    """
    kept = np.ones(len(table.frame), dtype=bool)
    problems: list[Problem] = []
    for name, wanted in where.items():
        if name not in table.frame.columns:
            close = near(name, table.frame.columns)
            hint = f"Did you mean '{close}'?" if close else f"Columns are {listed(table.frame.columns, 12)}."
            problems.append(
                Problem("DATA-107", f"column '{name}', to filter on, is missing.", hint, table.file, path=name)
            )
            continue
        codes, uniques = pd.factorize(np.asarray(table.frame[name].astype(object)), use_na_sentinel=True)
        known = [_plain(cell) for cell in uniques]
        for text in (_plain(value) for value in wanted):
            if text not in known:
                close = near(text, known)
                hint = f"Did you mean '{close}'?" if close else f"It holds {listed(sorted(set(known)), 12)}."
                problems.append(
                    Problem("DATA-112", f"column '{name}' never holds '{text}'.", hint, table.file, path=name)
                )
        odd = {i: cell.why for i, cell in enumerate(uniques) if isinstance(cell, Odd)}
        for why in dict.fromkeys(odd.values()):
            at = np.flatnonzero(np.isin(codes, [i for i, reason in odd.items() if reason == why]))
            where_at, first = table.places.name(at, name), int(table.places.of(name)[at[0]])
            message = f"column '{name}', to filter on, has no value in {where_at}: what stands there {why}."
            problems.append(Problem("DATA-119", message, "", table.file, first, path=name))
        texts = {_plain(value) for value in wanted}
        kept &= np.array([*(text in texts for text in known), False])[codes]
    return kept, tuple(problems)


def _plain(value: object) -> str:
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def add_up(
    region: Labels, period: Labels, values: Mapping[str, Values]
) -> tuple[Labels, Labels, Mapping[str, Values], Int1, Int1]:
    """Sum number columns over the rows of each region and period.

    A sum with a cell in it that has no number has no number either: it takes the heaviest status of its cells, in the
    order of `STATUSES`, and is never the sum of the rest.

    Returns
    -------
    region, period : (m,) labels, sorted by region, then period
    values : mapping from column name to Values of length m
    rows : (m,) number of rows in each sum
    cell : (n,) the sum to which each row went
    """
    regions, region_names = pd.factorize(region, sort=True)
    periods, period_names = pd.factorize(period, sort=True)
    pairs, cell = np.unique(regions * len(period_names) + periods, return_inverse=True)
    sums = {name: _sum(column, cell, len(pairs)) for name, column in values.items()}
    of_region, of_period = np.divmod(pairs, max(len(period_names), 1))
    return (
        frozen(np.asarray(region_names, dtype=object)[of_region], np.object_),
        frozen(np.asarray(period_names, dtype=object)[of_period], np.object_),
        sums,
        frozen(np.bincount(cell, minlength=len(pairs)), np.intp),
        frozen(cell, np.intp),
    )


def _sum(column: Values, cell: NDArray[np.intp], size: int) -> Values:
    status = np.zeros(size, dtype=np.int8)
    np.maximum.at(status, cell, column.status)
    total = np.bincount(cell, weights=np.nan_to_num(column.number), minlength=size)
    return Values(np.where(status >= NUMBERLESS, np.nan, total), status, np.full(size, "", dtype=object), column.nil)


def _incomplete(
    region: Labels,
    period: Labels,
    rows: Int1,
    cell: Int1,
    filtered: pd.DataFrame,
    where: Mapping[str, Sequence[object]],
    file: str,
) -> tuple[Problem, ...]:
    """Sums of fewer or more rows than usual (the middle count) in the other periods of their region, by period."""
    middle = pd.Series(rows).groupby(region).transform(lambda counts: counts.sort_values().iloc[len(counts) // 2])
    usual = middle.to_numpy()
    odd = np.flatnonzero(rows != usual)
    problems = []
    for when in sorted(set(period[odd])):
        these = [i for i in odd if period[i] == when]
        first = these[0]
        inside = filtered[cell == first]
        absent = [
            f"{name} {value}"
            for name, wanted in where.items()
            for value in wanted
            if _plain(value) not in {_plain(found) for found in inside[name].unique()}
        ]
        tail = f"; {listed(absent)} does not occur there" if absent else ""
        problems.append(
            Problem(
                "DATA-113",
                f"in {when} the sums of {listed(region[these])} do not add up as many rows as in their other periods: "
                f"{rows[first]} instead of {usual[first]} in {region[first]}{tail}.",
                "Filter on what every period has, or leave the period out.",
                file,
                path=str(when),
            )
        )
    return tuple(problems)


def read_long(
    table: Table, contract: Contract, *, where: Mapping[str, Sequence[object]] | None = None, add: bool = False
) -> Long | tuple[Problem, ...]:
    """Read a table into one row per region and period, or give every problem it has.

    Parameters
    ----------
    table : Table
        As `tables.read_table` gives it.
    contract : Contract
        Its `key` names the columns of region and period.
    where : mapping from column name to values, optional
        Rows to keep: all those that have one of the values in every column.
    add : bool
        Add up the rows of each region and period. Then rows may repeat a region and period, but every region must have
        equally many in all its periods, since a month that is not there would pass for a fall.

    Figures of a period that is itself marked as provisional (``2023*``) are provisional.
    """
    if contract.key is None:
        raise ValueError("a contract without a key does not say which columns are region and period")
    where = where or {}
    kept, problems = keep(table, where)
    frame, at = table.frame[kept], table.places[kept]
    found = [*check_whole(table.frame, contract, table.file, table.sha256), *problems]
    if not kept.any() and len(kept) and not problems:
        found.append(Problem("DATA-105", "no row is left after the filter.", file=table.file))
    read, unreadable = read_columns(frame, contract, at, table.file)
    found += unreadable
    if not add:
        found += check_key(frame, contract, read, at, table.file)
    if found:
        return tuple(found)
    return _long(table, contract, frame, read, where, add)


def _provisional(column: Values, marked: Bool1) -> Values:
    """The column with what is final in the `marked` rows made provisional."""
    if not marked.any():
        return column
    final = np.isin(column.status, [STATUSES.index(status) for status in (Status.OK, Status.MODELLED)])
    status = np.where(marked & final, np.int8(STATUSES.index(Status.PROVISIONAL)), column.status)
    return Values(column.number, status, column.text, column.nil)


def _long(
    table: Table,
    contract: Contract,
    frame: pd.DataFrame,
    read: Mapping[str, Read],
    where: Mapping[str, Sequence[object]],
    add: bool,
) -> Long | tuple[Problem, ...]:
    assert contract.key is not None
    region, period = (np.asarray(read[name]) for name in contract.key)
    marked = starred(frame[contract.key[1]])
    values = {name: _provisional(column, marked) for name, column in read.items() if isinstance(column, Values)}
    texts = {
        name: np.asarray(column) for name, column in read.items() if name not in values and name not in contract.key
    }
    notes = [*table.notes, *(Note("nil", name, column.nil) for name, column in values.items() if column.nil)]
    notes += [Note("unit", name, text=table.units[name]) for name in values if table.units.get(name)]
    if not add:
        rows = frozen(np.ones(len(frame)), np.intp)
        return Long(region, period, values, texts, rows, table.file, table.sha256, tuple(notes))
    of_region, of_period, sums, rows, cell = add_up(region, period, values)
    notes.append(Note("added-up", count=int(rows.sum())))
    problems = _incomplete(of_region, of_period, rows, cell, frame, where, table.file)
    return problems or Long(of_region, of_period, sums, {}, rows, table.file, table.sha256, tuple(notes))
