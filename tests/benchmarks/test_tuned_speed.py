"""How fast what is chosen beside the weights is: V by nested search and λ by cross-validation, and the plain way."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import minimize, nnls

from impact.arrays import Float1, Float2, Int1
from impact.cells import Fit
from impact.estimators.augmented import AugmentedSyntheticControl
from impact.estimators.importance import choose
from impact.panel import Panel
from tests.benchmarks.conftest import Beside
from tests.benchmarks.test_placebo_speed import START, land
from tests.numerics.simplex_programs import by_clarabel

pytestmark = pytest.mark.benchmark

Race = Callable[..., None]
EVALUATIONS = 400
Predicted = tuple[Float2, Float1, Float2, Float1]


def predicted(donors: int, predictors: int, periods: int) -> Predicted:
    """Predictors and outcomes of donors and of one area, of four things that nobody sees; predictors standardised."""
    rng = np.random.default_rng(donors)
    unseen = rng.normal(size=(donors + 1, 4))
    traits = unseen @ rng.normal(size=(4, predictors)) + rng.normal(size=(donors + 1, predictors))
    outcomes = unseen @ rng.normal(size=(4, periods)).cumsum(axis=1) + 0.3 * rng.normal(size=(donors + 1, periods))
    traits, outcomes = traits.T / traits.std(axis=0, ddof=1)[:, None], outcomes.T
    return traits[:, 1:], traits[:, 0], outcomes[:, 1:], outcomes[:, 0]


def by_nelder_mead(a: Float2, b: Float1, outcomes: Float2, target: Float1) -> float:
    """The loss after one search from equal V, a general solver within; it is cut off after 400 evaluations."""
    apart = a - b[:, None]

    def loss(logarithms: Float1) -> float:
        v = np.exp(np.maximum(logarithms - logarithms.max(), -10.0))  # a general solver loses what counts for less
        weights = by_clarabel(np.sqrt(v / v.sum())[:, None] * apart, np.zeros(a.shape[1]), 0.0)
        return float(np.mean((target - outcomes @ weights) ** 2))

    begin = np.zeros(len(b))
    return float(minimize(loss, begin, method="Nelder-Mead", options={"maxfev": EVALUATIONS}).fun)


def no_worse(ours: float, theirs: float) -> None:
    """A general solver leaves a little in its weights, so its loss may come out below what these are worth."""
    assert ours <= theirs * (1 + 1e-4)


def test_nested_importance(race: Race) -> None:
    """Five searches that end by themselves, beside a part of one."""
    known = predicted(40, 6, 20)
    beside = Beside(
        f"Nelder-Mead over clarabel, one start, {EVALUATIONS} evaluations",
        lambda: by_nelder_mead(*known),
        no_worse,
        times=2,
    )
    race("nested V, 40 donors, 6 predictors, 5 starts", 0.3, lambda: choose(*known, 5).losses.min(), beside)


def augmented(panel: Panel) -> Float1:
    found = AugmentedSyntheticControl(lam="min").fit(panel)
    assert isinstance(found, Fit)
    (tuned,) = found.tuned
    return np.append(tuned.value, found.cells.effect[found.cells.post])


def plain(y: Float2) -> Float1:
    """λ of least error by leaving one period out in turn, weights by Lawson & Hanson: λ and the effects."""
    own, donors = y[0], y[1:]

    def program(before: Int1) -> tuple[Float2, Float1, Float2]:
        centre = donors[:, before].mean(axis=0)
        rows, wanted = (donors[:, before] - centre).T, own[before] - centre
        heavy = 1e4 * np.abs(rows).max()
        weights = nnls(np.vstack([rows, np.full(len(donors), heavy)]), np.append(wanted, heavy))[0]
        return rows, wanted - rows @ weights, weights

    def corrected(rows: Float2, miss: Float1, weights: Float1, lam: float) -> Float1:
        return np.asarray(weights + np.linalg.solve(rows @ rows.T + lam * np.eye(len(rows)), miss) @ rows)

    every = np.arange(START)
    rows, miss, weights = program(every)
    grid = np.linalg.norm(rows, 2) ** 2 * 1e-8 ** (np.arange(21) / 20)
    errors = np.zeros((START, len(grid)))
    for period in every:
        rest = program(np.delete(every, period))
        for at, lam in enumerate(grid):
            errors[period, at] = (own[period] - corrected(*rest, lam) @ donors[:, period]) ** 2
    lam = float(grid[np.argmin(errors.mean(axis=0))])
    return np.append(lam, (own - corrected(rows, miss, weights, lam) @ donors)[START:])


def the_same(ours: Float1, theirs: Float1) -> None:
    """As near as nnls keeps its sum."""
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-9)
    np.testing.assert_allclose(ours[1:], theirs[1:], atol=1e-3)


def test_augmented(race: Race) -> None:
    panel = land(3001, 1)
    beside = Beside("scipy nnls and numpy, period by period", lambda: plain(panel.y), the_same, times=3)
    race("augmented, λ by cross-validation, 3,000 donors", 0.5, lambda: augmented(panel), beside)
