"""Names and texts from outside in every output: page, figure, CSV and workbook hold them as texts and nothing more."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from zipfile import ZipFile

import html5lib
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from impact.evidence.svg import rendered
from impact.harmless import as_csv, hidden, no_formula, shown
from impact.study.bundle import read_bundle
from impact.workbook import Sheet, workbook
from tests.study.conftest import impact
from tests.study.small import GEMEENTEN, made, of_gemeente

SCRIPT = '<script>alert(1)</script>"><img src=x onerror=alert(2)>'
TEMPLATE = "{{ 7 * 7 }} {% raise %} {unit} {0.__class__} $\\frac{x}{$ #{1}"
TEXTS = {".html", ".svg", ".csv", ".md", ".txt", ".cff", ".yaml"}
FORMULA = '=HYPERLINK("http://x.example","klik")'


def test_a_whole_run_with_hostile_texts(tmp_path: Path) -> None:
    """Titles, reasons, units, sources, names of areas and of gemeenten: in the page as texts, and code nowhere."""
    small = made(tmp_path)
    small.areas = dict(small.areas)
    quoted = {
        key: "'" + text.replace("'", "''") + "'" for key, text in (("s", SCRIPT), ("t", TEMPLATE), ("f", FORMULA))
    }
    listed = ", ".join(
        f"{slug}: {{name: {quoted['s'] if number else quoted['f']}, members: [{', '.join(codes)}]}}"
        for number, (slug, codes) in enumerate(small.areas.items())
    )
    small.write(
        ("title: Niveau", f"title: {{nl: {quoted['s']}, en: {quoted['t']}}}"),
        ("question: Veranderde het?", f"question: {quoted['t']}"),
        ("unit: procentpunt", f"unit: {quoted['f']}"),
        ("name: {nl: Iets}", f"name: {{nl: {quoted['s']}}}"),
        ("why: programma", f"why: {quoted['t']}"),
        ("file: uitkomst.csv", f"file: uitkomst.csv\n    source: {quoted['s']}"),
        (f"areas: {small.listed}", f"areas: {{{listed}}}"),
    )
    ended = impact("run", small.study, "--out", small.out)
    assert ended.code in (0, 1), ended.err
    page = (small.out / "report.html").read_text(encoding="utf-8")
    parsed = html5lib.parse(page, namespaceHTMLElements=False)
    tags = {element.tag for element in parsed.iter() if isinstance(element.tag, str)}
    assert not tags & {"script", "img", "iframe", "object", "embed", "base", "form", "link"}
    for element in parsed.iter():
        assert not [name for name in element.attrib if isinstance(name, str) and name.lower().startswith("on")]
        assert not str(element.attrib.get("href", "")).lower().startswith(("javascript:", "data:", "http"))
    told = " ".join("".join(parsed.itertext()).split())
    assert "<script>alert(1)</script>" in told and "{{ 7 * 7 }} {% raise %} {unit} {0.__class__}" in told
    assert "49 {" not in told
    for figure in (small.out / "figures").glob("*.svg"):
        assert "<script" not in figure.read_text(encoding="utf-8")
    rows = list(csv.reader(io.StringIO((small.out / "tidy.csv").read_text(encoding="utf-8"))))
    cells = [cell for row in rows for cell in row]
    assert f"'{FORMULA}" in cells
    assert not [cell for cell in cells if cell[:1] in tuple("=@\t\r") or re.match(r"[+-](?![\d.])", cell)]
    # The numbers are what they are, negative ones too.
    plain, table = pd.read_csv(small.out / "tidy.csv"), pd.read_parquet(small.out / "tidy.parquet")
    pd.testing.assert_series_equal(plain["estimate"], table["estimate"], check_exact=False, rtol=1e-12)
    assert (plain["estimate"] < 0).any()
    book = load_workbook(small.out / "tables.xlsx")
    values = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert not [cell for cell in values if cell.data_type == "f" or cell.hyperlink]
    assert FORMULA in [cell.value for cell in values], "a workbook holds the text itself"
    assert read_bundle(small.out).outcomes[0].unit == FORMULA


def test_what_nobody_sees_in_a_cell_of_the_data_is_written_out(tmp_path: Path) -> None:
    """Signs that turn a text around, have no width, or speak to a terminal: in no page, figure, table or message."""
    small = made(tmp_path)
    signs = ["\u202e", "\u200b", "\u2066", "\ufeff=", "\x1b[31m", "\u00ad"]
    names = {code: f"Ge{signs[number % 6]}meente {number}" for number, code in enumerate(GEMEENTEN)}
    small.units["gemeente"] = [names[of_gemeente(code)] for code in small.units["wijk"]]
    columns = "columns: {region: wijk, residents: inwoners,"
    changes = [(columns, columns.replace("wijk,", "wijk, gemeente: gemeente,"))]
    small.write(*changes)
    checked = impact("check", small.study)
    ran = impact("run", small.study, "--out", small.out)
    assert (checked.code, ran.code in (0, 1)) == (0, True), checked.err + ran.err
    printed = impact("show", small.out)
    assert hidden("".join(one.out + one.err for one in (checked, ran, printed))) == ""
    read = {file: file.read_text(encoding="utf-8") for file in small.out.rglob("*") if file.suffix in TEXTS}
    assert {".html", ".svg", ".csv", ".md"} <= {file.suffix for file in read}
    assert [file.name for file, text in read.items() if hidden(text)] == []
    assert "Ge\\u202emeente 0" in read[small.out / "report.html"]
    assert "Ge\\u202emeente 0" in read[small.out / "aggregates.csv"]
    book = load_workbook(small.out / "tables.xlsx")
    cells = [str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row]
    assert hidden("".join(cells)) == "" and "Ge\\u202emeente 0" in cells
    areas = read_bundle(small.out).outcomes[0].areas
    assert names["GM9100"] in {area.cluster for area in areas}, "JSON holds the name itself"
    assert impact("verify", small.out / "bundle.zip").code == 0


@pytest.mark.parametrize("name", ["$\\frac{a}{$", "$x^2$", "_^{}\\", "-->", "<text>", "&amp;", "]]>"])
def test_a_name_in_a_figure_is_drawn_as_it_is(name: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.add_subplot()
    axes.set_yticks([0, 1], [name, "b"])
    axes.set_title(name.replace("\x00", ""))
    drawn = rendered(figure, "figure", name, f'{name}" onload="x')
    import xml.etree.ElementTree as ET

    if "\x00" not in name:
        ET.fromstring(drawn)
    assert "<script" not in drawn and 'onload="x' not in drawn


@pytest.mark.parametrize(
    "text",
    [
        FORMULA,
        "+1+1",
        "-2+3+cmd|' /C calc'!A0",
        "@SUM(1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "  +x",
        "＝1",
        "-",
        "=",
        "--3",
    ],
)
def test_formulas_are_texts(text: str) -> None:
    assert no_formula(text) == f"'{text}"


@pytest.mark.parametrize("text", ["-3", "+0.4", "-0,25", "-1e-05", "1.234,5", "a=b", "", "WK051833", "2021/'22", "'=1"])
def test_numbers_and_plain_texts_stay(text: str) -> None:
    assert no_formula(text) == text


@given(st.text(), st.floats(allow_nan=False, allow_infinity=False))
def test_no_cell_begins_as_a_formula_and_no_number_changes(text: str, number: float) -> None:
    (row,) = csv.reader(io.StringIO(as_csv([["x", text.replace("\0", ""), number]]), newline=""))
    assert float(row[2]) == number
    assert not row[1].startswith(("=", "@", "\t", "\r", "\n"))
    assert not row[1].startswith(("+", "-")) or float(row[1].replace(",", "").replace(".", "") or 0) is not None
    assert row[1].removeprefix("'") == shown(text.replace("\0", "")).removeprefix("'")
    assert hidden(row[1]) == ""


@given(st.text())
def test_what_is_shown_hides_nothing(text: str) -> None:
    assert hidden(shown(text)) == ""
    assert bool(hidden(text)) == (shown(text) != text)


def test_a_workbook_never_loses_a_text() -> None:
    long = "a" * 40_000
    content = workbook([Sheet("x", ("=1", "b"), [(FORMULA, long), ("\x01\ufffe", -1.5)], above=("@x",))])
    page = load_workbook(io.BytesIO(content))["x"]
    assert [page["A1"].value, page["A2"].value, page["A3"].value] == ["@x", "=1", FORMULA]
    assert page["A3"].data_type == "s" and page["B4"].value == -1.5
    assert str(page["B3"].value).endswith("cut off: longer than a cell)") and len(str(page["B3"].value)) == 32_767
    with ZipFile(io.BytesIO(content)) as archive:
        assert b"<f>" not in archive.read("xl/worksheets/sheet1.xml")
