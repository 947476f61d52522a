"""The 20 focusgebieden of the programme in 19 gemeenten, and what is known of their borders.

No official list of CBS codes exists in public; `areas.csv` follows the programme text (§2.1, §5.1), `members.csv` what
gemeenten and maps say, each with its source. What is not known stays empty and is never guessed. Which twelve areas
came from the woondeal regions in 2020 and which four were added is not in the text: it follows from where the six
woondeal regions lie, which gives exactly twelve and four. Rotterdam-Zuid, one of the twelve, started in 2011 (NPRZ).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from importlib.resources import files

from impact.errors import Problem, UsageError

__all__ = ["Area", "Cohort", "Confidence", "Member", "area", "areas"]


class Cohort(StrEnum):
    """How an area came into the programme; the year is that of its designation, not of its first euro."""

    NPRZ_2011 = "nprz-2011"
    WOONDEAL_2020 = "woondeal-2020"
    ADDED_2020 = "toegevoegd-2020"
    ADDED_2022 = "toegevoegd-2022"


class Confidence(StrEnum):
    """How sure a statement in the register is."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Member:
    """A part of an area.

    Attributes
    ----------
    name : str
        As the source calls it; empty when only the code is known.
    code : str
        Wijk or buurt code; empty when unknown.
    vintage : int or None
        Year of the division in which the code was seen.
    share : float or None
        Part of the wijk or buurt that lies in the area; 1 = all of it, None = unknown.
    source : str
        Where this comes from, in Dutch.
    confidence : Confidence
    """

    name: str
    code: str
    vintage: int | None
    share: float | None
    source: str
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class Area:
    """A focusgebied.

    Attributes
    ----------
    slug, name : str
        ``delft-west``, ``Delft West``; the name is spelled as in the programme text.
    gemeente_code, gemeente : str
    cohort : Cohort
    since : int
        Year of designation.
    cohort_confidence, delineation_confidence : Confidence
        Of the cohort, and of the members taken together.
    members : tuple of Member
        Empty when nothing is known.
    """

    slug: str
    name: str
    gemeente_code: str
    gemeente: str
    cohort: Cohort
    since: int
    cohort_confidence: Confidence
    delineation_confidence: Confidence
    members: tuple[Member, ...]

    def codes(self) -> tuple[str, ...]:
        """Codes of the members that lie in the area as a whole; empty when no code is known."""
        return tuple(member.code for member in self.members if member.code and member.share == 1.0)

    def partial(self) -> tuple[Member, ...]:
        """Members of which only a part, or an unknown part, lies in the area."""
        return tuple(member for member in self.members if member.share != 1.0)


def _rows(name: str) -> list[dict[str, str]]:
    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def areas() -> tuple[Area, ...]:
    """The 20 areas, in the order in which the programme text names them (§2.1)."""
    members: dict[str, list[Member]] = {}
    for row in _rows("members.csv"):
        vintage = int(row["vintage"]) if row["vintage"] else None
        share = float(row["share"]) if row["share"] else None
        member = Member(row["name"], row["code"], vintage, share, row["source"], Confidence(row["confidence"]))
        members.setdefault(row["area"], []).append(member)
    return tuple(
        Area(
            row["slug"],
            row["name"],
            row["gemeente_code"],
            row["gemeente"],
            Cohort(row["cohort"]),
            int(row["since"]),
            Confidence(row["cohort_confidence"]),
            Confidence(row["delineation_confidence"]),
            tuple(members.get(row["slug"], ())),
        )
        for row in _rows("areas.csv")
    )


def area(slug: str) -> Area:
    """The area with this slug.

    Raises
    ------
    UsageError
        When there is none, with the slug that looks most like it.
    """
    known = {found.slug: found for found in areas()}
    if slug in known:
        return known[slug]
    close = get_close_matches(slug.casefold(), known, n=1)
    hint = f"Did you mean '{close[0]}'?" if close else f"Areas are {', '.join(known)}."
    raise UsageError(Problem("REGISTER-001", f"'{slug}' is not one of the {len(known)} focusgebieden.", hint))
