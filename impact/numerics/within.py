"""Least squares with unit and period effects on an incomplete panel: exact, without dummies and without iteration.

Weights belong to units, so unit effects leave by plain means over the periods in which a unit is seen; what is left of
the period effects are `T` normal equations (Frisch-Waugh-Lovell twice). Cost is O(N T²).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impact.arrays import Bool1, Bool2, Float1, Float2, Float3, Int1

__all__ = ["LeastSquares", "PeriodEffects", "least_squares", "normal_inverse"]

# A regressor of which the effects leave less than this share of its size is absorbed: what is left is rounding.
_ABSORBED = 1e-9
# A direction that carries less than this share of the largest one is not identified (of squares, as in the normal
# equations: 1e-5 of the length).
_RANK = 1e-10
# The part of a coefficient that may lie in a direction that is not identified, by rounding.
_UNKNOWN = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class PeriodEffects:
    """The normal equations of `T` period effects beside unit effects.

    Attributes
    ----------
    inverse : (T, T) float
        Generalised inverse; the first period of every component has effect 0, so its row and column are 0.
    component : (T,) int
        Periods that units connect, numbered by their first period; -1 where no unit with weight is seen. Effects of
        periods in different components cannot be compared.
    """

    inverse: Float2
    component: Int1

    @staticmethod
    def of(weight: Float1, seen: Bool2) -> PeriodEffects:
        """From the weights (N,) of units, 0 or more, and the periods in which they are seen (N, T)."""
        heavy = weight > 0
        here, used = seen[heavy].astype(np.float64), weight[heavy, None] * seen[heavy]
        share = here / np.maximum(here.sum(axis=1, keepdims=True), 1.0)
        normal = np.diag(used.sum(axis=0)) - used.T @ share
        component = _components(here.T @ here > 0)
        heads = np.unique(component, return_index=True)[1]
        free = (component >= 0) & ~np.isin(np.arange(len(component)), heads)
        inverse = np.zeros(normal.shape)
        inverse[np.ix_(free, free)] = np.linalg.inv(normal[np.ix_(free, free)])
        return PeriodEffects((inverse + inverse.T) / 2, component)

    @property
    def rank(self) -> int:
        """Free period effects: the periods that are seen, less one a component."""
        return int((self.component >= 0).sum() - (self.component.max(initial=-1) + 1))

    def partial_out(self, values: Float3, weight: Float1, seen: Bool2) -> tuple[Float3, Float2]:
        """Residual of `values` (..., N, T) on unit and period effects, and the period effects (..., T).

        The residual is 0 where a unit is not seen; what stands in `values` there is not read.
        """
        count = np.maximum(seen.sum(axis=1, keepdims=True), 1)
        inside = np.where(seen, values, 0.0)
        centred = np.where(seen, inside - inside.sum(axis=-1, keepdims=True) / count, 0.0)
        periods = np.asarray((weight @ centred) @ self.inverse)
        course = np.where(seen, periods[..., None, :], 0.0)
        return centred - np.where(seen, course - course.sum(axis=-1, keepdims=True) / count, 0.0), periods


@dataclass(frozen=True, slots=True, eq=False)
class LeastSquares:
    """Weighted least squares of `y` on `k` regressors, unit effects and period effects.

    Attributes
    ----------
    coefficient : (k,) float
        Of the shared regressors, then of the own ones; nan where the data do not identify it, never 0.
    influence : (N, k) float
        Score of every unit, ``w_i x~_i' e_i (X~' W X~)^-1``: columns sum to 0, and the sum of squares (of the sums by
        cluster) is the variance without small-sample factor; nan with the coefficient.
    residual : (N, T) float
        0 where a unit is not seen.
    rank : int
        Of the regressors once the effects are out.
    units, periods : (N,), (T,) float
        Effects; the first period of every component has 0.
    effects : PeriodEffects
    inverse : (k, k) float
        Pseudo-inverse of ``X~' W X~``.
    shared, own : (k1, R, T), (k2, N, T) float
        Regressors once the effects are out.
    kind : (N,) int
    """

    coefficient: Float1
    influence: Float2
    residual: Float2
    rank: int
    units: Float1
    periods: Float1
    effects: PeriodEffects
    inverse: Float2
    shared: Float3
    own: Float3
    kind: Int1

    def pull(self, number: int) -> Float2:
        """(N, T) what a coefficient is made of: it is the sum of ``w_i pull_it y_it`` over the cells that are seen."""
        row, count = self.inverse[number], len(self.shared)
        by_kind = np.tensordot(row[:count], self.shared, axes=1)
        return np.asarray(by_kind[self.kind] + np.tensordot(row[count:], self.own, axes=1))


def least_squares(
    y: Float2,
    weight: Float1,
    seen: Bool2,
    own: Float3 | None = None,
    shared: Float3 | None = None,
    kind: Int1 | None = None,
) -> LeastSquares:
    """Regress `y` on regressors, with effects of units and periods.

    What stands in `y` and the regressors where a unit is not seen is not read.

    Parameters
    ----------
    y : (N, T) float
        The outcome.
    weight : (N,) float
        0 or more; a unit without weight has a residual and no score.
    seen : (N, T) bool
        Cells that are used.
    own : (k2, N, T) float, optional
        Regressors with values of every unit.
    shared : (k1, R, T) float, optional
        Regressors that are alike for all units of a kind; on sums by kind they cost next to nothing.
    kind : (N,) int, optional
        Row of `shared` of every unit; units of a kind are seen in the same periods.
    """
    if shared is None or kind is None:
        shared, kind = np.zeros((0, 1, y.shape[1])), np.zeros(len(y), dtype=np.intp)
    own = np.where(seen, np.zeros((0, *y.shape)) if own is None else own, 0.0)
    mass = np.asarray(np.bincount(kind, weights=weight, minlength=shared.shape[1]), dtype=np.float64)
    here = np.zeros(shared.shape[1:], dtype=bool)
    here[kind] = seen
    effects = PeriodEffects.of(weight, seen)
    alike, alike_course = effects.partial_out(shared, mass, here)
    each, each_course = effects.partial_out(own, weight, seen)

    def against(values: Float2) -> Float1:
        """(k,) products of the regressors with weighted `values` (N, T)."""
        by_kind = np.column_stack([np.bincount(kind, weights=column, minlength=len(mass)) for column in values.T])
        return np.concatenate([np.einsum("krt,rt->k", alike, by_kind), np.einsum("knt,nt->k", each, values)])

    count = len(shared)
    gram = np.zeros((count + len(own), count + len(own)))
    gram[:count, :count] = np.einsum("r,krt,lrt->kl", mass, alike, alike, optimize=True)
    for number, values in enumerate(each, start=count):
        gram[number] = gram[:, number] = against(weight[:, None] * values)
    raw = np.concatenate(
        [np.einsum("r,krt->k", mass, np.where(here, shared, 0.0) ** 2), np.einsum("n,knt->k", weight, own**2)]
    )
    inverse, identified, rank = normal_inverse(gram, raw)
    outcome, course = effects.partial_out(y, weight, seen)
    coefficient, residual = np.zeros(len(raw)), outcome
    for _ in range(2):  # the second time removes the rounding of the first
        coefficient = coefficient + inverse @ against(weight[:, None] * residual)
        fitted = np.tensordot(coefficient[:count], alike, axes=1)[kind]
        residual = outcome - fitted - np.tensordot(coefficient[count:], each, axes=1)
    drawn = weight[:, None] * residual
    score = np.empty((len(y), len(raw)))
    for number in range(len(raw)):
        values = alike[number][kind] if number < count else each[number - count]
        score[:, number] = (drawn * values).sum(axis=1)
    periods = course - coefficient @ np.concatenate([alike_course, each_course])
    level = np.where(seen, y, 0.0) - np.tensordot(coefficient[count:], own, axes=1) - periods
    level = level - np.tensordot(coefficient[:count], np.where(here, shared, 0.0), axes=1)[kind]
    units = np.where(seen, level, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    known = np.where(identified, 1.0, np.nan)
    return LeastSquares(
        coefficient * known,
        score @ inverse * known,
        residual,
        rank,
        units,
        np.asarray(periods),
        effects,
        inverse,
        alike,
        each,
        kind,
    )


def normal_inverse(gram: Float2, raw: Float1) -> tuple[Float2, Bool1, int]:
    """Pseudo-inverse (k, k) of normal equations, which coefficients they identify (k,), and their rank.

    `raw` (k,) holds the squared sizes of the regressors before the effects were taken out. A coefficient is identified
    when it is the same in all solutions.
    """
    size = np.sqrt(np.maximum(np.diag(gram), 0.0))
    left = size > _ABSORBED * np.sqrt(raw)
    inverse, identified = np.zeros(gram.shape), np.zeros(len(raw), dtype=bool)
    if not left.any():
        return inverse, identified, 0
    scale = size[left]
    values, vectors = np.linalg.eigh(gram[np.ix_(left, left)] / np.outer(scale, scale))
    strong = values > _RANK * values[-1]
    directions = vectors[:, strong]
    inverse[np.ix_(left, left)] = (directions / values[strong]) @ directions.T / np.outer(scale, scale)
    identified[left] = np.linalg.norm(vectors[:, ~strong], axis=1) <= _UNKNOWN
    return inverse, identified, int(strong.sum())


def _components(linked: Bool2) -> Int1:
    """(T,) number of the component of every period, given who is seen together; -1 for periods nobody is seen in."""
    reach = linked
    while True:
        further = (reach.astype(np.float64) @ reach) > 0
        if (further == reach).all():
            break
        reach = further
    first = np.where(linked.diagonal(), reach.argmax(axis=1), -1)
    return np.where(first < 0, -1, np.searchsorted(np.unique(first[first >= 0]), first)).astype(np.intp)
