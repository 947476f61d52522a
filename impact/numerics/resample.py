"""Random signs by cluster, and the studentised estimates they give when the scores are linear in the outcomes.

With outcomes ``Σ_s v_s R_s`` (one part of the residuals a sign ``v_s``) an estimate is ``Σ_s v_s a_s`` and the score of
cluster ``g`` is ``Σ_{s in g} v_s a_s + W_g Γ'v``: what its own residuals pull, less what all of them
tell together. So `B` draws cost O(G k B), with `k` the columns of ``W``, and nothing of size G² is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from impact.arrays import Float1, Float2, Int1

__all__ = ["POINTS", "Studentised", "Weights", "count_all", "draw_blocks", "studentise"]

Weights = Literal["rademacher", "webb"]

# Two points, and the six of Webb (2023): mean 0 and variance 1, all equally likely.
POINTS: dict[str, Float1] = {
    "rademacher": np.array([-1.0, 1.0]),
    "webb": np.array([-np.sqrt(1.5), -1.0, -np.sqrt(0.5), np.sqrt(0.5), 1.0, np.sqrt(1.5)]),
}
_BLOCK = 2**19  # numbers of a block of draws: 4 MB


def count_all(weights: Weights, size: int) -> float:
    """How many vectors of `size` weights there are; inf beyond what a float counts."""
    points = len(POINTS[weights])
    return float(points**size) if size * np.log2(points) < 62 else np.inf


def draw_blocks(
    weights: Weights, size: int, draws: int, generator: np.random.Generator, *, enumerate_all: bool = False
) -> Iterator[Float2]:
    """Blocks (b, size) of random weights, `draws` rows in all; or all there are, which `draws` then counts."""
    points = POINTS[weights]
    rows = max(1, min(draws, _BLOCK // max(size, 1)))
    powers = len(points) ** np.arange(size if enumerate_all else 0)
    for start in range(0, draws, rows):
        count = min(rows, draws - start)
        if enumerate_all:
            yield points[(np.arange(start, start + count)[:, None] // powers) % len(points)]
        elif weights == "rademacher":
            # One bit a sign; every row takes whole bytes, so the first rows of a long run are those of a short one.
            bits = np.frombuffer(generator.bytes(count * (-(-size // 8))), dtype=np.uint8).reshape(count, -1)
            yield np.unpackbits(bits, axis=1, count=size).astype(np.float64) * 2.0 - 1.0
        else:
            yield points[generator.integers(0, len(points), size=(count, size), dtype=np.uint8)]


@dataclass(frozen=True, slots=True, eq=False)
class Studentised:
    """Draws of an estimate under residuals ``R0 + δ R1``, which are known for every δ at once.

    Attributes
    ----------
    top : (2, B) float
        Of the estimate: ``top[0] + δ top[1]``.
    square : (3, B) float
        Of its squared error: ``square[0] + 2 δ square[1] + δ² square[2]``.
    """

    top: Float2
    square: Float2

    def beyond(self, statistic: float, delta: float, tie: float = 1e-9) -> int:
        """How many draws have a |t| of at least ``|statistic|`` (or less by rounding) at this δ.

        A draw without an error counts when its estimate is not 0.
        """
        top = np.abs(self.top[0] + delta * self.top[1])
        square = np.maximum(self.square[0] + delta * (2 * self.square[1] + delta * self.square[2]), 0.0)
        return int((top >= abs(statistic) * (1 - tie) * np.sqrt(square)).sum())


def studentise(
    own: Float2,
    spread: Float2,
    pooled: tuple[Float2, Float2],
    blocks: Iterator[Float2],
    *,
    signs: bool,
    home: Int1 | None = None,
) -> Studentised:
    """Estimates and squared errors of all draws, for two sets of residuals.

    Parameters
    ----------
    own : (2, S) float
        ``a``: what the residuals of every part pull, of the first set and of the second.
    spread : (G, k) float
        ``W``.
    pooled : pair of (S, k) float
        ``Γ`` of both.
    blocks : iterator of (b, S) float
        Weights.
    signs : bool
        Whether all weights are 1 or -1, whose squares need no product.
    home : (S,) int, optional
        Cluster of every part, in order; each part a cluster of its own where none is given.
    """
    within = spread.T @ spread
    tops, squares = [], []
    for block in blocks:
        pulled = [block @ gamma for gamma in pooled]
        if home is None:
            products = np.array([own[0] ** 2, own[0] * own[1], own[1] ** 2])
            parts = np.repeat(products.sum(axis=1)[:, None], len(block), axis=1) if signs else products @ (block.T**2)
            crossed = [block @ (one[:, None] * spread) for one in own]
        else:
            starts = np.flatnonzero(np.r_[True, home[1:] != home[:-1]])
            summed = [np.add.reduceat(block * one, starts, axis=1) for one in own]
            parts = np.array([(summed[i] * summed[j]).sum(axis=1) for i, j in ((0, 0), (0, 1), (1, 1))])
            crossed = [one @ spread[home[starts]] for one in summed]
        tops.append(own @ block.T)
        squares.append(
            np.array(
                [
                    parts[row]
                    + (crossed[i] * pulled[j]).sum(axis=1)
                    + (crossed[j] * pulled[i]).sum(axis=1)
                    + ((pulled[i] @ within) * pulled[j]).sum(axis=1)
                    for row, (i, j) in enumerate(((0, 0), (0, 1), (1, 1)))
                ]
            )
        )
    return Studentised(np.concatenate(tops, axis=1), np.concatenate(squares, axis=1))
