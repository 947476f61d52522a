"""What a study says it needs to be worth doing, and what of that a plan does not find.

Codes (stable): NEED-001 there is no plan; NEED-002 the plan is of another meaning; NEED-003 the power is too low;
NEED-004 it is not known; NEED-005 an area has too few respondents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from impact.errors import Problem
from impact.study.faults import Fault
from impact.study.fields import Part
from impact.study.plan_record import FILE, Plan, Planned

if TYPE_CHECKING:
    from impact.study.model import Specification

__all__ = ["POWER", "Needs", "faults_of_needs", "shortfall"]

POWER = 0.8
"""The probability with which a difference is to be seen, where a study does not say another."""


class Needs(Part):
    """What the study needs to be worth doing; a design that has less is locked with a stated reason only.

    `power`: the probability with which the smallest difference that matters is to be seen. `respondents_per_area`: how
    many people must have been asked in every area, in every period before the start.
    """

    power: Annotated[float, Field(ge=0.5, lt=1)] | None = None
    respondents_per_area: Annotated[int, Field(ge=1)] | None = None


def faults_of_needs(spec: Specification) -> Iterator[Fault]:
    """What is wrong with what a study needs."""
    needs = spec.needs
    if needs is None:
        return
    if needs.power is None and needs.respondents_per_area is None:
        yield Fault(("needs",), "nothing is needed", "Write `needs: {power: 0.80}`, or take it out.")
    if needs.power is not None:
        without = [one.indicator for one in spec.all_outcomes if one.smallest_difference_that_matters is None]
        if without:
            message = f"power is that to see the smallest difference that matters, and {', '.join(without)} names none"
            yield Fault(("needs", "power"), message, "Give `smallest_difference_that_matters: {value: …, why: …}`.")
    if needs.respondents_per_area is not None and spec.data.outcomes.columns.n is None:
        hint = "Name it in `data.outcomes.columns.n`."
        yield Fault(("needs", "respondents_per_area"), "it takes a column with the number of respondents", hint)


def shortfall(spec: Specification, plan: Plan | None) -> tuple[Problem, ...]:
    """What `spec` needs that `plan` does not find, each with what to do; nothing where all is met or nothing is needed.

    Whoever locks all the same states why.
    """
    from impact.study.validate import canonical

    needs = spec.needs
    if needs is None:
        return ()
    if plan is None:
        return (Problem("NEED-001", "what the study needs was not looked at: there is no plan.", "Run `impact plan`."),)
    if plan.spec_sha256 != hashlib.sha256(canonical(spec)).hexdigest():
        message = "the plan was made for another meaning of the study."
        return (Problem("NEED-002", message, "Run `impact plan` again.", FILE),)
    return tuple(problem for outcome in plan.outcomes for problem in _lacking(spec, outcome, plan))


def _lacking(spec: Specification, outcome: Planned, plan: Plan) -> Iterator[Problem]:
    assert spec.needs is not None
    needed, respondents = spec.needs.power, spec.needs.respondents_per_area
    if needed is not None:
        declared = outcome.tried[0] if outcome.tried else None
        if declared is None or declared.power is None:
            why = outcome.refused.because if outcome.refused else "the declared inference said nothing in any world"
            message = (
                f"{outcome.indicator}: with which probability the smallest difference is seen is not known; {why}."
            )
            yield Problem("NEED-004", message, "See `impact plan`.", FILE, path="needs.power")
        elif declared.power.value < needed:
            message = (
                f"{outcome.indicator}: a difference of {outcome.smallest:g} is seen with a probability of "
                f"{declared.power.value:.0%}, and the study needs {needed:.0%}"
            )
            seen = declared.detectable
            at = "." if seen is None else f"; from {seen.value:.3g} on it would be seen."
            hint = "Add areas, periods or respondents, or say why the study is done all the same."
            yield Problem("NEED-003", message + at, hint, FILE, path="needs.power")
    if respondents is not None:
        fewest = outcome.respondents
        if fewest is None or fewest[2] < respondents:
            found = "is not known" if fewest is None else f"is {fewest[2]:g} in {fewest[0]} ({fewest[1]})"
            message = f"{outcome.indicator}: the number of respondents of an area {found}; needed are {respondents}."
            hint = "Take areas or periods together, or say why the study is done all the same."
            yield Problem("NEED-005", message, hint, FILE, path="needs.respondents_per_area")
