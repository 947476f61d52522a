"""The wild bootstrap against R `fwildclusterboot` 0.13; CV3 and clustered errors against `summclust` and `sandwich`.

The regression of the files has a county's state and population in the place of county effects: on this balanced panel
coefficient and scores are those of two-way fixed effects, so that only small-sample factors differ.
"""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from impact.estimators.twfe import TWFE
from impact.inference.cluster import ClusterJackknife, Scores
from impact.inference.protocol import Uncertainty
from impact.inference.wild import Wild
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target
from tests.shared import golden, shared

STATES, ROWS, COEFFICIENTS = 29, 2500, 35  # post, lpop, the constant, 4 years and 28 states


def counties() -> Panel:
    return Panel.from_frame(
        pd.read_csv(shared("reference/data/mpdta_twfe.csv")),
        unit="countyreal",
        time="year",
        outcome="lemp",
        first_treated="first.treat",
        cluster="state",
    )


def run(inference: Any) -> Uncertainty:
    found = inference.run(TWFE(), counties(), Target(), streams=Streams(1), parallel=Parallel())
    assert isinstance(found, Uncertainty), str(found)
    return found


@pytest.mark.parametrize("weights", ["rademacher", "webb"])
def test_wild_p_value_and_interval(weights: Any) -> None:
    """Both are drawn, 99,999 times. p within four errors of the difference of two such shares. The ends within a
    hundredth of the width: over seeds ours vary by 0.0016 of it, and those of the file lie 0.003 to 0.005 further out,
    where a literal bootstrap of its regression (30,000 draws, with dummies) has p = 0.0487 and 0.0486, as we have."""
    theirs = golden(f"wcb_mpdta_state_{weights}")["results"]
    found = run(Wild(weights=weights, draws=99_999))
    factor = STATES / (STATES - 1) * (ROWS - 1) / (ROWS - COEFFICIENTS)
    estimate = theirs["point"]
    assert (found.low[0] + found.high[0]) / 2 == pytest.approx(estimate, abs=0.01)
    assert estimate / (found.std_error[0] * math.sqrt(factor)) == pytest.approx(theirs["t_stat"], rel=1e-9)
    share = theirs["p_val"]
    assert abs(found.p_value[0] - share) < 4 * math.sqrt(2 * share * (1 - share) / 99_999)
    low, high = theirs["conf_int"]
    assert found.low[0] == pytest.approx(low, abs=0.01 * (high - low))
    assert found.high[0] == pytest.approx(high, abs=0.01 * (high - low))


def test_cv3() -> None:
    """A jackknife in which every state is left out with its own county effects; centred on the estimate in both."""
    theirs = golden("crv3_mpdta_state")["results"]
    assert run(ClusterJackknife()).std_error[0] == pytest.approx(theirs["se_post"], rel=1e-9)


def test_clustered_sandwich() -> None:
    """``vcovCL`` multiplies by G / (G - 1), and as HC1 by (n - 1) / (n - k) too; HC0 and the others are not of
    clusters, and have no counterpart here."""
    theirs = golden("sandwich_mpdta_state")["results"]
    error = run(Scores()).std_error[0]
    first = math.sqrt(STATES / (STATES - 1))
    assert error * first == pytest.approx(theirs["vcovCL_state_HC0"], rel=1e-9)
    second = first * math.sqrt((ROWS - 1) / (ROWS - COEFFICIENTS))
    assert error * second == pytest.approx(theirs["vcovCL_state_HC1"], rel=1e-9)
