"""Negative controls: against closed forms, a general optimiser, and the truth in draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from impact.errors import Refused
from impact.inference.negative_controls import SystematicError, calibrated, movement, systematic_error


def fitted(estimate: np.ndarray, error: np.ndarray) -> SystematicError:
    found = systematic_error(estimate, error)
    assert isinstance(found, SystematicError)
    return found


def test_equal_errors_have_a_closed_form() -> None:
    """With one error for all, the total variance is the mean square around the mean, as far as it is above chance."""
    y = np.array([1.0, 4.0, -2.0, 0.5, 3.5, 2.0])
    found = fitted(y, np.full(6, 0.7))
    assert found.mean == pytest.approx(y.mean(), abs=1e-9)
    assert found.sd**2 == pytest.approx(y.var() - 0.49, rel=1e-6)
    assert found.mean_error**2 == pytest.approx(y.var() / 6, rel=1e-6)


def test_what_chance_explains_is_no_systematic_spread() -> None:
    y, error = np.array([0.1, -0.2, 0.3, 0.0, 0.2]), np.array([1.0, 2.0, 1.0, 2.0, 0.5])
    found = fitted(y, error)
    assert found.sd == 0
    assert found.mean == pytest.approx(np.average(y, weights=error**-2))
    assert found.mean_error == pytest.approx((error**-2).sum() ** -0.5)


@pytest.mark.parametrize("seed", range(12))
def test_the_likelihood_has_no_higher_point(seed: int) -> None:
    rng = np.random.default_rng(seed)
    error = rng.uniform(0.1, 3.0, 5 + seed)
    y = 2 + rng.uniform(0, 3) * rng.standard_normal(len(error)) + error * rng.standard_normal(len(error))

    def minus(x: np.ndarray) -> float:
        return -float(stats.norm.logpdf(y, x[0], np.sqrt(x[1] ** 2 + error**2)).sum())

    best = min(
        (
            optimize.minimize(minus, [start, spread], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-13})
            for start in (y.mean(), np.median(y))
            for spread in (0.01, 1.0, 10.0)
        ),
        key=lambda found: found.fun,
    )
    found = fitted(y, error)
    assert minus(np.array([found.mean, found.sd])) <= best.fun + 1e-9
    assert found.mean == pytest.approx(best.x[0], abs=1e-4)
    assert found.sd == pytest.approx(abs(best.x[1]), abs=1e-3)


def test_the_unit_of_measurement_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    y, error = rng.standard_normal(9) * 4 + 1, rng.uniform(0.5, 1, 9)
    one, other = fitted(y, error), fitted(-1000 * y, 1000 * error)
    assert (other.mean, other.sd) == pytest.approx((-1000 * one.mean, 1000 * one.sd), rel=1e-6)


def test_a_calibrated_interval_by_hand() -> None:
    error = SystematicError(0.5, 2.0, 0.3, 9)
    found = calibrated(4.0, 4.0 - 1.959964, 4.0 + 1.959964, error)
    total = np.sqrt(1 + 4 * 9 / 8 + 0.09)
    assert found.value == 3.5
    assert found.std_error == pytest.approx(total, rel=1e-6)
    assert found.low == pytest.approx(3.5 - 2.306004 * total, rel=1e-6)  # t(8)
    assert found.p_value == pytest.approx(2 * stats.t.sf(3.5 / total, 8), rel=1e-6)


@pytest.mark.parametrize("value", [0.2, 1.0, 1.9, 2.4, 6.0])
def test_interval_and_p_value_agree_and_nothing_gets_shorter(value: float) -> None:
    for error in (SystematicError(0.0, 0.0, 0.0, 5), SystematicError(-1.0, 0.4, 0.2, 12)):
        for level in (0.9, 0.95):
            found = calibrated(value, value - 1.5, value + 1.5, error, level=level)
            assert (found.low <= 0 <= found.high) == (found.p_value > 1 - level)
            assert found.high - found.low >= 3.0


def test_intervals_hold_the_truth_in_draws() -> None:
    """Also with the fewest controls, where the interval of the papers holds it in 82 % of draws."""
    rng = np.random.default_rng(11)
    for controls in (5, 12):
        hit = 0
        for _ in range(1500):
            error = rng.uniform(0.5, 1.5, controls)
            y = 0.7 + 3 * rng.standard_normal(controls) + error * rng.standard_normal(controls)
            estimate = 1.3 + 0.7 + 3 * rng.standard_normal() + rng.standard_normal()
            found = calibrated(estimate, estimate - 1.959964, estimate + 1.959964, fitted(y, error))
            hit += found.low <= 1.3 <= found.high
        assert hit / 1500 > 0.92  # 94 % in 4,000 draws, less three Monte-Carlo errors


def test_few_controls_are_refused_and_others_cannot_be() -> None:
    found = systematic_error(np.ones(4), np.ones(4))
    assert isinstance(found, Refused) and "4 negative controls" in found.because and "at least 5" in found.instead
    for y, error in (([1.0] * 5, [1.0] * 4), ([1.0] * 5, [1.0, 1, 1, 1, 0]), ([np.nan, 1, 1, 1, 1], [1.0] * 5)):
        with pytest.raises(ValueError, match="one finite estimate"):
            systematic_error(np.array(y), np.array(error))
    with pytest.raises(ValueError, match="finite interval"):
        calibrated(1.0, -np.inf, 2.0, SystematicError(0, 1, 1, 5))


def test_movement_is_what_level_and_period_do_not_explain() -> None:
    rng = np.random.default_rng(5)
    level, period = 100 * rng.standard_normal((4000, 1)), 50 * rng.standard_normal((1, 5))
    assert movement(level + period + 2 * rng.standard_normal((4000, 5))) == pytest.approx(2.0, rel=0.03)
    assert movement(level + period) is None
    # Two units, two periods: half the difference in change has one degree of freedom.
    assert movement(np.array([[0.0, 3.0], [1.0, 0.0]])) == pytest.approx(2.0)
    assert movement(np.array([[0.0, 3.0], [1.0, 0.0], [np.nan, 8.0]])) == pytest.approx(2.0)
    assert movement(np.array([[1.0], [2.0]])) is None
