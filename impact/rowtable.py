"""From a table with one row per observation to arrays: every problem at once, naming the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from impact.arrays import Bool1, Float1, Int1, renumbered
from impact.errors import DataError, Problem, raise_all
from impact.longtable import Columns, Reader, as_names, few, missing_column

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Observed", "observed"]


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """The table as arrays over `n` rows, in their order; see ``Sample``. `first` is 0 or less for a start in the first
    period, and `cluster` is None where none was named."""

    y: Float1
    period: Int1
    periods: tuple[str, ...]
    rows: tuple[str, ...]
    first: Float1
    weight: Float1
    residents: Float1 | None
    covariates: Mapping[str, Float1]
    cluster: tuple[Int1, tuple[str, ...]] | None
    area: Int1
    areas: tuple[str, ...]


def observed(df: pd.DataFrame, columns: Columns) -> Observed:
    """Read `df` by `columns`, in which the unit plays no part.

    Raises
    ------
    DataError
        ``PANEL-001``, ``-002``, ``-004``, ``-006``, ``-007`` and ``-009``, all at once.
    """
    missing = [missing_column(df, name) for name in columns.named() if name not in df.columns]
    twice = [name for name in columns.named() if (df.columns == name).sum() > 1]
    missing += [Problem("PANEL-001", f"there is more than one column {name!r}", "rename them") for name in twice]
    raise_all(missing, DataError)
    if len(df) == 0:
        raise DataError(Problem("PANEL-001", "the table has no rows"))
    return _Rows(df, columns).read_rows()


class _Rows(Reader):
    """The reader of long tables with every row a unit of its own."""

    def __init__(self, df: pd.DataFrame, columns: Columns) -> None:
        # A column that tells the rows apart, under a name that the table does not have.
        name = "row"
        while name in df.columns:
            name += "_"
        super().__init__(df.assign(**{name: np.arange(len(df))}), replace(columns, unit=name))

    def read_rows(self) -> Observed:
        """The table, or every problem at once."""
        c = self.columns
        y = self._number(c.outcome)
        self._filled(c.outcome, np.isnan(y), "a row without an outcome says nothing; remove it")
        first = self._start(cast("str", c.first_treated))
        fixed = {name: self._number(name) for name in (c.residents, c.weight) if name is not None}
        for name, values in fixed.items():
            if (values < 0).any():
                self._say("PANEL-006", name, f"negative values in rows {self._rows(values < 0)}", "")
        if c.weight is not None:
            self._filled(c.weight, np.isnan(fixed[c.weight]), "")
        covariates = {name: self._number(name) for name in c.covariates}
        labels = {name: self._labels(name) for name in (c.cluster, c.area) if name is not None}
        if c.cluster is not None:
            self._filled(c.cluster, labels[c.cluster][0] < 0, "")
        area, areas = self._areas(first, labels)
        if c.residents is not None:
            self._one_number(c.residents, fixed[c.residents], area, areas)
        self._stop()
        rows = as_names(self.df.index)
        return Observed(
            y=y,
            period=np.asarray(self.keys.time, dtype=np.intp),
            periods=as_names(self.times),
            rows=rows if len(set(rows)) == len(rows) else tuple(map(str, range(len(rows)))),
            first=first,
            weight=np.ones(len(y)) if c.weight is None else fixed[c.weight],
            residents=None if c.residents is None else fixed[c.residents],
            covariates=covariates,
            cluster=None if c.cluster is None else labels[c.cluster],
            area=area,
            areas=areas,
        )

    def _number(self, name: str) -> Float1:
        """One column as floats, one a row; nan for blanks."""
        numbers = self._numbers(name)
        if np.isinf(numbers).any():
            self._say("PANEL-004", name, f"infinite in rows {self._rows(np.isinf(numbers))}", "")
        return numbers

    def _filled(self, name: str, blank: Bool1, hint: str) -> None:
        if blank.any():
            self._say("PANEL-006", name, f"blank in rows {self._rows(blank)}", hint)

    def _areas(self, first: Float1, labels: Mapping[str, Any]) -> tuple[Int1, tuple[str, ...]]:
        """(n,) area of every treated row, -1 for the others; without areas, those that start together are one."""
        name = self.columns.area
        if name is None:
            starts, codes = np.unique(first, return_inverse=True)
            names = tuple(self._started(start) for start in starts)
        else:
            codes, names = labels[name]
            self._filled(name, np.isfinite(first) & (codes < 0), "every treated row needs the area it lies in")
            inside = np.isfinite(first) & (codes >= 0)
            mixed = [
                names[code] for code in np.unique(codes[inside]) if len(np.unique(first[inside & (codes == code)])) > 1
            ]
            if mixed:
                self._say(
                    "PANEL-009",
                    name,
                    f"areas whose rows start at different periods: {few(mixed)}",
                    "give every start its own area",
                )
        return renumbered(np.where(np.isfinite(first), codes, -1).astype(np.intp), names)

    def _started(self, start: float) -> str:
        labels = as_names(self.times)
        return "" if np.isinf(start) else f"start {labels[int(start)] if start < len(labels) else 'after the last'}"

    def _one_number(self, name: str, residents: Float1, area: Int1, areas: tuple[str, ...]) -> None:
        """The residents of an area are one number."""
        mixed = [areas[code] for code in np.unique(area[area >= 0]) if len(np.unique(residents[area == code])) > 1]
        if mixed:
            self._say(
                "PANEL-007",
                name,
                f"changes within {len(mixed)} areas ({few(mixed)})",
                "one number per area is needed: its residents at a fixed baseline",
            )
