"""Where placebos lie by periods since the start, as values that a record holds."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PlaceboRow", "PlaceboSpread"]


@dataclass(frozen=True, slots=True)
class PlaceboRow:
    """One period since the start: below `low` lie 5 of 100 placebo sets, below `lower` 25, `upper` 75 and `high` 95."""

    term: str
    low: float
    lower: float
    upper: float
    high: float


@dataclass(frozen=True, slots=True)
class PlaceboSpread:
    """What the estimator finds where nothing happened: for sets of units that take the place of the areas.

    Attributes
    ----------
    sets : int
        Those with an estimate.
    rows : tuple of PlaceboRow
        In units of the outcome; the estimates of the areas themselves are those by periods since the start.
    p_value : float or None
        Of the estimate among them, by the statistic that was declared.
    enumerated : bool
        Whether these are all sets there are.
    """

    sets: int
    rows: tuple[PlaceboRow, ...]
    p_value: float | None = None
    enumerated: bool = False
