"""The compiled forms of the solver against the same in plain numpy, one kernel at a time and all of them together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from impact.arrays import Float2, Int1
from impact.numerics import simplex_run, simplex_tiles
from impact.numerics.simplex import solve_many
from impact.numerics.simplex_corral import corral
from impact.numerics.simplex_dual import certify, newton
from impact.numerics.simplex_tiles import Donors, measure, tile
from tests.numerics.simplex_programs import SHAPES, Programs, programs

EXACT = 1e-12  # the same sums in another order
NONE = np.zeros((0, 0))


def both(kernel: Any, *arrays: Any, **shapes: tuple[int, ...]) -> list[tuple[Any, Any]]:
    """What the compiled and the plain form fill: arrays of these shapes, whole numbers where they count or name."""
    ours, plain = ({name: empty(name, shape) for name, shape in shapes.items()} for _ in range(2))
    kernel(*arrays, **ours)
    kernel.oracle(*arrays, **plain)
    return [(ours[name], plain[name]) for name in shapes]


def empty(name: str, shape: tuple[int, ...]) -> Any:
    return np.zeros(shape, dtype=np.intp if name in ("nearest", "donor", "count", "steps") else np.float64)


def linear_of(these: Programs) -> Float2:
    return NONE if these.linear is None else these.linear


def shared(these: Programs) -> tuple[Any, ...]:
    donors = Donors.of(these.donors, np.median(these.donors, axis=0))
    return donors.rows, donors.centre, donors.tiles


@pytest.mark.parametrize("donors", [1, 5, 64, 65, 200])
def test_tile(donors: int) -> None:
    rng = np.random.default_rng(donors)
    rows, centre = rng.normal(size=(donors, 7)), rng.normal(size=7)
    np.testing.assert_array_equal(tile(rows, centre, 64), simplex_tiles.tile_plain(rows, centre, 64))


@pytest.mark.parametrize("shape", SHAPES)
def test_measure(shape: str) -> None:
    for seed in range(5):
        these = programs(seed, shape)
        number = len(these.targets)
        scale, nearest = both(
            measure,
            *shared(these),
            these.targets,
            these.without,
            linear_of(these),
            these.ridge,
            scale=(number, 2),
            nearest=(number, min(len(these.donors), simplex_tiles.GROUPS)),
        )
        np.testing.assert_allclose(*scale, rtol=1e-9, atol=1e-13)
        if shape in ("factors", "noise", "far", "level", "penalised"):  # elsewhere there may be two that are nearest
            np.testing.assert_array_equal(*nearest)


@pytest.mark.parametrize("count", [1, 2, 3, 15, 16, 17, 40, 401])
@pytest.mark.parametrize("kind", ["normal", "ties", "equal", "zeros", "wide", "tiny"])
def test_the_median(count: int, kind: str) -> None:
    rng = np.random.default_rng(count)
    values = {
        "normal": rng.normal(size=count) ** 2,
        "ties": rng.integers(0, 3, count).astype(float),
        "equal": np.full(count, 0.1),
        "zeros": np.where(rng.random(count) < 0.6, 0.0, rng.random(count)),
        "wide": np.exp(50 * rng.normal(size=count)),
        "tiny": 1e-305 * rng.random(count),
    }[kind]
    missing = np.full(3, np.inf)
    for guess in (float(values.mean()), float(values.max()), 1e-3):
        found = simplex_tiles._middle(np.concatenate([values, missing]), count, guess)
        assert found == pytest.approx(float(np.median(values)), rel=1e-15, abs=0.0)


@pytest.mark.parametrize("shape", ["factors", "noise", "far", "two periods", "penalised", "tiny ridge"])
def test_corral(shape: str) -> None:
    """Where one set of weights is best, both find it; the certificates are of rounding size in both."""
    for seed in range(5):
        these = programs(seed, shape)
        number, (count, periods) = len(these.targets), these.donors.shape
        room = min(count, periods + 1) + 2
        arrays: Any = *shared(these), these.targets, these.without, linear_of(these), these.ridge
        scale, nearest = (
            ours for ours, _ in both(measure, *arrays, scale=(number, 2), nearest=(number, min(count, 5)))
        )
        donor, weight, found, counted = both(
            corral,
            *arrays,
            NONE,
            scale,
            nearest,
            donor=(number, room),
            weight=(number, room),
            found=(number, 2),
            count=(number, 2),
        )
        assert max(answer[:, 1].max() for answer in found) < 1e-12
        np.testing.assert_allclose(found[0][:, 0], found[1][:, 0], atol=1e-12 * scale[:, 0].max())
        np.testing.assert_array_equal(counted[0][:, 1] == 0, counted[1][:, 1] == 0)
        one = counted[0][:, 1] == 0
        ours, plain = (
            _dense(who[one], share[one], count)
            for who, share in zip((donor[0], donor[1]), (weight[0], weight[1]), strict=True)
        )
        np.testing.assert_allclose(ours, plain, atol=1e-9)


def _dense(donor: Int1, weight: Float2, count: int) -> Float2:
    out = np.zeros((len(donor), count))
    row, column = np.nonzero(donor >= 0)
    out[row, donor[row, column]] = weight[row, column]
    return out


@pytest.mark.parametrize("donors", [4, 30, 300])
@pytest.mark.parametrize("ridge", [0.0, 0.3])
def test_newton_and_certificate(donors: int, ridge: float) -> None:
    """From the same point to the same weights: with a ridge and prices, and of least norm at a point of the hull."""
    rng = np.random.default_rng(donors)
    number, periods = 6, 3
    rows = rng.normal(size=(donors, periods))
    tiles = tile(rows, np.zeros(periods), 64)
    inside = rng.dirichlet(np.ones(donors), number) @ rows
    target = rng.normal(size=(number, periods)) if ridge else inside
    offset = rng.normal(size=(number, donors)) if ridge else np.zeros((number, donors))
    offset[np.arange(number), np.arange(number) % donors] = np.inf if donors > 10 else 0.0
    unit = np.full(number, 2.0)
    point = np.column_stack([np.zeros((number, periods)), np.full(number, 1.0 / donors)])
    w, steps = both(
        newton,
        tiles,
        unit,
        np.full(number, ridge),
        target / 2.0,
        offset,
        point,
        w=(number, donors),
        steps=(number,),
    )
    np.testing.assert_allclose(*w, atol=1e-10)
    assert steps[0].max() < 60
    linear = np.where(np.isfinite(offset), offset, 0.0)
    for ours, plain in both(
        certify,
        tiles,
        target,
        linear,
        np.full(number, ridge),
        w[0],
        fit=(number, periods),
        price=(number, donors),
        found=(number, 2),
    ):
        np.testing.assert_allclose(ours, plain, rtol=EXACT, atol=EXACT)
    if not ridge:
        np.testing.assert_allclose(w[0] @ rows, target, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_without_numba(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plain forms in the place of all kernels give the same objective, and the same weights where they are one."""
    for seed in range(3):
        these = programs(200 + seed, shape, number=6)
        how: dict[str, Any] = {"without": these.without, "linear": these.linear, "ridge": these.ridge}
        ours = solve_many(these.donors, these.targets, **how)
        with monkeypatch.context() as patch:
            patch.setattr(simplex_tiles, "tile", tile.oracle)
            for name in ("measure", "corral", "newton", "certify"):
                patch.setattr(simplex_run, name, getattr(simplex_run, name).oracle)
            plain = solve_many(these.donors, these.targets, **how)
        assert ours.optimal.all()
        assert plain.optimal.all()
        size = ((these.donors[None] - these.targets[:, None]) ** 2).sum(axis=2).max()
        np.testing.assert_allclose(ours.objective, plain.objective, rtol=1e-9, atol=1e-9 * size)
        if shape not in ("near", "tiny ridge", "each its ridge"):
            count = len(these.donors)
            np.testing.assert_allclose(ours.dense(count), plain.dense(count), atol=1e-9)
