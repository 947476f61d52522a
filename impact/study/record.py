"""From the numbers of one outcome to everything a report may say about it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from impact.arrays import Float1
from impact.checks.protocol import Check
from impact.design.donors import Pool
from impact.evidence.family import Family, Listed
from impact.evidence.flow import steps_of
from impact.evidence.language import Texts, texts
from impact.evidence.record import AreaRow, Change, Estimate, Evidence, Excluded, PathPoint, Variant
from impact.evidence.result import Result
from impact.panel import Panel
from impact.register.areas import areas as register_areas
from impact.study.alternatives import Variation
from impact.study.answers import Answers, Gaps
from impact.study.areas import FocusArea
from impact.study.cautions import cautions
from impact.study.load import Loaded
from impact.study.model import Specification
from impact.study.panels import Comparison
from impact.study.read import Study
from impact.study.remarks import name_of, notes, periods_left_out, said_gaps, unmeasurable
from impact.study.render import page
from impact.study.series import Series
from impact.study.wording import spoken

__all__ = ["Case", "evidence", "variant"]


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
    versions: dict[str, str],
    families: tuple[Family, ...] = (),
    programme: tuple[Listed, ...] = (),
) -> Evidence:
    """The record of one outcome, with its texts in Dutch."""
    spec, outcome, comparison, say = study.model, case.series.outcome, case.comparison, texts("nl")
    areas = _areas(spec, case.loaded.periods, comparison, found.result, say)
    refusals = (*found.refusals, *(variant.estimate.refused for variant in alternatives))
    smallest = outcome.smallest_difference_that_matters
    said, unsaid = cautions(found.result, {area.slug: area.name for area in areas if not area.left_out}, say)
    return Evidence(
        study=spec.id,
        title=spec.title.languages(),
        question=spec.question.languages(),
        seen_before=spec.seen_before.nl,
        status="exploratory",
        placebo=spec.placebo,
        seed=spec.seed,
        spec_sha256=study.sha256,
        indicator=outcome.indicator,
        outcome=name_of(outcome),
        unit=outcome.measure.unit,
        better=outcome.better,
        smallest=None if smallest is None else smallest.value,
        smallest_why="" if smallest is None else smallest.why,
        areas_total=len(areas),
        areas=areas,
        periods=case.loaded.periods,
        window=found.span,
        anticipation=spec.treatment.anticipation,
        covariates=tuple(spoken(term, say) for term in spec.covariates),
        pool=int(comparison.pool.keep.sum()),
        compared=_compared(comparison.panel, found.result),
        primary=found.primary,
        weightings=found.weightings,
        alternatives=alternatives,
        bracket=bracket,
        event=found.event,
        change=None if found.result is None else _change(spec, found.result, say),
        path=() if found.result is None else _path(spec, found.result),
        balance=comparison.balance,
        flow=steps_of(comparison.pool, say),
        excluded=tuple(
            _excluded(row.unit, row.code, row.why, row.detail, say)
            for row in (*comparison.lost, *comparison.pool.excluded)
        ),
        checks=tuple(_worded(check, say) for check in (*case.checks, found.pretrend)),
        refusals=tuple(dict.fromkeys(refusal for refusal in refusals if refusal is not None)),
        data=case.loaded.files,
        notes=(*notes(spec, case.loaded, case.series, case.comparison, found, say), *said),
        remarks=unsaid,
        not_measurable=unmeasurable(spec, case.series, case.checks, say),
        periods_left_out=periods_left_out(spec, case.loaded, say),
        siblings=tuple(
            (name_of(other)["nl"], page(number, other.indicator))
            for number, other in enumerate(spec.all_outcomes)
            if other is not outcome
        ),
        versions=versions,
        families=tuple(
            family for family in families if outcome.indicator in {member.indicator for member in family.members}
        ),
        programme=programme,
    )


def variant(variation: Variation, answer: tuple[Estimate, Gaps], found: Answers, pool: Pool, declared: Pool) -> Variant:
    """A declared alternative with its answer; it estimates the same only when it is about the same periods too.

    The flow to its `pool` goes with it where that is another than the `declared` one.
    """
    estimate, gaps = answer
    say = texts("nl")
    why = [variation.why, *(gap.rstrip(".") for gap in said_gaps(gaps, say))]
    absent = [code for code in pool.unknown if code not in declared.unknown]
    if absent:
        why.append(say("run.note.unknown", text=", ".join(absent)).rstrip("."))
    alike = estimate.value is None or gaps == found.gaps
    flow = () if pool.steps == declared.steps and pool.donors == declared.donors else steps_of(pool, say)
    return Variant(variation.name, "; ".join(why), variation.same_estimand and alike, estimate, flow)


def _areas(
    spec: Specification, periods: tuple[str, ...], comparison: Comparison, result: Result | None, say: Texts
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
        matched = () if panel.pairs is None else _weighed(panel.units, panel.pairs[number])
        pieces = None if result is None else result.fit.pieces
        weights: tuple[tuple[str, float], ...] = ()
        if pieces is not None and area.slug in pieces.groups:
            weights = _weighed(pieces.units, pieces.unit[pieces.groups.index(area.slug)])
        base = _span(spec.base_periods(area.start, periods))
        rows.append(AreaRow(area.slug, area.name, area.units, cluster, area.start, base, matched, weights=weights))
    named = {row.slug for row in rows}
    if named <= {area.slug for area in programme}:
        rows += [
            AreaRow(area.slug, area.name, (), area.gemeente, "", "", left_out=say("run.left_out.not-in-study"))
            for area in programme
            if area.slug not in named
        ]
    return tuple(rows)


def _weighed(units: tuple[str, ...], weights: Float1) -> tuple[tuple[str, float], ...]:
    """Units with weight, the largest first."""
    order = sorted(np.flatnonzero(weights), key=lambda unit: (-weights[unit], units[unit]))
    return tuple((units[unit], float(weights[unit])) for unit in order)


def _compared(panel: Panel, result: Result | None) -> int:
    """How many units carry weight in the comparison; before anything is estimated, how many may."""
    found = None if result is None else result.fit.pieces
    if found is not None:
        return int((found.unit != 0).any(axis=0).sum())
    return int((panel.never & (panel.control_weight(panel.treated) > 0)).sum())


def _aside(area: FocusArea, say: Texts) -> AreaRow:
    reason, _, detail = area.left_out.partition("|")
    return AreaRow(
        area.slug, area.name, area.units, "", area.start, "", left_out=say(f"run.left_out.{reason}", detail=detail)
    )


def _excluded(unit: str, code: str, why: str, detail: str, say: Texts) -> Excluded:
    tail = f" ({detail})" if detail and detail != unit else ""
    return Excluded(unit, f"{why or say(f'pool.step.{code}')}{tail}")


def _worded(check: Check, say: Texts) -> Check:
    if check.name == "pre-trend" and check.because:
        return replace(check, because=say(f"run.because.{check.because}"))
    if check.name == "balance" and check.statistic is not None:
        return replace(check, because=say("run.because.balance", name=check.because))
    return check


# --- before and after -------------------------------------------------------------------------------------------------


def _base(spec: Specification, result: Result, group: int) -> Float1:
    """(T,) weights of the periods that say where a group stood before its start."""
    panel, weights = result.panel, result.fit.weights
    name = panel.group_names[group]
    if weights is not None and name in weights.groups:
        time = weights.of(name, panel.units)[1]
        if time.sum() > 0:
            return time
    before = spec.base_periods(panel.periods[int(panel.groups[group])], panel.periods)
    row = np.isin(panel.periods, before).astype(float)
    return np.asarray(row / row.sum())


def _controls(result: Result, group: int) -> Float1:
    """(N,) weights of the controls of a group, summing to 1."""
    panel, weights = result.panel, result.fit.weights
    name = panel.group_names[group]
    if weights is not None and name in weights.groups:
        return weights.of(name, panel.units)[0]
    weight = panel.control_weight(panel.group == group) * panel.never
    return np.asarray(weight / weight.sum())


def _change(spec: Specification, result: Result, say: Texts) -> Change | None:
    """Means before and after, so that the difference in change is the estimate.

    The comparison after the start is its own mean for difference-in-differences; with covariates or synthetic weights
    it is where the focus areas would have been, moved to the level of the comparison.
    """
    panel, cells = result.panel, result.fit.cells
    if result.fit.untreated is None:
        return None
    weights = result.effects.weights[:, -1]
    focus_before = focus_after = comparison_before = without = 0.0
    bases = set()
    for cell in np.flatnonzero(weights):
        members = panel.group == cells.group[cell]
        mean = panel.weight[members] / panel.weight[members].sum()
        base = _base(spec, result, int(cells.group[cell]))
        bases.add(_span(tuple(period for period, share in zip(panel.periods, base, strict=True) if share > 0)))
        focus_before += weights[cell] * float(mean @ panel.y[members] @ base)
        focus_after += weights[cell] * float(mean @ panel.y[members, cells.period[cell]])
        without += weights[cell] * float(mean @ result.fit.untreated[members, cells.period[cell]])
        comparison_before += weights[cell] * float(
            _controls(result, int(cells.group[cell])) @ np.nan_to_num(panel.y) @ base
        )
    after = _span(tuple(panel.periods[period] for period in sorted(set(cells.period[weights != 0].tolist()))))
    before = bases.pop() if len(bases) == 1 else say("run.before")
    return Change(
        before, after, focus_before, focus_after, comparison_before, comparison_before + without - focus_before
    )


def _path(spec: Specification, result: Result) -> tuple[PathPoint, ...]:
    """Weighted means by period; a group counts as much as it does in the estimate."""
    panel, cells = result.panel, result.fit.cells
    share = np.bincount(cells.group, weights=result.effects.weights[:, -1], minlength=len(panel.groups))
    focus, comparison = np.zeros(len(panel.periods)), np.zeros(len(panel.periods))
    for group in np.flatnonzero(share):
        members = panel.group == group
        focus += share[group] * (panel.weight[members] / panel.weight[members].sum()) @ panel.y[members]
        comparison += share[group] * _controls(result, int(group)) @ np.nan_to_num(panel.y)
    first = panel.groups[share > 0].min()
    return tuple(
        PathPoint(period, float(focus[number]), float(comparison[number]), bool(number >= first))
        for number, period in enumerate(panel.periods)
    )


def _span(periods: tuple[str, ...]) -> str:
    return periods[0] if len(periods) == 1 else f"{periods[0]}–{periods[-1]}" if periods else ""
