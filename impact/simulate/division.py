"""Cutting a lattice of buurten into gemeenten and wijken: every part holds together, none surrounds another."""

from __future__ import annotations

import numpy as np

from impact.arrays import Bool1, Int1

__all__ = ["blocks", "lengths", "shares", "wijken_of"]

_TRIES = 400


def lengths(draw: np.random.Generator, total: int, parts: int) -> Int1:
    """(parts,) whole numbers that add up to `total`, each within a quarter of the mean."""
    found = np.full(parts, total // parts)
    found[: total - found.sum()] += 1
    most = total // parts // 4
    for _ in range(parts):
        give, take = draw.choice(parts, 2, replace=False)
        if found[give] > total // parts - most and found[take] < total // parts + most:
            found[give] -= 1
            found[take] += 1
    return found


def blocks(draw: np.random.Generator, rows: int, columns: int, bands: int, across: int) -> Int1:
    """(rows · columns,) block of every cell: bands of different height, each cut at other places."""
    block = np.empty((rows, columns), dtype=np.intp)
    top = 0
    for band, height in enumerate(lengths(draw, rows, bands)):
        widths = np.repeat(np.arange(across), lengths(draw, columns, across))
        block[top : top + height] = band * across + widths
        top += height
    return block.ravel()


def shares(sizes: Int1, total: int) -> Int1:
    """Whole numbers proportional to `sizes` that add up to `total` (largest remainders)."""
    exact = sizes * total / sizes.sum()
    found: Int1 = np.floor(exact).astype(np.intp)
    order = np.argsort(found - exact, kind="stable")
    found[order[: total - found.sum()]] += 1
    return found


def wijken_of(draw: np.random.Generator, inside: Bool1, columns: int, count: int, size: tuple[int, int]) -> Int1:
    """(cells,) wijk of every cell of a gemeente, -1 outside it.

    Wijken grow cell by cell from seeds, the smallest first. At most six cells can neither surround another cell nor
    touch themselves at a corner, so that every wijk has one simple border.

    Parameters
    ----------
    draw : Generator
        What is left to chance.
    inside : (cells,) bool
        Cells of the gemeente.
    columns : int
        Cells in a row of the lattice.
    count : int
        Number of wijken.
    size : pair of int
        Fewest and most cells of a wijk.
    """
    cells = np.flatnonzero(inside).tolist()
    near = {
        cell: [
            other
            for other, reachable in (
                (cell - columns, True),
                (cell - 1, cell % columns > 0),
                (cell + 1, cell % columns < columns - 1),
                (cell + columns, True),
            )
            if reachable and 0 <= other < len(inside) and inside[other]
        ]
        for cell in cells
    }
    for _ in range(_TRIES):
        owner = _grown(draw, cells, near, count, size[1])
        if len(owner) == len(cells):
            found = np.full(len(inside), -1, dtype=np.intp)
            found[cells] = [owner[cell] for cell in cells]
            if np.bincount(found[cells], minlength=count).min() >= size[0]:
                return found
    raise ValueError(f"{len(cells)} buurten cannot be cut into {count} wijken of {size[0]} to {size[1]}")


def _grown(
    draw: np.random.Generator, cells: list[int], near: dict[int, list[int]], count: int, most: int
) -> dict[int, int]:
    """One attempt: the wijk of every cell that was reached."""
    owner: dict[int, int] = {}
    # Seeds apart from each other leave room to grow.
    order = [cells[i] for i in draw.permutation(len(cells)).tolist()]
    for apart in (True, False):
        for cell in order:
            if len(owner) < count and cell not in owner and not (apart and any(o in owner for o in near[cell])):
                owner[cell] = len(owner)
    open_cells = {wijk: [cell] for cell, wijk in owner.items()}
    chance = iter(draw.random(len(cells)).tolist())
    while open_cells:
        wijk = min(open_cells, key=lambda w: (len(open_cells[w]), w))
        free = [o for cell in open_cells[wijk] for o in near[cell] if o not in owner]
        if not free or len(open_cells[wijk]) >= most:
            del open_cells[wijk]
            continue
        new = free[int(next(chance) * len(free))]
        owner[new] = wijk
        open_cells[wijk].append(new)
    return owner
