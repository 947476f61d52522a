"""Conformal inference against permutations by hand, and by its size, power and refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import combinations, permutations
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impact.arrays import Float1, Float2
from impact.cells import Fit, Weights
from impact.errors import Refused
from impact.estimators.did import DiD
from impact.estimators.penalized import PenalizedSyntheticControl
from impact.estimators.protocol import Asks, Estimator, Gives
from impact.estimators.registry import ESTIMATORS, resolve
from impact.estimators.synthetic_control import SyntheticControl
from impact.estimators.synthetic_did import SyntheticDiD
from impact.inference.conformal import Conformal, _room, p_value
from impact.inference.inversion import outermost
from impact.inference.nullfit import null_fit, projects
from impact.inference.protocol import Uncertainty
from impact.panel import Panel
from impact.parallel import Parallel
from impact.sample import Sample
from impact.streams import Streams
from impact.targets import Target
from tests.estimators.simplex_oracle import by_clarabel
from tests.shared import golden, shared


def panel_of(
    y: Float2, starts: dict[int, int], *, areas: dict[int, str] | None = None, weights: Float1 | None = None
) -> Panel:
    """Rows of `y` as units; `starts` by row, and the treated areas of rows where these hold several."""
    rows = [
        {
            "unit": f"u{unit:03}",
            "area": (areas or {}).get(unit, f"u{unit:03}") if unit in starts else None,
            "time": 2000 + time,
            "y": value,
            "first": 2000 + starts[unit] if unit in starts else np.nan,
            "weight": 1.0 if weights is None else weights[unit],
        }
        for unit, path in enumerate(y)
        for time, value in enumerate(path)
    ]
    return Panel.from_frame(
        pd.DataFrame(rows), unit="unit", time="time", outcome="y", first_treated="first", area="area", weight="weight"
    )


def world(seed: int, *, periods: int = 20, start: int = 15, donors: int = 8, effect: float = 0.0) -> Panel:
    """One treated unit that a mean of donors follows up to independent noise."""
    rng = np.random.default_rng(seed)
    y = 10 + rng.normal(size=(donors + 1, 1)) + rng.normal(size=periods) + rng.normal(size=(donors + 1, periods))
    y[0] = y[1:4].mean(axis=0) + rng.normal(size=periods)
    y[0, start:] += effect
    return panel_of(y, {0: start})


def run(
    panel: Panel, estimator: Estimator | None = None, target: Target | None = None, *, workers: int = 1, **options: Any
) -> Uncertainty:
    found = Conformal(**options).run(
        estimator or SyntheticControl(),
        panel,
        target or Target(),
        streams=Streams(1),
        parallel=Parallel(workers),
    )
    assert isinstance(found, Uncertainty), found
    return found


def did_residuals(y: Float2, start: int, tested: list[int], effect: float) -> Float1:
    """Of unit 0 against the mean of the others, with the null imposed and every period in the base."""
    gap = y[0] - y[1:].mean(axis=0)
    kept = np.concatenate([gap[:start], gap[tested] - effect])
    return np.asarray(kept - kept.mean())


def by_hand(residuals: Float1, size: int, order: Any, scheme: str) -> float:
    """The p-value with every permutation written out; the tested periods are the last `size`."""

    def statistic(values: Any) -> float:
        absolute = np.abs(np.array(list(values))[-size:])
        return float(absolute.max() if order == "inf" else (absolute**order).sum())

    orders: Any = (
        (tuple(np.roll(residuals, shift)) for shift in range(len(residuals)))
        if scheme == "moving-block"
        else permutations(residuals)
    )
    values = np.array([statistic(one) for one in orders])
    return float(np.mean(values >= statistic(residuals) - 1e-9))


# p-values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["moving-block", "iid"])
@pytest.mark.parametrize("order", [1, 2, "inf"])
@pytest.mark.parametrize("seed", range(3))
def test_p_value_is_that_of_all_permutations_written_out(scheme: str, order: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(5, 7))
    y[0, 5:] += 1.5
    found = run(panel_of(y, {0: 5}), DiD(), permutations=scheme, order=order)
    expected = by_hand(did_residuals(y, 5, [5, 6], 0.0), 2, order, scheme)
    assert found.p_value[0] == pytest.approx(expected, abs=1e-12)
    assert found.mc_error is not None and found.mc_error[0] == 0


@pytest.mark.parametrize("scheme", ["moving-block", "iid"])
def test_a_single_period_is_tested_without_the_other_treated_ones(scheme: str) -> None:
    rng = np.random.default_rng(4)
    y = rng.normal(size=(5, 9))
    found = run(panel_of(y, {0: 6}), DiD(), Target("calendar"), permutations=scheme)
    for number, period in enumerate((6, 7, 8)):
        expected = by_hand(did_residuals(y, 6, [period], 0.0), 1, 1, "moving-block")
        assert found.p_value[number] == pytest.approx(expected, abs=1e-12)
    everything = by_hand(did_residuals(y, 6, [6, 7, 8], 0.0), 3, 1, "moving-block")
    assert scheme == "iid" or found.p_value[3] == pytest.approx(everything, abs=1e-12)


@pytest.mark.parametrize("effect", [0.0, -0.7])
def test_residuals_of_synthetic_control_are_those_of_least_squares_over_all_periods(effect: float) -> None:
    panel = world(1, periods=12, start=9)
    null = null_fit(SyntheticControl(), panel, 0, np.array([9, 10, 11]))
    assert not isinstance(null, Refused)
    treated = panel.y[0].copy()
    treated[9:] -= effect
    donors = panel.y[1:].T
    expected = treated - donors @ by_clarabel(donors, treated)
    residuals = null.residuals(effect)
    assert not isinstance(residuals, Refused)
    np.testing.assert_allclose(residuals, expected, atol=1e-6)  # what clarabel reaches


def test_drawn_permutations_are_near_all_of_them_and_say_how_near() -> None:
    panel = world(5, periods=12, start=9, effect=0.8)
    null = null_fit(SyntheticControl(), panel, 0, np.array([9, 10, 11]))
    assert not isinstance(null, Refused)
    residuals = null.residuals(0.0)
    assert not isinstance(residuals, Refused)
    every = np.array([np.abs(residuals[list(one)]).sum() for one in combinations(range(12), 3)])
    exact = float(np.mean(every >= every[-1] - 1e-9))
    drawn = run(panel, permutations="iid", draws=200)  # fewer than the 220 sets, so they are drawn
    assert drawn.draws == 200 and drawn.mc_error is not None and drawn.mc_error[0] > 0
    assert drawn.p_value[0] == pytest.approx(exact, abs=4 * drawn.mc_error[0] + 1 / 201)
    assert run(panel, permutations="iid", draws=220).p_value[0] == pytest.approx(exact, abs=1e-12)


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=9), st.integers(1, 2), st.sampled_from([1, 2, "inf"]))
@settings(max_examples=60, deadline=None)
def test_p_value_is_a_number_of_shifts_and_never_zero(values: list[float], size: int, order: Any) -> None:
    residuals = np.array(values)
    length = len(residuals)
    sets = (np.arange(length - size, length) + np.arange(length)[:, None]) % length
    p = p_value(residuals, sets, order, 1e-12)
    assert p * length == pytest.approx(round(p * length)) and 1 / length <= p <= 1
    assert p_value(3 * residuals, sets, order, 3e-12) == p


def test_residuals_that_are_all_zero_are_ties() -> None:
    """A treated unit that equals a donor throughout: nothing is learned, and p is 1 instead of an order of rounding."""
    panel = world(2)
    y = panel.y.copy()
    y[0] = y[3]
    found = run(panel.with_outcome(y))
    assert found.p_value[0] == 1 and found.mc_error is not None and found.mc_error[0] == 0
    drawn = run(panel.with_outcome(y), permutations="iid", draws=50)
    assert drawn.p_value[0] == 1 and drawn.mc_error is not None and drawn.mc_error[0] > 0


# Intervals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_interval_by_period_holds_what_a_fine_grid_accepts(level: float) -> None:
    rng = np.random.default_rng(8)
    y = rng.normal(size=(6, 24))
    y[0, 20:] += 2
    found = run(panel_of(y, {0: 20}), DiD(), Target("calendar"), level=level)
    grid = np.linspace(-8, 12, 2001)
    for number, period in enumerate(range(20, 24)):
        gap = np.tile(y[0] - y[1:].mean(axis=0), (len(grid), 1))[:, [*range(20), period]]
        gap[:, -1] -= grid
        away = np.abs(gap - gap.mean(axis=1, keepdims=True))
        kept = grid[(away >= away[:, -1:] - 1e-9).mean(axis=1) > 1 - level + 1e-9]
        assert found.low[number] == pytest.approx(kept.min(), abs=0.01)
        assert found.high[number] == pytest.approx(kept.max(), abs=0.01)


def test_interval_of_an_average_holds_what_a_fine_grid_accepts() -> None:
    panel = world(9, periods=24, start=20, effect=1.5)
    found = run(panel, level=0.9)
    null = null_fit(SyntheticControl(), panel, 0, np.arange(20, 24))
    assert not isinstance(null, Refused)
    grid = np.linspace(-8, 10, 1201)
    kept = []
    for effect in grid:
        residuals = null.residuals(float(effect))
        assert not isinstance(residuals, Refused)
        kept += [effect] if by_hand(residuals, 4, 1, "moving-block") > 0.1 else []
    assert found.low[0] == pytest.approx(min(kept), abs=0.015)
    assert found.high[0] == pytest.approx(max(kept), abs=0.015)


def test_a_higher_level_is_a_wider_interval_and_the_same_p() -> None:
    panel = world(3, periods=40, start=34, effect=1.0)
    narrow, wide = (run(panel, target=Target("event"), level=level) for level in (0.8, 0.95))
    given = np.array([reason is None for reason in narrow.refused])
    assert given.sum() == 7
    assert (wide.low[given] <= narrow.low[given]).all() and (narrow.high[given] <= wide.high[given]).all()
    np.testing.assert_array_equal(narrow.p_value, wide.p_value)


Intervals = list[tuple[float, float]]


def free(inside: Intervals, honest: bool = True) -> Callable[[float], float]:
    """How far from a value the nearest of some intervals is; or no more than whether it is in one."""

    def room(value: float) -> float:
        away = min(max(low - value, value - high) for low, high in inside)
        return away if honest else float(np.sign(away)) * 1e-9

    return room


def test_outermost_sees_acceptance_that_comes_back() -> None:
    inside = [(-3.0, -2.5), (-0.2, 0.4), (5.0, 7.0)]
    for honest in (True, False):
        found = outermost(free(inside, honest), 0.0, 0.1, 100.0, wide=10.0, step=1 / 12)
        assert found.low == pytest.approx(-3, abs=1e-4) and found.high == pytest.approx(7, abs=1e-4)
    assert np.isnan(outermost(lambda value: 1.0, 0.0, 0.1, 1.0, wide=1.0, step=0.1).low)
    everything = outermost(lambda value: 0.0, 0.0, 0.1, 1.0, wide=1.0, step=0.1)
    assert (everything.low, everything.high) == (-np.inf, np.inf)
    with pytest.raises(ValueError, match="positive and in order"):
        outermost(lambda value: 0.0, 0.0, 0.0, 1.0, wide=1.0, step=0.1)
    with pytest.raises(ValueError, match=r"not between 0 and 0\.25"):
        outermost(lambda value: 0.0, 0.0, 0.1, 1.0, wide=1.0, step=0.5)


@given(
    st.lists(st.tuples(st.floats(-60, 60), st.floats(0.026, 2.0)), min_size=1, max_size=5),
    st.floats(-5, 5),
    st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_outermost_passes_nothing_wider_than_its_step(
    islands: list[tuple[float, float]], centre: float, honest: bool
) -> None:
    """Islands wider than a step, all to one side or not, whether the margin is known or its sign."""
    inside = [(at, at + share * max(abs(at - centre), 0.1) / (1 - min(share, 0.5))) for at, share in islands]
    found = outermost(free(inside, honest), centre, 0.1, 1000.0, wide=300.0, step=0.025)
    low, high = min(low for low, _ in inside), max(high for _, high in inside)
    assert found.low == pytest.approx(low, abs=1e-5 * max(abs(low - centre), 0.1))
    assert found.high == pytest.approx(high, abs=1e-5 * max(abs(high - centre), 0.1))


def test_a_known_margin_finds_what_a_step_would_pass() -> None:
    """A sliver of 0.1 % between the points of the grid, and one far beyond the others."""
    inside = [(-0.2, 0.4), (4.0, 4.004)]
    rooms = [free(inside), free(inside, honest=False)]
    known, blind = (
        outermost(room, 0.0, 0.1, 100.0, wide=50.0, step=1e-4 if n == 0 else 0.08) for n, room in enumerate(rooms)
    )
    assert known.high == pytest.approx(4.004, abs=1e-4) and blind.high == pytest.approx(0.4, abs=1e-4)
    assert known.tried < 400


@pytest.mark.parametrize("order", [1, 2, "inf"])
@pytest.mark.parametrize(
    "model",
    [
        SyntheticControl(),
        SyntheticControl(intercept=True),
        SyntheticControl(constraint="lasso"),
        DiD(),
        PenalizedSyntheticControl(lam=0.3),
        PenalizedSyntheticControl(lam=1.0, intercept=True),
    ],
    ids=repr,
)
def test_nothing_is_accepted_within_the_room_of_a_rejected_effect(model: Estimator, order: Any) -> None:
    """As `_room` says of projections: the margin falls by no more than twice the move, so p stays where it was."""
    rng = np.random.default_rng(4)
    null = null_fit(model, world(5, periods=24, start=20, effect=1.0), 0, np.arange(20, 24))
    assert not isinstance(null, Refused) and projects(null.model)
    sets = (np.arange(20, 24) + np.arange(24)[:, None]) % 24

    def at(effect: float) -> tuple[float, float]:
        residuals = null.residuals(effect)  # type: ignore[union-attr]
        assert not isinstance(residuals, Refused)
        return _room(residuals, sets, order, 0.0, 0.35), p_value(residuals, sets, order, 0.0)

    checked = 0
    for effect in np.linspace(-12, 12, 17):
        room, p = at(float(effect))
        assert (room <= 0) == (p > 0.35)
        for other in effect + rng.uniform(-1, 1, size=4) * room if room > 0 else ():
            assert at(float(other))[1] <= 0.35
            checked += 1
    assert checked >= 20


def test_too_few_periods_give_a_p_value_and_the_reason_why_there_is_no_interval() -> None:
    found = run(world(1, periods=12, start=10))
    assert found.p_value[0] >= 1 / 12 and np.isnan([found.low[0], found.high[0]]).all()
    reason = found.refused[0]
    assert reason is not None and "with 12 periods the smallest p is 0.0833" in reason.because
    assert "0.917" in reason.instead
    given = run(world(1, periods=12, start=10), level=11 / 12)
    assert given.refused[0] is None and np.isfinite([given.low[0], given.high[0]]).all()


def test_no_interval_where_most_periods_are_tested() -> None:
    """With more tested periods than others a large effect only makes the others look odd."""
    found = run(world(1, periods=20, start=6), DiD(), level=0.9)
    reason = found.refused[0]
    assert reason is not None and "no effect is too large" in reason.because
    assert np.isfinite(found.p_value[0]) and np.isnan(found.low[0])


def test_no_interval_for_effects_that_are_proportions() -> None:
    panel = world(1, periods=24, start=20)
    found = run(panel.with_outcome(np.exp(panel.y / 10)), resolve("poisson")())
    reason = found.refused[0]
    assert reason is not None and "only a difference" in reason.because
    assert np.isfinite(found.p_value[0])


def test_no_constant_effect_is_an_answer() -> None:
    rng = np.random.default_rng(0)
    y = 0.1 * rng.normal(size=(6, 24))
    y[0, 20:] += [-9, 9, -9, 9]
    reason = run(panel_of(y, {0: 20}), DiD(), level=0.9).refused[0]
    assert reason is not None and "every constant effect is rejected" in reason.because


# What is tested ---------------------------------------------------------------------------------------------------


def test_groups_with_different_starts_are_tested_by_themselves() -> None:
    rng = np.random.default_rng(6)
    y = rng.normal(size=(9, 20))
    panel = panel_of(y, {0: 12, 1: 16, 2: 16})
    average = run(panel)
    reason = average.refused[0]
    assert reason is not None and "different times" in reason.because and "cohort" in reason.instead
    cohorts = run(panel, target=Target("cohort"), level=0.9)
    assert [one is None for one in cohorts.refused] == [True, True, False]
    alone = run(panel_of(np.delete(y, [1, 2], axis=0), {0: 12}), level=0.9)
    areas = run(panel, target=Target("unit"), level=0.9)
    for found in (cohorts, areas):
        assert found.p_value[0] == alone.p_value[0]
        np.testing.assert_allclose([found.low[0], found.high[0]], [alone.low[0], alone.high[0]], atol=1e-7)
    # Before the second start a period is about the first group alone.
    calendar = run(panel, target=Target("calendar"))
    assert [one is None or "smallest p" in one.because for one in calendar.refused] == [True] * 4 + [False] * 5


def test_an_area_of_several_units_is_its_weighted_mean() -> None:
    rng = np.random.default_rng(7)
    y, weights = rng.normal(size=(9, 22)), np.ones(9)
    weights[:3] = [1, 2, 5]
    several = panel_of(y, {0: 18, 1: 18, 2: 18}, areas={0: "a", 1: "a", 2: "a"}, weights=weights)
    mean = np.vstack([weights[:3] @ y[:3] / 8, y[3:]])
    first, second = (run(panel, target=Target("event"), level=0.9) for panel in (several, panel_of(mean, {0: 18})))
    np.testing.assert_array_equal(first.p_value, second.p_value)
    # An end is known to 3e-6 of its distance from the estimate, which is less than 3 here.
    np.testing.assert_allclose(first.low, second.low, atol=2e-5)


def test_pre_periods_are_learned_from_and_not_tested() -> None:
    found = run(world(1), target=Target("event"))
    for term, reason in zip(range(-15, 5), found.refused, strict=False):
        assert term >= 0 or (reason is not None and "before the start" in reason.because)


@pytest.mark.parametrize("make", [DiD, SyntheticControl])
def test_anticipated_periods_are_left_out(make: Any) -> None:
    panel = world(11, periods=20, start=15)
    without = panel_of(np.delete(panel.y, [13, 14], axis=1), {0: 13})
    first, second = run(panel, make(anticipation=2), level=0.9), run(without, make(), level=0.9)
    assert first.p_value[0] == second.p_value[0]
    np.testing.assert_allclose([first.low, first.high], [second.low, second.high], atol=1e-5)


def test_matched_panels_keep_their_controls() -> None:
    panel = world(12)
    pairs = np.zeros((1, 9))
    pairs[0, 2:6] = 0.25
    matched, picked = panel.with_pairs(pairs), panel.take([0, 2, 3, 4, 5])
    for estimator in (DiD(), SyntheticControl()):
        first, second = run(matched, estimator, level=0.9), run(picked, estimator, level=0.9)
        assert first.p_value[0] == second.p_value[0]
        np.testing.assert_allclose([first.low, first.high], [second.low, second.high], atol=1e-6)


def test_a_unit_that_starts_later_serves_as_no_donor() -> None:
    panel = world(13)
    late = replace(panel, first=np.where(np.arange(9) == 4, 20.0, panel.first))
    first, second = run(late), run(panel.drop([4]))
    assert first.p_value[0] == second.p_value[0]


def test_order_of_units_and_number_of_workers_do_not_matter() -> None:
    panel = world(14, periods=24, start=20)
    options: dict[str, Any] = {"permutations": "iid", "draws": 99, "level": 0.9}
    first = run(panel, target=Target("event"), **options)
    moved = run(panel.take(np.random.default_rng(0).permutation(9)), target=Target("event"), **options)
    spread_out = run(panel, target=Target("event"), workers=2, **options)
    for other in (moved, spread_out):
        np.testing.assert_array_equal(first.p_value, other.p_value)
        np.testing.assert_allclose(first.low, other.low, atol=1e-6)


# Refusals ---------------------------------------------------------------------------------------------------------


def test_repeated_cross_sections_are_refused() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        [
            {"place": f"g{place}", "year": 2000 + year, "y": rng.normal(), "first": 2004 if place == 0 else None}
            for place in range(6)
            for year in range(8)
            for _ in range(5)
        ]
    )
    sample = Sample.from_frame(table, time="year", outcome="y", first_treated="first", cluster="place")
    given: Any = sample
    found = Conformal().run(DiD(), given, Target(), streams=Streams(1), parallel=Parallel())
    assert isinstance(found, Refused) and "cross-sections" in found.because


def test_missing_cells_are_refused() -> None:
    panel = world(1)
    y = panel.y.copy()
    y[0, 2] = np.nan
    found = Conformal().run(
        SyntheticControl(), panel.with_outcome(y), Target(), streams=Streams(1), parallel=Parallel()
    )
    assert isinstance(found, Refused)
    gap = run(panel.with_outcome(y), resolve("imputation")())
    reason = gap.refused[0]
    assert reason is not None and "some period" in reason.because and np.isnan(gap.p_value[0])


def test_one_period_before_the_start_is_refused_by_the_estimator_and_coarse_without() -> None:
    panel = world(1, periods=4, start=1)
    found = Conformal().run(SyntheticControl(), panel, Target(), streams=Streams(1), parallel=Parallel())
    assert isinstance(found, Refused)
    coarse = run(panel, DiD())
    assert coarse.refused[0] is not None and coarse.p_value[0] >= 1 / 4


@pytest.mark.parametrize("name", ["group-time", "sun-abraham", "twfe"])
def test_a_model_with_one_base_period_is_no_null_model(name: str) -> None:
    reason = run(world(1), resolve(name)()).refused[0]
    assert reason is not None and ("some period" in reason.because or "order of the periods" in reason.because)


def test_bad_parameters() -> None:
    for options, named in (
        ({"permutations": "block"}, "moving-block, iid"),
        ({"order": 3}, "1, 2, inf"),
        ({"draws": 0}, "draws"),
        ({"level": 95}, "level"),
    ):
        with pytest.raises(ValueError, match=named):
            Conformal(**options)


# Size and power ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Naive:
    """Synthetic difference-in-differences that would be refitted itself."""

    name: ClassVar[str] = "naive"
    gives: ClassVar[Gives] = SyntheticDiD.gives
    asks: ClassVar[Asks] = SyntheticDiD.asks

    def fit(self, panel: Panel, *, learn: Any = None, hold: Weights | None = None) -> Fit | Refused:
        return SyntheticDiD().fit(panel, learn=learn, hold=hold)

    def null_model(self) -> Estimator:
        return self


def test_synthetic_did_is_tested_through_did_because_by_itself_it_has_no_power() -> None:
    """Its time weights are for periods like the tested ones, so it fits these whatever the effect is."""
    through, naive = [], []
    for seed in range(8):
        panel = world(seed, periods=20, start=16, effect=8.0)
        through.append(run(panel, SyntheticDiD(), level=0.999).p_value[0])
        null = null_fit(Naive(), panel, 0, np.arange(16, 20))
        assert not isinstance(null, Refused)
        residuals = null.residuals(0.0)
        assert not isinstance(residuals, Refused)
        naive.append(by_hand(residuals, 4, 1, "moving-block"))
    assert np.mean(np.array(through) <= 0.1) == 1
    assert np.mean(np.array(naive) <= 0.1) < 0.5
    reason = run(world(0), Naive()).refused[0]
    assert reason is not None and "order of the periods" in reason.because


def rejected(estimator: Estimator, seeds: range, size: int, target: Target, column: int, **how: Any) -> Float1:
    """(n,) p-values without an effect, errors independent over time; no interval, which takes the time."""
    options = how | {"level": 0.999}
    return np.array([run(world(seed, start=20 - size), estimator, target, **options).p_value[column] for seed in seeds])


@pytest.mark.parametrize("estimator", [DiD(), SyntheticControl()], ids=["did", "synthetic-control"])
def test_size_of_a_single_period_is_exact(estimator: Estimator) -> None:
    """With exchangeable errors and 20 periods P(p <= k / 20) is k / 20; 300 worlds, within 3 Monte-Carlo errors."""
    p = rejected(estimator, range(300), 1, Target(), 0)
    for k in (2, 5, 10):
        share = k / 20
        assert np.mean(p <= share + 1e-9) == pytest.approx(share, abs=3 * np.sqrt(share * (1 - share) / len(p)))


@pytest.mark.simulation
@pytest.mark.parametrize("scheme", ["moving-block", "iid"])
@pytest.mark.parametrize("estimator", [DiD(), SyntheticControl(), SyntheticDiD()], ids=lambda one: one.name)
def test_size_of_several_periods(estimator: Estimator, scheme: str) -> None:
    p = rejected(estimator, range(2000), 5, Target(), 0, permutations=scheme, draws=199)
    for share in (0.05, 0.1, 0.2):
        assert np.mean(p <= share + 1e-9) <= share + 3 * np.sqrt(share * (1 - share) / len(p))


# augsynth ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kansas() -> Panel:
    frame = pd.read_csv(shared("reference/data/kansas.csv.gz"))
    return Panel.from_frame(frame, unit="fips", time="year_qtr", outcome="lngdpcapita", treated="treated")


def near(ours: Float1, theirs: Float1) -> bool:
    """Within four Monte-Carlo errors of 1,000 permutations of theirs and, where not enumerated, 5,000 of ours."""
    return bool((np.abs(ours - theirs) <= 4 * np.sqrt(ours * (1 - ours) * (1 / 1000 + 1 / 5000)) + 1e-3).all())


def test_kansas_against_augsynth(kansas: Panel) -> None:
    """augsynth 0.2.0 draws 1,000 permutations a test. Its intervals, from a grid of 50 points and with that noise in
    every p-value, must lie between ours of two levels that it can take for 0.95."""
    reference = golden("augsynth_kansas_scm")["results"]["inf_conformal"]
    average = run(kansas, permutations="iid", draws=4999, level=0.9999)
    assert near(average.p_value, np.array([reference["average_att"]["p_val"]]))
    table = pd.DataFrame(reference["att"]).dropna()
    apart = 4 * np.sqrt(0.05 * 0.95 / 1000)
    widest, narrowest = (
        run(kansas, target=Target("calendar"), permutations="iid", level=level)
        for level in (0.95 + apart, 0.95 - apart)
    )
    assert near(widest.p_value[:-1], table["p_val"].to_numpy())
    step = 4 * np.sqrt(np.mean(table["Estimate"] ** 2)) / 49
    low, high = table["lower_bound"].to_numpy(), table["upper_bound"].to_numpy()
    assert (widest.low[:-1] - 1e-9 <= low).all() and (high <= widest.high[:-1] + 1e-9).all()
    assert (low <= narrowest.low[:-1] + step).all() and (narrowest.high[:-1] - step <= high).all()


@pytest.mark.skipif("augmented-synthetic-control" not in ESTIMATORS, reason="it is not registered")
def test_kansas_augmented_against_augsynth(kansas: Panel) -> None:
    """By period augsynth keeps the penalty that it chose before the start; only so do its p-values agree. For the
    average they agree with a penalty that is chosen anew."""
    results = golden("augsynth_kansas_ridge")["results"]
    make: Any = resolve("augmented-synthetic-control")
    table = pd.DataFrame(results["inf_conformal"]["att"]).dropna()
    by_period = run(kansas, make(lam=results["lambda"]), Target("calendar"), level=0.9999)
    assert near(by_period.p_value[:-1], table["p_val"].to_numpy())
    average = run(kansas, make(), permutations="iid", draws=4999, level=0.9999)
    assert near(average.p_value, np.array([results["inf_conformal"]["average_att"]["p_val"]]))
