"""What known errors of the figures add, against hand-worked sums, perturbed figures and repeated samples."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import impact
from impact.errors import Refused
from impact.estimators.did import DiD
from impact.estimators.group_time import GroupTime
from impact.estimators.imputation import Imputation
from impact.estimators.synthetic_control import SyntheticControl
from impact.inference.known_error import KnownError, known_error
from impact.inference.protocol import Found, evaluate
from impact.panel import NEVER, Panel
from impact.targets import Target
from tests.contract.worlds import CONFIGURED, Configured, frame, matched
from tests.contract.worlds import panel_of as world_of
from tests.test_inference import panel_of as small


def known(estimator: Any, panel: Panel, target: Target | None = None) -> KnownError | Refused | None:
    target = target or Target()
    full = evaluate(estimator, panel, target)
    assert isinstance(full, Found), full
    return known_error(estimator, panel, target, full)


def errors(panel: Panel, seed: int = 0) -> Panel:
    return replace(panel, se=np.random.default_rng(seed).uniform(0.1, 1, size=panel.y.shape))


# By hand --------------------------------------------------------------------------------------------------------------


def test_a_difference_of_two_changes_by_hand() -> None:
    """Two treated units of weight 1 and 3, two controls, two periods: weights 1/4, 3/4, −1/2, −1/2 on every change.
    With errors 4, 2 (treated, both periods) and 1, 1 the variance is 2 (1/16 16 + 9/16 4) + 2 (1/4 + 1/4)."""
    panel = small(np.random.default_rng(0).normal(size=(4, 2)), [1, 1, NEVER, NEVER], weight=[1, 3, 2, 2])
    panel = replace(panel, se=np.repeat([[4.0], [2.0], [1.0], [1.0]], 2, axis=1))
    found = known(DiD(), panel)
    assert isinstance(found, KnownError) and not found.given_weights
    assert found.std_error[0] == pytest.approx(math.sqrt(2 * (1 + 9 / 4) + 1))
    np.testing.assert_allclose(found.share(np.array([math.sqrt(30.0)])), [0.25])


def test_a_base_of_many_periods_has_less_of_it() -> None:
    """An error of 1 everywhere, 5 treated and 10 controls: the change from one period has 2 (1/5 + 1/10), from the mean
    of four (1 + 1/4) (1/5 + 1/10)."""
    panel = small(np.random.default_rng(0).normal(size=(15, 5)), [4.0] * 5 + [NEVER] * 10)
    panel = replace(panel, se=np.ones(panel.y.shape))
    for estimator, periods in ((GroupTime(), 2.0), (DiD(), 1.25), (Imputation(), 1.25)):
        found = known(estimator, panel)
        assert isinstance(found, KnownError)
        assert found.std_error[0] == pytest.approx(math.sqrt(periods * (1 / 5 + 1 / 10)), rel=1e-12)


def test_weights_that_do_not_sum_to_one_keep_the_level_in_the_estimate() -> None:
    """An error of 1 everywhere: the mean of three gaps has (1 + Σ w²) / 3, whatever the weights sum to."""
    rng = np.random.default_rng(2)
    panel = small(40 + rng.normal(size=(8, 9)), [6.0] + [NEVER] * 7)
    panel = replace(panel, se=np.ones(panel.y.shape))
    estimator = SyntheticControl(constraint="lasso", budget=0.6)
    full = evaluate(estimator, panel, Target())
    assert isinstance(full, Found) and full.fit.weights is not None
    weights = full.fit.weights.unit[0]
    assert weights.sum() == pytest.approx(0.6)
    found = known(estimator, panel)
    assert isinstance(found, KnownError) and found.given_weights
    assert found.std_error[0] == pytest.approx(math.sqrt((1 + float(weights @ weights)) / 3))


def test_without_known_errors_there_is_nothing_to_say() -> None:
    assert known(DiD(), world_of(frame())) is None
    result = impact.estimate(world_of(frame()), "did")
    assert isinstance(result, impact.Result) and result.known is None
    said = result.known_error()
    assert isinstance(said, Refused) and "se=" in said.instead
    assert "known error" not in result.summary()


# Every estimator ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [lambda panel: panel, matched], ids=["plain", "matched"])
@pytest.mark.parametrize("case", CONFIGURED, ids=lambda case: case.label)
def test_every_weight_is_what_a_figure_moves_the_estimate(case: Configured, change: Any) -> None:
    """An error in one figure alone gives the size of its weight; whoever cannot say what weights he has refuses.

    Where weights are learned, they are held at what was learned."""
    panel = change(world_of(frame(), case))
    target = Target("event", "area")
    full = evaluate(case.estimator, panel, target)
    assert isinstance(full, Found)
    rng = np.random.default_rng(0)
    cells = [(int(rng.integers(len(panel.units))), int(rng.integers(len(panel.periods)))) for _ in range(4)]
    cells += [(int(np.flatnonzero(panel.treated)[-1]), len(panel.periods) - 1)]
    weighed = 0
    for unit, period in cells:
        se = np.zeros(panel.y.shape)
        se[unit, period] = 1.0
        found = known_error(case.estimator, replace(panel, se=se), target, full)
        if isinstance(found, Refused):
            assert case.estimator.name in found.because and found.instead
            assert case.estimator.name not in ("did", "group-time", "imputation", "two-stage") or case.covariates
            return
        assert found is not None
        moved = panel.with_outcome(panel.y + se)
        hold = full.fit.weights if found.given_weights else None
        again = evaluate(case.estimator, moved, target, hold=hold)
        assert isinstance(again, Found)
        move = np.abs(again.effects.estimate - full.effects.estimate)
        np.testing.assert_allclose(found.std_error, move, atol=1e-8)
        weighed += int((move > 1e-3).any())
    assert weighed


@pytest.mark.parametrize("name", ["synthetic-control", "synthetic-did"])
def test_learned_weights_are_said_to_be_taken_as_given(name: str) -> None:
    result = impact.estimate(errors(world_of(frame())), name)
    assert isinstance(result, impact.Result) and isinstance(result.known, KnownError) and result.known.given_weights
    assert "with the weights taken as given" in result.summary()


# What is not known ----------------------------------------------------------------------------------------------------


def test_a_figure_without_its_error_is_a_refusal_only_where_it_weighs() -> None:
    """group-time with a universal base uses the last period before the start and those after it."""
    panel = errors(small(np.random.default_rng(0).normal(size=(12, 5)), [3.0] * 6 + [NEVER] * 6))
    assert panel.se is not None
    se = panel.se.copy()
    se[:, 0] = np.nan
    found = known(GroupTime(base="universal"), replace(panel, se=se))
    assert isinstance(found, KnownError) and np.isfinite(found.std_error).all()
    se[2, 3] = se[9, 2] = np.nan
    refused = known(GroupTime(base="universal"), replace(panel, se=se))
    assert isinstance(refused, Refused) and "of 2 figures" in refused.because


def test_missing_outcomes_have_no_error_to_know() -> None:
    panel = errors(world_of(frame()))
    y = panel.y.copy()
    y[[2, 5], [3, 0]] = np.nan
    assert panel.se is not None
    gaps = replace(panel, y=y, se=np.where(np.isnan(y), np.nan, panel.se))
    assert isinstance(known(GroupTime(), gaps), KnownError)
    assert isinstance(known(Imputation(), gaps), KnownError)


# It changes nothing else ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["did", "imputation"])
def test_known_errors_are_never_added_and_weigh_nothing(name: str) -> None:
    """Areas with precise figures do not count for more, and no interval grows: clusters show these errors already."""
    plain, with_errors = (
        impact.estimate(panel, name, target="event", weighting="area")
        for panel in (world_of(frame()), errors(world_of(frame())))
    )
    assert isinstance(plain, impact.Result) and isinstance(with_errors, impact.Result)
    assert plain.tidy().equals(with_errors.tidy())


def test_the_share_is_of_the_variance_that_stands_in_the_table() -> None:
    result = impact.estimate(errors(world_of(frame())), "did", target="event", weighting="area")
    assert isinstance(result, impact.Result)
    table = result.known_error(0.9)
    assert not isinstance(table, Refused)
    assert list(table.columns) == [
        *("target", "term", "weighting", "estimate", "std_error", "known_error", "share", "full_low", "full_high"),
        "status",
    ]
    np.testing.assert_allclose(table["share"], (table["known_error"] / table["std_error"]) ** 2)
    # 1.644854 is the 95 % point of the normal distribution.
    np.testing.assert_allclose(table["full_high"] - table["estimate"], 1.644854 * table["known_error"], rtol=1e-6)
    np.testing.assert_allclose(table["estimate"] - table["full_low"], 1.644854 * table["known_error"], rtol=1e-6)
    share = table["share"].iloc[-1]
    assert f"is {share:.0%} of the variance of mean" in result.summary()


def test_a_known_error_larger_than_the_variance_is_all_of_it() -> None:
    """Figures that vary by 0.1 and are said to be off by 5."""
    panel = small(0.1 * np.random.default_rng(0).normal(size=(12, 4)), [2.0] * 6 + [NEVER] * 6)
    result = impact.estimate(replace(panel, se=np.full(panel.y.shape, 5.0)), "did")
    assert isinstance(result, impact.Result) and "is all of the variance" in result.summary()


# Repeated samples -----------------------------------------------------------------------------------------------------


def test_the_full_count_lies_in_its_interval() -> None:
    """True figures with shocks of the areas, asked again 600 times: the estimate from the full count lies in the
    interval of the average and of a single area in 95 % of them (a Monte-Carlo error of 0.9); the effect of 0 does
    not, because what else happened in an area is no sampling error."""
    rng = np.random.default_rng(4)
    truth = small(rng.normal(size=(20, 6)), [3.0] * 8 + [NEVER] * 12)
    se = rng.uniform(0.2, 0.6, size=truth.y.shape)
    for target in (Target(), Target("unit")):
        full = evaluate(DiD(), truth, target)
        assert isinstance(full, Found)
        held, zero = 0, 0
        for _ in range(600):
            asked = replace(truth.with_outcome(truth.y + se * rng.standard_normal(se.shape)), se=se)
            found = evaluate(DiD(), asked, target)
            assert isinstance(found, Found)
            error = known_error(DiD(), asked, target, found)
            assert isinstance(error, KnownError)
            low, high = (found.effects.estimate + side * 1.959964 * error.std_error for side in (-1, 1))
            held += int(low[0] <= full.effects.estimate[0] <= high[0])
            zero += int(low[0] <= 0 <= high[0])
        assert 0.92 < held / 600 < 0.98
        assert abs(full.effects.estimate[0]) < 0.2 or zero / 600 < 0.9


def test_a_single_area_has_that_interval_and_no_other() -> None:
    result = impact.estimate(errors(world_of(frame())), "did", target="unit", weighting="area")
    assert isinstance(result, impact.Result)
    table = result.known_error()
    assert not isinstance(table, Refused)
    assert np.isfinite(table[["full_low", "full_high", "known_error"]]).all(axis=None)
    assert table[["std_error", "share"]].isna().all(axis=None)
    assert table["status"].str.startswith("refused: ").all()
    assert result.tidy()[["ci_low", "ci_high", "p_value"]].isna().all(axis=None)
    assert "no variance to hold it against" in result.summary()
