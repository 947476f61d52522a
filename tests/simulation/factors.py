"""Worlds with a known factor structure, for every synthetic estimator with every inference.

Without the programme an outcome is a common course, two factors that the wijken load on differently, and noise that
lasts; so no mean of wijken is parallel, and weights of donors that match the loadings are. Worlds differ in who is
treated: *one* area of 40 wijken or *several* (20 areas in 19 of 40 gemeenten), drawn like the others (*alike*) or among
those with the highest loadings (*chosen*, as focusgebieden were).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from impact.estimators.registry import resolve as estimator_of
from impact.inference.diagnose import Diagnosis, Pair
from impact.inference.registry import resolve as inference_of
from impact.panel import NEVER, Panel
from impact.streams import Streams
from impact.targets import Target
from tests.simulation.trial import gives, tried

BEFORE, AFTER = 16, 4
PERIODS = BEFORE + AFTER
EFFECT = 1.0
WORLDS = ("one, alike", "one, chosen", "several, alike", "several, chosen")
LEVEL = 0.05


@dataclass(frozen=True)
class Case:
    """An estimator with its options; with `outcomes` it is also given two more indicators of the same loadings."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    outcomes: bool = False

    @property
    def label(self) -> str:
        told = ", ".join(f"{key}={value}" for key, value in self.options.items() if key != "outcomes")
        return self.name + (f" ({told})" if told else "")


@cache
def design(several: bool) -> Panel:
    """One treated unit and 39 donors; or 20 areas of 2 wijken in 19 of 40 gemeenten, each with 3 wijken more."""
    if several:
        area = np.repeat(np.arange(20), 2)
        gemeente = np.concatenate([np.maximum(area - 1, 0), np.repeat(np.arange(40), 3)])
        first = np.where(np.arange(len(gemeente)) < len(area), float(BEFORE), NEVER)
        areas = tuple(f"A{number:02}" for number in range(20))
    else:
        area, gemeente = np.zeros(1, dtype=int), np.arange(40)
        first = np.where(gemeente == 0, float(BEFORE), NEVER)
        areas = ("A00",)
    count = len(gemeente)
    blank = Panel(
        y=np.zeros((count, PERIODS)),
        first=np.full(count, NEVER),
        units=tuple(f"w{row:03}" for row in range(count)),
        periods=tuple(str(2000 + t) for t in range(PERIODS)),
        cluster=gemeente,
        clusters=tuple(f"g{number:02}" for number in range(gemeente.max() + 1)),
        area=np.full(count, -1),
        areas=(),
        weight=np.ones(count),
        group=np.full(count, -1),
    )
    return blank.assign(first, np.concatenate([area, np.full(count - len(area), -1)]), areas)


def draw(world: str, seed: int) -> Panel:
    """A panel of the world, in which nothing was done to anybody."""
    rng = Streams(20261126).at("factors", world, str(seed)).generator()
    panel = design(world.startswith("several"))
    count = len(panel.units)
    loadings = rng.uniform(size=(count, 2))
    if world.endswith("chosen"):
        # The highest of a few draws, of the whole area: most of them stay inside the range of the donors.
        high = rng.uniform(size=(len(panel.areas), 2, 3)).max(axis=2)
        loadings[panel.treated] = high[panel.area[panel.treated]]
    shared = 0.3 * lasting(rng, len(panel.clusters)) if world.startswith("several") else np.zeros((count, PERIODS))
    kinds = [
        loadings @ (2.0 * lasting(rng, 2))
        + 3.0 * loadings.sum(axis=1, keepdims=True)
        + 0.5 * lasting(rng, 1)
        + shared[panel.cluster]
        + 0.4 * lasting(rng, count)
        for _ in range(3)
    ]
    return replace(panel, y=kinds[0], covariates={"second": kinds[1], "third": kinds[2]})


def lasting(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, T) shocks of standard deviation 1 of which half lasts a period."""
    steps = np.sqrt(1 - 0.25) * rng.normal(size=(count, PERIODS + 12))
    for t in range(1, steps.shape[1]):
        steps[:, t] += 0.5 * steps[:, t - 1]
    return steps[:, 12:]


@dataclass(frozen=True)
class Draw:
    """The panels of a world by number, with the two indicators more or without."""

    world: str
    outcomes: bool

    def __call__(self, number: int) -> Panel:
        panel = draw(self.world, number)
        return panel if self.outcomes else replace(panel, covariates={})


@dataclass(frozen=True)
class Line:
    """What many seeds gave; None: not given.

    `worlds` is the least number that a rate rests on: an inference may refuse an interval in one world and not in
    another, and a rate over those in which it gives one is all that can be said.
    """

    worlds: int
    bias: float
    bias_error: float
    rmse: float
    size: float | None
    coverage: float | None
    width: float
    refused: str

    @property
    def spread(self) -> float | None:
        """Mean width of the interval, where there is one."""
        return None if self.coverage is None else self.width

    @property
    def rates(self) -> tuple[float, ...]:
        """Shares of worlds with an error."""
        both = (self.size, None if self.coverage is None else 1 - self.coverage)
        return tuple(rate for rate in both if rate is not None)

    @property
    def mc_error(self) -> float:
        """Of a rate that is what it should be."""
        return float(np.sqrt(LEVEL * (1 - LEVEL) / max(self.worlds, 1)))


def many(case: Case, inference: str, options: Mapping[str, Any], world: str, seeds: int) -> Line:
    """The same over seeds 0, 1, ..."""
    pair = Pair(case.label, estimator_of(case.name)(**case.options), inference_of(inference)(**options))
    target = Target("average", "area")
    return summed(*tried(Draw(world, case.outcomes), seeds, (pair,), target, Streams(1)))


def summed(row: Diagnosis) -> Line:
    """What these worlds show; see `many`."""
    if not gives(row):
        return Line(0, np.nan, np.nan, np.nan, None, None, np.nan, next(reversed(row.refused)))
    bias, rmse, width = row.bias, row.rmse, row.width
    assert bias is not None and rmse is not None
    rates = [rate for rate in (row.size, row.coverage) if rate is not None]
    return Line(
        min(rate.worlds for rate in rates),
        bias.value,
        bias.mc_error,
        rmse.value,
        None if row.size is None else row.size.value,
        None if row.coverage is None else row.coverage.value,
        np.nan if width is None else width.value,
        "",
    )
