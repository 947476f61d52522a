"""Who may be compared, on the data of a study: the rules it writes, the pools it chooses, cells without a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from impact.arrays import Bool1
from impact.design.donors import Rule, adjacent, focus_area, listed, same_gemeente
from impact.design.donors_rules import (
    band,
    co_treated,
    missing_before,
    near,
    other_gemeente,
    outside_pool,
    quantile_bounds,
    suppressed,
)
from impact.errors import DataError, Problem, Refused, raise_all
from impact.register.areas import areas as register_areas
from impact.register.calendar import events
from impact.sources.regions import Level, gemeente_or_blank, is_code, level_of
from impact.study.areas import FocusArea, declared_regions
from impact.study.borders import place_rule
from impact.study.faults import near as close
from impact.study.leave_out import LeaveOut
from impact.study.load import Loaded
from impact.study.model import Specification
from impact.study.series import Series

__all__ = ["candidate_rules", "cell_rules", "nested", "pool_name"]

_T = TypeVar("_T")


def pool_name(spec: Specification) -> str:
    """What the pool of the study is called: its pools by name, "" when every unit may be compared."""
    return ", ".join(spec.comparison.pool)


def candidate_rules(spec: Specification, loaded: Loaded, areas: Sequence[FocusArea], anywhere: Bool1) -> list[Rule]:
    """The chosen pools first, then the rules of the study in its order.

    Parameters
    ----------
    spec : Specification
        The study.
    loaded : Loaded
        Its tables.
    areas : sequence of FocusArea
        Its areas.
    anywhere : (n,) bool
        The units of all areas of the study, estimated or not.

    Raises
    ------
    DataError
        ``DATA-126`` a pool that the file does not have; ``DATA-135`` a rule that asks for what the units table or the
        borders do not say of the treated units, or of any unit.
    """
    rules = [_rule(rule, spec, loaded, areas, anywhere) for rule in spec.comparison.leave_out]
    if not spec.comparison.pool:
        return rules
    problems = [found for name in spec.comparison.pool if (found := _no_pool(name, spec, loaded)) is not None]
    raise_all(problems, DataError)
    members = dict.fromkeys(region for name in spec.comparison.pool for region in loaded.pools[name])
    return [outside_pool(loaded.regions, list(members), pool_name(spec), ""), *rules]


def _pool(name: str, spec: Specification, loaded: Loaded) -> Mapping[str, str]:
    """The regions of a pool, each with its source."""
    problem = _no_pool(name, spec, loaded)
    if problem is not None:
        raise DataError(problem)
    return loaded.pools[name]


def _no_pool(name: str, spec: Specification, loaded: Loaded) -> Problem | None:
    if name in loaded.pools:
        return None
    hint = close(name, loaded.pools)
    return Problem("DATA-126", f"no row is about the pool {name}.", hint, spec.comparison.pools or "", path="pool")


def cell_rules(series: Series, first: str, periods: Sequence[str]) -> list[Rule]:
    """Units with a suppressed cell, and with a gap before the `first` start; each only where there are such units."""
    always, before = np.ones(len(periods), dtype=bool), np.array([label < first for label in periods], dtype=bool)
    rules = [missing_before(series.raw, before, periods, "")]
    if series.suppressed is not None:
        rules.insert(0, suppressed(series.suppressed, always, periods, ""))
    return [rule for rule in rules if rule.applies.any()]


def nested(spec: Specification, regions: Sequence[str]) -> list[Problem]:
    """``DATA-155``: regions that lie in another of the `regions` that are compared, so that they would count twice."""
    codes = sorted({region for region in regions if is_code(region)})
    wider = {"" if level_of(code) is Level.LAND else code[2:]: code for code in codes}
    whole = {
        code: wider[code[2:end]]
        for code in codes
        for end in (2, 6, 8)
        if end < len(code) and code[2:end] in wider and level_of(code) is not Level.LAND
    }
    if not whole:
        return []
    few = "; ".join(f"{code} lies in {around}" for code, around in list(whole.items())[:5])
    count = "1 region" if len(whole) == 1 else f"{len(whole)} regions"
    message = f"{count} would be compared beside another that holds it: {few}{'; …' if len(whole) > 5 else ''}."
    hint = "Say of which level the rows count, such as `unit: {level: wijk}`."
    return [Problem("DATA-155", message, hint, spec.data.outcomes.file, path="unit")]


def _rule(rule: LeaveOut, spec: Specification, loaded: Loaded, areas: Sequence[FocusArea], anywhere: Bool1) -> Rule:
    regions, why = loaded.regions, rule.why
    if loaded.borders is not None and (rule.drawn or rule.rule == "near"):
        sources = declared_regions(spec, loaded)
        added_up = spec.unit is not None and spec.unit.level == "focus-area"
        parts = loaded.base.regions if added_up and loaded.base is not None else ()
        found = place_rule(rule, loaded.borders, regions, sources, [part for part in parts if part in sources])
        return _known(found, spec, loaded.borders.file.file)
    match rule.rule:
        case "focus-area":
            return focus_area(_in_areas(regions, areas), why)
        case "same-gemeente":
            mask = _beside(spec, loaded, anywhere, areas)
            return _of_units(same_gemeente(loaded.gemeente, mask, why), spec, loaded)
        case "other-gemeente":
            mask = _beside(spec, loaded, anywhere, [area for area in areas if area.units])
            return _of_units(other_gemeente(loaded.gemeente, mask, why), spec, loaded)
        case "near":
            assert rule.km is not None and spec.data.units is not None and spec.data.units.columns.place is not None
            return _near(rule.km, why, spec, loaded, anywhere, spec.data.units.columns.place)
        case "co-treated":
            event = next(found for found in events() if found.slug == rule.event)
            codes = [*_named(rule, spec, loaded)] if rule.named else event.participants
            return co_treated(regions, loaded.gemeente, event, codes, loaded.periods, why)
        case "band":
            return _band(rule, spec, loaded)
        case "adjacent":
            return adjacent(regions, _named(rule, spec, loaded), why)
    return listed(regions, _named(rule, spec, loaded), why)


def _in_areas(regions: Sequence[str], areas: Sequence[FocusArea]) -> tuple[str, ...]:
    """The focus area that a region lies in, or holds a part of; "" for none.

    The code of a buurt begins as that of its wijk, and that of a wijk as that of its gemeente. What the study
    itself says of an area stands over the register.
    """
    own = {area.slug for area in areas}
    known = [(area.slug, member.code) for area in register_areas() for member in area.members if member.code]
    lies = {code: slug for slug, code in known}
    lies |= {unit: area.slug for area in areas for unit in area.units}
    lies |= {area.gemeente_code: area.slug for area in register_areas()}
    codes = {code[2:]: slug for slug, code in known if slug not in own}
    for area in areas:
        codes |= {code[2:]: area.slug for code in (*area.units, *dict(area.parts), *area.partial) if is_code(code)}
    holds = {digits[:length]: slug for digits, slug in codes.items() for length in (4, 6) if length < len(digits)}
    aside = {code for area in areas for code in area.partial}  # these leave by a step of their own

    def where(region: str) -> str:
        if region in lies or region in aside or not gemeente_or_blank(region):
            return lies.get(region, "")
        digits = region[2:]
        return next((codes[digits[:length]] for length in (4, 6) if digits[:length] in codes), holds.get(digits, ""))

    return tuple(where(region) for region in regions)


def _beside(spec: Specification, loaded: Loaded, anywhere: Bool1, areas: Sequence[FocusArea]) -> Bool1:
    """Units in a gemeente that holds any part of one of `areas`, also of one that lies in several gemeenten."""
    named = {area.slug for area in areas}
    place = {
        region: where
        for tables in (loaded.base or loaded, loaded)
        for region, where in zip(tables.regions, tables.gemeente, strict=True)
    }
    parts = [region for region, slug in declared_regions(spec, loaded).items() if slug in named]
    inside = {place.get(region, "") or gemeente_or_blank(region) for region in parts} - {""}
    return anywhere | np.isin(loaded.gemeente, [*inside])


def _near(km: float, why: str, spec: Specification, loaded: Loaded, anywhere: Bool1, columns: Sequence[str]) -> Rule:
    """The rule ``near`` by places: of treated units, or of what they are added up from, and of regions in part."""
    level, regions = "" if spec.unit is None else spec.unit.level, loaded.regions
    sources = {} if level == "gemeente" else declared_regions(spec, loaded)
    # Where an area of several parts lies in the mean, there may be nothing of it.
    made = {} if level != "focus-area" or loaded.unions is None else loaded.unions.members()
    parts = sorted({part for members in made.values() for part in members} - {*regions})
    names = [*regions, *parts]
    whole = np.r_[anywhere, np.ones(len(parts), dtype=bool)] & ~np.isin(names, [*made])
    treated = whole | np.isin(names, [*sources])
    place = np.column_stack([loaded.units.number(column, names) for column in columns])
    found = _known(near(names, place, treated, km, why), spec)
    return Rule(found.code, found.why, found.applies[: len(regions)], found.detail[: len(regions)])


def _named(rule: LeaveOut, spec: Specification, loaded: Loaded) -> Mapping[str, str]:
    """The codes of a rule, each with its detail: those it lists, of a pool, or those that a column is filled in for."""
    if rule.pool is not None:
        return _pool(rule.pool, spec, loaded)
    if rule.column is None:
        return dict.fromkeys(rule.regions, "")
    # Blank where the rule does not hold; what is filled in is the detail.
    filled = zip(loaded.regions, loaded.units.label(rule.column, loaded.regions), strict=True)
    return {region: label for region, label in filled if label not in ("", "0")}


def _band(rule: LeaveOut, spec: Specification, loaded: Loaded) -> Rule:
    assert rule.column is not None
    values = loaded.units.number(rule.column, loaded.regions)
    low, high = rule.at_least, rule.at_most
    if rule.quantiles is not None:
        low, high = _known(quantile_bounds(values, *rule.quantiles), spec)
    return band(values, rule.column, low, high, rule.why)


def _of_units(rule: Rule, spec: Specification, loaded: Loaded) -> Rule:
    """The rule for units that the units table has; the others leave by a step of their own, with their own reason."""
    if spec.data.units is None:
        return rule
    there = np.array([region in loaded.units.known for region in loaded.regions], dtype=bool)
    return replace(rule, applies=rule.applies & there)


def _known(found: _T | Refused, spec: Specification, file: str = "") -> _T:
    """What was found, unless it was refused."""
    if isinstance(found, Refused):
        file = file or (spec.data.units.file if spec.data.units is not None else spec.data.outcomes.file)
        raise DataError(Problem("DATA-135", f"{found.what}: {found.because}.", found.instead, file))
    return found
