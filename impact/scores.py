"""Influence scores of cells, by cluster: kept as products, so that (units, cells) is never in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from impact.arrays import Float1, Float2, Float3, Int1
from impact.numerics.sums import Sums, project

__all__ = ["Block", "Projection", "ScoreBlock", "Scores", "by_cluster"]


class Block(Protocol):
    """A part of the scores."""

    def at(self, weights: Float2, clusters: int) -> Float2:
        """(G, m) sums by cluster of the scores of `m` weighted sums of cells, (C, m)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ScoreBlock:
    """Scores of `n` units as a product ``left @ right``: (n, k) times (k, C)."""

    left: Float2
    right: Float2
    cluster: Int1

    def at(self, weights: Float2, clusters: int) -> Float2:
        """(G, m) sums by cluster of the scores of `m` weighted sums of cells."""
        return by_cluster(self.left @ (self.right @ weights), self.cluster, clusters)


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Scores that are linear in the outcomes, alike for all units of a stratum.

    Row ``i`` in stratum ``k`` has ``w_i (y_i @ right[k] + constant[k])``; a row is a unit, or all units of a stratum in
    one cluster with their mean outcome and total weight.

    Attributes
    ----------
    y : (n, T) float
    place : (n,) int
        Stratum of every row; -1 for rows without a score.
    weight : (n,) float
    right : (K, T, C) float
    constant : (K, C) float
    cluster : (n,) int
    squares : Sums or None
        Sums per stratum of ``y - shift`` under the squared weights, where every row is a cluster of its own: the
        covariance then needs no pass over the rows.
    shift : (T,) float or None
    """

    y: Float2
    place: Int1
    weight: Float1
    right: Float3
    constant: Float2
    cluster: Int1
    squares: Sums | None = None
    shift: Float1 | None = None

    def at(self, weights: Float2, clusters: int) -> Float2:
        """(G, m) sums by cluster of the scores of `m` weighted sums of cells.

        Raises
        ------
        ValueError
            The rows are not known, only the sums of their squares.
        """
        if self.squares is not None and not len(self.y):
            raise ValueError("the units are not told apart in these moments: only the covariance is known")
        rows = project(self.y, self.place, self.weight, self.right @ weights, self.constant @ weights)
        return by_cluster(rows, self.cluster, clusters)

    def covariance(self, weights: Float2) -> Float2 | None:
        """(m, m) covariance of `m` weighted sums of cells; None without the sums of squared weights."""
        if self.squares is None or self.squares.products is None or self.shift is None:
            return None
        right = self.right @ weights
        level = self.shift @ right + self.constant @ weights
        cross = np.einsum("ktm,kt,kn->mn", right, self.squares.total, level)
        return np.asarray(
            np.einsum("ktm,kts,ksn->mn", right, self.squares.products, right, optimize=True)
            + cross
            + cross.T
            + np.einsum("k,km,kn->mn", self.squares.weight, level, level)
        )


def by_cluster(rows: Float2, cluster: Int1, clusters: int) -> Float2:
    """(G, m) sums of `rows` (n, m) by cluster."""
    columns = [np.bincount(cluster, weights=column, minlength=clusters) for column in rows.T]
    return np.asarray(np.column_stack(columns)) if columns else np.zeros((clusters, 0))


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Influence scores of the cells, kept as products so that (units, cells) is never in memory.

    A cluster's score is its contribution to the sampling error of the cell: the scores of a cell sum to 0 over the
    clusters, and the sum of their squares is its variance.

    Attributes
    ----------
    blocks : tuple of Block
    clusters : int
    conditional : bool
        Whether who is treated when is held fixed: the shares of the groups in a target then carry no error of their
        own (regressions); otherwise the target adds it (Callaway & Sant'Anna 2021, Corollary 2).
    """

    blocks: tuple[Block, ...]
    clusters: int
    conditional: bool = False

    def covariance(self, weights: Float2) -> Float2:
        """(m, m) covariance of `m` weighted sums of cells, (C, m); with the identity that of all cells."""
        if len(self.blocks) == 1 and isinstance(self.blocks[0], Projection):
            quick = self.blocks[0].covariance(weights)
            if quick is not None:
                return quick
        scores = self.at(weights)
        return np.asarray(scores.T @ scores)

    def at(self, weights: Float2) -> Float2:
        """(G, m) scores of `m` weighted sums of cells; `weights` is (C, m)."""
        out = np.zeros((self.clusters, weights.shape[1]))
        for block in self.blocks:
            out += block.at(weights, self.clusters)
        return out
