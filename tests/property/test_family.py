"""What ties the family together: each estimator against the regression or the means that it is another way to write."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from impact.cells import Fit
from impact.estimators.extended_twfe import ExtendedTWFE
from impact.estimators.group_time import GroupTime
from impact.estimators.imputation import Imputation, TwoStage
from impact.estimators.stacked import Stacked
from impact.panel import NEVER, Panel

NEAR = 1e-8  # dense least squares of a few hundred rows, outcomes of order 1


def panel(seed: int, *, gaps: bool = False, fixed: int = 0, varying: int = 0, weights: bool = True) -> Panel:
    """About 40 units over 6 periods: cohorts 2 and 4, one that starts after the last period, never treated."""
    rng = np.random.default_rng(seed)
    units, length = 44, 6
    first = np.array([2.0, 4.0, NEVER, NEVER, 8.0])[np.arange(units) % 5]
    x, z = rng.normal(size=(fixed, units, 1)), rng.normal(size=(varying, units, length))
    y = rng.normal(size=(units, 1)) + rng.normal(size=length) + rng.normal(size=(units, length))
    y = y + 0.3 * sum(x, start=np.zeros((units, 1))) * np.arange(length) + sum(z, start=np.zeros((units, length)))
    y = y + (np.arange(length) >= first[:, None]) * (1 + rng.normal(size=(units, 1)))
    if gaps:
        y[rng.uniform(size=y.shape) < 0.15] = np.nan
    base = Panel(
        y=y,
        first=np.full(units, NEVER),
        units=tuple(f"u{row:02}" for row in range(units)),
        periods=tuple(f"t{t}" for t in range(length)),
        cluster=np.arange(units),
        clusters=tuple(f"u{row:02}" for row in range(units)),
        area=np.full(units, -1),
        areas=(),
        weight=rng.uniform(0.5, 2, units) if weights else np.ones(units),
        group=np.full(units, -1),
        covariates={**{f"x{n}": x[n] for n in range(fixed)}, **{f"z{n}": z[n] for n in range(varying)}},
    )
    return base.assign(first)


def effects(fit: Any) -> dict[tuple[int, int], float]:
    assert isinstance(fit, Fit), fit
    cells = fit.cells
    return {(int(g), int(t)): float(e) for g, t, e in zip(cells.cohort, cells.period, cells.effect, strict=True)}


def after(found: dict[tuple[int, int], float]) -> dict[tuple[int, int], float]:
    return {key: value for key, value in found.items() if key[1] >= key[0]}


def design(one: Panel, inside: np.ndarray, *, interacted: bool = True) -> np.ndarray:
    """Dense regressors of the cells `inside` (rows of unit and period): unit and period effects and covariates."""
    unit, time = np.nonzero(inside)
    columns = [np.eye(len(one.units))[unit], np.eye(len(one.periods))[time]]
    for values in one.covariates.values():
        if values.shape[1] > 1:
            columns.append(values[unit, time][:, None])
        elif interacted:
            columns.append(values[unit] * np.eye(len(one.periods))[time])
    return np.hstack(columns)


def least_squares(x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> np.ndarray:
    root = np.sqrt(weight)
    return np.linalg.lstsq(x * root[:, None], y * root, rcond=1e-12)[0]


def imputed(one: Panel) -> dict[tuple[int, int], float]:
    """The definition: fit on the untreated cells, predict the others, average the gaps."""
    treated, seen = one.treated_cells(), ~np.isnan(one.y)
    fitted = seen & ~treated
    slope = least_squares(design(one, fitted), one.y[fitted], np.broadcast_to(one.weight[:, None], one.y.shape)[fitted])
    gap = np.full(one.y.shape, np.nan)
    inside = seen & treated & fitted.any(axis=1)[:, None]
    gap[inside] = one.y[inside] - design(one, inside) @ slope
    out = {}
    for start in np.unique(one.first[one.treated]):
        for t in range(int(start), len(one.periods)):
            rows = (one.first == start) & ~np.isnan(gap[:, t])
            if rows.any():
                out[int(start), t] = float(np.average(gap[rows, t], weights=one.weight[rows]))
    return out


@pytest.mark.parametrize(("fixed", "varying"), [(0, 0), (1, 0), (0, 1), (2, 1)])
@given(seed=st.integers(0, 10_000), gaps=st.booleans())
def test_imputation_is_what_it_says(seed: int, gaps: bool, fixed: int, varying: int) -> None:
    one = panel(seed, gaps=gaps, fixed=fixed, varying=varying)
    assert after(effects(Imputation().fit(one))) == pytest.approx(imputed(one), abs=NEAR)


@pytest.mark.parametrize(("fixed", "varying"), [(0, 0), (1, 1)])
@given(seed=st.integers(0, 10_000), gaps=st.booleans())
def test_a_pre_period_cell_is_compared_with_what_the_others_impute(
    seed: int, gaps: bool, fixed: int, varying: int
) -> None:
    """Least squares with a dummy for the cell; then each unit against its own other untreated periods. On a balanced
    panel that is the coefficient of the dummy; under another weighting only the mean over the units changes."""
    one = panel(seed, gaps=gaps, fixed=fixed, varying=varying)
    counts = np.random.default_rng(seed).uniform(0.2, 5, len(one.units))
    other = replace(one, weight=np.where(one.treated, counts, one.weight), serving=one.weight)
    found, weighted = (effects(Imputation().fit(each)) for each in (one, other))
    fitted = ~np.isnan(one.y) & ~one.treated_cells()
    unit, time = np.nonzero(fitted)
    x, units = design(one, fitted), len(one.units)
    checked = 0
    for (start, t), effect in found.items():
        if t >= start:
            continue
        dummy = (one.first[unit] == start) & (time == t)
        slope = least_squares(np.column_stack([dummy, x]), one.y[fitted], one.weight[unit])
        rest = np.full(one.y.shape, np.nan)
        rest[fitted] = one.y[fitted] - x[:, units:] @ slope[1 + units :]
        rows = np.flatnonzero((one.first == start) & fitted[:, t] & (fitted.sum(axis=1) > 1))
        gap = np.array([rest[row, t] - np.nanmean(np.delete(rest[row], t)) for row in rows])
        assert np.average(gap, weights=one.weight[rows]) == pytest.approx(effect, abs=NEAR)
        assert np.average(gap, weights=counts[rows]) == pytest.approx(weighted[start, t], abs=NEAR)
        assert gaps or slope[0] == pytest.approx(effect, abs=NEAR)
        checked += 1
    assert checked >= 4


@given(seed=st.integers(0, 10_000), covariates=st.booleans())
def test_three_names_of_one_number(seed: int, covariates: bool) -> None:
    """Imputation, two-stage and extended-twfe on a balanced panel, with not-yet-treated controls."""
    one = panel(seed, fixed=int(covariates))
    found = [after(effects(estimator.fit(one))) for estimator in (Imputation(), TwoStage(), ExtendedTWFE())]
    assert found[0] == pytest.approx(found[1], abs=NEAR)
    assert found[0] == pytest.approx(found[2], abs=NEAR)


@given(seed=st.integers(0, 10_000))
def test_extended_twfe_is_the_saturated_regression(seed: int) -> None:
    """Dense least squares with a dummy (and its slope on the centred covariate) for every treated cohort and period."""
    one = panel(seed, fixed=1)
    inside = np.ones(one.y.shape, dtype=bool)
    unit, time = np.nonzero(inside)
    columns, keys = [], []
    x = one.covariates["x0"][:, 0]
    for start in (2, 4):
        members = one.first == start
        centred = x - np.average(x[members], weights=one.weight[members])
        for t in range(start, len(one.periods)):
            own = (one.first[unit] == start) & (time == t)
            columns += [own.astype(float), own * centred[unit]]
            keys.append((start, t))
    found = least_squares(np.column_stack([*columns, design(one, inside)]), one.y[inside], one.weight[unit])
    assert after(effects(ExtendedTWFE().fit(one))) == pytest.approx(
        dict(zip(keys, found[: 2 * len(keys) : 2], strict=True)), abs=NEAR
    )


@given(seed=st.integers(0, 10_000), covariates=st.booleans())
def test_never_treated_controls_make_extended_twfe_group_time(seed: int, covariates: bool) -> None:
    """Without covariates every cell; with fixed ones the outcome regression of group-time."""
    one = panel(seed, fixed=int(covariates))
    mine = effects(ExtendedTWFE(control="never").fit(one))
    theirs = effects(GroupTime(base="universal", method="reg").fit(one))
    assert mine == pytest.approx(theirs, abs=NEAR)


@given(seed=st.integers(0, 10_000), gaps=st.booleans())
def test_group_time_is_two_by_two_means(seed: int, gaps: bool) -> None:
    """Over the units that were observed in both periods; the base is each unit's last observed one."""
    one = panel(seed, gaps=gaps)
    seen = ~np.isnan(one.y)

    def mean(rows: np.ndarray, change: np.ndarray) -> float:
        return float(np.average(change[rows], weights=one.weight[rows]))

    expected = {}
    for start in (2, 4):
        own = one.first == start
        for t in range(start, 6):
            parts, sizes = [], []
            for base in range(start):
                rows = own & seen[:, t] & seen[:, base] & ~seen[:, base + 1 : start].any(axis=1)
                controls = one.never & seen[:, t] & seen[:, base]
                if rows.any() and controls.any():
                    change = one.y[:, t] - one.y[:, base]
                    parts.append(mean(rows, change) - mean(controls, change))
                    sizes.append(one.weight[rows].sum())
            if parts:
                expected[start, t] = float(np.average(parts, weights=sizes))
    assert after(effects(GroupTime().fit(one))) == pytest.approx(expected, abs=NEAR)


@given(seed=st.integers(0, 10_000), before=st.integers(1, 2), control=st.sampled_from(["not-yet", "never"]))
def test_stacked_is_a_regression_on_the_stack(seed: int, before: int, control: Any) -> None:
    """Each sub-experiment written out: unit-by-stack and period-by-stack effects, event dummies for the treated."""
    one = panel(seed)
    found = effects(Stacked(before=before, after=1, control=control).fit(one))
    expected = {}
    for start in (2, 4):
        window = np.arange(start - before, start + 2)
        clean = one.never | ((one.first > start + 1) & (control == "not-yet") & (one.first != start))
        rows = np.flatnonzero(clean | (one.first == start))
        part = replace(one, y=one.y).take(rows)
        y = part.y[:, window]
        unit, time = np.nonzero(np.ones(y.shape, dtype=bool))
        own = part.first[unit] == start
        events = [t for t in range(len(window)) if window[t] != start - 1]
        x = [np.eye(len(rows))[unit], np.eye(len(window))[time], np.column_stack([own & (time == t) for t in events])]
        slope = least_squares(np.hstack([np.asarray(one, dtype=float) for one in x]), y.reshape(-1), part.weight[unit])
        for t, value in zip(events, slope[-len(events) :], strict=True):
            expected[start, int(window[t])] = float(value)
    assert found == pytest.approx(expected, abs=NEAR)


@given(seed=st.integers(0, 10_000), gaps=st.booleans(), fixed=st.integers(0, 1))
def test_scores_of_imputation_are_those_of_the_paper(seed: int, gaps: bool, fixed: int) -> None:
    """v_it times residual, summed by unit; treated residuals around the mean that the squared weights give (eq. 8), or
    around that mean without the unit (Appendix A.9): with v from dense least squares."""
    one = panel(seed, gaps=gaps, fixed=fixed)
    treated, seen = one.treated_cells(), ~np.isnan(one.y)
    fitted = seen & ~treated
    x, y = design(one, fitted), one.y[fitted]
    weight = one.weight[np.nonzero(fitted)[0]]
    slope = least_squares(x, y, weight)
    residual = y - x @ slope
    bread = np.linalg.pinv((x * weight[:, None]).T @ x, rcond=1e-12)
    fits = {kind: Imputation(variance=kind).fit(one) for kind in ("conservative", "leave-one-out")}
    assume(isinstance(fits["leave-one-out"], Fit))
    conservative = fits["conservative"]
    assert isinstance(conservative, Fit)
    place = {key: number for number, key in enumerate(effects(conservative))}
    for (start, t), cell in place.items():
        if t < start:
            continue
        rows = np.flatnonzero((one.first == start) & seen[:, t] & fitted.any(axis=1))
        share = one.weight[rows] / one.weight[rows].sum()
        inside = np.zeros(one.y.shape, dtype=bool)
        inside[rows, t] = True
        ahead = design(one, inside)
        gap = one.y[rows, t] - ahead @ slope
        v = -weight * (x @ (bread @ (share @ ahead)))
        base = np.bincount(np.nonzero(fitted)[0], weights=v * residual, minlength=len(one.units))
        for kind, fit in fits.items():
            assert isinstance(fit, Fit) and fit.cells.scores is not None
            expected = base.copy()
            for number, row in enumerate(rows):
                others = np.ones(len(rows), dtype=bool)
                others[number] = kind == "conservative"
                centre = (share[others] ** 2 @ gap[others]) / (share[others] ** 2).sum()
                expected[row] += share[number] * (gap[number] - centre)
            mine = fit.cells.scores.at(np.eye(len(place))[:, [cell]])[:, 0]
            np.testing.assert_allclose(mine, expected, atol=NEAR)
