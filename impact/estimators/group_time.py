"""Group-time average treatment effects (Callaway & Sant'Anna 2021)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, get_args

import numpy as np

from impact.arrays import Bool1, Bool2
from impact.cells import Fit, Weights
from impact.errors import Refused
from impact.estimators.adjusted import fit_adjusted
from impact.estimators.drdid import Method
from impact.estimators.linear import fit_plan
from impact.estimators.paths import Pooled
from impact.estimators.plan import Plan, bases, learnable, lost, patterns, unreached
from impact.estimators.planned import Planned
from impact.estimators.protocol import Asks, guard
from impact.estimators.sampled import fit_sampled
from impact.numerics.moments import Strata, strata
from impact.panel import Panel
from impact.sample import Sample

__all__ = ["GroupTime"]

Control = Literal["never", "not-yet"]
Base = Literal["varying", "universal"]


@dataclass(frozen=True, slots=True)
class GroupTime(Planned):
    """ATT(g, t): every cohort in every period against units that are not treated yet.

    Parameters
    ----------
    control : {"never", "not-yet"}
        Who serves as control: never-treated units, or all that are untreated until after the period (and anticipation).
    method : {"dr", "dr-improved", "ipw", "reg"}
        With covariates: doubly robust, the same with odds that balance the covariates, inverse-probability weighting,
        or outcome regression (Sant'Anna & Zhao 2020); without covariates they are all the same.
    anticipation : int
        Periods before the start in which the outcome may already respond.
    base : {"varying", "universal"}
        Base of the pre-periods: the period before each, or the last period before the start for all.

    References
    ----------
    Callaway & Sant'Anna (2021), Journal of Econometrics 225(2), eqs. 2.4-2.6 and section 4; base and anticipation as in
    the R package ``did``.
    """

    control: Control = "never"
    method: Method = "dr"
    anticipation: int = 0
    base: Base = "varying"

    name: ClassVar[str] = "group-time"
    asks: ClassVar[Asks] = Asks(min_pre=1, min_controls=2, never_treated=False, balanced=False, samples=True)
    why: ClassVar[str] = "no base period or no control group"
    uses_covariates: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name, value, known in (
            ("control", self.control, Control),
            ("method", self.method, Method),
            ("base", self.base, Base),
        ):
            if value not in get_args(known):
                raise ValueError(f"{name}={value!r} is not one of {', '.join(get_args(known))}")
        if self.anticipation < 0:
            raise ValueError("anticipation is a number of periods, 0 or more")

    def referred(self) -> GroupTime:
        """The same effects, with changes since the last period before the start as estimates before it."""
        return replace(self, base="universal")

    def fit(self, panel: Panel | Sample, *, learn: Bool2 | None = None, hold: Weights | None = None) -> Fit | Refused:
        """Cells with scores, and the surface of a panel; see ``Estimator.fit``; `hold` changes nothing here."""
        found = fit_sampled(self, panel, learn) if isinstance(panel, Sample) else self._fitted(panel, learn)
        return found if isinstance(found, Refused) else replace(found, base=self.base)

    def _fitted(self, panel: Panel, learn: Bool2 | None) -> Fit | Refused:
        asks = replace(self.asks, never_treated=self.control == "never", balanced=bool(panel.covariates))
        refused = guard(panel, asks, self.name)
        if refused is not None:
            return refused
        bad = [name for name, values in panel.covariates.items() if not np.isfinite(values).all()]
        if bad:
            return Refused(
                "an estimate by group-time",
                f"the covariates {', '.join(bad)} have missing values",
                "Complete them or leave them out; nothing is filled in.",
            )
        panel, usable = learnable(panel, learn)
        at = strata(panel)
        plan = self.plan(at[1], usable)
        if len(plan.group) == 0:
            return Refused(
                "an estimate by group-time",
                "no cohort has both a base period and a control group",
                "Add earlier periods, lower the anticipation, or widen the donor pool.",
            )
        notes = (*lost(panel, plan.group, self.why), *patterns(panel), *bases(panel, plan, at))
        if panel.covariates:
            return fit_adjusted(panel, plan, self.method, (*notes, *unreached(panel, plan.group, plan.period)))
        found = fit_plan(plan, panel, at=at)
        if isinstance(found, Refused):
            return found
        cells = found[0]
        return Fit(cells, found[1], notes=(*notes, *unreached(panel, cells.group, cells.period)), pull=found[2])

    def plan(self, known: Strata, usable: Bool2) -> Plan:
        """The cells that can be estimated; `usable` (groups, T) are the periods that may be a base.

        Units that miss an outcome serve where both the period and its base were observed; each stratum has its own
        last observed base.
        """
        serves: dict[bytes, int] = {}
        cells = []
        for group, start in enumerate(known.starts):
            for t in range(usable.shape[1]):
                entries = []
                for stratum in np.flatnonzero((known.group == group) & known.seen[:, t]):
                    base = self.base_of(usable[group] & known.seen[stratum], int(start), t)
                    if base is None:
                        continue
                    controls = self._controls(known, usable, float(start), t, base)
                    if not controls.any():
                        continue
                    change = np.zeros(usable.shape[1])
                    change[t], change[base] = 1.0, -1.0
                    entries.append((int(stratum), serves.setdefault(controls.tobytes(), len(serves)), change))
                if entries:
                    cells.append((group, t, entries))
        rows = [np.frombuffer(row, dtype=bool) for row in serves]
        return Plan.of(cells, Pooled(np.array(rows, dtype=bool).reshape(-1, len(known.first))), usable.shape[1])

    def base_of(self, usable: Bool1, start: int, t: int) -> int | None:
        """The period that `t` is compared with, from the `usable` (T,) ones; None when it has none."""
        before = np.flatnonzero(usable[: max(start - self.anticipation, 0)])
        if not before.size or (t < start and not usable[t]):
            return None
        base = int(before[-1])
        if self.base == "varying" and t < start:
            earlier = np.flatnonzero(usable[:t])
            if not earlier.size:
                return None
            base = int(earlier[-1])
        return None if base == t else base

    def _controls(self, known: Strata, usable: Bool2, start: float, t: int, base: int) -> Bool1:
        """(K,) strata that are untreated in both periods and were observed in both."""
        seen = known.seen[:, t] & known.seen[:, base]
        if self.control == "never":
            return np.asarray(seen & np.isinf(known.first))
        serves = seen & (known.first > max(t, base) + self.anticipation) & (known.first != start)
        inside = known.group >= 0
        open_ = usable[:, t] & usable[:, base]
        serves[inside] &= open_[known.group[inside]]
        return np.asarray(serves)
