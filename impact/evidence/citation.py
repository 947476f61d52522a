"""A number as it may be cited: the whole statement with interval, status and grade; never a bare number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from impact.evidence.conclusion import answered, concluded, headline, judged, run_apart
from impact.evidence.disclosed import withheld
from impact.evidence.grade import grade, grade_sentences
from impact.evidence.language import Texts, listed, number, percent_level, texts
from impact.evidence.reading import named, plain, printed, reason, size, two_signs, window, within
from impact.evidence.record import Estimate, Evidence
from impact.evidence.standing import standing_sentences

__all__ = ["Cited", "Numbered", "cited"]

_LOCKED = ("pre-specified", "amended")


@dataclass(frozen=True, slots=True)
class Numbered:
    """A number of a record by its role and name, as in the tidy table.

    `why` is the reason for an alternative, and `level` what its units are. Of a ``family`` the estimate has the
    interval that holds for all of it. `same` is False where it may be about other periods than the study.
    """

    role: str
    name: str
    same: bool
    estimate: Estimate
    why: str = ""
    level: str = ""


@dataclass(frozen=True, slots=True)
class Cited:
    """What is said of one number.

    Attributes
    ----------
    title : str
        The statement in short, or that there is none.
    sentences : tuple of str
        The statement itself, or what was found and that it is no statement.
    status, grade : str
    given : bool
        Whether the number stands in it.
    """

    title: str
    sentences: tuple[str, ...]
    status: str
    grade: str
    given: bool


def cited(evidence: Evidence, found: Numbered | None, language: str) -> Cited:
    """What may be said of a number of `evidence`; None for any number of an outcome that has none."""
    say = texts(language, evidence.level)
    # Of a family that gives no interval for all of it a statement has none to judge by, and no number.
    answer = answered(evidence) if concluded(evidence) is None else judged(evidence)
    primary = Numbered("primary", "", True, answer)
    nothing = bool(evidence.not_measurable) or evidence.sealed
    about = primary if found is None or nothing or found.role == "primary" else found
    title, sentences = _answer(evidence, say)
    given = not nothing and _numbered(about.estimate)
    if about.role != "primary":
        other = texts(language, about.level or evidence.level)
        own = list(_found(evidence, about, other)) if given else [_absent(evidence, about.estimate, other)]
        if given and evidence.families and about.role != "family":
            own.insert(1, say("answer.number_alone"))
        role = say(f"citation.role.{about.role}", name=about.name, why=about.why.rstrip("."))
        sentences = [role, *own, say("citation.answer"), *sentences]
        title = say("citation.other")
    if not given:
        sentences = [*sentences, say("citation.no_number")]
    status = (say(f"citation.status.{evidence.status}"), *standing_sentences(evidence.standing, say))
    status += tuple(run_apart(evidence, say))
    proposed = grade(evidence, None if about.role == "primary" else about.estimate)
    return Cited(title, tuple(sentences), " ".join(status), " ".join(grade_sentences(proposed, say)), given)


def _answer(evidence: Evidence, say: Texts) -> tuple[str, list[str]]:
    """The answer of the study: its statement, or what was found."""
    warned = [say("citation.is_placebo")] if evidence.placebo else []
    primary = Numbered("primary", "", True, answered(evidence))
    absent = evidence.sealed or not _numbered(evidence.primary)
    stated = headline(evidence, say)
    if stated is not None:
        hidden = withheld(evidence.primary.refused) and not evidence.sealed
        more = [_absent(evidence, evidence.primary, say)] if hidden else []
        return say("citation.statement", title=stated[0]), [*warned, stated[1], *more]
    said = [_absent(evidence, evidence.primary, say)] if absent else list(_found(evidence, primary, say))
    return say(f"citation.{_kind(evidence)}"), [*warned, *said]


def _kind(evidence: Evidence) -> str:
    """Why there is no statement."""
    if evidence.placebo:
        return "placebo"
    if evidence.status not in _LOCKED:
        return evidence.status
    return "unplanned" if evidence.look is not None and not evidence.look.label else "result"


def _numbered(estimate: Estimate) -> bool:
    """Whether there is a number that may be said: with its interval."""
    return None not in (estimate.value, estimate.low, estimate.high)


def _found(evidence: Evidence, found: Numbered, say: Texts) -> Iterator[str]:
    """What was found, as it is printed in the report."""
    estimate = found.estimate
    shown = printed(estimate)
    assert shown is not None, "there is a number"
    assert shown.low is not None, "and its interval"
    assert shown.high is not None
    timed = found.role == "event" or (found.role == "family" and estimate.term != evidence.primary.term)
    digits = shown.digits
    yield say(
        "citation.found" if shown.value else "citation.found_same",
        outcome=named(evidence, say),
        when=_at(estimate.term, say) if timed else _when(evidence, found, say),
        areas=number(estimate.areas, say.language, 0),
        total=number(evidence.areas_total, say.language, 0),
        difference=size(shown.value, digits, say, evidence.unit),
        level=percent_level(estimate.level, say.language),
        low=size(shown.low, digits, say),
        high=size(shown.high, digits, say),
    )
    yield say("citation.outside" if shown.low > 0 or shown.high < 0 else "citation.inside")
    ends = two_signs(evidence) if found.role == "primary" else None
    if ends is not None:
        low, high = (size(end.value, end.digits, say, evidence.unit) for end in ends)
        yield say("citation.two_signs", low=low, high=high)
    yield say("citation.caution")


def _when(evidence: Evidence, found: Numbered, say: Texts) -> str:
    """The periods; of an alternative that asks something else they are not known to be those of the study."""
    return say("citation.elsewhen") if not found.same else say("citation.when", period=window(evidence))


def _at(term: str, say: Texts) -> str:
    return say("citation.at", term=number(int(term), say.language, 0) if term.lstrip("-").isdecimal() else term)


def _absent(evidence: Evidence, estimate: Estimate, say: Texts) -> str:
    """Why there is no number."""
    outcome = named(evidence, say)
    if evidence.not_measurable:
        return say("citation.none.not-measurable", outcome=outcome, why=listed(evidence.not_measurable, say.language))
    if evidence.sealed:
        closed = [check.name for check in evidence.checks if check.gates and check.verdict != "pass"]
        titles = (f"‘{say.known(f'checks.{name}.title', name)}’" for name in closed)
        return say("citation.none.sealed", outcome=outcome, why=listed(titles, say.language))
    refused = estimate.refused
    if withheld(refused):
        profile = "" if evidence.disclosed is None else evidence.disclosed.profile
        return say("citation.none.withheld", outcome=outcome, why=profile)
    if refused is None:
        why = say("citation.none.unknown")
    else:
        why = plain(reason(refused, evidence, say)[1]) if "refused.gate.what" in say else refused.because
    return say("citation.none.refused", outcome=outcome, why=within(why.rstrip(".")))
