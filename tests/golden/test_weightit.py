"""Weighting against WeightIt 0.14.2 (R) on the Lalonde data.

WeightIt leaves weights in several scales; ours have mean 1 in either group, so theirs are put to that first.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import impact
from impact.design.weighting import Weighted
from tests.shared import golden, shared

ON: list[Any] = ["age", "educ", {"category": "race"}, "married", "nodegree", "re74", "re75"]

# R stops the logit when the deviance changes by less than 1e-8 of itself; that much is left in the log odds.
SCORE = 1e-7
# Their entropy balancing is a general minimiser, stopped early; how early shows in the balance they leave.
STOPPED = 3e-3


@cache
def lalonde() -> pd.DataFrame:
    return pd.read_csv(shared("reference/data/lalonde.csv")).set_index("id")


def weighted(method: str, estimand: str) -> Weighted:
    found = impact.match(lalonde(), treated="treat", on=ON, method=method, estimand=estimand)  # type: ignore[arg-type]
    assert isinstance(found, Weighted), found
    return found


def theirs(name: str) -> pd.Series[float]:
    weights = pd.Series(golden(name)["results"]["weights"], dtype=float)[lalonde().index]
    return weights / weights.groupby(lalonde()["treat"]).transform("mean")


def far(weights: pd.Series[float], aimed: pd.DataFrame) -> float:
    """Standard deviations by which the means of either group miss those of `aimed`, at most."""
    x = pd.get_dummies(lalonde().drop(columns=["treat", "re78"]), dtype=float)
    target = pd.get_dummies(aimed, dtype=float)[x.columns].mean()
    return max(
        float((np.abs(np.average(x[group], axis=0, weights=weights[group]) - target) / x.std()).max())
        for group in (lalonde()["treat"] == 1, lalonde()["treat"] == 0)
    )


def aimed(estimand: str) -> pd.DataFrame:
    frame = lalonde().drop(columns=["re78"])
    return {"ATT": frame[frame["treat"] == 1], "ATC": frame[frame["treat"] == 0], "ATE": frame}[estimand]


@pytest.mark.parametrize(
    ("name", "method", "estimand"),
    [
        ("weightit_glm_ATT", "inverse-probability", "ATT"),
        ("weightit_glm_ATC", "inverse-probability", "ATC"),
        ("weightit_glm_ATE", "inverse-probability", "ATE"),
        ("weightit_glm_ATM", "overlap", "ATM"),
    ],
)
def test_weights_of_the_score(name: str, method: str, estimand: str) -> None:
    found, results = weighted(method, estimand), golden(name)["results"]
    np.testing.assert_allclose(found.weights, theirs(name), rtol=SCORE)
    assert found.score is not None
    scores = pd.Series(results["ps"])[lalonde().index]
    np.testing.assert_allclose(1 / (1 + np.exp(-found.score)), scores, rtol=SCORE)
    for group in ("treated", "control"):
        assert found.effective[group] == pytest.approx(results["ess"][group.capitalize()][1], rel=SCORE)


@pytest.mark.parametrize("estimand", ["ATT", "ATC", "ATE"])
def test_entropy(estimand: str) -> None:
    name = f"weightit_ebal_{estimand}"
    found, expected = weighted("entropy", estimand), theirs(name)
    np.testing.assert_allclose(found.weights, expected, rtol=STOPPED)
    # The difference is theirs: we meet the means, and they nearly do.
    assert far(found.weights, aimed(estimand)) < 1e-10 < 1e-7 < far(expected, aimed(estimand)) < 1e-3
    for group in ("treated", "control"):
        assert found.effective[group] == pytest.approx(
            golden(name)["results"]["ess"][group.capitalize()][1], rel=STOPPED
        )


@pytest.mark.parametrize(
    ("name", "method", "estimand", "within"),
    [
        ("weightit_glm_ATT", "inverse-probability", "ATT", SCORE),
        ("weightit_glm_ATM", "overlap", "ATM", SCORE),
        ("weightit_glm_ATE", "inverse-probability", "ATE", 1e-6),  # two large means nearly cancel
        ("weightit_ebal_ATT", "entropy", "ATT", 1e-4),
    ],
)
def test_effects(name: str, method: str, estimand: str, within: float) -> None:
    found, y = weighted(method, estimand), lalonde()["re78"]
    means = [np.average(y[group], weights=found.weights[group]) for group in (found.treated, ~found.treated)]
    assert means[0] - means[1] == pytest.approx(golden(name)["results"]["outcome"]["est"], rel=within)
