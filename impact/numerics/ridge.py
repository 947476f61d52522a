"""Ridge regression written as weights: what a regression of later outcomes on earlier ones adds to a mean of donors."""

from __future__ import annotations

from typing import Final

import numpy as np

from impact.arrays import Float1, Float2, Float3

__all__ = ["correction", "penalties"]

_STEPS: Final = 20
_LEAST: Final = 1e-8  # smallest penalty as a share of the largest


def penalties(rows: Float2) -> Float1:
    """(21,) penalties from the largest squared singular value of `rows` (k, J) down to 1e-8 of it, evenly in logs.

    The grid of the R package augsynth 0.2.0. All zero where the donors do not differ.
    """
    largest = max(float(np.linalg.eigvalsh(rows @ rows.T)[-1]), 0.0)
    return np.asarray(largest * _LEAST ** (np.arange(_STEPS + 1) / _STEPS))


def correction(rows: Float2, miss: Float2, lams: Float2) -> Float3:
    """How much a ridge regression counts each row, for many misfits on one set of donors: ``(A A' + λ I)⁻¹ miss``.

    The weights that it adds are these times `rows`; what donors with `values` (J, c) then add up to is these times
    ``rows @ values``, without the weights. The cost grows with the number of donors, and no matrix of donors by donors
    is made.

    Parameters
    ----------
    rows : (k, J) float
        A: what is balanced, one column a donor, each row centred over the donors; the weights then sum to 0.
    miss : (S, k) float
        What the weights so far leave unbalanced.
    lams : (S, L) or (1, L) float
        Penalties, 0 or more, in squared units of `rows`. A direction in which the donors do not differ adds nothing.

    Returns
    -------
    (S, L, k) float

    References
    ----------
    Ben-Michael, Feller & Rothstein (2021), JASA 116(536), Lemma 1.
    """
    values, vectors = np.linalg.eigh(rows @ rows.T)
    values = np.maximum(values, 0.0)
    known = values > len(values) * np.finfo(np.float64).eps * values[-1]
    shrunk = (miss @ vectors)[:, None, known] / (values[known] + lams[:, :, None])
    return np.asarray(shrunk @ vectors[:, known].T)
