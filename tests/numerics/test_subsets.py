"""One coefficient in many regressions, against statsmodels refitted for every subset and every cluster left out."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import statsmodels.api as sm

from impact.numerics import subsets as module
from impact.numerics.subsets import subsets

RNG = np.random.default_rng(4)
N, CLUSTERS = 90, 9
CLUSTER = np.r_[np.arange(CLUSTERS), RNG.integers(0, CLUSTERS, N - CLUSTERS)]
# Columns of very different size: an income in euros beside shares.
X = np.column_stack(
    [RNG.random(N) < 0.4, np.ones(N), RNG.normal(30_000, 4_000, N), RNG.random(N), RNG.normal(size=N)]
).astype(float)
Y = RNG.normal(size=(N, 3)) + X[:, [0]]
WEIGHT = RNG.uniform(0.5, 2.0, N)
CHOSEN = [(1, *more) for count in range(4) for more in combinations((2, 3, 4), count)]


def test_every_subset_is_the_regression_and_its_literal_jackknife() -> None:
    found = subsets(X, Y, CLUSTER, CHOSEN, WEIGHT)
    for row, columns in enumerate(CHOSEN):
        x = X[:, [0, *columns]]
        for outcome in range(3):

            def fitted(keep: np.ndarray) -> float:
                return float(sm.WLS(Y[keep, outcome], x[keep], weights=WEIGHT[keep]).fit().params[0])  # noqa: B023

            full = fitted(np.ones(N, dtype=bool))
            away = np.array([fitted(g != CLUSTER) for g in range(CLUSTERS)]) - full
            assert found.estimate[row, outcome] == pytest.approx(full, rel=1e-8)
            error = np.sqrt((CLUSTERS - 1) / CLUSTERS * (away**2).sum())
            assert found.std_error[row, outcome] == pytest.approx(error, rel=1e-8)


def test_plain_numpy_says_the_same() -> None:
    gram, cross = module._sums(X / np.sqrt((X**2).sum(axis=0)), Y, WEIGHT, CLUSTER, CLUSTERS)
    columns = np.array([[*more, 0, 0, 0, 0][:4] for more in ([2, 0], [1, 2, 3, 0], [4, 1, 0])], dtype=np.intp)
    size = np.array([2, 4, 3], dtype=np.intp)
    both = [(np.empty((3, 3)), np.empty((3, 3))) for _ in range(2)]
    module._regressions(gram, cross, columns, size, estimate=both[0][0], variance=both[0][1])
    module._by_numpy(gram, cross, columns, size, estimate=both[1][0], variance=both[1][1])
    np.testing.assert_allclose(both[0], both[1], rtol=1e-9)


def test_columns_that_follow_from_others_give_no_number() -> None:
    x = np.column_stack([X, X[:, 2] * 2 + 3 * X[:, 1], CLUSTER == 3])
    found = subsets(x, Y, CLUSTER, [(1, 2), (1, 2, 5), (1, 6)])
    assert np.isfinite(found.estimate[0]).all() and np.isfinite(found.std_error[0]).all()
    assert np.isnan(found.estimate[1]).all() and np.isnan(found.std_error[1]).all()
    # Without cluster 3 its own column is empty: an estimate, and no error.
    assert np.isfinite(found.estimate[2]).all() and np.isnan(found.std_error[2]).all()


def test_what_cannot_be_is_refused() -> None:
    for wrong in ([(1, 1)], [(0, 1)], [(1, 9)]):
        with pytest.raises(ValueError, match="each once"):
            subsets(X, Y, CLUSTER, wrong)
    with pytest.raises(ValueError, match="finite"):
        subsets(X, np.where(Y > 0, np.nan, Y), CLUSTER, [(1,)])
