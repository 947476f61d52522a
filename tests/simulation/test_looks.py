"""How often any look finds a difference that is not there, when boundaries come from an estimated covariance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from impact.inference.looks import Ledger, Spending

TREATED, CONTROLS, BASE = 19, 300, 3


def series(rng: np.random.Generator, clusters: int, periods: int) -> np.ndarray:
    """(clusters, periods) first-order serial correlation of 0.5."""
    noise = rng.standard_normal((clusters, periods + 30))
    out = np.zeros_like(noise)
    for period in range(1, noise.shape[1]):
        out[:, period] = 0.5 * out[:, period - 1] + noise[:, period]
    return out[:, 30:]


def ever(looks: int, spending: Spending, rng: np.random.Generator) -> tuple[bool, bool]:
    """Whether a programme without effect is found to differ at any look, by its ledger and by 5 % at every look.

    At every look the estimate is the mean since the start less the base period, of 19 treated clusters against 300, and
    the covariance of the looks so far is taken anew from the scores.
    """
    treated = np.arange(TREATED + CONTROLS) < TREATED
    y = series(rng, TREATED + CONTROLS, BASE + looks)
    means = np.cumsum(y[:, BASE:], axis=1) / np.arange(1, looks + 1) - y[:, :BASE].mean(axis=1, keepdims=True)
    estimate = means[treated].mean(axis=0) - means[~treated].mean(axis=0)
    away = np.where(treated[:, None], means - means[treated].mean(axis=0), means - means[~treated].mean(axis=0))
    scores = away / np.where(treated, np.sqrt(TREATED * (TREATED - 1)), np.sqrt(CONTROLS * (CONTROLS - 1)))[:, None]
    covariance = scores.T @ scores
    p = 2 * stats.t.sf(np.abs(estimate) / np.sqrt(np.diag(covariance)), TREATED - 1)
    labels = tuple(str(look) for look in range(looks))
    ledger = Ledger(0.05, spending, labels)
    for look, label in enumerate(labels):
        ledger = ledger.look(label, covariance[: look + 1, : look + 1], rng, draws=256)
    return any(p[place] <= look.nominal for place, look in enumerate(ledger.taken)), bool((p <= 0.05).any())


def rates(worlds: int, looks: int, spending: Spending) -> tuple[float, float]:
    rng = np.random.default_rng(looks)
    found = np.array([ever(looks, spending, rng) for _ in range(worlds)]).mean(axis=0)
    return float(found[0]), float(found[1])


def test_six_looks_keep_the_error() -> None:
    """A quick set; the long one is below."""
    with_ledger, without = rates(250, 6, "pocock")
    assert with_ledger <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 250)
    assert without > 0.08


@pytest.mark.simulation
@pytest.mark.parametrize("spending", ["obrien-fleming", "pocock"])
@pytest.mark.parametrize("looks", [6, 10, 16])
def test_looks_keep_the_error_in_many_worlds(looks: int, spending: Spending) -> None:
    with_ledger, without = rates(2000, looks, spending)
    print(looks, spending, with_ledger, without)
    assert with_ledger <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)
    assert without > 0.1
