"""The currency between estimators, targets and inference: cells with their scores and weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from impact.arrays import Bool1, Float1, Float2, Float3, Int1, frozen, require
from impact.scores import Block, Scores

__all__ = [
    "Base",
    "Cells",
    "Fit",
    "Note",
    "Piece",
    "Regression",
    "Trace",
    "Tuned",
    "Weights",
]


Base = Literal["", "varying", "universal", "several"]


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Effects by group and period.

    Attributes
    ----------
    effect : (C,) float
        Difference from the imputed untreated outcome, in units of the outcome (or of ``Fit.unit``).
    group : (C,) int
        Number of the group (see ``Panel.group``).
    cohort : (C,) float
        Index of the group's first treated period.
    period : (C,) int
        Index of the period; before `cohort` the cell is a pre-period contrast, not an effect.
    size : (C,) float
        Total weight of the group's treated units.
    scores : Scores or None
        By ``Panel.cluster``; None when the estimator has no influence function.
    held : Block or None
        Weight of every cluster in every cell, where units miss periods and a cell is not about its whole group.
    """

    effect: Float1
    group: Int1
    cohort: Float1
    period: Int1
    size: Float1
    scores: Scores | None = None
    held: Block | None = None

    def __post_init__(self) -> None:
        count = len(self.effect)
        for name in ("effect", "group", "cohort", "period", "size"):
            array = frozen(getattr(self, name), np.intp if name in ("group", "period") else np.float64)
            require(name, array, (count,))
            object.__setattr__(self, name, array)
        if not np.isfinite(self.effect).all():
            raise ValueError("a cell without a finite effect must be left out or refused, never kept as nan")

    @property
    def event(self) -> Int1:
        """(C,) periods since the start; 0 is the first treated period."""
        return (self.period - self.cohort).astype(np.intp)

    @property
    def post(self) -> Bool1:
        """(C,) whether the group is treated in the period."""
        return self.period >= self.cohort


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """How the untreated outcome of each group was put together; names its rows and columns, so it fits any sub-panel.

    Attributes
    ----------
    groups, units, periods : tuple of str
        Names (``Panel.group_names``, ``Panel.units``, ``Panel.periods``).
    unit : (K, N) float
        Weight of every unit as a control; rows sum to 1, unless the estimator says otherwise.
    time : (K, T) float
        Weight of every pre-period as base; rows sum to 1, or to 0 where levels are compared and there is no base.
    """

    groups: tuple[str, ...]
    units: tuple[str, ...]
    periods: tuple[str, ...]
    unit: Float2
    time: Float2

    def __post_init__(self) -> None:
        for name, columns in (("unit", self.units), ("time", self.periods)):
            array = frozen(getattr(self, name))
            require(name, array, (len(self.groups), len(columns)))
            object.__setattr__(self, name, array)

    def of(self, group: str, units: Sequence[str]) -> tuple[Float1, Float1]:
        """Weights of one group over `units`, which take over what is gone (all 0 if none can), and over the periods.

        Raises
        ------
        KeyError
            No weights are held for the group.
        """
        if group not in self.groups:
            raise KeyError(f"no weights are held for {group}")
        row = self.groups.index(group)
        known = dict(zip(self.units, self.unit[row], strict=True))
        weight = np.array([known.get(name, 0.0) for name in units])
        if np.count_nonzero(weight) < np.count_nonzero(self.unit[row]):
            before, after = float(self.unit[row].sum()), float(weight.sum())
            weight = weight * (before / after) if before * after > 0 else np.zeros_like(weight)
        return weight, self.time[row]


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
    unique : bool
        False where other weights of the donors are known to fit as well; known once it is solved.
    """

    name: str
    group: int
    rows: Int1
    share: Float1
    donors: Int1
    before: Int1
    unique: bool = True


@dataclass(frozen=True, slots=True)
class Trace:
    """What the solver did for one group; `gap` is the duality gap relative to the scale of the problem."""

    solver: str
    status: str
    objective: float
    gap: float
    iterations: int


@dataclass(frozen=True, slots=True, eq=False)
class Tuned:
    """What one comparison chose from the data: the importance of predictors, a penalty, a degree of pooling.

    Attributes
    ----------
    piece : str
        The area, or the group; "" for a choice that all share.
    parameter : str
        Name of the parameter of the estimator ("v", "lam", "nu").
    labels : tuple of str
        What every value is of (the predictors); empty for a single number.
    value : (k,) float
    loss : float
        What was minimised, at `value`.
    tried : (n, k) float
        The candidates (a grid), or where every start ended.
    losses : (n,) float
        The loss of each; their spread says how flat the choice is.
    """

    piece: str
    parameter: str
    labels: tuple[str, ...]
    value: Float1
    loss: float
    tried: Float2
    losses: Float1


@dataclass(frozen=True, slots=True)
class Regression:
    """Sizes of a regression, for small-sample factors.

    Attributes
    ----------
    observations : int
    coefficients : int
        Free coefficients, those of the periods included, without the unit effects.
    nested : int
        Unit effects, which are nested in the clusters.
    """

    observations: int
    coefficients: int
    nested: int


class Note(str):
    """A sentence of a fit that a report in another language says in its own words.

    Attributes
    ----------
    key : str
        What is said.
    values : mapping of str to str, number or sequence of them
        What this sentence says it with: names of areas, units and periods; counts and shares.
    """

    key: str
    values: Mapping[str, Any]

    def __new__(cls, says: str, key: str = "", **values: Any) -> Note:
        note = super().__new__(cls, says)
        note.key, note.values = key, values
        return note


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """What an estimator found.

    Attributes
    ----------
    cells : Cells
    surface : (N, T) float, or what makes it, or None
        Imputed untreated outcome of the treated units; nan elsewhere and where nothing was imputed. See `untreated`.
    weights : Weights or None
    pieces : Weights or None
        The same, by what was compared as one where that is less than a group: the treated areas of a cohort.
    compared : tuple of Piece
        Who was compared with whom, a row of `pieces` each.
    trace : tuple of Trace
    tuned : tuple of Tuned
    notes : tuple of str
        What a reader must know (a cohort without a base period, covariates that were not used); some are a `Note`.
    regression : Regression or None
        Its sizes where the estimate is a regression.
    unit : str
        Unit of the effects where that is not the outcome's ("proportion").
    pull : callable or None
        From weights (C,) of cells to how much every outcome (N, T) counts in their sum; see ``impact.estimators.pull``.
    base : str
        What the cells before the start are changes from, where the estimator says so: ``varying``, the period before
        their own; ``universal``, one reference period for all; ``several``, the mean of some.
    by_period : function or None
        From weights of the cells (C, m) to scores by unit and period (N, T, m), whose sums over the periods are the
        scores of the units but for what is about a unit as a whole; None where they follow from the blocks of
        ``cells.scores``, or are not known.
    distance : (C,) float or None
        Periods from the base of every cell to itself, where that is the mean of several although those before the start
        are changes from one (``OneReference``).
    """

    cells: Cells
    surface: Float2 | Callable[[], Float2] | None = None
    weights: Weights | None = None
    pieces: Weights | None = None
    compared: tuple[Piece, ...] = ()
    trace: tuple[Trace, ...] = ()
    tuned: tuple[Tuned, ...] = ()
    notes: tuple[str, ...] = ()
    regression: Regression | None = None
    unit: str = ""
    pull: Callable[[Float1], Float2] | None = None
    base: Base = ""
    by_period: Callable[[Float2], Float3] | None = None
    distance: Float1 | None = None

    @property
    def untreated(self) -> Float2 | None:
        """(N, T) the surface; made when asked for where it costs a pass over the data that few need."""
        return self.surface() if callable(self.surface) else self.surface
