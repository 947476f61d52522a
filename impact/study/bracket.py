"""The bracket of a matched study: its estimate without matching, matched on structure, and on the selection score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from impact.errors import DataError, Refused
from impact.evidence.record import Variant
from impact.parallel import Parallel
from impact.study.answers import Answers, alternative, blank, target
from impact.study.areas import focus_areas
from impact.study.comparing import Match
from impact.study.likeness import columns_of_match
from impact.study.load import Loaded
from impact.study.model import Specification
from impact.study.panels import Comparison, compare

__all__ = ["End", "bracket", "ends"]


@dataclass(frozen=True, slots=True, eq=False)
class End:
    """One of the three comparisons.

    Attributes
    ----------
    name : {"unmatched", "structure", "selection"}
    model : Specification
        The study with this matching.
    comparison : Comparison or Refused
    declared : bool
        Whether this is the study's own comparison.
    """

    name: str
    model: Specification
    comparison: Comparison | Refused
    declared: bool


def ends(spec: Specification, loaded: Loaded, number: int, own: Comparison) -> tuple[End, ...]:
    """The comparisons of the bracket that the columns of the units table allow; none for a study that does not match.

    `number` is that of the outcome, and `own` the study's own comparison, which is not made again.
    """
    return tuple(_end(spec, loaded, number, own, name, match) for name, match in _matchings(spec))


def bracket(found: Answers, comparisons: tuple[End, ...], own: Comparison, parallel: Parallel) -> tuple[Variant, ...]:
    """The estimates of the bracket, by the estimator and the inference of the study."""
    return tuple(_estimated(found, end, own, parallel) for end in comparisons)


def _matchings(spec: Specification) -> Iterator[tuple[str, Match | None]]:
    match, units = spec.comparison.match, spec.data.units
    if match is None:
        return
    yield "unmatched", None
    groups = {} if units is None else units.columns.groups
    structure = tuple(name for name in ("structure", "size") if groups.get(name))
    if structure:
        yield "structure", match.model_copy(update={"on": structure, "outcomes_in": ()})
    if groups.get("selection"):
        yield "selection", match.model_copy(update={"on": (*structure, "selection"), "outcomes_in": ()})


def _end(spec: Specification, loaded: Loaded, number: int, own: Comparison, name: str, match: Match | None) -> End:
    model = spec.model_copy(update={"comparison": spec.comparison.model_copy(update={"match": match})})
    if match is not None and _alike(match, spec.comparison.match, spec):
        return End(name, spec, own, True)
    try:
        made: Comparison | Refused = compare(model, loaded, loaded.series[number], focus_areas(model, loaded))
    except DataError as error:
        # The study itself stands; only this end of the bracket cannot be made.
        problem = error.problems[0]
        made = Refused("the estimate", problem.message.rstrip("."), problem.hint)
    return End(name, model, made, False)


def _alike(match: Match, declared: Match | None, spec: Specification) -> bool:
    """Whether the study declares this matching, in whatever words."""
    if declared is None or declared.outcomes_in:
        return False
    return set(columns_of_match(match, spec)) == set(columns_of_match(declared, spec))


def _estimated(found: Answers, end: End, own: Comparison, parallel: Parallel) -> Variant:
    if end.declared:
        return Variant(end.name, "", True, replace(found.primary, beside=()))
    if isinstance(end.comparison, Refused):
        asked = target(end.model, own, end.model.target.every)
        return Variant(end.name, "", False, blank(end.model, asked, end.comparison))
    estimate, gaps = alternative(end.model, end.comparison, parallel)
    same = _treated(end.comparison) == _treated(own) and (estimate.value is None or gaps == found.gaps)
    return Variant(end.name, "", same, estimate)


def _treated(comparison: Comparison) -> tuple[str, ...]:
    panel = comparison.panel
    return tuple(unit for unit, inside in zip(panel.units, panel.treated, strict=True) if inside)
