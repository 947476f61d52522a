"""Critical values against closed forms, and bands that say what they are."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import integrate, optimize, stats

import impact
from impact.errors import UsageError
from impact.estimators.did import DiD
from impact.estimators.group_time import GroupTime
from impact.inference.cluster import Scores
from impact.inference.multiplier import Multiplier, critical
from impact.inference.protocol import Found, Uncertainty, evaluate
from impact.panel import NEVER, Panel
from impact.targets import Target
from tests.contract.worlds import frame, panel_of
from tests.test_inference import given, run
from tests.test_inference import panel_of as small

NUMBERS = ("std_error", "df", "low", "high", "p_value")


def drawn(covariance: np.ndarray, df: float = np.inf, level: float = 0.95, draws: int = 99_999, seed: int = 1):
    return critical(covariance, df, level, draws, np.random.default_rng(seed))


# The critical value ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("terms", [2, 5, 20])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_independent_terms_have_sidak_s_critical_value(terms: int, level: float) -> None:
    """All of K independent normal variables lie within c with probability (2 Φ(c) − 1)^K; scales do not matter."""
    exact = stats.norm.ppf((1 + level ** (1 / terms)) / 2)
    found = drawn(np.diag(np.arange(1.0, terms + 1) ** 2), level=level)
    assert 0 < found.mc_error < 0.02
    assert abs(found.value - exact) < 4 * found.mc_error


@pytest.mark.parametrize("df", [3.0, 18.0])
def test_with_few_clusters_it_is_that_of_the_multivariate_t(df: float) -> None:
    """Given the factor s all lie within c with probability (2 Φ(c s) − 1)^K, and s² df is chi-squared."""

    def inside(c: float) -> float:
        def at(s: float) -> float:
            return float((2 * stats.norm.cdf(c * s) - 1) ** 6 * stats.chi2.pdf(df * s * s, df) * 2 * df * s)

        return float(integrate.quad(at, 0, 8)[0])

    exact = optimize.brentq(lambda c: inside(c) - 0.95, 1, 20)
    found = drawn(np.eye(6), df)
    assert abs(found.value - exact) < 4 * found.mc_error


def test_terms_that_are_one_need_no_more_than_one() -> None:
    """A singular covariance: ten times the same term, once with the other sign."""
    direction = np.r_[np.ones(9), -2.0]
    found = drawn(np.outer(direction, direction))
    assert abs(found.value - stats.norm.ppf(0.975)) < 4 * found.mc_error
    assert drawn(np.array([[7.0]]), 5).value == pytest.approx(stats.t.ppf(0.975, 5))
    assert drawn(np.array([[7.0]]), 5).mc_error == 0


def test_the_monte_carlo_error_is_that_of_repeated_draws() -> None:
    """The critical values of 300 seeds spread as each of them says that it may be off; both to some ten per cent."""
    many = [drawn(np.eye(5), draws=999, seed=seed) for seed in range(300)]
    spread = np.std([one.value for one in many])
    assert np.mean([one.mc_error for one in many]) == pytest.approx(spread, rel=0.2)


def test_the_draw_that_is_taken_is_never_too_low() -> None:
    """Of 99 draws the 95 % point is the 95th, and of 19 the largest: of 100 (20) draws with the observed one, five
    (one) lie beyond."""
    z = np.sort(np.abs(np.random.default_rng(1).standard_normal((99, 2))).max(axis=1))
    assert drawn(np.eye(2), draws=99).value == pytest.approx(z[94])
    z = np.sort(np.abs(np.random.default_rng(1).standard_normal((19, 2))).max(axis=1))
    assert drawn(np.eye(2), draws=19).value == pytest.approx(z[18])
    with pytest.raises(ValueError, match="draws=18 are too few"):
        Multiplier(draws=18)
    with pytest.raises(ValueError, match="level=1"):
        Multiplier(level=1)


# Bands ----------------------------------------------------------------------------------------------------------------


def world() -> Panel:
    return panel_of(frame())


def test_its_errors_and_intervals_are_those_of_the_scores() -> None:
    panel, target = world(), Target("event", "area")
    ours, theirs = (given(run(how, GroupTime(), panel, target)) for how in (Multiplier(), Scores()))
    for name in NUMBERS:
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)
    assert [reason is None for reason in ours.refused] == [reason is None for reason in theirs.refused]
    assert (ours.kind, theirs.kind, theirs.band) == ("uniform", "pointwise", None)


def test_a_band_is_wider_than_every_interval_and_leaves_the_mean_out() -> None:
    panel, target = world(), Target("event", "area")
    found = given(run(Multiplier(), GroupTime(), panel, target))
    full = evaluate(GroupTime(), panel, target)
    assert isinstance(full, Found) and full.effects.terms[-1] == "mean" and found.band is not None
    band, inside = found.band, found.band.inside
    given_terms = np.array([reason is None for reason in found.refused])
    np.testing.assert_array_equal(inside, given_terms & (np.array(full.effects.terms) != "mean"))
    assert inside.sum() > 5
    assert (band.low[inside] < found.low[inside]).all() and (band.high[inside] > found.high[inside]).all()
    np.testing.assert_allclose((band.high - band.low)[inside] / 2, band.critical * found.std_error[inside], rtol=1e-12)
    assert np.isnan(band.high[~inside]).all()
    # Between the interval of one and Bonferroni's of all.
    df = found.df[inside].min()
    assert stats.t.ppf(0.975, df) < band.critical < stats.t.ppf(1 - 0.025 / inside.sum(), df)


def test_with_one_term_the_band_is_the_interval() -> None:
    found = given(run(Multiplier(), DiD(), world()))
    assert found.band is not None and (found.band.mc_error, found.draws) == (0, 0)
    assert (found.band.low[0], found.band.high[0]) == (pytest.approx(found.low[0]), pytest.approx(found.high[0]))


def test_terms_in_one_or_two_treated_clusters_are_refused_and_stand_outside() -> None:
    """Three units start at 2, one at 1: event time 1 is seen of the latter alone."""
    y = [[0, 6, 6, 5], [0, 0, 1, 4], [0, 0, 2, 1], [0, 1, 3, 3], [0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0]]
    panel = small(y, [1, 2, 2, 2, NEVER, NEVER, NEVER])
    found = given(run(Multiplier(), GroupTime(), panel, Target("event")))
    full = evaluate(GroupTime(), panel, Target("event"))
    assert isinstance(full, Found) and full.effects.terms == ("-1", "0", "1", "2", "mean") and found.band is not None
    assert found.band.inside.tolist() == [True, True, True, False, False]
    assert found.refused[3] is not None and "one treated cluster" in found.refused[3].because
    # By area nobody has an error of his own, and there is nothing to have a band over.
    alone = given(run(Multiplier(), GroupTime(), panel, Target("unit")))
    assert (alone.kind, alone.band, alone.draws) == ("pointwise", None, 0)
    assert all(reason is not None for reason in alone.refused)


def test_a_term_without_any_error_stands_outside() -> None:
    """The outcomes of the first two periods are all 0, so nothing is known of the error of the pre-period."""
    rng = np.random.default_rng(0)
    y = np.c_[np.zeros((12, 2)), rng.normal(size=(12, 2))]
    panel = small(y, [2.0] * 6 + [NEVER] * 6)
    found = given(run(Multiplier(), GroupTime(), panel, Target("event")))
    assert found.refused[0] is not None and np.isnan(found.std_error[0]) and found.band is not None
    assert found.band.inside.tolist() == [False, True, True, False]
    assert found.band.critical < stats.t.ppf(1 - 0.025 / 2, 11)


def test_the_band_does_not_depend_on_the_order_of_the_units() -> None:
    """Only the covariance of the terms is drawn from: which cluster comes first plays no part."""
    panel, target = world(), Target("event")
    order = np.random.default_rng(0).permutation(len(panel.units))
    one, two = (given(run(Multiplier(), GroupTime(), other, target)) for other in (panel, panel.take(order)))
    assert one.band is not None and two.band is not None
    assert two.band.critical == pytest.approx(one.band.critical, rel=1e-9)
    other = given(run(Multiplier(), GroupTime(), panel, target, seed=2))
    assert other.band is not None and other.band.critical != one.band.critical
    assert abs(other.band.critical - one.band.critical) < 6 * one.band.mc_error


def test_a_higher_level_is_a_wider_band() -> None:
    low, high = (given(run(Multiplier(level=level), DiD(), world(), Target("event"))) for level in (0.8, 0.95))
    assert low.band is not None and high.band is not None and low.band.critical < high.band.critical


def test_a_band_holds_all_terms_at_once_and_intervals_do_not() -> None:
    """400 panels without effects, 60 treated and 60 control units: all eight effects lie in the band in about 95 % of
    them (a Monte-Carlo error of 1.1), and in all their intervals in far fewer."""
    inside = {"band": 0, "intervals": 0}
    rng = np.random.default_rng(11)
    estimator, target = GroupTime(base="universal"), Target("event")
    for _ in range(400):
        panel = small(rng.normal(size=(120, 9)), [4.0] * 60 + [NEVER] * 60)
        found = given(run(Multiplier(draws=999), estimator, panel, target))
        assert found.band is not None and found.band.inside.sum() == 8
        rows = found.band.inside
        inside["band"] += bool(((found.band.low <= 0) & (found.band.high >= 0))[rows].all())
        inside["intervals"] += bool(((found.low <= 0) & (found.high >= 0))[rows].all())
    assert 0.915 < inside["band"] / 400 < 0.98
    assert inside["intervals"] / 400 < 0.86


# What a user sees -----------------------------------------------------------------------------------------------------


def test_an_uncertainty_cannot_call_itself_uniform_without_a_band() -> None:
    pointwise = given(run(Scores(), DiD(), world()))
    with pytest.raises(ValueError, match="simultaneous band"):
        replace(pointwise, kind="uniform")
    banded = given(run(Multiplier(), DiD(), world(), Target("event")))
    with pytest.raises(ValueError, match="simultaneous band"):
        replace(banded, kind="pointwise")


def result(inference: str) -> impact.Result:
    found = impact.estimate(world(), "did", target="event", inference=inference, weighting="area")
    assert isinstance(found, impact.Result)
    return found


def test_the_table_has_the_band_beside_the_interval() -> None:
    found = result("multiplier")
    assert isinstance(found.uncertainty, Uncertainty) and found.uncertainty.band is not None
    table = found.tidy().set_index("term")
    np.testing.assert_array_equal(table["band_low"], found.uncertainty.band.low)
    np.testing.assert_array_equal(table["ci_low"], found.uncertainty.low)
    assert (table["band_low"] < table["ci_low"])[:-1].all() and math.isnan(table.loc["mean", "band_high"])
    assert result("cluster-jackknife").tidy()[["band_low", "band_high"]].isna().all(axis=None)


def test_the_summary_says_which_is_which() -> None:
    found = result("multiplier")
    assert isinstance(found.uncertainty, Uncertainty) and found.uncertainty.band is not None
    said = found.summary()
    assert "each interval holds by itself; the band over 13 terms holds for all of them at once" in said
    assert f"reaches {found.uncertainty.band.critical:.2f} standard errors" in said and "9999 draws" in said
    assert "band" not in result("cluster-jackknife").summary()


def _legend(figure: Any) -> tuple[list[Any], list[Any]]:
    (legend,) = figure.legends
    return legend.get_texts(), legend.get_lines()


def test_the_figure_tells_the_band_from_the_intervals() -> None:
    found = result("multiplier")
    assert isinstance(found.uncertainty, Uncertainty) and found.uncertainty.band is not None
    figure = found.plot.event_study().figure
    wide, narrow = (lines for lines in figure.axes[0].collections if len(lines.get_segments()) > 1)
    named = {text.get_text(): mark for text, mark in zip(*_legend(figure), strict=True)}
    assert list(named) == ["95%, each period by itself", "95%, all periods together"]
    assert [mark.get_linewidth() for mark in named.values()] == [narrow.get_linewidth()[0], wide.get_linewidth()[0]]
    assert wide.get_linewidth()[0] < narrow.get_linewidth()[0]
    for drawn_lines, low, high in (
        (wide, found.uncertainty.band.low, found.uncertainty.band.high),
        (narrow, found.uncertainty.low, found.uncertainty.high),
    ):
        ends = np.array([segment[:, 1] for segment in drawn_lines.get_segments()])
        np.testing.assert_allclose(ends, np.c_[low, high][:-1])
    assert result("cluster-jackknife").plot.event_study().figure.legends == []


def test_too_few_draws_are_a_wrong_call() -> None:
    with pytest.raises(UsageError, match=r"USAGE-003.*draws=10 are too few"):
        impact.estimate(world(), "did", inference="multiplier", draws=10)
    with pytest.raises(UsageError, match=r"USAGE-003.*level of 0\.999"):
        impact.estimate(world(), "did", inference=Multiplier(draws=99), level=0.999)
