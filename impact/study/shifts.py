"""Did a break in the measurement move areas and comparison alike? Looked at before anyone was treated; never a gate."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from impact.arrays import Float2
from impact.checks.protocol import Check, Verdict
from impact.errors import ImpactError, Refused
from impact.evidence.language import Texts, decimals, number
from impact.evidence.reading import with_unit
from impact.evidence.result import Result
from impact.inference.protocol import Uncertainty
from impact.panel import Panel
from impact.parallel import Parallel
from impact.study.answers import result_of
from impact.study.model import Specification
from impact.study.panels import Comparison
from impact.targets import Target

__all__ = ["Shift", "across", "said_shift", "shifts"]

_NAME = "same-shift"


@dataclass(frozen=True, slots=True)
class Shift:
    """The check of one break, before any words: what is said of it, with which names and numbers.

    Attributes
    ----------
    check : Check
        Without a sentence.
    key : str
        Of the sentence.
    names : mapping of str to str
        Periods in it.
    numbers : mapping of str to float
        The difference and its interval, in `unit`, with so many `digits`.
    """

    check: Check
    key: str
    names: Mapping[str, str]
    numbers: Mapping[str, float] = field(default_factory=dict)
    unit: str = ""
    digits: int = 0


def said_shift(found: Shift, say: Texts) -> Check:
    """The check with its sentence in the words of `say`."""
    shown = {name: number(x, say.language, found.digits, sign=True) for name, x in found.numbers.items()}
    if "value" in shown:
        shown["value"] = with_unit(shown["value"], say.own(found.unit))
    return replace(found.check, because=say(f"run.because.shift.{found.key}", **found.names, **shown))


def shifts(spec: Specification, comparison: Comparison, parallel: Parallel, *, sealed: bool) -> tuple[Shift, ...]:
    """A check of every break that the study asks one of: the same estimate, as if the break were the start.

    Only periods from the break before it (or the first) to the first start less anticipation are looked at. Passing is
    weak evidence when they are few; the interval beside it says how far the shifts may differ.
    """
    asked = [found for found in spec.breaks if found.check is not None]
    if not asked:
        return ()
    labels = comparison.panel.periods
    end = int(comparison.panel.first[comparison.panel.treated].min()) - spec.treatment.anticipation
    match = spec.comparison.match
    checks = []
    for found in asked:
        at = bisect_left(labels, found.at)
        others = [bisect_left(labels, other.at) for other in spec.breaks if other is not found]
        since = max((other for other in others if other <= at), default=0)
        until = min([end, *(other for other in others if other > at)])
        matched = match is not None and bool({*match.outcomes_in} & {*labels[at:until]})
        why = (
            "sealed"
            if sealed
            else "after-start"
            if at >= end
            else "no-period"
            if since >= at
            else "matched"
            if matched
            else ""
        )
        if why:
            checks.append(Shift(_check(spec, None, "not_evaluated"), why, {"at": found.at}))
            continue
        made = _estimated(spec, comparison, across(comparison.panel, since, at, until), parallel)
        base = spec.base_periods(labels[at], labels[since:until]) or labels[since:at]
        checks.append(_judged(spec, found.at, _span(base), _span(labels[at:until]), made))
    return tuple(checks)


def across(panel: Panel, since: int, at: int, until: int) -> Panel:
    """The panel of the periods from `since` to before `until`, as if all its areas had started at `at`."""
    early = panel.until(until)

    def some(held: Mapping[str, Float2]) -> dict[str, Float2]:
        return {name: values if values.shape[1] == 1 else values[:, since:] for name, values in held.items()}

    # Nobody has started yet; the groups are those of the pretended start.
    kept = replace(
        early,
        y=early.y[:, since:],
        periods=early.periods[since:],
        first=np.full(len(early.units), np.inf),
        group=np.full(len(early.units), -1),
        covariates=some(early.covariates),
        series=some(early.series),
        se=None if early.se is None else early.se[:, since:],
    )
    pretend = kept.assign(np.where(np.isfinite(panel.first), float(at - since), np.inf), panel.area, panel.areas)
    return pretend if panel.pairs is None else pretend.with_pairs(panel.pairs)


def _estimated(spec: Specification, comparison: Comparison, panel: Panel, parallel: Parallel) -> Result | Refused:
    try:
        return result_of(spec, replace(comparison, panel=panel), Target("average", spec.target.every), parallel)
    except ImpactError as error:  # a setting of the estimator that names other periods
        return Refused("the shift at a break", str(error))


def _judged(spec: Specification, at: str, before: str, after: str, made: Result | Refused) -> Shift:
    known = made.uncertainty if isinstance(made, Result) else None
    if not isinstance(made, Result) or not isinstance(known, Uncertainty) or not np.isfinite(known.p_value[-1]):
        return Shift(_check(spec, None, "not_evaluated"), "no-p-value", {"at": at})
    value, p_value = float(made.effects.estimate[-1]), float(known.p_value[-1])
    low, high, error = float(known.low[-1]), float(known.high[-1]), float(known.std_error[-1])
    return Shift(
        _check(spec, p_value, "pass" if p_value > spec.thresholds["pre-trend"] else "fail"),
        "found" if np.isfinite([low, high]).all() else "open",
        {"at": at, "before": before, "after": after},
        {"value": value, "low": low, "high": high},
        made.panel.unit,
        decimals(error if np.isfinite(error) else None, value),
    )


def _span(labels: Sequence[str]) -> str:
    return labels[0] if len(labels) == 1 else f"{labels[0]}–{labels[-1]}"


def _check(spec: Specification, statistic: float | None, verdict: Verdict) -> Check:
    return Check(_NAME, statistic, spec.thresholds["pre-trend"], verdict, False, "pre", _NAME)
