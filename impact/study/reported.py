"""Checks that are reported and never seal: measurements to tell a trend by, equivalence before the start, and fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import nan

from impact.checks import design
from impact.checks import fit as close
from impact.checks.composition import movers
from impact.checks.event_study import leads
from impact.checks.pretrend import equivalence
from impact.checks.protocol import Check
from impact.errors import Refused
from impact.evidence.composition import Share
from impact.evidence.robust import Robust
from impact.study.answers import Answers, matched_on
from impact.study.closeness import closeness
from impact.study.model import Specification
from impact.study.panels import Comparison

__all__ = ["composed", "reported"]


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
    if events is not None and events.fit.base == "varying" and events.again is not None:
        # Changes from one period to the next may each be small and yet add up to a large difference.
        added = events.again(events.target)
        events = None if isinstance(added, Refused) else added
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


def composed(spec: Specification, found: Robust | None) -> tuple[Check, ...]:
    """Whether either share moved otherwise than in the comparison; not evaluated, with the reason, where not known."""
    asked = spec.composition
    if asked is None:
        return ()
    known = None if found is None else found.composition
    rows: dict[str, Share] = {} if known is None else {row.what: row for row in known.shares}
    checks = []
    for what in ("new-build", "movers"):
        row = rows.get(what)
        if row is not None and row.difference is not None:
            check = movers(row.difference / 100, 0.0, asked.at_most)
        else:
            unknown = "no-column" if what == "new-build" else "no-persons"
            why = "no-estimate" if known is None else "no-figures" if row else unknown
            check = replace(movers(nan, nan, asked.at_most), because=f"composition-{why}")
        checks.append(replace(check, name=f"composition-{what}"))
    return tuple(checks)
