"""Which wijken and buurten are a focus area: grown from the wijk with the worst score, as far as the settings say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from impact.arrays import Float1, Int1, frozen
from impact.register.areas import areas
from impact.simulate.geography import Geography
from impact.simulate.settings import Settings
from impact.streams import Streams

__all__ = ["Membership", "membership"]


@dataclass(frozen=True, slots=True, eq=False)
class Membership:
    """Who belongs to which of the `A` areas, by their place in the register; -1 for none.

    Attributes
    ----------
    buurt : (B,) int
        Area of every buurt.
    order : tuple of (n,) int
        Wijken of every area as a whole, in the order in which they were chosen.
    neighbour : (W,) int
        Area on which a wijk borders that has no part in any area; the one with the longest common border.
    """

    buurt: Int1
    order: tuple[Int1, ...]
    neighbour: Int1

    def __post_init__(self) -> None:
        object.__setattr__(self, "buurt", frozen(self.buurt, np.intp))
        object.__setattr__(self, "neighbour", frozen(self.neighbour, np.intp))
        object.__setattr__(self, "order", tuple(frozen(one, np.intp) for one in self.order))


def membership(settings: Settings, land: Geography, badness: Float1, streams: Streams) -> Membership:
    """Choose the areas.

    In every gemeente of the register an area starts at the wijk with the largest `badness` (W,) and takes, one by one,
    the worst of the wijken that border on it; never more than half of the wijken of a gemeente.
    """
    real = areas()
    homes = list(dict.fromkeys(one.gemeente_code for one in real))
    near = _near(land.borders[:, :2], len(land.wijken))
    draw = streams.at("members").generator()
    buurt = np.full(len(land.buurten), -1)
    taken = np.zeros(len(land.wijken), dtype=bool)
    order = []
    for a, one in enumerate(real):
        home = homes.index(one.gemeente_code)
        inside = land.wijk_gemeente == home
        most = int(inside.sum()) // (2 * sum(other.gemeente_code == one.gemeente_code for other in real))
        size = int(draw.integers(settings.members[0], settings.members[1] + 1))
        size = len(settings.large[one.slug]) if one.slug in settings.large else size
        partly = one.slug in settings.partial
        chosen: list[int] = []
        for _ in range(min(size, most - partly) + partly):
            reach = inside & ~taken & (near[chosen].any(axis=0) if chosen else True)
            if not reach.any():
                break
            worst = int(np.argmax(np.where(reach, badness, -np.inf)))
            chosen.append(worst)
            taken[worst] = True
        if partly:
            last = chosen.pop()
            buurt[_half(settings, land, np.isin(land.wijk, chosen), land.wijk == last)] = a
        buurt[np.isin(land.wijk, chosen)] = a
        order.append(np.array(chosen))
    return Membership(buurt, tuple(order), _neighbours(land, buurt))


def _near(pairs: NDArray[np.intp], count: int) -> NDArray[np.bool_]:
    """(count, count) whether two wijken share an edge."""
    near = np.zeros((count, count), dtype=bool)
    near[pairs[:, 0], pairs[:, 1]] = near[pairs[:, 1], pairs[:, 0]] = True
    return near


def _half(settings: Settings, land: Geography, area: NDArray[np.bool_], wijk: NDArray[np.bool_]) -> Int1:
    """Half of the buurten of a wijk, from the side of the area on."""
    place = np.column_stack(divmod(land.cell, settings.columns))
    rest = np.flatnonzero(wijk).tolist()
    have = np.flatnonzero(area).tolist()
    found: list[int] = []
    for _ in range(max(len(rest) // 2, 1)):
        steps = [int(np.abs(place[have] - place[b]).sum(axis=1).min()) for b in rest]
        new = rest.pop(int(np.argmin(steps)))
        have.append(new)
        found.append(new)
    return np.array(found)


def _neighbours(land: Geography, buurt: Int1) -> Int1:
    count, number = len(land.wijken), int(buurt.max()) + 1
    inside = buurt >= 0
    area = np.full(count, -1)
    area[land.wijk[inside]] = buurt[inside]
    shared = np.zeros((count, number), dtype=np.intp)
    # From both sides: whoever stands in the first place borders on the area of the second.
    for one, other in ((0, 1), (1, 0)):
        beside = area[land.borders[:, other]]
        touch = beside >= 0
        np.add.at(shared, (land.borders[touch, one], beside[touch]), land.borders[touch, 2])
    found = np.where(shared.any(axis=1), shared.argmax(axis=1), -1)
    return np.where(area >= 0, -1, found)
