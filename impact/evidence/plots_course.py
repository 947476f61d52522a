"""Figures of a course: effects by periods since the start, focus areas beside their comparison, and placebos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from impact.drawing import COMPARISON, FOCUS, INK, PALE, WIDTH
from impact.evidence.change_table import both_units, level_unit
from impact.evidence.language import Texts, number, p_value, percent_level
from impact.evidence.marks import (
    Sign,
    divide,
    dot,
    event_axis,
    headed,
    interval_lines,
    interval_marks,
    legend,
    period_axis,
)
from impact.evidence.placebos import PlaceboRow
from impact.evidence.reading import one_base, printed, value
from impact.evidence.record import Estimate, Evidence, PathPoint
from impact.evidence.svg import number_axis

__all__ = ["banded", "event_study", "gap", "placebo_range", "placebo_rows", "placebos"]


# --- effects by periods since the start -------------------------------------------------------------------------------


def event_study(evidence: Evidence, say: Texts, sign: Sign) -> str | None:
    """Estimates by periods since the start: heavy lines for each by itself, light ones with caps for all at once."""
    rows = _by_event(evidence)
    if not rows:
        return None
    figure = Figure(figsize=(WIDTH, 3.3), layout="constrained")
    axes = figure.add_subplot()
    heights = [0.0]
    for event, y, row in rows:
        heights += [y, *_lines(axes, event, row)]
        dot(axes, event, y, FOCUS, filled=event >= 0)
    axes.axhline(0, color=INK, linewidth=1.0, zorder=1)
    events = [event for event, *_ in rows]
    base = _base(evidence, events)
    if base is not None:
        dot(axes, base, 0, INK, filled=True, marker="D")
        events.append(base)
    number_axis(axes, min(heights), max(heights), say.language)
    divide(axes, -0.5, say)
    event_axis(axes, min(events), max(events), say)
    headed(axes, evidence.unit)
    level = percent_level(evidence.primary.level, say.language)
    single, together = (say(f"figures.{kind}", level=level) for kind in ("single", "together"))
    marks = interval_marks(single, together) if banded(evidence) else []
    legend(figure, [*marks, *([] if base is None else [_diamond(say)])])
    return sign(figure, "event-study", say("draw.event_title"), _event_text(evidence, rows, say))


def banded(evidence: Evidence) -> bool:
    """Whether any estimate by periods has an interval that holds for all of them."""
    return any(row.band_low is not None and row.band_high is not None for row in evidence.event)


def _lines(axes: Axes, x: float, row: Estimate) -> list[float]:
    """The intervals of one estimate; returns their ends."""
    ends: list[float] = []
    for low, high, together in ((row.band_low, row.band_high, True), (row.low, row.high, False)):
        if low is not None and high is not None:
            interval_lines(axes, np.array([x]), np.array([low]), np.array([high]), together=together)
            ends += [low, high]
    return ends


def _by_event(evidence: Evidence) -> list[tuple[int, float, Estimate]]:
    whole = [row for row in evidence.event if row.term.removeprefix("-").isdigit()]
    return [(int(row.term), row.value, row) for row in whole if row.value is not None]


def _base(evidence: Evidence, events: Sequence[int]) -> int | None:
    """The period that all estimates are compared with, where that is one of them."""
    base = -1 - evidence.anticipation
    return base if one_base(evidence) and min(events) < base else None


def _diamond(say: Texts) -> Line2D:
    """The mark of the period that all others are compared with."""
    return Line2D([], [], color=INK, marker="D", markersize=6, linestyle="none", label=say("draw.base"))


def _event_text(evidence: Evidence, rows: Sequence[tuple[int, float, Estimate]], say: Texts) -> str:
    sides = {
        "before": [(y, row) for event, y, row in rows if event < 0],
        "after": [(y, row) for event, y, row in rows if event >= 0],
    }
    said = {}
    for side, points in sides.items():
        low, high = ("", "") if not points else (value(end(points, key=_height)[1], say) for end in (min, max))
        said[f"{side}_range"] = say(f"draw.event_{side}", low=low, high=high) if points else ""
    pieces = [
        say(
            "draw.event_text",
            before=_count(len(sides["before"]), say),
            after=_count(len(sides["after"]), say),
            unit=evidence.unit,
            **said,
        )
    ]
    pieces += _apart("figures.apart", rows, say)
    pieces += _apart("figures.apart_together", rows, say, band=True) if banded(evidence) else []
    return " ".join(pieces)


def _height(point: tuple[float, Estimate]) -> float:
    return point[0]


def _apart(key: str, rows: Sequence[tuple[int, float, Estimate]], say: Texts, *, band: bool = False) -> list[str]:
    """How many intervals lie on one side of 0, as they are printed."""
    counts, known = {}, []
    for side, wanted in (("before", False), ("after", True)):
        ends = [
            (round(low, shown.digits), round(high, shown.digits))
            for event, _, row in rows
            for shown in [printed(row)]
            for low, high in [(row.band_low, row.band_high) if band else (row.low, row.high)]
            if (event >= 0) == wanted and shown is not None and low is not None and high is not None
        ]
        known.append(len(ends))
        counts[side] = _count(len(ends), say)
        counts[f"{side}_out"] = _count(sum(low > 0 or high < 0 for low, high in ends), say)
    return [say(key, **counts)] if any(known) else []


# --- focus areas beside their comparison ------------------------------------------------------------------------------


def gap(evidence: Evidence, say: Texts, sign: Sign) -> str | None:
    """The course of both, and below it the gap between them."""
    path = evidence.path
    if sum(point.focus is not None and point.comparison is not None for point in path) < 2:
        return None
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, 1])
    focus, comparison, between = [point.focus for point in path], [point.comparison for point in path], _gaps(path)
    _line(upper, comparison, path, COMPARISON, "s", "--")
    _line(upper, focus, path, FOCUS, "o", "-")
    _line(lower, between, path, FOCUS, "o", "-")
    lower.axhline(0, color=INK, linewidth=1.0, zorder=1)
    levels = [x for x in (*focus, *comparison) if x is not None]
    known = [x for x in between if x is not None]
    number_axis(upper, min(levels), max(levels), say.language)
    number_axis(lower, min(0.0, *known), max(0.0, *known), say.language, room=0.2, count=3)
    starts = [place for place, point in enumerate(path) if point.after]
    if starts and starts[0] > 0:
        divide(upper, starts[0] - 0.5, say)
        lower.axvline(starts[0] - 0.5, color=INK, linewidth=0.9, linestyle=":")
    period_axis(lower, [point.period for point in path])
    upper.tick_params(bottom=False)
    upper.spines["bottom"].set_visible(False)
    headed(upper, level_unit(evidence.unit))
    lower.set_title(say("draw.gap") + _in_unit(evidence.unit), pad=9)
    marks = [
        Line2D([], [], color=FOCUS, marker="o", label=say("draw.focus")),
        Line2D([], [], color=COMPARISON, marker="s", linestyle="--", label=say("draw.comparison")),
    ]
    legend(figure, marks)
    return sign(figure, "gap", say("draw.gap_title"), _gap_text(evidence, say))


def _in_unit(unit: str) -> str:
    """The unit of a difference, where it is another than that of the levels above it."""
    return "" if level_unit(unit) == unit else f" ({unit})"


def _gaps(path: Sequence[PathPoint]) -> list[float | None]:
    return [
        None if point.focus is None or point.comparison is None else point.focus - point.comparison for point in path
    ]


def _line(
    axes: Axes, values: Sequence[float | None], path: Sequence[PathPoint], color: str, marker: str, style: str
) -> None:
    axes.plot(
        range(len(values)), [float("nan") if y is None else y for y in values], color=color, linestyle=style, zorder=2
    )
    for place, (y, point) in enumerate(zip(values, path, strict=True)):
        if y is not None:
            dot(axes, place, y, color, filled=point.after, marker=marker)


def _gap_text(evidence: Evidence, say: Texts) -> str:
    shown = printed(evidence.primary)
    digits = shown.digits if shown else 1
    whole = [point for point in evidence.path if point.focus is not None and point.comparison is not None]
    first, last = whole[0], whole[-1]

    def level(x: float | None) -> str:
        return number(x or 0.0, say.language, digits)

    pieces = [
        say(
            "draw.gap_text",
            first=first.period,
            last=last.period,
            unit=both_units(evidence.unit, say),
            focus_first=level(first.focus),
            focus_last=level(last.focus),
            comparison_first=level(first.comparison),
            comparison_last=level(last.comparison),
        )
    ]
    for side, wanted in (("before", False), ("after", True)):
        found = [x for x, point in zip(_gaps(whole), whole, strict=True) if point.after == wanted and x is not None]
        if found:
            low, high = (number(x, say.language, digits, sign=True) for x in (min(found), max(found)))
            pieces.append(say(f"figures.gap_{side}", low=low, high=high))
    return " ".join(pieces)


# --- placebos ---------------------------------------------------------------------------------------------------------


def placebo_rows(evidence: Evidence) -> list[tuple[Estimate, PlaceboRow]]:
    """The estimates by periods since the start that placebos can be laid beside."""
    if evidence.placebos is None:
        return []
    known = {row.term: row for row in evidence.placebos.rows}
    return [(row, known[row.term]) for _, _, row in _by_event(evidence) if row.term in known]


def placebo_range(own: Estimate, low: float, high: float, say: Texts) -> tuple[str, str]:
    """Two ends of a range of placebos, printed as the estimate that they stand beside."""
    shown = printed(own)
    digits = shown.digits if shown else 0
    first, last = (number(round(x, digits), say.language, digits, sign=True) for x in (low, high))
    return first, last


def placebos(evidence: Evidence, say: Texts, sign: Sign) -> str | None:
    """The areas in front of what is found where nothing happened: half, and nine in ten, of the placebos."""
    rows, found = placebo_rows(evidence), evidence.placebos
    if found is None or len(rows) < 2:
        return None
    points = [(int(own.term), own.value or 0.0, row.low, row.lower, row.upper, row.high) for own, row in rows]
    base = _base(evidence, [event for event, *_ in points])
    drawn = sorted([*points, *([] if base is None else [(base, 0.0, 0.0, 0.0, 0.0, 0.0)])])
    x, own, low, lower, upper, high = (list(column) for column in zip(*drawn, strict=True))
    figure = Figure(figsize=(WIDTH, 3.3), layout="constrained")
    axes = figure.add_subplot()
    axes.fill_between(x, low, high, color=PALE[0], linewidth=0, zorder=1)
    axes.fill_between(x, lower, upper, color=PALE[1], linewidth=0, zorder=1)
    for edge, style in ((low, "--"), (high, "--"), (lower, "-"), (upper, "-")):
        axes.plot(x, edge, color=COMPARISON, linewidth=0.9, linestyle=style, zorder=2)
    axes.axhline(0, color=INK, linewidth=1.0, zorder=2)
    axes.plot(x, own, color="white", linewidth=4.4, zorder=3)
    axes.plot(x, own, color=FOCUS, zorder=3)
    for event, y, *_ in points:
        dot(axes, event, y, FOCUS, filled=event >= 0)
    if base is not None:
        dot(axes, base, 0, INK, filled=True, marker="D")
    number_axis(axes, min(*own, *low), max(*own, *high), say.language)
    divide(axes, -0.5, say)
    event_axis(axes, min(map(int, x)), max(map(int, x)), say)
    headed(axes, evidence.unit)
    around: dict[str, Any] = {"edgecolor": COMPARISON, "linewidth": 0.9}
    marks: list[Line2D | Patch] = [
        Line2D([], [], color=FOCUS, marker="o", label=say("draw.focus")),
        Patch(facecolor=PALE[1], label=say("figures.half"), **around),
        Patch(facecolor=PALE[0], label=say("figures.most"), linestyle="--", **around),
    ]
    legend(figure, [*marks, *([] if base is None else [_diamond(say)])])
    return sign(figure, "placebos", say("figures.placebo_title"), _placebo_text(evidence, rows, say))


def _placebo_text(evidence: Evidence, rows: Sequence[tuple[Estimate, PlaceboRow]], say: Texts) -> str:
    found = evidence.placebos
    assert found is not None
    counts = {}
    for side, wanted in (("before", False), ("after", True)):
        own = [
            (shown.value, round(beside.low, shown.digits), round(beside.high, shown.digits))
            for estimate, beside in rows
            for shown in [printed(estimate)]
            if (int(estimate.term) >= 0) == wanted and shown is not None
        ]
        counts[side] = _count(len(own), say)
        counts[f"{side}_out"] = _count(sum(not low <= y <= high for y, low, high in own), say)
    pieces = [say("figures.placebo_text", sets=_count(found.sets, say), unit=evidence.unit, **counts)]
    last, row = rows[-1]
    low, high = placebo_range(last, row.low, row.high, say)
    pieces.append(say("figures.placebo_last", value=value(last, say), low=low, high=high))
    if found.p_value is not None:
        p = p_value(found.p_value, say.language, None if found.enumerated else found.sets)
        pieces.append(say("figures.placebo_p", p=p))
    return " ".join(pieces)


def _count(x: int, say: Texts) -> str:
    return number(x, say.language, 0)
