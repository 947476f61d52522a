"""Two-way fixed effects: regression on treatment, unit effects and period effects."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal, get_args

import numpy as np

from impact.arrays import Bool2, Float1, Float2, Float3, Int1, frozen
from impact.cells import Base, Cells, Fit, Weights
from impact.errors import Refused
from impact.estimators.linear_scores import coupled
from impact.estimators.protocol import Asks, Gives, guard
from impact.estimators.pull import Part, Pull
from impact.estimators.regression import kinds, open_periods, rescaling, seen_cells, sizes, unseen, varying, weights
from impact.numerics.within import LeastSquares, least_squares
from impact.panel import Panel
from impact.scores import ScoreBlock, Scores

__all__ = ["TWFE", "CellWeights", "Solution", "cell_weights"]

Effect = Literal["constant", "event"]


@dataclass(frozen=True, slots=True)
class TWFE:
    """Least squares of the outcome on treatment, unit effects and period effects.

    The estimate is a weighted sum of the effects by cohort and period in which some weights may be negative, because
    treated units serve as controls for those that start later; `cell_weights` and ``impact.decompose`` show by how
    much. It is here to be compared with, and for designs with one start, where it is the plain difference.

    Every cell carries the coefficient that holds for it, so each target is a mean of coefficients. Covariates that vary
    are regressors; fixed ones are absorbed by the unit effects. Cells may be missing. Units that start after the last
    period are controls. Never-treated units are not needed for a constant effect; without them nobody is untreated in
    the last periods, in which treated units are then compared with each other alone.

    Parameters
    ----------
    effect : {"constant", "event"}
        One coefficient, or one per period since the start.
    anticipation : int
        Periods before the start in which the outcome may already respond. With a constant effect their cells are left
        out; by event the reference moves to ``-1 - anticipation``.
    leads : int, optional
        By event: how many periods before the start have a coefficient of their own or are the reference; earlier ones
        join the reference. All by default. Without units that stay untreated the coefficients are known only up to a
        straight line over the event times unless this is set.

    References
    ----------
    Goodman-Bacon (2021), Journal of Econometrics 225(2); de Chaisemartin & D'Haultfœuille (2020), American Economic
    Review 110(9), Theorem 1; of the coefficients by event time, Sun & Abraham (2021), Journal of Econometrics 225(2).
    """

    effect: Effect = "constant"
    anticipation: int = 0
    leads: int | None = None

    name: ClassVar[str] = "twfe"
    gives: ClassVar[Gives] = Gives.SURFACE | Gives.SCORES | Gives.LINEAR
    asks: ClassVar[Asks] = Asks(min_pre=1, min_controls=2, never_treated=False, balanced=False)

    def __post_init__(self) -> None:
        if self.effect not in get_args(Effect):
            raise ValueError(f"effect={self.effect!r} is not one of {', '.join(get_args(Effect))}")
        if self.anticipation < 0:
            raise ValueError("anticipation is a number of periods, 0 or more")
        if self.leads is not None and (self.effect == "constant" or self.leads <= self.anticipation):
            raise ValueError("leads belongs to effect='event' and is more than the anticipation")

    def null_model(self) -> TWFE:
        """Itself."""
        return self

    def fit(self, panel: Panel, *, learn: Bool2 | None = None, hold: Weights | None = None) -> Fit | Refused:
        """Cells with scores, and the outcomes less the effects as surface; see ``Estimator.fit``.

        Untreated cells closed by `learn` are left out. Treated outcomes are learned from: that is this estimator's
        fault, and no mask mends it. `hold` changes nothing.
        """
        found = self.regress(panel, learn)
        if isinstance(found, Refused):
            return found
        cells = self._cells(panel, found, open_periods(panel, learn, found.seen))
        if isinstance(cells, Refused):
            return cells
        untreated = np.full(panel.y.shape, np.nan)
        for group, period, effect in zip(cells.group, cells.period, cells.effect, strict=True):
            rows = np.flatnonzero(panel.group == group)
            untreated[rows, period] = panel.y[rows, period] - effect
        solved = found.solved
        regression = sizes(found.weight, found.seen, solved.rank + solved.effects.rank)
        notes = (*found.notes, *self._notes(panel, found))
        # With leads the earlier periods are part of the reference.
        base: Base = "" if self.leads is None else "several"
        return Fit(
            cells,
            untreated,
            notes=notes,
            regression=regression,
            base=base,
            by_period=partial(_by_period, found, cells),
            pull=_pull(panel, found, cells),
        )

    def regress(self, panel: Panel, learn: Bool2 | None = None) -> Solution | Refused:
        """The regression behind the cells: coefficients of treatment, then of the covariates."""
        refused = guard(panel, self.asks, self.name)
        if refused is not None:
            return refused
        weight = weights(panel)
        seen = seen_cells(panel, weight, learn)
        event = np.where(panel.treated[:, None], np.arange(len(panel.periods)) - panel.first[:, None], -np.inf)
        if self.effect == "constant":
            seen &= (event >= 0) | (event < -self.anticipation)
        covariates = varying(panel, seen, self.name)
        if isinstance(covariates, Refused):
            return covariates
        names, values, notes = covariates
        events = self._events(event[seen & np.isfinite(event)])
        kind, heads = kinds(panel, seen)
        treatment = (
            (event[heads] >= 0)[None] if self.effect == "constant" else event[heads] == events[:, None, None]
        ).astype(np.float64)
        solved = least_squares(panel.y, weight, seen, values, treatment, kind)
        return Solution(solved, weight, seen, events, names, (*notes, *unseen(panel)))

    def _events(self, events: Float1) -> Int1:
        """(E,) event times with a coefficient of their own; 0 stands for all of them where the effect is constant."""
        if self.effect == "constant":
            return np.zeros(1, dtype=np.intp)
        found = np.unique(events)
        first = -np.inf if self.leads is None else -self.leads
        return np.asarray(found[(found != -1 - self.anticipation) & (found >= first)], dtype=np.intp)

    def _cells(self, panel: Panel, found: Solution, open_: Bool2) -> Cells | Refused:
        known = np.isfinite(found.solved.coefficient[: len(found.events)])
        group, period = np.nonzero(open_)
        starts = panel.groups
        event = (period - starts[group]).astype(np.intp)
        if self.effect == "constant":
            column, inside = np.zeros(len(event), dtype=np.intp), event >= 0
        else:
            column = np.minimum(np.searchsorted(found.events, event), max(len(found.events) - 1, 0))
            inside = np.isin(event, found.events)
        inside &= known[column] if len(known) else False
        if not (inside & (event >= 0)).any():
            return self._nothing()
        group, period, column = group[inside], period[inside], column[inside]
        members = panel.group >= 0
        size = np.asarray(np.bincount(panel.group[members], weights=panel.weight[members]), dtype=np.float64)
        right = np.zeros((len(found.events), len(column)))
        right[column, np.arange(len(column))] = 1.0
        return Cells(
            found.solved.coefficient[column],
            group,
            starts[group],
            period,
            size[group],
            Scores(tuple(_blocks(panel, found, right)), len(panel.clusters), conditional=True),
        )

    def _nothing(self) -> Refused:
        if self.effect == "constant":
            return Refused(
                "an estimate by twfe",
                "treatment cannot be told apart from the unit and period effects",
                "Add units that stay untreated, or periods in which some are treated and others are not.",
            )
        return Refused(
            "an estimate by twfe",
            "without units that stay untreated the effects by event time are known only up to a straight line",
            "Set leads, so that earlier periods join the reference, add untreated units, or use group-time.",
        )

    def _notes(self, panel: Panel, found: Solution) -> tuple[str, ...]:
        notes = []
        unknown = np.isnan(found.solved.coefficient)
        lost = [*(str(event) for event in found.events), *found.names]
        lost = [name for name, gone in zip(lost, unknown, strict=True) if gone]
        if lost:
            notes.append(f"{', '.join(lost)} cannot be told apart from the other regressors and have no coefficient")
        if self.effect == "constant":
            notes.append(
                "one coefficient for all treated cells: terms by cohort, period or area are that one number and no "
                "estimates of their own"
            )
            if not ((found.weight > 0) & ~panel.treated).any():
                notes.append("no unit stays untreated: in the last periods treated units are compared with each other")
            notes += _warning(_of(panel, found))
        return tuple(notes)


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """A regression with what went into it.

    Attributes
    ----------
    solved : LeastSquares
        Treatment first, by `events`, then the covariates `names`.
    weight, seen : (N,) float, (N, T) bool
    events : (E,) int
    names : tuple of str
    notes : tuple of str
    """

    solved: LeastSquares
    weight: Float1
    seen: Bool2
    events: Int1
    names: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CellWeights:
    """Weights of the effects by group and period in the coefficient of a constant effect.

    Attributes
    ----------
    group, period : (C,) int
        As in ``Cells``: the treated cells.
    weight : (C,) float
        They sum to 1; some may be negative.
    """

    group: Int1
    period: Int1
    weight: Float1

    def __post_init__(self) -> None:
        for name in ("group", "period", "weight"):
            object.__setattr__(self, name, frozen(getattr(self, name), np.intp if name != "weight" else np.float64))

    @property
    def negative(self) -> float:
        """Sum of the negative weights, 0 or less; the others sum to 1 less this."""
        return float(self.weight[self.weight < 0].sum())


def cell_weights(panel: Panel, anticipation: int = 0) -> CellWeights | Refused:
    """How much the effect of every group in every period counts in the coefficient of `TWFE` with a constant effect.

    References
    ----------
    de Chaisemartin & D'Haultfœuille (2020), American Economic Review 110(9), Theorem 1: the residual of treatment on
    the effects (and the covariates), over its sum on the treated cells.
    """
    estimator = TWFE(anticipation=anticipation)
    found = estimator.regress(panel)
    if isinstance(found, Refused):
        return found
    return _of(panel, found) if np.isfinite(found.solved.coefficient[0]) else estimator._nothing()


def _of(panel: Panel, found: Solution) -> CellWeights:
    treated = found.seen & panel.treated_cells()
    pulled = np.where(treated, found.weight[:, None] * found.solved.pull(0), 0.0)
    total, here = _by_group(panel, pulled), _by_group(panel, treated.astype(np.float64)) > 0
    group, period = np.nonzero(here)
    return CellWeights(group, period, total[here])


def _by_group(panel: Panel, values: Float2) -> Float2:
    """(groups, T) sums over the members."""
    out = np.zeros((len(panel.groups), values.shape[1]))
    inside = panel.group >= 0
    np.add.at(out, panel.group[inside], values[inside])
    return out


def _warning(found: CellWeights) -> list[str]:
    """A sentence when some effects count negatively; rounding does not."""
    below = found.weight < -1e-9
    if not below.any():
        return []
    return [
        f"{int(below.sum())} of the {len(below)} effects by group and period count negatively in this number: their "
        f"weights sum to {found.negative:.1%}, the others to {1 - found.negative:.1%}"
    ]


def _pull(panel: Panel, found: Solution, cells: Cells) -> Pull | None:
    """How much every outcome counts in the cells; None with covariates, which every unit has of its own."""
    if len(found.names):
        return None
    solved, event = found.solved, cells.event
    column = np.zeros(len(event), dtype=np.intp) if len(found.events) == 1 else np.searchsorted(found.events, event)
    right = np.einsum("ek,krt->ert", solved.inverse, solved.shared)[column].transpose(1, 2, 0)
    return Pull((Part(solved.kind, np.where(found.seen.any(axis=1), found.weight, 0.0), right),), panel.y.shape)


def _by_period(found: Solution, cells: Cells, weights: Float2) -> Float3:
    """(N, T, m) scores of sums of the cells, (C, m): weight times regressor times residual."""
    solved, event = found.solved, cells.event
    drawn = found.weight[:, None] * solved.residual
    out = np.zeros((*drawn.shape, weights.shape[1]))
    for column, own in enumerate(found.events):
        # One coefficient stands for all cells where the effect is constant.
        share = weights[event == own if len(found.events) > 1 else event >= event.min()].sum(axis=0)
        if share.any():
            out += (solved.pull(column) * drawn)[:, :, None] * share
    return out


def _blocks(panel: Panel, found: Solution, right: Float2) -> list[ScoreBlock]:
    """Scores of the cells, with the part of weights that move when a unit leaves."""
    influence = np.nan_to_num(found.solved.influence[:, : len(right)])  # no cell has an unknown coefficient
    blocks = [
        ScoreBlock(influence, right, panel.cluster),
        *rescaling(panel, influence[panel.treated].sum(axis=0) @ right),
    ]
    if panel.pairs is not None:
        rows = np.flatnonzero(~panel.treated & (found.weight > 0))
        blocks.append(coupled(panel, panel.treated, found.weight, rows, influence[rows], right))
    return blocks
