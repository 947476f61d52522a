"""Checks of the design and the data: blind to outcomes after the start, so they may gate."""

from __future__ import annotations

from collections.abc import Mapping

from impact.checks.protocol import Check, Verdict

__all__ = ["at_least", "at_most", "balance"]


def balance(differences: Mapping[str, float | None], threshold: float, *, gates: bool = False) -> Check:
    """The largest absolute standardised difference after matching is at most `threshold`.

    A characteristic that varies in neither group and yet differs (None) fails whatever the threshold is: no weights can
    mend it, and there is no number for it.

    Source: Stuart (2010), Statistical Science 25(1), section 4.1 (0.25).
    """
    if not differences:
        because = "no characteristics were given"
        return Check("balance", None, threshold, "not_evaluated", gates, "design", "balance", because)
    apart = [name for name, difference in differences.items() if difference is None]
    if apart:
        return Check("balance", None, threshold, "fail", gates, "design", "balance", ", ".join(apart))
    sizes = {name: abs(difference or 0.0) for name, difference in differences.items()}
    worst = max(sizes, key=lambda name: sizes[name])
    verdict: Verdict = "pass" if sizes[worst] <= threshold else "fail"
    return Check("balance", sizes[worst], threshold, verdict, gates, "design", "balance", worst)


def at_least(name: str, value: float | None, threshold: float, *, gates: bool) -> Check:
    """`value` is at least `threshold`; not evaluated where there is none."""
    return _compared(name, value, threshold, value is not None and value >= threshold, gates)


def at_most(name: str, value: float | None, threshold: float, *, gates: bool) -> Check:
    """`value` is at most `threshold`; not evaluated where there is none."""
    return _compared(name, value, threshold, value is not None and value <= threshold, gates)


def _compared(name: str, value: float | None, threshold: float, met: bool, gates: bool) -> Check:
    if value is None:
        return Check(name, None, threshold, "not_evaluated", gates, "design", name)
    return Check(name, float(value), threshold, "pass" if met else "fail", gates, "design", name)
