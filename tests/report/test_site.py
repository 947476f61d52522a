"""The pages of a site of bundles: what they say, and that everyone can read and search them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import html5lib  # type: ignore[import-untyped]
import pytest

from impact.evidence.document import Foreign
from impact.evidence.record import AreaRow, Evidence
from impact.evidence.site import Listed, Unfit, folded, site_pages
from tests.browser import DESKTOP, PHONE, Open, axe
from tests.readable import by_keyboard, cut_off, in_print, pictures, sideways, spaced
from tests.report.samples import AREAS, HOSTILE, ORDINARY, PLACEBO, SEALED
from tests.report.test_citation import FIXED
from tests.report.test_language import FORBIDDEN

SCRIPT = "<script>alert(1)</script>"


def listed(name: str, *outcomes: Evidence, gone: str = "") -> Listed:
    said = {"nl": ("Ongewijzigd: ja.",), "en": ("Unchanged: yes.",)}
    reports = tuple(f"bundels/{name}/report{number or ''}.html" for number in range(len(outcomes)))
    withdrawn = [{"nl": (gone,), "en": (gone,)} if gone else {} for _ in outcomes]
    areas = [{area.slug: f"bundels/{name}/gebied-{number}.html" for area in AREAS} for number, _ in enumerate(outcomes)]
    return Listed(name, outcomes, reports, f"bundels/{name}/bundle.zip", "ab" * 32, said, withdrawn, areas)


ZUID = AreaRow("den-haag-zuidwest", "Den Haag Zuïdwest", ("WK051833",), "Den Haag", "2023", "2022")
SHOWN = (
    listed("vast", FIXED, replace(FIXED, indicator="uitkering", outcome={"nl": "Bijstand", "en": "Benefits"})),
    listed("verkend", replace(ORDINARY, indicator="schooladvies", outcome={"nl": "Schooladvies"}, areas=(ZUID,))),
    listed("verzegeld", replace(SEALED, status="pre-specified", standing=FIXED.standing)),
    listed("nep", replace(PLACEBO, status="pre-specified", standing=FIXED.standing)),
    listed("weg", FIXED, gone="INGETROKKEN op 2026-07-01: een fout in de bron."),
    listed("vijandig", replace(HOSTILE, areas=(replace(AREAS[0], slug=SCRIPT, name=SCRIPT, left_out=SCRIPT),))),
)
BAD = Unfit(f"map/{SCRIPT}.zip", {lang: ("Dit is niet te lezen.", Foreign(SCRIPT, "en")) for lang in ("nl", "en")})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    place = tmp_path_factory.mktemp("site")
    for language in ("nl", "en"):
        for name, text in site_pages(SHOWN, [BAD], language).items():
            (place / name).write_text(text, encoding="utf-8")
    return {file.name: file for file in place.iterdir()}


def parsed(file: Path) -> html5lib.HTMLParser:
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(file.read_text(encoding="utf-8"))


def words(node: html5lib.HTMLParser) -> str:
    return " ".join(" ".join(node.itertext()).split())


def article(made: Mapping[str, Path], name: str) -> str:
    return words(parsed(made["index.html"]).find(f".//article[@id='bundel-{name}']"))


NAMES = [f"{name}{end}" for name in ("index", "indicatoren", "gebieden") for end in (".html", ".en.html")]

# --- what it says -----------------------------------------------------------------------------------------------------


def test_its_pages(made: Mapping[str, Path]) -> None:
    assert sorted(made) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_valid_and_without_anything_from_elsewhere(name: str, made: Mapping[str, Path]) -> None:
    root = parsed(made[name])
    assert root.get("lang") == ("en" if ".en." in name else "nl")
    ids = [node.get("id") for node in root.iter() if node.get("id")]
    assert len(ids) == len(set(ids))
    for node in root.iter():
        assert not any(str(key).lower().startswith("on") for key in node.attrib)
        for target in filter(None, (node.get("href"), node.get("src"))):
            file, _, place = target.partition("#")
            assert re.fullmatch(
                r"([a-z.]+\.html|bundels/[a-z-]+/((report\d*|gebied-\d)(\.en)?\.html|bundle\.zip))?", file
            )
            there = ids if not file else [one.get("id") for one in parsed(made[file]).iter()] if place else []
            assert not place or place in there
    scripts = [node for node in root.iter() if node.tag == "script"]
    assert [bool(node.text and "getElementById" in node.text) for node in scripts] == [True] * name.startswith("index")
    assert FORBIDDEN.search(words(root.find("body"))) is None


def test_a_statement_stands_whole_and_what_is_none_has_no_number(made: Mapping[str, Path]) -> None:
    statement = "7,7% van het eigen gemiddelde lager (95%-interval: van 12,7 lager tot 2,7 lager)"
    assert statement in article(made, "vast") and "Uitspraak:" in article(made, "vast")
    assert article(made, "weg").index("INGETROKKEN") < article(made, "weg").index(statement)
    for name, said in (("verkend", "verkennend, geen uitspraak"), ("nep", "Dit is een placebostudie.")):
        assert said in article(made, name)
        assert "Uitspraak:" not in article(made, name) and "7,7" not in article(made, name)
    assert "niet vast te stellen" in article(made, "verzegeld") and "7,7" not in article(made, "verzegeld")


def test_no_statement_stands_under_one_area(made: Mapping[str, Path]) -> None:
    text = words(parsed(made["gebieden.html"]).find("body/main"))
    assert "Uitspraak:" not in text and "7,7" not in text and "gunstiger" not in text
    assert "Dit gebied telt niet mee: programma sinds 2011, geen voormeting." in text
    assert "INGETROKKEN" in text and "Dit is een placebostudie." in text and "De pagina van Gebied 1" in text


def test_how_to_check_each(made: Mapping[str, Path]) -> None:
    assert f"impact verify bundle.zip --sha256 {'ab' * 32}" in article(made, "vast")
    assert "Ongewijzigd: ja." in article(made, "vast")


def test_what_is_not_in_order_is_named(made: Mapping[str, Path]) -> None:
    text = words(parsed(made["index.html"]).find(".//section[@aria-labelledby='niet-in-orde']"))
    assert f"map/{SCRIPT}.zip" in text and "Dit is niet te lezen." in text


def test_indicators_in_the_order_of_the_programme(made: Mapping[str, Path]) -> None:
    found = [words(node) for node in parsed(made["indicatoren.html"]).iter() if node.tag == "h2"]
    # Schooladvies is number 7 and the benefits number 11; the word of a study of its own comes last.
    order = [next(place for place, one in enumerate(found) if part in one.lower()) for part in ("advies", "bijstand")]
    assert order == sorted(order) and len(found) == 3


def test_nothing_but_what_is_listed() -> None:
    assert "Er is geen onderzoek." in site_pages([], [], "nl")["index.html"]
    assert site_pages(SHOWN, [BAD], "en") == site_pages(SHOWN, [BAD], "en")


# --- for everyone -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["index.html", "indicatoren.html", "gebieden.html", "index.en.html"])
def test_accessible(name: str, made: Mapping[str, Path], page: Open) -> None:
    shown = page(made[name])
    found = axe(shown) + pictures(shown) + by_keyboard(shown)
    for width, media in ((PHONE, "screen"), (DESKTOP, "print")):
        shown.set_viewport_size({"width": width, "height": 900})
        shown.emulate_media(media=media)
        found += axe(shown) + sideways(shown) + cut_off(shown)
    shown.emulate_media(media="screen")
    shown.set_viewport_size({"width": 320, "height": 900})
    assert found + sideways(shown) + spaced(shown) + in_print(page(made[name])) == []


def test_search(made: Mapping[str, Path], page: Open) -> None:
    shown = page(made["index.html"])
    box, said = shown.get_by_label("Zoek op indicator of gebied"), shown.get_by_role("status")
    assert said.inner_text() == "Onderzoeken: 6" and said.get_attribute("aria-live") == "polite"

    def found(query: str) -> list[str | None]:
        box.fill(query)
        there = shown.locator("article:visible").all()
        count = f"{len(there)} van de 6 onderzoeken gevonden"
        assert said.inner_text() == (count if query.strip() else "Onderzoeken: 6")
        return [one.get_attribute("id") for one in there]

    assert found("zuidwest") == found("ZUÍDWEST") == found("haag schooladvies") == ["bundel-verkend"]
    assert found("bijstand") == found("benefits") == ["bundel-vast"]
    assert found("rotterdam bijstand nergens") == []
    assert len(found("  ")) == 6
    shown.keyboard.press("Shift+Tab")
    shown.keyboard.press("Tab")
    assert shown.evaluate("document.activeElement.id") == "zoek"


def test_reads_without_script(made: Mapping[str, Path], page: Open) -> None:
    bare = page(made["index.html"], script=False)
    assert not bare.locator(".search").is_visible()
    assert bare.locator("article:visible").count() == 6
    bare.locator("details").first.locator("summary").click()
    assert bare.get_by_role("link", name="Gebied 1", exact=True).first.is_visible()


def test_nothing_of_a_bundle_runs(made: Mapping[str, Path], page: Open) -> None:
    for name in NAMES:
        shown = page(made[name])
        assert shown.evaluate("document.querySelectorAll('script').length") == name.startswith("index")
        assert shown.locator("img, iframe, object, svg").count() == 0
    # What the policy of the page refuses, the browser does not run either.
    ran = "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\">')"
    shown = page(made["index.html"])
    shown.evaluate(ran)
    shown.wait_for_timeout(100)
    assert shown.evaluate("window.ran") is None


def test_search_folds_as_the_script_does(page: Open) -> None:
    script = "text => text.normalize('NFKD').replace(/\\p{M}/gu, '').toLowerCase()"
    for text in ("Zuïdwest", "ÉÉN café", "Čapek", "’s-Gravenhage", "ﬁets", "İstanbul"):
        assert page("<!DOCTYPE html><title>x</title>").evaluate(script, text) == folded(text)
