"""Which donors stand in for the treated units: drawn at random, of similar population, of one cluster, or near."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb, log1p
from typing import Literal, TypeAlias

import numpy as np

from impact.arrays import Bool1, Float1, Float2, Int1, frozen
from impact.errors import Refused
from impact.longtable import few
from impact.panel import Panel
from impact.streams import Streams

__all__ = ["Drawn", "Sets", "draw", "roles", "without_residents"]

Sets = Literal["random", "similar-population", "in-cluster", "contiguous", "contiguous-in-cluster"]
_WHAT = "a p-value by placebo-space"
_TRIES = 50


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Sets of donors.

    Attributes
    ----------
    rows : (S, n) int
        Rows of the panel, in the order of `roles`; no unit twice in one set.
    enumerated : bool
        Whether these are all sets there are, and not a sample of them.
    missing : int
        Draws in which the donors left over did not do for the areas left over; they are not among the rows.
    """

    rows: Int1
    enumerated: bool
    missing: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", frozen(self.rows, np.intp))


def roles(panel: Panel) -> Int1:
    """(n,) rows of the treated units with weight, area by area, in the order of their names."""
    there = np.flatnonzero(np.isfinite(panel.first) & (panel.weight > 0))
    return np.array(sorted(there, key=lambda row: (panel.areas[panel.area[row]], panel.units[row])), dtype=np.intp)


def without_residents(panel: Panel) -> list[str]:
    """The treated units and donors with weight whose residents are not known, or who have none."""
    there = (panel.weight > 0) & (panel.never | np.isfinite(panel.first))
    known = np.zeros(len(there)) if panel.residents is None else np.nan_to_num(panel.residents)
    return [panel.units[row] for row in np.flatnonzero(there & ~(known > 0))]


def draw(
    panel: Panel,
    sets: Sets,
    draws: int,
    streams: Streams,
    *,
    tolerance: float = 0.25,
    every: bool = False,
    complete: bool = False,
) -> Drawn | Refused:
    """Sets of donors (never-treated units with weight) that take the places of the treated units.

    With `complete` only donors that were observed in every period. Each draw has its own stream, and takes donors in
    the order of their names: neither the order of the rows nor the number of draws changes it. Where one area is
    treated and there are no more sets than `draws` (with `every`: where there is one set a donor, however many) all of
    them are taken instead.
    """
    places = _Places.of(panel, complete)
    if len(places.donors) < len(places.area):
        return Refused(_WHAT, "there are fewer donors than treated units", "Widen the donor pool.")
    pick = _picker(panel, places, sets, tolerance)
    if isinstance(pick, Refused):
        return pick
    if (len(np.unique(places.area)) == 1 and pick.number <= draws) or (every and pick.one_a_donor):
        return Drawn(np.array(list(pick.all()), dtype=np.intp), True)
    found = [pick.one(streams.at(number).generator()) for number in range(draws)]
    rows = [chosen for chosen in found if chosen is not None]
    if not rows:
        return Refused(
            _WHAT,
            f"no set of donors was found for sets={sets!r} in {draws} draws",
            "Widen the donor pool, or use sets='random'.",
        )
    return Drawn(np.array(rows, dtype=np.intp), False, draws - len(rows))


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Donors (J,) in the order of their names, and the areas (n,) of the treated units."""

    donors: Int1
    area: Int1

    @staticmethod
    def of(panel: Panel, complete: bool) -> _Places:
        seen = ~np.isnan(panel.y).any(axis=1) if complete else np.ones(len(panel.units), dtype=bool)
        donors = np.flatnonzero(panel.never & (panel.weight > 0) & seen)
        names = sorted(donors, key=lambda row: panel.units[row])
        return _Places(np.array(names, dtype=np.intp), panel.area[roles(panel)])

    def by_area(self) -> list[Int1]:
        """Places of every area, that with the most units first."""
        members = [np.flatnonzero(self.area == area) for area in dict.fromkeys(self.area.tolist())]
        return sorted(members, key=len, reverse=True)


One: TypeAlias = "Callable[[np.random.Generator], Int1 | None]"


@dataclass(frozen=True, slots=True)
class _Picker:
    """How to draw one set of rows, how many there are for one area, and all of those."""

    one: One
    number: float
    all: Callable[[], Iterator[Int1]]
    one_a_donor: bool


def _picker(panel: Panel, places: _Places, sets: Sets, tolerance: float) -> _Picker | Refused:
    donors, size = places.donors, len(places.area)
    if sets == "random":
        return _Picker(
            lambda rng: rng.choice(donors, size=size, replace=False),
            comb(len(donors), size),
            lambda: (donors[list(pick)] for pick in combinations(range(len(donors)), size)),
            size == 1,
        )
    if sets == "similar-population":
        open_to = _similar(panel, places, tolerance)
        if isinstance(open_to, Refused):
            return open_to
        return _Picker(
            lambda rng: _matched(donors, open_to, rng),
            int(open_to[0].sum()) if size == 1 else np.inf,
            lambda: (donors[[one]] for one in np.flatnonzero(open_to[0])),
            size == 1,
        )
    if sets == "in-cluster":
        return _in_cluster(panel, places)
    return _contiguous(panel, places, panel.cluster if sets == "contiguous-in-cluster" else None)


def _similar(panel: Panel, places: _Places, tolerance: float) -> Bool1 | Refused:
    """(n, J) which donor may take which place: residents within `tolerance` of each other, either way."""
    treated = roles(panel)
    if panel.residents is None:
        return Refused(
            _WHAT,
            "the residents of the units are not known, so none is of similar population",
            "Name their column with residents= in Panel.from_frame, or use sets='random'.",
        )
    unknown = without_residents(panel)
    if unknown:
        return Refused(
            _WHAT,
            f"{len(unknown)} units have no residents, or none that are known ({few(unknown)})",
            "Leave them out of the donor pool, or use sets='random'.",
        )
    size = np.log(panel.residents)
    away = np.abs(size[treated][:, None] - size[places.donors][None, :])
    near: Bool1 = np.asarray(away <= log1p(tolerance) + 1e-12)
    alone = [panel.units[row] for row in treated[near.sum(axis=1) == 0]]
    if alone:
        return Refused(
            _WHAT,
            f"no donor is within {tolerance:.0%} of the population of {few(alone)}",
            "Raise tolerance=, or use statistic='studentised', which allows for size.",
        )
    return near


def _matched(donors: Int1, open_to: Bool1, rng: np.random.Generator) -> Int1 | None:
    """A donor for every place; the place with the fewest to choose from first, anew where one has none left."""
    order = np.argsort(open_to.sum(axis=1), kind="stable")
    for _ in range(_TRIES):
        free, chosen = np.ones(len(donors), dtype=bool), np.zeros(len(order), dtype=np.intp)
        for place in order:
            left = np.flatnonzero(open_to[place] & free)
            if not len(left):
                break
            chosen[place] = rng.choice(left)
            free[chosen[place]] = False
        else:
            return donors[chosen]
    return None


def _contiguous(panel: Panel, places: _Places, cluster: Int1 | None) -> _Picker | Refused:
    """A donor and those nearest to it, for every area; where `cluster` (N,) is given, all from its cluster."""
    donors, areas = places.donors, places.by_area()
    if panel.place is None or not np.isfinite(panel.place[donors]).all():
        lacking = few([panel.units[row] for row in donors if panel.place is not None and _nowhere(panel.place[row])])
        return Refused(
            _WHAT,
            f"it is not known where the donors lie{f' ({lacking})' if lacking else ''}, so none is near another",
            "Name columns of coordinates with place= in Panel.from_frame, or use sets='random'.",
        )
    where = panel.place[donors]
    among = None if cluster is None else cluster[donors]
    if among is not None and (small := _too_small(among, len(areas[0]), "contiguous")) is not None:
        return small

    def one(rng: np.random.Generator) -> Int1 | None:
        return _around(places, among, rng, lambda seed, size, free: _nearest(seed, size, where, free, among))

    def all_of_one_area() -> Iterator[Int1]:
        free = np.ones(len(donors), dtype=bool)
        known = set()
        for seed in np.flatnonzero(_seeds(free, among, len(areas[0]))):
            chosen = _nearest(int(seed), len(areas[0]), where, free, among)
            if (key := frozenset(chosen.tolist())) not in known:
                known.add(key)
                yield donors[chosen]

    return _Picker(one, len(donors), all_of_one_area, len(areas) == 1)


def _in_cluster(panel: Panel, places: _Places) -> _Picker | Refused:
    """For every area donors of one cluster, at random; a cluster is the likelier the more donors it has."""
    donors, largest, among = places.donors, len(places.by_area()[0]), panel.cluster[places.donors]
    if (small := _too_small(among, largest, "random")) is not None:
        return small

    def one(rng: np.random.Generator) -> Int1 | None:
        def some(seed: int, size: int, free: Bool1) -> Int1:
            others = np.flatnonzero(free & (among == among[seed]))
            chosen: Int1 = np.append(seed, rng.choice(others[others != seed], size=size - 1, replace=False))
            return chosen

        return _around(places, among, rng, some)

    alone = len(places.area) == 1
    return _Picker(one, len(donors) if alone else np.inf, lambda: (donors[[row]] for row in range(len(donors))), alone)


def _too_small(among: Int1, size: int, instead: str) -> Refused | None:
    if np.bincount(among).max() >= size:
        return None
    return Refused(
        _WHAT,
        f"no cluster has {size} donors, as many units as the largest treated area has",
        f"Give cluster= (the gemeente) in Panel.from_frame, or use sets={instead!r}.",
    )


def _around(
    places: _Places,
    among: Int1 | None,
    rng: np.random.Generator,
    pick: Callable[[int, int, Bool1], Int1],
) -> Int1 | None:
    """A free donor for every area, and by `pick` those that join it; anew where too few are left for an area."""
    donors, areas = places.donors, places.by_area()
    for _ in range(_TRIES):
        free, chosen = np.ones(len(donors), dtype=bool), np.zeros(len(places.area), dtype=np.intp)
        for members in areas:
            seeds = np.flatnonzero(_seeds(free, among, len(members)))
            if not len(seeds):
                break
            chosen[members] = pick(int(rng.choice(seeds)), len(members), free)
            free[chosen[members]] = False
        else:
            return donors[chosen]
    return None


def _nowhere(place: Float1) -> bool:
    return not np.isfinite(place).all()


def _seeds(free: Bool1, among: Int1 | None, size: int) -> Bool1:
    """(J,) donors around which `size` free ones are left."""
    if among is None:
        return np.asarray(free & (free.sum() >= size))
    return np.asarray(free & (np.bincount(among, weights=free)[among] >= size))


def _nearest(seed: int, size: int, where: Float2, free: Bool1, among: Int1 | None) -> Int1:
    """(size,) the seed and the free donors nearest to it; of those equally near the first."""
    away: Float1 = (where[:, 0] - where[seed, 0]) ** 2 + (where[:, 1] - where[seed, 1]) ** 2
    away[~free if among is None else ~free | (among != among[seed])] = np.inf
    away[seed] = -1.0
    within = np.flatnonzero(away <= np.partition(away, size - 1)[size - 1])
    return np.asarray(within[np.argsort(away[within], kind="stable")[:size]], dtype=np.intp)
