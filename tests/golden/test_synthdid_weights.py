"""California's Proposition 99 against R synthdid 0.0.9: its stopping rule to the digit, and the optimum it misses."""

from __future__ import annotations

import csv
from dataclasses import dataclass

import numpy as np
import pytest

from impact.arrays import Float1, Float2
from impact.numerics.simplex import GAP, Simplex, solve, solve_fw
from tests.shared import golden, shared

# R works in the same floating point, so what remains is the order of sums.
SAME = 1e-9
# The optimum of the synthetic-did programs, found by an active set and by clarabel at 1e-13 independently of this code.
OPTIMUM = -15.6053979163


@dataclass(frozen=True, slots=True)
class Prop99:
    """The panel as Arkhangelsky et al. (2021, Algorithm 1) cut it up."""

    y: Float2
    controls: int
    before: int
    noise: float

    def omega(self, *, centre: bool) -> tuple[Float2, Float1]:
        a, b = self.y[: self.controls, : self.before].T, self.y[self.controls :, : self.before].mean(axis=0)
        return (a - a.mean(axis=0), b - b.mean()) if centre else (a, b)

    def lam(self) -> tuple[Float2, Float1]:
        a, b = self.y[: self.controls, : self.before], self.y[: self.controls, self.before :].mean(axis=1)
        return a - a.mean(axis=0), b - b.mean()

    def estimate(self, omega: Float1, lam: Float1) -> float:
        after = self.y.shape[1] - self.before
        return float(np.r_[-omega, 1.0] @ self.y @ np.r_[-lam, np.full(after, 1 / after)])


@pytest.fixture(scope="module")
def prop99() -> Prop99:
    reference = golden("synthdid_prop99")["results"]
    with shared("reference/data/california_prop99.csv").open(encoding="utf-8", newline="") as file:
        packs = {(row["State"], row["Year"]): float(row["PacksPerCapita"]) for row in csv.DictReader(file)}
    y = np.array(
        [
            [packs[state, year] for year in reference["times"]]
            for state in [*reference["controls"], reference["treated"]]
        ]
    )
    controls, before = reference["N0"], reference["T0"]
    return Prop99(y, controls, before, float(np.std(np.diff(y[:controls, :before], axis=1), ddof=1)))


def fw(problem: tuple[Float2, Float1], zeta: float, least: float) -> Simplex:
    a, b = problem
    return solve_fw(a, b, ridge=len(b) * zeta**2, min_decrease=least)


def test_the_stopping_rule_of_r_gives_the_weights_of_r(prop99: Prop99) -> None:
    expected = golden("synthdid_prop99")["results"]["synthdid"]
    omega = fw(prop99.omega(centre=True), expected["zeta_omega"], expected["min_decrease"])
    lam = fw(prop99.lam(), expected["zeta_lambda"], expected["min_decrease"])
    assert prop99.noise * 1e-5 == pytest.approx(expected["min_decrease"], rel=1e-12)
    np.testing.assert_allclose(omega.weights, expected["omega"], atol=SAME, rtol=0)
    np.testing.assert_allclose(lam.weights, expected["lambda"], atol=SAME, rtol=0)
    assert prop99.estimate(omega.weights, lam.weights) == pytest.approx(expected["estimate"], abs=SAME)
    assert omega.objective / prop99.before == pytest.approx(expected["omega_vals_last"], rel=1e-10)


def test_the_same_rule_without_intercept_gives_its_synthetic_control(prop99: Prop99) -> None:
    expected = golden("synthdid_prop99")["results"]["sc"]
    omega = fw(prop99.omega(centre=False), expected["zeta_omega"], expected["min_decrease"])
    np.testing.assert_allclose(omega.weights, expected["omega"], atol=SAME, rtol=0)
    assert prop99.estimate(omega.weights, np.zeros(prop99.before)) == pytest.approx(expected["estimate"], abs=SAME)


def test_the_exact_solver_reaches_the_optimum_that_r_stops_short_of(prop99: Prop99) -> None:
    reference = golden("synthdid_prop99")["results"]["synthdid"]
    converged = golden("synthdid_prop99_converged")["results"]["synthdid"]
    (a, b), (c, d) = prop99.omega(centre=True), prop99.lam()
    ridge_omega, ridge_lam = len(b) * reference["zeta_omega"] ** 2, len(d) * reference["zeta_lambda"] ** 2
    omega, lam = solve(a, b, ridge=ridge_omega), solve(c, d, ridge=ridge_lam)
    assert max(omega.gap, lam.gap) <= GAP
    assert prop99.estimate(omega.weights, lam.weights) == pytest.approx(OPTIMUM, abs=1e-8)
    for other in (reference, converged):
        for mine, m, v, ridge, key in ((omega, a, b, ridge_omega, "omega"), (lam, c, d, ridge_lam, "lambda")):
            theirs = np.asarray(other[key])
            theirs = theirs / theirs.sum()
            assert mine.objective <= float(np.sum((m @ theirs - v) ** 2) + ridge * theirs @ theirs) * (1 + 1e-12)
