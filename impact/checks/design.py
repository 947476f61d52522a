"""Checks of the design and the data: blind to outcomes after the start, so they may gate."""

from __future__ import annotations

from impact.checks.protocol import Check

__all__ = [
    "balance",
    "controls",
    "largest_share",
    "pre_periods",
    "respondents",
    "suppressed",
    "treated_clusters",
]


def pre_periods(count: int, threshold: float) -> Check:
    """At least `threshold` comparable measurements lie before the start; a gate: with fewer nothing is measurable."""
    return _at_least("pre-periods", count, threshold, gates=True)


def respondents(fewest: float, threshold: float) -> Check:
    """At least `threshold` respondents stand behind every figure of a treated unit."""
    return _at_least("respondents", fewest, threshold, gates=False)


def treated_clusters(count: int, threshold: float) -> Check:
    """At least `threshold` treated clusters carry weight in the target."""
    return _at_least("treated-clusters", count, threshold, gates=False)


def controls(count: int, threshold: float) -> Check:
    """At least `threshold` control units carry weight; a gate."""
    return _at_least("controls", count, threshold, gates=True)


def balance(differences: dict[str, float], threshold: float) -> Check:
    """The largest absolute standardised difference after matching is at most `threshold`.

    Source: Stuart (2010), Statistical Science 25(1), section 4.1 (0.25).
    """
    if not differences:
        return Check(
            "balance", None, threshold, "not_evaluated", False, "design", "balance", "no characteristics were given"
        )
    worst = max(differences, key=lambda name: abs(differences[name]))
    value = abs(differences[worst])
    return Check(
        "balance", value, threshold, "pass" if value <= threshold else "fail", False, "design", "balance", worst
    )


def largest_share(share: float, threshold: float) -> Check:
    """No single cluster carries more than `threshold` of the target's weight."""
    return _at_most("largest-share", share, threshold)


def suppressed(share: float, threshold: float) -> Check:
    """At most a share `threshold` of the outcome cells of the units in the study has no number."""
    return _at_most("suppressed", share, threshold)


def _at_least(name: str, value: float, threshold: float, *, gates: bool) -> Check:
    return Check(name, float(value), threshold, "pass" if value >= threshold else "fail", gates, "design", name)


def _at_most(name: str, value: float, threshold: float) -> Check:
    return Check(name, float(value), threshold, "pass" if value <= threshold else "fail", False, "design", name)
