"""Scores of the cells of a plan: what every cluster adds to the sampling error of the effects.

The scores of a cell's own units are those of their mean change; a control has the influence of its outcome on the path,
centred on that path (see ``impact.estimators.paths``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from impact.arrays import Bool1, Bool2, Float1, Float2, Float3, Int1
from impact.errors import Refused
from impact.estimators.paths import Dummies, Learned, Regressed
from impact.estimators.plan import Plan, one_cluster
from impact.numerics.moments import Moments, Strata, mean_of
from impact.numerics.sums import project
from impact.panel import Panel
from impact.scores import Projection, ScoreBlock

__all__ = [
    "Solved",
    "apart",
    "control_scores",
    "coupled",
    "coupled_together",
    "coupling",
    "matched_scale",
    "of_moments",
    "own_scores",
    "projection",
    "recentred",
    "spread",
]

# What is nothing, relative to a sum of squares.
_NOTHING = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """A plan on one set of sums (leading axes allowed): what was learned, and what is left of every cell."""

    learned: Learned
    share: Float2  # (..., E) of the entry in its cell
    size: Float2  # (..., C) weight of the cell's units
    change: Float3  # (..., C, T) mean change of the cell
    path: Float3  # (..., E, T) what the entry is compared with
    dummies: Dummies | None
    effect: Float2  # (..., C)
    alive: Bool2  # (..., C)


def own_scores(plan: Plan, found: Solved, places: int) -> tuple[Float3, Float2]:
    """(K, T, C), (K, C): the scores of a cell's own units, w (change (y - path) - effect) over its weight."""
    right = np.zeros((places, plan.change.shape[1], len(plan.group)))
    constant = np.zeros((places, len(plan.group)))
    change = plan.change / found.size[plan.cell][:, None]
    right[plan.stratum, :, plan.cell] = change
    constant[plan.stratum, plan.cell] = -(change * found.path).sum(axis=1) - (found.effect / found.size)[plan.cell]
    return right, constant


def apart(plan: Plan, panel: Panel) -> bool:
    """Whether the centre of the scores is another than the mean: with units alike the conservative one is the mean."""
    alike = not panel.clustered and bool((panel.weight == panel.weight[0]).all())
    return plan.centre == "leave-one-out" or (plan.centre == "conservative" and not alike)


def recentred(
    plan: Plan, found: Solved, constant: Float2, panel: Panel, place: Int1, known: Strata
) -> list[ScoreBlock] | Refused:
    """Centre the effects of treated cells as `plan.centre` says: `constant` (K, C) is moved in place.

    With total weights ``W_j`` and weighted sums of effects ``S_j`` of the clusters of a cell, the centre is
    ``Σ W_j S_j / Σ W_j²``; leaving cluster ``j`` out of it multiplies ``S_j - W_j centre`` by ``Q / (Q - W_j²)``,
    ``Q = Σ W_j²``, and what that adds is returned, a block a group.
    """
    blocks = []
    for group in np.unique(plan.group):
        cells = np.flatnonzero((plan.group == group) & (plan.period >= known.starts[plan.group]))
        if not cells.size:
            continue
        rows = np.flatnonzero((panel.group == group) & (panel.weight > 0))
        homes, home = np.unique(panel.cluster[rows], return_inverse=True)
        weight, total = np.zeros((len(homes), len(cells))), np.zeros((len(homes), len(cells)))
        for stratum in np.unique(place[rows]):
            inside = np.flatnonzero(place[rows] == stratum)
            own = panel.weight[rows[inside]]
            entries = np.flatnonzero((plan.stratum == stratum) & np.isin(plan.cell, cells))
            at = np.searchsorted(cells, plan.cell[entries])
            path = (plan.change[entries] * found.path[entries]).sum(axis=1)
            effect = np.nan_to_num(panel.y[rows[inside]]) @ plan.change[entries].T - path
            for column, values in zip(at, effect.T, strict=True):
                np.add.at(weight[:, column], home[inside], own)
                np.add.at(total[:, column], home[inside], own * values)
        square = (weight**2).sum(axis=0)
        centre = (weight * total).sum(axis=0) / square
        entries = np.flatnonzero(np.isin(plan.cell, cells))
        shift = (centre - found.effect[cells]) / found.size[cells]
        constant[plan.stratum[entries], plan.cell[entries]] -= shift[np.searchsorted(cells, plan.cell[entries])]
        if plan.centre == "leave-one-out":
            rest = square - weight**2
            if (rest <= _NOTHING * square).any():
                return one_cluster(known.names[group])
            left = weight**2 / rest * (total - weight * centre) / found.size[cells]
            blocks.append(ScoreBlock(left, np.eye(len(plan.group))[cells], homes))
    return blocks


def control_scores(plan: Plan, found: Solved, serving: Moments, known: Strata) -> tuple[Float3, Float2]:
    """(K, T, C), (K, C): the scores of those from whom the path is learned, centred on it.

    A cell with a dummy of its own is compared with the path that it leaves to the others, ``β - δ b`` with its
    coefficient δ and its period effects b: the score of δ is that of a regression coefficient.
    """
    sums = serving.sums
    weight = np.where(sums.count > 0, sums.weight, 0.0)
    right = -plan.rule.pull(found.learned, weight, plan.reference, plan.change * found.share[:, None])
    constant = -np.einsum("kte,et->ke", right, found.path)
    if len(plan.cell) > len(plan.group):
        starts = plan.heads
        right, constant = np.add.reduceat(right, starts, axis=-1), np.add.reduceat(constant, starts, axis=-1)
    if found.dummies is None or not isinstance(plan.rule, Regressed):
        return right, constant
    own = (known.group[:, None] == plan.group[None, :])[:, :, None] * np.eye(right.shape[1])[plan.period][None]
    within = np.where((weight > 0)[:, None, None], plan.rule.within, 0.0)
    lean = (found.change * found.dummies.effects).sum(axis=1) / found.dummies.kept * plan.dummy
    right = right + np.einsum("kct,kts->ksc", own - found.dummies.effects[None], within) * lean
    centre = found.dummies.path[None] + own * found.dummies.coefficient[None, :, None]
    return right, np.where(plan.dummy, -np.einsum("ktc,kct->kc", right, centre), constant)


def projection(
    panel: Panel,
    place: Int1,
    weight: Float1,
    known: Strata,
    parts: tuple[Float3, Float2],
    columns: Int1,
    cells: int,
    pooled: Moments | None,
) -> Projection:
    """Scores of the units, or of the units of a stratum in one cluster together where clusters were given."""
    right, constant = spread(parts[0], columns, cells), spread(parts[1], columns, cells)
    if not panel.clustered:
        squares = None if pooled is None else pooled.squares
        return Projection(
            panel.y,
            place,
            weight,
            right,
            constant,
            panel.cluster,
            squares,
            None if pooled is None else pooled.shift,
        )
    sums = Moments.by_cluster(replace(panel, serving=None), weight, at=(place, known))
    mean = mean_of(sums.parts, sums.shift, known.seen[sums.rows[:, 1]])
    return Projection(mean, sums.rows[:, 1], sums.parts.weight, right, constant, sums.rows[:, 0])


def of_moments(moments: Moments, right: Float3, constant: Float2) -> Projection:
    """The same from moments alone: by cluster, or no more than the covariance where the units are not told apart."""
    known = moments.strata
    if moments.clusters:
        mean = mean_of(moments.parts, moments.shift, known.seen[moments.rows[:, 1]])
        return Projection(mean, moments.rows[:, 1], moments.parts.weight, right, constant, moments.rows[:, 0])
    if moments.squares is None:
        raise ValueError("scores take the sums by cluster, or the products under squared weights")
    nobody = np.zeros(0, dtype=np.intp)
    return Projection(
        np.zeros((0, right.shape[1])), nobody, np.zeros(0), right, constant, nobody, moments.squares, moments.shift
    )


def spread(array: Float2, columns: Int1, cells: int) -> Float2:
    """The last axis put in its place among all cells."""
    if array.shape[-1] == cells:
        return array
    out = np.zeros((*array.shape[:-1], cells))
    out[..., columns] = array
    return out


def coupled(
    panel: Panel, members: Bool1, weight: Float1, rows: Int1, score: Float2, right: Float2 | None = None
) -> ScoreBlock:
    """What matching adds to the `score` (n, C) of the controls at `rows`, who carry `weight` (N,) for `members` (N,).

    On a matched panel the weights of the controls are not their own: they grow with the treated units of the area,
    and a control's weight is taken from the others of its area. By the chain rule a treated unit carries the mean
    pull of its matched controls, and these give it up.
    """
    pairs = panel.pairs
    if pairs is None:
        raise ValueError("only matched panels couple weights")
    inside = np.flatnonzero(members)
    areas, own = np.unique(panel.area[inside], return_inverse=True)
    pull = (pairs[np.ix_(areas, rows)] / weight[rows]) @ score
    if right is not None:
        pull = pull @ right
    share = np.bincount(own, weights=panel.weight[inside])
    left = -(share[:, None] * pairs[areas]).T
    left[inside, own] += panel.weight[inside]
    moved = left.any(axis=1)
    return ScoreBlock(left[moved], pull, panel.cluster[moved])


def coupling(
    panel: Panel,
    place: Int1,
    weight: Float1,
    control: tuple[Float3, Float2],
    plan: Plan,
    columns: Int1,
    cells: int,
    together: bool,
) -> list[ScoreBlock]:
    """The coupling of the controls that serve the cells of `plan`, group by group or `together`."""
    rows = np.flatnonzero((weight > 0) & (~panel.treated | (not together)))
    score = project(panel.y[rows], place[rows], weight[rows], *control)
    if together:
        blocks = coupled_together(panel, weight, rows, score)
    else:
        blocks = [coupled(panel, panel.group == plan.group[0], weight, rows, score)]
    return [replace(block, right=spread(block.right, columns, cells)) for block in blocks]


def matched_scale(panel: Panel) -> float:
    """What brings matched controls, who weigh what the treated count for, to the weight of the treated as units."""
    own = panel.weight if panel.serving is None else panel.serving
    counted = panel.weight[panel.treated].sum()
    return float(own[panel.treated].sum() / counted) if counted > 0 else 1.0


def coupled_together(panel: Panel, weight: Float1, rows: Int1, score: Float2) -> list[ScoreBlock]:
    """`coupled` for one regression of all areas: the scale of the controls moves with the treated as well."""
    blocks = [coupled(panel, panel.treated, weight / matched_scale(panel), rows, score)]
    if panel.serving is None:
        return blocks
    inside = np.flatnonzero(panel.treated)
    own, counted = panel.serving[inside], panel.weight[inside]
    left = own / own.sum() - counted / counted.sum()
    return [*blocks, ScoreBlock(left[:, None], score.sum(axis=0)[None, :], panel.cluster[inside])]
