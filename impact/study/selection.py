"""What choosing areas on a score may have done: how much of the score lasts, and what the choice finds earlier.

Everything here is of periods before the start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from impact.arrays import Bool1, Float1, Float2
from impact.design.bracket import Spurious, spurious_effect
from impact.design.reliability import Reliability, reliability
from impact.errors import Refused
from impact.evidence.record import Selection
from impact.study.likeness import matcher_of
from impact.study.load import Loaded
from impact.study.matcher import Matcher
from impact.study.model import Specification
from impact.study.panels import Comparison
from impact.study.series import Series

__all__ = ["selection"]

_PLACEBO = "the placebo for regression to the mean"


def selection(spec: Specification, loaded: Loaded, series: Series, comparison: Comparison) -> Selection | None:
    """Of a study that names the waves on which its areas were chosen; None for others."""
    match = spec.comparison.match
    if match is None or not match.selection_waves:
        return None
    panel, start = comparison.panel, comparison.first_start
    before = tuple(period for period in loaded.periods if period < start)
    row = {name: number for number, name in enumerate(loaded.regions)}
    raw = series.raw[[row[unit] for unit in panel.units], : len(before)]
    waves = [before.index(wave) for wave in match.selection_waves if wave in before]
    absent = [wave for wave in match.selection_waves if wave not in before]
    if absent:
        why = f"the waves {', '.join(absent)} are not among the periods before the start ({before[0]} to {before[-1]})"
        lacks = Refused("what the choice of areas may have done", why, "Bring the outcome of those periods.")
        return Selection(match.selection_waves, refused=(lacks,))
    se = None if series.se is None else series.se[[row[unit] for unit in panel.units]][:, waves]
    known = _reliability(comparison, raw[:, waves], se, match.outcomes_in)
    placebo = _placebo(spec, loaded, series, comparison, raw, waves)
    found = placebo if isinstance(placebo, tuple) else None
    refused = tuple(one for one in (known, placebo) if isinstance(one, Refused))
    made = Selection(match.selection_waves, refused=refused)
    if isinstance(known, Reliability):
        made = replace(made, reliability=known.value, low=known.low, high=known.high, units=known.units)
    if found is not None:
        plain, matched = found
        dates = tuple(before[date] for date in plain.dates)
        rest = matched.because if isinstance(matched, Refused) else ""
        more = (Refused(_PLACEBO, rest, "Widen the matching."),) if rest else ()
        value = None if isinstance(matched, Refused) else matched.mean
        made = replace(made, dates=dates, unmatched=plain.mean, matched=value, refused=(*refused, *more))
    return made


def _reliability(
    comparison: Comparison, scores: Float2, se: Float2 | None, outcomes: Sequence[str]
) -> Reliability | Refused:
    """Of the mean over the waves, given who is treated and the characteristics that are matched on anyway."""
    panel, matcher = comparison.panel, comparison.matcher
    assert matcher is not None
    used = panel.treated | panel.never
    place = {name: number for number, name in enumerate(matcher.units)}
    own = [column for column, name in enumerate(matcher.names) if name not in outcomes]
    x = matcher.x[[place[unit] for unit in panel.units]][:, own]
    # Errors that are not all known are no known errors.
    errors = None if se is None or not np.isfinite(se[used]).all() else se[used]
    return reliability(scores[used], se=errors, given=np.column_stack([panel.treated, x])[used])


@dataclass(frozen=True, slots=True)
class _Worst:
    """Choose the `count` units with the worst mean score in waves that lie `back` periods before the date."""

    count: int
    back: tuple[int, ...]
    sign: float

    def __call__(self, y: Float2) -> Bool1:
        """(n,) who would be chosen."""
        score = self.sign * y[:, [y.shape[1] - one for one in self.back]].mean(axis=1)
        chosen = np.zeros(len(y), dtype=bool)
        chosen[np.argsort(score, kind="stable")[: self.count]] = True
        return chosen


def _placebo(
    spec: Specification,
    loaded: Loaded,
    series: Series,
    comparison: Comparison,
    raw: Float2,
    waves: list[int],
) -> tuple[Spurious, Spurious | Refused] | Refused:
    """The same choice at earlier dates among units that were never treated: compared with all others, and matched."""
    better = series.outcome.better
    if better == "neither":
        return Refused(_PLACEBO, "the study does not say which way the outcome is worse", "Say it under `better`.")
    panel, length = comparison.panel, raw.shape[1]
    start = sum(period < comparison.first_start for period in loaded.periods)
    back = tuple(start - wave for wave in waves)
    first = max(back)
    base = min(len(spec.base_periods(comparison.first_start, loaded.periods)), first)
    window = spec.window(loaded.periods, comparison.first_start)
    assert window is not None
    after = min(sum(window[0] <= period <= window[1] for period in loaded.periods), length - first)
    if after < 1:
        why = f"the waves lie up to {first} periods before the start, and only {length} periods do"
        return Refused(_PLACEBO, why, "Bring earlier periods.")
    never = panel.take(np.flatnonzero(panel.never))
    scores = raw[panel.never]
    count = int(panel.treated.sum())
    select = _Worst(count, back, -1.0 if better == "lower" else 1.0)
    dates = range(first, length - after + 1)
    plain = spurious_effect(scores, dates=dates, base=base, after=after, select=select, weigh=_everybody)
    if isinstance(plain, Refused):
        return plain
    matcher = _on_characteristics(spec, loaded, series, comparison)
    if isinstance(matcher, Refused):
        return plain, matcher

    def weigh(y: Float2, chosen: Bool1) -> Float1 | Refused:
        pretend = never.assign(np.where(chosen, float(y.shape[1]), np.inf))
        found = matcher(replace(pretend, weight=np.ones(len(chosen))))
        return found if isinstance(found, Refused) else found.control_weight(found.treated)

    return plain, spurious_effect(scores, dates=dates, base=base, after=after, select=select, weigh=weigh)


def _everybody(y: Float2, chosen: Bool1) -> Float1:
    return np.ones(len(chosen))


def _on_characteristics(
    spec: Specification, loaded: Loaded, series: Series, comparison: Comparison
) -> Matcher | Refused:
    """The matching of the study without outcomes, which at an earlier date would be those of later."""
    match, panel = spec.comparison.match, comparison.panel
    assert match is not None
    lone = match.model_copy(update={"outcomes_in": ()})
    if not lone.on and not lone.exact and not lone.same:
        return Refused(_PLACEBO, "the study matches on outcomes alone", "")
    model = spec.model_copy(update={"comparison": spec.comparison.model_copy(update={"match": lone})})
    found = matcher_of(model, loaded, series, panel)
    assert found is not None
    return found if isinstance(found, Refused) else replace(found, every="unit")
