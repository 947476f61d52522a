"""Prediction intervals of West Germany after reunification against the R package scpi 3.0.1.

What is not random is held to the digits that scpi's solver leaves in the weights (4e-7); its bounds of the error of
the outcome are the difference between its two intervals, which share their draws. The draws are other ones: with 200 of
them an end of the in-sample interval has a Monte-Carlo error of about 3 % of its length (from 12 seeds), in both.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from impact.arrays import Float2
from impact.errors import Refused
from impact.estimators.synthetic_control import SyntheticControl
from impact.inference.prediction import PredictionInterval
from impact.inference.prediction_errors import Comparison, Moments, active, outcome
from impact.inference.protocol import Found, Uncertainty, evaluate
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target
from tests.shared import golden, shared

CASE = "scpi_germany_simplex_outcome"
MOMENTS = Moments(order=1, lags=0, cointegrated=True, misspecified=True)
SOLVER = 1e-6  # what scpi's solver leaves in the weights, and twice over in what is computed from them
NOISE = 4 * np.sqrt(2) * 0.03  # four Monte-Carlo errors of a difference of two runs, in lengths of the interval


@pytest.fixture(scope="module")
def panel() -> Panel:
    frame = pd.read_csv(shared("reference/data/scpi_germany.csv"))[["country", "year", "gdp"]]
    frame["start"] = np.where(frame["country"] == "West Germany", 1991.0, np.nan)
    return Panel.from_frame(frame, unit="country", time="year", outcome="gdp", first_treated="start")


@pytest.fixture(scope="module")
def found(panel: Panel) -> Found:
    estimate = evaluate(SyntheticControl(), panel, Target("calendar"))
    assert isinstance(estimate, Found)
    return estimate


@pytest.fixture(scope="module")
def known(found: Found) -> Comparison:
    piece, pieces = found.fit.compared[0], found.fit.pieces
    assert pieces is not None
    return Comparison(
        piece.share @ found.panel.y[piece.rows],
        found.panel.y[piece.donors].T,
        pieces.unit[0][piece.donors],
        piece.before,
    )


def intervals(name: str) -> Float2:
    """(13, 2) ends of the interval for the untreated outcome."""
    values = golden(CASE)["results"]["inference_seed8894"][name]["values"]
    return np.array(values, dtype=np.float64)[:, :2]


def test_weights_and_paths(panel: Panel, found: Found, known: Comparison) -> None:
    expected = golden(CASE)["results"]
    donors = [panel.units[row] for row in found.fit.compared[0].donors]
    theirs = np.array([expected["w"][name] for name in donors])
    np.testing.assert_allclose(known.weights, theirs, atol=SOLVER)
    before = known.before
    assert np.sqrt(np.mean(known.residuals[before] ** 2)) == pytest.approx(expected["pre_rmse"], rel=1e-8)
    # Ours is the better fit: exact where scpi's solver stops.
    other = known.treated[before] - known.donors[before] @ (theirs / theirs.sum())
    assert np.sum(known.residuals[before] ** 2) <= np.sum(other**2) * (1 + 1e-12)
    np.testing.assert_allclose((known.treated - known.residuals)[31:], expected["Y_post_fit"], atol=2e-5)


def test_five_donors_are_active(panel: Panel, found: Found, known: Comparison) -> None:
    """France, with a weight of 0.03, is not told apart from 0: only so do the means of the errors agree."""
    inside, rho = active(known)
    names = {panel.units[row] for row in found.fit.compared[0].donors[inside]}
    assert names == {"Austria", "Italy", "Netherlands", "Switzerland", "USA"} and 0.0304 < rho < 0.0813


def test_bounds_of_the_error_of_the_outcome(known: Comparison) -> None:
    expected = intervals("CI_gaussian") - intervals("CI_insample")
    error = outcome(known, MOMENTS, "gaussian")
    assert not isinstance(error, Refused)
    low, high = error.bounds(0.05)
    np.testing.assert_allclose(np.column_stack([low, high])[31:], expected, atol=1e-5)


def test_intervals(panel: Panel, known: Comparison) -> None:
    """scpi's α of 0.05 for either error is a level of 0.9. Its interval is for the untreated outcome."""
    how = PredictionInterval(cointegrated=True, draws=200, level=0.9)
    ours = how.run(SyntheticControl(), panel, Target("calendar"), streams=Streams(1), parallel=Parallel())
    assert isinstance(ours, Uncertainty)
    untreated = known.treated[31:, None] - np.column_stack([ours.high, ours.low])[:13]
    inner = intervals("CI_insample")
    apart = np.abs(untreated - intervals("CI_gaussian")) / np.ptp(inner, axis=1)[:, None]
    assert apart.max() <= NOISE
    assert ours.failures == () and ours.draws == 200
