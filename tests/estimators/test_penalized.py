"""Penalised synthetic control: the program, its two limits, Theorem 1, and a plain choice of the penalty."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import linprog

from impact.arrays import Float1, Float2
from impact.cells import Fit
from impact.errors import Refused
from impact.estimators import penalized
from impact.estimators.penalized import LAMBDAS, PenalizedSyntheticControl
from impact.estimators.protocol import Replicates, StandIns
from impact.estimators.synthetic_control import SyntheticControl
from impact.numerics.simplex import Simplex
from impact.panel import Panel
from tests.estimators.simplex_oracle import by_clarabel
from tests.test_synthetic import fitted, panel_of, refused, three_areas

# The general solver leaves about 1e-8 of the weights.
ORACLE = 1e-6
CONFIGURED = [
    PenalizedSyntheticControl(),
    PenalizedSyntheticControl(lam="hold-out", intercept=True),
    PenalizedSyntheticControl(lam=0.3),
]
EACH = pytest.mark.parametrize("estimator", CONFIGURED, ids=lambda one: f"{one.lam}, intercept={one.intercept}")


def one_area(seed: int = 1, donors: int = 8, periods: int = 9, start: int = 6) -> Panel:
    rng = np.random.default_rng(seed)
    return panel_of(3 + rng.normal(size=(donors + 1, periods)), {0: start})


def weights(fit: Fit) -> Float1:
    assert fit.weights is not None
    return fit.weights.unit[0]


def by_the_book(donors: Float2, treated: Float1, lam: float) -> Float1:
    """Eq. 5 by the general solver."""
    return by_clarabel(donors.T, treated, lam / 2 * ((donors - treated) ** 2).sum(axis=1))


# The program ----------------------------------------------------------------------------------------------------------


def test_a_hand_worked_program() -> None:
    """Donors at (0, 0) and (2, 0), the area at (½, 0): with weight p on the second (½ − 2p)² + λ (¼ (1 − p) + 9/4 p) is
    least at p = ¼ − λ/4, and from λ = 1 on at 0."""
    y = np.array([[0.5, 0, 5], [0, 0, 1], [2, 0, 3]])
    for lam, second in ((0.4, 0.15), (0.02, 0.245), (1.0, 0.0), (7.0, 0.0)):
        fit = fitted(PenalizedSyntheticControl(lam=lam), panel_of(y, {0: 2}))
        np.testing.assert_allclose(weights(fit), [0, 1 - second, second], atol=1e-12)
        np.testing.assert_allclose(fit.cells.effect, [0.5 - 2 * second, 0, 5 - 1 - 2 * second], atol=1e-12)
        assert fit.trace[0].objective == pytest.approx((0.5 - 2 * second) ** 2 + lam * (0.25 + 2 * second), rel=1e-12)
        assert fit.notes == () and fit.tuned == ()


@pytest.mark.parametrize("donors", [2, 8, 60])
@pytest.mark.parametrize("intercept", [False, True])
def test_weights_are_those_of_a_general_solver(donors: int, intercept: bool) -> None:
    for seed in range(5):
        panel = one_area(seed, donors)
        before = panel.y[:, :6] - (panel.y[:, :6].mean(axis=1, keepdims=True) if intercept else 0.0)
        for lam in (1e-3, 0.1, 2.0):
            fit = fitted(PenalizedSyntheticControl(lam=lam, intercept=intercept), panel)
            np.testing.assert_allclose(weights(fit)[1:], by_the_book(before[1:], before[0], lam), atol=ORACLE)
            gap = panel.y[0] - weights(fit)[1:] @ panel.y[1:]
            np.testing.assert_allclose(fit.cells.effect, gap - intercept * gap[:6].mean(), atol=1e-12)


def test_a_large_penalty_takes_the_nearest_donor() -> None:
    for seed in range(10):
        panel = one_area(seed, 50)
        nearest = int(np.argmin(((panel.y[1:, :6] - panel.y[0, :6]) ** 2).sum(axis=1)))
        np.testing.assert_array_equal(
            weights(fitted(PenalizedSyntheticControl(lam=1e6), panel))[1:], np.arange(50) == nearest
        )


def test_a_vanishing_penalty_takes_the_nearest_of_all_synthetic_controls() -> None:
    """Where many weights fit exactly, the limit is the linear program of the least mean distance among them."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        y = rng.normal(size=(61, 5))
        y[0, :3] = 0.1 * rng.normal(size=3)
        distance = ((y[1:, :3] - y[0, :3]) ** 2).sum(axis=1)
        exact = linprog(
            distance,
            A_eq=np.vstack([y[1:, :3].T, np.ones(60)]),
            b_eq=np.r_[y[0, :3], 1.0],
            method="highs",
        )
        panel = panel_of(y, {0: 3})
        fit = fitted(PenalizedSyntheticControl(lam=1e-7), panel)
        np.testing.assert_allclose(weights(fit)[1:], exact.x, atol=1e-5)
        assert any("not unique" in note for note in fitted(SyntheticControl(), panel).notes)
        assert fit.notes == ()


def test_where_it_is_unique_a_vanishing_penalty_leaves_the_synthetic_control() -> None:
    panel = one_area()
    panel = panel.with_outcome(panel.y + 4.0 * (np.arange(9) == 0)[:, None])
    plain = fitted(SyntheticControl(), panel)
    np.testing.assert_allclose(weights(fitted(PenalizedSyntheticControl(lam=1e-8), panel)), weights(plain), atol=1e-6)


@pytest.mark.parametrize("lam", [1e-4, 1e-2, 1.0])
def test_weights_are_few_and_unique(lam: float) -> None:
    """Theorem 1: at most T0 + 1 donors; and whoever has no weight has a positive price, so that no other weights do.

    The donors with weight are affinely independent, hence their weights unique too.
    """
    for seed in range(5):
        panel = one_area(seed, 400, periods=6, start=4)
        donors, treated = panel.y[1:, :4], panel.y[0, :4]
        w = weights(fitted(PenalizedSyntheticControl(lam=lam), panel))[1:]
        inside = np.flatnonzero(w)
        assert len(inside) <= 5
        assert np.linalg.matrix_rank(np.column_stack([donors[inside], np.ones(len(inside))])) == len(inside)
        price = donors @ (w @ donors - treated) + lam / 2 * ((donors - treated) ** 2).sum(axis=1)
        reduced = price - w @ price
        np.testing.assert_allclose(reduced[inside], 0, atol=1e-8)
        assert np.delete(reduced, inside).min() > 1e-7


# The choice of the penalty --------------------------------------------------------------------------------------------


def net(y: Float2, learned: list[int], intercept: bool) -> Float2:
    return y - y[:, learned].mean(axis=1, keepdims=True) if intercept else y


@pytest.mark.parametrize("intercept", [False, True])
def test_leave_one_out_predicts_every_donor_from_the_others(intercept: bool) -> None:
    panel = one_area(2)
    y = net(panel.y[1:], list(range(6)), intercept)
    losses = np.zeros(len(LAMBDAS))
    for unit in range(8):
        rest = np.delete(y, unit, axis=0)
        for number, lam in enumerate(LAMBDAS):
            w = by_the_book(rest[:, :6], y[unit, :6], lam)
            losses[number] += np.mean((y[unit, 6:] - w @ rest[:, 6:]) ** 2) / 8
    fit = fitted(PenalizedSyntheticControl(intercept=intercept), panel)
    (tuned,) = fit.tuned
    np.testing.assert_allclose(tuned.losses, losses, rtol=1e-5)
    assert tuned.value[0] == LAMBDAS[np.argmin(losses)] and tuned.loss == pytest.approx(min(losses), rel=1e-5)
    np.testing.assert_array_equal(tuned.tried[:, 0], LAMBDAS)
    assert (tuned.piece, tuned.parameter, tuned.labels) == ("u0", "lam", ())
    given = fitted(PenalizedSyntheticControl(lam=float(tuned.value[0]), intercept=intercept), panel)
    np.testing.assert_allclose(weights(fit), weights(given), atol=1e-10)


@pytest.mark.parametrize("intercept", [False, True])
def test_hold_out_predicts_the_later_half_before_the_start(intercept: bool) -> None:
    panel = one_area(3, periods=9, start=7)
    y = net(panel.y, [0, 1, 2, 3], intercept)
    losses = []
    for lam in LAMBDAS:
        w = by_the_book(y[1:, :4], y[0, :4], lam)
        losses.append(np.mean((y[0, 4:7] - w @ y[1:, 4:7]) ** 2))
    (tuned,) = fitted(PenalizedSyntheticControl(lam="hold-out", intercept=intercept), panel).tuned
    np.testing.assert_allclose(tuned.losses, losses, rtol=1e-5)
    assert tuned.value[0] == max(LAMBDAS[np.array(losses) <= min(losses) * (1 + 1e-6)])


def test_areas_with_the_same_donors_and_periods_share_a_penalty() -> None:
    panel = three_areas().by_area()
    for how in ("leave-one-out", "hold-out"):
        fit = fitted(PenalizedSyntheticControl(lam=how), panel)  # type: ignore[arg-type]
        north, south, west = fit.tuned
        assert [one.piece for one in fit.tuned] == ["north", "south", "west"]
        np.testing.assert_array_equal(north.losses, south.losses)
        assert not np.array_equal(north.losses, west.losses)
    treated = np.array([0.75, 0.25]) @ panel.y[:2], panel.y[2]
    for number, lam in enumerate(LAMBDAS):
        missed = [path[3:6] - by_the_book(panel.y[4:, :3], path[:3], lam) @ panel.y[4:, 3:6] for path in treated]
        assert north.losses[number] == pytest.approx(np.mean(np.square(missed)), rel=1e-4)


def test_the_choice_sees_the_later_outcomes_of_donors_but_not_of_treated_units() -> None:
    panel = three_areas()
    fit = fitted(PenalizedSyntheticControl(), panel)
    treated, donor = panel.y.copy(), panel.y.copy()
    treated[:4, 8:] += 40
    donor[5, 8:] += 40
    same, other = (fitted(PenalizedSyntheticControl(), panel.with_outcome(y)) for y in (treated, donor))
    for one, two in zip(fit.tuned, same.tuned, strict=True):
        np.testing.assert_array_equal(one.losses, two.losses)
    assert not np.allclose(fit.tuned[0].losses, other.tuned[0].losses)


def test_of_equal_predictions_the_larger_penalty_is_taken() -> None:
    """Two donors predict each other whatever the penalty is."""
    y = np.random.default_rng(0).normal(size=(3, 6))
    (tuned,) = fitted(PenalizedSyntheticControl(), panel_of(y, {0: 4})).tuned
    assert np.ptp(tuned.losses) == 0 and tuned.value[0] == max(LAMBDAS)


def test_copies_of_a_donor_do_not_predict_it() -> None:
    """Each donor three times over, as in a draw of a bootstrap: the losses are those without copies."""
    panel = one_area(2)
    thrice = panel_of(np.vstack([panel.y, panel.y[1:], panel.y[1:]]), {0: 6})
    plain, copied = fitted(PenalizedSyntheticControl(), panel), fitted(PenalizedSyntheticControl(), thrice)
    np.testing.assert_allclose(copied.tuned[0].losses, plain.tuned[0].losses, rtol=1e-9)
    np.testing.assert_allclose(copied.cells.effect, plain.cells.effect, atol=1e-9)
    # One that is alike before the start and 1 higher afterwards is no copy: it is followed, and misses by 1.
    later = thrice.y.copy()
    later[9:, 6:] += 1.0
    apart = fitted(PenalizedSyntheticControl(), thrice.with_outcome(later))
    np.testing.assert_allclose(apart.tuned[0].losses, 1.0, rtol=1e-9)


def test_a_part_of_many_donors_is_predicted_whatever_their_order_and_that_is_said() -> None:
    panel = one_area(4, 40)
    some = PenalizedSyntheticControl(validate=10)
    fit, every = fitted(some, panel), fitted(PenalizedSyntheticControl(validate=40), panel)
    assert fit.notes == ("the penalty of u0 is the best for 10 of the 40 donors",)
    assert every.notes == ()
    order = np.r_[0, 1 + np.random.default_rng(0).permutation(40)]
    again = fitted(some, panel.take(order))
    np.testing.assert_allclose(again.tuned[0].losses, fit.tuned[0].losses, rtol=1e-9)
    np.testing.assert_allclose(weights(again), weights(fit)[order], atol=1e-9)
    assert not np.allclose(fit.tuned[0].losses, every.tuned[0].losses)
    both = fitted(some, three_areas().by_area())
    assert sum("the best for 10 of the 12 donors" in note for note in both.notes) == 2
    assert any("penalty of north, south is" in note for note in both.notes)


@pytest.mark.parametrize("how", ["leave-one-out", "hold-out"])
@pytest.mark.parametrize("times", [1e-4, 1e5])
def test_the_penalty_has_no_unit(how: str, times: float) -> None:
    panel = one_area(6, 12)
    estimator = PenalizedSyntheticControl(lam=how)  # type: ignore[arg-type]
    fit, again = fitted(estimator, panel), fitted(estimator, panel.with_outcome(times * (panel.y + 7)))
    assert again.tuned[0].value[0] == fit.tuned[0].value[0]
    np.testing.assert_allclose(weights(again), weights(fit), atol=1e-8)


def test_under_a_null_the_penalty_is_given() -> None:
    assert PenalizedSyntheticControl(lam=0.4).null_model() == PenalizedSyntheticControl(lam=0.4)
    model = PenalizedSyntheticControl(intercept=True, anticipation=1).null_model()
    assert isinstance(model.lam, float)
    assert replace(model, lam="leave-one-out") == PenalizedSyntheticControl(intercept=True, anticipation=1)


# Predictors -----------------------------------------------------------------------------------------------------------


def with_covariates(seed: int = 4, donors: int = 9) -> Panel:
    rng = np.random.default_rng(seed)
    panel = one_area(seed, donors, periods=10, start=6)
    count, length = panel.y.shape
    return replace(panel, covariates={"x": 5 + rng.normal(size=(count, 1)), "z": 90 * rng.normal(size=(count, length))})


def scaled(rows: Float2) -> Float2:
    """Every column divided by its standard deviation over the donors and the area."""
    return rows / rows.std(axis=0, ddof=1)


def test_predictors_take_the_place_of_the_outcomes() -> None:
    panel = with_covariates()
    rows = scaled(
        np.column_stack(
            [
                panel.covariates["x"][:, 0],
                panel.covariates["z"][:, 2:5].mean(axis=1),
                panel.y[:, 5],
                panel.y[:, :6].mean(axis=1),
            ]
        )
    )
    predictors = ["x", {"of": "z", "from": "p2", "to": "p4"}, {"of": "outcome", "at": "p5"}, "outcome"]
    for lam in (1e-3, 0.2):
        fit = fitted(PenalizedSyntheticControl(lam=lam, predictors=predictors), panel)
        np.testing.assert_allclose(weights(fit)[1:], by_the_book(rows[1:], rows[0], lam), atol=ORACLE)
        assert fit.notes == ()
    some = fitted(PenalizedSyntheticControl(predictors=["x"]), panel)
    assert some.notes == ("the covariates z are not used by penalized-synthetic-control",)


def test_leave_one_out_with_predictors() -> None:
    panel = with_covariates()
    rows = scaled(np.column_stack([panel.covariates["x"][:, 0], panel.y[:, :6]]))[1:]
    losses = np.zeros(len(LAMBDAS))
    for unit in range(9):
        for number, lam in enumerate(LAMBDAS):
            w = by_the_book(np.delete(rows, unit, axis=0), rows[unit], lam)
            missed = panel.y[1 + unit, 6:] - w @ np.delete(panel.y[1:], unit, axis=0)[:, 6:]
            losses[number] += np.mean(missed**2) / 9
    fit = fitted(PenalizedSyntheticControl(predictors=["x", {"of": "outcome", "each": True}]), panel)
    np.testing.assert_allclose(fit.tuned[0].losses, losses, rtol=1e-5)


def test_hold_out_with_predictors_learns_from_the_earlier_half_alone() -> None:
    panel = with_covariates()
    late, early = {"of": "z", "at": "p4"}, {"of": "z", "at": "p1"}
    found = refused(PenalizedSyntheticControl(lam="hold-out", predictors=["x", late]), panel)
    assert "z p4 reaches into p4" in found.because
    estimator = PenalizedSyntheticControl(lam="hold-out", predictors=["outcome", {**late, "training": early}])
    fit = fitted(estimator, panel)
    rows = scaled(np.column_stack([panel.y[:, :3].mean(axis=1), panel.covariates["z"][:, 1]]))
    losses = [
        np.mean((panel.y[0, 3:6] - by_the_book(rows[1:], rows[0], lam) @ panel.y[1:, 3:6]) ** 2) for lam in LAMBDAS
    ]
    np.testing.assert_allclose(fit.tuned[0].losses, losses, rtol=1e-5)
    rows = scaled(np.column_stack([panel.y[:, :6].mean(axis=1), panel.covariates["z"][:, 4]]))
    lam = float(fit.tuned[0].value[0])
    np.testing.assert_allclose(weights(fit)[1:], by_the_book(rows[1:], rows[0], lam), atol=ORACLE)


def test_predictors_with_an_intercept_do_not_see_a_level_and_donors_without_one_are_left_out() -> None:
    panel = with_covariates()
    shift = np.random.default_rng(0).normal(size=(10, 1))
    estimator = PenalizedSyntheticControl(predictors=["x", {"of": "outcome", "each": True}], intercept=True)
    fit, moved = fitted(estimator, panel), fitted(estimator, panel.with_outcome(panel.y + shift))
    np.testing.assert_allclose(moved.cells.effect, fit.cells.effect, atol=1e-9)
    holes = panel.covariates["x"].copy()
    holes[4] = np.nan
    gap = replace(panel, covariates={**panel.covariates, "x": holes})
    assert "u4" in refused(estimator, gap).because
    left = fitted(replace(estimator, missing="drop-donors"), gap)
    assert any("u4" in note for note in left.notes)
    np.testing.assert_allclose(left.cells.effect, fitted(estimator, panel.drop([4])).cells.effect, atol=1e-9)
    with pytest.raises(ValueError, match="predictors are a list"):
        PenalizedSyntheticControl(predictors="x")


# As the others of the family ------------------------------------------------------------------------------------------


@EACH
def test_surface_and_weights_give_the_cells(estimator: PenalizedSyntheticControl) -> None:
    panel = three_areas()
    for grouped in (panel, panel.by_area()):
        fit = fitted(estimator, grouped)
        assert fit.untreated is not None and fit.weights is not None
        for row, (unit, time) in enumerate(zip(fit.weights.unit, fit.weights.time, strict=True)):
            rows = grouped.group == row
            share = np.where(rows, grouped.weight, 0.0) / grouped.weight[rows].sum()
            effect = fit.cells.effect[fit.cells.group == row]
            gap = (share - unit) @ grouped.y
            np.testing.assert_allclose(effect, gap - time @ gap, atol=1e-10)
            np.testing.assert_allclose(effect, share[rows] @ (grouped.y - fit.untreated)[rows], atol=1e-10)
        again = fitted(estimator, grouped, hold=fit.weights)
        np.testing.assert_allclose(again.cells.effect, fit.cells.effect, atol=1e-10)
        assert again.tuned == ()


@EACH
def test_masked_and_anticipated_periods_are_not_learned_from(estimator: PenalizedSyntheticControl) -> None:
    panel = panel_of(three_areas().y, {0: 6})
    learn = np.ones(panel.y.shape, dtype=bool)
    learn[0, 2] = False
    shorter = replace(
        panel, y=np.delete(panel.y, 2, axis=1), periods=panel.periods[:2] + panel.periods[3:], first=panel.first - 1
    )
    masked, gone = fitted(estimator, panel, learn=learn), fitted(estimator, shorter)
    np.testing.assert_allclose(masked.cells.effect, gone.cells.effect, atol=1e-10)
    changed = panel.y.copy()
    changed[0, 4:6] += 3
    early = replace(estimator, anticipation=2)
    fit, other = fitted(early, panel), fitted(early, panel.with_outcome(changed))
    np.testing.assert_array_equal(weights(other), weights(fit))


def test_matched_areas_choose_among_their_own_donors() -> None:
    panel = three_areas()
    pairs = np.zeros((3, 16))
    pairs[0, 4:8] = pairs[1, 8:12] = pairs[2, 12:16] = 1
    fit = fitted(PenalizedSyntheticControl(), panel.with_pairs(pairs).by_area())
    assert fit.weights is not None
    for row in range(3):
        assert set(np.flatnonzero(fit.weights.unit[row])) <= set(np.flatnonzero(pairs[row]))
        own = [*np.flatnonzero(panel.area == row), *np.flatnonzero(pairs[row])]
        alone = fitted(PenalizedSyntheticControl(), panel.by_area().take(own))
        np.testing.assert_allclose(fit.cells.effect[fit.cells.group == row], alone.cells.effect, atol=1e-10)
        assert alone.tuned[0].value[0] == fit.tuned[row].value[0]


@pytest.mark.parametrize("lam", ["leave-one-out", "hold-out", 0.2])
@pytest.mark.parametrize("intercept", [False, True])
def test_two_periods_and_two_donors_are_enough(lam: float | str, intercept: bool) -> None:
    fit = fitted(PenalizedSyntheticControl(lam=lam, intercept=intercept), one_area(1, 2, periods=4, start=2))  # type: ignore[arg-type]
    assert weights(fit).sum() == pytest.approx(1)
    assert np.isfinite(fit.cells.effect).all()


@pytest.mark.parametrize("lam", ["leave-one-out", "hold-out", 0.2])
def test_donors_that_are_all_alike_share_the_weight(lam: float | str) -> None:
    y = np.vstack([np.sin(np.arange(8)) + 2, np.tile(np.sin(np.arange(8)), (4, 1))])
    fit = fitted(PenalizedSyntheticControl(lam=lam), panel_of(y, {0: 5}))  # type: ignore[arg-type]
    np.testing.assert_allclose(weights(fit)[1:], 0.25, atol=1e-10)
    np.testing.assert_allclose(fit.cells.effect, 2, atol=1e-10)


def test_duplicates_share_the_weight_of_one() -> None:
    panel = one_area(1)
    plain = fitted(PenalizedSyntheticControl(lam=0.05), panel)
    heavy = int(np.argmax(weights(plain)))
    twice = fitted(PenalizedSyntheticControl(lam=0.05), panel_of(np.vstack([panel.y, panel.y[heavy]]), {0: 6}))
    half = weights(plain)[heavy] / 2
    assert weights(twice)[heavy] == pytest.approx(half, abs=1e-9)
    assert weights(twice)[9] == pytest.approx(half, abs=1e-9)
    np.testing.assert_allclose(twice.cells.effect, plain.cells.effect, atol=1e-9)
    assert plain.notes == () and any("not unique" in note for note in twice.notes)


@pytest.mark.parametrize("intercept", [False, True])
def test_many_assignments_at_once_are_fits(intercept: bool) -> None:
    """Every donor in the place of the treated unit, and pairs of donors in the places of two areas."""
    estimator = PenalizedSyntheticControl(lam=0.05, intercept=intercept)
    panel = one_area(3, 20)
    ones = StandIns(np.array([0]), 1 + np.arange(20)[:, None], np.ones((20, 1)))
    both = panel_of(panel.y, {0: 4, 1: 6})
    twos = StandIns(np.array([0, 1]), np.array([[3, 9], [12, 2]]), np.array([[1.0, 1.0], [1.0, 1.0]]))
    for world, stand_ins in ((panel, ones), (both, twos)):
        found = estimator.reassigned(world, stand_ins)
        assert isinstance(found, Replicates) and not found.refused
        for row, chosen in enumerate(stand_ins.rows):
            starts = np.full(21, np.inf)
            starts[chosen] = world.first[stand_ins.roles]
            pretend = world.assign(starts).drop(np.flatnonzero(world.treated))
            fit = fitted(estimator, pretend)
            order = np.lexsort((fit.cells.period, fit.cells.group))
            np.testing.assert_allclose(found.effect[row], fit.cells.effect[order], atol=1e-9)
    assert isinstance(PenalizedSyntheticControl().reassigned(panel, ones), Refused)


def test_a_program_without_certificate_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def unfinished(a: Float2, b: Float1, **_: float) -> Simplex:
        return Simplex(np.full(a.shape[1], 1 / a.shape[1]), 1.0, 0.01, 7, "not converged")

    monkeypatch.setattr(penalized, "solve", unfinished)
    found = refused(PenalizedSyntheticControl(lam=0.1), three_areas())
    assert "gap of 0.01" in found.because and "north" in found.what
    monkeypatch.undo()
    monkeypatch.setattr(penalized, "GAP", -1.0)
    found = refused(PenalizedSyntheticControl(), three_areas())
    assert "gap of" in found.because and "north, south" in found.what


@pytest.mark.parametrize("lam", ["best", 0, -1.0, float("nan"), float("inf"), True])
def test_parameters(lam: float | str) -> None:
    with pytest.raises(ValueError, match="is not a positive number or one of leave-one-out, hold-out"):
        PenalizedSyntheticControl(lam=lam)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="validate is a number of donors"):
        PenalizedSyntheticControl(validate=1)
    with pytest.raises(ValueError, match="anticipation"):
        PenalizedSyntheticControl(anticipation=-1)
