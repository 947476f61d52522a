"""Strata: units that are alike in every label, exactly or in classes of a number, and weights that even them out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from impact.arrays import Bool1, Bool2, Float1, Int1

__all__ = ["Estimand", "classes", "leveled", "of_pairs", "renumbered_sets", "sets_of", "strata", "sturges"]

Estimand = Literal["ATT", "ATE", "ATC", "ATO", "ATM"]
"""Whom a comparison is about: the treated, all, the controls; ATO and ATM are of weights, see ``weighting_scores``."""


def sturges(units: int) -> int:
    """Number of classes for so many units (Sturges 1926, Journal of the American Statistical Association 21)."""
    return int(np.ceil(np.log2(units) + 1))


def classes(values: Float1, cut: int | Sequence[float]) -> Int1:
    """(n,) class of every number: of `cut` classes of one width from the least to the most, or between cut points.

    A class holds its lower bound, and the last one its upper as well. With cut points the first and last class are
    open. Those are the classes of MatchIt (``cutpoints``).
    """
    inner = np.linspace(values.min(), values.max(), cut + 1)[1:-1] if isinstance(cut, int) else np.sort(np.array(cut))
    return np.searchsorted(inner, values, side="right").astype(np.intp)


def strata(labels: Sequence[ArrayLike]) -> Int1:
    """(n,) number of the stratum: units with one number are alike in every one of `labels`, each (n,)."""
    found = np.zeros(len(np.asarray(labels[0])), dtype=np.intp)
    for label in labels:
        codes = np.unique(np.asarray(label), return_inverse=True)[1].reshape(-1)
        found = np.unique(found * (int(codes.max(initial=0)) + 1) + codes, return_inverse=True)[1].reshape(-1)
    return found


def sets_of(strata: Int1, treated: Bool1) -> Int1:
    """(n,) the strata that hold treated units and controls, numbered in the order of the rows; -1 for the others."""
    both = np.intersect1d(strata[treated], strata[~treated])
    _, at = np.unique(strata, return_index=True)
    place = np.full(int(strata.max()) + 1, -1, dtype=np.intp)
    place[both[np.argsort(at[both])]] = np.arange(len(both))
    return place[strata]


def of_pairs(chosen: Bool2) -> tuple[Int1, Int1]:
    """Sets of the rows and of the columns of `chosen` (A, N), which is made of stars; -1 for who is in none."""
    rows, columns = np.full(chosen.shape[0], -1, dtype=np.intp), np.full(chosen.shape[1], -1, dtype=np.intp)
    free = 0
    for row, column in zip(*np.nonzero(chosen), strict=True):
        known = max(rows[row], columns[column])
        if known < 0:
            known, free = free, free + 1
        rows[row] = columns[column] = known
    return rows, columns


def leveled(sets: Int1, treated: Bool1, estimand: Estimand) -> Float1:
    """(n,) weights that give both groups the same shares of the sets; 0 for who is in no set.

    ``ATT``: the shares of the treated, who weigh 1. ``ATE``: those of all units in sets. Weights of a group have mean 1
    over those with any, as in MatchIt; only their ratios within a group mean anything.
    """
    inside = sets >= 0
    weight = np.zeros(len(sets))
    if not inside.any():
        return weight
    here = np.bincount(sets[inside & treated], minlength=int(sets.max()) + 1)
    there = np.bincount(sets[inside & ~treated], minlength=len(here))
    aim = here if estimand == "ATT" else here + there
    for group, count in ((treated, here), (~treated, there)):
        members = inside & group
        weight[members] = (aim / np.maximum(count, 1))[sets[members]]
        weight[members] /= weight[members].mean()
    return weight


def renumbered_sets(sets: Int1) -> Int1:
    """`sets` numbered in the order in which they first occur; -1 stays."""
    found, at = np.unique(sets, return_index=True)
    kept = found >= 0
    place = np.full(int(sets.max(initial=-1)) + 2, -1, dtype=np.intp)
    place[found[kept][np.argsort(at[kept])]] = np.arange(int(kept.sum()))
    return place[sets]
