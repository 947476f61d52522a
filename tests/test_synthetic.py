"""The synthetic estimators on small panels: hand-worked weights, areas within cohorts, masks, pairs and refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import nnls

from impact.arrays import Float1, Float2
from impact.cells import Fit
from impact.errors import Refused
from impact.estimators import synthetic_control, synthetic_did
from impact.estimators.did import DiD
from impact.estimators.multi_outcome import MultiOutcomeSyntheticControl
from impact.estimators.partially_pooled import PartiallyPooled
from impact.estimators.protocol import Estimator
from impact.estimators.synthetic_control import SyntheticControl
from impact.estimators.synthetic_did import SyntheticDiD
from impact.numerics.simplex import Simplex
from impact.panel import Panel, Weighting
from impact.targets import Target

BOTH: tuple[Estimator, ...] = (SyntheticControl(), SyntheticDiD())
EACH = pytest.mark.parametrize("estimator", BOTH, ids=lambda estimator: str(estimator.name))


def panel_of(
    y: Float2, first: Mapping[int, int], areas: Mapping[str, list[int]] | None = None, weight: Float1 | None = None
) -> Panel:
    units = tuple(f"u{row}" for row in range(len(y)))
    areas = areas or {units[row]: [row] for row in first}
    starts = np.array([first.get(row, np.inf) for row in range(len(y))], dtype=float)
    area = np.full(len(y), -1)
    for number, rows in enumerate(areas.values()):
        area[rows] = number
    cohorts = sorted(set(first.values()))
    group = np.array([cohorts.index(first[row]) if row in first else -1 for row in range(len(y))])
    periods = tuple(f"p{t}" for t in range(y.shape[1]))
    return Panel(
        y,
        starts,
        units,
        periods,
        np.arange(len(y)),
        units,
        area,
        tuple(areas),
        np.ones(len(y)) if weight is None else weight,
        group,
    )


def fitted(estimator: Estimator, panel: Panel, **how: object) -> Fit:
    found = estimator.fit(panel, **how)  # type: ignore[arg-type]
    assert isinstance(found, Fit), found
    return found


def refused(estimator: Estimator, panel: Panel, **how: object) -> Refused:
    found = estimator.fit(panel, **how)  # type: ignore[arg-type]
    assert isinstance(found, Refused)
    return found


def by_nnls(a: Float2, b: Float1, ridge: float) -> Float1:
    """The program by Lawson & Hanson, with the ridge as rows and the sum as a heavy row."""
    heavy = 1e4 * np.abs(a).max()
    rows = np.vstack([a, np.sqrt(ridge) * np.eye(a.shape[1]), np.full(a.shape[1], heavy)])
    return np.asarray(nnls(rows, np.r_[b, np.zeros(a.shape[1]), heavy])[0])


def three_areas(seed: int = 5) -> Panel:
    """Two areas start in p6 (north has two units that weigh 3 and 1), west in p8; 12 donors."""
    rng = np.random.default_rng(seed)
    y = 10 + rng.normal(size=(16, 1)) + rng.normal(size=(16, 10)).cumsum(axis=1)
    weight = np.r_[3.0, 1.0, 2.0, 1.0, np.ones(12)]
    return panel_of(y, {0: 6, 1: 6, 2: 6, 3: 8}, {"north": [0, 1], "south": [2], "west": [3]}, weight)


def test_a_hand_worked_synthetic_control() -> None:
    """The treated unit is a quarter of u1 and three quarters of u2 until p3, and 5 and 6 above it from then on."""
    donors = np.array([[0.0, 4, 0, 8, 4], [4.0, 0, 8, 0, 8], [40.0, 0, 3, 9, 9]])
    treated = np.array([0.25, 0.75, 0.0]) @ donors + np.array([0, 0, 0, 5, 6])
    fit = fitted(SyntheticControl(), panel_of(np.vstack([treated, donors]), {0: 3}))
    assert fit.weights is not None
    assert fit.untreated is not None
    np.testing.assert_allclose(fit.weights.unit, [[0, 0.25, 0.75, 0]], atol=1e-10)
    np.testing.assert_array_equal(fit.weights.time, np.zeros((1, 5)))
    np.testing.assert_allclose(fit.cells.effect, [0, 0, 0, 5, 6], atol=1e-9)
    np.testing.assert_allclose(fit.untreated[0], [3, 1, 6, 2, 7], atol=1e-9)
    assert np.isnan(fit.untreated[1:]).all()
    assert fit.notes == ()


def test_a_hand_worked_synthetic_did() -> None:
    """All units move alike before the start, so no reweighting helps: uniform weights, and the textbook difference."""
    common = np.array([1.0, 3, 2, 6, 6])
    y = common + np.array([[10.0], [0], [2], [7]])
    y[0, 3:] += [4, 8]
    fit = fitted(SyntheticDiD(), panel_of(y, {0: 3}))
    assert fit.weights is not None
    np.testing.assert_allclose(fit.weights.unit, [[0, 1 / 3, 1 / 3, 1 / 3]], atol=1e-10)
    np.testing.assert_allclose(fit.cells.effect, [0, 0, 0, 4, 8], atol=1e-9)


@pytest.mark.parametrize("by_area", [False, True])
def test_synthetic_did_weighs_each_group_as_the_paper_says(by_area: bool) -> None:
    panel = three_areas()
    panel = panel.by_area() if by_area else panel
    members = [[0, 1], [2], [3]] if by_area else [[0, 1, 2], [3]]
    fit = fitted(SyntheticDiD(), panel)
    assert fit.weights is not None
    donors = panel.y[4:]
    for row, rows in enumerate(members):
        start = int(panel.first[rows[0]])
        treated = np.average(panel.y[rows], axis=0, weights=panel.weight[rows])
        before, after = donors[:, :start], donors[:, start:]
        spread = np.diff(before, axis=1).ravel()
        noise = np.sqrt(np.sum((spread - spread.mean()) ** 2) / (len(spread) - 1))
        zeta = (len(rows) * after.shape[1]) ** 0.25 * noise
        omega = by_nnls(
            (before - before.mean(axis=1, keepdims=True)).T, treated[:start] - treated[:start].mean(), start * zeta**2
        )
        target = after.mean(axis=1)
        lam = by_nnls(before - before.mean(axis=0), target - target.mean(), len(donors) * (1e-6 * noise) ** 2)
        np.testing.assert_allclose(fit.weights.unit[row, 4:], omega, atol=1e-5)
        np.testing.assert_allclose(fit.weights.time[row, :start], lam, atol=1e-5)
        gap = treated - omega @ donors
        np.testing.assert_allclose(fit.cells.effect[fit.cells.group == row], gap - lam @ gap[:start], atol=1e-4)
    assert len(fit.trace) == 2 * len(members)


def test_a_cohort_is_the_mean_of_its_areas() -> None:
    panel = three_areas()
    cohort, area = fitted(SyntheticControl(), panel), fitted(SyntheticControl(), panel.by_area())
    assert cohort.weights is not None
    assert area.weights is not None
    assert area.weights.groups == ("north", "south", "west")
    assert cohort.weights.groups == ("p6", "p8")
    gaps = area.cells.effect.reshape(3, 10)
    pooled = [(4 * gaps[0] + 2 * gaps[1]) / 6, gaps[2]]
    np.testing.assert_allclose(cohort.cells.effect.reshape(2, 10), pooled, atol=1e-12)
    unit = area.weights.unit
    np.testing.assert_allclose(cohort.weights.unit, [(4 * unit[0] + 2 * unit[1]) / 6, unit[2]], atol=1e-12)
    assert cohort.cells.size.tolist() == [6.0] * 10 + [1.0] * 10
    assert len(cohort.trace) == len(area.trace) == 3
    weightings: tuple[Weighting, ...] = ("area", "unit")
    for weighting in weightings:
        target = Target("average", weighting=weighting)
        whole = target.values(fitted(SyntheticControl(), target.prepare(panel)).cells, target.prepare(panel))
        assert isinstance(whole, dict)
        post = [gaps[0, 6:].mean(), gaps[1, 6:].mean(), gaps[2, 8:].mean()]
        share = np.array([1, 1, 1]) if weighting == "area" else np.array([4, 2, 1]) * [4, 4, 2]
        assert whole["average"] == pytest.approx(np.average(post, weights=share), rel=1e-10)


@EACH
def test_surface_and_weights_give_the_cells(estimator: Estimator) -> None:
    panel = three_areas()
    for grouped in (panel, panel.by_area()):
        fit = fitted(estimator, grouped)
        assert fit.untreated is not None
        assert fit.weights is not None
        for row, (unit, time) in enumerate(zip(fit.weights.unit, fit.weights.time, strict=True)):
            rows = grouped.group == row
            share = np.where(rows, grouped.weight, 0.0) / grouped.weight[rows].sum()
            effect = fit.cells.effect[fit.cells.group == row]
            gap = (share - unit) @ grouped.y
            np.testing.assert_allclose(effect, gap - time @ gap, atol=1e-10)
            np.testing.assert_allclose(effect, share[rows] @ (grouped.y - fit.untreated)[rows], atol=1e-10)
        assert not np.isfinite(fit.untreated[4:]).any()


@EACH
def test_held_weights_give_the_same_cells(estimator: Estimator) -> None:
    for panel in (three_areas(), three_areas().by_area()):
        fit = fitted(estimator, panel)
        again = fitted(estimator, panel, hold=fit.weights)
        np.testing.assert_allclose(again.cells.effect, fit.cells.effect, atol=1e-12)
        assert again.trace == ()


@EACH
def test_held_weights_that_rest_on_nothing_are_refused(estimator: Estimator) -> None:
    panel = three_areas()
    weights = fitted(estimator, panel).weights
    assert weights is not None
    on_one = replace(weights, unit=np.tile(np.arange(16) == 4, (2, 1)))
    assert "held weights" in refused(estimator, panel.drop([4]), hold=on_one).because
    assert "other periods" in refused(estimator, panel.until(9), hold=weights).because


@EACH
def test_what_may_not_be_learned_from_changes_nothing(estimator: Estimator) -> None:
    panel = three_areas()
    learn = np.ones(panel.y.shape, dtype=bool)
    learn[5, 9] = learn[0, 2] = False
    changed = panel.y.copy()
    changed[5] += 7
    changed[0, 2] += 7
    fit = fitted(estimator, panel, learn=learn)
    other = fitted(estimator, panel.with_outcome(changed), learn=learn)
    np.testing.assert_allclose(other.cells.effect, fit.cells.effect, atol=1e-12)
    assert fit.weights is not None
    assert not fit.weights.unit[:, 5].any()
    assert not fit.weights.time[0, 2]
    early = fit.cells.group == 0
    assert fit.cells.period[early].tolist() == [0, 1, 3, 4, 5, 6, 7, 8, 9]
    assert fit.cells.period[~early].tolist() == list(range(10))


@pytest.mark.parametrize("estimator", [SyntheticControl(anticipation=2), SyntheticDiD(anticipation=2)])
def test_anticipated_periods_are_not_fitted(estimator: Estimator) -> None:
    panel = panel_of(three_areas().y, {0: 6})
    changed = panel.y.copy()
    changed[0, 4:6] += 3
    fit, other = fitted(estimator, panel), fitted(estimator, panel.with_outcome(changed))
    assert fit.weights is not None
    assert other.weights is not None
    np.testing.assert_array_equal(other.weights.unit, fit.weights.unit)
    np.testing.assert_allclose(other.cells.effect - fit.cells.effect, [0, 0, 0, 0, 3, 3, 0, 0, 0, 0], atol=1e-12)


def test_matched_areas_have_their_own_donors() -> None:
    panel = three_areas()
    pairs = np.zeros((3, 16))
    pairs[0, 4:8] = pairs[1, 8:12] = pairs[2, 12:16] = 1
    matched = panel.with_pairs(pairs)
    fit = fitted(SyntheticControl(), matched.by_area())
    assert fit.weights is not None
    for row in range(3):
        assert set(np.flatnonzero(fit.weights.unit[row])) <= set(np.flatnonzero(pairs[row]))
        own = [*np.flatnonzero(panel.area == row), *np.flatnonzero(pairs[row])]
        alone = fitted(SyntheticControl(), panel.by_area().take(own))
        np.testing.assert_allclose(fit.cells.effect[fit.cells.group == row], alone.cells.effect, atol=1e-10)
    assert any("matching decides who may be a donor" in note for note in fit.notes)
    pairs[1, 9:12] = 0
    assert "south has 1 donors" in refused(SyntheticControl(), panel.with_pairs(pairs)).because


def test_what_is_not_used_is_said() -> None:
    panel = three_areas()
    covariate = {"income": np.ones((16, 1))}
    weight = np.r_[panel.weight[:-1], 5.0]
    for estimator in BOTH:
        plain = fitted(estimator, panel)
        noted = fitted(estimator, replace(panel, covariates=covariate, weight=weight))
        np.testing.assert_array_equal(noted.cells.effect, plain.cells.effect)
        assert any("income" in note for note in noted.notes)
        assert any("weights of the controls" in note for note in noted.notes)


def test_weights_that_many_donors_share_are_called_not_unique() -> None:
    rng = np.random.default_rng(3)
    inside = panel_of(np.vstack([np.zeros((1, 6)), rng.normal(size=(60, 6))]), {0: 4})
    assert any("not unique" in note and "u0" in note for note in fitted(SyntheticControl(), inside).notes)
    outside = inside.with_outcome(inside.y + 50 * (np.arange(61) == 0)[:, None])
    assert fitted(SyntheticControl(), outside).notes == ()


@pytest.mark.parametrize("estimator", [PartiallyPooled(), PartiallyPooled(nu=1.0), MultiOutcomeSyntheticControl()])
def test_donors_that_are_copies_make_weights_not_unique(estimator: Estimator) -> None:
    """However few donors have weight: what a copy has, the other could have."""
    panel = three_areas()
    fit = fitted(estimator, panel)
    assert fit.pieces is not None
    row = int(np.argmax(fit.pieces.unit[0]))
    assert all(part.unique for part in fit.compared)
    y = panel.y.copy()
    y[4 if row != 4 else 5] = y[row]
    again = fitted(estimator, panel.with_outcome(y))
    assert again.pieces is not None and again.pieces.unit[0, row] > 0
    assert not again.compared[0].unique and "not unique" in " ".join(again.notes)


def test_a_cohort_that_starts_too_early_is_named_and_left_out() -> None:
    y = three_areas().y
    for estimator in BOTH:
        fit = fitted(estimator, panel_of(y, {0: 1, 1: 6}))
        assert set(fit.cells.group.tolist()) == {1}
        assert fit.notes == ("p1 has fewer than 2 periods before its start and is not estimated",)
        assert fit.weights is not None
        assert fit.weights.groups == ("p6",)


@EACH
def test_refusals(estimator: Estimator) -> None:
    panel = three_areas()
    assert "periods before the start" in refused(estimator, panel_of(panel.y, {0: 1})).because
    assert "1 control units" in refused(estimator, panel.take([0, 1, 2, 3, 4])).because
    alone = replace(panel, weight=np.where(np.arange(len(panel.units)) > 4, 0.0, panel.weight))
    assert "1 control units" in refused(estimator, alone).because  # who has no weight is not counted
    holes = panel.y.copy()
    holes[7, 3] = np.nan
    assert "u7" in refused(estimator, panel.with_outcome(holes)).because
    assert "never-treated" in refused(estimator, panel.take([0, 1, 2, 3])).because
    masked = np.ones(panel.y.shape, dtype=bool)
    masked[4:15] = False
    assert "1 donors" in refused(estimator, panel, learn=masked).because
    masked = np.ones(panel.y.shape, dtype=bool)
    masked[:4, 1:] = False
    assert "before its start" in refused(estimator, panel, learn=masked).because
    weightless = replace(panel, weight=np.where(panel.treated, 0.0, panel.weight))
    assert "no treated unit has weight" in refused(estimator, weightless).because


@pytest.mark.parametrize(
    ("estimator", "module"),
    [
        (SyntheticControl(), synthetic_control),
        (SyntheticDiD(), synthetic_did),
    ],
)
def test_a_program_without_certificate_is_refused(
    estimator: Estimator, module: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unfinished(a: Float2, b: Float1, **_: float) -> Simplex:
        return Simplex(np.full(a.shape[1], 1 / a.shape[1]), 1.0, 0.01, 7, "not converged")

    monkeypatch.setattr(module, "solve", unfinished)
    assert "gap of 0.01" in refused(estimator, three_areas()).because


def test_parameters() -> None:
    with pytest.raises(ValueError, match="solver='best' is not one of exact, fw"):
        SyntheticDiD(solver="best")  # type: ignore[arg-type]
    for maker in (SyntheticControl, SyntheticDiD):
        with pytest.raises(ValueError, match="anticipation"):
            maker(anticipation=-1)
    assert SyntheticDiD(anticipation=1).null_model() == DiD(anticipation=1)
    assert SyntheticControl(anticipation=1).null_model() == SyntheticControl(anticipation=1)
