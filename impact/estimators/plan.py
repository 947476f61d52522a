"""What an estimator on means per stratum has to say: which cells, compared with which path, by which rule."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from impact.arrays import Bool1, Bool2, Float1, Float2, Int1
from impact.errors import Refused
from impact.estimators.paths import Rule
from impact.longtable import few
from impact.numerics.moments import Strata
from impact.panel import Panel

__all__ = ["Entry", "Plan", "bases", "every", "learnable", "lost", "no_plan", "one_cluster", "patterns", "unreached"]

Entry = tuple[int, int, Float1]
Centre = Literal["mean", "conservative", "leave-one-out"]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """`C` cells, each the weighted mean of `E` entries: one a stratum of its group.

    Attributes
    ----------
    group, period : (C,) int
    cell, stratum, reference : (E,) int
        Cell, stratum and path of `rule` of every entry; ordered by cell, and every cell has at least one.
    change : (E, T) float
        1 in the period of the cell, minus the weights of its base.
    rule : Rule
        How the paths are learned.
    dummy : (C,) bool
        Pre-period cells that are compared with the path that a regression (`Regressed`) learns from all other cells, as
        when they had a dummy of their own.
    conditional : bool
        See ``Scores.conditional``.
    centre : {"mean", "conservative", "leave-one-out"}
        What the effects of a cell's own units are centred on in the scores: their mean, the mean weighted as the
        clusters enter the variance, or that mean without the cluster itself (Borusyak, Jaravel & Spiess 2024, eq. 8
        and Appendix A.9).
    """

    group: Int1
    period: Int1
    cell: Int1
    stratum: Int1
    reference: Int1
    change: Float2
    rule: Rule
    dummy: Bool1
    conditional: bool = False
    centre: Centre = "mean"

    @staticmethod
    def of(cells: list[tuple[int, int, list[Entry]]], rule: Rule, length: int) -> Plan:
        """A plan from (group, period, entries) per cell, an entry being (stratum, reference, change)."""
        parts = [part for *_, own in cells for part in own]
        return Plan(
            np.array([group for group, *_ in cells], dtype=np.intp),
            np.array([period for _, period, _ in cells], dtype=np.intp),
            np.array([number for number, (*_, own) in enumerate(cells) for _ in own], dtype=np.intp),
            np.array([stratum for stratum, *_ in parts], dtype=np.intp),
            np.array([reference for _, reference, _ in parts], dtype=np.intp),
            np.array([change for *_, change in parts]).reshape(-1, length),
            rule,
            np.zeros(len(cells), dtype=bool),
        )

    @property
    def heads(self) -> Int1:
        """(C,) the first entry of every cell."""
        return np.flatnonzero(np.r_[True, self.cell[1:] != self.cell[:-1]])

    def take(self, keep: Bool1) -> Plan:
        """The cells for which `keep` (C,) holds."""
        entries = keep[self.cell]
        number = np.cumsum(keep) - 1
        return replace(
            self,
            group=self.group[keep],
            period=self.period[keep],
            cell=number[self.cell[entries]],
            stratum=self.stratum[entries],
            reference=self.reference[entries],
            change=self.change[entries],
            dummy=self.dummy[keep],
        )


def every(known: Strata) -> Bool2:
    """(groups, T) all periods usable as base, where nothing is masked."""
    return np.ones((len(known.names), known.seen.shape[1]), dtype=bool)


def learnable(panel: Panel, learn: Bool2 | None) -> tuple[Panel, Bool2]:
    """The panel whose masked controls carry no weight, and (groups, T) the pre-periods each group may use as base.

    A never-treated unit with a masked cell is no control at all: a control is used in every period. A group without
    weight has no usable period.
    """
    # Whoever counts for nothing in the target may still serve.
    serves = panel.weight if panel.serving is None else panel.serving
    usable = np.zeros((len(panel.groups), len(panel.periods)), dtype=bool)
    for group in range(len(usable)):
        members = (panel.group == group) & (serves > 0)
        usable[group] = members.any() if learn is None else members.any() & learn[members].all(axis=0)
    if learn is None:
        return panel, usable
    masked = ~panel.treated & ~learn.all(axis=1)
    serving = None if panel.serving is None else np.where(masked, 0.0, panel.serving)
    panel = replace(panel, weight=np.where(masked, 0.0, panel.weight), serving=serving)
    return (panel if panel.pairs is None else panel.with_pairs(panel.pairs * ~masked)), usable


def lost(panel: Panel, group: Int1, why: str) -> tuple[str, ...]:
    """A note for every group without a cell, from the `group` (C,) of those there are."""
    return tuple(
        f"{name} has {why} and is not estimated" for number, name in enumerate(panel.group_names) if number not in group
    )


def unreached(panel: Panel, group: Int1, period: Int1) -> tuple[str, ...]:
    """Notes on treated periods without an effect, from the `group` and `period` (C,) of the cells there are.

    Groups without any cell are told by `lost`.
    """
    there = np.zeros((len(panel.groups), len(panel.periods)), dtype=bool)
    there[group, period] = True
    found: dict[tuple[str, ...], list[int]] = {}
    for number, start in enumerate(panel.groups):
        members = (panel.group == number) & (panel.weight > 0)
        observed = (~np.isnan(panel.y[members])).any(axis=0)
        late = np.arange(len(panel.periods)) >= start
        gone = tuple(panel.periods[t] for t in np.flatnonzero(late & observed & ~there[number]))
        if gone and there[number].any():
            found.setdefault(gone, []).append(number)
    notes = []
    for periods, groups in found.items():
        names = [panel.group_names[number] for number in groups]
        units = int((np.isin(panel.group, groups) & (panel.weight > 0)).sum())
        which = f"{few(names)} ({units} of {int(panel.treated.sum())} treated units)"
        when = few(list(periods), most=8)
        notes.append(f"no effect in {when} for {which}: nobody to compare with, or no base, in those periods")
    return tuple(notes)


def patterns(panel: Panel) -> tuple[str, ...]:
    """What to know of a panel with missing cells; nothing for a complete one."""
    missing = np.asarray(np.isnan(panel.y).any(axis=1))
    if not missing.any():
        return ()
    names = [panel.units[row] for row in np.flatnonzero(missing)]
    return (
        f"{len(names)} of {len(missing)} units miss the outcome in some period ({few(names)}); every effect uses the "
        "units that were observed in its period and in their base"
        + ("" if panel.serving is None else "; where a unit is missing, its area counts for less"),
    )


def bases(panel: Panel, plan: Plan, at: tuple[Int1, Strata]) -> tuple[str, ...]:
    """The base of every group, from its strata: told where units have several, and where periods are not even."""
    place, known = at
    count = np.bincount(place, minlength=len(known.first))
    uneven = not _even(panel.periods)
    notes = []
    for group, start in enumerate(known.starts):
        entries = np.flatnonzero((plan.group[plan.cell] == group) & (plan.period[plan.cell] == start))
        units: dict[int, int] = {}
        for entry in entries:
            base = int(np.argmin(plan.change[entry]))
            units[base] = units.get(base, 0) + int(count[plan.stratum[entry]])
        if len(units) > 1:
            told = ", ".join(f"{panel.periods[base]} for {units[base]} units" for base in sorted(units, reverse=True))
            notes.append(f"the base of {known.names[group]} is the last period in which a unit was observed: {told}")
        elif units and uneven:
            notes.append(
                f"the base of {known.names[group]} is {panel.periods[next(iter(units))]}, the last wave before"
            )
    return tuple(notes)


def _even(periods: tuple[str, ...]) -> bool:
    """Whether periods that are numbers follow each other at equal distances; other labels do not tell."""
    if not all(label.lstrip("-").isdigit() for label in periods):
        return True
    return len(set(np.diff([int(label) for label in periods]).tolist())) <= 1


def no_plan(what: str) -> Refused:
    """The refusal when no cell can be estimated."""
    return Refused(
        what,
        "no group with both a period before its start and a control is left",
        "Add earlier periods or more comparison units.",
    )


def one_cluster(name: str) -> Refused:
    """The refusal of a centre without the cluster itself, where there is no other."""
    return Refused(
        "the leave-one-out variance",
        f"the effects of {name} rest on one cluster",
        "Use variance='conservative', or a target over more areas.",
    )
