"""Uncertainty against hand-worked numbers and literal refits, and what the facade says to a wrong call."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from impact.cells import Fit
from impact.errors import Refused
from impact.estimators.did import DiD
from impact.estimators.group_time import GroupTime
from impact.estimators.protocol import Asks, Gives
from impact.inference.cluster import ClusterJackknife, Jackknife, Scores
from impact.inference.flip import ScoreFlip
from impact.inference.placebo import PlaceboSpace
from impact.inference.protocol import Found, Inference, Uncertainty, drawn_error, evaluate
from impact.panel import NEVER, Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target
from tests.shared import shared


def run(
    inference: Inference, estimator: Any, panel: Panel, target: Target | None = None, seed: int = 1
) -> Uncertainty | Refused:
    return inference.run(estimator, panel, target or Target(), streams=Streams(seed), parallel=Parallel())


def given(found: Uncertainty | Refused) -> Uncertainty:
    assert isinstance(found, Uncertainty), str(found)
    return found


def panel_of(y: Any, first: Any, cluster: Any = None, weight: Any = None) -> Panel:
    """Units u0, u1, …; every treated unit its own area."""
    y = np.asarray(y, dtype=float)
    names = tuple(f"u{row}" for row in range(len(y)))
    cluster = np.arange(len(y)) if cluster is None else np.asarray(cluster)
    blank = Panel(
        y=y,
        first=np.full(len(y), NEVER),
        units=names,
        periods=tuple(str(t) for t in range(y.shape[1])),
        cluster=cluster,
        clusters=tuple(f"g{number}" for number in range(cluster.max() + 1)),
        area=np.full(len(y), -1),
        areas=(),
        weight=np.ones(len(y)) if weight is None else np.asarray(weight, dtype=float),
        group=np.full(len(y), -1),
    )
    return blank.assign(np.asarray(first, dtype=float))


def hand() -> Panel:
    """One unit starts at 1 and gains 6; three start at 2 and gain 1, 2 and 3; two controls stay at 0. Each its own
    cluster."""
    return panel_of([[0, 6, 6], [0, 0, 1], [0, 0, 2], [0, 0, 3], [0, 0, 0], [0, 0, 0]], [1, 2, 2, 2, NEVER, NEVER])


# Cluster jackknife ----------------------------------------------------------------------------------------------------


def test_a_sole_cluster_of_a_cohort_is_left_out_like_any_other() -> None:
    """The estimate is (6 + 6 + 3 × 2) / 5 = 3.6. Without the first cluster its cohort is gone and the rest gives 2;
    without the others 17/4, 16/4 and 15/4; a control changes nothing. V = 5/6 (1.6² + 0.65² + 0.4² + 0.15²) =
    2.6375."""
    found = given(run(ClusterJackknife(), GroupTime(), hand()))
    assert found.std_error[0] == pytest.approx(math.sqrt(2.6375), rel=1e-12)
    assert (found.draws, found.attempted, found.failures) == (6, 6, ())
    assert (found.clusters[0], found.treated_clusters[0]) == (6, 4)
    assert found.df[0] == 3
    # 3.182446 is the 97.5 % point of t(3), from a table.
    assert found.low[0] == pytest.approx(3.6 - 3.182446 * math.sqrt(2.6375), abs=1e-6)
    assert found.high[0] == pytest.approx(3.6 + 3.182446 * math.sqrt(2.6375), abs=1e-6)
    # The distribution of t(3) in closed form.
    angle = math.atan(3.6 / math.sqrt(2.6375) / math.sqrt(3))
    assert found.p_value[0] == pytest.approx(1 - 2 / math.pi * (angle + math.sin(angle) * math.cos(angle)), rel=1e-9)


def test_largest_share_and_effective_clusters_by_hand() -> None:
    """Of the weight 5 of the average the first cluster carries 2 and the others 1 each: G* = 1 / (0.16 + 3 × 0.04)."""
    found = given(run(ClusterJackknife(), GroupTime(), hand()))
    assert found.largest_share[0] == pytest.approx(0.4)
    assert found.effective[0] == pytest.approx(1 / 0.28)


def test_treated_clusters_are_counted_in_the_term() -> None:
    """At event 0 all four count; at event 1 the first alone; and a term below four has no interval."""
    found = given(run(ClusterJackknife(), GroupTime(), hand(), Target("event")))
    terms = evaluate(GroupTime(), hand(), Target("event"))
    assert isinstance(terms, Found) and terms.effects.terms == ("-1", "0", "1", "mean")
    np.testing.assert_array_equal(found.treated_clusters, [3, 4, 1, 4])
    assert [reason is None for reason in found.refused] == [False, True, False, True]
    np.testing.assert_array_equal(np.isnan(found.std_error), [True, False, True, False])
    np.testing.assert_array_equal(np.isnan(found.low), np.isnan(found.p_value))
    assert " 1 treated cluster" in str(found.refused[2])


def test_below_four_treated_clusters_there_is_no_interval() -> None:
    panel = hand().drop([3])
    found = given(run(ClusterJackknife(), GroupTime(), panel))
    assert found.treated_clusters[0] == 3
    assert (
        found.refused[0] is not None
        and np.isnan([found.std_error[0], found.low[0], found.p_value[0], found.df[0]]).all()
    )


def test_a_treated_cluster_without_weight_is_no_cluster() -> None:
    panel = replace(hand(), weight=np.array([1.0, 1, 1, 0, 1, 1]))
    found = given(run(ClusterJackknife(), GroupTime(), panel))
    assert (found.clusters[0], found.treated_clusters[0]) == (5, 3)
    assert found.refused[0] is not None


def test_degrees_of_freedom_are_of_the_fewer() -> None:
    """Seven clusters in all, all of them treated and three of them also with controls: t(6); with four treated:
    t(3)."""
    rng = np.random.default_rng(0)
    panel = panel_of(rng.normal(size=(14, 4)), [2.0] * 7 + [NEVER] * 7, [*range(7), 0, 0, 1, 1, 2, 2, 2])
    assert given(run(ClusterJackknife(), DiD(), panel)).df[0] == 6
    assert given(run(ClusterJackknife(), DiD(), panel.drop([4, 5, 6]))).df[0] == 3


def literal(frame: pd.DataFrame) -> float:
    """All ATT(g, t) after the start as two-by-two differences of weighted means, weighted by the weight of the
    cohort."""
    wide = frame.pivot(index="countyreal", columns="year", values="lemp")
    units = frame.drop_duplicates("countyreal").set_index("countyreal").loc[wide.index]
    start, weight = units["first.treat"], units["w"]
    total = mass = 0.0
    for g in sorted(set(start) - {0}):
        for t in range(g, 2008):
            change = wide[t] - wide[g - 1]
            both = [np.average(change[start == who], weights=weight[start == who]) for who in (g, 0)]
            total += weight[start == g].sum() * (both[0] - both[1])
            mass += weight[start == g].sum()
    return total / mass


def test_cv3_is_that_of_literal_refits_on_mpdta() -> None:
    frame = pd.read_csv(shared("reference/data/mpdta_cluster.csv"))
    panel = Panel.from_frame(
        frame,
        unit="countyreal",
        time="year",
        outcome="lemp",
        first_treated="first.treat",
        cluster="stateclu",
        weight="w",
    )
    states = sorted(frame["stateclu"].unique())
    full = literal(frame)
    away = np.array([literal(frame[frame["stateclu"] != state]) - full for state in states])
    found = given(run(ClusterJackknife(), GroupTime(), panel))
    expected = math.sqrt((len(states) - 1) / len(states) * (away**2).sum())
    assert found.std_error[0] == pytest.approx(expected, rel=1e-10)
    treated = frame.loc[frame["first.treat"] > 0, "stateclu"].nunique()
    assert (found.clusters[0], found.treated_clusters[0], found.df[0]) == (
        len(states),
        treated,
        min(len(states), treated) - 1,
    )


# Estimators that fail where they are told to --------------------------------------------------------------------------


@dataclass(frozen=True)
class Fails:
    """Difference-in-differences that gives nothing when one of `on` is treated, or when one of `without` is gone."""

    on: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    name: ClassVar[str] = "fails"
    gives: ClassVar[Gives] = Gives.NOTHING
    asks: ClassVar[Asks] = Asks()

    def fit(self, panel: Panel, **how: Any) -> Fit | Refused:
        treated = {unit for unit, inside in zip(panel.units, panel.treated, strict=True) if inside}
        if treated & set(self.on) or set(self.without) - set(panel.units):
            return Refused("an estimate by fails", "it was told so", "Nothing.")
        found = DiD().fit(panel, **how)
        return found if isinstance(found, Refused) else Fit(replace(found.cells, scores=None), found.untreated)

    def null_model(self) -> Fails:
        return self


def one_treated(donors: int) -> Panel:
    """u0 is treated in the last of three periods; the donors' last changes are 1, 2, 3, …"""
    y = [[0, 0, 2.5], *([0, 0.1 * (-1) ** k, k] for k in range(1, donors + 1))]
    return panel_of(y, [2, *[NEVER] * donors])


def test_a_failed_deletion_refuses_and_names_the_cluster() -> None:
    panel = panel_of(np.zeros((8, 3)), [2, 2, 2, 2, NEVER, NEVER, NEVER, NEVER])
    found = run(ClusterJackknife(), Fails(without=("u4",)), panel)
    assert isinstance(found, Refused)
    assert "1 of 8" in found.because and "without g4: it was told so" in found.because
    unit = run(Jackknife(), Fails(without=("u4",)), panel)
    assert isinstance(unit, Refused) and "1 deletions" in unit.because


def test_failed_placebo_sets_are_counted_named_and_held_against_the_estimate() -> None:
    panel = one_treated(40)
    clean = given(run(PlaceboSpace(statistic="estimate"), Fails(), panel))
    failing = given(run(PlaceboSpace(statistic="estimate"), Fails(on=("u20",)), panel))
    assert (clean.draws, clean.attempted, clean.failures) == (40, 40, ())
    assert (failing.draws, failing.attempted, len(failing.failures)) == (39, 40, 1)
    assert "told so" in failing.failures[0]
    # u20 lies nearest to the mean of the others, far closer than the estimate; failed, it counts as at least as
    # extreme.
    assert failing.p_value[0] == pytest.approx(clean.p_value[0] + 1 / 41)
    many = run(PlaceboSpace(statistic="estimate"), Fails(on=("u1", "u2", "u3")), panel)
    assert isinstance(many, Refused) and "3 of 40" in many.because


# Placebo in space -----------------------------------------------------------------------------------------------------


def test_fewer_donors_than_draws_are_enumerated() -> None:
    """Last change 2.5 against 1 to 7: the mean of the seven is 4, so the estimate is −1.5 (base 0); each placebo
    against the mean of the other six, all worked out below."""
    panel = one_treated(7)
    last = np.arange(1.0, 8.0)
    base = np.array([0.1 * (-1) ** k / 2 for k in range(1, 8)])
    change = last - base
    placebo = np.array([change[k] - np.delete(change, k).mean() for k in range(7)])
    estimate = 2.5 - change.mean()
    found = given(run(PlaceboSpace(statistic="estimate", draws=999), DiD(), panel))
    assert (found.draws, found.attempted) == (7, 7)
    assert found.p_value[0] == pytest.approx((1 + (np.abs(placebo) >= abs(estimate)).sum()) / 8)
    assert found.mc_error is not None and found.mc_error[0] == 0
    assert found.std_error[0] == pytest.approx(placebo.std())
    assert np.isnan(found.low[0])


def test_no_p_value_is_zero() -> None:
    """An effect of a million."""
    huge = one_treated(7).y.copy()
    huge[0, 2] = 1e6
    panel = one_treated(7).with_outcome(huge)
    assert given(run(PlaceboSpace(), DiD(), panel)).p_value[0] == pytest.approx(1 / 8)
    assert given(run(PlaceboSpace(draws=3), DiD(), panel)).p_value[0] == pytest.approx(1 / 4)
    assert given(run(ScoreFlip(draws=1), DiD(), panel)).p_value[0] >= 1 / 2
    rng = np.random.default_rng(0)
    many = panel_of(rng.normal(size=(60, 3)) + 1e6 * np.outer(np.arange(60) < 30, [0, 0, 1]), [2.0] * 30 + [NEVER] * 30)
    assert given(run(ScoreFlip(draws=99), DiD(), many)).p_value[0] == pytest.approx(1 / 100)


def test_more_treated_than_donors_is_refused() -> None:
    panel = panel_of(np.zeros((5, 3)), [2, 2, 2, NEVER, NEVER])
    assert isinstance(run(PlaceboSpace(), DiD(), panel), Refused)


# Score flip -----------------------------------------------------------------------------------------------------------


def two_by_two(treated: int, controls: int, seed: int) -> Panel:
    """Two periods, so that an effect is a difference of two means; clusters of one or two units, weights that
    differ."""
    rng = np.random.default_rng(seed)
    count = treated + controls
    cluster = np.r_[np.arange(treated) // 2, treated + np.arange(controls) // 3]
    _, cluster = np.unique(cluster, return_inverse=True)
    y = np.c_[np.zeros(count), rng.normal(size=count) + 0.8 * (np.arange(count) < treated)]
    return panel_of(y, [1.0] * treated + [NEVER] * controls, cluster, rng.uniform(0.5, 2, count))


def imposed(panel: Panel) -> np.ndarray:
    """Scores by hand: w (Δ − Δ̄ of the controls), over the treated weight, or minus that over the control weight."""
    change, w, on = panel.y[:, 1] - panel.y[:, 0], panel.weight, panel.treated
    away = change - np.average(change[~on], weights=w[~on])
    unit = np.where(on, w * away / w[on].sum(), -w * away / w[~on].sum())
    return np.bincount(panel.cluster, weights=unit)


@pytest.mark.parametrize(("treated", "controls", "seed"), [(5, 8, 0), (8, 12, 1), (4, 20, 2), (12, 18, 3)])
def test_score_flip_enumerates_all_signs(treated: int, controls: int, seed: int) -> None:
    panel = two_by_two(treated, controls, seed)
    scores = imposed(panel)
    assert len(scores) <= 12
    full = evaluate(DiD(), panel, Target())
    assert isinstance(full, Found) and full.effects.imposed is not None
    np.testing.assert_allclose(full.effects.imposed[:, 0], scores, atol=1e-12)
    assert full.effects.imposed.sum() == pytest.approx(full.effects.estimate[0])
    observed = abs(scores.sum())
    flips = [
        abs(sum(sign * score for sign, score in zip(signs, scores, strict=True)))
        for signs in itertools.product((-1, 1), repeat=len(scores))
    ]
    found = given(run(ScoreFlip(), DiD(), panel))
    assert found.p_value[0] == pytest.approx(np.mean([flip >= observed * (1 - 1e-9) for flip in flips]))
    assert found.draws == len(flips) and found.mc_error is not None and found.mc_error[0] == 0
    assert found.p_value[0] >= 2 / len(flips)
    # Random signs agree within four Monte-Carlo errors.
    drawn = given(run(ScoreFlip(draws=len(flips) - 1), DiD(), panel))
    assert drawn.mc_error is not None and drawn.mc_error[0] > 0
    assert abs(drawn.p_value[0] - found.p_value[0]) < 4 * drawn.mc_error[0]


@pytest.mark.parametrize("estimator", [DiD(), GroupTime(), GroupTime(control="not-yet", base="universal")], ids=str)
@pytest.mark.parametrize("kind", ["average", "event", "cohort", "calendar"])
def test_imposed_scores_sum_to_the_estimate(estimator: Any, kind: Any) -> None:
    rng = np.random.default_rng(5)
    panel = panel_of(rng.normal(size=(20, 6)), [*rng.choice([2.0, 3, 4], 10), *[NEVER] * 10], np.arange(20) // 2)
    full = evaluate(estimator, panel, Target(kind))
    assert isinstance(full, Found) and full.effects.imposed is not None and full.effects.scores is not None
    np.testing.assert_allclose(full.effects.imposed.sum(axis=0), full.effects.estimate, atol=1e-12)
    np.testing.assert_allclose(full.effects.scores.sum(axis=0), 0, atol=1e-12)


# Analytic error -------------------------------------------------------------------------------------------------------


def test_the_analytic_error_of_a_difference_of_means() -> None:
    """Treated changes 1, 3, 5 and control changes 0, 0, 3, 3: V = 8/9 + 9/16, and G − 1 = 6 degrees of freedom."""
    panel = panel_of(np.c_[np.zeros(7), [1, 3, 5, 0, 0, 3, 3]], [1.0] * 3 + [NEVER] * 4)
    found = given(run(Scores(), DiD(), panel))
    assert found.std_error[0] == pytest.approx(math.sqrt(8 / 9 + 9 / 16))
    assert found.df[0] == 6
    # Three clusters of treated, two of controls {0, 3} and {0, 3}: what these deviate cancels.
    pooled = replace(panel, cluster=np.array([0, 1, 2, 3, 4, 3, 4]), clusters=("a", "b", "c", "d", "e"))
    found = given(run(Scores(), DiD(), pooled))
    assert found.std_error[0] == pytest.approx(math.sqrt(8 / 9))
    assert found.df[0] == 4


@pytest.mark.parametrize(
    ("clusters", "said"), [([0, 0, 0, 1, 2, 3, 4], "one treated cluster"), ([0, 0, 1, 2, 3, 4, 5], "two treated")]
)
def test_one_or_two_treated_clusters_have_no_error_of_their_own(clusters: list[int], said: str) -> None:
    """Whatever the effects there are, the scores of the treated cluster are 0, or those of two mirror each other: an
    error from them would be the error of the controls, or have one degree of freedom."""
    for last in (5.0, 500.0):
        panel = panel_of(np.c_[np.zeros(7), [1, 3, last, 0, 0, 3, 3]], [1.0] * 3 + [NEVER] * 4, clusters)
        full = evaluate(DiD(), panel, Target())
        assert isinstance(full, Found) and full.effects.scores is not None
        treated = full.effects.scores[: len(set(clusters[:3])), 0]
        assert treated.sum() == pytest.approx(0, abs=1e-9)
        found = given(run(Scores(), DiD(), panel))
        assert found.refused[0] is not None and said in found.refused[0].because and found.refused[0].instead
        assert np.isnan([found.std_error[0], found.low[0], found.high[0], found.p_value[0], found.df[0]]).all()


def test_only_the_term_that_rests_on_them_is_refused() -> None:
    found = given(run(Scores(), GroupTime(), hand(), Target("event")))
    np.testing.assert_array_equal(found.treated_clusters, [3, 4, 1, 4])
    assert found.refused[1] is None and found.refused[3] is None
    assert found.refused[2] is not None and "one treated cluster" in found.refused[2].because


def test_a_term_that_nothing_changes_has_no_error() -> None:
    """Before the start nobody moves: an interval from 0 to 0 would claim certainty, and 0/0 is no p-value."""
    found = given(run(Scores(), GroupTime(), hand(), Target("event")))
    assert found.refused[0] is not None and "no error shows" in found.refused[0].because
    still = panel_of(np.full((9, 3), 7.1), [2.0] * 4 + [NEVER] * 5)
    for inference in (ClusterJackknife(), Jackknife(), Scores()):
        found = given(run(inference, DiD(), still))
        assert found.refused[0] is not None and "no error shows" in found.refused[0].because
        assert np.isnan([found.std_error[0], found.low[0], found.high[0], found.p_value[0]]).all()


@pytest.mark.parametrize("inference", [Scores(), ScoreFlip()], ids=lambda one: one.name)
def test_without_scores_there_is_a_refusal(inference: Inference) -> None:
    found = run(inference, Fails(), hand())
    assert isinstance(found, Refused) and "fails has no influence scores" in found.because


@pytest.mark.parametrize("draws", [20, 200, 5000])
def test_drawn_p_values_are_nowhere_called_exact(draws: int) -> None:
    """At p = 1 two errors are the rule of three: a chance that is lower is seen in all draws in 5 % at most."""
    p_value = np.array([1.0, 1 / draws, 0.3, np.nan])
    error = drawn_error(p_value, draws)
    assert (1 - 2 * error[0]) ** draws == pytest.approx(0.05, abs=0.02) and (1 - 2 * error[0]) ** draws < 0.05
    assert error[1:3] == pytest.approx(np.sqrt(p_value[1:3] * (1 - p_value[1:3]) / draws)) and np.isnan(error[3])
