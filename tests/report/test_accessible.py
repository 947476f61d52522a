"""Every page of a report as everyone must be able to read it: EN 301 549, which asks WCAG 2.1 A and AA."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from impact.evidence.area_page import area_document
from impact.evidence.collected import Collected, Row
from impact.evidence.collection_page import collection_document, collection_html
from impact.evidence.language import texts
from impact.evidence.plots import figures
from impact.evidence.record import Evidence
from impact.evidence.render import html as html_of
from impact.evidence.report import report_html
from impact.register.indicators import indicators
from tests.browser import DESKTOP, PHONE, Open, axe
from tests.readable import by_keyboard, cut_off, in_print, pictures, sideways, spaced
from tests.report.samples import ALL, AREAS
from tests.report.test_citation import FIXED

NARROW = 320  # 1.4.10: as wide as 1280 pixels are at a zoom of 400%


@cache
def html(name: str) -> str:
    return PAGES[name]()


def sample(evidence: Evidence, language: str) -> Callable[[], str]:
    return lambda: report_html(evidence, figures(evidence, language), language, "report.en.html")


# Those that differ in what they show; "not-measurable" has no number, and neither has "sealed".
EVIDENCE = {name: ALL[name] for name in ("robust", "odd", "together", "refused", "sealed", "placebo", "hostile")}
EVIDENCE["not-measurable"] = replace(ALL["ordinary"], not_measurable=("er is maar één meting van voor de start",))
PAGES: dict[str, Callable[[], str]] = {f"{name}.nl": sample(evidence, "nl") for name, evidence in EVIDENCE.items()}
PAGES |= {f"{name}.en": sample(EVIDENCE[name], "en") for name in ("robust", "sealed", "hostile")}
PAGES |= {
    f"area.{language}": lambda language=language: html_of(
        area_document(ALL["robust"], AREAS[0].slug, {}, language), texts(language)
    )
    for language in ("nl", "en")
}
ROWS = tuple(
    Row(one.number, one.slug, {"nl": one.nl, "en": one.en}, {"nl": one.unit, "en": one.unit_en}, "lower", "register")
    for one in indicators()
)
COLLECTED = Collected(
    "samen",
    {"nl": "Alle indicatoren", "en": "All indicators"},
    tuple(
        replace(row, study=FIXED.study)
        if row.indicator == FIXED.indicator
        else replace(row, statement="not-studied", why={"nl": "geen gegevens", "en": "no data"})
        for row in ROWS
    ),
    "ab" * 32,
    1,
    FIXED.standing,
    ((FIXED.study, FIXED.standing.lock8),),
)
PAGES |= {
    f"collection.{language}": lambda language=language: collection_html(
        collection_document([FIXED], COLLECTED, {}, language, "report.en.html")
    )
    for language in ("nl", "en")
}


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(name: str, page: Open) -> None:
    shown = page(html(name))
    found = axe(shown)
    for width, media in ((PHONE, "screen"), (DESKTOP, "print")):
        shown.set_viewport_size({"width": width, "height": 900})
        shown.emulate_media(media=media)
        found += axe(shown)
    assert found == []


@pytest.mark.parametrize("name", PAGES)
def test_fits_and_has_names(name: str, page: Open) -> None:
    shown = page(html(name), width=PHONE)
    found = pictures(shown) + sideways(shown) + cut_off(shown)
    shown.set_viewport_size({"width": NARROW, "height": 900})
    assert found + sideways(shown) + spaced(shown) == []


@pytest.mark.parametrize("name", PAGES)
def test_by_keyboard_and_on_paper(name: str, page: Open) -> None:
    shown = page(html(name))
    assert by_keyboard(shown) == []
    assert in_print(page(html(name))) == []


@pytest.mark.parametrize("name", ["robust.nl", "hostile.en"])
def test_reads_without_script(name: str, page: Open) -> None:
    bare, shown = page(html(name), script=False), page(html(name))
    assert bare.locator("body").inner_text() == shown.locator("body").inner_text()
    assert bare.locator("html").get_attribute("lang") == name.split(".")[1]


# --- a check that cannot fail checks nothing --------------------------------------------------------------------------

SPOILED: dict[str, tuple[Callable[..., list[str]], str, str, str]] = {
    "no language": (axe, '<html lang="nl">', "<html>", "html-has-lang"),
    "pale": (axe, "--soft: #595959", "--soft: #a0a0a0", "color-contrast"),
    "heading left out": (axe, "<h2 ", "<h4 ", "heading-order"),
    "region out of reach": (
        axe,
        'role="region" tabindex="0" aria',
        'role="region" data',
        "scrollable-region-focusable",
    ),
    "wide": (sideways, "</main>", '<div style="width: 2000px">breed</div></main>', "reaches 2"),
    "beside the page": (sideways, "</main>", '<p style="position: relative; left: 2000px">weg</p></main>', "weg"),
    "cut": (cut_off, "</main>", '<p style="height: 9px; overflow: hidden">afgesneden</p></main>', "afgesneden"),
    "no room": (
        spaced,
        "</main>",
        '<p style="height: 1.3em; line-height: 1; overflow: hidden; width: 9em">net genoeg ruim</p></main>',
        "net genoeg",
    ),
    "no picture": (pictures, 'role="img"', "", "without a name"),
    "picture without text": (pictures, '-text" style', '-nowhere" style', "without a name"),
    "focus unseen": (by_keyboard, "</style>", ":focus-visible { outline: none !important; }</style>", "nobody sees"),
    "out of order": (by_keyboard, "<li><a ", '<li><a tabindex="3" ', "instead of"),
    "no skip link": (by_keyboard, 'class="skip"', 'class="skip" hidden', "instead of"),
    "folded on paper": (in_print, "content-visibility: visible", "x: y", "not on paper"),
    "wide on paper": (in_print, "</main>", '<div style="width: 2000px">breed</div></main>', "reaches 2"),
}


@pytest.mark.parametrize("name", SPOILED)
def test_each_check_can_fail(name: str, page: Open) -> None:
    check, old, new, said = SPOILED[name]
    whole = html("placebo.nl")
    assert old in whole
    assert any(said in one for one in check(page(whole.replace(old, new), width=PHONE)))
