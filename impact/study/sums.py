"""What regions have together: characteristics added up or averaged over residents, and why some figures cannot be."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from impact.arrays import Float1
from impact.design.unions import Unions
from impact.sources.convert import unconvertible
from impact.study.faults import Fault
from impact.study.model import Specification
from impact.study.source import Loc
from impact.study.units import Units, wanted

__all__ = ["faults_of_level", "faults_of_sums", "mean_columns", "sum_columns", "units_of"]

_SIZE = {"buurt": 1, "wijk": 2, "gemeente": 3}


def faults_of_level(spec: Specification) -> Iterator[Fault]:
    """What a study asks of its unit that cannot be."""
    unit = spec.unit
    if unit is None:
        return
    loc: Loc = ("unit", "built_from")
    if unit.level == "focus-area" and unit.built_from is None:
        hint = "Add `built_from: wijk` or `built_from: buurt`."
        yield Fault(("unit",), "a focus area has no row of its own: it is added up from its members", hint)
    elif unit.built_from is not None and unit.level != "focus-area" and _SIZE[unit.built_from] >= _SIZE[unit.level]:
        yield Fault(loc, f"a {unit.level} is not made of a {unit.built_from}", "Take the key out.")
    if unit.built_from is not None:
        yield from faults_of_sums(spec, loc, counted=unit.value is not None)
    if unit.value is not None and (unit.built_from is None or spec.data.outcomes.columns.value is None):
        yield Fault(("unit", "value"), "no column of a value is added up here", "Take the key out.")


def faults_of_sums(spec: Specification, loc: Loc, *, counted: bool) -> Iterator[Fault]:
    """Why the outcomes or the characteristics cannot be those of regions together."""
    columns, units, walk = spec.data.outcomes.columns, spec.data.units, spec.data.crosswalk
    counted = counted or (walk is not None and walk.value is not None)
    if columns.value is not None and not counted:
        refused = unconvertible(f"column '{columns.value}'")
        hint = "Bring numerator and denominator. When it counts something, write `value: count`."
        yield Fault(loc, f"'{columns.value}' cannot be added up: {refused.because}", hint)
    if columns.n or columns.se or columns.margin:
        refused = unconvertible("a figure from a sample")
        hint = "Use the rows as they are published."
        yield Fault(loc, f"a figure from a sample cannot be added up: {refused.because}", hint)
    if units is not None and units.columns.residents is None and (means := mean_columns(spec)):
        message = f"of regions together the mean over residents is taken of {', '.join(means)}, and those are not known"
        yield Fault(loc, message, "Name their column in `data.units.columns.residents`.")


def sum_columns(spec: Specification) -> tuple[str, ...]:
    """Columns of the units table that add up: residents and characteristics of size."""
    units = spec.data.units
    columns = () if units is None else (units.columns.residents, *units.columns.size)
    return tuple(dict.fromkeys(name for name in columns if name is not None))


def mean_columns(spec: Specification) -> tuple[str, ...]:
    """Columns of the units table of which regions together have the mean over their residents."""
    added = sum_columns(spec)
    return tuple(name for name in wanted(spec)[1] if name not in added)


def units_of(spec: Specification, units: Units, unions: Unions) -> Units:
    """What the units table says of units that are made of its regions.

    Residents and size are added up by share; any other number is the mean over residents, and nan where one of a part
    is unknown. A text is that of all parts, or blank.
    """
    members = unions.members()
    whole = {unit for unit, parts in members.items() if units.known.issuperset(parts)}
    labels = {
        column: {
            **texts,
            **{unit: _shared({texts.get(part, "") for part in parts}) for unit, parts in members.items()},
        }
        for column, texts in units.labels.items()
    }
    names = unions.parts
    residents = None if spec.data.units is None else spec.data.units.columns.residents
    count = units.number(residents, names)
    added = sum_columns(spec)

    def together(column: str) -> Float1:
        number = units.number(column, names)
        if column in added:
            return np.asarray(unions.counts(names, number))
        # A part without residents has no say in a mean over residents, whatever its number.
        weighed = np.where(count == 0, 0.0, number * count)
        return np.asarray(unions.rates(names, weighed, count))

    numbers = {
        column: {**known, **dict(zip(unions.units, together(column).tolist(), strict=True))}
        for column, known in units.numbers.items()
    }
    return Units(units.known | whole, labels, numbers)


def _shared(texts: set[str]) -> str:
    return texts.pop() if len(texts) == 1 else ""
