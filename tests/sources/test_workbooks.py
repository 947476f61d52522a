"""Sheets of workbooks: what stands in a cell is what is read, and what would go wrong in silence names its cell."""

from __future__ import annotations

import datetime
import zipfile

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impact.sources.contract import Column, Contract, Kind
from impact.sources.regions import Level
from impact.sources.rows import Long, read_long
from impact.sources.tables import Table, read_table
from impact.sources.values import Status
from impact.workbook import Sheet, workbook
from tests.shared import shared

CONTRACT = Contract(
    (Column("wijk", Kind.CODE, level=Level.WIJK), Column("jaar", Kind.PERIOD), Column("aantal", Kind.NUMBER)),
    key=("wijk", "jaar"),
)
HEADER = ("wijk", "jaar", "aantal")


def ours(path, *sheets):
    path.write_bytes(workbook(sheets))
    return path


def theirs(path, rows, change=None):
    """A workbook as openpyxl writes it, after `change(sheet)`."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    if change is not None:
        change(book.active)
    book.save(path)
    return path


def edited(path, old, new, member="xl/worksheets/sheet1.xml"):
    """The same workbook with `old` replaced in the XML of one of its members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    assert old.encode() in members[member], members[member]
    members[member] = members[member].replace(old.encode(), new.encode())
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def read(path, **options) -> Table:
    table = read_table(path, **options)
    assert isinstance(table, Table), "\n".join(map(str, table))
    return table


def problems(path, contract=CONTRACT, where=None, **options):
    """What is wrong with the file, or else with its table."""
    table = read_table(path, **options)
    found = read_long(table, contract, where=where) if isinstance(table, Table) else table
    assert not isinstance(found, Long)
    return found


def problem(path, **options):
    (found,) = problems(path, **options)
    return found


texts = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"], exclude_characters="_"), max_size=8)
# A workbook keeps 15 digits that count.
numbers = st.integers(-(10**15) + 1, 10**15 - 1) | st.floats(-1e12, 1e12).map(lambda number: float(f"{number:.15g}"))
codes = st.from_regex(r"0{0,3}[1-9][0-9]{0,5}", fullmatch=True)
cells = st.none() | texts | numbers | codes | st.sampled_from(["=A1", "3-4", "#N/A", "TRUE", "1e5", "12,5*", " x "])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(cells, cells, cells), max_size=6), st.integers(0, 3))
def test_what_is_written_is_read_back(tmp_path_factory, rows, titles):
    sheet = Sheet("blad", ("a", "b", "c"), rows, above=tuple(f"regel {i}" for i in range(titles)))
    table = read(ours(tmp_path_factory.mktemp("x") / "t.xlsx", sheet), header_row=titles + 1)
    kept = [
        (number, ["" if cell is None else cell for cell in row])
        for number, row in enumerate(rows, titles + 2)
        if any(cell is not None and str(cell).strip() for cell in row)
    ]
    assert table.frame.to_numpy(object).tolist() == [row for _, row in kept]
    assert [[isinstance(cell, str) for cell in row] for row in table.frame.to_numpy(object).tolist()] == [
        [isinstance(cell, str) for cell in row] for _, row in kept
    ]
    assert table.rows.tolist() == [number for number, _ in kept]
    assert dict(table.letters) == {"a": "A", "b": "B", "c": "C"}
    assert table.notes == ()


def test_text_and_numbers_mix_in_a_column(tmp_path):
    rows = [("048402", 2011, 5), ("WK048402", "2012*", "6,5*"), (48402, 2013.0, "<10"), ("048402", "2014", None)]
    found = read_long(read(ours(tmp_path / "t.xlsx", Sheet("d", HEADER, rows))), CONTRACT)
    assert isinstance(found, Long), found
    frame = found.to_frame()
    assert frame["region"].tolist() == ["WK048402"] * 4
    assert frame["period"].tolist() == ["2011", "2012", "2013", "2014"]
    assert frame["aantal_status"].tolist() == ["ok", "provisional", "suppressed", "impossible"]
    assert frame["aantal"].tolist()[:2] == [5.0, 6.5]


def test_every_problem_names_its_cells(tmp_path):
    rows = [("48402", 2011, 5), ("48402", 2011, "veel"), ("Gein", "twee", 1), (None, 2012, "veel")]
    sheet = Sheet("d", HEADER, rows, above=("Titel", ""))
    found = problems(ours(tmp_path / "t.xlsx", sheet), header_row=3)
    said = {(one.code, one.line): one.message for one in found}
    assert "'veel' in cells C5 and C7 is not a number" in said["DATA-108", 5]
    assert "'Gein' in cell A6 is not a region code" in said["DATA-109", 6]
    assert "'' in cell A7 is empty" in said["DATA-109", 7]
    assert "'twee' in cell B6 is not a period" in said["DATA-110", 6]
    assert "cells A4 and A5" in said["DATA-111", 4]
    assert len(found) == 5


def test_columns_and_rows_without_anything_are_left_out(tmp_path):
    rows = [["wijk", None, "aantal"], [None, None, None], ["48402", None, 5], [" ", None, None], ["48403", " ", 6]]
    table = read(theirs(tmp_path / "t.xlsx", rows))
    assert table.frame.to_numpy().tolist() == [["48402", 5], ["48403", 6]]
    assert table.rows.tolist() == [3, 5]
    assert dict(table.letters) == {"wijk": "A", "aantal": "C"}


def test_columns_beyond_z_and_a_stated_size_that_is_too_small(tmp_path):
    path = theirs(tmp_path / "t.xlsx", [[f"k{i}" for i in range(1, 31)], list(range(1, 31))])
    table = read(edited(path, '<dimension ref="A1:AD2"', '<dimension ref="A1"'))
    assert table.frame.to_numpy().tolist() == [list(range(1, 31))]
    assert (table.letters["k26"], table.letters["k27"], table.letters["k30"]) == ("Z", "AA", "AD")


# Sheets


def test_the_sheet_is_named_or_the_only_one_with_content(tmp_path):
    one, two = (Sheet(name, ("a",), rows) for name, rows in (("Een", [(1,)]), ("Twee", [(2,)])))
    path = ours(tmp_path / "t.xlsx", one, two)
    assert read(path, sheet="Twee").frame["a"].tolist() == [2]
    found = problem(path)
    assert (found.code, found.path) == ("DATA-116", "sheet")
    assert "'Een' and 'Twee'" in found.message
    assert problem(path, sheet="twe").hint == "Did you mean 'Twee'?"
    assert problem(path, sheet="Blad1").hint == "Sheets are 'Een' and 'Twee'."
    book = openpyxl.Workbook()
    book.create_sheet("gevuld").append(["a"])
    book["gevuld"].append([7])
    book.save(tmp_path / "leeg.xlsx")
    assert read(tmp_path / "leeg.xlsx").frame["a"].tolist() == [7]
    openpyxl.Workbook().save(tmp_path / "niets.xlsx")
    assert problem(tmp_path / "niets.xlsx").code == "DATA-105"
    assert problem(ours(tmp_path / "kop.xlsx", Sheet("d", HEADER, []))).code == "DATA-105"


def test_sheets_and_layouts_of_other_files(tmp_path):
    (tmp_path / "t.csv").write_text("a;b\n1;2\n", encoding="utf-8")
    assert problem(tmp_path / "t.csv", sheet="Blad1").code == "DATA-116"
    found = problem(ours(tmp_path / "t.xlsx", Sheet("d", ("a",), [(1,)])), layout="statline")
    assert (found.code, "CSV" in found.hint) == ("DATA-116", True)


# What would go wrong in silence

RIGHT = ("48402", 2011, 5)


def test_formulas_without_an_outcome(tmp_path):
    path = theirs(tmp_path / "t.xlsx", [HEADER, RIGHT, ("48403", 2011, "=C2+1"), ("48404", 2011, "=C2+2")])
    found = problem(path)
    assert (found.code, found.line) == ("DATA-119", 3)
    assert "in cells C3 and C4." in found.message
    assert "save it" in found.hint


def test_formulas_with_an_outcome_that_nobody_computed(tmp_path):
    """XlsxWriter stores 0 for every formula and asks the spreadsheet to compute it when it opens the file."""
    import xlsxwriter

    book = xlsxwriter.Workbook(tmp_path / "t.xlsx")
    sheet = book.add_worksheet()
    for number, row in enumerate([HEADER, RIGHT, ("48403", 2011, "=C2+1")]):
        sheet.write_row(number, 0, row)
    book.close()
    assert "in cell C3." in problem(tmp_path / "t.xlsx").message
    assert problem(tmp_path / "t.xlsx").code == "DATA-119"


def test_formulas_with_an_outcome_are_numbers(tmp_path):
    path = theirs(tmp_path / "t.xlsx", [HEADER, RIGHT, ("48403", 2011, "=C2+1")])
    edited(path, "<v></v>" if b"<v></v>" in _sheet(path) else "<v />", "<v>6</v>")
    edited(path, ' fullCalcOnLoad="1"', "", "xl/workbook.xml")
    assert read(path).frame["aantal"].tolist() == [5, 6]


def _sheet(path):
    with zipfile.ZipFile(path) as archive:
        return archive.read("xl/worksheets/sheet1.xml")


def test_errors_of_formulas(tmp_path):
    found = problem(theirs(tmp_path / "t.xlsx", [HEADER, RIGHT, ("48403", 2011, "#N/A"), ("48404", 2011, "#N/A")]))
    assert (found.code, found.line) == ("DATA-108", 3)
    assert "'#N/A' in cells C3 and C4 is the error of a formula" in found.message


@pytest.mark.parametrize(
    ("row", "code", "cell"),
    [
        (("48403", 2011, datetime.date(2024, 4, 3)), "DATA-108", "C3"),
        (("48403", datetime.datetime(2018, 12, 1), 1), "DATA-110", "B3"),
        ((datetime.date(2024, 4, 3), 2011, 1), "DATA-109", "A3"),
        (("48403", 2011, datetime.time(3, 4)), "DATA-108", "C3"),
    ],
)
def test_dates_in_cells(tmp_path, row, code, cell):
    found = problem(theirs(tmp_path / "t.xlsx", [HEADER, RIGHT, row]))
    assert (found.code, found.line) == (code, 3)
    assert f"in cell {cell} is a date to the spreadsheet" in found.message


def test_yes_and_no(tmp_path):
    found = problem(theirs(tmp_path / "t.xlsx", [HEADER, RIGHT, ("48403", 2011, True)]))
    assert "'TRUE' in cell C3 is a yes or no" in found.message


def test_what_is_no_value_never_decides_a_filter(tmp_path):
    rows = [(*HEADER, "soort"), (*RIGHT, "a"), ("48403", 2011, 6, "#REF!"), ("48404", 2011, 7, "a")]
    found = problem(theirs(tmp_path / "t.xlsx", rows), where={"soort": ["a"]})
    assert (found.code, found.line, found.path) == ("DATA-119", 3, "soort")
    assert "in cell D3" in found.message


def test_a_column_that_is_not_asked_for_may_hold_anything(tmp_path):
    rows = [(*HEADER, "bij"), (*RIGHT, datetime.date(2024, 1, 1)), ("48403", 2011, 6, "#REF!")]
    assert isinstance(read_long(read(theirs(tmp_path / "t.xlsx", rows)), CONTRACT), Long)


@pytest.mark.parametrize("ranges", [("A2:A3",), ("A1:B1",), ("A2:A3", "B4:C4")])
def test_merged_cells(tmp_path, ranges):
    rows = [HEADER, RIGHT, (None, 2012, 6), ("48403", 2011, 7)]
    found = problems(theirs(tmp_path / "t.xlsx", rows, lambda sheet: [sheet.merge_cells(one) for one in ranges]))[-1]
    assert found.code == "DATA-119"
    assert f"merged cells: {' and '.join(ranges)};" in found.message


def test_merged_titles_above_the_header_are_fine(tmp_path):
    rows = [("Titel",), HEADER, RIGHT]
    path = theirs(tmp_path / "t.xlsx", rows, lambda sheet: sheet.merge_cells("A1:C1"))
    assert read(path, header_row=2).frame.to_numpy().tolist() == [list(RIGHT)]
    assert {one.code for one in problems(path)} == {"DATA-104", "DATA-119"}


def test_names_of_columns(tmp_path):
    found = problem(theirs(tmp_path / "t.xlsx", [("a", "b", "a"), (1, 2, 3)]))
    assert (found.code, found.path) == ("DATA-104", "a")
    assert "'a' in cells A1 and C1" in found.message
    found = problem(theirs(tmp_path / "t.xlsx", [("a", None, "c"), (1, None, 3), (1, 2, 3)]))
    assert found.code == "DATA-104"
    assert "no column name in cell B1" in found.message
    assert "cell B3" in found.message
    found = problem(theirs(tmp_path / "t.xlsx", [("a",), (1,)]), header_row=5)
    assert (found.code, found.line) == ("DATA-104", 5)


def test_percentages_are_noted(tmp_path):
    def percent(sheet):
        sheet["C2"].number_format = sheet["C3"].number_format = "0.0%"
        sheet["B2"].number_format = '0" % van alles"'

    path = theirs(tmp_path / "t.xlsx", [HEADER, ("48402", 2011, 0.042), ("48403", 2011, 0.05)], percent)
    table = read(path)
    assert table.frame["aantal"].tolist() == [0.042, 0.05]
    assert [(note.kind, note.column, note.count) for note in table.notes] == [("percent-format", "aantal", 2)]


def test_hidden_rows_and_columns_are_read_and_noted(tmp_path):
    def hide(sheet):
        sheet.row_dimensions[3].hidden = sheet.row_dimensions[4].hidden = sheet.row_dimensions[9].hidden = True
        sheet.column_dimensions["B"].hidden = sheet.column_dimensions["F"].hidden = True

    table = read(theirs(tmp_path / "t.xlsx", [HEADER, RIGHT, RIGHT, RIGHT, RIGHT], hide))
    assert len(table.frame) == 4
    assert [(note.kind, note.count, note.text) for note in table.notes] == [("hidden", 3, "3:4, B:B")]


# Files that are no workbook


def test_protected_old_and_damaged_files(tmp_path):
    ole = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600)
    (tmp_path / "dicht.xlsx").write_bytes(ole + "EncryptedPackage".encode("utf-16-le"))
    (tmp_path / "oud.xlsx").write_bytes(ole + "Workbook".encode("utf-16-le"))
    (tmp_path / "oud.xls").write_bytes(ole)
    good = ours(tmp_path / "goed.xlsx", Sheet("d", HEADER, [RIGHT])).read_bytes()
    (tmp_path / "half.xlsx").write_bytes(good[: len(good) // 2])
    (tmp_path / "tekst.xlsx").write_text("wijk;jaar\n", encoding="utf-8")
    said = {}
    for name in ("dicht.xlsx", "oud.xlsx", "oud.xls", "half.xlsx", "tekst.xlsx"):
        found = problem(tmp_path / name)
        assert found.code == "DATA-101", name
        said[name] = f"{found.message} {found.hint}"
    assert "password" in said["dicht.xlsx"]
    assert "old workbook" in said["oud.xlsx"]
    assert ".xlsx" in said["oud.xls"]
    bent = bytearray(good)
    at = good.index(b"xl/worksheets/sheet1.xml") + 60
    bent[at : at + 20] = bytes(20)
    (tmp_path / "krom.xlsx").write_bytes(bent)
    assert problem(tmp_path / "krom.xlsx").code == "DATA-101"
    other = tmp_path / "ander.xlsx"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("word/document.xml", "<a/>")
    assert problem(other).code == "DATA-101"


def test_a_zip_bomb_is_not_opened(tmp_path):
    path = ours(tmp_path / "t.xlsx", Sheet("d", HEADER, [RIGHT]))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/groot.bin", bytes(10_000_000))
    assert path.stat().st_size < 50_000
    found = problem(path, max_bytes=1_000_000)
    assert (found.code, "1,000,000" in found.message) == ("DATA-102", True)
    assert problem(path, max_bytes=1000).code == "DATA-102"
    assert isinstance(read_table(path), Table)


def test_entities_are_not_expanded(tmp_path):
    path = ours(tmp_path / "t.xlsx", Sheet("d", HEADER, [RIGHT]))
    declared = '?>\n<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c SYSTEM "uit.txt">]>\n<worksheet'
    edited(path, "?>\n<worksheet", declared)
    assert problem(path).code == "DATA-101"


def test_a_row_that_no_sheet_has(tmp_path):
    path = theirs(tmp_path / "t.xlsx", [HEADER, RIGHT])
    edited(edited(path, '<row r="2"', '<row r="2000000000"'), 'r="A2"', 'r="A2000000000"')
    assert problem(path).code == "DATA-101"


def test_a_sheet_of_all_wijken_and_years(tmp_path):
    rows = [(f"{i:06d}", 2010 + i % 9, i, i / 4) for i in range(13_500)]
    table = read(ours(tmp_path / "t.xlsx", Sheet("d", ("a", "b", "c", "d"), rows)))
    assert len(table.frame) == 13_500
    assert table.frame.to_numpy().tolist()[-1] == ["013499", 2010 + 13_499 % 9, 13_499, 3374.75]


def test_a_real_workbook_has_its_formulas_computed():
    """Excel stored the outcomes; two blocks of columns beside each other share their names (seen in Excel)."""
    found = problems(shared("data/vsv_format/Kolommen_VSV_bestanden.xlsx"))
    assert {one.code for one in found} == {"DATA-104"}
    assert "'#BRIN_NR' in cells C1 and G1" in "\n".join(one.message for one in found)


def test_status_of_a_figure_follows_a_provisional_period(tmp_path):
    rows = [("48402", "2011", 5), ("48402", "2012**", 6), ("48402", "2013 (voorlopig)", "x")]
    found = read_long(read(ours(tmp_path / "t.xlsx", Sheet("d", HEADER, rows))), CONTRACT)
    assert isinstance(found, Long)
    assert found.values["aantal"].counts() == {Status.OK: 1, Status.PROVISIONAL: 1, Status.SUPPRESSED: 1}
