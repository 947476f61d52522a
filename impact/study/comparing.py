"""What a study says of its comparison: who may stand beside the treated areas, and who of them is chosen or weighed."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from impact.design.distances import Metric
from impact.study.fields import Part, Period, Slug, Word, as_no_match, as_texts
from impact.study.leave_out import LeaveOut
from impact.study.level import BuiltUnits

__all__ = ["BY_DISTANCE", "IN_STRATA", "WEIGHTS", "Comparison", "Impute", "Match"]

BY_DISTANCE: Final = ("nearest", "optimal", "full")
"""Methods that put the most alike beside each other."""
IN_STRATA: Final = ("exact", "coarsened-exact")
"""Methods that put equals beside each other."""
WEIGHTS: Final = ("entropy", "stable", "inverse-probability", "overlap")
"""Methods that weigh the whole pool instead of choosing from it."""


class Impute(Part):
    """Missing characteristics are drawn `impute` times from what the others say; see ``impact.design.imputation``."""

    impute: Annotated[int, Field(ge=2, le=100)] = Field(description="the number of completed tables, 2 or more")


class Match(Part):
    """Who stands beside whom: `ratio` comparison units for every treated unit.

    ``nearest``: those most like it, also when they serve others (unless ``replace: false``); ``optimal``: each serves
    once, at the smallest total distance; ``full``: all that are left, in sets, without a ratio. ``exact`` and
    ``coarsened-exact``: all that are equal, numbers in classes for the latter (`cutpoints`: their number, or the points
    between them). ``entropy``, ``stable``, ``inverse-probability`` and ``overlap`` weigh the whole pool, for the areas
    of every start apart: to the means (`moments: 2` also squares, 3 also cubes), within a `tolerance`, or by the
    probability of being treated, where scores nearer than `trim` to 1 are left out.

    `on` names characteristics of the units table, or the groups structure, size and selection. `outcomes_in`: years in
    which the outcome is matched on too (before it is taken relative to the own mean); neither base nor selection wave.
    `exact` names columns of the units table in which both must be equal; `same` that both lie in one gemeente, or in
    gemeenten of one class of size. `estimand`: whom the comparison is about, the treated (ATT) unless ``overlap``.
    `missing`: what to do where a characteristic is not known; without it such units leave by name.
    """

    method: Literal[
        "nearest",
        "optimal",
        "full",
        "exact",
        "coarsened-exact",
        "entropy",
        "stable",
        "inverse-probability",
        "overlap",
    ] = Field(
        description="nearest, optimal or full (by distance); exact or coarsened-exact (equals); entropy, stable, "
        "inverse-probability or overlap (weights)"
    )
    ratio: Annotated[int, Field(ge=1, le=100)] | None = Field(
        default=None, description="the number of comparison units for every treated unit; for nearest and optimal"
    )
    replace: bool = Field(default=True, description="whether a comparison unit may serve several treated units")
    distance: Metric = "mahalanobis"
    on: tuple[Word, ...] = ()
    exact: Annotated[tuple[Word, ...], BeforeValidator(as_texts)] = ()
    same: Literal["gemeente", "gemeente-grootte"] | None = None
    cutpoints: dict[Word, Annotated[int, Field(ge=2, le=100)] | Annotated[tuple[float, ...], Field(min_length=1)]] = (
        Field(default_factory=dict)
    )
    moments: Annotated[int, Field(ge=1, le=3)] | dict[Word, Annotated[int, Field(ge=1, le=3)]] | None = None
    tolerance: Annotated[float, Field(ge=0)] | None = None
    trim: Literal["optimal"] | Annotated[float, Field(gt=0, lt=0.5)] | None = None
    estimand: Literal["ATT", "ATO", "ATM"] = "ATT"
    outcomes_in: tuple[Period, ...] = ()
    selection_waves: tuple[Period, ...] = ()
    caliper: Annotated[float, Field(gt=0)] | None = None
    missing: Literal["refuse", "indicator"] | Impute = "refuse"


class Comparison(Part):
    """Who the treated areas are compared with; `match: none` compares with every unit that is left.

    `pools`: a file of pools (region, vintage, pool, source), such as areas that were nominated and not chosen; `pool`:
    the one or more of them that may be compared, every unit when there is none. `leave_out` goes on from there.
    """

    pools: Word | None = None
    pool: Annotated[tuple[Slug, ...], BeforeValidator(as_texts)] = ()
    leave_out: tuple[LeaveOut, ...] = ()
    units: Annotated[BuiltUnits | None, BeforeValidator(as_no_match)] = None
    match: Annotated[Match | None, BeforeValidator(as_no_match)] = Field(
        description="{method: nearest, ratio: …, on: […]}, or none"
    )
