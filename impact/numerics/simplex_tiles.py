"""What programs on the same donors share: the donors side by side in tiles, and the scale and start of each program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from impact.arrays import Float1, Float2, Float3, Int1
from impact.numerics.kernel import as_passed, kernel
from impact.numerics.simplex_methods import BLUR

__all__ = ["GROUPS", "Donors", "measure", "measure_plain", "tile", "tile_plain"]

GROUPS: Final = 96  # of donors, every 96th in one; the cheapest of each is tried before all donors are priced (again)
_LANES: Final = 64
_FEW: Final = 16
_BLUR: Final = BLUR
_REORDER: Final = {"reassoc", "contract"}  # lets a sum be vectorised; nan and inf keep their meaning


@dataclass(frozen=True, slots=True, eq=False)
class Donors:
    """The same numbers twice: as they are, and laid out so that all donors are priced in one fast pass.

    Attributes
    ----------
    rows : (J, T0) array
        The donors.
    centre : (T0,) array
        What is subtracted in `tiles`, so that a common level costs no digits.
    tiles : (blocks, T0, lanes) array
        Period by period, `lanes` donors side by side; 0 in the lanes that no donor has.
    """

    rows: Float2
    centre: Float1
    tiles: Float3

    @classmethod
    def of(cls, rows: Float2, centre: Float1) -> Donors:
        rows, centre = as_passed(rows), as_passed(centre)
        return cls(rows, centre, as_passed(tile(rows, centre, min(_LANES, len(rows)))))


def tile_plain(rows: Float2, centre: Float1, lanes: int) -> Float3:
    """As `tile`."""
    donors, periods = rows.shape
    blocks = -(-donors // lanes)
    padded = np.zeros((blocks * lanes, periods))
    padded[:donors] = rows - centre
    return np.ascontiguousarray(padded.reshape(blocks, lanes, periods).transpose(0, 2, 1))


@kernel(oracle=tile_plain)
def tile(rows: Float2, centre: Float1, lanes: int) -> Float3:
    """The tiles of `Donors`."""
    donors, periods = rows.shape
    tiles = np.empty(((donors + lanes - 1) // lanes, periods, lanes))
    tiles[-1] = 0.0
    for donor in range(donors):
        block, lane = donor // lanes, donor % lanes
        for t in range(periods):
            tiles[block, t, lane] = rows[donor, t] - centre[t]
    return tiles


def measure_plain(
    rows: Float2,
    centre: Float1,
    tiles: Float3,
    targets: Float2,
    without: Int1,
    linear: Float2,
    ridge: Float1,
    scale: Float2,
    nearest: Int1,
) -> bool:
    """As `measure`."""
    for s, target in enumerate(targets):
        if not ((rows - target) ** 2).sum() < np.inf:
            return False
        there = np.setdiff1d(np.arange(len(rows)), without[s])
        squares = ((rows[there] - target) ** 2).sum(axis=1)
        price = linear[s, there] if linear.size else np.zeros(len(there))
        free = price - price.min()
        size = float(np.median(squares) + ridge[s] + np.median(free))
        if size <= len(target) * (_BLUR * float(np.abs(target).max())) ** 2:
            size = float(squares.max() + free.max()) or 1.0
        scale[s] = size, price.min()
        value = np.full(len(rows), np.inf)
        value[there] = squares + 2 * price
        groups = [np.arange(group, len(rows), nearest.shape[1]) for group in range(nearest.shape[1])]
        nearest[s] = [who[np.argmin(value[who])] for who in groups]
        best = int(np.argmin(value[nearest[s]]))
        nearest[s, [0, best]] = nearest[s, [best, 0]]
        nearest[s, np.isinf(value[nearest[s]])] = -1
    return bool(np.isfinite(scale).all())


@kernel(oracle=measure_plain)
def measure(
    rows: Float2,
    centre: Float1,
    tiles: Float3,
    targets: Float2,
    without: Int1,
    linear: Float2,
    ridge: Float1,
    scale: Float2,
    nearest: Int1,
) -> bool:
    """Of every program its scale and lowest price (into `scale`) and the donors that serve best alone (`nearest`).

    These are one of every group, or -1 where none of it may serve; the best of all comes first.

    The scale is the median over donors of ‖a_j − b‖², plus the ridge and the median price above the lowest; where that
    is 0 to rounding, the largest of these; where that is 0 too, 1. Arrays as in
    ``impact.numerics.simplex_corral.corral``. False where a number is not finite, or too large to be squared.
    """
    donors, groups, priced = len(rows), nearest.shape[1], linear.size > 0
    distance, price, least = np.empty(donors), np.zeros(donors), np.empty(groups)
    for s in range(len(targets)):
        _distances(tiles, targets[s] - centre, distance)
        total = _sum(distance)
        if not total < np.inf:
            return False
        allowed, cheapest = donors, 0.0
        for j in without[s]:
            if j >= 0 and distance[j] < np.inf:
                distance[j] = np.inf
                allowed -= 1
        size = _middle(distance, allowed, total / donors) + ridge[s]
        if priced:
            cheapest, total = np.inf, 0.0
            for j in range(donors):
                price[j] = linear[s, j] if distance[j] < np.inf else np.inf
                cheapest = min(cheapest, price[j])
            price -= cheapest
            for value in price:
                total += value if value < np.inf else 0.0
            size += _middle(price, allowed, total / allowed)
        least[:], nearest[s] = np.inf, -1
        for first in range(0, donors, groups):
            for group in range(min(groups, donors - first)):
                value = distance[first + group] + 2.0 * price[first + group]
                if value < least[group]:
                    least[group], nearest[s, group] = value, first + group
        best = 0
        for group in range(1, groups):
            if least[group] < least[best]:
                best = group
        nearest[s, 0], nearest[s, best] = nearest[s, best], nearest[s, 0]
        level = 0.0
        for value in targets[s]:
            level = max(level, abs(value))
        if size <= len(targets[s]) * (_BLUR * level) ** 2:
            size = 0.0
            for j in range(donors):
                if distance[j] < np.inf:
                    size = max(size, distance[j] + price[j])
        if not size < np.inf:
            return False
        scale[s, 0], scale[s, 1] = size if size > 0.0 else 1.0, cheapest
    return True


@kernel(fastmath=_REORDER)
def _distances(tiles: Float3, point: Float1, out: Float1) -> None:
    """‖donor − point‖² of all donors, both less the centre."""
    blocks, periods, lanes = tiles.shape
    total = np.empty(lanes)
    for block in range(blocks):
        total[:] = 0.0
        for t in range(periods):
            value = point[t]
            for lane in range(lanes):
                apart = tiles[block, t, lane] - value
                total[lane] += apart * apart
        first = block * lanes
        for lane in range(min(lanes, len(out) - first)):
            out[first + lane] = total[lane]


@kernel
def _middle(values: Float1, count: int, guess: float) -> float:
    """The median of the `count` numbers that are finite, none of them negative; the others are inf.

    From a guess, by narrowing what it lies between, a fast count at a time, until few are left.
    """
    rank = (count + 1) // 2  # sought: the smallest number with so many at or below it
    low, under = 0.0, _at_most(values, 0.0)
    if under < rank:
        high = max(1e-300, guess)
        above = _at_most(values, high)
        while above < rank and high < np.inf:
            low, under = high, above
            high *= 2.0
            above = _at_most(values, high)
        if not high < np.inf:
            return np.inf  # numbers too large to be squared
        while above - under > _FEW:
            part = (rank - under) / (above - under)
            cut = low + min(0.9, max(0.1, part)) * (high - low)
            if not low < cut < high:
                break
            there = _at_most(values, cut)
            if there >= rank:
                high, above = cut, there
            else:
                low, under = cut, there
        low = _ranked(values, low, high, rank - under) if above - under <= _FEW else high
    if count % 2 or _at_most(values, low) > rank:
        return low
    after = np.inf
    for value in values:
        if (low < value) == (value < after):  # as ``low < value < after``, in one branch: see `_ranked`
            after = value
    return 0.5 * (low + after)


@kernel
def _ranked(values: Float1, low: float, high: float, rank: int) -> float:
    """Of the few numbers in (low, high] the one of that rank, from 1."""
    few, held = np.empty(_FEW), 0
    for value in values:
        # As ``low < value <= high``, in one branch that is seldom taken; the first of two would go either way.
        if (low < value) == (value <= high):
            place = held
            while place > 0 and few[place - 1] > value:
                few[place] = few[place - 1]
                place -= 1
            few[place] = value
            held += 1
    found: float = few[rank - 1]
    return found


@kernel
def _at_most(values: Float1, bound: float) -> int:
    found = 0
    for value in values:
        found += value <= bound
    return found


@kernel(fastmath=_REORDER)
def _sum(values: Float1) -> float:
    total = 0.0
    for value in values:
        total += value
    return total
