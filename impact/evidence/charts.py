"""Figures for a notebook, of a ``Result`` and of a decomposition: matplotlib, drawn without any global state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from impact.arrays import Float1, Float2
from impact.cells import Cells
from impact.drawing import COMPARISON, FOCUS, INK, look
from impact.errors import Problem, Refused, UsageError
from impact.estimators.diagnostics import piece_names
from impact.evidence import charts_synthetic as drawn
from impact.evidence.courses import Course, course, each_area
from impact.evidence.marks import dot, interval_lines, interval_marks
from impact.inference.placebo_statistics import least, measure, ratio
from impact.inference.protocol import Uncertainty
from impact.longtable import few

if TYPE_CHECKING:
    from impact.estimators.bacon import Decomposition
    from impact.evidence.result import Result
    from impact.inference.placebo import Placebos

__all__ = ["ResultPlots", "decomposition"]

# Marker and whether it is filled, by kind of comparison: apart in black and white too.
_COMPARISONS = {
    "treated vs untreated": ("o", FOCUS, True),
    "earlier vs later": ("^", FOCUS, False),
    "later vs earlier": ("X", COMPARISON, True),
}


@dataclass(frozen=True, slots=True)
class ResultPlots:
    """The figures of one result. Each call draws a new one and returns its `Axes` (whose ``figure`` it is), or draws
    in the `axes` given to it.

    A group is what the target groups by: a cohort, named by its first treated period, or an area. `of` names a group or
    an area; without it a figure is about all treated units, weighted as the target weights them.
    """

    result: Result

    def event_study(self) -> Axes:
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
                _intervals(axes, known, events.astype(float), rows)
            for event, row in zip(events, rows, strict=True):
                dot(axes, event, float(result.effects.estimate[row]), FOCUS, filled=bool(event >= 0))
            axes.set_xlabel("periods since the start")
            axes.set_ylabel(result.unit or "effect")
            if known is not None and known.band is not None:
                level = f"{known.level:.0%}"
                marks = interval_marks(f"{level}, each period by itself", f"{level}, all periods together")
                figure.legend(handles=marks, loc="outside upper left", frameon=False, ncols=2)
        return axes

    def path(self, of: str | None = None, axes: Axes | None = None) -> Axes:
        """Observed outcome of the treated, and the imputed outcome without treatment, by period.

        Raises
        ------
        UsageError
            ``USAGE-008`` when the estimator imputes no surface, or nothing for `of`, or there is no such name.
        """
        imputed = "synthetic" if self.result.fit.compared else "imputed"
        return drawn.path(self._course(of), self.result.panel.periods, self.result.panel.unit, imputed, axes)

    def gap(self, of: str | None = None, axes: Axes | None = None) -> Axes:
        """Observed less imputed outcome, by period: how well the comparison follows before the start, effects after.

        Raises
        ------
        UsageError
            As `path`.
        """
        return drawn.gap(self._course(of), self.result.panel.periods, self.result.panel.unit, axes)

    def areas(self, columns: int = 4) -> list[Axes]:
        """The gap of every treated area in a panel of its own, all on one scale.

        Raises
        ------
        UsageError
            As `path`.
        """
        found, missing = each_area(self.result.panel, self._surface())
        if not found:
            raise UsageError(Problem("USAGE-008", "no untreated outcome was imputed for any area", "see the notes"))
        return drawn.areas(found, missing, self.result.panel.periods, self.result.panel.unit, columns)

    def weights(self, of: str | None = None, axes: Axes | None = None) -> Axes:
        """The largest donor weights, and what all others come to.

        Those of the group or area `of`; without it the mean over the treated, weighted as the target weights them.

        Raises
        ------
        UsageError
            ``USAGE-008`` when the estimator has no weights, or none for `of`.
        """
        fit, panel = self.result.fit, self.result.panel
        if fit.weights is None:
            raise UsageError(Problem("USAGE-008", f"{self.result.method} has no unit weights to draw"))
        names, unit = fit.weights.groups, fit.weights.unit
        if of is None:
            numbers = [panel.group_names.index(name) for name in names]
            mass = np.bincount(panel.group[panel.group >= 0], weights=panel.weight[panel.group >= 0])[numbers]
            several = f"mean over {len(names)} {'areas' if panel.grouped == 'area' else 'cohorts'}"
            said = several if len(names) > 1 else f"weights for {self._called(numbers[0])}"
            return drawn.weights(fit.weights.units, mass / mass.sum() @ unit, said, axes=axes)
        if of not in names and fit.pieces is not None:
            names, unit = piece_names(panel, fit), fit.pieces.unit
        if of not in names:
            known = few([*dict.fromkeys([*fit.weights.groups, *names])], 20)
            raise UsageError(Problem("USAGE-008", f"there are no weights for {of!r}", f"there are for: {known}"))
        return drawn.weights(fit.weights.units, unit[names.index(of)], f"weights for {of}", axes=axes)

    def placebos(
        self, placebos: Placebos, of: str | None = None, *, within: float | None = None, axes: Axes | None = None
    ) -> Axes:
        """Gaps of the placebos by period, with those of the treated in front.

        Parameters
        ----------
        placebos : Placebos
            As ``PlaceboSpace().placebos`` gives it for the same estimate.
        of : str, optional
            The group; needed where there are several, since these start at different times.
        within : float, optional
            Leave out placebos whose RMSPE before the start is over so many times that of the treated (Abadie, Diamond &
            Hainmueller 2010, figures 5 to 7). The figure says how many.
        axes : Axes, optional
            To draw in.

        Raises
        ------
        UsageError
            ``USAGE-008``: placebos of another estimate, no `of` where it is needed or none of that name, or `within`
            without gaps before the start.
        """
        panel, cells = self.result.panel, self._same(placebos)
        names = [panel.group_names[group] for group in np.unique(cells.group)]
        if of is None and len(names) > 1:
            raise UsageError(
                Problem("USAGE-008", "there are several groups, each with placebos of its own", few(names))
            )
        if of is not None and of not in names:
            raise UsageError(Problem("USAGE-008", f"{of!r} is no group", f"these are: {few(names, 20)}"))
        name = names[0] if of is None else of
        own = np.flatnonzero(cells.group == panel.group_names.index(name))
        periods = cells.period[own]
        gaps = np.full((len(placebos.kept) + 1, len(panel.periods)), np.nan)
        gaps[:, periods] = np.vstack([cells.effect[own], placebos.effect[np.ix_(placebos.kept, own)]])
        called = self._called(int(cells.group[own[0]]))
        one = Course(called, gaps[0], np.zeros(gaps.shape[1]), (int(cells.cohort[own[0]]),), 1)
        if within is not None and one.rmspe() is None:
            raise UsageError(Problem("USAGE-008", "within= needs gaps before the start, and there are none"))
        failed = len(placebos.sets) + placebos.missing - len(placebos.kept)
        return drawn.placebos(one, gaps[1:], panel.periods, self.result.unit, failed=failed, within=within, axes=axes)

    def ranking(self, placebos: Placebos, term: str | None = None, *, most: int = 25, axes: Axes | None = None) -> Axes:
        """RMSPE after the start over that before it: the treated among the placebos with the highest ratios.

        The ratios, and so the rank, are those of ``placebo-space`` with ``statistic="rmspe-ratio"``: its p-value is the
        rank over the number of sets and one. A nearly perfect fit before the start counts as there.

        Parameters
        ----------
        placebos : Placebos
            As ``PlaceboSpace().placebos`` gives it for the same estimate.
        term : str, optional
            Of the target; needed where it has several.
        most : int
            Placebos to draw.
        axes : Axes, optional
            To draw in.

        Raises
        ------
        UsageError
            ``USAGE-008``: placebos of another estimate, no `term` where it is needed, none of that name, or no gaps
            before the start.
        """
        result, cells, terms = self.result, self._same(placebos), placebos.terms
        if term is None and len(terms) > 1:
            raise UsageError(Problem("USAGE-008", "every term has ratios of its own", f"name one: {few(list(terms))}"))
        if term is not None and term not in terms:
            raise UsageError(Problem("USAGE-008", f"{term!r} is no term", f"these are: {few(list(terms), 20)}"))
        column = 0 if term is None else terms.index(term)
        kept = placebos.kept
        theirs = placebos.measured.each(lambda part: part[kept])
        floor = least(theirs, result.panel.y)
        ours = measure(result.target, cells, cells.effect[None], cells.size[None], result.panel)
        own = ours if isinstance(ours, Refused) else ratio(ours, floor)
        others = ratio(theirs, floor)
        if isinstance(own, Refused) or isinstance(others, Refused):
            raise UsageError(Problem("USAGE-008", "there is no gap before the start, so no ratio"))
        name = terms[column] if result.target.kind == "unit" else "the treated"
        return drawn.ranking(
            result.panel.areas[0] if len(result.panel.areas) == 1 else name,
            float(own[0, column]),
            [_set(placebos.sets[row]) for row in kept],
            others[:, column],
            most=most,
            failed=len(placebos.sets) + placebos.missing - len(kept),
            perfect=0 if theirs.before is None else int((theirs.before[:, column] <= floor[column]).sum()),
            axes=axes,
        )

    def _called(self, group: int) -> str:
        """A group by the name of its area where it has one, and otherwise by how many it has and its start."""
        panel = self.result.panel
        areas = np.unique(panel.area[(panel.group == group) & (panel.weight > 0)])
        return panel.areas[areas[0]] if len(areas) == 1 else f"{len(areas)} areas from {panel.group_names[group]}"

    def _surface(self) -> Float2:
        untreated = self.result.fit.untreated
        if untreated is None:
            raise UsageError(Problem("USAGE-008", f"{self.result.method} imputes no untreated outcome to draw"))
        return untreated

    def _course(self, of: str | None) -> Course:
        return course(self.result.panel, self._surface(), of)

    def _same(self, placebos: Placebos) -> Cells:
        """The cells of this result, when those are what the placebos stand beside."""
        cells, other = self.result.fit.cells, placebos.cells
        if len(cells.effect) != len(other.effect) or not np.allclose(cells.effect, other.effect):
            raise UsageError(
                Problem("USAGE-008", "these are placebos of another estimate", "make them with this panel")
            )
        return cells


def _set(names: tuple[str, ...]) -> str:
    return ", ".join(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} more"


def _intervals(axes: Axes, known: Uncertainty, events: Float1, rows: list[int]) -> None:
    """Intervals of the terms in `rows`, and their band where there is one."""
    if known.band is not None:
        interval_lines(axes, events, known.band.low[rows], known.band.high[rows], together=True)
    interval_lines(axes, events, known.low[rows], known.high[rows])


def decomposition(found: Decomposition) -> Figure:
    """Estimate of every two-by-two comparison over its weight, by kind, beside the coefficient they sum to.

    As Goodman-Bacon (2021), Journal of Econometrics 225(2), draws it. The legend has the total weight of every kind.
    """
    with look():
        figure = Figure(figsize=(6.0, 4.8), layout="constrained")
        axes = figure.add_subplot()
        axes.axhline(0, color=INK, linewidth=0.8, linestyle=":")
        axes.axhline(found.coefficient, color=INK, linewidth=1.2, label=f"coefficient {drawn.short(found.coefficient)}")
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
                label=f"{kind}: {mass:.0%} of the weight, mean {drawn.short(mean)}",
            )
        axes.set_xlim(left=0)
        axes.set_xlabel("weight")
        axes.set_ylabel(found.unit or "two-by-two estimate")
        figure.legend(loc="outside upper left", frameon=False)
    return figure
