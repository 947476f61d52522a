"""Looking half a year later: the error that a look may spend, the level of its interval, and what was revised since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import special

from impact.arrays import Float2
from impact.errors import Problem, Refused, UsageError
from impact.evidence.look import Look, Revised, Taken
from impact.evidence.record import DataFile, Evidence, PathPoint
from impact.inference.crossing import MOST
from impact.inference.looks import Ledger, spent_by
from impact.inference.looks import Look as Spent
from impact.inference.protocol import evaluate
from impact.streams import Streams
from impact.study.answers import Answers, estimator_of, target
from impact.study.correction import Correction
from impact.study.log import Log
from impact.study.model import Specification
from impact.study.panels import Comparison
from impact.study.standing import OUTCOMES

__all__ = [
    "LEAST",
    "at_family_level",
    "at_level",
    "check_number",
    "family_level",
    "look_at",
    "looked",
    "looks_in",
    "revisions",
    "taken_before",
]

LEAST = 1e-6
"""No interval is asked for at a stricter level than 1 less this, also where a look may spend less; over all looks the
error that was declared can be exceeded by this at each, and by no more."""

_DIGITS = 8  # of what the ledger keeps of a look, so that another machine writes the same line
_SPENT = ("fraction", "critical", "nominal", "spent")
_SAME = 1e-7


def check_number(spec: Specification, number: int) -> None:
    """Refuse a look of a study that plans none.

    Raises
    ------
    UsageError
        ``LOOK-001``.
    """
    if number < 1 or (number > 1 and spec.looks is None):
        message = f"look {number} of a study that plans no looks" if number > 1 else f"there is no look {number}"
        hint = "Add `looks: {planned: [2026-11, 2027-05]}` before the study is locked, or leave out --look."
        raise UsageError(Problem("LOOK-001", message, hint))


def taken_before(
    spec: Specification, log: Log, number: int, files: Sequence[DataFile]
) -> Mapping[str, tuple[Taken, ...]]:
    """The looks before look `number` by indicator, as the ledger has them; the last of each number.

    Raises
    ------
    UsageError
        ``LOOK-002`` this look was taken before, on other outcomes: what is seen again has been seen; ``LOOK-004`` it
        was not, and a later one was, which has spent what this one would spend.
    """
    found: dict[str, dict[int, Taken]] = {}
    later, mine = 0, False
    now = {(one.file, one.sha256) for one in files if one.role in OUTCOMES}
    for entry in log.of("ran") if spec.looks is not None else ():
        look, kept = entry.details.get("look"), entry.details.get("looks", {})
        if look == number and kept and entry.lock8 is not None:
            then = {(one["file"], one["sha256"]) for one in entry.details.get("inputs", ()) if one["role"] in OUTCOMES}
            if then != now:
                message = f"look {number} was taken on {entry.at[:10]}, on other outcomes than these"
                hint = f"Take the next planned look, or one that was not planned: --look {number + 1}."
                raise UsageError(Problem("LOOK-002", message, hint))
            mine = True
        elif isinstance(look, int) and look > number and kept and entry.lock8 is not None:
            later = max(later, look)
        elif isinstance(look, int) and look < number:
            for indicator, one in kept.items():
                path = tuple((period, focus, other) for period, focus, other in one["path"])
                found.setdefault(indicator, {})[look] = Taken(**{**one, "number": look, "path": path})
    if later and not mine:
        message = f"look {later} was taken before look {number}, and spent what was left for it"
        raise UsageError(Problem("LOOK-004", message, f"Take the next planned look: --look {later + 1}."))
    return {indicator: tuple(by[look] for look in sorted(by)) for indicator, by in found.items()}


def looked(evidence: Evidence, look: Look | None) -> Evidence:
    """The record with its look, and what the source has revised since those before."""
    if look is None:
        return evidence
    return replace(evidence, look=replace(look, revised=revisions(look.before, evidence.path)))


def looks_in(outcomes: Sequence[Evidence]) -> dict[str, dict[str, Any]]:
    """What the ledger keeps of a planned look, by indicator."""
    kept = {}
    for evidence in outcomes:
        look, primary = evidence.look, evidence.primary
        if look is None or not look.label:
            continue
        numbers: dict[str, float | None] = {name: getattr(look, name) for name in _SPENT}
        numbers |= {"value": primary.value, "low": primary.low, "high": primary.high}
        path = [[point.period, _short(point.focus), _short(point.comparison)] for point in evidence.path]
        kept[evidence.indicator] = {
            "label": look.label,
            "until": look.until,
            "path": path,
            **{name: _short(value) for name, value in numbers.items()},
        }
    return kept


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")


def at_level(spec: Specification, look: Look | None) -> Specification:
    """The study with the level of the interval that this look may give."""
    if look is None or not look.label:
        return spec
    level = 1 - max(look.nominal, LEAST)
    return spec.model_copy(update={"inference": spec.inference.model_copy(update={"level": level})})


def at_family_level(spec: Specification, looks: Sequence[Look | None]) -> Specification:
    """The study with the level of its families, and of their indices, at this look; see `family_level`."""
    if spec.correction is None:
        return spec
    correction = family_level(spec.correction, looks)
    if correction is spec.correction:
        return spec
    least = min(max(_own(look), LEAST) for look in looks if look is not None and look.label)
    inference = spec.inference.model_copy(update={"level": 1 - least})
    return spec.model_copy(update={"correction": correction, "inference": inference})


def family_level(correction: Correction, looks: Sequence[Look | None]) -> Correction:
    """The correction with the level of its families at this look: the least that any of the outcomes spends.

    How the largest of several statistics at one look goes with that at the next is not what holds for one outcome, and
    of many outcomes it is less: at their nominal levels fifteen of them find something in up to 5.4 % of cases where
    5 % may. What the looks spend adds up to the declared error whatever they have in common.
    """
    planned = [max(_own(look), LEAST) for look in looks if look is not None and look.label]
    if not planned:
        return correction
    return correction.model_copy(update={"level": min(correction.level, *planned)})


def _own(look: Look) -> float:
    """What a look spends; of one that sees nothing new, what the look spent whose figures these are."""
    return look.spent if look.fresh else next((one.spent for one in reversed(look.before) if one.spent > 0), 0.0)


def look_at(
    spec: Specification,
    number: int,
    indicator: str,
    found: Answers,
    comparison: Comparison,
    before: Sequence[Taken] = (),
) -> Look | None:
    """What look `number` at one outcome may spend; None where the study plans no looks or there is no estimate.

    Boundaries come from the joint covariance of the estimates that the looks give, all on the figures of today, each
    up to the last period that it saw; those of the looks before stand as they were. Without scores of every cluster,
    and where the figures of a period were looked at before and are others now, the error is split instead: a look has
    what may have been spent by then less what is gone.

    Parameters
    ----------
    spec : Specification
        Of the study, with its declared level.
    number : int
        From 1; one beyond those planned is exploratory and spends nothing.
    indicator : str
        Which outcome.
    found : Answers
        Of the outcome, at the declared level.
    comparison : Comparison
        Who was compared.
    before : sequence of Taken
        Looks at this outcome with a lower number, in order.
    """
    if spec.looks is None or found.result is None:
        return None
    planned, alpha, spending = spec.looks.planned, 1 - spec.inference.level, spec.looks.spending
    until = found.result.panel.periods[-1]
    blank = Look(number, "", len(planned), spending, alpha, until, 1.0, 0.0, alpha, 0.0, before=tuple(before))
    if number > len(planned):
        return blank
    blank = replace(blank, label=planned[number - 1])
    seen = _distinct(before)
    again = bool(seen) and seen[-1].until >= until
    if again and _unchanged(before[-1], found):
        last = before[-1]
        return replace(
            blank, fraction=last.fraction, critical=last.critical, nominal=last.nominal, spent=0.0, fresh=False
        )
    taken = tuple(Spent(one.label, one.fraction, True, one.critical, one.nominal, one.spent) for one in seen)
    ledger = Ledger(alpha, spending, planned, taken=taken)
    # Figures that were revised make another estimate up to the same period: its covariance with the first is not known.
    gone = sum(one.spent for one in before)
    apart = again or gone > ledger.spent + LEAST
    covariance = None if apart else _joint(spec, found, comparison, [one.until for one in seen])
    if covariance is None:
        fraction = ledger.fraction(blank.label)
        left = max(float(spent_by(np.array([fraction]), alpha, spending)[0]) - gone, 0.0)
        return replace(blank, fraction=fraction, critical=_critical(left), nominal=left, spent=left, joint=False)
    generator = Streams(spec.seed).at("looks", indicator, blank.label).generator()
    new = ledger.look(blank.label, covariance, generator).taken[-1]
    return replace(blank, fraction=new.fraction, critical=min(new.critical, MOST), nominal=new.nominal, spent=new.spent)


def revisions(before: Sequence[Taken], path: Sequence[PathPoint]) -> tuple[Revised, ...]:
    """Means that an earlier look saw otherwise: what its source has changed since, each against the last look."""
    now = {(point.period, group): getattr(point, group) for point in path for group in ("focus", "comparison")}
    then = {
        (period, group): (look.number, value)
        for look in before
        for period, focus, comparison in look.path
        for group, value in (("focus", focus), ("comparison", comparison))
    }
    return tuple(
        Revised(number, period, group, was, value)
        for (period, group), (number, was) in then.items()
        for value in [now.get((period, group))]
        if was is not None and value is not None and abs(value - was) > _SAME * max(abs(was), 1.0)
    )


def _unchanged(last: Taken, found: Answers) -> bool:
    """Whether the estimate is the one that the look before gave; not known of one that may not be shown."""
    was, value = last.value, found.primary.value
    return was is not None and value is not None and abs(value - was) <= _SAME * max(abs(was), abs(value))


def _distinct(before: Sequence[Taken]) -> list[Taken]:
    """Looks that saw a measurement which those before had not seen."""
    out: list[Taken] = []
    for look in before:
        if not out or look.until > out[-1].until:
            out.append(look)
    return out


def _joint(spec: Specification, found: Answers, comparison: Comparison, untils: Sequence[str]) -> Float2 | None:
    """(K, K) covariance of the estimates up to the period of every look, this one last; None without scores."""
    result = found.result
    if result is None or result.effects.scores is None:
        return None
    own = [result.effects.scores[:, -1]]
    asked = target(spec, comparison, spec.target.every)
    low = (asked.window or found.span)[0]
    for until in reversed(untils):
        shorter = replace(asked, window=(low, until))
        then = evaluate(estimator_of(spec, comparison), comparison.panel, shorter)
        if isinstance(then, Refused) or then.effects.scores is None or len(then.effects.scores) != len(own[0]):
            return None
        own.insert(0, then.effects.scores[:, -1])
    scores = np.stack(own, axis=1)
    return np.asarray(scores.T @ scores)


def _critical(alpha: float) -> float:
    return float(special.ndtri(1 - alpha / 2)) if alpha > 0 else MOST
