"""Matching against MatchIt 4.7.1 (R) on the Lalonde data.

Many people in these data are alike in every covariate, so several pairs are often equally near, and MatchIt takes
another of them than we do. A result of MatchIt is therefore held to our distances (whatever it took was the nearest
that was left, in the same order of choice), totals are compared, and weights are compared where ties do not reach them.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

import impact
from impact.design.matched import Matched
from tests.shared import golden, shared

# R stops when the deviance changes by less than 1e-8 of itself, which leaves this much in log odds, and more in the
# probit, whose steps are not Newton's.
SCORE = 1e-7
PROBIT = 5e-6
ROUNDING = 1e-10

ON: list[Any] = ["age", "educ", {"category": "race"}, "married", "nodegree", "re74", "re75"]
PROBABILITY = "propensity-probability"


@cache
def lalonde() -> pd.DataFrame:
    """One row per person, numbered: ties go by row then, as they do in MatchIt among the treated."""
    return pd.read_csv(shared("reference/data/lalonde.csv"))


def by_row(named: dict[str, Any]) -> pd.Series[Any]:
    """What MatchIt says of every person, in the order of the table."""
    frame = lalonde()
    return pd.Series([named[person] for person in frame["id"]], index=frame.index)


def matched(frame: pd.DataFrame, **asked: Any) -> Matched:
    found = impact.match(frame, **{"treated": "treat", "on": ON, **asked})
    assert isinstance(found, Matched), found
    return found


def theirs(results: dict[str, Any]) -> list[list[str]]:
    """Rows of the controls of every treated person, in the order of the table and of their choice."""
    matrix = results["match_matrix"]
    chosen = dict(zip(matrix["treated"], matrix["match"], strict=True))
    frame = lalonde()
    row = {person: str(number) for number, person in enumerate(frame["id"])}
    return [[row[name] for name in chosen[person] if name] for person in frame["id"][frame["treat"] == 1]]


CASES: dict[str, dict[str, Any]] = {
    "matchit_nn_glm": {"distance": PROBABILITY, "replace": False},
    "matchit_nn_glm_mo_data": {"distance": PROBABILITY, "replace": False, "order": "data"},
    "matchit_nn_glm_exact": {"distance": PROBABILITY, "replace": False, "exact": ["race", "married"]},
    "matchit_nn_glm_linear_caliper": {"distance": "propensity", "replace": False, "caliper": 0.2},
    "matchit_nn_glm_ratio2": {"distance": PROBABILITY, "replace": False, "ratio": 2},
    "matchit_nn_glm_probit": {"distance": "probit", "replace": False},
    "matchit_nn_glm_replace": {"distance": PROBABILITY},
    "matchit_nn_glm_replace_ratio2": {"distance": PROBABILITY, "ratio": 2},
    "matchit_nn_mahal": {"replace": False, "order": "data"},
    "matchit_nn_mahal_replace": {},
    "matchit_nn_mahalvars_caliper": {
        "on": ["age", "educ", "re74", "re75"],
        "propensity_on": ON,
        "caliper": {PROBABILITY: 0.25},
        "replace": False,
    },
    "matchit_nn_scaledeuc": {"distance": "scaled-euclidean", "replace": False, "order": "data"},
}


def case(name: str) -> tuple[dict[str, Any], Matched]:
    results = golden(name)["results"]
    frame = lalonde()
    if name == "matchit_nn_glm_probit":  # a score of one's own: theirs, which the next test holds to statsmodels
        frame = frame.assign(probit=by_row(results["distance"]))
    return results, matched(frame, **CASES[name])


@pytest.mark.parametrize("name", ["matchit_nn_glm", "matchit_nn_glm_linear_caliper"])
def test_scores(name: str) -> None:
    results, found = case(name)
    assert found.score is not None
    np.testing.assert_allclose(found.score, by_row(results["distance"]), rtol=0, atol=SCORE)


def test_the_probit_of_the_reference_is_that_of_statsmodels() -> None:
    import statsmodels.api as sm

    frame = lalonde()
    x = frame[["age", "educ", "married", "nodegree", "re74", "re75"]].assign(
        one=1.0, black=frame["race"] == "black", hispan=frame["race"] == "hispan"
    )
    scale = x.abs().max()
    fit = sm.Probit(frame["treat"], (x / scale).astype(float)).fit(disp=0, tol=1e-12)
    expected = by_row(golden("matchit_nn_glm_probit")["results"]["distance"])
    np.testing.assert_allclose(fit.predict(), expected, rtol=0, atol=PROBIT)


@pytest.mark.parametrize("name", CASES)
def test_whoever_matchit_took_was_the_nearest_that_was_left(name: str) -> None:
    results, found = case(name)
    assert found.match is not None
    away, units = found.match.distance, list(found.match.units)
    asked = CASES[name]
    allowed = np.ones(away.shape, dtype=bool)
    frame = lalonde()
    here, there = frame[frame["treat"] == 1], frame[frame["treat"] == 0]
    for column in asked.get("exact", ()):
        allowed &= here[column].to_numpy()[:, None] == there[column].to_numpy()[None, :]
    if results["caliper"]:
        score = by_row(results["distance"])
        width = results["caliper"]["1"]
        assert list(found.calipers.values()) == [pytest.approx(width, rel=SCORE)]
        allowed &= np.abs(score[here.index].to_numpy()[:, None] - score[there.index].to_numpy()[None, :]) <= width
    turns = np.arange(len(here))
    if "replace" in asked and "order" not in asked:
        turns = np.argsort(-by_row(results["distance"])[here.index].to_numpy(), kind="stable")
    chosen, free = theirs(results), np.ones(away.shape, dtype=bool)
    for place in range(asked.get("ratio", 1)):
        for one in turns:
            left = allowed[one] & free[one]
            if len(chosen[one]) <= place:
                assert not left.any()
                continue
            taken = units.index(chosen[one][place])
            assert left[taken]
            assert away[one, taken] <= away[one][left].min() + ROUNDING + (SCORE if results.get("distance") else 0)
            free[one if "replace" not in asked else slice(None), taken] = False


@pytest.mark.parametrize("name", CASES)
def test_totals(name: str) -> None:
    results, found = case(name)
    assert found.match is not None
    units = list(found.match.units)
    chosen = theirs(results)
    total = sum(found.match.distance[one, units.index(name)] for one, names in enumerate(chosen) for name in names)
    assert len(found.pairs) == sum(map(len, chosen))
    if name == "matchit_nn_scaledeuc":  # a tie that was broken otherwise changes who is left for later ones
        assert found.total_distance == pytest.approx(total, rel=1e-3)
        assert found.total_distance <= total
    else:
        assert found.total_distance == pytest.approx(total, rel=1e-9)


GREEDY = [name for name in CASES if "_glm" in name and "replace" not in name] + ["matchit_nn_mahalvars_caliper"]


@pytest.mark.parametrize("name", GREEDY)
def test_weights_of_greedy_matches(name: str) -> None:
    results, found = case(name)
    np.testing.assert_allclose(found.weights, by_row(results["weights"]), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("name", [name for name in CASES if name.endswith(("replace", "replace_ratio2"))])
def test_weights_with_replacement(name: str) -> None:
    """Who is alike in every covariate shares a weight, as MatchIt may take another of them every time."""
    results, found = case(name)
    frame = lalonde()
    control = frame["treat"] == 0
    ours, expected = found.weights, by_row(results["weights"]).astype(float)
    assert (ours[~control] == 1).all()
    shares = []
    for one in (ours[control], expected[control]):
        assert one.sum() == pytest.approx((one > 0).sum())
        alike = frame[control].groupby(["age", "educ", "race", "married", "nodegree", "re74", "re75"])
        shares.append((one / one.sum()).groupby(alike.ngroup()).sum())
    np.testing.assert_allclose(shares[0], shares[1], rtol=0, atol=ROUNDING)


def test_optimal_is_no_worse() -> None:
    results = golden("matchit_optimal_glm")["results"]
    found = matched(lalonde(), method="optimal", distance=PROBABILITY)
    assert found.match is not None
    units = list(found.match.units)
    chosen = theirs(results)
    total = sum(found.match.distance[one, units.index(name)] for one, (name,) in enumerate(chosen))
    assert len(found.pairs) == len(chosen) == 185
    assert found.total_distance is not None
    # optmatch solves in whole numbers and is allowed a thousandth.
    assert total * (1 - 1e-3) <= found.total_distance <= total


@pytest.mark.parametrize(
    ("name", "method", "on"),
    [
        ("matchit_exact", "exact", ["race", "married", "nodegree"]),
        ("matchit_cem", "coarsened-exact", ["age", "educ", "race", "married", "nodegree", "re74", "re75"]),
    ],
)
def test_strata(name: str, method: str, on: list[str]) -> None:
    results = golden(name)["results"]
    frame = lalonde()
    found = matched(frame, method=method, on=on)
    np.testing.assert_allclose(found.weights, by_row(results["weights"]).astype(float), rtol=0, atol=ROUNDING)
    sets = by_row(results["subclass"])
    assert found.sets is not None
    assert (found.sets.isna() == sets.isna()).all()
    both = pd.crosstab(found.sets, sets) > 0
    assert (both.sum() == 1).all()
    assert (both.sum(axis=1) == 1).all()
