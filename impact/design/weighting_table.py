"""The table of a weighting, in numbers, and the weights back on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from impact.arrays import Bool1, Float1
from impact.design.characteristics import (
    Characteristics,
    Missing,
    as_usage,
    check_table,
    one_of,
    read_characteristics,
    row_names,
    treatment,
)
from impact.design.matched import too_few
from impact.design.strata import Estimand
from impact.design.weighting import Moment, Weighted
from impact.errors import Refused
from impact.terms import Spelled

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["POPULATIONS", "Table", "read_table"]

POPULATIONS: Final = ("ATT", "ATC", "ATE")
"""Estimands about groups that are there: the treated, the controls, all."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The table in numbers.

    Attributes
    ----------
    index : Index
    treated : (n,) bool
    base : Characteristics
    units : (n,) tuple of str
    """

    index: pd.Index[str]
    treated: Bool1
    base: Characteristics
    units: tuple[str, ...]

    def weighted(
        self,
        weight: Float1,
        moments: tuple[Moment, ...],
        method: str,
        estimand: Estimand,
        score: Float1 | None = None,
        notes: tuple[str, ...] = (),
    ) -> Weighted:
        """The result with `weight` (n,) in any scale."""
        even = weight.copy()
        for group in (self.treated, ~self.treated):
            even[group] /= weight[group & (weight > 0)].mean()
        return Weighted(
            index=self.index,
            treated=self.treated,
            weight=even,
            numbers=None,
            match=None,
            characteristics=self.base,
            method=method,
            distance="" if score is None else "propensity",
            estimand=estimand,
            calipers={},
            score=score,
            notes=(*self.base.notes, *notes),
            moments=moments,
        )


def read_table(frame: pd.DataFrame, treated: str, on: Sequence[Spelled], missing: Missing) -> Table | Refused:
    """Who is treated and what is known of everybody; a refusal names who lacks what."""
    with as_usage():
        one_of("missing", missing, ("refuse", "indicator"))
        if not on:
            raise ValueError("on names nothing to weight on")
    check_table(frame, [treated])
    is_treated = treatment(frame, treated)
    if (refused := too_few(is_treated, 1)) is not None:
        return refused
    base = read_characteristics(frame, on, is_treated, fill=missing == "indicator", role=treated)
    return base if isinstance(base, Refused) else Table(frame.index, is_treated, base, row_names(frame))
