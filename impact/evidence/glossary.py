"""The words of the field and of the programme, explained in plain words: those that occur in a report, no others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from impact.evidence.document import Block, Cell, Column, Figure, Framed, Paragraph, Points, Section, Table
from impact.evidence.language import Texts
from impact.evidence.reading import plain

__all__ = ["glossary", "words"]

_BETWEEN = " / "


def glossary(sections: Sequence[Section], said: Sequence[str], say: Texts) -> tuple[Section, ...]:
    """The section with every word of the catalogue that `sections` or the lines `said` hold; none without any."""
    text = "\n".join([*said, *words(sections)]).casefold()
    keys = [key.removesuffix(".word") for key in say.entries if key.startswith("glossary.terms.")]
    terms = [(say(f"{key}.word"), say(f"{key}.text")) for key in keys if f"{key}.word" in say and key.count(".") == 2]
    rows: list[tuple[Cell, ...]] = [row for row in dict.fromkeys(terms) if _occurs(row[0], text)]
    if not rows:
        return ()
    rows.sort(key=lambda row: plain(row[0]).casefold())
    heads = (Column(say("glossary.word")), Column(say("glossary.meaning")))
    return (Section("woordenlijst", say("glossary.title"), (Table(say("glossary.caption"), heads, tuple(rows)),)),)


def _occurs(term: str, text: str) -> bool:
    """Whether one of its forms begins a word of the text."""
    return any(re.search(rf"(?<!\w){re.escape(form.casefold())}", text) for form in term.split(_BETWEEN))


def words(sections: Sequence[Section]) -> Iterator[str]:
    """Every text of some sections, but for what others say in a frame, and for drawings."""
    for section in sections:
        yield section.title
        for block in section.blocks:
            yield from map(plain, _cells(block))


def _cells(block: Block) -> Iterator[Cell]:
    match block:
        case Paragraph(pieces):
            yield from pieces
        case Points(items):
            yield from items
        case Figure(caption, _, table):
            yield caption
            yield from _cells(table)
        case Table():
            yield from (block.caption, block.note, *(column.title for column in block.columns), *(block.total or ()))
            yield from (cell for row in block.rows for cell in row)
        case Framed():
            return
