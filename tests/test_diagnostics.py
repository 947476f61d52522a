"""Diagnoses of synthetic comparisons against numbers worked by hand, and hulls against a linear program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import impact
from impact.arrays import Float1, Float2
from impact.cells import Fit, Tuned
from impact.errors import Refused, UsageError
from impact.estimators.diagnostics import Diagnosis, briefly, concentration, diagnose, noise, reach
from impact.estimators.group_time import GroupTime
from impact.estimators.protocol import Estimator
from impact.estimators.synthetic import Piece, Solved, Synthetic
from impact.estimators.synthetic_control import SyntheticControl
from impact.estimators.synthetic_did import SyntheticDiD
from impact.panel import Panel
from tests.test_synthetic import panel_of, three_areas

CORNERS = np.array([[0.0, 0], [4, 0], [0, 4]])


@dataclass(frozen=True, slots=True)
class Given(Synthetic):
    """Weights that the test chooses, for the units u1, u2, …; with `base` against the mean of the periods before."""

    weights: tuple[float, ...] = ()
    base: bool = False

    name: ClassVar[str] = "given"

    def null_model(self) -> Given:
        return self

    def solved(self, panel: Panel, part: Piece) -> Solved | Refused:
        unit, time = np.zeros(len(panel.units)), np.zeros(len(panel.periods))
        unit[1 : 1 + len(self.weights)] = self.weights
        if self.base:
            time[part.before] = 1 / len(part.before)
        return Solved(unit, time)


def diagnosed(estimator: Estimator, panel: Panel) -> tuple[Diagnosis, ...]:
    fit = estimator.fit(panel)
    assert isinstance(fit, Fit), fit
    found = diagnose(panel, fit)
    assert isinstance(found, tuple)
    return found


def one(estimator: Estimator, y: Float2, start: int) -> Diagnosis:
    """Of u0, treated from `start` on, among the other rows."""
    (found,) = diagnosed(estimator, panel_of(y, {0: start}))
    return found


def kinds(found: Diagnosis) -> list[str]:
    return [caution.kind for caution in found.cautions]


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "base", "distance"),
    [
        ([1.0, 1], False, 0),
        ([2.0, 2], False, 0),  # on the edge
        ([0.0, 4], False, 0),  # a corner
        ([4.0, 4], False, 2),  # nearest is (2, 2)
        ([-3.0, -3], False, 3),
        ([9.0, 9], True, 0),  # as flat as the first donor
        ([54.0, 50], True, 0),  # falls by 4 as the second does
        ([10.0, 0], True, 3),  # falls by 10; net of its mean 5, −5 against 2, −2
    ],
)
def test_hull_of_three_corners(path: list[float], base: bool, distance: float) -> None:
    found, inside = reach(CORNERS, np.array(path), base=base)
    assert found == pytest.approx(distance, abs=1e-9)
    assert inside is (distance == 0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(2, 25), st.booleans())
def test_hull_is_what_a_linear_program_says(seed: int, periods: int, count: int, base: bool) -> None:
    rng = np.random.default_rng(seed)
    donors = rng.normal(size=(count, periods)) + 10 * rng.normal()
    path = donors.mean(axis=0) + rng.choice([0.1, 1.0, 3.0]) * rng.normal(size=periods)
    rows = np.vstack([donors.T, np.ones(count)])
    if base:
        rows = np.column_stack([rows, np.r_[np.ones(periods), 0], -np.r_[np.ones(periods), 0]])
    feasible = linprog(np.zeros(rows.shape[1]), A_eq=rows, b_eq=np.r_[path, 1], method="highs").status == 0
    distance, inside = reach(donors, path, base=base)
    # highs allows an error of 1e-7 in every equation; nearer the edge than that the two may differ.
    if inside is not feasible:
        assert distance < 1e-5


def test_noise_by_hand() -> None:
    """Changes 0, −4 and 4 around a mean of 0: mean square 32/3, half of which is 16/3."""
    assert noise(CORNERS) == pytest.approx(np.sqrt(16 / 3))
    assert noise(CORNERS + np.array([0, 100])) == pytest.approx(np.sqrt(16 / 3)), "what all share is no noise"
    assert noise(np.array([[0.1, 0.3, 0.2], [7.1, 7.3, 7.2]])) == 0
    assert noise(CORNERS[:, :1]) is None


@pytest.mark.parametrize(
    ("weights", "effective", "share", "who"),
    [
        ([0.25, 0.25, 0.25, 0.25], 4, 0.25, 0),
        ([0, 0, 1.0], 1, 1, 2),
        ([0, 0.25, 0.75], 1.6, 0.75, 2),
        ([1.0, -0.5, 0.5], 4 / 1.5, 0.5, 0),
        ([0.3, -0.9, 0.0], 1.44 / 0.9, 0.75, 1),
        ([0.0, 0.0], 0, 0, 0),
    ],
)
def test_concentration_by_hand(weights: list[float], effective: float, share: float, who: int) -> None:
    assert concentration(np.array(weights)) == (pytest.approx(effective), pytest.approx(share), who)


# --- one comparison ---------------------------------------------------------------------------------------------------


def test_a_perfect_fit_by_hand() -> None:
    donors = np.array([[0.0, 4, 0, 8, 4], [4.0, 0, 8, 0, 8], [40.0, 0, 3, 9, 9]])
    treated = np.array([0.25, 0.75, 0.0]) @ donors + np.array([0, 0, 0, 5, 6])
    found = one(SyntheticControl(), np.vstack([treated, donors]), 3)
    assert (found.area, found.periods, found.donors, found.weighted) == ("u0", 3, 3, 2)
    assert (found.rmspe, found.rmspe_relative, found.distance, found.in_hull) == (0, 0, 0, True)
    assert found.effective_donors == pytest.approx(1.6)
    assert (found.largest_donor, found.largest_share) == ("u2", pytest.approx(0.75))
    assert (found.negative, found.outside, found.beyond) == (0, 0, 0)
    assert [caution.says for caution in found.cautions] == ["u2 has 75% of the weight."]


def test_a_misfit_by_hand() -> None:
    """The nearest to (4, 4) is (2, 2), half u2 and half u3. Donors before: four 0 and two 4, so SD √(32/9)."""
    later = np.array([[7.0], [1.0], [2.0], [3.0]])
    found = one(SyntheticControl(), np.c_[np.vstack([[4.0, 4], CORNERS]), later], 2)
    assert found.rmspe == pytest.approx(2) == found.distance
    assert found.rmspe_relative == pytest.approx(2 / np.sqrt(32 / 9))
    assert found.noise == pytest.approx(np.sqrt(16 / 3))
    assert (found.in_hull, found.weighted, found.effective_donors) == (False, 2, pytest.approx(2))
    assert kinds(found) == [], "2 is less than what a figure varies by"
    found = one(SyntheticControl(), np.c_[np.vstack([[8.0, 8], CORNERS]), later], 2)
    assert kinds(found) == ["outside-hull"]
    assert "misses it by 6, where a figure varies by 2.31 by itself" in found.cautions[0].says


def test_negative_weights_and_sums_other_than_one() -> None:
    """0.9·u1 − 0.6·u2: imputed 0.9·10 − 0.6·20 = −3 in all periods but the last, there 0.9·10 − 0.6·60 = −27."""
    y = np.array([[5.0, 5, 5, 5], [10.0, 10, 10, 10], [20.0, 20, 20, 60]])
    found = one(Given(weights=(0.9, -0.6)), y, 2)
    assert (found.negative, found.weighted) == (pytest.approx(-0.6), 2)
    assert found.effective_donors == pytest.approx(1.5**2 / (0.81 + 0.36))
    assert (found.largest_donor, found.largest_share) == ("u1", pytest.approx(0.6))
    assert found.rmspe == pytest.approx(8)
    assert found.outside == pytest.approx(37), "the donors are at 10 and 60"
    assert found.beyond == pytest.approx(32), "the least that was seen is 5"
    assert {"one-donor", "extrapolates", "beyond"} <= set(kinds(found))
    says = {caution.kind: caution.says for caution in found.cautions}
    assert "negative weights sum to −0.6, and imputed outcomes lie up to 37 outside" in says["extrapolates"]
    assert "32 outside all that was observed, which spans 55" in says["beyond"]


def test_a_base_is_taken_out_before_the_range_is() -> None:
    """u0 lies far above its donors but moves as they do: nothing is extrapolated, though the level is unseen later."""
    y = np.array([[90.0, 92, 91, 91], [10.0, 12, 11, 30], [20.0, 22, 21, 10]])
    found = one(Given(weights=(0.5, 0.5), base=True), y, 2)
    assert (found.rmspe, found.outside) == (0, 0)
    assert found.beyond == pytest.approx(3), "91 + (20 − 16) = 95, where 92 is the most that was seen"
    assert "extrapolates" not in kinds(found) and "beyond" not in kinds(found)
    found = one(Given(weights=(2.0, -1.0), base=True), y, 2)
    assert found.outside == pytest.approx(30), "2 (30 − 11) − (10 − 21) = 49, where the donors reach 19"


def test_even_weights_with_a_base_are_difference_in_differences() -> None:
    common = np.array([1.0, 3, 2, 6, 6])
    y = common + np.array([[10.0], [0], [2], [7]])
    found = one(SyntheticDiD(), y, 3)
    assert found.effective_donors == pytest.approx(3) and "did-in-disguise" in kinds(found)
    assert "difference-in-differences" in " ".join(caution.says for caution in found.cautions)
    assert kinds(one(Given(weights=(1 / 3,) * 3), y, 3)).count("did-in-disguise") == 0, "levels are compared"
    assert "did-in-disguise" not in kinds(one(Given(weights=(0.8, 0.1, 0.1), base=True), y, 3))


@pytest.mark.parametrize(("count", "told"), [(8, True), (7, False)])
def test_a_close_fit_of_few_periods_by_many_donors_is_no_evidence(count: int, told: bool) -> None:
    donors = np.random.default_rng(2).normal(size=(count, 6))
    y = np.vstack([donors[:3].mean(axis=0), donors])
    found = one(SyntheticControl(), y, 4)
    assert found.in_hull and found.rmspe == 0 and found.noise
    assert ("fits-noise" in kinds(found)) is told
    loose = one(Given(weights=(0.0,) * 5 + (1.0,)), y, 4)
    assert "fits-noise" not in kinds(loose), "what does not fit closely does not fit noise"


def test_donors_that_do_not_vary() -> None:
    y = np.full((4, 5), 0.1)
    found = one(SyntheticControl(), y, 3)
    assert (found.rmspe, found.rmspe_relative, found.noise, found.in_hull) == (0, None, 0, True)
    y[0] = 7
    found = one(SyntheticControl(), y, 3)
    assert (found.in_hull, found.distance) == (False, pytest.approx(6.9))
    assert kinds(found)[0] == "outside-hull"


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_units_and_levels_change_no_judgement(scale: float) -> None:
    y = three_areas().y
    first = one(SyntheticControl(), np.vstack([y[:1], y[4:]]), 6)
    other = one(SyntheticControl(), scale * np.vstack([y[:1], y[4:]]), 6)
    for name in ("rmspe", "noise", "distance"):
        assert getattr(other, name) == pytest.approx(scale * getattr(first, name), rel=1e-6)
    for name in ("in_hull", "weighted", "largest_donor"):
        assert getattr(other, name) == getattr(first, name)
    assert kinds(first) == kinds(other)


# --- several areas, and what they may be compared with ----------------------------------------------------------------


def gaps(panel: Panel, rows: list[int], unit: Float1) -> Float1:
    return np.asarray(np.average(panel.y[rows], axis=0, weights=panel.weight[rows]) - unit @ panel.y)


def test_areas_of_several_units_and_cohorts() -> None:
    panel = three_areas()
    fit = SyntheticControl().fit(panel)
    assert isinstance(fit, Fit) and fit.pieces is not None
    found = diagnosed(SyntheticControl(), panel)
    assert [(each.area, each.periods, each.donors) for each in found] == [
        ("north", 6, 12),
        ("south", 6, 12),
        ("west", 8, 12),
    ]
    for each, rows, unit in zip(found, ([0, 1], [2], [3]), fit.pieces.unit, strict=True):
        before = gaps(panel, rows, unit)[: each.periods]
        assert each.rmspe == pytest.approx(np.sqrt(np.mean(before**2)), abs=1e-12)
        assert each.effective_donors == pytest.approx(1 / np.sum(unit**2))
        assert each.weighted == np.count_nonzero(unit)


def test_an_area_that_starts_twice_has_two_names() -> None:
    y = three_areas().y
    panel = panel_of(y, {0: 6, 1: 8}, {"north": [0, 1]})
    assert [each.area for each in diagnosed(SyntheticControl(), panel)] == ["north (from p6)", "north (from p8)"]


def test_anticipation_masks_and_pairs_are_respected() -> None:
    panel = three_areas()
    assert [each.periods for each in diagnosed(SyntheticControl(anticipation=2), panel)] == [4, 4, 6]
    pairs = np.zeros((3, 16))
    pairs[0, 4:8] = pairs[1, 6:12] = pairs[2, 4:] = 1
    assert [each.donors for each in diagnosed(SyntheticControl(), panel.with_pairs(pairs))] == [4, 6, 12]
    learn = np.ones(panel.y.shape, dtype=bool)
    learn[:, 2] = False
    learn[4:] = True
    fit = SyntheticControl().fit(panel, learn=learn)
    assert isinstance(fit, Fit)
    found = diagnose(panel, fit)
    assert isinstance(found, tuple) and [each.periods for each in found] == [5, 5, 7]


def test_donors_that_were_left_out_are_no_donors() -> None:
    panel = three_areas()
    y = panel.y.copy()
    y[9, 3] = np.nan
    found = diagnosed(SyntheticControl(missing="drop-donors"), panel.with_outcome(y))
    assert {each.donors for each in found} == {11}
    assert all(np.isfinite([each.rmspe, each.distance, each.outside, each.beyond]).all() for each in found)


def test_weights_that_are_not_unique() -> None:
    panel = panel_of(np.random.default_rng(0).normal(size=(41, 5)) * np.r_[0.01, np.ones(40)][:, None], {0: 3})
    fit = SyntheticControl().fit(panel)
    assert isinstance(fit, Fit)
    assert "not-unique" in kinds(diagnosed(SyntheticControl(), panel)[0])
    assert any("not unique" in note for note in fit.notes)


def test_in_brief() -> None:
    found = diagnosed(SyntheticControl(), three_areas())
    said = [replace(each, cautions=()) for each in found]
    assert briefly(said) == []
    perfect = diagnosed(SyntheticControl(), panel_of(np.random.default_rng(0).normal(size=(42, 5)), {0: 3, 1: 3}))
    lines = briefly(perfect)
    assert lines[-1] == "more in result.diagnostics()" and len(lines) == len(set(lines))
    assert not any("other donor weights" in line for line in lines), "the notes of the fit say that"


# --- as a result says it ----------------------------------------------------------------------------------------------


def frame(y: Float2, first: Mapping[int, int]) -> pd.DataFrame:
    return pd.DataFrame(
        [(f"u{row:02}", t, value, first.get(row, 0)) for row, line in enumerate(y) for t, value in enumerate(line)],
        columns=["unit", "t", "y", "start"],
    )


@pytest.fixture(scope="module")
def result() -> impact.Result:
    y = np.random.default_rng(7).normal(size=(30, 8)).cumsum(axis=1)
    panel = Panel.from_frame(frame(y, {0: 5, 1: 5, 2: 6}), unit="unit", time="t", outcome="y", first_treated="start")
    found = impact.estimate(panel, "synthetic-control", inference="jackknife")
    assert isinstance(found, impact.Result)
    return found


def test_the_table(result: impact.Result) -> None:
    table, found = result.diagnostics(), diagnose(result.panel, result.fit)
    assert isinstance(table, pd.DataFrame) and isinstance(found, tuple)
    assert table["area"].tolist() == ["u00", "u01", "u02"]
    for column in table.columns.drop("warnings"):
        assert table[column].tolist() == [getattr(each, column) for each in found]
    assert table["warnings"].tolist() == [" ".join(caution.says for caution in each.cautions) for each in found]


def test_what_is_not_known_is_missing_in_the_table() -> None:
    panel = Panel.from_frame(frame(np.ones((5, 5)), {0: 3}), unit="unit", time="t", outcome="y", first_treated="start")
    found = impact.estimate(panel, "synthetic-control", inference="jackknife")
    assert isinstance(found, impact.Result)
    table = found.diagnostics()
    assert isinstance(table, pd.DataFrame) and table["rmspe_relative"].isna().all() and table["in_hull"].all()


def test_an_estimator_that_follows_nobody_refuses(result: impact.Result) -> None:
    for estimator in ("did", GroupTime()):
        found = impact.estimate(result.panel, estimator)
        assert isinstance(found, impact.Result)
        assert isinstance(found.diagnostics(), Refused)
        assert "result.diagnostics()" not in found.summary()


def test_the_summary_says_every_kind_once(result: impact.Result) -> None:
    said, found = result.summary(), diagnose(result.panel, result.fit)
    assert isinstance(found, tuple)
    lines = briefly(found)
    assert lines and all(said.count(line) == 1 for line in lines)


def test_the_short_form_is_short(result: impact.Result) -> None:
    assert repr(result) == "\n".join(result.summary().splitlines()[:2])
    events = impact.estimate(result.panel, "synthetic-control", target="event", inference="jackknife")
    assert repr(events).splitlines()[-1] == "  and 4 more terms: see summary() or tidy()"  # −6 to 2, and the mean
    assert len(repr(events).splitlines()) == 8


def test_weights_by_group_and_by_area(result: impact.Result) -> None:
    weights, pieces = result.fit.weights, result.fit.pieces
    assert weights is not None and pieces is not None
    for by, known, names in (("group", weights, ("5", "6")), ("area", pieces, ("u00", "u01", "u02"))):
        table = result.weights(by)  # type: ignore[arg-type]
        assert list(table.columns) == [by, "unit", "weight"]
        wide = table.pivot(index=by, columns="unit", values="weight").reindex(columns=list(known.units)).fillna(0)
        assert tuple(wide.index) == names
        np.testing.assert_array_equal(wide.to_numpy(), known.unit)
    assert result.weights().equals(result.weights("group"))
    means = result.weights("area").query("area in ['u00', 'u01']").groupby("unit")["weight"].sum() / 2
    group = result.weights("group").query("group == '5'").set_index("unit")["weight"].sort_index()
    np.testing.assert_allclose(means.sort_index(), group, atol=1e-15)


def test_weights_below_zero_are_shown(result: impact.Result) -> None:
    found = impact.estimate(result.panel, Given(weights=(0.0, 0.0, 1.5, -0.5)), inference="jackknife")
    assert isinstance(found, impact.Result)
    assert found.weights("area").query("area == 'u00'")["weight"].tolist() == [1.5, -0.5]


def test_weights_that_are_not_there(result: impact.Result) -> None:
    with pytest.raises(UsageError, match=r"USAGE-003.*group, area"):
        result.weights("unit")  # type: ignore[arg-type]
    did, plain = (impact.estimate(result.panel, name) for name in ("did", "group-time"))
    assert isinstance(did, impact.Result) and isinstance(plain, impact.Result)
    with pytest.raises(UsageError, match=r"USAGE-008.*by area"):
        did.weights("area")
    assert plain.weights().empty and list(plain.weights("area").columns) == ["area", "unit", "weight"]


def test_what_was_tuned(result: impact.Result) -> None:
    assert result.tuned().empty
    chosen = (
        Tuned("u00", "v", ("income", "age"), np.array([0.75, 0.25]), 1.5, np.eye(2), np.array([1.5, 4.0])),
        Tuned("", "lam", (), np.array([3.0]), 2.0, np.array([[3.0]]), np.array([2.0, np.nan])),
    )
    table = replace(result, fit=replace(result.fit, tuned=chosen)).tuned()
    assert table.to_dict("list") == {
        "piece": ["u00", "u00", ""],
        "parameter": ["v", "v", "lam"],
        "label": ["income", "age", ""],
        "value": [0.75, 0.25, 3.0],
        "loss": [1.5, 1.5, 2.0],
        "tried": [2, 2, 2],
        "loss_low": [1.5, 1.5, 2.0],
        "loss_high": [4.0, 4.0, 2.0],
    }
