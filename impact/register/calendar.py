"""What else happened: the steps of the programme, other measures, national shocks and breaks in measurement."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

__all__ = ["Event", "EventKind", "Reach", "events"]


class EventKind(StrEnum):
    """What an event is to an evaluation."""

    PROGRAMME = "programme"
    CO_TREATMENT = "co-treatment"
    SHOCK = "shock"
    MEASUREMENT = "measurement"


class Reach(StrEnum):
    """Whom it touches: only focusgebieden, some gemeenten (also outside the programme), or the whole country."""

    AREAS = "areas"
    GEMEENTEN = "gemeenten"
    NATIONAL = "national"


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes
    ----------
    slug, nl : str
        Handle and Dutch name.
    kind : EventKind
    reach : Reach
    first, last : str
        Periods as ``2022`` or ``2022-07``; `last` is empty when it goes on.
    affects : tuple of str
        Slugs of indicators; empty when it may touch all of them.
    source : str
    participants : tuple of str
        Codes of the gemeenten that take part, where a source names them all; empty where none does.
    """

    slug: str
    nl: str
    kind: EventKind
    reach: Reach
    first: str
    last: str
    affects: tuple[str, ...]
    source: str
    participants: tuple[str, ...] = ()


@cache
def events() -> tuple[Event, ...]:
    """Every event of the register."""
    from ruamel.yaml import YAML

    text = files(__package__).joinpath("calendar.yaml").read_text(encoding="utf-8")
    return tuple(
        Event(
            entry["slug"],
            entry["nl"],
            EventKind(entry["kind"]),
            Reach(entry["reach"]),
            entry["first"],
            entry.get("last", ""),
            tuple(entry.get("affects", ())),
            entry["source"],
            tuple(entry.get("participants", ())),
        )
        for entry in YAML(typ="safe", pure=True).load(text)
    )
