"""The multiplier bootstrap of R `did` 2.5.1, with 20,000 draws, against the scores and the bands of this package.

Claimed here: ``did_mpdta_dr_lpop_multiplierboot``, in two steps. A literal bootstrap of our scores, with the weights
and the interquartile errors that R uses, gives R's errors and critical values up to the error of R's draws. (The file
says that R's weights are Mammen's. They are random signs: with Mammen's the errors of small groups would be some five
per cent smaller, which the tolerance tells apart.) The same bootstrap with normal weights gives ours, which are drawn
without going through the units.

The two differ: 20 of 500 counties carry the later effects, so that random signs are not normal there and the
interquartile range is wider than the analytic error, while the critical value is smaller. What comes of both, the width
of the band, is within eight per cent of R's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from impact.estimators.group_time import GroupTime
from impact.inference.multiplier import Multiplier, critical
from impact.inference.protocol import Found, Uncertainty
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target
from tests.golden.test_group_time import cell_scores, counties, found
from tests.shared import golden

DRAWS = 100_000
# Quartiles of 20,000 normal draws give an error with a relative error of 0.8 %; four of these.
ERROR = 0.033
# A 95 % point of the largest of a dozen has a standard error of 0.010 in 20,000 draws; four of these, and ours.
CRITICAL = 0.045
# How far the width of the bands may lie apart, see above.
BAND = 0.08


@cache
def reference() -> dict[str, Any]:
    results: dict[str, Any] = golden("did_mpdta_dr_lpop_multiplierboot")["results"]
    return results


@cache
def event() -> Found:
    return found(GroupTime(), counties(covariate="lpop"), Target("event"))[0]


def scores(which: str) -> np.ndarray:
    """(G, m) of the cells, or of the event times without their mean."""
    terms = event().effects.scores
    assert terms is not None
    return cell_scores(event()) if which == "att_gt" else terms[:, :-1]


def bootstrap(scores: np.ndarray, weights: Callable[[Any, tuple[int, int]], np.ndarray]) -> tuple[np.ndarray, float]:
    """Interquartile errors, and the 95 % point of the largest draw over its error."""
    rng = np.random.default_rng(20240901)
    draws = np.concatenate([weights(rng, (5000, len(scores))) @ scores for _ in range(DRAWS // 5000)])
    low, high = np.quantile(draws, [0.25, 0.75], axis=0)
    # The distance between the quartiles of a standard normal variable.
    error = (high - low) / 1.3489795
    return error, float(np.quantile(np.abs(draws / error).max(axis=1), 0.95))


def signs(rng: Any, shape: tuple[int, int]) -> np.ndarray:
    return rng.integers(0, 2, shape) * 2.0 - 1.0


def normal(rng: Any, shape: tuple[int, int]) -> np.ndarray:
    return rng.standard_normal(shape)


def theirs(which: str) -> tuple[np.ndarray, float]:
    if which == "att_gt":
        return np.array(reference()["att_gt"]["se"]), float(reference()["uniform_crit"])
    return np.array(reference()["dynamic"]["se_egt"]), float(reference()["dynamic"]["crit"])


@pytest.mark.parametrize("which", ["att_gt", "dynamic"])
def test_random_signs_on_our_scores_give_the_numbers_of_r(which: str) -> None:
    error, reach = bootstrap(scores(which), signs)
    expected, theirs_reach = theirs(which)
    np.testing.assert_allclose(error, expected, rtol=ERROR)
    assert reach == pytest.approx(theirs_reach, abs=CRITICAL)


@pytest.mark.parametrize("which", ["att_gt", "dynamic"])
def test_normal_weights_on_our_scores_give_our_critical_value(which: str) -> None:
    own = scores(which)
    error, reach = bootstrap(own, normal)
    np.testing.assert_allclose(error, np.sqrt((own**2).sum(axis=0)), rtol=ERROR)
    drawn = critical(own.T @ own, np.inf, 0.95, DRAWS, np.random.default_rng(1))
    assert drawn.value == pytest.approx(reach, abs=4 * np.hypot(drawn.mc_error, 0.006))


def test_the_estimates_and_the_width_of_the_band_are_those_of_r() -> None:
    expected, reach = theirs("dynamic")
    np.testing.assert_allclose(event().effects.estimate[:-1], reference()["dynamic"]["att_egt"], atol=1e-6)
    ours = Multiplier().run(
        GroupTime(), counties(covariate="lpop"), Target("event"), streams=Streams(1), parallel=Parallel(), full=event()
    )
    assert isinstance(ours, Uncertainty) and ours.band is not None
    assert ours.band.inside.tolist() == [True] * 7 + [False]
    width = (ours.band.high - ours.band.low)[:-1] / 2
    np.testing.assert_allclose(width, reach * expected, rtol=BAND)
