"""The areas part by part, and the list of buurten of focus and comparison areas to order a tailor-made table for.

Statistics Netherlands hides small cells in its tables before an evaluator can add them up, and adds up first where a
table is made for a list of buurten. That list must hold the comparison areas too, or they stay hidden while the focus
areas are known. What is not known of an area stands in the list as something to do: it never drops out of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np

from impact.errors import DataError, Problem, raise_all
from impact.register.areas import Area, Confidence, Member
from impact.sources.contract import Column, Contract, Kind, check_whole, read_columns
from impact.sources.frame import Table
from impact.sources.regions import Level, RegionKey, gemeente_or_blank, level_of
from impact.sources.tables import read_table
from impact.sources.values import Values

__all__ = ["Part", "comparison_parts", "focus_parts", "lies_in", "ordered", "parts_of_area", "read_buurten", "table"]

_LEVELS = tuple(Level)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an area, as it is listed and ordered.

    Attributes
    ----------
    area, role : str
        Slug, and whether it is a focus or a comparison area.
    name : str
        As the source calls the part; "" when only the code is known.
    gemeente : str
        Code; "" when unknown.
    code : str
        "" when unknown.
    vintage : int or None
        Year of the division of the code.
    share : float or None
        Part of it that lies in the area; None when unknown.
    source : str
    confidence : str
    todo : str
        What must be found out before the part can be ordered; "" when nothing.
    """

    area: str
    role: Literal["focus", "comparison"]
    name: str
    gemeente: str
    code: str
    vintage: int | None
    share: float | None
    source: str
    confidence: str
    todo: str


def focus_parts(areas: Iterable[Area], own: Mapping[str, Sequence[Member]] | None = None) -> tuple[Part, ...]:
    """The members of areas of the register, or those of a file of one's own, which go before it.

    An area of which no member is known is one part with that to do.
    """
    return tuple(
        part
        for area in areas
        for part in parts_of_area(area.slug, (own or {}).get(area.slug, area.members), area.gemeente_code)
    )


def parts_of_area(slug: str, members: Sequence[Member], gemeente: str = "") -> tuple[Part, ...]:
    """The members of one focus area; one part with that to do where no member is known."""
    if members:
        return tuple(_part(slug, "focus", member, gemeente) for member in members)
    nothing = _part(slug, "focus", Member("", "", None, None, "", Confidence.UNKNOWN), gemeente)
    return (replace(nothing, todo="which wijken and buurten lie in it is not known"),)


def comparison_parts(areas: Mapping[str, Sequence[Member]]) -> tuple[Part, ...]:
    """The members of comparison areas, by name of the area."""
    return tuple(_part(slug, "comparison", member, "") for slug, members in areas.items() for member in members)


def _part(slug: str, role: Literal["focus", "comparison"], member: Member, gemeente: str) -> Part:
    todo = ""
    if not member.code:
        todo = "its code is not known"
    elif member.share is None:
        todo = "which part of it lies in the area is not known"
    elif member.share < 1:
        todo = "only a part of it lies in the area: name the buurten, or addresses"
    elif member.vintage is None:
        todo = "the year of its code is not known"
    return Part(
        slug,
        role,
        member.name,
        gemeente_or_blank(member.code) or gemeente,
        member.code,
        member.vintage,
        member.share,
        member.source,
        member.confidence.value,
        todo,
    )


def lies_in(code: str, member: str) -> bool:
    """Whether a region is the member or lies in it, as their codes have it: BU05183387 in WK051833 in GM0518."""
    inner, outer = level_of(code), level_of(member)
    smaller = outer is not Level.LAND and _LEVELS.index(inner) > _LEVELS.index(outer)
    return code == member or (smaller and code[2:].startswith(member[2:]))


def ordered(parts: Sequence[Part], buurten: Mapping[RegionKey, str]) -> tuple[Part, ...]:
    """The parts buurt by buurt: a wijk or gemeente becomes the buurten that it had in the year of its code.

    Parameters
    ----------
    parts : sequence of Part
        Of focus and comparison areas together.
    buurten : mapping from buurt to name
        Of every year of which wijken are to be taken apart.

    Returns
    -------
    tuple of Part
        What cannot be taken apart stays as it is, with what there is to do.

    Raises
    ------
    DataError
        ``DATA-149`` a region that lies in one area as a whole and in another too, or twice in one: its residents would
        be counted twice.
    """
    found = [one for part in parts for one in _apart(part, buurten)]
    raise_all(
        (
            Problem(
                "DATA-149",
                f"{one.area} and {other.area} both hold {one.code} ({one.vintage})."
                if one.code == other.code
                else f"{one.area} holds {one.code} and {other.area} {other.code}, which overlap ({one.vintage}).",
                "A region counts in one area, once; a comparison area has no part of a focus area.",
            )
            for one, other in _overlaps(found)
        ),
        DataError,
    )
    return tuple(found)


def _overlaps(parts: Sequence[Part]) -> Iterator[tuple[Part, Part]]:
    """Pairs of which one, as a whole, holds ground of the other; parts of a region may be in two areas."""
    near: dict[tuple[int | None, str], list[Part]] = {}
    for part in parts:
        if part.code:
            near.setdefault((part.vintage, part.gemeente), []).append(part)
    for same in near.values():
        for one, other in combinations(same, 2):
            shared = lies_in(one.code, other.code) or lies_in(other.code, one.code)
            if shared and 1.0 in (one.share, other.share):
                yield one, other


def _apart(part: Part, buurten: Mapping[RegionKey, str]) -> Iterator[Part]:
    if part.todo or level_of(part.code) is Level.BUURT:
        yield part
        return
    inside = sorted(key for key in buurten if key.vintage == part.vintage and lies_in(key.code, part.code))
    for key in inside:
        yield replace(part, code=key.code, name=buurten[key])
    if not inside:
        yield replace(part, todo=f"its buurten of {part.vintage} are not in the list of buurten")


def read_buurten(path: Path) -> dict[RegionKey, str]:
    """Every buurt and its name in a table with the columns code, vintage and, if it has one, name.

    Rows of wijken and gemeenten are passed over, so that a table of Kerncijfers wijken en buurten will do.

    Raises
    ------
    DataError
        What `read_table` and the contract find; ``DATA-143`` a vintage that is no year of a division.
    """
    read = read_table(path)
    if not isinstance(read, Table):
        raise DataError(read)
    contract = Contract(
        (Column("code", Kind.CODE), Column("vintage", Kind.NUMBER), Column("name", Kind.TEXT, required=False))
    )
    columns, unreadable = read_columns(read.frame, contract, read.places, read.file)
    raise_all((*check_whole(read.frame, contract, read.file), *unreadable), DataError)
    years = columns["vintage"]
    assert isinstance(years, Values)
    odd = [row for row, year in enumerate(years.number.tolist()) if not (year.is_integer() and 1995 <= year <= 2100)]
    if odd:
        message = f"a vintage is the year of a division ({read.places.name(odd, 'vintage')})."
        line = int(read.places.of("vintage")[odd].min())
        raise DataError(Problem("DATA-143", message, "Such as 2024.", read.file, line, path="vintage"))
    codes = [str(code) for code in np.asarray(columns["code"])]
    names = [str(name).strip() for name in np.asarray(columns["name"])] if "name" in columns else [""] * len(codes)
    return {
        RegionKey(code, int(year)): name
        for code, year, name in zip(codes, years.number.tolist(), names, strict=True)
        if level_of(code) is Level.BUURT
    }


def table(parts: Sequence[Part]) -> tuple[tuple[str, ...], list[tuple[str | float | None, ...]]]:
    """Column names and rows, None where something is not known."""
    names = tuple(field.name for field in fields(Part))
    return names, [tuple(getattr(part, name) for name in names) for part in parts]
