"""Values that are written without loss, and digests that miss no difference a calculation could see."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from functools import partial
from typing import Any

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.cells import Note
from impact.errors import Refused
from impact.estimators.registry import ESTIMATORS
from impact.estimators.registry import resolve as estimator_named
from impact.evidence.robust import LeftOut
from impact.files import MAX_JSON
from impact.inference.leaving_out import LeaveOneOut
from impact.inference.protocol import Uncertainty
from impact.inference.registry import INFERENCES
from impact.study.exact import Unknown, digest, packed, unpacked
from tests.contract.test_inferences import made, plain, world

plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inside: st.lists(inside) | st.lists(inside).map(tuple) | st.dictionaries(st.text() | st.integers(), inside),
    max_leaves=20,
)
numbers = arrays.arrays(
    st.sampled_from(["<f8", "<f4", "<i8", "|b1"]), arrays.array_shapes(min_dims=0, max_dims=3, min_side=0)
)


def same(one: Any, other: Any) -> bool:
    """Of one kind and equal to the last bit, nan to nan, arrays with their layout."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray | np.generic):
        bytes_ = one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
        flags = [(array.flags.c_contiguous, array.flags.f_contiguous) for array in (one, other)]
        return bytes_ and flags[0] == flags[1]
    if is_dataclass(one) and not isinstance(one, type):
        return all(same(getattr(one, field.name), getattr(other, field.name)) for field in fields(one))
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    return repr(one) == repr(other)  # tells -0.0 from 0.0, and nan is nan


@given(plain_values)
def test_what_is_plain_comes_back_as_it_was(value: object) -> None:
    assert same(value, unpacked(packed(value)))


@given(numbers, st.sampled_from("CF"))
def test_an_array_comes_back_to_the_last_bit_and_in_its_layout(value: Any, order: Any) -> None:
    array = np.asarray(value, order=order)
    assert same(array, unpacked(packed(array)))
    assert same((array,), unpacked(packed((array,))))


@pytest.mark.parametrize("value", [np.float64(-0.0), np.int64(3), np.bool_(True), np.float64("nan"), 5e-324, -0.0])
def test_a_single_number_keeps_its_kind(value: object) -> None:
    assert same(value, unpacked(packed(value)))


@pytest.mark.parametrize(
    "value",
    [
        object(),
        Note("n"),
        LeftOut("area"),
        {1, 2},
        np.array([None]),
        np.array(["a"]),
        np.zeros((4, 4))[:2, :2],
        np.ma.array([1.0]),
        np.array([1j]),
    ],
)
def test_what_is_not_known_is_not_written(value: object) -> None:
    with pytest.raises(Unknown):
        packed(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1]",
        "{}",
        '{"a": 1, "b": 2}',
        '{"Path": []}',
        '{"Refused": []}',
        '{"number": "1"}',
        '{"array": ["|O", [1], "C", "AAAA"]}',
        '{"array": ["<f8", [1000000000000], "C", "AAAA"]}',
        '{"array": ["<f8", [2], "C", "AAAAAAAAAAA="]}',
        '{"array": ["<f8", [1], "C", "!!"]}',
        '{"array": 3}',
        '{"dict": [[1]]}',
        '{"dict": [[{"list": []}, 1]]}',
        '{"tuple": null}',
        "NaN",
        "1e999",
        '{"tuple": [' * 100_000,
        '{"Uncertainty": [1, 2, 3]}',
    ],
)
def test_what_was_not_packed_is_no_value(text: str) -> None:
    assert len(text) < MAX_JSON
    with pytest.raises(ValueError):
        unpacked(text.encode())


@pytest.mark.parametrize("inference", INFERENCES)
def test_every_inference_can_be_kept(inference: str) -> None:
    """A digest of it, and what it gives back as it was; else a run would quietly compute it every time."""
    digest(made(inference))
    for estimator in ("group-time", "synthetic-control"):
        found = plain(inference, estimator)
        assert same(found, unpacked(packed(found)))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_every_estimator_and_what_it_gives_can_be_kept(estimator: str) -> None:
    digest(estimator_named(estimator)(), world())
    found = plain("cluster-jackknife", estimator)
    assert same(found, unpacked(packed(found)))


def test_leaving_out_can_be_kept() -> None:
    found = LeaveOneOut("area", ("a",), np.ones(1), ("x", "y"), np.full((2, 1), np.nan), {"x": Refused("a", "b")})
    assert same(found, unpacked(packed(found)))


def test_a_digest_tells_apart_what_a_calculation_can() -> None:
    panel = world()
    y = panel.y.copy()
    y[0, 0] = np.nextafter(y[0, 0], np.inf)
    jackknife = made("cluster-jackknife")
    found = plain("cluster-jackknife", "group-time")
    assert isinstance(found, Uncertainty)
    different = [
        (panel,),
        (replace(panel, y=y),),
        (panel.take(range(len(panel.units) - 1)),),
        (panel.until(len(panel.periods) - 1),),
        (replace(panel, unit="x"),),
        (replace(panel, notes=("x",)),),
        (replace(panel, weight=panel.weight * 2),),
        (panel, 1),
        (panel, 1.0),
        (panel, True),
        (panel, "1"),
        (panel, None),
        (panel, (1,)),
        (panel, [1]),
        (panel, ((1,),)),
        (panel, np.float64(1)),
        (panel, np.array([1.0])),
        (panel, np.array([[1.0]])),
        (panel, np.array([1])),
        (panel, {"a": 1}),
        (panel, {"a": 1, "b": 2}),
        (panel, {"b": 2, "a": 1}),
        (panel, "ab", "c"),
        (panel, "a", "bc"),
        (panel, 0.0),
        (panel, -0.0),
        (panel, np.zeros((2, 3))),
        (panel, np.zeros((2, 3), order="F")),
        (panel, np.zeros((3, 2))),
        (panel, np.array(["a"], dtype=object)),
        (panel, Note("n")),
        (panel, Note("n", "key")),
        (panel, "n"),
        (panel, frozenset({1, 2})),
        (panel, frozenset({1, 3})),
        (panel, jackknife),
        (panel, made("cluster-jackknife", level=0.9)),
        (panel, made("wild")),
        (panel, estimator_named("group-time")()),
        (panel, estimator_named("group-time")(control="not-yet")),
    ]
    assert len({digest(*values) for values in different}) == len(different)
    assert digest(panel) == digest(world())
    assert digest(frozenset("abcdef")) == digest(frozenset("fedcba"))


@pytest.mark.parametrize("value", [object(), partial(print), print, lambda: 1, [object()], int])
def test_what_has_no_digest_says_so(value: object) -> None:
    with pytest.raises(Unknown):
        digest(value)
