"""Which units are treated from when on: the areas of the register, of a column, or of the study's own list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from impact.errors import DataError, Problem, raise_all
from impact.register.areas import areas as register_areas
from impact.sources.contract import listed
from impact.study.load import Loaded
from impact.study.model import Specification

__all__ = ["FocusArea", "focus_areas", "register_codes"]


@dataclass(frozen=True, slots=True)
class FocusArea:
    """A treated area of the study.

    Attributes
    ----------
    slug, name : str
    units : tuple of str
        Regions of the data that lie in it.
    start : str
        First treated period.
    left_out : str
        Why it is not in the estimate: a key of the text catalogue, with what it speaks of behind a bar; "" when it is.
    """

    slug: str
    name: str
    units: tuple[str, ...]
    start: str
    left_out: str = ""


def focus_areas(spec: Specification, loaded: Loaded) -> tuple[FocusArea, ...]:
    """All areas of the study, those that cannot be estimated with the reason.

    Raises
    ------
    DataError
        ``DATA-120`` an area of the study's own list whose codes are not in the data; ``DATA-121`` an area without a
        start; ``DATA-122`` a start after the last period; ``DATA-123`` no area left with a period before its start.
    """
    file = spec.data.outcomes.file
    problems: list[Problem] = []
    known = set(loaded.regions)
    found = []
    for area, strict in _declared(spec, loaded):
        absent = [code for code in area.units if code not in known]
        if strict and absent:
            hint = "Check the codes and their year; a code can have been withdrawn or re-used."
            problems.append(
                Problem("DATA-120", f"{area.name}: {listed(absent)} is not in the data.", hint, file, path=area.slug)
            )
        present = tuple(code for code in area.units if code in known)
        if area.left_out or not present:
            found.append(replace(area, units=present, left_out=area.left_out or "no-data|"))
            continue
        start = _start(spec, loaded, area.slug, present)
        if not start:
            problems.append(
                Problem(
                    "DATA-121",
                    f"{area.name} has no first treated period.",
                    "State it under treatment.start.",
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
        early = "already-treated|" + start if start and start <= loaded.periods[0] else ""
        found.append(replace(area, units=present, start=start, left_out=early))
    raise_all(problems, DataError)
    if all(area.left_out for area in found):
        raise DataError(
            Problem(
                "DATA-123",
                "no focus area has both data and a period before its start.",
                "; ".join(f"{area.name}: {area.left_out.strip('|')}" for area in found[:5]),
                file,
            )
        )
    return tuple(found)


def register_codes() -> frozenset[str]:
    """Every code that lies in a focus area of the programme, as a whole or in part."""
    return frozenset(member.code for area in register_areas() for member in area.members if member.code)


def _declared(spec: Specification, loaded: Loaded) -> Iterator[tuple[FocusArea, bool]]:
    """The areas as the study declares them, and whether every code must be in the data."""
    areas = spec.treatment.areas
    names = {area.slug: area.name for area in register_areas()}
    if areas.listed is not None:
        for slug, given in areas.listed.items():
            yield FocusArea(slug, given.name or names.get(slug, slug), tuple(given.members), ""), True
    elif areas.column is not None:
        labels = loaded.units.label(areas.column, loaded.regions)
        for slug in sorted(set(labels) - {""}):
            units = tuple(region for region, label in zip(loaded.regions, labels, strict=True) if label == slug)
            yield FocusArea(slug, names.get(slug, slug), units, ""), True
    else:
        for area in register_areas():
            codes = area.codes()
            yield FocusArea(area.slug, area.name, codes, "", "" if codes else "no-codes|"), False


def _start(spec: Specification, loaded: Loaded, slug: str, units: tuple[str, ...]) -> str:
    start = spec.treatment.start
    if start.first_treated is not None:
        return start.first_treated
    if start.by_area is not None:
        return start.by_area.get(slug, "")
    given = {label for label in loaded.units.label(start.column, units) if label}
    return given.pop() if len(given) == 1 else ""
