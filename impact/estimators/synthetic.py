"""What the synthetic estimators share: who is compared with whom, and from weights to cells.

A *piece* is a set of treated units that is compared as one, through its weighted mean path: the units of one area, or
all of one cohort. Donors are never-treated units; on a matched panel only those matched with the piece.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Literal, TypeAlias, get_args

import numpy as np

from impact.arrays import Bool1, Bool2, Float1, Float2
from impact.cells import Cells, Fit, Note, Piece, Trace, Tuned, Weights
from impact.errors import Refused
from impact.estimators.extrapolation import extrapolation
from impact.estimators.protocol import Asks, Gives, guard
from impact.longtable import few
from impact.numerics.simplex import Simplex
from impact.panel import Panel

__all__ = ["Missing", "Piece", "Solved", "Synthetic", "placed", "trace"]

Missing = Literal["refuse", "drop-donors"]


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
    tuned : tuple of Tuned
        What was chosen from the data.
    notes : tuple of str
        What a reader must know of this comparison.
    """

    unit: Float1
    time: Float1
    trace: tuple[Trace, ...] = ()
    unique: bool = True
    tuned: tuple[Tuned, ...] = ()
    notes: tuple[str, ...] = ()


Solve: TypeAlias = Callable[[Sequence[Piece]], "Sequence[Solved | Refused]"]


@dataclass(frozen=True, slots=True)
class Synthetic(ABC):
    """An estimator that finds weights of donors for every piece: give it `solved`, and the rest follows.

    Parameters
    ----------
    anticipation : int
        Periods before the start that are not learned from.
    missing : {"refuse", "drop-donors"}
        What happens when a donor misses the outcome in some period: the estimate is refused, or the donor is left out
        by name. Treated units need every cell.
    """

    anticipation: int = 0
    missing: Missing = "refuse"

    name: ClassVar[str]
    gives: ClassVar[Gives] = Gives.SURFACE | Gives.WEIGHTS
    asks: ClassVar[Asks] = Asks(min_pre=2, min_controls=2)
    by_area: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.anticipation < 0:
            raise ValueError("anticipation is a number of periods, 0 or more")
        if self.missing not in get_args(Missing):
            raise ValueError(f"missing={self.missing!r} is not one of {', '.join(get_args(Missing))}")

    @abstractmethod
    def solved(self, panel: Panel, part: Piece) -> Solved | Refused:
        """The weights of one piece."""

    def solve_all(self, panel: Panel, parts: Sequence[Piece]) -> Sequence[Solved | Refused]:
        """The weights of all pieces; for estimators whose pieces are not solved one by one."""
        return [self.solved(panel, part) for part in parts]

    def serving(self, panel: Panel, start: int) -> Bool1:
        """(N,) who may be a donor of units that start in period `start`."""
        return panel.never

    def remarks(self, panel: Panel) -> tuple[str, ...]:
        """What the panel holds and the estimator does not use."""
        return tuple(_ignored(panel, self.name))

    def fit(self, panel: Panel, *, learn: Bool2 | None = None, hold: Weights | None = None) -> Fit | Refused:
        """Cells for all periods (gaps before the start, effects after), surface, weights and traces; see
        ``Estimator.fit``. Held weights are those of the groups."""
        refused = guard(panel, replace(self.asks, balanced=self.missing == "refuse"), self.name)
        if refused is not None:
            return refused
        complete: Bool1 = np.asarray(~np.isnan(panel.y).any(axis=1))
        by_area = self.by_area and hold is None
        parts = _pieces(panel, learn, self.anticipation, complete, self.serving, by_area=by_area)
        solve: Solve = partial(self.solve_all, panel) if hold is None else partial(_held, hold, panel)
        notes = (*self.remarks(panel), *_ledger(panel, complete, self.serving(panel, int(panel.groups.min()))))
        found = _fit(panel, parts, solve, self.name, self.asks, learn, notes)
        return (
            found if isinstance(found, Refused) else replace(found, notes=(*found.notes, *extrapolation(panel, found)))
        )


def _pieces(
    panel: Panel,
    learn: Bool2 | None,
    anticipation: int,
    complete: Bool1,
    may_serve: Callable[[Panel, int], Bool1],
    *,
    by_area: bool,
) -> list[Piece]:
    """One piece a group, or one an area of every group.

    A donor with a masked or missing cell is no donor at all; a pre-period that is masked for one of the treated units
    is not learned from. Treated units without weight are in no piece.
    """
    found = []
    for group, name in enumerate(panel.group_names):
        members = (panel.group == group) & (panel.weight > 0)
        areas = np.unique(panel.area[members]) if by_area else np.array([-1])
        for area in areas if members.any() else ():
            inside = members & (panel.area == area) if by_area else members
            rows = np.flatnonzero(inside)
            start = int(panel.first[rows[0]])
            serving: Bool1 = may_serve(panel, start) & (panel.weight > 0) & complete
            if panel.pairs is not None:
                serving = np.asarray(serving & (panel.control_weight(inside) > 0))
            open_to: Bool1 = np.ones(len(panel.periods), dtype=bool)
            if learn is not None:
                serving = np.asarray(serving & (learn | panel.treated_cells()).all(axis=1))
                open_to = np.asarray(learn[rows].all(axis=0))
            weight = panel.weight[rows]
            found.append(
                Piece(
                    panel.areas[area] if by_area else name,
                    group,
                    rows,
                    weight / weight.sum(),
                    np.flatnonzero(serving),
                    np.flatnonzero(open_to[: max(start - anticipation, 0)]),
                )
            )
    return found


def _fit(
    panel: Panel,
    parts: Sequence[Piece],
    solve: Solve,
    name: str,
    asks: Asks,
    learn: Bool2 | None,
    notes: Sequence[str],
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
    refused = _unfit(panel, kept, name, asks)
    if refused is not None:
        return refused
    found = solve(kept)
    length = len(panel.periods)
    groups = sorted({part.group for part in kept})
    row = np.array([groups.index(part.group) for part in kept])
    mass = np.array([panel.weight[part.rows].sum() for part in kept])
    total: Float1 = np.bincount(row, weights=mass, minlength=len(groups)).astype(np.float64)
    unit, time, gap = (np.zeros((len(kept), width)) for width in (len(panel.units), length, length))
    untreated = np.full(panel.y.shape, np.nan)
    done: list[Solved] = []
    for number, (part, one) in enumerate(zip(kept, found, strict=True)):
        if isinstance(one, Refused):
            return one
        used = np.flatnonzero(one.unit)
        path = part.share @ panel.y[part.rows] - one.unit[used] @ panel.y[used]
        path = path - one.time @ path
        untreated[part.rows] = panel.y[part.rows] - path
        unit[number], time[number], gap[number] = one.unit, one.time, path
        done.append(one)
    mean = np.zeros((len(groups), len(kept)))
    mean[row, np.arange(len(kept))] = mass / total[row]
    loose = [part.name for part, one in zip(kept, done, strict=True) if not one.unique]
    return Fit(
        _cells(panel, groups, total, mean @ gap, learn),
        untreated,
        Weights(
            tuple(panel.group_names[group] for group in groups), panel.units, panel.periods, mean @ unit, mean @ time
        ),
        Weights(tuple(part.name for part in kept), panel.units, panel.periods, unit, time),
        tuple(replace(part, unique=one.unique) for part, one in zip(kept, done, strict=True)),
        trace=tuple(step for one in done for step in one.trace),
        tuned=tuple(choice for one in done for choice in one.tuned),
        notes=(*notes, *_notes(panel, lost, loose, asks), *(note for one in done for note in one.notes)),
    )


def _unfit(panel: Panel, kept: Sequence[Piece], name: str, asks: Asks) -> Refused | None:
    """Why these pieces cannot be estimated, or None."""
    what = f"an estimate by {name}"
    if not kept:
        return Refused(
            what,
            f"no group has the {asks.min_pre} periods before its start it needs",
            "Add earlier periods or lower the anticipation.",
        )
    rows = np.concatenate([part.rows for part in kept])
    holes = [panel.units[row] for row in rows[np.isnan(panel.y[rows]).any(axis=1)]]
    if holes:
        return Refused(
            what,
            f"{len(holes)} treated units miss the outcome in some period ({few(holes)})",
            "Leave these units or periods out by name; nothing is filled in.",
        )
    for part in kept:
        if len(part.donors) < asks.min_controls:
            return Refused(
                what,
                f"{part.name} has {len(part.donors)} donors, fewer than the {asks.min_controls} it needs",
                "Widen the donor pool or relax an exclusion.",
            )
    return None


def _held(weights: Weights, panel: Panel, parts: Sequence[Piece]) -> Sequence[Solved | Refused]:
    """The weights of an earlier fit in place of solving; see ``Estimator.fit``."""
    if panel.periods != weights.periods:
        return [
            Refused(f"the comparison of {part.name}", "the held weights are of other periods", "Fit without them.")
            for part in parts
        ]
    found: list[Solved | Refused] = []
    for part in parts:
        unit, time = weights.of(part.name, panel.units)
        found.append(
            Solved(unit, time)
            if unit.any()
            else Refused(
                f"the comparison of {part.name}",
                "what is left of the held weights cannot be scaled to the whole",
                "Fit without held weights.",
            )
        )
    return found


def placed(panel: Panel, part: Piece, weights: Float1) -> Float1:
    """(N,) the weights (J,) of the donors of a piece, at their rows."""
    unit = np.zeros(len(panel.units))
    unit[part.donors] = weights
    return unit


def trace(solver: str, found: Simplex) -> Trace:
    """What is kept of a solved program."""
    return Trace(solver, found.status, found.objective, found.gap, found.iterations)


def _ignored(panel: Panel, name: str) -> list[str]:
    notes = []
    if panel.covariates:
        notes.append(f"the covariates {', '.join(panel.covariates)} are not used by {name}")
    weight = panel.weight[panel.never & (panel.weight > 0)]
    if weight.size and np.ptp(weight) > 0:
        notes.append(f"the weights of the controls are not used by {name}, which finds its own")
    if panel.pairs is not None:
        says = f"matching decides who may be a donor; {name} finds the weights of the matched units anew"
        notes.append(Note(says, "matched"))
    return notes


def _ledger(panel: Panel, complete: Bool1, serving: Bool1) -> list[str]:
    """Donors that are left out, by name."""
    gone = [panel.units[row] for row in np.flatnonzero(serving & (panel.weight > 0) & ~complete)]
    if not gone:
        return []
    says = f"{len(gone)} donors miss the outcome in some period and are left out: {few(gone)}"
    return [Note(says, "donors-left-out", count=len(gone), names=gone)]


def _notes(panel: Panel, lost: list[int], loose: list[str], asks: Asks) -> list[str]:
    notes: list[str] = []
    for group in lost:
        name = panel.group_names[group]
        says = f"{name} has fewer than {asks.min_pre} periods before its start and is not estimated"
        notes.append(Note(says, "few-before", name=name, least=asks.min_pre))
    if loose:
        says = (
            f"the donor weights of {few(loose)} are not unique: more donors have weight than the "
            "numbers they are fitted to can tell apart, so a close fit is no evidence; the weights of least "
            "norm are taken"
        )
        notes.append(Note(says, "not-unique", names=loose))
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
