"""A table in two parts: nothing lost, nothing changed, and the later periods only in the second."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from impact.sources.split import Split, split_table
from impact.sources.tables import Table, read_table
from impact.workbook import Sheet, workbook

CSV = (
    '\ufefftitel; zonder betekenis\r\nregio;jaar;"opmer""king";aantal\r\n0518;2020;"twee\r\nregels; met 2023";007\r\n'
    '0518;2021*;5" buis;.\r\n\r\nGM1;2022;x;\r\nGM1;2023;-;1,50\r\n'
)


def parts(path: Path, at: str, time: str = "jaar", **more: object) -> Split:
    found = split_table(path, time, at, **more)  # type: ignore[arg-type]
    assert isinstance(found, Split), found
    return found


def test_the_lines_of_a_csv_stay_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "tabel.csv"
    path.write_bytes(CSV.encode())
    found = parts(path, "2022", header_row=2)
    lines = CSV.encode().split(b"\r\n")
    head, early, late = lines[:2], lines[2:5], lines[6:8]
    assert found.design == b"\r\n".join([*head, *early, b"", b""]), "the blank line belongs to neither"
    assert found.sealed == b"\r\n".join([*head, b"", *late, b""])
    assert (found.rows, found.before, found.after) == ((2, 2), ("2020", "2021"), ("2022", "2023"))


@pytest.mark.parametrize("separator", [",", "\t"])
def test_both_parts_together_are_the_table(tmp_path: Path, separator: str) -> None:
    frame = pd.DataFrame({"r": [f"WK{n:06d}" for n in range(60)], "p": [2010 + n % 7 for n in range(60)], "v": "x"})
    path = tmp_path / "tabel.csv"
    frame.to_csv(path, sep=separator, index=False)
    found = parts(path, "2013", "p")
    for name, content, later in (("a", found.design, False), ("b", found.sealed, True)):
        (tmp_path / f"{name}.csv").write_bytes(content)
        part = pd.read_csv(tmp_path / f"{name}.csv", sep=separator)
        assert part.equals(frame[(frame["p"] >= 2013) == later].reset_index(drop=True))


def test_a_sheet_of_a_workbook(tmp_path: Path) -> None:
    """Codes with zeros in front, marks, numbers and blanks are what they were, and the bytes the same twice."""
    path = tmp_path / "boek.xlsx"
    rows = [
        ("0363", "2021", "x", 1.5),
        ("0363", "2022", ".", None),
        ("0518", "2021/'22", "", 3),
        ("0518", "2022", "=1", 2),
    ]
    path.write_bytes(workbook([Sheet("uitleg", ("a",), [("niets",)]), Sheet("cijfers", ("c", "p", "m", "n"), rows)]))
    found = parts(path, "2022", "p", sheet="cijfers")
    assert found == parts(path, "2022", "p", sheet="cijfers")
    read = []
    for name, content in (("a", found.design), ("b", found.sealed)):
        (tmp_path / f"{name}.xlsx").write_bytes(content)
        book = openpyxl.load_workbook(tmp_path / f"{name}.xlsx")
        assert book.sheetnames == ["cijfers"]
        read.append(list(book["cijfers"].iter_rows(values_only=True)))
        assert isinstance(read_table(tmp_path / f"{name}.xlsx"), Table)
    head = ("c", "p", "m", "n")
    assert read[0] == [head, ("0363", "2021", "x", 1.5), ("0518", "2021/'22", None, 3)]
    assert read[1] == [head, ("0363", "2022", ".", None), ("0518", "2022", "=1", 2)]


def test_numbers_that_a_workbook_rounds_are_told(tmp_path: Path) -> None:
    path = tmp_path / "boek.xlsx"
    content = workbook([Sheet("cijfers", ("r", "p", "v"), [("a", 2021, 0.25), ("a", 2022, 0.5)])])
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"<v>0.25</v>", b"<v>0.30000000000000004</v>"))
    assert parts(path, "2022", "p").notes == ("1 numbers have more than 16 digits and were rounded to these",)


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "tabel.parquet"
    frame = pd.DataFrame(
        {"r": ["a", "b", "a", "b"], "p": [2021, 2021, 2022, 2022], "v": [0.1 + 0.2, None, 1e-300, 4.0]}
    )
    frame.to_parquet(path)
    found = parts(path, "2022", "p")
    for name, content, rows in (("a", found.design, frame[:2]), ("b", found.sealed, frame[2:])):
        (tmp_path / name).write_bytes(content)
        assert pd.read_parquet(tmp_path / name).reset_index(drop=True).equals(rows.reset_index(drop=True))


@pytest.mark.parametrize(
    ("text", "at", "time", "code"),
    [
        ("r;p\na;2020\n", "2021", "p", "DATA-162"),
        ("r;p\na;2020\n", "2020", "p", "DATA-162"),
        ("r;p\na;2020\n", "ooit", "p", "DATA-162"),
        ("r;p\na;2020\n", "2020", "jaar", "DATA-107"),
        ("r;p\na;2020\nb;?\n", "2020", "p", "DATA-110"),
        ("", "2020", "p", "DATA-105"),
    ],
)
def test_what_cannot_be_split_is_said(tmp_path: Path, text: str, at: str, time: str, code: str) -> None:
    path = tmp_path / "tabel.csv"
    path.write_text(text, encoding="utf-8")
    found = split_table(path, time, at)
    assert isinstance(found, tuple) and [problem.code for problem in found] == [code]
