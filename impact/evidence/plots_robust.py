"""Figures of what an estimate can bear: bounds under departures from parallel trends, and the specification curve."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from impact.drawing import COMPARISON, FOCUS, INK, SMALL, TEXT, WIDTH
from impact.evidence.language import Texts, number, significant
from impact.evidence.marks import Sign, dot, headed, legend, one_sided, row_height, rows_axis, value_axis
from impact.evidence.reading import interval, printed, value
from impact.evidence.record import Estimate, Evidence
from impact.evidence.robust import Honest
from impact.evidence.svg import number_axis, wrapped

__all__ = ["breakdown", "covariate_sets", "curve_points", "departures", "specifications"]


def departures(evidence: Evidence, say: Texts, sign: Sign) -> str | None:
    """Intervals by bound, the estimate, and the breakdown value where the drawn bounds reach it."""
    shown, found = printed(evidence.primary), None if evidence.robust is None else evidence.robust.honest
    bounds = [(row.bound, row.low, row.high) for row in found.bounds] if found else []
    ends = [(bound, low, high) for bound, low, high in bounds if low is not None and high is not None]
    if found is None or shown is None or len(ends) < 2:
        return None
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.axhline(0, color=INK, linewidth=1.0, zorder=1)
    axes.axhline(shown.value, color=COMPARISON, linewidth=0.9, linestyle="--", zorder=1)
    for bound, low, high in ends:
        axes.vlines(bound, low, high, color=FOCUS, linewidth=2.4, zorder=2)
        axes.plot([bound, bound], [low, high], linestyle="", marker="_", markersize=8, color=FOCUS, zorder=2)
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
            fontsize=SMALL,
        )
    axes.set_xlim(-0.05 * last, 1.05 * last)
    axes.set_xticks([bound for bound, *_ in ends], [number(bound, say.language, 1) for bound, *_ in ends])
    axes.set_xlabel(wrapped(say("robust.draw.bound_axis"), WIDTH - 0.7, TEXT))
    headed(axes, evidence.unit)
    legend(figure, [Line2D([], [], color=COMPARISON, linewidth=0.9, linestyle="--", label=say("robust.draw.own"))])
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
    text = f"{text} {breakdown(found, say)}"
    return sign(figure, "departures", say("robust.draw.bound_title"), text)


def breakdown(found: Honest, say: Texts) -> str:
    """From which departure on the interval holds 0, in a sentence."""
    if found.unbroken or found.breakdown is None:
        return say("robust.honest.unbroken")
    if found.breakdown == 0:
        return say("robust.honest.nought")
    return say("robust.honest.breakdown", value=significant(found.breakdown, say.language, 2))


def curve_points(evidence: Evidence, say: Texts) -> list[tuple[str, Estimate]]:
    """The estimate and the alternatives that estimate the same, by size; nothing without such alternatives."""
    same = [(variant.name, variant.estimate) for variant in evidence.alternatives if variant.same_estimand]
    same = [(name, estimate) for name, estimate in same if estimate.value is not None]
    if not same or evidence.primary.value is None or evidence.robust is None:
        return []
    return sorted([(say("robust.draw.own"), evidence.primary), *same], key=lambda row: row[1].value or 0.0)


def specifications(evidence: Evidence, say: Texts, sign: Sign) -> str | None:
    """The specification curve: one line per calculation, the declared one filled."""
    points = curve_points(evidence, say)
    own = evidence.primary.value
    if not points or own is None:
        return None
    names = [name for name, _ in points]
    figure = Figure(figsize=(WIDTH, 1.5 + row_height(names) * len(points)), layout="constrained")
    axes = figure.add_subplot()
    reach = [0.0]
    for place, (_, estimate) in enumerate(points):
        declared = estimate is evidence.primary
        color, x = FOCUS if declared else COMPARISON, estimate.value or 0.0
        if estimate.low is not None and estimate.high is not None:
            axes.hlines(place, estimate.low, estimate.high, color=color, linewidth=2.4 if declared else 1.4, zorder=2)
            reach += [estimate.low, estimate.high]
        reach.append(x)
        dot(axes, x, place, color, filled=declared, marker="D" if declared else "o")
    axes.axvline(own, color=FOCUS, linewidth=0.9, linestyle="--", zorder=0)
    value_axis(axes, reach, say.language)
    rows_axis(axes, names, next(place for place, row in enumerate(points) if row[1] is evidence.primary))
    axes.set_xlabel(wrapped(evidence.unit, WIDTH - 1.7, TEXT))
    listed = "; ".join(f"{name}: {value(estimate, say)} ({interval(estimate, say)})" for name, estimate in points)
    text = say("robust.draw.curve_text", count=number(len(points), say.language, 0), unit=evidence.unit, list=listed)
    return sign(
        figure, "specifications", say("robust.draw.curve_title"), " ".join([text, *_alike(evidence, points, say)])
    )


def _alike(evidence: Evidence, points: list[tuple[str, Estimate]], say: Texts) -> list[str]:
    """How many of the others have the sign of the estimate, and how many intervals lie on one side of 0."""
    own = printed(evidence.primary)
    others = [printed(estimate) for _, estimate in points if estimate is not evidence.primary]
    same = sum(own is not None and other is not None and other.value * own.value > 0 for other in others)
    ends = [(found.low, found.high) for found in (own, *others) if found is not None]
    known = [(low, high) for low, high in ends if low is not None and high is not None]
    counts = {"same": number(same, say.language, 0), "others": number(len(others), say.language, 0)}
    return [say("figures.alike", **counts), *one_sided(known, say)]


def covariate_sets(evidence: Evidence, say: Texts, sign: Sign) -> str | None:
    """The curve over sets of characteristics: one point a set, by size, with its interval."""
    found, shown = None if evidence.robust is None else evidence.robust.sets, printed(evidence.primary)
    if found is None or shown is None or len(found.each) < 2:
        return None
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
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
    headed(axes, evidence.unit, 10)
    legend(figure, [Line2D([], [], color=FOCUS, linewidth=0.9, linestyle="--", label=say("robust.draw.own"))])
    axes.set_xlabel(say("figures.by_size"))
    numbers = {
        name: number(getattr(found, name) or 0.0, say.language, shown.digits, sign=True)
        for name in ("low", "median", "high")
    }
    text = say("robust.sets.text", count=number(len(ends), say.language, 0), unit=evidence.unit, **numbers)
    return sign(figure, "covariate-sets", say("robust.sets.figure"), text)
