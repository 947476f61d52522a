"""Placebo in time: where the estimate ranks among those for earlier, pretended starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np

from impact.arrays import Float1, Float2
from impact.errors import Refused
from impact.estimators.protocol import Estimator, Gives
from impact.inference.earlier_starts import EarlierStarts, earlier_starts
from impact.inference.placebo_statistics import least, measure, ratio
from impact.inference.protocol import Found, Uncertainty, evaluate, without_interval
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target

__all__ = ["PlaceboTime", "Ranked"]

_WHAT = "a p-value by placebo-time"
_MOST_FAILURES = 0.05
_TIE = 1e-9

Ranked = Literal["estimate", "rmspe-ratio"]


@dataclass(frozen=True, slots=True)
class PlaceboTime:
    """Rank of the estimate among those for earlier, pretended starts.

    The p-value is (1 + exceedances) / (1 + m) over the m pretended starts that hold out as many periods as the term
    has. It is a rank and no exact test: the periods of different starts overlap, so m starts say less than m; the
    estimates for earlier starts are learned from fewer periods, so they spread more than the real one; and it takes
    gaps that are alike early and late. Where 1 / (1 + m) is above 1 − `level` no p-value is given: it could never be
    small. The table and the gaps, which show whether the estimator finds effects where there were none, are given by
    `earlier_starts` for any number of starts.

    Parameters
    ----------
    statistic : {"estimate", "rmspe-ratio"}
        The absolute estimate; or root mean square of the effects over that of the gaps before, which is larger the
        fewer periods are fitted.
    level : float
        1 − `level` is what a p-value must be able to reach.

    References
    ----------
    Abadie, Diamond & Hainmueller (2015), American Journal of Political Science 59(2); Abadie (2021), JEL 59(2),
    section 3.5.
    """

    statistic: Ranked = "estimate"
    level: float = 0.95

    name: ClassVar[str] = "placebo-time"
    needs: ClassVar[Gives] = Gives.NOTHING

    def __post_init__(self) -> None:
        if self.statistic not in get_args(Ranked):
            raise ValueError(f"statistic={self.statistic!r} is not one of {', '.join(get_args(Ranked))}")

    def run(
        self,
        estimator: Estimator,
        panel: Panel,
        target: Target,
        *,
        streams: Streams,
        parallel: Parallel,
        full: Found | None = None,
    ) -> Uncertainty | Refused:
        """See ``Inference.run``; draws nothing at random."""
        found = full or evaluate(estimator, panel, target)
        if isinstance(found, Refused):
            return found
        starts = earlier_starts(estimator, panel, target, parallel=parallel, full=found)
        if isinstance(starts, Refused):
            return starts
        failed, given_by = starts.failed, len(starts.back) - len(starts.refused)
        if failed > _MOST_FAILURES * (given_by + failed):
            return Refused(
                _WHAT,
                f"{failed} of {given_by + failed} pretended starts gave no estimate ({'; '.join(starts.refused)})",
                "Choose a simpler estimator, or add earlier periods.",
            )
        statistics = self._ranked(target, found, starts)
        if isinstance(statistics, Refused):
            return statistics
        theirs, ours = statistics
        # A start without an estimate counts against the real one: its estimate could have been more extreme.
        beyond = ((theirs >= ours * (1 - _TIE)) & starts.whole).sum(axis=0) + failed
        count = starts.whole.sum(axis=0) + failed
        refused = tuple(_too_few(int(number), self.level) for number in count)
        given = np.array([reason is None for reason in refused])
        p_value = np.where(given, (1 + beyond) / (1 + count), np.nan)
        return without_interval(
            found,
            self.name,
            "no effect, and gaps alike early and late; a rank among overlapping earlier starts",
            p_value,
            self.level,
            draws=given_by,
            attempted=len(starts.back),
            mc_error=np.zeros(len(p_value)),
            failures=starts.refused,
            refused=refused,
        )

    def _ranked(self, target: Target, found: Found, starts: EarlierStarts) -> tuple[Float2, Float1] | Refused:
        """(n, m) of the pretended starts and (m,) of the real one."""
        cells = found.fit.cells
        ours = measure(target, cells, cells.effect[None], cells.size[None], found.panel)
        if isinstance(ours, Refused):
            return ours
        if self.statistic == "estimate":
            return np.abs(starts.measured.estimate), np.abs(ours.estimate[0])
        floor = least(starts.measured.each(lambda part: np.where(starts.whole, part, 0.0)), found.panel.y)
        theirs, real = ratio(starts.measured, floor), ratio(ours, floor)
        if isinstance(theirs, Refused):
            return theirs
        return real if isinstance(real, Refused) else (theirs, real[0])


def _too_few(count: int, level: float) -> Refused | None:
    """Why `count` pretended starts give no p-value, or None."""
    if (1 + count) * (1 - level) >= 1 - 1e-9:
        return None
    return Refused(
        _WHAT,
        f"{count} of the earlier starts hold out the periods it rests on, so it could not be below 1/{count + 1}",
        "Read the table of earlier_starts, add earlier periods, or ask for fewer periods since the start.",
    )
