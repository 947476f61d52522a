"""Looks in a report: which one this is, what it may spend, what earlier looks found, and what was revised since."""

from __future__ import annotations

from collections.abc import Iterator

from impact.evidence.comparison import columns, count
from impact.evidence.document import Block, Cell, Paragraph, Table
from impact.evidence.language import Texts, decimals, number, percent_level
from impact.evidence.look import Look, Taken
from impact.evidence.reading import with_unit
from impact.evidence.record import Evidence

__all__ = ["looked", "looks"]


def looked(look: Look | None, say: Texts) -> str:
    """Which look this is, to stand beside the status; "" for a study that plans none."""
    if look is None:
        return ""
    if not look.label:
        return say("look.unplanned", number=count(look.number, say))
    return say("look.which", number=count(look.number, say), planned=count(look.planned, say))


def looks(evidence: Evidence, say: Texts) -> list[Block]:
    """The account of this look and those before; nothing for a study that plans none."""
    look = evidence.look
    if look is None:
        return []
    blocks: list[Block] = [Paragraph(tuple(_spending(look, say)))]
    if look.before:
        rows = [_taken(one, evidence, say) for one in look.before]
        primary = evidence.primary
        now = Taken(
            look.number,
            look.label,
            look.until,
            look.fraction,
            look.critical,
            look.nominal,
            look.spent,
            primary.value,
            primary.low,
            primary.high,
        )
        heads = columns("look.column", "number until value interval spent", "number spent", say)
        rows.append(_taken(now, evidence, say))
        blocks.append(Table(say("look.caption"), heads, tuple(rows), say("look.note")))
    if look.revised:
        digits = decimals(evidence.primary.std_error, evidence.primary.value)
        revised = tuple(
            (
                row.period,
                say(f"look.group.{row.group}"),
                count(row.look, say),
                number(row.was, say.language, digits + 1),
                number(row.now, say.language, digits + 1),
            )
            for row in look.revised
        )
        heads = columns("look.revised", "period group look was now", "look was now", say)
        blocks.append(Table(say("look.revised.caption"), heads, revised, say("look.revised.note")))
    return blocks


def _spending(look: Look, say: Texts) -> Iterator[str]:
    alpha = _percent(look.alpha, say)
    if not look.label:
        yield say("look.exploratory", number=count(look.number, say), planned=count(look.planned, say))
        return
    yield say("look.plan", planned=count(look.planned, say), alpha=alpha, how=say(f"look.how.{look.spending}"))
    if not look.fresh:
        yield say("look.stale", until=look.until)
    spent = _percent(look.spent, say)
    yield say("look.spent", spent=spent, so_far=_percent(look.spent_so_far, say), alpha=alpha)
    if look.fresh:
        yield say("look.joint" if look.joint else "look.split")


def _taken(look: Taken, evidence: Evidence, say: Texts) -> tuple[Cell, ...]:
    if look.value is None:
        value, interval = say("words.not_given"), say("words.not_given")
    else:
        error = None if look.low is None or look.high is None else (look.high - look.low) / 4
        digits = decimals(error, look.value)
        value = with_unit(number(look.value, say.language, digits, sign=True), evidence.unit)
        interval = say("words.not_given")
        if look.low is not None and look.high is not None:
            low, high = (number(x, say.language, digits, sign=True) for x in (look.low, look.high))
            level = percent_level(1 - look.nominal, say.language)
            interval = say("look.interval", low=low, high=high, level=level)
    label = f"{count(look.number, say)} ({look.label})" if look.label else count(look.number, say)
    return (label, look.until, value, interval, _percent(look.spent, say))


def _percent(share: float, say: Texts) -> str:
    """A share with two digits of its own; below 1 in 10,000 that it is below that."""
    if 0 < share < 1e-4:
        return say("format.percent", number=say("format.under", bound=number(0.01, say.language, 2)))
    places = decimals(None, 100 * share) if share > 0 else 0
    return say("format.percent", number=number(100 * share, say.language, places))
