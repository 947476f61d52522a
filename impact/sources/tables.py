"""CSV with any separator, workbooks and parquet, read without guessing: every CSV cell stays the text it is."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from impact.arrays import Int1, frozen
from impact.errors import Problem
from impact.files import sha256 as file_sha256
from impact.sources.frame import Note, Table, listed
from impact.sources.statline import looks_like_statline, read_statline

__all__ = ["MAX_BYTES", "SEPARATORS", "Note", "Table", "read_table"]

SEPARATORS = (";", "\t", "|", ",")
"""Separators that are recognised, the first preferred: a comma inside numbers is common, a semicolon is not."""
MAX_BYTES = 2_000_000_000
MAX_COLUMNS = 16_384
"""As many as the widest sheet of a workbook has."""
MAX_CELLS = 1_000_000_000
"""Of a parquet file, which can hold as many equal cells as it likes in a few bytes."""


def read_table(
    path: Path,
    *,
    file: str = "",
    separator: str | None = None,
    header_row: int = 1,
    max_bytes: int = MAX_BYTES,
    sheet: str | None = None,
    layout: Literal["plain", "statline"] = "plain",
) -> Table | tuple[Problem, ...]:
    """Read a CSV (also ``.csv.gz``), a sheet of a workbook (``.xlsx``) or a parquet file.

    Parameters
    ----------
    path : Path
        Where it is.
    file : str
        Name for messages; the file's own name when empty.
    separator : str, optional
        Between the cells of a CSV. When not given it is the one of `SEPARATORS` that cuts most of the first rows into
        as many cells as the header, more than one.
    header_row : int
        Row in which the column names of a CSV or a sheet stand, as a spreadsheet counts; rows above it are left out.
    max_bytes : int
        Larger files are refused, before or while unpacking.
    sheet : str, optional
        Name of the sheet of a workbook. When not given it is the only one with any content.
    layout : {"plain", "statline"}
        ``statline`` for the CSV that StatLine exports in a browser, with its title, heads, units and footer; see
        `statline.read_statline`. It says itself where its heads are: `header_row` does not count.

    Returns
    -------
    Table or tuple of Problem
    """
    file = file or path.name
    suffix = path.suffix.lower()
    if (sheet is not None and suffix != ".xlsx") or (layout == "statline" and suffix in (".xlsx", ".parquet")):
        return (_unfit(file, suffix, sheet),)
    try:
        if path.stat().st_size > max_bytes:
            return (_too_large(file, max_bytes),)
        sha256 = file_sha256(path)
        if suffix == ".xlsx":
            # Here, so that a study of CSV files does not load what reads workbooks.
            from impact.sources.workbooks import read_workbook

            return read_workbook(path, file, sha256, sheet=sheet, header_row=header_row, max_bytes=max_bytes)
        if suffix == ".parquet":
            return _read_parquet(path, file, sha256)
        if suffix not in (".csv", ".tsv", ".txt", ".gz"):
            hint = "Save it as a workbook (.xlsx), CSV (UTF-8) or parquet."
            return (Problem("DATA-101", f"'{path.suffix}' files are not read.", hint, file),)
        with gzip.open(path) if suffix == ".gz" else path.open("rb") as stream:
            data = stream.read(max_bytes + 1)
    except FileNotFoundError:
        return (Problem("DATA-101", "the file does not exist.", file=file),)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        # pyarrow's errors on a damaged parquet file are OSError or ValueError.
        return (Problem("DATA-101", f"the file cannot be read: {str(error).splitlines()[0]}.", file=file),)
    if len(data) > max_bytes:
        return (_too_large(file, max_bytes),)
    found = _text(data, file)
    if isinstance(found, Problem):
        return (found,)
    text, notes = found
    if layout == "statline":
        return read_statline(text, file, sha256, separator or ";", notes)
    table = _read_csv(text, file, sha256, separator, header_row, notes)
    if not isinstance(table, Table) and looks_like_statline(text):
        hint = "This looks like a StatLine export: state `layout: statline`."
        return tuple(replace(one, hint=hint) if one.code in ("DATA-103", "DATA-104") else one for one in table)
    return table


def _read_parquet(path: Path, file: str, sha256: str) -> Table | tuple[Problem, ...]:
    from pyarrow import ArrowException
    from pyarrow.parquet import read_metadata

    try:
        stated = read_metadata(path)
        if stated.num_columns > MAX_COLUMNS or stated.num_rows * max(stated.num_columns, 1) > MAX_CELLS:
            what = f"the file states {stated.num_rows:,} rows and {stated.num_columns:,} columns"
            return (Problem("DATA-102", f"{what}; that is no table.", "Keep the columns you need.", file),)
        frame = pd.read_parquet(path).reset_index(drop=True)
        named = frame.set_axis([str(name) for name in frame.columns], axis=1)
    except (ArrowException, LookupError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        # What pyarrow raises on a damaged file, and pandas on a damaged note of its own inside one.
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        return (Problem("DATA-101", f"the file cannot be read: {what}.", file=file),)
    if twice := sorted(name for name, count in Counter(named.columns).items() if count > 1):
        what = f"column names occur more than once: {listed([repr(name) for name in twice])}"
        return (Problem("DATA-104", f"{what}.", "Give every column a name of its own.", file),)
    return Table(named, file, sha256, frozen(np.arange(2, len(frame) + 2), np.intp))


def _unfit(file: str, suffix: str, sheet: str | None) -> Problem:
    if sheet is not None:
        return Problem(
            "DATA-116", f"'{suffix}' files have no sheets.", "Remove `sheet:`, or give a workbook (.xlsx).", file
        )
    hint = "Export from StatLine as CSV, or state `header_row:` and leave `layout:` out."
    return Problem("DATA-116", f"the layout `statline` is that of a CSV, not of a '{suffix}' file.", hint, file)


def _too_large(file: str, max_bytes: int) -> Problem:
    return Problem(
        "DATA-102", f"the file is larger than {max_bytes:,} bytes.", "Split it, or keep the columns you need.", file
    )


def _text(data: bytes, file: str) -> tuple[str, tuple[Note, ...]] | Problem:
    """The text of a file in UTF-8 or else Windows-1252, and a note of the latter."""
    if not data.strip():
        return Problem("DATA-105", "the file is empty.", file=file)
    notes: tuple[Note, ...] = ()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        try:
            text = data.decode("cp1252")
        except UnicodeDecodeError:
            text = "\0"
        notes = (Note("encoding", text="Windows-1252"),)
    if "\0" in text:
        return Problem("DATA-101", "the file is not text in UTF-8 or Windows-1252.", "Save it as CSV (UTF-8).", file)
    return text, notes


def _read_csv(
    text: str, file: str, sha256: str, separator: str | None, header_row: int, notes: tuple[Note, ...]
) -> Table | tuple[Problem, ...]:
    if separator is None:
        separator = _separator(text, header_row)
        if not separator:
            hint = "State `separator:`, and `header_row:` when titles stand above the column names."
            return (
                Problem(
                    "DATA-103", "no separator cuts the first rows into equally many cells.", hint, file, header_row
                ),
            )
    if separator in '"\r\n\0':
        hint = 'State the character that stands between the cells, such as `separator: ";"`.'
        return (Problem("DATA-103", f"{separator!r} cannot separate cells.", hint, file, header_row),)
    # The csv module says which row has too many or too few cells; pandas, which would pad or drop them, is faster.
    stream = io.StringIO(text, newline="")
    records = csv.reader(stream, delimiter=separator, strict=True)
    try:
        header = [name.strip() for name in next(islice(records, header_row - 1, None), [])]
        start = stream.tell()
        widths = np.fromiter((len(record) for record in records), dtype=np.intp)
    except csv.Error as error:
        return (Problem("DATA-101", f"the file cannot be read as CSV: {error}.", file=file),)
    problems = _shape_problems(header, widths, file, header_row)
    if problems:
        return problems
    rows = np.flatnonzero(widths) + header_row + 1
    if not len(rows):
        return Table(pd.DataFrame(columns=header, dtype="str"), file, sha256, frozen(rows, np.intp), notes)
    stream.seek(start)
    how: dict[str, Any] = {"dtype": str, "keep_default_na": False, "na_filter": False}
    try:
        frame = pd.read_csv(stream, sep=separator, header=None, engine="c" if separator.isascii() else "python", **how)
    except ValueError as error:
        return (Problem("DATA-101", f"the file cannot be read as CSV: {error}.", file=file),)
    return Table(frame.set_axis(header, axis=1), file, sha256, frozen(rows, np.intp), notes)


def _shape_problems(header: list[str], widths: Int1, file: str, header_row: int) -> tuple[Problem, ...]:
    problems = []
    if len(header) > MAX_COLUMNS:
        message = f"the header has {len(header):,} columns; at most {MAX_COLUMNS:,} are read."
        return (Problem("DATA-102", message, "Keep the columns you need.", file, header_row),)
    twice = sorted(name for name, count in Counter(header).items() if count > 1)
    if twice or not header:
        what = (
            f"column names occur more than once: {listed([repr(name) for name in twice])}"
            if header
            else "there is no header"
        )
        problems.append(Problem("DATA-104", f"{what}.", file=file, line=header_row))
    odd = np.flatnonzero((widths != len(header)) & (widths > 0))
    if len(odd):
        at = (odd + header_row + 1).tolist()
        many = "row" if len(at) == 1 else "rows"
        problems.append(
            Problem(
                "DATA-104",
                f"{many} {listed(at)} have another number of cells than the header ({len(header)}); "
                f"row {at[0]} has {widths[odd[0]]}.",
                "Another `separator`? A cell that holds it needs quotes; a title or source line must go."
                if len(header) > 1
                else "All columns are read as one: state the right `separator`, or leave it out.",
                file,
                at[0],
            )
        )
    return tuple(problems)


def _separator(text: str, header_row: int) -> str:
    """The separator that cuts most of the first rows into as many cells as the header, more than one; else ''."""
    best, most = "", (0.5, 1)
    for separator in SEPARATORS:
        try:
            records = list(
                islice(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True), header_row + 50)
            )
        except csv.Error:
            continue
        widths = [len(record) for record in records[header_row - 1 :] if record]
        alike = (widths.count(widths[0]) / len(widths), widths[0]) if widths else (0.0, 0)
        if alike > most and alike[1] > 1:
            best, most = separator, alike
    return best
