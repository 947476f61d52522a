"""Families as one outcome each: an index of their indicators, judged beside them and never instead of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from impact.errors import Refused
from impact.evidence.family import Family, Index
from impact.inference.domain_index import DomainIndex, Weighing, domain_index
from impact.parallel import Parallel
from impact.study.answers import alternative
from impact.study.model import Specification
from impact.study.panels import Comparison
from impact.study.record import Case

__all__ = ["indexed"]

_WHAT = "an index of the family"


def indexed(
    spec: Specification, cases: Sequence[Case], families: Sequence[Family], parallel: Parallel
) -> tuple[Family, ...]:
    """The families with the index of those that the study wants one of."""
    by = {case.series.outcome.indicator: case for case in cases}
    return tuple(
        replace(family, index=_index(spec, by, family, spec.indices[family.name], parallel))
        if family.name in spec.indices
        else family
        for family in families
    )


def _index(
    spec: Specification, by: Mapping[str, Case], family: Family, weighing: Weighing, parallel: Parallel
) -> Index:
    level = spec.inference.level
    gone = [one.indicator for one in family.members if one.state in ("sealed", "not-measurable")]
    if gone:
        why = f"{', '.join(gone)} cannot be estimated, and the index is of all its outcomes"
        return Index(weighing, level, refused=Refused(_WHAT, why, "Take these out of the family."))
    members = [by[one.indicator] for one in family.members]
    made = _together(spec, members, weighing)
    if isinstance(made, Refused):
        return Index(weighing, level, refused=made)
    comparison, index = made
    estimate, _ = alternative(spec, comparison, parallel)
    return Index(
        weighing,
        level,
        estimate.value,
        estimate.std_error,
        estimate.low,
        estimate.high,
        estimate.p_value,
        estimate.areas,
        tuple((one.indicator, float(weight)) for one, weight in zip(family.members, index.weights, strict=True)),
        estimate.refused,
    )


def _together(
    spec: Specification, members: Sequence[Case], weighing: Weighing
) -> tuple[Comparison, DomainIndex] | Refused:
    """The comparison of the units that all members have, with the index as its outcome."""
    first = members[0].comparison
    panels = [case.comparison.panel for case in members]
    shared = set.intersection(*(set(panel.units) for panel in panels))
    panel = replace(first.panel, pairs=None)
    panel = panel.take([row for row, unit in enumerate(panel.units) if unit in shared])
    if not panel.treated.any() or not panel.never.any():
        return Refused(_WHAT, "its outcomes have no treated units, or no others, in common", "Take some out.")
    values = []
    for one in panels:
        row = {unit: number for number, unit in enumerate(one.units)}
        values.append(one.y[[row[unit] for unit in panel.units]])
    end = int(panel.first[panel.treated].min()) - spec.treatment.anticipation
    usual = panel.never[:, None] & (np.arange(len(panel.periods)) < end)
    outcomes = [case.series.outcome for case in members]
    try:
        index = domain_index(
            values,
            usual,
            opposite=[outcome.better == "lower" for outcome in outcomes],
            whole=[outcome.part_of or outcome.indicator for outcome in outcomes],
            weighing=weighing,
        )
    except ValueError as error:
        return Refused(_WHAT, str(error), "Take the outcome out of the family, or use equal weights.")
    panel = replace(panel, se=None, series={}, unit="").with_outcome(index.value)
    if first.matcher is not None:
        matched = first.matcher(panel)
        if isinstance(matched, Refused):
            return matched
        panel = matched
    inside = set(panel.units)
    areas = tuple(
        area if area.left_out else replace(area, units=units, left_out="" if units else "no-usable-unit|")
        for area in first.areas
        for units in [tuple(unit for unit in area.units if unit in inside)]
    )
    return replace(first, panel=panel, areas=areas), index
