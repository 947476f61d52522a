"""How closely a weighed comparison follows the areas before the start, as checks: fit, overlap, concentration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from impact.checks.protocol import Check, Verdict

__all__ = ["FARTHEST", "HEAVIEST", "concentration", "fit", "overlap"]

FARTHEST: Final = 0.25
"""Of the root mean square gap before the start, in standard deviations of the donors' outcomes: what is asked of a
characteristic, too (Stuart 2010, Statistical Science 25(1), section 4.1)."""

HEAVIEST: Final = 0.5
"""From here on one donor counts for more than all others together, and its own shocks are the comparison's."""


def fit(gaps: Mapping[str, float | None]) -> Check:
    """The largest gap before the start, by area, is at most `FARTHEST` standard deviations of the donors' outcomes."""
    return _worst("fit", gaps, FARTHEST)


def overlap(inside: Mapping[str, bool | None]) -> Check:
    """Some mix of donors has the path of every area before the start; the statistic counts the areas of which none has.

    Not evaluated where that is not known of all and no area is known to lie outside.
    """
    outside = [name for name, known in inside.items() if known is False]
    if not outside and (not inside or None in inside.values()):
        return Check("fit-overlap", None, 0.0, "not_evaluated", False, "pre", "fit-overlap")
    verdict: Verdict = "fail" if outside else "pass"
    return Check("fit-overlap", float(len(outside)), 0.0, verdict, False, "pre", "fit-overlap", ", ".join(outside))


def concentration(largest: Mapping[str, float | None]) -> Check:
    """No donor has more than `HEAVIEST` of the weight beside an area."""
    return _worst("fit-concentration", largest, HEAVIEST)


def _worst(name: str, values: Mapping[str, float | None], threshold: float) -> Check:
    known = {area: value for area, value in values.items() if value is not None}
    if not known:
        return Check(name, None, threshold, "not_evaluated", False, "pre", name)
    worst = max(known, key=lambda area: known[area])
    verdict: Verdict = "pass" if known[worst] <= threshold else "fail"
    return Check(name, known[worst], threshold, verdict, False, "pre", name, worst)
