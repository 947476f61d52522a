"""What passing a test before the start selects, against R ``pretrends`` 0.1.0 (whose integrals err by 1e-3)."""

from __future__ import annotations

import numpy as np
import pytest

from impact.numerics.pretest import passing, slope_for_power
from tests.shared import golden

BEFORE = 3


def test_power_and_the_means_of_those_that_pass() -> None:
    found = golden("pretrends_hewang")["results"]
    sigma, times = np.array(found["sigma"]), np.array(found["tVec"], dtype=float) + 1
    critical = np.full(BEFORE, 1.96)  # the reference rounds it
    inner = sigma[:BEFORE, :BEFORE]
    for power, expected in ((0.5, found["slope50"]), (0.8, found["slope80"])):
        assert slope_for_power(power, times[:BEFORE], inner, critical) == pytest.approx(expected, rel=1e-3)
    under = passing(found["slope50"] * times, sigma, critical)
    none = passing(np.zeros(len(times)), sigma, critical)
    assert 1 - under.probability == pytest.approx(found["power"]["Power"], abs=1e-3)
    assert under.probability / none.probability == pytest.approx(found["power"]["Bayes.Factor"], abs=1e-3)
    plot = found["eventplot"]
    expected = [mean for time, mean in zip(plot["t"], plot["meanAfterPretesting"], strict=True) if time != -1]
    assert under.mean == pytest.approx(expected, rel=1e-3)
    assert [delta for time, delta in zip(plot["t"], plot["deltatrue"], strict=True) if time != -1] == pytest.approx(
        found["slope50"] * times
    )
