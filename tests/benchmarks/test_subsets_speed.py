"""Speed of a specification curve: one coefficient in many regressions on subsets of the same columns."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import statsmodels.api as sm

from impact.numerics.subsets import Subsets, subsets
from tests.benchmarks.conftest import Beside
from tests.benchmarks.test_speed import Race

pytestmark = pytest.mark.benchmark

UNITS, CLUSTERS, OUTCOMES, FEW = 3_000, 342, 15, 50
RNG = np.random.default_rng(7)
X = np.column_stack([RNG.random(UNITS) < 0.03, np.ones(UNITS), RNG.normal(size=(UNITS, 10))]).astype(float)
Y = RNG.normal(size=(UNITS, OUTCOMES))
CLUSTER = np.r_[np.arange(CLUSTERS), RNG.integers(0, CLUSTERS, UNITS - CLUSTERS)]
CHOSEN = [(1, *(column + 2 for column in range(10) if number >> column & 1)) for number in range(1_000)]


def one_by_one(sets: list[tuple[int, ...]]) -> np.ndarray:
    """Fits by statsmodels, which gives the cheaper CR1 errors."""
    return np.array(
        [
            [
                sm.OLS(y, X[:, [0, *columns]]).fit(cov_type="cluster", cov_kwds={"groups": CLUSTER}).params[0]
                for y in Y.T
            ]
            for columns in sets
        ]
    )


def alike(ours: Subsets, theirs: np.ndarray) -> None:
    np.testing.assert_allclose(ours.estimate[: len(theirs)], theirs, atol=1e-10)


def test_a_thousand_covariate_sets(race: Race) -> None:
    ours = partial(subsets, X, Y, CLUSTER, CHOSEN)
    # The peer does 1 in 20 of the work, without the jackknife.
    beside = Beside(f"statsmodels (CR1), {FEW} sets of 1,000", partial(one_by_one, CHOSEN[:FEW]), alike, 1)
    race("1,000 covariate sets × 15 indicators, with cluster jackknife", 1.0, ours, beside)
