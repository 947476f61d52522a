"""Errors that near units share: covariances that fade with distance, and with time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, get_args

import numpy as np

from impact.arrays import Bool1, Float1, Float2
from impact.errors import Refused
from impact.estimators.protocol import Estimator, Gives
from impact.inference.intervals import interval, own_error, with_covariance
from impact.inference.protocol import Found, Uncertainty, evaluate, spread
from impact.inference.unit_scores import by_period, by_unit
from impact.longtable import few
from impact.numerics.pairs import Decay, bartlett_lags, covariance
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target

__all__ = ["Conley", "judged_by_covariance"]

_NEGATIVE = 1e-9  # of the largest eigenvalue
_FEWEST = 4


@dataclass(frozen=True, slots=True)
class Conley:
    """Units within `cutoff` share errors: ``V = Σ_ij K(d_ij) s_i s_j'`` over the scores of all units.

    Without `lags` scores are summed over the periods first, so errors of near units may be correlated over any time.
    With `lags` the scores of two periods count ``1 - lag / (lags + 1)``, which is the product of both decays. Nothing
    makes such a sum positive: a term whose variance is not is refused, and where only the covariance of several terms
    is not, it is not given.

    The quantiles are those of t with min(G, treated G) - 1 degrees of freedom, G by the clusters of the panel, as in
    `ClusterJackknife`, below 4 of which there is no interval; normal ones, as often used, are too short for few
    treated places. Even so nothing is known of its level where the treated lie in few places: it is here to be
    compared with.

    Parameters
    ----------
    cutoff : float
        Distance in metres (the unit of ``Panel.place``). 0: units are independent. inf leaves no error, as scores sum
        to 0.
    kernel : {"bartlett", "uniform"}
        ``1 - d / cutoff``, or 1 up to the cutoff.
    lags : int, optional
        Periods over which errors are correlated; 0: within a period alone.
    level : float
        Of the interval.

    References
    ----------
    Conley (1999), Journal of Econometrics 92(1); Hsiang (2010), PNAS 107(35), for panels.
    """

    cutoff: float = 10_000.0
    kernel: Decay = "bartlett"
    lags: int | None = None
    level: float = 0.95

    name: ClassVar[str] = "conley"
    needs: ClassVar[Gives] = Gives.SCORES

    def __post_init__(self) -> None:
        if not self.cutoff >= 0:
            raise ValueError(f"cutoff={self.cutoff} is not a distance of 0 or more, in metres")
        if self.kernel not in get_args(Decay):
            raise ValueError(f"kernel={self.kernel!r} is not one of {', '.join(get_args(Decay))}")
        if self.lags is not None and self.lags < 0:
            raise ValueError(f"lags={self.lags} is not a number of periods, 0 or more")
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
        """See ``Inference.run``; draws nothing at random."""
        found = full or evaluate(estimator, panel, target)
        if isinstance(found, Refused):
            return found
        alone = by_unit(self.name, estimator, panel, target, found)
        if isinstance(alone, Refused):
            return alone
        scores = alone.effects.scores
        if scores is None:  # `by_unit` refuses it
            return Refused(f"uncertainty by {self.name}", "there are no scores")
        drawn = np.asarray(scores.any(axis=1))
        place = _places(panel, drawn)
        if isinstance(place, Refused):
            return place
        if self.lags is None:
            variance = covariance(place, scores[drawn][:, None, :], self.cutoff, self.kernel)
        else:
            parts = by_period(self.name, estimator, alone)
            if isinstance(parts, Refused):
                return parts
            lags = bartlett_lags(len(panel.periods), self.lags)
            variance = covariance(place, parts.moving[drawn], self.cutoff, self.kernel, lags)
            variance = variance + covariance(place, parts.lasting[drawn][:, None, :], self.cutoff, self.kernel)
        alike = own_error(spread(alone)[1])
        clusters, treated, _, _ = spread(found)
        return judged_by_covariance(
            found, self.name, variance, np.minimum(clusters, treated) - 1.0, self.level, alike, "kernel='bartlett'"
        )


def judged_by_covariance(
    found: Found,
    name: str,
    variance: Float2,
    df: Float1,
    level: float,
    alike: tuple[Refused | None, ...],
    remedy: str,
) -> Uncertainty:
    """Intervals from a covariance (m, m) that need not be one.

    A term is refused for the reason in `alike`, with fewer than 3 degrees of freedom, and for a variance below 0.
    """
    own = np.diag(variance)
    negative = own < -_NEGATIVE * np.abs(own).max(initial=0.0)
    reasons = []
    for reason, bad, free in zip(alike, negative, df, strict=True):
        if reason is None and bad:
            reason = Refused("an interval", f"its variance by {name} is negative", f"Try {remedy}, or another reach.")
        elif reason is None and free < _FEWEST - 1:
            reason = Refused(
                "an interval",
                f"{int(free) + 1} treated clusters carry weight in it, and with fewer than 4 no interval holds its "
                "level",
                "Use placebo-space for a p-value, or a target over more areas.",
            )
        reasons.append(reason)
    error = np.sqrt(np.maximum(own, 0.0))
    given = with_covariance(interval(found, name, error, df, level, tuple(reasons), 0, 0), variance)
    kept = np.array([reason is None for reason in given.refused])
    values = np.linalg.eigvalsh(variance[np.ix_(kept, kept)]) if kept.any() else np.zeros(1)
    return replace(given, covariance=None) if values[0] < -_NEGATIVE * np.abs(values).max() else given


def _places(panel: Panel, drawn: Bool1) -> Float2 | Refused:
    """(n, 2) places of the units that have a score."""
    what = "errors that near units share"
    if panel.place is None:
        return Refused(what, "the panel has no places of its units", "Name the columns with place= in from_frame.")
    missing = np.flatnonzero(drawn & ~np.isfinite(panel.place).all(axis=1))
    if missing.size:
        names = few([panel.units[row] for row in missing], 3)
        return Refused(
            what,
            f"{missing.size} units that weigh in the estimate have no place ({names})",
            "Give every unit coordinates in metres.",
        )
    return np.asarray(panel.place[drawn])
