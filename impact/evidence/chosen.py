"""What a choice of areas on a score may have done, as far as the time before the start shows it."""

from __future__ import annotations

from impact.evidence.comparison import count, fact_table
from impact.evidence.document import Block, Cell, Paragraph
from impact.evidence.language import Texts, listed, number, significant
from impact.evidence.reading import reason, with_unit
from impact.evidence.record import Evidence

__all__ = ["chosen"]


def chosen(evidence: Evidence, say: Texts) -> list[Block]:
    """Nothing for a study that names no waves on which its areas were chosen."""
    found = evidence.selection
    if found is None:
        return []
    facts: list[tuple[Cell, Cell]] = [(say("selection.waves"), listed(found.waves, say.language))]
    if found.reliability is not None and found.low is not None and found.high is not None:
        share, low, high = (number(x, say.language, 2) for x in (found.reliability, found.low, found.high))
        facts.append((say("selection.reliability"), say("selection.share", share=share, low=low, high=high)))
        facts.append((say("selection.units"), count(found.units, say)))
    if found.dates:
        facts.append((say("selection.dates"), listed(found.dates, say.language)))
    for name, value in (("unmatched", found.unmatched), ("matched", found.matched)):
        if value is not None:
            shown = number(value, say.language, 3, sign=True) if abs(value) < 1 else significant(value, say.language)
            facts.append((say(f"selection.{name}"), with_unit(shown, "" if _relative(evidence) else evidence.unit)))
    for refused in found.refused:
        what, because, _ = reason(refused, evidence, say)
        facts.append((what, because))
    return [Paragraph((say("selection.intro"),)), fact_table(say("selection.caption"), tuple(facts), say)]


def _relative(evidence: Evidence) -> bool:
    """Whether the outcome is relative to the own mean, while the score is as it is measured."""
    return evidence.unit.startswith("%")
