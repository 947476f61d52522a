"""What a reader may see of an `Evidence`, and its numbers and refusals in words."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace

from impact.errors import Refused
from impact.evidence.disclosed import withheld
from impact.evidence.document import Cell, Foreign
from impact.evidence.language import Texts, decimals, number
from impact.evidence.record import Estimate, Evidence, Text
from impact.evidence.refusals import translated
from impact.inference.support import Support, support

__all__ = [
    "Periods",
    "Printed",
    "band",
    "in_language",
    "interval",
    "named",
    "one_base",
    "opening",
    "periods",
    "plain",
    "printed",
    "reason",
    "size",
    "slug",
    "supported",
    "two_signs",
    "value",
    "visible",
    "window",
    "with_unit",
    "within",
]

# Estimators with that one base, in some or all of their settings.
_ONE_BASE = ("group-time", "stacked", "sun-abraham", "extended-twfe", "twfe")
_FEWEST = 4  # treated clusters below which cluster-jackknife refuses "an interval"


def visible(evidence: Evidence) -> Evidence:
    """The evidence without any number of the effect when it is sealed, and unchanged when it is not.

    What a reader could compute the effect from goes too: both sides of the before/after table and of the paths, the
    second p-values, the alternatives, and what checks found in periods after the start.
    """
    if not evidence.sealed:
        return evidence
    return replace(
        evidence,
        primary=_blank(evidence.primary),
        weightings=tuple(replace(variant, estimate=_blank(variant.estimate)) for variant in evidence.weightings),
        alternatives=tuple(replace(variant, estimate=_blank(variant.estimate)) for variant in evidence.alternatives),
        bracket=tuple(replace(variant, estimate=_blank(variant.estimate)) for variant in evidence.bracket),
        robust=None,
        event=(),
        change=None,
        also_as=None,
        path=(),
        look=None,
        placebos=None,
        areas=tuple(replace(area, effect=None) for area in evidence.areas),
        families=tuple(family.without(evidence.indicator) for family in evidence.families),
        checks=tuple(
            replace(check, statistic=None, because="") if check.stage == "post" else check for check in evidence.checks
        ),
    )


def _blank(estimate: Estimate) -> Estimate:
    return replace(
        estimate, value=None, std_error=None, df=None, low=None, high=None, p_value=None, beside=(), refused=None
    )


# --- text -------------------------------------------------------------------------------------------------------------


def in_language(text: Text, language: str) -> Cell:
    """The text in `language`, or the Dutch one marked as such."""
    return text[language] if language in text else Foreign(text["nl"], "nl")


def plain(cell: Cell) -> str:
    """The text of a cell, without its mark."""
    return cell if isinstance(cell, str) else cell.text


def within(text: str) -> str:
    """A name as it stands inside a sentence: a small first letter, unless it opens with an abbreviation."""
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def named(evidence: Evidence, say: Texts) -> str:
    """The outcome as it stands inside a sentence: ``het aandeel voortijdig schoolverlaters``."""
    return within(plain(in_language(evidence.phrase or evidence.outcome, say.language)))


def opening(text: str) -> str:
    """A name as it opens a sentence."""
    return text[:1].upper() + text[1:]


def slug(text: str) -> str:
    """A name as a key of the catalogue."""
    return "-".join(text.lower().replace(".", " ").split())


# --- periods and areas ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Periods:
    """How many periods lie before the earliest start (and its anticipation), and how many count after it."""

    before: int
    after: int


def periods(evidence: Evidence) -> Periods | None:
    """Counts over the areas in the estimate; None where their starts or the window are not periods of the panel."""
    labels = list(evidence.periods)
    starts = [bisect_left(labels, area.first_treated) for area in evidence.included if area.first_treated]
    ends = [labels.index(label) for label in evidence.window if label in labels]
    if not starts or len(ends) < 2:
        return None
    start = min(starts)  # a start between two measurements counts from the next one
    return Periods(max(start - evidence.anticipation, 0), ends[1] - max(ends[0], start) + 1)


def one_base(evidence: Evidence) -> bool:
    """Whether all estimates by periods since the start are compared with the last period before it, which is then 0."""
    terms = {row.term for row in evidence.event}
    if evidence.primary.method not in _ONE_BASE or str(-1 - evidence.anticipation) in terms:
        return False
    # One difference for all periods after the start has no points before it, and no base among them.
    return evidence.primary.method != "twfe" or any(term.startswith("-") for term in terms)


def window(evidence: Evidence) -> str:
    """The periods of the estimate: one, or first and last."""
    first, last = evidence.window
    return first if first == last else f"{first}–{last}"


# --- numbers ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Printed:
    """An estimate as it is printed: rounded to what its standard error supports."""

    value: float
    low: float | None
    high: float | None
    digits: int


def printed(estimate: Estimate) -> Printed | None:
    """The numbers that are printed and, in words, judged; None without a value."""
    if estimate.value is None:
        return None
    digits = decimals(estimate.std_error, estimate.value)
    low, high = estimate.low, estimate.high
    if low is None or high is None:
        return Printed(round(estimate.value, digits), None, None, digits)
    return Printed(round(estimate.value, digits), round(low, digits), round(high, digits), digits)


def two_signs(evidence: Evidence) -> tuple[Printed, Printed] | None:
    """Lowest and highest of the estimate and its bracket, as printed; None unless one is below 0 and another above."""
    shown = (printed(estimate) for estimate in (evidence.primary, *(end.estimate for end in evidence.bracket)))
    values = sorted((found for found in shown if found is not None), key=lambda found: found.value)
    return (values[0], values[-1]) if values and values[0].value < 0 < values[-1].value else None


def size(x: float, digits: int, say: Texts, unit: str = "") -> str:
    """A difference in words: ``4,1 procentpunt lager``; ``0`` is neither lower nor higher."""
    amount = with_unit(number(abs(x), say.language, digits), unit)
    if round(x, digits) == 0:
        return amount
    return say("format.lower" if x < 0 else "format.higher", size=amount)


def with_unit(amount: str, unit: str) -> str:
    """A number with its unit: ``3 procentpunt``, ``3% van het gemiddelde``."""
    return f"{amount}{unit}" if unit.startswith("%") else f"{amount} {unit}".strip()


def value(estimate: Estimate, say: Texts, missing: str = "words.not_given") -> str:
    """The estimate with its sign, or the text `missing`."""
    shown = printed(estimate)
    missing = "words.withheld" if withheld(estimate.refused) else missing
    return say(missing) if shown is None else number(shown.value, say.language, shown.digits, sign=True)


def interval(estimate: Estimate, say: Texts, missing: str = "words.not_given") -> str:
    """``van −0,4 tot +0,2``, that there is none, or the text `missing` where there is no estimate either."""
    shown = printed(estimate)
    if shown is None:
        return say("words.withheld" if withheld(estimate.refused) else missing)
    if shown.low is None or shown.high is None:
        return say("words.no_interval")
    low, high = (number(x, say.language, shown.digits, sign=True) for x in (shown.low, shown.high))
    return say("format.interval", low=low, high=high)


def band(estimate: Estimate, say: Texts) -> str:
    """The interval that holds for all terms at once, printed as `interval`; the words for none without one."""
    if withheld(estimate.refused):
        return say("words.withheld")
    shown, low, high = printed(estimate), estimate.band_low, estimate.band_high
    if shown is None or low is None or high is None:
        return say("words.no_interval" if shown else "words.not_given")
    ends = (number(round(x, shown.digits), say.language, shown.digits, sign=True) for x in (low, high))
    return say("format.interval", **dict(zip(("low", "high"), ends, strict=True)))


def supported(estimate: Estimate) -> Support:
    """What is known of the interval of an estimate: nothing where it adjusts for covariates.

    Where the table knows of no interval and there is one nevertheless, nothing is known of it either.
    """
    known = support(estimate.method, estimate.inference, estimate.treated_clusters, estimate.largest_share or 0.0)
    vouched = estimate.refused is not None if known == "refused" else not estimate.adjusted
    return known if vouched else "unsized"


# --- refusals ---------------------------------------------------------------------------------------------------------


def reason(refused: Refused, evidence: Evidence, say: Texts) -> tuple[Cell, Cell, Cell]:
    """What was refused, why, and what can be done instead; in the words of the code where the catalogue has none."""
    gate = re.fullmatch(r"an estimate \((.+)\)", refused.what)
    if gate is not None:
        check = say.known(f"checks.{gate[1]}.title", gate[1])
        return (
            say("refused.gate.what"),
            say("refused.gate.because", check=check),
            say("refused.gate.instead"),
        )
    for estimate in _estimates(evidence):
        if estimate.refused == refused and refused.what == "an interval" and estimate.treated_clusters < _FEWEST:
            count = number(estimate.treated_clusters, say.language, 0)
            return (
                say("refused.interval.what"),
                say("refused.interval.because", count=count),
                say("refused.interval.instead"),
            )
    known = translated(refused, say)
    if known is None and say.language == "en":
        return refused.what, refused.because, refused.instead
    return known or (Foreign(refused.what, "en"), Foreign(refused.because, "en"), Foreign(refused.instead, "en"))


def _estimates(evidence: Evidence) -> Iterator[Estimate]:
    yield evidence.primary
    yield from (variant.estimate for variant in (*evidence.weightings, *evidence.alternatives, *evidence.bracket))
    yield from evidence.event
