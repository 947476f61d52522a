"""Sums over all pairs of places that lie near each other, streamed: no list of pairs is ever in memory.

Places are sorted into cells of a grid no narrower than the cutoff, so that whoever is near lies in a cell next to it.
Few places are summed by plain numpy over blocks of distances, so that a small study does not wait for a compiler.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

import numpy as np

from impact.arrays import Float2, Float3, Int1, require
from impact.numerics.kernel import kernel

__all__ = ["Decay", "bartlett_lags", "covariance", "later_sums", "later_sums_plain"]

Decay: TypeAlias = Literal["bartlett", "uniform"]

_SMALL: Final = 2_000  # places below which all distances take numpy some 50 ms
_BLOCK: Final = 2**22  # distances in memory at a time
_CELLS: Final = 4  # cells of the grid per place, at most
_SPACE: Final = 3  # a flat map is a layer of it


def covariance(place: Float2, scores: Float3, cutoff: float, decay: Decay, lags: Float2 | None = None) -> Float2:
    """(m, m) covariance of sums of scores that are correlated within `cutoff`: ``Σ_ij K(d_ij) Σ_tu L_tu s_it s_ju'``.

    Parameters
    ----------
    place : (N, 2) or (N, 3) float
        Finite coordinates; distances are straight lines. (Great circles up to a length are chords up to another.)
    scores : (N, T, m) float
        Of every unit and period; ``T = 1`` where periods are summed already.
    cutoff : float
        0: every unit is correlated with itself alone (heteroskedasticity-robust). inf: with all others.
    decay : {"bartlett", "uniform"}
        ``K = 1 - d / cutoff`` below the cutoff, or 1 up to it.
    lags : (T, T) float, optional
        What two periods count together, symmetric; without it periods count with themselves alone.

    Raises
    ------
    ValueError
        Shapes that do not agree, coordinates that are not finite, a cutoff below 0 or another decay.

    Notes
    -----
    Neither decay makes the covariance positive semi-definite in the plane: look at its eigenvalues.

    References
    ----------
    Conley (1999), Journal of Econometrics 92(1), equation 3.14; of space and time, Newey & West (1987), Econometrica
    55(3), over lags.
    """
    require("scores", scores, (len(place), None, None))
    if place.ndim != 2 or place.shape[1] not in (2, 3) or not np.isfinite(place).all():
        raise ValueError("place needs two or three finite coordinates for every unit")
    if decay not in get_args(Decay):
        raise ValueError(f"decay={decay!r} is not one of {', '.join(get_args(Decay))}")
    if not cutoff >= 0:
        raise ValueError(f"cutoff={cutoff} is not 0 or more")
    flat = np.isinf(cutoff)
    if flat:
        scores = scores.sum(axis=0, keepdims=True)
    weighed = scores if lags is None else np.einsum("tu,num->ntm", lags, scores)
    found = np.einsum("ntm,ntk->mk", scores, weighed)
    if cutoff > 0 and not flat and len(place) > 1:
        units, periods, terms = scores.shape
        ordered, later = _later(place, scores.reshape(units, periods * terms), cutoff, decay)
        ordered = ordered.reshape(scores.shape)
        weighed = ordered if lags is None else np.einsum("tu,num->ntm", lags, ordered)
        part = np.einsum("ntm,ntk->mk", weighed, later.reshape(scores.shape))
        found = found + part + part.T
    return np.asarray((found + found.T) / 2)


def bartlett_lags(periods: int, lags: int) -> Float2:
    """(T, T) Newey & West (1987): ``1 - |t - u| / (lags + 1)``, and 0 beyond."""
    apart = np.abs(np.subtract.outer(np.arange(periods), np.arange(periods)))
    return np.asarray(np.maximum(1 - apart / (lags + 1), 0.0))


def _later(place: Float2, values: Float2, cutoff: float, decay: Decay) -> tuple[Float2, Float2]:
    """The values in some order, and for each the weighted sum over those that come later in it and are near."""
    if len(place) < _SMALL:
        return values, later_sums_plain(place, values, cutoff, decay)
    order, start, shape = _grid(place, cutoff)
    return values[order], later_sums(place[order], values[order], start, shape, cutoff, decay)


def later_sums(place: Float2, values: Float2, start: Int1, shape: Int1, cutoff: float, decay: Decay) -> Float2:
    """(N, q) as `later_sums_plain`, of places in the order of the cells of a grid (see `_grid`)."""
    space, out = np.zeros((len(place), _SPACE)), np.zeros(values.shape)
    space[:, : place.shape[1]] = place
    _stream(space, values, start, shape, float(cutoff), decay == "uniform", out=out)
    return out


def later_sums_plain(place: Float2, values: Float2, cutoff: float, decay: Decay) -> Float2:
    """(N, q) for every place the sum over the near ones after it of ``K(distance) values``, from all distances."""
    out = np.zeros(values.shape)
    step = max(1, _BLOCK // len(place))
    for first in range(0, len(place), step):
        rows = np.arange(first, min(first + step, len(place)))
        square = sum((place[rows, None, axis] - place[None, :, axis]) ** 2 for axis in range(place.shape[1]))
        distance = np.sqrt(square)
        near = (distance <= cutoff) & (np.arange(len(place))[None, :] > rows[:, None])
        out[rows] = np.where(near, 1.0 if decay == "uniform" else 1 - distance / cutoff, 0.0) @ values
    return out


def _grid(place: Float2, cutoff: float) -> tuple[Int1, Int1, Int1]:
    """The places in the order of their cells, where each cell starts, and the number of cells along each axis."""
    low = place.min(axis=0)
    reach = place.max(axis=0) - low
    most = max(1, int((_CELLS * len(place)) ** (1 / place.shape[1])))
    side = np.maximum(cutoff * (1 + 1e-9), reach / most)
    shape = np.ones(_SPACE, dtype=np.intp)
    shape[: place.shape[1]] = np.floor(reach / side).astype(np.intp) + 1
    at = np.zeros((len(place), _SPACE), dtype=np.intp)
    at[:, : place.shape[1]] = np.floor((place - low) / side)
    cell = (at[:, 2] * shape[1] + at[:, 1]) * shape[0] + at[:, 0]
    order = np.argsort(cell, kind="stable").astype(np.intp)
    start = np.searchsorted(cell[order], np.arange(int(shape.prod()) + 1)).astype(np.intp)
    return order, start, shape


def _stream_plain(
    place: Float2, values: Float2, start: Int1, shape: Int1, cutoff: float, uniform: bool, out: Float2
) -> None:
    # The order within the grid is that of the pairs, so every pair of near places is counted once either way.
    out[...] = later_sums_plain(place, values, cutoff, "uniform" if uniform else "bartlett")


@kernel(oracle=_stream_plain, fastmath={"reassoc", "contract"})
def _stream(place: Float2, values: Float2, start: Int1, shape: Int1, cutoff: float, uniform: bool, out: Float2) -> None:
    """Every pair once: a place with those after it in its cell, and in the half of the cells around that come later."""
    width = values.shape[1]
    square, per = cutoff * cutoff, 0.0 if uniform else 1.0 / cutoff
    for cell in range(len(start) - 1):
        x, y, z = cell % shape[0], cell // shape[0] % shape[1], cell // (shape[0] * shape[1])
        for row in range(14):
            # (dx, dy, dz) from (0, 0, 0) on, in the order of the cells
            step = row + 13
            dx, dy, dz = step % 3 - 1, step // 3 % 3 - 1, step // 9 - 1
            if not (0 <= x + dx < shape[0] and 0 <= y + dy < shape[1] and z + dz < shape[2]):
                continue
            other = cell + (dz * shape[1] + dy) * shape[0] + dx
            for i in range(start[cell], start[cell + 1]):
                for j in range(i + 1 if row == 0 else start[other], start[other + 1]):
                    a = place[i, 0] - place[j, 0]
                    b = place[i, 1] - place[j, 1]
                    c = place[i, 2] - place[j, 2]
                    apart = a * a + b * b + c * c
                    if apart <= square:
                        weight = 1.0 - per * np.sqrt(apart)
                        for q in range(width):
                            out[i, q] += weight * values[j, q]
