"""Periods in every spelling in which they occur, and the ones that nobody can tell apart."""

from __future__ import annotations

import pandas as pd
import pytest

from impact.sources.periods import read_period, read_periods, starred


def column(*texts):
    return pd.Series(list(texts), dtype=object)


@pytest.mark.parametrize(
    "text",
    ["2018/'19", "2018/19", "2018/2019", "2018-2019", "2018 / 2019", "2018 - 2019", "2018–2019", "2018/’19", "2018-19",
     "2018SJ00", "schooljaar 2018/2019", "Schooljaar 2018-2019", "schooljaar 2018-19", "2018/'19*", "2018/2019 **"],
)  # fmt: skip
def test_one_school_year(text):
    assert read_period(text) == ("2018/'19", "")
    assert list(read_periods(column(text))) == ["2018/'19"]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("2018-12", "2018-12"), ("2011-12", "2011-12"), ("schooljaar 2011-12", "2011/'12"), ("1999-2000", "1999/'00"),
        ("2017*", "2017"), ("2017**", "2017"), ("2017 (voorlopig)", "2017"), ("2023 (nader voorlopig)", "2023"),
        ("2019 januari", "2019-01"), ("2019 december*", "2019-12"), ("2019 2e kwartaal", "2019-K2"),
        ("2017JJ00", "2017"), ("2017MM03", "2017-03"), ("2017KW01", "2017-K1"),
    ],
)  # fmt: skip
def test_other_periods(text, label):
    assert read_period(text) == (label, "")


@pytest.mark.parametrize(
    "text", ["2018-20", "2018/2020", "2018/1919", "2018-2018", "2017***", "*", "(voorlopig)", "schooljaar 2018", "1899",
             "schooljaar", "2018-1", "2018/19/20", "2017 5e kwartaal", "2019 janvier"],
)  # fmt: skip
def test_what_is_no_period(text):
    label, why = read_period(text)
    assert (label, bool(why)) == ("", True)


def test_a_school_year_that_may_be_a_month_among_school_years():
    """2011-12 is December 2011 in a column of months and the school year 2011/'12 in a column of school years."""
    (found,) = read_periods(column("2010/'11", "2011-12", "2012-13", "2011-12"))
    assert (found.text, found.rows) == ("2011-12", (1, 3))
    assert "2011MM12" in found.why
    assert "2011/'12" in found.why
    assert len(read_periods(column("2009-10", "2010-11", "2011-12"))) == 3
    assert list(read_periods(column("2011-10", "2011-11", "2011-12"))) == ["2011-10", "2011-11", "2011-12"]
    assert list(read_periods(column("2011-12", "2011-12"))) == ["2011-12"] * 2
    assert list(read_periods(column("2010/'11", "2011MM12"))) == ["2010/'11", "2011-12"]


def test_provisional_periods_are_known():
    assert starred(column("2016", "2017*", "2018**", 2019, None, "2020 (voorlopig)", " 2021* ")).tolist() == [
        False, True, True, False, False, True, True,
    ]  # fmt: skip
