"""Sums of the rows of a wide matrix by place, in one pass; and the map from rows back to scores.

Small matrices are summed by plain numpy, so that a small study neither imports numba nor waits for a compiler. What is
small depends on the shapes alone, and large ones are summed in a fixed number of chunks that are added in order. So
a result depends on neither the number of threads nor on what else was computed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np

from impact.arrays import Float1, Float2, Float3, Int1, require
from impact.numerics.kernel import kernel

__all__ = ["Sums", "project", "project_plain", "sums", "sums_plain", "threads"]

Out = TypeVar("Out")

_SMALL: Final = 250_000  # cells of y below which numpy takes some 10 ms, and importing numba 500
_CHUNKS: Final = 16
_ROOM: Final = 2**22  # numbers that the accumulators of all chunks may hold together (32 MB)
_BLOCK: Final = 128  # rows that are gathered before their products are added
_NEAR: Final = 2**10  # columns of places up to which these blocks stay in the cache
_REORDER: Final = {"reassoc", "contract"}  # lets a sum be vectorised; nan and inf keep their meaning


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Additive sums of rows at `P` places.

    Attributes
    ----------
    count : (P,) int
        Rows with a positive weight.
    weight : (P,) float
        Sum of weights.
    total : (P, T) float
        Sum of ``w (y - shift)``; a nan cell adds nothing.
    products : (P, T, T) float or None
        Sum of ``w (y - shift)(y - shift)'``; a nan cell counts as 0.
    """

    count: Int1
    weight: Float1
    total: Float2
    products: Float3 | None


def sums(y: Float2, place: Int1, places: int, weight: Float1, shift: Float1, *, products: bool) -> Sums:
    """The sums of the rows of `y` at every place.

    Parameters
    ----------
    y : (N, T) float
        One row per unit; nan where nothing was observed. Not copied if C-contiguous.
    place : (N,) int
        Where the row is counted, below `places`; -1 leaves it out.
    places : int
        `P`, the number of places.
    weight : (N,) float
        Weight of every row.
    shift : (T,) float
        Subtracted first, so that a large mean costs no digits.
    products : bool
        Whether the products of columns are wanted too.

    Raises
    ------
    ValueError
        If shapes do not agree or a place is not in [-1, places).
    """
    _check(y, place, places, weight)
    require("shift", shift, (y.shape[1],))
    if y.size < _SMALL:
        return sums_plain(y, place, places, weight, shift, products=products)
    length = y.shape[1]
    add = _by_block if products and places * length <= _NEAR else _by_row
    chunks = min(_CHUNKS, max(1, _ROOM // (places * length * (length if products else 1) + 1)))
    parts = _over_chunks(lambda rows: add(y[rows], place[rows], places, weight[rows], shift, products), len(y), chunks)
    found = next(parts)
    for part in parts:
        for before, more in zip(found, part, strict=True):
            np.add(before, more, out=before)
    return _as_value(found, products)


def project(y: Float2, place: Int1, weight: Float1, right: Float3, constant: Float2) -> Float2:
    """Map every row linearly, by its place: ``weight[i] * (y[i] @ right[place[i]] + constant[place[i]])``.

    Parameters
    ----------
    y : (N, T) float
        A nan cell counts as 0.
    place, weight : (N,) int, (N,) float
        As in `sums`.
    right, constant : (P, T, m), (P, m) float
        The map of every place.

    Returns
    -------
    (N, m) float
        0 for a row that is left out.

    Raises
    ------
    ValueError
        If shapes do not agree or a place is not in [-1, P).
    """
    places, width = constant.shape
    _check(y, place, places, weight)
    require("right", right, (places, y.shape[1], width))
    if y.size < _SMALL:
        return project_plain(y, place, weight, right, constant)
    out = np.zeros((len(y), width))
    for _ in _over_chunks(
        lambda rows: _project(y[rows], place[rows], weight[rows], right, constant, out=out[rows]), len(y), _CHUNKS
    ):
        pass
    return out


# In plain numpy -------------------------------------------------------------------------------------------------------


def sums_plain(y: Float2, place: Int1, places: int, weight: Float1, shift: Float1, *, products: bool) -> Sums:
    """As `sums`."""
    return _as_value(_sums_plain(y, place, places, weight, shift, products), products)


def project_plain(y: Float2, place: Int1, weight: Float1, right: Float3, constant: Float2) -> Float2:
    """As `project`."""
    out = np.zeros((len(y), constant.shape[1]))
    _project_plain(y, place, weight, right, constant, out)
    return out


_Arrays: TypeAlias = tuple[Int1, Float1, Float2, Float3]


def _sums_plain(y: Float2, place: Int1, places: int, weight: Float1, shift: Float1, products: bool) -> _Arrays:
    length = y.shape[1]
    total, square = np.zeros((places, length)), np.zeros((places if products else 0, length, length))
    order = np.argsort(place, kind="stable")[np.count_nonzero(place < 0) :]
    there, starts = np.unique(place[order], return_index=True)
    rows = _filled(y[order] - shift)
    weighted = weight[order, None] * rows
    if len(order):
        total[there] = np.add.reduceat(weighted, starts, axis=0)
        for column in range(length if products else 0):
            square[there, column] = np.add.reduceat(weighted[:, column, None] * rows, starts, axis=0)
    inside, mass = place[order], weight[order]
    count = np.bincount(inside[mass > 0], minlength=places).astype(np.intp)
    return count, np.bincount(inside, weights=mass, minlength=places).astype(np.float64), total, square


def _project_plain(y: Float2, place: Int1, weight: Float1, right: Float3, constant: Float2, out: Float2) -> None:
    for chunk in np.array_split(np.flatnonzero(place >= 0), max(1, y.size * right.shape[2] // _ROOM)):
        at = place[chunk]
        out[chunk] = np.einsum("nt,ntm->nm", _filled(y[chunk]), right[at]) + constant[at]
        out[chunk] *= weight[chunk, None]


# Compiled -------------------------------------------------------------------------------------------------------------


@kernel(oracle=_sums_plain)
def _by_row(y: Float2, place: Int1, places: int, weight: Float1, shift: Float1, products: bool) -> _Arrays:
    rows, length = y.shape
    count, mass, total = np.zeros(places, dtype=np.intp), np.zeros(places), np.zeros((places, length))
    square = np.zeros((places if products else 0, length, length))
    moved = np.zeros(length)
    for row in range(rows):
        at = place[row]
        if at < 0:
            continue
        mass[at] += weight[row]
        count[at] += weight[row] > 0
        for column in range(length):
            value = y[row, column] - shift[column]
            moved[column] = 0.0 if np.isnan(value) else value
            total[at, column] += weight[row] * moved[column]
        if products:
            for left in range(length):
                weighted = weight[row] * moved[left]
                for column in range(left, length):
                    square[at, left, column] += weighted * moved[column]
    return count, mass, total, square


@kernel(oracle=_sums_plain)
def _by_block(y: Float2, place: Int1, places: int, weight: Float1, shift: Float1, products: bool) -> _Arrays:
    """As `_by_row`, for few places: rows are gathered by place, so that products are sums along contiguous numbers."""
    rows, length = y.shape
    count, mass, total = np.zeros(places, dtype=np.intp), np.zeros(places), np.zeros((places, length))
    square = np.zeros((places, length, length))
    gathered, weights = np.zeros((places, length, _BLOCK)), np.zeros((places, _BLOCK))
    held = np.zeros(places, dtype=np.intp)
    for row in range(rows):
        at = place[row]
        if at < 0:
            continue
        mass[at] += weight[row]
        count[at] += weight[row] > 0
        slot = held[at]
        weights[at, slot] = weight[row]
        for column in range(length):
            value = y[row, column] - shift[column]
            gathered[at, column, slot] = 0.0 if np.isnan(value) else value
        held[at] = slot + 1
        if held[at] == _BLOCK:
            _add_block(gathered[at], weights[at], total[at], square[at])
            held[at] = 0
    for at in range(places):
        weights[at, held[at] :] = 0.0  # what is left of an earlier block
        _add_block(gathered[at], weights[at], total[at], square[at])
    return count, mass, total, square


@kernel(fastmath=_REORDER)
def _add_block(gathered: Float2, weights: Float1, total: Float1, square: Float2) -> None:
    length = len(total)
    for left in range(length):
        weighted = weights * gathered[left]
        total[left] += weighted.sum()
        for column in range(left, length):
            product = 0.0
            for slot in range(_BLOCK):
                product += weighted[slot] * gathered[column, slot]
            square[left, column] += product


@kernel(oracle=_project_plain)
def _project(y: Float2, place: Int1, weight: Float1, right: Float3, constant: Float2, out: Float2) -> None:
    (rows, length), terms = y.shape, out.shape[1]
    for row in range(rows):
        at = place[row]
        if at < 0:
            continue
        for term in range(terms):
            out[row, term] = weight[row] * constant[at, term]
        for column in range(length):
            value = weight[row] * y[row, column]
            if not np.isnan(value):
                for term in range(terms):
                    out[row, term] += value * right[at, column, term]


# What both share ------------------------------------------------------------------------------------------------------


def _check(y: Float2, place: Int1, places: int, weight: Float1) -> None:
    require("y", y, (None, None))
    require("place", place, (len(y),))
    require("weight", weight, (len(y),))
    if len(place) and (place.min() < -1 or place.max() >= places):
        raise ValueError(f"places run from {place.min()} to {place.max()}, expected -1 to {places - 1}")


def _as_value(arrays: _Arrays, products: bool) -> Sums:
    """Read-only, and the lower triangles of the products filled from the upper ones."""
    count, mass, total, square = arrays
    row, column = np.tril_indices(square.shape[1], -1)
    square[:, row, column] = square[:, column, row]
    for array in arrays:
        array.setflags(write=False)
    return Sums(count, mass, total, square if products else None)


def _filled(values: Float2) -> Float2:
    return np.where(np.isnan(values), 0.0, values)


def _over_chunks(function: Callable[[slice], Out], rows: int, chunks: int) -> Iterator[Out]:
    """What `function` gives of every chunk of rows, in order."""
    edges = [rows * chunk // chunks for chunk in range(chunks + 1)]
    slices = [slice(low, high) for low, high in pairwise(edges)]
    if chunks == 1 or (number := threads()) == 1:
        yield from map(function, slices)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(number) as pool:
        yield from pool.map(function, slices)


def threads() -> int:
    """As many as BLAS may use: ``impact.parallel.one_thread`` and the usual environment variables hold here too."""
    return min((library.num_threads for library in _blas()), default=1)


@cache
def _blas() -> list[Any]:
    from threadpoolctl import ThreadpoolController

    return list(ThreadpoolController().select(user_api="blas").lib_controllers)
