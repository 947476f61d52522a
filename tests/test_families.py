"""Families of answers: step-down against brute force, declared p-values kept, and one set of draws for all members."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from impact.inference.domain_index import domain_index
from impact.inference.families import (
    Correction,
    adjust,
    confirmations,
    correlated,
    flipped,
    joined,
    min_p,
    normal_draws,
    simultaneous,
    step_down,
)
from impact.inference.multiplier import critical


def brute(observed: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Step-down as it is written down: in words, one hypothesis after another, every maximum taken anew."""
    out: dict[int, float] = {}
    left = list(range(len(observed)))
    before = 0.0
    while left:
        best = max(left, key=lambda member: observed[member])
        count = 1 + sum(max(draw[member] for member in left) >= observed[best] for draw in drawn)
        before = max(before, count / (1 + len(drawn)))
        out[best] = before
        left.remove(best)
    return np.array([out[member] for member in range(len(observed))])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 60))
def test_step_down_is_brute_force(seed: int, members: int, draws: int) -> None:
    rng = np.random.default_rng(seed)
    observed, drawn = np.abs(rng.standard_normal(members)) * 2, np.abs(rng.standard_normal((draws, members)))
    assert step_down(observed, drawn).tolist() == brute(observed, drawn).tolist()


def test_smallest_p_by_hand() -> None:
    """Statistics on scales so different that the largest is always the first one's; by their ranks they are alike."""
    drawn = np.array([[100.0, 1.0], [200.0, 2.0], [300.0, 3.0], [400.0, 4.0]])
    observed = np.array([250.0, 4.5])
    # Among five rows the first has the p-value 3/5 and the second 1/5; the draws have (5, 5), (4, 4), (2, 3), (1, 2)/5.
    # The second: rows with a smallest p of at most 1/5 are itself and the last draw; the first: p of at most 3/5.
    assert min_p(observed, drawn).tolist() == [0.6, 0.4]
    assert step_down(observed, drawn).tolist() == [0.6, 0.6]


def scores(seed: int, clusters: int, members: int, shared: float = 0.7) -> np.ndarray:
    rng = np.random.default_rng(seed)
    common = rng.standard_normal((clusters, 1))
    return np.sqrt(shared) * common + np.sqrt(1 - shared) * rng.standard_normal((clusters, members))


@pytest.mark.parametrize("seed", range(3))
def test_all_sign_flips_are_those_of_a_loop(seed: int) -> None:
    imposed = scores(seed, 8, 4) + 0.4
    imposed[5] = 0.0  # a cluster without a part in it is not flipped
    drawn, enumerated = flipped(imposed, 500, np.random.default_rng(0))
    active = np.delete(imposed, 5, axis=0)
    size = np.sqrt((imposed**2).sum(axis=0))
    expected = [np.abs(np.array(signs) @ active) / size for signs in product((-1, 1), repeat=7)]
    assert enumerated and len(drawn) == 128
    assert np.sort(drawn, axis=0) == pytest.approx(np.sort(np.array(expected), axis=0))
    observed = np.abs(imposed.sum(axis=0)) / size
    found = step_down(observed, drawn, enumerated=True)
    # brute() counts the real one beside the draws; among all flips it is there already.
    everything = np.array(expected)
    real = next(row for row in range(128) if np.allclose(everything[row], observed))
    assert found == pytest.approx(brute(observed * (1 - 1e-12), np.delete(everything, real, axis=0)))
    assert min_p(observed, drawn, enumerated=True).min() >= 2 / 128  # a flip and its mirror


def test_drawn_flips_leave_the_counts_of_all() -> None:
    imposed = scores(1, 9, 3) + 0.3
    observed = np.abs(imposed.sum(axis=0)) / np.sqrt((imposed**2).sum(axis=0))
    every = step_down(observed, flipped(imposed, 600, np.random.default_rng(0))[0], enumerated=True)
    drawn, enumerated = flipped(np.vstack([imposed]), 511, np.random.default_rng(4))
    assert not enumerated and len(drawn) == 511
    assert step_down(observed, drawn) == pytest.approx(every, abs=0.08)


def test_results_are_joined_by_the_names_of_their_clusters() -> None:
    one, two = np.array([[1.0], [2.0], [3.0]]), np.array([[10.0, 11], [20, 21]])
    found = joined([one, two], [("A", "B", "C"), ("C", "D")])
    assert found.tolist() == [[1, 0, 0], [2, 0, 0], [3, 10, 11], [0, 20, 21]]
    with pytest.raises(ValueError, match="one name"):
        joined([one], [("A", "A", "B")])


def test_draws_have_the_correlations_of_the_scores_and_so_those_of_weights_by_cluster() -> None:
    part = scores(5, 40, 3)
    r = correlated(part)
    drawn = normal_draws(r, 60_000, np.random.default_rng(1))
    assert np.corrcoef(drawn.T) == pytest.approx(r, abs=0.015)
    weights = np.random.default_rng(2).standard_normal((60_000, 40))
    by_hand = weights @ part / np.sqrt((part**2).sum(axis=0))
    for quantile in (0.5, 0.9, 0.99):
        own, other = (np.quantile(np.abs(x).max(axis=1), quantile) for x in (drawn, by_hand))
        assert own == pytest.approx(other, abs=0.03)
    with pytest.raises(ValueError, match="not all 0"):
        correlated(np.zeros((4, 1)))


# --- declared p-values ------------------------------------------------------------------------------------------------


def test_a_member_by_itself_keeps_its_p_value() -> None:
    assert adjust(np.array([0.031]), "romano-wolf", drawn=np.zeros((9, 1))).p_value.tolist() == [0.031]


def test_of_members_that_are_the_same_nothing_is_taken() -> None:
    """Fifteen copies of one indicator are one finding: the adjusted p-value is the declared one."""
    part = np.repeat(scores(3, 30, 1), 15, axis=1)
    drawn = normal_draws(correlated(part), 40_000, np.random.default_rng(1))
    p = stats.t.sf(2.5, 18) * 2
    found = adjust(np.full(15, p), "romano-wolf", drawn=drawn)
    assert found.p_value == pytest.approx(np.full(15, p), abs=4 * found.mc_error.max())
    assert adjust(np.full(15, p), "holm").p_value == pytest.approx(np.full(15, 15 * p))


def test_of_independent_members_it_is_the_product() -> None:
    """Šidák's step-down: ``1 - (1 - p)^(number left)``."""
    p = np.array([0.04, 0.004, 0.4, 0.02])
    drawn = normal_draws(np.eye(4), 200_000, np.random.default_rng(1))
    expected = np.maximum.accumulate(1 - (1 - np.sort(p)) ** np.array([4, 3, 2, 1]))
    found = adjust(p, "romano-wolf", drawn=drawn)
    assert np.sort(found.p_value) == pytest.approx(expected, abs=0.004)
    assert found.rejected.tolist() == [bool(x <= 0.05) for x in found.p_value]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=8),
    st.sampled_from(["romano-wolf", "holm", "benjamini-hochberg", "benjamini-yekutieli"]),
)
def test_no_correction_lowers_a_p_value_or_changes_the_order(p: list[float], method: Correction) -> None:
    values = np.array(p)
    drawn = normal_draws(np.eye(len(p)), 199, np.random.default_rng(0)) if method == "romano-wolf" else None
    found = adjust(values, method, drawn=drawn)
    assert (found.p_value >= values).all() and (found.p_value <= 1).all()
    order = np.argsort(values, kind="stable")
    assert (np.diff(found.p_value[order]) >= -1e-12).all()
    assert found.rejected.tolist() == (found.p_value <= 0.05).tolist()


def test_the_steps_without_draws_by_hand() -> None:
    p = np.array([0.01, 0.04, 0.03, 0.005])
    assert adjust(p, "holm").p_value == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert adjust(p, "benjamini-hochberg").p_value == pytest.approx([0.02, 0.04, 0.04, 0.02])
    harmonic = 1 + 1 / 2 + 1 / 3 + 1 / 4
    assert adjust(p, "benjamini-yekutieli").p_value == pytest.approx(np.array([0.02, 0.04, 0.04, 0.02]) * harmonic)


@pytest.mark.parametrize(
    ("p", "method", "what"),
    [
        ([0.5], "bonferroni", "method"),
        ([], "holm", "one or more"),
        ([np.nan], "holm", "from 0 to 1"),
        ([0.5], "romano-wolf", "joint draws"),
    ],
)
def test_what_cannot_be_adjusted(p: list[float], method: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        adjust(np.array(p), method)  # type: ignore[arg-type]


# --- intervals --------------------------------------------------------------------------------------------------------


def test_intervals_of_one_are_its_own_and_of_independent_ones_those_of_the_product() -> None:
    one = simultaneous(np.array([2.0]), np.array([0.5]), np.array([18.0]))
    assert one.high - 2.0 == pytest.approx([0.5 * stats.t.ppf(0.975, 18)])
    drawn = normal_draws(np.eye(6), 200_000, np.random.default_rng(3))
    many = simultaneous(np.zeros(6), np.ones(6), np.array([3.0, 8, 18, 18, 18, np.inf]), drawn=drawn)
    assert many.single == pytest.approx(0.95 ** (1 / 6), abs=4 * many.mc_error)
    assert many.high == pytest.approx(stats.t.ppf(0.5 + many.single / 2, [3, 8, 18, 18, 18, np.inf]))
    assert 0 < many.mc_error < 0.001
    bonferroni = simultaneous(np.zeros(6), np.ones(6), np.full(6, 18.0))
    assert bonferroni.high == pytest.approx(np.full(6, stats.t.ppf(1 - 0.025 / 6, 18)))
    assert many.high[2] < bonferroni.high[2]


def test_with_normal_errors_it_is_the_band_of_the_multiplier_bootstrap() -> None:
    r = correlated(scores(7, 60, 5))
    drawn = normal_draws(r, 100_000, np.random.default_rng(1))
    band = critical(r, np.inf, 0.95, 100_000, np.random.default_rng(2))
    found = simultaneous(np.zeros(5), np.ones(5), np.full(5, np.inf), drawn=drawn)
    assert found.high == pytest.approx(np.full(5, band.value), abs=4 * np.hypot(band.mc_error, band.mc_error))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_an_interval_without_0_goes_with_a_rejection(seed: int, members: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = normal_draws(correlated(scores(seed, 30, members)), 999, rng)
    estimate, df = 2 * rng.standard_normal(members), rng.integers(3, 20, members).astype(float)
    p = 2 * stats.t.sf(np.abs(estimate), df)
    found, wide = adjust(p, "romano-wolf", drawn=drawn), simultaneous(estimate, np.ones(members), df, drawn=drawn)
    assert found.rejected[(wide.low > 0) | (wide.high < 0)].all()


def test_parts_of_one_sum_are_one_finding() -> None:
    whole = ("leefbaarheid", "leefbaarheid", "leefbaarheid", "uitkering")
    assert confirmations(np.array([True, True, True, False]), whole) == 1
    assert confirmations(np.array([False, True, False, True]), whole) == 2
    assert confirmations(np.zeros(4, dtype=bool), whole) == 0


# --- indices of a domain ----------------------------------------------------------------------------------------------


def test_index_of_two_that_say_the_same_and_one_of_its_own() -> None:
    """By inverse covariance a copy with a little noise shares the weight of the first; equal weights count it again."""
    rng = np.random.default_rng(1)
    first, own = rng.standard_normal((2, 40, 60))
    copy = first + 0.05 * rng.standard_normal((40, 60))
    found = domain_index([5 + 2 * first, 1 + copy, 7 * own], np.ones((40, 60), dtype=bool))
    assert found.weights[0] + found.weights[1] == pytest.approx(0.5, abs=0.03)
    assert found.weights[2] == pytest.approx(0.5, abs=0.03)
    equal = domain_index([5 + 2 * first, 1 + copy, 7 * own], np.ones((40, 60), dtype=bool), weighing="equal")
    assert equal.weights == pytest.approx(np.full(3, 1 / 3))
    parts = domain_index(
        [5 + 2 * first, 1 + copy, 7 * own], np.ones((40, 60), dtype=bool), weighing="equal", whole=("a", "a", "b")
    )
    assert parts.weights == pytest.approx([0.25, 0.25, 0.5])


def test_index_by_hand() -> None:
    y = np.array([[1.0, 2, 3, 4, 5, 6]]), np.array([[2.0, 1, 4, 3, 6, 5]])
    found = domain_index(y, np.ones((1, 6), dtype=bool), opposite=(False, True))
    z = [(part - part.mean()) / part.std(ddof=1) for part in y]
    r = -np.corrcoef(y[0][0], y[1][0])[0, 1]
    inverse = np.linalg.inv([[1, r], [r, 1]])
    weights = inverse.sum(axis=1) / inverse.sum()
    assert found.weights == pytest.approx(weights)
    assert found.value == pytest.approx(weights[0] * z[0] - weights[1] * z[1])


def test_an_index_stands_where_all_indicators_do() -> None:
    rng = np.random.default_rng(2)
    one, two = rng.standard_normal((2, 8, 5))
    two[3, 2] = np.nan
    found = domain_index([one, two], np.arange(40).reshape(8, 5) < 30)
    assert np.isnan(found.value[3, 2]) and np.isfinite(np.delete(found.value.ravel(), 17)).all()
    assert (found.missing, found.reference) == (1, 29)


def test_a_sum_with_its_parts_is_no_domain() -> None:
    one, two = np.random.default_rng(3).standard_normal((2, 8, 5))
    with pytest.raises(ValueError, match="as a sum does from its parts"):
        domain_index([one, two, one * 3], np.ones((8, 5), dtype=bool))
    with pytest.raises(ValueError, match="does not vary"):
        domain_index([one, np.ones((8, 5))], np.ones((8, 5), dtype=bool))
    with pytest.raises(ValueError, match="too few"):
        domain_index([one, two], np.arange(40).reshape(8, 5) < 3)
    with pytest.raises(ValueError, match="one shape"):
        domain_index([one, two[:3]], np.ones((8, 5), dtype=bool))
