"""The effects of an estimator beside its estimates before the start as changes since one period, for bounds on drift.

An estimator that compares with the mean of all periods before the start, or with what a regression over them imputes,
says of a period before the start how far it lies from the others: no course that goes on after the start. Here every
group gets the course: its change since its last period before the start, against the same comparison.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np

from impact.arrays import Bool1, Bool2, Float1, Float2, Int1
from impact.cells import Cells, Fit, Weights
from impact.errors import Refused
from impact.estimators.linear import cells_of, fit_plan, left_out
from impact.estimators.paths import Regressed
from impact.estimators.plan import Entry, Plan, every, learnable
from impact.estimators.planned import Planned
from impact.estimators.protocol import Asks, Estimator, Gives, LeftOut
from impact.estimators.regressed import fit_regressed
from impact.numerics.moments import Moments, Strata, strata
from impact.panel import Panel
from impact.scores import Block, Scores

__all__ = ["OneReference", "Refers", "referred"]


@runtime_checkable
class Refers(Protocol):
    """An estimator whose own estimates before the start are no changes since one period, and that has a twin."""

    def referred(self) -> Estimator:
        """The same effects, with estimates before the start that are changes since one reference period."""
        ...


def referred(estimator: Estimator) -> Estimator:
    """The twin of an estimator that `Refers`; any other as it is."""
    return estimator.referred() if isinstance(estimator, Refers) else estimator


@dataclass(frozen=True, slots=True)
class OneReference:
    """The effects of `inner` after the start; before it, of every group, changes since its last period to learn from.

    What a group is compared with before the start is what `inner` compares it with: the same units with the same
    weights. Where that is a regression, the course is learned from all untreated cells but those of the group itself,
    as when each of these had a dummy of its own.

    ``Fit.distance`` says how far the base of every effect lies back. With ``d_s`` the drift of a group in period `s`,
    an effect in `t` is off by ``d_t`` less the mean of ``d_s`` over its base, and so by that distance times the largest
    change from one period to the next at most. (By a regression with several starts it is so for the drift against
    what is learned, from which cohorts that start later are not free.)

    Parameters
    ----------
    inner : Planned
        The estimator, with the mean of several periods as base.
    effects : bool
        Whether the effects, too, are changes since the one period; `inner` then gives the comparison alone.
    """

    inner: Planned
    effects: bool = False

    name: ClassVar[str] = "one-reference"
    gives: ClassVar[Gives] = Gives.SCORES | Gives.MOMENTS

    asks: ClassVar[Asks] = Asks(min_pre=1, min_controls=2, never_treated=False, balanced=False)

    def null_model(self) -> OneReference:
        """Itself."""
        return self

    def fit(self, panel: Panel, *, learn: Bool2 | None = None, hold: Weights | None = None) -> Fit | Refused:
        """Cells with scores; see ``Estimator.fit``. `hold` changes nothing."""
        own = self.inner.fit(panel, learn=learn)
        if isinstance(own, Refused):
            return own
        panel, usable = learnable(panel, learn)
        at = place, known = strata(panel)
        plan = self.inner.plan(known, usable)
        parts = [] if self.effects else [_Part(own.cells, plan, own.cells.post)]
        for course in _courses(plan, known, usable, self.anticipation):
            adjusted = panel.covariates and isinstance(plan.rule, Regressed)
            found = fit_regressed(panel, course, slopes=False) if adjusted else fit_plan(course, panel, at=at)
            if not isinstance(found, Refused):
                parts.append(_Part(found[0], course, ~found[0].post | self.effects))
        if not any(part.keep.any() for part in parts):
            return Refused("the changes since one period", "no group has them", self.inner.remedy)
        weight = np.bincount(place, weights=panel.weight, minlength=len(known.first)).astype(np.float64)
        distance = np.concatenate([part.distance(weight)[part.keep] for part in parts])
        return Fit(_together(parts), notes=own.notes, base="universal", distance=distance)

    def cells(self, moments: Moments) -> Cells | Refused:
        """Cells from sums per stratum, without scores and covariates."""
        made = [(cells_of(plan, moments), after) for plan, after in self._plans(moments.strata)]
        parts = [
            _Part(cells, None, cells.post if after else ~cells.post | self.effects)
            for cells, after in made
            if not isinstance(cells, Refused)
        ]
        if not any(part.keep.any() for part in parts):
            return Refused("the changes since one period", "no group has them", self.inner.remedy)
        return _together(parts)

    def without_each(self, moments: Moments) -> LeftOut:
        """Cells without each cluster."""
        made = []
        for plan, after in self._plans(moments.strata):
            left = left_out(plan, moments)
            made.append((left, left.cells.post if after else ~left.cells.post | self.effects))
        return LeftOut(
            made[0][0].clusters,
            _together([_Part(left.cells, None, keep) for left, keep in made]),
            np.concatenate([left.effect[:, keep] for left, keep in made], axis=1),
            np.concatenate([left.size[:, keep] for left, keep in made], axis=1),
        )

    @property
    def anticipation(self) -> int:
        """Periods before the start from which nothing is learned."""
        return int(getattr(self.inner, "anticipation", 0))

    def _plans(self, known: Strata) -> list[tuple[Plan, bool]]:
        """All plans where nothing is masked, and whether the effects after the start are taken from them."""
        usable = every(known)
        plan = self.inner.plan(known, usable)
        own = [] if self.effects else [(plan, True)]
        return [*own, *((course, False) for course in _courses(plan, known, usable, self.anticipation))]


def _courses(plan: Plan, known: Strata, usable: Bool2, anticipation: int) -> list[Plan]:
    """Every group in every period since its last one to learn from: one plan a group where a regression learns."""
    length, made = usable.shape[1], []
    for group, start in enumerate(known.starts):
        cells: list[tuple[int, int, list[Entry]]] = []
        own = np.flatnonzero(known.group == group)
        for t in range(length):
            entries: list[Entry] = []
            for stratum in own[known.seen[own, t]]:
                base = np.flatnonzero((usable[group] & known.seen[stratum])[: max(int(start) - anticipation, 0)])
                if base.size and base[-1] != t and (t >= start or usable[group, t]):
                    change = np.zeros(length)
                    change[t], change[base[-1]] = 1.0, -1.0
                    entries.append((int(stratum), 0, change))
            if entries:
                cells.append((group, t, entries))
        if not cells:
            continue
        rule = plan.rule
        if isinstance(rule, Regressed):
            rule = Regressed(rule.open & (known.group != group)[:, None])
        made.append(replace(Plan.of(cells, rule, length), conditional=plan.conditional, centre=plan.centre))
    return made


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Cells of one plan, and which of them are kept."""

    cells: Cells
    plan: Plan | None
    keep: Bool1

    def distance(self, weight: Float1) -> Float1:
        """(C,) periods from the base of every cell to itself; `weight` (K,) is that of the strata."""
        plan = self.plan
        if plan is None:
            raise ValueError("only a plan knows the base of its cells")
        mass = weight[plan.stratum]
        lag = plan.change @ np.arange(plan.change.shape[1], dtype=np.float64)
        total = np.bincount(plan.cell, weights=mass, minlength=len(plan.group))
        known = np.bincount(plan.cell, weights=mass * lag, minlength=len(plan.group))
        by_cell = np.divide(known, total, out=np.zeros_like(known), where=total > 0)
        at = {(int(g), int(t)): lag for g, t, lag in zip(plan.group, plan.period, by_cell, strict=True)}
        return np.array([at[int(g), int(t)] for g, t in zip(self.cells.group, self.cells.period, strict=True)])


def _together(parts: list[_Part]) -> Cells:
    """The kept cells of all parts as one."""
    whole = {
        name: np.concatenate([getattr(part.cells, name)[part.keep] for part in parts])
        for name in ("effect", "group", "cohort", "period", "size")
    }
    ends = np.cumsum([0, *(int(part.keep.sum()) for part in parts)])
    scores: list[Block] = []
    held: list[_Placed] = []
    for part, first, last in zip(parts, ends[:-1], ends[1:], strict=True):
        rows, count = np.flatnonzero(part.keep), len(part.keep)
        if part.cells.scores is not None:
            scores += [_Placed(block, rows, count, int(first), int(last)) for block in part.cells.scores.blocks]
        if part.cells.held is not None:
            held.append(_Placed(part.cells.held, rows, count, int(first), int(last)))
    given = parts[0].cells.scores
    return Cells(
        **whole,
        scores=None if given is None else Scores(tuple(scores), given.clusters, given.conditional),
        held=_Sum(tuple(held)) if held else None,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Placed:
    """A block about `count` cells, of which `rows` stand from `first` to `last` among others."""

    block: Block
    rows: Int1
    count: int
    first: int
    last: int

    def at(self, weights: Float2, clusters: int) -> Float2:
        """See `Block`."""
        own = np.zeros((self.count, weights.shape[1]))
        own[self.rows] = weights[self.first : self.last]
        return self.block.at(own, clusters)


@dataclass(frozen=True, slots=True, eq=False)
class _Sum:
    """Blocks added up."""

    blocks: tuple[_Placed, ...]

    def at(self, weights: Float2, clusters: int) -> Float2:
        """See `Block`."""
        return np.asarray(sum(block.at(weights, clusters) for block in self.blocks))
