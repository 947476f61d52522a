"""Predictors: how they are spelled, what they come to, and what may not be in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from impact.arrays import Float2
from impact.cells import Piece
from impact.errors import Refused
from impact.estimators.predictors import Predictor, Rows, read_predictors, rows, standardised
from impact.panel import Panel

PERIODS = tuple(str(year) for year in range(2000, 2008))
START = 6


def panel_of(covariates: Mapping[str, Float2], seed: int = 0) -> Panel:
    """Area north (n1, n2, weights 3 and 1) starts in 2006; donors d1 to d4."""
    units = ("n1", "n2", "d1", "d2", "d3", "d4")
    y = np.random.default_rng(seed).normal(size=(6, len(PERIODS)))
    first = np.array([START, START, *[np.inf] * 4])
    area, group = np.array([0, 0, -1, -1, -1, -1]), np.array([0, 0, -1, -1, -1, -1])
    weight = np.array([3.0, 1, 1, 1, 1, 1])
    return Panel(y, first, units, PERIODS, np.arange(6), units, area, ("north",), weight, group, covariates=covariates)


def north(before: list[int] | None = None) -> Piece:
    periods = list(range(START)) if before is None else before
    return Piece("north", 0, np.array([0, 1]), np.array([0.75, 0.25]), np.arange(2, 6), np.array(periods))


def made(panel: Panel, *spelled: Any, part: Piece | None = None, **how: Any) -> Rows:
    found = rows(panel, part or north(), read_predictors(spelled), **how)
    assert isinstance(found, Rows), found
    return found


def refused(panel: Panel, *spelled: Any, part: Piece | None = None, **how: Any) -> str:
    found = rows(panel, part or north(), read_predictors(spelled), **how)
    assert isinstance(found, Refused)
    return str(found)


def varying(seed: int = 1) -> Float2:
    return np.random.default_rng(seed).normal(size=(6, len(PERIODS)))


# Spelling -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelled", "read", "name"),
    [
        ("beer", Predictor("beer"), "beer"),
        ({"of": "beer", "from": 2001, "to": "2003"}, Predictor("beer", "2001", "2003"), "beer 2001-2003"),
        ({"of": "beer", "from": "2001"}, Predictor("beer", "2001"), "beer from 2001"),
        ({"of": "beer", "to": 2003}, Predictor("beer", "", "2003"), "beer to 2003"),
        ({"of": "outcome", "at": 2003}, Predictor("outcome", "2003", "2003"), "outcome 2003"),
        ({"of": "outcome", "each": True}, Predictor("outcome", each=True), "outcome, each"),
        ({"of": "beer", "statistic": "median"}, Predictor("beer", statistic="median"), "median beer"),
        (
            {"of": "late", "at": 2004, "training": {"of": "early", "at": 2001}},
            Predictor("late", "2004", "2004", training=Predictor("early", "2001", "2001")),
            "late 2004",
        ),
    ],
)
def test_spelling(spelled: Any, read: Predictor, name: str) -> None:
    assert read_predictors([spelled]) == (read,)
    assert read_predictors([read]) == (read,)
    assert read.name == name


@pytest.mark.parametrize(
    ("spelled", "words"),
    [
        ("beer", "are a list"),
        ({"of": "beer"}, "are a list"),
        ([3], "is no predictor"),
        ([""], "does not say what it is of"),
        ([{"at": 2003}], "does not say what it is of"),
        ([{"of": "beer", "until": 2003}], "know no word until"),
        ([{"of": "beer", "at": 2003, "from": 2001}], "has one period `at`"),
        ([{"of": "beer", "at": 2003, "each": True}], "has one period `at`"),
        ([{"of": "beer", "each": "yes"}], "is not true or false"),
        ([{"of": "beer", "statistic": "mode"}], "is not one of mean, median"),
        ([{"of": "beer", "from": 1.5}], "is no label of a period"),
        ([{"of": "beer", "from": True}], "is no label of a period"),
        ([{"of": "beer", "training": {"of": "ale", "training": "x"}}], "know no word training"),
        (["beer", {"of": "beer"}], "'beer' stands there for the second time"),
    ],
)
def test_spellings_that_are_none(spelled: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_predictors(spelled)


# Numbers --------------------------------------------------------------------------------------------------------------


def test_rows_are_means_of_windows_and_the_area_is_the_mean_of_its_units() -> None:
    beer, income = varying(), np.arange(6.0)[:, None] + 10
    panel = panel_of({"beer": beer, "income": income})
    found = made(
        panel,
        "income",
        "beer",
        {"of": "beer", "from": 2001, "to": 2003},
        {"of": "outcome", "at": 2005},
        {"of": "outcome", "from": 2004, "each": True, "statistic": "median"},
        {"of": "beer", "to": 2002, "statistic": "median"},
    )
    expected = np.array(
        [
            income[:, 0],
            beer[:, :6].mean(axis=1),
            beer[:, 1:4].mean(axis=1),
            panel.y[:, 5],
            panel.y[:, 4],
            panel.y[:, 5],
            np.median(beer[:, :3], axis=1),
        ]
    )
    assert found.names[3:6] == ("outcome 2005", "median outcome 2004", "median outcome 2005")
    np.testing.assert_allclose(found.a, expected[:, 2:], rtol=1e-14)
    np.testing.assert_allclose(found.b, 0.75 * expected[:, 0] + 0.25 * expected[:, 1], rtol=1e-14)
    assert found.notes == () and found.left_out == ()


def test_a_fixed_covariate_is_one_row_whatever_is_said_of_windows() -> None:
    found = made(panel_of({"income": np.arange(6.0)[:, None]}), {"of": "income", "each": True, "from": 2002})
    assert found.names == ("income from 2002",)
    np.testing.assert_array_equal(found.a, [[2.0, 3, 4, 5]])


def test_cells_after_the_start_never_enter() -> None:
    panel = panel_of({"beer": varying()})
    spelled = ("beer", "outcome", {"of": "outcome", "each": True}, {"of": "beer", "from": 2003})
    found = made(panel, *spelled)
    wild = replace(
        panel.with_outcome(np.where(np.arange(8) >= START, 1e6, panel.y)),
        covariates={"beer": np.where(np.arange(8) >= START, 1e6, panel.covariates["beer"])},
    )
    np.testing.assert_array_equal(made(wild, *spelled).a, found.a)
    assert len(found.names) == 2 + START + 1
    assert len(made(panel, *spelled, anticipation=2).names) == 2 + START - 2 + 1


@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_means_are_of_what_was_observed_and_the_gaps_are_counted(statistic: str) -> None:
    beer = varying()
    beer[3, 1] = beer[4, :5] = beer[0, 2] = np.nan
    beer[2, 6:] = np.nan  # after the start: no gap of a window
    found = made(panel_of({"beer": beer}), {"of": "beer", "statistic": statistic})
    take = np.nanmean if statistic == "mean" else np.nanmedian
    expected = take(beer[:, :6], axis=1)
    np.testing.assert_allclose(found.a[0], expected[2:], rtol=1e-14)
    np.testing.assert_allclose(found.b[0], 0.75 * expected[0] + 0.25 * expected[1], rtol=1e-14)
    assert len(found.notes) == 1 and "7 of 36 cells were not observed" in found.notes[0]


def test_a_donor_without_any_observation_is_refused_or_left_out_by_name() -> None:
    beer = varying()
    beer[4, 2:4] = np.nan
    panel = panel_of({"beer": beer})
    spelled = ({"of": "beer", "from": 2002, "to": 2003}, "outcome")
    why = refused(panel, *spelled)
    assert "1 donors of north have no observation of beer 2002-2003: d3" in why and "drop-donors" in why
    found = made(panel, *spelled, missing="drop-donors")
    assert [panel.units[row] for row in found.part.donors] == ["d1", "d2", "d4"]
    np.testing.assert_allclose(found.a[0], beer[[2, 3, 5], 2:4].mean(axis=1), rtol=1e-14)
    assert any("d3" in note and "left out" in note for note in found.notes)
    beer = varying()
    beer[1, 2:4] = np.nan
    assert "n2 has no observation of beer 2002-2003" in refused(
        panel_of({"beer": beer}), *spelled, missing="drop-donors"
    )


def test_masked_periods_are_left_out_of_every_window() -> None:
    beer = varying()
    panel = panel_of({"beer": beer})
    part = north([0, 1, 4, 5])
    spelled = ("beer", {"of": "outcome", "from": 2001, "to": 2002}, {"of": "outcome", "each": True, "from": 2003})
    found = made(panel, *spelled, part=part)
    assert found.names == ("beer", "outcome 2001-2002", "outcome 2004", "outcome 2005")
    assert found.left_out == ("outcome 2003",)
    np.testing.assert_allclose(found.a[0], beer[2:, [0, 1, 4, 5]].mean(axis=1), rtol=1e-14)
    np.testing.assert_allclose(found.a[1], panel.y[2:, 1], rtol=1e-14)
    assert any("outcome 2003 of north is left out" in note for note in found.notes)
    assert "may be learned from" in refused(panel, {"of": "outcome", "from": 2002, "to": 2003}, part=part)


def test_open_windows_can_be_narrowed_and_windows_ended_earlier() -> None:
    beer = varying()
    panel = panel_of({"beer": beer})
    found = made(panel, "beer", {"of": "beer", "from": 2001, "to": 2002}, within=np.array([0, 1, 2]), until=3)
    np.testing.assert_allclose(found.a[0], beer[2:, :3].mean(axis=1), rtol=1e-14)
    np.testing.assert_allclose(found.a[1], beer[2:, 1:3].mean(axis=1), rtol=1e-14)
    assert "reaches into 2003" in refused(panel, {"of": "beer", "from": 2001, "to": 2003}, until=3)


@pytest.mark.parametrize(
    ("spelled", "words"),
    [
        ({"of": "beer", "from": 2004, "to": 2006}, "beer 2004-2006 reaches into 2006"),
        ({"of": "outcome", "at": 2007}, "outcome 2007 reaches into 2007"),
        ({"of": "beer", "from": 2007}, "beer from 2007 reaches into 2007"),
        ({"of": "beer", "at": 1999}, "1999 in beer 1999 is no period of the panel"),
        ({"of": "beer", "from": 2003, "to": 2001}, "ends before it begins"),
        ("ale", "the panel has no series ale"),
    ],
)
def test_windows_that_are_refused(spelled: Any, words: str) -> None:
    assert words in refused(panel_of({"beer": varying()}), spelled)


def test_anticipation_closes_the_last_periods() -> None:
    panel = panel_of({"beer": varying()})
    assert "ends in 2004" in refused(panel, {"of": "beer", "at": 2005}, anticipation=1)
    made(panel, {"of": "beer", "at": 2004}, anticipation=1)


def test_a_period_named_twice_is_refused() -> None:
    panel = panel_of({})
    assert "outcome 2003 stands there for the second time" in refused(
        panel, {"of": "outcome", "each": True}, {"of": "outcome", "at": 2003}
    )


def test_standardised_as_synth_does() -> None:
    """By the standard deviation over donors and area together, with one degree of freedom less."""
    panel = panel_of({"beer": varying(), "same": np.r_[1.0, 2, 7, 7, 7, 7][:, None]})
    found = made(panel, "beer", "same", {"of": "outcome", "at": 2001})
    scaled = standardised(found)
    assert isinstance(scaled, Rows)
    assert scaled.names == ("beer", "outcome 2001") and scaled.left_out == ("same",)
    assert any("differ in same" in note for note in scaled.notes)
    for row, kept in enumerate((0, 2)):
        spread = np.append(found.a[kept], found.b[kept]).std(ddof=1)
        np.testing.assert_allclose(scaled.a[row], found.a[kept] / spread, rtol=1e-14)
        assert scaled.b[row] == pytest.approx(found.b[kept] / spread, rel=1e-14)
    alone = standardised(made(panel, "same"))
    assert isinstance(alone, Refused)


def test_rounding_is_no_difference_between_donors() -> None:
    """Deviations from the own mean have a mean of 0 but for rounding, which must not be standardised."""
    panel = panel_of({})
    less = panel.with_outcome(100 + panel.y - (100 + panel.y)[:, :START].mean(axis=1, keepdims=True))
    found = made(less, "outcome")
    assert np.ptp(found.a) > 0
    assert isinstance(standardised(found), Refused)
