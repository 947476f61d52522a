"""Reliability of outcomes before the start, the rule of thumb, the placebo for regression to the mean, the bracket."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impact.design.bracket import Bracket, Lowest, Spurious, spurious_effect
from impact.design.reliability import Reliability, advise, reliability
from impact.errors import Refused
from impact.streams import Streams


def made(n: int, periods: int, lasting: float, passing: float, seed: int = 1) -> np.ndarray:
    rng = Streams(seed).at("made").generator()
    theta = rng.normal(0, np.sqrt(lasting), (n, 1))
    return theta + rng.normal(0, np.sqrt(passing), (n, periods)) + np.arange(periods)


# --- reliability ------------------------------------------------------------------------------------------------------


def test_the_components_are_those_of_the_analysis_of_variance() -> None:
    """By hand, with sums over units and periods of a table of 3 by 2 after the means of the periods are taken out."""
    y = np.array([[1.0, 2.0], [3.0, 6.0], [5.0, 10.0]])
    found = reliability(y)
    assert isinstance(found, Reliability)
    # Period means 3 and 6; left are (-2, -4), (0, 0), (2, 4); unit means -3, 0, 3.
    between = 2 * (9 + 0 + 9) / 2
    within = (1 + 1 + 0 + 0 + 1 + 1) / (2 * 1)
    assert found.passing == pytest.approx(within) and found.lasting == pytest.approx((between - within) / 2)
    assert found.value == pytest.approx(1 - within / between)
    assert (found.periods, found.units) == (2, 3)


def test_reliability_is_the_slope_of_one_mean_on_another() -> None:
    """Means over other periods with the same chance: their covariance over the variance is the reliability."""
    y = made(40_000, 6, 2.0, 3.0)
    found = reliability(y[:, :3])
    assert isinstance(found, Reliability)
    slope = np.cov(y[:, :3].mean(axis=1), y[:, 3:].mean(axis=1))[0, 1] / y[:, :3].mean(axis=1).var(ddof=1)
    assert found.value == pytest.approx(2 / (2 + 3 / 3), abs=0.01)
    assert found.value == pytest.approx(slope, abs=0.015)  # three Monte-Carlo errors of the slope


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    truth, reps, hits = 1.0 / (1.0 + 2.0 / 4), 600, 0
    for seed in range(reps):
        found = reliability(made(30, 4, 1.0, 2.0, seed), level=0.9)
        assert isinstance(found, Reliability)
        hits += found.low <= truth <= found.high
    assert abs(hits / reps - 0.9) <= 3 * np.sqrt(0.9 * 0.1 / reps)


def test_known_errors_alone_serve_for_one_period() -> None:
    rng = Streams(4).at("survey").generator()
    se = rng.uniform(0.5, 1.5, (20_000, 1))
    y = rng.normal(0, 2, (20_000, 1)) + se * rng.normal(size=(20_000, 1))
    found = reliability(y, se=se)
    assert isinstance(found, Reliability)
    assert found.passing == pytest.approx((se**2).mean())
    assert found.lasting == pytest.approx(4, abs=0.2) and found.low < found.value < found.high
    assert isinstance(reliability(y), Refused)


def test_passing_variance_is_never_less_than_the_known_errors() -> None:
    y = made(50, 3, 1.0, 1.0)
    free, bound = reliability(y), reliability(y, se=np.full(y.shape, 3.0))
    less = reliability(y, se=np.full(y.shape, 0.1))
    assert isinstance(free, Reliability) and isinstance(bound, Reliability)
    assert bound.passing == pytest.approx(9) and bound.value < free.value
    assert less == free, "known errors below what is seen change nothing"


def test_what_characteristics_explain_does_not_count() -> None:
    """A characteristic that is all that lasts leaves chance only; the same one twice changes nothing."""
    rng = Streams(9).at("x").generator()
    x = rng.normal(size=(4000, 1))
    y = 3 * x + rng.normal(size=(4000, 4))
    whole, rest = reliability(y), reliability(y, given=x)
    twice = reliability(y, given=np.column_stack([x, 5 - 2 * x, np.full(4000, 0.1)]))
    assert isinstance(whole, Reliability) and isinstance(rest, Reliability) and isinstance(twice, Reliability)
    assert whole.value == pytest.approx(9 / (9 + 1 / 4), abs=0.01)
    assert rest.value < 0.08 and rest.low == 0
    assert twice.value == pytest.approx(rest.value, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(-1e3, 1e3), st.floats(0.01, 100))
def test_unit_and_level_of_the_outcome_do_not_matter(seed: int, shift: float, scale: float) -> None:
    y = made(12, 3, 1.0, 1.0, seed)
    one, other = reliability(y), reliability(shift + scale * y)
    assert isinstance(one, Reliability) and isinstance(other, Reliability)
    assert other.value == pytest.approx(one.value, abs=1e-8) and other.low == pytest.approx(one.low, abs=1e-8)
    assert 0 <= one.low <= one.value <= one.high <= 1


def test_extremes_and_refusals() -> None:
    lasting = np.arange(5.0)[:, None] + np.zeros((5, 3))
    found = reliability(lasting)
    assert isinstance(found, Reliability) and found.value == 1 and found.low == 1
    crossed = reliability(np.array([[1.0, -1.0], [-1.0, 1.0], [0.5, 0.0]]))
    assert isinstance(crossed, Reliability) and crossed.value == 0 and "no more than chance" in crossed.notes[-1]
    missing = lasting.copy()
    missing[0, 0] = np.nan
    for wrong in (missing, np.ones((5, 3)), np.ones((2, 3)), lasting[:, :1]):
        assert isinstance(reliability(wrong), Refused)
    assert isinstance(reliability(lasting, given=np.eye(5)[:, :4]), Refused)
    assert isinstance(reliability(lasting, se=np.full((5, 3), np.nan)), Refused)
    with pytest.raises(ValueError, match="level"):
        reliability(lasting, level=1.0)
    with pytest.raises(ValueError, match="negative"):
        reliability(lasting, se=-np.ones((5, 3)))


# --- the rule of thumb ------------------------------------------------------------------------------------------------


def test_the_rule_takes_what_leaves_less_bias() -> None:
    parallel = advise(0.99, drift=0.0)
    assert (parallel.on, parallel.unmatched, parallel.matched) == ("structure", 0.0, pytest.approx(0.01))
    assert advise(0.7, drift=0.5).on == "structure-and-outcomes"
    assert advise(0.7, drift=-0.5).on == "structure-and-outcomes"
    assert advise(0.7, drift=0.2).on == "structure"
    assert advise(0.7, drift=0.2, structure=False).on == "nothing"
    assert advise(0.7, drift=0.5, structure=False).on == "outcomes"
    assert advise(1.0, drift=0.0).on == "structure", "with nothing to gain the simpler comparison stays"
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="reliability"):
            advise(wrong, drift=0.0)
    with pytest.raises(ValueError, match="drift"):
        advise(0.5, drift=float("inf"))


# --- the placebo for regression to the mean ---------------------------------------------------------------------------


def everybody(y: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    return np.ones(len(y))


def test_the_placebo_by_hand() -> None:
    y = np.array([[0.0, 1.0, 4.0], [5.0, 5.0, 6.0], [7.0, 6.0, 8.0]])
    found = spurious_effect(y, dates=[1, 2], base=1, after=1, select=Lowest(1), weigh=everybody)
    assert isinstance(found, Spurious)
    # The first unit is lowest at both dates; the others change by 0 and -1, then by 1 and 2.
    np.testing.assert_allclose(found.effects, [1 - (-0.5), 3 - 1.5])
    assert found.dates == (1, 2) and found.chosen == (1, 1) and found.mean == pytest.approx(1.5)


def test_only_the_past_is_seen() -> None:
    seen = []

    def look(y: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        seen.append(y.shape)
        return np.where(chosen, np.nan, 1.0)  # weights of the chosen do not count

    y = made(20, 6, 1.0, 1.0)
    assert isinstance(spurious_effect(y, dates=[3], base=2, after=2, select=Lowest(4, 2), weigh=look), Spurious)
    assert seen == [(20, 3)]


def test_a_date_without_a_comparison_is_told() -> None:
    def sometimes(y: np.ndarray, chosen: np.ndarray) -> np.ndarray | Refused:
        return np.ones(len(y)) if y.shape[1] > 1 else Refused("the matching", "nobody is near", "Widen it.")

    y = made(20, 4, 1.0, 1.0)
    found = spurious_effect(y, dates=[1, 2], base=1, after=1, select=Lowest(4), weigh=sometimes)
    assert isinstance(found, Spurious)
    assert found.dates == (2,) and [date for date, _ in found.refused] == [1]
    none = spurious_effect(y, dates=[1], base=1, after=1, select=Lowest(4), weigh=sometimes)
    assert isinstance(none, Refused) and "nobody is near" in none.because
    assert isinstance(spurious_effect(y, dates=[2], base=1, after=1, select=Lowest(20), weigh=everybody), Refused)
    y[0, 0] = np.nan
    assert isinstance(spurious_effect(y, dates=[2], base=1, after=1, select=Lowest(4), weigh=everybody), Refused)


def test_dates_and_weights_that_cannot_be() -> None:
    y = made(20, 4, 1.0, 1.0)
    for dates, base, after in (([0], 1, 1), ([1], 2, 1), ([3], 1, 2), ([], 1, 1), ([2], 0, 1)):
        with pytest.raises(ValueError, match="date"):
            spurious_effect(y, dates=dates, base=base, after=after, select=Lowest(4), weigh=everybody)
    with pytest.raises(ValueError, match="weights"):
        spurious_effect(y, dates=[2], base=1, after=1, select=Lowest(4), weigh=lambda y, chosen: -np.ones(len(y)))
    with pytest.raises(ValueError, match="count"):
        Lowest(0)


# --- the bracket ------------------------------------------------------------------------------------------------------


def test_signs_differ_only_on_both_sides_of_nought() -> None:
    assert Bracket({"unmatched": 0.3, "structure": 0.1, "selection": -0.2}).signs_differ
    assert not Bracket({"unmatched": 0.3, "selection": 0.0}).signs_differ
    assert not Bracket({"unmatched": -0.3, "structure": -0.1}).signs_differ
    bracket = Bracket({"unmatched": 0.3, "structure": -0.1})
    assert (bracket.low, bracket.high) == (-0.1, 0.3)
    for wrong in ({}, {"unmatched": float("nan")}):
        with pytest.raises(ValueError, match="bracket"):
            Bracket(wrong)
