"""Every cell of a column is a number, has a status, or is reported: never a silent 0, never a silent nan."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impact.sources.periods import read_periods
from impact.sources.values import CBS, NUMBERLESS, STATUSES, BadText, Status, Values, read_values, rounding_sd

cells = st.one_of(
    st.none(),
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(-(10**9), 10**9),
    st.text(alphabet="0123456789.,-+*x<eE ", max_size=9),
    st.sampled_from([".", "x", "-", "", "-99999999", "         .", "5,0", "12,5*", "<10", "n.b.", "1.234"]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(cells, max_size=12), st.sampled_from(["auto", ",", "."]))
def test_every_cell_is_accounted_for(column, decimal):
    read = read_values(pd.Series(column, dtype=object), decimal=decimal)
    if isinstance(read, Values):
        assert len(read) == len(column)
        assert np.array_equal(np.isnan(read.number), read.status >= NUMBERLESS)
        assert np.isfinite(read.number[~np.isnan(read.number)]).all()
        zeros = [str(cell).strip() for cell, value in zip(column, read.number, strict=True) if value == 0]
        assert all("0" in text or text.startswith("-") or _tiny(text) for text in zeros)
    else:
        assert read
        rows = [row for bad in read for row in bad.rows]
        assert len(set(rows)) == len(rows)
        assert all(str(column[row]).strip() == bad.text for bad in read for row in bad.rows)


def _tiny(text: str) -> bool:
    """A text that underflows to 0, such as 1e-999."""
    return "e-" in text.lower()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6).map(lambda value: round(value, 2)), min_size=1, max_size=20))
def test_decimal_comma_and_point_read_alike(numbers):
    point = read_values(pd.Series([f"{value:.2f}" for value in numbers]))
    comma = read_values(pd.Series([f"  {value:.2f}".replace(".", ",") for value in numbers]))
    assert isinstance(point, Values)
    assert isinstance(comma, Values)
    assert np.array_equal(point.number, numbers)
    assert np.array_equal(comma.number, numbers)


@settings(max_examples=100, deadline=None)
@given(st.lists(cells, min_size=1, max_size=10), st.randoms())
def test_order_of_the_rows_does_not_matter(column, random):
    order = list(range(len(column)))
    random.shuffle(order)
    there, back = (read_values(pd.Series(list(part), dtype=object)) for part in (column, [column[i] for i in order]))
    assert type(there) is type(back)
    if isinstance(there, Values) and isinstance(back, Values):
        assert np.array_equal(there.number[order], back.number, equal_nan=True)
        assert np.array_equal(there.status[order], back.status)


CASES = [
    ("5", 5.0, Status.OK),
    ("  457400", 457400.0, Status.OK),
    ("-0,1", -0.1, Status.OK),
    ("+2,50", 2.5, Status.OK),
    (".", math.nan, Status.MISSING),
    ("         .", math.nan, Status.MISSING),
    ("x", math.nan, Status.SUPPRESSED),
    ("X ", math.nan, Status.SUPPRESSED),
    ("<10", math.nan, Status.SUPPRESSED),
    ("< 5", math.nan, Status.SUPPRESSED),
    ("-", 0.0, Status.OK),
    ("", math.nan, Status.IMPOSSIBLE),
    ("   ", math.nan, Status.IMPOSSIBLE),
    ("-99999999", math.nan, Status.MISSING),
    ("-99999999,0", math.nan, Status.MISSING),
    ("-99997", math.nan, Status.MISSING),
    ("12,5*", 12.5, Status.PROVISIONAL),
    ("12**", 12.0, Status.PROVISIONAL),
    (None, math.nan, Status.MISSING),
    (-99999999, math.nan, Status.MISSING),
    (4440, 4440.0, Status.OK),
]


def test_the_spellings_of_cbs():
    read = read_values(pd.Series([cell for cell, _, _ in CASES], dtype=object))
    assert isinstance(read, Values)
    for i, (cell, number, status) in enumerate(CASES):
        assert STATUSES[read.status[i]] is status, cell
        assert read.number[i] == number or (math.isnan(number) and math.isnan(read.number[i])), cell
    assert read.nil == 1
    assert read.text[1] == "  457400"
    assert sum(read.counts().values()) == len(CASES)


def test_marks_of_the_user_come_first():
    marks = CBS.override(suppressed=["-", "0"], provisional="(v)")
    read = read_values(pd.Series(["-", "0", ".", "7(v)", "8*"]), marks=marks)
    assert isinstance(read, Values)
    assert [STATUSES[code].value for code in read.status] == [
        "suppressed", "suppressed", "missing", "provisional", "provisional",
    ]  # fmt: skip
    assert read.nil == 0
    with pytest.raises(TypeError, match="secret"):
        CBS.override(secret=["x"])


def bad(column: list[object], **options: object) -> tuple[BadText, ...]:
    read = read_values(pd.Series(column, dtype=object), **options)
    assert not isinstance(read, Values)
    return read


def test_thousands_are_never_guessed():
    (found,) = bad(["12", "1.234"])
    assert found.rows == (1,)
    assert "state the decimal sign" in found.why
    (found,) = bad(["5,0", "1.234"], decimal=",")
    assert "thousands separators are not read" in found.why
    assert bad(["1.234,5"])[0].why == "is not a number"
    assert {found.text for found in bad(["5,0", "5.5"])} == {"5,0", "5.5"}
    stated = read_values(pd.Series(["1.234"]), decimal=".")
    assert isinstance(stated, Values)
    assert stated.number[0] == 1.234
    fraction = read_values(pd.Series(["  -0.100", "   1.010"]))
    assert isinstance(fraction, Values)
    assert fraction.number.tolist() == [-0.1, 1.01]


def test_what_cannot_be_read_is_named_with_every_row():
    found = bad(["1", "onbekend", "2", "onbekend", "*", math.inf, True])
    assert [(cell.text, cell.rows) for cell in found] == [
        ("onbekend", (1, 3)), ("*", (4,)), ("inf", (5,)), ("True", (6,)),
    ]  # fmt: skip


def test_numbers_are_left_alone_and_nan_is_missing():
    read = read_values(pd.Series([1.5, math.nan, -99999999.0]))
    assert isinstance(read, Values)
    assert [STATUSES[code].value for code in read.status] == ["ok", "missing", "missing"]


def test_a_number_and_its_status_cannot_disagree():
    with pytest.raises(ValueError, match="nan exactly"):
        Values(np.array([math.nan]), np.array([0], dtype=np.int8), np.array([""], dtype=object))
    read = read_values(pd.Series(["1"]))
    assert isinstance(read, Values)
    with pytest.raises(ValueError, match="read-only"):
        read.number[0] = 2


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("2017", "2017"), (2017, "2017"), (2017.0, "2017"), (" 2023JJ00", "2023"), ("2018/'19", "2018/'19"),
        ("2018/19", "2018/'19"), ("2018/2019", "2018/'19"), ("2019SJ00", "2019/'20"), ("1999/'00", "1999/'00"),
        ("2017-03", "2017-03"), ("2017MM03", "2017-03"), ("2017KW01", "2017-K1"),
    ],
)  # fmt: skip
def test_periods(text, label):
    assert list(read_periods(pd.Series([text], dtype=object))) == [label]


@pytest.mark.parametrize("text", ["17", "2018/'20", "2017-13", "", None, "0017", "1-1-2025"])
def test_what_is_no_period(text):
    (found,) = read_periods(pd.Series([text], dtype=object))
    assert isinstance(found, BadText)
    assert found.rows == (0,)


def test_rounding_to_five_by_brute_force():
    counts, base = np.arange(1000), 5
    chance = counts % base / base
    variance = chance * (base - counts % base) ** 2 + (1 - chance) * (counts % base) ** 2
    assert rounding_sd(base, "random") == pytest.approx(math.sqrt(variance.mean()))
    grid = (np.arange(100_000) + 0.5) / 100_000 * base - base / 2
    assert rounding_sd(base, "nearest") == pytest.approx(grid.std(), rel=1e-6)
