"""Borders in a study: neighbours, distances and rings on a chessboard of wijken, where all follow by counting."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest

from impact.errors import DataError, Problem, UsageError
from impact.sources.outlines import read_rings
from tests.study.conftest import Project, impact
from tests.study.example import read, refused
from tests.study.test_pools import RULES, SAME, named, pool_of, wijken, with_rules

SIDE = 1000  # metres
COLUMNS = 30
POLYGONS = "data:\n  polygons: {file: data_synthetic/wijken.geojson, column: code}\n"


def board(project: Project, crooked: tuple[str, ...] = (), without: tuple[str, ...] = ()) -> pd.DataFrame:
    """Every wijk a square of a chessboard, row by row; the `crooked` ones drawn as a bow that crosses itself."""
    table = wijken(project).sort_index()
    place = np.arange(len(table))
    table["x"], table["y"] = place % COLUMNS, place // COLUMNS
    features = []
    for code, x, y in table[["x", "y"]].itertuples():
        west, south = 100_000 + SIDE * x, 400_000 + SIDE * y
        corners = [(0, 0), (SIDE, 0), (SIDE, SIDE), (0, SIDE)]
        if code in crooked:  # a bow: the right half twisted
            corners = [(0, 0), (SIDE, SIDE), (SIDE, 0), (0, SIDE)]
        ring = [[west + right, south + up] for right, up in [*corners, corners[0]]]
        if code not in without:
            geometry = {"type": "Polygon", "coordinates": [ring]}
            features.append({"type": "Feature", "properties": {"code": code}, "geometry": geometry})
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::28992"}}
    written = {"type": "FeatureCollection", "crs": crs, "features": features}
    (project.root / "data_synthetic" / "wijken.geojson").write_text(json.dumps(written), encoding="utf-8")
    project.change(project.study, ("data:\n", POLYGONS))
    return table


def steps(table: pd.DataFrame, corners: bool) -> dict[str, int]:
    """Moves of a king (over corners too) or a walker from every wijk to the nearest one of an area."""
    treated = table[table["area"].notna()]
    away = [(abs(treated["x"] - x), abs(treated["y"] - y)) for x, y in table[["x", "y"]].itertuples(index=False)]
    counted = [int((np.maximum(dx, dy) if corners else dx + dy).min()) for dx, dy in away]
    return dict(zip(table.index, counted, strict=True))


def kilometres(table: pd.DataFrame) -> dict[str, float]:
    """From border to border: squares that many columns and rows apart leave one less between them."""
    treated = table[table["area"].notna()]
    return {
        code: float(np.hypot(np.maximum(abs(treated["x"] - x) - 1, 0), np.maximum(abs(treated["y"] - y) - 1, 0)).min())
        for code, x, y in table[["x", "y"]].itertuples()
    }


def free(table: pd.DataFrame) -> set[str]:
    return set(table.index[table["area"].isna()])


# --- rules ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "corners", "most"),
    [
        ("rule: adjacent", True, 1),
        ("rule: adjacent, sharing: point", True, 1),
        ("rule: adjacent, sharing: border", False, 1),
        ("rule: adjacent, rings: 2", True, 2),
        ("rule: adjacent, sharing: border, rings: 3", False, 3),
    ],
)
def test_neighbours_are_those_of_a_king_or_a_walker(project: Project, rule: str, corners: bool, most: int) -> None:
    table = board(project)
    with_rules(project, rule)
    taken = named(pool_of(project), "adjacent")
    expected = {code for code, count in steps(table, corners).items() if 1 <= count <= most}
    assert set(taken) == expected and 10 < len(expected) < len(free(table))
    for code, detail in taken.items():
        x, y = table.loc[code, ["x", "y"]]
        dx, dy = abs(table["x"] - x), abs(table["y"] - y)
        near = table[table["area"].notna() & ((np.maximum(dx, dy) if corners else dx + dy) == 1)]
        said = "; ".join(f"{area}: {', '.join(part.index)}" for area, part in near.groupby("area"))
        assert detail == said if said else detail.startswith("ring ")


def test_near_and_far_leave_a_ring(project: Project) -> None:
    table = board(project)
    with_rules(project, "rule: near, km: 1", "rule: far, km: 4.2")
    pool, away = pool_of(project), kilometres(table)
    near, far = named(pool, "near"), named(pool, "far")
    assert set(near) == {code for code in free(table) if away[code] <= 1}
    assert set(far) == {code for code in free(table) if away[code] > 4.2}
    assert far and all(detail.endswith(" km") for detail in far.values())
    code = next(code for code in near if away[code] == 1)
    assert near[code].endswith(", 1 km") and near[code].split(":")[0] in set(table["area"].dropna())
    ring = {code for code in free(table) if 1 < away[code] <= 4.2}
    gaps = {row.unit for row in pool.excluded if row.code not in ("near", "far")}
    assert set(pool.donors) == ring - gaps and len(gaps) < 10


def test_an_area_without_figures_still_has_neighbours(project: Project) -> None:
    """One area has no row in either table; whoever borders on it is as exposed as before."""
    table = board(project)
    gone = table[table["area"] == table["area"].dropna().iloc[0]]
    listing = "".join(
        f"    {slug}: {{name: {slug}, members: [{', '.join(part.index)}]}}\n" for slug, part in table.groupby("area")
    )
    starts = ", ".join(
        f"{slug}: {max(int(part['first_treated'].iloc[0]), 2016)}" for slug, part in table.groupby("area")
    )
    project.change(
        project.study,
        ("  areas: {column: area} ", f"  only: with-data\n  areas:\n{listing}  #"),
        ("column: first_treated}", f"by_area: {{{starts}}}}}"),
    )
    for file in (project.outcomes, project.units):
        project.lines(file, lambda line: line.split(";")[0] not in set(gone.index))
    with_rules(project, "rule: adjacent")
    expected = {code for code, count in steps(table, True).items() if count == 1}
    assert set(named(pool_of(project), "adjacent")) == expected
    others = steps(table.drop(gone.index), True)
    assert any(others[code] > 1 for code in expected), "some border on no other area"


def test_a_wijk_without_a_border_is_no_comparison(project: Project) -> None:
    table = wijken(project).sort_index()
    lost = sorted(set(table.index[table["area"].isna()]))[5]
    board(project, without=(lost,))
    with_rules(project, "rule: near, km: 1")
    assert named(pool_of(project), "near")[lost] == "?"


def test_an_area_without_a_border_is_refused(project: Project) -> None:
    table = wijken(project).sort_index()
    lost = table.index[table["area"].notna()][0]
    board(project, without=(lost,))
    with_rules(project, "rule: adjacent")
    with pytest.raises(DataError) as caught:
        pool_of(project)
    (problem,) = caught.value.problems
    assert (problem.code, problem.file) == ("DATA-135", "data_synthetic/wijken.geojson")
    assert lost in problem.message and "polygons of all treated units" in problem.hint


# --- what a study may not say -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "data", "path", "words"),
    [
        ("{rule: adjacent, why: w}", "", "comparison.leave_out[0]", "needs the codes"),
        ("{rule: far, km: 2, why: w}", "", "comparison.leave_out[0]", "takes the borders"),
        ("{rule: near, km: 2, why: w}", "", "comparison.leave_out[0]", "borders or the place"),
        ("{rule: far, why: w}", "polygons", "comparison.leave_out[0]", "needs a distance"),
        ("{rule: adjacent, km: 1, why: w}", "polygons", "comparison.leave_out[0].km", "belongs to near and far"),
        ("{rule: near, km: 1, sharing: border, why: w}", "polygons", "comparison.leave_out[0].sharing", "adjacent"),
        (
            "{rule: adjacent, regions: [WK036301], rings: 2, why: w}",
            "polygons",
            "comparison.leave_out[0].rings",
            "named by `regions`",
        ),
        (
            "{rule: near, km: 4, why: w}, {rule: far, km: 4, why: w}",
            "polygons",
            "comparison.leave_out",
            "Nothing lies",
        ),
        ("{rule: focus-area, why: w}", "polygons, vintage: 2023", "data.polygons.vintage", "2023"),
    ],
)
def test_what_rules_on_place_cannot_say(rule: str, data: str, path: str, words: str, tmp_path: Path) -> None:
    changes = [("{rule: focus-area, why: programma}", rule)]
    if data:
        vintage = data.partition(", ")[2]
        polygons = f"  polygons: {{file: w.geojson, column: code{', ' + vintage if vintage else ''}}}\n  units:\n"
        changes += [
            ("  units:\n", polygons),
            ("    file: uitkomst.csv\n", "    file: uitkomst.csv\n    vintage: 2024\n"),
        ]
    found = refused(tmp_path, *changes)
    assert any(problem.path == path and words in problem.message for problem in found), found


def test_a_path_out_of_the_roots_is_refused(project: Project) -> None:
    board(project)
    project.change(project.study, ("data_synthetic/wijken.geojson", "../wijken.geojson"))
    ended = impact("check", project.study)
    assert ended.code == 2 and "SPEC-020" in ended.err and "climbs out" in ended.err
    project.change(project.study, ("../wijken.geojson", "geen.geojson"))
    ended = impact("check", project.study)
    assert ended.code == 2 and "SPEC-021" in ended.err


def test_without_shapely_the_run_is_refused_once(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    board(project)
    monkeypatch.setitem(sys.modules, "shapely", None)
    ended = project.run()
    assert ended.code == 2 and ended.err.count("MAP-001") == 1
    assert ".[spatial]" in ended.err and not project.out.exists()


def problems(project: Project) -> tuple[Problem, ...]:
    with pytest.raises((DataError, UsageError)) as caught:
        pool_of(project)
    return caught.value.problems


def test_a_file_that_is_wrong_is_said_with_all_else_that_is(project: Project) -> None:
    board(project)
    place = project.root / "data_synthetic" / "wijken.geojson"
    good = place.read_text(encoding="utf-8")
    place.write_text(good.replace('"code": "WK', '"code": "Wijk '), encoding="utf-8")
    project.change(project.outcomes, ("WK", "QQ"))
    codes = {(problem.code, problem.file) for problem in problems(project)}
    assert codes == {("DATA-109", "data_synthetic/wijken.geojson"), ("DATA-109", "data_synthetic/eerste-studie.csv")}
    project.change(project.outcomes, ("QQ", "WK"))
    place.write_text("{}", encoding="utf-8")
    (problem,) = problems(project)
    assert (problem.code, problem.file) == ("MAP-002", "data_synthetic/wijken.geojson")
    place.write_text(good, encoding="utf-8")
    project.change(project.study, ("column: code}", f"column: code, sha256: {'0' * 64}}}"))
    (problem,) = problems(project)
    assert problem.code == "DATA-106"


def test_codes_without_letters_are_read_as_those_of_the_outcomes(project: Project) -> None:
    table = board(project)
    project.change(project.root / "data_synthetic" / "wijken.geojson", ('"code": "WK', '"code": "'))
    with_rules(project, "rule: adjacent")
    assert set(named(pool_of(project), "adjacent")) == {c for c, count in steps(table, True).items() if count == 1}


# --- run --------------------------------------------------------------------------------------------------------------


def test_a_run_repairs_draws_and_counts(project: Project) -> None:
    codes = wijken(project).sort_index().index
    crooked = (codes[3], codes[40])
    table = board(project, crooked=crooked)
    project.change(
        project.study,
        (RULES + SAME, "    - {rule: adjacent, why: w}\n"),
        ("column: code}", "column: code, source: getekend voor deze toets}"),
    )
    ended = project.run()
    assert ended.code in (0, 1), ended.err
    outcome: dict[str, Any] = json.loads((project.out / "results.json").read_text(encoding="utf-8"))["outcomes"][0]
    (note,) = (note for note in outcome["notes"] if "hersteld" in note)
    assert "Van 2 gebieden" in note and "de grens kruiste zichzelf" in note and all(code in note for code in crooked)
    assert {"role": "polygons", "rows": len(table)}.items() <= next(
        file for file in outcome["data"] if file["role"] == "polygons"
    ).items()

    roles = {row["unit"]: row["role"] for row in outcome["units"]}
    assert set(roles) == set(codes)
    focus = {unit for area in outcome["areas"] for unit in area["units"] if not area["left_out"]}
    used = {unit for area in outcome["areas"] for unit, _ in area["matched"]}
    assert {unit for unit, role in roles.items() if role == "focus"} == focus
    assert {unit for unit, role in roles.items() if role == "compared"} == used
    away, ring = kilometres(table), steps(table, True)
    for row in outcome["units"]:
        if row["unit"] not in crooked:
            assert row["ring"] == ring[row["unit"]]
            assert row["km"] == pytest.approx(away[row["unit"]], abs=0.6 if ring[row["unit"]] else 0)
        if row["role"] == "excluded":
            assert row["reason"]

    sheet = openpyxl.load_workbook(project.out / "tables.xlsx")["units"]
    head, *rows = sheet.iter_rows(values_only=True)
    assert head[:4] == ("outcome", "unit", "role", "reason") and len(rows) == len(table)

    svg = (project.out / "figures" / "map.svg").read_text(encoding="utf-8")
    counted = {part["role"]: part["units"] for part in outcome["map"]}
    assert counted == pd.Series(roles).value_counts().to_dict()
    assert f"Kaart van {len(table)} gebieden. In een focusgebied van de schatting: {len(focus)} (" in svg
    assert "raakt een focusgebied; het dichtstbijzijnde ligt op" in svg and len(svg) < 400_000
    rings = {part["role"]: read_rings(part["rings"]) for part in outcome["map"]}
    assert all((ring[0] == ring[-1]).all() for found in rings.values() for ring in found)
    page = (project.out / "report.html").read_text(encoding="utf-8")
    assert svg in page and "De kaart in cijfers" in page and "polygons" not in page


def test_the_border_that_is_shared_is_a_quarter_for_every_side(project: Project) -> None:
    table = board(project)
    ended = project.run()
    assert ended.code in (0, 1), ended.err
    outcome = json.loads((project.out / "results.json").read_text(encoding="utf-8"))["outcomes"][0]
    treated = {(x, y) for x, y in table.loc[table["area"].notna(), ["x", "y"]].itertuples(index=False)}
    for row in outcome["units"]:
        x, y = table.loc[row["unit"], ["x", "y"]]
        sides = sum((x + dx, y + dy) in treated for dx, dy in ((0, 1), (0, -1), (1, 0), (-1, 0)))
        # A neighbour over a corner has two metres within the tolerance of one.
        assert row["border"] == pytest.approx(sides / 4, abs=0.01)


def test_explain_says_what_borders_are_used_for(tmp_path: Path) -> None:
    from impact.study.explain import explain

    study = read(
        tmp_path,
        ("  units:\n", "  polygons: {file: w.geojson, column: code, tolerance: 5, source: CBS}\n  units:\n"),
        (
            "{rule: focus-area, why: programma}",
            "{rule: adjacent, sharing: border, rings: 2, why: w}, {rule: near, km: 1, why: w}, "
            "{rule: far, km: 25, why: w}",
        ),
    )
    for language, words in (
        (
            "nl",
            ("ten minste 50 meter", "tot en met 2 stappen", "binnen 1 kilometer", "verder dan 25", "hoogstens 5 meter"),
        ),
        ("en", ("at least 50 metres", "up to 2 steps", "within 1 kilometres", "further than 25", "at most 5 metres")),
    ):
        said = str(explain(study, language))
        assert all(word in said for word in words), said
