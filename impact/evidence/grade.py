"""How far a number can be trusted as an answer: a proposed level on the Maryland scale, with what lowers it.

Only a proposal: what the scale asks of a design is judged by a person, who signs for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from impact.evidence.conclusion import concluded, judged
from impact.evidence.disclosed import withheld
from impact.evidence.language import Texts, listed
from impact.evidence.reading import periods, supported, two_signs
from impact.evidence.record import Estimate, Evidence
from impact.evidence.signed import Signed

__all__ = ["MOST", "Grade", "Reason", "grade", "grade_sentences"]

MOST = 3
"""The highest level for a comparison over time with areas that were not drawn by lot or by a rule."""
_FEWEST = 3  # measurements before the start from which a common course can be seen at all
_RUNG = 3


@dataclass(frozen=True, slots=True)
class Reason:
    """What lowers a level, or leaves none: a code, and the check that it is about."""

    code: str
    check: str = ""


@dataclass(frozen=True, slots=True)
class Grade:
    """A proposal.

    Attributes
    ----------
    level : int or None
        From 1 to 3 of the five levels; None where there is no number to grade.
    reasons : tuple of Reason
        Why it is not higher, and not the highest that such a design can have.
    rung : int or None
        The rung of the Effectladder to which a result like this can contribute; None for none.
    signed : Signed or None
        What a person made of it; None as long as nobody did.

    References
    ----------
    Sherman et al. (1997), *Preventing Crime*, National Institute of Justice; What Works Centre for Local Economic
    Growth (2016), *Guide to scoring evidence using the Maryland Scientific Methods Scale*: differences in differences
    are level 3 at most, and lower where the comparison is not shown to be alike. Van Yperen & Veerman (2008), *Zicht op
    effectiviteit*: rung 3 asks for evidence that what was aimed at happened, rung 4 for its cause.
    """

    level: int | None
    reasons: tuple[Reason, ...] = ()
    rung: int | None = None
    signed: Signed | None = None


def grade(evidence: Evidence, estimate: Estimate | None = None) -> Grade:
    """The proposed level of the answer of a study, or of another `estimate` in it.

    What makes the comparison doubtful takes away one level, and what makes the finding doubtful another: few
    measurements or a course apart before the start, a check that was not met, two signs; and a design or number that
    was not fixed beforehand, an interval that is not known to hold its level. A number without an interval has no
    level.
    """
    answer = estimate is None
    said = concluded(evidence) if answer else None
    about = estimate or (evidence.primary if said is None else judged(evidence))
    signed = evidence.signed if answer else None
    nothing = _nothing(evidence, about)
    if nothing is not None:
        return Grade(None, (nothing,))
    comparison, finding = tuple(_comparison(evidence)), tuple(_finding(evidence, about, answer))
    level = MOST - bool(comparison) - bool(finding)
    favourable = said is not None and said.kind == "more-favourable"
    return Grade(level, (*comparison, *finding), _RUNG if level == MOST and favourable else None, signed)


def _nothing(evidence: Evidence, estimate: Estimate) -> Reason | None:
    """Why there is nothing to grade."""
    if evidence.not_measurable:
        return Reason("not-measurable")
    if evidence.sealed:
        return Reason("sealed")
    if withheld(estimate.refused):
        return Reason("withheld")
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return Reason("no-number")
    return Reason("placebo") if evidence.placebo else None


def _comparison(evidence: Evidence) -> Iterator[Reason]:
    verdicts = {check.name: check.verdict for check in evidence.checks}
    out = {row.unit for row in evidence.periods_left_out}
    counted = periods(replace(evidence, periods=tuple(label for label in evidence.periods if label not in out)))
    known = [
        check.statistic for check in evidence.checks if check.name == "pre-periods" and check.statistic is not None
    ]
    before = min([*known, *([counted.before] if counted is not None else [])], default=0)
    if before < _FEWEST:
        yield Reason("few-before")
    if verdicts.get("pre-trend", "not_evaluated") == "not_evaluated":
        yield Reason("pre-trend-open")
    # Donors that are weighted by their course before the start are alike in that.
    weighted = bool(evidence.shared) or any(area.weights for area in evidence.areas)
    if verdicts.get("balance", "not_evaluated") == "not_evaluated" and not weighted:
        yield Reason("balance-open")
    yield from (Reason("check", name) for name, verdict in verdicts.items() if verdict == "fail")
    if two_signs(evidence) is not None:
        yield Reason("two-signs")


def _finding(evidence: Evidence, estimate: Estimate, answer: bool) -> Iterator[Reason]:
    if evidence.status in ("exploratory", "deviation"):
        yield Reason(evidence.status)
    if evidence.look is not None and not evidence.look.label:
        yield Reason("unplanned-look")
    if not answer:
        yield Reason("not-the-answer")
    if supported(estimate) not in ("sized", "conservative"):
        yield Reason("unsized")


def grade_sentences(found: Grade, say: Texts) -> Iterator[str]:
    """The proposal in words."""
    why = listed((_said(reason, say) for reason in found.reasons), say.language)
    if found.level is None:
        yield say("grade.none", why=why)
        return
    level, most = str(found.level), str(MOST)
    yield say("grade.lower", level=level, most=most, why=why) if found.reasons else say("grade.most", level=level)
    yield _judged(found.signed, say)
    yield say("grade.rung", rung=str(found.rung)) if found.rung is not None else say("grade.no_rung")


def _judged(signed: Signed | None, say: Texts) -> str:
    """What a person made of it."""
    if signed is None:
        return say("grade.unsigned")
    return say("grade.signed", level=str(signed.level), who=signed.who, role=signed.role, date=signed.date)


def _said(reason: Reason, say: Texts) -> str:
    return say(f"grade.why.{reason.code}", check=say.known(f"checks.{reason.check}.title", reason.check))
