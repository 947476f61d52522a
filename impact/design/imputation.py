"""Missing characteristics drawn several times from what the others say of them, under a joint normal model.

Data augmentation (Tanner & Wong 1987; Schafer 1997, Analysis of Incomplete Multivariate Data, section 5.4): gaps are
drawn given the parameters, and the parameters given the completed table, in turn, under Jeffreys's prior. What is
missing may depend on what is known, and on nothing else (missing at random).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from impact.arrays import Bool2, Float1, Float2, Float3, require
from impact.errors import Refused
from impact.longtable import few
from impact.streams import Streams

__all__ = ["imputed"]

_FIRST, _BETWEEN = 100, 25  # rounds before the first table that is kept, and from one to the next
_FLAT = 1e-10


def imputed(x: Float2, names: Sequence[str], draws: int, streams: Streams) -> Float3 | Refused:
    """(draws, n, p) completed tables: what was known stays, gaps are drawn.

    Parameters
    ----------
    x : (n, p) float
        nan where a value is missing.
    names : (p,) str
        Of the characteristics, for refusals.
    draws : int
        Number of completed tables.
    streams : Streams
        The draws are those of its path.

    Returns
    -------
    (draws, n, p) float, or Refused
        A refusal names characteristics that are nowhere known or do not vary, and says when one follows from others or
        there are too few units for so many.
    """
    require("x", x, (None, len(names)))
    gaps: Bool2 = np.isnan(x)
    flat = [name for name, column in zip(names, x.T, strict=True) if _flat(column[np.isfinite(column)])]
    what = "the completion of missing characteristics"
    if flat:
        return Refused(what, f"{few(flat)} does not vary among the units of which it is known", "Leave it out.")
    count, width = x.shape
    if count < width + 3:
        return Refused(what, f"{count} units are too few for {width} characteristics", "Ask for fewer.")
    middle, scale = np.nanmean(x, axis=0), np.nanstd(x, axis=0)
    table = np.where(gaps, 0.0, (x - middle) / scale)
    rng = streams.generator()
    patterns, which = np.unique(gaps, axis=0, return_inverse=True)
    which = which.reshape(-1)
    kept = []
    for step in range(_FIRST + _BETWEEN * (draws - 1)):
        drawn = _parameters(table, rng)
        if drawn is None:
            return Refused(what, f"among {few(list(names))} one characteristic follows from others", "Leave one out.")
        for number, missing in enumerate(patterns):
            if missing.any():
                rows = np.flatnonzero(which == number)
                table[np.ix_(rows, np.flatnonzero(missing))] = _gaps(table[rows], missing, *drawn, rng)
        if step >= _FIRST - 1 and (step - _FIRST + 1) % _BETWEEN == 0:
            kept.append(np.where(gaps, middle + scale * table, x))
    return np.array(kept)


def _flat(known: Float1) -> bool:
    return not len(known) or bool(np.ptp(known) <= _FLAT * np.abs(known).max())


def _parameters(table: Float2, rng: np.random.Generator) -> tuple[Float1, Float2] | None:
    """Mean and covariance given a complete table; None where that is singular."""
    count, width = table.shape
    mean = table.mean(axis=0)
    centred = table - mean
    products = centred.T @ centred
    if np.linalg.eigvalsh(products / count)[0] < _FLAT:
        return None
    # Bartlett: the inverse covariance is Wishart with count - 1 degrees of freedom.
    root = np.linalg.cholesky(np.linalg.inv(products))
    lower = np.tril(rng.standard_normal((width, width)), -1)
    lower[np.diag_indices(width)] = np.sqrt(rng.chisquare(count - 1 - np.arange(width)))
    half = np.linalg.inv(root @ lower)  # covariance = half' half
    covariance = half.T @ half
    return mean + half.T @ rng.standard_normal(width) / np.sqrt(count), covariance


def _gaps(rows: Float2, missing: np.ndarray, mean: Float1, covariance: Float2, rng: np.random.Generator) -> Float2:
    """(m, q) the missing values of rows with one pattern, given what is known of them."""
    known = ~missing
    left = covariance[np.ix_(missing, missing)]
    centre = np.broadcast_to(mean[missing], (len(rows), int(missing.sum())))
    if known.any():
        slope = np.linalg.solve(covariance[np.ix_(known, known)], covariance[np.ix_(known, missing)])
        centre = centre + (rows[:, known] - mean[known]) @ slope
        left = left - covariance[np.ix_(missing, known)] @ slope
    root = np.linalg.cholesky((left + left.T) / 2)
    return np.asarray(centre + rng.standard_normal(centre.shape) @ root.T)
