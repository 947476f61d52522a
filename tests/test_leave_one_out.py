"""Leaving donors and periods out, against fits on panels without them."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from impact.errors import Refused
from impact.estimators.did import DiD
from impact.estimators.group_time import GroupTime
from impact.estimators.imputation import Imputation
from impact.estimators.partially_pooled import PartiallyPooled
from impact.estimators.protocol import Estimator
from impact.estimators.synthetic_control import SyntheticControl
from impact.estimators.synthetic_did import SyntheticDiD
from impact.inference.leaving_out import (
    LeaveOneOut,
    leave_one_area_out,
    leave_one_cluster_out,
    leave_one_donor_out,
    leave_one_period_out,
)
from impact.inference.protocol import Found, evaluate
from impact.panel import Panel
from impact.parallel import Parallel
from impact.sample import Sample
from impact.targets import Target
from tests.test_placebo_at_once import by_slsqp
from tests.test_placebo_time import world

EVERY = (DiD(), GroupTime(), Imputation(), SyntheticControl(), SyntheticDiD())


def given(found: LeaveOneOut | Refused) -> LeaveOneOut:
    assert isinstance(found, LeaveOneOut)
    return found


def evaluated(estimator: Estimator, panel: Panel, target: Target) -> Found:
    found = evaluate(estimator, panel, target)
    assert isinstance(found, Found)
    return found


def test_donors_by_another_solver() -> None:
    """18 periods before the start and 10 donors: unique weights, so without one of them the answer is unique too."""
    panel = world({0: 18, 1: 18}, units=12, periods=22)
    path, donors = panel.y[:2].mean(axis=0), panel.y[2:]
    weights = by_slsqp(donors[:, :18], path[:18])
    heavy = np.flatnonzero(weights > 1e-6)
    found = given(leave_one_donor_out(SyntheticControl(), panel, Target()))
    assert found.left_out == tuple(panel.units[2 + row] for row in heavy)
    assert found.full[0] == pytest.approx((path - weights @ donors)[18:].mean(), abs=1e-5)
    expected = []
    for row in heavy:
        rest = np.delete(donors, row, axis=0)
        expected.append((path - by_slsqp(rest[:, :18], path[:18]) @ rest)[18:].mean())
    np.testing.assert_allclose(found.estimate[:, 0], expected, atol=1e-5)
    everything = [*expected, found.full[0]]
    assert (found.low[0], found.high[0]) == (pytest.approx(min(everything)), pytest.approx(max(everything)))
    farthest = int(np.argmax(np.abs(np.array(expected) - found.full[0])))
    assert found.most_influential == (found.left_out[farthest],)


def test_periods_by_another_solver() -> None:
    panel = world({0: 18, 1: 18}, units=12, periods=22)
    path, donors = panel.y[:2].mean(axis=0), panel.y[2:]
    found = given(leave_one_period_out(SyntheticControl(), panel, Target()))
    assert found.left_out == panel.periods[:18]
    for period in range(18):
        rest = np.delete(np.arange(18), period)
        gap = path - by_slsqp(donors[:, rest], path[rest]) @ donors
        assert found.estimate[period, 0] == pytest.approx(gap[18:].mean(), abs=1e-5)


def test_periods_of_did_by_arithmetic() -> None:
    """Two cohorts, that start in 25 and 20; a period between these is closed to the later one alone."""
    panel = world({0: 25, 1: 25, 2: 20, 3: 20})
    found = given(leave_one_period_out(DiD(), panel, Target("cohort")))
    assert len(found.left_out) == 25
    control = panel.y[4:].mean(axis=0)
    for period in range(25):
        for term, members, start in (("p20", [2, 3], 20), ("p25", [0, 1], 25)):
            path = panel.y[members].mean(axis=0) - control
            base = [t for t in range(start) if t != period]
            expected = path[start:].mean() - path[base].mean()
            assert found.estimate[period, found.terms.index(term)] == pytest.approx(expected)


@pytest.mark.parametrize("estimator", EVERY, ids=lambda one: str(one.name))
def test_donors_are_dropped_and_all_is_fitted_anew(estimator: Estimator) -> None:
    panel = world({0: 25, 1: 25, 2: 20, 3: 20})
    for target in (Target(), Target("event", "area"), Target("unit", "resident")):
        found = given(leave_one_donor_out(estimator, panel, target))
        full = evaluated(estimator, panel, target)
        np.testing.assert_array_equal(found.full, full.effects.estimate)
        assert found.refused == {} and found.what == "donor" and len(found.left_out) >= 2
        for row, name in enumerate(found.left_out):
            rest = evaluated(estimator, panel.drop([panel.units.index(name)]), target)
            np.testing.assert_array_equal(found.estimate[row], rest.effects.estimate)
        weights = full.fit.weights
        if weights is None:
            assert found.left_out == panel.units[4:]
        else:
            idle = [row for row in range(4, 14) if panel.units[row] not in found.left_out]
            assert not weights.unit[:, idle].any()
            assert all(weights.unit[:, panel.units.index(name)].any() for name in found.left_out)


@pytest.mark.parametrize("estimator", EVERY, ids=lambda one: str(one.name))
def test_neither_order_nor_workers_matter(estimator: Estimator) -> None:
    panel = world({0: 25, 1: 25, 2: 20, 3: 20})
    order = np.random.default_rng(3).permutation(14)
    for leave in (leave_one_donor_out, leave_one_period_out):
        first = given(leave(estimator, panel, Target()))
        shuffled = given(leave(estimator, panel.take(order), Target()))
        place = [shuffled.left_out.index(name) for name in first.left_out]
        np.testing.assert_allclose(first.estimate, shuffled.estimate[place], rtol=1e-8, atol=1e-10)
        assert first.most_influential == shuffled.most_influential
        apart = given(leave(estimator, panel, Target(), parallel=Parallel(2)))
        np.testing.assert_array_equal(first.estimate, apart.estimate)


def test_what_cannot_be_left_out_is_kept_by_name() -> None:
    """An area with one matched control; a donor pool of two, of which an estimate takes both; two periods, both
    needed."""
    panel = world({0: 25, 1: 25, 2: 20, 3: 20})
    pairs = np.zeros((2, 14))
    pairs[0, 5] = 1.0
    pairs[1, [6, 7]] = 0.5
    found = given(leave_one_donor_out(DiD(), panel.with_pairs(pairs), Target()))
    assert found.left_out == ("u05", "u06", "u07")
    assert set(found.refused) == {"u05"} and "only control of a0" in found.refused["u05"].because
    assert np.isnan(found.estimate[0]).all() and np.isfinite(found.estimate[1:]).all()
    assert found.most_influential[0] in {"u06", "u07"}
    table = found.table()
    assert table["refused"].tolist()[0] == "" and "a0" in table["refused"].tolist()[1]

    two = world({0: 4}, units=3, periods=6)
    none = given(leave_one_donor_out(SyntheticDiD(), two, Target()))
    assert set(none.refused) == {"u01", "u02"}
    assert isinstance(none.most_influential[0], Refused)
    assert none.low[0] == none.high[0] == none.full[0]

    short = world({0: 2, 1: 5}, periods=8)
    periods = given(leave_one_period_out(SyntheticControl(), short, Target()))
    assert set(periods.refused) == {"p00", "p01"}
    assert "p02" in periods.refused["p00"].because


def test_a_period_that_is_left_out_takes_its_own_term_along() -> None:
    panel = world({0: 5}, periods=8)
    found = given(leave_one_period_out(SyntheticControl(), panel, Target("event")))
    gone = found.estimate[found.left_out.index("p02")]
    assert np.isnan(gone[found.terms.index("-3")]) and np.isfinite(np.delete(gone, found.terms.index("-3"))).all()
    assert np.isfinite(found.low).all() and found.refused == {}


def test_table_starts_with_the_whole() -> None:
    panel = world({0: 25, 1: 25, 2: 20, 3: 20})
    found = given(leave_one_donor_out(SyntheticControl(), panel, Target("unit")))
    table = found.table()
    assert list(table.columns) == ["left_out", "term", "estimate", "change", "refused"]
    assert table["left_out"].tolist() == list(np.repeat(["", *found.left_out], 2))
    np.testing.assert_array_equal(table["estimate"][:2], found.full)
    np.testing.assert_array_equal(table["change"][2:], (found.estimate - found.full).ravel())
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.estimate, found.estimate)


def test_repeated_cross_sections_and_no_estimate_are_refused() -> None:
    panel = world({0: 25, 1: 25})
    sample = Sample.from_panel(panel)
    assert isinstance(leave_one_donor_out(GroupTime(), sample, Target()), Refused)  # type: ignore[arg-type]
    short = world({0: 1}, periods=4)
    assert isinstance(leave_one_period_out(SyntheticControl(), short, Target()), Refused)


def test_periods_of_donors_that_start_later_cannot_be_closed() -> None:
    """A donor with a closed period serves no more: what changed would be the donors, not the period."""
    panel = world({0: 5, 1: 5, 2: 12, 3: 12}, units=8, periods=20).until(10)
    assert panel.treated.sum() == 2 and np.isfinite(panel.first).sum() == 4
    found = leave_one_period_out(PartiallyPooled(control="not-yet"), panel, Target())
    assert isinstance(found, Refused) and "start later" in found.because
    assert isinstance(leave_one_period_out(PartiallyPooled(), panel, Target()), LeaveOneOut)


@pytest.mark.parametrize("estimator", EVERY, ids=lambda one: one.name)
def test_areas_and_clusters_go_with_their_cohort_and_the_rest_is_averaged(estimator: Estimator) -> None:
    """Units 0 and 1 are one area with two starts, 2 another; unit 1 shares its cluster with a control."""
    panel = world({0: 10, 1: 8, 2: 8}, units=14, periods=14)
    cluster = np.arange(14)
    cluster[5] = 1
    panel = replace(panel, cluster=cluster)
    areas = given(leave_one_area_out(estimator, panel, Target("average", "area")))
    clusters = given(leave_one_cluster_out(estimator, panel, Target("average", "area")))
    assert areas.left_out == panel.areas and not areas.refused
    assert clusters.left_out == tuple(panel.clusters[one] for one in (0, 1, 2)) and not clusters.refused
    for found, lost in ((areas, ([0, 1], [2])), (clusters, ([0], [1, 5], [2]))):
        for row, units in enumerate(lost):
            rest = panel.take([unit for unit in range(14) if unit not in units])
            expected = evaluated(estimator, rest, Target("average", "area")).effects.estimate[0]
            assert found.estimate[row, 0] == pytest.approx(expected, abs=1e-12)
