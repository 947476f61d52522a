"""The algebra of difference-in-differences on means per stratum, shared by the estimators that need no more.

A *cell* is group ``g`` in period ``t``: the change of its units, relative to a base of earlier periods, against the
same change of a path that tells what would have happened without treatment. Everything is linear in the means, so the
effect, its scores, the imputed surface and the leave-one-cluster-out effects come from the same few rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from impact.arrays import Bool1, Bool2, Float1, Float2, Float3, Int1
from impact.cells import Cells, Projection, ScoreBlock, Scores, Weights
from impact.errors import Refused
from impact.estimators.paths import Learned, Regressed, Rule
from impact.estimators.protocol import LeftOut
from impact.numerics.moments import Moments, Strata, mean_of, strata
from impact.numerics.sums import Sums, project
from impact.panel import Panel

__all__ = [
    "Entry",
    "Plan",
    "cells_of",
    "coupled",
    "every",
    "fit_plan",
    "learnable",
    "left_out",
    "lost",
    "no_plan",
    "one_cluster",
    "own_weight",
    "patterns",
]

Entry = tuple[int, int, Float1]
Centre = Literal["mean", "conservative", "leave-one-out"]

# The part of a change that lies in a direction which the data do not identify.
_UNKNOWN = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """`C` cells, each the weighted mean of `E` entries: one a stratum of its group.

    Attributes
    ----------
    group, period : (C,) int
    cell, stratum, reference : (E,) int
        Cell, stratum and path of `rule` of every entry; ordered by cell, and every cell has at least one.
    change : (E, T) float
        1 in the period of the cell, minus the weights of its base.
    rule : Rule
        How the paths are learned.
    scaled : (C,) bool
        Cells whose change is divided by what they keep when they are left out of the regression (`Regressed`).
    conditional : bool
        See ``Scores.conditional``.
    centre : {"mean", "conservative", "leave-one-out"}
        What the effects of a cell's own units are centred on in the scores: their mean, the mean weighted as the
        clusters enter the variance, or that mean without the cluster itself (Borusyak, Jaravel & Spiess 2024, eq. 8
        and Appendix A.9).
    """

    group: Int1
    period: Int1
    cell: Int1
    stratum: Int1
    reference: Int1
    change: Float2
    rule: Rule
    scaled: Bool1
    conditional: bool = False
    centre: Centre = "mean"

    @staticmethod
    def of(cells: list[tuple[int, int, list[Entry]]], rule: Rule, length: int) -> Plan:
        """A plan from (group, period, entries) per cell, an entry being (stratum, reference, change)."""
        parts = [part for *_, own in cells for part in own]
        return Plan(
            np.array([group for group, *_ in cells], dtype=np.intp),
            np.array([period for _, period, _ in cells], dtype=np.intp),
            np.array([number for number, (*_, own) in enumerate(cells) for _ in own], dtype=np.intp),
            np.array([stratum for stratum, *_ in parts], dtype=np.intp),
            np.array([reference for _, reference, _ in parts], dtype=np.intp),
            np.array([change for *_, change in parts]).reshape(-1, length),
            rule,
            np.zeros(len(cells), dtype=bool),
        )

    def take(self, keep: Bool1) -> Plan:
        """The cells for which `keep` (C,) holds."""
        entries = keep[self.cell]
        number = np.cumsum(keep) - 1
        return replace(
            self,
            group=self.group[keep],
            period=self.period[keep],
            cell=number[self.cell[entries]],
            stratum=self.stratum[entries],
            reference=self.reference[entries],
            change=self.change[entries],
            scaled=self.scaled[keep],
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Solved:
    """A plan on one set of sums (leading axes allowed): what was learned, and what is left of every cell."""

    learned: Learned
    share: Float2  # (..., E) of the entry in its cell
    size: Float2  # (..., C) weight of the cell's units
    change: Float3  # (..., C, T) mean change of the cell
    scale: Float2  # (..., C)
    effect: Float2  # (..., C)
    alive: Bool2  # (..., C)


def _solve(plan: Plan, known: Strata, own: Sums, own_mean: Float3, serving: Sums, serving_mean: Float3) -> _Solved:
    """Effects and what they are made of; broadcasts over leading axes of the sums."""
    weight = np.where(serving.count > 0, serving.weight, 0.0)
    learned = plan.rule.learn(weight, serving_mean)
    # Units that nobody can be compared with do not count.
    lonely = learned.mass[..., plan.reference] <= 0
    mass = np.where(lonely, 0.0, np.where(own.count > 0, own.weight, 0.0)[..., plan.stratum])
    away = own_mean[..., plan.stratum, :] - learned.path[..., plan.reference, :]
    part = (plan.change * away).sum(axis=-1)
    if len(plan.cell) == len(plan.group):
        size, share = mass, (mass > 0).astype(np.float64)
        change, effect = np.broadcast_to(plan.change, away.shape), part * share
    else:
        starts = np.flatnonzero(np.r_[True, plan.cell[1:] != plan.cell[:-1]])
        size = np.add.reduceat(mass, starts, axis=-1)
        share = np.divide(mass, size[..., plan.cell], out=np.zeros_like(mass), where=size[..., plan.cell] > 0)
        effect = np.add.reduceat(part * share, starts, axis=-1)
        change = np.add.reduceat(share[..., None] * plan.change, starts, axis=-2)
    alive = np.asarray(size > 0)
    if learned.unknown is not None:
        lost = np.abs(np.einsum("...ct,...ts->...cs", change, learned.unknown)).max(axis=-1, initial=0.0)
        # A constant is never identified, and never needed: changes sum to 0.
        alive &= lost <= _UNKNOWN
    scale = np.ones(size.shape)
    if plan.scaled.any() and isinstance(plan.rule, Regressed):
        kept, _ = plan.rule.dummy(learned, weight, known.group[None, :] == plan.group[:, None], plan.period)
        alone = plan.scaled & (kept <= _UNKNOWN)
        alive &= ~alone
        scale = np.where(plan.scaled & ~alone, 1.0 / np.where(kept > _UNKNOWN, kept, 1.0), 1.0)
    return _Solved(learned, share, size, change, scale, effect * scale, alive)


def cells_of(plan: Plan, moments: Moments) -> Cells | Refused:
    """Cells without scores; cells whose group or controls have no unit left are absent."""
    serving = moments.serving or moments
    solved = _solve(plan, moments.strata, moments.sums, moments.mean, serving.sums, serving.mean)
    if not solved.alive.any():
        return no_plan("the cells")
    keep = solved.alive
    return _cells(plan.take(keep), moments.strata, solved.effect[keep], solved.size[keep])


def left_out(plan: Plan, moments: Moments) -> LeftOut:
    """Cells without each cluster, all at once."""
    known = moments.strata
    clusters, own = moments.left_out()
    serving = own if moments.serving is None else moments.serving.left_out()[1]
    shift = moments.shift if moments.serving is None else moments.serving.shift
    solved = _solve(
        plan, known, own, mean_of(own, moments.shift, known.seen), serving, mean_of(serving, shift, known.seen)
    )
    return LeftOut(
        clusters,
        _cells(plan, known, np.zeros(len(plan.group)), np.zeros(len(plan.group))),
        np.where(solved.alive, solved.effect, np.nan),
        np.where(solved.alive, solved.size, 0.0),
    )


def every(known: Strata) -> Bool2:
    """(groups, T) all periods usable as base, where nothing is masked."""
    return np.ones((len(known.names), known.seen.shape[1]), dtype=bool)


def lost(panel: Panel, plan: Plan, why: str) -> tuple[str, ...]:
    """A note for every group without a cell."""
    return tuple(
        f"{name} has {why} and is not estimated"
        for number, name in enumerate(panel.group_names)
        if number not in plan.group
    )


def patterns(panel: Panel) -> tuple[str, ...]:
    """What to know of a panel with missing cells; nothing for a complete one."""
    missing = np.isnan(panel.y).any(axis=1)
    if not missing.any():
        return ()
    return (
        f"{int(missing.sum())} of {len(missing)} units miss the outcome in some period; every effect uses the units "
        "that were observed in its period and in their base",
    )


def one_cluster(name: str) -> Refused:
    """The refusal of a centre without the cluster itself, where there is no other."""
    return Refused(
        "the leave-one-out variance",
        f"the effects of {name} rest on one cluster",
        "Use variance='conservative', or a target over more areas.",
    )


def no_plan(what: str) -> Refused:
    """The refusal when no cell can be estimated."""
    return Refused(
        what,
        "no group with both a period before its start and a control is left",
        "Add earlier periods or more comparison units.",
    )


def fit_plan(plan: Plan, panel: Panel, hold: Weights | None = None) -> tuple[Cells, Float2] | Refused:
    """Cells with scores, and the (N, T) surface of untreated outcomes (nan where there is no cell).

    Matched panels, and held weights, have control weights of their own for every group (one for all groups where a
    regression learns the path); under a target's weighting units that start later serve with another weight than they
    count for.
    """
    place, known = strata(panel)
    if not len(plan.group):
        return no_plan("the cells")
    together = isinstance(plan.rule, Regressed)
    alone = panel.pairs is None and hold is None and panel.serving is None
    own = Moments.pooled(panel, panel.weight, products=alone and not panel.clustered)
    parts = _parts(plan, panel, hold, together)
    solved = []
    for mine, weight in parts:
        serving = own if weight is panel.weight else Moments.pooled(panel, weight)
        found = _solve(plan, known, own.sums, own.mean, serving.sums, serving.mean)
        solved.append((mine, weight, serving, found))
    alive = np.logical_or.reduce([mine & found.alive for mine, _, _, found in solved])
    if not alive.any():
        return Refused("the cells", "no control with weight is left", "Widen the donor pool.")
    kept = plan.take(alive)
    effect, size = np.zeros(len(alive)), np.zeros(len(alive))
    blocks: list[ScoreBlock | Projection] = []
    untreated = np.full(panel.y.shape, np.nan)
    for mine, weight, serving, found in solved:
        live = mine & found.alive
        effect[live], size[live] = found.effect[live], found.size[live]
        ours = plan.take(live)
        cut = _cut(found, live, plan)
        columns = np.flatnonzero(live[alive])
        treated = _treated_right(ours, cut, len(known.first))
        if plan.centre != "mean" and (
            panel.clustered or len(np.unique(panel.weight)) > 1 or plan.centre != "conservative"
        ):
            more = _recentred(ours, cut, treated[1], panel, place, known)
            if isinstance(more, Refused):
                return more
            blocks += [replace(block, right=_spread(block.right, columns, len(kept.group))) for block in more]
        control = _control_right(ours, cut, serving, known)
        if alone:
            both = (treated[0] + control[0], treated[1] + control[1])
            blocks.append(_projection(panel, place, weight, known, both, columns, len(kept.group), own))
        else:
            blocks.append(_projection(panel, place, panel.weight, known, treated, columns, len(kept.group), None))
            blocks.append(_projection(panel, place, weight, known, control, columns, len(kept.group), None))
            if panel.pairs is not None and hold is None:
                blocks.append(_coupling(panel, place, weight, control, ours, columns, len(kept.group), together))
        _surface(untreated, ours, cut, panel, place)
    cells = _cells(kept, known, effect[alive], size[alive])
    scores = Scores(tuple(blocks), len(panel.clusters), plan.conditional)
    return replace(cells, scores=scores), untreated


def _parts(plan: Plan, panel: Panel, hold: Weights | None, together: bool) -> list[tuple[Bool1, Float1]]:
    """Which cells go with which control weights."""
    every = np.ones(len(plan.group), dtype=bool)
    if panel.pairs is None and hold is None:
        return [(every, panel.weight if panel.serving is None else panel.serving)]
    if together:
        return [(every, own_weight(panel))]
    parts = []
    for group, name in enumerate(panel.group_names):
        weight = panel.control_weight(panel.group == group) if hold is None else hold.of(name, panel.units)[0]
        parts.append((plan.group == group, weight))
    return parts


def own_weight(panel: Panel) -> Float1:
    """(N,) treated units with their own weight, controls with what matching gives them over all areas."""
    own = panel.weight if panel.serving is None else panel.serving
    return own if panel.pairs is None else np.where(np.isfinite(panel.first), own, panel.control_weight(panel.treated))


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


def learnable(panel: Panel, learn: Bool2 | None) -> tuple[Panel, Bool2]:
    """The panel whose masked controls carry no weight, and (groups, T) the pre-periods each group may use as base.

    A never-treated unit with a masked cell is no control at all: a control is used in every period. A group without
    weight has no usable period.
    """
    usable = np.zeros((len(panel.groups), len(panel.periods)), dtype=bool)
    for group in range(len(usable)):
        members = (panel.group == group) & (panel.weight > 0)
        usable[group] = members.any() if learn is None else members.any() & learn[members].all(axis=0)
    if learn is None:
        return panel, usable
    masked = ~panel.treated & ~learn.all(axis=1)
    serving = None if panel.serving is None else np.where(masked, 0.0, panel.serving)
    panel = replace(panel, weight=np.where(masked, 0.0, panel.weight), serving=serving)
    return (panel if panel.pairs is None else panel.with_pairs(panel.pairs * ~masked)), usable


def _cells(plan: Plan, known: Strata, effect: Float1, size: Float1) -> Cells:
    return Cells(effect, plan.group, known.starts[plan.group], plan.period, size)


def _cut(found: _Solved, live: Bool1, plan: Plan) -> _Solved:
    """What was solved, for the cells that are kept."""
    return _Solved(
        found.learned,
        found.share[live[plan.cell]],
        found.size[live],
        found.change[live],
        found.scale[live],
        found.effect[live],
        found.alive[live],
    )


def _treated_right(plan: Plan, found: _Solved, places: int) -> tuple[Float3, Float2]:
    """(K, T, C), (K, C): the scores of a cell's own units, w (change (y - path) - effect) over its weight."""
    cells = np.arange(len(plan.group))
    right = np.zeros((places, plan.change.shape[1], len(cells)))
    constant = np.zeros((places, len(cells)))
    per = found.scale / found.size
    change = plan.change * per[plan.cell][:, None]
    right[plan.stratum, :, plan.cell] = change
    path = found.learned.path[plan.reference]
    constant[plan.stratum, plan.cell] = -(change * path).sum(axis=1) - (found.effect / found.size)[plan.cell]
    return right, constant


def _apart(plan: Plan, panel: Panel) -> bool:
    """Whether the centre of the scores is another than the mean: with units alike the conservative one is the mean."""
    alike = not panel.clustered and bool((panel.weight == panel.weight[0]).all())
    return plan.centre == "leave-one-out" or (plan.centre == "conservative" and not alike)


def _recentred(
    plan: Plan, found: _Solved, constant: Float2, panel: Panel, place: Int1, known: Strata
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
            path = (plan.change[entries] * found.learned.path[plan.reference[entries]]).sum(axis=1)
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
            if (rest <= _UNKNOWN * square).any():
                return one_cluster(known.names[group])
            left = weight**2 / rest * (total - weight * centre) / found.size[cells]
            blocks.append(ScoreBlock(left, np.eye(len(plan.group))[cells], homes))
    return blocks


def _control_right(plan: Plan, found: _Solved, serving: Moments, known: Strata) -> tuple[Float3, Float2]:
    """(K, T, C), (K, C): the scores of those from whom the path is learned, centred on it.

    A cell with a dummy of its own is centred on the path that it leaves to the others.
    """
    change = plan.change * (found.share * found.scale[plan.cell])[:, None]
    sums = serving.sums
    weight = np.where(sums.count > 0, sums.weight, 0.0)
    right = -plan.rule.pull(found.learned, weight, plan.reference, change)
    constant = -np.einsum("kte,et->ke", right, found.learned.path[plan.reference])
    if len(plan.cell) > len(plan.group):
        starts = np.flatnonzero(np.r_[True, plan.cell[1:] != plan.cell[:-1]])
        right, constant = np.add.reduceat(right, starts, axis=-1), np.add.reduceat(constant, starts, axis=-1)
    if plan.scaled.any() and isinstance(plan.rule, Regressed):
        own = known.group[None, :] == plan.group[:, None]
        _, effects = plan.rule.dummy(found.learned, weight, own, plan.period)
        moved = effects[None] - own.T[:, :, None] * np.eye(change.shape[1])[plan.period][None]
        constant += np.where(plan.scaled, found.effect, 0.0) * np.einsum("ktc,kct->kc", right, moved)
    return right, constant


def _projection(
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
    right, constant = _spread(parts[0], columns, cells), _spread(parts[1], columns, cells)
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
    sums = Moments.by_cluster(replace(panel, serving=None), weight)
    mean = mean_of(sums.parts, sums.shift, known.seen[sums.rows[:, 1]])
    return Projection(mean, sums.rows[:, 1], sums.parts.weight, right, constant, sums.rows[:, 0])


def _spread(array: Float2, columns: Int1, cells: int) -> Float2:
    """The last axis put in its place among all cells."""
    if array.shape[-1] == cells:
        return array
    out = np.zeros((*array.shape[:-1], cells))
    out[..., columns] = array
    return out


def _coupling(
    panel: Panel,
    place: Int1,
    weight: Float1,
    control: tuple[Float3, Float2],
    plan: Plan,
    columns: Int1,
    cells: int,
    together: bool,
) -> ScoreBlock:
    """The coupling of the controls that serve the cells of `plan`."""
    members = panel.treated if together else panel.group == plan.group[0]
    rows = np.flatnonzero((weight > 0) & ~np.isfinite(panel.first)) if together else np.flatnonzero(weight > 0)
    score = project(panel.y[rows], place[rows], weight[rows], *control)
    block = coupled(panel, members, weight, rows, score)
    return replace(block, right=_spread(block.right, columns, cells))


def _surface(untreated: Float2, plan: Plan, found: _Solved, panel: Panel, place: Int1) -> None:
    """Untreated outcome of a treated unit: its own base plus the change of the path. Written into `untreated`."""
    path = (plan.change * found.learned.path[plan.reference]).sum(axis=1)
    for stratum in np.unique(plan.stratum):
        entries = np.flatnonzero(plan.stratum == stratum)
        rows, periods = np.flatnonzero(place == stratum), plan.period[plan.cell[entries]]
        y = panel.y[rows]
        effect = (np.nan_to_num(y) @ plan.change[entries].T - path[entries]) * found.scale[plan.cell[entries]]
        untreated[np.ix_(rows, periods)] = y[:, periods] - effect
