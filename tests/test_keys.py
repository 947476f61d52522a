"""Rows of a long table as cells: what is seen in one look at an ordered table is what looking up every row gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from impact.keys import Keys


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Complete and ordered; whole numbers of any type, far apart or close together."""
    numbers = st.integers(*draw(st.sampled_from([(0, 20), (-100, 100), (0, 10**12)])))
    units = sorted(draw(st.sets(numbers, min_size=1, max_size=6)))
    times = sorted(draw(st.sets(st.integers(1990, 2030), min_size=1, max_size=5)))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    kind = np.int8 if units[-1] <= 100 else np.int64
    return pd.DataFrame(
        {
            "unit": np.repeat(np.array(units, dtype=kind), len(times)),
            "time": np.tile(np.array(times, dtype=np.uint16), len(units)),
            "fixed": np.repeat(rng.choice([1.0, np.nan], len(units)), len(times)),
            "loose": rng.choice([1.0, 2.0, np.nan], len(units) * len(times)),
        }
    )


@given(table=tables(), seed=st.integers(0, 1000), kind=st.sampled_from(["same", float, object]))
def test_the_order_of_rows_means_nothing(table: pd.DataFrame, seed: int, kind: Any) -> None:
    order = np.random.default_rng(seed).permutation(len(table))
    mixed = table.iloc[order]
    other = mixed if kind == "same" else mixed.astype({"unit": kind, "time": kind})
    keys, looked_up = Keys(table["unit"], table["time"]), Keys(other["unit"], other["time"])
    assert keys.ordered
    assert looked_up.ordered == (kind == "same" and (np.diff(order) > 0).all())
    assert keys.shape == looked_up.shape
    for name in ("units", "times"):
        assert getattr(keys, name).tolist() == getattr(looked_up, name).tolist()
    for name in ("unit", "time", "cell"):
        np.testing.assert_array_equal(getattr(keys, name)[order], getattr(looked_up, name))
    loose = table["loose"].to_numpy()
    np.testing.assert_array_equal(keys.matrix(loose), looked_up.matrix(loose[order]))
    fixed = table["fixed"].to_numpy()
    np.testing.assert_array_equal(keys.heads(fixed), looked_up.heads(fixed[order]))
    assert not keys.changes(fixed).any() and not looked_up.changes(fixed[order]).any()
    assert not keys.again().any() and not looked_up.again().any()


def test_what_changes_within_a_unit_and_what_stands_twice() -> None:
    keys = Keys(pd.Series([2, 2, 7, 7]), pd.Series([0, 1, 0, 1]))
    assert keys.ordered
    assert keys.changes(np.array([1.0, np.nan, np.nan, np.nan])).tolist() == [False, True, False, False]
    twice = Keys(pd.Series([7, 2, 7, 2]), pd.Series([0, 0, 0, 1]))
    assert not twice.ordered
    assert twice.again().tolist() == [True, False, True, False]
    assert twice.changes(np.array([1.0, 3.0, 2.0, 3.0])).tolist() == [False, False, True, False]
    assert Keys(pd.Series([2, 2, 7]), pd.Series([0, 1, 0])).matrix(np.arange(3.0))[1].tolist()[0] == 2.0


def test_what_is_read_is_not_the_table_itself() -> None:
    table = pd.DataFrame({"unit": [1, 2], "time": [0, 0], "y": [1.0, 2.0]})
    keys = Keys(table["unit"], table["time"])
    for found in (keys.matrix(table["y"].to_numpy()), keys.heads(table["y"].to_numpy())):
        assert not np.shares_memory(found, table["y"].to_numpy())


def test_blank_keys() -> None:
    keys = Keys(pd.Series(["b", None, "a"]), pd.Series([0, 1, 1]))
    assert keys.unit.tolist() == [1, -1, 0]
    assert keys.time.tolist() == [0, 1, 1]
