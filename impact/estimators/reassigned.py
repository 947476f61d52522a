"""Synthetic estimators for many assignments of treatment at once: one set of donors, many targets.

What `Synthetic.fit` gives for one panel after the other, without building the panels: `reassign` sets up the
comparisons and puts gaps together by group, and a function such as `levels` finds the gaps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from impact.arrays import Bool1, Float1, Float2, Int1
from impact.cells import Cells
from impact.errors import Refused
from impact.estimators.protocol import Replicates, StandIns, guard
from impact.estimators.synthetic import Synthetic
from impact.numerics.simplex import GAP
from impact.numerics.simplex_many import solve_many
from impact.panel import Panel

__all__ = ["Comparisons", "Found", "Gaps", "levels", "reassign"]


@dataclass(frozen=True, slots=True, eq=False)
class Comparisons:
    """One piece of the treated (an area, or a cohort; see `Piece`) under `S` assignments.

    Attributes
    ----------
    name : str
        Of the area, or of the group.
    donors : (J, T) float
        Outcomes of all who serve as donor in some assignment.
    without : (S, n) int
        Rows of `donors` that are treated in the assignment, in this piece or another; -1 stands for none.
    targets : (S, T) float
        Mean path of the piece.
    units : int
        Treated units in the piece.
    before : (T0,) int
        Periods from which the comparison may be learned.
    start : int
        First treated period.
    """

    name: str
    donors: Float2
    without: Int1
    targets: Float2
    units: int
    before: Int1
    start: int


Found: TypeAlias = "tuple[Float2, Mapping[int, Refused]]"  # gaps (S, T), and why there are none, by row
Gaps: TypeAlias = Callable[[Comparisons], Found]


def levels(one: Comparisons) -> Found:
    """Gaps in level: the synthetic control on all outcomes before the start."""
    found = solve_many(one.donors[:, one.before], one.targets[:, one.before], without=one.without)
    refused = {
        int(row): Refused(
            f"the synthetic control of {one.name}",
            f"the solver stopped at a gap of {found.gap[row]:.1g}, above {GAP:.0g}",
            "Leave out donors whose level is far from all others.",
        )
        for row in np.flatnonzero(~found.optimal)
    }
    return one.targets - found.combine(one.donors), refused


def reassign(how: Synthetic, panel: Panel, stand_ins: StandIns, gaps: Gaps) -> Replicates | Refused:
    """Cells of every assignment by the synthetic estimator `how`; see `Reassigns`.

    Parameters
    ----------
    how : Synthetic
        Its name, what it asks, its anticipation, and whether it compares areas or groups.
    panel : Panel
        Prepared by the target.
    stand_ins : StandIns
        Who stands in for whom.
    gaps : callable
        Gaps (S, T) of one piece, and refusals by row.
    """
    refused = guard(panel, replace(how.asks, balanced=how.missing == "refuse"), how.name)
    if refused is not None:
        return refused
    pieces = list(_pieces(how, panel, stand_ins))
    short = {piece.group for piece in pieces if len(piece.before) < how.asks.min_pre}
    pieces = [piece for piece in pieces if piece.group not in short]
    if not pieces:
        return Refused(
            f"an estimate by {how.name}",
            f"no group has the {how.asks.min_pre} periods before its start it needs",
            "Add earlier periods or lower the anticipation.",
        )
    complete: Bool1 = np.asarray(~np.isnan(panel.y).any(axis=1))
    serving = panel.never & (panel.weight > 0) & complete
    pool = np.flatnonzero(serving)
    place = np.where(serving, np.cumsum(serving) - 1, -1)
    without = place[stand_ins.rows]
    donors = np.ascontiguousarray(panel.y[pool])
    failed = _unfit(how, panel, stand_ins, len(pool) - (without >= 0).sum(axis=1), complete)

    groups = sorted({piece.group for piece in pieces})
    count, length = len(stand_ins.rows), len(panel.periods)
    gap, mass = np.zeros((count, len(groups), length)), np.zeros((count, len(groups)))
    fit = np.array([row for row in range(count) if row not in failed], dtype=np.intp)
    for piece in pieces if len(fit) else ():
        weight = stand_ins.weight[np.ix_(fit, piece.slots)]
        total: Float1 = weight.sum(axis=1)
        paths = panel.y[stand_ins.rows[np.ix_(fit, piece.slots)]]
        targets = np.matmul((weight / total[:, None])[:, None, :], paths)[:, 0]
        found, why = gaps(
            Comparisons(piece.name, donors, without[fit], targets, len(piece.slots), piece.before, piece.start)
        )
        for row, reason in why.items():
            failed.setdefault(int(fit[row]), reason)
        at = groups.index(piece.group)
        gap[fit, at] += total[:, None] * found
        mass[fit, at] += total
    with np.errstate(invalid="ignore"):
        gap /= mass[:, :, None]
    effect, size = gap.reshape(count, -1), np.repeat(mass, length, axis=1)
    lost = list(failed)
    effect[lost] = size[lost] = np.nan
    group = np.repeat(groups, length)
    cells = Cells(
        np.zeros(len(group)),
        group,
        panel.groups[group],
        np.tile(np.arange(length), len(groups)),
        np.zeros(len(group)),
    )
    return Replicates(cells, effect, size, failed)


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """As `Piece`, with `slots` among the roles in place of rows."""

    name: str
    group: int
    slots: Int1
    before: Int1
    start: int


def _pieces(how: Synthetic, panel: Panel, stand_ins: StandIns) -> Iterator[_Piece]:
    group, area = panel.group[stand_ins.roles], panel.area[stand_ins.roles]
    for number, name in enumerate(panel.group_names):
        for one in np.unique(area[group == number]) if how.by_area else (None,):
            slots = np.flatnonzero((group == number) & (True if one is None else area == one))
            if len(slots):
                start = int(panel.groups[number])
                before = np.arange(max(start - how.anticipation, 0))
                yield _Piece(name if one is None else panel.areas[one], number, slots, before, start)


def _unfit(how: Synthetic, panel: Panel, stand_ins: StandIns, donors: Int1, complete: Bool1) -> dict[int, Refused]:
    """The assignments that cannot be estimated, by row; `donors` (S,) is how many are left."""
    failed: dict[int, Refused] = {}
    inside = panel.group[stand_ins.roles] >= 0
    for row in np.flatnonzero(donors < how.asks.min_controls):
        failed[int(row)] = Refused(
            f"an estimate by {how.name}",
            f"{donors[row]} donors are fewer than the {how.asks.min_controls} it needs",
            "Widen the donor pool or relax an exclusion.",
        )
    for row in np.flatnonzero(~complete[stand_ins.rows[:, inside]].all(axis=1)):
        failed[int(row)] = Refused(
            f"an estimate by {how.name}",
            "a unit that stands in misses the outcome in some period",
            "Leave these units or periods out by name; nothing is filled in.",
        )
    return failed
