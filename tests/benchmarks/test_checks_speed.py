"""How fast bounds under departures from parallel trends are, and covariances over near pairs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import linprog
from scipy.spatial import cKDTree

from impact.arrays import Float1, Float2, Float3
from impact.checks.honest import Question
from impact.numerics.pairs import covariance
from impact.numerics.trend_bounds import rays
from tests.benchmarks.conftest import Beside

pytestmark = pytest.mark.benchmark

Race = Callable[..., None]
BEFORE, AFTER = 5, 4


def event_study() -> Question:
    rng = np.random.default_rng(1)
    root = rng.normal(size=(BEFORE + AFTER, 20))
    beta = rng.normal(size=BEFORE + AFTER) + np.r_[np.zeros(BEFORE), np.full(AFTER, 3.0)]
    return Question(beta, root @ root.T / 20, BEFORE, np.eye(1, AFTER)[0])


def test_relative_magnitudes_of_one_bound(race: Race) -> None:
    """Beside it the linear programs of the test at one value, of which the reference solves 1,000, and draws too."""
    asked = event_study()

    def ours() -> Float1:
        return np.array(Question(asked.beta, asked.sigma, BEFORE, asked.combination).interval(1.0))

    def programs() -> Float1:
        every = np.delete(np.diff(np.eye(BEFORE + 1 + AFTER), axis=0), BEFORE, axis=1)
        late, early = every[BEFORE:], every[:BEFORE]
        found = []
        for largest in np.concatenate([early, -early]):
            a = np.vstack([late - largest, -late - largest])
            error = np.sqrt(np.einsum("rk,kl,rl->r", a, asked.sigma, a))
            free = a[:, BEFORE + 1 :]  # the first effect is what is tested
            left = np.column_stack([error, free])
            done = linprog(np.r_[1.0, np.zeros(AFTER - 1)], -left, -(a @ asked.beta), bounds=(None, None))
            found.append(done.fun)
        return np.array(found)

    def agree(_: Float1, eta: Float1) -> None:
        rules = rays(asked.sigma, BEFORE, asked.combination, 1.0, "relative-magnitudes")
        np.testing.assert_allclose((rules.weight @ asked.beta).max(axis=1), eta, atol=1e-7)

    race("bounds by relative magnitudes, one bound, 5 and 4 periods", 0.05, ours, Beside("scipy", programs, agree, 0.1))


def test_conley_with_4_million_pairs(race: Race) -> None:
    units, side = 14_000, 300_000.0
    rng = np.random.default_rng(0)
    place, scores = rng.uniform(0, side, (units, 2)), rng.normal(size=(units, 10, 1))
    cutoff = float(np.sqrt(2 * 4e6 / units**2 * side**2 / np.pi))

    def by_tree(place: Float2 = place, scores: Float3 = scores) -> Float2:
        near = cKDTree(place).query_pairs(cutoff, output_type="ndarray")
        weight = 1 - np.sqrt(((place[near[:, 0]] - place[near[:, 1]]) ** 2).sum(axis=1)) / cutoff
        flat = scores[:, :, 0]
        cross = (flat[near[:, 0]] * flat[near[:, 1]]).sum(axis=1)
        return np.array([[(flat**2).sum() + 2 * weight @ cross]])

    def agree(ours: Float2, theirs: Float2) -> None:
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)

    race(
        "conley, 14,000 units × 10 periods, 4,000,000 pairs",
        0.15,
        lambda: covariance(place, scores, cutoff, "bartlett"),
        Beside("scipy", by_tree, agree, 3.0),
    )
