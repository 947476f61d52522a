"""Errors shared over space and time, against R ``fixest`` 0.14.2.

``fixest_conley_quakes`` is a regression of depths on magnitudes at 1,000 places with a uniform kernel. Its *spherical*
distances are great circles on a sphere of 6,376 km, which are within a length where the chord is within another; its
*triangular* ones (111 km a degree) take the cosine at the middle of every pair, are no distances of any map, and are
not claimed. Of ``fixest_twfe_mpdta`` the Newey-West (``NW_unit``) and Driscoll-Kraay (``DK``) errors are met here.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import impact
from impact.numerics.pairs import covariance
from tests.shared import golden, shared

EARTH = 6376.0


@pytest.mark.parametrize("cutoff", [100, 200, 500])
def test_spherical_conley(cutoff: int) -> None:
    table = pd.read_csv(shared("reference/data/quakes.csv"))
    x = np.column_stack([np.ones(len(table)), table["mag"]])
    bread = np.linalg.inv(x.T @ x)
    y = table["depth"].to_numpy(float)
    scores = (x * (y - x @ (bread @ x.T @ y))[:, None]) @ bread
    north, east = np.radians(table["lat"].to_numpy()), np.radians(table["long"].to_numpy())
    place = EARTH * np.column_stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)])
    chord = 2 * EARTH * np.sin(cutoff / EARTH / 2)
    found = np.sqrt(np.diag(covariance(place, scores[:, None, :], chord, "uniform")))
    # The reference multiplies the variance by n / (n - K).
    factor = np.sqrt(len(y) / (len(y) - 2))
    expected = golden("fixest_conley_quakes")["results"][f"conley{cutoff}spherical"]["se"]
    np.testing.assert_allclose(factor * found, expected, rtol=1e-9)


def test_newey_west_and_driscoll_kraay() -> None:
    """Lag 1 for five periods; the reference multiplies the variance by (n - 1) / (n - K) and T / (T - 1)."""
    expected = golden("fixest_twfe_mpdta")["results"]
    frame = pd.read_csv(shared("reference/data/mpdta_twfe.csv")).assign(x=0.0)
    frame["x"] = frame["countyreal"] * 1000.0
    panel = impact.Panel.from_frame(
        frame, unit="countyreal", time="year", outcome="lemp", first_treated="first.treat", place=("x", "x")
    )
    factor = np.sqrt(5 / 4 * 2499 / 1995)
    for name, inference, options in (("NW_unit", "conley", {"cutoff": 0, "lags": 1}), ("DK", "driscoll-kraay", {})):
        result = impact.estimate(panel, "twfe", inference=inference, **options)
        assert isinstance(result, impact.Result)
        row = result.tidy().iloc[0]
        assert row["estimate"] == pytest.approx(expected[name]["estimate"], abs=1e-12)
        assert factor * row["std_error"] == pytest.approx(expected[name]["se"], rel=1e-9)
    assert row["df"] == expected["DK"]["df_t"]
