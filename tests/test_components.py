"""Components of outcomes before the start: recovered where they are known, and the maximum of the full likelihood."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from impact.arrays import Float1, Float2, Int1
from impact.errors import Refused
from impact.inference.components import Components, components, lasting
from impact.inference.components_near import alike, middles, near


def world(
    seed: int,
    clusters: int,
    units: int,
    when: Float1,
    sizes: tuple[float, float, float, float],
    noise: float = 0.0,
    space: Float2 | None = None,
) -> tuple[Float2, Int1, Float2]:
    """Outcomes with unit and period effects and shocks of known size, drawn without the code that is tested."""
    shared, own, passing, share = sizes
    draw = np.random.default_rng(seed)
    root = np.linalg.cholesky(share ** np.abs(np.subtract.outer(when, when)))
    cluster = np.repeat(np.arange(clusters), units)
    each = draw.standard_normal((clusters, len(when)))
    each = each if space is None else space @ each
    count = (clusters * units, len(when))
    y = 5 * draw.standard_normal((count[0], 1)) + draw.standard_normal((1, count[1]))
    y = y + shared * (each @ root.T)[cluster] + own * draw.standard_normal(count) @ root.T
    variance = np.broadcast_to((noise * draw.uniform(0.5, 1.5, (count[0], 1))) ** 2, count)
    return (
        y + passing * draw.standard_normal(count) + np.sqrt(variance) * draw.standard_normal(count),
        cluster,
        variance,
    )


def fitted(*given: Float2 | Int1 | None) -> Components:
    found = components(*given)  # type: ignore[arg-type]
    assert isinstance(found, Components)
    return found


@pytest.mark.parametrize(
    ("length", "sizes", "noise"),
    [
        (3, (0.5, 1.0, 0.0, 0.5), 0.0),
        (7, (0.5, 1.0, 0.7, 0.6), 0.0),
        (4, (0.6, 1.0, 0.0, 0.3), 0.8),
    ],
)
def test_what_was_put_in_comes_out(length: int, sizes: tuple[float, float, float, float], noise: float) -> None:
    """In the mean of 16 worlds, within four standard errors of it and what the edge at 0 moves (0.1)."""
    when = np.arange(float(length))
    found = []
    for seed in range(16):
        y, cluster, variance = world(seed, 50, 6, when, sizes, noise)
        one = fitted(y, cluster, when, variance if noise else None)
        found.append((one.shared, one.own, one.passing, one.lasting))
    mean, error = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / 4
    known = [0, 1, 3] if length == 3 else [0, 1, 2, 3]
    # A passing shock of size 0 is found at 0 or above, so its mean lies above.
    room = np.array([0.1, 0.1, 0.3 if sizes[2] == 0 else 0.1, 0.1])
    assert (np.abs(mean - np.array(sizes)) <= 4 * error + room)[known].all(), mean


def test_the_coefficient_is_not_that_of_demeaned_outcomes() -> None:
    """With three periods the plain coefficient beside unit effects is off by about (1 + share) / (T - 1) (Nickell)."""
    when, share = np.arange(3.0), 0.5
    plain, ours = [], []
    for seed in range(16):
        y, cluster, _ = world(seed, 60, 8, when, (0.0, 1.0, 0.0, share))
        apart = y - y.mean(axis=0)
        apart = apart - apart.mean(axis=1, keepdims=True)
        plain.append((apart[:, 1:] * apart[:, :-1]).sum() / (apart[:, :-1] ** 2).sum())
        ours.append(fitted(y, cluster, when).lasting)
    assert np.mean(plain) < 0 and abs(np.mean(ours) - share) < 0.1


def likelihood(y: Float2, cluster: Int1, when: Float1, found: Components, noise: Float2) -> float:
    """The restricted likelihood with dummies of units and periods and the whole covariance matrix."""
    count, length = y.shape
    moving = found.lasting ** np.abs(np.subtract.outer(when, when))
    same = np.equal.outer(cluster, cluster).astype(float)
    whole = np.kron(found.shared**2 * same + found.own**2 * np.eye(count), moving)
    whole += found.passing**2 * np.eye(count * length) + np.diag(noise.ravel())
    design = np.hstack([np.kron(np.eye(count), np.ones((length, 1))), np.tile(np.eye(length)[:, 1:], (count, 1))])
    solved = np.linalg.solve(whole, design)
    inner = design.T @ solved
    rest = y.ravel() - design @ np.linalg.solve(inner, solved.T @ y.ravel())
    logs = np.linalg.slogdet(whole)[1] + np.linalg.slogdet(inner)[1]
    return float(-0.5 * (logs + rest @ np.linalg.solve(whole, rest)))


@pytest.mark.parametrize("noise", [0.0, 0.6])
def test_it_is_the_maximum_of_the_full_restricted_likelihood(noise: float) -> None:
    """Sums by cluster against the matrix of all cells; noise that is equal within a cluster leaves both the same."""
    when = np.array([0.0, 1.0, 3.0, 4.0, 6.0])
    y, cluster, _ = world(5, 12, 4, when, (0.8, 1.0, 0.5, 0.6), noise)
    variance = np.repeat((noise * np.linspace(0.5, 1.5, 12)) ** 2, 4)[:, None] * np.ones(len(when))
    found = fitted(y, cluster, when, variance)
    best = likelihood(y, cluster, when, found, variance)
    assert len(found.free) >= 3
    for step in 0.05 * np.vstack([np.eye(len(found.free)), -np.eye(len(found.free))]):
        assert likelihood(y, cluster, when, found.at(found.values + step), variance) < best
    for step in 0.001 * np.eye(len(found.free)):
        up, down = (likelihood(y, cluster, when, found.at(found.values + s), variance) for s in (step, -step))
        assert abs(up - down) / 0.002 < 0.05  # the gradient at the top


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    when, sizes = np.arange(6.0), (0.7, 1.0, 0.0, 0.5)
    inside = 0
    for seed in range(40):
        y, cluster, _ = world(seed, 60, 3, when, sizes)
        low, high = fitted(y, cluster, when).intervals["lasting"]
        inside += low <= 0.5 <= high
    assert inside >= 33  # of 40 at 95%: fewer than 34 has a probability of 0.3%


def test_clusters_of_one_unit() -> None:
    when = np.arange(5.0)
    y, _, _ = world(1, 200, 1, when, (0.0, 1.0, 0.0, 0.4))
    found = fitted(y, np.arange(200), when)
    assert not found.separate and found.own == 0 and found.shared == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize(
    ("clusters", "length", "because"),
    [(8, 1, "before the first start is 1,"), (8, 2, "before the first start is 2,"), (3, 5, "lie in 3 clusters")],
)
def test_what_cannot_be_known_is_refused(clusters: int, length: int, because: str) -> None:
    y, cluster, _ = world(1, clusters, 4, np.arange(float(length)), (0.5, 1.0, 0.0, 0.5))
    found = components(y, cluster, np.arange(float(length)))
    assert isinstance(found, Refused) and because in found.because and found.instead


def test_outcomes_that_do_not_move_are_refused() -> None:
    y = np.arange(20.0)[:, None] + np.arange(4.0)
    found = components(y, np.arange(20) // 2, np.arange(4.0))
    assert isinstance(found, Refused) and "do not move" in found.because


# --- by distance ------------------------------------------------------------------------------------------------------


def places(seed: int, clusters: int, units: int) -> Float2:
    middle = np.random.default_rng(seed).uniform(0, 100_000, (clusters, 2))
    return np.repeat(middle, units, axis=0)


def test_what_clusters_near_each_other_share_is_found() -> None:
    """Known: 80% of what a cluster shares, falling to 1/e over 30 km; and nothing where there is nothing."""
    when, sizes = np.arange(6.0), (1.0, 0.5, 0.0, 0.3)
    place = places(3, 70, 4)
    distance = np.linalg.norm(place[::4, None] - place[None, ::4], axis=2)
    space = 0.8 * np.exp(-distance / 30_000)
    np.fill_diagonal(space, 1.0)
    found, nothing = [], 0
    for seed in range(8):
        y, cluster, _ = world(seed, 70, 4, when, sizes, space=np.linalg.cholesky(space))
        found.append(near(fitted(y, cluster, when), y, cluster, when, place))
        y, cluster, _ = world(seed, 70, 4, when, sizes)
        nothing += near(fitted(y, cluster, when), y, cluster, when, place).near == 0
    assert 0.5 < np.mean([one.near for one in found]) <= 1.0
    assert nothing >= 6
    at_ten = np.mean([one.near * np.exp(-10_000 / one.reach) for one in found])
    assert at_ten == pytest.approx(0.8 * np.exp(-1 / 3), abs=0.2)


def test_correlations_by_distance_by_hand() -> None:
    place = np.array([[0.0, 0.0], [3_000.0, 4_000.0], [np.nan, 0.0]])
    y, cluster, _ = world(1, 12, 3, np.arange(4.0), (1.0, 1.0, 0.0, 0.3))
    found = replace(fitted(y, cluster, np.arange(4.0)), near=0.5, reach=5_000.0)
    expected = np.array([[1, 0.5 / np.e, 0], [0.5 / np.e, 1, 0], [0, 0, 1]])
    np.testing.assert_allclose(alike(place, found), expected, rtol=1e-12)
    np.testing.assert_allclose(middles(place, np.array([0, 0, 1]), 2)[0], [1_500, 2_000])


def test_times_need_not_be_one_apart() -> None:
    np.testing.assert_allclose(lasting(np.array([0.0, 2.0, 3.0]), 0.5)[0], [1, 0.25, 0.125])
