"""A table as lines of text: columns side by side, long texts folded; one below the other where that does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap

from impact.evidence.columns import fitted
from impact.evidence.document import Cell, Table
from impact.evidence.manuscript import one_line
from impact.harmless import shown

__all__ = ["aligned"]

_GAP = 2


def aligned(table: Table, width: int) -> list[str]:
    """Rules above and below the head and at the end; rows stand apart by an empty line where one of them is folded."""
    head = [_text(column.title) for column in table.columns]
    rows = [[_text(cell) for cell in row] for row in table.rows]
    widths = fitted(table, width - _GAP * (len(head) - 1))
    if widths is None:
        return _below(head, rows, table.total, width)
    numbers = [column.number for column in table.columns]
    rule = (" " * _GAP).join("-" * wide for wide in widths)
    written = [_row(row, widths, numbers) for row in rows]
    loose = any(len(lines) > 1 for lines in written)
    body: list[str] = []
    for number, lines in enumerate(written):
        body += [""] if loose and number else []
        body += lines
    made = [rule, *_row(head, widths, numbers), rule, *body, rule]
    return made if table.total is None else [*made, *_total(table.total, len(rule)), rule]


def _row(cells: Sequence[str], widths: Sequence[int], numbers: Sequence[bool]) -> list[str]:
    folded = [wrap(cell, wide, break_on_hyphens=False) or [""] for cell, wide in zip(cells, widths, strict=True)]
    lines = []
    for place in range(max(map(len, folded))):
        parts = [lines_of[place] if place < len(lines_of) else "" for lines_of in folded]
        placed = [
            part.rjust(wide) if number else part.ljust(wide)
            for part, wide, number in zip(parts, widths, numbers, strict=True)
        ]
        lines.append((" " * _GAP).join(placed).rstrip())
    return lines


def _total(total: tuple[Cell, Cell], width: int) -> list[str]:
    name, value = map(_text, total)
    if len(name) + _GAP + len(value) <= width:
        return [f"{name}{value.rjust(width - len(name))}"]
    return [*wrap(name, width), *(line.rjust(width) for line in wrap(value, width))]


def _below(
    head: Sequence[str], rows: Sequence[Sequence[str]], total: tuple[Cell, Cell] | None, width: int
) -> list[str]:
    """Every row as lines ``name: value``."""
    rule = "-" * width
    lines = [rule]
    for number, row in enumerate(rows):
        lines += [""] if number else []
        for name, cell in zip(head, row, strict=True):
            lines += wrap(f"{name}: {cell}", width, subsequent_indent="  ", break_on_hyphens=False)
    lines.append(rule)
    return lines if total is None else [*lines, *_total(total, width), rule]


def _text(cell: Cell) -> str:
    return " ".join(shown(one_line(cell)).split())
