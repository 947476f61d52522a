"""Which cells of a table disclose something by themselves: small, dominated, or all there is of a row."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from impact.arrays import Bool1, Bool2, Float1, Float2, Int1

__all__ = ["Bools", "dominated", "full", "largest", "small", "within_percent"]

Bools: TypeAlias = NDArray[np.bool_]


def small(counts: NDArray[np.float64], minimum: int, *, zeros: bool) -> Bools:
    """Cells with fewer than `minimum` behind them; a count of 0 only where `zeros` says that it discloses.

    Parameters
    ----------
    counts : array of float
        Of any shape; nan where the count is not known, which is never small and never safe.
    minimum : int
        The fewest that is safe.
    zeros : bool
        Whether nobody is too few.
    """
    return np.asarray((counts < minimum) & ((counts > 0) | zeros))


def largest(values: Float1, cell: Int1, cells: int, n: int) -> Float2:
    """(cells, n) the n largest of the `values` (M,) of every cell (`cell` (M,) is its number), the largest first."""
    order = np.lexsort((-values, cell))
    sorted_cell = cell[order]
    first = np.searchsorted(sorted_cell, np.arange(cells))
    rank = np.arange(len(values)) - first[sorted_cell]
    top = np.zeros((cells, n))
    keep = rank < n
    top[sorted_cell[keep], rank[keep]] = values[order][keep]
    return top


def dominated(values: Float1, cell: Int1, cells: int, n: int, k: float) -> Bool1:
    """(cells,) cells whose n largest contributions make up at least the share k: the (n, k) rule.

    Hundepool et al. (2012), Statistical Disclosure Control, section 4.2.2. Contributions are not negative.
    """
    total = np.bincount(cell, weights=values, minlength=cells)
    top = largest(values, cell, cells, n).sum(axis=1)
    # Sums in another order differ in the last digit; at the edge a cell counts as dominated.
    return np.asarray((total > 0) & (top >= k * total * (1 - 1e-12)))


def within_percent(values: Float1, cell: Int1, cells: int, p: float) -> Bool1:
    """(cells,) cells from which the second largest contributor knows the largest to within p percent: the p% rule.

    That is when all others together are less than p percent of the largest. Hundepool et al. (2012), section 4.2.2.
    """
    total = np.bincount(cell, weights=values, minlength=cells)
    top = largest(values, cell, cells, 2)
    rest = np.maximum(total - top.sum(axis=1), 0.0)
    # What is left of a difference of sums may be rounding alone.
    rest[np.bincount(cell, minlength=cells) <= 2] = 0.0
    return np.asarray(rest < p / 100 * top[:, 0] * (1 - 1e-12))


def full(counts: Float2, share: float) -> Bool2:
    """(R, C) cells with more than `share` of their row or column: of whoever is in it, it is known that he is there.

    Rows and columns with one cell say nothing by that. Empty rows have no full cell.
    """
    out = np.zeros(counts.shape, dtype=bool)
    for axis in (0, 1):
        if counts.shape[axis] > 1:
            total = counts.sum(axis=axis, keepdims=True)
            out |= (total > 0) & (counts > share * total * (1 + 1e-12))
    return out
