"""The estimate with every set of characteristics, in a report: how it falls out, and the curve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from impact.evidence.comparison import columns, count
from impact.evidence.disclosed import withheld
from impact.evidence.document import Block, Figure, Paragraph, Table
from impact.evidence.language import Texts, listed, number
from impact.evidence.reading import printed, reason
from impact.evidence.record import Evidence
from impact.evidence.sets import CovariateSets

__all__ = ["sets"]


def sets(found: CovariateSets | None, evidence: Evidence, figures: Mapping[str, str], say: Texts) -> Iterator[Block]:
    """Nothing in a study that does not ask."""
    shown = printed(evidence.primary)
    if found is None or shown is None:
        return
    if found.refused is not None:
        if withheld(found.refused):
            yield Paragraph((say("disclosure.made", part=say("disclosure.part.robust-sets")),))
        else:
            yield Paragraph((say("robust.sets.not"), reason(found.refused, evidence, say)[1]))
        return
    numbers = {
        name: say("robust.nothing") if x is None else number(x, say.language, shown.digits, sign=True)
        for name, x in (("plain", found.plain), ("low", found.low), ("median", found.median), ("high", found.high))
    }
    counts = {name: count(getattr(found, name), say) for name in ("count", "positive", "negative")}
    pieces = [say("robust.sets.says", columns=listed(found.columns, say.language), **counts, **numbers)]
    if found.apart is not None:
        pieces.append(say("robust.sets.apart", apart=count(found.apart, say)))
    if found.count + found.without < found.possible:
        pieces.append(say("robust.sets.drawn", possible=count(found.possible, say)))
    if found.without:
        pieces.append(say("robust.sets.without", count=count(found.without, say)))
    yield Paragraph((*pieces, say("robust.sets.beside")))
    if "covariate-sets" in figures:
        table = Table(
            say("robust.sets.caption", unit=evidence.unit),
            columns("robust.sets", "name value", "value", say),
            tuple((say(f"robust.sets.{name}"), x) for name, x in numbers.items()),
            folded=True,
        )
        yield Figure(say("robust.sets.figure"), figures["covariate-sets"], table)
