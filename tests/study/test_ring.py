"""The ring around the areas of a study, on squares of a kilometre, against differences that are taken by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from impact.study.bundle import read_bundle
from tests.study.small import Small, difference, rates, wijk
from tests.study.test_robust import AREAS, said, written


def drawn(small: Small) -> None:
    """Every wijk a square of a kilometre; the second and third wijk of a gemeente touch its first, the rest is far."""
    at = {}
    for gemeente in range(12):
        corner = 10 * gemeente
        for number, place in ((1, (corner, 0)), (2, (corner + 1, 0)), (3, (corner, 1)), (4, (corner, 60))):
            at[wijk(gemeente, number)] = place if gemeente < 6 else (corner, 20 + 5 * number)
    features = []
    for code, (x, y) in at.items():
        west, south = 100_000 + 1000 * x, 400_000 + 1000 * y
        ring = [[west + 1000 * right, south + 1000 * up] for right, up in ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "properties": {"code": code}, "geometry": geometry})
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::28992"}}
    text = json.dumps({"type": "FeatureCollection", "crs": crs, "features": features})
    (small.root / "wijken.geojson").write_text(text, encoding="utf-8")


POLYGONS = ("data:\n", "data:\n  polygons: {file: wijken.geojson, column: code}\n")
FOCUS = "leave_out: [{rule: focus-area, why: programma}"
RING = [wijk(number, other) for number in range(6) for other in (2, 3)]


def beside(rule: str) -> tuple[str, str]:
    return FOCUS, f"{FOCUS}, {{{rule}, why: waterbed}}"


@pytest.mark.parametrize("rule", ["rule: adjacent", "rule: adjacent, sharing: border", "rule: near, km: 3"])
def test_areas_ring_and_net_are_as_by_hand(tmp_path: Path, rule: str) -> None:
    small = written(tmp_path)
    drawn(small)
    result = small.run(POLYGONS, beside(rule))
    ring = result["robust"]["ring"]
    assert sorted(ring["units"]) == sorted(RING) and ring["refused"] is None
    table, treated = rates(small.outcomes, str), [codes[0] for codes in AREAS.values()]
    controls = [code for code in table.index if code not in (*treated, *RING)]
    # The areas are those of the study itself, with its interval.
    primary = result["primary"]
    assert [ring["area"][key] for key in ("value", "low", "high")] == pytest.approx(
        [primary[key] for key in ("value", "low", "high")], rel=1e-9
    )
    assert ring["area"]["value"] == pytest.approx(difference(table, treated, controls))
    assert ring["ring"]["value"] == pytest.approx(difference(table, RING, controls))
    assert ring["ring"]["low"] < ring["ring"]["value"] < ring["ring"]["high"]
    people = small.units.set_index("wijk")["inwoners"]
    change = table[[2022, 2023, 2024]].mean(axis=1) - table[2021]
    both = [*treated, *RING]
    net = np.average(change[both], weights=people[both]) - change[controls].mean()
    assert ring["net"]["value"] == pytest.approx(net)
    assert (ring["residents_area"], ring["residents_ring"]) == (people[treated].sum(), people[RING].sum())
    for language, words in (("nl", "in de ring eromheen"), ("en", "in the ring around them")):
        text = said(read_bundle(small.out).outcomes[0], language)
        assert words in text and "{" not in text


def test_what_only_moved_comes_to_nothing(tmp_path: Path) -> None:
    """As many fewer cases in the areas as there are more in the ring: the net is that without either."""
    small = written(tmp_path)
    drawn(small)
    small.outcomes["noemer"] = small.outcomes["wijk"].map(small.units.set_index("wijk")["inwoners"])
    small.outcomes["teller"] += 1000
    plain = small.run(POLYGONS, beside("rule: adjacent"))["robust"]["ring"]
    after, number = small.outcomes["jaar"] >= 2022, small.outcomes["wijk"]
    small.outcomes.loc[after & number.isin([codes[0] for codes in AREAS.values()]), "teller"] -= 600
    small.outcomes.loc[after & number.isin(RING), "teller"] += 300
    moved = small.run(POLYGONS, beside("rule: adjacent"))["robust"]["ring"]
    assert moved["area"]["value"] < plain["area"]["value"] - 5 and moved["ring"]["value"] > plain["ring"]["value"] + 2
    assert moved["net"]["value"] == pytest.approx(plain["net"]["value"], abs=1e-9)


def test_an_area_that_is_left_out_has_no_ring(tmp_path: Path) -> None:
    small = written(tmp_path)
    drawn(small)
    gone = ("treatment:\n", "treatment:\n  already_treated: {gebied-f: leave-out}\n")
    ring = small.run(POLYGONS, beside("rule: adjacent"), gone)["robust"]["ring"]
    assert sorted(ring["units"]) == sorted(code for code in RING if code not in (wijk(5, 2), wijk(5, 3)))


def test_a_matched_study_matches_the_ring_too(tmp_path: Path) -> None:
    small = written(tmp_path)
    drawn(small)
    pairs = (POLYGONS, beside("rule: adjacent"), ("match: none", "match: {method: nearest, ratio: 3, on: [structure]}"))
    result = small.run(*pairs)
    ring = result["robust"]["ring"]
    assert ring["area"]["value"] == pytest.approx(result["primary"]["value"], rel=1e-9)
    assert ring["ring"]["value"] is not None and len(ring["units"]) == 12


def test_named_neighbours_are_no_ring_and_a_study_without_them_says_nothing(tmp_path: Path) -> None:
    small = written(tmp_path)
    assert small.run()["robust"]["ring"] is None
    ring = small.run(beside(f"rule: adjacent, regions: [{', '.join(RING)}]"))["robust"]["ring"]
    assert "named" in ring["refused"]["because"] and ring["units"] == []
    assert "niet aan hun grenzen gevonden" in said(read_bundle(small.out).outcomes[0], "nl")
