"""The areas beside each other, drawn towards their mean, in the order of the study: a table and its forest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from impact.evidence.disclosed import withheld
from impact.evidence.document import Block, Cell, Column, Figure, Paragraph, Table
from impact.evidence.language import Texts, decimals, number, percent_level
from impact.evidence.marks import Sign
from impact.evidence.plots_forest import ForestRow, forest
from impact.evidence.record import AreaRow, Evidence
from impact.evidence.single_areas import SingleAreas

__all__ = ["areas_forest", "areas_side_by_side"]


def areas_forest(evidence: Evidence, say: Texts, sign: Sign) -> str | None:
    """One row an area; nothing of a study without numbers of single areas."""
    found = _found(evidence)
    if found is None:
        return None
    rows = [_row(area, found, evidence, say) for area in evidence.areas]
    return forest(rows, "areas", say("figures.areas_title"), _level(found, say), say, sign)


def areas_side_by_side(evidence: Evidence, figures: Mapping[str, str], say: Texts) -> Iterator[Block]:
    """What the numbers are, with the forest and its table; or that they are not shown."""
    kept = None if evidence.robust is None else evidence.robust.areas
    if kept is not None and withheld(kept.refused):
        yield Paragraph((say("disclosure.made", part=say("disclosure.part.robust-areas")),))
    found = _found(evidence)
    if found is None:
        return
    yield Paragraph((say("figures.areas_intro"), _level(found, say), say("figures.areas_order")))
    heads = (
        Column(say("figures.areas_name")),
        Column(say("figures.areas_value"), number=True),
        Column(say("event.interval")),
    )
    cells = tuple(_cells(_row(area, found, evidence, say), say) for area in evidence.areas)
    caption = say("figures.areas_caption", unit=evidence.unit)
    table = Table(caption, heads, cells, folded="areas" in figures)
    yield Figure(say("figures.areas_title"), figures["areas"], table) if "areas" in figures else table


def _found(evidence: Evidence) -> SingleAreas | None:
    found = None if evidence.robust is None else evidence.robust.areas
    return found if found is not None and found.areas else None


def _row(area: AreaRow, found: SingleAreas, evidence: Evidence, say: Texts) -> ForestRow:
    own = found.of(area.slug)
    if own is None:
        return ForestRow(area.name, evidence.unit, state=say("figures.areas_out"), smallest=evidence.smallest)
    digits = decimals(own.std_error, own.value)
    return ForestRow(area.name, evidence.unit, digits, own.value, own.low, own.high, smallest=evidence.smallest)


def _cells(row: ForestRow, say: Texts) -> tuple[Cell, ...]:
    if row.value is None or row.low is None or row.high is None:
        return (row.name, row.state, "")
    value, low, high = (number(x, say.language, row.digits, sign=True) for x in (row.value, row.low, row.high))
    return (row.name, value, say("format.interval", low=low, high=high))


def _level(found: SingleAreas, say: Texts) -> str:
    return say("figures.areas_level", level=percent_level(found.level, say.language))
