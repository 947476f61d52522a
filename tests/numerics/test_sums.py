"""Sums by place: compiled and plain are one, and both are what exact arithmetic says."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.numerics import sums as module
from impact.numerics.sums import Sums, project, project_plain, sums, sums_plain
from tests.shared import ROOT

NEAR = 1e-12


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small matrices go to the kernels too."""
    monkeypatch.setattr(module, "_SMALL", 0)


@st.composite
def rows(draw: st.DrawFn, most: int = 400) -> dict[str, Any]:
    """Small whole numbers, so that every sum of products is exact, in whatever order."""
    count, length, places = draw(st.integers(1, most)), draw(st.integers(1, 5)), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    y = rng.integers(-50, 50, (count, length)).astype(float)
    y[rng.uniform(size=y.shape) < draw(st.sampled_from([0.0, 0.2]))] = np.nan
    return {
        "y": y,
        "place": rng.integers(-1, places, count),
        "places": places,
        "weight": rng.choice([0.0, 0.25, 1.0, 3.0], count),
        "shift": rng.integers(-5, 5, length).astype(float),
    }


def by_hand(y: Any, place: Any, places: int, weight: Any, shift: Any) -> Sums:
    length = y.shape[1]
    count, mass = np.zeros(places, dtype=np.intp), np.zeros(places)
    total, products = np.zeros((places, length)), np.zeros((places, length, length))
    for values, at, w in zip(y, place, weight, strict=True):
        if at >= 0:
            moved = [0.0 if value != value else value - less for value, less in zip(values, shift, strict=True)]
            count[at] += w > 0
            mass[at] += w
            total[at] += w * np.array(moved)
            products[at] += w * np.outer(moved, moved)
    return Sums(count, mass, total, products)


def arrays(found: Sums) -> list[Any]:
    return [found.count, found.weight, found.total, *([] if found.products is None else [found.products])]


def assert_same(found: Sums, expected: Sums, rtol: float = 0.0) -> None:
    for one, other in zip(arrays(found), arrays(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=rtol * np.abs(other).max(initial=0.0))


@pytest.mark.parametrize("add", [sums, sums_plain])
@pytest.mark.parametrize("near", [0, 2**10], ids=["by row", "by block"])
def test_sums_are_exact_where_arithmetic_is(
    compiled: None, monkeypatch: pytest.MonkeyPatch, add: Any, near: int
) -> None:
    monkeypatch.setattr(module, "_NEAR", near)

    @given(drawn=rows())
    def check(drawn: dict[str, Any]) -> None:
        expected = by_hand(**drawn)
        assert_same(add(**drawn, products=True), expected)
        without = add(**drawn, products=False)
        assert without.products is None
        assert_same(without, Sums(expected.count, expected.weight, expected.total, None))

    check()


@pytest.mark.parametrize("add", [sums, sums_plain])
def test_sums_of_two_parts_add_up(compiled: None, add: Any) -> None:
    @given(drawn=rows(), share=st.floats(0, 1))
    def check(drawn: dict[str, Any], share: float) -> None:
        cut = int(share * len(drawn["y"]))
        whole = arrays(add(**drawn, products=True))
        parts = [
            arrays(add(**{**drawn, **{name: drawn[name][part] for name in ("y", "place", "weight")}}, products=True))
            for part in (slice(0, cut), slice(cut, None))
        ]
        for total, one, other in zip(whole, *parts, strict=True):
            np.testing.assert_array_equal(one + other, total)

    check()


@pytest.mark.parametrize("count", [1, 127, 128, 129, 2048, 16 * 128 * 3 + 5])
@pytest.mark.parametrize(("length", "places"), [(1, 1), (10, 6), (3, 2000)])
def test_compiled_is_plain(compiled: None, count: int, length: int, places: int) -> None:
    rng = np.random.default_rng(count)
    y = rng.normal(5, 2, (count, length))
    y[rng.uniform(size=y.shape) < 0.1] = np.nan
    place, weight = rng.integers(-1, places, count), rng.uniform(0, 2, count)
    weight[rng.uniform(size=count) < 0.2] = 0.0
    shift = np.full(length, 5.0)
    right, constant = rng.normal(size=(places, length, 4)), rng.normal(size=(places, 4))
    for array in (y, place, weight, right):
        array.setflags(write=False)
    for products in (False, True):
        given_ = sums(y, place, places, weight, shift, products=products)
        assert_same(given_, sums_plain(y, place, places, weight, shift, products=products), NEAR)
    np.testing.assert_allclose(
        project(y, place, weight, right, constant), project_plain(y, place, weight, right, constant), atol=NEAR * 100
    )


@pytest.mark.parametrize("through", [project, project_plain])
def test_project_by_hand(compiled: None, through: Any) -> None:
    y = np.array([[1.0, 2.0], [np.nan, 3.0], [4.0, 4.0], [5.0, 6.0]])
    right = np.array([[[1.0, 0.0, 2.0], [0.0, 1.0, 1.0]], [[1.0, 1.0, 1.0], [2.0, 0.0, 1.0]]])
    constant = np.array([[0.0, 10.0, 0.0], [1.0, 1.0, 1.0]])
    found = through(y, np.array([0, 1, -1, 1]), np.array([1.0, 2.0, 1.0, 0.0]), right, constant)
    assert found.tolist() == [[1.0, 12.0, 4.0], [14.0, 2.0, 8.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]


@pytest.mark.parametrize("add", [sums, sums_plain])
def test_a_shift_keeps_all_digits_of_outcomes_far_from_zero(compiled: None, add: Any) -> None:
    """Mean 1e6, SD 1: the variance is as exact as that of the same outcomes around 0."""
    y = np.random.default_rng(3).normal(1e6, 1.0, (5000, 2))
    place, weight = np.zeros(len(y), dtype=np.intp), np.ones(len(y))
    exact = [[Fraction(value) for value in column] for column in y.T]
    means = [sum(column) / len(column) for column in exact]
    variance = sum((one - means[0]) * (other - means[1]) for one, other in zip(exact[0], exact[1], strict=True)) / len(
        y
    )

    def error(shift: Any) -> float:
        found = add(y, place, 1, weight, shift, products=True)
        mean = found.total[0] / len(y)
        covariance = Fraction(found.products[0, 0, 1]) / len(y) - Fraction(mean[0]) * Fraction(mean[1])
        return abs(float(covariance / variance - 1))

    assert error(y[0]) < NEAR
    assert error(np.zeros(2)) > 1e-6  # what the shift is for


def test_results_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    count, length, places = 40_000, 8, 4
    y, place, weight = rng.normal(size=(count, length)), rng.integers(0, places, count), rng.uniform(size=count)
    right, constant = rng.normal(size=(places, length, 3)), rng.normal(size=(places, 3))
    found = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(module, "threads", lambda number=threads: number)
        one = sums(y, place, places, weight, y.mean(axis=0), products=True)
        found.append([*arrays(one), project(y, place, weight, right, constant)])
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            np.testing.assert_array_equal(one, other)


def test_one_thread_holds_for_the_kernels_too() -> None:
    from impact.parallel import one_thread

    with one_thread():
        assert module.threads() == 1


@pytest.mark.parametrize("size", [10, 10_000])
@pytest.mark.parametrize("place", [-2, 3])
def test_a_place_that_is_not_there(compiled: None, size: int, place: int) -> None:
    y, places = np.zeros((size, 2)), np.zeros(size, dtype=np.intp)
    places[-1] = place
    with pytest.raises(ValueError, match="places run from"):
        sums(y, places, 3, np.ones(size), np.zeros(2), products=False)
    with pytest.raises(ValueError, match="places run from"):
        project(y, places, np.ones(size), np.zeros((3, 2, 1)), np.zeros((3, 1)))


def test_small_matrices_import_no_numba() -> None:
    code = (
        "import sys, numpy as np\n"
        "from impact.numerics.sums import project, sums\n"
        "y, place, weight = np.ones((4_000, 12)), np.zeros(4_000, dtype=np.intp), np.ones(4_000)\n"
        "sums(y, place, 1, weight, np.zeros(12), products=True)\n"
        "project(y, place, weight, np.ones((1, 12, 2)), np.ones((1, 2)))\n"
        "print('numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
