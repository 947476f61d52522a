"""One coefficient in many regressions on subsets of the same columns, for many outcomes, with its cluster jackknife.

Sums of products per cluster are taken once; every regression is then algebra on a few rows and columns of them, and
leaving a cluster out is a subtraction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from impact.arrays import Float1, Float2, Float3, Int1, frozen, require
from impact.numerics.kernel import kernel

__all__ = ["Subsets", "subsets"]

_RANK = 1e-10  # a pivot under this share of its column's own square says that the column follows from the others


@dataclass(frozen=True, slots=True, eq=False)
class Subsets:
    """The coefficient of the first column in S regressions for Q outcomes.

    Attributes
    ----------
    estimate : (S, Q) float
        nan where the columns are collinear.
    std_error : (S, Q) float
        CV3: the square root of (G - 1) / G times the sum of squared changes when one cluster is left out. nan where
        without some cluster the columns are collinear.
    """

    estimate: Float2
    std_error: Float2

    def __post_init__(self) -> None:
        object.__setattr__(self, "estimate", frozen(self.estimate))
        object.__setattr__(self, "std_error", frozen(self.std_error))


def subsets(
    x: Float2, y: Float2, cluster: Int1, chosen: Sequence[Sequence[int]], weight: Float1 | None = None
) -> Subsets:
    """Weighted least squares of every outcome on the first column of `x` and, in turn, each of the `chosen` others.

    Parameters
    ----------
    x : (N, p) array
        Complete. The first column is the one asked about; it stands in every regression.
    y : (N, Q) array
        Complete outcomes.
    cluster : (N,) int
        Number of the cluster of every row; all of 0 to G - 1 occur.
    chosen : sequence of sequences of int
        For every regression the further columns of `x` (a constant among them where one is wanted).
    weight : (N,) array, optional
        Of the rows.

    Raises
    ------
    ValueError
        Shapes do not agree, a number is not finite, or a column is chosen twice or is not there.

    References
    ----------
    MacKinnon, Nielsen & Webb (2023), Journal of Applied Econometrics 38(5), eq. 17 (CV3).
    """
    require("x", x, (None, None))
    require("y", y, (len(x), None))
    require("cluster", cluster, (len(x),))
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("x and y must be finite")
    size = np.array([len(one) + 1 for one in chosen], dtype=np.intp)
    columns = np.zeros((len(chosen), int(size.max(initial=1))), dtype=np.intp)
    for row, one in enumerate(chosen):
        if len({0, *one}) < len(one) + 1 or not all(0 < column < x.shape[1] for column in one):
            raise ValueError(f"the columns {list(one)} are not further columns of x, each once")
        # The one asked about stands last, where its coefficient needs no back substitution.
        columns[row, : len(one)] = one
    w = np.ones(len(x)) if weight is None else weight
    number = int(cluster.max()) + 1
    # Columns of like size keep the pivots comparable.
    scale = np.sqrt((w[:, None] * x**2).sum(axis=0))
    scale[scale == 0] = 1.0
    u = x / scale
    gram, cross = _sums(u, y, w, cluster, number)
    estimate, variance = np.empty((len(chosen), y.shape[1])), np.empty((len(chosen), y.shape[1]))
    _regressions(gram, cross, columns, size, estimate=estimate, variance=variance)
    return Subsets(estimate / scale[0], np.sqrt(variance) / scale[0])


def _sums(u: Float2, y: Float2, w: Float1, cluster: Int1, number: int) -> tuple[Float3, Float3]:
    """(G, p, p) and (G, p, Q) weighted products per cluster."""
    order = np.argsort(cluster, kind="stable")
    ends = np.searchsorted(cluster[order], np.arange(number + 1))
    gram, cross = np.empty((number, u.shape[1], u.shape[1])), np.empty((number, u.shape[1], y.shape[1]))
    for g in range(number):
        rows = order[ends[g] : ends[g + 1]]
        weighted = u[rows] * w[rows, None]
        gram[g], cross[g] = weighted.T @ u[rows], weighted.T @ y[rows]
    return gram, cross


def _by_numpy(gram: Float3, cross: Float3, columns: Int1, size: Int1, *, estimate: Float2, variance: Float2) -> None:
    """The oracle of `_regressions`: one solve after another."""
    whole_gram, whole_cross, number = gram.sum(axis=0), cross.sum(axis=0), len(gram)
    for s, k in enumerate(size):
        use = columns[s, :k]
        at = np.ix_(use, use)

        def last(left: Float2, right: Float2, count: int) -> Float1:
            if not _full(left):
                return np.full(right.shape[1], np.nan)
            return np.asarray(np.linalg.solve(left, right)[count - 1])

        estimate[s] = last(whole_gram[at], whole_cross[use], k)
        away = [last(whole_gram[at] - gram[g][at], whole_cross[use] - cross[g][use], k) for g in range(number)]
        variance[s] = (number - 1) / number * ((np.array(away) - estimate[s]) ** 2).sum(axis=0)


def _full(left: Float2) -> bool:
    """Whether every pivot of the Cholesky factor is more than rounding."""
    a = left.copy()
    for j in range(len(a)):
        if not a[j, j] > _RANK * left[j, j]:
            return False
        a[j + 1 :, j + 1 :] -= np.outer(a[j + 1 :, j], a[j, j + 1 :]) / a[j, j]
    return True


@kernel
def _row(a: Float2, k: int, z: Float1) -> bool:
    """The last row of the inverse of `a` (k, k), which is overwritten; False where it has none."""
    for j in range(k):
        own = a[j, j]
        pivot = own
        for i in range(j):
            pivot -= a[j, i] * a[j, i]
        if not pivot > _RANK * own:
            return False
        root = np.sqrt(pivot)
        a[j, j] = root
        for r in range(j + 1, k):
            value = a[r, j]
            for i in range(j):
                value -= a[r, i] * a[j, i]
            a[r, j] = value / root
    z[k - 1] = 1.0 / a[k - 1, k - 1] ** 2
    for j in range(k - 2, -1, -1):
        value = 0.0
        for i in range(j + 1, k):
            value -= a[i, j] * z[i]
        z[j] = value / a[j, j]
    return True


@kernel(oracle=_by_numpy)
def _regressions(gram: Float3, cross: Float3, columns: Int1, size: Int1, estimate: Float2, variance: Float2) -> None:
    number, p, outcomes = cross.shape
    whole_gram, whole_cross = np.zeros((p, p)), np.zeros((p, outcomes))
    for g in range(number):
        whole_gram += gram[g]
        whole_cross += cross[g]
    most = columns.shape[1]
    a, z, value = np.empty((most, most)), np.empty(most), np.empty(outcomes)
    for s in range(len(size)):
        k = size[s]
        estimate[s] = np.nan
        variance[s] = np.nan
        for i in range(k):
            for j in range(i + 1):
                a[i, j] = whole_gram[columns[s, i], columns[s, j]]
        if not _row(a, k, z):
            continue
        estimate[s] = 0.0
        for i in range(k):
            for q in range(outcomes):
                estimate[s, q] += z[i] * whole_cross[columns[s, i], q]
        variance[s] = 0.0
        for g in range(number):
            for i in range(k):
                for j in range(i + 1):
                    a[i, j] = whole_gram[columns[s, i], columns[s, j]] - gram[g, columns[s, i], columns[s, j]]
            if not _row(a, k, z):
                variance[s] = np.nan
                break
            value[:] = -estimate[s]
            for i in range(k):
                for q in range(outcomes):
                    value[q] += z[i] * (whole_cross[columns[s, i], q] - cross[g, columns[s, i], q])
            for q in range(outcomes):
                variance[s, q] += value[q] * value[q] * (number - 1) / number
