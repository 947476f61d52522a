"""The estimate as a regression with every set of characteristics, as values that a record holds."""

from __future__ import annotations

from dataclasses import dataclass

from impact.errors import Refused

__all__ = ["CovariateSets", "OneSet"]


@dataclass(frozen=True, slots=True)
class OneSet:
    """With one set: the difference in change, and its interval where there is one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class CovariateSets:
    """All of them together; none is chosen, and they are in no summary of the declared alternatives.

    Attributes
    ----------
    columns : tuple of str
        The characteristics of which sets are taken.
    possible, count : int
        Sets that there are; those with a number. Where there are more than asked for some were drawn.
    without : int
        Sets that were taken and give no number, as a characteristic follows from the others.
    positive, negative : int
        By the sign of the difference.
    apart : int or None
        Those whose interval does not hold 0; None where there are no intervals.
    plain : float or None
        With no characteristic at all.
    low, median, high : float or None
    each : tuple of OneSet
        From the smallest to the largest.
    refused : Refused or None
        Why it was not done.
    """

    columns: tuple[str, ...]
    possible: int = 0
    count: int = 0
    without: int = 0
    positive: int = 0
    negative: int = 0
    apart: int | None = None
    plain: float | None = None
    low: float | None = None
    median: float | None = None
    high: float | None = None
    each: tuple[OneSet, ...] = ()
    refused: Refused | None = None
