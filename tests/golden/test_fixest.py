"""Two-way fixed effects and Sun & Abraham against R `fixest` 0.14.2: coefficients, clustered errors, covariances.

Claimed here: ``fixest_twfe_mpdta``, ``fixest_twfe_mpdta_weighted``, ``fixest_twfe_es_mpdta``, ``fixest_es_basedid`` and
``fixest_sunab_mpdta``, ``fixest_sunab_basestagg`` (with a covariate), ``fixest_sunab_basestagg_nox``.

Of ``fixest_twfe_mpdta`` the errors clustered by unit and by state are claimed, under the four small-sample conventions
of the file, with residuals and fixed effects; its Driscoll-Kraay and Newey-West errors in ``test_spatial.py``. Its iid,
heteroskedastic and two-way errors are not those of this package: its errors are clustered one way. Of the covariate of
``fixest_sunab_basestagg`` the coefficient is claimed, not its error: cells carry effects alone.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from impact.cells import Fit, Regression
from impact.estimators.protocol import Estimator
from impact.estimators.sun_abraham import SunAbraham
from impact.estimators.twfe import TWFE, Solution
from impact.inference.small_sample import small_sample
from impact.panel import Panel
from impact.targets import Effects, Kind, Target
from tests.shared import golden, shared

# fixest takes the effects out by alternating projections, which on balanced panels with unit weights, as these are, end
# after one step: both sides are closed forms.
EXACT = 1e-8


@cache
def table(name: str) -> pd.DataFrame:
    return pd.read_csv(shared(f"reference/data/{name}"))


def counties(**columns: Any) -> Panel:
    frame = table("mpdta_twfe.csv")
    return Panel.from_frame(
        frame.assign(people=np.exp(frame["lpop"])),
        unit="countyreal",
        time="year",
        outcome="lemp",
        first_treated="first.treat",
        **columns,
    )


def simulated(covariates: tuple[str, ...] = ()) -> Panel:
    frame = table("base_stagg.csv")
    starts = frame["year_treated"].where(frame["year_treated"] <= 10)
    return Panel.from_frame(
        frame.assign(start=starts), unit="id", time="year", outcome="y", first_treated="start", covariates=covariates
    )


def solution(estimator: TWFE, panel: Panel) -> Solution:
    found = estimator.regress(panel)
    assert isinstance(found, Solution), found
    return found


def fitted(estimator: Estimator, panel: Panel) -> Fit:
    found = estimator.fit(panel)
    assert isinstance(found, Fit), found
    return found


def factor(fit: Fit, panel: Panel, convention: Any = "fixest") -> float:
    assert fit.regression is not None
    found = small_sample(fit.regression, len(panel.clusters), convention)
    assert isinstance(found, float)
    return found


def covariance(fit: Fit) -> np.ndarray:
    assert fit.cells.scores is not None
    return fit.cells.scores.covariance(np.eye(len(fit.cells.effect)))


# The static regression -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "columns", "sizes"),
    [
        ("cluster_unit", {}, None),
        ("cluster_state", {"cluster": "state"}, None),
        # The other conventions of the file count 1 and 505 coefficients; G / (G - 1) stays.
        ("cluster_unit_Knone", {}, Regression(2500, 0, 500)),
        ("cluster_unit_Kfull", {}, Regression(2500, 504, 0)),
    ],
)
def test_the_coefficient_and_its_error(key: str, columns: dict[str, str], sizes: Regression | None) -> None:
    panel = counties(**columns)
    fit = fitted(TWFE(), panel)
    expected = golden("fixest_twfe_mpdta")["results"][key]
    assert fit.regression == Regression(2500, 1 + 4, 500)
    np.testing.assert_allclose(fit.cells.effect, expected["estimate"], atol=EXACT, rtol=0)
    times = factor(fit, panel) if sizes is None else small_sample(sizes, len(panel.clusters), "fixest")
    np.testing.assert_allclose(np.sqrt(covariance(fit)[0, 0] * times), expected["se"], atol=EXACT, rtol=0)
    assert len(panel.clusters) - 1 == expected["df_t"]


def test_the_error_without_small_sample_factor() -> None:
    panel = counties()
    fit = fitted(TWFE(), panel)
    expected = golden("fixest_twfe_mpdta")["results"]["cluster_unit_nossc"]["se"]
    np.testing.assert_allclose(np.sqrt(np.diag(covariance(fit))), expected, atol=EXACT, rtol=0)


def test_residuals_fixed_effects_and_the_share_explained() -> None:
    results = golden("fixest_twfe_mpdta")["results"]
    panel = counties()
    solved = solution(TWFE(), panel).solved
    frame = table("mpdta_twfe.csv").iloc[:10]
    rows = [panel.units.index(str(name)) for name in frame["countyreal"]]
    columns = [panel.periods.index(str(name)) for name in frame["year"]]
    np.testing.assert_allclose(solved.residual[rows, columns], results["resid_first10"], atol=EXACT, rtol=0)
    np.testing.assert_allclose(solved.units, [results["fixef_unit"][name] for name in panel.units], atol=EXACT, rtol=0)
    np.testing.assert_allclose(
        solved.periods, [results["fixef_year"][name] for name in panel.periods], atol=EXACT, rtol=0
    )
    alone, _ = solved.effects.partial_out(panel.y, panel.weight, np.ones(panel.y.shape, dtype=bool))
    assert 1 - (solved.residual**2).sum() / (alone**2).sum() == pytest.approx(results["r2"]["wr2"], abs=EXACT)


def test_weights() -> None:
    panel = counties(weight="people")
    fit = fitted(TWFE(), panel)
    expected = golden("fixest_twfe_mpdta_weighted")["results"]["cluster_unit"]
    np.testing.assert_allclose(fit.cells.effect, expected["estimate"], atol=EXACT, rtol=0)
    error = np.sqrt(np.diag(covariance(fit)) * factor(fit, panel))
    np.testing.assert_allclose(error, expected["se"], atol=EXACT, rtol=0)


# Event studies -------------------------------------------------------------------------------------------------------


def assert_regression(found: Solution, order: list[int], results: dict[str, Any], panel: Panel) -> None:
    """Coefficients in the order of R, their errors, and the covariance of all."""
    coefficient, influence = found.solved.coefficient[order], found.solved.influence[:, order]
    free = found.solved.rank + found.solved.effects.rank
    times = small_sample(Regression(int(found.seen.sum()), free, len(panel.units)), len(panel.units), "fixest")
    assert isinstance(times, float)
    np.testing.assert_allclose(coefficient, results["coef"]["estimate"], atol=EXACT, rtol=0)
    v = influence.T @ influence * times
    np.testing.assert_allclose(np.sqrt(np.diag(v)), results["coef"]["se"], atol=EXACT, rtol=0)
    np.testing.assert_allclose(v, results["vcov"]["values"], atol=EXACT, rtol=0)


def test_event_study() -> None:
    panel, results = counties(), golden("fixest_twfe_es_mpdta")["results"]
    found = solution(TWFE(effect="event"), panel)
    assert [f"ttt::{event}" for event in found.events] == results["coef"]["term"]
    assert_regression(found, list(range(7)), results, panel)
    fit = fitted(TWFE(effect="event"), panel)
    by_event = dict(zip(found.events.tolist(), results["coef"]["estimate"], strict=True))
    np.testing.assert_allclose(
        fit.cells.effect, [by_event[event] for event in fit.cells.event.tolist()], atol=EXACT, rtol=0
    )
    assert set(fit.cells.event.tolist()) == set(by_event)


def test_event_study_with_a_covariate() -> None:
    """One start, in period 6: R's interactions of treatment with period are event times, with reference 5."""
    frame, results = table("base_did.csv"), golden("fixest_es_basedid")["results"]
    frame = frame.assign(start=np.where(frame["treat"] == 1, 6, 0))
    panel = Panel.from_frame(frame, unit="id", time="period", outcome="y", first_treated="start", covariates=["x1"])
    found = solution(TWFE(effect="event"), panel)
    assert ["x1", *(f"period::{event + 6}:treat" for event in found.events)] == results["coef"]["term"]
    assert_regression(found, [9, *range(9)], results, panel)


# Sun & Abraham -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fixest_sunab_mpdta", "fixest_sunab_basestagg_nox", "fixest_sunab_basestagg"])
def test_sun_abraham(name: str) -> None:
    """Every effect, error and covariance, and the aggregates by period, by cohort and of all."""
    covariates = ("x1",) if name == "fixest_sunab_basestagg" else ()
    panel, results = counties() if name == "fixest_sunab_mpdta" else simulated(covariates), golden(name)["results"]
    fit = fitted(SunAbraham(), panel)
    times = factor(fit, panel)
    raw = pd.DataFrame(results["raw"]).set_index("term").drop(list(covariates))
    terms = [
        f"year::{event}:cohort::{panel.periods[int(cohort)]}"
        for event, cohort in zip(fit.cells.event, fit.cells.cohort, strict=True)
    ]
    assert sorted(terms) == sorted(raw.index)
    np.testing.assert_allclose(fit.cells.effect, raw.loc[terms, "estimate"], atol=EXACT, rtol=0)
    v = covariance(fit) * times
    np.testing.assert_allclose(np.sqrt(np.diag(v)), raw.loc[terms, "se"], atol=EXACT, rtol=0)
    theirs = pd.DataFrame(results["es_vcov"]["values"], results["es_vcov"]["rows"], results["es_vcov"]["cols"])
    np.testing.assert_allclose(v, theirs.loc[terms, terms], atol=EXACT, rtol=0)
    assert_aggregate(fit, panel, "average", {"average": "ATT"}, results["att"])
    assert_aggregate(fit, panel, "cohort", lambda term: f"cohort::{term}", results["cohort"])
    assert_aggregate(fit, panel, "event", lambda term: f"year::{term}", results["period"])


def assert_aggregate(fit: Fit, panel: Panel, kind: Kind, name: Any, expected: dict[str, Any]) -> None:
    """Every term of R but the covariate; ours has the mean of the terms beside them."""
    effects = Target(kind).of(fit.cells, panel)
    assert isinstance(effects, Effects) and effects.scores is not None
    error = np.sqrt((effects.scores**2).sum(axis=0) * factor(fit, panel))
    values = {key: np.atleast_1d(value) for key, value in expected.items()}
    known = {
        term: (estimate, se)
        for term, estimate, se in zip(values["term"], values["estimate"], values["se"], strict=True)
        if term != "x1"
    }
    rename = name.get if isinstance(name, dict) else name
    ours = [number for number, term in enumerate(effects.terms) if term != "mean"]
    assert {rename(effects.terms[number]) for number in ours} == set(known)
    for number in ours:
        estimate, se = known[rename(effects.terms[number])]
        assert effects.estimate[number] == pytest.approx(estimate, abs=EXACT)
        assert error[number] == pytest.approx(se, abs=EXACT)


def test_the_coefficient_of_the_covariate_shows_in_the_surface() -> None:
    """Untreated outcomes of two units of a cohort differ by their levels and by the covariate times its coefficient."""
    panel = simulated(("x1",))
    fit = fitted(SunAbraham(), panel)
    results = golden("fixest_sunab_basestagg")["results"]["raw"]
    expected = results["estimate"][results["term"].index("x1")]
    assert fit.untreated is not None
    first, second = np.flatnonzero(panel.first == 4)[:2]
    moved = panel.covariates["x1"] - panel.covariates["x1"][:, 3:4]
    gap = (fit.untreated - panel.y[:, 3:4])[[first, second], 5:]
    np.testing.assert_allclose(np.diff(gap, axis=0), expected * np.diff(moved[[first, second], 5:], axis=0), atol=1e-7)
