"""What every estimator gives beside its cells agrees with them: scores, imputed outcomes, weights, certificates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from impact.cells import Fit
from impact.estimators.predictors import Predictor
from impact.estimators.protocol import Gives
from impact.estimators.synthetic_control import SyntheticControl
from impact.inference.protocol import Found, evaluate
from impact.numerics.simplex import GAP
from impact.panel import Panel
from impact.targets import Effects, Target
from tests.contract.expected import configured
from tests.contract.worlds import Configured, cells_by_name, close, fit_of, frame, matched, panel_of, world

EXACT = 1e-9  # outcomes are of order 1 and nothing iterates


def gives(what: Gives) -> object:
    return lambda case: what in case.estimator.gives


@configured("mean zero", gives(Gives.SCORES))
def test_scores_sum_to_zero(case: Configured) -> None:
    panel, fit = world(case)
    assert fit.cells.scores is not None
    scores = fit.cells.scores.at(np.eye(len(fit.cells.effect)))
    assert scores.shape == (len(panel.clusters), len(fit.cells.effect))
    np.testing.assert_allclose(scores.sum(axis=0), 0, atol=EXACT)
    assert (np.abs(scores).max(axis=0) > 1e-3).all()


def distance(
    case: Configured, target: Target, copies: int, change: Callable[[Panel], Panel] = lambda panel: panel
) -> float:
    """Largest difference between a unit's score and what its deletion does, relative to the largest score.

    A deletion changes the shares of the groups as well, so they count here for conditional scores too.
    """
    panel = change(panel_of(frame(copies=copies), case, cluster=False))
    full = evaluate(case.estimator, panel, target)
    assert isinstance(full, Found) and full.fit.cells.scores is not None
    cells = replace(full.fit.cells, scores=replace(full.fit.cells.scores, conditional=False))
    effects = target.of(cells, full.panel)
    assert isinstance(effects, Effects) and effects.scores is not None
    rng = np.random.default_rng(0)
    size = len(panel.units)
    some = rng.choice(size, 27, replace=False)
    away = []
    for unit in some:
        rest = evaluate(case.estimator, panel.drop([unit]), target)
        assert isinstance(rest, Found) and rest.effects.terms == full.effects.terms
        away.append((size - 1) / size * (full.effects.estimate - rest.effects.estimate) - effects.scores[unit])
    return float((np.abs(away).max(axis=0) / np.abs(effects.scores).max(axis=0)).max())


def influence(case: Configured) -> bool:
    """Scores that are influence functions. The conservative centre of imputation is one for units alike only, and the
    error of a saturated regression takes the covariates as given; their own tests check these."""
    given = bool(case.covariates) and getattr(case.estimator, "slopes", False)
    return Gives.SCORES in case.estimator.gives and not hasattr(case.estimator, "variance") and not given


@configured("jackknife", influence)
@pytest.mark.parametrize(
    "target", [Target("event"), Target("average"), Target("cohort", "resident"), Target("calendar")], ids=str
)
def test_scores_agree_with_the_jackknife_to_first_order(case: Configured, target: Target) -> None:
    """The relative difference is O(1/N): four times the units, about a quarter of it."""
    near, far = distance(case, target, 12), distance(case, target, 3)
    assert near < 0.5 * far
    assert near < 0.1


@configured("jackknife", influence)
def test_scores_of_a_matched_panel_agree_with_the_jackknife_too(case: Configured) -> None:
    """An area that goes takes its controls along, and a control that goes leaves its share to the others of the
    area."""
    near, far = (distance(case, Target("event"), copies, matched) for copies in (12, 3))
    assert near < 0.6 * far
    assert near < 0.1


@configured("surface", gives(Gives.SURFACE))
@pytest.mark.parametrize("weighting", ["unit", "area", "resident"])
def test_surface_matches_cells(case: Configured, weighting: str) -> None:
    panel = Target("average", weighting).prepare(world(case)[0])  # type: ignore[arg-type]
    fit = fit_of(case, panel)
    assert fit.untreated is not None
    gap = panel.y - fit.untreated
    assert np.isnan(fit.untreated[~panel.treated]).all()
    for group, period, effect, size in zip(
        fit.cells.group, fit.cells.period, fit.cells.effect, fit.cells.size, strict=True
    ):
        members = panel.group == group
        assert panel.weight[members] @ gap[members, period] / panel.weight[members].sum() == pytest.approx(
            effect, abs=EXACT
        )
        assert panel.weight[members].sum() == pytest.approx(size)


@configured("weights", gives(Gives.WEIGHTS))
@pytest.mark.parametrize("grouped", ["cohort", "area"])
def test_weights_reproduce_the_effect(case: Configured, grouped: str) -> None:
    panel = world(case)[0]
    panel = panel.by_area() if grouped == "area" else panel
    fit = fit_of(case, panel)
    found = fit.weights
    assert found is not None
    if constraint_of(case) == "simplex":
        np.testing.assert_allclose(found.unit.sum(axis=1), 1, atol=EXACT)
        assert (found.unit >= 0).all()
    assert (found.time >= 0).all()
    assert (found.unit[:, ~panel.never] == 0).all()
    for group, period, effect in zip(fit.cells.group, fit.cells.period, fit.cells.effect, strict=True):
        row = found.groups.index(panel.group_names[group])
        assert found.time[row].sum() == pytest.approx(1) or not found.time[row].any()
        assert not found.time[row, int(panel.groups[group]) :].any()
        members = panel.group == group
        gap = panel.weight[members] @ panel.y[members] / panel.weight[members].sum() - found.unit[row] @ panel.y
        assert gap[period] - found.time[row] @ gap == pytest.approx(effect, abs=EXACT)


@configured("hold", gives(Gives.WEIGHTS))
def test_held_weights_are_those_that_are_used(case: Configured) -> None:
    panel, fit = world(case)
    close(cells_by_name(fit, panel), cells_by_name(fit_of(case, panel, hold=fit.weights), panel))
    # Other outcomes before the start: learned weights would move.
    other = panel.with_outcome(panel.y + np.random.default_rng(5).normal(size=panel.y.shape))
    held = fit_of(case, other, hold=fit.weights)
    assert held.weights is not None and fit.weights is not None
    np.testing.assert_allclose(held.weights.unit, fit.weights.unit, atol=EXACT)
    np.testing.assert_allclose(held.weights.time, fit.weights.time, atol=EXACT)


def solves(case: Configured) -> bool:
    return bool(world(case)[1].trace)


@configured("certificate", solves)
def test_solver_certificate(case: Configured) -> None:
    for trace in world(case)[1].trace:
        assert trace.status == "optimal"
        assert 0 <= trace.gap <= GAP


@configured("objective", solves)
def test_objective_not_worse_than_a_general_solver(case: Configured) -> None:
    """The programs as the papers write them, given to clarabel; grouped by area, so that a trace is a program."""
    panel = world(case)[0].by_area()
    fit = fit_of(case, panel)
    each = len(fit.trace) // len(panel.groups)
    assert each in (1, 2)
    for group in range(len(panel.groups)):
        programs = levels_of(case, panel, fit, group) if each == 1 else differences_of(panel, group)
        for trace, (a, b, ridge) in zip(fit.trace[each * group : each * (group + 1)], programs, strict=True):
            reference = general(a, b, ridge, constraint_of(case), budget_of(case, fit, group))
            assert trace.objective <= reference * (1 + 1e-9) + 1e-12


Programs = list[tuple[np.ndarray, np.ndarray, float]]


def levels_of(case: Configured, panel: Panel, fit: Fit, group: int) -> Programs:
    """A synthetic control: outcomes before the start, or its predictors under the weights it chose."""
    start, members = int(panel.groups[group]) - getattr(case.estimator, "anticipation", 0), panel.group == group
    share = np.where(members, panel.weight, 0.0) / panel.weight[members].sum()
    intercept = getattr(case.estimator, "intercept", False)
    y = panel.y - panel.y[:, :start].mean(axis=1, keepdims=True) if intercept else panel.y
    if not getattr(case.estimator, "predictors", ()):
        return [(y[panel.never, :start].T, share @ y[:, :start], 0.0)]
    assert isinstance(case.estimator, SyntheticControl)
    late = slice(start // 2 if case.estimator.v == "cross-validated" else 0, start)
    columns: list[np.ndarray] = []
    for one in case.estimator.predictors:
        assert isinstance(one, Predictor)
        values = y[:, late] if one.of == "outcome" else panel.covariates[one.of]
        columns += list(values.T) if one.each else [values.mean(axis=1)]
    rows = np.array(columns)
    a, b = rows[:, panel.never], rows @ share
    spread = np.column_stack([a, b]).std(axis=1, ddof=1)
    chosen = {tuned.piece: tuned.value for tuned in fit.tuned if tuned.parameter == "v"}
    v = chosen.get(panel.group_names[group], np.full(len(b), 1 / len(b)))
    root = np.sqrt(v) / spread
    return [(root[:, None] * a, root * b, 0.0)]


def differences_of(panel: Panel, group: int) -> Programs:
    """Synthetic difference-in-differences: unit weights and time weights."""
    start, members = int(panel.groups[group]), panel.group == group
    treated = panel.weight[members] @ panel.y[members, :start] / panel.weight[members].sum()
    before, after = panel.y[panel.never, :start], panel.y[panel.never, start:]
    noise = np.diff(before, axis=1).std(ddof=1)
    return [
        (centred(before.T), centred(treated), start * (members.sum() * after.shape[1]) ** 0.5 * noise**2),
        (centred(before), centred(after.mean(axis=1)), len(before) * (1e-6 * noise) ** 2),
    ]


def constraint_of(case: Configured) -> str:
    return str(getattr(case.estimator, "constraint", "simplex"))


def budget_of(case: Configured, fit: Fit, group: int) -> float:
    """The bound on the norm that was given, or chosen for the group."""
    chosen = [float(tuned.value[0]) for tuned in fit.tuned if tuned.parameter == "budget"]
    given = getattr(case.estimator, "budget", "auto")
    return chosen[group] if chosen else 1.0 if given == "auto" else float(given)


def centred(values: np.ndarray) -> np.ndarray:
    return np.asarray(values - values.mean(axis=0))


def general(a: np.ndarray, b: np.ndarray, ridge: float, constraint: str = "simplex", budget: float = 1.0) -> float:
    """Least value of |a w - b|^2 + ridge |w|^2 under the constraint, at the (feasible) point that clarabel gives."""
    import clarabel
    from scipy import sparse

    count = a.shape[1]
    eye, one, zero = np.eye(count), np.ones((1, count)), np.zeros(count)
    quadratic = 2 * (a.T @ a + ridge * eye)
    if constraint == "simplex":
        rows, side = np.vstack([one, -eye]), np.r_[1.0, zero]
        cones = [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(count)]
    elif constraint == "ridge":
        rows, side, cones = np.vstack([0 * one, -eye]), np.r_[budget, zero], [clarabel.SecondOrderConeT(count + 1)]
    else:  # w = u - s with u, s >= 0 and a bounded sum
        rows, side = np.vstack([np.hstack([one, one]), -np.eye(2 * count)]), np.r_[budget, zero, zero]
        quadratic = np.block([[quadratic, -quadratic], [-quadratic, quadratic]])
        cones = [clarabel.NonnegativeConeT(2 * count + 1)]
    slope = -2 * a.T @ b
    slope = slope if constraint in ("simplex", "ridge") else np.r_[slope, -slope]
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    answer = clarabel.DefaultSolver(
        sparse.triu(sparse.csc_matrix(quadratic), format="csc"), slope, sparse.csc_matrix(rows), side, cones, settings
    ).solve()
    w = np.array(answer.x)
    if constraint == "simplex":
        w = np.maximum(w, 0)
        w /= w.sum()
    elif constraint == "ridge":
        w *= min(1.0, budget / np.linalg.norm(w))
    else:
        w = w[:count] - w[count:]
        w *= min(1.0, budget / np.abs(w).sum())
    return float(((a @ w - b) ** 2).sum() + ridge * w @ w)
