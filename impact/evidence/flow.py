"""From all units to the donor pool, as a CONSORT flow: what every step removes and what is left, drawn and in words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from impact.design.donors import Pool, Step
from impact.drawing import COMPARISON, FOCUS, INK, SMALL, TEXT, WIDTH, look
from impact.evidence.language import Texts, listed, number, texts
from impact.evidence.record import FlowStep
from impact.evidence.svg import lines, rendered

__all__ = ["flow_svg", "flow_text", "steps_of"]

_SPINE, _SIDE, _COUNT = 0.66, 0.88, 0.74  # where the line runs, where side boxes begin, room for the number in them
_LINE, _PAD, _GAP = 0.17, 0.075, 0.13  # height of a line of text, room inside a box, room between boxes


def steps_of(pool: Pool, say: Texts) -> tuple[FlowStep, ...]:
    """The steps of a pool in words; a step that the texts do not know is named by its code."""

    def why(step: Step) -> str:
        return say.own(step.why) or (pool.name if step.code == "outside-pool" else "")

    return tuple(
        FlowStep(say.known(f"pool.step.{step.code}", step.code), why(step), step.removed, step.left)
        for step in pool.steps
    )


def flow_svg(
    steps: Sequence[FlowStep],
    compared: int | None = None,
    language: str = "nl",
    name: str = "flow",
    about: tuple[str, str] = ("", ""),
) -> str:
    """The flow as SVG with its alternative text.

    Parameters
    ----------
    steps : sequence of FlowStep
        The first is about all units; every other one removes some of them, or none.
    compared : int, optional
        Units of the pool that have a weight in the comparison, where it weights or matches them.
    language : str
        Of the texts of the drawing; the steps are in their own.
    name : str
        With which the ids in the drawing begin; figures of several pools on one page need names of their own.
    about : (str, str)
        What stands under the drawing, and what its alternative text ends with.

    Raises
    ------
    ValueError
        There is no step, or the counts do not add up.
    """
    _add_up(steps)
    say = texts(language)
    foot, more = about
    text = f"{flow_text(steps, compared, say)} {more}".rstrip()
    with look():
        return rendered(_drawn(steps, compared, say, foot), name, say("pool.title"), text)


def flow_text(steps: Sequence[FlowStep], compared: int | None, say: Texts) -> str:
    """The flow in words: how many there were, what every step removed, and how many are left."""

    def count(x: int) -> str:
        return number(x, say.language, 0)

    removing = [step for step in steps[1:] if step.removed]
    idle = len(steps) - 1 - len(removing)
    said = [say("pool.text", all=count(steps[0].left), left=count(steps[-1].left))]
    if removing:
        gone = listed((f"{count(step.removed)} ({step.step})" for step in removing), say.language)
        said.append(say("pool.text_removed", steps=gone))
    if idle:
        said.append(say("pool.text_idle" if idle > 1 else "pool.text_idle_one", count=count(idle)))
    if compared is not None:
        said.append(say("pool.text_compared", compared=count(compared)))
    return " ".join(said)


def _add_up(steps: Sequence[FlowStep]) -> None:
    if not steps:
        raise ValueError("a flow has at least the step of all units")
    for before, after in pairwise(steps):
        if before.left - after.removed != after.left or after.removed < 0:
            raise ValueError(f"{before.left} less {after.removed} is not {after.left} ({after.step})")


def _drawn(steps: Sequence[FlowStep], compared: int | None, say: Texts, foot: str = "") -> Figure:
    """Boxes under each other; heights are in inches, downwards."""
    sides = [_wrapped(step) for step in steps[1:]]
    ends = [(say("pool.left"), steps[-1].left)]
    if compared is not None:
        ends.append((say("pool.compared"), compared))
    single = _LINE + 2 * _PAD
    height = single * (1 + len(ends)) + sum(_height(*side) + 2 * _GAP for side in sides) + _GAP * (1 + len(ends))
    height += _LINE * len(foot.splitlines()) + _PAD
    figure = Figure(figsize=(WIDTH, height))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(height, 0)
    axes.set_axis_off()
    y = top = _end(axes, 0.02, steps[0].step, steps[0].left, say)
    for step, (what, why) in zip(steps[1:], sides, strict=True):
        y = _side(axes, y, step, what, why, say)
        if step.removed and step is not steps[-1]:
            left = number(step.left, say.language, 0)
            axes.text(_SPINE - 0.09, y, left, ha="right", va="center", fontsize=TEXT)
    axes.plot([_SPINE, _SPINE], [top, y + _GAP / 2], color=INK, linewidth=1.0)
    for text, count in ends:
        _arrow(axes, (_SPINE, y), (_SPINE, y + _GAP))
        y = _end(axes, y + _GAP, text, count, say)
    axes.text(0.02, y + _PAD, foot, ha="left", va="top", fontsize=SMALL)
    return figure


def _wrapped(step: FlowStep) -> tuple[list[str], list[str]]:
    """The words of a step over as few lines as fit beside the count in a side box."""
    room = WIDTH - 0.02 - _SIDE - _COUNT - 3 * _PAD
    return lines(step.step, room, TEXT), lines(step.reason, room, SMALL)


def _height(what: Sequence[str], why: Sequence[str]) -> float:
    return _LINE * (len(what) + len(why)) + 2 * _PAD


def _end(axes: Axes, y: float, text: str, left: int, say: Texts) -> float:
    """A box over the whole width, for where the flow begins or ends; returns where it ends."""
    height = _LINE + 2 * _PAD
    axes.add_patch(Rectangle((0.02, y), WIDTH - 0.04, height, facecolor="white", edgecolor=FOCUS, linewidth=1.3))
    middle = y + height / 2
    count = number(left, say.language, 0)
    axes.text(_SPINE, middle, count, ha="center", va="center", fontsize=TEXT, fontweight="bold")
    axes.text(_SIDE + _PAD, middle, text, ha="left", va="center", fontsize=TEXT)
    return y + height


def _side(axes: Axes, y: float, step: FlowStep, what: Sequence[str], why: Sequence[str], say: Texts) -> float:
    """What one step removes, beside the line; returns where the next one begins."""
    height = _height(what, why)
    top, end = y + _GAP, y + height + 2 * _GAP
    middle = top + height / 2
    ink = INK if step.removed else COMPARISON
    style = "-" if step.removed else ":"
    axes.add_patch(
        Rectangle(
            (_SIDE, top),
            WIDTH - 0.02 - _SIDE,
            height,
            facecolor="white",
            edgecolor=ink,
            linewidth=0.9,
            linestyle=style,
        )
    )
    if step.removed:
        _arrow(axes, (_SPINE, middle), (_SIDE, middle))
    gone = number(-step.removed, say.language, 0) if step.removed else number(0, say.language, 0)
    axes.text(_SIDE + _COUNT - _PAD, middle, gone, ha="right", va="center", fontsize=TEXT, color=ink)
    at = top + _PAD + _LINE / 2
    for row, line in enumerate((*what, *why)):
        small = row >= len(what)
        axes.text(
            _SIDE + _COUNT + _PAD,
            at + row * _LINE,
            line,
            ha="left",
            va="center",
            fontsize=SMALL if small else TEXT,
            color=COMPARISON if small else ink,
        )
    return end


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate(
        "",
        xy=end,
        xytext=start,
        arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1.0, "shrinkA": 0, "shrinkB": 0},
    )
