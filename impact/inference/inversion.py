"""An interval by inversion of a test: the outermost values that are not rejected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["Accepted", "outermost"]

_PER_DOUBLING = 8
_HALVINGS = 16


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


def outermost(accepts: Callable[[float], bool], centre: float, near: float, far: float) -> Accepted:
    """The outermost values that a test accepts, which need not be all between them.

    Tried are `centre` and values at distances from `near` to at least `far` to either side, each 9 % (an eighth of a
    doubling) beyond the one before. The step in which acceptance ends is then halved 16 times, so an end is known to
    3e-6 of its distance from the centre; acceptance that comes back within a single step is not seen.

    Parameters
    ----------
    accepts : callable
        The test.
    centre : float
        Where the search begins; it need not be accepted.
    near, far : float
        Positive; a smallest distance that matters, and one at which the test is expected to reject.

    Raises
    ------
    ValueError
        The distances are not positive and in order.
    """
    if not 0 < near <= far:
        raise ValueError(f"distances from {near} to {far} are not positive and in order")
    count = int(np.ceil(_PER_DOUBLING * np.log2(far / near)))
    away = near * 2.0 ** (np.arange(count + 1) / _PER_DOUBLING)
    points = np.concatenate([centre - away[::-1], [centre], centre + away]).tolist()
    inside = np.flatnonzero([accepts(point) for point in points])
    if not inside.size:
        return Accepted(np.nan, np.nan, len(points))
    first, last = int(inside[0]), int(inside[-1])
    low = -np.inf if first == 0 else _edge(accepts, points[first], points[first - 1])
    high = np.inf if last == len(points) - 1 else _edge(accepts, points[last], points[last + 1])
    return Accepted(low, high, len(points) + _HALVINGS * (int(np.isfinite(low)) + int(np.isfinite(high))))


def _edge(accepts: Callable[[float], bool], accepted: float, rejected: float) -> float:
    """The accepted value next to a rejected one, after halving what lies between."""
    for _ in range(_HALVINGS):
        middle = (accepted + rejected) / 2
        if accepts(middle):
            accepted = middle
        else:
            rejected = middle
    return accepted
