"""What a user is likely to get wrong, or to misread, is told in one message."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import impact
from impact.errors import Refused, UsageError
from impact.estimators.registry import ALIASES, ESTIMATORS
from tests.contract.worlds import frame, panel_of
from tests.study.example import read, refused


@pytest.mark.parametrize("call", ["estimate", "compare"])
def test_95_is_no_level_and_a_table_is_no_panel(call: str) -> None:
    how: Any = getattr(impact, call)
    second: Any = "did" if call == "estimate" else ["did", "group-time"]
    with pytest.raises(UsageError, match=r"0\.95 for 95 %"):
        how(panel_of(frame()), second, level=95)
    with pytest.raises(UsageError, match=r"Panel\.from_frame"):
        how(frame(), second)


def test_parameters_of_the_wrong_type_are_told() -> None:
    for options in ({"before": "2"}, {"before": 1.5}, {"anticipation": "1"}):
        with pytest.raises(UsageError, match="USAGE-003"):
            impact.estimate(panel_of(frame()), "stacked", **options)


def test_names_of_other_packages_lead_to_ours() -> None:
    assert set(ALIASES.values()) <= set(ESTIMATORS)
    for name, ours in (("etwfe", "extended-twfe"), ("did2s", "two-stage"), ("att_gt", "group-time")):
        with pytest.raises(UsageError, match=f"did you mean '{ours}'"):
            impact.estimate(panel_of(frame()), name)


def test_a_window_that_does_not_fit_says_so() -> None:
    found = impact.estimate(panel_of(frame()), "stacked", before=9)
    assert isinstance(found, Refused)
    assert "whole window" in found.because and "`before`" in found.instead
    assert found.summary() == str(found)


def test_a_proportion_is_not_subtracted_from_a_difference() -> None:
    side = impact.compare(panel_of(frame()), ["did", "poisson"])
    said = side.summary()
    assert (
        "a proportion" in said and "not compared: did is in the unit of the outcome and poisson in proportion" in said
    )
    level = impact.compare(panel_of(frame()), ["did", ("poisson", {"effect": "level"})])
    assert "not compared" not in level.summary()


def test_repeated_cross_sections_cannot_be_decomposed() -> None:
    sample = impact.Sample.from_panel(panel_of(frame()))
    found = impact.decompose(sample)  # type: ignore[arg-type]
    assert isinstance(found, Refused) and "seen again" in found.because


def test_one_coefficient_is_not_read_as_many() -> None:
    result = impact.estimate(panel_of(frame()), "twfe", target="cohort")
    assert not isinstance(result, Refused)
    assert any("one coefficient for all treated cells" in note for note in result.fit.notes)
    event = impact.estimate(panel_of(frame()), "twfe", effect="event")
    assert not isinstance(event, Refused)
    assert not any("one coefficient" in note for note in event.fit.notes)


def test_one_coefficient_has_no_part_of_the_periods(tmp_path: Path) -> None:
    """In a study the window is what the report claims."""
    twfe = ("{name: group-time, control: never}", "{name: twfe}")
    narrow = ("window: [2022, 2024]", "window: [2022, 2023]")
    assert read(tmp_path, twfe)
    (problem,) = refused(tmp_path, twfe, narrow)
    assert problem.path == "target.window" and "2022 to 2024 together" in problem.message
    assert read(tmp_path, ("{name: group-time, control: never}", "{name: twfe, effect: event}"), narrow)
