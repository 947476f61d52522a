"""The t-test over the effects of treated clusters, each counting once (Ibragimov & Müller)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from impact.arrays import Float1
from impact.errors import Refused
from impact.estimators.protocol import Estimator, Gives
from impact.inference.few import too_few
from impact.inference.protocol import Found, Uncertainty, evaluate, spread
from impact.inference.two_way import Term, TwoWay
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target

__all__ = ["IbragimovMueller"]

_SAME = 1e-9
_LEAST = 0.917


@dataclass(frozen=True, slots=True)
class IbragimovMueller:
    """One number for every treated cluster, and Student's t over these: with q of them ``t(q - 1)``.

    Every treated cluster has its own effect, on the term's periods and against the common comparison, and all count
    once, however much they count in the term. The t-test holds its level whatever the variances of the clusters are, as
    long as they are independent. What they share is the error of the comparison: it is added to the variance, from the
    contributions of the clusters without treatment.

    The test is of the mean over clusters. Where that is the estimate (every cluster counts alike in the term) there is
    an interval; otherwise there is a p-value alone, of another mean than the one that is reported. Below 4 treated
    clusters it is refused.

    References
    ----------
    Ibragimov & Müller (2010), Journal of Business & Economic Statistics 28(4), section 2 (valid at 8.3 % or less);
    (2016), Review of Economics and Statistics 98(1), for the second sample.
    """

    level: float = 0.95

    name: ClassVar[str] = "ibragimov-mueller"
    needs: ClassVar[Gives] = Gives.LINEAR

    def __post_init__(self) -> None:
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
        from scipy import stats

        found = full or evaluate(estimator, panel, target)
        if isinstance(found, Refused):
            return found
        if self.level < _LEAST:
            return Refused(
                f"uncertainty by {self.name}",
                f"the test holds its size at 8.3 % or less, and {1 - self.level:.0%} is asked",
                f"Ask for a level of {_LEAST} or more, or use cluster-jackknife.",
            )
        model = TwoWay.of(found, estimator, self.name)
        if isinstance(model, Refused):
            return model
        clusters, treated, largest, effective = spread(found)
        terms = len(found.effects.terms)
        error, df, p_value, low, high = (np.full(terms, np.nan) for _ in range(5))
        refused = list(too_few(treated))
        for number, term in enumerate(model.terms()):
            if refused[number] is not None:
                continue
            if isinstance(term, Refused):
                refused[number] = term
                continue
            share = found.effects.share[:, number]
            each, comparison = _contributions(model, term, share)
            own = each[share > 0] / share[share > 0]
            size = float(np.sqrt(own.var(ddof=1) / len(own) + (comparison**2).sum()))
            mean, estimate = float(own.mean()), float(found.effects.estimate[number])
            p_value[number] = 2 * stats.t.sf(abs(mean) / size, len(own) - 1) if size > 0 else np.nan
            if not size > 0:
                refused[number] = Refused("an interval", "no error shows between its clusters", "Read it as it stands.")
            elif abs(mean - estimate) <= _SAME * (abs(estimate) + size):
                reach = stats.t.ppf(0.5 + self.level / 2, len(own) - 1) * size
                error[number], df[number] = size, len(own) - 1
                low[number], high[number] = estimate - reach, estimate + reach
        return Uncertainty(
            self.name,
            "the mean effect over treated clusters, each counting once, is 0",
            error,
            df,
            low,
            high,
            p_value,
            self.level,
            tuple(refused),
            clusters,
            treated,
            largest,
            effective,
        )


def _contributions(model: TwoWay, term: Term, share: Float1) -> tuple[Float1, Float1]:
    """(G,) what the treated units of every cluster add to the term, and what its untreated ones do."""
    panel = model.found.panel
    pulled = (term.pull * (model.residual + model.effect)).sum(axis=1)
    own, comparison = (
        np.bincount(panel.cluster, weights=np.where(inside, pulled, 0.0), minlength=len(panel.clusters))
        for inside in (panel.treated, ~panel.treated)
    )
    # The comparison is common to all: every cluster bears it by what it counts for.
    return np.asarray(own + share * comparison.sum()), np.asarray(comparison)
