"""The address of every number: study, lock, look, outcome and which number of it, as a letter can print and find it.

``slug@lock8.look#outcome.target.term``, in small letters, digits and hyphens. A study that was not locked, or that does
not say what its lock holds, has ``unlocked-`` and the first digits of the digest of its specification in that place.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from impact.errors import Problem, UsageError
from impact.evidence.record import Estimate, Evidence

__all__ = ["VOUCHED", "Address", "Place", "address_of", "place_of", "primary_address", "read_address", "read_place"]

_SLUG = r"[a-z0-9]+(?:-[a-z0-9]+)*"
_PLACE = rf"(?P<study>{_SLUG})@(?P<lock>(?:unlocked-)?[0-9a-f]{{8}})"
_LOOK = r"\.(?P<look>[1-9][0-9]{0,3})"
_NUMBER = rf"#(?P<outcome>{_SLUG})\.(?P<target>{_SLUG})\.(?P<term>-?{_SLUG})"
_ADDRESS = re.compile(_PLACE + _LOOK + _NUMBER)
_PART = re.compile(f"{_PLACE}(?:{_LOOK}(?:{_NUMBER})?)?")
_LONGEST = 500
_FORM = "such as voortijdig-schoolverlaten@3f9c2a1b.1#voortijdig-schoolverlaten.average.2023-2024"
# A name that an alternative has in common with these is told apart by a word before it.
_OWN = re.compile(r"average|event|(average|bracket|family|event|alternative)-.*")
VOUCHED = ("", "amended", "data", "outcomes")
"""Why no better than pre-specified, and yet what the lock holds was run."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where numbers are: a study, its lock and a look at it; also all looks (0)."""

    study: str
    lock: str
    look: int

    def __str__(self) -> str:
        return f"{self.study}@{self.lock}" + (f".{self.look}" if self.look else "")


@dataclass(frozen=True, slots=True)
class Address:
    """One number.

    Attributes
    ----------
    place : Place
    outcome : str
        Slug of the indicator.
    target : str
        ``average`` (the answer of the study), ``average-resident`` and such (weighted otherwise), ``event``,
        ``bracket-unmatched`` and such, ``family-`` and ``event-family-`` with the name of the family, or the name of an
        alternative.
    term : str
        The periods that it is about, or the periods since the start.
    """

    place: Place
    outcome: str
    target: str
    term: str

    def __str__(self) -> str:
        return f"{self.place}#{self.outcome}.{self.target}.{self.term}"


def read_address(text: str) -> Address:
    """The address in `text`.

    Raises
    ------
    UsageError
        ``ADDRESS-001`` it is none.
    """
    found = _ADDRESS.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        raise UsageError(Problem("ADDRESS-001", f"{text[:_LONGEST]!r} is no address of a number", _FORM))
    place = Place(found["study"], found["lock"], int(found["look"]))
    return Address(place, found["outcome"], found["target"], found["term"])


def read_place(text: str) -> Place | Address:
    """The address in `text`, or its part before the number (``slug@lock8.2``) or before the look (``slug@lock8``).

    Raises
    ------
    UsageError
        ``ADDRESS-001`` it is neither.
    """
    found = _PART.fullmatch(text) if len(text) <= _LONGEST else None
    if found is None:
        raise UsageError(Problem("ADDRESS-001", f"{text[:_LONGEST]!r} is no address, nor the first part of one", _FORM))
    if found["term"] is not None:
        return read_address(text)
    return Place(found["study"], found["lock"], int(found["look"] or 0))


def place_of(evidence: Evidence) -> Place:
    """Study, lock and look of a record."""
    standing = evidence.standing
    locked = standing.lock8 if evidence.status != "exploratory" or standing.because in VOUCHED else ""
    return Place(evidence.study, locked or f"unlocked-{evidence.spec_sha256[:8]}", standing.look)


def address_of(evidence: Evidence, role: str, name: str, same: bool, estimate: Estimate) -> Address:
    """The address of a number by its role and its name, as they stand in the tidy table.

    An alternative that is not about the same (`same`) may be about other periods, and has the name of its term.
    """
    term = estimate.term
    whole = term == evidence.primary.term and role != "event"
    targets = {
        "primary": "average",
        "weighting": f"average-{name}",
        "bracket": f"bracket-{name}",
        "event": "event",
        "family": f"family-{name}" if whole else f"event-family-{name}",
        "alternative": f"alternative-{name}" if _OWN.fullmatch(name) else name,
    }
    about = whole and (same or role != "alternative")
    return Address(place_of(evidence), evidence.indicator, targets[role], _periods(evidence) if about else _safe(term))


def primary_address(evidence: Evidence) -> Address:
    """The address of the answer itself; there is one also where there is no number."""
    return address_of(evidence, "primary", "", True, evidence.primary)


def _periods(evidence: Evidence) -> str:
    return _safe("-".join(dict.fromkeys(evidence.window)))


def _safe(text: str) -> str:
    """Small letters, digits and single hyphens; a whole number keeps its sign."""
    if re.fullmatch(r"-?[0-9]+", text):
        return text
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    return "-".join(re.findall(r"[a-z0-9]+", plain.lower())) or "all"
