"""Workbooks (xlsx) whose bytes depend on nothing but what is written: no time, no user, no machine."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

__all__ = ["Number", "Sheet", "workbook"]

_LONGEST = 32_767  # characters that a cell can hold
_CUT = " … (cut off: longer than a cell)"
_WIDEST = 48  # characters; wider cells run on in the next column, as a reader expects


class Number(NamedTuple):
    """A number and the form in which a cell shows it, such as ``0.00``."""

    value: float
    form: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of a workbook.

    Attributes
    ----------
    name : str
        At most 31 characters, none of ``[]:*?/\\``.
    columns : tuple of str
        Heads of the columns.
    rows : sequence of rows, each as long as `columns`
        Text stays text, so that a code keeps its zeros and no spreadsheet takes it for a number or a formula;
        int, float, bool and `Number` become numbers; None becomes an empty cell.
    above, below : tuple of str
        Lines above the heads and below the rows, one a row, as official tables have them.
    """

    name: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[str | float | Number | None]]
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"a row of sheet {self.name!r} has another length than its {len(self.columns)} columns")


def workbook(sheets: Sequence[Sheet]) -> bytes:
    """The bytes of a workbook with `sheets` in this order."""
    from xlsxwriter import Workbook

    content = io.BytesIO()
    book = Workbook(
        content,
        {"in_memory": True, "strings_to_numbers": False, "strings_to_formulas": False, "strings_to_urls": False},
    )
    book.set_properties({"created": datetime(2000, 1, 1)})
    head = book.add_format({"bold": True})
    forms = sorted({cell.form for sheet in sheets for row in sheet.rows for cell in row if isinstance(cell, Number)})
    written = {form: book.add_format({"num_format": form}) for form in forms}
    for sheet in sheets:
        page = book.add_worksheet(sheet.name)
        first = len(sheet.above)
        for number, line in enumerate(sheet.above):
            page.write_string(number, 0, _fitting(line))
        for column, name in enumerate(sheet.columns):
            page.write_string(first, column, name, head)
            widest = max([len(name), *(_width(row[column]) for row in sheet.rows)])
            page.set_column(column, column, min(widest, _WIDEST) + 2)
        for number, row in enumerate(sheet.rows, first + 1):
            for column, cell in enumerate(row):
                if isinstance(cell, str):
                    page.write_string(number, column, _fitting(cell))
                elif isinstance(cell, Number):
                    page.write_number(number, column, cell.value, written[cell.form])
                elif cell is not None:
                    page.write_number(number, column, cell)
        for number, line in enumerate(sheet.below, first + 1 + len(sheet.rows)):
            page.write_string(number, 0, _fitting(line))
        page.freeze_panes(first + 1, 1)
    book.close()
    return content.getvalue()


def _width(cell: str | float | Number | None) -> int:
    return len(cell.form.split(";")[0]) if isinstance(cell, Number) else len(str(cell))


def _fitting(text: str) -> str:
    """A text as a cell can hold it; what is cut off is said, where the writer would leave the cell empty."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - len(_CUT)]}{_CUT}"
