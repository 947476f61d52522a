"""What may be said of a number: whole, in both languages, never bare."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from impact.checks.protocol import Check
from impact.evidence.citation import Numbered, cited
from impact.evidence.conclusion import headline
from impact.evidence.disclosed import Disclosed, withholding
from impact.evidence.family import Family, Member
from impact.evidence.grade import grade
from impact.evidence.language import texts
from impact.evidence.look import Look
from impact.evidence.record import Evidence
from impact.evidence.standing import Amendment, Standing
from tests.report.samples import BARE, HOSTILE, NO_INTERVAL, ODD, ORDINARY, PLACEBO, REFUSED, SEALED, estimate
from tests.report.test_language import FORBIDDEN

LOCKED = Standing("pre-specified", "", lock8="3f9c2a1b", locked="2026-06-12")
CLEAN = (
    Check("controls", 94.0, 10.0, "pass", True, "design", "controls"),
    Check("balance", 0.1, 0.25, "pass", False, "design", "balance"),
    Check("pre-trend", 0.6, 0.05, "pass", False, "pre", "pre-trend"),
)
FIXED = replace(ORDINARY, status="pre-specified", standing=LOCKED, checks=CLEAN)


def said(evidence: Evidence, number: Numbered | None = None, language: str = "nl") -> str:
    found = cited(evidence, number, language)
    return "\n".join([found.title, *found.sentences, found.status, found.grade])


def test_a_locked_result_is_its_statement() -> None:
    for language in ("nl", "en"):
        stated = headline(FIXED, texts(language))
        assert stated is not None
        found = cited(FIXED, None, language)
        assert (found.title.endswith(stated[0]), found.sentences, found.given) == (True, (stated[1],), True)
    # ORDINARY is −7.737 (from −12.725 to −2.749), rounded as the report rounds it.
    assert "7,7% van het eigen gemiddelde lager (95%-interval: van 12,7 lager tot 2,7 lager)" in said(FIXED)


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({"status": "exploratory", "standing": Standing()}, "verkennend, geen uitspraak"),
        ({"status": "deviation", "standing": replace(LOCKED, status="deviation", because="amended")}, "afwijking"),
        ({"placebo": True}, "placebostudie"),
        ({"look": Look(3, "", 2, "pocock", 0.05, "2025", 1.0, 2.0, 0.04, 0.04)}, "niet gepland"),
        ({"better": "neither"}, "Resultaat, geen uitspraak"),
    ],
)
def test_what_is_no_statement_says_so_and_has_its_interval(changes: dict[str, Any], title: str) -> None:
    made = replace(FIXED, **changes)
    assert headline(made, texts("nl")) is None
    found = cited(made, None, "nl")
    assert title in found.title and "geen uitspraak" in found.title and found.given
    assert "7,7% van het eigen gemiddelde lager dan in vergelijkbare gebieden" in said(made)
    assert "(95%-interval: van 12,7 lager tot 2,7 lager)" in said(made)
    assert "7.7% van het eigen gemiddelde lower" in said(made, None, "en")
    assert "(95% interval: 12.7 lower to 2.7 lower)" in said(made, None, "en")


HIDDEN = replace(
    FIXED,
    disclosed=Disclosed("cbs-ra", True, "CBS", (), ()),
    primary=estimate(value=None, std_error=None, low=None, high=None, p_value=None, refused=withholding("cbs-ra")),
)
BLIND = replace(FIXED, not_measurable=("er is maar één meting",))


@pytest.mark.parametrize("language", ["nl", "en"])
@pytest.mark.parametrize(
    "evidence",
    [
        SEALED,
        replace(SEALED, status="pre-specified", standing=LOCKED),
        HIDDEN,
        replace(HIDDEN, status="exploratory", standing=Standing()),
        BLIND,
        replace(BLIND, status="exploratory"),
        REFUSED,
        replace(REFUSED, placebo=False, status="pre-specified", standing=LOCKED),
        replace(ORDINARY, primary=estimate(value=-7.737, low=None, high=None, refused=NO_INTERVAL)),
    ],
)
def test_a_number_that_is_not_there_is_not_said(evidence: Evidence, language: str) -> None:
    """Also none without an interval, though the report of an exploratory study has it: cited it would stand bare."""
    found = cited(evidence, Numbered("event", "", True, estimate("1", -8.2)) if evidence.sealed else None, language)
    assert not found.given
    assert found.sentences[-1] == texts(language)("citation.no_number")
    text = said(evidence, None, language)
    assert not re.search(r"\d[.,]\d", text), text
    assert re.search("geen uitspraak|no statement|Uitspraak|Statement", found.title)


def test_another_number_never_stands_without_the_answer() -> None:
    other = Numbered("alternative", "anders", True, estimate(value=-1.25, low=-3.0, high=0.5), "een andere weging")
    for evidence in (FIXED, ORDINARY):
        text = said(evidence, other)
        assert text.startswith("Ander getal dan het antwoord van de studie, geen uitspraak")
        assert "een andere weging" in text and "1,2% van het eigen gemiddelde lager" in text
        assert text.index("1,2%") < text.index("Het antwoord van de studie zelf:") < text.index("7,7%")
    absent = replace(other, estimate=estimate(value=-1.25, low=None, high=None, refused=NO_INTERVAL))
    assert "1,2" not in said(FIXED, absent) and "7,7%" in said(FIXED, absent), "only the answer has a number"
    assert not cited(FIXED, absent, "nl").given


def test_an_alternative_about_other_periods_does_not_name_those_of_the_study() -> None:
    other = Numbered("alternative", "anders", False, estimate(value=-1.25, low=-3.0, high=0.5), "andere jaren")
    own = said(ORDINARY, other).split("Het antwoord van de studie zelf:")[0]
    assert "2023–2025" not in own and "in de perioden van die rekenwijze" in own


def test_an_alternative_on_whole_gemeenten_is_not_about_areas() -> None:
    other = Numbered("alternative", "heel", False, estimate(value=-1.25, low=-3.0, high=0.5), "heel", "gemeente")
    for language, words in (("nl", "gemeenten met een focusgebied"), ("en", "gemeenten with a focus area")):
        own = cited(ORDINARY, other, language).sentences
        assert words in own[1] and words not in own[-2]


def test_a_time_since_the_start_is_said() -> None:
    text = said(ORDINARY, Numbered("event", "", True, estimate("-6", 1.4, std_error=2.6, low=-4.0, high=6.8)))
    assert "op meting −6, geteld vanaf de start" in text and "1,4% van het eigen gemiddelde hoger" in text


EVERY = [
    replace(evidence, status=status, standing=standing, level=level)
    for evidence, (status, standing), level in product(
        (ORDINARY, FIXED, SEALED, REFUSED, PLACEBO, BARE, ODD, HIDDEN, BLIND),
        (
            ("pre-specified", LOCKED),
            (
                "amended",
                replace(LOCKED, amendments=(Amendment("2026-07-01T00:00:00Z", "x", "amendment", (), "a" * 8),)),
            ),
            ("deviation", replace(LOCKED, because="amended")),
            ("exploratory", Standing()),
        ),
        ("", "gemeente"),
    )
]


@pytest.mark.parametrize("language", ["nl", "en"])
def test_everything_can_be_said_and_no_forbidden_word_is(language: str) -> None:
    numbers = [
        None,
        Numbered("weighting", "resident", True, estimate(value=0.0, low=-1.0, high=1.0)),
        Numbered("bracket", "unmatched", True, estimate(value=2.0, low=1.0, high=3.0)),
        Numbered("event", "", True, estimate("0", -4.9, low=-9.0, high=0.0)),
        Numbered("family", "school", True, estimate(value=1.0, low=None, high=None)),
        Numbered("alternative", "x", False, estimate(value=1.0, low=0.5, high=1.5), "anders."),
    ]
    for evidence, number in product(EVERY, numbers):
        assert FORBIDDEN.search(said(evidence, number, language)) is None


def test_a_family_without_an_interval_for_all_of_it_leaves_a_statement_without_a_number() -> None:
    member = Member("criminaliteit", {"nl": "x"}, "", "average", "", "estimated", -7.737, 2.364, 0.004, 0.01)
    alone = replace(FIXED, families=(Family("g", "benjamini-hochberg", 0.05, (member,), (), 0, 0.0, 1, 1),))
    found = cited(alone, Numbered("primary", "", True, FIXED.primary), "nl")
    assert (found.given, grade(alone).level) == (False, None) and "7,7" not in said(alone)
    joint = replace(alone.families[0], members=(replace(member, low=-13.9, high=-1.6),))
    assert "(95%-interval: van 13,9 lager tot 1,6 lager)" in said(replace(FIXED, families=(joint,)))


def test_hostile_evidence_is_said_as_it_is() -> None:
    assert "{0.__class__}" in said(HOSTILE)
