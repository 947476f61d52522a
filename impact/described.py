"""What panels and samples say of themselves: who is in them, as a long table, and the course of both groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from impact.displayed import Displayed

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["CoursePlots", "Described"]


class Described(Displayed):
    """What a ``Panel`` and a ``Sample`` share: rows of units, or of who was seen once."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{self.summary().splitlines()[0]}>"

    def summary(self) -> str:
        """How many are in it, over which periods, who is treated from when on, and what to know about it."""
        data: Any = self
        rows = "units" if np.ndim(data.y) == 2 else "rows"
        starts = ", ".join(data.group_names[:5]) + (" …" if len(data.groups) > 5 else "")
        first = (
            f"{type(self).__name__} of {len(data.y)} {rows}, {len(data.periods)} periods from {data.periods[0]} to "
            f"{data.periods[-1]}; {int(data.treated.sum())} treated in {len(data.areas)} areas ({starts})"
        )
        aside = [f"set aside, treated from the first period: {', '.join(data.aside)}"] if data.aside else []
        return "\n".join([first, *aside, *data.notes])

    def tidy(self) -> pd.DataFrame:
        """One row per unit and period (of a sample: per row): its outcome, start, area, cluster and weight.

        `first_treated` and `area` are empty for who is never treated; a start after the last period reads ``later``.
        """
        import pandas as pd

        data: Any = self
        length, panel = len(data.periods), np.ndim(data.y) == 2
        period = np.tile(np.arange(length), len(data.y)) if panel else data.period
        every = length if panel else 1
        starts = [data.periods[int(one)] if one < length else "" if np.isinf(one) else "later" for one in data.first]
        columns: dict[str, Any] = {"unit": np.repeat(np.array(data.units, dtype=object), every)} if panel else {}
        columns |= {
            "period": np.array(data.periods, dtype=object)[period],
            "outcome": np.ravel(data.y),
            "first_treated": np.repeat(np.array(starts, dtype=object), every),
            "area": np.repeat(np.array([*data.areas, ""], dtype=object)[data.area], every),
            "cluster": np.repeat(np.array(data.clusters, dtype=object)[data.cluster], every),
            "weight": np.repeat(data.weight, every),
        }
        return pd.DataFrame(columns)

    @property
    def plot(self) -> CoursePlots:
        """Its figure: ``plot.course()``."""
        return CoursePlots(self)


@dataclass(frozen=True, slots=True, eq=False)
class CoursePlots:
    """The figure of a panel or a sample."""

    data: Described

    def course(self, axes: Axes | None = None) -> Axes:
        """Weighted mean outcome by period, of who becomes treated and of who never is; matching plays no part."""
        from impact.drawing import COMPARISON, FOCUS, look, new_axes

        data: Any = self.data
        table = self.data.tidy().dropna(subset="outcome")
        with look():
            axes = new_axes(6.4, 3.6) if axes is None else axes
            for label, rows, colour, style in (
                ("treated", table[~table["first_treated"].isin(["", "later"])], FOCUS, "-"),
                ("never treated", table[table["first_treated"] == ""], COMPARISON, "--"),
            ):
                sums = (
                    rows.assign(product=rows["outcome"] * rows["weight"]).groupby("period")[["product", "weight"]].sum()
                )
                mean = (sums["product"] / sums["weight"]).reindex(data.periods)
                axes.plot(range(len(data.periods)), mean.to_numpy(float), style, color=colour, label=label)
            axes.set_xticks(range(len(data.periods)), data.periods, rotation=45)
            axes.set_ylabel(data.unit)
            axes.legend(frameon=False)
        return axes
