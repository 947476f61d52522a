"""The residuals behind an estimate that is a sum of outcomes, and how its scores follow from any residuals.

The model is the one that such an estimate rests on: effects of units and of periods, and the effects that were
estimated in the treated cells. For a two-way regression its residuals are those of the regression.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from impact.arrays import Bool2, Float1, Float2, Int1
from impact.cells import Cells
from impact.errors import Refused
from impact.estimators.protocol import Estimator
from impact.estimators.regression import weights
from impact.inference.nullfit import anticipated
from impact.inference.protocol import Found
from impact.numerics.within import PeriodEffects
from impact.panel import Panel
from impact.scores import by_cluster

__all__ = ["Term", "TwoWay", "not_linear"]

_MOST = 2**25  # numbers that are kept, 256 MB
# Of what a term pulls in all: a part this small is rounding.
_NOTHING = 1e-8
# A direction that moves the term by less than this share of its own size cannot carry its null.
_UNMOVED = 1e-3


def not_linear(inference: str, estimator: Estimator) -> Refused:
    """The refusal of an inference that needs an estimate which is a sum of outcomes."""
    return Refused(
        f"uncertainty by {inference}",
        f"{estimator.name} is no sum of outcomes with weights that stay the same when these move (with covariates no "
        "estimator is)",
        "Use cluster-jackknife or score-flip.",
    )


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """One term of a target: ``Σ pull y``, its residuals, and the direction in which its null is imposed.

    Attributes
    ----------
    pull : (N, T) float
    free : (N, T) float
        Residuals of the outcomes without their effects, that of this term among them; the term of them is 0.
    alike : (N, T) float
        The same when the cells of the term have one effect, its estimate, where each had its own: what they differ is
        residual. A cohort in a single cluster would otherwise have none.
    direction : (N, T) float
        What an effect of 1 leaves beside the effects of units and periods: that on all treated cells, or for a term
        before the start that on its own cells. The term of it is 1.
    leaning : bool
        Whether the effects after the start do not tell this term, so that its own is taken away as well.
    """

    pull: Float2
    free: Float2
    alike: Float2
    direction: Float2
    leaning: bool


@dataclass(frozen=True, slots=True, eq=False)
class TwoWay:
    """The model, fitted.

    Attributes
    ----------
    found : Found
    pulls : tuple of (N, T) float
        What the effects are made of that were taken away; empty where that is much, and is made when it is asked for.
    taken, group, period : (C,) int
        Their cells.
    seen : (N, T) bool
        Cells that count: observed, with weight, and untreated unless their effect is among the taken ones.
    weight : (N,) float
    effects : PeriodEffects
    effect : (N, T) float
        The taken effect of every cell.
    residual : (N, T) float
        Of the outcomes less these.
    """

    found: Found
    pulls: tuple[Float2, ...]
    taken: Int1
    group: Int1
    period: Int1
    seen: Bool2
    weight: Float1
    effects: PeriodEffects
    effect: Float2
    residual: Float2

    @staticmethod
    def of(found: Found, estimator: Estimator, inference: str) -> TwoWay | Refused:
        """From an estimate; refused where it is no sum of outcomes."""
        pull, cells, panel = found.fit.pull, found.fit.cells, found.panel
        if pull is None or not isinstance(panel, Panel):
            return not_linear(inference, estimator)
        early = anticipated(estimator)
        taken = np.flatnonzero(cells.event >= -early)
        weight, known = weights(panel), np.zeros((len(panel.groups), len(panel.periods)), dtype=bool)
        known[cells.group[taken], cells.period[taken]] = True
        since = np.arange(len(panel.periods)) - np.where(panel.group >= 0, panel.first, np.inf)[:, None]
        seen = np.isfinite(panel.y) & (weight > 0)[:, None] & ((since < -early) | known[panel.group])
        effects = PeriodEffects.of(weight, seen)
        effect = np.zeros(panel.y.shape)
        effect[panel.group >= 0] = _effects(cells, taken, known.shape)[panel.group[panel.group >= 0]]
        residual, _ = effects.partial_out((np.where(seen, panel.y, 0.0) - effect)[None], weight, seen)
        few = len(taken) * panel.y.size <= _MOST
        pulls = tuple(pull(row) for row in np.eye(len(cells.effect))[taken]) if few else ()
        return TwoWay(
            found, pulls, taken, cells.group[taken], cells.period[taken], seen, weight, effects, effect, residual[0]
        )

    def terms(self) -> Iterator[Term | Refused]:
        """Every term of the target, in order."""
        panel, cells = self.found.panel, self.found.fit.cells
        assert self.found.fit.pull is not None
        since = np.arange(len(panel.periods)) - np.where(panel.group >= 0, panel.first, np.inf)[:, None]
        for weight in self.found.effects.weights.T:
            pull = self.found.fit.pull(weight)
            size = float(np.abs(pull).sum())
            if np.abs(pull[~self.seen]).sum() > _NOTHING * size:
                yield Refused(
                    "a test",
                    "it rests on outcomes before a start that may respond to it, or of units without weight",
                )
                continue
            left = pull.copy()
            for number in range(len(self.taken)):
                own = float(pull[self._cell(number)].sum())
                if own:
                    left -= own * self.pulled(number)
            leaning = bool(np.abs(left).sum() > _NOTHING * size)
            raw = np.where((since >= 0) & self.seen & (not leaning), 1.0, 0.0)
            moved = float((pull * raw).sum())
            if not abs(moved) > _UNMOVED * size / 2:
                for cell in np.flatnonzero(weight):
                    rows = panel.group == cells.group[cell]
                    raw[rows, cells.period[cell]] = self.seen[rows, cells.period[cell]]
                moved = float((pull * raw).sum())
            if not abs(moved) > _UNMOVED * size / 2:
                yield Refused("a test", "an effect on its own cells does not move it, so its null cannot be imposed")
                continue
            estimate = float(weight @ cells.effect)
            apart = np.zeros(pull.shape)
            for number, (group, period) in enumerate(zip(self.group, self.period, strict=True)):
                if weight[self.taken[number]]:
                    rows = panel.group == group
                    apart[rows, period] = self.seen[rows, period] * (cells.effect[self.taken[number]] - estimate)
            both = np.stack([raw / moved, apart])
            (direction, more), _ = self.effects.partial_out(both, self.weight, self.seen)
            free, alike = (one - float((pull * one).sum()) * direction for one in (self.residual, self.residual + more))
            yield Term(pull, free, alike, direction, leaning)

    def pulled(self, number: int) -> Float2:
        """(N, T) what a taken effect is made of."""
        if self.pulls:
            return self.pulls[number]
        assert self.found.fit.pull is not None
        alone = np.zeros(len(self.found.fit.cells.effect))
        alone[self.taken[number]] = 1.0
        return self.found.fit.pull(alone)

    def _cell(self, number: int) -> tuple[Int1, int]:
        """Rows and period of a taken effect."""
        return np.flatnonzero(self.found.panel.group == self.group[number]), int(self.period[number])

    def taken_off(self, term: Term, cluster: Int1, clusters: int) -> Float2:
        """(clusters, k) ``W``: what the scores of a term lose for everything that is estimated from all residuals."""
        panel = self.found.panel
        course = by_cluster(term.pull, cluster, clusters)
        columns = [-course]
        for number in range(len(self.taken)):
            rows, period = self._cell(number)
            alone = np.zeros(self.seen.shape)
            alone[rows, period] = self.seen[rows, period]
            # Only the units of the group change, so their sums alone give the course.
            there = np.flatnonzero(panel.group == self.group[number])
            inside = alone[there]
            count = np.maximum(self.seen[there].sum(axis=1, keepdims=True), 1)
            centred = np.where(self.seen[there], inside - inside.sum(axis=1, keepdims=True) / count, 0.0)
            periods = (self.weight[there] @ centred) @ self.effects.inverse
            own = np.bincount(cluster[there], weights=(term.pull[there] * inside).sum(axis=1), minlength=clusters)
            columns.append(-(own - course @ periods)[:, None])
        if term.leaning:
            columns.append(-by_cluster((term.pull * term.direction).sum(axis=1)[:, None], cluster, clusters))
        return np.concatenate(columns, axis=1)

    def estimated(self, term: Term, residual: Float2, part: Int1, parts: int) -> Float2:
        """(parts, k) ``Γ``: what is estimated from the residuals of every part alone."""
        courses = by_cluster(self.weight[:, None] * residual, part, parts) @ self.effects.inverse
        each = [
            by_cluster((self.pulled(number) * residual).sum(axis=1)[:, None], part, parts)
            for number in range(len(self.taken))
        ]
        columns = [courses, *each]
        if term.leaning:
            own = by_cluster((term.pull * residual).sum(axis=1)[:, None], part, parts)
            told = [float(term.pull[self._cell(number)].sum()) * effect for number, effect in enumerate(each)]
            columns.append(own - sum(told, np.zeros((parts, 1))))
        return np.concatenate(columns, axis=1)


def _effects(cells: Cells, taken: Int1, shape: tuple[int, int]) -> Float2:
    """(groups, T) effects of the `taken` cells; 0 elsewhere."""
    out = np.zeros(shape)
    out[cells.group[taken], cells.period[taken]] = cells.effect[taken]
    return out
