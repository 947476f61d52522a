"""The numbers of one outcome: the declared estimate, its other weightings, and the effects by event time."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeAlias, cast, get_args

import numpy as np

from impact.checks.event_study import leads
from impact.checks.pretrend import Wald, joint, pretrend
from impact.checks.protocol import Check
from impact.errors import Refused
from impact.estimators.protocol import Estimator
from impact.estimators.registry import resolve as resolve_estimator
from impact.evidence.placebos import PlaceboSpread
from impact.evidence.record import Estimate, Second, Variant
from impact.evidence.result import Result
from impact.facade import estimate
from impact.inference.known_error import KnownError
from impact.inference.protocol import Found, Inference, Uncertainty, evaluate, spread
from impact.inference.registry import resolve as resolve_inference
from impact.panel import Panel, Weighting
from impact.parallel import Parallel
from impact.study.aggregates import basis_of
from impact.study.gates import gates
from impact.study.likeness import counted
from impact.study.methods import family
from impact.study.model import FIXED, Method, Specification
from impact.study.panels import Comparison, error_of
from impact.study.placebos import enumerated, spread_of
from impact.study.predictors import spelled
from impact.targets import Target

if TYPE_CHECKING:
    from impact.study.shifts import Shift

__all__ = [
    "Answers",
    "Gaps",
    "alternative",
    "answers",
    "blank",
    "estimator_of",
    "inference_of",
    "matched_on",
    "result_of",
    "target",
]

Gaps: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]
"""Groups by their first treated period, and the periods of the window in which the estimator gives them no effect."""


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What was estimated.

    Attributes
    ----------
    primary : Estimate
    result : Result or None
        Behind the primary estimate; None when it was refused or is sealed.
    weightings : tuple of Variant
    event : tuple of Estimate
    pretrend : Check
    span : (str, str)
        First and last period that the primary estimate is about.
    gaps : Gaps
        What it is not about although the window of the study is.
    completed : tuple of float
        The estimate with every table in which missing characteristics were drawn.
    events : Result or None
        Behind `event`; None when it was refused or is sealed.
    shifts : tuple of Shift
        Checks of breaks in the measurement, where the study asks for them.
    placebos : PlaceboSpread or None
        Of the first of its inferences that ranks the areas among placebos.
    """

    primary: Estimate
    result: Result | None
    weightings: tuple[Variant, ...]
    event: tuple[Estimate, ...]
    pretrend: Check
    span: tuple[str, str]
    gaps: Gaps = ()
    completed: tuple[float, ...] = ()
    events: Result | None = None
    shifts: tuple[Shift, ...] = ()
    placebos: PlaceboSpread | None = None

    @property
    def refusals(self) -> tuple[Refused, ...]:
        """Every refusal of the declared estimate, once."""
        reasons = [self.primary.refused, *(second.refused for second in self.primary.beside)]
        return tuple(dict.fromkeys(reason for reason in reasons if reason is not None))


def target(spec: Specification, comparison: Comparison, every: Weighting) -> Target:
    """What is estimated: the mean effect over the periods of the window that were measured."""
    labels = comparison.panel.periods
    return Target(spec.target.kind, every, spec.window(labels, comparison.first_start))


def answers(
    spec: Specification,
    comparison: Comparison,
    parallel: Parallel,
    *,
    sealed: bool,
    completed: Sequence[Comparison] = (),
) -> Answers:
    """Every number of the study itself, for one outcome; none when a gate failed.

    `completed` are the comparisons with every table in which missing characteristics were drawn.
    """
    asked = target(spec, comparison, spec.target.every)
    used = matched_on(spec, comparison)
    declared = asked.window or (comparison.panel.periods[-1],) * 2
    if sealed:
        reason = Refused(
            "the estimate", "a gate of the design was not passed", "Change the design before outcomes are used."
        )
        empty = blank(spec, asked, reason)
        drift = pretrend((), np.zeros(0), spec.thresholds["pre-trend"], used=used)
        return Answers(empty, None, (), (), drift, declared)
    result = result_of(spec, comparison, asked, parallel)
    others = [_beside(spec, comparison, asked, method, parallel) for method in spec.inference.beside]
    beside = tuple(_second(name, found) for name, found in others)
    primary = _estimates(spec, result, asked, beside)[-1]
    panel = comparison.panel
    every_other = [every for every in get_args(Weighting) if every != spec.target.every and counted(panel, every)]
    weightings = tuple(
        Variant(every, "", False, _estimates(spec, found, again, ())[-1])
        for every in every_other
        for again in [target(spec, comparison, every)]
        for aimed in [_aimed(comparison, every)]
        for found in [aimed if isinstance(aimed, Refused) else result_of(spec, aimed, again, parallel)]
    )
    over_time = Target("event", spec.target.every)
    events = result_of(spec, comparison, over_time, parallel)
    rows = tuple(row for row in _estimates(spec, events, over_time, ()) if row.term != "mean")
    p_values = np.array([np.nan if row.p_value is None else row.p_value for row in rows])
    together = _together(events, used)
    drift = pretrend(
        tuple(row.term for row in rows), p_values, spec.thresholds["pre-trend"], used=used, together=together
    )
    if isinstance(result, Refused):
        return Answers(primary, None, weightings, rows, drift, declared, events=_given(events))
    about = result.fit.cells.period[result.effects.weights[:, -1] != 0]
    span = (result.panel.periods[about.min()], result.panel.periods[about.max()])
    values = [_point(spec, one, parallel) for one in completed]
    drawn = tuple(value for value in values if value is not None)
    placebos = spread_of([result.uncertainty, *(found for _, found in others)])
    return Answers(
        primary, result, weightings, rows, drift, span, _gaps(result), drawn, _given(events), placebos=placebos
    )


def _aimed(comparison: Comparison, every: Weighting) -> Comparison | Refused:
    """The comparison with controls that stand for the treated as `every` counts them."""
    matcher = comparison.matcher
    if matcher is None:
        return comparison
    panel = matcher.aimed(comparison.panel, every)
    return (
        panel if isinstance(panel, Refused) else replace(comparison, panel=panel, matcher=replace(matcher, every=every))
    )


def _point(spec: Specification, comparison: Comparison, parallel: Parallel) -> float | None:
    """The estimate alone, without its uncertainty."""
    asked, estimator = target(spec, comparison, spec.target.every), estimator_of(spec, comparison)

    def made() -> float | None:
        found = evaluate(estimator, comparison.panel, asked)
        return None if isinstance(found, Refused) else float(found.effects.estimate[-1])

    return parallel.memory(made, "point", estimator, comparison.panel, asked)


def _together(events: Result | Refused, used: frozenset[str]) -> Wald | None:
    """The joint test of the time before the start; None where there is none."""
    if isinstance(events, Refused):
        return None
    found = leads(events.effects, events.uncertainty, events.fit, events.target, used)
    together = found if isinstance(found, Refused) else joint(found)
    return None if isinstance(together, Refused) else together


def _given(result: Result | Refused) -> Result | None:
    return None if isinstance(result, Refused) else result


def matched_on(spec: Specification, comparison: Comparison) -> frozenset[str]:
    """Event times at which an area has an outcome that was matched on."""
    match = spec.comparison.match
    matched = () if match is None else match.outcomes_in
    labels = comparison.panel.periods
    starts = {bisect_left(labels, area.start) for area in comparison.areas if not area.left_out}
    return frozenset(str(bisect_left(labels, period) - start) for period in matched for start in starts)


def alternative(spec: Specification, comparison: Comparison, parallel: Parallel) -> tuple[Estimate, Gaps]:
    """The estimate of a declared alternative, and what of its window it is not about.

    Refused when a gate of its own design is not passed.
    """
    asked = target(spec, comparison, spec.target.every)
    for gate in gates(spec, comparison):
        if gate.gates and gate.verdict != "pass":
            return blank(spec, asked, closed(gate)), ()
    result = result_of(spec, comparison, asked, parallel)
    return _estimates(spec, result, asked, ())[-1], () if isinstance(result, Refused) else _gaps(result)


def _gaps(result: Result) -> Gaps:
    panel, cells = result.panel, result.fit.cells
    low, high = result.target.window or (panel.periods[0], panel.periods[-1])
    inside = range(panel.periods.index(low), panel.periods.index(high) + 1)
    counted = result.effects.weights[:, -1] != 0
    found = []
    for group, (start, name) in enumerate(zip(panel.groups, panel.group_names, strict=True)):
        there = cells.period[counted & (cells.group == group)]
        missing = tuple(panel.periods[t] for t in inside if t >= start and t not in there)
        found += [(name, missing)] if missing else []
    return tuple(found)


def closed(gate: Check) -> Refused:
    """Why there is no number behind a gate that was not passed."""
    found = "no number" if gate.statistic is None else f"{gate.statistic:g}"
    why = f"its check '{gate.name}' has {found} where {gate.threshold or 0:g} is needed"
    return Refused(f"an estimate ({gate.name})", why, "Change the design before outcomes are used.")


def result_of(
    spec: Specification, comparison: Comparison, target: Target, parallel: Parallel, estimator: Estimator | None = None
) -> Result | Refused:
    """The answer with the declared inference, of the declared estimator or another."""
    how = inference_of(spec.inference, spec.inference.level, comparison)
    return estimate(
        comparison.panel,
        estimator or estimator_of(spec, comparison),
        target=target,
        inference=how,
        level=spec.inference.level,
        seed=spec.seed,
        parallel=parallel,
    )


def _beside(
    spec: Specification, comparison: Comparison, target: Target, method: Method, parallel: Parallel
) -> tuple[str, Uncertainty | Refused]:
    """An inference that stands beside the declared one, by its name."""
    how = inference_of(method, spec.inference.level, comparison)
    result = estimate(
        comparison.panel,
        estimator_of(spec, comparison),
        target=target,
        inference=how,
        level=spec.inference.level,
        seed=spec.seed,
        parallel=parallel,
    )
    return how.name, result if isinstance(result, Refused) else result.uncertainty


def _second(name: str, found: Uncertainty | Refused) -> Second:
    if isinstance(found, Refused):
        return Second(name, "", None, 0, False, found)
    return Second(name, found.null, _plain(found.p_value[-1]), found.draws, enumerated(found), found.refused[-1])


def estimator_of(spec: Specification, comparison: Comparison) -> Estimator:
    """The declared estimator."""
    maker = cast("Any", resolve_estimator(spec.estimator.name))
    options = spelled(spec.estimator.options) | FIXED.get(spec.estimator.name, {})
    early = spec.treatment.anticipation
    known = {field.name for field in fields(maker)}
    if "anticipation" in known:
        options["anticipation"] = early
    elif "reference" in known:
        options["reference"] = -1 - early
    if "outcomes" in known:
        options |= _family(spec, comparison.panel)
    return cast("Estimator", maker(**options))


def _family(spec: Specification, panel: Panel) -> dict[str, Any]:
    """The study's other outcomes (those that it names), which way they point, and their known errors."""
    better = {outcome.indicator: outcome.better for outcome in spec.all_outcomes}
    (own,) = better.keys() - panel.series.keys()
    others = family(spec, own)
    return {
        "outcomes": others,
        "opposite": tuple(name for name in others if {better[name], better[own]} == {"lower", "higher"}),
        "errors": {name: error_of(name) for name in others if error_of(name) in panel.series},
    }


def inference_of(method: Method, level: float, comparison: Comparison) -> Inference:
    """An inference of the study, with its matching rule where placebos are matched."""
    maker = cast("Any", resolve_inference(method.name))
    options: dict[str, Any] = {"level": level, **method.options}
    if comparison.matcher is not None and any(field.name == "rematch" for field in fields(maker)):
        options["rematch"] = comparison.matcher
    return cast("Inference", maker(**options))


def _estimates(
    spec: Specification, result: Result | Refused, target: Target, beside: tuple[Second, ...]
) -> tuple[Estimate, ...]:
    """One a term; a single empty one when there is no estimate."""
    if isinstance(result, Refused):
        return (blank(spec, target, result),)
    table = result.tidy()
    known = result.uncertainty if isinstance(result.uncertainty, Uncertainty) else None
    clusters, treated, largest, effective = spread(Found(result.panel, result.fit, result.effects))
    refused: tuple[Refused | None, ...] = (
        known.refused if known is not None else (cast("Refused", result.uncertainty),) * len(table)
    )
    shares = None
    if isinstance(result.known, KnownError) and known is not None:
        shares = result.known.share(known.std_error)
    return tuple(
        Estimate(
            term=name,
            weighting=target.weighting,
            value=float(result.effects.estimate[term]),
            std_error=_plain(known.std_error[term]) if known else None,
            df=_plain(known.df[term]) if known else None,
            low=_plain(known.low[term]) if known else None,
            high=_plain(known.high[term]) if known else None,
            p_value=_plain(known.p_value[term]) if known else None,
            level=spec.inference.level,
            inference=result.inference,
            method=result.method,
            units=int(table["n"].iloc[term]),
            areas=result.effects.areas[term],
            clusters=int(clusters[term]),
            treated_clusters=int(treated[term]),
            largest_share=float(largest[term]),
            effective_clusters=float(effective[term]),
            beside=beside,
            refused=refused[term],
            band_low=_plain(table["band_low"].iloc[term]),
            band_high=_plain(table["band_high"].iloc[term]),
            known_share=None if shares is None else _plain(shares[term]),
            adjusted=bool(result.panel.covariates),
            basis=basis_of(result, term),
        )
        for term, name in enumerate(result.effects.terms)
    )


def blank(spec: Specification, target: Target, reason: Refused) -> Estimate:
    """An estimate that there is not, with the reason."""
    return Estimate(
        term=target.kind,
        weighting=target.weighting,
        value=None,
        std_error=None,
        df=None,
        low=None,
        high=None,
        p_value=None,
        level=spec.inference.level,
        inference=spec.inference.name,
        method=spec.estimator.name,
        units=0,
        areas=0,
        clusters=0,
        treated_clusters=0,
        largest_share=None,
        effective_clusters=None,
        refused=reason,
    )


def _plain(value: float) -> float | None:
    """A number, or None for one that is not given or does not end."""
    return float(value) if np.isfinite(value) else None
