"""Weighting of a table to moments: entropy balancing and stable weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from impact.arrays import Float1
from impact.design.characteristics import Missing, as_usage, check_table, number_column, one_of, row_names
from impact.design.strata import Estimand
from impact.design.weighting import Moment, Side, Weighted
from impact.design.weighting_entropy import tilted
from impact.design.weighting_moments import Aims, Order, aims
from impact.design.weighting_reach import out_of_reach
from impact.design.weighting_stable import least_variance
from impact.design.weighting_table import POPULATIONS, read_counts, read_table
from impact.errors import Refused
from impact.longtable import few
from impact.terms import Spelled

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["entropy", "stable"]

Tolerance: TypeAlias = float | Mapping[str, float]
"""Standard deviations that every moment may stay off, or those of each."""

_FAINT = 1e-6


def entropy(
    frame: pd.DataFrame,
    *,
    treated: str,
    on: Sequence[Spelled],
    estimand: Estimand = "ATT",
    moments: Order = 1,
    base_weights: str | None = None,
    max_weight: float | None = None,
    counts: str | None = None,
    missing: Missing = "refuse",
) -> Weighted | Refused:
    """Weights that meet the moments exactly and are otherwise as even as can be; see ``impact.match``."""
    with as_usage():
        one_of("estimand of entropy", estimand, POPULATIONS)
        if max_weight is not None and not 0 < max_weight <= 1:
            raise ValueError(f"max_weight {max_weight!r} must be a share above 0 and at most 1")
    read = read_table(frame, treated, on, missing)
    if isinstance(read, Refused):
        return read
    base = _base(frame, base_weights)
    if isinstance(base, Refused):
        return base
    often = read_counts(frame, counts, read.treated, estimand)
    if isinstance(often, Refused):
        return often
    with as_usage():
        aim = aims(read.base, read.treated, estimand, moments, counts=often)
    if isinstance(aim, Refused):
        return aim
    weight, most = often.copy(), max_weight or 1.0
    found: list[Moment] = []
    for side, members in aim.sides.items():
        if most * members.sum() < 1:
            return Refused(
                "the weighting",
                f"{int(members.sum())} units of at most {most:.3g} each do not add up to 1",
                f"Give a max_weight of at least {1 / members.sum():.3g}.",
            )
        tilt = tilted(aim.z[members], base[members], most)
        if tilt is None:
            return _refused(aim, side, read.units, np.zeros(len(aim.names)), most)
        weight[members] = tilt.share * members.sum()
        found += aim.moments(side, weight, np.zeros(len(aim.names)), tilt.slope / aim.sd)
    notes = [_faint(weight[members], side) for side, members in aim.sides.items() if weight[members].min() < _FAINT]
    return read.weighted(weight, tuple(found), "entropy", estimand, notes=tuple(notes))


def _faint(weight: Float1, side: Side) -> str:
    return (
        f"{int((weight < _FAINT).sum())} of {len(weight)} units of the {side} group have less than a millionth of the "
        "mean weight: the moments leave them next to none"
    )


def stable(
    frame: pd.DataFrame,
    *,
    treated: str,
    on: Sequence[Spelled],
    estimand: Estimand = "ATT",
    moments: Order = 1,
    tolerance: Tolerance = 0.05,
    counts: str | None = None,
    missing: Missing = "refuse",
) -> Weighted | Refused:
    """Weights of the least variance that bring the moments within a tolerance; see ``impact.match``."""
    with as_usage():
        one_of("estimand of stable", estimand, POPULATIONS)
        widths = tolerance.values() if isinstance(tolerance, Mapping) else [tolerance]
        if not all(0 <= width < np.inf for width in widths):
            raise ValueError(f"tolerance {tolerance!r} must be 0 standard deviations or more")
    read = read_table(frame, treated, on, missing)
    if isinstance(read, Refused):
        return read
    often = read_counts(frame, counts, read.treated, estimand)
    if isinstance(often, Refused):
        return often
    with as_usage():
        aim = aims(read.base, read.treated, estimand, moments, levels=True, counts=often)
        if isinstance(aim, Refused):
            return aim
        allowed = _allowed(tolerance, aim)
    weight = often.copy()
    found: list[Moment] = []
    for side, members in aim.sides.items():
        best = least_variance(aim.z[members], allowed)
        if best is None:
            return _refused(aim, side, read.units, allowed)
        weight[members] = best.weight
        found += aim.moments(side, weight, allowed, best.price)
    return read.weighted(weight, tuple(found), "stable", estimand)


def _base(frame: pd.DataFrame, column: str | None) -> Float1 | Refused:
    """(n,) the weights to stay near to."""
    if column is None:
        return np.ones(len(frame))
    check_table(frame, [column])
    base = number_column(frame, column)
    odd = ~(base > 0)
    if odd.any():
        who = few([name for name, is_odd in zip(row_names(frame), odd, strict=True) if is_odd], most=20)
        return Refused("the weighting", f"base weights in {column} are not above 0 for {who}", "Leave those units out.")
    return base


def _allowed(tolerance: Tolerance, aim: Aims) -> Float1:
    """(p,) how far each moment may stay from its target; with two groups to weight, half of it on either side."""
    if isinstance(tolerance, Mapping):
        if wrong := set(tolerance) ^ set(aim.names):
            raise ValueError(f"tolerance must name every moment once ({', '.join(aim.names)}): {', '.join(wrong)}")
        widths = np.array([tolerance[name] for name in aim.names], dtype=float)
    else:
        widths = np.full(len(aim.names), float(tolerance))
    return widths / len(aim.sides)


def _refused(aim: Aims, side: Side, units: Sequence[str], tolerance: Float1, most: float = 1.0) -> Refused:
    """Why there are no weights, or that there are and were not found."""
    why = out_of_reach(aim, side, units, tolerance, most)
    if why is not None:
        return why
    return Refused(
        "the weighting",
        f"weights of the {side} group that meet the moments exist, and were not found to enough digits",
        "Ask for fewer moments, or for method='stable' with a tolerance.",
    )
