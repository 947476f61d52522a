"""Fixed-length intervals, held against worst cases by linear programs and minima by brute force."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import linprog, minimize

from impact.arrays import Float1
from impact.numerics.fixed_length import fixed_length, folded_quantile, lasso_path

SIZE = 0.05


def worst_bias(weight: Float1, before: int, after: int, bound: float) -> float:
    """The most that ``weight @ trend`` can be when the slope of the trend changes by at most `bound`."""
    every = np.delete(np.diff(np.eye(before + 1 + after), n=2, axis=0), before, axis=1)
    rows = np.vstack([every, -every])
    found = linprog(-weight, A_ub=rows, b_ub=np.full(len(rows), bound), bounds=[(None, None)] * len(weight))
    return float("inf") if found.status == 3 else -float(found.fun)


def half(weight: Float1, sigma: np.ndarray, before: int, after: int, bound: float) -> float:
    error = float(np.sqrt(weight @ sigma @ weight))
    bias = worst_bias(weight, before, after, bound) / error

    def covered(reach: float) -> float:
        return float(stats.norm.cdf(reach - bias) - stats.norm.cdf(-reach - bias))

    low, high = 0.0, bias + 5
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if covered(middle) >= 1 - SIZE else (middle, high)
    return high * error


@pytest.mark.parametrize("before", [1, 2, 3, 5])
@pytest.mark.parametrize("bound", [0.0, 0.1, 0.5, 3.0])
def test_no_weights_give_a_shorter_interval(before: int, bound: float) -> None:
    after = 2
    generator = np.random.default_rng(before)
    root = generator.normal(size=(before + after, before + after + 3))
    sigma, combination = root @ root.T / 5, generator.normal(size=after)
    found = fixed_length(sigma, before, combination, bound, SIZE)
    # 1e-6: what the linear program and the two searches leave.
    assert found.weight[before:].tolist() == combination.tolist()
    assert found.half == pytest.approx(half(found.weight, sigma, before, after, bound), rel=1e-6)
    assert found.bias == pytest.approx(worst_bias(found.weight, before, after, bound), abs=1e-7)
    # No linear trend may bias: v = v0 + N free.
    times = np.arange(-before, 0.0)
    base = -times * (np.arange(1, after + 1) @ combination) / (times @ times)
    free = np.linalg.svd(times[None])[2][1:].T

    def length(move: Float1) -> float:
        return half(np.r_[base + free @ move, combination], sigma, before, after, bound)

    start = np.linalg.lstsq(free, found.weight[:before] - base, rcond=None)[0] if before > 1 else np.zeros(0)
    for _ in range(40 if before > 1 else 0):
        away = start + generator.normal(size=len(start)) * generator.choice([1e-3, 0.05, 1.0])
        assert length(away) >= found.half * (1 - 1e-6)
    if before == 3 and bound == 0.5:
        best = minimize(length, np.zeros(before - 1), method="Nelder-Mead", options={"maxiter": 150})
        assert found.half <= best.fun * (1 + 1e-6)


def test_a_trend_that_any_linear_one_biases_has_no_bounded_bias() -> None:
    """The weights must cancel a linear trend; plain differences do not."""
    assert worst_bias(np.array([0.0, 0.0, 1.0]), 2, 1, 0.1) == float("inf")


def test_folded_quantiles_cover() -> None:
    mean = np.array([0.0, 0.01, 1.0, 3.0, 30.0])
    reach = folded_quantile(mean, SIZE)
    assert reach[0] == pytest.approx(stats.norm.isf(SIZE / 2), abs=1e-12)
    assert stats.norm.cdf(reach - mean) - stats.norm.cdf(-reach - mean) == pytest.approx(1 - SIZE, abs=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_the_path_is_optimal_at_every_knot_and_between(seed: int) -> None:
    """The subgradient condition: slopes are as large as the penalty where a weight moves, and no larger elsewhere."""
    generator = np.random.default_rng(seed)
    count = 1 + seed % 7
    root = generator.normal(size=(count, count + 1))
    square, linear = root @ root.T, generator.normal(size=count)
    path = lasso_path(square, linear)
    assert not path[0].any()
    assert path[-1] == pytest.approx(np.linalg.solve(square, -linear), abs=1e-8)
    for left, right in pairwise(path):
        w = (left + right) / 2
        slope = linear + square @ w
        penalty = np.abs(slope).max()
        moving = np.abs(w) > 1e-12
        assert slope[moving] == pytest.approx(-penalty * np.sign(w[moving]), abs=1e-8)
