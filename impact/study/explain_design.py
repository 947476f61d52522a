"""What a specification says of who is treated from when on, and whom they are compared with, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from impact.register.areas import Area
from impact.register.areas import areas as register_areas
from impact.register.calendar import events
from impact.study.explain_match import match
from impact.study.model import LeaveOut
from impact.study.wording import FOLLOWS, Said, Teller

__all__ = ["comparison", "treated"]


def treated(tell: Teller) -> tuple[Iterator[Said], Iterator[Said]]:
    """Which areas are treated and which are not, and from when on."""
    return _areas(tell), _start(tell)


def _areas(tell: Teller) -> Iterator[Said]:
    treatment = tell.spec.treatment
    areas, aside = treatment.areas, treatment.already_treated
    if areas.listed is not None:
        yield from _listed(tell)
    elif areas.column is not None:
        total = tell.count(len(register_areas()))
        yield tell("treated.column", "treated.areas", column=tell.column(areas.column), total=total)
    else:
        yield from _register(tell)
    if aside:
        names = {area.slug: area.name for area in register_areas()}
        yield _named(tell, "already", [names.get(slug, slug) for slug in aside])
    yield from _level(tell)
    strict = areas.register_ is None or treatment.members is not None
    yield tell("treated.whole" if strict and treatment.only is None else "treated.with-data", "treated.only")


def _level(tell: Teller) -> Iterator[Said]:
    """What a unit is, where the study says so, and what a number is then about."""
    unit = tell.spec.unit
    if unit is None:
        return
    yield tell(f"treated.level.{unit.level}", "treated.level")
    if unit.built_from is not None:
        whole = tell.say(f"explain.units.{'area' if unit.level == 'focus-area' else unit.level}")
        values = {"parts": tell.say(f"explain.units.{unit.built_from}"), "whole": whole}
        yield tell("treated.built", **values)
        if tell.spec.data.units is not None:
            yield tell("treated.built-characteristics", **values)
        column = tell.spec.data.outcomes.columns.value
        if column is not None and unit.value is not None:
            yield tell("treated.built-count", column=tell.column(column))
    if unit.level == "gemeente":
        known = tell.spec.data.units is not None and tell.spec.data.units.columns.residents is not None
        yield tell("treated.population" if known else "treated.population-unknown", "treated.population")


def _register(tell: Teller) -> Iterator[Said]:
    """The areas of the register with known codes, and by name the others; a file of one's own may change that."""
    treatment = tell.spec.treatment
    found = [area for area in register_areas() if area.slug not in treatment.already_treated]
    inside = [area for area in found if area.codes()]
    own = treatment.members is not None
    yield tell(
        "treated.register-own" if own else "treated.register",
        "treated.areas",
        count=tell.count(len(inside)),
        total=tell.count(len(register_areas())),
        names=_names(tell, inside),
    )
    if treatment.members is not None:
        yield tell("treated.members", file=tell.word("quoted", text=treatment.members))
        if treatment.delineation is not None:
            yield tell("treated.delineation", name=treatment.delineation)
        return
    parts = [area for area in found if not area.codes() and any(member.code for member in area.partial())]
    unknown = [area for area in found if not area.codes() and area not in parts]
    for key, areas in (("only-parts", parts), ("no-codes", unknown)):
        if areas:
            yield _named(tell, key, [area.name for area in areas])


def _listed(tell: Teller) -> Iterator[Said]:
    treatment, known = tell.spec.treatment, {area.slug: area for area in register_areas()}
    listed = treatment.areas.listed or {}
    name = {slug: given.name or (known[slug].name if slug in known else slug) for slug, given in listed.items()}
    inside = [slug for slug in listed if slug in known and slug not in treatment.already_treated]
    own = [name[slug] for slug in listed if slug not in known and slug not in treatment.already_treated]
    others = [area for slug, area in known.items() if slug not in listed]
    if inside:
        names = tell.listed(name[slug] for slug in inside)
        count, total = tell.count(len(inside)), tell.count(len(known))
        yield tell("treated.listed", "treated.areas", count=count, total=total, names=names)
        if others:
            yield tell("treated.listed-others", count=tell.count(len(others)), names=_names(tell, others))
    if own:
        yield tell("treated.own", names=tell.listed(own))
    for slug, given in listed.items():
        yield tell("treated.made-of", f"treated.made-of.{slug}", name=name[slug], codes=tell.listed(given.members))


def _named(tell: Teller, key: str, names: Sequence[str]) -> Said:
    """Areas that do not take part, by name."""
    return tell(f"treated.{key}{'-many' if len(names) > 1 else ''}", f"treated.{key}", names=tell.listed(names))


def _names(tell: Teller, areas: Sequence[Area]) -> str:
    return tell.listed(area.name for area in areas)


def _start(tell: Teller) -> Iterator[Said]:
    spec = tell.spec
    start = spec.treatment.start
    yield tell("treated.event", event=start.event.rstrip("."))
    if start.first_treated is not None:
        yield tell("treated.first", "treated.start", period=start.first_treated)
    if start.by_area is not None:
        names = {area.slug: area.name for area in register_areas()}
        names |= {slug: given.name for slug, given in (spec.treatment.areas.listed or {}).items() if given.name}
        for period in sorted(set(start.by_area.values())):
            begin = [names.get(slug, slug) for slug, when in start.by_area.items() if when == period]
            yield tell("treated.by-area", "treated.start", period=period, names=tell.listed(begin))
    if start.column is not None:
        yield tell("treated.start-column", "treated.start", column=tell.column(start.column))
    if spec.periods.kind == "waves" or spec.leave_out:
        yield tell("treated.next", FOLLOWS)
    if start.first_full is not None:
        yield tell("treated.full", full=start.first_full)
    if start.last_before is not None:
        yield tell("treated.last-before", period=start.last_before)
    yield _anticipation(tell, spec.treatment.anticipation)


def _anticipation(tell: Teller, count: int) -> Said:
    key = "no-anticipation" if count == 0 else "anticipation-one" if count == 1 else "anticipation"
    return tell(f"treated.{key}", "treated.anticipation", count=tell.count(count))


# --- comparison -------------------------------------------------------------------------------------------------------


def comparison(tell: Teller) -> Iterator[Said]:
    """Who may be compared, and who of them is chosen."""
    yield tell("comparison.intro")
    yield from _pools(tell)
    for rule in tell.spec.comparison.leave_out:
        said = _left_out(tell, rule)
        yield Said(said.topic, f"{said.text}{tell.reason(rule.why)}")
        if (rule.rings or 1) > 1:
            yield tell("comparison.adjacent-rings", f"{said.topic}.rings", steps=tell.count(rule.rings or 1))
    yield from _built(tell)
    tell = replace(tell, built=tell.spec.comparison.units is not None)
    if tell.spec.comparison.match is None:
        yield tell("comparison.everyone", "comparison.match")
    else:
        yield from match(tell, tell.spec.comparison.match)


def _built(tell: Teller) -> Iterator[Said]:
    """From what and how large comparison units are put together."""
    asked = tell.spec.comparison.units
    if asked is None:
        return
    parts = tell.say(f"explain.units.{asked.built_from}")
    if asked.residents == "similar":
        yield tell("comparison.units.similar", "comparison.units.residents", parts=parts)
    else:
        yield tell(
            "comparison.units.number", "comparison.units.residents", parts=parts, count=tell.exact(asked.residents)
        )
    how = "in-order" if tell.spec.data.polygons is None else "contiguous"
    yield tell(f"comparison.units.{how}", "comparison.units.how")


def _pools(tell: Teller) -> Iterator[Said]:
    """Where named pools are, and which of them may be compared."""
    pools, chosen = tell.spec.comparison.pools, tell.spec.comparison.pool
    if pools is not None:
        yield tell("comparison.pools", file=tell.word("quoted", text=pools))
    if chosen:
        key = "comparison.pool" if len(chosen) == 1 else "comparison.pool-many"
        yield tell(key, "comparison.pool", names=tell.quoted(chosen))


def _left_out(tell: Teller, rule: LeaveOut) -> Said:
    """The sentence of one rule."""
    topic, units = f"comparison.rule.{rule.rule}", tell.spec.data.units
    drawn = tell.spec.data.polygons
    if drawn is not None and rule.rule == "adjacent" and rule.drawn:
        # A border that neighbours share is one of ten tolerances, see `impact.design.geometry.adjacency`.
        return tell(f"comparison.adjacent-{rule.sharing or 'point'}", topic, least=tell.exact(10 * drawn.tolerance))
    if drawn is not None and rule.km is not None:
        return tell(f"comparison.{'far' if rule.rule == 'far' else 'near-drawn'}", topic, km=tell.exact(rule.km))
    if rule.rule == "near" and units is not None and units.columns.place is not None and rule.km is not None:
        columns = tell.listed(tell.column(name) for name in units.columns.place)
        return tell("comparison.near", topic, km=tell.exact(rule.km), columns=columns)
    if rule.rule == "co-treated":
        event = next(found.nl for found in events() if found.slug == rule.event)
        key = "comparison.co-treated" if rule.named else "comparison.co-treated-known"
        return tell(key, f"{topic}.{rule.event}", event=event, which=_which(tell, rule))
    if rule.rule == "band":
        low, high = rule.quantiles or (rule.at_least, rule.at_most)
        form = "-quantiles" if rule.quantiles else "-to" if low is None else "-from" if high is None else ""
        bounds = {name: tell.exact(x) for name, x in (("low", low), ("high", high)) if x is not None}
        return tell(f"comparison.band{form}", f"{topic}.{rule.column}", column=tell.column(rule.column or ""), **bounds)
    return tell(f"comparison.{rule.rule}", topic, which=_which(tell, rule))


def _which(tell: Teller, rule: LeaveOut) -> str:
    if rule.pool is not None:
        return tell.word("comparison.of-pool", name=tell.word("quoted", text=rule.pool))
    if rule.column is not None:
        return tell.word("comparison.filled", column=tell.column(rule.column))
    return tell.listed(rule.regions)
