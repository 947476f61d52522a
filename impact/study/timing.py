"""When things were measured: the periods of a study, those that are left out, and breaks in the measurement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from impact.study.fields import Part, Period, Written

__all__ = ["Break", "LeftOut", "Periods", "following", "segment"]


class Periods(Part):
    """The periods that count; periods that the table has outside them are left alone.

    ``year`` and ``school-year``: every one from `first` to `last`. ``waves``: those in `are`, whatever lies between
    them; nothing is filled in. `provisional`: whether periods with provisional figures count.
    """

    kind: Literal["year", "school-year", "waves"] = "year"
    first: Period | None = Field(default=None, description="the first period that counts")
    last: Period | None = Field(default=None, description="the last period that counts")
    are: tuple[Period, ...] = ()
    provisional: Literal["leave-out", "keep"] = "leave-out"

    @property
    def labels(self) -> tuple[str, ...]:
        """Every period, in order."""
        if self.first is None or self.last is None:
            return self.are
        return tuple(following(self.first, steps) for steps in range(int(self.last[:4]) - int(self.first[:4]) + 1))


class LeftOut(Part):
    """Periods that do not count, and why."""

    periods: Annotated[tuple[Period, ...], Field(min_length=1)] = Field(description="the periods that do not count")
    why: Written = Field(description="the reason, for the report")


class Break(Part):
    """From `at` on figures are made in another way than before.

    ``common-shift``: the change moved every area by the same amount, so that it falls out of a comparison over time.
    ``segment``: figures from both sides are not compared; only the side on which the effect is measured is used.
    ``check: same-shift``: whether the change moved areas and comparison alike is looked at before anyone was treated.
    """

    at: Period = Field(description="the first period measured in the new way")
    treat_as: Literal["common-shift", "segment"] = Field(description="common-shift or segment")
    why: Written = Field(description="what changed, for the report")
    check: Literal["same-shift"] | None = None


def following(period: str, steps: int) -> str:
    """The year or school year that comes `steps` after `period`."""
    year = int(period[:4]) + steps
    return f"{year}/'{(year + 1) % 100:02d}" if "/" in period else str(year)


def segment(labels: Sequence[str], breaks: Sequence[Break], measured: str) -> tuple[str, ...]:
    """The periods that may be compared with `measured`: those on its side of every break that parts a series."""
    kept = tuple(labels)
    for found in breaks:
        if found.treat_as == "segment":
            kept = tuple(label for label in kept if (label >= found.at) == (measured >= found.at))
    return kept
