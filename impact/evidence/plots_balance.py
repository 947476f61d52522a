"""The love plot: standardised differences of every characteristic, before and after matching."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from impact.drawing import FOCUS, INK, SMALL, WIDTH
from impact.evidence.language import Texts, number, significant
from impact.evidence.marks import Sign, dot, extremes, row_height, rows_axis
from impact.evidence.record import BalanceRow, Evidence
from impact.evidence.svg import round_ticks

__all__ = ["balance"]


def balance(evidence: Evidence, say: Texts, sign: Sign) -> str | None:
    """Open points with all possible comparisons, closed ones with those that were chosen."""
    rows = evidence.balance
    if not rows:
        return None
    matching = any(row.smd_pool != row.smd_matched for row in rows)
    names = [row.label or row.name for row in rows]
    figure = Figure(figsize=(WIDTH, 1.6 + row_height(names) * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    for place, row in enumerate(rows):
        if row.smd_pool is None or row.smd_matched is None:
            # There is no yardstick for it, so there is no place for a dot.
            axes.annotate(say("draw.balance_apart"), (0, place), va="center", ha="center", fontsize=SMALL)
            continue
        if matching:
            axes.plot([row.smd_pool, row.smd_matched], [place, place], color="#98a1ab", linewidth=1.2, zorder=1)
            dot(axes, row.smd_matched, place, FOCUS, filled=True)
        dot(axes, row.smd_pool, place, FOCUS, filled=False)
    limit = next((check.threshold for check in evidence.checks if check.name == "balance"), None)
    extremes(axes, () if limit is None else (-limit, limit))
    if limit is not None:
        axes.annotate(
            say("draw.limit"),
            (limit, 1),
            xycoords=axes.get_xaxis_transform(),
            xytext=(0, 3),
            textcoords="offset points",
            ha="left",
            va="bottom",
            fontsize=SMALL,
        )
    axes.axvline(0, color=INK, linewidth=1.0, zorder=0)
    reach = (
        max([abs(x) for row in rows for x in (row.smd_pool, row.smd_matched) if x is not None] + [limit or 0.1]) * 1.12
    )
    axes.set_xlim(-reach, reach)
    ticks, digits = round_ticks(-reach, reach, 4)
    axes.set_xticks(ticks, [number(tick, say.language, digits) for tick in ticks])
    axes.set_xlabel(say("draw.balance_axis"))
    rows_axis(axes, names)
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
        figure.legend(handles=marks, loc="outside upper left", ncols=2, frameon=False, handletextpad=0.2)
    return sign(figure, "balance", say("draw.balance_title"), _text(evidence, limit, say, matching=matching))


def _text(evidence: Evidence, limit: float | None, say: Texts, *, matching: bool) -> str:
    """The largest difference, of which characteristic it is, and how many pass the limit."""
    largest = {
        key: number(max((abs(x) for x in values if x is not None), default=0.0), say.language, 2)
        for key, values in (
            ("pool", [row.smd_pool for row in evidence.balance]),
            ("matched", [row.smd_matched for row in evidence.balance]),
        )
    }
    known = [row for row in evidence.balance if row.smd_matched is not None]
    largest_row = max(known, key=_size, default=None)
    worst = "" if largest_row is None else say("figures.worst", name=largest_row.label or largest_row.name)
    edges = "" if limit is None else say("draw.balance_limit", limit=significant(limit, say.language))
    key = "draw.balance_text" if matching else "draw.balance_text_unmatched"
    pieces = [say(key, count=number(len(evidence.balance), say.language, 0), limit=f"{worst}{edges}", **largest)]
    if limit is not None:
        beyond = sum(_size(row) > limit for row in known)
        pieces.append(say("figures.beyond", count=number(beyond, say.language, 0)))
    apart = sum(row.smd_pool is None or row.smd_matched is None for row in evidence.balance)
    if apart:
        pieces.append(say("figures.apart_whole", count=number(apart, say.language, 0)))
    return " ".join(pieces)


def _size(row: BalanceRow) -> float:
    return abs(row.smd_matched or 0.0)
