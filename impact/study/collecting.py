"""What a collection says: which studies, which indicators are judged together, and the order of its one table."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from impact.study.correction import Correction
from impact.study.fields import Part, Slug, Texts, whole
from impact.study.looking import Looks

__all__ = ["Collecting", "NotStudied", "Table"]


class NotStudied(Part):
    """An indicator without a study, and why: it cannot be measured as an outcome, or nobody studied it here."""

    statement: Literal["not-measurable", "not-studied"] = Field(description="not-measurable or not-studied")
    why: Texts = Field(description="the reason, as it stands in the table")


class Table(Part):
    """The one table, and the languages of the report.

    ``programme``: all 15 indicators in the order of the programme, then others; each is studied, in `not_studied`, or
    no outcome by the register. ``studies``: as the studies stand, then what is in `not_studied`.
    """

    order: Literal["programme", "studies"] = "programme"
    languages: Annotated[tuple[Literal["nl", "en"], ...], Field(min_length=1)] = ("nl", "en")


class Collecting(Part):
    """A whole collection.

    `families`: indicators that are judged together, over all studies; one that no study is about has no number there.
    `looks` are those of the studies, which say them themselves.
    """

    schema_: Annotated[Literal[1], BeforeValidator(whole)] = Field(
        alias="schema", description="the version of the language of studies: 1"
    )
    id: Slug = Field(description="the short name of the collection, as its file has")
    title: Texts = Field(description="the title of the report")
    studies: Annotated[tuple[Slug, ...], Field(min_length=1, max_length=60)] = Field(
        description="the short names of the studies, which are the folders beside this file"
    )
    families: dict[Slug, Annotated[tuple[Slug, ...], Field(min_length=1)]] = Field(default_factory=dict)
    correction: Correction | None = None
    looks: Looks | None = None
    not_studied: dict[Slug, NotStudied] = Field(default_factory=dict)
    table: Table = Table()
    seed: Annotated[int, Field(ge=0, lt=2**53)] = 1
