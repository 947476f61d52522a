"""Matching and weighting of 100 treated buurten with 14,000 others on 8 characteristics."""

from __future__ import annotations

import subprocess
import sys
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import impact
from impact.design.matched import Matched
from tests.benchmarks.conftest import Beside
from tests.benchmarks.test_speed import Race
from tests.shared import ROOT

pytestmark = pytest.mark.benchmark

TREATED, CONTROLS, WIDTH = 100, 14_000, 8
ON = [f"x{column}" for column in range(WIDTH)]
MOST = 500  # megabytes of a whole process that makes the table and matches it


@cache
def buurten() -> pd.DataFrame:
    draw = np.random.default_rng(0)
    treated = np.arange(TREATED + CONTROLS) < TREATED
    x = draw.normal(size=(len(treated), WIDTH)) + 0.4 * treated[:, None]
    return pd.DataFrame(x, columns=ON, index=[f"BU{row:08}" for row in range(len(x))]).assign(focus=treated)


def matched(**asked: Any) -> Matched:
    found = impact.match(buurten(), treated="focus", on=ON, **asked)
    assert isinstance(found, Matched)
    return found


def plainly() -> float:
    """Sum of the five smallest distances within the caliper, by sorting all: no table is read, nothing is checked."""
    frame = buurten()
    here, there = (frame.loc[frame["focus"] == group, ON].to_numpy() for group in (True, False))
    away = np.vstack([here - here.mean(axis=0), there - there.mean(axis=0)])
    spread = away.T @ away / (len(away) - 2)
    inverse, total = np.linalg.inv(spread), 0.0
    for one in here:
        gap = there - one
        far = np.sqrt(np.einsum("ip,pq,iq->i", gap, inverse, gap))
        far[(np.abs(gap) > np.sqrt(np.diag(spread))).any(axis=1)] = np.inf
        best = np.sort(far)[:5]
        total += float(best[np.isfinite(best)].sum())
    return total


def same(ours: Matched, total: float) -> None:
    assert ours.total_distance == pytest.approx(total, rel=1e-9)


def test_nearest_with_caliper(race: Race) -> None:
    what = "nearest 1:5 within a caliper on 8 characteristics, 100 against 14,000"
    race(what, 0.2, partial(matched, ratio=5, caliper=1.0), Beside("a loop in numpy", plainly, same, 0.5))


def test_nearest_on_propensity(race: Race) -> None:
    what = "nearest 1:5 on the propensity within 0.2 SD, 100 against 14,000"
    race(what, 0.2, partial(matched, distance="propensity", ratio=5, caliper=0.2))


def test_optimal(race: Race) -> None:
    race("optimal 1:5 on 8 characteristics, 100 against 14,000", 2.0, partial(matched, method="optimal", ratio=5))


def test_full(race: Race) -> None:
    race("full matching on 8 characteristics, 100 against 14,000", 2.0, partial(matched, method="full"))


def generally() -> np.ndarray:
    """Weights of entropy balancing by a general minimiser of the dual: no table is read, nothing is checked."""
    frame = buurten()
    here, there = (frame.loc[frame["focus"] == group, ON].to_numpy() for group in (True, False))
    powers = [np.hstack([x, x**2, x**3]) for x in (here, there)]
    z = (powers[1] - powers[0].mean(axis=0)) / powers[1].std(axis=0)

    def dual(slope: np.ndarray) -> tuple[float, np.ndarray]:
        index = z @ slope
        odds = np.exp(index - index.max())
        return float(np.log(odds.mean()) + index.max()), odds @ z / odds.sum()

    found = minimize(dual, np.zeros(z.shape[1]), jac=True, method="BFGS", options={"gtol": 1e-7})
    odds = np.exp(z @ found.x)
    return np.asarray(odds / odds.mean())


def alike(ours: Matched, theirs: np.ndarray) -> None:
    """A general minimiser stops at a gradient of 1e-7, which leaves more in weights."""
    np.testing.assert_allclose(ours.weight[~ours.treated], theirs, rtol=1e-3, atol=1e-4)


def test_entropy_balancing(race: Race) -> None:
    what = "entropy balancing with 24 moments, 100 against 14,000"
    # Which stops at 1e-7 and is given numbers, where we go to the end and read a table: it need not be beaten.
    beside = Beside("scipy BFGS on arrays", generally, alike, 0.2)
    race(what, 0.2, partial(matched, method="entropy", moments=3), beside)


def test_stable_weights(race: Race) -> None:
    race("stable weights with 24 moments, 100 against 14,000", 0.3, partial(matched, method="stable", moments=3))


def test_overlap_weights(race: Race) -> None:
    race("overlap weights on 8 characteristics, 100 against 14,000", 0.1, partial(matched, method="overlap"))


def test_optimal_stays_small() -> None:
    code = (
        "import resource, sys; from tests.benchmarks.test_design_speed import matched;"
        "matched(method='optimal', ratio=5);"
        "most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "print(most / (1024 ** 2 if sys.platform == 'darwin' else 1024))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < MOST
