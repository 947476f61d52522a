"""A number and how it came to be: value + status, so that no cell is silently 0 or missing.

The symbols are those of Statistics Netherlands (CBS, "Verklaring van tekens"): ``.`` unknown, ``x`` secret, ``-`` nil,
nothing at all: cannot occur, ``*`` provisional; the Wijk- en Buurtkaart writes -99999999 (later -99997, -99995). Since
2013 KWB tables also hide secret cells behind ``.``, so "missing" never proves that nobody was counted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from impact.arrays import Bool1, Float1, frozen, require

__all__ = [
    "CBS",
    "NUMBERLESS",
    "STATUSES",
    "BadText",
    "Decimal",
    "Labels",
    "Marks",
    "Odd",
    "Status",
    "Values",
    "read_each",
    "read_numbers",
    "read_values",
    "rounding_sd",
]

Decimal: TypeAlias = Literal["auto", ",", "."]
Labels: TypeAlias = NDArray[np.object_]


class Status(StrEnum):
    """What is known about a cell; `suppressed`, `missing` and `impossible` give no number."""

    OK = "ok"
    MODELLED = "modelled"
    PROVISIONAL = "provisional"
    IMPOSSIBLE = "impossible"
    MISSING = "missing"
    SUPPRESSED = "suppressed"


STATUSES = tuple(Status)
"""Position = the small integer kept in `Values.status`; also the order of weight: a sum takes its heaviest status."""
NUMBERLESS = STATUSES.index(Status.IMPOSSIBLE)
"""Statuses at or beyond this position give no number."""
_CODE = {status: code for code, status in enumerate(STATUSES)}


@dataclass(frozen=True, slots=True)
class BadText:
    """One spelling that cannot be read, why, and the positions (0-based) where it stands."""

    text: str
    why: str
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Odd:
    """A cell of a workbook that is neither text nor number: what it shows, and why that is no value."""

    text: str
    why: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Marks:
    """Spellings that stand for a status; texts compare without outer spaces and without case.

    A mark that is itself a number (``-99999999``) is compared by value, so ``-99999999.0`` is found too. `nil` is the
    number 0; `provisional` are suffixes (``12,3*``). ``<10`` and the like are suppressed unless named otherwise.
    """

    suppressed: tuple[str, ...] = ("x",)
    missing: tuple[str, ...] = (".", "-99999999", "-99997", "-99995")
    impossible: tuple[str, ...] = ("",)
    nil: tuple[str, ...] = ("-",)
    provisional: tuple[str, ...] = ("**", "*")

    def override(self, **given: Sequence[str] | str) -> Marks:
        """These marks with the user's added; a spelling the user names loses the meaning it had before."""
        extra = {kind: (texts,) if isinstance(texts, str) else tuple(texts) for kind, texts in given.items()}
        unknown = set(extra) - set(self.__slots__)
        if unknown:
            raise TypeError(f"marks know {', '.join(self.__slots__)}; not {', '.join(sorted(unknown))}")
        claimed = {_fold(text) for texts in extra.values() for text in texts}
        kept = {
            kind: tuple(text for text in getattr(self, kind) if _fold(text) not in claimed) for kind in self.__slots__
        }
        return replace(self, **{kind: (*extra.get(kind, ()), *kept[kind]) for kind in self.__slots__})


CBS = Marks()


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """One column as read.

    Attributes
    ----------
    number : (n,) float array
        The value in the column's own unit; nan exactly where the status gives no number.
    status : (n,) int8 array
        Position in `STATUSES`.
    text : (n,) object array
        The cell as it stood in the file.
    nil : int
        How many cells are 0 because a mark for nil stood there.
    """

    number: Float1
    status: NDArray[np.int8]
    text: NDArray[np.object_]
    nil: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "number", frozen(self.number))
        object.__setattr__(self, "status", frozen(self.status, np.int8))
        object.__setattr__(self, "text", frozen(self.text, np.object_))
        require("status", self.status, (len(self.number),))
        require("text", self.text, (len(self.number),))
        if not np.array_equal(np.isnan(self.number), self.status >= NUMBERLESS):
            raise ValueError("a cell is nan exactly when its status gives no number")

    def __len__(self) -> int:
        return len(self.number)

    def has(self, status: Status) -> Bool1:
        """(n,) where the cells have `status`."""
        return np.asarray(self.status == _CODE[status])

    def counts(self) -> dict[Status, int]:
        """Number of cells per status, only statuses that occur."""
        counted = np.bincount(self.status, minlength=len(STATUSES))
        return {status: int(n) for status, n in zip(STATUSES, counted, strict=True) if n}


def _fold(text: str) -> str:
    return text.strip().casefold()


_NUMBER = re.compile(r"[+-]?(\d*)(?:([.,])(\d+))?(?:[eE][+-]?\d+)?")
_BELOW = re.compile(r"<\s*\d+")


def _parts(text: str) -> tuple[str, str, str] | None:
    """Digits before the sign, the sign ('' when none), digits after; None when `text` is no number."""
    found = _NUMBER.fullmatch(text)
    if found is None or not (found[1] or found[3]):
        return None
    return found[1], found[2] or "", found[3] or ""


def _decimal(texts: Iterable[str], decimal: Decimal) -> tuple[str, str]:
    """The decimal sign of a column and, when it cannot be known, why ('' otherwise)."""
    if decimal != "auto":
        return decimal, ""
    parts = [found for text in texts if (found := _parts(text)) is not None and found[1]]
    signs = {sign for _, sign, _ in parts}
    if len(signs) > 1:
        return "", "comma and point both occur in this column; state the decimal sign"
    if not signs:
        return ".", ""
    # 1.234 may be a thousand or a fraction; 0.234, 1.2 and 1234.5 can only be fractions.
    if all(len(after) == 3 and 1 <= len(before) <= 3 and before[0] != "0" for before, _, after in parts):
        return "", "may be a thousand or a fraction; state the decimal sign (thousands separators are not read)"
    return signs.pop(), ""


def _read_text(text: str, decimal: str, unclear: str) -> float | str:
    parts = _parts(text)
    if parts is None:
        return "is not a number"
    if parts[1]:
        if unclear:
            return unclear
        if parts[1] != decimal:
            return f"has '{parts[1]}' where the decimal sign is '{decimal}'; thousands separators are not read"
    value = float(text.replace(",", "."))
    return value if math.isfinite(value) else "is not a finite number"


def read_values(
    series: pd.Series[Any], *, decimal: Decimal = "auto", marks: Marks = CBS
) -> Values | tuple[BadText, ...]:
    """Read one column: every cell becomes a number or gets a status; what is neither is reported.

    Parameters
    ----------
    series : (n,) Series
        Text, numbers, or both mixed. Where the column holds numbers nothing is re-read; nan and None are `missing`,
        `Odd` cells are reported.
    decimal : {"auto", ",", "."}
        ``auto`` decides per column and only where there is no doubt: a column whose every fraction looks like ``1.234``
        is refused, since it may hold thousands.
    marks : Marks
        Spellings of the statuses; `CBS.override(...)` adds the user's.

    Returns
    -------
    Values or tuple of BadText
        The bad spellings, in order of first appearance, when there is any.
    """
    if _plain(series):
        return Values(*_numbers(series, marks), np.asarray(series, dtype=object))
    cells = np.asarray(series, dtype=object)
    codes, uniques = pd.factorize(cells, use_na_sentinel=True)
    spelled = _spelled(marks)
    by_value = _by_value(spelled)
    texts = [_without_suffix(_fold(cell), marks) if isinstance(cell, str) else None for cell in uniques]
    sign, unclear = _decimal((found[0] for found in texts if found is not None and found[0] not in spelled), decimal)

    # One place more than there are spellings: position -1 is the empty cell (nan, None), which stays `missing`.
    number, status_of = (
        np.full(len(uniques) + 1, math.nan),
        np.full(len(uniques) + 1, _CODE[Status.MISSING], dtype=np.int8),
    )
    nil: list[int] = []
    bad: list[tuple[int, str]] = []
    for i, (cell, found) in enumerate(zip(uniques, texts, strict=True)):
        read: float | str
        status = Status.OK
        if found is None:
            read = _read_number(cell)
        elif found[0] in spelled:
            read, status = spelled[found[0]]
            nil += [i] if status is Status.OK else []
        elif _BELOW.fullmatch(found[0]):
            read, status = math.nan, Status.SUPPRESSED
        else:
            read = _read_text(found[0], sign, unclear)
        if isinstance(read, str):
            bad.append((i, read))
            continue
        if read in by_value:
            read, status = by_value[read]
        if found is not None and found[1] and status is Status.OK:
            status = Status.PROVISIONAL
        number[i], status_of[i] = read, _CODE[status]
    if bad:
        return _bad_texts(codes, uniques, bad)
    return Values(number[codes], status_of[codes], cells, int(np.isin(codes, nil).sum()))


def read_numbers(series: pd.Series[Any], *, marks: Marks = CBS) -> Float1 | tuple[BadText, ...]:
    """The numbers of `read_values` alone, (n,) with nan for none; a column of numbers costs next to nothing."""
    if _plain(series):
        return _numbers(series, marks)[0]
    found = read_values(series, marks=marks)
    return found.number if isinstance(found, Values) else found


def _plain(series: pd.Series[Any]) -> bool:
    """Whether a column holds numbers and blanks, and nothing that must be read."""
    return series.dtype.kind in "iuf" and not np.isinf(series.to_numpy()).any()


def _numbers(series: pd.Series[Any], marks: Marks) -> tuple[Float1, NDArray[np.int8]]:
    """Numbers and statuses of a plain column: only the marks that are numbers are told apart."""
    number = series.to_numpy(dtype=np.float64, copy=True)
    status = np.full(len(number), _CODE[Status.OK], dtype=np.int8)
    status[np.isnan(number)] = _CODE[Status.MISSING]
    for value, (read, found) in _by_value(_spelled(marks)).items():
        at = number == value
        number[at], status[at] = read, _CODE[found]
    return number, status


def _by_value(spelled: dict[str, tuple[float, Status]]) -> dict[float, tuple[float, Status]]:
    """The marks that are numbers and stand for none."""
    return {float(text): found for text, found in spelled.items() if _parts(text) and found[1] is not Status.OK}


def _spelled(marks: Marks) -> dict[str, tuple[float, Status]]:
    """Number and status of every mark, by its folded text."""
    numberless = (
        (Status.SUPPRESSED, marks.suppressed),
        (Status.MISSING, marks.missing),
        (Status.IMPOSSIBLE, marks.impossible),
    )
    spelled = {_fold(text): (math.nan, status) for status, spellings in numberless for text in spellings}
    return spelled | {_fold(text): (0.0, Status.OK) for text in marks.nil}


def _without_suffix(text: str, marks: Marks) -> tuple[str, bool]:
    """The text without its mark for provisional, and whether it had one; a mark that stands alone is left as it is."""
    for suffix in sorted(marks.provisional, key=len, reverse=True):
        if suffix and text != suffix and text.endswith(suffix):
            return text.removesuffix(suffix).rstrip(), True
    return text, False


def _read_number(cell: object) -> float | str:
    if isinstance(cell, Odd):
        return cell.why
    if isinstance(cell, (int, float, np.integer, np.floating)) and not isinstance(cell, bool) and math.isfinite(cell):
        return float(cell)
    return "is not a number"


def _bad_texts(codes: NDArray[Any], uniques: Any, bad: list[tuple[int, str]]) -> tuple[BadText, ...]:
    return tuple(
        BadText("" if i < 0 else str(uniques[i]).strip(), why, tuple(np.flatnonzero(codes == i).tolist()))
        for i, why in bad
    )


def read_each(series: pd.Series[Any], read: Callable[[str], tuple[str, str]]) -> Labels | tuple[BadText, ...]:
    """Apply `read` (text → label, why not) to every different text of a column; numbers come as the shortest text.

    Empty cells and `Odd` ones are reported.
    """
    codes, uniques = pd.factorize(np.asarray(series.astype(object)), use_na_sentinel=True)
    labels = np.full(len(uniques), "", dtype=object)
    bad: list[tuple[int, str]] = [(-1, "is empty")] if (codes < 0).any() else []
    for i, cell in enumerate(uniques):
        text = str(int(cell)) if isinstance(cell, (float, np.floating)) and cell.is_integer() else str(cell).strip()
        labels[i], why = ("", cell.why) if isinstance(cell, Odd) else read(text) if text else ("", "is empty")
        bad += [(i, why)] if why else []
    return _bad_texts(codes, uniques, bad) if bad else frozen(labels[codes], np.object_)


def rounding_sd(base: float, kind: Literal["random", "nearest"]) -> float:
    """Standard deviation that rounding to multiples of `base` adds to a count.

    ``nearest``: base/√12 (a uniform error). ``random``: unbiased random rounding of whole counts, √((base² - 1)/6),
    which is 2.0 for base 5.
    """
    return base / math.sqrt(12) if kind == "nearest" else math.sqrt((base**2 - 1) / 6)
