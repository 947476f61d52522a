"""Placebo in time, against fits on panels that end before the real start."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import nnls

from impact.arrays import Float1, Float2
from impact.errors import Refused
from impact.estimators.did import DiD
from impact.estimators.group_time import GroupTime
from impact.estimators.imputation import Imputation
from impact.estimators.protocol import Estimator
from impact.estimators.synthetic_control import SyntheticControl
from impact.estimators.synthetic_did import SyntheticDiD
from impact.estimators.twfe import TWFE
from impact.inference.earlier_starts import EarlierStarts, earlier_starts
from impact.inference.placebo_time import PlaceboTime
from impact.inference.protocol import Found, Uncertainty, evaluate
from impact.panel import Panel
from impact.parallel import Parallel
from impact.sample import Sample
from impact.streams import Streams
from impact.targets import Target
from tests.shared import shared

EVERY = (DiD(), GroupTime(), Imputation(), TWFE(), SyntheticControl(), SyntheticDiD())


def world(starts: dict[int, int], units: int = 14, periods: int = 30, seed: int = 6) -> Panel:
    rng = np.random.default_rng(seed)
    first = np.array([starts.get(row, np.inf) for row in range(units)], dtype=float)
    course = rng.normal(size=(units, 2)) @ rng.normal(size=(2, periods))
    names = tuple(f"u{row:02d}" for row in range(units))
    known = sorted(set(starts.values()))
    return Panel(
        y=10 + course + rng.normal(scale=0.4, size=(units, periods)),
        first=first,
        units=names,
        periods=tuple(f"p{period:02d}" for period in range(periods)),
        cluster=np.arange(units),
        clusters=names,
        area=np.where(np.isfinite(first), np.arange(units) // 2, -1),
        areas=tuple(f"a{row}" for row in range(-(-len(starts) // 2))),
        weight=np.ones(units),
        group=np.array([known.index(starts[row]) if row in starts else -1 for row in range(units)]),
        residents=np.exp(rng.normal(7, 1, units)),
    )


def given(found: EarlierStarts | Refused) -> EarlierStarts:
    assert isinstance(found, EarlierStarts)
    return found


def estimates(estimator: Estimator, panel: Panel, target: Target) -> dict[str, float]:
    found = evaluate(estimator, panel, target)
    assert isinstance(found, Found)
    return dict(zip(found.effects.terms, found.effects.estimate.tolist(), strict=True))


@pytest.mark.parametrize("estimator", EVERY, ids=lambda one: str(one.name))
def test_one_cohort_is_the_panel_up_to_the_start(estimator: Estimator) -> None:
    """Cut by hand, started earlier by hand; of a start further back than the real horizon only that many periods."""
    panel = world({0: 25, 1: 25})
    found = given(earlier_starts(estimator, panel, Target()))
    assert found.back == tuple(range(1, 25 - max(estimator.asks.min_pre, 1) + 1))
    assert found.refused == () and found.failed == 0
    for row, back in enumerate(found.back):
        start = 25 - back
        cut = panel.until(25).assign(np.where(panel.treated, float(start), np.inf), panel.area, panel.areas)
        last = f"p{min(start + 5, 25) - 1:02d}"
        window = None if estimator.name == "twfe" else (f"p{start:02d}", last)
        expected = estimates(estimator, cut, Target(window=window))["average"]
        assert found.measured.estimate[row, 0] == pytest.approx(expected, rel=1e-9, abs=1e-10)
        assert found.whole[row, 0] == (back >= 5)


def by_nnls(donors: Float2, path: Float1) -> Float1:
    heavy = 1e4 * np.abs(donors).max()
    return np.asarray(nnls(np.vstack([donors.T, np.full(len(donors), heavy)]), np.r_[path, heavy])[0])


def test_two_cohorts_each_up_to_their_own_start() -> None:
    """Synthetic control by another solver; areas of two units with residents as weights."""
    panel = world({0: 25, 1: 25, 2: 20, 3: 20})
    assert panel.residents is not None
    found = given(earlier_starts(SyntheticControl(), panel, Target("average", "resident"), back=[17, 6, 12]))
    assert found.back == (17, 6, 12)
    donors = panel.y[4:]
    for row, back in enumerate(found.back):
        total = mass = 0.0
        for members, start in (([0, 1], 25), ([2, 3], 20)):
            share = panel.residents[members] / panel.residents[members].sum()
            path, begin = share @ panel.y[members], start - back
            gap = path - by_nnls(donors[:, :begin], path[:begin]) @ donors
            inside = gap[begin : begin + min(back, 30 - start)]
            weight = panel.residents[members].sum() * len(inside)
            total, mass = total + weight * inside.mean(), mass + weight
        # The sum is a heavy row in nnls, of which about the inverse square is lost.
        assert found.measured.estimate[row, 0] == pytest.approx(total / mass, abs=1e-5)
    assert found.whole[:, 0].tolist() == [True, False, True]


@pytest.mark.parametrize("estimator", EVERY, ids=lambda one: str(one.name))
def test_nothing_from_the_real_start_on_is_used(estimator: Estimator) -> None:
    """Neither of the treated, nor of donors after the last start, nor of those who started earlier."""
    panel = world({0: 25, 1: 25, 2: 20, 3: 20})
    first = given(earlier_starts(estimator, panel, Target("event")))
    y = panel.y.copy()
    rng = np.random.default_rng(1)
    y[:, 25:] += rng.normal(size=(14, 5)) * 50
    y[2:4, 20:] += 1000
    second = given(earlier_starts(estimator, panel.with_outcome(y), Target("event")))
    np.testing.assert_array_equal(first.measured.estimate, second.measured.estimate)
    assert np.isfinite(first.measured.estimate).any()


def test_anticipated_periods_are_left_out_before_both_starts() -> None:
    """With an anticipation of 2 the panel ends at 23, and a start 4 earlier is learned from the periods before 17."""
    panel = world({0: 25, 1: 25})
    found = given(earlier_starts(SyntheticControl(anticipation=2), panel, Target("event"), back=[4]))
    path = panel.y[:2].mean(axis=0)
    gap = path - by_nnls(panel.y[2:, :17], path[:17]) @ panel.y[2:]
    values = dict(zip(found.terms, found.measured.estimate[0], strict=True))
    for event in range(4):
        assert values[str(event)] == pytest.approx(gap[19 + event], abs=1e-5)
    assert np.isnan(values["4"])
    assert values["-1"] == pytest.approx(gap[18], abs=1e-5)
    most = given(earlier_starts(SyntheticControl(anticipation=2), panel, Target("event"))).back[-1]
    assert most == 25 - 2 - 2 - 2


def test_gaps_and_table() -> None:
    panel = world({0: 25, 1: 25})
    found = given(earlier_starts(SyntheticControl(), panel, Target("unit"), back=[3, 8]))
    gaps = found.gaps()
    path = panel.y[:2].mean(axis=0)
    gap = path - by_nnls(panel.y[2:, :17], path[:17]) @ panel.y[2:]
    one = gaps[gaps["back"] == 8]
    assert (one["start"] == "p17").all() and (one["group"] == "a0").all()
    held = one[one["pretended"]]
    assert held["period"].tolist() == [f"p{period}" for period in range(17, 22)]
    np.testing.assert_allclose(held["gap"], gap[17:22], atol=1e-5)
    before = one[~one["pretended"]]
    assert before["period"].tolist() == [f"p{period:02d}" for period in range(17)]
    np.testing.assert_allclose(before["gap"], gap[:17], atol=1e-5)
    table = found.table()
    assert list(table.columns) == ["back", "term", "estimate", "before", "after", "whole"]
    assert table["before"].iloc[1] == pytest.approx(np.sqrt(np.mean(gap[:17] ** 2)), abs=1e-5)
    assert table["after"].iloc[1] == pytest.approx(np.sqrt(np.mean(gap[17:22] ** 2)), abs=1e-5)


def run(estimator: Estimator, panel: Panel, target: Target | None = None, **options: Any) -> Uncertainty | Refused:
    return PlaceboTime(**options).run(estimator, panel, target or Target(), streams=Streams(1), parallel=Parallel())


@pytest.mark.parametrize("statistic", ["estimate", "rmspe-ratio"])
def test_the_p_value_is_a_rank_among_starts_that_hold_out_as_much(statistic: Any) -> None:
    """30 periods and a start in 25: the earlier starts by 5 to 23 periods count, 19 of them, so 1/20 can be reached."""
    panel = world({0: 25, 1: 25})
    path, donors = panel.y[:2].mean(axis=0), panel.y[2:]

    def ranked(start: int) -> float:
        gap = path - by_nnls(donors[:, :start], path[:start]) @ donors
        after = gap[start : start + 5]
        if statistic == "estimate":
            return float(abs(after.mean()))
        return float(np.sqrt(np.mean(after**2) / np.mean(gap[:start] ** 2)))

    ratios = np.array([ranked(25 - back) for back in range(5, 24)])
    found = run(SyntheticControl(), panel, statistic=statistic)
    assert isinstance(found, Uncertainty)
    assert found.p_value[0] == pytest.approx((1 + (ratios >= ranked(25)).sum()) / 20)
    assert (found.draws, found.attempted, found.refused) == (23, 23, (None,))
    assert "overlapping" in found.null
    huge = run(SyntheticControl(), panel.with_outcome(panel.y + 1e6 * panel.treated_cells()), statistic=statistic)
    assert isinstance(huge, Uncertainty) and huge.p_value[0] == pytest.approx(1 / 20)


def test_a_p_value_that_could_not_be_small_is_refused_with_its_least_value() -> None:
    panel = world({0: 25, 1: 25}, periods=31)
    found = run(SyntheticControl(), panel)
    assert isinstance(found, Uncertainty)
    assert isinstance(found.refused[0], Refused) and "1/19" in found.refused[0].because
    assert np.isnan(found.p_value[0])
    asked = run(SyntheticControl(), panel, level=0.9)
    assert isinstance(asked, Uncertainty) and asked.refused == (None,) and asked.p_value[0] >= 1 / 19
    events = run(SyntheticControl(), panel, Target("event"))
    assert isinstance(events, Uncertainty)
    # Event 0 is held out by all 23 earlier starts; "mean" rests on six periods.
    full = evaluate(SyntheticControl(), panel, Target("event"))
    assert isinstance(full, Found)
    reasons = dict(zip(full.effects.terms, events.refused, strict=True))
    assert reasons["0"] is None and isinstance(reasons["mean"], Refused)


def test_a_window_further_on_is_reached_by_fewer_starts() -> None:
    panel = world({0: 25, 1: 25})
    found = given(earlier_starts(DiD(), panel, Target("event", window=("2", "3"))))
    assert found.refused == ()
    whole = dict(zip(found.back, found.whole[:, found.terms.index("3")].tolist(), strict=True))
    assert [back for back, all_there in whole.items() if not all_there] == [1, 2, 3]


def test_too_short_a_past_is_refused() -> None:
    panel = world({0: 2, 1: 2}, periods=5)
    found = earlier_starts(SyntheticControl(), panel, Target())
    assert isinstance(found, Refused) and "starts 2 periods after the first" in found.because
    assert isinstance(run(SyntheticControl(), panel), Refused)
    for back in ([0], [2, 2], [-1]):
        with pytest.raises(ValueError, match="back"):
            earlier_starts(DiD(), panel, Target(), back=back)
    beyond = given(earlier_starts(DiD(), world({0: 25}), Target(), back=[3, 40]))
    assert len(beyond.refused) == 1 and beyond.refused[0].startswith("40 periods earlier") and beyond.failed == 0


class Sometimes(DiD):
    """Refuses where treatment starts in period 15."""

    def fit(self, panel: Panel, **options: Any) -> Any:
        if 15 in panel.groups:
            return Refused("an estimate", "it was told so")
        return super().fit(panel, **options)


def test_a_start_that_fails_between_others_counts_against_the_estimate() -> None:
    panel = world({0: 25, 1: 25})
    found = given(earlier_starts(Sometimes(), panel, Target()))
    assert found.failed == 1 and "told so" in found.refused[0] and found.refused[0].startswith("10 periods")
    plain, failing = run(DiD(), panel), run(Sometimes(), panel)
    assert isinstance(plain, Uncertainty) and isinstance(failing, Uncertainty)
    assert failing.failures == found.refused
    theirs = np.abs(given(earlier_starts(DiD(), panel, Target())).measured.estimate[9, 0])
    full = evaluate(DiD(), panel, Target())
    assert isinstance(full, Found)
    beyond = theirs >= abs(full.effects.estimate[0])
    count = 20  # did needs one period, so that starts earlier by 5 to 24 count
    assert failing.p_value[0] == pytest.approx(plain.p_value[0] + (not beyond) / (1 + count))


@pytest.mark.parametrize("estimator", EVERY, ids=lambda one: str(one.name))
def test_neither_order_nor_workers_matter(estimator: Estimator) -> None:
    panel = world({0: 25, 1: 25, 2: 20, 3: 20})
    first = given(earlier_starts(estimator, panel, Target("unit", "area")))
    order = np.random.default_rng(3).permutation(14)
    for other in (
        earlier_starts(estimator, panel.take(order), Target("unit", "area")),
        earlier_starts(estimator, panel, Target("unit", "area"), parallel=Parallel(2)),
    ):
        np.testing.assert_allclose(first.measured.estimate, given(other).measured.estimate, rtol=1e-8, atol=1e-10)


def test_matched_controls_are_kept() -> None:
    """Each area beside its own two controls: a difference of two changes."""
    panel = world({0: 25, 1: 25, 2: 20, 3: 20})
    pairs = np.zeros((2, 14))
    pairs[0, [5, 6]] = pairs[1, [6, 7]] = 0.5
    found = given(earlier_starts(DiD(), panel.with_pairs(pairs), Target("unit"), back=[12]))
    for term, (members, control, start) in {"a0": ([0, 1], [5, 6], 25), "a1": ([2, 3], [6, 7], 20)}.items():
        path = panel.y[members].mean(axis=0) - panel.y[control].mean(axis=0)
        begin = start - 12
        held = path[begin : begin + min(12, 30 - start)].mean()
        assert found.measured.estimate[0, found.terms.index(term)] == pytest.approx(held - path[:begin].mean())


def test_repeated_cross_sections_are_refused() -> None:
    sample = Sample.from_panel(world({0: 25, 1: 25}))
    found = run(GroupTime(), sample)  # type: ignore[arg-type]
    assert isinstance(found, Refused)


def test_california_shows_nothing_before_its_start() -> None:
    """Prop 99: the earlier starts find less than the real one, which is −19.5."""
    frame = pd.read_csv(shared("reference/data/california_prop99.csv"))
    panel = Panel.from_frame(frame, unit="State", time="Year", outcome="PacksPerCapita", treated="treated")
    found = given(earlier_starts(SyntheticControl(), panel, Target(), back=[4, 6, 8, 10, 12]))
    assert np.abs(found.measured.estimate).max() < 19.5136
    assert np.isfinite(found.measured.estimate).all()
    assert found.whole[:, 0].tolist() == [False, False, False, False, True]  # 12 periods from the start on
