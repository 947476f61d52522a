"""Uncertainty from clusters: leave-one-out (CV3), leave-one-unit-out, and the clustered analytic error."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, get_args

import numpy as np

from impact.arrays import Float1, Int1
from impact.cells import Cells, Weights
from impact.errors import Refused
from impact.estimators.protocol import Estimator, FromMoments, Gives
from impact.inference.few import FEWEST, too_few
from impact.inference.held import without_each_control
from impact.inference.intervals import interval, no_scores, own_error, with_covariance
from impact.inference.protocol import Found, Replicates, Uncertainty, evaluate, spread
from impact.inference.small_sample import Convention, small_sample
from impact.numerics.moments import Moments
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target

__all__ = ["ClusterJackknife", "Jackknife", "Scores", "cv3"]

_SUM = 1e-6


@dataclass(frozen=True, slots=True)
class ClusterJackknife:
    """CV3: every cluster is left out once, ``V = (G-1)/G Σ (θ(-g) - θ)²``, with t(min(G, G_treated) - 1).

    G counts the clusters with weight; G_treated the treated clusters with weight in the term. Below 4 treated clusters
    the term has no interval. A cohort whose only cluster is deleted loses its cells and the target renormalises over
    the rest; the replicate counts. Matched weights are held, and a deleted area's own matched controls go with it.

    References
    ----------
    MacKinnon, Nielsen & Webb (2023), Journal of Applied Econometrics 38(5), eq. 15 (CV3, centred on the estimate);
    Karim, Nielsen, MacKinnon & Webb (2026), arXiv 2602.12043, for staggered designs.
    """

    level: float = 0.95

    name: ClassVar[str] = "cluster-jackknife"
    needs: ClassVar[Gives] = Gives.NOTHING

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
        """See ``Inference.run``; draws nothing at random."""
        found = full or evaluate(estimator, panel, target)
        if isinstance(found, Refused):
            return found
        treated = spread(found)[1]
        weighing = np.flatnonzero(np.bincount(panel.cluster, weights=_weighing(found), minlength=len(panel.clusters)))
        if (treated < FEWEST).all():
            # Nothing would be reported; the refits are saved.
            replicates: list[Float1] = []
            failures: tuple[str, ...] = ()
        else:
            replicates, failures = _leave_out(estimator, panel, target, found, weighing, parallel)
        if failures:
            return Refused(
                "an interval by cluster-jackknife",
                f"{len(failures)} of {len(weighing)} deletions gave no estimate "
                f"({'; '.join(failures[:3])}) and leaving them out would understate the error",
                "Choose an estimator that survives the loss of any one cluster, such as method='reg'.",
            )
        names = tuple(panel.clusters[cluster] for cluster in weighing[: len(replicates)].tolist())
        kept = Replicates("left-out", names, np.array(replicates).reshape(len(names), treated.size))
        return replace(cv3(found, replicates, self.level, len(weighing)), replicates=kept)


@dataclass(frozen=True, slots=True)
class Jackknife:
    """Every unit is left out once with weights held, ``V = (N-1)/N Σ (θ(-i) - θ)²``, normal quantiles.

    Estimators without weights are refitted. Refused with one treated unit: without it there is no estimate; and where
    weights do not sum to one (a synthetic control under ``lasso``, ``ridge`` or ``none``): nobody could take over the
    share of a donor that is left out.

    References
    ----------
    Arkhangelsky, Athey, Hirshberg, Imbens & Wager (2021), American Economic Review 111(12), Algorithm 3.
    """

    level: float = 0.95

    name: ClassVar[str] = "jackknife"
    needs: ClassVar[Gives] = Gives.NOTHING

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
        """See ``Inference.run``; draws nothing at random."""
        found = full or evaluate(estimator, panel, target)
        if isinstance(found, Refused):
            return found
        if int(panel.treated.sum()) < 2:
            return Refused(
                "an error by the jackknife",
                "there is one treated unit, and without it there is no estimate",
                "Use placebo-space.",
            )
        if not _sum_to_one(found.fit.weights):
            return Refused(
                "an error by the jackknife",
                "its weights of donors do not sum to one, so a donor that is left out has no share that others could "
                "take over",
                "Use cluster-jackknife or placebo-space.",
            )
        weighing = np.flatnonzero(_weighing(found))
        drop = partial(_without_unit, estimator, panel, target, found.fit.weights, found.effects.terms)
        results: dict[int, Float1 | Refused] = dict(without_each_control(estimator, found, target))
        others = [unit for unit in weighing.tolist() if unit not in results]
        results |= zip(others, parallel.map(drop, others, self.name), strict=True)
        failures = tuple(str(result) for result in results.values() if isinstance(result, Refused))
        if failures:
            return Refused(
                "an error by the jackknife",
                f"{len(failures)} deletions gave no estimate ({failures[0]})",
                "Use cluster-jackknife or placebo-space.",
            )
        away = np.array([results[unit] for unit in weighing.tolist()]) - found.effects.estimate
        count = len(weighing)
        error = np.sqrt((count - 1) / count * (away**2).sum(axis=0))
        refused = tuple(
            None
            if np.isfinite(value)
            else Refused(
                "an interval", "it rests on one treated unit, and without it there is no estimate", "Use placebo-space."
            )
            for value in error
        )
        given = interval(found, self.name, error, np.full(len(error), np.inf), self.level, refused, count, count)
        names = tuple(panel.units[unit] for unit in weighing.tolist())
        return replace(given, replicates=Replicates("left-out", names, away + found.effects.estimate))


@dataclass(frozen=True, slots=True)
class Scores:
    """The analytic error from influence scores, summed by cluster: ``V = Σ s_g²`` with t(G - 1).

    Holds its level with many treated clusters only; with few it rejects a true null too often. A term whose weight lies
    in one or two treated clusters has no error of its own: scores are centred on the mean of the treated, so that of
    one is 0 and those of two mirror each other. For the same reason a cohort in one cluster adds no error to the mean
    over several cohorts.

    Parameters
    ----------
    small_sample : {"none", "fixest", "linearmodels"}
        The factor that the named package multiplies the variance of a regression by; see ``small_sample`` in
        ``impact.inference.small_sample``. Refused for estimators that are no regression.

    References
    ----------
    Callaway & Sant'Anna (2021), Journal of Econometrics 225(2), Theorem 2 and remark 10.
    """

    level: float = 0.95
    small_sample: Convention = "none"

    name: ClassVar[str] = "scores"
    needs: ClassVar[Gives] = Gives.SCORES

    def __post_init__(self) -> None:
        if self.small_sample not in get_args(Convention):
            raise ValueError(f"small_sample={self.small_sample!r} is not one of {', '.join(get_args(Convention))}")

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
        """See ``Inference.run``; draws nothing at random."""
        found = full or evaluate(estimator, panel, target)
        if isinstance(found, Refused):
            return found
        if found.effects.scores is None:
            return no_scores(self.name, estimator)
        factor = self._factor(found, estimator)
        if isinstance(factor, Refused):
            return factor
        covariance = factor * (found.effects.scores.T @ found.effects.scores)
        error = np.sqrt(np.diag(covariance))
        clusters, treated, _, _ = spread(found)
        df = np.asarray(clusters - 1.0)
        given = interval(found, self.name, error, df, self.level, own_error(treated), 0, 0)
        kept = Replicates("score", found.panel.clusters, np.sqrt(factor) * found.effects.scores)
        return replace(with_covariance(given, covariance), replicates=kept)

    def _factor(self, found: Found, estimator: Estimator) -> float | Refused:
        """What the variance is multiplied by."""
        if self.small_sample == "none":
            return 1.0
        if found.fit.regression is None:
            return Refused(
                f"a small-sample factor after {self.small_sample}",
                f"{estimator.name} is no regression whose coefficients could be counted",
                "Use small_sample='none', or twfe, sun-abraham or extended-twfe.",
            )
        clusters = len(np.unique(found.panel.cluster[found.panel.weight > 0]))
        return small_sample(found.fit.regression, clusters, self.small_sample)


def cv3(found: Found, replicates: list[Float1], level: float, attempted: int) -> Uncertainty:
    """What `ClusterJackknife` says, from the (m,) estimates without each cluster."""
    clusters, treated, _, _ = spread(found)
    away = np.array(replicates).reshape(-1, len(found.effects.terms)) - found.effects.estimate
    # Terms may rest on different numbers of clusters.
    factor = np.sqrt((clusters - 1) / clusters)
    covariance = np.outer(factor, factor) * (away.T @ away)
    df = np.minimum(clusters, treated) - 1.0
    error, name = np.sqrt(np.diag(covariance)), ClusterJackknife.name
    given = interval(found, name, error, df, level, too_few(treated), len(replicates), attempted)
    return with_covariance(given, covariance)


def _weighing(found: Found) -> Float1:
    """(N,) 1 for units with weight in the estimate, treated or control."""
    panel = found.panel
    serving = panel.weight > 0
    if panel.serving is not None:
        # Whoever counts for nothing in the target may still serve.
        serving = serving | (panel.serving > 0)
    if panel.pairs is not None:
        serving = serving & (panel.treated | (panel.pairs > 0).any(axis=0))
    return serving.astype(np.float64)


def _sum_to_one(weights: Weights | None) -> bool:
    return weights is None or bool((np.abs(weights.unit.sum(axis=1) - 1) <= _SUM).all())


def _leave_out(
    estimator: Estimator, panel: Panel, target: Target, found: Found, weighing: Int1, parallel: Parallel
) -> tuple[list[Float1], tuple[str, ...]]:
    """(m,) estimates without each cluster, and the names of the deletions that gave none."""
    moments = None
    if Gives.MOMENTS in estimator.gives and isinstance(estimator, FromMoments) and isinstance(found.panel, Panel):
        moments = Moments.of(found.panel)
    terms = found.effects.terms
    results: list[Float1 | Refused]
    if moments is not None and isinstance(estimator, FromMoments):
        results = _by_subtraction(estimator, moments, target, found, weighing)
    else:
        results = parallel.map(
            partial(_without_cluster, estimator, panel, target, terms), weighing.tolist(), "cluster-jackknife"
        )
    failures = tuple(
        f"without {panel.clusters[int(cluster)]}: {result.because}"
        for cluster, result in zip(weighing, results, strict=True)
        if isinstance(result, Refused)
    )
    return [result for result in results if not isinstance(result, Refused)], failures


def _by_subtraction(
    estimator: FromMoments, moments: Moments, target: Target, found: Found, weighing: Int1
) -> list[Float1 | Refused]:
    """All deletions at once; those that take cells along are summed one by one, over the cells that are left."""
    left = estimator.without_each(moments)
    results: dict[int, Float1 | Refused] = {}
    whole = np.isfinite(left.effect).all(axis=1)
    if whole.any():
        many = target.many(left.cells, left.effect[whole], left.size[whole], found.panel)
        for row, cluster in enumerate(left.clusters[whole]):
            results[int(cluster)] = many if isinstance(many, Refused) else many[row]
    for short in np.flatnonzero(~whole):
        rest = left.at(int(short))
        results[int(left.clusters[short])] = _in_order(target, rest, found.panel, found.effects.terms)
    return [results[int(cluster)] for cluster in weighing]


def _without_cluster(
    estimator: Estimator, panel: Panel, target: Target, terms: tuple[str, ...], cluster: int
) -> Float1 | Refused:
    rest = panel.drop(np.flatnonzero(panel.cluster == cluster))
    found = evaluate(estimator, rest, target)
    return found if isinstance(found, Refused) else _in_order(target, found.fit.cells, found.panel, terms)


def _without_unit(
    estimator: Estimator, panel: Panel, target: Target, hold: Weights | None, terms: tuple[str, ...], unit: int
) -> Float1 | Refused:
    found = evaluate(estimator, panel.drop([unit]), target, hold=hold)
    return found if isinstance(found, Refused) else _in_order(target, found.fit.cells, found.panel, terms)


def _in_order(target: Target, cells: Cells | Refused, panel: Panel, terms: tuple[str, ...]) -> Float1 | Refused:
    """(m,) the terms of the full estimate from other cells.

    A term that is gone with the cluster is nan: it rests on that cluster alone and has no interval anyway.
    """
    if isinstance(cells, Refused):
        return cells
    values = target.values(cells, panel)
    return values if isinstance(values, Refused) else np.array([values.get(term, np.nan) for term in terms])
