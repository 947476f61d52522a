"""From a manuscript to docx, to go on with in a word processor; its bytes depend on nothing but what is written."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

from impact.errors import Problem, UsageError
from impact.evidence.document import Block, Cell, Code, Foreign, Manuscript, Paragraph, Points, Table
from impact.evidence.reading import plain
from impact.files import zipped
from impact.harmless import shown

if TYPE_CHECKING:
    from docx.document import Document as Docx

__all__ = ["as_docx"]

_CULTURES = {"nl": "nl-NL", "en": "en-GB"}
_NO_XML = re.compile("[\ufffe\uffff]")
_DATE = datetime(2000, 1, 1)
_NARROWEST, _WIDEST = 8, 40  # characters, of a column beside others


def as_docx(text: Manuscript) -> bytes:
    """The bytes of a docx with headings, lists and tables by their own styles, and the language of every text.

    Raises
    ------
    UsageError
        ``USAGE-040`` when python-docx is not installed.
    """
    try:
        from docx import Document
    except ImportError as error:
        hint = 'Install it with `python -m pip install "impact-nplv[report]"`; Markdown needs nothing more.'
        raise UsageError(Problem("USAGE-040", "docx is written with python-docx, which is not here.", hint)) from error
    made = Document()
    _prepared(made, text)
    made.add_heading(level=0)
    _filled(made.paragraphs[-1], (text.title,))
    _blocks(made, text.lead)
    for chapter in text.chapters:
        made.add_heading(_clean(chapter.title), level=1)
        _blocks(made, chapter.blocks)
        for section in chapter.sections:
            made.add_heading(_clean(section.title), level=2)
            _blocks(made, section.blocks)
    content = io.BytesIO()
    made.save(content)
    with ZipFile(content) as parts:
        return zipped({name: parts.read(name) for name in parts.namelist()})


def _prepared(made: Docx, text: Manuscript) -> None:
    """Paper, language, title and fixed dates, in place of what the template says."""
    from docx.oxml.ns import qn
    from docx.shared import Mm

    about = made.core_properties
    about.title, about.language = _clean(plain(text.title))[:255], _culture(text.language)
    about.author = about.last_modified_by = about.comments = ""
    about.created = about.modified = _DATE
    about.revision = 1
    for part, tag in ((made.styles, "w:lang"), (made.settings, "w:themeFontLang")):
        for language in part.element.iter(qn(tag)):
            language.set(qn("w:val"), _culture(text.language))
    page = made.sections[0]
    page.page_width, page.page_height = Mm(210), Mm(297)
    page.left_margin = page.right_margin = Mm(25)
    package = made.part.package
    for name, relation in list(package.rels.items()):
        if relation.reltype.endswith("/thumbnail"):
            del package.rels[name]  # a picture of another page


def _culture(language: str) -> str:
    return _CULTURES.get(language, language)


def _blocks(made: Docx, blocks: Sequence[Block]) -> None:
    for block in blocks:
        match block:
            case Paragraph(pieces):
                _filled(made.add_paragraph(), pieces)
            case Points(items):
                for item in items:
                    _filled(made.add_paragraph(style="List Bullet"), (item,))
            case Table():
                _table(made, block)
            case _:
                raise TypeError(f"a {block.kind} has no docx")


def _table(made: Docx, table: Table) -> None:
    """Its caption above it; its first row is repeated on every page as the head."""
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml import OxmlElement
    from docx.shared import Emu

    caption = made.add_paragraph(_clean(table.caption), style="Caption")
    caption.paragraph_format.keep_with_next = True
    drawn = made.add_table(rows=1, cols=len(table.columns), style="Table Grid")
    for cell, column in zip(drawn.rows[0].cells, table.columns, strict=True):
        cell.paragraphs[0].add_run(_clean(column.title)).bold = True
    drawn.rows[0]._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
    total = () if table.total is None else (table.total,)
    for values in (*table.rows, *total):
        row = drawn.add_row()
        row._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))
        cells = list(row.cells)
        if len(values) < len(cells):
            cells[1:] = [cells[1].merge(cells[-1])]
        for cell, value, column in zip(cells, values, table.columns, strict=False):
            _filled(cell.paragraphs[0], (value,))
            if column.number:
                cell.paragraphs[0].alignment = WD_ALIGN_PARAGRAPH.RIGHT
    made.add_paragraph(_clean(table.note))
    drawn.autofit = False
    page = made.sections[0]
    room = int(page.page_width or 0) - int(page.left_margin or 0) - int(page.right_margin or 0)
    for column, share in zip(drawn.columns, _shares(table), strict=True):
        column.width = Emu(int(room * share))
        for cell in column.cells:
            cell.width = column.width


def _shares(table: Table) -> list[float]:
    """Of the width, by the longest text of each column; a long text is folded."""
    texts = zip(*([column.title for column in table.columns], *map(_texts, table.rows)), strict=True)
    wide = [min(max([*map(len, column), _NARROWEST]), _WIDEST) for column in texts]
    return [width / sum(wide) for width in wide]


def _texts(row: Sequence[Cell]) -> list[str]:
    return [plain(cell) for cell in row]


def _filled(paragraph: Any, pieces: Sequence[Cell]) -> None:
    """Pieces that follow each other, each in its own language."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    for number, piece in enumerate(pieces):
        run = paragraph.add_run(f"{' ' if number else ''}{_clean(plain(piece))}")
        if isinstance(piece, Code):
            run.font.name = "Courier New"
        if isinstance(piece, Foreign | Code):
            mark = OxmlElement("w:lang")
            mark.set(qn("w:val"), _culture(piece.lang) if isinstance(piece, Foreign) else "zxx")
            run._r.get_or_add_rPr().append(mark)


def _clean(text: str) -> str:
    """In one line, as XML may hold it, with what nobody sees written out."""
    return _NO_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", " ".join(shown(text).split()))
