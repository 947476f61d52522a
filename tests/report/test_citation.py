"""What may be said of a number: whole, in both languages, never bare; its address, its grade and its references."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impact.checks.protocol import Check
from impact.errors import UsageError
from impact.evidence.addresses import Address, Place, address_of, place_of, primary_address, read_address, read_place
from impact.evidence.citation import Numbered, cited
from impact.evidence.conclusion import headline
from impact.evidence.disclosed import Disclosed, withholding
from impact.evidence.family import Family, Member
from impact.evidence.grade import MOST, grade, grade_sentences
from impact.evidence.language import texts
from impact.evidence.look import Look
from impact.evidence.record import Evidence, Excluded, Variant
from impact.evidence.references import Reference, apa, bibtex, csl_json
from impact.evidence.report import report_html
from impact.evidence.standing import Amendment, Standing
from tests.report.samples import AREAS, BARE, HOSTILE, NO_INTERVAL, ODD, ORDINARY, PLACEBO, REFUSED, SEALED, estimate
from tests.report.test_language import FORBIDDEN

LOCKED = Standing("pre-specified", "", lock8="3f9c2a1b", locked="2026-06-12")
CLEAN = (
    Check("controls", 94.0, 10.0, "pass", True, "design", "controls"),
    Check("balance", 0.1, 0.25, "pass", False, "design", "balance"),
    Check("pre-trend", 0.6, 0.05, "pass", False, "pre", "pre-trend"),
)
FIXED = replace(ORDINARY, status="pre-specified", standing=LOCKED, checks=CLEAN)


# --- addresses --------------------------------------------------------------------------------------------------------


def test_the_address_is_the_one_of_the_design() -> None:
    school = replace(FIXED, study="voortijdig-schoolverlaten", indicator="vsv", window=("2023", "2024"))
    assert str(primary_address(school)) == "voortijdig-schoolverlaten@3f9c2a1b.1#vsv.average.2023-2024"
    one = replace(school, window=("2023/'24", "2023/'24"), standing=replace(LOCKED, look=2))
    assert str(primary_address(one)) == "voortijdig-schoolverlaten@3f9c2a1b.2#vsv.average.2023-24"


@pytest.mark.parametrize(
    ("status", "because", "locked"),
    [
        ("pre-specified", "", True),
        ("amended", "", True),
        ("deviation", "amended", True),
        ("deviation", "data", True),
        ("exploratory", "outcomes", True),  # locked too late, but as it was run
        ("exploratory", "specification", False),  # what was run is not what the lock holds
        ("exploratory", "foreign", False),
        ("exploratory", "ledger", False),
        ("exploratory", "unlocked", False),
        ("exploratory", "unreadable", False),
    ],
)
def test_an_address_names_the_lock_only_where_that_was_run(status: Any, because: str, locked: bool) -> None:
    standing = replace(LOCKED, status=status, because=because, lock8="0a0b0c0d")
    found = place_of(replace(ORDINARY, status=status, standing=standing)).lock
    assert found == ("0a0b0c0d" if locked else "unlocked-3f9c2a1b")
    assert (re.fullmatch("[0-9a-f]{8}", found) is not None) is locked, "the one cannot be taken for the other"


NAMES = st.from_regex(r"[a-z0-9]{1,5}(-[a-z0-9]{1,5}){0,2}", fullmatch=True)
TRAPS = st.sampled_from(["average", "event", "average-unit", "bracket-unmatched", "family-x", "event-family-x"])


@given(st.lists(NAMES | TRAPS | TRAPS.map("alternative-{}".format), max_size=6, unique=True), NAMES | TRAPS)
def test_no_two_numbers_have_one_address(alternatives: list[str], family: str) -> None:
    rows = [
        ("primary", "", "average"),
        *(("weighting", name, "average") for name in ("area", "resident", "unit")),
        *(("bracket", name, "average") for name in ("unmatched", "structure", "selection")),
        *(("event", "", str(term)) for term in range(-9, 9)),
        ("family", family, "average"),
        *(("family", family, str(term)) for term in range(-2, 9)),
        *(("alternative", name, "average") for name in alternatives),
    ]
    for window in (("2", "2"), ("2023", "2024")):  # also where a period looks like a time since the start
        made = replace(ORDINARY, window=window)
        for same in (True, False):
            found = [str(address_of(made, role, name, same, estimate(term))) for role, name, term in rows]
            assert len(set(found)) == len(rows)
            assert [str(read_address(one)) for one in found] == found


@given(NAMES, st.sampled_from(["0a0b0c0d", "unlocked-0a0b0c0d"]), st.integers(1, 9999), NAMES, NAMES, NAMES)
def test_an_address_reads_back(study: str, lock: str, look: int, outcome: str, target: str, term: str) -> None:
    made = Address(Place(study, lock, look), outcome, target, term)
    assert read_address(str(made)) == read_place(str(made)) == made
    assert read_place(str(made.place)) == made.place
    assert read_place(f"{study}@{lock}") == Place(study, lock, 0)


@given(st.text(max_size=80) | st.from_regex(r"[a-z]{3}@[0-9a-z]{7,9}\.[0-9]{0,5}#[a-zA-Z.é \n-]{3,9}", fullmatch=True))
def test_what_is_no_address_is_refused_and_nothing_else_happens(text: str) -> None:
    for read in (read_address, read_place):
        try:
            assert str(read(text)) in (text, text + "\n")
        except UsageError as error:
            assert "ADDRESS-001" in str(error)


@pytest.mark.parametrize(
    "text", ["a@0a0b0c0d.1#b.c.d\n", "a@0a0b0c0d.0#b.c.d", "a@0A0b0c0d.1#b.c.d", "a@0a0b0c0d.1#b.c.٢"]
)
def test_an_address_has_one_spelling(text: str) -> None:
    with pytest.raises(UsageError, match="ADDRESS-001"):
        read_address(text)


@pytest.mark.parametrize("evidence", [ORDINARY, FIXED, SEALED, REFUSED, PLACEBO, BARE, ODD])
def test_the_report_has_the_address_beside_the_result(evidence: Evidence) -> None:
    page = report_html(evidence, {})
    first = page[: page.index("</section>")]
    assert f"Kenmerk: <code>{primary_address(evidence)}</code>" in first
    assert ("Citeer deze uitspraak in haar geheel. Kenmerk:" in first) is (evidence is FIXED)


# --- what is said -----------------------------------------------------------------------------------------------------


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


# --- the grade --------------------------------------------------------------------------------------------------------


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


# --- references -------------------------------------------------------------------------------------------------------

PLAIN = Reference(
    "a@0a0b0c0d.1#b.event.-1",
    "Titel",
    "Makers",
    "vooraf, slot",
    "Gegevensset",
    (2026, 11, 26),
    "z.j.",
    "sha256 (bundle.zip): ab",
    "Zin.",
    "nl",
)
NASTY = r"""{\input{/etc/passwd}} 50% & $x_1^2$ #3 ~ "quote" }, year = {1066}, % \write18{rm} @comment{ é"""


def read_bibtex(text: str) -> dict[str, str]:
    """Fields of an entry, as BibTeX takes braces: it counts them, and a backslash before one makes no difference."""
    found = re.match(r"@misc\{([^\s,{}#%~\\\"'()=]+),\n", text)
    assert found, text
    fields, rest = {"": found[1]}, text[found.end() :]
    while not rest.startswith("}"):
        name, _, rest = rest.strip().partition(" = {")
        depth, place = 1, 0
        while depth:
            depth += {"{": 1, "}": -1}.get(rest[place], 0)
            place += 1
        assert name not in fields
        fields[name], rest = rest[: place - 1], rest[place:].removeprefix(",").lstrip("\n")
    assert rest == "}"
    return fields


def read_latex(text: str) -> str:
    """The text that LaTeX prints; an assertion where a sign with a meaning is left."""
    named = {"textbackslash": "\\", "textbraceleft": "{", "textbraceright": "}"}
    named |= {"textasciitilde": "~", "textasciicircum": "^"}
    out, place = [], 0
    while place < len(text):
        command = re.compile(r"\\([a-z]+)\{\}|\\([$&#%_])").match(text, place)
        if command:
            out.append(named[command[1]] if command[1] else command[2])
            place = command.end()
        else:
            assert text[place] not in "\\{}$&#%_~^", text[place:]
            out.append(text[place])
            place += 1
    return "".join(out)


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp"))) | st.just(NASTY)


@given(TEXT, TEXT)
def test_no_text_ends_a_field_of_bibtex_or_runs(title: str, statement: str) -> None:
    made = replace(PLAIN, title=title, authors=f"Makers {title}", statement=statement)
    found = read_bibtex(bibtex(made))
    assert set(found) == {"", "author", "title", "howpublished", "note", "abstract", "year"}
    assert read_latex(found["title"].removeprefix("{").removesuffix("}")) == " ".join(title.split())
    assert read_latex(found["abstract"]) == " ".join(statement.split())
    assert found["year"] == "2026"
    item = json.loads(csl_json(made))[0]
    assert (item["title"], item["abstract"]) == (" ".join(title.split()), " ".join(statement.split()))
    assert "\n" not in apa(made)


def test_keys_of_bibtex_differ_where_addresses_do() -> None:
    other = replace(PLAIN, address="a@0a0b0c0d.1#b.event.1")
    assert read_bibtex(bibtex(PLAIN))[""] != read_bibtex(bibtex(other))[""]


def test_csl_json_has_the_kinds_of_its_schema() -> None:
    """As in csl-data.json 1.0.2: names with `literal`, whole numbers in date-parts, texts otherwise."""
    item = json.loads(csl_json(replace(PLAIN, withdrawn=True)))[0]
    assert item.pop("author") == [{"literal": "Makers"}]
    assert item.pop("issued") == {"date-parts": [[2026, 11, 26]]}
    assert item.pop("type") == "dataset" and item.pop("status") == "withdrawn"
    assert set(item) == {"id", "title", "version", "number", "note", "abstract", "language"}
    assert all(isinstance(value, str) for value in item.values())
    assert "issued" not in json.loads(csl_json(replace(PLAIN, date=())))[0]
    assert "status" not in json.loads(csl_json(PLAIN))[0]


def test_apa_has_author_year_title_version_kind_and_where() -> None:
    line = "Makers. (2026). Titel (vooraf, slot) [Gegevensset]. a@0a0b0c0d.1#b.event.-1. sha256 (bundle.zip): ab"
    assert apa(PLAIN) == line
    assert "(z.j.)" in apa(replace(PLAIN, date=()))


def test_nothing_hidden_is_in_a_reference() -> None:
    made = replace(PLAIN, title="Titel\u202egnilpmoc\x1b[31m")
    for form in (apa, bibtex, csl_json):
        assert not re.search("[\u202e\x1b]", form(made))


def test_hostile_evidence_is_said_as_it_is() -> None:
    assert "{0.__class__}" in said(HOSTILE)
