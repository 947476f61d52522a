"""Group-time with few units: who serves with which weight, and what covariates cannot do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from impact.errors import Refused
from impact.estimators.group_time import GroupTime
from impact.inference.protocol import Found, evaluate
from impact.panel import NEVER, Panel
from impact.targets import Target

RNG = np.random.default_rng(8)


def panel_of(first: list[float], covariates: dict[str, Any] | None = None, y: Any = None) -> Panel:
    count = len(first)
    names = tuple(f"u{row}" for row in range(count))
    blank = Panel(
        y=np.random.default_rng(1).normal(size=(count, 4)) if y is None else np.asarray(y, dtype=float),
        first=np.full(count, NEVER),
        units=names,
        periods=("1", "2", "3", "4"),
        cluster=np.arange(count),
        clusters=names,
        area=np.full(count, -1),
        areas=(),
        weight=np.ones(count),
        group=np.full(count, -1),
        residents=np.random.default_rng(2).uniform(1e3, 1e4, count),
        covariates={name: np.asarray(x, dtype=float)[:, None] for name, x in (covariates or {}).items()},
    )
    return blank.assign(np.array(first))


@pytest.mark.parametrize("weighting", ["area", "resident"])
@pytest.mark.parametrize("adjusted", [False, True])
def test_whom_a_target_counts_does_not_change_who_is_compared(weighting: Any, adjusted: bool) -> None:
    """The first cohort is one unit, so its effects are the same however treated units are weighted, though the units
    of the second cohort, its not-yet-treated controls, have thousands of residents."""
    first = [1.0, *[3.0] * 4, *[NEVER] * 12]
    panel = panel_of(first, {"x": RNG.normal(size=17)} if adjusted else None)
    estimator = GroupTime(control="not-yet", method="reg")
    plain, weighted = (evaluate(estimator, panel, Target("average", how)) for how in ("unit", weighting))
    assert isinstance(plain, Found) and isinstance(weighted, Found)
    own = plain.fit.cells.cohort == 1
    assert own.sum() == 3
    np.testing.assert_allclose(weighted.fit.cells.effect[own], plain.fit.cells.effect[own], rtol=1e-12)


def test_a_later_cohort_serves_with_its_own_weight_by_hand() -> None:
    """u0 gains 6 in period 2; the controls are u1 (starts later, 9,000 residents) with 3 and u2, u3 with 0: 6 − 3/3 =
    5."""
    panel = panel_of([1.0, 3.0, NEVER, NEVER], y=[[0, 6, 6, 6], [0, 3, 3, 3], [0, 0, 0, 0], [0, 0, 0, 0]])
    for weighting in ("unit", "resident"):
        found = evaluate(GroupTime(control="not-yet"), panel, Target("event", weighting, ("0", "0")))  # type: ignore[arg-type]
        assert isinstance(found, Found)
        cell = (found.fit.cells.cohort == 1) & (found.fit.cells.period == 1)
        assert found.fit.cells.effect[cell] == pytest.approx([5.0])


def refused(method: Any, covariates: dict[str, Any], first: list[float] | None = None) -> str:
    found = GroupTime(method=method).fit(panel_of(first or [2.0] * 6 + [NEVER] * 14, covariates))
    assert isinstance(found, Refused)
    return str(found)


@pytest.mark.parametrize("method", ["dr", "ipw"])
def test_separation_is_refused_with_the_names(method: Any) -> None:
    said = refused(method, {"x": np.arange(20.0)})
    assert "x" in said and "separates" in said and "reg" in said
    assert not isinstance(
        GroupTime(method="reg").fit(panel_of([2.0] * 6 + [NEVER] * 14, {"x": np.arange(20.0)})), Refused
    )


@pytest.mark.parametrize("method", ["dr", "ipw", "reg"])
def test_covariates_that_say_the_same_are_refused(method: Any) -> None:
    x = np.random.default_rng(3).normal(size=20)
    assert "collinear" in refused(method, {"x": x, "twice": 2 * x})
    assert "collinear" in refused(method, {"same": np.ones(20)})
    assert "collinear" in refused(
        method, {f"x{k}": np.random.default_rng(k).normal(size=6) for k in range(4)}, [2.0] * 3 + [NEVER] * 3
    )


def test_covariates_with_holes_are_refused() -> None:
    x = np.random.default_rng(3).normal(size=20)
    x[4] = np.nan
    assert "missing" in refused("dr", {"x": x})


def test_controls_that_all_look_treated_are_refused() -> None:
    """A thousand treated units for two controls: every propensity is above 0.995, and no control is left to compare
    with."""
    first = [2.0] * 1000 + [NEVER] * 3
    x = np.random.default_rng(3).normal(size=1003)
    said = refused("ipw", {"x": x}, first)
    assert "almost surely treated" in said and "x" in said
