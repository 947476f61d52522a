"""What is left without each control when the weights are held: in closed form, where weights make the cells."""

from __future__ import annotations

import numpy as np

from impact.arrays import Float1
from impact.errors import Refused
from impact.estimators.protocol import Estimator, Gives
from impact.inference.protocol import Found
from impact.targets import Target

__all__ = ["without_each_control"]

# Relative to the largest outcome: cells that differ by more from what the weights give are made of something else.
_SAME = 1e-9


def without_each_control(estimator: Estimator, found: Found, target: Target) -> dict[int, Float1]:
    """Terms (m,) without each never-treated unit, by row of the panel, the other donors taking its share.

    Parameters
    ----------
    estimator : Estimator
        For the controls that it asks for.
    found : Found
        The estimate with all units.
    target : Target
        What is asked.

    Returns
    -------
    dict
        What a refit with held weights gives. Empty where it could differ: on a matched panel, and where the cells are
        not ``(Ȳ - ω'Y) - λ'(Ȳ - ω'Y)`` (outcomes that are adjusted for covariates, whose slopes a deletion moves).
        Without an entry are units on which all weight rests.
    """
    panel, cells, weights = found.panel, found.fit.cells, found.fit.weights
    controls = np.flatnonzero(panel.never & (panel.weight > 0))
    held = Gives.WEIGHTS in estimator.gives and panel.pairs is None
    if weights is None or not held or len(controls) <= estimator.asks.min_controls:
        return {}
    y = np.nan_to_num(panel.y)
    groups = [panel.group_names.index(name) for name in weights.groups]
    share = np.array([np.where(panel.group == group, panel.weight, 0.0) for group in groups])
    treated = share @ y / share.sum(axis=1, keepdims=True)
    compared = weights.unit @ y
    row, period = np.array([groups.index(group) for group in cells.group]), cells.period
    gap = treated - compared
    gap -= (weights.time * gap).sum(axis=1, keepdims=True)
    if np.abs(gap[row, period] - cells.effect).max() > _SAME * max(np.abs(y).max(), 1e-300):
        return {}
    total, own = weights.unit.sum(axis=1), weights.unit[:, controls].T
    rest = total - own
    alive = np.flatnonzero((rest * total > 0).all(axis=1) & (np.abs(rest) > 1e-9 * np.abs(total)).all(axis=1))
    own, rest = own[alive], rest[alive]
    left = (compared - own[:, :, None] * y[controls[alive], None, :]) * (total / rest)[:, :, None]
    gaps = treated - left
    gaps -= (weights.time * gaps).sum(axis=2, keepdims=True)
    effect = gaps[:, row, period]
    values = target.many(cells, effect, np.broadcast_to(cells.size, effect.shape), panel)
    return {} if isinstance(values, Refused) else dict(zip(controls[alive].tolist(), values, strict=True))
