"""The tables of a report as a workbook: a sheet each, numbers as numbers that look as they do on the page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from impact.evidence.document import Block, Cell, Manuscript, Paragraph, Points, Table
from impact.evidence.language import Texts
from impact.evidence.manuscript import one_line, tables
from impact.harmless import shown
from impact.workbook import Number, Sheet, workbook

__all__ = ["as_xlsx", "read_number"]


def as_xlsx(text: Manuscript, say: Texts) -> bytes:
    """The bytes: what the report says first with the list of its tables, then the tables.

    A number is the one that is printed, with as many decimals: no sheet knows more than the page does.
    """
    lead = [_line(text.title), *_said(text.lead)]
    said = [line for part in text.chapters[:1] for line in (_line(part.title), *_said(part.blocks))]
    heads = tuple(say(f"forms.{name}") for name in ("sheet", "caption", "part"))
    rows: list[tuple[str, str, str]] = []
    sheets: list[Sheet] = []
    for number, (part, table) in enumerate(tables(text), 1):
        name = f"{say('ui.table')} {number}"
        rows.append((name, _line(table.caption), _line(part)))
        sheets.append(_sheet(name, table, lead, say))
    return workbook([Sheet(say("forms.contents"), heads, rows, (*lead, *said, "")), *sheets])


def read_number(text: str, say: Texts) -> Number | None:
    """The number that a cell holds and nothing else, with the form in which it is written; None where it holds more."""
    decimal, thousands = say("format.decimal"), say("format.thousands")
    group = re.escape(thousands)
    pattern = rf"([−+]?)([0-9]{{1,3}}(?:{group}[0-9]{{3}})+|[0-9]+)(?:{re.escape(decimal)}([0-9]+))?(%?)"
    found = re.fullmatch(pattern, text)
    if found is None:
        return None
    sign, whole, part, percent = found[1], found[2].replace(thousands, ""), found[3] or "", found[4]
    if len(whole + part) > 15:
        return None  # a workbook keeps no more digits
    value = float(f"{'-' if sign == '−' else ''}{whole}.{part or '0'}") / (100 if percent else 1)
    form = ("#,##0" if thousands in found[2] else "0") + (f".{'0' * len(part)}" if part else "") + percent
    plus = '"+"' if sign == "+" else ""
    return Number(value, f'{plus}{form};"−"{form};{form}')


def _said(blocks: Sequence[Block]) -> Iterator[str]:
    for block in blocks:
        match block:
            case Paragraph(pieces):
                yield " ".join(map(_line, pieces))
            case Points(items):
                yield from map(_line, items)


def _sheet(name: str, table: Table, lead: Sequence[str], say: Texts) -> Sheet:
    """Its caption, the title and the status above it, since a table is shown without its report; its note below it."""
    rows: list[tuple[str | Number | None, ...]] = [
        tuple(_value(cell, column.number, say) for cell, column in zip(row, table.columns, strict=True))
        for row in table.rows
    ]
    if table.total is not None:
        head, value = table.total
        rows.append((_line(head), *[None] * (len(table.columns) - 2), _value(value, True, say)))
    heads = tuple(_line(column.title) for column in table.columns)
    below = (_line(table.note),) if table.note else ()
    return Sheet(name, heads, rows, (_line(table.caption), *lead), below)


def _value(cell: Cell, number: bool, say: Texts) -> str | Number:
    text = _line(cell)
    return (read_number(text, say) if number else None) or text


def _line(text: Cell) -> str:
    return " ".join(shown(one_line(text)).split())
