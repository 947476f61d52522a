"""Two-way fixed effects: against dummies in every kind of panel, the traps of the regression, what it is made of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from impact.cells import Fit, Regression
from impact.errors import Refused
from impact.estimators.twfe import TWFE, CellWeights, Solution, cell_weights
from impact.panel import Panel
from impact.targets import Effects, Target
from tests.brute import dummies
from tests.estimators.worlds import STAGGERED, holes, panel_of, regressors

# Dummies are solved by a singular value decomposition of some hundred rows; nothing iterates.
EXACT = 1e-9


def fitted(estimator: TWFE, panel: Panel, **how: Any) -> Fit:
    found = estimator.fit(panel, **how)
    assert isinstance(found, Fit), found
    return found


def one(fit: Fit) -> float:
    assert np.ptp(fit.cells.effect) == 0
    return float(fit.cells.effect[0])


def by_event(fit: Fit) -> dict[int, float]:
    """The effect of every event time, which all cells of it share."""
    found: dict[int, set[float]] = {}
    for event, effect in zip(fit.cells.event.tolist(), fit.cells.effect.tolist(), strict=True):
        found.setdefault(event, set()).add(effect)
    assert all(len(values) == 1 for values in found.values())
    return {event: values.pop() for event, values in sorted(found.items())}


# Against dummies -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("varying", [0, 2])
@pytest.mark.parametrize("share", [0.0, 0.25])
def test_a_constant_effect(varying: int, share: float) -> None:
    panel = holes(panel_of(STAGGERED, varying=varying, weight="weight", cluster="town"), share)
    x = np.concatenate([regressors(panel), *(values[None] for values in panel.covariates.values())])
    coefficient, covariance, _ = dummies(panel.y, x, panel.weight, np.isfinite(panel.y), panel.cluster)
    fit = fitted(TWFE(), panel)
    assert one(fit) == pytest.approx(coefficient[0], abs=EXACT)
    assert fit.cells.scores is not None and fit.cells.scores.conditional
    ours = fit.cells.scores.covariance(np.eye(len(fit.cells.effect)))
    np.testing.assert_allclose(ours, covariance[0, 0], atol=EXACT)
    assert fit.regression == Regression(int(np.isfinite(panel.y).sum()), 1 + varying + 5, 12)


@pytest.mark.parametrize("varying", [0, 1])
@pytest.mark.parametrize(
    ("estimator", "events"),
    [
        (TWFE(effect="event"), [-5, -4, -3, -2, 0, 1, 2, 3]),
        (TWFE(effect="event", anticipation=1), [-5, -4, -3, -1, 0, 1, 2, 3]),
        (TWFE(effect="event", leads=3), [-3, -2, 0, 1, 2, 3]),
        (TWFE(effect="event", leads=1), [0, 1, 2, 3]),
    ],
    ids=["all", "anticipation", "three leads", "no leads"],
)
def test_event_times(estimator: TWFE, events: list[int], varying: int) -> None:
    panel = holes(panel_of(STAGGERED, varying=varying, weight="weight"), 0.1)
    x = np.concatenate([regressors(panel, events), *(values[None] for values in panel.covariates.values())])
    coefficient, covariance, _ = dummies(panel.y, x, panel.weight, np.isfinite(panel.y))
    fit = fitted(estimator, panel)
    found = by_event(fit)
    assert list(found) == events
    np.testing.assert_allclose(list(found.values()), coefficient[: len(events)], atol=EXACT)
    effects = Target("event").of(fit.cells, panel)
    assert isinstance(effects, Effects) and effects.scores is not None and effects.terms[:-1] == tuple(map(str, events))
    # Who is treated when is held fixed: a term's error is that of its coefficient, whatever the shares of the cohorts.
    error = (effects.scores**2).sum(axis=0)[:-1]
    np.testing.assert_allclose(error, np.diag(covariance)[: len(events)], atol=EXACT)


def test_anticipation_leaves_its_cells_out_of_a_constant_effect() -> None:
    panel = panel_of(STAGGERED)
    since = np.arange(6) - np.where(panel.treated, panel.first, np.inf)[:, None]
    coefficient, *_ = dummies(panel.y, regressors(panel), panel.weight, since != -1)
    assert one(fitted(TWFE(anticipation=1), panel)) == pytest.approx(coefficient[0], abs=EXACT)


def test_one_start_is_the_difference_of_two_changes_of_means() -> None:
    panel = panel_of([3, 3, 3, None, None, None, None], weight="weight")
    gap = np.average(panel.y[:3], axis=0, weights=panel.weight[:3]) - np.average(
        panel.y[3:], axis=0, weights=panel.weight[3:]
    )
    assert one(fitted(TWFE(), panel)) == pytest.approx(gap[3:].mean() - gap[:3].mean(), abs=EXACT)


def test_closed_cells_are_left_out() -> None:
    panel = panel_of(STAGGERED)
    learn = np.random.default_rng(3).uniform(size=panel.y.shape) > 0.2
    seen = learn | panel.treated_cells()
    coefficient, *_ = dummies(panel.y, regressors(panel), panel.weight, seen)
    assert one(fitted(TWFE(), panel, learn=learn)) == pytest.approx(coefficient[0], abs=EXACT)


# Traps ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("effect", ["constant", "event"])
def test_treatment_is_zero_or_one_and_not_the_year(effect: Any) -> None:
    """A regressor of treatment times year gives another number, and one that moves with the labels of the years."""
    estimator = TWFE(effect=effect)
    first, later = (panel_of(STAGGERED, noise=0.0, label=label) for label in (1, 2000))
    assert by_event(fitted(estimator, first)) == pytest.approx(by_event(fitted(estimator, later)), abs=EXACT)
    assert all(
        value == pytest.approx(2 if event >= 0 else 0, abs=EXACT)
        for event, value in by_event(fitted(estimator, later)).items()
    )
    wrong, *_ = dummies(first.y, regressors(first) * np.arange(1, 7), first.weight, np.isfinite(first.y))
    assert abs(wrong[0] - 2) > 0.5


def test_the_order_of_units_is_nothing() -> None:
    panel = holes(panel_of(STAGGERED, varying=1, weight="weight"), 0.2)
    order = np.random.default_rng(1).permutation(len(panel.units))
    for estimator in (TWFE(), TWFE(effect="event")):
        first, second = (by_event(fitted(estimator, each)) for each in (panel, panel.take(order)))
        assert first == pytest.approx(second, abs=EXACT)


def test_a_cohort_that_starts_in_the_second_period() -> None:
    panel = panel_of([1, 1, 3, None, None, None])
    coefficient, *_ = dummies(panel.y, regressors(panel), panel.weight, np.isfinite(panel.y))
    fit = fitted(TWFE(), panel)
    assert one(fit) == pytest.approx(coefficient[0], abs=EXACT)
    assert ((fit.cells.cohort == 1) & (fit.cells.period == 1)).any()
    found = by_event(fitted(TWFE(effect="event"), panel))
    events = [-3, -2, 0, 1, 2, 3, 4]
    expected, *_ = dummies(panel.y, regressors(panel, events), panel.weight, np.isfinite(panel.y))
    assert list(found) == events
    np.testing.assert_allclose(list(found.values()), expected, atol=EXACT)


def test_event_times_with_one_observation_have_their_number_and_those_with_none_have_none() -> None:
    panel = panel_of([1, 4, 4, None, None, None])
    y = panel.y.copy()
    y[0, [3, 5]] = np.nan  # event times 2 and 4 of the only unit that reaches them
    panel = panel.with_outcome(y)
    found = by_event(fitted(TWFE(effect="event"), panel))
    assert list(found) == [-4, -3, -2, 0, 1, 3]
    expected, *_ = dummies(panel.y, regressors(panel, list(found)), panel.weight, np.isfinite(y))
    np.testing.assert_allclose(list(found.values()), expected, atol=EXACT)
    assert all(abs(value) > 1e-3 for value in found.values())


def test_without_untreated_units_event_times_are_known_up_to_a_line_and_this_is_said() -> None:
    panel = panel_of([2, 2, 3, 3, 5, 5])
    refused = TWFE(effect="event").fit(panel)
    assert isinstance(refused, Refused) and "straight line" in refused.because and "leads" in refused.instead
    found = by_event(fitted(TWFE(effect="event", leads=2), panel))
    expected, *_ = dummies(panel.y, regressors(panel, list(found)), panel.weight, np.isfinite(panel.y))
    np.testing.assert_allclose(list(found.values()), expected, atol=EXACT)
    fit = fitted(TWFE(), panel)
    coefficient, *_ = dummies(panel.y, regressors(panel), panel.weight, np.isfinite(panel.y))
    assert one(fit) == pytest.approx(coefficient[0], abs=EXACT)
    assert any("no unit stays untreated" in note for note in fit.notes)


def test_treatment_that_the_period_effects_absorb_is_refused() -> None:
    """The second cohort is seen only when nobody of the first is: nothing is left to compare."""
    panel = panel_of([2, 2, 4, 4])
    y = panel.y.copy()
    y[:2, 3:], y[2:, :3] = np.nan, np.nan
    y[2:, 3] = np.nan
    found = TWFE().fit(panel.with_outcome(y))
    assert isinstance(found, Refused) and "cannot be told apart" in found.because


# Weights -------------------------------------------------------------------------------------------------------------


def test_the_target_says_who_counts_among_the_treated_and_not_how_much_they_count() -> None:
    """Residents in thousands give the same estimate, and it is that of weights with the total of the units."""
    panel = replace(panel_of(STAGGERED, weight="weight"), residents=np.arange(1.0, 13.0) ** 2)
    target = Target("average", "resident")
    assert panel.residents is not None
    prepared, small = (target.prepare(replace(panel, residents=panel.residents / divisor)) for divisor in (1, 1000))
    found = one(fitted(TWFE(), prepared))
    assert found == pytest.approx(one(fitted(TWFE(), small)), abs=EXACT)
    weight = panel.weight.copy()
    weight[:7] = panel.residents[:7] * weight[:7].sum() / panel.residents[:7].sum()
    expected, *_ = dummies(panel.y, regressors(panel), weight, np.isfinite(panel.y))
    assert found == pytest.approx(expected[0], abs=EXACT)


def test_matched_controls_have_the_weight_of_their_areas() -> None:
    panel = panel_of(STAGGERED, weight="weight")
    mix = np.random.default_rng(5).uniform(size=(len(panel.areas), 12)) * panel.never
    matched = panel.with_pairs(mix)
    assert matched.pairs is not None
    weight = np.where(panel.treated, panel.weight, panel.weight[:7] @ matched.pairs[panel.area[:7]])
    expected, *_ = dummies(panel.y, regressors(panel), weight, np.isfinite(panel.y))
    assert one(fitted(TWFE(), matched)) == pytest.approx(expected[0], abs=EXACT)


# Covariates ----------------------------------------------------------------------------------------------------------


def test_fixed_covariates_are_absorbed_and_missing_ones_refused() -> None:
    panel = panel_of(STAGGERED, varying=1)
    fixed = replace(panel, covariates={"size": np.arange(12.0)[:, None]})
    fit = fitted(TWFE(), fixed)
    assert one(fit) == one(fitted(TWFE(), replace(panel, covariates={})))
    assert any("size" in note and "absorb" in note for note in fit.notes)
    x = panel.covariates["x0"].copy()
    x[2, 3] = np.nan
    lacking = replace(panel, covariates={"x0": x})
    refused = TWFE().fit(lacking)
    assert isinstance(refused, Refused) and "x0" in refused.because
    # Where the outcome is missing too, nothing is missed.
    y = panel.y.copy()
    y[2, 3] = np.nan
    assert isinstance(TWFE().fit(lacking.with_outcome(y)), Fit)


def test_a_covariate_that_is_treatment_itself_leaves_no_coefficient() -> None:
    panel = panel_of(STAGGERED)
    found = TWFE().fit(replace(panel, covariates={"law": regressors(panel)[0]}))
    assert isinstance(found, Refused)
    twins = {"a": panel.y**2, "b": 2 * panel.y**2}
    fit = fitted(TWFE(), replace(panel, covariates=twins))
    assert any(note.startswith("a, b cannot be told apart") for note in fit.notes)
    assert one(fit) == pytest.approx(one(fitted(TWFE(), replace(panel, covariates={"a": twins["a"]}))), abs=1e-7)


# What the coefficient is made of -------------------------------------------------------------------------------------


def weights_of(panel: Panel) -> CellWeights:
    found = cell_weights(panel)
    assert isinstance(found, CellWeights)
    return found


def test_the_example_of_three_periods() -> None:
    """That of de Chaisemartin & D'Haultfœuille (2020): one group starts in the last of three periods and one in the
    second; the coefficient is half the effect of the first, plus the second's first effect, less half of its last."""
    found = weights_of(panel_of([2, 2, 1, 1], periods=3))
    assert list(zip(found.group.tolist(), found.period.tolist(), strict=True)) == [(0, 1), (0, 2), (1, 2)]
    np.testing.assert_allclose(found.weight, [1, -0.5, 0.5], atol=1e-12)
    assert found.negative == pytest.approx(-0.5)


@pytest.mark.parametrize("varying", [0, 1])
@pytest.mark.parametrize("share", [0.0, 0.2])
def test_the_coefficient_is_the_weighted_sum_of_the_effects(varying: int, share: float) -> None:
    """Without noise, and with covariates that enter as they do in the data."""

    def effect(start: int, t: int) -> float:
        return start**2 + 0.7 * np.cos(3.0 * t)

    panel = holes(panel_of(STAGGERED, noise=0.0, effect=effect, varying=varying, weight="weight"), share)
    found = weights_of(panel)
    effects = [effect(int(panel.groups[g]), t) for g, t in zip(found.group, found.period, strict=True)]
    assert found.weight.sum() == pytest.approx(1, abs=EXACT)
    assert one(fitted(TWFE(), panel)) == pytest.approx(found.weight @ effects, abs=EXACT)


def test_negative_weights_are_said_and_where_there_are_none_nothing_is() -> None:
    early: list[int | None] = [1] * 6 + [5, 5, None]
    fit = fitted(TWFE(), panel_of(early))
    found = weights_of(panel_of(early))
    below = int((found.weight < 0).sum())
    assert below > 0 and found.negative < -0.02
    assert any(note.startswith(f"{below} of the {len(found.weight)} effects") for note in fit.notes)
    assert not any("negatively" in note for note in fitted(TWFE(), panel_of([3, 3, None, None, None])).notes)
    assert not any("negatively" in note for note in fitted(TWFE(effect="event"), panel_of(early)).notes)


# The object ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong", [{"effect": "dynamic"}, {"anticipation": -1}, {"leads": 2}, {"effect": "event", "leads": 0}]
)
def test_parameters_are_checked_at_once(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong)) if len(wrong) == 1 else "leads"):
        TWFE(**wrong)


def test_the_surface_is_the_outcome_less_the_effect() -> None:
    panel = panel_of(STAGGERED)
    fit = fitted(TWFE(), panel)
    assert fit.untreated is not None
    cells = panel.treated_cells() & panel.treated[:, None]
    np.testing.assert_allclose((panel.y - fit.untreated)[cells], one(fit), atol=EXACT)
    assert np.isnan(fit.untreated[~cells]).all()
    assert isinstance(TWFE().regress(panel), Solution)
