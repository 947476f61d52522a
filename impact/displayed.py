"""How a value shows itself in a notebook: the first lines of its summary and its table, as HTML that is escaped."""

from __future__ import annotations

from html import escape
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

from impact.harmless import shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Displayed", "as_html"]

_LINES, _ROWS = 12, 10


class Displayed:
    """What has a `summary` in words and a `tidy` table, and so shows itself; in a notebook its name is enough."""

    __slots__ = ()
    _language: ClassVar[str] = "en"  # of the summary

    def summary(self) -> str:
        """A few lines of text."""
        return str(self)

    def tidy(self) -> pd.DataFrame:
        """The rows of `table`, their names as a column."""
        import pandas as pd

        table: pd.DataFrame = self.table()  # type: ignore[attr-defined]
        if isinstance(table.index, pd.RangeIndex):
            return table
        return table.reset_index(names=table.index.name or "unit", allow_duplicates=True)

    def _repr_html_(self) -> str:
        return as_html(self.summary(), self.tidy(), self._language)


def as_html(summary: str, table: pd.DataFrame, language: str = "en") -> str:
    """The first lines of `summary`, which is in `language`, and the first rows of `table`.

    Of a number its first four digits are seen; the whole of it is the `value` of its ``data`` element.
    """
    lines = summary.splitlines()
    if len(lines) > _LINES:
        lines = [*lines[:_LINES], f"… {len(lines) - _LINES} / {len(lines)}: .summary()"]
    style = "white-space:pre-wrap;font-family:monospace"
    told = f'<pre lang="{language}" style="{style}">{_text(chr(10).join(lines))}</pre>'
    heads = "".join(f'<th scope="col">{_text(name)}</th>' for name in table.columns)
    rows = table.head(_ROWS).itertuples(index=False, name=None)
    body = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    count = "1 row" if len(table) == 1 else f"{len(table)} rows"
    caption = count if len(table) <= _ROWS else f"the first {_ROWS} of {len(table)} rows; all: .tidy()"
    return (
        f'<div lang="en">\n{told}\n<div role="region" aria-label="table" tabindex="0" style="overflow-x:auto">\n'
        f"<table>\n<caption>{caption}</caption>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody>\n"
        "</table>\n</div>\n</div>"
    )


def _cell(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, Real):
        return f"<td>{'–' if _missing(value) else _text(value)}</td>"
    if value != value:
        return "<td>–</td>"
    text = f"{int(value)}" if isinstance(value, Integral) else _digits(float(value))
    return f'<td style="text-align:right"><data value="{float(value)!r}">{text}</data></td>'


def _digits(value: float) -> str:
    size = abs(value)
    text = f"{value:.1f}" if 1e3 <= size < 1e12 else f"{value:.4g}" if not 0 < size < 1e-4 else f"{value:.2e}"
    return text.replace("-", "\N{MINUS SIGN}")


def _missing(value: Any) -> bool:
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def _text(value: Any) -> str:
    return escape(shown(str(value)))
