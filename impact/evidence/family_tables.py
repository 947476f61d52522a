"""Families of outcomes in a report: p-values and intervals that hold together, and all indicators of the programme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from impact.evidence.comparison import columns, count
from impact.evidence.document import Block, Cell, Column, Figure, Foreign, Paragraph, Table
from impact.evidence.family import Family, Index, Listed, Member
from impact.evidence.language import Texts, decimals, number, p_value
from impact.evidence.plots_forest import family_name
from impact.evidence.reading import in_language, with_unit
from impact.evidence.refusals import translated

__all__ = ["families"]

_NONE: Mapping[str, str] = MappingProxyType({})


def families(
    found: Sequence[Family], listed: Sequence[Listed], say: Texts, figures: Mapping[str, str] = _NONE
) -> list[Block]:
    """A table for every family, one of its periods, and the list of all indicators."""
    blocks: list[Block] = []
    for place, family in enumerate(found):
        level = _percent(family.level, say)
        method = say(f"family.methods.{family.method}")
        caption = say("family.caption", name=family.name)
        table = _table(family, family.members, caption, say(f"family.note.{_kind(family)}", level=level), say)
        svg = figures.get(family_name(place))
        blocks.append(table if svg is None else Figure(say("figures.family_title", name=family.name), svg, table))
        blocks.append(Paragraph((say("family.method", method=method), *_drawn(family, say), *_counted(family, say))))
        if family.index is not None:
            blocks.append(Paragraph(_index(family.index, say)))
        if family.horizons:
            caption = say("family.horizons", name=family.name)
            blocks.append(_table(family, family.horizons, caption, say("family.apart"), say, folded=True))
    if listed:
        rows = tuple(_listed(row, say) for row in listed)
        heads = columns("family.listed", "number name state why", "number", say)
        blocks.append(Table(say("family.listed.caption"), heads, rows, say("family.listed.note")))
    return blocks


def _index(found: Index, say: Texts) -> tuple[Cell, ...]:
    """The family as one outcome, in sentences."""
    if found.value is None:
        known = None if found.refused is None else translated(found.refused, say)
        why: Cell = "" if found.refused is None else Foreign(found.refused.because, "en")
        return say("family.index.none"), known[1] if known else why
    digits = decimals(found.std_error, found.value)
    shown = number(found.value, say.language, digits, sign=True)
    ends = ""
    if found.low is not None and found.high is not None:
        low, high = (number(x, say.language, digits, sign=True) for x in (found.low, found.high))
        ends = say("family.index.interval", level=_percent(found.level, say), low=low, high=high)
    p = "" if found.p_value is None else say("family.index.p", p=p_value(found.p_value, say.language))
    weights = "; ".join(f"{name} {number(weight, say.language, 2)}" for name, weight in found.weights)
    return (
        say("family.index.value", value=shown),
        *(text for text in (ends, p) if text),
        say(f"family.index.{found.weighing}", weights=weights),
        say("family.index.beside"),
    )


def _kind(family: Family) -> str:
    return "share" if family.method.startswith("benjamini") else "any"


def _percent(share: float, say: Texts) -> str:
    digits = 0 if round(100 * share, 9) == round(100 * share) else 1
    return say("format.percent", number=number(100 * share, say.language, digits))


def _table(
    family: Family, members: Sequence[Member], caption: str, note: str, say: Texts, *, folded: bool = False
) -> Table:
    names = "outcome term value p_value adjusted" if folded else "outcome value p_value adjusted"
    right = "term value p_value adjusted"
    with_interval = any(member.low is not None for member in members)
    heads = columns("family.column", names, right, say)
    if with_interval:
        heads = (*heads, Column(say("family.column.interval", level=_percent(1 - family.level, say))))
    rows = []
    for member in members:
        cells: list[Cell] = [in_language(member.outcome, say.language)]
        if folded:
            cells.append(member.term)
        cells += _numbers(member, family, say)
        rows.append(tuple([*cells, *([_interval(member, say)] if with_interval else [])]))
    return Table(caption, heads, tuple(rows), note, folded=folded)


def _numbers(member: Member, family: Family, say: Texts) -> list[Cell]:
    state = say(f"family.state.{member.state}")
    if member.value is None:
        return [state, "", ""]
    digits = decimals(member.std_error, member.value)
    shown = with_unit(number(member.value, say.language, digits, sign=True), member.unit)
    if member.p_value is None:
        return [shown, state, ""]
    if member.adjusted is None:
        return [shown, p_value(member.p_value, say.language), say("family.uncorrected")]
    draws = family.draws if family.draws and member.adjusted != member.p_value else None
    return [shown, p_value(member.p_value, say.language), p_value(member.adjusted, say.language, draws)]


def _interval(member: Member, say: Texts) -> str:
    if member.low is None or member.high is None:
        return ""
    digits = decimals(member.std_error, member.value)
    low, high = (number(x, say.language, digits, sign=True) for x in (member.low, member.high))
    return say("format.interval", low=low, high=high)


def _drawn(family: Family, say: Texts) -> list[str]:
    tested = any(member.adjusted is not None for member in family.members)
    return [say("family.drawn", count=count(family.draws, say))] if family.draws and tested else []


def _counted(family: Family, say: Texts) -> list[str]:
    tested = sum(member.adjusted is not None for member in family.members)
    if not tested:
        return [say("answer.untested")]
    counts = {"found": count(family.found, say), "tested": count(tested, say), "level": _percent(family.level, say)}
    said = [say("family.found", **counts)]
    if family.separate < family.found:
        said.append(say("family.separate", count=count(family.separate, say)))
    return said


def _listed(row: Listed, say: Texts) -> tuple[Cell, ...]:
    place = "–" if row.number is None else count(row.number, say)
    return (place, in_language(row.outcome, say.language), say(f"family.listed.is.{row.state}"), row.why)
