"""The wild bootstrap against literal regressions on every vector of signs."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from impact.arrays import Float1, Float2
from impact.errors import Refused
from impact.estimators.did import DiD
from impact.estimators.group_time import GroupTime
from impact.estimators.imputation import Imputation
from impact.estimators.sun_abraham import SunAbraham
from impact.estimators.twfe import TWFE
from impact.inference.protocol import Found, Uncertainty, evaluate
from impact.inference.wild import SubclusterWild, Wild
from impact.numerics.resample import POINTS, count_all, draw_blocks
from impact.panel import NEVER, Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target
from tests.test_inference import panel_of

SIZES = [2, 1, 2, 1, 2, 2]  # units in each of six clusters; five hold treated units
STARTS = [2.0, NEVER, 2.0, 3.0, NEVER, 3.0, 3.0, NEVER, NEVER, NEVER]


def world(seed: int = 1, weighted: bool = True) -> Panel:
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(6), SIZES)
    y = rng.normal(size=(10, 5)) + 0.7 * rng.normal(size=6)[cluster][:, None] * np.arange(5) / 4
    weight = rng.uniform(0.5, 2, 10) if weighted else np.ones(10)
    return panel_of(y + 0.6 * (np.arange(5) >= np.array(STARTS)[:, None]), STARTS, cluster, weight)


# The plain way: dummies, refits, and one vector of signs after another ----------------------------------------------


def two_way_residual(y: Float2, weight: Float1, more: Float2 | None = None) -> Float2:
    """Residual of weighted least squares on unit and period dummies, and on columns `more`."""
    units, periods = y.shape
    columns = [np.kron(np.eye(units), np.ones((periods, 1))), np.kron(np.ones((units, 1)), np.eye(periods))]
    x = np.column_stack([*columns, *([] if more is None else [more.reshape(units * periods, -1)])])
    root = np.sqrt(np.repeat(weight, periods))
    coefficient = np.linalg.lstsq(x * root[:, None], y.ravel() * root, rcond=None)[0]
    return np.asarray(y - (x @ coefficient).reshape(y.shape))


def estimate(estimator: Any, panel: Panel, target: Target) -> Found:
    found = evaluate(estimator, panel, target)
    assert isinstance(found, Found)
    return found


def effects(found: Found) -> Float2:
    """(N, T) the effect of the cell of every treated unit after its start."""
    out = np.zeros(found.panel.y.shape)
    cells = found.fit.cells
    for group, period, effect, post in zip(cells.group, cells.period, cells.effect, cells.post, strict=True):
        if post:
            out[found.panel.group == group, period] = effect
    return out


def literal(estimator: Any, panel: Panel, target: Target, null: float, restricted: bool, points: Float1) -> float:
    """p of the average being `null`, by refits on all vectors of weights by cluster."""
    found = estimate(estimator, panel, target)
    weight, observed = panel.weight, float(found.effects.estimate[0])
    # What every outcome counts for: the estimate on an outcome that is 1 there and 0 elsewhere.
    pull = np.zeros(panel.y.shape)
    for at in np.ndindex(panel.y.shape):
        alone = np.zeros(panel.y.shape)
        alone[at] = 1.0
        pull[at] = estimate(estimator, panel.with_outcome(alone), target).effects.estimate[0]

    def statistic(y: Float2, centre: float) -> float:
        again = estimate(estimator, panel.with_outcome(y), target)
        unit = (pull * two_way_residual(y - effects(again), weight)).sum(axis=1)
        error = np.sqrt((np.bincount(panel.cluster, weights=unit) ** 2).sum())
        return abs(float(again.effects.estimate[0]) - centre) / error

    treated = (np.arange(panel.y.shape[1]) >= panel.first[:, None]).astype(float)
    residual = two_way_residual(panel.y - (null * treated if restricted else effects(found)), weight)
    draws = [
        statistic(panel.y - residual + np.array(v)[panel.cluster][:, None] * residual, null if restricted else observed)
        for v in itertools.product(points, repeat=panel.cluster.max() + 1)
    ]
    beyond = int((np.array(draws) >= statistic(panel.y, null) * (1 - 1e-9)).sum())
    # Without the null in the draws the estimate is not one of them, and is counted beside them.
    return beyond / len(draws) if restricted else (1 + beyond) / (1 + len(draws))


def given(found: Uncertainty | Refused) -> Uncertainty:
    assert isinstance(found, Uncertainty), str(found)
    return found


def run(inference: Any, estimator: Any, panel: Panel, target: Target | None = None, seed: int = 1) -> Uncertainty:
    return given(inference.run(estimator, panel, target or Target(), streams=Streams(seed), parallel=Parallel()))


@pytest.mark.parametrize("estimator", [TWFE(), GroupTime(), DiD(), Imputation(), SunAbraham()], ids=lambda e: e.name)
@pytest.mark.parametrize("restricted", [True, False], ids=["restricted", "unrestricted"])
def test_full_enumeration_is_brute_force(estimator: Any, restricted: bool) -> None:
    panel = world()
    found = run(Wild(residuals="restricted" if restricted else "unrestricted"), estimator, panel)
    assert (found.draws, found.attempted) == (64, 64)
    assert found.mc_error is not None and found.mc_error[0] == 0
    expected = literal(estimator, panel, Target(), 0.0, restricted, POINTS["rademacher"])
    assert found.p_value[0] == pytest.approx(expected, abs=1e-12)
    # The ends of the interval are where the literal test begins to reject.
    assert found.low[0] < estimate(estimator, panel, Target()).effects.estimate[0] < found.high[0]
    for end, out in ((found.low[0], -1.0), (found.high[0], 1.0)):
        step = 1e-3 * found.std_error[0] * out
        if np.isfinite(end) and estimator.name in ("twfe", "group-time"):
            inside, outside = (
                literal(estimator, panel, Target(), float(end + k * step), restricted, POINTS["rademacher"])
                for k in (-1, 1)
            )
            assert inside > 0.05 >= outside


def test_two_way_regression_with_textbook_formulas() -> None:
    """No part of the package: restricted least squares with dummies, refits, errors clustered by the sandwich."""
    panel = world(3, weighted=False)
    treated = (np.arange(5) >= panel.first[:, None]).astype(float)

    def fitted(y: Float2) -> tuple[float, float]:
        rest = two_way_residual(treated, panel.weight)
        total = (rest**2).sum()
        residual = two_way_residual(y, panel.weight, treated)
        scores = np.bincount(panel.cluster, weights=(rest * residual).sum(axis=1)) / total
        return float((rest * y).sum() / total), float(np.sqrt((scores**2).sum()))

    beta, error = fitted(panel.y)
    residual = two_way_residual(panel.y, panel.weight)
    draws = []
    for v in itertools.product((-1.0, 1.0), repeat=6):
        again = fitted(panel.y - residual + np.array(v)[panel.cluster][:, None] * residual)
        draws.append(abs(again[0] / again[1]))
    found = run(Wild(), TWFE(), panel)
    assert found.std_error[0] == pytest.approx(error, rel=1e-10)
    assert found.p_value[0] == pytest.approx(np.mean(np.array(draws) >= abs(beta / error) * (1 - 1e-9)), abs=1e-12)


def test_six_points_enumerated_on_few_clusters() -> None:
    """Four clusters, 6^4 vectors."""
    rng = np.random.default_rng(5)
    panel = panel_of(rng.normal(size=(8, 3)), [2.0, NEVER] * 4, np.repeat(np.arange(4), 2))
    found = run(Wild(weights="webb"), TWFE(), panel)
    assert found.draws == 6**4
    assert found.p_value[0] == pytest.approx(literal(TWFE(), panel, Target(), 0.0, True, POINTS["webb"]), abs=1e-12)


@pytest.mark.parametrize("weights", ["rademacher", "webb"])
def test_random_draws_agree_with_all(weights: Any) -> None:
    panel = world()
    every = run(Wild(weights=weights, draws=6**6), GroupTime(), panel)
    drawn = run(Wild(weights=weights, draws=63 if weights == "rademacher" else 9999), GroupTime(), panel)
    assert every.mc_error is not None and every.mc_error[0] == 0
    assert drawn.mc_error is not None and drawn.mc_error[0] > 0
    assert abs(drawn.p_value[0] - every.p_value[0]) < 4 * drawn.mc_error[0]


def test_parts_of_clusters_against_the_plain_way() -> None:
    """Signs of units, errors of clusters: 2^9 vectors on nine units in five clusters."""
    rng = np.random.default_rng(5)
    cluster = np.array([0, 0, 1, 1, 2, 2, 3, 3, 4])
    panel = panel_of(rng.normal(size=(9, 3)), [2.0, NEVER] * 4 + [NEVER], cluster)
    treated = (np.arange(3) >= panel.first[:, None]).astype(float)

    def fitted(y: Float2) -> float:
        rest, residual = two_way_residual(treated, panel.weight), two_way_residual(y, panel.weight, treated)
        scores = np.bincount(cluster, weights=(rest * residual).sum(axis=1))
        return abs(float((rest * y).sum())) / float(np.sqrt((scores**2).sum()))

    residual = two_way_residual(panel.y, panel.weight)
    draws = [
        fitted(panel.y - residual + np.array(v)[:, None] * residual) for v in itertools.product((-1.0, 1.0), repeat=9)
    ]
    expected = np.mean(np.array(draws) >= fitted(panel.y) * (1 - 1e-9))
    for parts in ("unit", "area"):  # every treated unit is its own area here
        found = run(SubclusterWild(parts=parts), TWFE(), panel)
        assert found.draws == 512
        assert found.p_value[0] == pytest.approx(expected, abs=1e-12)


def test_units_of_an_area_change_sign_together() -> None:
    """Of ten units, two areas of two: one lies in one cluster and has one sign, the other in two and has two."""
    panel = world()
    area, first = panel.area.copy(), panel.first.copy()
    first[1], area[1] = first[0], area[0]
    area[5] = area[3]
    joined = panel.assign(first, area, panel.areas)
    assert run(SubclusterWild(), DiD(), joined).draws == 2**9
    assert run(SubclusterWild(parts="unit", draws=2**10), DiD(), joined).draws == 2**10


def test_terms_before_the_start_are_tested_by_themselves() -> None:
    """By event, each against the literal refits of its own coefficient in a saturated regression."""
    panel = world(2, weighted=False)
    target = Target("event")
    found = run(Wild(), SunAbraham(), panel, target)
    terms = estimate(SunAbraham(), panel, target).effects.terms
    given = {term: found.refused[number] is None for number, term in enumerate(terms)}
    assert given["-2"] and given["0"]
    assert np.isfinite(found.p_value[[number for number, term in enumerate(terms) if given[term]]]).all()


def test_fewer_than_four_treated_clusters_are_refused() -> None:
    panel = world().drop([0, 2])
    found = run(Wild(), DiD(), panel)
    assert found.refused[0] is not None and "fewer than 4" in found.refused[0].because
    assert np.isnan([found.p_value[0], found.low[0], found.std_error[0]]).all()


def test_a_cluster_alone_in_its_cohort_has_residuals_only_under_the_null() -> None:
    panel = world()
    first = panel.first.copy()
    first[0] = 4.0
    alone = panel.assign(first)
    assert run(Wild(), GroupTime(), alone).refused[0] is None
    bare = run(Wild(residuals="unrestricted"), GroupTime(), alone).refused[0]
    assert bare is not None and "g1 alone" in bare.because
    # A single coefficient for all of them leaves every cluster its own residual.
    assert run(Wild(residuals="unrestricted"), TWFE(), alone).refused[0] is None


def test_what_is_no_sum_of_outcomes_is_refused() -> None:
    from impact.estimators.poisson import Poisson

    panel = world().with_outcome(np.exp(world().y))
    found = Wild().run(Poisson(), panel, Target(), streams=Streams(1), parallel=Parallel())
    assert isinstance(found, Refused) and "poisson" in found.because


def test_no_interval_where_nothing_is_rejected() -> None:
    """Four clusters: of 2^4 vectors two have the largest |t|, so p is never below 1/8 and the interval has no end."""
    rng = np.random.default_rng(0)
    panel = panel_of(rng.normal(size=(8, 3)), [2.0, NEVER] * 4, np.repeat(np.arange(4), 2))
    found = run(Wild(), TWFE(), panel)
    assert found.p_value[0] >= 1 / 8
    assert (found.low[0], found.high[0]) == (-np.inf, np.inf)
    assert run(Wild(residuals="unrestricted"), TWFE(), panel).high[0] == np.inf


def test_what_effects_are_made_of_is_not_kept_where_it_is_much(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = run(Wild(), GroupTime(), world(), Target("event"))
    monkeypatch.setattr("impact.inference.two_way._MOST", 0)
    made = run(Wild(), GroupTime(), world(), Target("event"))
    np.testing.assert_array_equal(kept.p_value, made.p_value)
    np.testing.assert_array_equal(kept.low, made.low)


def test_the_first_draws_of_a_long_run_are_those_of_a_short_one() -> None:
    for weights in ("rademacher", "webb"):
        long, short = (
            np.concatenate(list(draw_blocks(weights, 13, count, Streams(3).generator()))) for count in (90_000, 50)
        )
        np.testing.assert_array_equal(long[:50], short)
        assert abs(long.mean()) < 0.01 and long.var() == pytest.approx(1, abs=0.01)
    assert count_all("rademacher", 100) == np.inf
    every = np.concatenate(list(draw_blocks("webb", 3, 216, Streams(3).generator(), enumerate_all=True)))
    assert len(np.unique(every, axis=0)) == 216


@pytest.mark.parametrize("bad", [{"weights": "normal"}, {"draws": 10}, {"residuals": "none"}, {"level": 1.0}], ids=str)
def test_parameters_that_are_not_allowed(bad: Any) -> None:
    for made in (Wild, SubclusterWild):
        with pytest.raises(ValueError, match=next(iter(bad))):
            made(**bad)
    with pytest.raises(ValueError, match="parts"):
        SubclusterWild(parts="cluster")  # type: ignore[arg-type]
