"""What every registered inference keeps, with every registered estimator."""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from impact.errors import Refused
from impact.estimators.registry import ESTIMATORS
from impact.estimators.registry import resolve as estimator_named
from impact.inference.placebo_sets import Drawn, draw
from impact.inference.protocol import Found, Inference, Uncertainty, evaluate
from impact.inference.registry import INFERENCES
from impact.inference.registry import resolve as inference_named
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target
from tests.contract.worlds import contents, frame, panel_of

DRAWN = {
    "score-flip": 499,
    "placebo-space": 40,
    "multiplier": 499,
    "bootstrap": 25,
    "prediction-interval": 80,
    "wild": 499,
    "subcluster-wild": 499,
    "randomization-t": 24,
    "conley-taber": 499,
    "ferman-pinto": 499,
}
EVERY = pytest.mark.parametrize(("inference", "estimator"), [(i, e) for i in INFERENCES for e in ESTIMATORS])
NUMBERS = ("std_error", "df", "low", "high", "p_value")
# An estimator without influence scores (or weights) has no inference that needs them: that it is refused is expected.
NO_SCORES = {(i, e) for i in INFERENCES for e in ESTIMATORS if inference_named(i).needs & ~estimator_named(e).gives}

# An effect for every group and period leaves nothing that units share in a period; of regressions by cohort, and of
# poisson, the scores are not known by period.
NOTHING_SHARED = {("driscoll-kraay", e) for e in ESTIMATORS if e != "twfe"}
REFUSED = NO_SCORES | NOTHING_SHARED

# Effects of these are proportions, the same in every unit of the outcome.
PROPORTIONS = {"poisson"}


# A constant effect has no pre-period cells, hence no RMSPE to divide by.
OPTIONS: dict[tuple[str, str], dict[str, Any]] = {("placebo-space", "twfe"): {"statistic": "estimate"}}


@cache
def world() -> Panel:
    return placed(panel_of(frame()))


def placed(panel: Panel) -> Panel:
    """With places, in metres: of a gemeente near each other."""
    generator = np.random.default_rng(1)
    middle = generator.uniform(0, 100_000, (len(panel.clusters), 2))
    return replace(panel, place=middle[panel.cluster] + generator.uniform(0, 2_000, (len(panel.units), 2)))


def made(name: str, **options: Any) -> Inference:
    draws = {"draws": DRAWN[name]} if name in DRAWN else {}
    return inference_named(name)(**draws | options)


def run(
    inference: str,
    estimator: str,
    panel: Panel,
    target: Target | None = None,
    *,
    seed: int = 1,
    workers: int = 1,
    **options: Any,
) -> Uncertainty | Refused:
    return made(inference, **OPTIONS.get((inference, estimator), {}) | options).run(
        estimator_named(estimator)(), panel, target or Target(), streams=Streams(seed), parallel=Parallel(workers)
    )


@cache
def plain(inference: str, estimator: str) -> Uncertainty | Refused:
    return run(inference, estimator, world())


def same(first: Uncertainty | Refused, second: Uncertainty | Refused, *, times: float = 1.0, rtol: float = 0.0) -> None:
    if isinstance(first, Refused) or isinstance(second, Refused):
        assert first == second
        return
    for name in NUMBERS:
        scale = times if name in ("std_error", "low", "high") else 1.0
        np.testing.assert_allclose(getattr(second, name), scale * getattr(first, name), rtol=rtol, err_msg=name)
    assert (first.draws, first.attempted, len(first.failures)) == (second.draws, second.attempted, len(second.failures))
    assert first.kind == second.kind
    if first.band is not None and second.band is not None:
        for name in ("low", "high"):
            expected = times * getattr(first.band, name)
            np.testing.assert_allclose(getattr(second.band, name), expected, rtol=rtol, err_msg=f"band {name}")


def test_every_registered_inference_follows_the_protocol() -> None:
    assert all(isinstance(made(name), Inference) and made(name).name == name for name in INFERENCES)


@EVERY
def test_gives_an_uncertainty_or_says_why_not(inference: str, estimator: str) -> None:
    found = plain(inference, estimator)
    assert isinstance(found, Refused) == ((inference, estimator) in REFUSED)
    if isinstance(found, Refused):
        assert estimator in found.because and found.instead


@EVERY
@pytest.mark.parametrize("kind", ["event", "unit"])
def test_every_term_has_numbers_or_a_reason(inference: str, estimator: str, kind: Any) -> None:
    panel, target = world(), Target(kind, "area")
    found = run(inference, estimator, panel, target)
    if isinstance(found, Refused):
        assert (inference, estimator) in REFUSED
        return
    full = evaluate(estimator_named(estimator)(), panel, target)
    assert isinstance(full, Found)
    terms = len(full.effects.terms)
    assert all(
        len(getattr(found, name)) == terms
        for name in (*NUMBERS, "refused", "clusters", "treated_clusters", "effective")
    )
    given = np.array([reason is None for reason in found.refused])
    assert np.isfinite(found.p_value[given]).all()
    assert np.isnan(found.low[~given]).all()
    # With too few periods a permutation test has a p-value and no interval, and the reason is that of the interval.
    assert inference == "conformal" or np.isnan(found.p_value[~given]).all()
    # Zero only where an error of zero meets an effect: never from counting draws.
    assert (found.p_value[given] > 0).all() and (found.p_value[given] <= 1).all()
    inside = np.isfinite(found.low)
    assert (found.low[inside] <= full.effects.estimate[inside]).all() and (
        full.effects.estimate[inside] <= found.high[inside]
    ).all()
    assert (found.treated_clusters <= found.clusters).all() and (found.effective <= found.treated_clusters + 1e-9).all()
    np.testing.assert_allclose(full.effects.share.sum(axis=0)[given], 1)
    assert found.mc_error is None or (found.mc_error[given] >= 0).all()
    assert found.draws <= found.attempted
    if found.band is not None:
        # A simultaneous band holds more at once than the intervals, so it cannot lie inside one of them.
        held = found.band.inside
        assert held.any() and given[held].all()
        assert found.band.critical is None or found.band.critical > 0
        assert found.band.mc_error is None or found.band.mc_error >= 0
        edge = 1e-9 * np.nan_to_num(found.std_error[held])
        assert (found.band.low[held] <= found.low[held] + edge).all()
        assert (found.band.high[held] >= found.high[held] - edge).all()


@EVERY
def test_same_twice_and_input_not_mutated(inference: str, estimator: str) -> None:
    panel = placed(panel_of(frame()))
    before = contents(panel)
    same(plain(inference, estimator), run(inference, estimator, panel))
    assert contents(panel) == before


@EVERY
def test_scale(inference: str, estimator: str) -> None:
    panel = world()
    same(
        plain(inference, estimator),
        run(inference, estimator, panel.with_outcome(1000 * panel.y)),
        times=1 if estimator in PROPORTIONS else 1000,
        rtol=1e-6,
    )


@EVERY
def test_pickle_round_trip(inference: str, estimator: str) -> None:
    found = plain(inference, estimator)
    same(found, pickle.loads(pickle.dumps(found)))
    assert pickle.loads(pickle.dumps(made(inference))) == made(inference)


@EVERY
def test_same_for_any_number_of_workers(inference: str, estimator: str) -> None:
    same(plain(inference, estimator), run(inference, estimator, world(), workers=2))


@pytest.mark.parametrize(("inference", "estimator"), [(i, e) for i in INFERENCES if i not in DRAWN for e in ESTIMATORS])
def test_unit_order(inference: str, estimator: str) -> None:
    """Of what draws nothing at random; which rows or signs are drawn depends on their order."""
    panel = world()
    order = np.random.default_rng(0).permutation(len(panel.units))
    same(plain(inference, estimator), run(inference, estimator, panel.take(order)), rtol=1e-7)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_enumerated_placebos_do_not_depend_on_unit_order(estimator: str) -> None:
    panel = world()
    one = panel.drop(np.flatnonzero((panel.area >= 1) & (panel.area <= len(panel.areas))))
    assert len(one.areas) == 1
    order = np.random.default_rng(0).permutation(len(one.units))
    first, second = (run("placebo-space", estimator, other) for other in (one, one.take(order)))
    assert isinstance(first, Uncertainty) and first.attempted == 16
    same(first, second, rtol=1e-7)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_seed_by_path(estimator: str) -> None:
    """A draw depends on the seed and its own number only: the first draws of a long run are those of a short one."""
    panel = world()
    streams = Streams(5)
    long, again, other = (draw(panel, "random", n, s) for n, s in ((30, streams), (12, streams), (30, Streams(6))))
    assert isinstance(long, Drawn) and isinstance(again, Drawn) and isinstance(other, Drawn)
    np.testing.assert_array_equal(long.rows[:12], again.rows)
    assert not np.array_equal(long.rows, other.rows)
    first, second = (run("placebo-space", estimator, panel, seed=seed) for seed in (5, 6))
    assert isinstance(first, Uncertainty) and isinstance(second, Uncertainty)
    assert first.std_error[0] != second.std_error[0]


# With 10 periods conformal has no interval of 95 %; its own tests hold longer panels to this. The test over clusters
# has none where these count unlike, and none below 91.7 %.
NO_INTERVAL = {"conformal", "placebo-time", "ibragimov-mueller"}


@pytest.mark.parametrize("inference", [name for name in INFERENCES if name not in {*DRAWN, *NO_INTERVAL}])
def test_a_higher_level_is_a_wider_interval(inference: str) -> None:
    estimator = "twfe" if inference == "driscoll-kraay" else "did"
    narrow, wide = (run(inference, estimator, world(), level=level) for level in (0.8, 0.95))
    assert isinstance(narrow, Uncertainty) and isinstance(wide, Uncertainty)
    assert wide.low[0] < narrow.low[0] < narrow.high[0] < wide.high[0]
    np.testing.assert_array_equal(narrow.p_value, wide.p_value)
