"""Exports of StatLine: heads, units and footer become plain rows that still point into the file."""

from __future__ import annotations

import pytest

from impact.sources.contract import Column, Contract, Kind
from impact.sources.rows import Long, read_long
from impact.sources.tables import Table, read_table
from impact.sources.values import Values, read_values
from tests.shared import shared

KWB = "data/kwb_adam/Kerncijfers_wijken_en_buurten_2015.csv"
POPULATION = "data/gemeente_nl/bevolking_gemeente_2002_2024_37230ned.csv"

TOPICS = """"Kerncijfers"
""
"";"Onderwerp"
"";"Wonen|Woningen  ";"Wonen| Waarde "
"Wijken en buurten";"aantal";"x 1 000 euro"
"Aa";"10";"150,5"
"Bee";".";"x"
"Bron: CBS"
"""
PERIODS = """"Bevolking"
""
"";"";"";"Perioden"
"Regio's";"Onderwerp";"";"2022";"2023*"
"Aa";"Inwoners";"aantal";"10";"11"
"Aa";"Huishoudens";"aantal";"5";"6"
"Bee";"Inwoners";"aantal";"20";"21"
"Bee";"Huishoudens";"aantal";"veel";"9"
"Bron: CBS"
"""
BOTH = """"Bevolking"
""
"";"Onderwerp"
"";"Inwoners";"Inwoners";"Huishoudens";"Huishoudens"
"";"Perioden"
"";"2022";"2023";"2022";"2023"
"Regio's";"aantal";"aantal";"%";"%"
"Aa";"1";"2";"3";"4"
"Bron: CBS"
"""
# As StatLine wrote it until 2018; the heads are those of table 37296ned, downloaded on 10-10-2017.
OLD = """"Bevolking; kerncijfers"
"Onderwerpen";"Bevolking naar leeftijd";"Bevolking naar leeftijd"
"Onderwerpen";"Jonger dan 20 jaar";"20 tot 40 jaar"
"Perioden";"aantal";"aantal"
"1950";"3742499";"2951369"
"1960";"4331042";"3098779"
"© Centraal Bureau voor de Statistiek, Den Haag/Heerlen 10-10-2017"
"""


def write(path, text):
    path.write_bytes(("\ufeff" + text.replace("\n", "\r\n")).encode("utf-8"))
    return path


def read(path, **options) -> Table:
    table = read_table(path, layout="statline", **options)
    assert isinstance(table, Table), "\n".join(map(str, table))
    return table


def problem(path, **options):
    (found,) = read_table(path, **options)
    return found


# Real files


def raw(path):
    """The cells of the file, cut by hand: every cell stands in quotes."""
    return [line[1:-1].split('";"') for line in path.read_bytes().decode("utf-8-sig").splitlines()]


def test_topics_in_the_columns():
    path = shared(KWB)
    table, lines = read(path), raw(path)
    assert table.frame.shape == (106, 11)
    assert table.frame["Wijken en buurten"].tolist() == [line[0] for line in lines[5:111]]
    assert table.frame.to_numpy().tolist() == lines[5:111]
    assert table.rows.tolist() == list(range(6, 112))
    people = "Inkomen|Inkomen van personen|Aantal inkomensontvangers"
    assert table.frame.columns[1] == people
    known = table.frame.set_index("Wijken en buurten")[people]
    assert (known["Amsterdam"], known["Gein"], known["Driemond"]) == ("641700", "9000", "1200")
    assert table.units[people] == "aantal"
    assert table.units["Inkomen|Inkomen van personen|Gemiddeld inkomen per inwoner"] == "x 1 000 euro"
    assert set(table.units.values()) == {"aantal", "x 1 000 euro", "%"}
    share = read_values(table.frame["Inkomen|Inkomen van personen|Actieven 15-75 jaar"])
    assert isinstance(share, Values)
    assert share.number[0] == 59.3
    assert table.notes == ()


def test_periods_in_the_columns():
    path = shared(POPULATION)
    table, lines = read(path), raw(path)
    assert table.frame.columns.tolist() == ["Regio's", "Perioden", "Bevolking aan het einde van de periode"]
    regions = lines[4:573]
    assert len(table.frame) == len(regions) * 23 == 13_087
    assert table.frame.iloc[0].tolist() == ["Nederland", "2002", "16192572"]
    assert table.frame.iloc[22].tolist() == ["Nederland", "2024", "18044027"]
    assert table.frame.iloc[-1].tolist() == ["Zwolle", "2024", "133810"]
    assert table.frame.iloc[:, 2].tolist() == [cell for line in regions for cell in line[3:]]
    assert table.rows.tolist() == [number for number in range(5, 574) for _ in range(23)]
    assert dict(table.units) == {"Bevolking aan het einde van de periode": "aantal"}
    assert table.notes == ()


def test_names_where_codes_are_asked():
    region = "Wijken en buurten"
    table = read(shared(KWB))
    contract = Contract((Column(region, Kind.CODE),))
    found = read_long(
        Table(table.frame.assign(jaar="2015"), table.file, table.sha256, table.rows),
        Contract((*contract.columns, Column("jaar", Kind.PERIOD)), key=(region, "jaar")),
    )
    assert not isinstance(found, Long)
    (one,) = [each for each in found if each.code == "DATA-109"]
    assert one.line == 6
    assert "names without codes" in one.hint
    assert "'Centrum', 'Noord'" in one.hint
    assert "again with codes" in one.hint


@pytest.mark.parametrize("name", [KWB, POPULATION])
@pytest.mark.parametrize("options", [{}, {"separator": ";"}, {"separator": ";", "header_row": 5}, {"header_row": 4}])
def test_a_plain_read_says_what_it_looks_like(name, options):
    found = read_table(shared(name), **options)
    assert not isinstance(found, Table)
    assert {one.code for one in found} <= {"DATA-103", "DATA-104"}
    assert {one.hint for one in found} == {"This looks like a StatLine export: state `layout: statline`."}


# Shapes


def test_a_small_export_of_topics(tmp_path):
    table = read(write(tmp_path / "t.csv", TOPICS))
    assert table.frame.to_dict("list") == {
        "Wijken en buurten": ["Aa", "Bee"], "Wonen|Woningen": ["10", "."], "Wonen|Waarde": ["150,5", "x"],
    }  # fmt: skip
    assert dict(table.units) == {"Wonen|Woningen": "aantal", "Wonen|Waarde": "x 1 000 euro"}
    assert table.rows.tolist() == [6, 7]


def test_topics_below_each_other_become_columns_and_keep_their_rows(tmp_path):
    table = read(write(tmp_path / "t.csv", PERIODS))
    assert table.frame.to_dict("list") == {
        "Regio's": ["Aa", "Aa", "Bee", "Bee"], "Perioden": ["2022", "2023*"] * 2,
        "Inwoners": ["10", "11", "20", "21"], "Huishoudens": ["5", "6", "veel", "9"],
    }  # fmt: skip
    contract = Contract(
        (Column("Regio's", Kind.TEXT), Column("Perioden", Kind.PERIOD), Column("Huishoudens", Kind.NUMBER)),
        key=("Regio's", "Perioden"),
    )
    (found,) = read_long(table, contract)
    assert (found.code, found.line) == ("DATA-108", 8)
    assert "'veel' in row 8" in found.message
    kept = read_long(table, contract, where={"Regio's": ["Aa"]})
    assert isinstance(kept, Long)
    assert kept.period.tolist() == ["2022", "2023"]
    assert kept.to_frame()["Huishoudens_status"].tolist() == ["ok", "provisional"]
    assert [(note.kind, note.column, note.text) for note in kept.notes] == [("unit", "Huishoudens", "aantal")]


def test_topics_and_periods_in_the_columns(tmp_path):
    table = read(write(tmp_path / "t.csv", BOTH))
    assert table.frame.to_dict("list") == {
        "Regio's": ["Aa", "Aa"], "Perioden": ["2022", "2023"], "Inwoners": ["1", "2"], "Huishoudens": ["3", "4"],
    }  # fmt: skip
    assert dict(table.units) == {"Inwoners": "aantal", "Huishoudens": "%"}
    assert table.rows.tolist() == [8, 8]


def test_an_export_of_before_2018(tmp_path):
    table = read(write(tmp_path / "t.csv", OLD))
    assert table.frame.to_dict("list") == {
        "Perioden": ["1950", "1960"],
        "Bevolking naar leeftijd|Jonger dan 20 jaar": ["3742499", "4331042"],
        "Bevolking naar leeftijd|20 tot 40 jaar": ["2951369", "3098779"],
    }
    assert set(table.units.values()) == {"aantal"}
    assert table.notes == ()


def test_two_regions_of_one_name_stay_two(tmp_path):
    """Names repeat between gemeenten: their figures may not flow together, nor the second replace the first."""
    rows = '"Centrum";"Inwoners";"aantal";"1";"2"\n"Centrum";"Huishoudens";"aantal";"3";"4"\n'
    text = PERIODS[: PERIODS.index('"Aa"')] + rows + rows.replace("1", "7") + '"Bron: CBS"\n'
    table = read(write(tmp_path / "t.csv", text))
    assert table.frame["Inwoners"].tolist() == ["1", "2", "7", "2"]
    assert table.frame["Huishoudens"].tolist() == ["3", "4", "3", "4"]
    contract = Contract((Column("Regio's", Kind.TEXT), Column("Perioden", Kind.PERIOD)), key=("Regio's", "Perioden"))
    (found,) = read_long(table, contract)
    assert found.code == "DATA-111"
    assert "Centrum 2022 (rows 5 and 7)" in found.message


def test_a_topic_in_two_units_is_two_columns(tmp_path):
    text = PERIODS.replace('"Huishoudens";"aantal"', '"Inwoners";"%"').replace("veel", "8")
    table = read(write(tmp_path / "t.csv", text))
    assert table.frame.columns.tolist() == ["Regio's", "Perioden", "Inwoners (aantal)", "Inwoners (%)"]
    assert table.frame["Inwoners (%)"].tolist() == ["5", "6", "8", "9"]
    assert dict(table.units) == {"Inwoners (aantal)": "aantal", "Inwoners (%)": "%"}


# What is wrong with an export


def test_an_export_without_its_last_line(tmp_path):
    for text in (TOPICS, PERIODS):
        table = read(write(tmp_path / "t.csv", text.replace('"Bron: CBS"\n', "")))
        assert [note.kind for note in table.notes] == ["no-footer"]


@pytest.mark.parametrize(
    ("text", "code", "line", "says"),
    [
        (TOPICS[: TOPICS.index(';"x"')], "DATA-104", 7, "row 7 has another number of cells"),
        (TOPICS[: TOPICS.index('"Bee"') + 5], "DATA-104", 7, "row 7 has"),
        (TOPICS[: TOPICS.index('150,5"')], "DATA-101", None, "CSV"),
        (PERIODS[: PERIODS.index('"Bee";"Huis')], "DATA-104", 7, "not there for Bee 2022 and Bee 2023*"),
        ("a;b\n1;2\n", "DATA-104", None, "not there"),
        (TOPICS.replace('"";"Onderwerp"\n', '"";"Perioden"\n'), "DATA-104", 5, "topics"),
        (TOPICS.replace("Waarde", "Woningen").replace("x 1 000 euro", "aantal"), "DATA-104", 5, "more than once"),
        (BOTH.replace('"";"Perioden"\n', ""), "DATA-104", 6, "name 1 dimensions"),
    ],
)  # fmt: skip
def test_what_is_no_whole_export(tmp_path, text, code, line, says):
    found = problem(write(tmp_path / "t.csv", text), layout="statline")
    assert (found.code, found.line) == (code, line)
    assert says in found.message


def test_a_plain_table_does_not_look_like_an_export(tmp_path):
    found = problem(write(tmp_path / "t.csv", "a;b\n1;2\n3;4;5\n"))
    assert "statline" not in found.hint
