"""Bounds on the declared estimate under departures from parallel trends, from the event study of the same estimator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from impact.checks.event_study import EventStudy, event_study
from impact.checks.honest import bounds
from impact.errors import Refused
from impact.estimators.one_reference import OneReference, referred
from impact.estimators.protocol import Estimator
from impact.evidence.robust import Bound, Honest
from impact.inference.protocol import evaluate
from impact.parallel import Parallel
from impact.study.answers import Answers, estimator_of, matched_on, result_of, target
from impact.study.model import Specification
from impact.study.panels import Comparison
from impact.targets import Target

__all__ = ["GRID", "honesty"]

GRID = (0.0, 0.5, 1.0, 1.5, 2.0)
_SAME = 1e-8


def honesty(spec: Specification, comparison: Comparison, found: Answers, parallel: Parallel) -> Honest:
    """The breakdown value and the intervals by relative magnitudes, of the average that the study declares.

    The estimator is asked again with estimates before the start that are changes since one period; the others stay as
    they are. The covariance is that of the declared inference; with ``cluster-jackknife`` CV3 times (t / 1.96)².
    """
    if found.result is None:
        return Honest(refused=found.primary.refused)
    asked = replace(target(spec, comparison, spec.target.every), leads=True)
    estimator = referred(estimator_of(spec, comparison))
    result = result_of(spec, comparison, asked, parallel, estimator)
    if isinstance(result, Refused):
        return Honest(refused=result)
    own, again = float(found.result.effects.estimate[-1]), float(result.effects.estimate[-1])
    if abs(own - again) > _SAME * max(abs(own), 1.0):
        why = "with the estimates before the start beside it the estimate is another"
        return Honest(refused=Refused("bounds under departures from parallel trends", why))
    study = event_study(
        result.effects, result.uncertainty, result.fit, result.target, used=matched_on(spec, comparison)
    )
    if isinstance(study, Refused):
        return Honest(refused=study)
    table = parallel.memory(lambda: _bounds(study, spec.seed), "honest", study, GRID, spec.seed)
    if isinstance(table, Refused):
        return Honest(refused=table)
    breakdown, ends = table
    return Honest(
        breakdown=breakdown if np.isfinite(breakdown) else None,
        unbroken=not np.isfinite(breakdown),
        bounds=ends,
        events=tuple(event for event in study.events if event < study.reference),
        left_out=study.left_out,
        since=float(study.combination[0]) if study.averaged else None,
        last=_from_last(estimator, comparison, asked),
    )


def _bounds(study: EventStudy, seed: int) -> tuple[float, tuple[Bound, ...]] | Refused:
    """The breakdown value, inf where there is none, and the interval of every bound."""
    table = bounds(study, grid=GRID, seed=seed)
    if isinstance(table, Refused):
        return table
    ends = zip(table["bound"], table["lower"], table["upper"], strict=True)
    return float(table["breakdown"].iloc[0]), tuple(Bound(float(m), _plain(low), _plain(high)) for m, low, high in ends)


def _from_last(estimator: Estimator, comparison: Comparison, asked: Target) -> float | None:
    """The estimate from the last period before the start alone, of an estimator that compares with several."""
    if not isinstance(estimator, OneReference):
        return None
    found = evaluate(replace(estimator, effects=True), comparison.panel, asked)
    return None if isinstance(found, Refused) else float(found.effects.estimate[-1])


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
