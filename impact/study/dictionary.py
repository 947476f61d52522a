"""The data dictionary of a bundle: what every column of its tables means, in Dutch and English."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping

from impact.evidence.language import texts

__all__ = ["COLUMNS", "dictionary"]

COLUMNS = ("file", "column", "unit", "nl", "en")
_TABLES = ("tidy.csv", "aggregates.csv", "made_of.csv")
# The unit of a column where it has one: that of the outcome, or what is counted.
_UNITS = {
    **dict.fromkeys(("estimate", "std_error", "ci_low", "ci_high", "band_low", "band_high"), "outcome"),
    **dict.fromkeys(("n", "areas", "clusters", "areas_total", "df"), "count"),
    **dict.fromkeys(("p_value", "p_adjusted", "population", "share"), "share"),
}


def dictionary(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """``dictionary.csv``, and ``dictionary.md`` to read, about the tables among `files`."""
    rows = [row for name in _TABLES if name in files for row in _rows(name, _head(files[name]))]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    return {"dictionary.csv": text.getvalue().encode("utf-8"), "dictionary.md": _page(rows).encode("utf-8")}


def _head(table: bytes) -> list[str]:
    return next(csv.reader([table.partition(b"\n")[0].decode("utf-8")]))


def _rows(file: str, columns: list[str]) -> Iterator[tuple[str, ...]]:
    dutch, english = texts("nl"), texts("en")
    table = file.removesuffix(".csv")
    for column in columns:
        # The same column means the same in every table, unless a table has a text of its own.
        key = f"dictionary.{table}_{column}"
        key = key if key in dutch else f"dictionary.{column}"
        yield file, column, _UNITS.get(column, ""), dutch(key), english(key)


def _page(rows: list[tuple[str, ...]]) -> str:
    lines = ["# Data dictionary / Begrippenlijst", ""]
    for file in dict.fromkeys(row[0] for row in rows):
        lines += [f"## {file}", "", "| column | unit | nl | en |", "|---|---|---|---|"]
        lines += [f"| `{column}` | {unit} | {nl} | {en} |" for name, column, unit, nl, en in rows if name == file]
        lines.append("")
    lines.append("`outcome` as a unit: that of the outcome, in the column `unit`. An empty cell is a number not given.")
    return "\n".join([*lines, ""])
