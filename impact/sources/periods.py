"""Years, school years, months and quarters in one spelling that sorts in time."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from impact.sources.values import BadText, Labels, read_each

__all__ = ["read_period", "read_periods"]

_PERIODS = (
    (re.compile(r"(\d{4})(?:JJ00|\.0)?"), "{0}"),
    (re.compile(r"(\d{4})/'?(?:\d\d)?(\d\d)"), "{0}/'{1}"),
    (re.compile(r"(\d{4})SJ00"), "{0}/'{next}"),
    (re.compile(r"(\d{4})(?:MM|-)(0[1-9]|1[0-2])"), "{0}-{1}"),
    (re.compile(r"(\d{4})KW0([1-4])"), "{0}-K{1}"),
)


def read_period(text: str) -> tuple[str, str]:
    """One period in one spelling, and why it is none ('' when it is)."""
    for pattern, label in _PERIODS:
        found = pattern.fullmatch(text)
        if found is None:
            continue
        year = int(found[1])
        following = f"{(year + 1) % 100:02d}"
        if not 1900 <= year <= 2100:
            return "", "is not a year between 1900 and 2100"
        if "/" in label and found.lastindex == 2 and found[2] != following:
            return "", f"is not a school year; after {year} comes '{following}"
        return label.format(*found.groups(), next=following), ""
    return "", "is not a period (2017, 2018/'19, 2017-03, 2017JJ00, 2018SJ00, 2017MM03, 2017KW01)"


def read_periods(series: pd.Series[Any]) -> Labels | tuple[BadText, ...]:
    """Periods in one spelling that sorts in time: ``2017``, ``2018/'19`` (school year), ``2017-03``, ``2017-K1``."""
    return read_each(series, read_period)
