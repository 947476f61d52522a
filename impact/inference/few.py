"""Fewest treated clusters behind an interval."""

from __future__ import annotations

from impact.arrays import Int1
from impact.errors import Refused

__all__ = ["FEWEST", "too_few"]

FEWEST = 4


def too_few(treated: Int1, what: str = "an interval") -> tuple[Refused | None, ...]:
    """Why terms with weight in `treated` (m,) treated clusters have no interval; None for those that have."""
    return tuple(
        None
        if count >= FEWEST
        else Refused(
            what,
            f"{count} treated clusters carry weight in it, and with fewer than {FEWEST} no interval holds its level",
            "Use placebo-space for a p-value, or a target over more areas.",
        )
        for count in treated
    )
