"""Rank sets: against loops over pairs, and the properties that any ranking has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impact.heterogeneity.ranks import Ranks, ranks
from impact.inference.multiplier import place


def told(y: np.ndarray, noise: np.ndarray, cov: np.ndarray, pairs: list[tuple[int, int]], level: float) -> set:
    """Ordered pairs (j, k) with "j is not above k" rejected, one hypothesis after another, in loops."""
    open_, out = set(pairs), set()
    while True:
        critical = []
        for draw in noise:
            largest = -np.inf
            for j, k in open_:
                error = np.sqrt(cov[j, j] + cov[k, k] - 2 * cov[j, k])
                largest = max(largest, (draw[j] - draw[k]) / error)
            critical.append(largest)
        bound = sorted(critical)[place(len(noise), level) - 1]
        found = {(j, k) for j, k in open_ if (y[j] - y[k]) / np.sqrt(cov[j, j] + cov[k, k] - 2 * cov[j, k]) > bound}
        if not found:
            return out
        out |= found
        open_ -= found


def by_loops(y: np.ndarray, cov: np.ndarray, noise: np.ndarray, level: float) -> tuple[np.ndarray, ...]:
    count = len(y)
    every = [(j, k) for j in range(count) for k in range(count) if j != k]
    joint = told(y, noise, cov, every, level)
    low, high, low_all, high_all = [], [], [], []
    for area in range(count):
        own = told(y, noise, cov, [pair for pair in every if area in pair], level)
        low.append(1 + sum(j != area for j, _ in own))
        high.append(count - sum(j == area for j, _ in own))
        low_all.append(1 + sum(k == area for _, k in joint))
        high_all.append(count - sum(j == area for j, _ in joint))
    return tuple(map(np.array, (low, high, low_all, high_all)))


def world(seed: int, count: int, apart: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    root = rng.standard_normal((count, count + 2)) * 0.5
    return apart * rng.standard_normal(count), root @ root.T + 0.2 * np.eye(count)


@pytest.mark.parametrize("seed", range(6))
def test_sets_are_those_of_loops_over_pairs(seed: int) -> None:
    y, cov = world(seed, 5, 1.0 + seed)
    found = ranks(y, cov, np.random.default_rng(seed), draws=199)
    values, vectors = np.linalg.eigh(cov)
    noise = np.random.default_rng(seed).standard_normal((199, 5)) @ ((vectors * np.sqrt(values)) @ vectors.T)
    expected = by_loops(y, cov, noise, 0.95)
    for own, other in zip((found.low, found.high, found.low_all, found.high_all), expected, strict=True):
        assert own.tolist() == other.tolist()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 8), st.floats(0.1, 6))
def test_sets_hold_the_rank_and_those_of_all_hold_those_of_one(seed: int, count: int, apart: float) -> None:
    y, cov = world(seed, count, apart)
    found = ranks(y, cov, np.random.default_rng(1), draws=99, level=0.9)
    assert sorted(found.rank.tolist()) == list(range(1, count + 1))
    assert (found.low <= found.rank).all() and (found.rank <= found.high).all()
    assert (found.low_all <= found.rank).all() and (found.rank <= found.high_all).all()
    assert found.low.min() >= 1 and found.high.max() <= count


def test_the_other_way_turns_the_places_around() -> None:
    y, cov = world(3, 6, 4.0)
    up = ranks(y, cov, np.random.default_rng(5), better="higher")
    down = ranks(-y, cov, np.random.default_rng(5), better="lower")
    for name in ("rank", "low", "high", "low_all", "high_all"):
        assert getattr(up, name).tolist() == getattr(down, name).tolist()


def test_equal_areas_are_not_told_apart_and_far_ones_are() -> None:
    same = ranks(np.zeros(5), np.eye(5), np.random.default_rng(1), draws=999)
    assert same.rank.tolist() == [1] * 5 and same.told_apart == 0
    assert same.low_all.tolist() == [1] * 5 and same.high_all.tolist() == [5] * 5
    far = ranks(100.0 * np.arange(5), np.eye(5), np.random.default_rng(1), draws=999)
    assert far.low_all.tolist() == far.high_all.tolist() == [5, 4, 3, 2, 1]


def test_an_error_that_all_share_takes_no_part() -> None:
    y = np.array([0.0, 1.0, 2.5, 4.0])
    own, shared = (ranks(y, np.eye(4) * 0.3 + c, np.random.default_rng(2), draws=4999) for c in (0.0, 25.0))
    assert own.low_all.tolist() == shared.low_all.tolist() and own.high_all.tolist() == shared.high_all.tolist()


@pytest.mark.parametrize(
    ("y", "cov", "more", "what"),
    [
        ([1.0], [[1.0]], {}, "two or more"),
        ([1.0, np.nan], np.eye(2), {}, "finite"),
        ([1.0, 2.0], np.ones((2, 2)), {}, "no error"),
        ([1.0, 2.0], np.eye(2), {"better": "up"}, "better"),
        ([1.0, 2.0], np.eye(2), {"draws": 10}, "more than 10"),
    ],
)
def test_what_cannot_be_ranked(y: list[float], cov: np.ndarray, more: dict, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        ranks(np.array(y), np.array(cov), np.random.default_rng(1), **more)


def test_the_sets_hold_their_level() -> None:
    """900 worlds with ties and gaps: simultaneous sets miss in at most 5 % of them, up to three errors of that."""
    true = np.array([0.0, 0.0, 0.5, 1.5, 3.0])
    rng, cov = np.random.default_rng(11), np.diag([0.2, 0.5, 0.3, 0.4, 0.6])
    low = 1 + (true[None] > true[:, None]).sum(axis=1)  # tied areas share the better place
    missed = one = 0
    for _ in range(900):
        found = ranks(rng.multivariate_normal(true, cov), cov, rng, draws=199)
        assert isinstance(found, Ranks)
        missed += bool(((low < found.low_all) | (low > found.high_all)).any())
        one += bool(low[2] < found.low[2] or low[2] > found.high[2])
    assert missed / 900 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 900)
    assert one / 900 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 900)
