"""The borders of a study's regions: read and repaired, rules on place, and how near every unit lies to a focus area."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from impact.design.donors import Rule
from impact.design.donors_exposed import beside, beyond, within
from impact.design.exposure import Exposure, exposure
from impact.design.geometry import Adjacency, adjacency
from impact.errors import DataError, Problem, Refused
from impact.evidence.language import Texts, listed, number
from impact.evidence.record import DataFile
from impact.files import sha256
from impact.longtable import few
from impact.sources.polygons import LONLAT, Polygons, Repair, read_polygons
from impact.sources.regions import Level, gemeente_of, read_code
from impact.study.faults import Fault
from impact.study.leave_out import LeaveOut
from impact.study.model import Specification

__all__ = ["Borders", "borders_said", "exposed", "faults_of_borders", "place_rule", "read_borders"]


@dataclass(frozen=True, slots=True, eq=False)
class Borders:
    """Borders of regions, and which of them touch.

    Attributes
    ----------
    polygons : Polygons
        By code in canonical spelling; also of regions that the data do not hold.
    touching : Adjacency
        Regions that share a point or more.
    file : DataFile
    """

    polygons: Polygons
    touching: Adjacency
    file: DataFile


def faults_of_borders(spec: Specification) -> Iterator[Fault]:
    """What the file of polygons contradicts."""
    given = spec.data.polygons
    if given is not None and None not in (given.vintage, spec.data.vintage) and given.vintage != spec.data.vintage:
        message = f"the polygons are of {given.vintage}, the regions that are compared of {spec.data.vintage}"
        hint = "A code can stand for other ground in another year; give the polygons of that division."
        yield Fault(("data", "polygons", "vintage"), message, hint)


def read_borders(path: Path, spec: Specification, problems: list[Problem]) -> Borders | None:
    """The borders that the study names; whatever is wrong is added to `problems`, and then there are none.

    Raises
    ------
    UsageError
        ``MAP-001`` where the optional ``spatial`` is not installed.
    """
    given = spec.data.polygons
    assert given is not None
    digest = sha256(path)
    if given.sha256 is not None and given.sha256 != digest:
        message = f"the file is not the one that was stated: sha256 is {digest}, stated was {given.sha256}."
        hint = "If the new file is right, state its sha256; if not, fetch the old one."
        problems.append(Problem("DATA-106", message, hint, given.file))
        return None
    try:
        drawn = _coded(read_polygons(path, given.column, given.crs), spec, problems)
    except DataError as error:
        problems.extend(replace(problem, file=given.file) for problem in error.problems)
        return None
    if drawn is None:
        return None
    vintage = "" if given.vintage is None else str(given.vintage)
    file = DataFile("polygons", given.file, digest, len(drawn), given.source, vintage)
    drawn = _whole(drawn, spec)
    return Borders(drawn, adjacency(drawn, "queen", given.tolerance), file)


def _whole(drawn: Polygons, spec: Specification) -> Polygons:
    """The borders of gemeenten where those are compared: those of their wijken or buurten together."""
    if spec.unit is None or spec.unit.level != "gemeente":
        return drawn
    members: dict[str, list[str]] = {}
    for region in drawn.regions:
        members.setdefault(gemeente_of(region), []).append(region)
    return replace(drawn.joined(members), repairs=drawn.repairs)


def _coded(drawn: Polygons, spec: Specification, problems: list[Problem]) -> Polygons | None:
    """The polygons by canonical code."""
    given = spec.data.polygons
    assert given is not None
    level = None if spec.data.outcomes.level is None else Level(spec.data.outcomes.level)
    code: dict[str, str] = {}
    odd = []
    for region in drawn.regions:
        try:
            code[region] = read_code(region, level)
        except DataError as error:
            odd.append(error.problems[0].message.removesuffix("."))
    twice = sorted(one for one, count in Counter(code.values()).items() if count > 1)
    if odd or twice:
        said = f"{'; '.join(odd[:5])}{f' and {len(odd) - 5} more' if len(odd) > 5 else ''}"
        message = f"codes of polygons cannot be read: {said}." if odd else f"two spellings of {', '.join(twice[:5])}."
        hint = "Name the property with codes of wijken, buurten or gemeenten, as in the table of outcomes."
        problems.append(Problem("DATA-109", message, hint, given.file, path=given.column))
        return None
    order = sorted(range(len(drawn)), key=lambda row: code[drawn.regions[row]])
    repairs = tuple(replace(repair, region=code[repair.region]) for repair in drawn.repairs)
    return Polygons(tuple(code[drawn.regions[row]] for row in order), drawn.shapes[order], repairs, drawn.source)


# --- rules ------------------------------------------------------------------------------------------------------------


def place_rule(
    rule: LeaveOut, borders: Borders, regions: Sequence[str], sources: Mapping[str, str], parts: Sequence[str] = ()
) -> Rule | Refused:
    """The rule ``adjacent``, ``near`` or ``far`` on these borders; `sources` gives the area of every treated region.

    `parts` are sources that the data hold and that are no region of their own, as areas are added up from them.
    """
    if lost := sorted(set(parts) - set(borders.polygons.regions)):
        why = f"the borders of {few(lost)} are unknown"
        instead = "Give the polygons of all parts of the areas, in the division of the outcomes."
        return Refused(f"the rule {rule.rule}", why, instead)
    if rule.rule == "adjacent":
        touching = borders.touching.rook() if rule.sharing == "border" else borders.touching
        return beside(regions, touching, sources, rule.rings or 1, rule.why)
    assert rule.km is not None
    found = exposed(borders, sources)
    if found is None:
        return Refused(f"the rule {rule.rule}", "no treated unit has a polygon", "Give the polygons of all of them.")
    return (within if rule.rule == "near" else beyond)(regions, found, sources, rule.km, rule.why)


def exposed(borders: Borders, sources: Mapping[str, str]) -> Exposure | None:
    """How near every polygon lies to the sources that have one; None when none of them has."""
    there = frozenset(sources) & frozenset(borders.polygons.regions)
    return _exposed(borders, there) if there else None


@lru_cache(maxsize=4)
def _exposed(borders: Borders, sources: frozenset[str]) -> Exposure:
    """Once for all outcomes and alternatives that have the same areas."""
    return exposure(borders.polygons, sources, borders.touching)


# --- what is said of them ---------------------------------------------------------------------------------------------


def borders_said(borders: Borders, regions: Sequence[str], say: Texts) -> Iterator[str]:
    """How the borders were read, what was repaired in them, and which regions of the data have none."""
    drawn, language = borders.polygons, say.language
    tolerance = number(borders.touching.tolerance, language, 0 if borders.touching.tolerance >= 1 else 2)
    key = "projected" if drawn.source == LONLAT else "read"
    yield say(f"run.note.borders-{key}", count=number(len(drawn), language, 0), tolerance=tolerance)
    for why in sorted({repair.why for repair in drawn.repairs}):
        kind = [repair for repair in drawn.repairs if repair.why == why]
        yield say(
            "run.note.borders-repaired",
            count=number(len(kind), language, 0),
            why=say.known(f"run.note.borders-why.{why.casefold().replace(' ', '-')}", why),
            area=number(sum(abs(repair.after - repair.before) for repair in kind) / 1e6, language, 3),
            whole=number(sum(repair.after for repair in kind) / 1e6, language, 1),
            lines=number(sum(repair.left_out for repair in kind) / 1e3, language, 1),
            most=_most(kind, say),
            list=listed((repair.region for repair in kind), language),
        )
    twofold = borders.touching.overlap > borders.touching.tolerance**2
    if twofold.any():
        area = number(float(borders.touching.overlap[twofold].sum()) / 1e6, language, 3)
        yield say("run.note.borders-overlap", count=number(int(twofold.sum()), language, 0), area=area)
    absent = sorted(set(regions) - set(drawn.regions))
    if absent:
        more = [say("run.remark-more", count=number(len(absent) - 20, language, 0))] if len(absent) > 20 else []
        named = listed([*absent[:20], *more], language)
        yield say("run.note.borders-absent", count=number(len(absent), language, 0), list=named)


def _most(repairs: Sequence[Repair], say: Texts) -> str:
    most = max(repairs, key=lambda repair: (abs(round(repair.change, 6)), repair.left_out, repair.region))
    change = say("format.percent", number=number(100 * most.change, say.language, 2, sign=True))
    return f"{most.region} ({change})"
