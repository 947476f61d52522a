"""Synthetic control on several outcomes: the program in plain loops, symmetry, gaps in the waves, and what it gains."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import nnls

from impact.arrays import Float1, Float2
from impact.estimators import multi_outcome
from impact.estimators.multi_outcome import MultiOutcomeSyntheticControl
from impact.estimators.synthetic_control import SyntheticControl
from impact.numerics.simplex import Simplex
from impact.panel import Panel
from impact.targets import Target
from tests.test_synthetic import fitted, panel_of, refused

PERIODS = 9
DONORS = 10
AREAS = {"north": [0, 1], "south": [2], "west": [3]}
STARTS = {0: 6, 1: 6, 2: 6, 3: 7}


def world(seed: int = 1) -> tuple[Panel, dict[str, Float2]]:
    """Three areas, 10 donors, and a family of three outcomes on scales of their own."""
    rng = np.random.default_rng(seed)
    units = 4 + DONORS
    loading = rng.normal(size=(units, 2))
    family = {
        name: scale * (5 + rng.normal(size=(units, 1)) + loading @ rng.normal(size=(2, PERIODS)))
        + scale * 0.5 * rng.normal(size=(units, PERIODS))
        for name, scale in (("safety", 1.0), ("income", 1000.0), ("school", 0.01))
    }
    weight = np.r_[3.0, 1.0, 2.0, 1.0, np.ones(DONORS)]
    others = {name: values for name, values in family.items() if name != "safety"}
    return replace(panel_of(family["safety"], STARTS, AREAS, weight), covariates=others), family


def program(
    panel: Panel,
    family: Mapping[str, Float2],
    members: list[int],
    *,
    intercept: bool = True,
    errors: Mapping[str, Float2] | None = None,
    averaged: Mapping[str, int] | None = None,
) -> tuple[Float2, Float1]:
    """Rows by outcome and period before the start, each divided by its scale; one for each period if averaged."""
    start = STARTS[members[0]]
    share = panel.weight[members] / panel.weight[members].sum()
    blocks = []
    for name, values in family.items():
        before = values[:, :start] - (values[:, :start].mean(axis=1, keepdims=True) if intercept else 0)
        donors, treated = before[4:], share @ before[members]
        spread = sum(np.var(donors[:, t]) for t in range(start)) / start
        scale = np.full(start, spread)
        if errors is not None and name in errors:
            noise = (errors[name][4:, :start] ** 2).mean(axis=0) * ((start - 1) / start if intercept else 1)
            scale = max(spread - noise.mean(), 0.01 * spread) + noise
        sign = averaged[name] if averaged else 1
        blocks.append((sign * donors.T / np.sqrt(scale)[:, None], sign * treated / np.sqrt(scale)))
    if averaged:
        return np.mean([a for a, _ in blocks], axis=0), np.mean([b for _, b in blocks], axis=0)
    return np.vstack([a for a, _ in blocks]), np.concatenate([b for _, b in blocks])


def by_nnls(a: Float2, b: Float1) -> Float1:
    """Lawson & Hanson with the sum as a heavy row."""
    heavy = 1e5 * np.abs(a).max()
    return np.asarray(nnls(np.vstack([a, np.full(a.shape[1], heavy)]), np.r_[b, heavy])[0])


FAMILY = ("income", "school")


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("combine", ["concatenated", "averaged"])
def test_the_program_is_what_the_paper_says(combine: str, intercept: bool) -> None:
    panel, family = world()
    made = MultiOutcomeSyntheticControl(
        outcomes=FAMILY,
        combine=combine,  # type: ignore[arg-type]
        opposite=("school",),
        intercept=intercept,
    )
    fit = fitted(made, panel)
    assert fit.pieces is not None
    signs = {"safety": 1, "income": 1, "school": -1}
    for row, (name, members) in enumerate(AREAS.items()):
        a, b = program(panel, family, members, intercept=intercept, averaged=signs if combine == "averaged" else None)
        expected = by_nnls(a, b)
        assert fit.pieces.groups[row] == name
        found = fit.pieces.unit[row, 4:]
        assert np.sum((a @ found - b) ** 2) <= np.sum((a @ (expected / expected.sum()) - b) ** 2) * (1 + 1e-8) + 1e-12
        assert fit.trace[row].objective == pytest.approx(np.sum((a @ found - b) ** 2), rel=1e-9, abs=1e-12)
        if combine == "concatenated":  # more rows than donors: unique
            np.testing.assert_allclose(found, expected, atol=1e-5)
        start = STARTS[members[0]]
        time = np.where(np.arange(PERIODS) < start, 1 / start, 0) if intercept else np.zeros(PERIODS)
        np.testing.assert_allclose(fit.pieces.time[row], time)


@pytest.mark.parametrize("combine", ["concatenated", "averaged"])
def test_every_member_as_the_outcome_gives_the_same_weights(combine: str) -> None:
    _, family = world()
    errors = {"income": 100.0, "school": 0.002, "safety": 0.1}
    found = []
    for name in family:
        others = {other: values for other, values in family.items() if other != name}
        panel = replace(
            world()[0],
            y=family[name],
            covariates=others,
            se=np.full(family[name].shape, errors[name]),
        )
        made = MultiOutcomeSyntheticControl(
            outcomes=tuple(others),
            combine=combine,  # type: ignore[arg-type]
            errors={other: errors[other] for other in others},
        )
        fit = fitted(made, panel)
        assert fit.pieces is not None
        found.append(fit.pieces.unit)
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], atol=1e-9)


def test_figures_after_the_start_are_never_used() -> None:
    """Whatever happens to the family after a start, to treated units or to donors, moves nothing."""
    panel, family = world()
    wild = {name: values.copy() for name, values in family.items() if name != "safety"}
    for values in wild.values():
        values[:4][panel.treated_cells()[:4]] *= -50
        values[4:, 7:] += 1e6
    fit = fitted(MultiOutcomeSyntheticControl(outcomes=FAMILY), panel)
    other = fitted(MultiOutcomeSyntheticControl(outcomes=FAMILY), replace(panel, covariates=wild))
    np.testing.assert_allclose(other.cells.effect, fit.cells.effect, atol=1e-12)


def test_units_of_measurement_levels_and_shocks_of_an_outcome_make_no_difference() -> None:
    panel, family = world()
    rng = np.random.default_rng(3)
    level, shock = rng.normal(size=(14, 1)), rng.normal(size=PERIODS)
    other = {"income": 40 * (family["income"] / 1000 + level + 9 * shock), "school": -3 * family["school"]}
    fit = fitted(MultiOutcomeSyntheticControl(outcomes=FAMILY), panel)
    again = fitted(MultiOutcomeSyntheticControl(outcomes=FAMILY), replace(panel, covariates=other))
    np.testing.assert_allclose(again.cells.effect, fit.cells.effect, atol=1e-9)


def test_the_order_of_the_family_makes_no_difference() -> None:
    panel, _ = world()
    fit = fitted(MultiOutcomeSyntheticControl(outcomes=FAMILY), panel)
    other = fitted(MultiOutcomeSyntheticControl(outcomes=FAMILY[::-1]), panel)
    np.testing.assert_allclose(other.cells.effect, fit.cells.effect, atol=1e-9)


def test_alone_it_is_a_synthetic_control() -> None:
    panel = replace(world()[0], covariates={})
    fit = fitted(MultiOutcomeSyntheticControl(intercept=False), panel)
    np.testing.assert_allclose(fit.cells.effect, fitted(SyntheticControl(), panel).cells.effect, atol=1e-9)
    assert any("no other outcome" in note for note in fit.notes)
    noted = fitted(MultiOutcomeSyntheticControl(outcomes="income"), world()[0])
    assert any("school are not used" in note for note in noted.notes)
    assert not any("income" in note for note in noted.notes)


# Precision -----------------------------------------------------------------------------------------------------------


def test_rows_count_by_their_known_error() -> None:
    panel, family = world()
    rng = np.random.default_rng(4)
    errors = {
        "safety": np.tile(rng.uniform(0.05, 0.4, size=PERIODS), (14, 1)),
        "income": np.full((14, PERIODS), 150.0),
        "school": rng.uniform(0.001, 0.02, size=(14, PERIODS)),  # may exceed what is seen
    }
    known = replace(panel, se=errors["safety"], covariates={**panel.covariates, "margin": errors["school"]})
    made = MultiOutcomeSyntheticControl(outcomes=FAMILY, errors={"income": 150.0, "school": "margin"})
    fit = fitted(made, known)
    assert fit.pieces is not None
    for row, members in enumerate(AREAS.values()):
        a, b = program(panel, family, members, errors=errors)
        np.testing.assert_allclose(fit.pieces.unit[row, 4:], by_nnls(a, b), atol=1e-5)
    assert not any("margin" in note for note in fit.notes)


def test_an_error_that_is_always_the_same_changes_nothing() -> None:
    """It is part of the spread already; only that some periods are less precise than others is news."""
    panel, _ = world()
    bare = fitted(MultiOutcomeSyntheticControl(outcomes=FAMILY), panel)
    same = fitted(MultiOutcomeSyntheticControl(outcomes=FAMILY, errors={"income": 100.0}), panel)
    np.testing.assert_allclose(same.cells.effect, bare.cells.effect, atol=1e-9)


def test_an_error_that_is_not_known_everywhere_is_refused() -> None:
    panel, _ = world()
    se = np.full(panel.y.shape, 0.1)
    se[8, 2] = np.nan
    assert (
        "sampling error is not known"
        in refused(MultiOutcomeSyntheticControl(outcomes=FAMILY), replace(panel, se=se)).because
    )


# Waves and holes -----------------------------------------------------------------------------------------------------


def test_waves_that_nobody_has_are_left_out_and_named() -> None:
    panel, family = world()
    biennial = family["income"].copy()
    biennial[:, ::2] = np.nan
    fit = fitted(
        MultiOutcomeSyntheticControl(outcomes=FAMILY),
        replace(panel, covariates={**panel.covariates, "income": biennial}),
    )
    assert fit.pieces is not None
    for row, members in enumerate(AREAS.values()):
        start = STARTS[members[0]]
        seen = list(range(1, start, 2))
        a, b = program(panel, {name: family[name] for name in ("safety", "school")}, members)
        share = panel.weight[members] / panel.weight[members].sum()
        wave = biennial[:, seen] - biennial[:, seen].mean(axis=1, keepdims=True)
        scale = np.sqrt(np.mean(wave[4:].var(axis=0)))
        a, b = np.vstack([a, wave[4:].T / scale]), np.r_[b, share @ wave[members] / scale]
        np.testing.assert_allclose(fit.pieces.unit[row, 4:], by_nnls(a, b), atol=1e-5)
    said = [note for note in fit.notes if "income" in note]
    assert said == [
        "north, south: income was not observed in p0, p2, p4 before the start, and is left out there",
        "west: income was not observed in p0, p2, p4, p6 before the start, and is left out there",
    ]


def test_an_average_is_over_the_outcomes_that_were_observed() -> None:
    panel, family = world()
    early = family["income"].copy()
    early[:, 3:] = np.nan
    made = MultiOutcomeSyntheticControl(outcomes="income", combine="averaged")
    fit = fitted(made, replace(panel, covariates={"income": early}))
    assert fit.pieces is not None
    for row, members in enumerate(AREAS.values()):
        start = STARTS[members[0]]
        both, y = family["income"][:, :3], family["safety"][:, :start]
        both, y = (values - values.mean(axis=1, keepdims=True) for values in (both, y))
        both, y = (values / np.sqrt(values[4:].var(axis=0).mean()) for values in (both, y))
        index = np.column_stack([(both + y[:, :3]) / 2, y[:, 3:]])
        share = panel.weight[members] / panel.weight[members].sum()
        a, b, found = index[4:].T, share @ index[members], fit.pieces.unit[row, 4:]
        best = by_nnls(a, b)
        assert np.sum((a @ found - b) ** 2) <= np.sum((a @ best - b) ** 2) + 1e-9


def test_donors_with_holes_are_refused_or_left_out_by_name() -> None:
    panel, family = world()
    holes = family["income"].copy()
    holes[6, 2] = holes[9, 8] = np.nan  # u9 misses it after every start only
    torn = replace(panel, covariates={**panel.covariates, "income": holes})
    answer = refused(MultiOutcomeSyntheticControl(outcomes=FAMILY), torn)
    assert "1 donors" in answer.because
    assert "u6" in answer.because
    assert "drop-donors" in answer.instead
    fit = fitted(MultiOutcomeSyntheticControl(outcomes=FAMILY, missing="drop-donors"), torn)
    without = fitted(MultiOutcomeSyntheticControl(outcomes=FAMILY), panel.drop([6]))
    np.testing.assert_allclose(fit.cells.effect, without.cells.effect, atol=1e-9)
    assert any("1 donors miss figures of the family" in note and "u6" in note for note in fit.notes)
    assert all(6 not in part.donors for part in fit.compared)


def test_what_an_area_misses_is_left_out_for_that_area() -> None:
    panel, family = world()
    holes = family["income"].copy()
    holes[1, 2] = np.nan
    fit = fitted(
        MultiOutcomeSyntheticControl(outcomes=FAMILY), replace(panel, covariates={**panel.covariates, "income": holes})
    )
    whole = fitted(MultiOutcomeSyntheticControl(outcomes=FAMILY), panel)
    assert fit.pieces is not None
    assert whole.pieces is not None
    np.testing.assert_allclose(fit.pieces.unit[1:], whole.pieces.unit[1:], atol=1e-9)
    assert not np.allclose(fit.pieces.unit[0], whole.pieces.unit[0], atol=1e-6)
    assert "north: income was not observed in p2 before the start, and is left out there" in fit.notes


def test_outcomes_that_tell_nothing_are_left_out() -> None:
    panel, _ = world()
    dull = np.tile(np.arange(PERIODS, dtype=float), (14, 1))
    once = np.full((14, PERIODS), np.nan)
    once[:, 4] = 1.0
    more = replace(panel, covariates={**panel.covariates, "dull": dull, "once": once})
    fit = fitted(MultiOutcomeSyntheticControl(outcomes=(*FAMILY, "dull", "once")), more)
    whole = fitted(MultiOutcomeSyntheticControl(outcomes=FAMILY), panel)
    np.testing.assert_allclose(fit.cells.effect, whole.cells.effect, atol=1e-9)
    assert any("dull does not tell donors apart" in note for note in fit.notes)
    assert any("once has too few figures" in note for note in fit.notes)
    flat = replace(panel, y=np.full(panel.y.shape, 2.0), covariates={})
    np.testing.assert_allclose(fitted(MultiOutcomeSyntheticControl(), flat).cells.effect, 0, atol=1e-15)


def test_a_family_that_is_not_there_is_refused() -> None:
    panel, _ = world()
    assert "health is no series" in refused(MultiOutcomeSyntheticControl(outcomes="health"), panel).because
    fixed = replace(panel, covariates={"age": np.arange(14.0)[:, None]})
    assert "age does not change" in refused(MultiOutcomeSyntheticControl(outcomes="age"), fixed).because
    made = MultiOutcomeSyntheticControl(outcomes="income", errors={"income": "margin"})
    assert "margin is no series" in refused(made, panel).because


# The base -------------------------------------------------------------------------------------------------------------


def test_what_may_not_be_learned_from_changes_nothing() -> None:
    panel, family = world()
    learn = np.ones(panel.y.shape, dtype=bool)
    learn[6, 8] = learn[0, 2] = False
    changed = {name: values.copy() for name, values in family.items()}
    for values in changed.values():
        values[6] += 7 * values.std()
        values[0, 2] += 7 * values.std()
    other = replace(panel, y=changed["safety"], covariates={name: changed[name] for name in FAMILY})
    made = MultiOutcomeSyntheticControl(outcomes=FAMILY)
    fit, again = fitted(made, panel, learn=learn), fitted(made, other, learn=learn)
    np.testing.assert_allclose(again.cells.effect, fit.cells.effect, atol=1e-9)


def test_anticipated_periods_are_not_fitted() -> None:
    panel, family = world()
    made = MultiOutcomeSyntheticControl(outcomes=FAMILY, anticipation=2)
    changed = {name: family[name].copy() for name in FAMILY}
    for values in changed.values():
        values[3, 5:] *= 9
    fit, other = fitted(made, panel), fitted(made, replace(panel, covariates=changed))
    np.testing.assert_allclose(other.cells.effect, fit.cells.effect, atol=1e-12)


def test_a_program_without_certificate_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def unfinished(a: Float2, b: Float1, **_: float) -> Simplex:
        return Simplex(np.full(a.shape[1], 1 / a.shape[1]), 1.0, 0.01, 7, "not converged")

    monkeypatch.setattr(multi_outcome, "solve", unfinished)
    assert "gap of 0.01" in refused(MultiOutcomeSyntheticControl(outcomes=FAMILY), world()[0]).because


def test_parameters() -> None:
    made = MultiOutcomeSyntheticControl(outcomes=["b", "a"], errors={"b": 1.0, "a": "x"}, opposite="a")
    assert made.outcomes == ("b", "a")
    assert made == MultiOutcomeSyntheticControl(outcomes=("b", "a"), errors=(("a", "x"), ("b", 1.0)), opposite=["a"])
    assert hash(made) == hash(pickle.loads(pickle.dumps(made)))
    assert made.null_model() == made
    for wrong, message in (
        ({"outcomes": ("a", "a")}, "twice"),
        ({"combine": "stacked"}, "combine='stacked' is not one of concatenated, averaged"),
        ({"outcomes": "a", "opposite": "b"}, "opposite names b, not in outcomes"),
        ({"outcomes": "a", "errors": {"c": 1.0}}, "errors names c, not in outcomes"),
        ({"outcomes": "a", "errors": {"a": -1.0}}, "0 or more"),
    ):
        with pytest.raises(ValueError, match=message):
            MultiOutcomeSyntheticControl(**wrong)


# What it is for -------------------------------------------------------------------------------------------------------


def test_a_family_with_shared_causes_makes_short_panels_more_precise() -> None:
    """8 years before the start, 8 outcomes that load on the same 3 traits of an area, 40 donors, no effect.

    In 200 draws the root mean square errors are 0.86 and 0.71 (Monte-Carlo standard errors 0.04 and 0.04). Both are of
    the same draws, so the difference of their squares has an error of its own, and is held to 4 of these.
    """
    rng = np.random.default_rng(11)
    before, after, members, donors, draws = 8, 4, 8, 40, 200
    target = Target()
    errors = np.zeros((draws, 2))
    for draw in range(draws):
        traits = rng.normal(size=(1 + donors, 3))
        course = rng.normal(size=(members, 3, before + after))
        figures = np.einsum("nf,kft->knt", traits, course) + rng.normal(size=(members, 1 + donors, before + after))
        others = {f"k{k}": figures[k] for k in range(1, members)}
        panel = replace(panel_of(figures[0], {0: before}), covariates=others)
        for column, outcomes in enumerate([(), tuple(others)]):
            fit = fitted(MultiOutcomeSyntheticControl(outcomes=outcomes), panel)
            values = target.values(fit.cells, panel)
            assert isinstance(values, dict)
            errors[draw, column] = values["average"]
    gain = errors[:, 0] ** 2 - errors[:, 1] ** 2
    assert gain.mean() > 4 * gain.std(ddof=1) / np.sqrt(draws)
