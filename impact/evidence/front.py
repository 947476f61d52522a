"""The first page: what was found, in words and in one table, and what that does not say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from impact.evidence.addresses import primary_address
from impact.evidence.change_table import change
from impact.evidence.conclusion import answered, headline
from impact.evidence.disclosed import withheld
from impact.evidence.document import Block, Cell, Code, Paragraph, Points, Section
from impact.evidence.language import Texts, exact, listed, number, p_value, percent_level
from impact.evidence.reading import (
    named,
    periods,
    plain,
    printed,
    reason,
    size,
    two_signs,
    window,
    with_unit,
)
from impact.evidence.record import Evidence, Second

__all__ = ["check_title", "front", "result"]


def result(evidence: Evidence, say: Texts) -> Section:
    """What was found, in words; `evidence` is the visible one."""
    found, address = headline(evidence, say), (say("result.address"), Code(str(primary_address(evidence))))
    if found is not None:
        said = (Paragraph((found[1],)), Paragraph((say("result.whole_sentence"), *address)))
        return Section("resultaat", say("result.statement", title=found[0]), said)
    unknown = evidence.sealed or two_signs(evidence) is not None
    key = "not_measurable_title" if evidence.not_measurable else "sealed_title" if unknown else _key("title", evidence)
    title = say(f"result.{key}")
    sentences = tuple(Paragraph((piece,)) for piece in _sentences(evidence, say))
    return Section("resultaat", title, (*sentences, Paragraph(address)))


def front(evidence: Evidence, say: Texts) -> tuple[Section, ...]:
    """The parts of the first page that follow the result; `evidence` is the visible one."""
    parts = [
        change(evidence, say),
        *(_unmeasured(evidence, say) if evidence.not_measurable else (_basis(evidence, say),)),
        _left_out(evidence, say),
        None if evidence.not_measurable else _not_said(evidence, say),
        _verify(say),
    ]
    return tuple(part for part in parts if part is not None)


def check_title(name: str, say: Texts) -> str:
    """The title of a check; its own name where the catalogue does not know it."""
    return say.known(f"checks.{name}.title", name)


# --- the result in words ----------------------------------------------------------------------------------------------


def _sentences(evidence: Evidence, say: Texts) -> Iterator[Cell]:
    common = {
        "outcome": named(evidence, say),
        "areas": number(evidence.compared_areas, say.language, 0),
        "total": number(evidence.areas_total, say.language, 0),
        "period": window(evidence),
    }
    estimate = answered(evidence)
    shown = printed(estimate)
    if evidence.not_measurable:
        reasons = listed(evidence.not_measurable, say.language)
        yield say("result.not_measurable", outcome=common["outcome"], reason=reasons)
        return
    if evidence.sealed:
        yield say("result.sealed", checks=_gates(evidence, say), **common)
        return
    if shown is None:
        yield say("result.withheld" if withheld(evidence.primary.refused) else "result.no_estimate", **common)
        if evidence.primary.refused is not None:
            yield from reason(evidence.primary.refused, evidence, say)
        return
    difference = size(shown.value, shown.digits, say, evidence.unit)
    if shown.low is None or shown.high is None:
        yield say("result.point" if shown.value else "result.point_same", difference=difference, **common)
        yield from _without_interval(evidence, say)
    else:
        level = percent_level(estimate.level, say.language)
        low, high = (size(x, shown.digits, say) for x in (shown.low, shown.high))
        yield say(
            "result.found" if shown.value else "result.found_same",
            difference=difference,
            level=level,
            low=low,
            high=high,
            **common,
        )
        if two_signs(evidence) is None:
            outside = shown.low > 0 or shown.high < 0
            yield say(f"result.{_key('outside_zero', evidence) if outside else 'inside_zero'}", **common)
            yield from _against_smallest(evidence, shown.low, shown.high, say)
    yield from _two_signs(evidence, say)
    yield say("result.caution")
    if evidence.level == "gemeente":
        yield _whole(evidence.population, say)


def _key(name: str, evidence: Evidence) -> str:
    """The text of that name for a result that was fixed beforehand, that deviates from it, or that is exploratory."""
    fixed = evidence.status in ("pre-specified", "amended")
    return f"{name}_locked" if fixed else f"{name}_deviation" if evidence.status == "deviation" else name


def _whole(population: float | None, say: Texts) -> str:
    """That the number is that of whole gemeenten, and how many of their residents live in the areas."""
    if population is None:
        return say("result.whole_unknown")
    return say("result.whole", share=say("format.percent", number=number(100 * population, say.language, 1)))


def _without_interval(evidence: Evidence, say: Texts) -> Iterator[Cell]:
    if evidence.primary.refused is not None:
        yield from (piece for piece in reason(evidence.primary.refused, evidence, say)[1:2] if plain(piece))
    primary = evidence.primary
    if primary.p_value is not None:
        written = _equal(p_value(primary.p_value, say.language))
        yield say("result.own", name=say.known(f"inferences.{primary.inference}.title", primary.inference), p=written)
    seconds = sorted((s for s in primary.beside if s.p_value is not None), key=lambda s: s.name != "placebo-space")
    if seconds:
        yield _second(seconds[0], say)
    if two_signs(evidence) is None:
        yield say("result.not_established", outcome=named(evidence, say))


def _two_signs(evidence: Evidence, say: Texts) -> Iterator[Cell]:
    """That nothing can be established, where the way the difference goes depends on whom is compared with."""
    ends = two_signs(evidence)
    if ends is not None:
        low, high = (size(end.value, end.digits, say, evidence.unit) for end in ends)
        outcome = named(evidence, say)
        yield say("result.two_signs", low=low, high=high, outcome=outcome)


def _second(second: Second, say: Texts) -> str:
    p = second.p_value if second.p_value is not None else 1.0
    written = _equal(p_value(p, say.language, None if second.enumerated else second.draws))
    if second.name != "placebo-space":
        return say("result.second", name=say.known(f"inferences.{second.name}.title", second.name), p=written)
    # From the p-value as it is printed, so that the two agree.
    percent = number(100 * float(f"{p:.2f}"), say.language, 0) if p >= 0.01 else say("format.under", bound="1")
    return say("result.placebo", p=written, percent=percent)


def _equal(written: str) -> str:
    return written if written.startswith("<") else f"= {written}"


def _against_smallest(evidence: Evidence, low: float, high: float, say: Texts) -> Iterator[str]:
    smallest = evidence.smallest
    if smallest is None:
        return
    bound = with_unit(exact(smallest, say.language), evidence.unit)
    if -smallest < low and high < smallest:
        yield say("result.under_smallest", bound=bound)
    elif low > smallest or high < -smallest:
        yield say("result.over_smallest", bound=bound)
    else:
        yield say("result.fits_smallest", bound=bound)


def _gates(evidence: Evidence, say: Texts) -> str:
    closed = [check for check in evidence.checks if check.gates and check.verdict != "pass"]
    return listed((f"‘{check_title(check.name, say)}’" for check in closed), say.language)


# --- the rest of the first page ---------------------------------------------------------------------------------------


def _basis(evidence: Evidence, say: Texts) -> Section:
    span = periods(evidence)
    counts = {
        "areas": number(evidence.compared_areas, say.language, 0),
        "clusters": number(evidence.compared_gemeenten, say.language, 0),
        "compared": number(evidence.compared, say.language, 0),
        "pool": number(evidence.pool, say.language, 0),
    }
    pieces = [say("answer.basis_sealed" if evidence.sealed else "basis.areas", **counts)]
    if span is not None:
        pieces.append(
            say("basis.periods", before=number(span.before, say.language, 0), after=number(span.after, say.language, 0))
        )
    if evidence.checks:
        tally = Counter(check.verdict for check in evidence.checks)
        counted = {"passed": tally["pass"], "failed": tally["fail"], "open": tally["not_evaluated"]}
        pieces.append(say("basis.checks", **{key: number(count, say.language, 0) for key, count in counted.items()}))
    failed = [f"‘{check_title(check.name, say)}’" for check in evidence.checks if check.verdict == "fail"]
    if failed:
        pieces.append(say("basis.failed", checks=listed(failed, say.language)))
    unknown = [
        f"{check_title(check.name, say)} ({check.because})"
        for check in evidence.checks
        if check.says == "composition" and check.verdict == "not_evaluated" and check.because
    ]
    if unknown:
        pieces.append(say("basis.open", checks=listed(unknown, say.language)))
    return Section("basis", say("basis.title"), (Paragraph(tuple(pieces)),))


def _left_out(evidence: Evidence, say: Texts) -> Section:
    reasons: dict[str, list[str]] = {}
    for area in evidence.others:
        reasons.setdefault(area.left_out, []).append(area.name)
    items: list[Cell] = [
        say("left_out.area", name=listed(names, say.language), reason=reason) for reason, names in reasons.items()
    ]
    others = evidence.areas_total - len(evidence.areas)
    if others > 0:
        items.append(say("left_out.others" if others > 1 else "left_out.other", count=number(others, say.language, 0)))
    periods: dict[str, list[str]] = {}
    for period in evidence.periods_left_out:
        periods.setdefault(period.reason, []).append(period.unit)
    items += [
        say("left_out.periods", periods=listed(labels, say.language), reason=reason)
        for reason, labels in periods.items()
    ]
    if evidence.excluded:
        items.append(say("left_out.units", count=number(len(evidence.excluded), say.language, 0)))
    blocks = (Points(tuple(items)),) if items else (Paragraph((say("left_out.none"),)),)
    return Section("niet-meegeteld", say("left_out.title"), blocks)


def _not_said(evidence: Evidence, say: Texts) -> Section:
    keys = [
        "areas",
        "people",
        "target" if evidence.change is not None else "target_sealed",
        "other_policy",
    ]
    keys += [evidence.status] if f"not_said.{evidence.status}" in say else []
    blocks: list[Block] = [Points(tuple(say(f"not_said.{key}") for key in keys))]
    if evidence.context:
        blocks.append(Paragraph((say("frontpage.context", title=say("context.title")),)))
    return Section("wat-niet", say("not_said.title"), tuple(blocks))


def _unmeasured(evidence: Evidence, say: Texts) -> Iterator[Section]:
    """Of an outcome that is not measurable: what would make it so, and where what is known can be found."""
    if evidence.needed:
        yield Section("wat-nodig", say("frontpage.needed"), (Points(evidence.needed),))
    sources = dict.fromkeys(
        file.source for file in evidence.data if file.role in ("outcomes", "sealed") and file.source
    )
    known = [
        say("frontpage.known_text", sources=listed(sources, say.language)) if sources else say("frontpage.not_known")
    ]
    if evidence.context:
        known.append(say("frontpage.known_context", title=say("context.title")))
    yield Section("wat-bekend", say("frontpage.known"), (Paragraph(tuple(known)),))


def _verify(say: Texts) -> Section:
    without = Paragraph((say("verify.bundle"), Code("impact verify bundle.zip")))
    again = Paragraph((say("verify.again"), Code(f"impact verify bundle.zip --data {say('verify.folder')} --rerun")))
    return Section("nagaan", say("verify.title"), (without, again))
