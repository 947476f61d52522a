"""The corral for many programs on the same donors: a primal active set on a Cholesky factor (Wolfe 1976), compiled.

The plain form is in `impact.numerics.simplex_methods`. What is added here is time: the factor grows by a row and is
mended from where a donor left, and all donors are priced only when the cheapest of every group of them have been tried.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np

from impact.arrays import Float1, Float2, Float3, Int1
from impact.numerics import simplex_methods as methods
from impact.numerics.kernel import kernel

__all__ = ["corral"]

_REORDER: Final = {"reassoc", "contract"}  # lets a sum be vectorised; nan and inf keep their meaning
_FUSED: Final = {"contract"}
_ENOUGH: Final = 0.05  # share of the gap, or of ‖u‖² at the start, that may be left among the donors that are tried
_ROUNDING: Final = methods.ROUNDING
_TIE: Final = methods.TIE
_CANCELLED: Final = 4 * float(np.finfo(np.float64).eps)
_DOUBT: Final = 1e-9  # a pivot this small may be rounding alone, and the corral affinely dependent


# The donors with weight, in units of the scale; there is room for K of them, and the first `size` count:
# member (K,) which donors they are; x (K, T0) these less the target; price (K,) of the linear term; gram (K, K) x x',
# lower triangle; factor (K, K + 1) of x x' + ridge + 1 1' by Cholesky, on its diagonal the inverse of the pivots and in
# its last column what it makes 1 of; w (K,) weights; u (1, T0) w'x; pull (K,) half the gradient less its mean;
# step (2, K).
_Corral: TypeAlias = tuple[Int1, Float2, Float1, Float2, Float2, Float1, Float2, Float1, Float2]


@kernel(oracle=methods.corrals)
def corral(
    rows: Float2,
    centre: Float1,
    tiles: Float3,
    targets: Float2,
    without: Int1,
    linear: Float2,
    ridge: Float1,
    first: Float2,
    scale: Float2,
    nearest: Int1,
    donor: Int1,
    weight: Float2,
    found: Float2,
    count: Int1,
) -> None:
    """Solve S programs; arrays after `nearest` are filled.

    Parameters
    ----------
    rows, centre, tiles : (J, T0), (T0,), (blocks, T0, lanes)
        See ``impact.numerics.simplex_tiles.Donors``.
    targets, without : (S, T0), (S, n)
        Per program its target, and the donors that may not serve; -1 stands for none.
    linear : (S, J), or (0, 0)
        Prices.
    ridge : (S,)
        Where it makes more than T0 + 1 donors share the weight, the dual is the method.
    first : (S, J), (1, J) or (0, 0)
        Weights to begin from; with more than T0 + 1 of them the beginning is `nearest`.
    scale, nearest : (S, 2), (S, groups)
        From ``measure``.
    donor, weight : (S, K)
        Donors with weight, -1 and 0 behind them. K is min(J, T0 + 1) + 2.
    found : (S, 2)
        The objective, in the units of the data, and the gap, relative to the scale.
    count : (S, 2)
        Systems solved; and how many donors outside could carry weight at no cost, where the donors inside may be
        affinely dependent that number less than -1.
    """
    (donors, periods), room = rows.shape, donor.shape[1]
    member, w = np.empty(room, dtype=np.intp), np.empty(room)
    x, u, held_price = np.empty((room, periods)), np.empty((1, periods)), np.empty(room)
    gram, factor = np.empty((room, room)), np.empty((room, room + 1))
    held = (member, x, held_price, gram, factor, w, u, np.empty(room), np.empty((2, room)))
    groups = nearest.shape[1]
    tried, trial, toll = np.empty(groups, dtype=np.intp), np.empty((groups, periods)), np.empty(groups)
    prices, lowest_price = np.empty(donors), np.empty(groups)
    for s in range(len(targets)):
        b, lines = targets[s], linear[s if linear.size > 0 else 0 :]
        unit = 2.0 ** np.round(0.5 * np.log2(scale[s, 0]))  # a power of two: to divide by it costs no digits
        square, cheapest = unit * unit, scale[s, 1]
        bend, share = ridge[s] / square, scale[s, 0] / square
        away = 0.0
        for t in range(periods):
            away += (b[t] - centre[t]) ** 2
        away = np.sqrt(away) / unit
        size = _begin(member, w, first[s if len(first) > 1 else 0 :], without[s], nearest[s, 0])
        _place(rows, b, lines, cheapest, unit, member[:size], x, held_price)
        for row in range(size):
            for column in range(row + 1):
                gram[row, column] = _dot(x, row, x, column)
        least = _factor(gram, factor, bend, 0, size)
        _residual(x, w, u, size)
        lowest = narrowest = np.inf
        solved = stale = tries = 0
        if size == 1:
            for who in nearest[s, 1:]:
                if who >= 0:
                    tried[tries] = who
                    tries += 1
            _place(rows, b, lines, cheapest, unit, tried[:tries], trial, toll)
            size, solved = _try(held, bend, size, tried[:tries], trial, toll, _ENOUGH * _dot(u, 0, u, 0))
            least = _factor(gram, factor, bend, 0, size)
        while True:
            for _ in range(4):  # once is enough but for rounding
                size, more = _descend(held, bend, size, _ROUNDING)
                solved += more
                if more == 0:
                    break
            _price_all(tiles, u[0], 1.0 / unit, prices)
            if linear.size > 0:
                for j in range(donors):
                    prices[j] += (lines[0, j] - cheapest) / square
            for j in without[s]:
                if j >= 0:
                    prices[j] = np.inf
            level = 0.0
            long = _dot(u, 0, u, 0)
            value = long
            for row in range(size):
                prices[member[row]] += bend * w[row]
                level += w[row] * prices[member[row]]
                value += w[row] * (bend * w[row] + 2.0 * held_price[row])
            entering = tried[_cheapest(prices, tried, lowest_price)]
            gap = level - prices[entering]
            # The objective resolves a gap only to its square root, so close to the optimum the gap has to judge.
            stale = 0 if value < lowest or gap < narrowest else stale + 1
            lowest = min(lowest, value)
            if gap < narrowest:
                narrowest = gap
                inside = _keep(member, w, size, donor[s], weight[s])
                found[s, 0], found[s, 1] = value * square + 2.0 * cheapest, max(0.0, 2.0 * gap / share)
                free = -inside
                for j in range(donors):
                    free += prices[j] - level <= _TIE * share
                count[s, 1] = -1 - max(0, free) if least < _DOUBT else max(0, free)
            near = 0.0
            for t in range(periods):
                near += ((rows[entering, t] - b[t]) / unit) ** 2
            spread = 0.0  # what u is a sum of: where that cancels, u is rounding
            for row in range(size):
                spread += w[row] * np.sqrt(gram[row, row])
            noise = (np.sqrt(near) + away) * (_ROUNDING * np.sqrt(long) + _CANCELLED * spread) + _ROUNDING * abs(level)
            if gap <= noise or stale == 5 or solved > 20 * room + 2 * donors:
                break
            tries = 0
            for group in range(groups):
                if lowest_price[group] < level:
                    tried[tries] = tried[group]
                    tries += 1
            _place(rows, b, lines, cheapest, unit, tried[:tries], trial, toll)
            size, more = _try(held, bend, size, tried[:tries], trial, toll, max(noise, _ENOUGH * gap))
            solved += more
            least = _factor(gram, factor, bend, 0, size)
        count[s, 0] = solved


@kernel
def _begin(member: Int1, w: Float1, first: Float2, without: Int1, nearest: int) -> int:
    """Members and weights to begin with: those given, or the donor that serves best alone."""
    room, size, total = len(w), 0, 0.0
    if first.size > 0:
        for j in range(first.shape[1]):
            if first[0, j] > 0.0:
                out = False
                for other in without:
                    out |= other == j
                if not out:
                    if size == room - 2:
                        size = 0
                        break
                    member[size], w[size] = j, first[0, j]
                    total += first[0, j]
                    size += 1
    if size == 0:
        member[0], w[0] = nearest, 1.0
        return 1
    for row in range(size):
        w[row] /= total
    return size


@kernel(fastmath=_REORDER)
def _place(
    rows: Float2, b: Float1, lines: Float2, cheapest: float, unit: float, who: Int1, x: Float2, price: Float1
) -> None:
    """Donors `who` less the target, and their prices, in units of the scale."""
    by = 1.0 / unit
    for at in range(len(who)):
        j = who[at]
        for t in range(len(b)):
            x[at, t] = (rows[j, t] - b[t]) * by
        price[at] = (lines[0, j] - cheapest) * by * by if lines.size > 0 else 0.0


@kernel
def _try(
    held: _Corral, ridge: float, size: int, tried: Int1, trial: Float2, toll: Float1, enough: float
) -> tuple[int, int]:
    """Let the cheapest of the donors that are tried in, until none is cheaper by more than `enough`."""
    member, x, price, gram, factor, w, u, _, _ = held
    solved = 0
    for _ in range(4 * len(w)):
        level, chosen = 0.0, -1
        for row in range(size):
            level += w[row] * (_dot(x, row, u, 0) + price[row] + ridge * w[row])
        best = level - enough
        for at in range(len(tried)):
            value = _dot(trial, at, u, 0) + toll[at]
            if value < best:
                chosen, best = at, value
        for row in range(size):
            if chosen >= 0 and member[row] == tried[chosen]:
                chosen = -1
        if chosen < 0 or size == len(w):
            break
        member[size], w[size], price[size] = tried[chosen], 0.0, toll[chosen]
        for t in range(x.shape[1]):
            x[size, t] = trial[chosen, t]
        for column in range(size + 1):
            gram[size, column] = _dot(x, size, x, column)
        _factor(gram, factor, ridge, size, size + 1)
        size, more = _descend(held, ridge, size + 1, 0.0)
        solved += more
    return size, solved


@kernel
def _descend(held: _Corral, ridge: float, size: int, enough: float) -> tuple[int, int]:
    """To the best point of the corral; donors that come to zero on the way leave it.

    Gives its size and the systems solved: none where prices of its members differ by no more than `enough`, relative to
    what they are made of.
    """
    member, x, price, gram, factor, w, u, pull, step = held
    solved = 0
    while True:
        level = spread = 0.0
        for row in range(size):
            pull[row] = _dot(x, row, u, 0) + price[row] + ridge * w[row]
            level += w[row] * pull[row]
            step[1, row] = np.sqrt(gram[row, row])
            spread += w[row] * step[1, row]
        unit = enough * np.sqrt(_dot(u, 0, u, 0)) + _CANCELLED * spread
        still = solved == 0
        for row in range(size):
            pull[row] -= level
            still &= abs(pull[row]) <= unit * step[1, row] + enough * abs(level)
        if size == 1 or still:
            return size, solved
        _step(factor, pull, step, size)
        solved += 1
        room, leaving = 1.0, -1
        for row in range(size):
            if step[0, row] < 0.0 and w[row] < -room * step[0, row]:
                room, leaving = w[row] / -step[0, row], row
        total, kept, first = 0.0, 0, size
        for row in range(size):
            w[row] = max(0.0, w[row] + room * step[0, row])
            if row == leaving or (leaving >= 0 and step[0, row] < 0.0 and w[row] <= _ROUNDING):
                first = min(first, kept)
                continue
            total += w[row]
            if kept < row:
                w[kept], price[kept], member[kept] = w[row], price[row], member[row]
                for t in range(x.shape[1]):
                    x[kept, t] = x[row, t]
            step[1, kept] = row  # where it stood
            kept += 1
        for row in range(first, kept):
            for column in range(row + 1):
                gram[row, column] = gram[int(step[1, row]), int(step[1, column])]
        size = kept
        _factor(gram, factor, ridge, first, size)
        for row in range(size):
            w[row] /= total
        _residual(x, w, u, size)
        if leaving < 0:
            return size, solved


@kernel(fastmath=_FUSED, forceinline=True)
def _step(factor: Float2, pull: Float1, step: Float2, size: int) -> None:
    """The step d (into `step[0]`), Σ d = 0, that minimises ½ d'(x x' + ridge) d + pull'd."""
    d, last = step[0], factor.shape[1] - 1
    across = along = 0.0
    for row in range(size):
        value = pull[row]
        for k in range(row):
            value -= factor[row, k] * d[k]
        d[row] = value * factor[row, row]
        across += factor[row, last] * d[row]
        along += factor[row, last] * factor[row, last]
    for row in range(size):
        d[row] = across / along * factor[row, last] - d[row]
    for row in range(size - 1, -1, -1):
        d[row] *= factor[row, row]
        for k in range(row):
            d[k] -= factor[row, k] * d[row]


@kernel(fastmath=_FUSED, forceinline=True)
def _factor(gram: Float2, factor: Float2, ridge: float, first: int, size: int) -> float:
    """Mend the factor from row `first` on; the least pivot, relative, among its rows.

    A ridge of rounding size keeps it from being singular. It bends the steps, not where they end; and along a direction
    without curvature (a linear term only) it makes them long enough to reach the boundary.
    """
    least, last = np.inf, factor.shape[1] - 1
    for row in range(first, size):
        for column in range(row):
            value = gram[row, column] + 1.0
            for k in range(column):
                value -= factor[row, k] * factor[column, k]
            factor[row, column] = value * factor[column, column]
        own = gram[row, row] + ridge
        pivot, one = own * (1.0 + 1e-13) + 1e-15 + 1.0, 1.0
        for k in range(row):
            pivot -= factor[row, k] * factor[row, k]
            one -= factor[row, k] * factor[k, last]
        least = min(least, pivot / (1.0 + own))
        factor[row, row] = 1.0 / np.sqrt(max(pivot, 1e-15 * (1.0 + own)))
        factor[row, last] = one * factor[row, row]
    return least


@kernel(fastmath=_REORDER, forceinline=True)
def _residual(x: Float2, w: Float1, u: Float2, size: int) -> None:
    u[0] = 0.0
    for row in range(size):
        share = w[row]
        for t in range(u.shape[1]):
            u[0, t] += share * x[row, t]


@kernel(fastmath=_REORDER)
def _price_all(tiles: Float3, u: Float1, factor: float, out: Float1) -> None:
    """factor × donor'u of all donors."""
    blocks, periods, lanes = tiles.shape
    total = np.empty(lanes)
    for block in range(blocks):
        total[:] = 0.0
        for t in range(periods):
            value = factor * u[t]
            for lane in range(lanes):
                total[lane] += tiles[block, t, lane] * value
        first = block * lanes
        for lane in range(min(lanes, len(out) - first)):
            out[first + lane] = total[lane]


@kernel
def _cheapest(prices: Float1, who: Int1, lowest: Float1) -> int:
    """The cheapest donor of every group, and its price; the group of the cheapest of all.

    Of n groups one has every n-th donor, so that the groups are compared side by side.
    """
    groups = len(who)
    lowest[:] = np.inf
    who[:] = 0
    for first in range(0, len(prices), groups):
        some = prices[first : first + groups]
        for group in range(len(some)):
            if some[group] < lowest[group]:
                lowest[group], who[group] = some[group], first + group
    best = 0
    for group in range(1, groups):
        if lowest[group] < lowest[best]:
            best = group
    return best


@kernel(fastmath=_REORDER, forceinline=True)
def _dot(x: Float2, row: int, y: Float2, other: int) -> float:
    total = 0.0
    for t in range(x.shape[1]):
        total += x[row, t] * y[other, t]
    return total


@kernel
def _keep(member: Int1, w: Float1, size: int, donor: Int1, weight: Float1) -> int:
    """The corral as an answer; how many donors it has."""
    at = 0
    for row in range(size):
        if w[row] > 0.0:
            donor[at], weight[at] = member[row], w[row]
            at += 1
    donor[at:], weight[at:] = -1, 0.0
    return at
