"""Every form of a report says what its page says: the same tables cell by cell, and the same words."""

from __future__ import annotations

import io
import re
import unicodedata
from functools import cache
from zipfile import ZipFile

import pytest
from docx import Document as opened
from docx.oxml.ns import qn
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from openpyxl import load_workbook

from impact.errors import UsageError
from impact.evidence.columns import fitted
from impact.evidence.document import Column, Document, Figure, Framed, Paragraph, Points, Section, Table
from impact.evidence.forms import SUFFIXES, formed
from impact.evidence.language import languages, texts
from impact.evidence.latex import escaped
from impact.evidence.plots import figures
from impact.evidence.report import document
from impact.evidence.sheets import read_number
from impact.evidence.svg import drawn_too
from impact.harmless import shown
from tests.report.read_forms import FORMS, Page, Read, read, squeezed, untex
from tests.report.samples import ALL, ORDINARY

LANGUAGES = ("nl", "en")
OTHERS = tuple(form for form in FORMS if form != "html")
NASTY = "\\input{/etc/passwd} \\write18{ls} 100% a_b & {x}} =cmd|' /C calc'!A0 <script>alert(1)</script> $x^2$ ~#`\"[*"
HIDDEN = "a\x00b\x1b[31m \u202etxet\u200b"
SIGNS = "Ünïcødé — ‘q’ “q” „q” €5 ½ × ± ≤ ≥ λ → − -- --- ,, << >> ?` !` '' 😀 漢字 ḍ ﬁ e\u0301"


DRAWING = '<svg role="img"><title id="{name}-title">Titel</title><desc id="{name}-text">Wat er staat.</desc></svg>'


@cache
def parts(name: str, language: str) -> Document:
    """With a place for every figure; the drawings themselves are looked at elsewhere."""
    drawings = {one: DRAWING.format(name=one) for one in ("gap", "event-study", "balance", "flow", "specifications")}
    return document(ALL[name], drawings, language)


@cache
def written(name: str, form: str, language: str) -> bytes:
    return formed(parts(name, language), form, texts(language, ALL[name].level), {})


@cache
def pages(name: str, form: str, language: str) -> Page:
    return read(form, written(name, form, language), language)


def same(found: Read, expected: Read, form: str, *, total: bool = False) -> None:
    """Cell by cell; in a text the only row, and the total (where there is a long one), are folded without a sign."""
    rows = found.rows
    if form == "text" and len(expected.rows) == 1 and len(rows) > 1:
        rows = (tuple(" ".join(column) for column in zip(*rows, strict=True)),)
    if form == "xlsx":  # notes follow the rows, and a total is as wide as they are
        pairs = zip(rows, expected.rows, strict=False)
        rows = tuple((row[0], row[-1]) if len(own) < len(row) else row for row, own in pairs)
    said, own = ([[*map(squeezed, row)] for row in every] for every in (rows, expected.rows))
    if form == "text" and total:
        said, own = ([*every[:-1], ["".join(every[-1])]] for every in (said, own))
    assert squeezed(found.caption) == squeezed(expected.caption)
    assert [*map(squeezed, found.head)] == [*map(squeezed, expected.head)]
    assert said == own


@pytest.mark.parametrize("form", OTHERS)
@pytest.mark.parametrize(("name", "language"), [*((name, "nl") for name in ALL), ("ordinary", "en"), ("robust", "en")])
def test_every_form_has_every_table_of_the_page(name: str, form: str, language: str) -> None:
    page, found = pages(name, "html", language), pages(name, form, language)
    assert page.tables and [len(page.tables), len(found.tables)] == [len(page.tables)] * 2
    for mine, own in zip(found.tables, page.tables, strict=True):
        same(mine, own, form)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["ordinary", "robust", "sealed"])
def test_every_form_has_the_words_of_the_first_page(name: str, language: str) -> None:
    page = parts(name, language)
    said = [page.status, *page.standing, page.result.title, *(page.warning or ())]
    said += [_plain(piece) for block in page.result.blocks if isinstance(block, Paragraph) for piece in block.pieces]
    for form in FORMS:
        words = squeezed(pages(name, form, language).words)
        assert [one for one in said if squeezed(one) not in words] == [], form
    whole = [block for part in (*page.front, *page.account) for block in part.blocks]
    rest = [_plain(piece) for block in whole for piece in _prose(block)]
    for form in ("html", "docx", "text"):
        words = squeezed(pages(name, form, language).words)
        assert [one for one in rest if squeezed(one) not in words] == [], form


def _prose(block: object) -> tuple[object, ...]:
    return block.pieces if isinstance(block, Paragraph) else block.items if isinstance(block, Points) else ()


def _plain(cell: object) -> str:
    return cell if isinstance(cell, str) else str(cell.text)  # type: ignore[attr-defined]


def test_the_text_fits_its_lines() -> None:
    for name in ALL:
        lines = written(name, "text", "nl").decode("utf-8").splitlines()
        long = [line for line in lines if len(line) > 100 and " " in line.strip()]
        assert long == [], name


# --- hostile texts ----------------------------------------------------------------------------------------------------


def hostile(text: str) -> Document:
    table = Table(
        text, (Column(text), Column(text, number=True)), ((text, text), ("b", "1,5")), text, total=(text, text)
    )
    drawing = f'<svg><title id="{"x"}-title">t</title><desc id="x-text">{"d"}</desc></svg>'
    blocks = (
        Paragraph((text, text)),
        Points((text,)),
        table,
        Figure(text, drawing, table),
        Framed(text, (Paragraph((text,)),), text),
    )
    part = Section("a", text, blocks)
    return Document("nl", text, text, text, ((text, text),), (text, text), part, (part,), (part,), (text,))


@pytest.mark.parametrize("text", [NASTY, HIDDEN, SIGNS, "=1+1", "+x", "-3", "@a", "a\tb", "a\n\nb", "x" * 300])
def test_a_hostile_text_stays_a_text(text: str) -> None:
    made = {form: formed(hostile(text), form, texts("nl"), {}) for form in FORMS}
    page = read("html", made["html"])
    for form in ("docx", "xlsx", "text"):
        found = read(form, made[form])
        for mine, own in zip(found.tables, page.tables, strict=True):
            same(mine, own, form, total=True)
    with ZipFile(io.BytesIO(made["docx"])) as archive:
        for name in archive.namelist():
            if name.endswith((".xml", ".rels")):
                etree.fromstring(archive.read(name))
    book = load_workbook(io.BytesIO(made["xlsx"]))
    kinds = {cell.data_type for sheet in book.worksheets for row in sheet.iter_rows() for cell in row}
    assert kinds <= {"s", "n"}, "no formula, no link"
    assert not any(cell.hyperlink for sheet in book.worksheets for row in sheet.iter_rows() for cell in row)


def test_no_text_becomes_a_command_of_tex() -> None:
    said = escaped(NASTY)
    commands = set(re.findall(r"\\([A-Za-z]+)", said))
    signs = {"backslash", "quotesingle", "asciicircum", "asciitilde", "asciigrave", "quotedbl"}
    assert commands <= {"allowbreak", *(f"text{sign}" for sign in signs)}
    bare = re.sub(r"\\[A-Za-z]+|\\[{}$&#%_]", "", said)
    assert not re.search(r"[\\$&#%_^~]", bare) and bare.count("{") == bare.count("}")
    assert re.fullmatch(r"[\x20-\x7e¡-ž‐-‧€™←-↓]*", escaped(SIGNS + HIDDEN)), "nothing without a glyph"
    assert "U+1F600" in escaped("😀") and escaped("e\u0301") == "é" and escaped("a\nb") == "a b"


LETTERS = [*map(chr, (*range(32, 127), *range(0xA1, 0x180))), *"−–—‘’“”…€→"]


@given(st.text(st.sampled_from(LETTERS)))
def test_tex_sets_every_text_as_it_stands(text: str) -> None:
    supported = "".join(sign for sign in text if "U+" not in escaped(sign))
    assert untex(escaped(supported)) == " ".join(unicodedata.normalize("NFC", shown(supported)).split())
    assert not re.search(r"--|,,|<<|>>|[?!]`|``|\'\'", re.sub(r"\\[A-Za-z]+", "", escaped(supported))), "no ligature"


# --- bytes, languages, numbers ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn() -> tuple[Document, dict[str, bytes]]:
    with drawn_too() as pictures:
        return document(ORDINARY, figures(ORDINARY), "nl"), pictures


def test_the_same_bytes_twice(drawn: tuple[Document, dict[str, bytes]]) -> None:
    page, pictures = drawn
    assert page == document(ORDINARY, figures(ORDINARY), "nl"), "with pictures made too a drawing is what it is"
    with drawn_too() as again:
        assert page == document(ORDINARY, figures(ORDINARY), "nl")
    assert pictures == again and {"flow", "gap", "event-study", "balance"} <= set(pictures)
    for form in FORMS:
        assert formed(page, form, texts("nl"), pictures) == formed(page, form, texts("nl"), again)


def test_pictures_of_a_docx_have_their_alternative_text_and_nothing_of_the_machine(
    drawn: tuple[Document, dict[str, bytes]],
) -> None:
    page, pictures = drawn
    content = formed(page, "docx", texts("nl"), pictures)
    shown = [block for part in page.account for block in part.blocks if isinstance(block, Figure)]
    found = opened(io.BytesIO(content))
    about = [mark.get("descr") for mark in found.element.iter(qn("wp:docPr"))]
    assert about == [figure.alternative for figure in shown] and all(len(text) > 80 for text in about)
    with ZipFile(io.BytesIO(content)) as archive:
        images = [archive.read(name) for name in archive.namelist() if name.startswith("word/media/")]
    assert sorted(images) == sorted(pictures[figure.name] for figure in shown)
    for image in images:
        kinds = re.findall(rb"(tEXt|iTXt|zTXt|tIME|eXIf)", image)
        assert image.startswith(b"\x89PNG") and kinds == []


def test_a_docx_is_of_a_language_and_its_heads_repeat() -> None:
    for language, culture in (("nl", "nl-NL"), ("en", "en-GB")):
        found = opened(io.BytesIO(written("ordinary", "docx", language)))
        assert found.core_properties.language == culture
        assert {mark.get(qn("w:val")) for mark in found.styles.element.iter(qn("w:lang"))} == {culture}
        assert all(table.rows[0]._tr.trPr.find(qn("w:tblHeader")) is not None for table in found.tables)
        levels = [int(one.style.name[-1]) for one in found.paragraphs if one.style.name.startswith("Heading")]
        assert levels[0] == 1 and set(levels) == {1, 2}


@pytest.mark.parametrize(
    ("text", "language", "value", "form"),
    [
        ("−7,7", "nl", -7.7, "0.0"),
        ("+0,10", "nl", 0.1, '"+"0.00'),
        ("2.310", "nl", 2310, "#,##0"),
        ("2,310.5", "en", 2310.5, "#,##0.0"),
        ("18%", "nl", 0.18, "0%"),
        ("0", "en", 0, "0"),
        ("1.234.567,8", "nl", 1234567.8, "#,##0.0"),
    ],
)
def test_a_number_is_read_as_the_language_writes_it(text: str, language: str, value: float, form: str) -> None:
    found = read_number(text, texts(language))
    assert found is not None and found.value == pytest.approx(value, abs=1e-12) and found.form.split(";")[0] == form


@pytest.mark.parametrize(
    "text", ["", "niet gegeven", "< 0,01", "2.31", "1,5 (van 1 tot 2)", "-3", "1e5", "٣", "2023–2025", "9" * 16]
)
def test_what_is_no_number_stays_a_text(text: str) -> None:
    assert read_number(text, texts("nl")) is None


def test_columns_that_cannot_stand_beside_each_other_stand_below() -> None:
    columns = tuple(Column(f"kop{number}", number=True) for number in range(12))
    table = Table("Breed", columns, (tuple("9.999.999.999" for _ in columns),))
    assert fitted(table, 98) is None
    part = Section("a", "A", (table,))
    page = Document("nl", "T", "V", "S", (), None, part, (), ())
    lines = formed(page, "text", texts("nl"), {}).decode("utf-8").splitlines()
    assert [line.strip() for line in lines if "kop" in line] == [f"kop{number}: 9.999.999.999" for number in range(12)]


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(UsageError, match=r"USAGE-050.*'pdf'") as raised:
        formed(document(ORDINARY, {}), "pdf", texts("nl"), {})
    assert all(form in str(raised.value) for form in SUFFIXES) and set(SUFFIXES) == set(FORMS)


def test_the_languages_are_those_of_the_project() -> None:
    assert set(LANGUAGES) == set(languages())
