"""How fast the synthetic controls are, beside general solvers of the same program; a row is one call of `race`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy.optimize import nnls

from impact.arrays import Float1, Float2
from impact.numerics.simplex import solve, solve_many
from tests.benchmarks.conftest import Beside
from tests.numerics.simplex_programs import by_clarabel, objective

pytestmark = pytest.mark.benchmark

Race = Callable[..., None]
PERIODS = 25


def world(donors: int, targets: int = 0) -> tuple[Float2, Float2]:
    """Rows of outcomes before the start: three common factors that wander, a level of 10, and noise."""
    rng = np.random.default_rng(donors)
    common = rng.normal(size=(3, PERIODS)).cumsum(axis=1)
    count = donors + targets
    rows = 10 + rng.normal(size=(count, 3)) @ common + 0.5 * rng.normal(size=(count, PERIODS))
    return np.ascontiguousarray(rows[:donors]), rows[donors:]


def by_nnls(a: Float2, b: Float1) -> Float1:
    """Lawson & Hanson, with the sum as a heavy row: not exact, but fast."""
    heavy = 1e3 * float(np.abs(a).max())
    return np.asarray(nnls(np.vstack([a, np.full(a.shape[1], heavy)]), np.append(b, heavy))[0])


def no_worse(rtol: float) -> Callable[[Any, Any], None]:
    """Ours is no worse than the other objective; theirs may be a little below, where its sum is not quite one."""

    def agrees(ours: Any, theirs: Any) -> None:
        ours, theirs = np.asarray(ours), np.asarray(theirs)
        ours = ours[: len(theirs)]
        assert (ours <= theirs * (1 + rtol)).all()
        np.testing.assert_allclose(ours, theirs, rtol=1e-3)

    return agrees


def general(columns: Float2, targets: Float2, lam: float = 0.0) -> list[float]:
    """Objectives by clarabel."""
    found = []
    for b in targets:
        x = columns - b[:, None]
        price = lam / 2 * (x**2).sum(axis=0)
        found.append(objective(x, price, 0.0, by_clarabel(x, price, 0.0)))
    return found


def lawson_hanson(columns: Float2, targets: Float2) -> list[float]:
    return [float(((columns @ by_nnls(columns, b) - b) ** 2).sum()) for b in targets]


# One program ----------------------------------------------------------------------------------------------------------


# So many, one after the other, that what the first of them pays for an empty cache does not count.
ONE = [(40, 100, 30e-6), (300, 100, 80e-6), (3000, 10, 400e-6)]


@pytest.mark.parametrize(("donors", "number", "target"), ONE)
def test_one_program(race: Race, donors: int, number: int, target: float) -> None:
    rows, targets = world(donors, number)
    run = lambda: [solve(rows.T, b).objective for b in targets]  # noqa: E731
    times = {40: 20, 300: 60, 3000: 150}[donors]
    beside = Beside("clarabel", partial(general, rows.T, targets), no_worse(1e-8), times)
    what = f"{number} × one synthetic control of {donors:,} donors, {PERIODS} periods"
    race(what, number * target, run, beside, rounds=3)


@pytest.mark.parametrize(("donors", "number", "target"), ONE)
def test_one_program_beside_nnls(race: Race, donors: int, number: int, target: float) -> None:
    """Which is not exact: its weights sum to one to six digits, and it knows no ties."""
    rows, targets = world(donors, number)
    run = lambda: [solve(rows.T, b).objective for b in targets]  # noqa: E731
    times = {40: 0.8, 300: 4, 3000: 15}[donors]
    beside = Beside("scipy nnls", partial(lawson_hanson, rows.T, targets), no_worse(1e-4), times)
    race(f"{number} × one synthetic control of {donors:,} donors, {PERIODS} periods", number * target, run, beside)


def test_penalised(race: Race) -> None:
    """With the price of Abadie & L'Hour on every donor."""
    rows, targets = world(3000, 10)
    price = 0.1 / 2 * ((rows[None] - targets[:, None]) ** 2).sum(axis=2)

    def run() -> list[float]:
        return [solve(rows.T, b, linear=own).objective for b, own in zip(targets, price, strict=True)]

    beside = Beside("clarabel", partial(general, rows.T, targets, 0.1), no_worse(1e-8), times=100)
    race("10 × one penalised synthetic control of 3,000 donors", 0.004, run, beside, rounds=3)


# All placebos ---------------------------------------------------------------------------------------------------------


def placebos(rows: Float2) -> Float1:
    found = solve_many(rows, rows, without=np.arange(len(rows))[:, None])
    assert found.optimal.all()
    return found.objective


def test_all_placebos(race: Race) -> None:
    """Every unit against the 2,999 others; beside the first ten of these by the general solver."""
    rows, _ = world(3000)

    def first_ten() -> list[float]:
        return [general(np.delete(rows, own, axis=0).T, rows[own : own + 1])[0] for own in range(10)]

    beside = Beside("clarabel, 10 of them", first_ten, no_worse(1e-8), times=1)
    race("3,000 placebos on 2,999 donors each", 0.6, partial(placebos, rows), beside, rounds=3)


def test_placebos_of_fifteen_indicators(race: Race) -> None:
    indicators = [world(3000 + number)[0][:3000] for number in range(15)]
    race("45,000 placebos: 15 indicators", 6.0, lambda: [placebos(rows) for rows in indicators], rounds=3)
