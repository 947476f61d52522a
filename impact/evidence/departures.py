"""How far parallel trends may fail before the conclusion of a result changes, whatever its target and its base."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from impact.checks.event_study import Combination, EventStudy, event_study, fitted, no_covariance
from impact.checks.honest import bounds
from impact.errors import Refused
from impact.inference.protocol import Uncertainty

if TYPE_CHECKING:
    from impact.evidence.result import Result

__all__ = ["breakdown", "departures"]

_WHAT = "the breakdown value"


def departures(result: Result, combination: Combination = "mean") -> EventStudy | Refused:
    """The event study behind a result: its own, or that of the same effects estimated again with their leads.

    Raises
    ------
    UsageError
        ``USAGE-008`` another target than an average and event times; ``USAGE-003`` a combination that is not of these.
    """
    given = result.uncertainty
    if isinstance(given, Uncertainty) and given.covariance is None:
        # Said before anything is estimated again.
        return no_covariance(given)
    alone = result.target.kind == "average" and not result.target.leads
    if alone and result.fit.compared:
        return fitted()
    if not alone or result.again is None:
        own = event_study(result.effects, result.uncertainty, result.fit, result.target, combination)
        if isinstance(own, EventStudy) or result.again is None or result.fit.base == "varying" or result.fit.compared:
            return own
    again = result.again(replace(result.target, leads=True) if alone else result.target)
    if isinstance(again, Refused):
        return again
    return event_study(again.effects, again.uncertainty, again.fit, again.target, combination)


def breakdown(result: Result) -> float | Refused:
    """By relative magnitudes, of the average or of the mean over event times; see ``Result.breakdown``."""
    if result.target.kind not in ("average", "event"):
        return Refused(
            _WHAT,
            f"target {result.target.kind!r} has no estimates by periods before the start",
            "Use target='average'.",
        )
    if result.fit.base == "varying" and result.target.kind == "event" and result.again is not None:
        again = result.again(result.target)
        if isinstance(again, Refused):
            return again
        result = again
    found = departures(result)
    table = found if isinstance(found, Refused) else bounds(found, grid=[0.0], seed=result.seed)
    return table if isinstance(table, Refused) else float(table["breakdown"].iloc[0])
