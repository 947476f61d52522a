"""From the numbers of one outcome to everything a report may say about it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np

from impact.arrays import Float1
from impact.checks.protocol import Check
from impact.evidence.family import Family, Listed
from impact.evidence.flow import steps_of
from impact.evidence.language import Texts, number
from impact.evidence.record import AreaRow, Estimate, Evidence, Excluded, MadeOf, Shared, Variant
from impact.evidence.result import Result
from impact.evidence.robust import Robust
from impact.evidence.standing import Standing
from impact.panel import Panel
from impact.register.areas import areas as register_areas
from impact.study.also_as import also_as
from impact.study.alternatives import Variation
from impact.study.answers import Answers, Gaps
from impact.study.areas import FocusArea
from impact.study.before_after import change, path, span
from impact.study.cautions import cautions
from impact.study.for_readers import label_of
from impact.study.living import living, living_together
from impact.study.load import Loaded
from impact.study.model import Specification
from impact.study.overlaps import said_overlap
from impact.study.panels import Comparison
from impact.study.places import map_parts, placed_units
from impact.study.read import Study
from impact.study.remarks import (
    called,
    name_of,
    needed,
    notes,
    periods_left_out,
    phrase_of,
    said_gaps,
    said_population,
    unmeasurable,
)
from impact.study.render import page
from impact.study.reported import composed, reported
from impact.study.selection import selection
from impact.study.series import Series
from impact.study.shifts import said_shift
from impact.study.thresholds import foreseen
from impact.study.wording import spoken

__all__ = ["Case", "evidence", "level_of", "population", "variant"]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One outcome of a study: its data, its comparison and its design checks."""

    loaded: Loaded
    series: Series
    comparison: Comparison
    checks: tuple[Check, ...]


def evidence(
    study: Study,
    case: Case,
    found: Answers,
    alternatives: tuple[Variant, ...],
    bracket: tuple[Variant, ...],
    robust: Robust | None,
    versions: dict[str, str],
    families: tuple[Family, ...],
    programme: tuple[Listed, ...],
    standing: Standing,
    say: Texts,
    other: Evidence | None = None,
) -> Evidence:
    """The record of one outcome in the words of `say`; `other` is the same in another language, of which is taken over
    what has no words and takes long."""
    spec, outcome, comparison = study.model, case.series.outcome, case.comparison
    areas = _areas(spec, case.loaded, comparison, found.result, say)
    refusals = (*found.refusals, *(variant.estimate.refused for variant in alternatives))
    smallest = outcome.smallest_difference_that_matters
    new, shifts = composed(spec, robust), [said_shift(one, say) for one in found.shifts]
    excluded = _all_excluded(comparison, say)
    used = _compared(comparison.panel, found.result)
    country = case.loaded.national.get(outcome.indicator)
    units = placed_units(spec, case.loaded, comparison, used, excluded)
    said, unsaid = cautions(found.result, {area.slug: area.name for area in areas if not area.left_out}, say)
    return Evidence(
        study=spec.id,
        title=spec.title.languages(),
        question=spec.question.languages(),
        seen_before=say.own(spec.seen_before.nl),
        status=standing.status,
        standing=standing,
        placebo=spec.placebo,
        seed=spec.seed,
        spec_sha256=study.sha256,
        indicator=outcome.indicator,
        outcome=name_of(outcome),
        phrase=phrase_of(outcome),
        unit=say.own(outcome.measure.unit),
        better=outcome.better,
        smallest=None if smallest is None else smallest.value,
        smallest_why="" if smallest is None else say.own(smallest.why),
        areas_total=len(areas),
        areas=areas,
        periods=case.loaded.periods,
        window=found.span,
        anticipation=spec.treatment.anticipation,
        covariates=tuple(spoken(term, say) for term in spec.covariates),
        pool=int(comparison.pool.keep.sum()),
        compared=len(used),
        primary=found.primary,
        weightings=found.weightings,
        alternatives=alternatives,
        bracket=bracket,
        robust=robust,
        event=found.event,
        change=None if found.result is None else change(spec, found.result, country, say),
        also_as=also_as(spec, case.loaded, case.series, comparison, found.result),
        path=() if found.result is None else path(spec, found.result),
        balance=tuple(replace(row, label=label_of(spec, row.name, say.language)) for row in comparison.balance),
        shared=_shared(comparison),
        selection=selection(spec, case.loaded, case.series, comparison) if other is None else other.selection,
        flow=steps_of(comparison.pool, say),
        excluded=excluded,
        checks=tuple(
            _worded(spec, check, say) for check in (*case.checks, *reported(spec, comparison, found), *shifts, *new)
        ),
        refusals=tuple(dict.fromkeys(refusal for refusal in refusals if refusal is not None)),
        data=case.loaded.files,
        notes=(*notes(spec, case.loaded, case.series, case.comparison, found, say), *said),
        remarks=(*comparison.remarks, *unsaid),
        units=units,
        map=map_parts(case.loaded, units) if other is None else other.map,
        map_source=_map_source(spec),
        needed=needed(spec, case.series, case.checks, say, case.loaded.to_come),
        not_measurable=unmeasurable(spec, case.series, case.checks, say, case.loaded.to_come),
        periods_left_out=periods_left_out(spec, case.loaded, say),
        siblings=tuple(
            (called(one, say), page(number, one.indicator))
            for number, one in enumerate(spec.all_outcomes)
            if one is not outcome
        ),
        versions=versions,
        level=level_of(spec),
        population=population(spec, case.loaded, comparison.areas),
        made_of=_made_of(comparison),
        families=tuple(
            family for family in families if outcome.indicator in {member.indicator for member in family.members}
        ),
        programme=programme,
        belongs_to="" if spec.belongs_to is None else PurePosixPath(spec.belongs_to).stem,
        placebos=found.placebos,
    )


def _drawn_by(spec: Specification) -> tuple[object, ...]:
    """What says where the areas lie."""
    return (spec.treatment.areas, spec.treatment.members, spec.treatment.delineation)


def level_of(spec: Specification) -> str:
    """What a unit of the study is; "" where it does not say."""
    return "" if spec.unit is None else spec.unit.level


def population(spec: Specification, loaded: Loaded, areas: tuple[FocusArea, ...]) -> float | None:
    """The share of the residents of whole gemeenten that lives in the areas; None where a unit is no gemeente."""
    return living_together(spec, loaded, areas) if level_of(spec) == "gemeente" else None


def _made_of(comparison: Comparison) -> tuple[MadeOf, ...]:
    """What the units of the panel are made of, where they are added up."""
    if comparison.unions is None:
        return ()
    members = comparison.unions.members()
    return tuple(
        MadeOf(unit, "focus" if treated else "comparison", part, share)
        for unit, treated in zip(comparison.panel.units, comparison.panel.treated.tolist(), strict=True)
        for part, share in members.get(unit, {}).items()
    )


def variant(
    variation: Variation,
    answer: tuple[Estimate, Gaps],
    found: Answers,
    own: Comparison,
    declared: Comparison,
    loaded: Loaded,
    study: Specification,
    say: Texts,
) -> Variant:
    """A declared alternative with its answer; it estimates the same only when it is about the same periods too.

    The flow to its pool goes with it where that is another than the `declared` one; what it says of whole gemeenten
    stands beside the reason for it.
    """
    pool, level = own.pool, level_of(variation.model)
    share = population(variation.model, loaded, own.areas)
    estimate, gaps = answer
    why = [say.own(variation.why), *(gap.rstrip(".") for gap in said_gaps(gaps, say))]
    if level == "gemeente":
        why.append(said_population(share, say).rstrip("."))
    if _drawn_by(variation.model) != _drawn_by(study):
        why.append(said_overlap(variation.model, loaded, own.areas, declared.areas, say).rstrip("."))
    absent = [code for code in pool.unknown if code not in declared.pool.unknown]
    if absent:
        why.append(say("run.note.unknown", text=", ".join(absent)).rstrip("."))
    alike = estimate.value is None or gaps == found.gaps
    alike_pool = pool.steps == declared.pool.steps and pool.donors == declared.pool.donors
    flow = () if alike_pool else steps_of(pool, say)
    first, *more = why
    said = ". ".join([first.rstrip("."), *more]) if more else first
    return Variant(variation.name, said, variation.same_estimand and alike, estimate, flow, level, share)


def _areas(
    spec: Specification, loaded: Loaded, comparison: Comparison, result: Result | None, say: Texts
) -> tuple[AreaRow, ...]:
    """The areas of the study; when all are of the programme, also the programme's other areas by name."""
    panel, programme = comparison.panel, register_areas()
    gemeenten = {area.gemeente_code: area.gemeente for area in programme}
    rows = []
    for area in comparison.areas:
        if area.left_out:
            rows.append(_aside(area, say))
            continue
        number = panel.areas.index(area.slug)
        cluster = panel.clusters[panel.cluster[panel.units.index(area.units[0])]]
        cluster = gemeenten.get(cluster, cluster)
        own = panel.pairs is not None and comparison.matcher is not None and not comparison.matcher.shared
        matched = _weighed(panel.units, panel.pairs[number]) if own and panel.pairs is not None else ()
        weights = () if result is None else _donors(result, area.slug)
        base = span(spec.base_periods(area.start, loaded.periods))
        row = AreaRow(area.slug, area.name, area.units, cluster, area.start, base, matched, weights=weights)
        rows.append(_with_parts(spec, loaded, comparison, area, row, say))
    named = {row.slug for row in rows}
    if named <= {area.slug for area in programme}:
        rows += [
            AreaRow(area.slug, area.name, (), area.gemeente, "", "", left_out=say("run.left_out.not-in-study"))
            for area in programme
            if area.slug not in named
        ]
    return tuple(rows)


def _with_parts(
    spec: Specification, loaded: Loaded, comparison: Comparison, area: FocusArea, row: AreaRow, say: Texts
) -> AreaRow:
    """The area with its members where it is added up from them, or its share of the residents of its gemeente."""
    if level_of(spec) == "gemeente":
        found = living(spec, loaded, area)
        key, _, detail = found.why.partition("|")
        why = say(f"run.population.{key}", list=detail) if key else ""
        return replace(row, population=found.share, population_unknown=why)
    if level_of(spec) != "focus-area" or comparison.unions is None:
        return row
    parts = comparison.unions.members().get(area.slug, {}).items()
    percent = {code: say("format.percent", number=number(100 * share, say.language, 0)) for code, share in parts}
    return replace(row, units=tuple(code if share == 1 else f"{code} ({percent[code]})" for code, share in parts))


def _donors(result: Result, slug: str) -> tuple[tuple[str, float], ...]:
    """Donors of the area, or of everything that starts with it where an estimator compares that as one."""
    panel, pieces = result.panel, result.fit.pieces
    if pieces is None:
        return ()
    own = np.flatnonzero(panel.treated & (panel.area == panel.areas.index(slug)))
    held = [unit for part, unit in zip(result.fit.compared, pieces.unit, strict=True) if np.isin(own, part.rows).any()]
    return _weighed(pieces.units, held[0]) if len(held) == 1 else ()


def _shared(comparison: Comparison) -> tuple[Shared, ...]:
    """The weights that the areas of one start share, start by start."""
    panel, matcher = comparison.panel, comparison.matcher
    if panel.pairs is None or matcher is None or not matcher.shared:
        return ()
    inside = [area for area in comparison.areas if not area.left_out]
    first = {area.start: panel.areas.index(area.slug) for area in reversed(inside)}
    return tuple(Shared(start, _weighed(panel.units, panel.pairs[first[start]])) for start in sorted(first))


def _weighed(units: tuple[str, ...], weights: Float1) -> tuple[tuple[str, float], ...]:
    """Units with weight, the largest first."""
    order = sorted(np.flatnonzero(weights), key=lambda unit: (-weights[unit], units[unit]))
    return tuple((units[unit], float(weights[unit])) for unit in order)


def _compared(panel: Panel, result: Result | None) -> frozenset[str]:
    """The units that carry weight in the comparison; before anything is estimated, those that may."""
    found = None if result is None else result.fit.pieces
    if found is not None:
        return frozenset(found.units[unit] for unit in np.flatnonzero((found.unit != 0).any(axis=0)).tolist())
    weighed = panel.never & (panel.control_weight(panel.treated) > 0)
    return frozenset(panel.units[unit] for unit in np.flatnonzero(weighed).tolist())


def _map_source(spec: Specification) -> str:
    given = spec.data.polygons
    return "" if given is None else given.source or given.file


def _aside(area: FocusArea, say: Texts) -> AreaRow:
    reason, _, detail = area.left_out.partition("|")
    return AreaRow(
        area.slug, area.name, area.units, "", area.start, "", left_out=say(f"run.left_out.{reason}", detail=detail)
    )


def _all_excluded(comparison: Comparison, say: Texts) -> tuple[Excluded, ...]:
    """Every unit that is no comparison once; a treated one that is lost with both reasons."""
    why: dict[str, list[str]] = {}
    for row in (*comparison.lost, *comparison.pool.excluded):
        why.setdefault(row.unit, []).append(_excluded(row.unit, row.code, row.why, row.detail, say).reason)
    return tuple(Excluded(unit, "; ".join(dict.fromkeys(reasons))) for unit, reasons in why.items())


def _excluded(unit: str, code: str, why: str, detail: str, say: Texts) -> Excluded:
    detail = say.known(f"languages.detail.{detail}", re.sub(r"(?<=\d)\.(?=\d)", say("format.decimal"), detail))
    tail = f" ({detail})" if detail and detail != unit else ""
    return Excluded(unit, f"{say.own(why) if why else say(f'pool.step.{code}')}{tail}")


def _worded(spec: Specification, check: Check, say: Texts) -> Check:
    why = foreseen(spec.checks).get(check.name)
    if why is not None and check.verdict != "pass":
        said = _worded(spec.model_copy(update={"checks": {}}), check, say)
        return replace(said, because=" ".join(filter(None, [said.because, say("run.because.foreseen", why=why)])))
    if (check.name == "pre-trend" or check.says == "composition") and check.because:
        return replace(check, because=say(f"run.because.{check.because}"))
    if check.name.startswith("fit") and check.because:
        return replace(check, because=say("run.because.areas", names=check.because))
    if check.name == "balance" and check.verdict == "not_evaluated":
        return replace(check, because="")
    if check.name == "balance" and check.statistic is None and check.verdict == "fail":
        return replace(check, because=say("run.because.balance-apart", names=check.because))
    if check.name == "balance" and check.statistic is not None:
        return replace(check, because=say("run.because.balance", name=label_of(spec, check.because, say.language)))
    return check
