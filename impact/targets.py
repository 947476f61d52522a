"""Estimands as linear maps over cells, each carrying its own score.

Every term is a mean of one or more ratios ``Σ a_k W_g(k) θ_k / Σ a_k W_g(k)`` over cells ``k``, where ``W_g`` is the
weight of the treated units of group ``g`` under the target's weighting. Because ``W_g`` is estimated by the sample, a
term's score has a second part (Callaway & Sant'Anna 2021, Theorem 2 and Corollary 2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from impact.arrays import Bool1, Float1, Float2, Int1
from impact.cells import Cells
from impact.errors import Problem, Refused, UsageError
from impact.panel import Panel, Weighting

__all__ = ["Effects", "Kind", "Target"]

Kind = Literal["average", "event", "cohort", "calendar", "unit"]


@dataclass(frozen=True, slots=True, eq=False)
class Effects:
    """`m` terms of one target.

    Attributes
    ----------
    terms : tuple of str
        "average"; an event time; a cohort, period or area; "mean" for the mean over the post-period terms.
    estimate : (m,) float
        In units of the outcome.
    weights : (C, m) float
        The linear map from cells to terms.
    scores : (G, m) float or None
        Influence scores by cluster, with the part that comes from estimated group shares.
    imposed : (G, m) float or None
        Scores with the null of no effect imposed; they sum to `estimate` (Kline & Santos 2012).
    share : (G, m) float
        Share of every cluster in the treated weight of the term; columns sum to 1.
    areas : (m,) int
        Treated areas with weight in the term.
    """

    terms: tuple[str, ...]
    estimate: Float1
    weights: Float2
    scores: Float2 | None
    imposed: Float2 | None
    share: Float2
    areas: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """What is asked of the cells.

    Parameters
    ----------
    kind : {"average", "event", "cohort", "calendar", "unit"}
        ``average``: all effects after the start as one number. ``event``: by periods since the start. ``cohort``: by
        first treated period, over its own post-periods. ``calendar``: by period. ``unit``: by treated area.
    weighting : {"area", "resident", "unit"}
        ``area``: every area counts once (in ``average``: over its own post-periods). ``resident``: every resident of a
        fixed baseline counts once per period. ``unit``: every treated unit counts once per period.
    window : pair of str, optional
        First and last period (labels) that count; for ``event`` first and last event time.
    leads : bool
        For ``average``: also the estimates by event time before the start, in which every group counts as much as it
        does in the average. Bounds under departures from parallel trends (``Result.honest``) need them.
    """

    kind: Kind = "average"
    weighting: Weighting = "unit"
    window: tuple[str, str] | None = None
    leads: bool = False

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"target {self.kind!r} is not one of {', '.join(get_args(Kind))}")
        if self.weighting not in get_args(Weighting):
            raise ValueError(f"weighting {self.weighting!r} is not one of {', '.join(get_args(Weighting))}")
        if self.leads and self.kind != "average":
            raise ValueError(f"leads go with target 'average'; {self.kind!r} has its own, or none")

    def prepare(self, panel: Panel) -> Panel:
        """The panel with the treated weights, and the groups, that this target needs; give this to the estimator.

        Raises
        ------
        UsageError
            See ``Panel.weighted``.
        """
        weighted = panel.weighted(self.weighting)
        return weighted.by_area() if self.kind == "unit" else weighted

    def of(self, cells: Cells, panel: Panel) -> Effects | Refused:
        """The terms of this target; `panel` is the prepared one that gave the cells."""
        rows = self._rows(cells, panel)
        if isinstance(rows, Refused):
            return rows
        share = _cluster_share(panel)
        weights, slopes = _maps(rows, cells)
        inside = _in_cells(cells, panel)
        borne = _borne(cells, panel, share, inside, weights)
        scores = imposed = None
        if cells.scores is not None:
            fixed = cells.scores.at(weights)
            scores = fixed if cells.scores.conditional else fixed + _of_sizes(cells, share, slopes)
            # Scores that are centred on something else than the mean effect do not sum to 0 by themselves.
            carried = _borne(cells, panel, share, inside, weights * cells.effect[:, None])
            imposed = fixed + carried - borne * fixed.sum(axis=0)
        return Effects(
            tuple(name for name, _ in rows),
            weights.T @ cells.effect,
            weights,
            scores,
            imposed,
            borne,
            tuple(_areas(cells, panel, inside, column) for column in weights.T),
        )

    def values(self, cells: Cells, panel: Panel) -> dict[str, float] | Refused:
        """The estimates alone, by term; for refits."""
        rows = self._rows(cells, panel)
        if isinstance(rows, Refused):
            return rows
        estimate = _maps(rows, cells)[0].T @ cells.effect
        return {name: float(value) for (name, _), value in zip(rows, estimate, strict=True)}

    def many(self, cells: Cells, effect: Float2, size: Float2, panel: Panel) -> Float2 | Refused:
        """(n, m) the estimates alone for `n` other sets of effects and sizes (n, C) of the same cells."""
        rows = self._rows(cells, panel)
        if isinstance(rows, Refused):
            return rows
        out = np.zeros((len(effect), len(rows)))
        for column, (_, ratios) in enumerate(rows):
            for pattern in ratios:
                mass = size * pattern
                out[:, column] += (mass * effect).sum(axis=1) / mass.sum(axis=1) / len(ratios)
        return out

    def _rows(self, cells: Cells, panel: Panel) -> list[tuple[str, list[Float1]]] | Refused:
        """Terms with their patterns ``a`` (C,); a term is the mean of the ratios of its patterns."""
        inside = self._inside(cells, panel)
        post = inside & cells.post
        if not post.any():
            return Refused(
                "the effect",
                "no period after the start is in the target's window",
                "Choose a window that overlaps the treated periods of the panel.",
            )
        if self.kind == "average":
            pattern = _own_periods(cells, post) if self.weighting == "area" else post.astype(float)
            return [*(_leads(cells, pattern) if self.leads else ()), ("average", [pattern])]
        if self.kind == "event":
            events = np.unique(cells.event[inside])
            rows = [(str(event), [(inside & (cells.event == event)).astype(float)]) for event in events]
            return [*rows, ("mean", [row[1][0] for row in rows if int(row[0]) >= 0])]
        if self.kind == "calendar":
            rows = [
                (panel.periods[period], [(post & (cells.period == period)).astype(float)])
                for period in np.unique(cells.period[post])
            ]
            return [*rows, ("mean", [row[1][0] for row in rows])]
        own = _own_periods(cells, post)
        if self.kind == "cohort":
            rows = [
                (panel.periods[int(cohort)], [own * (cells.cohort == cohort)])
                for cohort in np.unique(cells.cohort[post])
            ]
            return [*rows, ("mean", [own])]
        names = panel.group_names
        return [(names[group], [own * (cells.group == group)]) for group in np.unique(cells.group[post])]

    def _inside(self, cells: Cells, panel: Panel) -> Bool1:
        if self.window is None:
            return np.ones(len(cells.effect), dtype=bool)
        low, high = self.window
        if self.kind == "event":
            try:
                first, last = int(low), int(high)
            except ValueError:
                raise UsageError(
                    Problem(
                        "USAGE-005",
                        f"window: {low!r} to {high!r} are not event times",
                        "give whole numbers, as -2 and 3",
                    )
                ) from None
            return np.asarray((cells.event >= first) & (cells.event <= last))
        unknown = [label for label in (low, high) if label not in panel.periods]
        if unknown:
            raise UsageError(
                Problem(
                    "USAGE-005",
                    f"window: {', '.join(unknown)} is not a period of the panel",
                    f"periods: {', '.join(panel.periods)}",
                )
            )
        return np.asarray((cells.period >= panel.periods.index(low)) & (cells.period <= panel.periods.index(high)))


def _leads(cells: Cells, pattern: Float1) -> list[tuple[str, list[Float1]]]:
    """Event times before the start of the groups in an average, each with its weight in it."""
    count = np.bincount(cells.group, weights=pattern)[cells.group]
    before = ~cells.post & (count > 0)
    return [
        (str(event), [np.where(before & (cells.event == event), count, 0.0)])
        for event in np.unique(cells.event[before])
    ]


def _own_periods(cells: Cells, post: Bool1) -> Float1:
    """(C,) one over the group's number of post-periods: every group counts once, whatever its length."""
    count = np.bincount(cells.group[post], minlength=int(cells.group.max()) + 1)
    return np.where(post, 1.0 / np.maximum(count[cells.group], 1), 0.0)


def _maps(rows: list[tuple[str, list[Float1]]], cells: Cells) -> tuple[Float2, Float2]:
    """(C, m) weights of the cells and (C, m) derivatives with respect to the size of every cell."""
    weights = np.zeros((len(cells.effect), len(rows)))
    slopes = np.zeros((len(cells.effect), len(rows)))
    for column, (_, ratios) in enumerate(rows):
        for pattern in ratios:
            weight, slope = _ratio(pattern, cells)
            weights[:, column] += weight / len(ratios)
            slopes[:, column] += slope / len(ratios)
    return weights, slopes


def _ratio(pattern: Float1, cells: Cells) -> tuple[Float1, Float1]:
    """Weights (C,) of one ratio and its derivative (C,) with respect to the size of every cell."""
    mass = pattern * cells.size
    total = mass.sum()
    weight = mass / total
    return weight, pattern * (cells.effect - weight @ cells.effect) / total


def _of_sizes(cells: Cells, share: Float2, slopes: Float2) -> Float2:
    """(G, m) scores of the sizes of the cells: those of their groups, unless some units are missing in some cells."""
    if cells.held is not None:
        return cells.held.at(slopes, len(share))
    by_group = np.zeros((share.shape[1], slopes.shape[1]))
    np.add.at(by_group, cells.group, slopes)
    return np.asarray(share @ by_group)


def _cluster_share(panel: Panel) -> Float2:
    """(G, K) treated weight by cluster and group."""
    share = np.zeros((len(panel.clusters), len(panel.groups)))
    inside = panel.group >= 0
    np.add.at(share, (panel.cluster[inside], panel.group[inside]), panel.counted[inside])
    return share


def _in_cells(cells: Cells, panel: Panel) -> list[Int1] | None:
    """Rows of every cell that were observed in its period; None where all of its group are."""
    if isinstance(panel, Panel):
        seen = ~np.isnan(panel.y)
        if seen.all():
            return None
        here = (seen[:, period] for period in cells.period)
    else:
        here = (panel.period == period for period in cells.period)
    return [np.flatnonzero(there & (panel.group == group)) for there, group in zip(here, cells.group, strict=True)]


def _borne(cells: Cells, panel: Panel, share: Float2, inside: list[Int1] | None, values: Float2) -> Float2:
    """(G, m) what every cluster bears of `values` (C, m), by its weight in the cells.

    A cluster that was not observed in the periods of a term bears nothing of it.
    """
    if cells.held is not None:
        return cells.held.at(values / cells.size[:, None], len(share))
    if inside is None:
        by_group = np.zeros((share.shape[1], values.shape[1]))
        np.add.at(by_group, cells.group, values)
        total = share.sum(axis=0)
        return np.asarray(np.divide(share, total, out=np.zeros_like(share), where=total > 0) @ by_group)
    out = np.zeros((len(share), values.shape[1]))
    for cell in np.flatnonzero(values.any(axis=1)):
        rows = inside[cell]
        mass = np.bincount(panel.cluster[rows], weights=panel.counted[rows], minlength=len(share))
        out += np.outer(mass / mass.sum(), values[cell])
    return out


def _areas(cells: Cells, panel: Panel, inside: list[Int1] | None, weights: Float1) -> int:
    """Number of treated areas with units in the cells that carry weight."""
    if inside is None:
        there = np.isin(panel.group, cells.group[weights != 0])
    else:
        there = np.zeros(len(panel.group), dtype=bool)
        for cell in np.flatnonzero(weights):
            there[inside[cell]] = True
    carrying = panel.area[there & (panel.group >= 0) & (panel.weight > 0)]
    return int(np.count_nonzero(np.bincount(carrying, minlength=len(panel.areas))))
