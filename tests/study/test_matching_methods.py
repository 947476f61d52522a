"""The methods of matching that a study may name give the comparison that `impact.match` gives for the same table."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

import impact
from impact.design.matched import Matched
from tests.study.conftest import Project

MATCH = "{method: nearest, ratio: 5, on: [structure, size]}"
ON = ["huur_pct", "uitkering_pct", "adres_dichtheid", "inwoners"]


def ran(project: Project, match: str) -> dict[str, Any]:
    project.change(project.study, (MATCH, match))
    ended = project.run()
    assert ended.code in (0, 1), ended.err
    found: dict[str, Any] = json.loads((project.out / "results.json").read_text(encoding="utf-8"))["outcomes"][0]
    return found


def weights(found: dict[str, Any]) -> pd.Series:
    """Per area and unit, as the study says it compares."""
    rows = {(area["slug"], unit): weight for area in found["areas"] for unit, weight in area["matched"]}
    return pd.Series(rows).sort_index()


def expected(project: Project, found: dict[str, Any], **options: Any) -> pd.Series:
    """The same from the table of characteristics, for the units that the study has."""
    table = pd.read_csv(project.units, sep=";", decimal=",", dtype={"region": str}, keep_default_na=False)
    table = table.set_index("region")
    areas = {unit: area["slug"] for area in found["areas"] if not area["left_out"] for unit in area["units"]}
    gone = {row["unit"] for row in found["excluded"]}
    table = table[[name in areas or (name not in gone and not area) for name, area in table["area"].items()]]
    table["treated"] = [name in areas for name in table.index]
    assert (~table["treated"]).sum() == found["pool"]
    done = impact.match(table[[*ON, "treated"]].astype(float), treated="treated", on=ON, **options)
    assert isinstance(done, Matched)
    pairs = done.pairs
    pairs["weight"] = 1 / pairs.groupby("treated")["control"].transform("size")
    pairs["area"] = pairs["treated"].map(areas)
    sums: pd.Series = pairs.groupby(["area", "control"])["weight"].sum().sort_index()
    return sums


@pytest.mark.parametrize(
    ("match", "options"),
    [
        (MATCH, {"method": "nearest", "ratio": 5}),
        (MATCH.replace("ratio: 5", "ratio: 2, replace: false"), {"method": "nearest", "ratio": 2, "replace": False}),
        (MATCH.replace("nearest, ratio: 5", "optimal, ratio: 3"), {"method": "optimal", "ratio": 3}),
        (MATCH.replace("nearest, ratio: 5", "full"), {"method": "full"}),
        (
            MATCH.replace("ratio: 5", "ratio: 5, distance: scaled-euclidean"),
            {"method": "nearest", "ratio": 5, "distance": "scaled-euclidean"},
        ),
        (
            MATCH.replace("nearest, ratio: 5", "optimal, ratio: 1, distance: robust-mahalanobis"),
            {"method": "optimal", "ratio": 1, "distance": "robust-mahalanobis"},
        ),
    ],
    ids=["nearest", "no-replacement", "optimal", "full", "scaled-euclidean", "robust-mahalanobis"],
)
def test_a_study_compares_as_the_table_does(match: str, options: dict[str, Any], project: Project) -> None:
    # MATCH stands in the study as it is, so the first case changes nothing.
    found = ran(project, match)
    ours, theirs = weights(found), expected(project, found, **options)
    per_area = ours.groupby(level=0).sum()
    assert list(ours.index) == list(theirs.index)
    # The study gives every area shares of its treated units, as many as it has or 1 together.
    scale = theirs.groupby(level=0).sum() / per_area
    np.testing.assert_allclose(ours * scale.reindex(ours.index.get_level_values(0)).to_numpy(), theirs, rtol=1e-12)
    assert (
        found["primary"]["value"] is not None and found["bracket"][1]["estimate"]["value"] == found["primary"]["value"]
    )
    if options["method"] == "optimal" or options.get("replace") is False:
        assert not ours.index.get_level_values(1).duplicated().any(), "every unit serves once"
    if options["method"] == "full":
        assert ours.index.get_level_values(1).nunique() == found["pool"], "nobody is left out"


def test_too_few_units_for_everybody_is_said(project: Project) -> None:
    """With fewer units than are asked for everybody, who got fewer is named with the number."""
    found = ran(project, MATCH.replace("nearest, ratio: 5", "optimal, ratio: 20"))
    (note,) = [note for note in found["notes"] if note.startswith("Minder dan 20 vergelijkingsgebieden waren er voor")]
    treated = {unit for area in found["areas"] if not area["left_out"] for unit in area["units"]}
    got = {name: int(count) for name, count in re.findall(r"(WK\d+) \((\d+)\)", note)}
    assert got and set(got) <= treated and all(0 < count < 20 for count in got.values())
    assert sum(got.values()) + 20 * (len(treated) - len(got)) == found["pool"], "everybody serves once"


def test_more_treated_units_than_others_is_a_fault_of_the_data(project: Project) -> None:
    project.change(project.study, (MATCH, MATCH.replace("ratio: 5", "ratio: 1, caliper: 0.35, replace: false")))
    ended = project.run()
    assert ended.code == 2 and "DATA-131" in ended.err and "no comparison unit" in ended.err
