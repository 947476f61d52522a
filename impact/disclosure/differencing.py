"""What two published numbers say together that neither says alone: how few lie behind the difference of the two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

__all__ = ["hide_more", "least_difference"]


def least_difference(one: Mapping[str, float], other: Mapping[str, float]) -> int:
    """The fewest units that any combination of two weighted means is about; 0 where it is about none.

    Of ``one - c * other`` those units cancel whose two weights have the ratio c, so the ratio that occurs most often
    leaves the fewest.

    Parameters
    ----------
    one, other : mapping of unit to weight
        A unit that is not named has weight 0.
    """
    units = sorted({name for name, weight in (*one.items(), *other.items()) if weight != 0})
    if not units:
        return 0
    a, b = (np.array([means.get(unit, 0.0) for unit in units]) for means in (one, other))
    both = (a != 0) & (b != 0)
    if not both.any():
        return int(min((a != 0).sum(), (b != 0).sum()))
    ratio = np.sort(a[both] / b[both])
    # Ratios of sums in another order differ in the last digits.
    step = np.abs(np.diff(ratio)) > 1e-9 * np.maximum(np.abs(ratio[1:]), np.abs(ratio[:-1]))
    runs = np.diff(np.flatnonzero(np.concatenate([[True], step, [True]])))
    # Each of the two by itself is a combination too (c is 0 or endless); they are judged where they are published.
    return len(units) - int(runs.max())


def hide_more(counts: Sequence[int], hidden: Sequence[bool], least: int) -> list[bool]:
    """Which of the estimates that leave out one at a time are not shown, so that their sum gives none of them away.

    The weighted sum of all of them is the whole. So what is hidden must be at least two, and be about at least `least`
    units together; the smallest of the others are added until it is.
    """
    out = list(hidden)
    if not any(out):
        return out
    for place in sorted(range(len(out)), key=lambda one: (counts[one], one)):
        if sum(out) >= 2 and sum(n for n, gone in zip(counts, out, strict=True) if gone) >= least:
            break
        out[place] = True
    return out
