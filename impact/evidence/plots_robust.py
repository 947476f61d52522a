"""Figures of what an estimate can bear: bounds under departures from parallel trends, and the specification curve."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from matplotlib.figure import Figure

from impact.drawing import COMPARISON, FOCUS, INK
from impact.evidence.language import Texts, number, significant
from impact.evidence.reading import interval, printed, value
from impact.evidence.record import Estimate, Evidence
from impact.evidence.svg import number_axis, round_ticks

__all__ = ["Drawn", "covariate_sets", "curve_points", "departures", "specifications"]

Drawn = Callable[[Figure, str, str, str], str]
"""From a figure with its name, title and text to its SVG, signed with the areas it is about."""

_WIDTH = 5.0


def departures(evidence: Evidence, say: Texts, sign: Drawn) -> str | None:
    """Intervals by bound, the estimate, and the breakdown value where the drawn bounds reach it."""
    shown, found = printed(evidence.primary), None if evidence.robust is None else evidence.robust.honest
    bounds = [(row.bound, row.low, row.high) for row in found.bounds] if found else []
    ends = [(bound, low, high) for bound, low, high in bounds if low is not None and high is not None]
    if found is None or shown is None or len(ends) < 2:
        return None
    figure = Figure(figsize=(_WIDTH, 3.3), layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(0, color=INK, linewidth=1.0, zorder=1)
    axes.axhline(shown.value, color=COMPARISON, linewidth=0.9, linestyle="--", zorder=1)
    for bound, low, high in ends:
        axes.vlines(bound, low, high, color=FOCUS, linewidth=2.4, zorder=2)
    number_axis(axes, min(0.0, *(low for _, low, _ in ends)), max(0.0, *(high for *_, high in ends)), say.language)
    last = ends[-1][0]
    if found.breakdown is not None and 0 < found.breakdown <= last:
        axes.axvline(found.breakdown, color=INK, linewidth=0.9, linestyle=":")
        axes.annotate(
            say("robust.draw.breakdown", value=significant(found.breakdown, say.language, 2)),
            (found.breakdown, 1),
            xycoords=axes.get_xaxis_transform(),
            xytext=(0, 3),
            textcoords="offset points",
            ha="left" if found.breakdown < last / 2 else "right",
            va="bottom",
            fontsize=8.5,
        )
    axes.set_xlim(-0.05 * last, 1.05 * last)
    axes.set_xticks([bound for bound, *_ in ends], [number(bound, say.language, 1) for bound, *_ in ends])
    axes.set_xlabel(textwrap.fill(say("robust.draw.bound_axis"), 60))
    axes.set_title(textwrap.fill(evidence.unit, 60), pad=18)
    text = say(
        "robust.draw.bound_text",
        unit=evidence.unit,
        list="; ".join(
            say(
                "robust.draw.bound_point",
                bound=number(bound, say.language, 1),
                low=number(low, say.language, shown.digits, sign=True),
                high=number(high, say.language, shown.digits, sign=True),
            )
            for bound, low, high in ends
        ),
    )
    return sign(figure, "departures", say("robust.draw.bound_title"), text)


def curve_points(evidence: Evidence, say: Texts) -> list[tuple[str, Estimate]]:
    """The estimate and the alternatives that estimate the same, by size; nothing without such alternatives."""
    same = [(variant.name, variant.estimate) for variant in evidence.alternatives if variant.same_estimand]
    same = [(name, estimate) for name, estimate in same if estimate.value is not None]
    if not same or evidence.primary.value is None or evidence.robust is None:
        return []
    return sorted([(say("robust.draw.own"), evidence.primary), *same], key=lambda row: row[1].value or 0.0)


def specifications(evidence: Evidence, say: Texts, sign: Drawn) -> str | None:
    """The specification curve: one line per calculation, the declared one filled."""
    points = curve_points(evidence, say)
    own = evidence.primary.value
    if not points or own is None:
        return None
    figure = Figure(figsize=(_WIDTH, 1.45 + 0.38 * len(points)), layout="constrained")
    axes = figure.add_subplot()
    reach = [0.0]
    for place, (_, estimate) in enumerate(points):
        declared = estimate is evidence.primary
        color, x = FOCUS if declared else COMPARISON, estimate.value or 0.0
        if estimate.low is not None and estimate.high is not None:
            axes.hlines(place, estimate.low, estimate.high, color=color, linewidth=1.6, zorder=2)
            reach += [estimate.low, estimate.high]
        reach.append(x)
        face = color if declared else "white"
        axes.plot(x, place, marker="o", markersize=6, markerfacecolor=face, markeredgecolor=color, zorder=3)
    axes.axvline(0, color=INK, linewidth=1.0, zorder=0)
    axes.axvline(own, color=FOCUS, linewidth=0.9, linestyle="--", zorder=0)
    room = 0.06 * (max(reach) - min(reach) or 1.0)
    low, high = min(reach) - room, max(reach) + room
    ticks, digits = round_ticks(low, high, 6)
    axes.set_xlim(low, high)
    axes.set_xticks(ticks, [number(tick, say.language, digits) for tick in ticks])
    axes.set_ylim(-0.6, len(points) - 0.4)
    axes.set_yticks(range(len(points)), [textwrap.fill(name, 26) for name, _ in points])
    for label, (_, estimate) in zip(axes.get_yticklabels(), points, strict=True):
        label.set_fontweight("bold" if estimate is evidence.primary else "normal")
    axes.set_xlabel(textwrap.fill(evidence.unit, 60))
    axes.spines["left"].set_visible(False)
    listed = "; ".join(f"{name}: {value(estimate, say)} ({interval(estimate, say)})" for name, estimate in points)
    text = say("robust.draw.curve_text", count=number(len(points), say.language, 0), unit=evidence.unit, list=listed)
    return sign(figure, "specifications", say("robust.draw.curve_title"), text)


def covariate_sets(evidence: Evidence, say: Texts, sign: Drawn) -> str | None:
    """The curve over sets of characteristics: one point a set, by size, with its interval."""
    found, shown = None if evidence.robust is None else evidence.robust.sets, printed(evidence.primary)
    if found is None or shown is None or len(found.each) < 2:
        return None
    figure = Figure(figsize=(_WIDTH, 3.0), layout="constrained")
    axes = figure.add_subplot()
    ends = [(row.low, row.value, row.high) for row in found.each]
    lines = [(x, low, high) for x, (low, _, high) in enumerate(ends) if low is not None and high is not None]
    if lines:
        axes.vlines(*zip(*lines, strict=True), color=COMPARISON, linewidth=min(2.0, 200 / len(ends)), alpha=0.5)
    axes.plot(range(len(ends)), [value for _, value, _ in ends], ".", color=FOCUS, markersize=3, zorder=3)
    axes.axhline(0, color=INK, linewidth=1.0, zorder=1)
    axes.axhline(shown.value, color=FOCUS, linewidth=0.9, linestyle="--", zorder=1)
    reach = [0.0, shown.value, *(x for row in ends for x in row if x is not None)]
    number_axis(axes, min(reach), max(reach), say.language)
    axes.set_xticks([])
    axes.set_title(textwrap.fill(evidence.unit, 60), pad=10)
    numbers = {
        name: number(getattr(found, name) or 0.0, say.language, shown.digits, sign=True)
        for name in ("low", "median", "high")
    }
    text = say("robust.sets.text", count=number(len(ends), say.language, 0), unit=evidence.unit, **numbers)
    return sign(figure, "covariate-sets", say("robust.sets.figure"), text)
