"""Placebo in space and the jackknife with the synthetic estimators, against R, enumeration and arithmetic."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import nnls

from impact.arrays import Float1, Float2
from impact.errors import Refused
from impact.estimators.did import DiD
from impact.estimators.protocol import Estimator
from impact.estimators.synthetic_control import SyntheticControl
from impact.estimators.synthetic_did import SyntheticDiD
from impact.inference.cluster import ClusterJackknife, Jackknife
from impact.inference.placebo import PlaceboSpace
from impact.inference.protocol import Inference, Uncertainty, evaluate
from impact.numerics.simplex import solve_fw
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target
from tests.shared import golden, shared

ESTIMATORS: tuple[Estimator, ...] = (DiD(), SyntheticControl(), SyntheticDiD())
R_SEED, R_DRAWS = 12345, 200


@pytest.fixture(scope="module")
def prop99() -> Panel:
    frame = pd.read_csv(shared("reference/data/california_prop99.csv"))
    return Panel.from_frame(frame, unit="State", time="Year", outcome="PacksPerCapita", treated="treated")


def run(
    inference: Inference, estimator: Estimator, panel: Panel, target: Target | None = None, seed: int = 1
) -> Uncertainty | Refused:
    return inference.run(estimator, panel, target or Target(), streams=Streams(seed), parallel=Parallel())


def given(found: Uncertainty | Refused) -> Uncertainty:
    assert isinstance(found, Uncertainty)
    return found


def estimate(estimator: Estimator, panel: Panel, target: Target | None = None) -> float:
    found = evaluate(estimator, panel, target or Target())
    assert not isinstance(found, Refused)
    return float(found.effects.estimate[0])


def pretended(panel: Panel) -> Iterator[Panel]:
    """California out of the panel, and every other state in its place in turn."""
    california = panel.units.index("California")
    rest, start = panel.drop([california]), panel.first[california]
    for row in range(len(rest.units)):
        yield rest.assign(np.where(np.arange(len(rest.units)) == row, start, np.inf))


def ratio(gap: Float1, start: int) -> float:
    return float(np.sqrt(np.mean(gap[start:] ** 2) / np.mean(gap[:start] ** 2)))


def simplex_by_nnls(a: Float2, b: Float1) -> Float1:
    """Lawson & Hanson with the sum as a heavy row: another method, accurate to the inverse square of its weight."""
    heavy = 1e4 * np.abs(a).max()
    return np.asarray(nnls(np.vstack([a, np.full(a.shape[1], heavy)]), np.r_[b, heavy])[0])


# Against R -----------------------------------------------------------------------------------------------------------


def r_uniforms(seed: int) -> Iterator[float]:
    """R's ``set.seed(seed); runif()``: its scrambling of the seed, then the Mersenne Twister that numpy has too."""
    scrambled, words = seed, []
    for step in range(50 + 625):
        scrambled = (69069 * scrambled + 1) % 2**32
        if step >= 50:
            words.append(scrambled)
    twister = np.random.MT19937()
    state = twister.state
    state["state"] = {"key": np.array(words[1:], dtype=np.uint32), "pos": 624}
    twister.state = state
    while True:
        yield int(twister.random_raw()) * 2.3283064365386963e-10


def r_permutations(seed: int, size: int) -> Iterator[list[int]]:
    """R's ``sample(1:size)`` from 3.6 on (rejection sampling), from 0."""
    uniforms = r_uniforms(seed)
    while True:
        left, order = list(range(size)), []
        for remaining in range(size, 0, -1):
            bits = math.ceil(math.log2(remaining))
            pick = remaining
            while pick >= remaining:
                pick = 0
                for _ in range(0, bits + 1, 16):
                    pick = 65536 * pick + int(next(uniforms) * 65536)
                pick %= 2**bits
            order.append(left[pick])
            left[pick] = left[remaining - 1]
        yield order


def test_the_draws_are_those_of_r() -> None:
    assert list(islice(r_uniforms(42), 3)) == pytest.approx([0.914806043496355, 0.937075413297862, 0.286139534786344])


# The three placebo errors of R rest on the same 200 draws with replacement of a state that takes California's place
# (the last of each permutation). did has no weights, so it must agree to the digit. The others differ by what R's rule
# leaves undone, and because R keeps the ridge of the full fit where ours follows the 37 states that are donors; the
# test after this one shows for synthetic did that nothing else is between them.
@pytest.mark.parametrize(
    ("estimator", "name", "apart"),
    [
        (DiD(), "did", 1e-12),
        (SyntheticControl(), "sc", 5e-3),
        (SyntheticDiD(), "synthdid", 5e-3),
    ],
)
def test_placebo_error_with_the_draws_of_r(prop99: Panel, estimator: Estimator, name: str, apart: float) -> None:
    expected = golden("synthdid_prop99")["results"][name]
    assert expected["placebo_reps"] == R_DRAWS
    every = np.array([estimate(estimator, pretend) for pretend in pretended(prop99)])
    drawn = every[[order[-1] for order in islice(r_permutations(R_SEED, len(every)), R_DRAWS)]]
    assert drawn.std() == pytest.approx(expected["se_placebo_seed12345"], rel=apart)
    # Without its draws R is within three Monte-Carlo errors of a standard deviation, s/2 √((kurtosis − 1)/200).
    enumerated = float(given(run(PlaceboSpace(), estimator, prop99)).std_error[0])
    kurtosis = float(np.mean((every - every.mean()) ** 4)) / every.var() ** 2
    assert enumerated == pytest.approx(float(every.std()), rel=1e-10)
    assert abs(enumerated - expected["se_placebo_seed12345"]) < 3 * enumerated / 2 * np.sqrt((kurtosis - 1) / R_DRAWS)


def test_placebo_error_of_r_with_its_own_ridge_start_and_rule(prop99: Panel) -> None:
    full = golden("synthdid_prop99")["results"]["synthdid"]
    donors, start = prop99.y[prop99.never], int(prop99.first.min())
    omega, lam = np.array(full["omega"]), np.array(full["lambda"])
    every = []
    for row in range(len(donors)):
        rest = np.delete(donors, row, axis=0)
        before, after = rest[:, :start], rest[:, start:].mean(axis=1)
        pre = donors[row, :start]
        unit = solve_fw(
            (before - before.mean(axis=1, keepdims=True)).T,
            pre - pre.mean(),
            start=np.delete(omega, row),
            ridge=start * full["zeta_omega"] ** 2,
            min_decrease=full["min_decrease"],
        ).weights
        time = solve_fw(
            before - before.mean(axis=0),
            after - after.mean(),
            start=lam,
            ridge=len(rest) * full["zeta_lambda"] ** 2,
            min_decrease=full["min_decrease"],
        ).weights
        gap = donors[row] - unit @ rest
        every.append(gap[start:].mean() - time @ gap[:start])
    drawn = np.array(every)[[order[-1] for order in islice(r_permutations(R_SEED, len(every)), R_DRAWS)]]
    assert drawn.std() == pytest.approx(full["se_placebo_seed12345"], rel=1e-10)


# Enumeration ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: str(estimator.name))
def test_all_donors_are_enumerated_and_the_estimate_counts_itself(prop99: Panel, estimator: Estimator) -> None:
    start = int(prop99.first.min())
    ratios = []
    for pretend in (prop99, *pretended(prop99)):
        found = evaluate(estimator, pretend, Target())
        assert not isinstance(found, Refused)
        ratios.append(ratio(found.fit.cells.effect, start))
    uncertainty = given(run(PlaceboSpace(draws=999), estimator, prop99))
    assert uncertainty.p_value[0] == pytest.approx(np.mean(np.array(ratios) >= ratios[0]))
    assert (uncertainty.draws, uncertainty.attempted, uncertainty.failures) == (38, 38, ())
    assert uncertainty.mc_error is not None
    assert uncertainty.mc_error[0] == 0
    assert given(run(PlaceboSpace(), estimator, prop99, seed=2)).p_value == pytest.approx(uncertainty.p_value)


def test_california_is_the_most_extreme_state_under_synthetic_did(prop99: Panel) -> None:
    assert given(run(PlaceboSpace(), SyntheticDiD(), prop99)).p_value[0] == pytest.approx(1 / 39)


def test_rank_of_california_under_synthetic_control_by_another_solver(prop99: Panel) -> None:
    """On outcomes alone Missouri and Virginia have larger ratios; with predictors (Abadie et al. 2010) none has."""
    row, start = prop99.units.index("California"), int(prop99.first.min())
    rest = np.delete(prop99.y, row, axis=0)
    ratios = []
    for treated, donors in [(prop99.y[row], rest), *((rest[i], np.delete(rest, i, axis=0)) for i in range(len(rest)))]:
        weights = simplex_by_nnls(donors[:, :start].T, treated[:start])
        ratios.append(ratio(treated - weights @ donors, start))
    rank = 1 + int((np.array(ratios[1:]) > ratios[0]).sum())
    assert rank == 3
    assert given(run(PlaceboSpace(), SyntheticControl(), prop99)).p_value[0] == pytest.approx(rank / 39)


def test_a_perfect_fit_of_the_placebos_is_no_infinite_evidence() -> None:
    """Donors that copy each other fit each other exactly; a treated unit with an effect still ranks first."""
    rng = np.random.default_rng(4)
    copies = np.tile(rng.normal(size=(1, 8)), (6, 1))
    panel = simulated(np.vstack([copies[0] + np.r_[np.zeros(5), 3, 3, 3], copies]), {0: 5})
    uncertainty = given(run(PlaceboSpace(), SyntheticControl(), panel))
    assert np.isfinite(uncertainty.p_value).all()
    assert uncertainty.p_value[0] == pytest.approx(1 / 7)


def test_several_areas_are_drawn_by_seed_and_never_give_zero() -> None:
    panel = staggered()
    for estimator in ESTIMATORS:
        first, again, other = (given(run(PlaceboSpace(draws=39), estimator, panel, seed=seed)) for seed in (3, 3, 4))
        np.testing.assert_array_equal(first.p_value, again.p_value)
        np.testing.assert_array_equal(first.std_error, again.std_error)
        assert first.std_error[0] != other.std_error[0]
        assert first.p_value[0] >= 1 / 40
        assert first.attempted == 39


# Jackknives ----------------------------------------------------------------------------------------------------------


def simulated(
    y: Float2, first: dict[int, int], area: dict[int, str] | None = None, cluster: list[str] | None = None
) -> Panel:
    units, periods = y.shape
    frame = pd.DataFrame(
        {
            "unit": np.repeat([f"u{row:02d}" for row in range(units)], periods),
            "time": np.tile(np.arange(periods), units),
            "y": y.ravel(),
            "start": np.repeat([first.get(row, np.nan) for row in range(units)], periods),
            "area": np.repeat([(area or {}).get(row, f"a{row:02d}") for row in range(units)], periods),
            "cluster": np.repeat(cluster or [f"c{row:02d}" for row in range(units)], periods),
        }
    )
    return Panel.from_frame(
        frame, unit="unit", time="time", outcome="y", first_treated="start", area="area", cluster="cluster"
    )


def noise(units: int, periods: int, seed: int = 7) -> Float2:
    rng = np.random.default_rng(seed)
    level, course = rng.normal(size=(units, 1)), rng.normal(size=(units, 2)) @ rng.normal(size=(2, periods))
    return np.asarray(20 + 2 * level + course + rng.normal(scale=0.5, size=(units, periods)))


def staggered() -> Panel:
    """Five treated units in three areas (two start in period 6, one in 8), and 15 donors."""
    area = {0: "north", 1: "north", 2: "south", 3: "west", 4: "west"}
    return simulated(noise(20, 11), {0: 6, 1: 6, 2: 6, 3: 8, 4: 8}, area)


@pytest.mark.parametrize("estimator", ESTIMATORS[1:], ids=lambda estimator: str(estimator.name))
def test_jackknife_holds_the_weights(estimator: Estimator) -> None:
    """Algorithm 3 of Arkhangelsky et al. by hand: ω without the unit, made to sum to 1 again; λ as it is."""
    panel = simulated(noise(14, 9), {0: 6, 1: 6, 2: 6})
    found = evaluate(estimator, panel, Target())
    assert not isinstance(found, Refused)
    assert found.fit.weights is not None
    omega, lam = found.fit.weights.unit[0], found.fit.weights.time[0]
    contrast = np.where(np.arange(9) >= 6, 1 / 3, 0.0) - lam
    estimates = []
    for left_out in range(14):
        treated = [row for row in range(3) if row != left_out]
        kept = np.where(np.arange(14) == left_out, 0.0, omega)
        estimates.append((panel.y[treated].mean(axis=0) - kept / kept.sum() @ panel.y) @ contrast)
    away = np.array(estimates) - found.effects.estimate[0]
    uncertainty = given(run(Jackknife(), estimator, panel))
    assert uncertainty.std_error[0] == pytest.approx(np.sqrt(13 / 14 * np.sum(away**2)), rel=1e-10)
    assert uncertainty.draws == 14


@pytest.mark.parametrize("estimator", ESTIMATORS[1:], ids=lambda estimator: str(estimator.name))
def test_jackknife_is_refused_with_one_treated_unit(prop99: Panel, estimator: Estimator) -> None:
    refused = run(Jackknife(), estimator, prop99)
    assert isinstance(refused, Refused)
    assert "one treated unit" in refused.because
    clusters = given(run(ClusterJackknife(), estimator, prop99))
    assert isinstance(clusters.refused[0], Refused)


@pytest.mark.parametrize("estimator", ESTIMATORS[1:], ids=lambda estimator: str(estimator.name))
@pytest.mark.parametrize("kind", ["average", "unit"])
def test_leaving_clusters_out_refits(estimator: Estimator, kind: str) -> None:
    cluster = ["c0", "c1", "c2", "c3", "c4", *(f"c{row % 8}" for row in range(5, 20))]
    first = {0: 6, 1: 6, 2: 6, 3: 8, 4: 8}
    area = {0: "north", 1: "north", 2: "south", 3: "west", 4: "west"}
    panel = simulated(noise(20, 11), first, area, cluster)
    target = Target(kind, weighting="area")  # type: ignore[arg-type]
    full = evaluate(estimator, panel, target)
    assert not isinstance(full, Refused)
    uncertainty = given(run(ClusterJackknife(), estimator, panel, target))
    assert uncertainty.attempted == 8
    if kind == "unit":
        assert all(isinstance(reason, Refused) for reason in uncertainty.refused)
        return
    away = []
    for name in panel.clusters:
        rest = panel.drop([row for row, code in enumerate(panel.cluster) if panel.clusters[code] == name])
        away.append(estimate(estimator, rest, target) - full.effects.estimate[0])
    assert uncertainty.std_error[0] == pytest.approx(np.sqrt(7 / 8 * np.sum(np.square(away))), rel=1e-9)
    assert uncertainty.df[0] == 4
