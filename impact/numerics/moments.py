"""Sums per stratum and cluster: all that linear difference-in-differences needs of a panel.

With absorbing treatment, fixed weights and no covariates a (generalised) least-squares estimator sees the data only
through weights and means per stratum: units of one group that were observed in the same periods. The sums add over
rows, files and machines, and leaving a cluster out is a subtraction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from impact.arrays import Bool2, Float1, Float2, Int1, frozen
from impact.numerics.parts import pool, shifted, stacked, taken
from impact.numerics.sums import Sums, sums
from impact.panel import Panel

__all__ = ["Moments", "Strata", "strata"]

# Rows whose mean is taken as the shift: it need be near the outcomes only.
_NEAR = 4096
# No panel has as many periods: what starts then never does.
_LATEST = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Strata:
    """`K` strata: group × pattern of observed periods; the panel's groups first, then later starts, then never.

    Attributes
    ----------
    group : (K,) int
        Number of the group whose cells are reported; -1 for units that are not treated within the panel.
    names : tuple of str
        Name of every group, by its number.
    first : (K,) float
        First treated period; `T` or more, or inf, for units that are not treated within the panel.
    seen : (K, T) bool
        Periods in which the outcome was observed.
    """

    group: Int1
    names: tuple[str, ...]
    first: Float1
    seen: Bool2

    @property
    def starts(self) -> Float1:
        """(groups,) first treated period of every group."""
        out = np.full(len(self.names), np.inf)
        inside = self.group >= 0
        out[self.group[inside]] = self.first[inside]
        return out

    def labels(self) -> list[tuple[str, float, bytes]]:
        """What makes a stratum the same one in another part of the data."""
        names = [self.names[group] if group >= 0 else "" for group in self.group]
        return list(zip(names, self.first.tolist(), (row.tobytes() for row in self.seen), strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Additive sums of the strata, in parts by cluster.

    Attributes
    ----------
    strata : Strata
    periods, clusters : tuple of str
    shift : (T,) float
        Subtracted before summing, so that a large mean costs no digits.
    rows : (S, 2) int
        Cluster and stratum of every part, ordered by cluster; cluster -1 where the units are not told apart.
    parts : Sums
        Of ``y - shift`` under the weights, at every part.
    serving : Moments or None
        The same under the weights that units have as controls (``Panel.serving``), where these are others.
    squares : Sums or None
        Per stratum under the squared weights, for errors when every unit is a cluster of its own.
    """

    strata: Strata
    periods: tuple[str, ...]
    clusters: tuple[str, ...]
    shift: Float1
    rows: Int1
    parts: Sums
    serving: Moments | None = None
    squares: Sums | None = None

    # Per stratum ------------------------------------------------------------------------------------------------

    @property
    def sums(self) -> Sums:
        """The sums of all clusters together, per stratum."""
        return pool(self.rows[:, 1], len(self.strata.first), self.parts)

    @property
    def mean(self) -> Float2:
        """(K, T) weighted mean outcome per stratum; 0 in periods that were not observed and without weight."""
        return mean_of(self.sums, self.shift, self.strata.seen)

    # Made from ----------------------------------------------------------------------------------------------------

    @staticmethod
    def of(panel: Panel, *, products: bool = False) -> Moments | None:
        """The moments of `panel` by cluster, or None where they do not suffice.

        That is with covariates, pairs, or areas over several clusters, whose weights change when a cluster goes.
        """
        if panel.covariates or panel.pairs is not None or not _nested(panel):
            return None
        return Moments.by_cluster(panel, panel.weight, products=products)

    @staticmethod
    def by_cluster(
        panel: Panel, weight: Float1, *, products: bool = False, at: tuple[Int1, Strata] | None = None
    ) -> Moments:
        """The sums of `panel` under unit weights (N,), by cluster; with `products` the T × T products as well."""
        place, known = strata(panel) if at is None else at
        shift = _shift(panel.y)
        joint = panel.cluster * len(known.first) + place
        there = np.bincount(joint, minlength=len(panel.clusters) * len(known.first)) > 0
        parts, number = np.flatnonzero(there), np.cumsum(there) - 1
        rows = np.column_stack([parts // len(known.first), parts % len(known.first)])
        found = sums(panel.y, number[joint], len(parts), weight, shift, products=products)
        other = None
        if panel.serving is not None and weight is panel.weight:
            bare = replace(panel, serving=None)
            other = Moments.by_cluster(bare, panel.serving, products=products, at=(place, known))
        return Moments(known, panel.periods, panel.clusters, shift, rows, found, serving=other)

    @staticmethod
    def pooled(
        panel: Panel, weight: Float1, *, products: bool = False, at: tuple[Int1, Strata] | None = None
    ) -> Moments:
        """The sums of `panel` under unit weights (N,), clusters not told apart.

        With `products` also the T × T products, under the weights and under their squares.
        """
        return _pooled(panel.y, strata(panel) if at is None else at, panel.periods, weight, products)

    @staticmethod
    def of_matrix(
        y: Float2, first: Float1, *, periods: Sequence[str] = (), weight: Float1 | None = None, products: bool = True
    ) -> Moments:
        """The sums of a wide matrix, without a panel: every row a unit and a cluster of its own.

        Parameters
        ----------
        y : (N, T) float
            The outcome, read once and not copied when it is C-contiguous; nan where it was not observed.
        first : (N,) float
            Index of the first treated period, at least 1; `T` or more, or inf, for units that are not treated within.
        periods : T labels, optional
            0, 1, ... when not given.
        weight : (N,) float, optional
            1 when not given.
        products : bool
            Whether to keep the T × T products, which errors need.

        Raises
        ------
        ValueError
            Shapes that do not fit, or a unit that is treated from the first period on.
        """
        y = np.ascontiguousarray(y, dtype=np.float64)
        first = np.asarray(first, dtype=np.float64)
        alike = weight is None
        weight = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64)
        labels = tuple(periods) or tuple(str(t) for t in range(y.shape[1]))
        if first.shape != (len(y),) or weight.shape != (len(y),) or len(labels) != y.shape[1]:
            raise ValueError(
                f"y {y.shape}, first {first.shape}, weight {weight.shape}, {len(labels)} periods do not fit"
            )
        if (first < 1).any():
            raise ValueError("a unit treated from the first period on says nothing; set it aside")
        place, starts = _numbered(first)
        within = int((starts < y.shape[1]).sum())
        group = np.where(np.arange(len(starts)) < within, np.arange(len(starts)), -1).astype(np.intp)
        names = tuple(labels[int(start)] for start in starts[:within])
        return _pooled(y, _by_pattern(y, place, group, names, starts), labels, weight, products, alike=alike)

    # Other moments ------------------------------------------------------------------------------------------------

    def without(self, cluster: int) -> Moments:
        """The moments with one cluster left out, by subtraction."""
        whole = self.sums
        own = self.rows[:, 0] == cluster
        gone = pool(self.rows[own, 1], len(self.strata.first), taken(self.parts, own))
        count = whole.count - gone.count
        # A stratum that lost its last unit has exactly nothing left, whatever the subtraction says.
        left = count > 0
        rest = Sums(
            count,
            np.where(left, whole.weight - gone.weight, 0.0),
            np.where(left[:, None], whole.total - gone.total, 0.0),
            None
            if whole.products is None or gone.products is None
            else np.where(left[:, None, None], whole.products - gone.products, 0.0),
        )
        return replace(
            self,
            rows=_unclustered(len(left)),
            parts=rest,
            serving=None if self.serving is None else self.serving.without(cluster),
            squares=None,
        )

    def left_out(self) -> tuple[Int1, Sums]:
        """(G,) the clusters, and the sums per stratum without each of them: every array has a leading axis G."""
        clusters, place = np.unique(self.rows[:, 0], return_inverse=True)
        strata_count = len(self.strata.first)
        whole = self.sums
        count = np.broadcast_to(whole.count, (len(clusters), strata_count)).copy()
        weight = np.broadcast_to(whole.weight, (len(clusters), strata_count)).copy()
        total = np.broadcast_to(whole.total, (len(clusters), *whole.total.shape)).copy()
        at = (place, self.rows[:, 1])
        count[at] -= self.parts.count
        weight[at] -= self.parts.weight
        total[at] -= self.parts.total
        gone = count == 0
        weight[gone] = 0.0
        total[gone] = 0.0
        return clusters.astype(np.intp), Sums(count, weight, total, None)

    def __add__(self, other: Moments) -> Moments:
        """The moments of both parts of the data: strata and clusters of one name are one.

        Raises
        ------
        ValueError
            Other periods; only one of the two with serving weights, squared weights, or products.
        """
        if self.periods != other.periods:
            raise ValueError("moments add up over the same periods only")
        if (self.serving is None) != (other.serving is None) or (self.squares is None) != (other.squares is None):
            raise ValueError("moments add up when both have serving weights, or squared weights, or neither has")
        if (self.parts.products is None) != (other.parts.products is None):
            raise ValueError("moments add up when both have products, or neither has")
        known, mine, theirs = _joined(self.strata, other.strata)
        clusters = tuple(dict.fromkeys([*self.clusters, *other.clusters]))
        number = {name: place for place, name in enumerate(clusters)}
        rows = np.vstack(
            [
                _moved(self.rows, [number[name] for name in self.clusters], mine),
                _moved(other.rows, [number[name] for name in other.clusters], theirs),
            ]
        )
        parts = stacked(self.parts, shifted(other.parts, other.shift - self.shift, other.strata.seen[other.rows[:, 1]]))
        joint = rows[:, 0] * len(known.first) + rows[:, 1]
        kept, place = np.unique(joint, return_inverse=True)
        first = np.array([np.flatnonzero(place == at)[0] for at in range(len(kept))], dtype=np.intp)
        squares = None
        if self.squares is not None and other.squares is not None:
            far = shifted(other.squares, other.shift - self.shift, other.strata.seen)
            squares = pool(np.concatenate([mine, theirs]), len(known.first), stacked(self.squares, far))
        return Moments(
            known,
            self.periods,
            clusters,
            self.shift,
            rows[first],
            pool(place, len(kept), parts),
            None if self.serving is None or other.serving is None else self.serving + other.serving,
            squares,
        )


def mean_of(total: Sums, shift: Float1, seen: Bool2) -> Float2:
    """(..., K, T) weighted means; 0 where a stratum has no weight or was not observed. Leading axes are kept."""
    weight = np.where(total.count > 0, total.weight, 0.0)[..., None]
    mean = np.divide(total.total, weight, out=np.zeros_like(total.total), where=weight > 0)
    return np.where(seen, mean + shift, 0.0)


def strata(panel: Panel) -> tuple[Int1, Strata]:
    """(N,) stratum of every unit, and the strata: groups in their order, then later starts, then never."""
    groups = panel.groups
    outside = panel.group < 0
    place = panel.group.copy()
    number, later = _numbered(panel.first[outside])
    place[outside] = len(groups) + number
    first = np.concatenate([groups, later])
    group = np.concatenate([np.arange(len(groups)), np.full(len(later), -1)]).astype(np.intp)
    return _by_pattern(panel.y, place, group, panel.group_names, first)


def _numbered(first: Float1) -> tuple[Int1, Float1]:
    """(N,) number of every start among the different ones, and these in their order, inf last. Starts are whole."""
    place = np.minimum(first, _LATEST).astype(np.intp)
    there = np.bincount(place, minlength=_LATEST + 1) > 0
    starts = np.flatnonzero(there).astype(np.float64)
    starts[starts == _LATEST] = np.inf
    return (np.cumsum(there) - 1)[place], starts


def _by_pattern(y: Float2, place: Int1, group: Int1, names: tuple[str, ...], first: Float1) -> tuple[Int1, Strata]:
    """The strata split by the periods in which the outcome was observed."""
    if not np.isnan(y.sum()):
        return place, Strata(group, names, first, np.ones((len(first), y.shape[1]), dtype=bool))
    seen = ~np.isnan(y)
    patterns, which = np.unique(seen, axis=0, return_inverse=True)
    parts, at = np.unique(place * len(patterns) + which.reshape(-1), return_inverse=True)
    base = parts // len(patterns)
    return at.astype(np.intp), Strata(group[base], names, first[base], patterns[parts % len(patterns)])


def _pooled(
    y: Float2, at: tuple[Int1, Strata], periods: tuple[str, ...], weight: Float1, products: bool, *, alike: bool = False
) -> Moments:
    place, known = at
    shift = _shift(y)
    found = sums(y, place, len(known.first), weight, shift, products=products)
    squares = None
    if products:
        alike = alike or bool((weight == 1).all())
        squares = found if alike else sums(y, place, len(known.first), weight**2, shift, products=True)
    return Moments(known, periods, (), shift, _unclustered(len(known.first)), found, squares=squares)


def _shift(y: Float2) -> Float1:
    """(T,) a value near the outcomes of every period."""
    near = y[:: max(len(y) // _NEAR, 1)]
    seen = ~np.isnan(near)
    count = seen.sum(axis=0)
    return frozen(np.where(seen, near, 0.0).sum(axis=0) / np.maximum(count, 1))


def _joined(first: Strata, second: Strata) -> tuple[Strata, Int1, Int1]:
    """All strata of both, and where those of each stand among them."""
    found: Mapping[tuple[str, float, bytes], None] = dict.fromkeys([*first.labels(), *second.labels()])
    length = first.seen.shape[1]
    order = sorted(found, key=lambda key: (key[1] if key[0] else np.inf, key[0] == "", key))
    names = tuple(dict.fromkeys(name for name, _, _ in order if name))
    number = {name: place for place, name in enumerate(names)}
    known = Strata(
        np.array([number.get(name, -1) for name, _, _ in order], dtype=np.intp),
        names,
        np.array([start for _, start, _ in order]),
        np.array([np.frombuffer(seen, dtype=bool) for _, _, seen in order]).reshape(-1, length),
    )
    at = {key: place for place, key in enumerate(order)}
    mine, theirs = (np.array([at[key] for key in part.labels()], dtype=np.intp) for part in (first, second))
    return known, mine, theirs


def _moved(rows: Int1, clusters: list[int], strata_at: Int1) -> Int1:
    """Parts under other numbers of clusters and strata; cluster -1 stays."""
    number = np.array([*clusters, -1], dtype=np.intp)
    return np.column_stack([number[rows[:, 0]], strata_at[rows[:, 1]]])


def _unclustered(count: int) -> Int1:
    return np.column_stack([np.full(count, -1), np.arange(count)]).astype(np.intp)


def _nested(panel: Panel) -> bool:
    inside = panel.area >= 0
    pairs = np.unique(panel.area[inside] * len(panel.clusters) + panel.cluster[inside])
    return len(pairs) == len(np.unique(panel.area[inside]))
