"""Many programs at once: against clarabel, by hand, against one at a time, and whatever must not change an answer."""

from __future__ import annotations

from typing import Any

import clarabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from impact.arrays import Float1, Float2, Int1
from impact.numerics.simplex import GAP, Simplexes, solve, solve_many
from impact.numerics.sums import threads
from impact.parallel import one_thread
from tests.numerics import simplex_programs as known
from tests.numerics.simplex_programs import SHAPES, Programs, programs

# How far clarabel itself may be from the optimum, relative to the scale; its tolerance of 1e-12 is not always met.
ORACLE = 1e-9
SAME = 1e-9  # two ways to the same weights, where the data determine them to as many digits
BATCHES = 28  # of 20 programs for each of 18 shapes: 10,080

made = st.builds(programs, st.integers(0, 2**20), st.sampled_from(SHAPES))
some = settings(max_examples=60, deadline=None, derandomize=True)


def solved(these: Programs, **how: Any) -> Simplexes:
    return solve_many(these.donors, these.targets, without=these.without, linear=these.linear, ridge=these.ridge, **how)


def certified(these: Programs, found: Simplexes) -> None:
    """Everything that can be said of an answer by hand."""
    dense = found.dense(len(these.donors))
    assert found.optimal.all()
    for s in range(len(these.targets)):
        x, b, price, ridge = these.one(s)
        w, size = dense[s, these.may(s)], known.scale(x, price, ridge)
        assert not dense[s, these.without[s][these.without[s] >= 0]].any()
        assert w.min() >= 0.0
        assert w.sum() == pytest.approx(1.0, abs=1e-12)
        slope = known.gradient(x, price, ridge, w)
        level = float(w @ slope)
        assert level - slope.min() <= GAP * size  # the certificate
        assert np.abs(slope[w > 1e-9] - level).max() <= 1e-8 * size  # who has weight has the lowest price
        assert found.gap[s] <= GAP
        if b @ b >= size:  # the gap relative to ‖b‖², as the literature states it
            assert level - slope.min() <= 1e-10 * float(b @ b)
        value = known.objective(x, price, ridge, w)
        assert found.objective[s] == pytest.approx(value, rel=1e-9, abs=1e-12 * size)


@pytest.mark.parametrize("shape", SHAPES)
def test_ten_thousand_programs(shape: str) -> None:
    """Each certified by hand and no worse than the general solver; every batch holds placebos of its own donors."""
    for seed in range(BATCHES):
        these = programs(seed, shape)
        found = solved(these)
        certified(these, found)
        for s in range(len(these.targets)):
            x, _, price, ridge = these.one(s)
            other = known.by_clarabel(x, price, ridge)
            worse = found.objective[s] - known.objective(x, price, ridge, other)
            assert worse <= ORACLE * known.scale(x, price, ridge)


@pytest.mark.parametrize("ridge", [0.0, 5.0])
def test_five_thousand_donors(ridge: float) -> None:
    rng = np.random.default_rng(6)
    donors = 20 + rng.normal(size=(5000, 3)) @ rng.normal(size=(3, 12)).cumsum(axis=1) + rng.normal(size=(5000, 12))
    targets = np.vstack([donors[:2], donors[:1] + 30, donors.mean(axis=0, keepdims=True)])
    these = Programs(donors, targets, np.array([[0], [1], [-1], [7]]), None, np.full(4, ridge))
    found = solved(these)
    certified(these, found)
    for s in range(4):
        x, _, price, _ = these.one(s)
        other = known.objective(x, price, ridge, known.by_clarabel(x, price, ridge))
        assert found.objective[s] <= other + ORACLE * known.scale(x, price, ridge)


# The same answer, however it is asked for


def determined(shape: str) -> bool:
    """Whether the digits of the data determine the weights: not where columns agree to six digits, nor where a ridge
    below 1e-6 of the scale has to choose."""
    return shape not in ("near", "tiny ridge", "each its ridge")


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if determined(shape)])
def test_one_at_a_time(shape: str) -> None:
    for seed in range(5):
        these = programs(100 + seed, shape)
        found = solved(these).dense(len(these.donors))
        for s in range(len(these.targets)):
            x, b, price, ridge = these.one(s)
            alone = solve(x + b[:, None], b, linear=price, ridge=ridge)
            np.testing.assert_allclose(found[s, these.may(s)], alone.weights, atol=SAME)


@some
@given(made)
def test_neither_the_batch_nor_the_threads_change_a_digit(these: Programs) -> None:
    whole = solved(these)
    dense = whole.dense(len(these.donors))
    with one_thread():
        alone = solved(these)
    np.testing.assert_array_equal(alone.dense(len(these.donors)), dense)
    np.testing.assert_array_equal(alone.gap, whole.gap)
    pick = np.arange(len(these.targets))[::-3]
    linear = None if these.linear is None else these.linear[pick]
    part = solved(Programs(these.donors, these.targets[pick], these.without[pick], linear, these.ridge[pick]))
    np.testing.assert_array_equal(part.dense(len(these.donors)), dense[pick])


def test_several_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    donors = rng.normal(size=(150, 8))
    own = np.arange(150)[:, None]
    monkeypatch.setattr("impact.numerics.simplex_many.threads", lambda: 1)
    alone = solve_many(donors, donors, without=own)
    monkeypatch.setattr("impact.numerics.simplex_many.threads", lambda: 3)
    together = solve_many(donors, donors, without=own)
    np.testing.assert_array_equal(alone.donor, together.donor)
    np.testing.assert_array_equal(alone.weight, together.weight)
    assert threads() >= 1


@some
@given(made, st.integers(0, 2**20))
def test_the_order_of_the_donors_does_not_matter(these: Programs, seed: int) -> None:
    count = len(these.donors)
    order = np.random.default_rng(seed).permutation(count)
    place = np.append(np.argsort(order), -1)
    linear = None if these.linear is None else these.linear[:, order]
    other = Programs(these.donors[order], these.targets, place[these.without], linear, these.ridge)
    here, there = solved(these), solved(other)
    size = np.array([known.scale(*these.one(s)[::2], these.one(s)[3]) for s in range(len(here.gap))])
    assert (np.abs(here.objective - there.objective) <= GAP * size).all()
    if not (these.ridge > 0).any() or these.ridge.min() > 1e-6 * size.max():
        np.testing.assert_allclose(there.dense(count), here.dense(count)[:, order], atol=1e-6)


@some
@given(made, st.floats(-1e6, 1e6), st.sampled_from([1e-5, 1.0, 1e5]))
def test_neither_levels_nor_units_matter(these: Programs, level: float, unit: float) -> None:
    """A common path added to all, and another unit: what is left of the digits gives the same objective."""
    path = level * np.linspace(0.5, 1.0, these.donors.shape[1])
    linear = None if these.linear is None else these.linear * unit**2
    other = Programs(
        unit * (these.donors + path), unit * (these.targets + path), these.without, linear, unit**2 * these.ridge
    )
    here, there = solved(these), solved(other)
    assert there.optimal.all()
    lost = 1e-15 * (abs(level) + np.abs(these.donors).max() + np.abs(these.targets).max())
    for s in range(len(here.gap)):
        size = known.scale(*these.one(s)[::2], these.one(s)[3])
        assert abs(there.objective[s] / unit**2 - here.objective[s]) <= 1e-9 * size + 100 * lost * (
            lost + np.sqrt(size)
        )


@some
@given(made, st.integers(0, 2**20), st.booleans())
def test_a_start_changes_the_time_and_not_the_answer(these: Programs, seed: int, shared: bool) -> None:
    rng = np.random.default_rng(seed)
    count, number = len(these.donors), len(these.targets)
    start = rng.dirichlet(np.full(count, 0.3), None if shared else number)
    there, here = solved(these, start=start), solved(these)
    certified(these, there)
    for s in range(number):
        size = known.scale(*these.one(s)[::2], these.one(s)[3])
        assert abs(there.objective[s] - here.objective[s]) <= 2 * GAP * size


def test_a_good_start_saves_systems() -> None:
    rng = np.random.default_rng(9)
    donors = rng.normal(size=(400, 20)).cumsum(axis=1)
    targets = rng.normal(size=(6, 20)).cumsum(axis=1)
    cold = solve_many(donors, targets)
    warm = solve_many(donors, targets, start=cold.dense(400))
    assert warm.iterations.sum() < cold.iterations.sum() / 4
    np.testing.assert_allclose(warm.dense(400), cold.dense(400), atol=SAME)


# Where several weights fit equally well -------------------------------------------------------------------------------


def test_donors_that_are_the_same_share_their_weight() -> None:
    rng = np.random.default_rng(4)
    donors, targets = rng.normal(size=(8, 20)), rng.normal(size=(5, 20))
    once = solve_many(donors, targets).dense(8)
    twice = solve_many(np.vstack([donors, donors]), targets).dense(16)
    np.testing.assert_allclose(twice[:, :8], twice[:, 8:], atol=1e-12)
    np.testing.assert_allclose(twice[:, :8] + twice[:, 8:], once, atol=1e-12)


def test_of_all_minimisers_the_one_of_least_norm() -> None:
    """Every placebo lies within the hull of the others: minimise ‖w‖² such that the fit is exact, said outright."""
    donors = np.random.default_rng(8).normal(size=(120, 3))
    inside = np.flatnonzero((donors**2).sum(axis=1) < 1.0)[:12]
    found = solve_many(donors, donors[inside], without=inside[:, None])
    assert found.objective.max() < 1e-20
    dense = found.dense(120)
    for row, s in enumerate(inside):
        others = np.delete(np.arange(120), s)
        np.testing.assert_allclose(dense[row, others], least_norm(donors[others].T, donors[s]), atol=1e-7)


def least_norm(a: Float2, b: Float1) -> Float1:
    periods, count = a.shape
    options = clarabel.DefaultSettings()
    options.verbose = False
    options.tol_gap_abs = options.tol_gap_rel = options.tol_feas = 1e-12
    rows = sparse.csc_array(np.vstack([a, np.ones((1, count)), -np.eye(count)]))
    cones = [clarabel.ZeroConeT(periods + 1), clarabel.NonnegativeConeT(count)]
    side = np.r_[b, 1.0, np.zeros(count)]
    solver = clarabel.DefaultSolver(sparse.csc_array(np.eye(count)), np.zeros(count), rows, side, cones, options)
    return np.asarray(solver.solve().x)


# By hand, and the value -----------------------------------------------------------------------------------------------


def test_by_hand() -> None:
    """Donors 0, 4 and 9 in one period, targets 1, 6 and 1; the third may not use the first donor."""
    found = solve_many([[0.0], [4.0], [9.0]], [[1.0], [6.0], [1.0]], without=[[2, -1], [0, -1], [0, 0]])
    np.testing.assert_allclose(found.dense(3), np.array([[0.75, 0.25, 0], [0, 0.6, 0.4], [0, 1, 0]]), atol=1e-14)
    np.testing.assert_allclose(found.objective, np.array([0.0, 0.0, 9.0]), atol=1e-13)
    assert found.donor.tolist() == [[0, 1], [1, 2], [1, -1]]
    assert found.weight[2, 1] == 0.0
    np.testing.assert_allclose(found.combine(np.array([[1.0, 2], [3, 4], [8, np.nan]]))[0], [1.5, 2.5])
    np.testing.assert_allclose(found.combine(np.array([[1.0, 2], [3, 4], [8, np.nan]]))[2], [3, 4])
    for array in (found.donor, found.weight, found.objective, found.gap, found.iterations, found.optimal):
        assert not array.flags.writeable


def test_no_program_at_all() -> None:
    found = solve_many(np.ones((4, 3)), np.empty((0, 3)), without=np.empty((0, 1), dtype=int))
    assert found.dense(4).shape == (0, 4)
    assert found.combine(np.ones((4, 7))).shape == (0, 7)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"donors": np.ones((0, 2))}, "no donor"),
        ({"donors": np.ones((2, 0)), "targets": np.ones((1, 0))}, "nothing to fit"),
        ({"targets": [[1.0]]}, "targets has shape"),
        ({"targets": [[1.0, np.inf]]}, "finite"),
        ({"without": [[2]]}, "without names rows from 2 to 2"),
        ({"without": [[-2]]}, "without names rows"),
        ({"without": [[0.5]]}, "without holds float64"),
        ({"without": [0]}, "without has shape"),
        ({"without": [[0, 1]]}, "leaves a program no donor"),
        ({"linear": [1.0, 2.0]}, "linear has shape"),
        ({"ridge": -1.0}, "ridge is"),
        ({"ridge": [np.nan]}, "ridge is"),
        ({"start": [-1.0, 2.0]}, "start must be"),
        ({"start": [0.0, 0.0]}, "start must be"),
        ({"start": [1.0]}, "start has shape"),
        ({"targets": [[1e200, 1.0]]}, "too large to be squared"),
    ],
)
def test_bad_input_is_named(change: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        solve_many(**({"donors": np.eye(2), "targets": np.ones((1, 2))} | change))  # type: ignore[arg-type]


def test_inputs_are_left_as_they_were() -> None:
    these = programs(1, "priced ridge")
    assert these.linear is not None
    arrays: tuple[Float2 | Int1, ...] = (these.donors, these.targets, these.without, these.linear, these.ridge)
    copies = [array.copy() for array in arrays]
    solved(these)
    assert all(np.array_equal(one, other) for one, other in zip(arrays, copies, strict=True))


# What donors that are rounded, and reproduce the target exactly, once broke ----------------------------------------


def rounded(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Whole-numbered donors (J, T0) and a mix of a few of them: the face of minimisers is degenerate."""
    rng = np.random.default_rng(seed)
    count, periods = int(rng.integers(3, 60)), int(rng.integers(1, 11))
    donors = rng.integers(0, int(rng.integers(2, 6)), size=(count, periods)).astype(float)
    chosen = rng.choice(count, min(3, count), replace=False)
    return donors, np.array([0.25, 0.25, 0.5])[: len(chosen)] @ donors[chosen]


@pytest.mark.parametrize("seed", range(150))
def test_weights_of_least_norm_on_a_degenerate_face(seed: int) -> None:
    """Against clarabel on the face itself: least norm, any order of the donors, and weights at all (all zeros have no
    gap either, and once passed for optimal)."""
    donors, target = rounded(seed)
    count = len(donors)
    equal = sparse.csc_matrix(np.vstack([donors.T, np.ones((1, count)), -np.eye(count)]))
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-12
    cones = [clarabel.ZeroConeT(donors.shape[1] + 1), clarabel.NonnegativeConeT(count)]
    right = np.r_[target, 1.0, np.zeros(count)]
    answer = clarabel.DefaultSolver(
        sparse.csc_matrix(2 * np.eye(count)), np.zeros(count), equal, right, cones, settings
    ).solve()
    order = np.random.default_rng(seed).permutation(count)
    one, other = solve(donors.T, target), solve(donors[order].T, target)
    assert one.status == "optimal" and one.weights.sum() == pytest.approx(1, abs=1e-12)
    # Clarabel leaves about 1e-6 in the weights.
    np.testing.assert_allclose(one.weights, answer.x, atol=1e-5)
    np.testing.assert_allclose(other.weights, one.weights[order], atol=1e-9)
    np.testing.assert_allclose(solve_many(donors, target[None]).dense(count)[0], one.weights, atol=1e-9)
