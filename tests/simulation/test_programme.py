"""Error rates in the design of this programme: 20 areas in 19 of 342 gemeenten, which start at three moments.

There is no effect; the worlds are those of ``tests/simulation/programme.py``. The command
``python -m tests.simulation.test_programme 5000`` makes the table of docs/error-rates.md; the short set runs always,
the long one with ``tox -e simulation``.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import get_args

import numpy as np
import pytest
from scipy.stats import binom

from impact.estimators.did import DiD
from impact.inference.cluster import ClusterJackknife, Scores
from impact.inference.diagnose import Diagnosis, Pair, diagnose
from impact.inference.flip import ScoreFlip
from impact.panel import Weighting
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target
from tests.shared import ROOT
from tests.simulation.programme import HOSTS, Draw, World, design, starts
from tests.simulation.table import rewrite

PAGE = ROOT / "docs" / "error-rates.md"
SHORT, LONG = 150, 5_000
PAIRS = (
    Pair("cluster-jackknife", DiD(), ClusterJackknife()),
    Pair("score-flip", DiD(), ScoreFlip(draws=399)),
    Pair("CR1 by gemeente", DiD(), Scores()),
)
BY_WIJK = (Pair("errors by wijk", DiD(), Scores()),)
LIMIT = 0.06
WORLDS = tuple(
    World(*shocks, few)
    for few in (False, True)
    for shocks in ((0.0, 0.0, 1.0), (0.1, 0.0, 1.0), (0.3, 0.0, 1.0), (0.1, 0.2, 1.5))
)
WORST = WORLDS[-1]


@cache
def rows(world: World, weighting: Weighting, worlds: int, workers: int = 1) -> tuple[Diagnosis, ...]:
    parallel, target = Parallel(workers), Target("average", weighting)
    return (
        *diagnose(Draw(world), worlds, PAIRS, target, streams=Streams(22), parallel=parallel),
        *diagnose(Draw(world, True), worlds, BY_WIJK, target, streams=Streams(22), parallel=parallel),
    )


def too_often(row: Diagnosis) -> bool:
    """Whether the lower 99.9 % limit (Clopper-Pearson) of the share of rejections is above 6 %."""
    assert row.size is not None
    hits = round(row.size.value * row.size.worlds)
    return hits > 0 and float(binom.sf(hits - 1, row.size.worlds, LIMIT)) < 0.001


@pytest.mark.parametrize("weighting", get_args(Weighting))
def test_the_default_holds_in_the_hardest_world(weighting: Weighting) -> None:
    found = {row.label: row for row in rows(WORST, weighting, SHORT)}
    assert not found["cluster-jackknife"].refused
    assert not too_often(found["cluster-jackknife"])
    bias = found["cluster-jackknife"].bias
    assert bias is not None and abs(bias.value) < 3.5 * bias.mc_error


def test_it_is_a_world_in_which_other_errors_fail() -> None:
    found = {row.label: row for row in rows(WORST, "area", SHORT)}
    assert too_often(found["errors by wijk"])


def test_the_design_is_that_of_the_programme() -> None:
    for few, gemeenten in ((False, 342), (True, 49)):
        panel = design(few)
        assert len(panel.clusters) == gemeenten and len(panel.areas) == 20
        assert len(np.unique(panel.cluster[panel.treated])) == HOSTS
        first = [int(panel.first[panel.area == area][0]) for area in range(20)]
        assert sorted(first) == [2] + [5] * 15 + [6] * 4 == starts(20).tolist()


@pytest.mark.simulation
@pytest.mark.parametrize("weighting", get_args(Weighting))
@pytest.mark.parametrize("world", WORLDS, ids=str)
def test_the_default_over_5000_worlds(world: World, weighting: Weighting) -> None:
    (row,) = diagnose(
        Draw(world), LONG, PAIRS[:1], Target("average", weighting), streams=Streams(22), parallel=Parallel(2)
    )
    assert not row.refused and not too_often(row)


def main(worlds: int, workers: int) -> None:
    """Write the table of the page."""
    told = [
        f"| world ({worlds:,} draws) | weighting | " + " | ".join(pair.label for pair in (*PAIRS, *BY_WIJK)) + " |",
        "|---|---|" + "--:|" * (len(PAIRS) + 1),
    ]
    for world in WORLDS:
        for weighting in get_args(Weighting):
            found = rows(world, weighting, worlds, workers)
            sizes = " | ".join("–" if row.size is None else f"{row.size.value:.3f}" for row in found)
            told.append(f"| {world} | {weighting} | {sizes} |")
            print(told[-1], file=sys.stderr, flush=True)
    rewrite(PAGE, "| world (", told)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else LONG, int(sys.argv[2]) if len(sys.argv) > 2 else 2)
