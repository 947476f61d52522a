"""What a study says of looking more than once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from impact.inference.looks import Spending
from impact.study.faults import Fault
from impact.study.fields import Part, Word

if TYPE_CHECKING:
    from impact.study.model import Specification

__all__ = ["Looks", "faults_of_looks"]


class Looks(Part):
    """When the outcomes are looked at, and how the error is spread over these looks.

    ``obrien-fleming`` spends next to nothing early, ``pocock`` about as much at every look (Lan and DeMets 1983). Over
    all looks together the error is that of `inference.level`.
    """

    planned: Annotated[tuple[Word, ...], Field(min_length=1, max_length=60)] = Field(
        description="the planned looks in order, for instance [2026-11, 2027-05]"
    )
    spending: Spending = "obrien-fleming"


def faults_of_looks(spec: Specification) -> Iterator[Fault]:
    """Looks that stand twice or out of order."""
    planned = () if spec.looks is None else spec.looks.planned
    for number, label in enumerate(planned):
        if label in planned[:number]:
            yield Fault(("looks", "planned", number), f"{label} stands there already", "Every look is planned once.")
        elif number and label < planned[number - 1]:
            hint = "Write dates that sort, such as 2026-11, in order."
            yield Fault(("looks", "planned", number), f"{label} comes before {planned[number - 1]}", hint)
