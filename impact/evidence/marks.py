"""What the figures of a report are made of: points, dividing lines, axes of periods, and names beside rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from impact.arrays import Float1
from impact.drawing import COMPARISON, FOCUS, INK, SMALL, TEXT, WIDTH
from impact.evidence.language import Texts, number
from impact.evidence.svg import round_ticks, wrapped

__all__ = [
    "Sign",
    "divide",
    "dot",
    "event_axis",
    "extremes",
    "headed",
    "interval_lines",
    "interval_marks",
    "legend",
    "one_sided",
    "period_axis",
    "row_height",
    "rows_axis",
    "value_axis",
]

Sign = Callable[[Figure, str, str, str], str]
"""From a figure with its name, title and text to its SVG, signed with the areas and the data that it is about."""

_NAMES = 1.45  # inches for the names beside rows


def dot(axes: Axes, x: float, y: float, color: str, *, filled: bool, marker: str = "o") -> None:
    """A closed marker after the start (or after matching, or as declared), an open one before."""
    face = color if filled else "white"
    axes.plot(
        x,
        y,
        marker=marker,
        markersize=6,
        markerfacecolor=face,
        markeredgecolor=color,
        markeredgewidth=1.5,
        linestyle="none",
        zorder=4,
    )


def interval_lines(axes: Axes, x: Float1, low: Float1, high: Float1, *, together: bool = False) -> None:
    """Intervals (n,) at the places `x`: heavy by themselves, light with caps where they hold `together`."""
    axes.vlines(x, low, high, color=FOCUS, linewidth=0.9 if together else 2.6, zorder=2 if together else 3)
    if together:
        axes.plot(np.r_[x, x], np.r_[low, high], linestyle="", marker="_", markersize=7, color=FOCUS, zorder=2)


def interval_marks(single: str, together: str) -> list[Line2D]:
    """Both kinds of interval for a legend."""
    light = Line2D([], [], color=FOCUS, linewidth=0.9, marker="_", markersize=7, label=together)
    return [Line2D([], [], color=FOCUS, linewidth=2.6, label=single), light]


def headed(axes: Axes, text: str, pad: float = 18) -> None:
    """What the numbers are in, above the axes."""
    said = wrapped(text, WIDTH - 0.6, TEXT)
    axes.set_title(said, pad=pad)
    _taller(axes.get_figure(root=True), 0.17 * said.count("\n"))


def divide(axes: Axes, x: float, say: Texts) -> None:
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
            fontsize=SMALL,
        )


def event_axis(axes: Axes, low: int, high: int, say: Texts) -> None:
    """Whole periods since the start, with 0 among the labels."""
    step = max(1, ceil((high - low) / 10))
    ticks = [tick for tick in range(low, high + 1) if tick % step == 0]
    axes.set_xlim(low - 0.6, high + 0.6)
    axes.set_xticks(ticks, [number(tick, say.language, 0, sign=True) for tick in ticks])
    axes.set_xlabel(say("draw.event_axis"))


def period_axis(axes: Axes, labels: Sequence[str]) -> None:
    """As many labels of periods as stand beside each other, the last one among them."""
    step = max(1, ceil((sum(map(len, labels)) + 2 * len(labels)) / 36))
    shown = [place for place in range(len(labels)) if (len(labels) - 1 - place) % step == 0]
    axes.set_xticks(shown, [labels[place] for place in shown])


def value_axis(axes: Axes, reach: Sequence[float], language: str, count: int = 5) -> None:
    """A horizontal axis around what is drawn, with 0 as a line."""
    low, high = min(0.0, *reach), max(0.0, *reach)
    room = 0.06 * ((high - low) or 1.0)
    low, high = low - room, high + room
    ticks, digits = round_ticks(low, high, count)
    axes.set_xlim(low, high)
    axes.set_xticks(ticks, [number(tick, language, digits) for tick in ticks])
    axes.axvline(0, color=INK, linewidth=1.0, zorder=1)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")


def rows_axis(axes: Axes, names: Sequence[str], bold: int | None = None) -> None:
    """Names beside rows, the first one on top, at heights of one and more by how many lines a name takes."""
    written = [wrapped(name, _NAMES, SMALL) for name in names]
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_yticks(range(len(names)), written, fontsize=SMALL)
    axes.spines["left"].set_visible(False)
    if bold is not None:
        axes.get_yticklabels()[bold].set_fontweight("bold")


def row_height(names: Sequence[str]) -> float:
    """Inches of a row in which every name fits."""
    most = max((wrapped(name, _NAMES, SMALL).count("\n") + 1 for name in names), default=1)
    return max(0.34, 0.17 * most + 0.09)


def extremes(axes: Axes, edges: Sequence[float]) -> None:
    """Dashed lines on both sides, as of a limit or of a difference that matters."""
    for edge in edges:
        axes.axvline(edge, color=COMPARISON, linewidth=0.9, linestyle="--", zorder=1)


def legend(figure: Figure, marks: Sequence[Line2D | Patch]) -> None:
    """What the lines are, above the figure and under each other; every name within its width."""
    for mark in marks:
        said = wrapped(str(mark.get_label()), WIDTH - 0.6, SMALL)
        mark.set_label(said)
        _taller(figure, 0.19 * (said.count("\n") + 1))
    if not marks:
        return
    figure.legend(
        handles=list(marks),
        loc="outside upper left",
        frameon=False,
        fontsize=SMALL,
        handlelength=2.6,
        labelspacing=0.3,
        borderaxespad=0.1,
    )


def _taller(figure: Figure | None, inches: float) -> None:
    """What stands above a figure takes no room from what is drawn."""
    if figure is not None:
        figure.set_figheight(figure.get_figheight() + inches)


def one_sided(ends: Sequence[tuple[float, float]], say: Texts) -> list[str]:
    """How many intervals, as they are printed, lie wholly on one side of 0; nothing without any."""
    apart = sum(low > 0 or high < 0 for low, high in ends)
    counts = {"apart": number(apart, say.language, 0), "known": number(len(ends), say.language, 0)}
    return [say("figures.apart_all", **counts)] if ends else []
