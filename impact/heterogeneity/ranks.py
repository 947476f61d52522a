"""Which places in a ranking of areas the data allow: confidence sets for ranks, from all differences at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from impact.arrays import Float1, Float2, Int1
from impact.inference.multiplier import place

__all__ = ["Better", "Ranks", "ranks"]

Better = Literal["higher", "lower"]

_ROUNDING = 1e-9  # of the largest variance: a difference without any error is none


@dataclass(frozen=True, slots=True, eq=False)
class Ranks:
    """Places of `k` areas; 1 is the most favourable, and areas with the same effect share the better place.

    Attributes
    ----------
    rank : (k,) int
        By the estimates alone; never to be shown without the sets.
    low, high : (k,) int
        First and last place that an area may have; each set by itself holds the rank with probability `level`.
    low_all, high_all : (k,) int
        The same for all areas at once.
    level : float
    draws : int
    """

    rank: Int1
    low: Int1
    high: Int1
    low_all: Int1
    high_all: Int1
    level: float
    draws: int

    @property
    def told_apart(self) -> int:
        """How many areas have a set that is not all places, among the sets that hold at once."""
        whole = (self.low_all == 1) & (self.high_all == len(self.rank))
        return int((~whole).sum())


def ranks(
    estimate: Float1,
    covariance: Float2,
    generator: np.random.Generator,
    *,
    better: Better = "higher",
    level: float = 0.95,
    draws: int = 9999,
) -> Ranks:
    """Confidence sets for the places of areas.

    An area lies before another where the difference between them is larger than chance makes any of the differences in
    question: the `level` quantile of ``max |draw of the difference| / its error``, over joint draws of all areas. For
    the set of one area these are its differences with the others, for all sets at once the differences of all pairs;
    pairs that are told apart are taken out and the rest is tried again, until nothing more is found. As everything
    goes by differences, errors that all areas share take no part.

    Parameters
    ----------
    estimate : (k,) float
        Of every area.
    covariance : (k, k) float
        Of the estimates; a diagonal one where only standard errors are known. Errors of common controls that it leaves
        out make the sets wider than need be, not narrower.
    generator : Generator
        Source of the draws (normal).
    better : {"higher", "lower"}
        Which effects come first.
    level : float
        Of the sets.
    draws : int
        Joint draws of all areas.

    Raises
    ------
    ValueError
        Shapes that do not fit, numbers that are not finite, or two areas whose difference has no error.

    References
    ----------
    Mogstad, Romano, Shaikh & Wilhelm (2024), Review of Economic Studies 91(1): marginal and simultaneous confidence
    sets for ranks, with their stepwise improvement.
    """
    y, cov = np.asarray(estimate, dtype=np.float64), np.asarray(covariance, dtype=np.float64)
    count = len(y)
    if y.ndim != 1 or count < 2 or cov.shape != (count, count):
        raise ValueError("ranks are of two or more estimates with their covariance")
    if not (np.isfinite(y).all() and np.isfinite(cov).all()):
        raise ValueError("estimates and their covariance are finite")
    if better not in get_args(Better):
        raise ValueError(f"better={better!r} is not one of {', '.join(get_args(Better))}")
    if not 0 < level < 1 or place(draws, level) > draws:
        raise ValueError(f"a level of {level} takes more than {draws} draws")
    signed = y if better == "higher" else -y
    spread = np.diag(cov)[:, None] + np.diag(cov)[None] - 2 * cov
    off = ~np.eye(count, dtype=bool)
    if (spread[off] <= _ROUNDING * np.diag(cov).max()).any():
        raise ValueError("the difference of two areas has no error, so their order is not in doubt")
    error = np.sqrt(np.where(off, spread, 1.0))
    values, vectors = np.linalg.eigh(cov)
    noise = generator.standard_normal((draws, count)) @ ((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T).T
    ahead = (signed[:, None] - signed[None]) / error
    alone = np.array([_told(ahead, noise, error, row, level) for row in range(count)])
    first, second = np.triu_indices(count, 1)
    pairs = _stepdown(ahead[first, second], (noise[:, first] - noise[:, second]) / error[first, second], level)
    before = np.zeros((count, count), dtype=bool)  # row is known to come before column
    before[first, second], before[second, first] = pairs > 0, pairs < 0
    return Ranks(
        1 + (signed[None] > signed[:, None]).sum(axis=1),
        1 + (alone < 0).sum(axis=1),
        count - (alone > 0).sum(axis=1),
        1 + before.sum(axis=0),
        count - before.sum(axis=1),
        level,
        draws,
    )


def _told(ahead: Float2, noise: Float2, error: Float2, row: int, level: float) -> Int1:
    """(k,) 1 where area `row` is known to come before another, -1 where after it, 0 where neither is known."""
    others = np.flatnonzero(np.arange(len(ahead)) != row)
    out = np.zeros(len(ahead), dtype=np.intp)
    out[others] = _stepdown(ahead[row, others], (noise[:, [row]] - noise[:, others]) / error[row, others], level)
    return out


def _stepdown(observed: Float1, drawn: Float2, level: float) -> Int1:
    """(n,) sign of every difference that is told from 0, and 0 for the rest.

    Both directions of every difference are hypotheses of their own. Once one is rejected it leaves, and its opposite
    stays, so what remains of that pair is one-sided.
    """
    out = np.zeros(len(observed), dtype=np.intp)
    rows = len(drawn)
    rank = place(rows, level)
    while True:
        largest = np.where(out <= 0, drawn, -np.inf).max(axis=1)
        largest = np.maximum(largest, np.where(out >= 0, -drawn, -np.inf).max(axis=1))
        critical = np.partition(largest, rank - 1)[rank - 1]
        found = np.where(observed > critical, 1, np.where(observed < -critical, -1, 0)) * (out == 0)
        if not found.any():
            return out
        out = out + found
