"""The critical value of a shrunken estimate that holds its level whatever the distribution of the true effects."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from impact.arrays import Float1

__all__ = ["cva", "noncoverage"]

_GRID = 400  # candidates for the support of the least favourable distribution, before the best is refined
_LEVEL = 1e-12


def cva(m2: float, kappa: float = np.inf, alpha: float = 0.05) -> float:
    """Standard errors that an interval must reach so that biases of this size do not take it off its level on average.

    An estimate that is shrunk is biased, by ``b`` standard errors. Where ``b`` is drawn from an unknown distribution
    with ``E b² = m2`` and ``E b⁴ = kappa m2²``, the interval of ``cva`` standard errors misses with probability at most
    `alpha` on average over that distribution, whatever it is.

    Parameters
    ----------
    m2 : float
        Second moment of the bias over the standard error; 0 gives the normal critical value.
    kappa : float
        Kurtosis of the bias, at least 1; infinite where nothing is known of it.
    alpha : float
        Share of misses.

    Raises
    ------
    ValueError
        A moment that no distribution has.

    References
    ----------
    Armstrong, Kolesár & Plagborg-Møller (2022), Econometrica 90(6), 2567-2602; the values are those of their R package
    ebci.
    """
    from scipy import optimize, special

    if not (np.isfinite(m2) and m2 >= 0 and kappa >= 1 and 0 < alpha < 1):
        raise ValueError(f"m2={m2} is 0 or more, kappa={kappa} 1 or more, and alpha={alpha} between 0 and 1")
    if m2 == 0:
        return float(-special.ndtri(alpha / 2))
    # With one bias for all it is at least this; by Chebyshev's inequality at most that.
    low = max(np.sqrt(m2) - special.ndtri(alpha) - 1.0, 0.0)
    high = np.sqrt((1 + m2) / alpha) + 1.0
    return float(optimize.brentq(lambda chi: noncoverage(m2, kappa, chi) - alpha, low, high, xtol=1e-10, rtol=_LEVEL))


def noncoverage(m2: float, kappa: float, chi: float) -> float:
    """The largest share of misses of intervals of `chi` standard errors, over all distributions with these moments.

    In ``t = b²`` the share ``r(t)`` is convex up to a point and concave from there (concave throughout for
    ``chi² ≤ 3``), so the worst distribution has one or two points. Without the kurtosis these are 0 and the point t₀ at
    which the line from ``r(0)`` touches ``r``, or `m2` alone beyond t₀. Where the kurtosis binds, the two points at
    distances ``a`` below and ``(kappa - 1) m2² / a`` above `m2` have the moments, and ``a`` is found by search.
    """
    touch = _touching(chi)
    if m2 >= touch or kappa == 1:
        return float(_misses(m2, chi))
    if kappa * m2 >= touch:
        start = _misses(0.0, chi)
        return float(start + (m2 / touch) * (_misses(touch, chi) - start))
    from scipy import optimize

    spread = m2**2 * (kappa - 1)

    def worst(below: ArrayLike) -> Float1:
        a = np.asarray(below, dtype=np.float64)
        upper = a**2 / (a**2 + spread)
        return np.asarray((1 - upper) * _misses(m2 - a, chi) + upper * _misses(m2 + spread / a, chi))

    grid = m2 * np.concatenate([np.geomspace(1e-6, 0.5, _GRID), np.linspace(0.5, 1, _GRID)[1:]])
    values = worst(grid)
    best = int(values.argmax())
    bounds = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    found = optimize.minimize_scalar(
        lambda a: -float(worst(a)), bounds=bounds, method="bounded", options={"xatol": 1e-12}
    )
    # As `a` falls to 0 all but a vanishing share of the biases is m2: that limit is not reached, but approached.
    return float(max(values[best], -found.fun, _misses(m2, chi)))


def _misses(t: ArrayLike, chi: float) -> Float1:
    """``r(t)``: the share of misses with a squared bias of `t`."""
    from scipy import special

    bias = np.sqrt(np.maximum(np.asarray(t, dtype=np.float64), 0.0))
    return np.asarray(special.ndtr(-bias - chi) + special.ndtr(bias - chi))


def _slope(t: float, chi: float) -> float:
    """Derivative of `_misses`."""
    from scipy import stats

    if t < _LEVEL:
        return float(chi * stats.norm.pdf(chi))
    bias = np.sqrt(t)
    return float((stats.norm.pdf(bias - chi) - stats.norm.pdf(bias + chi)) / (2 * bias))


def _touching(chi: float) -> float:
    """t₀: where the line from ``r(0)`` touches ``r``; 0 where ``r`` is concave throughout."""
    from scipy import optimize

    if chi**2 <= 3:
        return 0.0
    start = float(_misses(0.0, chi))

    def above(t: float) -> float:
        return float(_misses(t, chi)) - start - t * _slope(t, chi)

    # The inflection lies between chi² - 3 and chi²; up to it the tangent lies below the line.
    low, high = chi**2 - 3, 2 * chi**2
    while above(high) < 0:
        low, high = high, 2 * high
    if above(low) >= 0:
        return low
    return float(optimize.brentq(above, low, high, xtol=1e-12, rtol=_LEVEL))
