"""Entropy balancing against ebal 0.1-8 (R) on the Lalonde data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import impact
from impact.design.weighting import Weighted
from tests.golden.test_weightit import ON, lalonde
from tests.shared import golden

# Both solve the dual by Newton: ebal to 1e-9 in the unit of every moment (3.5e-10 is left of an income), we to 1e-11
# standard deviations.
EXACT = 1e-10
RESULTS = "ebal_lalonde"


def balanced() -> Weighted:
    found = impact.match(lalonde(), treated="treat", on=ON, method="entropy")
    assert isinstance(found, Weighted), found
    return found


def test_weights() -> None:
    results = golden(RESULTS)["results"]
    expected = pd.Series(results["w_controls"])
    found = balanced().weights
    np.testing.assert_allclose(found[expected.index], expected / expected.mean(), rtol=EXACT)
    assert (found[lalonde()["treat"] == 1] == 1).all()


def test_coefficients() -> None:
    results = golden(RESULTS)["results"]
    multipliers = balanced().table()["multiplier"].astype(float)
    np.testing.assert_allclose(multipliers, results["coefs"][1:], rtol=EXACT)


def test_effect() -> None:
    frame, found = lalonde(), balanced()
    means = [
        np.average(frame["re78"][group], weights=found.weights[group]) for group in (found.treated, ~found.treated)
    ]
    assert means[0] - means[1] == pytest.approx(golden(RESULTS)["results"]["att"], rel=EXACT)
