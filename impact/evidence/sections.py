"""The account behind the first page: design, comparability, course, estimate, what else was tried, checks, data."""

from __future__ import annotations

from collections.abc import Mapping

from impact.evidence.document import Block, Cell, Code, Column, Figure, Foreign, Paragraph, Points, Section, Table
from impact.evidence.front import check_title
from impact.evidence.language import Texts, decimals, listed, number, p_value, significant
from impact.evidence.record import Estimate, Evidence, Second, Variant
from impact.evidence.result import (
    in_language,
    included,
    interval,
    opening,
    periods,
    plain,
    printed,
    reason,
    slug,
    value,
    window,
)
from impact.inference.support import support

__all__ = ["account", "base_remark"]


def account(evidence: Evidence, figures: Mapping[str, str], say: Texts) -> tuple[Section, ...]:
    """All sections of the account; `evidence` is the visible one."""
    return (
        _section("opzet", "design", _design(evidence, say), say),
        _section("vergelijkbaarheid", "balance", _balance(evidence, figures, say), say),
        _section("verloop", "course", _course(evidence, figures, say), say),
        _section("schatting", "estimate", _estimate(evidence, say), say),
        _section("andere-berekeningen", "others", _others(evidence, say), say),
        _section("geweigerd", "refused", _refused(evidence, say), say),
        _section("toetsen", "checked", _checks(evidence, say), say),
        _section("gegevens", "data", _data(evidence, say), say),
        _section("herkomst", "origin", _origin(evidence, say), say),
    )


def _section(name: str, part: str, blocks: list[Block], say: Texts) -> Section:
    return Section(name, say(f"{part}.title"), tuple(blocks) or (Paragraph((say(f"{part}.none"),)),))


def _columns(part: str, names: str, numbers: str, say: Texts) -> tuple[Column, ...]:
    return tuple(Column(say(f"{part}.{name}"), name in numbers.split()) for name in names.split())


def _count(x: int, say: Texts) -> str:
    return number(x, say.language, 0)


# --- design ---------------------------------------------------------------------------------------------------------------


def _design(evidence: Evidence, say: Texts) -> list[Block]:
    facts: list[tuple[Cell, Cell]] = [
        (say("design.outcome"), in_language(evidence.outcome, say.language)),
        (say("design.unit"), evidence.unit),
        (say("design.better"), say(f"better.{evidence.better}")),
        (say("design.window"), window(evidence)),
        (say("design.periods"), f"{evidence.periods[0]}–{evidence.periods[-1]}" if evidence.periods else say("words.not_given")),
        (say("design.anticipation"), _count(evidence.anticipation, say)),
        (say("design.seen_before"), evidence.seen_before or say("words.not_given")),
    ]
    if evidence.smallest is not None:
        smallest = f"{significant(evidence.smallest, say.language)} {evidence.unit}"
        facts.append((say("design.smallest"), f"{smallest} ({evidence.smallest_why})" if evidence.smallest_why else smallest))
    blocks: list[Block] = [_facts(say("design.caption"), tuple(facts), say)]
    if evidence.areas:
        blocks.append(_areas(evidence, say))
    if evidence.flow:
        rows = tuple((step.step, step.reason, _count(step.removed, say), _count(step.left, say)) for step in evidence.flow)
        blocks.append(Table(say("flow.caption"), _columns("flow", "step reason removed left", "removed left", say), rows,
                            say("flow.note", pool=_count(evidence.pool, say), compared=_count(evidence.compared, say))))
    if any(area.matched for area in evidence.areas):
        blocks.append(_matched(evidence, say))
    if evidence.excluded:
        blocks.append(Table(say("excluded.caption", count=_count(len(evidence.excluded), say)), _columns("excluded", "unit reason", "", say),
                            tuple((row.unit, row.reason) for row in evidence.excluded), folded=True))
    return blocks


def _areas(evidence: Evidence, say: Texts) -> Table:
    nothing = say("words.not_given")
    rows: list[tuple[Cell, ...]] = [
        (area.name, area.cluster, listed(area.units, say.language) or nothing, area.first_treated or nothing, area.base or nothing,
         say("areas.out", reason=area.left_out) if area.left_out else say("areas.in"))
        for area in evidence.areas
    ]
    return Table(say("areas.caption"), _columns("areas", "name cluster units start base role", "", say), tuple(rows), say("areas.note"))


def _matched(evidence: Evidence, say: Texts) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (area.name, "; ".join(f"{unit} ({number(weight, say.language, 2)})" for unit, weight in area.matched))
        for area in included(evidence) if area.matched
    ]
    return Table(say("matched.caption"), _columns("matched", "area units", "", say), tuple(rows), folded=True)


def _facts(caption: str, facts: tuple[tuple[Cell, Cell], ...], say: Texts) -> Table:
    return Table(caption, (Column(say("words.what")), Column(say("words.which"))), facts)


# --- comparability ----------------------------------------------------------------------------------------------------------


def _balance(evidence: Evidence, figures: Mapping[str, str], say: Texts) -> list[Block]:
    if not evidence.balance:
        return []
    matching = any(row.smd_pool != row.smd_matched or row.pool != row.matched for row in evidence.balance)
    names = "name focus pool matched smd_pool smd_matched matched_on" if matching else "name focus pool smd_pool"
    rows = []
    for row in evidence.balance:
        focus, pool, matched = (significant(x, say.language) for x in (row.focus, row.pool, row.matched))
        smd_pool, smd_matched = (number(x, say.language, 2, sign=True) for x in (row.smd_pool, row.smd_matched))
        used = say("words.yes" if row.matched_on else "words.no")
        rows.append((row.name, focus, pool, matched, smd_pool, smd_matched, used) if matching else (row.name, focus, pool, smd_pool))
    table = Table(say("balance.caption"), _columns("balance", names, "focus pool matched smd_pool smd_matched", say), tuple(rows),
                  say("balance.note"))
    svg = figures.get("balance")
    return [Paragraph((say("balance.intro" if matching else "balance.intro_unmatched"),)),
            table if svg is None else Figure(say("balance.figure"), svg, table)]


# --- course -----------------------------------------------------------------------------------------------------------------


def _course(evidence: Evidence, figures: Mapping[str, str], say: Texts) -> list[Block]:
    blocks: list[Block] = []
    if evidence.path:
        shown = printed(evidence.primary)
        digits = shown.digits if shown else 1
        nothing = say("words.not_given")
        rows: list[tuple[Cell, ...]] = []
        for point in evidence.path:
            gap = None if point.focus is None or point.comparison is None else point.focus - point.comparison
            cells = [nothing if x is None else number(x, say.language, digits) for x in (point.focus, point.comparison)]
            rows.append((point.period, *cells, nothing if gap is None else number(gap, say.language, digits, sign=True),
                         say("path.after" if point.after else "path.before")))
        table = Table(say("path.caption", unit=evidence.unit), _columns("path", "period focus comparison gap side", "focus comparison gap", say),
                      tuple(rows), folded="gap" in figures)
        blocks.append(_drawn(say("path.figure"), "gap", figures, table))
    if evidence.event:
        nothing = say("words.not_given")
        events: list[tuple[Cell, ...]] = [
            (_event_name(row.term, say), value(row, say), interval(row, say), _count(row.areas, say), _count(row.treated_clusters, say))
            for row in evidence.event
        ]
        table = Table(say("event.caption", unit=evidence.unit), _columns("event", "term value interval areas clusters", "value areas clusters", say),
                      tuple(events), folded="event-study" in figures)
        level = number(100 * evidence.primary.level, say.language, 0)
        shown_intervals = any(row.low is not None for row in evidence.event)
        remark = say("event.pointwise", level=level) if shown_intervals else say("event.no_intervals")
        blocks += [_drawn(say("event.figure"), "event-study", figures, table), Paragraph((base_remark(evidence, say), remark))]
    return blocks


def _drawn(caption: str, name: str, figures: Mapping[str, str], table: Table) -> Block:
    return Figure(caption, figures[name], table) if name in figures else table


def _event_name(term: str, say: Texts) -> str:
    try:
        return number(int(term), say.language, 0, sign=True)
    except ValueError:
        return say.known(f"event.{term}", term)


def base_remark(evidence: Evidence, say: Texts) -> str:
    """With what the estimates before the start are compared, read from the method and from which of them are there."""
    method = evidence.primary.method
    if method == "group-time":
        varying = str(-1 - evidence.anticipation) in {row.term for row in evidence.event}
        return say("event.varying" if varying else "event.universal")
    return say.known(f"event.base.{slug(method)}", say("event.base.other"))


# --- estimate ---------------------------------------------------------------------------------------------------------------


def _estimate(evidence: Evidence, say: Texts) -> list[Block]:
    primary, nothing = evidence.primary, say("words.not_given")
    shown = printed(primary)
    digits = shown.digits if shown else 0

    def given(x: float | None, places: int) -> str:
        return nothing if x is None else number(x, say.language, places)

    facts: list[tuple[Cell, Cell]] = [
        (say("estimate.value"), f"{value(primary, say)} {evidence.unit}" if shown else nothing),
        (say("estimate.interval", level=number(100 * primary.level, say.language, 0)), interval(primary, say)),
        (say("estimate.std_error"), given(primary.std_error, digits)),
        (say("estimate.df"), given(primary.df, 0)),
        (say("estimate.p_value"), nothing if primary.p_value is None else p_value(primary.p_value, say.language)),
        (say("estimate.weighting"), say.known(f"weightings.{primary.weighting}", primary.weighting)),
        (say("estimate.method"), say.known(f"methods.{primary.method}", primary.method)),
        (say("estimate.inference"), say.known(f"inferences.{primary.inference}.title", primary.inference)),
        (say("estimate.areas"), _count(primary.areas, say)),
        (say("estimate.units"), _count(primary.units, say)),
        (say("estimate.clusters"), _count(primary.clusters, say)),
        (say("estimate.treated_clusters"), _count(primary.treated_clusters, say)),
        (say("estimate.largest_share"), nothing if primary.largest_share is None else
         say("format.percent", number=number(100 * primary.largest_share, say.language, 0))),
        (say("estimate.effective"), given(primary.effective_clusters, 1)),
    ]
    remarks = [say("estimate.sealed")] if evidence.sealed else [say(f"support.{support(primary.method, primary.inference)}")]
    if not evidence.sealed and any(area.matched for area in evidence.areas):
        remarks.append(say("estimate.given_matching"))
    blocks: list[Block] = [_facts(say("estimate.caption"), tuple(facts), say), Paragraph(tuple(remarks))]
    if primary.beside:
        blocks.append(Table(say("beside.caption"), _columns("beside", "name null p_value draws", "p_value draws", say),
                            tuple(_beside(second, say) for second in primary.beside), say("beside.note")))
    return blocks


def _beside(second: Second, say: Texts) -> tuple[Cell, ...]:
    title = say.known(f"inferences.{second.name}.title", second.name)
    key = f"inferences.{second.name}.null"
    null: Cell = say(key) if key in say else Foreign(second.null, "en")
    if second.p_value is None:
        why: Cell = Foreign(second.refused.because, "en") if second.refused else say("words.not_given")
        return (title, why, say("words.refused"), "")
    p = p_value(second.p_value, say.language, None if second.enumerated else second.draws)
    return (title, null, p, say("beside.all" if second.enumerated else "beside.drawn", count=_count(second.draws, say)))


# --- other calculations -------------------------------------------------------------------------------------------------------


def _others(evidence: Evidence, say: Texts) -> list[Block]:
    blocks: list[Block] = []
    names = "name value interval share effective"
    if evidence.weightings:
        rows = tuple(_weighting(variant, say) for variant in evidence.weightings)
        blocks.append(Table(say("weighed.caption", unit=evidence.unit), _columns("weighed", names, "value share effective", say), rows,
                            say("weighed.note")))
    if evidence.alternatives:
        rows = tuple(_alternative(variant, evidence, say) for variant in evidence.alternatives)
        blocks.append(Table(say("alternative.caption", unit=evidence.unit),
                            _columns("alternative", "name why same value interval areas", "value areas", say), rows,
                            say("alternative.note")))
    return blocks


def _weighting(variant: Variant, say: Texts) -> tuple[Cell, ...]:
    estimate = variant.estimate
    nothing = say("words.not_given")
    share = nothing if estimate.largest_share is None else say(
        "format.percent", number=number(100 * estimate.largest_share, say.language, 0))
    effective = nothing if estimate.effective_clusters is None else number(estimate.effective_clusters, say.language, 1)
    name = say.known(f"weightings.{estimate.weighting}", variant.name)
    return (opening(name), value(estimate, say), interval(estimate, say), share, effective)


def _alternative(variant: Variant, evidence: Evidence, say: Texts) -> tuple[Cell, ...]:
    estimate = variant.estimate
    shown: Cell = interval(estimate, say)
    if estimate.value is None and estimate.refused is not None:
        shown = reason(estimate.refused, evidence, say)[1]
    same = say("words.yes" if variant.same_estimand else "words.no")
    return (variant.name, variant.why, same, value(estimate, say), shown, _count(estimate.areas, say))


# --- refusals, checks, data, origin -------------------------------------------------------------------------------------------


def _refused(evidence: Evidence, say: Texts) -> list[Block]:
    if not evidence.refusals:
        return []
    rows = tuple(dict.fromkeys(reason(refusal, evidence, say) for refusal in evidence.refusals))
    return [Table(say("refused.caption"), _columns("refused", "what because instead", "", say), rows)]


def _checks(evidence: Evidence, say: Texts) -> list[Block]:
    if not evidence.checks:
        return []
    rows: list[tuple[Cell, ...]] = []
    for check in evidence.checks:
        statistic, threshold = (say("words.not_given") if x is None else significant(x, say.language)
                                for x in (check.statistic, check.threshold))
        sentence = say.known(f"checks.{check.name}.{check.verdict}", "")
        rows.append((check_title(check.name, say), say(f"verdicts.{check.verdict}"), statistic, threshold,
                     " ".join(filter(None, [sentence, check.because])), say("words.yes" if check.gates else "words.no")))
    return [Table(say("checked.caption"), _columns("checked", "name verdict statistic threshold says gates", "statistic threshold", say),
                  tuple(rows), say("checked.note"))]


def _data(evidence: Evidence, say: Texts) -> list[Block]:
    blocks: list[Block] = []
    if evidence.notes:
        blocks.append(Points(evidence.notes))
    if evidence.data:
        rows: tuple[tuple[Cell, ...], ...] = tuple(
            (file.file, say.known(f"roles.{file.role}", file.role), _count(file.rows, say), file.source, file.vintage, Code(file.sha256))
            for file in evidence.data
        )
        blocks.append(Table(say("data.caption"), _columns("data", "file role rows source vintage sha256", "rows", say), rows))
    return blocks


def _origin(evidence: Evidence, say: Texts) -> list[Block]:
    facts: list[tuple[Cell, Cell]] = [
        (say("origin.study"), evidence.study),
        (say("origin.spec"), Code(evidence.spec_sha256)),
        (say("origin.seed"), Code(str(evidence.seed))),
        *((name, version) for name, version in sorted(evidence.versions.items())),
    ]
    return [_facts(say("origin.caption"), tuple(facts), say)]
