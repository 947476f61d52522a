"""Group-time effects of a panel with covariates: which comparisons its cells need, each made once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from impact.arrays import Bool1, Float1, Float2, Int1
from impact.cells import Cells, Fit
from impact.errors import Refused
from impact.estimators.drdid import TRIM, Arm, Cellwise, Comparison, Method, Products, Pull
from impact.estimators.linear_scores import coupled
from impact.estimators.paths import Pooled
from impact.estimators.plan import Plan
from impact.numerics.moments import strata
from impact.panel import Panel
from impact.scores import ScoreBlock, Scores

__all__ = ["fit_adjusted", "trimmed_note"]


def fit_adjusted(panel: Panel, plan: Plan, method: Method, notes: tuple[str, ...]) -> Fit | Refused:
    """Cells with scores and the imputed surface, adjusted for the covariates of `panel`, which misses no outcome.

    A covariate that changes over time counts with its value in the earlier of the two periods of a cell, as in the R
    package ``did``. Cells of one group that have the same controls and the same covariates share a comparison.
    """
    if not isinstance(plan.rule, Pooled) or len(plan.cell) != len(plan.group):
        raise ValueError("adjustment for covariates compares each cell with a pool of controls")
    arms = _Arms(panel)
    effects = np.zeros(len(plan.group))
    imputed: list[tuple[Arm, Cellwise, Int1]] = []
    blocks: list[Pull | ScoreBlock] = []
    trimmed: dict[int, int] = {}
    for (group, at, reference), cells in _shared(panel, plan):
        comparison = _comparison(arms, group, plan.rule.serves[reference], at, method)
        if isinstance(comparison, Refused):
            return comparison
        found = comparison.cells(plan.change[cells])
        effects[cells] = found.effect
        imputed.append((comparison.treated, found, plan.period[cells]))
        blocks += _blocks(panel, group, comparison, found, cells, len(plan.group))
        trimmed[group] = max(trimmed.get(group, 0), comparison.trimmed)
    inside = panel.group >= 0
    size = np.asarray(np.bincount(panel.group[inside], weights=panel.weight[inside]), dtype=np.float64)
    table = Cells(
        effects,
        plan.group,
        panel.groups[plan.group],
        plan.period,
        size[plan.group],
        Scores(tuple(blocks), len(panel.clusters)),
    )
    surface = partial(_surface, panel.y, imputed)
    return Fit(table, surface, notes=(*notes, *trimmed_note(panel.group_names, trimmed)))


def trimmed_note(names: tuple[str, ...], trimmed: dict[int, int]) -> tuple[str, ...]:
    """How many controls, at most, each group does without because they look almost surely treated."""
    return tuple(
        f"{names[group]}: {count} controls look almost surely treated (a propensity of {TRIM} or more) and do not serve"
        for group, count in sorted(trimmed.items())
        if count
    )


def _shared(panel: Panel, plan: Plan) -> list[tuple[tuple[int, int, int], Int1]]:
    """Cells by what they have in common: the group, the period of the covariates, and the controls."""
    varying = any(values.shape[1] > 1 for values in panel.covariates.values())
    found: dict[tuple[int, int, int], list[int]] = {}
    for cell, (group, period) in enumerate(zip(plan.group, plan.period, strict=True)):
        base = int(np.flatnonzero(plan.change[cell] < 0)[0])
        at = min(base, int(period)) if varying else 0
        found.setdefault((int(group), at, int(plan.reference[cell])), []).append(cell)
    return [(key, np.array(cells, dtype=np.intp)) for key, cells in found.items()]


def _comparison(arms: _Arms, group: int, serves: Bool1, at: int, method: Method) -> Comparison | Refused:
    panel = arms.panel
    treated = arms.treated(group, at)
    controls = [arms.controls(int(stratum), at, group) for stratum in np.flatnonzero(serves)]
    kept = [(arm, sums) for arm, sums in controls if len(arm.rows)]
    what = f"the adjustment for {', '.join(panel.covariates)} in group {panel.group_names[group]}"
    if not kept:
        return Refused(what, "no control with weight is left", "Widen the donor pool.")
    theirs = sum((sums for _, sums in kept[1:]), kept[0][1])
    return Comparison.of(treated, tuple(arm for arm, _ in kept), theirs, method, what, tuple(panel.covariates))


def _surface(y: Float2, imputed: list[tuple[Arm, Cellwise, Int1]]) -> Float2:
    """(N, T) outcome without treatment: the outcome less what is left of its change; nan elsewhere."""
    untreated = np.full(y.shape, np.nan)
    for own, found, periods in imputed:
        rest = own.y @ found.change.T - own.x @ found.slope - found.mean_control
        at = np.ix_(own.rows, periods)
        untreated[at] = y[at] - rest
    return untreated


def _blocks(
    panel: Panel, group: int, comparison: Comparison, found: Cellwise, cells: Int1, count: int
) -> list[Pull | ScoreBlock]:
    blocks: list[Pull | ScoreBlock] = []
    blocks += comparison.scores(found, cells)
    if panel.pairs is None:
        return blocks
    members = panel.group == group
    weight = panel.control_weight(members)
    right = np.eye(count)[cells]
    for pull in comparison.scores(found, cells)[1:]:
        blocks.append(coupled(panel, members, weight, pull.arm.rows, pull.of(np.eye(len(cells))), right))
    return blocks


@dataclass(slots=True)
class _Arms:
    """The arms of a panel, each made when it is first asked for."""

    panel: Panel
    members: list[Int1] = field(init=False)
    outcomes: dict[int, Float2] = field(init=False, default_factory=dict)
    covariates: dict[tuple[int, int], Float2] = field(init=False, default_factory=dict)
    scales: dict[int, tuple[Float1, Float1]] = field(init=False, default_factory=dict)
    known: dict[tuple[int, int], tuple[Arm, Products]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        panel = self.panel
        place, known = strata(panel)
        heavy = (panel.weight > 0) | (panel.control_weight(panel.treated) > 0)
        self.members = [np.flatnonzero((place == stratum) & heavy) for stratum in range(len(known.first))]

    def treated(self, group: int, at: int) -> Arm:
        """The units of a group under the weights of the target."""
        panel, rows = self.panel, self.members[group]
        weight = panel.weight[rows]
        if panel.serving is not None and panel.pairs is None:
            # Residents, or areas, beside controls that count once: the propensity is that of the units.
            weight = weight * (panel.serving[rows].sum() / weight.sum())
        return self._arm(group, at, weight)

    def controls(self, stratum: int, at: int, group: int) -> tuple[Arm, Products]:
        """The units of a stratum as controls of a group, and their sums."""
        panel = self.panel
        if panel.pairs is None:
            if (stratum, at) not in self.known:
                arm = self._arm(stratum, at, panel.control_weight(panel.group >= 0)[self.members[stratum]])
                self.known[stratum, at] = arm, Products.of(arm, arm.weight)
            return self.known[stratum, at]
        arm = self._arm(stratum, at, panel.control_weight(panel.group == group)[self.members[stratum]])
        return arm, Products.of(arm, arm.weight)

    def _arm(self, stratum: int, at: int, weight: Float1) -> Arm:
        rows = self.members[stratum]
        if stratum not in self.outcomes:
            y = self.panel.y[rows]
            self.outcomes[stratum] = y - y[:, :1]
        if (stratum, at) not in self.covariates:
            self.covariates[stratum, at] = self._x(rows, at)
        x, y = self.covariates[stratum, at], self.outcomes[stratum]
        arm = Arm(rows, self.panel.cluster[rows], x, y, weight)
        keep = weight > 0
        return arm if keep.all() else _taken(arm, keep)

    def _x(self, rows: Int1, at: int) -> Float2:
        """(n, p) a constant and the covariates on one scale: nothing depends on it, and the digits stay."""
        columns = [values[:, 0 if values.shape[1] == 1 else at] for values in self.panel.covariates.values()]
        if at not in self.scales:
            heavy = self.panel.weight > 0
            spread = np.array([column[heavy].std() for column in columns])
            centre = np.array([column[heavy].mean() for column in columns])
            self.scales[at] = centre, np.where(spread > 0, spread, 1.0)
        centre, spread = self.scales[at]
        x = np.ones((len(rows), len(columns) + 1), order="F")
        for number, column in enumerate(columns):
            x[:, number + 1] = (column[rows] - centre[number]) / spread[number]
        return x


def _taken(arm: Arm, keep: Bool1) -> Arm:
    return replace(
        arm, rows=arm.rows[keep], cluster=arm.cluster[keep], x=arm.x[keep], y=arm.y[keep], weight=arm.weight[keep]
    )
