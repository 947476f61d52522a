"""A table as it stands in its file: its cells, the place of each of them, and what to know about the reading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from impact.arrays import Int1, frozen

__all__ = ["Note", "Places", "Table", "listed"]


def listed(items: Iterable[object], most: int = 5) -> str:
    """A list that stays short: ``3, 8, 12 and 40 more``."""
    texts = [str(item) for item in items]
    if len(texts) > most + 1:
        return f"{', '.join(texts[:most])} and {len(texts) - most} more"
    return " and ".join(part for part in (", ".join(texts[:-1]), *texts[-1:]) if part)


@dataclass(frozen=True, slots=True)
class Note:
    """What a reader of the results must know about the reading; the words for each `kind` are in the text catalogue.

    Kinds: ``encoding`` (text: which, where UTF-8 was expected), ``nil`` (count of cells of `column` that are 0 by a
    mark), ``added-up`` (count of rows behind the sums), ``percent-format`` (count of cells of `column` that a workbook
    shows as percentages, 4,2% for 0.042), ``hidden`` (count of hidden rows and columns with data, which are read; text:
    which, as ``5:7, C:C``), ``no-footer`` (a StatLine export without the line that closes it), ``unit`` (text: unit of
    `column` as the table gives it).
    """

    kind: str
    column: str = ""
    count: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Where the cells of n rows stand, and the one way in which a message says so.

    Attributes
    ----------
    rows : (n,) int array
        Row numbers as a spreadsheet counts them.
    letters : mapping from column name to letters
        The columns of a workbook; empty for other files, whose cells are named by their row.
    lines : mapping from column name to (n,) int array
        Rows of the columns that stand elsewhere than in `rows`.
    """

    rows: Int1
    letters: Mapping[str, str] = field(default_factory=dict)
    lines: Mapping[str, Int1] = field(default_factory=dict)

    def __getitem__(self, kept: NDArray[Any]) -> Places:
        """The places of some of the rows, by position or by (n,) bool."""
        lines = {name: frozen(rows[kept], np.intp) for name, rows in self.lines.items()}
        return Places(frozen(self.rows[kept], np.intp), self.letters, lines)

    def of(self, column: str) -> Int1:
        """(n,) rows in which the cells of `column` stand."""
        return self.lines.get(column, self.rows)

    def name(self, at: Iterable[int], column: str = "", *, only: bool = False) -> str:
        """The places of the cells at positions `at` (0-based) of `column`: ``cells C7 and C9``, or ``rows 7 and 9``.

        With `only` they stand without the word: ``C7 and C9``.
        """
        rows = np.unique(self.of(column)[list(at)]).tolist()  # cells of one line of a wide export are one place
        letters = self.letters.get(column, "")
        word = "cell" if letters else "row"
        named = listed(f"{letters}{row}" for row in rows)
        return named if only else f"{word}{'' if len(rows) == 1 else 's'} {named}"


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table as it stands in its file.

    Attributes
    ----------
    frame : DataFrame
        Columns in file order; text only when it came from CSV; text, numbers and `values.Odd` from a workbook. Not to
        be changed.
    file : str
        Name as the user wrote it.
    sha256 : str
        Digest of the file's bytes.
    rows : (n,) int array
        Row numbers as a spreadsheet counts them: the header of a plain file is row 1.
    notes : tuple of Note
    letters, lines : mappings from column name
        See `Places`.
    units : mapping from column name to unit
        As the table itself gives them; only StatLine exports do.
    """

    frame: pd.DataFrame
    file: str
    sha256: str
    rows: Int1
    notes: tuple[Note, ...] = ()
    letters: Mapping[str, str] = field(default_factory=dict)
    lines: Mapping[str, Int1] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)

    @property
    def places(self) -> Places:
        """Where the cells of `frame` stand."""
        return Places(self.rows, self.letters, self.lines)
