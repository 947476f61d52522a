"""Which units are treated from when on: the areas of the register, of a column, or of the study's own list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from impact.errors import DataError, Problem, raise_all
from impact.register.areas import areas as register_areas
from impact.sources.contract import listed
from impact.sources.periods import read_period
from impact.study.load import Loaded
from impact.study.model import Specification

__all__ = ["FocusArea", "declared_regions", "focus_areas"]

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
    """

    slug: str
    name: str
    units: tuple[str, ...]
    start: str
    left_out: str = ""
    partial: tuple[str, ...] = ()


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
    known = set(loaded.regions)
    numbers = np.logical_or.reduce([np.isfinite(series.raw).any(axis=1) for series in loaded.series])
    with_number = {region for region, has in zip(loaded.regions, numbers, strict=True) if has}
    found = []
    declared = list(_declared(spec, loaded))
    for area, strict in declared:
        absent = [code for code in area.units if code not in known]
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
        starts = _starts(spec, loaded, area.slug, present)
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
    problems += _outside(spec, loaded, {unit for area, _ in declared for unit in area.units})
    raise_all(problems, DataError)
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
    """The areas as the study declares them, and whether every code must be in the data."""
    areas, whole = spec.treatment.areas, spec.treatment.only is None
    names = {area.slug: area.name for area in register_areas()}
    if areas.listed is not None:
        for slug, given in areas.listed.items():
            yield FocusArea(slug, given.name or names.get(slug, slug), tuple(given.members), ""), whole
    elif areas.column is not None:
        labels = loaded.units.label(areas.column, loaded.regions)
        for slug in sorted(set(labels) - {""}):
            units = tuple(region for region, label in zip(loaded.regions, labels, strict=True) if label == slug)
            yield FocusArea(slug, names.get(slug, slug), units, ""), whole
    else:
        for area in register_areas():
            own = loaded.members.get(area.slug)
            area = area if own is None else replace(area, members=own)
            codes, part = area.codes(), tuple(member.code for member in area.partial() if member.code)
            reason = "" if codes else "only-parts|" if part else "no-codes|"
            # What the user's own file names must be there; of the register only the codes of some areas are known.
            yield FocusArea(area.slug, area.name, codes, "", reason, part), whole and own is not None


def declared_regions(spec: Specification, loaded: Loaded) -> dict[str, str]:
    """Slug of the area of every region that the study calls treated, in part or without data too."""
    return {region: area.slug for area, _ in _declared(spec, loaded) for region in (*area.partial, *area.units)}


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
