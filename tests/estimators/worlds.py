"""Small panels for regressions: a few units, any starts, and effects as told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from impact.panel import Panel


def panel_of(
    starts: list[int | None],
    periods: int = 6,
    *,
    seed: int = 0,
    effect: Any = 2.0,
    noise: float = 1.0,
    label: int = 2000,
    varying: int = 0,
    **columns: Any,
) -> Panel:
    """One unit an entry of `starts` (a period index, or None); `effect` may depend on the start and the period."""
    rng = np.random.default_rng(seed)
    rows = []
    for unit, start in enumerate(starts):
        path = 3 * rng.normal() + np.sin(np.arange(periods)) + noise * rng.normal(size=periods)
        xs = rng.normal(size=(varying, periods))
        weight = rng.uniform(0.5, 2)
        for t in range(periods):
            on = start is not None and t >= start
            gain = (effect(start, t) if callable(effect) else effect) if on else 0.0
            row = {f"x{k}": x[t] for k, x in enumerate(xs)}
            row |= {"unit": f"u{unit:02}", "year": label + t, "y": path[t] + gain + 0.7 * xs[:, t].sum()}
            row |= {"start": None if start is None else label + start, "weight": weight, "town": f"t{unit // 2}"}
            rows.append(row)
    return Panel.from_frame(
        pd.DataFrame(rows),
        unit="unit",
        time="year",
        outcome="y",
        first_treated="start",
        covariates=[f"x{k}" for k in range(varying)],
        **columns,
    )


STAGGERED: list[int | None] = [2, 2, 3, 3, 3, 5, 5, None, None, None, None, None]


def regressors(panel: Panel, events: list[int] | None = None) -> np.ndarray:
    """0/1 columns as the definition has them: treated, or `event` periods after the start."""
    since = np.arange(len(panel.periods)) - np.where(panel.treated, panel.first, np.inf)[:, None]
    return np.array([since >= 0] if events is None else [since == event for event in events], dtype=float)


def holes(panel: Panel, share: float, seed: int = 0) -> Panel:
    gone = np.random.default_rng(seed).uniform(size=panel.y.shape) < share
    return panel.with_outcome(np.where(gone, np.nan, panel.y))
