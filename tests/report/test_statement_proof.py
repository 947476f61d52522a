"""Golden sentences typed from the design; and any record has one statement or none, true of its printed numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impact.checks.protocol import Check
from impact.evidence.conclusion import concluded, headline
from impact.evidence.disclosed import withholding
from impact.evidence.family import Family, Member
from impact.evidence.language import texts
from impact.evidence.look import Look
from impact.evidence.reading import visible
from impact.evidence.record import Evidence, Variant
from impact.evidence.statement import Form, Kind
from tests.report.samples import estimate
from tests.report.test_citation import FIXED

# --- golden text ------------------------------------------------------------------------------------------------------

GATES = tuple(Check(name, 3.0, 10.0, "fail", True, "design", "") for name in ("a check", "another"))
SCHOOL = replace(
    FIXED,
    outcome={"nl": "Het aandeel schoolverlaters", "en": "the share of school leavers"},
    unit="procentpunt",
    smallest=0.5,
    periods=tuple(str(year) for year in range(2017, 2026)),
    window=("2023", "2025"),
    bracket=(),
)
ENGLISH = {"procentpunt": "percentage points", "euro": "euros"}


def numbers(value: float, low: float | None, high: float | None, error: float = 0.15, **more: Any) -> dict[str, Any]:
    more = {"areas": 18, "level": 0.95} | more
    return {"primary": estimate(value=value, low=low, high=high, std_error=error, **more)}


UNMATCHED = Variant("unmatched", "", True, estimate(value=0.3, low=0.1, high=0.5, std_error=0.15))
CASES: dict[str, tuple[dict[str, Any], str, str]] = {
    "more favourable": (
        numbers(-0.71, -1.02, -0.4),
        "Het aandeel schoolverlaters ontwikkelde zich in 18 van de 20 focusgebieden samen in 2023–2025 gunstiger dan "
        "in vergelijkbare gebieden buiten het programma: 0,71 procentpunt lager (95%-interval: van 1,02 lager tot 0,40 "
        "lager). Ander beleid kan hieraan hebben bijgedragen; de uitspraak geldt niet voor één gebied of maatregel.",
        "In 2023–2025, the share of school leavers developed more favourably in 18 of the 20 focus areas together than "
        "in comparable areas outside the programme: 0.71 percentage points lower (95% interval: 1.02 lower to 0.40 "
        "lower). Other policy may have contributed; the statement does not hold for any single area or measure.",
    ),
    "more favourable, smaller": (
        numbers(-0.25, -0.45, -0.05),
        "Het aandeel schoolverlaters ontwikkelde zich in 18 van de 20 focusgebieden samen in 2023–2025 gunstiger dan "
        "in vergelijkbare gebieden buiten het programma: 0,25 procentpunt lager (95%-interval: van 0,45 lager tot 0,05 "
        "lager; kleiner dan de vooraf gestelde grens van 0,5 procentpunt). Ander beleid kan hieraan hebben "
        "bijgedragen; de uitspraak geldt niet voor één gebied of maatregel.",
        "In 2023–2025, the share of school leavers developed more favourably in 18 of the 20 focus areas together than "
        "in comparable areas outside the programme: 0.25 percentage points lower (95% interval: 0.45 lower to 0.05 "
        "lower; smaller than the preset bound of 0.5 percentage points). Other policy may have contributed; the "
        "statement does not hold for any single area or measure.",
    ),
    "less favourable, whole numbers with thousands, another level": (
        numbers(1234.5, 604.2, 1864.8, 300.0, level=0.975) | {"unit": "euro", "smallest": 1500.0},
        "Het aandeel schoolverlaters ontwikkelde zich in 18 van de 20 focusgebieden samen in 2023–2025 ongunstiger dan "
        "in vergelijkbare gebieden buiten het programma: 1.234 euro hoger (97,5%-interval: van 604 hoger tot 1.865 "
        "hoger). Ander beleid kan hieraan hebben bijgedragen; de uitspraak geldt niet voor één gebied of maatregel.",
        "In 2023–2025, the share of school leavers developed less favourably in 18 of the 20 focus areas together than "
        "in comparable areas outside the programme: 1,234 euros higher (97.5% interval: 604 higher to 1,865 higher). "
        "Other policy may have contributed; the statement does not hold for any single area or measure.",
    ),
    "less favourable, smaller": (
        numbers(0.25, 0.05, 0.45),
        "Het aandeel schoolverlaters ontwikkelde zich in 18 van de 20 focusgebieden samen in 2023–2025 ongunstiger dan "
        "in vergelijkbare gebieden buiten het programma: 0,25 procentpunt hoger (95%-interval: van 0,05 hoger tot 0,45 "
        "hoger; kleiner dan de vooraf gestelde grens van 0,5 procentpunt). Ander beleid kan hieraan hebben "
        "bijgedragen; de uitspraak geldt niet voor één gebied of maatregel.",
        "In 2023–2025, the share of school leavers developed less favourably in 18 of the 20 focus areas together than "
        "in comparable areas outside the programme: 0.25 percentage points higher (95% interval: 0.05 higher to 0.45 "
        "higher; smaller than the preset bound of 0.5 percentage points). Other policy may have contributed; the "
        "statement does not hold for any single area or measure.",
    ),
    "no difference of s": (
        numbers(-0.1, -0.4, 0.2),
        "Het aandeel schoolverlaters veranderde in 18 van de 20 focusgebieden samen in 2023–2025 geen 0,5 procentpunt "
        "of meer anders dan in vergelijkbare gebieden buiten het programma: 0,10 procentpunt lager (95%-interval: van "
        "0,40 lager tot 0,20 hoger). Een kleiner verschil blijft mogelijk.",
        "In 2023–2025, the change in the share of school leavers in 18 of the 20 focus areas together did not differ "
        "by 0.5 percentage points or more from that in comparable areas outside the programme: 0.10 percentage points "
        "lower (95% interval: 0.40 lower to 0.20 higher). A smaller difference remains possible.",
    ),
    "both fit": (
        numbers(-0.1, -0.9, 0.7),
        "Of het aandeel schoolverlaters in 18 van de 20 focusgebieden samen in 2023–2025 anders veranderde dan in "
        "vergelijkbare gebieden buiten het programma, is niet vast te stellen: zowel geen verschil als een verschil "
        "van 0,5 procentpunt past bij de gegevens (0,10 procentpunt lager; 95%-interval: van 0,90 lager "
        "tot 0,70 hoger).",
        "Whether the share of school leavers changed differently in 2023–2025 in 18 of the 20 focus areas together "
        "than in comparable areas outside the programme cannot be established: both no difference and a difference of "
        "0.5 percentage points fit the data (0.10 percentage points lower; 95% interval: 0.90 lower to 0.70 higher).",
    ),
    "no bound": (
        numbers(-0.1, -0.4, 0.0) | {"smallest": None},
        "Of het aandeel schoolverlaters in 18 van de 20 focusgebieden samen in 2023–2025 anders veranderde dan in "
        "vergelijkbare gebieden buiten het programma, is niet vast te stellen: ook geen verschil past bij de gegevens "
        "(0,10 procentpunt lager; 95%-interval: van 0,40 lager tot 0,00).",
        "Whether the share of school leavers changed differently in 2023–2025 in 18 of the 20 focus areas together "
        "than in comparable areas outside the programme cannot be established: no difference also fits the data (0.10 "
        "percentage points lower; 95% interval: 0.40 lower to 0.00).",
    ),
    "a check": (
        numbers(-0.1, -0.4, 0.2) | {"checks": GATES[:1]},
        "Of het aandeel schoolverlaters in 18 van de 20 focusgebieden samen in 2023–2025 anders veranderde dan in "
        "vergelijkbare gebieden buiten het programma, is niet vast te stellen: de vergelijking haalde de vooraf "
        "gestelde toets ‘a check’ niet; er wordt geen getal gegeven.",
        "Whether the share of school leavers changed differently in 2023–2025 in 18 of the 20 focus areas together "
        "than in comparable areas outside the programme cannot be established: the comparison did not meet the preset "
        "check ‘a check’; no number is given.",
    ),
    "two checks": (
        numbers(-0.1, -0.4, 0.2) | {"checks": GATES},
        "Of het aandeel schoolverlaters in 18 van de 20 focusgebieden samen in 2023–2025 anders veranderde dan in "
        "vergelijkbare gebieden buiten het programma, is niet vast te stellen: de vergelijking haalde de vooraf "
        "gestelde toets ‘a check’ en ‘another’ niet; er wordt geen getal gegeven.",
        "Whether the share of school leavers changed differently in 2023–2025 in 18 of the 20 focus areas together "
        "than in comparable areas outside the programme cannot be established: the comparison did not meet the preset "
        "check ‘a check’ and ‘another’; no number is given.",
    ),
    "no interval": (
        numbers(-0.1, None, None),
        "Of het aandeel schoolverlaters in 18 van de 20 focusgebieden samen in 2023–2025 anders veranderde dan in "
        "vergelijkbare gebieden buiten het programma, is niet vast te stellen: hoe nauwkeurig een getal zou zijn, is "
        "met deze gegevens niet te zeggen.",
        "Whether the share of school leavers changed differently in 2023–2025 in 18 of the 20 focus areas together "
        "than in comparable areas outside the programme cannot be established: these data do not tell how precise a "
        "number would be.",
    ),
    "two signs": (
        numbers(-0.71, -1.02, -0.4) | {"bracket": (UNMATCHED,)},
        "Of het aandeel schoolverlaters in 18 van de 20 focusgebieden samen in 2023–2025 anders veranderde dan in "
        "vergelijkbare gebieden buiten het programma, is niet vast te stellen: welke kant het verschil op gaat, hangt "
        "ervan af of op kenmerken en op de selectiescore is gekoppeld (van 0,71 procentpunt lager tot 0,30 procentpunt "
        "hoger).",
        "Whether the share of school leavers changed differently in 2023–2025 in 18 of the 20 focus areas together "
        "than in comparable areas outside the programme cannot be established: which way the difference goes depends "
        "on whether areas are matched on structure and on the selection score (0.71 percentage points lower to 0.30 "
        "percentage points higher).",
    ),
    "not measurable": (
        numbers(-0.1, -0.4, 0.2) | {"not_measurable": ("er is één meting", "het is een model")},
        "Of het aandeel schoolverlaters in de focusgebieden anders veranderde dan in vergelijkbare gebieden, is met de "
        "bestaande gegevens niet te meten: er is één meting en het is een model. Er is niets berekend; een verschil is "
        "hiermee aangetoond noch uitgesloten.",
        "Whether the share of school leavers changed differently in the focus areas than in comparable areas cannot be "
        "measured with existing data: er is één meting and het is een model. Nothing was computed; a difference is "
        "neither shown nor ruled out.",
    ),
    "gemeenten: more favourable": (
        numbers(-0.71, -1.02, -0.4) | {"level": "gemeente"},
        "Het aandeel schoolverlaters ontwikkelde zich in 18 gemeenten met een focusgebied samen, als geheel, in "
        "2023–2025 gunstiger dan in vergelijkbare gemeenten buiten het programma: 0,71 procentpunt lager "
        "(95%-interval: van 1,02 lager tot 0,40 lager). Ander beleid kan hieraan hebben bijgedragen; de uitspraak "
        "geldt voor hele gemeenten, niet voor het focusgebied daarin en niet voor één maatregel.",
        "In 2023–2025, the share of school leavers developed more favourably in 18 gemeenten with a focus area "
        "together, as a whole, than in comparable gemeenten outside the programme: 0.71 percentage points lower (95% "
        "interval: 1.02 lower to 0.40 lower). Other policy may have contributed; the statement holds for whole "
        "gemeenten, not for the focus area in them and not for any single measure.",
    ),
}


def worded(changes: dict[str, Any], language: str) -> Evidence:
    made = replace(SCHOOL, **changes)
    return made if language == "nl" else replace(made, unit=ENGLISH[made.unit])


@pytest.mark.parametrize("name", CASES)
def test_the_whole_sentence(name: str) -> None:
    changes, dutch, english = CASES[name]
    for language, wanted in (("nl", dutch), ("en", english)):
        found = headline(worded(changes, language), texts(language, worded(changes, language).level))
        assert found is not None and found[1] == wanted


def test_the_bound_is_printed_as_it_was_declared() -> None:
    """Rounded to three digits the bound would be 0,123 and lie inside the interval that is said to lie inside it."""
    made = replace(SCHOOL, smallest=0.12345, **numbers(0.05, -0.02, 0.1233, 0.0037))
    said = headline(made, texts("nl"))
    assert said is not None and "geen 0,12345 procentpunt of meer" in said[1] and "tot 0,1233 hoger" in said[1]


# --- any record -------------------------------------------------------------------------------------------------------

ends = st.sampled_from([-2.0, -1.0, -0.5, -0.499, -0.04, 0.0, 0.04, 0.3, 0.499, 0.5, 1.0]) | st.floats(-3, 3)
GATE = {"pass": Check("controls", 9.0, 1.0, "pass", True, "design", "")}
GATE |= {"fail": replace(GATE["pass"], verdict="fail"), "open": replace(GATE["pass"], verdict="not_evaluated")}
NO_LABEL = Look(3, "", 2, "pocock", 0.05, "2025", 1.0, 2.0, 0.04, 0.04)


@st.composite
def records(draw: Any) -> Evidence:
    low, high = sorted((draw(ends), draw(ends)))
    bare = draw(st.booleans()) and draw(st.booleans())
    value = draw(st.floats(low, high))
    primary = estimate(
        value=value,
        low=None if bare else low,
        high=None if bare else high,
        std_error=draw(st.sampled_from([0.003, 0.15, 2.4])),
        refused=draw(st.sampled_from([None, None, None, withholding("cbs-ra")])),
    )
    sign = draw(st.sampled_from([None, None, -0.7, 0.7]))
    member = Member("criminaliteit", {"nl": "x"}, "x", "average", "", "estimated", value, 1.0, 0.1, 0.1)
    family = Family("f", "holm", 0.05, (replace(member, low=low - 0.5, high=high + 0.5),), (), 0, 0.0, 0, 0)
    return replace(
        SCHOOL,
        primary=primary,
        families=draw(st.sampled_from([(), (), (family,)])),
        bracket=() if sign is None else (Variant("unmatched", "", True, estimate(value=sign, std_error=0.1)),),
        smallest=draw(st.sampled_from([None, 0.5, 0.05, 2.0])),
        better=draw(st.sampled_from(["lower", "higher", "neither"])),
        checks=draw(st.sampled_from([(), (GATE["pass"],), (GATE["fail"],), (GATE["open"],)])),
        not_measurable=draw(st.sampled_from([(), (), (), ("er is geen meting",)])),
        status=draw(st.sampled_from(["pre-specified", "pre-specified", "amended", "deviation", "exploratory"])),
        placebo=draw(st.sampled_from([False, False, False, True])),
        look=draw(st.sampled_from([None, None, NO_LABEL, replace(NO_LABEL, label="eerste")])),
        level=draw(st.sampled_from(["", "gemeente"])),
    )


def size(text: str, side: str) -> float:
    amount = float(text.replace(".", "").replace(",", "."))
    return -amount if side == "lager" else amount


RANGE = re.compile(r"van ([\d.]+(?:,\d+)?)(?: (lager|hoger))? tot ([\d.]+(?:,\d+)?)(?: (lager|hoger))?[;)]")


@given(records())
@settings(max_examples=1_000)
def test_a_record_has_exactly_one_statement_or_none_for_a_named_reason(made: Evidence) -> None:
    found = concluded(made)
    lock = made.status in ("pre-specified", "amended")
    unplanned = made.look is not None and made.look.label == ""
    none = [not lock, made.placebo, unplanned, made.primary.refused is not None]
    said = headline(made, texts("nl", made.level))
    assert (found is None) == (said is None)
    if any(none):
        assert found is None
        return
    failed = any(check.verdict != "pass" for check in made.checks)
    if made.not_measurable or failed:
        assert found is not None and said is not None
        assert (found.kind, found.form) == (
            ("not-measurable", "text") if made.not_measurable else ("cannot-be-established", "check")
        )
        text = said[1].replace("18 van de 20", "").replace("18 gemeenten", "").replace("2023–2025", "")
        assert not re.search(r"\d", text), "never a number where sealed"
        assert headline(visible(made), texts("nl", made.level)) == said, "and none is needed to say so"
        return
    # The rows of the table by what is printed; no two of them hold at once.
    shown = made.families[0].members[0] if made.families else made.primary
    low, high = shown.low, shown.high
    if low is None or high is None:
        assert found is not None and found.form == "unknown"
        return
    places = {0.003: 4, 0.15: 2, 2.4: 1}[made.primary.std_error or 0.0]
    assert made.primary.value is not None
    low, high, value = (round(x, places) for x in (low, high, made.primary.value))
    other = [round(row.estimate.value or 0.0, 2) for row in made.bracket]
    signs = {x > 0 for x in (value, *other) if x != 0}
    s = made.smallest
    outside, inside = not low <= 0 <= high, s is not None and max(abs(low), abs(high)) < s
    rows = {
        ("cannot-be-established", "bracket"): len(signs) == 2,
        ("more", "smaller" if inside else "text"): len(signs) < 2 and outside,
        ("no-difference-of-s", "text"): len(signs) < 2 and not outside and inside,
        ("cannot-be-established", "open"): len(signs) < 2 and not outside and s is None,
        ("cannot-be-established", "interval"): len(signs) < 2 and not outside and s is not None and not inside,
    }
    (row,) = (name for name, holds in rows.items() if holds)
    if row[0] == "more":
        if made.better == "neither":
            assert found is None
            return
        row = ("more-favourable" if (high < 0) == (made.better == "lower") else "less-favourable", row[1])
    assert found is not None and said is not None and (found.kind, found.form) == row
    if found.form == "bracket":
        return
    # What the sentence says follows from the numbers that it prints.
    ranged = RANGE.search(said[1])
    assert ranged is not None, said[1]
    first, last = size(ranged[1], ranged[2]), size(ranged[3], ranged[4])
    assert (first, last) == (low + 0.0, high + 0.0)
    sentence = said[1]
    assert ("gunstiger dan" in sentence) == (first > 0 or last < 0)
    assert ("kleiner dan de vooraf gestelde grens" in sentence) == (
        bool(s) and -(s or 0) < first and last < (s or 0) and (first > 0 or last < 0)
    )
    if " of meer anders" in sentence:
        assert s is not None and -s < first <= 0 <= last < s
    if "niet vast te stellen" in sentence:
        assert first <= 0 <= last and (s is None or first <= -s or last >= s)


def test_every_statement_and_form_has_its_whole_sentence_above() -> None:
    """And nothing in the catalogue is left without one."""
    found = {concluded(replace(SCHOOL, **changes)) for changes, *_ in CASES.values()}
    pairs = {(one.kind, one.form) for one in found if one is not None}
    assert {kind for kind, _ in pairs} == set(get_args(Kind)) and {form for _, form in pairs} == set(get_args(Form))
    keys = {key.removeprefix("statements.") for key in texts("nl").entries if key.startswith("statements.")}
    assert {f"{kind}.{form}" for kind, form in pairs} == {key for key in keys if not key.endswith(".title")}


@pytest.mark.parametrize("language", ["nl", "en"])
def test_whole_gemeenten_have_every_sentence_of_their_own(language: str) -> None:
    own, areas = texts(language, "gemeente"), texts(language)
    for key in (key for key in areas.entries if key.startswith("statements.") and not key.endswith(".title")):
        told = own.entries[key]
        assert told != areas.entries[key] and "gemeenten" in told and "gebieden" not in told, key
        names = re.compile(r"\{(\w+)\}")
        assert set(names.findall(told)) == set(names.findall(areas.entries[key])) - {"total"}
