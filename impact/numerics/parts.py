"""Sums put together: of places, of parts of the data, and under another shift."""

from __future__ import annotations

import numpy as np

from impact.arrays import Bool1, Bool2, Float1, Float2, Int1
from impact.numerics.sums import Sums

__all__ = ["pool", "shifted", "stacked", "taken"]


def pool(place: Int1, places: int, parts: Sums) -> Sums:
    """The sums of the parts at every place."""
    products = None
    if parts.products is not None:
        shape = parts.products.shape
        products = _added(place, places, parts.products.reshape(shape[0], -1)).reshape(places, *shape[1:])
    count = np.bincount(place, weights=parts.count, minlength=places).astype(np.intp)
    weight = np.asarray(np.bincount(place, weights=parts.weight, minlength=places), dtype=np.float64)
    return Sums(count, weight, _added(place, places, parts.total), products)


def _added(place: Int1, places: int, rows: Float2) -> Float2:
    """(P, k) sums of rows (n, k) at every place."""
    columns = [np.bincount(place, weights=column, minlength=places) for column in rows.T]
    return np.column_stack(columns) if columns else np.zeros((places, 0))


def taken(parts: Sums, keep: Bool1) -> Sums:
    """The parts for which `keep` holds."""
    return Sums(
        parts.count[keep],
        parts.weight[keep],
        parts.total[keep],
        None if parts.products is None else parts.products[keep],
    )


def shifted(parts: Sums, move: Float1, seen: Bool2) -> Sums:
    """The sums of ``y - (shift - move)`` from those of ``y - shift``; periods that were not seen stay 0."""
    far = np.where(seen, move, 0.0)
    total = parts.total + parts.weight[:, None] * far
    products = None
    if parts.products is not None:
        cross = parts.total[:, :, None] * far[:, None, :]
        both = parts.weight[:, None, None] * far[:, :, None] * far[:, None, :]
        products = parts.products + cross + cross.transpose(0, 2, 1) + both
    return Sums(parts.count, parts.weight, total, products)


def stacked(first: Sums, second: Sums) -> Sums:
    """The parts of both, one after the other."""
    products = None
    if first.products is not None and second.products is not None:
        products = np.concatenate([first.products, second.products])
    return Sums(
        np.concatenate([first.count, second.count]),
        np.concatenate([first.weight, second.weight]),
        np.concatenate([first.total, second.total]),
        products,
    )
