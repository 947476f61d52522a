"""How fast placebos are: all donors of one indicator, and of fifteen, beside one program after another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import nnls

from impact.arrays import Float1, Float2
from impact.estimators.synthetic_control import SyntheticControl
from impact.inference.placebo import PlaceboSpace
from impact.inference.protocol import Uncertainty
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target
from tests.benchmarks.conftest import Beside

pytestmark = pytest.mark.benchmark

Race = Callable[..., None]
START, PERIODS, SOME = 25, 35, 60


def land(units: int, treated: int, seed: int = 0) -> Panel:
    """Levels, five common courses and noise; each treated unit is an area and starts in period 25 of 35."""
    rng = np.random.default_rng(seed)
    first = np.where(np.arange(units) < treated, float(START), np.inf)
    names, number = tuple(f"w{row:05d}" for row in range(units)), np.arange(units)
    y = 100 + 10 * rng.normal(size=(units, 1)) + 3 * rng.normal(size=(units, 5)) @ rng.normal(size=(5, PERIODS))
    return Panel(
        y=y + rng.normal(size=(units, PERIODS)),
        first=first,
        units=names,
        periods=tuple(map(str, range(PERIODS))),
        cluster=number,
        clusters=names,
        area=np.where(number < treated, number, -1),
        areas=names[:treated],
        weight=np.ones(units),
        group=np.where(number < treated, 0, -1),
    )


def ranked(panel: Panel) -> Uncertainty:
    found = PlaceboSpace().run(SyntheticControl(), panel, Target(), streams=Streams(1), parallel=Parallel())
    assert isinstance(found, Uncertainty)
    return found


def estimates(panel: Panel) -> Float1:
    how = PlaceboSpace()
    found = how.placebos(SyntheticControl(), panel, Target(), streams=Streams(1), parallel=Parallel())
    return np.asarray(found.measured.estimate[:, 0])  # type: ignore[union-attr]


def by_nnls(y: Float2) -> Float1:
    """Of the first 60 placebos: Lawson & Hanson with the sum as a heavy row, the fastest general way that we know.

    That ours are 3,000 makes a ratio of 0.3 one of 15 a placebo.
    """
    found, donors = np.empty(SOME), y[1:]
    for row in range(SOME):
        rest, path = np.delete(donors, row, axis=0), donors[row]
        heavy = 1e4 * np.abs(rest[:, :START]).max()
        system = np.vstack([rest[:, :START].T, np.full(len(rest), heavy)])
        weights = nnls(system, np.r_[path[:START], heavy])[0]
        found[row] = (path - weights @ rest)[START:].mean()
    return found


def the_first(ours: Float1, theirs: Float1) -> None:
    """nnls gives the sum away for about the inverse square of its weight."""
    np.testing.assert_allclose(ours[:SOME], theirs, atol=1e-3)


def test_synthetic_control_and_all_3000_placebos(race: Race) -> None:
    panel = land(3001, 1)
    beside = Beside(f"scipy nnls, {SOME} of them", lambda: by_nnls(panel.y), the_first, times=0.3)
    race("synthetic control and its 3,000 placebos, 25 periods", 0.6, lambda: estimates(panel), beside, rounds=3)


def test_45000_placebos(race: Race) -> None:
    panels = [land(3001, 1, seed) for seed in range(15)]
    race("the same for 15 indicators", 6.0, lambda: [ranked(one) for one in panels], rounds=1)
