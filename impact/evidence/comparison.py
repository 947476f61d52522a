"""Who is compared with whom, how alike they are, and how both developed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from impact.evidence.change_table import both_units
from impact.evidence.document import Block, Cell, Column, Figure, Paragraph, Table
from impact.evidence.language import Texts, exact, listed, number, p_value, percent_level, significant
from impact.evidence.maps import map_table
from impact.evidence.plots_course import banded, placebo_range, placebo_rows
from impact.evidence.reading import band, in_language, interval, one_base, printed, slug, value, window, with_unit
from impact.evidence.record import AreaRow, Estimate, Evidence, FlowStep

__all__ = ["balance", "by_area", "columns", "count", "course", "design", "fact_table"]

_SMALL = 0.005  # weights below this would be printed as 0,00


def columns(part: str, names: str, numbers: str, say: Texts) -> tuple[Column, ...]:
    """Columns `names` of the table whose texts are under `part`; `numbers` stand to the right."""
    return tuple(Column(say(f"{part}.{name}"), name in numbers.split()) for name in names.split())


def count(x: int, say: Texts) -> str:
    """A whole number as text."""
    return number(x, say.language, 0)


def fact_table(caption: str, facts: tuple[tuple[Cell, Cell], ...], say: Texts) -> Table:
    """A table of names and values."""
    return Table(caption, (Column(say("words.what")), Column(say("words.which"))), facts)


# --- design -----------------------------------------------------------------------------------------------------------


def design(evidence: Evidence, figures: Mapping[str, str], say: Texts) -> list[Block]:
    """What was asked of which areas, and whom they are compared with."""
    facts: list[tuple[Cell, Cell]] = [
        (say("design.outcome"), in_language(evidence.outcome, say.language)),
        (say("design.unit"), evidence.unit),
        (say("design.better"), say(f"better.{evidence.better}")),
        (say("design.window"), window(evidence)),
        (
            say("design.periods"),
            f"{evidence.periods[0]}–{evidence.periods[-1]}" if evidence.periods else say("words.not_given"),
        ),
        (say("design.anticipation"), count(evidence.anticipation, say)),
        (say("design.seen_before"), evidence.seen_before or say("words.not_given")),
    ]
    if evidence.covariates:
        facts.append((say("design.covariates"), listed(evidence.covariates, say.language)))
    if evidence.smallest is not None:
        smallest = with_unit(exact(evidence.smallest, say.language), evidence.unit)
        facts.append(
            (say("design.smallest"), f"{smallest} ({evidence.smallest_why})" if evidence.smallest_why else smallest)
        )
    blocks: list[Block] = [fact_table(say("design.caption"), tuple(facts), say)]
    if evidence.flow:
        note = say("flow.note", pool=count(evidence.pool, say), compared=count(evidence.compared, say))
        table = _flow(say("flow.caption"), evidence.flow, note, "flow" in figures, say)
        blocks.append(_drawn(say("flow.figure"), "flow", figures, table))
    if evidence.map:
        blocks.append(_drawn(say("map.figure"), "map", figures, map_table(evidence, "map" in figures, say)))
    for variant in evidence.alternatives:
        if variant.flow:
            caption = say("pool.alternative", name=variant.name)
            blocks.append(_flow(caption, variant.flow, "", True, say))
    if evidence.excluded:
        blocks.append(
            Table(
                say("excluded.caption", count=count(len(evidence.excluded), say)),
                columns("excluded", "unit reason", "", say),
                tuple((row.unit, row.reason) for row in evidence.excluded),
                folded=True,
            )
        )
    return blocks


def by_area(evidence: Evidence, say: Texts) -> list[Block]:
    """The areas with their start and base, and whom each of them is compared with."""
    blocks: list[Block] = [_areas(evidence, say)] if evidence.areas else []
    if any(area.matched for area in evidence.areas):
        blocks.append(_matched(evidence, say))
    if evidence.shared:
        rows = [(shared.start, _named(shared.units, say)) for shared in evidence.shared]
        blocks.append(Table(say("shared.caption"), columns("shared", "start units", "", say), tuple(rows), folded=True))
    if any(area.weights for area in evidence.areas):
        blocks.append(_weights(evidence, say))
    return blocks


def _flow(caption: str, steps: Sequence[FlowStep], note: str, folded: bool, say: Texts) -> Table:
    rows = tuple((step.step, step.reason, count(step.removed, say), count(step.left, say)) for step in steps)
    return Table(caption, columns("flow", "step reason removed left", "removed left", say), rows, note, folded)


def _areas(evidence: Evidence, say: Texts) -> Table:
    nothing, whole = say("words.not_given"), evidence.level == "gemeente"
    rows: list[tuple[Cell, ...]] = [
        (
            area.name,
            area.cluster,
            listed(area.units, say.language) or nothing,
            area.first_treated or nothing,
            area.base or nothing,
            say("areas.out", reason=area.left_out) if area.left_out else say("areas.in"),
            *(_population(area, say) if whole else ()),
        )
        for area in evidence.areas
        if area.units or area.first_treated  # the others are named on the first page
    ]
    return Table(
        say("areas.caption"),
        columns("areas", f"name cluster units start base role{' population' if whole else ''}", "", say),
        tuple(rows),
        say("areas.note"),
    )


def _population(area: AreaRow, say: Texts) -> tuple[str]:
    """Which share of the residents of a gemeente lives in its area."""
    if area.left_out:
        return (say("words.not_given"),)
    if area.population is None:
        return (say("areas.population_unknown", reason=area.population_unknown or say("words.not_given")),)
    return (say("format.percent", number=number(100 * area.population, say.language, 1)),)


def _matched(evidence: Evidence, say: Texts) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (area.name, "; ".join(f"{unit} ({number(weight, say.language, 2)})" for unit, weight in area.matched))
        for area in evidence.included
        if area.matched
    ]
    return Table(say("matched.caption"), columns("matched", "area units", "", say), tuple(rows), folded=True)


def _weights(evidence: Evidence, say: Texts) -> Table:
    """One row for areas that are compared as one."""
    together: dict[tuple[tuple[str, float], ...], list[str]] = {}
    for area in evidence.included:
        together.setdefault(area.weights, []).append(area.name)
    rows: list[tuple[Cell, ...]] = [
        (listed(names, say.language), _named(weights, say)) for weights, names in together.items()
    ]
    return Table(say("weights.caption"), columns("weights", "area units", "", say), tuple(rows), folded=True)


def _named(weights: Sequence[tuple[str, float]], say: Texts) -> str:
    """Units with their weights, and how many have next to none."""
    large = [(unit, weight) for unit, weight in weights if abs(weight) >= _SMALL]
    named = [f"{unit} ({number(weight, say.language, 2)})" for unit, weight in large]
    rest = len(weights) - len(large)
    return "; ".join([*named, *([say("weights.rest", count=count(rest, say))] if rest else [])])


# --- comparability ----------------------------------------------------------------------------------------------------


def balance(evidence: Evidence, figures: Mapping[str, str], say: Texts) -> list[Block]:
    """How alike the focus areas and their comparison are."""
    if not evidence.balance:
        return []
    matching = any(row.smd_pool != row.smd_matched or row.pool != row.matched for row in evidence.balance)
    names = "name focus pool matched smd_pool smd_matched matched_on" if matching else "name focus pool smd_pool"
    rows = []
    for row in evidence.balance:
        focus, pool, matched = (significant(x, say.language) for x in (row.focus, row.pool, row.matched))
        smd_pool, smd_matched = (
            say("balance.apart") if x is None else number(x, say.language, 2, sign=True)
            for x in (row.smd_pool, row.smd_matched)
        )
        used = say("words.yes" if row.matched_on else "words.no")
        rows.append(
            (row.label or row.name, focus, pool, matched, smd_pool, smd_matched, used)
            if matching
            else (row.label or row.name, focus, pool, smd_pool)
        )
    table = Table(
        say("balance.caption"),
        columns("balance", names, "focus pool matched smd_pool smd_matched", say),
        tuple(rows),
        " ".join([say("balance.note"), *_remarks(evidence, say)]),
    )
    svg = figures.get("balance")
    return [
        Paragraph((say("balance.intro" if matching else "balance.intro_unmatched"),)),
        table if svg is None else Figure(say("balance.figure"), svg, table),
    ]


def _remarks(evidence: Evidence, say: Texts) -> list[str]:
    """What has no yardstick, and what is not known of everybody."""
    said = []
    if any(row.smd_pool is None or row.smd_matched is None for row in evidence.balance):
        said.append(say("balance.apart-note"))
    gaps = [f"{row.label or row.name} ({count(row.unknown, say)})" for row in evidence.balance if row.unknown]
    if gaps:
        said.append(say("balance.unknown", list=listed(gaps, say.language)))
    return said


# --- course -----------------------------------------------------------------------------------------------------------


def course(evidence: Evidence, figures: Mapping[str, str], say: Texts) -> list[Block]:
    """How both developed, and the estimates by periods since the start."""
    blocks: list[Block] = []
    if evidence.path:
        shown = printed(evidence.primary)
        digits = shown.digits if shown else 1
        nothing = say("words.not_given")
        rows: list[tuple[Cell, ...]] = []
        for point in evidence.path:
            gap = None if point.focus is None or point.comparison is None else point.focus - point.comparison
            cells = [nothing if x is None else number(x, say.language, digits) for x in (point.focus, point.comparison)]
            rows.append(
                (
                    point.period,
                    *cells,
                    nothing if gap is None else number(gap, say.language, digits, sign=True),
                    say("path.after" if point.after else "path.before"),
                )
            )
        table = Table(
            say("path.caption", unit=both_units(evidence.unit, say)),
            columns("path", "period focus comparison gap side", "focus comparison gap", say),
            tuple(rows),
            folded="gap" in figures,
        )
        blocks.append(_drawn(say("path.figure"), "gap", figures, table))
    if evidence.event:
        nothing = say("words.not_given")
        together = banded(evidence)
        events: list[tuple[Cell, ...]] = [
            (
                _event_name(row.term, say),
                value(row, say),
                interval(row, say),
                *((band(row, say),) if together else ()),
                count(row.areas, say),
                count(row.treated_clusters, say),
            )
            for row in evidence.event
        ]
        heads = list(columns("event", "term value interval areas clusters", "value areas clusters", say))
        heads[3:3] = [Column(say("figures.together_column"))] if together else []
        table = Table(
            say("event.caption", unit=evidence.unit),
            tuple(heads),
            tuple(events),
            folded="event-study" in figures,
        )
        level = percent_level(evidence.primary.level, say.language)
        shown_intervals = any(row.low is not None for row in evidence.event)
        remark = say("event.pointwise", level=level) if shown_intervals else say("event.no_intervals")
        remark = say("figures.told_apart", level=level) if together and shown_intervals else remark
        blocks += [
            _drawn(say("event.figure"), "event-study", figures, table),
            Paragraph((_base_remark(evidence, say), remark)),
        ]
    return [*blocks, *_placebos(evidence, figures, say)]


def _placebos(evidence: Evidence, figures: Mapping[str, str], say: Texts) -> list[Block]:
    """What the same calculation finds where nothing began."""
    found, rows = evidence.placebos, placebo_rows(evidence)
    if found is None or not rows:
        return []

    def between(own: Estimate, low: float, high: float) -> str:
        first, last = placebo_range(own, low, high, say)
        return say("format.interval", low=first, high=last)

    heads = (
        *columns("event", "term value", "value", say),
        Column(say("figures.placebo_half")),
        Column(say("figures.placebo_most")),
    )
    cells = tuple(
        (
            _event_name(own.term, say),
            value(own, say),
            between(own, row.lower, row.upper),
            between(own, row.low, row.high),
        )
        for own, row in rows
    )
    caption = say("figures.placebo_caption", unit=evidence.unit)
    table = Table(caption, heads, cells, say("figures.placebo_note"), folded="placebos" in figures)
    pieces: list[Cell] = [say("figures.placebo_intro", sets=count(found.sets, say))]
    if found.p_value is not None:
        p = p_value(found.p_value, say.language, None if found.enumerated else found.sets)
        pieces.append(say("figures.placebo_p", p=p))
    return [Paragraph(tuple(pieces)), _drawn(say("figures.placebo_figure"), "placebos", figures, table)]


def _drawn(caption: str, name: str, figures: Mapping[str, str], table: Table) -> Block:
    return Figure(caption, figures[name], table) if name in figures else table


def _event_name(term: str, say: Texts) -> str:
    try:
        return number(int(term), say.language, 0, sign=True)
    except ValueError:
        return say.known(f"event.{term}", term)


def _base_remark(evidence: Evidence, say: Texts) -> str:
    """With what the estimates before the start are compared, read from the method and from which of them are there."""
    if one_base(evidence):
        return say("event.universal")
    method = evidence.primary.method
    if method == "group-time":
        return say("event.varying")
    return say.known(f"event.base.{slug(method)}", say("event.base.other"))
