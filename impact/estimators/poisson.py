"""Counts and rates: effects as a proportion of what was to be expected, by Poisson quasi-likelihood."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Literal, get_args

import numpy as np

from impact.arrays import Bool2, Float1, Int1
from impact.cells import Cells, Fit, Weights
from impact.errors import Refused
from impact.estimators.linear_scores import coupled
from impact.estimators.plan import learnable
from impact.estimators.protocol import Asks, Gives, LeftOut, guard
from impact.estimators.ratios import SHARED, Data, Key, Part, imputed, learned, means, measured, table
from impact.numerics.glm import Course
from impact.numerics.moments import Moments, Strata, strata
from impact.panel import Panel
from impact.scores import ScoreBlock, Scores

__all__ = ["LOG1P", "Poisson"]

Control = Literal["never", "not-yet"]
Effect = Literal["proportional", "level"]

# Why no transformation of the kind is offered anywhere; for whoever asks for one.
LOG1P: Final = (
    "an effect on log(1 + y), arcsinh(y) or the like is no percentage: where y can be 0 it takes any size with the "
    "unit in which y is written (Chen & Roth 2024); the estimator poisson gives the effect as a proportion of what was "
    "to be expected, zeros included"
)


@dataclass(frozen=True, slots=True)
class Poisson:
    """Counts or rates against units that are not treated, with parallel trends in ratios instead of differences.

    Without treatment ``E[y(i, t)] = exposure(i, t) exp(a(i) + b(t))``: every unit has a rate of its own, and all rates
    go up and down by common factors. The effects of units and periods are learned from untreated cells by Poisson
    quasi-likelihood, which asks for this mean only: `y` may be overdispersed, correlated within a cluster, and need not
    be whole. The untreated outcome of a treated unit is imputed from its own base periods ``B``::

        m(i, t) = exposure(i, t) exp(b(t)) Σ_B y(i, s) / Σ_B exposure(i, s) exp(b(s))

    With ``S(g, t)`` and ``M(g, t)`` the sums of ``y`` and ``m`` over the units of a group, weighted as the target says,
    the effect is ``S / M - 1``: -0.12 is 12 % less in all units of the group together (a ratio of sums, no mean of
    ratios). In levels it is ``(S - M) / Σ weights``, in units of the outcome per treated unit. A target over several
    cells is a mean of their effects.

    Base periods are all open periods before the start (and anticipation). A pre-period contrast leaves its own period
    out of the base, and its cohort out of the period effects, so that none is 0 by construction. Covariates are not
    used. The logarithm of ``1 + y`` is never taken: see `LOG1P`.

    Parameters
    ----------
    control : {"never", "not-yet"}
        From whom the period effects are learned: the never treated, or all untreated cells of all units, those of the
        treated before their start included. Where no exposure changes over time, the first is, cohort by cohort, the
        Poisson regression of the cohort and the never treated; the second is the pooled regression of the paper.
    effect : {"proportional", "level"}
        See above.
    exposure : str, optional
        The covariate of the panel that holds the exposure (residents, dwellings, pupils): positive, fixed or by period.
        Where it is fixed it changes nothing, for the unit effects hold it already. The outcome is then the count, and
        counts are weighted by unit: weighting by residents would count them twice.
    anticipation : int
        Periods before the start that are left out of the base, and in which a unit does not serve as control.

    References
    ----------
    Wooldridge (2023), Econometrics Journal 26(3) (exponential mean: imputation and pooling are the same); Wooldridge
    (1999), Journal of Econometrics 90(1) (unit effects are consistent under this mean alone; where no exposure changes
    they are the same regression as effects of cohorts); Ciani & Fisher (2019), Journal of Econometric Methods 8(1);
    Chen & Roth (2024), Quarterly Journal of Economics 139(2).
    """

    control: Control = "never"
    effect: Effect = "proportional"
    exposure: str | None = None
    anticipation: int = 0

    name: ClassVar[str] = "poisson"
    gives: ClassVar[Gives] = Gives.SURFACE | Gives.SCORES | Gives.MOMENTS
    asks: ClassVar[Asks] = Asks(min_pre=1, min_controls=2, never_treated=False)

    def __post_init__(self) -> None:
        for name, value, known in (("control", self.control, Control), ("effect", self.effect, Effect)):
            if value not in get_args(known):
                raise ValueError(f"{name}={value!r} is not one of {', '.join(get_args(known))}")
        if self.anticipation < 0:
            raise ValueError("anticipation is a number of periods, 0 or more")

    def null_model(self) -> Poisson:
        """Itself."""
        return self

    def cells(self, moments: Moments) -> Cells | Refused:
        """Cells from sums per stratum; only without covariates."""
        known, every = moments.strata, np.arange(len(moments.strata.first))
        y, weight = means(moments)
        there = np.bincount(known.group[known.group >= 0], weights=weight[known.group >= 0]) > 0
        usable = np.tile(there[:, None], len(moments.periods))
        served, serving = (y, weight) if moments.serving is None else means(moments.serving)
        tables = {SHARED: table(served, every, serving, None)}
        parts = self._parts(Data(known, moments.periods, usable, y, every, weight, None, tables), [])
        return parts if isinstance(parts, Refused) else self._cells(parts, known)

    def without_each(self, moments: Moments) -> LeftOut:
        """Cells without each cluster; only without covariates, and where `cells` are not refused."""
        whole = self.cells(moments)
        if isinstance(whole, Refused):
            raise ValueError(f"nothing can be left out of {whole}")
        clusters, length = np.unique(moments.rows[:, 0]), len(moments.periods)
        effect = np.full((len(clusters), len(whole.effect)), np.nan)
        size = np.zeros(effect.shape)
        code = whole.group * length + whole.period
        for row, cluster in enumerate(clusters):
            rest = self.cells(moments.without(int(cluster)))
            if isinstance(rest, Refused):
                continue
            there = np.isin(rest.group * length + rest.period, code)
            at = np.searchsorted(code, (rest.group * length + rest.period)[there])
            effect[row, at], size[row, at] = rest.effect[there], rest.size[there]
        return LeftOut(clusters.astype(np.intp), whole, effect, size)

    def fit(self, panel: Panel, *, learn: Bool2 | None = None, hold: Weights | None = None) -> Fit | Refused:
        """Cells with scores and the imputed surface; see ``Estimator.fit``; `hold` changes nothing here."""
        refused = guard(panel, replace(self.asks, never_treated=self.control == "never"), self.name)
        if refused is not None:
            return refused
        panel, usable = learnable(panel, learn)
        exposure = measured(panel, self.exposure)
        if isinstance(exposure, Refused):
            return exposure
        place, known = strata(panel)
        weights = {SHARED: panel.weight if panel.serving is None else panel.serving}
        if panel.pairs is not None:
            weights = {group: panel.control_weight(panel.group == group) for group in range(len(known.names))}
        tables = {of: table(panel.y, place, weight, exposure) for of, weight in weights.items()}
        data = Data(known, panel.periods, usable, panel.y, place, panel.weight, exposure, tables)
        notes = self._notes(panel)
        parts = self._parts(data, notes)
        if isinstance(parts, Refused):
            return parts
        untreated = np.full(panel.y.shape, np.nan)
        for part in parts:
            untreated[np.ix_(np.flatnonzero(panel.group == part.group), part.period)] = part.own
        blocks = [self._own_scores(parts, group, panel) for group in np.unique([part.group for part in parts])]
        for key in dict.fromkeys(part.key for part in parts):
            blocks += self._control_scores(parts, key, panel, data, weights[key[0]])
        cells = replace(self._cells(parts, known), scores=Scores(tuple(blocks), len(panel.clusters)))
        unit = "proportion" if self.effect == "proportional" else ""
        return Fit(cells, untreated, notes=tuple(notes), unit=unit)

    # Imputation -------------------------------------------------------------------------------------------------

    def _parts(self, data: Data, notes: list[str]) -> list[Part] | Refused:
        """The cells of every group, before and after its start; `notes` are added to."""
        parts: list[Part] = []
        courses: dict[Key, Course | Refused] = {}
        times, names = np.arange(len(data.periods)), data.known.names
        for group, start in enumerate(data.known.starts):
            base = data.usable[group] & (times < start - self.anticipation)
            if not base.any():
                continue
            matched = group if group in data.tables else SHARED
            # A cohort whose own cells made the course would be compared with itself.
            aside = start if self.control == "not-yet" else np.inf
            for after, key in ((False, (matched, aside)), (True, (matched, np.inf))):
                if key not in courses:
                    courses[key] = learned(data.tables[matched], self._open(data, key), data.periods)
                solved = courses[key]
                if isinstance(solved, Refused):
                    if after:
                        return solved
                    notes.append(f"{names[group]} has no pre-period contrasts: {solved.because}")
                    continue
                wanted = times >= start if after else (times < start) & data.usable[group]
                part = imputed(data, group, key, solved, np.flatnonzero(wanted & solved.known), base & solved.known)
                nothing = part.imputed == 0
                if after and nothing.any():
                    return _no_rate(names[group])
                notes += [
                    f"{names[group]} has no contrast in {data.periods[t]}: the outcome is 0 in its other base periods"
                    for t in part.period[nothing]
                ]
                parts += [part.take(~nothing)] if not nothing.all() else []
        found = {part.group for part in parts}
        notes += [
            f"{name} has no base period or no control group and is not estimated"
            for group, name in enumerate(names)
            if group not in found
        ]
        if found:
            return parts
        return Refused(
            "an estimate by poisson",
            "no cohort has both a base period and a control group",
            "Add earlier periods, lower the anticipation, or widen the donor pool.",
        )

    def _open(self, data: Data, key: Key) -> Bool2:
        """(K, T) cells of the strata from which the period effects are learned."""
        first, inside = data.known.first, data.known.group >= 0
        serves = np.isinf(first) | ((first != key[1]) & (self.control == "not-yet"))
        open = serves[:, None] & (np.arange(len(data.periods)) < first[:, None] - self.anticipation)
        open[inside] &= data.usable[data.known.group[inside]]
        return np.asarray(open)

    # Cells and scores -------------------------------------------------------------------------------------------

    def _cells(self, parts: list[Part], known: Strata) -> Cells:
        group = np.concatenate([np.full(len(part.period), part.group) for part in parts])
        return Cells(
            np.concatenate([self._effect(part) for part in parts]),
            group,
            known.starts[group],
            np.concatenate([part.period for part in parts]),
            np.concatenate([np.full(len(part.period), part.weight) for part in parts]),
        )

    def _effect(self, part: Part) -> Float1:
        return (part.observed - part.imputed) / self._scale(part)

    def _scale(self, part: Part) -> Float1:
        """(P,) what a difference of sums is divided by."""
        return part.imputed if self.effect == "proportional" else np.full(len(part.period), part.weight)

    def _slope(self, part: Part) -> Float1:
        """(P,) derivative of the effect with respect to the imputed sum."""
        scale = self._scale(part)
        return -part.observed / scale**2 if self.effect == "proportional" else -1.0 / scale

    def _own_scores(self, parts: list[Part], group: int, panel: Panel) -> ScoreBlock:
        """Of the units of a group: what they have, and what was to be expected of them."""
        members, length = np.flatnonzero(panel.group == group), len(panel.periods)
        heavy = panel.weight[members] > 0
        rows = members[heavy]
        expected = np.zeros((len(rows), length))
        right = np.zeros((2 * length + 1, _count(parts)))
        for part, columns in _numbered(parts):
            if part.group != group:
                continue
            expected[:, part.period] = part.own[heavy]
            right[part.period, columns] = 1.0 / self._scale(part)
            right[length + part.period, columns] = self._slope(part)
            if self.effect == "level":
                right[-1, columns] = -self._effect(part) / part.weight
        left = panel.weight[rows, None] * np.hstack([panel.y[rows], expected, np.ones((len(rows), 1))])
        return ScoreBlock(left, right, panel.cluster[rows])

    def _control_scores(
        self, parts: list[Part], key: Key, panel: Panel, data: Data, weight: Float1
    ) -> list[ScoreBlock]:
        """Of those from whom the period effects of the cells under `key` were learned; they carry `weight` (N,)."""
        served = data.tables[key[0]]
        inside = np.where(self._open(data, key)[data.place[served.rows]], panel.y[served.rows], 0.0)
        right = np.zeros((len(panel.periods), _count(parts)))
        for part, columns in _numbered(parts):
            if part.key == key:
                solved, members = part.course, panel.group == part.group
                right[:, columns] = solved.inverse @ part.pull.T * self._slope(part)
        left = weight[served.rows, None] * (inside - inside.sum(axis=1)[:, None] * solved.share[served.row])
        found = [ScoreBlock(left, right, panel.cluster[served.rows])]
        if panel.pairs is not None:
            # Matched controls serve one group, so its cells are all that stand under the key.
            found.append(coupled(panel, members, weight, served.rows, left, right))
        return found

    def _notes(self, panel: Panel) -> list[str]:
        notes = []
        if self.effect == "proportional":
            notes.append("effects are proportions of what was to be expected: -0.12 is 12 % less")
        unused = [name for name in panel.covariates if name != self.exposure]
        if unused:
            notes.append(f"the covariates {', '.join(unused)} are not used by poisson")
        return notes


def _count(parts: list[Part]) -> int:
    return sum(len(part.period) for part in parts)


def _numbered(parts: list[Part]) -> Iterator[tuple[Part, Int1]]:
    """Every part with the numbers of its cells."""
    start = 0
    for part in parts:
        yield part, np.arange(start, start + len(part.period))
        start += len(part.period)


def _no_rate(group: str) -> Refused:
    return Refused(
        "an estimate by poisson",
        f"the outcome of {group} is 0 in all periods before its start, so there is no rate to scale",
        "Leave the group out by name, or choose a target that pools it with others.",
    )
