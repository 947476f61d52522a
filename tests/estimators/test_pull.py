"""Cells as sums of outcomes: the sums are the effects, on whole, gappy and matched panels, under every weighting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from impact.estimators.protocol import Gives
from impact.inference.protocol import Found, evaluate
from impact.panel import Panel
from impact.targets import Target
from tests.contract.worlds import CONFIGURED, Configured, frame, matched, panel_of

LINEAR = [case for case in CONFIGURED if Gives.LINEAR in case.estimator.gives]
# An error without the cluster itself is refused for an area in one cluster; its effects are those of imputation.
WHOLE = [case for case in LINEAR if not case.covariates and case.label != "imputation, leave-one-out"]


def gappy(panel: Panel) -> Panel:
    """A tenth of the cells was not observed."""
    y = panel.y.copy()
    y[np.random.default_rng(3).uniform(size=y.shape) < 0.1] = np.nan
    return panel.with_outcome(y)


def held_to(case: Configured, panel: Panel, target: Target) -> None:
    found = evaluate(case.estimator, panel, target)
    assert isinstance(found, Found) and found.fit.pull is not None
    for term in range(len(found.effects.terms)):
        pull = found.fit.pull(found.effects.weights[:, term])
        y = found.panel.y
        assert (pull[np.isnan(y)] == 0).all()
        size = np.abs(pull).sum()
        assert np.nansum(pull * y) == pytest.approx(found.effects.estimate[term], abs=1e-9 * size)
        np.testing.assert_allclose(pull.sum(axis=1), 0, atol=1e-10 * size)
        np.testing.assert_allclose(pull.sum(axis=0), 0, atol=1e-10 * size)


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case.label)
@pytest.mark.parametrize("target", [Target(), Target("event", "resident"), Target("unit", "area")], ids=str)
def test_effects_are_sums_of_outcomes(case: Configured, target: Any) -> None:
    held_to(case, panel_of(frame()), target)


# A difference of means asks for every cell.
GAPPY = [case for case in WHOLE if not case.estimator.asks.balanced]


@pytest.mark.parametrize("case", GAPPY, ids=lambda case: case.label)
def test_with_missing_cells(case: Configured) -> None:
    held_to(case, gappy(panel_of(frame(copies=3))), Target("event", "area"))


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case.label)
def test_on_a_matched_panel(case: Configured) -> None:
    held_to(case, matched(panel_of(frame())), Target("cohort"))


def test_against_the_last_cohort_the_periods_left_out_count_for_nothing() -> None:
    case = next(case for case in WHOLE if case.label == "sun-abraham")
    whole = panel_of(frame())
    panel = whole.drop(np.flatnonzero(~np.isfinite(whole.first)))
    held_to(case, panel.drop(np.flatnonzero(panel.first >= len(panel.periods))), Target())


def test_with_covariates_of_the_units_nothing_is_said() -> None:
    for case in LINEAR:
        if case.covariates and case.name != "twfe":
            found = evaluate(case.estimator, panel_of(frame(), case), Target())
            assert isinstance(found, Found) and found.fit.pull is None
