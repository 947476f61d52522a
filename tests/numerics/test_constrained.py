"""Least squares under a bound, a sum or nothing: against clarabel, closed forms, and linear programs for uniqueness."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import clarabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import linprog

from impact.arrays import Float1, Float2
from impact.numerics.constrained import absolute, budget_of_ridge, euclidean, free, summing, unique_on_face
from impact.numerics.simplex import GAP, solve


def convex(a: Float2, b: Float1, constraint: str, budget: float) -> float:
    """The least objective by clarabel, at a point made feasible."""
    count = a.shape[1]
    one, eye = np.ones((1, count)), np.eye(count)
    quadratic, slope = 2 * a.T @ a, -2 * a.T @ b
    options = clarabel.DefaultSettings()
    options.verbose = False
    options.tol_gap_abs = options.tol_gap_rel = options.tol_feas = 1e-11
    if constraint == "ridge":
        rows, side, cones = (
            np.vstack([0 * one, -eye]),
            np.r_[budget, np.zeros(count)],
            [clarabel.SecondOrderConeT(count + 1)],
        )
    elif constraint == "lasso":
        rows = np.vstack([np.hstack([one, one]), -np.eye(2 * count)])
        side, cones = np.r_[budget, np.zeros(2 * count)], [clarabel.NonnegativeConeT(2 * count + 1)]
        quadratic, slope = np.block([[quadratic, -quadratic], [-quadratic, quadratic]]), np.r_[slope, -slope]
    else:
        rows, side, cones = one, np.ones(1), [clarabel.ZeroConeT(1)]
    found = clarabel.DefaultSolver(
        sparse.csc_matrix(np.triu(quadratic)), slope, sparse.csc_matrix(rows), side, cones, options
    ).solve()
    w = np.array(found.x)
    if constraint == "ridge":
        w *= min(1, budget / np.linalg.norm(w))
    elif constraint == "lasso":
        w = w[:count] - w[count:]
        w *= min(1, budget / np.abs(w).sum())
    else:
        w += (1 - w.sum()) / count
    return float(np.sum((a @ w - b) ** 2))


Solver = Callable[[Float2, Float1, float], Any]
SOLVERS: dict[str, Solver] = {
    "ridge": euclidean,
    "lasso": absolute,
    "sum-to-one": lambda a, b, _: summing(a, b),
    "none": lambda a, b, _: free(a, b),
}


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(2, 12),
    donors=st.integers(1, 15),
    budget=st.floats(0.05, 3),
    twins=st.booleans(),
    constraint=st.sampled_from(["ridge", "lasso", "sum-to-one"]),
)
def test_constrained_programs_are_no_worse_than_a_general_solver(
    seed: int, rows: int, donors: int, budget: float, twins: bool, constraint: str
) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(rows, donors)) + 2, rng.normal(size=rows) + 2
    if twins:
        a = np.hstack([a, a[:, :1]])
    found = SOLVERS[constraint](a, b, budget)
    assert found.status == "optimal" and 0 <= found.gap <= GAP
    size = {
        "ridge": np.linalg.norm(found.weights),
        "lasso": np.abs(found.weights).sum(),
        "sum-to-one": found.weights.sum(),
    }
    if constraint == "sum-to-one":
        assert size[constraint] == pytest.approx(1, abs=1e-10)
    else:
        assert size[constraint] <= budget * (1 + 1e-10)
    assert found.objective == pytest.approx(np.sum((a @ found.weights - b) ** 2), abs=1e-12)
    scale = float(b @ b)
    assert found.objective <= convex(a, b, constraint, budget) + 1e-9 * scale
    if twins and constraint != "lasso":
        assert found.weights[-1] == pytest.approx(found.weights[0], abs=1e-8)


def test_ordinary_least_squares_and_its_least_norm() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(10, 4)), rng.normal(size=10)
    found = free(a, b)
    np.testing.assert_allclose(found.weights, np.linalg.lstsq(a, b, rcond=None)[0], atol=1e-12)
    assert found.unique
    twice = free(np.hstack([a, a]), b)
    np.testing.assert_allclose(twice.weights, np.tile(found.weights, 2) / 2, atol=1e-12)
    assert not twice.unique
    assert not summing(np.hstack([a, a[:, :1]]), b).unique and summing(a, b).unique
    assert not absolute(np.hstack([a, a[:, :1]]), b, 50.0).unique
    assert euclidean(np.hstack([a, a[:, :1]]), b, 0.1).unique  # a bound that binds decides


def test_bounds_that_do_not_bind_leave_least_squares() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(12, 3)), rng.normal(size=12)
    for solver in (euclidean, absolute):
        np.testing.assert_allclose(solver(a, b, 50.0).weights, free(a, b).weights, atol=1e-7)
        assert solver(a, b, 50.0).unique


def test_a_wide_bound_over_donors_that_are_nearly_one_is_certified() -> None:
    """There rounding of the gradient times the bound is no proof, and what least squares leaves is."""
    a = np.array([[0.92, -0.0486], [-1.08, 0.0569], [1.09, -0.0569]])
    found = euclidean(a, np.array([-0.10, -0.36, 0.64]), 2000.0)
    assert found.status == "optimal" and found.gap <= GAP


def test_the_ridge_of_a_bound_solves_the_normal_equations() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(9, 20)), rng.normal(size=9)
    w = euclidean(a, b, 0.3).weights
    assert np.linalg.norm(w) == pytest.approx(0.3, rel=1e-10)
    pull = a.T @ (b - a @ w)
    np.testing.assert_allclose(pull, (pull @ w) / (w @ w) * w, atol=1e-10)


def test_the_rule_of_thumb_of_the_ridge() -> None:
    """By the formula where donors have length 1, as the rule was made for; and the same in every unit."""
    rng = np.random.default_rng(3)
    a = rng.normal(size=(30, 4))
    a /= np.sqrt((a * a).sum(axis=0))
    b = a @ np.array([0.5, 0.2, -0.3, 0.9]) + 0.05 * rng.normal(size=30)
    w, residual = np.linalg.lstsq(a, b, rcond=None)[:2]
    lam = 4 * residual[0] / (30 - 4) / (w @ w)
    assert budget_of_ridge(a, b) == pytest.approx(np.linalg.norm(w) / (1 + lam), rel=1e-12)
    assert budget_of_ridge(1000 * a, 1000 * b) == pytest.approx(budget_of_ridge(a, b), rel=1e-9)
    wide = rng.normal(size=(14, 40))
    budget = budget_of_ridge(wide, wide[:, :3].mean(axis=1))
    assert budget is not None and 0 < budget < 2
    assert budget_of_ridge(wide[:2], wide[:2, 0] + wide[:2, 1]) is None


def spread_of_minimisers(a: Float2, b: Float1, w: Float1) -> float:
    """By linear programs: how far any one weight can go while fit and sum stay."""
    rows = np.vstack([a - b[:, None], np.ones(a.shape[1])])
    widest = 0.0
    for donor, sign in product(range(a.shape[1]), (1.0, -1.0)):
        cost = np.zeros(a.shape[1])
        cost[donor] = sign
        found = linprog(cost, A_eq=rows, b_eq=rows @ w, bounds=(0, None), method="highs")
        if found.x is not None:
            widest = max(widest, abs(float(cost @ found.x) - float(cost @ w)))
    return widest


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(1, 5),
    donors=st.integers(2, 9),
    kind=st.sampled_from(["inside", "outside", "edge", "corner", "twin"]),
)
def test_uniqueness_is_what_linear_programs_say(seed: int, rows: int, donors: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(rows, donors))
    b = {
        "inside": a @ rng.dirichlet(np.ones(donors)),
        "outside": 5 + rng.normal(size=rows),
        "edge": (a[:, 0] + a[:, 1]) / 2,
        "corner": a[:, 0],
        "twin": a[:, 0] + 3,
    }[kind]
    if kind == "twin":
        a[:, 1] = a[:, 0]
    w = solve(a, b).weights
    spread = spread_of_minimisers(a, b, w)
    if 1e-6 < spread < 1e-3:
        return  # too near to call by programs that are exact to 1e-7
    assert unique_on_face(a, b, w) == (spread <= 1e-6)
