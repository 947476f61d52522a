"""Scores of the regressions are what a little more weight of a unit does to every cell: exactly, not to first order."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest

from impact.cells import Fit
from impact.estimators.protocol import Estimator
from impact.estimators.sun_abraham import SunAbraham
from impact.estimators.twfe import TWFE
from impact.panel import Panel
from impact.targets import Target
from tests.estimators.worlds import STAGGERED, holes, panel_of

STEP = 1e-5
# Central differences: the square of the step, and rounding of 1e-15 over the step.
NEAR = 1e-8


def nudged(panel: Panel, unit: int, times: float) -> Panel:
    """The panel in which a unit counts `times` as much, wherever it counts."""
    more = np.where(np.arange(len(panel.units)) == unit, times, 1.0)
    serving = None if panel.serving is None else panel.serving * more
    panel = replace(panel, weight=panel.weight * more, serving=serving)
    return panel if panel.pairs is None else panel.with_pairs(panel.pairs * more)


@pytest.mark.parametrize("estimator", [TWFE(), TWFE(effect="event"), SunAbraham()], ids=["constant", "event", "sun"])
@pytest.mark.parametrize("how", ["plain", "resident", "matched", "matched resident"])
@pytest.mark.parametrize("varying", [0, 2])
@pytest.mark.parametrize("share", [0.0, 0.1])
def test_the_score_is_the_derivative_in_the_weight(
    estimator: Estimator, how: Literal["plain", "resident", "matched", "matched resident"], varying: int, share: float
) -> None:
    panel = replace(panel_of(STAGGERED, varying=varying, weight="weight"), residents=np.arange(1.0, 13.0) ** 2)
    panel = holes(panel, share)
    if "matched" in how:
        panel = panel.with_pairs(np.random.default_rng(5).uniform(size=(len(panel.areas), 12)) * panel.never)
    panel = Target("event", "resident" if "resident" in how else "unit").prepare(panel)
    fit = estimator.fit(panel)
    assert isinstance(fit, Fit) and fit.cells.scores is not None
    scores = fit.cells.scores.at(np.eye(len(fit.cells.effect)))
    for unit in range(len(panel.units)):
        up, down = (estimator.fit(nudged(panel, unit, 1 + sign * STEP)) for sign in (1, -1))
        assert isinstance(up, Fit) and isinstance(down, Fit)
        moved = (up.cells.effect - down.cells.effect) / (2 * STEP)
        np.testing.assert_allclose(moved, scores[unit], atol=NEAR, err_msg=panel.units[unit])
