"""How much each predictor counts (V), chosen so that the weights it leads to follow the outcome before the start.

A bilevel program: the inner one, weights of the donors given V, is solved exactly; the outer one, the loss in outcomes
as a function of V, has kinks and many local minima, so it is searched from several starts. All of it sees the data to
nine decimals of a standard deviation and the donors in an order of its own: neither their order nor the units of
measurement turn the search another way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from impact.arrays import Float1, Float2
from impact.numerics.simplex import solve
from impact.streams import Streams

__all__ = ["APART", "NEAR", "Choice", "beside", "choose"]

NEAR: Final = 0.01  # losses that differ by less than this share are alike
APART: Final = 0.05  # share of the donor weight that lies elsewhere, from which on two sets of weights are different

_FLOOR: Final = 1e-6  # no predictor counts for less: at 0 the inner program would have many solutions
_LOWEST: Final = -18.0  # of the logarithm of V relative to its largest value
_SCREENED: Final = 100  # draws of which a seeded start is the best
_SPREADS: Final = (12.0, 6.0)  # of the logarithms of V in a draw, one start after another
_DIGITS: Final = 9
_HULL: Final = 1e-12  # inner loss (relative) below which the donors reproduce the predictors exactly
_BESIDE: Final = 1e-6  # what outcomes count for beside predictors that are reproduced exactly


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """The V that was found.

    Attributes
    ----------
    v : (P,) float
        Sums to 1.
    tried : (n, P) float
        Where every start ended.
    weights : (n, J) float
        Weights of the donors there.
    losses : (n,) float
        Mean squared difference in outcomes there, in their units.
    exact : bool
        Whether donors reproduce all predictors exactly, so that V does not matter; then equal V is all that was tried.
    others : bool
        Whether other V are known to lead to the same weights.
    """

    v: Float1
    tried: Float2
    weights: Float2
    losses: Float1
    exact: bool
    others: bool

    @property
    def apart(self) -> float:
        """Largest share of the donor weight that lies elsewhere after another start whose loss is within `NEAR`."""
        best = int(np.argmin(self.losses))
        alike = self.losses <= self.losses[best] * (1 + NEAR)
        return float(np.abs(self.weights[alike] - self.weights[best]).sum(axis=1).max() / 2)


def choose(a: Float2, b: Float1, outcomes: Float2, target: Float1, starts: int) -> Choice:
    """V of least loss ``mean((target − outcomes w(V))²)`` among what `starts` searches find.

    ``w(V)`` minimises ``Σ_k V_k (b_k − a_k'w)²`` over the simplex. Searches begin at the V that comes nearest to making
    those weights optimal that follow the outcomes best; at equal V; at the regression-based V of the R package Synth;
    and then each at the best of 100 draws from a stream of its own. Of all V that lead to the same weights the one of
    least norm, which is the nearest to equal V, is taken.

    Parameters
    ----------
    a : (P, J) float
        Predictors of the donors, standardised.
    b : (P,) float
        Of the treated area.
    outcomes : (T, J) float
        Outcomes of the donors that the loss is about.
    target : (T,) float
        Of the treated area.
    starts : int
        Number of searches.

    References
    ----------
    Abadie & Gardeazabal (2003), American Economic Review 93(1), appendix B; Abadie, Diamond & Hainmueller (2010), JASA
    105(490), section 2.3; Becker & Klößner (2018), Econometrics and Statistics 6, who show how far usual searches miss;
    Klößner, Kaul, Pfeifer & Schieler (2018), Swiss Journal of Economics and Statistics 154, on V that is not unique.
    """
    apart = (outcomes - target[:, None]).T
    scale = float(np.sqrt(np.mean(apart * apart))) or 1.0
    seen = np.asarray(np.round(np.column_stack([(a - b[:, None]).T, apart / scale]), _DIGITS), dtype=np.float64)
    order = np.lexsort(seen.T)
    inner = _Inner(seen[order, : len(b)], seen[order, len(b) :])
    number, donors = len(b), a.shape[1]
    equal = np.full(number, 1.0 / number)
    exact = inner.exact(equal)
    others = exact and number > 1
    if number == 1 or exact:
        found = [equal]
    else:
        begins = _begins(inner, starts)
        found = [inner.descended(begin) for begin in begins]
        best = min(range(len(found)), key=lambda start: inner.loss(found[start]))
        found[best] = inner.polished(found[best])
        found[best], others = inner.least_norm(found[best])
    weights = np.zeros((len(found), donors))
    for row, v in enumerate(found):
        weights[row, order] = inner.at(v)
    losses = np.mean((weights @ apart) ** 2, axis=1)
    best = int(np.argmin(losses))
    return Choice(found[best], np.array(found), weights, losses, exact, others)


def beside(a: Float2, b: Float1, outcomes: Float2, target: Float1) -> tuple[Float2, Float1]:
    """The program ``‖a w − b‖²`` with the outcomes as further rows that count for a millionth.

    Where many weights reproduce the predictors exactly, these are in effect those that follow the outcomes best:
    the optimistic solution of the bilevel program (Malo, Eskelinen, Zhou & Kuosmanen 2023, Computational Economics).
    """
    spread = float(np.sqrt(np.mean((outcomes - target[:, None]) ** 2))) or 1.0
    share = float(np.sqrt(_BESIDE / len(target))) / spread
    return np.vstack([a, share * outcomes]), np.append(b, share * target)


def _begins(inner: _Inner, starts: int) -> list[Float1]:
    every = (begin for makers in (_known(inner), _seeded(inner)) for begin in makers)
    return [begin for begin, _ in zip(every, range(starts), strict=False)]


def _known(inner: _Inner) -> Iterator[Float1]:
    number = inner.x.shape[1]
    yield _nearest(inner)
    yield np.full(number, 1.0 / number)
    # Synth: squared coefficients of a regression of all outcomes on all predictors; the treated area is the point 0.
    rows = np.vstack([np.zeros(number), inner.x])
    design = np.column_stack([np.ones(len(rows)), rows])
    slopes: Float2 = np.linalg.pinv(design)[1:] @ np.vstack([np.zeros(inner.e.shape[1]), inner.e])
    squares = np.einsum("pt,pt->p", slopes, slopes)
    yield squares / squares.sum() if squares.sum() > 0 else np.full(number, 1.0 / number)


def _seeded(inner: _Inner) -> Iterator[Float1]:
    start = 0
    while True:
        draws = Streams(0).at("importance of predictors", start).generator()
        drawn = np.exp(_SPREADS[start % 2] * draws.uniform(size=(_SCREENED, inner.x.shape[1])))
        yield min(drawn / drawn.sum(axis=1, keepdims=True), key=inner.loss)
        start += 1


def _nearest(inner: _Inner) -> Float1:
    """V under which no donor has a lower price than the weights that follow the outcomes best, or as little as can be.

    With residuals ``r`` the price of donor j less the mean price is ``Σ_k V_k r_k (x_jk − r_k)``: linear in V.
    """
    from scipy.optimize import linprog

    residual = solve(inner.e.T, np.zeros(inner.e.shape[1])).weights @ inner.x
    price = (inner.x - residual) * residual
    donors, number = price.shape
    found = linprog(
        np.append(np.zeros(number), 1.0),
        A_ub=-np.column_stack([price, np.ones(donors)]),
        b_ub=np.zeros(donors),
        A_eq=[np.append(np.ones(number), 0.0)],
        b_eq=[1.0],
        bounds=[(_FLOOR, 1.0)] * number + [(0.0, None)],
    )
    return np.full(number, 1.0 / number) if found.x is None else np.asarray(found.x[:number])


class _Inner:
    """The inner program as V changes; it begins where the last one ended.

    `x` (J, P) and `e` (J, T) are predictors and outcomes of the donors less those of the treated area.
    """

    def __init__(self, x: Float2, e: Float2) -> None:
        self.x, self.e = np.ascontiguousarray(x), np.ascontiguousarray(e)
        self.size = np.einsum("jp,jp->p", x, x) / len(x)
        self.last: Float1 | None = None

    def at(self, v: Float1) -> Float1:
        """(J,) the weights."""
        found = None if self.last is None else self._same_support(v, self.last)
        if found is None:
            found = solve((self.x * np.sqrt(v)).T, np.zeros(len(v)), start=self.last).weights
        self.last = found
        return found

    def _same_support(self, v: Float1, last: Float1) -> Float1 | None:
        """The weights if the same donors carry them as in `last`; one small system and one pass of prices."""
        support = np.flatnonzero(last)
        if len(support) > len(v) + 1:
            return None
        rows = self.x[support]
        try:
            share = np.linalg.solve(_bordered(rows, v), np.append(np.zeros(len(support)), 1.0))[:-1]
        except np.linalg.LinAlgError:
            return None
        if not share.min() > 0:
            return None
        price = self.x @ (v * (share @ rows))
        level = price[support]
        slack = 1e-13 * float(self.size @ v)
        if price.min() < level.max() - slack or level.max() - level.min() > slack:
            return None
        weights = np.zeros(len(last))
        weights[support] = share
        return weights

    def exact(self, v: Float1) -> bool:
        residual = self.at(v) @ self.x
        return float(v @ (residual * residual)) <= _HULL * float(self.size @ v)

    def loss(self, v: Float1) -> float:
        error = self.at(v) @ self.e
        return float(error @ error) / len(error)

    def slope(self, theta: Float1) -> tuple[float, Float1]:
        """Loss and its gradient in the logarithms of V, exact as long as the same donors carry the weights."""
        v, share = _from_logarithms(theta)
        weights = self.at(v)
        support = np.flatnonzero(weights)
        rows = self.x[support]
        residual, error = weights[support] @ rows, weights[support] @ self.e[support]
        pull = np.append(2 / len(error) * (self.e[support] @ error), 0.0)
        adjoint = np.linalg.lstsq(_bordered(rows, v), pull, rcond=None)[0][:-1]
        by_v = -residual * (adjoint @ rows)
        above = 1 - len(v) * _FLOOR
        return float(error @ error) / len(error), above * share * (by_v - share @ by_v)

    def descended(self, v: Float1) -> Float1:
        """Quasi-Newton from `v` to where a kink or a minimum stops it."""
        theta = np.log(np.maximum(v, _FLOOR))
        theta = np.maximum(theta - theta.max(), _LOWEST)
        v = _from_logarithms(theta)[0]
        found = _minimum(
            self.slope,
            theta,
            jac=True,
            method="L-BFGS-B",
            bounds=[(_LOWEST, 0.0)] * len(v),
            options={"maxiter": 100, "ftol": 1e-10},
        )
        return self._better(v, found)

    def polished(self, v: Float1) -> Float1:
        """Nelder–Mead from `v`, which no kink stops."""
        found = _minimum(
            lambda theta: self.loss(_from_logarithms(theta)[0]),
            np.log(v),
            method="Nelder-Mead",
            options={"maxfev": 50 * len(v), "xatol": 1e-4, "fatol": 1e-9, "adaptive": True},
        )
        return self._better(v, found)

    def _better(self, v: Float1, theta: Float1) -> Float1:
        other = _from_logarithms(theta)[0]
        return other if self.loss(other) < self.loss(v) else v

    def least_norm(self, v: Float1) -> tuple[Float1, bool]:
        """Of all V under which the weights at `v` are optimal the one of least norm, and whether there are others.

        Prices are linear in V, so these V form a polytope. `v` itself where the other loses digits of the loss.
        """
        weights, before = self.at(v), self.loss(v)
        residual = weights @ self.x
        price = (self.x - residual) * residual
        inside = weights > 0
        # A donor that carries all the weight has no price of its own, whatever V is.
        priced = np.flatnonzero(inside & (np.abs(price).max(axis=1) > _HULL))
        same = np.vstack([_scaled(price[priced]), np.ones(len(v))])
        others = int(np.linalg.matrix_rank(same, tol=1e-9)) < len(v)
        value = np.append(np.zeros(len(priced)), 1.0)
        found = _projected(same, value, _scaled(price[~inside])) if others else None
        if found is None or self.loss(found) > before * (1 + 1e-9) + 1e-15:
            return v, others
        return found, others


def _minimum(loss: Callable[[Float1], Any], theta: Float1, **how: Any) -> Float1:
    from scipy import optimize

    search: Any = optimize.minimize
    return np.asarray(search(loss, theta, **how).x)


def _bordered(rows: Float2, v: Float1) -> Float2:
    """The matrix of the inner program on its support."""
    size = len(rows)
    system = np.ones((size + 1, size + 1))
    system[:size, :size] = (rows * v) @ rows.T
    system[size, size] = 0.0
    return system


def _from_logarithms(theta: Float1) -> tuple[Float1, Float1]:
    """V, and its share above the floor."""
    share = np.exp(theta - theta.max())
    share /= share.sum()
    return (1 - len(theta) * _FLOOR) * share + _FLOOR, share


def _scaled(rows: Float2) -> Float2:
    """Every row in units of its largest entry."""
    largest = np.abs(rows).max(axis=1, keepdims=True)
    return np.asarray(np.divide(rows, largest, out=np.zeros_like(rows), where=largest > 0))


def _projected(same: Float2, value: Float1, least: Float2) -> Float1 | None:
    """The vector of least norm with ``same v = value``, ``least v >= 0`` and ``v >= floor``."""
    import clarabel
    from scipy import sparse

    number = same.shape[1]
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-13
    settings.max_threads = 1
    found = clarabel.DefaultSolver(
        sparse.csc_array(sparse.eye_array(number)),
        np.zeros(number),
        sparse.csc_array(np.vstack([same, -least, -np.eye(number)])),
        np.concatenate([value, np.zeros(len(least)), np.full(number, -_FLOOR)]),
        [clarabel.ZeroConeT(len(same)), clarabel.NonnegativeConeT(len(least) + number)],
        settings,
    ).solve()
    v = np.asarray(found.x, dtype=np.float64)
    if not np.isfinite(v).all() or v.sum() <= 0:
        return None
    v = np.maximum(v, _FLOOR)
    return np.asarray(v / v.sum())
