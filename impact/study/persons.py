"""The table of a study of who stayed, came and left, by region and period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from impact.arrays import Float2
from impact.errors import Problem
from impact.evidence.record import DataFile
from impact.sources.contract import Column, Contract, Kind
from impact.sources.rows import Long, read_long
from impact.sources.tables import Table, read_table

__all__ = ["NAMES", "Persons", "read_persons"]

_PEOPLE: Final = ("stayers", "arrivers", "leavers")
NAMES: Final = (*_PEOPLE, "stayers_before", "stayers_after", "arrivers_after", "leavers_before")
"""Numbers of people, and their means."""


@dataclass(frozen=True, slots=True, eq=False)
class Persons:
    """Numbers and means by region and period, and the file that they stand in."""

    rows: Mapping[tuple[str, str], Mapping[str, float]]
    file: DataFile

    def grid(self, name: str, units: Sequence[str], periods: Sequence[str]) -> Float2:
        """(N, P) one of `NAMES`; nan where there is none."""
        return np.array([[self.rows.get((unit, period), {}).get(name, np.nan) for period in periods] for unit in units])


def read_persons(path: Path, file: str, problems: list[Problem]) -> Persons | None:
    """Read the file; whatever is wrong is added to `problems` (``DATA-163`` for what a row says that cannot be)."""
    table = read_table(path, file=file)
    if not isinstance(table, Table):
        problems.extend(table)
        return None
    columns = (
        Column("region", Kind.CODE),
        Column("period", Kind.PERIOD),
        *(Column(name, Kind.NUMBER) for name in NAMES),
    )
    long = read_long(table, Contract(columns, key=("region", "period")), where={}, add=False)
    if not isinstance(long, Long):
        problems.extend(long)
        return None
    wrong = [*_unfit(long, file)]
    if wrong:
        problems.extend(wrong)
        return None
    numbers = [long.values[name].number.tolist() for name in NAMES]
    rows = {
        (str(region), str(period)): dict(zip(NAMES, cells, strict=True))
        for region, period, *cells in zip(long.region, long.period, *numbers, strict=True)
    }
    return Persons(rows, DataFile("people", file, table.sha256, len(table.frame)))


def _unfit(long: Long, file: str) -> list[Problem]:
    """Fewer people than none, and people without a mean."""
    found = []

    def problem(odd: np.ndarray, message: str, hint: str, column: str) -> None:
        if odd.any():
            row = int(np.flatnonzero(odd)[0])
            where = f"{long.region[row]} {long.period[row]}"
            more = f" and {int(odd.sum()) - 1} more" if odd.sum() > 1 else ""
            found.append(Problem("DATA-163", f"{message} ({where}{more}).", hint, file, path=column))

    for name in _PEOPLE:
        number = long.values[name].number
        problem(number < 0, f"column '{name}' holds numbers of people, and there are below 0", "Count them.", name)
    for name in NAMES[len(_PEOPLE) :]:
        people = long.values[name.split("_")[0]].number
        lacking = (people > 0) & np.isnan(long.values[name].number)
        hint = "Give the mean wherever there is somebody; leave the row out where it may not be known."
        problem(lacking, f"column '{name}' has no mean where there are people", hint, name)
    return found
