"""The first page and what is explained on it: notes as text, people by hand, words only where they occur."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.evidence.context_notes import Note, framed
from impact.evidence.document import Foreign, Framed, Paragraph, Points, Section
from impact.evidence.glossary import glossary
from impact.evidence.in_persons import AlsoAs, in_persons
from impact.evidence.language import date_words, texts
from impact.evidence.reading import named
from impact.evidence.report import document, report_html
from impact.register.indicators import indicators
from tests.report.samples import ORDINARY, SEALED
from tests.report.test_language import FORBIDDEN
from tests.report.test_report import body_text

DUTCH, ENGLISH = texts("nl"), texts("en")


def told(text: str) -> Framed:
    return framed(Note("noten/a.md", "0" * 64, text), DUTCH)


# --- notes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "title", "blocks"),
    [
        ("", "a.md", ()),
        ("Een regel\nen nog een.", "a.md", (Paragraph(("Een regel en nog een.",)),)),
        ("# Kop\r\n\r\nTekst", "Kop", (Paragraph(("Tekst",)),)),
        ("\ufeff# Kop #\nTekst", "Kop", (Paragraph(("Tekst",)),)),
        ("- a\n- b\n\n1. c", "a.md", (Points(("a", "b")), Points(("c",)))),
        ("Tekst\n- a\nverder", "a.md", (Paragraph(("Tekst",)), Points(("a verder",)))),
        ("> citaat\n> verder", "a.md", (Paragraph(("citaat verder",)),)),
        ("a\n\n---\n\nb", "a.md", (Paragraph(("a",)), Paragraph(("b",)))),
        ("**vet** _schuin_ `code` 5*3 snake_case", "a.md", (Paragraph(("vet schuin code 5*3 snake_case",)),)),
        (
            "[x](http://y) ![plaatje](z.png) <https://a.nl>",
            "a.md",
            (Paragraph(("x (http://y) plaatje https://a.nl",)),),
        ),
        ("<script>alert(1)</script>", "a.md", (Paragraph(("<script>alert(1)</script>",)),)),
        ("[x](javascript:alert(1))", "a.md", (Paragraph(("[x](javascript:alert(1))",)),)),
    ],
)
def test_a_small_part_of_markdown_is_read_as_text(text: str, title: str, blocks: tuple[object, ...]) -> None:
    found = told(text)
    assert (found.title, found.blocks) == (title, blocks)


@given(st.text(alphabet="ab #*-_`>[]()!<\n.1", max_size=80))
def test_no_word_of_a_note_is_lost(text: str) -> None:
    """Letters outside links and fences come through, in order."""
    if re.search(r"[!\[\]()<>`~]", text):
        told(text)  # must not fail
        return
    found = told(text)
    kept = "" if found.title == "a.md" else str(found.title)
    for block in found.blocks:
        kept += " ".join(map(str, block.pieces if isinstance(block, Paragraph) else block.items))
    assert re.findall("[ab]", kept) == re.findall("[ab]", text)


def test_a_note_is_marked_as_dutch_on_an_english_page() -> None:
    found = framed(Note("noten/a.md", "0" * 64, "# Kop\n\nTekst\n\n- punt"), ENGLISH)
    assert found.title == Foreign("Kop", "nl") and found.blocks[0] == Paragraph((Foreign("Tekst", "nl"),))
    assert found.blocks[1] == Points((Foreign("punt", "nl"),)) and "noten/a.md" in found.source


# --- people -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("per", "base", "numbers", "people"),
    [
        # The example of the design: −0.1 (−0.4 to +0.2) percentage point on 104,000.
        (100, 104_000, (-0.1, -0.4, 0.2), (-100, -420, 210)),
        (1000, 104_000, (-0.1, -0.4, 0.2), (-10, -42, 21)),
        (100, 50, (-1.0, -9.0, 7.0), (0, -4, 4)),  # whole people, also of a narrow margin
        (100, None, (-0.1, -0.4, 0.2), None),
        (100, 104_000, (0.0, 0.0, 0.0), None),
    ],
)
def test_people_are_the_difference_times_the_base(
    per: float, base: float | None, numbers: tuple[float, float, float], people: tuple[float, ...] | None
) -> None:
    found = in_persons(AlsoAs({"nl": "leerlingen"}, per, base), *numbers)
    assert (None if found is None else (found.value, found.low, found.high)) == people


def test_people_at_nought_and_of_whole_gemeenten() -> None:
    also = AlsoAs({"nl": "leerlingen per jaar", "en": "pupils per year"}, 100, 104_000)
    one = replace(ORDINARY, also_as=also, primary=replace(ORDINARY.primary, value=0.0, low=-3.0, high=3.0))
    said = body_text(report_html(one, {}))
    assert "ongeveer evenveel leerlingen per jaar als wanneer deze gebieden waren veranderd zoals vergelijkbare" in said
    assert "met een marge van 3.100 minder tot 3.100 meer, op 104.000 leerlingen." in said
    assert "in die hele gemeenten" in body_text(report_html(replace(one, level="gemeente"), {}))
    assert "about as many pupils per year" in body_text(report_html(one, {}, "en"))


# --- not measurable ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["nl", "en"])
def test_what_is_not_measurable_says_what_would_make_it_so(language: str) -> None:
    nothing = replace(SEALED, not_measurable=("een reden",), needed=("een meting meer",), change=None)
    page = document(nothing, {}, language)
    assert [part.name for part in page.front] == ["wat-nodig", "wat-bekend", "niet-meegeteld", "nagaan"]
    assert page.front[0].blocks == (Points(("een meting meer",)),)
    assert not re.search(r"\d+,\d", " ".join(str(part) for part in page.front[:2]))


# --- words ------------------------------------------------------------------------------------------------------------


def test_an_indicator_is_a_noun_in_the_singular_at_the_start_of_a_statement_and_within() -> None:
    for found in indicators():
        assert re.match(r"(het|de) [a-zE]", found.phrase), found.phrase
        assert (not found.phrase_en[0].isupper() and not found.phrase_en.endswith("ers")) or "of" in found.phrase_en
    one = replace(ORDINARY, phrase={"nl": "het aandeel x", "en": "the share of x"})
    assert (named(one, DUTCH), named(one, ENGLISH)) == ("het aandeel x", "the share of x")
    assert "was de verandering van het aandeel x in" in body_text(report_html(one, {}))


def test_only_words_that_occur_are_explained() -> None:
    def words(text: str, language: str = "nl") -> list[str]:
        say = texts(language)
        found = glossary((Section("a", "A", (Paragraph((text,)),)),), (), say)
        return [str(row[0]) for section in found for block in section.blocks for row in block.rows]  # type: ignore[union-attr]

    assert words("niets bijzonders") == []
    assert words("een placebo in de ruimte") == ["placebo / schijnbehandeling"]
    assert words("Intervallen van Cohorten") == ["cohort", "interval"]
    assert words("onbreukbaar") == [], "inside a word it is not that word"
    assert words("a p-value", "en") == ["p-value"]
    frame = Framed("t", (Paragraph(("placebo",)),), "bron")
    assert glossary((Section("a", "A", (frame,)),), (), DUTCH) == ()
    for say in (DUTCH, ENGLISH):
        assert not FORBIDDEN.search(" ".join(text for key, text in say.entries.items() if key.startswith("glossary.")))


def test_the_glossary_ends_the_account() -> None:
    page = document(ORDINARY, {})
    assert page.account[-1].name == "woordenlijst"
    names = [section.name for section in page.account]
    assert names.index("opzet") < names.index("toetsen") < names.index("andere-berekeningen") < names.index("gebieden")
    assert names.index("gebieden") < names.index("gegevens") < names.index("woordenlijst")


def test_dates_are_written_in_words() -> None:
    assert (
        date_words("2026-11-26", "nl") == "26 november 2026"
        and date_words("2026-03-01T10:00:00Z", "en") == "1 March 2026"
    )
    assert date_words("", "nl") == "" and date_words("later", "nl") == "later"
