"""What can be drawn of a value by itself: its estimates with their intervals, or why there is no figure of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from impact.displayed import Displayed
from impact.errors import Refused
from impact.harmless import shown

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["EstimatePlots", "Plotted"]

# What tells one estimate of a table from another, in the order in which it is said.
_NAMES = ("outcome", "estimator", "inference", "left_out", "back", "set", "kind", "treated", "other", "name", "term")
_LONG = 44  # letters of a name; the rest is cut


class Plotted(Displayed):
    """What also has a `plot`; of a table without estimates it is a refusal."""

    __slots__ = ()
    _estimate: ClassVar[str] = "estimate"  # the column that is drawn

    @property
    def plot(self) -> EstimatePlots | Refused:
        """The figure of its estimates, ``plot.estimates()``; refused where it has none."""
        table = self.tidy()
        if self._estimate in table and table[self._estimate].notna().any():
            return EstimatePlots(table, self._estimate)
        return Refused(f"a figure of a {type(self).__name__}", "it holds no estimates", "Its table is tidy().")


@dataclass(frozen=True, slots=True, eq=False)
class EstimatePlots:
    """The figure of a table of estimates."""

    table: pd.DataFrame
    column: str = "estimate"

    def estimates(self, *, most: int = 40, axes: Axes | None = None) -> Axes:
        """A dot for every estimate, with its interval where it has one, and a line at 0.

        More than `most` are drawn by size, without their names.
        """
        from impact.drawing import COMPARISON, FOCUS, INK, look, new_axes

        table = self.table[self.table[self.column].notna()]
        many = len(table) > most
        table = table.sort_values(self.column, kind="stable") if many else table
        estimate, height = table[self.column].to_numpy(float), np.arange(len(table))[::-1]
        with look():
            axes = new_axes(6.4, 3.6 if many else 1.2 + 0.28 * len(table)) if axes is None else axes
            axes.axvline(0, color=INK, linewidth=1)
            if {"ci_low", "ci_high"} <= set(table):
                low, high = table["ci_low"].to_numpy(float), table["ci_high"].to_numpy(float)
                axes.hlines(height, low, high, color=COMPARISON, linewidth=2.4)
            axes.plot(estimate, height, "o", color=FOCUS, markersize=3 if many else 6)
            axes.set_yticks([] if many else height, [] if many else _labels(table))
            axes.set_ylabel(f"{len(table)} estimates, by size" if many else "")
            axes.set_xlabel(" or ".join(sorted(set(table["unit"]))) if "unit" in table else self.column)
            axes.margins(y=0.5 / max(len(table), 1))
        return axes


def _labels(table: pd.DataFrame) -> list[str]:
    """What differs between the rows, in words; the first name where nothing does."""
    known = [name for name in _NAMES if name in table]
    told = [name for name in known if table[name].nunique() > 1] or known[:1]
    rows = [shown(", ".join(str(value) for value in row if value != "") or "all") for row in table[told].to_numpy()]
    return [row if len(row) <= _LONG else f"{row[: _LONG - 1]}…" for row in rows]
