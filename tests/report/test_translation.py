"""A second language beside the record: what may differ, what is laid over it, and what is marked on the page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from impact.checks.protocol import Check
from impact.evidence.document import Foreign
from impact.evidence.marking import marked, parted
from impact.evidence.record import Evidence, Excluded
from impact.evidence.report import document, report_html
from impact.evidence.translation import dutch_in, in_words, page_in, translated
from tests.report.samples import ALL, ORDINARY, SEALED

NOTES = ("Een zin.", "De breuk in 2016 (nieuwe tabel).")
DUTCH = replace(ORDINARY, notes=NOTES, unit="procentpunt", excluded=(Excluded("WK000000", "een reden"),))
ENGLISH = replace(
    DUTCH,
    notes=("A sentence.", "The break in 2016 (nieuwe tabel)."),
    unit="percentage points",
    excluded=(Excluded("WK000000", "a reason"),),
)


def test_only_what_differs_stands_beside_the_record() -> None:
    both = translated(DUTCH, ENGLISH, ("nieuwe tabel",))
    assert both.translations == {
        "en": {
            "/notes/0": "A sentence.",
            "/notes/1": "The break in 2016 (nieuwe tabel).",
            "/unit": "percentage points",
            "/excluded/0/reason": "a reason",
        }
    }
    assert replace(both, translations={}, untranslated=()) == DUTCH
    assert replace(in_words(both, "en"), translations={}, untranslated=()) == ENGLISH
    assert in_words(both, "nl") is both and in_words(in_words(both, "en"), "en") == in_words(both, "en")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"pool": DUTCH.pool + 1}, "/pool"),
        ({"notes": NOTES[:1]}, "/notes"),
        ({"notes": (*NOTES[:1], None)}, "/notes/1"),
        ({"status": "amended"}, "/status"),
        ({"indicator": "anders"}, "/indicator"),
        ({"primary": replace(DUTCH.primary, value=None)}, "/primary/value"),
        ({"primary": replace(DUTCH.primary, method="other")}, "/primary/method"),
        ({"change": None}, "/change"),
        ({"spec_sha256": "0" * 64}, "/spec_sha256"),
    ],
)
def test_nothing_but_words_may_differ(changes: dict[str, Any], path: str) -> None:
    with pytest.raises(ValueError, match=path):
        translated(DUTCH, replace(ENGLISH, **changes))


@pytest.mark.parametrize(
    "texts",
    [
        {"/notes/7": "x"},
        {"/notes": "x"},
        {"/nothing": "x"},
        {"notes/0": "x"},
        {"": "x"},
        {"/": "x"},
        {"/pool": "x"},
        {"/primary/value": "x"},
        {"/primary/method": "x"},
        {"/status": "pre-specified"},
        {"/title/nl": "x"},
        {"/checks/0/verdict": "pass"},
        {"/translations/en": "x"},
        {"/notes/0": "x", "/notes/0/deeper": "y"},
        {"/notes/0/deeper": "y", "/notes/0": "x"},
        {"/notes/-1": "x"},
        {"/notes/00": "x"},
        {"/notes/0": 3},
    ],
)
def test_a_text_in_another_place_is_refused(texts: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        in_words(replace(DUTCH, translations={"en": texts}), "en")


def test_a_page_in_another_language_has_no_text_of_the_first_that_is_not_marked() -> None:
    both = translated(DUTCH, ENGLISH, ("nieuwe tabel", ORDINARY.smallest_why))
    page = report_html(both, {}, "en", "report.html")
    assert "A sentence." in page and "Een zin." not in page and "percentage points" in page
    assert 'The break in 2016 (<span lang="nl">nieuwe tabel</span>).' in page
    assert '<a href="report.html" hreflang="nl" lang="nl">Dit rapport in het Nederlands</a>' in page
    assert report_html(both, {}).count('lang="nl"') == 1, "that of the page itself"


def test_without_a_second_language_all_sentences_are_marked() -> None:
    page = report_html(DUTCH, {}, "en")
    assert '<span lang="nl">Een zin</span>.' in page and '<span lang="nl">procentpunt</span>' in page
    assert dutch_in(DUTCH, "nl") == ()


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_shape_has_an_english_page(name: str) -> None:
    page = report_html(ALL[name], {}, "en", "report.html")
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">') and "Research report" in page


def test_what_is_sealed_is_so_in_both_languages() -> None:
    """A sentence of a check after the start is seen in neither, whatever the record holds."""
    check = Check("pre-trend", 0.123, 0.05, "fail", False, "post", "pre-trend", "Het verschil is 4,321.")
    dutch = replace(SEALED, checks=(*SEALED.checks, check))
    english = replace(SEALED, checks=(*SEALED.checks, replace(check, because="The difference is 4.321.")))
    both = translated(dutch, english)
    assert "4.321" in in_words(both, "en").checks[-1].because
    for language in ("nl", "en"):
        page = report_html(both, {}, language)
        assert "4.321" not in page and "4,321" not in page


def test_links_stay_in_the_language() -> None:
    evidence = replace(DUTCH, siblings=(("Iets", "report-iets.html"), ("Eerste", "report.html")))
    assert [file for _, file in document(evidence, {}, "en").others] == ["report-iets.en.html", "report.en.html"]
    assert [file for _, file in document(evidence, {}).others] == ["report-iets.html", "report.html"]
    assert page_in("report.html", "nl") == "report.html"


# --- marks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("It is een reden.", ["It is ", Foreign("een reden", "nl"), "."]),
        ("Een reden it is", [Foreign("Een reden", "nl"), " it is"]),
        ("geen reden, en een redenering", ["geen reden, en een redenering"]),
        ("een reden met meer", [Foreign("een reden met meer", "nl")]),
        ("", []),
    ],
)
def test_parts_of_a_sentence(text: str, pieces: list[str | Foreign]) -> None:
    assert list(parted(text, ("een reden", "een reden met meer.", "x", "12"))) == pieces


def test_nothing_is_marked_where_a_mark_has_no_place() -> None:
    page = (
        '<!DOCTYPE html><html lang="en"><head><title>een reden</title><style>a > b {content: "een reden"}</style>'
        '</head><body><p id="een reden">een reden<br>A &amp; B: een reden</p><code>een reden</code>'
        '<p lang="nl">een reden</p>'
        '<svg><title>een reden</title><g/><text x="1">een reden</text></svg><!-- een reden -->'
        "<p>na A &amp; B</p></body></html>"
    )
    found = marked(page, ("een reden", "na A & B"))
    assert found.count('<span lang="nl">een reden</span>') == 2 and '<p id="een reden">' in found
    assert '<text x="1"><tspan lang="nl">een reden</tspan></text>' in found and "<title>een reden</title>" in found
    assert '<span lang="nl">na A &amp; B</span>' in found
    assert (
        found.replace('<span lang="nl">', "")
        .replace("</span>", "")
        .replace('<tspan lang="nl">', "")
        .replace("</tspan>", "")
        == page
    )
    assert marked(page, ()) == page


def test_what_a_hostile_author_writes_stays_text() -> None:
    evidence: Evidence = replace(DUTCH, notes=("<b>kwaad</b> & erger",), untranslated=("<b>kwaad</b> & erger",))
    evidence = replace(evidence, translations={"en": {"/unit": "percentage points"}})
    assert '<span lang="nl">&lt;b&gt;kwaad&lt;/b&gt; &amp; erger</span>' in report_html(evidence, {}, "en")


def test_quotes_hide_no_dutch() -> None:
    text = 'Zij noemen \'s-Gravenhage "de stad" & meer'
    evidence = replace(DUTCH, notes=(text,), translations={"en": {"/unit": "points"}}, untranslated=(text,))
    page = report_html(evidence, {}, "en")
    assert '<span lang="nl">Zij noemen &#39;s-Gravenhage &#34;de stad&#34; &amp; meer</span>' in page
    drawn = '<html><body><svg><text>Zij noemen \'s-Gravenhage "de stad" &amp; meer</text></svg></body></html>'
    assert '<text><tspan lang="nl">' in marked(drawn, (text,))
