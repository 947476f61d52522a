"""Checks that are reported and never seal: measurements to tell a trend by, equivalence before the start, and fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from impact.checks import design
from impact.checks import fit as close
from impact.checks.event_study import leads
from impact.checks.pretrend import equivalence
from impact.checks.protocol import Check
from impact.errors import Refused
from impact.study.answers import Answers, matched_on
from impact.study.closeness import closeness
from impact.study.model import Specification
from impact.study.panels import Comparison

__all__ = ["reported"]


def reported(spec: Specification, comparison: Comparison, found: Answers) -> tuple[Check, ...]:
    """The test of the time before the start, what else is known of that time, and how close the comparison is."""
    names = {area.slug: area.name for area in comparison.areas}
    return (
        _waves(spec, comparison),
        found.pretrend,
        *_equivalence(spec, comparison, found),
        *_fit(found, names),
    )


def _waves(spec: Specification, comparison: Comparison) -> Check:
    """Measurements before the start that were not matched on, for the area with the fewest; few of them cap a grade."""
    match = spec.comparison.match
    matched = () if match is None else match.outcomes_in
    fewest = min(
        (
            sum(period not in matched for period in spec.before(area.start, comparison.panel.periods))
            for area in comparison.areas
            if not area.left_out
        ),
        default=0,
    )
    return design.at_least("pre-waves", fewest, spec.thresholds["pre-waves"], gates=False)


def _equivalence(spec: Specification, comparison: Comparison, found: Answers) -> Iterator[Check]:
    """Whether all differences before the start are below the bound that the study declares; nothing without one."""
    bound = spec.thresholds.get("equivalence")
    if bound is None:
        return
    events = found.events
    before = (
        None
        if events is None
        else leads(events.effects, events.uncertainty, events.fit, events.target, matched_on(spec, comparison))
    )
    if before is None or isinstance(before, Refused):
        yield Check("equivalence", None, bound, "not_evaluated", False, "pre", "equivalence")
        return
    least = equivalence(before).smallest
    yield Check("equivalence", least, bound, "pass" if least < bound else "fail", False, "pre", "equivalence")


def _fit(found: Answers, names: Mapping[str, str]) -> Iterator[Check]:
    """Of an estimator that looks for weights; nothing of another."""
    near = closeness(found.result, names)
    if near:
        yield close.fit({one.area: one.relative for one in near})
        yield close.overlap({one.area: one.in_hull for one in near})
        yield close.concentration({one.area: one.largest for one in near})
