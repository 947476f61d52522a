"""The interaction-weighted estimator of Sun & Abraham: a regression in which every cohort has its own effects.

With a dummy for every cohort and event time but one, the periods of a cohort are free: the regression falls apart into
one with unit and period effects per cohort and one for the controls, which share no more than the coefficients of the
covariates. So it is solved stratum by stratum, without the dummies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from impact.arrays import Bool1, Bool2, Float1, Float2, Float3, Int1
from impact.cells import Cells, Fit, Weights
from impact.errors import Refused
from impact.estimators.linear_scores import coupled
from impact.estimators.protocol import Asks, Gives, guard
from impact.estimators.pull import Part, Pull
from impact.estimators.regression import kinds, open_periods, rescaling, seen_cells, sizes, unseen, varying, weights
from impact.numerics.within import PeriodEffects, normal_inverse
from impact.panel import Panel
from impact.scores import ScoreBlock, Scores

__all__ = ["SunAbraham"]

# The part of a cell that may lie in a direction of the covariates that the data do not identify, by rounding.
_UNKNOWN = 1e-6


@dataclass(frozen=True, slots=True)
class SunAbraham:
    """Regression on unit effects, period effects and cohort by event time, with units that stay untreated as controls.

    Every cohort has an effect of its own in every period but its reference. Without covariates and missing cells that
    is the difference of two changes of means. Varying covariates have one coefficient for all, learned from treated
    cells too; fixed ones are absorbed by the unit effects. Cells may be missing. Units that start after the last period
    are controls. When fewer than two units stay untreated the last cohort serves as control and its treated periods are
    left out. On a matched panel every group is regressed beside its own matched controls.

    The errors hold the shares of the cohorts fixed, as R ``fixest`` does.

    Parameters
    ----------
    reference : int
        Event time that the effects are relative to; below -1 the periods between it and the start count as
        anticipation. A cohort in which nobody is seen then is referred to the last period before it.

    References
    ----------
    Sun & Abraham (2021), Journal of Econometrics 225(2), section 4.
    """

    reference: int = -1

    name: ClassVar[str] = "sun-abraham"
    gives: ClassVar[Gives] = Gives.SURFACE | Gives.SCORES | Gives.LINEAR
    asks: ClassVar[Asks] = Asks(min_pre=1, min_controls=2, never_treated=False, balanced=False)

    def __post_init__(self) -> None:
        if self.reference >= 0:
            raise ValueError("reference is an event time before the start, -1 or less")

    def null_model(self) -> SunAbraham:
        """Itself."""
        return self

    def fit(self, panel: Panel, *, learn: Bool2 | None = None, hold: Weights | None = None) -> Fit | Refused:
        """Cells with scores, and the surface of untreated outcomes; see ``Estimator.fit``.

        A treated unit's untreated outcome is its own in the reference period (in a group with missing cells, what the
        regression makes of it) plus the change of the controls, and of its covariates. `hold` changes nothing.
        """
        refused = guard(panel, self.asks, self.name)
        if refused is not None:
            return refused
        if int((~panel.treated & (weights(panel) > 0)).sum()) >= self.asks.min_controls:
            return self._fit(panel, learn)
        return self._against_the_last(panel, learn)

    def _against_the_last(self, panel: Panel, learn: Bool2 | None) -> Fit | Refused:
        """The fit on the periods in which the last cohort is untreated (and anticipates nothing)."""
        last = int(panel.first[panel.treated & (panel.weight > 0)].max())
        length = max(last + self.reference + 1, 0)
        short = panel.until(length)
        found = self._fit(short, None if learn is None else learn[:, :length])
        if isinstance(found, Refused):
            return found
        untreated = np.full(panel.y.shape, np.nan)
        untreated[:, :length] = found.untreated
        place = np.array([panel.group_names.index(name) for name in short.group_names], dtype=np.intp)
        note = (
            f"fewer than two units stay untreated: who starts in {panel.periods[last]} is control, and periods from "
            f"{panel.periods[length]} on are left out"
        )
        return replace(
            found,
            cells=replace(found.cells, group=place[found.cells.group]),
            surface=untreated,
            notes=(note, *found.notes),
            pull=replace(found.pull, shape=panel.y.shape) if isinstance(found.pull, Pull) else None,
        )

    def _fit(self, panel: Panel, learn: Bool2 | None) -> Fit | Refused:
        weight = weights(panel)
        seen = seen_cells(panel, weight, learn)
        controls = int((~panel.treated & seen.any(axis=1)).sum())
        if controls < self.asks.min_controls:
            return Refused(
                "an estimate by sun-abraham",
                f"{controls} control units that are never-treated, or start after the last period that is used, are "
                f"fewer than the {self.asks.min_controls} it needs",
                "Add units outside the programme, or use group-time with control='not-yet'.",
            )
        covariates = varying(panel, seen, self.name)
        if isinstance(covariates, Refused):
            return covariates
        names, values, notes = covariates
        values, raw = _in_usual_size(values, weight, seen)
        strata = _strata(panel, weight, seen, values)
        common, courses = _Common.of(strata, raw), _Courses.of(strata, len(panel.groups))
        cells = self._wanted(panel, open_periods(panel, learn, seen))
        cells = cells.take(courses.connect(cells))
        moved = cells.change(courses.own - courses.other)[:, 1:]
        # What of a change of the covariates the coefficients do not tell.
        told = np.abs(moved @ common.unknown).max(axis=1, initial=0.0) <= _UNKNOWN
        post = cells.period >= panel.groups[cells.group]
        if not (told & post).any():
            return _nothing(names if post.any() else ())
        cells, moved = cells.take(told), moved[told]
        change = cells.change(courses.own - courses.other)
        members = panel.group >= 0
        size = np.asarray(np.bincount(panel.group[members], weights=panel.weight[members]), dtype=np.float64)
        found = Cells(
            change[:, 0] - moved @ common.coefficient,
            cells.group,
            panel.groups[cells.group],
            cells.period,
            size[cells.group],
            Scores(tuple(_blocks(panel, strata, common, cells, moved)), len(panel.clusters), conditional=True),
        )
        without = cells.change(courses.other) @ np.concatenate([[1.0], -common.coefficient])
        lost = [
            f"{name} has no reference period and is not estimated"
            for number, name in enumerate(panel.group_names)
            if number not in cells.group
        ]
        if not told.all():
            lost.append(f"{int((~told).sum())} effects cannot be told apart from the covariates and are not estimated")
        free = sum(s.effects.rank for s in strata if s.treated) + max(s.effects.rank for s in strata if not s.treated)
        return Fit(
            found,
            _surface(panel, cells, without, values, common.coefficient, seen, courses),
            notes=(*notes, *unseen(panel), *lost),
            regression=sizes(weight, seen, free + common.rank),
            pull=None if names else _pull(panel, strata, cells, seen),
        )

    def _wanted(self, panel: Panel, usable: Bool2) -> _Wanted:
        """The cells that the design has; `usable` is (groups, T)."""
        rows: list[tuple[int, int, int]] = []
        for group, start in enumerate(panel.groups):
            before = np.flatnonzero(usable[group, : max(int(start) + self.reference + 1, 0)])
            if before.size:
                rows += [(group, int(t), int(before[-1])) for t in np.flatnonzero(usable[group]) if t != before[-1]]
        return _Wanted(*np.array(rows, dtype=np.intp).reshape(-1, 3).T)


@dataclass(frozen=True, slots=True, eq=False)
class _Stratum:
    """Treated units of one group, or controls of one or all groups, with unit and period effects of their own."""

    groups: Int1  # the group, or those that the controls serve
    treated: bool
    rows: Int1  # (n,)
    weight: Float1  # (n,)
    effects: PeriodEffects
    residual: Float3  # (1 + k, n, T) of the outcome, then of the covariates
    course: Float2  # (1 + k, T) period effects of the same


def _in_usual_size(values: Float3, weight: Float1, seen: Bool2) -> tuple[Float3, Float1]:
    """Covariates (k, N, T) over their root mean square, and their squared sizes (k,) after that."""
    mass = (weight @ seen).sum()
    raw = np.einsum("n,nt,knt->k", weight, seen, np.where(seen, values, 0.0) ** 2)
    there = raw > 0
    return values / np.sqrt(np.where(there, raw / mass, 1.0))[:, None, None], np.where(there, mass, 0.0)


def _strata(panel: Panel, weight: Float1, seen: Bool2, values: Float3) -> list[_Stratum]:
    """Every group, then the controls: one stratum for all groups, or on a matched panel one for each."""
    every = np.arange(len(panel.groups), dtype=np.intp)
    parts = [(every[group : group + 1], True, np.where(panel.group == group, weight, 0.0)) for group in every]
    if panel.pairs is None:
        parts.append((every, False, np.where(panel.treated, 0.0, weight)))
    else:
        for group in every:
            own = np.where(panel.treated, 0.0, panel.control_weight(panel.group == group))
            parts.append((every[group : group + 1], False, own))
    strata = []
    for groups, treated, own in parts:
        rows = np.flatnonzero(own > 0)
        effects = PeriodEffects.of(own[rows], seen[rows])
        both = np.concatenate([panel.y[None, rows], values[:, rows]])
        strata.append(
            _Stratum(groups, treated, rows, own[rows], effects, *effects.partial_out(both, own[rows], seen[rows]))
        )
    return strata


@dataclass(frozen=True, slots=True, eq=False)
class _Common:
    """What the strata share: the coefficients of the covariates."""

    coefficient: Float1  # (k,)
    inverse: Float2  # (k, k)
    unknown: Float2  # (k, k) projector on what the data do not tell of them
    rank: int

    @staticmethod
    def of(strata: list[_Stratum], raw: Float1) -> _Common:
        """From the strata and the squared sizes (k,) of the covariates before any effect was taken out."""
        gram, right = np.zeros((len(raw), len(raw))), np.zeros(len(raw))
        for s in strata:
            y, x = s.residual[0], s.residual[1:]
            gram += np.einsum("n,knt,lnt->kl", s.weight, x, x, optimize=True)
            right += np.einsum("n,knt,nt->k", s.weight, x, y)
        inverse, _, rank = normal_inverse(gram, raw)
        return _Common(inverse @ right, inverse, np.eye(len(raw)) - inverse @ gram, rank)


@dataclass(frozen=True, slots=True, eq=False)
class _Courses:
    """Period effects of the groups and of their controls, and which periods these connect."""

    own: Float3  # (groups, 1 + k, T)
    other: Float3
    own_component: Int1  # (groups, T), -1 where nobody is seen
    other_component: Int1

    @staticmethod
    def of(strata: list[_Stratum], groups: int) -> _Courses:
        course = np.zeros((2, groups, *strata[0].course.shape))
        component = np.full((2, groups, strata[0].course.shape[1]), -1, dtype=np.intp)
        for s in strata:
            course[int(not s.treated), s.groups] = s.course
            component[int(not s.treated), s.groups] = s.effects.component
        return _Courses(*course, *component)

    def connect(self, cells: _Wanted) -> Bool1:
        """(C,) cells whose two periods can be compared, in the group and among its controls."""
        ends = [
            (each[cells.group, cells.period], each[cells.group, cells.base])
            for each in (self.own_component, self.other_component)
        ]
        return np.asarray(np.all([(first == second) & (first >= 0) for first, second in ends], axis=0))


@dataclass(frozen=True, slots=True, eq=False)
class _Wanted:
    """Cells: the period of a group and its reference period, all (C,)."""

    group: Int1
    period: Int1
    base: Int1

    def take(self, keep: Bool1) -> _Wanted:
        return _Wanted(self.group[keep], self.period[keep], self.base[keep])

    def change(self, course: Float3) -> Float2:
        """(C, 1 + k) change of (groups, 1 + k, T) from the reference period."""
        return np.asarray(course[self.group, :, self.period] - course[self.group, :, self.base])


def _blocks(panel: Panel, strata: list[_Stratum], common: _Common, cells: _Wanted, moved: Float2) -> list[ScoreBlock]:
    """Scores of the cells: of the period effects of a stratum, and of the coefficients that the strata share.

    `moved` (C, k) is by how much a group's covariates changed more than those of its controls.
    """
    blocks, pull = [], np.zeros(len(cells.group))
    shared = -common.inverse @ moved.T
    for s in strata:
        y, x = s.residual[0], s.residual[1:]
        drawn = s.weight[:, None] * (y - np.tensordot(common.coefficient, x, axes=1))
        sign = np.isin(cells.group, s.groups) * (1.0 if s.treated else -1.0)
        right = np.vstack([(s.effects.inverse[:, cells.period] - s.effects.inverse[:, cells.base]) * sign, shared])
        block = ScoreBlock(np.column_stack([drawn, np.einsum("nt,knt->nk", drawn, x)]), right, panel.cluster[s.rows])
        blocks.append(block)
        if s.treated:
            pull += block.left.sum(axis=0) @ right
        elif panel.pairs is not None:
            weight = np.zeros(len(panel.units))
            weight[s.rows] = s.weight
            blocks.append(coupled(panel, panel.group == s.groups[0], weight, s.rows, block.left, right))
    return [*blocks, *rescaling(panel, pull)]


def _pull(panel: Panel, strata: list[_Stratum], cells: _Wanted, seen: Bool2) -> Pull:
    """How much every outcome counts in the cells, without covariates: through the period effects of the strata."""
    kind, heads = kinds(panel, seen)
    here = seen[heads]
    parts = []
    for s in strata:
        sign = np.isin(cells.group, s.groups) * (1.0 if s.treated else -1.0)
        right = np.where(here[..., None], (s.effects.inverse[:, cells.period] - s.effects.inverse[:, cells.base]), 0.0)
        right = right - right.sum(axis=1, keepdims=True) / np.maximum(here.sum(axis=1), 1)[:, None, None]
        weight = np.zeros(len(panel.units))
        weight[s.rows] = s.weight
        parts.append(Part(kind, weight, np.where(here[..., None], right * sign, 0.0)))
    return Pull(tuple(parts), panel.y.shape)


def _surface(
    panel: Panel,
    cells: _Wanted,
    without: Float1,
    values: Float3,
    coefficient: Float1,
    seen: Bool2,
    courses: _Courses,
) -> Float2:
    """Untreated outcome of a treated unit: its level in the reference period plus the change `without` (C,) treatment.

    Where a group has missing cells that level is the one of the regression, so that the gaps of all units that are seen
    have the effect as their mean.
    """
    untreated = np.full(panel.y.shape, np.nan)
    adjusted = np.tensordot(coefficient, values, axes=1)
    course = np.einsum("k,gkt->gt", np.concatenate([[1.0], -coefficient]), courses.own)
    for group in np.unique(cells.group):
        rows, own = np.flatnonzero(panel.group == group), cells.group == group
        base, period = cells.base[own][0], cells.period[own]
        y = panel.y[rows] - adjusted[rows]
        level = y[:, base]
        if not seen[rows][panel.weight[rows] > 0].all():
            count = seen[rows].sum(axis=1)
            away = np.where(seen[rows], y - course[group], 0.0).sum(axis=1)
            level = np.divide(away, count, out=np.full(len(rows), np.nan), where=count > 0) + course[group, base]
        untreated[np.ix_(rows, period)] = level[:, None] + without[own] + adjusted[np.ix_(rows, period)]
    return untreated


def _nothing(names: tuple[str, ...]) -> Refused:
    if names:
        return Refused(
            "an estimate by sun-abraham",
            f"the covariates {', '.join(names)} are alike for all units of a cohort in a period, as the effects are",
            "Leave them out.",
        )
    return Refused(
        "an estimate by sun-abraham",
        "no cohort is seen, with controls, both in a reference period and after its start",
        "Add earlier periods, or a reference closer to the start.",
    )
