"""What a study says of who lives there: shares that are new, and how people stayed, came and left; what cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from impact.study.faults import Fault
from impact.study.fields import Part, Period, Slug, Spellings, Word

if TYPE_CHECKING:
    from impact.study.model import Specification

__all__ = ["Composition", "PeopleFile", "ShareOf", "faults_of_composition"]


class ShareOf(Part):
    """A share of every region and period, in the table of outcomes.

    A `percentage` (0 to 100), or a `numerator` and its `denominator`. `where` filters further than the `rows` of the
    table.
    """

    percentage: Word | None = None
    numerator: Word | None = None
    denominator: Word | None = None
    where: dict[str, Spellings] = Field(default_factory=dict)


class PeopleFile(Part):
    """A table of who stayed, came and left, made where persons are known; only a run opens it.

    A row per region and period but `since`: the numbers of `stayers` (there in `since` and in the period), `arrivers`
    (in the period alone) and `leavers` (in `since` alone), and the mean of the `outcome` among them: `stayers_before`
    and `leavers_before` in `since`, `stayers_after` and `arrivers_after` in the period.
    """

    file: Word = Field(description="the file with the columns region, period, stayers, arrivers, leavers and the means")
    since: Period = Field(description="the period that every other one is held against, before the start")
    outcome: Slug | None = None


class Composition(Part):
    """Whether who lives in the areas changed otherwise than in the comparison; reported, and never a gate.

    `at_most`: the largest difference, as a share, with which both count as alike.
    """

    new_build: ShareOf | None = None
    movers: ShareOf | None = None
    people: PeopleFile | None = None
    at_most: Annotated[float, Field(gt=0, lt=1)] = 0.05

    @property
    def shares(self) -> dict[str, ShareOf]:
        """The shares that the study names, by what they are of."""
        given = {"new-build": self.new_build, "movers": self.movers}
        return {name: share for name, share in given.items() if share is not None}


def faults_of_composition(spec: Specification) -> Iterator[Fault]:
    """What is wrong with the columns, and with the period and the outcome of the people."""
    found = spec.composition
    if found is None:
        return
    if not found.shares and found.people is None:
        hint = "Give `new_build`, `movers` or `people`, or take the key out."
        yield Fault(("composition",), "nothing is named that says who lives there", hint)
    parts = (spec.unit is not None and spec.unit.built_from is not None) or spec.comparison.units is not None
    for name, share in found.shares.items():
        loc = ("composition", name.replace("-", "_"))
        pair = (share.numerator, share.denominator)
        if (share.percentage is None) == (pair == (None, None)) or (share.percentage is None and None in pair):
            message = "a share is one column `percentage`, or two: `numerator` and `denominator`"
            yield Fault(loc, message, "Keep one of the two.")
        elif share.percentage is not None and (parts or spec.data.crosswalk is not None):
            message = f"'{share.percentage}' is a percentage, which cannot be added up or brought to another division"
            yield Fault((*loc, "percentage"), message, "Give numerator and denominator.")
    yield from _people(spec, found.people)


def _people(spec: Specification, given: PeopleFile | None) -> Iterator[Fault]:
    if given is None:
        return
    own = [outcome.indicator for outcome in spec.all_outcomes]
    if given.outcome is None and len(own) > 1:
        hint = f"Name it in `outcome`: {', '.join(own)}."
        yield Fault(("composition", "people"), "of which outcome the means are is not said", hint)
    elif given.outcome is not None and given.outcome not in own:
        hint = f"Its outcomes are {', '.join(own)}."
        yield Fault(("composition", "people", "outcome"), f"'{given.outcome}' is no outcome of this study", hint)
    at = ("composition", "people", "since")
    if given.since not in spec.labels:
        yield Fault(
            at,
            f"{given.since} is no period that counts and can be compared",
            "Take the last period before the first start.",
        )
    elif any(given.since not in spec.before(start, spec.labels) for start in spec.starts()):
        hint = "Take the last period before the first start."
        yield Fault(at, f"{given.since} does not lie before every start, so an effect may be in it", hint)
