"""Synthetic difference-in-differences of 100 treated wijken among 3,000 others: fit, placebos and jackknife."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd
import pytest

from impact.estimators.synthetic_did import SyntheticDiD
from impact.inference.cluster import Jackknife
from impact.inference.placebo import PlaceboSpace
from impact.inference.protocol import Found, Inference, Uncertainty, evaluate
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target
from tests.benchmarks.test_speed import Race, diff_diff

pytestmark = pytest.mark.benchmark

DONORS, TREATED, PERIODS, START = 3000, 100, 25, 18


@cache
def world() -> Panel:
    """Levels, three common factors and noise; areas of five wijken."""
    rng = np.random.default_rng(0)
    count = TREATED + DONORS
    factors = rng.normal(size=(count, 3)) @ (0.3 * rng.normal(size=(3, PERIODS)).cumsum(axis=1))
    names = tuple(f"w{row:04}" for row in range(count))
    treated = np.arange(count) < TREATED
    return Panel(
        y=20 + 2 * rng.normal(size=(count, 1)) + factors + rng.normal(size=(count, PERIODS)),
        first=np.where(treated, START, np.inf),
        units=names,
        periods=tuple(map(str, range(PERIODS))),
        cluster=np.arange(count),
        clusters=names,
        area=np.where(treated, np.arange(count) // 5, -1),
        areas=tuple(f"a{number}" for number in range(TREATED // 5)),
        weight=np.ones(count),
        group=np.where(treated, 0, -1),
    )


def fitted() -> Found:
    found = evaluate(SyntheticDiD(), world(), Target())
    assert isinstance(found, Found)
    return found


def with_error(inference: Inference) -> tuple[float, float]:
    found = fitted()
    error = inference.run(SyntheticDiD(), world(), Target(), streams=Streams(1), parallel=Parallel(), full=found)
    assert isinstance(error, Uncertainty)
    return float(found.effects.estimate[0]), float(error.std_error[0])


def peer(variance: str, draws: int) -> tuple[float, float]:
    from diff_diff import SyntheticDiD as Theirs

    panel = world()
    frame = pd.DataFrame(
        {
            "unit": np.repeat(np.arange(len(panel.units)), PERIODS),
            "time": np.tile(np.arange(PERIODS), len(panel.units)),
            "y": panel.y.ravel(),
            "treated": np.repeat(panel.treated.astype(int), PERIODS),
        }
    )
    how = {"outcome": "y", "treatment": "treated", "unit": "unit", "time": "time"}
    found = Theirs(variance_method=variance, n_bootstrap=draws, seed=1).fit(
        frame, **how, post_periods=list(range(START, PERIODS))
    )
    return float(found.att), float(found.se)


def near(ours: Any, theirs: Any, of_error: float) -> None:
    """The peer stops before the optimum as R does, here by less than a twentieth of a standard error."""
    assert ours[0] == pytest.approx(theirs[0], abs=0.05 * theirs[1])
    assert ours[1] == pytest.approx(theirs[1], rel=of_error)


SIZE = "synthetic-did 3,000 × 25, 100 treated"


def test_fit(race: Race) -> None:
    race(SIZE, 0.003, fitted, rounds=20)


def test_with_placebos(race: Race) -> None:
    race(f"{SIZE}, and 200 placebos", 0.3, lambda: with_error(PlaceboSpace(draws=200)))


def test_with_placebos_beside(race: Race) -> None:
    """A standard deviation of 5 draws has an error of a third, and these are two of them."""
    beside = diff_diff(25, lambda: peer("placebo", 5), partial(near, of_error=2.0))
    race(f"{SIZE}, and 5 placebos", 0.02, lambda: with_error(PlaceboSpace(draws=5)), beside, rounds=3)


def test_with_jackknife(race: Race) -> None:
    """Ours is centred on the estimate, as in the paper; theirs on the mean of the deletions."""
    beside = diff_diff(2, lambda: peer("jackknife", 2), partial(near, of_error=1e-2))
    race(f"{SIZE}, and the jackknife", 0.3, lambda: with_error(Jackknife()), beside, rounds=3)
