"""The cells of every placebo set: at once where the estimator can, and otherwise one refit after another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np

from impact.arrays import Float1, Float2, Float3, Int1
from impact.cells import Cells
from impact.errors import Refused
from impact.estimators.protocol import Estimator, Reassigns, Replicates, StandIns
from impact.inference.placebo_sets import roles
from impact.inference.placebo_statistics import Measured, measure, sizes
from impact.inference.protocol import Found, evaluate
from impact.panel import Panel
from impact.parallel import Parallel
from impact.targets import Target

__all__ = ["Again", "Made", "Rematch", "counted_for", "own_size", "pretended", "reassigned"]

Rematch: TypeAlias = Callable[[Panel], Panel | Refused]
_AT_ONCE, _REFITS = 512, 32  # sets in one task


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """Terms and cells of `S` placebo sets; nan in the rows of the refused.

    Attributes
    ----------
    measured : Measured
    effect : (S, C) float
        In the cells of the real estimate; nan where a set has no such cell.
    size : (S, m, 2) float or None
        See `sizes`.
    refused : mapping of int to Refused
    """

    measured: Measured
    effect: Float2
    size: Float3 | None
    refused: Mapping[int, Refused]


def reassigned(
    estimator: Estimator, target: Target, found: Found, rows: Int1, parallel: Parallel, *, sized: bool
) -> Made | None:
    """All sets (S, n) by an estimator that can do them at once; None where it cannot with this panel."""
    if not isinstance(estimator, Reassigns):
        return None
    known, panel, cells = roles(found.panel), found.panel, found.fit.cells
    weight = counted_for(target, panel, known, rows)
    blocks = [
        StandIns(known, rows[start : start + _AT_ONCE], weight[start : start + _AT_ONCE])
        for start in range(0, len(rows), _AT_ONCE)
    ]
    parts: list[Replicates] = []
    for part in parallel.map(partial(_block, estimator, panel), blocks, "placebo-space"):
        if isinstance(part, Refused) or not _same(part.cells, cells):
            return None
        parts.append(part)
    effect, size = (np.concatenate([getattr(part, name) for part in parts]) for name in ("effect", "size"))
    refused = {number * _AT_ONCE + row: why for number, part in enumerate(parts) for row, why in part.refused.items()}
    fine = np.array([row for row in range(len(rows)) if row not in refused], dtype=np.intp)
    measured = measure(target, cells, effect[fine], size[fine], panel)
    spread: Float3 | Refused | None = None
    if sized and panel.residents is not None:
        spread = sizes(target, cells, size[fine], panel, known, weight[fine], panel.residents[rows[fine]])
    if isinstance(measured, Refused) or isinstance(spread, Refused):
        return None
    return Made(
        measured.each(lambda part: _at(fine, part, len(rows))),
        effect,
        None if spread is None else _at(fine, spread, len(rows)),
        refused,
    )


def own_size(target: Target, found: Found) -> Float2 | Refused:
    """(m, 2) what `sizes` gives for the treated areas themselves."""
    panel, cells, known = found.panel, found.fit.cells, roles(found.panel)
    assert panel.residents is not None
    found_sizes = sizes(
        target, cells, cells.size[None], panel, known, panel.weight[known][None], panel.residents[known][None]
    )
    return found_sizes if isinstance(found_sizes, Refused) else found_sizes[0]


@dataclass(frozen=True, slots=True, eq=False)
class Again:
    """Refits on panels in which donors are treated instead.

    Attributes
    ----------
    estimator, panel, target
        As in ``Inference.run``.
    known : (n,) int
        Rows of the treated; see `roles`.
    terms : tuple of str
        Of the real estimate.
    keys : tuple of (str, int)
        Group and period of its cells.
    rematch : callable or None
        The matching rule.
    sized, gaps : bool
        Whether sizes, and gaps before the start, are asked of the refits.
    """

    estimator: Estimator
    panel: Panel
    target: Target
    known: Int1
    terms: tuple[str, ...]
    keys: tuple[tuple[str, int], ...]
    rematch: Rematch | None
    sized: bool
    gaps: bool

    @staticmethod
    def after(
        found: Found,
        estimator: Estimator,
        panel: Panel,
        target: Target,
        rematch: Rematch | None,
        sized: bool,
        gaps: bool,
    ) -> Again:
        """Refits after the real estimate, of which no more is kept than is needed in every task."""
        return Again(
            estimator, panel, target, roles(found.panel), found.effects.terms, _keys(found), rematch, sized, gaps
        )

    def of(self, rows: Int1, parallel: Parallel) -> Made:
        """Every set (S, n), in blocks."""
        blocks = [rows[start : start + _REFITS] for start in range(0, len(rows), _REFITS)]
        results = [result for block in parallel.map(self._block, blocks, "placebo-space") for result in block]
        shape = (len(rows), len(self.terms))
        estimate, after, before = (np.full(shape, np.nan) for _ in range(3))
        effect = np.full((len(rows), len(self.keys)), np.nan)
        size = np.full((*shape, 2), np.nan)
        refused = {}
        for row, result in enumerate(results):
            if isinstance(result, Refused):
                refused[row] = result
            else:
                estimate[row], after[row], before[row], effect[row], size[row] = result
        return Made(Measured(estimate, after, before), effect, size if self.sized else None, refused)

    def _block(self, block: Int1) -> Sequence[tuple[Float1, Float1, Float1, Float1, Float2] | Refused]:
        return [self._one(chosen) for chosen in block]

    def _one(self, chosen: Int1) -> tuple[Float1, Float1, Float1, Float1, Float2] | Refused:
        """Estimate, root mean squares after and before (m,), effects (C,) and sizes (m, 2) of one set."""
        pretend: Panel | Refused = pretended(self.panel, self.known, chosen)
        if self.rematch is not None and not isinstance(pretend, Refused):
            pretend = self.rematch(pretend)
        if isinstance(pretend, Refused):
            return pretend
        found = evaluate(self.estimator, pretend, self.target)
        if isinstance(found, Refused):
            return found
        if found.effects.terms != self.terms:
            return Refused("a placebo estimate", "it has other terms than the estimate")
        cells = found.fit.cells
        measured = measure(self.target, cells, cells.effect[None], cells.size[None], found.panel)
        if isinstance(measured, Refused):
            return measured
        if measured.before is None and self.gaps:
            return Refused("the RMSPE ratio of a placebo", "there is no pre-period gap")
        before = np.full(len(found.effects.terms), np.nan) if measured.before is None else measured.before[0]
        size: Float2 | Refused = np.full((len(before), 2), np.nan)
        if self.sized:
            size = own_size(self.target, found)
        if isinstance(size, Refused):
            return size
        effects = dict(zip(_keys(found), cells.effect.tolist(), strict=True))
        effect = np.array([effects.get(key, np.nan) for key in self.keys])
        return measured.estimate[0], measured.after[0], before, effect, size


def _block(estimator: Reassigns, panel: Panel, stand_ins: StandIns) -> Replicates | Refused:
    return estimator.reassigned(panel, stand_ins)


def pretended(panel: Panel, known: Int1, chosen: Int1) -> Panel:
    """The panel without its treated units, in which the `chosen` donors have the areas and starts of those `known`."""
    first = np.full(len(panel.units), np.inf)
    area = np.full(len(panel.units), -1, dtype=np.intp)
    first[chosen], area[chosen] = panel.first[known], panel.area[known]
    by_area = panel.grouped == "area"
    pretend = replace(panel, pairs=None).assign(first, area, panel.areas).drop(np.flatnonzero(np.isfinite(panel.first)))
    return pretend.by_area() if by_area else pretend


def counted_for(target: Target, panel: Panel, known: Int1, rows: Int1) -> Float2:
    """(S, n) what the stand-ins count for; as `Panel.weighted` says for the treated."""
    if target.weighting == "resident":
        assert panel.residents is not None
        return panel.residents[rows]
    weight = panel.weight[rows]
    if target.weighting == "unit":
        return weight
    together = panel.area[known][:, None] == panel.area[known]
    return np.asarray(weight / (weight @ together))


def _same(one: Cells, other: Cells) -> bool:
    return np.array_equal(one.group, other.group) and np.array_equal(one.period, other.period)


def _at(rows: Int1, values: Float2, count: int) -> Float2:
    out = np.full((count, *values.shape[1:]), np.nan)
    out[rows] = values
    return out


def _keys(found: Found) -> tuple[tuple[str, int], ...]:
    """Name of the group, and period, of every cell."""
    names, cells = found.panel.group_names, found.fit.cells
    return tuple((names[group], period) for group, period in zip(cells.group, cells.period.tolist(), strict=True))
