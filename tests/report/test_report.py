"""The page: valid, self-contained, readable by everyone, and silent about what is sealed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import html5lib  # type: ignore[import-untyped]
import pytest

from impact.errors import UsageError
from impact.evidence.language import number, p_value
from impact.evidence.plots import figures
from impact.evidence.record import Estimate, Evidence
from impact.evidence.report import report_html
from tests.report.samples import ALL, CHECKS, HOSTILE, ORDINARY, PLACEBO, PRIMARY, REFUSED, ROBUST, SEALED
from tests.report.test_language import FORBIDDEN
from tests.shared import ROOT

Page = Any  # an xml.etree element of html5lib


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return {name: report_html(evidence, figures(evidence)) for name, evidence in ALL.items()}


def parsed(page: str) -> Page:
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)


def text_of(node: Page) -> str:
    return " ".join(" ".join(node.itertext()).split())


def body_text(page: str) -> str:
    return text_of(parsed(page).find("body"))


def tags(node: Page, *names: str) -> Iterator[Page]:
    return (found for found in node.iter() if isinstance(found.tag, str) and found.tag.split("}")[-1] in names)


# --- form -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_valid_and_self_contained(pages: dict[str, str], name: str) -> None:
    page, root = pages[name], parsed(pages[name])
    assert page.startswith("<!DOCTYPE html>") and root.get("lang") == "nl"
    assert list(tags(root, "script", "link", "iframe", "object", "embed", "img", "foreignObject")) == []
    attributes = [(key, value) for node in root.iter() for key, value in node.attrib.items()]
    assert [key for key, _ in attributes if str(key).lower().startswith("on")] == []
    pointing = [value for key, value in attributes if str(key).split("}")[-1] in ("href", "src")]
    ids = [value for key, value in attributes if key == "id"]
    assert len(ids) == len(set(ids))
    assert all(value.startswith("#") and value[1:] in ids for value in pointing)
    named = [part for key, value in attributes if key == "aria-labelledby" for part in value.split()]
    assert set(named) <= set(ids)
    style = "".join(node.text for node in tags(root, "style"))
    assert "url(" not in style and "@import" not in style and "@font-face" not in style


@pytest.mark.parametrize("name", ALL)
def test_headings_tables_and_figures(pages: dict[str, str], name: str) -> None:
    root = parsed(pages[name])
    levels = [int(node.tag[1]) for node in tags(root, "h1", "h2", "h3", "h4")]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for table in tags(root, "table"):
        assert text_of(table.find("caption"))
        assert all(node.get("scope") in ("row", "col") for node in tags(table, "th"))
        assert all(row.find("th") is not None for row in tags(table, "tr"))
    for figure in tags(root, "figure"):
        drawings = [node for node in figure if isinstance(node.tag, str) and node.tag.endswith("svg")]
        assert len(drawings) == 1 and drawings[0].get("role") == "img"
        assert all(text_of(next(tags(drawings[0], part))) for part in ("title", "desc"))
        assert text_of(figure.find("figcaption")) and list(tags(figure, "table"))
    assert len(list(tags(root, "figure"))) == len(figures(ALL[name]))


def test_the_order_of_the_first_page(pages: dict[str, str]) -> None:
    root = parsed(pages["ordinary"])
    assert [text_of(node) for node in tags(root, "h2")] == [
        "Resultaat: verkennend, geen uitspraak",
        "Voor en na",
        "Waarop berust dit?",
        "Niet meegeteld",
        "Wat dit cijfer niet zegt",
        "Nagaan",
        "Verantwoording",
    ]
    status = body_text(pages["ordinary"])
    assert "Status: verkennend (niet vooraf vastgelegd) · 18 van de 20 gebieden" in status


@pytest.mark.parametrize("name", [name for name in ALL if name != "hostile"])
def test_no_forbidden_word(pages: dict[str, str], name: str) -> None:
    assert FORBIDDEN.search(body_text(pages[name])) is None


def contrast(one: str, other: str) -> float:
    """WCAG 2.1 contrast ratio of two colours."""

    def light(colour: str) -> float:
        wide = colour if len(colour) == 7 else "#" + "".join(2 * digit for digit in colour[1:])
        channels = [int(wide[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    lights = sorted((light(one), light(other)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def test_every_text_stands_out() -> None:
    css = (ROOT / "impact" / "evidence" / "templates" / "report.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6})", css))
    assert set(re.findall(r"[^-]color: ([^;]+);", css)) <= {
        "inherit",
        *(f"var(--{name})" for name in ("ink", "soft", "blue")),
    }
    for name in ("ink", "soft", "blue"):
        assert min(contrast(colours[name], back) for back in ("#ffffff", colours["wash"])) >= 4.5
    drawn = figures(ORDINARY)["gap"]
    assert (
        min(contrast(colour, "#ffffff") for colour in set(re.findall(r"stroke: (#[0-9a-f]{6})", drawn)) - {"#dfe3e8"})
        >= 4.5
    )


# --- content ----------------------------------------------------------------------------------------------------------


def test_the_result_in_words(pages: dict[str, str]) -> None:
    said = body_text(pages["ordinary"])
    assert (
        "In 2023–2025 was de verandering van vernielingen in 18 van de 20 focusgebieden samen naar schatting 7,7% van "
        "het eigen gemiddelde lager dan in vergelijkbare gebieden buiten het programma (95%-interval: van 12,7 lager "
        "tot 2,7 lager)."
    ) in said
    assert "geen uitspraak" in said and "Ook een verschil van 5% van het eigen gemiddelde" in said
    # 105.62 → 97.968 and 98.71 → 98.795, by hand
    assert "Voor de start (2022) 105,6 98,7" in said
    rows = {
        text_of(row.find("th")): [text_of(cell) for cell in tags(row, "td")]
        for row in tags(parsed(pages["ordinary"]), "tr")
    }
    assert rows["Verandering (% van het eigen gemiddelde)"] == ["−7,7", "+0,1"]
    assert rows["Verschil in verandering (% van het eigen gemiddelde)"] != [] and "−7,7 (van −12,7 tot −2,7)" in said
    assert rows["Grootste aandeel van één gemeente"] == ["11%"] and rows["Aantal gemeenten, gewogen (G*)"] == ["16,2"]
    assert rows["Rotterdam-Zuid"][-1] == "nee: programma sinds 2011, geen voormeting"


def test_what_the_interval_says_about_nought_and_the_bound() -> None:
    def said(low: float, high: float) -> str:
        primary = replace(PRIMARY, value=(low + high) / 2, low=low, high=high)
        return body_text(report_html(replace(ORDINARY, primary=primary), {}))

    assert "Nul ligt buiten dit interval" in said(-4.0, -1.0) and "of meer, de opgegeven grens, past niet" in said(
        -4.0, -1.0
    )
    assert "Nul ligt binnen dit interval" in said(-9.0, 1.0) and "Ook een verschil van 5%" in said(-9.0, 1.0)
    assert "is groter dan 5%" in said(-9.0, -6.0)
    # What is printed is what is judged: −0.04 is printed as 0,0.
    assert "Nul ligt binnen dit interval" in said(-9.0, -0.04)
    assert "naar schatting even groot als" in said(-3.0, 3.0)


def test_a_refused_interval(pages: dict[str, str]) -> None:
    said = body_text(pages["refused"])
    assert "de focusgebieden in de schatting liggen in 2 gemeenten" in said and "p = 0,18" in said
    assert "In simulaties" not in said  # nothing is said of an interval that is not there
    assert "is hiermee niet vast te stellen" in said and "−4,1 (geen interval)" in said
    assert "van −" not in said.replace("van −4,1", "")
    assert "De overige 18 focusgebieden van het programma zitten niet in deze studie." in said


def test_a_placebo_study_says_so_first(pages: dict[str, str]) -> None:
    for name in ("placebo", "refused"):
        said = body_text(pages[name])
        assert said.index("Dit is een placebostudie.") < said.index("Resultaat")
    assert "placebostudie" not in body_text(pages["ordinary"])
    assert PLACEBO.placebo and REFUSED.placebo


def test_unknown_names_fall_back_on_their_own_words(pages: dict[str, str]) -> None:
    said = body_text(pages["ordinary"])
    assert "a-later-check" in said and "Iets wat de catalogus nog niet kent." in said
    unknown = replace(PRIMARY, method="a-new-method", inference="a-new-inference", weighting="by-guess")
    said = body_text(report_html(replace(ORDINARY, primary=unknown), {}))
    assert all(
        name in said for name in ("a-new-method", "a-new-inference", "by-guess", "niet gebleken dat het interval")
    )


def test_what_the_code_says_in_english_is_marked(pages: dict[str, str]) -> None:
    marked = {text_of(node) for node in tags(parsed(pages["ordinary"]), "span") if node.get("lang") == "en"}
    assert {"an estimate", "Widen the donor pool."} <= marked
    assert any("the panel is matched" in text for text in marked)


def test_the_base_of_the_points_before_the_start(pages: dict[str, str]) -> None:
    assert "vergelijken met dezelfde basis" in body_text(pages["ordinary"])  # no estimate at −1: it is the base
    assert "vergelijkt elk punt met de periode ervoor" in body_text(pages["unmatched"])  # an estimate at −1
    assert all("voor die ene periode apart" in body_text(pages[name]) for name in ("ordinary", "unmatched"))


# --- sealed -----------------------------------------------------------------------------------------------------------


def effects(evidence: Evidence) -> Iterator[float]:
    """Every number of the effect, and every number from which it could be computed."""

    def of(estimate: Estimate) -> Iterator[float | None]:
        yield from (estimate.value, estimate.std_error, estimate.low, estimate.high, estimate.p_value)
        yield from (second.p_value for second in estimate.beside)

    estimates = [
        evidence.primary,
        *(v.estimate for v in (*evidence.weightings, *evidence.alternatives)),
        *evidence.event,
    ]
    numbers = [x for estimate in estimates for x in of(estimate)]
    change = evidence.change
    if change is not None:
        numbers += [change.focus_before, change.focus_after, change.comparison_before, change.comparison_after]
    numbers += [x for point in evidence.path for x in (point.focus, point.comparison)]
    numbers += [area.effect for area in evidence.areas]
    return (x for x in numbers if x is not None)


def spellings(x: float) -> set[str]:
    points = {str(x), repr(abs(x)), *(f"{abs(x):.{digits}f}" for digits in (1, 2, 3))}
    return {*points, *(number(abs(x), "nl", digits) for digits in (1, 2, 3)), p_value(min(abs(x), 1.0), "nl")} - {
        "1,00"
    }


def spelled(numbers: Iterator[float], page: str) -> set[str]:
    wanted = {spelling for x in numbers for spelling in spellings(x)}
    return {s for s in wanted if re.search(rf"(?<![\d.,]){re.escape(s)}(?![\d]|[.,]\d)", page)}


@pytest.mark.parametrize("verdict", ["fail", "not_evaluated"])
def test_sealed_is_absent_everywhere(verdict: Any) -> None:
    # Checks, balance and matching weights are known without outcomes after the start; they stay and are left out here.
    evidence = replace(SEALED, checks=(replace(CHECKS[1], statistic=3.0, verdict=verdict),), balance=(), versions={})
    evidence = replace(
        evidence, areas=tuple(replace(area, matched=()) for area in evidence.areas), excluded=(), flow=()
    )
    assert evidence.sealed
    page = report_html(evidence, figures(ORDINARY))
    assert spelled(effects(ORDINARY), body_text(page)) == set()
    assert "<svg" not in page and figures(evidence) == {}
    said = body_text(page)
    assert "niet vast te stellen" in said and "‘genoeg vergelijkingsgebieden’" in said and "verzegeld" in said
    # The same search does find them where nothing is sealed.
    opened = body_text(report_html(ORDINARY, {}))
    assert {"7,7", "12,7", "118,2", "0,004"} <= spelled(effects(ORDINARY), opened)


def test_what_an_estimate_can_bear_is_there_and_absent_where_it_is_sealed(pages: dict[str, str]) -> None:
    numbers = {"omslagwaarde is 0,83", "−19,3", "−6,5", "−8,6", "99 denkbeeldige", "+5,8", "doorgaans 1,3"}
    assert [found for found in numbers if found not in body_text(pages["robust"])] == []
    closed = replace(ROBUST, checks=SEALED.checks)
    page = report_html(closed, figures(ROBUST))
    assert closed.sealed and not any(found in body_text(page) for found in numbers) and "houdbaar" not in page


def test_a_sealed_check_of_later_outcomes_says_nothing(pages: dict[str, str]) -> None:
    assert SEALED.checks[-1].stage == "post" and SEALED.checks[-1].statistic == 1.5
    rows = {text_of(row.find("th")): text_of(row) for row in tags(parsed(pages["sealed"]), "tr")}
    assert "1,5" not in rows["a-later-check"] and "Iets wat" not in rows["a-later-check"]


# --- texts of others --------------------------------------------------------------------------------------------------


def test_what_a_study_says_is_only_ever_text(pages: dict[str, str]) -> None:
    root = parsed(pages["hostile"])  # valid and without script: see above
    assert text_of(next(tags(root, "h1"))) == "<script>alert(1)</script>{outcome}{{ 7*7 }}"
    assert "<b>%</b>" in body_text(pages["hostile"]) and "{0.__class__}" in body_text(pages["hostile"])
    assert any(HOSTILE.unit in text_of(node) for node in tags(root, "desc"))


def test_a_report_in_a_language_without_texts_is_refused() -> None:
    with pytest.raises(UsageError, match="TEXT-001"):
        report_html(ORDINARY, {}, "xx")


def test_the_same_page_twice(pages: dict[str, str]) -> None:
    assert report_html(ORDINARY, figures(ORDINARY)) == pages["ordinary"]
