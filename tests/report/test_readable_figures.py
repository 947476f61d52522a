"""Figures can be read on a phone, in grey and by colour-blind readers, and their texts say what their tables hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Drawing
from matplotlib.text import Text

from impact.drawing import COMPARISON, FOCUS, INK, PALE
from impact.evidence import flow, maps, plots
from impact.evidence.document import Figure, Paragraph
from impact.evidence.placebos import PlaceboRow
from impact.evidence.plots import figures
from impact.evidence.reading import plain
from impact.evidence.record import AreaRow, BalanceRow, Evidence, PathPoint, PlaceboSpread, Variant
from impact.evidence.report import document
from impact.evidence.robust import Alternatives, Bound, Honest
from impact.evidence.sets import CovariateSets, OneSet
from impact.evidence.single_areas import SingleArea, SingleAreas
from impact.evidence.svg import alternative
from tests.colour import ciede2000, contrast, lightness, seen
from tests.report.samples import MEMBERS, ORDINARY, REFUSED, ROBUST, SEALED, TOGETHER, estimate
from tests.report.test_map import MAPPED

PHONE, MARGINS = 390, 2 * 14.4  # CSS pixels: a phone, and what report.css keeps free on it
LEAST = 9.0  # points
LONG = "Leeuwarden-Oost en omgeving, met Bilgaard en Heechterp-Schieringen"
NAMES = [f"{LONG} {number}" for number in range(1, 21)]
INDICATORS = ["Ervaren veiligheid van bewoners in de eigen buurt", "Voortijdig schoolverlaten", "WW en bijstand"]
YEARS = [f"{year}/'{(year + 1) % 100:02d}" for year in range(2001, 2026)]  # 25 periods with long labels


def banded(event: int) -> Any:
    value = 0.4 * event - 1.0 if event >= 0 else 0.3 * (event % 3 - 1)
    ends = dict(low=value - 1.6, high=value + 1.6, band_low=value - 2.5, band_high=value + 2.5)
    return estimate(str(event), value, std_error=0.8, **ends)


LARGE: Evidence = replace(
    ROBUST,
    areas=tuple(
        AreaRow(f"gebied-{place}", name, ("WK1",), "Gemeente", "2018/'19", "2017/'18")
        for place, name in enumerate(NAMES)
    ),
    unit="procent van het eigen gemiddelde over de jaren voor de start, per duizend inwoners",
    periods=tuple(YEARS),
    event=tuple(banded(event) for event in range(-17, 8) if event != -1),
    path=tuple(PathPoint(year, 100.0 - place, 101.0 - 0.8 * place, place >= 17) for place, year in enumerate(YEARS)),
    balance=tuple(
        BalanceRow(f"{INDICATORS[place % 3]} in het jaar {2001 + place}", 1.0, 2.0, 1.5, 1.9 - place / 5, 0.2, True)
        for place in range(15)
    ),
    alternatives=tuple(
        Variant(f"berekening-met-een-lange-naam-{place}", "", True, estimate(value=-7.0 + place, low=-12.0, high=1.0))
        for place in range(8)
    ),
    families=tuple(
        replace(
            TOGETHER.families[0],
            name=f"actielijn-{count}",
            members=tuple(
                replace(
                    MEMBERS[place % 4],
                    indicator=f"indicator-{place}",
                    outcome={"nl": f"{INDICATORS[place % 3]} ({place})", "en": f"Indicator {place}"},
                    unit=("procentpunt", "score van 1 tot 10")[place % 2],
                )
                for place in range(count)
            ),
        )
        for count in (15, 3)
    ),
    placebos=PlaceboSpread(
        199, tuple(PlaceboRow(str(event), -1.9, -0.71, 0.69, 2.1) for event in range(-17, 8)), 0.035
    ),
    data=(replace(ORDINARY.data[0], source="een zeer lange omschrijving van waar de cijfers vandaan komen, op maat"),),
    robust=replace(
        ROBUST.robust,  # type: ignore[type-var]
        honest=Honest(0.4, False, tuple(Bound(x / 2, -12.7 - 8 * x, -2.7 + 8 * x) for x in range(5)), (-3, -2)),
        alternatives=Alternatives(8, 7, -7.0, -3.5, 0.0),
        areas=SingleAreas(
            0.95,
            199,
            False,
            tuple(
                SingleArea(f"gebied-{place}", -7.0, 3.0, -6.0, 0.4, -6.4 + place / 9, -11.2, -1.4 + place / 9)
                for place in range(19)
            ),
        ),
        sets=CovariateSets(
            columns=("a", "b"),
            count=3,
            possible=4,
            plain=-7.7,
            low=-8.1,
            median=-7.5,
            high=-6.9,
            each=tuple(OneSet(x, x - 5, x + 5) for x in (-8.1, -7.5, -6.9)),
        ),
    ),
)
SHOWN = {"large": LARGE, "map": MAPPED, "refused": REFUSED, "together": TOGETHER, "robust": ROBUST}
EVERY = {
    *("flow", "gap", "event-study", "placebos", "balance", "departures", "specifications", "covariate-sets"),
    *("areas", "family", "family-2"),
}


@cache
def made(name: str, language: str = "nl") -> dict[str, str]:
    return figures(SHOWN[name], language)


@pytest.fixture(scope="module")
def drawn() -> dict[str, dict[str, str]]:
    return {name: made(name) for name in SHOWN}


def test_every_figure_of_a_report_is_among_these(drawn: dict[str, dict[str, str]]) -> None:
    assert set(drawn["large"]) == EVERY and "map" in drawn["map"]


# --- letters ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["nl", "en"])
def test_letters_are_large_enough_on_a_phone_and_lie_apart(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, Drawing] = {}

    def kept(figure: Drawing, name: str, title: str, description: str) -> str:
        found[name] = figure
        return real(figure, name, title, description)

    real = plots.rendered
    for module in (plots, maps, flow):
        monkeypatch.setattr(module, "rendered", kept)
    figures(LARGE, language)
    figures(replace(MAPPED, event=(), path=(), balance=(), flow=()), language)
    assert set(found) == EVERY | {"map"}
    for name, figure in found.items():
        scale = (PHONE - MARGINS) / (96 * figure.get_figwidth())
        figure.set_dpi(300)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
        boxes = [(text.get_text(), text.get_window_extent(canvas.get_renderer())) for text in texts if _drawn(text)]
        for text in texts:
            assert text.get_fontsize() * scale >= LEAST, (name, text.get_text())
        whole = figure.bbox
        for said, box in boxes:
            assert box.x0 >= whole.x0 - 2 and box.x1 <= whole.x1 + 2, (name, said)
            assert box.y0 >= whole.y0 - 2 and box.y1 <= whole.y1 + 2, (name, said)
        for (one, first), (other, second) in combinations(boxes, 2):
            wide = min(first.x1, second.x1) - max(first.x0, second.x0)
            high = min(first.y1, second.y1) - max(first.y0, second.y0)
            assert wide <= 3 or high <= 3, (name, one, other)


def _drawn(text: Text) -> bool:
    """Labels of an axis outside its limits are there and are not drawn."""
    axes = text.axes
    if axes is None:
        return True
    for axis in (axes.xaxis, axes.yaxis):
        for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
            if text in (tick.label1, tick.label2):
                low, high = sorted(axis.get_view_interval())
                return bool(low <= tick.get_loc() <= high) and axes.axison is not False and _labelled(text)
    return True


def _labelled(text: Text) -> bool:
    axes = text.axes
    assert axes is not None
    shared = axes.get_shared_x_axes().get_siblings(axes)
    return not (
        text in [tick.label1 for tick in axes.xaxis.get_major_ticks()] and len(shared) > 1 and axes is shared[0]
    )


# --- colours ----------------------------------------------------------------------------------------------------------


def test_the_distance_of_colours_is_the_published_one() -> None:
    """Sharma, Wu & Dalal (2005), table 1, pairs 1, 7, 17 and 20."""
    for one, other, distance in (
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 0, 0), (50, -1, 2), 2.3669),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((50, 2.5, 0), (58, 24, 15), 19.4535),
    ):
        assert ciede2000(one, other) == pytest.approx(distance, abs=1e-4)


@pytest.mark.parametrize("ink", [INK, FOCUS, COMPARISON])
def test_letters_and_lines_stand_out_from_the_page(ink: str) -> None:
    assert contrast(ink, "#ffffff") >= 4.5  # WCAG 2.1, 1.4.3
    assert all(contrast(ink, fill) >= 3 for fill in PALE)  # and 1.4.11 for lines on a band


@pytest.mark.parametrize("kind", ["", "protanopia", "deuteranopia"])
def test_both_groups_differ_for_every_eye(kind: str) -> None:
    """Ten is a difference seen at a glance; one is the least that is seen at all."""
    assert ciede2000(seen(FOCUS, kind), seen(COMPARISON, kind)) >= 10


def test_both_groups_differ_in_grey() -> None:
    assert abs(lightness(FOCUS) - lightness(COMPARISON)) >= 15
    assert np.diff(sorted(lightness(fill) for fill in (*PALE, "#ffffff"))).min() >= 7


def test_no_other_colour_carries_anything(drawn: dict[str, dict[str, str]]) -> None:
    """Other than these there are the lines of a grid and of borders, which nothing rests on."""
    known = {INK, FOCUS, COMPARISON, *PALE, "#ffffff", "#000000", "#dfe3e8", "#98a1ab"}
    for name, svg in ((name, svg) for found in drawn.values() for name, svg in found.items()):
        used = set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", svg))
        assert used <= known, (name, used - known)


def test_what_differs_in_colour_differs_in_form_too(drawn: dict[str, dict[str, str]]) -> None:
    gap = drawn["large"]["gap"]
    assert "stroke-dasharray" in gap
    shapes = dict(re.findall(r'<path id="([^"]+)" d="([^"]+)"', gap))
    used = [re.findall(rf'href="#([^"]+)"[^>]*stroke: {color}', gap) for color in (FOCUS, COMPARISON)]
    focus, comparison = ({shapes[one] for one in names} for names in used)
    assert focus and comparison and not focus & comparison, "markers of both groups have other shapes"
    bands = drawn["large"]["placebos"]
    dashed = re.findall(rf"stroke: {COMPARISON}; stroke-width: 0.9", bands)
    assert len(dashed) >= 4, "each edge of a band is a line of its own"


# --- words ------------------------------------------------------------------------------------------------------------


def drawings(name: str, language: str = "nl") -> Iterator[Figure]:
    page = document(SHOWN[name], made(name, language), language)
    for section in (page.result, *page.front, *page.account):
        yield from (block for block in section.blocks if isinstance(block, Figure))


@pytest.mark.parametrize("language", ["nl", "en"])
@pytest.mark.parametrize("name", sorted(SHOWN))
def test_signed_numbers_of_a_text_stand_in_the_table(name: str, language: str) -> None:
    """What has a sign is an estimate, an end of an interval or a gap: printed in the table as in the text."""
    found = {alternative(figure.svg)[0]: figure for figure in drawings(name, language)}
    assert set(found) == set(made(name, language)), "every drawing stands in the report with its table"
    for one, figure in found.items():
        cells = " ".join(plain(cell) for row in figure.table.rows for cell in row)
        _, title, said = alternative(figure.svg)
        assert title and figure.caption
        numbers = set(re.findall(r"[+−]\d[\d.,]*\d|[+−]\d", said))
        assert numbers or one in ("flow", "map", "balance"), (one, said)
        if one != "covariate-sets":
            assert not {x for x in numbers if x not in cells}, (one, said)


def test_texts_state_what_was_found(drawn: dict[str, dict[str, str]]) -> None:
    """Counts by hand from LARGE: intervals after the start reach 1.6 to either side of −1, −0.6, … and 1.8."""
    said = {name: alternative(svg)[2] for name, svg in drawn["large"].items()}
    # −1.0 to 1.8 in steps of 0.4: |value| > 1.6 only for 1.8 (0.2 to 3.4); no band of 2.5 leaves 0 out.
    assert "Intervallen geheel aan één kant van 0: voor de start 0 van 16, erna 1 van 8." in said["event-study"]
    assert "voor alle perioden tegelijk gelden: voor de start 0 van 16, erna 0 van 8." in said["event-study"]
    # Placebos from −1.9 to 2.1: every estimate lies inside.
    assert "in 0 van de 16 perioden buiten de band" in said["placebos"] and "0 van de 8" in said["placebos"]
    assert "p-waarde van de hele schatting onder deze groepen is 0,04" in said["placebos"]
    assert "Bron: een zeer lange omschrijving" in said["gap"]
    assert "Zonder getal: " in said["areas"] and f"{NAMES[19]}: niet meegeteld" in said["areas"]
    assert [NAMES[place] in said["areas"] for place in range(20)] == [True] * 20
    places = [said["areas"].index(f"{name} −") for name in NAMES[:19]]
    assert places == sorted(places), "in the order of the study, not of size"
    assert "verzegeld" in said["family"] and "voor alle uitkomsten tegelijk" in said["family"]


def test_both_kinds_of_interval_are_told_apart_in_drawing_table_and_words(drawn: dict[str, dict[str, str]]) -> None:
    (figure,) = [one for one in drawings("large") if alternative(one.svg)[0] == "event-study"]
    assert [column.title for column in figure.table.columns][2:4] == [
        "Interval",
        "Interval, voor alle perioden tegelijk",
    ]
    row = next(row for row in figure.table.rows if row[0] == "+7")
    assert row[1:4] == ("+1,80", "van +0,20 tot +3,40", "van −0,70 tot +4,30")
    widths = re.findall(rf"stroke: {FOCUS}; stroke-width: ([\d.]+)", figure.svg)
    assert {"0.9", "2.6"} <= set(widths)
    words = " ".join(
        plain(piece)
        for section in document(LARGE, made("large")).account
        for block in section.blocks
        if isinstance(block, Paragraph)
        for piece in block.pieces
    )
    assert "De dikke streep is een 95%-interval" in words and "geldt voor alle perioden tegelijk" in words
    assert "dikke streep" not in alternative(drawn["robust"]["event-study"])[2]


def test_a_pretended_start_is_named_in_every_figure() -> None:
    for svg in made("refused").values():
        assert "Nepstart: er was toen geen programma." in alternative(svg)[2]
    assert not any("Nepstart" in svg for svg in made("together").values())


def test_nothing_of_what_is_sealed_is_drawn_or_told() -> None:
    sealed = replace(LARGE, checks=SEALED.checks)
    assert figures(sealed) == {}
    page = document(sealed, made("large"))
    blocks = [block for section in page.account for block in section.blocks]
    said = " ".join(
        plain(cell) for block in blocks for row in getattr(getattr(block, "table", block), "rows", ()) for cell in row
    )
    assert "2,10" not in said and "−6,4" not in said, "neither placebos nor single areas"
    assert not any(alternative(one.svg)[0] in ("placebos", "areas", "gap") for one in blocks if isinstance(one, Figure))
