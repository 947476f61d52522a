"""Which level a person gave to the evidence of a study, with name, role, date and reason."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Signed"]


@dataclass(frozen=True, slots=True)
class Signed:
    """One judgement of one outcome.

    Attributes
    ----------
    level : int
        On the Maryland scale.
    who, role, date, why : str
        As the person wrote them; the date as year-month-day.
    """

    level: int
    who: str
    role: str
    date: str
    why: str
