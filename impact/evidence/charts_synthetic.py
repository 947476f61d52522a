"""Figures of a comparison that follows the treated: path, gap, placebos, weights, and every area by itself."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from math import ceil

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from impact.arrays import Float1, Float2
from impact.drawing import COMPARISON, FOCUS, INK, look, new_axes, short
from impact.evidence.courses import Course
from impact.longtable import few

__all__ = ["areas", "gap", "new_axes", "path", "placebos", "ranking", "short", "weights"]

_LABELLED = 8  # periods with a label, at most
_APART = 12.0  # points between two lines of text
_LONG = 26  # letters of a name beside or above a panel; the rest is cut
_WIDE, _NARROW = 84, 54  # letters of a heading, above a whole figure and beside long names


def path(one: Course, periods: Sequence[str], unit: str, imputed: str, axes: Axes | None = None) -> Axes:
    """Observed and imputed outcomes by period; `imputed` is what the latter are called."""
    with look():
        axes = new_axes(6.6, 3.6) if axes is None else axes
        places = np.arange(len(periods))
        axes.plot(places, one.imputed, color=COMPARISON, linestyle="--", label=imputed)
        axes.plot(places, one.observed, color=FOCUS, label="observed")
        _end_labels(axes, [(one.observed, "observed", FOCUS), (one.imputed, imputed, COMPARISON)])
        _starts(axes, one.starts, periods)
        _period_axis(axes, periods, one.starts[0])
        axes.set_ylabel(unit or "outcome")
        _heading(axes, _whose(one), width=_WIDE)
    return axes


def gap(one: Course, periods: Sequence[str], unit: str, axes: Axes | None = None) -> Axes:
    """Observed less imputed, by period."""
    with look():
        axes = new_axes(6.6, 3.2) if axes is None else axes
        axes.axhline(0, color=INK, linewidth=1)
        axes.plot(np.arange(len(periods)), one.gap, color=FOCUS, label="gap")
        _starts(axes, one.starts, periods)
        _period_axis(axes, periods, one.starts[0])
        axes.set_ylabel(f"gap, {unit}" if unit else "gap")
        _heading(axes, _whose(one), width=_WIDE)
    return axes


def placebos(
    one: Course,
    others: Float2,
    periods: Sequence[str],
    unit: str,
    *,
    failed: int = 0,
    within: float | None = None,
    axes: Axes | None = None,
) -> Axes:
    """Gaps of placebos (S, T), pale, with those of the treated in front.

    Placebos whose RMSPE before the start is over `within` times that of the treated are left out; the heading says how
    many are, and how many of the sets gave no estimate (`failed`).
    """
    own = one.rmspe()
    before = np.sqrt(np.nanmean(others[:, : one.starts[0]] ** 2, axis=1)) if len(others) else np.zeros(0)
    drawn = others if within is None or own is None else others[before <= within * own]
    said = [f"{one.name} in front of {len(drawn):,} placebos (grey)"]
    if within is not None and own is not None:
        said.append(
            f"left out: {len(others) - len(drawn):,} whose RMSPE before the start is over {within:g} times {short(own)}"
        )
    if failed:
        said.append(f"without an estimate: {failed:,}")
    with look():
        axes = new_axes(6.6, 3.8) if axes is None else axes
        places = np.arange(len(periods))
        lines = LineCollection(
            [np.column_stack([places, row]) for row in drawn],
            colors=COMPARISON,
            linewidths=0.7,
            alpha=float(np.clip(20 / max(len(drawn), 1), 0.06, 0.55)),
            label="placebos",
            rasterized=len(drawn) > 300,  # thousands of lines make a drawing too heavy to open
        )
        axes.add_collection(lines)
        axes.axhline(0, color=INK, linewidth=1)
        axes.plot(places, one.gap, color="white", linewidth=4.2)
        axes.plot(places, one.gap, color=FOCUS, linewidth=2.4, label=one.name)
        axes.autoscale_view()
        _end_labels(axes, [(one.gap, _cut(one.name, _LONG), FOCUS)])
        _starts(axes, one.starts, periods)
        _period_axis(axes, periods, one.starts[0])
        axes.set_ylabel(f"gap, {unit}" if unit else "gap")
        _heading(axes, said, width=_WIDE)
    return axes


def ranking(
    name: str,
    own: float,
    names: Sequence[str],
    ratios: Float1,
    *,
    most: int = 25,
    failed: int = 0,
    perfect: int = 0,
    axes: Axes | None = None,
) -> Axes:
    """RMSPE after the start over that before, of the treated and of the placebos with the highest.

    `failed` sets gave no estimate and count as higher; `perfect` fits before the start are so close that their ratio is
    bounded.
    """
    order = np.lexsort((np.array(names), -ratios))
    place = int((ratios >= own * (1 - 1e-9)).sum()) + failed
    rows = [(names[row], float(ratios[row]), False) for row in order[:most]]
    shown = min(place - failed, len(rows))
    rows.insert(shown, (name, own, True))
    above = max(place - failed - most, 0)
    below = max(len(ratios) - most, 0) - above
    with look():
        axes = new_axes(6.6, 1.1 + 0.2 * len(rows)) if axes is None else axes
        height = np.arange(len(rows))
        for at, (_, value, treated) in zip(height, rows, strict=True):
            axes.plot(
                value,
                at,
                marker="D" if treated else "o",
                markersize=8 if treated else 5.5,
                linestyle="",
                color=FOCUS if treated else COMPARISON,
                markerfacecolor=FOCUS if treated else "white",
                clip_on=False,
            )
        axes.set_yticks(height, [_cut(label, _LONG) for label, _, _ in rows])
        axes.get_yticklabels()[shown].set_fontweight("bold")
        axes.get_yticklabels()[shown].set_color(FOCUS)
        axes.annotate(
            short(own), (own, shown), xytext=(9, 0), textcoords="offset points", va="center", color=FOCUS, weight="bold"
        )
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(axis="x")
        axes.grid(visible=False, axis="y")
        values = np.array([value for _, value, _ in rows])
        if values.min() > 0 and values.max() > 30 * values.min():
            axes.set_xscale("log")
        else:
            axes.set_xlim(left=0)
        axes.set_xlabel("RMSPE after the start / RMSPE before it")
        said = [f"{_cut(name, _LONG)}: rank {place + 1:,} of {len(ratios) + failed + 1:,}"]
        if above:
            said.append(f"not drawn: {above:,} placebos between these and it, and {below:,} below it")
        elif below:
            said.append(f"not drawn: {below:,} placebos with lower ratios")
        if failed:
            said.append(f"without an estimate, counted as higher: {failed:,}")
        if perfect:
            said.append(f"ratio bounded, as the fit before the start is all but perfect: {perfect:,}")
        _heading(axes, said, width=_NARROW, room=0)
    return axes


def weights(names: Sequence[str], values: Float1, said: str, *, most: int = 20, axes: Axes | None = None) -> Axes:
    """The largest weights, whatever their sign, and what the others come to."""
    held = np.flatnonzero(values)
    order = held[np.lexsort((np.array(names)[held], -np.abs(values[held])))]
    rows = [(names[row], float(values[row])) for row in order[:most]]
    rest = values[order[most:]]
    with look():
        axes = new_axes(6.0, 0.9 + 0.22 * (len(rows) + bool(len(rest)))) if axes is None else axes
        height = np.arange(len(rows))
        size = np.array([value for _, value in rows])
        negative = size < 0
        axes.axvline(0, color=INK, linewidth=1)
        axes.hlines(height, 0, size, color=COMPARISON, linewidth=1.6)
        for chosen, face in ((~negative, FOCUS), (negative, "white")):
            axes.plot(size[chosen], height[chosen], linestyle="", marker="o", color=FOCUS, markerfacecolor=face)
        for at, value in zip(height, size, strict=True):
            axes.annotate(
                short(value, 2),
                (value, at),
                xytext=(7 if value >= 0 else -7, 0),
                textcoords="offset points",
                va="center",
                ha="left" if value >= 0 else "right",
                fontsize=8.5,
            )
        labels = [_cut(name, _LONG) for name, _ in rows]
        ticks = list(range(len(rows)))
        if len(rest):
            ticks.append(len(rows))
            labels.append(f"{len(rest):,} others together")
            axes.annotate(
                short(float(rest.sum()), 2),
                (0, len(rows)),
                xytext=(7, 0),
                textcoords="offset points",
                va="center",
                fontsize=8.5,
            )
        axes.set_yticks(ticks, labels)
        axes.set_ylim(len(ticks) - 0.4, -0.6)
        axes.margins(x=0.2 if negative.any() else 0.12)
        if not negative.any():
            axes.set_xlim(left=0)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("weight" + (" (open: negative)" if negative.any() else ""))
        _heading(axes, [said], width=_NARROW, room=0)
    return axes


def areas(
    found: Sequence[Course], missing: Sequence[str], periods: Sequence[str], unit: str, columns: int = 4
) -> list[Axes]:
    """The gaps of every area in a panel of its own, all on one scale."""
    rows = ceil(len(found) / columns)
    with look():
        figure = Figure(figsize=(2.1 * columns + 0.5, 1.55 * rows + 1.0), layout="constrained")
        grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        places = np.arange(len(periods))
        flat = list(grid.flat)
        for axes, one in zip(flat, found, strict=False):
            axes.axhline(0, color=INK, linewidth=0.8)
            for start in one.starts:
                axes.axvline(start - 0.5, color=INK, linewidth=0.8, linestyle=":")
            axes.plot(places, one.gap, color=FOCUS, linewidth=1.5)
            axes.set_title(f"{_cut(one.name, _LONG)}\n{_about(one)}", fontsize=8, loc="left", linespacing=1.15, pad=3)
        for axes in flat[len(found) :]:
            axes.remove()
        start = min(one.starts[0] for one in found)
        for number in range(max(0, len(found) - columns), len(found)):
            flat[number].tick_params(labelbottom=True)
        for axes in flat[: len(found)]:
            _period_axis(axes, periods, start, most=3)
            axes.tick_params(labelsize=7.5)
            axes.yaxis.set_major_locator(MaxNLocator(4))
        figure.supylabel(f"gap, {unit}" if unit else "gap", fontsize=9)
        said = f"{len(found)} areas on one scale; dotted: the start. Under a name: RMSPE before it, mean gap after it."
        if missing:
            said += f"\nWithout an estimate: {few(list(missing))}."
        figure.suptitle(said, x=0.01, ha="left", fontsize=8.5)
    return flat[: len(found)]


# --- parts ------------------------------------------------------------------------------------------------------------


def _whose(one: Course) -> list[str]:
    who = one.name if one.areas == 1 else f"{one.name}, mean of {one.areas} areas"
    return [who, *([f"left out, without an estimate: {few(list(one.without))}"] if one.without else [])]


def _about(one: Course) -> str:
    before, after = one.rmspe(), one.effect()
    return " · ".join(
        f"{when} {'–' if value is None else short(value, 2)}" for when, value in (("before", before), ("after", after))
    )


def _heading(axes: Axes, lines: Sequence[str], *, width: int, room: float = 16) -> None:
    """Lines above the axes, `room` points away, wrapped at so many letters."""
    text = "\n".join(textwrap.fill(line, width) for line in lines)
    axes.set_title(text, pad=room + 4, fontsize=9, loc="left")


def _cut(name: str, most: int) -> str:
    return name if len(name) <= most else f"{name[: most - 1].rstrip()}…"


def _starts(axes: Axes, starts: Sequence[int], periods: Sequence[str]) -> None:
    """A dotted line before every first treated period, and words above the first of them."""
    for start in starts:
        axes.axvline(start - 0.5, color=INK, linewidth=0.8, linestyle=":")
    text = f"start{'s' * (len(starts) > 1)} " + ", ".join(periods[start] for start in starts)
    text = text if len(starts) <= 3 else f"first of {len(starts)} starts"
    axes.annotate(
        text,
        (starts[0] - 0.5, 1.0),
        xycoords=axes.get_xaxis_transform(),
        xytext=(0, 3),
        textcoords="offset points",
        ha="center" if len(starts) == 1 else "left",
        va="bottom",
        fontsize=8.5,
    )


def _period_axis(axes: Axes, periods: Sequence[str], start: int, most: int = _LABELLED) -> None:
    """Every so many periods a label, so that the start has one."""
    step = max(1, ceil(len(periods) / most))
    ticks = range(start % step, len(periods), step)
    axes.set_xticks(ticks, [periods[tick] for tick in ticks])
    axes.set_xlim(-0.5, len(periods) - 0.5)


def _end_labels(axes: Axes, lines: Sequence[tuple[Float1, str, str]]) -> None:
    """The name of every line at its end, moved apart where two would overlap."""
    known = [(values, text, color, np.flatnonzero(np.isfinite(values))) for values, text, color in lines]
    ends = sorted(
        (float(values[there[-1]]), int(there[-1]), text, color) for values, text, color, there in known if there.size
    )
    low, high = axes.get_ylim()
    points = axes.get_window_extent().height / axes.figure.dpi * 72 / (high - low)
    previous = -np.inf
    for y, x, text, color in ends:
        at = max(y * points, previous + _APART)
        axes.annotate(
            text,
            (x, y),
            xytext=(8, at - y * points),
            textcoords="offset points",
            va="center",
            color=color,
            annotation_clip=False,
        )
        previous = at
