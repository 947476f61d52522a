"""Who lives in the areas, in a report: what is new there and in the comparison, and the estimate in three parts."""

from __future__ import annotations

from collections.abc import Iterator

from impact.errors import Refused
from impact.evidence.comparison import columns
from impact.evidence.composition import Composition, People, Portion, Share
from impact.evidence.disclosed import withheld
from impact.evidence.document import Block, Cell, Paragraph, Table
from impact.evidence.language import Texts, number, significant
from impact.evidence.reading import printed, reason, size
from impact.evidence.record import Evidence

__all__ = ["composed"]


def composed(found: Composition | None, evidence: Evidence, say: Texts) -> Iterator[Block]:
    """Nothing in a study that does not ask."""
    if found is None:
        return
    given = [row for row in found.shares if row.refused is None]
    if given:
        yield Paragraph((say("robust.composition.intro"),))
        yield Table(
            say("robust.composition.caption"),
            columns(
                "robust.composition",
                "name focus_before focus_after comparison_before comparison_after difference",
                "focus_before focus_after comparison_before comparison_after difference",
                say,
            ),
            tuple(_row(row, say) for row in given),
            say("robust.composition.note", limit=significant(100 * found.at_most, say.language)),
        )
    for row in found.shares:
        if row.refused is not None:
            yield Paragraph(_not(f"{row.what}", "composition", row.refused, evidence, say))
    if found.people is not None:
        yield from _people(found.people, evidence, say)


def _not(key: str, part: str, refused: Refused, evidence: Evidence, say: Texts) -> tuple[Cell, ...]:
    if withheld(refused):
        return (say("disclosure.made", part=say(f"disclosure.part.robust-{part}")),)
    return say(f"robust.composition.not.{key}"), reason(refused, evidence, say)[1]


def _percent(x: float | None, say: Texts) -> str:
    return say("robust.nothing") if x is None else say("format.percent", number=number(x, say.language, 1))


def _row(row: Share, say: Texts) -> tuple[Cell, ...]:
    key = f"{row.what}-since" if row.since else row.what
    shares = (row.focus_before, row.focus_after, row.comparison_before, row.comparison_after)
    apart = "" if row.difference is None else number(row.difference, say.language, 1, sign=True)
    return (say(f"robust.composition.of.{key}", since=row.since), *(_percent(share, say) for share in shares), apart)


def _people(found: People, evidence: Evidence, say: Texts) -> Iterator[Block]:
    if found.refused is not None:
        yield Paragraph(_not("people", "people", found.refused, evidence, say))
        return
    shown = printed(evidence.primary)
    if shown is None or found.stayers is None or found.arrivers is None or found.leavers is None:
        return
    digits, parts = shown.digits, {"stayers": found.stayers, "arrivers": found.arrivers, "leavers": found.leavers}
    rows: list[tuple[Cell, ...]] = [
        (say(f"robust.composition.people.{name}"), *_portion(part, digits, say)) for name, part in parts.items()
    ]
    if found.rest is not None and round(found.rest, digits) != 0:
        rows.append((say("robust.composition.people.rest"), *_portion(Portion(found.rest), digits, say)))
    said = {name: size(round(part.value, digits), digits, say, evidence.unit) for name, part in parts.items()}
    yield Paragraph((say("robust.composition.people.says", since=found.since, **said),))
    yield Table(
        say("robust.composition.people.caption", unit=evidence.unit),
        columns("robust.composition.people", "name value interval", "value", say),
        tuple(rows),
        say("robust.composition.people.note"),
    )


def _portion(part: Portion, digits: int, say: Texts) -> tuple[Cell, Cell]:
    value = number(part.value, say.language, digits, sign=True)
    if part.low is None or part.high is None:
        return value, say("robust.nothing")
    low, high = (number(x, say.language, digits, sign=True) for x in (part.low, part.high))
    return value, say("robust.range", low=low, high=high)
