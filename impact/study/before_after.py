"""Where both groups stood before and after the start and in every period, so that their difference is the estimate."""

from __future__ import annotations

import numpy as np

from impact.arrays import Float1
from impact.evidence.language import Texts
from impact.evidence.record import Change, PathPoint
from impact.evidence.result import Result
from impact.study.model import Specification

__all__ = ["base_weights", "change", "control_weights", "path", "span"]


def base_weights(spec: Specification, result: Result, group: int) -> Float1:
    """(T,) weights of the periods that say where a group stood before its start."""
    panel, weights = result.panel, result.fit.weights
    name = panel.group_names[group]
    if weights is not None and name in weights.groups:
        time = weights.of(name, panel.units)[1]
        if time.sum() > 0:
            return time
    before = spec.base_periods(panel.periods[int(panel.groups[group])], panel.periods)
    row = np.isin(panel.periods, before).astype(float)
    return np.asarray(row / row.sum())


def control_weights(result: Result, group: int) -> Float1:
    """(N,) weights of the controls of a group, summing to 1."""
    panel, weights = result.panel, result.fit.weights
    name = panel.group_names[group]
    if weights is not None and name in weights.groups:
        return weights.of(name, panel.units)[0]
    weight = panel.control_weight(panel.group == group) * panel.never
    return np.asarray(weight / weight.sum())


def change(spec: Specification, result: Result, national: Float1 | None, say: Texts) -> Change | None:
    """Means before and after, so that the difference in change is the estimate.

    The comparison after the start is its own mean for difference-in-differences; with covariates or synthetic weights
    it is where the focus areas would have been, moved to the level of the comparison. `national` (T,) is the whole
    country, of which the same periods are taken, and which nothing rests on.
    """
    panel, cells = result.panel, result.fit.cells
    if result.fit.untreated is None:
        return None
    weights = result.effects.weights[:, -1]
    focus_before = focus_after = comparison_before = without = 0.0
    country = np.full(len(panel.periods), np.nan) if national is None else national
    country_before = country_after = 0.0
    bases = set()
    for cell in np.flatnonzero(weights):
        members = panel.group == cells.group[cell]
        mean = panel.weight[members] / panel.weight[members].sum()
        base = base_weights(spec, result, int(cells.group[cell]))
        bases.add(span(tuple(period for period, share in zip(panel.periods, base, strict=True) if share > 0)))
        focus_before += weights[cell] * float(mean @ panel.y[members] @ base)
        focus_after += weights[cell] * float(mean @ panel.y[members, cells.period[cell]])
        without += weights[cell] * float(mean @ result.fit.untreated[members, cells.period[cell]])
        comparison_before += weights[cell] * float(
            control_weights(result, int(cells.group[cell])) @ np.nan_to_num(panel.y) @ base
        )
        country_before += weights[cell] * float(country[base > 0] @ base[base > 0])
        country_after += weights[cell] * float(country[cells.period[cell]])
    after = span(tuple(panel.periods[period] for period in sorted(set(cells.period[weights != 0].tolist()))))
    before = bases.pop() if len(bases) == 1 else say("run.before")
    return Change(
        before,
        after,
        focus_before,
        focus_after,
        comparison_before,
        comparison_before + without - focus_before,
        *(level if np.isfinite(level) else None for level in (country_before, country_after)),
    )


def path(spec: Specification, result: Result) -> tuple[PathPoint, ...]:
    """Weighted means by period; a group counts as much as it does in the estimate."""
    panel, cells = result.panel, result.fit.cells
    share = np.bincount(cells.group, weights=result.effects.weights[:, -1], minlength=len(panel.groups))
    focus, comparison = np.zeros(len(panel.periods)), np.zeros(len(panel.periods))
    for group in np.flatnonzero(share):
        members = panel.group == group
        focus += share[group] * (panel.weight[members] / panel.weight[members].sum()) @ panel.y[members]
        comparison += share[group] * control_weights(result, int(group)) @ np.nan_to_num(panel.y)
    first = panel.groups[share > 0].min()
    return tuple(
        PathPoint(period, float(focus[number]), float(comparison[number]), bool(number >= first))
        for number, period in enumerate(panel.periods)
    )


def span(periods: tuple[str, ...]) -> str:
    """One period, or first and last."""
    return periods[0] if len(periods) == 1 else f"{periods[0]}–{periods[-1]}" if periods else ""
