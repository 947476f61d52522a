"""How much lies behind the numbers of an outcome: units, persons, cases, and the share that each unit has in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from impact.arrays import Bool1, Float1, Float2
from impact.disclosure.primary import dominated, within_percent
from impact.disclosure.profile import Profile, Verdict
from impact.evidence.result import Result
from impact.panel import Panel
from impact.study.before_after import control_weights
from impact.study.counts import counts
from impact.study.model import Specification
from impact.study.record import Case

__all__ = ["Behind", "Group", "Ruling", "behind", "judged"]


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """The units behind one number, over the periods that it is about.

    Attributes
    ----------
    weight : (u,) float
        Share of every unit; sums to 1.
    outcome : (u, p) float
    persons : (u, p) float
        nan where it is not known how many persons a figure is about.
    cases : (u, p) float
        How many of them have what is counted; nan where that is not known.
    at_most : float
        Residents of the units together, where that is all that is known; inf where not even that is.
    """

    weight: Float1
    outcome: Float2
    persons: Float2
    cases: Float2
    at_most: float = np.inf


@dataclass(frozen=True, slots=True)
class Ruling:
    """Whether a number can be shown, the rule that decided, what that found and what it asks."""

    verdict: Verdict
    rule: str
    behind: float | None = None
    threshold: float | None = None


def judged(profile: Profile, group: Group, *, means: bool = False) -> Ruling:
    """The first rule that a number breaks; "needs review" where one cannot be judged.

    `means`: the number is the level of the group itself and not a difference, so that one contributor who makes up most
    of it can be read from it.
    """
    if not profile.asks:
        return Ruling("pass", "public")
    units, persons = len(group.weight), group.persons.sum(axis=0)
    if profile.minimum_units is not None and units < profile.minimum_units:
        return Ruling("suppressed", "units", units, profile.minimum_units)
    for rule, found in _counts(profile, group, persons):
        if profile.minimum_count is not None and found < profile.minimum_count:
            # The count itself is what must not be known.
            return Ruling("suppressed", rule, None, profile.minimum_count)
    largest = float(group.weight.max(initial=0.0))
    if profile.largest_weight is not None and largest >= profile.largest_weight:
        return Ruling("suppressed", "weight", largest, profile.largest_weight)
    if means:
        broken = _full(profile, group, persons) or _dominance(profile, group)
        if broken is not None:
            return broken
    if profile.minimum_count is not None and not np.isfinite(persons).all():
        return Ruling("needs review", "unknown", None, profile.minimum_count)
    return Ruling("pass", "all", *_least(profile, units, persons))


def _least(profile: Profile, units: int, persons: Float1) -> tuple[float, float | None]:
    """What a pass rests on: the count that was asked for."""
    if profile.minimum_count is not None:
        fewest = float(persons.min(initial=np.inf))
        step = 10.0 ** max(len(f"{fewest:.0f}") - 2, 0)  # downwards, to two digits: the count is no result
        return fewest // step * step, profile.minimum_count
    return units, profile.minimum_units


def _counts(profile: Profile, group: Group, persons: Float1) -> list[tuple[str, float]]:
    """The fewest persons in any period, the fewest cases, and the fewest that are no case; what is known of them."""
    cases = group.cases.sum(axis=0)
    found = [("persons", persons), ("cases", cases), ("others", persons - cases)]
    if not profile.zeros:  # nobody, or everybody, is then no small number
        found = [(rule, x[x != 0] if rule != "persons" else x) for rule, x in found]
    known = [(rule, x[np.isfinite(x)]) for rule, x in found]
    # Fewer cases than persons is no rule of a rate that can be above one.
    known = [(rule, x) for rule, x in known if rule != "others" or (x >= 0).all()]
    counts = [(rule, float(x.min())) for rule, x in known if x.size]
    return counts if np.isinf(group.at_most) else [*counts, ("persons", group.at_most)]


def _full(profile: Profile, group: Group, persons: Float1) -> Ruling | None:
    """All or none: of whoever is in the group it is known that he has what is counted, or has not."""
    cases = group.cases.sum(axis=0)
    known = np.isfinite(cases) & np.isfinite(persons) & (persons > 0)
    if profile.full_share is None or not known.any():
        return None
    share = cases[known] / persons[known]
    most = float(share.max())
    if share.max() <= 1 and most > profile.full_share:
        return Ruling("suppressed", "full", None, profile.full_share)
    return None


def _dominance(profile: Profile, group: Group) -> Ruling | None:
    """The contributions of the units to a mean: weight times outcome."""
    if profile.dominance is None and profile.p_percent is None:
        return None
    parts = group.weight[:, None] * group.outcome
    if not np.isfinite(parts).all() or (parts < 0).any():
        return Ruling("needs review", "negative")
    values, cells = parts.T.ravel(), parts.shape[1]
    number = np.repeat(np.arange(cells), len(group.weight))
    if profile.dominance is not None and dominated(values, number, cells, *profile.dominance).any():
        return Ruling("suppressed", "dominance", None, profile.dominance[1])
    if profile.p_percent is not None and within_percent(values, number, cells, profile.p_percent).any():
        return Ruling("suppressed", "p-percent", None, profile.p_percent)
    return None


# --- of an outcome ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Behind:
    """The units of an outcome, and what is known of how many persons its figures are about.

    Attributes
    ----------
    panel : Panel
    persons, cases : (N, T) float
        nan where that is not known.
    results : mapping of str to Result
        Behind the ``primary`` estimate and by ``event`` time, as far as there are any.
    """

    panel: Panel
    persons: Float2
    cases: Float2
    results: Mapping[str, Result]

    @cached_property
    def treated(self) -> Float1:
        """(N,) share of every treated unit in the means of the focus areas."""
        found = self.results.get("primary")
        if found is None:
            own = self.panel.weight * self.panel.treated
            return np.asarray(own / own.sum())
        return self._shares(found, found.effects.weights[:, -1])

    @cached_property
    def compared(self) -> Float1:
        """(N,) share of every unit in the means of the comparison."""
        found = self.results.get("primary")
        if found is None:
            weight = self.panel.control_weight(self.panel.treated) * self.panel.never
            return np.asarray(weight / (weight.sum() or 1.0))
        share = _by_group(found, found.effects.weights[:, -1])
        return np.asarray(sum(share[one] * control_weights(found, int(one)) for one in np.flatnonzero(share)))

    def area(self, slug: str) -> Bool1 | None:
        """(N,) the units of an area; None where the panel has none."""
        if slug not in self.panel.areas:
            return None
        return np.asarray(self.panel.treated & (self.panel.area == self.panel.areas.index(slug)))

    def group(self, weight: Float1, periods: Bool1 | None = None) -> Group:
        """Units with weight, over some periods or all of them."""
        at = np.flatnonzero(weight)
        over = np.flatnonzero(np.ones(len(self.panel.periods), dtype=bool) if periods is None else periods)
        share = np.abs(weight[at]) / np.abs(weight[at]).sum() if at.size else np.zeros(0)
        cut = np.ix_(at, over)
        persons = self.persons[cut]
        residents = self.panel.residents
        upper = np.inf
        if residents is not None and not np.isfinite(persons).all() and np.isfinite(residents[at]).all():
            upper = float(residents[at].sum())
        return Group(share, self.panel.y[cut], persons, self.cases[cut], upper)

    def estimate(self) -> Group:
        """The treated units of the primary estimate, in the periods that it compares."""
        found = self.results["primary"]
        after = found.fit.cells.period[found.effects.weights[:, -1] != 0]
        first = int(self.panel.first[self.panel.treated].min())
        periods = np.arange(len(self.panel.periods)) < first
        periods[after] = True
        return self.group(self.treated, periods)

    def event(self, term: str) -> Group | None:
        """The treated units behind one estimate by periods since the start; None where that is not known."""
        found = self.results.get("event")
        if found is None or term not in found.effects.terms:
            return None
        weights = found.effects.weights[:, found.effects.terms.index(term)]
        periods = np.zeros(len(self.panel.periods), dtype=bool)
        periods[found.fit.cells.period[weights != 0]] = True
        return self.group(self._shares(found, weights), periods)

    def degrees(self) -> int:
        """Degrees of freedom that are left at least: every unit counts once, less a mean for both sides of each start.

        The declared inference has its own, which count clusters and say nothing of how full the model is.
        """
        found = self.results["primary"]
        used = int(((self.treated != 0) | (self.compared != 0)).sum())
        return used - 2 * len(found.panel.groups) - len(found.panel.covariates)

    def _shares(self, found: Result, weights: Float1) -> Float1:
        panel, share = found.panel, _by_group(found, weights)
        out = np.zeros(len(panel.units))
        for one in np.flatnonzero(share):
            members = panel.group == one
            out[members] += share[one] * panel.weight[members] / panel.weight[members].sum()
        return out


def _by_group(found: Result, weights: Float1) -> Float1:
    """(K,) how much every group counts in a term."""
    cells = found.fit.cells
    return np.bincount(cells.group, weights=np.abs(weights), minlength=len(found.panel.groups)).astype(float)


def behind(spec: Specification, case: Case, results: Mapping[str, Result | None]) -> Behind:
    """What lies behind the numbers of one outcome."""
    given = {name: result for name, result in results.items() if result is not None}
    panel = given["primary"].panel if "primary" in given else case.comparison.panel
    columns = spec.data.outcomes.columns
    # Persons as the tables count them: respondents where the figures are those of a sample.
    persons, cases = (
        counts(name, case.loaded, case.series, case.comparison, panel)
        for name in (columns.n or columns.denominator or columns.base, None if columns.n else columns.numerator)
    )
    return Behind(panel, persons, cases, given)
