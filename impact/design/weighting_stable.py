"""Stable balancing weights: those of least variance that bring every moment within a tolerance.

Zubizarreta (2015), Journal of the American Statistical Association 110(511), 910-922: minimise the variance of the
weights subject to their sum, to not being negative, and to ``|mean of z| <= tolerance`` for every moment.

Solved on the dual: ``w = max(0, 1 - x u)`` with ``x`` a constant and `z`, and ``u`` minimises
``mean(w²) / 2 + u_0 + Σ tolerance |u|``. That is as small as the number of moments, and quadratic as long as the same
units have weight: a step solves that piece, and the last one is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impact.arrays import Bool1, Float1, Float2

__all__ = ["Stable", "least_variance"]

_STEPS = 300
_ZERO = 1e-9  # rounding of weights with mean 1
_MET = 1e-10  # standard deviations of balance that rounding leaves
_RIDGE, _DAMPING, _STUCK = 1e-13, 1e-6, 1e6  # always; the first where a step is too long; where none goes down


@dataclass(frozen=True, slots=True, eq=False)
class Stable:
    """The answer of `least_variance`.

    Attributes
    ----------
    weight : (n,) float
        With mean 1 over all n.
    price : (p,) float
        How much the variance of the weights falls for one more of every tolerance; 0 where a moment does not bind.
    """

    weight: Float1
    price: Float1


def least_variance(z: Float2, tolerance: Float1) -> Stable | None:
    """Weights of mean 1, none negative, of the least variance, whose mean of `z` is within `tolerance` of 0.

    Parameters
    ----------
    z : (n, p) float
        Moments minus their targets, in standard deviations.
    tolerance : (p,) float
        How far from 0 the mean of each may stay.

    Returns
    -------
    Stable or None
        None where none were found: ``impact.design.weighting_reach`` says whether there are any.
    """
    x = np.column_stack([np.ones(len(z)), z])
    slack = np.r_[0.0, tolerance]
    aim = np.zeros(x.shape[1])
    aim[0] = 1.0
    u, damping = np.zeros(x.shape[1]), 0.0

    def loss(u: Float1) -> tuple[float, Float1]:
        weight = np.maximum(1.0 - x @ u, 0.0)
        return float(weight @ weight / (2 * len(z)) + u[0] + slack @ np.abs(u)), weight

    value, weight = loss(u)
    for _ in range(_STEPS):
        # One unit alone has a variance of n - 1, and no weights more: a dual below that proves that there are none.
        if value < 0.5 - len(z) / 2 or damping > _STUCK:
            return None
        inside = x[weight > 0]
        curvature = inside.T @ inside / len(z) + (damping + _RIDGE) * np.eye(len(u))
        trial = _piece(curvature, aim - weight @ x / len(z) - curvature @ u, slack)
        exact = _exact(x, slack, weight > _ZERO, trial)
        if exact is not None:
            return exact
        new, new_weight = loss(trial)
        if new < value:
            u, value, weight, damping = trial, new, new_weight, damping / 10
        else:
            damping = max(10 * damping, _DAMPING)
    return None


def _piece(curvature: Float2, linear: Float1, slack: Float1) -> Float1:
    """The least of ``u' C u / 2 + linear'u + Σ slack |u|``, exactly 0 where it is: a small quadratic program."""
    import clarabel
    from scipy import sparse

    width = len(linear)
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-12
    settings.max_threads = 1
    # u and its size t, which is at least u and at least -u.
    found = clarabel.DefaultSolver(
        sparse.csc_array(np.triu(np.block([[curvature, np.zeros((width, width))], [np.zeros((width, 2 * width))]]))),
        np.r_[linear, slack],
        sparse.csc_array(np.block([[np.eye(width), -np.eye(width)], [-np.eye(width), -np.eye(width)]])),
        np.zeros(2 * width),
        [clarabel.NonnegativeConeT(2 * width)],
        settings,
    ).solve()
    u = np.asarray(found.x, dtype=np.float64)[:width]
    high, low = np.split(np.asarray(found.z, dtype=np.float64), [width])
    # Where both bounds push, u is between them, at 0.
    at_zero = (np.minimum(high, low) > 1e-6 * slack) & (slack > 0)
    return np.where(at_zero, 0.0, np.nan_to_num(u, posinf=0.0, neginf=0.0))  # without an answer: no step, shorter next


def _exact(x: Float2, slack: Float1, positive: Bool1, near: Float1) -> Stable | None:
    """The answer where these are the units with weight and these the moments that bind; None where they are not.

    Parameters
    ----------
    x : (n, 1 + p) float
        A constant and the moments.
    slack : (1 + p,) float
        0 for the constant.
    positive : (n,) bool
        Units with weight.
    near : (1 + p,) float
        The multipliers, nearly; 0 for moments that do not bind.
    """
    count, sign = len(x), np.sign(near)
    binding = (sign != 0) | (slack == 0)
    inside = x[positive][:, binding]
    aim = np.r_[1.0, np.zeros(x.shape[1] - 1)]
    # w'x / n = aim + slack sign: a multiplier above 0 pushes its moment down to the upper bound.
    right = inside.sum(axis=0) - count * (aim + slack * sign)[binding]
    # Units without weight may leave a multiplier free: it stays where it is.
    u, gram = near.copy(), inside.T @ inside
    u[binding] += np.linalg.lstsq(gram, right - gram @ near[binding])[0]
    weight = 1.0 - x @ u
    if (weight[positive] < -_ZERO).any() or (weight[~positive] > _ZERO).any():
        return None
    weight = np.where(positive, np.maximum(weight, 0.0), 0.0)
    left = weight @ x / count - aim
    agrees = (u * sign >= 0) | (slack == 0)
    if not (np.abs(left) <= slack + _MET).all() or not agrees.all():
        return None
    return Stable(weight, 2 * np.abs(u[1:]))
