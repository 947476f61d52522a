"""The programme's design as panels of worlds in which nothing was done to anybody, in full or with fewer gemeenten.

In full: 20 areas in 19 of 342 gemeenten, which start at three moments. One gemeente has two areas, one area is three
very large wijken, one area starts alone long before the others. Shocks last (autocorrelation), wijken of a gemeente
move together, areas have shocks of their own, treated wijken vary more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from impact.panel import NEVER, Panel
from impact.streams import Streams

HOSTS, PERIODS = 19, 9
LARGE, TOTAL = (79_440, 70_525, 62_670), 1_200_000


@dataclass(frozen=True)
class World:
    """Shares of the variance of a wijk's shock that its gemeente and its area have in common, and how much more treated
    wijken vary (standard deviation); whether only 30 gemeenten are compared with."""

    gemeente: float = 0.0
    area: float = 0.0
    more: float = 1.0
    few: bool = False

    def __str__(self) -> str:
        shared = f"gemeente {self.gemeente:g}, area {self.area:g}, treated sd × {self.more:g}"
        return f"{shared}, {30 if self.few else 323} control gemeenten"


def starts(areas: int) -> np.ndarray:
    """(areas,) first periods: of twenty one is early, fifteen start together, four are late; of fewer in proportion."""
    late, early = round(areas / 5), int(areas >= 5)
    return np.array([2] * early + [5] * (areas - early - late) + [6] * late)


@cache
def design(few: bool, hosts: int = HOSTS) -> Panel:
    """Areas of 3 to 6 wijken in `hosts` gemeenten, and 30 or 323 gemeenten without any, of 1 to 17 wijken."""
    rng = Streams(20).at("programme").generator()
    areas = hosts + 1
    members = np.array([3, *rng.integers(3, 7, areas - 1)])  # the first: three very large wijken
    area = np.repeat(np.arange(areas), members)
    host = np.maximum(area - 1, 0)  # the first two lie in one gemeente
    others = np.repeat(np.arange(hosts, hosts + 323), rng.integers(1, 18, 323))
    if few:
        others = others[others < hosts + 30]
    gemeente = np.r_[host, others]
    count, treated = len(gemeente), len(area)
    residents = rng.lognormal(8.3, 0.6, count)
    # Rotterdam-Zuid in 2024; in all 20 areas live 1.2 million (the programme's own text).
    residents[:3] = LARGE
    residents[3:treated] *= (TOTAL - sum(LARGE)) * (areas - 1) / HOSTS / residents[3:treated].sum()
    residents = residents.round()
    blank = Panel(
        y=np.zeros((count, PERIODS)),
        first=np.full(count, NEVER),
        units=tuple(f"w{row:04}" for row in range(count)),
        periods=tuple(str(2016 + t) for t in range(PERIODS)),
        cluster=gemeente,
        clusters=tuple(f"g{number:03}" for number in range(gemeente.max() + 1)),
        area=np.full(count, -1),
        areas=(),
        weight=np.ones(count),
        group=np.full(count, -1),
        residents=residents,
        place=_places(gemeente),
    )
    order = rng.permutation(areas)
    first = np.r_[starts(areas)[order][area].astype(float), np.full(count - treated, NEVER)]
    return blank.assign(first, np.r_[area, np.full(count - treated, -1)], tuple(f"a{n:02}" for n in range(areas)))


def _places(gemeente: np.ndarray) -> np.ndarray:
    """(N, 2) metres: gemeenten anywhere in a square of 200 km, their wijken 2 km around."""
    rng = Streams(20).at("places").generator()
    return rng.uniform(0, 200_000, (gemeente.max() + 1, 2))[gemeente] + 2_000 * rng.normal(size=(len(gemeente), 2))


def _lasting(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, T) shocks of variance 1 with an autocorrelation of 0.6."""
    steps = rng.normal(size=(count, PERIODS))
    for t in range(1, PERIODS):
        steps[:, t] = 0.6 * steps[:, t - 1] + 0.8 * steps[:, t]
    return steps


@dataclass(frozen=True)
class Draw:
    """The panel of a world, by number; with every wijk its own cluster if asked."""

    world: World
    by_wijk: bool = False
    hosts: int = HOSTS

    def __call__(self, number: int) -> Panel:
        panel, world = design(self.world.few, self.hosts), self.world
        rng = Streams(21).at("programme", str(world), number).generator()
        count = len(panel.units)
        own = np.sqrt(1 - world.gemeente - world.area) * _lasting(rng, count)
        y = own + np.sqrt(world.gemeente) * _lasting(rng, len(panel.clusters))[panel.cluster]
        shocks = _lasting(rng, len(panel.areas) + 1)
        y += np.sqrt(world.area) * np.where(panel.area[:, None] >= 0, shocks[panel.area], _lasting(rng, count))
        y[panel.treated] *= world.more
        y += 2 * rng.normal(size=(count, 1)) + rng.normal(size=PERIODS)
        if self.by_wijk:
            panel = replace(panel, cluster=np.arange(count), clusters=panel.units)
        return panel.with_outcome(y)
