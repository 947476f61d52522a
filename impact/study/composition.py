"""Did people change, or who lives there? New dwellings and movers beside those of the comparison, and the split."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import numpy as np

from impact.arrays import Bool2, Float1, Float2
from impact.checks.composition import Split, split
from impact.errors import DataError, Problem, Refused
from impact.evidence.composition import Composition, People, Portion, Share
from impact.evidence.record import Estimate
from impact.evidence.result import Result
from impact.longtable import few
from impact.parallel import Parallel
from impact.study.answers import Answers, alternative
from impact.study.before_after import base_weights, control_weights
from impact.study.composing import PeopleFile, ShareOf
from impact.study.fields import Written
from impact.study.load import Loaded
from impact.study.model import Measure, Outcome, Specification
from impact.study.panels import Comparison
from impact.study.persons import NAMES, Persons
from impact.study.record import Case

__all__ = ["Figures", "composition", "shares"]

_SHARE: Final = "the share that is new"
_SPLIT: Final = "the split by who stayed, came and left"
_ADDED = "the units of the comparison are put together from smaller ones, of which this is not known"
_ALIKE: Final = 0.05  # how far the table of people may be off, as part of how much the outcome itself changes
_LINEAR: Final = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """A share of every region and period, as a percentage; nan where it is not known."""

    regions: tuple[str, ...]
    periods: tuple[str, ...]
    share: Float2

    def over(self, units: tuple[str, ...], periods: tuple[str, ...]) -> Float2:
        """(N, T) the share of these units and periods."""
        row = {region: number for number, region in enumerate(self.regions)}
        column = {period: number for number, period in enumerate(self.periods)}
        out = np.full((len(units), len(periods)), np.nan)
        for unit, name in enumerate(units):
            for place, period in enumerate(periods):
                if name in row and period in column:
                    out[unit, place] = self.share[row[name], column[period]]
        return out


def shares(spec: Specification, load: Callable[[Specification], Loaded]) -> Mapping[str, Figures]:
    """The shares that the study names, read as its outcomes are.

    Raises
    ------
    DataError
        What is wrong with their columns; ``DATA-164`` a percentage that is none.
    """
    asked = spec.composition
    return {} if asked is None else {name: _read(spec, name, share, load) for name, share in asked.shares.items()}


def _read(spec: Specification, name: str, share: ShareOf, load: Callable[[Specification], Loaded]) -> Figures:
    rate = share.percentage is None
    unit = Written("procentpunt")
    measure = Measure(rate="numerator/denominator" if rate else None, per=100.0 if rate else None, unit=unit)
    figure = Outcome(
        indicator=name, name=cast("Any", {"nl": name}), where=share.where, measure=measure, better="neither"
    )
    columns = {"value": share.percentage, "numerator": share.numerator, "denominator": share.denominator}
    blank = {"n": None, "se": None, "margin": None}
    table = spec.data.outcomes
    table = table.model_copy(update={"columns": table.columns.model_copy(update=columns | blank)})
    changed: dict[str, Any] = {
        "data": spec.data.model_copy(update={"outcomes": table}),
        "outcome": figure,
        "outcomes": (),
        "families": {},
        "correction": None,
        "negative_controls": None,
        "composition": None,
    }
    try:
        loaded = load(spec.model_copy(update=changed))
    except DataError as error:
        said = f"in the share of {name}: "
        raise DataError([replace(one, message=said + one.message) for one in error.problems]) from error
    found = loaded.series[0].y
    known = found[np.isfinite(found)]
    if known.size and not (known.min() >= 0 and known.max() <= 100):
        message = f"the share of {name} runs from {known.min():g} to {known.max():g}, and a percentage from 0 to 100."
        raise DataError(Problem("DATA-164", message, "Name the columns of a share.", table.file, path="composition"))
    return Figures(loaded.regions, loaded.periods, found)


def composition(
    spec: Specification,
    case: Case,
    found: Answers,
    figures: Mapping[str, Figures],
    parallel: Parallel,
) -> Composition | None:
    """What is known of who lives there, of one outcome; None where the study does not ask or there is no estimate."""
    asked, comparison = spec.composition, case.comparison
    if asked is None or found.result is None:
        return None
    rows = []
    panel = found.result.panel
    for name in ("new-build", "movers"):
        blank = Share(cast("Any", name))
        if name in figures and comparison.built is None:
            rows.append(_by_period(spec, blank, found.result, figures[name].over(panel.units, panel.periods)))
        elif name in figures:
            rows.append(replace(blank, refused=Refused(_SHARE, _ADDED)))
    people = None
    if asked.people is not None:
        people = _people(spec, asked.people, case, found, parallel)
        if "movers" not in figures and people.refused is None and case.loaded.persons is not None:
            rows.append(_arrived(found.result, people.since, case.loaded.persons))
    return Composition(tuple(rows), asked.at_most, people)


# --- shares -----------------------------------------------------------------------------------------------------------


def _by_period(spec: Specification, blank: Share, result: Result, share: Float2) -> Share:
    """Before and after, weighted as in the estimate: the same units, periods and controls."""
    before = np.zeros((len(result.panel.groups), len(result.panel.periods)))
    for group in range(len(before)):
        before[group] = base_weights(spec, result, group)
    return _weighed(blank, result, share, before)


def _arrived(result: Result, since: str, persons: Persons) -> Share:
    """Of the people there, those who were not there in `since`."""
    panel = result.panel
    come, stay = (persons.grid(name, panel.units, panel.periods) for name in ("arrivers", "stayers"))
    share = np.divide(100 * come, come + stay, out=np.full_like(come, np.nan), where=come + stay > 0)
    return _weighed(Share("movers", since=since), result, share, None)


def _weighed(blank: Share, result: Result, share: Float2, before: Float2 | None) -> Share:
    panel, cells = result.panel, result.fit.cells
    counted = result.effects.weights[:, -1]
    focus, control = np.zeros(share.shape), np.zeros(share.shape)
    focus_base, control_base = np.zeros(share.shape), np.zeros(share.shape)
    for cell in np.flatnonzero(counted):
        group = int(cells.group[cell])
        members = np.where(panel.group == group, panel.weight, 0.0)
        sides = counted[cell] * members / members.sum(), counted[cell] * control_weights(result, group)
        focus[:, cells.period[cell]] += sides[0]
        control[:, cells.period[cell]] += sides[1]
        if before is not None:
            focus_base += np.outer(sides[0], before[group])
            control_base += np.outer(sides[1], before[group])
    every = (focus_base, focus, control_base, control)
    lacking = np.isnan(share) & np.logical_or.reduce([side != 0 for side in every])
    if lacking.any():
        return replace(blank, refused=Refused(_SHARE, _unknown(lacking, panel.units, panel.periods)))
    known = np.nan_to_num(share)
    low, high, other_low, other_high = (float((side * known).sum()) for side in every)
    if before is None:
        return replace(blank, focus_after=high, comparison_after=other_high, difference=high - other_high)
    difference = (high - low) - (other_high - other_low)
    return replace(
        blank,
        focus_before=low,
        focus_after=high,
        comparison_before=other_low,
        comparison_after=other_high,
        difference=difference,
    )


def _unknown(lacking: Bool2, units: tuple[str, ...], periods: tuple[str, ...]) -> str:
    names = [units[unit] for unit in np.flatnonzero(lacking.any(axis=1))]
    when = [periods[period] for period in np.flatnonzero(lacking.any(axis=0))]
    return f"it is not known of {few(names)} in {few(when)}, on which the estimate rests"


# --- who stayed, came and left ----------------------------------------------------------------------------------------


def _people(spec: Specification, asked: PeopleFile, case: Case, found: Answers, parallel: Parallel) -> People:
    """The estimate of each of the three parts, with the declared estimator; refused unless they add up to it."""
    blank, comparison, persons = People(asked.since), case.comparison, case.loaded.persons
    panel, own = comparison.panel, case.series.outcome.indicator

    def refused(why: str, instead: str = "") -> People:
        return replace(blank, refused=Refused(_SPLIT, why, instead))

    if asked.outcome not in (None, own):
        return refused(f"the table of people is about {asked.outcome}")
    if comparison.built is not None or case.loaded.unions is not None:
        return refused(_ADDED)
    if persons is None or asked.since not in panel.periods:
        return refused(f"there are no final figures of {asked.since}")
    base = panel.periods.index(asked.since)
    others = [period for period in panel.periods if period != asked.since]
    grids = {name: persons.grid(name, panel.units, others) for name in NAMES}
    lacking = np.isnan(grids["stayers"]) | np.isnan(grids["arrivers"]) | np.isnan(grids["leavers"])
    if lacking.any():
        return refused(_unknown(lacking, panel.units, tuple(others)), "Give every unit of the comparison its rows.")
    parts = split(**grids)
    gone = np.isnan(parts.stayers)
    if gone.any():
        names = [panel.units[unit] for unit in np.flatnonzero(gone.any(axis=1))]
        return refused(f"nobody stayed in {few(names)}, so nothing says what became of those who did")
    change = np.delete(panel.y - panel.y[:, [base]], base, axis=1)
    off = (parts.total - change)[np.isfinite(change)]
    moves = change[np.isfinite(change)]
    if np.sqrt((off**2).mean()) > _ALIKE * np.sqrt((moves**2).mean()):
        worst = float(np.abs(off).max())
        return refused(f"the means of the people give other changes than the outcome does, up to {worst:.3g} apart")
    made = _estimated(spec, comparison, parts, base, parallel)
    if isinstance(made, Refused):
        return replace(blank, refused=made)
    stayed, came, left = made
    assert found.primary.value is not None
    rest = found.primary.value - (stayed.value + came.value + left.value)
    counts = {name: grids[name] for name in ("stayers", "arrivers", "leavers")}
    later = [place for place, period in enumerate(others) if period > asked.since]
    return People(asked.since, stayed, came, left, rest, _fewest(found.result, counts, later))


def _estimated(
    spec: Specification, comparison: Comparison, parts: Split, base: int, parallel: Parallel
) -> tuple[Portion, Portion, Portion] | Refused:
    """The three parts, each estimated as an outcome by itself; refused where the estimator does not add up."""
    values: list[Portion] = []
    sums = (parts.stayers, parts.arrivers, parts.leavers, parts.total)
    for part in sums:
        y = np.where(np.isfinite(comparison.panel.y), np.insert(part, base, 0.0, axis=1), np.nan)
        given, _ = alternative(spec, replace(comparison, panel=comparison.panel.with_outcome(y)), parallel)
        if given.value is None:
            return given.refused or Refused(_SPLIT, "a part has no estimate")
        values.append(_portion(spec, given))
    *three, whole = values
    scale = sum(abs(one.value) for one in values)
    if abs(sum(one.value for one in three) - whole.value) > _LINEAR * scale:
        why = "it is no sum of outcomes with weights that stay the same when these move, so its parts do not add up"
        return Refused(_SPLIT, why, "Declare an estimator whose weights do not follow from the outcome.")
    return three[0], three[1], three[2]


def _portion(spec: Specification, given: Estimate) -> Portion:
    """Without an interval where one would have to match again on an outcome that is only a part."""
    match = spec.comparison.match
    assert given.value is not None
    if given.low is None or given.high is None or (match is not None and match.outcomes_in):
        return Portion(given.value)
    return Portion(given.value, given.low, given.high)


def _fewest(result: Result | None, counts: Mapping[str, Float2], later: list[int]) -> float | None:
    """Of the focus areas together or their controls together, in any period after: the fewest of the three."""
    if result is None:
        return None
    panel = result.panel
    weighed: list[Float1] = [panel.weight * panel.treated, panel.control_weight(panel.treated) * panel.never]
    return min(float(people[side != 0][:, later].sum(axis=0).min()) for people in counts.values() for side in weighed)
