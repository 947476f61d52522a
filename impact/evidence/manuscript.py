"""A report as one text from title to last section, with its tables and figures numbered as its page numbers them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from impact.evidence.document import Block, Cell, Chapter, Document, Figure, Manuscript, Paragraph, Table
from impact.evidence.language import Texts
from impact.evidence.reading import plain

__all__ = ["manuscript", "one_line", "tables"]


def manuscript(document: Document, say: Texts) -> Manuscript:
    """The whole report in the order of its page."""
    numbered = _Numbered(say)
    chapters = [Chapter(part.title, (), numbered.all(part.blocks)) for part in (document.result, *document.front)]
    account = tuple(replace(part, blocks=numbered.all(part.blocks)) for part in document.account)
    chapters += [Chapter(say("ui.account"), account)] if account else []
    return Manuscript(document.language, document.title, tuple(_lead(document, say)), tuple(chapters), document.dutch)


def tables(text: Manuscript) -> Iterator[tuple[str, Table]]:
    """Every table, those of figures too, with the title of the part that it stands in."""
    yield from ((plain(text.title), table) for table in _tables(text.lead))
    for chapter in text.chapters:
        yield from ((chapter.title, table) for table in _tables(chapter.blocks))
        for section in chapter.sections:
            yield from ((section.title, table) for table in _tables(section.blocks))


def one_line(cell: Cell) -> str:
    """The text of a cell in one line."""
    return " ".join(plain(cell).split())


def _lead(document: Document, say: Texts) -> Iterator[Block]:
    yield Paragraph((say("ui.report"),))
    yield Paragraph((document.question,))
    yield Paragraph((f"{say('ui.status')}: {document.status}",))
    if document.standing:
        yield Paragraph(document.standing)
    if document.others:
        others = ", ".join(f"{title} ({file})" for title, file in document.others)
        yield Paragraph((f"{say('status.others')}: {others}",))
    if document.warning:
        yield Paragraph(document.warning)


def _tables(blocks: Sequence[Block]) -> Iterator[Table]:
    for block in blocks:
        if isinstance(block, Table):
            yield block
        elif isinstance(block, Figure):
            yield block.table


@dataclass(slots=True)
class _Numbered:
    """Counts tables and figures, and writes the number before the caption."""

    say: Texts
    table: int = 0
    figure: int = 0

    def all(self, blocks: Sequence[Block]) -> tuple[Block, ...]:
        return tuple(map(self._one, blocks))

    def _one(self, block: Block) -> Block:
        if isinstance(block, Figure):
            self.figure += 1
            caption = f"{self.say('ui.figure')} {self.figure}. {block.caption}"
            return replace(block, caption=caption, table=self._table(block.table))
        return self._table(block) if isinstance(block, Table) else block

    def _table(self, table: Table) -> Table:
        self.table += 1
        return replace(table, caption=f"{self.say('ui.table')} {self.table}. {table.caption}")
