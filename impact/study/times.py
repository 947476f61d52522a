"""What a specification says of its periods, starts and breaks that cannot all be true."""

from __future__ import annotations

from collections.abc import Iterator

from impact.study.faults import Fault
from impact.study.model import Specification
from impact.study.source import Loc

__all__ = ["before_every_start", "spoken", "times"]


def times(spec: Specification) -> Iterator[Fault]:
    """Everything that is wrong with periods, starts, left-out periods and breaks."""
    wrong = [*_periods(spec)]
    yield from wrong
    start = spec.treatment.start
    given = [key for key in ("first_treated", "by_area", "column") if getattr(start, key) is not None]
    if len(given) != 1 and not wrong:
        said = f"{' and '.join(f'`{key}`' for key in given)} are given" if given else "none is given"
        hint = "One period for all, one per area, or a column of the units table."
        yield Fault(("treatment", "start"), f"one of `first_treated`, `by_area` and `column` says when; {said}", hint)
    if len(given) == 1 and not wrong:
        yield from _starts(spec)
        yield from _comparable(spec)


def _periods(spec: Specification) -> Iterator[Fault]:
    """What is wrong with the periods themselves, and every period of the study that is of another kind."""
    periods = spec.periods
    school = periods.kind == "school-year"
    if periods.kind == "waves":
        if periods.first or periods.last:
            hint = "Take `first` and `last` out, and fill in `are`."
            yield Fault(("periods",), "waves are listed one by one in `are`", hint)
        elif list(periods.are) != sorted(set(periods.are)) or len(periods.are) < 2:
            hint = "For instance `are: [2019, 2021, 2023]`."
            yield Fault(("periods", "are"), "`are` lists two or more waves, each once and in order", hint)
        school = any("/" in wave for wave in periods.are)
    elif periods.first is None or periods.last is None or periods.are:
        hint = "Write `{first: 2013, last: 2024}`; a list `are` goes with `kind: waves`."
        yield Fault(("periods",), f"the kind {periods.kind} takes `first` and `last`, and no list", hint)
        return
    elif periods.last <= periods.first:
        hint = "An effect is a change between periods, so it takes two or more."
        message = f"the last year, {periods.last}, is not after the first, {periods.first}"
        yield Fault(("periods", "last"), message, hint)
    kind = 'school years, such as "2021/\'22"' if school else "years, such as 2021"
    hint = "" if periods.kind == "waves" else "`periods.kind` is school-year or year."
    for loc, label in _named_periods(spec):
        if ("/" in label) != school:
            yield Fault(loc, f"{label} does not fit: the periods of this study are {kind}", hint)


def _named_periods(spec: Specification) -> Iterator[tuple[Loc, str]]:
    """Every period that the study names, with its place."""
    start, match = spec.treatment.start, spec.comparison.match
    for key in ("first", "last"):
        if label := getattr(spec.periods, key):
            yield ("periods", key), label
    for key in ("first_treated", "first_full", "last_before"):
        if label := getattr(start, key):
            yield ("treatment", "start", key), label
    if (arrives := spec.data.outcomes.arrives) is not None:
        at = ("data", "outcomes", "arrives")
        yield (*at, "have"), arrives.have
        yield from (((*at, "planned", number), label) for number, label in enumerate(arrives.planned))
    yield from ((("treatment", "start", "by_area", slug), label) for slug, label in (start.by_area or {}).items())
    yield from ((("periods", "are", number), label) for number, label in enumerate(spec.periods.are))
    yield from ((("breaks", number, "at"), found.at) for number, found in enumerate(spec.breaks))
    for number, rule in enumerate(spec.leave_out):
        yield from ((("leave_out", number, "periods", at), label) for at, label in enumerate(rule.periods))
    yield from ((("target", "window", number), label) for number, label in enumerate(spec.target.window or ()))
    yield from (
        (("comparison", "match", "outcomes_in", number), label)
        for number, label in enumerate(match.outcomes_in if match else ())
    )


def _starts(spec: Specification) -> Iterator[Fault]:
    """Starts that lie outside the periods, or have none before them."""
    start, labels = spec.treatment.start, spec.measured
    named: dict[Loc, str] = {}
    if start.first_treated:
        named["treatment", "start", "first_treated"] = start.first_treated
    aside = spec.treatment.already_treated
    named |= {
        ("treatment", "start", "by_area", slug): year
        for slug, year in (start.by_area or {}).items()
        if slug not in aside
    }
    for loc, label in named.items():
        if not labels or not spec.periods.labels[0] <= label <= labels[-1]:
            message = f"the start in {label} lies outside the periods {spoken(spec)}"
            yield Fault(loc, message)
        elif not spec.base_periods(label, labels):
            anticipation = spec.treatment.anticipation
            early = f" less an anticipation of {anticipation}" if anticipation else ""
            hint = f"The first period is {labels[0]}; begin earlier, so that there is a period to compare with."
            yield Fault(loc, f"there is no period before the start in {label}{early}", hint)
    loc = ("treatment", "start", "first_full")
    if start.first_full and not start.first_treated:
        yield Fault(loc, "`first_full` goes with one `first_treated` for all areas", "Take one of the two out.")
    elif start.first_full and start.first_treated and not start.first_treated <= start.first_full <= labels[-1]:
        yield Fault(
            loc, f"the first full period, {start.first_full}, does not follow the start in {start.first_treated}"
        )
    if start.last_before and not start.first_treated:
        hint = "Take `last_before` out; `impact check` prints the base period of every cohort."
        yield Fault(("treatment", "start", "last_before"), "`last_before` goes with one `first_treated`", hint)
    elif start.last_before and start.first_treated:
        before = [label for label in labels if label < start.first_treated]
        if before[-1:] != [start.last_before]:
            message = f"the last measurement before the start is {before[-1] if before else 'not there'}"
            yield Fault(("treatment", "start", "last_before"), message, f"It says {start.last_before}.")


def _comparable(spec: Specification) -> Iterator[Fault]:
    """Left-out periods and breaks that do not fit the periods."""
    labels = spec.periods.labels
    for number, rule in enumerate(spec.leave_out):
        for at, label in enumerate(rule.periods):
            if label not in labels:
                message = f"{label} is not among the periods {spoken(spec)}"
                yield Fault(("leave_out", number, "periods", at), message, "Take it out.")
    for number, found in enumerate(spec.breaks):
        if not labels[0] < found.at <= labels[-1]:
            message = f"a break in {found.at} parts none of the periods {spoken(spec)}"
            yield Fault(("breaks", number, "at"), message, "Take it out.")
        if found.treat_as == "segment" and not spec.starts() and not spec.target.window:
            hint = "Give `target.window`: the side of the break on which it lies is used."
            yield Fault(
                ("breaks", number), "which side of the break counts is not known when a column holds the starts", hint
            )
    low, high = spec.target.window or (labels[0], labels[-1])
    if low <= high and {low, high} <= set(labels) and not any(low <= label <= high for label in spec.measured):
        yield Fault(("target", "window"), "every period of the window is left out")


def spoken(spec: Specification) -> str:
    """The periods of a study, for a message."""
    labels = spec.periods.labels
    return ", ".join(labels) if spec.periods.kind == "waves" else f"{labels[0]} to {labels[-1]}"


def before_every_start(spec: Specification, loc: Loc, year: str, what: str) -> Iterator[Fault]:
    """Why `year` cannot be used for `what`, which takes periods in which nothing can have responded."""
    if year not in spec.labels:
        yield Fault(loc, f"{year} is not among the periods {', '.join(spec.labels)}")
        return
    first = min(spec.starts(), default=None)
    if first is not None and year not in spec.before(first, spec.labels):
        hint = "Use years in which nothing can have responded yet."
        yield Fault(loc, f"{what} takes {year}, which is not before the start in {first} and its anticipation", hint)
