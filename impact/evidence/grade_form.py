"""What a judge of the evidence needs: the proposed level, and ROBINS-I and TREND filled in as far as a run knows.

The facts are those of the run. A risk is judged by a person, domain by domain: a run that shows nothing wrong does not
show that nothing is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from impact.evidence.comparison import columns, count
from impact.evidence.document import Block, Cell, Code, Foreign, Paragraph, Table
from impact.evidence.grade import grade, grade_sentences
from impact.evidence.language import Texts, exact, listed, number
from impact.evidence.reading import in_language, plain, two_signs, window, with_unit
from impact.evidence.record import Evidence

__all__ = ["DOMAINS", "ITEMS", "SIGNATURES", "grade_form"]

SIGNATURES = "study.grade.yaml"
"""File beside a study in which a person gives the level of its outcomes."""

ITEMS = 22
"""Of the TREND checklist: Des Jarlais, Lyles & Crepaz (2004), American Journal of Public Health 94(3), 361-366."""

_Facts = Callable[[Evidence, Texts], Iterator[str]]


def grade_form(evidence: Evidence, say: Texts) -> list[Block]:
    """The proposed level and the form; `evidence` is the visible one.

    References
    ----------
    Sterne et al. (2016), ROBINS-I: a tool for assessing risk of bias in non-randomised studies of interventions, BMJ
    355, i4919; the TREND checklist as at `ITEMS`; for the levels see ``impact.evidence.grade.Grade``.
    """
    robins = tuple(
        (
            say(f"grade_form.robins.{name}.title"),
            " ".join(facts(evidence, say)),
            say(f"grade_form.robins.{name}.person"),
        )
        for name, facts in DOMAINS.items()
    )
    trend = tuple(
        (str(item), say(f"grade_form.trend.{item}.title"), _item(item, evidence, say)) for item in range(1, ITEMS + 1)
    )
    return [
        Paragraph(tuple(grade_sentences(grade(evidence), say))),
        *_signed(evidence, say),
        Table(
            say("grade_form.robins_caption"),
            columns("grade_form", "domain facts person", "", say),
            robins,
            say("grade_form.robins_note"),
        ),
        Table(
            say("grade_form.trend_caption"),
            columns("grade_form", "item topic fact_column", "", say),
            trend,
            say("grade_form.trend_note"),
            folded=True,
        ),
    ]


def _signed(evidence: Evidence, say: Texts) -> Iterator[Block]:
    """The reason that a person gave, or where one would stand."""
    if evidence.signed is None:
        yield Paragraph((say("grade_form.where"), Code(SIGNATURES)))
        return
    why = evidence.signed.why
    yield Paragraph((say("grade_form.why"), why if say.language == "nl" else Foreign(why, "nl")))


# --- facts of the run -------------------------------------------------------------------------------------------------


def _fact(name: str, say: Texts, **values: str) -> str:
    return say(f"grade_form.fact.{name}", **values)


def _checks(names: tuple[str, ...], evidence: Evidence, say: Texts) -> Iterator[str]:
    """The verdict of checks, without a figure."""
    made = {check.name: check for check in evidence.checks}
    for name in names:
        title = say.known(f"checks.{name}.title", name)
        verdict = made[name].verdict if name in made else "not_evaluated"
        yield _fact("check", say, check=title, verdict=say(f"verdicts.{verdict}"))


def _compared(evidence: Evidence, say: Texts) -> str:
    matched = [row.label or row.name for row in evidence.balance if row.matched_on]
    if matched:
        return _fact("matched", say, list=listed(matched, say.language))
    if evidence.shared or any(area.weights or area.matched for area in evidence.areas):
        return _fact("weighted", say)
    return _fact("unmatched", say, count=count(evidence.compared, say))


def _confounding(evidence: Evidence, say: Texts) -> Iterator[str]:
    yield _fact("not_drawn", say)
    if evidence.not_measurable:
        return
    yield _compared(evidence, say)
    if evidence.covariates:
        yield _fact("covariates", say, list=listed(evidence.covariates, say.language))
    yield from _checks(("balance", "pre-trend"), evidence, say)
    if two_signs(evidence) is not None:
        yield _fact("two_signs", say)
    if evidence.robust is not None:
        controls = evidence.robust.controls
        many = count(0 if controls is None else len(controls.each), say)
        yield _fact("no_controls" if controls is None else "controls", say, count=many)


def _selection(evidence: Evidence, say: Texts) -> Iterator[str]:
    total = count(evidence.areas_total, say)
    yield _fact("areas", say, areas=count(evidence.primary.areas, say), total=total)
    if evidence.selection is not None:
        yield _fact("selected", say, list=listed(evidence.selection.waves, say.language))
    yield _fact("excluded", say, count=count(len(evidence.excluded), say))


def _classification(evidence: Evidence, say: Texts) -> Iterator[str]:
    starts = sorted({area.first_treated for area in evidence.included if area.first_treated})
    yield _fact("starts" if starts else "no_starts", say, list=listed(starts, say.language))
    ring = None if evidence.robust is None else evidence.robust.ring
    if ring is not None and ring.units:
        yield _fact("ring", say, count=count(len(ring.units), say))


def _deviations(evidence: Evidence, say: Texts) -> Iterator[str]:
    yield _fact("not_known", say)


def _missing(evidence: Evidence, say: Texts) -> Iterator[str]:
    yield _fact("periods", say, count=count(len(evidence.periods_left_out), say))
    yield _fact("excluded", say, count=count(len(evidence.excluded), say))
    made = {check.name for check in evidence.checks}
    yield from _checks(tuple(name for name in ("suppressed", "respondents") if name in made), evidence, say)


def _measurement(evidence: Evidence, say: Texts) -> Iterator[str]:
    yield _source(evidence, say)
    share = None if evidence.sealed else evidence.primary.known_share
    if share is not None:
        part = say("format.percent", number=number(100 * min(share, 1.0), say.language, 0))
        yield _fact("known_error", say, share=part)
    yield from _checks(tuple(check.name for check in evidence.checks if check.says == "same-shift"), evidence, say)


def _source(evidence: Evidence, say: Texts) -> str:
    sources = dict.fromkeys(file.source or file.file for file in evidence.data if file.role == "outcomes")
    return _fact("source" if sources else "no_source", say, list=listed(sources, say.language))


def _reporting(evidence: Evidence, say: Texts) -> Iterator[str]:
    yield _fact(f"status.{evidence.status}", say)
    yield _fact("ran", say, count=count(evidence.standing.ran, say))
    yield _fact("alternatives", say, count=count(len(evidence.alternatives), say))
    others = {member.indicator for family in evidence.families for member in family.members} - {evidence.indicator}
    if others:
        yield _fact("family", say, count=count(len(others), say))


DOMAINS: dict[str, _Facts] = {
    "confounding": _confounding,
    "selection": _selection,
    "classification": _classification,
    "deviations": _deviations,
    "missing": _missing,
    "measurement": _measurement,
    "reporting": _reporting,
}
"""The domains of ROBINS-I, in its order, with what a run knows of each."""


# --- TREND ------------------------------------------------------------------------------------------------------------


def _item(item: int, evidence: Evidence, say: Texts) -> Cell:
    """What the report has of an item; items without it are for a person."""
    found = _known(item, evidence, say)
    return say("grade_form.for_a_person") if found is None else found


def _known(item: int, evidence: Evidence, say: Texts) -> str | None:
    primary, smallest = evidence.primary, evidence.smallest
    areas = _fact("areas", say, areas=count(primary.areas, say), total=count(evidence.areas_total, say))
    match item:
        case 1:
            return f"{plain(in_language(evidence.title, say.language))}. {_fact('not_drawn', say)}"
        case 3:
            return f"{areas} {_fact('pool', say, count=count(evidence.pool, say))}"
        case 5:
            return plain(in_language(evidence.question, say.language))
        case 6:
            name = plain(in_language(evidence.outcome, say.language))
            return f"{name} ({evidence.unit}). {_source(evidence, say)}"
        case 7 if smallest is not None:
            bound = with_unit(exact(smallest, say.language), evidence.unit)
            return _fact("smallest", say, bound=bound)
        case 8:
            return f"{_fact('not_drawn', say)} {_compared(evidence, say)}"
        case 10 | 11:
            how = say.known(f"inferences.{primary.inference}.title", primary.inference)
            return _fact("method", say, method=say.known(f"methods.{primary.method}", primary.method), inference=how)
        case 12:
            return f"{areas} {_fact('excluded', say, count=count(len(evidence.excluded), say))}"
        case 13 if evidence.periods:
            span = f"{evidence.periods[0]}–{evidence.periods[-1]}"
            return _fact("when", say, periods=span, window=window(evidence))
        case 14 if evidence.balance:
            return _fact("baseline", say, count=count(len(evidence.balance), say))
        case 15:
            return " ".join(_checks(("balance", "pre-trend"), evidence, say))
        case 16:
            return _fact("analysed", say, units=count(primary.units, say), clusters=count(primary.clusters, say))
        case 17:
            return _fact("given" if None not in (primary.value, primary.low) else "not_given", say)
        case 18:
            return _fact("alternatives", say, count=count(len(evidence.alternatives), say))
    return None
