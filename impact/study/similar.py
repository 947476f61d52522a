"""Comparison units with about as many residents as the areas, put together from wijken or buurten.

Borders and residents decide, never an outcome; what is in no unit stands in the ledger with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from impact.design.donors import Exclusion, Pool, Step
from impact.design.units import ComparisonUnits, LeftOver, comparison_units
from impact.errors import DataError, Problem, Refused
from impact.study.areas import FocusArea
from impact.study.built import together
from impact.study.faults import Fault
from impact.study.load import Loaded
from impact.study.model import Specification
from impact.study.series import Series

__all__ = ["Similar", "faults_of_similar", "similar"]

_NO_GEMEENTE, _NO_BORDER = "its gemeente is not known", "it has no border in the file of polygons"
# How a reason of `comparison_units` begins, and the step of the flow that it belongs to.
_STEPS = (
    ("it has more than", "part-too-large"),
    ("its residents are unknown", "part-uncounted"),
    ("it and all it is connected with", "part-too-few"),
    ("no unit of", "part-no-fit"),
    ("it is used elsewhere", "part-no-place"),
)


def faults_of_similar(spec: Specification) -> Iterator[Fault]:
    """What a study asks of built comparison units that cannot be."""
    asked, unit, data = spec.comparison.units, spec.unit, spec.data
    if asked is None:
        return
    at = ("comparison", "units")
    if unit is None or unit.level != "focus-area" or unit.built_from != asked.built_from:
        hint = f"Write `unit: {{level: focus-area, built_from: {asked.built_from}}}`."
        message = "areas are compared with units that are added up, so they must be added up from the same parts"
        yield Fault(at, message, hint)
    if data.units is None or data.units.columns.residents is None:
        hint = "Name the column in `data.units.columns.residents`."
        yield Fault((*at, "residents"), "units of similar population take a column of residents", hint)


@dataclass(frozen=True, slots=True, eq=False)
class Similar:
    """The tables with built comparison units, and the pool of these.

    Attributes
    ----------
    loaded : Loaded
    series : Series
        The outcome at hand.
    pool : Pool
        With steps for what is in no unit, and one in which parts become units.
    built : ComparisonUnits
    """

    loaded: Loaded
    series: Series
    pool: Pool
    built: ComparisonUnits


def similar(
    spec: Specification, loaded: Loaded, series: Series, pool: Pool, inside: Mapping[str, FocusArea]
) -> Similar:
    """Put the donors of `pool` together; `inside` are the treated units.

    Raises
    ------
    DataError
        ``DATA-153`` no unit can be built, or the residents of an area that sets their size are not known.
    """
    asked = spec.comparison.units
    assert asked is not None and spec.data.units is not None
    column, parts = spec.data.units.columns.residents, pool.donors
    place = dict(zip(loaded.regions, loaded.gemeente, strict=True))
    reserved = {part: _NO_GEMEENTE for part in parts if not place[part]}
    neighbours = None
    if loaded.borders is not None:
        beside = loaded.borders.touching.rook().neighbours()
        reserved |= {part: _NO_BORDER for part in parts if part not in beside}
        neighbours = {part: beside.get(part, ()) for part in parts}
    found = comparison_units(
        parts,
        loaded.units.number(column, parts),
        [place[part] for part in parts],
        target=_target(spec, loaded, column, inside),
        neighbours=neighbours,
        reserved=reserved,
    )
    if isinstance(found, Refused):
        message = f"{found.what}: {found.because}."
        raise DataError(Problem("DATA-153", message, found.instead, spec.data.outcomes.file, path="comparison.units"))
    made = together(spec, loaded, found.unions)
    own = made.series[loaded.series.index(series)]
    return Similar(made, own, _pool(pool, found, made, own), found)


def _target(spec: Specification, loaded: Loaded, column: str | None, inside: Mapping[str, FocusArea]) -> float:
    """Residents of a unit: as asked, or the median of the areas."""
    asked = spec.comparison.units
    assert asked is not None
    if asked.residents != "similar":
        return float(asked.residents)
    units = sorted(inside)
    count = loaded.units.number(column, units)
    unknown = [unit for unit, one in zip(units, count.tolist(), strict=True) if not one > 0]
    if unknown:
        message = f"the residents of {', '.join(unknown)} are not known, and comparison units follow them."
        hint = "Complete the column of residents, or write a number: `residents: 10000`."
        raise DataError(Problem("DATA-153", message, hint, spec.data.outcomes.file, path="comparison.units"))
    return float(np.median(count))


def _pool(pool: Pool, found: ComparisonUnits, made: Loaded, series: Series) -> Pool:
    """The pool of built units: what left before, what is in no unit, and units without an outcome all the same."""
    place = {region: row for row, region in enumerate(made.regions)}
    lost = [unit for unit in found.unions.units if not np.isfinite(series.y[place[unit]]).all()]
    keep = np.zeros(len(made.regions), dtype=bool)
    keep[[place[unit] for unit in found.unions.units if unit not in lost]] = True
    excluded = [Exclusion(left.part, _step(left), "", _detail(left)) for left in found.left_over]
    steps, left = [*pool.steps], pool.steps[-1].left
    for _, code in _STEPS:
        gone = sum(one.code == code for one in excluded)
        if gone:
            left -= gone
            steps.append(Step(code, "", gone, left))
    units = len(found.unions.units)
    steps.append(Step("put-together", "", left - units, units))
    if lost:
        excluded += [Exclusion(unit, "unit-without-outcome", "", "") for unit in lost]
        steps.append(Step("unit-without-outcome", "", len(lost), units - len(lost)))
    return replace(pool, units=made.regions, keep=keep, steps=tuple(steps), excluded=(*pool.excluded, *excluded))


def _step(left: LeftOver) -> str:
    return next(code for begin, code in _STEPS if left.why.startswith(begin))


def _detail(left: LeftOver) -> str:
    """The residents of the part, where they are the reason."""
    return "" if left.residents is None else f"{left.residents:.0f}"
