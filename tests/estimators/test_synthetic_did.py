"""Synthetic difference-in-differences: covariates, the ridge, many placebos at once, and what may not change it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.optimize import nnls

from impact.arrays import Bool2, Float1, Float2
from impact.cells import Fit
from impact.errors import Refused
from impact.estimators.did import DiD
from impact.estimators.protocol import Replicates, StandIns
from impact.estimators.synthetic_did import SyntheticDiD
from impact.inference.placebo import PlaceboSpace
from impact.inference.protocol import Found, Uncertainty, evaluate
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target

TREATED = [5, 5, 5, 8, 8]
AREAS = ("north", "north", "south", "west", "east")


def outcome(units: int, periods: int, seed: int = 0, noise: float = 0.5) -> Float2:
    """Levels, two common factors with loadings of the unit, and noise."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(units, 2)) @ rng.normal(size=(2, periods)).cumsum(axis=1)
    return np.asarray(20 + 2 * rng.normal(size=(units, 1)) + factors + noise * rng.normal(size=(units, periods)))


def panel_of(y: Float2, **covariates: Float2) -> Panel:
    """The five treated units first: two areas start in period 5 (north has two units), two in period 8."""
    units = tuple(f"u{row:03}" for row in range(len(y)))
    first = np.r_[np.array(TREATED, dtype=float), np.full(len(y) - 5, np.inf)]
    names = tuple(dict.fromkeys(AREAS))
    area = np.r_[[names.index(name) for name in AREAS], np.full(len(y) - 5, -1)]
    weight = np.ones(len(y))
    weight[:5] = [3, 1, 2, 1, 1.5]
    return Panel(
        y=y,
        first=first,
        units=units,
        periods=tuple(f"p{t:02}" for t in range(y.shape[1])),
        cluster=np.arange(len(y)),
        clusters=units,
        area=area,
        areas=names,
        weight=weight,
        group=np.where(first == 5, 0, np.where(first == 8, 1, -1)),
        covariates=covariates,
    )


def fitted(estimator: SyntheticDiD, panel: Panel, **how: Any) -> Fit:
    found = estimator.fit(panel, **how)
    assert isinstance(found, Fit), found
    return found


def effects(fit: Fit, panel: Panel) -> dict[tuple[str, int], float]:
    names = [panel.group_names[group] for group in fit.cells.group]
    return dict(zip(zip(names, fit.cells.period.tolist(), strict=True), fit.cells.effect.tolist(), strict=True))


def refused(estimator: SyntheticDiD, panel: Panel) -> Refused:
    found = estimator.fit(panel)
    assert isinstance(found, Refused)
    return found


# Covariates -----------------------------------------------------------------------------------------------------------


def slopes_by_dummies(y: Float2, open_to: Bool2, covariates: list[Float2]) -> Float1:
    """Least squares with a column for every unit and every period, on the open cells."""
    unit, period = np.nonzero(open_to)
    columns = [values[unit, period] for values in covariates]
    columns += [unit == row for row in np.unique(unit)] + [period == t for t in np.unique(period)[1:]]
    solution = np.linalg.lstsq(np.column_stack(columns).astype(float), y[unit, period], rcond=None)[0]
    return np.asarray(solution[: len(covariates)])


def with_covariates(seed: int = 1) -> tuple[Float2, dict[str, Float2]]:
    """A covariate whose course differs between treated and donors, and one that is noise."""
    rng = np.random.default_rng(seed)
    y = outcome(30, 12, seed)
    drift = np.linspace(0, 3, 12) * (np.arange(30) < 5)[:, None]
    x = {"rent": rng.normal(size=y.shape) + drift, "age": rng.normal(size=y.shape).cumsum(axis=1)}
    return y + 1.7 * x["rent"] - 0.4 * x["age"], x


@pytest.mark.parametrize("anticipation", [0, 2])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("by_area", [False, True])
def test_covariates_leave_the_outcome_by_a_regression_on_untreated_cells(
    anticipation: int, masked: bool, by_area: bool
) -> None:
    y, x = with_covariates()
    panel = panel_of(y, **x)
    panel = panel.by_area() if by_area else panel
    learn = np.ones(y.shape, dtype=bool)
    if masked:
        learn[3, 4] = learn[9, 2] = False
        learn[12, 7:] = False
    untreated = (np.arange(12) < panel.first[:, None] - anticipation) & learn
    slopes = slopes_by_dummies(y, untreated, list(x.values()))
    part = slopes[0] * x["rent"] + slopes[1] * x["age"]
    estimator = SyntheticDiD(anticipation=anticipation)
    found = fitted(estimator, panel, learn=learn)
    plain = fitted(estimator, replace(panel, covariates={}).with_outcome(y - part), learn=learn)
    np.testing.assert_allclose(found.cells.effect, plain.cells.effect, atol=1e-9)
    assert found.weights is not None and plain.weights is not None
    np.testing.assert_allclose(found.weights.unit, plain.weights.unit, atol=1e-9)
    assert found.untreated is not None and plain.untreated is not None
    np.testing.assert_allclose(found.untreated, plain.untreated + part, atol=1e-9)
    # The weights give the cells from the adjusted outcome.
    adjusted = y - part
    for row, (unit, time) in enumerate(zip(found.weights.unit, found.weights.time, strict=True)):
        members = panel.group == row
        gap = np.average(adjusted[members], axis=0, weights=panel.weight[members]) - unit @ adjusted
        own = found.cells.group == row
        np.testing.assert_allclose(found.cells.effect[own], (gap - time @ gap)[found.cells.period[own]], atol=1e-9)
    said = [note for note in found.notes if "adjusted for covariates" in note]
    assert len(said) == 1
    assert f"{float(f'{slopes[0]:.3e}')!r} for rent" in said[0] and "for age" in said[0]


def test_slopes_are_those_of_another_package() -> None:
    models = pytest.importorskip("linearmodels.panel")
    import pandas as pd

    y, x = with_covariates(4)
    panel = panel_of(y, **x)
    unit, period = np.nonzero(np.arange(12) < panel.first[:, None])
    frame = pd.DataFrame({"y": y[unit, period], **{name: values[unit, period] for name, values in x.items()}})
    frame.index = pd.MultiIndex.from_arrays([unit, period])
    model = models.PanelOLS(frame["y"], frame[["rent", "age"]], entity_effects=True, time_effects=True)
    slopes = model.fit().params
    part = slopes["rent"] * x["rent"] + slopes["age"] * x["age"]
    plain = fitted(SyntheticDiD(), panel_of(y - part))
    np.testing.assert_allclose(fitted(SyntheticDiD(), panel).cells.effect, plain.cells.effect, atol=1e-8)


def test_what_a_covariate_does_is_no_effect_of_the_programme() -> None:
    """Outcomes that are parallel but for what the covariate does, which drifts apart, and an effect of 3."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(40, 12)) + np.linspace(0, 8, 12) * (np.arange(40) < 5)[:, None]
    base = rng.normal(size=(40, 1)) + np.sin(np.arange(12))
    panel = panel_of(base + 2.5 * x, x=x)
    panel = panel.with_outcome(panel.y + 3 * panel.treated_cells())
    fit = fitted(SyntheticDiD(), panel)
    np.testing.assert_allclose(fit.cells.effect, np.where(fit.cells.post, 3, 0), atol=1e-8)
    blind = fitted(SyntheticDiD(), replace(panel, covariates={}))
    assert np.abs(blind.cells.effect[blind.cells.post] - 3).max() > 2


def test_a_fixed_covariate_changes_nothing_and_is_said() -> None:
    y = outcome(25, 11)
    fixed = np.random.default_rng(0).normal(size=(25, 1))
    fit, plain = (fitted(SyntheticDiD(), one) for one in (panel_of(y, income=fixed), panel_of(y)))
    np.testing.assert_array_equal(fit.cells.effect, plain.cells.effect)
    assert "the covariates income do not change over time: the unit effects of synthetic-did absorb them" in fit.notes
    assert not any("income" in note for note in plain.notes)


def test_a_slope_that_the_untreated_cells_do_not_determine_is_refused() -> None:
    y, x = with_covariates()
    twice = panel_of(y, rent=x["rent"], double=2 * x["rent"])
    assert "rent, double" in refused(SyntheticDiD(), twice).because
    alike = panel_of(y, oil=np.tile(np.arange(12.0) ** 2, (30, 1)))
    assert "slope of oil" in refused(SyntheticDiD(), alike).because
    # It changes only where the programme runs.
    after = panel_of(y, visits=np.where(panel_of(y).treated_cells(), 1.0, 0.0))
    assert "slope of visits" in refused(SyntheticDiD(), after).because


def test_a_missing_covariate_is_refused_where_its_unit_serves() -> None:
    y, x = with_covariates()
    x["rent"][10, 3] = np.nan
    panel = panel_of(y, **x)
    assert "rent have missing values" in refused(SyntheticDiD(), panel).because
    weight = panel.weight.copy()
    weight[10] = 0
    gone = panel.drop([10])
    np.testing.assert_allclose(
        fitted(SyntheticDiD(), replace(panel, weight=weight)).cells.effect,
        fitted(SyntheticDiD(), gone).cells.effect,
        atol=1e-10,
    )


def test_a_donor_that_is_left_out_teaches_no_slope() -> None:
    y, x = with_covariates()
    holes = y.copy()
    holes[11, 4] = np.nan
    panel = panel_of(holes, **x)
    dropping = SyntheticDiD(missing="drop-donors")
    assert "u011" in refused(SyntheticDiD(), panel).because
    np.testing.assert_allclose(
        fitted(dropping, panel).cells.effect, fitted(dropping, panel.drop([11])).cells.effect, atol=1e-10
    )


def test_unmatched_controls_teach_no_slope() -> None:
    y, x = with_covariates()
    panel = panel_of(y, **x)
    pairs = np.zeros((4, 30))
    pairs[:, 5:20] = 1
    matched = panel.with_pairs(pairs)
    wild = matched.with_outcome(np.where(np.arange(30)[:, None] >= 20, 1e3 * y**2, y))
    np.testing.assert_allclose(
        fitted(SyntheticDiD(), wild).cells.effect, fitted(SyntheticDiD(), matched).cells.effect, atol=1e-9
    )


def test_held_weights_with_covariates_give_the_same_cells() -> None:
    y, x = with_covariates()
    panel = panel_of(y, **x)
    fit = fitted(SyntheticDiD(), panel)
    again = fitted(SyntheticDiD(), panel, hold=fit.weights)
    np.testing.assert_allclose(again.cells.effect, fit.cells.effect, atol=1e-10)


# The ridge ------------------------------------------------------------------------------------------------------------


def omega_by_nnls(panel: Panel, group: int, times: float) -> Float1:
    """Unit weights by Lawson & Hanson, with the ridge as rows and the sum as a heavy row."""
    members, donors = np.flatnonzero(panel.group == group), panel.y[panel.never]
    start, length = int(panel.first[members[0]]), panel.y.shape[1]
    treated = np.average(panel.y[members], axis=0, weights=panel.weight[members])[:start]
    before = donors[:, :start]
    zeta = times * (len(members) * (length - start)) ** 0.25 * np.diff(before, axis=1).std(ddof=1)
    a = (before - before.mean(axis=1, keepdims=True)).T
    heavy = 1e4 * np.abs(a).max()
    rows = np.vstack([a, np.sqrt(start) * zeta * np.eye(len(donors)), np.full(len(donors), heavy)])
    return np.asarray(nnls(rows, np.r_[treated - treated.mean(), np.zeros(len(donors)), heavy])[0])


@pytest.mark.parametrize("zeta", [0.3, 1.0, 4.0])
def test_zeta_multiplies_the_ridge_of_the_paper(zeta: float) -> None:
    panel = panel_of(outcome(24, 11, 3))
    fit = fitted(SyntheticDiD(zeta=zeta), panel)
    assert fit.weights is not None
    for group in (0, 1):
        # Lawson & Hanson keep the sum to the inverse square of its weight.
        np.testing.assert_allclose(fit.weights.unit[group, 5:], omega_by_nnls(panel, group, zeta), atol=1e-5)


def test_a_stronger_ridge_comes_closer_to_difference_in_differences_and_says_so() -> None:
    panel = panel_of(outcome(40, 11, 5))
    effective = []
    for zeta in (0.1, 1.0, 10.0, 1e4):
        fit = fitted(SyntheticDiD(zeta=zeta), panel)
        assert fit.weights is not None
        effective.append(1 / (fit.weights.unit**2).sum(axis=1))
        said = [note for note in fit.notes if "practically difference-in-differences" in note]
        assert len(said) == (effective[-1] >= 0.9 * 35).sum()
    assert (np.diff(effective, axis=0) > 0).all()
    assert effective[0].max() < 25
    np.testing.assert_allclose(effective[-1], 35, rtol=1e-4)
    by_area = fitted(SyntheticDiD(zeta=1e4), panel.by_area()).notes
    assert sum("practically difference-in-differences" in note for note in by_area) == 4
    assert not any("per area" in note for note in by_area)
    # With even weights only the base periods are weighted: the donors' mean is the comparison.
    fit = fitted(SyntheticDiD(zeta=1e6), panel)
    assert fit.weights is not None
    for row, time in enumerate(fit.weights.time):
        members = panel.group == row
        gap = np.average(panel.y[members], axis=0, weights=panel.weight[members]) - panel.y[5:].mean(axis=0)
        np.testing.assert_allclose(fit.cells.effect[fit.cells.group == row], gap - time @ gap, atol=1e-5)


def test_parameters() -> None:
    for zeta in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="a number above 0"):
            SyntheticDiD(zeta=zeta)


def test_outcomes_that_never_move_have_no_effect() -> None:
    """No noise, hence no ridge: least norm, and nothing to divide by."""
    panel = panel_of(np.tile(np.arange(20.0)[:, None], (1, 11)))
    fit = fitted(SyntheticDiD(), panel)
    np.testing.assert_allclose(fit.cells.effect, 0, atol=1e-12)
    assert fit.weights is not None
    np.testing.assert_allclose(fit.weights.unit[:, 5:], 1 / 15, atol=1e-10)


# What may not change an answer ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_both_solvers_tell_the_same_story(seed: int) -> None:
    """The rule of R stops early, so the estimates differ; but by little, and never in sign."""
    panel = panel_of(outcome(30, 12, seed))
    panel = panel.with_outcome(panel.y + 2.0 * panel.treated_cells())
    exact, early = (evaluate(SyntheticDiD(solver=solver), panel, Target("event")) for solver in ("exact", "fw"))  # type: ignore[arg-type]
    assert isinstance(exact, Found) and isinstance(early, Found)
    np.testing.assert_allclose(early.effects.estimate, exact.effects.estimate, atol=0.1)
    clear = np.abs(exact.effects.estimate) > 0.1
    assert clear.sum() > 5
    np.testing.assert_array_equal(np.sign(early.effects.estimate[clear]), np.sign(exact.effects.estimate[clear]))


def test_neither_the_order_of_donors_nor_a_second_run_changes_the_answer() -> None:
    y, x = with_covariates()
    for panel in (panel_of(y), panel_of(y, **x), panel_of(np.repeat(y, 2, axis=0)[5:])):
        fit, again = fitted(SyntheticDiD(), panel), fitted(SyntheticDiD(), panel)
        assert fit.cells.effect.tobytes() == again.cells.effect.tobytes()
        for seed in range(3):
            order = np.random.default_rng(seed).permutation(len(panel.units))
            other = panel.take(order)
            known, shuffled = effects(fit, panel), effects(fitted(SyntheticDiD(), other), other)
            assert shuffled == pytest.approx(known, abs=1e-9)


# Many placebos at once ------------------------------------------------------------------------------------------------


def one_by_one(estimator: SyntheticDiD, panel: Panel, stand_ins: StandIns) -> list[Fit | Refused]:
    """Every assignment as a panel of its own: the treated out, the stand-ins in their places."""
    found = []
    for rows, weight in zip(stand_ins.rows, stand_ins.weight, strict=True):
        first, area, group = np.full(len(panel.units), np.inf), np.full(len(panel.units), -1), panel.group.copy()
        weights = panel.weight.copy()
        group[:] = -1
        first[rows], area[rows] = panel.first[stand_ins.roles], panel.area[stand_ins.roles]
        group[rows], weights[rows] = panel.group[stand_ins.roles], weight
        pretend = replace(panel, first=first, area=area, group=group, weight=weights)
        found.append(estimator.fit(pretend.drop(np.flatnonzero(panel.treated))))
    return found


def assignments(panel: Panel, count: int, seed: int = 0) -> StandIns:
    rng = np.random.default_rng(seed)
    roles, donors = np.flatnonzero(panel.treated), np.flatnonzero(panel.never)
    rows = np.array([rng.choice(donors, len(roles), replace=False) for _ in range(count)])
    return StandIns(roles, rows, rng.uniform(0.5, 2, size=rows.shape))


def both(estimator: SyntheticDiD, panel: Panel, stand_ins: StandIns) -> None:
    at_once = estimator.reassigned(panel, stand_ins)
    assert isinstance(at_once, Replicates)
    usual = float(np.median(np.abs(panel.y)))
    for row, fit in enumerate(one_by_one(estimator, panel, stand_ins)):
        if isinstance(fit, Refused):
            assert row in at_once.refused
            assert np.isnan(at_once.effect[row]).all()
            continue
        np.testing.assert_array_equal(at_once.cells.group, fit.cells.group)
        np.testing.assert_array_equal(at_once.cells.period, fit.cells.period)
        for group in np.unique(fit.cells.group):
            one, other = at_once.effect[row, fit.cells.group == group], fit.cells.effect[fit.cells.group == group]
            np.testing.assert_allclose(one, other, atol=1e-8 * max(usual, np.abs(other).max()), rtol=0)
        np.testing.assert_allclose(at_once.size[row], fit.cells.size, rtol=1e-12)


@pytest.mark.parametrize("by_area", [False, True])
@pytest.mark.parametrize(
    "estimator",
    [SyntheticDiD(), SyntheticDiD(zeta=0.05), SyntheticDiD(anticipation=2)],
    ids=["plain", "zeta", "anticipation"],
)
def test_placebos_at_once_are_those_one_by_one(estimator: SyntheticDiD, by_area: bool) -> None:
    panel = panel_of(outcome(35, 12, 7))
    panel = panel.by_area() if by_area else panel
    both(estimator, panel, assignments(panel, 12))


def test_placebos_at_once_where_digits_are_lost() -> None:
    """One wild donor, duplicates, fewer donors than periods, a period that repeats another, and nothing that moves."""
    y = outcome(30, 12, 8)
    wild = y.copy()
    wild[9] = 1e5 * np.random.default_rng(0).normal(size=12)
    few = outcome(14, 20, 8)
    repeated = y.copy()
    repeated[:, 3] = repeated[:, 1]
    still = np.where(np.arange(30)[:, None] == 9, y, 20 + np.arange(30)[:, None])
    for outcomes in (np.repeat(y, 2, axis=0)[5:40], few, repeated, still):
        panel = panel_of(outcomes)
        both(SyntheticDiD(), panel, assignments(panel, 8))
    panel = panel_of(wild)
    drawn = assignments(panel, 8)
    rows = drawn.rows.copy()
    rows[:4, 0] = np.where((rows[:4] == 9).any(axis=1), rows[:4, 0], 9)  # in half of them the wild one is treated
    both(SyntheticDiD(), panel, replace(drawn, rows=rows))


def test_too_few_donors_are_refused_one_by_one_and_at_once() -> None:
    panel = panel_of(outcome(11, 12, 8))
    found = SyntheticDiD().reassigned(panel, assignments(panel, 3))
    assert isinstance(found, Replicates)
    assert sorted(found.refused) == [0, 1, 2]
    assert all("1 donors" in reason.because for reason in found.refused.values())


def test_the_rule_of_r_and_covariates_are_refitted() -> None:
    y, x = with_covariates()
    drawn = assignments(panel_of(y), 2)
    for estimator, panel in ((SyntheticDiD(solver="fw"), panel_of(y)), (SyntheticDiD(), panel_of(y, **x))):
        assert isinstance(estimator.reassigned(panel, drawn), Refused)
        found = PlaceboSpace(draws=19).run(estimator, panel, Target(), streams=Streams(1), parallel=Parallel())
        assert isinstance(found, Uncertainty) and found.draws == 19


def test_null_model() -> None:
    assert SyntheticDiD(zeta=2, anticipation=1).null_model() == DiD(anticipation=1)
