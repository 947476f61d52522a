"""Reading a long table into a panel, and what is refused with which rows."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest

from impact.errors import DataError, Problem
from impact.panel import NEVER, Panel

UNITS, YEARS = "abcd", range(2001, 2006)
STARTS = {"a": 2003, "b": 2004, "c": 0, "d": 0}


def long(**columns: Any) -> pd.DataFrame:
    """20 rows: unit number i (0-3) in year 2000 + t has outcome 10 i + t; a starts in 2003, b in 2004."""
    rows = [(unit, year, 10.0 * i + year - 2000, float(STARTS[unit])) for i, unit in enumerate(UNITS) for year in YEARS]
    return pd.DataFrame(rows, columns=["unit", "year", "y", "start"]).assign(**columns)


def read(frame: pd.DataFrame, **columns: Any) -> Panel:
    named = {"unit": "unit", "time": "year", "outcome": "y", "first_treated": "start"} | columns
    return Panel.from_frame(frame, **named)


def problems(frame: pd.DataFrame, **columns: Any) -> tuple[Problem, ...]:
    with pytest.raises(DataError) as caught:
        read(frame, **columns)
    return caught.value.problems


def the_problem(frame: pd.DataFrame, **columns: Any) -> Problem:
    (problem,) = problems(frame, **columns)
    return problem


def per_unit(**values: Any) -> list[Any]:
    return [values[unit] for unit in UNITS for _ in YEARS]


# Reading --------------------------------------------------------------------------------------------------------------


def test_rows_in_any_order_become_sorted_units_and_periods() -> None:
    panel = read(long().sample(frac=1, random_state=3))
    assert panel.units == ("a", "b", "c", "d")
    assert panel.periods == ("2001", "2002", "2003", "2004", "2005")
    np.testing.assert_array_equal(panel.y[1], [11, 12, 13, 14, 15])
    np.testing.assert_array_equal(panel.first, [2, 3, NEVER, NEVER])
    np.testing.assert_array_equal(panel.group, [0, 1, -1, -1])
    assert panel.group_names == ("2003", "2004")
    assert panel.areas == ("a", "b")
    np.testing.assert_array_equal(panel.area, [0, 1, -1, -1])
    assert not panel.clustered
    assert panel.aside == ()


@pytest.mark.parametrize("never", [0, 0.0, np.nan, np.inf, None, "", "  ", "0", "nan"])
def test_every_spelling_of_never(never: object) -> None:
    start = [never if value == 0 else value for value in long()["start"]]
    np.testing.assert_array_equal(read(long(start=pd.Series(start, dtype=object))).first, [2, 3, NEVER, NEVER])


@pytest.mark.parametrize("never", ["", " ", "0", None, np.nan])
def test_every_spelling_of_never_among_text_periods(never: object) -> None:
    frame = long(year=long()["year"].astype(str) + "Q1")
    frame["start"] = pd.Series([f"{int(s)}Q1" if s else never for s in frame["start"]], dtype=object)
    panel = read(frame)
    assert panel.periods[0] == "2001Q1"
    np.testing.assert_array_equal(panel.first, [2, 3, NEVER, NEVER])


def as_years(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(start=frame["start"].replace(0, np.nan))


def dates(column: pd.Series) -> pd.Series:
    return pd.to_datetime(column.map(lambda year: None if year == 0 else f"{int(year)}-01-01"))


SPELLINGS = {
    "float years": lambda f: f.assign(year=f["year"].astype(float)),
    "years as text": lambda f: f.assign(year=f["year"].astype(str)),
    "nullable": lambda f: as_years(f).astype({"year": "Int64", "start": "Int64", "y": "Float64", "unit": "string"}),
    "categorical": lambda f: f.astype({"unit": "category", "year": "category", "start": "category", "y": "category"}),
    "outcome as text": lambda f: f.assign(y=f["y"].astype(str)),
    "pyarrow": lambda f: f.convert_dtypes(dtype_backend="pyarrow"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_same_table_in_other_types_is_the_same_panel(spelling: str) -> None:
    expected, panel = read(long()), read(SPELLINGS[spelling](long()))
    assert (panel.units, panel.periods, panel.areas) == (expected.units, expected.periods, expected.areas)
    np.testing.assert_array_equal(panel.y, expected.y)
    np.testing.assert_array_equal(panel.first, expected.first)


@pytest.mark.parametrize("objects", [False, True])
def test_dates_are_periods_without_a_clock(objects: bool) -> None:
    frame = long(year=dates(long()["year"]), start=dates(long()["start"]))
    if objects:
        frame["year"] = frame["year"].dt.date
    panel = read(frame)
    assert panel.periods[:2] == ("2001-01-01", "2002-01-01")
    np.testing.assert_array_equal(panel.first, [2, 3, NEVER, NEVER])
    # A start that is a year among dates counts from the first date of that year.
    np.testing.assert_array_equal(read(frame.assign(start=long()["start"])).first, [2, 3, NEVER, NEVER])


@pytest.mark.parametrize("kind", [int, str, "Int64", "category"])
def test_numbers_sort_as_numbers_whatever_their_type(kind: Any) -> None:
    frame = long(year=long()["year"] - 1993)
    frame["start"] = long()["start"].map({2003.0: 10, 2004.0: 11, 0.0: 0})
    panel = read(frame.astype({"year": kind, "start": kind}))
    assert panel.periods == ("8", "9", "10", "11", "12")
    np.testing.assert_array_equal(panel.first, [2, 3, NEVER, NEVER])


def test_a_start_between_two_periods_counts_from_the_next() -> None:
    frame = long()
    frame = frame[frame["year"] != 2003]
    np.testing.assert_array_equal(read(frame).first, [2, 2, NEVER, NEVER])
    assert read(frame).group_names == ("2004",)


@pytest.mark.parametrize("start", [2001, 1999, -1])
def test_a_unit_without_a_pre_period_goes_aside_and_is_no_control(start: int) -> None:
    panel = read(long(start=per_unit(a=2003, b=start, c=0, d=0)))
    assert panel.aside == ("b",)
    assert panel.units == ("a", "c", "d")
    assert panel.areas == ("a",)
    np.testing.assert_array_equal(panel.never, [False, True, True])


def test_a_unit_treated_after_the_last_period_is_neither_treated_nor_never_treated() -> None:
    panel = read(long(start=per_unit(a=2003, b=2010, c=0, d=0)))
    np.testing.assert_array_equal(panel.first, [2, 5, NEVER, NEVER])
    np.testing.assert_array_equal(panel.treated, [True, False, False, False])
    np.testing.assert_array_equal(panel.never, [False, False, True, True])
    np.testing.assert_array_equal(panel.group, [0, -1, -1, -1])
    assert not panel.treated_cells()[1].any()


@pytest.mark.parametrize("kind", [int, float, bool, "boolean", str])
def test_a_treatment_column_gives_the_same_starts(kind: Any) -> None:
    on = (long()["start"] > 0) & (long()["year"] >= long()["start"])
    column = on.astype(int).astype(str) if kind is str else on.astype(kind)
    np.testing.assert_array_equal(read(long(on=column), first_treated=None, treated="on").first, [2, 3, NEVER, NEVER])


def test_fixed_columns_are_carried_and_varying_covariates_stay_wide() -> None:
    frame = long(
        gemeente=per_unit(a="G2", b="G1", c=" G1 ", d="G2"),
        people=per_unit(a=100, b=300, c=50, d=np.nan),
        w=per_unit(a=1, b=2, c=0, d=4),
        east=per_unit(a=0, b=1, c=2, d=3),
        north=0,
        noise=0.5,
        fixed=per_unit(a=5, b=6, c=7, d=8),
        moves=long()["y"] * 2,
        wijk=per_unit(a="X", b="Y", c=None, d=None),
    )
    panel = read(
        frame,
        cluster="gemeente",
        residents="people",
        weight="w",
        place=("east", "north"),
        se="noise",
        area="wijk",
        covariates=["fixed", "moves"],
        outcome_unit="procentpunt",
    )
    assert panel.clustered and panel.clusters == ("G1", "G2")
    np.testing.assert_array_equal(panel.cluster, [1, 0, 0, 1])
    assert panel.areas == ("X", "Y")
    np.testing.assert_array_equal(panel.residents, [100, 300, 50, np.nan])
    np.testing.assert_array_equal(panel.weight, [1, 2, 0, 4])
    np.testing.assert_array_equal(panel.place, [[0, 0], [1, 0], [2, 0], [3, 0]])
    np.testing.assert_array_equal(panel.covariates["fixed"], [[5], [6], [7], [8]])
    np.testing.assert_array_equal(panel.covariates["moves"][2], [42, 44, 46, 48, 50])
    assert panel.se is not None and panel.se.shape == (4, 5)
    assert panel.unit == "procentpunt"


def test_a_blank_outcome_is_missing_and_never_zero() -> None:
    frame = long()
    frame["y"] = frame["y"].astype(object)
    frame.loc[6, "y"] = ""
    frame = frame.drop(index=13)
    panel = read(frame)
    assert np.isnan(panel.y[1, 1]) and np.isnan(panel.y[2, 3])
    assert np.isnan(panel.y).sum() == 2


def test_the_table_is_not_changed_and_the_panel_does_not_follow_it() -> None:
    frame = long(gemeente="G")
    before = frame.copy(deep=True)
    panel = read(frame, cluster="gemeente")
    pd.testing.assert_frame_equal(frame, before)
    frame["y"] = 0.0
    assert panel.y[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        panel.y[0, 0] = 9.0


def test_names_of_units_and_clusters_are_spelled_alike() -> None:
    frame = long(unit=per_unit(a=1.0, b=2.0, c=3.0, d=4.0))
    assert read(frame).units == ("1", "2", "3", "4")
    assert not read(frame.assign(same=frame["unit"]), cluster="same").clustered


# Refusing -------------------------------------------------------------------------------------------------------------


def test_missing_columns_are_told_together_with_the_nearest_name() -> None:
    first, second = problems(long(), outcome="yy", cluster="gemeente")
    assert first.code == second.code == "PANEL-001"
    assert "'yy'" in first.message and "'y'" in first.hint
    assert "'gemeente'" in second.message and "unit, year, y, start" in second.hint


def test_a_column_that_is_there_twice() -> None:
    frame = long()
    assert "more than one column 'y'" in the_problem(pd.concat([frame, frame["y"]], axis=1)).message


def test_no_rows_and_no_or_two_treatment_columns() -> None:
    assert the_problem(long().iloc[:0]).code == "PANEL-001"
    assert "exactly one" in the_problem(long(), first_treated=None).message
    assert "exactly one" in the_problem(long(on=0), treated="on").message


def test_blank_keys_name_their_rows() -> None:
    frame = long()
    frame.loc[[3, 7], "unit"] = None
    frame["year"] = frame["year"].astype(float)
    frame.loc[11, "year"] = np.nan
    first, second = problems(frame)
    assert (first.code, first.path, second.code, second.path) == ("PANEL-002", "unit", "PANEL-002", "year")
    assert "rows 3, 7" in first.message and "rows 11" in second.message


def test_two_units_that_would_bear_one_name() -> None:
    problem = the_problem(long(unit=per_unit(a=1, b="1", c=2, d=3)))
    assert problem.code == "PANEL-002" and problem.message.endswith(": 1")


def test_every_problem_at_once_with_its_rows() -> None:
    frame = long(w=1.0, gemeente="G")
    frame["y"] = frame["y"].astype(object)
    frame.loc[4, "y"] = "?"
    frame.loc[per_rows("d"), "y"] = np.nan
    frame.loc[5, "start"] = 2002
    frame.loc[8, "gemeente"] = "H"
    frame.loc[per_rows("c"), "w"] = -1.0
    frame = pd.concat([frame, frame.loc[[1]]])
    found = problems(frame, weight="w", cluster="gemeente")
    assert [(p.code, p.path) for p in found] == [
        ("PANEL-003", ""),
        ("PANEL-004", "y"),
        ("PANEL-005", "y"),
        ("PANEL-007", "start"),
        ("PANEL-006", "w"),
        ("PANEL-007", "gemeente"),
    ]
    by_code = {p.code + p.path: p.message for p in found}
    assert "rows 1, 1" in by_code["PANEL-003"]
    assert "'?'" in by_code["PANEL-004y"] and "rows 4" in by_code["PANEL-004y"]
    assert by_code["PANEL-005y"].endswith(": d")
    assert "(b)" in by_code["PANEL-007start"]
    assert "rows 10, 11, 12, 13, 14" in by_code["PANEL-006w"]
    assert "(b)" in by_code["PANEL-007gemeente"] and "rows 8" in by_code["PANEL-007gemeente"]


def per_rows(unit: str) -> list[int]:
    return [5 * UNITS.index(unit) + step for step in range(5)]


def test_rows_are_named_by_the_label_even_when_labels_repeat() -> None:
    frame = long()
    frame["y"] = frame["y"].astype(object)
    frame.loc[9, "y"] = "x"
    frame.index = [7] * len(frame)
    problem = the_problem(frame)
    assert problem.code == "PANEL-004" and problem.message.endswith("rows 7")
    assert read(long().set_axis([7] * 20)).y.shape == (4, 5)


def test_long_lists_of_rows_are_counted() -> None:
    assert "rows 0, 1, 2, 3, 4, 5, 6, 7 and 12 more" in problems(long(y="x"))[0].message


@pytest.mark.parametrize("text", ["x", ".", "-", "1,5", "never"])
def test_text_among_numbers_is_told_and_never_read(text: str) -> None:
    frame = long()
    frame["y"] = frame["y"].astype(object)
    frame.loc[2, "y"] = text
    problem = the_problem(frame)
    assert problem.code == "PANEL-004" and repr(text) in problem.message and "rows 2" in problem.message


def test_infinite_numbers_are_told() -> None:
    frame = long(w=1.0)
    frame.loc[2, "y"] = np.inf
    frame.loc[per_rows("b"), "w"] = np.inf
    first, second = problems(frame, weight="w")
    assert first.code == second.code == "PANEL-004"
    assert "rows 2" in first.message and "rows 5, 6, 7, 8, 9" in second.message


def test_dates_are_never_read_as_numbers() -> None:
    problem = the_problem(long(start=dates(long()["start"])))
    assert (problem.code, problem.path) == ("PANEL-004", "start")
    assert problems(long(y=dates(long()["year"])))[0].path == "y"


@pytest.mark.parametrize("start", ["never", ".", "2003q1", "x", "-99999999"])
def test_a_start_that_is_not_written_like_the_periods(start: str) -> None:
    """By the alphabet "never" would come after the last period and "." before the first."""
    frame = long(year=long()["year"].astype(str) + "Q1", start=per_unit(a="2003Q1", b=start, c="", d=""))
    problem = the_problem(frame)
    assert (problem.code, problem.path) == ("PANEL-004", "start")
    assert repr(start) in problem.message and "rows 5, 6, 7, 8, 9" in problem.message


def test_a_start_that_is_known_in_some_rows_only() -> None:
    frame = long()
    frame.loc[5, "start"] = np.nan
    assert the_problem(frame).code == "PANEL-007"


def test_treatment_that_ends_or_is_no_indicator() -> None:
    on = ((long()["unit"] == "a") & (long()["year"] == 2003)).astype(int)
    problem = the_problem(long(on=on), first_treated=None, treated="on")
    assert problem.code == "PANEL-008" and "rows 3, 4" in problem.message
    on.iloc[0] = 2
    assert {p.code for p in problems(long(on=on), first_treated=None, treated="on")} == {"PANEL-008"}


def test_blank_weights_clusters_and_areas_name_the_units() -> None:
    frame = long(
        w=per_unit(a=1, b=np.nan, c=1, d=1),
        gemeente=per_unit(a="G", b="G", c="", d="H"),
        wijk=per_unit(a="X", b=None, c=None, d=None),
    )
    found = problems(frame, weight="w", cluster="gemeente", area="wijk")
    assert [(p.code, p.path, p.message[-1]) for p in found] == [
        ("PANEL-006", "w", "b"),
        ("PANEL-006", "gemeente", "c"),
        ("PANEL-006", "wijk", "b"),
    ]


def test_an_area_has_one_start() -> None:
    problem = the_problem(long(wijk="X"), area="wijk")
    assert (problem.code, problem.path) == ("PANEL-009", "wijk") and problem.message.endswith("X")


def test_an_area_of_two_starts_that_was_assigned_is_not_compared_by_itself() -> None:
    """As cohorts it is fine, as an area it would have the start of whichever unit comes last."""
    panel = read(long())
    first = np.full(len(panel.units), np.inf)
    first[:2] = 1.0, 2.0
    mixed = panel.assign(first, np.where(np.isfinite(first), 0, -1), ("X",))
    assert len(mixed.group_names) == 2
    with pytest.raises(DataError, match="different periods: X") as raised:
        mixed.by_area()
    assert [problem.code for problem in raised.value.problems] == ["PANEL-009"]
    first[1] = 1.0
    assert panel.assign(first, np.where(np.isfinite(first), 0, -1), ("X",)).by_area().group_names == ("X",)


def test_dates_of_python_are_dates() -> None:
    frame = long(
        year=[dt.date(year, 7, 1) for _ in UNITS for year in YEARS],
        start=per_unit(a=dt.date(2003, 7, 1), b=dt.date(2003, 12, 1), c=None, d=None),
    )
    np.testing.assert_array_equal(read(frame).first, [2, 3, NEVER, NEVER])
