"""What `impact check` says of alternatives before anything runs; borders of gemeenten from those of their wijken."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from impact.study.comparing import Comparison, Match
from impact.study.leave_out import LeaveOut
from impact.study.level import BuiltUnits, Unit
from impact.study.model import Treatment
from impact.study.thresholds import ON_REQUEST
from tests.shared import ROOT
from tests.study.conftest import impact
from tests.study.small import MEMBERS, Small, made, of_gemeente, unit, wijk

SIDE, COLUMNS = 1000, 7  # metres, and wijken beside each other on a board


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return made(tmp_path)


def changed(*alternatives: str) -> tuple[str, str]:
    listed = "".join(
        f"  - {{name: ander-{number}, why: anders, same_estimand: false, change: {change}}}\n"
        for number, change in enumerate(alternatives)
    )
    return "seed: 7", f"alternatives:\n{listed}seed: 7"


def test_check_refuses_what_an_alternative_cannot_do_and_names_it(small: Small) -> None:
    small.write(changed("{unit: {level: gemeente}}", "{comparison: {pools: groepen.csv, pool: anders}}"))
    (small.root / "groepen.csv").write_text(f"region;vintage;pool;source\n{wijk(5, 1)};2024;genoemd;zelf\n")
    checked, ran = impact("check", small.study), impact("run", small.study, "--out", small.out)
    assert checked.code == ran.code == 2 and checked.err == ran.err.lstrip("\n") and not small.out.exists()
    assert "in the alternative 'ander-0': no row is about a gemeente" in checked.err
    assert "in the alternative 'ander-1': no row is about the pool anders" in checked.err


def test_check_counts_what_an_alternative_compares_and_names_who_leaves(small: Small) -> None:
    small.outcomes = small.outcomes[~((small.outcomes["wijk"] == wijk(2, 4)) & (small.outcomes["jaar"] == 2019))]
    small.write(changed("{unit: {level: gemeente, built_from: wijk}}"))
    checked = impact("check", small.study)
    assert checked.code == 0, checked.err
    assert f"not in the estimate: {wijk(2, 4)} (missing-before 2019)" in checked.out
    # Four gemeenten have an area; of one a wijk lacks a figure, so that its sum is not known.
    assert "alternative ander-0: anders\n  3 of 5 areas, 3 units; 8 to compare\n" in checked.out


def test_borders_of_gemeenten_are_those_of_their_wijken(small: Small) -> None:
    place = {code: (row % COLUMNS, row // COLUMNS) for row, code in enumerate(small.units["wijk"])}
    corners = [(0, 0), (SIDE, 0), (SIDE, SIDE), (0, SIDE), (0, 0)]
    features = [
        {
            "type": "Feature",
            "properties": {"code": code},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[100_000 + SIDE * x + dx, 400_000 + SIDE * y + dy] for dx, dy in corners]],
            },
        }
        for code, (x, y) in place.items()
    ]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::28992"}}
    written = {"type": "FeatureCollection", "crs": crs, "features": features}
    (small.root / "wijken.geojson").write_text(json.dumps(written), encoding="utf-8")
    found = small.run(
        ("data:\n", "data:\n  polygons: {file: wijken.geojson, column: code}\n"),
        ("programma}]", "programma}, {rule: adjacent, sharing: border, why: buren}]"),
        unit("{level: gemeente, built_from: wijk}"),
    )
    treated = {of_gemeente(code) for own in MEMBERS.values() for code in own}
    sides = {
        (of_gemeente(one), of_gemeente(other))
        for one, (x, y) in place.items()
        for other, (right, up) in place.items()
        if abs(x - right) + abs(y - up) == 1
    }
    beside = {other for one, other in sides if one in treated} - treated
    assert beside and len(beside) + len(treated) < 12
    assert {row["unit"] for row in found["excluded"] if row["reason"].startswith("buren")} == beside


def test_the_report_names_the_calculation_that_a_refusal_is_about(small: Small) -> None:
    rules = "[{rule: focus-area, why: programma}, {rule: same-gemeente, why: beleid}]"
    same = f"{{comparison: {{leave_out: {rules}}}}}"
    # 48 wijken less the 8 of the areas may be compared; without those of the same gemeenten 32.
    found = small.run(changed(same, same), ("controls: 2", "controls: 35"))
    assert found["pool"] == 40 and found["primary"]["value"] is not None
    page = (small.out / "report.html").read_text(encoding="utf-8")
    row = page[page.index("Geweigerde uitkomsten") :].split("</table>")[0]
    assert "‘ander-0’ en ‘ander-1’" in row and "Een schatting" in row and row.count("<tr") == 2


@pytest.mark.parametrize(
    ("years", "estimator", "said"),
    [
        (
            "2023",
            "group-time, control: never",
            "takes 2023, which is not before the start in 2022",
        ),
        ("2021", "group-time, control: never", "2021 is a base period of group-time for the start in 2022"),
        ("2018", "did", "2018 is a base period of did for the start in 2022"),
    ],
)
def test_outcomes_of_the_base_or_after_a_start_in_a_column_are_not_matched_on(
    small: Small, years: str, estimator: str, said: str
) -> None:
    start = [2022 if any(code in own for own in MEMBERS.values()) else None for code in small.units["wijk"]]
    small.units["start"] = pd.array(start, dtype="Int64")
    matched = f"match: {{method: nearest, ratio: 2, on: [size], outcomes_in: [{years}]}}"
    changes = (("first_treated: 2022", "column: start"), ("match: none", matched))
    small.write(*changes, ("{name: group-time, control: never}", f"{{name: {estimator}}}"))
    checked = impact("check", small.study)
    assert checked.code == 2 and said in checked.err and "[comparison.match.outcomes_in[0]]" in checked.err
    assert "DATA-154" in checked.err


def test_outcomes_of_a_free_year_before_a_start_in_a_column_are_matched_on(small: Small) -> None:
    start = [2022 if any(code in own for own in MEMBERS.values()) else None for code in small.units["wijk"]]
    small.units["start"] = pd.array(start, dtype="Int64")
    matched = "match: {method: nearest, ratio: 2, on: [size], outcomes_in: [2018]}"
    found = small.run(("first_treated: 2022", "column: start"), ("match: none", matched))
    assert "2018" in {row["name"] for row in found["balance"] if row["matched_on"]}


def test_a_gemeente_with_two_areas_is_counted_once(small: Small) -> None:
    small.write(unit("{level: gemeente, built_from: wijk}"))
    ran = impact("run", small.study, "--out", small.out)
    assert "iets: 4 gemeenten with a focus area, each as a whole\n" in ran.err


def test_the_page_on_comparing_has_every_key_and_a_study_that_can_be_made(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
    for part in (Comparison, Match, LeaveOut, BuiltUnits, Unit, Treatment):
        assert not [key for key in part.model_fields if not re.search(rf"`[^`]*\b{key}\b", page)]
    assert all(f"`{check}`" in page for check in ON_REQUEST)
    (tmp_path / "study.yaml").write_text(page.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    checked = impact("check", tmp_path / "study.yaml", "--data", ROOT)
    assert checked.code == 0 and checked.out.count("areas, ") == 4, checked.err
