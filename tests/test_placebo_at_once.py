"""Placebos that are solved at once: those of one refit after another, and those of a loop over another solver."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from impact.arrays import Bool2, Float1, Float2
from impact.cells import Fit, Weights
from impact.errors import Refused
from impact.estimators.penalized import PenalizedSyntheticControl
from impact.estimators.protocol import Asks, Estimator, Gives, Reassigns
from impact.estimators.synthetic_control import SyntheticControl
from impact.estimators.synthetic_did import SyntheticDiD
from impact.inference.placebo import Placebos, PlaceboSpace
from impact.inference.protocol import Found, Uncertainty, evaluate
from impact.panel import Panel, Weighting
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Kind, Target

AT_ONCE = pytest.mark.parametrize("estimator", [SyntheticControl(), SyntheticDiD()], ids=lambda one: str(one.name))
OTHERS = (
    SyntheticControl(intercept=True),
    SyntheticDiD(zeta=0.1),
    PenalizedSyntheticControl(lam=0.3),
    PenalizedSyntheticControl(lam=0.01, intercept=True),
)


@dataclass(frozen=True)
class Refits:
    """Another estimator without what it can do at once."""

    inner: Estimator

    name: ClassVar[str] = "refits"
    gives: ClassVar[Gives] = Gives.NOTHING
    asks: ClassVar[Asks] = SyntheticControl.asks

    def fit(self, panel: Panel, *, learn: Bool2 | None = None, hold: Weights | None = None) -> Fit | Refused:
        return self.inner.fit(panel, learn=learn, hold=hold)

    def null_model(self) -> Estimator:
        return self


def world(units: int = 24, periods: int = 11, seed: int = 0, late: bool = True, weights: bool = True) -> Panel:
    """Six treated units in four areas, of which one starts after the last period, and 18 donors, one without weight."""
    rng = np.random.default_rng(seed)
    course = rng.normal(size=(units, 2)) @ rng.normal(size=(2, periods))
    y = 20 + 2 * rng.normal(size=(units, 1)) + course + rng.normal(scale=0.5, size=(units, periods))
    starts = {0: 6, 1: 6, 2: 6, 3: 8, 4: 8} | ({5: periods + 2} if late else {})
    areas = {0: "north", 1: "north", 2: "south", 3: "west", 4: "west", 5: "late"}
    frame = pd.DataFrame(
        {
            "unit": np.repeat([f"u{row:02d}" for row in range(units)], periods),
            "time": np.tile(np.arange(periods), units),
            "y": y.ravel(),
            "start": np.repeat([starts.get(row, np.nan) for row in range(units)], periods),
            "area": np.repeat([areas.get(row, "") for row in range(units)], periods),
            "residents": np.repeat(rng.integers(100, 5000, units), periods),
            "weight": np.repeat(rng.integers(1, 4, units) * (np.arange(units) != units - 1), periods)
            if weights
            else 1.0,
        }
    )
    columns = {"unit": "unit", "time": "time", "outcome": "y", "first_treated": "start", "area": "area"}
    return Panel.from_frame(frame, **columns, residents="residents", weight="weight")  # type: ignore[arg-type]


def placebos(estimator: Estimator, panel: Panel, target: Target | None = None, **options: Any) -> Placebos:
    how = PlaceboSpace(**{"draws": 20} | options)
    found = how.placebos(estimator, panel, target or Target(), streams=Streams(1), parallel=Parallel())
    assert isinstance(found, Placebos)
    return found


def run(
    estimator: Estimator, panel: Panel, target: Target | None = None, workers: int = 1, **options: Any
) -> Uncertainty:
    how = PlaceboSpace(**{"draws": 20} | options)
    found = how.run(estimator, panel, target or Target(), streams=Streams(1), parallel=Parallel(workers))
    assert isinstance(found, Uncertainty)
    return found


def the_same(first: Placebos, second: Placebos) -> None:
    """To 1e-9 of outcomes of about 20: both solve to a gap of 1e-10 at most, mostly of rounding."""
    assert first.sets == second.sets and first.refused == second.refused == {}
    for name in ("estimate", "after", "before"):
        np.testing.assert_allclose(
            getattr(first.measured, name), getattr(second.measured, name), rtol=0, atol=1e-9, err_msg=name
        )
    np.testing.assert_allclose(first.effect, second.effect, rtol=0, atol=1e-9)
    assert first.size is not None and second.size is not None
    np.testing.assert_allclose(first.size, second.size, rtol=1e-12)


@AT_ONCE
@pytest.mark.parametrize("kind", ["average", "event", "unit", "cohort", "calendar"])
@pytest.mark.parametrize("weighting", ["unit", "area", "resident"])
def test_at_once_is_one_refit_after_another(estimator: Estimator, kind: Kind, weighting: Weighting) -> None:
    """Staggered starts, areas of several units, a unit that starts after the last period, a donor without weight."""
    assert isinstance(estimator, Reassigns) and not isinstance(Refits(estimator), Reassigns)
    target, panel = Target(kind, weighting), world()
    options = {"statistic": "studentised"}
    the_same(placebos(estimator, panel, target, **options), placebos(Refits(estimator), panel, target, **options))


@pytest.mark.parametrize("estimator", OTHERS, ids=str)
def test_other_parameters_at_once(estimator: Estimator) -> None:
    assert isinstance(estimator, Reassigns)
    options, panel = {"statistic": "studentised"}, world(seed=4)
    for target in (Target("unit", "resident"), Target("event", "area")):
        the_same(placebos(estimator, panel, target, **options), placebos(Refits(estimator), panel, target, **options))


@AT_ONCE
def test_at_once_with_anticipation_and_on_a_panel_that_is_grouped_by_area(estimator: Any) -> None:
    options = {"statistic": "studentised"}
    for panel in (world(seed=2), world(seed=2).by_area()):
        ahead = replace(estimator, anticipation=2)
        the_same(placebos(ahead, panel, **options), placebos(Refits(ahead), panel, **options))


@AT_ONCE
def test_a_cohort_that_is_lost_is_lost_in_all_sets(estimator: Any) -> None:
    """With an anticipation of 5 the first cohort has one period to learn from, and two are asked."""
    ahead = replace(estimator, anticipation=5)
    target = Target("cohort")
    options = {"statistic": "studentised"}
    found = placebos(ahead, world(), target, **options)
    assert found.terms == ("8", "mean")
    the_same(found, placebos(Refits(ahead), world(), target, **options))


def one_treated(donors: int, periods: int = 9, seed: int = 3) -> Panel:
    panel = world(donors + 5, periods, seed, late=False, weights=False)
    return panel.drop([1, 2, 3, 4])


@AT_ONCE
@pytest.mark.parametrize("statistic", ["rmspe-ratio", "estimate", "studentised"])
def test_all_donors_are_placebos_however_few_the_draws(estimator: Estimator, statistic: Any) -> None:
    panel = one_treated(30)
    found = run(estimator, panel, draws=3, statistic=statistic)
    assert (found.draws, found.attempted) == (30, 30)
    assert found.mc_error is not None and found.mc_error[0] == 0
    assert 1 / 31 <= found.p_value[0] <= 1
    again = run(Refits(estimator), panel, draws=30, statistic=statistic)
    assert again.p_value[0] == found.p_value[0]
    assert run(Refits(estimator), panel, draws=3, statistic=statistic).attempted == 3


@AT_ONCE
def test_neither_the_order_of_units_nor_reruns_nor_workers_change_a_placebo(estimator: Estimator) -> None:
    panel = world(40)
    shuffled = panel.take(np.random.default_rng(0).permutation(len(panel.units)))
    first = placebos(estimator, panel, draws=15)
    again = placebos(estimator, panel, draws=15)
    np.testing.assert_array_equal(first.measured.estimate, again.measured.estimate)
    other = placebos(estimator, shuffled, draws=15)
    assert first.sets == other.sets
    np.testing.assert_allclose(first.measured.estimate, other.measured.estimate, rtol=0, atol=1e-9)
    for statistic in ("rmspe-ratio", "estimate", "studentised"):
        one = run(estimator, panel, draws=15, statistic=statistic)
        for same in (
            run(estimator, shuffled, draws=15, statistic=statistic),
            run(estimator, panel, draws=15, statistic=statistic, workers=2),
        ):
            np.testing.assert_array_equal(one.p_value, same.p_value)
            np.testing.assert_allclose(one.std_error, same.std_error, rtol=1e-9)
        assert 1 / 16 <= one.p_value[0] <= 1


def by_slsqp(donors: Float2, path: Float1) -> Float1:
    """Weights of donors (J, T0) by another method, from the middle of the simplex."""
    count = len(donors)
    found = minimize(  # type: ignore[call-overload]
        lambda w: float(np.sum((w @ donors - path) ** 2)),
        np.full(count, 1 / count),
        jac=lambda w: 2 * donors @ (w @ donors - path),
        method="SLSQP",
        bounds=[(0.0, 1.0)] * count,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": lambda w: np.ones(count)},
        options={"ftol": 1e-14, "maxiter": 2000},
    )
    return np.asarray(found.x, dtype=np.float64)


def test_placebo_areas_by_hand() -> None:
    """Two areas, of three and of one wijk, that start in 14 and 16 of 20; residents weigh. 9 donors, 14 periods: the
    weights are unique."""
    rng = np.random.default_rng(8)
    units, periods = 14, 20
    y = 50 + rng.normal(size=(units, 3)) @ rng.normal(size=(3, periods)) + rng.normal(scale=0.3, size=(units, periods))
    first = np.full(units, np.inf)
    first[[0, 1, 2]], first[3] = 14, 16
    residents = rng.integers(200, 9000, units).astype(float)
    names = tuple(f"w{row:02d}" for row in range(units))
    panel = Panel(
        y=y,
        first=first,
        units=names,
        periods=tuple(map(str, range(periods))),
        cluster=np.arange(units),
        clusters=names,
        area=np.where(np.isfinite(first), np.where(np.arange(units) < 3, 0, 1), -1),
        areas=("large", "small"),
        weight=np.ones(units),
        group=np.where(first == 14, 0, np.where(first == 16, 1, -1)),
        residents=residents,
    )
    found = placebos(SyntheticControl(), panel, Target("average", "resident"), draws=6)
    assert found.measured.before is not None
    for row, names_of_set in enumerate(found.sets):
        chosen = [names.index(name) for name in names_of_set]
        donors = y[[unit for unit in range(4, units) if unit not in chosen]]
        mass = total = after = before = 0.0
        for members, start in ((chosen[:3], 14), (chosen[3:], 16)):
            share = residents[members] / residents[members].sum()
            path = share @ y[members]
            gap = path - by_slsqp(donors[:, :start], path[:start]) @ donors
            cells = residents[members].sum() * (periods - start)
            mass += cells
            total += cells * gap[start:].mean()
            after += cells * np.mean(gap[start:] ** 2)
            before += cells * np.mean(gap[:start] ** 2)
        # SLSQP stops when the objective changes by 1e-14, so its weights are good to about the root of that.
        assert found.measured.estimate[row, 0] == pytest.approx(total / mass, abs=1e-5)
        assert found.measured.after[row, 0] == pytest.approx(np.sqrt(after / mass), abs=1e-5)
        assert found.measured.before[row, 0] == pytest.approx(np.sqrt(before / mass), abs=1e-5)


def test_a_set_without_an_estimate_is_named() -> None:
    """Two donors, and each takes the place of the treated in turn: one donor is left, and two are asked."""
    refused = PlaceboSpace().run(SyntheticControl(), one_treated(2), Target(), streams=Streams(1), parallel=Parallel())
    assert isinstance(refused, Refused)
    assert "2 of 2" in refused.because and "1 donors are fewer than the 2" in refused.because


def test_who_is_not_complete_is_no_placebo() -> None:
    panel = one_treated(12)
    y = panel.y.copy()
    y[4, 2] = np.nan
    holes = panel.with_outcome(y)
    found = placebos(SyntheticControl(missing="drop-donors"), holes, draws=99)
    assert (panel.units[4],) not in found.sets and len(found.sets) == 11
    rest = placebos(SyntheticControl(), panel.drop([4]), draws=99)
    np.testing.assert_allclose(found.measured.estimate, rest.measured.estimate, rtol=0, atol=1e-12)


def test_a_fit_that_is_perfect_to_rounding_is_ranked_by_what_comes_after() -> None:
    """Of 40 donors many reproduce 3 periods exactly, and so do they the treated: by how much is rounding."""
    panel = one_treated(40, periods=7)
    panel = replace(panel, first=np.where(panel.treated, 3.0, np.inf))
    y = panel.y.copy()
    y[0] = y[1:].mean(axis=0) + np.where(np.arange(7) >= 3, 0.7, 0.0)
    panel = panel.with_outcome(y)
    found = placebos(SyntheticControl(), panel)
    assert found.measured.before is not None
    perfect = found.measured.before[:, 0] < 1e-9
    assert 10 < perfect.sum() < 40
    full = evaluate(SyntheticControl(), panel, Target())
    assert isinstance(full, Found)
    effect = np.sqrt(np.mean(full.fit.cells.effect[full.fit.cells.post] ** 2))
    larger = int((found.measured.after[perfect, 0] > effect).sum())
    assert larger > 0
    assert run(SyntheticControl(), panel).p_value[0] == pytest.approx((1 + larger) / 41)


@AT_ONCE
@pytest.mark.parametrize("statistic", ["rmspe-ratio", "estimate", "studentised"])
@pytest.mark.parametrize("level", [0.0, 3.1, -7e5])
def test_where_nothing_ever_happens_nothing_is_found(estimator: Estimator, statistic: Any, level: float) -> None:
    """All gaps are rounding, and as alike as any."""
    panel = world()
    assert run(estimator, panel.with_outcome(np.full(panel.y.shape, level)), statistic=statistic).p_value[0] == 1


def test_copies_of_the_treated_are_no_evidence() -> None:
    panel = one_treated(12)
    y = panel.y.copy()
    y[[0, 5, 6]] = y[4]
    for statistic in ("rmspe-ratio", "estimate"):
        assert run(SyntheticControl(), panel.with_outcome(y), statistic=statistic).p_value[0] == 1


def test_a_treated_unit_without_weight_has_nobody_in_its_place() -> None:
    panel = world(weights=False)
    without = replace(panel, weight=np.where(np.arange(len(panel.units)) == 2, 0.0, panel.weight))
    target = Target("unit")
    found = placebos(SyntheticControl(), without, target, statistic="studentised")
    assert found.terms == ("north", "west") and len(found.sets[0]) == 5
    the_same(found, placebos(Refits(SyntheticControl()), without, target, statistic="studentised"))


@AT_ONCE
def test_two_periods_before_the_start_and_one_donor_to_spare(estimator: Estimator) -> None:
    panel = one_treated(3)
    panel = replace(panel, first=np.where(panel.treated, 2.0, np.inf))
    options = {"statistic": "studentised"}
    the_same(placebos(estimator, panel, **options), placebos(Refits(estimator), panel, **options))


def test_table_has_a_row_a_set_and_term() -> None:
    found = placebos(SyntheticControl(), world(), Target("unit"), draws=5)
    table = found.table()
    assert len(table) == 5 * 3 and list(table["term"][:3]) == ["north", "south", "west"]
    np.testing.assert_array_equal(table["estimate"].to_numpy().reshape(5, 3), found.measured.estimate)
