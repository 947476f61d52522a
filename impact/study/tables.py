"""What a study says of its tables: where they are, how they are written, and what their columns hold."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from impact.study.fields import Code, Part, Period, Spellings, Texts, Word, Written

__all__ = [
    "Arrives",
    "CrosswalkTable",
    "Data",
    "File",
    "Identity",
    "Margin",
    "MarkTexts",
    "NameList",
    "OutcomeColumns",
    "OutcomeTable",
    "PartFile",
    "PolygonFile",
    "Rows",
    "SealedFile",
    "UnitColumns",
    "UnitTable",
]


class MarkTexts(Part):
    """Spellings that stand for a status, added to those of Statistics Netherlands; see ``sources.values.Marks``."""

    suppressed: Spellings = ()
    missing: Spellings = ()
    impossible: Spellings = ()
    nil: Spellings = ()
    provisional: Spellings = ()

    def given(self) -> dict[str, tuple[str, ...]]:
        """The kinds for which the study names spellings, for ``Marks.override``."""
        return {kind: texts for kind, texts in self if texts}


class Rows(Part):
    """Which rows of a table count, and whether they are added up.

    `where`: a row stays when every column holds one of its values. `add_up_to`: sums per region and period.
    """

    where: dict[str, Spellings] = Field(default_factory=dict)
    add_up_to: tuple[Literal["region"], Literal["period"]] | None = None


class File(Part):
    """A table in a workbook (xlsx), a CSV or a parquet file, and how it is written.

    `layout`: ``statline`` for the export that StatLine gives in a browser, with its title, heads, units and footer.
    `join`: ``name`` where the column of the region holds names; their codes are looked up in ``data.names``, in the
    year `vintage` and in the gemeente of the row, or the one gemeente that the whole table lies `within`. `share`: the
    file itself goes along in the bundle, and not its digest alone; as of any other file under `data`.
    """

    file: Word = Field(description="the file's path in the study's folder, the project or the folder given with --data")
    sheet: Word | None = None
    layout: Literal["plain", "statline"] = "plain"
    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    decimal: Literal["auto", ",", "."] = "auto"
    header_row: Annotated[int, Field(ge=1)] = 1
    level: Literal["gemeente", "wijk", "buurt"] | None = None
    marks: MarkTexts = MarkTexts()
    rows: Rows = Rows()
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    source: str = ""
    vintage: Annotated[int, Field(ge=1995, le=2100)] | None = None
    join: Literal["code", "name"] = "code"
    within: Annotated[str, Field(pattern="^GM[0-9]{4}$")] | None = None
    share: bool = False


class Margin(Part):
    """Columns with the bounds of an interval around every figure, and the level of that interval."""

    low: Word = Field(description="the column with the lower bound")
    high: Word = Field(description="the column with the upper bound")
    level: Annotated[float, Field(gt=0.5, lt=1)] = 0.95


class Identity(Part):
    """Columns that show whether a code still names the same region: its `name`, its `residents`, its `surface`.

    A region whose name changes from one period to the next, or that becomes more than 1.5 times as large or as small,
    stops the run before anything is estimated, unless ``data.unchanged`` says why it is the same.
    """

    name: Word | None = None
    residents: Word | None = None
    surface: Word | None = None


class OutcomeColumns(Part):
    """Column names: `value`, or `numerator` and `denominator`.

    A figure from a sample also has the number of respondents (`n`) and its error: `se`, the `margin`, or neither when
    it is a percentage, of which the error follows from `n`. `change`: what Statistics Netherlands flags of a region
    since the year before (1 unchanged, 2 another code, 3 other borders); then the rows of each year are in the division
    of that year. `gemeente`: the code of the gemeente, where regions are joined on their name. `base`: how many people
    a `value` is about, such as the residents of 15 and older of a survey; nothing is estimated from it.
    """

    region: Word = Field(description="the column with the code of the wijk, buurt or gemeente")
    period: Word = Field(description="the column with the year")
    value: Word | None = None
    numerator: Word | None = None
    denominator: Word | None = None
    n: Word | None = None
    se: Word | None = None
    margin: Margin | None = None
    identity: Identity | None = None
    change: Word | None = None
    gemeente: Word | None = None
    base: Word | None = None

    @property
    def figures(self) -> tuple[str, ...]:
        """The columns that the outcome is made of."""
        return tuple(name for name in (self.value, self.numerator, self.denominator) if name is not None)

    @property
    def numbers(self) -> tuple[str, ...]:
        """All columns of numbers."""
        bounds = () if self.margin is None else (self.margin.low, self.margin.high)
        return (*self.figures, *(name for name in (self.n, self.se, *bounds, self.base) if name is not None))


class Arrives(Part):
    """Periods of which the outcomes have yet to come: there is `have` and what lies before it; `planned` are the rest.

    Until all have arrived the design is made without them, and a run measures nothing.
    """

    have: Period = Field(description="the last period of which the outcomes are there")
    planned: Annotated[tuple[Period, ...], Field(min_length=1)] = Field(
        description="every later period of the study, in order"
    )


class SealedFile(Part):
    """The rest of the table of outcomes, in a file of the same columns that only a run opens."""

    file: Word = Field(description="the file's path, as that of a table")
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None


class OutcomeTable(File):
    """The table of outcomes: a row per region and period, after `rows`.

    `rounded_to`: counts are published as multiples of this number. `sealed`: the later periods, in a file that `impact
    data split` makes and only `impact run` opens. `arrives`: the periods that are still to come. `national`: the code
    of the rows about the whole country, such as ``NL00``; they stand beside the others in a report and are in no
    estimate.
    """

    columns: OutcomeColumns = Field(
        description="the names of the columns: region, period, and value or numerator and denominator"
    )
    rounded_to: Annotated[int, Field(ge=2, le=1000)] | None = None
    sealed: SealedFile | None = None
    arrives: Arrives | None = None
    national: Code | None = None


class UnitColumns(Part):
    """Column names of what does not change, or is averaged over `periods` when `period` is given.

    `gemeente` is read from the code when it is not given. `structure` and `size` are the characteristics to match on;
    `selection` are scores on which the areas were chosen, which bring chance with them when they are matched on.
    `place`: the columns with the coordinates of a point in every region, in metres (Rijksdriehoek). `labels`: what a
    reader calls a column.
    """

    region: Word = Field(description="the column with the code of the wijk, buurt or gemeente")
    period: Word | None = None
    gemeente: Word | None = None
    residents: Word | None = None
    place: tuple[Word, Word] | None = None
    structure: tuple[Word, ...] = ()
    size: tuple[Word, ...] = ()
    selection: tuple[Word, ...] = ()
    identity: Identity | None = None
    labels: dict[Word, Texts] = Field(default_factory=dict)

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Characteristics by the name that stands for them in `match.on`."""
        return {"structure": self.structure, "size": self.size, "selection": self.selection}


class UnitTable(File):
    """The table of units: a row per region, or a row per region and period of which `periods` are averaged."""

    columns: UnitColumns = Field(description="the names of the columns: region, and what is matched on")
    periods: tuple[Period, ...] = ()


class CrosswalkTable(Part):
    """A table (from, to, share, basis, and year or from_year and to_year) that brings the outcomes to one division.

    `from`: the outcomes are in the division of their ``vintage`` (``outcomes``), or those of each year in the division
    of that year (``each-year``). `value`: ``count`` says that the column of a value counts something; other figures
    without numerator and denominator cannot be converted. Areas, units and members are those of `to`.
    """

    file: Word = Field(description="the file with the columns from, to, share, basis and year")
    to: Annotated[int, Field(ge=1995, le=2100)] = Field(description="the year of the division to bring the outcomes to")
    from_: Literal["outcomes", "each-year"] = Field(default="outcomes", alias="from")
    basis: Word | None = None
    value: Literal["count"] | None = None
    share: bool = False


class PartFile(Part):
    """A GeoJSON file with the border of every smaller region, such as the buurten of wijken, and its `residents`.

    Then the share of the residents of every unit that live beside a treated area is known, not only of its border.
    """

    file: Word = Field(description="the file's path, as that of a table")
    column: Word = Field(description="the property of the features that holds the code of the wijk or buurt")
    residents: Word = Field(description="the property that holds the number of residents")
    share: bool = False


class PolygonFile(Part):
    """A GeoJSON file with the border of every region, for rules on place and for the map.

    `column`: the property that holds the code. `crs`: as the file says when left out. `tolerance`: metres that a gap
    between neighbours may be wide; a border that neighbours share is one of ten times that.
    """

    file: Word = Field(description="the file's path, as that of a table")
    column: Word = Field(description="the property of the features that holds the code of the wijk, buurt or gemeente")
    crs: Literal["EPSG:4326", "EPSG:28992"] | None = None
    tolerance: Annotated[float, Field(gt=0, le=1000)] = 1.0
    parts: PartFile | None = None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    source: str = ""
    vintage: Annotated[int, Field(ge=1995, le=2100)] | None = None
    share: bool = False


class NameList(Part):
    """A list (code, vintage, name) of how regions are called, for tables that hold names instead of codes."""

    file: Word = Field(description="the file with the columns code, vintage and name")
    share: bool = False


class Data(Part):
    """Where the figures come from.

    `unchanged`: codes that name the same region all along although its name or size jumps, each with the reason.
    """

    outcomes: OutcomeTable = Field(description="the table of outcomes: file, columns, source")
    units: UnitTable | None = None
    crosswalk: CrosswalkTable | None = None
    polygons: PolygonFile | None = None
    unchanged: dict[Code, Written] = Field(default_factory=dict)
    names: NameList | None = None

    @property
    def vintage(self) -> int | None:
        """The division that outcomes, units and areas are compared in; None when the study does not say."""
        return self.outcomes.vintage if self.crosswalk is None else self.crosswalk.to
