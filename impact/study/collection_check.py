"""What a collection will do, from its file alone; and what its studies would compare, before any outcome is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from impact.errors import DataError, Problem, SpecError, raise_all
from impact.evidence.document import Block, Cell, Paragraph, Points, Section
from impact.evidence.language import Texts, listed, number, texts
from impact.evidence.reading import in_language, plain
from impact.register.indicators import indicators
from impact.study.collection import Collection
from impact.study.collection_life import stand
from impact.study.collection_run import rows_of
from impact.study.keeping import said
from impact.study.outlining import outline
from impact.study.remarks import name_of

__all__ = ["collection_explained", "collection_heading", "collection_outline"]


def collection_outline(collection: Collection, data: Sequence[str | Path] = ()) -> str:
    """What every study would compare with what, in words; no outcome after the start is used.

    Raises
    ------
    SpecError, DataError
        With what is wrong in any of the studies, at once.
    """
    parts, problems = [], list[Problem]()
    for study in collection.studies:
        try:
            parts.append(outline(study, data))
        except (SpecError, DataError) as error:
            slug = study.model.id
            problems += [replace(found, message=f"in the study {slug!r}: {found.message}") for found in error.problems]
    raise_all(problems, DataError)
    model = collection.model
    lines = [f"{model.id}: {model.title.nl}"]
    lines += [f"  family {name}: {', '.join(members)}" for name, members in model.families.items()]
    if model.correction is not None:
        lines.append(f"  correction: {model.correction.method}, level {model.correction.level:g}")
    alone = [study.model.id for study in collection.studies if study.model.belongs_to is None]
    if alone and model.families:
        lines.append(
            f"  no `belongs_to`, so that run by itself it does not say that it is not corrected: {', '.join(alone)}"
        )
    absent = [row for row in rows_of(collection) if not row.study]
    lines += [f"  {row.indicator}: {row.statement} ({row.why['nl']})" for row in absent]
    return "\n\n".join(["\n".join([*lines, *said(stand(collection)[1])]), *parts])


def collection_heading(collection: Collection, language: str = "nl") -> str:
    """Title of a collection with its short name."""
    say, model = texts(language), collection.model
    title = plain(in_language(model.title.languages(), language))
    return say("collection_explain.head", title=title, id=model.id, count=number(len(model.studies), language, 0))


def collection_explained(collection: Collection, language: str = "nl") -> tuple[Section, ...]:
    """What a run of the collection will act on, as short sections of sentences; no data are opened."""
    say = texts(language)
    studies = Points(
        tuple(
            say(
                "collection_explain.study",
                title=plain(in_language(study.model.title.languages(), language)),
                id=study.model.id,
                outcomes=listed(
                    (plain(in_language(name_of(one), language)) for one in study.model.all_outcomes), language
                ),
            )
            for study in collection.studies
        )
    )
    return (
        Section("studies", say("collection_explain.studies"), (studies,)),
        Section("samen", say("collection_explain.together"), tuple(_together(collection, say))),
        Section("rest", say("collection_explain.left"), tuple(_absent(collection, say))),
    )


def _together(collection: Collection, say: Texts) -> list[Block]:
    model, blocks = collection.model, list[Block]()
    if model.correction is None:
        return [Paragraph((say("collection_explain.none"),))]
    names = {found.slug: getattr(found, say.language) for found in indicators()}
    for study in collection.studies:
        own = {one.indicator: plain(in_language(name_of(one), say.language)) for one in study.model.all_outcomes}
        names |= own
    families = (
        say("collection_explain.family", name=name, list=listed((names[slug] for slug in members), say.language))
        for name, members in model.families.items()
    )
    blocks.append(Points(tuple(families)))
    method, level = model.correction.method, number(100 * model.correction.level, say.language, 1).removesuffix(",0")
    key = "share" if method.startswith("benjamini") else "correction"
    percent = say("format.percent", number=level.removesuffix(".0"))
    blocks.append(Paragraph((say(f"collection_explain.{key}", method=say(f"family.methods.{method}"), level=percent),)))
    if model.looks is not None:
        planned = model.looks.planned
        count = number(len(planned), say.language, 0)
        blocks.append(Paragraph((say("collection_explain.looks", count=count, list=listed(planned, say.language)),)))
    return blocks


def _absent(collection: Collection, say: Texts) -> list[Block]:
    items: list[Cell] = [
        say(
            "collection_explain.absent",
            name=plain(in_language(row.outcome, say.language)),
            statement=say(f"collection.statement.{row.statement}"),
            why=row.why.get(say.language, row.why["nl"]),
        )
        for row in rows_of(collection)
        if not row.study
    ]
    order = Paragraph((say(f"collection_explain.order.{collection.model.table.order}"),))
    return [Points(tuple(items)) if items else Paragraph((say("collection_explain.nothing"),)), order]
