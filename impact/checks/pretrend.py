"""Did the areas and their comparison already drift apart before the start? Reported, never a gate."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from impact.arrays import Float1
from impact.checks.protocol import Check, Verdict

__all__ = ["pretrend"]


def pretrend(terms: tuple[str, ...], p_values: Float1, threshold: float, *, used: Collection[str] = ()) -> Check:
    """The smallest Bonferroni-adjusted p-value of the pre-period terms is above `threshold`.

    Passing is weak evidence when the test has little power; power and an equivalence bound come with a later version.

    Parameters
    ----------
    terms : tuple of str
        Event times; those below 0 are pre-periods.
    p_values : (m,) float
        By the declared inference; nan where it was refused, and such terms do not count.
    threshold : float
        Smallest adjusted p-value that passes.
    used : collection of str
        Event times of outcomes that were used for matching or weights: of them the check would be circular, so the
        other periods serve, and with none left nothing is known.
    """

    def check(statistic: float | None, verdict: Verdict, because: str = "") -> Check:
        return Check("pre-trend", statistic, threshold, verdict, False, "pre", "pre-trend", because)

    before = np.array([term.lstrip("-").isdigit() and int(term) < 0 and term not in used for term in terms])
    if used and not before.any():
        return check(None, "not_evaluated", "matched-on-outcomes")
    if not before.any():
        return check(None, "not_evaluated", "no-pre-period")
    known = p_values[before & np.isfinite(p_values)]
    if not len(known):
        return check(None, "not_evaluated", "no-interval")
    adjusted = min(1.0, float(known.min()) * len(known))
    some = "some-intervals" if len(known) < before.sum() else "some-matched" if used else ""
    return check(adjusted, "pass" if adjusted > threshold else "fail", some)
