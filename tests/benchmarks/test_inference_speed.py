"""How fast inference with few treated clusters is, beside refits and the plain way of doing the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from impact.estimators.twfe import TWFE
from impact.inference.protocol import Uncertainty, evaluate
from impact.inference.wild import Wild
from impact.numerics.stand_ins import _plain, stood_in
from impact.panel import NEVER, Panel
from impact.parallel import Parallel, one_thread
from impact.streams import Streams
from impact.targets import Target
from tests.benchmarks.conftest import Beside

pytestmark = pytest.mark.benchmark

Race = Callable[..., None]


def panel_of(clusters: int) -> Panel:
    """6,000 units in 10 periods: 60,000 rows; those of 20 clusters start in two periods."""
    rng = np.random.default_rng(0)
    cluster = np.arange(6000) % clusters
    blank = Panel(
        y=rng.normal(size=(6000, 10)),
        first=np.full(6000, NEVER),
        units=tuple(f"u{row}" for row in range(6000)),
        periods=tuple(str(t) for t in range(10)),
        cluster=cluster,
        clusters=tuple(f"g{number}" for number in range(clusters)),
        area=np.full(6000, -1),
        areas=(),
        weight=np.ones(6000),
        group=np.full(6000, -1),
    )
    return blank.assign(np.where(cluster < 10, 5.0, np.where(cluster < 20, 7.0, NEVER)))


@pytest.mark.parametrize(("clusters", "target"), [(342, 0.2), (3000, 0.6)])
def test_wild(race: Race, clusters: int, target: float) -> None:
    """p-value and interval of the two-way regression; beside it 40 of the draws as regressions of their own, whose time
    stands for 9,999 of them when it is multiplied by 250. (R `fwildclusterboot` takes 1.5 and 27 s.)"""
    panel = panel_of(clusters)
    found = evaluate(TWFE(), panel, Target())
    assert found

    def ours() -> Any:
        with one_thread():
            return Wild().run(TWFE(), panel, Target(), streams=Streams(1), parallel=Parallel(), full=found)

    def refits() -> Any:
        signs = np.random.default_rng(1).integers(0, 2, size=(40, clusters)) * 2.0 - 1.0
        with one_thread():
            return [evaluate(TWFE(), panel.with_outcome(panel.y * row[panel.cluster, None]), Target()) for row in signs]

    def agree(first: Any, second: Any) -> None:
        assert isinstance(first, Uncertainty) and 0 < first.p_value[0] <= 1 and len(second) == 40

    # Forty refits take longer than all draws here, so all refits would take more than 250 times as long.
    race(
        f"wild bootstrap, 9,999 draws of 60,000 rows in {clusters:,} clusters",
        target,
        ours,
        Beside("40 refits", refits, agree),
    )


def test_randomisation(race: Race) -> None:
    """9,999 sets of 100 wijken of 3,000, for 150 outcomes, with the error of every set."""
    rng = np.random.default_rng(0)
    values, mass = rng.normal(size=(3000, 150)), np.ones(3000)
    rows = np.array([rng.choice(3000, 100, replace=False) for _ in range(9999)])
    share, block = np.full(rows.shape, 0.01), np.repeat(np.arange(20), 5)

    def run(function: Any, sets: Any) -> Any:
        filled = {name: np.empty((len(sets), 150)) for name in ("estimate", "square")}
        with one_thread():
            group = np.zeros(100, dtype=np.intp)
            function(
                values, mass, values.sum(axis=0), sets, share[: len(sets)], group, block, np.ones((1, 150)), **filled
            )
        return filled["estimate"]

    def agree(first: Any, second: Any) -> None:
        np.testing.assert_allclose(first[:200], second, rtol=0, atol=1e-12)

    # The plain way makes 200 of the sets, a fiftieth.
    beside = Beside("numpy, a fiftieth", partial(run, _plain, rows[:200]), agree, times=0.1)
    race("randomisation inference, 9,999 sets × 150 outcomes", 0.2, partial(run, stood_in, rows), beside)
