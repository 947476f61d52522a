"""Synthetic control: predictors and what they count for, an intercept, other constraints, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product
from typing import Any

import clarabel
import numpy as np
import pytest
from scipy import sparse

from impact.arrays import Float1, Float2
from impact.cells import Fit
from impact.errors import Refused
from impact.estimators.importance import choose
from impact.estimators.protocol import StandIns
from impact.estimators.synthetic_control import SyntheticControl
from impact.inference.placebo import PlaceboSpace
from impact.inference.protocol import Uncertainty
from impact.numerics.simplex import GAP, solve
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target

PERIODS = tuple(str(year) for year in range(2000, 2012))
START = 8
COVARIATES = ("x", "z")


def panel_of(seed: int = 0, donors: int = 12, apart: float = 0.0, **covariates: Float2) -> Panel:
    """One treated unit, `donors` others with factors in common, and two covariates that go with their loadings; the
    treated unit has `apart` more of these."""
    rng = np.random.default_rng(seed)
    loading, factor = rng.normal(size=(donors + 1, 2)), rng.normal(size=(2, len(PERIODS))).cumsum(axis=1)
    loading[0] = loading[1:4].mean(axis=0)
    y = 20 + loading @ factor + 0.3 * rng.normal(size=(donors + 1, len(PERIODS)))
    x = loading[:, :1] + 0.3 * rng.normal(size=(donors + 1, len(PERIODS)))
    z = loading[:, 1:] + 0.3 * rng.normal(size=(donors + 1, 1))
    x[0] += apart
    z[0] += apart
    units = ("north", *(f"d{number:02}" for number in range(donors)))
    return Panel(
        y,
        np.r_[float(START), np.full(donors, np.inf)],
        units,
        PERIODS,
        np.arange(donors + 1),
        units,
        np.r_[0, np.full(donors, -1)],
        ("north",),
        np.ones(donors + 1),
        np.r_[0, np.full(donors, -1)],
        covariates={"x": x, "z": z, **covariates},
    )


def fitted(panel: Panel, how: SyntheticControl | None = None, /, **options: Any) -> Fit:
    found = (how or SyntheticControl(**options)).fit(panel)
    assert isinstance(found, Fit), found
    return found


def refused(panel: Panel, **options: Any) -> str:
    found = SyntheticControl(**options).fit(panel)
    assert isinstance(found, Refused)
    return str(found)


def weights_of(fit: Fit) -> Float1:
    assert fit.weights is not None
    return fit.weights.unit[0, 1:]


def scaled(panel: Panel, *columns: Float1) -> tuple[Float2, Float1]:
    """Predictors divided by their standard deviation over all units: (P, J) and (P,)."""
    rows = np.array(columns)
    rows = rows / rows.std(axis=1, ddof=1, keepdims=True)
    return rows[:, 1:], rows[:, 0]


def general(a: Float2, b: Float1) -> Float1:
    """Clarabel on the simplex program."""
    count = a.shape[1]
    options = clarabel.DefaultSettings()
    options.verbose = False
    options.tol_gap_abs = options.tol_gap_rel = options.tol_feas = 1e-12
    found = clarabel.DefaultSolver(
        sparse.csc_matrix(np.triu(2 * a.T @ a)),
        -2 * a.T @ b,
        sparse.csc_matrix(np.vstack([np.ones((1, count)), -np.eye(count)])),
        np.r_[1.0, np.zeros(count)],
        [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(count)],
        options,
    ).solve()
    return np.asarray(found.x)


# How much predictors count --------------------------------------------------------------------------------------------


def test_equal_and_given_weights_of_predictors_are_programs_of_a_general_solver() -> None:
    panel = panel_of()
    before = panel.y[:, :START]
    a, b = scaled(panel, panel.covariates["x"][:, :START].mean(axis=1), panel.covariates["z"][:, 0], before[:, -1])
    spelled = (*COVARIATES, {"of": "outcome", "at": "2007"})
    for v, given_v in (
        (np.ones(3) / 3, "equal"),
        (np.ones(3) / 3, "inverse-variance"),
        (np.array([0.6, 0.1, 0.3]), {"x": 6, "outcome 2007": 3, "z": 1}),
    ):
        fit = fitted(panel, predictors=spelled, v=given_v)
        found, other = weights_of(fit), general(np.sqrt(v)[:, None] * a, np.sqrt(v) * b)
        loss = [float(v @ (a @ w - b) ** 2) for w in (found, np.maximum(other, 0) / np.maximum(other, 0).sum())]
        assert loss[0] <= loss[1] + 1e-12
        assert fit.trace[0].objective == pytest.approx(loss[0], abs=1e-12)
        assert fit.trace[0].status == "optimal" and fit.trace[0].gap <= GAP
        assert fit.tuned == ()


def nested_loss(a: Float2, b: Float1, outcomes: Float2, target: Float1, v: Float1) -> float:
    w = solve(np.sqrt(v)[:, None] * a, np.sqrt(v) * b).weights
    return float(np.mean((target - outcomes @ w) ** 2))


@pytest.mark.parametrize("seed", range(6))
def test_nested_v_is_no_worse_than_a_grid_over_all_v(seed: int) -> None:
    panel = panel_of(seed, apart=3.0)
    before = panel.y[:, :START]
    a, b = scaled(panel, panel.covariates["x"][:, :START].mean(axis=1), panel.covariates["z"][:, 0], before[:, -1])
    fit = fitted(panel, predictors=(*COVARIATES, {"of": "outcome", "at": "2007"}), v="nested")
    (tuned,) = fit.tuned
    assert tuned.labels == ("x", "z", "outcome 2007") and tuned.parameter == "v" and tuned.piece == "north"
    assert tuned.value.sum() == pytest.approx(1) and (tuned.value > 0).all()
    outcomes, target = before[1:].T, before[0]
    assert tuned.loss == pytest.approx(nested_loss(a, b, outcomes, target, tuned.value), rel=1e-6)
    assert tuned.loss == pytest.approx(np.mean((target - outcomes @ weights_of(fit)) ** 2), rel=1e-6)
    assert tuned.loss == tuned.losses.min() and len(tuned.losses) == len(tuned.tried)
    grid = 10.0 ** np.array(list(product(np.linspace(-5, 0, 13), repeat=2)))
    best = min(
        nested_loss(a, b, outcomes, target, v / v.sum())
        for pair in grid
        for v in (np.array([*pair, 1]), np.array([pair[0], 1, pair[1]]), np.array([1, *pair]))
    )
    assert tuned.loss <= best * (1 + 1e-6)


def test_the_window_that_v_is_to_fit() -> None:
    panel = panel_of(3, apart=3.0)
    fit = fitted(panel, predictors=(*COVARIATES, "outcome"), v="nested", fit_window=("2004", "2006"))
    gap = panel.y[0] - weights_of(fit) @ panel.y[1:]
    assert fit.tuned[0].loss == pytest.approx(np.mean(gap[4:7] ** 2), rel=1e-6)
    options: dict[str, Any] = {"predictors": ("x", "outcome"), "v": "nested"}
    assert "fit_window ends in 2008" in refused(panel, fit_window=("2004", "2008"), **options)
    assert "1990 in fit_window is no period" in refused(panel, fit_window=("1990", "2004"), **options)
    assert "fit_window has no period" in refused(panel, fit_window=("2006", "2004"), **options)


@pytest.mark.parametrize("v", ["nested", "cross-validated"])
def test_neither_order_nor_units_turn_the_search_another_way(v: str) -> None:
    panel = panel_of(4, apart=3.0)
    how = SyntheticControl(predictors=(*COVARIATES, "outcome"), v=v)
    fit = fitted(panel, how)
    order = np.r_[0, np.random.default_rng(0).permutation(np.arange(1, len(panel.units)))]
    other = replace(
        panel.take(order).with_outcome(panel.y[order] * 1234.5),
        covariates={name: values[order] * 0.07 for name, values in panel.covariates.items()},
    )
    again = fitted(other, how)
    np.testing.assert_allclose(weights_of(again), weights_of(fit)[order[1:] - 1], atol=1e-9)
    np.testing.assert_array_equal(again.tuned[0].value, fit.tuned[0].value)
    np.testing.assert_array_equal(fitted(panel, how).cells.effect, fit.cells.effect)


def test_more_searches_are_never_worse() -> None:
    panel = panel_of(5, apart=3.0)
    losses = [
        fitted(panel, predictors=(*COVARIATES, "outcome"), v="nested", starts=starts).tuned[0].loss
        for starts in (1, 2, 4, 8)
    ]
    assert all(later <= earlier * (1 + 1e-9) for earlier, later in pairwise(losses))


def test_v_of_least_norm_leads_to_the_same_weights() -> None:
    """Two predictors that are one: their share in V can be split in any way, and is split in two."""
    panel = panel_of(6, apart=3.0)
    twin = panel_of(6, apart=3.0, copy=panel.covariates["x"] * 2 + 5)
    alone = fitted(panel, predictors=("x", "z", "outcome"), v="nested")
    both = fitted(twin, predictors=("x", "copy", "z", "outcome"), v="nested")
    value = dict(zip(both.tuned[0].labels, both.tuned[0].value, strict=True))
    assert value["x"] == pytest.approx(value["copy"], rel=1e-4)
    assert both.tuned[0].loss <= alone.tuned[0].loss * (1 + 1e-3)


def test_gradient_of_the_loss() -> None:
    """Against differences, inside a region where the same donors carry the weights."""
    from impact.estimators.importance import _Inner

    rng = np.random.default_rng(2)
    inner = _Inner(rng.normal(size=(9, 4)) + 1.5, rng.normal(size=(9, 6)))
    theta = np.array([-0.1, 0.2, 0.0, -0.4])
    slope = inner.slope(theta)[1]
    step = 1e-6 * np.eye(4)
    differences = [(inner.slope(theta + one)[0] - inner.slope(theta - one)[0]) / 2e-6 for one in step]
    np.testing.assert_allclose(slope, differences, atol=1e-8)


def test_where_predictors_are_reproduced_exactly_v_does_not_matter_and_the_outcomes_decide() -> None:
    panel = panel_of(7, donors=40)
    equal = fitted(panel, predictors=("x", "z"))
    assert any("not unique" in note for note in equal.notes)
    fit = fitted(panel, predictors=("x", "z"), v="nested")
    assert any("V does not matter" in note for note in fit.notes)
    assert any("follow the outcomes before the start best" in note for note in fit.notes)
    assert len(fit.tuned[0].losses) == 1
    np.testing.assert_allclose(fit.tuned[0].value, 0.5)
    # The program with the predictors as equations.
    a, b = scaled(panel, panel.covariates["x"][:, :START].mean(axis=1), panel.covariates["z"][:, 0])
    w, count = weights_of(fit), 40
    np.testing.assert_allclose(a @ w, b, atol=1e-4)
    outcomes, target = panel.y[1:, :START].T, panel.y[0, :START]
    options = clarabel.DefaultSettings()
    options.verbose = False
    found = clarabel.DefaultSolver(
        sparse.csc_matrix(np.triu(2 * outcomes.T @ outcomes)),
        -2 * outcomes.T @ target,
        sparse.csc_matrix(np.vstack([np.ones((1, count)), a, -np.eye(count)])),
        np.r_[1.0, b, np.zeros(count)],
        [clarabel.ZeroConeT(3), clarabel.NonnegativeConeT(count)],
        options,
    ).solve()
    best = float(np.mean((target - outcomes @ np.array(found.x)) ** 2))
    assert fit.tuned[0].loss == pytest.approx(best, rel=1e-3)
    assert fit.tuned[0].loss == pytest.approx(np.mean((target - outcomes @ w) ** 2), rel=1e-6)


def test_searches_that_disagree_are_told() -> None:
    fit = fitted(
        panel_of(1, donors=20), predictors=(*COVARIATES, "outcome", {"of": "outcome", "at": "2003"}), v="nested"
    )
    tuned = fit.tuned[0]
    worse = int((tuned.losses > 1.01 * tuned.losses.min()).sum())
    assert any(f"{worse} of {len(tuned.losses)} searches" in note for note in fit.notes) == (worse > 0)


def test_a_flat_choice_of_v_is_told() -> None:
    """Two donors that follow the outcome equally well, each alone in agreeing on one predictor."""
    outcomes = np.array([[1.0, 1.0, 9.0], [2.0, 2.0, -5.0], [3.0, 3.0, 4.0]])
    choice = choose(np.array([[0.0, 3.0, 1.0], [3.0, 0.0, 1.5]]), np.array([0.1, 0.1]), outcomes, np.zeros(3), 8)
    near = choice.losses <= 1.01 * choice.losses.min()
    far = np.abs(choice.weights[near][:, None] - choice.weights[near][None]).sum(axis=2).max() / 2
    assert far / 2 <= choice.apart <= far


def test_v_by_name_must_name_every_predictor() -> None:
    panel = panel_of()
    assert "z has no weight" in refused(panel, predictors=COVARIATES, v={"x": 1})
    assert "y is no predictor" in refused(panel, predictors=COVARIATES, v={"x": 1, "z": 1, "y": 2})


def test_covariates_beside_all_outcomes_hardly_count_and_this_is_said() -> None:
    panel = panel_of()
    each = {"of": "outcome", "each": True}
    for spelled, said in (
        (("x", each), True),
        ((each,), False),
        (("x", "outcome"), False),
        (("x", *({"of": "outcome", "at": year} for year in PERIODS[:START])), True),
        (("x", *({"of": "outcome", "at": year} for year in PERIODS[1:START])), False),
    ):
        notes = fitted(panel, predictors=spelled).notes
        assert any("Kaul" in note for note in notes) == said


def test_only_what_is_not_used_is_called_unused() -> None:
    panel = panel_of()
    assert any("x, z are not used" in note for note in fitted(panel).notes)
    assert any("covariates z are not used" in note for note in fitted(panel, predictors=("x", "outcome")).notes)


# Cross-validation -----------------------------------------------------------------------------------------------------


def test_cross_validation_trains_validates_and_fits_on_the_later_half() -> None:
    """The three steps written out: V from the first four years and the outcomes of the next four, then the weights."""
    panel = panel_of(8, apart=3.0)
    x, z, y = panel.covariates["x"], panel.covariates["z"][:, 0], panel.y
    fit = fitted(panel, predictors=("x", "z", "outcome"), v="cross-validated")
    (tuned,) = fit.tuned
    a, b = scaled(panel, x[:, :4].mean(axis=1), z, y[:, :4].mean(axis=1))
    assert tuned.loss == pytest.approx(nested_loss(a, b, y[1:, 4:START].T, y[0, 4:START], tuned.value), rel=1e-6)
    drawn = np.random.default_rng(0).dirichlet(np.full(3, 0.3), size=400)
    assert tuned.loss <= min(nested_loss(a, b, y[1:, 4:START].T, y[0, 4:START], v) for v in drawn) * (1 + 1e-6)
    a, b = scaled(panel, x[:, 4:START].mean(axis=1), z, y[:, 4:START].mean(axis=1))
    expected = solve(np.sqrt(tuned.value)[:, None] * a, np.sqrt(tuned.value) * b)
    np.testing.assert_allclose(weights_of(fit), expected.weights, atol=1e-9)


def test_windows_of_their_own_say_what_trains_them() -> None:
    panel = panel_of(8, apart=3.0)
    bare = {"of": "x", "from": "2005", "to": "2007"}
    assert "x 2005-2007 has a window of its own" in refused(panel, predictors=(bare, "z"), v="cross-validated")
    late = {**bare, "training": {"of": "x", "from": "2003", "to": "2004"}}
    assert "reaches into 2004" in refused(panel, predictors=(late, "outcome"), v="cross-validated")
    fit = fitted(panel, predictors=(late, "outcome"), v="cross-validated", fit_window=("2005", "2007"))
    x, y = panel.covariates["x"], panel.y
    a, b = scaled(panel, x[:, 3:5].mean(axis=1), y[:, :5].mean(axis=1))
    loss = nested_loss(a, b, y[1:, 5:8].T, y[0, 5:8], fit.tuned[0].value)
    assert fit.tuned[0].loss == pytest.approx(loss, rel=1e-6)
    each = {"of": "outcome", "each": True}
    assert "rows to train with" in refused(
        panel, predictors=("z", each), v="cross-validated", fit_window=("2006", "2007")
    )
    assert "no period is left before" in refused(
        panel, predictors=("x", "outcome"), v="cross-validated", fit_window=("2000", "2007")
    )


def test_a_donor_that_only_training_lacks_is_left_out_of_both() -> None:
    panel = panel_of(8)
    x = panel.covariates["x"].copy()
    x[5, :4] = np.nan
    holed = replace(panel, covariates={**panel.covariates, "x": x})
    how = SyntheticControl(predictors=("x", "z", "outcome"), v="cross-validated", missing="drop-donors")
    fit, without = fitted(holed, how), fitted(panel.drop([5]), how)
    np.testing.assert_allclose(fit.cells.effect, without.cells.effect, atol=1e-9)
    assert any("d04" in note for note in fit.notes)
    assert "d04" in refused(holed, predictors=("x", "z", "outcome"), v="cross-validated")


# Intercept ------------------------------------------------------------------------------------------------------------


def test_an_intercept_takes_fixed_differences_in_level_away() -> None:
    panel = panel_of(9)
    shifted = panel.with_outcome(panel.y + np.random.default_rng(1).normal(scale=30, size=(len(panel.units), 1)))
    for options in ({}, {"predictors": ("x", {"of": "outcome", "each": True})}):
        one, other = (fitted(each, intercept=True, **options) for each in (panel, shifted))
        np.testing.assert_allclose(one.cells.effect, other.cells.effect, atol=1e-9)
        assert one.cells.effect[:START].mean() == pytest.approx(0, abs=1e-9)
        assert one.weights is not None
        np.testing.assert_allclose(one.weights.time[0], np.r_[np.full(START, 1 / START), np.zeros(4)])
    # The demeaned program is the best over weights and a constant at once.
    w = weights_of(fitted(panel, intercept=True))
    gap = panel.y[0, :START] - w @ panel.y[1:, :START]
    grown = np.vstack([panel.y[1:, :START] - panel.y[1:, :START].mean(axis=1, keepdims=True)])
    best = general(grown.T, panel.y[0, :START] - panel.y[0, :START].mean())
    other_gap = panel.y[0, :START] - np.maximum(best, 0) @ panel.y[1:, :START]
    assert np.var(gap) <= np.var(other_gap) * (1 + 1e-6)


def test_constant_outcomes_leave_no_rounding_to_fit() -> None:
    panel = panel_of(9)
    flat = panel.with_outcome(np.where(np.arange(len(PERIODS)) < START, panel.y[:, :1] / 3, panel.y))
    fit = fitted(flat, intercept=True, predictors=("x", {"of": "outcome", "each": True}))
    assert any("no donors of north differ in" in note for note in fit.notes)


# Constraints ----------------------------------------------------------------------------------------------------------


def test_constraints_as_parameters() -> None:
    panel = panel_of(10, donors=5)
    before = panel.y[:, :START]
    fit = fitted(panel, constraint="none", intercept=True)
    design = np.column_stack([np.ones(START), before[1:].T])
    expected = np.linalg.lstsq(design, before[0], rcond=None)[0]
    np.testing.assert_allclose(weights_of(fit), expected[1:], atol=1e-8)
    path = panel.y[0] - expected[0] - expected[1:] @ panel.y[1:]
    np.testing.assert_allclose(fit.cells.effect, path, atol=1e-7)
    one = fitted(panel, constraint="sum-to-one")
    assert weights_of(one).sum() == pytest.approx(1, abs=1e-10) and weights_of(one).min() < 0
    small = fitted(panel, constraint="lasso", budget=0.4, intercept=True)
    assert np.abs(weights_of(small)).sum() == pytest.approx(0.4, abs=1e-9)
    chosen = fitted(panel, constraint="ridge", intercept=True)
    (tuned,) = chosen.tuned
    assert tuned.parameter == "budget" and np.linalg.norm(weights_of(chosen)) <= tuned.value[0] * (1 + 1e-9)
    for each in (fit, one, small, chosen):
        assert all(trace.status == "optimal" and trace.gap <= GAP for trace in each.trace)
        assert each.untreated is not None
        np.testing.assert_allclose(panel.y[0] - each.untreated[0], each.cells.effect, atol=1e-9)


def test_weights_that_would_fit_anything_are_refused() -> None:
    """As many free weights as periods, less one for an intercept."""
    for donors, options in (
        (START, {"constraint": "none"}),
        (START - 1, {"constraint": "none", "intercept": True}),
        (START + 1, {"constraint": "sum-to-one"}),
        (START, {"constraint": "sum-to-one", "intercept": True}),
    ):
        assert "whatever they are" in refused(panel_of(11, donors=donors), **options)
        fewer = fitted(panel_of(11, donors=donors - 1), **options)
        assert fewer.trace[0].objective > 1e-6
    few = panel_of(11).until(START + 1)
    assert "rule of thumb" in refused(
        few.take([0, *range(1, 8)]).assign(np.r_[2.0, np.full(7, np.inf)]), constraint="ridge"
    )


# Many assignments, parameters -----------------------------------------------------------------------------------------


def test_placebos_are_refits_where_predictors_are_asked_for() -> None:
    """At once it is refused, and the ranks of placebo-space are those of fits by hand."""
    panel = panel_of(12, donors=8)
    how = SyntheticControl(predictors=("x", "outcome"))
    refusal = how.reassigned(panel, StandIns(np.array([0]), np.array([[1]]), np.ones((1, 1))))
    assert isinstance(refusal, Refused)
    found = PlaceboSpace(statistic="estimate").run(how, panel, Target(), streams=Streams(1), parallel=Parallel())
    assert isinstance(found, Uncertainty)
    own = abs(fitted(panel, how).cells.effect[START:].mean())
    others = []
    for row in range(1, 9):
        first = np.where(np.arange(9) == row, float(START), np.inf)
        others.append(abs(fitted(panel.assign(first).drop([0]), how).cells.effect[START:].mean()))
    assert found.p_value[0] == pytest.approx((1 + np.sum(np.array(others) >= own)) / 9)


def test_a_null_is_tested_on_outcomes_alone() -> None:
    how = SyntheticControl(predictors=("x", "outcome"), v="nested", fit_window=("2001", "2003"), intercept=True)
    assert how.null_model() == SyntheticControl(intercept=True)
    assert SyntheticControl(constraint="lasso").null_model() == SyntheticControl(constraint="lasso")


def test_the_object_is_a_value() -> None:
    options: dict[str, Any] = {"predictors": ["x", {"of": "outcome", "at": 2003}], "v": {"x": 1, "outcome 2003": 2}}
    one, other = SyntheticControl(**options), SyntheticControl(**options)
    assert one == other and hash(one) == hash(other)
    assert replace(one, starts=3) != one and replace(one, starts=3).predictors == one.predictors


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"v": "nested"}, "there are none"),
        ({"predictors": ["x"], "v": "best"}, "v='best' is not one of equal, inverse-variance, nested, cross-validated"),
        ({"predictors": ["x"], "v": {"x": -1}}, "is not a number of 0 or more"),
        ({"predictors": ["x"], "v": {"x": 0}}, "no weight to any predictor"),
        ({"predictors": ["x"], "starts": 0}, "starts is a number of searches"),
        ({"predictors": ["x"], "fit_window": ("2000", "2001")}, "fit_window belongs to v=nested"),
        ({"constraint": "hull"}, "constraint='hull' is not one of simplex, sum-to-one, lasso, ridge, none"),
        ({"predictors": ["x"], "v": "nested", "constraint": "ridge"}, "v=nested belongs to constraint=simplex"),
        ({"budget": 1.0}, "budget belongs to constraint=lasso and ridge"),
        ({"constraint": "lasso", "budget": 0}, "budget=0 is not a positive number"),
        ({"constraint": "lasso", "budget": "wide"}, "budget='wide' is not a positive number"),
    ],
)
def test_parameters_that_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SyntheticControl(**options)
