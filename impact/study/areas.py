"""Which units are treated from when on: the areas of the register, of a column, or of the study's own list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from impact.errors import DataError, Problem, raise_all
from impact.register.areas import areas as register_areas
from impact.sources.contract import listed
from impact.sources.periods import read_period
from impact.sources.regions import gemeente_or_blank
from impact.study.model import Specification

if TYPE_CHECKING:
    from impact.study.load import Loaded

__all__ = ["FocusArea", "declared_regions", "delineated", "focus_areas"]

_NEVER = {"", "0", "inf"}


@dataclass(frozen=True, slots=True)
class FocusArea:
    """A treated area of the study.

    Attributes
    ----------
    slug, name : str
    units : tuple of str
        Regions of the data that lie in it.
    start : str
        First treated period, whether or not anything was measured in it.
    left_out : str
        Why it is not in the estimate: a key of the text catalogue, with what it speaks of behind a bar; "" when it is.
    partial : tuple of str
        Regions of which only a part, or an unknown part, lies in it: neither treated nor control.
    parts : tuple of (str, float)
        Members that are known, each with the share of it that lies in the area, whatever a unit of the study is.
    absent : tuple of str
        Members that the data do not hold, of an area whose members are added up.
    """

    slug: str
    name: str
    units: tuple[str, ...]
    start: str
    left_out: str = ""
    partial: tuple[str, ...] = ()
    parts: tuple[tuple[str, float], ...] = ()
    absent: tuple[str, ...] = ()


def focus_areas(spec: Specification, loaded: Loaded) -> tuple[FocusArea, ...]:
    """All areas of the study, those that cannot be estimated with the reason.

    Raises
    ------
    DataError
        ``DATA-120`` an area of the study's own list or column that is not in the data, or has no number in them;
        ``DATA-121`` an area without one start; ``DATA-122`` a start after the last period; ``DATA-123`` no area left
        with a period before its start; ``DATA-124`` a start in the column for a region that lies in no area.
    """
    file = spec.data.outcomes.file
    problems: list[Problem] = []
    known, base = set(loaded.regions), loaded.base or loaded
    level = None if spec.unit is None else spec.unit.level
    numbers = np.logical_or.reduce([np.isfinite(series.raw).any(axis=1) for series in loaded.series])
    with_number = {region for region, has in zip(loaded.regions, numbers, strict=True) if has}
    found = []
    declared = list(_declared(spec, loaded))
    for area, strict in declared:
        absent = [code for code in area.units if code not in known]
        if level == "focus-area":
            absent = [code for code, _ in area.parts if code not in base.regions]
            area = replace(area, absent=tuple(absent))
        if strict and absent:
            hint = "Check the codes and their year; a code can have been withdrawn or re-used."
            problems.append(
                Problem("DATA-120", f"{area.name}: not in the data: {listed(absent)}.", hint, file, path=area.slug)
            )
        elif strict and not with_number & set(area.units):
            hint = f"Looked for {listed(area.units)}; add their outcomes, or take the area out of the study."
            problems.append(
                Problem("DATA-120", f"{area.name} has no outcome in any period.", hint, file, path=area.slug)
            )
            continue
        present = tuple(code for code in area.units if code in known)
        aside = "earlier-programme|" if area.slug in spec.treatment.already_treated else ""
        if area.left_out or not present or aside:
            found.append(replace(area, units=present, left_out=area.left_out or aside or "no-data|"))
            continue
        starts = _starts(spec, base, area.slug, present if level is None else _whole_parts(area, base) or present)
        start = starts[0]
        if len(starts) > 1 or read_period(start)[1] or ("/" in start) != ("/" in loaded.periods[0]):
            said = listed(repr(text) for text in starts) if any(starts) else "none"
            what = "school year" if "/" in loaded.periods[0] else "year"
            problems.append(
                Problem(
                    "DATA-121",
                    f"{area.name} must have one {what} as its first treated period; it has {said}.",
                    "State it under treatment.start, or in every row of the area in its column.",
                    file,
                    path=area.slug,
                )
            )
        elif start > loaded.periods[-1]:
            problems.append(
                Problem(
                    "DATA-122",
                    f"{area.name} starts in {start}, after the last period {loaded.periods[-1]}.",
                    "Add later periods, or leave the area out.",
                    file,
                    path=area.slug,
                )
            )
        early = "" if spec.before(start, loaded.periods) else f"already-treated|{start}"
        found.append(replace(area, units=present, start=start, left_out=early))
    inside = {unit for area, _ in declared for unit in (*area.units, *(code for code, _ in area.parts))}
    problems += _outside(spec, base, inside)
    raise_all(problems, DataError)
    if level == "gemeente":
        found = _once(spec, loaded, found)
    if all(area.left_out for area in found):
        raise DataError(
            Problem(
                "DATA-123",
                "no focus area has both data and a period before its start.",
                "; ".join(f"{area.name}: {area.left_out.replace('|', ' ').strip()}" for area in found[:5]),
                file,
            )
        )
    return _measured_before(spec, loaded, found)


def _measured_before(spec: Specification, loaded: Loaded, found: list[FocusArea]) -> tuple[FocusArea, ...]:
    """The areas, those with too few measurements before their start set aside while others have enough."""
    least = spec.thresholds["pre-periods"]
    counts = [0 if area.left_out else len(spec.before(area.start, loaded.periods)) for area in found]
    if max(counts) < least:
        return tuple(found)  # then nothing is measurable, and the check of that name says so
    return tuple(
        replace(area, left_out=f"too-few-before|{count}") if 0 < count < least else area
        for area, count in zip(found, counts, strict=True)
    )


def _declared(spec: Specification, loaded: Loaded) -> Iterator[tuple[FocusArea, bool]]:
    """The areas with their units in the data of the study, and whether every code must be in the data."""
    level = None if spec.unit is None else spec.unit.level
    base = loaded.base or loaded
    for area, strict in delineated(spec, base):
        if level == "focus-area":
            there = any(code in base.regions for code, _ in area.parts)
            yield replace(area, units=(area.slug,) if there else ()), strict
        elif level == "gemeente":
            yield _whole(area, base), strict
        elif loaded.unions is not None:
            yield _lifted(area, loaded.unions.members()), strict
        else:
            yield area, strict


def delineated(spec: Specification, loaded: Loaded) -> Iterator[tuple[FocusArea, bool]]:
    """The areas as the study declares them, in the regions of its tables, and whether every code must be there."""
    areas, whole = spec.treatment.areas, spec.treatment.only is None
    names = {area.slug: area.name for area in register_areas()}
    if areas.listed is not None:
        for slug, given in areas.listed.items():
            yield _of(slug, given.name or names.get(slug, slug), tuple(given.members)), whole
    elif areas.column is not None:
        labels = loaded.units.label(areas.column, loaded.regions)
        for slug in sorted(set(labels) - {""}):
            units = tuple(region for region, label in zip(loaded.regions, labels, strict=True) if label == slug)
            yield _of(slug, names.get(slug, slug), units), whole
    else:
        added_up = spec.unit is not None and spec.unit.level == "focus-area"
        for area in register_areas():
            own = loaded.members.get(area.slug)
            area = area if own is None else replace(area, members=own)
            codes, part = area.codes(), tuple(member.code for member in area.partial() if member.code)
            parts = tuple((member.code, member.share) for member in area.members if member.code and member.share)
            # Members added up may all be parts, as long as their shares are known.
            enough = parts if added_up else codes
            reason = "" if enough else "only-parts|" if part else "no-codes|"
            # What the user's own file names must be there; of the register only the codes of some areas are known.
            found = FocusArea(area.slug, area.name, codes, "", reason, part, parts)
            yield found, whole and own is not None


def _of(slug: str, name: str, units: tuple[str, ...]) -> FocusArea:
    return FocusArea(slug, name, units, "", parts=tuple((unit, 1.0) for unit in units))


def _whole(area: FocusArea, base: Loaded) -> FocusArea:
    """The area as the gemeenten that hold a part of it; the register knows them where it knows no members."""
    there = dict(zip(base.regions, base.gemeente, strict=True))
    inside = {there.get(code, "") or gemeente_or_blank(code) for code in (*dict(area.parts), *area.partial)} - {""}
    if not inside:
        inside = {known.gemeente_code for known in register_areas() if known.slug == area.slug}
    return replace(area, units=tuple(sorted(inside)), left_out="")


def _lifted(area: FocusArea, members: Mapping[str, Mapping[str, float]]) -> FocusArea:
    """The area in wijken that are added up from buurten: those that lie in it as a whole, and those that do in part."""
    own = dict(area.parts)
    touched = {unit: parts for unit, parts in members.items() if not own.keys().isdisjoint(parts)}
    whole = [unit for unit, parts in touched.items() if all(own.get(part) == 1 for part in parts)]
    cut = [unit for unit in touched if unit not in whole]
    named = {part for parts in touched.values() for part in parts}
    units = tuple(dict.fromkeys([*(code for code in area.units if code not in named), *whole]))
    return replace(area, units=units, partial=(*area.partial, *cut))


def _once(spec: Specification, loaded: Loaded, found: Sequence[FocusArea]) -> list[FocusArea]:
    """Areas of one gemeente as one: it counts once, from its earliest start, and not when one of them is left out."""
    names = {area.gemeente_code: area.gemeente for area in register_areas()}
    kept: list[FocusArea] = []
    for area in found:
        same = [other for other in found if set(other.units) & set(area.units)]
        where = " + ".join(names.get(code, code) for code in area.units)
        own = f"{area.name} ({where})"
        if where:
            area = replace(area, name=f"{where} ({', '.join(other.name for other in same) or area.name})")
        out = next((other.left_out for other in same if other.left_out), "")
        if area.left_out or out:
            kept.append(replace(area, left_out=area.left_out or out))
        elif same[0].slug != area.slug:
            kept.append(replace(area, name=own, left_out=f"same-gemeente|{where}"))
        else:
            start = min(other.start for other in same)
            early = "" if spec.before(start, loaded.periods) else f"already-treated|{start}"
            units = tuple(sorted({unit for other in same for unit in other.units}))
            unknown = () if all(other.parts for other in same) else ("",)
            partial = tuple(code for other in same for code in other.partial)
            parts = () if unknown else tuple(part for other in same for part in other.parts)
            kept.append(replace(area, units=units, start=start, left_out=early, partial=partial, parts=parts))
    return kept


def declared_regions(spec: Specification, loaded: Loaded) -> dict[str, str]:
    """Slug of the area of every region that the study calls treated, in part or without data too."""
    added_up = spec.unit is not None and spec.unit.level == "focus-area"
    return {
        region: area.slug
        for area, _ in _declared(spec, loaded)
        for region in (*area.partial, *dict(area.parts), *(() if added_up else area.units))
    }


def _whole_parts(area: FocusArea, base: Loaded) -> tuple[str, ...]:
    """The members by which an area starts: those that lie in it as a whole; of one without any, all of them."""
    there = [(code, share) for code, share in area.parts if code in base.regions]
    return tuple(code for code, share in there if share == 1) or tuple(code for code, _ in there)


def _starts(spec: Specification, loaded: Loaded, slug: str, units: tuple[str, ...]) -> tuple[str, ...]:
    """The different starts that are given for an area: one when all is well, "" among them for a blank."""
    start = spec.treatment.start
    if start.first_treated is not None:
        return (start.first_treated,)
    if start.by_area is not None:
        return (start.by_area.get(slug, ""),)
    return tuple(sorted({read_period(label)[0] or label for label in loaded.units.label(start.column, units)}))


def _outside(spec: Specification, loaded: Loaded, inside: set[str]) -> list[Problem]:
    """A region with a start of its own that lies in no area would be taken for untreated."""
    column = spec.treatment.start.column
    if column is None or spec.treatment.areas.column is None or spec.data.units is None:
        return []
    labels = zip(loaded.regions, loaded.units.label(column, loaded.regions), strict=True)
    treated = [region for region, label in labels if label not in _NEVER and region not in inside]
    if not treated:
        return []
    hint = f"Fill in '{spec.treatment.areas.column}', or take the start out."
    message = f"'{column}' gives a start to regions that lie in no area: {listed(treated)}."
    return [Problem("DATA-124", message, hint, spec.data.units.file, path=column)]
