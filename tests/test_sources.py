"""Tables and region codes: real files read right, bad files reported whole."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impact.errors import DataError
from impact.sources.contract import Column, Contract, Kind, check_table, listed
from impact.sources.regions import Level, RegionKey, gemeente_of, level_of, read_code, read_codes
from impact.sources.rows import Long, read_long
from impact.sources.tables import Table, read_table
from impact.sources.values import CBS, STATUSES, Status, Values, read_values
from tests.shared import shared

WIJK = Column("wijk", Kind.CODE, level=Level.WIJK)
YEAR = Column("jaar", Kind.PERIOD)
COUNT = Column("aantal", Kind.NUMBER)
CONTRACT = Contract((WIJK, YEAR, COUNT), key=("wijk", "jaar"))


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def read(path, **options) -> Table:
    table = read_table(path, **options)
    assert isinstance(table, Table), table
    return table


def long(table, contract=CONTRACT, **options) -> Long:
    found = read_long(table, contract, **options)
    assert isinstance(found, Long), "\n".join(map(str, found))
    return found


def problems(table, contract=CONTRACT, **options):
    found = read_long(table, contract, **options)
    assert not isinstance(found, Long)
    return found


# Region codes


@pytest.mark.parametrize(
    ("text", "level", "code"),
    [
        ("GM0363    ", None, "GM0363"), ("wk051833", None, "WK051833"), ("WK0363MA", None, "WK0363MA"),
        ("NL00", None, "NL00"), ("BU00140300", Level.BUURT, "BU00140300"),
        ("48402", Level.WIJK, "WK048402"), ("51833.0", Level.WIJK, "WK051833"),
        (51833.0, Level.WIJK, "WK051833"), (1404, Level.WIJK, "WK001404"), ("363ma", Level.WIJK, "WK0363MA"),
        (14, Level.GEMEENTE, "GM0014"), ("4840201", Level.BUURT, "BU04840201"),
    ],
)  # fmt: skip
def test_codes_in_every_spelling(text, level, code):
    assert read_code(text, level) == code


@pytest.mark.parametrize(
    ("text", "level", "why"),
    [
        ("48402", None, "state the level"), ("WK51833", None, "is not a region code"),
        ("GM0518", Level.WIJK, "is a gemeente"), ("Gein", None, "is not a region code"),
        ("1234567", Level.WIJK, "does not fit"), ("12", Level.WIJK, "does not fit"),
        ("51833.5", Level.WIJK, "is not a region code"), ("000012", Level.WIJK, "does not fit"),
    ],
)  # fmt: skip
def test_what_is_no_code(text, level, why):
    with pytest.raises(DataError, match=why):
        read_code(text, level)


def test_gemeente_level_and_key():
    assert gemeente_of("WK051833") == gemeente_of("BU05183387") == gemeente_of("GM0518") == "GM0518"
    assert gemeente_of("WK0363MA") == "GM0363"
    assert level_of("BU05183387") is Level.BUURT
    key = RegionKey.parse("WK003401@2021")
    assert (key.gemeente, key.level, str(key)) == ("GM0034", Level.WIJK, "WK003401@2021")
    assert key != RegionKey("WK003401", 2022)
    for wrong in ("WK003401", "WK003401@", "3401@2021", "WK003401@21"):
        with pytest.raises(ValueError):
            RegionKey.parse(wrong)
    with pytest.raises(ValueError):
        gemeente_of("NL00")


def test_all_codes_of_the_2024_table_are_codes():
    known = list(json.loads(shared("data/kwb_2024/kwb2024_wijk_gemeente_selectie.json").read_text(encoding="utf-8")))
    codes = read_codes(pd.Series([f"{code.lower()}  " for code in known]))
    assert list(codes) == known


# CSV


@pytest.mark.parametrize("separator", [";", ",", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_any_separator_and_encoding(tmp_path, separator, encoding):
    rows = [["wijk", "jaar", "naam", "aantal"], ["048402", "2011", "Chassébuurt", '"5,0"'], ["NA", "2011", "", '"3"']]
    text = "\r\n".join(separator.join(row) for row in rows) + "\r\n"
    table = read(write(tmp_path / "t.csv", text, encoding))
    assert table.frame.to_numpy().tolist() == [["048402", "2011", "Chassébuurt", "5,0"], ["NA", "2011", "", "3"]]
    assert table.rows.tolist() == [2, 3]
    assert table.sha256 == hashlib.sha256(text.encode(encoding)).hexdigest()
    assert [note.kind for note in table.notes] == (["encoding"] if encoding == "cp1252" else [])


def test_decimal_commas_do_not_decide_the_separator(tmp_path):
    table = read(write(tmp_path / "t.csv", "wijk;p\nWK051833;5,0\nWK051834;6,5\n"))
    assert list(table.frame.columns) == ["wijk", "p"]


def test_stated_separator_wins_and_rows_above_the_header_are_left_out(tmp_path):
    table = read(write(tmp_path / "t.csv", "Titel\n\na b;c d\n1;2\n\n3;4\n"), separator=";", header_row=3)
    assert list(table.frame.columns) == ["a b", "c d"]
    assert table.rows.tolist() == [4, 6]


def test_quotes_newlines_and_blank_lines_in_cells(tmp_path):
    table = read(write(tmp_path / "t.csv", 'a;b\r\n"1;x";"een ""naam"""\r\n\r\n"twee\r\nregels"; 3\r\n'))
    assert table.frame.to_numpy().tolist() == [["1;x", 'een "naam"'], ["twee\r\nregels", " 3"]]
    assert table.rows.tolist() == [2, 4]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.text("a1 ,;.\"'\n|NA", max_size=5), min_size=3, max_size=3), min_size=1, max_size=6))
def test_what_the_csv_module_writes_is_read_back(tmp_path_factory, cells):
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter=";", lineterminator="\n")
        writer.writerows([["a", "b", "c"], *cells])
    assert read(path, separator=";").frame.to_numpy().tolist() == cells


@pytest.mark.parametrize(
    ("data", "code", "says"),
    [
        (b"", "DATA-105", "empty"),
        (b"\xff\xfea\x00b\x00", "DATA-101", "not text"),
        (b"alleen een titel\nen nog een\n", "DATA-103", "separator"),
        (b"a;b\n1;2\n1;2;3\n4\n5;6\n7;8\n", "DATA-104", "rows 3 and 4"),
        (b"a;b;a\n1;2;3\n", "DATA-104", "'a'"),
        (b'a;b\n1;"2\n', "DATA-101", "CSV"),
    ],
)
def test_broken_csv(tmp_path, data, code, says):
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    options = {"separator": ";"} if b'"' in data else {}
    found = read_table(path, **options)
    assert isinstance(found, tuple)
    assert found[0].code == code
    assert says in found[0].message
    assert found[0].file == "t.csv"


def test_absent_unknown_damaged_and_too_large(tmp_path):
    def code(path, **options):
        (problem,) = read_table(path, **options)
        return problem.code

    assert code(tmp_path / "none.csv") == "DATA-101"
    assert code(write(tmp_path / "t.xlsx", "x")) == "DATA-101"
    assert code(write(tmp_path / "t.parquet", "no parquet")) == "DATA-101"
    assert code(write(tmp_path / "t.csv.gz", "no gzip")) == "DATA-101"
    big = tmp_path / "big.csv.gz"
    big.write_bytes(gzip.compress(b"a;b\n" + b"1;2\n" * 100_000))
    assert big.stat().st_size < 10_000
    assert code(big, max_bytes=10_000) == "DATA-102"
    assert code(big, max_bytes=100) == "DATA-102"


def test_real_tables_read_whole():
    for name, shape, separator in (
        ("ses_woa/85163NED_SES_WOA_2019_amsterdam.csv", (579, 9), ";"),
        ("kwb_almere/CBS_Kerncijfers_Almere_2019_2025_raw.csv", (1536, 411), ";"),
        ("kwb_adam/Kerncijfers_wijken_en_buurten_2019.csv", (580, 118), ","),
    ):
        path = shared(f"data/{name}")
        table = read(path)
        assert table.frame.shape == shape, name
        stored = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        assert (table.frame.to_numpy() == stored.to_numpy()).all(), name


def test_ses_woa_and_almere_values():
    table = read(shared("data/ses_woa/85163NED_SES_WOA_2019_amsterdam.csv"))
    score = read_values(table.frame["SES-WOA/Totaalscore/Gemiddelde score (Getal)"])
    assert isinstance(score, Values)
    assert score.number[:3].tolist() == [-0.1, -0.022, 0.045]
    low = read_values(table.frame["Opleidingsniveau/Laag/Waarde (%)"])
    assert isinstance(low, Values)
    assert low.counts()[Status.MISSING] == 90
    almere = read(shared("data/kwb_almere/CBS_Kerncijfers_Almere_2019_2025_raw.csv")).frame
    seen: dict[Status, int] = {}
    for name in almere.columns[7:]:
        column = read_values(almere[name], decimal=".")
        assert isinstance(column, Values), (name, column)
        for status, n in column.counts().items():
            seen[status] = seen.get(status, 0) + n
    # Counted in the raw text: 381 padded points and 4 bare ones, the rest of the non-numbers empty.
    assert seen[Status.MISSING] == 385
    assert seen[Status.IMPOSSIBLE] == 498_067


def test_the_wijk_en_buurtkaart_of_2017_has_516_missing_cells():
    features = json.loads(shared("data/groningen_2017/buurt2017_groningen.geojson").read_text(encoding="utf-8"))[
        "features"
    ]
    frame = pd.DataFrame([feature["properties"] for feature in features]).select_dtypes("number")
    found = [read_values(frame[name]) for name in frame]
    assert all(isinstance(values, Values) for values in found)
    assert sum(values.counts().get(Status.MISSING, 0) for values in found) == 516
    assert min(np.nanmin(values.number) for values in found) >= 0


# The contract


def test_every_problem_of_a_file_at_once(tmp_path):
    rows = ("48402;2011;5", "48402;2011;6", "Centrum;2011;4", "48403;twee;veel", "48404;2012;veel", "48405;2012;n.b.")
    text = "\n".join(("wijk;jaar;aantal", *rows, ""))
    table = read(write(tmp_path / "t.csv", text))
    contract = Contract((WIJK, YEAR, COUNT, Column("aantl", Kind.NUMBER)), ("wijk", "jaar"), sha256="0" * 64)
    found = {problem.code: problem for problem in problems(table, contract)}
    assert set(found) == {"DATA-106", "DATA-107", "DATA-108", "DATA-109", "DATA-110", "DATA-111"}
    assert table.sha256 in found["DATA-106"].message
    assert found["DATA-107"].hint == "Did you mean 'aantal'?"
    assert "'veel' and 'n.b.' in rows 5, 6 and 7" in found["DATA-108"].message
    assert found["DATA-108"].line == 5
    assert (found["DATA-109"].line, found["DATA-110"].line) == (4, 5)
    assert "48402 2011 (rows 2 and 3)" in found["DATA-111"].message
    assert {problem.file for problem in found.values()} == {"t.csv"}
    frame_only = check_table(table.frame, contract, "t.csv", sha256=table.sha256)
    assert {problem.code for problem in frame_only} == set(found)


def test_the_same_wijk_in_two_spellings_is_a_duplicate(tmp_path):
    table = read(write(tmp_path / "t.csv", "wijk;jaar;aantal\n48402;2011;5\nWK048402 ;2011JJ00;6\n"))
    (found,) = problems(table)
    assert found.code == "DATA-111"
    assert "WK048402 2011 (rows 2 and 3)" in found.message


def test_an_empty_region_or_table_is_a_problem(tmp_path):
    (found,) = problems(read(write(tmp_path / "t.csv", "wijk;jaar;aantal\n48402;2011;5\n;2011;6\n")))
    assert (found.code, found.line) == ("DATA-109", 3)
    (found,) = problems(read(write(tmp_path / "t.csv", "wijk;jaar;aantal\n")))
    assert found.code == "DATA-105"


def test_long_lists_are_short():
    assert listed([]) == ""
    assert listed([3]) == "3"
    assert listed([3, 8, 12]) == "3, 8 and 12"
    assert listed(range(1, 44), 3) == "1, 2, 3 and 40 more"


def test_a_table_becomes_one_row_per_region_and_period(tmp_path):
    text = "wijk;jaar;aantal;naam\n48402;2011;5,5;A\n48402;2012;x;A\n48403;2011;-;B\n48403;2012;7*;B\n"
    contract = Contract((WIJK, YEAR, COUNT, Column("naam", Kind.TEXT)), ("wijk", "jaar"))
    found = long(read(write(tmp_path / "t.csv", text)), contract)
    frame = found.to_frame()
    assert frame["region"].tolist() == ["WK048402", "WK048402", "WK048403", "WK048403"]
    assert frame["aantal"].fillna(-1).tolist() == [5.5, -1, 0, 7]
    assert frame["aantal_status"].tolist() == ["ok", "suppressed", "ok", "provisional"]
    assert frame["naam"].tolist() == ["A", "A", "B", "B"]
    assert [(note.kind, note.column, note.count) for note in found.notes] == [("nil", "aantal", 1)]


# Filter and add up


def test_sums_take_the_heaviest_status_and_are_never_partial(tmp_path):
    rows = [(48402, 2011, 1), (48402, 2011, 2), (48402, 2012, "x"), (48402, 2012, 4),
            (48403, 2011, "5*"), (48403, 2011, 6), (48403, 2012, "."), (48403, 2012, "x")]  # fmt: skip
    text = "wijk;jaar;aantal\n" + "".join(f"{a};{b};{c}\n" for a, b, c in rows)
    found = long(read(write(tmp_path / "t.csv", text)), add=True)
    assert found.region.tolist() == ["WK048402", "WK048402", "WK048403", "WK048403"]
    assert np.nan_to_num(found.values["aantal"].number, nan=-1).tolist() == [3, -1, 11, -1]
    assert [STATUSES[code].value for code in found.values["aantal"].status] == [
        "ok", "suppressed", "provisional", "suppressed",
    ]  # fmt: skip
    assert found.rows.tolist() == [2, 2, 2, 2]


def test_a_missing_month_is_named(tmp_path):
    rows = [(wijk, jaar, maand) for wijk in (48402, 48403) for jaar in (2011, 2012, 2013) for maand in range(1, 13)]
    rows.remove((48403, 2012, 7))
    text = "wijk;jaar;maand;aantal\n" + "".join(f"{a};{b};{c};1\n" for a, b, c in rows)
    table = read(write(tmp_path / "t.csv", text))
    (found,) = problems(table, where={"maand": range(1, 12)}, add=True)
    assert found.code == "DATA-113"
    assert "10 instead of 11 in WK048403" in found.message
    assert "maand 7" in found.message
    assert found.path == "2012"
    kept = long(table, where={"maand": range(1, 7)}, add=True)
    assert kept.values["aantal"].number.tolist() == [6.0] * 6


def test_a_filter_that_never_holds_is_a_problem(tmp_path):
    table = read(write(tmp_path / "t.csv", "wijk;jaar;delict;aantal\n48402;2011;Woninginbraak;1\n"))
    found = problems(table, where={"delict": ["woninginbrak"], "mand": [1]}, add=True)
    assert [problem.code for problem in found] == ["DATA-112", "DATA-107"]
    assert found[0].hint == "Did you mean 'Woninginbraak'?"
    (found,) = problems(table, where={"jaar": [2012]})
    assert found.code == "DATA-112"


def test_haaglanden_adds_up_to_the_yearly_table():
    table = read(shared("data/thehague_crime/haaglanden_misdrijven_maand_buurt_2011_2017.parquet"))
    assert len(table.frame) == 343_728
    wide = pd.read_csv(shared("data/thehague_crime/haaglanden_misdrijven_wijk_jaar_2011_2017_wide.csv"))
    names = pd.read_csv(shared("data/thehague_crime/haaglanden_misdrijven_jaar_buurt_2011_2017.csv"), dtype=str)
    number_of = names.drop_duplicates("delict").set_index("delict_naam")["delict"]
    found = long(table, where={"delict": [number_of["woninginbraak"]]}, add=True)
    ours = (
        found.to_frame().astype({"period": int}).merge(wide, left_on=["region", "period"], right_on=["wk_code", "jaar"])
    )
    assert len(found.region) == len(ours) == 714
    assert (ours["aantal"] == ours["woninginbraak"]).all()
    months = long(table, where={"delict": [number_of["woninginbraak"]], "maand": list(range(1, 12))}, add=True)
    assert (months.rows * 12 == found.rows * 11).all()
    assert (months.values["aantal"].number <= found.values["aantal"].number).all()


def test_haaglanden_without_adding_up_is_refused():
    table = read(shared("data/thehague_crime/haaglanden_misdrijven_maand_buurt_2011_2017.parquet"))
    (found,) = problems(table)
    assert found.code == "DATA-111"
    assert len(found.message) < 700


def test_almere_reuses_its_codes():
    almere = read(shared("data/kwb_almere/CBS_Kerncijfers_Almere_2019_2025_raw.csv")).frame
    codes = read_codes(almere["Codering_3"])
    assert not isinstance(codes, tuple)
    wijken = {year: {c for c, d in zip(codes, almere["Peildatum"], strict=True) if d == f"1-1-{year}" and c[:2] == "WK"}
              for year in (2021, 2022)}  # fmt: skip
    assert (len(wijken[2021]), len(wijken[2022])) == (6, 71)
    assert {f"WK00340{i}" for i in range(1, 7)} <= wijken[2021] & wijken[2022]


def test_marks_reach_the_column(tmp_path):
    column = Column("aantal", Kind.NUMBER, marks=CBS.override(suppressed=["-"]))
    contract = Contract((WIJK, YEAR, column), ("wijk", "jaar"))
    found = long(read(write(tmp_path / "t.csv", "wijk;jaar;aantal\n48402;2011;-\n")), contract)
    assert found.values["aantal"].counts() == {Status.SUPPRESSED: 1}
