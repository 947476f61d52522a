"""`impact data areas STUDY --order`: the areas of a study and the units that its design chose, to order a table for."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas as pd
import pytest

from tests.study.conftest import Project, impact
from tests.study.small import Small, made, unit, wijk


def rows_of(path: Path) -> pd.DataFrame:
    with path.open(encoding="utf-8", newline="") as file:
        return pd.DataFrame(list(csv.DictReader(file)))


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return made(tmp_path)


def test_the_order_holds_the_areas_and_the_matched_units_of_a_study(project: Project) -> None:
    project.change(
        project.study,
        ("    level: wijk\n    columns: {region", "    level: wijk\n    vintage: 2024\n    columns: {region"),
    )
    assert project.run().code == 0
    (found,) = json.loads((project.out / "results.json").read_text(encoding="utf-8"))["outcomes"]
    order = project.root / "order.csv"
    ended = impact("data", "areas", project.study, "--order", order)
    rows = rows_of(order)
    focus, compared = rows[rows["role"] == "focus"], rows[rows["role"] == "comparison"]
    inside = [area for area in found["areas"] if not area["left_out"]]
    listed = {slug: sorted(own) for slug, own in focus.groupby("area")["code"]}
    assert {area["slug"]: listed[area["slug"]] for area in inside} == {
        area["slug"]: sorted(area["units"]) for area in inside
    }
    assert set(compared["code"]) == {unit for area in inside for unit, _ in area["matched"]}
    assert not compared["code"].duplicated().any()
    beside = {unit: [area["slug"] for area in inside if unit in dict(area["matched"])] for unit in compared["code"]}
    assert compared.set_index("code")["source"].to_dict() == {
        unit: f"eerste-studie: {', '.join(slugs)}" for unit, slugs in beside.items()
    }
    # Wijken are not taken apart without a list of buurten, and that stands in the list.
    assert ended.code == 1 and set(compared["todo"]) == {"its buurten of 2024 are not in the list of buurten"}


def test_wijken_are_taken_apart_into_their_buurten(small: Small) -> None:
    buurten = [(f"BU{code[2:]}{part:02d}", 2024, f"Buurt {part}") for code in small.units["wijk"] for part in (1, 2)]
    pd.DataFrame(buurten, columns=["code", "vintage", "name"]).to_csv(small.root / "buurten.csv", sep=";", index=False)
    small.write(
        ("    columns: {region: wijk, period", "    vintage: 2024\n    columns: {region: wijk, period"),
        ("match: none", "match: {method: nearest, ratio: 2, on: [size]}"),
    )
    order = small.root / "order.csv"
    ended = impact("data", "areas", small.study, "--order", order, "--buurten", small.root / "buurten.csv")
    assert ended.code == 0, ended.err
    rows = rows_of(order)
    own = rows[rows["area"] == "gebied-c"]["code"].tolist()
    assert own == [f"BU{code[2:]}{part:02d}" for code in (wijk(2, 1), wijk(2, 4)) for part in (1, 2)]
    compared = rows[rows["role"] == "comparison"]
    assert compared.groupby("area").size().eq(2).all()
    assert (compared["area"].str[2:] == compared["code"].str[2:8]).all()


def test_areas_added_up_are_ordered_part_by_part(small: Small) -> None:
    small.write(
        ("    columns: {region: wijk, period", "    vintage: 2024\n    columns: {region: wijk, period"),
        unit("{level: focus-area, built_from: wijk}"),
    )
    order = small.root / "order.csv"
    impact("data", "areas", small.study, "--order", order)
    rows = rows_of(order)
    assert rows[rows["area"] == "gebied-c"]["code"].tolist() == [wijk(2, 1), wijk(2, 4)]
    assert set(rows.loc[rows["role"] == "comparison", "code"]) == {
        code for code in small.units["wijk"] if code not in {part for own in small.areas.values() for part in own}
    }


def test_a_study_names_its_own_areas(small: Small) -> None:
    small.write()
    ended = impact("data", "areas", small.study, "--members", small.root / "wijken.csv")
    assert ended.code == 2 and "USAGE-012" in ended.err
