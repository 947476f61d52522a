"""Worlds that are drawn after the past: what they vary by is what closed forms say, and nothing later is looked at."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from scipy.stats import norm

from impact.arrays import Float2
from impact.errors import Refused
from impact.estimators.did import DiD
from impact.estimators.group_time import GroupTime
from impact.estimators.protocol import Estimator
from impact.inference.cluster import ClusterJackknife
from impact.inference.components import Components
from impact.inference.diagnose import Pair, diagnose
from impact.inference.drawn_worlds import Drawn, drawn, spread_again, spread_of
from impact.inference.held_jackknife import HeldJackknife, held_jackknife
from impact.inference.protocol import Uncertainty
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target
from tests.test_calibrate import land

AVERAGE = Target("average")


def clustered(panel: Panel, each: int) -> Panel:
    number = np.arange(len(panel.units)) // each
    return replace(panel, cluster=number, clusters=tuple(f"g{one:03}" for one in range(number.max() + 1)))


def known(shared: float, own: float, passing: float, lasting: float) -> Components:
    free = ("shared", "own", "passing", "lasting")
    return Components(shared, own, passing, lasting, {}, np.diag([0.01, 0.02, 0.03, 0.004]), free, 1, 1, 1, True)


def worlds(panel: Panel, found: Components, space: Float2 | None = None) -> Drawn:
    when = np.arange(float(len(panel.periods)))
    return Drawn(panel, found, panel.cluster, when, space, np.isnan(panel.y), Streams(4))


def test_size_and_detectable_difference_are_those_of_the_closed_form() -> None:
    """White noise in 2 x 60 clusters: se = sd √(2/60 (1/4 + 1/2)), and (z + z) se is seen with probability 0.8."""
    made = worlds(land(60, 120, 6, 4), replace(known(0.0, 0.0, 2.0, 0.0), free=(), covariance=np.zeros((0, 0))))
    how = held_jackknife(ClusterJackknife(), DiD(), made.panel, AVERAGE)
    assert isinstance(how, HeldJackknife)
    (found,) = diagnose(made, 1500, [Pair("did", DiD(), how)], AVERAGE, streams=Streams(1))
    error = 2.0 * sqrt(2 / 60 * (1 / 4 + 1 / 2))
    assert spread_of(made, how.whole) == pytest.approx(error, rel=1e-12)
    seen, size, rmse = found.detectable(), found.size, found.rmse
    assert seen is not None and size is not None and rmse is not None
    # A t with 59 degrees of freedom asks for 1% more than the normal.
    closed = (norm.ppf(0.975) + norm.ppf(0.8)) * error
    assert abs(seen.value - 1.01 * closed) < 3 * seen.mc_error + 0.01 * closed
    assert abs(size.value - 0.05) < 3 * size.mc_error and abs(rmse.value - error) < 3 * rmse.mc_error


def test_the_spread_of_a_sum_by_the_whole_covariance_matrix() -> None:
    panel = clustered(land(5, 20, 5, 3), 4)
    panel = replace(panel, se=np.random.default_rng(2).uniform(0.1, 1.0, panel.y.shape))
    space = np.linalg.cholesky(0.4 * np.ones((5, 5)) + 0.6 * np.eye(5))
    found = known(0.7, 1.1, 0.4, 0.6)
    weight = np.random.default_rng(3).normal(size=panel.y.shape)
    made = worlds(panel, found, space)

    def dense(one: Components) -> float:
        moving = one.lasting ** np.abs(np.subtract.outer(range(5), range(5)))
        member = np.eye(5)[panel.cluster]
        between = member @ space @ space.T @ member.T
        whole = np.kron(one.shared**2 * between + one.own**2 * np.eye(20), moving)
        assert panel.se is not None
        whole += one.passing**2 * np.eye(100) + np.diag(panel.se.ravel() ** 2)
        return float(np.sqrt(weight.ravel() @ whole @ weight.ravel()))

    size = spread_of(made, weight)
    assert size == pytest.approx(dense(found), rel=1e-9)
    sums = [float((weight * made(number).y).sum()) for number in range(2000)]  # type: ignore[union-attr]
    assert np.std(sums) == pytest.approx(size, rel=4 / sqrt(2 * 2000))


def test_how_far_the_spread_could_be_off() -> None:
    """As far as components of outcomes that are drawn here lie from the truth."""
    truth = (0.8, 1.2, 0.0, 0.9)
    panel = clustered(land(4, 36, 7, 5), 4)
    shared, own, passing, lasts = truth
    found = replace(known(*truth), periods=5)
    weight = np.zeros(panel.y.shape)
    weight[:, 5:], weight[:, :5] = 1 / 2, -1 / 5
    weight *= np.where(panel.treated, 1 / panel.treated.sum(), -1 / (~panel.treated).sum())[:, None]
    made = replace(worlds(panel, found), fitted=np.arange(36))
    again = spread_again(made, weight, Parallel(), 30)
    assert len(again) == 30
    rng, when = np.random.default_rng(8), np.arange(7.0)
    root = np.linalg.cholesky(lasts ** np.abs(np.subtract.outer(when, when)))
    away = []
    for _ in range(40):
        shocks = shared * rng.normal(size=(9, 7))[panel.cluster] + own * rng.normal(size=(36, 7))
        y = 50 + shocks @ root.T + passing * rng.normal(size=(36, 7))
        fit = drawn(replace(panel, y=y), 5, when, Streams(1))
        assert isinstance(fit, Drawn)
        away.append(np.log(spread_of(fit, weight) / spread_of(made, weight)))
    mine, theirs = (float(np.sqrt(np.mean(np.square(x)))) for x in (away, np.log(again / spread_of(made, weight))))
    assert 0.58 < theirs / mine < 1.7  # three errors of a ratio of two spreads, from 30 and 40 draws


@pytest.mark.parametrize("estimator", [DiD(), GroupTime()])
@pytest.mark.parametrize("matched", [False, True])
def test_weights_made_once_say_what_refits_say(estimator: Estimator, matched: bool) -> None:
    panel = clustered(land(9, 36, 7, 4), 3)
    first = panel.first.copy()
    first[6:9] = 5.0
    panel = panel.assign(first)
    if matched:
        pairs = np.zeros((9, 36))
        for area in range(9):
            pairs[area, 9 + 2 * area : 13 + 2 * area] = 1.0
        panel = panel.with_pairs(pairs)
    made = worlds(panel, known(0.5, 1.0, 0.5, 0.5))
    how = held_jackknife(ClusterJackknife(), estimator, panel, AVERAGE)
    assert isinstance(how, HeldJackknife)
    if matched:
        assert len(how.rows) == 12
    # Below four treated clusters nothing is given; these areas lie in three, so every one is made its own here.
    panel = replace(panel, cluster=np.arange(36), clusters=panel.units)
    made = worlds(panel, made.found)
    how = held_jackknife(ClusterJackknife(), estimator, panel, AVERAGE)
    assert isinstance(how, HeldJackknife)
    for number in range(3):
        drawn_panel = made(number)
        assert isinstance(drawn_panel, Panel)
        one, other = (
            each.run(estimator, drawn_panel, AVERAGE, streams=Streams(1), parallel=Parallel())
            for each in (how, ClusterJackknife())
        )
        assert isinstance(one, Uncertainty) and isinstance(other, Uncertainty)
        for name in ("std_error", "df", "low", "high", "p_value"):
            np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-9)


def test_weights_of_another_panel_are_not_used() -> None:
    panel = land(8, 30, 5, 3)
    how = held_jackknife(ClusterJackknife(), DiD(), panel, AVERAGE)
    assert how is not None
    other = panel.with_outcome(np.random.default_rng(1).normal(size=panel.y.shape)).take(range(28))
    one, two = (
        each.run(DiD(), other, AVERAGE, streams=Streams(1), parallel=Parallel()) for each in (how, ClusterJackknife())
    )
    assert isinstance(one, Uncertainty) and isinstance(two, Uncertainty)
    np.testing.assert_array_equal(one.std_error, two.std_error)


def test_nothing_after_the_end_is_looked_at() -> None:
    draw = np.random.default_rng(1)
    panel = replace(clustered(land(6, 40, 8, 5), 4), se=draw.uniform(0.1, 0.3, (40, 8)))
    y = draw.normal(size=panel.y.shape)
    when = np.arange(8.0)
    one = drawn(panel.with_outcome(y), 5, when, Streams(1))
    y[:, 5:] = 1e6 * draw.normal(size=(40, 3))
    assert panel.se is not None
    later = replace(panel.with_outcome(y), se=np.where(when >= 5, 77.0, panel.se))
    two = drawn(later, 5, when, Streams(1))
    y[:, 5:] = np.nan  # not delivered yet
    three = drawn(panel.with_outcome(y), 5, when, Streams(1))
    for made in (two, three):
        assert isinstance(one, Drawn) and isinstance(made, Drawn)
        first, second = one(3), made(3)
        assert isinstance(first, Panel) and isinstance(second, Panel)
        np.testing.assert_array_equal(first.y, second.y)
        np.testing.assert_array_equal(first.se, second.se)


def test_an_effect_is_added_to_the_same_shocks_and_gaps_stay() -> None:
    panel = land(3, 10, 5, 3)
    y = panel.y.copy()
    y[7, 1] = np.nan
    panel = panel.with_outcome(y)
    made = replace(worlds(panel, known(0.3, 0.5, 0.2, 0.4)), panel=panel.with_outcome(np.nan_to_num(y)))
    plain, moved = made(2), replace(made, effect=1.5)(2)
    assert isinstance(plain, Panel) and isinstance(moved, Panel)
    assert np.isnan(plain.y[7, 1]) and np.isnan(plain.y).sum() == 1
    np.testing.assert_allclose(np.nan_to_num(moved.y - plain.y), 1.5 * panel.treated_cells(), atol=1e-12)


def test_one_period_is_refused() -> None:
    assert isinstance(drawn(land(3, 10, 5, 3), 1, np.arange(5.0), Streams(1)), Refused)
