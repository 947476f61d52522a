"""Forests: one row an outcome or an area, in the order that is given and never by size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from impact.drawing import FOCUS, SMALL, TEXT, WIDTH
from impact.evidence.family import Family, Member
from impact.evidence.language import Texts, decimals, number, percent_level
from impact.evidence.marks import Sign, dot, extremes, row_height, rows_axis, value_axis
from impact.evidence.reading import in_language, plain, with_unit
from impact.evidence.record import Evidence
from impact.evidence.svg import wrapped

__all__ = ["ForestRow", "families", "family_name", "forest", "forest_text"]


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One row: an estimate as it is printed, or in words why there is none.

    Attributes
    ----------
    name : str
    unit : str
    digits : int
        Decimals with which it is printed.
    value, low, high : float or None
        In the unit; without a value the row is named and has no mark, without ends the mark has no line.
    state : str
        In words, where there is no value.
    smallest : float or None
        The smallest difference that matters, in the unit.
    note : str
        What goes under the name, such as which direction is favourable.
    """

    name: str
    unit: str = ""
    digits: int = 1
    value: float | None = None
    low: float | None = None
    high: float | None = None
    state: str = ""
    smallest: float | None = None
    note: str = ""


def forest(
    rows: Sequence[ForestRow], name: str, title: str, intervals: str, say: Texts, sign: Sign, *, common: bool = False
) -> str | None:
    """The rows, those of one unit on one axis; None without any value.

    Parameters
    ----------
    rows : sequence of ForestRow
        In the order in which they are drawn.
    name, title : str
        Of the figure.
    intervals : str
        What the intervals are, in a sentence; under the axis and in the text.
    say, sign
        Texts, and what writes under the figure what it is about.
    common : bool
        Whether all are drawn in times their smallest difference that matters, which every row with a value then has.
    """
    if all(row.value is None for row in rows):
        return None
    if common and any(row.smallest is None for row in rows if row.value is not None):
        raise ValueError("a common axis needs the smallest difference that matters of every row with a value")
    valued = list(dict.fromkeys(row.unit for row in rows if row.value is not None))
    units = [""] if common else valued
    # A row whose unit has no number at all is named on the first axis: it has no mark that could be misread there.
    at = [0 if common or row.unit not in valued else valued.index(row.unit) for row in rows]
    parts = [[row for row, place in zip(rows, at, strict=True) if place == panel] for panel in range(len(units))]
    names = [[f"{row.name} ({row.note})" if row.note else row.name for row in part] for part in parts]
    heights = [0.25 + sum(row_height([one]) for one in part) for part in names]
    figure = Figure(figsize=(WIDTH, 1.0 + sum(heights) + 0.5 * len(parts)), layout="constrained")
    every = figure.subplots(len(parts), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axes, part, unit, named in zip(every, parts, units, names, strict=True):
        _panel(axes, part, say, common=common)
        rows_axis(axes, named)
        said = say("figures.in_smallest") if common else unit
        said = f"{said} ({say('figures.dashed')})" if _edge(part) is not None and not common else said
        axes.set_xlabel(wrapped(said, WIDTH - 1.7, TEXT))
    return sign(figure, name, title, f"{forest_text(rows, say)} {intervals}".rstrip())


def _panel(axes: Axes, rows: Sequence[ForestRow], say: Texts, *, common: bool) -> None:
    reach = [0.0]
    for place, row in enumerate(rows):
        if row.value is None:
            continue
        by = (row.smallest or 1.0) if common else 1.0
        if row.low is not None and row.high is not None:
            axes.hlines(place, row.low / by, row.high / by, color=FOCUS, linewidth=1.6, zorder=2)
            reach += [row.low / by, row.high / by]
        reach.append(row.value / by)
        dot(axes, row.value / by, place, FOCUS, filled=True)
    edge = 1.0 if common else _edge(rows)
    if edge is not None:
        extremes(axes, (-edge, edge))
        reach += [-edge, edge]
    value_axis(axes, reach, say.language, 5)
    for place, row in enumerate(rows):
        if row.value is None:
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
            at = axes.get_yaxis_transform()
            axes.text(0.03, place, row.state, transform=at, ha="left", va="center", fontsize=SMALL, bbox=box)


def _edge(rows: Sequence[ForestRow]) -> float | None:
    """The smallest difference that matters, where it is the same for all rows with a value."""
    matters = {row.smallest for row in rows if row.value is not None}
    return next(iter(matters)) if len(matters) == 1 else None


def forest_text(rows: Sequence[ForestRow], say: Texts) -> str:
    """Every row in words, with its numbers as they are printed; what is not given is named, and nothing is counted:
    rows are not to be added up."""
    units = {row.unit for row in rows if row.value is not None}
    shown = [_row_text(row, say, "" if len(units) == 1 else row.unit) for row in rows if row.value is not None]
    counts = {"count": number(len(rows), say.language, 0), "shown": number(len(shown), say.language, 0)}
    inside = say("figures.forest_unit", unit=units.pop()) if len(units) == 1 else ""
    said = [say("figures.forest_text", list="; ".join(shown), unit=inside, **counts)]
    absent = "; ".join(f"{row.name}: {row.state}" for row in rows if row.value is None)
    return " ".join([*said, *([say("figures.forest_absent", list=absent)] if absent else [])])


def _row_text(row: ForestRow, say: Texts, unit: str) -> str:
    written = with_unit(number(row.value or 0.0, say.language, row.digits, sign=True), unit)
    if row.low is None or row.high is None:
        return f"{row.name} {written}"
    low, high = (number(x, say.language, row.digits, sign=True) for x in (row.low, row.high))
    return f"{row.name} {written} ({say('format.interval', low=low, high=high)})"


# --- families of outcomes ---------------------------------------------------------------------------------------------


def families(evidence: Evidence, say: Texts, sign: Sign) -> dict[str, str | None]:
    """A forest for every family of outcomes, by the name of its figure."""
    return {
        family_name(place): forest(
            [_member(member, say) for member in family.members],
            family_name(place),
            say("figures.family_title", name=family.name),
            _intervals(family, say),
            say,
            sign,
        )
        for place, family in enumerate(evidence.families)
    }


def family_name(place: int) -> str:
    """Of the figure of the family in this place."""
    return "family" if place == 0 else f"family-{place + 1}"


def _member(member: Member, say: Texts) -> ForestRow:
    name = plain(in_language(member.outcome, say.language))
    if member.value is None:
        return ForestRow(name, member.unit, state=say(f"family.state.{member.state}"))
    digits = decimals(member.std_error, member.value)
    return ForestRow(name, member.unit, digits, member.value, member.low, member.high)


def _intervals(family: Family, say: Texts) -> str:
    if all(member.low is None for member in family.members):
        return say("figures.no_intervals")
    return say("figures.all_at_once", level=percent_level(1 - family.level, say.language))
