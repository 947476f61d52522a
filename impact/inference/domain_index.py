"""Several indicators of one domain as one outcome: an index that is made before any effect is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from impact.arrays import Bool1, Float1, Float2, frozen

__all__ = ["DomainIndex", "Weighing", "domain_index"]

Weighing = Literal["inverse-covariance", "equal"]

_FLAT = 1e-12  # of the largest value: a spread below it is none
_CONDITION = 1e10


@dataclass(frozen=True, slots=True, eq=False)
class DomainIndex:
    """One outcome out of `K` indicators.

    Attributes
    ----------
    value : float array of the shape of the indicators
        In standard deviations of the reference, higher is more favourable; nan wherever an indicator is missing.
    weights : (K,) float
        Of the standardised indicators; they sum to 1.
    mean, sd : (K,) float
        Of the reference.
    reference : int
        Cells of the reference that have every indicator.
    missing : int
        Cells without an index that have some of the indicators.
    """

    value: Float2
    weights: Float1
    mean: Float1
    sd: Float1
    reference: int
    missing: int


def domain_index(
    values: Sequence[Float2],
    reference: Bool1,
    *,
    opposite: Sequence[bool] | None = None,
    whole: Sequence[str] | None = None,
    weighing: Weighing = "inverse-covariance",
) -> DomainIndex:
    """Standardise indicators, turn them the same way and add them up.

    ``inverse-covariance`` weights them by the row sums of the inverse of their correlations in the reference, so that
    indicators that say the same count less; a weight may be negative. ``equal`` is their mean, for which parts of one
    sum are averaged first and count once together.

    The index has a value only where all indicators do. (Both papers fill in or go on with what there is; over time
    that lets a place change by which of its indicators were measured.)

    Parameters
    ----------
    values : sequence of K arrays of one shape
        The indicators, such as (N, T) outcomes; nan where not observed.
    reference : bool array of that shape
        Cells that say what is usual: of units that are never treated, or of periods before any start. Outcomes of the
        treated after the start must not be among them.
    opposite : sequence of K bool, optional
        Whether lower is the favourable way.
    whole : sequence of K str, optional
        The sum that an indicator is a part of, or its own name. The sum and its parts together are refused.
    weighing : {"inverse-covariance", "equal"}
        How they are added up.

    Raises
    ------
    ValueError
        Shapes that differ, fewer reference cells than indicators need, an indicator that does not vary there, or
        correlations that cannot be inverted.

    References
    ----------
    Anderson (2008), JASA 103(484); Kling, Liebman & Katz (2007), Econometrica 75(1).
    """
    if not len(values) or any(np.shape(part) != np.shape(reference) for part in values):
        raise ValueError("the indicators and the reference are arrays of one shape")
    if weighing not in get_args(Weighing):
        raise ValueError(f"weighing={weighing!r} is not one of {', '.join(get_args(Weighing))}")
    stacked = np.stack([np.asarray(part, dtype=np.float64) for part in values])
    count = len(stacked)
    names = [f"indicator {number + 1}" for number in range(count)] if whole is None else list(whole)
    turned = np.zeros(count, dtype=bool) if opposite is None else np.asarray(opposite, dtype=bool)
    if len(names) != count or turned.shape != (count,):
        raise ValueError(f"`opposite` and `whole` say one thing of each of the {count} indicators")
    complete = np.isfinite(stacked).all(axis=0)
    chosen = stacked[:, complete & np.asarray(reference, dtype=bool)]
    if chosen.shape[1] < count + 2:
        raise ValueError(f"{chosen.shape[1]} cells of the reference have all {count} indicators: too few")
    mean, sd = chosen.mean(axis=1), chosen.std(axis=1, ddof=1)
    if (sd <= _FLAT * np.abs(chosen).max(axis=1)).any():
        raise ValueError("an indicator does not vary in the reference")
    sign = np.where(turned, -1.0, 1.0)
    if weighing == "equal":
        each = {name: names.count(name) for name in names}
        weights = np.array([1 / each[name] for name in names]) / len(each)
    else:
        correlation = np.corrcoef(chosen * sign[:, None]).reshape(count, count)
        if np.linalg.cond(correlation) > _CONDITION:
            raise ValueError("an indicator follows from the others, as a sum does from its parts: take one of them out")
        sums = np.linalg.solve(correlation, np.ones(count))
        weights = sums / sums.sum()
    value = np.full(stacked.shape[1:], np.nan)
    standard = (stacked[:, complete] - mean[:, None]) / sd[:, None] * sign[:, None]
    value[complete] = weights @ standard
    some = np.isfinite(stacked).any(axis=0) & ~complete
    return DomainIndex(frozen(value), frozen(weights), frozen(mean), frozen(sd), chosen.shape[1], int(some.sum()))
