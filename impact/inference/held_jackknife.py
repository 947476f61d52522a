"""The cluster jackknife of a linear estimator for many outcomes of one design: its refits are done once, as weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from impact.arrays import Float2, Int1
from impact.cells import Fit
from impact.errors import Refused
from impact.estimators.protocol import Estimator, Gives
from impact.inference.cluster import ClusterJackknife, cv3
from impact.inference.protocol import Found, Uncertainty, evaluate
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target

__all__ = ["HeldJackknife", "held_jackknife", "pulled"]

_SAME = 1e-8  # of the estimate's parts, added up without their signs


@dataclass(frozen=True, slots=True, eq=False)
class HeldJackknife:
    """What `ClusterJackknife` says, for outcomes on the panel that the weights were made for.

    Attributes
    ----------
    inner : ClusterJackknife
    whole : (N, T) float
        How much every outcome counts in the estimate.
    rows : tuple of (n,) int
    without : tuple of (n, T) float
        How much every outcome counts in it without each cluster: of the units in `rows`, and 0 of all others.
    """

    inner: ClusterJackknife
    whole: Float2
    rows: tuple[Int1, ...]
    without: tuple[Float2, ...]

    name: ClassVar[str] = ClusterJackknife.name
    needs: ClassVar[Gives] = ClusterJackknife.needs

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
        """See ``Inference.run``; with weights that do not give this very estimate everything is refitted."""
        found = full or evaluate(estimator, panel, target)
        if isinstance(found, Refused):
            return found
        y = np.nan_to_num(panel.y)
        parts = self.whole * y if self.whole.shape == y.shape else np.full((1, 1), np.nan)
        if not np.abs(parts.sum() - found.effects.estimate).max() <= _SAME * np.abs(parts).sum():
            return self.inner.run(estimator, panel, target, streams=streams, parallel=parallel, full=found)
        again = [np.array([(weight * y[rows]).sum()]) for rows, weight in zip(self.rows, self.without, strict=True)]
        return cv3(found, again, self.inner.level, len(again))


def held_jackknife(inner: ClusterJackknife, estimator: Estimator, panel: Panel, target: Target) -> HeldJackknife | None:
    """The jackknife of this design; None where the estimate or one of the refits is no sum with fixed weights."""
    if Gives.LINEAR not in estimator.gives:
        return None
    found = evaluate(estimator, panel, target)
    if isinstance(found, Refused) or found.fit.pull is None or len(found.effects.terms) > 1:
        return None
    place = {unit: row for row, unit in enumerate(panel.units)}
    rows, without = [], []
    for cluster in np.unique(panel.cluster).tolist():
        rest = panel.drop(np.flatnonzero(panel.cluster == cluster))
        again = evaluate(estimator, rest, target)
        if isinstance(again, Refused) or again.effects.terms != found.effects.terms:
            return None
        weight = pulled(again.fit, again.effects.weights)
        if weight is None:
            return None
        there = np.flatnonzero(weight.any(axis=1))
        rows.append(np.array([place[rest.units[row]] for row in there], dtype=np.intp))
        without.append(weight[there])
    return HeldJackknife(inner, found.fit.pull(found.effects.weights[:, 0]), tuple(rows), tuple(without))


def pulled(fit: Fit, weights: Float2) -> Float2 | None:
    """(N, T) how much every outcome counts in the last term; None where that is not fixed."""
    return None if fit.pull is None else fit.pull(weights[:, -1])
