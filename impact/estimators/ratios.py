"""Imputation in ratios: what treated units were to be expected to have, from their own past and a common course.

Every row has a level of its own and all share period effects, ``E[y] = exposure exp(a + b)``. The period effects are
learned from untreated cells; the level from the row's own base periods. Rows are units or, where no exposure changes
over time, whole strata: their units then share one course of expected shares, and the likelihood sees their sums only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from impact.arrays import Bool1, Bool2, Float1, Float2, Int1
from impact.errors import Refused
from impact.numerics.glm import Course, course, obstacles
from impact.numerics.moments import Moments, Strata
from impact.numerics.sums import sums
from impact.panel import Panel

__all__ = ["SHARED", "Data", "Key", "Part", "Table", "imputed", "learned", "means", "measured", "table"]

# Group whose matched controls serve, or this where all groups have the same; and the start of the cohort that is left
# aside, or inf.
Key = tuple[int, float]
SHARED: Final = -1

# Totals that a subtraction leaves of nothing, relative to what they were taken from.
_NOTHING = 1e-11
_WHAT: Final = "an estimate by poisson"


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Outcomes of those who serve as control.

    Attributes
    ----------
    rows, row : (n,) int
        Who serves, and in which of the `R` rows of the table each stands.
    total, exposure : (R, T) float
        Weighted sums of outcomes, and exposure up to a factor per row.
    stratum : (R,) int
    """

    rows: Int1
    row: Int1
    total: Float2
    exposure: Float2
    stratum: Int1


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """What there is to impute for, and to learn from.

    Attributes
    ----------
    known : Strata
    periods : tuple of str
    usable : (groups, T) bool
        Periods before the start that may be used as base.
    y : (n, T) float
        Outcomes of units, or mean outcomes of strata.
    place, weight : (n,) int, (n,) float
        Stratum, and weight in the target.
    exposure : (n, T) float or None
        None where it does not change over time.
    tables : mapping of group, or `SHARED`, to Table
    """

    known: Strata
    periods: tuple[str, ...]
    usable: Bool2
    y: Float2
    place: Int1
    weight: Float1
    exposure: Float2 | None
    tables: dict[int, Table]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """`P` cells of one group under one course.

    Attributes
    ----------
    group : int
    key : Key
    course : Course
    weight : float
        Of the group's rows together.
    period : (P,) int
    observed, imputed : (P,) float
        Weighted sums over the group's rows.
    own : (n, P) float
        What is imputed for each row of the group.
    pull : (P, T) float
        Derivative of `imputed` with respect to the period effects; rows sum to 0.
    """

    group: int
    key: Key
    course: Course
    weight: float
    period: Int1
    observed: Float1
    imputed: Float1
    own: Float2
    pull: Float2

    def take(self, keep: Bool1) -> Part:
        """The cells for which `keep` (P,) holds."""
        return replace(
            self,
            period=self.period[keep],
            observed=self.observed[keep],
            imputed=self.imputed[keep],
            own=self.own[:, keep],
            pull=self.pull[keep],
        )


def table(y: Float2, place: Int1, weight: Float1, exposure: Float2 | None) -> Table:
    """Those with `weight` (n,) in a table: a row each with an `exposure` (n, T) that changes, else one a stratum."""
    rows = np.flatnonzero(weight > 0)
    if exposure is not None:
        return Table(rows, np.arange(len(rows)), weight[rows, None] * y[rows], exposure[rows], place[rows])
    stratum, row = np.unique(place[rows], return_inverse=True)
    total = sums(y[rows], row.astype(np.intp), len(stratum), weight[rows], np.zeros(y.shape[1]), products=False).total
    return Table(rows, row.astype(np.intp), total, np.ones(total.shape), stratum)


def means(moments: Moments) -> tuple[Float2, Float1]:
    """(K, T) mean outcomes and (K,) weights of the strata, exactly 0 where a subtraction left nothing."""
    mean = moments.mean
    weight = np.where(moments.sums.count > 0, moments.sums.weight, 0.0)
    return np.where(mean > _NOTHING * moments.shift, mean, 0.0), weight


def learned(table: Table, open: Bool2, periods: tuple[str, ...]) -> Course | Refused:
    """The period effects from the cells of a table that are `open` (K, T) in their stratum, or why there are none."""
    open = open[table.stratum]
    if not open.any():
        return Refused(_WHAT, "no control with weight is left", "Widen the donor pool.")
    empty, apart = obstacles(table.total, open)
    for bad, because in (
        (empty, "the outcome is 0 for all who serve as control in {}, and nothing is a proportion of 0"),
        (apart, "no untreated unit links {} with the other periods"),
    ):
        if bad.any():
            named = ", ".join(periods[t] for t in np.flatnonzero(bad))
            return Refused(_WHAT, because.format(named), "Widen the donor pool, or leave these periods out by name.")
    found = course(table.total, table.exposure, open)
    if found is None:
        return Refused(
            _WHAT, "the period effects could not be solved", "Look for outcomes or exposures of absurd size."
        )
    return found


def imputed(data: Data, group: int, key: Key, solved: Course, period: Int1, base: Bool1) -> Part:
    """What the rows of a group were to be expected to have in `period` (P,), from their own `base` (T,) periods.

    No period is in its own base; a period without another base is left out.
    """
    rows = np.flatnonzero(data.known.group[data.place] == group)
    bases = np.tile(base.astype(np.float64), (len(period), 1))
    bases[np.arange(len(period)), period] = 0.0
    kept = bases.any(axis=1)
    period, bases = period[kept], bases[kept]
    y, weight = data.y[rows], data.weight[rows]
    heavy = weight > 0
    risk = (np.ones(y.shape) if data.exposure is None else data.exposure[rows]) * solved.factor
    behind = risk @ bases.T
    own = risk[:, period] * (y @ bases.T) / behind
    total = weight[heavy] @ own[heavy]
    pull = -bases * ((weight[:, None] * own / behind)[heavy].T @ risk[heavy])
    pull[np.arange(len(period)), period] += total
    return Part(group, key, solved, float(weight.sum()), period, weight @ y[:, period], total, own, pull)


def measured(panel: Panel, exposure: str | None) -> Float2 | Refused | None:
    """(N, T) exposure where it changes over time, else None; or what is wrong with it or with the outcome."""
    counted = panel.weight > 0
    if panel.serving is not None:
        counted = counted | (panel.serving > 0)
    negative = counted & (panel.y < 0).any(axis=1)
    if negative.any():
        return Refused(
            _WHAT,
            f"{int(negative.sum())} units have a negative outcome ({_named(panel, negative)}), and counts and "
            "rates have none",
            "Use an estimator of differences, such as did or group-time.",
        )
    if exposure is None:
        return None
    if exposure not in panel.covariates:
        there = ", ".join(panel.covariates) or "none"
        return Refused(
            _WHAT,
            f"the panel has no covariate {exposure!r} to serve as exposure (covariates: {there})",
            "Name its column with covariates= in Panel.from_frame.",
        )
    values = panel.covariates[exposure]
    bad = np.asarray(~(np.isfinite(values) & (values > 0)).all(axis=1))
    if (bad & counted).any():
        bad = bad & counted
        return Refused(
            _WHAT,
            f"the exposure {exposure} is missing or not positive for {int(bad.sum())} units ({_named(panel, bad)})",
            "Complete it, or leave these units out by name; nothing is filled in.",
        )
    # Units without weight may lack it; nothing is imputed for them then.
    return None if values.shape[1] == 1 else np.where(bad[:, None], np.nan, values)


def _named(panel: Panel, which: Bool1) -> str:
    names = [panel.units[row] for row in np.flatnonzero(which)]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
