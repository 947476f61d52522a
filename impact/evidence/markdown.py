"""From a manuscript to Markdown: CommonMark with tables, in which a text from outside stays a text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from impact.evidence.document import Block, Cell, Code, Figure, Framed, Manuscript, Paragraph, Points, Table
from impact.evidence.reading import plain
from impact.harmless import shown

__all__ = ["as_markdown"]

_SIGN = re.compile(r"[\\`*\[\]<>|~$#]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)")
_OPENING = re.compile(r"[+\-=]|\d+(?=[.)])")  # of a list, or of a line under a heading


def as_markdown(text: Manuscript) -> str:
    """The text, one line per paragraph."""
    lines = [f"# {_cell(text.title)}", *_blocks(text.lead)]
    for chapter in text.chapters:
        lines += [f"## {_escaped(chapter.title)}", *_blocks(chapter.blocks)]
        for section in chapter.sections:
            lines += [f"### {_escaped(section.title)}", *_blocks(section.blocks)]
    return "\n\n".join(lines) + "\n"


def _blocks(blocks: Sequence[Block]) -> Iterator[str]:
    for block in blocks:
        match block:
            case Paragraph(pieces):
                yield _started(" ".join(map(_cell, pieces)))
            case Points(items):
                yield "\n".join(f"- {_started(_cell(item))}" for item in items)
            case Table():
                yield from _table(block)
            case Framed(title, inside, source):
                said = [_started(_cell(title)), *_blocks(inside), _started(_escaped(source))]
                yield "\n".join(f"> {line}".rstrip() for line in "\n\n".join(said).splitlines())
            case Figure():
                yield f"*{_escaped(block.caption)}*"
                yield _started(_escaped(block.alternative))
                yield from _table(block.table)
            case _:
                raise TypeError(f"a {block.kind} has no Markdown")


def _table(table: Table) -> Iterator[str]:
    yield f"*{_escaped(table.caption)}*"
    total = () if table.total is None else ((*table.total, *[""] * (len(table.columns) - 2)),)
    rule = ["---:" if column.number else "---" for column in table.columns]
    rows = [[_escaped(column.title) for column in table.columns], rule]
    rows += [[_in_table(cell) for cell in row] for row in (*table.rows, *total)]
    yield "\n".join(f"| {' | '.join(row)} |" for row in rows)
    if table.note:
        yield _started(_escaped(table.note))


def _in_table(cell: Cell) -> str:
    """A table is taken apart before codes are seen."""
    return _cell(cell).replace("|", "\\|") if isinstance(cell, Code) else _cell(cell)


def _cell(cell: Cell) -> str:
    if not isinstance(cell, Code):
        return _escaped(plain(cell))
    # A code ends at as many ticks as it begins with, so it begins with more than it holds.
    text = _line(cell.text)
    ticks = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    room = " " if "`" in text else ""
    return f"{ticks}{room}{text}{room}{ticks}" if text else ""


def _escaped(text: str) -> str:
    return _SIGN.sub(lambda found: f"\\{found[0]}", _line(text))


def _started(text: str) -> str:
    """A line that begins as nothing but a text."""
    found = _OPENING.match(text)
    at = 0 if found is None or not found[0].isdigit() else found.end()
    return text if found is None else f"{text[:at]}\\{text[at:]}"


def _line(text: str) -> str:
    """In one line, with what nobody sees written out."""
    return " ".join(shown(text).split())
