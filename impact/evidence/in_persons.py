"""A difference told as a number of people, from the numbers as they are printed; never without its margin."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

__all__ = ["AlsoAs", "Persons", "in_persons"]


@dataclass(frozen=True, slots=True)
class AlsoAs:
    """Of whom a difference can be told as a number.

    Attributes
    ----------
    words : dict
        Language code to text, such as ``leerlingen per jaar``.
    per : float
        Of how many people the outcome counts.
    base : float or None
        How many of them there are in the treated areas together, in the mean period after the start, to three digits;
        None where it is not known.
    unknown : int
        Treated units of which it is not known.
    """

    words: dict[str, str] = field(default_factory=dict)
    per: float = 1.0
    base: float | None = None
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Persons:
    """A number of people with its margin, each as a multiple of what the margin supports."""

    value: float
    low: float
    high: float
    base: float


def in_persons(also: AlsoAs, value: float, low: float, high: float) -> Persons | None:
    """A difference and its interval, as printed, times the base; None where the base is not known or the margin is 0.

    They are rounded to two digits of half the width of the interval, and to whole people.
    """
    if also.base is None or high <= low:
        return None
    many = also.base / also.per
    step = 10.0 ** max(math.floor(math.log10((high - low) / 2 * many)) - 1, 0)
    value, low, high = (round(x * many / step) * step for x in (value, low, high))
    return Persons(value, low, high, also.base)
