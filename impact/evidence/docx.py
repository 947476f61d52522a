"""From a manuscript to docx, to go on with in a word processor; its bytes depend on nothing but what is in it."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

from impact.errors import Problem, UsageError
from impact.evidence.columns import least, natural, shares
from impact.evidence.document import Block, Cell, Code, Figure, Foreign, Framed, Manuscript, Paragraph, Points, Table
from impact.evidence.marking import parted
from impact.evidence.reading import plain
from impact.files import zipped
from impact.harmless import shown

if TYPE_CHECKING:
    from docx.document import Document as Docx

__all__ = ["as_docx"]

_CULTURES = {"nl": "nl-NL", "en": "en-GB"}
_NO_XML = re.compile("[\ufffe\uffff]")
_DATE = datetime(2000, 1, 1)
_FONT = "Arial"  # that, or one as wide, is there on every system
_GAP = 3  # characters, between columns
_LETTERS = {9.0: 86, 8.5: 92, 7.5: 104}  # points, and how many characters a line of a table then holds
_WIDTH, _TALLEST = 0.7, 6_300_000  # of a picture: part of the line, and EMU, so that its caption and head fit too
_UPRIGHT = 5_976_000  # EMU between the margins of an upright page: 166 mm
_NOTHING: Mapping[str, bytes] = MappingProxyType({})


def as_docx(text: Manuscript, pictures: Mapping[str, bytes] = _NOTHING) -> bytes:
    """The bytes of a docx with headings, lists and tables by their own styles, and the language of every text.

    Parameters
    ----------
    text : Manuscript
        From title to last section.
    pictures : mapping of name to bytes
        PNG of its figures; without one a figure is told in words.

    Raises
    ------
    UsageError
        ``USAGE-040`` when python-docx is not installed.
    """
    try:
        from docx import Document
    except ImportError as error:
        hint = 'Install it with `python -m pip install "impact-nplv[report]"`; other forms need nothing more.'
        raise UsageError(Problem("USAGE-040", "docx is written with python-docx, which is not here.", hint)) from error
    made = Document()
    _prepared(made, text)
    made.add_heading(level=0)
    _filled(made.paragraphs[-1], (text.title,))
    _blocks(made, text.lead, pictures)
    for chapter in text.chapters:
        _heading(made, chapter.title, 1, chapter.blocks)
        _blocks(made, chapter.blocks, pictures)
        for section in chapter.sections:
            _heading(made, section.title, 2, section.blocks)
            _blocks(made, section.blocks, pictures)
    _marked(made, text.dutch)
    content = io.BytesIO()
    made.save(content)
    with ZipFile(content) as parts:
        return zipped({name: parts.read(name) for name in parts.namelist()})


def _prepared(made: Docx, text: Manuscript) -> None:
    """Paper, language, title and fixed dates, in place of what the template says."""
    from docx.oxml.ns import qn
    from docx.shared import Emu, Mm, Pt

    about = made.core_properties
    about.title, about.language = _clean(plain(text.title))[:255], _culture(text.language)
    about.author = about.last_modified_by = about.comments = ""
    about.created = about.modified = _DATE
    about.revision = 1
    for part, tag in ((made.styles, "w:lang"), (made.settings, "w:themeFontLang")):
        for language in part.element.iter(qn(tag)):
            language.set(qn("w:val"), _culture(text.language))
    for fonts in made.styles.element.iter(qn("w:rFonts")):
        fonts.attrib.clear()
        for script in ("ascii", "hAnsi", "cs", "eastAsia"):
            fonts.set(qn(f"w:{script}"), _FONT)
    made.styles["Normal"].font.size = Pt(10)
    for line in next(made.styles["Table Grid"].element.iter(qn("w:tblBorders"))):
        # Thin lines between the rows, and none between the columns.
        line.set(qn("w:val"), "nil" if line.tag in (qn("w:left"), qn("w:right"), qn("w:insideV")) else "single")
        line.set(qn("w:color"), "8C8C8C")
    page = made.sections[0]
    page.page_width, page.page_height = Mm(210), Mm(297)
    page.left_margin = page.right_margin = Emu((page.page_width - _UPRIGHT) // 2)
    package = made.part.package
    for name, relation in list(package.rels.items()):
        if relation.reltype.endswith("/thumbnail"):
            del package.rels[name]  # a picture of another page


def _culture(language: str) -> str:
    return _CULTURES.get(language, language)


def _heading(made: Docx, title: str, level: int, blocks: Sequence[Block]) -> None:
    """On the page of what follows it."""
    _page(made, turned=any(_too_wide(block) for block in blocks[:1]))
    made.add_heading(_clean(title), level=level)


def _page(made: Docx, *, turned: bool) -> None:
    """From here on a page on its side or upright, a new one where the last is not so."""
    from docx.enum.section import WD_ORIENT, WD_SECTION

    wanted, last = WD_ORIENT.LANDSCAPE if turned else WD_ORIENT.PORTRAIT, made.sections[-1]
    if last.orientation != wanted:
        page = made.add_section(WD_SECTION.NEW_PAGE)
        page.orientation = wanted
        page.page_width, page.page_height = last.page_height, last.page_width


def _too_wide(block: Block) -> bool:
    """Whether it is a table whose words do not fit an upright page."""
    return isinstance(block, Table) and sum(least(block)) + _GAP * len(block.columns) > max(_LETTERS.values())


def _blocks(made: Docx, blocks: Sequence[Block], pictures: Mapping[str, bytes]) -> None:
    for block in blocks:
        _page(made, turned=_too_wide(block))
        match block:
            case Paragraph(pieces):
                _filled(made.add_paragraph(), pieces)
            case Points(items):
                for item in items:
                    _filled(made.add_paragraph(style="List Bullet"), (item,))
            case Table():
                _table(made, block)
            case Framed(title, inside, source):
                first = len(made.paragraphs)
                _filled(made.add_paragraph(), (title,))
                made.paragraphs[-1].runs[0].bold = True
                _blocks(made, inside, pictures)
                _filled(made.add_paragraph(), (source,))
                _frame(made.paragraphs[first:])
            case Figure():
                _figure(made, block, pictures.get(block.name))
            case _:
                raise TypeError(f"a {block.kind} has no docx")


def _frame(paragraphs: Sequence[Any]) -> None:
    """One dashed frame around all of them."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    for paragraph in paragraphs:
        borders = OxmlElement("w:pBdr")
        for side in ("top", "left", "bottom", "right"):
            line = OxmlElement(f"w:{side}")
            for name, value in (("val", "dashed"), ("sz", "6"), ("space", "4"), ("color", "595959")):
                line.set(qn(f"w:{name}"), value)
            borders.append(line)
        paragraph._p.get_or_add_pPr().insert_element_before(
            borders, "w:shd", "w:tabs", "w:suppressAutoHyphens", "w:spacing", "w:ind", "w:jc", "w:rPr"
        )


def _figure(made: Docx, figure: Figure, picture: bytes | None) -> None:
    """Its caption, the picture with its alternative text, and the table of what it shows."""
    from docx.shared import Emu

    _caption(made, figure.caption)
    if picture is None:
        _filled(made.add_paragraph(), (figure.alternative,))
    else:
        paragraph = made.add_paragraph()
        paragraph.paragraph_format.keep_with_next = True
        drawn = paragraph.add_run().add_picture(io.BytesIO(picture))
        scale = min(_WIDTH * _room(made) / drawn.width, _TALLEST / drawn.height)
        drawn.width, drawn.height = Emu(int(scale * drawn.width)), Emu(int(scale * drawn.height))
        about = drawn._inline.docPr
        about.set("title", _clean(figure.caption))
        about.set("descr", _clean(figure.alternative))
    _page(made, turned=_too_wide(figure.table))
    _table(made, figure.table)


def _caption(made: Docx, caption: str) -> None:
    made.add_paragraph(_clean(caption), style="Caption").paragraph_format.keep_with_next = True


def _table(made: Docx, table: Table) -> None:
    """Its caption above it; its first row is repeated on every page as the head."""
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn
    from docx.shared import Emu, Pt

    _caption(made, table.caption)
    drawn = made.add_table(rows=1, cols=len(table.columns), style="Table Grid")
    about = OxmlElement("w:tblCaption")
    about.set(qn("w:val"), _clean(table.caption))
    drawn._tbl.tblPr.append(about)
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
        for cell, value in zip(cells, values, strict=True):
            _filled(cell.paragraphs[0], (value,))
    points, room = _letters(table, _room(made) / _UPRIGHT)
    numbers = [column.number for column in table.columns]
    for row in drawn.rows:
        for place, cell in enumerate(row.cells):
            paragraph = cell.paragraphs[0]
            paragraph.paragraph_format.space_after = Pt(0)
            if numbers[place]:
                paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
            for run in paragraph.runs:
                run.font.size = Pt(points)
    note = made.add_paragraph()
    note.paragraph_format.space_before = Pt(3)
    note.add_run(_clean(table.note)).font.size = Pt(8.5)
    drawn.autofit = False
    for column, share in zip(drawn.columns, shares(table, room, _GAP), strict=True):
        column.width = Emu(int(_room(made) * share))
        for cell in column.cells:
            cell.width = column.width


def _letters(table: Table, wider: float) -> tuple[float, int]:
    """As large as lets every text stand in one line, else every word, where a line is so many times an upright one."""
    gaps = _GAP * len(table.columns)
    rooms = {points: int(room * wider) for points, room in _LETTERS.items()}
    for widths in (natural(table), least(table)):
        for points, room in rooms.items():
            if sum(widths) + gaps <= room:
                return points, room
    return points, room


def _room(made: Docx) -> int:
    """The width between the margins."""
    page = made.sections[-1]
    return int(page.page_width or 0) - int(page.left_margin or 0) - int(page.right_margin or 0)


def _filled(paragraph: Any, pieces: Sequence[Cell]) -> None:
    """Pieces that follow each other, each in its own language."""
    for number, piece in enumerate(pieces):
        run = paragraph.add_run(f"{' ' if number else ''}{_clean(plain(piece))}")
        if isinstance(piece, Code):
            run.font.name = "Courier New"
        if isinstance(piece, Foreign | Code):
            _say(run, piece.lang if isinstance(piece, Foreign) else "zxx")


def _marked(made: Docx, dutch: Sequence[str]) -> None:
    """What is Dutch in a text of another language says so, in a run of its own."""
    from docx.oxml.ns import qn
    from docx.text.run import Run

    for element in list(made.element.iter(qn("w:r"))) if dutch else ():
        run = Run(element, made)
        pieces = parted(run.text, dutch)
        if element.find(f".//{qn('w:lang')}") is not None or not any(isinstance(piece, Foreign) for piece in pieces):
            continue
        for piece in pieces:
            part = Run(deepcopy(element), made)
            part.text = plain(piece)
            if isinstance(piece, Foreign):
                _say(part, piece.lang)
            element.addprevious(part._r)
        element.getparent().remove(element)


def _say(run: Any, language: str) -> None:
    """The language of a run, which spelling and speech go by."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    mark = OxmlElement("w:lang")
    mark.set(qn("w:val"), _culture(language))
    run._r.get_or_add_rPr().append(mark)


def _clean(text: str) -> str:
    """In one line, as XML may hold it, with what nobody sees written out."""
    return _NO_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", " ".join(shown(text).split()))
