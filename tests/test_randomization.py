"""Randomisation inference on t: against sums by hand, refits, and the plain form of the kernel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from impact.errors import Refused
from impact.estimators.did import DiD
from impact.estimators.group_time import GroupTime
from impact.estimators.imputation import Imputation
from impact.estimators.synthetic_control import SyntheticControl
from impact.estimators.twfe import TWFE
from impact.inference import area_errors
from impact.inference.placebo_sets import Drawn, draw
from impact.inference.protocol import Uncertainty
from impact.inference.randomization import RandomizationT
from impact.numerics.stand_ins import _plain, stood_in
from impact.panel import NEVER, Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target
from tests.contract.worlds import frame, matched, panel_of
from tests.test_inference import Fails
from tests.test_inference import panel_of as small


def run(inference: Any, estimator: Any, panel: Panel, target: Target | None = None, workers: int = 1) -> Uncertainty:
    found = inference.run(estimator, panel, target or Target(), streams=Streams(1), parallel=Parallel(workers))
    assert isinstance(found, Uncertainty), str(found)
    return found


def changes(seed: int = 0, treated: int = 5, controls: int = 30) -> Panel:
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(treated + controls, 2)) + np.outer(np.arange(treated + controls) < treated, [0, 0.6])
    return small(y, [1.0] * treated + [NEVER] * controls)


def test_every_set_by_hand() -> None:
    """Two periods, an area a unit: the mean change of a set less that of the others, over the error of such a mean."""
    panel = changes()
    change = panel.y[:, 1] - panel.y[:, 0]

    def t(inside: Any, outside: Any) -> float:
        own = change[inside] - change[outside].mean()
        return abs(float(own.mean())) / float(own.std(ddof=1) / np.sqrt(len(own)))

    donors = np.arange(5, 35)
    drawn = draw(panel, "random", 199, Streams(1).at("randomization-t"))
    assert isinstance(drawn, Drawn)
    placebos = np.array([t(chosen, np.setdiff1d(donors, chosen)) for chosen in drawn.rows])
    observed = t(np.arange(5), donors)
    for estimator in (DiD(), GroupTime(), Imputation()):
        found = run(RandomizationT(draws=199), estimator, panel)
        assert found.p_value[0] == pytest.approx((1 + (placebos >= observed).sum()) / 200)
        assert found.std_error[0] == pytest.approx(abs(change[:5].mean() - change[5:].mean()) / observed)
        # 10 of 200 may lie beyond the end: the tenth largest.
        reach = np.sort(placebos)[-10] * found.std_error[0]
        assert found.high[0] - found.low[0] == pytest.approx(2 * reach)


@pytest.mark.parametrize("estimator", [DiD(), GroupTime(), GroupTime(base="universal", anticipation=1)], ids=str)
@pytest.mark.parametrize("target", [Target(), Target("event"), Target("cohort"), Target("average", "area")], ids=str)
def test_at_once_is_refit_by_refit(estimator: Any, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """Areas of one and two units in two cohorts, weights alike (a cohort then keeps its share)."""
    world = panel_of(frame(copies=2))
    panel = replace(world, weight=np.ones(len(world.units)))
    quick = run(RandomizationT(draws=60), estimator, panel, target)
    monkeypatch.setattr(area_errors._Simple, "of", staticmethod(lambda found, target: None))
    slow = run(RandomizationT(draws=60), estimator, panel, target)
    for name in ("std_error", "p_value", "low", "high"):
        np.testing.assert_allclose(getattr(quick, name), getattr(slow, name), rtol=1e-8, err_msg=name)


def test_the_kernel_is_its_plain_form() -> None:
    rng = np.random.default_rng(0)
    units, groups, terms, places, sets = 40, 3, 7, 9, 25
    values, mass = rng.normal(size=(units, groups * terms)), np.where(rng.uniform(size=units) < 0.2, 0, 1.5)
    rows = np.array([rng.choice(units, places, replace=False) for _ in range(sets)])
    block = np.array([0, 0, 1, 2, 2, 3, 4, 5, 5])
    group = np.array([0, 0, 1, 2, 2, 0, 1, -1, -1])
    made = []
    for function in (stood_in, _plain):
        filled = {name: np.empty((sets, terms)) for name in ("estimate", "square")}
        share = np.random.default_rng(1).uniform(size=(sets, places))
        part = np.random.default_rng(2).uniform(size=(groups, terms))
        function(values, mass, mass @ values, rows, share, group, block, part, **filled)
        made.append(filled)
    for name in ("estimate", "square"):
        np.testing.assert_allclose(made[0][name], made[1][name], rtol=1e-10)


def test_the_interval_has_the_effects_that_are_not_rejected() -> None:
    panel = changes(4)
    found = run(RandomizationT(draws=199), DiD(), panel)
    after = np.outer(np.arange(35) < 5, [0, 1])
    for end, out in ((found.low[0], -1), (found.high[0], 1)):
        inside, outside = (
            run(RandomizationT(draws=199), DiD(), panel.with_outcome(panel.y - (end + out * step) * after)).p_value[0]
            for step in (-1e-6, 1e-6)
        )
        assert inside > 0.05 >= outside


def test_the_same_for_any_number_of_workers() -> None:
    panel = panel_of(frame(copies=2))
    for estimator in (DiD(), Imputation()):
        one, two = (run(RandomizationT(draws=40), estimator, panel, workers=workers) for workers in (1, 2))
        np.testing.assert_array_equal(one.p_value, two.p_value)


def test_an_estimator_that_only_refits() -> None:
    found = run(RandomizationT(draws=20), SyntheticControl(), panel_of(frame()))
    assert found.refused[0] is None and found.attempted == 20 and 1 / 21 <= found.p_value[0] <= 1


def test_one_coefficient_for_all_areas_has_no_error() -> None:
    refused = run(RandomizationT(draws=20), TWFE(), panel_of(frame())).refused[0]
    assert refused is not None and "one effect" in refused.because
    # With one start it is the difference of means, to which every area adds its own change.
    assert run(RandomizationT(draws=20), TWFE(), changes()).refused[0] is None


def test_fewer_than_four_treated_clusters_or_areas_are_refused() -> None:
    assert run(RandomizationT(draws=20), DiD(), changes(treated=3)).refused[0] is not None
    panel = changes()
    joined = panel.assign(panel.first, np.where(panel.area < 0, -1, panel.area // 2), panel.areas)
    refused = run(RandomizationT(draws=20), DiD(), joined).refused[0]
    assert refused is not None and "3 treated areas" in refused.because


def test_failed_sets_are_named_and_held_against_the_estimate() -> None:
    panel = changes(controls=60)
    clean = run(RandomizationT(draws=199), Fails(), panel)
    drawn = draw(panel, "random", 199, Streams(1).at("randomization-t"), complete=True)
    assert isinstance(drawn, Drawn)
    count = np.array([(drawn.rows == row).any(axis=1).sum() for row in range(65)])
    rare = int(np.flatnonzero((count > 0) & (np.arange(65) >= 5))[np.argmin(count[(count > 0) & (np.arange(65) >= 5)])])
    failing = RandomizationT(draws=199).run(
        Fails(on=(f"u{rare}",)), panel, Target(), streams=Streams(1), parallel=Parallel()
    )
    if count[rare] > 0.05 * 199:
        assert isinstance(failing, Refused)
        return
    assert isinstance(failing, Uncertainty)
    assert len(failing.failures) == count[rare] and "told so" in failing.failures[0]
    assert clean.p_value[0] <= failing.p_value[0] <= clean.p_value[0] + count[rare] / 200 + 1e-12
    many = RandomizationT(draws=199).run(
        Fails(on=tuple(f"u{row}" for row in range(5, 15))), panel, Target(), streams=Streams(1), parallel=Parallel()
    )
    assert isinstance(many, Refused) and "of 199" in many.because


def test_matched_panels_and_unknown_residents_are_refused() -> None:
    world = panel_of(frame())
    for panel, target, why in (
        (matched(world), Target(), "matched"),
        (
            replace(world, residents=np.where(np.arange(len(world.units)) == 20, np.nan, world.residents)),
            Target("average", "resident"),
            "residents",
        ),
    ):
        found = RandomizationT(draws=9).run(DiD(), panel, target, streams=Streams(1), parallel=Parallel())
        assert isinstance(found, Refused) and why in found.because


@pytest.mark.parametrize("bad", [{"sets": "all"}, {"draws": 0}, {"tolerance": 0.0}, {"level": 2.0}], ids=str)
def test_parameters_that_are_not_allowed(bad: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        RandomizationT(**bad)
