"""The same design on negative controls: other outcomes, and areas without the programme, where nothing can be found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from impact.errors import DataError, Problem, Refused, raise_all
from impact.evidence.controls import Control, NegativeControls
from impact.evidence.record import Estimate
from impact.inference.negative_controls import calibrated, movement, systematic_error
from impact.longtable import few
from impact.parallel import Parallel
from impact.study.answers import Answers, alternative
from impact.study.areas import FocusArea, focus_areas
from impact.study.controlling import Elsewhere
from impact.study.likeness import beyond, counted, likeness
from impact.study.load import Loaded
from impact.study.matcher import Placed
from impact.study.model import NoEffect, Specification
from impact.study.panels import Comparison, compare
from impact.study.remarks import name_of

__all__ = ["Tried", "controls", "other_outcomes", "tried"]

_WHAT = "a negative control"


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """A control outcome, its comparison, and what the design finds in it."""

    asked: NoEffect
    spec: Specification
    comparison: Comparison
    estimate: Estimate | None = None


def other_outcomes(spec: Specification, load: Callable[[Specification], Loaded]) -> tuple[Tried, ...]:
    """The comparisons of the control outcomes, as the study compares its own; nothing is estimated.

    Raises
    ------
    DataError
        What is wrong with their data.
    """
    asked = spec.negative_controls
    if asked is None or not asked.outcomes:
        return ()
    outcomes = tuple(control.outcome for control in asked.outcomes)
    changed: dict[str, Any] = {
        "outcome": None,
        "outcomes": outcomes,
        "families": {},
        "correction": None,
        "negative_controls": None,
    }
    own = spec.model_copy(update=changed)
    made: list[Tried] = []
    problems = []
    try:
        loaded = load(own)
    except DataError as error:
        raise DataError(_named(error, "negative controls")) from error
    for control, series in zip(asked.outcomes, loaded.series, strict=True):
        try:
            made.append(Tried(control, own, compare(own, loaded, series, focus_areas(own, loaded))))
        except DataError as error:
            problems += _named(error, f"negative control {control.indicator!r}")
    raise_all(problems, DataError)
    return tuple(made)


def _named(error: DataError, what: str) -> list[Problem]:
    return [replace(problem, message=f"in the {what}: {problem.message}") for problem in error.problems]


def tried(made: Sequence[Tried], parallel: Parallel) -> tuple[Tried, ...]:
    """The control outcomes with their estimates."""
    return tuple(replace(one, estimate=alternative(one.spec, one.comparison, parallel)[0]) for one in made)


def controls(
    spec: Specification,
    loaded: Loaded,
    comparison: Comparison,
    found: Answers,
    others: Sequence[Tried],
    parallel: Parallel,
) -> NegativeControls | None:
    """What the controls show, and the calibrated estimate of one outcome; None where the study names none.

    Estimates of other outcomes are brought to the unit of this one by how much each moves by itself before the start;
    see ``impact.inference.negative_controls.movement``.
    """
    asked = spec.negative_controls
    if asked is None:
        return None
    own = _moves(spec, comparison)
    each = [_of_outcome(one, comparison, own) for one in others]
    each += [_of_areas(spec, loaded, comparison, name, one, parallel) for name, one in asked.areas.items()]
    used = [(one.scaled, error) for one, error in each if one.scaled is not None and error is not None]
    shown = NegativeControls(tuple(one for one, _ in each), len(used))
    known = systematic_error(np.array([value for value, _ in used]), np.array([error for _, error in used]))
    if isinstance(known, Refused):
        return replace(shown, refused=known)
    shown = replace(shown, mean=known.mean, sd=known.sd)
    primary = found.primary
    if primary.value is None or primary.low is None or primary.high is None or not primary.low < primary.high:
        why = Refused("a calibrated interval", "the declared estimate has no interval to calibrate")
        return replace(shown, refused=why)
    result = calibrated(primary.value, primary.low, primary.high, known, level=primary.level)
    return replace(shown, value=result.value, low=result.low, high=result.high, p_value=result.p_value)


def _moves(spec: Specification, comparison: Comparison) -> float | None:
    """How much the outcome moves by itself among units that were never treated, before anyone could respond."""
    panel = comparison.panel
    end = int(panel.first[panel.treated].min()) - spec.treatment.anticipation
    return movement(panel.y[panel.never, :end])


def _of_outcome(one: Tried, comparison: Comparison, own: float | None) -> tuple[Control, float | None]:
    """The control, and its error in the unit of the outcome."""
    blank = Control("outcome", name_of(one.asked.outcome), one.asked.why, one.asked.measure.unit)
    if one.comparison.panel.periods != comparison.panel.periods:
        why = "its figures are final in other periods than those of the outcome"
        return replace(
            blank, refused=Refused(_WHAT, why, "Keep provisional figures, or leave these periods out.")
        ), None
    moves = _moves(one.spec, one.comparison)
    if moves is None or own is None:
        which = "the outcome" if own is None else "it"
        why = f"before the start {which} does not move by itself, or has one period there, so there is no scale"
        return replace(blank, refused=Refused(_WHAT, why, "Add earlier periods, or take another outcome.")), None
    return _shown(blank, one.estimate, own / moves)


def _of_areas(
    spec: Specification,
    loaded: Loaded,
    comparison: Comparison,
    name: str,
    asked: Elsewhere,
    parallel: Parallel,
) -> tuple[Control, float | None]:
    """The same outcome, as if the programme had started in units that never had it; without the focus areas."""
    blank = Control("areas", {"nl": name}, asked.why, comparison.panel.unit)
    made = _pretended(spec, loaded, comparison, asked.members)
    if isinstance(made, Refused):
        return replace(blank, refused=made), None
    return _shown(blank, alternative(spec, made, parallel)[0], 1.0)


def _pretended(
    spec: Specification, loaded: Loaded, comparison: Comparison, members: Sequence[str]
) -> Comparison | Refused:
    panel = replace(comparison.panel, pairs=None)
    pool = {
        unit for unit, never, weight in zip(panel.units, panel.never, panel.weight, strict=True) if never and weight
    }
    lacking = [unit for unit in members if unit not in pool]
    if lacking:
        why = f"{few(lacking)} is not in the comparison of the study"
        return Refused(_WHAT, why, "Name units that can be compared with the areas.")
    chosen = np.isin(panel.units, list(members))
    start = float(panel.first[panel.treated].min())
    pretend = panel.assign(np.where(chosen, start, np.inf)).drop(np.flatnonzero(np.isfinite(panel.first)))
    if not counted(pretend, spec.target.every):
        return Refused(_WHAT, "the residents of its units are not known", "Complete them, or count areas or units.")
    matcher = comparison.matcher
    placed = Placed(pretend) if matcher is None else matcher.matched(pretend)
    if isinstance(placed, Refused):
        return placed
    if placed.out:
        why = f"nobody stands beside {few(list(placed.out))}"
        return Refused(_WHAT, why, "Name units that can be matched.")
    areas = tuple(FocusArea(unit, unit, (unit,), comparison.first_start) for unit in members)
    return replace(
        comparison,
        panel=placed.panel,
        areas=areas,
        balance=likeness(spec, loaded, placed.panel, matcher),
        outside=beyond(spec, loaded, placed.panel, matcher, ()),
        alone=0.0,
    )


def _shown(blank: Control, estimate: Estimate | None, ratio: float) -> tuple[Control, float | None]:
    """The control with its estimate, and its error in the unit of the outcome, in which its own unit is `ratio`."""
    if estimate is not None and estimate.refused is not None:
        return replace(blank, refused=estimate.refused), None
    if estimate is None or estimate.value is None or estimate.std_error is None or not estimate.std_error > 0:
        why = "the declared inference gives its estimate no standard error"
        return replace(blank, refused=Refused(_WHAT, why, "Use cluster-jackknife.")), None
    value, error = estimate.value, estimate.std_error
    return replace(blank, value=value, std_error=error, scaled=value * ratio), error * ratio
