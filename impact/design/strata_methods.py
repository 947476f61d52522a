"""Matching of a table in strata: exact, and exact in classes of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from impact.covariates import MOST_LEVELS
from impact.design.characteristics import (
    Characteristics,
    Cut,
    Missing,
    as_usage,
    check_table,
    is_number,
    one_of,
    read_characteristics,
    read_labels,
    treatment,
)
from impact.design.matched import Matched, shortfall, too_few
from impact.design.strata import Estimand, leveled, sets_of, strata, sturges
from impact.errors import Refused
from impact.longtable import as_names
from impact.terms import Spelled

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["coarsened_exact", "exact"]


def exact(
    frame: pd.DataFrame,
    *,
    treated: str,
    on: Sequence[str],
    estimand: Estimand = "ATT",
    missing: Missing = "refuse",
) -> Matched | Refused:
    """Sets of units that are equal in all of `on`; see ``impact.match``."""
    _checked(frame, treated, on)
    return _in_strata(frame, treated, on, {}, "exact", estimand, missing)


def coarsened_exact(
    frame: pd.DataFrame,
    *,
    treated: str,
    on: Sequence[str],
    estimand: Estimand = "ATT",
    cutpoints: Cut | None = None,
    missing: Missing = "refuse",
) -> Matched | Refused:
    """Sets of units that are equal in all of `on`, numbers in classes; see ``impact.match``.

    Iacus, King & Porro (2012), Political Analysis 20(1). Numbers without cut points get Sturges's number of classes.
    """
    _checked(frame, treated, on)
    numbers = [name for name in on if is_number(frame, name)]
    cut = {name: sturges(len(frame)) for name in numbers} | dict(cutpoints or {})
    return _in_strata(frame, treated, on, cut, "coarsened-exact", estimand, missing)


def _checked(frame: pd.DataFrame, treated: str, on: Sequence[str]) -> None:
    with as_usage():
        if isinstance(on, str) or not on or not all(isinstance(name, str) for name in on):
            raise ValueError("on is a list of the names of one column or more")
    check_table(frame, [treated, *on])


def _in_strata(
    frame: pd.DataFrame,
    treated: str,
    on: Sequence[str],
    cut: Cut,
    method: str,
    estimand: Estimand,
    missing: Missing,
) -> Matched | Refused:
    with as_usage():
        one_of("estimand", estimand, ("ATT", "ATE"))
        one_of("missing", missing, ("refuse", "indicator"))
        if stray := [name for name in cut if name not in on]:
            raise ValueError(f"cutpoints of {', '.join(stray)}, which on does not name")
    is_treated = treatment(frame, treated)
    if (refused := too_few(is_treated, 1)) is not None:
        return refused
    labels = read_labels(frame, on, cut, missing)
    if isinstance(labels, Refused):
        return labels
    number = sets_of(strata(labels), is_treated)
    if (number < 0).all():
        return Refused(
            "the matching",
            f"no treated unit equals any control in {', '.join(on)}",
            "Match on fewer characteristics, or in wider classes.",
        )
    spelled: list[Spelled] = [
        name if is_number(frame, name) else {"category": name}
        for name in on
        if is_number(frame, name) or 1 < frame[name].nunique() <= MOST_LEVELS
    ]
    base: Characteristics | Refused = Characteristics(np.zeros((len(frame), 0)), ())
    if spelled:
        base = read_characteristics(frame, spelled, is_treated, fill=missing == "indicator", role=treated)
    if isinstance(base, Refused):
        return base
    weight = leveled(number, is_treated, estimand)
    alone = frame.index[is_treated & (number < 0)]
    notes = (*base.notes, *shortfall([(name, 0) for name in as_names(alone)], 1))
    return Matched(frame.index, is_treated, weight, number, None, base, method, "", estimand, {}, None, notes)
