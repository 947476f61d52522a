"""What every registered estimator keeps, with exceptions only where `expected.py` says so in a sentence."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from impact.arrays import Bool2
from impact.cells import Fit
from impact.errors import Refused
from impact.estimators.protocol import Estimator
from impact.estimators.registry import ESTIMATORS
from impact.inference.protocol import Found, evaluate
from impact.panel import NEVER, Panel
from impact.targets import Target
from tests.contract.expected import EXPECTED, configured
from tests.contract.worlds import (
    CONFIGURED,
    PERIODS,
    STARTS,
    Configured,
    cells_by_name,
    close,
    contents,
    fit_of,
    frame,
    matched,
    panel_of,
    rows_of,
    world,
)

EXACT = 1e-9  # outcomes are of order 1 and nothing iterates but the logit, which both sides of a comparison share


def test_every_registered_estimator_is_here() -> None:
    assert {case.name for case in CONFIGURED} == set(ESTIMATORS)
    assert len({case.label for case in CONFIGURED}) == len(CONFIGURED)
    assert all(
        isinstance(case.estimator, Estimator) and isinstance(case.estimator.null_model(), Estimator)
        for case in CONFIGURED
    )


def test_expected_failures_are_of_known_estimators_and_are_sentences() -> None:
    known = {case.name for case in CONFIGURED} | {case.label for case in CONFIGURED}
    assert {name for _, name in EXPECTED} <= known
    assert all(sentence.endswith(".") and len(sentence.split()) > 6 for sentence in EXPECTED.values())


# Invariance -----------------------------------------------------------------------------------------------------------


@configured("unit order")
def test_unit_order(case: Configured) -> None:
    panel, fit = world(case)
    order = np.random.default_rng(0).permutation(len(panel.units))
    other = panel.take(order)
    again = fit_of(case, other)
    close(cells_by_name(fit, panel), cells_by_name(again, other))
    assert fit.untreated is not None and again.untreated is not None
    np.testing.assert_allclose(again.untreated, fit.untreated[order], atol=EXACT, rtol=0)
    if fit.cells.scores is not None and again.cells.scores is not None:
        eye = np.eye(len(fit.cells.effect))
        clusters = [panel.clusters.index(name) for name in other.clusters]
        np.testing.assert_allclose(again.cells.scores.at(eye), fit.cells.scores.at(eye)[clusters], atol=EXACT, rtol=0)


@configured("time labels")
def test_time_labels(case: Configured) -> None:
    panel, fit = world(case)
    table = frame()
    later = panel_of(table.assign(year=table["year"] + 300, start=table["start"] + 300), case)
    moved = {(str(int(g) + 300), str(int(t) + 300)): effect for (g, t), effect in cells_by_name(fit, panel).items()}
    close(moved, cells_by_name(fit_of(case, later), later), atol=0)


@configured("scale")
@pytest.mark.parametrize("times", [1000.0, 1e-4])
def test_scale(case: Configured, times: float) -> None:
    panel, fit = world(case)
    again = fit_of(case, panel.with_outcome(panel.y * times))
    close(cells_by_name(fit, panel), cells_by_name(again, panel), times=times, atol=EXACT * times)


@configured("time shock")
def test_common_time_shock(case: Configured) -> None:
    panel, fit = world(case)
    shock = np.random.default_rng(2).normal(scale=5, size=PERIODS)
    close(cells_by_name(fit, panel), cells_by_name(fit_of(case, panel.with_outcome(panel.y + shock)), panel), atol=1e-8)


@configured("unit shift")
def test_unit_level_shift(case: Configured) -> None:
    panel, fit = world(case)
    shift = np.random.default_rng(3).normal(scale=5, size=(len(panel.units), 1))
    close(cells_by_name(fit, panel), cells_by_name(fit_of(case, panel.with_outcome(panel.y + shift)), panel), atol=1e-8)


@configured("constant effect")
def test_constant_effect_added(case: Configured) -> None:
    panel, fit = world(case)
    more = panel.with_outcome(panel.y + 5.0 * panel.treated_cells())
    close(
        cells_by_name(fit, panel),
        cells_by_name(fit_of(case, more), more),
        move=lambda group, period: 5.0 * (period >= group),
    )


@configured("parallel trends")
def test_noise_free_parallel_trends(case: Configured) -> None:
    """Level plus common course plus 2 after the start, the treated levels between those of the controls: every effect
    is 2."""
    panel, _ = world(case)
    level = np.random.default_rng(6).uniform(-1, 1, size=(len(panel.units), 1))
    level[panel.never, 0] = np.linspace(-3, 3, panel.never.sum())
    course = np.sin(np.arange(PERIODS))
    exact = panel.with_outcome(level + course + 2.0 * panel.treated_cells())
    fit = fit_of(case, exact)
    np.testing.assert_allclose(fit.cells.effect, np.where(fit.cells.post, 2.0, 0.0), atol=1e-8)


# A function of its input, and of nothing else -------------------------------------------------------------------------


@configured("input")
def test_input_not_mutated(case: Configured) -> None:
    panel = panel_of(frame(), case)
    learn = np.ones(panel.y.shape, dtype=bool)
    learn[3, 2] = False
    before = contents(panel), learn.copy()
    fit = fit_of(case, panel, learn=learn)
    fit_of(case, panel, hold=fit.weights)
    assert contents(panel) == before[0]
    np.testing.assert_array_equal(learn, before[1])


@configured("same twice")
def test_same_twice(case: Configured) -> None:
    _, fit = world(case)
    again = fit_of(case, panel_of(frame(), case))
    assert fit.cells.effect.tobytes() == again.cells.effect.tobytes()
    assert (
        fit.untreated is not None
        and again.untreated is not None
        and fit.untreated.tobytes() == again.untreated.tobytes()
    )


@configured("pickle")
def test_pickle_round_trip(case: Configured) -> None:
    panel, fit = world(case)
    estimator, packed, found = pickle.loads(pickle.dumps((case.estimator, panel, fit)))
    assert estimator == case.estimator
    assert found.cells.effect.tobytes() == fit.cells.effect.tobytes()
    assert estimator.fit(packed).cells.effect.tobytes() == fit.cells.effect.tobytes()


# What may be learned from ---------------------------------------------------------------------------------------------


def masks(panel: Panel) -> dict[str, Bool2]:
    """Cells that are closed: a cohort's pre-periods, one treated unit's, some controls for a while, everything late
    untreated."""
    closed = {
        name: np.ones(panel.y.shape, dtype=bool)
        for name in ("pre-periods", "one unit", "controls", "later cohort", "after the last")
    }
    closed["pre-periods"][np.flatnonzero(panel.first == STARTS[1]), 5:7] = False
    closed["one unit"][rows_of(panel, "a2m")[0], 1] = False
    closed["controls"][rows_of(panel, "c0")[:3], 6:] = False
    # The later cohort serves as not-yet-treated control of the earlier one in exactly these cells.
    closed["later cohort"][np.flatnonzero(panel.first == STARTS[1]), 4:6] = False
    closed["after the last"][rows_of(panel, "late"), 5] = False
    return closed


@configured("learn")
@pytest.mark.parametrize("which", ["pre-periods", "one unit", "controls", "later cohort", "after the last"])
def test_learn_mask_honoured(case: Configured, which: str) -> None:
    """Whatever stands in closed cells, nothing that is reported moves; and a closed pre-period is not reported."""
    panel, _ = world(case)
    learn = masks(panel)[which]
    fit = fit_of(case, panel, learn=learn)
    wild = panel.with_outcome(np.where(learn | panel.treated_cells(), panel.y, 1e3 + panel.y**2))
    assert (wild.y != panel.y).any()
    again = fit_of(case, wild, learn=learn)
    close(cells_by_name(fit, panel), cells_by_name(again, wild), atol=1e-8)
    group_open = np.array([learn[panel.group == group].all(axis=0) for group in range(len(panel.groups))])
    assert all(
        group_open[g, t]
        for g, t in zip(fit.cells.group[~fit.cells.post], fit.cells.period[~fit.cells.post], strict=True)
    )


@configured("learn")
def test_learn_mask_honoured_on_a_matched_panel(case: Configured) -> None:
    panel = matched(world(case)[0])
    learn = masks(panel)["controls"]
    fit = fit_of(case, panel, learn=learn)
    wild = panel.with_outcome(np.where(learn | panel.treated_cells(), panel.y, 1e3 + panel.y**2))
    close(cells_by_name(fit, panel), cells_by_name(fit_of(case, wild, learn=learn), wild), atol=1e-8)


@configured("treated post")
def test_treated_outcomes_are_never_learned_from(case: Configured) -> None:
    """Other treated outcomes move the effects of their own group by as much, and nothing else."""
    panel, fit = world(case)
    own = panel.first == STARTS[0]
    push = np.where(
        own[:, None] & panel.treated_cells(), np.random.default_rng(4).normal(scale=9, size=panel.y.shape), 0
    )
    other = panel.with_outcome(panel.y + push)
    mean = (panel.weight[own] @ push[own]) / panel.weight[own].sum()
    name = panel.group_names[int(panel.group[own][0])]
    close(
        cells_by_name(fit, panel),
        cells_by_name(fit_of(case, other), other),
        move=lambda group, period: mean[panel.periods.index(period)] if group == name else 0.0,
    )


@configured("own outcomes")
def test_a_unit_s_untreated_outcome_does_not_use_its_treated_outcomes(case: Configured) -> None:
    panel, fit = world(case)
    push = np.where(panel.treated_cells(), np.random.default_rng(4).normal(scale=9, size=panel.y.shape), 0)
    again = fit_of(case, panel.with_outcome(panel.y + push))
    assert fit.untreated is not None and again.untreated is not None
    np.testing.assert_allclose(again.untreated, fit.untreated, atol=EXACT, rtol=0)


@configured("duplicate donor")
def test_duplicate_donor_harmless(case: Configured) -> None:
    """A control unit is split in two halves of its weight. Few donors, so that the weights of a synthetic control are
    unique."""
    table = frame(controls=9 if case.covariates else 5)
    half = table["unit"] == "c01-0"
    split = table.assign(weight=np.where(half, table["weight"] / 2, table["weight"]))
    split = pd.concat([split, split[half].assign(unit="c01-copy")])
    panel, double = panel_of(table, case), panel_of(split, case)
    close(cells_by_name(fit_of(case, panel), panel), cells_by_name(fit_of(case, double), double), atol=1e-8)


@configured("zero weight")
@pytest.mark.parametrize("weighting", ["unit", "area", "resident"])
def test_zero_weight_unit_droppable(case: Configured, weighting: str) -> None:
    """One control and one treated unit, alone in its area, without weight: as if they were not there."""
    panel, _ = world(case)
    gone = np.array([panel.units.index("c03-0"), panel.units.index("a1m-0"), panel.units.index("a5m-0")])
    weight = panel.weight.copy()
    weight[gone] = 0.0
    target = Target("event", weighting)  # type: ignore[arg-type]
    light, without = (
        evaluate(case.estimator, other, target) for other in (replace(panel, weight=weight), panel.drop(gone))
    )
    assert isinstance(light, Found) and isinstance(without, Found)
    assert light.effects.terms == without.effects.terms
    np.testing.assert_allclose(light.effects.estimate, without.effects.estimate, atol=EXACT)
    assert light.effects.areas == without.effects.areas


@configured("weightless group")
def test_a_group_without_weight_is_not_estimated(case: Configured) -> None:
    panel, _ = world(case)
    late = panel.first == STARTS[1]
    fit = fit_of(case, replace(panel, weight=np.where(late, 0.0, panel.weight)))
    close(
        cells_by_name(fit, panel),
        cells_by_name(fit_of(case, panel.drop(np.flatnonzero(late))), panel.drop(np.flatnonzero(late))),
    )


# Refusals -------------------------------------------------------------------------------------------------------------


def refusal(case: Configured, panel: Panel) -> Refused:
    found = case.estimator.fit(panel)
    assert isinstance(found, Refused)
    assert case.name in str(found)
    assert found.because and found.instead
    return found


@configured("few controls")
def test_refuses_too_few_controls(case: Configured) -> None:
    panel, _ = world(case)
    few = panel.drop(np.flatnonzero(~panel.treated)[case.estimator.asks.min_controls - 1 :])
    only = few.drop(np.flatnonzero(few.first == STARTS[1])) if not case.estimator.asks.never_treated else few
    assert "control" in refusal(case, only).because


@configured("short pre")
def test_refuses_too_short_a_pre_period(case: Configured) -> None:
    panel, _ = world(case)
    short = case.estimator.asks.min_pre - 1
    table = frame()
    table = table[table["year"] >= 2000 + STARTS[1] - short]
    if short:
        assert "before" in refusal(case, panel_of(table, case)).because
    else:
        # Nobody has a pre-period: all treated units go aside, and nobody is left who is treated.
        panel = panel_of(table, case)
        assert len(panel.aside) == 10
        refusal(case, panel)


def with_gaps(panel: Panel) -> Panel:
    y = panel.y.copy()
    y[[2, 5], [3, 0]] = np.nan
    return panel.with_outcome(y)


def complete(case: Configured) -> bool:
    """Needs every cell: declared, or because it compares covariates and changes of whole units."""
    return case.estimator.asks.balanced or bool(case.covariates and case.name == "group-time")


@configured("missing values", complete)
def test_refuses_missing_values(case: Configured) -> None:
    panel, _ = world(case)
    because = refusal(case, with_gaps(panel)).because
    assert panel.units[2] in because and panel.units[5] in because


@configured("missing values", lambda case: not complete(case))
def test_missing_values_are_left_out_where_they_are(case: Configured) -> None:
    """It is said; whatever may have stood there changes nothing; a unit seen once is as good as gone."""
    panel, fit = world(case)
    assert not any("miss the outcome" in note for note in fit.notes)
    assert any("2 of " in note and "miss the outcome" in note for note in fit_of(case, with_gaps(panel)).notes)
    once = rows_of(panel, "c0")[:3]
    y = panel.y.copy()
    y[np.ix_(once, np.arange(1, PERIODS))] = np.nan
    seldom = panel.with_outcome(y)
    close(cells_by_name(fit_of(case, seldom), seldom), cells_by_name(fit_of(case, panel.drop(once)), panel.drop(once)))


@configured("mean zero", lambda case: not complete(case))
def test_scores_sum_to_zero_with_missing_values(case: Configured) -> None:
    panel = with_gaps(world(case)[0])
    fit = fit_of(case, panel)
    assert fit.cells.scores is not None and fit.untreated is not None
    shape = np.eye(len(fit.cells.effect))
    np.testing.assert_allclose(fit.cells.scores.at(shape).sum(axis=0), 0, atol=EXACT)
    for group, period, effect in zip(fit.cells.group, fit.cells.period, fit.cells.effect, strict=True):
        gap = (panel.y - fit.untreated)[panel.group == group, period]
        seen = ~np.isnan(gap)
        mean = np.average(gap[seen], weights=panel.weight[panel.group == group][seen])
        assert mean == pytest.approx(effect, abs=EXACT)


@configured("never treated")
def test_refuses_without_never_treated(case: Configured) -> None:
    panel, _ = world(case)
    found = case.estimator.fit(panel.drop(np.flatnonzero(panel.never)))
    if getattr(case.estimator, "control", "not-yet" if not case.estimator.asks.never_treated else "never") == "not-yet":
        # Later starts can serve, until the last cohort; adjustment needs more of them than there are here.
        assert isinstance(found, Fit) or case.covariates
    else:
        assert isinstance(found, Refused)
        assert "never-treated" in found.because


@configured("nobody treated")
def test_refuses_without_anyone_treated(case: Configured) -> None:
    panel, _ = world(case)
    refusal(case, panel.assign(np.full(len(panel.units), NEVER)))
