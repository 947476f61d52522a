"""The account behind the first page: design, checks, estimate, what else was tried, areas, notes and data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from impact.errors import Refused
from impact.evidence.checked import checked
from impact.evidence.chosen import chosen
from impact.evidence.comparison import balance, by_area, columns, count, course, design, fact_table
from impact.evidence.conclusion import judged
from impact.evidence.context_notes import framed
from impact.evidence.disclosure import disclosure
from impact.evidence.document import Block, Cell, Code, Foreign, Paragraph, Points, Section, Table
from impact.evidence.family_tables import families
from impact.evidence.grade_form import grade_form
from impact.evidence.language import Texts, listed, number, p_value, percent_level
from impact.evidence.look_words import looks
from impact.evidence.reading import interval, opening, printed, reason, supported, value, with_unit
from impact.evidence.record import Evidence, Second, Variant
from impact.evidence.robust_sections import robust

__all__ = ["account"]


def account(evidence: Evidence, figures: Mapping[str, str], say: Texts) -> tuple[Section, ...]:
    """All sections of the account; `evidence` is the visible one."""
    return (
        _section("opzet", "design", design(evidence, figures, say), say),
        _section("vergelijkbaarheid", "balance", [*balance(evidence, figures, say), *chosen(evidence, say)], say),
        _section("toetsen", "checked", checked(evidence, say), say),
        _section("verloop", "course", course(evidence, figures, say), say),
        _section("schatting", "estimate", _estimate(evidence, say), say),
        _section("andere-berekeningen", "others", _others(evidence, say), say),
        *_robust(evidence, figures, say),
        *_families(evidence, figures, say),
        *_looks(evidence, say),
        _section("geweigerd", "refused", _refused(evidence, say), say),
        _section("bewijskracht", "grade_form", grade_form(evidence, say), say),
        *_areas(evidence, say),
        *_context(evidence, say),
        _section("gegevens", "data", _data(evidence, say), say),
        *_disclosure(evidence, say),
        _section("herkomst", "origin", _origin(evidence, say), say),
    )


def _section(name: str, part: str, blocks: list[Block], say: Texts) -> Section:
    return Section(name, say(f"{part}.title"), tuple(blocks) or (Paragraph((say(f"{part}.none"),)),))


def _areas(evidence: Evidence, say: Texts) -> tuple[Section, ...]:
    """Only of a study that has areas."""
    blocks = by_area(evidence, say)
    return (_section("gebieden", "by_area", blocks, say),) if blocks else ()


def _context(evidence: Evidence, say: Texts) -> tuple[Section, ...]:
    """What others say, each note in its own frame."""
    if not evidence.context:
        return ()
    notes = (framed(note, say) for note in evidence.context)
    return (Section("context", say("context.title"), (Paragraph((say("context.intro"),)), *notes)),)


def _families(evidence: Evidence, figures: Mapping[str, str], say: Texts) -> tuple[Section, ...]:
    """Only of a study whose outcomes are judged together."""
    blocks = families(evidence.families, evidence.programme, say, figures)
    return (_section("familie", "family", blocks, say),) if blocks else ()


def _looks(evidence: Evidence, say: Texts) -> tuple[Section, ...]:
    """Only of a study that is looked at more than once."""
    blocks = looks(evidence, say)
    return (_section("momenten", "look", blocks, say),) if blocks else ()


def _robust(evidence: Evidence, figures: Mapping[str, str], say: Texts) -> tuple[Section, ...]:
    """Only where there is an estimate whose strength could be looked at."""
    blocks = robust(evidence, figures, say)
    return (_section("houdbaarheid", "robust", [*_alone(evidence, say), *blocks], say),) if blocks else ()


def _alone(evidence: Evidence, say: Texts) -> list[Block]:
    """That intervals beside the answer are not those of its family."""
    own = judged(evidence)
    corrected = own is not evidence.primary and own.low is not None
    return [Paragraph((say("answer.others"),))] if corrected else []


def _disclosure(evidence: Evidence, say: Texts) -> tuple[Section, ...]:
    """Only of a study that says what may leave."""
    blocks = disclosure(evidence, say)
    return (_section("onthulling", "disclosure", blocks, say),) if blocks else ()


def _missing(evidence: Evidence) -> str:
    return "words.sealed" if evidence.sealed else "words.not_given"


# --- estimate ---------------------------------------------------------------------------------------------------------


def _estimate(evidence: Evidence, say: Texts) -> list[Block]:
    primary, missing = evidence.primary, _missing(evidence)
    nothing = say(missing)
    shown = printed(primary)
    digits = shown.digits if shown else 0

    def given(x: float | None, places: int) -> str:
        return nothing if x is None else number(x, say.language, places)

    facts: list[tuple[Cell, Cell]] = [
        (say("estimate.value"), with_unit(value(primary, say, missing), evidence.unit) if shown else nothing),
        (
            say(
                "answer.alone" if evidence.families else "estimate.interval",
                level=percent_level(primary.level, say.language),
            ),
            interval(primary, say, missing),
        ),
        (say("estimate.std_error"), given(primary.std_error, digits)),
        (say("estimate.df"), given(primary.df, 0)),
        (say("estimate.p_value"), nothing if primary.p_value is None else p_value(primary.p_value, say.language)),
        (say("estimate.weighting"), say.known(f"weightings.{primary.weighting}", primary.weighting)),
        (say("estimate.method"), say.known(f"methods.{primary.method}", primary.method)),
        (say("estimate.inference"), say.known(f"inferences.{primary.inference}.title", primary.inference)),
        (say("estimate.areas"), count(primary.areas, say)),
        (say("estimate.units"), count(primary.units, say)),
        (say("estimate.clusters"), count(primary.clusters, say)),
        (say("estimate.treated_clusters"), count(primary.treated_clusters, say)),
        (
            say("estimate.largest_share"),
            nothing
            if primary.largest_share is None
            else say("format.percent", number=number(100 * primary.largest_share, say.language, 0)),
        ),
        (say("estimate.effective"), given(primary.effective_clusters, 1)),
    ]
    blocks: list[Block] = [
        fact_table(say("estimate.caption"), tuple(facts), say),
        Paragraph(tuple(_trust(evidence, say))),
    ]
    if primary.beside:
        blocks.append(
            Table(
                say("beside.caption"),
                columns("beside", "name null p_value draws", "p_value draws", say),
                tuple(_beside(second, evidence, say) for second in primary.beside),
                say("beside.note"),
            )
        )
    return blocks


def _trust(evidence: Evidence, say: Texts) -> Iterator[Cell]:
    """How far the interval can be trusted, or why there is none."""
    primary = evidence.primary
    if evidence.sealed:
        yield say("estimate.sealed")
    elif primary.refused is not None:
        yield reason(primary.refused, evidence, say)[1]
    else:
        yield say(f"support.{supported(primary)}")
        if evidence.shared or any(area.matched for area in evidence.areas):
            yield say("estimate.given_matching")


def _beside(second: Second, evidence: Evidence, say: Texts) -> tuple[Cell, ...]:
    title = say.known(f"inferences.{second.name}.title", second.name)
    key = f"inferences.{second.name}.null"
    null: Cell = say(key) if key in say else Foreign(second.null, "en")
    if second.p_value is None:
        why = say("words.not_given") if second.refused is None else reason(second.refused, evidence, say)[1]
        return (title, why, say("words.refused"), "")
    p = p_value(second.p_value, say.language, None if second.enumerated else second.draws)
    return (title, null, p, say("beside.all" if second.enumerated else "beside.drawn", count=count(second.draws, say)))


# --- other calculations -----------------------------------------------------------------------------------------------


def _others(evidence: Evidence, say: Texts) -> list[Block]:
    blocks: list[Block] = []
    names = "name value interval share effective"
    if evidence.weightings or evidence.bracket or evidence.alternatives:
        blocks += _alone(evidence, say)
    if evidence.weightings:
        rows = tuple(_weighting(variant, evidence, say) for variant in evidence.weightings)
        blocks.append(
            Table(
                say("weighed.caption", unit=evidence.unit),
                columns("weighed", names, "value share effective", say),
                rows,
                say("weighed.note"),
            )
        )
    if evidence.bracket:
        note = "bracket.sealed" if evidence.sealed else "bracket.note"
        blocks.append(
            Table(
                say("bracket.caption", unit=evidence.unit),
                columns("bracket", "name same value interval areas", "value areas", say),
                tuple(_bracket(evidence, say)),
                " ".join([say(note), *_not_made(evidence, say)]),
            )
        )
    if evidence.alternatives:
        rows = tuple(_alternative(variant, evidence, say) for variant in evidence.alternatives)
        blocks.append(
            Table(
                say("alternative.caption", unit=evidence.unit),
                columns("alternative", "name why same value interval areas", "value areas", say),
                rows,
                " ".join([say("alternative.note"), *_unsized(evidence, say)]),
            )
        )
    return blocks


def _bracket(evidence: Evidence, say: Texts) -> Iterator[tuple[Cell, ...]]:
    own = Variant("own", "", True, evidence.primary)
    for end in (own, *evidence.bracket):
        _, _, *cells = _alternative(end, evidence, say)
        yield (say(f"bracket.{end.name}"), *cells)


def _not_made(evidence: Evidence, say: Texts) -> list[str]:
    """Which ends of the bracket the tables of the study do not allow."""
    made = {end.name for end in evidence.bracket}
    absent = [say(f"bracket.{name}") for name in ("structure", "selection") if name not in made]
    return [say("bracket.not_made", names=listed(absent, say.language))] if absent else []


def _unsized(evidence: Evidence, say: Texts) -> list[str]:
    """A warning that names the alternatives whose interval may not hold its level."""
    names = [
        variant.name
        for variant in evidence.alternatives
        if variant.estimate.low is not None and supported(variant.estimate) not in ("sized", "conservative")
    ]
    return [say("alternative.unsized", names=listed(names, say.language))] if names else []


def _weighting(variant: Variant, evidence: Evidence, say: Texts) -> tuple[Cell, ...]:
    estimate = variant.estimate
    nothing = say("words.not_given")
    share = (
        nothing
        if estimate.largest_share is None
        else say("format.percent", number=number(100 * estimate.largest_share, say.language, 0))
    )
    effective = nothing if estimate.effective_clusters is None else number(estimate.effective_clusters, say.language, 1)
    name = say.known(f"weightings.{estimate.weighting}", variant.name)
    missing = _missing(evidence)
    return (opening(name), value(estimate, say, missing), interval(estimate, say, missing), share, effective)


def _alternative(variant: Variant, evidence: Evidence, say: Texts) -> tuple[Cell, ...]:
    estimate = variant.estimate
    missing = _missing(evidence)
    shown: Cell = interval(estimate, say, missing)
    if estimate.value is None and estimate.refused is not None:
        shown = reason(estimate.refused, evidence, say)[1]
    same = say("words.yes" if variant.same_estimand else "words.no")
    areas = say("words.not_given") if estimate.value is None and not estimate.areas else count(estimate.areas, say)
    return (variant.name, variant.why, same, value(estimate, say, missing), shown, areas)


# --- refusals, checks, data, origin -----------------------------------------------------------------------------------


def _refused(evidence: Evidence, say: Texts) -> list[Block]:
    about: dict[tuple[Cell, ...], list[str]] = {}
    for refusal, name in _refusals(evidence, say):
        names = about.setdefault(reason(refusal, evidence, say), [])
        names += [] if name in names else [name]
    if not about:
        return []
    rows = tuple((opening(listed(names, say.language)), *row) for row, names in about.items())
    note = say("refused.note") if any(isinstance(cell, Foreign) for row in rows for cell in row) else ""
    return [Table(say("refused.caption"), columns("refused", "about what because instead", "", say), rows, note)]


def _refusals(evidence: Evidence, say: Texts) -> Iterator[tuple[Refused, str]]:
    """Everything that was refused, with the name of the calculation that it is about."""
    named = [(variant, say.known(f"weightings.{variant.estimate.weighting}", "")) for variant in evidence.weightings]
    named += [(variant, say(f"bracket.{variant.name}")) for variant in evidence.bracket]
    named += [(variant, f"‘{variant.name}’") for variant in evidence.alternatives]
    own = {evidence.primary.refused, *(second.refused for second in evidence.primary.beside)}
    others = {variant.estimate.refused for variant, _ in named} - own
    yield from ((refused, say("refused.own")) for refused in evidence.refusals if refused not in others)
    for variant, name in named:
        if variant.estimate.refused is not None:
            yield variant.estimate.refused, name


def _data(evidence: Evidence, say: Texts) -> list[Block]:
    blocks: list[Block] = []
    if evidence.notes:
        blocks.append(Points(evidence.notes))
    if evidence.remarks:
        remarks = tuple(Foreign(remark, "en") for remark in evidence.remarks)
        blocks += [Paragraph((say("data.remarks"),)), Points(remarks)]
    if evidence.data:
        rows: tuple[tuple[Cell, ...], ...] = tuple(
            (
                file.file,
                say.known(f"roles.{file.role}", file.role),
                count(file.rows, say),
                file.source,
                file.vintage,
                Code(file.sha256),
            )
            for file in evidence.data
        )
        blocks.append(
            Table(say("data.caption"), columns("data", "file role rows source vintage sha256", "rows", say), rows)
        )
    return blocks


def _origin(evidence: Evidence, say: Texts) -> list[Block]:
    facts: list[tuple[Cell, Cell]] = [
        (say("origin.study"), evidence.study),
        (say("origin.spec"), Code(evidence.spec_sha256)),
        (say("origin.seed"), Code(str(evidence.seed))),
        *((name, version) for name, version in sorted(evidence.versions.items())),
    ]
    return [fact_table(say("origin.caption"), tuple(facts), say)]
