"""The declared alternatives that estimate the same, as one summary; the others stay apart from it."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from impact.evidence.record import Estimate, Variant
from impact.evidence.robust import Alternatives

__all__ = ["multiverse"]


def multiverse(primary: Estimate, alternatives: Sequence[Variant]) -> Alternatives | None:
    """How many there are, with the same sign, and their range and median; None without an estimate or alternatives."""
    if primary.value is None or not alternatives:
        return None
    same = [variant.estimate.value for variant in alternatives if variant.same_estimand]
    values = [value for value in same if value is not None]
    return Alternatives(
        count=len(values),
        same_sign=sum(value * primary.value > 0 for value in values),
        low=min(values, default=None),
        median=median(values) if values else None,
        high=max(values, default=None),
        refused=len(same) - len(values),
        others=tuple(variant.name for variant in alternatives if not variant.same_estimand),
    )
