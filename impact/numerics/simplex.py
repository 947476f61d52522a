"""Least squares on the simplex, solved exactly and certified.

Every synthetic control is the one program

    minimise  ‖A w − b‖² + ridge ‖w‖² + 2 linear'w   over   w ≥ 0, Σ w = 1.

Two exact methods share the work. Without (or with a negligible) ridge the solution has at most T0 + 1 positive weights
and a primal active set on that small corral finds it (Wolfe 1976, "Finding the nearest point in a polytope"). With a
ridge the solution may be dense, but its dual has only T0 + 1 unknowns and is solved by a semismooth Newton method.
Either way the answer carries its own proof: the Frank–Wolfe gap bounds how far the objective can be from the optimum.

Where the minimiser is not unique the one of least Euclidean norm is taken, which is the limit of the ridge solution as
the ridge vanishes. So duplicate donors share their weight equally, and the order of the donors does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from impact.arrays import Float1, Float2, frozen, require

__all__ = ["GAP", "Simplex", "solve", "solve_fw"]

GAP: Final = 1e-10  # largest relative duality gap that still counts as solved
_TIE: Final = 1e-11  # reduced costs this small (relative) leave the donor free to carry weight
_NEGLIGIBLE: Final = 1e-6  # relative ridge below which the solution is sought from the corral, not from the dual
_ROUNDING: Final = 64 * float(np.finfo(np.float64).eps)


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


@dataclass(frozen=True, slots=True, eq=False)
class _Program:
    """The program in units of its own scale, with b subtracted: rows of `x` (J, T0) are (a_j − b) / √scale.

    Subtracting b is free on the simplex and removes the common level, which is where the digits would be lost.
    """

    x: Float2
    linear: Float1
    ridge: float
    norms: Float1 = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "norms", np.sqrt(np.einsum("jt,jt->j", self.x, self.x)))

    def half_gradient(self, w: Float1) -> tuple[Float1, Float1]:
        """Residual u = A w − b (T0,) and half the gradient (J,)."""
        support = np.flatnonzero(w)
        residual: Float1 = w[support] @ self.x[support]
        gradient: Float1 = self.x @ residual
        gradient += self.linear
        if self.ridge:
            gradient += self.ridge * w
        return residual, gradient

    def value(self, w: Float1) -> float:
        residual = w @ self.x
        return float(residual @ residual + self.ridge * (w @ w) + 2 * (self.linear @ w))

    def gap(self, w: Float1) -> float:
        gradient = self.half_gradient(w)[1]
        return max(0.0, 2 * float(w @ gradient - gradient.min()))


def solve(a: ArrayLike, b: ArrayLike, *, linear: ArrayLike | None = None, ridge: float = 0.0,
          start: ArrayLike | None = None) -> Simplex:
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
        If shapes do not agree, there is no donor, a number is not finite, or the ridge is negative.

    Notes
    -----
    The weights do not depend on the units: data × c (with ridge × c², linear × c²) gives the same weights.
    """
    a, b, price, first = _checked(a, b, linear, ridge, start)
    program = _scaled(a, b, price, ridge)
    if program.ridge > _NEGLIGIBLE:
        w, iterations = _dense(program, first)
    else:
        w, iterations = _sparse(program, first)
    if (gap := program.gap(w)) > GAP:
        w, more = _corral(program, _general(program))
        gap, iterations = program.gap(w), iterations + more
    fit = a @ w - b
    objective = float(fit @ fit + ridge * (w @ w) + 2 * (price @ w))
    return Simplex(frozen(w), objective, gap, iterations, "optimal" if gap <= GAP else "not converged")


def _checked(a: ArrayLike, b: ArrayLike, linear: ArrayLike | None, ridge: float,
             start: ArrayLike | None) -> tuple[Float2, Float1, Float1, Float1 | None]:
    left, right = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    require("a", left, (None, None))
    require("b", right, (left.shape[0],))
    donors = left.shape[1]
    price = np.zeros(donors) if linear is None else np.asarray(linear, dtype=np.float64)
    first = None if start is None else np.asarray(start, dtype=np.float64)
    require("linear", price, (donors,))
    if donors == 0:
        raise ValueError("a has no column, so there is no donor to weight")
    if not ridge >= 0 or not np.isfinite(ridge):
        raise ValueError(f"ridge is {ridge}, expected a finite number of at least 0")
    if not (np.isfinite(left).all() and np.isfinite(right).all() and np.isfinite(price).all()):
        raise ValueError("a, b and linear must be finite")
    if first is not None:
        require("start", first, (donors,))
        if not (np.isfinite(first).all() and first.min() >= 0 and first.sum() > 0):
            raise ValueError("start must be non-negative weights with a positive sum")
        first = first / first.sum()
    return left, right, price, first


def _scaled(a: Float2, b: Float1, price: Float1, ridge: float) -> _Program:
    x = np.ascontiguousarray((a - b[:, None]).T)
    price = price - price.min()
    squares = np.einsum("jt,jt->j", x, x)
    scale = float(np.median(squares) + ridge + np.median(price)) or float(squares.max() + price.max()) or 1.0
    return _Program(x / np.sqrt(scale), price / scale, ridge / scale)


def _sparse(program: _Program, first: Float1 | None) -> tuple[Float1, int]:
    """Without ridge: corral, then least norm where it is not unique; a negligible ridge is then put back."""
    bare = _Program(program.x, program.linear, 0.0)
    small = program.x.shape[1] + 1
    w, iterations = _corral(bare, first if first is not None and np.count_nonzero(first) <= small else None)
    w, more = _least_norm(bare, w)
    iterations += more
    if program.ridge and np.count_nonzero(w) > small:
        dense, more = _dense(program, w)
        iterations += more
        if program.value(dense) <= program.value(w):
            w = dense
    if program.ridge and (np.count_nonzero(w) <= small or program.gap(w) > GAP):
        w, more = _corral(program, w)
        iterations += more
    return w, iterations


def _corral(program: _Program, first: Float1 | None) -> tuple[Float1, int]:
    """Primal active set: let the cheapest donor in, go to the best point of the corral's affine hull, drop zeros.

    Steps solve the equality-constrained program with a ridge of rounding size on the *step*: the matrix is never
    singular, the fixed point is unchanged, and a direction without curvature (linear term only) leads to the boundary.
    """
    x, ridge = program.x, program.ridge
    donors = x.shape[0]
    if first is None:
        w = np.zeros(donors)
        w[int(np.argmin(program.norms**2 + 2 * program.linear))] = 1.0
    else:
        w = first.copy()
    lowest = narrowest = np.inf
    keep, iterations, stale = w, 0, 0
    for _ in range(20 * (x.shape[1] + 1) + 2 * donors):
        residual, gradient = program.half_gradient(w)
        level = float(w @ gradient)
        value = float(residual @ residual + ridge * (w @ w) + 2 * (program.linear @ w))
        entering = int(np.argmin(gradient))
        gap = level - float(gradient[entering])
        # The objective resolves a gap only to its square root, so close to the optimum the gap itself has to judge.
        stale = 0 if value < lowest or gap < narrowest else stale + 1
        lowest = min(lowest, value)
        if gap < narrowest:
            narrowest, keep = gap, w
        inside = w > 0
        slack = float(np.abs(gradient[inside] - level).max())
        noise = _ROUNDING * (float(program.norms[entering]) * float(np.sqrt(residual @ residual)) + abs(level))
        if stale == 5 or (gap <= noise and slack <= noise):
            break
        inside[entering] = True
        support = np.flatnonzero(inside)
        now = w[support]
        while True:
            rows = x[support]
            pull = rows @ (now @ rows) + ridge * now + program.linear[support]
            step = _step(rows, ridge, pull)
            iterations += 1
            falling = step < 0
            room = float(np.min(now[falling] / -step[falling], initial=np.inf))
            if room >= 1.0:
                now = now + step
                break
            now = now + room * step
            stay = ~falling | (now > _ROUNDING)
            stay[np.flatnonzero(falling)[np.argmin(now[falling])]] = False
            support, now = support[stay], now[stay]
            if support.size == 1:
                now = np.ones(1)
                break
        w = np.zeros(donors)
        w[support] = np.maximum(now, 0.0)
        w /= w.sum()
    return keep, iterations


def _step(rows: Float2, ridge: float, pull: Float1) -> Float1:
    """The step d with Σ d = 0 that minimises ½ d'(G + ridge + δ) d + pull'd, G the Gram matrix of `rows`."""
    size = rows.shape[0]
    gram = rows @ rows.T
    curvature = np.diagonal(gram) + ridge
    gram[np.diag_indices(size)] = curvature * (1.0 + 1e-13) + 1e-15
    unit = 1.0 / np.sqrt(1.0 + np.diagonal(gram))  # large donors in their own scale, or they would swamp the others
    border = unit / float(np.sqrt(unit @ unit))
    system = np.empty((size + 1, size + 1))
    system[:size, :size] = gram * np.outer(unit, unit)
    system[size, :size] = system[:size, size] = border
    system[size, size] = 0.0
    answer: Float1 = unit * np.linalg.solve(system, np.append(-unit * pull, 0.0))[:size]
    return answer


def _least_norm(program: _Program, w: Float1) -> tuple[Float1, int]:
    """Among all minimisers (the fit A w is the same for each of them) the one of least Euclidean norm."""
    residual, gradient = program.half_gradient(w)
    face = np.flatnonzero((gradient - float(w @ gradient) <= _TIE) | (w > 0))
    rows = program.x[face] - residual
    bordered = np.column_stack([rows, np.ones(face.size)])
    if face.size == 1 or (face.size <= bordered.shape[1]
                          and np.linalg.matrix_rank(bordered, tol=1e-10 * np.sqrt(face.size)) == face.size):
        return w, 0
    flat = _Program(rows, np.zeros(face.size), 0.0)
    shared, iterations = _newton(flat, np.zeros(rows.shape[1]), 1.0 / face.size)
    # Mend the rounding that is left in the fit, by the least change with every donor in its own scale.
    free = np.flatnonzero(shared)
    unit = 1.0 / (1.0 + program.norms[face[free], None])
    part = unit * bordered[free]
    missing = np.append(np.zeros(rows.shape[1]), 1.0) - shared @ bordered
    change = (unit * part) @ np.linalg.lstsq(part.T @ part, missing, rcond=None)[0]
    shared[free] = np.maximum(shared[free] + change, 0.0)
    spread = np.zeros_like(w)
    spread[face] = shared / shared.sum()
    misfit = float(np.abs(spread @ program.x - residual).max())
    return (w if program.gap(spread) > GAP or misfit > 1e-9 else spread), iterations


def _dense(program: _Program, first: Float1 | None) -> tuple[Float1, int]:
    """With a ridge: Newton on the dual, along a falling ridge so that each start is near its solution."""
    donors = program.x.shape[0]
    w = np.full(donors, 1.0 / donors) if first is None else first
    ridges = [program.ridge] if first is not None else [r for r in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5) if r > program.ridge]
    if ridges[-1:] != [program.ridge]:
        ridges.append(program.ridge)
    iterations = 0
    for ridge in ridges:
        stage = _Program(program.x, program.linear, ridge)
        residual, gradient = stage.half_gradient(w)
        w, more = _newton(stage, residual / ridge, float(w @ gradient) / ridge)
        iterations += more
    if np.count_nonzero(w) <= program.x.shape[1] + 1:  # here the primal keeps the digits a small ridge costs
        w, more = _corral(program, w)
        iterations += more
    return w, iterations


def _newton(program: _Program, z: Float1, level: float) -> tuple[Float1, int]:
    """Semismooth Newton on the dual ½ ridge ‖z‖² + ½ ‖[level − linear/ridge − x z]₊‖² − level.

    The bracket is the vector of weights; at the optimum ridge·z is the residual. With ridge 0 (and no linear term)
    the same dual gives the weights of least norm with residual 0.
    """
    x, ridge = program.x, program.ridge
    offset = program.linear / ridge if ridge else program.linear
    point = np.append(z, level)
    periods = z.size

    def at(point: Float1) -> tuple[Float1, float, float]:
        weights = np.maximum(point[periods] - offset - x @ point[:periods], 0.0)
        bent = 0.5 * float(ridge * (point[:periods] @ point[:periods]) + weights @ weights)
        return weights, bent - float(point[periods]), _ROUNDING * (bent + abs(float(point[periods])))

    w, value, noise = at(point)
    settled = spent = 0
    system = np.empty((periods + 1, periods + 1))
    iterations = 0
    while iterations < 200:
        iterations += 1
        support = np.flatnonzero(w)
        rows = x[support]
        slope = np.append(ridge * point[:periods] - w[support] @ rows, w.sum() - 1.0)
        system[:periods, :periods] = rows.T @ rows
        system[periods, :periods] = system[:periods, periods] = -rows.sum(axis=0)
        system[periods, periods] = support.size
        system[np.arange(periods), np.arange(periods)] += ridge
        system[np.diag_indices(periods + 1)] += 1e-14 * (1.0 + np.diagonal(system))
        step = np.linalg.solve(system, -slope)
        descent = float(slope @ step)
        length = 1.0
        new, reached, blur = at(point + step)
        while reached > value + 1e-4 * length * descent + noise and length > 1e-10:
            length *= 0.5
            new, reached, blur = at(point + length * step)
        # A full step within one support is exact; a second one mends its rounding. Without descent above rounding a few
        # more steps are all that can help.
        settled = settled + 1 if length == 1.0 and np.array_equal(np.flatnonzero(new), support) else 0
        spent += -descent <= noise
        point, w, value, noise = point + length * step, new, reached, blur
        if settled == 2 or spent == 4 or length <= 1e-10:
            break
    total = float(w.sum())
    return (w / total if total > 0 else np.full(w.size, 1.0 / w.size)), iterations


def _general(program: _Program) -> Float1:
    """Clarabel on the same program, as (w, u) with u = x'w so that its matrix stays sparse."""
    import clarabel
    from scipy import sparse

    donors, periods = program.x.shape
    quadratic = sparse.diags_array(np.r_[np.full(donors, 2 * program.ridge), np.full(periods, 2.0)]).tocsc()
    rows = sparse.vstack([
        sparse.hstack([sparse.csc_array(program.x.T), -sparse.eye_array(periods)]),
        sparse.csc_array(np.r_[np.ones(donors), np.zeros(periods)][None, :]),
        sparse.hstack([-sparse.eye_array(donors), sparse.csc_array((donors, periods))]),
    ]).tocsc()
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-13
    settings.max_threads = 1
    solver = clarabel.DefaultSolver(
        quadratic, np.r_[2 * program.linear, np.zeros(periods)], rows, np.r_[np.zeros(periods), 1.0, np.zeros(donors)],
        [clarabel.ZeroConeT(periods + 1), clarabel.NonnegativeConeT(donors)], settings)
    w = np.asarray(solver.solve().x[:donors], dtype=np.float64)
    w = np.where(w > 1e-9, w, 0.0)  # also maps nan, its answer when it gives up, to 0
    total = float(w.sum())
    return w / total if total > 0 else np.full(donors, 1.0 / donors)


def solve_fw(a: ArrayLike, b: ArrayLike, *, ridge: float, min_decrease: float, max_iter: int = 10_000,
             max_iter_first: int = 100, start: ArrayLike | None = None) -> Simplex:
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
    a, b, price, first = _checked(a, b, None, ridge, start)
    donors = a.shape[1]
    w, before = _frank_wolfe(a, b, ridge, min_decrease, max_iter_first,
                             np.full(donors, 1.0 / donors) if first is None else first)
    w = np.where(w <= w.max() / 4, 0.0, w)
    w, after = _frank_wolfe(a, b, ridge, min_decrease, max_iter, w / w.sum())
    fit = a @ w - b
    objective = float(fit @ fit + ridge * (w @ w))
    return Simplex(frozen(w), objective, _scaled(a, b, price, ridge).gap(w), before + after, "stopped by rule")


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
