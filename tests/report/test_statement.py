"""The total table of the five statements, row by row, and its sentences against the design."""

from __future__ import annotations

import re
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.evidence.statement import Statement, choose, sentence
from tests.shared import shared

SURE: dict[str, Any] = {"measurable": True, "gates_passed": True, "better": "lower"}


@pytest.mark.parametrize(
    ("low", "high", "smallest", "kind", "form"),
    [
        # 0 outside the interval: direction, and "smaller than s" only strictly inside the bound
        (-4.0, -1.0, None, "more-favourable", "text"),
        (-4.0, -1.0, 3.0, "more-favourable", "text"),
        (-4.0, -1.0, 5.0, "more-favourable", "smaller"),
        (-4.0, -1.0, 4.0, "more-favourable", "text"),
        (1.0, 4.0, None, "less-favourable", "text"),
        (1.0, 4.0, 5.0, "less-favourable", "smaller"),
        # 0 inside, interval strictly inside the bound
        (-0.4, 0.2, 0.5, "no-difference-of-s", "text"),
        (0.0, 0.2, 0.5, "no-difference-of-s", "text"),
        # 0 on the edge is inside; an interval that touches the bound is not inside it
        (-0.5, 0.2, 0.5, "cannot-be-established", "interval"),
        (-0.2, 0.5, 0.5, "cannot-be-established", "interval"),
        (-7.0, 3.0, 5.0, "cannot-be-established", "interval"),
        (-7.0, 3.0, None, "cannot-be-established", "open"),
        (0.0, 4.0, None, "cannot-be-established", "open"),
        # no interval
        (None, None, 5.0, "cannot-be-established", "unknown"),
    ],
)
def test_the_rows_of_the_table(
    low: float | None, high: float | None, smallest: float | None, kind: str, form: str
) -> None:
    found = choose(low=low, high=high, smallest=smallest, **SURE)
    assert (found.kind, found.form) == (kind, form)


def test_what_comes_before_the_interval() -> None:
    given_ = {"low": -4.0, "high": -1.0, "smallest": 5.0, "better": "lower"}
    for passed in (True, False):
        assert choose(measurable=False, gates_passed=passed, **given_).kind == "not-measurable"  # type: ignore[arg-type]
    sealed = choose(measurable=True, gates_passed=False, **given_)  # type: ignore[arg-type]
    assert sealed == Statement("cannot-be-established", "check")


bounds = st.floats(-10, 10).map(lambda x: round(x, 1))


@given(bounds, bounds, st.none() | st.floats(0.1, 12), st.sampled_from(["lower", "higher"]))
def test_the_mirror_image_gets_the_same_statement(
    one: float, other: float, smallest: float | None, better: Literal["lower", "higher"]
) -> None:
    low, high = sorted((one, other))
    mirror: Literal["lower", "higher"] = "higher" if better == "lower" else "lower"
    common: dict[str, Any] = {"measurable": True, "gates_passed": True, "smallest": smallest}
    found = choose(low=low, high=high, better=better, **common)
    assert found == choose(low=-high, high=-low, better=mirror, **common)
    # What a statement claims holds for every value in the interval.
    values = [low + (high - low) * k / 8 for k in range(9)]
    if found.kind in ("more-favourable", "less-favourable"):
        wanted = -1 if (found.kind == "more-favourable") == (better == "lower") else 1
        assert all(wanted * x > 0 for x in values)
    if found.kind == "no-difference-of-s" or found.form == "smaller":
        assert smallest is not None and all(abs(x) < smallest for x in values)
    if found.kind == "cannot-be-established":
        assert low <= 0 <= high and (smallest is None or low <= -smallest or high >= smallest)


@pytest.mark.parametrize(
    "wrong", [{"low": 1.0, "high": None}, {"low": 2.0, "high": 1.0}, {"low": 1.0, "high": 2.0, "smallest": 0.0}]
)
def test_what_is_no_interval_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        choose(**{"smallest": None, **SURE, **wrong})


# --- the sentences ----------------------------------------------------------------------------------------------------

NAMES = {
    "outcome": "{I}",
    "areas": "{n}",
    "total": "20",
    "period": "{P}",
    "difference": "{d}",
    "low": "{l}",
    "high": "{h}",
    "level": "95",
    "bound": "{s}",
    "check": "{t}",
}


def designed(language: str) -> dict[str, str]:
    """The sentences of the design by number, as `NL` or `EN`, with its optional parts left in."""
    text = shared("design/statements.md").read_text(encoding="utf-8")
    parts = re.split(r"^(?=\d )", text, flags=re.M)
    return {part[0]: found[1] for part in parts if (found := re.search(rf"^- {language.upper()}: (.*)$", part, re.M))}


@pytest.mark.parametrize("language", ["nl", "en"])
def test_the_sentences_are_those_of_the_design(language: str) -> None:
    design = designed(language)
    reason = {"nl": "{reden}", "en": "{reason}"}[language]
    favourable, smaller = re.sub(r"\[.*?\]", "", design["1"]), re.sub(r"[\[\]]", "", design["1"])
    head, first, second, tail = re.fullmatch(r"(.*)\[(.*?) \| (.*?)\](.*)", design["4"]).groups()  # type: ignore[union-attr]
    less = {"nl": ("gunstiger", "ongunstiger"), "en": ("more favourably", "less favourably")}[language]
    expected = {
        Statement("more-favourable"): favourable,
        Statement("more-favourable", "smaller"): smaller,
        Statement("less-favourable"): favourable.replace(*less),
        Statement("less-favourable", "smaller"): smaller.replace(*less),
        Statement("no-difference-of-s"): design["3"],
        Statement("cannot-be-established", "interval"): head + first + tail,
        Statement("cannot-be-established", "check"): head + second + tail,
        Statement("not-measurable"): design["5"],
    }
    ours = {statement: sentence(statement, language, **NAMES, reason=reason) for statement in expected}
    assert {s: text.replace("‘", "'").replace("’", "'") for s, text in ours.items()} == expected
