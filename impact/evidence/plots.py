"""The figures of a report: effects by periods since the start, focus areas beside their comparison, balance."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from math import ceil

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from impact.drawing import COMPARISON, FOCUS, INK, look
from impact.evidence.flow import flow_svg
from impact.evidence.language import Texts, decimals, listed, number, significant, texts
from impact.evidence.maps import map_svg
from impact.evidence.plots_robust import covariate_sets, departures, specifications
from impact.evidence.reading import one_base, printed
from impact.evidence.record import Evidence, PathPoint
from impact.evidence.svg import number_axis, rendered, round_ticks
from impact.evidence.translation import in_words

__all__ = ["figures"]

_WIDTH = 5.0  # inches; on a phone the drawing shrinks to about 0.7, and 9.5 pt stays readable


def figures(evidence: Evidence, language: str = "nl") -> dict[str, str]:
    """SVG by name ("flow", "map", "gap", "event-study", "balance", …) with alternative texts; none of what is sealed.

    A figure with nothing to show is left out. The bytes depend on the evidence, the language and matplotlib alone.
    """
    if evidence.sealed:
        return {}
    evidence = in_words(evidence, language)
    say = texts(language, evidence.level)

    def signed(figure: Figure, name: str, title: str, text: str) -> str:
        return _signed(figure, name, title, text, evidence, say)

    with look():
        drawn = {
            "gap": _gap(evidence, say),
            "event-study": _event_study(evidence, say),
            "balance": _balance(evidence, say),
            "departures": departures(evidence, say, signed),
            "specifications": specifications(evidence, say, signed),
            "covariate-sets": covariate_sets(evidence, say, signed),
            "map": map_svg(evidence, *_about(evidence, say), say),
        }
    if evidence.flow:
        compared = evidence.compared if evidence.compared != evidence.pool else None
        drawn["flow"] = flow_svg(evidence.flow, compared, language, about=_about(evidence, say))
    return {name: svg for name, svg in drawn.items() if svg is not None}


def _signed(figure: Figure, name: str, title: str, text: str, evidence: Evidence, say: Texts) -> str:
    """The drawing with the number of areas it is about: figures are shown without their report."""
    foot, about = _about(evidence, say)
    figure.supxlabel(foot, x=0.01, ha="left", fontsize=8.5)
    return rendered(figure, name, title, f"{text} {about}")


def _about(evidence: Evidence, say: Texts) -> tuple[str, str]:
    """How many areas a figure is about, for under it and for its text, which names the others too."""
    counts = {
        "areas": number(len(evidence.included), say.language, 0),
        "total": number(evidence.areas_total, say.language, 0),
    }
    names = listed((area.name for area in evidence.others), say.language)
    others = say("draw.areas_others", names=names) if names else ""
    return say("draw.areas", **counts), f"{say('draw.areas_text', **counts)}{others}"


# --- effects by periods since the start -------------------------------------------------------------------------------


def _event_study(evidence: Evidence, say: Texts) -> str | None:
    rows = [(int(row.term), row.value, row) for row in evidence.event if _whole(row.term) and row.value is not None]
    if not rows:
        return None
    figure = Figure(figsize=(_WIDTH, 3.3), layout="constrained")
    axes = figure.add_subplot()
    heights = [0.0]
    for event, y, row in rows:
        if row.low is not None and row.high is not None:
            axes.vlines(event, row.low, row.high, color=FOCUS, linewidth=1.6, zorder=2)
            heights += [row.low, row.high]
        heights.append(y)
        _dot(axes, event, y, FOCUS, filled=event >= 0)
    axes.axhline(0, color=INK, linewidth=1.0, zorder=1)
    events = [event for event, _, _ in rows]
    base = -1 - evidence.anticipation
    if one_base(evidence) and min(events) < base:
        axes.plot(base, 0, marker="D", markersize=5, color=INK, zorder=3)
        axes.annotate(say("draw.base"), (base, 0), xytext=(0, 7), textcoords="offset points", ha="center", va="bottom")
        events.append(base)
    number_axis(axes, min(heights), max(heights), say.language)
    _divide(axes, -0.5, say)
    _whole_ticks(axes, min(events), max(events), say)
    axes.set_xlabel(say("draw.event_axis"))
    axes.set_title(_unit(evidence), pad=18)
    points = [(event, y) for event, y, _ in rows]
    return _signed(figure, "event-study", say("draw.event_title"), _event_text(evidence, points, say), evidence, say)


def _event_text(evidence: Evidence, points: Sequence[tuple[int, float]], say: Texts) -> str:
    shown = printed(evidence.primary)
    digits = shown.digits if shown else decimals(None, max((abs(y) for _, y in points), default=1.0))

    def ranged(key: str, values: Sequence[float]) -> str:
        if not values:
            return ""
        low, high = (number(x, say.language, digits, sign=True) for x in (min(values), max(values)))
        return say(key, low=low, high=high)

    before, after = [y for event, y in points if event < 0], [y for event, y in points if event >= 0]
    return say(
        "draw.event_text",
        before=number(len(before), say.language, 0),
        after=number(len(after), say.language, 0),
        unit=evidence.unit,
        before_range=ranged("draw.event_before", before),
        after_range=ranged("draw.event_after", after),
    )


# --- focus areas beside their comparison ------------------------------------------------------------------------------


def _gap(evidence: Evidence, say: Texts) -> str | None:
    path = evidence.path
    if sum(point.focus is not None and point.comparison is not None for point in path) < 2:
        return None
    figure = Figure(figsize=(_WIDTH, 4.4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2.2, 1])
    focus, comparison = [point.focus for point in path], [point.comparison for point in path]
    gap = [None if a is None or b is None else a - b for a, b in zip(focus, comparison, strict=True)]
    _line(upper, comparison, path, COMPARISON, "s", "--")
    _line(upper, focus, path, FOCUS, "o", "-")
    _line(lower, gap, path, FOCUS, "o", "-")
    lower.axhline(0, color=INK, linewidth=1.0, zorder=1)
    levels = [x for x in (*focus, *comparison) if x is not None]
    number_axis(upper, min(levels), max(levels), say.language)
    number_axis(
        lower,
        min(0.0, *(x for x in gap if x is not None)),
        max(0.0, *(x for x in gap if x is not None)),
        say.language,
        room=0.2,
        count=3,
    )
    _name_lines(upper, focus, comparison, say)
    starts = [number_ for number_, point in enumerate(path) if point.after]
    if starts and starts[0] > 0:
        _divide(upper, starts[0] - 0.5, say)
        lower.axvline(starts[0] - 0.5, color=INK, linewidth=0.9, linestyle=":")
    labels = [point.period for point in path]
    step = max(1, ceil((sum(map(len, labels)) + 2 * len(labels)) / 52))
    shown = [number_ for number_ in range(len(labels)) if (len(labels) - 1 - number_) % step == 0]
    lower.set_xticks(shown, [labels[number_] for number_ in shown])
    upper.tick_params(bottom=False)
    upper.spines["bottom"].set_visible(False)
    upper.set_title(_unit(evidence), pad=18)
    lower.set_title(say("draw.gap"), pad=9)
    return _signed(figure, "gap", say("draw.gap_title"), _gap_text(evidence, say), evidence, say)


def _line(
    axes: Axes, values: Sequence[float | None], path: Sequence[PathPoint], color: str, marker: str, style: str
) -> None:
    axes.plot(
        range(len(values)), [float("nan") if y is None else y for y in values], color=color, linestyle=style, zorder=2
    )
    for place, (y, point) in enumerate(zip(values, path, strict=True)):
        if y is not None:
            _dot(axes, place, y, color, filled=point.after, marker=marker)


def _name_lines(axes: Axes, focus: Sequence[float | None], comparison: Sequence[float | None], say: Texts) -> None:
    """Names to the right of the lines, kept apart where the lines end close together."""
    last = [next(y for y in reversed(values) if y is not None) for values in (focus, comparison)]
    ends = [(last[0], FOCUS, "draw.focus"), (last[1], COMPARISON, "draw.comparison")]
    low, high = axes.get_ylim()
    apart = 0.17 * (high - low)  # about two lines of text
    (under, *_), (over, *_) = sorted(ends)
    push = max(0.0, apart - (over - under)) / 2
    for y, color, key in ends:
        axes.text(
            len(focus) - 0.7,
            y + (push if (y, color, key) == max(ends) else -push),
            textwrap.fill(say(key), 13),
            color=color,
            fontweight="bold",
            va="center",
            ha="left",
        )


def _gap_text(evidence: Evidence, say: Texts) -> str:
    shown = printed(evidence.primary)
    digits = shown.digits if shown else 1
    whole = [point for point in evidence.path if point.focus is not None and point.comparison is not None]
    first, last = whole[0], whole[-1]

    def level(x: float | None) -> str:
        return number(x or 0.0, say.language, digits)

    return say(
        "draw.gap_text",
        first=first.period,
        last=last.period,
        unit=evidence.unit,
        focus_first=level(first.focus),
        focus_last=level(last.focus),
        comparison_first=level(first.comparison),
        comparison_last=level(last.comparison),
    )


# --- balance ----------------------------------------------------------------------------------------------------------


def _balance(evidence: Evidence, say: Texts) -> str | None:
    rows = evidence.balance
    if not rows:
        return None
    matching = any(row.smd_pool != row.smd_matched for row in rows)
    figure = Figure(figsize=(_WIDTH, 1.25 + 0.34 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    places = list(range(len(rows)))[::-1]
    for place, row in zip(places, rows, strict=True):
        if row.smd_pool is None or row.smd_matched is None:
            # There is no yardstick for it, so there is no place for a dot.
            axes.annotate(say("draw.balance_apart"), (0, place), va="center", ha="center", fontsize=8.5)
            continue
        if matching:
            axes.plot([row.smd_pool, row.smd_matched], [place, place], color="#b8bec6", linewidth=1.2, zorder=1)
            _dot(axes, row.smd_matched, place, FOCUS, filled=True)
        _dot(axes, row.smd_pool, place, FOCUS, filled=False)
    limit = next((check.threshold for check in evidence.checks if check.name == "balance"), None)
    for edge in () if limit is None else (-limit, limit):
        axes.axvline(edge, color=COMPARISON, linewidth=0.9, linestyle="--", zorder=0)
    if limit is not None:
        axes.annotate(
            say("draw.limit"),
            (limit, 1),
            xycoords=axes.get_xaxis_transform(),
            xytext=(0, 3),
            textcoords="offset points",
            ha="left",
            va="bottom",
            fontsize=8.5,
        )
    axes.axvline(0, color=INK, linewidth=1.0, zorder=0)
    reach = (
        max([abs(x) for row in rows for x in (row.smd_pool, row.smd_matched) if x is not None] + [limit or 0.1]) * 1.12
    )
    axes.set_xlim(-reach, reach)
    ticks, digits = round_ticks(-reach, reach, 5)
    axes.set_xticks(ticks, [number(tick, say.language, digits) for tick in ticks])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_yticks(places, [textwrap.fill(row.name, 26) for row in rows])
    axes.set_xlabel(say("draw.balance_axis"))
    axes.spines["left"].set_visible(False)
    if matching:
        marks = [
            Line2D(
                [],
                [],
                marker="o",
                markersize=6,
                markerfacecolor=face,
                markeredgecolor=FOCUS,
                markeredgewidth=1.5,
                linestyle="none",
                label=say(key),
            )
            for face, key in (("white", "draw.pool"), (FOCUS, "draw.matched"))
        ]
        figure.legend(handles=marks, loc="outside upper right", ncols=2, frameon=False, handletextpad=0.2)
    largest = {
        key: number(max((abs(x) for x in values if x is not None), default=0.0), say.language, 2)
        for key, values in (("pool", [row.smd_pool for row in rows]), ("matched", [row.smd_matched for row in rows]))
    }
    edges = "" if limit is None else say("draw.balance_limit", limit=significant(limit, say.language))
    text = say(
        "draw.balance_text" if matching else "draw.balance_text_unmatched",
        count=number(len(rows), say.language, 0),
        limit=edges,
        **largest,
    )
    return _signed(figure, "balance", say("draw.balance_title"), text, evidence, say)


# --- shared -----------------------------------------------------------------------------------------------------------


def _dot(axes: Axes, x: float, y: float, color: str, *, filled: bool, marker: str = "o") -> None:
    """A closed marker after the start (or after matching), an open one before."""
    axes.plot(
        x,
        y,
        marker=marker,
        markersize=6,
        markerfacecolor=color if filled else "white",
        markeredgecolor=color,
        markeredgewidth=1.5,
        linestyle="none",
        zorder=3,
    )


def _divide(axes: Axes, x: float, say: Texts) -> None:
    """A line between the last period before the start and the first after it, named on both sides."""
    axes.axvline(x, color=INK, linewidth=0.9, linestyle=":")
    for key, place, side in (("draw.before", -5, "right"), ("draw.after", 5, "left")):
        axes.annotate(
            say(key),
            (x, 1),
            xycoords=axes.get_xaxis_transform(),
            xytext=(place, 3),
            textcoords="offset points",
            ha=side,
            va="bottom",
            fontsize=8.5,
        )


def _whole_ticks(axes: Axes, low: int, high: int, say: Texts) -> None:
    step = max(1, ceil((high - low) / 12))
    ticks = [tick for tick in range(low, high + 1) if tick % step == 0]
    axes.set_xlim(low - 0.6, high + 0.6)
    axes.set_xticks(ticks, [number(tick, say.language, 0, sign=True) for tick in ticks])


def _unit(evidence: Evidence) -> str:
    return textwrap.fill(evidence.unit, 60)


def _whole(term: str) -> bool:
    return term.removeprefix("-").isdigit()
