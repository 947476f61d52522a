"""Workbooks (xlsx) whose bytes depend on nothing but what is written: no time, no user, no machine."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

__all__ = ["Sheet", "workbook"]

_LONGEST = 32_767  # characters that a cell can hold
_CUT = " … (cut off: longer than a cell)"
_WIDEST = 48  # characters; wider cells run on in the next column, as a reader expects


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
        int, float and bool become numbers; None becomes an empty cell.
    above : tuple of str
        Lines above the heads, one a row, as official tables have them.
    """

    name: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[str | float | None]]
    above: tuple[str, ...] = ()

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
    for sheet in sheets:
        page = book.add_worksheet(sheet.name)
        first = len(sheet.above)
        for number, line in enumerate(sheet.above):
            page.write_string(number, 0, _fitting(line))
        for column, name in enumerate(sheet.columns):
            page.write_string(first, column, name, head)
            widest = max([len(name), *(len(str(row[column])) for row in sheet.rows)])
            page.set_column(column, column, min(widest, _WIDEST) + 2)
        for number, row in enumerate(sheet.rows, first + 1):
            for column, cell in enumerate(row):
                if isinstance(cell, str):
                    page.write_string(number, column, _fitting(cell))
                elif cell is not None:
                    page.write_number(number, column, cell)
        page.freeze_panes(first + 1, 1)
    book.close()
    return content.getvalue()


def _fitting(text: str) -> str:
    """A text as a cell can hold it; what is cut off is said, where the writer would leave the cell empty."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - len(_CUT)]}{_CUT}"
