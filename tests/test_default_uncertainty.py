"""The default uncertainty to the letter of its rules, on the programme's own shape: 20 areas in 19 gemeenten."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import pytest

from impact.estimators.did import DiD
from impact.estimators.group_time import GroupTime
from impact.estimators.imputation import Imputation
from impact.estimators.protocol import Gives
from impact.estimators.sun_abraham import SunAbraham
from impact.estimators.twfe import TWFE
from impact.inference.cluster import ClusterJackknife
from impact.inference.flip import ScoreFlip
from impact.inference.protocol import Found, Uncertainty, evaluate
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target

PERIODS = range(2015, 2025)
# Starts of the 20 areas: one in 2018, fifteen in 2020, four in 2022. Areas 1 and 2 lie in one gemeente.
STARTS = [2018, *[2020] * 15, *[2022] * 4]


def table(seed: int = 0, controls: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    units = []
    for area, start in enumerate(STARTS):
        gemeente = f"G{area - (area >= 2):02}"
        units += [(f"w{area:02}{letter}", f"area {area}", gemeente, start) for letter in "ab"]
    units += [(f"c{row:02}", None, f"C{row // 2:02}", None) for row in range(controls)]
    rows = []
    for unit, area, gemeente, start in units:
        level, x = rng.normal(size=2)
        path = level + 0.2 * x * np.arange(10) + rng.normal(size=10)
        rows += [
            (unit, area, gemeente, start, year, x, y + 0.5 * (start is not None and year >= start))
            for year, y in zip(PERIODS, path, strict=True)
        ]
    return pd.DataFrame(rows, columns=["unit", "area", "gemeente", "start", "year", "x", "y"])


def panel_of(frame: pd.DataFrame, **more: Any) -> Panel:
    return Panel.from_frame(
        frame, unit="unit", time="year", outcome="y", first_treated="start", area="area", cluster="gemeente", **more
    )


def run(inference: Any, estimator: Any, panel: Panel, target: Target | None = None) -> Uncertainty:
    found = inference.run(estimator, panel, target or Target(), streams=Streams(1), parallel=Parallel())
    assert isinstance(found, Uncertainty), str(found)
    return found


def estimate(estimator: Any, panel: Panel, target: Target | None = None) -> Found:
    found = evaluate(estimator, panel, target or Target())
    assert isinstance(found, Found)
    return found


EVERY = [DiD(), GroupTime(), GroupTime(control="not-yet"), Imputation(), SunAbraham(), TWFE()]
GAPPY = [estimator for estimator in EVERY if not estimator.asks.balanced]


@pytest.mark.parametrize("estimator", EVERY, ids=str)
@pytest.mark.parametrize("weighting", ["unit", "area"])
def test_the_2022_cohort_of_four_gemeenten_gives_t3(estimator: Any, weighting: Any) -> None:
    """The degrees of freedom are those of the term: 1, 14, 4 and 19 treated gemeenten, never those of the panel."""
    found = run(ClusterJackknife(), estimator, panel_of(table()), Target("cohort", weighting))
    np.testing.assert_array_equal(found.treated_clusters, [1, 14, 4, 19])
    assert found.refused[0] is not None and "1 treated clusters" in found.refused[0].because
    np.testing.assert_array_equal(found.df[1:], [13, 3, 18])
    assert np.isnan(found.df[0])


@pytest.mark.parametrize("estimator", GAPPY, ids=str)
@pytest.mark.parametrize("weighting", ["unit", "area"])
@pytest.mark.parametrize("absent", ["everything", "after the start"])
def test_a_survey_with_nine_treated_gemeenten_gives_t8(estimator: Any, weighting: Any, absent: str) -> None:
    """The survey was not held in the areas of the others, or no more once the programme had started there."""
    frame = table()
    silent = frame["start"].notna() & (frame["gemeente"] > "G08")
    frame = frame[~silent | ((absent != "everything") & (frame["year"] < frame["start"]))]
    found = run(ClusterJackknife(), estimator, panel_of(frame), Target("average", weighting))
    assert found.treated_clusters[0] == 9
    assert found.df[0] == 8


@pytest.mark.parametrize("estimator", EVERY, ids=str)
def test_every_deletion_is_a_literal_refit_that_counts(estimator: Any) -> None:
    """From the table without the gemeente; without the sole one of 2018 the others are averaged over what is left."""
    frame, target = table(), Target("average", "area")
    panel = panel_of(frame)
    full = estimate(estimator, panel, target).effects.estimate[0]
    names = sorted(frame["gemeente"].unique())
    away = np.array(
        [
            estimate(estimator, panel_of(frame[frame["gemeente"] != name]), target).effects.estimate[0] - full
            for name in names
        ]
    )
    found = run(ClusterJackknife(), estimator, panel, target)
    assert (found.draws, found.attempted) == (len(names), len(names)) == (39, 39)
    assert away[names.index("G00")] != 0
    assert found.std_error[0] == pytest.approx(np.sqrt(38 / 39 * (away**2).sum()), rel=1e-8)


@pytest.mark.parametrize("method", ["dr", "ipw", "reg"])
def test_what_learns_from_covariates_is_refitted_without_every_gemeente(method: Any) -> None:
    frame = table()
    estimator = GroupTime(method=method)
    panel = panel_of(frame, covariates=["x"])
    full = estimate(estimator, panel).effects.estimate[0]
    names = sorted(frame["gemeente"].unique())
    parts = [panel_of(frame[frame["gemeente"] != name], covariates=["x"]) for name in names]
    away = np.array([estimate(estimator, part).effects.estimate[0] - full for part in parts])
    found = run(ClusterJackknife(), estimator, panel)
    assert found.std_error[0] == pytest.approx(np.sqrt(38 / 39 * (away**2).sum()), rel=1e-8)


def test_matched_weights_are_held_and_go_with_their_area() -> None:
    """By hand: every area less its own controls, who keep their weights; what a deleted control weighed its area's
    other controls take over, and the controls of a deleted area go with it."""
    panel = panel_of(table())
    rng = np.random.default_rng(5)
    pairs = rng.uniform(size=(len(panel.areas), len(panel.units))) * panel.never
    pairs *= rng.uniform(size=pairs.shape) < 0.15
    pairs[:, np.flatnonzero(panel.never)[:4]] += 0.05
    panel = panel.with_pairs(pairs)
    gemeente = np.array(panel.clusters)[panel.cluster]

    def literal(without: str) -> float:
        here = gemeente != without
        terms = []
        for area in range(len(panel.areas)):
            own = np.flatnonzero((panel.area == area) & here)
            if not own.size:
                continue
            start = int(panel.first[own[0]])
            weight = np.where(here, pairs[area], 0.0)
            gap = panel.y[own].mean(axis=0) - weight @ panel.y / weight.sum()
            terms.append((gap[start:] - gap[:start].mean()).mean())
        return float(np.mean(terms))

    target = Target("average", "area")
    names = [name for number, name in enumerate(panel.clusters) if ((panel.cluster == number) & _weighing(panel)).any()]
    full = literal("")
    # Cohorts pool the controls of their areas, each by what it weighs; with one start a cohort that is the mean.
    assert estimate(DiD(), panel, target).effects.estimate[0] == pytest.approx(full, rel=1e-10)
    away = np.array([literal(name) - full for name in names])
    found = run(ClusterJackknife(), DiD(), panel, target)
    assert found.attempted == len(names)
    error = np.sqrt((len(names) - 1) / len(names) * (away**2).sum())
    assert found.std_error[0] == pytest.approx(error, rel=1e-8)


def _weighing(panel: Panel) -> np.ndarray:
    assert panel.pairs is not None
    return np.asarray(panel.treated | (panel.pairs > 0).any(axis=0))


@pytest.mark.parametrize("estimator", EVERY, ids=str)
def test_areas_of_one_gemeente_are_flipped_together(estimator: Any) -> None:
    """Three treated areas in two gemeenten and four control gemeenten: 2^6 vectors of signs, not 2^7."""
    frame = table(controls=8)
    panel = panel_of(frame[frame["area"].isin(["area 1", "area 2", "area 3"]) | frame["area"].isna()])
    found = run(ScoreFlip(), estimator, panel)
    assert Gives.SCORES in estimator.gives and found.draws == 2**6
    imposed = estimate(estimator, panel).effects.imposed
    assert imposed is not None and len(imposed) == len(panel.clusters) == 6
    total = abs(imposed.sum())
    flips = [abs(np.dot(signs, imposed[:, 0])) for signs in itertools.product((-1, 1), repeat=6)]
    assert found.p_value[0] == pytest.approx(np.mean(np.array(flips) >= total * (1 - 1e-9)))
