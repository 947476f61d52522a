"""The least and the most of a linear function over the weights that fit a shock at least as well as no change does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impact.arrays import Float1, Float2, Int1
from impact.numerics.simplex_many import Simplexes, solve_many

__all__ = ["Extremes", "extremes"]

_CLOSE = 1e-6  # of the range of a function over the whole set: where the search ends
_MOST_STEPS = 60
_NOTHING = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Extremes:
    """Extremes of `m` linear functions for each of `n` shocks.

    Attributes
    ----------
    least, most : (n, m) float
        Never beyond 0, which no change gives.
    gap : (n, m) float
        How far they may lie inside the true ones, as a share of the range that the function has without a fit.
    """

    least: Float2
    most: Float2
    gap: Float2


def extremes(z: Float2, shocks: Float2, functions: Float2, room: Float1) -> Extremes:
    """Minimum and maximum of ``p'd`` over ``‖z d − shock‖² ≤ ‖shock‖², Σ d = 0, d ≥ −room``.

    At a given price of the fit this is a program over the simplex, which is solved exactly; the price is then sought at
    which the fit is as bad as it may be. Weak duality bounds what the search leaves.

    Parameters
    ----------
    z : (T0, J) float
        The donors in the periods of the fit.
    shocks : (n, T0) float
        To the fit, one a row.
    functions : (m, J) float
        One ``p`` a row.
    room : (J,) float
        How far every weight may fall; at least 0.

    References
    ----------
    Cattaneo, Feng & Titiunik (2021), JASA 116(536), section 4; Cattaneo, Feng, Palomba & Titiunik (2025a). Their set is
    ``d'Qd − 2 G'd ≤ 0`` with ``Q = z'z / T0`` and ``G = z'shock / T0``.
    """
    total, shape = float(room.sum()), (len(shocks), len(functions))
    if total <= 0:
        return Extremes(np.zeros(shape), np.zeros(shape), np.zeros(shape))
    # d = total v − room, with v on the simplex.
    ends, gaps = [], np.zeros(shape)
    for sign in (-1.0, 1.0):
        search = _Search.of(total * z, z @ room + shocks, sign * total * functions, (shocks**2).sum(axis=1))
        found, gap = search.run()
        ends.append(np.maximum(found.reshape(shape) - sign * (functions @ room), 0.0))
        gaps = np.maximum(gaps, gap.reshape(shape))
    return Extremes(-ends[0], ends[1], gaps)


@dataclass(slots=True, eq=False)
class _Search:
    """Maximise ``value'v`` over the simplex where ``‖a v − b‖² ≤ allowed``, for `S` pairs of a target and a value.

    For each pair the dearest price at which the fit is still allowed, the cheapest at which it is not, and the fitted
    paths ``a v`` and values there. The root of the excess over the least loss is linear in the price for as long as the
    same weights are positive, so the next price is interpolated in it.
    """

    a: Float2
    target: Float2
    value: Float2
    allowed: Float1
    least: Float1
    low: Float1
    high: Float1
    at_low: Float1
    at_high: Float1
    inside: Float2
    outside: Float2
    held: Float1
    lost: Float1
    bound: Float1
    price: Float1

    @staticmethod
    def of(a: Float2, targets: Float2, values: Float2, allowed: Float1) -> _Search:
        """Every target with every value, from the best fit of the target."""
        best = solve_many(np.ascontiguousarray(a.T), targets)
        path, held = best.combine(a.T), best.combine(values.T).ravel()
        loss = ((path - targets) ** 2).sum(axis=1)
        number = len(values)
        value, target, inside = (
            np.tile(values, (len(targets), 1)),
            np.repeat(targets, number, 0),
            np.repeat(path, number, 0),
        )
        allowed, least = np.repeat(allowed, number), np.repeat(loss, number)
        bound, span = value.max(axis=1), np.ptp(value, axis=1)
        room = np.maximum(allowed - least, _NOTHING**2 * allowed)
        away = np.maximum(bound - held, _NOTHING * span)
        return _Search(
            a,
            target,
            value,
            allowed,
            least,
            low=np.zeros(len(value)),
            high=np.full(len(value), np.inf),
            at_low=np.zeros(len(value)),
            at_high=np.full(len(value), np.inf),
            inside=inside,
            outside=np.zeros_like(inside),
            held=held,
            lost=held.copy(),
            bound=bound,
            price=np.divide(room, away, out=np.ones_like(room), where=away > 0),
        )

    def run(self) -> tuple[Float1, Float1]:
        """(S,) maxima, from below, and what they may lack of the range of the value."""
        span = np.ptp(self.value, axis=1)
        reached = np.maximum(self.held, self._corner(span))
        for step in range(_MOST_STEPS):
            open_ = np.flatnonzero(self.bound - reached > _CLOSE * span)
            if not open_.size:
                break
            self._solve(open_)
            reached[open_] = np.maximum(reached[open_], self._met(open_))
            self._next(open_, step)
        lacking = np.maximum(self.bound - reached, 0.0)
        return reached, np.divide(lacking, span, out=np.zeros_like(span), where=span > 0)

    def _corner(self, span: Float1) -> Float1:
        """(S,) the largest value where a donor that has it fits well enough by itself; -inf where none does."""
        top = self.value >= (self.value.max(axis=1) - 1e-12 * span)[:, None]
        row, donor = np.nonzero(top)
        loss = ((self.a.T[donor] - self.target[row]) ** 2).sum(axis=1)
        found = np.full(len(self.value), -np.inf)
        fits = loss <= self.allowed[row]
        found[row[fits]] = self.value.max(axis=1)[row[fits]]
        return found

    def _solve(self, rows: Int1) -> None:
        price = self.price[rows]
        found: Simplexes = solve_many(
            np.ascontiguousarray(self.a.T), self.target[rows], linear=-price[:, None] * self.value[rows]
        )
        path = found.combine(self.a.T)
        value = np.einsum("sk,sk->s", found.weight, np.take_along_axis(self.value[rows], np.maximum(found.donor, 0), 1))
        loss = ((path - self.target[rows]) ** 2).sum(axis=1)
        dual = np.where(found.optimal, value + (self.allowed[rows] - loss) / (2 * price), np.inf)
        self.bound[rows] = np.minimum(self.bound[rows], dual)
        root = np.sqrt(np.maximum(loss - self.least[rows], 0.0))
        good = loss <= self.allowed[rows]
        for chosen, edge, at_edge, paths, values in (
            (good, self.low, self.at_low, self.inside, self.held),
            (~good, self.high, self.at_high, self.outside, self.lost),
        ):
            into = rows[chosen]
            edge[into], at_edge[into], paths[into], values[into] = (
                price[chosen],
                root[chosen],
                path[chosen],
                value[chosen],
            )

    def _met(self, rows: Int1) -> Float1:
        """The value at the point between the two fits at which the loss is what is allowed."""
        start, step = self.inside[rows] - self.target[rows], self.outside[rows] - self.inside[rows]
        square, cross = (step**2).sum(axis=1), (start * step).sum(axis=1)
        rest = (start**2).sum(axis=1) - self.allowed[rows]
        far = (-cross + np.sqrt(np.maximum(cross**2 - square * rest, 0.0))) / np.where(square > 0, square, 1.0)
        share = np.where(square > 0, np.clip(far, 0.0, 1.0), 1.0)
        met = self.held[rows] + share * (self.lost[rows] - self.held[rows])
        return np.where(np.isfinite(self.high[rows]), met, self.held[rows])

    def _next(self, rows: Int1, step: int) -> None:
        low, high, at_low, at_high = (part[rows] for part in (self.low, self.high, self.at_low, self.at_high))
        goal = np.sqrt(np.maximum(self.allowed[rows] - self.least[rows], 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            farther = low * np.clip(1.1 * goal / at_low, 2.0, 1e3)
            between = low + (high - low) * np.clip((goal - at_low) / (at_high - at_low), 1e-3, 1 - 1e-3)
        halved = np.where(low > 0, np.sqrt(low * np.where(np.isfinite(high), high, 0.0)), high / 1e3)
        plain = (at_high > at_low) & (step % 3 != 2)
        self.price[rows] = np.where(np.isfinite(high), np.where(plain, between, halved), farther)
