"""The report of a collection: one table over all indicators, the statements in full, and p-values in an appendix.

A pure function of the records of the outcomes and of what there is to say of the collection itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from impact.evidence.addresses import primary_address
from impact.evidence.change_table import both_units
from impact.evidence.collected import Collected, Row, families_of, outcome_of
from impact.evidence.comparison import columns, count
from impact.evidence.conclusion import concluded, judged, said, title
from impact.evidence.disclosed import withheld
from impact.evidence.document import Block, Cell, Code, Document, Figure, Foreign, Paragraph, Points, Section, Table
from impact.evidence.family_tables import families
from impact.evidence.language import Texts, exact, listed, number, percent_level, texts
from impact.evidence.plots_collection import indicator_rows
from impact.evidence.reading import (
    in_language,
    interval,
    named,
    periods,
    plain,
    printed,
    value,
    visible,
    with_unit,
    within,
)
from impact.evidence.record import Evidence
from impact.evidence.render import html
from impact.evidence.standing import standing_sentences
from impact.evidence.statement import Statement, sentence
from impact.evidence.translation import dutch_in, in_words, page_in

__all__ = ["LEVEL", "collection_document", "collection_html", "collection_table"]

LEVEL = "collection"
"""Texts of a report that are others for a collection stand in the parts ``…_collection``."""
_COLUMNS = "indicator source focus comparison difference counts smallest statement status"


def collection_document(
    outcomes: Sequence[Evidence],
    collected: Collected,
    figures: Mapping[str, str] | None = None,
    language: str = "nl",
    translation: str = "",
) -> Document:
    """The parts of the report of a collection, before any format.

    Parameters
    ----------
    outcomes : sequence of Evidence
        Of all its studies, in any order.
    collected : Collected
        Its rows, and how far it was fixed beforehand.
    figures : mapping of str to str
        SVG by name; ``forest`` stands in the appendix.
    language : str
        ``nl`` or ``en``.
    translation : str
        The file of the same page in the other language.

    Raises
    ------
    UsageError
        ``TEXT-001``, ``TEXT-002``.
    """
    say = texts(language, LEVEL)
    shown = _shown(outcomes, language)
    standing = collected.standing
    page = page_in("report.html", language)
    studied = sum(bool(row.study) for row in collected.rows)
    counts = {"studied": count(studied, say), "total": count(len(collected.rows), say)}
    return Document(
        language,
        in_language(collected.title, language),
        say("collection.question", **counts),
        say(f"collection.status.{standing.status}", look=count(standing.look, say)),
        tuple((_study_title(shown, slug, language), f"{slug}/{page}") for slug, _ in collected.studies),
        None,
        Section("tabel", say("collection.title"), (collection_table(outcomes, collected, say),)),
        (_statements(shown, collected, say), _not_said(say), _verify(say)),
        (_corrections(shown, figures or {}, say), _studies(shown, collected, say)),
        tuple(standing_sentences(standing, say)),
        translation,
        tuple(dict.fromkeys(text for evidence in outcomes for text in dutch_in(evidence, language))),
    )


def _shown(outcomes: Sequence[Evidence], language: str) -> tuple[Evidence, ...]:
    """What a reader may see of every outcome, in a language."""
    return tuple(visible(in_words(evidence, language)) for evidence in outcomes)


def collection_html(document: Document) -> str:
    """The report of a collection as one HTML page without script, font or address from elsewhere."""
    return html(document, texts(document.language, LEVEL))


def collection_table(outcomes: Sequence[Evidence], collected: Collected, say: Texts) -> Table:
    """All indicators in the order of the collection; `say` is ``texts(language, "collection")``."""
    shown = _shown(outcomes, say.language)
    levels = {level for one in shown if (level := _level(one, say))}
    level = say("collection.interval", level=levels.pop()) if len(levels) == 1 else ""
    rows = tuple(_row(row, outcome_of(shown, row), bool(level), say) for row in collected.rows)
    heads = columns("collection.column", _COLUMNS, "", say)
    named = say("collection.difference", interval=level or say("collection.several"))
    heads = tuple(
        head if name != "difference" else type(head)(named) for name, head in zip(_COLUMNS.split(), heads, strict=True)
    )
    look = count(collected.standing.look, say)
    return Table(say("collection.caption", look=look), heads, rows, " ".join(_footnote(shown, collected, say)))


# --- rows -------------------------------------------------------------------------------------------------------------


def _row(row: Row, evidence: Evidence | None, one_level: bool, say: Texts) -> tuple[Cell, ...]:
    name, kind = _indicator(row, evidence, say), say(f"collection.kind.{row.kind}")
    nothing = say("collection.nothing")
    if evidence is None:
        calculated = say("collection.not_computed")
        return (name, kind, nothing, nothing, calculated, nothing, nothing, _absent(row, say), nothing)
    source: Cell = f"{kind}; {row.source}" if say.language == "nl" else kind
    smallest = nothing if evidence.smallest is None else exact(evidence.smallest, say.language)
    return (
        name,
        source,
        *_levels(evidence, say),
        _difference(evidence, one_level, say),
        _counts(evidence, say),
        smallest,
        _conclusion(evidence, say),
        say(f"collection.row.{evidence.status}"),
    )


def _indicator(row: Row, evidence: Evidence | None, say: Texts) -> Cell:
    unit = both_units(row.unit.get(say.language, row.unit["nl"]), say)
    parts = [unit, say(f"collection.better.{row.better}")]
    if evidence is not None and evidence.level == "gemeente":
        parts.append(say("collection.whole"))
    place = "" if row.number is None else f"{row.number} "
    about = f"({'; '.join(part for part in parts if part)})"
    if say.language in row.outcome:
        return f"{place}{row.outcome[say.language]} {about}"
    return Foreign(f"{place}{row.outcome['nl']} {about}", "nl")


def _absent(row: Row, say: Texts) -> Cell:
    """Why there is no study, in the language of the reason."""
    given = say.language in row.why
    words = say if given else texts("nl", LEVEL)
    text = f"{words(f'collection.statement.{row.statement}')}: {row.why.get(say.language, row.why.get('nl', ''))}"
    return text if given else Foreign(text, "nl")


def _levels(evidence: Evidence, say: Texts) -> tuple[str, str]:
    """Before and after, of focus areas and of their comparison; neither of a sealed outcome."""
    change, shown = evidence.change, printed(judged(evidence))
    if _hidden(evidence):
        return (say("words.sealed"),) * 2
    if change is None or shown is None:
        return (say("collection.nothing"),) * 2
    pairs = ((change.focus_before, change.focus_after), (change.comparison_before, change.comparison_after))
    first, second = (
        " → ".join(say("collection.nothing") if x is None else number(x, say.language, shown.digits) for x in pair)
        for pair in pairs
    )
    return first, second


def _hidden(evidence: Evidence) -> bool:
    """Whether a check sealed it; of what cannot be measured nothing was computed."""
    return evidence.sealed and not evidence.not_measurable


def _difference(evidence: Evidence, one_level: bool, say: Texts) -> str:
    answer = judged(evidence)
    if evidence.not_measurable:
        return say("collection.not_computed")
    if evidence.sealed:
        return say("words.sealed")
    if answer.value is None:
        return value(answer, say)
    if one_level or answer.low is None:
        return f"{value(answer, say)} ({interval(answer, say)})"
    level = say("collection.interval", level=_level(evidence, say))
    return f"{value(answer, say)} ({level}: {interval(answer, say)})"


def _level(evidence: Evidence, say: Texts) -> str:
    """Of the interval that is shown; "" where there is none."""
    answer = judged(evidence)
    return "" if evidence.sealed or answer.low is None else percent_level(answer.level, say.language)


def _counts(evidence: Evidence, say: Texts) -> str:
    """Areas, gemeenten, and measurements before and after."""
    span = periods(evidence)
    areas, gemeenten = evidence.compared_areas, evidence.compared_gemeenten
    waves = say("collection.nothing") if span is None else f"{count(span.before, say)}/{count(span.after, say)}"
    return f"{count(areas, say)} · {count(gemeenten, say)} · {waves}"


def _conclusion(evidence: Evidence, say: Texts) -> str:
    """The statement in short with its reason, or why there is none."""
    own = texts(say.language, evidence.level)
    found = concluded(evidence)
    if evidence.not_measurable:
        return f"{say('collection.statement.not-measurable')}: {listed(evidence.not_measurable, say.language)}"
    if found is None:
        why = "answer.sealed" if _hidden(evidence) else f"collection.because.{_why_none(evidence)}"
        return say("collection.none", why=say(why))
    name = title(found, evidence, own)
    if found.form == "smaller" and evidence.smallest is not None:
        bound = with_unit(exact(evidence.smallest, say.language), evidence.unit)
        return say("answer.smaller", title=name, bound=bound)
    if found.kind != "cannot-be-established":
        return name
    return f"{name}: {_because(found, evidence, say)}"


def _because(found: Statement, evidence: Evidence, say: Texts) -> str:
    key = f"collection.why.{found.form}"
    if found.form == "interval" and evidence.smallest is not None:
        return say(key, bound=with_unit(exact(evidence.smallest, say.language), evidence.unit))
    if found.form == "check":
        return say(key, check=_closed(evidence, say))
    return say(key)


def _why_none(evidence: Evidence) -> str:
    if withheld(evidence.primary.refused):
        return "withheld"
    if evidence.status in ("exploratory", "deviation"):
        return evidence.status
    return "unplanned" if evidence.look is not None and not evidence.look.label else "neither"


def _footnote(outcomes: Sequence[Evidence], collected: Collected, say: Texts) -> Iterator[str]:
    yield say("collection.note.together")
    if any(evidence.families for evidence in outcomes):
        yield say("collection.note.family")
        outside = [evidence for evidence in outcomes if not evidence.families and not evidence.sealed]
        if outside:
            names = (within(plain(in_language(one.outcome, say.language))) for one in outside)
            yield say("collection.note.outside", list=listed(names, say.language))
    else:
        yield say("collection.note.uncorrected")
    yield say("collection.note.smallest")
    if any(_hidden(evidence) for evidence in outcomes):
        yield say("collection.note.sealed")
    if collected.whole:
        yield say("collection.note.all")


# --- the statements in full, and what they do not say -----------------------------------------------------------------


def _statements(outcomes: Sequence[Evidence], collected: Collected, say: Texts) -> Section:
    blocks: list[Block] = [Paragraph((say("collection.whole_sentence"),))]
    for row in collected.rows:
        evidence = outcome_of(outcomes, row)
        blocks.append(
            Paragraph(tuple(_unstudied(row, say) if evidence is None else _stated(evidence, row, collected, say)))
        )
    return Section("uitspraken", say("collection.statements"), tuple(blocks))


def _stated(evidence: Evidence, row: Row, collected: Collected, say: Texts) -> Iterator[Cell]:
    """The fixed sentence of an outcome, with its address in the collection."""
    own, found = texts(say.language, evidence.level), concluded(evidence)
    yield _head(row, say)
    if found is not None:
        yield said(found, evidence, own)
    elif evidence.not_measurable:
        reason = listed(evidence.not_measurable, say.language)
        yield own("statements.not-measurable.text", outcome=named(evidence, say), reason=reason)
    else:
        yield _no_statement(evidence, say)
    number_of = str(primary_address(evidence)).partition("#")[2]
    yield say("result.address")
    yield Code(f"{collected.place}#{number_of}")


def _no_statement(evidence: Evidence, say: Texts) -> str:
    """Why there is none, and where what was found stands: nowhere, if a check sealed it."""
    if _hidden(evidence):
        return say("answer.sealed_statement", checks=_closed(evidence, say))
    why = say(f"collection.because.{_why_none(evidence)}")
    return say("collection.no_statement", why=why, study=evidence.study)


def _closed(evidence: Evidence, say: Texts) -> str:
    """The checks that seal it."""
    closed = (check.name for check in evidence.checks if check.gates and check.verdict != "pass")
    return listed((f"‘{say.known(f'checks.{name}.title', name)}’" for name in closed), say.language)


def _unstudied(row: Row, say: Texts) -> Iterator[Cell]:
    yield _head(row, say)
    given = say.language in row.why
    words = say if given else texts("nl", LEVEL)
    reason = row.why.get(say.language, row.why.get("nl", ""))
    about = row.phrase or row.outcome
    name = within(about.get(words.language, about["nl"]))
    if row.statement == "not-measurable":
        text = sentence(Statement("not-measurable"), words.language, outcome=name, reason=reason)
    else:
        text = words("collection.not_studied", outcome=name, reason=reason)
    yield text if given else Foreign(text, "nl")


def _head(row: Row, say: Texts) -> Cell:
    place = "" if row.number is None else f"{row.number} "
    if say.language in row.outcome:
        return f"{place}{row.outcome[say.language]}."
    return Foreign(f"{place}{row.outcome['nl']}.", "nl")


def _not_said(say: Texts) -> Section:
    keys = ("not_said.areas", "not_said.people", "collection.not_said.sum", "collection.not_said.unstudied")
    items = tuple(say(key) for key in (*keys, "not_said.target_sealed", "not_said.other_policy"))
    return Section("wat-niet", say("collection.not_said.title"), (Points(items),))


def _verify(say: Texts) -> Section:
    without = Paragraph((say("verify.bundle"), Code("impact verify bundle.zip")))
    again = Paragraph((say("verify.again"), Code(f"impact verify bundle.zip --data {say('verify.folder')} --rerun")))
    return Section("nagaan", say("verify.title"), (without, again))


# --- appendices -------------------------------------------------------------------------------------------------------


def _corrections(outcomes: Sequence[Evidence], figures: Mapping[str, str], say: Texts) -> Section:
    """p-values and intervals of every family, and the forest over indicators where it is drawn."""
    blocks = families(families_of(outcomes), (), say) or [Paragraph((say("collection.no_families"),))]
    if "forest" in figures:
        blocks.insert(0, Figure(say("collection.forest"), figures["forest"], _forest(outcomes, say)))
    return Section("correcties", say("collection.corrections"), tuple(blocks))


def _forest(outcomes: Sequence[Evidence], say: Texts) -> Table:
    """The numbers of the forest, and in words what has none."""
    rows = tuple(
        (in_language(one.outcome, say.language), row.state, "")
        if row.value is None
        else (
            in_language(one.outcome, say.language),
            with_unit(value(judged(one), say), one.unit),
            interval(judged(one), say),
        )
        for one, row in zip(outcomes, indicator_rows(outcomes, say), strict=True)
    )
    return Table(
        say("collection.forest"), columns("collection.forest_column", "outcome value interval", "value", say), rows
    )


def _studies(outcomes: Sequence[Evidence], collected: Collected, say: Texts) -> Section:
    """Every study with its lock, its status and the digest of what it says."""
    rows = []
    for slug, lock8 in collected.studies:
        own = next((one for one in outcomes if one.study == slug), None)
        if own is None:
            continue
        lock: Cell = Code(lock8) if lock8 else say("collection.unlocked")
        status = say(f"collection.row.{own.status}")
        rows.append((slug, in_language(own.title, say.language), lock, status, Code(own.spec_sha256[:16])))
    heads = columns("collection.studies", "study title lock status digest", "", say)
    table = Table(say("collection.studies.caption"), heads, tuple(rows), say("collection.studies.note"))
    return Section("studies", say("collection.studies.heading"), (table,))


def _study_title(outcomes: Sequence[Evidence], slug: str, language: str) -> str:
    own = next((one for one in outcomes if one.study == slug), None)
    return slug if own is None else plain(in_language(own.title, language))
