"""Sums per group and cluster: all that linear difference-in-differences needs of a balanced panel.

On a balanced panel with absorbing treatment, fixed weights and no covariates a (generalised) least-squares estimator
sees the data only through weights and means per group, so leaving a cluster out is a subtraction.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from impact.arrays import Float1, Float2, Int1
from impact.panel import Panel

__all__ = ["Moments", "strata"]


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Additive sums of `K` strata: the panel's groups, then one stratum for every later start, never included.

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
    serving : Moments or None
        The same under the weights that units have as controls (``Panel.serving``), where these are others.
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
    serving: Moments | None = None

    @property
    def mean(self) -> Float2:
        """(K, T) weighted mean outcome per stratum; nan for a stratum without weight."""
        safe = np.where(self.count > 0, self.weight, np.nan)
        return self.total / safe[:, None] + self.shift

    @staticmethod
    def of(panel: Panel) -> Moments | None:
        """The moments of `panel`, or None where they do not suffice.

        That is with covariates, pairs, missing cells, or areas over several clusters, whose weights change when a
        cluster goes.
        """
        if panel.covariates or panel.pairs is not None or np.isnan(panel.y).any() or not _nested(panel):
            return None
        stratum, first = strata(panel)
        shift = panel.y.mean(axis=0)
        parts, place = np.unique(panel.cluster * len(first) + stratum, return_inverse=True)
        rows = np.column_stack([parts // len(first), parts % len(first)])
        sums = _sums(place, len(parts), panel.weight, panel.y - shift)
        count, weight, total = _pool(rows[:, 1], len(first), sums)
        other = None if panel.serving is None else Moments.of(replace(panel, weight=panel.serving, serving=None))
        return Moments(first, count, weight, total, shift, rows, *sums, serving=other)

    @staticmethod
    def pooled(panel: Panel, weight: Float1) -> Moments:
        """The sums of `panel` under other unit weights (N,), without the parts by cluster."""
        stratum, first = strata(panel)
        shift = panel.y.mean(axis=0)
        count, mass, total = _sums(stratum, len(first), weight, panel.y - shift)
        return Moments(first, count, mass, total, shift, *_no_parts(len(shift)))

    def without(self, cluster: int) -> Moments:
        """The moments with one cluster left out, by subtraction."""
        low, high = np.searchsorted(self.rows[:, 0], [cluster, cluster + 1])
        part = slice(low, high)
        gone = _pool(
            self.rows[part, 1], len(self.first), (self.part_count[part], self.part_weight[part], self.part_total[part])
        )
        count = self.count - gone[0]
        # A stratum that lost its last unit has exactly nothing left, whatever the subtraction says.
        left = count > 0
        return Moments(
            self.first,
            count,
            np.where(left, self.weight - gone[1], 0.0),
            np.where(left[:, None], self.total - gone[2], 0.0),
            self.shift,
            *_no_parts(len(self.shift)),
            serving=None if self.serving is None else self.serving.without(cluster),
        )


def strata(panel: Panel) -> tuple[Int1, Float1]:
    """(N,) stratum of every unit and (K,) its start: the groups in their order, then later starts, then never."""
    groups = panel.groups
    later = np.unique(panel.first[panel.group < 0])
    place = np.where(panel.group >= 0, panel.group, len(groups) + np.searchsorted(later, panel.first))
    return place.astype(np.intp), np.concatenate([groups, later])


_Sums = tuple[Int1, Float1, Float2]


def _sums(place: Int1, places: int, weight: Float1, y: Float2) -> _Sums:
    """Count, weight and weighted total of the rows at every place."""
    columns = [np.bincount(place, weights=weight * column, minlength=places) for column in y.T]
    total = np.asarray(np.column_stack(columns), dtype=np.float64)
    count = np.bincount(place, weights=weight > 0, minlength=places).astype(np.intp)
    return count, np.asarray(np.bincount(place, weights=weight, minlength=places), dtype=np.float64), total


def _pool(stratum: Int1, places: int, parts: _Sums) -> _Sums:
    count, weight, total = np.zeros(places, dtype=np.intp), np.zeros(places), np.zeros((places, parts[2].shape[1]))
    for sums, part in zip((count, weight, total), parts, strict=True):
        np.add.at(sums, stratum, part)
    return count, weight, total


def _no_parts(length: int) -> tuple[Int1, Int1, Float1, Float2]:
    return np.zeros((0, 2), dtype=np.intp), np.zeros(0, dtype=np.intp), np.zeros(0), np.zeros((0, length))


def _nested(panel: Panel) -> bool:
    inside = panel.area >= 0
    pairs = np.unique(panel.area[inside] * len(panel.clusters) + panel.cluster[inside])
    return len(pairs) == len(np.unique(panel.area[inside]))
