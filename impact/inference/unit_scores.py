"""Scores of the terms of a target by unit, and by unit and period, for errors that units share over space or time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from impact.arrays import Float2, Float3
from impact.errors import Refused
from impact.estimators.protocol import Estimator
from impact.inference.intervals import no_scores
from impact.inference.protocol import Found, evaluate
from impact.panel import Panel
from impact.sample import Sample
from impact.scores import Projection
from impact.targets import Target

__all__ = ["ByPeriod", "by_period", "by_unit"]


@dataclass(frozen=True, slots=True, eq=False)
class ByPeriod:
    """Scores by unit and period.

    Attributes
    ----------
    moving : (N, T, m) float
        What the outcome of a unit in a period adds.
    lasting : (N, m) float
        What is about a unit as a whole: that the shares of the groups are those of a sample.
    """

    moving: Float3
    lasting: Float2


def by_unit(name: str, estimator: Estimator, panel: Panel, target: Target, found: Found) -> Found | Refused:
    """The estimate with every unit its own cluster, so that its scores are those of the units (N, m).

    Refused where the estimator has no scores, or nothing is seen again.
    """
    if isinstance(panel, Sample):
        return Refused(f"uncertainty by {name}", "it needs units that are seen again", "Use cluster-jackknife.")
    alone: Found | Refused = found
    if panel.clustered:
        each = replace(panel, cluster=np.arange(len(panel.units)), clusters=panel.units)
        alone = evaluate(estimator, each, target)
    if isinstance(alone, Refused):
        return alone
    return no_scores(name, estimator) if alone.effects.scores is None else alone


def by_period(name: str, estimator: Estimator, alone: Found) -> ByPeriod | Refused:
    """The scores of `alone` (see `by_unit`) taken apart by period.

    A score that is linear in the outcomes, ``w_i (Σ_t r_t y_it + constant)``, has the parts ``w_i r_t e_it``, where
    ``e_it`` is what the levels of units, and the means of those that share ``r``, leave of the outcome in a period.
    What is left of the score is lasting.
    """
    whole, weights = alone.effects.scores, alone.effects.weights
    cells = alone.fit.cells
    if whole is None:
        return no_scores(name, estimator)
    moving = None
    if alone.fit.by_period is not None:
        moving = alone.fit.by_period(weights)
    elif cells.scores is not None and all(isinstance(block, Projection) for block in cells.scores.blocks):
        moving = np.zeros((*alone.panel.y.shape, weights.shape[1]))
        for block in cells.scores.blocks:
            if isinstance(block, Projection):
                _add(moving, block, weights)
    if moving is None:
        return Refused(
            f"uncertainty by {name}",
            f"{estimator.name} has no scores by period here",
            "Use group-time or did without covariates, or twfe; conley without lags needs none.",
        )
    return ByPeriod(moving, whole - moving.sum(axis=1))


def _add(moving: Float3, block: Projection, weights: Float2) -> None:
    """Add the parts of one block; its rows are units."""
    right = block.right @ weights
    for stratum in range(len(right)):
        rows = np.flatnonzero(block.place == stratum)
        mass = block.weight[rows]
        if not mass.any():
            continue
        y, seen = block.y[rows], np.isfinite(block.y[rows]).any(axis=0)  # alike in a stratum
        left = np.where(seen, y - mass @ np.where(seen, y, 0.0) / mass.sum(), 0.0)
        left = np.where(seen, left - left.sum(axis=1, keepdims=True) / seen.sum(), 0.0)
        np.add.at(moving, block.cluster[rows], (mass[:, None] * left)[:, :, None] * right[stratum])
