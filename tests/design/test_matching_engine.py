"""Who is given to whom, against brute force over all sets of pairs; distances against textbook formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.stats import rankdata

from impact.design.assignment import Assigns, Full, Nearest, Offer, Optimal
from impact.design.distances import embedded
from impact.design.matching import Match, Reach, Score, paired
from impact.errors import Refused

SEEDS = st.integers(0, 10_000)


def offer(seed: int, treated: int, controls: int, *, coarse: bool = False, forbidden: float = 0.3) -> Offer:
    draw = np.random.default_rng(seed)
    distance = draw.uniform(size=(treated, controls))
    if coarse:  # many ties, and distances of 0
        distance = np.floor(distance * 3)
    allowed = draw.uniform(size=distance.shape) > forbidden
    hard = np.where(allowed, distance, np.inf).min(axis=1)
    return Offer(distance, allowed, hard, np.arange(treated))


def subsets(given: Offer) -> tuple[Any, Any, Any]:
    """Every set of allowed pairs (S, A, N), and how often it uses every row and column."""
    cells = np.flatnonzero(given.allowed)
    bits = (np.arange(2 ** len(cells))[:, None] >> np.arange(len(cells))) & 1
    every = np.zeros((len(bits), given.allowed.size), dtype=int)
    every[:, cells] = bits
    every = every.reshape(-1, *given.allowed.shape)
    return every, every.sum(axis=2), every.sum(axis=1)


# Optimal ------------------------------------------------------------------------------------------------------------


@given(seed=SEEDS, ratio=st.integers(1, 3), coarse=st.booleans())
def test_optimal_is_the_best_of_all_ways(seed: int, ratio: int, coarse: bool) -> None:
    asked = offer(seed, 2, 5, coarse=coarse)
    found = Optimal(ratio).choose(asked)
    every, rows, columns = subsets(asked)
    fair = (rows.max(axis=1) <= ratio) & (columns.max(axis=1) <= 1)
    every, rows = every[fair], rows[fair]
    # As many as possible with a first control, then with a second, and so on; then the smallest total.
    filled = [tuple(int((row >= place).sum()) for place in range(1, ratio + 1)) for row in rows]
    most = max(filled)
    total = (every * asked.distance).sum(axis=(1, 2))
    best = min(value for value, have in zip(total, filled, strict=True) if have == most)
    assert tuple(int((found.sum(axis=1) >= place).sum()) for place in range(1, ratio + 1)) == most
    assert not (found & ~asked.allowed).any()
    assert found.sum(axis=0).max() <= 1
    assert asked.distance[found].sum() == pytest.approx(best, abs=1e-9)


# Full ---------------------------------------------------------------------------------------------------------------


@given(seed=SEEDS, shape=st.sampled_from([(1, 4), (2, 5), (3, 4), (4, 3), (4, 1)]), coarse=st.booleans())
def test_full_is_the_best_of_all_ways(seed: int, shape: tuple[int, int], coarse: bool) -> None:
    asked = offer(seed, *shape, coarse=coarse)
    found = Full().choose(asked)
    every, rows, columns = subsets(asked)
    reach, served = asked.allowed.any(axis=1), asked.allowed.any(axis=0)
    lonely = ((rows[:, :, None] == 1) | (columns[:, None, :] == 1)) | (every == 0)
    stars = lonely.all(axis=(1, 2)) & ((rows > 0) == reach).all(axis=1) & ((columns > 0) == served).all(axis=1)
    best = (every[stars] * asked.distance).sum(axis=(1, 2)).min()
    assert any((found == one).all() for one in every[stars])
    assert asked.distance[found].sum() == pytest.approx(best, abs=1e-12)


@given(seed=SEEDS)
def test_full_has_the_total_of_the_linear_program(seed: int) -> None:
    """Cheapest edge covers of a bipartite graph are the vertices of a program that HiGHS solves."""
    asked = offer(seed, 12, 40)
    one, other = np.nonzero(asked.allowed)
    cover = np.zeros((52, len(one)))
    cover[one, np.arange(len(one))] = cover[12 + other, np.arange(len(one))] = 1
    cover = cover[cover.any(axis=1)]
    solved = linprog(asked.distance[one, other], A_ub=-cover, b_ub=-np.ones(len(cover)), bounds=(0, 1))
    assert asked.distance[Full().choose(asked)].sum() == pytest.approx(solved.fun, abs=1e-9)


# Greedy -------------------------------------------------------------------------------------------------------------


@given(
    seed=SEEDS, ratio=st.integers(1, 3), coarse=st.booleans(), order=st.sampled_from(["largest", "smallest", "data"])
)
def test_greedy_is_a_loop(seed: int, ratio: int, coarse: bool, order: Any) -> None:
    asked = offer(seed, 4, 9, coarse=coarse)
    rank = {"largest": -asked.hard, "smallest": asked.hard, "data": asked.place}[order]
    turns = sorted(range(4), key=lambda one: (rank[one], one))
    free, expected = set(range(9)), np.zeros((4, 9), dtype=bool)
    for _ in range(ratio):
        for one in turns:
            ways = [(asked.distance[one, other], other) for other in free if asked.allowed[one, other]]
            if ways:
                taken = min(ways)[1]
                expected[one, taken] = True
                free.discard(taken)
    np.testing.assert_array_equal(Nearest(ratio, False, order).choose(asked), expected)


def test_a_drawn_order_is_that_of_the_seed() -> None:
    asked = offer(3, 6, 8, forbidden=0.0)
    ways = {Nearest(1, False, "random", seed).choose(asked).tobytes() for seed in range(20)}
    assert len(ways) > 1
    drawn = Nearest(1, False, "random", 7)
    np.testing.assert_array_equal(drawn.choose(asked), drawn.choose(asked))


# Order of the rows --------------------------------------------------------------------------------------------------

RULES: list[Assigns] = [
    Nearest(2),
    Nearest(2, False),
    Nearest(1, False, "smallest"),
    Nearest(2, False, "random", 5),
    Optimal(2),
    Full(),
]


@pytest.mark.parametrize("how", RULES, ids=str)
@pytest.mark.parametrize("distance", ["mahalanobis", "robust-mahalanobis", "scaled-euclidean", "score"])
def test_the_order_of_rows_changes_nothing(how: Assigns, distance: Any) -> None:
    draw = np.random.default_rng(11)
    here, there = draw.integers(0, 3, size=(5, 2)).astype(float), draw.integers(0, 3, size=(14, 2)).astype(float)
    areas, units = [f"a{i}" for i in range(5)], [str(i) for i in range(14)]

    def match(rows: Any, columns: Any) -> Match:
        asked = Score(here[rows, 0], there[columns, 0]) if distance == "score" else distance
        found = paired(
            here[rows],
            there[columns],
            areas=[areas[row] for row in rows],
            units=[units[column] for column in columns],
            names=["x", "y"],
            how=how,
            distance=asked,
            caliper=1.9,
        )
        assert isinstance(found, Match), found
        return found

    straight = match(np.arange(5), np.arange(14))
    rows, columns = draw.permutation(5), draw.permutation(14)
    mixed = match(rows, columns)
    np.testing.assert_array_equal(mixed.pairs, straight.pairs[np.ix_(rows, columns)])
    assert mixed.total_distance == pytest.approx(straight.total_distance)


def test_ties_go_by_name_and_numbers_by_size() -> None:
    x: dict[str, Any] = {"areas_x": [[0.0]], "areas": ["p"], "names": ["x"]}
    for units, first in ((["10", "9", "8"], "9"), (["k10", "k9", "k8"], "k10")):
        found = paired(**x, units_x=[[1.0], [1.0], [2.0]], units=units)
        assert isinstance(found, Match)
        assert [unit for unit, used in zip(found.units, found.used, strict=True) if used] == [first]


# Distances and calipers ---------------------------------------------------------------------------------------------


@given(seed=SEEDS)
def test_robust_mahalanobis_as_rosenbaum_writes_it(seed: int) -> None:
    draw = np.random.default_rng(seed)
    x = np.round(draw.normal(size=(20, 3)) @ draw.normal(size=(3, 3)), 1)
    x[:, 2] = x[:, 2] > np.sort(x[:, 2])[14]  # a rare yes
    points = embedded(x[:6], x[6:], ["a", "b", "c"], "robust-mahalanobis")
    assert not isinstance(points, Refused), points
    ranks = rankdata(x, axis=0)
    spread = np.cov(ranks, rowvar=False)
    rescale = np.sqrt(np.var(np.arange(1, 21), ddof=1) / np.diag(spread))
    inverse = np.linalg.inv(spread * np.outer(rescale, rescale))
    away = ranks[:6, None, :] - ranks[None, 6:, :]
    expected = np.einsum("aip,pq,aiq->ai", away, inverse, away)
    found = ((points[0][:, None, :] - points[1][None, :, :]) ** 2).sum(axis=2)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)


def test_mahalanobis_does_not_depend_on_the_level_that_is_left_out() -> None:
    draw = np.random.default_rng(2)
    level = draw.integers(0, 3, size=30)
    x = np.column_stack([draw.normal(size=30), *(level == one for one in range(3))])
    names = ["x", "c=0", "c=1", "c=2"]
    ways = []
    for out in (1, 2, 3):
        points = embedded(x[:10], x[10:], names, "mahalanobis", [out])
        assert not isinstance(points, Refused)
        ways.append(np.linalg.norm(points[0][:, None, :] - points[1][None, :, :], axis=2))
    np.testing.assert_allclose(ways[1], ways[0], rtol=1e-9)
    np.testing.assert_allclose(ways[2], ways[0], rtol=1e-9)
    assert isinstance(embedded(x[:10], x[10:], names, "mahalanobis"), Refused)
    assert isinstance(embedded(x[:10], x[10:], names, "robust-mahalanobis"), Refused)
    assert not isinstance(embedded(x[:10], x[10:], names, "robust-mahalanobis", [1]), Refused)


@given(seed=SEEDS)
def test_several_calipers_hold_at_once(seed: int) -> None:
    draw = np.random.default_rng(seed)
    here, there = draw.normal(size=(3, 2)), draw.normal(size=(9, 2))
    reaches = [Reach(here[:, 0], there[:, 0], 0.6), Reach(here[:, 1], there[:, 1], 0.9)]
    names: dict[str, Any] = {"areas": list("abc"), "units": list("defghijkl"), "names": ["x", "y"]}
    found = paired(here, there, **names, how=Nearest(9), reaches=reaches)
    away = np.abs(here[:, None, :] - there[None, :, :])
    within = (away[..., 0] <= 0.6) & (away[..., 1] <= 0.9)
    if isinstance(found, Refused):
        assert not within.any()
    else:
        np.testing.assert_array_equal(found.pairs > 0, within)


def test_a_table_of_distances_that_does_not_fit_is_refused() -> None:
    x = np.zeros((20_000, 0))
    names = [str(number) for number in range(20_000)]
    refused = paired(x, x, areas=names, units=names, names=[])
    assert isinstance(refused, Refused)
    assert "100,000,000" in refused.because


def test_wrong_parameters_are_said() -> None:
    for make in (lambda: Nearest(0), lambda: Optimal(0), lambda: Nearest(order="closest")):  # type: ignore[arg-type]
        with pytest.raises(ValueError):
            make()
    with pytest.raises(TypeError):
        Nearest(1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="more than 0"):
        Reach(np.zeros(1), np.zeros(1), 0.0)
