"""Borders of regions: projected, repaired, and who borders on whom, against shapes whose truth is known."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impact.design.geometry import adjacency, border_along, nearest
from impact.errors import DataError, UsageError
from impact.sources import rd
from impact.sources.polygons import Polygons, polygons, read_polygons
from tests.shared import ROOT, shared

shapely = pytest.importorskip("shapely", reason="borders of regions need the extra 'spatial'")

HAAGLANDEN = "data/thehague_crime/haaglanden_wijken_polygonen.geojson"


def grid(rows: int, columns: int, side: float = 100.0, gap: float = 0.0) -> Polygons:
    """Squares named by row and column, with a gap between them."""
    half = gap / 2
    cells = {
        f"{r}{c}": shapely.box(c * side + half, r * side + half, (c + 1) * side - half, (r + 1) * side - half)
        for r in range(rows)
        for c in range(columns)
    }
    return polygons(cells)


def pairs(found: Any) -> set[tuple[str, str]]:
    return {(row.region, row.neighbour) for row in found.table().itertuples()}


# --- to metres --------------------------------------------------------------------------------------------------------

# EPSG:4326 to EPSG:28992 by PROJ 9.5 (pyproj 3.7.2, no correction grid).
PROJ = {
    (5.38720621, 52.15517440): (155000.18499769954, 463000.2339603611),
    (4.88352559, 52.37453253): (120700.90684794265, 487525.734357738),
    (6.56, 53.22): (233334.4836663023, 582125.0950406785),
    (5.69, 50.85): (176325.2221333655, 317840.14953634347),
    (3.6, 51.45): (30775.061152587048, 386068.51332501654),
}


def test_places_lie_where_proj_puts_them() -> None:
    ours, theirs = rd.from_lonlat(list(PROJ)), np.array(list(PROJ.values()))
    off = np.hypot(*(ours - theirs).T)
    assert off.max() < 0.31 < rd.ACCURACY
    # Nearly all of it is one shift: distances between places agree to centimetres.
    assert np.ptp(ours - theirs, axis=0).max() < 0.02


def test_the_formula_at_its_origin_is_exact() -> None:
    assert rd.from_lonlat([[5.38720621, 52.15517440]]).tolist() == [[155000.0, 463000.0]]


def test_places_abroad_and_swapped_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="longitude, latitude"):
        rd.from_lonlat([[52.1, 5.3]])
    with pytest.raises(DataError, match="MAP-003"):
        polygons({"a": shapely.box(52.0, 5.0, 52.1, 5.1)}, "EPSG:4326")


# --- reading and repairing --------------------------------------------------------------------------------------------


def test_a_bow_tie_is_repaired_and_reported() -> None:
    """Drawn as one ring the two triangles cancel: an area of 0 where there are 5,000 m²."""
    found = polygons(
        {"a": shapely.Polygon([(0, 0), (100, 100), (100, 0), (0, 100)]), "b": shapely.box(200, 0, 300, 100)}
    )
    (repair,) = found.repairs
    assert (repair.region, repair.why) == ("a", "Self-intersection")
    assert (repair.before, repair.after, repair.change) == (0.0, 5000.0, 1.0)
    assert found.area().tolist() == [0.005, 0.01]
    assert found.shapes[0].is_valid
    assert "Borders repaired (Self-intersection): 1; area changed by 0.005 of 0.005 km²" in found.notes()[0]
    assert found.table()["repaired"].tolist() == ["Self-intersection", ""]


def test_a_spike_has_no_area_and_goes() -> None:
    spike = shapely.Polygon([(0, 0), (100, 0), (100, 50), (150, 50), (100, 50), (100, 100), (0, 100)])
    found = polygons({"a": spike})
    assert found.area().tolist() == [0.01]
    assert found.repairs[0].after == found.repairs[0].before == 10000.0


def test_holes_stay_and_overlapping_parts_count_once() -> None:
    ring = shapely.Polygon([(0, 0), (100, 0), (100, 100), (0, 100)], [[(20, 20), (40, 20), (40, 40), (20, 40)]])
    twice = shapely.MultiPolygon([shapely.box(0, 0, 10, 10), shapely.box(5, 0, 20, 10)])
    found = polygons({"hole": ring, "twice": twice})
    assert (found.area() * 1e6).tolist() == pytest.approx([9600.0, 200.0])
    (repair,) = found.repairs
    assert (repair.region, repair.why, repair.before, repair.after) == ("twice", "parts overlap", 250.0, 200.0)


def test_a_ring_that_winds_twice_encloses_nothing() -> None:
    """As the docstring says of an odd number of windings: the inner square is enclosed twice."""
    outer, inner = [(0, 0), (90, 0), (90, 90), (0, 90), (0, 0)], [(30, 30), (60, 30), (60, 60), (30, 60), (30, 30)]
    found = polygons({"a": shapely.Polygon([*outer, *inner, (0, 0)])})
    assert (found.area() * 1e6).tolist() == [8100.0 - 900.0]


def test_features_of_one_region_are_joined_and_the_order_of_the_file_is_not_kept() -> None:
    parts = [("b", shapely.box(0, 0, 10, 10)), ("a", shapely.box(50, 0, 60, 10)), ("b", shapely.box(10, 0, 20, 10))]
    found = polygons(parts)
    assert found.regions == ("a", "b")
    assert (found.area() * 1e6).tolist() == [100.0, 200.0]
    assert found.repairs == ()


def feature(code: object, geometry: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"type": "Feature", "properties": {"code": code}, "geometry": geometry}


def write(path: Path, features: list[dict[str, Any]], crs: str = "urn:ogc:def:crs:EPSG::28992") -> Path:
    named = {"type": "name", "properties": {"name": crs}}
    path.write_text(json.dumps({"type": "FeatureCollection", "crs": named, "features": features}), encoding="utf-8")
    return path


SQUARE = {"type": "Polygon", "coordinates": [[[0, 0], [1e3, 0], [1e3, 1e3], [0, 1e3], [0, 0]]]}
LINE = {"type": "LineString", "coordinates": [[0, 0], [1e3, 0]]}
DEGREES = {"type": "Polygon", "coordinates": [[[5, 52], [5.1, 52], [5.1, 52.1], [5, 52.1], [5, 52]]]}


def test_all_problems_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "map.geojson", [feature("", SQUARE), feature("b", None), feature("c", SQUARE)])
    with pytest.raises(DataError) as told:
        read_polygons(path, "code")
    assert [problem.code for problem in told.value.problems] == ["MAP-003", "MAP-003"]
    with pytest.raises(DataError, match="c has no area"):
        read_polygons(write(tmp_path / "line.geojson", [feature("c", LINE)]), "code")


def test_one_mistake_in_every_region_is_one_problem(tmp_path: Path) -> None:
    path = write(tmp_path / "map.geojson", [feature(str(number), SQUARE) for number in range(10)])
    with pytest.raises(DataError, match="features 1, 2, 3, 4, 5 and 5 more without 'regio'") as told:
        read_polygons(path, "regio")
    assert len(told.value.problems) == 1 and "there are code" in told.value.problems[0].hint
    abroad = {str(number): shapely.box(2.0, 48.0 + number, 2.1, 48.1 + number) for number in range(4)}
    with pytest.raises(DataError, match="4 of 4 regions: 0, 1, 2 and 3") as told:
        polygons(abroad, "EPSG:4326")
    assert len(told.value.problems) == 1


def test_other_coordinates_and_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="EPSG::3857"):
        read_polygons(write(tmp_path / "map.geojson", [feature("a", SQUARE)], "urn:ogc:def:crs:EPSG::3857"), "code")
    with pytest.raises(DataError, match="these coordinates are degrees"):
        read_polygons(write(tmp_path / "map.geojson", [feature("a", DEGREES)]), "code")
    with pytest.raises(DataError, match=r"(?s)these coordinates are metres.*crs: EPSG:28992"):
        read_polygons(write(tmp_path / "map.geojson", [feature("a", SQUARE)]), "code", crs="EPSG:4326")
    with pytest.raises(DataError, match="no regions"):
        read_polygons(write(tmp_path / "map.geojson", []), "code")
    (tmp_path / "list.json").write_text("[1, 2]", encoding="utf-8")
    with pytest.raises(DataError, match="MAP-002"):
        read_polygons(tmp_path / "list.json", "code")


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shapely", None)
    with pytest.raises(UsageError, match=r"MAP-001.*shapely"):
        polygons({})


def test_the_wijken_of_haaglanden_load_and_say_what_was_repaired() -> None:
    found = read_polygons(shared(HAAGLANDEN), "wk_code")
    content = json.loads(shared(HAAGLANDEN).read_text(encoding="utf-8"))["features"]
    mixed = {f["properties"]["wk_code"] for f in content if f["geometry"]["type"] == "GeometryCollection"}
    assert len(found) == 236
    assert bool(shapely.is_valid(found.shapes).all())
    assert set(shapely.get_type_id(found.shapes).tolist()) <= {3, 6}
    # The file has been made valid before: what tells of it are lines beside the polygons, which have no area.
    assert {repair.region for repair in found.repairs} == mixed
    assert {repair.why for repair in found.repairs} == {"lines beside polygons"}
    assert max(abs(repair.change) for repair in found.repairs) < 1e-9
    assert "(lines beside polygons): 85; area changed by 0.000 of " in found.notes()[1]
    # Gemeente Den Haag measures 98 km² (CBS, with water), of which the sea and the harbour are no wijk.
    den_haag = found.take([region for region in found.regions if region.startswith("WK0518")])
    assert 80 < den_haag.area().sum() < 98


def test_borders_that_cross_themselves_are_repaired_in_real_shapes(tmp_path: Path) -> None:
    """Rounded to three decimals (about 90 m) the borders of Haaglanden cross themselves again."""
    content = json.loads(shared(HAAGLANDEN).read_text(encoding="utf-8"))
    rounded, crossing = [], set()
    for entry in content["features"]:
        shape = shapely.from_geojson(json.dumps(entry["geometry"]))
        leaves = shapely.get_parts(shapely.get_parts(shape))
        rings = [leaf for leaf in leaves if leaf.geom_type == "Polygon"]
        parts = [shapely.transform(ring, lambda xy: np.round(xy, 3)) for ring in rings]
        parts = [part for part in parts if part.area > 0]
        if not all(part.is_valid for part in parts):
            crossing.add(entry["properties"]["wk_code"])
        rounded += [{**entry, "geometry": json.loads(shapely.to_geojson(part))} for part in parts]
    path = tmp_path / "rounded.geojson"
    path.write_text(json.dumps({**content, "features": rounded}), encoding="utf-8")
    found = read_polygons(path, "wk_code")
    assert len(found) == 236
    assert len(crossing) > 50
    repaired = {repair.region for repair in found.repairs if repair.why != "parts overlap"}
    assert repaired == crossing
    assert bool(shapely.is_valid(found.shapes).all())
    exact = read_polygons(shared(HAAGLANDEN), "wk_code")
    assert found.area().sum() == pytest.approx(exact.area().sum(), rel=1e-3)


def test_projected_areas_agree_with_those_of_statistics_netherlands() -> None:
    path = shared("data/groningen_2017/buurt2017_groningen.geojson")
    found = read_polygons(path, "BU_CODE")
    published = {
        f["properties"]["BU_CODE"]: f["properties"]["OPP_TOT"] / 100
        for f in json.loads(path.read_text(encoding="utf-8"))["features"]
    }
    assert found.repairs == ()
    # Published in whole hectares, of borders that were simplified for the map: 2 hectares or 2 %.
    for region, area in zip(found.regions, found.area().tolist(), strict=True):
        assert area == pytest.approx(published[region], rel=0.02, abs=0.02)


# --- neighbours -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gap", [0.0, 0.8, -0.8])
def test_neighbours_on_a_grid_with_slivers(gap: float) -> None:
    """On 3 × 4 squares 17 pairs share a side and 12 a corner, also where gaps or overlaps of 0.8 m lie between them."""
    cells = grid(3, 4, gap=gap)
    where = {(int(a[0]), int(a[1])) for a in cells.regions}
    sides = {(f"{r}{c}", f"{x}{y}") for r, c in where for x, y in [(r, c + 1), (r + 1, c)] if (x, y) in where}
    corners = {(f"{r}{c}", f"{r + 1}{y}") for r, c in where for y in (c - 1, c + 1) if (r + 1, y) in where}
    rook, queen = adjacency(cells, "rook", tolerance=1.2), adjacency(cells, "queen", tolerance=1.2)
    assert (len(sides), len(corners)) == (17, 12)
    assert pairs(rook) == sides
    assert pairs(queen) == sides | corners
    # A shared side is 100 m, give or take the gap; at either end an overlap and a tolerance come to it.
    assert np.abs(rook.border - 100).max() <= 0.8 + 2 * (0.8 + 1.2) + 1e-9


def test_a_gap_wider_than_the_tolerance_parts_neighbours_and_is_told() -> None:
    apart = adjacency(grid(1, 3, gap=2.0), "queen", tolerance=1.0)
    assert apart.isolated() == ("00", "01", "02")
    assert "Regions without a neighbour: 3" in apart.notes()[-1]


def test_a_short_border_is_a_corner() -> None:
    cells = polygons({"a": shapely.box(0, 0, 100, 100), "b": shapely.box(100, 95, 200, 200)})
    assert pairs(adjacency(cells, "rook", tolerance=0.1, least=4.0)) == {("a", "b")}
    assert pairs(adjacency(cells, "rook", tolerance=0.1, least=6.0)) == set()
    assert pairs(adjacency(cells, "queen", tolerance=0.1)) == {("a", "b")}


def test_overlap_is_measured() -> None:
    cells = polygons({"a": shapely.box(0, 0, 100, 100), "b": shapely.box(90, 0, 200, 100)})
    found = adjacency(cells)
    assert found.overlap.tolist() == [1000.0]
    assert "overlap" in found.notes()[1]


def test_neighbours_of_the_generated_country_are_those_of_its_generator() -> None:
    """``grenst_aan`` names an area when a wijk shares a side with one of its wijken; made without any polygon."""
    import pandas as pd

    table = pd.read_parquet(ROOT / "data_synthetic" / "land-wijken.parquet").set_index("region")
    cells = read_polygons(ROOT / "data_synthetic" / "land-wijken.geojson", "region")
    beside = adjacency(cells, "rook").neighbours()
    inside = set(table.index[table["deel"] > 0])
    for region, said in table["grenst_aan"].items():
        if region not in inside:
            assert bool(said) == bool(inside & set(beside[str(region)]))
        else:
            assert said == ""


def test_regions_are_joined_to_units() -> None:
    """Four squares of 3 × 4 become one of 200 m, without the borders inside, that borders on a fifth along 100 m."""
    units = grid(3, 4).joined({"west": ["00", "01", "10", "11"], "beside": ["02"], "far": ["23"]})
    assert units.regions == ("beside", "far", "west")
    assert (units.area() * 1e6).tolist() == pytest.approx([10000.0, 10000.0, 40000.0])
    assert border_along(units, ["far"])[1].tolist() == pytest.approx([400.0, 400.0, 800.0])
    found = adjacency(units, "rook")
    assert pairs(found) == {("beside", "west")}
    assert found.border[0] == pytest.approx(101.5, abs=1.5)
    with pytest.raises(ValueError, match="parts of x without a polygon: 99"):
        units.joined({"x": ["99"]})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"contiguity": "king"}, "'queen' or 'rook'"),
        ({"tolerance": 0.0}, "above 0"),
        ({"least": 1.0}, "two tolerances"),
    ],
)
def test_parameters_that_cannot_be(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        adjacency(grid(1, 2), **wrong)


# --- borders along sources, and distances -----------------------------------------------------------------------------


def test_the_share_of_a_border_counts_every_metre_once() -> None:
    """The middle of 3 × 3 squares with all eight around it as sources is enclosed; a corner source touches it only."""
    cells = grid(3, 3)
    middle = cells.regions.index("11")
    along, whole = border_along(cells, set(cells.regions) - {"11"}, tolerance=1.0)
    assert whole.tolist() == pytest.approx([400.0] * 9)
    assert along[middle] == pytest.approx(400.0, abs=1e-6)
    beside, _ = border_along(cells, ["01"], tolerance=1.0)
    assert beside[middle] == pytest.approx(102.0, abs=1e-6)  # its side, and a tolerance around either corner
    touched, _ = border_along(cells, ["00"], tolerance=1.0)
    assert touched[middle] == pytest.approx(2.0, abs=1e-6)
    assert touched[0] == 0.0  # of a source, along other sources


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=4, unique=True))
@settings(max_examples=30, deadline=None)
def test_distances_are_those_of_the_nearest_by_hand(chosen: list[tuple[int, int]]) -> None:
    cells = grid(6, 6, side=1000.0)
    sources = [f"{r}{c}" for r, c in chosen]
    km, near = nearest(cells, sources, "borders")
    centre, _ = nearest(cells, sources, "centroids")
    for row, region in enumerate(cells.regions):
        r, c = int(region[0]), int(region[1])
        by_hand = {
            f"{x}{y}": (float(np.hypot(max(abs(r - x) - 1, 0), max(abs(c - y) - 1, 0))), x, y) for x, y in chosen
        }
        assert km[row] == pytest.approx(min(found[0] for found in by_hand.values()), abs=1e-9)
        assert centre[row] == pytest.approx(min(float(np.hypot(r - x, c - y)) for x, y in chosen), abs=1e-9)
        ties = sorted(name for name, found in by_hand.items() if found[0] <= km[row] + 1e-9)
        assert near[row] == (region if region in ties else ties[0])


def test_sources_without_a_polygon_are_named() -> None:
    with pytest.raises(ValueError, match="sources without a polygon: 99, xx"):
        nearest(grid(1, 2), ["xx", "00", "99"])
    with pytest.raises(ValueError, match="at least one source"):
        nearest(grid(1, 2), [])
