"""Sun & Abraham: against all interactions written out as dummies, against group-time, and without controls."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from impact.cells import Fit, Regression
from impact.errors import Refused
from impact.estimators.group_time import GroupTime
from impact.estimators.sun_abraham import SunAbraham
from impact.panel import Panel
from impact.targets import Effects, Target
from tests.brute import dummies
from tests.estimators.worlds import STAGGERED, holes, panel_of

# Dummies are solved by a singular value decomposition of some hundred rows; nothing iterates.
EXACT = 1e-9


def fitted(estimator: SunAbraham | GroupTime, panel: Panel, **how: Any) -> Fit:
    found = estimator.fit(panel, **how)
    assert isinstance(found, Fit), found
    return found


def interactions(panel: Panel, fit: Fit) -> np.ndarray:
    """A 0/1 column for every cell."""
    return np.array(
        [
            (panel.group == group)[:, None] & (np.arange(len(panel.periods)) == period)
            for group, period in zip(fit.cells.group, fit.cells.period, strict=True)
        ],
        dtype=float,
    )


def by_cell(fit: Fit) -> dict[tuple[int, int], float]:
    return {
        (int(cohort), int(period)): float(effect)
        for cohort, period, effect in zip(fit.cells.cohort, fit.cells.period, fit.cells.effect, strict=True)
    }


@pytest.mark.parametrize("reference", [-1, -2])
@pytest.mark.parametrize("varying", [0, 2])
@pytest.mark.parametrize("share", [0.0, 0.15])
def test_as_all_interactions_written_out(reference: int, varying: int, share: float) -> None:
    panel = holes(panel_of(STAGGERED, varying=varying, weight="weight", cluster="town"), share)
    fit = fitted(SunAbraham(reference=reference), panel)
    cells = [(start, t) for start in (2, 3, 5) for t in range(6) if t != start + reference]
    assert list(by_cell(fit)) == cells
    x = np.concatenate([interactions(panel, fit), *(values[None] for values in panel.covariates.values())])
    coefficient, covariance, _ = dummies(panel.y, x, panel.weight, np.isfinite(panel.y), panel.cluster)
    np.testing.assert_allclose(fit.cells.effect, coefficient[: len(cells)], atol=EXACT)
    assert fit.cells.scores is not None and fit.cells.scores.conditional
    ours = fit.cells.scores.covariance(np.eye(len(cells)))
    np.testing.assert_allclose(ours, covariance[: len(cells), : len(cells)], atol=EXACT)
    assert fit.regression == Regression(int(np.isfinite(panel.y).sum()), len(cells) + varying + 5, 12)


@pytest.mark.parametrize("anticipation", [0, 1])
@pytest.mark.parametrize("grouped", ["cohort", "area"])
@pytest.mark.parametrize("pairs", [False, True])
def test_without_covariates_and_gaps_it_is_group_time_with_a_universal_base(
    anticipation: int, grouped: str, pairs: bool
) -> None:
    """Effects, scores and imputed outcomes, by another route; on a matched panel too, where each group has its own
    controls."""
    panel = panel_of(STAGGERED, weight="weight", cluster="town")
    panel = panel.by_area() if grouped == "area" else panel
    if pairs:
        panel = panel.with_pairs(np.random.default_rng(5).uniform(size=(len(panel.areas), 12)) * panel.never)
    ours = fitted(SunAbraham(reference=-1 - anticipation), panel)
    theirs = fitted(GroupTime(base="universal", anticipation=anticipation), panel)
    order = np.lexsort((theirs.cells.period, theirs.cells.group))
    for name in ("group", "period", "cohort", "size", "effect"):
        np.testing.assert_allclose(
            getattr(ours.cells, name), getattr(theirs.cells, name)[order], atol=EXACT, err_msg=name
        )
    assert ours.cells.scores is not None and theirs.cells.scores is not None
    eye = np.eye(len(order))
    np.testing.assert_allclose(ours.cells.scores.at(eye), theirs.cells.scores.at(eye[:, order]), atol=EXACT)
    np.testing.assert_allclose(ours.untreated, theirs.untreated, atol=EXACT)


def test_shares_of_the_cohorts_are_held_fixed() -> None:
    """The error of a mean of cells is that of the cells; group-time adds that of the shares."""
    panel = panel_of(STAGGERED)
    ours, theirs = fitted(SunAbraham(), panel), fitted(GroupTime(base="universal"), panel)
    first, second = (Target("event").of(fit.cells, panel) for fit in (ours, theirs))
    assert isinstance(first, Effects) and isinstance(second, Effects)
    assert first.scores is not None and second.scores is not None and ours.cells.scores is not None
    np.testing.assert_allclose(first.scores, ours.cells.scores.at(first.weights), atol=EXACT)
    apart = np.abs(first.scores - second.scores).max(axis=0)
    alone = [term in ("-5", "-4", "3") for term in first.terms]  # one cohort reaches these
    assert (apart[alone] < EXACT).all() and (apart[~np.array(alone)] > 1e-3).all()


def test_units_that_start_after_the_last_period_are_controls() -> None:
    panel = panel_of([2, 2, 4, None, None, None])
    late = panel.first.copy()
    late[4] = 9.0
    other = replace(panel, first=late, area=np.where(np.arange(6) == 4, 0, panel.area))
    assert by_cell(fitted(SunAbraham(), other)) == pytest.approx(by_cell(fitted(SunAbraham(), panel)), abs=EXACT)


@pytest.mark.parametrize(("reference", "last"), [(-1, 5), (-2, 4)])
def test_when_nobody_stays_untreated_the_last_cohort_is_the_control(reference: int, last: int) -> None:
    """Its treated (and anticipating) periods go; whatever stood there changes nothing."""
    panel = panel_of([2, 2, 3, 3, 5, 5, 5], weight="weight", varying=1)
    fit = fitted(SunAbraham(reference=reference), panel)
    assert set(by_cell(fit)) == {(start, t) for start in (2, 3) for t in range(last) if t != start + reference}
    assert any("fewer than two units stay untreated" in note and str(2000 + last) in note for note in fit.notes)
    x = np.concatenate([interactions(panel, fit), panel.covariates["x0"][None]])
    seen = np.broadcast_to(np.arange(6) < last, panel.y.shape)
    coefficient, *_ = dummies(panel.y, x, panel.weight, seen)
    np.testing.assert_allclose(fit.cells.effect, coefficient[:-1], atol=EXACT)
    wild = panel.with_outcome(np.where(seen, panel.y, 1e3 + panel.y**2))
    assert by_cell(fitted(SunAbraham(reference=reference), wild)) == pytest.approx(by_cell(fit), abs=EXACT)
    assert fit.untreated is not None and fit.untreated.shape == panel.y.shape
    assert np.isnan(fit.untreated[:, last:]).all() and np.isfinite(fit.untreated[0, 2:last]).all()


def test_groups_keep_their_numbers_when_the_last_cohort_is_the_control() -> None:
    """Areas are numbered in their own order, in which the one that goes stands in the middle."""
    panel = panel_of([2, 5, 5, 3]).by_area()
    fit = fitted(SunAbraham(), panel)
    assert sorted(set(fit.cells.group.tolist())) == [0, 3]
    np.testing.assert_array_equal(fit.cells.cohort, panel.groups[fit.cells.group])


def test_fewer_than_two_controls_are_refused() -> None:
    found = SunAbraham().fit(panel_of([2, 2, 3]))
    assert isinstance(found, Refused) and "1 control units" in found.because
    found = SunAbraham().fit(panel_of([2, 2, 2]))
    assert isinstance(found, Refused)


def test_a_reference_that_nobody_has_gives_way_to_the_one_before() -> None:
    panel = panel_of([3, 3, None, None, None])
    y = panel.y.copy()
    y[:2, 2] = np.nan
    fit = fitted(SunAbraham(), panel.with_outcome(y))
    gap = y[:2].mean(axis=0) - y[2:].mean(axis=0)
    assert by_cell(fit) == pytest.approx({(3, t): gap[t] - gap[1] for t in (0, 3, 4, 5)}, abs=EXACT)


def test_a_cohort_without_any_reference_is_named_and_left_out() -> None:
    panel = panel_of([1, 1, 3, 3, None, None])
    fit = fitted(SunAbraham(reference=-2), panel)
    assert set(fit.cells.cohort.tolist()) == {3}
    assert any(note.startswith("2001 has no reference period") for note in fit.notes)


def test_periods_that_nothing_connects_have_no_effect() -> None:
    """The cohort is seen by one half before the start and by the other after it: there is no change of anyone."""
    panel = panel_of([3, 3, 4, 4, None, None])
    y = panel.y.copy()
    y[0, 3:], y[1, :3] = np.nan, np.nan
    fit = fitted(SunAbraham(), panel.with_outcome(y))
    assert [cell for cell in by_cell(fit) if cell[0] == 3] == [(3, 0), (3, 1)]
    found = SunAbraham().fit(panel.with_outcome(y).drop([2, 3]))
    assert isinstance(found, Refused) and "after its start" in found.because


def test_covariates_that_the_effects_cannot_be_told_from() -> None:
    panel = panel_of(STAGGERED, varying=1)
    dose = panel.treated_cells() * np.arange(1.0, 7.0)
    found = SunAbraham().fit(replace(panel, covariates={"dose": dose}))
    assert isinstance(found, Refused) and "dose" in found.because
    # Of one cohort alone: what it says of the others stands.
    fit = fitted(SunAbraham(), replace(panel, covariates={"dose": dose * (panel.first == 3)[:, None]}))
    assert {cell for cell in by_cell(fit) if cell[1] >= cell[0]} == {(2, 2), (2, 3), (2, 4), (2, 5), (5, 5)}
    assert any(note.startswith("3 effects cannot be told apart") for note in fit.notes)
    # A course that all units share is no more than period effects.
    common = np.broadcast_to(np.arange(6.0) ** 2, panel.y.shape)
    fit = fitted(SunAbraham(), replace(panel, covariates={"nation": common}))
    assert by_cell(fit) == pytest.approx(by_cell(fitted(SunAbraham(), replace(panel, covariates={}))), abs=EXACT)


def test_the_units_of_a_covariate_are_nothing() -> None:
    panel = panel_of(STAGGERED, varying=1)
    x = panel.covariates["x0"]
    for scale, level in ((1e6, 0.0), (1e-6, 0.0), (1.0, 1e4)):
        other = fitted(SunAbraham(), replace(panel, covariates={"x": x * scale + level}))
        # A level of 1e4 costs four of sixteen digits, twice.
        assert by_cell(other) == pytest.approx(by_cell(fitted(SunAbraham(), panel)), abs=1e-7)


@pytest.mark.parametrize("varying", [0, 1])
def test_gaps_of_an_incomplete_panel_have_the_effect_as_their_mean(varying: int) -> None:
    panel = holes(panel_of(STAGGERED, varying=varying, weight="weight"), 0.15, seed=2)
    fit = fitted(SunAbraham(), panel)
    assert fit.untreated is not None
    for group, period, effect in zip(fit.cells.group, fit.cells.period, fit.cells.effect, strict=True):
        rows = (panel.group == group) & np.isfinite(panel.y[:, period])
        gap = (panel.y - fit.untreated)[rows, period]
        assert np.average(gap, weights=panel.weight[rows]) == pytest.approx(effect, abs=EXACT)


def test_the_reference_lies_before_the_start() -> None:
    with pytest.raises(ValueError, match="reference"):
        SunAbraham(reference=0)
