"""The pooled program against clarabel on the whole of it, against closed forms, and against one simplex alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impact.arrays import Float1
from impact.numerics.pooled import Block, imbalance, paths, solve_pooled
from impact.numerics.simplex import GAP, solve

# The certificate allows GAP times the scale; what clarabel gives is feasible, so it cannot be below the optimum.
WORSE = 2 * GAP


def value(blocks: Sequence[Block], weights: Sequence[Float1], nu: float, lam: float) -> float:
    """The objective in plain loops."""
    total = sum(block.mass for block in blocks)
    lags = sorted({int(lag) for block in blocks for lag in block.lag})
    mean = dict.fromkeys(lags, 0.0)
    rest = 0.0
    for block, w in zip(blocks, weights, strict=True):
        residual = block.a @ w - block.b
        for lag, one in zip(block.lag, residual, strict=True):
            mean[int(lag)] += block.mass / total * one
        rest += block.mass / total * ((1 - nu) * float(np.mean(residual**2)) + lam * float(w @ w))
    return nu * sum(one**2 for one in mean.values()) / len(lags) + rest


def general(blocks: Sequence[Block], nu: float, lam: float = 0.0) -> list[Float1]:
    """Weights by clarabel: variables are all weights, all residuals, and the mean residuals."""
    import clarabel
    from scipy import sparse

    mass = np.array([block.mass for block in blocks]) / sum(block.mass for block in blocks)
    lags = np.unique(np.concatenate([block.lag for block in blocks]))
    donors, rows = [block.a.shape[1] for block in blocks], [len(block.b) for block in blocks]
    curvature = np.concatenate(
        [np.full(count, 2 * lam * share) for count, share in zip(donors, mass, strict=True)]
        + [np.full(count, 2 * (1 - nu) * share / count) for count, share in zip(rows, mass, strict=True)]
        + [np.full(len(lags), 2 * nu / len(lags))]
    )
    means = np.zeros((len(lags), sum(rows)))
    for block, share, at in zip(blocks, mass, np.cumsum([0, *rows[:-1]]), strict=True):
        means[np.searchsorted(lags, block.lag), at + np.arange(len(block.b))] = share
    parts: list[list[Any]] = [
        [sparse.block_diag([block.a for block in blocks]), -sparse.eye_array(sum(rows)), None],
        [None, sparse.csc_array(means), -sparse.eye_array(len(lags))],
        [sparse.block_diag([np.ones((1, count)) for count in donors]), None, None],
    ]
    equal: Any = sparse.block_array(parts)
    positive = sparse.hstack([-sparse.eye_array(sum(donors)), sparse.csc_array((sum(donors), sum(rows) + len(lags)))])
    options = clarabel.DefaultSettings()
    options.verbose = False
    options.tol_gap_abs = options.tol_gap_rel = options.tol_feas = 1e-12
    options.max_threads = 1
    right = np.r_[np.concatenate([block.b for block in blocks]), np.zeros(len(lags)), np.ones(len(blocks))]
    solver = clarabel.DefaultSolver(
        sparse.diags_array(curvature, format="csc"),
        np.zeros(len(curvature)),
        sparse.csc_array(sparse.vstack([equal, positive])),
        np.r_[right, np.zeros(sum(donors))],
        [clarabel.ZeroConeT(len(right)), clarabel.NonnegativeConeT(sum(donors))],
        options,
    )
    answer = np.maximum(np.array(solver.solve().x[: sum(donors)]), 0)
    return [one / one.sum() for one in np.split(answer, np.cumsum(donors)[:-1])]


def some(rng: np.random.Generator, *, kind: str = "plain") -> list[Block]:
    """Pieces with pasts of several lengths: in or out of reach, on a lattice (ties), or with every donor twice."""
    lags, donors = int(rng.integers(2, 10)), int(rng.choice([1, 2, 3, 8, 40]))
    shared = rng.normal(size=(lags, donors))
    if kind == "lattice":
        shared = np.round(1.5 * shared)
    if kind == "twice":
        shared = np.tile(shared, (1, 2))
    blocks = []
    for _ in range(int(rng.integers(1, 8))):
        rows = int(rng.integers(max(1, lags - 3), lags + 1))
        a = shared[-rows:] + (rng.normal(size=(rows, shared.shape[1])) if kind == "plain" else 0.0)
        b = rng.normal(size=rows) * rng.choice([0.3, 1.0, 3.0]) + rng.choice([0.0, 1.0])
        if kind == "within":
            b = a @ rng.dirichlet(np.ones(a.shape[1]))
        b = np.round(b) if kind == "lattice" else b
        blocks.append(Block(a, b, np.arange(rows, 0, -1), float(rng.uniform(0.2, 5))))
    return blocks


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["plain", "lattice", "twice", "within"]),
    st.sampled_from([0.05, 0.5, 0.9, 0.999, 1.0]),
    st.sampled_from([0.0, 0.0, 1e-3, 0.3]),
)
def test_no_worse_than_a_general_solver(seed: int, kind: str, nu: float, lam: float) -> None:
    blocks = some(np.random.default_rng(seed), kind=kind)
    found = solve_pooled(blocks, nu, lam=lam)
    assert found.status == "optimal"
    assert 0 <= found.gap <= GAP
    near = min(nu, 1 - 1e-6)
    ours = value(blocks, found.weights, near, lam)
    assert ours == pytest.approx(found.objective, rel=1e-9, abs=1e-12 * found.scale)
    assert ours <= value(blocks, general(blocks, near, lam), near, lam) + WORSE * found.scale
    for w in found.weights:
        assert w.min() >= 0
        assert w.sum() == pytest.approx(1, abs=1e-12)
        assert not w.flags.writeable


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["plain", "twice"]), st.floats(0.01, 0.99))
def test_the_certificate_is_what_it_says(seed: int, kind: str, nu: float) -> None:
    """The gap bounds how much any single move lowers the objective, with slopes by central differences."""
    blocks = some(np.random.default_rng(seed), kind=kind)
    found = solve_pooled(blocks, nu)
    total = 0.0
    for k, block in enumerate(blocks):
        slopes = []
        for donor in range(block.a.shape[1]):
            toward = np.eye(block.a.shape[1])[donor] - found.weights[k]
            sides = []
            for step in (1e-4, -1e-4):
                moved = list(found.weights)
                moved[k] = found.weights[k] + step * toward
                sides.append(value(blocks, moved, nu, 0.0))
            slopes.append((sides[0] - sides[1]) / 2e-4)
        total += max(0.0, -min(slopes))
    # Differences of a quadratic are exact but for rounding, which is divided by the step.
    assert total <= GAP * found.scale + 1e-10 * max(1.0, found.objective)


@pytest.mark.parametrize("nu", [0.0, 0.3, 0.5, 0.65, 0.8, 0.95])
def test_two_pieces_by_hand(nu: float) -> None:
    """Donors at 0 and 1; one piece wants 2 and misses by −1, the other wants 1/2 and errs by ν/(2 − ν) to make up for
    it, at most by 1/2."""
    a, lag = np.array([[0.0, 1.0]]), np.array([1])
    found = solve_pooled([Block(a, np.array([2.0]), lag, 1.0), Block(a, np.array([0.5]), lag, 1.0)], nu)
    away = min(0.5, nu / (2 - nu))
    np.testing.assert_allclose(found.weights[0], [0, 1], atol=1e-12)
    np.testing.assert_allclose(found.weights[1], [0.5 - away, 0.5 + away], atol=1e-12)
    assert found.objective == pytest.approx(nu * ((away - 1) / 2) ** 2 + (1 - nu) * (1 + away**2) / 2, rel=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.2]))
def test_without_pooling_every_piece_is_its_own_program(seed: int, lam: float) -> None:
    blocks = some(np.random.default_rng(seed))
    alone = [solve(block.a, block.b, ridge=lam * len(block.b)).weights for block in blocks]
    for nu, several in ((0.0, blocks), (0.6, blocks[:1])):
        found = solve_pooled(several, nu, lam=lam)
        for w, expected in zip(found.weights, alone, strict=False):
            np.testing.assert_allclose(w, expected, atol=1e-7)  # least norm is found to the root of the gap


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 0.95))
def test_residuals_do_not_depend_on_how_it_is_put(seed: int, nu: float) -> None:
    """Order of pieces and donors, unit of the masses, start, and a piece cut into two halves: the same residuals."""
    rng = np.random.default_rng(seed)
    blocks = some(rng)
    share, expected = paths(blocks, solve_pooled(blocks, nu).weights)
    scale = max(1.0, float(np.abs(expected).max()))
    order = rng.permutation(len(blocks))
    mixed = [rng.permutation(block.a.shape[1]) for block in blocks]
    other = [replace(blocks[k], a=blocks[k].a[:, mixed[k]], mass=7 * blocks[k].mass) for k in order]
    np.testing.assert_allclose(paths(other, solve_pooled(other, nu).weights)[1], expected[order], atol=1e-7 * scale)
    start = [rng.dirichlet(np.ones(block.a.shape[1])) for block in blocks]
    np.testing.assert_allclose(
        paths(blocks, solve_pooled(blocks, nu, start=start).weights)[1], expected, atol=1e-7 * scale
    )
    half = [replace(blocks[0], mass=blocks[0].mass / 2)] * 2 + blocks[1:]
    again = paths(half, solve_pooled(half, nu).weights)
    np.testing.assert_allclose(again[1], expected[[0, *range(len(blocks))]], atol=1e-7 * scale)
    np.testing.assert_allclose(again[0], [share[0] / 2, share[0] / 2, *share[1:]])


def test_copies_of_a_donor_share_its_weight_equally() -> None:
    rng = np.random.default_rng(3)
    blocks = [Block(rng.normal(size=(5, 4)), rng.normal(size=5) + 2, np.arange(5, 0, -1), 1.0) for _ in range(4)]
    single = solve_pooled(blocks, 0.7)
    twice = solve_pooled([replace(block, a=np.tile(block.a, (1, 2))) for block in blocks], 0.7)
    for w, pair in zip(single.weights, twice.weights, strict=True):
        np.testing.assert_allclose(pair, np.tile(w / 2, 2), atol=1e-9)


def test_full_pooling_makes_the_mean_fit_and_then_the_pieces() -> None:
    """Where the mean can be fitted exactly it is; of all such weights those with the best pieces (clarabel on the
    pieces, with the mean held at 0 by a penalty of 1e6)."""
    rng = np.random.default_rng(4)
    a = rng.normal(size=(4, 30))
    blocks = [Block(a, side * rng.uniform(2, 3, size=4), np.arange(4, 0, -1), 1.0) for side in (1.0, -1.0, 1.0, -1.0)]
    found = solve_pooled(blocks, 1.0)
    mean, each = imbalance(blocks, found.weights)
    assert mean < 1e-4 * each
    assert each == pytest.approx(imbalance(blocks, general(blocks, 1 - 1e-6))[1], rel=1e-6)
    assert each > imbalance(blocks, solve_pooled(blocks, 0.0).weights)[1]


def test_the_size_of_the_programme() -> None:
    """20 areas with 6 to 12 years and 1,000 donors: certified for every degree of pooling."""
    rng = np.random.default_rng(5)
    course = rng.normal(size=(1000, 2)) @ rng.normal(size=(2, 12)) + rng.normal(size=(1000, 12))
    blocks = []
    for _ in range(20):
        rows = int(rng.integers(6, 13))
        blocks.append(Block(course[:, :rows].T, 1 + 1.5 * rng.normal(size=rows), np.arange(rows, 0, -1), 1.0))
    for nu, lam in ((0.5, 0.0), (0.95, 0.0), (1.0, 0.0), (0.5, 0.01)):
        assert solve_pooled(blocks, nu, lam=lam).gap <= GAP


def test_what_cannot_be_solved() -> None:
    block = Block(np.ones((2, 3)), np.ones(2), np.array([2, 1]), 1.0)
    for change, message in (
        ({"b": np.ones(3)}, "b has shape"),
        ({"lag": np.array([1, 1])}, "one row for every lag"),
        ({"mass": 0.0}, "mass"),
        ({"a": np.full((2, 3), np.nan)}, "finite"),
        ({"a": np.ones((2, 0))}, "a row and a donor"),
    ):
        with pytest.raises(ValueError, match=message):
            solve_pooled([replace(block, **change)], 0.5)
    with pytest.raises(ValueError, match="no piece"):
        solve_pooled([], 0.5)
    with pytest.raises(ValueError, match="nu is"):
        solve_pooled([block], 1.5)
    with pytest.raises(ValueError, match="lam is"):
        solve_pooled([block], 0.5, lam=-1)
