"""What passing a test of the estimates before the start selects: its probability, and the means of those that pass.

The test is passed when no estimate before the start is significant by itself. Given that, a normal vector is truncated
to a box, and every estimate that is correlated with it moves along (Roth 2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impact.arrays import Float1, Float2
from impact.numerics.moment_inequalities import truncated_quantile

__all__ = ["Passing", "passing", "slope_for_power"]

_POINTS = 2**14
_WIDEST = 1e4  # standard errors per period: a trend that any test sees


@dataclass(frozen=True, slots=True, eq=False)
class Passing:
    """What happens under a trend.

    Attributes
    ----------
    probability : float
        Of passing.
    mean : (K,) float
        Of the estimates that pass, those before the start first; without the test it is the trend.
    """

    probability: float
    mean: Float1


def passing(trend: Float1, sigma: Float2, critical: Float1) -> Passing:
    """The probability that no estimate before the start exceeds its critical value, and the means when none does.

    Parameters
    ----------
    trend : (K,) float
        Means of the estimates, those before the start first.
    sigma : (K, K) float
        Their covariance; positive definite in the part before the start.
    critical : (P,) float
        Standard errors that an estimate before the start may lie from 0.

    Notes
    -----
    The integral over the box is transformed to the unit cube one variable after the other (Genz 1992) and taken at
    16,384 points of a lattice, the same ones always: four digits.

    References
    ----------
    Roth (2022), American Economic Review: Insights 4(3), sections I.B and II; the R package ``pretrends``.
    """
    from scipy.special import ndtr

    before = len(critical)
    inner = sigma[:before, :before]
    root = np.linalg.cholesky(inner)
    reach = critical * np.sqrt(np.diag(inner))
    weight, z = np.ones(_POINTS), np.zeros((_POINTS, before))
    for k, share in enumerate(_lattice(before).T):
        middle = trend[k] + z[:, :k] @ root[k, :k]
        low, high = (-reach[k] - middle) / root[k, k], (reach[k] - middle) / root[k, k]
        # The difference of two probabilities, taken in the tail where both are small.
        weight = weight * np.where(low > 0, ndtr(-low) - ndtr(-high), ndtr(high) - ndtr(low))
        z[:, k] = np.clip(truncated_quantile(share, low, high), low, high)
    total = float(weight.sum())
    if total <= 0:
        # Nobody passes; the means are then not defined, and nothing is claimed of them.
        return Passing(0.0, np.full(len(trend), np.nan))
    away = root @ (weight @ z / total)
    return Passing(total / _POINTS, trend + sigma[:, :before] @ np.linalg.solve(inner, away))


def slope_for_power(power: float, times: Float1, sigma: Float2, critical: Float1) -> float:
    """The slope of the linear trend that the test before the start detects with probability `power`.

    Parameters
    ----------
    power : float
        Above that under no trend, and below 1.
    times : (P,) float
        Periods from the reference, negative.
    sigma : (P, P) float
        Covariance of the estimates before the start.
    critical : (P,) float
        As in `passing`.

    Raises
    ------
    ValueError
        Without a trend the test fails that often already.
    """
    from scipy.optimize import brentq

    def beyond(slope: float) -> float:
        return 1 - passing(slope * times, sigma, critical).probability - power

    if beyond(0.0) >= 0:
        raise ValueError(f"without any trend the test fails in {beyond(0.0) + power:.0%} of cases already")
    unit = float(np.sqrt(np.diag(sigma)).min())
    high = unit
    while beyond(high) < 0 and high < _WIDEST * unit:
        high *= 2
    return float(brentq(beyond, 0.0, high, xtol=1e-10 * unit))


def _lattice(count: int) -> Float2:
    """(n, count) points that fill the unit cube evenly: multiples of roots of primes, folded at the middle."""
    primes = [n for n in range(2, 400) if all(n % k for k in range(2, int(n**0.5) + 1))][:count]
    shares = np.outer(np.arange(1, _POINTS + 1), np.sqrt(primes)) % 1
    return np.asarray(np.abs(2 * shares - 1))
