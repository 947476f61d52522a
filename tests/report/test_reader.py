"""A reader of any form reads the numbers of the bundle: each form parsed back, each number rounded once more here.

What is expected comes from ``results.json`` and the arithmetic of this file; titles of tables from the catalogue.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from impact.evidence.forms import formed
from impact.evidence.language import texts
from impact.evidence.record import Evidence
from impact.evidence.report import document
from impact.study.bundle import Bundle, parsed, read_bundle
from tests.report.read_forms import FORMS, Page, Read, read, squeezed
from tests.study.small import made

LANGUAGES = ("nl", "en")

ALTERNATIVE = """alternatives:
  - {name: per-inwoner, why: ter vergelijking, same_estimand: false, change: {target: {every: resident}}}
seed: 7"""
SEALED = ("controls: 2,", "controls: 999,")

Record = dict[str, Any]


# --- the bundles and their forms --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    """A study that was run, and the same with a check that seals it."""
    found = {}
    for name, changes in {"open": (), "sealed": (SEALED,)}.items():
        small = made(tmp_path_factory.mktemp(name))
        small.run(("seed: 7", ALTERNATIVE), *changes)
        found[name] = read_bundle(small.out)
    return found


@pytest.fixture(scope="module")
def record(bundles: dict[str, Bundle]) -> Record:
    return results(bundles["open"].path)


def results(path: Path) -> Record:
    found: Record = json.loads((path / "results.json").read_text(encoding="utf-8"))["outcomes"][0]
    return found


@pytest.fixture(scope="module")
def pages(bundles: dict[str, Bundle]) -> dict[tuple[str, str], Page]:
    """What a reader reads, by form and language."""
    (evidence,) = bundles["open"].outcomes
    return {
        (form, language): read(form, written(evidence, form, language), language)
        for form in FORMS
        for language in LANGUAGES
    }


def written(evidence: Evidence, form: str, language: str) -> bytes:
    return formed(document(evidence, {}, language), form, texts(language), {})


# --- numbers as a language writes them, by other means than the product -----------------------------------------------


def places(std_error: float | None, value: float) -> int:
    """Decimals for two significant digits of the standard error, else of the value."""
    size = Decimal(repr(abs(std_error or value or 1.0)))
    return max(1 - Context(prec=2).plus(size).adjusted(), 0)


def as_text(x: float, digits: int, language: str, *, sign: bool = False) -> str:
    rounded = Decimal(x).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN)
    whole, _, part = f"{abs(rounded):f}".partition(".")
    groups = [whole[max(end - 3, 0) : end] for end in range(len(whole), 0, -3)][::-1]
    thousands, point = (".", ",") if language == "nl" else (",", ".")
    head = "−" if rounded < 0 else "+" if sign and rounded > 0 else ""
    return head + thousands.join(groups) + (point + part if part else "")


def three_digits(x: float, language: str) -> str:
    digits = max(2 - Context(prec=3).plus(Decimal(repr(abs(x)))).adjusted(), 0) if x else 0
    written = as_text(x, digits, language)
    point = "," if language == "nl" else "."
    return written.rstrip("0").rstrip(point) if point in written else written


def between(low: float, high: float, digits: int, language: str) -> str:
    ends = [as_text(x, digits, language, sign=True) for x in (low, high)]
    return f"van {ends[0]} tot {ends[1]}" if language == "nl" else f"{ends[0]} to {ends[1]}"


def estimate(found: Record, language: str) -> list[str]:
    """Value and interval as they stand in a row."""
    digits = places(found["std_error"], found["value"])
    value = as_text(found["value"], digits, language, sign=True)
    return [value] if found["low"] is None else [value, between(found["low"], found["high"], digits, language)]


# --- what a form has to say -------------------------------------------------------------------------------------------


def table(page: Page, caption: str) -> Read:
    start = squeezed(caption)
    (found,) = [one for one in page.tables if start in squeezed(one.caption)]
    return found


def rows(page: Page, caption: str) -> list[list[str]]:
    return [[squeezed(cell) for cell in row] for row in table(page, caption).rows]


def has(found: list[list[str]], *cells: str) -> bool:
    """Whether some row begins with the first of the cells and holds the others, in this order."""
    first, *rest = map(squeezed, cells)
    for row in found:
        left = iter(row[1:])
        if row[0] == first and all(cell in left for cell in rest):
            return True
    return False


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("form", FORMS)
def test_the_sentence_says_the_numbers_of_the_bundle(
    pages: dict[tuple[str, str], Page], record: Record, form: str, language: str
) -> None:
    primary, words = record["primary"], squeezed(pages[form, language].words)
    digits = places(primary["std_error"], primary["value"])
    way = {"nl": ("lager", "hoger"), "en": ("lower", "higher")}[language]
    low, high = (f"{as_text(abs(x), digits, language)}{way[x > 0]}" for x in (primary["low"], primary["high"]))
    assert f"{as_text(abs(primary['value']), digits, language)}{squeezed(record['unit'])}" in words or language == "en"
    assert f"95%-interval:van{low}tot{high}" in words or f"95%interval:{low}to{high}" in words
    areas, total = primary["areas"], record["areas_total"]
    assert f"{areas}van{'de' if language == 'nl' else ''}{total}" in words or f"{areas}ofthe{total}" in words


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("form", FORMS)
def test_every_table_has_the_numbers_of_the_bundle(
    pages: dict[tuple[str, str], Page], record: Record, form: str, language: str
) -> None:
    page, say, primary = pages[form, language], texts(language), record["primary"]
    digits = places(primary["std_error"], primary["value"])

    def level(x: float, *, sign: bool = False) -> str:
        return as_text(x, digits, language, sign=sign)

    change = record["change"]
    found = rows(page, say("change.caption", outcome="Iets", unit="").split("(")[0])
    # The rate is per 100, so that a level is a share in percent; the unit stands with the changes.
    found = [[re.sub(r"\(procentpunt\)|\(percentagepoints\)|%$", "", cell) for cell in row] for row in found]
    assert has(found, say("change.before", period=change["before"]), *map(level, of(change, "before")))
    assert has(found, say("change.after", period=change["after"]), *map(level, of(change, "after")))
    moves = [after - before for before, after in zip(of(change, "before"), of(change, "after"), strict=True)]
    assert has(found, say("change.change"), *(level(x, sign=True) for x in moves))
    value, interval = estimate(primary, language)
    assert has(found, say("change.difference"), f"{value} ({interval})")

    found = rows(page, say("estimate.caption"))
    assert has(found, say("estimate.interval", level="95"), interval)
    facts = {"std_error": digits, "df": 0, "areas": 0, "units": 0, "clusters": 0, "treated_clusters": 0}
    for name, places_of in facts.items():
        assert has(found, say(f"estimate.{name}"), as_text(primary[name], places_of, language)), name
    assert has(found, say("estimate.effective"), as_text(primary["effective_clusters"], 1, language))
    p = primary["p_value"]
    few = p < 0.01
    assert has(found, say("estimate.p_value"), as_text(p, 3 if few else 2, language)) or p < (0.0005 if few else 0)

    found = rows(page, say("path.caption", unit="").split("(")[0])
    for point in record["path"]:
        gap = point["focus"] - point["comparison"]
        assert has(found, point["period"], level(point["focus"]), level(point["comparison"]), level(gap, sign=True))
    assert len(record["path"]) == 10

    found = rows(page, say("event.caption", unit="").split("(")[0])
    numbered = [row for row in record["event"] if re.fullmatch(r"-?\d+", row["term"])]
    assert len(numbered) >= 8
    for row in numbered:
        term = as_text(int(row["term"]), 0, language, sign=True)
        assert has(found, term, *estimate(row, language), str(row["areas"]), str(row["treated_clusters"])), row["term"]

    found = rows(page, say("checked.caption"))
    assert len(record["checks"]) >= 3 and len(found) >= len(record["checks"])
    for check in record["checks"]:
        numbers = [check[name] for name in ("statistic", "threshold") if check[name] is not None]
        percent = check["name"] in ("largest-share", "suppressed")
        said = [squeezed(three_digits(100 * x if percent else x, language) + "%" * percent) for x in numbers]
        assert has(found, say(f"checks.{check['name']}.title"), say(f"verdicts.{check['verdict']}"), *said), check

    found = rows(page, say("areas.caption"))
    for area in record["areas"]:
        assert has(found, area["name"], area["cluster"], area["first_treated"], area["base"]), area["name"]

    found = rows(page, say("weighed.caption", unit="").split("(")[0])
    for one in record["weightings"]:
        assert any(set(map(squeezed, estimate(one["estimate"], language))) <= set(row) for row in found), one["name"]

    found = rows(page, say("alternative.caption", unit="").split("(")[0])
    (one,) = record["alternatives"]
    own = one["estimate"]
    assert has(found, one["name"], *estimate(own, language), str(own["areas"]))


def of(change: Record, side: str) -> list[float]:
    return [change[f"{group}_{side}"] for group in ("focus", "comparison")]


# --- one estimate changed ---------------------------------------------------------------------------------------------


def other(evidence: Evidence, what: str) -> tuple[Evidence, float]:
    """The evidence with one number another, and that number."""
    primary = evidence.primary
    match what:
        case "value" | "low" | "high":
            new = (getattr(primary, what) or 0.0) + 0.37
            return replace(evidence, primary=replace(primary, **{what: new})), new
        case "level":
            assert evidence.change is not None and evidence.change.focus_after is not None
            new = evidence.change.focus_after + 5.5
            return replace(evidence, change=replace(evidence.change, focus_after=new)), new
        case "weighting":
            first, *rest = evidence.weightings
            new = -7.25
            changed = replace(first, estimate=replace(first.estimate, value=new))
            return replace(evidence, weightings=(changed, *rest)), new
        case "alternative":
            first, *rest = evidence.alternatives
            new = -8.25
            changed = replace(first, estimate=replace(first.estimate, value=new))
            return replace(evidence, alternatives=(changed, *rest)), new
        case "event":
            first_row, *others = evidence.event
            new = -6.75
            return replace(evidence, event=(replace(first_row, value=new), *others)), new
        case "path":
            *points, last = evidence.path
            assert last.focus is not None
            new = last.focus + 3.1
            return replace(evidence, path=(*points, replace(last, focus=new))), new
    first_check, *checks = evidence.checks
    new = (first_check.statistic or 0.0) + 41
    return replace(evidence, checks=(replace(first_check, statistic=new), *checks)), new


@pytest.mark.parametrize(
    "what", ["value", "low", "high", "level", "weighting", "alternative", "event", "path", "check"]
)
def test_another_number_is_another_report_in_every_form(
    bundles: dict[str, Bundle], pages: dict[tuple[str, str], Page], what: str
) -> None:
    evidence = bundles["open"].outcomes[0]
    changed, new = other(evidence, what)
    for language in LANGUAGES:
        error = evidence.event[0].std_error if what == "event" else evidence.primary.std_error
        error = evidence.weightings[0].estimate.std_error if what == "weighting" else error
        error = evidence.alternatives[0].estimate.std_error if what == "alternative" else error
        digits = 0 if what == "check" else places(error, new)
        expected = as_text(abs(new), digits, language)
        for form in FORMS:
            before, after = pages[form, language], read(form, written(changed, form, language), language)
            assert before != after, (form, language)
            counts = [len(numbers_of(page, expected)) for page in (before, after)]
            assert counts[1] > counts[0], (form, language, expected)


def numbers_of(page: Page, number: str) -> list[str]:
    return re.findall(rf"(?<![\d.,]){re.escape(number)}(?![\d]|[.,]\d)", page.words)


# --- sealed -----------------------------------------------------------------------------------------------------------


def effects(found: Record) -> Iterator[float]:
    """Every number of the effect, and every number from which it could be computed."""
    one = [
        found["primary"],
        *(each["estimate"] for each in (*found["weightings"], *found["alternatives"])),
        *found["event"],
    ]
    for each in one:
        yield from (each[name] for name in ("value", "std_error", "low", "high", "p_value") if each[name] is not None)
    yield from (x for x in found["change"].values() if isinstance(x, float))
    yield from (point[side] for point in found["path"] for side in ("focus", "comparison"))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("form", FORMS)
def test_a_sealed_number_is_in_no_form(bundles: dict[str, Bundle], record: Record, form: str, language: str) -> None:
    sealed = bundles["sealed"]
    assert sealed.outcomes[0].sealed and results(sealed.path)["primary"]["value"] is None
    # The record of the open run behind the closed check: nothing of it may come through.
    (evidence,) = parsed((bundles["open"].path / "results.json").read_bytes(), "")
    closed = replace(evidence, checks=sealed.outcomes[0].checks)
    for one in (sealed.outcomes[0], closed):
        page = read(form, written(one, form, language), language)
        hidden = [x for x in effects(record) if abs(x) > 1e-6]
        wanted = {as_text(abs(x), places_of, language) for x in hidden for places_of in (2, 3)}
        wanted = {one for one in wanted if len(one.strip("0.,")) > 2}
        assert len(wanted) > 40
        assert [one for one in wanted if numbers_of(page, one)] == []


def test_a_workbook_knows_no_more_digits_than_it_shows(bundles: dict[str, Bundle]) -> None:
    book = load_workbook(io.BytesIO(written(bundles["open"].outcomes[0], "xlsx", "nl")))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if isinstance(cell.value, int | float)]
    assert len(cells) > 80
    for cell in cells:
        form = cell.number_format.split(";")[0].strip('"+')
        digits = len(form.rstrip("%").partition(".")[2]) + 2 * form.endswith("%")
        assert Decimal(repr(cell.value)) == round(Decimal(repr(cell.value)), digits), cell.number_format
