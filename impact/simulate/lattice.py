"""Shapes on a lattice of buurten: corners that neighbours share, who borders on whom, and the border of a wijk."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from impact.arrays import Int1

__all__ = ["borders", "corners", "ring", "smooth"]

# Parts of `side`. So little that no edge can cross another one.
_SHIFT, _BEND = 0.18, 0.06


def corners(draw: np.random.Generator, rows: int, columns: int, side: int, corner: tuple[int, int]) -> NDArray[np.intp]:
    """(2 · rows + 1, 2 · columns + 1, 2) x and y in metres of the corners of buurten and of the middles of their edges.

    Corners stand at even places; at (odd, even) and (even, odd) stand the middles. All are shifted at random. As
    neighbours share them, the country is covered without a gap.
    """
    y, x = np.mgrid[: rows + 1, : columns + 1]
    node = np.stack([x, y], axis=-1) + draw.uniform(-_SHIFT, _SHIFT, (rows + 1, columns + 1, 2))
    points = np.zeros((2 * rows + 1, 2 * columns + 1, 2))
    points[::2, ::2] = node
    points[1::2, ::2] = (node[1:] + node[:-1]) / 2
    points[::2, 1::2] = (node[:, 1:] + node[:, :-1]) / 2
    bend = draw.uniform(-_BEND, _BEND, points.shape)
    bend[::2, ::2] = 0
    return np.asarray(np.rint((points + bend) * side) + corner, dtype=np.intp)


def borders(label: Int1, rows: int, columns: int) -> NDArray[np.intp]:
    """(E, 3) pairs of labels whose cells share edges, the smaller first, and how many edges they share; sorted."""
    grid = label.reshape(rows, columns)
    pairs = np.vstack(
        [
            np.column_stack([grid[:, 1:].ravel(), grid[:, :-1].ravel()]),
            np.column_stack([grid[1:].ravel(), grid[:-1].ravel()]),
        ]
    )
    pairs = np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1)
    unique, count = np.unique(pairs, axis=0, return_counts=True)
    return np.column_stack([unique, count])


def ring(cells: Int1, points: NDArray[np.intp]) -> NDArray[np.intp]:
    """(n + 1, 2) the border around `cells`, counter-clockwise, first point repeated at the end.

    Raises
    ------
    ValueError
        When the border is not one simple ring.
    """
    columns = (points.shape[1] - 1) // 2
    inside = {divmod(cell, columns) for cell in cells.tolist()}
    leads: dict[tuple[int, int], tuple[int, int]] = {}
    for row, column in inside:
        r, c = 2 * row, 2 * column
        around = [(r, c), (r, c + 2), (r + 2, c + 2), (r + 2, c)]
        beside = [(row - 1, column), (row, column + 1), (row + 1, column), (row, column - 1)]
        for i, other in enumerate(beside):
            if other not in inside:
                if around[i] in leads:
                    raise ValueError("the border touches itself at a corner")
                leads[around[i]] = around[(i + 1) % 4]
    at = start = min(leads)
    path = []
    while True:
        after = leads.pop(at)
        path += [at, ((at[0] + after[0]) // 2, (at[1] + after[1]) // 2)]
        at = after
        if at == start:
            break
    if leads:
        raise ValueError("the border is more than one ring")
    along = np.array([*path, start])
    return np.asarray(points[along[:, 0], along[:, 1]])


def smooth(field: NDArray[np.float64], times: int) -> NDArray[np.float64]:
    """A field of the same shape in which neighbours resemble each other (means over 3 × 3 cells); sd 1, mean 0."""
    for _ in range(times):
        wide = np.pad(field, 1, mode="edge")
        high, broad = field.shape
        parts = [wide[i : i + high, j : j + broad] for i in range(3) for j in range(3)]
        field = sum(parts[1:], parts[0]) / 9.0
    return np.asarray((field - field.mean()) / field.std())
