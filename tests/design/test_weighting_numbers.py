"""Weights against solvers that know nothing of ours: exponential cones, sequential quadratic programs, enumeration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import clarabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import Bounds, minimize

from impact.design.strata import Estimand
from impact.design.weighting_entropy import tilted
from impact.design.weighting_reach import closest
from impact.design.weighting_scores import balancing, best_cut, within
from impact.design.weighting_stable import least_variance

# What an interior-point method leaves in weights of size 1 / n.
INTERIOR = 1e-6


def world(count: int, width: int, seed: int, away: float = 0.3) -> np.ndarray:
    draw = np.random.default_rng(seed)
    z = draw.normal(size=(count, width))
    return np.asarray(z - away * draw.uniform(-1, 1, size=width))


def by_cone(z: np.ndarray, q: np.ndarray, most: float) -> np.ndarray:
    """Least ``Σ w log(w / q)`` as a program with exponential cones: (-t, w, q) in the cone says t >= w log(w / q)."""
    count, width = z.shape
    none, one = np.zeros((count, count)), np.eye(count)
    cone = np.zeros((3 * count, 2 * count))
    cone[0::3, count:], cone[1::3, :count] = one, -one
    right = np.zeros(3 * count)
    right[2::3] = q
    rows = np.vstack(
        [np.hstack([np.vstack([np.ones(count), z.T]), np.zeros((width + 1, count))]), np.hstack([one, none]), cone]
    )
    set_up = clarabel.DefaultSettings()
    set_up.verbose = False
    set_up.tol_gap_abs = set_up.tol_gap_rel = set_up.tol_feas = 1e-12
    found = clarabel.DefaultSolver(
        sparse.csc_array((2 * count, 2 * count)),
        np.r_[np.zeros(count), np.ones(count)],
        sparse.csc_array(rows),
        np.r_[1.0, np.zeros(width), np.full(count, most), right],
        [clarabel.ZeroConeT(width + 1), clarabel.NonnegativeConeT(count), *[clarabel.ExponentialConeT()] * count],
        set_up,
    ).solve()
    assert "Solved" in str(found.status)
    return np.asarray(found.x[:count])


@pytest.mark.parametrize("most", [1.0, 0.12, 0.06])
@pytest.mark.parametrize("seed", range(5))
def test_entropy_is_the_least(most: float, seed: int) -> None:
    z = world(30, 3, seed)
    base = np.random.default_rng(seed).uniform(0.2, 2, size=30)
    found = tilted(z, base, most)
    assert found is not None
    np.testing.assert_allclose(found.share, by_cone(z, base / base.sum(), most), atol=INTERIOR)
    assert found.share.max() <= most * (1 + 1e-12)
    np.testing.assert_allclose(found.share @ z, 0, atol=1e-10)
    if most < 0.1:
        assert (found.share > most * (1 - 1e-9)).any(), "the case is to test a largest share that binds"


def test_a_largest_share_near_the_least_possible() -> None:
    z = world(40, 3, seed=3)
    # The least largest share that balances, by bisection on the linear program.
    low, high = 1 / 40, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if closest(z, np.zeros(3), middle).met else (middle, high)
    found = tilted(z, np.ones(40), high * 1.001)
    assert found is not None
    np.testing.assert_allclose(found.share, by_cone(z, np.full(40, 1 / 40), high * 1.001), atol=INTERIOR)
    assert tilted(z, np.ones(40), low * 0.999) is None


def test_entropy_at_the_edge_of_what_controls_reach() -> None:
    """The target is on the side of the triangle of controls: the third corner gets nothing."""
    z = np.array([[-1.0, 0.0], [3.0, 0.0], [0.0, 1.0]])
    found = tilted(z, np.ones(3))
    assert found is not None
    np.testing.assert_allclose(found.share, [0.75, 0.25, 0.0], atol=1e-9)


def test_moments_that_follow_from_others_among_the_controls_alone() -> None:
    z = world(30, 2, seed=1)
    same = np.column_stack([z, z[:, 0] - z[:, 1], np.zeros(30)])
    ours, other = tilted(same, np.ones(30)), tilted(z, np.ones(30))
    assert ours is not None
    assert other is not None
    np.testing.assert_allclose(ours.share, other.share, rtol=1e-8)
    assert tilted(np.column_stack([z, np.full(30, 0.1)]), np.ones(30)) is None


def by_sequence(z: np.ndarray, tolerance: np.ndarray) -> np.ndarray:
    """Least variance by sequential quadratic programming."""
    count = len(z)
    conditions: Any = [
        {"type": "eq", "fun": lambda w: w.mean() - 1, "jac": lambda _: np.full(count, 1 / count)},
        {"type": "ineq", "fun": lambda w: tolerance - w @ z / count, "jac": lambda _: -z.T / count},
        {"type": "ineq", "fun": lambda w: tolerance + w @ z / count, "jac": lambda _: z.T / count},
    ]
    found = minimize(  # type: ignore[call-overload]
        lambda w: float(((w - 1) ** 2).mean()),
        np.ones(count),
        jac=lambda w: 2 * (w - 1) / count,
        bounds=Bounds(0, np.inf),
        constraints=conditions,
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    return np.asarray(found.x)


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("allowed", [0.0, 0.02, 0.2, 5.0])
@pytest.mark.parametrize("seed", range(4))
def test_stable_is_the_least(width: int, allowed: float, seed: int) -> None:
    z = world(25, width, seed, away=1.0)
    tolerance = np.full(width, allowed)
    found = least_variance(z, tolerance)
    if not closest(z, tolerance).met:
        assert found is None
        return
    assert found is not None
    # SLSQP solves its own conditions to about the root of its tolerance.
    np.testing.assert_allclose(found.weight, by_sequence(z, tolerance), atol=1e-5)
    assert found.weight.mean() == pytest.approx(1, rel=1e-12)
    assert (np.abs(found.weight @ z / 25) <= allowed + 1e-10).all()
    if allowed == 5.0:
        assert (found.weight == 1).all()
        assert not found.price.any()


@pytest.mark.parametrize("seed", range(4))
def test_prices_are_slopes_of_the_variance(seed: int) -> None:
    z, tolerance, step = world(60, 3, seed, away=1.0), np.array([0.02, 0.05, 0.1]), 1e-5
    found = least_variance(z, tolerance)
    assert found is not None
    for k in range(3):
        ends = [least_variance(z, tolerance + sign * step * np.eye(3)[k]) for sign in (-1, 1)]
        assert ends[0] is not None
        assert ends[1] is not None
        slope = (ends[1].weight.var() - ends[0].weight.var()) / (2 * step)
        # Between two points of a piecewise quadratic: exact but where a piece ends.
        assert -slope == pytest.approx(found.price[k], rel=1e-3, abs=1e-6)


def test_stable_without_zeros_is_a_regression() -> None:
    """Exact balance without a bound: the weights that a regression of any outcome on z implies at 0."""
    z = world(200, 2, seed=0, away=0.2)
    x = np.column_stack([np.ones(200), z])
    expected = 200 * x @ np.linalg.inv(x.T @ x)[:, 0]
    assert (expected > 0).all()
    found = least_variance(z, np.zeros(2))
    assert found is not None
    np.testing.assert_allclose(found.weight, expected, rtol=1e-9)


def test_both_levels_of_a_category_within_the_tolerance() -> None:
    draw = np.random.default_rng(0)
    level = (draw.random(50) < 0.3).astype(float)
    z = np.column_stack([level - 0.6, 0.6 - level, draw.normal(size=50)])
    found = least_variance(z, np.full(3, 0.05))
    assert found is not None
    np.testing.assert_allclose(found.weight, by_sequence(z, np.full(3, 0.05)), atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3), st.floats(0, 3))
def test_weights_exist_exactly_where_the_target_is_in_the_hull(seed: int, width: int, away: float) -> None:
    """Oracle: 0 is outside when some direction has all points on one side, searched among faces by enumeration."""
    draw = np.random.default_rng(seed)
    z = draw.normal(size=(8, width)) + away * draw.normal(size=width)
    reach = closest(z, np.zeros(width))
    found, stable = tilted(z, np.ones(8)), least_variance(z, np.zeros(width))
    assert (found is not None) == reach.met == (stable is not None)
    if not reach.met:
        # The certificate: everything that weights reach is below 0 in one direction.
        assert (z @ reach.direction).max() < 0
        assert reach.edge == pytest.approx((z @ reach.direction).max())
        assert np.abs(reach.short).sum() <= np.abs(z).sum(axis=1).min() + 1e-9


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(3, 30),
    st.integers(1, 4),
    st.sampled_from([2, 4]),
    st.sampled_from([0.0, 0.01, 0.3]),
)
def test_counts_shares_and_targets_at_the_edge(seed: int, count: int, width: int, levels: int, allowed: float) -> None:
    """Whole numbers, many alike, aimed at the mean of one or two units: often a corner or a side of what is there."""
    draw = np.random.default_rng(seed)
    x = draw.integers(0, levels, size=(count, width)).astype(float)
    z = x - x[draw.integers(0, count, size=draw.integers(1, 3))].mean(axis=0)
    if not closest(z, np.zeros(width)).met:  # the units aimed at are there
        raise AssertionError(z)
    found, stable = tilted(z, np.ones(count)), least_variance(z, np.full(width, allowed))
    assert found is not None
    assert stable is not None
    np.testing.assert_allclose(found.share @ z, 0, atol=1e-9)
    assert (np.abs(stable.weight @ z / count) <= allowed + 1e-9).all()
    other = by_sequence(z, np.full(width, allowed))
    met = (np.abs(other @ z / count) <= allowed + 1e-6).all()  # it does not always end well in a corner
    assert not met or stable.weight.var() <= other.var() + 1e-4


def test_how_far_out_of_reach_in_one_dimension() -> None:
    z = np.array([[1.0], [2.0], [4.0]])
    reach = closest(z, np.array([0.25]), most=0.5)
    assert reach.short == pytest.approx([0.5 * 1 + 0.5 * 2 - 0.25])
    assert not reach.met
    assert closest(z - 2, np.zeros(1)).met


# Weights of a score ---------------------------------------------------------------------------------------------------


def test_weights_of_a_score_by_the_formulas() -> None:
    e = np.array([0.1, 0.5, 0.8, 0.1, 0.5, 0.8])
    treated = np.array([1, 1, 1, 0, 0, 0], dtype=bool)
    odds = np.log(e / (1 - e))
    expected: dict[Estimand, np.ndarray] = {
        "ATT": np.where(treated, 1, e / (1 - e)),
        "ATC": np.where(treated, (1 - e) / e, 1),
        "ATE": np.where(treated, 1 / e, 1 / (1 - e)),
        "ATO": np.where(treated, 1 - e, e),
        "ATM": np.minimum(e, 1 - e) / np.where(treated, e, 1 - e),
    }
    for estimand, weights in expected.items():
        np.testing.assert_allclose(balancing(odds, treated, estimand), weights, rtol=1e-12)
    assert np.isfinite(balancing(np.array([-800.0, 800.0]), np.array([False, True]), "ATO")).all()
    assert within(odds, 0.2, "ATT").tolist() == [True, True, True] * 2  # 0.8 is at most 1 - 0.2
    assert within(odds, 0.25, "ATT").tolist() == [True, True, False] * 2
    assert within(odds, 0.25, "ATC").tolist() == [False, True, True] * 2
    assert within(odds, 0.25, "ATE").tolist() == [False, True, False] * 2


PARTS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "ATE": (lambda _: 1.0, lambda e: 1 / (e * (1 - e))),
    "ATT": (lambda e: e, lambda e: 1 / (1 - e)),
    "ATC": (lambda e: 1 - e, lambda e: 1 / e),
}


@pytest.mark.parametrize("estimand", ["ATE", "ATT", "ATC"])
@pytest.mark.parametrize("spread", [0.3, 2.0, 4.0])
def test_the_best_cut_by_trying_every_one(estimand: Estimand, spread: float) -> None:
    odds = spread * np.random.default_rng(2).normal(size=400)
    e = 1 / (1 + np.exp(-odds))
    h, k = PARTS[estimand]

    def variance(cut: float) -> float:
        kept = e[within(odds, cut, estimand)] if cut else e
        return float((h(kept) * k(kept)).sum() / np.broadcast_to(h(kept), kept.shape).sum() ** 2)

    cuts = [0.0, *np.minimum(e, 1 - e)] if estimand == "ATE" else [0.0, *(1 - e if estimand == "ATT" else e)]
    cut = best_cut(odds, estimand)
    assert variance(cut) == pytest.approx(min(variance(one) for one in cuts if one < 0.5), rel=1e-9)
    if estimand == "ATE" and cut:  # the condition of Crump and others, at the cut up to one unit
        kept = np.minimum(e, 1 - e) >= cut * (1 - 1e-9)
        bound = 2 * (1 / (e * (1 - e)))[kept].mean()
        assert 1 / (cut * (1 - cut)) <= bound * (1 + 1e-2)
