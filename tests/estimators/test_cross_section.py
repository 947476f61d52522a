"""Repeated cross-sections: scores against derivatives, effects by hand and against the panel, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from impact.errors import Refused
from impact.estimators.group_time import GroupTime
from impact.estimators.sampled import strata_of
from impact.inference.cluster import ClusterJackknife
from impact.inference.protocol import Found, Uncertainty, evaluate
from impact.panel import Panel
from impact.parallel import Parallel
from impact.sample import Sample
from impact.streams import Streams
from impact.targets import Kind, Target

# Central differences of step 1e-5: the rounding of two effects of size 1, over the step.
DERIVED = 1e-8


def people(count: int = 240, seed: int = 3, covariates: tuple[str, ...] = ("x", "z")) -> Sample:
    """Four periods, starts in the third and fourth; who is sampled where depends on a covariate."""
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(2, count))
    pull = 0.5 * x + rng.gumbel(size=(3, count))
    pull[0] -= 0.5 * x
    start = np.array([0, 2012, 2013])[pull.argmax(axis=0)]
    year = rng.integers(2010, 2014, count)
    y = x * (1 + 0.3 * (year - 2010)) + rng.normal(size=count) + 2.0 * ((start > 0) & (year >= start))
    table = pd.DataFrame({"year": year, "start": start, "y": y, "x": x, "z": z, "w": rng.uniform(0.5, 2, count)})
    return Sample.from_frame(
        table, time="year", outcome="y", first_treated="start", covariates=list(covariates), weight="w"
    )


def cells(sample: Sample, estimator: GroupTime) -> tuple[np.ndarray, np.ndarray]:
    """Effects (C,) and scores (n, C)."""
    found = estimator.fit(sample)
    assert not isinstance(found, Refused), str(found)
    assert found.cells.scores is not None
    return found.cells.effect, found.cells.scores.at(np.eye(len(found.cells.effect)))


def evaluated(estimator: GroupTime, data: Any, kind: Kind = "average", weighting: Any = "unit") -> Found:
    found = evaluate(estimator, cast("Panel", data), Target(kind, weighting))
    assert isinstance(found, Found), str(found)
    return found


@pytest.mark.parametrize("method", ["dr", "ipw", "reg"])
@pytest.mark.parametrize("control", ["never", "not-yet"])
@pytest.mark.parametrize("covariates", [(), ("x", "z")])
def test_a_score_is_the_derivative_of_the_effect_by_the_weight_of_the_row(
    method: Any, control: Any, covariates: Any
) -> None:
    """What an influence function is, in a sample; R's has another sign in one place (see the goldens)."""
    sample, estimator = people(covariates=covariates), GroupTime(control=control, method=method)
    effect, scores = cells(sample, estimator)
    assert len(effect) == 6
    np.testing.assert_allclose(scores.sum(axis=0), 0, atol=1e-11)
    for row in range(0, 240, 17):
        step = 1e-5 * (np.arange(240) == row)
        up, down = (cells(replace(sample, weight=sample.weight + move), estimator)[0] for move in (step, -step))
        np.testing.assert_allclose(scores[row] / sample.weight[row], (up - down) / 2e-5, atol=DERIVED, rtol=0)


def test_improved_scores_come_near_the_derivative_as_the_sample_grows() -> None:
    """Sant'Anna & Zhao (2020), section 3.2: with both models right, the estimation of odds and regressions adds nothing
    in large samples. The distance falls with the root of the size: from 0.17 of the derivative with 500 rows to
    0.024."""
    size, step = 20_000, 1e-2
    sample, estimator = people(size), GroupTime(method="dr-improved")
    _, scores = cells(sample, estimator)
    rows = np.arange(0, size, size // 60)
    moved = []
    for row in rows:
        move = step * (np.arange(size) == row)
        up, down = (cells(replace(sample, weight=sample.weight + w), estimator)[0] for w in (move, -move))
        moved.append(sample.weight[row] * (up - down) / (2 * step))
    assert np.linalg.norm(scores[rows] - moved) < 0.04 * np.linalg.norm(moved)


def test_four_means_by_hand() -> None:
    """Treated 1, 3 then 8; controls 2 then 3, 5: (8 - 2) - (4 - 2) = 4. Rows of a group that nobody asked about, and
    of a period that is no base, change nothing."""
    table = pd.DataFrame(
        {
            "year": [2010, 2010, 2011, 2010, 2011, 2011, 2009],
            "start": [2011, 2011, 2011, 0, 0, 0, 0],
            "y": [1.0, 3.0, 8.0, 2.0, 3.0, 5.0, 77.0],
        }
    )
    sample = Sample.from_frame(table, time="year", outcome="y", first_treated="start")
    effect, scores = cells(sample, GroupTime())
    assert effect == pytest.approx([4.0])
    np.testing.assert_allclose(scores[:, 0], [0.5, -0.5, 0, 0, 0.5, -0.5, 0], atol=1e-15)


def test_a_row_with_weight_two_is_two_rows() -> None:
    sample = people()
    copies = sample.take(np.r_[np.arange(240), np.arange(0, 240, 3)])
    heavier = replace(sample, weight=sample.weight * np.where(np.arange(240) % 3 == 0, 2.0, 1.0))
    for method in ("dr", "dr-improved", "ipw", "reg"):
        estimator = GroupTime(method=method)  # type: ignore[arg-type]
        np.testing.assert_allclose(cells(copies, estimator)[0], cells(heavier, estimator)[0], atol=1e-9, rtol=0)


def test_a_panel_read_as_cross_sections_has_its_effects_and_not_its_errors() -> None:
    """Complete, without covariates: the means are the same, but the spread of levels is in the error."""
    rng = np.random.default_rng(2)
    table = pd.DataFrame(
        [
            {"unit": unit, "year": year, "start": start, "y": 10 * level + rng.normal() + (start > 0) * (year >= start)}
            for unit, (start, level) in enumerate(zip([2012] * 8 + [0] * 20, rng.normal(size=28), strict=True))
            for year in range(2010, 2014)
        ]
    )
    panel = Panel.from_frame(table, unit="unit", time="year", outcome="y", first_treated="start")
    whole, drawn = evaluated(GroupTime(), panel, "event"), evaluated(GroupTime(), Sample.from_panel(panel), "event")
    np.testing.assert_allclose(drawn.effects.estimate, whole.effects.estimate, atol=1e-12)
    # The scores are added up by unit, so the levels drop out of them again.
    assert whole.effects.scores is not None and drawn.effects.scores is not None
    np.testing.assert_allclose(drawn.effects.scores, whole.effects.scores, atol=1e-12)
    alone = replace(Sample.from_panel(panel), cluster=np.arange(112), clusters=tuple(map(str, range(112))))
    scores = evaluated(GroupTime(), alone, "event").effects.scores
    assert scores is not None
    assert (np.sqrt((scores**2).sum(axis=0)) > 3 * np.sqrt((whole.effects.scores**2).sum(axis=0))).all()


def test_holes_let_the_levels_in() -> None:
    """One treated unit of level 100 is not seen after the start: the panel's effect stays 1, the sample's falls."""
    table = pd.DataFrame(
        [
            {"unit": unit, "year": year, "start": start, "y": level + (start > 0) * (year >= start)}
            for unit, (start, level) in enumerate([(2012, 100.0), (2012, 0.0), (0, 0.0), (0, 50.0)])
            for year in range(2010, 2014)
            if not (unit == 0 and year >= 2012)
        ]
    )
    panel = Panel.from_frame(table, unit="unit", time="year", outcome="y", first_treated="start")
    assert evaluated(GroupTime(), panel).effects.estimate == pytest.approx([1.0])
    # (0 + 1) - (100 + 0) / 2
    assert evaluated(GroupTime(), Sample.from_panel(panel)).effects.estimate == pytest.approx([1.0 - 50.0])


def test_weighting_by_area_and_by_resident_by_hand() -> None:
    """Area A rises by 1 and has three rows after the start, B rises by 5 and has one; A has 100 residents, B 300."""
    table = pd.DataFrame(
        {
            "year": [0, 1, 1, 1, 0, 0, 1, 0, 1],
            "start": [1, 1, 1, 1, 1, 1, 1, None, None],
            "area": ["A", "A", "A", "A", "B", "B", "B", None, None],
            "people": [100, 100, 100, 100, 300, 300, 300, None, None],
            "y": [0.0, 1.0, 1.0, 1.0, 7.0, 9.0, 13.0, 4.0, 4.0],
        }
    )
    table["year"] += 2010
    table["start"] += 2010
    more = table.assign(y=table["y"].where(table["area"].notna(), 4.0))
    sample = Sample.from_frame(
        pd.concat([more, more.tail(2)], ignore_index=True),
        time="year",
        outcome="y",
        first_treated="start",
        area="area",
        residents="people",
    )

    def effect(weighting: Any) -> float:
        return float(evaluated(GroupTime(), sample, weighting=weighting).effects.estimate[0])

    assert effect("unit") == pytest.approx((3 * 1 + 13) / 4 - (0 + 7 + 9) / 3)
    assert effect("area") == pytest.approx((1 + 5) / 2)
    assert effect("resident") == pytest.approx(0.25 * 1 + 0.75 * 5)
    names = evaluated(GroupTime(), sample, "unit", "area").effects
    assert dict(zip(names.terms, names.estimate, strict=True)) == pytest.approx({"A": 1.0, "B": 5.0})


@pytest.mark.parametrize("method", ["dr", "dr-improved", "ipw", "reg"])
def test_whom_a_target_counts_does_not_change_who_is_compared(method: Any) -> None:
    """One area a cohort and as many rows in every period: weights by resident are all rows' weights times a thousand,
    and a propensity of those would make every control look surely treated."""
    sample = people(2000)
    order = np.argsort(sample.period, kind="stable")
    alike = np.concatenate(
        [
            order[(sample.first[order] == start) & (sample.period[order] == t)][:60]
            for start in (2.0, 3.0, np.inf)
            for t in range(4)
        ]
    )
    sample = replace(sample.take(alike), weight=np.ones(720))
    thousands = replace(sample, residents=np.where(sample.treated, 1000.0, np.nan))
    estimator = GroupTime(method=method)
    plain, weighted = evaluated(estimator, sample), evaluated(estimator, thousands, weighting="resident")
    np.testing.assert_allclose(weighted.fit.cells.effect, plain.fit.cells.effect, rtol=1e-9)


@pytest.mark.parametrize("method", ["dr", "dr-improved", "ipw", "reg"])
def test_the_level_of_a_period_costs_no_digits(method: Any) -> None:
    """Outcomes of ten binary places beside levels up to 2^36 are exact, so nothing is lost before the fit."""
    sample, estimator = people(), GroupTime(method=method)
    short = replace(sample, y=np.round(sample.y * 1024) / 1024)
    high = replace(short, y=short.y + 2.0**34 * (1 + sample.period))
    np.testing.assert_allclose(cells(high, estimator)[0], cells(short, estimator)[0], atol=1e-11, rtol=0)


def test_leaving_clusters_out_is_refitting_without_them() -> None:
    """CV3 over the rows of forty areas, against its formula."""
    sample = people(800)
    cluster = np.arange(800) % 40
    sample = replace(sample, cluster=cluster, clusters=tuple(f"g{g}" for g in range(40)), clustered=True)
    estimator, target = GroupTime(method="reg"), Target("average")
    answer = ClusterJackknife().run(estimator, cast("Panel", sample), target, streams=Streams(1), parallel=Parallel(1))
    assert isinstance(answer, Uncertainty)
    whole = evaluated(estimator, sample).effects.estimate[0]
    left = [
        evaluated(estimator, sample.drop(np.flatnonzero(cluster == g))).effects.estimate[0] - whole for g in range(40)
    ]
    assert answer.std_error[0] == pytest.approx(np.sqrt(39 / 40 * np.square(left).sum()), rel=1e-9)


def test_a_period_without_rows_of_a_group_is_no_base_and_is_told() -> None:
    """Nobody of the first cohort was asked in 2011, the period before its start, so 2010 is the base."""
    sample = people(400, covariates=())
    start = np.isin(sample.first, [2.0])
    asked = sample.drop(np.flatnonzero(start & (sample.period == 1)))
    found = GroupTime().fit(asked)
    assert not isinstance(found, Refused)
    assert "2012 was not sampled in 2011; its effects use the periods it was" in found.notes
    own = (found.cells.cohort == 2) & (found.cells.period == 2)
    mean = {
        (treated, t): np.average(asked.y[rows], weights=asked.weight[rows])
        for treated in (True, False)
        for t in (0, 2)
        if (rows := np.flatnonzero((asked.first == 2 if treated else asked.never) & (asked.period == t))).size
    }
    by_hand = mean[True, 2] - mean[True, 0] - mean[False, 2] + mean[False, 0]
    assert found.cells.effect[own] == pytest.approx([by_hand])
    assert not ((found.cells.cohort == 2) & (found.cells.period == 1)).any()


def test_masked_rows_do_not_serve_and_masked_periods_are_no_base() -> None:
    sample = people(covariates=())
    learn = np.ones(240, dtype=bool)
    learn[np.flatnonzero(sample.never)[::2]] = False
    learn[np.flatnonzero((sample.first == 3) & (sample.period == 2))[0]] = False
    kept = GroupTime().fit(sample.drop(np.flatnonzero(sample.never & ~learn)))
    masked = GroupTime().fit(sample, learn=learn)
    assert not isinstance(kept, Refused) and not isinstance(masked, Refused)
    same = masked.cells.cohort == 2
    np.testing.assert_allclose(masked.cells.effect[same], kept.cells.effect[kept.cells.cohort == 2], atol=1e-12)
    _, _, usable = strata_of(sample, learn)
    assert usable.tolist() == [[True] * 4, [True, True, False, True]]
    assert not ((masked.cells.cohort == 3) & (masked.cells.period == 2)).any()


# Refusals ---------------------------------------------------------------------------------------------------------


def said(sample: Sample, **how: Any) -> str:
    found = GroupTime(**how).fit(sample)
    assert isinstance(found, Refused), "this should have been refused"
    return str(found)


def small(rows: int, x: Any) -> Sample:
    """`rows` treated rows in either period, and forty controls."""
    count = 2 * rows + 40
    table = pd.DataFrame(
        {
            "year": np.r_[np.repeat([2010, 2011], rows), np.repeat([2010, 2011], 20)],
            "start": np.r_[np.full(2 * rows, 2011), np.zeros(40)],
            "y": np.random.default_rng(0).normal(size=count),
            "x": x(count),
        }
    )
    return Sample.from_frame(table, time="year", outcome="y", first_treated="start", covariates=["x"])


def test_too_few_treated_rows_for_their_own_regression() -> None:
    sample = small(1, lambda count: np.random.default_rng(1).normal(size=count))
    assert "1 treated rows of a period do not determine a regression of their own" in said(sample, method="dr")
    for method in ("reg", "ipw"):
        assert not isinstance(GroupTime(method=method).fit(sample), Refused)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["dr", "ipw"])
def test_separation_is_refused_with_the_name(method: Any) -> None:
    sample = small(6, lambda count: np.arange(count) % 11 + np.where(np.arange(count) < 12, 100.0, 0.0))
    text = said(sample, method=method)
    assert "the effect on 2011 in 2011 adjusted for x" in text and "because x separates" in text


def test_constant_covariates_and_missing_ones_are_refused() -> None:
    assert "collinear" in said(small(6, np.ones))
    sample = people()
    holes = replace(sample, covariates={"x": np.where(np.arange(240) == 3, np.nan, sample.covariates["x"])})
    assert "missing" in said(holes)


def test_nobody_treated_and_nobody_to_compare_with() -> None:
    sample = people()
    assert "no unit is treated" in said(sample.take(np.flatnonzero(sample.never)))
    assert "never-treated" in said(sample.take(np.flatnonzero(sample.treated)))
