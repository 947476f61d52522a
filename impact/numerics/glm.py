"""Poisson regression of a table with row and column effects: solved exactly, one small system per step.

With the row effects concentrated out, the Poisson likelihood of a table is that of multinomials, one a row, which is
concave in the column effects (Hausman, Hall & Griliches 1984, Econometrica 52(4), section 2). So a million rows cost no
more than a pass over the table and a system of as many equations as there are columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impact.arrays import Bool1, Bool2, Float1, Float2

__all__ = ["Course", "course", "obstacles"]

_MOST = 100
# A Newton step of this size leaves an error of its square.
_LAST = 1e-8
_CLOSE = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """How `T` columns go up and down in common, each of the `R` rows having a level of its own.

    Attributes
    ----------
    factor : (T,) float
        Exponentiated column effects; they sum to 1 over the columns that are known and are 0 in the others.
    known : (T,) bool
        Columns that are open in some row with a positive total.
    share : (R, T) float
        Expected share of a row's total in each of its open columns; 0 elsewhere, and in rows without a total.
    inverse : (T, T) float
        Generalised inverse of the information on the column effects; 0 in columns that are not known. The effects are
        known up to a constant, so it is meant for directions that sum to 0.
    steps : int
        Newton steps.
    """

    factor: Float1
    known: Bool1
    share: Float2
    inverse: Float2
    steps: int


def obstacles(total: Float2, open: Bool2) -> tuple[Bool1, Bool1]:
    """What stands in the way of a finite solution; without any there is exactly one.

    Parameters
    ----------
    total : (R, T) float
        Outcomes, 0 or more.
    open : (R, T) bool
        Cells that count.

    Returns
    -------
    empty : (T,) bool
        Columns with open cells that are all 0: their effect is minus infinity.
    apart : (T,) bool
        Columns whose level relative to the others cannot be known: no chain of rows leads from them to the others and
        back, a row leading from each of its open columns to those of them that are not 0 (Ford 1957, American
        Mathematical Monthly 64(8), for comparisons of pairs).
    """
    inside = np.where(open, total, 0.0)
    known = (inside > 0).any(axis=0)
    empty = open.any(axis=0) & ~known
    counted = open & (inside.sum(axis=1) > 0)[:, None]
    reach = (counted.T.astype(np.float64) @ (inside > 0)) > 0
    for _ in range(int(np.ceil(np.log2(max(len(reach), 2))))):
        reach |= (reach.astype(np.float64) @ reach) > 0
    together = reach & reach.T
    largest = together[together.sum(axis=1).argmax()] if len(together) else known
    return np.asarray(empty), np.asarray(known & ~largest)


def course(total: Float2, exposure: Float2, open: Bool2) -> Course | None:
    """The maximum of the Poisson likelihood with mean ``exposure[r, t] * exp(row[r] + column[t])`` in the open cells.

    Parameters
    ----------
    total : (R, T) float
        Outcomes, 0 or more; weights of rows are multiplied in. Rows without anything in an open cell add nothing.
    exposure : (R, T) float
        Positive in open cells.
    open : (R, T) bool
        Cells that count, such that `obstacles` finds none.

    Returns
    -------
    Course or None
        None when Newton's method does not settle.
    """
    inside = np.where(open, total, 0.0)
    size, mass = inside.sum(axis=1), inside.sum(axis=0)
    known = mass > 0
    counted = size > 0
    risk = np.where(open, exposure, 0.0)[np.ix_(counted, known)]
    own, column = size[counted], mass[known]
    # Where every row is open everywhere and nothing else differs, this is the solution already.
    effect = np.log(column / ((own / risk.sum(axis=1)) @ risk))
    share, height = _shares(risk, effect, own, column)
    for steps in range(1, _MOST + 1):
        step = _inverse(share, own) @ (column - own @ share)
        settled = np.abs(step).max(initial=0.0) <= _LAST
        while True:
            share, reached = _shares(risk, effect + step, own, column)
            # Close to the top, rounding decides which of two heights is larger.
            if reached >= height or np.abs(step).max(initial=0.0) <= _CLOSE:
                break
            step = step / 2
        effect, height = effect + step, reached
        if settled:
            shares = np.zeros(total.shape)
            shares[np.ix_(counted, known)] = share
            factor, inverse = np.zeros(len(known)), np.zeros((len(known), len(known)))
            factor[known] = _factor(effect) / _factor(effect).sum()
            inverse[np.ix_(known, known)] = _inverse(share, own)
            return Course(factor, known, shares, inverse, steps)
    return None


def _factor(effect: Float1) -> Float1:
    return np.asarray(np.exp(effect - effect.max(initial=0.0)))


def _shares(risk: Float2, effect: Float1, size: Float1, mass: Float1) -> tuple[Float2, float]:
    """Expected shares (R, T), and the concentrated log-likelihood up to what does not depend on the effects."""
    expected = risk * _factor(effect)
    level = expected.sum(axis=1)
    height = mass @ (effect - effect.max(initial=0.0)) - size @ np.log(level)
    return expected / level[:, None], float(height)


def _inverse(share: Float2, size: Float1) -> Float2:
    """Inverse of the information ``Σ size (diag(share) - share share')``, made regular in the constant direction."""
    information = np.diag(size @ share) - (share * size[:, None]).T @ share
    return np.asarray(np.linalg.inv(information + (np.trace(information) / max(len(information), 1) or 1.0)))
