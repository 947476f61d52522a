"""Where the residents of a unit live: its parts with their residents, and which of them touch a treated area."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from impact.arrays import Float1
from impact.design.exposure import exposed_residents
from impact.errors import DataError, Problem
from impact.evidence.record import DataFile
from impact.files import sha256
from impact.sources.polygons import Polygons, needs_shapely, read_numbers, read_polygons
from impact.sources.regions import Level, level_of, read_code
from impact.study.faults import Fault
from impact.study.model import Specification

__all__ = ["Parts", "beside_share", "faults_of_parts", "read_parts"]

_SMALLER = {Level.GEMEENTE: (Level.WIJK, Level.BUURT), Level.WIJK: (Level.BUURT,)}
_HEAD = {Level.GEMEENTE: ("GM", 6), Level.WIJK: ("WK", 8)}


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Parts of units: their shapes by code, the unit that each lies in by its code, and its residents.

    Attributes
    ----------
    polygons : Polygons
        Of N parts.
    units : (N,) tuple of str
    residents : (N,) float
        nan where unknown.
    file : DataFile
    """

    polygons: Polygons
    units: tuple[str, ...]
    residents: Float1
    file: DataFile


def faults_of_parts(spec: Specification) -> Iterator[Fault]:
    """Whether the outcomes are about something that has parts."""
    given, level = spec.data.polygons, spec.data.outcomes.level
    if given is not None and given.parts is not None and level not in ("gemeente", "wijk"):
        hint = "State `level: wijk` or `level: gemeente` in `data.outcomes`, or take `parts` out."
        yield Fault(("data", "polygons", "parts"), "the outcomes are not said to be about regions with parts", hint)


def read_parts(path: Path, spec: Specification, problems: list[Problem]) -> Parts | None:
    """The parts that the study names; whatever is wrong is added to `problems`, and then there are none."""
    given = spec.data.polygons
    assert given is not None and given.parts is not None and spec.data.outcomes.level is not None
    file, level = given.parts.file, Level(spec.data.outcomes.level)
    try:
        drawn = read_polygons(path, given.parts.column, given.crs)
        codes = [read_code(region) for region in drawn.regions]
    except DataError as error:
        problems.extend(replace(problem, file=file) for problem in error.problems)
        return None
    odd = [code for code in codes if level_of(code) not in _SMALLER[level]]
    if odd or len(set(codes)) < len(codes):
        message = f"the parts of a {level} are smaller than it, each once; see {', '.join((odd or codes)[:5])}."
        problems.append(Problem("DATA-109", message, "Name the property with the codes of buurten.", file))
        return None
    try:
        residents = read_numbers(path, given.parts.column, given.parts.residents)
    except DataError as error:
        problems.extend(replace(problem, file=file) for problem in error.problems)
        return None
    head, width = _HEAD[level]
    units = tuple(f"{head}{code[2:width]}" for code in codes)
    numbers = np.array([residents[region] for region in drawn.regions])
    return Parts(drawn, units, numbers, DataFile("parts", file, sha256(path), len(drawn)))


def beside_share(
    parts: Parts, polygons: Polygons, sources: Collection[str], tolerance: float
) -> dict[str, float | None]:
    """Share of the residents of every unit that live in a part which touches a source, to within `tolerance` metres.

    Of the sources themselves there is none to give; None also where residents are unknown.
    """
    shapely = needs_shapely()
    there = sorted(set(sources) & set(polygons.regions))
    if not there:
        return {}
    near, _ = shapely.STRtree(parts.polygons.shapes).query(
        polygons.shapes[polygons.rows(there)], predicate="dwithin", distance=tolerance
    )[::-1]
    touches = np.zeros(len(parts.units), dtype=bool)
    touches[near] = True
    found = exposed_residents(parts.units, parts.polygons.regions, parts.residents, touches)
    return {unit: share for unit, share in found.items() if unit not in set(there)}
