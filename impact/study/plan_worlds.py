"""The worlds of a plan: the units of a study as they are compared, and their matching where it looks at outcomes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from impact.arrays import Float2
from impact.errors import Refused
from impact.inference.drawn_worlds import Drawn, drawn
from impact.panel import Panel
from impact.streams import Streams
from impact.study.answers import estimator_of
from impact.study.matcher import Matcher
from impact.study.model import Specification
from impact.study.panels import Comparison
from impact.study.series import Series

__all__ = ["worlds_of"]


@dataclass(frozen=True, slots=True, eq=False)
class _Rematch:
    """The matching of a study that matches on outcomes, by those of the panel that it is given.

    Attributes
    ----------
    matcher : Matcher
    columns : tuple of (int, int)
        Column of the matching, and the period whose outcome it is.
    factor : (n, k) float
        From the outcome of a unit of the matcher to what is matched on; 1 unless that is taken before the outcome
        becomes relative to the unit's own mean.
    """

    matcher: Matcher
    columns: tuple[tuple[int, int], ...]
    factor: Float2

    def __call__(self, panel: Panel) -> Panel | Refused:
        """`panel` with its controls."""
        row = {name: number for number, name in enumerate(self.matcher.units)}
        at = np.array([row[name] for name in panel.units], dtype=np.intp)
        x = self.matcher.x.copy()
        for number, (column, period) in enumerate(self.columns):
            x[at, column] = panel.y[:, period] * self.factor[at, number]
        fresh = replace(panel, pairs=None, weight=np.ones(len(panel.units)))
        return replace(self.matcher, x=x)(fresh)


def worlds_of(spec: Specification, series: Series, comparison: Comparison, end: int) -> Drawn | Refused:
    """Worlds like the past of the units that are compared."""
    panel, estimator = comparison.panel, estimator_of(spec, comparison)
    if hasattr(estimator, "outcomes"):
        return Refused(
            "the drawn worlds",
            f"{estimator.name} rests on several outcomes at once, and their common course is not drawn",
            "Plan the study with an estimator of one outcome.",
        )
    rematch = _rematch(spec, comparison)
    used = panel.treated & (panel.weight > 0)
    used |= panel.never if panel.pairs is None else (panel.pairs > 0).any(axis=0)
    when = np.array([float(label[:4]) for label in panel.periods])
    streams = Streams(spec.seed).at("plan", series.outcome.indicator)
    worlds = drawn(panel, end, when, streams, fit=np.flatnonzero(used))
    return worlds if isinstance(worlds, Refused) else replace(worlds, rematch=rematch)


def _rematch(spec: Specification, comparison: Comparison) -> _Rematch | None:
    match, matcher, panel = spec.comparison.match, comparison.matcher, comparison.panel
    if match is None or matcher is None or not match.outcomes_in:
        return None
    columns = tuple((matcher.names.index(label), panel.periods.index(label)) for label in match.outcomes_in)
    factor = np.ones((len(matcher.units), len(columns)))
    place = {name: number for number, name in enumerate(matcher.units)}
    at = np.array([place[name] for name in panel.units], dtype=np.intp)
    for number, (column, period) in enumerate(columns):
        y = panel.y[:, period]
        # Before it became relative to the unit's own mean.
        there = np.isfinite(y) & (y != 0)
        factor[at[there], number] = matcher.x[at[there], column] / y[there]
    return _Rematch(matcher, columns, factor)
