"""The algebra of difference-in-differences on means per stratum, shared by the estimators that need no more.

A *contrast* is one cell: group ``g`` in period ``t`` against a weighted base of earlier periods, compared with the
weighted mean of the strata that serve as control. Everything is linear in the means, so the effect, its scores, the
imputed surface and the leave-one-cluster-out effect come from the same few rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from impact.arrays import Bool1, Bool2, Float1, Float2, Int1
from impact.cells import Cells, ScoreBlock, Scores, Weights
from impact.errors import Refused
from impact.numerics.moments import Moments, strata
from impact.panel import Panel

__all__ = ["Contrasts", "cells_of", "coupled", "fit_contrasts", "learnable"]


@dataclass(frozen=True, slots=True, eq=False)
class Contrasts:
    """`C` cells over `K` strata and `T` periods.

    Attributes
    ----------
    group, period : (C,) int
    change : (C, T) float
        1 in the period of the cell, minus the weights of its base.
    control : (C, K) bool
        Strata whose units serve as control.
    """

    group: Int1
    period: Int1
    change: Float2
    control: Bool2

    def take(self, keep: Bool1) -> Contrasts:
        """The contrasts for which `keep` (C,) holds."""
        return Contrasts(self.group[keep], self.period[keep], self.change[keep], self.control[keep])


def cells_of(contrasts: Contrasts, moments: Moments) -> Cells | Refused:
    """Cells without scores; cells whose group or controls have no unit left are absent."""
    path, mass = _control_path(contrasts, moments.serving or moments)
    alive = (moments.count[contrasts.group] > 0) & (mass > 0)
    if not alive.any():
        return Refused(
            "the cells",
            "no group with both a period before its start and a control is left",
            "Add earlier periods or more comparison units.",
        )
    return _cells(contrasts.take(alive), moments, path[alive])


def fit_contrasts(contrasts: Contrasts, panel: Panel, hold: Weights | None = None) -> tuple[Cells, Float2] | Refused:
    """Cells with scores, and the (N, T) surface of untreated outcomes (nan where there is no cell).

    Matched panels, and held weights, have control weights of their own for every group; under a target's weighting
    units that start later serve with another weight than they count for.
    """
    moments = Moments.pooled(panel, panel.weight)
    parts: list[tuple[Bool1, Float1, Moments]] = []
    if panel.pairs is None and hold is None:
        every = np.ones(len(contrasts.group), dtype=bool)
        serving = moments if panel.serving is None else Moments.pooled(panel, panel.serving)
        parts.append((every, panel.weight if panel.serving is None else panel.serving, serving))
    else:
        for group, name in enumerate(panel.group_names):
            weight = panel.control_weight(panel.group == group) if hold is None else hold.of(name, panel.units)[0]
            parts.append((contrasts.group == group, weight, Moments.pooled(panel, weight)))
    path = np.zeros(contrasts.change.shape)
    mass = np.zeros(len(contrasts.group))
    for own, _, other in parts:
        path[own], mass[own] = _control_path(contrasts.take(own), other)
    alive = mass > 0
    if not alive.any():
        return Refused("the cells", "no control with weight is left", "Widen the donor pool.")
    kept, path, mass = contrasts.take(alive), path[alive], mass[alive]
    place, first = strata(panel)
    members = [np.flatnonzero(place == stratum) for stratum in range(len(first))]
    blocks = [_treated_block(kept, panel, moments, group, members[group]) for group in np.unique(kept.group)]
    for group, (own, weight, other) in enumerate(parts):
        serving_blocks = _control_blocks(kept, own[alive], panel, other, weight, path, mass, members)
        blocks += [block for _, block in serving_blocks]
        if panel.pairs is not None and hold is None:
            blocks += [coupled(panel, group, weight, rows, block) for rows, block in serving_blocks]
    cells = replace(_cells(kept, moments, path), scores=Scores(tuple(blocks), len(panel.clusters)))
    return cells, _surface(kept, panel, path)


def coupled(panel: Panel, group: int, weight: Float1, rows: Int1, block: ScoreBlock) -> ScoreBlock:
    """What matching adds to the scores `block` of the controls at `rows`, who carry `weight` (N,) in `group`.

    On a matched panel the weights of the controls are not their own: they grow with the treated units of the area,
    and a control's weight is taken from the others of its area. By the chain rule a treated unit carries the mean
    pull of its matched controls, and these give it up.
    """
    pairs = panel.pairs
    if pairs is None:
        raise ValueError("only matched panels couple weights")
    members = np.flatnonzero(panel.group == group)
    areas, own = np.unique(panel.area[members], return_inverse=True)
    pull = (pairs[np.ix_(areas, rows)] / weight[rows]) @ block.left @ block.right
    share = np.bincount(own, weights=panel.weight[members])
    left = -(share[:, None] * pairs[areas]).T
    left[members, own] += panel.weight[members]
    moved = left.any(axis=1)
    return ScoreBlock(left[moved], pull, panel.cluster[moved])


def learnable(panel: Panel, learn: Bool2 | None) -> tuple[Panel, Bool2]:
    """The panel whose masked controls carry no weight, and (K, T) the pre-periods each group may use as base.

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


def _cells(contrasts: Contrasts, moments: Moments, path: Float2) -> Cells:
    treated = moments.mean[contrasts.group]
    effect = ((treated - path) * contrasts.change).sum(axis=1)
    return Cells(
        effect, contrasts.group, moments.first[contrasts.group], contrasts.period, moments.weight[contrasts.group]
    )


def _control_path(contrasts: Contrasts, moments: Moments) -> tuple[Float2, Float1]:
    """(C, T) weighted mean outcome of the control strata and (C,) their weight."""
    weight = contrasts.control * np.where(moments.count > 0, moments.weight, 0.0)
    mass = weight.sum(axis=1)
    share = np.divide(weight, mass[:, None], out=np.zeros_like(weight), where=mass[:, None] > 0)
    return np.asarray(share @ np.nan_to_num(moments.mean)), mass


def _treated_block(contrasts: Contrasts, panel: Panel, moments: Moments, group: int, rows: Int1) -> ScoreBlock:
    """w_i (Y_i - mean) times the change, over the weight of the group."""
    left = panel.weight[rows, None] * (panel.y[rows] - moments.mean[group])
    right = np.where(contrasts.group == group, contrasts.change.T / moments.weight[group], 0.0)
    return ScoreBlock(left, right, panel.cluster[rows])


def _control_blocks(
    contrasts: Contrasts,
    own: Bool1,
    panel: Panel,
    moments: Moments,
    weight: Float1,
    path: Float2,
    mass: Float1,
    members: list[Int1],
) -> list[tuple[Int1, ScoreBlock]]:
    """The same for the controls (with their rows), who are centred on the mean of all strata that serve in the cell."""
    blocks = []
    for stratum, rows in enumerate(members):
        serves = own & contrasts.control[:, stratum]
        if not serves.any() or moments.count[stratum] == 0:
            continue
        heavy = rows[weight[rows] > 0]
        share = np.where(serves, 1.0 / mass, 0.0)
        away = ((moments.mean[stratum] - path) * contrasts.change).sum(axis=1)
        left = weight[heavy, None] * np.hstack([panel.y[heavy] - moments.mean[stratum], np.ones((len(heavy), 1))])
        block = ScoreBlock(left, -np.vstack([contrasts.change.T, away]) * share, panel.cluster[heavy])
        blocks.append((heavy, block))
    return blocks


def _surface(contrasts: Contrasts, panel: Panel, path: Float2) -> Float2:
    """Untreated outcome of a treated unit: its own base plus the change of its controls."""
    moved = (path * contrasts.change).sum(axis=1)
    untreated = np.full(panel.y.shape, np.nan)
    for group in np.unique(contrasts.group):
        own = contrasts.group == group
        rows, periods = np.flatnonzero(panel.group == group), contrasts.period[own]
        y = panel.y[rows]
        untreated[np.ix_(rows, periods)] = y[:, periods] - y @ contrasts.change[own].T + moved[own]
    return untreated
