"""What the XML of a workbook says besides values: merged cells, what is hidden, formulas that nobody computed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import IO, Any
from xml.sax.handler import ContentHandler

from defusedxml.sax import parse

__all__ = ["LAST_ROW", "SheetMarks", "column_letters", "read_marks", "was_computed"]

LAST_ROW, _LAST_COLUMN = 1_048_576, 16_384
"""The size of the largest sheet."""


@dataclass(frozen=True, slots=True)
class SheetMarks:
    """What a sheet says besides its values; rows and columns count from 1.

    Attributes
    ----------
    merged : tuple of (first column, first row, last column, last row)
    hidden_rows, hidden_columns : frozenset of int
    formulas : tuple of (row, column)
        Cells that hold one.
    unstored : tuple of (row, column)
        Those of them without an outcome.
    """

    merged: tuple[tuple[int, int, int, int], ...]
    hidden_rows: frozenset[int]
    hidden_columns: frozenset[int]
    formulas: tuple[tuple[int, int], ...]
    unstored: tuple[tuple[int, int], ...]


class _Reader(ContentHandler):
    """Gathers `SheetMarks` from the XML of a sheet; cells without a reference follow the one before."""

    def __init__(self) -> None:
        super().__init__()
        self.row = self.column = 0
        self.waiting = False
        self.merged: list[str] = []
        self.rows: set[int] = set()
        self.columns: set[int] = set()
        self.formulas: list[tuple[int, int]] = []
        self.unstored: list[tuple[int, int]] = []

    def startElement(self, name: str, attrs: Any) -> None:
        match name.rpartition(":")[2]:
            case "c":
                self._close()
                self.column = _corner(attrs["r"])[0] if "r" in attrs else self.column + 1
            case "v":
                self.waiting = False
            case "f":
                self.waiting = True
                self.formulas.append((self.row, self.column))
            case "row":
                self._close()
                self.row, self.column = int(attrs.get("r", self.row + 1)), 0
                if self.row > LAST_ROW:
                    raise ValueError(f"no sheet has a row {self.row}")
                if attrs.get("hidden") in ("1", "true"):
                    self.rows.add(self.row)
            case "col" if attrs.get("hidden") in ("1", "true"):
                self.columns |= set(range(int(attrs["min"]), min(int(attrs["max"]), _LAST_COLUMN) + 1))
            case "mergeCell":
                self.merged.append(attrs["ref"])

    def _close(self) -> None:
        if self.waiting:
            self.unstored.append((self.row, self.column))
        self.waiting = False

    def endDocument(self) -> None:
        self._close()


def _corner(reference: str) -> tuple[int, int]:
    """Column and row of a cell: ``C7`` → (3, 7)."""
    found = re.fullmatch(r"([A-Z]{1,3})([1-9]\d{0,6})", reference)
    if found is None:
        raise ValueError(f"'{reference}' is not a cell")
    column = 0
    for letter in found[1]:
        column = 26 * column + ord(letter) - ord("A") + 1
    return column, int(found[2])


def column_letters(column: int) -> str:
    """Letters of a column: 3 → ``C``."""
    text = ""
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def read_marks(stream: IO[bytes]) -> SheetMarks:
    """Read the XML of one sheet; ValueError and SAXException when it is none."""
    reader = _Reader()
    parse(stream, reader)
    merged = []
    for reference in reader.merged:
        first, _, last = reference.partition(":")
        merged.append((*_corner(first), *_corner(last or first)))
    return SheetMarks(
        tuple(merged), frozenset(reader.rows), frozenset(reader.columns), tuple(reader.formulas), tuple(reader.unstored)
    )


class _Settings(ContentHandler):
    computed = True

    def startElement(self, name: str, attrs: Any) -> None:
        if name.rpartition(":")[2] == "calcPr":
            self.computed = attrs.get("fullCalcOnLoad", "0") not in ("1", "true")


def was_computed(stream: IO[bytes]) -> bool:
    """Whether the stored outcomes were computed, from the XML of the workbook: who writes without computing says so."""
    settings = _Settings()
    parse(stream, settings)
    return settings.computed
