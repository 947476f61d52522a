"""The logit and the balancing odds against statsmodels, scipy and their own equations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import optimize

from impact.numerics.propensity import Part, expit, logit, separating, tilting

# Both are solved to rounding; statsmodels too, when it is asked to go on until the coefficients stand still.
NEAR = 1e-10


def sides(seed: int = 1, count: int = 400, shift: float = 0.7, p: int = 3) -> tuple[Part, Part]:
    rng = np.random.default_rng(seed)
    parts = []
    for size, move in ((count // 4, shift), (count, 0.0)):
        x = np.column_stack([np.ones(size), rng.normal(size=(size, p)) + move * np.arange(1, p + 1) / p])
        parts.append((x, rng.uniform(0.2, 3.0, size)))
    return parts[0], parts[1]


@pytest.mark.parametrize("seed", range(5))
def test_the_logit_is_that_of_statsmodels(seed: int) -> None:
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM

    treated, controls = sides(seed)
    d = np.r_[np.ones(len(treated[1])), np.zeros(len(controls[1]))]
    model = GLM(d, np.vstack([treated[0], controls[0]]), family=Binomial(), var_weights=np.r_[treated[1], controls[1]])
    theirs = model.fit(maxiter=100, tol=1e-13, tol_criterion="params").params
    gamma = logit([treated], [controls])
    assert gamma is not None
    np.testing.assert_allclose(gamma, theirs, atol=NEAR, rtol=0)


@pytest.mark.parametrize("seed", range(5))
def test_tilting_balances_and_is_the_minimum(seed: int) -> None:
    """Balance to 1e-10 of the treated weight, and the loss that scipy finds is no lower."""
    treated, controls = sides(seed)
    gamma = tilting([treated], [controls])
    assert gamma is not None
    odds = controls[1] * np.exp(controls[0] @ gamma)
    aim = treated[1] @ treated[0]
    np.testing.assert_allclose(odds @ controls[0], aim, atol=1e-10 * treated[1].sum(), rtol=0)

    def loss(other: np.ndarray) -> float:
        return float(controls[1] @ np.exp(controls[0] @ other) - aim @ other)

    theirs = optimize.minimize(loss, np.zeros(len(gamma)), method="BFGS", options={"gtol": 1e-6})
    assert loss(gamma) <= theirs.fun + 1e-12 * abs(theirs.fun)
    np.testing.assert_allclose(gamma, theirs.x, atol=1e-5)  # BFGS stops at a gradient of about 1e-6


@pytest.mark.parametrize("fit", [logit, tilting])
def test_parts_are_as_good_as_the_whole_and_weights_as_copies(fit: Any) -> None:
    treated, controls = sides()
    whole = fit([treated], [controls])
    cut = [(controls[0][:90], controls[1][:90]), (controls[0][90:], controls[1][90:])]
    np.testing.assert_allclose(fit([treated], cut), whole, atol=NEAR, rtol=0)
    ones = [(x, np.ones(len(x))) for x, _ in (treated, controls)]
    twice = (np.vstack([ones[1][0], ones[1][0]]), np.ones(2 * len(ones[1][0])))
    double = (ones[1][0], 2 * ones[1][1])
    np.testing.assert_allclose(fit([ones[0]], [twice]), fit([ones[0]], [double]), atol=NEAR, rtol=0)


def one(values: list[float], *more: list[float]) -> Part:
    columns = [np.array(column) for column in (values, *more)]
    return np.column_stack([np.ones(len(values)), *columns]), np.ones(len(values))


def test_a_rare_treatment_that_few_look_like_by_hand() -> None:
    """A thousand rows at 0 and two at 1, one treated at each: a plain Newton step from equal odds makes the index of
    the two jump by 300. Saturated, so the answers are counts: 1 of 1000 and 1 of 2."""
    treated, controls = one([0.0, 1.0]), one([0.0] * 999 + [1.0])
    gamma = logit([treated], [controls])
    assert gamma is not None
    np.testing.assert_allclose(gamma, [-np.log(999), np.log(999)], rtol=1e-12)


def test_odds_far_from_equal_by_hand() -> None:
    """A thousand controls at 0 and one at 1, nine tenths of the ten treated at 1: the odds are 1 / 1000 and 9."""
    gamma = tilting([one([0.0] + [1.0] * 9)], [one([0.0] * 1000 + [1.0])])
    assert gamma is not None
    np.testing.assert_allclose(np.exp([gamma[0], gamma.sum()]), [1e-3, 9.0], rtol=1e-12)


def test_separation_has_no_answer() -> None:
    """A split, a split with ties at the border (every treated unit has the dummy), and one that two columns make."""
    assert logit([one([1.0, 2.0])], [one([3.0, 4.0, 5.0])]) is None
    assert logit([one([1.0, 1.0])], [one([1.0, 0.0, 0.0])]) is None
    assert logit([one([0.0, 2.0], [2.0, 0.0])], [one([0.0, 1.0, -1.0], [0.0, -1.0, 1.0])]) is None
    # One control on the other side, and there is an answer again.
    assert logit([one([1.0, 2.0])], [one([0.0, 3.0, 4.0, 5.0])]) is not None


def test_balance_asks_only_that_the_mean_lies_among_the_controls() -> None:
    """The treated reach beyond the controls, which a logit need not mind either; then their mean does."""
    assert tilting([one([0.0, 6.0])], [one([1.0, 4.0, 5.0])]) is not None
    assert tilting([one([5.0, 6.0])], [one([1.0, 4.0, 5.0])]) is None
    # The border itself is reached by no positive weights of all controls.
    assert tilting([one([5.0])], [one([1.0, 4.0, 5.0])]) is None


def test_who_separates_is_named() -> None:
    rng = np.random.default_rng(3)
    n, m = 12, 30
    x, z, noise = rng.normal(size=(3, n + m))
    d = np.r_[np.ones(n, dtype=bool), np.zeros(m, dtype=bool)]

    def split(*columns: np.ndarray) -> tuple[list[Part], list[Part]]:
        table = np.column_stack([np.ones(n + m), *columns])
        return [(table[d], np.ones(n))], [(table[~d], np.ones(m))]

    alone = np.where(d, 3.0, -3.0) + 0.1 * x
    also = np.where(d, -3.0, 3.0) + 0.1 * z
    assert separating(*split(noise, alone, z), logit) == ([2], True)
    assert separating(*split(also, noise, alone), logit) == ([1, 3], True)
    # x + z splits, neither does alone; the third column has no part in it.
    together = np.where(d, 2.0, -2.0) + 5 * x
    assert separating(*split(together, noise, -x), logit) == ([1, 3], False)


def test_strong_but_not_separated_is_estimated() -> None:
    """Overlap of a few rows in ten thousand, and a treated group of ten: coefficients are large and finite."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=20_000)
    d = rng.uniform(size=20_000) < expit(12 * x)
    gamma = logit([one(x[d].tolist())], [one(x[~d].tolist())])
    assert gamma is not None
    assert gamma[1] == pytest.approx(12, abs=1.5)
    rare = logit([one(rng.normal(2.0, 1.0, 10).tolist())], [one(rng.normal(size=50_000).tolist())])
    assert rare is not None
    assert rare[1] == pytest.approx(2, abs=1.5)
