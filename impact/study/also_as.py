"""Of whom a difference of a study can be told as a number: the people that an outcome is about in the treated areas."""

from __future__ import annotations

import numpy as np

from impact.evidence.in_persons import AlsoAs
from impact.evidence.result import Result
from impact.study.counts import counts
from impact.study.load import Loaded
from impact.study.model import Specification
from impact.study.panels import Comparison
from impact.study.series import Series

__all__ = ["also_as"]

_DIGITS = 3


def also_as(
    spec: Specification, loaded: Loaded, series: Series, comparison: Comparison, result: Result | None
) -> AlsoAs | None:
    """The people behind the estimate in the mean period after the start; None where none is asked for, or no estimate.

    Of every treated unit the mean over the periods of the estimate, as these count in it.
    """
    outcome = series.outcome
    if outcome.also_as is None or result is None:
        return None
    columns, panel, cells = spec.data.outcomes.columns, result.panel, result.fit.cells
    there = counts(columns.denominator or columns.base, loaded, series, comparison, panel)
    weights = np.abs(result.effects.weights[:, -1])
    base, unknown = 0.0, 0
    for group in np.unique(cells.group[weights > 0]):
        own = np.flatnonzero((cells.group == group) & (weights > 0))
        share = weights[own] / weights[own].sum()
        means = there[panel.group == group][:, cells.period[own]] @ share
        unknown += int(np.isnan(means).sum())
        base += float(np.nansum(means))
    words, per = outcome.also_as.languages(), outcome.measure.per or 1.0
    return AlsoAs(words, per, None if unknown or base <= 0 else float(f"{base:.{_DIGITS}g}"), unknown)
