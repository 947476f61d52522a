"""The figure of bounds under departures from parallel trends: intervals by how far these go, and where they reach 0."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from impact.drawing import COMPARISON, FOCUS, INK, look
from impact.errors import Problem, UsageError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["honest_bounds"]

_BOUND = {
    "relative-magnitudes": "departure after the start, as a multiple of the largest one before",
    "smoothness": "largest change of slope from one period to the next",
    "smoothness-relative-magnitudes": "change of slope after the start, as a multiple of the largest one before",
}


def honest_bounds(table: pd.DataFrame, unit: str = "", axes: Axes | None = None) -> Axes:
    """Intervals by bound, the estimate, and the breakdown value where the drawn bounds reach it.

    Parameters
    ----------
    table : DataFrame
        As `impact.honest` or ``Result.honest`` gives it: one restriction.
    unit : str
        Unit of the effect.
    axes : Axes, optional
        To draw in.

    Raises
    ------
    UsageError
        ``USAGE-008`` a table without intervals, or of several restrictions.
    """
    shown = table.dropna(subset=["lower", "upper"]).sort_values("bound")
    if shown.empty or shown["restriction"].nunique() > 1:
        raise UsageError(
            Problem("USAGE-008", "there are no intervals of one restriction to draw", "see the column status")
        )
    bound, estimate = shown["bound"].to_numpy(), float(shown["estimate"].iloc[0])
    breakdown = float(shown["breakdown"].iloc[0])
    with look():
        if axes is None:
            axes = Figure(figsize=(6.0, 3.6), layout="constrained").add_subplot()
        axes.axhline(0, color=INK, linewidth=1)
        axes.axhline(estimate, color=COMPARISON, linewidth=0.8, linestyle=":", label="estimate")
        axes.vlines(bound, shown["lower"], shown["upper"], color=FOCUS, linewidth=3, label="interval")
        for edge in ("lower", "upper"):
            axes.plot(bound, shown[edge], color=FOCUS, linewidth=0.8)
        if 0 < breakdown <= bound.max():
            axes.axvline(breakdown, color=INK, linewidth=0.8, linestyle="--")
            axes.annotate(
                f"breakdown value {breakdown:.2g}",
                (breakdown, 1),
                xycoords=("data", "axes fraction"),
                xytext=(4, -4),
                textcoords="offset points",
                va="top",
            )
        reach = float(np.ptp(bound)) or 1.0
        axes.set_xlim(bound.min() - 0.05 * reach, bound.max() + 0.05 * reach)
        axes.set_xlabel(_BOUND[str(shown["restriction"].iloc[0])])
        axes.set_ylabel(unit or "effect")
        axes.legend(frameon=False, loc="best")
    return axes
