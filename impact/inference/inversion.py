"""An interval by inversion of a test: the outermost values that are not rejected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["Accepted", "outermost"]

_LONGEST = 1 / 4
_KNOWN = 3e-6


@dataclass(frozen=True, slots=True)
class Accepted:
    """Outermost accepted values; infinite where the farthest that was tried is accepted, nan where none is.

    Attributes
    ----------
    low, high : float
    tried : int
        Values that were tested.
    """

    low: float
    high: float
    tried: int


def outermost(
    room: Callable[[float], float], centre: float, near: float, far: float, *, wide: float, step: float
) -> Accepted:
    """The outermost values that a test accepts, which need not be all between them.

    From `far` on either side the search walks inwards until a value is accepted. A step is as long as the test says
    that nothing is accepted, but no shorter than the share `step` of the distance from the centre (a quarter beyond
    `wide`) and no longer than a quarter. So where the test says so rightly, accepted values are passed only if they
    lie within that share of their distance. The centre is always tested. The last step is halved until the end is known
    to 3e-6 of the distance.

    Parameters
    ----------
    room : callable
        How far from a value, to either side, nothing is accepted; 0 or less where the value itself is.
    centre : float
        Where the search ends; it need not be accepted.
    near, far : float
        Positive; a smallest distance that matters (shares of nearer ones are shares of this), and one at which the test
        is expected to reject.
    wide : float
        A distance up to which small steps are worth their time.
    step : float
        Share of the distance.

    Raises
    ------
    ValueError
        The distances are not positive and in order, or `step` is no share of at most a quarter.
    """
    if not 0 < near <= far:
        raise ValueError(f"distances from {near} to {far} are not positive and in order")
    if not 0 < step <= _LONGEST:
        raise ValueError(f"step={step} is not between 0 and {_LONGEST}")

    def ahead(away: float, free: float) -> float:
        scale = max(abs(away), near)
        shortest = step if scale <= wide else _LONGEST
        return min(max(free, shortest * scale), _LONGEST * scale)

    high, above = _inwards(lambda away: room(centre + away), ahead, near, far)
    if np.isnan(high):
        return Accepted(np.nan, np.nan, above)
    low, below = _inwards(lambda away: room(centre - away), ahead, near, far)
    return Accepted(centre - low, centre + high, above + below)


def _inwards(
    room: Callable[[float], float], ahead: Callable[[float, float], float], near: float, far: float
) -> tuple[float, int]:
    """The farthest accepted distance from `far` down to `-far`, and how many were tried."""
    away, outside, tried = far, np.inf, 0
    while True:
        tried += 1
        free = room(away)
        if free <= 0:
            break
        if away <= -far:
            return np.nan, tried
        outside, away = away, max(away - ahead(away, free), 0.0 if away > 0 else -far)
    while np.isfinite(outside) and outside - away > _KNOWN * max(abs(away), near):
        middle = (away + outside) / 2
        tried += 1
        if room(middle) <= 0:
            away = middle
        else:
            outside = middle
    return away if np.isfinite(outside) else np.inf, tried
