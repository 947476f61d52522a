"""Leaving a cluster out of the moments is the same as leaving its units out of the panel, for any panel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.errors import Refused
from impact.estimators.did import DiD
from impact.estimators.group_time import GroupTime
from impact.inference.cluster import ClusterJackknife
from impact.inference.protocol import Found, Uncertainty, evaluate
from impact.numerics.moments import Moments, strata
from impact.panel import NEVER, Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target

ESTIMATORS = [
    DiD(),
    DiD(anticipation=1),
    GroupTime(),
    GroupTime(control="not-yet"),
    GroupTime(base="universal", anticipation=1),
    GroupTime(control="not-yet", base="universal"),
]
NEAR = 1e-9  # outcomes up to 1e3 in size, and a subtraction


@st.composite
def panels(draw: st.DrawFn) -> Panel:
    """3 to 6 treated areas of 1 to 3 units, each within one of a few clusters that also hold controls; some start after
    the last period, some units have no weight; outcomes far from 0."""
    seed = draw(st.integers(0, 10_000))
    rng = np.random.default_rng(seed)
    length = draw(st.integers(4, 7))
    areas = draw(st.integers(3, 6))
    clusters = draw(st.integers(4, 7))
    starts = rng.integers(1, length + 2, areas).astype(float)
    starts[0] = length - 1.0
    home = rng.integers(0, clusters, areas)
    area = np.repeat(np.arange(areas), rng.integers(1, 4, areas))
    controls = draw(st.integers(clusters + 2, 12))
    count = len(area) + controls
    first = np.concatenate([starts[area], np.full(controls, NEVER)])
    cluster = np.concatenate([home[area], np.arange(controls) % clusters])
    weight = rng.uniform(0.3, 3, count)
    weight[rng.uniform(size=count) < 0.1] = 0.0
    weight[[0, -1, -2]] = 1.0
    names = tuple(f"u{row}" for row in range(count))
    y = (
        rng.normal(size=(count, 1))
        + rng.normal(size=(count, length)).cumsum(axis=1)
        + draw(st.sampled_from([0.0, 1e3]))
    )
    base = Panel(
        y=y,
        first=np.full(count, NEVER),
        units=names,
        periods=tuple(f"t{t}" for t in range(length)),
        cluster=cluster,
        clusters=tuple(f"g{number}" for number in range(clusters)),
        area=np.full(count, -1),
        areas=(),
        weight=weight,
        group=np.full(count, -1),
        residents=rng.uniform(100, 9000, count),
    )
    panel = base.assign(
        first, np.concatenate([area, np.full(controls, -1)]), tuple(f"A{number}" for number in range(areas))
    )
    return panel.take(rng.permutation(count))


def cells(estimator: Any, panel: Panel) -> dict[tuple[str, str], float] | None:
    fit = estimator.fit(panel)
    return None if isinstance(fit, Refused) else named(fit.cells, panel)


def named(found: Any, panel: Panel) -> dict[tuple[str, str], float]:
    return {
        (panel.group_names[group], panel.periods[period]): effect
        for group, period, effect in zip(found.group, found.period, found.effect, strict=True)
    }


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
@pytest.mark.parametrize("target", [Target("average"), Target("unit")], ids=["by cohort", "by area"])
@given(panel=panels(), weighting=st.sampled_from(["unit", "area", "resident"]))
def test_a_cluster_left_out_by_subtraction(estimator: Any, target: Target, panel: Panel, weighting: Any) -> None:
    prepared = replace(target, weighting=weighting).prepare(panel)
    moments = Moments.of(prepared)
    assert moments is not None
    for cluster in range(len(panel.clusters)):
        rest = prepared.drop(np.flatnonzero(panel.cluster == cluster))
        direct, quick = cells(estimator, rest), estimator.cells(moments.without(cluster))
        if direct is None:
            continue  # the estimator asks for more (two controls, a start) than the sums can tell
        assert not isinstance(quick, Refused)
        subtracted = named(quick, prepared)
        assert subtracted.keys() == direct.keys()
        np.testing.assert_allclose([subtracted[key] for key in direct], list(direct.values()), atol=NEAR, rtol=0)


@given(panel=panels(), weighting=st.sampled_from(["unit", "area", "resident"]))
def test_sums_by_hand_and_parts_that_add_up(panel: Panel, weighting: Any) -> None:
    panel = panel.weighted(weighting)
    moments = Moments.of(panel)
    assert moments is not None
    place, first = strata(panel)
    for stratum, start in enumerate(first):
        rows = np.flatnonzero(place == stratum)
        assert (panel.first[rows] == start).all()
        assert moments.count[stratum] == (panel.weight[rows] > 0).sum()
        assert moments.weight[stratum] == pytest.approx(panel.weight[rows].sum())
        if moments.count[stratum]:
            np.testing.assert_allclose(
                moments.mean[stratum], np.average(panel.y[rows], axis=0, weights=panel.weight[rows]), rtol=1e-9
            )
    assert moments.part_count.sum() == moments.count.sum()
    np.testing.assert_allclose(moments.part_total.sum(axis=0), moments.total.sum(axis=0), atol=NEAR)
    np.testing.assert_allclose(moments.part_weight.sum(), moments.weight.sum())


@given(panel=panels())
def test_where_sums_do_not_suffice_there_are_none(panel: Panel) -> None:
    missing = panel.y.copy()
    missing[0, 0] = np.nan
    assert Moments.of(panel.with_outcome(missing)) is None
    assert Moments.of(replace(panel, covariates={"x": np.ones((len(panel.units), 1))})) is None
    assert Moments.of(panel.with_pairs(np.tile(panel.never / panel.never.sum(), (len(panel.areas), 1)))) is None


def test_an_area_over_two_clusters_is_refitted(area_over_two: Panel) -> None:
    assert Moments.of(area_over_two) is None


@pytest.mark.parametrize("matched", [False, True])
@pytest.mark.parametrize("kind", ["average", "event", "unit"])
def test_the_jackknife_of_what_has_no_moments_is_that_of_refits(area_over_two: Panel, matched: bool, kind: Any) -> None:
    """An area over two clusters weighted by area (the rest of it counts for all), and matched controls."""
    panel = area_over_two
    if matched:
        rng = np.random.default_rng(2)
        panel = panel.with_pairs(rng.uniform(size=(len(panel.areas), len(panel.units))) * panel.never)
    target = Target(kind, "area")
    full = evaluate(GroupTime(), panel, target)
    assert isinstance(full, Found)
    errors = ClusterJackknife().run(GroupTime(), panel, target, streams=Streams(1), parallel=Parallel())
    assert isinstance(errors, Uncertainty)
    count = len(panel.clusters)
    away = np.zeros((count, len(full.effects.terms)))
    for cluster in range(count):
        rest = evaluate(GroupTime(), panel.drop(np.flatnonzero(panel.cluster == cluster)), target)
        assert isinstance(rest, Found)
        values = dict(zip(rest.effects.terms, rest.effects.estimate, strict=True))
        away[cluster] = [values.get(term, np.nan) for term in full.effects.terms] - full.effects.estimate
    weighing = (np.abs(away) > 1e-12).sum(axis=0)  # a cluster without weight in the term moves nothing
    expected = np.sqrt((weighing - 1) / weighing * (away**2).sum(axis=0))
    given_ = np.array([reason is None for reason in errors.refused])
    assert given_.any() == (kind != "unit")
    np.testing.assert_allclose(errors.std_error[given_], expected[given_], rtol=1e-9)


@pytest.fixture
def area_over_two() -> Panel:
    rng = np.random.default_rng(4)
    count = 24
    area = np.concatenate([np.repeat(np.arange(6), 2), np.full(12, -1)])
    cluster = np.concatenate([np.repeat(np.arange(6), 2), 6 + np.arange(12) // 2])
    cluster[1] = 1
    first = np.where(area >= 0, 2.0 + area % 2, NEVER)
    names = tuple(f"u{row:02}" for row in range(count))
    return Panel(
        y=rng.normal(size=(count, 5)),
        first=first,
        units=names,
        periods=("1", "2", "3", "4", "5"),
        cluster=cluster,
        clusters=tuple(f"g{number}" for number in range(12)),
        area=area,
        areas=tuple("ABCDEF"),
        weight=rng.uniform(1, 2, count),
        group=np.where(area >= 0, area % 2, -1),
    )
