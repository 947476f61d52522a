"""The map of a report: who is who without colour, what its text says, and what its table counts."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from impact.evidence.language import texts
from impact.evidence.maps import map_table
from impact.evidence.plots import figures
from impact.evidence.record import Evidence, MapPart, PlacedUnit
from impact.evidence.report import report_html
from tests.report.samples import ORDINARY, SEALED

SVG = "{http://www.w3.org/2000/svg}"


def square(x: int, y: int) -> str:
    """A square of 1 km, in a place of a chessboard."""
    corners = [(0, 0), (1000, 0), (1000, 1000), (0, 1000), (0, 0)]
    return " ".join(f"{100_000 + 1000 * x + right} {400_000 + 1000 * y + up}" for right, up in corners)


def placed(unit: str, role: str, ring: int | None, km: float | None) -> PlacedUnit:
    return PlacedUnit(unit, role, "", ring, km, "WK000101", 0.0)


UNITS = (
    placed("WK000101", "focus", 0, 0.0),
    placed("WK000102", "aside", 0, 0.0),
    placed("WK000103", "compared", 3, 1.25),
    placed("WK000104", "compared", 4, 2.5),
    placed("WK000105", "compared", None, None),
    placed("WK000106", "pool", 1, 0.0),
    placed("WK000107", "excluded", 1, 0.0),
)
MAP = (
    MapPart("excluded", 1, square(1, 0)),
    MapPart("pool", 1, square(2, 0)),
    MapPart("compared", 2, f"{square(3, 0)}|{square(4, 0)}"),
    MapPart("aside", 1, square(0, 1)),
    MapPart("focus", 1, square(0, 0)),
)
MAPPED: Evidence = replace(ORDINARY, units=UNITS, map=MAP, map_source="CBS")


def described(evidence: Evidence) -> str:
    return ElementTree.fromstring(figures(evidence)["map"]).findtext(f"{SVG}desc") or ""


def test_the_text_states_what_the_map_shows() -> None:
    assert described(MAPPED).startswith(
        "Kaart van 6 gebieden. In een focusgebied van de schatting: 1 (donker gevuld). Ermee vergeleken: 2 (schuin "
        "gearceerd). Had vergelijking kunnen zijn: 1 (gestippeld). In een focusgebied dat niet meetelt, of in een deel "
        "van een focusgebied: 1 (gekruist). Geen gebied waarmee is vergeleken, raakt een focusgebied; het "
        "dichtstbijzijnde ligt op 1,2 kilometer."
    )
    near = (*UNITS[:2], placed("WK000103", "compared", 1, 0.0), *UNITS[3:])
    assert "raken een focusgebied, al is het op een hoek: 1." in described(replace(MAPPED, units=near))


def test_the_table_counts_what_is_drawn_and_what_is_not() -> None:
    table = map_table(MAPPED, False, texts("nl"))
    assert [row[1:] for row in table.rows] == [
        ("1", "0", "", "", ""),
        ("1", "0", "", "", ""),
        ("3", "1", "0", "1,2", "1,9"),
        ("1", "0", "1", "0,0", "0,0"),
        ("1", "0", "1", "0,0", "0,0"),
    ]


def test_kinds_differ_without_colour() -> None:
    """Filled dark, hatched one way, hatched two ways, dotted or white; the third lightness is that of the hatches."""
    svg = figures(MAPPED)["map"]
    root = ElementTree.fromstring(svg)
    patterns = [node for node in root.iter(f"{SVG}pattern")]
    assert len({ElementTree.tostring(node) for node in patterns}) == len(patterns) == 3
    fills = re.findall(r'<path d="[^"]*"[^>]*style="fill: ([^;]+);', svg)
    greys = {fill for fill in fills if fill.startswith("#")}
    light = sorted({sum(int(fill[place : place + 2], 16) for place in (1, 3, 5)) / 765 for fill in greys})
    assert len(light) == 3 and all(high - low > 0.1 for low, high in pairwise(light)), light


def test_the_same_map_is_the_same_bytes_and_stands_in_the_report() -> None:
    one, other = figures(MAPPED), figures(MAPPED)
    assert one == other
    page = report_html(MAPPED, one)
    assert one["map"] in page and "De kaart in cijfers" in page and "Grenzen: CBS." in page


def test_there_is_no_map_without_borders_or_of_what_is_sealed() -> None:
    assert "map" not in figures(ORDINARY)
    assert figures(replace(SEALED, units=UNITS, map=MAP)) == {}
    assert "De kaart in cijfers" not in report_html(ORDINARY, figures(ORDINARY))


@pytest.mark.parametrize("east", [1, 30])
def test_a_narrow_and_a_wide_map_fit(east: int) -> None:
    parts = (MapPart("compared", 1, square(east, 0)), MapPart("focus", 1, square(0, 12)))
    svg = figures(replace(MAPPED, map=parts))["map"]
    root = ElementTree.fromstring(svg)
    width, height = (float(value) for value in root.get("viewBox", "").split()[2:])
    assert width == 288 and height < 650
    for path in re.findall(r'<path d="(M [^"]*z[^"]*)" clip-path', svg):
        points = [float(number) for number in re.findall(r"-?\d+\.?\d*", path)]
        assert min(points) >= 0 and max(points[::2]) <= width and max(points[1::2]) <= height
