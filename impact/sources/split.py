"""One table in two: what a design may rest on, and the later periods, sealed; the same files on any machine.

Codes (stable): ``DATA-161`` a file whose cells cannot be written back as they stand; ``DATA-162`` a period that parts
nothing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from impact.arrays import Bool1
from impact.errors import Problem
from impact.sources.frame import Table
from impact.sources.periods import read_period, read_periods
from impact.sources.tables import SEPARATORS, read_table
from impact.sources.values import Odd
from impact.workbook import Sheet, workbook

__all__ = ["Split", "split_table"]


@dataclass(frozen=True, slots=True)
class Split:
    """The two parts as files: contents, rows and periods of each."""

    suffix: str
    design: bytes
    sealed: bytes
    rows: tuple[int, int]
    before: tuple[str, ...]
    after: tuple[str, ...]
    notes: tuple[str, ...] = ()


def split_table(
    path: Path,
    time: str,
    at: str,
    *,
    file: str = "",
    sheet: str | None = None,
    separator: str | None = None,
    header_row: int = 1,
) -> Split | tuple[Problem, ...]:
    """The rows of the table in `path` before period `at`, and those of it and later.

    A CSV stays a CSV whose lines are those of the file; a sheet of a workbook becomes a workbook of one sheet; a
    parquet file stays one. Every cell is what it was: marks, codes with zeros in front and blanks too.

    Parameters
    ----------
    path : Path
        Where it is.
    time : str
        The column of the period.
    at : str
        The first period that is sealed.
    file : str
        Name for messages; the file's own name when empty.
    sheet, separator, header_row
        As `read_table` takes them; lines above the header go into both parts.

    Returns
    -------
    Split or tuple of Problem
    """
    file = file or path.name
    suffix = path.suffix.lower()
    if suffix == ".gz":
        return (Problem("DATA-161", "a compressed file is not split.", "Unpack it first.", file),)
    table = read_table(path, file=file, sheet=sheet, separator=separator, header_row=header_row)
    if not isinstance(table, Table):
        return table
    periods = _periods(table, time, at)
    if not isinstance(periods, list):
        return periods
    wanted = read_period(at)[0]
    mask = np.array([label >= wanted for label in periods], dtype=bool)
    before, after = (
        tuple(sorted({p for p, m in zip(periods, mask, strict=True) if bool(m) == side})) for side in (False, True)
    )
    if not before or not after:
        side = "before" if not before else "from"
        message = f"there is no row {side} {at}: the table has {min(periods)} to {max(periods)}."
        return (Problem("DATA-162", message, "Choose a period that parts the table.", file, path=time),)
    notes: tuple[str, ...] = ()
    if suffix == ".xlsx":
        odd = _odd(table)
        if odd:
            return odd
        contents = [_workbook(table, ~mask, sheet), _workbook(table, mask, sheet)]
        notes = tuple(_notes(table))
    elif suffix == ".parquet":
        contents = [_parquet(path, ~mask), _parquet(path, mask)]
    else:
        contents = [_lines(path, table, ~mask, separator), _lines(path, table, mask, separator)]
        suffix = path.suffix
    return Split(suffix, contents[0], contents[1], (int((~mask).sum()), int(mask.sum())), before, after, notes)


def _periods(table: Table, time: str, at: str) -> list[str] | tuple[Problem, ...]:
    """The period of every row; or what cannot be read of them."""
    _, why = read_period(at)
    if why:
        return (Problem("DATA-162", f"'{at}' {why}.", "", path="at"),)
    names = [str(name) for name in table.frame.columns]
    if time not in names:
        hint = f"Columns are {', '.join(names[:12])}."
        return (Problem("DATA-107", f"column '{time}' is missing.", hint, table.file, path=time),)
    read = read_periods(table.frame[time])
    if isinstance(read, tuple):
        first = read[0]
        message = f"column '{time}' holds {first.text!r}, which {first.why} ({table.places.name(first.rows, time)})."
        hint = "A row without a period is in neither part; take it out first."
        return (Problem("DATA-110", message, hint, table.file, int(table.rows[first.rows[0]]), path=time),)
    return [str(label) for label in read]


def _odd(table: Table) -> tuple[Problem, ...]:
    """Cells of a workbook that hold no value of their own (dates, errors, formulas), which cannot be copied."""
    for name in table.frame.columns:
        at = [row for row, cell in enumerate(table.frame[name]) if isinstance(cell, Odd)]
        if at:
            message = f"column '{name}' has cells that hold no value of their own: {table.places.name(at, str(name))}."
            return (Problem("DATA-161", message, "Save the sheet as CSV, and split that.", table.file),)
    return ()


def _notes(table: Table) -> Iterator[str]:
    """What a workbook of ours does not keep."""
    cells = (cell for name in table.frame.columns for cell in table.frame[name] if isinstance(cell, float))
    long = sum(float(f"{cell:.16G}") != cell for cell in cells)
    if long:
        yield f"{long} numbers have more than 16 digits and were rounded to these"
    percent = sum(note.count for note in table.notes if note.kind == "percent-format")
    if percent:
        yield f"{percent} cells that were shown as percentages stand as the fraction behind them"


def _workbook(table: Table, rows: Bool1, sheet: str | None) -> bytes:
    part = table.frame[rows]
    cells: Sequence[Sequence[str | float | None]] = [
        tuple(None if cell is None or cell != cell or cell == "" else cell for cell in row)
        for row in part.astype(object).itertuples(index=False, name=None)
    ]
    return workbook([Sheet(sheet or "Blad1", tuple(str(name) for name in part.columns), cells)])


def _parquet(path: Path, rows: Bool1) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    content = io.BytesIO()
    pq.write_table(pq.read_table(path).filter(pa.array(rows)), content)
    return content.getvalue()


def _lines(path: Path, table: Table, rows: Bool1, separator: str | None) -> bytes:
    """The file without the records that belong to the other part; every other byte stays."""
    # Row numbers count records, as a spreadsheet does, blank ones too.
    out = set(table.rows[~rows].tolist())
    records = _records(path.read_bytes(), [str(name) for name in table.frame.columns], separator)
    return b"".join(record for number, record in enumerate(records, 1) if number not in out)


def _records(content: bytes, header: list[str], separator: str | None) -> list[bytes]:
    """The records of a CSV with their line ends; a line end between quotes ends none."""
    lines = content.splitlines(keepends=True)
    # One character for every byte: only where records end is asked here.
    texts = [line.decode("latin-1") for line in lines]
    texts[:1] = [text.removeprefix("\xef\xbb\xbf") for text in texts[:1]]
    found: list[bytes] = []
    for mark in [separator] if separator else SEPARATORS:
        found, start = [], 0
        reader = csv.reader(iter(texts), delimiter=mark)
        widths = set()
        for record in reader:
            found.append(b"".join(lines[start : reader.line_num]))
            start = reader.line_num
            widths.add(len(record))
        if len(header) in widths:
            break
    return found
