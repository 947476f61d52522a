"""Outcomes without what time-varying covariates explain of them, learned from untreated cells only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impact.arrays import Bool2, Float2, canonical
from impact.errors import Refused
from impact.estimators.protocol import never_treated_controls
from impact.estimators.regression import varying
from impact.numerics.within import least_squares
from impact.panel import Panel

__all__ = ["Projected", "project"]


@dataclass(frozen=True, slots=True, eq=False)
class Projected:
    """A panel and what covariates explain of its outcome.

    Attributes
    ----------
    panel : Panel
        Its outcome is ``y - part``.
    part : (N, T) float
        ``x'β``, in the units of the outcome; 0 for units that serve nowhere.
    notes : tuple of str
        The slopes, and the covariates that explain nothing.
    """

    panel: Panel
    part: Float2
    notes: tuple[str, ...]


def project(panel: Panel, name: str, anticipation: int, learn: Bool2 | None) -> Projected | Refused:
    """Take from the outcome what the covariates that change over time explain of it.

    The slopes are those of a regression with unit and period effects on the untreated cells: controls in all periods,
    treated units before their start less `anticipation`, and of both only what `learn` leaves open. Every unit counts
    once. Units without weight, or that miss the outcome in some period, take no part.

    Parameters
    ----------
    panel : Panel
        Prepared by the target.
    name : str
        Of the estimator, for what is said.
    anticipation : int
        Periods before the start that are not learned from.
    learn : (N, T) bool, optional
        Cells that are open to learn from.

    Returns
    -------
    Projected or Refused
        Refused where a covariate is missing, or the untreated cells do not determine its slope.

    References
    ----------
    Kranz (2022), Synthetic Difference-in-Differences with Time-Varying Covariates, section 2.3; Clarke, Pailañir, Athey
    & Imbens (2023), IZA DP 15907, who call it "projected".
    """
    serving = (panel.treated | never_treated_controls(panel)) & (panel.weight > 0)
    serving &= ~np.isnan(panel.y).any(axis=1)
    used = np.broadcast_to(serving[:, None], panel.y.shape)
    found = varying(panel, used, name)
    if isinstance(found, Refused):
        return found
    names, values, notes = found
    if not names:
        return Projected(panel, np.zeros(panel.y.shape), notes)
    untreated = used & (np.arange(len(panel.periods)) < panel.first[:, None] - anticipation)
    if learn is not None:
        untreated = untreated & learn
    slopes = least_squares(panel.y, np.ones(len(panel.y)), untreated, values).coefficient
    loose = [label for label, slope in zip(names, slopes, strict=True) if not np.isfinite(slope)]
    if loose:
        return Refused(
            f"an estimate by {name}",
            f"the untreated cells do not determine the slope of {', '.join(loose)} beside unit and period effects",
            "Leave these covariates out.",
        )
    part = np.where(used, np.tensordot(slopes, np.where(used, values, 0.0), axes=1), 0.0)
    said = ", ".join(f"{canonical(slope, 4)} for {label}" for label, slope in zip(names, slopes, strict=True))
    adjusted = f"the outcome is adjusted for covariates; slopes from the untreated cells: {said}"
    return Projected(panel.with_outcome(panel.y - part), part, (adjusted, *notes))
