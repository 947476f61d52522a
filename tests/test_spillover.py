"""Area, ring and net: worked by hand from means, and where a problem is only moved."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from impact.checks.spillover import Displaced, Spillover, spillover
from impact.errors import Refused
from impact.estimators.did import DiD
from impact.inference.cluster import ClusterJackknife
from impact.panel import Panel
from impact.streams import Streams
from impact.targets import Target

AREAS, PERIODS, START = 6, 6, 4


def world(moved: float, noise: float = 0.0, seed: int = 1) -> tuple[Panel, np.ndarray]:
    """Six areas of one unit (100 residents), each with a ring of two (50 each), and 20 units far away.

    In the areas the outcome falls by 1; in the ring it rises by `moved`.
    """
    rng = np.random.default_rng(seed)
    near = np.r_[np.full(AREAS, -1), np.repeat(np.arange(AREAS), 2), np.full(20, -1)]
    count = len(near)
    first = np.where(np.arange(count) < AREAS, float(START), np.inf)
    after = np.arange(PERIODS) >= START
    y = rng.normal(size=(count, 1)) + rng.normal(size=PERIODS) + noise * rng.normal(size=(count, PERIODS))
    y[:AREAS] -= after
    y[near >= 0] += moved * after
    blank = Panel(
        y=y,
        first=np.full(count, np.inf),
        units=tuple(f"w{row:02}" for row in range(count)),
        periods=tuple(map(str, range(PERIODS))),
        cluster=np.arange(count),
        clusters=tuple(f"g{row:02}" for row in range(count)),
        area=np.full(count, -1),
        areas=(),
        weight=np.ones(count),
        group=np.full(count, -1),
        residents=np.where(np.arange(count) < AREAS, 100.0, 50.0),
    )
    return blank.assign(first), near


def asked(panel: Panel, near: np.ndarray, target: Target | None = None) -> Spillover:
    found = spillover(DiD(), ClusterJackknife(), panel, target or Target("average", "area"), near, streams=Streams(1))
    assert isinstance(found, Spillover)
    return found


def effect(one: Displaced | Refused) -> float:
    assert isinstance(one, Displaced)
    return float(one.found.effects.estimate[0])


@pytest.mark.parametrize(("moved", "net"), [(1.0, 0.0), (0.0, -0.5), (-0.5, -0.75)])
def test_what_is_only_moved_comes_to_nothing(moved: float, net: float) -> None:
    """100 residents in an area and 100 in its ring: the net is the mean of the two effects."""
    found = asked(*world(moved))
    assert effect(found.area) == pytest.approx(-1, abs=1e-12)
    assert effect(found.ring) == pytest.approx(moved, abs=1e-12)
    assert effect(found.net) == pytest.approx(net, abs=1e-12)
    assert found.residents == (600, 600) and len(found.units) == 12


def test_the_numbers_are_differences_of_means_against_the_far_units_alone() -> None:
    panel, near = world(0.3, noise=1.0)
    panel = replace(panel, residents=np.arange(1.0, len(near) + 1))
    found = asked(panel, near)
    change = panel.y[:, START:].mean(axis=1) - panel.y[:, :START].mean(axis=1)
    far = change[18:].mean()
    ring = near >= 0
    assert panel.residents is not None
    both = ring | (np.arange(len(near)) < AREAS)
    assert effect(found.area) == pytest.approx(change[:AREAS].mean() - far, abs=1e-12)
    assert effect(found.ring) == pytest.approx(change[ring].mean() - far, abs=1e-12)
    assert effect(found.net) == pytest.approx(np.average(change[both], weights=panel.residents[both]) - far, abs=1e-12)


def test_without_residents_there_is_no_net_and_the_rest_stands() -> None:
    panel, near = world(0.3)
    found = asked(replace(panel, residents=None), near)
    assert isinstance(found.net, Refused) and "residents" in found.net.because
    assert effect(found.ring) == pytest.approx(0.3)
    assert np.isnan(found.residents).all()


def test_what_cannot_be_is_said() -> None:
    panel, near = world(0.3)
    none = spillover(DiD(), ClusterJackknife(), panel, Target(), np.full(len(near), -1), streams=Streams(1))
    assert isinstance(none, Refused)
    with pytest.raises(ValueError, match="treated itself"):
        spillover(DiD(), ClusterJackknife(), panel, Target(), np.zeros(len(near), dtype=int), streams=Streams(1))
    with pytest.raises(ValueError, match="number of an area"):
        spillover(DiD(), ClusterJackknife(), panel, Target(), near + 1, streams=Streams(1))
