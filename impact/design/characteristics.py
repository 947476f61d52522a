"""From a table with one row per unit to numbers that units can be compared by, and who of them is treated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from impact.arrays import Bool1, Float1, Float2, frozen, require
from impact.covariates import Given, coded, expand
from impact.design.strata import classes
from impact.errors import DataError, Problem, Refused, UsageError, raise_all
from impact.longtable import as_names, few, missing_column
from impact.terms import Spelled, read_terms

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Characteristics",
    "Cut",
    "Missing",
    "as_usage",
    "check_table",
    "is_number",
    "number_column",
    "one_of",
    "read_characteristics",
    "read_labels",
    "row_names",
    "treatment",
]

Missing = Literal["refuse", "indicator"]
Cut: TypeAlias = Mapping[str, int | Sequence[float]]
"""Columns of numbers with the number of their classes, or the points between them."""

_UNKNOWN = "unknown"  # the level of a category where its value is missing and that is asked for


@dataclass(frozen=True, slots=True, eq=False)
class Characteristics:
    """What units are compared by.

    Attributes
    ----------
    x : (n, p) float
        Every value known.
    names : (p,) tuple of str
    redundant : tuple of int
        Columns that follow from others: the first level of every category.
    notes : tuple of str
        What was filled in.
    """

    x: Float2
    names: tuple[str, ...]
    redundant: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", frozen(self.x))
        require("x", self.x, (None, len(self.names)))


def check_table(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Raise unless every one of `columns` is there once, and every row has a name of its own.

    Raises
    ------
    DataError
        ``PANEL-001`` for columns, ``MATCH-001`` for the index: all at once.
    """
    problems = [missing_column(frame, name) for name in dict.fromkeys(columns) if name not in frame.columns]
    problems += [
        Problem("PANEL-001", f"there is more than one column {name!r}", "rename them")
        for name in dict.fromkeys(columns)
        if (frame.columns == name).sum() > 1
    ]
    if not frame.index.is_unique:
        same = as_names(frame.index[frame.index.duplicated()].unique())
        problems.append(
            Problem("MATCH-001", f"the index has more than one row for {few([*same])}", "keep one row each")
        )
    raise_all(problems, DataError)


def row_names(frame: pd.DataFrame) -> tuple[str, ...]:
    """Names of the rows as text."""
    import pandas as pd

    return tuple(frame.index.tolist()) if isinstance(frame.index.dtype, pd.StringDtype) else as_names(frame.index)


def treatment(frame: pd.DataFrame, column: str) -> Bool1:
    """(n,) who is treated, from a column of true and false, or of 1 and 0.

    Raises
    ------
    DataError
        ``MATCH-002`` for other values or none.
    """
    values = number_column(frame, column)
    odd = ~np.isin(values, (0.0, 1.0))
    if odd.any():
        rows = few([str(row) for row in frame.index[odd]], most=8)
        raise DataError(
            Problem("MATCH-002", f"is neither 0 nor 1 in rows {rows}", "1 for treated, 0 for a control", path=column)
        )
    return np.asarray(values == 1.0)


def number_column(frame: pd.DataFrame, column: str) -> Float1:
    """(n,) a column as floats, nan where it is blank.

    Raises
    ------
    DataError
        ``MATCH-003`` for text, dates and infinities.
    """
    import pandas as pd

    given = frame[column]
    if pd.api.types.is_numeric_dtype(given):
        read = given.to_numpy(dtype=np.float64, na_value=np.nan)
        bad = np.isinf(read)
    elif pd.api.types.is_datetime64_any_dtype(given) or pd.api.types.is_timedelta64_dtype(given):
        read, bad = np.full(len(given), np.nan), np.ones(len(given), dtype=bool)
    else:
        text = given.astype("string").str.strip()
        numbers = pd.to_numeric(text, errors="coerce")
        read = numbers.to_numpy(dtype=np.float64, na_value=np.nan)
        blank = given.isna() | text.str.lower().isin(["", "nan"])
        bad = ~np.isfinite(read) & ~blank.to_numpy(dtype=bool, na_value=True)
    if bad.any():
        what = few([repr(value) for value in given[bad].astype(str).unique()[:4]])
        raise DataError(
            Problem(
                "MATCH-003",
                f"holds no number ({what}) in rows {few([str(row) for row in frame.index[bad]], most=8)}",
                f"clean the column; classes are written as {{'category': {column!r}}}",
                path=column,
            )
        )
    return read


def read_characteristics(
    frame: pd.DataFrame, on: Sequence[Spelled], treated: Bool1, *, fill: bool = False, role: str = ""
) -> Characteristics | Refused:
    """The columns that `on` spells.

    Parameters
    ----------
    frame : DataFrame
        One row per unit, named by the index.
    on : sequence of terms
        Columns of numbers, or logarithms, squares, categories and products of columns: see ``impact.terms``. A category
        gets a column for every level.
    treated : (n,) bool
        For what is said of categories.
    fill : bool
        Where a number is missing, put the mean of the others in its place and add a column that says where (one for
        columns that are missing together); where a category is missing, make that a level.
    role : str
        Column of the treatment, which cannot be a characteristic.

    Returns
    -------
    Characteristics, or Refused
        A refusal names who lacks what, unless `fill`.

    Raises
    ------
    UsageError, DataError
        ``TERM-`` for wrong spellings and values; ``PANEL-001`` and ``MATCH-003`` for columns.
    """
    terms = read_terms(on)
    check_table(frame, [name for term in terms for name in (*term.numbers, *term.categories)])
    coding = coded(frame, terms, {"treatment": role or None})
    raise_all(coding.problems, DataError)
    numbers = {name: number_column(frame, name) for term in terms for name in term.numbers}
    codes = {name: coding.frame[column].to_numpy(dtype=np.float64) for name, column in coding.names.items()}
    absent = {name: np.isnan(values) for name, values in (numbers | codes).items() if np.isnan(values).any()}
    units = row_names(frame)
    if absent and not fill:
        return _lacking(units, absent)
    extra = _filled(numbers, codes, absent)
    levels = {
        name: (*known, _UNKNOWN) if name in absent and name in codes else known for name, known in coding.levels.items()
    }
    given = Given(
        {name: values[:, None] for name, values in numbers.items()},
        {name: values[:, None] for name, values in codes.items()},
        levels,
        units,
        ("",),
        np.ones((len(units), 1), dtype=bool),
        ~treated,
    )
    columns, spread = expand(terms, given)
    x = {name: values[:, 0] for name, values in columns.items()}
    first = {one.column: one.reference for one in spread}
    redundant = []
    for term in terms:
        if term.kind == "category":
            name = f"{term.column}={first[term.column]}"
            x[name] = (codes[term.column] == 0).astype(np.float64)
            redundant.append(len(x) - 1)
    names = (*x, *extra)
    notes = tuple(
        f"{name} is missing for {int(gaps.sum())} units ({few([units[row] for row in np.flatnonzero(gaps)])}), and "
        + ("that counts as a level" if name in codes else "the mean of the others stands in, with a mark")
        for name, gaps in absent.items()
    )
    return Characteristics(np.column_stack([*x.values(), *extra.values()]), names, tuple(redundant), notes)


def _filled(numbers: dict[str, Float1], codes: dict[str, Float1], absent: dict[str, Bool1]) -> dict[str, Float1]:
    """Marks of where numbers are missing, one for numbers missing together; fills `numbers` and `codes` in."""
    marks: dict[bytes, tuple[list[str], Float1]] = {}
    for name, gaps in absent.items():
        if name in codes:
            codes[name] = np.where(gaps, np.nanmax(codes[name], initial=-1.0) + 1.0, codes[name])
        elif not gaps.all():
            numbers[name] = np.where(gaps, numbers[name][~gaps].mean(), numbers[name])
            marks.setdefault(gaps.tobytes(), ([], gaps.astype(np.float64)))[0].append(name)
    return {f"missing({', '.join(names)})": mark for names, mark in marks.values()}


def _lacking(units: Sequence[str], absent: dict[str, Bool1]) -> Refused:
    who = np.flatnonzero(np.logical_or.reduce(list(absent.values())))
    named = [f"{units[row]} ({', '.join(name for name, gaps in absent.items() if gaps[row])})" for row in who.tolist()]
    return Refused(
        "the comparison",
        f"{len(named)} units lack a characteristic: {few(named, most=20)}",
        "Complete the values, leave these units out by name with a reason, or say missing='indicator'; nothing is "
        "filled in by itself.",
    )


def read_labels(frame: pd.DataFrame, on: Sequence[str], cut: Cut, missing: Missing) -> list[Any] | Refused:
    """A label per unit for every column of `on`, in classes where `cut` says so; a gap is one only when asked."""
    labels: list[Any] = []
    for name in on:
        text = frame[name].astype("string").str.strip()
        absent = (frame[name].isna() | (text == "")).to_numpy(dtype=bool, na_value=True)
        if absent.any() and missing == "refuse":
            who = few([*as_names(frame.index[absent])], most=20)
            return Refused("the matching", f"{name} is missing for {who}", "Complete it, or say missing='indicator'.")
        if name in cut:
            values = number_column(frame, name)
            label = np.full(len(frame), -1, dtype=np.intp)
            label[~absent] = classes(values[~absent], cut[name])
        elif is_number(frame, name):
            label = np.where(absent, -1, np.unique(number_column(frame, name), return_inverse=True)[1])
        else:
            label = np.unique(text.fillna("").to_numpy(dtype=str), return_inverse=True)[1]
        labels.append(label)
    return labels


def is_number(frame: pd.DataFrame, name: str) -> bool:
    """Whether a column holds numbers (or true and false)."""
    import pandas as pd

    return bool(pd.api.types.is_numeric_dtype(frame[name]))


def one_of(what: str, given: object, allowed: Sequence[str], more: str = "") -> None:
    """Raise ``ValueError`` unless `given` is allowed."""
    if given not in allowed:
        raise ValueError(f"{what} {given!r} is not one of {', '.join(allowed)}{f', {more}' if more else ''}")


@contextmanager
def as_usage() -> Iterator[None]:
    """A parameter that cannot be is a ``UsageError`` (``USAGE-003``) for who called by name."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise UsageError(Problem("USAGE-003", str(error))) from error
