"""The shipped files: made again byte for byte, described column by column, and a map without gaps."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import zipfile
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from impact.register.areas import areas
from impact.simulate import Country, Settings, indicator, truth, write
from tests.simulate.conftest import FOLDER

PACKAGE: dict[str, Any] = json.loads((FOLDER / "datapackage.json").read_text(encoding="utf-8"))
RESOURCES: dict[str, dict[str, Any]] = {one["path"]: one for one in PACKAGE["resources"]}
TABLES = [path for path, one in RESOURCES.items() if "schema" in one]


def table(path: str) -> pd.DataFrame:
    """A shipped table; every cell of a CSV or workbook as the text that stands there, blank as ''."""
    if path.endswith(".parquet"):
        return pd.read_parquet(FOLDER / path)
    if path.endswith(".xlsx"):
        return pd.read_excel(FOLDER / path, sheet_name="Tabel 1", header=3, dtype=object, keep_default_na=False)
    with (FOLDER / path).open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file, delimiter=";")
    return pd.DataFrame(rows, columns=head)


# Bytes --------------------------------------------------------------------------------------------------------------


def test_making_it_again_gives_the_same_bytes(made: Country, tmp_path: Path) -> None:
    for name in ("eerste-studie.csv", "eerste-studie-wijken.csv", "eerste-studie-truth.csv"):
        (tmp_path / name).write_bytes((FOLDER / name).read_bytes())
    paths = write(made, tmp_path)
    assert {path.name for path in paths} | {path.name for path in tmp_path.iterdir()} == {
        *RESOURCES,
        "datapackage.json",
    }
    differ = [path.name for path in paths if path.read_bytes() != (FOLDER / path.name).read_bytes()]
    # pyarrow notes its version in a file; another version may pack the same table in other bytes.
    writer = {folder: pq.read_metadata(folder / "land-wijken.parquet").created_by for folder in (tmp_path, FOLDER)}
    if writer[tmp_path] == writer[FOLDER]:
        assert differ == []
    for name in RESOURCES:
        if name.endswith(".parquet"):
            assert pq.read_table(tmp_path / name).equals(pq.read_table(FOLDER / name)), name
        elif name.endswith(".xlsx"):
            with zipfile.ZipFile(tmp_path / name) as one, zipfile.ZipFile(FOLDER / name) as other:
                assert [(part, one.read(part)) for part in one.namelist()] == [
                    (part, other.read(part)) for part in other.namelist()
                ]
        else:
            assert name not in differ


def test_all_files_together_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 10_000_000


# The data dictionary ------------------------------------------------------------------------------------------------


def test_every_data_file_is_described_with_its_size_and_digest() -> None:
    data = {path.name for path in FOLDER.iterdir() if path.suffix in (".parquet", ".csv", ".xlsx", ".geojson")}
    assert set(RESOURCES) == data
    for path, one in RESOURCES.items():
        content = (FOLDER / path).read_bytes()
        assert one["bytes"] == len(content)
        assert one["hash"] == "sha256:" + hashlib.sha256(content).hexdigest()
        assert re.fullmatch(r"[a-z0-9._-]+", one["name"])
        assert one["title"]
    names = [one["name"] for one in RESOURCES.values()]
    assert len(set(names)) == len(names)


def numbers(column: pd.Series[Any], field: dict[str, Any], missing: list[str]) -> pd.Series[Any]:
    """The numbers of a column, blank where the dictionary says that nothing was given."""
    if column.dtype == object or pd.api.types.is_string_dtype(column):
        text = column[~column.isin(missing)]
        if field.get("decimalChar") == ",":
            assert not text.str.contains(".", regex=False).any()
            text = text.str.replace(",", ".")
        return text.astype(float).reindex(column.index)
    return column


@pytest.mark.parametrize("path", TABLES)
def test_every_column_is_what_the_dictionary_says(path: str) -> None:
    frame, schema = table(path), RESOURCES[path]["schema"]
    assert [field["name"] for field in schema["fields"]] == list(frame.columns)
    assert not frame[schema["primaryKey"]].duplicated().any()
    for field in schema["fields"]:
        column, rules = frame[field["name"]], field.get("constraints", {})
        assert field["description"]
        if field["type"] in ("number", "integer", "year"):
            found = numbers(column, field, schema["missingValues"])
            assert path.endswith(".csv") or pd.api.types.is_numeric_dtype(column)
            given = found.dropna()
            assert field["type"] == "number" or (given % 1 == 0).all()
            assert field["type"] != "year" or given.between(1900, 2100).all()
            assert (given >= rules.get("minimum", -np.inf)).all()
            assert (given <= rules.get("maximum", np.inf)).all()
            assert not rules.get("required") or found.notna().all()
            assert set(given) <= set(rules.get("enum", given))
        elif field["type"] == "string":
            assert column.map(type).eq(str).all()
            given = column[~column.isin(schema["missingValues"])]
            assert not rules.get("required") or len(given) == len(column)
            assert set(given) <= set(rules.get("enum", given))
            assert given.drop_duplicates().str.fullmatch(rules.get("pattern", ".*")).all()
            assert not rules.get("unique") or column.is_unique
        else:
            assert field["type"] == "any"
            assert column.ne("").all()


@pytest.mark.parametrize("path", [path for path in TABLES if "foreignKeys" in RESOURCES[path]["schema"]])
def test_keys_lead_to_rows_that_exist(path: str) -> None:
    by_name = {one["name"]: one["path"] for one in RESOURCES.values()}
    frame = table(path)
    for key in RESOURCES[path]["schema"]["foreignKeys"]:
        other = table(by_name[key["reference"]["resource"]])
        assert set(frame[key["fields"][0]]) <= set(other[key["reference"]["fields"][0]])


# The tables ---------------------------------------------------------------------------------------------------------


def test_wijken_say_who_is_treated_and_from_when() -> None:
    wijken = table("land-wijken.parquet")
    since = {one.slug: one.since for one in areas()}
    focus = wijken[wijken.focusgebied != ""]
    assert set(focus.focusgebied) == set(since)
    assert (len(focus), wijken.inwoners.sum() // 100_000) == (51, 54)  # as the README says
    assert (focus.deel == 1).all()
    assert focus.start.tolist() == [str(since[slug]) for slug in focus.focusgebied]
    assert set(zip(focus.start, focus.start_schooljaar, strict=True)) == {
        ("2011", "2011/'12"),
        ("2020", "2020/'21"),
        ("2022", "2022/'23"),
    }
    rest = wijken[wijken.focusgebied == ""]
    assert set(rest.start) | set(rest.start_schooljaar) == {""}
    assert (rest.deel < 1).all() and (rest.deel > 0).sum() == 3
    assert set(wijken[wijken.deel > 0].grenst_aan) == {""}
    assert wijken[wijken.heringedeeld == 1].gemeente.unique().tolist() == ["GM9036"]
    assert wijken.naam.str.contains("(gegenereerd)", regex=False).all()
    assert [(wijken[wijken.focusgebied == "rotterdam-zuid"].inwoners.sum() - 213000).item()] == pytest.approx(
        [0], abs=9
    )


def test_buurten_add_up_to_wijken_and_areas() -> None:
    wijken, buurten = table("land-wijken.parquet").set_index("region"), table("land-buurten.parquet")
    assert (len(wijken), len(buurten), buurten.gemeente.nunique()) == (900, 3600, 60)
    assert (buurten.groupby("wijk").inwoners.sum() == wijken.inwoners).all()
    inside = buurten[buurten.focusgebied != ""].groupby("wijk").inwoners.sum().reindex(wijken.index, fill_value=0)
    assert (inside / wijken.inwoners).to_numpy() == pytest.approx(wijken.deel.to_numpy(), abs=1e-6)
    moved = buurten[buurten.wijk != buurten.wijk_oud]
    assert moved.gemeente.unique().tolist() == ["GM9036"]
    members = table("land-gebieden-buurten.csv")
    assert set(zip(members.area, members.code, strict=True)) == {
        (area, code) for area, code in zip(buurten.focusgebied, buurten.region, strict=True) if area
    }
    whole = table("land-gebieden-wijken.csv")
    shares = dict(zip(whole.code, whole.share.str.replace(",", ".").astype(float), strict=True))
    assert shares == pytest.approx(wijken.deel[wijken.deel > 0].to_dict(), abs=1e-4)
    assert set(whole.vintage) == {"2024"}


def test_the_long_tables_hold_the_indicators(made: Country, settings: Settings) -> None:
    wijk, gemeente = table("land-indicatoren.parquet"), table("land-gemeenten.parquet")
    assert set(gemeente.indicator) == {"herstructurering", "achterstandsscore", "risicoscores"}
    assert set(wijk.indicator) == set(settings.indicators) - set(gemeente.indicator)
    vsv = wijk[(wijk.indicator == "voortijdig-schoolverlaten") & (wijk.region == "WK900101")]
    assert vsv.period.tolist() == [f"{year}/'{(year + 1) % 100}" for year in range(2010, 2026)]
    counted = wijk[wijk.status.isin(["ok", "provisional"])]
    share = counted[counted.indicator == "voortijdig-schoolverlaten"]
    assert share.value.to_numpy() == pytest.approx((100 * share.numerator / share.denominator).to_numpy(), abs=1e-6)
    crime = counted[counted.indicator == "criminaliteit"]
    assert crime.value.to_numpy() == pytest.approx((1000 * crime.numerator / crime.denominator).to_numpy(), abs=1e-6)
    assert counted.value.notna().all() and wijk.value.notna().sum() == len(counted)
    assert (
        len(wijk[(wijk.indicator == "ervaren-veiligheid") & wijk.region.str.startswith("WK9036")].period.unique()) == 7
    )
    series = indicator(made, "risicoscores")
    mine = gemeente[gemeente.indicator == "risicoscores"].pivot(index="region", columns="period", values="value")
    assert mine.to_numpy() == pytest.approx(series.value[:, 5:], nan_ok=True)


def test_the_truth_file_is_the_truth(made: Country, settings: Settings) -> None:
    found = table("land-truth.parquet")
    assert len(found) == 20 * 15 * 16
    for slug in settings.indicators:
        rows = found[found.indicator == slug]
        assert rows.area.drop_duplicates().tolist() == list(made.areas)
        assert rows.effect.to_numpy().reshape(20, 16) == pytest.approx(truth(made, slug))
    vsv = found[(found.indicator == "voortijdig-schoolverlaten") & (found.area != "rotterdam-zuid")]
    started = vsv[vsv.effect != 0].groupby("area").period.min()
    assert Counter(started) == {"2020/'21": 15, "2022/'23": 4}


# The tables that look like deliveries ---------------------------------------------------------------------------------


def test_the_made_to_order_table_has_the_marks_of_statistics_netherlands() -> None:
    with zipfile.ZipFile(FOLDER / "cbs-maatwerk-vsv.xlsx") as book:
        assert len([name for name in book.namelist() if name.startswith("xl/worksheets/sheet")]) == 1
    frame = table("cbs-maatwerk-vsv.xlsx")
    assert list(frame.columns) == ["Regiocode", "Schooljaar", "Vsv'ers", "Deelnemers"]
    long = table("land-indicatoren.parquet")
    long = long[long.indicator == "voortijdig-schoolverlaten"].reset_index(drop=True)
    assert frame.Regiocode.tolist() == long.region.tolist()
    assert frame.Schooljaar.tolist() == long.period.tolist()
    for row, status, counted, there in zip(
        frame.itertuples(index=False), long.status, long.numerator, long.denominator, strict=True
    ):
        last = row[1] == "2025/'26"
        star = "*" if last else ""
        assert row[2] == {"suppressed": "x", "missing": "."}.get(status) or (
            row[2] == (f"{counted:.0f}{star}" if last else counted) and counted % 5 == 0
        )
        assert row[3] == "." if status == "missing" else row[3] == (f"{there:.0f}{star}" if last else there)
    assert {type(cell) for cell in frame["Vsv'ers"]} == {int, str}


def test_the_survey_table_holds_nine_gemeenten_with_nine_areas() -> None:
    frame, wijken = table("vm-wijken-9-steden.csv"), table("land-wijken.parquet").set_index("region")
    assert list(frame.columns) == [
        "Gebiedscode", "Jaar", "Onveilig_pct", "Respondenten", "Ondergrens", "Bovengrens", "Inwoners_15plus",
    ]  # fmt: skip
    assert sorted(set(frame.Jaar)) == [str(year) for year in range(2013, 2026, 2)]
    there = wijken.loc[frame.Gebiedscode.unique()]
    assert there.gemeente.nunique() == 9
    assert there.focusgebied[there.focusgebied != ""].nunique() == 9
    assert len(there) == wijken.gemeente.isin(there.gemeente).sum()
    hidden = frame.Onveilig_pct == "-"
    assert 0 < hidden.sum() < 40
    assert (frame[hidden].Ondergrens == "-").all() and (frame[hidden].Bovengrens == "-").all()
    assert (frame[hidden].Respondenten.replace("-", "0").astype(int) < 60).all()
    shown = frame[~hidden]
    low, mid, high = (
        shown[c].str.replace(",", ".").astype(float) for c in ("Ondergrens", "Onveilig_pct", "Bovengrens")
    )
    assert ((low <= mid) & (mid <= high)).all()
    assert (frame.Inwoners_15plus.astype(int) < there.inwoners[frame.Gebiedscode].to_numpy()).all()


# The map ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rings() -> dict[str, list[tuple[int, int]]]:
    shapes = json.loads((FOLDER / "land-wijken.geojson").read_text(encoding="utf-8"))
    assert shapes["crs"]["properties"]["name"].endswith("EPSG::28992")
    found = {}
    for one in shapes["features"]:
        assert one["geometry"]["type"] == "Polygon"
        (only,) = one["geometry"]["coordinates"]
        found[one["properties"]["region"]] = [(x, y) for x, y in only]
    return found


def twice_area(points: list[tuple[int, int]]) -> int:
    """Shoelace formula in whole numbers; positive when counter-clockwise."""
    return sum(x * v - u * y for (x, y), (u, v) in pairwise(points))


def edges(points: list[tuple[int, int]]) -> set[frozenset[tuple[int, int]]]:
    return {frozenset(pair) for pair in pairwise(points)}


def test_polygons_are_closed_rings_that_cover_the_country_once(rings: dict[str, list[tuple[int, int]]]) -> None:
    assert len(rings) == 900
    for points in rings.values():
        assert points[0] == points[-1]
        assert len(set(points)) == len(points) - 1
        assert twice_area(points) > 0
        assert all(isinstance(number, int) for point in points for number in point)
    count = Counter(edge for points in rings.values() for edge in edges(points))
    assert set(count.values()) == {1, 2}
    # Edges that occur once are the outer border: one ring, walked in the direction of the wijken.
    leads = {
        one: other
        for points in rings.values()
        for one, other in pairwise(points)
        if count[frozenset((one, other))] == 1
    }
    border = [min(leads)]
    while (after := leads[border[-1]]) != border[0]:
        border.append(after)
    assert len(border) == len(leads)
    assert sum(map(twice_area, rings.values())) == twice_area([*border, border[0]])


def test_no_border_crosses_itself(rings: dict[str, list[tuple[int, int]]]) -> None:
    """Brute force over all pairs of edges of every tenth wijk."""

    def side(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
        return np.sign(
            (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1]) - (b[..., 1] - a[..., 1]) * (c[..., 0] - a[..., 0])
        )

    for points in list(rings.values())[::10]:
        start, end = np.array(points[:-1]), np.array(points[1:])
        a, b, c, d = start[:, None], end[:, None], start[None], end[None]
        crossed = (side(a, b, c) * side(a, b, d) < 0) & (side(c, d, a) * side(c, d, b) < 0)
        assert not crossed.any()


def test_neighbours_are_those_who_share_an_edge(rings: dict[str, list[tuple[int, int]]], made: Country) -> None:
    wijken = table("land-wijken.parquet").set_index("region")
    owner: dict[frozenset[tuple[int, int]], list[str]] = {}
    for code, points in rings.items():
        for edge in edges(points):
            owner.setdefault(edge, []).append(code)
    near = {frozenset(codes) for codes in owner.values() if len(codes) == 2}
    named = made.land.wijken
    assert near == {frozenset((named[i], named[j])) for i, j, _ in made.land.borders}
    partly = set(wijken.index[wijken.deel > 0])
    beside = {code for pair in near if len(pair & partly) == 1 for code in pair - partly}
    assert beside == set(wijken.index[wijken.grenst_aan != ""])
    area = dict(zip(*table("land-gebieden-wijken.csv")[["code", "area"]].to_numpy().T, strict=True))
    for code in beside:
        reached = {area[other] for pair in near if code in pair for other in pair - {code} if other in partly}
        assert wijken.grenst_aan[code] in reached
    crossing = [code for code in beside if wijken.gemeente[code] not in set(wijken.gemeente[wijken.deel > 0])]
    assert crossing, "an area also borders on wijken of other gemeenten"
