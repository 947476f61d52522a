"""How closely the comparison that an estimator weighed together follows every area before the start."""

from __future__ import annotations

from collections.abc import Mapping

from impact.errors import Refused
from impact.estimators.diagnostics import diagnose
from impact.evidence.result import Result
from impact.evidence.robust import Closeness

__all__ = ["closeness"]


def closeness(result: Result | None, names: Mapping[str, str]) -> tuple[Closeness, ...]:
    """A row per treated area (or group of areas); nothing of an estimator that looks for no weights.

    `names` is how a report calls the areas, which a fit calls by their slugs.
    """
    if result is None or not result.fit.compared:
        return ()
    found = diagnose(result.panel, result.fit)
    if isinstance(found, Refused):
        return ()
    return tuple(
        Closeness(
            names.get(one.area, one.area),
            one.periods,
            one.rmspe,
            one.rmspe_relative,
            one.noise,
            one.in_hull,
            one.effective_donors,
            one.largest_share,
            one.largest_donor,
        )
        for one in found
    )
