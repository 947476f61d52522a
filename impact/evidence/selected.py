"""What choosing the areas on a score may have done by itself."""

from __future__ import annotations

from dataclasses import dataclass

from impact.errors import Refused

__all__ = ["Selection"]


@dataclass(frozen=True, slots=True)
class Selection:
    """What is known, from before the start, of a choice of areas on a score.

    `reliability`: the lasting share of the variance between units of the mean score over the `waves`, given what is
    matched on, with its interval. `unmatched` and `matched`: the mean over the invented starts `dates` of what the same
    choice finds among units that were never treated, compared with all others or as the study matches, in the unit of
    the outcome as it is measured; nothing happened then. None where `refused` says why.
    """

    waves: tuple[str, ...]
    reliability: float | None = None
    low: float | None = None
    high: float | None = None
    units: int = 0
    dates: tuple[str, ...] = ()
    unmatched: float | None = None
    matched: float | None = None
    refused: tuple[Refused, ...] = ()
