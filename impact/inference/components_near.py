"""How much of the shocks that clusters share they have in common with clusters near them, by their distance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import linalg

from impact.arrays import Float1, Float2, Int1
from impact.inference.components import Components, lasting

__all__ = ["alike", "middles", "near"]

_REACHES = (1.0, 2.0, 4.0, 8.0, 16.0)  # times the median distance to the nearest other cluster
_FEWEST = 10  # clusters
_SURE = 2.0  # standard errors


def middles(place: Float2, cluster: Int1, count: int) -> Float2:
    """(G, 2) the mean place of the units of every cluster; nan where one of them is unknown."""
    size = np.bincount(cluster, minlength=count)
    total = np.stack([np.bincount(cluster, weights=place[:, axis], minlength=count) for axis in range(2)], axis=1)
    return np.asarray(np.divide(total, size[:, None], out=np.full_like(total, np.nan), where=size[:, None] > 0))


def alike(place: Float2, found: Components) -> Float2:
    """(G, G) correlations of the shared shocks of clusters at `place` (G, 2): ``near · exp(-distance / reach)``."""
    if not found.near or not found.reach:
        return np.eye(len(place))
    out = found.near * np.exp(-_distances(place) / found.reach)
    out = np.where(np.isfinite(out), out, 0.0)
    np.fill_diagonal(out, 1.0)
    return out


def near(found: Components, y: Float2, cluster: Int1, when: Float1, place: Float2) -> Components:
    """`found`, with what clusters have in common by distance; as it is where that does not show.

    The whitened contrasts of pairs of clusters, multiplied, are regressed on ``exp(-distance / reach)``; pairs count as
    precisely as they are known, and the `reach` that fits best is taken. What is less than two standard errors (by
    leaving out every cluster) from nothing is nothing: the search for a reach finds some by chance alone.

    Parameters
    ----------
    found : Components
        Without it.
    y, cluster, when
        As in ``components``.
    place : (N, 2) float
        In metres.
    """
    codes, member = np.unique(cluster, return_inverse=True)
    at = middles(place, member, len(codes))
    known = np.isfinite(at).all(axis=1)
    if known.sum() < _FEWEST or found.shared == 0:
        return found
    contrast = linalg.helmert(len(when))
    moving = contrast @ lasting(when, found.lasting) @ contrast.T
    size = np.bincount(member).astype(np.float64)
    mean = np.zeros((len(codes), len(when)))
    np.add.at(mean, member, y - y.mean(axis=0))
    whitened = linalg.solve_triangular(np.linalg.cholesky(moving), contrast @ (mean / size[:, None]).T, lower=True).T
    # What the mean of a cluster varies by, in the unit in which a shared shock varies by its variance.
    passing = found.passing**2 * float(np.trace(np.linalg.inv(moving))) / len(moving)
    spread = (found.shared**2 + (found.own**2 + passing) / size)[known]
    rest = whitened[known] - np.average(whitened[known], axis=0, weights=1 / spread)
    product = rest @ rest.T / len(moving)
    weight = 1 / np.outer(spread, spread)
    np.fill_diagonal(weight, 0.0)
    distance = _distances(at[known])
    nearest = float(np.median(np.min(np.where(np.eye(len(distance)) > 0, np.inf, distance), axis=1)))
    best: tuple[float, float, float, float] | None = None
    for reach in (times * nearest for times in _REACHES if nearest > 0):
        slope, gain, error = _regressed(np.exp(-distance / reach), product, weight)
        if slope > 0 and (best is None or gain > best[0]):
            best = gain, slope, error, reach
    if best is None:
        return replace(found, near_error=None)
    _, slope, error, reach = best
    share, share_error = min(slope / found.shared**2, 1.0), error / found.shared**2
    if slope < _SURE * error:
        return replace(found, near_error=share_error)
    return replace(found, near=share, reach=reach, near_error=share_error)


def _regressed(kernel: Float2, product: Float2, weight: Float2) -> tuple[float, float, float]:
    """Slope of `product` on `kernel` over pairs, how much it explains, and its jackknife error over clusters."""
    by_cluster = np.stack(
        [weight.sum(1), (weight * kernel).sum(1), (weight * kernel**2).sum(1), (weight * product).sum(1),
         (weight * kernel * product).sum(1)]
    )  # fmt: skip

    def slope(one: Float2) -> Float1:
        count, x, xx, y, xy = one
        apart = xx - x**2 / count
        return np.asarray(np.divide(xy - x * y / count, apart, out=np.zeros_like(apart), where=apart > 0))

    total = by_cluster.sum(axis=1, keepdims=True)
    (whole,) = slope(total).tolist()
    # Every pair stands in the row of either cluster.
    each = slope(total - 2 * by_cluster)
    clusters = each.shape[0]
    error = float(np.sqrt((clusters - 1) / clusters * ((each - whole) ** 2).sum()))
    x = total[1, 0] / total[0, 0]
    return whole, whole**2 * float(total[2, 0] - total[0, 0] * x**2), error


def _distances(place: Float2) -> Float2:
    return np.asarray(np.hypot(*(place[:, None, axis] - place[None, :, axis] for axis in range(2))))
