"""What an estimate can bear, in words and tables, for the account of a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from impact.errors import Refused
from impact.evidence.areas_section import areas_side_by_side
from impact.evidence.comparison import columns, count
from impact.evidence.composition_section import composed
from impact.evidence.conclusion import concluded
from impact.evidence.controls_section import negative_controls
from impact.evidence.disclosed import withheld
from impact.evidence.document import Block, Cell, Figure, Paragraph, Table
from impact.evidence.language import Texts, exact, listed, number, significant
from impact.evidence.plots_robust import breakdown, curve_points
from impact.evidence.reading import interval, printed, reason, value, with_unit
from impact.evidence.record import Evidence
from impact.evidence.robust import Alternatives, Closeness, Honest, Judged, LeftOut, Moved, OwnPast, Ring
from impact.evidence.sets_section import sets

__all__ = ["robust"]


def robust(evidence: Evidence, figures: Mapping[str, str], say: Texts) -> list[Block]:
    """Nothing where there is no estimate, or a gate failed."""
    found = evidence.robust
    if found is None or printed(evidence.primary) is None:
        return []
    return [
        Paragraph((say("robust.intro"),)),
        *_honest(found.honest, evidence, figures, say),
        *_left_out(found.left_out, evidence, say),
        *_alternatives(found.alternatives, evidence, figures, say),
        *sets(found.sets, evidence, figures, say),
        *areas_side_by_side(evidence, figures, say),
        *_past(found.past, evidence, say),
        *negative_controls(found.controls, evidence, say),
        *_ring(found.ring, evidence, say),
        *composed(found.composition, evidence, say),
        *_fit(found.fit, evidence, say),
    ]


def _not(key: str, refused: Refused, evidence: Evidence, say: Texts) -> tuple[Cell, ...]:
    """That something is not evaluated, and why; or that it was, and is not shown."""
    if withheld(refused):
        return (say("disclosure.made", part=say(f"disclosure.part.robust-{key}")),)
    return say(f"robust.not.{key}"), reason(refused, evidence, say)[1]


def _written(x: float | None, evidence: Evidence, say: Texts) -> str:
    """A number as the estimate is printed."""
    shown = printed(evidence.primary)
    if x is None or shown is None:
        return say("robust.nothing")
    return number(x, say.language, shown.digits, sign=True)


def _drawn(caption: str, name: str, figures: Mapping[str, str], table: Table) -> Block:
    return Figure(caption, figures[name], table) if name in figures else table


# --- departures from parallel trends ----------------------------------------------------------------------------------


def _honest(found: Honest, evidence: Evidence, figures: Mapping[str, str], say: Texts) -> Iterator[Block]:
    if found.refused is not None:
        yield Paragraph(_not("honest", found.refused, evidence, say))
        return
    pieces = [say("robust.honest.meaning"), breakdown(found, say)]
    if found.last is not None and found.since is not None:
        since = number(found.since, say.language, 1)
        pieces.append(say("robust.honest.several", since=since, last=_written(found.last, evidence, say)))
    yield Paragraph(tuple(pieces))
    rows = tuple(
        (
            number(row.bound, say.language, 1),
            say("robust.honest.none")
            if row.low is None
            else say("robust.range", low=_written(row.low, evidence, say), high=_written(row.high, evidence, say)),
        )
        for row in found.bounds
    )
    notes = [say("robust.honest.note", count=count(len(found.events), say))]
    if found.left_out:
        events = listed((number(event, say.language, 0) for event in found.left_out), say.language)
        notes.append(say("robust.honest.left_out", list=events))
    table = Table(
        say("robust.honest.caption", unit=evidence.unit),
        columns("robust.honest", "bound interval", "bound", say),
        rows,
        " ".join(notes),
        folded="departures" in figures,
    )
    yield _drawn(say("robust.honest.figure"), "departures", figures, table)


# --- what it rests on -------------------------------------------------------------------------------------------------


def _left_out(found: tuple[LeftOut, ...], evidence: Evidence, say: Texts) -> Iterator[Block]:
    done = [one for one in found if one.refused is None]
    said = [_rests(one, evidence, say) for one in done]
    if said:
        yield Paragraph(tuple(said))
        yield Table(
            say("robust.left_out.caption", unit=evidence.unit),
            columns("robust.left_out", "what count low high most sign statement", "count low high", say),
            tuple(_row(one, evidence, say) for one in done),
            _with_statement("robust.left_out.note", evidence, say),
        )
    for one in found:
        if one.refused is not None:
            yield Paragraph(_not(one.what, one.refused, evidence, say))


def _with_statement(key: str, evidence: Evidence, say: Texts) -> str:
    """A note that speaks of the statement, and that there is none where the result has none."""
    return say(key) if concluded(evidence) is not None else f"{say(key)} {say('answer.would')}"


def _rests(found: LeftOut, evidence: Evidence, say: Texts) -> str:
    changed = found.signs if found.statements is None else tuple(dict.fromkeys((*found.signs, *found.statements)))
    key = "same" if found.statements is not None else "same_sign"
    tail = (
        say("robust.left_out.changes", list=listed(changed, say.language)) if changed else say(f"robust.left_out.{key}")
    )
    if not found.most:
        return say(f"robust.left_out.nobody.{found.what}")
    ends = {"low": _written(found.low, evidence, say), "high": _written(found.high, evidence, say)}
    return say(f"robust.left_out.says.{found.what}", most=found.most, tail=tail, **ends)


def _row(found: LeftOut, evidence: Evidence, say: Texts) -> tuple[Cell, ...]:
    def named(names: tuple[str, ...] | None) -> str:
        if names is None:
            return say("robust.nothing")
        return listed(names, say.language) if names else say("robust.left_out.none")

    made = sum(one.value is not None for one in found.each)
    total = count(made, say) if made == len(found.each) else f"{count(made, say)}/{count(len(found.each), say)}"
    ends = (_written(found.low, evidence, say), _written(found.high, evidence, say))
    most = found.most or say("robust.nothing")
    return (say(f"robust.left_out.kind.{found.what}"), total, *ends, most, named(found.signs), named(found.statements))


# --- other calculations -----------------------------------------------------------------------------------------------


def _alternatives(
    found: Alternatives | None, evidence: Evidence, figures: Mapping[str, str], say: Texts
) -> Iterator[Block]:
    if found is None:
        return
    pieces = [say("robust.alternatives.none")]
    if found.count:
        ends = {name: _written(getattr(found, name), evidence, say) for name in ("low", "median", "high")}
        key = "one" if found.count == 1 else "says"
        counts = {"count": count(found.count, say), "same": count(found.same_sign, say)}
        same = say(f"robust.alternatives.sign.{'same' if found.same_sign else 'other'}")
        pieces = [say(f"robust.alternatives.{key}", sign=same, **counts, **ends)]
    if found.refused:
        pieces.append(say("robust.alternatives.refused", count=count(found.refused, say)))
    if found.others:
        pieces.append(say("robust.alternatives.others", list=listed(found.others, say.language)))
    yield Paragraph(tuple(pieces))
    points = curve_points(evidence, say)
    if points:
        rows = tuple((name, value(estimate, say), interval(estimate, say)) for name, estimate in points)
        table = Table(
            say("robust.alternatives.caption", unit=evidence.unit),
            columns("robust.alternatives", "name value interval", "value", say),
            rows,
            folded="specifications" in figures,
        )
        yield _drawn(say("robust.alternatives.figure"), "specifications", figures, table)


# --- the own past -----------------------------------------------------------------------------------------------------


def _past(found: OwnPast | None, evidence: Evidence, say: Texts) -> Iterator[Block]:
    if found is None:
        return
    if found.refused is not None:
        yield Paragraph(_not("past", found.refused, evidence, say))
        return
    span = found.starts[0] if len(found.starts) == 1 else f"{found.starts[0]}–{found.starts[-1]}"
    counts = {"programmes": count(found.programmes, say), "windows": count(found.windows, say)}
    pieces = [say("robust.past.descriptive", starts=span, **counts), *_done(found.pairs[0], evidence, say)]
    if found.missing:
        pieces.append(say("robust.past.missing", count=count(found.missing, say)))
    if found.favourable:
        pieces.append(say("robust.past.favourable"))
    yield Paragraph(tuple(pieces))
    names = "name size_column coverage_column bias_column rmse_column detectable_column worlds refused"
    yield Table(
        say("robust.past.caption", unit=evidence.unit),
        columns("robust.past", names, names.removeprefix("name "), say),
        tuple(_judged(one, evidence, say) for one in found.pairs),
    )


def _done(found: Judged, evidence: Evidence, say: Texts) -> Iterator[str]:
    """How the declared inference did, in sentences."""

    def unit(x: float) -> str:
        return with_unit(_written(x, evidence, say).lstrip("+"), evidence.unit)

    if not found.worlds:
        yield say("robust.past.nothing")
        return
    name = say.known(f"inferences.{found.inference}.title", found.inference)
    if found.size is not None:
        claimed = _percent(1 - found.level, say)
        yield say("robust.past.size", name=name, size=_percent(found.size, say), claimed=claimed)
    if found.coverage is not None:
        yield say("robust.past.coverage", coverage=_percent(found.coverage, say), level=_percent(found.level, say))
    if found.bias is not None and found.rmse is not None:
        yield say("robust.past.bias", bias=unit(abs(found.bias)), rmse=unit(found.rmse))
    if found.detectable is None:
        yield say("robust.past.undetectable")
        return
    yield say("robust.past.detectable", detectable=unit(found.detectable))
    if evidence.smallest is None:
        yield say("robust.past.no_smallest")
        return
    key = "enough" if evidence.smallest >= found.detectable else "too_small"
    smallest = with_unit(exact(evidence.smallest, say.language), evidence.unit)
    yield say(f"robust.past.{key}", smallest=smallest)


def _percent(share: float, say: Texts) -> str:
    return say("format.percent", number=number(100 * share, say.language, 0))


def _judged(found: Judged, evidence: Evidence, say: Texts) -> tuple[Cell, ...]:
    def rate(share: float | None, error: float | None) -> str:
        if share is None:
            return say("robust.nothing")
        written = number(100 * share, say.language, 1)
        error_ = "" if error is None else number(100 * error, say.language, 1)
        both = say("robust.past.error", value=written, error=error_) if error_ else written
        return say("format.percent", number=both)

    def amount(x: float | None, error: float | None, *, sign: bool = False) -> str:
        if x is None:
            return say("robust.nothing")
        written = _written(x, evidence, say) if sign else _written(x, evidence, say).lstrip("+")
        if error is None:
            return written
        return say("robust.past.error", value=written, error=significant(error, say.language, 2))

    return (
        say.known(f"inferences.{found.inference}.title", found.inference),
        rate(found.size, found.size_error),
        rate(found.coverage, found.coverage_error),
        amount(found.bias, found.bias_error, sign=True),
        amount(found.rmse, found.rmse_error),
        amount(found.detectable, found.detectable_error),
        count(found.worlds, say),
        count(found.refused, say),
    )


# --- around the areas -------------------------------------------------------------------------------------------------


def _ring(found: Ring | None, evidence: Evidence, say: Texts) -> Iterator[Block]:
    if found is None:
        return
    if found.refused is not None or found.ring is None or found.area is None or found.net is None:
        if found.refused is not None:
            yield Paragraph(_not("ring", found.refused, evidence, say))
        return
    rows = (("area", found.area, found.residents_area), ("ring", found.ring, found.residents_ring))
    both = None if None in (found.residents_area, found.residents_ring) else sum(x or 0.0 for _, _, x in rows)
    yield Paragraph((say("robust.ring.intro", count=count(len(found.units), say)), _went(found.ring, say)))
    yield Table(
        say("robust.ring.caption", unit=evidence.unit),
        columns("robust.ring", "name value interval residents", "value residents", say),
        tuple(_moved(name, one, x, evidence, say) for name, one, x in (*rows, ("net", found.net, both))),
        say("robust.ring.note"),
    )


def _went(ring: Moved, say: Texts) -> str:
    """What the ring itself shows, in a sentence."""
    if ring.low is None or ring.high is None:
        return say("robust.ring.open")
    return say("robust.ring.inside" if ring.low <= 0 <= ring.high else "robust.ring.outside")


def _moved(name: str, found: Moved, residents: float | None, evidence: Evidence, say: Texts) -> tuple[Cell, ...]:
    shown: Cell = say("words.no_interval") if "words.no_interval" in say else say("robust.nothing")
    if found.low is not None and found.high is not None:
        shown = say("robust.range", low=_written(found.low, evidence, say), high=_written(found.high, evidence, say))
    elif found.refused is not None:
        shown = reason(found.refused, evidence, say)[1]
    people = say("robust.ring.unknown") if residents is None else count(round(residents), say)
    return (say(f"robust.ring.{name}"), _written(found.value, evidence, say), shown, people)


# --- how closely the comparison follows -------------------------------------------------------------------------------


def _fit(found: tuple[Closeness, ...], evidence: Evidence, say: Texts) -> Iterator[Block]:
    if not found:
        return
    worst = max(found, key=lambda one: one.rmspe)
    off = with_unit(significant(worst.rmspe, say.language, 2), evidence.unit)
    yield Paragraph((say("robust.fit.says", worst=worst.area, rmspe=off, periods=count(worst.periods, say)),))
    yield Table(
        say("robust.fit.caption", unit=evidence.unit),
        columns("robust.fit", "name rmspe noise hull effective donor", "rmspe noise effective", say),
        tuple(_close(one, say) for one in found),
        say("robust.fit.note"),
    )


def _close(found: Closeness, say: Texts) -> tuple[Cell, ...]:
    noise = say("robust.fit.unknown") if found.noise is None else significant(found.noise, say.language, 2)
    hull = {True: "yes", False: "no", None: "unknown"}[found.in_hull]
    donor = f"{found.donor} ({_percent(found.largest, say)})" if found.donor else say("robust.fit.unknown")
    rmspe, effective = significant(found.rmspe, say.language, 2), number(found.effective, say.language, 1)
    return (found.area, rmspe, noise, say(f"robust.fit.{hull}"), effective, donor)
