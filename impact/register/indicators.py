"""The 15 kernindicatoren of the programme (§6.1): what they are, where they come from and what they cannot say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from impact.errors import Problem, UsageError

__all__ = ["Availability", "Break", "Direction", "Indicator", "IndicatorKind", "indicator", "indicators"]


class Direction(StrEnum):
    """Which way is favourable; `context` has no favourable way."""

    LOWER = "lower"
    HIGHER = "higher"
    CONTEXT = "context"


class IndicatorKind(StrEnum):
    """Counted, asked of a sample, or predicted by a model."""

    REGISTER = "register"
    SURVEY = "survey"
    MODELLED = "modelled"


class Availability(StrEnum):
    """Whether figures per wijk can be had."""

    PUBLIC = "public"
    ON_REQUEST = "on-request"
    LOCAL_SAMPLE = "local-sample"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Break:
    """A period from which figures are not comparable with those before, and why (in Dutch)."""

    at: str
    what: str


@dataclass(frozen=True, slots=True)
class Indicator:
    """One kernindicator; texts are Dutch unless the name says otherwise.

    Attributes
    ----------
    number : int
        1 to 15, the order of the programme text.
    slug : str
        ``voortijdig-schoolverlaten``.
    programme : str
        The words of the programme text.
    nl, en : str
        Short name for tables.
    phrase, phrase_en : str
        The same as it stands in a sentence, in the singular: ``het aandeel voortijdig schoolverlaters``.
    unit, unit_en : str
        Unit of a difference in change.
    actielijn : int
        2 (wonen), 3 (meedoen) or 4 (veiligheid).
    direction : Direction
    kind : IndicatorKind
    source : str
    wijk : Availability
    frequency : str
    first : int or None
        First year, or the year in which the first school year starts; None when there is no series.
    waves : tuple of int
        Years of measurement when not every year is one.
    breaks : tuple of Break
    mechanical, mechanical_en : str
        How a modelled score moves without a change for residents; empty unless `kind` is modelled.
    not_measurable, not_measurable_en : str
        Why this can be no outcome of the programme; empty when it can be studied.
    note : str
        Other traps.
    """

    number: int
    slug: str
    programme: str
    nl: str
    en: str
    phrase: str
    phrase_en: str
    unit: str
    unit_en: str
    actielijn: int
    direction: Direction
    kind: IndicatorKind
    source: str
    wijk: Availability
    frequency: str
    first: int | None
    waves: tuple[int, ...]
    breaks: tuple[Break, ...]
    mechanical: str
    mechanical_en: str
    not_measurable: str
    not_measurable_en: str
    note: str

    @property
    def translations(self) -> dict[str, str]:
        """Unit and sentences in English, by their Dutch."""
        pairs = {
            self.unit: self.unit_en,
            self.mechanical: self.mechanical_en,
            self.not_measurable: self.not_measurable_en,
        }
        return {dutch: english for dutch, english in pairs.items() if dutch}


def _indicator(entry: Mapping[str, Any]) -> Indicator:
    return Indicator(
        number=entry["number"],
        slug=entry["slug"],
        programme=entry["programme"],
        nl=entry["name"]["nl"],
        en=entry["name"]["en"],
        phrase=entry["phrase"]["nl"],
        phrase_en=entry["phrase"]["en"],
        unit=entry["unit"]["nl"],
        unit_en=entry["unit"]["en"],
        actielijn=entry["actielijn"],
        direction=Direction(entry["direction"]),
        kind=IndicatorKind(entry["kind"]),
        source=entry["source"],
        wijk=Availability(entry["wijk"]),
        frequency=entry["frequency"],
        first=entry.get("first"),
        waves=tuple(entry.get("waves", ())),
        breaks=tuple(Break(**found) for found in entry.get("breaks", ())),
        mechanical=entry.get("mechanical", {}).get("nl", ""),
        mechanical_en=entry.get("mechanical", {}).get("en", ""),
        not_measurable=entry.get("not_measurable", {}).get("nl", ""),
        not_measurable_en=entry.get("not_measurable", {}).get("en", ""),
        note=entry.get("note", ""),
    )


@cache
def indicators() -> tuple[Indicator, ...]:
    """The 15 indicators in the order of the programme text."""
    from ruamel.yaml import YAML

    text = files(__package__).joinpath("indicators.yaml").read_text(encoding="utf-8")
    return tuple(_indicator(entry) for entry in YAML(typ="safe", pure=True).load(text))


def indicator(slug: str) -> Indicator:
    """The indicator with this slug.

    Raises
    ------
    UsageError
        When there is none, with the slug that looks most like it.
    """
    known = {found.slug: found for found in indicators()}
    if slug in known:
        return known[slug]
    close = get_close_matches(slug.casefold(), known, n=1)
    hint = f"Did you mean '{close[0]}'?" if close else f"Indicators are {', '.join(known)}."
    raise UsageError(Problem("REGISTER-002", f"'{slug}' is not one of the {len(known)} kernindicatoren.", hint))
