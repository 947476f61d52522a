"""Quantile regression, and its restricted form whose quantiles never cross."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impact.arrays import Float1, Float2

__all__ = ["Restricted", "quantile_regression", "restricted_quantiles"]

_TIE = 1e-12


def quantile_regression(x: Float2, y: Float1, tau: float) -> Float1:
    """(p,) coefficients that minimise ``Σ ρ_τ(y − x b)``; with one column the middle of all that do.

    Parameters
    ----------
    x : (n, p) float
        Regressors.
    y : (n,) float
        Regressand.
    tau : float
        Between 0 and 1.

    Raises
    ------
    ValueError
        The linear program was not solved.

    References
    ----------
    Koenker & Bassett (1978), Econometrica 46(1), equation 3.1.
    """
    if x.shape[1] == 1:
        return np.array([_ratio(x[:, 0], y, tau)])
    from scipy.optimize import linprog

    rows, columns = x.shape
    # The dual: as many equations as coefficients, which are its multipliers.
    found = linprog(-y, A_eq=x.T, b_eq=(1 - tau) * x.sum(axis=0), bounds=(0, 1), method="highs-ds")
    if found.status != 0:
        raise ValueError(f"the quantile regression of {rows} rows on {columns} columns was not solved: {found.message}")
    return np.asarray(-found.eqlin.marginals)


@dataclass(frozen=True, slots=True, eq=False)
class Restricted:
    """Quantiles that lie along one location and one scale, both linear in the regressors, so that they do not cross.

    Attributes
    ----------
    location, scale : (p,) float
        Coefficients.
    along, residual : (n,) float
        The scale, and what is around the location.
    """

    location: Float1
    scale: Float1
    along: Float1
    residual: Float1

    def at(self, tau: float) -> Float1:
        """(p,) coefficients of a quantile: the location plus a multiple of the scale."""
        return np.asarray(self.location + _ratio(self.along, self.residual, tau) * self.scale)


def restricted_quantiles(x: Float2, y: Float1) -> Restricted:
    """The median regression of `y` on `x`, and as scale that of its absolute residuals.

    References
    ----------
    He (1997), The American Statistician 51(2), section 2.
    """
    location = quantile_regression(x, y, 0.5)
    residual = np.asarray(y - x @ location)
    scale = quantile_regression(x, np.abs(residual), 0.5)
    return Restricted(location, scale, np.asarray(x @ scale), residual)


def _ratio(x: Float1, y: Float1, tau: float) -> float:
    """The `b` that minimises ``Σ ρ_τ(y − x b)`` without an intercept: one of ``y / x``, or the middle of them."""
    there = np.abs(x) > _TIE * np.abs(x).max(initial=0.0)
    if not there.any():
        return 0.0
    tried = np.unique(y[there] / x[there])
    residual = y[:, None] - x[:, None] * tried
    loss = np.where(residual >= 0, tau * residual, (tau - 1) * residual).sum(axis=0)
    best = tried[loss <= loss.min() + _TIE * (np.abs(y).sum() + loss.min())]
    return float((best[0] + best[-1]) / 2)
