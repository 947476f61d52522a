"""`impact explain`: every key of a specification that a run acts on is said, in words, without opening any data."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from impact.estimators import registry as estimators
from impact.evidence.language import Texts, differing, texts
from impact.evidence.render import plain_text
from impact.inference import registry as inferences
from impact.study import wording
from impact.study.explain import explain, heading
from impact.study.model import CHECKS, FIXED, Specification
from impact.study.read import read_study
from impact.study.thresholds import ON_REQUEST
from tests.report.test_language import FORBIDDEN
from tests.shared import ROOT
from tests.study.conftest import apart, impact
from tests.study.example import SPEC

GONE = object()


def put(tree: Any, path: str, value: Any) -> None:
    """Set (or take out) what stands at a dotted path; mappings on the way are made, lists are replaced as a whole."""
    *above, last = path.split(".")
    for step in above:
        tree = tree.setdefault(step, {})
    if value is GONE:
        del tree[last]
    else:
        tree[last] = deepcopy(value)


def told(folder: Path, changes: dict[str, Any], language: str = "nl") -> str:
    tree = YAML(typ="safe", pure=True).load(SPEC)
    for path, value in changes.items():
        put(tree, path, value)
    file = folder / "study.yaml"
    with file.open("w", encoding="utf-8") as stream:
        YAML(typ="safe", pure=True).dump(tree, stream)
    study = read_study(file)
    lines = f"{heading(study, language)}\n{plain_text(explain(study, language))}"
    return " ".join(lines.split())


SURVEYED = {"outcome.indicator": "ervaren-veiligheid", "data.outcomes.columns.n": "aantal_mensen"}
RATE = {
    "data.outcomes.columns.value": GONE,
    "data.outcomes.columns.numerator": "teller",
    "data.outcomes.columns.denominator": "noemer",
    "outcome.measure.rate": "numerator/denominator",
    "outcome.measure.per": 100,
}
OWN = {"outcome.measure.as_percent_of_own": {"periods": [2014, 2015], "minimum_mean": 10}}
MARGIN = {**SURVEYED, "data.outcomes.columns.margin": {"low": "onder", "high": "boven"}}
CROSSWALK: dict[str, Any] = {
    "data.outcomes.vintage": 2021,
    "data.crosswalk": {"file": "omzet.csv", "to": 2024, "value": "count"},
}
NAMED: dict[str, Any] = {
    "data.outcomes.vintage": 2024,
    "data.names": {"file": "namen.csv"},
    "data.outcomes.join": "name",
}
BUILT = {"unit": {"level": "focus-area", "built_from": "wijk", "value": "count"}}
AVERAGED = {"data.units.columns.period": "peiljaar", "data.units.periods": [2014, 2015]}
REGISTER = {"treatment.areas": "register"}
WAVES = {"periods": {"kind": "waves", "are": [2013, 2015, 2017, 2019, 2021, 2023]}, "target.window": [2023, 2023]}
OUT = {"leave_out": [{"periods": [2020], "why": "corona"}]}
BREAK = {"breaks": [{"at": 2016, "treat_as": "common-shift", "why": "nieuwe vragen"}]}
NEAR = {
    "data.units.columns.place": ["x", "y"],
    "comparison.leave_out": [{"rule": "near", "km": 2, "why": "verplaatsing"}],
}
EVENT = {"rule": "co-treated", "event": "regiodeals", "regions": ["GM0363"], "why": "andere maatregel"}
BAND = {
    "comparison.leave_out": [{"rule": "band", "column": "inwoners", "at_least": 500, "at_most": 2e4, "why": "omvang"}]
}
POLYGONS = {"data.polygons": {"file": "grenzen.geojson", "column": "code"}}
PARTS = {
    "data.outcomes.level": "wijk",
    "data.polygons": {
        "file": "grenzen.geojson",
        "column": "code",
        "parts": {"file": "buurten.geojson", "column": "buurt", "residents": "mensen"},
    },
}
BESIDE = {"rule": "adjacent", "why": "waterbed"}
POOLED = {"rule": "co-treated", "event": "regiodeals", "pool": "deal", "why": "ander geld"}
LISTED = {"comparison.leave_out": [{"rule": "listed", "regions": ["WK036301"], "why": "experiment"}]}
ALTERNATIVE = {"name": "zonder", "why": "alles", "same_estimand": True, "change": {"comparison": {"match": "none"}}}
HELD = {"disclose": {"minimum_count": 10, "dominance": {"n": 2, "k": 0.9}}}
FAMILY = {"families": {"school": ["voortijdig-schoolverlaten"]}, "correction": {"method": "romano-wolf"}}
DIGEST = "0123456789abcdef" * 4


def controlled(areas: dict[str, Any] | None = None, **changed: Any) -> dict[str, Any]:
    """Five negative controls, with keys of the first changed."""
    weather = {"name": {"nl": "Regen"}, "measure": {"unit": "mm"}, "why": "het weer"}
    listed = [{"indicator": f"weer-{letter}", **deepcopy(weather)} for letter in "abcde"]
    return {"outcomes": [{**listed[0], **changed}, *listed[1:]], "areas": areas or {}}


ELSEWHERE = {"elders": {"members": ["WK036303"], "why": "geen geld"}}
CONTROLS = {"negative_controls": controlled()}
SETS = {"covariate_sets": {"of": ["inwoners"], "why": "gevoeligheid"}, "estimator": "did"}
LIVES: dict[str, Any] = {
    "composition": {"people": {"file": "wie.csv", "since": 2020}, "new_build": {"percentage": "gebouwd"}}
}


def within(listed: dict[str, Any], **changed: Any) -> list[dict[str, Any]]:
    """The one list of a change, with keys of its first mapping changed."""
    ((first, *rest),) = listed.values()
    return [{**first, **changed}, *rest]


def table(role: str) -> dict[str, tuple[dict[str, Any], Any, str]]:
    """What both tables take: path to further changes, the value, and words that must then be said."""
    at, file = f"data.{role}", {"outcomes": "uitkomsten", "units": "kenmerken"}[role]
    return {
        f"{at}.file": ({}, "map/ander.csv", "‘map/ander.csv’"),
        f"{at}.sheet": ({f"{at}.file": "boek.xlsx"}, "Blad 7", "het werkblad ‘Blad 7’"),
        f"{at}.layout": ({}, "statline", "waarin StatLine een tabel geeft"),
        f"{at}.separator": ({}, "|", f"De kolommen van het bestand met {file} zijn gescheiden door ‘|’."),
        f"{at}.decimal": ({}, ",", f"Decimalen staan in het bestand met {file} achter een komma."),
        f"{at}.header_row": ({}, 4, "staan in rij 4 van"),
        f"{at}.level": ({}, "buurt", f"De codes in het bestand met {file} zijn die van buurten"),
        f"{at}.marks.suppressed": ({}, ["geheim", 8], "betekent ‘geheim’ en ‘8’ dat een cijfer is onderdrukt"),
        f"{at}.marks.missing": ({}, "nb", "betekent ‘nb’ dat een cijfer ontbreekt"),
        f"{at}.marks.impossible": ({}, "nvt", "betekent ‘nvt’ dat een cijfer niet kan voorkomen"),
        f"{at}.marks.nil": ({}, "geen", "betekent ‘geen’ nul"),
        f"{at}.marks.provisional": ({}, "(v)", "betekent ‘(v)’ achter een cijfer dat het voorlopig is"),
        f"{at}.rows.where": ({}, {"soort": ["a", "b", "c"]}, "tellen alleen rijen waarin kolom ‘soort’ a, b of c is"),
        f"{at}.sha256": ({}, DIGEST, "begint met 0123456789ab"),
        f"{at}.source": ({}, "het CBS", f"Bron van het bestand met {file}: het CBS."),
        f"{at}.join": (
            {f"{at}.vintage": 2024, "data.names": {"file": "namen.csv"}, f"{at}.join": "name"},
            "name",
            "hebben namen en geen codes",
        ),
        f"{at}.within": (
            {f"{at}.vintage": 2024, "data.names": {"file": "namen.csv"}, f"{at}.join": "name"},
            "GM0363",
            "binnen de gemeente GM0363",
        ),
        f"{at}.vintage": ({}, 2023, "horen bij de indeling van 2023"),
        f"{at}.share": ({}, True, "zelf gaat mee in de bundel"),
        f"{at}.columns.region": ({}, "code", "kolom ‘code’"),
    }


# Dotted path of a key to further changes, a value that the example does not have, and words that must then be said.
CASES: dict[str, tuple[dict[str, Any], Any, str]] = {
    "id": ({}, "ander-voorbeeld", "(ander-voorbeeld)"),
    "title.nl": ({}, "Nieuwe titel", "Nieuwe titel"),
    "question.nl": ({}, "Hoe ging het?", "Hoe ging het?"),
    "seen_before.nl": ({}, "De cijfers tot 2020", "was van de uitkomsten dit al bekend: De cijfers tot 2020."),
    "placebo": ({}, True, "Dit is een placebostudie"),
    **table("outcomes"),
    **table("units"),
    "data.outcomes.columns.period": ({"data.outcomes.rows": {}}, "tijd", "de periode in kolom ‘tijd’"),
    "data.outcomes.columns.value": ({}, "getal", "het cijfer in kolom ‘getal’"),
    "data.outcomes.columns.numerator": (RATE, "boven", "kolom ‘boven’ gedeeld door kolom ‘noemer’"),
    "data.outcomes.columns.denominator": (RATE, "onder", "kolom ‘teller’ gedeeld door kolom ‘onder’"),
    "data.outcomes.columns.n": ({**SURVEYED, "data.outcomes.columns.se": "fout"}, "mensen", "Kolom ‘mensen’ geeft het"),
    "data.outcomes.columns.se": (SURVEYED, "fout", "Kolom ‘fout’ geeft de steekproeffout"),
    "data.outcomes.columns.margin.low": (MARGIN, "laag", "Kolom ‘laag’ en kolom ‘boven’ geven de grenzen"),
    "data.outcomes.columns.margin.high": (MARGIN, "hoog", "Kolom ‘onder’ en kolom ‘hoog’ geven de grenzen"),
    "data.outcomes.columns.margin.level": (MARGIN, 0.9, "van het 90%-interval om elk cijfer"),
    "data.outcomes.rows.add_up_to": ({"data.outcomes.rows": {}}, ["region", "period"], "worden opgeteld per gebied"),
    "data.outcomes.rounded_to": ({}, 5, "gepubliceerd als veelvoud van 5"),
    "data.outcomes.sealed.file": ({}, {"file": "rest.csv"}, "De latere perioden staan verzegeld in ‘rest.csv’"),
    "data.outcomes.sealed.sha256": ({}, {"file": "rest.csv", "sha256": DIGEST}, "begint met 0123456789ab"),
    "data.outcomes.arrives.have": (
        {},
        {"have": 2022, "planned": [2023, 2024]},
        "Er zijn uitkomsten tot en met 2022; die over 2023 en 2024 moeten nog komen.",
    ),
    "data.outcomes.arrives.planned": ({}, {"have": 2023, "planned": [2024]}, "die over 2024 moeten nog komen"),
    "data.outcomes.columns.base": (
        {"outcome.measure.per": 100},
        "volwassenen",
        "Kolom ‘volwassenen’ geeft om hoeveel mensen het gaat; het cijfer is per 100 van hen.",
    ),
    "data.outcomes.national": ({}, "NL00", "De rijen van ‘NL00’ gaan over heel Nederland."),
    "data.units.columns.labels.nl": ({}, {"inwoners": "Aantal inwoners"}, "heet kolom ‘inwoners’: Aantal inwoners."),
    "belongs_to": ({}, "../tussenevaluatie-2026.yaml", "hoort bij de verzameling ‘tussenevaluatie-2026’"),
    "context": ({}, ["noten/veldwerk.md"], "wat anderen schreven, in ‘noten/veldwerk.md’. Er wordt niets uit"),
    "outcome.also_as.nl": (RATE, "leerlingen per jaar", "ook verteld als aantal leerlingen per jaar, met zijn marge"),
    "data.outcomes.columns.change": ({}, "vlag", "staat in kolom ‘vlag’ (1 ongewijzigd"),
    "data.outcomes.columns.gemeente": (NAMED, "gem", "binnen de gemeente kolom ‘gem’; een naam die niet bij één"),
    "data.names.share": (NAMED, True, "Het bestand ‘namen.csv’ zelf gaat mee in de bundel"),
    "data.crosswalk.share": (CROSSWALK, True, "Het bestand ‘omzet.csv’ zelf gaat mee in de bundel"),
    "data.polygons.share": (POLYGONS, True, "Het bestand ‘grenzen.geojson’ zelf gaat mee in de bundel"),
    "data.polygons.parts.share": (PARTS, True, "Het bestand ‘buurten.geojson’ zelf gaat mee in de bundel"),
    "data.names.file": (NAMED, "lijst.csv", "De codes komen uit ‘lijst.csv’"),
    "comparison.units.built_from": (
        BUILT,
        {"built_from": "wijk", "residents": 9000},
        "Wat overblijft, zijn wijken. Die worden per gemeente samengevoegd tot eenheden van ongeveer 9.000 inwoners",
    ),
    "comparison.units.residents": (
        BUILT,
        {"built_from": "wijk", "residents": "similar"},
        "met ongeveer evenveel inwoners als de focusgebieden (de mediaan)",
    ),
    "treatment.delineation": (
        {**REGISTER, "treatment.members": "leden.csv"},
        "strikt",
        "Van de afbakeningen in dat bestand geldt ‘strikt’.",
    ),
    "unit.level": ({}, "gemeente", "Elk getal is de verandering van de hele gemeente, en nooit die van het gebied"),
    "unit.built_from": (BUILT, "buurt", "De cijfers van focusgebieden zijn opgeteld uit die van buurten"),
    "unit.value": ({}, BUILT["unit"], "is een aantal en kan daarom worden opgeteld"),
    "data.crosswalk.file": (CROSSWALK, "grenzen.csv", "met de aandelen in ‘grenzen.csv’"),
    "data.crosswalk.to": (CROSSWALK, 2025, "omgerekend naar de indeling van 2025"),
    "data.crosswalk.from": (
        {},
        {**CROSSWALK["data.crosswalk"], "from": "each-year"},
        "De uitkomsten van elk jaar, die in de indeling van dat jaar staan",
    ),
    "data.crosswalk.basis": (CROSSWALK, "adressen", "De aandelen om mee om te rekenen zijn die van: adressen."),
    "data.crosswalk.value": (
        {"data.outcomes.vintage": 2021},
        CROSSWALK["data.crosswalk"],
        "is een aantal, en kan daarom over gebieden worden verdeeld",
    ),
    "data.polygons.file": (POLYGONS, "kaart.geojson", "De grenzen van elke wijk of buurt staan in ‘kaart.geojson’"),
    "data.polygons.column": (POLYGONS, "WK_CODE", "kolom ‘WK_CODE’ noemt de code"),
    "data.polygons.crs": (POLYGONS, "EPSG:4326", "De coördinaten in het bestand met grenzen zijn die van EPSG:4326"),
    "data.polygons.tolerance": (POLYGONS, 25, "als er hoogstens 25 meter tussen ligt"),
    "data.polygons.sha256": (POLYGONS, "b" * 64, "begint met bbbbbbbbbbbb"),
    "data.polygons.source": (POLYGONS, "CBS kaart", "Bron van het bestand met grenzen: CBS kaart."),
    "data.polygons.vintage": (POLYGONS, 2024, "De codes in het bestand met grenzen horen bij de indeling van 2024"),
    "data.polygons.parts.file": (PARTS, "buurt.geojson", "de kleinere gebieden in ‘buurt.geojson’"),
    "data.polygons.parts.column": (PARTS, "BU_CODE", "kolom ‘BU_CODE’ noemt de code"),
    "data.polygons.parts.residents": (PARTS, "AANT_INW", "kolom ‘AANT_INW’ het aantal bewoners"),
    "data.outcomes.columns.identity.name": ({}, "naam", "Aan kolom ‘naam’ in het bestand met uitkomsten"),
    "data.outcomes.columns.identity.residents": ({}, "inw", "Aan kolom ‘inw’ in het bestand met uitkomsten"),
    "data.outcomes.columns.identity.surface": ({}, "ha", "Aan kolom ‘ha’ in het bestand met uitkomsten"),
    "data.units.columns.identity.name": (AVERAGED, "naam", "Aan kolom ‘naam’ in het bestand met kenmerken"),
    "data.units.columns.identity.residents": (AVERAGED, "inw", "Aan kolom ‘inw’ in het bestand met kenmerken"),
    "data.units.columns.identity.surface": (AVERAGED, "ha", "Aan kolom ‘ha’ in het bestand met kenmerken"),
    "data.unchanged": (
        {"data.outcomes.columns.identity.name": "naam"},
        {"WK050324": "alleen de naam is nieuw"},
        "WK050324 geldt als één gebied, wat die kolommen ook laten zien. Reden: alleen de naam is nieuw.",
    ),
    "data.units.rows.add_up_to": (AVERAGED, ["region", "period"], "De rijen van het bestand met kenmerken worden"),
    "data.units.columns.period": (AVERAGED, "tijdvak", "(kolom ‘tijdvak’)"),
    "data.units.periods": (AVERAGED, [2016, 2017], "gemiddelden over 2016 en 2017"),
    "data.units.columns.gemeente": ({}, "gem", "Kolom ‘gem’ geeft de gemeente"),
    "data.units.columns.residents": ({}, "bevolking", "Kolom ‘bevolking’ geeft het aantal bewoners"),
    "data.units.columns.structure": ({}, ["leeftijd"], "Kenmerken van opbouw (structure): leeftijd."),
    "data.units.columns.selection": ({}, ["score"], "gekozen (selection): score."),
    "data.units.columns.size": ({}, ["banen"], "Kenmerken van omvang (size): banen."),
    "periods.kind": (
        {"target.window": [2022, 2023]},
        {"kind": "waves", "are": [2019, 2021, 2022, 2023]},
        "Wat ertussen ligt",
    ),
    "periods.first": ({}, 2010, "de jaren 2010 tot en met 2024"),
    "periods.last": ({}, 2025, "de jaren 2013 tot en met 2025"),
    "periods.are": (WAVES, [2013, 2016, 2018, 2023], "de metingen in 2013, 2016, 2018 en 2023"),
    "periods.provisional": ({}, "keep", "voorlopige cijfers tellen wel mee"),
    "leave_out.periods": (OUT, within(OUT, periods=[2019, 2020]), "2019 en 2020 tellen niet mee. Reden: corona."),
    "leave_out.why": (OUT, within(OUT, why="verbouwing"), "2020 telt niet mee. Reden: verbouwing."),
    "breaks.at": (BREAK, within(BREAK, at=2017), "Vanaf 2017 wordt anders gemeten: nieuwe vragen."),
    "breaks.treat_as": (BREAK, within(BREAK, treat_as="segment"), "worden niet met elkaar vergeleken"),
    "breaks.check": (BREAK, within(BREAK, check="same-shift"), "Of de breuk in 2016 gebieden en vergelijking gelijk"),
    "breaks.why": (BREAK, within(BREAK, why="andere bron"), "Vanaf 2016 wordt anders gemeten: andere bron."),
    "treatment.areas.register": ({}, "register", "Niet mee doen, omdat niet bekend is"),
    "treatment.areas.column": ({}, {"column": "gebied"}, "de focusgebieden die kolom ‘gebied’ noemt"),
    "treatment.areas.listed.name": (
        {},
        {"delft-west": {"name": "Delft en om", "members": ["WK050324"]}},
        "Delft en om",
    ),
    "treatment.areas.listed.members": (
        {},
        {"delft-west": {"members": ["WK050399"]}},
        "Delft West bestaat uit WK050399",
    ),
    "treatment.members": (REGISTER, "eigen.csv", "staat in ‘eigen.csv’; dat bestand gaat voor het register"),
    "treatment.only": ({}, "with-data", "Een gebied zonder gegevens valt af en wordt genoemd."),
    "treatment.already_treated": (REGISTER, {"delft-west": "leave-out"}, "daar al eerder liep: Delft West."),
    "treatment.start.event": ({}, "handtekening", "Als start geldt: handtekening."),
    "treatment.start.first_treated": ({}, 2021, "Voor alle gebieden is 2021 de eerste periode"),
    "treatment.start.by_area": (
        {"treatment.start.first_treated": GONE},
        {"delft-west": 2022, "den-haag-zuidwest": 2021},
        "In 2021 begint: Den Haag Zuidwest. - In 2022 begint: Delft West.",
    ),
    "treatment.start.column": (
        {"treatment.start.first_treated": GONE},
        "begin",
        "staat per wijk of buurt in kolom ‘begin’",
    ),
    "treatment.start.first_full": ({"target.window": GONE}, 2023, "Pas 2023 is een volle periode."),
    "treatment.start.last_before": ({}, 2021, "De laatste meting voor de start is die van 2021."),
    "treatment.anticipation": ({}, 2, "In de laatste 2 perioden voor de start kan er al iets veranderen"),
    "outcome.indicator": (
        {},
        "energielabels",
        "programma: energielabels)",
    ),
    "outcome.name.nl": ({}, {"nl": "Vroeg van school"}, "De uitkomst is: Vroeg van school ("),
    "outcome.kind": ({}, "modelled", "voorspeld door een model"),
    "outcome.where": ({}, {"geslacht": "v"}, "tellen alleen rijen waarin kolom ‘geslacht’ v is"),
    "outcome.measure.rate": (
        {
            "data.outcomes.columns.value": GONE,
            "data.outcomes.columns.numerator": "a",
            "data.outcomes.columns.denominator": "b",
        }
        | {"outcome.measure.per": 100},
        "numerator/denominator",
        "een verhouding: kolom ‘a’ gedeeld door kolom ‘b’, per 100",
    ),
    "outcome.measure.per": (RATE, 1000, "per 1.000."),
    "outcome.measure.as_percent_of_own.periods": (OWN, [2016, 2017], "van het eigen gemiddelde over 2016 en 2017"),
    "outcome.measure.as_percent_of_own.minimum_mean": (OWN, 2.5, "dat gemiddelde onder 2,5 ligt"),
    "outcome.measure.unit": ({}, "leerlingen", "Verschillen staan in leerlingen."),
    "outcome.better": (
        {"outcome.indicator": "eigen", "outcome.name": "Eigen"},
        "neither",
        "op zichzelf niet gunstig of ongunstig",
    ),
    "outcome.smallest_difference_that_matters.value": (
        {},
        1.25,
        "Het kleinste verschil dat telt, is 1,25 procentpunt.",
    ),
    "outcome.smallest_difference_that_matters.why": ({}, "de raad", "Reden: de raad."),
    "target.window": ({}, [2022, 2023], "gemiddeld over 2022 en 2023"),
    "target.every": ({}, "resident", "Elke bewoner telt even zwaar"),
    "comparison.leave_out.rule": (
        LISTED,
        within(LISTED, rule="adjacent"),
        "naast een behandeld gebied dient niet als vergelijking (WK036301)",
    ),
    "comparison.leave_out.regions": (
        LISTED,
        within(LISTED, regions=["WK036302"]),
        "Met naam uitgezonderd van de vergelijking: WK036302.",
    ),
    "comparison.leave_out.column": (
        LISTED,
        [{"rule": "listed", "column": "buiten", "why": "experiment"}],
        "alle waarvoor kolom ‘buiten’ is ingevuld",
    ),
    "comparison.leave_out.km": (
        NEAR,
        [{"rule": "near", "km": 3.5, "why": "verplaatsing"}],
        "binnen 3,5 kilometer hemelsbreed",
    ),
    "comparison.leave_out.event": (
        {"comparison.leave_out": [EVENT]},
        [{**EVENT, "event": "preventie-met-gezag"}],
        "onder Preventie met Gezag, geprioriteerde gemeenten viel, dient niet als vergelijking (GM0363)",
    ),
    "comparison.leave_out.pool": (
        {"comparison.leave_out": [POOLED], "comparison.pools": "groepen.csv"},
        [{**POOLED, "pool": "regio"}],
        "(groep ‘regio’)",
    ),
    "comparison.leave_out.sharing": (
        {**POLYGONS, "comparison.leave_out": [BESIDE]},
        [{**BESIDE, "sharing": "border"}],
        "een stuk grens van ten minste 10 meter",
    ),
    "comparison.leave_out.rings": (
        {**POLYGONS, "comparison.leave_out": [BESIDE]},
        [{**BESIDE, "rings": 3}],
        "tot en met 3 stappen",
    ),
    "comparison.leave_out.at_least": (BAND, within(BAND, at_least=1000), "niet tussen 1.000 en 20.000 ligt"),
    "comparison.leave_out.at_most": (BAND, within(BAND, at_most=30000), "niet tussen 500 en 30.000 ligt"),
    "comparison.leave_out.quantiles": (
        BAND,
        [{"rule": "band", "column": "inwoners", "quantiles": [0, 0.2], "why": "omvang"}],
        "niet tussen het kwantiel 0 en het kwantiel 0,2 van alle",
    ),
    "comparison.pools": (
        {"comparison.pools": "groepen.csv", "comparison.pool": ["afgewezen"]},
        "bijna.csv",
        "Groepen waarmee vergeleken kan worden, staan in ‘bijna.csv’.",
    ),
    "comparison.pool": (
        {"comparison.pools": "groepen.csv"},
        ["afgewezen", "later"],
        "uit een van de groepen ‘afgewezen’ en ‘later’ kan als vergelijking dienen",
    ),
    "data.units.columns.place": (NEAR, ["rd_x", "rd_y"], "de plaats staat in kolom ‘rd_x’ en kolom ‘rd_y’"),
    "comparison.leave_out.why": (LISTED, within(LISTED, why="proeftuin"), "Reden: proeftuin."),
    "comparison.match.ratio": ({}, 3, "komen de 3 wijken of buurten die er het meest op lijken"),
    "comparison.match.on": ({}, ["huur"], "Gelijkenis is gemeten aan: huur."),
    "comparison.match.outcomes_in": ({}, [2014, 2016], "ook gemeten aan de uitkomst in 2014 en 2016"),
    "comparison.match.selection_waves": ({}, [2014], "De gebieden zijn gekozen op cijfers van 2014."),
    "comparison.match.caliper": ({}, 0.75, "meer dan 0,75 standaardafwijkingen"),
    "comparison.match.method": ({}, "optimal", "zo dat het totaal van alle verschillen zo klein mogelijk is"),
    "comparison.match.replace": ({}, False, "staat hoogstens naast één behandelde"),
    "comparison.match.exact": ({}, ["klasse"], "Wie naast elkaar staan, zijn gelijk in klasse."),
    "comparison.match.same": ({}, "gemeente", "Beide liggen in dezelfde gemeente."),
    "comparison.match.cutpoints": (
        {"comparison.match": {"method": "coarsened-exact", "on": ["structure"]}},
        {"huur": 4, "bijstand": [5.5, 10]},
        "Klassen van bijstand: met grenzen bij 5,5 en 10.",
    ),
    "comparison.match.moments": (
        {"comparison.match": {"method": "entropy", "on": ["structure"]}},
        2,
        "precies dezelfde gemiddelden en gemiddelde kwadraten heeft",
    ),
    "comparison.match.tolerance": (
        {"comparison.match": {"method": "stable", "on": ["structure"]}},
        0.02,
        "gemiddelden hoogstens 0,02 standaardafwijkingen",
    ),
    "comparison.match.trim": (
        {"comparison.match": {"method": "inverse-probability", "on": ["structure"]}},
        0.1,
        "boven 1 − 0,1 ligt",
    ),
    "comparison.match.estimand": (
        {"comparison.match": {"method": "overlap", "on": ["structure"], "estimand": "ATO"}, "target.every": "unit"},
        "ATM",
        "die in paren naast elkaar te zetten zijn",
    ),
    "comparison.match.missing.impute": ({}, {"impute": 7}, "wordt het 7 keer getrokken"),
    "comparison.match.distance": ({}, "robust-mahalanobis", "gemeten aan rangnummers"),
    "estimator.name": ({}, "did", "verschil-in-verschillen van gemiddelden (did)"),
    "estimator.covariates.column": ({}, ["huur"], "De schatting houdt rekening met huur."),
    "estimator.covariates.log": ({}, [{"log": "inwoners"}], "rekening met de logaritme van inwoners."),
    "estimator.covariates.square": ({}, [{"square": "huur"}], "rekening met het kwadraat van huur."),
    "estimator.covariates.category": ({}, [{"category": "klasse"}], "rekening met de klassen van klasse."),
    "estimator.covariates.interaction.column": (
        {},
        [{"interaction": ["huur", "bijstand"]}],
        "het product van huur en bijstand.",
    ),
    "estimator.covariates.interaction.log": (
        {},
        [{"interaction": [{"log": "huur"}, "bijstand"]}],
        "het product van de logaritme van huur en bijstand.",
    ),
    "estimator.covariates.interaction.square": (
        {},
        [{"interaction": ["huur", {"square": "bijstand"}]}],
        "het product van huur en het kwadraat van bijstand.",
    ),
    "estimator.covariates.interaction.category": (
        {},
        [{"interaction": ["huur", {"category": "klasse"}]}],
        "het product van huur en de klassen van klasse.",
    ),
    "inference.name": ({}, "jackknife", "(jackknife)"),
    "inference.cluster.by": ({}, "unit", "Elke wijk of buurt telt als een eigen groep"),
    "inference.cluster.column": ({}, {"column": "regio"}, "met dezelfde waarde in kolom ‘regio’"),
    "inference.level": ({}, 0.9, "een 90%-interval"),
    "inference.beside.name": ({}, ["placebo-space"], "(placebo-space, 999 trekkingen)"),
    "alternatives.name": ({}, [{**ALTERNATIVE, "name": "iedereen"}], "iedereen: beantwoordt dezelfde vraag."),
    "alternatives.why": ({}, [{**ALTERNATIVE, "why": "om te zien"}], "Reden: om te zien."),
    "alternatives.same_estimand": ({}, [{**ALTERNATIVE, "same_estimand": False}], "beantwoordt een andere vraag"),
    "alternatives.change": ({}, [{**ALTERNATIVE, "change": {"estimator": "did"}}], "van gemiddelden (did)"),
    "checks.at_most": ({}, {"overlap": {"at_most": 0.3}}, "ligt hoogstens 30% in een kenmerk buiten"),
    "checks.at_least": ({}, {"controls": {"at_least": 33}}, "ten minste 33 wijken"),
    "checks.if_failed": (
        {"checks": {"balance": {"at_most": 0.3}}},
        {"balance": {"at_most": 0.3, "if_failed": "report", "why": "x"}},
        "Zo niet, dan wordt het getal toch gegeven.",
    ),
    "checks.why": (
        {"checks": {"balance": {"at_most": 0.3, "if_failed": "report", "why": "x"}}},
        {"balance": {"at_most": 0.3, "if_failed": "report", "why": "niet anders te krijgen"}},
        "Reden: niet anders te krijgen.",
    ),
    "families": ({"correction": {"method": "holm"}}, {"school": ["voortijdig-schoolverlaten"]}, "familie ‘school’"),
    "correction.method": (FAMILY, "benjamini-yekutieli", "hoe de uitkomsten ook samenhangen (benjamini-yekutieli)"),
    "correction.level": (FAMILY, 0.01, "op ook maar één onterechte bevinding in een familie is hoogstens 1%"),
    "indices": (
        {
            "correction": {"method": "holm"},
            "outcome": GONE,
            "outcomes": [
                {"indicator": slug, "name": {"nl": slug}, "measure": {"unit": "procentpunt"}, "better": "lower"}
                for slug in ("een", "twee")
            ],
            "families": {"school": ["een", "twee"]},
        },
        {"school": "equal"},
        "‘school’ wordt ook als één uitkomst geschat",
    ),
    "calibrate.draws": ({"calibrate": {"draws": 100}}, 250, "250 denkbeeldige programma’s"),
    "calibrate.sets": ({"calibrate": {"draws": 100}}, "contiguous", "die bij elkaar in de buurt liggen"),
    "looks.planned": ({"looks": {"planned": ["2026-11"]}}, ["2026-11", "2027-05"], "2026-11 en 2027-05"),
    "looks.spending": ({"looks": {"planned": ["2026-11"]}}, "pocock", "ongeveer gelijk over de keren verdeeld"),
    "negative_controls.outcomes.indicator": (CONTROLS, controlled(indicator="zon"), "(zon) is van het programma niets"),
    "negative_controls.outcomes.name.nl": (CONTROLS, controlled(name={"nl": "Zon"}), "Bij de uitkomst ‘Zon’ (weer-a)"),
    "negative_controls.outcomes.kind": (CONTROLS, controlled(kind="modelled"), "voorspeld door een model"),
    "negative_controls.outcomes.where": (CONTROLS, controlled(where={"dag": "ma"}), "rijen waarin kolom ‘dag’ ma is"),
    "negative_controls.outcomes.measure.unit": (CONTROLS, controlled(measure={"unit": "uur"}), "staan in uur."),
    "negative_controls.outcomes.why": (CONTROLS, controlled(why="de lucht"), "Reden: de lucht."),
    "negative_controls.areas.members": (CONTROLS, controlled(ELSEWHERE), "niets te verwachten (elders): WK036303."),
    "negative_controls.areas.why": (CONTROLS, controlled(ELSEWHERE), "Reden: geen geld."),
    **{
        f"composition.{share}.{key}": (
            LIVES,
            {"numerator": "nieuw", "denominator": "alle", "where": {"soort": "huis"}},
            words if key == "where" else f"is {verb} dan in de vergelijking, wordt nagegaan met kolom {words}",
        )
        for share, verb in (("new_build", "gebouwd"), ("movers", "verhuisd"))
        for key, words in (
            ("percentage", "‘nieuw’ en kolom ‘alle’"),
            ("numerator", "‘nieuw’"),
            ("denominator", "‘nieuw’ en kolom ‘alle’"),
            ("where", "Daarvoor tellen de rijen waarin kolom ‘soort’ huis is"),
        )
    },
    "composition.people.file": (LIVES, "anders.csv", "met het bestand ‘anders.csv’"),
    "composition.people.since": (LIVES, 2019, "wie er sinds 2019 bleef"),
    "composition.people.outcome": (
        LIVES,
        "voortijdig-schoolverlaten",
        "over de uitkomst voortijdig-schoolverlaten",
    ),
    "composition.at_most": (LIVES, 0.02, "Tot een verschil van 2 procentpunt"),
    "covariate_sets.of": (SETS, ["huur"], "met elke combinatie van ‘huur’ ernaast"),
    "covariate_sets.at_most": (SETS, 50, "meer dan 50 combinaties"),
    "covariate_sets.why": (SETS, "een keuze", "Reden: een keuze."),
    "needs.power": ({"needs": {"power": 0.8}}, 0.9, "moet met een kans van ten minste 90% te zien zijn"),
    "needs.respondents_per_area": (
        {**SURVEYED, "needs": {"respondents_per_area": 50}},
        120,
        "voor de start ten minste 120 mensen zijn bevraagd",
    ),
    "outcome.part_of": (FAMILY, "leefbaarometer", "Dit is een onderdeel van leefbaarometer"),
    "disclose.profile": ({"disclose": {"profile": "public"}}, "cbs-ra", "Remote Access-omgeving van het CBS"),
    "disclose.minimum_count": (HELD, 12, "ten minste 12 personen"),
    "disclose.minimum_units": (HELD, 6, "ten minste 6 wijken"),
    "disclose.minimum_df": (HELD, 11, "ten minste 11 vrijheidsgraden"),
    "disclose.dominance.n": (HELD, 3, "De 3 grootste bijdragen"),
    "disclose.dominance.k": (HELD, 0.8, "minder dan 80% van een gemiddelde"),
    "disclose.p_percent": (HELD, 15, "ten minste 15 procent van de grootste"),
    "disclose.largest_weight": (HELD, 0.4, "geen enkel gebied 40% of meer"),
    "disclose.full_share": (HELD, 0.95, "meer dan 95% het kenmerk"),
    "disclose.zeros": (HELD, True, "Ook dat iets bij niemand voorkomt"),
    "disclose.protection": (HELD, 0.2, "niet dichter te benaderen dan tot op 20%"),
    "disclose.round_to": (HELD, 7, "veelvouden van 7"),
    "seed": ({}, 20251231, "het startgetal 20251231"),
}
# Keys that the YAML writes in a shorter way, or inside the mappings of a list.
WRITTEN = {
    **{path: "treatment.areas" for path in CASES if path.startswith("treatment.areas.")},
    **{path: "inference.cluster" for path in CASES if path.startswith("inference.cluster.")},
    **{path: "comparison.leave_out" for path in CASES if path.startswith("comparison.leave_out.")},
    **{path: path.split(".")[0] for path in CASES if path.startswith(("leave_out.", "breaks.", "alternatives."))},
    **{path: "estimator.covariates" for path in CASES if path.startswith("estimator.covariates.")},
    **{path: "checks" for path in CASES if path.startswith("checks.")},
    **{path: path.rpartition(".")[0] for path in CASES if path.startswith(("composition.new", "composition.mov"))},
    **{path: "negative_controls" for path in CASES if path.startswith("negative_controls.")},
    "comparison.match.missing.impute": "comparison.match.missing",
    **{path: path.rpartition(".")[0] for path in CASES if ".sealed." in path or ".arrives." in path},
    "data.crosswalk.from": "data.crosswalk",
    "data.crosswalk.value": "data.crosswalk",
    "unit.value": "unit",
    "comparison.units.built_from": "comparison.units",
    "comparison.units.residents": "comparison.units",
    "periods.kind": "periods",
    "title.nl": "title",
    "estimator.name": "estimator",
    "question.nl": "question",
    "seen_before.nl": "seen_before",
    "outcome.name.nl": "outcome.name",
    "outcome.also_as.nl": "outcome.also_as",
    "data.units.columns.labels.nl": "data.units.columns.labels",
    "inference.beside.name": "inference.beside",
}
# Keys without which the further changes hold together no longer: the example itself is what they are held against.
FROM_THE_EXAMPLE = {
    "data.outcomes.join",
    "data.units.join",
    "treatment.start.by_area",
    "treatment.start.column",
    "outcome.measure.rate",
    "periods.kind",
}
FROM_THE_EXAMPLE |= {"families", "data.outcomes.columns.base"}
# Texts that stand in the other language only, and keys with one value.
ENGLISH = {
    "title.en": "New title",
    "question.en": "How was it?",
    "seen_before.en": "Figures to 2020",
    "outcome.name.en": "Left early",
    "outcome.also_as.en": "pupils per year",
    "data.units.columns.labels.en": "Number of residents",
}
ONE_VALUE = {"schema", "target.kind"}


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and get_origin(annotation) is None and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models(part)


def keys(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """Dotted paths of all keys that hold a value, mappings and lists of mappings looked into."""
    for name, field in model.model_fields.items():
        path = f"{above}{field.alias or name}"
        inside = list(models(field.annotation)) + [m for part in field.metadata for m in models(part)]
        if inside:
            yield from keys(inside[0], f"{path}.")
        else:
            yield path


def test_the_table_of_cases_has_every_key() -> None:
    known = {re.sub(r"^outcomes\.", "outcome.", path) for path in keys(Specification)}
    # A control outcome is measured, and told, as the others are; one key of it shows that.
    shared = r"^negative_controls\.outcomes\.(?=measure\.(rate|per|as_percent_of_own)|name\.en)"
    known = {re.sub(shared, "outcome.", path) for path in known}
    assert known == {*CASES, *ENGLISH, *ONE_VALUE}


@pytest.mark.parametrize("path", CASES)
def test_every_key_is_said(path: str, tmp_path: Path) -> None:
    more, value, words = CASES[path]
    changes = {**more, WRITTEN.get(path, path): value}
    without, said = told(tmp_path, {} if path in FROM_THE_EXAMPLE else more), told(tmp_path, changes)
    assert words in said and words not in without
    assert told(tmp_path, changes, "en") not in (said, told(tmp_path, {} if path in FROM_THE_EXAMPLE else more, "en"))


NO_UNITS = {
    "data.units": GONE,
    "comparison.match": "none",
    "treatment.areas": "register",
    "alternatives": [],
}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"treatment.anticipation": 1}, "In de laatste periode voor de start kan er al iets veranderen"),
        ({"comparison.match.missing": "indicator"}, "dat het ontbreekt is zelf een kenmerk"),
        ({"comparison.match.same": "gemeente-grootte"}, "dezelfde grootteklasse (grenzen bij 5.000, 10.000,"),
        ({"checks": {"balance": 0.1}}, "meer dan 0,1 standaardafwijkingen. Zo niet, dan wordt er geen getal gegeven."),
        ({"comparison.match.ratio": 1}, "komt de wijk of buurt die er het meest op lijkt"),
        ({"comparison.match.method": "optimal", "comparison.match.ratio": 1}, "één wijk of buurt, elk hoogstens"),
        ({"comparison.match": {"method": "full", "on": ["size"]}}, "komt in een groepje met één of meer behandelde"),
        ({"comparison.match.distance": "scaled-euclidean"}, "tellen in de gelijkenis elk voor zich"),
        ({"data.units.decimal": "."}, "Decimalen staan in het bestand met kenmerken achter een punt."),
        ({"data.outcomes.level": "gemeente"}, "komen de 5 gemeenten die er het meest op lijken"),
        ({"target.every": "unit"}, "Elke wijk of buurt telt even zwaar"),
        ({"target.window": [2023, 2023]}, "dan in de vergelijking, in 2023."),
        ({"target.window": GONE}, "gemiddeld over 2022, 2023 en 2024."),
        (
            {"target.window": GONE, "treatment.start": {"event": "start", "column": "begin"}},
            "gemiddeld over de perioden van de start tot en met 2024",
        ),
        ({"outcome.indicator": "schooladvies", "outcome.better": "higher"}, "Hoger is gunstig."),
        ({"outcome.smallest_difference_that_matters": GONE}, "Er is niet opgegeven welk verschil groot genoeg is"),
        ({"inference.beside": ["jackknife", "scores"]}, "(scores)"),
        ({"inference": {"name": "scores", "beside": ["cluster-jackknife"]}}, "(cluster-jackknife)"),
        ({"alternatives": []}, "Er zijn geen alternatieven opgegeven."),
        (NO_UNITS, "Er is geen tabel met kenmerken. - De gemeente volgt uit de code."),
        ({}, "De gemeente volgt uit de code."),
        (
            {**REGISTER, "treatment.already_treated": dict.fromkeys(("delft-west", "breda-noord"), "leave-out")},
            "Niet mee doen, omdat het programma of een voorganger ervan daar al eerder liep: Breda Noord en"
            " Delft West.",
        ),
        ({"inference.level": 0.975}, "een 97,5%-interval"),
        ({"checks": {"controls": 1500}}, "ten minste 1.500 wijken"),
    ],
)  # fmt: skip
def test_every_form_of_a_sentence(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    assert words in told(tmp_path, changes)
    assert told(tmp_path, changes, "en")


@pytest.mark.parametrize("path", ENGLISH)
def test_english_texts_of_the_study_are_used_in_english(path: str, tmp_path: Path) -> None:
    at, text = path.removesuffix(".en"), ENGLISH[path]
    both: dict[str, Any] = {"nl": "Nederlands", "en": text}
    more = RATE if at == "outcome.also_as" else {}
    changes = {**more, at: {"inwoners": both} if at.endswith("labels") else both}
    assert text in told(tmp_path, changes, "en") and text not in told(tmp_path, changes)


@pytest.mark.parametrize("name", [*CHECKS, *ON_REQUEST])
def test_every_check_has_its_threshold_in_words(name: str, tmp_path: Path) -> None:
    shares = ("largest-share", "suppressed", "overlap", "unmatched", "largest-weight")
    spoken = "37%" if name in shares else "0,37"
    more = {**MARGIN} if name == "respondents" else {}
    assert spoken in told(tmp_path, {**more, "checks": {name: 0.37}})
    assert spoken not in told(tmp_path, more)


# Another value of every parameter: of that method, or of whichever has it.
OTHER: dict[str, Any] = {
    "control": "not-yet",
    "method": "ipw",
    "base": "universal",
    "solver": "fw",
    "draws": 4321,
    "statistic": "estimate",
    "placebo-time.statistic": "rmspe-ratio",
    "variance": "leave-one-out",
    "small_sample": "fixest",
    "effect": "event",
    "before": 3,
    "after": 2,
    "leads": 4,
    "lags": 3,
    "missing": "drop-donors",
    "intercept": True,
    "partially-pooled.intercept": False,
    "multi-outcome-synthetic-control.intercept": False,
    "predictors": [{"of": "outcome", "at": 2015}],
    "v": "nested",
    "starts": 3,
    "fit_window": [2017, 2019],
    "constraint": "ridge",
    "budget": 1.5,
    "lam": 0.25,
    "validate": 33,
    "residualize": True,
    "zeta": 2,
    "nu": 0.5,
    "outcomes": ["voortijdig-schoolverlaten", "eigen"],
    "combine": "averaged",
    "sets": "similar-population",
    "tolerance": 0.1,
    "permutations": "iid",
    "conformal.order": "inf",
    "prediction-interval.order": 0,
    "error": "quantile",
    "cutoff": 500,
    "kernel": "uniform",
    "cointegrated": True,
    "misspecified": False,
    "weights": "webb",
    "residuals": "unrestricted",
    "parts": "unit",
    "size": "residents",
}
# What a parameter means something with: without it the setting is refused, or told to change nothing.
NEEDS: dict[str, dict[str, Any]] = {
    "twfe.leads": {"effect": "event"},
    "v": {"predictors": ["huur"]},
    "starts": {"predictors": ["huur"], "v": "nested"},
    "fit_window": {"predictors": ["huur"], "v": "nested"},
    "budget": {"constraint": "lasso"},
    "tolerance": {"sets": "similar-population"},
    "conformal.draws": {"permutations": "iid"},
    "residualize": {"covariates": ["huur"]},
}
FAMILY = {
    "outcome": GONE,
    "outcomes": [
        {"indicator": "voortijdig-schoolverlaten", "measure": {"unit": "procentpunt"}, "better": "lower"},
        {"indicator": "eigen", "name": "Eigen", "measure": {"unit": "procentpunt"}, "better": "higher"},
        {"indicator": "derde", "name": "Derde", "measure": {"unit": "procentpunt"}, "better": "higher"},
    ],
}
# What other parts of a study say, and what no text can hold.
ELSEWHERE = ("anticipation", "reference", "errors", "opposite", "exposure", "level", "rematch")


def family(name: str) -> dict[str, Any]:
    return FAMILY if name.startswith("multi-outcome") else {}


def parameters(registry: dict[str, str], resolve: Any) -> list[tuple[str, str]]:
    return [
        (name, field.name)
        for name in registry
        for field in fields(resolve(name))
        if field.name not in (*ELSEWHERE, *FIXED.get(name, {}))
    ]


def standard_of(name: str, key: str) -> Any:
    every: Any = estimators.resolve(name) if name in estimators.ESTIMATORS else inferences.resolve(name)  # type: ignore[arg-type]
    return next(field.default for field in fields(every) if field.name == key)


def settings(name: str, key: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A method with what a parameter needs, without and with another value of that parameter."""
    turned = {"never": "not-yet", "not-yet": "never"}.get(str(standard_of(name, key))) if key == "control" else None
    other = turned or OTHER.get(f"{name}.{key}", OTHER.get(key))
    needs = NEEDS.get(f"{name}.{key}", NEEDS.get(key, {}))
    return {"name": name, **needs}, {"name": name, **needs, key: other}


@pytest.mark.parametrize("matching", ["none", {"method": "nearest", "ratio": 5, "on": ["size"]}], ids=["all", "chosen"])
@pytest.mark.parametrize(("name", "key"), parameters(estimators.ESTIMATORS, estimators.resolve))
def test_every_parameter_of_an_estimator_is_said(name: str, key: str, matching: Any, tmp_path: Path) -> None:
    """In words: a setting is not just repeated; where a choice of areas takes its place, that is said."""
    for language in ("nl", "en"):
        one, two = (
            told(
                tmp_path,
                {**family(name), "comparison.match": matching, "alternatives": [], "estimator": method},
                language,
            )
            for method in settings(name, key)
        )
        assert one != two
        assert not re.search(rf"(Instelling|Setting) {key}", one + two)


def test_a_parameter_without_words_of_its_own_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever an estimator gets next is told in some way before it has a sentence."""
    known, gone = texts("nl"), ("explain.estimate.before.", "explain.sure.small_sample.")
    left = {key: text for key, text in known.entries.items() if not key.startswith(gone)}
    monkeypatch.setattr(wording, "texts", lambda language, level="": Texts(language, left))
    said = told(tmp_path, {"estimator": {"name": "stacked", "before": 3}, "inference": {"name": "scores"}})
    assert "Instelling before: 3." in said and "Instelling small_sample: none." in said


def test_a_setting_that_changes_nothing_is_said_to(tmp_path: Path) -> None:
    for estimator, shown in (
        ({"name": "synthetic-control", "starts": 3}, "starts: 3"),
        ({"name": "synthetic-control", "missing": "drop-donors"}, "missing: drop-donors"),
        ({"name": "augmented-synthetic-control", "residualize": True}, "residualize: true"),
        ({"name": "penalized-synthetic-control", "lam": 0.1, "validate": 50}, "validate: 50"),
    ):
        said = f"De instelling ‘{shown}’ verandert hier niets aan het getal."
        assert said in told(tmp_path, {"estimator": estimator, "alternatives": []})
    shifted = {"inference": {"name": "conformal", "draws": 99}}
    assert "De instelling ‘draws: 99’ verandert hier niets" in told(tmp_path, shifted)
    assert "verandert hier niets" not in told(tmp_path, {"estimator": "synthetic-control", "inference": "conformal"})


@pytest.mark.parametrize(
    ("estimator", "words"),
    [
        ({"intercept": True}, "een vast verschil in niveau telt niet mee"),
        ({}, "Een gewicht is nooit negatief en samen zijn de gewichten één"),
        ({"constraint": "lasso"}, "Bij elkaar opgeteld is die omvang ten hoogste 1."),
        ({"constraint": "lasso", "budget": 2.5}, "Bij elkaar opgeteld is die omvang ten hoogste 2,5."),
        ({"constraint": "ridge"}, "volgt per gebied uit een vuistregel"),
        (
            {"predictors": ["huur", {"of": "outcome", "at": 2015}]},
            "in plaats van elke meting voor de start: huur en de uitkomst in 2015. Elk daarvan is gedeeld door zijn",
        ),
        ({"predictors": ["huur"]}, "waarvan een van deze kenmerken onbekend is, valt af en wordt genoemd"),
        ({"predictors": [{"of": "outcome", "from": 2014, "to": 2016}]}, "de gemiddelde uitkomst van 2014 tot en met"),
        ({"predictors": [{"of": "outcome", "from": 2014}]}, "de gemiddelde uitkomst vanaf 2014 tot de start"),
        ({"predictors": [{"of": "outcome", "to": 2016}]}, "de gemiddelde uitkomst tot en met 2016"),
        ({"predictors": [{"of": "outcome", "each": True}]}, "de uitkomst in elke meting voor de start"),
        ({"predictors": [{"of": "outcome", "statistic": "median"}]}, "de mediaan van de uitkomst voor de start"),
        (
            {"predictors": [{"of": "outcome", "at": 2019, "training": {"of": "outcome", "at": 2015}}]},
            "de uitkomst in 2019 (bij het leren: de uitkomst in 2015)",
        ),
        ({"predictors": ["huur", "bijstand"], "v": {"bijstand": 0.5, "huur": 2}}, "telt: bijstand 0,5 en huur 2."),
        ({"predictors": ["huur"], "v": "nested"}, "daarnaar is 10 keer gezocht"),
        (
            {"predictors": ["huur"], "v": "nested", "starts": 4, "fit_window": [2015, 2019]},
            "daarnaar is 4 keer gezocht, elke keer vanuit een ander begin. - De uitkomst die daarbij zo goed mogelijk "
            "moet kloppen, is die van 2015 tot en met 2019.",
        ),
    ],
)
def test_how_a_synthetic_comparison_is_made_is_said(estimator: dict[str, Any], words: str, tmp_path: Path) -> None:
    changes = {"estimator": {"name": "synthetic-control", **estimator}, "alternatives": []}
    assert words in told(tmp_path, changes)
    assert "Setting" not in told(tmp_path, changes, "en")


def test_the_group_of_indicators_is_named(tmp_path: Path) -> None:
    every = told(tmp_path, {**FAMILY, "estimator": "multi-outcome-synthetic-control"})
    assert "De groep bestaat uit: voortijdig-schoolverlaten, eigen en derde." in every
    named = {"name": "multi-outcome-synthetic-control", "outcomes": ["eigen", "derde"]}
    assert "De groep bestaat uit: eigen en derde." in told(tmp_path, {**FAMILY, "estimator": named})


def test_a_study_gives_differences_in_the_unit_of_the_outcome(tmp_path: Path) -> None:
    assert "Het verschil staat in de eenheid van de uitkomst." in told(tmp_path, {"estimator": "poisson"})
    assert "eenheid van de uitkomst" not in told(tmp_path, {"estimator": "twfe"})


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (1, 0, ("begint bij de laatste meting voor de start", "eindigt bij de eerste meting met het programma")),
        (2, 1, ("begint 2 metingen voor de start", "eindigt één meting na de eerste")),
        (4, 3, ("begint 4 metingen voor de start", "eindigt 3 metingen na de eerste")),
    ],
)
def test_the_window_of_a_stack_is_said(before: int, after: int, words: tuple[str, str], tmp_path: Path) -> None:
    said = told(tmp_path, {"estimator": {"name": "stacked", "before": before, "after": after}})
    assert all(word in said for word in words)


@pytest.mark.parametrize(
    ("estimator", "last"),
    [
        ("did", False),
        ("imputation", False),
        ("two-stage", False),
        ("extended-twfe", False),
        ("poisson", False),
        ("twfe", False),
        ({"name": "twfe", "effect": "event"}, True),
        ({"name": "extended-twfe", "control": "never"}, True),
        ("group-time", True),
        ("stacked", True),
        ("sun-abraham", True),
    ],
)
def test_the_base_is_the_last_measurement_or_all_of_them(estimator: Any, last: bool, tmp_path: Path) -> None:
    said = told(tmp_path, {"estimator": estimator, "treatment.anticipation": 1, "alternatives": []})
    assert ("is het uitgangspunt 2020." in said) is last
    assert ("is het uitgangspunt 2013, 2014, 2015, 2016, 2017, 2018, 2019 en 2020." in said) is not last


@pytest.mark.parametrize(("name", "key"), parameters(inferences.INFERENCES, inferences.resolve))
@pytest.mark.parametrize("beside", [False, True])
def test_every_parameter_of_an_inference_is_said(name: str, key: str, beside: bool, tmp_path: Path) -> None:
    def made(method: dict[str, Any]) -> dict[str, Any]:
        return {"inference": {"name": "cluster-jackknife", "beside": [method]} if beside else method}

    for language in ("nl", "en"):
        one, two = (told(tmp_path, made(method), language) for method in settings(name, key))
        assert one != two
        assert not re.search(rf"(Instelling|Setting) {key}", one + two)


@pytest.mark.parametrize(
    ("inference", "words"),
    [
        ({"name": "placebo-space", "statistic": "studentised"}, "past bij het aantal bewoners van de gebieden"),
        ({"name": "placebo-space", "sets": "similar-population", "tolerance": 0.1}, "ten hoogste 10% meer of minder"),
        ({"name": "conformal", "permutations": "iid", "draws": 500}, "meer dan 500, dan in 500 willekeurige (iid)"),
        ({"name": "conformal", "order": 2}, "De afwijkingen tellen in het kwadraat"),
        ({"name": "prediction-interval", "lags": 1}, "De periode ervoor speelt daarbij mee."),
        ({"name": "prediction-interval", "draws": 500}, "(prediction-interval, 500 trekkingen)"),
    ],
)
def test_how_an_inference_is_set_is_said(inference: dict[str, Any], words: str, tmp_path: Path) -> None:
    assert words in told(tmp_path, {"inference": inference})
    assert words in told(tmp_path, {"inference": {"name": "cluster-jackknife", "beside": [inference]}})


@pytest.mark.parametrize("name", [*estimators.ESTIMATORS, *inferences.INFERENCES])
def test_every_method_has_its_name_in_the_text(name: str, tmp_path: Path) -> None:
    key = "estimator" if name in estimators.ESTIMATORS else "inference"
    for language in ("nl", "en"):
        assert re.search(rf"\({name}[,)]", told(tmp_path, {**family(name), key: name}, language))


# --- the areas --------------------------------------------------------------------------------------------------------


def register() -> tuple[dict[str, str], set[str]]:
    """Names of the areas by slug and the slugs with a whole member of known code, from the files of the register."""
    folder = ROOT / "impact" / "register"
    with (folder / "areas.csv").open(encoding="utf-8") as stream:
        names = {row["slug"]: row["name"] for row in csv.DictReader(stream)}
    with (folder / "members.csv").open(encoding="utf-8") as stream:
        whole = {row["area"] for row in csv.DictReader(stream) if row["code"] and row["share"] == "1"}
    return names, whole


def test_areas_of_the_register_are_counted_and_the_others_named(tmp_path: Path) -> None:
    names, whole = register()
    gone = sorted(whole)[0]
    said = told(tmp_path, {"treatment.areas": "register", "treatment.already_treated": {gone: "leave-out"}})
    assert f"De studie gaat over {len(whole) - 1} van de 20 focusgebieden van het programma" in said
    assert len(names) == 20 and all(name in said for name in names.values())
    taking_part = said.split("laat zien: ")[1].split(" - ")[0]
    assert {slug for slug, name in names.items() if name in taking_part} == whole - {gone}


def test_areas_of_the_study_are_counted_among_the_twenty(tmp_path: Path) -> None:
    said = told(tmp_path, {})
    assert "De studie gaat over 2 van de 20 focusgebieden van het programma: Delft West en Den Haag Zuidwest." in said
    others = said.split("De andere 18 zitten niet in deze studie: ")[1].split(" - ")[0]
    names, _ = register()
    assert {slug for slug, name in names.items() if name not in others} == {"delft-west", "den-haag-zuidwest"}
    own = told(tmp_path, {"treatment.areas": {"mijn-wijk": {"name": "Mijn Wijk", "members": ["WK012301"]}}})
    assert "geen focusgebied zijn: Mijn Wijk." in own and "van de 20" not in own


# --- alternatives, checks, words --------------------------------------------------------------------------------------


def alternative(change: dict[str, Any]) -> dict[str, Any]:
    return {"alternatives": [{**ALTERNATIVE, "same_estimand": False, "change": change}]}


def last(said: str) -> str:
    return said.split("zonder: beantwoordt")[1].split(" Toetsen - ")[0]


def test_an_alternative_says_what_is_different_and_nothing_else(tmp_path: Path) -> None:
    said = last(told(tmp_path, alternative({"comparison": {"match": {"ratio": 2}}})))
    assert said.endswith("Reden: alles. Dan geldt: Naast elke behandelde wijk of buurt komen de 2 wijken of buurten"
                         " die er het meest op lijken (naaste buren).")  # fmt: skip


def test_an_alternative_says_what_falls_away(tmp_path: Path) -> None:
    said = last(told(tmp_path, alternative({"comparison": {"leave_out": []}})))
    assert said.endswith("Dan geldt niet meer: Een wijk of buurt in een focusgebied, van het register of van deze"
                         " studie, dient niet als vergelijking. Reden: programma.")  # fmt: skip
    rules = [{"rule": "listed", "regions": [code], "why": "w"} for code in ("WK036301", "WK036302")]
    fewer = alternative({"comparison": {"leave_out": [{**rules[0], "regions": ["WK036303"]}]}})
    said = last(told(tmp_path, {"comparison.leave_out": rules, **fewer}))
    assert all(code in said for code in ("WK036301", "WK036302", "WK036303"))


def test_the_checks_that_seal_are_those_of_a_run(first: Path) -> None:
    (outcome,) = json.loads((first / "results.json").read_text(encoding="utf-8"))["outcomes"]
    sealing = {check["name"] for check in outcome["checks"] if check["gates"]}
    # Those that the study gives a threshold, but for the one whose failure it foresaw.
    assert sealing == {"pre-periods", "treated-clusters", "controls", "largest-share", "suppressed"}
    said = " ".join(plain_text(explain(read_study(ROOT / "studies" / "eerste-studie" / "study.yaml"))).split())
    assert said.count("dan wordt er geen getal gegeven") == len(sealing) - 1  # of the first it says more
    assert said.count("dan wordt het getal toch gegeven") == 1


def test_what_is_not_checked_is_said(tmp_path: Path) -> None:
    said = told(tmp_path, {"comparison.match": "none"})
    assert "zonder keuze wordt dat niet getoetst" in said
    said = told(tmp_path, {"comparison.match.outcomes_in": [2014]})
    assert "Perioden waarvan de uitkomst is gekoppeld, tellen daarin niet mee" in said


def test_matching_on_scores_of_the_selection_is_warned_for(tmp_path: Path) -> None:
    warning, scores = "erop koppelen brengt dat toeval in de vergelijking", {"data.units.columns.selection": ["score"]}
    for on in (["selection"], ["score", "size"]):
        assert warning in told(tmp_path, {**scores, "comparison.match.on": on})
    assert warning not in told(tmp_path, scores)


def test_an_indicator_that_is_no_outcome_is_told_so(tmp_path: Path) -> None:
    said = told(tmp_path, {"outcome.indicator": "herstructurering", "outcome.better": "neither"})
    assert "dit is de inzet van het programma zelf, geen uitkomst" in said


def test_both_languages_have_the_same_texts() -> None:
    dutch, english = (
        {key: text for key, text in texts(language).entries.items() if key.startswith("explain.")}
        for language in ("nl", "en")
    )
    assert differing(dutch, english) == () and len(english) == len(dutch) > 0
    names = re.compile(r"{(\w+)}")
    for key, text in dutch.items():
        if key.split(".")[1] not in ("unit", "units", "cluster", "clusters"):
            plain = {"unit", "units"}  # Dutch and English need these in other places
            assert set(names.findall(text)) - plain == set(names.findall(english[key])) - plain, key


STUDIES = sorted(path.parent.name for path in (ROOT / "studies").glob("*/study.yaml"))


@pytest.mark.parametrize("language", ["nl", "en"])
@pytest.mark.parametrize("name", STUDIES)
def test_every_shipped_study_can_be_explained(name: str, language: str) -> None:
    done = impact("explain", ROOT / "studies" / name, "--language", language)
    assert done.code == 0
    assert FORBIDDEN.search(done.out) is None
    assert "{" not in done.out and max(map(len, done.out.splitlines())) <= 100
    assert re.search(r"\b20\b", done.out), "of how many areas"
    end = {"nl": "geen gegevens geopend", "en": "no data were opened"}[language]
    assert end in " ".join(done.out.split("\n\n")[-1].split())


def test_nothing_is_opened_but_the_specification(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(SPEC, encoding="utf-8")
    code = (
        "import sys\n"
        "def watch(event, found):\n"
        "    if event == 'open' and isinstance(found[0], str) and found[0].endswith(('.csv', '.xlsx', '.parquet')):\n"
        "        assert '/register/' in found[0].replace(chr(92), '/'), found[0]\n"
        "sys.addaudithook(watch)\n"
        "from impact.cli import main; main()"
    )
    (tmp_path / "uitkomst.csv").write_text("wijk,jaar,aantal\n", encoding="utf-8")
    done = apart("explain", tmp_path, code=code)
    assert done.returncode == 0, done.stderr
    assert "geen gegevens geopend" in " ".join(done.stdout.split())


def test_an_unknown_language_and_a_wrong_study_are_said(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(SPEC, encoding="utf-8")
    unknown = impact("explain", tmp_path, "--language", "fy")
    assert unknown.code == 2 and "TEXT-001" in unknown.err
    (tmp_path / "study.yaml").write_text(SPEC.replace("seed: 7\n", ""), encoding="utf-8")
    wrong = impact("explain", tmp_path)
    assert wrong.code == 2 and "SPEC-006" in wrong.err and not wrong.out
