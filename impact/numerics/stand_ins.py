"""What sums of outcomes become when other units stand in for the treated ones, for many sets of them at once."""

from __future__ import annotations

import numpy as np

from impact.arrays import Float1, Float2, Int1
from impact.numerics.kernel import kernel

__all__ = ["stood_in"]


def _plain(
    values: Float2,
    mass: Float1,
    total: Float1,
    rows: Int1,
    share: Float2,
    group: Int1,
    block: Int1,
    part: Float2,
    *,
    estimate: Float2,
    square: Float2,
) -> None:
    """The same as `stood_in`, in numpy, set by set."""
    terms = estimate.shape[1]
    wide = values.reshape(len(values), -1, terms)
    blocks = int(block.max()) + 1
    for number, chosen in enumerate(rows):
        left = mass.sum() - mass[chosen].sum()
        control = ((total - mass[chosen] @ values[chosen]) / left).reshape(-1, terms)
        each, counted = np.zeros((blocks, terms)), np.zeros((blocks, terms))
        for place, row in enumerate(chosen):
            if group[place] >= 0:
                each[block[place]] += share[number, place] * (wide[row, group[place]] - control[group[place]])
                counted[block[place]] += share[number, place] * part[group[place]]
        estimate[number] = each.sum(axis=0)
        square[number] = ((each - counted * estimate[number]) ** 2).sum(axis=0)


@kernel(oracle=_plain, fastmath={"contract", "nsz"})
def stood_in(
    values: Float2,
    mass: Float1,
    total: Float1,
    rows: Int1,
    share: Float2,
    group: Int1,
    block: Int1,
    part: Float2,
    *,
    estimate: Float2,
    square: Float2,
) -> None:
    """Estimates of `m` terms for `S` sets of stand-ins, and how their blocks (areas) differ.

    A unit that stands in for group ``g`` adds ``share (values_g - control_g)`` to every term, with as control the mean
    of the units with mass that stand in for nobody.

    Parameters
    ----------
    values : (N, K m) float
        What every unit adds in the place of a unit of every group: the terms of group 0, then of group 1, …
    mass : (N,) float
        Weight as a control; 0 for those who are none.
    total : (K m,) float
        ``mass @ values``.
    rows : (S, n) int
        Who takes the places.
    share : (S, n) float
        Of every stand-in in its group.
    group, block : (n,) int
        Of every place; a group of -1 adds nothing, but who takes the place is no control.
    part : (K, m) float
        Of every group in the terms.
    estimate, square : (S, m) float
        Filled: the terms, and ``Σ_block (sum of the block - its part of the term)²``.
    """
    count, places = rows.shape
    terms, columns = estimate.shape[1], values.shape[1]
    blocks = 0
    for place in range(places):
        blocks = max(blocks, block[place] + 1)
    everything = 0.0
    for row in range(len(mass)):
        everything += mass[row]
    control = np.empty(columns)
    each = np.empty((blocks, terms))
    held = np.empty(blocks)
    home = np.full(blocks, -1)
    for place in range(places):
        if group[place] >= 0:
            home[block[place]] = group[place]
    for number in range(count):
        left = everything
        control[:] = total
        each[:] = 0.0
        held[:] = 0.0
        for place in range(places):
            row = rows[number, place]
            weight = mass[row]
            left -= weight
            first = group[place] * terms if group[place] >= 0 else 0
            last = first + terms if group[place] >= 0 else 0
            # Views, so that no index could be negative and the loops are made of wide instructions.
            line, rest = values[row, first:last], control[first:last]
            if group[place] >= 0:
                own, mine = share[number, place], each[block[place]]
                held[block[place]] += own
                for term in range(terms):
                    mine[term] += own * line[term]
                    rest[term] -= weight * line[term]
            before, until = values[row, :first], control[:first]
            for column in range(first):
                until[column] -= weight * before[column]
            behind, onward = values[row, last:], control[last:]
            for column in range(columns - last):
                onward[column] -= weight * behind[column]
        for term in range(terms):
            estimate[number, term] = 0.0
            square[number, term] = 0.0
        for at in range(blocks):
            if home[at] >= 0:
                first = home[at] * terms
                for term in range(terms):
                    each[at, term] -= held[at] * control[first + term] / left
                    estimate[number, term] += each[at, term]
        for at in range(blocks):
            if home[at] >= 0:
                for term in range(terms):
                    away = each[at, term] - held[at] * part[home[at], term] * estimate[number, term]
                    square[number, term] += away * away
