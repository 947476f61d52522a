"""What a study says of disclosure: a profile by name, its own thresholds, or a profile with some thresholds changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, Field

from impact.disclosure.profile import PROFILES, Profile
from impact.study.faults import Fault
from impact.study.fields import Part
from impact.study.source import Loc

if TYPE_CHECKING:
    from impact.study.model import Specification

__all__ = ["Disclose", "Dominance", "faults_of_disclosure", "profile_of"]

_Count = Annotated[int, Field(ge=1, le=1_000_000)]
_Share = Annotated[float, Field(gt=0, le=1)]


class Dominance(Part):
    """The (n, k) rule: the `n` largest contributions make up less than the share `k`."""

    n: Annotated[int, Field(ge=1, le=100)] = Field(description="how many contributors, the largest first")
    k: _Share = Field(description="their share of the whole, below which nobody dominates")


class Disclose(Part):
    """What may leave: ``public``, ``cbs-ra``, or thresholds of one's own, which go before those of a `profile`.

    `minimum_count`: fewest persons behind a number; `minimum_units`: fewest wijken, buurten or gemeenten;
    `minimum_df`: fewest degrees of freedom of a model. `full_share`: no cell holds more than this share of its row.
    `zeros`: a count of nobody is not shown either. `largest_weight`: no unit has this share of a mean.
    """

    profile: Literal["public", "cbs-ra"] | None = None
    minimum_count: _Count | None = None
    minimum_units: _Count | None = None
    minimum_df: _Count | None = None
    dominance: Dominance | None = None
    p_percent: Annotated[float, Field(gt=0, le=100)] | None = None
    largest_weight: _Share | None = None
    full_share: _Share | None = None
    zeros: bool | None = None
    protection: _Share | None = None
    round_to: Annotated[int, Field(ge=2, le=1000)] | None = None

    @property
    def own(self) -> dict[str, Any]:
        """The thresholds that the study itself gives."""
        given = {name: value for name, value in self if name != "profile" and value is not None}
        return given | ({} if self.dominance is None else {"dominance": (self.dominance.n, self.dominance.k)})


def profile_of(said: Disclose) -> Profile:
    """The thresholds that hold."""
    base = Profile("own") if said.profile is None else PROFILES[said.profile]
    return replace(base, **said.own)


def faults_of_disclosure(spec: Specification) -> Iterator[Fault]:
    """Public figures have no thresholds, and thresholds are at least one."""
    said = spec.disclose
    if said is None:
        return
    if said.profile == "public" and said.own:
        hint = "Take the thresholds out, or take `profile: public` out: the figures are public or they are not."
        yield Fault(("disclose",), "figures that are public are held against no thresholds", hint)
    if said.profile is None and not profile_of(said).asks:
        hint = "Write `disclose: public`, `disclose: cbs-ra`, or thresholds such as {minimum_count: 10}."
        yield Fault(("disclose",), "there is no profile and no threshold", hint)
    if profile_of(said).asks:
        for loc in _shared(spec.data, ("data",)):
            hint = "Take `share: true` out, or write `disclose: public` where everything in the files is public."
            yield Fault(loc, "a file that goes along as it is holds more than may leave under `disclose`", hint)


def _shared(part: BaseModel, loc: Loc) -> Iterator[Loc]:
    """Where a file of the data says that it goes along in the bundle."""
    for name, value in part:
        if name == "share" and value is True:
            yield (*loc, name)
        elif isinstance(value, BaseModel):
            yield from _shared(value, (*loc, name))
