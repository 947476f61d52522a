"""Borders with few points: neighbours keep one border, holes stay open, nothing is lost, and the text stays small."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from impact.sources.outlines import outlines, read_rings
from impact.sources.polygons import Polygons, polygons, read_polygons
from tests.shared import ROOT

shapely = pytest.importorskip("shapely")


def wavy(columns: int, rows: int, side: float = 1000.0, points: int = 40) -> Polygons:
    """Cells between wavy lines: every border has `points` corners that both neighbours share."""

    def line(start: tuple[float, float], end: tuple[float, float]) -> NDArray[np.float64]:
        along = np.linspace(0, 1, points)[:, None]
        wave = 20 * np.sin(40 * along) * (along * (1 - along) * 4)
        across = np.array([end[1] - start[1], start[0] - end[0]]) / side
        return np.asarray(np.array(start) + along * (np.array(end) - start) + wave * across)

    shapes = {}
    for column in range(columns):
        for row in range(rows):
            x, y = 100_000 + side * column, 400_000 + side * row
            corners = [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]
            south, east = line(corners[0], corners[1]), line(corners[1], corners[2])
            north, west = line(corners[3], corners[2])[::-1], line(corners[0], corners[3])[::-1]
            shapes[f"{column}-{row}"] = shapely.Polygon(np.vstack([south, east, north, west]))
    return polygons(shapes)


def shoelace(ring: NDArray[np.int64]) -> float:
    x, y = (ring - ring[0]).astype(float).T
    return float(0.5 * np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))


def edges(text: str) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    return [(tuple(one), tuple(other)) for ring in read_rings(text) for one, other in pairwise(ring.tolist())]


def test_neighbours_keep_one_border_between_them() -> None:
    drawn = wavy(2, 1)
    texts = outlines(drawn, {"left": ["0-0"], "right": ["1-0"]}, 120)
    left, right = edges(texts["left"]), edges(texts["right"])
    shared = {edge for edge in left if edge[::-1] in set(right)}
    # What the one walks up the other walks down: the whole side of 1,000 m, however few points it has left.
    assert sum(abs(end[1] - start[1]) for start, end in shared) >= 1000 - 20
    assert len(left) + len(right) <= 120 < 300


def test_areas_stay_what_they_are_and_points_stay_few() -> None:
    drawn = wavy(6, 5)
    for most in (4000, 1000, 400):
        texts = outlines(drawn, {"even": list(drawn.regions[::2]), "odd": list(drawn.regions[1::2])}, most)
        rings = [ring for text in texts.values() for ring in read_rings(text)]
        assert sum(map(len, rings)) <= most
        assert sum(map(shoelace, rings)) == pytest.approx(30e6, rel=0.02)


def test_a_hole_is_open_and_what_lies_in_it_is_drawn_by_itself() -> None:
    ring = shapely.box(0, 0, 9000, 9000).difference(shapely.box(3000, 3000, 6000, 6000))
    drawn = polygons({"around": ring, "inside": shapely.box(3000, 3000, 6000, 6000)})
    texts = outlines(drawn, {"a": ["around"], "b": ["inside"]})
    assert sorted(map(shoelace, read_rings(texts["a"]))) == [-9e6, 81e6]
    assert [shoelace(found) for found in read_rings(texts["b"])] == [9e6]


def test_a_region_too_small_to_draw_stays_as_a_square() -> None:
    large = shapely.box(0, 0, 300_000, 300_000)
    drawn = polygons({"large": large, "small": shapely.box(310_000, 10_000, 310_020, 10_020)})
    (square,) = read_rings(outlines(drawn, {"a": ["large"], "b": ["small"]})["b"])
    assert len(square) == 5 and (square[0] == square[-1]).all() and shoelace(square) > 0
    assert np.abs(square - [310_010, 10_010]).max() <= 200


def test_too_many_regions_become_one_shape_per_group() -> None:
    drawn = wavy(20, 20, points=3)
    texts = outlines(drawn, {"all": list(drawn.regions)}, 300)
    rings = read_rings(texts["all"])
    assert len(rings) == 1 and len(rings[0]) <= 300
    assert shoelace(rings[0]) == pytest.approx(400e6, rel=0.02)


def test_groups_without_regions_and_regions_without_group_are_not_drawn() -> None:
    drawn = wavy(3, 1, points=3)
    assert outlines(drawn, {"none": []}) == {}
    assert list(outlines(drawn, {"b": ["1-0"], "none": [], "a": ["0-0"]})) == ["b", "a"]


def test_the_shipped_country_is_drawn_the_same_way_twice() -> None:
    drawn = read_polygons(ROOT / "data_synthetic" / "land-wijken.geojson", "region")
    groups = {"a": list(drawn.regions[:450]), "b": list(drawn.regions[450:])}
    texts = outlines(drawn, groups)
    assert texts == outlines(drawn, groups)
    rings = [ring for text in texts.values() for ring in read_rings(text)]
    assert len(rings) == 900 and sum(map(len, rings)) <= 10_000
    assert sum(map(shoelace, rings)) == pytest.approx(float(drawn.area().sum()) * 1e6, rel=1e-3)
