"""What a study says of placebo programmes in its own past."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from impact.inference.placebo_sets import Sets
from impact.study.fields import Part

__all__ = ["Calibrate"]


class Calibrate(Part):
    """Placebo programmes in the own past: at earlier dates, and on units of the comparison that stand in for the areas.

    `sets`: which units stand in. ``random``: any; ``similar-population``: each with about as many residents as the unit
    it stands in for; ``contiguous``: for every area units near each other (the units table has their `place`), and
    ``contiguous-in-cluster`` those of one cluster.
    """

    draws: Annotated[int, Field(ge=20, le=100_000)] = Field(description="how many placebo programmes")
    sets: Sets = "random"
