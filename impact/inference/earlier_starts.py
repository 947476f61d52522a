"""What an estimator finds when the programme is pretended to have started earlier, in periods before it did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from impact.arrays import Bool2, Float1, Float2, Int1
from impact.cells import Cells
from impact.errors import Refused
from impact.estimators.protocol import Estimator
from impact.inference.placebo_statistics import Measured, measure
from impact.inference.protocol import Found, evaluate
from impact.panel import Panel
from impact.parallel import Parallel
from impact.plotted import Plotted
from impact.sample import Sample
from impact.targets import Target

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EarlierStarts", "earlier_starts"]

_WHAT = "a placebo in time"


@dataclass(frozen=True, slots=True, eq=False)
class EarlierStarts(Plotted):
    """What an estimator finds when it is told that the programme started earlier than it did.

    Attributes
    ----------
    terms : tuple of str
        `m` terms of the target.
    back : tuple of int
        Periods by which every start is moved back; `n` of them.
    cells : tuple of Cells or Refused
        For every `back`, gaps before the pretended start and effects between it and the real one, none later. Cohort
        and period are moved to where they would be after the real start, so that one target reads all of them.
    measured : Measured
        (n, m); nan where the pretended start has no such term.
    whole : (n, m) bool
        Whether the term rests on the same periods since the start as the real estimate; else on the first of them.
    panel : Panel
        The prepared panel of the real estimate.
    anticipation : int
        Last periods before the real start, which are not used.
    """

    terms: tuple[str, ...]
    back: tuple[int, ...]
    cells: tuple[Cells | Refused, ...]
    measured: Measured
    whole: Bool2
    panel: Panel
    anticipation: int

    @property
    def refused(self) -> tuple[str, ...]:
        """The pretended starts without an estimate, and why."""
        pairs = zip(self.back, self.cells, strict=True)
        return tuple(f"{back} periods earlier: {cells}" for back, cells in pairs if isinstance(cells, Refused))

    @property
    def failed(self) -> int:
        """How many have no estimate though there is one for both an earlier and a later start.

        Those at either end are out of reach: too little is left to learn from, or to judge.
        """
        given = [back for back, cells in zip(self.back, self.cells, strict=True) if not isinstance(cells, Refused)]
        if not given:
            return 0
        return sum(min(given) < back < max(given) for back in self.back) - len(given) + len({min(given), max(given)})

    def summary(self) -> str:
        """The largest estimate of a start that never was, for every term, and what has none."""
        found = np.abs(self.measured.estimate)
        lines = [f"as if it had started {', '.join(map(str, self.back))} periods earlier"]
        for number, term in enumerate(self.terms):
            values = found[np.isfinite(found[:, number]), number]
            largest = f"at most {values.max():.4g} away from 0" if len(values) else "no estimate"
            lines.append(f"  {term}: {largest}")
        return "\n".join([*lines, *self.refused])

    def table(self) -> pd.DataFrame:
        """One row a pretended start and term: ``back, term, estimate, before, after, whole``.

        `before` and `after` are root mean squares of the gaps before and after the pretended start.
        """
        import pandas as pd

        shape = self.whole.shape
        before = self.measured.before
        return pd.DataFrame(
            {
                "back": np.repeat(self.back, shape[1]),
                "term": np.tile(self.terms, shape[0]),
                "estimate": self.measured.estimate.ravel(),
                "before": np.full(shape, np.nan).ravel() if before is None else before.ravel(),
                "after": self.measured.after.ravel(),
                "whole": self.whole.ravel(),
            }
        )

    def gaps(self) -> pd.DataFrame:
        """One row a pretended start, group and period: ``back, group, start, period, gap, pretended``.

        `start` and `period` are those in which it was pretended to start, and in which the gap was seen; `pretended`
        says whether the period lies after that start.
        """
        import pandas as pd

        names, periods = self.panel.group_names, self.panel.periods
        rows = [
            (
                back,
                names[group],
                periods[int(cohort) - back - self.anticipation],
                periods[int(period) - back - self.anticipation],
                gap,
                bool(after),
            )
            for back, cells in zip(self.back, self.cells, strict=True)
            if not isinstance(cells, Refused)
            for group, cohort, period, gap, after in zip(
                cells.group, cells.cohort, cells.period, cells.effect.tolist(), cells.post, strict=True
            )
        ]
        return pd.DataFrame(rows, columns=["back", "group", "start", "period", "gap", "pretended"])


def earlier_starts(
    estimator: Estimator,
    panel: Panel,
    target: Target,
    *,
    back: Sequence[int] | None = None,
    parallel: Parallel | None = None,
    full: Found | None = None,
) -> EarlierStarts | Refused:
    """Estimates for pretended starts, each learned from before it and judged in the periods up to the real one.

    No outcome from the real start of a group on is used, of nobody: every cohort is fitted by itself on the periods
    before its start (less the anticipation of the estimator), without those who had started earlier; those who start
    later serve where the estimator lets them. Matched controls are kept: where they were matched on the periods that
    are judged here, the placebo is too favourable.

    Parameters
    ----------
    estimator : Estimator
        Any.
    panel : Panel
        The unprepared one.
    target : Target
        What is asked of the cells.
    back : sequence of int, optional
        Periods by which all starts are moved back; all that leave every cohort the periods that the estimator asks
        for, by default.
    parallel : Parallel, optional
        In this process by default.
    full : Found, optional
        The real estimate, where it is known.

    Returns
    -------
    EarlierStarts or Refused

    Raises
    ------
    ValueError
        `back` has a number below 1, or one twice.

    References
    ----------
    Abadie, Diamond & Hainmueller (2015), American Journal of Political Science 59(2), section on placebo tests in time.
    """
    if back is not None and (min(back, default=1) < 1 or len(set(back)) < len(back)):
        raise ValueError("back holds numbers of periods, each 1 or more and once")
    if isinstance(panel, Sample):
        return Refused(_WHAT, "units that are seen once have no earlier start", "Use a panel.")
    found = full or evaluate(estimator, panel, target)
    if isinstance(found, Refused):
        return found
    anticipation = int(getattr(estimator, "anticipation", 0))
    starts = np.unique(found.panel.groups[np.unique(found.fit.cells.group)]).astype(int)
    most = int(starts.min()) - 2 * anticipation - max(estimator.asks.min_pre, 1)
    steps = tuple(range(1, most + 1)) if back is None else tuple(back)
    if most < 1:
        return Refused(
            _WHAT,
            f"the first group starts {int(starts.min())} periods after the first, and nothing is left to learn from "
            "before an earlier start",
            "Add earlier periods, or lower the anticipation.",
        )
    tasks = [(step, int(start)) for step in steps for start in starts]
    made = (parallel or Parallel()).map(partial(_pretended, estimator, found.panel, anticipation), tasks)
    cells: list[Cells | Refused] = [
        _together(made[place : place + len(starts)]) for place in range(0, len(tasks), len(starts))
    ]
    estimate, after, before, whole = np.array([_terms(target, found, one) for one in cells]).transpose(1, 0, 2)
    return EarlierStarts(
        found.effects.terms,
        steps,
        tuple(cells),
        Measured(estimate, after, None if np.isnan(before).all() else before),
        whole > 0,
        found.panel,
        anticipation,
    )


def _pretended(estimator: Estimator, real: Panel, anticipation: int, task: tuple[int, int]) -> Cells | Refused:
    """Cells of the groups that start at one time, as if they had started earlier, moved to the real time.

    The panel is the prepared one, so that everybody keeps the weight he has in the real estimate.
    """
    back, start = task
    end, shift = start - anticipation, back + anticipation
    if end - back < 1:
        return Refused("an earlier start", f"{real.periods[start]} is {start} periods after the first period")
    cut = real.drop(np.flatnonzero(real.first < start)).until(end)
    first = np.where(cut.first == start, float(end - back), cut.first)
    pretend = replace(cut.assign(first, cut.area, cut.areas), pairs=cut.pairs)
    pretend = pretend.by_area() if real.grouped == "area" else pretend
    fit = estimator.fit(pretend)
    if isinstance(fit, Refused):
        return fit
    cells = fit.cells
    # Not beyond the real horizon: of a start far back only as many periods count as there are after the real one.
    keep = cells.period + shift < len(real.periods)
    return Cells(
        cells.effect[keep],
        _groups(real, pretend, start)[cells.group[keep]],
        cells.cohort[keep] + shift,
        cells.period[keep] + shift,
        cells.size[keep],
    )


def _groups(real: Panel, pretend: Panel, start: int) -> Int1:
    """(K,) the group of the real panel that every group of the other is."""
    if pretend.grouped == "area":
        return np.array([real.group_names.index(name) for name in pretend.group_names], dtype=np.intp)
    return np.full(len(pretend.groups), int(np.flatnonzero(real.groups == start)[0]), dtype=np.intp)


def _together(parts: Sequence[Cells | Refused]) -> Cells | Refused:
    """The cells of all cohorts."""
    for part in parts:
        if isinstance(part, Refused):
            return part
    cells = [part for part in parts if not isinstance(part, Refused)]
    effect, group, cohort, period, size = (
        np.concatenate([getattr(part, name) for part in cells])
        for name in ("effect", "group", "cohort", "period", "size")
    )
    return Cells(effect, group, cohort, period, size)


def _terms(target: Target, found: Found, cells: Cells | Refused) -> Float2:
    """(4, m) estimate, root mean squares after and before, and 1 where the term rests on all its periods."""
    out = np.full((4, len(found.effects.terms)), np.nan)
    out[3] = 0.0
    if isinstance(cells, Refused):
        return out
    effects = target.of(cells, found.panel)
    measured = measure(target, cells, cells.effect[None], cells.size[None], found.panel)
    if isinstance(effects, Refused) or isinstance(measured, Refused):
        return out  # no held-out period is in the target's window
    for place, term in enumerate(found.effects.terms):
        if term not in effects.terms:
            continue
        at = effects.terms.index(term)
        out[0, place], out[1, place] = measured.estimate[0, at], measured.after[0, at]
        out[2, place] = np.nan if measured.before is None else measured.before[0, at]
        real = _carrying(found.fit.cells, found.effects.weights[:, place])
        out[3, place] = real == _carrying(cells, effects.weights[:, at])
    return out


def _carrying(cells: Cells, weights: Float1) -> set[tuple[int, int]]:
    """Groups and periods of the cells with weight."""
    inside = weights != 0
    return set(zip(cells.group[inside].tolist(), cells.period[inside].tolist(), strict=True))
