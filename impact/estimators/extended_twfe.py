"""Extended two-way fixed effects: one regression with an effect of its own for every cohort and period (Wooldridge)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, get_args

import numpy as np

from impact.arrays import Bool2
from impact.cells import Cells, Regression
from impact.estimators.group_time import GroupTime
from impact.estimators.imputation import regression_plan
from impact.estimators.one_reference import OneReference
from impact.estimators.paths import Regressed
from impact.estimators.plan import Entry, Plan
from impact.estimators.planned import Planned
from impact.estimators.protocol import Estimator
from impact.numerics.moments import Strata
from impact.panel import Panel

__all__ = ["ExtendedTWFE"]

Control = Literal["not-yet", "never"]


@dataclass(frozen=True, slots=True)
class ExtendedTWFE(Planned):
    """The regression on unit and period effects with a dummy for every treated cohort and period.

    Parameters
    ----------
    control : {"not-yet", "never"}
        ``not-yet``: dummies after the start only, so all untreated cells serve; the effects are those of `Imputation`,
        and a pre-period cell is the coefficient of one dummy more, for that cell alone. ``never``: dummies in all
        periods but the last before the start, so that only never-treated units serve; the effects are those of
        `GroupTime` with a universal base.
    anticipation : int
        Periods before the start that get a dummy as well.

    On a balanced panel with fixed covariates these are the effects of that one regression; with missing cells, or with
    varying covariates, they are imputed in the same way and a note says so.

    References
    ----------
    Wooldridge (2021), "Two-way fixed effects, the two-way Mundlak regression, and difference-in-differences
    estimators", section 6; the R package ``etwfe``. Errors are those of the regression, conditional on who is treated
    when.
    """

    control: Control = "not-yet"
    anticipation: int = 0

    name: ClassVar[str] = "extended-twfe"
    why: ClassVar[str] = "no untreated period to learn from"
    uses_covariates: ClassVar[bool] = True
    slopes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.control not in get_args(Control):
            raise ValueError(f"control={self.control!r} is not one of {', '.join(get_args(Control))}")
        if self.anticipation < 0:
            raise ValueError("anticipation is a number of periods, 0 or more")

    def referred(self) -> Estimator:
        """The same effects, with changes since the last period before the start as estimates before it."""
        return self if self.control == "never" else OneReference(self)

    def plan(self, known: Strata, usable: Bool2) -> Plan:
        """The cells of the regression."""
        if self.control == "not-yet":
            plan = regression_plan(known, usable, self.anticipation, dummies=True)
        else:
            plan = Plan.of(
                [cell for cell in self._against_never(known, usable) if cell[2]],
                Regressed(known.seen & np.isinf(known.first)[:, None]),
                usable.shape[1],
            )
        return replace(plan, conditional=True)

    def _against_never(self, known: Strata, usable: Bool2) -> Iterator[tuple[int, int, list[Entry]]]:
        """Every group in every period against its last period before the start, whichever that is for a stratum."""
        compared = GroupTime("never", anticipation=self.anticipation, base="universal")
        length = usable.shape[1]
        for group, start in enumerate(known.starts):
            own = np.flatnonzero(known.group == group)
            for t in range(length):
                entries: list[Entry] = []
                for stratum in own[known.seen[own, t]]:
                    base = compared.base_of(usable[group] & known.seen[stratum], int(start), t)
                    if base is not None:
                        change = np.zeros(length)
                        change[t], change[base] = 1.0, -1.0
                        entries.append((int(stratum), 0, change))
                yield group, t, entries

    def remarks(self, panel: Panel) -> tuple[str, ...]:
        """Where the effects are imputed and no longer those of one regression."""
        if self._is_regression(panel):
            return ()
        return (
            "with missing cells or varying covariates the effects are imputed from the untreated cells; one regression "
            "on all cells would give others, so there is no small-sample factor",
        )

    @staticmethod
    def _is_regression(panel: Panel) -> bool:
        return not np.isnan(panel.y).any() and all(values.shape[1] == 1 for values in panel.covariates.values())

    def sizes(self, panel: Panel, cells: Cells) -> Regression | None:
        """Sizes of the regression: dummies of the treated cells (or of all, with never-treated controls) and of the
        periods, each with a slope for every covariate; None where the effects are not those of one regression."""
        if not self._is_regression(panel):
            return None
        counted = panel.weight > 0
        dummies = int((cells.period >= cells.cohort - self.anticipation).sum())
        if self.control == "never":
            dummies = len(cells.effect)
        coefficients = (len(panel.periods) - 1 + dummies) * (1 + len(panel.covariates))
        return Regression(int(counted.sum()) * len(panel.periods), coefficients, int(counted.sum()))
