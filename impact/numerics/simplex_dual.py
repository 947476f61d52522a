"""The dual of programs whose weights many donors share: with a ridge, or of least norm; Newton in T0 + 1 unknowns.

With a target c, offsets o and donors a_j (J of them), both

    min ‖Σ w_j a_j − c‖² + ridge ‖w‖² + 2 ridge o'w     and     min ‖w‖²  such that  Σ w_j a_j = c   (ridge 0, o 0)

over the simplex have the weights w = [λ − o − a z]₊, where (z, λ) minimises the smooth, convex

    ½ ridge ‖z‖² + ½ ‖[λ − o − a z]₊‖² + c'z − λ.

An offset of inf keeps a donor out. All is in units of the scale: donors and c divided by `unit`, ridge by its square.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from impact.arrays import Bool1, Float1, Float2, Float3, Int1
from impact.numerics import simplex_methods as methods
from impact.numerics.kernel import kernel

__all__ = ["newton", "newton_plain"]

_REORDER: Final = {"reassoc", "contract"}
_ROUNDING: Final = methods.ROUNDING


def newton_plain(
    tiles: Float3, unit: Float1, ridge: Float1, target: Float2, offset: Float2, point: Float2, w: Float2, steps: Int1
) -> None:
    """As `newton`."""
    blocks, periods, lanes = tiles.shape
    rows = tiles.transpose(0, 2, 1).reshape(blocks * lanes, periods)[: offset.shape[1]]
    for s in range(len(unit)):
        free = np.isfinite(offset[s])
        w[s] = 0.0
        w[s, free], steps[s] = methods.newton(
            rows[free] / unit[s], offset[s, free], ridge[s], target[s], point[s, :-1], point[s, -1]
        )


@kernel(oracle=newton_plain)
def newton(
    tiles: Float3, unit: Float1, ridge: Float1, target: Float2, offset: Float2, point: Float2, w: Float2, steps: Int1
) -> None:
    """Semismooth Newton with step halving, for every program; `w` and `steps` are filled.

    Parameters
    ----------
    tiles : (blocks, T0, lanes)
        See ``impact.numerics.simplex_tiles.Donors``.
    unit, ridge : (S,)
        What donors are divided by, and the ridge after that.
    target : (S, T0)
        c, less the centre of the tiles and divided by the unit.
    offset : (S, J)
        o.
    point : (S, T0 + 1)
        (z, λ) to begin from.
    w, steps : (S, J), (S,)
        Weights, summing to one; and systems solved.
    """
    periods, donors = tiles.shape[1], offset.shape[1]
    whole, known = np.empty((periods + 1, periods + 1)), False
    gram, inside = np.empty((periods + 1, periods + 1)), np.empty(donors, dtype=np.bool_)
    changed = np.empty(donors, dtype=np.intp)
    system, step, slope = np.empty((periods + 1, periods + 1)), np.empty(periods + 1), np.empty(periods + 1)
    old, new, a, held = np.empty(periods + 1), np.empty(periods + 1), np.empty(periods + 1), np.empty(donors)
    for s in range(len(unit)):
        c, away = target[s], 0.0
        old[:] = point[s]
        total = _weigh(tiles, old, unit[s], offset[s], held)
        value, noise = _value(old, ridge[s], c, total)
        many = 0
        for j in range(donors):
            many += held[j] > 0.0
        # Products of the donors that have weight: from those of all when most have, and kept by what changes.
        if 2 * many > donors and not known:
            _products(tiles, donors, whole)
            known = True
        inside[:] = 2 * many > donors
        gram[:] = 0.0
        if 2 * many > donors:
            gram[:] = whole
        changes = _compare(inside, held, changed)
        settled = spent = done = 0
        while done < 200:
            done += 1
            for j in changed[:changes]:
                inside[j] = not inside[j]
                _count(tiles, j, 1.0 if inside[j] else -1.0, a, gram)
            _sums(tiles, held, slope)
            for t in range(periods):
                away = slope[t] / unit[s]
                slope[t] = ridge[s] * old[t] - away + c[t]
                for k in range(t + 1):
                    system[t, k] = gram[t, k] / (unit[s] * unit[s])
                system[t, t] += ridge[s]
                system[periods, t] = -gram[periods, t] / unit[s]
            slope[periods] -= 1.0
            system[periods, periods] = gram[periods, periods]
            _solve(system, slope, step)
            descent = 0.0
            for t in range(periods + 1):
                descent += slope[t] * step[t]
            length = 1.0
            while True:
                for t in range(periods + 1):
                    new[t] = old[t] + length * step[t]
                total = _weigh(tiles, new, unit[s], offset[s], held)
                reached, blur = _value(new, ridge[s], c, total)
                if reached <= value + 1e-4 * length * descent + noise or length <= 1e-10:
                    break
                length *= 0.5
            # A full step within one support is exact; a second one mends its rounding. Without descent above rounding
            # a few more steps are all that can help.
            changes = _compare(inside, held, changed)
            settled = settled + 1 if length == 1.0 and changes == 0 else 0
            spent += -descent <= noise
            old[:] = new
            value, noise = reached, blur
            if settled == 2 or spent == 4 or length <= 1e-10:
                break
        steps[s] = done
        total = held.sum()
        for j in range(donors):
            w[s, j] = held[j] / total if total > 0.0 else 0.0


@kernel
def _compare(inside: Bool1, w: Float1, changed: Int1) -> int:
    """Which donors have come to weight, or lost it; how many."""
    changes = 0
    for j in range(len(w)):
        changed[changes] = j
        changes += inside[j] != (w[j] > 0.0)
    return changes


@kernel
def _value(point: Float1, ridge: float, c: Float1, total: float) -> tuple[float, float]:
    """The dual at `point`, and what rounding may make of it."""
    bent, along, level = 0.5 * total, 0.0, point[len(c)]
    for t in range(len(c)):
        bent += 0.5 * ridge * point[t] * point[t]
        along += c[t] * point[t]
    return bent + (along - level), _ROUNDING * (bent + abs(along - level))


@kernel(fastmath=_REORDER)
def _weigh(tiles: Float3, point: Float1, unit: float, offset: Float1, out: Float1) -> float:
    """[λ − o − a z]₊ of all donors; the sum of their squares."""
    _price_all(tiles, point, 1.0 / unit, out)
    level, squares = point[len(point) - 1], 0.0
    for j in range(len(out)):
        weight = level - offset[j] - out[j]
        weight = weight if weight > 0.0 else 0.0
        out[j] = weight
        squares += weight * weight
    return squares


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


@kernel(fastmath=_REORDER)
def _sums(tiles: Float3, w: Float1, out: Float1) -> None:
    """Σ w_j a_j, and Σ w_j behind it."""
    blocks, periods, lanes = tiles.shape
    out[:] = 0.0
    for block in range(blocks):
        first = block * lanes
        size = min(lanes, len(w) - first)
        for t in range(periods):
            total = 0.0
            for lane in range(size):
                total += w[first + lane] * tiles[block, t, lane]
            out[t] += total
    out[periods] = w.sum()


@kernel(fastmath=_REORDER)
def _products(tiles: Float3, donors: int, gram: Float2) -> None:
    """Products of the periods over all donors, with a one behind the periods; lower triangle."""
    blocks, periods, lanes = tiles.shape
    gram[:] = 0.0
    for block in range(blocks):
        for t in range(periods):
            for k in range(t + 1):
                total = 0.0
                for lane in range(lanes):
                    total += tiles[block, t, lane] * tiles[block, k, lane]
                gram[t, k] += total
            total = 0.0
            for lane in range(lanes):
                total += tiles[block, t, lane]
            gram[periods, t] += total
    gram[periods, periods] = donors


@kernel
def _count(tiles: Float3, j: int, sign: float, a: Float1, gram: Float2) -> None:
    """Add (or take away) the products of donor `j`."""
    periods, lanes = tiles.shape[1], tiles.shape[2]
    block, lane = j // lanes, j % lanes
    for t in range(periods):
        a[t] = tiles[block, t, lane]
    a[periods] = 1.0
    for t in range(periods + 1):
        value = sign * a[t]
        for k in range(t + 1):
            gram[t, k] += value * a[k]


@kernel
def _solve(system: Float2, slope: Float1, step: Float1) -> None:
    """system step = −slope, by Cholesky in place, with a ridge of rounding size."""
    size = len(step)
    for row in range(size):
        own = system[row, row] + 1e-14 * (1.0 + system[row, row])
        value = -slope[row]
        for column in range(row):
            product = system[row, column]
            for k in range(column):
                product -= system[row, k] * system[column, k]
            product /= system[column, column]
            system[row, column] = product
            own -= product * product
            value -= product * step[column]
        system[row, row] = np.sqrt(max(own, 1e-15 * (1.0 + system[row, row])))
        step[row] = value / system[row, row]
    for row in range(size - 1, -1, -1):
        value = step[row]
        for k in range(row + 1, size):
            value -= system[k, row] * step[k]
        step[row] = value / system[row, row]


def certify_plain(
    tiles: Float3, target: Float2, linear: Float2, ridge: Float1, w: Float2, fit: Float2, price: Float2, found: Float2
) -> None:
    """As `certify`."""
    blocks, periods, lanes = tiles.shape
    rows = tiles.transpose(0, 2, 1).reshape(blocks * lanes, periods)[: w.shape[1]]
    for s in range(len(w)):
        fit[s] = w[s] @ rows
        apart = fit[s] - target[s]
        price[s] = rows @ apart + ridge[s] * w[s] + (linear[s] if linear.size else 0.0)
        found[s] = (
            apart @ apart + ridge[s] * (w[s] @ w[s]) + (2 * linear[s] @ w[s] if linear.size else 0.0),
            w[s] @ price[s],
        )


@kernel(oracle=certify_plain)
def certify(
    tiles: Float3, target: Float2, linear: Float2, ridge: Float1, w: Float2, fit: Float2, price: Float2, found: Float2
) -> None:
    """Of given weights (S, J), in the units of the data: the fit (S, T0), half the gradient (S, J) as `price`, and into
    `found` (S, 2) the objective and the weighted mean of the prices.

    Prices are right but for a constant. `target` (S, T0) is less the centre of the tiles, as the fit is.
    """
    periods, donors = tiles.shape[1], w.shape[1]
    sums, apart = np.empty(periods + 1), np.empty(periods)
    for s in range(len(w)):
        _sums(tiles, w[s], sums)
        value = 0.0
        for t in range(periods):
            fit[s, t] = sums[t]
            apart[t] = sums[t] - target[s, t]
            value += apart[t] * apart[t]
        _price_all(tiles, apart, 1.0, price[s])
        level = 0.0
        for j in range(donors):
            share = w[s, j]
            if linear.size > 0:
                price[s, j] += linear[s, j]
                value += 2.0 * linear[s, j] * share
            price[s, j] += ridge[s] * share
            value += ridge[s] * share * share
            level += share * price[s, j]
        found[s, 0], found[s, 1] = value, level
