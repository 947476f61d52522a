"""Which share of the residents lives beside a treated wijk: the borders of Groningen, with buurten held one by one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest

from tests.shared import shared
from tests.study.conftest import impact
from tests.study.example import refused

shapely = pytest.importorskip("shapely")

TREATED = "WK001404"  # Oosterpark
STUDY = f"""\
schema: 1
id: groningen
title: Groningen
question: Veranderde het?
seen_before: De cijfers zijn verzonnen, de grenzen niet.
placebo: true
data:
  outcomes: {{file: cijfers.csv, level: wijk, vintage: 2017, columns: {{region: code, period: jaar, value: y}}}}
  polygons:
    file: wijk2017_groningen.geojson
    column: WK_CODE
    source: CBS en Kadaster, wijk- en buurtkaart 2017
    vintage: 2017
    parts: {{file: buurt2017_groningen.geojson, column: BU_CODE, residents: AANT_INW}}
periods: {{first: 2010, last: 2016}}
treatment:
  areas:
    oosterpark: {{name: Oosterpark, members: [{TREATED}]}}
  start: {{event: nepstart, first_treated: 2014}}
outcome: {{indicator: y, name: Verzonnen, measure: {{unit: punten}}, better: neither}}
target: {{kind: average, window: [2014, 2016], every: area}}
comparison: {{leave_out: [{{rule: adjacent, sharing: border, why: verplaatsing}}], match: none}}
estimator: did
inference: {{name: cluster-jackknife, cluster: unit}}
checks: {{treated-clusters: 1}}
seed: 1
"""


def features(name: str) -> list[dict[str, Any]]:
    path = shared(f"data/groningen_2017/{name}2017_groningen.geojson")
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["features"]
    return found


def plane(feature: dict[str, Any]) -> Any:
    """Metres around Groningen, to a few parts in a thousand; where borders touch the projection does not matter."""

    def metres(points: Any) -> Any:
        return (points - [6.57, 53.2]) * [111_320 * np.cos(np.deg2rad(53.2)), 111_270]

    return shapely.transform(shapely.geometry.shape(feature["geometry"]), metres)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("groningen")
    for name in ("wijk", "buurt"):
        shutil.copy(shared(f"data/groningen_2017/{name}2017_groningen.geojson"), place)
    codes = sorted(feature["properties"]["WK_CODE"] for feature in features("wijk"))
    rng = np.random.default_rng(3)
    rows = [f"{code};{year};{50 + rng.normal():.2f}" for code in codes for year in range(2010, 2017)]
    (place / "cijfers.csv").write_text("code;jaar;y\n" + "\n".join(rows) + "\n", encoding="utf-8")
    (place / "study.yaml").write_text(STUDY, encoding="utf-8")
    return place


def test_residents_beside_the_area_buurt_by_buurt(folder: Path) -> None:
    out = folder / "bundle"
    ended = impact("run", folder, "--out", out)
    assert ended.code in (0, 1), ended.err
    area = plane(next(feature for feature in features("wijk") if feature["properties"]["WK_CODE"] == TREATED))
    whole: dict[str, float] = {}
    beside: dict[str, float] = {}
    for feature in features("buurt"):
        said = feature["properties"]
        wijk, residents = said["WK_CODE"], max(said["AANT_INW"], 0)
        whole[wijk] = whole.get(wijk, 0) + residents
        if plane(feature).distance(area) <= 1:
            beside[wijk] = beside.get(wijk, 0) + residents
    sheet = openpyxl.load_workbook(out / "tables.xlsx")["units"]
    head, *rows = sheet.iter_rows(values_only=True)
    found = {row[head.index("unit")]: dict(zip(head, row, strict=True)) for row in rows}
    assert set(found) == set(whole) and len(found) == 15
    assert found[TREATED]["residents_share"] is None and found[TREATED]["role"] == "focus"
    shares = {wijk: row["residents_share"] for wijk, row in found.items() if wijk != TREATED}
    unknown = {f["properties"]["WK_CODE"] for f in features("buurt") if f["properties"]["AANT_INW"] < 0}
    for wijk, share in shares.items():
        if wijk in unknown:
            assert share is None
        else:
            assert share == pytest.approx(beside.get(wijk, 0) / whole[wijk], abs=1e-12)
    assert sum(0 < (share or 0) < 1 for share in shares.values()) >= 3
    assert all((row["ring"] == 1) == (row["km"] < 0.01) for wijk, row in found.items() if wijk != TREATED)
    files = {row["role"]: row for row in json.loads((out / "manifest.json").read_text(encoding="utf-8"))["inputs"]}
    assert {"polygons", "parts"} <= set(files)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Kaart van 15 gebieden" in page and "Grenzen: CBS en Kadaster, wijk- en buurtkaart 2017" in page


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("residents: AANT_INW", "residents: AANTAL", "MAP-004"),
        ("residents: AANT_INW", "residents: BU_NAAM", "MAP-004"),
        ("column: BU_CODE", "column: WK_CODE", "DATA-109"),
        ("column: BU_CODE", "column: BU_NAAM", "DATA-109"),
    ],
)
def test_parts_that_cannot_be_are_refused(folder: Path, tmp_path: Path, old: str, new: str, code: str) -> None:
    (tmp_path / "study.yaml").write_text(STUDY.replace(old, new), encoding="utf-8")
    ended = impact("check", tmp_path, "--data", folder)
    assert ended.code == 2 and code in ended.err and "buurt2017_groningen.geojson" in ended.err


def test_parts_need_something_to_be_part_of(tmp_path: Path) -> None:
    polygons = "  polygons: {file: w.geojson, column: c, parts: {file: b.geojson, column: c, residents: n}}\n  units:\n"
    found = refused(tmp_path, ("  units:\n", polygons))
    assert [problem.path for problem in found] == ["data.polygons.parts"]
