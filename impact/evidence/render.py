"""From a document to HTML, and from a text or its sections to lines of plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import fill

from jinja2 import Environment, PackageLoader, StrictUndefined

from impact.evidence.aligned import aligned
from impact.evidence.document import (
    Block,
    Cell,
    Document,
    Figure,
    Framed,
    Manuscript,
    Paragraph,
    Points,
    Section,
    Table,
)
from impact.evidence.language import Texts, texts
from impact.evidence.marking import marked
from impact.harmless import shown

__all__ = ["as_text", "environment", "html", "plain_text"]


def html(document: Document, say: Texts) -> str:
    """One self-contained HTML5 page; every text is escaped and hides nothing, the SVG of figures is as it was drawn.

    What stands in it in another language than its own is marked.
    """
    other = texts("nl" if document.language == "en" else "en")
    page = environment().get_template("report.html").render(document=document, say=say, other=other)
    return marked(page, document.dutch)


def environment() -> Environment:
    """The templates of pages; every text in them is escaped, and hides nothing."""
    return Environment(
        loader=PackageLoader("impact.evidence", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_legible,
    )


def _legible(value: object) -> object:
    """A text with what nobody sees in it written out; markup is of our own making."""
    return shown(value) if type(value) is str else value


def as_text(text: Manuscript, width: int = 100) -> str:
    """The whole text in lines of at most `width` characters; a figure by its alternative text and its table."""
    parts = [_heading(_text(text.title), "=", width), *_blocks(text.lead, width)]
    for chapter in text.chapters:
        parts += [_heading(chapter.title, "=", width), *_blocks(chapter.blocks, width)]
        for section in chapter.sections:
            parts += [_heading(section.title, "-", width), *_blocks(section.blocks, width)]
    return "\n\n".join(parts) + "\n"


def plain_text(sections: Sequence[Section], width: int = 100) -> str:
    """Sections as lines of text: the title of each, and its blocks."""
    return "\n\n".join("\n".join([section.title, *_lines(section.blocks, width)]) for section in sections)


def _heading(title: str, mark: str, width: int) -> str:
    lines = _wrapped(shown(" ".join(title.split())), "", "", width).splitlines() or [""]
    return "\n".join([*lines, mark * max(map(len, lines))])


def _blocks(blocks: Sequence[Block], width: int) -> list[str]:
    return ["\n".join(_lines(blocks, width))] if blocks else []


def _lines(blocks: Sequence[Block], width: int) -> Iterator[str]:
    for number, block in enumerate(blocks):
        if number:
            yield ""
        match block:
            case Paragraph(pieces):
                yield _wrapped(" ".join(_text(piece) for piece in pieces), "  ", "  ", width)
            case Points(items):
                yield from (_wrapped(_text(item), "  - ", "    ", width) for item in items)
            case Table():
                yield from _table(block, width)
            case Framed(title, inside, source):
                said = [_wrapped(_text(title), "", "", width - 4), *_lines(inside, width - 2)]
                said.append(_wrapped(shown(source), "", "", width - 4))
                for line in "\n".join(said).splitlines():
                    yield f"  | {line.removeprefix('  ')}".rstrip()
            case Figure():
                yield _wrapped(block.caption, "  ", "  ", width)
                yield _wrapped(shown(block.alternative), "  ", "  ", width)
                yield ""
                yield from _table(block.table, width)
            case _:
                raise TypeError(f"a {block.kind} has no plain text")


def _table(table: Table, width: int) -> Iterator[str]:
    yield _wrapped(shown(table.caption), "  ", "  ", width)
    yield from (f"  {line}".rstrip() for line in aligned(table, width - 2))
    if table.note:
        yield _wrapped(shown(table.note), "  ", "  ", width)


def _text(cell: Cell) -> str:
    return shown(cell if isinstance(cell, str) else cell.text)


def _wrapped(text: str, first: str, rest: str, width: int) -> str:
    return fill(
        text, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
