"""A study to begin with: a commented ``study.yaml`` and ``README.md`` from the register, with every choice to make."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from impact.errors import Problem, UsageError, WriteError, raise_all
from impact.files import folder, write
from impact.register.areas import Cohort, areas
from impact.register.indicators import Availability, Direction, Indicator, IndicatorKind, indicators
from impact.study.read import Study
from impact.study.source import Node

__all__ = ["TO_FILL", "Draft", "check_filled", "draft", "to_fill", "write_draft"]

TO_FILL = "INVULLEN"
"""How a text begins that a person still has to write."""
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST = 80
_MOST = 50  # problems that are shown at once
_FIRST, _LAST = 2012, 2024
"""Years that a study begins with where the register knows no others."""
_WIJK = {
    Availability.PUBLIC: "landelijk openbaar per wijk",
    Availability.ON_REQUEST: "per wijk alleen als maatwerk of microdata",
    Availability.LOCAL_SAMPLE: "per wijk alleen waar een gemeente een eigen wijksteekproef heeft",
    Availability.NONE: "niet per wijk",
}


@dataclass(frozen=True, slots=True)
class Draft:
    """A study to begin with.

    Attributes
    ----------
    slug : str
        Its short name and folder.
    indicator : Indicator or None
        Of the register; None for an indicator of one's own.
    study, readme : str
        The texts of its files.
    """

    slug: str
    indicator: Indicator | None
    study: str
    readme: str


def draft(slug: str, indicator: str = "", schema: str = "") -> Draft:
    """The texts of a study about one of the 15 indicators, or about one of its own.

    Parameters
    ----------
    slug : str
        Short name of the study.
    indicator : str
        Slug of the register; empty for an indicator of one's own, called as the study.
    schema : str
        Path from the study to ``study.schema.json``, for editors; empty where there is none.

    Raises
    ------
    UsageError
        ``USAGE-020`` a slug that no study can have; ``REGISTER-002`` an unknown indicator, with all 15.
    """
    if not _SLUG.fullmatch(slug) or len(slug) > _LONGEST:
        hint = f"Small letters, digits and single dashes, at most {_LONGEST}, such as ervaren-veiligheid-2027."
        raise UsageError(Problem("USAGE-020", f"{slug!r} cannot be the short name of a study.", hint))
    found = next((one for one in indicators() if one.slug == indicator), None)
    if indicator and found is None:
        listed = "; ".join(f"{one.slug} ({one.nl})" for one in indicators())
        what = f"'{indicator}' is not one of the {len(indicators())} kernindicatoren."
        hint = f"They are: {listed}. Without --indicator a study is about an indicator of its own."
        raise UsageError(Problem("REGISTER-002", what, hint))
    lines = [*_head(slug, found, schema), *_data(slug, found), *_times(found), *_treatment(found), *_rest(slug, found)]
    return Draft(slug, found, "\n".join(lines) + "\n", _readme(slug, found))


def write_draft(made: Draft, place: Path) -> Path:
    """Write a study into the new folder `place`; gives its ``study.yaml``.

    Raises
    ------
    WriteError
        ``WRITE-010`` when anything stands there; ``WRITE-001`` when the file system refuses.
    """
    if place.is_symlink() or (place.exists() and not (place.is_dir() and not any(place.iterdir()))):
        hint = "Choose another short name, or another folder with --in; nothing was changed."
        raise WriteError(Problem("WRITE-010", "something stands there already.", hint, str(place)))
    with folder(place) as new:
        write(new / "README.md", made.readme)
        write(new / "study.yaml", made.study)
    return place / "study.yaml"


def to_fill(tree: Node) -> Iterator[str]:
    """The dotted paths of all texts that a person still has to write."""
    return (".".join(map(str, loc)) for loc, _ in _open(tree))


def check_filled(study: Study) -> None:
    """Refuse a study in which a person still has to write something.

    Raises
    ------
    UsageError
        ``LOCK-016`` for every such text.
    """
    hint = f"Write it in place of the text that begins with {TO_FILL}."
    found = [
        study.problem(loc, "LOCK-016", f"this is still to be written: {text.removeprefix(TO_FILL).strip(': ')}", hint)
        for loc, text in _open(study.tree)
    ]
    more = [Problem("LOCK-016", f"{len(found) - _MOST} more texts are still to be written.", hint, study.file)]
    raise_all([*found[:_MOST], *(more if len(found) > _MOST else [])], UsageError)


def _open(tree: Node) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Where such texts stand, and what they say."""
    content = tree.content
    below = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    if isinstance(content, str) and content.lstrip().startswith(TO_FILL):
        yield (), content.strip()
    for step, node in below:
        for loc, text in _open(node):
            yield (step, *loc), text


# --- the text of study.yaml -------------------------------------------------------------------------------------------


def _quoted(text: str) -> str:
    """A text as YAML in double quotes, which is what JSON writes."""
    return json.dumps(text, ensure_ascii=False)


def _said(*texts: str) -> Iterator[str]:
    """Comments, cut to the width of a page."""
    from textwrap import wrap

    for text in texts:
        yield from (f"# {line}" for line in wrap(text, 118, break_on_hyphens=False))


def _beside(text: str, comment: str) -> str:
    """A line with its comment behind it."""
    return f"{text.ljust(36)} # {comment}"


def _fill(what: str) -> str:
    return _quoted(f"{TO_FILL}: {what}")


def _head(slug: str, found: Indicator | None, schema: str) -> Iterator[str]:
    if schema:
        yield f"# yaml-language-server: $schema={schema}"
    yield from _said(
        "Gemaakt met `impact new`. Alles wat een keuze is, heeft hieronder een toelichting met de mogelijkheden; wat "
        f"met {TO_FILL} begint, moet iemand schrijven. `impact explain` vertelt in zinnen wat er nu staat, "
        "`impact check` leest de gegevens zonder naar uitkomsten na de start te kijken, en `impact lock` legt vast."
    )
    if found is None:
        name, english = slug, slug
        yield from _said(
            "Deze studie gaat over een eigen indicator. De 15 kernindicatoren van het programma: "
            f"{', '.join(one.slug for one in indicators())}."
        )
    else:
        name, english = found.nl, found.en
        yield "#"
        yield from _said(
            f"Kernindicator {found.number} van het programma: {found.programme}.",
            f"Bron: {found.source}. Beschikbaar: {_WIJK[found.wijk]}; {found.frequency}.",
        )
        yield from _said(*(f"Let op: {text.rstrip('.')}." for text in (found.note, found.mechanical) if text))
        if found.not_measurable:
            yield from _said(
                f"NIET MEETBAAR als uitkomst van het programma: {found.not_measurable}. Een run van deze studie "
                "berekent niets en zegt dat, met deze reden."
            )
    yield f"""
schema: 1
id: {slug}
title: {{nl: {_quoted(f"{name} in de focusgebieden")}, en: {_quoted(f"{english} in the focus areas")}}}
question:
  nl: {_quoted(f"Veranderde de indicator ‘{name}’ in de focusgebieden anders dan in vergelijkbare wijken?")}
  en: {_quoted(f"Did the indicator ‘{english}’ change differently in the focus areas than in comparable wijken?")}
# Welke cijfers van na de start had iemand van het team al gezien, en waar? Ook “Niets.” is een antwoord.
seen_before: {_fill("wat was er van de uitkomsten al bekend toen dit werd geschreven?")}"""


def _measure(found: Indicator | None) -> tuple[str, int]:
    """How the outcome is made of columns: a rate per so many, or 0 for a figure as it is."""
    if found is None or found.kind is not IndicatorKind.REGISTER:
        return "value", 0
    if found.unit == "procentpunt":
        return "rate", 100
    return ("rate", 1000) if "per 1.000" in found.unit else ("value", 0)


def _data(slug: str, found: Indicator | None) -> Iterator[str]:
    how, _ = _measure(found)
    columns = "region: regio, period: periode, "
    columns += "numerator: teller, denominator: noemer" if how == "rate" else "value: waarde"
    if found is not None and found.kind is IndicatorKind.SURVEY:
        columns += ", n: respondenten"
    source = _fill("van wie zijn deze cijfers, en van wanneer?") if found is None else _quoted(found.source)
    yield f"""
# Paden gelden vanuit deze map, vanuit het project, of vanuit de map die met --data wordt gegeven.
data:
  outcomes:
{_beside(f"    file: {slug}.csv", "csv, xlsx of parquet")}
    source: {source}
    level: wijk                      # wijk, buurt of gemeente
    # De kolommen zoals zij in het bestand heten: `value` voor een cijfer zoals het is, of `numerator` en `denominator`
    # voor een verhouding; bij een steekproef ook `n`, `se` of `margin: {{low: …, high: …}}`.
    columns: {{{columns}}}
    # vintage: 2024                  # jaar van de indeling waar de codes bij horen
    # sheet: Tabel 1                 # bij een werkboek met meer bladen; header_row: 4 als er titels boven staan
    # separator: ";"                 # en decimal: "," als de csv die heeft
    # marks: {{suppressed: [x], missing: ["."]}}
    # rounded_to: 5                  # als de aantallen zijn afgerond
  units:
{_beside(f"    file: {slug}-wijken.csv", "één rij per wijk: de gemeente, de inwoners en kenmerken van voor de start")}
    source: {_fill("van wie zijn deze kenmerken, en over welk jaar?")}
    level: wijk
    columns:
      region: regio
      gemeente: gemeente
      residents: inwoners
      structure: [huur_pct, uitkering_pct]     # kenmerken van opbouw waarop vergelijkbare wijken worden gezocht
      size: [inwoners]
      # selection: [lbm_2018]        # scores waarop de gebieden zijn gekozen; daarop koppelen brengt toeval mee
  # polygons: {{file: wijken.geojson, column: regio}}     # grenzen: voor de kaart en voor wat naast een gebied ligt"""


def _spelled(year: int, school: bool) -> str:
    return f'"{year}/\'{(year + 1) % 100:02d}"' if school else str(year)


def _school(found: Indicator | None) -> bool:
    return found is not None and found.frequency == "per schooljaar"


def _span(found: Indicator | None) -> tuple[int, str]:
    """The year to begin with, and why it is not the first year of the source."""
    starts = min(one.since for one in areas() if one.cohort is not Cohort.NPRZ_2011)
    if found is None or found.first is None:
        return _FIRST, "Het register kent geen reeks; deze jaren zijn een begin."
    if found.first >= starts:
        told = f"De bron begint pas in {found.first}, na de eerste start; voor de jaren ervoor is een andere nodig."
        return _FIRST, told
    return found.first, ""


def _times(found: Indicator | None) -> Iterator[str]:
    yield ""
    first, why = _span(found)
    school = _school(found)
    yield from _said(
        "De perioden die tellen: year of school-year met `first` en `last`, of waves met `are` (wat ertussen ligt, "
        "wordt niet ingevuld). Voorlopige cijfers: provisional leave-out of keep."
    )
    yield from _said(*filter(None, [why]))
    if found is not None and found.waves:
        first, last = found.waves[0], found.waves[-1]
        yield f"periods: {{kind: waves, are: [{', '.join(map(str, found.waves))}], provisional: leave-out}}"
    else:
        last = _LAST
        kind = "school-year" if school else "year"
        span = f"first: {_spelled(first, school)}, last: {_spelled(last, school)}"
        yield f"periods: {{kind: {kind}, {span}, provisional: leave-out}}"
    corona = f"{_spelled(2019, True)}, {_spelled(2020, True)}" if school else "2020"
    yield f"# leave_out: [{{periods: [{corona}], why: corona}}]     # perioden die niet tellen, met de reden"
    known = [one for one in (found.breaks if found is not None else ()) if first < int(one.at[:4]) <= last]
    if known:
        yield from _said(
            "Breuken in de meting volgens het register. common-shift: aangenomen wordt dat de breuk alle wijken "
            "evenveel verschoof. segment: cijfers van voor en na de breuk worden niet vergeleken."
        )
        yield "breaks:"
        for one in known:
            at = one.at if "/" in one.at else one.at[:4]
            told = one.what if at == one.at else f"{one.what} (vanaf {one.at})"
            yield f"  - {{at: {_quoted(at)}, treat_as: common-shift, why: {_quoted(told)}}}"
    else:
        yield "# breaks: [{at: 2021, treat_as: common-shift, why: nieuwe vragenlijst}]     # common-shift of segment"


def _treatment(found: Indicator | None) -> Iterator[str]:
    school = _school(found)
    only = "" if found is not None and found.wijk is Availability.LOCAL_SAMPLE else "# "
    yield """
# Wie en vanaf wanneer. areas: register (de 20 gebieden van het programma), {column: gebied} (een kolom van de
# kenmerken), of een eigen lijst: {delft-west: {members: [WK050324, WK050325]}}. Van niet elk gebied kent het register
# de codes; een eigen bestand (area, code, vintage, share, source) gaat ervoor.
treatment:
  areas: register
  # members: gebieden.csv"""
    yield _beside(
        f"  {only}only: with-data", "gebieden zonder gegevens vallen bij naam af in plaats van de run te stoppen"
    )
    yield "  already_treated: {rotterdam-zuid: leave-out}     # heeft het programma sinds 2011"
    yield from (f"  {line}" for line in _said(
        "Wat geldt als start? Hieronder het jaar van aanwijzing per gebied, zoals het register het geeft. Andere "
        "mogelijkheden: {event: prestatieafspraak, first_treated: "
        f"{_spelled(2022, school)}}} voor alle gebieden, of {{event: …, column: start}} uit de kenmerken. Met "
        "first_full telt een eerste, onvolle periode niet mee."
    ))  # fmt: skip
    yield "  start:"
    yield "    event: aanwijzing"
    yield "    by_area:"
    yield from (f"      {area.slug}: {_spelled(area.since, school)}" for area in areas())
    yield "  anticipation: 0                    # perioden voor de start waarin al iets kan veranderen"


def _rest(slug: str, found: Indicator | None) -> Iterator[str]:
    how, per = _measure(found)
    unit = _fill("de eenheid van een verschil, zoals procentpunt") if found is None else _quoted(found.unit)
    measure = f"{{rate: numerator/denominator, per: {per}, unit: {unit}}}" if how == "rate" else f"{{unit: {unit}}}"
    better = "neither" if found is None or found.direction is Direction.CONTEXT else str(found.direction)
    yield "\noutcome:"
    yield f"  indicator: {slug if found is None else found.slug}"
    if found is None:
        yield f"  name: {{nl: {_fill('de naam van de indicator')}}}"
        yield "  kind: register                     # register (geteld), survey (steekproef) of modelled (voorspeld)"
    yield f"  measure: {measure}"
    yield _beside(f"  better: {better}", "welke kant gunstig is: lower, higher of neither")
    yield """\
  # Vanaf welk verschil doet het ertoe, en wie stelde dat vast? Zonder deze regel kan een run nooit zeggen dat er geen
  # verschil van belang is.
  # smallest_difference_that_matters: {value: 0.5, why: begeleidingscommissie van 12 mei}

# Het antwoord is één getal. every: area (elk gebied telt even zwaar), resident (elke bewoner) of unit (elke wijk).
# window: de eerste en de laatste periode waarover het gaat; zonder window van de start tot het eind.
target: {kind: average, every: area}

# Met wie wordt vergeleken. Andere regels: adjacent en near (ernaast of dichtbij), co-treated (ander beleid uit de
# kalender), band (grenzen aan een kenmerk), listed (bij naam), other-gemeente, far.
comparison:
  leave_out:
    - {rule: focus-area, why: krijgt zelf het programma}
    - {rule: same-gemeente, why: beleid van dezelfde gemeente en verhuizing over de wijkgrens}
  # method: nearest, optimal, full, exact, coarsened-exact, entropy, stable, inverse-probability, overlap; match: none
  match: {method: nearest, ratio: 5, on: [structure, size]}

# Rekenwijze: did (het gemiddelde van alle metingen voor de start als uitgangspunt), group-time (alleen de laatste),
# synthetic-did of synthetic-control (een vergelijking die het verloop voor de start nabootst), en andere.
estimator: did
# De onzekerheid gaat uit van gemeenten; `beside` zet andere p-waarden ernaast, waaruit nooit wordt gekozen.
inference: {name: cluster-jackknife, cluster: gemeente, level: 0.95, beside: [score-flip]}

# Andere manieren om het te beantwoorden, die vooraf zijn bedacht; alle komen in het rapport.
alternatives:
  - name: alle-wijken
    why: zonder keuze van vergelijkbare wijken
    same_estimand: true
    change: {comparison: {match: none}}
  - name: per-inwoner
    why: grote gebieden tellen zwaarder
    same_estimand: false
    change: {target: {every: resident}}

# Toetsen die de opzet moet halen voordat een getal wordt gegeven: standard, survey (ook genoeg respondenten), of eigen
# grenzen, zoals {balance: 0.1}."""
    survey = found is not None and found.kind is IndicatorKind.SURVEY
    yield f"checks: {'survey' if survey else 'standard'}"
    seed = int(hashlib.sha256(slug.encode()).hexdigest()[:8], 16)
    yield _beside(f"seed: {seed}", "elk getal is goed, als het maar vaststaat")


def _readme(slug: str, found: Indicator | None) -> str:
    about = "een eigen indicator" if found is None else f"kernindicator {found.number}, {found.programme}"
    blind = "" if found is None or not found.not_measurable else (
        f"\n**Niet meetbaar.** Volgens het register van indicatoren kan dit geen uitkomst van het programma zijn: "
        f"{found.not_measurable}. Een run berekent niets en zegt dat.\n"
    )  # fmt: skip
    return f"""# {slug}

Een studie over {about}.
{blind}
Wat nog te doen is:

1. Schrijf in `study.yaml` alles wat met {TO_FILL} begint, en loop de keuzes na die er als toelichting in staan.
2. Lees met `impact explain {slug}` in zinnen na wat de opzet zegt.
3. Zet `{slug}.csv` en `{slug}-wijken.csv` in deze map, of geef hun map met `--data`.
4. Bekijk met `impact check {slug}` wat met wat wordt vergeleken; naar uitkomsten na de start wordt niet gekeken.
5. Leg de opzet vast met `impact lock {slug}`, voordat iemand de uitkomsten ziet.
6. `impact run {slug}` maakt de bundel met rapport, cijfers en figuren.

*English.* A study to begin with, made by `impact new` from the register. Every choice to make is a comment in
`study.yaml`; texts that begin with {TO_FILL} are for a person to write.
"""
