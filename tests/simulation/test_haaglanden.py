"""Error rates on real data: crime in wijken of Haaglanden, of which some are called treated though nothing happened.

The wijken are drawn one by one, so each is a cluster by itself. The short set runs always, the long one with
``tox -e simulation``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd
import pytest

from impact.estimators.did import DiD
from impact.inference.cluster import ClusterJackknife, Scores
from impact.inference.diagnose import Diagnosis, Pair, Rate, diagnose
from impact.inference.flip import ScoreFlip
from impact.panel import Panel
from impact.streams import Streams
from impact.targets import Target
from tests.shared import shared

SHORT, LONG = 200, 2_000
START, BEFORE, LEAST = "2014", 3, 50
PAIRS = (
    Pair("cluster-jackknife", DiD(), ClusterJackknife()),
    Pair("score-flip", DiD(), ScoreFlip(draws=399)),
    Pair("ordinary clustered errors", DiD(), Scores()),
)


@cache
def wijken() -> Panel:
    """Crimes of all kinds as a percentage of the wijk's own mean of 2011 to 2013; wijken with fewer than 50 a year are
    out, and 2017, of which a month is missing."""
    table = pd.read_csv(shared("data/thehague_crime/haaglanden_misdrijven_wijk_jaar_2011_2017_wide.csv"))
    table = table[table["jaar"] < 2017]
    kinds = table.columns.difference(["jaar", "wijk", "wk_code", "gemeente", "overval"])
    wide = table.assign(total=table[kinds].sum(axis=1)).pivot(index="wk_code", columns="jaar", values="total")
    own = wide.iloc[:, :BEFORE].mean(axis=1)
    wide = wide[own >= LEAST]
    y = wide.to_numpy(dtype=np.float64) / own[own >= LEAST].to_numpy()[:, None] * 100
    count = len(y)
    return Panel(
        y=y,
        first=np.full(count, np.inf),
        units=tuple(wide.index),
        periods=tuple(map(str, wide.columns)),
        cluster=np.arange(count),
        clusters=tuple(wide.index),
        area=np.full(count, -1),
        areas=(),
        weight=np.ones(count),
        group=np.full(count, -1),
    )


@dataclass(frozen=True)
class Placebo:
    """`treated` wijken drawn at random."""

    treated: int

    def __call__(self, number: int) -> Panel:
        panel = wijken()
        chosen = Streams(2014).at("haaglanden", self.treated, number).generator()
        first = np.full(len(panel.units), np.inf)
        first[chosen.choice(len(first), self.treated, replace=False)] = panel.periods.index(START)
        return panel.assign(first)


@cache
def found(treated: int, draws: int) -> dict[str, Diagnosis]:
    rows = diagnose(Placebo(treated), draws, PAIRS, Target("average"), streams=Streams(7))
    return {row.label: row for row in rows}


def rate(one: Rate | None) -> Rate:
    assert one is not None
    return one


def test_the_data_are_what_the_design_page_says() -> None:
    panel = wijken()
    assert panel.periods == ("2011", "2012", "2013", "2014", "2015", "2016")
    assert 60 <= len(panel.units) < 102 and np.isfinite(panel.y).all()


@pytest.mark.parametrize("treated", [1, 3])
def test_with_fewer_than_four_there_is_no_interval(treated: int) -> None:
    rows = found(treated, SHORT)
    assert rows["cluster-jackknife"].size is None
    assert sum(rows["cluster-jackknife"].refused.values()) == SHORT


def test_ordinary_errors_see_effects_where_there_are_none() -> None:
    """With one treated wijk the regression fits it exactly, and its error is that of the other wijken alone."""
    rejected = []
    for number in range(SHORT):
        panel = Placebo(1)(number)
        change = panel.y[:, BEFORE:].mean(axis=1) - panel.y[:, :BEFORE].mean(axis=1)
        own, others = change[panel.treated][0], change[panel.never]
        rejected.append(abs(own - others.mean()) > 1.96 * others.std() / np.sqrt(len(others)))
    assert np.mean(rejected) > 0.6
    assert found(1, SHORT)["ordinary clustered errors"].size is None  # so here they are refused
    several = rate(found(3, SHORT)["ordinary clustered errors"].size)
    assert several.value > 0.07 + 3 * several.mc_error


@pytest.mark.parametrize("treated", [5, 10, 20])
def test_the_default_holds_its_level(treated: int) -> None:
    _held(found(treated, SHORT), treated)


@pytest.mark.simulation
@pytest.mark.parametrize("treated", [1, 3, 5, 10, 20])
def test_two_thousand_draws(treated: int) -> None:
    rows = found(treated, LONG)
    for label, row in rows.items():
        size, width = row.size, row.width
        print(treated, label, row.refused or "", size, width)
    if treated >= 4:
        _held(rows, treated)


def _held(rows: dict[str, Diagnosis], treated: int) -> None:
    for label in ("cluster-jackknife", "score-flip"):
        size = rate(rows[label].size)
        assert size.value <= 0.07 + 3 * size.mc_error, (treated, label, size)
