"""Errors that all units share in a period, and that fade over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from impact.errors import Refused
from impact.estimators.protocol import Estimator, Gives
from impact.inference.conley import judged_by_covariance
from impact.inference.intervals import own_error
from impact.inference.protocol import Found, Uncertainty, evaluate, spread
from impact.inference.unit_scores import by_period, by_unit
from impact.numerics.pairs import bartlett_lags
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target

__all__ = ["DriscollKraay"]

_NOTHING = 1e-9
_FEWEST = 4


@dataclass(frozen=True, slots=True)
class DriscollKraay:
    """Scores are summed over all units within a period: ``V = Σ_tu (1 - |t - u| / (lags + 1)) h_t h_u'``.

    It is for long panels and for a regression with fewer coefficients than groups and periods (twfe). An estimator with
    an effect for every group and period leaves nothing of what units share in a period: its sums are 0 by construction,
    and it is refused. With few periods it is far too small; the quantiles are those of t(T - 1).

    Parameters
    ----------
    lags : int, optional
        Periods over which errors are correlated; by default the whole part of ``T^(1/4)``.
    level : float
        Of the interval.

    References
    ----------
    Driscoll & Kraay (1998), Review of Economics and Statistics 80(4), equation 8.
    """

    lags: int | None = None
    level: float = 0.95

    name: ClassVar[str] = "driscoll-kraay"
    needs: ClassVar[Gives] = Gives.SCORES

    def __post_init__(self) -> None:
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
        what = f"uncertainty by {self.name}"
        alone = by_unit(self.name, estimator, panel, target, found)
        if isinstance(alone, Refused):
            return alone
        parts = by_period(self.name, estimator, alone)
        if isinstance(parts, Refused):
            return parts
        periods = len(panel.periods)
        if periods < _FEWEST:
            return Refused(what, f"{periods} periods are fewer than {_FEWEST}", "Use cluster-jackknife.")
        sums = parts.moving.sum(axis=0)
        size = np.sqrt((parts.moving**2).sum())
        if np.sqrt((sums**2).sum()) <= _NOTHING * size:
            return Refused(
                what,
                f"{estimator.name} has an effect for every group and period, so that the scores of a period sum to 0 "
                "by construction and nothing shows of what units share in it",
                "Use cluster-jackknife, conley, or twfe.",
            )
        lags = int(periods**0.25) if self.lags is None else self.lags
        variance = np.einsum("tu,tm,uk->mk", bartlett_lags(periods, lags), sums, sums)
        variance = variance + parts.lasting.T @ parts.lasting
        df = np.full(len(found.effects.terms), periods - 1.0)
        return judged_by_covariance(
            found, self.name, variance, df, self.level, own_error(spread(alone)[1]), "fewer lags"
        )
