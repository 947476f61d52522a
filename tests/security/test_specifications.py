"""Specifications from outside: bombs, invisible signs, templates and orders to the screen are harmless."""

from __future__ import annotations

from pathlib import Path

import pytest

from impact.errors import ImpactError, Problem, SpecError
from impact.study.read import read_study
from tests.study.example import SPEC, written


def refused(tmp_path: Path, text: str) -> tuple[Problem, ...]:
    with pytest.raises(SpecError) as caught:
        read_study(written(tmp_path, text))
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "SPEC-003"),
        ("a: &a {x: 1}\nb: {<<: *a}\n", "SPEC-003"),
        ("a: !!python/object/apply:os.system [id]\n", "SPEC-003"),
        ("%TAG ! tag:yaml.org,2002:python/\n---\na: !object/apply:os.system [id]\n", "SPEC-003"),
        ("a: " + "[" * 90_000, "SPEC-003"),
        ("a: " + "{a: " * 20_000, "SPEC-003"),
        ("- " * 45_000, "SPEC-003"),
        (SPEC + "x" * 100_000, "SPEC-001"),
        ("", "SPEC-003"),
    ],
)
def test_bombs_are_refused_before_they_unfold(tmp_path: Path, text: str, code: str) -> None:
    assert code in {problem.code for problem in refused(tmp_path, text)}


def test_thousands_of_unknown_keys_take_a_few_readings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, not timed: each reading validates the whole specification."""
    from impact.study import validate

    readings = 0
    real = validate.Specification.model_validate

    def counted(*given: object) -> object:
        nonlocal readings
        readings += 1
        return real(*given)

    monkeypatch.setattr(validate.Specification, "model_validate", counted)
    problems = refused(tmp_path, SPEC + "".join(f"k{number}: 1\n" for number in range(5_000)))
    assert len(problems) == 51 and "4950 more" in problems[-1].message
    assert readings < 200


def test_hundreds_of_alternatives_are_refused(tmp_path: Path) -> None:
    more = "".join(f"  - {{name: a{n}, why: b, same_estimand: true, change: {{seed: 1}}}}\n" for n in range(500))
    problems = refused(tmp_path, SPEC.replace("alternatives:\n", f"alternatives:\n{more}"))
    assert any("at most 100 alternatives" in problem.message for problem in problems)


@pytest.mark.parametrize(
    "sign", ["\\u202e", "\\u2066", "\\u200b", "\\ufeff", "\\e", "\\0", "\\x9b", "\\u2028", "\\xad", "\\ud800", "\\r"]
)
@pytest.mark.parametrize("place", ["title", "key"])
def test_signs_that_nobody_sees(tmp_path: Path, sign: str, place: str) -> None:
    if place == "title":
        text = SPEC.replace("question: Veranderde het?", f'question: "Veranderde{sign} het?"')
    else:
        text = SPEC.replace("delft-west:", f'"delft{sign}-west":')
    problems = refused(tmp_path, text)
    assert any("invisible character" in problem.message and problem.line for problem in problems)
    said = str(SpecError(problems))
    assert all(ord(letter) >= 32 or letter == "\n" for letter in said), "nothing is sent to the screen as it was"


def test_a_message_is_short_and_commands_no_screen() -> None:
    error = ImpactError(Problem("X-001", "\x1b[2J\u202egevaar\x07" + "x" * 1_000_000))
    assert "\x1b" not in str(error) and "\u202e" not in str(error) and "\\u001b" in str(error)
    assert len(str(error)) < 20_000


@pytest.mark.parametrize("number", ["1e999", ".inf", ".nan", "-0.0", "1e-400", "9" * 400])
def test_numbers_that_are_none(tmp_path: Path, number: str) -> None:
    refused(tmp_path, SPEC.replace("value: 0.5", f"value: {number}"))


@pytest.mark.parametrize(
    "more", ["__class__: x", "model_config: {}", "__proto__: 1", "self: 1", "schema_: 1", "register_: x", "0: 1"]
)
def test_names_of_the_inside_are_unknown_keys(tmp_path: Path, more: str) -> None:
    assert {problem.code for problem in refused(tmp_path, f"{SPEC}{more}\n")} <= {"SPEC-004", "SPEC-010"}
