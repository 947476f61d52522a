"""The proposed grade: what lowers it, and that every result has exactly one."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.checks.protocol import Check
from impact.evidence.document import Foreign, Paragraph, Table
from impact.evidence.grade import MOST, grade, grade_sentences
from impact.evidence.grade_form import grade_form
from impact.evidence.language import texts
from impact.evidence.look import Look
from impact.evidence.reading import visible
from impact.evidence.record import Evidence, Excluded, Variant
from impact.evidence.report import document
from impact.evidence.signed import Signed
from tests.report.samples import ALL, AREAS, ORDINARY, REFUSED, SEALED, UNMATCHED, estimate
from tests.report.test_citation import CLEAN, FIXED, HIDDEN
from tests.report.test_language import FORBIDDEN


def codes(evidence: Evidence, **changes: Any) -> set[str]:
    return {reason.code for reason in grade(replace(evidence, **changes)).reasons}


def test_the_best_that_such_a_design_can_be() -> None:
    found = grade(FIXED)
    assert (found.level, found.reasons, found.rung, found.signed) == (3, (), 3, None)
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
    assert found == grade(made) and found.signed is None
    assert found.level in (None, 1, 2, 3) and (found.level == MOST) is (found.reasons == ())
    assert found.rung is None or found.level == MOST
    assert (found.level is None) >= (made.sealed or placebo or value is None or reach is None)
    for language in ("nl", "en"):
        words = list(grade_sentences(found, texts(language)))
        assert words and "{" not in "".join(words) and FORBIDDEN.search(" ".join(words)) is None


SIGNED = Signed(2, "A. Beoordelaar", "lid begeleidingscommissie", "2026-11-26", "De vergelijking is te klein.")


def test_a_signature_is_said_and_none_is_assumed() -> None:
    found = grade(replace(FIXED, signed=SIGNED))
    assert found.level == 3, "the proposal stays what it was"
    said = " ".join(grade_sentences(found, texts("nl")))
    assert "Vastgesteld op niveau 2 door A. Beoordelaar (lid begeleidingscommissie), 2026-11-26." in said
    assert "voorstel voor niveau 3 van 5" in said and "Niet door een persoon vastgesteld" not in said
    assert "Niet door een persoon vastgesteld." in " ".join(grade_sentences(grade(FIXED), texts("nl")))
    assert "Not established by a person." in " ".join(grade_sentences(grade(FIXED), texts("en")))
    assert grade(replace(FIXED, signed=SIGNED), FIXED.primary).signed is None, "nobody judged another number"


# --- the form ---------------------------------------------------------------------------------------------------------


def tables(evidence: Evidence, language: str = "nl") -> tuple[Table, Table]:
    _, _, robins, trend = grade_form(visible(evidence), texts(language))
    assert isinstance(robins, Table) and isinstance(trend, Table)
    return robins, trend


@pytest.mark.parametrize("language", ["nl", "en"])
@pytest.mark.parametrize("name", ALL)
def test_seven_domains_and_22_items_with_no_judgement_of_a_machine(name: str, language: str) -> None:
    robins, trend = tables(ALL[name], language)
    assert (len(robins.rows), len(trend.rows)) == (7, 22)
    assert [str(row[0])[:1] for row in robins.rows] == list("1234567")
    assert [row[0] for row in trend.rows] == [str(item) for item in range(1, 23)]
    for _, facts, person in robins.rows:
        assert facts and str(person).endswith("?"), "the judgement is a question to a person"
    said = " ".join(str(cell) for row in robins.rows for cell in row)
    assert not re.search(r"risico|risk|matig|moderate|ernstig|serious|kritiek|critical", said, re.IGNORECASE)
    asked = {str(row[0]) for row in trend.rows if row[2] in ("Voor een persoon.", "For a person.")}
    assert asked >= {"2", "4", "9", "19", "20", "21", "22"}, "what a run cannot know"


def test_a_domain_rests_on_the_facts_of_the_run() -> None:
    facts = {str(row[0])[0]: str(row[1]) for row in tables(ORDINARY)[0].rows}
    assert "gekozen op inwoners, woningen corporatie (%)" in facts["1"]
    assert "Toets ‘vergelijkbare kenmerken’: niet gehaald." in facts["1"]
    assert "Toets ‘gelijke ontwikkeling voor de start’: niet uitgevoerd." in facts["1"]
    assert "18 van de 20 gebieden" in facts["2"] and "met een reden: 2" in facts["2"]
    assert "begonnen volgens de studie in 2023." in facts["3"]
    assert facts["4"] == "Wat er in de gebieden en daarbuiten is gedaan, staat niet in de gegevens."
    assert "Politie 47018NED" in facts["6"]
    assert "De opzet was niet vooraf vastgelegd." in facts["7"] and "in dit rapport staan: 2." in facts["7"]
    unlike = {str(row[0])[0]: str(row[1]) for row in tables(replace(UNMATCHED, balance=()))[0].rows}
    assert "Er is niet gekoppeld" in unlike["1"]


@pytest.mark.parametrize("language", ["nl", "en"])
def test_the_form_of_a_sealed_result_holds_no_number_of_it(language: str) -> None:
    said = " ".join(str(cell) for table in tables(SEALED, language) for row in table.rows for cell in row)
    assert not re.search(r"\d[.,]\d", re.sub(r"1\.000 euro|2[.,]310", "", said)), said


def test_the_account_has_the_form_and_the_reason_of_who_signed() -> None:
    (section,) = (
        part for part in document(replace(FIXED, signed=SIGNED), {}, "en").account if part.name == "bewijskracht"
    )
    assert section.title == "The evidence, for who judges it"
    assert section.blocks[1] == Paragraph(("Reason:", Foreign("De vergelijking is te klein.", "nl")))
    (section,) = (part for part in document(FIXED, {}, "nl").account if part.name == "bewijskracht")
    assert "study.grade.yaml" in str(section.blocks[1])
