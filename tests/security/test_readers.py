"""Tables, borders and bundles from outside: what is damaged or a bomb is refused in words, within bounds."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from impact.errors import DataError, ImpactError
from impact.sources import tables, workbooks
from impact.sources.polygons import read_polygons
from impact.sources.tables import Table, read_table
from impact.study.bundle import check_place, read_bundle
from impact.study.read import read_study
from impact.workbook import Sheet, workbook
from tests.study.example import SPEC

FUZZ = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
FRAME = pd.DataFrame({"regio": ["WK051833", "WK051834"] * 20, "jaar": [2020, 2021] * 20, "waarde": np.arange(40.0)})


def refused(path: Path, **how: Any) -> set[str]:
    found = read_table(path, **how)
    assert not isinstance(found, Table)
    return {problem.code for problem in found}


def put(tmp_path: Path, name: str, content: bytes | str) -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# --- text -------------------------------------------------------------------------------------------------------------


def test_a_million_columns(tmp_path: Path) -> None:
    names = ",".join(f"c{number}" for number in range(1_000_000))
    assert refused(put(tmp_path, "a.csv", f"{names}\n{names}\n"), separator=",") == {"DATA-102"}


@pytest.mark.parametrize("content", [b"a;b\n1;\0\n", b"\0" * 1000, b"a;b\n" + b"x" * 200_000 + b";1\n", b'a;b\n"1;2\n'])
def test_text_that_is_no_table(tmp_path: Path, content: bytes) -> None:
    assert refused(put(tmp_path, "a.csv", content), separator=";") <= {"DATA-101", "DATA-104"}


@pytest.mark.parametrize("separator", ['"', "\r", "\n", " ", "\\", "é", "€", "\0", "a", "'", "#", "\x1f"])
def test_any_separator_gives_an_answer(tmp_path: Path, separator: str) -> None:
    path = put(tmp_path, "a.csv", f"a{separator}b\n1{separator}2\n")
    found = read_table(path, separator=separator)
    assert not isinstance(found, Table) or found.frame.shape == (1, 2)


def test_packed_text_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"0;0\n" * 1_000_000))
    assert refused(path, max_bytes=100_000) == {"DATA-102"}


# --- workbooks --------------------------------------------------------------------------------------------------------


def repacked(change: dict[str, bytes], frame: pd.DataFrame = FRAME) -> bytes:
    content = workbook([Sheet("x", tuple(frame.columns), list(frame.itertuples(index=False, name=None)))])
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, change.get(name, old.read(name)))
    return out.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
HEAD = b'<?xml version="1.0"?>'
NS = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
LAUGHS = (
    b'<!DOCTYPE lolz [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%b">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(10))
    + b"]>"
)
OUTSIDE = b'<!DOCTYPE x [<!ENTITY e SYSTEM "%s">]>' % Path(__file__).as_uri().encode()


def cell(text: bytes) -> bytes:
    return (
        b"<worksheet "
        + NS
        + b'><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>'
        + text
        + (b"</t></is></c></row></sheetData></worksheet>")
    )


@pytest.mark.parametrize(
    "part", [SHEET, "xl/workbook.xml", "xl/sharedStrings.xml", "xl/styles.xml", "[Content_Types].xml"]
)
@pytest.mark.parametrize(
    "bomb", [HEAD + LAUGHS + cell(b"&k;"), HEAD + OUTSIDE + cell(b"&e;"), b"<a><b>", b"", b"\0" * 99]
)
def test_xml_that_unfolds_or_reads_elsewhere(tmp_path: Path, part: str, bomb: bytes) -> None:
    path = put(tmp_path, "a.xlsx", repacked({part: bomb}))
    found = read_table(path)
    if isinstance(found, Table):  # a part that holds no values, such as styles
        assert "from __future__" not in found.frame.to_csv() and "haha" not in found.frame.to_csv()
    else:
        assert {problem.code for problem in found} <= {"DATA-101", "DATA-105", "DATA-116", "DATA-104"}


def test_a_workbook_that_unpacks_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "MAX_UNPACKED", 1_000_000)
    path = put(tmp_path, "a.xlsx", repacked({SHEET: HEAD + b" " * 5_000_000}))
    assert path.stat().st_size < 50_000
    assert refused(path) == {"DATA-102"}


def test_rows_that_state_the_widest_sheet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few bytes a row that would become 16,384 cells each."""
    monkeypatch.setattr(workbooks, "MAX_CELLS", 1_000_000)
    rows = b"".join(b'<row r="%d"><c r="XFD%d"><v>1</v></c></row>' % (n, n) for n in range(1, 200))
    sheet = HEAD + b"<worksheet " + NS + b"><sheetData>" + rows + b"</sheetData></worksheet>"
    assert refused(put(tmp_path, "a.xlsx", repacked({SHEET: sheet}))) == {"DATA-101"}


# --- parquet ----------------------------------------------------------------------------------------------------------


def test_a_parquet_file_of_many_equal_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_CELLS", 100_000)
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"a": pa.array(np.zeros(1_000_000))}), path)
    assert path.stat().st_size < 20_000
    assert refused(path) == {"DATA-102"}


@pytest.mark.parametrize(
    "note",
    [
        b"{",
        b"[" * 5_000,
        b'{"index_columns": ["absent"], "columns": [], "column_indexes": []}',
        b"[]",
        b"null",
        b"\xff",
    ],
)
def test_what_a_parquet_file_says_of_pandas(tmp_path: Path, note: bytes) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pandas(FRAME).replace_schema_metadata({b"pandas": note}), path)
    found = read_table(path)
    assert not isinstance(found, Table) or len(found.frame) == len(FRAME)


def test_two_columns_of_one_name_in_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), path)
    assert refused(path) <= {"DATA-101", "DATA-104"}


# --- borders ----------------------------------------------------------------------------------------------------------


def polygon(geometry: object) -> str:
    return json.dumps(
        {"type": "FeatureCollection", "features": [{"properties": {"code": "WK051833"}, "geometry": geometry}]}
    )


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[" * 100_000, "null", "[]", "3",
        '{"features": 3}', '{"features": [3]}', '{"features": [{"properties": 3}]}',
        '{"features": [], "crs": 3}', '{"features": [], "crs": {"properties": {"name": []}}}',
        polygon(3), polygon("x"), polygon({"type": "Nowhere"}), polygon({"type": "Polygon"}),
        polygon({"type": "Polygon", "coordinates": 3}), polygon({"type": "Polygon", "coordinates": [[[4, 52]]]}),
        polygon({"type": "Polygon", "coordinates": [[["a", "b"]]]}), polygon({"type": "Point", "coordinates": [4, 52]}),
        '{"features": [{"properties": {"code": "a"}, "geometry": {"type": "Polygon", "coordinates": [[[NaN, 1]]]}}]}',
        '{"features": [{"properties": {"code": "a"}, "geometry": {"type": "Point", "coordinates": [1e999, 1]}}]}',
    ],
)  # fmt: skip
def test_borders_that_are_none(tmp_path: Path, content: str) -> None:
    with pytest.raises(DataError):
        read_polygons(put(tmp_path, "a.geojson", content), "code")


def test_collections_in_collections(tmp_path: Path) -> None:
    geometry: dict[str, Any] = {"type": "Point", "coordinates": [4.3, 52.0]}
    for _ in range(250):
        geometry = {"type": "GeometryCollection", "geometries": [geometry]}
    with pytest.raises(DataError):
        read_polygons(put(tmp_path, "a.geojson", polygon(geometry)), "code")


# --- bundles ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    ["", "{", "[" * 100_000, '{"a":' * 100_000, "null", "3", '{"outcomes": []}', '{"outcomes": {}}',
     '{"outcomes": [[]]}', '{"outcomes": [NaN]}', "1" * 10_000],
)  # fmt: skip
def test_results_that_are_none(tmp_path: Path, content: str) -> None:
    put(tmp_path, "results.json", content)
    put(tmp_path, "manifest.json", content)
    with pytest.raises(DataError, match="BUNDLE-002"):
        read_bundle(tmp_path)
    with pytest.raises(ImpactError, match="WRITE-002"):
        check_place(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("indicator", "../../weg"), ("indicator", "/weg"), ("study", ".."), ("indicator", ""),
        ("siblings", [["x", "javascript:alert(1)"]]), ("siblings", [["x", "../report.html"]]),
    ],
)  # fmt: skip
def test_names_in_results_lead_nowhere(tmp_path: Path, first: Path, key: str, value: object) -> None:
    """`impact report` writes pages named after the outcomes, and links to them."""
    results = json.loads((first / "results.json").read_text(encoding="utf-8"))
    results["outcomes"][0][key] = value
    put(tmp_path, "results.json", json.dumps(results))
    with pytest.raises(DataError, match="BUNDLE-002"):
        read_bundle(tmp_path)


@pytest.mark.parametrize("wrong", [{"primary": {"low": 9.0, "high": -9.0}}, {"smallest": 0.0}])
def test_numbers_in_results_that_cannot_be(tmp_path: Path, first: Path, wrong: dict[str, Any]) -> None:
    """What no statement can be made of is no result, rather than a report that breaks off."""
    results = json.loads((first / "results.json").read_text(encoding="utf-8"))
    outcome = results["outcomes"][0] | {"status": "pre-specified", "families": []}
    results["outcomes"][0] = outcome | {
        key: outcome[key] | value if isinstance(value, dict) else value for key, value in wrong.items()
    }
    put(tmp_path, "results.json", json.dumps(results))
    with pytest.raises(DataError, match="BUNDLE-002"):
        read_bundle(tmp_path)


# --- anything ---------------------------------------------------------------------------------------------------------


def contents(kind: str) -> bytes:
    if kind == "csv":
        return FRAME.to_csv(index=False, sep=";").encode()
    if kind == "xlsx":
        return repacked({})
    content = io.BytesIO()
    FRAME.to_parquet(content, index=False)
    return content.getvalue()


SOUND = {kind: contents(kind) for kind in ("csv", "xlsx", "parquet")}
CHANGES = st.lists(st.tuples(st.integers(0, 2**31), st.binary(min_size=0, max_size=8)), min_size=1, max_size=6)


def mutated(content: bytes, changes: list[tuple[int, bytes]], cut: int) -> bytes:
    """The bytes with some put in the place of others, and the end cut off."""
    for at, new in changes:
        place = at % (len(content) or 1)
        content = content[:place] + new + content[place + len(new) :]
    return content[: len(content) - cut % (len(content) + 1)] if cut else content


@pytest.mark.parametrize("kind", ["csv", "xlsx", "parquet"])
@FUZZ
@given(changes=CHANGES, cut=st.one_of(st.just(0), st.integers(0, 2**20)))
def test_damaged_tables(tmp_path: Path, kind: str, changes: list[tuple[int, bytes]], cut: int) -> None:
    read_table(put(tmp_path, f"a.{kind}", mutated(SOUND[kind], changes, cut)))


@FUZZ
@given(changes=CHANGES, cut=st.one_of(st.just(0), st.integers(0, 2**20)))
def test_damaged_parts_of_a_workbook(tmp_path: Path, changes: list[tuple[int, bytes]], cut: int) -> None:
    """The XML inside is damaged, and its checksum is right."""
    with zipfile.ZipFile(io.BytesIO(SOUND["xlsx"])) as archive:
        sheet = archive.read(SHEET)
    read_table(put(tmp_path, "a.xlsx", repacked({SHEET: mutated(sheet, changes, cut)})))


@FUZZ
@given(changes=CHANGES, cut=st.one_of(st.just(0), st.integers(0, 2**20)))
def test_damaged_specifications(tmp_path: Path, changes: list[tuple[int, bytes]], cut: int) -> None:
    try:
        read_study(put(tmp_path, "study.yaml", mutated(SPEC.encode(), changes, cut)))
    except ImpactError as error:
        assert error.problems and str(error)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@FUZZ
@given(key=st.sampled_from([*SPEC.replace(":", " ").split()]), value=JSON)
def test_any_value_under_any_key(tmp_path: Path, key: str, value: object) -> None:
    text = "\n".join(
        f"{line.split(':')[0]}: {json.dumps(value)}" if line.strip().startswith(f"{key}:") else line
        for line in SPEC.splitlines()
    )
    try:
        read_study(put(tmp_path, "study.yaml", text))
    except ImpactError as error:
        assert error.problems and str(error)


@FUZZ
@given(value=JSON, key=st.sampled_from(["type", "features", "crs", "properties", "geometry", "coordinates"]))
def test_any_value_in_borders(tmp_path: Path, value: object, key: str) -> None:
    ring = [[4.3, 52.0], [4.4, 52.0], [4.4, 52.1], [4.3, 52.0]]
    content: Any = json.loads(polygon({"type": "Polygon", "coordinates": [ring]}))
    feature = content["features"][0]
    for holder in (content, feature, feature["geometry"]):
        if key in holder:
            holder[key] = value
    try:
        read_polygons(put(tmp_path, "a.geojson", json.dumps(content)), "code")
    except ImpactError as error:
        assert error.problems


@FUZZ
@given(data=st.data())
def test_damaged_results(tmp_path: Path, first: Path, data: st.DataObject) -> None:
    content = (first / "results.json").read_bytes()
    changes = data.draw(CHANGES)
    put(tmp_path, "results.json", mutated(content, changes, data.draw(st.integers(0, 3))))
    try:
        read_bundle(tmp_path)
    except ImpactError as error:
        assert error.problems
