"""The checks of a study: their thresholds, which of them seal the estimate, and failures that the study foresaw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal, TypeAlias

from impact.study.faults import Fault, near
from impact.study.fields import SURVEY, Part, Written

__all__ = ["CHECKS", "ON_REQUEST", "Checks", "Threshold", "declared", "faults_of_checks", "foreseen", "seals"]

CHECKS: Final[dict[str, float]] = {
    "pre-periods": 2,
    "treated-clusters": 4,
    "controls": 5,
    "balance": 0.25,
    "largest-share": 0.5,
    "suppressed": 0.05,
    "pre-waves": 3,
    "pre-trend": 0.05,
}
"""Checks of a run and their standard thresholds: at least so many comparable measurements before the start (with fewer
nothing is measurable), treated clusters and controls; at most this standardised difference, share of one cluster and
share of outcome cells without a number; at least so many measurements before the start to tell a trend by, that were
not matched on; at least this p-value."""

ON_REQUEST: Final = ("overlap", "unmatched", "effective-controls", "largest-weight", "bracket", "equivalence", *SURVEY)
"""Checks that are made where a study gives their threshold: at most this share of treated units beyond the range of the
pool, or that nobody stands beside; at least this effective number of controls; at most this share of the weight in one
control; at least so many of the three comparisons of the bracket; at most this difference before the start, in the unit
of the outcome; at least so many respondents."""

_AT_LEAST: Final = frozenset(
    {"pre-periods", "treated-clusters", "controls", "effective-controls", "bracket", "pre-waves", "pre-trend", *SURVEY}
)
_ALWAYS: Final = ("pre-periods", "controls")
_NEVER: Final = ("pre-waves", "pre-trend", "equivalence")


class Threshold(Part):
    """The threshold of a check, and what a failure means.

    ``if_failed: report``: the study foresaw it and says `why`, so that the estimate is given although the check is not
    passed or could not be made. Without it the estimate is not given.
    """

    at_most: float | None = None
    at_least: float | None = None
    if_failed: Literal["seal", "report"] = "seal"
    why: Written | None = None

    @property
    def limit(self) -> float:
        """The threshold itself."""
        return next((value for value in (self.at_most, self.at_least) if value is not None), 0.0)


Checks: TypeAlias = dict[str, float | Threshold]


def declared(checks: Mapping[str, float | Threshold]) -> dict[str, float]:
    """The thresholds that a study gives."""
    return {name: given.limit if isinstance(given, Threshold) else given for name, given in checks.items()}


def foreseen(checks: Mapping[str, float | Threshold]) -> dict[str, str]:
    """Checks whose failure the study foresaw, with the reason to go on."""
    return {
        name: given.why or ""
        for name, given in checks.items()
        if isinstance(given, Threshold) and given.if_failed == "report"
    }


def seals(checks: Mapping[str, float | Threshold], name: str) -> bool:
    """Whether the check `name`, failed or not made, seals the estimate.

    The number of measurements and of controls always counts; the others where the study itself gives their threshold;
    none that the study foresaw; never one that has seen how outcomes developed, as a passed test of little power is no
    evidence (Roth 2022, American Economic Review: Insights 4(3)).
    """
    if name in _NEVER or name in foreseen(checks):
        return False
    return name in _ALWAYS or name in checks


def faults_of_checks(checks: Mapping[str, float | Threshold]) -> Iterator[Fault]:
    """Checks that there are not, thresholds the wrong way round, and failures that are foreseen without a reason."""
    known = (*CHECKS, *ON_REQUEST)
    for name, given in checks.items():
        if name not in known:
            yield Fault(("checks", name), f"there is no check '{name}'", near(name, known), "SPEC-008")
        elif isinstance(given, Threshold):
            yield from _threshold(name, given)


def _threshold(name: str, given: Threshold) -> Iterator[Fault]:
    right, wrong = ("at_least", "at_most") if name in _AT_LEAST else ("at_most", "at_least")
    if getattr(given, right) is None or getattr(given, wrong) is not None:
        hint = f"Write for instance {{{right}: {CHECKS.get(name, 1):g}, if_failed: report, why: …}}."
        yield Fault(("checks", name), f"the threshold of {name} is one number under `{right}`", hint)
    if given.if_failed == "report" and name == "pre-periods":
        message = "with too few measurements before the start nothing can be measured, foreseen or not"
        yield Fault(("checks", name, "if_failed"), message, "Take `if_failed` out.")
    elif (given.if_failed == "report") != (given.why is not None):
        hint = "Write `if_failed: report` with `why: …`, or neither."
        yield Fault(("checks", name), f"a failure of {name} that is foreseen has a reason, and no other has", hint)
