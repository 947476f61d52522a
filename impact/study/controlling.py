"""What a study says of areas on which nothing can be expected, and what of its negative controls cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from impact.inference.negative_controls import FEWEST
from impact.study.faults import Fault
from impact.study.fields import Code, Part, Written

if TYPE_CHECKING:
    from impact.study.model import Specification

__all__ = ["Elsewhere", "faults_of_controls"]


class Elsewhere(Part):
    """Units of the comparison that are treated in pretence, all from the first start of the areas on.

    Together they are one control. They lie in as many clusters as an interval takes.
    """

    members: Annotated[tuple[Code, ...], Field(min_length=1)] = Field(description="the codes of the units")
    why: Written = Field(description="why nothing can be expected there")


def faults_of_controls(spec: Specification) -> Iterator[Fault]:
    """What is wrong with the negative controls, apart from how their outcomes are measured."""
    from impact.estimators import registry
    from impact.study.methods import parameters

    found = spec.negative_controls
    if found is None:
        return
    number = len(found.outcomes) + len(found.areas)
    if number < FEWEST:
        hint = f"Name at least {FEWEST}, `outcomes` and `areas` together, each with a reason."
        yield Fault(("negative_controls",), f"{number} negative controls do not show how large errors are", hint)
    own = [outcome.indicator for outcome in spec.all_outcomes]
    seen: set[str] = set()
    for place, control in enumerate(found.outcomes):
        loc = ("negative_controls", "outcomes", place, "indicator")
        if control.indicator in own:
            yield Fault(loc, f"'{control.indicator}' is an outcome of this study", "A control is another outcome.")
        elif control.indicator in seen:
            yield Fault(loc, f"the control '{control.indicator}' stands here for the second time")
        elif control.outcome.registered is not None and control.outcome.registered.not_measurable:
            yield Fault(loc, f"'{control.indicator}' cannot be measured", "Take another outcome.")
        seen.add(control.indicator)
    known = spec.estimator.name in registry.ESTIMATORS
    if found.outcomes and known and "outcomes" in parameters("estimator", spec.estimator.name):
        message = f"{spec.estimator.name} looks at several outcomes together, and a control is one by itself"
        yield Fault(("negative_controls", "outcomes"), message, "Name `areas` only, or use another estimator.")
    treated = {code: slug for slug, area in (spec.treatment.areas.listed or {}).items() for code in area.members}
    owner: dict[str, str] = {}
    for name, elsewhere in found.areas.items():
        for place, code in enumerate(elsewhere.members):
            if code in treated or code in owner:
                where = treated.get(code) or owner.get(code)
                at = ("negative_controls", "areas", name, "members", place)
                yield Fault(at, f"'{code}' is already a member of {where}", "A unit stands in one area or control.")
            owner.setdefault(code, name)
