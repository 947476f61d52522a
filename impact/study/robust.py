"""What an estimate can bear, of one outcome of a study; none of it is a gate, and nothing of it where a gate failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from impact.evidence.reading import printed
from impact.evidence.record import Variant
from impact.evidence.robust import Robust
from impact.parallel import Parallel
from impact.study.answers import Answers
from impact.study.closeness import closeness
from impact.study.composition import Figures, composition
from impact.study.controls import Tried, controls
from impact.study.honesty import honesty
from impact.study.leaving import leaving
from impact.study.model import Specification
from impact.study.multiverse import multiverse
from impact.study.past import past
from impact.study.record import Case
from impact.study.ring import around
from impact.study.sets import covariate_sets
from impact.study.single_areas import single_areas

__all__ = ["robust"]


def robust(
    spec: Specification,
    case: Case,
    found: Answers,
    alternatives: Sequence[Variant],
    bracket: Sequence[Variant],
    parallel: Parallel,
    others: Sequence[Tried] = (),
    figures: Mapping[str, Figures] | None = None,
) -> Robust:
    """Every part that the study and its estimator allow; the others say why not. `others` are control outcomes.

    `figures` are the shares of what is new, by their name.
    """
    comparison = case.comparison
    shown = [printed(estimate) for estimate in (found.primary, *(end.estimate for end in bracket))]
    signs = {one.value > 0 for one in shown if one is not None and one.value != 0}
    return Robust(
        honest=honesty(spec, comparison, found, parallel),
        left_out=leaving(spec, case.series.outcome, comparison, found, parallel, one_sign=len(signs) < 2),
        alternatives=multiverse(found.primary, alternatives),
        past=past(spec, comparison, parallel),
        fit=closeness(found.result, {area.slug: area.name for area in comparison.areas}),
        controls=controls(spec, case.loaded, comparison, found, others, parallel),
        composition=composition(spec, case, found, figures or {}, parallel),
        sets=covariate_sets(spec, case.loaded, found),
        areas=single_areas(spec, comparison, found, parallel),
        ring=around(spec, case.loaded, case.series, comparison, found, parallel),
    )
