"""What the units table of a study says: characteristics, residents, and the labels of areas, starts and clusters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from impact.arrays import Float1
from impact.errors import Problem
from impact.sources.contract import Column, Contract, Kind, check_whole, listed, read_columns
from impact.sources.frame import Places, Table
from impact.sources.regions import Level
from impact.sources.rows import Long, keep, read_long
from impact.sources.values import CBS, Labels, Odd, Values
from impact.study.model import Specification
from impact.study.predictors import columns_of_predictors
from impact.study.subsetting import columns_of_sets

__all__ = ["Units", "read_units", "wanted"]


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


def read_units(spec: Specification, table: Table | None, problems: list[Problem]) -> Units | None:
    """The units table: fixed columns, or numbers averaged over `periods`, after adding up when the study asks so."""
    file = spec.data.units
    if file is None or table is None:
        return None
    c = file.columns
    named, numbers = wanted(spec)
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
    frame, places = table.frame[kept], table.places[kept]
    read, unreadable = read_columns(frame, contract, places, table.file)
    # A column of codes that could not be read counts as it is spelled.
    codes = [str(code) for code in np.asarray(read.get(c.region, frame.get(c.region, ())))]
    found += [*missing, *unreadable, *_twice(codes, places, c.region, table.file)]
    if found:
        problems.extend(found)
        return None
    labels = {name: dict(zip(codes, map(_plain, frame[name]), strict=True)) for name in named}
    # A level that the table marks as unknown is none.
    unknown = {text.casefold() for text in (*marks.suppressed, *marks.missing, *marks.impossible)}
    for name in dict.fromkeys(name for term in spec.covariates for name in term.categories):
        labels[name] = {code: "" if text.casefold() in unknown else text for code, text in labels[name].items()}
    figures = {name: dict(zip(codes, _numbers(read[name]).tolist(), strict=True)) for name in numbers}
    return Units(frozenset(codes), labels, figures)


def wanted(spec: Specification) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Columns of the units table that `spec` reads, as text and as numbers."""
    file, treatment, terms = spec.data.units, spec.treatment, spec.covariates
    if file is None:
        return (), ()
    c = file.columns
    texts = (
        c.gemeente,
        treatment.areas.column,
        treatment.start.column,
        spec.inference.cluster.column,
        *(rule.column for rule in spec.comparison.leave_out if rule.rule != "band"),
        *(name for term in terms for name in term.categories),
        *(spec.comparison.match.exact if spec.comparison.match is not None else ()),
    )
    numbers = (
        c.residents,
        *(c.place or ()),
        *(rule.column for rule in spec.comparison.leave_out if rule.rule == "band"),
        *c.structure,
        *c.size,
        *c.selection,
        *(name for term in terms for name in term.numbers),
        *columns_of_predictors(spec),
        *columns_of_sets(spec),
    )
    return tuple(dict.fromkeys(filter(None, texts))), tuple(dict.fromkeys(filter(None, numbers)))


def _twice(codes: Sequence[str], places: Places, column: str, file: str) -> Iterator[Problem]:
    """Regions with more than one row, in a table that has one for each."""
    where: dict[str, list[int]] = {}
    for position, code in enumerate(codes):
        where.setdefault(code, []).append(position)
    twice = {code: at for code, at in sorted(where.items()) if len(at) > 1}
    if twice:
        named = listed(f"{code} ({places.name(at, column)})" for code, at in twice.items())
        first = int(places.of(column)[[at[0] for at in twice.values()]].min())
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
    if isinstance(cell, Odd):
        return cell.text
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()
