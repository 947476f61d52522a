"""What the first notebook does: run a study from Python, read its bundle, and show what the report shows."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import html5lib  # type: ignore[import-untyped]
import pandas as pd
import pytest

import impact
from impact.errors import UsageError
from tests.shared import ROOT
from tests.study.notebooks import executed, joined, rows, said

NOTEBOOK = ROOT / "notebooks" / "01_eerste_studie.py"


def test_an_interval_that_was_not_sized_is_marked(first: Path) -> None:
    """Of a synthetic control by cluster-jackknife nothing is known yet; table and report say so."""
    table = pd.read_csv(first / "tidy.csv")
    assert table.loc[table["status"] != "ok", ["name", "status"]].to_numpy().tolist() == [
        ["gewogen-vergelijking", "unsized"]
    ]
    assert "Van gewogen-vergelijking is niet gebleken" in (first / "report.html").read_text(encoding="utf-8")


def test_from_python_the_same_numbers(first: Path, tmp_path: Path) -> None:
    bundle = impact.run(impact.read_study(ROOT / "studies" / "eerste-studie"), out=tmp_path / "b")
    assert bundle.tidy()["estimate"].tolist() == impact.read_bundle(first).tidy()["estimate"].tolist()
    assert impact.read_bundle(bundle.path).outcomes == bundle.outcomes


def test_a_bundle_gives_the_sentences_and_figures_of_its_report(first: Path) -> None:
    bundle, page = impact.read_bundle(first), html.unescape((first / "report.html").read_text(encoding="utf-8"))
    assert len(bundle.sentences()) > 2 and all(sentence in page for sentence in bundle.sentences())
    for name in ("gap", "event-study", "balance"):
        assert bundle.figure(name) == (first / "figures" / f"{name}.svg").read_text(encoding="utf-8")
    with pytest.raises(
        UsageError, match=r"BUNDLE-003.*(?s:.)*balance, departures, event-study, flow, gap, specifications"
    ):
        bundle.figure("map")


# --- the notebook -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shown(first: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What the cells of the executed notebook show, by the tag of the cell: for each output its data by kind."""
    return executed(NOTEBOOK, tmp_path_factory.mktemp("notebook"), IMPACT_BUNDLE=str(first)).tagged


@pytest.fixture(scope="module")
def report(first: Path) -> dict[str, list[list[str]]]:
    """Rows of every table of the report, heads of rows included, by the caption without its number."""
    page = html5lib.parse((first / "report.html").read_text(encoding="utf-8"), namespaceHTMLElements=False)
    tables = {}
    for table in page.iter("table"):
        caption = " ".join("".join(table.find("caption").itertext()).split())
        cells = [row.findall("th") + row.findall("td") for row in table.iter("tr")]
        tables[re.sub(r"^Tabel \d+\.? ?", "", caption)] = [
            [" ".join("".join(cell.itertext()).split()) for cell in row] for row in cells
        ]
    return tables


def named(report: dict[str, list[list[str]]], start: str) -> list[list[str]]:
    """Rows of the table whose caption begins so, without its head."""
    (found,) = [rows for caption, rows in report.items() if caption.startswith(start)]
    return found[1:]


def printed(text: str) -> tuple[float, float]:
    """A number of the report, and half of its last digit; what the notebook shows has four decimals."""
    (found,) = re.findall(r"[-−+]?\d[\d.]*(?:,\d+)?", text)
    digits = len(found.partition(",")[2])
    value = float(found.replace(".", "").replace(",", ".").replace("−", "-"))
    return value, 0.5 * 10.0**-digits + 0.5e-4


def same(ours: str, theirs: str) -> None:
    value, slack = printed(theirs)
    assert float(ours) == pytest.approx(value, abs=slack), (ours, theirs)


def between(ours: list[str], theirs: str) -> None:
    """Two bounds, and an interval in words: ``van −0,64 tot 0,00``."""
    low, high = re.findall(r"[-−+]?\d[\d.]*(?:,\d+)?", theirs)
    same(ours[0], low)
    same(ours[1], high)


Shown = dict[str, list[dict[str, Any]]]
Report = dict[str, list[list[str]]]


def test_the_sentences_are_those_of_the_report(shown: Shown, first: Path) -> None:
    text = html.unescape((first / "report.html").read_text(encoding="utf-8"))
    sentences = said(shown["result"])
    assert all(sentence in text for sentence in sentences)
    assert sentences[0].startswith("verkennend") and "19 van de 20" in sentences[0]
    result = next(sentence for sentence in sentences if "naar schatting" in sentence)
    assert re.search(r"\d,\d+ procentpunt lager .*95%-interval", result)


def test_every_area_is_counted_or_named(shown: Shown, report: Report) -> None:
    assert said(shown["areas"]) == ["19 van de 20 gebieden; de andere: Rotterdam-Zuid."]
    ours = rows(shown["areas-table"])
    theirs = {row[0]: row for row in named(report, "De focusgebieden, hun start")}
    assert len(ours) == 20
    for name, gemeente, start, base, left_out in ours:
        _, cluster, _, first_treated, based, role = theirs[name]
        assert [start, base or "niet gegeven"] == [first_treated, based]
        assert gemeente == cluster
        assert role == (f"nee: {left_out}" if left_out else "ja")


def test_before_and_after_are_those_of_the_report(shown: Shown, report: Report) -> None:
    before, after, _, difference = named(report, "Voortijdig schoolverlaters")
    for ours, theirs in zip(rows(shown["change"]), (before, after), strict=True):
        for one, other in zip(ours, theirs[1:], strict=True):
            same(one, other)
    ((_, estimate, low, high, *_),) = rows(shown["estimate"])
    value, interval = difference[1].split(" (")
    same(estimate, value)
    between([low, high], interval)


def test_balance_is_that_of_the_report(shown: Shown, report: Report) -> None:
    ours, theirs = rows(shown["balance"]), named(report, "Gemiddelde kenmerken")
    assert [row[0] for row in ours] == [row[0] for row in theirs]
    for one, other in zip(ours, theirs, strict=True):
        for x, y in zip(one[4:6], other[4:6], strict=True):
            same(x, y)
        assert {"True": "ja", "False": "nee"}[one[6]] == other[6]


@pytest.mark.parametrize("name", ["gap", "event-study", "balance"])
def test_figures_are_those_of_the_report(name: str, shown: Shown, first: Path) -> None:
    (data,) = shown[f"figure-{name}"]
    drawn, kept = joined(data["text/html"]), (first / "figures" / f"{name}.svg").read_text(encoding="utf-8")
    assert kept.strip() in (first / "report.html").read_text(encoding="utf-8")
    text = [re.findall(r"<text[^>]*>([^<]*)", svg) for svg in (drawn, kept)]
    paths = [re.findall(r'\bd="([^"]*)"', svg) for svg in (drawn, kept)]
    assert paths[0] and [" ".join(d.split()) for d in paths[0]] == [" ".join(d.split()) for d in paths[1]]
    assert text[0] == text[1]


def test_the_course_is_that_of_the_report(shown: Shown, report: Report) -> None:
    ours, theirs = rows(shown["path"]), named(report, "Gemiddelde per periode")
    assert len(ours) == 12  # 2013 to 2024
    for one, other in zip(ours, theirs, strict=True):
        assert one[0] == other[0]
        same(one[1], other[1])
        same(one[2], other[2])
    ours, theirs = rows(shown["event"]), named(report, "Verschil met de vergelijking")
    for one, other in zip(ours, theirs, strict=True):
        assert int(one[0]) == int(other[0].replace("−", "-"))
        same(one[1], other[1])
        if one[2] != "NaN":
            between(one[2:4], other[2])
        assert one[4] == other[3]


def test_other_calculations_are_those_of_the_report(shown: Shown, report: Report) -> None:
    for tag, caption, skip in (("weightings", "Dezelfde schatting", 0), ("alternatives", "Opgegeven alternatieven", 1)):
        ours, theirs = rows(shown[tag]), named(report, caption)
        assert len(ours) == len(theirs) > 0
        for one, other in zip(ours, theirs, strict=True):
            at = 1 if tag == "weightings" else 3
            same(one[skip + 1], other[at])
            between(one[skip + 2 : skip + 4], other[at + 1])
        if skip:
            assert [row[1] for row in ours] == [row[0] for row in theirs]
            assert [{"True": "ja", "False": "nee"}[row[0]] for row in ours] == [row[2] for row in theirs]
    ((_, p_value, _),), (second,) = rows(shown["beside"]), named(report, "Onzekerheid op andere")
    same(p_value, second[2])


def test_checks_refusals_and_remarks_are_those_of_the_report(shown: Shown, report: Report, first: Path) -> None:
    verdict = {"pass": "gehaald", "fail": "niet gehaald", "not_evaluated": "niet uitgevoerd"}
    ours, theirs = rows(shown["checks"]), named(report, "Toetsen van opzet")
    assert [verdict[row[1]] for row in ours] == [row[1] for row in theirs]
    text = html.unescape((first / "report.html").read_text(encoding="utf-8"))
    assert said(shown["refusals"]) == ["Er is niets geweigerd."] and "Er is niets geweigerd." in text
    assert said(shown["notes"]) and all(note.removeprefix("- ") in text for note in said(shown["notes"]))
    digests = [row[3] for row in rows(shown["data"])]
    assert len(digests) == 2 and all(digest in text for digest in digests)
