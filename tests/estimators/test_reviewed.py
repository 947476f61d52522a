"""What an adversarial review found, each by the oracle that found it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import impact
from impact.errors import DataError, Refused
from impact.estimators.extended_twfe import ExtendedTWFE
from impact.estimators.group_time import GroupTime
from impact.estimators.imputation import Imputation, TwoStage
from impact.estimators.protocol import Estimator
from impact.estimators.stacked import Stacked
from impact.estimators.sun_abraham import SunAbraham
from impact.estimators.twfe import TWFE
from impact.inference.cluster import ClusterJackknife
from impact.inference.protocol import Found, Uncertainty, evaluate
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target
from tests.contract.worlds import frame, matched, panel_of

LINEAR: list[Estimator] = [
    GroupTime(control="not-yet"),
    Imputation(),
    TwoStage(),
    ExtendedTWFE(),
    Stacked(),
    SunAbraham(),
    TWFE(),
]
each = pytest.mark.parametrize("estimator", LINEAR, ids=lambda one: one.name)


def value(estimator: Estimator, panel: Panel, target: Target) -> np.ndarray:
    found = evaluate(estimator, panel, target)
    assert isinstance(found, Found)
    return found.effects.estimate


@each
@pytest.mark.parametrize("weighting", ["area", "resident"])
def test_the_unit_of_residents_and_weights_does_not_matter_on_a_matched_panel(estimator: Any, weighting: Any) -> None:
    panel = matched(panel_of(frame()))
    target = Target("event", weighting)
    expected = value(estimator, panel, target)
    assert panel.residents is not None
    np.testing.assert_allclose(
        value(estimator, replace(panel, residents=panel.residents / 1000), target), expected, atol=1e-9
    )
    np.testing.assert_allclose(value(estimator, replace(panel, weight=panel.weight * 50), target), expected, atol=1e-9)


@each
def test_an_unmatched_unit_that_starts_later_serves_nobody(estimator: Any) -> None:
    panel = matched(panel_of(frame()))
    late = panel.units.index("late-0")
    assert panel.pairs is not None and not panel.pairs[:, late].any()
    wild = panel.y.copy()
    wild[late] = 1e3 * np.arange(len(panel.periods)) ** 2
    np.testing.assert_allclose(
        value(estimator, panel.with_outcome(wild), Target()), value(estimator, panel, Target()), atol=1e-8
    )
    assert "late-0" in panel.drop([panel.units.index("c00-0")]).units


@each
def test_an_area_without_a_matched_control_counts_for_nothing_and_is_named(estimator: Any) -> None:
    panel = panel_of(frame())
    pairs = matched(panel).pairs
    assert pairs is not None
    lone = panel.areas.index("area3-0")
    pairs = pairs.copy()
    pairs[lone] = 0.0
    found = panel.with_pairs(pairs)
    assert "area3-0: no matched control, and left out" in found.notes
    wild = np.where((panel.area == lone)[:, None] & panel.treated_cells(), panel.y + 100, panel.y)
    np.testing.assert_allclose(
        value(estimator, found.with_outcome(wild), Target()), value(estimator, found, Target()), atol=1e-8
    )


@pytest.mark.parametrize("variance", ["conservative", "leave-one-out"])
def test_imposed_scores_sum_to_the_estimate(variance: Any) -> None:
    found = evaluate(Imputation(variance=variance), panel_of(frame()), Target("event"))
    assert isinstance(found, Found) and found.effects.imposed is not None
    np.testing.assert_allclose(found.effects.imposed.sum(axis=0), found.effects.estimate, atol=1e-9)


@pytest.mark.parametrize("estimator", [GroupTime(control="not-yet"), Imputation()], ids=["group-time", "imputation"])
def test_a_cohort_without_residents_still_serves_in_every_deletion(estimator: Any) -> None:
    """Nobody lives in the late cohort: it counts for nothing, and is untreated until it starts."""
    panel = panel_of(frame())
    assert panel.residents is not None
    panel = replace(panel, residents=np.where(panel.first == 7, 0.0, panel.residents))
    target = Target("average", "resident")
    nearly = replace(panel, residents=np.where(panel.first == 7, 1e-9, panel.residents))
    np.testing.assert_allclose(value(estimator, panel, target), value(estimator, nearly, target), atol=1e-6)
    errors = ClusterJackknife().run(estimator, panel, target, streams=Streams(1), parallel=Parallel())
    assert isinstance(errors, Uncertainty)
    full = value(estimator, panel, target)
    away = [
        value(estimator, panel.drop(np.flatnonzero(panel.cluster == cluster)), target) - full
        for cluster in range(len(panel.clusters))
    ]
    count = int(errors.clusters[0])
    expected = np.sqrt((count - 1) / count * (np.array(away) ** 2).sum())
    assert errors.std_error[0] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    "estimator", [GroupTime(), GroupTime(control="not-yet"), TwoStage()], ids=["never", "not-yet", "two-stage"]
)
@pytest.mark.parametrize("kind", ["average", "event", "cohort"])
def test_scores_are_derivatives_where_units_miss_periods(estimator: Any, kind: Any) -> None:
    """A little more weight of a unit moves the sizes of the cells in which it was seen, and of no others."""
    panel = panel_of(frame(), cluster=False)
    y = panel.y.copy()
    y[np.random.default_rng(1).uniform(size=y.shape) < 0.1] = np.nan
    panel, target, step = panel.with_outcome(y), Target(kind), 1e-6
    found = evaluate(estimator, panel, target)
    assert isinstance(found, Found) and found.effects.scores is not None
    np.testing.assert_allclose(found.effects.scores.sum(axis=0), 0, atol=1e-9)
    for unit in range(0, len(panel.units), 3):
        moved = []
        for sign in (1, -1):
            weight = panel.weight.copy()
            weight[unit] *= 1 + sign * step
            moved.append(value(estimator, replace(panel, weight=weight), target))
        np.testing.assert_allclose((moved[0] - moved[1]) / (2 * step), found.effects.scores[unit], atol=1e-7)


def test_an_area_of_a_sample_counts_once_however_often_it_was_sampled() -> None:
    rows = []
    for area, (start, effect) in enumerate([(2003, 1.0)] * 4 + [(2004, 3.0)] * 4 + [(0, 0.0)] * 6):
        for year in range(2000, 2007):
            if start == 2004 and year in (2001, 2005):
                continue
            treated = start and year >= start
            rows += [{"gebied": f"a{area}", "jaar": year, "start": start, "y": area + effect * bool(treated)}] * 2
    sample = impact.Sample.from_frame(
        pd.DataFrame(rows), time="jaar", outcome="y", first_treated="start", area="gebied"
    )
    found = impact.estimate(sample, "group-time", target="cohort", weighting="area", inference="scores")
    assert not isinstance(found, Refused)
    assert dict(zip(found.effects.terms, found.effects.estimate, strict=True))["mean"] == pytest.approx(2.0)


def test_periods_that_would_not_sort_in_time_are_refused() -> None:
    rows = [
        {"wijk": f"w{unit}", "maand": f"2019-{month}", "y": 1.0 * unit + month, "start": "2019-10" if unit < 2 else ""}
        for unit in range(5)
        for month in (8, 9, 10, 11)
    ]
    with pytest.raises(DataError, match="PANEL-010"):
        Panel.from_frame(pd.DataFrame(rows), unit="wijk", time="maand", outcome="y", first_treated="start")


def test_treated_periods_that_nobody_can_be_compared_in_are_told() -> None:
    """Everyone starts some day: from the last start on there is nobody left to compare with."""
    panel = panel_of(frame())
    everyone = panel.drop(np.flatnonzero(~panel.treated))
    found = impact.estimate(everyone, "imputation", inference="scores")
    assert not isinstance(found, Refused)
    assert any("no effect in 2007, 2008, 2009 for 2004, 2007" in note for note in found.fit.notes)


def test_a_covariate_that_takes_a_cohort_with_it_is_told() -> None:
    """A covariate that only one cohort has: nothing tells what it does to an untreated course."""
    table = frame()
    table = table.assign(only=(table["start"] == 2007).astype(float))
    panel = Panel.from_frame(
        table, unit="unit", time="year", outcome="y", first_treated="start", covariates=["only"], cluster="gemeente"
    )
    found = impact.estimate(panel, "imputation", inference="scores")
    if isinstance(found, Refused):
        assert "only" in str(found)
    else:
        assert any("2007" in note and ("not estimated" in note or "no effect" in note) for note in found.fit.notes)


def test_a_regression_that_is_none_has_no_small_sample_factor() -> None:
    panel = panel_of(frame())
    y = panel.y.copy()
    y[3, 2] = np.nan
    found = impact.estimate(panel.with_outcome(y), "extended-twfe", inference="scores", small_sample="fixest")
    assert isinstance(found.uncertainty, Refused)
    assert any("imputed from the untreated cells" in note for note in found.fit.notes)
