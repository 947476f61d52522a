"""What the synthetic estimators share: who is compared with whom, and from weights to cells.

A *piece* is a set of treated units that is compared as one, through its weighted mean path: the units of one area, or
all of one cohort. Donors are never-treated units; on a matched panel only those matched with the piece.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from impact.arrays import Bool1, Bool2, Float1, Float2, Int1
from impact.cells import Cells, Fit, Trace, Weights
from impact.errors import Refused
from impact.estimators.protocol import Asks
from impact.numerics.simplex import Simplex
from impact.panel import Panel

__all__ = ["Piece", "Solve", "Solved", "fit_pieces", "held", "ignored", "pieces", "trace"]


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Treated units that share one comparison.

    Attributes
    ----------
    name : str
        Of the area, or of the group.
    group : int
        The group whose cells it enters.
    rows : (n,) int
        Its treated units with weight.
    share : (n,) float
        Their share in the mean path; sums to 1.
    donors : (J,) int
        Rows of the units it may be compared with.
    before : (T0,) int
        Periods before the start (less anticipation) from which the comparison may be learned.
    """

    name: str
    group: int
    rows: Int1
    share: Float1
    donors: Int1
    before: Int1


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """Weights of one piece.

    Attributes
    ----------
    unit : (N,) float
        Sums to 1.
    time : (T,) float
        Sums to 1, or to 0 where levels are compared.
    trace : tuple of Trace
        One a program.
    unique : bool
        False where other weights are known to fit as well.
    """

    unit: Float1
    time: Float1
    trace: tuple[Trace, ...] = ()
    unique: bool = True


Solve: TypeAlias = Callable[[Panel, Piece], "Solved | Refused"]


def pieces(panel: Panel, learn: Bool2 | None, anticipation: int, *, by_area: bool) -> list[Piece]:
    """One piece a group, or one an area of every group.

    A donor with a masked cell is no donor at all; a pre-period that is masked for one of the treated units is not
    learned from. Treated units without weight are in no piece.
    """
    found = []
    for group, name in enumerate(panel.group_names):
        members = (panel.group == group) & (panel.weight > 0)
        areas = np.unique(panel.area[members]) if by_area else np.array([-1])
        for area in areas if members.any() else ():
            inside = members & (panel.area == area) if by_area else members
            rows = np.flatnonzero(inside)
            serving: Bool1 = panel.never & (panel.weight > 0)
            if panel.pairs is not None:
                serving = np.asarray(serving & (panel.control_weight(inside) > 0))
            open_to: Bool1 = np.ones(len(panel.periods), dtype=bool)
            if learn is not None:
                serving = np.asarray(serving & learn.all(axis=1))
                open_to = np.asarray(learn[rows].all(axis=0))
            weight = panel.weight[rows]
            start = max(int(panel.first[rows[0]]) - anticipation, 0)
            found.append(
                Piece(
                    panel.areas[area] if by_area else name,
                    group,
                    rows,
                    weight / weight.sum(),
                    np.flatnonzero(serving),
                    np.flatnonzero(open_to[:start]),
                )
            )
    return found


def fit_pieces(
    panel: Panel,
    parts: Sequence[Piece],
    solve: Solve,
    name: str,
    asks: Asks,
    learn: Bool2 | None,
    notes: Sequence[str] = (),
) -> Fit | Refused:
    """Solve every piece, and put the gaps together by group.

    The cell of a group is the mean gap of its pieces, weighted by their treated weight; masked pre-periods have no
    cell. Each unit's untreated outcome is its own outcome minus the gap of its piece: how the effect differs between
    the units of one piece is not estimated.
    """
    if not parts:
        return Refused(f"an estimate by {name}", "no treated unit has weight", "Check their weights.")
    lost = sorted({part.group for part in parts if len(part.before) < asks.min_pre})
    kept = [part for part in parts if part.group not in lost]
    if not kept:
        return Refused(
            f"an estimate by {name}",
            f"no group has the {asks.min_pre} periods before its start it needs",
            "Add earlier periods or lower the anticipation.",
        )
    length = len(panel.periods)
    groups = sorted({part.group for part in kept})
    unit, time, gap = (np.zeros((len(groups), width)) for width in (len(panel.units), length, length))
    mass = np.zeros(len(groups))
    untreated = np.full(panel.y.shape, np.nan)
    traces: list[Trace] = []
    loose: list[str] = []
    for part in kept:
        if len(part.donors) < asks.min_controls:
            return Refused(
                f"an estimate by {name}",
                f"{part.name} has {len(part.donors)} donors, fewer than the {asks.min_controls} it needs",
                "Widen the donor pool or relax an exclusion.",
            )
        found = solve(panel, part)
        if isinstance(found, Refused):
            return found
        path = part.share @ panel.y[part.rows] - found.unit @ panel.y
        path = path - found.time @ path
        untreated[part.rows] = panel.y[part.rows] - path
        traces += found.trace
        loose += [] if found.unique else [part.name]
        row, weight = groups.index(part.group), float(panel.weight[part.rows].sum())
        mass[row] += weight
        for sums, values in ((unit, found.unit), (time, found.time), (gap, path)):
            sums[row] += weight * values
    for sums in (unit, time, gap):
        sums /= mass[:, None]
    names = tuple(panel.group_names[group] for group in groups)
    weights = Weights(names, panel.units, panel.periods, unit, time)
    return Fit(
        _cells(panel, groups, mass, gap, learn),
        untreated,
        weights,
        tuple(traces),
        (*notes, *_notes(panel, lost, loose, asks)),
    )


def held(weights: Weights) -> Solve:
    """The weights of an earlier fit in place of solving; see ``Estimator.fit``."""

    def solve(panel: Panel, part: Piece) -> Solved | Refused:
        if panel.periods != weights.periods:
            return Refused(
                f"the comparison of {part.name}", "the held weights are of other periods", "Fit without held weights."
            )
        unit, time = weights.of(part.name, panel.units)
        if not unit.any():
            return Refused(
                f"the comparison of {part.name}",
                "no unit that the held weights rest on is left",
                "Fit without held weights.",
            )
        return Solved(unit, time)

    return solve


def trace(solver: str, found: Simplex) -> Trace:
    """What is kept of a solved program."""
    return Trace(solver, found.status, found.objective, found.gap, found.iterations)


def ignored(panel: Panel, name: str) -> list[str]:
    """What the panel holds and the estimator does not use."""
    notes = []
    if panel.covariates:
        notes.append(f"the covariates {', '.join(panel.covariates)} are not used by {name}")
    weight = panel.weight[panel.never & (panel.weight > 0)]
    if weight.size and np.ptp(weight) > 0:
        notes.append(f"the weights of the controls are not used by {name}, which finds its own")
    if panel.pairs is not None:
        notes.append(f"matching decides who may be a donor; {name} finds the weights of the matched units anew")
    return notes


def _notes(panel: Panel, lost: list[int], loose: list[str], asks: Asks) -> list[str]:
    notes = [
        f"{panel.group_names[group]} has fewer than {asks.min_pre} periods before its start and is not estimated"
        for group in lost
    ]
    if loose:
        notes.append(
            f"the donor weights of {', '.join(loose)} are not unique: more donors have weight than the "
            "periods before the start can tell apart, so a close fit is no evidence; the weights of least "
            "norm are taken"
        )
    return notes


def _cells(panel: Panel, groups: list[int], mass: Float1, gap: Float2, learn: Bool2 | None) -> Cells:
    """Every period of every group, less the pre-periods that were masked."""
    keep = np.ones(gap.shape, dtype=bool)
    starts = panel.groups[groups]
    if learn is not None:
        after = np.arange(gap.shape[1]) >= starts[:, None]
        open_to = [learn[(panel.group == group) & (panel.weight > 0)].all(axis=0) for group in groups]
        keep = after | np.array(open_to)
    row, period = np.nonzero(keep)
    return Cells(gap[row, period], np.array(groups)[row], starts[row], period, mass[row])
