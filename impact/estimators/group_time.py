"""Group-time average treatment effects (Callaway & Sant'Anna 2021)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, get_args

import numpy as np

from impact.arrays import Bool1, Bool2, Float1, Int1
from impact.cells import Cells, Fit, ScoreBlock, Scores, Weights
from impact.errors import Refused
from impact.estimators.drdid import Method, Sample
from impact.estimators.linear import Contrasts, cells_of, coupled, fit_contrasts, learnable
from impact.estimators.protocol import Asks, Gives, guard
from impact.numerics.moments import Moments, strata
from impact.panel import Panel

__all__ = ["GroupTime"]

Control = Literal["never", "not-yet"]
Base = Literal["varying", "universal"]


@dataclass(frozen=True, slots=True)
class GroupTime:
    """ATT(g, t): every cohort in every period against units that are not treated yet.

    Parameters
    ----------
    control : {"never", "not-yet"}
        Who serves as control: never-treated units, or all that are untreated until after the period (and anticipation).
    method : {"dr", "ipw", "reg"}
        With covariates: doubly robust, inverse-probability weighting, or outcome regression (Sant'Anna & Zhao 2020);
        without covariates the three are the same.
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
    gives: ClassVar[Gives] = Gives.SURFACE | Gives.SCORES | Gives.MOMENTS
    asks: ClassVar[Asks] = Asks(min_pre=1, min_controls=2, never_treated=False)

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

    def null_model(self) -> GroupTime:
        """Itself."""
        return self

    def cells(self, moments: Moments) -> Cells | Refused:
        """Cells from sums per stratum; only without covariates."""
        usable = np.ones((int((moments.first < moments.total.shape[1]).sum()), moments.total.shape[1]), dtype=bool)
        return cells_of(self.contrasts(moments.first, usable), moments)

    def fit(self, panel: Panel, *, learn: Bool2 | None = None, hold: Weights | None = None) -> Fit | Refused:
        """Cells with scores and the imputed surface; see ``Estimator.fit``; `hold` changes nothing here."""
        refused = guard(panel, replace(self.asks, never_treated=self.control == "never"), self.name)
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
        place, first = strata(panel)
        contrasts = self.contrasts(first, usable)
        if len(contrasts.group) == 0:
            return Refused(
                "an estimate by group-time",
                "no cohort has both a base period and a control group",
                "Add earlier periods, lower the anticipation, or widen the donor pool.",
            )
        notes = self._notes(panel, contrasts)
        if panel.covariates:
            return self._adjusted(panel, contrasts, place, notes)
        found = fit_contrasts(contrasts, panel)
        return found if isinstance(found, Refused) else Fit(*found, notes=notes)

    def contrasts(self, first: Float1, usable: Bool2) -> Contrasts:
        """The cells that can be estimated; `first` (K,) starts of strata, `usable` (groups, T) periods for a base."""
        length = usable.shape[1]
        group, period, change, control = [], [], [], []
        for number in range(len(usable)):
            start = int(first[number])
            before = [t for t in range(start - self.anticipation) if usable[number, t]]
            if not before:
                continue
            for t in range(length):
                base = before[-1]
                if self.base == "varying" and t < start:
                    earlier = [s for s in range(t) if usable[number, s]]
                    if not earlier or not usable[number, t]:
                        continue
                    base = earlier[-1]
                if t == base or (t < start and not usable[number, t]):
                    continue
                serves = np.isinf(first)
                if self.control == "not-yet":
                    serves = (first > max(t, base) + self.anticipation) & (first != start)
                    serves[: len(usable)] &= usable[:, t] & usable[:, base]
                if not serves.any():
                    continue
                row = np.zeros(length)
                row[t], row[base] = 1.0, -1.0
                group.append(number)
                period.append(t)
                change.append(row)
                control.append(serves)
        return Contrasts(
            np.array(group, dtype=np.intp),
            np.array(period, dtype=np.intp),
            np.array(change).reshape(-1, length),
            np.array(control, dtype=bool).reshape(-1, len(first)),
        )

    def _notes(self, panel: Panel, contrasts: Contrasts) -> tuple[str, ...]:
        lost = [name for number, name in enumerate(panel.group_names) if number not in contrasts.group]
        return tuple(f"{name} has no base period or no control group and is not estimated" for name in lost)

    def _adjusted(self, panel: Panel, contrasts: Contrasts, place: Int1, notes: tuple[str, ...]) -> Fit | Refused:
        """With covariates: one regression or logit per group and control set, shared by its cells."""
        known: dict[tuple[int, bytes, int], Sample | Refused] = {}
        effects = np.zeros(len(contrasts.group))
        untreated = np.full(panel.y.shape, np.nan)
        blocks = []
        for cell, (group, period) in enumerate(zip(contrasts.group, contrasts.period, strict=True)):
            base = int(np.flatnonzero(contrasts.change[cell] < 0)[0])
            at = min(base, int(period))
            key = (int(group), contrasts.control[cell].tobytes(), at)
            if key not in known:
                known[key] = self._sample(panel, int(group), contrasts.control[cell][place], at)
            sample = known[key]
            if isinstance(sample, Refused):
                return sample
            effect, score, imputed = sample.att(panel.y[sample.rows, period] - panel.y[sample.rows, base])
            effects[cell] = effect
            members = sample.rows[sample.treated]
            untreated[members, period] = panel.y[members, base] + imputed
            right = np.zeros((1, len(contrasts.group)))
            right[0, cell] = 1.0
            blocks.append(ScoreBlock(score[:, None], right, panel.cluster[sample.rows]))
            if panel.pairs is not None:
                rows = sample.rows[~sample.treated]
                part = ScoreBlock(score[~sample.treated, None], right, panel.cluster[rows])
                blocks.append(coupled(panel, int(group), panel.control_weight(panel.group == group), rows, part))
        inside = panel.group >= 0
        size = np.asarray(np.bincount(panel.group[inside], weights=panel.weight[inside]), dtype=np.float64)
        cells = Cells(
            effects,
            contrasts.group,
            panel.groups[contrasts.group],
            contrasts.period,
            size[contrasts.group],
            Scores(tuple(blocks), len(panel.clusters)),
        )
        return Fit(cells, untreated, notes=notes)

    def _sample(self, panel: Panel, group: int, serves: Bool1, at: int) -> Sample | Refused:
        members = panel.group == group
        weight = np.where(members, panel.weight, panel.control_weight(members) * serves)
        if panel.serving is not None and panel.pairs is None:
            # Residents, or areas, beside controls that count once: the propensity is that of the units.
            weight[members] *= panel.serving[members].sum() / panel.weight[members].sum()
        rows = np.flatnonzero(weight > 0)
        columns = [values[rows, 0 if values.shape[1] == 1 else at] for values in panel.covariates.values()]
        return Sample.of(
            np.column_stack([np.ones(len(rows)), *columns]),
            members[rows],
            weight[rows],
            rows,
            self.method,
            tuple(panel.covariates),
            panel.group_names[group],
        )
