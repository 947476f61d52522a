"""Augmented synthetic control: textbook formulas, a plain cross-validation, and that extrapolation is never silent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impact.arrays import Float1, Float2
from impact.cells import Fit
from impact.errors import Refused
from impact.estimators import augmented
from impact.estimators.augmented import AugmentedSyntheticControl
from impact.estimators.synthetic_control import SyntheticControl
from impact.numerics.ridge import correction, penalties
from impact.numerics.simplex_many import Simplexes, solve_many
from impact.panel import Panel
from tests.estimators.simplex_oracle import by_clarabel
from tests.test_synthetic import fitted, panel_of, refused, three_areas

# The general solver leaves about 1e-8 of the weights; the formulas around it are exact.
ORACLE = 1e-6
CONFIGURED = [
    AugmentedSyntheticControl(),
    AugmentedSyntheticControl(lam="min", intercept=True),
    AugmentedSyntheticControl(lam=0.7, residualize=True),
]
EACH = pytest.mark.parametrize("estimator", CONFIGURED, ids=lambda one: f"{one.lam}, intercept={one.intercept}")


def one_area(seed: int = 1, donors: int = 7, periods: int = 9, start: int = 6, away: float = 1.0) -> Panel:
    """A treated unit that moves `away` from the donors, so that no mix of these fits it."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(donors + 1, 2)) @ rng.normal(size=(2, periods)) + 0.5 * rng.normal(size=(donors + 1, periods))
    y[0] += away * np.linspace(1, 2, periods)
    return panel_of(y, {0: start})


def textbook(donors: Float2, treated: Float1, lam: float) -> Float1:
    """Lemma 1 of the paper, from the side of the donors: a system of donors by donors, where the code has periods."""
    centre = donors.mean(axis=0)
    a, b = (donors - centre).T, treated - centre
    w = by_clarabel(a, b)
    return np.asarray(w + np.linalg.solve(a.T @ a + lam * np.eye(a.shape[1]), a.T @ (b - a @ w)))


def demeaned(donors: Float2, treated: Float1) -> tuple[Float2, Float1]:
    return donors - donors.mean(axis=1, keepdims=True), treated - treated.mean()


def weights(fit: Fit) -> Float1:
    assert fit.weights is not None
    return fit.weights.unit[0]


def mean_squared_errors(donors: Float2, treated: Float1, lams: Float1, intercept: bool) -> tuple[Float1, Float1]:
    """Every period predicted from the others; the mean of squared errors and its standard error, by penalty."""
    errors = np.empty((len(treated), len(lams)))
    for period in range(len(treated)):
        rest = [t for t in range(len(treated)) if t != period]
        others, own = donors[:, rest], treated[rest]
        for number, lam in enumerate(lams):
            if intercept:
                w = textbook(*demeaned(others, own), lam)
                predicted = own.mean() + w @ (donors[:, period] - others.mean(axis=1))
            else:
                predicted = textbook(others, own, lam) @ donors[:, period]
            errors[period, number] = (treated[period] - predicted) ** 2
    return errors.mean(axis=0), errors.std(axis=0, ddof=1) / np.sqrt(len(errors))


# Numbers --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("donors", [3, 7, 40])
@pytest.mark.parametrize("intercept", [False, True])
def test_weights_are_those_of_the_textbook(donors: int, intercept: bool) -> None:
    panel = one_area(donors=donors, away=5.0)
    before, treated = panel.y[1:, :6], panel.y[0, :6]
    if intercept:
        before, treated = demeaned(before, treated)
    for lam in (0.01, 1.0, 50.0):
        fit = fitted(AugmentedSyntheticControl(lam=lam, intercept=intercept), panel)
        np.testing.assert_allclose(weights(fit)[1:], textbook(before, treated, lam), atol=ORACLE)
        assert weights(fit).sum() == pytest.approx(1, abs=1e-12)
        gap = panel.y[0] - weights(fit)[1:] @ panel.y[1:]
        np.testing.assert_allclose(fit.cells.effect, gap - intercept * gap[:6].mean(), atol=1e-12)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_penalty_is_that_of_a_plain_cross_validation(seed: int, intercept: bool) -> None:
    panel = one_area(seed)
    donors, treated = panel.y[1:, :6], panel.y[0, :6]
    centred = demeaned(donors, treated)[0] if intercept else donors
    largest = np.linalg.svd(centred - centred.mean(axis=0))[1][0] ** 2
    lams = np.array([largest * 1e-8 ** (k / 20) for k in range(21)])
    mean, error = mean_squared_errors(donors, treated, lams, intercept)
    best = int(np.argmin(mean))
    rule = max(lam for lam, loss in zip(lams, mean, strict=True) if loss <= mean[best] + error[best])
    for lam, expected in (("min", lams[best]), ("1se", rule)):
        fit = fitted(AugmentedSyntheticControl(lam=lam, intercept=intercept), panel)  # type: ignore[arg-type]
        (tuned,) = fit.tuned
        assert (tuned.piece, tuned.parameter) == ("u0", "lam")
        assert tuned.value[0] == pytest.approx(expected, rel=1e-9)
        np.testing.assert_allclose(tuned.tried[:, 0], lams, rtol=1e-9)
        np.testing.assert_allclose(tuned.losses, mean, rtol=1e-4)
        assert tuned.loss == pytest.approx(tuned.losses[np.isclose(lams, expected)][0])


def with_covariates(panel: Panel, seed: int = 4) -> Panel:
    rng = np.random.default_rng(seed)
    count, length = panel.y.shape
    return replace(panel, covariates={"x": 5 + rng.normal(size=(count, 1)), "z": 90 * rng.normal(size=(count, length))})


def test_covariates_beside_the_outcomes() -> None:
    """Scaled to the standard deviation of all centred outcomes of the donors, as one more row each."""
    panel = with_covariates(one_area(donors=12))
    traits = np.column_stack([panel.covariates["x"][:, 0], panel.covariates["z"][:, :6].mean(axis=1)])
    donors = panel.y[1:, :6]
    scale = (donors - donors.mean(axis=0)).std(ddof=1) / traits[1:].std(axis=0, ddof=1)
    both = np.hstack([panel.y[:, :6], traits * scale])
    fit = fitted(AugmentedSyntheticControl(lam=2.0), panel)
    np.testing.assert_allclose(weights(fit)[1:], textbook(both[1:], both[0], 2.0), atol=ORACLE)
    assert not any("not used" in note for note in fit.notes)


def test_covariates_taken_out_are_balanced_exactly() -> None:
    panel = with_covariates(one_area(donors=12))
    traits = np.column_stack([panel.covariates["x"][:, 0], panel.covariates["z"][:, :6].mean(axis=1)])
    z, own = traits[1:] - traits[1:].mean(axis=0), traits[0] - traits[1:].mean(axis=0)
    slopes = np.linalg.solve(z.T @ z, z.T @ panel.y[1:, :6])
    w = textbook(panel.y[1:, :6] - z @ slopes, panel.y[0, :6] - own @ slopes, 2.0)
    expected = w + z @ np.linalg.solve(z.T @ z, own - z.T @ w)
    fit = fitted(AugmentedSyntheticControl(lam=2.0, residualize=True), panel)
    np.testing.assert_allclose(weights(fit)[1:], expected, atol=ORACLE)
    np.testing.assert_allclose(weights(fit)[1:] @ traits[1:], traits[0], rtol=1e-9)


def test_without_misfit_or_with_a_huge_penalty_it_is_the_synthetic_control() -> None:
    inside = one_area(donors=30, start=3, away=0.0)
    inside = inside.with_outcome(np.vstack([inside.y[1:4].mean(axis=0), inside.y[1:]]))
    for panel, lam in ((inside, 1e-6), (inside, 10.0), (one_area(), 1e12)):
        ours, plain = fitted(AugmentedSyntheticControl(lam=lam), panel), fitted(SyntheticControl(), panel)
        np.testing.assert_allclose(weights(ours), weights(plain), atol=1e-7)


def test_a_falling_penalty_fits_better_and_costs_negative_weights() -> None:
    panel = one_area(donors=20, away=3.0)
    fits = [fitted(AugmentedSyntheticControl(lam=lam), panel) for lam in (1e3, 1e1, 1e-1, 1e-3)]
    misfit = [float(np.sum(fit.cells.effect[:6] ** 2)) for fit in fits]
    negative = [float(-weights(fit)[weights(fit) < 0].sum()) for fit in fits]
    assert misfit == sorted(misfit, reverse=True)
    assert negative == sorted(negative) and negative[-1] > 0.5


def test_the_correction_of_rows_that_do_not_vary_is_nothing() -> None:
    assert not correction(np.zeros((3, 5)), np.ones((1, 3)), np.array([[0.0, 1.0]])).any()
    assert not penalties(np.zeros((3, 5))).any()
    rows = np.vstack([np.random.default_rng(0).normal(size=(2, 5)), np.zeros(5)])
    some = correction(rows, np.ones((1, 3)), np.array([[0.5]]))[0, 0] @ rows
    np.testing.assert_allclose(some, np.linalg.solve(rows.T @ rows + 0.5 * np.eye(5), rows.T @ np.ones(3)), atol=1e-12)


# What must not matter -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lam", ["min", "1se"])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("times", [1e-4, 1.0, 1e5])
def test_the_choice_does_not_see_the_unit_a_common_course_or_an_order(lam: str, intercept: bool, times: float) -> None:
    panel = one_area(donors=11, periods=14, start=10)
    estimator = AugmentedSyntheticControl(lam=lam, intercept=intercept)  # type: ignore[arg-type]
    fit = fitted(estimator, panel)
    rng = np.random.default_rng(5)
    donors, early = 1 + rng.permutation(11), rng.permutation(10)
    other = times * (panel.y + rng.normal(scale=4, size=14))
    other = other[np.r_[0, donors]][:, np.r_[early, 10:14]]
    again = fitted(estimator, panel.with_outcome(other))
    assert again.tuned[0].value[0] == pytest.approx(times**2 * fit.tuned[0].value[0], rel=1e-8)
    np.testing.assert_allclose(weights(again)[1:], weights(fit)[donors], atol=1e-8)
    np.testing.assert_allclose(again.cells.effect[10:], times * fit.cells.effect[10:], rtol=1e-6, atol=1e-9 * times)


@EACH
def test_surface_and_weights_give_the_cells(estimator: AugmentedSyntheticControl) -> None:
    panel = with_covariates(three_areas()) if estimator.residualize else three_areas()
    for grouped in (panel, panel.by_area()):
        fit = fitted(estimator, grouped)
        assert fit.untreated is not None and fit.weights is not None
        np.testing.assert_allclose(fit.weights.unit.sum(axis=1), 1, atol=1e-11)
        assert not fit.weights.unit[:, :4].any()
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
def test_every_area_is_a_fit_of_its_own(estimator: AugmentedSyntheticControl) -> None:
    """Areas of several wijken, two starts: the mean path of an area against the donors, from its own past."""
    panel = with_covariates(three_areas()) if estimator.residualize else three_areas()
    fit = fitted(estimator, panel.by_area())
    for row, rows in enumerate([[0, 1], [2], [3]]):
        alone = fitted(estimator, panel.by_area().take([*rows, *range(4, 16)]))
        np.testing.assert_allclose(fit.cells.effect[fit.cells.group == row], alone.cells.effect, atol=1e-10)


@EACH
def test_masked_and_anticipated_periods_are_as_if_they_were_not_there(estimator: AugmentedSyntheticControl) -> None:
    panel = panel_of(three_areas().y, {0: 6})
    if estimator.residualize:
        panel = with_covariates(panel)
        panel = replace(panel, covariates={"x": panel.covariates["x"]})
    learn = np.ones(panel.y.shape, dtype=bool)
    learn[0, 2] = False
    shorter = replace(
        panel, y=np.delete(panel.y, 2, axis=1), periods=panel.periods[:2] + panel.periods[3:], first=panel.first - 1
    )
    masked, gone = fitted(estimator, panel, learn=learn), fitted(estimator, shorter)
    np.testing.assert_allclose(masked.cells.effect, gone.cells.effect, atol=1e-10)
    early = fitted(replace(estimator, anticipation=2), panel)
    np.testing.assert_allclose(weights(early), weights(fitted(estimator, replace(panel, first=panel.first - 2))))


def test_a_matched_area_has_its_own_donors() -> None:
    panel = three_areas()
    pairs = np.zeros((3, 16))
    pairs[0, 4:8] = pairs[1, 8:12] = pairs[2, 12:16] = 1
    fit = fitted(AugmentedSyntheticControl(), panel.with_pairs(pairs).by_area())
    assert fit.weights is not None
    for row in range(3):
        assert set(np.flatnonzero(fit.weights.unit[row])) <= set(np.flatnonzero(pairs[row]))


# Extrapolation --------------------------------------------------------------------------------------------------------


def test_a_far_estimate_is_never_silent() -> None:
    """The outcomes lie within 0 and 1; the imputed one does not."""
    rng = np.random.default_rng(3)
    course = np.linspace(0.4, 0.6, 8)
    y = np.vstack([course + 0.3, course + 0.01 * rng.normal(size=(6, 8))])
    y[1:, 6:] += np.array([[-0.3, 0.3, -0.2, 0.2, 0.35, -0.35]]).T
    panel = panel_of(y, {0: 6})
    fit = fitted(AugmentedSyntheticControl(lam=1e-6), panel)
    assert fit.untreated is not None
    assert fit.untreated[0, 6:].min() < -1 or fit.untreated[0, 6:].max() > 2
    said = " ".join(fit.notes)
    assert "extrapolated, beyond the range of the donors: u0 by" in said
    assert "far outside all that was observed: u0 by" in said
    assert "negative weights add up to more than 0.5 of the whole: u0" in said
    held = fitted(AugmentedSyntheticControl(), panel, hold=fit.weights)
    assert [note.split(" by ")[0] for note in held.notes[:2]] == [
        "the untreated outcome is extrapolated, beyond the range of the donors: p6",
        "the untreated outcome is imputed far outside all that was observed: p6",
    ]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    away=st.floats(-20, 20),
    lam=st.sampled_from(["min", "1se", 1e-6, 1.0]),
    intercept=st.booleans(),
    donors=st.integers(2, 12),
    start=st.integers(2, 6),
)
def test_no_word_of_extrapolation_only_where_there_is_none(
    seed: int, away: float, lam: float | str, intercept: bool, donors: int, start: int
) -> None:
    panel = one_area(seed, donors=donors, periods=8, start=start, away=away)
    fit = fitted(AugmentedSyntheticControl(lam=lam, intercept=intercept), panel)  # type: ignore[arg-type]
    assert fit.untreated is not None
    imputed, others = fit.untreated[0], panel.y[1:]
    base = fit.cells.effect * 0 + (panel.y[0, :start].mean() if intercept else 0.0)
    if intercept:
        others = others - others[:, :start].mean(axis=1, keepdims=True)
    net = imputed - base
    outside = (net < others.min(axis=0) - 1e-8).any() or (net > others.max(axis=0) + 1e-8).any()
    if outside:
        assert any("beyond the range of the donors: u0" in note for note in fit.notes)
    seen = np.r_[panel.y[1:].ravel(), panel.y[0, :start]]
    far = max(imputed.max() - seen.max(), seen.min() - imputed.min()) > 0.11 * np.ptp(seen)
    if far:
        assert any("far outside all that was observed: u0" in note for note in fit.notes)


def test_the_worst_area_is_named_first() -> None:
    panel = three_areas()
    away = np.zeros((16, 1))
    away[2], away[3] = 30, 60
    fit = fitted(AugmentedSyntheticControl(lam=1e-4), panel.with_outcome(panel.y + away).by_area())
    (note,) = [note for note in fit.notes if "beyond the range of the donors" in note]
    assert note.index("west") < note.index("south")
    assert "north" not in note or note.index("south") < note.index("north")


# Edges ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("lam", ["min", "1se", 0.5])
def test_two_periods_and_two_donors_are_enough(lam: float | str, intercept: bool) -> None:
    panel = one_area(donors=2, periods=4, start=2)
    fit = fitted(AugmentedSyntheticControl(lam=lam, intercept=intercept), panel)  # type: ignore[arg-type]
    assert weights(fit).sum() == pytest.approx(1)
    assert np.isfinite(fit.cells.effect).all()


@pytest.mark.parametrize("lam", ["min", "1se"])
def test_donors_that_are_all_alike_share_the_weight(lam: str) -> None:
    for course in (np.full(8, 3.0), np.sin(np.arange(8))):
        y = np.vstack([course + 2, np.tile(course, (4, 1))])
        for estimator in (AugmentedSyntheticControl(lam=lam), AugmentedSyntheticControl(lam=lam, intercept=True)):  # type: ignore[arg-type]
            fit = fitted(estimator, panel_of(y, {0: 5}))
            np.testing.assert_allclose(weights(fit)[1:], 0.25, atol=1e-10)
            np.testing.assert_allclose(fit.cells.effect, 0 if estimator.intercept else 2, atol=1e-10)


def test_a_donor_that_is_there_twice_counts_twice_and_both_the_same() -> None:
    panel = one_area()
    twice = panel_of(np.vstack([panel.y, panel.y[3]]), {0: 6})
    before = twice.y[1:, :6]
    fit = fitted(AugmentedSyntheticControl(lam=1.0), twice)
    found = weights(fit)
    assert found[3] == pytest.approx(found[8], abs=1e-9)
    np.testing.assert_allclose(found[1:] @ before, textbook(before, twice.y[0, :6], 1.0) @ before, atol=ORACLE)


def test_donors_with_gaps_are_left_out_by_name() -> None:
    panel = one_area()
    y = panel.y.copy()
    y[4, 7] = np.nan
    assert "u4" in refused(AugmentedSyntheticControl(), panel.with_outcome(y)).because
    fit = fitted(AugmentedSyntheticControl(missing="drop-donors"), panel.with_outcome(y))
    np.testing.assert_allclose(
        fit.cells.effect, fitted(AugmentedSyntheticControl(), panel.drop([4])).cells.effect, atol=1e-12
    )
    assert any("u4" in note for note in fit.notes)


def test_covariates_that_do_not_serve_are_refused() -> None:
    panel = one_area()
    count, length = panel.y.shape

    def said(estimator: AugmentedSyntheticControl, **covariates: Float2) -> str:
        found: Refused = refused(estimator, replace(panel, covariates=covariates))
        assert found.instead
        return f"{found.what} {found.because}"

    plain, out = AugmentedSyntheticControl(), AugmentedSyntheticControl(residualize=True)
    flat = np.where(np.arange(count) == 0, 2.0, 0.1 + 0.2)[:, None]
    assert "u0 x is the same for all donors" in said(plain, x=flat)
    assert "x is the same for all donors" in said(out, x=flat)
    holes = np.random.default_rng(0).normal(size=(count, length))
    holes[2, :6] = np.nan
    assert "1 units miss x before the start (u2)" in said(plain, x=holes)
    line = np.arange(count, dtype=float)[:, None]
    assert "2 of them cannot be told apart" in said(out, x=line, z=2 * line + 1)
    many = {f"x{k}": np.random.default_rng(k).normal(size=(count, 1)) for k in range(8)}
    assert "8 of them cannot be told apart among 7 donors" in said(out, **many)
    holes[2, 3] = 1.0  # one is enough for a mean
    assert isinstance(plain.fit(replace(panel, covariates={"x": holes})), Fit)


@pytest.mark.parametrize("lam", ["1se", 0.3])
def test_a_program_without_certificate_is_refused(lam: float | str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unfinished(donors: Float2, targets: Float2) -> Simplexes:
        found = solve_many(donors, targets)
        return replace(found, gap=np.full(len(targets), 0.01), optimal=np.zeros(len(targets), dtype=bool))

    monkeypatch.setattr(augmented, "solve_many", unfinished)
    assert "gap of 0.01" in refused(AugmentedSyntheticControl(lam=lam), three_areas()).because  # type: ignore[arg-type]


@pytest.mark.parametrize("lam", ["best", 0, -1.0, float("nan"), float("inf"), True])
def test_parameters(lam: float | str) -> None:
    with pytest.raises(ValueError, match="is not a positive number or one of 1se, min"):
        AugmentedSyntheticControl(lam=lam)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="anticipation"):
        AugmentedSyntheticControl(anticipation=-1)
