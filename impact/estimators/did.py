"""Difference-in-differences of means with all pre-periods as base."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from impact.arrays import Bool2, Float1
from impact.cells import Cells, Fit, Weights
from impact.errors import Refused
from impact.estimators.linear import Contrasts, cells_of, fit_contrasts, learnable
from impact.estimators.protocol import Asks, Gives, guard
from impact.numerics.moments import Moments, strata
from impact.panel import Panel

__all__ = ["DiD"]


@dataclass(frozen=True, slots=True)
class DiD:
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
    gives: ClassVar[Gives] = Gives.SURFACE | Gives.SCORES | Gives.WEIGHTS | Gives.MOMENTS
    asks: ClassVar[Asks] = Asks(min_pre=1, min_controls=2)

    def __post_init__(self) -> None:
        if self.anticipation < 0:
            raise ValueError("anticipation is a number of periods, 0 or more")

    def null_model(self) -> DiD:
        """Itself."""
        return self

    def cells(self, moments: Moments) -> Cells | Refused:
        """Cells from sums per stratum."""
        length = moments.total.shape[1]
        return cells_of(
            self._contrasts(moments.first, np.ones((int((moments.first < length).sum()), length), dtype=bool)), moments
        )

    def fit(self, panel: Panel, *, learn: Bool2 | None = None, hold: Weights | None = None) -> Fit | Refused:
        """Cells with scores, the imputed surface and the weights; see ``Estimator.fit``."""
        refused = guard(panel, self.asks, self.name)
        if refused is not None:
            return refused
        panel, usable = learnable(panel, learn)
        contrasts = self._contrasts(strata(panel)[1], usable)
        if len(contrasts.group) == 0:
            return Refused(
                "an estimate by did",
                "no cohort has a period before its start that may be used as base",
                "Add earlier periods or lower the anticipation.",
            )
        found = fit_contrasts(contrasts, panel, hold)
        if isinstance(found, Refused):
            return found
        return Fit(*found, weights=_weights(panel, contrasts, hold), notes=_notes(panel, contrasts))

    def _contrasts(self, first: Float1, usable: Bool2) -> Contrasts:
        length = usable.shape[1]
        group, period, change = [], [], []
        for number in range(len(usable)):
            start = int(first[number])
            before = np.flatnonzero(usable[number, : max(start - self.anticipation, 0)])
            if not before.size:
                continue
            for t in range(length):
                if t < start and not usable[number, t]:
                    continue
                row = np.zeros(length)
                row[before] = -1.0 / before.size
                row[t] += 1.0
                group.append(number)
                period.append(t)
                change.append(row)
        return Contrasts(
            np.array(group, dtype=np.intp),
            np.array(period, dtype=np.intp),
            np.array(change).reshape(-1, length),
            np.tile(np.isinf(first), (len(group), 1)),
        )


def _weights(panel: Panel, contrasts: Contrasts, hold: Weights | None) -> Weights:
    """Uniform (or matched, or held) control weights and uniform base weights of every group that has cells."""
    groups = np.unique(contrasts.group)
    names = tuple(panel.group_names[group] for group in groups)
    unit, time = [], []
    for group, name in zip(groups, names, strict=True):
        weight = (
            panel.control_weight(panel.group == group) * panel.never if hold is None else hold.of(name, panel.units)[0]
        )
        unit.append(weight / weight.sum())
        row = contrasts.change[np.flatnonzero(contrasts.group == group)[-1]]
        time.append(np.where(row < 0, -row, 0.0))
    return Weights(names, panel.units, panel.periods, np.array(unit), np.array(time))


def _notes(panel: Panel, contrasts: Contrasts) -> tuple[str, ...]:
    lost = [name for number, name in enumerate(panel.group_names) if number not in contrasts.group]
    notes = [f"{name} has no period before its start and is not estimated" for name in lost]
    if panel.covariates:
        notes.append(f"the covariates {', '.join(panel.covariates)} are not used by did")
    return tuple(notes)
