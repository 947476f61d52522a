"""Figures of a ``Result``, for a notebook: matplotlib figures, drawn without any global state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from impact.errors import Problem, UsageError
from impact.evidence.svg import COMPARISON, FOCUS, INK, look
from impact.inference.protocol import Uncertainty

if TYPE_CHECKING:
    from impact.evidence.result import Result

__all__ = ["ResultPlots"]


@dataclass(frozen=True, slots=True)
class ResultPlots:
    """The figures of one result; each call draws a new one."""

    result: Result

    def event_study(self) -> Figure:
        """Effects by periods since the start with their pointwise intervals; open markers lie before the start.

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
            for row in rows:
                event, value = int(result.effects.terms[row]), result.effects.estimate[row]
                if known is not None and np.isfinite(known.low[row]):
                    axes.vlines(event, known.low[row], known.high[row], color=FOCUS, linewidth=1.6)
                face = FOCUS if event >= 0 else "white"
                axes.plot(event, value, marker="o", color=FOCUS, markerfacecolor=face)
            axes.set_xlabel("periods since the start")
            axes.set_ylabel(result.panel.unit or "effect")
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
