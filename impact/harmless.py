"""Texts from outside as a spreadsheet, a terminal and a reader may see them: no formula, no command, nothing invisible.

CSV has no kinds: a spreadsheet takes a text that begins with ``=``, ``+``, ``-``, ``@``, a tab or a line end for a
formula. Such a text is written with an apostrophe before it (as OWASP advises), unless it is a number as it stands:
``-3`` and ``+0,4`` stay what they are, and numbers of our own are never texts. Workbooks need none of this: there a
text has its kind. What nobody sees in a text is written out (`shown`) wherever a person reads it: page, figure, CSV,
workbook of results, terminal. Parquet and JSON hold every text as it is.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable, Sequence

__all__ = ["as_cell", "as_csv", "hidden", "no_formula", "shown"]

_FORMULA = re.compile(r"[\s\u200b\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
_NUMBER = re.compile(r"[+\-]?\d+([.,]\d+)*([eE][+\-]?\d+)?")


def no_formula(text: str) -> str:
    """`text` as a cell of a CSV that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def as_cell(value: object) -> object:
    """A value as a cell of a CSV may hold it: a text by `shown` and `no_formula`."""
    return no_formula(shown(value)) if isinstance(value, str) else value


def as_csv(rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV with commas, every cell by `as_cell`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([as_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def hidden(text: str) -> str:
    """The first character of `text` that nobody sees or that turns the text around; "" where there is none.

    Control characters but tab and line end, and the formatting characters of Unicode (category Cf): directions, joins
    and spaces without width; also halves of a surrogate pair and separators of lines and paragraphs.
    """
    return next((sign for sign in text if sign not in "\t\n" and _hides(sign)), "")


def shown(text: str) -> str:
    """`text` with every such character written out, as ``\\u202e``, so that a reader sees that it is there."""
    return "".join(f"\\u{ord(sign):04x}" if sign not in "\t\n" and _hides(sign) else sign for sign in text)


def _hides(sign: str) -> bool:
    return not (" " <= sign <= "~") and unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp")
