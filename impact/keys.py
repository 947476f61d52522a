"""Where the rows of a long table stand: the unit and the period of every row."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from impact.arrays import Bool1, Float1, Float2, Int1

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Keys"]


class Keys:
    """The rows of a long table as cells of `N` units × `T` periods.

    A complete table that is sorted by unit and period is its own matrix. That is seen in one look at whole numbers, and
    then no row is ever looked up.

    Attributes
    ----------
    units, times : (N,), (T,)
        The values that occur, sorted.
    shape : (int, int)
        ``(N, T)``.
    ordered : bool
        Whether the rows are the cells, in their order.
    unit, time : (rows,) int
        Unit and period of every row by number; -1 where blank.
    """

    def __init__(self, unit: pd.Series[Any], time: pd.Series[Any]) -> None:
        self.ordered = bool(length := _periods_in_order(unit, time))
        if self.ordered:
            self.units, self.times = unit.to_numpy()[::length], time.to_numpy()[:length]
        else:
            self.unit, self.units = _numbered(unit)
            self.time, self.times = _numbered(time)
        self.shape = (len(self.units), len(self.times))

    @cached_property
    def unit(self) -> Int1:
        return np.repeat(np.arange(self.shape[0], dtype=np.intp), self.shape[1])

    @cached_property
    def time(self) -> Int1:
        return np.tile(np.arange(self.shape[1], dtype=np.intp), self.shape[0])

    @cached_property
    def cell(self) -> Int1:
        """(rows,) place of every row in the flattened matrix."""
        return self.unit * self.shape[1] + self.time

    @cached_property
    def head(self) -> Int1:
        """(N,) the first row of every unit."""
        head = np.zeros(self.shape[0], dtype=np.intp)
        head[self.unit[::-1]] = np.arange(len(self.unit) - 1, -1, -1)
        return head

    def heads(self, values: NDArray[Any]) -> NDArray[Any]:
        """(N,) the values (rows,) of the first row of every unit; always a new array."""
        return values[:: self.shape[1]].copy() if self.ordered else values[self.head]

    def matrix(self, values: Float1) -> Float2:
        """(N, T) the values (rows,), nan where there is no row; always a new array."""
        if self.ordered:
            return np.array(values.reshape(self.shape))
        grid = np.full(self.shape, np.nan)
        grid.reshape(-1)[self.cell] = values
        return grid

    def changes(self, values: NDArray[Any]) -> Bool1:
        """(rows,) where a value differs from that of the unit's first row; nan equals nan."""
        expected = self.heads(values)
        if self.ordered:
            values, expected = values.reshape(self.shape), expected[:, None]
        else:
            expected = expected[self.unit]
        differs = np.asarray(values != expected)
        if differs.any():
            differs &= ~((values != values) & (expected != expected))
        return differs.reshape(-1)

    def again(self) -> Bool1:
        """(rows,) where another row has the same unit and period."""
        taken = np.zeros(self.shape[0] * self.shape[1], dtype=bool)
        if self.ordered:
            return taken
        taken[self.cell] = True
        if np.count_nonzero(taken) == len(self.cell):
            return np.zeros(len(self.cell), dtype=bool)
        return np.bincount(self.cell)[self.cell] > 1


def _periods_in_order(unit: pd.Series[Any], time: pd.Series[Any]) -> int:
    """The number of periods of a complete table of whole numbers, sorted by unit and period; 0 for any other."""
    if not (_whole_numbers(unit) and _whole_numbers(time)):
        return 0
    units, times = unit.to_numpy(), time.to_numpy()
    length = int(np.argmax(units != units[0])) or len(units)
    if len(units) % length:
        return 0
    grid, heads, row = units.reshape(-1, length), units[::length], times[:length]
    ordered = (
        (heads[1:] > heads[:-1]).all()
        and (row[1:] > row[:-1]).all()
        and (grid == heads[:, None]).all()
        and (times.reshape(-1, length) == row).all()
    )
    return length if ordered else 0


def _whole_numbers(column: pd.Series[Any]) -> bool:
    return isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu"


def _numbered(column: pd.Series[Any]) -> tuple[Int1, Any]:
    """(rows,) numbers over the sorted values that occur, -1 for blank; and these values."""
    import pandas as pd

    if _whole_numbers(column):
        values = column.to_numpy()
        low = values.min()
        if int(values.max()) - int(low) < 2 * len(values):  # close together: a table is quicker than a hash
            offset = np.subtract(values, low, dtype=np.intp, casting="unsafe")
            there = np.zeros(int(offset.max()) + 1, dtype=bool)
            there[offset] = True
            return (np.cumsum(there) - 1)[offset], np.flatnonzero(there).astype(values.dtype) + low
    codes, found = pd.factorize(column, sort=True)
    return codes.astype(np.intp, copy=False), found
