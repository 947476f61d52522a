"""A term of a set of treated areas, and its error from how these areas differ: of the programme, or of stand-ins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from impact.arrays import Float1, Float2, Int1
from impact.cells import Cells
from impact.errors import Refused
from impact.estimators.protocol import Estimator
from impact.inference.placebo_refits import counted_for, pretended
from impact.inference.placebo_sets import roles
from impact.inference.protocol import Found, evaluate
from impact.numerics.stand_ins import stood_in
from impact.panel import Panel
from impact.parallel import Parallel
from impact.targets import Target

__all__ = ["Stood", "stand_ins", "themselves"]

_REFITS, _AT_ONCE = 16, 2048  # sets in one task
_SAME = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Stood:
    """`m` terms of `S` sets of areas.

    Attributes
    ----------
    estimate, error : (S, m) float
        nan in the rows of the refused. The error of a term with shares ``s_a`` and effects ``θ_a`` of `A` areas is the
        root of ``A / (A - 1) Σ s_a² (θ_a - θ)²``.
    areas : (m,) int
        Areas in the term.
    refused : mapping of int to Refused
    """

    estimate: Float2
    error: Float2
    areas: Int1
    refused: Mapping[int, Refused]


def themselves(estimator: Estimator, target: Target, found: Found) -> Stood | Refused:
    """The treated areas themselves."""
    simple = _Simple.of(found, target)
    if simple is not None:
        return simple.of_rows(simple.known[None])
    made = _by_area(estimator, found)
    if isinstance(made, Refused):
        return made
    estimate, error, areas = made
    return Stood(estimate[None], error[None], areas, {})


def stand_ins(
    estimator: Estimator, panel: Panel, target: Target, found: Found, rows: Int1, parallel: Parallel
) -> Stood:
    """Sets of donors (S, n) in the places of the treated units: at once where outcomes are compared with the mean of
    the never treated, and otherwise refit by refit."""
    simple = _Simple.of(found, target)
    if simple is not None:
        blocks = [rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE)]
        parts = parallel.map(simple.of_rows, blocks, "randomization-t")
        estimate, error = (np.concatenate([getattr(part, name) for part in parts]) for name in ("estimate", "error"))
        return Stood(estimate, error, parts[0].areas, {})
    terms, known = found.effects.terms, roles(found.panel)
    blocks = [rows[start : start + _REFITS] for start in range(0, len(rows), _REFITS)]
    again = partial(_refits, estimator, panel, target, known, terms)
    results = [one for block in parallel.map(again, blocks, "randomization-t") for one in block]
    estimate, error = (np.full((len(rows), len(terms)), np.nan) for _ in range(2))
    areas = np.zeros(len(terms), dtype=np.intp)
    refused = {}
    for row, one in enumerate(results):
        if isinstance(one, Refused):
            refused[row] = one
        else:
            estimate[row], error[row], areas = one
    return Stood(estimate, error, areas, refused)


# Refits ---------------------------------------------------------------------------------------------------------------

_Made = tuple[Float1, Float1, Int1]


def _refits(
    estimator: Estimator, panel: Panel, target: Target, known: Int1, terms: tuple[str, ...], block: Int1
) -> list[_Made | Refused]:
    return [_refit(estimator, panel, target, known, terms, chosen) for chosen in block]


def _refit(
    estimator: Estimator, panel: Panel, target: Target, known: Int1, terms: tuple[str, ...], chosen: Int1
) -> _Made | Refused:
    found = evaluate(estimator, pretended(panel, known, chosen), target)
    if isinstance(found, Refused):
        return found
    if found.effects.terms != terms:
        return Refused("a placebo estimate", "it has other terms than the estimate")
    return _by_area(estimator, found)


def _by_area(estimator: Estimator, found: Found) -> _Made | Refused:
    """Estimates and errors (m,), and the areas (m,) they come from, of one estimate with its areas one by one."""
    panel = found.panel
    fit = found.fit if panel.grouped == "area" else estimator.fit(panel.by_area())
    if isinstance(fit, Refused):
        return fit
    cells, alone = found.fit.cells, fit.cells
    parent = _parents(panel, alone)
    number = {at: cell for cell, at in enumerate(zip(cells.group.tolist(), cells.period.tolist(), strict=True))}
    areas = len(panel.areas)
    each, counted = np.zeros((areas, len(found.effects.terms))), np.zeros((areas, len(found.effects.terms)))
    for place, (group, period) in enumerate(zip(parent.tolist(), alone.period.tolist(), strict=True)):
        cell = number.get((group, period))
        if cell is not None:
            part = found.effects.weights[cell] * alone.size[place] / cells.size[cell]
            each[alone.group[place]] += part * alone.effect[place]
            counted[alone.group[place]] += part
    square = ((each - counted * each.sum(axis=0)) ** 2).sum(axis=0)
    there = (counted != 0).sum(axis=0).astype(np.intp)
    return found.effects.estimate, _error(square, there), there


def _parents(panel: Panel, alone: Cells) -> Int1:
    """(C,) group of the panel in which the area of every cell lies."""
    if panel.grouped == "area":
        return alone.group
    return np.searchsorted(panel.groups, alone.cohort).astype(np.intp)


def _error(square: Float2, areas: Int1) -> Float2:
    """The root of the squares times A / (A - 1); nan where there is one area or none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(areas > 1, np.sqrt(square * areas / (areas - 1.0)), np.nan))


# All sets at once -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Simple:
    """An estimate that compares every group with the mean of the never treated, as outcomes of single units."""

    target: Target
    panel: Panel
    known: Int1  # (n,) rows of the treated
    values: Float2  # (N, K m)
    mass: Float1  # (N,)
    part: Float2  # (K, m)
    block: Int1  # (n,)
    areas: Int1  # (m,)

    @staticmethod
    def of(found: Found, target: Target) -> _Simple | None:
        """None where the estimate is made of something else, or not every outcome was observed."""
        panel, pull = found.panel, found.fit.pull
        if pull is None or not isinstance(panel, Panel) or panel.pairs is not None or np.isnan(panel.y).any():
            return None
        groups, terms = len(panel.groups), len(found.effects.terms)
        mass = np.where(panel.never, panel.weight, 0.0)
        inside = [np.flatnonzero((panel.group == group) & (panel.weight > 0)) for group in range(groups)]
        if not mass.sum() > 0 or not all(rows.size for rows in inside):
            return None
        values = np.zeros((len(panel.units), groups, terms))
        part = np.zeros((groups, terms))
        for term in range(terms):
            pulled = pull(found.effects.weights[:, term])
            size = _SAME * np.abs(pulled).sum()
            patterns = np.array([pulled[rows].sum(axis=0) for rows in inside])
            expected = -np.outer(mass / mass.sum(), patterns.sum(axis=0))
            for rows, pattern in zip(inside, patterns, strict=True):
                expected[rows] = np.outer(panel.weight[rows] / panel.weight[rows].sum(), pattern)
            if np.abs(pulled - expected).max() > size:
                return None
            values[:, :, term] = panel.y @ patterns.T
            np.add.at(part[:, term], found.fit.cells.group, found.effects.weights[:, term])
        known = roles(panel)
        pairs = np.column_stack([panel.area[known], panel.group[known]])
        block = np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1).astype(np.intp)
        there = np.array([[part[group, term] != 0 for term in range(terms)] for group in panel.group[known]])
        there &= (panel.group[known] >= 0)[:, None]
        areas = np.array([len(np.unique(block[column])) for column in there.T], dtype=np.intp)
        return _Simple(target, panel, known, values.reshape(len(values), -1), mass, part, block, areas)

    def of_rows(self, rows: Int1) -> Stood:
        """Sets (S, n) in the places of the treated; the treated themselves leave the others as they are."""
        group = self.panel.group[self.known]
        weight = counted_for(self.target, self.panel, self.known, rows)
        if rows.shape[0] == 1 and np.array_equal(rows[0], self.known):
            weight = self.panel.weight[self.known][None]
        share = np.zeros(rows.shape)
        for one in np.unique(group[group >= 0]):
            own = group == one
            share[:, own] = weight[:, own] / weight[:, own].sum(axis=1, keepdims=True)
        estimate, square = (np.empty((len(rows), self.part.shape[1])) for _ in range(2))
        total = self.mass @ self.values
        stood_in(
            self.values, self.mass, total, rows, share, group, self.block, self.part, estimate=estimate, square=square
        )
        return Stood(estimate, _error(square, self.areas), self.areas, {})
