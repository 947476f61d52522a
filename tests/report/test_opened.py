"""LaTeX compiles the tables and LibreOffice opens the docx of a report, and the numbers stand on their pages."""

from __future__ import annotations

import subprocess
from pathlib import Path

from impact.evidence.document import Column, Document, Paragraph, Section, Table
from impact.evidence.forms import formed
from impact.evidence.language import texts
from impact.evidence.latex import escaped
from impact.evidence.plots import figures
from impact.evidence.report import document
from impact.evidence.svg import drawn_too
from tests.report.read_forms import squeezed
from tests.report.samples import ORDINARY, SEALED
from tests.report.test_forms import HIDDEN, NASTY, SIGNS, hostile
from tests.tools import tool

NUMBERS = ["−7,7 (van −12,7 tot −2,7)", "105,6", "31.240", "−10,3", "van −15,7 tot −4,9", "11%"]


def pdf(path: Path) -> str:
    """The words of a PDF, in the order of its pages."""
    done = subprocess.run([tool("pdftotext"), "-layout", path, "-"], capture_output=True, encoding="utf-8", check=True)
    return done.stdout


def compiled(content: bytes, folder: Path, name: str) -> tuple[str, str]:
    """What LaTeX says of a file, and the words of its pages; an error of LaTeX fails the test."""
    file = folder / f"{name}.tex"
    file.write_bytes(content)
    command = [tool("pdflatex"), "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", file.name]
    for _ in range(2):  # the second time with the widths of the first
        done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", errors="replace")
        assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout, pdf(file.with_suffix(".pdf"))


def test_latex_compiles_the_tables_of_a_report(tmp_path: Path) -> None:
    said, words = compiled(formed(document(ORDINARY, {}), "latex", texts("nl"), {}), tmp_path, "tabellen")
    assert [number for number in NUMBERS if squeezed(number) not in squeezed(words)] == []
    assert "Tabel 1: Vernielingen" in words and "verkennend (niet vooraf vastgelegd)" in words
    wide = [
        float(line.split("(")[1].split("pt")[0]) for line in said.splitlines() if line.startswith("Overfull \\hbox")
    ]
    assert max(wide, default=0.0) < 6, "nothing stands out of its column"


def test_latex_compiles_whatever_a_text_holds(tmp_path: Path) -> None:
    outside = tmp_path / "secret.tex"
    outside.write_text("GEHEIM", encoding="utf-8")
    text = " ".join([f"\\input{{{outside}}}", NASTY, HIDDEN, SIGNS])
    page = formed(hostile(text), "latex", texts("nl"), {})
    _, words = compiled(page, tmp_path, "vijandig")
    assert "GEHEIM" not in words and "\\write18{ls}" in words and "<script>alert(1)</script>" in words
    assert "=cmd|" in words and "100%" in words and "a_b" in words


def test_latex_has_a_glyph_for_every_sign_that_is_left_as_it_is(tmp_path: Path) -> None:
    signs = [chr(code) for code in range(32, 0x2300) if escaped(chr(code)) and "U+" not in escaped(chr(code))]
    assert len(signs) > 350
    rows = tuple((f"{ord(sign):04X}", sign) for sign in signs)
    part = Section("a", "Tekens", (Table("Alle", (Column("Nummer"), Column("Teken")), rows),))
    page = Document("nl", "Tekens", "", "", (), None, part, (), ())
    said, _ = compiled(formed(page, "latex", texts("nl"), {}), tmp_path, "tekens")
    assert "Missing character" not in (tmp_path / "tekens.log").read_text(encoding="utf-8", errors="replace"), said


def test_a_wide_table_is_turned_and_comes_out_whole(tmp_path: Path) -> None:
    columns = (Column("Wat"), *(Column(f"Kolom {number}", number=True) for number in range(14)))
    rows = tuple((f"rij {row}", *(f"{row}.{number:03},25" for number in range(14))) for row in range(1, 60))
    part = Section("a", "Breed", (Table("Breed", columns, rows), Paragraph(("einde",))))
    content = formed(Document("nl", "T", "", "", (), None, part, (), ()), "latex", texts("nl"), {})
    assert content.count(rb"\begin{landscape}") == 1
    _, words = compiled(content, tmp_path, "breed")
    assert [cell for row in rows for cell in row if cell not in words] == []


def test_libreoffice_opens_the_docx_of_a_report(tmp_path: Path) -> None:
    office = tool("soffice")
    with drawn_too() as pictures:
        drawn = figures(ORDINARY)
    made = {
        "gewoon": formed(document(ORDINARY, drawn), "docx", texts("nl"), pictures),
        "vijandig": formed(hostile(f"{NASTY} {HIDDEN} {SIGNS}"), "docx", texts("nl"), {}),
        "dicht": formed(document(SEALED, {}), "docx", texts("nl"), {}),
    }
    for name, content in made.items():
        (tmp_path / f"{name}.docx").write_bytes(content)
    files = [f"{name}.docx" for name in made]
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    command = [office, profile, "--headless", "--convert-to", "pdf", *files]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, timeout=240)
    words = {name: pdf(tmp_path / f"{name}.pdf") for name in made}
    assert [number for number in NUMBERS if squeezed(number) not in squeezed(words["gewoon"])] == []
    assert "<script>alert(1)</script>" in words["vijandig"] and "=cmd|" in words["vijandig"]
    assert "verzegeld" in words["dicht"] and "12,7" not in words["dicht"]
    images = subprocess.run(
        ["pdfimages", "-list", tmp_path / "gewoon.pdf"], capture_output=True, encoding="utf-8", check=True
    )
    assert sum(" image " in line for line in images.stdout.splitlines()) >= len(pictures)
