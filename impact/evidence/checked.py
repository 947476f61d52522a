"""The checks of a study in a table: what was found, against which threshold, and what it means."""

from __future__ import annotations

from typing import Final

from impact.evidence.comparison import columns
from impact.evidence.document import Block, Cell, Table
from impact.evidence.front import check_title
from impact.evidence.language import Texts, number, significant
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
        statistic, threshold = (_figure(x, check.says in SHARES, say) for x in (check.statistic, check.threshold))
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


def _figure(x: float | None, share: bool, say: Texts) -> str:
    if x is None:
        return say("words.not_given")
    return say("format.percent", number=_percent(100 * x, say)) if share else significant(x, say.language)


def _percent(x: float, say: Texts) -> str:
    """With one decimal where that is not 0."""
    return number(x, say.language, 0 if round(x, 1) == round(x) else 1)
