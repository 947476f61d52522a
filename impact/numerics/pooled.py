"""Least squares over several simplices at once, tied together by what their residuals come to in the mean.

The program of partially pooled synthetic controls: with residuals ``r_k = A_k w_k − b_k`` of pieces ``k`` with shares
``m_k`` that sum to 1, over the lags ``l`` before each start,

    minimise  ν 1/L Σ_l (Σ_k m_k r_kl)² + (1 − ν) Σ_k m_k 1/L_k Σ_l r_kl² + λ Σ_k m_k ‖w_k‖²

over ``w_k ≥ 0, Σ w_k = 1``. Without λ a primal active set on all pieces together finds it, as `simplex.solve` does for
one: only the means tie the pieces together, so a step takes one small system per piece and one of the size of the lags.
With λ the weights may be dense and the dual has few unknowns. The answer carries its own proof: the summed Frank–Wolfe
gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from impact.arrays import Float1, Float2, Int1, frozen, require
from impact.numerics.simplex import GAP, solve

__all__ = ["Block", "Pooled", "imbalance", "paths", "solve_pooled"]

_NEAR: Final = 1e-6  # pooling beyond 1 − this is solved as this: the residuals of the pieces stay determined
_ROUNDING: Final = 64 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One piece of the program.

    Attributes
    ----------
    a : (L_k, J_k) float
        One column per donor, one row per lag.
    b : (L_k,) float
        What the weighted donors should reproduce.
    lag : (L_k,) int
        Which lag every row is of; rows of the same lag are averaged over the pieces.
    mass : float
        Weight of the piece in the means.
    """

    a: Float2
    b: Float1
    lag: Int1
    mass: float


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """Weights of every piece and the certificate that they are optimal together.

    Attributes
    ----------
    weights : tuple of (J_k,) array
        Each non-negative and summing to one; read-only.
    objective : float
        As in the head of this module, in squared units of the data.
    gap : float
        Frank–Wolfe gap summed over the pieces, relative to the scale: the mean over pieces of the median over donors
        of ‖a_j − b‖² / L_k, plus λ.
    iterations : int
        Joint systems solved.
    scale : float
        In squared units of the data.
    status : str
        ``"optimal"`` when ``gap <= GAP``, or ``"not converged"``.
    """

    weights: tuple[Float1, ...]
    objective: float
    gap: float
    iterations: int
    scale: float
    status: str


def paths(blocks: Sequence[Block], weights: Sequence[Float1]) -> tuple[Float1, Float2]:
    """(K,) shares m_k of the pieces and (K, L) their residuals by lag, 0 where a piece has no such lag."""
    share, place = _shares(blocks)
    found = np.zeros((len(blocks), max(int(rows.max()) for rows in place) + 1))
    for k, (rows, block, w) in enumerate(zip(place, blocks, weights, strict=True)):
        found[k, rows] = block.a @ w - block.b
    return share, found


def imbalance(blocks: Sequence[Block], weights: Sequence[Float1]) -> tuple[float, float]:
    """Pooled and separate imbalance: root mean squares over lags of the mean residual, and of all residuals."""
    share, found = paths(blocks, weights)
    count = np.array([len(block.b) for block in blocks])
    return float(np.sqrt(np.mean((share @ found) ** 2))), float(np.sqrt(share @ ((found**2).sum(axis=1) / count)))


def solve_pooled(
    blocks: Sequence[Block], nu: float, *, lam: float = 0.0, start: Sequence[Float1] | None = None
) -> Pooled:
    """The weights of all pieces; see the head of this module.

    Parameters
    ----------
    blocks : sequence of Block
        The pieces.
    nu : float
        From 0, every piece for itself, to 1, only the means. With 1 many weights do equally well; it is solved as
        1 − 1e-6, so of these the ones are taken whose pieces fit best.
    lam : float
        λ, in squared units of the data.
    start : sequence of (J_k,) array, optional
        Weights to begin from; they change the time, not the answer.

    Returns
    -------
    Pooled
        With ``gap <= GAP``, or ``"not converged"``. Without λ the residuals are unique and the weights may not be:
        those of least norm are taken, piece by piece.

    Raises
    ------
    ValueError
        If shapes do not agree, there is no block, donor or row, a number is not finite, a mass is not positive, `nu` is
        not in [0, 1] or `lam` is negative.
    """
    _check(blocks, nu, lam)
    program, scale = _scaled(blocks, min(nu, 1.0 - _NEAR), lam)
    first = [solve(block.a, block.b, ridge=lam * len(block.b)).weights for block in blocks] if start is None else start
    w = [np.array(one, dtype=np.float64) for one in first]
    iterations = 0
    if nu > 0:
        if lam > 0:
            w, iterations = _dual(program, w)
        # Where few donors have weight the primal keeps the digits a small ridge costs; elsewhere it is the last resort.
        if lam == 0 or program.gap(w) > GAP or all(np.count_nonzero(one) <= program.lags + 1 for one in w):
            w, more = _corral(program, w)
            iterations += more
        if lam == 0:
            w = _least_norm(program, w)
    gap, weights = program.gap(w), tuple(frozen(one) for one in w)
    status = "optimal" if gap <= GAP else "not converged"
    return Pooled(weights, program.value(w) * scale, gap, iterations, scale, status)


@dataclass(frozen=True, slots=True, eq=False)
class _Program:
    """The program in units of its own scale: ½·objective = ½‖Σ s_k r_k‖² + ½ Σ c_k ‖r_k‖² + ½ Σ ρ_k ‖w_k‖².

    Rows of `x[k]` (J_k, L) are a_j − b at the place of their lag, 0 where the piece has no such lag, so r_k = w_k x[k].
    """

    x: tuple[Float2, ...]
    tie: Float1
    own: Float1
    ridge: Float1

    @property
    def lags(self) -> int:
        return int(self.x[0].shape[1])

    def residuals(self, w: Sequence[Float1]) -> Float2:
        found = np.zeros((len(w), self.lags))
        for k, (x, one) in enumerate(zip(self.x, w, strict=True)):
            inside = np.flatnonzero(one)
            found[k] = one[inside] @ x[inside]
        return found

    def forces(self, residual: Float2) -> Float2:
        """(K, L) half the gradient with respect to the residuals."""
        return np.outer(self.tie, self.tie @ residual) + self.own[:, None] * residual

    def half_gradients(self, w: Sequence[Float1]) -> list[Float1]:
        force = self.forces(self.residuals(w))
        return [x @ force[k] + self.ridge[k] * w[k] for k, x in enumerate(self.x)]

    def value(self, w: Sequence[Float1]) -> float:
        residual = self.residuals(w)
        penalty: float = sum(ridge * float(one @ one) for ridge, one in zip(self.ridge, w, strict=True))
        return float((residual * self.forces(residual)).sum() + penalty)

    def gap(self, w: Sequence[Float1]) -> float:
        pairs = zip(w, self.half_gradients(w), strict=True)
        return 2 * sum(max(0.0, float(one @ gradient - gradient.min())) for one, gradient in pairs)


def _shares(blocks: Sequence[Block]) -> tuple[Float1, list[Int1]]:
    """(K,) masses that sum to 1, and for every piece the place of its rows among all lags."""
    mass = np.array([block.mass for block in blocks], dtype=np.float64)
    lags = np.unique(np.concatenate([block.lag for block in blocks]))
    return mass / mass.sum(), [np.searchsorted(lags, block.lag) for block in blocks]


def _scaled(blocks: Sequence[Block], nu: float, lam: float) -> tuple[_Program, float]:
    mass, place = _shares(blocks)
    lags = max(int(rows.max()) for rows in place) + 1
    count = np.array([len(block.b) for block in blocks])
    x, typical, largest = [], np.zeros(len(blocks)), np.zeros(len(blocks))
    for k, (block, rows) in enumerate(zip(blocks, place, strict=True)):
        padded = np.zeros((block.a.shape[1], lags))
        padded[:, rows] = (block.a - block.b[:, None]).T
        squares = np.einsum("jl,jl->j", padded, padded) / count[k]
        x.append(padded)
        typical[k], largest[k] = np.median(squares), squares.max()
    scale = float(mass @ typical + lam) or float(mass @ largest) or 1.0
    scaled = tuple(one / np.sqrt(scale) for one in x)
    return _Program(scaled, np.sqrt(nu / lags) * mass, (1 - nu) * mass / count, lam * mass / scale), scale


def _corral(program: _Program, w: list[Float1]) -> tuple[list[Float1], int]:
    """Primal active set: every piece lets its cheapest donor in, all go to the best point of their affine hulls
    together, and donors that would become negative are dropped.

    Where the cheapest donors block each other the cheapest of all comes in alone, which always lowers the objective.
    """
    keep, narrowest, lowest = w, np.inf, np.inf
    iterations, stale, alone = 0, 0, False
    for _ in range(40 * (program.lags + 1) + 200):
        force = program.forces(program.residuals(w))
        gradient = [x @ force[k] + program.ridge[k] * w[k] for k, x in enumerate(program.x)]
        level = np.array([one @ slope for one, slope in zip(w, gradient, strict=True)])
        entering = np.array([int(np.argmin(slope)) for slope in gradient])
        excess = level - np.array([slope[new] for slope, new in zip(gradient, entering, strict=True)])
        gap, value = 2 * float(np.maximum(excess, 0).sum()), program.value(w)
        better = gap < narrowest
        stale = 0 if better or value < lowest else stale + 1
        if better:
            keep, narrowest = w, gap
        alone = not value < lowest
        lowest = min(lowest, value)
        length = np.array([np.linalg.norm(x[new]) for x, new in zip(program.x, entering, strict=True)])
        noise = _ROUNDING * (length * np.linalg.norm(force, axis=1) + np.abs(level))
        inside = [one > 0 for one in w]
        slack = np.array([np.abs(s[i] - at).max() for s, i, at in zip(gradient, inside, level, strict=True)])
        if stale == 8 or ((excess <= noise) & (slack <= noise)).all():
            break
        let_in = excess > noise if not alone else np.arange(len(w)) == int(np.argmax(excess))
        for k in np.flatnonzero(let_in):
            inside[k][entering[k]] = True
        w, more = _settle(program, w, [np.flatnonzero(i) for i in inside])
        iterations += more
    return keep, iterations


def _settle(program: _Program, w: list[Float1], support: list[Int1]) -> tuple[list[Float1], int]:
    """The best point over the donors in `support`, or over fewer of them: minor steps of the active set."""
    now = [one[rows] for one, rows in zip(w, support, strict=True)]
    iterations = 0
    while True:
        step = _step(program, now, support)
        iterations += 1
        rooms = [float(np.min(one[d < 0] / -d[d < 0], initial=np.inf)) for one, d in zip(now, step, strict=True)]
        room = min(1.0, min(rooms))
        now = [one + room * d for one, d in zip(now, step, strict=True)]
        if min(rooms) >= 1.0:
            break
        for k in range(len(now)):
            stay = (step[k] >= 0) | (now[k] > _ROUNDING)
            if rooms[k] == min(rooms):
                falling = np.flatnonzero(step[k] < 0)
                stay[falling[np.argmin(now[k][falling])]] = False
            support[k], now[k] = support[k][stay], now[k][stay]
            now[k] = now[k] / now[k].sum()
    found = []
    for one, rows, size in zip(now, support, (len(one) for one in w), strict=True):
        whole = np.zeros(size)
        whole[rows] = np.maximum(one, 0.0)
        found.append(whole / whole.sum())
    return found, iterations


def _step(program: _Program, now: list[Float1], support: list[Int1]) -> list[Float1]:
    """The steps d_k, each summing to 0, that minimise the objective over the supports.

    Given the change v of Σ s_k r_k a piece moves by ``α_k + β_k v``, and v is what these moves come to. A ridge of
    rounding size on the step keeps the systems regular and leaves the fixed point where it is.
    """
    size = np.array([len(inside) for inside in support])
    most, pieces = int(size.max()), np.arange(len(support))
    there = np.arange(most) < size[:, None]
    z, held = np.zeros((len(size), most, program.lags)), np.zeros((len(size), most))  # places beyond a support stay 0
    for k in pieces:
        z[k, : size[k]], held[k, : size[k]] = program.x[k][support[k]], now[k]
    force = program.forces(np.matmul(held[:, None], z)[:, 0])
    own, ridge, place = program.own[:, None], program.ridge[:, None], np.arange(most)
    gram = np.matmul(z, z.transpose(0, 2, 1))
    diagonal = gram[:, place, place] + ridge / own
    gram[:, place, place] = diagonal * (1.0 + 1e-13) + 1e-15
    unit = np.where(there, 1.0 / np.sqrt(1.0 + diagonal), 0.0)
    system = np.zeros((len(size), most + 1, most + 1))
    system[:, :most, :most] = gram * unit[:, :, None] * unit[:, None]
    system[:, place, place] += ~there
    system[:, most, :most] = system[:, :most, most] = unit / np.sqrt((unit**2).sum(axis=1, keepdims=True))
    right = np.zeros((len(size), most + 1, program.lags + 1))
    right[:, :most, 0] = -unit * (np.matmul(z, force[:, :, None])[:, :, 0] + ridge * held) / own
    right[:, :most, 1:] = -unit[:, :, None] * z * (program.tie[:, None] / own)[:, :, None]
    answer = unit[:, :, None] * np.linalg.solve(system, right)[:, :most]
    felt = np.matmul((program.tie[:, None, None] * z).transpose(0, 2, 1), answer).sum(axis=0)
    change = np.linalg.solve(np.eye(program.lags) - felt[:, 1:], felt[:, 0])
    step = answer[:, :, 0] + answer[:, :, 1:] @ change
    return [step[k, : size[k]] for k in pieces]


def _dual(program: _Program, w: list[Float1]) -> tuple[list[Float1], int]:
    """Semismooth Newton on the dual ½ y'Q⁻¹y + Σ ‖[μ_k − x_k y_k]₊‖² / 2ρ_k − Σ μ_k, with Q the form of the residuals.

    The brackets over ρ_k are the weights; at the optimum y is the force Q r. The ridge falls in steps to its own value.
    """
    pieces, lags = len(w), program.lags
    form = np.outer(program.tie, program.tie) + np.diag(program.own)
    inverse = np.kron(np.linalg.inv(form), np.eye(lags))
    iterations = 0
    falling = [level for level in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5) if level > program.ridge.max()]
    for ridge in (*(program.ridge / program.ridge.max() * level for level in falling), program.ridge):
        force = program.forces(program.residuals(w))
        level = np.array([one @ (x @ y + r * one) for one, x, y, r in zip(w, program.x, force, ridge, strict=True)])
        point = np.r_[force.ravel(), level]

        def at(point: Float1, ridge: Float1 = ridge) -> tuple[list[Float1], float]:
            y, mu = point[: pieces * lags].reshape(pieces, lags), point[pieces * lags :]
            found = [np.maximum(mu[k] - x @ y[k], 0.0) / ridge[k] for k, x in enumerate(program.x)]
            bent = sum(ridge[k] * (one @ one) for k, one in enumerate(found))
            return found, 0.5 * float(point[: pieces * lags] @ (inverse @ point[: pieces * lags]) + bent) - mu.sum()

        w, value = at(point)
        settled = spent = 0
        for _ in range(200):
            iterations += 1
            slope = np.r_[inverse @ point[: pieces * lags], -np.ones(pieces)]
            system = np.zeros((slope.size, slope.size))
            system[: pieces * lags, : pieces * lags] = inverse
            for k, x in enumerate(program.x):
                inside = np.flatnonzero(w[k])
                z = np.column_stack([-x[inside], np.ones(inside.size)])
                mine = np.r_[k * lags : (k + 1) * lags, pieces * lags + k]
                slope[mine] += w[k][inside] @ z
                system[np.ix_(mine, mine)] += z.T @ z / ridge[k]
            system[np.diag_indices_from(system)] *= 1 + 1e-14
            system[np.diag_indices_from(system)] += 1e-14
            step = np.linalg.solve(system, -slope)
            descent, length = float(slope @ step), 1.0
            noise = _ROUNDING * (abs(value) + float(np.abs(point[pieces * lags :]).sum()))
            new, reached = at(point + step)
            while reached > value + 1e-4 * length * descent + noise and length > 1e-10:
                length *= 0.5
                new, reached = at(point + length * step)
            same = all(np.array_equal(one > 0, other > 0) for one, other in zip(new, w, strict=True))
            settled = settled + 1 if length == 1.0 and same else 0
            spent += -descent <= noise
            point, w, value = point + length * step, new, reached
            if settled == 2 or spent == 4 or length <= 1e-10:
                break
        w = [one / one.sum() if one.sum() > 0 else np.full(len(one), 1 / len(one)) for one in w]
    return w, iterations


def _least_norm(program: _Program, w: list[Float1]) -> list[Float1]:
    """Of all weights with the same residuals those of least norm: every piece once more, the others held."""
    found = list(w)
    for k, x in enumerate(program.x):
        others = program.tie @ program.residuals(found) - program.tie[k] * (found[k] @ x)
        aim = -program.tie[k] / (program.tie[k] ** 2 + program.own[k]) * others
        one = solve(x.T, aim, start=found[k]).weights
        tried = [*found[:k], np.array(one), *found[k + 1 :]]
        if program.gap(tried) <= max(GAP, program.gap(found)):
            found = tried
    return found


def _check(blocks: Sequence[Block], nu: float, lam: float) -> None:
    if not blocks:
        raise ValueError("there is no piece to find weights for")
    if not 0 <= nu <= 1:
        raise ValueError(f"nu is {nu}, expected a number from 0 to 1")
    if not 0 <= lam < np.inf:
        raise ValueError(f"lam is {lam}, expected a finite number of at least 0")
    for block in blocks:
        require("a", block.a, (None, None))
        rows, donors = block.a.shape
        require("b", block.b, (rows,))
        require("lag", block.lag, (rows,))
        if rows == 0 or donors == 0:
            raise ValueError("a piece needs a row and a donor")
        if len(np.unique(block.lag)) < rows:
            raise ValueError("a piece has one row for every lag")
        if not (np.isfinite(block.a).all() and np.isfinite(block.b).all()):
            raise ValueError("a and b must be finite")
        if not 0 < block.mass < np.inf:
            raise ValueError("the mass of a piece must be positive")
