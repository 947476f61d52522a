"""Confidence sets for a parameter in moment inequalities with nuisance parameters: the conditional test and its hybrid.

The statistic is the largest ray (see `impact.numerics.trend_bounds`). Given which ray it is, and everything that is
independent of it, it is a normal variable between two known ends; it is held against a quantile of that (the
conditional test). The hybrid first rejects what the least favourable distribution of the statistic would hardly give,
which mends the poor power of the conditional test where several inequalities nearly bind.
"""

from __future__ import annotations

import numpy as np

from impact.arrays import Bool2, Float1, Float2
from impact.numerics.trend_bounds import Rays

__all__ = ["accepted", "confidence_set", "least_favourable", "truncated_quantile"]

FIRST = 0.1
"""Share of the level that the first stage of the hybrid spends (Rambachan & Roth 2023, section 3.3)."""

_GRID = 257
_FINER = 33
_ROUNDS = 4
_ROOM = 2**21  # numbers in memory at a time
_SAME = 1e-9
_NOTHING = 1e-20


def least_favourable(found: Rays, errors: Float2, share: float) -> Float1:
    """(S,) the value that the largest ray exceeds with probability `share` where all inequalities bind.

    Parameters
    ----------
    found : Rays
        Of `S` systems.
    errors : (n, K) float
        Draws of the error of the estimates.
    share : float
        Above 0.
    """
    step = max(1, _ROOM // (len(errors) * found.weight.shape[1]))
    parts = [found.weight[first : first + step] for first in range(0, len(found.weight), step)]
    largest = [np.tensordot(part, errors, axes=(2, 1)).max(axis=1) for part in parts]
    return np.asarray(np.quantile(np.concatenate(largest), 1 - share, axis=1))


def accepted(found: Rays, beta: Float1, theta: Float2, critical: Float1, size: float) -> Bool2:
    """(S, n) whether the hybrid test of every system does not reject ``combination @ effect = theta``.

    Parameters
    ----------
    found : Rays
        Of `S` systems.
    beta : (K,) float
        The estimates.
    theta : (S, n) float
        What is tested, in every system.
    critical : (S,) float
        Of the first stage; see `least_favourable`.
    size : float
        Of the whole test.

    References
    ----------
    Andrews, Roth & Pakes (2023), Review of Economic Studies 90(6), sections 3 and 6; Rambachan & Roth (2023), Review of
    Economic Studies 90(5), section 3.
    """
    step = max(1, _ROOM // found.offset.size)
    level = found.weight @ beta - found.offset
    parts = [
        _accepted(found, level, theta[:, first : first + step], critical, size)
        for first in range(0, theta.shape[1], step)
    ]
    return np.concatenate(parts, axis=1)


def confidence_set(found: Rays, beta: Float1, critical: Float1, size: float) -> tuple[float, float] | None:
    """The least and the greatest theta that the test of some system does not reject; None where all are rejected.

    What the first stage accepts is an interval that is known exactly. Within it the ends are searched on a grid, and
    then on finer ones between the outermost accepted point and the next.
    """
    low, high = _first_stage(found, beta, critical)
    some = np.asarray(low < high)
    if not some.any():
        return None
    kept = Rays(found.weight[some], found.offset[some], found.slope[some], found.covariance[some])
    low, high, critical = low[some], high[some], critical[some]
    grid = low[:, None] + (high - low)[:, None] * np.linspace(0, 1, _GRID)
    inside = accepted(kept, beta, grid, critical, size)
    some = np.asarray(inside.any(axis=1))
    if not some.any():
        return None
    kept = Rays(kept.weight[some], kept.offset[some], kept.slope[some], kept.covariance[some])
    grid, inside, critical, rows = grid[some], inside[some], critical[some], np.arange(int(some.sum()))
    first, last = inside.argmax(axis=1), _GRID - 1 - inside[:, ::-1].argmax(axis=1)
    ends = [grid[rows, first], grid[rows, last]]
    beyond = [grid[rows, np.maximum(first - 1, 0)], grid[rows, np.minimum(last + 1, _GRID - 1)]]
    steps = np.linspace(0, 1, _FINER)
    for _ in range(_ROUNDS):
        finer = [away[:, None] + (end - away)[:, None] * steps for end, away in zip(ends, beyond, strict=True)]
        inside = accepted(kept, beta, np.hstack(finer), critical, size)
        inside[:, [_FINER - 1, -1]] = True  # known to be accepted
        for side, points in enumerate(finer):
            at = inside[:, side * _FINER : (side + 1) * _FINER].argmax(axis=1)
            ends[side], beyond[side] = points[rows, at], points[rows, np.maximum(at - 1, 0)]
    return float(ends[0].min()), float(ends[1].max())


def truncated_quantile(share: float, low: Float2, high: Float2) -> Float2:
    """The `share` quantile of a standard normal variable between `low` and `high`; exact far out in a tail, too."""
    from scipy.special import log_ndtr, ndtri_exp

    above = low > 0
    # In the upper tail by the probability above, elsewhere by that below.
    near, far = np.where(above, -low, high), np.where(above, -high, low)
    part = np.where(above, 1 - share, share)
    ratio = np.exp(log_ndtr(far) - log_ndtr(near))
    at = ndtri_exp(log_ndtr(near) + np.log(part + (1 - part) * ratio))
    return np.asarray(np.where(above, -at, at))


def _first_stage(found: Rays, beta: Float1, critical: Float1) -> tuple[Float1, Float1]:
    """(S,) the ends of what the first stage accepts."""
    away = found.weight @ beta - found.offset - critical[:, None]
    flat = np.abs(found.slope) <= _SAME * np.abs(found.slope).max()
    with np.errstate(divide="ignore", invalid="ignore"):
        end = away / found.slope
    low = np.where(~flat & (found.slope > 0), end, -np.inf).max(axis=1)
    high = np.where(~flat & (found.slope < 0), end, np.inf).min(axis=1)
    hopeless = (flat & (away > 0)).any(axis=1)
    return np.where(hopeless, np.inf, low), np.where(hopeless, -np.inf, high)


def _accepted(found: Rays, level: Float2, theta: Float2, critical: Float1, size: float) -> Bool2:
    value = level[:, :, None] - found.slope[:, :, None] * theta[:, None, :]
    top = value.argmax(axis=1)
    largest = np.take_along_axis(value, top[:, None, :], axis=1)[:, 0]
    system = np.arange(len(value))[:, None]
    variance = found.covariance[system, top, top]
    fixed = variance <= _NOTHING * found.covariance.max(initial=1.0)
    share = found.covariance[system, top].transpose(0, 2, 1) / np.where(fixed, 1.0, variance)[:, None, :]
    # Where another ray would take over as the largest one moves along with what is independent of it.
    rest = 1 - share
    with np.errstate(divide="ignore", invalid="ignore"):
        end = (value - share * largest[:, None, :]) / rest
    low = np.where(rest > _SAME, end, -np.inf).max(axis=1)
    high = np.minimum(np.where(rest < -_SAME, end, np.inf).min(axis=1), critical[:, None])
    error = np.sqrt(np.where(fixed, 1.0, variance))
    first = FIRST * size
    with np.errstate(divide="ignore", invalid="ignore"):
        quantile = truncated_quantile(1 - (size - first) / (1 - first), low / error, high / error)
    rejected = (largest > critical[:, None]) | (largest / error > np.maximum(quantile, 0.0))
    return ~np.where(fixed, largest > 0, rejected)
