"""Poisson regression with row and column effects: against statsmodels with dummies, and against its own conditions."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from impact.arrays import Bool2, Float2
from impact.numerics import glm
from impact.numerics.glm import course, obstacles

TABLES = st.integers(1, 4).flatmap(
    lambda rows: st.integers(1, 5).flatmap(
        lambda columns: st.tuples(
            arrays(np.float64, (rows, columns), elements=st.integers(0, 4).map(float)),
            arrays(np.bool_, (rows, columns)),
        )
    )
)


def no_maximum(total: Float2, open: Bool2) -> bool:
    """Whether the likelihood of the columns with events has no unique maximum: there is a set of columns that can be
    raised above the others without any row that sees both losing by it (every subset is tried)."""
    inside = np.where(open, total, 0)
    known = np.flatnonzero(inside.any(axis=0))
    for pattern in product([False, True], repeat=len(known)):
        up = np.zeros(total.shape[1], dtype=bool)
        up[known] = pattern
        down = np.isin(np.arange(len(up)), known) & ~up
        if not up.any() or not down.any():
            continue
        both = (inside > 0).any(axis=1) & (open & up).any(axis=1) & (open & down).any(axis=1)
        if not inside[np.ix_(both, down)].any():
            return True
    return False


@given(TABLES)
def test_obstacles_are_those_of_trying_every_subset(table: tuple[Float2, Bool2]) -> None:
    total, open = table
    empty, apart = obstacles(total, open)
    np.testing.assert_array_equal(empty, open.any(axis=0) & ~np.where(open, total, 0).any(axis=0))
    assert apart.any() == no_maximum(total, open)


@given(TABLES, st.integers(0, 1000))
def test_where_there_is_no_obstacle_the_scores_are_zero(table: tuple[Float2, Bool2], seed: int) -> None:
    total, open = table
    empty, apart = obstacles(total, open)
    assume(open.any() and not (empty | apart).any() and np.where(open, total, 0).any())
    exposure = np.random.default_rng(seed).uniform(0.5, 2, total.shape)
    found = course(total, exposure, open)
    assert found is not None
    inside = np.where(open, total, 0)
    np.testing.assert_allclose(inside.sum(axis=1) @ found.share, inside.sum(axis=0), rtol=1e-10)
    # The shares are those of the factors, row by row.
    risk = np.where(open, exposure * found.factor, 0)
    rows = inside.any(axis=1)
    np.testing.assert_allclose(found.share[rows], risk[rows] / risk[rows].sum(axis=1, keepdims=True), atol=1e-12)
    assert found.factor.sum() == pytest.approx(1)


def test_effects_and_their_covariance_are_those_of_dummies() -> None:
    rng = np.random.default_rng(4)
    rows, columns = 12, 7
    total = rng.poisson(3.0, (rows, columns)).astype(float)
    exposure, open = rng.uniform(1, 9, (rows, columns)), rng.uniform(size=(rows, columns)) < 0.8
    assert not np.concatenate(obstacles(total, open)).any()
    row, column = np.nonzero(open)
    dummies = np.hstack([np.eye(rows)[row], np.eye(columns)[column][:, 1:]])
    reference = sm.GLM(total[open], dummies, family=sm.families.Poisson(), offset=np.log(exposure[open]))
    expected = reference.fit(tol=1e-14, maxiter=100)
    found = course(total, exposure, open)
    assert found is not None
    np.testing.assert_allclose(np.log(found.factor[1:] / found.factor[0]), expected.params[rows:], atol=1e-10)
    against_first = np.eye(columns)[1:] - np.eye(columns)[0]
    covariance = against_first @ found.inverse @ against_first.T
    np.testing.assert_allclose(covariance, expected.cov_params()[rows:, rows:], rtol=1e-8)


def test_one_row_is_solved_at_once() -> None:
    found = course(np.array([[2.0, 6.0, 0.0]]), np.array([[1.0, 2.0, 1.0]]), np.array([[True, True, False]]))
    assert found is not None
    np.testing.assert_allclose(found.factor, [0.4, 0.6, 0], atol=1e-15)
    assert found.known.tolist() == [True, True, False] and found.steps == 1


def test_very_unequal_columns_are_solved_too() -> None:
    total = np.array([[1e9, 1.0, 3.0], [2.0, 1e7, 1.0], [5.0, 0.0, 1e-3]])
    found = course(total, np.ones((3, 3)), np.ones((3, 3), dtype=bool))
    assert found is not None
    np.testing.assert_allclose(total.sum(axis=1) @ found.share, total.sum(axis=0), rtol=1e-7)  # of 4 in 1e9


def test_what_does_not_settle_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glm, "_MOST", 1)
    rng = np.random.default_rng(4)
    total, open = rng.poisson(3.0, (12, 7)).astype(float), rng.uniform(size=(12, 7)) < 0.6
    assert course(total, np.ones((12, 7)), open) is None
