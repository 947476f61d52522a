"""Effects by event time as checks of parallel trends need them: in order, with a covariance that fits the intervals."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from impact.arrays import Float1, Float2
from impact.cells import Fit
from impact.checks.combination import Combination, declared_of, weights_of
from impact.errors import Problem, Refused, UsageError
from impact.inference.protocol import Uncertainty
from impact.targets import Effects, Target

__all__ = ["Combination", "EventStudy", "Leads", "event_study", "fitted", "leads", "no_covariance"]

_BOUNDS = "bounds under departures from parallel trends"
_EARLIER = (
    "Take an estimator that estimates the time before the start as well, such as group-time; where that is one period, "
    "add earlier ones."
)
_FITTED = "its weights were chosen so that the estimates before the start are small"
_AGAIN = "Estimate again with group-time and base='universal', or with sun-abraham."


@dataclass(frozen=True, slots=True, eq=False)
class Leads:
    """The estimates before the start that have an error.

    Attributes
    ----------
    events : tuple of int
        Event times, in order.
    beta, error, df : (P,) float
    covariance : (P, P) float
    clusters : int
        Fewest treated clusters with weight in one of them.
    level : float
        Of the declared interval.
    left_out : tuple of int
        Event times without an error, and those that were used for matching or weights.
    """

    events: tuple[int, ...]
    beta: Float1
    error: Float1
    df: Float1
    covariance: Float2
    clusters: int
    level: float
    left_out: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class EventStudy:
    """Estimates relative to one reference period, and a combination of those after the start.

    Attributes
    ----------
    events : (K,) int
        Event times, those before the reference first, without gaps but for the reference; of an average only those
        before it.
    times : (K,) float
        Periods from the reference.
    reference : int
    before : int
        Number of those before the reference.
    beta : (K,) float
    sigma : (K, K) float
        Their covariance, enlarged so that 1.96 (the normal quantile of `level`) of its standard errors reach as far as
        the declared intervals, which rest on t with few degrees of freedom.
    sampling : (K, K) float
        The same without that enlargement.
    critical : (before,) float
        Standard errors of `sampling` that the declared interval of an estimate before the start reaches.
    combination : (Q,) float
    level : float
    left_out : tuple of int
        Event times before the start that are not used, as they have no error.
    averaged : bool
        Whether an average is asked about, whose effects lie on average `d` periods from their base: it stands here as
        one period after the reference, with the estimate divided by `d` and `combination` (d,). A trend that changes by
        at most so much from one period to the next adds at most `d` times that to it. The base is the reference, or the
        mean of several periods (``Fit.distance``); no departure then means that without the programme the time after
        the start would have been like that mean, which is what the estimate itself assumes.
    """

    events: tuple[int, ...]
    times: Float1
    reference: int
    before: int
    beta: Float1
    sigma: Float2
    sampling: Float2
    critical: Float1
    combination: Float1
    level: float
    left_out: tuple[int, ...]
    averaged: bool = False


def leads(
    effects: Effects, uncertainty: Uncertainty | Refused, fit: Fit, target: Target, used: Collection[str] = ()
) -> Leads | Refused:
    """What an event study says of the time before the start, whatever its base.

    Parameters
    ----------
    effects, uncertainty, fit, target
        Of an estimate with ``target="event"``, or of an average with its leads.
    used : collection of str
        Event times of outcomes that served for matching or weights; of them nothing can be learned.

    Raises
    ------
    UsageError
        ``USAGE-008`` another target.
    """
    what = "a test of the time before the start"
    _by_event(target)
    known = _covariance(what, uncertainty)
    if isinstance(known, Refused):
        return known
    given, covariance = known
    if fit.compared:
        return Refused(what, _FITTED, _AGAIN)
    rows = [row for event, row in _events(effects).items() if event < 0]
    keep = [row for row in rows if given.refused[row] is None and effects.terms[row] not in used]
    if not keep:
        why = "there is no estimate before the start" if not rows else "no estimate before the start has an error"
        if rows and all(effects.terms[row] in used for row in rows):
            why = "all outcomes before the start served for matching or weights"
        return Refused(what, why, "Add earlier periods, or look at another outcome.")
    return Leads(
        tuple(int(effects.terms[row]) for row in keep),
        effects.estimate[keep],
        given.std_error[keep],
        given.df[keep],
        covariance[np.ix_(keep, keep)],
        int(given.treated_clusters[keep].min()),
        given.level,
        tuple(int(effects.terms[row]) for row in rows if row not in keep),
    )


def event_study(
    effects: Effects,
    uncertainty: Uncertainty | Refused,
    fit: Fit,
    target: Target,
    combination: Combination = "mean",
    used: Collection[str] = (),
) -> EventStudy | Refused:
    """An event study in which all estimates are changes since one reference period.

    Parameters
    ----------
    effects, uncertainty, fit, target
        Of an estimate with ``target="event"``, or of an average with its leads.
    combination : "mean", int or sequence of float
        The mean over the event times from 0 on, one event time, or a weight for each of them; an average is itself.
    used : collection of str
        As in `leads`.

    Returns
    -------
    EventStudy or Refused
        Refused with a varying base: what is then 0 before the start is a change, and adds up to another course than
        that after it (Roth 2024); where the estimates before the start were made small by fitting weights to them;
        where one that is asked about has no error.

    Raises
    ------
    UsageError
        ``USAGE-008`` another target; ``USAGE-003`` a combination that is not of these event times.

    References
    ----------
    Roth (2024), Interpreting event studies from recent difference-in-differences methods, arXiv 2401.12309.
    """
    what = _BOUNDS
    _by_event(target)
    known = _covariance(what, uncertainty)
    if isinstance(known, Refused):
        return known
    given, covariance = known
    row_of = _events(effects)
    after = [event for event in sorted(row_of) if event >= 0]
    weights = weights_of(after, combination) if target.kind == "event" else []
    if min(row_of, default=0) >= 0:
        return Refused(what, "there is no estimate before the start", _EARLIER)
    reference = _reference(what, fit, np.unique(fit.cells.event).tolist())
    if isinstance(reference, Refused):
        return reference
    without = {event: given.refused[row] for event, row in row_of.items()}
    last = max((event for event, weight in zip(after, weights, strict=True) if weight), default=reference)
    for event in range(reference + 1, last + 1):
        reason = without[event]
        if reason is not None:
            return Refused(
                what,
                f"event time {event} has no interval: {reason.because}",
                "Ask about earlier ones with combination=, or give the target a window.",
            )
    before: list[int] = []
    for event in range(reference - 1, min(row_of) - 1, -1):
        if without[event] is not None or str(event) in used:
            break
        before.insert(0, event)
    if not before:
        return Refused(
            what, "the estimate next to the reference period has no error, or its outcome was matched on", "See tidy()."
        )
    known = given, covariance
    if target.kind == "average":
        return _averaged(what, effects, fit, known, reference, before)
    if fit.distance is not None:
        return _gathered(effects, fit, known, reference, before, combination, weights[: last + 1])
    events = [*before, *range(reference + 1, last + 1)]
    rows = [row_of[event] for event in events]
    asked = np.array([0.0] * (-1 - reference) + list(weights[: last + 1]))
    reach = _reach(given)
    sigma = covariance[np.ix_(rows, rows)] * np.outer(reach[rows], reach[rows])
    declared = declared_of(combination, given, row_of)
    if declared is not None:
        # The declared interval of the combination itself has degrees of freedom of its own.
        error = float(np.sqrt(asked @ sigma[len(before) :, len(before) :] @ asked))
        sigma = sigma * max(1.0, float(reach[declared] * given.std_error[declared]) / error) ** 2
    return EventStudy(
        tuple(events),
        np.array(events, dtype=np.float64) - reference,
        reference,
        len(before),
        effects.estimate[rows],
        sigma,
        covariance[np.ix_(rows, rows)],
        reach[rows[: len(before)]] * _normal(given.level),
        asked,
        given.level,
        tuple(event for event in sorted(row_of) if event < reference and event not in before),
    )


def _averaged(
    what: str,
    effects: Effects,
    fit: Fit,
    known: tuple[Uncertainty, Float2],
    reference: int,
    before: list[int],
) -> EventStudy | Refused:
    """The event study of an average: its leads, and itself as one period."""
    last = len(effects.terms) - 1
    if known[0].refused[last] is not None:
        return Refused(what, "the average has no interval", "See tidy().")
    since = fit.cells.event - reference if fit.distance is None else fit.distance
    asked = np.eye(len(effects.terms))[last]
    return _one_period(effects, known, reference, before, asked, float(effects.weights[:, last] @ since), last)


def _gathered(
    effects: Effects,
    fit: Fit,
    known: tuple[Uncertainty, Float2],
    reference: int,
    before: list[int],
    combination: Combination,
    weights: Sequence[float],
) -> EventStudy:
    """The same of effects whose base is the mean of several periods."""
    row_of = _events(effects)
    asked = np.zeros(len(effects.terms))
    asked[[row_of[event] for event in range(len(weights))]] = weights
    # Effects may partly make up for each other's drift after the start, and the drift within the base goes with all.
    after = np.cumsum(weights[::-1])[::-1]
    steps = float(np.abs(after).sum()) + abs(float(after[0])) * (-1 - reference)
    since = np.zeros(len(effects.terms)) if fit.distance is None else fit.distance @ effects.weights
    within = since - [float(term) - reference if term not in ("mean", "average") else 0.0 for term in effects.terms]
    declared = declared_of(combination, known[0], row_of)
    return _one_period(effects, known, reference, before, asked, steps + abs(float(asked @ within)), declared)


def _one_period(
    effects: Effects,
    known: tuple[Uncertainty, Float2],
    reference: int,
    before: list[int],
    asked: Float1,
    distance: float,
    declared: int | None,
) -> EventStudy:
    """The estimates before the start, and ``asked`` (m,) of the terms as one period, `distance` periods away.

    `declared` is the term that is asked for, where it is one: its interval has degrees of freedom of its own.
    """
    given, covariance = known
    row_of = _events(effects)
    mapped = np.vstack([np.eye(len(asked))[[row_of[event] for event in before]], asked / distance])
    reach = _reach(given)
    used = mapped.any(axis=0)
    mapped, inner = mapped[:, used], covariance[np.ix_(used, used)]
    sampling = mapped @ inner @ mapped.T
    sigma = mapped @ (inner * np.outer(reach[used], reach[used])) @ mapped.T
    if declared is not None:
        error = distance * float(np.sqrt(sigma[-1, -1]))
        sigma = sigma * max(1.0, float(reach[declared] * given.std_error[declared]) / error) ** 2
    return EventStudy(
        tuple(before),
        np.r_[np.array(before, dtype=np.float64) - reference, 1.0],
        reference,
        len(before),
        mapped @ effects.estimate[used],
        sigma,
        sampling,
        reach[[row_of[event] for event in before]] * _normal(given.level),
        np.array([distance]),
        given.level,
        tuple(event for event in sorted(row_of) if event < reference and event not in before),
        averaged=True,
    )


def _events(effects: Effects) -> dict[int, int]:
    """Rows of the terms by event time."""
    return {int(term): row for row, term in enumerate(effects.terms) if term not in ("mean", "average")}


def _by_event(target: Target) -> None:
    if target.kind != "event" and not target.leads:
        raise UsageError(
            Problem(
                "USAGE-008",
                "this needs effects by periods since the start",
                "estimate again with target='event', or with impact.Target('average', leads=True)",
            )
        )


def _covariance(what: str, uncertainty: Uncertainty | Refused) -> tuple[Uncertainty, Float2] | Refused:
    if isinstance(uncertainty, Refused):
        return Refused(what, uncertainty.because, uncertainty.instead)
    if uncertainty.covariance is None:
        return no_covariance(uncertainty, what)
    return uncertainty, uncertainty.covariance


def no_covariance(given: Uncertainty, what: str = _BOUNDS) -> Refused:
    """The refusal where an inference gives none."""
    return Refused(what, f"{given.name} gives no covariance of the event times", "Use inference='cluster-jackknife'.")


def _reference(what: str, fit: Fit, events: list[int]) -> int | Refused:
    """The event time that all others are changes from."""
    if fit.base == "varying":
        return Refused(
            what, "before the start every estimate is a change since the period before it (a varying base)", _AGAIN
        )
    if fit.compared:
        return fitted()
    missing = sorted(set(range(events[0], events[-1] + 1)) - set(events))
    if fit.base == "several" or len(missing) != 1 or missing[0] >= 0:
        return Refused(what, "the estimates before the start are not changes since one reference period", _AGAIN)
    return missing[0]


def fitted() -> Refused:
    """Why there are no bounds where weights were fitted to the time before the start."""
    return Refused(_BOUNDS, _FITTED, _AGAIN)


def _normal(level: float) -> float:
    from scipy import stats

    return float(stats.norm.ppf(0.5 + level / 2))


def _reach(given: Uncertainty) -> Float1:
    """(m,) how much farther the declared interval reaches than that of a normal estimate."""
    from scipy import stats

    return np.asarray(stats.t.ppf(0.5 + given.level / 2, given.df) / _normal(given.level))
