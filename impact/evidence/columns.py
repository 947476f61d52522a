"""How wide the columns of a table are, in characters, where long texts are folded to fit a line."""

from __future__ import annotations

from impact.evidence.document import Table
from impact.evidence.reading import plain
from impact.harmless import shown

__all__ = ["fitted", "least", "natural", "shares"]

_KEPT = ((32, 20), (24, 16), (24, 0), (16, 0), (13, 0))
"""Characters of a word, and of the texts of a column, that are kept whole, as far as there is room."""


def natural(table: Table) -> list[int]:
    """Of every column, so that nothing is folded."""
    return [max(map(len, column)) for column in _columns(table)]


def least(table: Table, word: int = 32, text: int = 0) -> list[int]:
    """Of every column, so that no word of at most `word` characters is broken, and no number folded.

    Neither is a column whose texts have at most `text` characters.
    """
    widths = []
    for texts, column in zip(_columns(table), table.columns, strict=True):
        longest = max(map(len, texts[1:]), default=1)
        whole = min(longest, _KEPT[0][0]) if column.number or longest <= text else 1
        widths.append(max(whole, *(min(len(one), word) for one in " ".join(texts).split()), 1))
    return widths


def fitted(table: Table, room: int) -> list[int] | None:
    """Of every column, `room` at most together, the widest folded first; None where they cannot stand side by side."""
    for kept in _KEPT:
        narrowest = least(table, *kept)
        if sum(narrowest) <= room:
            widths = [max(pair) for pair in zip(natural(table), narrowest, strict=True)]
            while sum(widths) > room:
                spare = [wide if wide > short else 0 for wide, short in zip(widths, narrowest, strict=True)]
                widths[spare.index(max(spare))] -= 1
            return widths
    return None


def shares(table: Table, room: int, gap: int) -> list[float]:
    """Which part of a line of `room` characters each column takes, with a `gap` beside it."""
    widths = fitted(table, room - gap * len(table.columns)) or least(table, *_KEPT[-1])
    whole = sum(widths) + gap * len(widths)
    return [(width + gap) / whole for width in widths]


def _columns(table: Table) -> list[tuple[str, ...]]:
    """The texts of every column, its head first."""
    rows = [[column.title for column in table.columns], *([plain(cell) for cell in row] for row in table.rows)]
    return list(zip(*([" ".join(shown(text).split()) for text in row] for row in rows), strict=True))
