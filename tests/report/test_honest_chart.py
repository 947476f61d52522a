"""What the figure of honest bounds draws: the numbers of the table, and nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import impact
from impact.errors import UsageError
from impact.evidence.charts_honest import honest_bounds


def table(grid: list[float]) -> pd.DataFrame:
    return impact.honest([0.4, -0.3, 3.0, 4.0], 0.09 * np.eye(4), 2, grid=grid)


def test_intervals_and_the_breakdown_value() -> None:
    found = table([2.0, 0.0, 4.0, 8.0])
    axes = honest_bounds(found, "procentpunt")
    (bars,) = axes.collections
    drawn = [segment[:, 1].tolist() for segment in bars.get_segments()]
    ordered = found.sort_values("bound")
    assert drawn == ordered[["lower", "upper"]].to_numpy().tolist()
    assert [segment[0, 0] for segment in bars.get_segments()] == [0.0, 2.0, 4.0, 8.0]
    value = float(found["breakdown"].iloc[0])
    assert 0 < value < 8
    assert [text.get_text() for text in axes.texts] == [f"breakdown value {value:.2g}"]
    assert axes.get_ylabel() == "procentpunt"
    # Beyond what is drawn there is no line.
    assert not honest_bounds(table([0.0, value / 2])).texts


def test_no_intervals_is_no_figure() -> None:
    found = table([1.0])
    with pytest.raises(UsageError, match="USAGE-008"):
        honest_bounds(found.assign(lower=np.nan))
    with pytest.raises(UsageError, match="USAGE-008"):
        honest_bounds(pd.concat([found, found.assign(restriction="smoothness")]))
