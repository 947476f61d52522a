"""Matching on outcomes before the start makes one bias and takes away another; both are held to their closed forms.

In all worlds nothing happens, so every estimate is a bias. A closed form is exact given who was matched: what stays of
a difference because no nearer control was there is part of it, so that nothing is left but Monte-Carlo error. Lower is
worse, as in areas that are chosen for a bad score. The long runs (``tox -e simulation``) ask the same of more draws.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from impact.design.assignment import Nearest
from impact.design.bracket import Bracket, Spurious, spurious_effect
from impact.design.matching import Match, paired
from impact.design.reliability import Reliability, advise, reliability
from impact.streams import Streams

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Draw = Callable[[np.random.Generator], tuple[float, float]]

DRAWS = [pytest.param(80, id="few"), pytest.param(3000, id="many", marks=pytest.mark.simulation)]


def against(draw: Draw, reps: int, *steps: str | int) -> tuple[float, float, float]:
    """Mean estimate, mean of what was expected of it, and the Monte-Carlo error of their difference."""
    stream = Streams(2026)
    rows = np.array([draw(stream.at(*steps, number).generator()) for number in range(reps)])
    return (*rows.mean(axis=0), float((rows[:, 0] - rows[:, 1]).std(ddof=1) / sqrt(reps)))


def held(found: tuple[float, float, float], headline: float, near: float = 0.02) -> None:
    """The estimate is what was expected but for chance, and what was expected is near the plain formula."""
    estimate, expected, error = found
    assert abs(estimate - expected) <= 3.5 * error, found
    assert abs(expected - headline) <= near, found


def nearest(x: Floats, treated: Bools) -> Floats:
    """(n,) weights of the controls, summing to 1: the nearest one of every treated unit."""
    names = [str(number) for number in range(len(x))]
    found = paired(
        x[treated],
        x[~treated],
        areas=[name for name, inside in zip(names, treated, strict=True) if inside],
        units=[name for name, inside in zip(names, treated, strict=True) if not inside],
        names=[f"x{number}" for number in range(x.shape[1])],
        how=Nearest(1),
    )
    assert isinstance(found, Match)
    weight = np.zeros(len(x))
    weight[~treated] = found.pairs.sum(axis=0) / found.pairs.sum()
    return weight


def gap(values: Floats, treated: Bools, weight: Floats) -> float:
    return float(values[treated].mean() - weight @ values)


def even(treated: Bools) -> Floats:
    return np.asarray(~treated / (~treated).sum())


# --- the bracket: one country, two ways in which areas can have been chosen -------------------------------------------

LASTING, PASSING, PERIODS = 0.7, 0.3, 2  # an outcome has standard deviation 1 within a group
WORSE = 1.7  # how much worse areas are that were chosen for what they are
WORST = 0.08  # half of this share with the worst score in the last period before the start is chosen
CUT = float(norm.ppf(WORST))
RELIABLE = LASTING / (LASTING + PASSING / PERIODS)


def country(rng: np.random.Generator, x: Floats) -> tuple[Floats, Floats]:
    """Outcomes of two periods before the start and one after it; half of what lasts shows in the characteristic."""
    theta = x + rng.normal(0, sqrt(LASTING / 2), len(x))
    y = theta[:, None] + rng.normal(0, sqrt(PASSING), (len(x), PERIODS + 1))
    return y[:, :PERIODS], y[:, PERIODS]


def structural(rng: np.random.Generator) -> tuple[Floats, Floats, Floats, Bools]:
    """100 areas that are worse by `WORSE`, for what they are, among 2,000 others."""
    treated = np.arange(2100) < 100
    x = rng.normal(0, sqrt(LASTING / 2), 2100) - WORSE * treated
    return x, *country(rng, x), treated


def scored(rng: np.random.Generator, n: int = 2500) -> tuple[Floats, Floats, Floats, Bools]:
    """Some 100 of 2,500 units, chosen by the score of the last period before the start."""
    x = rng.normal(0, sqrt(LASTING / 2), n)
    before, after = country(rng, x)
    return x, before, after, half_of_the_worst(rng, before)


def half_of_the_worst(rng: np.random.Generator, before: Floats) -> Bools:
    return np.asarray((before[:, -1] < CUT) & (rng.random(len(before)) < 0.5))


def estimate(before: Floats, after: Floats, treated: Bools, weight: Floats) -> float:
    return gap(after - before.mean(axis=1), treated, weight)


def on_outcomes(rng: np.random.Generator) -> tuple[float, float]:
    """Structural areas matched on all outcomes: E[θ | ȳ] = μ + r(ȳ − μ), each group with its own μ."""
    _, before, after, treated = structural(rng)
    weight = nearest(before, treated)
    left = gap(before.mean(axis=1), treated, weight)
    return estimate(before, after, treated, weight), (1 - RELIABLE) * (-WORSE - left)


@pytest.mark.parametrize("reps", DRAWS)
def test_matching_on_all_outcomes_makes_structural_areas_look_worse(reps: int) -> None:
    """−(1 − r)·1.7 = −0.30 standard deviation, where nothing happened."""
    assert abs((1 - RELIABLE) * WORSE - 0.30) <= 0.005
    held(against(on_outcomes, reps, "structural", "outcomes"), -0.30)


@pytest.mark.parametrize("match", ["none", "structure"])
def test_structural_areas_are_well_compared_without_outcomes(match: str) -> None:
    def draw(rng: np.random.Generator) -> tuple[float, float]:
        x, before, after, treated = structural(rng)
        return estimate(before, after, treated, even(treated) if match == "none" else nearest(x[:, None], treated)), 0.0

    held(against(draw, 80, "structural", match), 0.0)


def unmatched(rng: np.random.Generator) -> tuple[float, float]:
    """Chosen by score, not matched: the chance of the last period, one of those in the base, does not come back.

    Below the cut its mean is −Var(ε)·φ(c)/Φ(c); with the others of the country it sums to nought.
    """
    _, before, after, treated = scored(rng)
    luck = -PASSING * norm.pdf(CUT) / WORST
    share = WORST / 2
    return estimate(before, after, treated, even(treated)), -(luck + luck * share / (1 - share)) / PERIODS


@pytest.mark.parametrize("reps", DRAWS)
def test_not_matching_on_a_noisy_score_makes_areas_seem_to_recover(reps: int) -> None:
    """+0.29 standard deviation, where nothing happened."""
    held(against(unmatched, reps, "scored", "none"), 0.29, near=0.005)


def on_structure(rng: np.random.Generator) -> tuple[float, float]:
    """Chosen by score, matched on structure: controls with this x had their own luck, as they were not chosen."""
    x, before, after, treated = scored(rng)
    weight = nearest(x[:, None], treated)
    spread = sqrt(LASTING / 2 + PASSING)
    a = (CUT - x) / spread
    theirs = weight @ (0.5 * PASSING / spread * norm.pdf(a) / (1 - 0.5 * norm.cdf(a)))
    luck = -PASSING * norm.pdf(CUT) / WORST
    return estimate(before, after, treated, weight), float(theirs - luck) / PERIODS


def on_score(rng: np.random.Generator) -> tuple[float, float]:
    """Chosen by score and matched on it: given the outcomes, being chosen says nothing more of what lasts."""
    _, before, after, treated = scored(rng)
    weight = nearest(before, treated)
    left = gap(before.mean(axis=1), treated, weight)
    return estimate(before, after, treated, weight), -(1 - RELIABLE) * left


def test_a_noisy_score_stays_a_bias_with_structure_and_goes_when_it_is_matched_on() -> None:
    held(against(on_structure, 80, "scored", "structure"), 0.31)
    held(against(on_score, 80, "scored", "score"), 0.0)


def test_the_bracket_has_two_signs_where_the_data_cannot_tell() -> None:
    """Half of an effect of −0.15 in areas chosen by score: one end says better, the other worse."""
    effect = -0.15
    ends = {
        name: effect + against(draw, 40, "bracket", name)[0]
        for name, draw in {"unmatched": unmatched, "structure": on_structure, "selection": on_score}.items()
    }
    assert Bracket(ends).signs_differ and ends["unmatched"] > 0 > ends["selection"]
    far = Bracket({name: value - 0.5 for name, value in ends.items()})
    assert not far.signs_differ


def test_the_reliability_that_is_estimated_foretells_the_bias() -> None:
    """From the outcomes of the controls alone, without one after the start."""
    _, before, _, treated = structural(Streams(5).at("reliability").generator())
    found = reliability(before[~treated])
    assert isinstance(found, Reliability)
    assert found.low < RELIABLE < found.high
    assert advise(found.value, drift=0.0).matched * -WORSE == pytest.approx(-0.30, abs=0.03)
    assert advise(found.value, drift=0.0).on == "structure"


@pytest.mark.parametrize(("match", "headline"), [("none", 0.29), ("outcomes", 0.0)])
def test_the_placebo_finds_the_bias_where_nobody_is_treated(match: str, headline: float) -> None:
    def draw(rng: np.random.Generator) -> tuple[float, float]:
        x = rng.normal(0, sqrt(LASTING / 2), 2500)
        before, after = country(rng, x)
        found = spurious_effect(
            np.column_stack([before, after]),
            dates=[PERIODS],
            base=PERIODS,
            after=1,
            select=lambda y: half_of_the_worst(rng, y),
            weigh=lambda y, chosen: even(chosen) if match == "none" else nearest(y, chosen),
        )
        assert isinstance(found, Spurious)
        return found.mean, headline

    held(against(draw, 80, "placebo", match), headline)


# --- Daw & Hatfield (2018), Health Services Research 53(6): groups with levels of their own ---------------------------


def daw_hatfield(difference: float, rho: float, later: int, match: bool) -> Draw:
    """Outcomes vary around the level of the group with autocorrelation `rho`; two periods before, `later` after."""

    def draw(rng: np.random.Generator) -> tuple[float, float]:
        treated = np.arange(2100) < 100
        noise, step = np.empty((2100, 2 + later)), sqrt(1 - rho**2) or 0.5  # a random walk for 1
        noise[:, 0] = rng.normal(size=2100)
        for period in range(1, 2 + later):
            noise[:, period] = rho * noise[:, period - 1] + rng.normal(0, step, 2100)
        y = noise + difference * treated[:, None]
        if not match:
            return gap(y[:, -1] - y[:, 1], treated, even(treated)), 0.0
        weight = nearest(y[:, :2], treated)
        return gap(y[:, -1] - y[:, 1], treated, weight), (1 - rho**later) * (difference - gap(y[:, 1], treated, weight))

    return draw


@pytest.mark.parametrize(
    ("difference", "rho", "later"),
    [(1.0, 0.0, 1), (-1.0, 0.0, 1), (1.0, 0.5, 1), (1.0, 0.5, 3), (-1.0, 0.9, 1), (1.0, 1.0, 2), (0.0, 0.3, 1)],
)
def test_matched_groups_return_to_their_own_levels(difference: float, rho: float, later: int) -> None:
    """Δ·(1 − ρ^h): the whole difference without autocorrelation, none with a random walk or with equal levels."""
    found = against(daw_hatfield(difference, rho, later, True), 60, "daw", str(difference), str(rho), later)
    # Few controls lie where the treated are farthest out, so not all of the difference is matched away.
    held(found, (1 - rho**later) * difference, near=0.06)
    plain = against(daw_hatfield(difference, rho, later, False), 60, "daw", "plain", str(difference), str(rho), later)
    held(plain, 0.0)


# --- Ham & Miratrix (arXiv 2205.08644): latent level, characteristic, and slopes that change --------------------------

THETA, X = -0.8, -0.6  # differences between the groups
TOGETHER = 0.3  # correlation of θ and x within a group
SLOPES = {"theta": (1.0, 1.4), "x": (0.8, 1.1)}  # before, after


def ham_miratrix(on: str, periods: int, noise: float) -> tuple[Draw, float]:
    """A draw with its expectation given who was matched, and the plain formula of the paper."""
    (t0, t1), (x0, x1) = SLOPES["theta"], SLOPES["x"]
    rest = THETA - TOGETHER * X  # what the characteristic does not explain
    left = 1 - TOGETHER**2  # variance of θ given x
    signal, chance = t0**2 * left, noise**2 / periods
    reliable = signal / (signal + chance)
    plain = {
        "none": (t1 - t0) * THETA + (x1 - x0) * X,
        "x": (t1 - t0) * rest,
        "x and outcomes": t1 * (1 - reliable) * rest,
    }[on]

    def draw(rng: np.random.Generator) -> tuple[float, float]:
        treated = np.arange(2600) < 100
        x = rng.normal(size=2600) + X * treated
        theta = TOGETHER * (x - X * treated) + rng.normal(0, sqrt(left), 2600) + THETA * treated
        before = (t0 * theta + x0 * x)[:, None] + rng.normal(0, noise, (2600, periods))
        after = t1 * theta + x1 * x + rng.normal(0, 1, 2600)
        mean = before.mean(axis=1)
        if on == "none":
            return gap(after - mean, treated, even(treated)), plain
        weight = nearest(x[:, None] if on == "x" else np.column_stack([x, mean]), treated)
        apart = gap(x, treated, weight)
        if on == "x":
            return gap(after - mean, treated, weight), plain + ((t1 - t0) * TOGETHER + x1 - x0) * apart
        # E[θ | x, ȳ] = m + (r/t0)(ȳ − t0·m − x0·x), where m = ρx + the group's own constant.
        far = gap(mean, treated, weight)
        of_theta = (1 - reliable) * (rest + TOGETHER * apart) + reliable / t0 * (far - x0 * apart)
        return gap(after - mean, treated, weight), t1 * of_theta + x1 * apart - far

    return draw, plain


@pytest.mark.parametrize("on", ["none", "x", "x and outcomes"])
@pytest.mark.parametrize(("periods", "noise"), [(1, 1.0), (5, 1.0), (5, 2.0)])
def test_what_matching_leaves_is_as_reliability_says(on: str, periods: int, noise: float) -> None:
    draw, plain = ham_miratrix(on, periods, noise)
    held(against(draw, 60, "ham", on, periods, str(noise)), plain, near=0.05)


def test_characteristics_lessen_the_bias_and_outcomes_in_proportion_to_reliability() -> None:
    """The formulas that the draws above were held to: with certain outcomes nothing stays."""
    none, x = (ham_miratrix(on, 1, 1.0)[1] for on in ("none", "x"))
    assert abs(x) < abs(none)
    stays = [ham_miratrix("x and outcomes", periods, 1.0)[1] for periods in (1, 2, 4, 8)]
    assert (np.diff(np.abs(stays)) < 0).all()
    draw, plain = ham_miratrix("x and outcomes", 2, 1e-6)
    assert abs(plain) < 1e-9
    held(against(draw, 60, "ham", "certain"), 0.0, near=0.05)


@pytest.mark.parametrize(("periods", "noise"), [(1, 1.0), (5, 1.0), (5, 2.0), (1, 3.0)])
def test_the_rule_of_thumb_chooses_the_smaller_of_both(periods: int, noise: float) -> None:
    (t0, t1), left = SLOPES["theta"], 1 - TOGETHER**2
    reliable = t0**2 * left / (t0**2 * left + noise**2 / periods)
    biases = {on: abs(ham_miratrix(on, periods, noise)[1]) for on in ("x", "x and outcomes")}
    advice = advise(reliable, drift=1 - t0 / t1)
    assert (
        advice.on == {"x": "structure", "x and outcomes": "structure-and-outcomes"}[min(biases, key=biases.__getitem__)]
    )
    rest = abs(THETA - TOGETHER * X) * t1
    assert (advice.unmatched * rest, advice.matched * rest) == pytest.approx((biases["x"], biases["x and outcomes"]))
