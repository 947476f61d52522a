"""Leaving a cluster out of the moments is leaving its units out of the panel; halves add up to the whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.errors import Refused
from impact.estimators.did import DiD
from impact.estimators.extended_twfe import ExtendedTWFE
from impact.estimators.group_time import GroupTime
from impact.estimators.imputation import Imputation, TwoStage
from impact.estimators.stacked import Stacked
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
    Imputation(),
    Imputation(anticipation=1),
    TwoStage(),
    ExtendedTWFE(),
    ExtendedTWFE(control="never"),
    Stacked(before=1, after=1),
]
WITH_GAPS = [one for one in ESTIMATORS if not one.asks.balanced]
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


def gaps(panel: Panel, seed: int) -> Panel:
    """A tenth of the cells missing, in a few patterns; every unit is seen at least twice."""
    rng = np.random.default_rng(seed)
    y = panel.y.copy()
    for row in range(len(y)):
        lost = rng.choice(y.shape[1], rng.integers(0, 2), replace=False)
        y[row, lost] = np.nan
    return panel.with_outcome(y)


def same(estimator: Any, prepared: Panel) -> int:
    """Every deletion three ways: by refit, by subtraction, and all at once; returns how many were compared."""
    moments = Moments.of(prepared)
    assert moments is not None
    each = estimator.without_each(moments)
    compared = 0
    for cluster in range(len(prepared.clusters)):
        rest = prepared.drop(np.flatnonzero(prepared.cluster == cluster))
        direct, quick = cells(estimator, rest), estimator.cells(moments.without(cluster))
        if direct is None:
            continue  # the estimator asks for more (two controls, a start) than the sums can tell
        for found in (quick, each.at(list(each.clusters).index(cluster))):
            assert not isinstance(found, Refused)
            subtracted = named(found, prepared)
            assert subtracted.keys() == direct.keys()
            np.testing.assert_allclose([subtracted[key] for key in direct], list(direct.values()), atol=NEAR, rtol=0)
        compared += 1
    return compared


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
@pytest.mark.parametrize("target", [Target("average"), Target("unit")], ids=["by cohort", "by area"])
@given(panel=panels(), weighting=st.sampled_from(["unit", "area", "resident"]))
def test_a_cluster_left_out_by_subtraction(estimator: Any, target: Target, panel: Panel, weighting: Any) -> None:
    same(estimator, replace(target, weighting=weighting).prepare(panel))


@pytest.mark.parametrize("estimator", WITH_GAPS, ids=str)
@given(panel=panels(), seed=st.integers(0, 1000))
def test_a_cluster_left_out_of_a_panel_with_missing_cells(estimator: Any, panel: Panel, seed: int) -> None:
    same(estimator, gaps(panel, seed))


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
def test_the_comparison_of_deletions_compares(estimator: Any) -> None:
    panel = _plain(3)
    assert same(estimator, panel) == len(panel.clusters)


def _plain(seed: int, units: int = 40, length: int = 6, clusters: int = 8) -> Panel:
    """Two cohorts and never treated in every cluster."""
    rng = np.random.default_rng(seed)
    first = np.array([2.0, 4.0, NEVER, NEVER, NEVER])[np.arange(units) % 5]
    base = Panel(
        y=1e3 + rng.normal(size=(units, length)).cumsum(axis=1),
        first=np.full(units, NEVER),
        units=tuple(f"u{row:03}" for row in range(units)),
        periods=tuple(f"t{t}" for t in range(length)),
        cluster=(np.arange(units) // 5) % clusters,
        clusters=tuple(f"g{number}" for number in range(clusters)),
        area=np.full(units, -1),
        areas=(),
        weight=rng.uniform(0.5, 2, units),
        group=np.full(units, -1),
    )
    return base.assign(first)


@given(panel=panels(), weighting=st.sampled_from(["unit", "area", "resident"]), holes=st.booleans())
def test_sums_by_hand_and_parts_that_add_up(panel: Panel, weighting: Any, holes: bool) -> None:
    panel = panel.weighted(weighting)
    panel = gaps(panel, 1) if holes else panel
    moments = Moments.of(panel, products=True)
    assert moments is not None
    place, known = strata(panel)
    sums, mean = moments.sums, moments.mean
    assert sums.products is not None and moments.parts.products is not None
    for stratum, start in enumerate(known.first):
        rows = np.flatnonzero(place == stratum)
        assert (panel.first[rows] == start).all()
        assert (~np.isnan(panel.y[rows]) == known.seen[stratum]).all()
        assert sums.count[stratum] == (panel.weight[rows] > 0).sum()
        assert sums.weight[stratum] == pytest.approx(panel.weight[rows].sum())
        if sums.count[stratum]:
            expected = np.average(np.nan_to_num(panel.y[rows]), axis=0, weights=panel.weight[rows])
            np.testing.assert_allclose(mean[stratum], expected, rtol=1e-9)
        away = np.nan_to_num(panel.y[rows] - moments.shift)
        expected = (away * panel.weight[rows, None]).T @ away
        np.testing.assert_allclose(sums.products[stratum], expected, atol=1e-7)
    assert moments.parts.count.sum() == sums.count.sum()
    np.testing.assert_allclose(moments.parts.products.sum(axis=0), sums.products.sum(axis=0), atol=1e-7)


@given(panel=panels(), cut=st.integers(3, 8), holes=st.booleans(), weighting=st.sampled_from(["unit", "area"]))
def test_the_moments_of_two_halves_add_up_to_those_of_the_whole(
    panel: Panel, cut: int, holes: bool, weighting: Any
) -> None:
    """The halves have other units, other clusters and another shift; a name says what is the same."""
    panel = panel.weighted(weighting)
    panel = gaps(panel, 1) if holes else panel
    halves = [panel.take(np.arange(cut)), panel.take(np.arange(cut, len(panel.units)))]
    whole = Moments.by_cluster(panel, panel.weight, products=True)
    parts = [Moments.by_cluster(half, half.weight, products=True) for half in halves]
    merged = parts[0] + parts[1]
    assert_same_moments(merged, whole)
    if merged.serving is not None and whole.serving is not None:
        assert_same_moments(merged.serving, whole.serving)
    direct, added = Imputation().cells(whole), Imputation().cells(merged)
    assert isinstance(direct, Refused) == isinstance(added, Refused)
    if not isinstance(direct, Refused) and not isinstance(added, Refused):
        old, new = ({(n.strata.names[g], t): e for g, t, e in zip(c.group, c.period, c.effect, strict=True)}
                    for n, c in ((whole, direct), (merged, added)))  # fmt: skip
        assert old.keys() == new.keys()
        np.testing.assert_allclose([new[key] for key in old], list(old.values()), atol=NEAR)


def assert_same_moments(one: Moments, other: Moments) -> None:
    """Parts of one name hold the same, whatever the shift and the order."""
    found = [
        {
            (moments.clusters[cluster], moments.strata.labels()[stratum]): (
                moments.parts.count[part],
                moments.parts.weight[part],
                np.where(
                    moments.strata.seen[stratum],
                    moments.parts.total[part] + moments.parts.weight[part] * moments.shift,
                    0,
                ),
            )
            for part, (cluster, stratum) in enumerate(moments.rows)
        }
        for moments in (one, other)
    ]
    assert found[0].keys() == found[1].keys()
    for key, values in found[0].items():
        for mine, theirs in zip(values, found[1][key], strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-7)


def test_moments_that_do_not_fit_do_not_add_up() -> None:
    panel = _plain(1)
    moments = Moments.by_cluster(panel, panel.weight)
    with pytest.raises(ValueError, match="same periods"):
        moments + Moments.by_cluster(panel.until(5), panel.weight)
    with pytest.raises(ValueError, match="products"):
        moments + Moments.by_cluster(panel, panel.weight, products=True)
    with pytest.raises(ValueError, match="serving"):
        by_area = panel.weighted("area")
        moments + Moments.by_cluster(by_area, by_area.weight)


def test_an_outcome_with_a_large_mean_loses_nothing() -> None:
    """Mean 1e6, SD 1: effects and errors are those of the same outcome around 0, and one cluster can be left."""
    panel = _plain(2)
    near = panel.with_outcome(panel.y - 1e3)
    far = panel.with_outcome(near.y + 1e6)
    for estimator in ESTIMATORS:
        fits = [estimator.fit(one) for one in (near, far)]
        np.testing.assert_allclose(fits[1].cells.effect, fits[0].cells.effect, atol=1e-9)
        eye = np.eye(len(fits[0].cells.effect))
        np.testing.assert_allclose(
            fits[1].cells.scores.covariance(eye), fits[0].cells.scores.covariance(eye), rtol=1e-7, atol=1e-12
        )
    for cluster in range(len(panel.clusters) - 1):  # down to one remaining cluster
        keep = np.flatnonzero(panel.cluster > cluster)
        expected = Moments.by_cluster(near.take(keep), near.weight[keep])
        rest = Moments.by_cluster(
            far.take(np.flatnonzero(panel.cluster >= cluster)), far.weight[panel.cluster >= cluster]
        )
        np.testing.assert_allclose(
            rest.without(0).mean - 1e6, expected.mean, atol=1e-8, err_msg=f"without cluster {cluster}"
        )


@given(panel=panels())
def test_where_sums_do_not_suffice_there_are_none(panel: Panel) -> None:
    assert Moments.of(panel) is not None
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
