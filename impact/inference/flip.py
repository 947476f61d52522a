"""Score flip: null-imposed scores of all clusters, treated and control, with random signs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from impact.arrays import Float1, Float2
from impact.errors import Refused
from impact.estimators.protocol import Estimator, Gives
from impact.inference.intervals import no_scores
from impact.inference.protocol import Found, Uncertainty, drawn_error, evaluate, without_interval
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target

__all__ = ["ScoreFlip"]

_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class ScoreFlip:
    """p-value by flipping the sign of every cluster's score under the null of no effect.

    Valid when the scores are symmetric around 0 under the null. All ``2^G`` signs are enumerated when that is no more
    than `draws`; otherwise p = (1 + exceedances) / (1 + draws), never 0. It stands beside the declared interval.

    Parameters
    ----------
    draws : int
        Random sign vectors.

    References
    ----------
    Kline & Santos (2012), Journal of Econometric Methods 1(1) (score bootstrap, null imposed); Canay, Romano & Shaikh
    (2017), Econometrica 85(3) (sign changes).
    """

    draws: int = 9999
    level: float = 0.95

    name: ClassVar[str] = "score-flip"
    needs: ClassVar[Gives] = Gives.SCORES

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
        if found.effects.imposed is None:
            return no_scores(self.name, estimator)
        active = found.effects.imposed[(found.effects.imposed != 0).any(axis=1)]
        enumerated = 2 ** min(len(active), 62) <= self.draws
        beyond, draws = self._count(active, enumerated, streams)
        if enumerated:
            p_value, mc_error = beyond / draws, np.zeros(len(beyond))
        else:
            p_value = (1 + beyond) / (1 + draws)
            mc_error = drawn_error(p_value, 1 + draws)
        return without_interval(
            found,
            self.name,
            "no effect, scores symmetric by cluster",
            p_value,
            self.level,
            draws=draws,
            attempted=draws,
            mc_error=mc_error,
        )

    def _count(self, scores: Float2, enumerated: bool, streams: Streams) -> tuple[Float1, int]:
        """(m,) number of sign vectors whose statistic is at least as large as the estimate, and how many were tried."""
        observed = np.abs(scores.sum(axis=0))
        least = observed * (1 - 1e-12)  # equal up to rounding counts as equal
        total = 2 ** len(scores) if enumerated else self.draws
        generator = streams.at("score-flip").generator()
        beyond = np.zeros(scores.shape[1])
        for start in range(0, total, _BLOCK):
            rows = min(_BLOCK, total - start)
            if enumerated:
                signs = ((np.arange(start, start + rows)[:, None] >> np.arange(len(scores))) & 1) * 2.0 - 1.0
            else:
                signs = generator.integers(0, 2, size=(rows, len(scores))) * 2.0 - 1.0
            beyond += (np.abs(signs @ scores) >= least).sum(axis=0)
        return beyond, total
