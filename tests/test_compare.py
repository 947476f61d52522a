"""Several estimators side by side: differences by hand, against refits, and in worlds in which they should differ."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest
from scipy import stats

import impact
from impact.errors import Refused, UsageError
from impact.estimators.did import DiD
from impact.estimators.extended_twfe import ExtendedTWFE
from impact.estimators.group_time import GroupTime
from impact.estimators.imputation import Imputation, TwoStage
from impact.estimators.stacked import Stacked
from impact.estimators.synthetic_did import SyntheticDiD
from impact.evidence.result import COLUMNS
from impact.evidence.side_by_side import DIFFERENCES, SideBySide
from impact.inference.cluster import ClusterJackknife
from impact.inference.contrast import Contrast, Joint, contrast
from impact.inference.protocol import Found, evaluate
from impact.panel import NEVER, Panel
from impact.targets import Target
from tests.contract.worlds import frame, matched
from tests.contract.worlds import panel_of as world_of
from tests.test_inference import hand, panel_of


def found(estimator: Any, panel: Panel, target: Target | None = None) -> Found:
    answer = evaluate(estimator, panel, target or Target())
    assert isinstance(answer, Found), answer
    return answer


def between(first: Any, second: Any, panel: Panel, target: Target | None = None, level: float = 0.95) -> Contrast:
    target = target or Target()
    answer = contrast(found(first, panel, target), found(second, panel, target), target, level)
    assert isinstance(answer, Contrast), answer
    return answer


def noise(seed: int, treated: int, controls: int, length: int = 8, starts: tuple[int, ...] = (5,)) -> Panel:
    """Units alike, two to a cluster, and no effect."""
    rng = np.random.default_rng(seed)
    count = treated + controls
    first = [float(starts[(row // 2) % len(starts)]) if row < treated else NEVER for row in range(count)]
    y = rng.normal(size=(count, length)) + np.repeat(rng.normal(size=(count // 2, length)), 2, axis=0)
    return panel_of(y, first, np.arange(count) // 2)


# By hand --------------------------------------------------------------------------------------------------------------


def test_a_difference_of_two_bases_by_hand() -> None:
    """Three periods and one start at the last: did has the mean of the first two as base and group-time the second, so
    they differ by minus half of the change between these, treated less controls."""
    rng = np.random.default_rng(0)
    panel = panel_of(rng.normal(size=(14, 3)), [2.0] * 6 + [NEVER] * 8)
    half = (panel.y[:, 1] - panel.y[:, 0]) / 2
    on = panel.treated
    expected = half[~on].mean() - half[on].mean()
    variance = sum(((half[who] - half[who].mean()) ** 2).sum() / who.sum() ** 2 for who in (on, ~on))
    answer = between(DiD(), GroupTime(), panel, level=0.9)
    assert answer.terms == ("average",) and answer.alike.all() and answer.level == 0.9
    assert answer.difference[0] == pytest.approx(expected, rel=1e-10)
    assert answer.std_error[0] == pytest.approx(math.sqrt(variance), rel=1e-10)
    # 14 clusters, of which 6 treated: t(5), whose 95 % point is 2.015048.
    assert answer.df[0] == 5
    assert answer.high[0] - answer.low[0] == pytest.approx(2 * 2.015048 * math.sqrt(variance), rel=1e-6)
    t = expected / math.sqrt(variance)
    assert answer.p_value[0] == pytest.approx(2 * stats.t.sf(abs(t), 5))
    # One effect in one group of 6 clusters: F = (6 − 1 − 1 + 1) / 6 t² with 1 and 5 degrees of freedom.
    joint = answer.joint
    assert isinstance(joint, Joint) and (joint.cells, joint.rank, joint.df) == (1, 1, 5)
    assert joint.statistic == pytest.approx(5 / 6 * t**2)
    assert joint.p_value == pytest.approx(stats.f.sf(5 / 6 * t**2, 1, 5))


def test_the_joint_test_is_a_quadratic_form_over_the_cells() -> None:
    """Two starts; did and group-time differ in one direction per cohort, whatever the number of periods after it."""
    panel = noise(1, 24, 40, starts=(3, 5))
    answer = between(DiD(), GroupTime(), panel)
    cells = {name: found(estimator, panel).fit.cells for name, estimator in (("did", DiD()), ("gt", GroupTime()))}
    at = {name: list(zip(own.group, own.period, strict=True)) for name, own in cells.items()}
    both = [place for place, post in zip(at["did"], cells["did"].post, strict=True) if post]
    one, two = ([at[name].index(place) for place in both] for name in ("did", "gt"))
    assert len(both) == 5 + 3
    scores = [cells[name].scores.at(np.eye(len(cells[name].effect))) for name in ("did", "gt")]
    difference = cells["gt"].effect[two] - cells["did"].effect[one]
    covariance = (scores[1][:, two] - scores[0][:, one]).T @ (scores[1][:, two] - scores[0][:, one])
    wald = difference @ np.linalg.pinv(covariance, rcond=1e-8) @ difference
    assert isinstance(answer.joint, Joint) and (answer.joint.rank, answer.joint.cells) == (2, 8)
    # 12 treated clusters in 2 groups.
    assert answer.joint.df == 12 - 2 - 2 + 1
    assert answer.joint.statistic == pytest.approx(9 / (12 * 2) * wald, rel=1e-8)


# The same by construction ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [Target("average", "area"), Target("event", "resident"), Target("unit")], ids=str)
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Imputation(), ExtendedTWFE()),
        (ExtendedTWFE(control="never"), GroupTime(base="universal")),
        (GroupTime(method="dr"), GroupTime(method="reg")),
    ],
    ids=str,
)
def test_what_is_one_estimator_has_no_difference(first: Any, second: Any, target: Target) -> None:
    """Their scores are not the same: some hold the shares of the cohorts fixed, and imputation has a centre of its own
    where weights differ. What they estimate is."""
    panel = world_of(frame())
    answer = between(first, second, panel, target)
    np.testing.assert_allclose(answer.difference, 0, atol=1e-9)
    np.testing.assert_array_equal(answer.std_error, 0)
    np.testing.assert_array_equal(answer.p_value, 1)
    # Six and three periods after the starts, of two cohorts or eight areas.
    assert answer.joint == Joint(36 if target.kind == "unit" else 9, 0.0, 0, 0, 1.0)
    assert answer.identical


def test_after_the_start_two_stage_is_imputation_and_before_it_is_not() -> None:
    panel = world_of(frame())
    answer = between(Imputation(), TwoStage(), panel, Target("event", "area"))
    after = np.array([term == "mean" or int(term) >= 0 for term in answer.terms])
    np.testing.assert_array_equal(answer.std_error[after], 0)
    assert (answer.std_error[~after] > 1e-3).any() and not answer.identical
    assert isinstance(answer.joint, Joint) and answer.joint.rank == 0


# Against refits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [lambda panel: panel, matched], ids=["plain", "matched"])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (DiD(), GroupTime()),
        (GroupTime(control="not-yet"), Imputation()),
        (GroupTime(), Stacked(before=2, after=2)),
    ],
    ids=str,
)
def test_the_error_is_that_of_leaving_clusters_out(first: Any, second: Any, change: Any) -> None:
    """Every cluster left out of both, and the difference of what is left: with 144 clusters the two errors agree to a
    few per cent. An error from two variances would be several times larger."""
    panel = change(world_of(frame(copies=9)))
    target = Target("average", "area")
    full = [found(one, panel, target).effects.estimate[0] for one in (first, second)]
    away = []
    for cluster in range(len(panel.clusters)):
        rest = panel.drop(np.flatnonzero(panel.cluster == cluster))
        left = [found(one, rest, target).effects.estimate[0] for one in (first, second)]
        away.append((left[1] - left[0]) - (full[1] - full[0]))
    count = len(panel.clusters)
    jackknife = math.sqrt((count - 1) / count * float(np.square(away).sum()))
    answer = between(first, second, panel, target)
    assert answer.std_error[0] == pytest.approx(jackknife, rel=0.08)


def test_leave_one_out_scores_keep_a_small_factor_of_their_own() -> None:
    """The effects are those of two-stage, and a difference of 0 has an error that is small beside theirs."""
    panel, target = world_of(frame(copies=9)), Target("average", "area")
    answer = between(Imputation(variance="leave-one-out"), TwoStage(), panel, target)
    assert abs(answer.difference[0]) < 1e-9
    own = found(TwoStage(), panel, target).effects.scores
    assert own is not None and answer.std_error[0] < 0.05 * np.sqrt((own**2).sum())
    assert answer.p_value[0] > 0.99


# More than chance -----------------------------------------------------------------------------------------------------


def test_a_drift_before_the_start_is_found_between_estimators_with_other_bases() -> None:
    """Treated units drift by 0.5 a period: with a base of all earlier periods the effect is larger than with the last
    one alone, by half of the periods before the start less one, times the drift."""
    panel = noise(3, 60, 60)
    drifting = panel.with_outcome(panel.y + 0.5 * np.outer(panel.treated, np.arange(8)))
    still, moved = (between(GroupTime(), DiD(), one) for one in (panel, drifting))
    assert moved.difference[0] - still.difference[0] == pytest.approx(0.5 * 2)
    np.testing.assert_allclose(moved.std_error, still.std_error)
    assert moved.p_value[0] < 0.05 < still.p_value[0]
    assert isinstance(moved.joint, Joint) and isinstance(still.joint, Joint)
    assert moved.joint.p_value < 0.05 < still.joint.p_value


def test_a_level_that_all_share_changes_nothing_and_a_scale_only_the_scale() -> None:
    panel = noise(4, 24, 40, starts=(3, 5))
    plain = between(GroupTime(), Imputation(), panel)
    for other, scale in ((panel.with_outcome(panel.y + 1e4), 1), (panel.with_outcome(1e-5 * panel.y), 1e-5)):
        again = between(GroupTime(), Imputation(), other)
        np.testing.assert_allclose(again.difference, scale * plain.difference, rtol=1e-6)
        np.testing.assert_allclose(again.std_error, scale * plain.std_error, rtol=1e-6)
        assert isinstance(again.joint, Joint) and isinstance(plain.joint, Joint)
        assert (again.joint.rank, again.joint.df) == (plain.joint.rank, plain.joint.df)
        assert again.joint.statistic == pytest.approx(plain.joint.statistic, rel=1e-5)


# What is not known ----------------------------------------------------------------------------------------------------


def test_few_treated_clusters_have_no_error() -> None:
    answer = between(DiD(), GroupTime(), noise(5, 6, 20))
    assert answer.refused[0] is not None and "3 treated clusters" in answer.refused[0].because
    assert np.isnan([answer.std_error[0], answer.p_value[0], answer.low[0]]).all() and np.isfinite(answer.difference[0])
    assert isinstance(answer.joint, Refused)


def test_the_joint_test_is_refused_where_the_clusters_do_not_reach() -> None:
    """Two starts, not-yet-treated controls: the two differ in more directions than seven clusters can tell."""
    panel = noise(6, 14, 40, starts=(3, 5))
    answer = between(GroupTime(control="not-yet"), Imputation(), panel)
    assert isinstance(answer.joint, Refused)
    assert (
        "7 treated clusters in 2 groups leave 3 degrees" in answer.joint.because
        and "4 are needed" in answer.joint.because
    )
    assert answer.refused == (None,) and answer.std_error[0] > 0
    assert isinstance(between(GroupTime(control="not-yet"), Imputation(), noise(6, 60, 40, starts=(3, 5))).joint, Joint)


def test_a_difference_without_any_noise_is_not_tested() -> None:
    """Treated units move by exactly 1 before the start and controls not at all: nothing varies between clusters."""
    y = np.zeros((16, 4))
    y[:8, 1:] = 1.0
    answer = between(DiD(), GroupTime(), panel_of(y, [2.0] * 8 + [NEVER] * 8))
    assert answer.difference[0] == pytest.approx(-0.5)
    assert answer.refused[0] is not None and "no sampling error" in answer.refused[0].because
    assert isinstance(answer.joint, Refused)


def test_an_estimator_without_scores_is_not_compared() -> None:
    target = Target()
    panel = world_of(frame())
    answer = contrast(found(DiD(), panel), found(SyntheticDiD(), panel), target, 0.95, ("a", "b"))
    assert isinstance(answer, Refused) and answer.because == "b has no influence scores"


def test_terms_over_other_groups_are_told() -> None:
    """A window that only the later start has whole: stacked speaks of that cohort alone."""
    panel = noise(7, 40, 40, starts=(3, 5))
    answer = between(GroupTime(), Stacked(before=4, after=1), panel)
    assert not answer.alike[0]
    assert isinstance(answer.joint, Joint) and answer.joint.cells == 2


# The public call ------------------------------------------------------------------------------------------------------

SIX: dict[str, Any] = {
    "did": "did",
    "never": "group-time",
    "not yet": ("group-time", {"control": "not-yet"}),
    "imputation": Imputation(),
    "etwfe": "extended-twfe",
    "sdid": "synthetic-did",
}


def compared(estimators: Any = None, **how: Any) -> SideBySide:
    return impact.compare(world_of(frame(copies=3)), SIX if estimators is None else estimators, **how)


def test_estimates_are_those_of_each_alone() -> None:
    side = compared(target="event", weighting="area", level=0.9)
    panel = world_of(frame(copies=3))
    table = side.tidy()
    assert list(table.columns) == ["estimator", *COLUMNS]
    assert list(dict.fromkeys(table["estimator"])) == list(SIX)
    alone = impact.estimate(panel, "group-time", control="not-yet", target="event", weighting="area", level=0.9)
    assert isinstance(alone, impact.Result)
    rows = table[table["estimator"] == "not yet"].drop(columns="estimator").reset_index(drop=True)
    assert rows.equals(alone.tidy())


def test_differences_have_a_row_for_every_pair_and_term_and_one_for_all_effects() -> None:
    side = compared(weighting="area")
    table = side.differences()
    assert tuple(table.columns) == DIFFERENCES
    assert len(side.pairs) == 15
    # Ten pairs with scores have the average and the joint test; five have the row that says why not.
    assert len(table) == 2 * 10 + 5
    row = table[(table["first"] == "did") & (table["second"] == "never") & (table["term"] == "average")].iloc[0]
    values = side.tidy().set_index("estimator")["estimate"]
    assert row["difference"] == pytest.approx(values["never"] - values["did"])
    assert row["statistic"] == pytest.approx(row["difference"] / row["std_error"])
    assert (row["status"], row["cells"]) == ("ok", "same") and row["ci_low"] < row["difference"] < row["ci_high"]
    same = table[(table["first"] == "imputation") & (table["second"] == "etwfe")]
    assert list(same["status"]) == ["the same by construction"] * 2 and list(same["p_value"]) == [1, 1]
    assert set(table[table["second"] == "sdid"]["status"]) == {"refused: sdid has no influence scores"}


def test_the_summary_is_read_from_top_to_bottom() -> None:
    said = compared(weighting="area").summary().splitlines()
    assert said[0] == "target average weighted by area, cluster-jackknife"
    assert [line.split("  ")[1].strip() for line in said[1:7]] == list(SIX)
    assert said[7] == "imputation and etwfe are the same by construction"
    assert said[8] == "do they differ by more than chance?"
    # Of the twins one speaks; sdid has no scores.
    assert [line.split(":")[0].strip() for line in said[9:15]] == [
        "never less did",
        "not yet less did",
        "imputation less did",
        "not yet less never",
        "imputation less never",
        "imputation less not yet",
    ]
    assert all("no more than chance" in line for line in said[9:15])
    assert said[15:17] == [
        "not compared: sdid has no influence scores",
        "sdid: the weights of the controls are not used by synthetic-did, which finds its own",
    ]
    # The ridge of two large cohorts makes the donors weigh alike, which a reader of the comparison must know.
    assert [line.split(" weigh ")[0] for line in said[17:]] == ["sdid: the donors of 2004", "sdid: the donors of 2007"]


def test_a_refusal_is_a_row_with_a_status() -> None:
    side = compared({"did": "did", "wide": ("stacked", {"before": 9, "after": 1})})
    row = side.tidy().iloc[-1]
    assert (row["estimator"], row["method"], row["term"]) == ("wide", "stacked", "") and math.isnan(row["estimate"])
    assert row["status"].startswith("refused: every group")
    assert side.pairs == () and "wide  refused, because every group has no whole window" in side.summary()
    assert side.differences().empty


def test_a_drift_is_told_in_words() -> None:
    panel = noise(3, 60, 60)
    drifting = panel.with_outcome(panel.y + 0.5 * np.outer(panel.treated, np.arange(8)))
    side = impact.compare(drifting, ["group-time", "did"])
    line = side.summary().splitlines()[-1]
    assert line.startswith("  did less group-time: ") and line.count("more than chance") == 2
    assert "no more than chance" not in line and "t(29)" in line


def test_names_and_objects_are_their_own_labels() -> None:
    side = compared(["did", GroupTime()], inference=ClusterJackknife(level=0.8))
    assert list(side.results) == ["did", "group-time"] and side.level == 0.8
    assert side.pairs[0].contrast.level == 0.8  # type: ignore[union-attr]
    again = compared(["did", GroupTime()], inference="score-flip", draws=99, seed=3)
    assert again.inference == "score-flip"
    assert all(isinstance(one, impact.Result) and one.uncertainty.draws == 99 for one in again.results.values())  # type: ignore[union-attr]


def test_it_is_frozen_and_travels() -> None:
    side = compared(["did", "group-time"])
    with pytest.raises(AttributeError):
        side.level = 0.5  # type: ignore[misc]
    again = pickle.loads(pickle.dumps(side))
    assert again.summary() == side.summary() and again.differences().equals(side.differences())


def usage(*args: Any, **how: Any) -> str:
    with pytest.raises(UsageError) as caught:
        impact.compare(hand(), *args, **how)
    return str(caught.value)


def test_wrong_calls_say_what_to_write_instead() -> None:
    assert "USAGE-009" in usage(["did"]) and "one estimator or none" in usage("did")
    twice = usage(["group-time", GroupTime(control="not-yet")])
    assert "group-time is there more than once" in twice and '("group-time", {"control": "not-yet"})' in twice
    assert "did you mean 'did'" in usage(["did", "diid"])
    wrong = usage({"a": ("did", {"window": 3}), "b": ("group-time", {"bse": "x"})})
    assert "'window' is no parameter of did(" in wrong and "'bse' is no parameter of group-time(" in wrong
    assert "USAGE-003" in usage({"a": "did", "b": ("group-time", {"control": "all"})})
    loose = usage(["did", "group-time"], control="not-yet")
    assert "'control' is no parameter of cluster-jackknife(" in loose and "stand with it" in loose


def test_options_without_a_label_name_themselves() -> None:
    found = impact.compare(world_of(frame()), ["imputation", ("group-time", {"control": "not-yet"})])
    assert list(found.results) == ["imputation", "group-time (control=not-yet)"]
