"""From a document to HTML, and from its sections to plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import fill

from jinja2 import Environment, PackageLoader, StrictUndefined

from impact.evidence.document import Cell, Document, Paragraph, Points, Section
from impact.evidence.language import Texts, texts
from impact.evidence.marking import marked
from impact.harmless import shown

__all__ = ["environment", "html", "plain_text"]


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


def plain_text(sections: Sequence[Section], width: int = 100) -> str:
    """Sections of paragraphs and points as lines of text; a table or a figure has no such form."""
    return "\n\n".join("\n".join([section.title, *_lines(section, width)]) for section in sections)


def _lines(section: Section, width: int) -> Iterator[str]:
    for number, block in enumerate(section.blocks):
        if number:
            yield ""
        match block:
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
