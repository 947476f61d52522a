"""Groups of rows that start together, or lie in one area: their numbers, starts and names."""

from __future__ import annotations

import numpy as np

from impact.arrays import Float1, Int1
from impact.errors import DataError, Problem

__all__ = ["cohorts", "group_starts", "names_of", "one_start"]


def cohorts(first: Float1, length: int) -> Int1:
    """(N,) number of the cohort among those treated within `length` periods; -1 for the others."""
    known = np.unique(first[first < length])
    return np.where(first < length, np.searchsorted(known, first), -1).astype(np.intp)


def group_starts(group: Int1, first: Float1) -> Float1:
    """(K,) start of every group, from the `group` (n,) of every row, -1 for none, and its start `first` (n,)."""
    starts = np.full(int(group.max(initial=-1)) + 1, np.inf)
    inside = group >= 0
    starts[group[inside]] = first[inside]
    return starts


def one_start(group: Int1, first: Float1, names: tuple[str, ...]) -> Int1:
    """(n,) `group`; ``PANEL-009`` where rows of one group, an area of `names` (K,), start at different periods."""
    inside = group >= 0
    mixed = np.unique(group[inside][group_starts(group, first)[group[inside]] != first[inside]])
    if mixed.size:
        says = f"areas whose units start at different periods: {', '.join(names[number] for number in mixed)}"
        raise DataError(Problem("PANEL-009", says, "give every start its own area"))
    return group


def names_of(group: Int1, other: Int1, names: tuple[str, ...]) -> tuple[str, ...]:
    """(K,) for every group what its first row is called by its other code (an area)."""
    inside = np.flatnonzero(group >= 0)
    _, heads = np.unique(group[inside], return_index=True)
    return tuple(names[other[inside[head]]] for head in heads)
