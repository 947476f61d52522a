"""Worlds with a known truth, and placebo programmes in the own past, held against what they are by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt

import numpy as np
import pytest
from scipy.stats import nct, t

from impact.errors import Refused
from impact.estimators.did import DiD
from impact.estimators.synthetic_control import SyntheticControl
from impact.inference.calibrate import Calibration, Past, calibrate
from impact.inference.cluster import ClusterJackknife
from impact.inference.diagnose import Diagnosis, Pair, Rate, diagnose
from impact.inference.placebo import PlaceboSpace
from impact.inference.placebo_sets import roles
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target

DID = Pair("did", DiD(), ClusterJackknife())
AVERAGE = Target("average")


def land(treated: int, units: int, periods: int, start: int) -> Panel:
    first = np.where(np.arange(units) < treated, float(start), np.inf)
    blank = Panel(
        y=np.zeros((units, periods)),
        first=np.full(units, np.inf),
        units=tuple(f"w{row:03}" for row in range(units)),
        periods=tuple(str(2010 + period) for period in range(periods)),
        cluster=np.arange(units),
        clusters=tuple(f"g{row:03}" for row in range(units)),
        area=np.full(units, -1),
        areas=(),
        weight=np.ones(units),
        group=np.full(units, -1),
    )
    return blank.assign(first)


@dataclass(frozen=True)
class White:
    """Noise without any effect but `effect`."""

    panel: Panel
    effect: float = 0.0

    def __call__(self, number: int) -> Panel | Refused:
        y = np.random.default_rng(number).normal(size=self.panel.y.shape)
        return self.panel.with_outcome(y + self.effect * self.panel.treated_cells())


def rate(found: Rate | None) -> float:
    assert found is not None
    return found.value


def test_a_level_that_holds_is_found_to_hold_and_power_is_what_the_t_distribution_says() -> None:
    """Two groups of 12 in two periods: a t-test, whose power is that of the noncentral t."""
    (found,) = diagnose(White(land(12, 24, 2, 1)), 2000, [DID], AVERAGE, streams=Streams(1))
    assert found.worlds == 2000 and not found.refused
    size, coverage = found.size, found.coverage
    assert size is not None and coverage is not None
    assert abs(size.value - 0.05) < 3.5 * size.mc_error + 0.005  # t(11) for t(22) makes it a little careful
    assert abs(coverage.value - (1 - size.value)) < 1e-12  # a p-value below 5 % and an interval without 0 are one
    noise = sqrt(2 * 2 / 12)
    effect = 3 * noise
    power = found.power(effect)
    assert power is not None
    assert abs(power.value - (1 - nct.cdf(t.ppf(0.975, 11), 22, 3))) < 4 * power.mc_error + 0.02
    least = found.detectable(0.8)
    assert least is not None
    assert rate(found.power(least.value * (1 + 1e-9))) >= 0.8 > rate(found.power(least.value * 0.97))
    bias = found.bias
    assert bias is not None and abs(bias.value) < 3.5 * bias.mc_error
    assert abs(bias.mc_error - noise / sqrt(2000)) < 0.1 * noise / sqrt(2000)


def test_an_effect_in_the_worlds_moves_the_intervals_as_power_says() -> None:
    """Power is read from worlds without effect; worlds with one must agree, interval by interval."""
    without, within = (
        diagnose(White(land(12, 24, 3, 1), effect), 60, [DID], AVERAGE, streams=Streams(1), truth=effect)[0]
        for effect in (0.0, 1.5)
    )
    assert np.allclose(without.error, within.error) and np.allclose(without.low, within.low)
    assert np.isnan(within.p_value).all() and within.size is None
    assert rate(without.power(1.5)) == ((within.low + 1.5) > 0).mean()
    assert rate(without.power(-1.5)) == ((within.high - 1.5) < 0).mean()


def test_what_is_detectable_is_the_quantile_of_the_worse_side() -> None:
    low, high = np.array([-1.0, -2.0, -3.0, -4.0, -5.0]), np.array([2.0, 2.0, 2.0, 2.0, 9.0])
    found = Diagnosis("x", 0.95, low, low, low, low, high, {})
    assert rate(found.detectable(0.8)) == 4.0  # upward: 4 of 5 lower ends pass 0 at 4; downward: at 2
    assert rate(replace(found, low=-high, high=-low).detectable(0.8)) == 4.0
    assert replace(found, low=np.full(5, -np.inf)).detectable() is None
    assert replace(found, low=np.full(5, np.nan)).detectable() is None


def test_a_refusal_is_counted_with_its_reason_and_no_world_is_lost() -> None:
    few = land(2, 24, 3, 2)
    both = diagnose(White(few), 5, [DID, Pair("placebo", DiD(), PlaceboSpace(draws=9))], AVERAGE, streams=Streams(1))
    assert sum(both[0].refused.values()) == 5 and both[0].coverage is None and both[0].detectable() is None
    assert rate(both[0].bias) == rate(both[1].bias)  # the estimate is there, and they saw the same worlds
    assert not both[1].refused and both[1].size is not None and both[1].size.worlds == 5
    with pytest.raises(ValueError, match="one label"):
        diagnose(White(few), 5, [DID, DID], AVERAGE, streams=Streams(1))


def test_workers_change_nothing() -> None:
    world = White(land(6, 24, 3, 2))
    one, two = (
        diagnose(world, 6, [DID], AVERAGE, streams=Streams(1), parallel=Parallel(workers))[0] for workers in (1, 2)
    )
    assert one.error.tobytes() == two.error.tobytes() and one.high.tobytes() == two.high.tobytes()


def programme(seed: int = 3) -> Panel:
    """Six areas, two of which start a period later, 30 donors, 12 periods of which 3 are after the first start."""
    panel = land(6, 36, 12, 9)
    panel = panel.assign(np.where(np.arange(36) < 2, 10.0, panel.first))
    return panel.with_outcome(np.random.default_rng(seed).normal(size=(36, 12)))


def calibrated(panel: Panel, *pairs: Pair, draws: int = 14) -> Calibration:
    found = calibrate(panel, pairs or (DID,), AVERAGE, draws=draws, streams=Streams(5))
    assert isinstance(found, Calibration)
    return found


def test_a_placebo_programme_is_the_difference_in_differences_worked_by_hand() -> None:
    panel = programme()
    found = calibrated(panel)
    # The later areas start at period 10 - back, which must lie before 9; the earlier ones at 9 - back, after 1.
    assert found.starts == tuple(str(2010 + first) for first in range(1, 8))
    assert found.windows == 3  # from 2011, 2014 and 2017 on, three periods each or what is left of them
    past = Past(panel, np.array([[30, 31, 32, 33, 34, 35]]), (4,), 9, 3, panel.periods)
    fake = past(0)
    assert isinstance(fake, Panel) and fake.periods == panel.periods[4:12] and "w000" not in fake.units
    donors = np.arange(6, 30)
    told = [(30, 6), (31, 6), (32, 5), (33, 5), (34, 5), (35, 5)]  # roles go by the names of the areas
    assert [panel.units[row] for row in roles(panel)] == [f"w{row:03}" for row in range(6)]
    cells = []
    for row, start in told:
        for period in range(start, 8):
            change = panel.y[:, period] - panel.y[:, :start].mean(axis=1)
            cells.append(change[row] - change[donors].mean())
    (one,) = diagnose(past, 1, [DID], AVERAGE, streams=Streams(1))
    assert one.error[0] == pytest.approx(np.mean(cells), abs=1e-12)


def test_nothing_after_the_start_and_nothing_of_the_real_areas_is_looked_at() -> None:
    panel = programme()
    y = panel.y.copy()
    y[:, 9:], y[:6] = np.nan, 1e9
    seen, blind = calibrated(panel), calibrated(panel.with_outcome(y))
    assert seen.diagnoses[0].error.tobytes() == blind.diagnoses[0].error.tobytes()
    assert not np.isnan(seen.diagnoses[0].error).any()


def test_pairs_see_the_same_programmes() -> None:
    found = calibrated(
        programme(), DID, Pair("sc", SyntheticControl(), PlaceboSpace(draws=9, statistic="estimate")), draws=4
    )
    did, control = found.diagnoses
    assert did.worlds == control.worlds == 4 and control.size is not None


def test_a_short_past_is_refused() -> None:
    panel = land(6, 30, 4, 1)
    found = calibrate(panel, (DID,), AVERAGE, draws=5, streams=Streams(1))
    assert isinstance(found, Refused) and "leave no 1 periods to learn from" in found.because
