"""One sheet of a workbook (xlsx), cell by cell: text stays text, numbers stay numbers, and whatever else would turn
into a wrong number or code without a word is reported or refused, with its cell.

Nothing in a workbook runs or is looked up: no macros, no links to other files, no outcomes of formulas but those that
are stored.
"""

from __future__ import annotations

import re
import warnings
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, time
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol
from xml.etree.ElementTree import ParseError
from xml.sax import SAXException
from zipfile import BadZipFile, ZipFile

import numpy as np
import pandas as pd
from openpyxl.reader.excel import ExcelReader

from impact.arrays import frozen
from impact.errors import Problem
from impact.sources.contract import near
from impact.sources.frame import Note, Table, listed
from impact.sources.sheetmarks import LAST_ROW, SheetMarks, column_letters, read_marks, was_computed
from impact.sources.values import Odd

__all__ = ["MAX_UNPACKED", "read_workbook"]

MAX_UNPACKED = 500_000_000
"""Bytes of XML in a workbook; more is no table but a zip bomb."""
MAX_CELLS = 50_000_000
"""Cells in a sheet, with the empty ones before the last of every row: a few bytes can state a row of 16,384."""
_LITERAL = re.compile(r'"[^"]*"|\\.')  # what a number format shows as it stands, such as \\% behind a plain number
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_DATE = (
    "is a date to the spreadsheet, which makes one of '3-4' and '2018-12'; format the cell as text and type it again"
)
_ERROR = "is the error of a formula"
_TRUTH = "is a yes or no to the spreadsheet; type a number or a word"
# What zipfile, expat and openpyxl raise on files that are cut off, changed or no workbook at all.
_DAMAGED = (
    BadZipFile, zlib.error, OSError, EOFError, SAXException, ParseError, ValueError, LookupError, TypeError,
    AttributeError, NotImplementedError, RuntimeError, OverflowError, SyntaxError,
)  # fmt: skip


class _Cell(Protocol):
    value: Any
    data_type: str
    number_format: str


@dataclass(frozen=True, slots=True)
class _Sheet:
    """The header of a sheet, the rows below it that hold anything, and the number of percentages by column (from 0)."""

    header: Sequence[Any]
    rows: Sequence[int]
    cells: Sequence[Sequence[Any]]
    percent: Mapping[int, int]


def read_workbook(
    path: Path, file: str, sha256: str, *, sheet: str | None = None, header_row: int = 1, max_bytes: int = MAX_UNPACKED
) -> Table | tuple[Problem, ...]:
    """Read one sheet of a workbook.

    Parameters
    ----------
    path : Path
        An ``.xlsx`` file.
    file, sha256 : str
        Name for messages, digest of the bytes.
    sheet : str, optional
        Name of the sheet; when not given, the only one with any content.
    header_row : int
        Row of the column names, as a spreadsheet counts; rows above it are left out.
    max_bytes : int
        Bound on what the file unpacks to, at most `MAX_UNPACKED`.

    Returns
    -------
    Table or tuple of Problem
        Text, int, float, ``""`` for an empty cell, and `Odd` for a date, a yes or no and the error of a formula, which
        are reported where they are read. Rows and columns that are wholly empty are left out.
    """
    found = _container(path, file, min(max_bytes, MAX_UNPACKED))
    if found:
        return (found,)
    try:
        with warnings.catch_warnings():
            # About styles, menus and extensions that hold no values.
            warnings.simplefilter("ignore")
            reader = ExcelReader(path, read_only=True, data_only=True, keep_links=False)
            with closing(reader.archive):
                reader.read()
                name = _choose(reader.wb, sheet, file)
                if isinstance(name, Problem):
                    return (name,)
                target = next(link.target for one, link in reader.parser.find_sheets() if one.name == name)
                with reader.archive.open(target) as stream:
                    marks = read_marks(stream)
                with reader.archive.open(reader.parser.workbook_part_name) as stream:
                    computed = was_computed(stream)
                content = _content(reader.wb[name], header_row)
    except _DAMAGED as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        hint = "Open it in a spreadsheet and save it as a workbook (.xlsx)."
        return (Problem("DATA-101", f"the file cannot be read as a workbook: {what}.", hint, file),)
    return _table(content, marks, computed, header_row, file, sha256)


def _container(path: Path, file: str, limit: int) -> Problem | None:
    """What keeps the file from being opened at all."""
    hint = "Save it as a workbook (.xlsx) without a password."
    with path.open("rb") as stream:
        if stream.read(len(_OLE)) == _OLE:
            locked = _ENCRYPTED in stream.read()
            what = "is protected with a password" if locked else "is an old workbook (.xls) under another name"
            return Problem("DATA-101", f"the file {what}.", hint, file)
    try:
        with ZipFile(path) as archive:
            members = archive.infolist()
    except _DAMAGED as error:
        return Problem("DATA-101", f"the file is damaged, or no workbook: {error}.", hint, file)
    if sum(member.file_size for member in members) > limit:
        message = f"the workbook unpacks to more than {limit:,} bytes."
        return Problem("DATA-102", message, "Keep the sheet and the columns you need, or save it as CSV.", file)
    if any(member.flag_bits & 1 for member in members):
        return Problem("DATA-101", "the file is protected with a password.", hint, file)
    return None


def _choose(book: Any, sheet: str | None, file: str) -> str | Problem:
    """Name of the sheet to read."""
    names = [str(page.title) for page in book.worksheets]
    if sheet is not None:
        if sheet in names:
            return sheet
        close = near(sheet, names)
        hint = f"Did you mean '{close}'?" if close else f"Sheets are {_quoted(names)}."
        return Problem("DATA-116", f"the workbook has no sheet '{sheet}'.", hint, file, path="sheet")
    filled = [str(page.title) for page in book.worksheets if _any(page)]
    if len(filled) > 1:
        message = f"the workbook has more than one sheet with content: {_quoted(filled)}."
        return Problem("DATA-116", message, "State `sheet:`.", file, path="sheet")
    return filled[0] if filled else Problem("DATA-105", "no sheet of the workbook holds anything.", file=file)


def _quoted(names: Iterable[str]) -> str:
    return listed([f"'{name}'" for name in names], 12)


def _any(page: Any) -> bool:
    page.reset_dimensions()
    rows = page.iter_rows(max_row=LAST_ROW, values_only=True)
    return any(value not in (None, "") for row in _bounded(rows) for value in row)


def _bounded(rows: Iterable[Sequence[Any]]) -> Iterable[Sequence[Any]]:
    """The rows, as long as they hold fewer cells than a table can."""
    held = 0
    for row in rows:
        held += len(row)
        if held > MAX_CELLS:
            raise ValueError(f"a sheet has more than {MAX_CELLS:,} cells")
        yield row


def _named(cells: Iterable[tuple[int, int]]) -> str:
    """``cells B7 and B9`` for rows and columns."""
    names = [f"{column_letters(column)}{row}" for row, column in cells]
    return f"cell{'' if len(names) == 1 else 's'} {listed(names)}"


def _content(page: Any, header_row: int) -> _Sheet:
    # The size that a file states may be too small, and would cut the sheet off.
    page.reset_dimensions()
    header: list[Any] = []
    rows, cells, percent = list[int](), list[list[Any]](), dict[int, int]()
    for number, row in enumerate(_bounded(page.iter_rows(max_row=LAST_ROW)), 1):
        if number < header_row:
            continue
        values = [_value(cell) for cell in row]
        if number == header_row:
            header = values
        elif not all(_blank(value) for value in values):
            rows.append(number)
            cells.append(values)
            for column, (cell, value) in enumerate(zip(row, values, strict=True)):
                if isinstance(value, (int, float)) and "%" in _LITERAL.sub("", cell.number_format):
                    percent[column] = percent.get(column, 0) + 1
    return _Sheet(header, rows, cells, percent)


def _value(cell: _Cell) -> str | int | float | Odd:
    value = cell.value
    if value is None:
        return ""
    match cell.data_type:
        case "e":
            return Odd(str(value), _ERROR)
        case "b":
            return Odd("TRUE" if value else "FALSE", _TRUTH)
        case "d":
            day = isinstance(value, datetime) and value.time() == time()
            return Odd(str(value.date() if day else value), _DATE)
        case "n":
            # A number beyond what a double holds is an error here, not in a sum.
            float(value)
    return value if isinstance(value, (int, float)) else str(value)


def _blank(value: object) -> bool:
    return isinstance(value, str) and not value.strip()


def _table(
    content: _Sheet, marks: SheetMarks, computed: bool, header_row: int, file: str, sha256: str
) -> Table | tuple[Problem, ...]:
    width = max([len(content.header), *map(len, content.cells)])
    if width * len(content.cells) > MAX_CELLS:
        message = f"the sheet has {len(content.cells):,} rows of up to {width:,} columns; that is no table."
        return (Problem("DATA-102", message, "Keep the sheet and the columns you need.", file),)
    cells = [[*row, *[""] * (width - len(row))] for row in content.cells]
    header = [" ".join(str(name).split()) for name in content.header] + [""] * (width - len(content.header))
    first: dict[int, int] = {}
    for number, row in zip(content.rows, cells, strict=True):
        for column, value in enumerate(row):
            if column not in first and not _blank(value):
                first[column] = number
    kept = [column for column in range(width) if header[column] or column in first]
    problems = [
        *_header_problems(header, first, kept, header_row, file),
        *_merge_problems(content, marks, header_row, file),
        *_formula_problems(marks, computed, header_row, file),
    ]
    if problems:
        return tuple(problems)
    names = [header[column] for column in kept]
    columns = {name: [row[column] for row in cells] for name, column in zip(names, kept, strict=True)}
    frame = pd.DataFrame(columns, columns=names, dtype=object)
    letters = {header[column]: column_letters(column + 1) for column in kept}
    notes = [Note("percent-format", header[column], count) for column, count in sorted(content.percent.items())]
    rows = marks.hidden_rows & set(content.rows)
    hidden = marks.hidden_columns & {column + 1 for column in first}
    if rows or hidden:
        spans = [*(_span(str, run) for run in _runs(rows)), *(_span(column_letters, run) for run in _runs(hidden))]
        text = ", ".join(spans[:5]) + (f", … (+{len(spans) - 5})" if len(spans) > 5 else "")
        notes.append(Note("hidden", count=len(rows) + len(hidden), text=text))
    return Table(frame, file, sha256, frozen(np.array(content.rows), np.intp), tuple(notes), letters)


def _runs(numbers: Iterable[int]) -> list[list[int]]:
    """Numbers in runs that follow each other: {5, 6, 9} → [[5, 6], [9]]."""
    pairs = groupby(enumerate(sorted(numbers)), key=lambda pair: pair[1] - pair[0])
    return [[number for _, number in run] for _, run in pairs]


def _span(name: Callable[[int], str], run: Sequence[int]) -> str:
    """Whole rows or columns as a spreadsheet writes them: ``5:6``, ``C:C``."""
    return f"{name(run[0])}:{name(run[-1])}"


def _header_problems(
    header: Sequence[str], first: Mapping[int, int], kept: Sequence[int], header_row: int, file: str
) -> Iterable[Problem]:
    if not any(header):
        message = f"there are no column names in row {header_row}."
        yield Problem("DATA-104", message, "State the row of the column names with `header_row:`.", file, header_row)
        return
    bare = [column for column in kept if not header[column]]
    if bare:
        above = _named((header_row, column + 1) for column in bare)
        below = _named((first[column], column + 1) for column in bare)
        message = f"there is no column name in {above}, and data stand below ({below})."
        hint = "Name the columns or empty them; state `header_row:` when the names stand in another row."
        yield Problem("DATA-104", message, hint, file, header_row)
    for name in dict.fromkeys(name for name in header if name and header.count(name) > 1):
        where = _named((header_row, column + 1) for column, other in enumerate(header) if other == name)
        message = f"column names occur more than once: '{name}' in {where}."
        yield Problem("DATA-104", message, "Give every column a name of its own.", file, header_row, path=name)


def _merge_problems(content: _Sheet, marks: SheetMarks, header_row: int, file: str) -> Iterable[Problem]:
    """Merged cells from the header on: all but the first read as empty."""
    at = {number: row for number, row in zip(content.rows, content.cells, strict=True)}
    at[header_row] = list(content.header)
    found = []
    for left, top, right, bottom in sorted(marks.merged, key=lambda one: (one[1], one[0])):
        row = at.get(top, [])
        empty = top >= header_row and all(_blank(value) for value in row[left - 1 : left])
        if bottom >= header_row and (left, top) != (right, bottom) and not empty:
            found.append((top, f"{column_letters(left)}{top}:{column_letters(right)}{bottom}"))
    if found:
        names = [name for _, name in found]
        message = f"merged cells: {listed(names)}; all but the first of each are empty to a reader."
        hint = "Split them and repeat the value, or state `header_row:` below the merged titles."
        yield Problem("DATA-119", message, hint, file, max(found[0][0], header_row))


def _formula_problems(marks: SheetMarks, computed: bool, header_row: int, file: str) -> Iterable[Problem]:
    """Formulas whose outcome nobody computed: they would read as empty, or as the 0 that some programs write."""
    cells = [cell for cell in (marks.unstored if computed else marks.formulas) if cell[0] >= header_row]
    if cells:
        message = f"formulas without a computed outcome in {_named(cells)}."
        hint = "Open the workbook in a spreadsheet and save it, or paste the outcomes as values."
        yield Problem("DATA-119", message, hint, file, cells[0][0])
