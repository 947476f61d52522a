"""Worlds drawn from the components of outcomes before the start: the same units, starts and periods, and no effect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from impact.arrays import Bool2, Float1, Float2, Int1
from impact.errors import Refused
from impact.inference.components import Components, components, lasting
from impact.inference.components_near import alike, middles, near
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams

__all__ = ["Drawn", "drawn", "spread_again", "spread_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """The panels, by number; see ``impact.inference.diagnose.World``.

    Attributes
    ----------
    panel : Panel
        Of which nothing varies but the outcome; its outcome is the course that is expected.
    found : Components
    member : (N,) int
        Cluster of every unit.
    when : (T,) float
        The time of every period.
    over_space : (G, G) float or None
        Factor of the correlations of shared shocks; None where clusters are independent.
    absent : (N, T) bool
        Cells that have no figure.
    streams : Streams
    effect : float
        Added to every treated cell.
    rematch : callable or None
        From a panel with its outcomes to the panel compared anew.
    fitted : (n,) int or None
        Rows of the units that the components were taken from; None for all.
    """

    panel: Panel
    found: Components
    member: Int1
    when: Float1
    over_space: Float2 | None
    absent: Bool2
    streams: Streams
    effect: float = 0.0
    rematch: Callable[[Panel], Panel | Refused] | None = None
    fitted: Int1 | None = None

    def __call__(self, number: int) -> Panel | Refused:
        """A panel; the same number is the same shocks, whatever the effect."""
        draw = self.streams.at(number).generator()
        count, length = self.panel.y.shape
        shared = draw.standard_normal((len(self.panel.clusters), length))
        own, passing, asked = (draw.standard_normal((count, length)) for _ in range(3))
        if self.over_space is not None:
            shared = self.over_space @ shared
        lasts = self.found.shared * shared[self.member] + self.found.own * own
        y = self.panel.y + lasts @ _factor(lasting(self.when, self.found.lasting)).T + self.found.passing * passing
        if self.panel.se is not None:
            y = y + self.panel.se * asked
        y = y + self.effect * self.panel.treated_cells()
        panel = self.panel.with_outcome(np.where(self.absent, np.nan, y))
        return panel if self.rematch is None else self.rematch(panel)


def drawn(panel: Panel, end: int, when: Float1, streams: Streams, *, fit: Int1 | None = None) -> Drawn | Refused:
    """Worlds like the first `end` periods of `panel`; no later outcome and no later sampling error is looked at.

    Parameters
    ----------
    panel : Panel
        With the real units and starts.
    end : int
        Periods before anything could respond.
    when : (T,) float
        The time of every period.
    streams : Streams
        Of the worlds.
    fit : (n,) int, optional
        Rows of the units that the components are taken from; all by default. Those with a gap are left out.

    Returns
    -------
    Drawn or Refused
        See ``components``.
    """
    before = panel.y[:, :end]
    rows = np.arange(len(before)) if fit is None else fit
    rows = rows[np.isfinite(before[rows]).all(axis=1)]
    se = None if panel.se is None else _known(panel.se, end)
    noise = None if se is None else se[rows, :end] ** 2
    found = components(before[rows], panel.cluster[rows], when[:end], noise)
    if isinstance(found, Refused):
        return found
    space = None
    if panel.place is not None:
        found = near(found, before[rows], panel.cluster[rows], when[:end], panel.place[rows])
        if found.near:
            space = _factor(alike(middles(panel.place, panel.cluster, len(panel.clusters)), found))
    absent = np.isnan(panel.y)
    absent[:, absent.all(axis=0)] = False  # a period that is still to come
    held = {name: values for name, values in panel.series.items() if values.shape[1] == 1}
    blind = replace(panel, y=_expected(before, len(when)), se=se, series=held)
    return Drawn(blind, found, panel.cluster, when, space, absent, streams, fitted=rows)


def spread_of(worlds: Drawn, weight: Float2) -> float:
    """Standard deviation of a sum of outcomes with fixed weights (N, T)."""
    found = worlds.found
    summed = np.zeros((len(worlds.panel.clusters), weight.shape[1]))
    np.add.at(summed, worlds.member, weight)
    across = summed if worlds.over_space is None else worlds.over_space.T @ summed
    known = 0.0 if worlds.panel.se is None else float(((worlds.panel.se * weight) ** 2).sum())
    both, each = across.T @ across, weight.T @ weight
    lasts = (found.shared**2 * both + found.own**2 * each) * lasting(worlds.when, found.lasting)
    return float(np.sqrt(lasts.sum() + found.passing**2 * np.trace(each) + known))


def spread_again(worlds: Drawn, weight: Float2, parallel: Parallel, draws: int = 40) -> Float1:
    """(B,) what `spread_of` is in worlds that are drawn and whose components are then estimated anew.

    How far they lie from `spread_of` says how far that could be off. (The delta method does not: a component on the
    edge of what is possible has no error there, and with few clusters others have one that is often far too small.)
    """
    fresh = replace(worlds, streams=worlds.streams.at("again"), effect=0.0, rematch=None)
    found = parallel.map(partial(_refitted, fresh, weight), range(draws), "components")
    return np.array([one for one in found if one is not None], dtype=np.float64)


def _refitted(worlds: Drawn, weight: Float2, number: int) -> float | None:
    panel = worlds(number)
    if isinstance(panel, Refused):
        return None
    again = drawn(panel, worlds.found.periods, worlds.when, worlds.streams, fit=worlds.fitted)
    return None if isinstance(again, Refused) else spread_of(again, weight)


def _expected(before: Float2, length: int) -> Float2:
    """(N, T) unit and period effects; the periods to come go on as the last did, which no difference notices."""
    seen = np.isfinite(before)
    unit = np.where(seen, before, 0.0).sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    unit[~seen.any(axis=1)] = unit[seen.any(axis=1)].mean()
    rest = np.where(seen, before - unit[:, None], 0.0)
    period = rest.sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    return np.asarray(unit[:, None] + np.concatenate([period, np.full(length - len(period), period[-1])]))


def _known(se: Float2, end: int) -> Float2:
    """(N, T) known sampling errors; those that are not known yet are taken for the root of a unit's mean square."""
    seen = np.isfinite(se[:, :end])
    square = np.where(seen, se[:, :end], 0.0) ** 2
    typical = square.sum(axis=1) / np.maximum(seen.sum(axis=1), 1)
    out = np.repeat(np.sqrt(typical)[:, None], se.shape[1], axis=1)
    out[:, :end] = np.where(seen, se[:, :end], out[:, :end])
    return out


def _factor(correlations: Float2) -> Float2:
    return np.asarray(np.linalg.cholesky(correlations + 1e-12 * np.eye(len(correlations))))
