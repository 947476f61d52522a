"""From a document to HTML, and from its sections to plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import fill

from jinja2 import Environment, PackageLoader, StrictUndefined

from impact.evidence.document import Block, Cell, Document, Framed, Paragraph, Points, Section
from impact.evidence.language import Texts
from impact.harmless import shown

__all__ = ["html", "plain_text"]


def html(document: Document, say: Texts) -> str:
    """One self-contained HTML5 page; every text is escaped and hides nothing, the SVG of figures is as it was drawn."""
    environment = Environment(
        loader=PackageLoader("impact.evidence", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_legible,
    )
    return environment.get_template("report.html").render(document=document, say=say)


def _legible(value: object) -> object:
    """A text with what nobody sees in it written out; markup is of our own making."""
    return shown(value) if type(value) is str else value


def plain_text(sections: Sequence[Section], width: int = 100) -> str:
    """Sections of paragraphs and points as lines of text; a table or a figure has no such form."""
    return "\n\n".join("\n".join([section.title, *_lines(section.blocks, width)]) for section in sections)


def _lines(blocks: Sequence[Block], width: int) -> Iterator[str]:
    for number, block in enumerate(blocks):
        if number:
            yield ""
        match block:
            case Framed(title, inside, source):
                yield _wrapped(_text(title), "  | ", "  | ", width)
                yield from (f"  | {line.removeprefix('  ')}".rstrip() for line in _lines(inside, width - 2))
                yield _wrapped(source, "  | ", "  | ", width)
            case Paragraph(pieces):
                yield _wrapped(" ".join(_text(piece) for piece in pieces), "  ", "  ", width)
            case Points(items):
                yield from (_wrapped(_text(item), "  - ", "    ", width) for item in items)
            case _:
                raise TypeError(f"a {block.kind} has no plain text")


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell.text


def _wrapped(text: str, first: str, rest: str, width: int) -> str:
    return fill(
        text, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
