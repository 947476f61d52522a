"""Codes of gemeente, wijk and buurt, and the year whose division they belong to.

A code alone does not name an area: CBS re-uses codes for other areas (Almere WK003401 until 2021 and from 2022), so
what is compared over time carries its vintage. Since 2023 codes may hold letters (Amsterdam ``WK0363MA``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pandas as pd

from impact.errors import DataError, Problem
from impact.sources.values import BadText, Labels, read_each

__all__ = ["Level", "RegionKey", "gemeente_of", "gemeente_or_blank", "is_code", "level_of", "read_code", "read_codes"]


class Level(StrEnum):
    """Levels of the CBS division, from large to small."""

    LAND = "land"
    GEMEENTE = "gemeente"
    WIJK = "wijk"
    BUURT = "buurt"


_SHAPE = {
    Level.LAND: re.compile(r"NL\d\d"),
    Level.GEMEENTE: re.compile(r"GM\d{4}"),
    Level.WIJK: re.compile(r"WK\d{4}[0-9A-Z]{2}"),
    Level.BUURT: re.compile(r"BU\d{4}[0-9A-Z]{4}"),
}
_BARE = {Level.GEMEENTE: ("GM", 4, 0), Level.WIJK: ("WK", 6, 2), Level.BUURT: ("BU", 8, 4)}


def level_of(code: str) -> Level:
    """Level of a canonical code; ValueError for anything else."""
    for level, shape in _SHAPE.items():
        if shape.fullmatch(code):
            return level
    raise ValueError(f"{code!r} is not a region code such as GM0518, WK051833 or BU05183387")


def is_code(text: str) -> bool:
    """Whether a text is a canonical code."""
    return any(shape.fullmatch(text) for shape in _SHAPE.values())


def gemeente_of(code: str) -> str:
    """Code of the gemeente in which a gemeente, wijk or buurt lies: ``WK051833`` → ``GM0518``."""
    if level_of(code) is Level.LAND:
        raise ValueError(f"{code} is the whole country and lies in no gemeente")
    return "GM" + code[2:6]


def gemeente_or_blank(text: str) -> str:
    """As `gemeente_of`; "" for what is no code, or lies in no gemeente."""
    return "GM" + text[2:6] if is_code(text) and level_of(text) is not Level.LAND else ""


def _read(text: str, level: Level | None) -> tuple[str, str]:
    code = text.upper().removesuffix(".0")
    for found, shape in _SHAPE.items():
        if shape.fullmatch(code):
            wrong = level is not None and found is not level
            return ("", f"is a {found.value}, where a {level} was expected") if wrong else (code, "")
    if not re.fullmatch(r"\d[0-9A-Z]*", code):
        return "", "is not a region code such as GM0518, WK051833 or BU05183387"
    if level is None or level is Level.LAND:
        return "", "has no GM, WK or BU before it; state the level (gemeente, wijk or buurt)"
    prefix, width, tail = _BARE[level]
    whole = prefix + code.zfill(width)
    # Leading zeros get lost in spreadsheets and police files, never the digits that tell wijken apart.
    if len(code) > tail and _SHAPE[level].fullmatch(whole) and whole[2:6] != "0000":
        return whole, ""
    return "", f"does not fit the {width} positions of a {level.value} code"


def read_code(value: object, level: Level | None = None) -> str:
    """One code in canonical spelling.

    Read are ``'GM0363    '``, ``wk051833`` and, with a level, codes without letters in front and without leading zeros:
    ``48402``, ``51833.0``, ``363MA``.

    Raises
    ------
    DataError
        With code DATA-109, saying what is wrong.
    """
    code, why = _read(str(value).strip(), level)
    if why:
        raise DataError(Problem("DATA-109", f"{str(value).strip()!r} {why}."))
    return code


def read_codes(series: pd.Series[Any], level: Level | None = None) -> Labels | tuple[BadText, ...]:
    """A column of codes in canonical spelling, or every spelling that is none, with its rows."""
    return read_each(series, lambda text: _read(text, level))


@dataclass(frozen=True, slots=True, order=True)
class RegionKey:
    """A region as drawn in one year: canonical code and the year of the division."""

    code: str
    vintage: int

    def __post_init__(self) -> None:
        level_of(self.code)
        if not 1995 <= self.vintage <= 2100:
            raise ValueError(f"vintage {self.vintage} is not the year of a wijk and buurt division")

    @classmethod
    def parse(cls, text: str) -> RegionKey:
        """``WK051833@2024``."""
        code, _, vintage = text.partition("@")
        if not vintage.isdigit():
            raise ValueError(f"{text!r} does not name a code and a year such as WK051833@2024")
        return cls(code, int(vintage))

    def __str__(self) -> str:
        return f"{self.code}@{self.vintage}"

    @property
    def level(self) -> Level:
        """Level of the code."""
        return level_of(self.code)

    @property
    def gemeente(self) -> str:
        """Code of the gemeente in which the region lies."""
        return gemeente_of(self.code)
