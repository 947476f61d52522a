"""Conley-Taber, Ferman-Pinto and Ibragimov-Müller on two periods, where all of it can be written down."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from impact.errors import Refused
from impact.estimators.did import DiD
from impact.estimators.group_time import GroupTime
from impact.estimators.twfe import TWFE
from impact.inference.between_clusters import IbragimovMueller
from impact.inference.few_treated import ConleyTaber, FermanPinto
from impact.inference.protocol import Uncertainty
from impact.panel import NEVER, Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target
from tests.test_inference import panel_of


def changes(seed: int, treated: int, controls: int, cluster: Any = None, weight: Any = None) -> Panel:
    """Two periods: the first is 0, so that the second is the change."""
    rng = np.random.default_rng(seed)
    count = treated + controls
    y = np.column_stack([np.zeros(count), rng.normal(size=count) + 0.5 * (np.arange(count) < treated)])
    return panel_of(y, [1.0] * treated + [NEVER] * controls, cluster, weight)


def run(inference: Any, estimator: Any, panel: Panel, target: Target | None = None) -> Uncertainty:
    found = inference.run(estimator, panel, target or Target(), streams=Streams(1), parallel=Parallel())
    assert isinstance(found, Uncertainty), str(found)
    return found


@pytest.mark.parametrize("estimator", [DiD(), GroupTime(), TWFE()], ids=lambda one: one.name)
def test_conley_taber_with_one_treated_cluster(estimator: Any) -> None:
    """Every control's change less their mean stands in for the treated one's; their mean errs by random signs. All
    9 × 2^9 errors, equally likely."""
    panel = changes(0, 1, 9)
    change = panel.y[:, 1]
    away = change[1:] - change[1:].mean()
    errors = np.array([one - np.dot(signs, away) / 9 for one in away for signs in itertools.product((-1, 1), repeat=9)])
    found = run(ConleyTaber(), estimator, panel)
    expected = np.mean(np.abs(errors) >= abs(change[0] - change[1:].mean()))
    assert found.mc_error is not None
    assert abs(found.p_value[0] - expected) < 4 * max(found.mc_error[0], 0.005)
    assert found.std_error[0] == pytest.approx(np.sqrt((errors**2).mean()), rel=0.03)
    half = (found.high[0] - found.low[0]) / 2
    assert np.mean(np.abs(errors) > half) == pytest.approx(0.05, abs=0.01)


def test_ferman_pinto_brings_noise_to_size() -> None:
    """Clusters of one and of four units. With two sizes A and B fit the mean squares of both exactly."""
    rng = np.random.default_rng(4)
    sizes = np.r_[1, np.tile([1, 4], 12)]
    cluster = np.repeat(np.arange(25), sizes)
    change = rng.normal(size=len(cluster)) + 0.3 * rng.normal(size=25)[cluster]
    panel = panel_of(np.column_stack([0 * change, change]), [1.0] + [NEVER] * (len(change) - 1), cluster)
    away = change[1:] - change[1:].mean()
    mean = np.bincount(cluster[1:] - 1, weights=away) / sizes[1:]
    small, large = (mean**2)[sizes[1:] == 1].mean(), (mean**2)[sizes[1:] == 4].mean()
    assert small > large > small / 4  # neither A nor B is negative
    to_one = np.where(sizes[1:] == 1, 1.0, np.sqrt(small / large)) * mean
    comparison = np.bincount(cluster[1:] - 1, weights=away) / len(away)
    found, plain = run(FermanPinto(draws=99_999), DiD(), panel), run(ConleyTaber(draws=99_999), DiD(), panel)
    assert found.std_error[0] == pytest.approx(np.sqrt((to_one**2).mean() + (comparison**2).sum()), rel=0.02)
    assert plain.std_error[0] == pytest.approx(np.sqrt((mean**2).mean() + (comparison**2).sum()), rel=0.02)


def test_residents_are_a_size_too() -> None:
    """As many residents as units, times a hundred: the same."""
    cluster = np.repeat(np.arange(13), [1, *[1, 2, 3] * 4])
    panel = changes(2, 1, len(cluster) - 1, cluster)
    peopled = replace(panel, residents=np.full(len(cluster), 100.0))
    one, two = run(FermanPinto(), DiD(), panel), run(FermanPinto(size="residents"), DiD(), peopled)
    np.testing.assert_allclose(one.p_value, two.p_value)
    nobody = FermanPinto(size="residents").run(DiD(), panel, Target(), streams=Streams(1), parallel=Parallel())
    assert isinstance(nobody, Refused) and "residents" in nobody.because


def test_sizes_that_the_controls_do_not_have_are_refused() -> None:
    panel = changes(2, 2, 9, [0, 0, *range(1, 10)])
    refused = run(FermanPinto(), DiD(), panel).refused[0]
    assert refused is not None and "all of one size" in refused.because
    assert run(ConleyTaber(), DiD(), panel).refused[0] is None


def test_with_few_control_clusters_there_is_nothing_to_learn_from() -> None:
    refused = run(ConleyTaber(), DiD(), changes(2, 1, 7)).refused[0]
    assert refused is not None and "7 clusters" in refused.because


def test_every_term_of_a_staggered_design_has_its_own_noise() -> None:
    rng = np.random.default_rng(1)
    panel = panel_of(rng.normal(size=(30, 6)), [2.0, 2.0, 4.0] + [NEVER] * 27)
    found = run(ConleyTaber(), GroupTime(base="universal"), panel, Target("event"))
    assert all(reason is None for reason in found.refused)
    assert ((found.p_value > 0) & (found.p_value <= 1)).all()
    assert (found.low < found.high).all()


@pytest.mark.parametrize("estimator", [DiD(), GroupTime(), TWFE()], ids=lambda one: one.name)
def test_ibragimov_mueller_by_hand(estimator: Any) -> None:
    """Five treated and seven control clusters of one unit: t(4) over the five changes less the controls' mean, whose
    variance ``Σ (Δ - mean)² / 7²`` is added."""
    panel = changes(3, 5, 7)
    change = panel.y[:, 1]
    own, control = change[:5] - change[5:].mean(), change[5:]
    error = np.sqrt(own.var(ddof=1) / 5 + ((control - control.mean()) ** 2).sum() / 49)
    found = run(IbragimovMueller(), estimator, panel)
    assert found.std_error[0] == pytest.approx(error, rel=1e-9)
    assert found.df[0] == 4
    assert found.p_value[0] == pytest.approx(2 * stats.t.sf(abs(own.mean()) / error, 4), rel=1e-9)
    assert found.high[0] - found.low[0] == pytest.approx(2 * stats.t.ppf(0.975, 4) * error, rel=1e-9)


def test_clusters_that_count_unlike_have_a_test_and_no_interval() -> None:
    """Two units in the first cluster: the test gives it one fifth, the estimate two sixths."""
    panel = changes(3, 6, 7, [0, 0, *range(1, 12)])
    change = panel.y[:, 1]
    own = np.r_[change[:2].mean(), change[2:6]] - change[6:].mean()
    error = np.sqrt(own.var(ddof=1) / 5 + ((change[6:] - change[6:].mean()) ** 2).sum() / 49)
    found = run(IbragimovMueller(), DiD(), panel)
    assert found.refused[0] is None and np.isnan(found.low[0]) and np.isnan(found.std_error[0])
    assert found.p_value[0] == pytest.approx(2 * stats.t.sf(abs(own.mean()) / error, 4), rel=1e-9)
    assert "each counting once" in found.null


def test_fewer_than_four_treated_clusters_have_no_t() -> None:
    refused = run(IbragimovMueller(), DiD(), changes(3, 3, 9)).refused[0]
    assert refused is not None and "fewer than 4" in refused.because


def test_the_test_over_clusters_holds_small_sizes_only() -> None:
    found = IbragimovMueller(level=0.9).run(DiD(), changes(3, 5, 9), Target(), streams=Streams(1), parallel=Parallel())
    assert isinstance(found, Refused) and "10%" in found.because


@pytest.mark.parametrize(
    ("maker", "bad"),
    [
        (ConleyTaber, {"draws": 10}),
        (FermanPinto, {"size": "houses"}),
        (FermanPinto, {"level": 0.0}),
        (IbragimovMueller, {"level": 1.0}),
    ],
    ids=str,
)
def test_parameters_that_are_not_allowed(maker: Any, bad: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        maker(**bad)
