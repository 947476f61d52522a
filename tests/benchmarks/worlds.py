"""What is raced over: five cohorts and never treated in ten periods, an effect of 0."""

from __future__ import annotations

import numpy as np
import pandas as pd

from impact import Panel

PERIODS = 10
STARTS = [0, 2013, 2014, 2015, 2016, 2017]
COVARIATES = ["x1", "x2", "x3"]


def long_frame(units: int, covariates: bool = False) -> pd.DataFrame:
    """One row per unit and year, sorted; with covariates that drive both the start and the trend."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "unit": np.repeat(np.arange(units), PERIODS),
            "time": np.tile(np.arange(2010, 2010 + PERIODS), units),
            "y": rng.normal(size=units * PERIODS),
            "start": np.repeat(rng.choice(STARTS, units), PERIODS),
        }
    )
    if covariates:
        x = rng.normal(size=(units, len(COVARIATES)))
        early = rng.uniform(size=units) < 1 / (1 + np.exp(-x @ [0.4, -0.3, 0.2]))
        frame["start"] = np.repeat(np.where(early, rng.choice(STARTS[1:], units), 0), PERIODS)
        frame["y"] += np.repeat(x @ [0.2, 0.1, -0.1], PERIODS) * (frame["time"] - 2010)
        frame[COVARIATES] = np.repeat(x, PERIODS, axis=0)
    return frame


def wide(units: int, clusters: int | None = None) -> Panel:
    """The same from a matrix; every unit a cluster of its own unless their number is given."""
    rng = np.random.default_rng(0)
    start = rng.choice([np.inf, 3.0, 4.0, 5.0, 6.0, 7.0], units)
    treated = np.isfinite(start)
    names = tuple(map(str, range(units)))
    number = np.arange(units)
    return Panel(
        y=rng.normal(size=(units, PERIODS)),
        first=start,
        units=names,
        periods=tuple(map(str, range(2010, 2010 + PERIODS))),
        cluster=number if clusters is None else number % clusters,
        clusters=names if clusters is None else names[:clusters],
        # All that start together are one area within their cluster, or each its own.
        area=np.where(treated, number if clusters is None else number % clusters, -1),
        areas=names if clusters is None else names[:clusters],
        weight=np.ones(units),
        group=np.where(treated, start - 3, -1),
    )
