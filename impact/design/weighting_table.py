"""The table of a weighting, in numbers, and the weights back on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from impact.arrays import Bool1, Float1
from impact.design.characteristics import (
    Characteristics,
    Missing,
    as_usage,
    check_table,
    number_column,
    one_of,
    read_characteristics,
    row_names,
    treatment,
)
from impact.design.matched import too_few
from impact.design.strata import Estimand
from impact.design.weighting import Moment, Weighted
from impact.errors import Refused
from impact.longtable import few
from impact.terms import Spelled

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["POPULATIONS", "Table", "read_counts", "read_table"]

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


def read_counts(frame: pd.DataFrame, column: str | None, treated: Bool1, estimand: Estimand) -> Float1 | Refused:
    """(n,) what every treated unit counts for, with mean 1, and 1 for the controls; see ``impact.match``.

    A refusal names treated units that count for nothing or for an unknown amount.

    Raises
    ------
    UsageError
        ``USAGE-003`` where the weights stand for others than the treated.
    """
    counts = np.ones(len(frame))
    if column is None:
        return counts
    with as_usage():
        one_of("estimand with counts", estimand, ("ATT",))
    check_table(frame, [column])
    given = number_column(frame, column)
    odd = treated & ~(given > 0)
    if odd.any():
        who = few([name for name, is_odd in zip(row_names(frame), odd, strict=True) if is_odd], most=20)
        return Refused("the weighting", f"counts in {column} are not above 0 for {who}", "Leave those units out.")
    counts[treated] = given[treated] / given[treated].mean()
    return counts
