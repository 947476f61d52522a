"""How fast, beside what: the fastest Python peer we know, or the plain way of doing the same.

A row is one call of `race`: what, the target in seconds, what we do, and who does the same.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest

import impact
from impact.cells import Cells
from impact.estimators.extended_twfe import ExtendedTWFE
from impact.estimators.group_time import GroupTime
from impact.estimators.imputation import Imputation
from impact.inference.multiplier import critical
from impact.numerics import sums as kernels
from impact.numerics.moments import Moments
from impact.parallel import one_thread
from tests.benchmarks.conftest import Beside
from tests.benchmarks.worlds import COVARIATES, long_frame, wide
from tests.shared import ROOT, shared

pytestmark = pytest.mark.benchmark

Race = Callable[..., None]


def close(rtol: float) -> Callable[[Any, Any], None]:
    return partial(np.testing.assert_allclose, rtol=rtol, atol=1e-12)


# Beside what ----------------------------------------------------------------------------------------------------------

COLUMNS = {"unit": "unit", "time": "time", "outcome": "y"}


def peer(frame: pd.DataFrame, covariates: list[str] | None = None) -> tuple[float, float]:
    from diff_diff import CallawaySantAnna

    found = CallawaySantAnna().fit(frame, **COLUMNS, first_treat="start", covariates=covariates)
    return float(found.overall_att), float(found.overall_se)


def near(ours: Any, theirs: Any) -> None:
    """To a ten-thousandth of the standard error: the peer's logit stops early, ours is that of statsmodels to 1e-12."""
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * theirs[1])


EXACT = close(1e-9)


def diff_diff(times: float, run: Callable[[], Any], agrees: Callable[[Any, Any], None] = EXACT) -> Beside | None:
    """The peer, where tox has installed it."""
    try:
        from diff_diff import __version__
    except ImportError:
        return None
    return Beside(f"diff-diff {__version__}", run, agrees, times)


def plainly(run: Callable[[], Any]) -> Any:
    """`run` with plain numpy in the place of the kernels of sums."""
    with mock.patch.object(kernels, "_SMALL", np.inf):
        return run()


def numpy(times: float, run: Callable[[], Any]) -> Beside:
    return Beside("numpy", partial(plainly, run), EXACT, times)


# Group-time, without covariates ---------------------------------------------------------------------------------------


def ours(frame: pd.DataFrame, covariates: list[str] | None = None) -> tuple[float, float]:
    panel = impact.Panel.from_frame(frame, **COLUMNS, first_treated="start", covariates=covariates or ())
    result = impact.estimate(panel, "group-time", inference="scores")
    assert isinstance(result, impact.Result)
    row = result.tidy().iloc[0]
    return float(row["estimate"]), float(row["std_error"])


@pytest.mark.parametrize(("units", "target"), [(100_000, 0.15), (1_000_000, 0.6)])
def test_group_time_from_a_long_frame(race: Race, units: int, target: float) -> None:
    frame = long_frame(units)
    race(f"group-time, long frame of {units:,} × 10", target, lambda: ours(frame), diff_diff(2, lambda: peer(frame)))


def test_group_time_from_a_long_file(race: Race, tmp_path: Path) -> None:
    """In a fresh process, from parquet to the printed record."""
    file = tmp_path / "long.parquet"
    long_frame(1_000_000).to_parquet(file)
    columns = ("--unit", "unit", "--time", "time", "--outcome", "y", "--first-treated", "start")
    theirs = (
        "import pandas as pd; from tests.benchmarks.test_speed import peer; "
        f"print('[%r, %r]' % peer(pd.read_parquet({str(file)!r})))"
    )

    def command() -> tuple[float, float]:
        arguments = ("estimate", str(file), *columns, "--inference", "scores", "--json")
        row = json.loads(fresh("-c", "from impact.cli import main; main()", *arguments))[0]
        return row["estimate"], row["std_error"]

    beside = diff_diff(1.5, lambda: json.loads(fresh("-c", theirs)))
    race("group-time, parquet of 1,000,000 × 10, end to end", 2.5, command, beside, rounds=3)


def covariance(y: Any, first: Any) -> Any:
    """The full covariance of all ATT(g, t), every unit a cluster of its own."""
    cells = GroupTime().cells(Moments.of_matrix(y, first), scores=True)
    assert isinstance(cells, Cells) and cells.scores is not None
    return cells.scores.covariance(np.eye(len(cells.effect)))


@pytest.mark.parametrize(("units", "target"), [(1_000_000, 0.05), (10_000_000, 0.3)])
def test_group_time_from_a_wide_matrix(race: Race, units: int, target: float) -> None:
    rng = np.random.default_rng(0)
    y, first = rng.normal(size=(units, 10)), rng.choice([np.inf, 3.0, 4.0, 5.0, 6.0, 7.0], units)
    run = partial(covariance, y, first)
    rounds = 5 if units <= 1_000_000 else 3
    race(f"group-time, matrix of {units:,} × 10, with full covariance", target, run, numpy(2, run), rounds)


# Group-time, with covariates ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("units", "target"), [(100_000, 0.3), (1_000_000, 3.0)])
def test_doubly_robust_from_a_long_frame(race: Race, units: int, target: float) -> None:
    frame = long_frame(units, covariates=True)
    run, beside = partial(ours, frame, COVARIATES), diff_diff(2, lambda: peer(frame, COVARIATES), near)
    rounds = 5 if units <= 100_000 else 3
    race(f"dr with 3 covariates, long frame of {units:,} × 10", target, run, beside, rounds)


# Given the moments ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def moments() -> Moments:
    """Of 1,000,000 units in 342 clusters."""
    found = Moments.of(wide(1_000_000, clusters=342))
    assert found is not None
    return found


def effects(cells: object) -> Any:
    assert isinstance(cells, Cells)
    return cells.effect


def test_every_cluster_left_out(race: Race, moments: Moments) -> None:
    """45 cells without each of 342 clusters, at once; beside it cluster by cluster."""

    def one_by_one() -> Any:
        return [effects(GroupTime().cells(moments.without(cluster))) for cluster in range(342)]

    beside = Beside("one by one", one_by_one, close(1e-8), times=3)
    race("45 ATTs without each of 342 clusters", 0.03, lambda: GroupTime().without_each(moments).effect, beside)


def test_imputation_and_extended_twfe(race: Race, moments: Moments) -> None:
    race(
        "imputation and extended-twfe",
        0.005,
        lambda: [effects(estimator.cells(moments)) for estimator in (Imputation(), ExtendedTWFE())],
        rounds=20,
    )


def test_uniform_bands(race: Race) -> None:
    """From the covariance; beside it the multiplier bootstrap as it is written, a factor for each of 3,000 wijken."""
    scores = np.random.default_rng(1).normal(size=(3000, 45))
    covariance = scores.T @ scores
    error = np.sqrt(np.diag(covariance))

    def plain() -> float:
        rng = np.random.default_rng(2)
        draws = np.array([rng.standard_normal(3000) @ scores for _ in range(1000)])
        return float(np.quantile(np.abs(draws / error).max(axis=1), 0.95))

    def ours() -> float:
        return critical(covariance, np.inf, 0.95, 1000, np.random.default_rng(1)).value

    # Two critical values of 1,000 draws have a standard error of 0.04 each.
    beside = Beside("draw by draw", plain, partial(np.testing.assert_allclose, atol=0.2), times=5)
    race("uniform bands over 45 ATTs from 1,000 draws", 0.01, ours, beside, rounds=20)


# The kernels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("products", [False, True], ids=["totals", "products"])
@pytest.mark.parametrize("places", [6, 2052])
@pytest.mark.parametrize("threads", [1, None], ids=["one thread", "threads"])
def test_sums(race: Race, places: int, products: bool, threads: int | None) -> None:
    rng = np.random.default_rng(1)
    y, place, weight = rng.normal(size=(1_000_000, 10)), rng.integers(0, places, 1_000_000), np.ones(1_000_000)

    def run() -> Any:
        found = kernels.sums(y, place, places, weight, y[0], products=products)
        return found.total if found.products is None else found.products

    def alone() -> Any:
        with one_thread():
            return run()

    what = f"sums of 1,000,000 × 10 at {places:,} places{', products' * products}{', one thread' * (threads == 1)}"
    target = (0.025 if products else 0.01) * (2 if threads == 1 else 1)
    race(what, target, alone if threads == 1 else run, Beside("numpy", partial(plainly, run), close(1e-7), times=4))


# A study, and the package itself --------------------------------------------------------------------------------------


def fresh(*arguments: str, allowed: tuple[int, ...] = (0, 1)) -> str:
    """What a new process prints; 1 is a study that ran, with a check that was not met."""
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode in allowed
    return done.stdout


def test_import_in_a_fresh_process(race: Race) -> None:
    """With what the interpreter needs to start."""
    race("`import impact`, in a fresh process", 0.3, lambda: fresh("-c", "import impact"), rounds=9)


def test_the_haaglanden_study(race: Race, tmp_path: Path) -> None:
    arguments = ("studies/criminaliteit-haaglanden", "--data", str(shared("data")), "--out", str(tmp_path))
    race(
        "`studies/criminaliteit-haaglanden`, end to end",
        20.0,
        lambda: fresh("-c", "from impact.cli import main; main()", "run", *arguments),
    )
