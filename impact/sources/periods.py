"""Years, school years, months and quarters in one spelling that sorts in time."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from impact.arrays import Bool1
from impact.sources.values import BadText, Labels, read_each

__all__ = ["read_period", "read_periods", "starred"]

_PERIODS = (
    (re.compile(r"(\d{4})(?:JJ00|\.0)?"), "{0}"),
    (re.compile(r"(\d{4})\s*/\s*['’‘]?(?:\d\d)?(\d\d)"), "{0}/'{1}"),
    (re.compile(r"(\d{4})SJ00"), "{0}/'{next}"),
    (re.compile(r"(\d{4})(?:MM|-)(0[1-9]|1[0-2])"), "{0}-{1}"),
    (re.compile(r"(\d{4})\s*[-–]\s*['’‘]?(?:\d\d)?(\d\d)"), "{0}/'{1}"),
    (re.compile(r"(\d{4})KW0([1-4])"), "{0}-K{1}"),
)
# The names that a StatLine export has in the place of codes.
_MONTHS = (
    "januari", "februari", "maart", "april", "mei", "juni",
    "juli", "augustus", "september", "oktober", "november", "december",
)  # fmt: skip
_MONTH = re.compile(rf"(\d{{4}}) ({'|'.join(_MONTHS)})", re.IGNORECASE)
_QUARTER = re.compile(r"(\d{4}) ([1-4])e kwartaal", re.IGNORECASE)
_MARK = re.compile(r"\s*(?:\*{1,2}|\((?:nader )?voorlopig\))$", re.IGNORECASE)
_SCHOOL = re.compile(r"schooljaar\s+", re.IGNORECASE)
_EITHER = re.compile(r"(\d{4})-(\d\d)")


def read_period(text: str) -> tuple[str, str]:
    """One period in one spelling, and why it is none ('' when it is).

    A mark for provisional (``2023*``, ``2023 (voorlopig)``) is no part of the label; see `starred`. Of ``2018-12`` and
    ``2018-19`` the first is a month, the second a school year; `read_periods` knows more.
    """
    plain = _MARK.sub("", text)
    school = _SCHOOL.match(plain)
    plain = plain[school.end() :] if school else plain
    plain = _MONTH.sub(lambda found: f"{found[1]}MM{_MONTHS.index(found[2].lower()) + 1:02d}", plain)
    plain = _QUARTER.sub(r"\1KW0\2", plain)
    # Whoever writes the word means no month.
    plain = _EITHER.sub(r"\1/\2", plain) if school else plain
    for pattern, label in _PERIODS:
        found = pattern.fullmatch(plain)
        if found is None:
            continue
        year, last = int(found[1]), found.lastindex == 2 and "/" in label
        following = f"{(year + 1) % 100:02d}"
        if not 1900 <= year <= 2100:
            return "", "is not a year between 1900 and 2100"
        if last and (found[2] != following or not _follows(plain, year)):
            return "", f"is not a school year; after {year} comes '{following}"
        if school and "/" not in label:
            return "", "is not a school year (2018/'19, 2018-2019, 2018SJ00)"
        return label.format(*found.groups(), next=following), ""
    return "", "is not a period (2017, 2018/'19, 2017-03, 2017JJ00, 2018SJ00, 2017MM03, 2017KW01)"


def _follows(text: str, year: int) -> bool:
    """Whether a second year in four digits is the next one: ``2018/1919`` is a slip."""
    second = re.search(r"\D(\d{4})$", text)
    return second is None or int(second[1]) == year + 1


def read_periods(series: pd.Series[Any]) -> Labels | tuple[BadText, ...]:
    """Periods in one spelling that sorts in time: ``2017``, ``2018/'19`` (school year), ``2017-03``, ``2017-K1``.

    ``2011-12`` is a month, unless the column speaks of school years: then, or when every cell may be either
    (``2009-10``, ``2010-11``), it is reported, for a guess would move figures by years.
    """
    texts = {_MARK.sub("", text): label for text, label in _labels(series).items()}
    either = {
        text for text in texts if (found := _EITHER.fullmatch(text)) and (int(found[1]) + 1) % 100 == int(found[2])
    }
    either = {text for text in either if "/" not in texts[text]}
    rest = {label for text, label in texts.items() if text not in either and label}
    unclear = either if all("/" in label for label in rest) and (rest or len(either) > 1) else set()

    def read(text: str) -> tuple[str, str]:
        plain = _MARK.sub("", text)
        if plain not in unclear:
            return read_period(text)
        year, last = plain.split("-")
        return "", f"may be a month or a school year; write {year}MM{last} or {year}/'{last}"

    return read_each(series, read)


def _labels(series: pd.Series[Any]) -> dict[str, str]:
    """Every different text of a column with its label, '' when it has none."""
    return {text: read_period(text)[0] for text in (str(cell).strip() for cell in series.astype(object).unique())}


def starred(series: pd.Series[Any]) -> Bool1:
    """(n,) where a period is marked as provisional, as in ``2023*``, ``2023**`` and ``2023 (voorlopig)``."""
    codes, uniques = pd.factorize(np.asarray(series.astype(object)), use_na_sentinel=True)
    # Position -1 is the empty cell.
    return np.array([*(bool(_MARK.search(str(cell).strip())) for cell in uniques), False])[codes]
