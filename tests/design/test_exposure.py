"""Rings, distance bands, shares that are exposed and donuts, on grids where they can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impact.design.donors import adjacent, donor_pool
from impact.design.exposure import Exposure, bands, exposed_residents, exposure, rings
from impact.design.geometry import Contiguity, adjacency
from impact.sources.polygons import polygons

shapely = pytest.importorskip("shapely", reason="borders of regions need the extra 'spatial'")

SIDE = 7


def chessboard(sources: list[str], contiguity: Contiguity) -> Exposure:
    """Squares of a kilometre, named by row and column; sources as given."""
    cells = {
        f"{r}{c}": shapely.box(c * 1e3, r * 1e3, (c + 1) * 1e3, (r + 1) * 1e3) for r in range(SIDE) for c in range(SIDE)
    }
    drawn = polygons(cells)
    return exposure(drawn, sources, adjacency(drawn, contiguity))


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=4, unique=True))
@settings(max_examples=20, deadline=None)
def test_rings_are_the_moves_of_a_king_and_of_a_rook_that_steps(chosen: list[tuple[int, int]]) -> None:
    named = [f"{r}{c}" for r, c in chosen]
    queen, rook = chessboard(named, "queen"), chessboard(named, "rook")
    for row, unit in enumerate(queen.units):
        r, c = int(unit[0]), int(unit[1])
        assert queen.ring[row] == min(max(abs(r - x), abs(c - y)) for x, y in chosen)
        assert rook.ring[row] == min(abs(r - x) + abs(c - y) for x, y in chosen)
        assert queen.source[row] == ((r, c) in chosen)


def test_the_share_of_the_border_and_the_table() -> None:
    found = chessboard(["33"], "rook")
    share = dict(zip(found.units, found.border.tolist(), strict=True))
    # One side of four, and a tolerance of 1 m around either corner; a corner alone is 2 m of 4,000.
    assert share["32"] == pytest.approx(1002 / 4000)
    assert share["22"] == pytest.approx(2 / 4000)
    assert share["33"] == share["00"] == 0.0
    table = found.table().set_index("unit")
    assert table.loc["35", ["ring", "km", "nearest"]].tolist() == [2, 1.0, "33"]
    assert any("gaps up to 1 m" in note for note in found.notes())
    assert "Kilometres lie between borders" in found.notes()[0]


def test_a_donut_leaves_out_what_is_near_and_says_why() -> None:
    found = chessboard(["33"], "queen")
    assert found.donut() == {}
    first = found.donut(rings=1)
    assert sorted(first) == ["22", "23", "24", "32", "34", "42", "43", "44"]
    assert first["22"] == "ring 1; the nearest is 33"
    # Nearer than 1.2 km between borders: two rings but for its corners at sqrt(2) km.
    near = found.donut(km=1.2)
    assert set(near) == {u for u, ring in zip(found.units, found.ring, strict=True) if 1 <= ring <= 2} - {
        "11", "15", "51", "55"
    }  # fmt: skip
    assert near["31"] == "1.0 km from 33"
    pool = donor_pool(found.units, found.source, [adjacent(found.units, first, "too near")])
    assert pool
    assert len(pool.donors) == SIDE**2 - 1 - 8
    with pytest.raises(ValueError, match="0 or more"):
        found.donut(rings=-1)


def test_units_that_no_neighbours_lead_to_have_no_ring() -> None:
    found = rings(["a", "b", "c", "d"], {"a": ["b"], "d": ["c"]}, ["b"])
    assert found.tolist() == [1, 0, -1, -1]
    drawn = polygons({"a": shapely.box(0, 0, 10, 10), "b": shapely.box(90, 0, 100, 10)})
    lone = exposure(drawn, ["a"], adjacency(drawn))
    assert lone.table()["ring"].isna().tolist() == [False, True]
    assert lone.donut(rings=9) == {}
    assert lone.donut(km=0.1) == {"b": "0.08 km from a"}


def test_neighbours_go_both_ways_whoever_says_so() -> None:
    assert rings(["a", "b", "c"], {"a": ["b", "elsewhere"], "c": ["b"]}, ["a"]).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="no units: x"):
        rings(["a"], {}, ["x"])
    with pytest.raises(ValueError, match="twice"):
        rings(["a", "a"], {}, ["a"])


def test_distance_bands() -> None:
    assert bands([0.0, 0.99, 1.0, 2.4, 2.5, 80.0], [1, 2.5]) == (
        "0-1 km",
        "0-1 km",
        "1-2.5 km",
        "1-2.5 km",
        "2.5 km and more",
        "2.5 km and more",
    )
    with pytest.raises(ValueError, match="rise"):
        bands([1.0], [2, 1])
    with pytest.raises(ValueError, match="known"):
        bands([np.nan], [1])


def test_the_share_of_residents_who_are_exposed() -> None:
    found = exposed_residents(
        ["w2", "w1", "w1", "w3", "w4", "w4"],
        ["e", "a", "b", "f", "g", "h"],
        [500, 300, 100, 0, 200, np.nan],
        [False, True, False, True, True, False],
    )
    assert found == {"w1": 0.75, "w2": 0.0, "w3": None, "w4": None}
    with pytest.raises(ValueError, match="twice"):
        exposed_residents(["w", "w"], ["a", "a"], [1, 1], [True, False])


def test_neighbours_of_other_regions_are_refused() -> None:
    one, other = polygons({"a": shapely.box(0, 0, 9, 9)}), polygons({"b": shapely.box(0, 0, 9, 9)})
    with pytest.raises(ValueError, match="other regions"):
        exposure(one, ["a"], adjacency(other))
