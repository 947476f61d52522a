"""What a locked result comes to: which of the five statements, and its sentence with the numbers as printed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from impact.evidence.disclosed import withheld
from impact.evidence.language import Texts, exact, listed, number, percent_level
from impact.evidence.reading import named, opening, printed, size, two_signs, window, with_unit
from impact.evidence.record import Estimate, Evidence
from impact.evidence.statement import Statement, choose, sentence

__all__ = ["answered", "concluded", "headline", "judged", "run_apart", "said", "title"]

_LOCKED = ("pre-specified", "amended")
_OPENS = ("more-favourable", "less-favourable", "no-difference-of-s")  # in Dutch these sentences begin with the outcome


def judged(evidence: Evidence) -> Estimate:
    """The primary estimate with the interval that a statement rests on: that of its family, where it has one.

    A correction that gives no simultaneous interval leaves none to judge by: then the interval is taken away.
    """
    for family in evidence.families:
        for member in family.members:
            if member.indicator == evidence.indicator:
                return replace(evidence.primary, low=member.low, high=member.high, level=1 - family.level)
    return evidence.primary


def answered(evidence: Evidence) -> Estimate:
    """The primary estimate as its page tells it: as it is judged; with its own interval where its family has none."""
    own = judged(evidence)
    return evidence.primary if own.low is None else own


def run_apart(evidence: Evidence, say: Texts) -> Iterator[str]:
    """For what the interval of the answer holds: for a family at once, or, of a study of a collection that was run
    apart from it, for this study alone."""
    if evidence.belongs_to and not evidence.families:
        yield say("collection.alone", collection=evidence.belongs_to)
    own = judged(evidence)
    if own is not evidence.primary and own.low is not None:
        families = (
            one.name for one in evidence.families if any(m.indicator == evidence.indicator for m in one.members)
        )
        yield say("answer.together", family=next(families))


def concluded(evidence: Evidence) -> Statement | None:
    """The statement of a result; None for an exploratory one, a deviation, a placebo study, an unplanned look and what
    may not be shown, and for an outcome without a favourable direction when 0 lies outside its interval."""
    unplanned = evidence.look is not None and not evidence.look.label
    if evidence.status not in _LOCKED or evidence.placebo or unplanned or withheld(evidence.primary.refused):
        return None
    shown = printed(judged(evidence))
    better = evidence.better
    found = choose(
        measurable=not evidence.not_measurable,
        gates_passed=not evidence.sealed,
        low=None if shown is None else shown.low,
        high=None if shown is None else shown.high,
        better="lower" if better == "neither" else better,
        smallest=evidence.smallest,
        one_sign=two_signs(evidence) is None,
    )
    return None if better == "neither" and found.kind in ("more-favourable", "less-favourable") else found


def title(statement: Statement, evidence: Evidence, say: Texts) -> str:
    """Its short name: ``geen verschil van 0,5 procentpunt of meer``."""
    key = f"statements.{statement.kind}.title"
    return say(key, bound=_bound(evidence, say)) if statement.kind == "no-difference-of-s" else say(key)


def said(statement: Statement, evidence: Evidence, say: Texts) -> str:
    """The fixed sentence, with the numbers as they are printed."""
    name = named(evidence, say)
    opens = statement.kind in _OPENS and say.language == "nl"
    common = {
        "outcome": opening(name) if opens else name,
        "areas": number(evidence.compared_areas, say.language, 0),
        "total": number(evidence.areas_total, say.language, 0),
        "period": window(evidence),
    }
    unit = evidence.level
    if statement.kind == "not-measurable":
        reason = listed(evidence.not_measurable, say.language)
        return sentence(statement, say.language, unit=unit, outcome=common["outcome"], reason=reason)
    if statement.form == "check":
        return sentence(statement, say.language, unit=unit, check=_checks(evidence, say), **common)
    if statement.form == "unknown":
        return sentence(statement, say.language, unit=unit, **common)
    if statement.form == "bracket":
        ends = two_signs(evidence)
        assert ends is not None, "the form says that there are two signs"
        low, high = (size(end.value, end.digits, say, evidence.unit) for end in ends)
        return sentence(statement, say.language, unit=unit, low=low, high=high, **common)
    estimate = judged(evidence)
    shown = printed(estimate)
    assert shown is not None, "a statement with a number has one"
    assert shown.low is not None, "and its interval"
    assert shown.high is not None
    numbers = {
        "difference": size(shown.value, shown.digits, say, evidence.unit),
        "low": size(shown.low, shown.digits, say),
        "high": size(shown.high, shown.digits, say),
        "level": percent_level(estimate.level, say.language),
    }
    if statement.form in ("smaller", "interval") or statement.kind == "no-difference-of-s":
        numbers["bound"] = _bound(evidence, say)
    return sentence(statement, say.language, unit=unit, **numbers, **common)


def headline(evidence: Evidence, say: Texts) -> tuple[str, str] | None:
    """Title and sentence of the statement; None where there is none."""
    found = concluded(evidence)
    return None if found is None else (title(found, evidence, say), said(found, evidence, say))


def _bound(evidence: Evidence, say: Texts) -> str:
    return "" if evidence.smallest is None else with_unit(exact(evidence.smallest, say.language), evidence.unit)


def _checks(evidence: Evidence, say: Texts) -> str:
    closed = [check for check in evidence.checks if check.gates and check.verdict != "pass"]
    names = listed((f"‘{say.known(f'checks.{check.name}.title', check.name)}’" for check in closed), say.language)
    return names.removeprefix("‘").removesuffix("’")  # the sentence has the outer quotes
