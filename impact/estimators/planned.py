"""What the estimators share that are a plan: cells over strata, and a rule by which the untreated course is learned."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import ClassVar, Self

from impact.arrays import Bool2
from impact.cells import Cells, Fit, Regression, Weights
from impact.errors import Refused
from impact.estimators.linear import cells_of, fit_plan, left_out
from impact.estimators.paths import Regressed
from impact.estimators.plan import Plan, every, learnable, lost, patterns, unreached
from impact.estimators.protocol import Asks, Gives, LeftOut, guard
from impact.estimators.regressed import fit_regressed
from impact.numerics.moments import Moments, Strata, strata
from impact.panel import Panel

__all__ = ["Planned"]


class Planned(ABC):
    """An estimator that needs no more than moments: give it a `plan`, and the rest follows.

    Subclasses are frozen dataclasses with `name`, `gives`, `asks`, and `why`: what a group lacks that has no cell, with
    the `remedy` for when all lack it. With a regression as rule they can use covariates; `slopes`: treated cells then
    have slopes of their own.
    """

    __slots__ = ()

    name: ClassVar[str]
    gives: ClassVar[Gives] = Gives.SURFACE | Gives.SCORES | Gives.MOMENTS | Gives.LINEAR
    asks: ClassVar[Asks] = Asks(min_pre=1, min_controls=2, never_treated=False, balanced=False)
    why: ClassVar[str]
    remedy: ClassVar[str] = "Add earlier periods, lower the anticipation, or widen the donor pool."
    uses_covariates: ClassVar[bool] = False
    slopes: ClassVar[bool] = False

    @abstractmethod
    def plan(self, known: Strata, usable: Bool2) -> Plan:
        """The cells that can be estimated; `usable` (groups, T) are the periods from which a group may learn."""

    def null_model(self) -> Self:
        """Itself."""
        return self

    def cells(self, moments: Moments, *, scores: bool = False) -> Cells | Refused:
        """Cells from sums per stratum, without covariates; see `cells_of` for `scores`."""
        return cells_of(self.plan(moments.strata, every(moments.strata)), moments, scores=scores)

    def without_each(self, moments: Moments) -> LeftOut:
        """Cells without each cluster."""
        return left_out(self.plan(moments.strata, every(moments.strata)), moments)

    def fit(self, panel: Panel, *, learn: Bool2 | None = None, hold: Weights | None = None) -> Fit | Refused:
        """Cells with scores and the imputed surface; see ``Estimator.fit``. `hold` is for those that give weights."""
        never = self.asks.never_treated or getattr(self, "control", "") == "never"
        refused = guard(panel, replace(self.asks, never_treated=never), self.name)
        if refused is not None:
            return refused
        panel, usable = learnable(panel, learn)
        at = strata(panel)
        plan = self.plan(at[1], usable)
        if not len(plan.group):
            return Refused(f"an estimate by {self.name}", f"every group has {self.why}", self.remedy)
        adjusted = bool(panel.covariates) and isinstance(plan.rule, Regressed)
        hold = hold if Gives.WEIGHTS in self.gives else None
        found = fit_regressed(panel, plan, slopes=self.slopes) if adjusted else fit_plan(plan, panel, hold, at)
        if isinstance(found, Refused):
            return found
        cells = found[0]
        notes = [
            *lost(panel, cells.group, self.why + (" beside these covariates" if adjusted else "")),
            *unreached(panel, cells.group, cells.period),
            *patterns(panel),
            *self.remarks(panel),
        ]
        if panel.covariates and not adjusted:
            notes.append(f"the covariates {', '.join(panel.covariates)} are not used by {self.name}")
        weights = self.weights(panel, plan, hold)
        sizes = self.sizes(panel, cells)
        return Fit(cells, found[1], weights, notes=tuple(notes), regression=sizes, pull=found[2])

    def weights(self, panel: Panel, plan: Plan, hold: Weights | None) -> Weights | None:
        """The weights of the comparison, for an estimator that gives them (``Gives.WEIGHTS``)."""
        return None

    def remarks(self, panel: Panel) -> tuple[str, ...]:
        """What else to know of an estimate on this panel."""
        return ()

    def sizes(self, panel: Panel, cells: Cells) -> Regression | None:
        """Sizes of the regression that this is; None where it is none."""
        return None
