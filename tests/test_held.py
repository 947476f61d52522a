"""Deletions of controls under held weights: the closed form against refits, and where it must stand back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from impact.errors import Refused
from impact.estimators.did import DiD
from impact.estimators.group_time import GroupTime
from impact.estimators.protocol import Estimator
from impact.estimators.synthetic_control import SyntheticControl
from impact.estimators.synthetic_did import SyntheticDiD
from impact.inference import cluster
from impact.inference.cluster import Jackknife
from impact.inference.held import without_each_control
from impact.inference.protocol import Found, Uncertainty, evaluate
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target
from tests.contract.worlds import frame, matched, panel_of

WEIGHTED = [SyntheticControl(), SyntheticDiD(), DiD()]
EACH = pytest.mark.parametrize("estimator", WEIGHTED, ids=lambda one: str(one.name))
TARGETS = [Target("average", "area"), Target("event"), Target("cohort", "resident"), Target("unit")]


def found_of(estimator: Estimator, panel: Panel, target: Target) -> Found:
    found = evaluate(estimator, panel, target)
    assert isinstance(found, Found)
    return found


def jackknife(estimator: Estimator, panel: Panel, target: Target) -> Uncertainty:
    found = Jackknife().run(estimator, panel, target, streams=Streams(1), parallel=Parallel())
    assert isinstance(found, Uncertainty), found
    return found


@EACH
@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_deleted_controls_are_those_of_refits(estimator: Estimator, target: Target) -> None:
    panel = panel_of(frame())
    full = found_of(estimator, panel, target)
    known = without_each_control(estimator, full, target)
    assert set(known) == set(np.flatnonzero(panel.never).tolist())
    for row, terms in known.items():
        rest = evaluate(estimator, panel.drop([row]), target, hold=full.fit.weights)
        assert isinstance(rest, Found)
        assert rest.effects.terms == full.effects.terms
        np.testing.assert_allclose(terms, rest.effects.estimate, atol=1e-9)  # outcomes are of order 50


@EACH
def test_the_error_is_the_same_with_and_without_it(estimator: Estimator, monkeypatch: pytest.MonkeyPatch) -> None:
    panel = panel_of(frame())
    quick = jackknife(estimator, panel, Target("event", "area"))
    monkeypatch.setattr(cluster, "without_each_control", lambda *_: {})
    slow = jackknife(estimator, panel, Target("event", "area"))
    np.testing.assert_allclose(quick.std_error, slow.std_error, rtol=1e-9)
    assert (quick.draws, quick.attempted) == (slow.draws, slow.attempted)


def test_donors_that_miss_a_period_change_nothing() -> None:
    panel = panel_of(frame())
    y = panel.y.copy()
    row = panel.units.index("c05-0")
    y[row, 2] = np.nan
    holes, estimator = panel.with_outcome(y), SyntheticControl(missing="drop-donors")
    full = found_of(estimator, holes, Target())
    known = without_each_control(estimator, full, Target())
    np.testing.assert_allclose(known[row], full.effects.estimate, atol=1e-12)
    rest = evaluate(estimator, holes.drop([0]), Target(), hold=full.fit.weights)
    assert isinstance(rest, Found)


@pytest.mark.parametrize(
    ("estimator", "change"),
    [
        (SyntheticDiD(), matched),
        (GroupTime(), lambda panel: panel),
        (SyntheticDiD(), lambda panel: panel.drop(np.flatnonzero(panel.never)[2:])),
        (SyntheticDiD(), lambda panel: replace(panel, covariates={"x": np.sin(panel.y)})),
    ],
    ids=["matched", "no weights", "two controls", "covariates"],
)
def test_where_weights_alone_do_not_tell_units_are_refitted(estimator: Estimator, change: Any) -> None:
    panel = change(panel_of(frame()))
    full = found_of(estimator, panel, Target())
    assert without_each_control(estimator, full, Target()) == {}


def test_a_donor_on_which_all_weight_rests_is_left_to_the_refit() -> None:
    panel = panel_of(frame()).by_area()
    full = found_of(SyntheticControl(), panel, Target())
    assert full.fit.weights is not None
    row = panel.units.index("c03-0")
    weights = replace(
        full.fit.weights, unit=np.tile(np.arange(len(panel.units)) == row, (len(full.fit.weights.groups), 1))
    )
    one = evaluate(SyntheticControl(), panel, Target(), hold=weights)
    assert isinstance(one, Found)
    known = without_each_control(SyntheticControl(), one, Target())
    assert row not in known and len(known) == panel.never.sum() - 1
    assert isinstance(evaluate(SyntheticControl(), panel.drop([row]), Target(), hold=weights), Refused)


@pytest.mark.parametrize("constraint", ["lasso", "ridge"])
def test_weights_that_do_not_sum_to_one_have_no_share_to_pass_on(constraint: Any) -> None:
    """Scaled to their old sum, what is left of weights of 0.6 and -0.5 would be multiplied by 6 without a donor."""
    panel = panel_of(frame())
    estimator = SyntheticControl(constraint=constraint, budget=0.5)
    found = Jackknife().run(estimator, panel, Target(), streams=Streams(1), parallel=Parallel())
    assert isinstance(found, Refused) and "do not sum to one" in found.because
