"""Missing characteristics are drawn from the normal model: against closed forms, and what a matching makes of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import impact
from impact.design.imputation import imputed
from impact.design.matched import Matched
from impact.errors import Refused, UsageError
from impact.streams import Streams

STREAMS = Streams(3).at("imputation")


def test_draws_are_those_of_the_regression_on_what_is_known() -> None:
    """Of two numbers the second is missing where the first is high: mean and spread given the first are known."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2_000, 2)) @ np.array([[1.0, 1.5], [0.0, 0.8]])
    hidden = x.copy()
    gone = x[:, 0] > 0.5
    hidden[gone, 1] = np.nan
    tables = imputed(hidden, ("a", "b"), 60, STREAMS)
    assert not isinstance(tables, Refused)
    assert tables.shape == (60, 2_000, 2) and np.isfinite(tables).all()
    assert (tables[:, ~gone] == x[~gone]).all() and (tables[:, :, 0] == x[:, 0]).all()
    slope, level = np.polyfit(x[~gone, 0], x[~gone, 1], 1)
    left = x[~gone, 1] - level - slope * x[~gone, 0]
    mean = tables[:, gone, 1].mean(axis=0)
    # Means of 60 draws lie within six of their errors of the line; their spread is that of what the line leaves.
    assert np.abs(mean - level - slope * x[gone, 0]).max() < 6 * left.std() / np.sqrt(60)
    assert tables[:, gone, 1].std(axis=0).mean() == pytest.approx(left.std(), rel=0.05)
    again = imputed(hidden, ("a", "b"), 60, STREAMS)
    assert not isinstance(again, Refused) and (again == tables).all()


def test_the_parameters_are_drawn_too() -> None:
    """The mean over the gaps of a table varies by the gaps and by the line that 30 known values give."""
    rng = np.random.default_rng(2)
    x = rng.standard_normal((60, 2))
    x[:30, 1] = np.nan
    x[:30, 0] -= x[:30, 0].mean() - x[30:, 0].mean()  # both halves have one mean: the slope adds nothing
    tables = imputed(x, ("a", "b"), 1_500, STREAMS)
    assert not isinstance(tables, Refused)
    means = tables[:, :30, 1].mean(axis=1)
    known = x[30:]
    slope, level = np.polyfit(known[:, 0], known[:, 1], 1)
    s2 = ((known[:, 1] - level - slope * known[:, 0]) ** 2).sum() / 28
    # A t with about 28 degrees of freedom has the variance 28/26.
    assert means.std() == pytest.approx(np.sqrt(s2 * 28 / 26 * (1 / 30 + 1 / 30)), rel=0.1)


def test_what_cannot_be_completed_is_refused() -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((30, 2))
    one = np.column_stack([x[:, 0], np.full(30, np.nan)])
    same = np.column_stack([x, x[:, 0] + x[:, 1]])
    same[3, 0] = np.nan
    for table, words in ((one, "b does not vary"), (same, "follows from others"), (x[:4], "too few")):
        found = imputed(table, ("a", "b", "c")[: table.shape[1]], 3, STREAMS)
        assert isinstance(found, Refused) and words in found.because


def test_a_table_is_matched_on_the_mean_of_the_draws() -> None:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(rng.standard_normal((80, 2)), columns=["a", "b"])
    frame["focus"] = (np.arange(80) < 12).astype(float)
    frame.index = pd.Index([f"u{number}" for number in range(80)])
    frame.iloc[5:30:3, 1] = np.nan
    refused = impact.match(frame, treated="focus", on=["a", "b"])
    assert isinstance(refused, Refused) and "9 units lack" in refused.because
    done = impact.match(frame, treated="focus", on=["a", "b"], missing={"impute": 20, "seed": 3})
    tables = imputed(frame[["a", "b", "focus"]].to_numpy(), ("a", "b", "focus"), 20, STREAMS)
    assert isinstance(done, Matched) and not isinstance(tables, Refused)
    frame["b"] = frame["b"].fillna(pd.Series(tables.mean(axis=0)[:, 1], index=frame.index))
    whole = impact.match(frame, treated="focus", on=["a", "b"])
    assert isinstance(whole, Matched)
    pd.testing.assert_frame_equal(whole.pairs, done.pairs, rtol=1e-12)
    assert any("b is missing for 9 units; the mean of 20 draws" in note for note in done.notes)
    with pytest.raises(UsageError, match="of 2 or more"):
        impact.match(frame, treated="focus", on=["a", "b"], missing={"impute": 1})
