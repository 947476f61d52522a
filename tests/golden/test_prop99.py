"""California's Proposition 99: did, synthetic control and synthetic did against R, to the digit or to the optimum.

Where R stops early, equality would copy its error. There the weights of both are set against the objective: ours may
not be worse, and the estimates may differ only as far as R's excess over the optimum explains. For least squares
``f(w) − f* ≥ ‖A(w − w*)‖² + ridge ‖w − w*‖²``, so a reference whose objective is δ above the optimum has a pre-period
path within √δ of ours; that inequality is asserted, and the mean effect is held to its root mean square, √(δ/T0).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

from impact.arrays import Float1, Float2
from impact.cells import Fit
from impact.estimators.did import DiD
from impact.estimators.protocol import Estimator
from impact.estimators.synthetic_control import SyntheticControl
from impact.estimators.synthetic_did import SyntheticDiD
from impact.numerics.simplex import GAP
from impact.panel import Panel
from impact.targets import Target
from tests.shared import golden, shared

SAME = 1e-8  # same program, same rule: what remains is the order of sums
ROUNDING = 1e-12  # of an objective, relative
# The optimum of the synthetic-did programs, found by an active set and by clarabel at 1e-13 independently of this code.
OPTIMUM = -15.6053979163
CALIFORNIA = "California"


@pytest.fixture(scope="module")
def panel() -> Panel:
    frame = pd.read_csv(shared("reference/data/california_prop99.csv"))
    return Panel.from_frame(frame, unit="State", time="Year", outcome="PacksPerCapita", treated="treated")


def fitted(estimator: Estimator, panel: Panel) -> Fit:
    found = estimator.fit(panel)
    assert isinstance(found, Fit)
    return found


def average(fit: Fit, panel: Panel) -> float:
    values = Target().values(fit.cells, panel)
    assert isinstance(values, dict)
    return values["average"]


def split(panel: Panel) -> tuple[Float2, Float1, int]:
    """Donors (J, T), California (T,), and the number of periods before the start."""
    row = panel.units.index(CALIFORNIA)
    return np.delete(panel.y, row, axis=0), panel.y[row], int(panel.first[row])


def unit_weights(fit: Fit) -> Float1:
    assert fit.weights is not None
    row = fit.weights.units.index(CALIFORNIA)
    assert fit.weights.unit[0, row] == 0
    return np.delete(fit.weights.unit[0], row)


def time_weights(fit: Fit, before: int) -> Float1:
    assert fit.weights is not None
    assert not fit.weights.time[0, before:].any()
    return fit.weights.time[0, :before]


def held_to(a: Float2, b: Float1, ridge: float, ours: Float1, theirs: Float1) -> float:
    """√(δ/T0), after asserting that ours is no worse and that the paths differ by no more than δ allows."""
    theirs = theirs / theirs.sum()
    best, other = (float(np.sum((a @ w - b) ** 2) + ridge * w @ w) for w in (ours, theirs))
    assert best <= other * (1 + ROUNDING)
    excess = max(other - best, 0.0)
    apart = float(np.sum((a @ (theirs - ours)) ** 2) + ridge * np.sum((theirs - ours) ** 2))
    assert apart <= excess + ROUNDING * other
    return float(np.sqrt((excess + ROUNDING * other) / len(b)))


def listed(weights: Mapping[str, float], panel: Panel) -> Float1:
    return np.array([weights[name] for name in panel.units if name != CALIFORNIA])


def test_did(panel: Panel) -> None:
    expected = golden("synthdid_prop99")["results"]["did"]
    fit = fitted(DiD(), panel)
    assert average(fit, panel) == pytest.approx(expected["estimate"], abs=1e-9)
    np.testing.assert_allclose(fit.cells.effect[fit.cells.post], expected["effect_curve"], atol=1e-9, rtol=0)


def test_synthetic_did_that_stops_where_r_stops(panel: Panel) -> None:
    results = golden("synthdid_prop99")["results"]
    expected = results["synthdid"]
    assert tuple(results["controls"]) == tuple(name for name in panel.units if name != CALIFORNIA)
    fit = fitted(SyntheticDiD(solver="fw"), panel)
    assert average(fit, panel) == pytest.approx(expected["estimate"], abs=SAME)
    np.testing.assert_allclose(unit_weights(fit), expected["omega"], atol=SAME, rtol=0)
    np.testing.assert_allclose(time_weights(fit, results["T0"]), expected["lambda"], atol=SAME, rtol=0)
    np.testing.assert_allclose(fit.cells.effect[fit.cells.post], expected["effect_curve"], atol=SAME, rtol=0)
    assert fit.trace[0].objective / results["T0"] == pytest.approx(expected["omega_vals_last"], rel=1e-10)
    assert [trace.status for trace in fit.trace] == ["stopped by rule"] * 2


@pytest.mark.parametrize("name", ["synthdid_prop99", "synthdid_prop99_converged"])
def test_synthetic_did_solved(panel: Panel, name: str) -> None:
    expected = golden(name)["results"]["synthdid"]
    zetas = golden("synthdid_prop99")["results"]["synthdid"]
    fit = fitted(SyntheticDiD(), panel)
    assert average(fit, panel) == pytest.approx(OPTIMUM, abs=SAME)
    assert all(trace.status == "optimal" and trace.gap <= GAP for trace in fit.trace)
    donors, treated, before = split(panel)
    a, b = donors[:, :before].T, treated[:before]
    omega = held_to(
        a - a.mean(axis=0),
        b - b.mean(),
        before * zetas["zeta_omega"] ** 2,
        unit_weights(fit),
        np.array(expected["omega"]),
    )
    a, b = donors[:, :before], donors[:, before:].mean(axis=1)
    lam = held_to(
        a - a.mean(axis=0),
        b - b.mean(),
        len(b) * zetas["zeta_lambda"] ** 2,
        time_weights(fit, before),
        np.array(expected["lambda"]),
    )
    assert average(fit, panel) == pytest.approx(expected["estimate"], abs=omega + lam)


@pytest.mark.parametrize("name", ["synthdid_prop99", "synthdid_prop99_converged"])
def test_synthetic_control_against_synthdid(panel: Panel, name: str) -> None:
    expected = golden(name)["results"]["sc"]
    fit = fitted(SyntheticControl(), panel)
    donors, treated, before = split(panel)
    allowed = held_to(donors[:, :before].T, treated[:before], 0.0, unit_weights(fit), np.array(expected["omega"]))
    assert average(fit, panel) == pytest.approx(expected["estimate"], abs=allowed)


def test_synthetic_control_against_augsynth(panel: Panel) -> None:
    expected = golden("augsynth_prop99_none")["results"]
    fit = fitted(SyntheticControl(), panel)
    donors, treated, before = split(panel)
    theirs = listed(expected["weights"], panel)
    allowed = held_to(donors[:, :before].T, treated[:before], 0.0, unit_weights(fit), theirs)
    reported = expected["conformal"]["avg"]["Estimate"]
    assert average(fit, panel) == pytest.approx(reported, abs=allowed)
    assert average(fit, panel) == pytest.approx(reported, abs=1e-4)  # osqp stops early by far less than frank-wolfe
    assert np.sqrt(fit.trace[0].objective) <= expected["l2"] * (1 + ROUNDING)
    assert fit.trace[0].status == "optimal"
    gaps = np.array([expected["att"][period] for period in panel.periods])
    np.testing.assert_allclose(fit.cells.effect, gaps, atol=1e-3, rtol=0)


def test_synthetic_control_against_synth_with_scaled_periods(panel: Panel) -> None:
    """Synth divides every period by its standard deviation over all states and weighs them equally.

    Here the panel is divided so beforehand. Its solver ipop stops with all weights about 1e-4 away from 0.
    """
    expected = golden("synth_prop99_outcomesonly_equalV")["results"]
    with shared("reference/data/smoking.csv").open(encoding="utf-8", newline="") as file:
        packs = {(row["state"], row["year"]): float(row["cigsale"]) for row in csv.DictReader(file)}
    raw = np.array([[packs[state, year] for year in panel.periods] for state in panel.units])
    _, _, before = split(panel)
    spread = np.where(np.arange(len(panel.periods)) < before, raw.std(axis=0, ddof=1), 1.0)
    scaled = panel.with_outcome(raw / spread)
    fit = fitted(SyntheticControl(), scaled)
    donors, treated, _ = split(scaled)
    numbers = [number for number, name in enumerate(panel.units, start=1) if name != CALIFORNIA]
    theirs = np.array([expected["w"][str(number)] for number in numbers])
    a, b = donors[:, :before].T, treated[:before]
    assert np.mean((a @ theirs - b) ** 2) == pytest.approx(expected["loss_w"], rel=1e-6)
    assert fit.trace[0].objective / before <= expected["loss_w"]
    allowed = held_to(a, b, 0.0, unit_weights(fit), theirs) * spread[:before].max()  # back in packs
    gaps = np.array([expected["gaps"][period] for period in panel.periods])
    assert average(fit, panel) == pytest.approx(gaps[before:].mean(), abs=allowed)
