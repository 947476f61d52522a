"""Stacked difference-in-differences: every cohort in a window of its own with clean controls."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, get_args

import numpy as np

from impact.arrays import Bool2
from impact.estimators.paths import Pooled
from impact.estimators.plan import Entry, Plan
from impact.estimators.planned import Planned
from impact.numerics.moments import Strata

__all__ = ["Stacked"]

Control = Literal["not-yet", "never"]


@dataclass(frozen=True, slots=True)
class Stacked(Planned):
    """One sub-experiment a cohort, from `before` periods before its start to `after` periods after it.

    A cohort takes part when its whole window was observed; its controls are untreated until after the window. Cohorts
    without a whole window, or without clean controls, are named in the notes. The sub-experiments are averaged by what
    their treated units weigh (the trimmed aggregate effect), not by the variance weights that one stacked regression
    without corrective weights would give them.

    Parameters
    ----------
    before : int
        Periods of the window before the start; the last of them is the base. At least 1.
    after : int
        Periods of the window after the first treated one.
    control : {"not-yet", "never"}
        Who may be a clean control.
    anticipation : int
        Periods before the start that are left out of the base.

    References
    ----------
    Cengiz, Dube, Lindner & Zipperer (2019), Quarterly Journal of Economics 134(3); Wing, Freedman & Hollingsworth
    (2024), NBER working paper 32054 (corrective weights, trimmed aggregate effect).
    """

    before: int = 2
    after: int = 1
    control: Control = "not-yet"
    anticipation: int = 0

    name: ClassVar[str] = "stacked"
    why: ClassVar[str] = "no whole window with clean controls"
    remedy: ClassVar[str] = "Lower `before` or `after`, the periods of the window, or widen the donor pool."

    def __post_init__(self) -> None:
        if self.control not in get_args(Control):
            raise ValueError(f"control={self.control!r} is not one of {', '.join(get_args(Control))}")
        if any(not isinstance(one, int) for one in (self.before, self.after, self.anticipation)):
            raise ValueError("before, after and anticipation are whole numbers")
        if self.before < 1 or self.after < 0:
            raise ValueError(
                "a window has at least 1 period before the start, and 0 or more after the first treated one"
            )
        if not 0 <= self.anticipation < self.before:
            raise ValueError("anticipation is a number of periods, 0 or more, and less than `before`")

    def plan(self, known: Strata, usable: Bool2) -> Plan:
        """The cells of all whole windows with clean controls."""
        length = usable.shape[1]
        serves: dict[bytes, int] = {}
        cells: list[tuple[int, int, list[Entry]]] = []
        for group, start in enumerate(known.starts):
            low, high = int(start) - self.before, int(start) + self.after
            if low < 0 or high >= length or not usable[group, low : int(start)].all():
                continue
            window = np.arange(low, high + 1)
            clean = np.isinf(known.first) if self.control == "never" else known.first > high + self.anticipation
            clean = clean & known.seen[:, window].all(axis=1)
            inside = known.group >= 0
            clean[inside] &= usable[known.group[inside]][:, window].all(axis=1)
            if not clean.any():
                continue
            reference = serves.setdefault(clean.tobytes(), len(serves))
            own = np.flatnonzero((known.group == group) & known.seen[:, window].all(axis=1))
            base = int(start) - 1 - self.anticipation
            for t in window[window != base]:
                change = np.zeros(length)
                change[t], change[base] = 1.0, -1.0
                if own.size:
                    cells.append((group, int(t), [(int(stratum), reference, change) for stratum in own]))
        rows = [np.frombuffer(row, dtype=bool) for row in serves]
        plan = Plan.of(cells, Pooled(np.array(rows, dtype=bool).reshape(-1, len(known.first))), length)
        return replace(plan, conditional=True)
