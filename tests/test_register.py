"""The registers against the programme text and the tables they point to."""

from __future__ import annotations

import json
import re

import pytest

from impact.errors import UsageError
from impact.register.areas import Cohort, area, areas
from impact.register.calendar import EventKind, events
from impact.register.indicators import IndicatorKind, indicator, indicators
from impact.sources.regions import Level, gemeente_of, level_of
from tests.shared import shared


@pytest.fixture(scope="module")
def programme() -> str:
    text = shared("programme/nationaal-programma-leefbaarheid-en-veiligheid-2022.txt").read_text(encoding="utf-8")
    return re.sub(r"\s+", " ", text)


def test_twenty_areas_in_nineteen_gemeenten():
    assert len(areas()) == len({found.slug for found in areas()}) == 20
    assert len({found.gemeente_code for found in areas()}) == 19
    assert [found.slug for found in areas() if found.gemeente == "Amsterdam"] == [
        "amsterdam-zuidoost",
        "amsterdam-nieuw-west",
    ]


def test_the_areas_are_those_of_the_text_in_its_order(programme):
    sentence = programme[programme.index("19 gemeenten met 20 stedelijke focusgebieden") :][:900]
    places = [sentence.index(found.name) for found in areas()]
    assert places == sorted(places)


def test_cohorts_have_the_sizes_of_the_text(programme):
    assert "Twaalf van deze stedelijke focusgebieden zijn in 2020" in programme
    assert "De gemeenten Vlaardingen, Delft, Dordrecht en Roosendaal hebben zich gemeld" in programme
    of = {cohort: {found.gemeente for found in areas() if found.cohort is cohort} for cohort in Cohort}
    number = {cohort: sum(found.cohort is cohort for found in areas()) for cohort in Cohort}
    assert of[Cohort.ADDED_2022] == {"Vlaardingen", "Delft", "Dordrecht", "Roosendaal"}
    assert of[Cohort.NPRZ_2011] == {"Rotterdam"}
    assert number[Cohort.WOONDEAL_2020] + number[Cohort.NPRZ_2011] == 12
    assert number[Cohort.ADDED_2020] == 4


def test_gemeente_codes_and_names_are_those_of_cbs():
    known = json.loads(shared("data/gemeente_nl/nl_data.json").read_text(encoding="utf-8"))["Gemeente"]
    other = {"'s-Gravenhage": "Den Haag", "'s-Gravenhage (gemeente)": "Den Haag"}
    for found in areas():
        name = re.sub(r" \(gemeente\)$", "", known[found.gemeente_code]["Naam"])
        assert other.get(name, name) == found.gemeente


def test_members_lie_in_their_gemeente_and_exist():
    wijken = json.loads(shared("data/kwb_2024/kwb2024_wijk_gemeente_selectie.json").read_text(encoding="utf-8"))
    kaart = json.loads(shared("data/groningen_2017/buurt2017_groningen.geojson").read_text(encoding="utf-8"))[
        "features"
    ]
    buurten = {feature["properties"]["BU_CODE"]: feature["properties"]["BU_NAAM"] for feature in kaart}
    seen: set[str] = set()
    for found in areas():
        for member in found.members:
            assert member.name or member.code
            assert bool(member.code) == (member.vintage is not None)
            assert member.source
            if not member.code:
                continue
            assert member.code not in seen
            seen.add(member.code)
            assert gemeente_of(member.code) == found.gemeente_code
            if member.vintage == 2024:
                assert level_of(member.code) is Level.WIJK
                assert member.code in wijken
            elif level_of(member.code) is Level.BUURT:
                assert buurten[member.code] == member.name


def test_residents_of_the_areas_whose_codes_are_known():
    wijken = json.loads(shared("data/kwb_2024/kwb2024_wijk_gemeente_selectie.json").read_text(encoding="utf-8"))

    def residents(slug: str) -> int:
        return sum(wijken[code]["AantalInwoners_5"] for code in area(slug).codes())

    assert residents("rotterdam-zuid") == 212_635
    assert residents("den-haag-zuidwest") == 29_530 + 20_735 + 21_555
    assert residents("utrecht-overvecht") == 35_255


def test_what_is_unknown_stays_unknown():
    delft = area("delft-west")
    assert delft.codes() == ("WK050324", "WK050325")
    assert [(member.code, member.share) for member in delft.partial()] == [("WK050322", None)]
    for slug in ("breda-noord", "schiedam-nieuwland-oost", "nieuwegein-centrale-as", "roosendaal-stad"):
        assert area(slug).members == ()
        assert area(slug).delineation_confidence == "unknown"
    assert area("vlaardingen-west").codes() == ()


def test_a_slug_that_is_not_there():
    with pytest.raises(UsageError, match="delft-west"):
        area("delft-wets")
    with pytest.raises(UsageError, match="criminaliteit"):
        indicator("criminalteit")


def test_fifteen_indicators_in_the_words_of_the_text(programme):
    part = programme[programme.index("Actielijn 2 | We verbeteren slechte woningen") :]
    assert [found.number for found in indicators()] == list(range(1, 16))
    assert len({found.slug for found in indicators()}) == 15
    for found in indicators():
        start = part.index(f"{found.number}. {found.programme}")
        last = re.findall(r"Actielijn (\d) \|", part[:start])[-1]
        assert int(last) == found.actielijn


def test_indicators_say_what_they_cannot_say():
    for found in indicators():
        assert bool(found.mechanical) == (found.kind is IndicatorKind.MODELLED)
        assert found.nl
        assert found.en
        assert found.unit
        assert found.unit_en
        assert found.source
        assert list(found.waves) == sorted(set(found.waves))
        assert not found.waves or found.waves[0] == found.first
    assert {found.slug for found in indicators() if found.not_measurable} == {
        "herstructurering", "achterstandsscore", "risicoscores",
    }  # fmt: skip
    safety = indicator("ervaren-veiligheid")
    assert (safety.number, safety.kind, safety.direction, safety.breaks[0].at) == (13, "survey", "lower", "2021")


def test_the_slugs_that_evaluators_use():
    text = shared("design/examples/tussenevaluatie-2026.yaml").read_text(encoding="utf-8")
    families = re.findall(r"actielijn-(\d): \[(.*)\]", text)
    for line, slugs in families:
        assert [found.slug for found in indicators() if found.actielijn == int(line)] == slugs.split(", ")


def test_the_calendar():
    assert len({event.slug for event in events()}) == len(events())
    known = {found.slug for found in indicators()}
    for event in events():
        assert set(event.affects) <= known
        assert re.fullmatch(r"\d{4}(-\d\d)?", event.first)
        assert not event.last or event.first <= event.last
    broken = {slug for event in events() if event.kind is EventKind.MEASUREMENT for slug in event.affects}
    assert all(indicator(slug).breaks for slug in broken)
