"""Prediction intervals against a general conic solver and the formulas of the papers, and by their coverage."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import clarabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from impact.arrays import Float1, Float2
from impact.cells import Fit, Weights
from impact.errors import Refused
from impact.estimators.protocol import Asks, Estimator, Gives
from impact.estimators.registry import resolve
from impact.estimators.synthetic_control import SyntheticControl
from impact.inference.prediction import PredictionInterval
from impact.inference.prediction_errors import Comparison, Moments, active, local, outcome
from impact.inference.protocol import Found, Uncertainty, evaluate
from impact.numerics.quantiles import quantile_regression, restricted_quantiles
from impact.numerics.widest import extremes
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target
from tests.test_conformal import panel_of


def world(seed: int, *, treated: int = 1, periods: int = 24, starts: tuple[int, ...] = (20,), donors: int = 8) -> Panel:
    """Treated units that means of donors follow up to independent noise; no effect."""
    rng = np.random.default_rng(seed)
    y = 10 + 2 * rng.normal(size=(donors + treated, 1)) + rng.normal(size=periods).cumsum()
    y = y + rng.normal(size=y.shape)
    for row in range(treated):
        y[row] = y[treated : treated + 3].mean(axis=0) + 0.5 * rng.normal(size=periods)
    return panel_of(y, {row: starts[row % len(starts)] for row in range(treated)})


def run(
    panel: Panel, target: Target | None = None, estimator: Estimator | None = None, *, workers: int = 1, **options: Any
) -> Uncertainty:
    found = attempt(panel, target, estimator, workers=workers, **options)
    assert isinstance(found, Uncertainty), found
    return found


def attempt(
    panel: Panel, target: Target | None = None, estimator: Estimator | None = None, *, workers: int = 1, **options: Any
) -> Uncertainty | Refused:
    return PredictionInterval(**{"draws": 80} | options).run(
        estimator or SyntheticControl(),
        panel,
        target or Target(),
        streams=Streams(1),
        parallel=Parallel(workers),
    )


def compared(panel: Panel, row: int = 0, target: Target | None = None) -> tuple[Found, Comparison]:
    found = evaluate(SyntheticControl(), panel, target or Target())
    assert isinstance(found, Found) and found.fit.pieces is not None
    piece = found.fit.compared[row]
    return found, Comparison(
        piece.share @ found.panel.y[piece.rows],
        found.panel.y[piece.donors].T,
        found.fit.pieces.unit[row][piece.donors],
        piece.before,
    )


# The set of weights -----------------------------------------------------------------------------------------------


def by_cone(q: Float2, g: Float1, function: Float1, room: Float1, sign: float) -> float:
    """The extreme of ``function'd`` over ``d'Qd - 2 g'd <= 0, sum d = 0, d >= -room`` as the papers write it.

    With a root R of Q the first is the cone ``‖(2 R d, 2 g'd - 1)‖ <= 2 g'd + 1``.
    """
    values, vectors = np.linalg.eigh(q)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    count = len(g)
    rows = np.vstack([np.ones((1, count)), -np.eye(count), -2 * g[None], -2 * root, -2 * g[None]])
    right = np.r_[0.0, room, 1.0, np.zeros(count), -1.0]
    tight = clarabel.DefaultSettings()
    tight.verbose = False
    tight.tol_gap_abs = tight.tol_gap_rel = tight.tol_feas = 1e-11
    answer = clarabel.DefaultSolver(
        sparse.csc_matrix((count, count)),
        -sign * function,
        sparse.csc_matrix(rows),
        right,
        [clarabel.ZeroConeT(1), clarabel.NonnegativeConeT(count), clarabel.SecondOrderConeT(count + 2)],
        tight,
    ).solve()
    return float(function @ np.array(answer.x))


@pytest.mark.parametrize("seed", range(12))
def test_extremes_are_those_of_the_cone_program(seed: int) -> None:
    rng = np.random.default_rng(seed)
    periods, donors = int(rng.choice([5, 12, 30])), int(rng.choice([2, 6, 25]))
    z = rng.normal(size=(periods, donors)).cumsum(axis=0) + 3 * rng.normal(size=donors)
    room = np.zeros(donors)
    carrying = rng.choice(donors, size=min(4, donors), replace=False)
    room[carrying] = rng.dirichlet(np.ones(len(carrying)))
    shock, functions = rng.normal(size=periods), rng.normal(size=(2, donors)) + z[-1]
    found = extremes(z, shock[None], functions, room)
    q, g = z.T @ z / periods, z.T @ shock / periods
    for row, function in enumerate(functions):
        for sign, value in ((-1.0, found.least[0, row]), (1.0, found.most[0, row])):
            # 1e-6 is the search, the rest what clarabel reaches where the set is almost a point.
            assert value == pytest.approx(by_cone(q, g, function, room, sign), abs=2e-5 * np.ptp(function))
    assert found.gap.max() <= 1e-6


def test_extremes_where_donors_outnumber_periods_and_have_doubles() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(6, 40))
    z = np.hstack([z, z[:, :20]])
    room = np.zeros(60)
    room[:3] = [0.5, 0.3, 0.2]
    shock, function = 0.3 * rng.normal(size=6), rng.normal(size=(1, 60))
    found = extremes(z, shock[None], function, room)
    q, g = z.T @ z / 6, z.T @ shock / 6
    assert found.most[0, 0] == pytest.approx(by_cone(q, g, function[0], room, 1.0), abs=1e-4)
    assert found.least[0, 0] == pytest.approx(by_cone(q, g, function[0], room, -1.0), abs=1e-4)


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_extremes_lie_around_no_change_and_scale_with_their_function(seed: int) -> None:
    rng = np.random.default_rng(seed)
    z, shock, function = rng.normal(size=(8, 5)), rng.normal(size=(1, 8)), rng.normal(size=(1, 5))
    room = np.maximum(rng.dirichlet(np.ones(5)) - 0.1, 0.0)
    found = extremes(z, shock, function, room)
    assert found.least[0, 0] <= 0 <= found.most[0, 0]
    doubled = extremes(z, shock, -2 * function, room)
    assert doubled.most[0, 0] == pytest.approx(-2 * found.least[0, 0], abs=1e-5)
    fixed = extremes(z, shock, function, np.zeros(5))
    assert fixed.least[0, 0] == fixed.most[0, 0] == 0


def test_a_shock_to_which_any_fit_is_worse_moves_nothing() -> None:
    """One donor carries all weight, and the shock asks for even more of it."""
    z = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    found = extremes(z, np.ones((1, 3)), np.array([[0.0, 1.0]]), np.array([1.0, 0.0]))
    assert found.least[0, 0] == 0 and found.most[0, 0] == pytest.approx(0, abs=1e-5)


# Moments of the errors --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tau", [0.1, 0.25, 0.5, 0.9])
def test_quantile_regression_cannot_be_bettered(tau: float) -> None:
    """Convexity: no step of any direction lowers the loss; and the ranks of the residuals balance every regressor."""
    rng = np.random.default_rng(3)
    x = np.column_stack([rng.normal(size=(31, 2)), np.ones(31)])
    y = x @ [1.0, -2.0, 0.5] + rng.standard_t(3, size=31)
    found = quantile_regression(x, y, tau)

    def loss(b: Float1) -> float:
        residual = y - x @ b
        return float(np.where(residual >= 0, tau * residual, (tau - 1) * residual).sum())

    for step in rng.normal(size=(300, 3)) * rng.choice([1e-4, 1e-2, 1], size=(300, 1)):
        assert loss(found) <= loss(found + step) + 1e-9
    residual = y - x @ found
    assert (residual < -1e-9).sum() <= tau * 31 <= (residual <= 1e-9).sum()


def test_a_quantile_without_regressors_is_the_middle_of_all_that_fit() -> None:
    values = np.array([4.0, 1.0, 3.0, 2.0])
    ones = np.ones((4, 1))
    assert quantile_regression(ones, values, 0.5)[0] == pytest.approx(2.5)
    assert quantile_regression(ones, values, 0.25)[0] == pytest.approx(1.5)
    assert quantile_regression(ones, values, 0.3)[0] == pytest.approx(2.0)


def test_restricted_quantiles_do_not_cross() -> None:
    rng = np.random.default_rng(1)
    x = np.column_stack([rng.uniform(size=40), np.ones(40)])
    y = x @ [2.0, 1.0] + (0.2 + x[:, 0]) * rng.normal(size=40)
    found = restricted_quantiles(x, y)
    fitted = np.array([x @ found.at(tau) for tau in (0.1, 0.25, 0.5, 0.75, 0.9)])
    scale = x @ found.scale
    assert (np.diff(fitted, axis=0)[:, scale > 0] >= -1e-12).all()
    np.testing.assert_allclose(found.location, quantile_regression(x, y, 0.5))


@pytest.mark.parametrize("misspecified", [True, False])
def test_the_shock_has_the_covariance_of_hc1(misspecified: bool) -> None:
    """``Σ = z' diag((u - E u)² n / (n - df)) z / n²``, with the mean by regression on the active donors and 1."""
    _, known = compared(world(2))
    found = local(known, Moments(1, 0, False, misspecified))
    z, u = known.donors[:20], known.residuals[:20]
    x = np.column_stack([z[:, active(known)[0]], np.ones(20)])
    if x.shape[1] >= 10:
        x = np.ones((20, 1))
    mean = x @ np.linalg.pinv(x) @ u if misspecified else 0.0
    df = np.count_nonzero(known.weights >= 1e-6) - 1
    sigma = z.T @ np.diag((u - mean) ** 2 * 20 / (20 - df)) @ z / 20**2
    np.testing.assert_allclose((z.T * found.factor**2) @ z / 20**2, sigma, rtol=1e-9)
    np.testing.assert_array_equal(found.rows, np.arange(20))


def test_rho_and_the_local_set() -> None:
    _, known = compared(world(2))
    z, u, weights = known.donors[:20], known.residuals[:20], known.weights
    d = np.count_nonzero(weights >= 1e-6)
    ratio = np.sqrt(np.mean((u - u.mean()) ** 2)) * z.std(axis=0, ddof=1).max() / z.var(axis=0, ddof=1).min()
    rho = min(ratio * np.sqrt(d * np.log(8) * np.log(20) / 20), 0.2)
    inside, found = active(known)
    assert found == pytest.approx(rho)
    np.testing.assert_array_equal(inside, weights > rho)
    room = local(known, Moments(1, 0, False, True)).room
    np.testing.assert_array_equal(room, np.where(weights < rho, 0.0, weights))


def test_a_donor_that_never_changes_leaves_the_largest_rho() -> None:
    _, known = compared(world(2))
    flat = known.donors.copy()
    flat[:, 7] = 10.0
    assert active(replace(known, donors=flat))[1] == 0.2


def test_constant_moments_are_those_of_the_residuals() -> None:
    _, known = compared(world(4))
    residuals = known.residuals[:20]
    centred = residuals - residuals.mean()
    by_log = np.exp(np.log(centred**2).mean() / 2)
    inner = np.subtract(*np.quantile(centred, [0.75, 0.25], method="averaged_inverted_cdf")) / 1.34
    scale = min(by_log, inner)
    constant = Moments(0, 0, False, True)
    found = outcome(known, constant, "gaussian")
    assert not isinstance(found, Refused)
    low, high = found.bounds(0.05)
    reach = np.sqrt(-2 * np.log(0.025)) * scale
    np.testing.assert_allclose(low, residuals.mean() - reach)
    np.testing.assert_allclose(high, residuals.mean() + reach)
    scaled = outcome(known, constant, "location-scale")
    assert not isinstance(scaled, Refused)
    ends = residuals.mean() + scale * np.quantile(centred / by_log, [0.025, 0.975])
    np.testing.assert_allclose([scaled.bounds(0.05)[0][0], scaled.bounds(0.05)[1][0]], ends)
    free = outcome(known, constant, "quantile")
    assert not isinstance(free, Refused)
    plain = np.quantile(residuals, [0.1, 0.9], method="averaged_inverted_cdf")
    np.testing.assert_allclose([free.bounds(0.2)[0][0], free.bounds(0.2)[1][0]], plain)


def test_changes_and_lags_cost_the_periods_that_lack_them() -> None:
    _, known = compared(world(4, periods=40, starts=(34,)))
    for moments, first in (
        (Moments(1, 0, True, True), 1),
        (Moments(1, 2, False, True), 2),
        (Moments(1, 2, True, True), 3),
    ):
        np.testing.assert_array_equal(local(known, moments).rows, np.arange(first, 34))
        found = outcome(known, moments, "gaussian")
        assert not isinstance(found, Refused) and np.isfinite(found.mean[34:]).all()


# Intervals --------------------------------------------------------------------------------------------------------


def test_interval_is_that_of_the_papers_with_the_same_draws() -> None:
    """Everything by matrices and a conic solver, from the draws of the named streams on."""
    panel, level, draws = world(5), 0.8, 40
    found = run(panel, Target("calendar"), draws=draws, level=level)
    _, known = compared(panel)
    moments = Moments(1, 0, False, True)
    near, beyond = local(known, moments), outcome(known, moments, "gaussian")
    assert not isinstance(beyond, Refused)
    z = known.donors[near.rows]
    count = len(near.rows)
    sides = np.zeros((draws, 4, 2))
    for draw in range(draws):
        shock = near.factor * Streams(1).at("prediction-interval", draw).generator().standard_normal(24)[near.rows]
        for step in range(4):
            for side, sign in enumerate((-1.0, 1.0)):
                sides[draw, step, side] = by_cone(
                    z.T @ z / count, z.T @ shock / count, known.donors[20 + step], near.room, sign
                )
    alpha = 1 - level
    below, above = beyond.bounds(alpha / 2)
    effect = known.residuals[20:]
    low = effect + np.quantile(sides[:, :, 0], alpha / 4, axis=0) - above[20:]
    high = effect + np.quantile(sides[:, :, 1], 1 - alpha / 4, axis=0) - below[20:]
    np.testing.assert_allclose(found.low[:4], low, atol=2e-3)
    np.testing.assert_allclose(found.high[:4], high, atol=2e-3)
    below, above = beyond.bounds(alpha / 2 / 4)
    assert found.band is not None
    together = effect + np.quantile(sides[:, :, 0].min(axis=1), alpha / 4) - above[20:]
    np.testing.assert_allclose(found.band.low[:4], together, atol=2e-3)
    assert np.isnan(found.band.low[4]) and found.kind == "uniform"


@pytest.mark.parametrize("error", ["gaussian", "location-scale", "quantile"])
def test_higher_levels_are_wider_and_the_p_value_is_where_the_interval_meets_zero(error: Any) -> None:
    panel = world(6)
    y = panel.y.copy()
    y[0, 20:] += 1.0
    panel = panel.with_outcome(y)
    narrow, wide = (run(panel, Target("event"), error=error, level=level, draws=200) for level in (0.6, 0.95))
    after = np.array([reason is None for reason in narrow.refused])
    assert after.sum() == 5
    assert (wide.low[after] <= narrow.low[after]).all() and (narrow.high[after] <= wide.high[after]).all()
    np.testing.assert_array_equal(narrow.p_value, wide.p_value)
    column = int(np.flatnonzero(after)[-1])
    p = wide.p_value[column]
    if 0.03 < p < 0.97:
        inside, outside = (run(panel, Target("event"), error=error, level=1 - q * p, draws=200) for q in (0.99, 1.01))
        assert inside.low[column] <= 0 <= inside.high[column]
        assert not outside.low[column] <= 0 <= outside.high[column]


def test_the_band_holds_every_interval() -> None:
    for error in ("gaussian", "location-scale", "quantile"):
        found = run(world(7), Target("event"), error=error)
        assert found.band is not None
        inside = found.band.inside
        assert inside.sum() == 4
        assert (found.band.low[inside] <= found.low[inside]).all()
        assert (found.band.high[inside] >= found.high[inside]).all()
    assert run(world(7)).band is None and run(world(7)).kind == "pointwise"


def test_an_average_over_areas_adds_their_errors() -> None:
    """With the shock of a period common to the areas, and every area bounded by itself."""
    panel = world(8, treated=2, donors=7)
    found = run(panel)
    total = np.zeros((80, 2))
    moments = Moments(1, 0, False, True)
    ends = np.zeros(2)
    for row in (0, 1):
        _, known = compared(panel, row)
        near, beyond = local(known, moments), outcome(known, moments, "gaussian")
        assert not isinstance(beyond, Refused)
        function = known.donors[20:].mean(axis=0)[None] / 2
        for draw in range(80):
            factors = Streams(1).at("prediction-interval", draw).generator().standard_normal(24)
            one = extremes(known.donors[near.rows], (near.factor * factors[near.rows])[None], function, near.room)
            total[draw] += [one.least[0, 0], one.most[0, 0]]
        ends += [bound[20:].mean() / 2 for bound in beyond.bounds(0.025)]
    estimate = np.mean([compared(panel, row)[1].residuals[20:].mean() for row in (0, 1)])
    assert found.low[0] == pytest.approx(estimate + np.quantile(total[:, 0], 0.0125) - ends[1])
    assert found.high[0] == pytest.approx(estimate + np.quantile(total[:, 1], 0.9875) - ends[0])


def test_staggered_starts_and_all_targets() -> None:
    panel = world(9, treated=3, starts=(16, 20), periods=26)
    for kind in ("average", "event", "calendar", "cohort", "unit"):
        target = Target(kind, "area")
        found = run(panel, target)
        full = evaluate(SyntheticControl(), panel, target)
        assert isinstance(full, Found)
        given = np.array([reason is None for reason in found.refused])
        if kind == "event":
            before = np.array([term != "mean" and int(term) < 0 for term in full.effects.terms])
            np.testing.assert_array_equal(given, ~before)
        else:
            assert given.all()
        assert (found.low[given] < found.high[given]).all() and np.isfinite(found.p_value[given]).all()
    units = run(panel, Target("unit"))
    alone = run(panel.drop([1, 2]), Target("unit"))
    np.testing.assert_allclose([units.low[0], units.high[0]], [alone.low[0], alone.high[0]])


def test_an_area_of_several_units_is_its_weighted_mean() -> None:
    panel = world(10, treated=3)
    weights = np.r_[1.0, 2.0, 5.0, np.ones(8)]
    mean = np.vstack([weights[:3] @ panel.y[:3] / 8, panel.y[3:]])
    several = panel_of(panel.y, dict.fromkeys(range(3), 20), areas=dict.fromkeys(range(3), "a"), weights=weights)
    first, second = run(several), run(panel_of(mean, {0: 20}))
    np.testing.assert_allclose([first.low, first.high], [second.low, second.high])


def test_order_of_donors_number_of_workers_and_length_of_the_run() -> None:
    panel = world(11)
    first = run(panel, Target("event"))
    moved = run(panel.take(np.random.default_rng(0).permutation(9)), Target("event"))
    two = run(panel, Target("event"), workers=2)
    np.testing.assert_allclose(first.low, moved.low, atol=1e-4)
    np.testing.assert_array_equal(first.low, two.low)
    other = PredictionInterval(draws=80).run(
        SyntheticControl(), panel, Target("event"), streams=Streams(2), parallel=Parallel()
    )
    assert isinstance(other, Uncertainty) and not np.array_equal(other.low, first.low, equal_nan=True)


# Refusals ---------------------------------------------------------------------------------------------------------


def test_estimators_without_weights_or_with_others() -> None:
    panel = world(12)
    without = attempt(panel, estimator=resolve("imputation")())
    assert isinstance(without, Refused) and "gives no weights" in without.because
    for name in ("did", "synthetic-did"):
        reason = run(panel, estimator=resolve(name)()).refused[0]
        assert reason is not None and reason.instead


@dataclass(frozen=True)
class Weighted:
    """Given weights in place of those that fit best."""

    weights: tuple[float, ...]

    name: ClassVar[str] = "weighted"
    gives: ClassVar[Gives] = SyntheticControl.gives
    asks: ClassVar[Asks] = SyntheticControl.asks

    def fit(self, panel: Panel, *, learn: Any = None, hold: Weights | None = None) -> Fit | Refused:
        found = SyntheticControl().fit(panel, learn=learn, hold=hold)
        if isinstance(found, Refused) or found.pieces is None:
            return found
        return replace(found, pieces=replace(found.pieces, unit=np.array([self.weights])))

    def null_model(self) -> Estimator:
        return self


@pytest.mark.parametrize(
    ("weights", "because"),
    [
        ((0.0, 1.2, -0.2, 0, 0, 0, 0, 0, 0), "negative"),
        ((0.0, 0.5, 0.2, 0, 0, 0, 0, 0, 0), "sum to one"),
        ((0.0, *[0.125] * 8), "minimise"),
    ],
)
def test_weights_that_the_theory_is_not_for(weights: tuple[float, ...], because: str) -> None:
    reason = run(world(12), estimator=Weighted(weights)).refused[0]
    assert reason is not None and because in reason.because


def test_too_few_periods_exact_fits_and_samples() -> None:
    few = run(world(13, starts=(4,))).refused[0]
    assert few is not None and "4 periods before the start" in few.because
    panel = world(13)
    y = panel.y.copy()
    y[0, :20] = y[3, :20]
    exact = run(panel.with_outcome(y)).refused[0]
    assert exact is not None and "exactly" in exact.because
    y[2, 4] = np.nan
    assert isinstance(attempt(panel.with_outcome(y)), Refused)


def test_matched_donors_are_the_only_ones() -> None:
    panel = world(14)
    pairs = np.zeros((1, 9))
    pairs[0, 1:6] = 0.2
    first, second = run(panel.with_pairs(pairs)), run(panel.take(range(6)))
    np.testing.assert_allclose([first.low, first.high], [second.low, second.high])


def test_bad_parameters() -> None:
    for options, named in (
        ({"error": "normal"}, "gaussian, location-scale, quantile"),
        ({"order": 2}, "order"),
        ({"lags": -1}, "lags"),
        ({"level": 95}, "level"),
        ({"draws": 50}, "too few"),
    ):
        with pytest.raises(ValueError, match=named):
            PredictionInterval(**options)


# Coverage ---------------------------------------------------------------------------------------------------------


def covered(seeds: range, draws: int, level: float, **options: Any) -> float:
    """Share of worlds without an effect whose interval for the first period after the start holds 0."""
    found = [run(world(seed, starts=(23,)), draws=draws, level=level, **options) for seed in seeds]
    return float(np.mean([one.low[0] <= 0 <= one.high[0] for one in found]))


def test_coverage_is_at_least_the_level() -> None:
    """60 worlds, 0.8: within 3 Monte-Carlo errors from below. The bounds add up, so more is what is promised."""
    assert covered(range(60), 20, 0.8) >= 0.8 - 3 * np.sqrt(0.8 * 0.2 / 60)


@pytest.mark.simulation
@pytest.mark.parametrize("error", ["gaussian", "location-scale", "quantile"])
def test_coverage(error: Any) -> None:
    assert covered(range(1000), 80, 0.9, error=error) >= 0.9 - 3 * np.sqrt(0.9 * 0.1 / 1000)
