"""Error rates in this programme's design: 20 focus areas in 19 of 60 gemeenten, no effect, shocks shared within a
gemeente.

The design and the bands come from the design study before this code (rejections of a true null at 5 %:
cluster-jackknife 2–6 % over worlds, unit-level errors 7–18 %); every band is widened by three Monte-Carlo errors of
the number of worlds drawn here. The short set runs always, the long one with ``tox -e simulation``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from impact.estimators.did import DiD
from impact.estimators.group_time import GroupTime
from impact.inference.cluster import ClusterJackknife, Scores
from impact.inference.flip import ScoreFlip
from impact.inference.protocol import Found, Uncertainty, evaluate
from impact.panel import NEVER, Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target

AREAS, HOSTS, GEMEENTEN, PERIODS = 20, 19, 60, 6
MEMBERS, HOST_CONTROLS, OTHER_CONTROLS = 5, 6, 4
STARTS = np.where(np.arange(AREAS) % 3 == 0, 3, 4)  # an early and a late cohort
EFFECT = 0.4


@dataclass(frozen=True)
class World:
    """Shares of the variance of a wijk's change that its gemeente (`rho`) and its focus area have in common."""

    rho: float
    area: float = 0.0


RHO = World(0.3)
LONG = [World(0.0), World(0.1), World(0.3), World(0.1, area=0.2)]


@cache
def design() -> Panel:
    """20 areas of 5 wijken, the first two in one gemeente; every gemeente has wijken outside the programme."""
    area = np.repeat(np.arange(AREAS), MEMBERS)
    home = np.maximum(area - 1, 0)
    others = np.concatenate(
        [np.repeat(np.arange(HOSTS), HOST_CONTROLS), np.repeat(np.arange(HOSTS, GEMEENTEN), OTHER_CONTROLS)]
    )
    count = len(area) + len(others)
    names = tuple(f"w{row}" for row in range(count))
    blank = Panel(
        y=np.zeros((count, PERIODS)),
        first=np.full(count, NEVER),
        units=names,
        periods=tuple(str(t) for t in range(PERIODS)),
        cluster=np.concatenate([home, others]),
        clusters=tuple(f"g{g}" for g in range(GEMEENTEN)),
        area=np.full(count, -1),
        areas=(),
        weight=np.ones(count),
        group=np.full(count, -1),
    )
    first = np.concatenate([STARTS[area].astype(float), np.full(len(others), NEVER)])
    return blank.assign(first, np.concatenate([area, np.full(len(others), -1)]), tuple(f"A{a}" for a in range(AREAS)))


def outcome(world: World, rng: np.random.Generator) -> np.ndarray:
    """Level, common course, and steps that are partly those of the gemeente and of the area (a random walk)."""
    panel = design()
    count = len(panel.units)
    step = np.sqrt(world.rho) * rng.normal(size=(GEMEENTEN, PERIODS))[panel.cluster]
    step += np.sqrt(world.area) * np.where(panel.area[:, None] >= 0, rng.normal(size=(AREAS, PERIODS))[panel.area], 0)
    step += np.sqrt(1 - world.rho - world.area) * rng.normal(size=(count, PERIODS))
    return 3 * rng.normal(size=(count, 1)) + rng.normal(size=PERIODS) + 0.5 * step.cumsum(axis=1)


@dataclass(frozen=True)
class Rates:
    """Over `worlds` worlds: rejections at 5 % of no effect, coverage of `EFFECT` where it is true, and the
    estimates."""

    worlds: int
    size: dict[str, float]
    coverage: float
    bias: float
    noise: float

    @property
    def slack(self) -> float:
        """Three Monte-Carlo errors of a rate of 5 %."""
        return float(3 * np.sqrt(0.05 * 0.95 / self.worlds))


@cache
def rates(estimator: Any, weighting: Any, world: World, worlds: int) -> Rates:
    panel, target = design(), Target("average", weighting)
    alone = replace(panel, cluster=np.arange(len(panel.units)), clusters=panel.units)
    rejected: dict[str, list[bool]] = {"cluster-jackknife": [], "score-flip": [], "scores by wijk": []}
    covered, estimates = [], []
    for number in range(worlds):
        y = outcome(world, Streams(20).at("size", number).generator())
        found: dict[str, Uncertainty] = {}
        for name, inference, shown in (
            ("cluster-jackknife", ClusterJackknife(), panel),
            ("score-flip", ScoreFlip(draws=199), panel),
            ("scores by wijk", Scores(), alone),
        ):
            here = shown.with_outcome(y)
            full = evaluate(estimator, here, target)
            assert isinstance(full, Found)
            given = inference.run(estimator, here, target, streams=Streams(number), parallel=Parallel(), full=full)
            assert isinstance(given, Uncertainty)
            rejected[name].append(bool(given.p_value[0] <= 0.05))
            found[name] = given
        estimates.append(full.effects.estimate[0])
        with_effect = panel.with_outcome(y + EFFECT * panel.treated_cells())
        interval = ClusterJackknife().run(estimator, with_effect, target, streams=Streams(number), parallel=Parallel())
        assert isinstance(interval, Uncertainty)
        covered.append(bool(interval.low[0] <= EFFECT <= interval.high[0]))
    return Rates(
        worlds,
        {name: float(np.mean(values)) for name, values in rejected.items()},
        float(np.mean(covered)),
        float(np.mean(estimates)),
        float(np.std(estimates)),
    )


SHORT = 250
CASES = pytest.mark.parametrize(
    ("estimator", "weighting"), [(DiD(), "area"), (GroupTime(), "unit")], ids=["did", "group-time"]
)


@CASES
def test_the_default_interval_holds_its_level(estimator: Any, weighting: str) -> None:
    found = rates(estimator, weighting, RHO, SHORT)
    assert 0.02 - found.slack <= found.size["cluster-jackknife"] <= 0.07 + found.slack
    assert 0.93 - found.slack <= found.coverage <= 0.98 + found.slack


@CASES
def test_score_flip_holds_its_level(estimator: Any, weighting: str) -> None:
    found = rates(estimator, weighting, RHO, SHORT)
    assert 0.02 - found.slack <= found.size["score-flip"] <= 0.07 + found.slack


@CASES
def test_the_estimate_is_unbiased(estimator: Any, weighting: str) -> None:
    found = rates(estimator, weighting, RHO, SHORT)
    assert abs(found.bias) <= 3 * found.noise / np.sqrt(found.worlds)


@CASES
def test_the_world_is_one_in_which_units_are_not_independent(estimator: Any, weighting: str) -> None:
    """The error that most packages print by default fails here: without it the other tests would show nothing."""
    found = rates(estimator, weighting, RHO, SHORT)
    assert found.size["scores by wijk"] > 0.05 + found.slack


@pytest.mark.simulation
@CASES
@pytest.mark.parametrize("world", LONG, ids=str)
def test_error_rates_over_4000_worlds(estimator: Any, weighting: str, world: World) -> None:
    found = rates(estimator, weighting, world, 4000)
    print(found)
    assert 0.03 - found.slack <= found.size["cluster-jackknife"] <= 0.065 + found.slack
    assert 0.03 - found.slack <= found.size["score-flip"] <= 0.07 + found.slack
    assert 0.935 - found.slack <= found.coverage <= 0.97 + found.slack
    assert abs(found.bias) <= 3.5 * found.noise / np.sqrt(found.worlds)
