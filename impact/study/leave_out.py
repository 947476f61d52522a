"""What a study says of units that may not be compared: one rule after another, and what its rules contradict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from impact.design.donors_rules import running
from impact.register.calendar import EventKind, events
from impact.study.faults import Fault, near
from impact.study.fields import Code, Part, Slug, Word

if TYPE_CHECKING:
    from impact.study.model import Specification
    from impact.study.source import Loc

__all__ = ["LeaveOut", "faults_of_comparison"]

_Share = Annotated[float, Field(ge=0, le=1)]

# The keys of each rule beside `rule` and `why`.
_TAKES: dict[str, tuple[str, ...]] = {
    "focus-area": (),
    "same-gemeente": (),
    "other-gemeente": (),
    "adjacent": ("regions", "column"),
    "near": ("km",),
    "co-treated": ("event", "regions", "column"),
    "band": ("column", "at_least", "at_most", "quantiles"),
    "listed": ("regions", "column"),
}
_OWN = ("regions", "column", "km", "event", "at_least", "at_most", "quantiles")


class LeaveOut(Part):
    """A rule that keeps units out of the comparison.

    ``focus-area``: in any focus area, of the register or of this study; ``same-gemeente``: in a gemeente with a treated
    area, ``other-gemeente``: in any other; ``adjacent`` and ``listed``: the named `regions`, or those with something in
    the `column` of the units table; ``near``: within `km` of a treated unit; ``co-treated``: units or gemeenten named
    in the same way, touched by the `event` of the calendar; ``band``: whose number in `column` lies outside the bounds.
    """

    rule: Literal[
        "focus-area", "same-gemeente", "other-gemeente", "adjacent", "near", "co-treated", "band", "listed"
    ] = Field(description="focus-area, same-gemeente, other-gemeente, adjacent, near, co-treated, band or listed")
    regions: tuple[Code, ...] = ()
    column: Word | None = None
    km: Annotated[float, Field(gt=0)] | None = None
    event: Slug | None = None
    at_least: float | None = None
    at_most: float | None = None
    quantiles: tuple[_Share, _Share] | None = None
    why: Word = Field(description="the reason, for the report")

    @property
    def about(self) -> str:
        """What two rules of one kind may not share."""
        return f"{self.rule} {self.event or ''} {self.column if self.rule == 'band' else ''}"


def faults_of_comparison(spec: Specification) -> Iterator[Fault]:
    """What contradicts itself in the rules and pools of the comparison."""
    comparison, seen = spec.comparison, set[str]()
    for number, rule in enumerate(comparison.leave_out):
        loc: Loc = ("comparison", "leave_out", number)
        yield from _keys(rule, loc)
        if rule.rule == "near":
            yield from _near(spec, rule, loc)
        elif rule.rule == "co-treated":
            yield from _co_treated(spec, rule, loc)
        elif rule.rule == "band":
            yield from _band(rule, loc)
        if rule.about in seen and rule.rule != "listed":
            yield Fault((*loc, "rule"), f"the rule '{rule.rule}' stands here for the second time")
        seen.add(rule.about)
    if {"same-gemeente", "other-gemeente"} <= {rule.rule for rule in comparison.leave_out}:
        hint = "Keep one of the two."
        yield Fault(("comparison", "leave_out"), "without the same and without other gemeenten nothing is left", hint)
    if comparison.pool and comparison.pools is None:
        hint = "Name the file with columns region, vintage, pool and source in `comparison.pools`."
        yield Fault(("comparison", "pool"), "a pool is looked for in a file of pools, and there is none", hint)
    for at, name in enumerate(comparison.pool):
        if name in comparison.pool[:at]:
            yield Fault(("comparison", "pool", at), f"the pool '{name}' stands here for the second time")


def _keys(rule: LeaveOut, loc: Loc) -> Iterator[Fault]:
    """Keys of another rule, and codes that are named in no way or in two."""
    takes = _TAKES[rule.rule]
    if "regions" in takes and bool(rule.regions) == bool(rule.column):
        hint = "Add `regions: [WK…, …]`, or `column:` of the units table, filled in where the rule holds."
        yield Fault(loc, f"the rule '{rule.rule}' needs the codes it leaves out, in one way", hint)
    for key in _OWN:
        if getattr(rule, key) in (None, ()) or key in takes:
            continue
        if key in ("regions", "column") and not takes:
            message = f"the rule '{rule.rule}' finds its regions by itself"
            yield Fault((*loc, key), message, f"Take `{key}` out, or use `listed`.")
        else:
            others = " and ".join(name for name, own in _TAKES.items() if key in own)
            yield Fault((*loc, key), f"`{key}` belongs to {others}, not to '{rule.rule}'", f"Take `{key}` out.")


def _near(spec: Specification, rule: LeaveOut, loc: Loc) -> Iterator[Fault]:
    if rule.km is None:
        yield Fault(loc, "the rule 'near' needs a distance", "Add `km: 2`, in a straight line.")
    if spec.data.units is None or spec.data.units.columns.place is None:
        hint = "Name the columns with coordinates in metres: `place: [x, y]` under `data.units.columns`."
        yield Fault(loc, "the rule 'near' takes the place of every unit", hint)


def _co_treated(spec: Specification, rule: LeaveOut, loc: Loc) -> Iterator[Fault]:
    known = {event.slug: event for event in events() if event.kind is EventKind.CO_TREATMENT}
    if rule.event is None:
        yield Fault(loc, "the rule 'co-treated' needs an event of the calendar", f"Known: {', '.join(known)}.")
    elif rule.event not in known:
        loc = (*loc, "event")
        yield Fault(loc, f"'{rule.event}' is not a co-treatment of the calendar", near(rule.event, known))
    elif spec.labels and not running(known[rule.event], spec.labels).any():
        span = f"{spec.labels[0]} to {spec.labels[-1]}"
        message = f"{rule.event} runs from {known[rule.event].first} on, in no period of {span}"
        yield Fault((*loc, "event"), message, "Take the rule out: it touches nobody here.")


def _band(rule: LeaveOut, loc: Loc) -> Iterator[Fault]:
    low, high, shares = rule.at_least, rule.at_most, rule.quantiles
    if rule.column is None:
        yield Fault(loc, "the rule 'band' needs a column of the units table", "Add `column: …`.")
    if ((low, high) == (None, None)) == (shares is None):
        hint = "Write `at_least`, `at_most` or both, in the unit of the column; or `quantiles: [0, 0.2]`."
        yield Fault(loc, "the rule 'band' has bounds of one kind", hint)
    elif low is not None and high is not None and low > high:
        yield Fault((*loc, "at_least"), f"the band begins at {low:g}, above its end at {high:g}")
    elif shares is not None and shares[0] >= shares[1]:
        yield Fault((*loc, "quantiles"), f"the band begins at {shares[0]:g} and must end above it")
