"""Least squares under other constraints than the simplex: sum to one, a bound on a norm, none; exact and certified.

Each minimises ``‖A w − b‖²`` and returns a bound on how far its objective can be above the optimum, as
`impact.numerics.simplex` does. Where the minimiser is not unique the one of least Euclidean norm is taken: of w itself,
or, under a bound on the absolute values, of its positive and negative parts and of what is left of the bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from impact.arrays import Float1, Float2, frozen
from impact.numerics.simplex import GAP, solve

__all__ = ["Constrained", "absolute", "budget_of_ridge", "euclidean", "free", "summing", "unique_on_face"]

_RANK: Final = 1e-11  # singular values this small (relative) are 0
_ZERO: Final = 1e-12  # a weight of rounding size
_TIE: Final = 1e-11  # reduced costs this small (relative to the program's scale) leave a donor free to carry weight


@dataclass(frozen=True, slots=True, eq=False)
class Constrained:
    """Weights and the certificate that they are optimal.

    Attributes
    ----------
    weights : (J,) array
        Read-only.
    objective : float
        ‖A w − b‖², in the units of the data.
    gap : float
        How much the objective can be above the optimum, relative to the scale of the program: ‖b‖², or that of
        `impact.numerics.simplex` under `absolute`.
    iterations : int
        Steps of the one-dimensional search, or linear systems solved.
    status : str
        ``"optimal"`` when ``gap <= GAP``, else ``"not converged"``.
    unique : bool
        Whether no other weights fit as well.
    """

    weights: Float1
    objective: float
    gap: float
    iterations: int
    status: str
    unique: bool


def free(a: Float2, b: Float1) -> Constrained:
    """Ordinary least squares."""
    left, value, right = _decomposed(a)
    w = right.T @ ((left.T @ b) / value)
    residual = a @ w - b
    along = left.T @ residual  # all that other weights could still take away
    return _certified(a, b, w, float(along @ along), 1, unique=len(value) == a.shape[1])


def summing(a: Float2, b: Float1) -> Constrained:
    """Weights of any sign that sum to one.

    With ``w = 1/J + d`` and ``Σ d = 0`` this is least squares on the rows less their means, whose least-norm solution
    sums to 0 by itself.
    """
    donors = a.shape[1]
    mean = a.mean(axis=1)
    left, value, right = _decomposed(a - mean[:, None])
    d = right.T @ ((left.T @ (b - mean)) / value)
    w = 1.0 / donors + d - d.mean()
    along = left.T @ (a @ w - b)
    return _certified(a, b, w, float(along @ along), 1, unique=len(value) == donors - 1)


def euclidean(a: Float2, b: Float1, budget: float) -> Constrained:
    """``‖w‖₂ ≤ budget``: the ridge whose penalty makes the bound tight, found in one dimension.

    ``1/‖w(λ)‖`` is concave and increasing in the penalty λ and nearly linear, so Newton's method on it converges from
    below in a few steps (Moré & Sorensen 1983).
    """
    left, value, right = _decomposed(a)
    along = left.T @ b
    penalty, steps = 0.0, 0
    scaled = along / value
    tight = float(np.sqrt(scaled @ scaled)) > budget
    while tight and steps < 100:
        steps += 1
        norm = float(np.sqrt(scaled @ scaled))
        slope = float(scaled @ (scaled / (value * value + penalty)))
        step = (norm - budget) / budget * norm * norm / slope
        penalty += step
        scaled = along * value / (value * value + penalty)
        if step <= 1e-15 * penalty:
            break
    w = right.T @ scaled
    residual = a @ w - b
    gradient = 2 * (a.T @ residual)
    bounded = max(0.0, float(w @ gradient) + budget * float(np.sqrt(gradient @ gradient)))
    without = left.T @ residual  # all that weights without a bound could still take away
    short = min(bounded, float(without @ without))
    return _certified(a, b, w, short, max(steps, 1), unique=tight or len(value) == a.shape[1])


def absolute(a: Float2, b: Float1, budget: float) -> Constrained:
    """``Σ |w_j| ≤ budget``: a program on the simplex with every donor twice, as ±budget times itself, and a zero."""
    donors = a.shape[1]
    doubled = budget * np.hstack([a, -a, np.zeros((len(a), 1))])
    found = solve(doubled, b)
    w = budget * (found.weights[:donors] - found.weights[donors:-1])
    # Both signs of one donor, or something left of the bound: the bound is slack, and the fit that of least squares.
    unique = unique_on_face(doubled, b, found.weights)
    if not unique:
        both = (found.weights[:donors] > 0) & (found.weights[donors:-1] > 0)
        slack = bool(both.any() or found.weights[-1] > 0)
        unique = slack and len(_decomposed(a)[1]) == donors
    return Constrained(frozen(w), found.objective, found.gap, found.iterations, found.status, unique)


def budget_of_ridge(a: Float2, b: Float1, lost: int = 0) -> float | None:
    """A bound on ``‖w‖₂`` by a rule of thumb; None where too few rows are left.

    ``Q = ‖ŵ‖ / (1 + λ)`` with ``λ = J σ̂² / (s² ‖ŵ‖²)`` from least squares, s² the mean of ‖a_j‖². With no more than ten
    rows over the donors, least squares is on the donors that `absolute` with a bound of 1 selects, of these no more
    than ten under the rows, and at least two. The R package scpi takes s² = 1, as if every donor had length 1, which is
    what the rule was made for; its bound then changes with the unit of the outcome, and this one does not.

    Parameters
    ----------
    a, b
        The program.
    lost : int
        Degrees of freedom that went before (an intercept).

    References
    ----------
    Hoerl, Kennard & Baldwin (1975), Communications in Statistics 4(2), for λ with regressors in correlation form;
    Cattaneo, Feng, Palomba & Titiunik (2025), Journal of Statistical Software 113(1), for the rest.
    """
    count = len(b)
    if count <= a.shape[1] + 10:
        size = np.abs(absolute(a, b, 1.0).weights)
        chosen = np.flatnonzero(size > 1e-8)
        most = max(count - 10, 2)
        if len(chosen) > most:
            chosen = np.sort(np.argsort(-size, kind="stable")[:most])
        a = a[:, chosen]
    spare = count - lost - a.shape[1]
    length = float(np.einsum("tj,tj->", a, a)) / max(a.shape[1], 1)
    if spare <= 0 or length == 0:
        return None
    found = free(a, b)
    square = float(found.weights @ found.weights)
    if square == 0:
        return None
    return float(np.sqrt(square) / (1 + a.shape[1] * found.objective / (spare * length * square)))


def unique_on_face(a: Float2, b: Float1, w: Float1) -> bool:
    """Whether no other weights on the simplex fit as well as the optimal `w`.

    All minimisers give the same fit and lie on the face of donors without reduced cost. There is only one if these are
    affinely independent; if not, a linear program looks for a direction that keeps fit and sum.
    """
    x = (a - b[:, None]).T
    scale = float(np.median(np.einsum("jt,jt->j", x, x))) or float(np.einsum("jt,jt->j", x, x).max()) or 1.0
    residual = w @ x
    cost = (x @ residual - residual @ residual) / scale
    held = w > _ZERO
    face = np.flatnonzero((cost <= _TIE) | held)
    bordered = np.column_stack([(x[face] - residual) / np.sqrt(scale), np.ones(len(face))])
    if len(face) <= bordered.shape[1]:
        unit = np.sqrt(np.einsum("jt,jt->j", bordered, bordered))
        if np.linalg.matrix_rank(bordered / unit[:, None], tol=1e-10) == len(face):
            return True
    inside = held[face]
    if int(inside.sum()) > bordered.shape[1]:
        return False
    from scipy.optimize import linprog

    # A direction may lower donors with weight and only raise the others; its size is bounded by 1.
    rows = bordered / np.abs(bordered).max(axis=0, initial=1e-300)
    bounds = [(-1.0 if holds else 0.0, 1.0) for holds in inside]
    outside = np.where(inside, 0.0, -1.0)
    if (~inside).any():
        raised = linprog(outside, A_eq=rows.T, b_eq=np.zeros(rows.shape[1]), bounds=bounds, method="highs")
        if raised.status == 0 and float(raised.fun or 0.0) < -1e-6:
            return False
    unit = np.sqrt(np.einsum("jt,jt->j", bordered, bordered))
    own = (bordered / unit[:, None])[inside]
    return bool(np.linalg.matrix_rank(own, tol=1e-10) == len(own))


def _decomposed(a: Float2) -> tuple[Float2, Float1, Float2]:
    """U (T0, r), singular values (r,) and V' (r, J), without those that are 0."""
    left, value, right = np.linalg.svd(a, full_matrices=False)
    kept = value > _RANK * value.max(initial=0.0)
    return left[:, kept], value[kept], right[kept]


def _certified(a: Float2, b: Float1, w: Float1, short: float, iterations: int, *, unique: bool) -> Constrained:
    residual = a @ w - b
    scale = float(b @ b) or 1.0
    gap = short / scale
    return Constrained(
        frozen(w),
        float(residual @ residual),
        gap,
        iterations,
        "optimal" if gap <= GAP else "not converged",
        unique,
    )
