"""A manuscript as Markdown and as docx: read back with other readers, every text is the text that went in."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from collections.abc import Sequence
from zipfile import ZipFile

import pytest
from docx import Document as opened
from docx.oxml.ns import qn
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from impact.errors import UsageError
from impact.evidence.document import (
    Block,
    Cell,
    Chapter,
    Code,
    Column,
    Figure,
    Foreign,
    Framed,
    Manuscript,
    Paragraph,
    Points,
    Section,
    Table,
)
from impact.evidence.docx import as_docx
from impact.evidence.markdown import as_markdown
from impact.harmless import shown
from tests.shared import ROOT

HOSTILE = [
    "# kop", "- punt", "1. punt", "2) punt", "+ x", "===", "---", "***", "> citaat", "```", "~~~", "| a | b |", "a|b",
    "<script>alert(1)</script>", "[klik](javascript:alert(1))", "![x](y)", "&lt;b&gt; &#60;", "*nadruk* _nadruk_ __x__",
    "huur_pct en _id", "`code`", "`` ` ``", "kop #", "\\*x\\", "$x$", "a\n\n# b", "\u202etxet", "\x00\ufffe\uffff",
    "<!-- x -->", "http://x.example", "[x]: y", "a  \nb", "\ttab", "-3", "=1+1", "", "😀",
]  # fmt: skip


def written(text: str) -> str:
    """A text as a reader may expect it: in one line, with what nobody sees written out."""
    return " ".join(shown(text).split())


def manuscript(*blocks: Block, language: str = "nl", title: Cell = "Titel") -> Manuscript:
    return Manuscript(language, title, (), (Chapter("Deel", (Section("a", "Vraag", blocks),)),))


def table(rows: Sequence[tuple[Cell, ...]], total: tuple[Cell, Cell] | None = None) -> Table:
    return Table("Bijschrift", (Column("Wat"), Column("Getal", number=True)), tuple(rows), "Noot.", total=total)


def said(token: Token) -> str:
    """The text of an inline token; anything but text and code is told by its kind."""
    parts = (child.content if child.type in ("text", "code_inline") else f"<{child.type}>" for child in token.children)
    return "".join(parts)


def read(markdown: str) -> list[tuple[str, str]]:
    """Every text of a Markdown page with the kind of block that it stands in."""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    assert not [token for token in tokens if token.type in ("html_block", "fence", "code_block", "hr")]
    within = [tokens[number - 1].tag for number, token in enumerate(tokens) if token.type == "inline"]
    return list(zip(within, (said(token) for token in tokens if token.type == "inline"), strict=True))


TEXT = st.one_of(st.text(), st.sampled_from(HOSTILE), st.lists(st.sampled_from(HOSTILE), max_size=3).map(" ".join))


@settings(max_examples=200)
@given(TEXT)
def test_no_text_becomes_markup_in_markdown(text: str) -> None:
    filled = f"{text}x"  # an empty paragraph is none
    page = manuscript(Paragraph((filled, Code("b"))), Points((filled, "y")), table([(text, Code("c")), ("z", text)]))
    expected = [("h1", "Titel"), ("h2", "Deel"), ("h3", "Vraag"), ("p", f"{written(filled)} b")]
    expected += [("p", written(filled)), ("p", "y"), ("p", "<em_open>Bijschrift<em_close>")]
    cells = [("th", "Wat"), ("th", "Getal"), ("td", written(text)), ("td", "c"), ("td", "z"), ("td", written(text))]
    assert read(as_markdown(page)) == [*expected, *cells, ("p", "Noot.")]


@given(TEXT)
@example("`")
@example("a``b`")
@example("|")
def test_a_code_in_markdown_is_the_code(text: str) -> None:
    found = read(as_markdown(manuscript(table([(Code(text), "x")]), Paragraph((Code(text), ".")))))
    assert ("td", written(text)) in found
    assert found[-1] == ("p", f"{written(text)} ." if written(text) else ".")


@given(TEXT)
def test_titles_are_titles(text: str) -> None:
    filled = f"{text}x"
    page = Manuscript("nl", filled, (), (Chapter(filled, (Section("a", filled, ()),)),))
    assert read(as_markdown(page)) == [(f"h{level}", written(filled)) for level in (1, 2, 3)]


@settings(max_examples=40, deadline=None)
@given(TEXT)
def test_a_docx_holds_every_text(text: str) -> None:
    page = manuscript(Paragraph((text, Code("b"))), Points((text,)), table([(text, "1")]), title=text)
    found = opened(io.BytesIO(as_docx(page)))

    def xml(told: str) -> str:
        return written(told).replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")

    assert [(one.style.name, one.text) for one in found.paragraphs] == [
        ("Title", xml(text)),
        ("Heading 1", "Deel"),
        ("Heading 2", "Vraag"),
        ("Normal", f"{xml(text)} b"),
        ("List Bullet", xml(text)),
        ("Caption", "Bijschrift"),
        ("Normal", "Noot."),
    ]
    assert [[cell.text for cell in row.cells] for row in found.tables[0].rows] == [["Wat", "Getal"], [xml(text), "1"]]


def test_a_docx_says_its_language_its_heads_and_nothing_of_the_machine() -> None:
    total = ("Samen", "2")
    wide = Table("T", (Column("a"), Column("b", number=True), Column("c")), (("1", "2", "3"),), total=total)
    page = manuscript(Paragraph((Foreign("Hello", "en"), "dag")), wide, language="nl", title=Foreign("Title", "en"))
    content = as_docx(page)
    found = opened(io.BytesIO(content))
    about = found.core_properties
    assert (about.title, about.language, about.author, about.comments) == ("Title", "nl-NL", "", "")
    assert about.created == about.modified and about.created.year == 2000
    styles = found.styles.element
    assert {mark.get(qn("w:val")) for mark in styles.iter(qn("w:lang"))} == {"nl-NL"}
    marks = [mark.get(qn("w:val")) for one in found.paragraphs for mark in one._p.iter(qn("w:lang"))]
    assert marks == ["en-GB", "en-GB"], "a text in another language says so, in the title and inside"
    head, *rows = found.tables[0].rows
    assert head._tr.trPr.find(qn("w:tblHeader")) is not None and all(
        cell.paragraphs[0].runs[0].bold for cell in head.cells
    )
    assert not [row for row in rows if row._tr.trPr.find(qn("w:tblHeader")) is not None]
    assert [cell.text for cell in rows[-1].cells] == ["Samen", "2", "2"], "one value for all columns is one cell"
    with ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == sorted(archive.namelist()) and archive.namelist()[0] == "[Content_Types].xml"
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert not [name for name in archive.namelist() if "thumbnail" in name]


def test_a_docx_has_the_same_bytes_later() -> None:
    page = manuscript(Paragraph(("dag",)), table([("a", "1")]))
    first = as_docx(page)
    time.sleep(2.1)  # the clock of a zip has steps of two seconds
    assert as_docx(page) == first
    assert as_docx(manuscript(Paragraph(("dag.",)))) != first


def test_without_python_docx_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docx", None)
    with pytest.raises(UsageError, match=r"USAGE-040.*python-docx") as raised:
        as_docx(manuscript())
    assert "impact-nplv[report]" in str(raised.value)
    assert as_markdown(manuscript()).startswith("# Titel")


def test_the_commands_load_no_docx_before_they_write_one() -> None:
    code = (
        "import impact, impact.cli, impact.evidence.docx, sys; print([m for m in ('docx', 'lxml') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_figure_is_told_and_its_numbers_are_there() -> None:
    drawing = '<svg><title id="gap-title">Het verschil</title><desc id="gap-text">van 1 &lt; 2</desc></svg>'
    page = manuscript(Figure("Figuur", drawing, table([("a", "1")])))
    found = opened(io.BytesIO(as_docx(page)))
    assert [one.text for one in found.paragraphs][3:6] == ["Figuur", "Het verschil. van 1 < 2", "Bijschrift"]
    assert [[cell.text for cell in row.cells] for row in found.tables[0].rows] == [["Wat", "Getal"], ["a", "1"]]
    texts = [said for _, said in read(as_markdown(page))]
    assert texts[3:] == ["<em_open>Figuur<em_close>", "Het verschil. van 1 < 2", "<em_open>Bijschrift<em_close>",
                         "Wat", "Getal", "a", "1", "Noot."]  # fmt: skip


def test_what_somebody_else_says_stands_in_a_frame() -> None:
    said_there = Framed("Kader", (Paragraph(("een", "twee")), Points(("punt",))), "Bron.")
    page = manuscript(Paragraph(("ervoor",)), said_there, Paragraph(("erna",)))
    found = opened(io.BytesIO(as_docx(page)))
    framed = [one.text for one in found.paragraphs if one._p.find(f".//{qn('w:pBdr')}") is not None]
    assert framed == ["Kader", "een twee", "punt", "Bron."]
    lines = as_markdown(page).split("### Vraag")[1].strip().splitlines()
    assert [line for line in lines if line] == [
        "ervoor",
        "> Kader",
        ">",
        "> een twee",
        ">",
        "> - punt",
        ">",
        "> Bron.",
        "erna",
    ]
