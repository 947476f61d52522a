"""Bounds under departures from parallel trends, against R ``HonestDiD`` 0.2.7.

Its conditional sets are the accepted points of a grid of 1,000 over 40 standard errors, so the set reaches up to a step
further. It also draws the first stage of the hybrid 1,000 times, which moves an end a little: ends are given the width
between first stages at two Monte-Carlo standard errors of that on either side. Its fixed-length intervals are tuned by
a numerical derivative of a quantile of a million draws: the length is met to 0.5 %, and the middle, on which the length
hardly depends, to a tenth of a standard error.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import impact
from impact.checks.honest import Question
from impact.numerics.moment_inequalities import confidence_set, least_favourable
from impact.numerics.trend_bounds import rays
from tests.shared import golden

CASES = ("honestdid_BC_first", "honestdid_mpdta_cs_e0")
SIMS = 1000


def question(case: str) -> tuple[Question, dict]:  # type: ignore[type-arg]
    found = golden(case)["results"]
    assert found["l_vec"] == [1, 0, 0, 0]
    beta, sigma = np.array(found["betahat"]), np.array(found["sigma"])
    return Question(beta, sigma, found["numPrePeriods"], np.array([1.0, 0, 0, 0])), found


@pytest.mark.parametrize("case", CASES)
def test_relative_magnitudes(case: str) -> None:
    asked, found = question(case)
    table = impact.honest(asked.beta, asked.sigma, asked.before, grid=found["RM_CLF"]["Mbar"])
    step = 40 * asked.error / 999
    noise = 2 * np.sqrt(0.005 * 0.995 / SIMS)
    rows = zip(found["RM_CLF"]["Mbar"], found["RM_CLF"]["lb"], found["RM_CLF"]["ub"], strict=True)
    for (bound, low, high), got in zip(rows, table.itertuples(), strict=True):
        rules = rays(asked.sigma, asked.before, asked.combination, bound, "relative-magnitudes")
        ends = []
        for share in (0.005 - noise, 0.005 + noise):
            ends.append(confidence_set(rules, asked.beta, least_favourable(rules, asked.errors, share), 0.05))
        wide, narrow = ends
        assert wide is not None
        assert narrow is not None
        assert wide[0] - 1e-9 <= low <= narrow[0] + step
        assert got.lower == pytest.approx(low, abs=step + narrow[0] - wide[0])
        if high < 20 * asked.error * (1 - 1e-9):  # the last point of the grid cuts the set off
            assert narrow[1] - step <= high <= wide[1] + 1e-9
            assert got.upper == pytest.approx(high, abs=step + wide[1] - narrow[1])
        else:
            assert got.upper > high


def off(case: str, draws: int, seed: int = 3) -> dict[tuple[float, str], float]:
    """How far inside ours the ends of R lie, in steps of its grid; ends at the last point of the grid left out."""
    asked, found = question(case)
    expected, step = found["RM_CLF"], 40 * asked.error / 999
    table = impact.honest(
        asked.beta, asked.sigma, asked.before, grid=expected["Mbar"], draws=draws, seed=seed, method="conditional"
    )
    ends = {}
    for row, low, high in zip(table.itertuples(), expected["lb"], expected["ub"], strict=True):
        ends[row.bound, "lower"] = (low - row.lower) / step
        if high < 20 * asked.error * (1 - 1e-9):
            ends[row.bound, "upper"] = (row.upper - high) / step
    return ends


def test_ends_are_met_within_one_step_of_the_grid_but_two() -> None:
    """With a first stage of 400,000 draws: 17 of the 19 ends that R's grid does not cut off; the others lie a quarter
    of a step farther. Of these the first stage of R, 1,000 draws, is the reason: with as many draws ours get there."""
    every = {(case, *end): away for case in CASES for end, away in off(case, 400_000).items()}
    assert len(every) == 19
    beyond = {end for end, away in every.items() if abs(away) > 1}
    assert beyond == {("honestdid_mpdta_cs_e0", 0.5, "lower"), ("honestdid_mpdta_cs_e0", 1.0, "lower")}
    assert max(abs(away) for away in every.values()) < 1.25
    few = [off("honestdid_mpdta_cs_e0", SIMS, seed) for seed in range(12)]
    for bound in (0.5, 1.0):
        assert min(ends[bound, "lower"] for ends in few) <= 1


@pytest.mark.parametrize("case", CASES)
def test_no_departure_is_the_plain_interval(case: str) -> None:
    asked, found = question(case)
    low, high = impact.honest(asked.beta, asked.sigma, asked.before, grid=[0])[["lower", "upper"]].iloc[0]
    assert low == pytest.approx(found["original"]["lb"][0][0], abs=1e-12)
    assert high == pytest.approx(found["original"]["ub"][0][0], abs=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_smoothness(case: str) -> None:
    asked, found = question(case)
    asked = replace(asked, restriction="smoothness")
    expected = found["SD_FLCI"]
    for bound, low, high in zip(expected["M"], expected["lb"], expected["ub"], strict=True):
        got = asked.interval(bound)
        assert got is not None
        assert got[1] - got[0] == pytest.approx(high - low, rel=5e-3)
        assert sum(got) / 2 == pytest.approx((low + high) / 2, abs=0.1 * asked.error)


def test_the_breakdown_value_is_where_the_interval_reaches_nothing() -> None:
    asked, found = question("honestdid_BC_first")
    table = impact.honest(asked.beta, asked.sigma, asked.before, grid=[0])
    value = float(table["breakdown"].iloc[0])
    # By the reference the interval holds 0 at 2 and not at 1.5.
    assert found["RM_CLF"]["lb"][3] > 0 > found["RM_CLF"]["lb"][4]
    assert 1.5 < value < 2
    around = impact.honest(asked.beta, asked.sigma, asked.before, grid=[value - 1e-3, value + 1e-3])
    assert around["lower"].iloc[0] > 0 > around["lower"].iloc[1]
