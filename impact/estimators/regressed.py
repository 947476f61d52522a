"""Imputation with covariates: one regression over the untreated cells, solved for all cells and scores at once.

``Y(0)_it = α_i + β_t + x_i' δ_t + z_it' γ``: fixed covariates have a slope of their own in every period (a fixed slope
would vanish in the unit effect), varying ones one slope. Unit effects are partialled out, so the normal equations have
``T (1 + p) + r`` rows whatever the number of units.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from impact.arrays import Bool1, Bool2, Float1, Float2, Float3, Int1
from impact.cells import Cells
from impact.errors import Refused
from impact.estimators.linear import own_weight
from impact.estimators.linear_scores import coupled_together
from impact.estimators.paths import Regressed
from impact.estimators.plan import Plan, one_cluster
from impact.numerics.moments import strata
from impact.panel import Panel
from impact.scores import ScoreBlock, Scores, by_cluster

__all__ = ["fit_regressed"]

# Of a direction relative to the largest one, and of a cell that lies in a direction which is not determined.
_RANK, _UNKNOWN = 1e-10, 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class _Design:
    """The regression: `a` (N, 1 + p) is one and the fixed covariates, `z` (N, T, r) the varying ones."""

    a: Float2
    z: Float3
    within: Float3  # (K, T, T)
    open: Bool2  # (N, T)
    place: Int1
    group: Int1
    weight: Float1

    @property
    def length(self) -> int:
        return int(self.open.shape[1])

    def demeaned(self, values: Float3) -> Float3:
        """(N, T, ...) without the mean over the open cells of each unit; 0 in the others."""
        mask = self.open[..., None]
        count = np.maximum(self.open.sum(axis=1), 1)[:, None, None]
        inside = np.where(mask, values, 0.0)
        return np.where(mask, inside - inside.sum(axis=1, keepdims=True) / count, 0.0)

    def stacked(self, periods: Float3, slopes: Float2) -> Float2:
        """(..., Q) from (..., 1 + p, T) and (..., r)."""
        return np.concatenate([periods.reshape(*periods.shape[:-2], -1), slopes], axis=-1)

    def normal(self) -> Float2:
        """(Q, Q) normal equations."""
        parts, size, length = len(self.within), self.a.shape[1], self.length
        pairs = np.einsum("na,nb->nab", self.a * self.weight[:, None], self.a).reshape(len(self.a), -1)
        gram = by_cluster(pairs, self.place, parts).reshape(parts, size, size)
        top = np.einsum("kab,kts->atbs", gram, self.within, optimize=True).reshape(size * length, size * length)
        z = self.demeaned(self.z)
        cross = np.einsum("na,ntr->atr", self.a * self.weight[:, None], z).reshape(size * length, -1)
        own = np.einsum("n,ntr,nts->rs", self.weight, z, z, optimize=True)
        return np.block([[top, cross], [cross.T, own]])

    def moments(self, residual: Float2) -> Float2:
        """(N, Q) what each unit adds to the normal equations, from residuals (N, T) without unit effects."""
        periods = self.a[:, :, None] * (residual * self.weight[:, None])[:, None, :]
        slopes = np.einsum("ntr,nt->nr", self.demeaned(self.z), residual * self.weight[:, None])
        return self.stacked(periods, slopes)

    def predicted(self, psi: Float1) -> Float2:
        """(N, T) period effects and covariates, without unit effects."""
        size = self.a.shape[1] * self.length
        return np.asarray(self.a @ psi[:size].reshape(self.a.shape[1], self.length) + self.z @ psi[size:])


def fit_regressed(panel: Panel, plan: Plan, *, slopes: bool) -> tuple[Cells, Float2, None] | Refused:
    """Cells with scores and the imputed surface of a `plan` over one regression, with the covariates of `panel`.

    `slopes`: treated cells have slopes on the fixed covariates of their own, around the mean of their group (the
    errors are then those of the saturated regression).
    """
    if not isinstance(plan.rule, Regressed):
        raise ValueError("covariates are adjusted for in a regression")
    place, known = strata(panel)
    asked = _covariates(panel, plan.rule.open[place])
    if isinstance(asked, Refused):
        return asked
    a, z, names = asked
    weight = own_weight(panel)
    design = _Design(a, z, plan.rule.within, plan.rule.open[place], place, panel.group, weight)
    y = np.nan_to_num(panel.y)
    normal = design.normal()
    values, vectors = np.linalg.eigh(normal)
    determined = values > _RANK * values[-1]
    inverse = (vectors[:, determined] / values[determined]) @ vectors[:, determined].T
    psi = inverse @ design.moments(design.demeaned(y[..., None])[..., 0]).sum(axis=0)
    rest = y - design.predicted(psi)
    residual = design.demeaned(rest[..., None])[..., 0]

    cells = _own(plan, panel, design, rest, place)
    lost = np.abs(cells.pull @ (vectors[:, ~determined] @ vectors[:, ~determined].T)).max(axis=1, initial=0.0)
    unit = np.abs(cells.pull).max(axis=1)
    alive = (cells.size > 0) & (lost <= _UNKNOWN * unit)
    dummies = {int(cell): _dummy(plan, design, int(cell), inverse, residual) for cell in np.flatnonzero(plan.dummy)}
    cells = cells.beside(dummies, design)
    for number, found in dummies.items():
        alive[number] &= found.known
    post = plan.period >= known.starts[plan.group]
    if not (alive & post).any():
        return Refused(
            "the adjustment for " + ", ".join(names),
            "the untreated cells do not determine the course that these covariates predict for the treated units",
            "Use fewer covariates, or a wider donor pool.",
        )
    keep = np.flatnonzero(alive)
    effect = cells.effect[keep]
    blocks = _scores(panel, plan, design, cells, keep, dummies, inverse, residual, slopes)
    if isinstance(blocks, Refused):
        return blocks
    untreated = np.full(panel.y.shape, np.nan)
    for cell in keep:
        rows, gap = cells.gap(int(cell))
        untreated[rows, plan.period[cell]] = panel.y[rows, plan.period[cell]] - gap
    scores = Scores(tuple(blocks), len(panel.clusters), plan.conditional)
    group, period = plan.group[keep], plan.period[keep]
    return Cells(effect, group, known.starts[group], period, cells.size[keep], scores), untreated, None


@dataclass(frozen=True, slots=True, eq=False)
class _Own:
    """What the units of the cells' own groups do: their gaps, and how the effect leans on the regression."""

    effect: Float1  # (C,)
    size: Float1  # (C,)
    pull: Float2  # (C, Q) derivative of the effect with respect to the coefficients, times -1
    rows: tuple[tuple[Int1, Float2], ...]  # per cell its units and their change (n, T)
    rest: Float2
    lean: dict[int, tuple[float, Float2]] = field(default_factory=dict)

    def gap(self, cell: int) -> tuple[Int1, Float1]:
        """Units of the cell, and what each deviates from what was imputed."""
        rows, change = self.rows[cell]
        rest = self.rest[rows]
        if cell in self.lean:
            coefficient, predicted = self.lean[cell]
            rest = rest + coefficient * predicted
        return rows, (change * rest).sum(axis=1)

    def beside(self, dummies: dict[int, _Dummy], design: _Design) -> _Own:
        """The same where some cells are compared with what is learned from all other cells."""
        effect, lean = self.effect.copy(), {}
        for cell, dummy in dummies.items():
            effect[cell] += dummy.coefficient * float(self.pull[cell] @ dummy.coefficients)
            lean[cell] = (dummy.coefficient, design.predicted(dummy.coefficients)[self.rows[cell][0]])
        return replace(self, effect=effect, lean=lean)


@dataclass(frozen=True, slots=True, eq=False)
class _Dummy:
    """A dummy for one cell in the regression: its coefficient, those of the other regressors on it, its weight left."""

    known: bool
    coefficient: float
    coefficients: Float1  # (Q,)
    kept: float


def _own(plan: Plan, panel: Panel, design: _Design, rest: Float2, place: Int1) -> _Own:
    count = len(plan.group)
    effect, size = np.zeros(count), np.zeros(count)
    pull = []
    rows: list[tuple[Int1, Float2]] = []
    members = {int(stratum): np.flatnonzero(place == stratum) for stratum in np.unique(plan.stratum)}
    for cell in range(count):
        entries = np.flatnonzero(plan.cell == cell)
        units = np.concatenate([members[int(stratum)] for stratum in plan.stratum[entries]])
        change = np.concatenate(
            [np.tile(plan.change[entry], (len(members[int(plan.stratum[entry])]), 1)) for entry in entries]
        )
        weight = panel.weight[units]
        size[cell] = weight.sum()
        share = weight / size[cell] if size[cell] > 0 else weight
        effect[cell] = share @ (change * rest[units]).sum(axis=1)
        periods = np.einsum("n,na,nt->at", share, design.a[units], change)
        slopes = np.einsum("n,nt,ntr->r", share, change, design.z[units])
        pull.append(design.stacked(periods, slopes))
        rows.append((units, change))
    return _Own(effect, size, np.array(pull), tuple(rows), rest)


def _dummy(plan: Plan, design: _Design, cell: int, inverse: Float2, residual: Float2) -> _Dummy:
    left, coefficients = _dummy_residual(plan, design, cell, inverse)
    own = left[:, int(plan.period[cell])] * (design.group == plan.group[cell]) * design.open[:, int(plan.period[cell])]
    kept, total = float(design.weight @ own), float(design.weight @ (own != 0))
    known = kept > _UNKNOWN * total
    moved = float(np.einsum("n,nt,nt->", design.weight, left, residual, optimize=True))
    return _Dummy(known, moved / kept if known else 0.0, coefficients, kept if known else 1.0)


def _scores(
    panel: Panel,
    plan: Plan,
    design: _Design,
    cells: _Own,
    keep: Int1,
    dummies: dict[int, _Dummy],
    inverse: Float2,
    residual: Float2,
    slopes: bool,
) -> list[ScoreBlock] | Refused:
    """Scores by cluster: a block for the regression, and one for the own units of every cell."""
    right = -(inverse @ cells.pull[keep].T)
    left = design.moments(residual)
    clusters = np.arange(len(panel.clusters))
    blocks = [ScoreBlock(by_cluster(left, panel.cluster, len(clusters)), right, clusters)]
    controls = np.flatnonzero((design.weight > 0) & ~panel.treated)
    if panel.pairs is not None:
        blocks += coupled_together(panel, design.weight, controls, left[controls] @ right)
    for group in np.unique(plan.group[keep]):
        columns = np.flatnonzero(plan.group[keep] == group)
        own = np.zeros((len(panel.units), len(columns)))
        for place, column in enumerate(columns):
            score = _own_score(panel, plan, design, cells, int(keep[column]), slopes)
            if score is None:
                return one_cluster(panel.group_names[group])
            own[:, place] = score
        homes, home = np.unique(panel.cluster[own.any(axis=1)], return_inverse=True)
        sums = by_cluster(own[own.any(axis=1)], home, len(homes))
        blocks.append(ScoreBlock(sums, np.eye(len(keep))[columns], homes))
    for column in np.flatnonzero(plan.dummy[keep]):
        # A cell with a dummy of its own leans on what the dummy leaves to the others, and on its coefficient.
        cell = int(keep[column])
        dummy, (away, _) = dummies[cell], _dummy_residual(plan, design, cell, inverse)
        lean = float(cells.pull[cell] @ dummy.coefficients) / dummy.kept
        score = -dummy.coefficient * (design.moments(away) @ right[:, column])
        score = score + lean * design.weight * (away * (residual - dummy.coefficient * away)).sum(axis=1)
        blocks.append(
            ScoreBlock(by_cluster(score[:, None], panel.cluster, len(clusters)), np.eye(len(keep))[[column]], clusters)
        )
    return blocks


def _own_score(panel: Panel, plan: Plan, design: _Design, cells: _Own, cell: int, slopes: bool) -> Float1 | None:
    """(N,) what the cell's own units deviate from its centre (``Plan.centre``), over its weight.

    None when the cell rests on one cluster, which cannot be left out of its centre.
    """
    rows, gap = cells.gap(cell)
    weight = panel.weight[rows]
    away = gap - cells.effect[cell]
    if slopes and not plan.dummy[cell] and design.a.shape[1] > 1:
        x = design.a[rows, 1:] - np.average(design.a[rows, 1:], axis=0, weights=weight)
        root = np.sqrt(weight)
        away = away - x @ np.linalg.lstsq(x * root[:, None], away * root, rcond=None)[0]
    if plan.centre != "mean" and plan.period[cell] >= panel.groups[plan.group[cell]]:
        homes, home = np.unique(panel.cluster[rows], return_inverse=True)
        mass = np.bincount(home, weights=weight, minlength=len(homes))
        square = (mass**2).sum()
        away = away - mass @ np.bincount(home, weights=weight * away, minlength=len(homes)) / square
        if plan.centre == "leave-one-out":
            rest = square - mass**2
            if (rest <= _UNKNOWN * square).any():
                return None
            away = away * (square / rest)[home]
    out = np.zeros(len(panel.units))
    out[rows] = weight * away / cells.size[cell]
    return out


def _dummy_residual(plan: Plan, design: _Design, cell: int, inverse: Float2) -> tuple[Float2, Float1]:
    """(N, T) the dummy of a cell after the regression, and the (Q,) coefficients of that regression."""
    t = int(plan.period[cell])
    dummy = np.zeros(design.open.shape)
    dummy[:, t] = design.open[:, t] & (design.group == plan.group[cell])
    coefficients = inverse @ design.moments(design.demeaned(dummy[..., None])[..., 0]).sum(axis=0)
    rest = dummy - np.where(design.open, design.predicted(coefficients), 0.0)
    return np.asarray(design.demeaned(rest[..., None])[..., 0]), coefficients


def _covariates(panel: Panel, open_: Bool2) -> tuple[Float2, Float3, tuple[str, ...]] | Refused:
    """(N, 1 + p), (N, T, r) and the names of the covariates, on a common scale; a missing value is a refusal."""
    fixed = {name: values[:, 0] for name, values in panel.covariates.items() if values.shape[1] == 1}
    varying = {name: values for name, values in panel.covariates.items() if values.shape[1] > 1}
    needed = open_ | (panel.treated_cells() & ~np.isnan(panel.y))
    bad = [name for name, values in fixed.items() if not np.isfinite(values).all()]
    bad += [name for name, values in varying.items() if not np.isfinite(values[needed]).all()]
    if bad:
        return Refused(
            "the adjustment for covariates",
            f"the covariates {', '.join(bad)} have missing values",
            "Complete them or leave them out; nothing is filled in.",
        )
    columns = [np.ones(len(panel.units)), *(_standard(values, _all(values)) for values in fixed.values())]
    z = [np.where(needed, _standard(values, needed), 0.0) for values in varying.values()]
    stacked = np.stack(z, axis=-1) if z else np.zeros((*panel.y.shape, 0))
    return np.column_stack(columns), stacked, tuple(panel.covariates)


def _all(values: Float1) -> Bool1:
    return np.ones(values.shape, dtype=bool)


def _standard(values: Float2, inside: Bool2) -> Float2:
    """Mean 0 and spread 1 over the cells that count: the fit is the same, and the equations are well conditioned."""
    spread = values[inside].std()
    return np.asarray((values - values[inside].mean()) / (spread if spread > 0 else 1.0))
