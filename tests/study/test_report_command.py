"""`impact report`: which files it writes where, in which form and language, and what it refuses."""

from __future__ import annotations

import io
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from docx import Document as opened
from openpyxl import load_workbook

from impact.errors import UsageError
from impact.study.bundle import read_bundle, results_json
from impact.study.reports import reports
from tests.report.read_forms import read, squeezed
from tests.study import collected
from tests.study.conftest import Ended, impact, tree
from tests.study.small import Small, made

SUFFIX = {"html": ".html", "docx": ".docx", "latex": ".tex", "xlsx": ".xlsx", "text": ".txt"}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    one = made(tmp_path_factory.mktemp("rapport"))
    one.run()
    return one


def written(ended: Ended) -> list[Path]:
    assert ended.code == 0, ended.err
    return [Path(line) for line in ended.out.splitlines()]


@pytest.mark.parametrize("form", SUFFIX)
def test_every_form_beside_the_bundle_from_its_zip(small: Small, form: str) -> None:
    (file,) = written(impact("report", small.out / "bundle.zip", "--form", form))
    assert file == small.root / "niveau-report" / f"report{SUFFIX[form]}"
    content = file.read_bytes()
    assert len(content) > 4_000 and (form != "html" or content == (small.out / "report.html").read_bytes())
    assert form != "docx" or content == read_bundle(small.out).report("docx")


def test_another_language_is_another_file_and_pages_stand_in_their_bundle(small: Small) -> None:
    before = tree(small.out)
    (file,) = written(impact("report", small.out, "--form", "text", "--language", "en"))
    assert file == small.root / "niveau-report" / "report.en.txt" and "Research report" in file.read_text("utf-8")
    assert written(impact("report", small.out, "--language", "en")) == [small.out / "report.en.html"]
    assert tree(small.out) == before, "the bundle is what it was"


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without figures, which take the time and are looked at elsewhere."""
    monkeypatch.setattr("impact.study.reports.figures", lambda *_: {})


@pytest.mark.usefixtures("undrawn")
def test_a_file_says_its_form_by_its_name(small: Small, tmp_path: Path) -> None:
    (file,) = written(impact("report", small.out, "--out", tmp_path / "brief.docx"))
    assert opened(io.BytesIO(file.read_bytes())).paragraphs[0].text == "Niveau"
    (file,) = written(impact("report", small.out, "--out", tmp_path / "tabellen.xlsx", "--language", "en"))
    assert load_workbook(file).sheetnames[:2] == ["Contents", "Table 1"]
    (file,) = written(impact("report", small.out, "--out", tmp_path / "map", "--form", "text"))
    assert file == tmp_path / "map" / "report.txt" and "Niveau\n======" in file.read_text(encoding="utf-8")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["brief.docx", "map", "tabellen.xlsx"], "nothing halfway"


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--form", "pdf"], "USAGE-050", "html, docx, latex, xlsx, text"),
        (["--language", "fy"], "TEXT-001", "en, nl"),
        (["--outcome", "anders"], "USAGE-051", "iets"),
        (["--form", "docx", "--out", "ROOT/brief.odt"], "USAGE-052", ".docx"),
        (["--form", "text", "--out", "ROOT/uit"], "USAGE-053", "report.txt"),
        (["--out", "ROOT/uit/onder/report.html"], "USAGE-053", "--out"),
    ],
)
def test_what_cannot_be_is_said_in_one_message(small: Small, arguments: list[str], code: str, said: str) -> None:
    before = tree(small.root)
    ended = impact("report", small.out, *(one.replace("ROOT", str(small.root)) for one in arguments))
    assert (ended.code, ended.out) == (2, "") and code in ended.err and said in ended.err and "1 problem" in ended.err
    assert tree(small.root) == before


@pytest.mark.usefixtures("undrawn")
def test_no_report_comes_into_the_bundle_of_another(small: Small, tmp_path: Path) -> None:
    other = shutil.copytree(small.out, tmp_path / "ander")
    before = tree(tmp_path)
    for source, out in (("", ""), ("bundle.zip", "report.html"), ("", "x")):
        ended = impact("report", small.out / source, "--out", other / out)
        assert ended.code == 2 and "USAGE-053" in ended.err
    assert tree(tmp_path) == before
    (tmp_path / "manifest.json").write_text('{"name": "een site"}', encoding="utf-8")
    assert written(impact("report", small.out, "--out", tmp_path)) == [tmp_path / "report.html"]


@pytest.mark.usefixtures("undrawn")
def test_no_bundle_is_said(small: Small, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"PK")
    for place, code in (
        (tmp_path, "BUNDLE-001"),
        (tmp_path / "er-niet", "BUNDLE-001"),
        (tmp_path / "x.zip", "BUNDLE-005"),
    ):
        ended = impact("report", place)
        assert ended.code == 2 and code in ended.err


@pytest.mark.usefixtures("undrawn")
def test_what_somebody_wrote_in_a_docx_stays(small: Small, tmp_path: Path) -> None:
    (file,) = written(impact("report", small.out, "--out", tmp_path / "brief.docx"))
    written(impact("report", small.out, "--out", file))  # the same again
    page = opened(file)
    page.add_paragraph("Onze toelichting.")
    page.save(file)
    ended = impact("report", small.out, "--out", file)
    assert ended.code == 2 and "USAGE-042" in ended.err and "Onze toelichting." in opened(file).paragraphs[-1].text


@pytest.mark.usefixtures("undrawn")
def test_without_python_docx_it_says_what_to_install(
    small: Small, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "docx", None)
    ended = impact("report", small.out, "--form", "docx", "--out", tmp_path)
    assert ended.code == 2 and "USAGE-040" in ended.err and "impact-nplv[report]" in ended.err
    assert written(impact("report", small.out, "--form", "latex", "--out", tmp_path)) == [tmp_path / "report.tex"]


@pytest.mark.usefixtures("undrawn")
def test_every_outcome_has_its_own_file(small: Small) -> None:
    (first,) = read_bundle(small.out).outcomes
    second = replace(first, indicator="anders", primary=replace(first.primary, value=-8.75))
    both = reports([first, second], "text")
    assert list(both) == ["report.txt", "report-anders.txt"] and b"8,8" in both["report-anders.txt"]
    place = small.root / "twee"
    place.mkdir()
    (place / "results.json").write_bytes(results_json([first, second]))
    ended = impact("report", place, "--form", "text", "--out", place / "report-anders.txt")
    assert ended.code == 2 and "USAGE-052" in ended.err and not (place / "report-anders.txt").exists()
    assert reports([first, second], "text", "en", "anders").keys() == {"report-anders.en.txt"}
    assert reports([first, second], "text", outcome="anders") == {"report-anders.txt": both["report-anders.txt"]}
    with pytest.raises(UsageError, match="USAGE-051"):
        reports([first, second], "text", outcome="niets")


def test_a_collection_has_every_form_of_its_own_and_of_its_studies(tmp_path: Path) -> None:
    out = tmp_path / "uit"
    assert impact("run", collected.written(tmp_path), "--out", out).code in (0, 1)
    bundle = read_bundle(out)
    assert bundle.collected is not None and len(bundle.outcomes) == 2
    assert bundle.report() == (out / "report.html").read_bytes()
    page = read("html", bundle.report())
    titles = {evidence.title["nl"] for evidence in bundle.outcomes}
    for form in SUFFIX:
        source = out / "bundle.zip" if form in ("text", "docx") else out
        (file,) = written(impact("report", source, "--form", form, "--out", tmp_path / "vormen"))
        assert file == tmp_path / "vormen" / f"report{SUFFIX[form]}"
        found = read(form, file.read_bytes())
        assert [squeezed(one.caption) for one in found.tables] == [squeezed(one.caption) for one in page.tables]
        assert [len(one.head) for one in found.tables] == [len(one.head) for one in page.tables]
    (file,) = written(impact("report", out, "--form", "text", "--outcome", "uitkering"))
    assert file == tmp_path / "samen-report" / "report-uitkering.txt"
    assert file.read_text(encoding="utf-8").split("\n")[0] in titles
    assert file.read_bytes() == bundle.report(
        "text", outcome=[one.indicator for one in bundle.outcomes].index("uitkering")
    )
