"""Imputation: unit and period effects learned from untreated cells only (Borusyak, Jaravel & Spiess 2024)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, get_args

import numpy as np

from impact.arrays import Bool2
from impact.estimators.one_reference import OneReference
from impact.estimators.paths import Regressed
from impact.estimators.plan import Entry, Plan
from impact.estimators.planned import Planned
from impact.numerics.moments import Strata

__all__ = ["Imputation", "TwoStage", "regression_plan"]

Variance = Literal["conservative", "leave-one-out"]


@dataclass(frozen=True, slots=True)
class Imputation(Planned):
    """Every treated cell against what unit and period effects, learned from all untreated cells, impute for it.

    Not-yet-treated units serve until they start. A pre-period cell of a group is compared with what all *other*
    untreated cells impute for it (on a balanced panel the coefficient of a dummy for that cell), so no pre-period is 0
    by construction.

    Parameters
    ----------
    anticipation : int
        Periods before the start from which nothing is learned.
    variance : {"conservative", "leave-one-out"}
        What the effects of treated cells are centred on in the scores: the mean effect of the group in the period,
        weighted as the clusters enter (eq. 8 of the paper); or that mean without the cluster itself, which undoes the
        overfit of small groups (its Appendix A.9) and asks for two clusters in every group.

    References
    ----------
    Borusyak, Jaravel & Spiess (2024), Review of Economic Studies 91(6), Theorems 1-3. Scores are conditional on who is
    treated when, as there. Their pre-trend test (eq. 10) pools leads over the cohorts; here every cohort has its own.
    """

    anticipation: int = 0
    variance: Variance = "conservative"

    name: ClassVar[str] = "imputation"
    why: ClassVar[str] = "no untreated period to learn from"
    uses_covariates: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.anticipation < 0:
            raise ValueError("anticipation is a number of periods, 0 or more")
        if self.variance not in get_args(Variance):
            raise ValueError(f"variance={self.variance!r} is not one of {', '.join(get_args(Variance))}")

    def referred(self) -> OneReference:
        """The same effects, with changes since the last period before the start as estimates before it."""
        return OneReference(self)

    def plan(self, known: Strata, usable: Bool2) -> Plan:
        """The cells that can be imputed."""
        plan = regression_plan(known, usable, self.anticipation, dummies=True)
        return replace(plan, conditional=True, centre=self.variance)


@dataclass(frozen=True, slots=True)
class TwoStage(Planned):
    """The estimates of `Imputation` as the second stage of two regressions, with an error that knows the first.

    Effects after the start are those of `Imputation`. Pre-period cells are plain mean residuals of the first stage.
    The error counts the cohorts' shares as sampled, where that of imputation holds them fixed.

    Parameters
    ----------
    anticipation : int
        Periods before the start from which nothing is learned.

    References
    ----------
    Gardner (2021), arXiv 2207.05943, section 4 (the variance is that of joint moment conditions); the R package
    ``did2s``.
    """

    anticipation: int = 0

    name: ClassVar[str] = "two-stage"
    why: ClassVar[str] = "no untreated period to learn from"
    uses_covariates: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.anticipation < 0:
            raise ValueError("anticipation is a number of periods, 0 or more")

    def referred(self) -> OneReference:
        """The same effects, with changes since the last period before the start as estimates before it."""
        return OneReference(self)

    def plan(self, known: Strata, usable: Bool2) -> Plan:
        """The cells that can be imputed."""
        return regression_plan(known, usable, self.anticipation, dummies=False)


def regression_plan(known: Strata, usable: Bool2, anticipation: int, *, dummies: bool) -> Plan:
    """All cells against one regression on unit and period effects over the untreated cells.

    `dummies`: pre-period cells get a dummy of their own, and so are compared with what all other untreated cells
    impute; otherwise they are mean residuals.
    """
    length = usable.shape[1]
    untreated = known.seen & (np.arange(length)[None, :] < known.first[:, None] - anticipation)
    inside = known.group >= 0
    untreated[inside] &= usable[known.group[inside]]
    cells: list[tuple[int, int, list[Entry]]] = []
    for group, start in enumerate(known.starts):
        own = np.flatnonzero(known.group == group)
        for t in range(length):
            if t < start and not usable[group, t]:
                continue
            entries: list[Entry] = []
            for stratum in own[known.seen[own, t]]:
                base = untreated[stratum].copy()
                if dummies or base.sum() == 1:
                    base[t] = False
                if base.any():
                    change = np.where(base, -1.0 / base.sum(), 0.0)
                    change[t] += 1.0
                    entries.append((int(stratum), 0, change))
            if entries:
                cells.append((group, t, entries))
    plan = Plan.of(cells, Regressed(untreated), length)
    before = plan.period < known.starts[plan.group] - anticipation if cells else np.zeros(0, dtype=bool)
    return replace(plan, dummy=before & dummies)
