"""The page of one area: its own drawn number, never another area, a rank or a statement, and nothing where sealed."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from impact.errors import Refused, UsageError
from impact.evidence.area_page import area_document, area_documents
from impact.evidence.disclosed import withholding
from impact.evidence.document import Document, Section, Table
from impact.evidence.language import texts
from impact.evidence.record import Evidence, Excluded, Shared
from impact.evidence.render import html, plain_text
from impact.evidence.robust import Robust
from impact.evidence.single_areas import UNDECLARED, SingleArea, SingleAreas
from tests.forbidden import claims
from tests.report.samples import ALL, FEW, NONE, ROBUST, SEALED, estimate

OWN = SingleArea(
    "gebied-3", -9.31, 4.2, -7.7, 0.314, -8.21, -12.83, -3.59, "2022", "2023–2025", 105.62, 96.35, 98.71, 98.75
)
OTHERS = tuple(replace(OWN, slug=f"gebied-{number}", value=-55.5 - number) for number in (1, 2, 4, 5))
AREAS = SingleAreas(0.95, 199, False, (*OTHERS[:2], OWN, *OTHERS[2:]))


def with_areas(base: Evidence, areas: SingleAreas | None) -> Evidence:
    assert ROBUST.robust is not None
    return replace(base, robust=replace(ROBUST.robust, areas=areas))


FOUND = with_areas(ROBUST, AREAS)


def read(document: Document) -> str:
    """All text of a page."""
    text = re.sub(r"<style>.*?</style>", "", html(document, texts(document.language)), flags=re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def result(document: Document) -> str:
    return " ".join(plain_text([document.result], 10_000).split())


def test_the_whole_sentence() -> None:
    assert result(area_document(FOUND, "gebied-3", {})) == (
        "Dit gebied op zichzelf In 2023–2025 was de verandering van vernielingen in Gebied 3, naar het gemiddelde "
        "van de gebieden getrokken, naar schatting 8,2% van het eigen gemiddelde lager dan in de vergelijking "
        "(95%-interval: van 12,8 lager tot 3,6 lager). Dit is niet wat het gebied alleen laat zien. Van de eigen "
        "afstand tot het gemiddelde van de 5 gebieden in de schatting (7,7% van het eigen gemiddelde lager) is 31% "
        "gebleven. Hoe onnauwkeuriger "
        "het cijfer van een gebied, hoe verder het wordt getrokken. Nul ligt buiten dit interval. Het interval houdt "
        "zijn niveau gemiddeld over de gebieden en niet voor elk gebied: van 5 gebieden kan er ook door toeval een "
        "buiten liggen. Fouten die de gebieden delen, zitten er niet in. Dit is geen uitspraak: de vaste uitspraken "
        "gelden voor de gebieden samen. Gebieden worden hier niet met elkaar vergeleken en niet op volgorde gezet."
    )
    english = result(area_document(FOUND, "gebied-3", {}, "en"))
    assert "the change in vandalism in Gebied 3, drawn towards the mean of the areas, was an estimated 8.2%" in english
    assert "(95% interval: 12.8 lower to 3.6 lower)" in english and "This is no statement" in english


def test_zero_within_the_interval_as_it_is_printed() -> None:
    own = replace(OWN, high=-0.04)
    inside = result(area_document(with_areas(ROBUST, replace(AREAS, areas=(own,), floored=True)), "gebied-3", {}))
    assert "tot 0,0)" in inside and "Nul ligt binnen dit interval" in inside
    assert "niet meer dan door toeval te verwachten" in inside


def test_before_and_after_and_the_difference_that_the_area_shows_alone() -> None:
    page = area_document(FOUND, "gebied-3", {})
    (table,) = (block for section in page.front for block in section.blocks if isinstance(block, Table))
    assert table.rows == (
        ("Voor de start (2022)", "105,6", "98,7"),
        ("Na de start (2023–2025)", "96,3", "98,8"),
        ("Verandering", "−9,3", "0,0"),
    )
    assert "(9,3% van het eigen gemiddelde lager) is wat het gebied alleen laat zien" in table.note
    bare = replace(OWN, comparison_after=None)
    none = area_document(with_areas(ROBUST, replace(AREAS, areas=(bare,))), "gebied-3", {})
    assert [section.name for section in none.front] == ["wat-niet", "nagaan"]


@pytest.mark.parametrize("language", ["nl", "en"])
def test_no_other_area_no_rank_and_no_statement(language: str) -> None:
    locked = replace(FOUND, status="pre-specified")
    text = read(area_document(locked, "gebied-3", {}, language))
    assert not re.search(r"55[.,]5|5[67][.,]5|5[89][.,]5|60[.,]5", text), "the number of another area"
    assert not re.search(r"Gebied (?!3\b)\d", text)
    for word in ("gunstiger", "favourabl", "plaats", "rang", "rank", "beste", "uitspraak van"):
        assert word not in text.lower(), word
    assert claims(text) == []
    assert "−7" not in text, "nor the estimate over all areas"


def test_its_units_comparison_and_data() -> None:
    noted = replace(
        FOUND,
        notes=(
            "Gebied 3 is in 2021 gesplitst.",
            "Gebied 31 ook.",
            "wk000301 is klein.",
            "Van WK000302 is 2019 geschat.",
        ),
        excluded=(Excluded("WK000301", "onderdrukt in 2019"), Excluded("WK990301", "te klein")),
        periods_left_out=(Excluded("2020", "corona"), Excluded("2021", "corona")),
    )
    text = read(area_document(noted, "gebied-3", {}))
    assert "WK000301 en WK000302" in text and "Gemeente 3" in text and "Basisperiode 2022" in text
    assert "Vergelijkingsgebieden die voor dit gebied zijn gekozen: 5." in text and "WK990304 0,20" in text
    assert "WK000301 telt niet mee: onderdrukt in 2019" in text and "WK990301 telt" not in text
    assert "Telt niet mee: 2020 en 2021 (corona)." in text
    assert "Gebied 3 is in 2021 gesplitst." in text and "Van WK000302 is 2019 geschat." in text
    assert "Gebied 31" not in text and "is klein" not in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"weights": (("WK1", 0.7), ("WK2", 0.3), ("WK3", 0.0))}, "voor dit gebied meetellen: 3"),
        ({}, "vergeleken met alle vergelijkingsgebieden (94)"),
    ],
)
def test_what_it_is_compared_with(changes: dict[str, Any], said: str) -> None:
    areas = tuple(replace(area, matched=(), **changes) for area in FOUND.areas)
    text = read(area_document(replace(FOUND, areas=areas), "gebied-3", {}))
    assert said in text and ("afgerond nul is: nog 1" in text) == bool(changes)
    shared = replace(FOUND, areas=areas, shared=(Shared("2023", (("WK8", 0.6), ("WK9", 0.4))),))
    assert changes or "dezelfde vergelijking" in read(area_document(shared, "gebied-3", {}))


@pytest.mark.parametrize("language", ["nl", "en"])
@pytest.mark.parametrize(
    ("evidence", "slug", "said"),
    [
        (with_areas(SEALED, AREAS), "gebied-3", "van geen enkel gebied een getal"),
        (replace(FOUND, not_measurable=("er is één meting",)), "gebied-3", "in geen enkel gebied iets berekend"),
        (FOUND, "rotterdam-zuid", "zit niet in de schatting (programma sinds 2011, geen voormeting)"),
        (with_areas(ROBUST, SingleAreas(refused=withholding("cbs-ra"))), "gebied-3", "omdat het iets zou onthullen"),
        (
            replace(FOUND, robust=None, primary=estimate(value=None, **{**NONE, "refused": withholding("cbs-ra")})),
            "gebied-3",
            "omdat het iets zou onthullen",
        ),
        (replace(FOUND, robust=None), "gebied-3", "geen schatting over alle gebieden"),
        (with_areas(ROBUST, SingleAreas(refused=Refused("a", UNDECLARED))), "gebied-3", "vraagt niet om placebo"),
        (
            replace(
                with_areas(ROBUST, SingleAreas(refused=Refused("a", "2 areas", "b"))),
                primary=replace(FOUND.primary, **FEW),
            ),
            "gebied-3",
            "zitten 2 gebieden",
        ),
        (with_areas(ROBUST, SingleAreas(refused=Refused("a", "iets", "b"))), "gebied-3", "geen getal met een interval"),
    ],
)
def test_no_number_where_there_is_none_to_show(evidence: Evidence, slug: str, said: str, language: str) -> None:
    page = area_document(evidence, slug, {}, language)
    if language == "nl":
        assert said in result(page)
    text = read(replace(page, account=tuple(part for part in page.account if part.name == "gegevens")))
    assert not re.search(r"\d[.,]\d", text.replace("2011,", "")), text
    assert page.front[0].name == "wat-niet"


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("language", ["nl", "en"])
def test_every_sample_has_a_page_of_every_area(name: str, language: str) -> None:
    made = list(area_documents(ALL[name], "all", language).values())
    assert len(made) == len(ALL[name].areas)
    for document in (made[0], made[-1]):
        page = html(document, texts(language))
        assert "<script" not in page and (
            name == "hostile" or "{" not in re.sub(r"<style>.*?</style>", "", page, flags=re.S)
        )


def test_an_area_that_is_not_there_is_said_with_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"AREA-001.*no area 'delft'(?s:.*)gebied-1, gebied-2"):
        area_documents(FOUND, "delft")
    with pytest.raises(UsageError, match="AREA-001"):
        area_document(FOUND, "delft", {})
    forged = replace(FOUND, areas=(replace(FOUND.areas[0], slug="../../etc"),))
    for asked in ("all", "../../etc"):
        with pytest.raises(UsageError, match="AREA-001"):
            area_documents(forged, asked)


def test_of_whole_gemeenten_nothing_is_said_of_the_area_in_them() -> None:
    text = result(area_document(replace(FOUND, level="gemeente"), "gebied-3", {}))
    assert "in de hele gemeente waarin Gebied 3 ligt" in text and "Over het gebied zelf zegt dat niets." in text


def test_the_page_holds_no_part_of_the_robust_record_but_its_own() -> None:
    """A page is made of the area alone: changing all other areas changes only the mean and the count."""
    assert isinstance(FOUND.robust, Robust)
    other = with_areas(ROBUST, replace(AREAS, areas=(OWN, *(replace(one, value=1.0, low=0.5) for one in OTHERS))))
    assert area_document(other, "gebied-3", {}) == area_document(FOUND, "gebied-3", {})
    assert all(isinstance(section, Section) for section in area_document(FOUND, "gebied-3", {}).account)
