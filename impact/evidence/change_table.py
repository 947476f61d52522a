"""Before and after: both groups and the country in one table, and the difference told as a number of people."""

from __future__ import annotations

from impact.evidence.conclusion import judged
from impact.evidence.document import Block, Cell, Column, Paragraph, Section, Table
from impact.evidence.in_persons import Persons, in_persons
from impact.evidence.language import Texts, number
from impact.evidence.reading import Printed, in_language, interval, plain, printed, two_signs, value, with_unit
from impact.evidence.record import Change, Evidence

__all__ = ["both_units", "change", "level_unit"]

_POINTS = frozenset({"procentpunt", "procentpunten", "percentage point", "percentage points"})


def level_unit(unit: str) -> str:
    """The unit of a level, where `unit` is that of a difference: ``%`` of ``procentpunt``."""
    return "%" if unit.casefold() in _POINTS else unit


def both_units(unit: str, say: Texts) -> str:
    """The unit of levels that stand with their difference: ``%; verschil in procentpunt``."""
    level = level_unit(unit)
    return unit if level == unit else say("answer.difference_in", unit=level, difference=unit)


def change(evidence: Evidence, say: Texts) -> Section | None:
    """The table with its conversion to people; None without an estimate."""
    primary = judged(evidence)
    found, shown = evidence.change, printed(primary)
    if found is None or shown is None:
        return None
    heads, levels = _columns(found, say)
    unit, name = level_unit(evidence.unit), plain(in_language(evidence.outcome, say.language))
    percent = unit if unit == "%" else ""
    rows: list[tuple[Cell, ...]] = [
        (say("change.before", period=found.before), *(_level(before, shown, say, percent) for before, _ in levels)),
        (say("change.after", period=found.after), *(_level(after, shown, say, percent) for _, after in levels)),
        (say("frontpage.change", unit=evidence.unit), *(_moved(before, after, shown, say) for before, after in levels)),
    ]
    caption = (
        say("frontpage.caption", outcome=name) if percent else say("frontpage.caption_unit", outcome=name, unit=unit)
    )
    difference = f"{value(primary, say)} ({interval(primary, say)})"
    total = (say("frontpage.difference", unit=evidence.unit), difference)
    blocks: list[Block] = [Table(caption, heads, tuple(rows), _note(found, shown, evidence, say), total=total)]
    also = also_said(evidence, say)
    if also:
        blocks.append(Paragraph((also,)))
    return Section("voor-en-na", say("change.title"), tuple(blocks))


_Level = tuple[float | None, float | None]


def _columns(found: Change, say: Texts) -> tuple[tuple[Column, ...], tuple[_Level, ...]]:
    """Heads of the table, and for every column after the first its level before and after."""
    titles = [say("change.focus"), say("change.comparison")]
    levels: list[_Level] = [
        (found.focus_before, found.focus_after),
        (found.comparison_before, found.comparison_after),
    ]
    if found.national_before is not None or found.national_after is not None:
        titles.append(say("frontpage.national"))
        levels.append((found.national_before, found.national_after))
    return (Column(say("change.period")), *(Column(title, True) for title in titles)), tuple(levels)


def _level(x: float | None, shown: Printed, say: Texts, percent: str) -> str:
    return say("words.not_given") if x is None else with_unit(number(x, say.language, shown.digits), percent)


def _moved(before: float | None, after: float | None, shown: Printed, say: Texts) -> str:
    move = _move(before, after)
    return say("words.not_given") if move is None else number(move, say.language, shown.digits, sign=True)


def _move(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def _note(found: Change, shown: Printed, evidence: Evidence, say: Texts) -> str:
    """Says so where the estimate is not the plain difference of the two changes, beyond rounding."""
    notes = [say(f"better.{evidence.better}")]
    focus, comparison = (
        _move(found.focus_before, found.focus_after),
        _move(found.comparison_before, found.comparison_after),
    )
    if focus is not None and comparison is not None and abs(focus - comparison - shown.value) > 10.0**-shown.digits:
        simple = number(focus - comparison, say.language, shown.digits, sign=True)
        notes.append(say("change.adjusted", simple=simple))
    if found.national_before is not None or found.national_after is not None:
        notes.append(say("frontpage.national_note"))
    return " ".join(notes)


# --- as a number of people --------------------------------------------------------------------------------------------


def also_said(evidence: Evidence, say: Texts) -> str:
    """The difference as a number of people with its margin, or why there is none; "" where none is asked for.

    In a placebo study nobody was treated, and a number of people would say that somebody was.
    """
    also, shown = evidence.also_as, printed(judged(evidence))
    if also is None or shown is None or evidence.placebo:
        return ""
    words = plain(in_language(also.words, say.language))
    if two_signs(evidence) is not None:
        return say("frontpage.also.two_signs", words=words)
    if shown.low is None or shown.high is None:
        return say("frontpage.also.no_margin", words=words)
    found = in_persons(also, shown.value, shown.low, shown.high)
    return say("frontpage.also.unknown", words=words) if found is None else _converted(found, words, say)


def _converted(found: Persons, words: str, say: Texts) -> str:
    low, high = (_count(x, "", say) for x in (found.low, found.high))
    given = {"low": low, "high": high, "base": number(found.base, say.language, 0), "people": words.split(" per ")[0]}
    if not found.value:
        return say("frontpage.also.same", words=words, **given)
    return say("frontpage.also.text", value=_count(found.value, words, say), **given)


def _count(x: float, words: str, say: Texts) -> str:
    """``100 leerlingen per jaar minder``; without words ``420 minder``, and ``0`` alone."""
    amount = number(abs(x), say.language, 0)
    if not x:
        return amount
    way = "less" if x < 0 else "more"
    return (
        say(f"frontpage.also.first_{way}", count=amount, words=words)
        if words
        else say(f"frontpage.also.{way}", count=amount)
    )
