"""Array types, shape guards, read-only arrays and the one way a number is written."""

from __future__ import annotations

from itertools import compress
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Bool1",
    "Bool2",
    "Float1",
    "Float2",
    "Float3",
    "Int1",
    "canonical",
    "frozen",
    "renumbered",
    "require",
    "to_one",
]

Float1: TypeAlias = NDArray[np.float64]
Float2: TypeAlias = NDArray[np.float64]
Float3: TypeAlias = NDArray[np.float64]
Bool1: TypeAlias = NDArray[np.bool_]
Bool2: TypeAlias = NDArray[np.bool_]
Int1: TypeAlias = NDArray[np.intp]


def frozen(values: ArrayLike, dtype: Any = np.float64) -> NDArray[Any]:
    """A C-contiguous, read-only array of `dtype`.

    An array that already is all that is passed through, so freezing costs nothing twice; anything else is copied,
    so that a caller who later writes to his array cannot change ours.
    """
    array = np.asarray(values)
    if array.dtype == np.dtype(dtype) and array.flags.c_contiguous and not array.flags.writeable:
        return array
    copy = np.array(array, dtype=dtype, order="C", copy=True)
    copy.setflags(write=False)
    return copy


def require(name: str, array: NDArray[Any], shape: tuple[int | None, ...]) -> None:
    """Raise ``ValueError`` unless `array` has `shape`; None stands for any length."""
    if array.ndim != len(shape) or not all([want in (None, got) for want, got in zip(shape, array.shape, strict=True)]):
        wanted = tuple("any" if want is None else want for want in shape)
        raise ValueError(f"{name} has shape {array.shape}, expected {wanted}")


def canonical(value: float, digits: int = 12) -> str:
    """The shortest text that gives `value` back at `digits` significant digits; the same on every machine."""
    if value != value:
        return ""
    if value == 0:
        return "0"
    return repr(float(f"{value:.{digits - 1}e}"))


def renumbered(codes: Int1, names: tuple[str, ...]) -> tuple[Int1, tuple[str, ...]]:
    """Renumber `codes` over the names that still occur, in their old order; -1 stays."""
    there = np.bincount(codes + 1, minlength=len(names) + 1)[1:] > 0
    place = np.full(len(names) + 1, -1, dtype=np.intp)
    place[:-1][there] = np.arange(there.sum())
    return place[codes], tuple(compress(names, there.tolist()))


def to_one(rows: Float2) -> Float2:
    """Every row divided by its sum; a row without weight stays 0."""
    total = rows.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(rows, total, out=np.zeros_like(rows), where=total > 0))
