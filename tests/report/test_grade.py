"""The proposed grade: what lowers it, and that every result has exactly one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.checks.protocol import Check
from impact.evidence.grade import MOST, grade, grade_sentences
from impact.evidence.language import texts
from impact.evidence.look import Look
from impact.evidence.record import Evidence, Excluded, Variant
from tests.report.samples import AREAS, REFUSED, estimate
from tests.report.test_citation import CLEAN, FIXED, HIDDEN
from tests.report.test_language import FORBIDDEN


def codes(evidence: Evidence, **changes: Any) -> set[str]:
    return {reason.code for reason in grade(replace(evidence, **changes)).reasons}


def test_the_best_that_such_a_design_can_be() -> None:
    found = grade(FIXED)
    assert (found.level, found.reasons, found.rung, found.signed) == (3, (), 3, "")
    assert "niveau 3 van 5" in " ".join(grade_sentences(found, texts("nl")))
    worse = grade(replace(FIXED, better="higher"))
    assert (worse.level, worse.rung) == (3, None), "a rung asks for what was aimed at"


FAILED = replace(CLEAN[1], statistic=0.4, verdict="fail")


@pytest.mark.parametrize(
    ("changes", "code", "level"),
    [
        ({"periods": ("2021", "2022", "2023", "2024", "2025")}, "few-before", 2),
        ({"periods_left_out": tuple(Excluded(str(y), "corona") for y in range(2018, 2022))}, "few-before", 2),
        ({"areas": ()}, "few-before", 2),  # unknown counts as too few
        ({"checks": (*CLEAN, replace(CLEAN[0], name="pre-periods", statistic=2.0))}, "few-before", 2),
        ({"checks": CLEAN[:2]}, "pre-trend-open", 2),
        ({"checks": (CLEAN[0], CLEAN[2])}, "balance-open", 2),
        ({"checks": (CLEAN[0], replace(CLEAN[1], verdict="not_evaluated"), CLEAN[2])}, "balance-open", 2),
        ({"checks": (*CLEAN[:2], replace(CLEAN[2], verdict="not_evaluated"))}, "pre-trend-open", 2),
        ({"checks": (*CLEAN[:2], replace(CLEAN[2], verdict="fail"))}, "check", 2),
        ({"checks": (CLEAN[0], FAILED, CLEAN[2])}, "check", 2),
        ({"bracket": (Variant("unmatched", "", True, estimate(value=3.0)),)}, "two-signs", 2),
        ({"status": "exploratory"}, "exploratory", 2),
        ({"status": "deviation"}, "deviation", 2),
        ({"look": Look(3, "", 2, "pocock", 0.05, "2025", 1.0, 2.0, 0.04, 0.04)}, "unplanned-look", 2),
        ({"primary": replace(FIXED.primary, method="synthetic-did")}, "unsized", 2),
        ({"primary": replace(FIXED.primary, adjusted=True)}, "unsized", 2),
        ({"status": "exploratory", "checks": (CLEAN[0], FAILED, CLEAN[2])}, "exploratory", 1),
        ({"placebo": True}, "placebo", None),
        ({"not_measurable": ("nee",)}, "not-measurable", None),
        ({"checks": (replace(CLEAN[0], verdict="not_evaluated"),)}, "sealed", None),
        ({"primary": HIDDEN.primary}, "withheld", None),
        ({"primary": REFUSED.primary}, "no-number", None),
    ],
)
def test_what_lowers_a_grade(changes: dict[str, Any], code: str, level: int | None) -> None:
    made = replace(FIXED, **changes)
    found = grade(made)
    assert (code in codes(made), found.level, found.rung) == (True, level, None)


def test_donors_weighted_by_their_course_need_no_balance_of_characteristics() -> None:
    weighted = tuple(replace(area, weights=(("WK990101", 1.0),)) for area in AREAS)
    assert grade(replace(FIXED, checks=(CLEAN[0], CLEAN[2]), areas=weighted)).level == 3


def test_another_number_than_the_answer_is_lower_even_where_it_is_the_same() -> None:
    assert grade(FIXED, FIXED.primary).level == 2
    assert {reason.code for reason in grade(FIXED, FIXED.primary).reasons} == {"not-the-answer"}


CHECK = st.builds(
    Check,
    st.sampled_from(["controls", "balance", "pre-trend", "pre-periods", "not-known-yet"]),
    st.none() | st.floats(0, 20),
    st.none(),
    st.sampled_from(["pass", "fail", "not_evaluated"]),
    st.booleans(),
    st.sampled_from(["design", "pre"]),
    st.just(""),
)


@given(
    st.lists(CHECK, max_size=5),
    st.sampled_from(["pre-specified", "amended", "deviation", "exploratory"]),
    st.booleans(),
    st.sampled_from(["lower", "higher", "neither"]),
    st.none() | st.floats(-20, 20),
    st.none() | st.floats(0, 5),
    st.sampled_from(["group-time", "nothing-known"]),
    st.integers(0, 18),
)
def test_every_result_has_one_grade_with_its_reasons_in_words(
    checks: Any, status: Any, placebo: bool, better: Any, value: Any, reach: Any, method: str, areas: int
) -> None:
    ends = (None, None) if value is None or reach is None else (value - reach, value + reach)
    primary = estimate(value=value, low=ends[0], high=ends[1], method=method)
    made = replace(
        FIXED, checks=tuple(checks), status=status, placebo=placebo, better=better, primary=primary, areas=AREAS[:areas]
    )
    found = grade(made)
    assert found == grade(made) and found.signed == ""
    assert found.level in (None, 1, 2, 3) and (found.level == MOST) is (found.reasons == ())
    assert found.rung is None or found.level == MOST
    assert (found.level is None) >= (made.sealed or placebo or value is None or reach is None)
    for language in ("nl", "en"):
        words = list(grade_sentences(found, texts(language)))
        assert words and "{" not in "".join(words) and FORBIDDEN.search(" ".join(words)) is None


def test_a_signature_is_said() -> None:
    signed = " ".join(grade_sentences(replace(grade(FIXED), signed="A. Beoordelaar"), texts("en")))
    assert "Judged and signed by A. Beoordelaar." in signed and "Nobody" not in signed
