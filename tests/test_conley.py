"""Errors that near units share, of estimates: their limits, their parts by period, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import impact
from impact.errors import Refused, UsageError
from impact.estimators.registry import resolve
from impact.inference.conley import Conley, judged_by_covariance
from impact.inference.driscoll_kraay import DriscollKraay
from impact.inference.protocol import Found, Uncertainty, evaluate
from impact.inference.unit_scores import ByPeriod, by_period, by_unit
from impact.targets import Target

PERIODS = range(2014, 2022)


def frame(seed: int = 0, gaps: bool = False) -> pd.DataFrame:
    """60 wijken in 20 gemeenten, 8 of which start in 2018 or 2020; shocks last."""
    generator = np.random.default_rng(seed)
    rows = []
    for gemeente in range(20):
        middle = generator.uniform(0, 200_000, 2)
        start = (2018, 2020)[gemeente % 2] if gemeente < 8 else None
        for wijk in range(3):
            place = middle + generator.uniform(-1000, 1000, 2)
            course = np.cumsum(generator.normal(size=len(PERIODS))) + 10 * generator.normal()
            for number, year in enumerate(PERIODS):
                if gaps and generator.random() < 0.05:
                    continue
                effect = 1.0 * (start is not None and year >= start)
                rows.append((f"w{gemeente}-{wijk}", f"g{gemeente}", year, course[number] + effect, start, *place))
    return pd.DataFrame(rows, columns=["wijk", "gemeente", "jaar", "y", "start", "x", "north"])


def panel(table: pd.DataFrame | None = None, **columns: Any) -> impact.Panel:
    named = {"cluster": "gemeente", "place": ("x", "north"), **columns}
    return impact.Panel.from_frame(
        frame() if table is None else table, unit="wijk", time="jaar", outcome="y", first_treated="start", **named
    )


def errors(data: impact.Panel, estimator: str, inference: str, target: str = "event", **options: Any) -> np.ndarray:
    found = impact.estimate(data, estimator, target=target, inference=inference, **options)  # type: ignore[arg-type]
    assert isinstance(found, impact.Result), found
    assert isinstance(found.uncertainty, Uncertainty), found.uncertainty
    return found.tidy()["std_error"].to_numpy()


@pytest.mark.parametrize("estimator", ["group-time", "did", "twfe", "imputation", "sun-abraham"])
def test_without_reach_it_is_robust_and_with_clusters_at_a_point_it_is_clustered(estimator: str) -> None:
    data = panel()
    robust = errors(panel(cluster=None), estimator, "scores")
    np.testing.assert_allclose(errors(data, estimator, "conley", cutoff=0), robust, rtol=1e-9)
    home = np.array([[10_000.0 * number, 0.0] for number in data.cluster])
    at_home = replace(data, place=home)
    clustered = errors(data, estimator, "scores")
    for kernel in ("bartlett", "uniform"):
        found = errors(at_home, estimator, "conley", cutoff=5_000, kernel=kernel)
        np.testing.assert_allclose(found, clustered, rtol=1e-9)


@pytest.mark.parametrize(
    ("estimator", "gaps"),
    [("group-time", False), ("group-time", True), ("did", False), ("twfe", False), ("twfe", True)],
)
def test_the_parts_by_period_add_up(estimator: str, gaps: bool) -> None:
    """And with all lags counting in full, the errors are those without."""
    data, target, chosen = panel(frame(gaps=gaps)), Target("average"), resolve(estimator)()
    found = evaluate(chosen, data, target)
    assert isinstance(found, Found)
    alone = by_unit("conley", chosen, data, target, found)
    assert isinstance(alone, Found)
    parts = by_period("conley", chosen, alone)
    assert isinstance(parts, ByPeriod)
    whole = alone.effects.scores
    assert whole is not None
    np.testing.assert_allclose(parts.moving.sum(axis=1) + parts.lasting, whole, atol=1e-12)
    # Levels of units, and shocks that a cohort shares in a period, are no part of it.
    rng = np.random.default_rng(1)
    shocked = data.with_outcome(data.y + rng.normal(size=(len(data.units), 1)) * 100)
    other = evaluate(chosen, shocked, target)
    assert isinstance(other, Found)
    again = by_unit("conley", chosen, shocked, target, other)
    assert isinstance(again, Found)
    moved = by_period("conley", chosen, again)
    assert isinstance(moved, ByPeriod)
    if not gaps or estimator == "twfe":
        np.testing.assert_allclose(moved.moving, parts.moving, atol=1e-9)
    if estimator != "twfe":
        # What is left is that the shares of the groups are those of a sample: it does not come from single periods.
        assert np.abs(parts.lasting).sum() < np.abs(whole).sum()
    far = errors(data, estimator, "conley", "average", cutoff=0, lags=10**9)
    lasting = float((parts.lasting**2).sum() + 2 * (parts.lasting * parts.moving.sum(axis=1)).sum())
    moving = float((parts.moving.sum(axis=1) ** 2).sum())
    assert far[0] ** 2 == pytest.approx(moving + float((parts.lasting**2).sum()), rel=1e-6)
    assert far[0] ** 2 == pytest.approx(float((whole**2).sum()) - lasting + float((parts.lasting**2).sum()), rel=1e-6)


def test_driscoll_kraay_by_hand() -> None:
    """The regression of a constant effect by dummies; sums of its scores by period, with Newey-West weights."""
    table = frame()
    treated = (table["jaar"] >= table["start"].fillna(np.inf)).astype(float)
    dummies = pd.get_dummies(table[["wijk", "jaar"]].astype(str), drop_first=True).to_numpy(float)
    x = np.column_stack([treated, np.ones(len(table)), dummies])
    bread = np.linalg.inv(x.T @ x)
    y = table["y"].to_numpy()
    scores = ((x * (y - x @ (bread @ x.T @ y))[:, None]) @ bread)[:, 0]
    sums = pd.Series(scores).groupby(table["jaar"]).sum().to_numpy()
    for lags in (0, 1, 3):
        expected = sum(
            (1 - abs(t - u) / (lags + 1)) * sums[t] * sums[u]
            for t in range(len(sums))
            for u in range(len(sums))
            if abs(t - u) <= lags
        )
        (found,) = errors(panel(), "twfe", "driscoll-kraay", "average", lags=lags)
        assert found**2 == pytest.approx(expected, rel=1e-9)


def test_what_is_refused_says_why() -> None:
    data = panel()

    def why(inference: str, estimator: str = "did", given: impact.Panel = data, **options: Any) -> str:
        found = impact.estimate(given, estimator, inference=inference, **options)
        assert isinstance(found, impact.Result)
        assert isinstance(found.uncertainty, Refused)
        return found.uncertainty.because

    assert "no places" in why("conley", given=replace(data, place=None))
    assert data.place is not None
    lost = data.place.copy()
    lost[4] = np.nan
    assert "1 units that weigh in the estimate have no place (w1-1)" in why("conley", given=replace(data, place=lost))
    assert "no influence scores" in why("conley", "synthetic-control")
    assert "no scores by period" in why("conley", "sun-abraham", lags=1)
    assert "by construction" in why("driscoll-kraay")
    assert "3 periods" in why("driscoll-kraay", "twfe", panel(frame().query("2017 <= jaar <= 2019")))
    few = impact.estimate(data, "did", target="cohort", inference="conley", weighting="unit")
    assert isinstance(few, impact.Result)
    assert isinstance(few.uncertainty, Uncertainty)
    # 4 gemeenten start in either year: t(3).
    assert few.uncertainty.df.tolist() == [3, 3, 7]


def test_a_variance_below_nothing_is_no_error() -> None:
    data, target = panel(), Target("cohort")
    found = evaluate(resolve("did")(), data, target)
    assert isinstance(found, Found)
    reasons = (None,) * 3
    df = np.full(3, 5.0)
    negative = judged_by_covariance(found, "conley", np.diag([1.0, -1.0, 2.0]), df, 0.95, reasons, "x")
    assert [reason is None for reason in negative.refused] == [True, False, True]
    assert "negative" in str(negative.refused[1])
    assert negative.std_error[0] == 1 and np.isnan(negative.std_error[1])
    mixed = np.array([[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert judged_by_covariance(found, "conley", mixed, df, 0.95, reasons, "x").covariance is None
    sound = judged_by_covariance(found, "conley", np.eye(3), df, 0.95, reasons, "x")
    assert sound.covariance is not None


def test_wrong_parameters() -> None:
    for make in (
        lambda: Conley(-1),
        lambda: Conley(kernel="gauss"),  # type: ignore[arg-type]
        lambda: Conley(lags=-1),
        lambda: Conley(level=1.0),
        lambda: DriscollKraay(lags=-1),
        lambda: DriscollKraay(level=0.0),
    ):
        with pytest.raises(ValueError, match="is not"):
            make()
    with pytest.raises(UsageError, match="USAGE-003"):
        impact.estimate(panel(), "did", inference="conley", kernel="gauss")
