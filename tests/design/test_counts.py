"""Weights for treated units that count for different amounts: as when a unit that counts thrice stands there thrice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import impact
from impact.design.matched import Matched
from impact.errors import Refused, UsageError

ON = ["a", "b"]


def table() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(rng.standard_normal((90, 2)), columns=ON)
    frame["focus"] = (np.arange(90) < 10).astype(float)
    frame.loc[:9, "a"] += 0.6
    frame["often"] = np.where(np.arange(90) < 4, 3.0, 1.0)
    return frame


@pytest.mark.parametrize("options", [{}, {"moments": 2}], ids=["means", "squares"])
def test_entropy_is_that_of_a_table_with_copies(options: dict[str, Any]) -> None:
    frame = table()
    copies = pd.concat([frame, frame[:4], frame[:4]], ignore_index=True)
    ours = impact.match(frame, treated="focus", on=ON, method="entropy", counts="often", **options)
    theirs = impact.match(copies, treated="focus", on=ON, method="entropy", **options)
    assert isinstance(ours, Matched) and isinstance(theirs, Matched)
    np.testing.assert_allclose(ours.weights[10:], theirs.weights[10:90], rtol=1e-6)


def test_stable_weights_come_near_the_counted_mean() -> None:
    frame = table()
    done = impact.match(frame, treated="focus", on=ON, method="stable", tolerance=0.01, counts="often")
    assert isinstance(done, Matched)
    here, there = frame[:10], frame[10:]
    mean = np.average(here[ON], weights=here["often"], axis=0)
    spread = np.sqrt((here[ON].var() + there[ON].var()) / 2)
    left = np.abs(np.average(there[ON], weights=done.weights[10:], axis=0) - mean) / spread
    assert (left <= 0.01 + 1e-9).all()
    assert (np.abs(np.average(there[ON], weights=done.weights[10:], axis=0) - here[ON].mean()) / spread > 0.01).any()


def test_inverse_probability_is_the_odds_of_a_weighted_logit() -> None:
    frame = table()
    done = impact.match(frame, treated="focus", on=ON, method="inverse-probability", counts="often")
    assert isinstance(done, Matched)
    often = np.where(frame["focus"] == 1, frame["often"] / frame["often"][:10].mean(), 1.0)
    design = sm.add_constant(frame[ON])
    fitted = sm.GLM(frame["focus"], design, family=sm.families.Binomial(), freq_weights=often).fit(tol=1e-14)
    odds = np.exp((design @ fitted.params)[10:])
    np.testing.assert_allclose(done.weights[10:], odds / odds.mean(), rtol=1e-7)


def test_counts_that_cannot_be() -> None:
    frame = table()
    frame.loc[2, "often"] = np.nan
    found = impact.match(frame, treated="focus", on=ON, method="entropy", counts="often")
    assert isinstance(found, Refused) and "not above 0 for 2" in found.because
    with pytest.raises(UsageError, match="estimand with counts"):
        impact.match(table(), treated="focus", on=ON, method="entropy", counts="often", estimand="ATE")
