"""Weights of a propensity score: inverse probability, overlap and matching weights, and where the score is cut off."""

from __future__ import annotations

import numpy as np

from impact.arrays import Bool1, Float1
from impact.design.strata import Estimand
from impact.numerics.propensity import expit

__all__ = ["balancing", "best_cut", "within"]

_EDGE = 1e-9  # log odds: who is at the cut but for rounding stays


def balancing(odds: Float1, treated: Bool1, estimand: Estimand) -> Float1:
    """(n,) weights ``h(e) / e`` of the treated and ``h(e) / (1 - e)`` of the controls, in no particular scale.

    ``h`` is whom they stand for (Li, Morgan & Zaslavsky 2018, Journal of the American Statistical Association 113(521),
    table 1): ``e`` (ATT), ``1 - e`` (ATC), 1 (ATE), ``e (1 - e)`` (ATO), ``min(e, 1 - e)`` (ATM: Li & Greene 2013,
    International Journal of Biostatistics 9(2)).

    Parameters
    ----------
    odds : (n,) float
        Log odds of being treated.
    treated : (n,) bool
        The group one is in.
    estimand : {"ATT", "ATC", "ATE", "ATO", "ATM"}
        Whom the weights stand for.
    """
    own = np.where(treated, odds, -odds)  # log odds of the group one is in
    against = expit(-own)  # probability of the other group
    if estimand == "ATO":
        return against
    if estimand == "ATM":
        return np.exp(np.minimum(-own, 0.0))
    if estimand == "ATE":
        return 1.0 + np.exp(-own)
    return np.where(treated == (estimand == "ATT"), 1.0, np.exp(-own))


def within(odds: Float1, cut: float, estimand: Estimand) -> Bool1:
    """(n,) whose score is where both groups are: at most ``1 - cut`` (ATT), at least `cut` (ATC), or both.

    A treated unit whose like are nearly all treated has no controls; one whose like are hardly ever has plenty.
    """
    edge = np.log1p(-cut) - np.log(cut) + _EDGE
    low, high = odds >= -edge, odds <= edge
    return np.asarray(high if estimand == "ATT" else low if estimand == "ATC" else low & high)


def best_cut(odds: Float1, estimand: Estimand) -> float:
    """The cut of `within` that leaves the most precise estimate with equal outcome variances; 0 for none.

    Crump, Hotz, Imbens & Mitnik (2009), Biometrika 96(1), 187-199: over those kept, minimise
    ``Σ h k / (Σ h)²``, with ``h`` = 1, ``e``, ``1 - e`` and ``k`` = ``1 / (e (1 - e))``, ``1 / (1 - e)``, ``1 / e`` for
    the ATE, ATT, ATC. Their condition ``k <= 2 Σ h k / Σ h`` over those kept is the same for many units.
    """
    e, other = expit(odds), expit(-odds)
    if estimand == "ATE":
        h, k, side = np.ones(len(odds)), 1 / (e * other), np.minimum(e, other)
    elif estimand == "ATT":
        h, k, side = e, 1 / other, other
    else:
        h, k, side = other, 1 / e, e
    order = np.argsort(k, kind="stable")
    variance = np.cumsum((h * k)[order]) / np.cumsum(h[order]) ** 2
    # Those of one score stay or go together.
    last = np.r_[np.diff(k[order]) > 0, True]
    best = int(np.argmin(np.where(last, variance, np.inf)))
    return 0.0 if best == len(odds) - 1 else float(side[order[best]])
