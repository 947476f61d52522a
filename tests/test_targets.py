"""Estimands by hand: who counts once, in which periods, under which weighting."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from impact.errors import Refused, UsageError
from impact.estimators.group_time import GroupTime
from impact.inference.protocol import Found, evaluate
from impact.panel import Panel
from impact.targets import Target
from tests.test_inference import hand


def residents() -> Panel:
    """u0 starts in period 1 and gains 6; u1, u2, u3 start in period 2 and gain 1, 2, 3; 10 residents, and 10, 20 and
    60."""
    return replace(hand(), residents=np.array([10.0, 10, 20, 60, 5, 5]))


def terms(target: Target, panel: Panel | None = None) -> dict[str, float]:
    found = evaluate(GroupTime(), panel or residents(), target)
    assert isinstance(found, Found), found
    return dict(zip(found.effects.terms, found.effects.estimate, strict=True))


@pytest.mark.parametrize(
    ("weighting", "expected"),
    [
        ("unit", (6 + 6 + 1 + 2 + 3) / 5),  # every treated unit once per period
        ("area", (6 + 1 + 2 + 3) / 4),  # every area once, over its own periods
        ("resident", (10 * 6 + 10 * 6 + 10 * 1 + 20 * 2 + 60 * 3) / (10 + 10 + 90)),
    ],
)
def test_average(weighting: Any, expected: float) -> None:
    assert terms(Target("average", weighting)) == pytest.approx({"average": expected})


@pytest.mark.parametrize(("weighting", "late"), [("unit", 2.0), ("area", 2.0), ("resident", (10 + 40 + 180) / 90)])
def test_cohort(weighting: Any, late: float) -> None:
    early, count = (1, 3) if weighting != "resident" else (10, 90)
    expected = {"1": 6.0, "2": late, "mean": (early * 6 + count * late) / (early + count)}
    assert terms(Target("cohort", weighting)) == pytest.approx(expected)


def test_calendar() -> None:
    """In period 1 the first unit alone; in period 2 all four: (6 + 1 + 2 + 3) / 4 = 3; the mean counts periods once."""
    assert terms(Target("calendar")) == pytest.approx({"1": 6.0, "2": 3.0, "mean": 4.5})


def test_event() -> None:
    """Before the start the late cohort alone, where nothing happens; at 0 all; at 1 the first; the mean from 0 on."""
    assert terms(Target("event")) == pytest.approx({"-1": 0.0, "0": 3.0, "1": 6.0, "mean": 4.5})
    assert terms(Target("event", window=("0", "0"))) == pytest.approx({"0": 3.0, "mean": 3.0})


def test_unit_is_by_area() -> None:
    assert terms(Target("unit")) == pytest.approx({"u0": 6.0, "u1": 1.0, "u2": 2.0, "u3": 3.0})
    panel = residents()
    pooled = panel.assign(panel.first, np.array([0, 1, 1, 2, -1, -1]), ("A", "B", "C"))
    assert terms(Target("unit"), pooled) == pytest.approx({"A": 6.0, "B": 1.5, "C": 3.0})
    assert terms(Target("unit", "resident"), pooled) == pytest.approx({"A": 6.0, "B": 50 / 30, "C": 3.0})
    # The areas once each; as units B counts twice.
    assert terms(Target("average", "area"), pooled) == pytest.approx({"average": (6 + 1.5 + 3) / 3})


def test_a_window_of_periods() -> None:
    assert terms(Target(window=("2", "2"))) == pytest.approx({"average": 3.0})
    assert terms(Target("cohort", window=("1", "1"))) == pytest.approx({"1": 6.0, "mean": 6.0})


def test_shares_and_areas_of_a_term() -> None:
    found = evaluate(GroupTime(), residents(), Target("event"))
    assert isinstance(found, Found)
    assert found.effects.areas == (3, 4, 1, 4)
    np.testing.assert_allclose(found.effects.share[:, 0], [0, 1 / 3, 1 / 3, 1 / 3, 0, 0])
    np.testing.assert_allclose(found.effects.share[:, 1], [0.25, 0.25, 0.25, 0.25, 0, 0])
    np.testing.assert_allclose(found.effects.share[:, 3], [0.625, 0.125, 0.125, 0.125, 0, 0])


def test_a_window_without_effects_is_refused() -> None:
    found = evaluate(GroupTime(), residents(), Target(window=("0", "0")))
    assert isinstance(found, Refused) and "window" in found.because


def test_a_window_of_other_periods_names_those_there_are() -> None:
    with pytest.raises(UsageError) as caught:
        evaluate(GroupTime(), residents(), Target(window=("2014", "2")))
    assert "2014" in str(caught.value) and "0, 1, 2" in str(caught.value)


@pytest.mark.parametrize("window", [("a", "b"), ("0", "2015-01")])
def test_event_times_are_whole_numbers(window: tuple[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        evaluate(GroupTime(), residents(), Target("event", window=window))
    assert caught.value.problems[0].code == "USAGE-005"


@pytest.mark.parametrize("wrong", [{"kind": "mean"}, {"weighting": "euro"}])
def test_what_a_target_can_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is not one of"):
        Target(**wrong)
