"""Group-time effects against R `did` 2.5.1 (with DRDID 1.2.3): every effect, error, covariance and aggregate.

Claimed here: ``did_mpdta_{dr,ipw,reg}_*`` (the 48 of control × covariates × anticipation × base),
``did_mpdta_clusterstate_*``, ``did_mpdta_weights_*`` and ``did_mpdta_aggte_options``.

What R reports and this package does not: the base cell of a universal base (an effect of 0 without an error), the Wald
pre-test, and the option ``balance_e``; the numbers of the last follow here from a window over the right cohorts.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from impact.estimators.group_time import GroupTime
from impact.inference.cluster import Scores
from impact.inference.protocol import Found, Uncertainty, evaluate
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Kind, Target
from tests.shared import golden, shared

# Without covariates nothing iterates: what remains is rounding.
EXACT = 1e-8
# With covariates both sides iterate a logit; R's glm stops when the deviance moves by less than 1e-8 of itself.
ITERATED = 1e-6

CONTROLS = {"nevertreated": "never", "notyettreated": "not-yet"}
AGGREGATES: tuple[tuple[Kind, str, str], ...] = (
    ("average", "simple", "average"),
    ("event", "dynamic", "mean"),
    ("cohort", "group", "mean"),
    ("calendar", "calendar", "mean"),
)
MATRIX = [
    (method, control, covariate, anticipation, base)
    for method in ("dr", "ipw", "reg")
    for control in CONTROLS
    for covariate in ("none", "lpop")
    for anticipation in (0, 1)
    for base in ("varying", "universal")
]


@cache
def table(name: str) -> pd.DataFrame:
    return pd.read_csv(shared(f"reference/data/{name}"))


def counties(data: str = "mpdta.csv", covariate: str = "none", **columns: str) -> Panel:
    return Panel.from_frame(
        table(data),
        unit="countyreal",
        time="year",
        outcome="lemp",
        first_treated="first.treat",
        covariates=[] if covariate == "none" else [covariate],
        **columns,
    )


def found(estimator: GroupTime, panel: Panel, target: Target) -> tuple[Found, Uncertainty]:
    answer = evaluate(estimator, panel, target)
    assert isinstance(answer, Found), answer
    uncertainty = Scores().run(estimator, panel, target, streams=Streams(1), parallel=Parallel(), full=answer)
    assert isinstance(uncertainty, Uncertainty), uncertainty
    return answer, uncertainty


def cell_scores(answer: Found) -> np.ndarray:
    scores = answer.fit.cells.scores
    assert scores is not None
    return scores.at(np.eye(len(answer.fit.cells.effect)))


def assert_all_as_in_r(panel: Panel, estimator: GroupTime, results: dict[str, Any], near: float) -> None:
    assert_cells(found(estimator, panel, Target("average"))[0], results["att_gt"], near)
    for kind, key, overall in AGGREGATES:
        assert_terms(*found(estimator, panel, Target(kind)), results[f"aggte_{key}"], overall, near)


def assert_cells(answer: Found, expected: dict[str, Any], near: float) -> None:
    """Every ATT(g, t), its error, and the covariance of all of them; R's base cells have neither error nor content."""
    panel, cells = answer.panel, answer.fit.cells
    place = {
        (int(panel.periods[int(cohort)]), int(panel.periods[period])): number
        for number, (cohort, period) in enumerate(zip(cells.cohort, cells.period, strict=True))
    }
    real = [number for number, error in enumerate(expected["se"]) if error is not None]
    order = [place.pop((expected["group"][number], expected["time"][number])) for number in real]
    assert place == {}, "cells that R does not have"
    assert all(expected["att"][number] == 0 for number in range(len(expected["se"])) if number not in real)

    def theirs(name: str) -> np.ndarray:
        return np.array(expected[name], dtype=float)[real]

    covariance = cell_scores(answer).T @ cell_scores(answer)
    np.testing.assert_allclose(cells.effect[order], theirs("att"), atol=near, rtol=0)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance))[order], theirs("se"), atol=near, rtol=0)
    # R's field holds V itself; the covariance of the estimates is V / n.
    v = np.array(expected["vcov_V_over_n"], dtype=float)[np.ix_(real, real)]
    np.testing.assert_allclose(covariance[np.ix_(order, order)], v / expected["n"], atol=near, rtol=0)


def assert_terms(answer: Found, uncertainty: Uncertainty, expected: dict[str, Any], overall: str, near: float) -> None:
    """Every term with its error, and the overall number; no term may be ours alone.

    R also gives an error to a term that rests on one or two treated clusters. Here that is refused; the scores are R's.
    """
    assert answer.effects.scores is not None
    estimate = dict(zip(answer.effects.terms, answer.effects.estimate, strict=True))
    analytic = np.sqrt((answer.effects.scores**2).sum(axis=0))
    few = uncertainty.treated_clusters <= 2
    assert (np.isnan(uncertainty.std_error) == few).all()
    np.testing.assert_allclose(uncertainty.std_error[~few], analytic[~few], rtol=1e-12)
    error = dict(zip(answer.effects.terms, analytic, strict=True))
    assert estimate.pop(overall) == pytest.approx(expected["overall_att"], abs=near)
    assert error.pop(overall) == pytest.approx(expected["overall_se"], abs=near)
    names = expected["egt"] or []
    names = names if isinstance(names, list) else [names]
    for name, att, se in zip(names, expected["att_egt"] or [], expected["se_egt"] or [], strict=True):
        if se is None:
            assert str(name) not in estimate
            continue
        assert estimate.pop(str(name)) == pytest.approx(att, abs=near)
        assert error[str(name)] == pytest.approx(se, abs=near)
    assert estimate == {}, "terms that R does not have"


@pytest.mark.parametrize(("method", "control", "covariate", "anticipation", "base"), MATRIX)
def test_mpdta(method: Any, control: str, covariate: str, anticipation: int, base: Any) -> None:
    results = golden(f"did_mpdta_{method}_{control}_{covariate}_ant{anticipation}_{base}")["results"]
    estimator = GroupTime(control=CONTROLS[control], method=method, anticipation=anticipation, base=base)
    assert_all_as_in_r(counties(covariate=covariate), estimator, results, EXACT if covariate == "none" else ITERATED)


@pytest.mark.parametrize("covariate", ["none", "lpop"])
def test_errors_clustered_by_state(covariate: str) -> None:
    results = golden(f"did_mpdta_clusterstate_dr_nevertreated_{covariate}")["results"]
    panel = counties("mpdta_cluster.csv", covariate, cluster="stateclu")
    assert_all_as_in_r(panel, GroupTime(), results, EXACT if covariate == "none" else ITERATED)


@pytest.mark.parametrize(
    ("name", "covariate", "estimator", "near"),
    [
        ("dr_nevertreated_lpop", "lpop", GroupTime(), ITERATED),
        ("ipw_notyet_none", "none", GroupTime(control="not-yet", method="ipw"), EXACT),
    ],
)
def test_sampling_weights(name: str, covariate: str, estimator: GroupTime, near: float) -> None:
    results = golden(f"did_mpdta_weights_{name}")["results"]
    assert_all_as_in_r(counties("mpdta_cluster.csv", covariate, weight="w"), estimator, results, near)


def test_every_influence_function() -> None:
    """R's influence function is n times the score: its mean square over n is the variance."""
    results = golden("did_mpdta_dr_nevertreated_lpop_ant0_varying")["results"]
    answer, _ = found(GroupTime(), counties(covariate="lpop"), Target("average"))
    rows = [answer.panel.units.index(name) for name in results["inffunc"]["rownames"]]
    assert len(rows) == len(answer.panel.units) == 500
    # R keeps 15 digits of numbers up to 25: the same relative closeness as for the effects.
    np.testing.assert_allclose(
        500 * cell_scores(answer)[rows], results["inffunc"]["matrix"], atol=25 * ITERATED, rtol=0
    )


def test_the_event_window_is_that_of_min_e_and_max_e() -> None:
    expected = golden("did_mpdta_aggte_options")["results"]["window"]
    assert_terms(*found(GroupTime(), counties(), Target("event", window=("-2", "2"))), expected, "mean", EXACT)


@pytest.mark.parametrize(("most", "first"), [(0, "-3"), (1, "-2")])
def test_balanced_event_times_are_a_window_over_the_cohorts_that_reach_it(most: int, first: str) -> None:
    """R's ``balance_e`` keeps the cohorts seen for `most` periods after the first; the errors do not know who else
    was there."""
    panel = counties()
    short = panel.treated & (len(panel.periods) - 1 - panel.first < most)
    expected = golden("did_mpdta_aggte_options")["results"][f"balance_e{most}"]
    answer = found(GroupTime(), panel.drop(np.flatnonzero(short)), Target("event", window=(first, str(most))))
    assert_terms(*answer, expected, "mean", EXACT)
