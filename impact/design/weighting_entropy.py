"""Entropy balancing: weights as near to given ones as balance allows, by Newton's method on the dual.

Hainmueller (2012), Political Analysis 20(1), 25-46: minimise ``Σ w log(w / q)`` over shares ``w`` with ``Σ w z = 0``.
With a largest share ``m`` the solution is ``w = min(m, q exp(a + z'b))``, and ``a``, ``b`` minimise
``Σ φ(a + z'b) - a``, where ``φ`` is ``q exp`` up to ``m`` and its tangent from there on (the convex dual).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr

from impact.arrays import Float1, Float2

__all__ = ["Tilt", "independent", "tilted"]

_MET = 1e-11  # balance of this many standard deviations is balance
_STEPS = 200
_DAMPING, _STUCK = 1e-4, 1e8  # the first, and where no step goes down any more
_DEPENDENT, _PLAIN = 1e-10, 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Tilt:
    """The answer of `tilted`.

    Attributes
    ----------
    share : (n,) float
        Weights that sum to 1.
    slope : (p,) float
        Coefficients of `z` in the log weight; 0 for moments that follow from others in this group.
    gap : float
        The largest weighted mean of `z` that is left.
    """

    share: Float1
    slope: Float1
    gap: float


def tilted(z: Float2, base: Float1, most: float = 1.0) -> Tilt | None:
    """Shares nearest to `base` in entropy, none above `most`, whose weighted mean of `z` is 0.

    Parameters
    ----------
    z : (n, p) float
        Moments minus their targets, in standard deviations.
    base : (n,) float
        Positive, in any scale.
    most : float
        Largest share, from 1 / n to 1.

    Returns
    -------
    Tilt or None
        None where no such weights were found: ``impact.design.weighting_reach`` says whether there are any.
    """
    kept = independent(z)
    q = base / base.sum()
    x = np.column_stack([np.ones(len(z)), z[:, kept]])
    aim = np.zeros(x.shape[1])
    aim[0] = 1.0
    limit = np.log(most / q) if most < 1.0 else np.full(len(q), np.inf)
    theta, damping = np.zeros(x.shape[1]), 0.0
    value, share, bent = _loss(x, q, limit, most, theta, aim)
    # No weights are farther from `base` than one unit alone, and the loss never falls below what that says of it.
    least = np.log(q.min())
    for _ in range(_STEPS):
        gradient = share @ x - aim
        far = float(np.abs(gradient).max())
        if far <= _MET or damping > _STUCK or value < least:
            break
        trial = theta + _step(x, bent, gradient, damping)
        new, new_share, new_bent = _loss(x, q, limit, most, trial, aim)
        # Near the end the loss is flat to rounding, and the gradient decides.
        if new < value or np.abs(new_share @ x - aim).max() <= 0.5 * far:
            theta, value, share, bent, damping = trial, new, new_share, new_bent, damping / 10
        else:
            damping = max(10 * damping, _DAMPING)
    share = share / share.sum()
    gap = float(np.abs(share @ z).max(initial=0.0))
    if not gap <= 100 * _MET:
        return None
    slope = np.zeros(z.shape[1])
    slope[kept] = theta[1:]
    return Tilt(share, slope, gap)


def independent(z: Float2) -> list[int]:
    """Columns of `z` that, with a constant, are not combinations of earlier-chosen ones; in their old order."""
    centred = z - z.mean(axis=0)
    if not centred.size:
        return []
    values = np.linalg.eigvalsh(centred.T @ centred)
    if values[0] > _PLAIN * values[-1]:  # the usual case, at less than a decomposition of all rows
        return list(range(z.shape[1]))
    _, triangle, order = qr(centred, mode="economic", pivoting=True)
    sizes = np.abs(np.diag(triangle))
    rank = int((sizes > _DEPENDENT * max(float(sizes[0]), np.sqrt(len(z)) * 1e-3)).sum())
    return sorted(order[:rank].tolist())


def _loss(x: Float2, q: Float1, limit: Float1, most: float, theta: Float1, aim: Float1) -> tuple[float, Float1, Float1]:
    """The dual loss, the shares it stands for, and for whom it bends (share below the largest)."""
    index = x @ theta
    below = index < limit
    # Shares of e to the 300th say no more than that a step was far too long.
    share = np.where(below, q * np.exp(np.minimum(index, np.minimum(limit, 300.0))), most)
    over = np.where(below, 0.0, index - limit) if most < 1.0 else 0.0
    return float((share + most * over).sum() - aim @ theta), share, np.where(below, share, 0.0)


def _step(x: Float2, bent: Float1, gradient: Float1, damping: float) -> Float1:
    """The step of Newton, or with `damping` a shorter one that leans to the steepest (Levenberg-Marquardt).

    A ridge at the size of rounding keeps it finite where curvature has gone.
    """
    curvature = (x * bent[:, None]).T @ x
    curvature[np.diag_indices_from(curvature)] += damping
    size = np.sqrt(np.maximum(np.diag(curvature), 1e-300))
    scaled = curvature / size / size[:, None]
    scaled[np.diag_indices_from(scaled)] += 1e-13
    return np.asarray(-np.linalg.solve(scaled, gradient / size) / size)
