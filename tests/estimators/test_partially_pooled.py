"""Partially pooled synthetic controls: the program in plain loops, donors that are not treated yet, and the balance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, minimize

from impact.arrays import Float1
from impact.cells import Weights
from impact.errors import Refused
from impact.estimators import partially_pooled
from impact.estimators.did import DiD
from impact.estimators.partially_pooled import PartiallyPooled, PooledBalance, pooled_balance
from impact.estimators.synthetic_control import SyntheticControl
from impact.numerics.pooled import Block, Pooled, solve_pooled
from impact.panel import Panel
from impact.targets import Target
from tests.test_synthetic import fitted, panel_of, refused

PERIODS = 12
AREAS = {"north": [0, 1], "south": [2], "west": [3], "east": [4]}
STARTS = {0: 5, 1: 5, 2: 5, 3: 8, 4: 10}


def world(seed: int = 1, *, donors: int = 12, spread: float = 2.0) -> Panel:
    """Four areas that start in p5 (north with two units that weigh 3 and 1, and south), p8 and p10."""
    rng = np.random.default_rng(seed)
    course = rng.normal(size=(5 + donors, 2)) @ rng.normal(size=(2, PERIODS))
    y = 10 + 2 * rng.normal(size=(5 + donors, 1)) + course + 0.5 * rng.normal(size=(5 + donors, PERIODS))
    y[:5] += spread * rng.normal(size=(5, PERIODS))
    return panel_of(y, STARTS, AREAS, np.r_[3.0, 1.0, 2.0, 1.0, 1.5, np.ones(donors)])


def rows_of(panel: Panel, lags: int | None, anticipation: int, *, intercept: bool) -> dict[str, dict[int, Float1]]:
    """By area and time before the start: the row of the differences between its units and every donor, (J,)."""
    out: dict[str, dict[int, Float1]] = {}
    for name, members in AREAS.items():
        start = STARTS[members[0]]
        share = panel.weight[members] / panel.weight[members].sum()
        treated, donors = share @ panel.y[members], panel.y[5:]
        before = list(range(start - anticipation))
        level = treated[before].mean() - donors[:, before].mean(axis=1) if intercept else np.zeros(len(donors))
        fitted = before if lags is None else before[-lags:]
        out[name] = {start - t: treated[t] - donors[:, t] - level for t in fitted}
    return out


def two(rows: Mapping[str, Mapping[int, Float1]], weights: Mapping[str, Float1], mass: Mapping[str, float]) -> Float1:
    """Squared imbalance of the mean and of the areas."""
    total = sum(mass.values())
    gaps = {name: {lag: float(row @ weights[name]) for lag, row in part.items()} for name, part in rows.items()}
    lags = {lag for part in gaps.values() for lag in part}
    mean = [sum(mass[name] / total * part.get(lag, 0.0) for name, part in gaps.items()) for lag in sorted(lags)]
    each = sum(mass[name] / total * float(np.mean(np.square(list(part.values())))) for name, part in gaps.items())
    return np.array([np.mean(np.square(mean)), each])


def by_name(weights: Weights | None) -> dict[str, Float1]:
    assert weights is not None
    return {name: unit[5:] for name, unit in zip(weights.groups, weights.unit, strict=True)}


@pytest.mark.parametrize(
    ("nu", "lags", "anticipation", "intercept"),
    [(0.4, None, 0, True), (0.4, 4, 0, True), (0.8, None, 1, False), (0.95, 3, 2, True)],
)
def test_the_program_is_what_the_paper_says(nu: float, lags: int | None, anticipation: int, intercept: bool) -> None:
    """No feasible direction lowers the objective of plain loops, and SLSQP from our weights finds nothing better."""
    panel = world()
    made = PartiallyPooled(nu=nu, lags=lags, anticipation=anticipation, intercept=intercept)
    fit, apart = fitted(made, panel), fitted(replace(made, nu=0.0), panel)
    rows = rows_of(panel, lags, anticipation, intercept=intercept)
    mass = {name: float(panel.weight[members].sum()) for name, members in AREAS.items()}
    base = two(rows, by_name(apart.pieces), mass)

    def objective(flat: Float1) -> float:
        weights = dict(zip(AREAS, flat.reshape(4, -1), strict=True))
        return float(np.array([nu, 1 - nu]) @ (two(rows, weights, mass) / base))

    found = by_name(fit.pieces)
    flat = np.concatenate([found[name] for name in AREAS])
    ours = objective(flat)
    assert fit.trace[0].objective == pytest.approx(ours * base[1], rel=1e-9)
    for k in range(4):
        for donor in range(12):
            toward = flat.copy().reshape(4, 12)
            toward[k] = np.eye(12)[donor]
            assert objective(flat + 1e-4 * (toward.ravel() - flat)) >= ours - 1e-12
    sums = LinearConstraint(np.kron(np.eye(4), np.ones(12)), 1, 1)
    other = minimize(objective, np.full(48, 1 / 12), method="SLSQP", bounds=[(0, 1)] * 48, constraints=sums, tol=1e-12)
    assert ours <= other.fun + 1e-7  # what SLSQP leaves in its constraints


def test_the_degree_of_pooling_from_the_data() -> None:
    """The length of the mean path of the separate differences over the mean of the lengths."""
    panel = world()
    rows = rows_of(panel, None, 0, intercept=True)
    apart = by_name(fitted(PartiallyPooled(nu=0), panel).pieces)
    share = {name: panel.weight[members].sum() / panel.weight[:5].sum() for name, members in AREAS.items()}
    paths = {
        name: np.array([rows[name][lag] @ apart[name] if lag in rows[name] else 0 for lag in range(1, 11)])
        for name in AREAS
    }
    mean = sum(share[name] * path for name, path in paths.items())
    expected = np.linalg.norm(mean) / sum(share[name] * np.linalg.norm(path) for name, path in paths.items())
    fit = fitted(PartiallyPooled(), panel)
    (tuned,) = fit.tuned
    assert (tuned.piece, tuned.parameter, tuned.labels) == ("", "nu", ())
    assert tuned.value[0] == pytest.approx(expected, rel=1e-6)
    given = fitted(PartiallyPooled(nu=float(tuned.value[0])), panel)
    np.testing.assert_allclose(given.cells.effect, fit.cells.effect, atol=1e-9)
    assert given.tuned == ()
    # The imbalance of the mean, apart and pooled.
    np.testing.assert_allclose(tuned.tried[:, 0], [0, tuned.value[0]])
    assert tuned.losses[0] == pytest.approx(np.sqrt(np.mean(np.square(mean))), rel=1e-6)
    assert tuned.losses[1] == tuned.loss < tuned.losses[0]
    assert any(f"nu {expected:.3g}" in note for note in fit.notes)


def test_without_pooling_it_is_the_synthetic_control_of_every_area() -> None:
    panel = world()
    ours, theirs = fitted(PartiallyPooled(nu=0, intercept=False), panel), fitted(SyntheticControl(), panel)
    assert ours.pieces is not None
    assert theirs.pieces is not None
    np.testing.assert_allclose(ours.pieces.unit, theirs.pieces.unit, atol=1e-9)
    np.testing.assert_allclose(ours.cells.effect, theirs.cells.effect, atol=1e-9)


def test_the_intercept_is_each_unit_s_mean_before_the_start() -> None:
    panel = world()
    fit = fitted(PartiallyPooled(lags=2), panel)
    assert fit.pieces is not None
    for name, time in zip(fit.pieces.groups, fit.pieces.time, strict=True):
        start = STARTS[AREAS[name][0]]
        np.testing.assert_allclose(time, np.where(np.arange(PERIODS) < start, 1 / start, 0))
    shift = panel.with_outcome(panel.y + np.random.default_rng(0).normal(scale=20, size=(17, 1)))
    np.testing.assert_allclose(fitted(PartiallyPooled(lags=2), shift).cells.effect, fit.cells.effect, atol=1e-9)


def test_the_mean_is_that_of_the_target() -> None:
    """By area every area counts once, by unit north counts four times: two programs."""
    panel = world()
    found = []
    for weighting, mass in (("area", [1, 1, 1, 1]), ("unit", [4, 2, 1, 1.5])):
        prepared = Target("average", weighting).prepare(panel)  # type: ignore[arg-type]
        fit = fitted(PartiallyPooled(nu=0.5), prepared)
        rows = rows_of(panel, None, 0, intercept=True)
        mean, _ = two(rows, by_name(fit.pieces), dict(zip(AREAS, mass, strict=True)))
        balance = pooled_balance(prepared, fit)
        assert isinstance(balance, PooledBalance)
        assert balance.pooled == pytest.approx(np.sqrt(mean), rel=1e-9)
        found.append(fit.trace[0].objective)
    assert found[0] != pytest.approx(found[1], rel=1e-3)


def test_pooling_trades_the_fit_of_areas_for_that_of_the_mean() -> None:
    panel = world()
    steps = []
    for nu in (0.0, 0.3, 0.6, 0.9, 1.0):
        balance = pooled_balance(panel, fitted(PartiallyPooled(nu=nu), panel))
        assert isinstance(balance, PooledBalance)
        steps.append((balance.pooled, balance.separate))
    pooled, separate = np.array(steps).T
    assert (np.diff(pooled) <= 1e-9).all()
    assert (np.diff(separate) >= -1e-9).all()
    assert pooled[-1] < 0.5 * pooled[0]


def test_the_balance_by_area_and_of_uniform_weights() -> None:
    panel = world()
    for intercept in (True, False):
        fit = fitted(PartiallyPooled(intercept=intercept), panel)
        balance = pooled_balance(panel, fit)
        assert isinstance(balance, PooledBalance)
        rows = rows_of(panel, None, 0, intercept=intercept)
        mass = {name: float(panel.weight[members].sum()) for name, members in AREAS.items()}
        uniform = {name: np.full(12, 1 / 12) for name in AREAS}
        np.testing.assert_allclose(
            [balance.pooled_uniform, balance.separate_uniform], np.sqrt(two(rows, uniform, mass)), rtol=1e-10
        )
        for name, own, even in zip(balance.pieces, balance.own, balance.own_uniform, strict=True):
            alone = {name: rows[name]}, {name: mass[name]}
            assert own == pytest.approx(np.sqrt(two(alone[0], by_name(fit.pieces), alone[1])[1]), rel=1e-9)
            assert even == pytest.approx(np.sqrt(two(alone[0], uniform, alone[1])[1]), rel=1e-9)
    assert isinstance(pooled_balance(panel, fitted(DiD(), panel)), Refused)


# Donors that are not treated yet -----------------------------------------------------------------------------------


def test_a_donor_is_untreated_wherever_it_is_used() -> None:
    panel = world(donors=4)
    fit = fitted(PartiallyPooled(control="not-yet", leads=3), panel)
    names = {part.name: {panel.units[row] for row in part.donors} for part in fit.compared}
    never = {"u5", "u6", "u7", "u8"}
    assert names == {"north": never | {"u3", "u4"}, "south": never | {"u3", "u4"}, "west": never, "east": never}
    assert fit.cells.event.max() == 2
    assert fit.untreated is not None
    for row, start in STARTS.items():
        seen = np.isfinite(fit.untreated[row])
        np.testing.assert_array_equal(seen, np.arange(PERIODS) < start + 3)
    # What happens to the later areas once they are treated is nothing to the earlier ones.
    push = panel.treated_cells() & (panel.first >= 8)[:, None]
    other = fitted(PartiallyPooled(control="not-yet", leads=3), panel.with_outcome(panel.y + 100.0 * push))
    early = fit.cells.cohort == 5
    np.testing.assert_allclose(other.cells.effect[early], fit.cells.effect[early], atol=1e-12)


def test_anticipation_keeps_donors_away_earlier() -> None:
    panel = world(donors=4)
    fit = fitted(PartiallyPooled(control="not-yet", leads=3, anticipation=1), panel)
    names = {part.name: {panel.units[row] for row in part.donors} for part in fit.compared}
    assert "u3" not in names["north"]
    assert "u4" in names["north"]


def test_leads_alone_only_end_the_effects() -> None:
    panel = world()
    whole, short = fitted(PartiallyPooled(), panel), fitted(PartiallyPooled(leads=2), panel)
    keep = whole.cells.event < 2
    np.testing.assert_allclose(short.cells.effect, whole.cells.effect[keep], atol=1e-12)
    np.testing.assert_array_equal(short.cells.period, whole.cells.period[keep])


def test_without_leads_only_units_that_start_after_the_panel_may_serve() -> None:
    panel = world(donors=3)
    late = replace(panel, first=np.where(np.arange(8) == 7, PERIODS + 2.0, panel.first))
    assert late.first[7] == PERIODS + 2
    fit = fitted(PartiallyPooled(control="not-yet"), late)
    assert all(set(part.donors) == {5, 6, 7} for part in fit.compared)
    assert all(set(part.donors) == {5, 6} for part in fitted(PartiallyPooled(), late).compared)
    assert (
        "east has 1 donors"
        in refused(PartiallyPooled(control="not-yet", leads=2), panel.take([0, 1, 2, 3, 4, 5])).because
    )


# Edges ---------------------------------------------------------------------------------------------------------------


def test_where_all_areas_fit_exactly_there_is_nothing_to_pool() -> None:
    rng = np.random.default_rng(2)
    donors = rng.normal(size=(12, PERIODS))
    treated = rng.dirichlet(np.ones(12), size=5) @ donors
    panel = panel_of(np.vstack([treated, donors]), STARTS, {**AREAS, "north": [0], "other": [1]})
    for nu in (None, 0.7):
        fit = fitted(PartiallyPooled(nu=nu, intercept=False), panel)
        np.testing.assert_allclose(fit.cells.effect[~fit.cells.post], 0, atol=1e-9)
    found = fitted(PartiallyPooled(), panel)
    assert found.tuned[0].value[0] == 0
    assert any("fits exactly" in note for note in found.notes)


def test_one_area_is_its_own_synthetic_control() -> None:
    panel = world().take([2, *range(5, 17)])
    fit = fitted(PartiallyPooled(intercept=False), panel)
    np.testing.assert_allclose(fit.cells.effect, fitted(SyntheticControl(), panel).cells.effect, atol=1e-9)
    assert fit.tuned == ()
    assert any("nothing to pool" in note for note in fit.notes)


@pytest.mark.parametrize("scale", [0.3, 1.0, 7.0])
def test_full_pooling_is_no_more_than_full_by_rounding(scale: float) -> None:
    """The share of the mean is (q_sep / q_pool)² over itself: 1, however these numbers round."""
    for seed in range(12):
        panel = world(seed, donors=3)
        fit = fitted(PartiallyPooled(nu=1.0), panel.with_outcome(scale * panel.y))
        assert fit.trace[0].status == "optimal"


def test_areas_that_are_alike_are_pooled_fully_without_harm() -> None:
    """Copies of one area: the mean is the area, and every degree of pooling gives the same."""
    base = world()
    y = np.vstack([base.y[[2, 2, 2]], base.y[5:]])
    panel = panel_of(y, {0: 5, 1: 5, 2: 5})
    fit = fitted(PartiallyPooled(), panel)
    assert fit.tuned[0].value[0] == pytest.approx(1, abs=1e-9)
    np.testing.assert_allclose(fit.cells.effect, fitted(PartiallyPooled(nu=0), panel).cells.effect, atol=1e-6)


def test_two_periods_before_the_start_and_one_donor_more_than_needed() -> None:
    panel = world(donors=3)
    early = panel_of(panel.y, {0: 2, 2: 2, 3: 3})
    fit = fitted(PartiallyPooled(), early.take([0, 2, 3, 5, 6, 7]))
    assert fit.trace[0].status == "optimal"


def test_a_constant_outcome() -> None:
    panel = world()
    fit = fitted(PartiallyPooled(), panel.with_outcome(np.full(panel.y.shape, 3.0)))
    np.testing.assert_array_equal(fit.cells.effect, 0)


@pytest.mark.parametrize("lam", [0.01, 1.0])
def test_the_penalty_spreads_the_weights(lam: float) -> None:
    panel = world()
    bare, spread = fitted(PartiallyPooled(nu=0.5), panel), fitted(PartiallyPooled(nu=0.5, lam=lam), panel)
    assert bare.pieces is not None
    assert spread.pieces is not None
    assert (spread.pieces.unit**2).sum() < (bare.pieces.unit**2).sum()
    even = fitted(PartiallyPooled(nu=0.5, lam=1e6), panel).pieces
    assert even is not None
    np.testing.assert_allclose(even.unit[:, 5:], 1 / 12, atol=1e-4)


def test_what_may_not_be_learned_from_changes_nothing() -> None:
    panel = world()
    learn = np.ones(panel.y.shape, dtype=bool)
    learn[6, 9] = learn[0, 2] = False
    changed = panel.y.copy()
    changed[6] += 7
    changed[0, 2] += 7
    fit = fitted(PartiallyPooled(), panel, learn=learn)
    other = fitted(PartiallyPooled(), panel.with_outcome(changed), learn=learn)
    np.testing.assert_allclose(other.cells.effect, fit.cells.effect, atol=1e-10)


def test_matched_areas_have_their_own_donors() -> None:
    panel = world()
    pairs = np.zeros((4, 17))
    for row in range(4):
        pairs[row, 5 + 3 * row : 8 + 3 * row] = 1
    fit = fitted(PartiallyPooled(), panel.with_pairs(pairs))
    assert fit.pieces is not None
    for row, name in enumerate(fit.pieces.groups):
        assert name == tuple(AREAS)[row]
        assert set(np.flatnonzero(fit.pieces.unit[row])) <= set(np.flatnonzero(pairs[row]))


def test_a_program_without_certificate_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = world()

    def unfinished(blocks: Sequence[Block], nu: float, **_: object) -> Pooled:
        found = solve_pooled(blocks, nu)
        return found if nu == 0 else replace(found, gap=0.01, status="not converged")

    monkeypatch.setattr(partially_pooled, "solve_pooled", unfinished)
    assert "gap of 0.01" in refused(PartiallyPooled(), panel).because


def test_parameters() -> None:
    for wrong, message in (
        ({"nu": 1.1}, "nu=1.1 is not between 0 and 1"),
        ({"nu": float("nan")}, "nu=nan"),
        ({"lam": -1.0}, "lam"),
        ({"lags": 0}, "lags is a number of periods, 1 or more"),
        ({"leads": 0}, "leads"),
        ({"control": "later"}, "control='later' is not one of never, not-yet"),
        ({"anticipation": -1}, "anticipation"),
    ):
        with pytest.raises(ValueError, match=message):
            PartiallyPooled(**wrong)
    assert PartiallyPooled(nu=0.2).null_model() == PartiallyPooled(nu=0.2)
