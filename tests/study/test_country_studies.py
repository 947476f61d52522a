"""The shipped studies of the generated country, run as a user runs them and held against its tables, read by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from tests.shared import ROOT
from tests.study.conftest import Ended, tree
from tests.study.languages import check_both

DATA = ROOT / "data_synthetic"
WINDOW = ["2022/'23", "2023/'24", "2024/'25"]


Shipped = Callable[[str], tuple[Path, Ended]]


def ran(shipped: Shipped, study: str, code: int) -> tuple[Path, Ended, dict[str, Any]]:
    out, ended = shipped(study)
    assert ended.code == code, ended.err
    return out, ended, json.loads((out / "results.json").read_text(encoding="utf-8"))["outcomes"][0]


@pytest.fixture(scope="module")
def vsv(shipped: Shipped) -> tuple[Path, Ended, dict[str, Any]]:
    return ran(shipped, "voortijdig-schoolverlaten", 0)


@pytest.fixture(scope="module")
def safety(shipped: Shipped) -> tuple[Path, Ended, dict[str, Any]]:
    return ran(shipped, "ervaren-veiligheid", 1)


@pytest.fixture(scope="module")
def strict(shipped: Shipped) -> tuple[Path, Ended, dict[str, Any]]:
    return ran(shipped, "ervaren-veiligheid-strengste-lezing", 1)


def table() -> pd.DataFrame:
    """Leavers per hundred students by wijk and school year; nan where the workbook has a mark."""
    sheet = openpyxl.load_workbook(DATA / "cbs-maatwerk-vsv.xlsx")["Tabel 1"]
    rows = list(sheet.iter_rows(min_row=5, values_only=True))
    frame = pd.DataFrame(rows, columns=["region", "period", "leavers", "students"])
    for name in ("leavers", "students"):
        frame[name] = pd.to_numeric(frame[name].astype(str).str.rstrip("*"), errors="coerce")
    frame["rate"] = 100 * frame["leavers"] / frame["students"]
    return frame.pivot(index="region", columns="period", values="rate")


def put_in(indicator: str, areas: list[str], periods: list[str]) -> float:
    """The truth as shipped: the mean over areas of the mean over `periods`."""
    truth = pd.read_parquet(DATA / "land-truth.parquet")
    rows = truth[(truth["indicator"] == indicator) & truth["area"].isin(areas) & truth["period"].isin(periods)]
    return float(rows.groupby("area")["effect"].mean().mean())


def areas_in(found: dict[str, Any]) -> list[str]:
    return [area["slug"] for area in found["areas"] if not area["left_out"]]


def covers(found: dict[str, Any], truth: float) -> bool:
    return bool(found["primary"]["low"] <= truth <= found["primary"]["high"])


# --- early school leaving ---------------------------------------------------------------------------------------------


def test_the_interval_holds_what_was_put_in(vsv: tuple[Path, Ended, dict[str, Any]]) -> None:
    found = vsv[2]
    assert covers(found, put_in("voortijdig-schoolverlaten", areas_in(found), WINDOW))
    assert found["primary"]["high"] < 0


def test_all_wijken_is_a_difference_in_differences_by_hand(vsv: tuple[Path, Ended, dict[str, Any]]) -> None:
    """From the cells of the workbook: own mean before the start, own mean in the window, minus those of the others."""
    rate = table()
    years = [f"{year}/'{(year + 1) % 100:02d}" for year in range(2012, 2025) if year not in (2019, 2020)]
    rate = rate[years].dropna()
    units = pd.read_parquet(DATA / "land-wijken.parquet").set_index("region").loc[lambda x: x.index.isin(rate.index)]
    members = pd.read_csv(DATA / "land-gebieden-wijken.csv", sep=";", decimal=",")
    hosts = pd.read_parquet(DATA / "land-wijken.parquet").set_index("region")["gemeente"].loc[members["code"]].unique()
    free = units[
        ~units["gemeente"].isin(hosts)
        & (units["grenst_aan"] == "")
        & (units["heringedeeld"] == 0)
        & (units["deel"] == 0)
    ].index
    whole = members[(members["share"] == 1) & (members["area"] != "rotterdam-zuid") & members["code"].isin(rate.index)]
    effects = []
    for _, rows in whole.groupby("area"):
        start = units.loc[rows["code"].iloc[0], "start_schooljaar"]
        before = [year for year in years if year < start]
        change = rate[WINDOW].mean(axis=1) - rate[before].mean(axis=1)
        effects.append(change[rows["code"]].mean() - change[free].mean())
    alternative = next(row for row in vsv[2]["alternatives"] if row["name"] == "alle-wijken")
    assert len(effects) == alternative["estimate"]["areas"] == len(areas_in(vsv[2]))
    assert alternative["estimate"]["value"] == pytest.approx(sum(effects) / len(effects), abs=1e-10)


def test_nobody_who_is_touched_serves_as_comparison(vsv: tuple[Path, Ended, dict[str, Any]]) -> None:
    used = {unit for area in vsv[2]["areas"] for unit, _ in area["matched"]}
    units = pd.read_parquet(DATA / "land-wijken.parquet").set_index("region").loc[sorted(used)]
    assert len(used) > 100
    assert (units["grenst_aan"] == "").all() and (units["heringedeeld"] == 0).all() and (units["deel"] == 0).all()


def test_what_does_not_count_is_named(vsv: tuple[Path, Ended, dict[str, Any]]) -> None:
    out, ended, found = vsv
    out_periods = {row["unit"]: row["reason"] for row in found["periods_left_out"]}
    assert set(out_periods) == {"2019/'20", "2020/'21", "2025/'26"}
    assert "voorlopig" in out_periods["2025/'26"] and "corona" in out_periods["2019/'20"]
    assert re.search(r"1[89] of 20 areas; without .*Rotterdam-Zuid", ended.err)
    assert any("veelvoud van 5" in note for note in found["notes"])
    assert any("2016/'17 (nieuwe CBS-tabel" in note for note in found["notes"])
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Rotterdam-Zuid: had het programma, of een voorganger ervan, al eerder" in page


def test_the_bracket_of_comparisons_stands_side_by_side(vsv: tuple[Path, Ended, dict[str, Any]]) -> None:
    """Unmatched, matched on structure, and on the score as well on which the areas were chosen."""
    names = [row["name"] for row in vsv[2]["alternatives"]]
    assert names[:2] == ["alle-wijken", "ook-op-selectiescore"]
    matched = {row["name"] for row in vsv[2]["balance"] if row["matched_on"]}
    assert matched == {"huur_pct", "uitkering_pct", "adres_dichtheid", "inwoners"}
    assert "lbm_2018" in {row["name"] for row in vsv[2]["balance"]}


# --- experienced safety -----------------------------------------------------------------------------------------------


def test_read_as_a_shift_of_all_areas_safety_is_estimated(safety: tuple[Path, Ended, dict[str, Any]]) -> None:
    _, ended, found = safety
    assert len(areas_in(found)) == 9 and "9 of 20 areas; without Breda Noord" in ended.err
    assert found["periods"] == ["2013", "2015", "2017", "2019", "2021", "2023", "2025"]
    assert covers(found, put_in("ervaren-veiligheid", areas_in(found), ["2023", "2025"]))
    assert found["alternatives"][1]["estimate"]["value"] is None, "the strict reading is not measurable"
    assert any(check["name"] == "respondents" and check["verdict"] == "pass" for check in found["checks"])


def test_read_as_a_break_in_the_series_safety_is_not_measurable(strict: tuple[Path, Ended, dict[str, Any]]) -> None:
    out, ended, found = strict
    assert "0 of 20 areas assessed" in ended.err and "not measurable with these data" in ended.err
    assert found["not_measurable"] and found["primary"]["value"] is None
    assert not [name for name in tree(out) if name.endswith(".svg")]
    page = re.sub(r"\s+", " ", (out / "report.html").read_text(encoding="utf-8"))
    assert "er is maar één vergelijkbare meting van voor de start" in page
    assert "Er is niets berekend; een verschil is hiermee aangetoond noch uitgesloten." in page


def test_a_dash_is_no_nought_where_the_table_says_so(safety: tuple[Path, Ended, dict[str, Any]]) -> None:
    """The city samples write a dash for too few respondents; those wijken leave by name."""
    text = (DATA / "vm-wijken-9-steden.csv").read_text(encoding="utf-8")
    dashes = {line.split(";")[0] for line in text.splitlines() if ";-;" in line}
    lost = {row["unit"]: row["reason"] for row in safety[2]["excluded"]}
    used = {unit for area in safety[2]["areas"] for unit, _ in area["matched"]}
    assert dashes and dashes.isdisjoint(used)
    assert all(code in lost for code in dashes)


@pytest.mark.parametrize("study", ["vsv", "safety", "strict"])
def test_each_has_its_pages_in_dutch_and_in_english(study: str, request: pytest.FixtureRequest) -> None:
    check_both(request.getfixturevalue(study)[0])
