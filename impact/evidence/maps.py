"""The map of a report: focus areas and the regions they are compared with, told apart without colour."""

from __future__ import annotations

import re
from statistics import median
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from impact.drawing import COMPARISON, FOCUS, INK, SMALL, WIDTH
from impact.evidence.document import Column, Table
from impact.evidence.language import Texts, number
from impact.evidence.record import Evidence, MapPart, PlacedUnit
from impact.evidence.svg import rendered, round_ticks, wrapped
from impact.sources.outlines import read_rings

__all__ = ["map_svg", "map_table"]

_TALLEST = 5.5
_LINE = 0.19  # height of a line of text
_ROLES: dict[str, dict[str, Any]] = {
    "excluded": {"facecolor": "white", "edgecolor": "#98a1ab", "linewidth": 0.4},
    "pool": {"facecolor": "white", "edgecolor": COMPARISON, "linewidth": 0.4, "hatch": "...."},
    "compared": {"facecolor": "white", "edgecolor": COMPARISON, "linewidth": 0.5, "hatch": "/////"},
    "aside": {"facecolor": "white", "edgecolor": FOCUS, "linewidth": 0.8, "hatch": "xxxx"},
    "focus": {"facecolor": FOCUS, "edgecolor": "white", "linewidth": 0.4},
}


def map_svg(evidence: Evidence, foot: str, about: str, say: Texts) -> str | None:
    """The map with its alternative text, `foot` under it and `about` at the end of the text; None without a border."""
    if not evidence.map:
        return None
    paths = {part.role: _path(part) for part in evidence.map}
    corners = np.vstack([path.vertices for path in paths.values()])
    (west, south), (east, north) = corners.min(axis=0), corners.max(axis=0)
    borders = say("map.source", source=evidence.map_source)
    under = f"{foot}\n{wrapped(borders, WIDTH - 0.1, SMALL)}"
    drawn = min((WIDTH - 0.1) * float((north - south) / (east - west)), _TALLEST)
    names = [wrapped(_named(part, say), WIDTH - 0.6, SMALL) for part in reversed(evidence.map)]
    head = _LINE * sum(len(name.splitlines()) for name in names) + 0.1  # the legend above the map
    tail = _LINE * (1 + len(under.splitlines())) + 0.15  # the bar and the text below it
    height = head + drawn + tail
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0.05 / WIDTH, tail / height, (WIDTH - 0.1) / WIDTH, drawn / height))
    for role, style in _ROLES.items():
        if role in paths:
            axes.add_patch(PathPatch(paths[role], **style))
    axes.set_xlim(west, east)
    axes.set_ylim(south, north)
    axes.set_aspect("equal", anchor="W")
    axes.set_axis_off()
    _scale(figure, float(north - south) / drawn, tail - _LINE, say)
    marks = [
        Rectangle((0, 0), 1, 1, label=name, **_ROLES[part.role] | {"edgecolor": _edge(part.role)})
        for name, part in zip(names, reversed(evidence.map), strict=True)
    ]
    figure.legend(
        handles=marks,
        loc="upper left",
        bbox_to_anchor=(0.0, 1.0),
        frameon=False,
        fontsize=SMALL,
        handlelength=2.2,
        labelspacing=0.45,
        borderaxespad=0.2,
        borderpad=0.1,
    )
    figure.text(0.05 / WIDTH, 0.03 / height, under, ha="left", va="bottom", fontsize=SMALL)
    svg = rendered(figure, "map", say("map.title"), f"{_text(evidence, say)} {about} {borders.rstrip('.')}.")
    # A hundredth of a point is less than can be seen; the digits behind it are most of the file.
    return re.sub(r' d="[^"]*"', lambda path: re.sub(r"\d+\.\d+", _hundredths, path[0]), svg)


def _hundredths(digits: re.Match[str]) -> str:
    return f"{float(digits[0]):.2f}".rstrip("0").rstrip(".")


def map_table(evidence: Evidence, folded: bool, say: Texts) -> Table:
    """The map in figures: how many regions there are of each kind, and how far from a focus area they lie."""
    names = ("what", "number", "off", "beside", "least", "middle")
    columns = tuple(Column(say(f"map.{name}"), name != "what") for name in names)
    drawn = {part.role: part.units for part in evidence.map}
    rows = []
    for role in reversed(_ROLES):
        units = [unit for unit in evidence.units if unit.role == role]
        if units:
            counts = (len(units), len(units) - drawn.get(role, 0))
            rows.append((say(f"map.role.{role}"), *(_count(x, say) for x in counts), *_distances(role, units, say)))
    note = f"{say('map.source', source=evidence.map_source).rstrip('.')}. {say('map.note')}"
    return Table(say("map.caption"), columns, tuple(rows), note, folded)


def _distances(role: str, units: list[PlacedUnit], say: Texts) -> tuple[str, str, str]:
    known = [unit.km for unit in units if unit.km is not None]
    if role in ("focus", "aside") or not known:
        return ("", "", "")
    beside = sum(unit.ring == 1 for unit in units)
    return (_count(beside, say), number(min(known), say.language, 1), number(median(known), say.language, 1))


def _text(evidence: Evidence, say: Texts) -> str:
    """What the map shows: who is who, and whether a comparison lies beside a focus area."""
    drawn = {part.role: part.units for part in evidence.map}
    focus, compared = (_count(drawn.get(role, 0), say) for role in ("focus", "compared"))
    said = [say("map.text", units=_count(sum(drawn.values()), say), focus=focus, compared=compared)]
    said += [say(f"map.text_{role}", count=_count(drawn[role], say)) for role in ("pool", "aside") if role in drawn]
    near = [unit for unit in evidence.units if unit.role == "compared" and unit.km is not None]
    beside = sum(unit.ring == 1 for unit in near)
    if beside:
        said.append(say("map.some_beside", count=_count(beside, say)))
    elif near:
        least = min(unit.km for unit in near if unit.km is not None)
        said.append(say("map.none_beside", km=number(least, say.language, 1)))
    return " ".join(said)


def _count(x: int, say: Texts) -> str:
    return number(x, say.language, 0)


def _named(part: MapPart, say: Texts) -> str:
    return say("map.count", name=say(f"map.role.{part.role}"), count=_count(part.units, say))


def _edge(role: str) -> str:
    """A box of the legend stands on white, so it needs an edge that a region has from its neighbours."""
    style = _ROLES[role]
    return str(style["facecolor"] if style["edgecolor"] == "white" else style["edgecolor"])


def _path(part: MapPart) -> Path:
    """One path of all rings; holes run the other way round, so that they stay open."""
    rings = read_rings(part.rings)
    codes = [code for ring in rings for code in (Path.MOVETO, *[Path.LINETO] * (len(ring) - 2), Path.CLOSEPOLY)]
    return Path(np.vstack(rings).astype(float), codes)


def _scale(figure: Figure, inch: float, up: float, say: Texts) -> None:
    """A bar of a round number of kilometres, about one inch long, `up` inches high; an inch there is `inch` metres."""
    ticks, digits = round_ticks(0.0, 1.3 * inch / 1000, 2)
    km = max(ticks)
    width, height = figure.get_size_inches()
    y = (up + 0.05) / height
    ends = [0.05 / width, (0.05 + 1000 * km / inch) / width]
    figure.add_artist(Line2D(ends, [y, y], color=INK, linewidth=2.0, solid_capstyle="butt"))
    text = say("map.scale", km=number(km, say.language, digits))
    figure.text(ends[1] + 0.06 / width, y, text, va="center", fontsize=SMALL)
