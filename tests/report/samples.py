"""Invented evidence in every shape a report must be able to take. All numbers are made up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from impact.checks.protocol import Check
from impact.errors import Refused
from impact.evidence.family import Family, Listed, Member
from impact.evidence.record import (
    AreaRow,
    BalanceRow,
    Change,
    DataFile,
    Estimate,
    Evidence,
    Excluded,
    FlowStep,
    PathPoint,
    Second,
    Variant,
)
from impact.evidence.robust import (
    Alternatives,
    Bound,
    Closeness,
    Honest,
    Judged,
    LeftOne,
    LeftOut,
    Moved,
    OwnPast,
    Ring,
    Robust,
)

NO_INTERVAL = Refused(
    "an interval",
    "the 2 treated clusters with weight are fewer than the 4 below which no interval holds its level",
    "Use placebo-space for a p-value, or a target over more areas.",
)


def estimate(term: str = "average", value: float | None = -7.737, **changes: Any) -> Estimate:
    """−7.737 with standard error 2.364 and t(17): printed with one decimal, from −12.725 to −2.749."""
    usual: dict[str, Any] = dict(
        std_error=2.364,
        df=17.0,
        low=-12.725,
        high=-2.749,
        p_value=0.00432,
        level=0.95,
        inference="cluster-jackknife",
        method="group-time",
        units=112,
        areas=18,
        clusters=55,
        treated_clusters=17,
        largest_share=0.111,
        effective_clusters=16.2,
    )
    return Estimate(term, changes.pop("weighting", "area"), value, **{**usual, **changes})


PRIMARY = estimate(
    beside=(
        Second("score-flip", "no effect, scores symmetric by cluster", 0.0137, 9999, False),
        Second(
            "placebo-space",
            "exchangeable",
            None,
            0,
            False,
            Refused(
                "a p-value by placebo-space",
                "the panel is matched and the placebo areas would need controls of their own",
            ),
        ),
    )
)

CHECKS = (
    Check("treated-clusters", 17.0, 4.0, "pass", False, "design", "treated-clusters"),
    Check("controls", 94.0, 10.0, "pass", True, "design", "controls"),
    Check(
        "balance", 0.31, 0.25, "fail", False, "design", "balance", "Grootste verschil bij ‘woningen corporatie (%)’."
    ),
    Check("pre-trend", None, None, "not_evaluated", False, "pre", "pre-trend"),
    Check("largest-share", 0.111, 0.25, "pass", False, "design", "largest-share"),
    Check("suppressed", 0.004, 0.05, "pass", False, "design", "suppressed"),
    Check("a-later-check", 1.5, None, "fail", False, "post", "a-later-check", "Iets wat de catalogus nog niet kent."),
)

AREAS = (
    *(
        AreaRow(
            f"gebied-{number}",
            f"Gebied {number}",
            (f"WK00{number:02d}01", f"WK00{number:02d}02"),
            f"Gemeente {min(number, 17)}",
            "2023",
            "2022",
            tuple((f"WK99{number:02d}{other:02d}", 0.2) for other in range(5)),
            -7.0 - number / 10,
        )
        for number in range(1, 19)
    ),
    AreaRow(
        "rotterdam-zuid",
        "Rotterdam-Zuid",
        ("WK059910", "WK059912", "WK059915"),
        "Rotterdam",
        "2011",
        "",
        left_out="programma sinds 2011, geen voormeting",
    ),
    AreaRow("breda-noord", "Breda Noord", (), "Breda", "", "", left_out="afbakening onbekend"),
)

EVENT = (
    *(
        estimate(str(event), value, std_error=2.6, low=value - 5.4, high=value + 5.4)
        for event, value in ((-6, 1.4), (-5, -2.2), (-4, 0.7), (-3, -1.1), (-2, 2.1), (0, -4.9), (1, -8.2), (2, -10.3))
    ),
    estimate("mean", -7.8),
)

PATH = tuple(
    PathPoint(str(2017 + place), focus, comparison, place >= 6)
    for place, (focus, comparison) in enumerate(
        zip(
            (118.2, 114.9, 113.1, 104.4, 103.8, 105.6, 101.1, 97.6, 95.2),
            (109.7, 107.9, 105.3, 98.3, 96.2, 98.7, 99.8, 98.9, 98.6),
            strict=True,
        )
    )
)

BALANCE = (
    BalanceRow("inwoners", 31_240.0, 4_180.0, 24_930.0, 1.62, 0.31, True),
    BalanceRow("woningen corporatie (%)", 58.3, 27.1, 53.4, 1.94, 0.28, True),
    BalanceRow("huishoudens laag inkomen (%)", 17.2, 8.4, 15.9, 1.48, 0.22, True),
    BalanceRow("woz-waarde (× 1.000 euro)", 214.0, 327.0, 231.0, -1.17, -0.19, True),
    BalanceRow("gemiddelde uitkomst 2017 tot en met 2019", 115.4, 107.6, 113.2, 0.41, 0.12, False),
)

ORDINARY = Evidence(
    study="vernielingen",
    title={"nl": "Vernieling in de focusgebieden", "en": "Vandalism in the focus areas"},
    question={"nl": "Veranderde het aantal vernielingen in de focusgebieden anders dan in vergelijkbare gebieden?"},
    seen_before="Gemeentecijfers tot en met 2024.",
    status="exploratory",
    placebo=False,
    seed=20261123,
    spec_sha256="3f9c2a1b" * 8,
    indicator="criminaliteit",
    outcome={"nl": "Vernielingen", "en": "Vandalism"},
    unit="% van het eigen gemiddelde",
    better="lower",
    smallest=5.0,
    smallest_why="begeleidingscommissie, 12 mei 2026",
    areas_total=20,
    areas=AREAS,
    periods=tuple(str(year) for year in range(2017, 2026)),
    window=("2023", "2025"),
    anticipation=0,
    pool=2_310,
    compared=94,
    primary=PRIMARY,
    weightings=(
        Variant(
            "resident",
            "",
            True,
            estimate(value=-6.281, low=-11.9, high=-0.662, weighting="resident", largest_share=0.183),
        ),
        Variant("unit", "", True, estimate(value=-7.014, low=-12.1, high=-1.93, weighting="unit")),
    ),
    alternatives=(
        Variant(
            "synthetisch",
            "andere weging van de vergelijking",
            True,
            estimate(
                value=-6.663,
                low=None,
                high=None,
                p_value=None,
                std_error=None,
                method="synthetic-did",
                refused=Refused("uncertainty by cluster-jackknife", "it was not asked"),
            ),
        ),
        Variant(
            "gemeente",
            "openbaar cijfer; verdund",
            False,
            estimate(
                value=None,
                std_error=None,
                low=None,
                high=None,
                p_value=None,
                df=None,
                refused=Refused("an estimate", "fewer than 2 control units are left"),
            ),
        ),
    ),
    event=EVENT,
    change=Change("2022", "2023–2025", 105.62, 97.968, 98.71, 98.795),
    path=PATH,
    balance=BALANCE,
    flow=(
        FlowStep("alle wijken", "", 0, 3393),
        FlowStep("focusgebied", "krijgt zelf het programma", 61, 3332),
        FlowStep("aangrenzend", "waterbedeffect", 204, 3128),
        FlowStep("te klein", "gemiddelde onder 10", 818, 2310),
    ),
    excluded=(Excluded("WK003401", "gemiddelde 4,2 is kleiner dan 10"), Excluded("WK003402", "onderdrukt in 2019")),
    checks=CHECKS,
    refusals=(Refused("an estimate", "fewer than 2 control units are left", "Widen the donor pool."),),
    data=(
        DataFile("outcomes", "misdrijven.parquet", "ab" * 32, 30_537, "Politie 47018NED", "2024"),
        DataFile("areas", "gebieden.csv", "cd" * 32, 51),
    ),
    notes=("2020 en 2021 zijn coronajaren.", "Wijken zonder inwoners zijn weggelaten."),
    versions={"impact-nplv": "0.1.0", "numpy": "2.2.0", "python": "3.11"},
)

FEW: dict[str, Any] = dict(
    areas=2, treated_clusters=2, clusters=21, units=26, largest_share=0.5, effective_clusters=2.0
)
NONE: dict[str, Any] = dict(std_error=None, df=None, low=None, high=None, p_value=None, refused=NO_INTERVAL)

REFUSED = replace(
    ORDINARY,
    study="haaglanden",
    placebo=True,
    areas=(
        AreaRow(
            "den-haag-zuidwest", "Den Haag Zuidwest", ("WK051833", "WK051834", "WK051836"), "Den Haag", "2015", "2014"
        ),
        AreaRow("delft-west", "Delft West", ("WK050324", "WK050325"), "Delft", "2015", "2014"),
    ),
    periods=tuple(str(year) for year in range(2011, 2018)),
    window=("2015", "2017"),
    primary=estimate(
        value=-4.137,
        **FEW,
        **NONE,
        beside=(Second("score-flip", "", 0.3712, 9999, False), Second("placebo-space", "", 0.1837, 999, False)),
    ),
    weightings=(Variant("unit", "", True, estimate(value=-3.871, weighting="unit", **FEW, **NONE)),),
    alternatives=(),
    event=tuple(
        estimate(str(event), value, **FEW, **NONE)
        for event, value in ((-3, 1.2), (-2, -0.4), (-1, 2.2), (0, -3.1), (1, -5.0), (2, -4.4))
    ),
    path=tuple(
        PathPoint(str(2011 + place), a, b, place >= 4)
        for place, (a, b) in enumerate(
            zip((104.0, 99.0, 101.0, 96.0, 88.0, 83.0, 79.0), (103.0, 101.0, 99.0, 97.0, 91.0, 88.0, 83.0), strict=True)
        )
    ),
    change=Change("2014", "2015–2017", 96.0, 83.333, 97.0, 87.333),
    refusals=(NO_INTERVAL,),
    checks=(replace(CHECKS[0], statistic=2.0, verdict="fail"), CHECKS[1]),
)

SEALED = replace(ORDINARY, checks=(replace(CHECKS[1], statistic=3.0, verdict="fail"), *CHECKS[2:]))

UNMATCHED = replace(
    ORDINARY,
    areas=tuple(replace(area, matched=()) for area in AREAS),
    balance=tuple(replace(row, matched=row.pool, smd_matched=row.smd_pool) for row in BALANCE),
    event=(estimate("-1", 0.8), *EVENT),
    better="neither",
    smallest=None,
    excluded=(),
)

PLACEBO = replace(
    ORDINARY, placebo=True, primary=estimate(value=0.612, low=-4.37, high=5.6, p_value=0.797), change=None
)

BARE = replace(
    ORDINARY,
    weightings=(),
    alternatives=(),
    event=(),
    change=None,
    path=(),
    balance=(),
    flow=(),
    excluded=(),
    checks=(),
    refusals=(),
    data=(),
    notes=(),
    versions={},
    areas=AREAS[:18],
    areas_total=18,
)

HOSTILE = replace(
    ORDINARY,
    title={"nl": "<script>alert(1)</script>{outcome}{{ 7*7 }}"},
    unit="<b>%</b> $\\frac{$ & -->",
    notes=("</p><script>alert(2)</script>",),
    outcome={"nl": '"><img src=x onerror=alert(3)> {0.__class__}'},
    study='x"><svg onload=alert(4)>',
)

# School years, one period after the start, periods without a number, no unit, everything equal to zero, one area.
YEARS = tuple(f"{year}/'{(year + 1) % 100:02d}" for year in range(2013, 2024))
ODD = replace(
    ORDINARY,
    title={"nl": "Voortijdig schoolverlaten", "en": "Early school leaving"},
    outcome={"nl": "VSV in vo en mbo"},
    unit="",
    periods=YEARS,
    window=(YEARS[-1], YEARS[-1]),
    areas=(replace(AREAS[0], first_treated=YEARS[-1], base=YEARS[-2], units=()),),
    primary=estimate(value=0.0, std_error=0.0, df=None, low=0.0, high=0.0, p_value=1.0, areas=1, largest_share=None),
    event=(estimate("0", 0.0, std_error=0.0, low=0.0, high=0.0), estimate("1", None)),
    path=tuple(
        PathPoint(year, None if place in (0, 4) else 1e-7 * place, None if place == 10 else 0.0, place == 10)
        for place, year in enumerate(YEARS)
    ),
    change=Change(YEARS[-2], YEARS[-1], None, 0.0, 0.0, None),
    balance=(BalanceRow("a" * 60, 0.0, 0.0, 0.0, 0.0, 0.0, True),),
    smallest=None,
    seen_before="",
)

# Outcomes judged together: one with every number, one that is sealed, one without a p-value or without draws.
MEMBERS = (
    Member(
        "criminaliteit",
        {"nl": "Vernielingen", "en": "Vandalism"},
        "criminaliteit",
        "average",
        "procentpunt",
        "estimated",
        -7.737,
        2.364,
        0.00432,
        0.0131,
        -14.2,
        -1.27,
    ),
    Member("uitkering", {"nl": "Personen met bijstand of WW"}, "uitkering", "average", "procentpunt", "sealed"),
    Member("schooladvies", {"nl": "Schooladvies"}, "schooladvies", "average", "procentpunt", "no-p-value", 0.4),
    Member("doorstroom", {"nl": "Doorstroom"}, "doorstroom", "average", "procentpunt", "estimated", 0.4, 0.2, 0.06),
)
TOGETHER = replace(
    ORDINARY,
    families=(
        Family(
            "alles", "romano-wolf", 0.05, MEMBERS, tuple(replace(one, term="2") for one in MEMBERS), 9999, 0.001, 3, 2
        ),
        Family("aandeel", "benjamini-hochberg", 0.125, MEMBERS[1:], (), 0, 0.0, 0, 0),
    ),
    programme=(
        Listed(1, "herstructurering", {"nl": "Te herstructureren woningen"}, "not-measurable", "inzet, geen uitkomst"),
        Listed(2, "energielabels", {"nl": "Energielabels"}, "not-studied"),
        Listed(None, "eigen", {"nl": "Eigen indicator"}, "sealed"),
    ),
)
ROBUST = replace(
    ORDINARY,
    alternatives=tuple(replace(variant, same_estimand=True) for variant in ORDINARY.alternatives),
    robust=Robust(
        Honest(0.83, False, (Bound(0.0, -12.725, -2.749), Bound(1.0, -19.31, 3.77), Bound(2.0, None, None)), (-3, -2)),
        (
            LeftOut("area", (LeftOne("Gebied 1", -6.54, -11.9, 0.43),), -7.737, -6.54, "Gebied 1", (), ("Gebied 1",)),
            LeftOut("donor", refused=NO_INTERVAL),
        ),
        Alternatives(2, 1, -8.61, -3.3, 2.02, 1, ("anders",)),
        OwnPast(
            "random",
            99,
            3,
            ("2018", "2019"),
            1,
            (Judged("cluster-jackknife", 0.95, 0.06, 0.02, 0.94, 0.02, 0.31, 0.2, 2.66, 0.1, 7.05, 0.4, 98, 1),),
        ),
        Ring(("WK1", "WK2"), Moved(-7.737, -12.7, -2.7), Moved(1.43, -2.9, 5.8), Moved(None, refused=NO_INTERVAL), 9.0),
        (Closeness("Gebied 1", 6, 1.27, 0.3, 1.9, True, 4.2, 0.38, "WK990101"),),
    ),
)

ALL = {
    "robust": ROBUST,
    "odd": ODD,
    "together": TOGETHER,
    "ordinary": ORDINARY,
    "refused": REFUSED,
    "sealed": SEALED,
    "unmatched": UNMATCHED,
    "placebo": PLACEBO,
    "bare": BARE,
    "hostile": HOSTILE,
}
