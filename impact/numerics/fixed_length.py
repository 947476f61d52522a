"""Confidence intervals of fixed length for a trend whose slope changes little: bias and variance traded at their best.

An estimate ``combination @ after + v @ before`` that no linear trend biases has, when the slope changes by at most `M`
from one period to the next, a bias of at most ``M (b + |w|_1)``, where ``w`` are the running sums of the running sums
of ``v``. Its least variance for every bias lies on the path of a lasso.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impact.arrays import Float1, Float2

__all__ = ["FixedLength", "fixed_length", "folded_quantile", "lasso_path"]

_NOTHING = 1e-12
_FINE = 65


@dataclass(frozen=True, slots=True, eq=False)
class FixedLength:
    """An interval ``weight @ beta ± half``.

    Attributes
    ----------
    weight : (K,) float
    half : float
    bias, error : float
        Largest bias, and standard error, of ``weight @ beta``.
    """

    weight: Float1
    half: float
    bias: float
    error: float


def fixed_length(sigma: Float2, before: int, combination: Float1, bound: float, size: float) -> FixedLength:
    """The shortest interval of fixed length for ``combination @ effect`` under a trend that is nearly linear.

    Parameters
    ----------
    sigma : (K, K) float
        Covariance of the estimates, those before the start first and without the reference; positive definite in
        the part before the start.
    before : int
        `P`, at least 1.
    combination : (Q,) float
        Weights of the effects.
    bound : float
        By how much the slope of the trend changes at most between neighbouring periods.
    size : float
        1 less the level.

    References
    ----------
    Rambachan & Roth (2023), Review of Economic Studies 90(5), section 4; Armstrong & Kolesár (2018), Econometrica
    86(2).
    """
    after = len(combination)
    # v = start + turn @ w: what w does to the weights before the start (second differences, w = 0 outside).
    turn = np.zeros((before + 2, before + 1))
    turn[np.arange(before + 1), np.arange(before + 1)] = 1
    twice = np.diff(np.vstack([np.zeros((2, before)), np.eye(before)]), n=2, axis=0)
    places = np.arange(1, after + 1)
    given = float(places @ combination)
    start = np.r_[twice[:, -1] * given, combination]
    turn = np.vstack([twice[:, :-1], np.zeros((after, before - 1))])
    fixed = float(sum(abs(np.arange(1, after - j + 1) @ combination[j:]) for j in range(after)))
    path = lasso_path(turn.T @ sigma @ turn, turn.T @ sigma @ start)

    def at(place: Float1) -> Float2:
        """(n, P - 1) the path at `place`, counted in knots."""
        left = np.minimum(place.astype(int), max(len(path) - 2, 0))
        right = np.minimum(left + 1, len(path) - 1)
        return np.asarray(path[left] + (place - left)[:, None] * (path[right] - path[left]))

    def half(place: Float1) -> Float1:
        w = at(place)
        weight = start + w @ turn.T
        error = np.sqrt(np.einsum("nk,kl,nl->n", weight, sigma, weight))
        bias = bound * (fixed + np.abs(w).sum(axis=1))
        return np.asarray(folded_quantile(bias / error, size) * error)

    low, high = 0.0, float(len(path) - 1)
    # Half the length is convex in the bias, and so has one minimum along the path.
    for _ in range(8):
        grid = np.linspace(low, high, _FINE)
        best = int(np.argmin(half(grid)))
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, _FINE - 1)]
    place = np.array([(low + high) / 2, 0.0, len(path) - 1.0])
    place = place[[int(np.argmin(half(place)))]]
    w = at(place)[0]
    weight = start + turn @ w
    error = float(np.sqrt(weight @ sigma @ weight))
    return FixedLength(weight, float(half(place)[0]), bound * (fixed + float(np.abs(w).sum())), error)


def folded_quantile(mean: Float1, size: float) -> Float1:
    """The ``1 - size`` quantile of ``|N(mean, 1)|``, for `mean` of at least 0."""
    from scipy.special import ndtr, ndtri

    at = mean + ndtri(1 - size / 2)
    for _ in range(60):
        gap = ndtr(at - mean) - ndtr(-at - mean) - (1 - size)
        slope = (np.exp(-((at - mean) ** 2) / 2) + np.exp(-((at + mean) ** 2) / 2)) / np.sqrt(2 * np.pi)
        step = gap / slope
        at = at - step
        if np.abs(step).max(initial=0.0) < 1e-13:
            break
    return np.asarray(at)


def lasso_path(square: Float2, linear: Float1) -> Float2:
    """(knots, p) the minimisers of ``w' square w / 2 + linear' w + penalty |w|_1`` from w = 0 to penalty 0.

    Between two knots the minimisers lie on a line. `square` is positive definite.

    References
    ----------
    Osborne, Presnell & Turlach (2000), IMA Journal of Numerical Analysis 20(3); Efron, Hastie, Johnstone & Tibshirani
    (2004), Annals of Statistics 32(2), section 3.1.
    """
    count = len(linear)
    w = np.zeros(count)
    knots = [w]
    penalty = float(np.abs(linear).max(initial=0.0))
    if penalty <= 0:
        return np.array(knots)
    scale, moving = penalty, np.zeros(count, dtype=bool)
    joining, leaving = int(np.argmax(np.abs(linear))), -1
    sign = np.zeros(count)
    for _ in range(20 * 3 ** min(count, 8)):
        if joining >= 0:
            moving[joining] = True
            sign[joining] = -np.sign((linear + square @ w)[joining])
        if leaving >= 0:
            moving[leaving] = False
        on = np.flatnonzero(moving)
        speed = np.zeros(count)
        speed[on] = np.linalg.solve(square[np.ix_(on, on)], sign[on])  # as the penalty falls by 1
        slope, drift = linear + square @ w, square @ speed
        drop, joining, leaving, out = penalty, -1, -1, leaving
        for j in range(count):
            if moving[j]:
                fall = -w[j] / speed[j] if speed[j] * w[j] < 0 else np.inf
                if fall < drop:
                    drop, joining, leaving = fall, -1, j
                continue
            for side in (1.0, -1.0):
                # |slope + drift fall| meets penalty - fall.
                rate = side * drift[j] + 1
                gap = penalty - side * slope[j]
                if j == out and gap <= _NOTHING * scale:
                    continue  # it has just left at this end
                fall = gap / rate if rate > _NOTHING else np.inf
                if fall < drop:
                    drop, joining, leaving = max(fall, 0.0), j, -1
        w = w + drop * speed
        if leaving >= 0:
            w[leaving] = 0.0
        penalty -= drop
        knots.append(w)
        if joining < 0 and leaving < 0:
            return np.array(knots)
    raise ValueError("the path of bias against variance did not end: is the covariance positive definite?")
