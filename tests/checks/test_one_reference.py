"""Bounds on estimates whose base is the mean of several periods: by hand, by brute force, and by what they promise."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import impact
from impact.checks.event_study import EventStudy, event_study
from impact.checks.honest import Question
from impact.errors import Refused
from impact.estimators.did import DiD
from impact.estimators.extended_twfe import ExtendedTWFE
from impact.estimators.group_time import GroupTime
from impact.estimators.imputation import Imputation, TwoStage
from impact.estimators.one_reference import OneReference, referred
from impact.inference.protocol import Found, evaluate
from impact.targets import Target
from tests.checks.test_event_study import PERIODS, panel

SEVERAL = {"did": DiD(), "imputation": Imputation(), "two-stage": TwoStage(), "extended-twfe": ExtendedTWFE()}
LEADS = Target("average", "area", leads=True)


def study(data: impact.Panel, estimator: object, target: Target = LEADS) -> EventStudy:
    result = impact.estimate(data, referred(estimator), target=target)  # type: ignore[arg-type]
    assert isinstance(result, impact.Result)
    found = event_study(result.effects, result.uncertainty, result.fit, result.target)
    assert isinstance(found, EventStudy)
    return found


def with_outcome(data: impact.Panel, y: np.ndarray) -> impact.Panel:
    from dataclasses import replace

    return replace(data, y=np.asarray(y, dtype=np.float64))


def course(data: impact.Panel, without: int | None = None) -> np.ndarray:
    """(T,) the mean of the treated less that of the controls, by hand; without one gemeente."""
    kept = np.ones(len(data.units), dtype=bool) if without is None else data.cluster != without
    return np.asarray(data.y[kept & data.treated].mean(axis=0) - data.y[kept & ~data.treated].mean(axis=0))


def by_hand(difference: np.ndarray) -> np.ndarray:
    """One start in 2018: changes since 2017 in 2012 to 2016, then 2018-2023 less 2012-2017."""
    return np.r_[difference[:5] - difference[5], difference[6:].mean() - difference[:6].mean()]


@pytest.mark.parametrize("name", SEVERAL)
def test_one_start_by_hand(name: str) -> None:
    """Estimates, CV3 covariance by literal deletion, and the distance from the middle of one time to the other."""
    data = panel((2018,))
    found = study(data, SEVERAL[name])
    full = by_hand(course(data))
    count = len(data.clusters)
    away = np.array([by_hand(course(data, cluster)) for cluster in range(count)]) - full
    covariance = (count - 1) / count * away.T @ away
    distance = np.mean(range(2018, 2024)) - np.mean(range(2012, 2018))
    scale = np.r_[np.ones(5), 1 / distance]
    assert found.combination.tolist() == pytest.approx([distance])
    assert found.beta == pytest.approx(full * scale, abs=1e-12)
    assert found.sampling == pytest.approx(covariance * np.outer(scale, scale), abs=1e-12)
    assert (found.reference, found.events) == (-1, (-6, -5, -4, -3, -2))


@pytest.mark.parametrize("starts", [(2018,), (2018, 2020)])
@pytest.mark.parametrize("inference", ["cluster-jackknife", "scores"])
@pytest.mark.parametrize("name", SEVERAL)
def test_without_departure_it_is_the_declared_interval(name: str, inference: str, starts: tuple[int, ...]) -> None:
    data = panel(starts)
    for target in (Target("average", "unit"), Target("average", "area"), Target("event", "unit")):
        result = impact.estimate(data, SEVERAL[name], target=target, inference=inference)
        assert isinstance(result, impact.Result)
        table = result.honest(grid=[0.0, 0.5, 1.0])
        assert isinstance(table, pd.DataFrame)
        declared = result.tidy().iloc[-1]
        assert table["estimate"].iloc[0] == pytest.approx(declared["estimate"], abs=1e-12)
        low, high = table[["lower", "upper"]].iloc[0]
        if target.kind == "average":
            assert [low, high] == pytest.approx([declared["ci_low"], declared["ci_high"]], abs=1e-9)
        else:  # the mean of event times, some of which rest on fewer clusters
            assert low <= declared["ci_low"] + 1e-9 and high >= declared["ci_high"] - 1e-9
        assert (np.diff(table["lower"]) < 0).all() and (np.diff(table["upper"]) > 0).all()
        assert result.breakdown() == pytest.approx(float(table["breakdown"].iloc[0]))
        assert "breakdown value" in result.summary()


def test_the_course_of_did_is_that_of_one_base() -> None:
    """Before the start difference-in-differences against never-treated is group-time with a universal base."""
    for weighting in ("unit", "area"):
        target = Target("average", weighting, leads=True)  # type: ignore[arg-type]
        ours = impact.estimate(panel(), OneReference(DiD(anticipation=1)), target=target)
        theirs = impact.estimate(panel(), GroupTime(base="universal", anticipation=1), target=target)
        assert isinstance(ours, impact.Result) and isinstance(theirs, impact.Result)
        one, other = (found.tidy().set_index("term").drop("average")[["estimate", "std_error", "df"]]
                      for found in (ours, theirs))  # fmt: skip
        pd.testing.assert_frame_equal(one, other)
        both = impact.estimate(panel(), OneReference(DiD(anticipation=1), effects=True), target=target)
        assert isinstance(both, impact.Result)
        assert both.effects.estimate == pytest.approx(theirs.effects.estimate, abs=1e-12)


@pytest.mark.parametrize("missing", [False, True])
def test_the_course_of_a_regression_is_that_of_its_dummies(missing: bool) -> None:
    """Two starts: least squares over the untreated cells but those of the group itself, which its units follow or not.

    With complete outcomes that is the regression in which every own period but the reference has a dummy.
    """
    data = panel()
    if missing:
        y = np.array(data.y)
        y[np.random.default_rng(5).random(y.shape) < 0.02] = np.nan
        y[:, [5, 7]] = data.y[:, [5, 7]]  # the last periods before the starts
        data = with_outcome(data, y)
    found = evaluate(OneReference(Imputation()), data, LEADS)
    assert isinstance(found, Found)
    cells = found.fit.cells
    units, periods = data.y.shape
    for group, start in enumerate(data.groups):
        own = data.first == start
        there = np.isfinite(data.y) & (np.arange(periods) < data.first[:, None])
        at = [(i, t) for i, t in np.argwhere(there) if not own[i] or (not missing and t < start)]
        design = np.zeros((len(at), units + periods + int(start) - 1))
        for row, (i, t) in enumerate(at):
            design[row, [i, units + t]] = 1
            if own[i] and t < start - 1:
                design[row, units + periods + t] = 1
        solved = np.linalg.lstsq(design, np.array([data.y[i, t] for i, t in at]), rcond=None)[0]
        mine = np.flatnonzero((cells.group == group) & (cells.period < start))
        expected = solved[units + periods :]
        if missing:
            path, base = solved[units : units + periods], int(start) - 1
            changes = data.y[own] - data.y[own, base][:, None] - (path - path[base])
            expected = np.nanmean(changes, axis=0)[:base]
        assert sorted(cells.period[mine]) == list(range(int(start) - 1))
        assert cells.effect[mine] == pytest.approx(expected[cells.period[mine]], abs=1e-9)


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize("starts", [(2018,), (2017, 2020)])
def test_no_drift_within_the_bound_takes_the_estimate_further_than_it_says(name: str, starts: tuple[int, ...]) -> None:
    """Outcomes that are nothing but a drift since the start, of random steps no larger after it than before it."""
    data, generator = panel(starts), np.random.default_rng(6)
    event = np.arange(len(PERIODS))[None, :] - np.where(data.treated, data.first, 0)[:, None]
    event = event.astype(int)
    distance = study(data, SEVERAL[name]).combination[0]
    target = Target("average", "area", leads=True)
    nearly = 0.0
    for draw in range(40):
        steps = generator.choice([-1.0, 1.0], 24) if draw % 2 else generator.uniform(-1, 1, 24)
        steps = np.ones(24) if draw == 1 else steps
        drift = np.cumsum(steps)[np.clip(event + 12, 0, 23)]
        drifting = with_outcome(data, np.where(data.treated[:, None], drift, 0.0))
        found = evaluate(referred(SEVERAL[name]), drifting, target)
        assert isinstance(found, Found)
        course = np.r_[found.effects.estimate[:-1], 0.0]
        after = np.abs(steps[12:22]).max()
        largest = np.abs(np.diff(course)).max()
        bound = max(1.0, after / largest)
        off = abs(found.effects.estimate[-1])
        assert off <= bound * largest * distance * (1 + 1e-9)
        nearly = max(nearly, off / (bound * largest * distance))
    if name == "did" or len(starts) == 1:
        assert nearly == pytest.approx(1), "a straight line reaches the bound"
    else:  # cohorts that start later are among what a regression compares with, and drift along
        assert nearly > 0.5


def test_a_straight_line_adds_the_distance() -> None:
    """Treated units that gain 1 a period, whatever their start: the estimate of no effect is the distance."""
    data = panel((2017, 2020))
    line = np.where(data.treated[:, None], np.arange(len(PERIODS))[None, :], 0.0)
    for weighting in ("unit", "area"):
        target = Target("average", weighting, leads=True)  # type: ignore[arg-type]
        found = evaluate(referred(DiD()), with_outcome(data, line), target)
        assert isinstance(found, Found)
        assert study(data, DiD(), target).combination[0] == pytest.approx(found.effects.estimate[-1])


@pytest.mark.parametrize("slope", [0.0, 0.4, 3.0])
def test_the_interval_covers_under_the_worst_drift(slope: float) -> None:
    """A straight line is the worst drift at bound 1; with six periods before the start and three after it.

    400 draws: at 95 % fewer than 0.95 - 4 standard errors happen once in tens of thousands of runs.
    """
    generator, before, after, draws = np.random.default_rng(7), 6, 3, 400
    # From the course to its changes since the last period before the start, and the difference of means.
    mapped = np.zeros((before, before + after))
    mapped[:-1, : before - 1] = np.eye(before - 1)
    mapped[:-1, before - 1] = -1
    mapped[-1] = np.r_[np.full(before, -1 / before), np.full(after, 1 / after)]
    distance = np.mean(range(before, before + after)) - np.mean(range(before))
    mapped[-1] /= distance
    sigma = mapped @ mapped.T
    held = 0
    for _ in range(draws):
        beta = mapped @ (slope * np.arange(before + after) + generator.normal(size=before + after))
        asked = Question(beta, sigma, before - 1, np.array([distance]), draws=2_000)
        ends = asked.interval(1.0)
        held += ends is not None and ends[0] <= 0 <= ends[1]
    assert held / draws >= 0.95 - 4 * np.sqrt(0.95 * 0.05 / draws)


def test_what_has_no_course_says_why() -> None:
    short = panel((2013,))  # the base is one period
    result = impact.estimate(short, "did")
    assert isinstance(result, impact.Result)
    refused = result.breakdown()
    assert isinstance(refused, Refused) and "no estimate before the start" in refused.because
    assert "such as group-time" in refused.instead, "one number of twfe has none, however many periods there are"
    ranked = impact.estimate(panel(), "did", inference="score-flip")
    assert isinstance(ranked, impact.Result)
    refused = ranked.breakdown()
    assert isinstance(refused, Refused) and "no covariance" in refused.because
    fitted = impact.estimate(panel(), "synthetic-control")
    assert isinstance(fitted, impact.Result)
    refused = fitted.breakdown()
    assert isinstance(refused, Refused) and "weights were chosen" in refused.because
    assert "breakdown value: not evaluated" in fitted.summary()
    varying = impact.estimate(panel(), "group-time", target="event")
    universal = impact.estimate(panel(), "group-time", target="event", base="universal")
    assert isinstance(varying, impact.Result) and isinstance(universal, impact.Result)
    assert isinstance(varying.honest(), Refused)
    assert varying.breakdown() == universal.breakdown()
