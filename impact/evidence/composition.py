"""Who lives in the areas and in the comparison, before and after, as values that a record holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from impact.errors import Refused

__all__ = ["Composition", "People", "Portion", "Share"]


@dataclass(frozen=True, slots=True)
class Share:
    """What share is new, as a percentage, weighted as in the estimate.

    Attributes
    ----------
    what : {"new-build", "movers"}
        Dwellings that are new, or people who moved in.
    focus_before, focus_after, comparison_before, comparison_after : float or None
        Before the start, and over the periods that the estimate is about; without `before` where the share counts
        from one period on.
    difference : float or None
        How much more the share changed in the focus areas than in the comparison, in percentage points; of a share
        that counts from one period on, how much larger it is.
    since : str
        The period from which it counts; "" for a share of each period by itself.
    refused : Refused or None
        Why there is none.
    """

    what: Literal["new-build", "movers"]
    focus_before: float | None = None
    focus_after: float | None = None
    comparison_before: float | None = None
    comparison_after: float | None = None
    difference: float | None = None
    since: str = ""
    refused: Refused | None = None


@dataclass(frozen=True, slots=True)
class Portion:
    """A part of the estimate, with its interval where there is one, in the unit of the outcome."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class People:
    """The estimate as the sum of what those who stayed, came and left have in it.

    Attributes
    ----------
    since : str
        The period that the others are held against.
    stayers, arrivers, leavers : Portion or None
    rest : float or None
        What they do not add up to, as the table of people is not to the last digit that of the outcome.
    fewest : float or None
        The fewest people of one of the three, over all areas or all of their comparison, in a period.
    refused : Refused or None
        Why it is not split.
    """

    since: str
    stayers: Portion | None = None
    arrivers: Portion | None = None
    leavers: Portion | None = None
    rest: float | None = None
    fewest: float | None = None
    refused: Refused | None = None


@dataclass(frozen=True, slots=True)
class Composition:
    """Shares that are new, and the split of the estimate.

    Attributes
    ----------
    shares : tuple of Share
    at_most : float
        The largest difference, as a share, with which both count as alike.
    people : People or None
        None where a study has no table of people.
    """

    shares: tuple[Share, ...]
    at_most: float
    people: People | None = None
