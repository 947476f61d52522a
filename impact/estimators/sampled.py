"""Group-time effects of repeated cross-sections: which rows every cell compares."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol, cast

import numpy as np

from impact.arrays import Bool1, Bool2, Float1, Float2, Int1
from impact.cells import Cells, Fit
from impact.errors import Refused
from impact.estimators.adjusted import trimmed_note
from impact.estimators.cross_section import Cut, Section, Surveys
from impact.estimators.drdid import Arm, Method, Products
from impact.estimators.paths import Pooled
from impact.estimators.plan import Plan
from impact.estimators.protocol import Asks, guard
from impact.numerics.moments import Strata
from impact.panel import Panel
from impact.sample import Sample
from impact.scores import Scores

__all__ = ["Planner", "fit_sampled", "strata_of"]


class Planner(Protocol):
    """What is asked of the estimator of group-time effects."""

    @property
    def control(self) -> str: ...

    @property
    def method(self) -> Method: ...

    @property
    def name(self) -> str: ...

    @property
    def asks(self) -> Asks: ...

    def plan(self, known: Strata, usable: Bool2) -> Plan:
        """The cells that can be estimated."""
        ...


def fit_sampled(estimator: Planner, sample: Sample, learn: Bool1 | None = None) -> Fit | Refused:
    """Cells with scores for the rows of a sample; there is no surface.

    The rows of a cell's period and those of its base are compared, under the covariates that each of them has. `learn`
    (n,) masks rows from which nothing about Y(0) may be learned.
    """
    what = f"an estimate by {estimator.name}"
    asks = replace(estimator.asks, never_treated=estimator.control == "never", balanced=False)
    # A guard asks for what a panel and a sample have alike.
    refused = guard(cast("Panel", sample), asks, estimator.name)
    if refused is not None:
        return refused
    bad = [name for name, values in sample.covariates.items() if not np.isfinite(values).all()]
    if bad:
        return Refused(
            what,
            f"the covariates {', '.join(bad)} have missing values",
            "Complete them or leave them out; nothing is filled in.",
        )
    place, known, usable = strata_of(sample, learn)
    plan = estimator.plan(known, usable)
    if len(plan.group) == 0:
        return Refused(
            what,
            "no cohort was seen before its start, with a control group that was seen in the same periods",
            "Add earlier periods, lower the anticipation, or widen the donor pool.",
        )
    notes = tuple(
        f"{name} has no base period or no control group and is not estimated"
        for number, name in enumerate(sample.group_names)
        if number not in plan.group
    )
    return _fitted(sample, place, plan, estimator.method, (*notes, *_unseen(sample, known)), learn)


def strata_of(sample: Sample, learn: Bool1 | None = None) -> tuple[Int1, Strata, Bool2]:
    """(n,) stratum of every row, the strata, and (groups, T) the periods that each group may use as base.

    A stratum was seen in a period in which some row of it carries weight. `learn` (n,) masks rows from which nothing
    about Y(0) may be learned: a control that is masked does not serve, and a group with a masked row has no base there.
    """
    groups = sample.groups
    later = np.unique(sample.first[sample.group < 0])
    place = np.where(sample.group >= 0, sample.group, len(groups) + np.searchsorted(later, sample.first)).astype(
        np.intp
    )
    first = np.concatenate([groups, later])
    group = np.concatenate([np.arange(len(groups)), np.full(len(later), -1)]).astype(np.intp)
    seen = np.zeros((len(first), len(sample.periods)), dtype=bool)
    open_ = np.ones(len(place), dtype=bool) if learn is None else learn
    heavy = (sample.weight > 0) & (open_ | (sample.group >= 0))
    seen[place[heavy], sample.period[heavy]] = True
    usable = seen[: len(groups)].copy()
    masked = (sample.group >= 0) & ~open_
    usable[sample.group[masked], sample.period[masked]] = False
    return place, Strata(group, sample.group_names, first, seen), usable


def _unseen(sample: Sample, known: Strata) -> tuple[str, ...]:
    """Groups that were not sampled in every period, by name."""
    return tuple(
        f"{name} was not sampled in {', '.join(np.array(sample.periods)[~seen])}; its effects use the periods it was"
        for name, seen in zip(sample.group_names, known.seen, strict=False)
        if not seen.all()
    )


def _fitted(
    sample: Sample, place: Int1, plan: Plan, method: Method, notes: tuple[str, ...], learn: Bool1 | None
) -> Fit | Refused:
    if not isinstance(plan.rule, Pooled) or len(plan.cell) != len(plan.group):
        raise ValueError("cross-sections are compared with a pool of controls")
    arms = _Arms(sample, place, learn)
    # Without covariates all methods compare means, as the regression on a constant does.
    method = method if sample.covariates else "reg"
    sections = []
    trimmed: dict[int, int] = {}
    for cell, (group, period) in enumerate(zip(plan.group, plan.period, strict=True)):
        base = int(np.flatnonzero(plan.change[cell] < 0)[0])
        serves = np.flatnonzero(plan.rule.serves[plan.reference[cell]])
        name = sample.group_names[group]
        adjusted = f" adjusted for {', '.join(sample.covariates)}" if sample.covariates else ""
        section = Section.of(
            (arms.cut(1.0, int(group), serves, int(period)), arms.cut(-1.0, int(group), serves, base)),
            method,
            f"the effect on {name} in {sample.periods[period]}{adjusted}",
            tuple(sample.covariates),
        )
        if isinstance(section, Refused):
            return section
        sections.append(section)
        trimmed[int(group)] = max(trimmed.get(int(group), 0), section.trimmed)
    inside = sample.group >= 0
    size = np.asarray(np.bincount(sample.group[inside], weights=sample.counted[inside]), dtype=np.float64)
    blocks = (Surveys(tuple(sections), sample.cluster),)
    cells = Cells(
        np.array([section.effect for section in sections]),
        plan.group,
        sample.groups[plan.group],
        plan.period,
        size[plan.group],
        Scores(blocks, len(sample.clusters)),
    )
    return Fit(cells, notes=(*notes, *trimmed_note(sample.group_names, trimmed)))


@dataclass(slots=True)
class _Arms:
    """The arms of a sample, one a stratum and period, each made when it is first asked for."""

    sample: Sample
    place: Int1
    learn: Bool1 | None
    y: Float1 = field(init=False)
    x: Float2 = field(init=False)
    members: dict[tuple[int, int], Int1] = field(init=False)
    ours: dict[tuple[int, int], tuple[Arm, Products]] = field(init=False, default_factory=dict)
    theirs: dict[tuple[int, int], tuple[Arm, Products]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        sample = self.sample
        heavy = (sample.weight > 0) | (sample.control_weight(sample.treated) > 0)
        # A period's level, and the scale of a covariate, change nothing and would cost digits.
        count = np.maximum(np.bincount(sample.period, minlength=len(sample.periods)), 1)
        mean = np.bincount(sample.period, weights=sample.y, minlength=len(sample.periods)) / count
        self.y = sample.y - mean[sample.period]
        self.x = np.ones((len(sample.y), len(sample.covariates) + 1), order="F")
        for number, values in enumerate(sample.covariates.values()):
            spread = values[heavy].std()
            self.x[:, number + 1] = (values - values[heavy].mean()) / (spread if spread > 0 else 1.0)
        key = self.place * len(sample.periods) + sample.period
        order = np.argsort(key, kind="stable")
        order = order[heavy[order]]
        known, starts = np.unique(key[order], return_index=True)
        self.members = {
            divmod(int(at), len(sample.periods)): rows
            for at, rows in zip(known, np.split(order, starts[1:]), strict=True)
        }

    def cut(self, sign: float, group: int, serves: Int1, period: int) -> Cut:
        """One period of a cell of `group`, whose controls are the strata `serves`."""
        treated, ours = self._treated(group, period)
        controls = [self._control(int(stratum), period) for stratum in serves]
        kept = [(arm, products) for arm, products in controls if len(arm.rows)]
        theirs = sum((products for _, products in kept[1:]), kept[0][1])
        return Cut(sign, treated, tuple(arm for arm, _ in kept), ours, theirs)

    def _treated(self, group: int, period: int) -> tuple[Arm, Products]:
        if (group, period) not in self.ours:
            rows, weight = self.members[group, period], self.sample.weight
            rows = rows[weight[rows] > 0]
            scale = 1.0
            if self.sample.serving is not None:
                # Residents, or areas, beside controls that count once: the propensity is that of the rows.
                inside = self.sample.group == group
                scale = self.sample.serving[inside].sum() / weight[inside].sum()
            self.ours[group, period] = self._arm(rows, weight[rows] * scale)
        return self.ours[group, period]

    def _control(self, stratum: int, period: int) -> tuple[Arm, Products]:
        if (stratum, period) not in self.theirs:
            rows = self.members[stratum, period]
            weight = self.sample.control_weight(self.sample.group >= 0)[rows]
            if self.learn is not None:
                weight = np.where(self.learn[rows], weight, 0.0)
            self.theirs[stratum, period] = self._arm(rows[weight > 0], weight[weight > 0])
        return self.theirs[stratum, period]

    def _arm(self, rows: Int1, weight: Float1) -> tuple[Arm, Products]:
        x = np.asfortranarray(self.x[rows])
        arm = Arm(rows, self.sample.cluster[rows], x, self.y[rows, None], weight)
        return arm, Products.of(arm, weight)
