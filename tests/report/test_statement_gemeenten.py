"""Golden sentences about whole gemeenten: every statement and form, typed by hand in both languages."""

from __future__ import annotations

from typing import Any

import pytest

from impact.evidence.conclusion import concluded, headline
from impact.evidence.language import texts
from tests.report.test_statement_proof import CASES, worded

GOLDEN = {
    "more favourable, smaller": (
        "Het aandeel schoolverlaters ontwikkelde zich in 18 gemeenten met een focusgebied samen, als geheel, in "
        "2023–2025 gunstiger dan in vergelijkbare gemeenten buiten het programma: 0,25 procentpunt lager "
        "(95%-interval: van 0,45 lager tot 0,05 lager; kleiner dan de vooraf gestelde grens van 0,5 procentpunt). "
        "Ander beleid kan hieraan hebben bijgedragen; de uitspraak geldt voor hele gemeenten, niet voor het "
        "focusgebied daarin en niet voor één maatregel.",
        "In 2023–2025, the share of school leavers developed more favourably in 18 gemeenten with a focus area "
        "together, as a whole, than in comparable gemeenten outside the programme: 0.25 percentage points lower (95% "
        "interval: 0.45 lower to 0.05 lower; smaller than the preset bound of 0.5 percentage points). Other policy may "
        "have contributed; the statement holds for whole gemeenten, not for the focus area in them and not for any "
        "single measure.",
    ),
    "less favourable, whole numbers with thousands, another level": (
        "Het aandeel schoolverlaters ontwikkelde zich in 18 gemeenten met een focusgebied samen, als geheel, in "
        "2023–2025 ongunstiger dan in vergelijkbare gemeenten buiten het programma: 1.234 euro hoger (97,5%-interval: "
        "van 604 hoger tot 1.865 hoger). Ander beleid kan hieraan hebben bijgedragen; de uitspraak geldt voor hele "
        "gemeenten, niet voor het focusgebied daarin en niet voor één maatregel.",
        "In 2023–2025, the share of school leavers developed less favourably in 18 gemeenten with a focus area "
        "together, as a whole, than in comparable gemeenten outside the programme: 1,234 euros higher (97.5% interval: "
        "604 higher to 1,865 higher). Other policy may have contributed; the statement holds for whole gemeenten, not "
        "for the focus area in them and not for any single measure.",
    ),
    "less favourable, smaller": (
        "Het aandeel schoolverlaters ontwikkelde zich in 18 gemeenten met een focusgebied samen, als geheel, in "
        "2023–2025 ongunstiger dan in vergelijkbare gemeenten buiten het programma: 0,25 procentpunt hoger "
        "(95%-interval: van 0,05 hoger tot 0,45 hoger; kleiner dan de vooraf gestelde grens van 0,5 procentpunt). "
        "Ander beleid kan hieraan hebben bijgedragen; de uitspraak geldt voor hele gemeenten, niet voor het "
        "focusgebied daarin en niet voor één maatregel.",
        "In 2023–2025, the share of school leavers developed less favourably in 18 gemeenten with a focus area "
        "together, as a whole, than in comparable gemeenten outside the programme: 0.25 percentage points higher (95% "
        "interval: 0.05 higher to 0.45 higher; smaller than the preset bound of 0.5 percentage points). Other policy "
        "may have contributed; the statement holds for whole gemeenten, not for the focus area in them and not for any "
        "single measure.",
    ),
    "no difference of s": (
        "Het aandeel schoolverlaters veranderde in 18 gemeenten met een focusgebied samen, als geheel, in 2023–2025 "
        "geen 0,5 procentpunt of meer anders dan in vergelijkbare gemeenten buiten het programma: 0,10 procentpunt "
        "lager (95%-interval: van 0,40 lager tot 0,20 hoger). Een kleiner verschil blijft mogelijk, en een groter "
        "verschil in het focusgebied zelf ook.",
        "In 2023–2025, the change in the share of school leavers in 18 gemeenten with a focus area together, as a "
        "whole, did not differ by 0.5 percentage points or more from that in comparable gemeenten outside the "
        "programme: 0.10 percentage points lower (95% interval: 0.40 lower to 0.20 higher). A smaller difference "
        "remains possible, and so does a larger one in the focus area itself.",
    ),
    "both fit": (
        "Of het aandeel schoolverlaters in 18 gemeenten met een focusgebied samen, als geheel, in 2023–2025 anders "
        "veranderde dan in vergelijkbare gemeenten buiten het programma, is niet vast te stellen: zowel geen verschil "
        "als een verschil van 0,5 procentpunt past bij de gegevens (0,10 procentpunt lager; 95%-interval: van 0,90 "
        "lager tot 0,70 hoger).",
        "Whether the share of school leavers changed differently in 2023–2025 in 18 gemeenten with a focus area "
        "together, as a whole, than in comparable gemeenten outside the programme cannot be established: both no "
        "difference and a difference of 0.5 percentage points fit the data (0.10 percentage points lower; 95% "
        "interval: 0.90 lower to 0.70 higher).",
    ),
    "no bound": (
        "Of het aandeel schoolverlaters in 18 gemeenten met een focusgebied samen, als geheel, in 2023–2025 anders "
        "veranderde dan in vergelijkbare gemeenten buiten het programma, is niet vast te stellen: ook geen verschil "
        "past bij de gegevens (0,10 procentpunt lager; 95%-interval: van 0,40 lager tot 0,00).",
        "Whether the share of school leavers changed differently in 2023–2025 in 18 gemeenten with a focus area "
        "together, as a whole, than in comparable gemeenten outside the programme cannot be established: no difference "
        "also fits the data (0.10 percentage points lower; 95% interval: 0.40 lower to 0.00).",
    ),
    "a check": (
        "Of het aandeel schoolverlaters in 18 gemeenten met een focusgebied samen, als geheel, in 2023–2025 anders "
        "veranderde dan in vergelijkbare gemeenten buiten het programma, is niet vast te stellen: de vergelijking "
        "haalde de vooraf gestelde toets ‘a check’ niet; er wordt geen getal gegeven.",
        "Whether the share of school leavers changed differently in 2023–2025 in 18 gemeenten with a focus area "
        "together, as a whole, than in comparable gemeenten outside the programme cannot be established: the "
        "comparison did not meet the preset check ‘a check’; no number is given.",
    ),
    "no interval": (
        "Of het aandeel schoolverlaters in 18 gemeenten met een focusgebied samen, als geheel, in 2023–2025 anders "
        "veranderde dan in vergelijkbare gemeenten buiten het programma, is niet vast te stellen: hoe nauwkeurig een "
        "getal zou zijn, is met deze gegevens niet te zeggen.",
        "Whether the share of school leavers changed differently in 2023–2025 in 18 gemeenten with a focus area "
        "together, as a whole, than in comparable gemeenten outside the programme cannot be established: these data do "
        "not tell how precise a number would be.",
    ),
    "two signs": (
        "Of het aandeel schoolverlaters in 18 gemeenten met een focusgebied samen, als geheel, in 2023–2025 anders "
        "veranderde dan in vergelijkbare gemeenten buiten het programma, is niet vast te stellen: welke kant het "
        "verschil op gaat, hangt ervan af of op kenmerken en op de selectiescore is gekoppeld (van 0,71 procentpunt "
        "lager tot 0,30 procentpunt hoger).",
        "Whether the share of school leavers changed differently in 2023–2025 in 18 gemeenten with a focus area "
        "together, as a whole, than in comparable gemeenten outside the programme cannot be established: which way the "
        "difference goes depends on whether areas are matched on structure and on the selection score (0.71 percentage "
        "points lower to 0.30 percentage points higher).",
    ),
    "not measurable": (
        "Of het aandeel schoolverlaters in gemeenten met een focusgebied anders veranderde dan in vergelijkbare "
        "gemeenten, is met de bestaande gegevens niet te meten: er is één meting en het is een model. Er is niets "
        "berekend; een verschil is hiermee aangetoond noch uitgesloten.",
        "Whether the share of school leavers changed differently in gemeenten with a focus area than in comparable "
        "gemeenten cannot be measured with existing data: er is één meting and het is een model. Nothing was computed; "
        "a difference is neither shown nor ruled out.",
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_the_whole_sentence(name: str) -> None:
    changes: dict[str, Any] = CASES[name][0] | {"level": "gemeente"}
    for language, wanted in zip(("nl", "en"), GOLDEN[name], strict=True):
        found = headline(worded(changes, language), texts(language, "gemeente"))
        assert found is not None and found[1] == wanted


def test_no_statement_or_form_is_without_a_sentence() -> None:
    every = {concluded(worded(changes, "nl")) for changes, *_ in CASES.values()}
    named = [CASES[name][0] for name in (*GOLDEN, "gemeenten: more favourable")]
    assert {concluded(worded(changes, "nl")) for changes in named} == every
