"""Matching against hand-worked numbers, brute force, and MatchIt 4.7.1 on the Lalonde data."""

from __future__ import annotations

import csv
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.design.assignment import Nearest, Optimal
from impact.design.matching import Match, area_means, paired
from impact.errors import Refused
from tests.shared import golden, shared


def made(seed: int, areas: int, units: int, width: int) -> dict[str, Any]:
    draw = np.random.default_rng(seed)
    return {
        "areas_x": draw.normal(size=(areas, width)) + 0.5,
        "units_x": draw.normal(size=(units, width)),
        "areas": [f"a{i}" for i in range(areas)],
        "units": [f"u{i:02d}" for i in range(units)],
        "names": [f"x{i}" for i in range(width)],
    }


def nearest(*, ratio: int, replace: bool = True, **asked: Any) -> Match | Refused:
    return paired(**asked, how=Nearest(ratio) if replace else Optimal(ratio))


def matched(**asked: Any) -> Match:
    found = nearest(**asked)
    assert isinstance(found, Match), found
    return found


# By hand ------------------------------------------------------------------------------------------------------------


def test_one_covariate_by_hand() -> None:
    # Squares within the areas 10, 14: 8; within the donors 8, 10, 13, 20 (mean 12.75): 82.75; variance 90.75 / (6 - 2).
    found = matched(
        areas_x=[[10.0], [14.0]],
        units_x=[[8.0], [10.0], [13.0], [20.0]],
        areas=["p", "q"],
        units=["a", "b", "c", "d"],
        names=["x"],
        ratio=2,
    )
    assert found.scale == pytest.approx([np.sqrt(90.75 / 4)])
    np.testing.assert_array_equal(found.pairs, [[0.5, 0.5, 0, 0], [0, 0.5, 0.5, 0]])
    np.testing.assert_allclose(found.distance * found.scale, [[2, 0, 3, 10], [6, 4, 1, 6]])
    np.testing.assert_array_equal(found.used, [1, 2, 1, 0])
    assert found.short == found.unmatched == ()


def test_the_distances_differ_where_covariates_are_correlated() -> None:
    # Donors lie along the line x = y. Off that line a short way is far for Mahalanobis, near for the other.
    donors = [[3.0, 3.0], [1.2, -1.2], [-3.0, -3.0], [-3.1, -2.9], [2.9, 3.1]]
    x = dict(areas_x=[[0.0, 0.0]], units_x=donors, areas=["p"], units=list("abcde"), names=["x", "y"], ratio=1)
    assert np.flatnonzero(matched(**x, distance="scaled-euclidean").pairs[0]).tolist() == [1]
    assert np.flatnonzero(matched(**x, distance="mahalanobis").pairs[0]).tolist() != [1]


def test_ties_go_by_name_and_the_caliper_is_in_standard_deviations() -> None:
    x = dict(areas_x=[[0.0], [9.0]], areas=["p", "far"], names=["x"], ratio=2)
    first = matched(**x, units_x=[[1.0], [-1.0], [1.0], [-1.0]], units=["d", "c", "b", "a"])
    assert [first.units[i] for i in np.flatnonzero(first.pairs[0])] == ["b", "a"]
    # Within sd: areas 40.5, donors 4, together 44.5 / 4 -> 3.3354; the area "far" is 8 / 3.3354 = 2.3985 away at best.
    assert matched(**x, units_x=[[1.0], [-1.0], [1.0], [-1.0]], units=list("dcba"), caliper=2.3986).short == ()
    near = matched(**x, units_x=[[1.0], [-1.0], [1.0], [-1.0]], units=list("dcba"), caliper=2.398)
    assert near.unmatched == ("far",)
    assert near.short == (("far", 0),)
    assert near.pairs.sum(axis=1).tolist() == [1.0, 0.0]


def test_exact_characteristics_and_areas_that_get_fewer() -> None:
    found = matched(
        areas_x=[[0.0], [1.0]],
        units_x=[[0.1], [0.2], [5.0]],
        areas=["p", "q"],
        units=["a", "b", "c"],
        names=["x"],
        ratio=2,
        exact=(["stad", "dorp"], ["stad", "stad", "dorp"]),
    )
    np.testing.assert_array_equal(found.pairs, [[0.5, 0.5, 0], [0, 0, 1]])
    assert found.short == (("q", 1),)


def test_without_replacement_first_places_come_before_second_ones() -> None:
    # Two donors for four places: nobody may stay empty while another has two, and p-a, q-b is the shorter way.
    found = matched(
        areas_x=[[0.0], [2.0]],
        units_x=[[0.0], [0.1]],
        areas=["p", "q"],
        units=["a", "b"],
        names=["x"],
        ratio=2,
        replace=False,
    )
    np.testing.assert_array_equal(found.pairs, [[1, 0], [0, 1]])
    assert found.short == (("p", 1), ("q", 1))


# Brute force and properties -----------------------------------------------------------------------------------------


def oracle(x: dict[str, Any], distance: str) -> Any:
    """Distances by the textbook formula, with an explicit inverse."""
    groups = [np.asarray(x["areas_x"]), np.asarray(x["units_x"])]
    squares = [np.atleast_2d(np.cov(group, rowvar=False)) * (len(group) - 1) for group in groups]
    pooled = sum(squares) / (sum(map(len, groups)) - 2)
    if distance == "scaled-euclidean":
        pooled = np.diag(np.diag(pooled))
    away = groups[0][:, None, :] - groups[1][None, :, :]
    return np.sqrt(np.einsum("aip,pq,aiq->ai", away, np.linalg.inv(pooled), away))


@pytest.mark.parametrize("distance", ["mahalanobis", "scaled-euclidean"])
@given(seed=st.integers(0, 10_000), width=st.integers(1, 4), ratio=st.integers(1, 4))
def test_with_replacement_takes_the_nearest(distance: Any, seed: int, width: int, ratio: int) -> None:
    x = made(seed, 3, 9, width)
    found = matched(**x, ratio=ratio, distance=distance)
    expected = oracle(x, distance)
    np.testing.assert_allclose(found.distance, expected, rtol=1e-8)
    for a in range(3):
        assert set(np.flatnonzero(found.pairs[a])) == set(np.argsort(expected[a])[:ratio])
    np.testing.assert_allclose(found.pairs.sum(axis=1), 1.0)


@given(seed=st.integers(0, 10_000))
def test_without_replacement_has_the_smallest_total(seed: int) -> None:
    x = made(seed, 2, 5, 2)
    found = matched(**x, ratio=2, replace=False)
    assert found.used.max() == 1
    assert (found.found == 2).all()
    expected = oracle(x, "mahalanobis")
    orders = (list(order) for order in permutations(range(5), 4))
    best = min(expected[0, order[:2]].sum() + expected[1, order[2:]].sum() for order in orders)
    assert (found.distance * (found.pairs > 0)).sum() == pytest.approx(best, rel=1e-8)


@given(seed=st.integers(0, 10_000), replace=st.booleans(), coarse=st.booleans())
def test_the_order_of_rows_and_the_units_of_measurement_change_nothing(seed: int, replace: bool, coarse: bool) -> None:
    x = made(seed, 3, 12, 2)
    if coarse:  # many ties
        x["areas_x"], x["units_x"] = np.round(x["areas_x"]), np.round(x["units_x"])
    asked: dict[str, Any] = {"ratio": 3, "replace": replace, "distance": "scaled-euclidean", "caliper": 1.5}
    one = nearest(**x, **asked)
    if isinstance(one, Refused):
        return
    draw = np.random.default_rng(seed + 1)
    rows, columns = draw.permutation(3), draw.permutation(12)
    two = matched(
        areas_x=x["areas_x"][rows],
        units_x=x["units_x"][columns],
        areas=[x["areas"][i] for i in rows],
        units=[x["units"][i] for i in columns],
        names=x["names"],
        **asked,
    )
    np.testing.assert_array_equal(two.pairs, one.pairs[np.ix_(rows, columns)])
    three = matched(**x | {"areas_x": x["areas_x"] * [8.0, 0.25], "units_x": x["units_x"] * [8.0, 0.25]}, **asked)
    np.testing.assert_array_equal(three.pairs, one.pairs)


@given(seed=st.integers(0, 10_000), caliper=st.floats(0.2, 2.0))
def test_no_pair_leaves_the_caliper(seed: int, caliper: float) -> None:
    x = made(seed, 3, 12, 2)
    found = nearest(**x, ratio=2, caliper=caliper)
    if isinstance(found, Refused):
        return
    away = (np.abs(x["areas_x"][:, None, :] - x["units_x"][None, :, :]) / found.scale).max(axis=2)
    assert (away[found.pairs > 0] <= caliper + 1e-9).all()
    np.testing.assert_array_equal(found.found, np.minimum((away <= caliper).sum(axis=1), 2))


# Refusals -----------------------------------------------------------------------------------------------------------


def test_refusals_name_who_and_what() -> None:
    x = made(1, 2, 6, 2)
    holes = x["units_x"].copy()
    holes[3, 1] = np.nan
    refused = nearest(**x | {"units_x": holes}, ratio=1)
    assert isinstance(refused, Refused)
    assert "u03 (x1)" in refused.because
    assert "filled in" in refused.instead
    flat = x["units_x"].copy(), x["areas_x"].copy()
    flat[0][:, 0], flat[1][:, 0] = 1.0, 2.0
    refused = nearest(**x | {"units_x": flat[0], "areas_x": flat[1]}, ratio=1)
    assert isinstance(refused, Refused)
    assert refused.because.startswith("x0 does not vary")
    doubled = x | {"units_x": x["units_x"][:, [0, 0]] * [1, 2], "areas_x": x["areas_x"][:, [0, 0]] * [1, 2]}
    assert isinstance(nearest(**doubled, ratio=1), Refused)
    assert matched(**doubled, ratio=1, distance="scaled-euclidean").short == ()
    assert isinstance(nearest(**x, ratio=1, caliper=1e-6), Refused)
    for wrong in ({"ratio": 0}, {"ratio": 1, "caliper": 0.0}, {"ratio": 1, "distance": "euclidean"}):
        with pytest.raises(ValueError):
            nearest(**x, **wrong)


def test_area_means_are_weighted_by_size() -> None:
    members = [[10.0, 1.0], [40.0, 1.0], [7.0, 3.0]]
    means = area_means(members, [1, 1, 0], [3000, 1000, 500], units=["k", "l", "m"], areas=["p", "q"])
    np.testing.assert_allclose(means, [[7.0, 3.0], [17.5, 1.0]])
    refused = area_means([[10.0], [np.nan]], [0, 0], [1, 1], units=["k", "l"], areas=["p"])
    assert isinstance(refused, Refused)
    assert "l" in refused.because
    assert isinstance(area_means([[10.0]], [0], [0.0], units=["k"], areas=["p"]), Refused)
    assert isinstance(area_means([[10.0]], [0], [2.0], units=["k"], areas=["p", "empty"]), Refused)


# Against R ----------------------------------------------------------------------------------------------------------

COLUMNS = {
    "age": "age",
    "educ": "educ",
    "raceblack": "black",
    "racehispan": "hispan",
    "married": "married",
    "nodegree": "nodegree",
    "re74": "re74",
    "re75": "re75",
}  # one race left out: the three sum to 1


def lalonde() -> dict[str, Any]:
    with shared("reference/data/lalonde.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["black"], row["hispan"] = str(int(row["race"] == "black")), str(int(row["race"] == "hispan"))
    treated, control = ([row for row in rows if row["treat"] == which] for which in "10")

    def table(some: list[dict[str, str]]) -> Any:
        return np.array([[float(row[name]) for name in COLUMNS.values()] for row in some])

    return {
        "areas_x": table(treated),
        "units_x": table(control),
        "areas": [row["id"] for row in treated],
        "units": [row["id"] for row in control],
        "names": list(COLUMNS),
    }


def reference(name: str, x: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """The golden results and, per treated unit in our order, the column of its match."""
    results = golden(name)["results"]
    chosen = dict(zip(results["match_matrix"]["treated"], results["match_matrix"]["match"], strict=True))
    picked = [chosen[area][0] if isinstance(chosen[area], list) else chosen[area] for area in x["areas"]]
    return results, np.array([x["units"].index(unit) for unit in picked])


def test_mahalanobis_matches_of_matchit() -> None:
    x = lalonde()
    _, theirs = reference("matchit_nn_mahal_replace", x)
    found = matched(**x, ratio=1)
    ours = found.pairs.argmax(axis=1)
    rows = np.arange(len(ours))
    np.testing.assert_allclose(found.distance[rows, ours], found.distance[rows, theirs], rtol=0, atol=1e-10)
    unique = (np.abs(found.distance - found.distance[rows, ours][:, None]) < 1e-9).sum(axis=1) == 1
    assert unique.mean() > 0.5
    np.testing.assert_array_equal(ours[unique], theirs[unique])  # MatchIt breaks ties by the order of the rows


def test_the_assignment_is_no_worse_than_the_greedy_one_of_matchit() -> None:
    x = lalonde()
    _, theirs = reference("matchit_nn_mahal", x)
    found = matched(**x, ratio=1, replace=False)
    ours = found.pairs.argmax(axis=1)
    rows = np.arange(len(ours))
    assert len(set(ours)) == len(ours)
    assert found.distance[rows, ours].sum() <= found.distance[rows, theirs].sum()
