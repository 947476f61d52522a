"""No bundle of the repository claims more than a comparison can show: every file of every study, searched."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from docx import Document as Written

from impact.evidence.area_page import area_documents
from impact.evidence.citation import cited
from impact.evidence.forms import SUFFIXES, formed
from impact.evidence.language import languages, texts
from impact.evidence.report import document
from impact.study.bundle import read_bundle
from tests.forbidden import FORBIDDEN, claims, texts_of, texts_of_bundle
from tests.shared import ROOT
from tests.study.conftest import Ended

STUDIES = sorted(path.name for path in (ROOT / "studies").iterdir() if path.is_dir())  # a collection too
SAID = "Dankzij het programma nam het af."


@pytest.mark.parametrize("study", STUDIES)
def test_no_file_of_a_bundle_holds_a_forbidden_word(study: str, shipped: Callable[[str], tuple[Path, Ended]]) -> None:
    seen, found = set(), {}
    for name, text in texts_of_bundle(shipped(study)[0]):
        seen.add(Path(name).suffix)
        if words := claims(text):
            found[name] = words
    assert found == {}
    assert {".html", ".json", ".xlsx", ".csv", ".parquet", ".zip", ".yaml", ".jsonl"} <= seen


@pytest.mark.parametrize("study", STUDIES)
def test_nor_does_a_form_that_is_made_of_it(study: str, shipped: Callable[[str], tuple[Path, Ended]]) -> None:
    """Docx, LaTeX, workbook and plain text, pages of areas, and a citation."""
    for evidence in read_bundle(shipped(study)[0]).outcomes[:2]:
        for language in languages():
            say = texts(language, evidence.level)
            whole = document(evidence, {}, language)
            for form in ("docx", "latex", "xlsx", "text"):
                content = formed(whole, form, say, {})
                assert not [words for text in texts_of(f"report{SUFFIXES[form]}", content) if (words := claims(text))]
            for page in list(area_documents(evidence, "all", language).values())[::6]:
                assert claims(formed(page, "text", say, {}).decode("utf-8")) == []
            said = cited(evidence, None, language)
            assert claims(" ".join([said.title, *said.sentences, said.status, said.grade])) == []


def test_no_template_holds_a_forbidden_word() -> None:
    """The catalogues of every level, and what is written around them."""
    for language in languages():
        for level in ("", "gemeente"):
            entries = texts(language, level).entries
            assert {key: text for key, text in entries.items() if claims(text)} == {}
    around = [file for file in (ROOT / "impact").rglob("*") if file.suffix in (".html", ".css", ".md", ".txt", ".tex")]
    told = {file.name: claims(file.read_text(encoding="utf-8")) for file in around}
    assert told and not any(told.values())


@pytest.mark.parametrize(
    "text",
    [
        "Het werkt.",
        "een effectieve aanpak",
        "ineffectief",
        "De effectiviteit daarvan",
        "dat werkte goed",
        "heeft gewerkt",
        "onbewezen",
        "DANKZIJ",
        "what works",
        "thanks to it",
        "it worked",
        "unproven",
        "effectiveness",
    ],
)
def test_a_word_is_found_however_it_is_bent(text: str) -> None:
    assert FORBIDDEN.search(text)


@pytest.mark.parametrize(
    "text",
    [
        "de uitwerking, de werking, het effect",
        "dit is verwerkt; wie werken er, en wie heeft werk",
        "bewijst geen datum, proves no date",
        "network, workshop, earlier work",
        "effective-controls",
        "effective_clusters",
    ],
)
def test_another_word_is_not(text: str) -> None:
    assert not FORBIDDEN.search(text)


def test_an_injected_word_is_found_in_every_kind_of_file(tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "report.html").write_text(f"<p>{SAID}</p>", encoding="utf-8")
    (tmp_path / "figures" / "gap.svg").write_text(f"<svg><desc>{SAID}</desc></svg>", encoding="utf-8")
    (tmp_path / "results.json").write_text(json.dumps({"outcomes": [{"notes": [SAID]}]}), encoding="utf-8")
    (tmp_path / "tidy.csv").write_text(f"a,b\n1,{SAID}\n", encoding="utf-8")
    pd.DataFrame({"a": [SAID]}).to_parquet(tmp_path / "tidy.parquet")
    book = openpyxl.Workbook()
    book.create_sheet("tweede").append([1.0, SAID])
    book.save(tmp_path / "tables.xlsx")
    written = Written()
    written.add_paragraph("Dank").add_run("zij").bold = True
    written.save(str(tmp_path / "report.docx"))
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as zipped:
        zipped.write(tmp_path / "tables.xlsx", "tables.xlsx")
    found = {name for name, text in texts_of_bundle(tmp_path) if claims(text)}
    assert found == {file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()}


def test_a_kind_of_file_that_cannot_be_read_is_no_silence() -> None:
    with pytest.raises(AssertionError, match="no text of such a file"):
        list(texts_of("rapport.odt", b""))
