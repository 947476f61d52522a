"""A collection of studies as values: the rows of its one table, and how far it was fixed beforehand.

The numbers stand in the records of the outcomes; here is only which of them stands in which row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from impact.evidence.addresses import VOUCHED, Place
from impact.evidence.family import Family, Member
from impact.evidence.record import Evidence
from impact.evidence.standing import Standing

__all__ = ["Collected", "Row", "families_of", "outcome_of"]

Text = dict[str, str]  # language code to text; "nl" is always there


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Attributes
    ----------
    number : int or None
        Of the indicator in the programme; None for one of a study's own.
    indicator : str
    outcome, unit : dict
        By language.
    better : str
        ``lower``, ``higher`` or ``neither``.
    kind : str
        ``register``, ``survey`` or ``modelled``.
    source : str
        Of the figures, in Dutch.
    study : str
        Which study is about it; "" where none is, and then:
    statement : str
        ``not-measurable`` or ``not-studied``.
    why : dict
        The reason, by language.
    phrase : dict
        The outcome as it stands inside a sentence, of a row without a study.
    """

    number: int | None
    indicator: str
    outcome: Text
    unit: Text
    better: str
    kind: str
    source: str = ""
    study: str = ""
    statement: str = ""
    why: Text = field(default_factory=dict)
    phrase: Text = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Collected:
    """A collection as it was run.

    Attributes
    ----------
    id : str
    title : dict
        By language.
    rows : tuple of Row
        In the order of the table.
    spec_sha256 : str
        Digest of what the file of the collection says.
    seed : int
        Of the draws of its families.
    standing : Standing
        How far the collection itself, with the locks of its studies, was fixed beforehand.
    studies : tuple of (str, str)
        Every study with the first digits of its lock; "" for one that is not locked.
    languages : tuple of str
        Of its report.
    whole : bool
        Whether all indicators of the programme have a row.
    """

    id: str
    title: Text
    rows: tuple[Row, ...]
    spec_sha256: str
    seed: int
    standing: Standing
    studies: tuple[tuple[str, str], ...]
    languages: tuple[str, ...] = ("nl", "en")
    whole: bool = True
    schema: int = 1

    @property
    def place(self) -> Place:
        """Where its numbers are: the address of a number is that of its study with this place before the ``#``."""
        standing = self.standing
        locked = standing.lock8 if standing.status != "exploratory" or standing.because in VOUCHED else ""
        return Place(self.id, locked or f"unlocked-{self.spec_sha256[:8]}", standing.look)


def outcome_of(outcomes: Sequence[Evidence], row: Row) -> Evidence | None:
    """The record that a row is about; None where no study is."""
    return next((one for one in outcomes if (one.study, one.indicator) == (row.study, row.indicator)), None)


def families_of(outcomes: Sequence[Evidence]) -> tuple[Family, ...]:
    """Every family once, each number as the page of its own outcome shows it."""
    found: dict[str, Family] = {}
    own: dict[tuple[str, str, str], Member] = {}
    for evidence in outcomes:
        for family in evidence.families:
            found.setdefault(family.name, family)
            own |= {
                (family.name, member.indicator, member.term): member
                for member in (*family.members, *family.horizons)
                if member.indicator == evidence.indicator
            }
    return tuple(family.as_told(own) for family in found.values())
