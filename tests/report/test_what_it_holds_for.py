"""Over how many areas an answer is, for which outcomes an interval holds, and in which unit a level is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from impact.evidence.change_table import both_units
from impact.evidence.citation import Numbered, cited
from impact.evidence.collected import Collected, Row
from impact.evidence.collection_page import collection_document
from impact.evidence.conclusion import said
from impact.evidence.document import Document
from impact.evidence.forms import formed
from impact.evidence.language import texts
from impact.evidence.plots_collection import collection_figures
from impact.evidence.report import document
from impact.evidence.statement import Statement
from tests.report.samples import MEMBERS, ORDINARY, ROBUST, SEALED, TOGETHER


def words(page: Document) -> str:
    """The page as plain text, without the breaks of its lines."""
    return " ".join(formed(page, "text", texts(page.language), {}).decode("utf-8").split())


# A blank estimate is about no area at all, as that of a run that a gate stopped.
CLOSED = replace(
    SEALED, status="pre-specified", primary=replace(SEALED.primary, value=None, areas=0, treated_clusters=0)
)
AREAS = sum(not area.left_out for area in CLOSED.areas)


@pytest.mark.parametrize("language", ["nl", "en"])
def test_a_sealed_answer_names_the_areas_that_it_would_have_been_about(language: str) -> None:
    named = {"nl": f"in {AREAS} van de 20 focusgebieden", "en": f"in {AREAS} of the 20 focus areas"}[language]
    assert AREAS > 0
    sentence = said(Statement("cannot-be-established", "check"), CLOSED, texts(language))
    assert named in sentence
    page = words(document(CLOSED, {}, language))
    assert named in page
    assert {"nl": "in 0 van de 20", "en": "in 0 of the 20"}[language] not in page
    assert {"nl": f"Focusgebieden in de opzet: {AREAS}", "en": f"Focus areas in the design: {AREAS}"}[language] in page


@pytest.mark.parametrize("status", ["exploratory", "pre-specified"])
def test_the_answer_has_the_interval_of_its_family_and_others_say_that_they_are_not_corrected(status: str) -> None:
    evidence = replace(TOGETHER, status=status)
    member = MEMBERS[0]
    assert (member.low, member.high) == (-14.2, -1.27)
    page = words(document(evidence, {}, "nl"))
    assert "van 14,2 % van het eigen gemiddelde lager" not in page
    assert "van 14,2 lager tot 1,3 lager" in page
    assert "van 12,7 lager" not in page, "that of the outcome alone is not the answer"
    assert "Het interval bij het antwoord geldt voor alle uitkomsten van de familie ‘alles’ tegelijk." in page
    assert "95%-interval, voor deze uitkomst alleen" in page
    assert page.count("zij zijn niet gecorrigeerd voor de andere uitkomsten van haar familie") >= 1
    quoted = cited(evidence, None, "en")
    assert "14.2 lower to 1.3 lower" in " ".join(quoted.sentences)
    assert "holds for all outcomes of the family ‘alles’ at once" in quoted.status


def test_another_number_of_a_family_says_that_its_interval_is_of_that_number_alone() -> None:
    event = Numbered("event", "", True, TOGETHER.event[-1])
    assert "geldt voor dit ene getal en is niet gecorrigeerd" in " ".join(cited(TOGETHER, event, "nl").sentences)
    assert "niet gecorrigeerd" not in " ".join(cited(ORDINARY, event, "nl").sentences)


def test_a_study_without_a_family_says_nothing_of_it() -> None:
    page = words(document(ORDINARY, {}, "nl"))
    assert "deze uitkomst alleen" not in page
    assert "gecorrigeerd" not in page


def test_what_would_be_said_without_one_area_is_no_statement_of_an_exploratory_report() -> None:
    for language, apart in (("nl", "Dit rapport geeft geen uitspraak"), ("en", "This report gives no statement")):
        assert apart in words(document(ROBUST, {}, language))
        assert apart not in words(document(replace(ROBUST, status="pre-specified"), {}, language))


def test_levels_have_the_unit_of_levels() -> None:
    for language, unit, expected in (
        ("nl", "procentpunt", "%; verschil in procentpunt"),
        ("en", "percentage points", "%; difference in percentage points"),
        ("nl", "misdrijven per 1.000 inwoners", "misdrijven per 1.000 inwoners"),
    ):
        assert both_units(unit, texts(language)) == expected
    points = replace(ORDINARY, unit="procentpunt")
    assert "Gemiddelde per periode (%; verschil in procentpunt)" in words(document(points, {}, "nl"))


def test_the_smallest_difference_has_every_declared_digit_wherever_it_stands() -> None:
    own = replace(ORDINARY.primary, value=0.01, std_error=0.9, low=-1.8, high=1.9)
    evidence = replace(ORDINARY, status="pre-specified", primary=own, smallest=1234.5, unit="punten")
    page = words(document(evidence, {}, "nl"))
    table = words(collection_document([evidence], collected(row(evidence.study)), {}, "nl"))
    assert "geen 1.234,5 punten of meer anders" in page
    assert "Kleinste verschil dat telt 1.234,5 punten" in page
    assert "Kleinste verschil dat telt: 1.234,5 " in table
    assert "1.234 punten" not in page + table
    assert "1.235 punten" not in page + table


# --- a collection -----------------------------------------------------------------------------------------------------


def collected(*rows: Row) -> Collected:
    return Collected("samen", {"nl": "Samen"}, rows, "ab" * 32, 1, ORDINARY.standing, ((ORDINARY.study, ""),))


def row(study: str = "", **changes: object) -> Row:
    usual = Row(15, ORDINARY.indicator, ORDINARY.outcome, {"nl": "procentpunt"}, "lower", "register", study=study)
    return replace(usual, **changes)  # type: ignore[arg-type]


def test_an_exploratory_sealed_outcome_sends_nobody_to_what_was_found() -> None:
    evidence = replace(SEALED, status="exploratory")
    page = words(collection_document([evidence], collected(row(evidence.study)), {}, "nl"))
    assert "Hierover is geen uitspraak en geen cijfer" in page
    assert "Wat is gevonden, staat in" not in page
    assert "geen uitspraak: een toets van de opzet is niet gehaald; het cijfer is verzegeld" in page


def test_a_row_without_a_study_stands_in_its_sentence_as_the_register_has_it() -> None:
    why, phrase = {"nl": "inzet, geen uitkomst"}, {"nl": "het aantal te herstructureren woningen"}
    one = row(statement="not-studied", why=why, phrase=phrase, outcome={"nl": "Te herstructureren woningen"})
    page = words(collection_document([], collected(one), {}, "nl"))
    assert "Of het aantal te herstructureren woningen in de focusgebieden anders veranderde" in page


def test_a_statement_in_short_does_not_hide_that_the_difference_is_smaller_than_what_matters() -> None:
    own = replace(ORDINARY.primary, value=-2.0, std_error=0.5, low=-3.0, high=-1.0)
    small = replace(ORDINARY, status="pre-specified", primary=own, smallest=5.0)
    page = words(collection_document([small], collected(row(small.study)), {}, "nl"))
    assert "gunstiger dan vergelijkbare gebieden; kleiner dan 5% van het eigen gemiddelde" in page


@pytest.mark.parametrize("language", ["nl", "en"])
def test_a_forest_counts_no_rows_and_names_what_has_no_statement(language: str) -> None:
    drawn = collection_figures([ORDINARY], language)["forest"]
    assert {"nl": "Hierover is geen uitspraak: Vernielingen.", "en": "no statement about: Vandalism."}[
        language
    ] in drawn
    assert {"nl": "Intervallen geheel", "en": "wholly on one side"}[language] not in drawn
    fixed = collection_figures([replace(ORDINARY, status="pre-specified")], language)["forest"]
    assert {"nl": "Hierover is geen", "en": "no statement about"}[language] not in fixed
