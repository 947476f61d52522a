"""The conditional, least-favourable hybrid test, held against a literal one that solves the linear programs."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import linprog

from impact.arrays import Float1, Float2
from impact.numerics.moment_inequalities import accepted, confidence_set, least_favourable, truncated_quantile
from impact.numerics.trend_bounds import Monotonicity, Restriction, Sign, extreme_rays, rays

SIZE = 0.05


# The literal test: inequalities in the trend, nuisance effects by a linear program -----------------------------------


def inequalities(
    before: int,
    after: int,
    bound: float,
    restriction: Restriction,
    sign: Sign | None = None,
    monotonicity: Monotonicity | None = None,
) -> list[tuple[Float2, Float1]]:
    """(A, d) of every system, written out period by period: ``A trend <= d``."""
    periods = [*range(-before, 0), *range(1, after + 1)]  # 0 is the reference

    def level(period: int) -> Float1:
        return np.array([float(period == other) for other in periods])

    def step(period: int) -> Float1:
        return level(period) - level(period - 1)

    def bend(period: int) -> Float1:
        return step(period) - step(period - 1)

    change, first = (step, -before + 1) if restriction == "relative-magnitudes" else (bend, -before + 2)
    shape: list[Float1] = []
    for period in range(1, after + 1):
        shape += [(-1 if sign == "positive" else 1) * level(period)] if sign else []
        shape += [(-1 if monotonicity == "increasing" else 1) * step(period)] if monotonicity else []
    systems = []
    if restriction == "smoothness":
        rows = [side * change(period) for period in range(1, after + 1) for side in (1, -1)]
        return [(np.array(rows + shape), np.r_[np.full(len(rows), bound), np.zeros(len(shape))])]
    for largest, way in product(range(first, 1), (1, -1)):
        most = way * change(largest)
        rows = [side * change(period) - bound * most for period in range(1, after + 1) for side in (1, -1)]
        systems.append((np.array(rows + shape), np.zeros(len(rows) + len(shape))))
    return systems


def program(y: Float1, x: Float2, error: Float1) -> tuple[float, Float1]:
    """The least eta with ``y - x nuisance <= eta error`` for some nuisance, and its multipliers."""
    cost = np.r_[1.0, np.zeros(x.shape[1])]
    found = linprog(cost, A_ub=-np.column_stack([error, x]), b_ub=-y, bounds=[(None, None)] * len(cost), method="highs")
    assert found.status == 0
    return float(found.fun), -np.asarray(found.ineqlin.marginals)


def literally_accepted(
    system: tuple[Float2, Float1],
    beta: Float1,
    sigma: Float2,
    before: int,
    combination: Float1,
    theta: float,
    cv: float,
) -> bool:
    """Andrews, Roth & Pakes (2023): the truncation ends are searched by bisection on the linear program itself."""
    a, d = system
    # Effects that give theta, and the directions in which they can then still move.
    some = combination * theta / (combination @ combination)
    free = np.linalg.svd(combination[None])[2][1:].T
    y, x, cov = a @ beta - d - a[:, before:] @ some, a[:, before:] @ free, a @ sigma @ a.T
    error = np.sqrt(np.diag(cov))
    eta, gamma = program(y, x, error)
    if eta > cv:
        return False
    variance = gamma @ cov @ gamma
    if variance < 1e-16:
        return eta <= 0
    pull = cov @ gamma / variance
    rest = y - pull * (gamma @ y)

    def same(value: float) -> bool:
        """Whether `gamma` is still optimal when its statistic is `value`."""
        return program(rest + pull * value, x, error)[0] <= value + 1e-7

    def end(away: float) -> float:
        if same(away):
            return away
        inside, outside = eta, away
        for _ in range(30):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if same(middle) else (inside, middle)
        return inside

    sd = np.sqrt(variance)
    low, high = end(-50.0) / sd, min(end(50.0), cv) / sd
    first = SIZE / 10
    share = 1 - (SIZE - first) / (1 - first)
    quantile = stats.truncnorm.ppf(share, low, high)
    return bool(eta / sd <= max(0.0, quantile))


CASES: list[tuple[int, int, float, Restriction, Sign | None, Monotonicity | None]] = [
    (3, 2, 1.0, "relative-magnitudes", None, None),
    (2, 3, 0.5, "relative-magnitudes", None, None),
    (1, 1, 1.5, "relative-magnitudes", None, None),
    (3, 3, 0.4, "smoothness", None, None),
    (1, 2, 0.0, "smoothness", None, None),
    (3, 2, 0.8, "smoothness-relative-magnitudes", None, None),
    (2, 3, 1.0, "relative-magnitudes", "positive", None),
    (2, 3, 0.3, "smoothness", "negative", None),
    (2, 3, 1.0, "relative-magnitudes", None, "increasing"),
    (3, 2, 0.5, "smoothness-relative-magnitudes", None, "decreasing"),
    (2, 2, 0.3, "smoothness", "positive", "increasing"),
]


def world(seed: int, before: int, after: int) -> tuple[Float1, Float2, Float1]:
    generator = np.random.default_rng(seed)
    root = generator.normal(size=(before + after, before + after + 3))
    sigma = root @ root.T / (before + after)
    combination = np.eye(1, after)[0] if seed % 2 else generator.normal(size=after)
    return generator.multivariate_normal(np.zeros(before + after), 1.5 * sigma), sigma, combination


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_rays_give_the_value_of_the_linear_program(case: tuple, seed: int) -> None:  # type: ignore[type-arg]
    before, after, bound, restriction, sign, monotonicity = case
    beta, sigma, combination = world(seed, before, after)
    found = rays(sigma, before, combination, bound, restriction, sign, monotonicity)
    free = np.linalg.svd(combination[None])[2][1:].T
    for number, (a, d) in enumerate(ordered(found, beta, sigma, before, combination, case)):
        error = np.sqrt(np.diag(a @ sigma @ a.T))
        for theta in (-1.0, 0.3, 2.0):
            some = combination * theta / (combination @ combination)
            expected, _ = program(a @ (beta - np.r_[np.zeros(before), some]) - d, a[:, before:] @ free, error)
            value = found.weight[number] @ beta - found.offset[number] - found.slope[number] * theta
            assert value.max() == pytest.approx(expected, abs=1e-8)


def ordered(found, beta, sigma, before, combination, case):  # type: ignore[no-untyped-def]
    """The systems in the order of `rays`: signs of the largest change one after the other."""
    systems = inequalities(before, len(combination), *case[2:])
    return systems if len(systems) == 1 else [*systems[::2], *systems[1::2]]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("seed", [2])
def test_it_accepts_what_the_literal_test_accepts(case: tuple, seed: int) -> None:  # type: ignore[type-arg]
    before, after, bound, restriction, sign, monotonicity = case
    beta, sigma, combination = world(seed, before, after)
    found = rays(sigma, before, combination, bound, restriction, sign, monotonicity)
    critical = np.full(len(found.weight), 2.4)
    reach = 4 * np.sqrt(combination @ sigma[before:, before:] @ combination)
    theta = combination @ beta[before:] + np.linspace(-reach, reach, 7)
    got = accepted(found, beta, np.repeat(theta[None], len(found.weight), 0), critical, SIZE)
    for number, system in enumerate(ordered(found, beta, sigma, before, combination, case)):
        expected = [literally_accepted(system, beta, sigma, before, combination, value, 2.4) for value in theta]
        assert got[number].tolist() == expected


def test_the_least_favourable_value_is_that_of_the_linear_program() -> None:
    before, after = 2, 3
    _, sigma, combination = world(3, before, after)
    found = rays(sigma, before, combination, 0.7, "relative-magnitudes", "positive")
    errors = np.random.default_rng(4).multivariate_normal(np.zeros(before + after), sigma, 60)
    free = np.linalg.svd(combination[None])[2][1:].T
    got = least_favourable(found, errors, 0.2)
    systems = inequalities(before, after, 0.7, "relative-magnitudes", "positive")
    for number, (a, _) in enumerate([*systems[::2], *systems[1::2]]):
        error = np.sqrt(np.diag(a @ sigma @ a.T))
        value = [program(a @ draw, a[:, before:] @ free, error)[0] for draw in errors]
        assert got[number] == pytest.approx(np.quantile(value, 0.8), abs=1e-8)


def test_the_closed_rays_are_those_of_the_double_description() -> None:
    """Upper and lower bounds of every change alone: the cone has Q + 2 extreme rays."""
    from impact.numerics.trend_bounds import _changes, _complement, _pairs_and_ends

    for order, after, seed in product((1, 2), (2, 4), range(3)):
        late = _changes(2, after, order)[0][:, 2:]
        combination = np.random.default_rng(seed).normal(size=after)
        closed = _pairs_and_ends(late, combination)
        found = extreme_rays(np.vstack([late, -late]) @ _complement(combination))
        assert len(found) == after + 2
        closed = closed / closed.max(axis=1, keepdims=True)
        assert np.allclose(np.sort(found.round(8), axis=0), np.sort(closed.round(8), axis=0), atol=1e-7)


def test_the_ends_are_those_of_a_fine_grid() -> None:
    """To one step of the grid, as no accepted point lies outside and the outermost is next to a rejected one."""
    before, after = 4, 3
    beta, sigma, combination = world(5, before, after)
    found = rays(sigma, before, combination, 1.0, "relative-magnitudes")
    errors = np.random.default_rng(1).multivariate_normal(np.zeros(before + after), sigma, 5000)
    critical = least_favourable(found, errors, SIZE / 10)
    ends = confidence_set(found, beta, critical, SIZE)
    assert ends is not None
    theta = np.linspace(ends[0] - 3, ends[1] + 3, 20_001)
    inside = theta[accepted(found, beta, np.repeat(theta[None], len(found.weight), 0), critical, SIZE).any(axis=0)]
    step = theta[1] - theta[0]
    assert inside[0] == pytest.approx(ends[0], abs=1.01 * step)
    assert inside[-1] == pytest.approx(ends[1], abs=1.01 * step)


def test_contradicted_restrictions_give_no_set() -> None:
    """The estimate before the start says the trend falls by 40 errors a period; it was to be positive and straight."""
    found = rays(np.eye(3), 1, np.array([1.0, 0.0]), 0.0, "smoothness", "positive")
    assert confidence_set(found, np.array([40.0, 0.0, 0.0]), np.full(1, 3.0), SIZE) is None


def test_quantiles_far_out_in_both_tails() -> None:
    low = np.array([[-1.0, 5.0, 38.0, -40.0, -np.inf, 0.5]])
    high = np.array([[2.0, 9.0, np.inf, -38.0, np.inf, 0.6]])
    got = truncated_quantile(0.95, low, high)[0]
    for a, b, q in zip(low[0], high[0], got, strict=True):
        assert a <= q <= b
        # the survival functions, in logarithms where they are too small to subtract
        if abs(a) < 10:
            inside = stats.norm.sf(a) - stats.norm.sf(b)
            assert (stats.norm.sf(a) - stats.norm.sf(q)) / inside == pytest.approx(0.95, abs=1e-9)
    # Beyond 38 the tail is exponential with rate 38: a share of 5 % is left after log(20) / 38, to a relative 1 / 38².
    assert got[2] - 38 == pytest.approx(np.log(20) / 38, rel=3e-3)
    assert got[3] + 38 == pytest.approx(-np.log(1 / 0.95) / 38, rel=3e-3)
