"""Sums over near pairs, held against all pairs; their limits are known variances."""

from __future__ import annotations

import numpy as np
import pytest

from impact.arrays import Float2, Float3
from impact.numerics import pairs
from impact.numerics.pairs import Decay, bartlett_lags, covariance, later_sums, later_sums_plain

DECAYS: tuple[Decay, ...] = ("bartlett", "uniform")


def brute(place: Float2, scores: Float3, cutoff: float, decay: Decay, lags: Float2) -> Float2:
    distance = np.sqrt(((place[:, None] - place[None]) ** 2).sum(axis=2))
    weight = np.where(distance <= cutoff, 1.0 if decay == "uniform" else 1 - distance / cutoff, 0.0)
    return np.asarray(np.einsum("ij,tu,itm,juk->mk", weight, lags, scores, scores, optimize=True))


def world(units: int, axes: int, seed: int = 0) -> tuple[Float2, Float3]:
    """Clustered places, some at one point, some on a line, and one far away."""
    generator = np.random.default_rng(seed)
    place = generator.uniform(0, 1, (units, axes))
    place[: units // 4] *= 0.05
    place[units // 4 : units // 3] = place[0]
    place[units // 3 : units // 2, 0] = 0.5
    place[-1] = 40.0
    return place, generator.normal(size=(units, 3, 2))


@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("decay", DECAYS)
@pytest.mark.parametrize("cutoff", [1e-7, 0.02, 0.3, 100.0])
@pytest.mark.parametrize("units", [1, 2, 60, 2100])
def test_all_pairs(units: int, axes: int, decay: Decay, cutoff: float) -> None:
    """Relative to the largest entry, as those off the diagonal may cancel; 2,100 places go through the grid."""
    place, scores = world(units, axes)
    for lags in (bartlett_lags(3, 1), np.eye(3)):
        expected = brute(place, scores, cutoff, decay, lags)
        got = covariance(place, scores, cutoff, decay, lags)
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12 * np.abs(scores).sum() ** 2)
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())
    np.testing.assert_array_equal(got, got.T)


@pytest.mark.parametrize("decay", DECAYS)
def test_the_kernel_is_its_oracle(decay: Decay) -> None:
    """In the order of the grid, place by place."""
    place, scores = world(700, 2)
    values = scores[:, 0]
    for cutoff in (0.001, 0.05, 0.4):
        order, start, shape = pairs._grid(place, cutoff)
        got = later_sums(place[order], values[order], start, shape, cutoff, decay)
        # Another order within a pair: both ends together are the same.
        full = got + later_sums_plain(place[order][::-1], values[order][::-1], cutoff, decay)[::-1]
        again = later_sums_plain(place[order], values[order], cutoff, decay)
        again = again + later_sums_plain(place[order][::-1], values[order][::-1], cutoff, decay)[::-1]
        np.testing.assert_allclose(full, again, atol=1e-12)


@pytest.mark.parametrize("decay", DECAYS)
def test_the_limits(decay: Decay) -> None:
    place, scores = world(300, 2)
    flat = scores[:, :1]
    robust = np.einsum("ntm,ntk->mk", flat, flat)
    np.testing.assert_allclose(covariance(place, flat, 0.0, decay), robust, rtol=1e-12)
    total = flat.sum(axis=(0, 1))
    np.testing.assert_allclose(covariance(place, flat, np.inf, decay), np.outer(total, total), rtol=1e-12)
    np.testing.assert_allclose(covariance(place, flat, 1e9, "uniform"), np.outer(total, total), rtol=1e-9, atol=1e-9)
    # Units of one cluster at one point, clusters far apart: sums by cluster.
    cluster = np.arange(300) % 17
    apart = np.column_stack([cluster * 10.0, np.zeros(300)])
    sums = np.array([flat[cluster == one].sum(axis=(0, 1)) for one in range(17)])
    np.testing.assert_allclose(covariance(apart, flat, 1.0, decay), sums.T @ sums, rtol=1e-10, atol=1e-10)


def test_lags() -> None:
    assert bartlett_lags(4, 1).tolist() == [[1, 0.5, 0, 0], [0.5, 1, 0.5, 0], [0, 0.5, 1, 0.5], [0, 0, 0.5, 1]]
    assert bartlett_lags(3, 0).tolist() == np.eye(3).tolist()
    # Bartlett in time alone is positive semi-definite.
    assert np.linalg.eigvalsh(bartlett_lags(9, 4)).min() > 0


def test_wrong_calls() -> None:
    place, scores = world(10, 2)
    for wrong in (
        {"place": place[:, :1]},
        {"place": np.full((10, 2), np.nan)},
        {"cutoff": -1.0},
        {"cutoff": np.nan},
        {"decay": "gauss"},
        {"scores": scores[:4]},
    ):
        with pytest.raises(ValueError, match=r"place|cutoff|decay|scores"):
            covariance(**{"place": place, "scores": scores, "cutoff": 1.0, "decay": "uniform", **wrong})  # type: ignore[arg-type]
