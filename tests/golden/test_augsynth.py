"""Kansas's tax cut and California's Proposition 99: (augmented) synthetic control against R augsynth 0.2.0.

The R package finds the synthetic control inside with osqp, which stops early, so its weights are a few 1e-8 (Kansas) to
1e-6 (California) from the optimum; everything after that is a formula. So the tests ask three things: that our program
is no worse; that the textbook formula on *their* inner weights gives their weights to the digits that are printed; and
that ours differ from theirs by exactly what the formula makes of the difference of the inner weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from impact.arrays import Float1, Float2
from impact.cells import Fit
from impact.estimators.augmented import AugmentedSyntheticControl
from impact.estimators.protocol import Estimator
from impact.estimators.synthetic_control import SyntheticControl
from impact.panel import Panel
from tests.shared import golden, shared

FORMULA = 1e-9  # what is left when both sides use the same inner weights: 15 digits printed, systems of up to 1e8
ROUNDING = 1e-12  # of an objective, relative
# Effects: what osqp's stop moves them by, in log GDP per head and in packs.
STOP = {"kansas": 1e-8, "prop99": 1e-4}
SCM = {"kansas": "augsynth_kansas_scm", "prop99": "augsynth_prop99_none"}
RIDGE = [
    ("kansas", "augsynth_kansas_ridge", AugmentedSyntheticControl()),
    ("kansas", "augsynth_kansas_ridge_lambda0.01", AugmentedSyntheticControl(lam=0.01)),
    ("prop99", "augsynth_prop99_ridge", AugmentedSyntheticControl()),
]


@pytest.fixture(scope="module")
def panels() -> dict[str, Panel]:
    kansas = pd.read_csv(shared("reference/data/kansas.csv.gz"))
    california = pd.read_csv(shared("reference/data/california_prop99.csv"))
    return {
        "kansas": Panel.from_frame(kansas, unit="fips", time="year_qtr", outcome="lngdpcapita", treated="treated"),
        "prop99": Panel.from_frame(california, unit="State", time="Year", outcome="PacksPerCapita", treated="treated"),
    }


def fitted(estimator: Estimator, panel: Panel) -> Fit:
    found = estimator.fit(panel)
    assert isinstance(found, Fit)
    return found


def split(panel: Panel) -> tuple[Float2, Float1, int]:
    """Donors (J, T), the treated unit (T,), and the number of periods before the start."""
    row = int(np.flatnonzero(panel.treated)[0])
    return np.delete(panel.y, row, axis=0), panel.y[row], int(panel.first[row])


def ours(fit: Fit, panel: Panel) -> Float1:
    assert fit.weights is not None
    return fit.weights.unit[0, panel.never]


def theirs(results: dict[str, Any], panel: Panel) -> Float1:
    return np.array([results["weights"][name] for name, donor in zip(panel.units, panel.never, strict=True) if donor])


def missed(a: Float2, b: Float1, w: Float1) -> float:
    """Sum of squares that is left, with the weights put back on the simplex: osqp leaves some at -3e-9."""
    on = np.maximum(w, 0.0)
    return float(np.sum((a @ (on / on.sum()) - b) ** 2))


def effects(results: dict[str, Any], panel: Panel) -> Float1:
    return np.array([results["att"][period] for period in panel.periods])


def imbalance(results: dict[str, Any]) -> float:
    return float(results["l2_imbalance"] if "l2_imbalance" in results else results["l2"])


def carried(a: Float2, w: Float1, miss: Float1, lam: float) -> Float1:
    """What becomes of inner weights `w` that miss the centred treated unit by `miss`."""
    return np.asarray(w + np.linalg.solve(a @ a.T + lam * np.eye(len(a)), miss) @ a)


@pytest.mark.parametrize(("data", "name", "estimator"), RIDGE, ids=[name for _, name, _ in RIDGE])
def test_ridge(data: str, name: str, estimator: AugmentedSyntheticControl, panels: dict[str, Panel]) -> None:
    panel, expected, inner = panels[data], golden(name)["results"], golden(SCM[data])["results"]
    fit = fitted(estimator, panel)
    donors, treated, before = split(panel)
    centre = donors[:, :before].mean(axis=0)
    a, b = (donors[:, :before] - centre).T, treated[:before] - centre
    lam = expected["lambda"]

    plain, stopped = ours(fitted(SyntheticControl(), panel), panel), theirs(inner, panel)
    assert missed(a, b, plain) <= missed(a, b, stopped) * (1 + ROUNDING)
    np.testing.assert_allclose(carried(a, stopped, b - a @ stopped, lam), theirs(expected, panel), atol=FORMULA)
    moved = carried(a, plain - stopped, -a @ (plain - stopped), lam)
    np.testing.assert_allclose(ours(fit, panel), theirs(expected, panel) + moved, atol=FORMULA)

    np.testing.assert_allclose(fit.cells.effect, effects(expected, panel), atol=STOP[data])
    misfit = fit.cells.effect[:before]
    assert np.sqrt(misfit @ misfit) == pytest.approx(imbalance(expected), abs=STOP[data] * np.sqrt(before))
    if "y0hat" in expected:
        imputed = np.array([expected["y0hat"][period] for period in panel.periods])
        np.testing.assert_allclose(treated - fit.cells.effect, imputed, atol=STOP[data])
        uniform = np.linalg.norm(b - a.mean(axis=1))
        assert np.linalg.norm(misfit) / uniform == pytest.approx(expected["scaled_l2_imbalance"], abs=1e-6)


@pytest.mark.parametrize(("data", "name"), [(data, name) for data, name, how in RIDGE if isinstance(how.lam, str)])
def test_the_penalty_of_one_standard_error(data: str, name: str, panels: dict[str, Panel]) -> None:
    """augsynth never leaves the last period before the start out; on these data the choice is the same."""
    (tuned,) = fitted(AugmentedSyntheticControl(), panels[data]).tuned
    assert tuned.value[0] == pytest.approx(golden(name)["results"]["lambda"], rel=1e-12)
    donors, _, before = split(panels[data])
    largest = np.linalg.svd(donors[:, :before] - donors[:, :before].mean(axis=0))[1][0] ** 2
    np.testing.assert_allclose(tuned.tried[:, 0], largest * 1e-8 ** (np.arange(21) / 20), rtol=1e-9)


def test_synthetic_control(panels: dict[str, Panel]) -> None:
    panel, expected = panels["kansas"], golden("augsynth_kansas_scm")["results"]
    fit = fitted(SyntheticControl(), panel)
    donors, treated, before = split(panel)
    theirs_left = missed(donors[:, :before].T, treated[:before], theirs(expected, panel))
    assert fit.trace[0].objective <= theirs_left * (1 + ROUNDING)
    assert np.sqrt(fit.trace[0].objective) == pytest.approx(expected["l2_imbalance"], rel=1e-7)
    np.testing.assert_allclose(fit.cells.effect, effects(expected, panel), atol=1e-7)


@pytest.mark.parametrize(
    "estimator", [SyntheticControl(intercept=True), AugmentedSyntheticControl(lam=1e12, intercept=True)], ids=str
)
def test_synthetic_control_with_fixed_effects(estimator: Estimator, panels: dict[str, Panel]) -> None:
    """The program with an intercept, and the augmented one with λ so large that nothing else is left of it."""
    panel, expected = panels["kansas"], golden("augsynth_kansas_scm_fe")["results"]
    fit = fitted(estimator, panel)
    donors, treated, before = split(panel)
    a, b = donors[:, :before].T, treated[:before]
    assert fit.trace[0].objective <= missed(a - a.mean(axis=0), b - b.mean(), theirs(expected, panel)) * (1 + ROUNDING)
    assert np.sqrt(fit.trace[0].objective) == pytest.approx(expected["l2_imbalance"], rel=1e-7)
    np.testing.assert_allclose(fit.cells.effect, effects(expected, panel), atol=1e-7)
    imputed = np.array([expected["y0hat"][period] for period in panel.periods])
    np.testing.assert_allclose(treated - fit.cells.effect, imputed, atol=1e-7)
