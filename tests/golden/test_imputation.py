"""Imputation, two-stage and extended-twfe against R `didimputation` 0.5.0, `did2s` 1.2.0 and `etwfe` 0.6.2.

Claimed here: ``didimp_mpdta``, ``didimp_mpdta_weights``, ``didimp_basestagg``, ``didimp_dfhet``,
``didimp_mpdta_DEFAULT_BUG`` (as what must not come out), ``did2s_mpdta``, ``did2s_dfhet`` and ``etwfe_mpdta``.

What R reports and this package does not: the pre-trend coefficients of didimputation, which pool leads over the cohorts
(here every cohort has its own), and p-values from the normal distribution.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from impact.estimators.extended_twfe import ExtendedTWFE
from impact.estimators.imputation import Imputation, TwoStage
from impact.estimators.protocol import Estimator
from impact.inference.protocol import Found, evaluate
from impact.panel import Panel
from impact.targets import Target
from tests.shared import golden, shared

EXACT = 1e-8
# Nothing iterates on our side (tests/property/test_family.py holds it to dense least squares at 1e-9); fixest stops its
# fixed effects when a step is below 1e-6, which shows in the weighted panel and in the one of 46,500 rows.
STOPPED = {"didimp_mpdta_weights": 1e-7, "didimp_dfhet": 1e-7, "did2s_dfhet": 1e-7}
ERRORS = 1e-6


@cache
def table(name: str) -> pd.DataFrame:
    return pd.read_csv(shared(f"reference/data/{name}"))


def counties(**columns: Any) -> Panel:
    frame = table("mpdta.csv").assign(w=lambda one: np.exp(one["lpop"]))
    return Panel.from_frame(
        frame, unit="countyreal", time="year", outcome="lemp", first_treated="first.treat", **columns
    )


def stagg() -> Panel:
    frame = table("base_stagg.csv")
    return Panel.from_frame(frame, unit="id", time="year", outcome="y", first_treated="g")


def heterogeneous(**columns: Any) -> Panel:
    frame = table("df_het.csv.gz")
    return Panel.from_frame(frame, unit="unit", time="year", outcome="dep_var", first_treated="g", **columns)


def found(estimator: Estimator, panel: Panel, kind: Any) -> tuple[dict[str, float], dict[str, float]]:
    """Estimates and errors by term, and the one number under ``""``."""
    answer = evaluate(estimator, panel, Target(kind))
    assert isinstance(answer, Found), answer
    assert answer.effects.scores is not None
    error = np.sqrt((answer.effects.scores**2).sum(axis=0))
    names = ["" if name == "average" else name for name in answer.effects.terms]
    return dict(zip(names, answer.effects.estimate, strict=True)), dict(zip(names, error, strict=True))


CASES = {
    "didimp_mpdta": lambda: counties(),
    "didimp_mpdta_weights": lambda: counties(weight="w"),
    "didimp_basestagg": stagg,
    "didimp_dfhet": heterogeneous,
}


@pytest.mark.parametrize("name", CASES)
def test_imputation(name: str) -> None:
    """Every horizon that R has, and no horizon that it does not have."""
    results, panel, near = golden(name)["results"], CASES[name](), STOPPED.get(name, EXACT)
    estimate, error = found(Imputation(), panel, "average")
    assert estimate[""] == pytest.approx(results["static"]["estimate"], abs=near)
    errors = name != "didimp_mpdta_weights"  # see the next test
    assert not errors or error[""] == pytest.approx(results["static"]["std.error"], abs=ERRORS)
    estimate, error = found(Imputation(), panel, "event")
    theirs = results["horizon"]
    after = [term for term in estimate if term != "mean" and int(term) >= 0]
    assert after == theirs["term"]
    np.testing.assert_allclose([estimate[term] for term in after], theirs["estimate"], atol=near)
    if errors:
        np.testing.assert_allclose([error[term] for term in after], theirs["std.error"], atol=ERRORS)


@pytest.mark.parametrize("term", ["", "0", "1", "2", "3"])
def test_weighted_errors_are_those_of_the_weighted_estimate(term: str) -> None:
    """didimputation 0.5.0 squares the sampling weights where it derives how the estimate leans on the untreated cells,
    so that its error belongs to another estimate. Its formula, written out, gives its number; the derivative of the
    estimate itself (eq. 6 of the paper with weights) gives ours."""
    frame = table("mpdta.csv").assign(w=lambda one: np.exp(one["lpop"]))
    results = golden("didimp_mpdta_weights")["results"]
    theirs = results["horizon"]["std.error"][int(term)] if term else results["static"]["std.error"]
    event = frame["year"] - frame["first.treat"]
    treated = ((event >= 0) & (frame["first.treat"] > 0)).to_numpy()
    z = pd.get_dummies(frame[["countyreal", "year"]].astype(str), dtype=float).to_numpy()
    w, y = frame["w"].to_numpy(), frame["lemp"].to_numpy()
    own = np.where(treated & ((event == int(term)).to_numpy() if term else True), w, 0.0)
    own /= own.sum()
    root = np.sqrt(w[~treated])
    gap = y - z @ np.linalg.lstsq(z[~treated] * root[:, None], y[~treated] * root, rcond=None)[0]
    cell = frame["first.treat"].to_numpy() * 10_000 + frame["year"].to_numpy()
    for one in np.unique(cell[own > 0]):
        inside = (cell == one) & (own > 0)
        gap[inside] -= np.average(gap[inside], weights=own[inside] ** 2)
    unit = pd.factorize(frame["countyreal"])[0]

    def error(power: int) -> float:
        bread = np.linalg.pinv((z * w[:, None] ** power)[~treated].T @ z[~treated])
        v = np.where(treated, own, -w * (z @ (bread @ (z.T @ (own * w ** (power - 1))))))
        return float(np.sqrt((np.bincount(unit, weights=v * gap) ** 2).sum()))

    assert error(2) == pytest.approx(theirs, abs=ERRORS)
    _, mine = found(Imputation(), counties(weight="w"), "event" if term else "average")
    assert mine[term] == pytest.approx(error(1), abs=EXACT)


def test_units_with_one_untreated_period_are_not_dropped() -> None:
    """The default of the reference drops cohort 2004 without a word; the horizons it then lacks are here."""
    wrong = golden("didimp_mpdta_DEFAULT_BUG")["results"]
    estimate, _ = found(Imputation(), counties(), "average")
    assert abs(estimate[""] - wrong["static"]["estimate"]) > 0.01
    estimate, error = found(Imputation(), counties(), "event")
    missing = [
        term
        for term, value in zip(wrong["horizon"]["term"], wrong["horizon"]["estimate"], strict=True)
        if value is None
    ]
    assert set(missing) <= {"2", "3"}
    for term in ("2", "3"):
        assert np.isfinite(estimate[term]) and error[term] > 0


def test_two_stage() -> None:
    """The pre-period terms too: they are mean residuals of the first stage, as in R."""
    results, panel = golden("did2s_mpdta")["results"], counties()
    estimate, error = found(TwoStage(), panel, "average")
    assert estimate[""] == pytest.approx(results["static"]["estimate"], abs=EXACT)
    assert error[""] == pytest.approx(results["static"]["se"], abs=ERRORS)
    theirs = results["event"]
    names = [term.removeprefix("rel::") for term in theirs["term"]]
    estimate, error = found(TwoStage(), panel, "event")
    assert set(estimate) - set(names) == {"-1", "mean"}  # R leaves the period before the start out as reference
    np.testing.assert_allclose([estimate[name] for name in names], theirs["estimate"], atol=EXACT)
    np.testing.assert_allclose([error[name] for name in names], theirs["se"], atol=ERRORS)
    answer = evaluate(TwoStage(), panel, Target("event"))
    assert isinstance(answer, Found) and answer.effects.scores is not None
    order = [answer.effects.terms.index(name) for name in names]
    scores = answer.effects.scores[:, order]
    np.testing.assert_allclose(scores.T @ scores, results["event_vcov"]["values"], atol=ERRORS, rtol=0)


def test_two_stage_with_errors_clustered_by_state() -> None:
    results, panel = golden("did2s_dfhet")["results"], heterogeneous(cluster="state")
    estimate, error = found(TwoStage(), panel, "average")
    assert estimate[""] == pytest.approx(results["static"]["estimate"], abs=STOPPED["did2s_dfhet"])
    assert error[""] == pytest.approx(results["static"]["se"], abs=ERRORS)
    theirs = results["event"]
    estimate, error = found(TwoStage(), panel, "event")
    names = [term.removeprefix("rel_year::") for term in theirs["term"]]
    np.testing.assert_allclose([estimate[name] for name in names], theirs["estimate"], atol=STOPPED["did2s_dfhet"])
    np.testing.assert_allclose([error[name] for name in names], theirs["se"], atol=ERRORS)


@pytest.mark.parametrize("covariate", ["none", "lpop"])
@pytest.mark.parametrize("control", ["notyet", "never"])
def test_extended_twfe(control: str, covariate: str) -> None:
    """R's errors have fixest's small-sample factor. It counts cohort effects for unit effects: 4 cohorts, 4 of the 5
    periods and 7 (or, with dummies in all periods but one, 12) cells, all twice when there is a covariate."""
    results = golden("etwfe_mpdta")["results"][f"{control}_{covariate}"]
    panel = counties(covariates=[] if covariate == "none" else [covariate])
    estimator = ExtendedTWFE(control="not-yet" if control == "notyet" else "never")
    coefficients = (4 + 4 + (7 if control == "notyet" else 12)) * (1 if covariate == "none" else 2)
    factor = np.sqrt(500 / 499 * 2499 / (2500 - coefficients))
    for kind, name, names in (
        ("average", "simple", [""]),
        ("cohort", "group", ["2004", "2006", "2007"]),
        ("calendar", "calendar", ["2004", "2005", "2006", "2007"]),
        ("event", "event", None),
    ):
        theirs = results[name]
        estimate, error = found(estimator, panel, kind)
        names = [str(term) for term in theirs["event"]] if names is None else names
        for term, att, se in zip(
            names, np.atleast_1d(theirs["estimate"]), np.atleast_1d(theirs["std.error"]), strict=True
        ):
            if se is None:
                assert term not in estimate  # the reference period, 0 by construction
                continue
            # R differentiates numerically, which costs it some 1e-9 here.
            assert estimate[term] == pytest.approx(att, abs=EXACT)
            assert error[term] * factor == pytest.approx(se, rel=1e-5)
