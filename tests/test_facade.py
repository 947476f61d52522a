"""What `impact.estimate` gives, and what it says to a wrong call."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import impact
from impact.errors import UsageError
from impact.estimators import registry
from impact.estimators.group_time import GroupTime
from impact.inference.cluster import ClusterJackknife
from tests.test_inference import Fails, hand


def usage(*args: Any, **options: Any) -> str:
    with pytest.raises(UsageError) as caught:
        impact.estimate(hand(), *args, **options)
    return str(caught.value)


def test_an_option_of_neither_lists_both_signatures() -> None:
    said = usage("group-time", inference="score-flip", windows=3)
    assert "USAGE-002" in said and "'windows'" in said and "neither" in said
    assert "group-time(control" in said and "anticipation" in said and "score-flip(draws" in said


def test_every_wrong_option_at_once() -> None:
    said = usage("did", cluster="x", draws=3)
    assert "'cluster'" in said and "'draws'" in said and "Panel.from_frame" in said


def test_an_option_of_both_lists_both_signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.ESTIMATORS, "drawing", "tests.test_facade:Drawing")
    said = usage("drawing", inference="score-flip", draws=3)
    assert "both" in said and "drawing(on" in said and "score-flip(draws" in said


@dataclass(frozen=True)
class Drawing(Fails):
    draws: int = 1


def test_an_option_to_an_object_is_refused() -> None:
    assert "already configured" in usage(GroupTime(), base="universal")


def test_a_value_that_is_not_allowed() -> None:
    assert "USAGE-003" in usage("group-time", control="nobody") and "never, not-yet" in usage(
        "group-time", control="nobody"
    )
    assert "USAGE-003" in usage("group-time", target="everything")
    assert "USAGE-003" in usage("did", weighting="euro")


@pytest.mark.parametrize(
    ("wrong", "near"), [("grouptime", "group-time"), ("synth-did", "synthetic-did"), ("diid", "did")]
)
def test_an_unknown_estimator_names_the_nearest(wrong: str, near: str) -> None:
    said = usage(wrong)
    assert "USAGE-001" in said and repr(wrong) in said and f"did you mean {near!r}" in said


def test_an_unknown_inference_names_the_nearest() -> None:
    assert "did you mean 'cluster-jackknife'" in usage("did", inference="cluster-jacknife")
    assert "known: cluster-jackknife" in usage("did", inference="xyz")


def test_names_of_later_versions_are_told_so() -> None:
    assert "later version" in usage("matrix-completion")


def test_the_estimate_stands_when_its_interval_is_refused() -> None:
    result = impact.estimate(hand().drop([3]), "group-time", seed=3)
    assert isinstance(result, impact.Result)
    table = result.tidy()
    # (6 + 6 + 2 × 1.5) / 4
    assert table.loc[0, "estimate"] == pytest.approx(3.75)
    assert np.isnan(table.loc[0, "std_error"]) and table.loc[0, "status"].startswith("refused: ")
    assert "3 treated clusters" in table.loc[0, "status"]


def test_level_reaches_objects_and_names_alike() -> None:
    by_name = impact.estimate(hand(), "group-time", level=0.9)
    by_object = impact.estimate(hand(), GroupTime(), inference=ClusterJackknife(), level=0.9)
    assert isinstance(by_name, impact.Result) and isinstance(by_object, impact.Result)
    low = by_name.tidy().loc[0, "ci_low"]
    assert low == by_object.tidy().loc[0, "ci_low"]
    # 2.353363 is the 95 % point of t(3).
    assert low == pytest.approx(3.6 - 2.353363 * math.sqrt(2.6375), abs=1e-6)
