"""Sums per group and cluster: all that linear difference-in-differences needs of a balanced panel.

On a balanced panel with absorbing treatment, fixed weights and no covariates a (generalised) least-squares estimator sees
the data only through weights and means per group, so leaving a cluster out is a subtraction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impact.arrays import Float1, Float2, Int1
from impact.panel import Panel

__all__ = ["Moments"]


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Additive sums of `K` strata (cohorts or areas, then one stratum for every start after the panel, never included).

    Attributes
    ----------
    first : (K,) float
        First treated period of the stratum; `T` or more, or inf, for units that are not treated within the panel.
    count : (K,) int
        Units.
    weight : (K,) float
        Sum of weights.
    total : (K, T) float
        Weighted sum of ``y - shift``.
    shift : (T,) float
        Subtracted before summing, so that a large mean costs no digits.
    rows : (S, 2) int
        Cluster and stratum of every part below, ordered by cluster.
    part_count, part_weight, part_total : (S,), (S,), (S, T)
        The same sums by cluster.
    """

    first: Float1
    count: Int1
    weight: Float1
    total: Float2
    shift: Float1
    rows: Int1
    part_count: Int1
    part_weight: Float1
    part_total: Float2

    @property
    def mean(self) -> Float2:
        """(K, T) weighted mean outcome per stratum; nan for a stratum without weight."""
        safe = np.where(self.count > 0, self.weight, np.nan)
        return self.total / safe[:, None] + self.shift

    @staticmethod
    def of(panel: Panel) -> Moments | None:
        """The moments of `panel`, or None where they do not suffice: covariates, pairs, missing cells, or areas over several
        clusters (whose weights change when a cluster goes)."""
        if panel.covariates or panel.pairs is not None or np.isnan(panel.y).any() or not _nested(panel):
            return None
        strata, first = _strata(panel)
        shift = panel.y.mean(axis=0)
        key = panel.cluster * len(first) + strata
        parts, place = np.unique(key, return_inverse=True)
        weighted = (panel.y - shift) * panel.weight[:, None]
        part_total = np.column_stack([np.bincount(place, weights=column, minlength=len(parts)) for column in weighted.T])
        part_weight = np.bincount(place, weights=panel.weight, minlength=len(parts))
        part_count = np.bincount(place, weights=panel.weight > 0, minlength=len(parts)).astype(np.intp)
        rows = np.column_stack([parts // len(first), parts % len(first)])
        return Moments(first, *_pool(rows[:, 1], len(first), part_count, part_weight, part_total), shift, rows, part_count,
                       part_weight, part_total)

    def without(self, cluster: int) -> Moments:
        """The moments with one cluster left out, by subtraction."""
        low, high = np.searchsorted(self.rows[:, 0], [cluster, cluster + 1])
        gone = _pool(self.rows[low:high, 1], len(self.first), self.part_count[low:high], self.part_weight[low:high],
                     self.part_total[low:high])
        count = self.count - gone[0]
        # A stratum that lost its last unit has exactly nothing left, whatever the subtraction says.
        left = count > 0
        return Moments(self.first, count, np.where(left, self.weight - gone[1], 0.0),
                       np.where(left[:, None], self.total - gone[2], 0.0), self.shift, self.rows[:0], self.part_count[:0],
                       self.part_weight[:0], self.part_total[:0])


def _pool(stratum: Int1, strata: int, count: Int1, weight: Float1, total: Float2) -> tuple[Int1, Float1, Float2]:
    pooled = np.zeros((strata, total.shape[1]))
    np.add.at(pooled, stratum, total)
    return (np.bincount(stratum, weights=count, minlength=strata).astype(np.intp),
            np.bincount(stratum, weights=weight, minlength=strata), pooled)


def _strata(panel: Panel) -> tuple[Int1, Float1]:
    """(N,) stratum of every unit and (K,) its start: the groups in their order, then later starts, then never."""
    groups = panel.groups
    later = np.unique(panel.first[panel.group < 0])
    strata = np.where(panel.group >= 0, panel.group, len(groups) + np.searchsorted(later, panel.first))
    return strata.astype(np.intp), np.concatenate([groups, later])


def _nested(panel: Panel) -> bool:
    inside = panel.area >= 0
    pairs = np.unique(panel.area[inside] * len(panel.clusters) + panel.cluster[inside])
    return len(pairs) == len(np.unique(panel.area[inside]))
