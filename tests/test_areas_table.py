"""The table of single areas of a result: shrunken, with the ranks they may have, and never ordered by effect."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import impact
from impact.errors import Refused, UsageError
from impact.evidence.result import Result
from impact.heterogeneity.areas import COLUMNS
from impact.heterogeneity.shrinkage import Shrunken, shrink


def world(effects: np.ndarray, noise: float = 1.0) -> impact.Panel:
    """Areas of two units each, every area its own effect, beside 60 units that are never treated."""
    rng = np.random.default_rng(4)
    rows = []
    for unit in range(2 * len(effects) + 60):
        area = unit // 2 if unit < 2 * len(effects) else -1
        for year in range(2015, 2025):
            y = rng.standard_normal() * noise + (effects[area] if area >= 0 and year >= 2021 else 0.0)
            start = 2021 if area >= 0 else np.inf
            rows.append((f"u{unit:03d}", year, y, start, f"g{max(area, unit)}", f"a{area:02d}" if area >= 0 else ""))
    frame = pd.DataFrame(rows, columns=["unit", "year", "y", "first", "gemeente", "area"])
    return impact.Panel.from_frame(
        frame, unit="unit", time="year", outcome="y", first_treated="first", cluster="gemeente", area="area"
    )


EFFECTS = np.array([0.0, 6.0, 0.2, -0.1, 0.1, 0.0, -6.0])


def estimated(inference: str = "placebo-space", **more: object) -> Result:
    found = impact.estimate(world(EFFECTS), "did", target="unit", inference=inference, **more)
    assert isinstance(found, Result)
    return found


def test_areas_with_the_spread_among_placebo_areas() -> None:
    result = estimated(statistic="estimate", draws=199)
    table = result.areas()
    assert isinstance(table, pd.DataFrame) and tuple(table.columns) == COLUMNS
    assert table["area"].tolist() == [f"a{number:02d}" for number in range(7)]  # as in the panel
    assert table["estimate"].to_numpy() == pytest.approx(result.effects.estimate)
    # A mean of two units over four years less six: the variance of one number is 1.
    assert table["std_error"].to_numpy() == pytest.approx(np.full(7, np.sqrt((1 / 4 + 1 / 6) / 2)), rel=0.35)
    drawn = shrink(result.effects.estimate, table["std_error"].to_numpy())
    assert isinstance(drawn, Shrunken)
    assert table["shrunken"].to_numpy() == pytest.approx(drawn.value)
    assert (table["low"] < table["shrunken"]).all() and (table["shrunken"] < table["high"]).all()
    assert (table["rank_low"] <= table["rank"]).all() and (table["rank"] <= table["rank_high"]).all()
    first, last = table.iloc[1], table.iloc[6]
    assert (first["rank_low"], first["rank_high"], last["rank_low"], last["rank_high"]) == (1, 1, 7, 7)
    middle = table.iloc[[0, 2, 3, 4, 5]]
    assert middle["rank_low"].between(2, 3).all() and middle["rank_high"].between(5, 6).all()
    assert table.attrs["told_apart"] == 7 and not table.attrs["floored"]


def test_the_other_way_is_the_other_way() -> None:
    result = estimated(statistic="estimate", draws=199)
    up, down = result.areas(), result.areas(better="lower")
    assert isinstance(up, pd.DataFrame) and isinstance(down, pd.DataFrame)
    assert (up["rank"] + down["rank"] == 8).all() and up["shrunken"].tolist() == down["shrunken"].tolist()


def test_the_same_table_twice() -> None:
    result = estimated(statistic="estimate", draws=199)
    one, two = result.areas(), result.areas()
    assert isinstance(one, pd.DataFrame) and isinstance(two, pd.DataFrame)
    pd.testing.assert_frame_equal(one, two)


def test_single_areas_without_an_error_are_refused_and_named() -> None:
    found = estimated("cluster-jackknife").areas()
    assert isinstance(found, Refused) and "a00" in found.because and "placebo-space" in found.instead
    given = estimated("cluster-jackknife").areas(std_error=np.full(7, 0.5))
    assert isinstance(given, pd.DataFrame) and given["std_error"].tolist() == [0.5] * 7


def test_few_areas_and_another_target() -> None:
    few = impact.estimate(world(EFFECTS[:4]), "did", target="unit")
    assert isinstance(few, Result) and isinstance(few.areas(std_error=np.ones(4)), Refused)
    with pytest.raises(UsageError, match="single areas"):
        impact.estimate(world(EFFECTS), "did").areas()
    with pytest.raises(ValueError, match="one number for every area"):
        estimated("cluster-jackknife").areas(std_error=[1.0])
