"""From the files of a study to arrays over regions and periods; every problem of every file at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from impact.arrays import Float1, Float2, frozen
from impact.errors import DataError, Problem, raise_all
from impact.evidence.record import DataFile
from impact.sources.contract import Column, Contract, Kind, check_whole, listed, read_columns
from impact.sources.regions import Level, gemeente_of
from impact.sources.rows import Long, keep, read_long
from impact.sources.tables import Table, read_table
from impact.sources.values import CBS, Labels, Values
from impact.study.model import File, Outcome, OutcomeTable, Specification

__all__ = ["Loaded", "Series", "Units", "load"]


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One outcome over all regions and periods.

    Attributes
    ----------
    outcome : Outcome
    y : (n, T) float
        In the unit of the measure; nan where there is no number.
    raw : (n, T) float
        Before it was taken relative to the region's own mean; equal to `y` otherwise.
    baseline : (n,) float or None
        The region's own mean.
    without : mapping of status to int
        Cells of the table that have no number, by what the table says of them.
    """

    outcome: Outcome
    y: Float2
    raw: Float2
    baseline: Float1 | None
    without: Mapping[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """What the units table says; "" and nan where it says nothing.

    Attributes
    ----------
    known : frozenset of str
        Regions of the units table; every region when there is no such table.
    labels : mapping of column name to mapping of region to text
    numbers : mapping of column name to mapping of region to number
    """

    known: frozenset[str]
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    numbers: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def label(self, column: str | None, regions: Sequence[str]) -> tuple[str, ...]:
        """The texts of a column in the order of `regions`."""
        known = self.labels.get(column or "", {})
        return tuple(known.get(region, "") for region in regions)

    def number(self, column: str | None, regions: Sequence[str]) -> Float1:
        """The numbers of a column in the order of `regions`."""
        known = self.numbers.get(column or "", {})
        return np.array([known.get(region, np.nan) for region in regions])


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """All tables of a study over the same `n` regions and `T` periods.

    Attributes
    ----------
    regions, periods : tuple of str
        Sorted codes; labels in order.
    gemeente : (n,) tuple of str
        "" where it is unknown.
    series : tuple of Series
        One per outcome, in the order of the study.
    """

    regions: tuple[str, ...]
    periods: tuple[str, ...]
    gemeente: tuple[str, ...]
    units: Units
    series: tuple[Series, ...]
    files: tuple[DataFile, ...]
    notes: tuple[str, ...]


def load(spec: Specification, paths: Mapping[str, Path]) -> Loaded:
    """Read the files of `spec`; `paths` gives the place of ``outcomes`` and ``units``.

    Raises
    ------
    DataError
        Every problem of every file.
    """
    problems: list[Problem] = []
    tables = {}
    for role, file in (("outcomes", spec.data.outcomes), ("units", spec.data.units)):
        if file is not None:
            tables[role] = _table(file, paths[role], problems)
    longs = [_outcome(spec, outcome, tables["outcomes"], problems) for outcome in spec.all_outcomes]
    units = _units(spec, tables.get("units"), problems)
    raise_all(dict.fromkeys(problems), DataError)
    read = [long for long in longs if long is not None]
    regions = tuple(
        sorted({str(region) for long in read for region in long.region} | (units.known if units else set()))
    )
    known = units or Units(frozenset(regions))
    periods = spec.periods.labels
    series = tuple(
        _series(outcome, long, spec.data.outcomes, regions, periods)
        for outcome, long in zip(spec.all_outcomes, read, strict=True)
    )
    _periods_there(spec, read, periods)
    column = spec.data.units.columns.gemeente if spec.data.units is not None else None
    gemeente = known.label(column, regions) if column else tuple(_gemeente(region) for region in regions)
    files = tuple(_file(role, getattr(spec.data, role), table) for role, table in tables.items() if table is not None)
    notes = tuple(
        dict.fromkeys(_note(note.kind, note.column, note.count, note.text) for long in read for note in long.notes)
    )
    return Loaded(regions, periods, gemeente, known, series, files, notes)


def _table(file: File, path: Path, problems: list[Problem]) -> Table | None:
    table = read_table(path, file=file.file, separator=file.separator, header_row=file.header_row)
    if isinstance(table, Table):
        return table
    problems.extend(table)
    return None


def _outcome(spec: Specification, outcome: Outcome, table: Table | None, problems: list[Problem]) -> Long | None:
    """The rows of one outcome, within the periods of the study."""
    if table is None:
        return None
    file = spec.data.outcomes
    marks = CBS.override(**file.marks.given())
    numbers = [
        name for name in (file.columns.value, file.columns.numerator, file.columns.denominator) if name is not None
    ]
    contract = Contract(
        (
            Column(file.columns.region, Kind.CODE, level=None if file.level is None else Level(file.level)),
            Column(file.columns.period, Kind.PERIOD),
            *(Column(name, Kind.NUMBER, decimal=file.decimal, marks=marks) for name in numbers),
        ),
        key=(file.columns.region, file.columns.period),
        sha256=file.sha256,
    )
    where = {**file.rows.where, **outcome.where}
    long = read_long(table, contract, where=where, add=file.rows.add_up_to is not None)
    if isinstance(long, Long):
        return long
    problems.extend(long)
    return None


def _series(
    outcome: Outcome, long: Long, file: OutcomeTable, regions: tuple[str, ...], periods: tuple[str, ...]
) -> Series:
    row = {region: number for number, region in enumerate(regions)}
    column = {period: number for number, period in enumerate(periods)}
    inside = np.array([period in column for period in long.period], dtype=bool)
    at = (
        np.array([row[region] for region in long.region[inside]], dtype=np.intp),
        np.array([column[period] for period in long.period[inside]], dtype=np.intp),
    )

    def grid(name: str) -> Float2:
        out = np.full((len(regions), len(periods)), np.nan)
        out[at] = long.values[name].number[inside]
        return out

    columns = file.columns
    if columns.value is not None:
        names, y = [columns.value], grid(columns.value)
    else:
        names = [str(columns.numerator), str(columns.denominator)]
        above, below = grid(names[0]), grid(names[1])
        # A rate over nobody does not exist; it is not 0 and not infinite.
        y = np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0) * (outcome.measure.per or 1.0)
    without: dict[str, int] = {}
    for name in names:
        for status, count in long.values[name].counts().items():
            if status not in ("ok", "provisional", "modelled") and count:
                without[status.value] = without.get(status.value, 0) + count
    own = outcome.measure.as_percent_of_own
    if own is None:
        return Series(outcome, frozen(y), frozen(y), None, without)
    baseline = y[:, [column[period] for period in own.periods]].mean(axis=1)
    fit = baseline >= own.minimum_mean
    relative = np.divide(100 * y, baseline[:, None], out=np.full_like(y, np.nan), where=fit[:, None])
    return Series(outcome, frozen(relative), frozen(y), frozen(baseline), without)


def _periods_there(spec: Specification, longs: Sequence[Long], periods: tuple[str, ...]) -> None:
    """Every period of the study must occur in every outcome."""
    problems = []
    for outcome, long in zip(spec.all_outcomes, longs, strict=True):
        absent = [period for period in periods if period not in set(long.period)]
        if absent:
            problems.append(
                Problem(
                    "DATA-114",
                    f"no row of {outcome.indicator} is about {listed(absent)}.",
                    f"The table has {listed(sorted(set(long.period)), 20)}; change periods.first or periods.last.",
                    long.file,
                )
            )
    raise_all(problems, DataError)


def _units(spec: Specification, table: Table | None, problems: list[Problem]) -> Units | None:
    """The units table: fixed columns, or numbers averaged over `periods`, after adding up when the study asks so."""
    file = spec.data.units
    if file is None or table is None:
        return None
    c, treatment = file.columns, spec.treatment
    texts = (c.gemeente, treatment.areas.column, treatment.start.column, spec.inference.cluster.column)
    named = tuple(dict.fromkeys(name for name in texts if name))
    numbers = tuple(dict.fromkeys(name for name in (c.residents, *c.structure, *c.size) if name))
    marks = CBS.override(**file.marks.given())
    region = Column(c.region, Kind.CODE, level=None if file.level is None else Level(file.level))
    values = tuple(Column(name, Kind.NUMBER, decimal=file.decimal, marks=marks) for name in numbers)
    contract = Contract((region, *values), sha256=file.sha256)
    whole = Contract((*contract.columns, *(Column(name, Kind.TEXT) for name in named)), sha256=file.sha256)
    found = [*check_whole(table.frame, whole, table.file, table.sha256)]
    if c.period is not None:
        keyed = Contract((region, Column(c.period, Kind.PERIOD), *values), key=(c.region, c.period), sha256=file.sha256)
        long = read_long(table, keyed, where=file.rows.where, add=file.rows.add_up_to is not None)
        if found or not isinstance(long, Long):
            problems.extend([*found, *(() if isinstance(long, Long) else long)])
            return None
        inside = np.isin(np.asarray(long.period, dtype=str), file.periods)
        averaged = {name: _means(long.region[inside], long.values[name].number[inside]) for name in numbers}
        return Units(frozenset(str(code) for code in long.region), {}, averaged)
    kept, missing = keep(table, file.rows.where)
    frame, rows = table.frame[kept], table.rows[kept]
    read, unreadable = read_columns(frame, contract, rows, table.file)
    # A column of codes that could not be read counts as it is spelled.
    codes = [str(code) for code in np.asarray(read.get(c.region, frame.get(c.region, ())))]
    found += [*missing, *unreadable, *_twice(codes, rows.tolist(), c.region, table.file)]
    if found:
        problems.extend(found)
        return None
    labels = {name: dict(zip(codes, map(_plain, frame[name]), strict=True)) for name in named}
    figures = {name: dict(zip(codes, _numbers(read[name]).tolist(), strict=True)) for name in numbers}
    return Units(frozenset(codes), labels, figures)


def _twice(codes: Sequence[str], rows: Sequence[int], column: str, file: str) -> Iterator[Problem]:
    """Regions with more than one row, in a table that has one for each."""
    where: dict[str, list[int]] = {}
    for code, row in zip(codes, rows, strict=True):
        where.setdefault(code, []).append(row)
    twice = {code: at for code, at in sorted(where.items()) if len(at) > 1}
    if twice:
        named = listed(f"{code} (rows {listed(at)})" for code, at in twice.items())
        first = min(at[0] for at in twice.values())
        yield Problem(
            "DATA-111", f"more than one row for {named}.", "One row per region is needed.", file, first, path=column
        )


def _means(region: Labels, number: Float1) -> dict[str, float]:
    """Mean per region; a region with a cell without number has none."""
    names, place = np.unique(np.asarray(region, dtype=str), return_inverse=True)
    means = np.bincount(place, weights=number, minlength=len(names)) / np.bincount(place, minlength=len(names))
    return {str(name): float(mean) for name, mean in zip(names, means, strict=True)}


def _numbers(values: Values | Labels) -> Float1:
    assert isinstance(values, Values)
    return values.number


def _plain(cell: object) -> str:
    """A cell as text; blank is ""."""
    if cell is None or cell != cell:
        return ""
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()


def _gemeente(region: str) -> str:
    try:
        return gemeente_of(region)
    except ValueError:
        return ""


def _file(role: str, file: File, table: Table) -> DataFile:
    vintage = "" if file.vintage is None else str(file.vintage)
    return DataFile(role, file.file, table.sha256, len(table.frame), file.source, vintage)


def _note(kind: str, column: str, count: int, text: str) -> str:
    """One line for `Evidence.notes`: the kind is a key of the text catalogue, with what it speaks of."""
    return "|".join((kind, column, str(count), text))
