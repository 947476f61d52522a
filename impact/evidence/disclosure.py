"""The list of what was decided of every table and figure, for who checks output, and what a report says of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import cast

from impact.disclosure.profile import worst
from impact.evidence.comparison import columns
from impact.evidence.disclosed import Disclosed, Mark
from impact.evidence.document import Block, Cell, Document, Figure, Paragraph, Section, Table
from impact.evidence.language import Texts, number
from impact.evidence.reading import in_language
from impact.evidence.record import Evidence

__all__ = ["disclosure", "footnoted", "listing"]


def disclosure(evidence: Evidence, say: Texts) -> list[Block]:
    """What is not shown in a report and what a person must judge; nothing where disclosure was not looked at."""
    found = evidence.disclosed
    if found is None:
        return []
    if not found.asks:
        return [Paragraph((say("disclosure.public"),))]
    blocks: list[Block] = [Paragraph(tuple(_said(found, say)))]
    blocks.append(_summary(found, say))
    marks = [mark for mark in found.marks if mark.verdict != "pass" and mark.cell]
    if marks:
        blocks.append(_cells(marks, say("disclosure.not_shown"), say))
    return blocks


def listing(outcomes: Sequence[Evidence], say: Texts) -> Document:
    """One page with every decision, outcome by outcome."""
    first = outcomes[0]
    found = first.disclosed
    warning = None
    if found is not None and found.verify:
        warning = (say("disclosure.verify", who=found.verify), say("disclosure.verify_why", who=found.verify))
    sections = []
    for evidence in outcomes:
        if evidence.disclosed is not None:
            blocks = [_summary(evidence.disclosed, say), _cells(evidence.disclosed.marks, say("disclosure.all"), say)]
            title = in_language(evidence.outcome, say.language)
            sections.append(Section(evidence.indicator, title if isinstance(title, str) else title.text, tuple(blocks)))
    said = () if found is None else tuple(_said(found, say)) if found.asks else (say("disclosure.public"),)
    opening = Section("resultaat", say("disclosure.title"), (Paragraph(said), *_thresholds(found, say)))
    return Document(
        say.language,
        in_language(first.title, say.language),
        say("disclosure.question"),
        say("disclosure.status", profile="" if found is None else found.profile),
        (),
        warning,
        opening,
        (),
        tuple(sections),
    )


def footnoted(sections: Iterable[Section], say: Texts) -> tuple[Section, ...]:
    """Under every table in which a number is not shown, why that is."""
    mark, note = say("words.withheld"), say("disclosure.footnote")

    def noted(block: Block) -> Block:
        if isinstance(block, Table):
            cells = [cell for row in (*block.rows, *((block.total,) if block.total else ())) for cell in row]
            hit = any(isinstance(cell, str) and cell.startswith(mark) for cell in cells)
            return replace(block, note=" ".join(filter(None, [block.note, note]))) if hit else block
        if isinstance(block, Figure):
            return replace(block, table=cast("Table", noted(block.table)))
        return block

    return tuple(replace(section, blocks=tuple(map(noted, section.blocks))) for section in sections)


def _said(found: Disclosed, say: Texts) -> Iterable[str]:
    yield say("disclosure.held", profile=found.profile)
    if found.verify:
        yield say("disclosure.verify", who=found.verify)


def _thresholds(found: Disclosed | None, say: Texts) -> tuple[Table, ...]:
    if found is None or not found.thresholds:
        return ()
    rows = tuple((say.known(f"disclosure.threshold.{name}", name), value) for name, value in found.thresholds)
    return (Table(say("disclosure.thresholds"), columns("disclosure", "rule_column threshold_column", "", say), rows),)


def _summary(found: Disclosed, say: Texts) -> Table:
    """One row a table or figure: the worst that was decided of anything in it."""
    parts: dict[str, list[Mark]] = {}
    for mark in found.marks:
        parts.setdefault(mark.part, []).append(mark)
    rows = []
    for part, marks in parts.items():
        verdict = worst([mark.verdict for mark in marks])
        decided = [mark.rule for mark in marks if mark.verdict == verdict]
        gone = sum(mark.verdict == "suppressed" for mark in marks)
        rules = dict.fromkeys(_rule(rule, say) for rule in decided)
        count = say("disclosure.of", count=number(gone, say.language, 0), total=number(len(marks), say.language, 0))
        rows.append((_part(part, say), say(f"disclosure.verdict.{verdict.replace(' ', '-')}"), "; ".join(rules), count))
    heads = columns("disclosure", "part_column verdict_column rule_column gone_column", "", say)
    return Table(say("disclosure.summary"), heads, tuple(rows))


def _cells(marks: Sequence[Mark], caption: str, say: Texts) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for mark in marks:
        counts = (_number(x, say) for x in (mark.behind, mark.threshold))
        verdict = say(f"disclosure.verdict.{mark.verdict.replace(' ', '-')}")
        rows.append((_part(mark.part, say), mark.cell, verdict, _rule(mark.rule, say), *counts))
    names = "part_column cell_column verdict_column rule_column behind_column threshold_column"
    heads = columns("disclosure", names, "behind_column threshold_column", say)
    return Table(caption, heads, tuple(rows), folded=True)


def _number(x: float | None, say: Texts) -> str:
    return "" if x is None else number(x, say.language, 0 if x == round(x) else 2)


def _part(part: str, say: Texts) -> str:
    return say.known(f"disclosure.part.{part}", part)


def _rule(rule: str, say: Texts) -> str:
    return say.known(f"disclosure.rule.{rule}", rule)
