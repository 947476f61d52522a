"""Shrinkage over areas: published numbers, a linear program, error contrasts, and what must hold for any numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg, optimize, stats

from impact.errors import Refused
from impact.heterogeneity.robust import cva, noncoverage
from impact.heterogeneity.shrinkage import Between, Shrunken, between, shrink

# --- the critical value -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("root_m2", "kappa", "alpha", "published"),
    [
        (5, 3, 0.05, 11.88358367),
        (1, 3, 0.2, 1.8494683),
        (10, 3, 0.05, 24.86172217),
        (2.8, 8, 0.1, 7.0779747158),
    ],
)
def test_critical_values_of_the_authors(root_m2: float, kappa: float, alpha: float, published: float) -> None:
    """As the tests of the R package ebci 1.0.0 (tests/testthat/test-cv.R) have them, to their digits."""
    assert cva(root_m2**2, kappa, alpha) == pytest.approx(published, rel=1e-8)


def test_noncoverage_of_the_authors() -> None:
    assert noncoverage(1, 3, 11.9699639845401) == pytest.approx(6.0216e-05, rel=1e-5)
    assert noncoverage(2.8**2, 8, 7.1324290147839279896) == pytest.approx(0.09805099, rel=1e-7)


def test_without_bias_the_normal_value_and_with_one_bias_that_of_a_shifted_normal() -> None:
    assert cva(0.0, 4.0, 0.2) == pytest.approx(stats.norm.ppf(0.9), abs=1e-12)
    assert cva(4.0, 1.0) == pytest.approx(np.sqrt(stats.ncx2.ppf(0.95, 1, 4.0)), rel=1e-7)


def by_program(m2: float, kappa: float, chi: float) -> float:
    """The worst distribution over a grid of squared biases, as a linear program."""
    t = np.unique(np.concatenate([[m2], np.linspace(0, max(6 * m2 * min(kappa, 50), (chi + 8) ** 2), 6000)]))
    miss = stats.norm.sf(chi - np.sqrt(t)) + stats.norm.cdf(-chi - np.sqrt(t))
    equal, bound = [np.ones_like(t), t], [1, m2]
    limit = {} if np.isinf(kappa) else {"A_ub": [t**2], "b_ub": [kappa * m2**2]}
    return -float(optimize.linprog(-miss, A_eq=equal, b_eq=bound, method="highs", **limit).fun)


@pytest.mark.parametrize("kappa", [1.05, 2.0, 5.0, 40.0, np.inf])
@pytest.mark.parametrize(("m2", "chi"), [(0.05, 1.0), (0.3, 2.2), (1.0, 3.0), (4.0, 3.5), (4.0, 7.0), (20.0, 6.0)])
def test_noncoverage_is_that_of_a_linear_program(m2: float, kappa: float, chi: float) -> None:
    # The program is on a grid, so it may find a little less.
    assert -1e-7 < noncoverage(m2, kappa, chi) - by_program(m2, kappa, chi) < 3e-5


@settings(max_examples=40, deadline=None)
@given(st.floats(0.01, 30), st.floats(1, 20), st.floats(0.02, 0.3))
def test_it_rises_with_the_bias_and_with_what_is_not_known_of_it(m2: float, kappa: float, alpha: float) -> None:
    own = cva(m2, kappa, alpha)
    assert own <= cva(1.1 * m2, kappa, alpha) + 1e-8
    assert own <= cva(m2, 1.2 * kappa, alpha) + 1e-8
    assert own <= cva(m2, np.inf, alpha) + 1e-8
    assert noncoverage(m2, kappa, own) == pytest.approx(alpha, abs=1e-8)


@pytest.mark.parametrize(("m2", "kappa", "alpha"), [(-1, 3, 0.05), (1, 0.9, 0.05), (1, 3, 0), (np.nan, 3, 0.05)])
def test_moments_that_there_are_not(m2: float, kappa: float, alpha: float) -> None:
    with pytest.raises(ValueError, match="0 or more"):
        cva(m2, kappa, alpha)


# --- the variance between areas ---------------------------------------------------------------------------------------

# Thirteen trials of the BCG vaccine (Colditz et al. 1994): log relative risk, its variance, absolute latitude. The
# figures below are those of the R package metafor (rma, method REML), as its documentation prints them.
BCG = np.array(
    [
        (-0.8893, 0.3256, 44),
        (-1.5854, 0.1946, 55),
        (-1.3481, 0.4154, 42),
        (-1.4416, 0.0200, 52),
        (-0.2175, 0.0512, 13),
        (-0.7861, 0.0069, 44),
        (-1.6209, 0.2230, 19),
        (0.0120, 0.0040, 13),
        (-0.4694, 0.0564, 27),
        (-1.3713, 0.0730, 42),
        (-0.3394, 0.0124, 18),
        (0.4459, 0.5325, 33),
        (-0.0173, 0.0714, 33),
    ]
)
SCHOOLS = (np.array([28.0, 8, -3, 7, -1, 1, 18, 12]), np.array([15.0, 10, 16, 11, 9, 11, 10, 18]))


def test_published_variances_between_trials() -> None:
    """Data are rounded to four digits, so the published figures hold to about three."""
    y, error, x = BCG[:, 0], np.sqrt(BCG[:, 1]), BCG[:, 2:]
    plain, moderated = shrink(y, error), shrink(y, error, x)
    assert isinstance(plain, Shrunken) and isinstance(moderated, Shrunken)
    assert plain.variance == pytest.approx(0.3132, abs=2e-4)
    assert plain.coefficients == pytest.approx([-0.7145], abs=2e-4)
    assert moderated.variance == pytest.approx(0.0764, abs=2e-4)
    assert moderated.coefficients == pytest.approx([0.2515, -0.0291], abs=2e-4)


def test_schools_that_vary_no_more_than_their_errors() -> None:
    """Rubin (1981): the likelihood has its top at 0, so the floor stands in, and says so."""
    found = shrink(*SCHOOLS)
    assert isinstance(found, Shrunken)
    variance = SCHOOLS[1] ** 2
    assert found.fitted == 0 and found.floored
    assert found.variance == pytest.approx(2 * (variance**2).sum() / variance.sum() / 8)
    assert (np.abs(found.value - found.centre) < np.abs(found.estimate - found.centre)).all()


def by_contrasts(y: np.ndarray, error: np.ndarray, x: np.ndarray) -> float:
    """Maximum likelihood of the n - q combinations of the data that do not depend on the mean."""
    k = linalg.null_space(x.T)
    z = k.T @ y

    def loss(a: float) -> float:
        cov = k.T @ np.diag(a + error**2) @ k
        return float(np.linalg.slogdet(cov)[1] + z @ np.linalg.solve(cov, z))

    grid = np.linspace(0, 4 * float(y.var()), 4001)
    best = grid[int(np.argmin([loss(a) for a in grid]))]
    step = grid[1]
    found = optimize.minimize_scalar(
        loss, bounds=(max(best - step, 0), best + step), method="bounded", options={"xatol": 1e-11}
    )
    return 0.0 if loss(0) <= found.fun else float(found.x)


@pytest.mark.parametrize("seed", range(8))
def test_reml_is_the_likelihood_of_error_contrasts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    error = rng.uniform(0.3, 1.5, 14)
    x = np.column_stack([np.ones(14), rng.standard_normal(14)])
    y = x @ [1.0, 0.5] + rng.standard_normal(14) * np.sqrt(0.15 * seed + error**2)
    assert between(y, error, x) == pytest.approx(by_contrasts(y, error, x), abs=2e-6)


@pytest.mark.parametrize("method", ["reml", "morris"])
def test_equal_errors_have_a_closed_form(method: Between) -> None:
    y = np.array([1.0, 4.0, 2.5, -1.0, 7.0, 3.0])
    expected = y.var(ddof=1) - 0.49
    assert between(y, np.full(6, 0.7), np.ones((6, 1)), method) == pytest.approx(expected, rel=1e-6)
    assert between(y / 20, np.full(6, 0.7), np.ones((6, 1)), method) == 0


def test_the_parts_by_hand() -> None:
    """Two errors, so that the weights differ; every number from its formula."""
    y, error = np.array([0.0, 2.0, 4.0, 6.0, 8.0, 10.0]), np.array([1.0, 1.0, 1.0, 2.0, 2.0, 2.0])
    found = shrink(y, error, level=0.9)
    assert isinstance(found, Shrunken)
    a, v = found.variance, error**2
    precision = 1 / (a + v)
    centre = (precision * y).sum() / precision.sum()
    assert found.centre == pytest.approx(np.full(6, centre))
    assert found.weight == pytest.approx(a / (a + v))
    assert found.value == pytest.approx(centre + a / (a + v) * (y - centre))
    away = y - centre
    fourth = np.mean(away**4 - 6 * v * away**2 + 3 * v**2)
    assert found.kurtosis == pytest.approx(max(fourth / a**2, 1 + 32 * (v**4).mean() / (6 * (v**2).mean()) / a**2))
    half = [cva(one / a, found.kurtosis, 0.1) * a / (a + one) * np.sqrt(one) for one in v]
    assert found.high - found.value == pytest.approx(half) and found.value - found.low == pytest.approx(half)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.floats(-50, 50), st.floats(0.1, 20))
def test_moving_and_stretching_moves_and_stretches(seed: int, shift: float, scale: float) -> None:
    rng = np.random.default_rng(seed)
    error = rng.uniform(0.5, 2, 8)
    y = rng.standard_normal(8) * np.sqrt(2 + error**2)
    one, other = shrink(y, error), shrink(shift + scale * y, scale * error)
    assert isinstance(one, Shrunken) and isinstance(other, Shrunken)
    # The variance is found by a search that ends at about the root of the precision of numbers.
    assert other.value == pytest.approx(shift + scale * one.value, rel=1e-4, abs=1e-4 * scale)
    assert other.low == pytest.approx(shift + scale * one.low, rel=1e-3, abs=1e-3 * scale)


def test_too_few_areas_are_refused() -> None:
    found = shrink(np.arange(4.0), np.ones(4))
    assert isinstance(found, Refused) and "4 areas and 1 coefficients" in found.because


@pytest.mark.parametrize(
    ("y", "error", "x", "what"),
    [
        ([1.0] * 6, [1.0] * 5 + [0.0], None, "above 0"),
        ([1.0] * 5 + [np.nan], [1.0] * 6, None, "finite"),
        ([1.0] * 6, [1.0] * 5, None, "one number an area"),
        ([1.0] * 6, [1.0] * 6, [[2.0]] * 6, "independent"),
    ],
)
def test_what_cannot_be_shrunk(y: list[float], error: list[float], x: list[list[float]] | None, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        shrink(np.array(y), np.array(error), None if x is None else np.array(x))
