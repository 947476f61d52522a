"""The currency between estimators, targets and inference: cells with their scores and weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np

from impact.arrays import Bool1, Float1, Float2, Float3, Int1, frozen, require
from impact.numerics.sums import Sums, project

__all__ = [
    "Base",
    "Block",
    "Cells",
    "Fit",
    "Note",
    "Piece",
    "Projection",
    "Regression",
    "ScoreBlock",
    "Scores",
    "Trace",
    "Tuned",
    "Weights",
    "by_cluster",
]


Base = Literal["", "varying", "universal", "several"]


class Block(Protocol):
    """A part of the scores."""

    def at(self, weights: Float2, clusters: int) -> Float2:
        """(G, m) sums by cluster of the scores of `m` weighted sums of cells, (C, m)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ScoreBlock:
    """Scores of `n` units as a product ``left @ right``: (n, k) times (k, C)."""

    left: Float2
    right: Float2
    cluster: Int1

    def at(self, weights: Float2, clusters: int) -> Float2:
        """(G, m) sums by cluster of the scores of `m` weighted sums of cells."""
        return by_cluster(self.left @ (self.right @ weights), self.cluster, clusters)


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Scores that are linear in the outcomes, alike for all units of a stratum.

    Row ``i`` in stratum ``k`` has ``w_i (y_i @ right[k] + constant[k])``; a row is a unit, or all units of a stratum in
    one cluster with their mean outcome and total weight.

    Attributes
    ----------
    y : (n, T) float
    place : (n,) int
        Stratum of every row; -1 for rows without a score.
    weight : (n,) float
    right : (K, T, C) float
    constant : (K, C) float
    cluster : (n,) int
    squares : Sums or None
        Sums per stratum of ``y - shift`` under the squared weights, where every row is a cluster of its own: the
        covariance then needs no pass over the rows.
    shift : (T,) float or None
    """

    y: Float2
    place: Int1
    weight: Float1
    right: Float3
    constant: Float2
    cluster: Int1
    squares: Sums | None = None
    shift: Float1 | None = None

    def at(self, weights: Float2, clusters: int) -> Float2:
        """(G, m) sums by cluster of the scores of `m` weighted sums of cells.

        Raises
        ------
        ValueError
            The rows are not known, only the sums of their squares.
        """
        if self.squares is not None and not len(self.y):
            raise ValueError("the units are not told apart in these moments: only the covariance is known")
        rows = project(self.y, self.place, self.weight, self.right @ weights, self.constant @ weights)
        return by_cluster(rows, self.cluster, clusters)

    def covariance(self, weights: Float2) -> Float2 | None:
        """(m, m) covariance of `m` weighted sums of cells; None without the sums of squared weights."""
        if self.squares is None or self.squares.products is None or self.shift is None:
            return None
        right = self.right @ weights
        level = self.shift @ right + self.constant @ weights
        cross = np.einsum("ktm,kt,kn->mn", right, self.squares.total, level)
        return np.asarray(
            np.einsum("ktm,kts,ksn->mn", right, self.squares.products, right, optimize=True)
            + cross
            + cross.T
            + np.einsum("k,km,kn->mn", self.squares.weight, level, level)
        )


def by_cluster(rows: Float2, cluster: Int1, clusters: int) -> Float2:
    """(G, m) sums of `rows` (n, m) by cluster."""
    columns = [np.bincount(cluster, weights=column, minlength=clusters) for column in rows.T]
    return np.asarray(np.column_stack(columns)) if columns else np.zeros((clusters, 0))


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Influence scores of the cells, kept as products so that (units, cells) is never in memory.

    A cluster's score is its contribution to the sampling error of the cell: the scores of a cell sum to 0 over the
    clusters, and the sum of their squares is its variance.

    Attributes
    ----------
    blocks : tuple of Block
    clusters : int
    conditional : bool
        Whether who is treated when is held fixed: the shares of the groups in a target then carry no error of their
        own (regressions); otherwise the target adds it (Callaway & Sant'Anna 2021, Corollary 2).
    """

    blocks: tuple[Block, ...]
    clusters: int
    conditional: bool = False

    def covariance(self, weights: Float2) -> Float2:
        """(m, m) covariance of `m` weighted sums of cells, (C, m); with the identity that of all cells."""
        if len(self.blocks) == 1 and isinstance(self.blocks[0], Projection):
            quick = self.blocks[0].covariance(weights)
            if quick is not None:
                return quick
        scores = self.at(weights)
        return np.asarray(scores.T @ scores)

    def at(self, weights: Float2) -> Float2:
        """(G, m) scores of `m` weighted sums of cells; `weights` is (C, m)."""
        out = np.zeros((self.clusters, weights.shape[1]))
        for block in self.blocks:
            out += block.at(weights, self.clusters)
        return out


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

    @property
    def untreated(self) -> Float2 | None:
        """(N, T) the surface; made when asked for where it costs a pass over the data that few need."""
        return self.surface() if callable(self.surface) else self.surface
