"""The residuals of a null model that learns from every period, the tested ones included."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from impact.arrays import Bool1, Float1, Float2, Int1
from impact.errors import Refused
from impact.estimators.protocol import Estimator
from impact.panel import Panel

__all__ = ["NullFit", "anticipated", "null_fit", "projects"]

_SAME = 1e-6  # of the spread of the outcomes: residuals that differ by less are those of the same fit


def anticipated(estimator: Estimator) -> int:
    """Periods before the start that the estimator does not learn from; 0 where it has no such parameter."""
    return int(getattr(estimator, "anticipation", 0))


def projects(estimator: Estimator) -> bool:
    """Whether the residuals of its fit to all periods never move farther, in length, than the treated outcomes do.

    So it is where the fit is the point of a convex set that is nearest to these outcomes; not where outcomes choose a
    penalty first. False for estimators that do not say.
    """
    return bool(getattr(estimator, "projects", False))


@dataclass(frozen=True, slots=True, eq=False)
class NullFit:
    """One group in the periods before its start, followed by the tested ones, all of which the model learns from.

    Attributes
    ----------
    model : Estimator
    panel : Panel
        The periods, and after them some that stand in for a treated time, so that the start lies behind all others.
    treated : (N,) bool
        Units of the group.
    before, tested : int
        Number of periods before the start, and of tested periods behind them.
    spread : float
        Largest less smallest outcome: the scale of rounding.
    """

    model: Estimator
    panel: Panel
    treated: Bool1
    before: int
    tested: int
    spread: float

    def residuals(self, effect: float) -> Float1 | Refused:
        """(before + tested,) residuals of the group's mean when each of its tested cells holds an effect of `effect`.

        Refused where the model gives no residual in some period.
        """
        y = self.panel.y.copy()
        y[self.treated, self.before : self.before + self.tested] -= effect
        return self._of(self.panel.with_outcome(y))

    def orderless(self) -> bool | Refused:
        """Whether residuals follow the periods into another order, as permuting them asks (the exchangeability of
        Chernozhukov, Wüthrich & Zhu 2021, section 2.2)."""
        length = self.before + self.tested
        order = np.arange(len(self.panel.periods))
        order[:length] = (length // 2 - order[:length]) % length
        first, second = self._of(self.panel), self._of(_columns(self.panel, lambda values: values[:, order]))
        if isinstance(first, Refused):
            return first
        if isinstance(second, Refused):
            return second
        return bool(np.abs(second - first[order[:length]]).max() <= _SAME * self.spread)

    def _of(self, panel: Panel) -> Float1 | Refused:
        fit = self.model.fit(panel)
        if isinstance(fit, Refused):
            return fit
        length = self.before + self.tested
        found = np.full(length, np.nan)
        inside = fit.cells.period < length
        found[fit.cells.period[inside]] = fit.cells.effect[inside]
        if np.isnan(found).any():
            return Refused(
                f"the residuals of {self.model.name}",
                "it gives none for some period before its start",
                "Choose an estimator whose null model does, as synthetic-control and did.",
            )
        return found


def null_fit(model: Estimator, panel: Panel, group: int, tested: Int1) -> NullFit | Refused:
    """The null model of `group` over the periods before its start and those at `tested`, sorted and after the start.

    The panel (prepared by the target) loses the treated units of other groups and all other periods. Behind the rest
    come as many periods as the model anticipates and one, which hold the last outcomes again and are the only ones
    that count as treated; so everything real lies before the start, and what the model gives there are its residuals.
    """
    treated = panel.group == group
    rows = np.flatnonzero(treated | (panel.group < 0))
    early = anticipated(model)
    before = max(int(panel.groups[group]) - early, 0)
    if before < 1:
        return Refused("a conformal test", "there is no period before the start", "Add earlier periods.")
    sub = panel.take(rows)
    kept = np.concatenate([np.arange(before), tested])
    columns = np.concatenate([kept, np.full(early + 1, kept[-1])])
    names = (
        *(panel.periods[t] for t in kept),
        *(f"{panel.periods[kept[-1]]} and {n} later" for n in range(1, early + 2)),
    )
    moved = replace(_columns(sub, lambda values: values[:, columns], names), first=_starts(sub, len(kept) + early))
    y = moved.y[np.isfinite(moved.y)]
    return NullFit(model, moved, treated[rows], before, len(tested), float(np.ptp(y)) if y.size else 0.0)


def _starts(panel: Panel, start: int) -> Float1:
    """(N,) the group starts at `start`, which is the last but none of the periods; others after all or never."""
    later = np.where(np.isfinite(panel.first), float(start + 2), np.inf)
    return np.where(panel.group >= 0, float(start), later)


def _columns(panel: Panel, pick: Callable[[Float2], Float2], periods: tuple[str, ...] | None = None) -> Panel:
    """The panel with other columns in everything that varies over the periods."""

    def some(held: Mapping[str, Float2]) -> dict[str, Float2]:
        return {name: values if values.shape[1] == 1 else pick(values) for name, values in held.items()}

    return replace(
        panel,
        y=pick(panel.y),
        periods=panel.periods if periods is None else periods,
        covariates=some(panel.covariates),
        series=some(panel.series),
        se=None if panel.se is None else pick(panel.se),
    )
