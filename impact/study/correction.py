"""What a study says of outcomes that are judged together, and what of that cannot all be true."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from impact.inference.families import Correction as Method
from impact.study.faults import Fault, near
from impact.study.fields import Part

if TYPE_CHECKING:
    from impact.study.model import Specification
    from impact.study.source import Loc

__all__ = ["Correction", "faults_of_families", "faults_of_indices"]


class Correction(Part):
    """How the p-values of a family are corrected; `level` is the probability of any wrong finding in it.

    ``romano-wolf``: step by step, with joint draws that know how the outcomes move together; ``holm``: step by step,
    whatever they do together. ``benjamini-hochberg`` and ``benjamini-yekutieli`` keep the share of wrong findings at
    `level` instead: for looking around, not for conclusions.
    """

    method: Method = Field(description="romano-wolf, holm, benjamini-hochberg or benjamini-yekutieli")
    level: Annotated[float, Field(gt=0, lt=0.5)] = 0.05


def faults_of_families(spec: Specification) -> Iterator[Fault]:
    """What is wrong with families, their members and their correction."""
    slugs = [outcome.indicator for outcome in spec.all_outcomes]
    if spec.families and spec.belongs_to is not None:
        hint = "Take `families` and `correction` out, or `belongs_to`."
        yield Fault(("belongs_to",), "a study in a collection is judged in the families of that collection", hint)
    if bool(spec.families) != (spec.correction is not None):
        missing = "correction" if spec.families else "families"
        hint = (
            "Add `correction: {method: romano-wolf, level: 0.05}`."
            if spec.families
            else "Name the outcomes that are judged together: `families: {veiligheid: [ervaren-veiligheid, …]}`."
        )
        there: Loc = ("families",) if spec.families else ("correction",)
        yield Fault(there, f"`families` and `correction` belong together, and there is no `{missing}`", hint)
    owner: dict[str, str] = {}
    for name, members in spec.families.items():
        for number, slug in enumerate(members):
            loc = ("families", name, number)
            if slug not in slugs:
                yield Fault(loc, f"'{slug}' is no outcome of this study", near(slug, slugs), "SPEC-008")
            elif slug in owner:
                where = "here" if owner[slug] == name else f"in {owner[slug]}"
                yield Fault(loc, f"'{slug}' stands {where} already", "An outcome is judged in one family.")
            owner.setdefault(slug, name)
    if not spec.families and spec.belongs_to is None:
        for number, outcome in enumerate(spec.all_outcomes):
            if outcome.part_of is not None:
                at: Loc = ("outcome",) if spec.outcome is not None else ("outcomes", number)
                hint = "Add `families` and `correction`, or take `part_of` out."
                yield Fault((*at, "part_of"), "parts of one sum count once in a family, and there is none", hint)
    yield from _scoreless(spec)


def _scoreless(spec: Specification) -> Iterator[Fault]:
    """Joint draws come from scores, which not every estimator has."""
    from impact.estimators import registry
    from impact.estimators.protocol import Gives

    name = spec.estimator.name
    if spec.correction is None or spec.correction.method != "romano-wolf" or name not in registry.ESTIMATORS:
        return
    if Gives.SCORES not in registry.resolve(name).gives:
        hint = "Use `method: holm`, which needs p-values only."
        message = f"{name} has no contribution of every cluster, from which romano-wolf draws"
        yield Fault(("correction", "method"), message, hint)


def faults_of_indices(spec: Specification) -> Iterator[Fault]:
    """What is wrong with the families that are to have an index."""
    from impact.estimators import registry
    from impact.study.methods import parameters

    better = {outcome.indicator: outcome.better for outcome in spec.all_outcomes}
    for name in spec.indices:
        loc = ("indices", name)
        if name not in spec.families:
            yield Fault(loc, f"'{name}' is no family of this study", near(name, spec.families), "SPEC-008")
            continue
        neither = [slug for slug in spec.families[name] if better.get(slug) == "neither"]
        if neither:
            hint = "Say `better: lower` or `better: higher`, or take it out of the family."
            yield Fault(loc, f"neither way of {', '.join(neither)} is favourable, so an index cannot turn it", hint)
        if len(spec.families[name]) < 2:
            yield Fault(loc, f"the family {name} has one outcome, which is its own index", "Take it out.")
    if not spec.indices:
        return
    match = spec.comparison.match
    if match is not None and match.outcomes_in:
        message = "every outcome is matched on its own past, so a family has no one comparison"
        yield Fault(("indices",), message, "Match on characteristics, or take `indices` out.")
    known = spec.estimator.name in registry.ESTIMATORS
    settings = parameters("estimator", spec.estimator.name) if known else {}
    if "outcomes" in settings or spec.estimator.options.get("predictors"):
        message = f"with these settings {spec.estimator.name} looks at more than one outcome or at columns beside it"
        yield Fault(("indices",), message, "Take `indices` out, or use another estimator.")
