"""Conformal inference: are the residuals after the start larger than at any other time?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import combinations
from math import comb
from typing import ClassVar, Literal, get_args

import numpy as np

from impact.arrays import Float1, Int1
from impact.errors import Refused
from impact.estimators.protocol import Estimator, Gives
from impact.inference.inversion import outermost
from impact.inference.nullfit import NullFit, null_fit, projects
from impact.inference.protocol import Found, Uncertainty, drawn_error, evaluate, spread
from impact.panel import Panel
from impact.parallel import Parallel
from impact.sample import Sample
from impact.streams import Streams
from impact.targets import Target

__all__ = ["Conformal", "Order", "Permutations", "p_value"]

Permutations = Literal["moving-block", "iid"]
Order = Literal[1, 2, "inf"]

_ROUNDING = 1e-8  # of the spread of the outcomes: residuals that differ by less are ties
_FAR = 64.0  # spreads of the outcomes from the estimate at which the search for an interval begins
_FINE, _COARSE = 1 / 40, 1 / 12  # steps of it, where it is known how far nothing is accepted, and elsewhere
_MOST_FAILURES = 0.05


@dataclass(frozen=True, slots=True)
class Conformal:
    """Permutation over time of the residuals of a model that is fitted with the null imposed on every period.

    Under the sharp null that every treated cell of a group holds one effect (0 for the p-value), that effect is taken
    away, the estimator's ``null_model`` is fitted to all periods, and the statistic is the norm of the group's
    residuals over the tested periods. Its p-value is the share of permutations of the periods whose statistic is at
    least as large; the identity is one of them, so p is never 0. An event time or a period of one group is tested with
    the other treated periods left out; an average with all its periods at once. Periods that are anticipated are left
    out altogether. It asks that the errors of a model that is right are stationary (moving blocks) or exchangeable
    (iid) over time, for the very area: nothing is drawn from other areas.

    The interval holds the constant effects that are not rejected. Acceptance need not be monotone: it runs from the
    outermost accepted effect to the other. These are sought from 64 times the range of the outcomes inwards, down to
    once that range in steps of a quarter of the distance from the estimate. Nearer, where the model is a projection
    (synthetic controls on outcomes, penalised ones with λ up to 1, difference-in-differences), steps follow the margin
    of rejection, and nothing is passed but accepted effects that lie within 2.5 % of their distance from the estimate;
    elsewhere steps are a twelfth of the distance, and what lies within one may be passed. With ``T`` periods moving
    blocks cannot reject below ``1 / T``: the p-value then stands without an interval. An effect that no permutation can
    call too large, as when most periods are tested, leaves none either. It need not hold the estimate, which another
    model made.

    Other series that the model learns from are taken as they are: an effect on these must be none.

    A group is what starts together (or one area, for the target ``unit``); a term that mixes groups with different
    starts has no common order of periods to permute and is refused.

    Parameters
    ----------
    permutations : {"moving-block", "iid"}
        The cyclic shifts of the periods; or all their permutations: enumerated as sets of periods where these are no
        more than `draws`, which a single period always is, and drawn otherwise.
    draws : int
        Random permutations of ``iid``.
    order : {1, 2, "inf"}
        Of the norm: 1 for effects that last, ``"inf"`` for a few large ones.

    References
    ----------
    Chernozhukov, Wüthrich & Zhu (2021), JASA 116(536): equations 2-4, algorithm 1, and algorithm 2 for the intervals
    by period. Refitting a model that bends to the tested periods has no power, hence ``Estimator.null_model``.
    """

    permutations: Permutations = "moving-block"
    draws: int = 999
    order: Order = 1
    level: float = 0.95

    name: ClassVar[str] = "conformal"
    needs: ClassVar[Gives] = Gives.NOTHING

    def __post_init__(self) -> None:
        if self.permutations not in get_args(Permutations):
            raise ValueError(f"permutations={self.permutations!r} is not one of {', '.join(get_args(Permutations))}")
        if self.order not in get_args(Order):
            raise ValueError(f"order={self.order!r} is not one of {', '.join(map(str, get_args(Order)))}")
        if self.draws < 1:
            raise ValueError(f"draws={self.draws} is not a number of draws, 1 or more")
        if not 0 < self.level < 1:
            raise ValueError(f"level={self.level} is not between 0 and 1")

    def run(
        self,
        estimator: Estimator,
        panel: Panel,
        target: Target,
        *,
        streams: Streams,
        parallel: Parallel,
        full: Found | None = None,
    ) -> Uncertainty | Refused:
        """See ``Inference.run``."""
        if isinstance(panel, Sample):
            return Refused(
                "a p-value by conformal",
                "it permutes the periods of units that are seen again, and these are repeated cross-sections",
                "Use cluster-jackknife or score-flip.",
            )
        found = full or evaluate(estimator, panel, target)
        if isinstance(found, Refused):
            return found
        asked = [_tested(found, column) for column in range(len(found.effects.terms))]
        centre = found.effects.estimate
        # One term may be tested like another (an average over a single period); it is searched for once.
        tests = {
            (group, periods, float(centre[column])): None
            for column, one in enumerate(asked)
            if not isinstance(one, Refused)
            for group, periods in [one]
        }
        test = partial(_test, self, estimator, found, streams.at(self.name))
        answers = dict(zip(tests, parallel.map(test, list(tests), self.name), strict=True))
        answered = [
            _Answer(refused=one) if isinstance(one, Refused) else answers[(*one, float(centre[column]))]
            for column, one in enumerate(asked)
        ]
        nothing = np.full(len(answered), np.nan)
        drawn = max(answer.drawn for answer in answered)
        return Uncertainty(
            self.name,
            "no effect in any treated cell of the group; residuals stationary over time",
            nothing,
            nothing,
            np.array([answer.low for answer in answered]),
            np.array([answer.high for answer in answered]),
            np.array([answer.p_value for answer in answered]),
            self.level,
            tuple(answer.refused for answer in answered),
            *spread(found),
            draws=drawn,
            attempted=drawn,
            failures=tuple(dict.fromkeys(failure for answer in answered for failure in answer.failures)),
            mc_error=np.array([answer.mc_error for answer in answered]),
        )


@dataclass(frozen=True, slots=True)
class _Answer:
    p_value: float = np.nan
    low: float = np.nan
    high: float = np.nan
    mc_error: float = 0.0
    drawn: int = 0
    refused: Refused | None = None
    failures: tuple[str, ...] = ()


def _tested(found: Found, column: int) -> tuple[int, tuple[int, ...]] | Refused:
    """The group and the periods that a term is about."""
    cells, term = found.fit.cells, found.effects.terms[column]
    about = np.flatnonzero(found.effects.weights[:, column] != 0)
    what = f"a conformal test of {term}"
    if not cells.post[about].all():
        return Refused(what, "a period before the start is what the model learns from", "Test a period after it.")
    groups = np.unique(cells.group[about])
    if len(groups) > 1:
        return Refused(
            what,
            f"it is about {len(groups)} groups that start at different times, so there is no one order of periods",
            "Ask for target='unit' or target='cohort': every area, or everything that starts together, by itself.",
        )
    return int(groups[0]), tuple(int(t) for t in np.unique(cells.period[about]))


def _test(
    how: Conformal, estimator: Estimator, found: Found, streams: Streams, asked: tuple[int, tuple[int, ...], float]
) -> _Answer:
    group, periods, centre = asked
    model = estimator.null_model()
    null = null_fit(model, found.panel, group, np.array(periods, dtype=np.intp))
    if isinstance(null, Refused):
        return _Answer(refused=null)
    fair = null.orderless()
    if isinstance(fair, Refused):
        return _Answer(refused=fair)
    if not fair:
        return _Answer(
            refused=Refused(
                f"a conformal test of {found.panel.group_names[group]}",
                f"the residuals of {model.name} depend on the order of the periods, so permuting them proves nothing",
                "Use synthetic-control, synthetic-did or did.",
            )
        )
    sets, enumerated = _sets(how, null, streams)
    residuals = null.residuals(0.0)
    if isinstance(residuals, Refused):
        return _Answer(refused=residuals)
    p = p_value(residuals, sets, how.order, _ROUNDING * null.spread)
    ends, failures = _interval(how, null, sets, centre, found.fit.unit)
    low, high = (np.nan, np.nan) if isinstance(ends, Refused) else ends
    return _Answer(
        p,
        low,
        high,
        0.0 if enumerated else float(drawn_error(np.array(p), len(sets))),
        len(sets) - (0 if enumerated else 1),
        ends if isinstance(ends, Refused) else None,
        tuple(f"{found.panel.group_names[group]}, {failure}" for failure in failures),
    )


def _sets(how: Conformal, null: NullFit, streams: Streams) -> tuple[Int1, bool]:
    """(n, tested) the periods that take the place of the tested ones, first those themselves; and whether all are."""
    length, size = null.before + null.tested, null.tested
    own = np.arange(null.before, length)
    if how.permutations == "moving-block":
        return (own + np.arange(length)[:, None]) % length, True
    if comb(length, size) <= how.draws:
        return np.array(list(combinations(range(length - 1, -1, -1), size))), True
    drawn = streams.at("iid", length, size).generator().random((how.draws, length)).argsort(axis=1)[:, :size]
    return np.vstack([own, drawn]), False


def p_value(residuals: Float1, sets: Int1, order: Order, rounding: float) -> float:
    """The share of `sets` whose residuals have at least the norm of those of the first set.

    Parameters
    ----------
    residuals : (T,) float
        Of all periods.
    sets : (n, k) int
        Periods in place of the tested ones; the first row are these themselves, so the share is never 0.
    order : {1, 2, "inf"}
        Of the norm.
    rounding : float
        Norms (as a mean over periods) that differ by no more are ties, and ties count.

    References
    ----------
    Chernozhukov, Wüthrich & Zhu (2021), JASA 116(536), equations 3 and 4.
    """
    norm = _norms(residuals, sets, order)
    return float(np.mean(norm >= norm[0] - rounding))


def _norms(residuals: Float1, sets: Int1, order: Order) -> Float1:
    size = np.abs(residuals)[sets]
    return np.asarray(size.max(axis=1) if order == "inf" else np.mean(size**order, axis=1) ** (1 / order))


def _room(residuals: Float1, sets: Int1, order: Order, rounding: float, alpha: float) -> float:
    """How far from a rejected effect every other is rejected too; 0 or less where it has a p-value above `alpha`.

    For models that project (see `projects`): an effect that moves by 1 moves `k` tested outcomes by 1, the residuals by
    ``√k`` in length at most, every mean norm over `k` periods by 1 at most, and the largest residual by ``√k``. So the
    own norm and the one that it must not exceed come closer by twice that.
    """
    norm = _norms(residuals, sets, order)
    may_reach = int(alpha * len(norm))
    rival = np.sort(norm)[len(norm) - 1 - may_reach]
    return float(norm[0] - rounding - rival) / (2 * (np.sqrt(sets.shape[1]) if order == "inf" else 1.0))


def _interval(
    how: Conformal, null: NullFit, sets: Int1, centre: float, unit: str
) -> tuple[tuple[float, float] | Refused, list[str]]:
    """The outermost effects that are not rejected at 1 - level, or why there are none; and the fits that failed."""
    what, alpha = f"an interval of {how.level:.3g} by conformal", 1 - how.level + 1e-12
    if unit:
        return Refused(what, f"effects are in {unit}, and only a difference can be imposed"), []
    if 1 / len(sets) > alpha:
        wider = "" if null.tested == 1 or how.permutations == "iid" else ", or permutations='iid'"
        return Refused(
            what,
            f"with {null.before + null.tested} periods the smallest p is {1 / len(sets):.3g}",
            f"Ask for a level up to {1 - 1 / len(sets):.3g}{wider}.",
        ), []
    failures: list[str] = []
    known = projects(null.model)

    def room(effect: float) -> float:
        residuals = null.residuals(effect)
        if isinstance(residuals, Refused):
            failures.append(f"an effect of {effect:.6g}: {residuals.because}")
            return 0.0  # what could not be tested is not rejected
        free = _room(residuals, sets, how.order, _ROUNDING * null.spread, alpha)
        return free if known or free <= 0 else _ROUNDING

    at_centre = null.residuals(centre)
    if isinstance(at_centre, Refused):
        return at_centre, []
    near = max(float(np.sqrt(np.mean(at_centre**2))), _ROUNDING * null.spread) / 4
    if near == 0:
        return Refused(what, "no outcome differs from another"), []
    ends = outermost(
        room, centre, near, max(_FAR * null.spread, near), wide=null.spread, step=_FINE if known else _COARSE
    )
    if len(failures) > _MOST_FAILURES * ends.tried:
        return Refused(what, f"{len(failures)} of {ends.tried} fits failed ({failures[0]})"), failures
    if np.isnan(ends.low):
        return Refused(
            what,
            "every constant effect is rejected",
            "It differs between the periods, or the model does not hold: ask for target='event'.",
        ), failures
    if np.isinf(ends.low) or np.isinf(ends.high):
        return Refused(
            what,
            f"no effect is too large to be accepted: {null.before} periods before the start are too few beside "
            f"{null.tested} tested ones",
            "Test a shorter window, or add earlier periods.",
        ), failures
    return (ends.low, ends.high), failures
