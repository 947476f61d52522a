"""The page of one area: what is left of its estimate after drawing, its units and comparison; no rank, no statement."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from impact.errors import Problem, UsageError
from impact.evidence.change_table import both_units
from impact.evidence.comparison import count, fact_table
from impact.evidence.disclosed import withheld
from impact.evidence.document import Block, Cell, Code, Column, Document, Paragraph, Points, Section, Table
from impact.evidence.language import Texts, decimals, listed, number, percent_level, significant, texts
from impact.evidence.look_words import looked
from impact.evidence.reading import in_language, opening, plain, reason, size, visible, window, with_unit, within
from impact.evidence.record import AreaRow, Evidence
from impact.evidence.single_areas import FEWEST, UNDECLARED, SingleArea
from impact.evidence.standing import standing_sentences
from impact.evidence.translation import dutch_in, in_words

__all__ = ["ALL", "area_document", "area_documents"]

ALL = "all"
"""Instead of the name of an area: a page for each."""
_SMALL = 0.005  # weights below this would be printed as 0,00
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def area_documents(evidence: Evidence, slug: str, language: str = "nl") -> dict[str, Document]:
    """The page of an area, or of every area for ``all``, by their short names.

    Raises
    ------
    UsageError
        ``AREA-001`` the study has no such area; names those that it has.
    """
    chosen = [area.slug for area in evidence.areas] if slug == ALL else [slug]
    wrong = [one for one in chosen if not _SLUG.fullmatch(one)]
    if wrong:  # a name becomes that of a file
        raise UsageError(Problem("AREA-001", f"{wrong[0][:80]!r} is no short name of an area", "as delft-west"))
    return {one: area_document(evidence, one, {}, language) for one in chosen}


def area_document(evidence: Evidence, slug: str, figures: Mapping[str, str], language: str = "nl") -> Document:
    """The page about one area before any format.

    The number is that of ``Robust.areas``, drawn towards the mean of all areas; other areas stand in nothing but that
    mean. `figures` are about all areas together, and none of them is shown.

    Raises
    ------
    UsageError
        ``AREA-001`` the study has no such area; names those that it has.
    """
    say = texts(language, evidence.level)
    shown = visible(in_words(evidence, language))
    area = next((one for one in shown.areas if one.slug == slug), None)
    if area is None:
        hint = f"it has: {', '.join(one.slug for one in shown.areas)}; or say {ALL} for a page of each"
        raise UsageError(Problem("AREA-001", f"the study has no area {slug!r}", hint))
    robust = shown.robust
    own = None if robust is None or robust.areas is None or area.left_out else robust.areas.of(slug)
    areas = number(shown.compared_areas, language, 0)
    return Document(
        language,
        say("area_page.title", area=area.name, outcome=within(_outcome(shown, say))),
        in_language(shown.question, language),
        say(f"status.{shown.status}", areas=areas, total=number(shown.areas_total, language, 0))
        + looked(shown.look, say),
        (),
        (say("status.placebo"), say("status.placebo_why")) if shown.placebo else None,
        _result(area, own, shown, say),
        (*_change(area, own, shown, say), _not_said(say), _verify(say)),
        (_facts(area, say), _compared(area, shown, say), _data(area, shown, say)),
        tuple(standing_sentences(shown.standing, say)),
        dutch=dutch_in(evidence, language),
    )


def _outcome(evidence: Evidence, say: Texts) -> str:
    return plain(in_language(evidence.outcome, say.language))


# --- the number -------------------------------------------------------------------------------------------------------


def _result(area: AreaRow, own: SingleArea | None, evidence: Evidence, say: Texts) -> Section:
    said = _why_not(area, evidence, say) if own is None else tuple(_number(area, own, evidence, say))
    title = say("area_page.without_number" if own is None else "area_page.with_number")
    return Section("resultaat", title, (Paragraph(said), Paragraph((say("area_page.no_statement"),))))


def _number(area: AreaRow, own: SingleArea, evidence: Evidence, say: Texts) -> Iterator[Cell]:
    assert evidence.robust is not None, "the number comes from it"
    assert evidence.robust.areas is not None
    every, digits = evidence.robust.areas, decimals(own.std_error, own.value)
    low, high = round(own.low, digits), round(own.high, digits)
    yield say(
        "area_page.found" if round(own.value, digits) else "area_page.found_same",
        period=own.after or window(evidence),
        outcome=within(_outcome(evidence, say)),
        area=area.name,
        difference=size(own.value, digits, say, evidence.unit),
        level=percent_level(every.level, say.language),
        low=size(low, digits, say),
        high=size(high, digits, say),
    )
    many = count(len(every.areas), say)
    kept = say("format.percent", number=number(100 * own.weight, say.language, 0))
    yield say("area_page.drawn", count=many, centre=size(own.centre, digits, say, evidence.unit), kept=kept)
    if every.floored:
        yield say("area_page.alike")
    yield say("area_page.inside" if low <= 0 <= high else "area_page.outside", count=many)


def _why_not(area: AreaRow, evidence: Evidence, say: Texts) -> tuple[Cell, ...]:
    """Why there is no number of this area."""
    if evidence.not_measurable:
        why = listed(evidence.not_measurable, say.language)
        return (say("area_page.not_measurable", outcome=within(_outcome(evidence, say)), reason=why),)
    if evidence.sealed:
        closed = (check.name for check in evidence.checks if check.gates and check.verdict != "pass")
        titles = (f"‘{say.known(f'checks.{name}.title', name)}’" for name in closed)
        return (say("area_page.sealed", checks=listed(titles, say.language)),)
    if area.left_out:
        return (say("area_page.left_out", area=area.name, reason=area.left_out),)
    found = None if evidence.robust is None else evidence.robust.areas
    refused = evidence.primary.refused if found is None else found.refused
    if withheld(refused) or withheld(evidence.primary.refused):
        return (say("area_page.withheld"),)
    if evidence.primary.value is None or found is None:
        return (say("area_page.no_estimate"),)
    if refused is not None and refused.because == UNDECLARED:
        return (say("area_page.no_placebo"),)
    if evidence.primary.areas < FEWEST:
        return (say("area_page.few", count=count(evidence.primary.areas, say), least=count(FEWEST, say)),)
    return (say("area_page.refused"), *(() if refused is None else reason(refused, evidence, say)[1:2]))


# --- before and after -------------------------------------------------------------------------------------------------


def _change(area: AreaRow, own: SingleArea | None, evidence: Evidence, say: Texts) -> tuple[Section, ...]:
    """Only where the levels are known and there is a number to read beside them."""
    if own is None:
        return ()
    levels = (own.focus_before, own.comparison_before, own.focus_after, own.comparison_after)
    if any(level is None for level in levels):
        return ()
    digits = decimals(own.std_error, own.value)

    def written(x: float | None, *, sign: bool = False) -> str:
        return number(x or 0.0, say.language, digits, sign=sign)

    moved = ((own.focus_after or 0.0) - (own.focus_before or 0.0), own.comparison_after or 0.0)
    moved = (moved[0], moved[1] - (own.comparison_before or 0.0))
    rows: tuple[tuple[Cell, ...], ...] = (
        (
            say("area_page.change.before", period=own.before),
            written(own.focus_before),
            written(own.comparison_before),
        ),
        (say("area_page.change.after", period=own.after), written(own.focus_after), written(own.comparison_after)),
        (say("area_page.change.change"), *(written(x, sign=True) for x in moved)),
    )
    columns = tuple(
        Column(say(f"area_page.change.{name}"), name != "period") for name in ("period", "area", "comparison")
    )
    table = Table(
        say(
            "area_page.change.caption",
            outcome=_outcome(evidence, say),
            area=area.name,
            unit=both_units(evidence.unit, say),
        ),
        columns,
        rows,
        say("area_page.change.note", difference=size(own.estimate, digits, say, evidence.unit)),
    )
    return (Section("voor-en-na", say("area_page.change.title"), (table,)),)


def _not_said(say: Texts) -> Section:
    names = ("measure", "cause", "order", "people")
    points = Points(tuple(say(f"area_page.not_said.{name}") for name in names))
    return Section("wat-niet", say("area_page.not_said.title"), (points,))


def _verify(say: Texts) -> Section:
    how = Paragraph((say("area_page.verify.how"), Code("impact verify bundle.zip")))
    return Section("nagaan", say("area_page.verify.title"), (how,))


# --- the area, its comparison, its data -------------------------------------------------------------------------------


def _facts(area: AreaRow, say: Texts) -> Section:
    nothing = say("words.not_given")
    role = say("area_page.facts.left_out", reason=area.left_out) if area.left_out else say("words.yes")
    values = {
        "name": area.name,
        "cluster": area.cluster or nothing,
        "units": listed(area.units, say.language) or nothing,
        "start": area.first_treated or nothing,
        "base": area.base or nothing,
        "role": role,
    }
    facts: tuple[tuple[Cell, Cell], ...] = tuple(
        (say(f"area_page.facts.{name}"), value) for name, value in values.items()
    )
    return Section("gebied", say("area_page.facts.title"), (fact_table(say("area_page.facts.caption"), facts, say),))


def _compared(area: AreaRow, evidence: Evidence, say: Texts) -> Section:
    """The units it is compared with: those that were chosen for it, that have weight for it, or that all share."""
    together = {one.start: one.units for one in evidence.shared}.get(area.first_treated, ())
    kinds = {"matched": area.matched, "weighted": area.weights, "shared": together}
    kind, units = next(((name, units) for name, units in kinds.items() if units), ("pool", ()))
    many = count(len(units) or evidence.compared, say)
    key = "none" if area.left_out else kind
    blocks: list[Block] = [Paragraph((say(f"area_page.compared.{key}", count=many),))]
    large = [(unit, weight) for unit, weight in units if abs(weight) >= _SMALL]
    if large and not area.left_out:
        rest = len(units) - len(large)
        blocks.append(
            Table(
                say("area_page.compared.caption", area=area.name),
                (Column(say("area_page.compared.unit")), Column(say("area_page.compared.weight"), True)),
                tuple((unit, number(weight, say.language, 2)) for unit, weight in large),
                say("area_page.compared.rest", count=count(rest, say)) if rest else "",
            )
        )
    return Section("vergelijking", say("area_page.compared.title"), tuple(blocks))


def _data(area: AreaRow, evidence: Evidence, say: Texts) -> Section:
    items = tuple(_notes(area, evidence, say))
    blocks: tuple[Block, ...] = (Points(items),) if items else (Paragraph((say("area_page.data.none"),)),)
    return Section("gegevens", say("area_page.data.title"), blocks)


def _notes(area: AreaRow, evidence: Evidence, say: Texts) -> Iterator[Cell]:
    codes = [unit.split(" ")[0] for unit in area.units]
    fits = () if evidence.robust is None or area.left_out else evidence.robust.fit
    for fit in fits:
        if fit.area in (area.name, area.slug):
            off = with_unit(significant(fit.rmspe, say.language, 2), evidence.unit)
            yield say("area_page.data.fit", rmspe=off, periods=count(fit.periods, say))
    for row in evidence.excluded:
        if row.unit in codes:
            yield say("area_page.data.unit", unit=row.unit, reason=row.reason)
    for note in evidence.notes:
        if any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", note) for name in (area.name, area.slug, *codes)):
            yield opening(note)
    reasons: dict[str, list[str]] = {}
    for period in evidence.periods_left_out:
        reasons.setdefault(period.reason, []).append(period.unit)
    for why, labels in reasons.items():
        yield say("area_page.data.period", periods=listed(labels, say.language), reason=why)
