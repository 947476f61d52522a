"""What a report is made of, before any format: sections of paragraphs, tables and figures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from typing import ClassVar

__all__ = [
    "Block",
    "Cell",
    "Chapter",
    "Code",
    "Column",
    "Document",
    "Figure",
    "Foreign",
    "Framed",
    "Manuscript",
    "Paragraph",
    "Points",
    "Section",
    "Table",
]


@dataclass(frozen=True, slots=True)
class Foreign:
    """Text in another language than the document (`lang` is its code)."""

    text: str
    lang: str


@dataclass(frozen=True, slots=True)
class Code:
    """A command, a digest or a file name."""

    text: str


Cell = str | Foreign | Code


@dataclass(frozen=True, slots=True)
class Column:
    """Head of a column; numbers stand to the right."""

    title: str
    number: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """The first cell of every row is its head. A `folded` table is opened by the reader, and always open on paper.

    `total` is a last row with one value for all columns.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    folded: bool = False
    total: tuple[Cell, Cell] | None = None

    kind: ClassVar[str] = "table"

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(
                f"a row of {self.caption!r} has another number of cells than the {len(self.columns)} columns"
            )


@dataclass(frozen=True, slots=True)
class Figure:
    """A drawing (SVG with its own alternative text) and the numbers it shows."""

    caption: str
    svg: str
    table: Table

    kind: ClassVar[str] = "figure"

    @property
    def name(self) -> str:
        """Name of the drawing, by which its picture is found; "" where the SVG has none."""
        found = re.search(r'<title id="([^"]+)-title">', self.svg)
        return found[1] if found else ""

    @property
    def alternative(self) -> str:
        """The alternative text of the drawing: what a reader who does not see it is told."""
        parts = re.findall(r"<(?:title|desc)\b[^>]*>(.*?)</", self.svg, re.DOTALL)
        return ". ".join(" ".join(unescape(part).split()) for part in parts)


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One paragraph: pieces that follow each other with a space between."""

    pieces: tuple[Cell, ...]

    kind: ClassVar[str] = "paragraph"


@dataclass(frozen=True, slots=True)
class Points:
    """A list of separate remarks."""

    items: tuple[Cell, ...]

    kind: ClassVar[str] = "points"


@dataclass(frozen=True, slots=True)
class Framed:
    """What somebody else says, in a frame of its own: never a part of what was computed.

    `source` says where it comes from, and that it is no part of the estimate.
    """

    title: Cell
    blocks: tuple[Paragraph | Points, ...]
    source: str

    kind: ClassVar[str] = "framed"


Block = Table | Figure | Paragraph | Points | Framed


@dataclass(frozen=True, slots=True)
class Section:
    """A part with a heading; `name` is its anchor."""

    name: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Chapter:
    """Sections under one heading, and what stands before them."""

    title: str
    sections: tuple[Section, ...]
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class Manuscript:
    """A text from its title to its last section, as every form but HTML follows it; `dutch` as in `Document`."""

    language: str
    title: Cell
    lead: tuple[Block, ...]
    chapters: tuple[Chapter, ...]
    dutch: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A report: its first page and the account behind it; `others` are titles and files of other pages.

    `standing` says what there is to know of the status; `translation` is the file of the same page in the other
    language, "" where there is none; `dutch` are texts that stand in it in Dutch although it is in another language.
    """

    language: str
    title: Cell
    question: Cell
    status: str
    others: tuple[tuple[str, str], ...]
    warning: tuple[str, str] | None
    result: Section
    front: tuple[Section, ...]
    account: tuple[Section, ...]
    standing: tuple[str, ...] = ()
    translation: str = ""
    dutch: tuple[str, ...] = ()
