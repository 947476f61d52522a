"""Regions over time: joins on code and on name, what they need to be allowed, and codes that were used again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from impact.errors import Problem, Refused
from impact.sources.crosswalk import Crosswalk, read_crosswalks
from impact.sources.division import Change, Changes, Joined, changed, join, read_changes, reused
from impact.sources.frame import Table
from impact.sources.names import NamedRegion, codes_of_names
from impact.sources.regions import Level, RegionKey
from impact.sources.tables import read_table
from tests.shared import shared

A, B, C = "WK000101", "WK000102", "WK000103"
FLAG = "IndelingswijzigingGemeenteWijkBuurt_4"


def keys(codes: list[str], vintage: int) -> list[RegionKey]:
    return [RegionKey(code, vintage) for code in codes]


def flagged(**years: list[int]) -> Changes:
    """``A=[1, 3]``: the flags of a code in 2021, 2022."""
    name = {"A": A, "B": B}
    return Changes(
        {(name[key], 2021 + i): Change(flag) for key, flags in years.items() for i, flag in enumerate(flags)}
    )


def walk(rows: list[tuple[str, str, float]], start: int = 2020, end: int = 2021) -> Crosswalk:
    old, new, share = zip(*rows, strict=True) if rows else ((), (), ())
    return Crosswalk(Level.WIJK, start, end, "adres", old, new, np.array(share, dtype=float))


# --- joins on code ----------------------------------------------------------------------------------------------------


def test_one_year_joins_on_code_and_tells_who_is_alone() -> None:
    found = join(keys([B, A], 2020), keys([A, C], 2020))
    assert isinstance(found, Joined)
    assert (found.left.tolist(), found.right.tolist()) == ([1], [0])
    assert found.left_only == (RegionKey(B, 2020),)
    assert found.right_only == (RegionKey(C, 2020),)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (flagged(A=[1, 1, 1]), ""),
        (flagged(A=[1, 3, 1]), "it got other borders in 2022"),
        (flagged(A=[2, 1, 1]), "it got this code in 2021"),
        (flagged(A=[1, 1]), "no flag says what happened to it in 2023"),
        (flagged(B=[1, 1, 1]), "no flag says what happened to it in 2021"),
    ],
)
def test_every_year_between_must_be_flagged_unchanged(changes: Changes, said: str) -> None:
    for start, end in ((2020, 2023), (2023, 2020)):
        found = join(keys([A], start), keys([A], end), changes=changes)
        if said:
            assert isinstance(found, Refused)
            assert f"{A}: {said}" in str(found)
        else:
            assert isinstance(found, Joined)


def test_the_flag_of_the_first_year_speaks_of_the_year_before_it() -> None:
    assert changed([A], 2021, 2022, changes=flagged(A=[3, 1])) == {}
    assert A in changed([A], 2020, 2022, changes=flagged(A=[3, 1]))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], ""),
        ([(B, C, 1.0)], ""),
        ([(A, A, 0.9), (A, B, 0.1)], "90.0 % of it (adres) stayed"),
        ([(A, A, 0.9999), (A, B, 0.0001)], "99.9 % of it (adres) stayed"),
        ([(A, B, 1.0)], "0.0 % of it (adres) stayed"),
        ([(B, A, 0.5), (B, B, 0.5)], "took in a part of another region"),
        ([(A, A, 1.0), (B, A, 1.0)], "took in a part of another region"),
    ],
)
def test_a_crosswalk_decides_where_there_is_one(rows: list[tuple[str, str, float]], said: str) -> None:
    # It counted addresses, so it goes before what the flags say.
    for changes in (None, flagged(A=[1]), flagged(A=[3])):
        found = changed([A], 2020, 2021, changes=changes, crosswalks=[walk(rows)])
        assert (said in found[A]) if said else not found


def test_shares_that_were_multiplied_and_added_up_again_are_whole() -> None:
    # What came back may have been there under those codes already, which a chain cannot tell: it stays refused.
    apart = walk([(A, A, 0.1), (A, B, 0.2), (A, C, 0.7)])
    chain = apart.then(walk([(code, A, 1.0) for code in (A, B, C)], 2021, 2022))
    assert changed([A], 2020, 2022, crosswalks=[chain]) == {A: "it took in a part of another region"}
    back = apart.then(walk([(B, A, 1.0), (C, A, 1.0)], 2021, 2022))
    assert back.kept([A])[0] == pytest.approx(1, abs=1e-12)


def test_a_suspect_code_is_kept_out_of_a_join_that_the_flags_allow() -> None:
    found = join(keys([A], 2020), keys([A], 2021), changes=flagged(A=[1]), suspect={A: "another name", B: "not here"})
    assert isinstance(found, Refused)
    assert f"1 of 1 codes may name another region: {A}: another name" in str(found)


@pytest.mark.parametrize("left", [[], [RegionKey(A, 2020), RegionKey(B, 2021)], [RegionKey(A, 2020)] * 2])
def test_a_table_is_of_one_year_with_each_region_once(left: list[RegionKey]) -> None:
    with pytest.raises(ValueError, match="left table"):
        join(left, keys([A], 2020))


# --- signs of re-use --------------------------------------------------------------------------------------------------


def test_every_sign_of_another_region_is_told() -> None:
    found = reused(
        (A, B, C),
        crosswalk=walk([(A, A, 0.89), (A, B, 0.11), (B, B, 0.9), (B, C, 0.1)]),
        names=(("Noord", "Wijk 02 Oud-Zuid", ""), ("Haven", "Oud Zuid", "West")),
        sizes={
            "residents": ([100.0, 100.0, 0.0], [151.0, 150.0, 0.0]),
            "hectares": ([30.0, np.nan, 9.0], [19.0, 9, 9]),
        },
    )
    assert list(found) == [A]
    for sign in ("89.0 % of it", "residents: 100 became 151", "hectares: 30 became 19", "'Noord' became 'Haven'"):
        assert sign in found[A]
    assert list(reused((A,), sizes={"residents": ([0.0], [5.0])})) == [A]


@pytest.mark.parametrize("bad", [{"kept": 0.0}, {"kept": 1.1}, {"jump": 1.0}])
def test_thresholds_that_cannot_be(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="kept lies above 0"):
        reused((A,), **bad)  # type: ignore[arg-type]


# --- Almere: 6 wijken until 2021, 71 from 2022 ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def almere() -> Table:
    found = read_table(shared("data/kwb_almere/almere_kwb_2018_2025_tidy.csv"))
    assert isinstance(found, Table)
    return found


def in_year(table: Table, kind: str, year: int) -> pd.DataFrame:
    frame = table.frame
    return frame[(frame["SoortRegio_2"].str.strip() == kind) & (frame["jaar"] == str(year))]


def almere_keys(table: Table, kind: str, year: int) -> list[RegionKey]:
    return keys(in_year(table, kind, year)["Codering_3"].str.strip().tolist(), year)


@pytest.fixture(scope="module")
def flags(almere: Table) -> Changes:
    found = read_changes(almere, code="Codering_3", year="jaar", flag=FLAG)
    assert isinstance(found, Changes)
    return found


def test_almere_is_refused_on_the_code_of_its_wijken(almere: Table, flags: Changes) -> None:
    before, after = almere_keys(almere, "Wijk", 2021), almere_keys(almere, "Wijk", 2022)
    assert (len(before), len(after)) == (6, 71)
    found = join(before, after, changes=flags)
    assert isinstance(found, Refused)
    for number in range(1, 7):
        assert f"WK00340{number}: it got other borders in 2022" in str(found)
    assert isinstance(join(before, after), Refused)


def test_almere_joins_as_gemeente_and_after_its_new_division(almere: Table, flags: Changes) -> None:
    found = join(almere_keys(almere, "Gemeente", 2021), almere_keys(almere, "Gemeente", 2025), changes=flags)
    assert isinstance(found, Joined)
    assert len(found.left) == 1
    later = join(almere_keys(almere, "Wijk", 2022), almere_keys(almere, "Wijk", 2025), changes=flags)
    assert isinstance(later, Joined)
    assert len(later.left) == 71


def test_almere_joins_as_gemeente_over_all_years_with_a_crosswalk_that_does_not_list_it(
    almere: Table, published: tuple[Crosswalk, ...]
) -> None:
    # The editions of 2018 to 2021 flag no gemeenten, so the flags alone cannot allow it.
    before, after = almere_keys(almere, "Gemeente", 2018), almere_keys(almere, "Gemeente", 2024)
    found = join(before, after, crosswalks=published, basis="adres")
    assert isinstance(found, Joined)


def test_the_codes_that_almere_used_again_are_found_from_size_and_from_addresses(
    almere: Table, published: tuple[Crosswalk, ...]
) -> None:
    before, after = (in_year(almere, "Wijk", year).set_index("Codering_3") for year in (2021, 2022))
    codes = [code for code in before.index if code in after.index]
    assert codes == [f"WK00340{number}" for number in range(1, 7)]
    pair = {
        name: (before.loc[codes, column].astype(float), after.loc[codes, column].astype(float))
        for name, column in (("residents", "AantalInwoners"), ("hectares", "OppervlakteTotaal"))
    }
    assert list(reused(codes, sizes=pair)) == codes
    step = next(one for one in published if (one.level, one.start, one.end, one.basis) == ("wijk", 2021, 2022, "adres"))
    assert list(reused(codes, crosswalk=step)) == codes


@pytest.fixture(scope="module")
def published() -> tuple[Crosswalk, ...]:
    names = {"from": "van", "to": "naar", "share": "aandeel_van", "from_year": "van_jaar", "to_year": "naar_jaar"}
    found = read_crosswalks(shared("data/crosswalk/wijk_gemeente_omzetmatrix_2016_2024_long.csv.gz"), columns=names)
    assert all(isinstance(one, Crosswalk) for one in found)
    return found  # type: ignore[return-value]


def test_codes_used_again_from_2016_to_2024_are_those_that_kept_too_little(published: tuple[Crosswalk, ...]) -> None:
    table = pd.read_csv(shared("data/crosswalk/wijk_gemeente_omzetmatrix_2016_2024_long.csv.gz"))
    rows = table.query("niveau == 'wijk' and basis == 'adres' and van_jaar == 2016 and naar_jaar == 2024")
    same = rows[(rows["van"] == rows["naar"]) & (rows["aandeel_van"] < 0.9)]
    assert len(same) == 84
    whole = next(
        one for one in published if (one.level, one.start, one.end, one.basis) == ("wijk", 2016, 2024, "adres")
    )
    assert set(reused(sorted(set(rows["van"]) & set(rows["naar"])), crosswalk=whole)) >= set(same["van"])


# --- flags ------------------------------------------------------------------------------------------------------------


def flags_of(path: Path, text: str) -> Changes | tuple[Problem, ...]:
    path.write_text(text, encoding="utf-8")
    table = read_table(path)
    assert isinstance(table, Table)
    return read_changes(table, code="code", year="year", flag="flag")


def test_flags_are_read_and_an_empty_one_is_unknown(tmp_path: Path) -> None:
    found = flags_of(tmp_path / "f.csv", f"code;year;flag\n{A};2022;1\n{B};2022;.\n{C};2022;3\n")
    assert found == Changes({(A, 2022): Change.UNCHANGED, (C, 2022): Change.BORDER})


@pytest.mark.parametrize("row", ["4", "1.5", "3"])
def test_a_flag_that_cannot_be_is_said_with_its_row(tmp_path: Path, row: str) -> None:
    found = flags_of(tmp_path / "f.csv", f"code;year;flag\n{A};2022;1\n{A};2022;{row}\n")
    assert isinstance(found, tuple)
    assert (found[0].code, found[0].line) == ("DATA-144", 3)


# --- names ------------------------------------------------------------------------------------------------------------

NORTH = [
    NamedRegion(RegionKey("WK000101", 2020), "Centrum"),
    NamedRegion(RegionKey("WK000201", 2020), "Centrum"),
    NamedRegion(RegionKey("WK000102", 2020), "Noord"),
    NamedRegion(RegionKey("BU00010201", 2020), "Noord"),
    NamedRegion(RegionKey("WK000109", 2019), "Zuid"),
]


def test_a_name_is_unique_within_its_gemeente_year_and_level() -> None:
    found = codes_of_names(["centrum ", "Noord"], "GM0001", 2020, NORTH, level=Level.WIJK)
    assert found == (RegionKey("WK000101", 2020), RegionKey("WK000102", 2020))
    two = codes_of_names(["Centrum", "Centrum"], ["GM0001", "GM0002"], 2020, NORTH)
    assert two == (RegionKey("WK000101", 2020), RegionKey("WK000201", 2020))


def test_every_row_that_is_not_one_region_is_listed() -> None:
    found = codes_of_names(
        ["Centrum", "Noord", "Zuid", "Centrum", "Centrum"], ["", "GM0001", "GM0001", "GM0001", "GM0001"], 2020, NORTH
    )
    assert [(one.code, one.line) for one in found if isinstance(one, Problem)] == [
        ("DATA-148", 2),
        ("DATA-146", 3),
        ("DATA-145", 4),
        ("DATA-147", 5),
        ("DATA-147", 6),
    ]
    assert "BU00010201 and WK000102" in str(found[1])


def test_names_of_another_year_are_not_used() -> None:
    found = codes_of_names(["Zuid"], "GM0001", 2021, NORTH)
    assert isinstance(found[0], Problem)
    assert "2019 and 2020" in found[0].hint


def amsterdam(vintage: int) -> list[NamedRegion]:
    """The names of 2017, as if they were those of `vintage`."""
    table = pd.read_csv(shared("data/kwb_adam/Kerncijfers_wijken_en_buurten_2017.csv"), dtype=str)
    table = table[table["Regioaanduiding.Codering..code."].str.strip() != "NL00"]
    pairs = zip(table["Regioaanduiding.Codering..code."].str.strip(), table["Wijken.en.buurten"], strict=True)
    return [NamedRegion(RegionKey(code, vintage), name) for code, name in pairs]


def test_an_export_without_codes_is_joined_row_by_row_or_not_at_all() -> None:
    table = read_table(shared("data/kwb_adam/Kerncijfers_wijken_en_buurten_2015.csv"), layout="statline")
    assert isinstance(table, Table)
    names = table.frame["Wijken en buurten"].tolist()
    where = {"gemeente": "GM0363", "vintage": 2015, "column": "Wijken en buurten", "places": table.places}
    # Only names of 2017 are known: none of 2015 may be looked up among them.
    other = codes_of_names(names, known=amsterdam(2017), **where)  # type: ignore[arg-type]
    assert len(other) == len(names)
    assert {one.code for one in other if isinstance(one, Problem)} == {"DATA-145"}
    # Were they those of 2015: stadsdelen are no regions of CBS, and some wijken have the name of a buurt.
    found = codes_of_names(names, known=amsterdam(2015), **where)  # type: ignore[arg-type]
    said = {one.line: one.code for one in found if isinstance(one, Problem)}
    lines = dict(zip(table.places.rows.tolist(), names, strict=True))
    # Case differs in two names (IJplein, Westindische Buurt) and says nothing.
    known = [region.name.strip().casefold() for region in amsterdam(2015)]
    assert said == {
        line: "DATA-145" if known.count(name.casefold()) == 0 else "DATA-146"
        for line, name in lines.items()
        if known.count(name.casefold()) != 1
    }
    assert {"DATA-145", "DATA-146"} == set(said.values())
    # The rows that are one wijk, taken alone.
    clear = [name for name in names if known.count(name.casefold()) == 1]
    joined = codes_of_names(clear, "GM0363", 2015, amsterdam(2015))
    assert all(isinstance(one, RegionKey) for one in joined)
    assert len(joined) == len(clear) > 80
