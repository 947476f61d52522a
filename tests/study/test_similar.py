"""Comparison units of similar population in a study: who is in which, that nothing is lost, and sums taken by hand."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest

from impact.study.level import BuiltUnits
from tests.study.conftest import impact
from tests.study.example import read, refused
from tests.study.small import MEMBERS, Small, difference, made, rates, unit, wijk

UNIT = unit("{level: focus-area, built_from: wijk}")


def built(residents: str, extra: str = "") -> tuple[str, str]:
    return "  match: none\n", f"  units: {{built_from: wijk, residents: {residents}}}\n  match: none\n{extra}"


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return made(tmp_path)


def parts_of(small: Small) -> pd.DataFrame:
    return pd.read_csv(small.out / "made_of.csv").query("role == 'comparison'")


def of_unit(small: Small) -> dict[str, str]:
    """Every wijk with the unit that it is part of, areas included."""
    both = pd.read_csv(small.out / "made_of.csv")
    return dict(zip(both["part"], both["unit"], strict=True))


def test_units_are_as_large_as_the_areas_and_every_wijk_is_accounted_for(small: Small) -> None:
    found = small.run(UNIT, built("similar"))
    count = small.units.set_index("wijk")["inwoners"]
    target = pd.Series({slug: count[list(own)].sum() for slug, own in MEMBERS.items()}).median()
    units = parts_of(small).groupby("unit")["part"].apply(list)
    size = units.map(lambda own: count[own].sum())
    assert len(units) > 2 and size.between(0.75 * target, 1.25 * target).all()
    for name, own in units.items():
        assert len({code[:6] for code in own}) == 1 and name.startswith(f"GM{own[0][2:6]}-")
    # Every wijk is in an area, in one unit, or excluded with a reason.
    out = {row["unit"]: row["reason"] for row in found["excluded"]}
    used = [part for own in units for part in own]
    assert len(used) == len(set(used))
    assert set(count.index) == {*used, *out, *(code for own in small.areas.values() for code in own)}
    assert not set(used) & set(out)
    assert all("inwoners" in reason or "past in geen" in reason for reason in out.values())
    assert found["pool"] == len(units)
    steps = found["flow"]
    assert all(one["left"] - two["removed"] == two["left"] for one, two in pairwise(steps))
    (step,) = [step for step in steps if step["step"].startswith("samengevoegd")]
    assert (step["removed"], step["left"]) == (len(used) - len(units), len(units))


def test_the_answer_is_that_of_added_counts(small: Small) -> None:
    found = small.run(UNIT, built("12000"))
    unit_of = of_unit(small)
    inside = small.outcomes[small.outcomes["wijk"].isin(unit_of)]
    table = rates(inside, unit_of.__getitem__)
    controls = [name for name in table.index if name not in MEMBERS]
    assert found["primary"]["value"] == pytest.approx(difference(table, list(MEMBERS), controls), abs=1e-12)
    assert any("op volgorde van de codes, want er zijn geen grenzen opgegeven" in note for note in found["notes"])


def test_matching_is_on_what_the_units_are(small: Small) -> None:
    match = "  match: {method: nearest, ratio: 1, on: [size]}\n"
    found = small.run(UNIT, (built("12000")[0], built("12000")[1].replace("  match: none\n", match)))
    count = small.units.set_index("wijk")["inwoners"]
    units = parts_of(small).groupby("unit")["part"].apply(lambda own: count[list(own)].sum())
    for area in found["areas"]:
        size = count[list(small.areas[area["slug"]])].sum()
        ((chosen, _),) = area["matched"]
        assert abs(units[chosen] - size) == (units - size).abs().min()


def test_a_wijk_without_a_figure_is_in_no_unit(small: Small) -> None:
    small.outcomes = small.outcomes.astype({"teller": object})
    lost = wijk(9, 2)
    row = small.outcomes.query(f"wijk == '{lost}' and jaar == 2018").index
    small.outcomes.loc[row, "teller"] = "x"
    found = small.run(UNIT, built("12000"))
    assert lost not in of_unit(small)
    assert any(one["unit"] == lost and "niet gepubliceerd" in one["reason"] for one in found["excluded"])


def test_units_hang_together_where_borders_are_given(small: Small) -> None:
    pytest.importorskip("shapely")
    # In every gemeente the wijken stand in a row in the order 1, 3, 2, 4; gemeenten lie apart.
    order, features = (1, 3, 2, 4), []
    for gemeente in range(12):
        for place, number in enumerate(order):
            x, y = 100_000 + 1_000 * place, 400_000 + 5_000 * gemeente
            ring = [[x, y], [x + 1_000, y], [x + 1_000, y + 1_000], [x, y + 1_000], [x, y]]
            shape = {"type": "Polygon", "coordinates": [ring]}
            features.append({"type": "Feature", "properties": {"code": wijk(gemeente, number)}, "geometry": shape})
    drawn = {"type": "FeatureCollection", "features": features}
    (small.root / "grenzen.geojson").write_text(json.dumps(drawn), encoding="utf-8")
    polygons = "  polygons: {file: grenzen.geojson, column: code, crs: 'EPSG:28992'}\n  units:\n"
    small.units["inwoners"] = 5_000
    found = small.run(UNIT, built("10000"), ("  units:\n    file", polygons + "    file"))
    units = parts_of(small).groupby("unit")["part"].apply(list)
    place = {wijk(gemeente, number): at for gemeente in range(12) for at, number in enumerate(order)}
    # Two in each of 8 gemeenten, and one beside the second and the third area; of the first only one wijk is left, and
    # what is left beside the last two does not touch.
    assert len(units) == 18
    for own in units:
        assert sorted(place[code] for code in own)[1] - sorted(place[code] for code in own)[0] == 1
    assert any("uit delen die aan elkaar grenzen" in note for note in found["notes"])
    roles = {one["unit"]: one["role"] for one in found["units"]}
    assert roles[units.iloc[0][0]] == "compared" and roles[wijk(1, 1)] == "focus"


def test_check_and_explain_name_what_is_built(small: Small) -> None:
    small.write(UNIT, built("similar"))
    checked = impact("check", small.study)
    assert "put-together: " in checked.out, checked.err
    said = " ".join(impact("explain", small.study).out.split())
    assert "samengevoegd tot eenheden met ongeveer evenveel inwoners als de focusgebieden (de mediaan)" in said
    assert "elke vergelijkingseenheid die overblijft, doet mee" in said
    english = " ".join(impact("explain", small.study, "--language", "en").out.split())
    assert "need not border on each other" in english


def test_a_size_that_nothing_reaches_is_refused(small: Small) -> None:
    small.write(UNIT, built("9000000"))
    ended = impact("check", small.study)
    assert ended.code == 2 and "DATA-153" in ended.err and "can be built" in ended.err


OWN = "comparison:\n"


def test_units_are_built_from_what_the_areas_are_built_from(tmp_path: Path) -> None:
    asked = (OWN, "comparison:\n  units: {built_from: buurt, residents: similar}\n")
    (problem,) = refused(tmp_path, asked)
    assert problem.code == "SPEC-010" and "must be added up from the same parts" in str(problem)
    unit_ = ("treatment:\n", "unit: {level: focus-area, built_from: buurt, value: count}\ntreatment:\n")
    study = read(tmp_path, asked, unit_)
    assert study.model.comparison.units == BuiltUnits(built_from="buurt", residents="similar")


def test_a_score_is_not_added_up(tmp_path: Path) -> None:
    asked = (OWN, "comparison:\n  units: {built_from: buurt, residents: similar}\n")
    found = refused(tmp_path, asked, ("treatment:\n", "unit: {level: focus-area, built_from: buurt}\ntreatment:\n"))
    assert any("'aantal' cannot be added up: it is a rate or a score without numerator" in str(one) for one in found)
