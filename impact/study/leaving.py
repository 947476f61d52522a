"""The estimate without each area, gemeente (or other cluster) with one, period before the start, unit with weight."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from impact.arrays import Int1
from impact.errors import Refused
from impact.estimators.protocol import Estimator, Gives
from impact.evidence.language import decimals
from impact.evidence.record import Estimate
from impact.evidence.result import Result
from impact.evidence.robust import LeftOne, LeftOut, What
from impact.evidence.statement import Kind, choose
from impact.inference.cluster import ClusterJackknife
from impact.inference.leaving_out import (
    LeaveOneOut,
    leave_one_area_out,
    leave_one_cluster_out,
    leave_one_donor_out,
    leave_one_period_out,
)
from impact.inference.protocol import Found, Inference, Uncertainty
from impact.numerics.moments import Moments
from impact.panel import Panel
from impact.parallel import Parallel
from impact.register.areas import areas as register_areas
from impact.streams import Streams
from impact.study.answers import Answers, estimator_of, inference_of, target
from impact.study.model import Outcome, Specification
from impact.study.panels import Comparison
from impact.targets import Target

__all__ = ["MOST_DONORS", "MOST_REFITS", "leaving"]

MOST_DONORS = 100
"""More units with weight than this are not left out one by one: each is a fit, and none of so many counts for much."""

MOST_REFITS = 600
"""Intervals are made again with no more refits than this; with moments a deletion is a subtraction and costs none."""

_Ends = tuple[float | None, float | None]


def leaving(
    spec: Specification, outcome: Outcome, comparison: Comparison, found: Answers, parallel: Parallel, *, one_sign: bool
) -> tuple[LeftOut, ...]:
    """Areas, clusters and periods before the start of every estimate, donors where the estimator weighs them.

    Intervals are made again where that costs little: by ``cluster-jackknife`` of an estimator with scores that adjusts
    for nothing, from moments or with at most `MOST_REFITS` refits. `one_sign`: whether the bracket of the study has no
    two signs; with two there is one statement only.
    """
    result = found.result
    if result is None:
        return ()
    panel, asked = comparison.panel, target(spec, comparison, spec.target.every)
    estimator, full = estimator_of(spec, comparison), Found(result.panel, result.fit, result.effects)
    inference = inference_of(spec.inference, spec.inference.level, comparison)
    cheap = isinstance(inference, ClusterJackknife) and result.fit.cells.scores is not None and not panel.covariates
    digits = decimals(found.primary.std_error, found.primary.value)
    moments = Gives.MOMENTS in estimator.gives and Moments.of(full.panel) is not None
    clusters = 0 if moments else found.primary.clusters
    stated = partial(_statement, outcome, digits, one_sign=one_sign)
    names: dict[What, Mapping[str, str]] = {
        "area": {area.slug: area.name for area in comparison.areas},
        "cluster": _gemeenten(),
    }
    rests = (estimator, panel, asked)
    groups = {"area": (panel.area, panel.areas), "cluster": (panel.cluster, panel.clusters)}

    def of(what: What, without: LeaveOneOut | Refused) -> LeftOut:
        if isinstance(without, Refused):
            return LeftOut(what, refused=without)
        ends: Mapping[str, _Ends] | None = None
        if what in groups and cheap and len(without.left_out) * clusters <= MOST_REFITS:
            number, labels = groups[what]
            rows = [np.flatnonzero(number == labels.index(name)) for name in without.left_out]
            again = partial(_interval, estimator, inference, panel, asked, spec.seed)
            made = parallel.memory(
                lambda: parallel.map(again, rows, "intervals"), "intervals", *rests, inference, rows, spec.seed
            )
            ends = dict(zip(without.left_out, made, strict=True))
        return _recorded(what, without, ends, names.get(what, {}), found.primary, stated)

    def left(what: What, leave: Callable[..., LeaveOneOut | Refused]) -> LeftOut:
        make = partial(leave, estimator, panel, asked, parallel=parallel, full=full)
        return of(what, parallel.memory(make, "without", what, *rests))

    made = [
        left("area", leave_one_area_out),
        left("cluster", leave_one_cluster_out),
        left("period", leave_one_period_out),
    ]
    count = _donors(result)
    if count > MOST_DONORS:
        why = f"{count} units have weight in the comparison, more than the {MOST_DONORS} that are left out one by one"
        made.append(LeftOut("donor", refused=Refused("leaving out one unit of the comparison", why)))
    elif count:
        made.append(left("donor", leave_one_donor_out))
    return tuple(made)


def _donors(result: Result) -> int:
    """How many units have weight that the estimator found; 0 where it finds no weights."""
    weights = result.fit.weights
    return 0 if weights is None or not result.fit.compared else int((weights.unit != 0).any(axis=0).sum())


def _gemeenten() -> Mapping[str, str]:
    return {area.gemeente_code: area.gemeente for area in register_areas()}


def _interval(estimator: Estimator, inference: Inference, panel: Panel, target: Target, seed: int, rows: Int1) -> _Ends:
    """The declared interval without some units; no ends where it is refused."""
    given = inference.run(estimator, panel.drop(rows), target, streams=Streams(seed), parallel=Parallel())
    if not isinstance(given, Uncertainty) or given.refused[-1] is not None:
        return None, None
    low, high = float(given.low[-1]), float(given.high[-1])
    return (low, high) if np.isfinite([low, high]).all() else (None, None)


def _statement(outcome: Outcome, digits: int, low: float | None, high: float | None, *, one_sign: bool) -> Kind:
    """What the interval, rounded as the estimate is printed, leads to."""
    smallest = outcome.smallest_difference_that_matters
    return choose(
        measurable=True,
        gates_passed=True,
        low=None if low is None else round(low, digits),
        high=None if high is None else round(high, digits),
        better="higher" if outcome.better == "higher" else "lower",
        smallest=None if smallest is None else smallest.value,
        one_sign=one_sign,
    ).kind


def _recorded(
    what: What,
    without: LeaveOneOut,
    ends: Mapping[str, _Ends] | None,
    names: Mapping[str, str],
    primary: Estimate,
    stated: Callable[[float | None, float | None], Kind],
) -> LeftOut:
    each = []
    for name, value in zip(without.left_out, without.estimate[:, -1].tolist(), strict=True):
        one = LeftOne(names.get(name, name), value if np.isfinite(value) else None)
        low, high = (None, None) if ends is None else ends[name]
        each.append(replace(one, low=low, high=high, refused=without.refused.get(name)))
    most, full = without.most_influential[-1], float(without.full[-1])
    own = stated(primary.low, primary.high)
    known = [one for one in each if one.value is not None]
    return LeftOut(
        what,
        tuple(each),
        float(without.low[-1]),
        float(without.high[-1]),
        names.get(most, most) if isinstance(most, str) else "",
        tuple(one.name for one in known if one.value is not None and one.value * full < 0),
        None if ends is None else tuple(one.name for one in known if stated(one.low, one.high) != own),
    )
