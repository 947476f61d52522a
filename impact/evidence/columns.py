"""How wide the columns of a table are, in characters, where long texts are folded to fit a line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from impact.evidence.document import Table
from impact.evidence.reading import plain

__all__ = ["fitted", "least", "natural", "shares"]

_WORDS = (32, 24, 16, 12, 8)  # characters of a word that is kept whole, as far as there is room


def natural(table: Table) -> list[int]:
    """Of every column, so that nothing is folded."""
    return [max(map(len, column)) for column in _columns(table)]


def least(table: Table, word: int = _WORDS[0]) -> list[int]:
    """Of every column, so that no word of at most `word` characters is broken, and no cell of numbers folded."""
    return [
        max(_longest([text.split() for text in texts], word), _longest([texts[1:]], _WORDS[0]) if column.number else 1)
        for texts, column in zip(_columns(table), table.columns, strict=True)
    ]


def fitted(table: Table, room: int) -> list[int] | None:
    """Of every column, `room` at most together, the widest folded first; None where they cannot stand side by side."""
    for word in _WORDS:
        narrowest = least(table, word)
        if sum(narrowest) <= room:
            widths = [max(pair) for pair in zip(natural(table), narrowest, strict=True)]
            while sum(widths) > room:
                spare = [wide if wide > short else 0 for wide, short in zip(widths, narrowest, strict=True)]
                widths[spare.index(max(spare))] -= 1
            return widths
    return None


def shares(table: Table, room: int, gap: int) -> list[float]:
    """Which part of a line of `room` characters each column takes, with a `gap` beside it."""
    widths = fitted(table, room - gap * len(table.columns)) or least(table, _WORDS[-1])
    whole = sum(widths) + gap * len(widths)
    return [(width + gap) / whole for width in widths]


def _columns(table: Table) -> list[tuple[str, ...]]:
    """The texts of every column, its head first."""
    rows = [[column.title for column in table.columns], *([plain(cell) for cell in row] for row in table.rows)]
    return list(zip(*([" ".join(text.split()) for text in row] for row in rows), strict=True))


def _longest(texts: Iterable[Sequence[str]], most: int) -> int:
    return max([1, *(min(len(word), most) for words in texts for word in words)])
