"""The simplex program against clarabel, against enumeration of all faces, and against what theory says must hold."""

from __future__ import annotations

import itertools

import clarabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from impact.arrays import Float1, Float2, Int1
from impact.numerics import simplex_methods as methods
from impact.numerics import simplex_run
from impact.numerics.simplex import GAP, Simplex, solve, solve_fw

Problem = tuple[Float2, Float1, float, Float1]
WORSE = 1e-9  # the oracle itself is accurate to about this, relative to the scale of the program
SHAPES = ("normal", "integer", "duplicates", "collinear", "near", "level", "constant", "inside", "equal", "outlier")


def build(seed: int, shape: str, periods: int, donors: int, ridge: float, price: float) -> Problem:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(periods, donors)), rng.normal(size=periods)
    match shape:
        case "integer":
            a, b = rng.integers(-2, 3, a.shape).astype(float), rng.integers(-2, 3, periods).astype(float)
        case "duplicates":
            a = a[:, rng.integers(0, max(1, donors // 3), donors)]
        case "collinear":
            a = np.outer(rng.normal(size=periods), rng.normal(size=donors))
        case "near":
            a = a[:, :1] + 1e-6 * a
        case "level":
            a, b = a + 1e5, b + 1e5
        case "constant":
            a = np.ones_like(a)
        case "inside":
            b = a @ rng.dirichlet(np.ones(donors))
        case "equal":
            b = a[:, rng.integers(donors)].copy()
        case "outlier":
            a[:, 0] *= 1e3
    return a, b, ridge, price * rng.normal(size=donors)


problems = st.builds(
    build,
    st.integers(0, 2**32 - 1),
    st.sampled_from(SHAPES),
    st.sampled_from([1, 2, 3, 8, 25]),
    st.sampled_from([1, 2, 3, 8, 40]),
    st.sampled_from([0.0, 0.0, 1e-12, 1e-8, 1e-4, 0.1, 10.0, 1e4]),
    st.sampled_from([0.0, 0.0, 0.1, 10.0]),
)
plain = settings(max_examples=250, deadline=None, derandomize=True)


def objective(problem: Problem, w: Float1) -> float:
    a, b, ridge, linear = problem
    fit = a @ w - b
    return float(fit @ fit + ridge * (w @ w) + 2 * (linear @ w))


def run(problem: Problem) -> Simplex:
    a, b, ridge, linear = problem
    return solve(a, b, ridge=ridge, linear=linear)


def size(problem: Problem) -> float:
    a, b, ridge, linear = problem
    return float(np.median(((a - b[:, None]) ** 2).sum(axis=0)) + ridge + np.ptp(linear)) or 1.0


def by_clarabel(problem: Problem) -> Float1:
    """The program in its plainest form, scaled to size one: ½ w'Pw + q'w, w ≥ 0, Σ w = 1."""
    a, b, ridge, linear = problem
    scale, donors = size(problem), a.shape[1]
    x = a - b[:, None]
    quadratic = sparse.csc_array(np.triu(2 * (x.T @ x + ridge * np.eye(donors)) / scale))
    rows = sparse.csc_array(np.vstack([np.ones((1, donors)), -np.eye(donors)]))
    options = clarabel.DefaultSettings()
    options.verbose = False
    options.tol_gap_abs = options.tol_gap_rel = options.tol_feas = 1e-12
    cones = [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(donors)]
    found = clarabel.DefaultSolver(quadratic, 2 * linear / scale, rows, np.r_[1.0, np.zeros(donors)], cones, options)
    w: Float1 = np.maximum(np.asarray(found.solve().x, dtype=np.float64), 0.0)
    return w / float(w.sum())


def least_norm_by_clarabel(a: Float2, b: Float1) -> Float1:
    """Minimise ‖w‖² over w ≥ 0, Σ w = 1, A w = b, said outright."""
    periods, donors = a.shape
    rows = sparse.csc_array(np.vstack([a, np.ones((1, donors)), -np.eye(donors)]))
    options = clarabel.DefaultSettings()
    options.verbose = False
    options.tol_gap_abs = options.tol_gap_rel = options.tol_feas = 1e-12
    cones = [clarabel.ZeroConeT(periods + 1), clarabel.NonnegativeConeT(donors)]
    found = clarabel.DefaultSolver(
        sparse.csc_array(np.eye(donors)), np.zeros(donors), rows, np.r_[b, 1.0, np.zeros(donors)], cones, options
    )
    return np.asarray(found.solve().x, dtype=np.float64)


def by_enumeration(problem: Problem) -> float:
    """The least objective over the stationary points of all faces; each face solved by its pseudo-inverse."""
    a, b, ridge, linear = problem
    best = np.inf
    for count in range(1, a.shape[1] + 1):
        for face in map(list, itertools.combinations(range(a.shape[1]), count)):
            gram = a[:, face].T @ a[:, face] + ridge * np.eye(count)
            system = np.block([[gram, np.ones((count, 1))], [np.ones((1, count)), np.zeros((1, 1))]])
            side = np.r_[a[:, face].T @ b - linear[face], 1.0]
            w = np.zeros(a.shape[1])
            w[face] = (np.linalg.pinv(system) @ side)[:count]
            if w.min() >= -1e-9 and abs(w.sum() - 1) < 1e-9:
                best = min(best, objective(problem, np.maximum(w, 0.0) / np.maximum(w, 0.0).sum()))
    return best


def certified(problem: Problem, found: Simplex) -> None:
    a, b, ridge, linear = problem
    w = found.weights
    assert found.status == "optimal"
    assert w.min() >= 0.0
    assert w.sum() == pytest.approx(1.0, abs=1e-12)
    assert not w.flags.writeable
    gradient = 2 * ((a - b[:, None]).T @ ((a - b[:, None]) @ w) + ridge * w + linear)
    assert w @ gradient - gradient.min() <= 2 * GAP * size(problem)
    assert found.objective == pytest.approx(objective(problem, w), rel=1e-9, abs=1e-12 * size(problem))


@plain
@given(problems)
def test_certified_and_never_worse_than_clarabel(problem: Problem) -> None:
    found = run(problem)
    certified(problem, found)
    assert found.objective <= objective(problem, by_clarabel(problem)) + WORSE * size(problem)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    st.builds(
        build,
        st.integers(0, 2**32 - 1),
        st.sampled_from(["normal", "integer", "inside", "equal"]),
        st.sampled_from([1, 2, 3, 5]),
        st.sampled_from([1, 2, 3, 4]),
        st.sampled_from([0.0, 0.1, 10.0]),
        st.sampled_from([0.0, 1.0]),
    )
)
def test_equals_the_best_of_all_faces(problem: Problem) -> None:
    assert run(problem).objective == pytest.approx(by_enumeration(problem), abs=1e-9 * size(problem))


@plain
@given(problems, st.integers(0, 2**32 - 1))
def test_the_order_of_the_donors_does_not_matter(problem: Problem, seed: int) -> None:
    a, b, ridge, linear = problem
    order = np.random.default_rng(seed).permutation(a.shape[1])
    there, here = run((a[:, order], b, ridge, linear[order])), run(problem)
    assert there.objective == pytest.approx(here.objective, abs=1e-10 * size(problem))
    if ridge == 0.0 or ridge > 1e-6 * size(problem):  # below that the data do not hold the digits of ridge ‖w‖²
        np.testing.assert_allclose(there.weights, here.weights[order], atol=1e-6)


@plain
@given(problems, st.sampled_from([1e-6, 1e6]))
def test_the_units_do_not_matter(problem: Problem, unit: float) -> None:
    a, b, ridge, linear = problem
    there, here = run((unit * a, unit * b, unit**2 * ridge, unit**2 * linear)), run(problem)
    assert there.status == "optimal"
    if ridge == 0.0 or ridge > 1e-6 * size(problem):
        np.testing.assert_allclose(there.weights, here.weights, atol=1e-6)


@plain
@given(problems)
def test_start_changes_the_time_and_not_the_answer(problem: Problem) -> None:
    a, b, ridge, linear = problem
    donors = a.shape[1]
    there = solve(a, b, ridge=ridge, linear=linear, start=np.arange(1.0, donors + 1))
    certified(problem, there)
    assert there.objective == pytest.approx(run(problem).objective, abs=2 * GAP * size(problem))


def test_by_hand() -> None:
    """Donors 0 and 4, target 1: ¾ and ¼ fit; with ridge 8 the derivative (32 w₂ − 8) + (32 w₂ − 16) is zero at ⅜."""
    np.testing.assert_allclose(solve([[0.0, 4.0]], [1.0]).weights, [0.75, 0.25], atol=1e-14)
    np.testing.assert_allclose(solve([[0.0, 4.0]], [1.0], ridge=8.0).weights, [5 / 8, 3 / 8], atol=1e-14)
    np.testing.assert_allclose(solve([[0.0, 4.0]], [1.0], linear=[0.0, 4.0]).weights, [1.0, 0.0], atol=1e-14)
    beyond = solve([[0.0, 4.0]], [6.0])
    assert beyond.weights.tolist() == [0.0, 1.0]
    assert beyond.objective == 4.0
    assert solve([[7.0]], [1.0]).weights.tolist() == [1.0]


def test_donors_that_are_the_same_share_their_weight() -> None:
    np.testing.assert_allclose(solve([[0.0, 4.0, 4.0]], [6.0]).weights, [0.0, 0.5, 0.5], atol=1e-14)
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(20, 8)), rng.normal(size=20)
    once, twice = solve(a, b).weights, solve(np.hstack([a, a]), b).weights
    np.testing.assert_allclose(twice[:8], twice[8:], atol=1e-12)
    np.testing.assert_allclose(twice[:8] + twice[8:], once, atol=1e-12)


def test_of_all_minimisers_the_one_of_least_norm() -> None:
    """Donors −1, 0, 1, 2 and target ½: w = ¼ each is the point of the simplex with the least norm, and it fits."""
    np.testing.assert_allclose(solve([[-1.0, 0.0, 1.0, 2.0]], [0.5]).weights, np.full(4, 0.25), atol=1e-13)
    rng = np.random.default_rng(8)
    a = rng.normal(size=(6, 300))
    b = a @ rng.dirichlet(np.ones(300))
    found = solve(a, b)
    assert found.objective < 1e-20
    np.testing.assert_allclose(found.weights, least_norm_by_clarabel(a, b), atol=1e-7)


@pytest.mark.parametrize("ridge", [0.0, 1e-6, 1e-2, 1.0, 25.0, 1e4, 1e8])
@pytest.mark.parametrize(("periods", "donors"), [(25, 3000), (10, 2000), (1, 2000), (2, 2000)])
def test_thousands_of_donors(periods: int, donors: int, ridge: float) -> None:
    rng = np.random.default_rng(periods)
    common = rng.normal(size=(periods, 3)).cumsum(axis=0)
    a = 10 + common @ rng.normal(size=(3, donors)) + 0.5 * rng.normal(size=(periods, donors))
    b = 10 + common @ rng.normal(size=3) + 0.5 * rng.normal(size=periods)
    problem = a, b, ridge, np.zeros(donors)
    found = run(problem)
    certified(problem, found)
    assert found.iterations < 300
    if ridge == 1e8:
        assert np.count_nonzero(found.weights) == donors


def test_what_the_own_methods_miss_goes_to_the_general_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    def stuck(*arrays: object, donor: Int1, weight: Float2, found: Float2, count: Int1) -> None:
        donor[:, 0], donor[:, 1:], weight[:, 0], weight[:, 1:] = 0, -1, 1.0, 0.0
        found[:], count[:] = 1.0, 0

    problem = build(3, "normal", 8, 20, 0.0, 0.0)
    expected = run(problem)
    monkeypatch.setattr(simplex_run, "corral", stuck)
    found = run(problem)
    certified(problem, found)
    np.testing.assert_allclose(found.weights, expected.weights, atol=1e-9)
    first = np.eye(20)[0]
    monkeypatch.setattr(methods, "general", lambda program: first)
    monkeypatch.setattr(methods, "corral", lambda program, begin: (first, 1))
    assert run(problem).status == "not converged"
    assert run(problem).gap > GAP


def test_frank_wolfe_comes_near_and_says_how_near() -> None:
    a, b, ridge, _ = problem = build(5, "normal", 12, 20, 2.0, 0.0)
    near = solve_fw(a, b, ridge=ridge, min_decrease=1e-6)
    exact = run(problem)
    assert near.status == "stopped by rule"
    assert -1e-9 <= near.objective - exact.objective <= near.gap * 2 * size(problem)
    assert near.weights.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"b": [1.0]}, "b has shape"),
        ({"linear": [1.0]}, "linear has shape"),
        ({"a": np.ones((2, 0))}, "no column"),
        ({"a": np.ones((0, 2)), "b": []}, "no row"),
        ({"ridge": -1.0}, "ridge is"),
        ({"ridge": np.nan}, "ridge is"),
        ({"a": [[1.0, np.nan], [0.0, 1.0]]}, "finite"),
        ({"a": np.r_["1", np.eye(2), np.full((2, 300), 3.0), [[np.inf], [0.0]]]}, "finite"),
        ({"b": [np.nan, 1.0]}, "finite"),
        ({"b": [1e200, 1.0]}, "too large to be squared"),
        ({"linear": [np.inf, 1.0]}, "finite"),
        ({"start": [-1.0, 2.0]}, "start must be"),
        ({"start": [1.0]}, "start has shape"),
    ],
)
def test_bad_input_is_named(change: dict[str, object], says: str) -> None:
    given_ = {"a": np.eye(2), "b": np.ones(2), **change}
    with pytest.raises(ValueError, match=says):
        solve(**given_)  # type: ignore[arg-type]


def test_frank_wolfe_refuses_what_is_not_finite() -> None:
    with pytest.raises(ValueError, match="finite"):
        solve_fw([[1.0, np.nan], [0.0, 1.0]], [1.0, 1.0], ridge=1.0, min_decrease=1e-3)


def test_inputs_are_left_as_they_were() -> None:
    a, b, _, linear = build(1, "normal", 5, 7, 0.0, 1.0)
    copies = a.copy(), b.copy(), linear.copy()
    first, second = solve(a, b, linear=linear), solve(a, b, linear=linear)
    assert all(np.array_equal(x, y) for x, y in zip((a, b, linear), copies, strict=True))
    assert np.array_equal(first.weights, second.weights)
