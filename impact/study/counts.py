"""Counts of the outcomes table by unit and period of a panel, also where units are added up from smaller regions."""

from __future__ import annotations

import numpy as np

from impact.arrays import Float2
from impact.panel import Panel
from impact.study.load import Loaded
from impact.study.panels import Comparison
from impact.study.series import Series

__all__ = ["counts"]


def counts(name: str | None, loaded: Loaded, series: Series, comparison: Comparison, panel: Panel) -> Float2:
    """(N, T) the column `name`; nan where the table has no number, or where there is no such column."""
    long = loaded.longs[loaded.series.index(series)]
    made = {} if comparison.unions is None else comparison.unions.members()
    grid = np.full((len(panel.units), len(panel.periods)), np.nan)
    if name is None or name not in long.values:
        return grid
    numbers = long.values[name].number.tolist()
    known = {(str(r), str(t)): x for r, t, x in zip(long.region, long.period, numbers, strict=True)}
    regions = {region for region, _ in known}
    for row, unit in enumerate(panel.units):
        parts = {unit: 1.0} if unit in regions else made.get(unit, {})
        for column, label in enumerate(panel.periods):
            if parts:
                grid[row, column] = sum(s * known.get((part, label), np.nan) for part, s in parts.items())
    return grid
