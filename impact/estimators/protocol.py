"""What every estimator is: parameters and one `fit`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Flag, auto
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np

from impact.arrays import Bool1, Bool2, Float2, Int1
from impact.cells import Cells, Fit, Weights
from impact.errors import Refused
from impact.numerics.moments import Moments
from impact.panel import Panel

__all__ = [
    "Asks",
    "Estimator",
    "FromMoments",
    "Gives",
    "LeftOut",
    "Reassigns",
    "Replicates",
    "StandIns",
    "guard",
    "never_treated_controls",
]


class Gives(Flag):
    """What a fit holds beyond its cells.

    ``LINEAR``: its cells are sums of outcomes with weights that no outcome moves (``Fit.pull``), at least without
    covariates.
    """

    NOTHING = 0
    SURFACE = auto()
    SCORES = auto()
    WEIGHTS = auto()
    MOMENTS = auto()
    LINEAR = auto()


@dataclass(frozen=True, slots=True)
class Asks:
    """What a panel must have.

    Attributes
    ----------
    min_pre, min_controls : int
        Periods before the first start, and units that can serve as control.
    never_treated : bool
        Whether controls must be never treated.
    balanced : bool
        Whether every cell must be observed.
    samples : bool
        Whether repeated cross-sections will do (`Sample`).
    """

    min_pre: int = 1
    min_controls: int = 2
    never_treated: bool = True
    balanced: bool = True
    samples: bool = False


@runtime_checkable
class Estimator(Protocol):
    """How the untreated outcome is imputed. Parameters live in the (frozen) object; no state, no resampling."""

    name: ClassVar[str]
    gives: ClassVar[Gives]
    asks: ClassVar[Asks]

    def fit(self, panel: Panel, *, learn: Bool2 | None = None, hold: Weights | None = None) -> Fit | Refused:
        """Cells of `panel` (prepared by the target).

        `learn` (N, T) masks the cells from which Y(0) may be learned; treated cells never count. `hold` keeps the
        weights of an earlier fit fixed.
        """
        ...

    def null_model(self) -> Estimator:
        """The simpler estimator through which conformal inference is valid; itself where none is needed."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class LeftOut:
    """Cells without each of `G` clusters.

    Attributes
    ----------
    clusters : (G,) int
    cells : Cells
        Those of which some are left; without scores.
    effect, size : (G, C) float
        nan and 0 where the cell is gone with the cluster.
    """

    clusters: Int1
    cells: Cells
    effect: Float2
    size: Float2

    def at(self, row: int) -> Cells | Refused:
        """The cells that are left without the cluster in `row`."""
        alive = np.isfinite(self.effect[row])
        if not alive.any():
            return Refused(
                "the cells",
                "no group with both a period before its start and a control is left",
                "Add earlier periods or more comparison units.",
            )
        whole = self.cells
        return Cells(
            self.effect[row, alive],
            whole.group[alive],
            whole.cohort[alive],
            whole.period[alive],
            self.size[row, alive],
        )


@runtime_checkable
class FromMoments(Protocol):
    """An estimator that needs no more than sums per stratum and cluster (``Gives.MOMENTS``)."""

    def cells(self, moments: Moments) -> Cells | Refused:
        """Cells without scores."""
        ...

    def without_each(self, moments: Moments) -> LeftOut:
        """Cells without each cluster."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class StandIns:
    """Other units in the places of the treated ones, `S` times over.

    Attributes
    ----------
    roles : (n,) int
        Rows of the panel whose groups, areas and starts are taken over.
    rows : (S, n) int
        Who takes them: never-treated units with weight, each at most once in a row.
    weight : (S, n) float
        What each of them counts for in the target; positive.
    """

    roles: Int1
    rows: Int1
    weight: Float2


@dataclass(frozen=True, slots=True, eq=False)
class Replicates:
    """The same cells `S` times over.

    Attributes
    ----------
    cells : Cells
        What they are cells of; their effects are of no replicate, and there are no scores.
    effect, size : (S, C) float
        nan in the rows of the refused.
    refused : mapping of int to Refused
        Why there is no estimate, by row.
    """

    cells: Cells
    effect: Float2
    size: Float2
    refused: Mapping[int, Refused]


@runtime_checkable
class Reassigns(Protocol):
    """An estimator that gives its cells for many assignments of treatment at once."""

    def reassigned(self, panel: Panel, stand_ins: StandIns) -> Replicates | Refused:
        """Cells of every assignment: what `fit` gives on the panel without its treated units, in which the stand-ins
        are treated instead.

        `panel` is prepared by the target and not matched. A refusal says that these cells cannot be had at once: the
        caller refits.
        """
        ...


def guard(panel: Panel, asks: Asks, name: str) -> Refused | None:
    """Why `panel` cannot be given to the estimator `name`, or None."""
    starts = panel.groups
    what = f"an estimate by {name}"
    if len(starts) == 0:
        return Refused(
            what, "no unit is treated within the panel", "Check the first treated period and the period range."
        )
    if asks.never_treated and not panel.never.any():
        return Refused(
            what,
            "there is no never-treated unit to compare with",
            "Add units outside the programme; group-time with control='not-yet' can use later cohorts.",
        )
    controls = never_treated_controls(panel) if asks.never_treated else panel.first > starts.min()
    serving = int((controls & (panel.weight > 0)).sum())
    if serving < asks.min_controls:
        return Refused(
            what,
            f"{serving} control units are fewer than the {asks.min_controls} it needs",
            "Widen the donor pool or relax an exclusion.",
        )
    if starts.max() < asks.min_pre:
        return Refused(
            what,
            f"{int(starts.max())} periods before the start are fewer than the {asks.min_pre} it needs",
            "Add earlier periods; without them a change cannot be told from a difference in level.",
        )
    if asks.balanced and np.isnan(panel.y).any():
        rows = np.flatnonzero(np.isnan(panel.y).any(axis=1))
        names = ", ".join(panel.units[row] for row in rows[:5]) + (
            f" and {len(rows) - 5} more" if len(rows) > 5 else ""
        )
        return Refused(
            what,
            f"{len(rows)} units miss the outcome in some period ({names}) and {name} needs every cell",
            "Leave these units or periods out by name; nothing is filled in.",
        )
    return None


def never_treated_controls(panel: Panel) -> Bool1:
    """(N,) never-treated units that carry weight as a control."""
    if panel.pairs is None:
        return panel.never
    return panel.never & (panel.pairs > 0).any(axis=0)
