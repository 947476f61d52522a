"""Sentences on how well an estimate holds say which way it goes, and never lose a small number in rounding."""

from __future__ import annotations

import re

import pytest

from impact.evidence.language import texts
from impact.evidence.plots_robust import breakdown
from impact.evidence.robust import Honest


@pytest.mark.parametrize(("language", "nothing"), [("nl", "geen verschil"), ("en", "no difference")])
def test_no_difference_is_never_read_as_not_any_difference(language: str, nothing: str) -> None:
    """The words "sluit geen verschil uit" say that all differences fit, or that one of 0 does not."""
    loose = re.compile(rf"(?<!‘)(?<!nog ){nothing}(?!’)")
    said = {key: text for key, text in texts(language).entries.items() if key.startswith("robust.")}
    assert {key for key, text in said.items() if loose.search(str(text))} == set()


@pytest.mark.parametrize(("value", "shown"), [(0.0042, "0,0042"), (0.0871, "0,087"), (0.5, "0,5"), (3.57, "3,6")])
def test_a_small_breakdown_value_is_not_nought(value: float, shown: str) -> None:
    sentence = breakdown(Honest(breakdown=value), texts("nl"))
    assert f"De omslagwaarde is {shown}:" in sentence and f"onder {shown} keer" in sentence
    assert "nul buiten het interval" in sentence
