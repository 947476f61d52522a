"""Figures for a notebook, of a ``Result`` and of a decomposition: matplotlib, drawn without any global state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from impact.arrays import Int1
from impact.errors import Problem, UsageError
from impact.evidence.svg import COMPARISON, FOCUS, INK, look
from impact.inference.protocol import Uncertainty

if TYPE_CHECKING:
    from impact.estimators.bacon import Decomposition
    from impact.evidence.result import Result

__all__ = ["ResultPlots", "decomposition"]

# Marker and whether it is filled, by kind of comparison: apart in black and white too.
_COMPARISONS = {
    "treated vs untreated": ("o", FOCUS, True),
    "earlier vs later": ("^", FOCUS, False),
    "later vs earlier": ("X", COMPARISON, True),
}


@dataclass(frozen=True, slots=True)
class ResultPlots:
    """The figures of one result; each call draws a new one."""

    result: Result

    def event_study(self) -> Figure:
        """Effects by periods since the start; open markers lie before it.

        A heavy line is the interval of a period by itself; a light one with caps, where the inference gives it, the
        band that holds for all periods at once.

        Raises
        ------
        UsageError
            ``USAGE-008`` when the target is not "event".
        """
        result = self.result
        if result.target.kind != "event":
            raise UsageError(
                Problem("USAGE-008", "an event study needs target='event'", "estimate again with that target")
            )
        rows = [number for number, term in enumerate(result.effects.terms) if term != "mean"]
        known = result.uncertainty if isinstance(result.uncertainty, Uncertainty) else None
        with look():
            figure = Figure(figsize=(6.0, 3.6), layout="constrained")
            axes = figure.add_subplot()
            axes.axhline(0, color=INK, linewidth=1)
            axes.axvline(-0.5, color=INK, linewidth=0.8, linestyle=":")
            events = np.array([int(result.effects.terms[row]) for row in rows])
            if known is not None:
                _intervals(axes, known, events, rows)
            for event, row in zip(events, rows, strict=True):
                face = FOCUS if event >= 0 else "white"
                axes.plot(event, result.effects.estimate[row], marker="o", color=FOCUS, markerfacecolor=face)
            axes.set_xlabel("periods since the start")
            axes.set_ylabel(result.unit or "effect")
            if known is not None and known.band is not None:
                figure.legend(loc="outside upper left", frameon=False, ncols=2)
        return figure

    def gap(self) -> Figure:
        """Observed mean of the treated units beside their imputed untreated mean, by period.

        Raises
        ------
        UsageError
            ``USAGE-008`` when the estimator imputes no surface.
        """
        result = self.result
        if result.fit.untreated is None:
            raise UsageError(Problem("USAGE-008", f"{result.method} imputes no untreated outcome to draw"))
        treated = result.panel.treated
        weight = result.panel.weight[treated] / result.panel.weight[treated].sum()
        untreated = result.fit.untreated[treated]
        # A period counts only where every treated unit has an imputed outcome: a mean over some would be another mean.
        imputed = np.where(np.isfinite(untreated).all(axis=0), weight @ np.nan_to_num(untreated), np.nan)
        with look():
            figure = Figure(figsize=(6.0, 3.6), layout="constrained")
            axes = figure.add_subplot()
            places = np.arange(len(result.panel.periods))
            axes.plot(places, weight @ result.panel.y[treated], color=FOCUS, marker="o", label="treated, observed")
            axes.plot(
                places,
                imputed,
                color=COMPARISON,
                marker="s",
                linestyle="--",
                label="treated, imputed without treatment",
            )
            axes.axvline(result.panel.groups.min() - 0.5, color=INK, linewidth=0.8, linestyle=":")
            axes.set_xticks(places, result.panel.periods, rotation=0 if len(places) < 12 else 90)
            axes.set_ylabel(result.panel.unit or "outcome")
            axes.legend(frameon=False)
        return figure

    def weights(self) -> Figure:
        """The largest unit weights.

        Raises
        ------
        UsageError
            ``USAGE-008`` when the estimator has no weights.
        """
        table = self.result.weights()
        if table.empty:
            raise UsageError(Problem("USAGE-008", f"{self.result.method} has no unit weights to draw"))
        largest = table.groupby("unit")["weight"].mean().sort_values(kind="stable").tail(20)
        with look():
            figure = Figure(figsize=(6.0, 0.6 + 0.22 * len(largest)), layout="constrained")
            axes = figure.add_subplot()
            axes.barh([str(name) for name in largest.index], largest.to_numpy(), color=COMPARISON)
            axes.set_xlabel("weight, mean over the groups")
        return figure


def _intervals(axes: Axes, known: Uncertainty, events: Int1, rows: list[int]) -> None:
    """Intervals of the terms in `rows`, and their band, told apart by width and caps."""
    level = f"{known.level:.0%}"
    if known.band is not None:
        low, high = known.band.low[rows], known.band.high[rows]
        axes.vlines(events, low, high, color=FOCUS, linewidth=0.8, label=f"{level}, all periods together")
        axes.plot(np.r_[events, events], np.r_[low, high], linestyle="", marker="_", markersize=7, color=FOCUS)
    single = f"{level}, each period by itself"
    axes.vlines(events, known.low[rows], known.high[rows], color=FOCUS, linewidth=2.4, label=single)


def decomposition(found: Decomposition) -> Figure:
    """Estimate of every two-by-two comparison over its weight, by kind, beside the coefficient they sum to.

    As Goodman-Bacon (2021), Journal of Econometrics 225(2), draws it. The legend has the total weight of every kind.
    """
    with look():
        figure = Figure(figsize=(6.0, 4.8), layout="constrained")
        axes = figure.add_subplot()
        axes.axhline(0, color=INK, linewidth=0.8, linestyle=":")
        axes.axhline(found.coefficient, color=INK, linewidth=1.2, label=f"coefficient {_short(found.coefficient)}")
        for kind, (mass, mean) in found.by_kind().items():
            marker, color, filled = _COMPARISONS[kind]
            inside = [number for number, one in enumerate(found.kind) if one == kind]
            axes.plot(
                found.weight[inside],
                found.estimate[inside],
                linestyle="",
                marker=marker,
                markersize=7,
                color=color,
                markerfacecolor=color if filled else "white",
                clip_on=False,
                label=f"{kind}: {mass:.0%} of the weight, mean {_short(mean)}",
            )
        axes.set_xlim(left=0)
        axes.set_xlabel("weight")
        axes.set_ylabel(found.unit or "two-by-two estimate")
        figure.legend(loc="outside upper left", frameon=False)
    return figure


def _short(value: float) -> str:
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")
