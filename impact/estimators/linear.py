"""The algebra of difference-in-differences on means per stratum, shared by the estimators that need no more.

A *cell* is group ``g`` in period ``t``: the change of its units, relative to a base of earlier periods, against the
same change of a path that tells what would have happened without treatment. Everything is linear in the means, so the
effect, its scores, the imputed surface and the leave-one-cluster-out effects come from the same few rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from impact.arrays import Bool1, Float1, Float2, Float3, Int1
from impact.cells import Cells, Weights
from impact.errors import Refused
from impact.estimators.linear_scores import (
    Solved,
    apart,
    control_scores,
    coupling,
    matched_scale,
    of_moments,
    own_scores,
    projection,
    recentred,
    spread,
)
from impact.estimators.paths import Dummies, Regressed
from impact.estimators.plan import Plan, no_plan
from impact.estimators.protocol import LeftOut
from impact.estimators.pull import Part, Pull
from impact.numerics.moments import Moments, Strata, mean_of, strata
from impact.numerics.sums import Sums
from impact.panel import Panel
from impact.scores import Projection, ScoreBlock, Scores

__all__ = ["cells_of", "fit_plan", "left_out", "own_weight"]

# The part of a change that lies in a direction which the data do not identify.
_UNKNOWN = 1e-6


def _solve(plan: Plan, known: Strata, own: Sums, own_mean: Float3, serving: Sums, serving_mean: Float3) -> Solved:
    """Effects and what they are made of; broadcasts over leading axes of the sums."""
    weight = np.where(serving.count > 0, serving.weight, 0.0)
    learned = plan.rule.learn(weight, serving_mean)
    # Units that nobody can be compared with do not count.
    lonely = learned.mass[..., plan.reference] <= 0
    mass = np.where(lonely, 0.0, np.where(own.count > 0, own.weight, 0.0)[..., plan.stratum])
    path = learned.path[..., plan.reference, :]
    dummies = None
    if plan.dummy.any() and isinstance(plan.rule, Regressed):
        own_strata = known.group[None, :] == plan.group[:, None]
        dummies = plan.rule.dummies(learned, weight, serving_mean, own_strata, plan.period)
        path = np.where(plan.dummy[plan.cell][:, None], dummies.path[..., plan.cell, :], path)
    away = own_mean[..., plan.stratum, :] - path
    part = (plan.change * away).sum(axis=-1)
    if len(plan.cell) == len(plan.group):
        size, share = mass, (mass > 0).astype(np.float64)
        change, effect = np.broadcast_to(plan.change, away.shape), part * share
    else:
        starts = plan.heads
        size = np.add.reduceat(mass, starts, axis=-1)
        share = np.divide(mass, size[..., plan.cell], out=np.zeros_like(mass), where=size[..., plan.cell] > 0)
        effect = np.add.reduceat(part * share, starts, axis=-1)
        change = np.add.reduceat(share[..., None] * plan.change, starts, axis=-2)
    alive = np.asarray(size > 0)
    if learned.unknown is not None:
        lost = np.abs(np.einsum("...ct,...ts->...cs", change, learned.unknown)).max(axis=-1, initial=0.0)
        # A constant is never identified, and never needed: changes sum to 0.
        alive &= lost <= _UNKNOWN
    if dummies is not None:
        alive &= dummies.known | ~plan.dummy
    return Solved(learned, share, size, change, path, dummies, effect, alive)


def cells_of(plan: Plan, moments: Moments, *, scores: bool = False) -> Cells | Refused:
    """Cells of a plan; cells whose group or controls have no unit left are absent.

    With `scores` as far as the moments tell: by cluster, or (every unit a cluster, products under squared weights) the
    covariance alone.

    Raises
    ------
    ValueError
        Scores of moments that have neither clusters nor squared weights, or of a plan that centres on clusters.
    """
    serving = moments.serving or moments
    known, whole = moments.strata, moments.sums
    theirs = whole if moments.serving is None else serving.sums
    mean = mean_of(whole, moments.shift, known.seen)
    solved = _solve(plan, known, whole, mean, theirs, mean_of(theirs, serving.shift, known.seen))
    if not solved.alive.any():
        return no_plan("the cells")
    keep = solved.alive
    kept, cut = plan.take(keep), _cut(solved, keep, plan)
    cells = _cells(kept, known, cut.effect, cut.size)
    if not scores:
        return cells
    if plan.centre != "mean" and not (plan.centre == "conservative" and moments.squares is moments.parts):
        raise ValueError("centring on the effects of clusters takes the units")
    own, control = own_scores(kept, cut, len(known.first)), control_scores(kept, cut, serving, known)
    if moments.serving is None:
        blocks = [of_moments(moments, own[0] + control[0], own[1] + control[1])]
    else:
        blocks = [of_moments(moments, *own), of_moments(moments.serving, *control)]
    return replace(cells, scores=Scores(tuple(blocks), len(moments.clusters), plan.conditional))


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


def fit_plan(
    plan: Plan, panel: Panel, hold: Weights | None = None, at: tuple[Int1, Strata] | None = None
) -> tuple[Cells, Callable[[], Float2], Pull] | Refused:
    """Cells with scores, what makes the (N, T) surface of untreated outcomes (nan where there is no cell), and how much
    every outcome counts in the cells.

    `at` are the strata of the panel where they are known already.

    Matched panels, and held weights, have control weights of their own for every group (one for all groups where a
    regression learns the path); under a target's weighting units that start later serve with another weight than they
    count for.
    """
    place, known = at = strata(panel) if at is None else at
    if not len(plan.group):
        return no_plan("the cells")
    together = isinstance(plan.rule, Regressed)
    alone = panel.pairs is None and hold is None and panel.serving is None
    own = Moments.pooled(panel, panel.weight, products=alone and not panel.clustered, at=at)
    whole, mean = own.sums, own.mean
    parts = _parts(plan, panel, hold, together)
    solved = []
    for mine, weight in parts:
        serving = own if weight is panel.weight else Moments.pooled(panel, weight, at=at)
        theirs = (whole, mean) if serving is own else (serving.sums, serving.mean)
        found = _solve(plan, known, whole, mean, *theirs)
        solved.append((mine, weight, serving, found))
    alive = np.logical_or.reduce([mine & found.alive for mine, _, _, found in solved])
    if not alive.any():
        return Refused("the cells", "no control with weight is left", "Widen the donor pool.")
    kept = plan.take(alive)
    effect, size = np.zeros(len(alive)), np.zeros(len(alive))
    blocks: list[ScoreBlock | Projection] = []
    imputed: list[tuple[Plan, Solved]] = []
    pulls: list[Part] = []
    for mine, weight, serving, found in solved:
        live = mine & found.alive
        if not live.any():
            continue
        effect[live], size[live] = found.effect[live], found.size[live]
        ours = plan.take(live)
        cut = _cut(found, live, plan)
        columns = np.flatnonzero(live[alive])
        treated = own_scores(ours, cut, len(known.first))
        if apart(plan, panel):
            more = recentred(ours, cut, treated[1], panel, place, known)
            if isinstance(more, Refused):
                return more
            blocks += [replace(block, right=spread(block.right, columns, len(kept.group))) for block in more]
        control = control_scores(ours, cut, serving, known)
        pulls += [
            Part(place, mass, spread(right, columns, len(kept.group)))
            for mass, (right, _) in ((panel.weight, treated), (weight, control))
        ]
        if alone:
            both = (treated[0] + control[0], treated[1] + control[1])
            blocks.append(projection(panel, place, weight, known, both, columns, len(kept.group), own))
        else:
            blocks.append(projection(panel, place, panel.weight, known, treated, columns, len(kept.group), None))
            blocks.append(projection(panel, place, weight, known, control, columns, len(kept.group), None))
            if panel.pairs is not None and hold is None:
                blocks += coupling(panel, place, weight, control, ours, columns, len(kept.group), together)
        imputed.append((ours, cut))
    cells = _cells(kept, known, effect[alive], size[alive])
    scores = Scores(tuple(blocks), len(panel.clusters), plan.conditional)
    held = None
    if not known.seen.all():
        there = np.zeros((len(known.first), len(kept.group)))
        there[kept.stratum, kept.cell] = 1.0
        nothing = np.zeros((len(known.first), len(panel.periods), len(kept.group)))
        held = projection(
            panel, place, panel.weight, known, (nothing, there), np.arange(len(kept.group)), len(kept.group), None
        )
    cells, pull = replace(cells, scores=scores, held=held), Pull(tuple(pulls), panel.y.shape)
    return cells, partial(_surface, tuple(imputed), panel.y, place), pull


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
    """(N,) weights of one regression: who is not treated within a matched panel has what matching gives over all areas.

    The controls together weigh what the treated do as units, whatever these count for in the target.
    """
    own = panel.weight if panel.serving is None else panel.serving
    if panel.pairs is None:
        return own
    return np.where(panel.treated, own, matched_scale(panel) * panel.control_weight(panel.treated))


def _cells(plan: Plan, known: Strata, effect: Float1, size: Float1) -> Cells:
    return Cells(effect, plan.group, known.starts[plan.group], plan.period, size)


def _cut(found: Solved, live: Bool1, plan: Plan) -> Solved:
    """What was solved, for the cells that are kept."""
    entries, dummies = live[plan.cell], found.dummies
    if dummies is not None:
        dummies = Dummies(
            dummies.known[live],
            dummies.coefficient[live],
            dummies.effects[live],
            dummies.kept[live],
            dummies.path[live],
        )
    return Solved(
        found.learned,
        found.share[entries],
        found.size[live],
        found.change[live],
        found.path[entries],
        dummies,
        found.effect[live],
        found.alive[live],
    )


def _surface(solved: tuple[tuple[Plan, Solved], ...], y: Float2, place: Int1) -> Float2:
    """Untreated outcome of a treated unit: its own base plus the change of the path."""
    untreated = np.full(y.shape, np.nan)
    for plan, found in solved:
        path = (plan.change * found.path).sum(axis=1)
        for stratum in np.unique(plan.stratum):
            entries = np.flatnonzero(plan.stratum == stratum)
            rows, periods = np.flatnonzero(place == stratum), plan.period[plan.cell[entries]]
            own = y[rows]
            effect = np.nan_to_num(own) @ plan.change[entries].T - path[entries]
            untreated[np.ix_(rows, periods)] = own[:, periods] - effect
    return untreated
