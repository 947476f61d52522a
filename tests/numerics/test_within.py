"""Exact two-way effects against linearmodels, against dummies, and against what residuals are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from linearmodels.panel import PanelOLS

from impact.cells import Regression
from impact.errors import Refused
from impact.inference.small_sample import small_sample
from impact.numerics.within import LeastSquares, PeriodEffects, least_squares
from tests.brute import dummies

# Both sides are direct solutions of systems with condition numbers below 1e4.
EXACT = 1e-10


@dataclass(frozen=True)
class Data:
    y: np.ndarray
    x: np.ndarray
    weight: np.ndarray
    seen: np.ndarray
    cluster: np.ndarray

    def solve(self) -> LeastSquares:
        return least_squares(self.y, self.weight, self.seen, self.x)


def draw(seed: int, *, units: int = 40, periods: int = 7, regressors: int = 3, missing: float = 0.3) -> Data:
    """An unbalanced weighted panel in which every unit is seen at least twice."""
    rng = np.random.default_rng(seed)
    seen = rng.uniform(size=(units, periods)) >= missing
    seen[np.arange(units), rng.integers(0, 3, units)] = True
    seen[np.arange(units), rng.integers(3, periods, units)] = True
    x = rng.normal(size=(regressors, units, periods)) + rng.normal(size=(regressors, units, 1))
    y = 0.5 * x.sum(axis=0) + 3 * rng.normal(size=(units, 1)) + rng.normal(size=periods) + rng.normal(size=x.shape[1:])
    return Data(np.where(seen, y, np.nan), x, rng.uniform(0.2, 5, units), seen, rng.permutation(units) % 9)


def panel_ols(data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients and clustered errors of linearmodels, with its defaults; dummies rather than its iteration."""
    unit, period = np.nonzero(data.seen)
    index = pd.MultiIndex.from_arrays([unit, period])
    frame = pd.DataFrame(data.x[:, unit, period].T, index=index, columns=[f"x{k}" for k in range(len(data.x))])
    frame["y"], frame["w"], frame["g"] = data.y[unit, period], data.weight[unit], data.cluster[unit]
    model = PanelOLS(
        frame["y"], frame.filter(like="x"), entity_effects=True, time_effects=True, weights=frame["w"], singletons=False
    )
    found = model.fit(use_lsdv=True, cov_type="clustered", clusters=frame["g"])
    return found.params.to_numpy(), found.std_errors.to_numpy()


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("missing", [0.0, 0.3, 0.6])
def test_as_linearmodels(seed: int, missing: float) -> None:
    data = draw(seed, missing=missing)
    found = data.solve()
    coefficient, error = panel_ols(data)
    np.testing.assert_allclose(found.coefficient, coefficient, atol=EXACT, rtol=0)
    used = Regression(int(data.seen.sum()), found.rank + found.effects.rank, len(data.y))
    factor = small_sample(used, 9, "linearmodels")
    assert isinstance(factor, float)
    score = np.array([np.bincount(data.cluster, weights=column) for column in found.influence.T])
    np.testing.assert_allclose(np.sqrt((score**2).sum(axis=1) * factor), error, rtol=1e-8)


@pytest.mark.parametrize("seed", range(4))
def test_as_dummies_with_residuals_and_covariance(seed: int) -> None:
    data = draw(seed, missing=0.4)
    found = data.solve()
    coefficient, covariance, residual = dummies(data.y, data.x, data.weight, data.seen)
    np.testing.assert_allclose(found.coefficient, coefficient, atol=EXACT, rtol=0)
    np.testing.assert_allclose(found.influence.T @ found.influence, covariance, atol=EXACT, rtol=0)
    np.testing.assert_allclose(found.residual[data.seen], residual[data.seen], atol=EXACT, rtol=0)
    assert not found.residual[~data.seen].any()
    fitted = found.units[:, None] + found.periods + np.tensordot(found.coefficient, data.x, axes=1)
    np.testing.assert_allclose((data.y - fitted)[data.seen], residual[data.seen], atol=EXACT, rtol=0)


def test_units_without_weight_and_units_seen_once_change_nothing() -> None:
    data = draw(3)
    seen, weight = data.seen.copy(), data.weight.copy()
    seen[0] = False
    seen[0, 4] = True
    weight[1] = 0.0
    y = np.where(seen, np.nan_to_num(data.y), np.nan)
    found = least_squares(y, weight, seen, data.x)
    rest = least_squares(y[2:], weight[2:], seen[2:], data.x[:, 2:])
    np.testing.assert_allclose(found.coefficient, rest.coefficient, atol=EXACT, rtol=0)
    assert not found.influence[1].any()
    np.testing.assert_allclose(found.influence[0], 0, atol=EXACT)


def test_residuals_are_free_of_both_effects() -> None:
    data = draw(5, missing=0.5)
    effects = PeriodEffects.of(data.weight, data.seen)
    left, _ = effects.partial_out(data.x, data.weight, data.seen)
    np.testing.assert_allclose(left.sum(axis=-1), 0, atol=1e-12)
    np.testing.assert_allclose(data.weight @ left, 0, atol=1e-12)
    pure = np.arange(40.0)[:, None] + np.sin(np.arange(7.0))
    np.testing.assert_allclose(effects.partial_out(pure, data.weight, data.seen)[0], 0, atol=1e-12)


def test_periods_that_no_unit_connects_have_effects_of_their_own() -> None:
    """Half of the units are seen in periods 0 to 2 only, the others from 3 on: two panels that share coefficients."""
    data = draw(7, units=30, periods=6, missing=0.0)
    seen = np.zeros(data.seen.shape, dtype=bool)
    seen[:15, :3], seen[15:, 3:5] = True, True
    found = least_squares(data.y, data.weight, seen, data.x)
    assert found.effects.component.tolist() == [0, 0, 0, 1, 1, -1]
    assert found.effects.rank == 3
    coefficient, covariance, residual = dummies(data.y, data.x, data.weight, seen)
    np.testing.assert_allclose(found.coefficient, coefficient, atol=EXACT, rtol=0)
    np.testing.assert_allclose(found.influence.T @ found.influence, covariance, atol=EXACT, rtol=0)
    np.testing.assert_allclose(found.residual[seen], residual[seen], atol=EXACT, rtol=0)


def test_regressors_shared_by_kind_are_as_good_as_their_copies() -> None:
    data = draw(9, missing=0.0)
    kind = np.random.default_rng(1).integers(0, 5, 40)
    shared = np.random.default_rng(2).normal(size=(2, 5, 7))
    cut = np.ones((5, 7), dtype=bool)
    cut[[1, 3, 3], [2, 0, 6]] = False
    seen = cut[kind]
    y = np.where(seen, data.y, np.nan)
    found = least_squares(y, data.weight, seen, data.x, shared, kind)
    copied = least_squares(y, data.weight, seen, np.concatenate([shared[:, kind], data.x]))
    for name in ("coefficient", "influence", "residual", "units", "periods"):
        np.testing.assert_allclose(getattr(found, name), getattr(copied, name), atol=EXACT, rtol=0, err_msg=name)
    assert found.rank == copied.rank == 5


@pytest.mark.parametrize("seed", range(11, 17))
def test_what_is_not_identified_is_nan_and_never_zero(seed: int) -> None:
    data = draw(seed)
    fixed, common = np.broadcast_to(data.x[0, :, :1], data.y.shape), np.broadcast_to(np.arange(7.0), data.y.shape)
    twins = data.x[1] + fixed
    found = least_squares(data.y, data.weight, data.seen, np.stack([fixed, data.x[1], common, data.x[2], twins]))
    assert np.isnan(found.coefficient).tolist() == [True, True, True, False, True]
    assert np.isnan(found.influence).all(axis=0).tolist() == [True, True, True, False, True]
    assert found.rank == 2
    alone = least_squares(data.y, data.weight, data.seen, data.x[1:])
    np.testing.assert_allclose(found.coefficient[3], alone.coefficient[1], atol=EXACT, rtol=0)
    np.testing.assert_allclose(found.residual, alone.residual, atol=EXACT, rtol=0)


@pytest.mark.parametrize("seed", range(3))
def test_regressors_that_are_nearly_alike_keep_their_digits(seed: int) -> None:
    """Two that differ by a hundredth of a percent: normal equations alone would lose eight digits."""
    data = draw(seed)
    x = np.stack([data.x[0], data.x[0] + 1e-4 * data.x[1]])
    coefficient, *_ = dummies(data.y, x, data.weight, data.seen)
    found = least_squares(data.y, data.weight, data.seen, x).coefficient
    np.testing.assert_allclose(found, coefficient, rtol=1e-10)


def test_nothing_left_to_explain_and_nothing_to_explain_with() -> None:
    data = draw(13)
    empty = least_squares(data.y, data.weight, data.seen)
    assert empty.coefficient.shape == (0,) and empty.influence.shape == (40, 0) and empty.rank == 0
    _, _, residual = dummies(data.y, data.x[:0], data.weight, data.seen)
    np.testing.assert_allclose(empty.residual[data.seen], residual[data.seen], atol=EXACT, rtol=0)


def test_the_influence_is_the_derivative_in_the_weight() -> None:
    data = draw(15)
    found, step = data.solve(), 1e-5
    for unit in (0, 7, 21):
        moved = [data.weight.copy(), data.weight.copy()]
        moved[0][unit] *= 1 + step
        moved[1][unit] *= 1 - step
        up, down = (least_squares(data.y, weight, data.seen, data.x).coefficient for weight in moved)
        # Central differences: an error of the square of the step, and of rounding over the step.
        np.testing.assert_allclose((up - down) / (2 * step), found.influence[unit], atol=1e-8)
    np.testing.assert_allclose(found.influence.sum(axis=0), 0, atol=EXACT)


def test_a_coefficient_is_the_sum_of_what_it_pulls() -> None:
    data = draw(17)
    found = data.solve()
    for number, coefficient in enumerate(found.coefficient):
        pulled = (data.weight[:, None] * found.pull(number) * np.nan_to_num(data.y))[data.seen].sum()
        assert pulled == pytest.approx(coefficient, abs=EXACT)


def test_levels_and_units_of_measurement_cost_no_digits() -> None:
    data = draw(19)
    plain = data.solve()
    scale = np.array([1e-3, 1.0, 1e6])
    moved = least_squares(
        data.y + 1e6 * np.arange(40)[:, None], data.weight * 1e-4, data.seen, data.x * scale[:, None, None] + 1e3
    )
    # Levels of 4e7 beside a spread of 1 leave eight digits of the outcome.
    np.testing.assert_allclose(moved.coefficient * scale, plain.coefficient, rtol=1e-7)


@pytest.mark.parametrize("convention", ["fixest", "linearmodels"])
def test_no_factor_without_a_degree_of_freedom(convention: str) -> None:
    assert isinstance(small_sample(Regression(20, 11, 10), 10, convention), Refused) == (convention == "linearmodels")  # type: ignore[arg-type]
    assert isinstance(small_sample(Regression(12, 11, 6), 6, convention), Refused)  # type: ignore[arg-type]
    assert small_sample(Regression(12, 11, 6), 6, "none") == 1.0


def test_one_cluster_has_no_factor_and_other_names_are_errors() -> None:
    assert isinstance(small_sample(Regression(50, 5, 10), 1, "fixest"), Refused)
    with pytest.raises(ValueError, match="stata"):
        small_sample(Regression(50, 5, 10), 10, "stata")  # type: ignore[arg-type]
