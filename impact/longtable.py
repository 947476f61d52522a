"""From a long table to dense arrays: every problem at once, naming the rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from impact.arrays import Bool1, Float1, Float2, Int1
from impact.errors import DataError, Problem, raise_all
from impact.keys import Keys

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Columns", "Dense", "Reader", "as_names", "dense", "few", "missing_column"]


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column plays which part; see ``Panel.from_frame``."""

    unit: str
    time: str
    outcome: str
    first_treated: str | None = None
    treated: str | None = None
    covariates: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    cluster: str | None = None
    area: str | None = None
    residents: str | None = None
    weight: str | None = None
    se: str | None = None
    place: tuple[str, str] | None = None

    def named(self) -> tuple[str, ...]:
        """Every column that was named, once."""
        single = (
            self.unit,
            self.time,
            self.outcome,
            self.first_treated,
            self.treated,
            self.cluster,
            self.area,
            self.residents,
            self.weight,
            self.se,
        )
        return tuple(
            dict.fromkeys(
                name for name in (*single, *self.covariates, *self.series, *(self.place or ())) if name is not None
            )
        )


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """The table as arrays over `N` units and `T` periods, all in sorted order; text columns as codes and names."""

    units: tuple[str, ...]
    periods: tuple[str, ...]
    y: Float2
    first: Float1
    fixed: Mapping[str, Float1]
    varying: Mapping[str, Float2]
    labels: Mapping[str, tuple[Int1, tuple[str, ...]]]


def dense(df: pd.DataFrame, columns: Columns) -> Dense:
    """Read `df` by `columns`.

    Raises
    ------
    DataError
        ``PANEL-001`` to ``PANEL-010``, all at once.
    """
    missing = [missing_column(df, name) for name in columns.named() if name not in df.columns]
    twice = [name for name in columns.named() if (df.columns == name).sum() > 1]
    raise_all(
        [*missing, *(Problem("PANEL-001", f"there is more than one column {name!r}", "rename them") for name in twice)],
        DataError,
    )
    if (columns.first_treated is None) == (columns.treated is None):
        raise DataError(Problem("PANEL-001", "name exactly one of first_treated and treated"))
    if len(df) == 0:
        raise DataError(Problem("PANEL-001", "the table has no rows"))
    return Reader(df, columns).read()


class Reader:
    """Collects problems while the columns are read; used once."""

    def __init__(self, df: pd.DataFrame, columns: Columns) -> None:
        self.df, self.columns = df, columns
        self.problems: list[Problem] = []
        self.keys = self._keys()
        self.units, self.times = self.keys.units, self.keys.times
        self.numeric_time = np.asarray(self.times).dtype.kind in "iuf"
        self._sorts()
        self._stop()

    def read(self) -> Dense:
        c = self.columns
        self._duplicates()
        units = as_names(self.units)
        # Whole numbers that differ have names that differ.
        if np.asarray(self.units).dtype.kind not in "iu" and len(set(units)) < len(units):
            same = sorted(name for name, times in Counter(units).items() if times > 1)
            self._say("PANEL-002", c.unit, f"different values with one name: {few(same)}", "write units in one way")
        y = self._matrix(c.outcome)
        empty = np.flatnonzero(np.isnan(y).all(axis=1))
        if empty.size:
            self._say(
                "PANEL-005",
                c.outcome,
                f"{len(empty)} units have no observation at all: {few([units[unit] for unit in empty])}",
                "remove them, or complete their outcomes; they are never dropped silently",
            )
        first = self._indicator(c.treated) if c.treated is not None else self._start(cast("str", c.first_treated))
        fixed = {name: self._fixed(name) for name in (c.residents, c.weight, *(c.place or ())) if name is not None}
        for name in (c.residents, c.weight):
            if name is not None and (fixed[name] < 0).any():
                self._say("PANEL-006", name, f"negative values in rows {self._rows(self._numbers(name) < 0)}", "")
        varying = {name: self._matrix(name) for name in (*c.covariates, *c.series, c.se) if name is not None}
        labels = {name: self._labels(name) for name in (c.cluster, c.area) if name is not None}
        self._whole(fixed, labels, first)
        self._stop()
        return Dense(
            units,
            as_names(self.times),
            y,
            first,
            fixed,
            varying,
            labels,
        )

    def _sorts(self) -> None:
        """Periods that are text must sort in time: 2019-10 would stand before 2019-9."""
        if self.numeric_time:
            return
        forms: dict[str, dict[str, str]] = {}
        for label in as_names(self.times):
            forms.setdefault(re.sub(r"\d+", "0", label), {})[re.sub(r"\d", "0", label)] = label
        odd = [list(lengths.values()) for lengths in forms.values() if len(lengths) > 1]
        if odd:
            self._say(
                "PANEL-010",
                self.columns.time,
                f"periods of one form in several lengths ({few(odd[0])}) do not sort in time",
                "write them alike, as in 2019-09 and 2019-10",
            )

    # Columns ----------------------------------------------------------------------------------------------------

    def _keys(self) -> Keys:
        import pandas as pd

        unit, time = self.columns.unit, self.columns.time
        periods = self.df[time]
        if periods.dtype == object or pd.api.types.is_string_dtype(periods):
            # Numbers that came as text sort as numbers: 10 after 9.
            numbers = pd.to_numeric(periods, errors="coerce")
            if numbers.notna().all():
                periods = numbers
        keys = Keys(self.df[unit], periods)
        for name, codes in () if keys.ordered else ((unit, keys.unit), (time, keys.time)):
            if (codes < 0).any():
                self._say(
                    "PANEL-002", name, f"blank in rows {self._rows(codes < 0)}", "every row needs a unit and a period"
                )
        return keys

    def _numbers(self, name: str) -> Float1:
        """One column as floats; nan for blanks; text is a problem."""
        import pandas as pd

        column = self.df[name]
        if pd.api.types.is_numeric_dtype(column):
            return column.to_numpy(dtype=np.float64, na_value=np.nan)
        if pd.api.types.is_datetime64_any_dtype(column) or pd.api.types.is_timedelta64_dtype(column):
            # A clock would read as nanoseconds: a number, and a wrong one.
            self._say(
                "PANEL-004",
                name,
                "holds dates where numbers are needed",
                "convert it; a start is written as the periods are",
            )
            return np.full(len(column), np.nan)
        read = pd.to_numeric(column, errors="coerce")
        text = column.astype("string").str.strip()
        bad = (read.isna() & column.notna() & ~text.str.lower().isin(["", "nan"])).to_numpy(dtype=bool)
        if bad.any():
            examples = few([repr(value) for value in text[bad].unique()[:4]])
            self._say(
                "PANEL-004",
                name,
                f"not a number ({examples}) in rows {self._rows(bad)}",
                "read the file with impact's table readers, which know the marks of CBS, or clean the column",
            )
        return read.to_numpy(dtype=np.float64, na_value=np.nan)

    def _matrix(self, name: str) -> Float2:
        """(N, T), nan where there is no row."""
        grid = self.keys.matrix(self._numbers(name))
        if np.isinf(grid).any():
            self._say("PANEL-004", name, f"infinite in rows {self._rows(np.isinf(self._numbers(name)))}", "")
        grid.setflags(write=False)
        return grid

    def _fixed(self, name: str) -> Float1:
        numbers = self._numbers(name)
        self._constant(name, numbers)
        if np.isinf(numbers).any():
            self._say("PANEL-004", name, f"infinite in rows {self._rows(np.isinf(numbers))}", "")
        return self.keys.heads(numbers)

    def _labels(self, name: str) -> tuple[Int1, tuple[str, ...]]:
        """Codes over the sorted names, -1 for blank."""
        import pandas as pd

        column = self.df[name]
        if column.dtype == object or pd.api.types.is_string_dtype(column):
            column = column.astype("string").str.strip()
            column = column.mask(column == "", pd.NA)
        codes, values = pd.factorize(column, sort=True)
        self._constant(name, codes)
        return self.keys.heads(codes).astype(np.intp), as_names(values)

    def _constant(self, name: str, values: Any) -> None:
        """A column that is fixed within a unit must be; nan equals nan."""
        differs = self.keys.changes(values)
        if differs.any():
            units = [str(self.units[unit]) for unit in np.unique(self.keys.unit[differs])]
            self._say(
                "PANEL-007",
                name,
                f"changes within {len(units)} units ({few(units)}), first in rows {self._rows(differs)}",
                "one value per unit is needed; a unit's start of treatment and its cluster do not move",
            )

    # Treatment --------------------------------------------------------------------------------------------------

    def _start(self, name: str) -> Float1:
        """(N,) index of the first treated period; T and more after the last one, inf for never."""
        import pandas as pd

        column = self.df[name]
        if self.numeric_time:
            start = self._numbers(name)
            if self.keys.changes(start).any():  # blank and 0 are one start: never
                start = np.where(~np.isfinite(start) | (start == 0), np.inf, start)
                self._constant(name, start)
            start = self.keys.heads(start)
            never = ~np.isfinite(start) | (start == 0)
            index = np.searchsorted(np.asarray(self.times, dtype=np.float64), start).astype(np.float64)
        else:
            text = column.map(_period, na_action="ignore").astype("string").str.strip()
            blank = (text.isna() | text.isin(["", "0", "0.0", "inf", "nan"])).to_numpy(dtype=bool)
            codes, values = pd.factorize(text.mask(blank))
            self._constant(name, codes)
            labels = as_names(self.times)
            self._form(name, text, blank, labels)
            places = np.searchsorted(np.array(labels), np.array([str(value) for value in values], dtype=str))
            codes, never = self.keys.heads(codes), self.keys.heads(blank)
            index = np.append(places, 0)[codes].astype(np.float64)
        return np.where(never, np.inf, index)

    def _form(self, name: str, text: pd.Series[str], never: Bool1, labels: tuple[str, ...]) -> None:
        """A start must be written like the periods (or like their beginning), or its place among them means nothing."""
        forms = {re.sub(r"\d", "0", label) for label in labels}
        odd = [str(value) for value in text[~never].unique()]
        odd = [value for value in odd if not any(form.startswith(re.sub(r"\d", "0", value)) for form in forms)]
        if odd:
            self._say(
                "PANEL-004",
                name,
                f"not a period like {labels[0]!r} ({few([repr(value) for value in odd[:4]])}) "
                f"in rows {self._rows(text.isin(odd).to_numpy(dtype=bool) & ~never)}",
                "write the start as the periods are written; blank means never",
            )

    def _indicator(self, name: str) -> Float1:
        grid = self._matrix(name)
        odd = ~np.isin(grid, (0.0, 1.0)) & ~np.isnan(grid)
        if odd.any():
            self._say(
                "PANEL-008",
                name,
                "a treatment indicator holds other values than 0 and 1",
                "use first_treated for dates",
            )
        on = np.nan_to_num(grid) == 1
        begun = np.maximum.accumulate(on, axis=1)
        ended = begun & (grid == 0)
        if ended.any():
            rows = ended.reshape(-1)[self.keys.cell]
            self._say(
                "PANEL-008",
                name,
                f"treatment ends again in rows {self._rows(rows)}",
                "treatment must be absorbing: once treated, always treated",
            )
        return np.where(on.any(axis=1), on.argmax(axis=1).astype(np.float64), np.inf)

    # Whole table ------------------------------------------------------------------------------------------------

    def _duplicates(self) -> None:
        again = self.keys.again()
        if again.any():
            self._say(
                "PANEL-003",
                "",
                f"more than one row for the same unit and period: rows {self._rows(again)}",
                "keep one row per unit and period, or sum them first",
            )

    def _whole(
        self, fixed: Mapping[str, Float1], labels: Mapping[str, tuple[Int1, tuple[str, ...]]], first: Float1
    ) -> None:
        c = self.columns
        if c.weight is not None and np.isnan(fixed[c.weight]).any():
            self._say("PANEL-006", c.weight, f"blank for units {self._names(np.isnan(fixed[c.weight]))}", "")
        if c.cluster is not None and (labels[c.cluster][0] < 0).any():
            self._say("PANEL-006", c.cluster, f"blank for units {self._names(labels[c.cluster][0] < 0)}", "")
        if c.area is not None:
            codes = labels[c.area][0]
            lost = np.isfinite(first) & (codes < 0)
            if lost.any():
                self._say("PANEL-006", c.area, f"treated units without an area: {self._names(lost)}", "")
            mixed = [
                name
                for code, name in enumerate(labels[c.area][1])
                if len(np.unique(first[np.isfinite(first) & (codes == code)])) > 1
            ]
            if mixed:
                self._say(
                    "PANEL-009",
                    c.area,
                    f"areas whose units start at different periods: {few(mixed)}",
                    "give every start its own area",
                )

    def _names(self, units: Bool1) -> str:
        return few([str(self.units[unit]) for unit in np.flatnonzero(units)])

    def _rows(self, rows: Bool1) -> str:
        return few([str(row) for row in self.df.index[rows]], most=8)

    def _say(self, code: str, column: str, message: str, hint: str) -> None:
        self.problems.append(Problem(code, message, hint, path=column))

    def _stop(self) -> None:
        raise_all(dict.fromkeys(self.problems), DataError)


def missing_column(df: pd.DataFrame, name: str) -> Problem:
    from difflib import get_close_matches

    near = get_close_matches(name, [str(column) for column in df.columns], n=1)
    hint = (
        f"did you mean {near[0]!r}?"
        if near
        else f"the table has: {few([str(column) for column in df.columns], most=12)}"
    )
    return Problem("PANEL-001", f"there is no column {name!r}", hint)


def few(names: list[str], most: int = 5) -> str:
    tail = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + tail


def as_names(values: Any) -> tuple[str, ...]:
    """Values as text; whole numbers need no second look, and there may be many."""
    array = np.asarray(values)
    return tuple(map(repr, array.tolist()) if array.dtype.kind in "iu" else map(_period, values))


def _period(value: Any) -> str:
    """A period or name as text: 2004.0 and 2004 are one, a date has no clock."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    if hasattr(value, "isoformat"):
        return str(value.isoformat()).removesuffix("T00:00:00")
    return str(value)
