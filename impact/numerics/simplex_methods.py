"""The methods behind `impact.numerics.simplex` in plain numpy: corral, least norm, dual Newton and the general solver.

They work on a `Program` in units of its own scale and return weights with the number of linear systems solved; none of
them promises success. The compiled forms of corral and Newton are held to these; where numba is not, these answer; and
what the compiled forms do not certify comes here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from impact.arrays import Float1, Float2, Float3, Int1

__all__ = [
    "BLUR",
    "GAP",
    "ROUNDING",
    "TIE",
    "WHOLE",
    "Program",
    "corral",
    "corrals",
    "general",
    "independent",
    "least_norm",
    "newton",
    "scaled",
]

GAP: Final = 1e-10  # largest relative duality gap that still counts as solved
TIE: Final = 1e-11  # reduced costs this small (relative) leave the donor free to carry weight
BLUR: Final = 4 * float(np.finfo(np.float64).eps)  # relative to the figures: a difference this small is rounding
WHOLE: Final = 1e-9  # weights sum to one, as near as this
_PULL, _ROUNDS = 1e-6, 60  # relative ridge of the method of multipliers, and its rounds at most
ROUNDING: Final = 64 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True, eq=False)
class Program:
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
        """Frank–Wolfe gap; inf for what are no weights."""
        if not abs(float(w.sum()) - 1.0) <= WHOLE:
            return np.inf
        gradient = self.half_gradient(w)[1]
        return max(0.0, 2 * float(w @ gradient - gradient.min()))


def scaled(a: Float2, b: Float1, price: Float1, ridge: float) -> Program:
    """The program divided by the median over donors of ‖a_j − b‖², plus ridge and median price."""
    x = np.ascontiguousarray((a - b[:, None]).T)
    price = price - price.min()
    squares = np.einsum("jt,jt->j", x, x)
    scale = float(np.median(squares) + ridge + np.median(price))
    if scale <= len(b) * (BLUR * float(np.abs(b).max())) ** 2:
        scale = float(squares.max() + price.max()) or 1.0
    return Program(x / np.sqrt(scale), price / scale, ridge / scale)


def corral(program: Program, first: Float1 | None) -> tuple[Float1, int]:
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
        noise = ROUNDING * (float(program.norms[entering]) * float(np.sqrt(residual @ residual)) + abs(level))
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
            stay = ~falling | (now > ROUNDING)
            stay[np.flatnonzero(falling)[np.argmin(now[falling])]] = False
            support, now = support[stay], now[stay]
            if support.size == 1:
                now = np.ones(1)
                break
        w = np.zeros(donors)
        w[support] = np.maximum(now, 0.0)
        w /= w.sum()
    return keep, iterations


def corrals(
    rows: Float2,
    centre: Float1,
    tiles: Float3,
    targets: Float2,
    without: Int1,
    linear: Float2,
    ridge: Float1,
    first: Float2,
    scale: Float2,
    nearest: Int1,
    donor: Int1,
    weight: Float2,
    found: Float2,
    count: Int1,
) -> None:
    """`corral` for many programs; arrays as ``impact.numerics.simplex_corral.corral``, the tiles unused."""
    for s, target in enumerate(targets):
        there = np.setdiff1d(np.arange(len(rows)), without[s])
        price = linear[s, there] - scale[s, 1] if linear.size else np.zeros(len(there))
        size = scale[s, 0]
        program = Program((rows[there] - target) / np.sqrt(size), price / size, ridge[s] / size)
        begin = first[s if len(first) > 1 else 0, there] if first.size else np.zeros(len(there))
        support = np.count_nonzero(begin)
        w, steps = corral(program, begin / begin.sum() if 0 < support < donor.shape[1] - 1 else None)
        while len(held := np.flatnonzero(w)) > donor.shape[1]:
            w = _fewer(program, w, held)
        donor[s], weight[s] = -1, 0.0
        donor[s, : len(held)], weight[s, : len(held)] = there[held], w[held]
        found[s] = program.value(w) * size + 2 * scale[s, 1], program.gap(w)
        gradient = program.half_gradient(w)[1]
        free = np.count_nonzero((gradient - float(w @ gradient) <= TIE) & (w == 0))
        count[s] = steps, free if independent(program, held) else -1 - free


def _fewer(program: Program, w: Float1, held: Int1) -> Float1:
    """The same fit by at least one donor less, where donors with weight are affinely dependent (Carathéodory)."""
    direction = np.linalg.svd(np.column_stack([program.x[held], np.ones(len(held))]).T)[2][-1]
    direction *= -np.sign(direction[np.argmax(np.abs(direction))])
    falling = direction < 0
    room = np.where(falling, w[held] / np.where(falling, -direction, 1.0), np.inf)
    out = w.copy()
    out[held] = np.maximum(0.0, w[held] + room.min() * direction)
    out[held[np.argmin(room)]] = 0.0
    return out / float(out.sum())


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


def independent(program: Program, face: Int1) -> bool:
    """Whether the donors of `face` are affinely independent, so that one set of weights fits."""
    if len(face) > program.x.shape[1] + 1:
        return False
    bordered = np.column_stack([program.x[face] - program.x[face[0]], np.ones(len(face))])
    return int(np.linalg.matrix_rank(bordered, tol=1e-10 * np.sqrt(len(face)))) == len(face)


def least_norm(program: Program, w: Float1) -> tuple[Float1, int]:
    """Among all minimisers (the fit A w is the same for each of them) the one of least Euclidean norm."""
    residual, gradient = program.half_gradient(w)
    face = np.flatnonzero((gradient - float(w @ gradient) <= TIE) | (w > 0))
    if independent(program, face):
        return w, 0
    spread = np.zeros_like(w)
    spread[face], iterations = _by_multipliers(program.x[face] - residual)
    return (spread if _same_fit(program, spread, residual) else w), iterations


def _same_fit(program: Program, w: Float1, residual: Float1) -> bool:
    """Whether `w` are weights with the residual of the minimisers."""
    return program.gap(w) <= GAP and float(np.abs(w @ program.x - residual).max()) <= 1e-9


def _by_multipliers(rows: Float2) -> tuple[Float1, int]:
    """The weights (J,) of least norm with ``weights @ rows = 0``: a ridge, and a target that moves by what is missed.

    The method of multipliers: every round is a program with curvature in all directions, and where nothing is missed
    any more, what is least for misfit and norm together is least for the norm.
    """
    target, iterations = np.zeros(rows.shape[1]), 0
    best, least = np.full(len(rows), 1.0 / len(rows)), np.inf
    z, level = np.zeros(rows.shape[1]), 1.0 / len(rows)
    for _ in range(_ROUNDS):
        weights, more = newton(rows, np.zeros(len(rows)), _PULL, target, z, level)
        iterations += more
        missed = weights @ rows
        if (size := float(np.abs(missed).max())) < least and weights.any():
            best, least = weights, size
        if least <= 1e-15:
            break
        z = (missed - target) / _PULL
        target = target - missed
    return best, iterations


def newton(x: Float2, offset: Float1, ridge: float, target: Float1, z: Float1, level: float) -> tuple[Float1, int]:
    """Semismooth Newton on the dual ½ ridge ‖z‖² + ½ ‖[level − offset − x z]₊‖² + target'z − level.

    The bracket is the vector of weights (see ``impact.numerics.simplex_dual``); at the optimum ridge·z is the residual.
    """
    point = np.append(z, level)
    periods = z.size
    side = np.append(target, -1.0)

    def at(point: Float1) -> tuple[Float1, float, float]:
        weights = np.maximum(point[periods] - offset - x @ point[:periods], 0.0)
        bent = 0.5 * float(ridge * (point[:periods] @ point[:periods]) + weights @ weights)
        along = float(side @ point)
        return weights, bent + along, ROUNDING * (bent + abs(along))

    w, value, noise = at(point)
    settled = spent = 0
    system = np.empty((periods + 1, periods + 1))
    iterations = 0
    while iterations < 200:
        iterations += 1
        support = np.flatnonzero(w)
        rows = x[support]
        slope = np.append(ridge * point[:periods] - w[support] @ rows, w.sum()) + side
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


def general(program: Program) -> Float1:
    """Clarabel on the same program, as (w, u) with u = x'w so that its matrix stays sparse."""
    import clarabel
    from scipy import sparse as matrices

    donors, periods = program.x.shape
    quadratic = matrices.csc_array(
        matrices.diags_array(np.r_[np.full(donors, 2 * program.ridge), np.full(periods, 2.0)])
    )
    rows = matrices.csc_array(
        matrices.vstack(
            [
                matrices.hstack([matrices.csc_array(program.x.T), -matrices.eye_array(periods)]),
                matrices.csc_array(np.r_[np.ones(donors), np.zeros(periods)][None, :]),
                matrices.hstack([-matrices.eye_array(donors), matrices.csc_array((donors, periods))]),
            ]
        )
    )
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-13
    settings.max_threads = 1
    solver = clarabel.DefaultSolver(
        quadratic,
        np.r_[2 * program.linear, np.zeros(periods)],
        rows,
        np.r_[np.zeros(periods), 1.0, np.zeros(donors)],
        [clarabel.ZeroConeT(periods + 1), clarabel.NonnegativeConeT(donors)],
        settings,
    )
    w = np.asarray(solver.solve().x[:donors], dtype=np.float64)
    w = np.where(w > 1e-9, w, 0.0)  # also maps nan, its answer when it gives up, to 0
    total = float(w.sum())
    return w / total if total > 0 else np.full(donors, 1.0 / donors)
