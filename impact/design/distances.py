"""How far apart two units are: covariates put on axes on which the distance is Euclidean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from impact.arrays import Float1, Float2
from impact.errors import Refused

__all__ = ["METRICS", "Metric", "embedded", "pooled_sd"]

Metric = Literal["mahalanobis", "robust-mahalanobis", "scaled-euclidean"]

METRICS: tuple[Metric, ...] = get_args(Metric)

_FLAT = 1e-10  # a correlation matrix with a smaller eigenvalue is singular for our purpose


def pooled_sd(here: Float2, there: Float2) -> Float1:
    """(p,) standard deviations within the treated (A, p) and within the controls (N, p), pooled.

    The difference between the two groups does not stretch this yardstick. With few treated units it is in effect the
    spread among the controls. It takes three units at least.
    """
    return np.asarray(np.sqrt((_away(here, there) ** 2).sum(axis=0) / (len(here) + len(there) - 2)))


def embedded(
    here: Float2, there: Float2, names: Sequence[str], metric: Metric, redundant: Sequence[int] = ()
) -> tuple[Float2, Float2] | Refused:
    """Treated and controls as points whose Euclidean distance is the one asked for.

    =====================  ============================================================================================
    ``mahalanobis``        by the covariance pooled within both groups (Rubin 1980, Biometrics 36, 293-298)
    ``robust-mahalanobis`` of ranks over all units, by their covariance with the variances of ranks without ties, so
                           that neither an outlier nor a rare category dominates (Rosenbaum 2010, Design of
                           Observational Studies, section 8.3; he reports the square)
    ``scaled-euclidean``   by the pooled standard deviations, correlations left as they are
    =====================  ============================================================================================

    Parameters
    ----------
    here, there : (A, p), (N, p) float
        Treated and controls, no value missing.
    names : (p,) str
        Of the covariates, for refusals.
    metric : str
        See above.
    redundant : sequence of int
        Columns known to follow from others: the first levels of categories. Mahalanobis distances do not depend on
        which level is left out; the others take every level.

    Returns
    -------
    pair of (A, q) and (N, q) float, or Refused
        Refused when a covariate does not vary, or one follows from the others and the metric cannot have that.
    """
    if len(here) + len(there) < 3:
        return Refused(
            "the matching",
            "one treated unit and one control show no spread to measure a distance by",
            "Bring data on more units.",
        )
    scale, size = pooled_sd(here, there), np.abs(there).max(axis=0)
    flat = [name for name, sd, most in zip(names, scale, size, strict=True) if sd <= _FLAT * most]
    if flat:
        return Refused(
            "the matching", f"{', '.join(flat)} does not vary within the treated and the controls", "Leave it out."
        )
    middle = there.mean(axis=0)
    a, b = (here - middle) / scale, (there - middle) / scale
    if metric == "scaled-euclidean":
        return a, b
    if metric == "robust-mahalanobis":
        return _of_ranks(a, b, names, len(redundant))
    kept = [column for column in range(len(names)) if column not in set(redundant)]
    a, b = a[:, kept], b[:, kept]
    away = _away(a, b)
    correlation = away.T @ away / (len(a) + len(b) - 2)
    if np.linalg.eigvalsh(correlation)[0] < _FLAT:
        return _dependent(names, len(a) + len(b))
    from scipy.linalg import solve_triangular

    root = np.linalg.cholesky(correlation)
    return solve_triangular(root, a.T, lower=True).T, solve_triangular(root, b.T, lower=True).T


def _of_ranks(a: Float2, b: Float2, names: Sequence[str], redundant: int) -> tuple[Float2, Float2] | Refused:
    """Ranks on the axes of their correlations; an axis without any spread comes of a category and is left out."""
    from scipy.stats import rankdata

    ranks = rankdata(np.vstack([a, b]), axis=0)
    count = len(ranks)
    values, axes = np.linalg.eigh(np.atleast_2d(np.corrcoef(ranks, rowvar=False)))
    if (values < _FLAT).sum() > redundant:
        return _dependent(names, count)
    spread = values >= _FLAT
    untied = count * (count + 1) / 12  # variance of the ranks 1 to n
    points = (ranks - (count + 1) / 2) @ axes[:, spread] / np.sqrt(values[spread] * untied)
    return points[: len(a)], points[len(a) :]


def _away(here: Float2, there: Float2) -> Float2:
    return np.vstack([here - here.mean(axis=0), there - there.mean(axis=0)])


def _dependent(names: Sequence[str], units: int) -> Refused:
    return Refused(
        "the matching",
        f"among {', '.join(names)} one characteristic follows from the others, or there are too few units ({units}) "
        "for so many",
        "Leave one out, or use the distance scaled-euclidean.",
    )
