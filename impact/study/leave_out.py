"""What a study says of units that may not be compared: one rule after another, and what its rules contradict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from impact.design.donors_rules import running
from impact.register.calendar import EventKind, Reach, events
from impact.study.faults import Fault, near
from impact.study.fields import Code, Part, Slug, Word, Written

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
    "adjacent": ("regions", "column", "pool", "sharing", "rings"),
    "near": ("km",),
    "far": ("km",),
    "co-treated": ("event", "regions", "column", "pool"),
    "band": ("column", "at_least", "at_most", "quantiles"),
    "listed": ("regions", "column", "pool"),
}
_NAMES = ("regions", "column", "pool")
_OWN = (*_NAMES, "sharing", "rings", "km", "event", "at_least", "at_most", "quantiles")


class LeaveOut(Part):
    """A rule that keeps units out of the comparison.

    ``focus-area``: in any focus area, of the register or of this study; ``same-gemeente``: in a gemeente with a treated
    area, ``other-gemeente``: in any other; ``adjacent`` and ``listed``: the named `regions`, those with something in
    the `column` of the units table, or those of a `pool` in the file of pools; ``co-treated``: units or gemeenten named
    in the same way, touched by the `event` of the calendar; ``band``: whose number in `column` lies outside the bounds.

    From the borders of `data.polygons`: ``adjacent`` without names, for neighbours `sharing` a point (the standard) or
    a border with a treated unit, and with ``rings: 2`` their neighbours too; ``near``: within `km` of a treated unit
    (from border to border; without polygons from place to place of the units table); ``far``: further off than `km`.
    Near and far together leave a ring around the treated units.
    """

    rule: Literal[
        "focus-area", "same-gemeente", "other-gemeente", "adjacent", "near", "far", "co-treated", "band", "listed"
    ] = Field(description="focus-area, same-gemeente, other-gemeente, adjacent, near, far, co-treated, band or listed")
    regions: tuple[Code, ...] = ()
    column: Word | None = None
    pool: Slug | None = None
    sharing: Literal["point", "border"] | None = None
    rings: Annotated[int, Field(ge=1, le=20)] | None = None
    km: Annotated[float, Field(gt=0)] | None = None
    event: Slug | None = None
    at_least: float | None = None
    at_most: float | None = None
    quantiles: tuple[_Share, _Share] | None = None
    why: Written = Field(description="the reason, for the report")

    @property
    def named(self) -> bool:
        """Whether the rule names the codes that it leaves out."""
        return any(getattr(self, key) not in (None, ()) for key in _NAMES)

    @property
    def drawn(self) -> bool:
        """Whether the rule can only be judged with the borders of regions."""
        return self.rule == "far" or (self.rule == "adjacent" and not self.named)

    @property
    def about(self) -> str:
        """What two rules of one kind may not share."""
        named = self.column if self.rule == "band" else self.rule == "adjacent" and self.named
        return f"{self.rule} {self.event or ''} {named}"


def faults_of_comparison(spec: Specification) -> Iterator[Fault]:
    """What contradicts itself in the rules and pools of the comparison."""
    comparison, seen = spec.comparison, set[str]()
    for number, rule in enumerate(comparison.leave_out):
        loc: Loc = ("comparison", "leave_out", number)
        yield from _keys(spec, rule, loc)
        if rule.rule in ("near", "far"):
            yield from _distance(spec, rule, loc)
        elif rule.rule == "co-treated":
            yield from _co_treated(spec, rule, loc)
        elif rule.rule == "band":
            yield from _band(rule, loc)
        if rule.about in seen and rule.rule != "listed":
            yield Fault((*loc, "rule"), f"the rule '{rule.rule}' stands here for the second time")
        seen.add(rule.about)
    km = {rule.rule: rule.km for rule in comparison.leave_out if rule.km is not None}
    if km.get("near", 0) >= km.get("far", float("inf")):
        hint = "Together they leave a ring: `near` is its inner edge, `far` the outer one."
        yield Fault(("comparison", "leave_out"), "nothing lies beyond `near` and not beyond `far`", hint)
    if {"same-gemeente", "other-gemeente"} <= {rule.rule for rule in comparison.leave_out}:
        hint = "Keep one of the two."
        yield Fault(("comparison", "leave_out"), "without the same and without other gemeenten nothing is left", hint)
    if comparison.pool and comparison.pools is None:
        hint = "Name the file with columns region, vintage, pool and source in `comparison.pools`."
        yield Fault(("comparison", "pool"), "a pool is looked for in a file of pools, and there is none", hint)
    for at, name in enumerate(comparison.pool):
        if name in comparison.pool[:at]:
            yield Fault(("comparison", "pool", at), f"the pool '{name}' stands here for the second time")


def _keys(spec: Specification, rule: LeaveOut, loc: Loc) -> Iterator[Fault]:
    """Keys of another rule, and codes that are named in no way or in two."""
    takes = _TAKES[rule.rule]
    given = [key for key in _NAMES if getattr(rule, key) not in (None, ())]
    free = rule.rule == "co-treated" or (rule.rule == "adjacent" and spec.data.polygons is not None)
    if "regions" in takes and (len(given) > 1 or not (given or free)):
        hint = "Add `regions: [WK…, …]`, `column:` of the units table, filled in where the rule holds, or `pool:`"
        hint += " of the file of pools."
        if rule.rule == "adjacent":
            hint += " Or give the borders of regions in `data.polygons`, and neighbours are found."
        yield Fault(loc, f"the rule '{rule.rule}' needs the codes it leaves out, in one way", hint)
    for key in ("sharing", "rings") if rule.rule == "adjacent" and given else ():
        if getattr(rule, key) is not None:
            yield Fault((*loc, key), f"neighbours are named by `{given[0]}`, so `{key}` says nothing", "Take it out.")
    if rule.pool is not None and spec.comparison.pools is None:
        hint = "Name the file with columns region, vintage, pool and source in `comparison.pools`."
        yield Fault((*loc, "pool"), "a pool is looked for in a file of pools, and there is none", hint)
    for key in _OWN:
        if getattr(rule, key) in (None, ()) or key in takes:
            continue
        if key in _NAMES and not takes:
            message = f"the rule '{rule.rule}' finds its regions by itself"
            yield Fault((*loc, key), message, f"Take `{key}` out, or use `listed`.")
        else:
            others = " and ".join(name for name, own in _TAKES.items() if key in own)
            yield Fault((*loc, key), f"`{key}` belongs to {others}, not to '{rule.rule}'", f"Take `{key}` out.")


def _distance(spec: Specification, rule: LeaveOut, loc: Loc) -> Iterator[Fault]:
    if rule.km is None:
        yield Fault(loc, f"the rule '{rule.rule}' needs a distance", "Add `km: 2`, in a straight line.")
    units, borders = spec.data.units, "Give the borders of regions: `polygons: {file: …, column: …}` under `data`."
    if spec.data.polygons is None and rule.drawn:
        yield Fault(loc, f"the rule '{rule.rule}' takes the borders of regions", borders)
    elif spec.data.polygons is None and (units is None or units.columns.place is None):
        hint = f"{borders} Or name columns with coordinates in metres: `place: [x, y]` under `data.units.columns`."
        yield Fault(loc, "the rule 'near' takes the borders or the place of every unit", hint)


def _co_treated(spec: Specification, rule: LeaveOut, loc: Loc) -> Iterator[Fault]:
    known = {event.slug: event for event in events() if event.kind is EventKind.CO_TREATMENT}
    if rule.event is None:
        yield Fault(loc, "the rule 'co-treated' needs an event of the calendar", f"Known: {', '.join(known)}.")
    elif rule.event not in known:
        loc = (*loc, "event")
        yield Fault(loc, f"'{rule.event}' is not a co-treatment of the calendar", near(rule.event, known))
    elif known[rule.event].reach is Reach.NATIONAL:
        hint = "Take the rule out; what touches all units alike falls away in the comparison."
        yield Fault((*loc, "event"), f"{rule.event} reaches the whole country, and no unit is free of it", hint)
    elif not rule.named and not known[rule.event].participants:
        message = f"the calendar does not know which gemeenten take part in {rule.event}"
        hint = "Give them: `regions: [GM…, …]`, `column:` of the units table, or `pool:` of the file of pools"
        hint += " (region, vintage, pool, source), which can say where each is known from."
        yield Fault(loc, message, hint)
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
