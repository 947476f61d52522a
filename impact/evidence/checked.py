"""The checks of a study in a table: what was found, against which threshold, and what it means."""

from __future__ import annotations

from typing import Final

from impact.evidence.comparison import columns
from impact.evidence.document import Block, Cell, Table
from impact.evidence.front import check_title
from impact.evidence.language import Texts, significant
from impact.evidence.record import Evidence

__all__ = ["SHARES", "checked"]

SHARES: Final = frozenset(
    ("largest-share", "suppressed", "overlap", "unmatched", "largest-weight", "fit-concentration")
)
"""Checks whose figure is a share, and is told in percent."""


def checked(evidence: Evidence, say: Texts) -> list[Block]:
    """One row per check; nothing without checks."""
    if not evidence.checks:
        return []
    rows: list[tuple[Cell, ...]] = []
    for check in evidence.checks:
        statistic, threshold = (
            say("words.not_given") if x is None else _measured(check.name, x, say)
            for x in (check.statistic, check.threshold)
        )
        sentence = say.known(f"checks.{check.name}.{check.verdict}", "")
        rows.append(
            (
                check_title(check.name, say),
                say(f"verdicts.{check.verdict}"),
                statistic,
                threshold,
                " ".join(filter(None, [sentence, check.because])),
                say("words.yes" if check.gates else "words.no"),
            )
        )
    return [
        Table(
            say("checked.caption"),
            columns("checked", "name verdict statistic threshold says gates", "statistic threshold", say),
            tuple(rows),
            say("checked.note"),
        )
    ]


def _measured(check: str, x: float, say: Texts) -> str:
    """What a check looks at, as it is read: a share in percent, a difference between shares in percentage points."""
    if check in SHARES:
        return say("format.percent", number=significant(100 * x, say.language))
    if check.startswith("composition-"):
        return say("checked.points", number=significant(100 * x, say.language))
    return significant(x, say.language)
