"""The data dictionary: every file, and what its columns mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from impact.register.areas import areas
from impact.register.indicators import indicators
from impact.simulate.package import Field, Resource

__all__ = ["resources"]

_SEMICOLON = {"delimiter": ";"}
_THERE = {"required": True}


def _code(name: str, level: str, description: str, **rules: Any) -> Field:
    shape = {"gemeente": "GM9[0-9]{3}", "wijk": "WK9[0-9]{5}", "buurt": "BU9[0-9]{7}"}
    return Field(name, "string", description, rules={**_THERE, "pattern": shape[level], **rules})


def _area(name: str, description: str, *, empty: bool) -> Field:
    slugs = [one.slug for one in areas()]
    return Field(name, "string", description, rules={**({} if empty else _THERE), "enum": slugs})


def _count(name: str, description: str, unit: str = "persons", **rules: Any) -> Field:
    return Field(name, "number", description, unit, {"minimum": 0, **rules})


def _structure() -> tuple[Field, ...]:
    percent = {**_THERE, "minimum": 0, "maximum": 100}
    return (
        Field("huur_pct", "number", "rented dwellings", "percent", percent),
        Field("uitkering_pct", "number", "residents on benefits", "percent", percent),
        Field("adres_dichtheid", "number", "addresses per square kilometre", "1/km2", {**_THERE, "minimum": 0}),
    )


def _long(path: str, title: str, level: str, links: Mapping[str, tuple[str, str]]) -> Resource:
    return Resource(
        path,
        title,
        (
            Field(
                "indicator",
                "string",
                "slug of the indicator in the register",
                rules={**_THERE, "enum": [one.slug for one in indicators()]},
            ),
            _code("region", level, f"code of the {level}"),
            Field("period", "string", "year, or school year such as 2020/'21", rules=_THERE),
            _count("numerator", "what was counted; blank for surveys and scores", "count"),
            _count("denominator", "out of how many; residents for counts per 1,000", "count"),
            Field(
                "value",
                "number",
                "100 × numerator ÷ denominator, a number per 1,000 residents, percentage of respondents, or points",
                "of the indicator",
            ),
            _count("n", "respondents; blank but for surveys"),
            Field(
                "low", "number", "lower 95 % margin; blank but for surveys", "percent", {"minimum": 0, "maximum": 100}
            ),
            Field(
                "high", "number", "upper 95 % margin; blank but for surveys", "percent", {"minimum": 0, "maximum": 100}
            ),
            Field(
                "status",
                "string",
                "how the cell came to be",
                rules={**_THERE, "enum": ["ok", "provisional", "suppressed", "missing"]},
            ),
        ),
        ("indicator", "region", "period"),
        links,
    )


def _members(level: str) -> Resource:
    many = {"wijk": "wijken", "buurt": "buurten"}[level]
    return Resource(
        f"land-gebieden-{many}.csv",
        f"Members of the focus areas, {level}",
        (
            _area("area", "slug of the focus area", empty=False),
            _code("code", level, f"code of the {level}"),
            Field("vintage", "year", "year of the division", rules=_THERE),
            Field(
                "share",
                "number",
                "share of its residents who live in the area",
                "fraction",
                {**_THERE, "minimum": 0, "maximum": 1},
            ),
            Field("source", "string", "where this comes from", rules=_THERE),
        ),
        ("area", "code"),
        {"code": (f"land-{many}", "region")},
        _SEMICOLON,
    )


def resources() -> tuple[Resource, ...]:
    """Every data file, in the order in which a reader needs them."""
    to_wijk = {"region": ("land-wijken", "region")}
    return (
        Resource(
            "land-wijken.parquet",
            "Wijken: where they lie, who lives there, and whether they are a focus area",
            (
                _code("region", "wijk", "code of the wijk, division of 2022 and later", unique=True),
                Field("naam", "string", "made-up name", rules=_THERE),
                _code("gemeente", "gemeente", "code of its gemeente"),
                _area(
                    "focusgebied", "focus area that the wijk is a whole part of; blank for none or a part", empty=True
                ),
                Field(
                    "deel",
                    "number",
                    "share of the residents who live in a focus area",
                    "fraction",
                    {**_THERE, "minimum": 0, "maximum": 1},
                ),
                Field("start", "string", "first treated year; blank for never", rules={"pattern": "20[0-9]{2}"}),
                Field(
                    "start_schooljaar",
                    "string",
                    "first treated school year; blank for never",
                    rules={"pattern": "20[0-9]{2}/'[0-9]{2}"},
                ),
                _area(
                    "grenst_aan",
                    "focus area that the wijk borders on without a part in any; blank for none",
                    empty=True,
                ),
                Field(
                    "heringedeeld",
                    "integer",
                    "1 when the code stood for other ground before 2022",
                    rules={**_THERE, "enum": [0, 1]},
                ),
                Field("inwoners", "integer", "residents", "persons", {**_THERE, "minimum": 0}),
                *_structure(),
                Field(
                    "lbm_2018", "number", "score of 2018 on which the areas were chosen; low is bad", "points", _THERE
                ),
            ),
            ("region",),
        ),
        Resource(
            "land-buurten.parquet",
            "Buurten, which add up to the wijken",
            (
                _code("region", "buurt", "code of the buurt", unique=True),
                Field("naam", "string", "made-up name", rules=_THERE),
                _code("wijk", "wijk", "wijk in which it lies"),
                _code("wijk_oud", "wijk", "wijk under whose code it was counted before 2022"),
                _code("gemeente", "gemeente", "gemeente in which it lies"),
                _area("focusgebied", "focus area in which it lies; blank for none", empty=True),
                Field("inwoners", "integer", "residents", "persons", {**_THERE, "minimum": 0}),
            ),
            ("region",),
            {"wijk": ("land-wijken", "region"), "wijk_oud": ("land-wijken", "region")},
        ),
        Resource(
            "land-wijken.geojson",
            "Borders of the wijken, division of 2022 and later; RD coordinates (EPSG:28992), metres",
        ),
        _members("wijk"),
        _members("buurt"),
        _long("land-indicatoren.parquet", "Indicators per wijk; before 2022 in the old division", "wijk", to_wijk),
        _long("land-gemeenten.parquet", "Indicators that exist per gemeente only", "gemeente", {}),
        Resource(
            "land-truth.parquet",
            "The truth: what the programme changes in the focus areas",
            (
                _area("area", "slug of the focus area", empty=False),
                Field(
                    "indicator",
                    "string",
                    "slug of the indicator",
                    rules={**_THERE, "enum": [one.slug for one in indicators()]},
                ),
                Field("period", "string", "year or school year", rules=_THERE),
                Field("effect", "number", "effect; 0 before the start", "of the indicator", _THERE),
            ),
            ("area", "indicator", "period"),
        ),
        Resource(
            "cbs-maatwerk-vsv.xlsx",
            "Early school leavers per wijk and school year, in the form of a made-to-order table",
            (
                _code("Regiocode", "wijk", "code of the wijk"),
                Field("Schooljaar", "string", "school year", rules=_THERE),
                Field(
                    "Vsv'ers",
                    "any",
                    "early school leavers, rounded to 5; x is secret, . is missing, * is provisional",
                    "persons",
                    _THERE,
                ),
                Field("Deelnemers", "any", "students, rounded to 5; . is missing, * is provisional", "persons", _THERE),
            ),
            ("Regiocode", "Schooljaar"),
            {"Regiocode": ("land-wijken", "region")},
            {"sheetName": "Tabel 1", "headerRows": [4]},
        ),
        Resource(
            "vm-wijken-9-steden.csv",
            "Survey on safety in the wijken of nine gemeenten",
            (
                _code("Gebiedscode", "wijk", "code of the wijk"),
                Field("Jaar", "year", "year of the wave", rules=_THERE),
                Field(
                    "Onveilig_pct",
                    "number",
                    "respondents who feel unsafe in their own buurt",
                    "percent",
                    {"minimum": 0, "maximum": 100},
                ),
                _count("Respondenten", "respondents"),
                Field("Ondergrens", "number", "lower 95 % margin", "percent", {"minimum": 0, "maximum": 100}),
                Field("Bovengrens", "number", "upper 95 % margin", "percent", {"minimum": 0, "maximum": 100}),
                _count("Inwoners_15plus", "residents aged 15 and over", required=True),
            ),
            ("Gebiedscode", "Jaar"),
            {"Gebiedscode": ("land-wijken", "region")},
            _SEMICOLON,
            ("", "-"),
        ),
        *_small(),
    )


def _small() -> tuple[Resource, ...]:
    """The files of the small panel."""
    to_wijk = {"region": ("eerste-studie-wijken", "region")}
    return (
        Resource(
            "eerste-studie.csv",
            "Small panel: outcome per wijk and year",
            (
                _code("region", "wijk", "code of the wijk"),
                Field("period", "year", "year", rules=_THERE),
                _count("vsv", "early school leavers; x is secret, . is missing"),
                _count("deelnemers", "students aged 12-23", required=True),
            ),
            ("region", "period"),
            to_wijk,
            _SEMICOLON,
            ("", "x", "."),
        ),
        Resource(
            "eerste-studie-wijken.csv",
            "Small panel: characteristics per wijk",
            (
                _code("region", "wijk", "code of the wijk", unique=True),
                Field("naam", "string", "made-up name", rules=_THERE),
                _code("gemeente", "gemeente", "code of its gemeente"),
                Field("area", "string", "focus area; blank for none"),
                Field("first_treated", "year", "first treated year; blank for never"),
                Field("inwoners", "integer", "residents", "persons", {**_THERE, "minimum": 0}),
                *_structure(),
            ),
            ("region",),
            {},
            _SEMICOLON,
        ),
        Resource(
            "eerste-studie-truth.csv",
            "Small panel: the effect per focus area and year",
            (
                _area("area", "slug of the focus area", empty=False),
                Field("period", "year", "year, from the start on", rules=_THERE),
                Field("effect", "number", "effect on 100 × vsv ÷ deelnemers", "percentage points", _THERE),
            ),
            ("area", "period"),
            {},
            _SEMICOLON,
        ),
    )
