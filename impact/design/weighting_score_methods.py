"""Weighting of a table by a propensity score: inverse probability, overlap and matching weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from impact.arrays import Bool1, Float1
from impact.design.characteristics import Missing, as_usage, one_of
from impact.design.propensity import log_odds
from impact.design.strata import Estimand
from impact.design.weighting import Moment, Weighted
from impact.design.weighting_moments import spread, whom
from impact.design.weighting_scores import balancing, best_cut, within
from impact.design.weighting_table import POPULATIONS, Table, read_counts, read_table
from impact.errors import Refused
from impact.longtable import few
from impact.numerics.propensity import expit
from impact.terms import Spelled

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["inverse_probability", "overlap"]

Trim: TypeAlias = float | Literal["optimal"] | None
"""Scores nearer than this to 0 or 1 are left out."""


def inverse_probability(
    frame: pd.DataFrame,
    *,
    treated: str,
    on: Sequence[Spelled],
    estimand: Estimand = "ATT",
    trim: Trim = None,
    counts: str | None = None,
    missing: Missing = "refuse",
) -> Weighted | Refused:
    """Weights of one over the probability of the group a unit is in; see ``impact.match``."""
    with as_usage():
        one_of("estimand of inverse-probability", estimand, POPULATIONS)
        if isinstance(trim, str):
            one_of("trim", trim, ("optimal",), "or a number")
        elif trim is not None and not 0 < trim < 0.5:
            raise ValueError(f"trim {trim!r} must be a probability above 0 and below 0.5, or 'optimal'")
    return _scored(frame, treated, on, "inverse-probability", estimand, trim, missing, counts)


def overlap(
    frame: pd.DataFrame,
    *,
    treated: str,
    on: Sequence[Spelled],
    estimand: Estimand = "ATO",
    missing: Missing = "refuse",
) -> Weighted | Refused:
    """Weights of the probability of the other group: no weight is large, and means are equal; see ``impact.match``."""
    with as_usage():
        one_of("estimand of overlap", estimand, ("ATO", "ATM"))
    return _scored(frame, treated, on, "overlap", estimand, None, missing)


def _scored(
    frame: pd.DataFrame,
    treated: str,
    on: Sequence[Spelled],
    method: str,
    estimand: Estimand,
    trim: Trim,
    missing: Missing,
    counts: str | None = None,
) -> Weighted | Refused:
    table = read_table(frame, treated, on, missing)
    if isinstance(table, Refused):
        return table
    often = read_counts(frame, counts, table.treated, estimand)
    if isinstance(often, Refused):
        return often
    every = np.ones(len(frame), dtype=bool)
    odds = _odds(table, every, often)
    if isinstance(odds, Refused):
        return odds
    kept = every
    notes: tuple[str, ...] = ()
    if trim is not None:
        cut = best_cut(odds, estimand) if trim == "optimal" else float(trim)
        kept = within(odds, cut, estimand) if cut else every
        if not ((kept & table.treated).any() and (kept & ~table.treated).any()):
            return Refused(
                "the weighting", f"no units of both groups have scores in reach of {cut:.4g}", "Trim less, or not."
            )
        notes = (_trimmed(table, kept, cut, estimand),)
        if not kept.all():
            odds = _odds(table, kept, often)
            if isinstance(odds, Refused):
                return replace(odds, because=f"{odds.because}, among those left by trimming")
    weight = np.where(kept, balancing(odds, table.treated, estimand), 0.0) * often
    moments = _moments(table, odds, weight, estimand)
    return table.weighted(weight, moments, method, estimand, odds, notes)


def _odds(table: Table, kept: Bool1, counts: Float1) -> Float1 | Refused:
    """(n,) log odds of everybody, by a logit of those `kept`."""
    base = table.base
    own = log_odds(base.x[kept], table.treated[kept], base.names, base.redundant, counts[kept])
    if isinstance(own, Refused) or kept.all():
        return own
    # The others lie on the same plane.
    scaled = (base.x - base.x[kept].mean(axis=0)) / np.where(base.x.std(axis=0) > 0, base.x.std(axis=0), 1.0)
    design = np.column_stack([np.ones(len(scaled)), scaled])
    return np.asarray(design @ np.linalg.lstsq(design[kept], own)[0])


def _trimmed(table: Table, kept: Bool1, cut: float, estimand: Estimand) -> str:
    """Who was left out, and what that makes of the question."""
    reach = {"ATT": f"at most {1 - cut:.4g}", "ATC": f"at least {cut:.4g}"}.get(
        estimand, f"from {cut:.4g} to {1 - cut:.4g}"
    )
    out = ~kept
    if not out.any():
        return "nobody was trimmed" + (f": all scores are {reach}" if cut else ": leaving nobody out is most precise")
    count = [int((out & group).sum()) for group in (table.treated, ~table.treated)]
    gone = few([table.units[row] for row in np.flatnonzero(out & table.treated)], most=20)
    return (
        f"{count[0]} treated units and {count[1]} controls were trimmed, the score was fitted again without them, and "
        f"the weights stand for those with scores of {reach}" + (f"; treated units left out: {gone}" if gone else "")
    )


def _moments(table: Table, odds: Float1, weight: Float1, estimand: Estimand) -> tuple[Moment, ...]:
    """Means of what the score is made of, beside those of whom the weights stand for."""
    x, names = table.base.x, table.base.names
    e = np.where(table.treated, expit(odds), expit(-odds))
    people = weight * e  # h of `balancing`
    target, sd = people @ x / people.sum(), spread(x, table.treated)
    return tuple(
        Moment(
            names[k],
            side,
            float(target[k]),
            float(x[members, k].mean()),
            float(weight[members] @ x[members, k] / weight[members].sum()),
            float(sd[k]),
        )
        for side, members in whom(estimand, table.treated)[1].items()
        for k in range(len(names))
        if k not in table.base.redundant
    )
