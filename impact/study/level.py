"""At which level a study looks: gemeenten, focus areas as one unit each, wijken or buurten."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from impact.study.fields import Part

__all__ = ["BuiltUnits", "Unit"]


class Unit(Part):
    """What a unit of the study is; without this key every region of the table of outcomes is one.

    `level`: ``gemeente``, whole gemeenten, treated from the start of the area that they hold; ``focus-area``, one unit
    for each area beside the wijken or buurten that are in none; ``wijk`` or ``buurt``, those rows of the table alone.
    `built_from`: the rows that are added up; without it, the rows of the level itself. `value`: ``count`` says that the
    column of a value counts something; other figures without numerator and denominator cannot be added up.
    """

    level: Literal["gemeente", "focus-area", "wijk", "buurt"] = Field(
        description="gemeente, focus-area, wijk or buurt: what is compared with what"
    )
    built_from: Literal["wijk", "buurt"] | None = None
    value: Literal["count"] | None = None


class BuiltUnits(Part):
    """Comparison units that are put together from parts, until each has about as many residents as an area.

    `residents`: ``similar``, the median of the areas, or a number; a unit has three quarters of it to five quarters. A
    unit lies in one gemeente, and hangs together where the study gives ``data.polygons``; without them its parts follow
    each other in the order of their codes.
    """

    built_from: Literal["wijk", "buurt"] = Field(description="wijk or buurt: the parts, as those of the areas")
    residents: Literal["similar"] | Annotated[float, Field(gt=0)] = Field(
        description="similar, or the number of residents of a unit"
    )
