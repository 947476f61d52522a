"""From a standard error and its degrees of freedom to an interval, and what has none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from impact.arrays import Float1, Float2, Int1
from impact.errors import Refused
from impact.estimators.protocol import Estimator
from impact.inference.protocol import Found, Uncertainty, spread

__all__ = ["interval", "no_scores", "own_error", "with_covariance"]

# In one or two treated clusters nothing is left around the mean that tells the error of that mean.
_MIRRORED = 2
_NULL = "the effect is 0"
_ROUNDING = 64 * float(np.finfo(np.float64).eps)  # of the largest outcome: an error below it is none
_NO_ERROR = Refused(
    "an interval",
    "nothing that is left out or drawn anew changes it (it is a base, or the outcome does not move), so no error shows",
    "Read it as it stands.",
)


def own_error(treated: Int1) -> tuple[Refused | None, ...]:
    """Why terms with weight in `treated` (m,) treated clusters have no error from scores; None for those that have."""
    because = {
        1: "its weight lies in one treated cluster, whose score is 0 whatever happened there",
        2: "its weight lies in two treated clusters, whose scores mirror each other whatever happened there",
    }
    instead = "Use a target over more areas, or placebo-space for a p-value."
    return tuple(
        None if count > _MIRRORED else Refused("a standard error", because.get(int(count), "nobody weighs"), instead)
        for count in treated
    )


def no_scores(inference: str, estimator: Estimator) -> Refused:
    """The refusal of an inference that needs influence scores."""
    return Refused(
        f"uncertainty by {inference}",
        f"{estimator.name} has no influence scores",
        "Use cluster-jackknife or placebo-space.",
    )


def with_covariance(given: Uncertainty, covariance: Float2) -> Uncertainty:
    """`given` with the (m, m) `covariance` of its terms; nan for those that are refused."""
    unknown = np.array([reason is not None for reason in given.refused])
    return replace(given, covariance=np.where(unknown[:, None] | unknown[None, :], np.nan, covariance))


def interval(
    found: Found,
    name: str,
    error: Float1,
    df: Float1,
    level: float,
    refused: tuple[Refused | None, ...],
    draws: int,
    attempted: int,
) -> Uncertainty:
    """The t interval and p-value of every term that was not refused; refused where no error shows."""
    from scipy import stats

    clusters, treated, largest, effective = spread(found)
    rounding = _ROUNDING * float(np.nanmax(np.abs(found.panel.y), initial=0.0))
    refused = tuple(
        _NO_ERROR if reason is None and size <= rounding else reason
        for reason, size in zip(refused, error, strict=True)
    )
    given = np.array([reason is None for reason in refused])
    error = np.where(given, error, np.nan)
    degrees = np.where(given, df, np.nan)
    reach = stats.t.ppf(0.5 + level / 2, degrees) * error
    estimate = found.effects.estimate
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.abs(estimate) / error
    p_value = np.asarray(2 * stats.t.sf(statistic, degrees))
    return Uncertainty(
        name,
        _NULL,
        error,
        degrees,
        estimate - reach,
        estimate + reach,
        p_value,
        level,
        refused,
        clusters,
        treated,
        largest,
        effective,
        draws,
        attempted,
    )
