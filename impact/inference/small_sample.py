"""Small-sample factors of the clustered variance of a regression; two conventions are in use, so the one is named."""

from __future__ import annotations

from typing import Literal, get_args

from impact.cells import Regression
from impact.errors import Refused

__all__ = ["Convention", "small_sample"]

Convention = Literal["none", "fixest", "linearmodels"]


def small_sample(regression: Regression, clusters: int, convention: Convention) -> float | Refused:
    """What the sum of squared scores is multiplied by.

    Unit effects are nested in the clusters. With `n` observations, `K` free coefficients (those of the periods among
    them), `N` unit effects and `G` clusters:

    ``none``
        1.
    ``fixest``
        ``G / (G - 1) (n - 1) / (n - K - 1)``: nested effects are not counted, and without them the constant is. The
        default of R ``fixest`` 0.14, ``ssc(K.adj = TRUE, K.fixef = "nonnested", G.adj = TRUE)``.
    ``linearmodels``
        ``n / (n - K - N)``: with two kinds of effects all are counted, nested or not, and the number of clusters is
        not. The default of ``PanelOLS(...).fit(cov_type="clustered")`` in linearmodels 7.1.

    Over `T` periods the two errors differ by about a factor ``sqrt(T / (T - 1))``.

    Parameters
    ----------
    regression : Regression
        Sizes, as in ``Fit.regression``.
    clusters : int
        Clusters with an observation in the regression.
    convention : {"none", "fixest", "linearmodels"}
        See above.

    Returns
    -------
    float or Refused
        Refused when no degree of freedom is left.

    Raises
    ------
    ValueError
        Another convention.
    """
    if convention not in get_args(Convention):
        raise ValueError(f"small_sample={convention!r} is not one of {', '.join(get_args(Convention))}")
    if convention == "none":
        return 1.0
    counted = regression.coefficients + (1 if convention == "fixest" else regression.nested)
    left = regression.observations - counted
    if left <= 0 or (convention == "fixest" and clusters < 2):
        return Refused(
            f"a small-sample factor after {convention}",
            f"{regression.observations} observations in {clusters} clusters leave none beside {counted} coefficients",
            "Use small_sample='none', or add units or periods.",
        )
    if convention == "linearmodels":
        return regression.observations / left
    return clusters / (clusters - 1) * (regression.observations - 1) / left
