"""Each area by itself, where the study asks for the placebos from which a single area has an error."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from impact.errors import Refused
from impact.evidence.result import Result
from impact.evidence.single_areas import FEWEST, UNDECLARED, SingleArea, SingleAreas
from impact.facade import estimate
from impact.inference.placebo import PlaceboSpace
from impact.inference.protocol import Uncertainty
from impact.parallel import Parallel
from impact.study.answers import Answers, estimator_of, inference_of, target
from impact.study.before_after import base_weights, control_weights
from impact.study.model import Specification
from impact.study.panels import Comparison
from impact.targets import Target

__all__ = ["single_areas"]

_WHAT = "the areas by themselves"


def single_areas(spec: Specification, comparison: Comparison, found: Answers, parallel: Parallel) -> SingleAreas | None:
    """Every area in the estimate, drawn towards their mean; None where there is no estimate.

    With the placebos that the study asks for, and only where it does: what single areas show was then declared before.
    """
    result = found.result
    if result is None:
        return None
    asked = next((one for one in (spec.inference, *spec.inference.beside) if one.name == PlaceboSpace.name), None)
    if asked is None:
        return SingleAreas(refused=Refused(_WHAT, UNDECLARED, "Add placebo-space to `beside` of the inference."))
    areas = found.primary.areas
    if areas < FEWEST:
        why = f"{areas} areas are in the estimate, and how areas differ is learned from {FEWEST} on"
        return SingleAreas(refused=Refused(_WHAT, why, "Use the estimate over all areas."))
    how = inference_of(asked, spec.inference.level, comparison)
    assert isinstance(how, PlaceboSpace), "by its name"
    whole = target(spec, comparison, spec.target.every)
    alone = estimate(
        comparison.panel,
        estimator_of(spec, comparison),
        target=Target("unit", whole.weighting, whole.window),
        inference=replace(how, statistic="estimate"),  # only the spread of the estimates is used
        level=spec.inference.level,
        seed=spec.seed,
        parallel=parallel,
    )
    if isinstance(alone, Refused):
        return SingleAreas(refused=alone)
    if isinstance(alone.uncertainty, Refused):
        return SingleAreas(refused=alone.uncertainty)
    return _drawn(spec, alone, alone.uncertainty)


def _drawn(spec: Specification, alone: Result, known: Uncertainty) -> SingleAreas:
    level = spec.inference.level
    table = alone.areas(level=level)
    if isinstance(table, Refused):
        return SingleAreas(refused=table)
    numbers = {"estimate": "estimate", "std_error": "std_error", "centre": "centre", "weight": "weight"}
    numbers |= {"value": "shrunken", "low": "low", "high": "high"}
    rows = []
    for row, slug in enumerate(table["area"]):
        own: dict[str, Any] = {name: float(table[column].iloc[row]) for name, column in numbers.items()}
        rows.append(SingleArea(str(slug), **own, **_change(spec, alone, row)))
    return SingleAreas(level, known.draws, bool(table.attrs["floored"]), tuple(rows))


def _change(spec: Specification, alone: Result, term: int) -> dict[str, Any]:
    """Means of the area and of its comparison before and after its start, as for all areas together."""
    panel, fit = alone.panel, alone.fit
    weights = alone.effects.weights[:, term]
    cells = np.flatnonzero(weights)
    groups = set(fit.cells.group[cells].tolist())
    if fit.untreated is None or len(groups) != 1:
        return {}
    (group,) = groups
    members = panel.group == group
    mean = panel.weight[members] / panel.weight[members].sum()
    base = base_weights(spec, alone, group)
    share, period = weights[cells], fit.cells.period[cells]
    before = float(mean @ panel.y[members] @ base)
    without = float(mean @ fit.untreated[np.ix_(members, period)] @ share)
    beside = float(control_weights(alone, group) @ np.nan_to_num(panel.y) @ base)
    return {
        "before": _span([label for label, counts in zip(panel.periods, base, strict=True) if counts > 0]),
        "after": _span([panel.periods[one] for one in sorted(set(period.tolist()))]),
        "focus_before": before,
        "focus_after": float(mean @ panel.y[np.ix_(members, period)] @ share),
        "comparison_before": beside,
        "comparison_after": beside + without - before,
    }


def _span(labels: list[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{labels[0]}–{labels[-1]}" if labels else ""
