"""Simultaneous bands over the terms of a target, from the joint distribution of their scores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil
from typing import ClassVar

import numpy as np

from impact.arrays import Bool1, Float2
from impact.errors import Refused
from impact.estimators.protocol import Estimator, Gives
from impact.inference.intervals import interval, no_scores, own_error, with_covariance
from impact.inference.protocol import Band, Found, Uncertainty, evaluate, spread
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target

__all__ = ["Critical", "Multiplier", "critical", "place", "root"]

_NOTHING = 1e-12
_BLOCK = 2**16  # numbers drawn at a time: they stay in the cache


@dataclass(frozen=True, slots=True)
class Multiplier:
    """The errors and intervals of `Scores`, and a band that holds over all terms at once.

    The multiplier bootstrap perturbs every cluster's scores by a random factor. With normal factors its draws are
    exactly normal with the covariance ``Σ s_g s_g'`` of the terms, so they are drawn from that, and cost nothing per
    unit or cluster. The band reaches the `level` quantile of ``max_k |draw_k| / error_k`` times the error of a term to
    either side. As the intervals are those of t(G - 1), all draws of one vector share a factor that makes them
    multivariate t, with the fewest degrees of freedom among the terms: with many clusters that changes nothing, and
    with one term the band is the interval.

    The band is over the event times, cohorts, periods or areas of the target, before and after the start; the "mean"
    over them stands outside it. Terms without an error are outside it too: those that are refused, as by `Scores`, and
    those whose error is 0.

    Parameters
    ----------
    draws : int
        Random vectors; a single term needs none.

    References
    ----------
    Callaway & Sant'Anna (2021), Journal of Econometrics 225(2), Theorems 2-3, algorithm 1 and remark 10 (clusters);
    Montiel Olea & Plagborg-Møller (2019), Journal of Applied Econometrics 34(1), algorithm 2 (the plug-in draws).
    """

    draws: int = 9999
    level: float = 0.95

    name: ClassVar[str] = "multiplier"
    needs: ClassVar[Gives] = Gives.SCORES

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise ValueError(f"level={self.level} is not between 0 and 1")
        if place(self.draws, self.level) > self.draws:
            raise ValueError(f"draws={self.draws} are too few to tell a level of {self.level:g}")

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
        found = full or evaluate(estimator, panel, target)
        if isinstance(found, Refused):
            return found
        scores = found.effects.scores
        if scores is None:
            return no_scores(self.name, estimator)
        covariance = scores.T @ scores
        error = np.sqrt(np.diag(covariance))
        clusters, treated, _, _ = spread(found)
        refused, df = own_error(treated), np.asarray(clusters - 1.0)
        # An error that is this small beside the others is rounding.
        inside = _family(target, found) & (error > _NOTHING * error.max())
        inside &= np.array([reason is None for reason in refused])
        draws = self.draws if inside.sum() > 1 else 0
        pointwise = interval(found, self.name, error, df, self.level, refused, draws, draws)
        pointwise = with_covariance(pointwise, covariance)
        if not inside.any():
            return pointwise
        generator = streams.at(self.name).generator()
        reach = critical(covariance[np.ix_(inside, inside)], float(df[inside].min()), self.level, self.draws, generator)
        away = np.where(inside, reach.value * error, np.nan)
        estimate = found.effects.estimate
        band = Band(estimate - away, estimate + away, reach.value, reach.mc_error)
        return replace(pointwise, kind="uniform", band=band)


@dataclass(frozen=True, slots=True)
class Critical:
    """A critical value, and its Monte-Carlo standard error (0 where nothing was drawn)."""

    value: float
    mc_error: float


def critical(covariance: Float2, df: float, level: float, draws: int, generator: np.random.Generator) -> Critical:
    """The `level` quantile of the largest ``|t_k|`` of a multivariate t with `df` degrees of freedom (inf: normal).

    Parameters
    ----------
    covariance : (m, m) float
        Its scale does not matter; a positive diagonal. It may be singular.
    df : float
        Degrees of freedom.
    level : float
        Of the quantile.
    draws : int
        One more than the draws, times the level, is the rank of the draw that is taken, rounded up.
    generator : Generator
        Source of the draws.

    Notes
    -----
    The Monte-Carlo error is half the distance between the draws that lie ``sqrt(draws level (1 - level))`` ranks above
    and below, an interval of two standard errors whatever the distribution. A single term needs no draws.
    """
    from scipy import stats

    single = float(stats.t.ppf(0.5 + level / 2, df))
    if len(covariance) == 1:
        return Critical(single, 0.0)
    mixing = root(covariance)
    block = max(1, _BLOCK // len(mixing))
    largest = np.concatenate(
        [
            np.abs(generator.standard_normal((min(block, draws - done), len(mixing))) @ mixing).max(axis=1)
            for done in range(0, draws, block)
        ]
    )
    if np.isfinite(df):
        largest /= np.sqrt(generator.chisquare(df, draws) / df)
    largest.sort()
    rank, wide = place(draws, level), ceil(np.sqrt(draws * level * (1 - level)))
    low, high = max(rank - wide, 1), min(rank + wide, draws)
    # Several terms never need less than one, whatever the draws say.
    return Critical(max(float(largest[rank - 1]), single), float(largest[high - 1] - largest[low - 1]) / 2)


def place(draws: int, level: float) -> int:
    """Rank of the draw that has the level: with it, one more draw exceeds that value no more often than stated."""
    # A product such as 100 × 0.95 may come out above 95 by rounding.
    return ceil((draws + 1) * level - 1e-9)


def root(covariance: Float2) -> Float2:
    """(m, m) the symmetric root of the correlations, which rounding moves little even where they are singular."""
    size = np.sqrt(np.diag(covariance))
    values, vectors = np.linalg.eigh(covariance / np.outer(size, size))
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)


def _family(target: Target, found: Found) -> Bool1:
    """(m,) the terms that a band is over: all but the mean over the others."""
    terms = found.effects.terms
    last = target.kind in ("event", "calendar", "cohort") and len(terms) > 1
    return np.array([not (last and number == len(terms) - 1) for number in range(len(terms))])
