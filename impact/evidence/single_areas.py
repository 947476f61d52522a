"""Each area by itself, drawn towards what the areas have in common: numbers for its own page, and never a ranking."""

from __future__ import annotations

from dataclasses import dataclass

from impact.errors import Refused

__all__ = ["FEWEST", "UNDECLARED", "SingleArea", "SingleAreas"]

UNDECLARED = "the study does not ask for placebo-space, and how far a single area moves by chance is read from that"
"""Why there is nothing of single areas in a study that does not ask for what it takes."""

FEWEST = 5
"""Areas below which it is not known how areas differ; see `impact.heterogeneity.shrinkage.shrink`."""


@dataclass(frozen=True, slots=True)
class SingleArea:
    """One area.

    Attributes
    ----------
    slug : str
    estimate, std_error : float
        Of the area alone; the error is the spread among placebo areas in its place.
    centre : float
        The mean of the areas, towards which it is drawn.
    weight : float
        Which share of its own distance to the mean it keeps.
    value, low, high : float
        What is left after drawing, with its interval: see `impact.heterogeneity.shrinkage.shrink`.
    before, after : str
        The periods of its base and of its estimate.
    focus_before, focus_after, comparison_before, comparison_after : float or None
        Means of the area and of its comparison, such that the difference of the changes is `estimate`.
    """

    slug: str
    estimate: float
    std_error: float
    centre: float
    weight: float
    value: float
    low: float
    high: float
    before: str = ""
    after: str = ""
    focus_before: float | None = None
    focus_after: float | None = None
    comparison_before: float | None = None
    comparison_after: float | None = None


@dataclass(frozen=True, slots=True)
class SingleAreas:
    """The areas in the estimate, in the order of the study.

    Attributes
    ----------
    level : float
        Of the intervals, which hold it on average over the areas and not for every single one.
    draws : int
        Placebo sets from which the errors are.
    floored : bool
        Whether the areas differ by no more than chance would make them.
    areas : tuple of SingleArea
    refused : Refused or None
        Why there are none.
    """

    level: float = 0.95
    draws: int = 0
    floored: bool = False
    areas: tuple[SingleArea, ...] = ()
    refused: Refused | None = None

    def of(self, slug: str) -> SingleArea | None:
        """The area of that name; None where there is none."""
        return next((area for area in self.areas if area.slug == slug), None)
