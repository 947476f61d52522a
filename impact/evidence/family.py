"""What was found for a whole family of outcomes at once, as values that a record holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from impact.errors import Refused

__all__ = ["Family", "Index", "Listed", "Member"]

Outcome = Literal["estimated", "no-p-value", "sealed", "not-measurable", "not-studied"]


@dataclass(frozen=True, slots=True)
class Member:
    """One number of a family: an outcome, over all its periods or in one of them.

    Attributes
    ----------
    indicator : str
    outcome : dict
        Its name by language.
    whole : str
        The sum that it is a part of, or itself: parts of one sum are one finding.
    term : str
        "average", or the periods since the start.
    state : str
        Whether it was tested, and if not, why.
    value, std_error, p_value : float or None
        As declared: not changed by the family.
    adjusted : float or None
        The p-value that holds for the family.
    low, high : float or None
        Interval that holds for all members at once; None where the correction gives none.
    """

    indicator: str
    outcome: dict[str, str]
    whole: str
    term: str
    unit: str
    state: Outcome
    value: float | None = None
    std_error: float | None = None
    p_value: float | None = None
    adjusted: float | None = None
    low: float | None = None
    high: float | None = None

    def blank(self) -> Member:
        """The same without any number; one that never had one keeps the reason."""
        state = "sealed" if self.state in ("estimated", "no-p-value") else self.state
        return Member(self.indicator, self.outcome, self.whole, self.term, self.unit, state)


@dataclass(frozen=True, slots=True)
class Index:
    """The outcomes of a family as one, in standard deviations of the comparison before the start; higher is favourable.

    Attributes
    ----------
    weighing : str
        ``inverse-covariance`` (Anderson) or ``equal`` (Kling, Liebman & Katz).
    level : float
        Of the interval.
    value, std_error, low, high, p_value : float or None
        As the study estimates its outcomes; no correction counts it.
    areas : int
    weights : tuple of (str, float)
        Of every outcome, turned the favourable way.
    refused : Refused or None
        Why there is none, or no interval.
    """

    weighing: str
    level: float
    value: float | None = None
    std_error: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    areas: int = 0
    weights: tuple[tuple[str, float], ...] = ()
    refused: Refused | None = None


@dataclass(frozen=True, slots=True)
class Family:
    """Outcomes that are judged together.

    Attributes
    ----------
    name : str
    method : str
        Of the correction.
    level : float
        Probability of any wrong finding; by Benjamini-Hochberg and -Yekutieli the expected share of wrong ones.
    members : tuple of Member
        Every outcome once, over all its periods.
    horizons : tuple of Member
        Every outcome in every period since the start: a family of its own.
    draws : int
        Joint draws; 0 where the correction needs none.
    mc_error : float
        Largest Monte-Carlo standard error of an adjusted p-value.
    found : int
        Members with an adjusted p-value of at most `level`.
    separate : int
        The same, with the parts of one sum counted once.
    index : Index or None
        Where the study asks for one.
    """

    name: str
    method: str
    level: float
    members: tuple[Member, ...]
    horizons: tuple[Member, ...]
    draws: int
    mc_error: float
    found: int
    separate: int
    index: Index | None = None

    def without(self, indicator: str) -> Family:
        """The same without any number of one outcome, and without what it is counted in: findings and index."""
        kept = (
            tuple(member.blank() if member.indicator == indicator else member for member in part)
            for part in (self.members, self.horizons)
        )
        members, horizons = kept
        return replace(self._recounted(members, horizons), index=None)

    def as_told(self, own: Mapping[tuple[str, str, str], Member]) -> Family:
        """The same with every number as `own` has it, by family, outcome and term."""
        members, horizons = (
            tuple(own.get((self.name, member.indicator, member.term), member) for member in part)
            for part in (self.members, self.horizons)
        )
        return self._recounted(members, horizons)

    def _recounted(self, members: tuple[Member, ...], horizons: tuple[Member, ...]) -> Family:
        hit = [one.whole for one in members if one.adjusted is not None and one.adjusted <= self.level]
        return replace(self, members=members, horizons=horizons, found=len(hit), separate=len(set(hit)))


@dataclass(frozen=True, slots=True)
class Listed:
    """One of the programme's indicators, or of the study's own (`number` None), and what became of it."""

    number: int | None
    indicator: str
    outcome: dict[str, str]
    state: Outcome
    why: str = ""
