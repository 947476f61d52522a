"""Covariates in a panel: scores against derivatives and a literal oracle, who is told to leave out what, and memory."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from impact.errors import Refused
from impact.estimators.adjusted import trimmed_note
from impact.estimators.drdid import Pull
from impact.estimators.group_time import GroupTime
from impact.panel import NEVER, Panel

METHODS = ("dr", "dr-improved", "ipw", "reg")
# Central differences of step 1e-5: the rounding of two effects of size 1, over the step.
DERIVED = 1e-8


def panel_of(first: Any, covariates: dict[str, Any], y: Any = None, weight: Any = None, seed: int = 1) -> Panel:
    first = np.asarray(first, dtype=float)
    count = len(first)
    names = tuple(f"u{row}" for row in range(count))
    blank = Panel(
        y=np.random.default_rng(seed).normal(size=(count, 5)) if y is None else np.asarray(y, dtype=float),
        first=np.full(count, NEVER),
        units=names,
        periods=("1", "2", "3", "4", "5"),
        cluster=np.arange(count),
        clusters=names,
        area=np.full(count, -1),
        areas=(),
        weight=np.ones(count) if weight is None else np.asarray(weight, dtype=float),
        group=np.full(count, -1),
        covariates={
            name: values[:, None] if np.ndim(values) == 1 else values
            for name, values in ((name, np.asarray(x, dtype=float)) for name, x in covariates.items())
        },
    )
    return blank.assign(first)


def staggered(count: int = 60, seed: int = 2, *, varying: bool = False) -> Panel:
    """Two cohorts and never treated; who starts, and how outcomes move, depends on two covariates."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(2, count))
    pull = 0.8 * x + rng.gumbel(size=(3, count))
    pull[0] -= 0.8 * x
    first = np.array([NEVER, 2.0, 3.0])[pull.argmax(axis=0)]
    y = rng.normal(size=(count, 5)) + 0.4 * x[:, None] * np.arange(5) + (np.arange(5) >= first[:, None])
    wide = z[:, None] + rng.normal(size=(count, 5)) if varying else z
    return panel_of(first, {"x": x, "z": wide}, y, rng.uniform(0.5, 2, count))


def cells(panel: Panel, estimator: GroupTime) -> tuple[np.ndarray, np.ndarray]:
    """Effects (C,) and scores (N, C)."""
    found = estimator.fit(panel)
    assert not isinstance(found, Refused), str(found)
    assert found.cells.scores is not None
    return found.cells.effect, found.cells.scores.at(np.eye(len(found.cells.effect)))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("control", ["never", "not-yet"])
@pytest.mark.parametrize("varying", [False, True])
def test_a_score_is_the_derivative_of_the_effect_by_the_weight_of_the_unit(
    method: Any, control: Any, varying: bool
) -> None:
    """What an influence function is, in a sample: no formula is repeated here. It holds for "dr-improved" too, whose
    scores are without any term for what was estimated on the way."""
    panel, estimator = staggered(varying=varying), GroupTime(control=control, method=method)
    effect, scores = cells(panel, estimator)
    np.testing.assert_allclose(scores.sum(axis=0), 0, atol=1e-12)
    for unit in range(0, 60, 7):
        step = 1e-5 * (np.arange(60) == unit)
        up, down = (cells(replace(panel, weight=panel.weight + move), estimator)[0] for move in (step, -step))
        np.testing.assert_allclose(scores[unit] / panel.weight[unit], (up - down) / 2e-5, atol=DERIVED, rtol=0)
    assert len(effect) == 8


def literal(panel: Panel, method: str, group: float, t: int, base: int) -> tuple[float, np.ndarray]:
    """Sant'Anna & Zhao as printed, for one cell with never-treated controls: (effect, scores (N,)).

    Propensity and regression by statsmodels, expectations as means over the group and its controls, and the influence
    functions of their section 3.1, on covariates as they are.
    """
    import statsmodels.api as sm

    rows = np.flatnonzero((panel.first == group) | panel.never)
    d = (panel.first[rows] == group).astype(float)
    at = min(t, base)
    x = np.column_stack(
        [np.ones(len(rows)), *(v[rows, 0 if v.shape[1] == 1 else at] for v in panel.covariates.values())]
    )
    w = panel.weight[rows] / panel.weight[rows].mean()
    dy = panel.y[rows, t] - panel.y[rows, base]
    model = sm.GLM(d, x, family=sm.families.Binomial(), var_weights=w)
    ps = model.fit(maxiter=100, tol=1e-13, tol_criterion="params").fittedvalues
    logit_scores = (w * (d - ps))[:, None] * x @ np.linalg.inv((x * (w * ps * (1 - ps))[:, None]).T @ x / len(rows))
    beta = sm.WLS(dy, x, weights=w * (1 - d)).fit().params if method != "ipw" else np.zeros(x.shape[1])
    ols_scores = (w * (1 - d) * (dy - x @ beta))[:, None] * x
    ols_scores = ols_scores @ np.linalg.inv((x * (w * (1 - d))[:, None]).T @ x / len(rows))
    w1, w0 = w * d, w * (1 - d) * ps / (1 - ps)
    if method == "reg":
        w0 = np.zeros(len(rows))
    left = dy - x @ beta
    eta1 = (w1 * left).mean() / w1.mean()
    eta0 = (w0 * left).mean() / w0.mean() if method != "reg" else 0.0
    if method == "ipw":
        ols_scores = np.zeros_like(ols_scores)
    one = (w1 * (left - eta1) - ols_scores @ (w1[:, None] * x).mean(axis=0)) / w1.mean()
    other = np.zeros(len(rows))
    if method != "reg":
        tilt = logit_scores @ ((w0 * (left - eta0))[:, None] * x).mean(axis=0)
        other = (w0 * (left - eta0) + tilt - ols_scores @ (w0[:, None] * x).mean(axis=0)) / w0.mean()
    scores = np.zeros(len(panel.units))
    scores[rows] = (one - other) / len(rows)
    return eta1 - eta0, scores


@pytest.mark.parametrize("method", ["dr", "ipw", "reg"])
@pytest.mark.parametrize("varying", [False, True])
def test_every_cell_is_that_of_the_paper(method: Any, varying: bool) -> None:
    """On covariates with a mean of 5,000 and a spread of 3, which the oracle's logit bears as well."""
    panel = staggered(90, varying=varying)
    panel = replace(panel, covariates={**panel.covariates, "x": 5000 + 3 * panel.covariates["x"]})
    found = GroupTime(method=method).fit(panel)
    assert not isinstance(found, Refused) and found.cells.scores is not None
    scores = found.cells.scores.at(np.eye(len(found.cells.effect)))
    for cell, (start, t) in enumerate(zip(found.cells.cohort, found.cells.period, strict=True)):
        base = int(start) - 1 if t >= start else int(t) - 1
        effect, by_unit = literal(panel, method, start, int(t), base)
        assert found.cells.effect[cell] == pytest.approx(effect, abs=1e-8)
        np.testing.assert_allclose(scores[:, cell], by_unit, atol=1e-8, rtol=0)


def test_improved_odds_give_the_controls_the_means_of_the_treated() -> None:
    """And the effect is then the difference of weighted means of the change, whatever the regression says."""
    panel = staggered()
    found = GroupTime(method="dr-improved").fit(panel)
    assert not isinstance(found, Refused) and found.cells.scores is not None
    pull = next(block for block in found.cells.scores.blocks if isinstance(block, Pull))
    comparison = pull.comparison
    assert comparison.weighted is not None
    np.testing.assert_allclose(comparison.weighted.x, comparison.ours.x, atol=1e-10 * comparison.ours.mass)
    change = np.array([[0.0, -1.0, 1.0, 0.0, 0.0]])
    by_hand = change @ (comparison.ours.y - comparison.weighted.y) / comparison.ours.mass
    assert comparison.cells(change).effect == pytest.approx(by_hand, abs=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_scale_and_origin_of_a_covariate_change_nothing(method: Any) -> None:
    panel = staggered()
    x, z = panel.covariates["x"], panel.covariates["z"]
    moved = replace(panel, covariates={"x": 1e6 + 1e-3 * x, "z": -7e4 * z})
    for mine, theirs in zip(
        cells(panel, GroupTime(method=method)), cells(moved, GroupTime(method=method)), strict=True
    ):
        # Adding a million to a spread of a thousandth leaves seven digits of the covariate itself.
        np.testing.assert_allclose(mine, theirs, atol=1e-6, rtol=0)


@pytest.mark.parametrize("method", METHODS)
def test_a_level_of_each_unit_costs_no_digits(method: Any) -> None:
    """Outcomes of ten binary places beside levels up to 2^36 are exact, so nothing is lost before the fit."""
    panel = staggered()
    short = panel.with_outcome(np.round(panel.y * 1024) / 1024)
    high = panel.with_outcome(short.y + 2.0**30 * np.arange(60)[:, None])
    np.testing.assert_allclose(
        cells(high, GroupTime(method=method))[0], cells(short, GroupTime(method=method))[0], atol=1e-12, rtol=0
    )


# Refusals ---------------------------------------------------------------------------------------------------------


def refused(method: Any, covariates: dict[str, Any], first: Any = None) -> str:
    found = GroupTime(method=method).fit(panel_of([2.0] * 6 + [NEVER] * 14 if first is None else first, covariates))
    assert isinstance(found, Refused), "this should have been refused"
    return str(found)


RNG = np.random.default_rng(4)
NOISE = RNG.normal(size=20)
SPLIT = np.r_[np.full(6, 2.0), np.full(14, -2.0)] + 0.1 * RNG.normal(size=20)


@pytest.mark.parametrize("method", ["dr", "ipw"])
def test_whoever_separates_is_named_and_nobody_else(method: Any) -> None:
    said = refused(method, {"income": NOISE, "age": SPLIT})
    assert "because age separates the treated units" in said and "leave out age." in said and "income" not in said[40:]
    both = refused(method, {"age": SPLIT, "income": NOISE, "rent": RNG.normal(size=20) - 5 * SPLIT})
    assert "because age, rent, each alone, separate" in both and "leave out age or rent." in both
    together = refused(method, {"age": SPLIT + 9 * NOISE, "income": -NOISE, "rent": RNG.normal(size=20)})
    assert "because a combination of age, income separates" in together and "leave out age or income." in together


def test_means_that_no_weights_reach_are_refused_by_name() -> None:
    said = refused("dr-improved", {"income": NOISE, "age": SPLIT})
    assert "no weights of the controls reach the treated mean of age" in said and "method='reg'" in said


@pytest.mark.parametrize("method", METHODS)
def test_nearly_the_same_covariates_are_collinear(method: Any) -> None:
    """Equal up to a millionth of their spread; up to a hundredth they are two."""
    other = RNG.normal(size=20)
    assert "collinear" in refused(method, {"x": NOISE, "almost": NOISE + 1e-6 * other})
    found = GroupTime(method="reg").fit(panel_of([2.0] * 6 + [NEVER] * 14, {"x": NOISE, "near": NOISE + 1e-2 * other}))
    assert not isinstance(found, Refused)


def test_trimmed_controls_are_told() -> None:
    """Forty treated for four controls; one of these stands among the treated, at a propensity above 0.995."""
    x = np.r_[np.linspace(2, 3, 160), -0.5, 0.0, 0.5, 2.9]
    first = [2.0] * 160 + [NEVER] * 4
    for method in ("dr", "ipw"):
        found = GroupTime(method=method).fit(panel_of(first, {"x": x}))
        assert not isinstance(found, Refused), str(found)
        assert any("3: 1 controls look almost surely treated" in note for note in found.notes)
    assert trimmed_note(("a", "b"), {0: 0, 1: 2}) == (
        "b: 2 controls look almost surely treated (a propensity of 0.995 or more) and do not serve",
    )


# Memory -----------------------------------------------------------------------------------------------------------


def test_scores_take_no_memory_until_they_are_asked_for() -> None:
    """20,000 units × 10 periods × 5 cohorts with every set of controls: 45 cells. Held after the fit are the surface
    and, once each, the outcomes, the covariates and two numbers a row and arm: not units × cells (7 MB)."""
    rng = np.random.default_rng(0)
    count, length = 20_000, 10
    first = rng.choice([NEVER, 3, 4, 5, 6, 7], count)
    names = tuple(map(str, range(count)))
    panel = Panel(
        y=rng.normal(size=(count, length)),
        first=np.full(count, NEVER),
        units=names,
        periods=tuple(map(str, range(length))),
        cluster=np.arange(count),
        clusters=names,
        area=np.full(count, -1),
        areas=(),
        weight=np.ones(count),
        group=np.full(count, -1),
        covariates={name: rng.normal(size=(count, 1)) for name in ("x", "z")},
    ).assign(first)
    tracemalloc.start()
    found = GroupTime(control="not-yet").fit(panel)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert not isinstance(found, Refused) and len(found.cells.effect) == 45
    surface = panel.y.nbytes
    assert held < 3 * surface + 8 * 2 * count * 8
    assert peak < held + 2 * surface
