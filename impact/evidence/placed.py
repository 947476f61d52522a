"""What became of every unit, and where it lies: the rows and the shapes behind the map."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MapPart", "PlacedUnit"]


@dataclass(frozen=True, slots=True)
class PlacedUnit:
    """What became of a unit, and how near it lies to a focus area; None where it has no border, or no focus area has.

    Attributes
    ----------
    role : {"focus", "aside", "compared", "pool", "excluded"}
        In the estimate; in a focus area or a part of it that is not; with weight in the comparison; a possible
        comparison; none.
    reason : str
        Why it is no comparison.
    ring : int or None
        0 in a focus area, 1 beside one, 2 beside those; None also where no chain of neighbours leads to one.
    km : float or None
        From border to border of the `nearest` region of a focus area, as the crow flies.
    border : float or None
        Share of the border that runs along a focus area; of a region of one along others.
    residents : float or None
        Share of the residents in parts that border on a focus area; None where no parts are given.
    """

    unit: str
    role: str
    reason: str
    ring: int | None
    km: float | None
    nearest: str
    border: float | None
    residents: float | None = None


@dataclass(frozen=True, slots=True)
class MapPart:
    """All regions of one role on the map: how many, and their borders as `impact.sources.outlines` writes them."""

    role: str
    units: int
    rings: str
