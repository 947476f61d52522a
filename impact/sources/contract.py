"""What a table must look like, and every way in which it does not, said at once.

Codes of the problems of a table (stable; also used by `tables` and `rows`):

========  ==========================================================
DATA-101  the file is absent or cannot be read
DATA-102  the file is larger than the stated size
DATA-103  the separator cannot be told
DATA-104  header and rows do not fit each other
DATA-105  no rows
DATA-106  the digest differs from the one that was stated
DATA-107  a column is missing
DATA-108  a cell of a number column holds something else
DATA-109  a region cannot be read
DATA-110  a period cannot be read
DATA-111  a region occurs more than once in a period
DATA-112  a value to filter on never occurs
DATA-113  a sum adds up fewer or more rows than usual in its region
DATA-116  the sheet of a workbook cannot be told, or is not there
DATA-119  cells of a workbook that hold no value of their own
========  ==========================================================

The gaps are problems of a study; see `impact.study`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from impact.arrays import Int1
from impact.errors import Problem
from impact.sources.frame import Places, listed
from impact.sources.periods import read_periods
from impact.sources.regions import Level, read_codes
from impact.sources.values import CBS, BadText, Decimal, Labels, Marks, Values, read_each, read_values

__all__ = [
    "Column",
    "Contract",
    "Kind",
    "Read",
    "check_key",
    "check_table",
    "check_whole",
    "listed",
    "near",
    "read_columns",
]


class Kind(StrEnum):
    """What the cells of a column are."""

    CODE = "code"
    PERIOD = "period"
    NUMBER = "number"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its name in the file and what it holds.

    `decimal`, `marks` and `unit` speak of numbers; `level` of codes. A text may not be empty.
    """

    name: str
    kind: Kind
    required: bool = True
    unit: str = ""
    decimal: Decimal = "auto"
    marks: Marks = CBS
    level: Level | None = None


@dataclass(frozen=True, slots=True)
class Contract:
    """The columns a table must have, the two that together name a row (region, period), and its digest when stated."""

    columns: tuple[Column, ...]
    key: tuple[str, str] | None = None
    sha256: str | None = None

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names) or not set(self.key or ()) <= set(names):
            raise ValueError("columns have different names, and the key is two of them")


Read: TypeAlias = Values | Labels
_CELL = {Kind.CODE: "DATA-109", Kind.PERIOD: "DATA-110", Kind.NUMBER: "DATA-108", Kind.TEXT: "DATA-109"}
_NAMES = (
    "The column lists names without codes, and names repeat between gemeenten ('Centrum', 'Noord'): export the table "
    "again with codes (in StatLine the topic 'Codering', or the raw data)."
)
_HOLDS = {Kind.CODE: "region codes", Kind.PERIOD: "periods", Kind.NUMBER: "numbers", Kind.TEXT: "names"}


def near(name: str, known: Iterable[str]) -> str:
    """The known name that looks most like `name`, without regard to case; '' when none does."""
    folded = {other.casefold(): other for other in known}
    close = get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    return folded[close[0]] if close else ""


def check_whole(frame: pd.DataFrame, contract: Contract, file: str, sha256: str = "") -> tuple[Problem, ...]:
    """Problems of the table as a whole: its digest, no rows, columns that are not there."""
    problems: list[Problem] = []
    if contract.sha256 and sha256 and contract.sha256.lower() != sha256:
        problems.append(
            Problem(
                "DATA-106",
                f"the file is not the one that was stated: sha256 is {sha256}, stated was {contract.sha256}.",
                "If the new file is right, state its sha256; if not, fetch the old one.",
                file,
            )
        )
    if frame.empty:
        problems.append(Problem("DATA-105", "the table has no rows.", file=file))
    names = [str(name) for name in frame.columns]
    for column in contract.columns:
        if (column.required or column.name in (contract.key or ())) and column.name not in names:
            close = near(column.name, names)
            hint = f"Did you mean '{close}'?" if close else f"Columns are {listed(names, 12)}."
            problems.append(Problem("DATA-107", f"column '{column.name}' is missing.", hint, file, path=column.name))
    return tuple(problems)


def read_columns(
    frame: pd.DataFrame, contract: Contract, rows: Int1 | Places, file: str
) -> tuple[Mapping[str, Read], tuple[Problem, ...]]:
    """Read every column of the contract that the table has.

    Parameters
    ----------
    frame : DataFrame of n rows
        Any columns, in any order.
    contract : Contract
        What they must hold.
    rows : Places or (n,) int array
        Where the rows stand, as `Table.places`; row numbers as a spreadsheet counts them.
    file : str
        Name for the messages.

    Returns
    -------
    columns : mapping from column name to Values (numbers) or (n,) array of labels
        Only the columns that could be read.
    problems : tuple of Problem
        One per column and reason, with the cells of a workbook or else the rows; empty when all is well.
    """
    places = _places(rows)
    read: dict[str, Read] = {}
    problems: list[Problem] = []
    for column in contract.columns:
        if column.name not in frame.columns:
            continue
        found = _read(frame[column.name], column)
        if isinstance(found, tuple):
            problems += _cell_problems(found, column, places, file)
        else:
            read[column.name] = found
    return read, tuple(problems)


def _places(rows: Int1 | Places) -> Places:
    return rows if isinstance(rows, Places) else Places(rows)


def _read(series: pd.Series[Any], column: Column) -> Read | tuple[BadText, ...]:
    match column.kind:
        case Kind.CODE:
            return read_codes(series, column.level)
        case Kind.PERIOD:
            return read_periods(series)
        case Kind.NUMBER:
            return read_values(series, decimal=column.decimal, marks=column.marks)
        case Kind.TEXT:
            return read_each(series, lambda text: (text, ""))


def _cell_problems(bad: tuple[BadText, ...], column: Column, places: Places, file: str) -> list[Problem]:
    hint = _NAMES if column.kind is Kind.CODE and _mostly_words(bad, len(places.rows)) else ""
    by_reason: dict[str, list[BadText]] = {}
    for cell in bad:
        by_reason.setdefault(cell.why, []).append(cell)
    problems = []
    for why, cells in by_reason.items():
        at = [row for cell in cells for row in cell.rows]
        what = listed([f"'{cell.text}'" for cell in cells], 3)
        where = places.name(at, column.name)
        reason = why if len(cells) == 1 else f"(each) {why}"
        problems.append(
            Problem(
                _CELL[column.kind],
                f"column '{column.name}' must hold {_HOLDS[column.kind]}; {what} in {where} {reason}.",
                hint,
                file,
                int(places.of(column.name)[at].min()),
                path=column.name,
            )
        )
    return problems


def _mostly_words(bad: tuple[BadText, ...], n: int) -> bool:
    """Whether more than half of the `n` cells hold a name: words without a digit."""
    return 2 * sum(len(cell.rows) for cell in bad if re.fullmatch(r"[^\d]*[^\W\d_][^\d]*", cell.text)) > n


def check_key(
    frame: pd.DataFrame, contract: Contract, read: Mapping[str, Read], rows: Int1 | Places, file: str
) -> tuple[Problem, ...]:
    """Regions that occur more than once in a period; a key column that could not be read counts as it is spelled."""
    places = _places(rows)
    if contract.key is None or not set(contract.key) <= set(frame.columns):
        return ()
    labels = {}
    for name in contract.key:
        column = read.get(name)
        labels[name] = frame[name].astype(str).str.strip().to_numpy(object) if column is None else np.asarray(column)
    keys = pd.DataFrame(labels)
    twice = keys.duplicated(keep=False)
    if not twice.any():
        return ()
    region, period = contract.key
    at = np.flatnonzero(twice)
    groups = pd.Series(at).groupby([keys.loc[twice, name].to_numpy() for name in contract.key], sort=False)
    named = [f"{code} {label} ({places.name(same, region)})" for (code, label), same in groups]
    return (
        Problem(
            "DATA-111",
            f"each {region} may occur once in each {period}; more than once: {listed(named)}.",
            "Delete the surplus rows, or filter and add up with `rows:`.",
            file,
            int(places.of(region)[at[0]]),
            path=region,
        ),
    )


def check_table(
    frame: pd.DataFrame, contract: Contract, file: str, *, sha256: str = "", rows: Sequence[int] | Places | None = None
) -> tuple[Problem, ...]:
    """Every problem of a table at once; empty when it keeps the contract.

    Parameters
    ----------
    frame : DataFrame of n rows
        As `tables.read_table` gives it; the order of the columns does not matter and others are left alone.
    contract : Contract
        What it must look like.
    file : str
        Name for the messages.
    sha256 : str
        Digest of the file, compared with the contract's.
    rows : Places or (n,) sequence of int, optional
        Row numbers as a spreadsheet counts them; by default a header in row 1 and data from row 2.
    """
    if rows is None:
        rows = range(2, len(frame) + 2)
    at = rows if isinstance(rows, Places) else Places(np.asarray(rows, dtype=np.intp))
    read, problems = read_columns(frame, contract, at, file)
    return (*check_whole(frame, contract, file, sha256), *problems, *check_key(frame, contract, read, at, file))
