"""Difference-in-differences of means with all pre-periods as base."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from impact.arrays import Bool2
from impact.cells import Weights
from impact.estimators.one_reference import OneReference
from impact.estimators.paths import Pooled
from impact.estimators.plan import Entry, Plan
from impact.estimators.planned import Planned
from impact.estimators.protocol import Asks, Gives
from impact.numerics.moments import Strata
from impact.panel import Panel

__all__ = ["DiD"]


@dataclass(frozen=True, slots=True)
class DiD(Planned):
    """Every cohort against never-treated units; the base is the mean of all periods before the start.

    With one cohort and one cell after averaging this is the textbook two-by-two difference, and the ``did_estimate`` of
    the R package ``synthdid`` (Arkhangelsky et al. 2021, eq. 1 with uniform weights). Covariates are not used.

    Parameters
    ----------
    anticipation : int
        Periods before the start that are left out of the base.
    """

    anticipation: int = 0

    name: ClassVar[str] = "did"
    gives: ClassVar[Gives] = Gives.SURFACE | Gives.SCORES | Gives.WEIGHTS | Gives.MOMENTS | Gives.LINEAR
    asks: ClassVar[Asks] = Asks(min_pre=1, min_controls=2)
    why: ClassVar[str] = "no period before its start"
    projects: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.anticipation < 0:
            raise ValueError("anticipation is a number of periods, 0 or more")

    def referred(self) -> OneReference:
        """The same effects, with changes since the last period before the start as estimates before it."""
        return OneReference(self)

    def plan(self, known: Strata, usable: Bool2) -> Plan:
        """The cells: every period of every group that has a base, against the never treated."""
        length = usable.shape[1]
        cells: list[tuple[int, int, list[Entry]]] = []
        for stratum in np.flatnonzero(known.group >= 0):
            group, start = int(known.group[stratum]), int(known.first[stratum])
            before = np.flatnonzero(usable[group, : max(start - self.anticipation, 0)])
            if not before.size:
                continue
            for t in range(length):
                if t < start and not usable[group, t]:
                    continue
                change = np.zeros(length)
                change[before] = -1.0 / before.size
                change[t] += 1.0
                cells.append((group, t, [(int(stratum), 0, change)]))
        return Plan.of(cells, Pooled(np.isinf(known.first)[None, :]), length)

    def weights(self, panel: Panel, plan: Plan, hold: Weights | None) -> Weights:
        """Uniform (or matched, or held) control weights and uniform base weights of every group that has cells."""
        groups = np.unique(plan.group)
        names = tuple(panel.group_names[group] for group in groups)
        unit, time = [], []
        for group, name in zip(groups, names, strict=True):
            weight = (
                panel.control_weight(panel.group == group) * panel.never
                if hold is None
                else hold.of(name, panel.units)[0]
            )
            unit.append(weight / weight.sum())
            row = plan.change[np.flatnonzero(plan.group == group)[-1]]
            time.append(np.where(row < 0, -row, 0.0))
        return Weights(names, panel.units, panel.periods, np.array(unit), np.array(time))
