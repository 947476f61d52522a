"""Least squares on the simplex, solved exactly and certified.

Every synthetic control is the one program

    minimise  ‖A w − b‖² + ridge ‖w‖² + 2 linear'w   over   w ≥ 0, Σ w = 1.

Two exact methods share the work. Without (or with a negligible) ridge the solution has at most T0 + 1 positive weights
and a primal active set on that small corral finds it (Wolfe 1976, "Finding the nearest point in a polytope"). With a
ridge the solution may be dense, but its dual has only T0 + 1 unknowns and is solved by a semismooth Newton method. Both
are compiled. Either way the answer carries its own proof: the Frank–Wolfe gap bounds how far the objective can be from
the optimum. It is given relative to the scale of the program, the median over donors of ‖a_j − b‖², which does not grow
with the level of the outcome as ‖b‖² does.

Where the minimiser is not unique the one of least Euclidean norm is taken, which is the limit of the ridge solution as
the ridge vanishes. So duplicate donors share their weight equally, and the order of the donors does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from impact.arrays import Float1, Float2, frozen, require
from impact.numerics import simplex_methods as methods
from impact.numerics.simplex_many import Simplexes, solve_many
from impact.numerics.simplex_methods import GAP
from impact.numerics.simplex_run import Batch, run
from impact.numerics.simplex_tiles import Donors

__all__ = ["GAP", "Simplex", "Simplexes", "solve", "solve_fw", "solve_many"]

_NONE: Final = frozen(np.empty((0, 0)))
_NO_ONE: Final = frozen(np.empty((1, 0)), np.intp)
_NO_RIDGE: Final = frozen([0.0])


@dataclass(frozen=True, slots=True, eq=False)
class Simplex:
    """Weights on the simplex and the certificate that they are optimal.

    Attributes
    ----------
    weights : (J,) array
        Non-negative, summing to one; read-only.
    objective : float
        ‖A w − b‖² + ridge ‖w‖² + 2 linear'w, in the units of the data.
    gap : float
        Frank–Wolfe gap ∇'w − min_j ∇_j, relative to the scale of the program (the median over donors of ‖a_j − b‖²,
        plus the ridge and the median spread of the linear term). The objective is at most this share of the scale
        above the optimum.
    iterations : int
        Linear systems solved, or Frank–Wolfe steps taken.
    status : str
        ``"optimal"`` when ``gap <= GAP``; ``"not converged"`` otherwise; ``"stopped by rule"`` for `solve_fw`.
    """

    weights: Float1
    objective: float
    gap: float
    iterations: int
    status: str


def solve(
    a: ArrayLike, b: ArrayLike, *, linear: ArrayLike | None = None, ridge: float = 0.0, start: ArrayLike | None = None
) -> Simplex:
    """Minimise ‖A w − b‖² + ridge ‖w‖² + 2 linear'w over the simplex, exactly.

    Parameters
    ----------
    a : (T0, J) array
        One column per donor.
    b : (T0,) array
        What the weighted donors should reproduce.
    linear : (J,) array, optional
        Price per donor, e.g. the penalty λ‖x_j − x_1‖²/2 of Abadie & L'Hour (2021, JASA, eq. 5).
    ridge : float
        Weight of ‖w‖², in squared units of the data.
    start : (J,) array, optional
        Weights to begin from; they change the time, not the answer.

    Returns
    -------
    Simplex
        With status ``"optimal"`` and ``gap <= GAP``, or ``"not converged"`` when neither the methods here nor the
        general solver reached that.

    Raises
    ------
    ValueError
        If shapes do not agree, there is no donor or no row, a number is not finite, or the ridge is negative.

    Notes
    -----
    A gap of 1e-10 of the scale (the median of ‖a_j − b‖², see `Simplex`) is the stricter the higher the level is; it is
    at most 1e-10 ‖b‖² wherever ‖b‖² is no less than the scale. In practice it is of rounding size, 1e-15 of the scale.

    The weights do not depend on the units: data × c (with ridge × c², linear × c²) gives the same weights.

    Least norm and the order of donors hold as far as the digits of the data go. They may fail, the certificate still
    standing, where a donor lies more than about 300 times as far from `b` as the median donor does, and where
    several weights fit equally well and the ridge that must choose is positive but under 1e-6 of the scale.
    """
    a, b, price, first = _checked(a, b, linear, ridge, start)
    donors = Donors.of(np.ascontiguousarray(a.T), b)
    batch = Batch(
        donors.centre[None, :],
        _NO_ONE,
        _NONE if price is None else price[None, :],
        _NONE if first is None else first[None, :],
        np.array([ridge], dtype=np.float64) if ridge else _NO_RIDGE,
    )
    found = run(donors, batch)
    weights = np.zeros(a.shape[1])
    donor, weight = found.support(0)
    weights[donor] = weight
    weights.setflags(write=False)
    objective, gap = found.found[0].tolist()
    return Simplex(weights, objective, gap, int(found.count[0, 0]), "optimal" if gap <= GAP else "not converged")


def solve_fw(
    a: ArrayLike,
    b: ArrayLike,
    *,
    ridge: float,
    min_decrease: float,
    max_iter: int = 10_000,
    max_iter_first: int = 100,
    start: ArrayLike | None = None,
) -> Simplex:
    """Minimise ‖A w − b‖² + ridge ‖w‖² over the simplex as the R package synthdid 0.0.9 does, early stop included.

    Frank–Wolfe steps with exact line search from uniform weights; after at most `max_iter_first` of them weights up to
    a quarter of the largest are set to zero, the rest is scaled to sum to one, and the steps start anew from there.

    Parameters
    ----------
    a : (T0, J) array
        One column per donor; columns centred by the caller where an intercept is wanted.
    b : (T0,) array
        What the weighted donors should reproduce; centred likewise.
    ridge : float
        T0 ζ² in the notation of Arkhangelsky et al. (2021, AER, Algorithm 1).
    min_decrease : float
        Stop when a step lowers the objective per row by no more than ``min_decrease ** 2``.
    max_iter, max_iter_first : int
        Most steps in the second and in the first round.
    start : (J,) array, optional
        Weights to begin the first round from, instead of uniform ones.

    Returns
    -------
    Simplex
        With status ``"stopped by rule"`` and the gap that the rule leaves.

    Raises
    ------
    ValueError
        As `solve`.
    """
    a, b, _, first = _checked(a, b, None, ridge, start)
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("a and b must be finite")
    donors = a.shape[1]
    w, before = _frank_wolfe(
        a, b, ridge, min_decrease, max_iter_first, np.full(donors, 1.0 / donors) if first is None else first
    )
    w = np.where(w <= w.max() / 4, 0.0, w)
    w, after = _frank_wolfe(a, b, ridge, min_decrease, max_iter, w / w.sum())
    fit = a @ w - b
    objective = float(fit @ fit + ridge * (w @ w))
    gap = methods.scaled(a, b, np.zeros(donors), ridge).gap(w)
    return Simplex(frozen(w), objective, gap, before + after, "stopped by rule")


def _frank_wolfe(a: Float2, b: Float1, ridge: float, min_decrease: float, most: int, w: Float1) -> tuple[Float1, int]:
    rows = a.shape[0]
    previous = current = np.inf
    error = a @ w - b
    for step in range(1, most + 1):
        gradient = error @ a + ridge * w
        toward = int(np.argmin(gradient))
        move = -w
        move[toward] = 1.0 - w[toward]
        bend = a[:, toward] - b - error
        curvature = float(bend @ bend + ridge * (move @ move))
        if curvature > 0:
            w = w + min(1.0, max(0.0, -float(gradient @ move) / curvature)) * move
        error = a @ w - b
        previous, current = current, float(ridge * (w @ w) + error @ error) / rows
        if step >= 2 and not previous - current > min_decrease**2:
            return w, step
    return w, most


def _checked(
    a: ArrayLike, b: ArrayLike, linear: ArrayLike | None, ridge: float, start: ArrayLike | None
) -> tuple[Float2, Float1, Float1 | None, Float1 | None]:
    left, right = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    require("a", left, (None, None))
    require("b", right, (left.shape[0],))
    donors = left.shape[1]
    price = None if linear is None else np.asarray(linear, dtype=np.float64)
    first = None if start is None else np.asarray(start, dtype=np.float64)
    if price is not None:
        require("linear", price, (donors,))
    if donors == 0:
        raise ValueError("a has no column, so there is no donor to weight")
    if left.shape[0] == 0:
        raise ValueError("a has no row, so there is nothing to fit")
    if not 0 <= ridge < np.inf:
        raise ValueError(f"ridge is {ridge}, expected a finite number of at least 0")
    if price is not None and not np.isfinite(price).all():
        raise ValueError("linear must be finite")
    if first is not None:
        require("start", first, (donors,))
        if not (np.isfinite(first).all() and first.min() >= 0 and first.sum() > 0):
            raise ValueError("start must be non-negative weights with a positive sum")
        first = first / first.sum()
    return left, right, price, first
