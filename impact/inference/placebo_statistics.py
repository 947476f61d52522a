"""What is ranked among placebos: estimates, by themselves, beside the gaps before the start, or allowing for size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from impact.arrays import Float1, Float2, Float3, Int1
from impact.cells import Cells
from impact.errors import Refused
from impact.inference.protocol import PlaceboPaths
from impact.panel import Panel
from impact.targets import Target

__all__ = ["SHARES", "Measured", "Statistic", "least", "measure", "paths", "ratio", "sizes", "studentised"]

SHARES: Final = (0.05, 0.25, 0.75, 0.95)
"""Of the placebo sets, below which `paths` says what lies."""

Statistic = Literal["rmspe-ratio", "estimate", "studentised"]

# A fit this much closer than the placebos' later gaps is perfect; how much closer is rounding, and no evidence.
_PERFECT = 1e-4
# A gap this small beside the spread of the outcome, or its level, is none: which of two is larger is rounding too.
_NOTHING, _ROUNDING = 1e-9, 64 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Terms of `S` sets of cells.

    Attributes
    ----------
    estimate : (S, m) float
    after : (S, m) float
        Root mean square of the effects, weighted as the term weights them.
    before : (S, m) float or None
        Root mean square of the gaps before the start, of the groups as the term weights them; None without such gaps.
    """

    estimate: Float2
    after: Float2
    before: Float2 | None

    def each(self, change: Callable[[Float2], Float2]) -> Measured:
        """The same with `change` made in every array."""
        return Measured(change(self.estimate), change(self.after), None if self.before is None else change(self.before))


def measure(target: Target, cells: Cells, effect: Float2, size: Float2, panel: Panel) -> Measured | Refused:
    """Terms of many sets of the same cells, from their effects and sizes (S, C); a gap within rounding is 0."""
    effect = np.where(np.abs(effect) > _nothing(panel.y), effect, 0.0)
    estimate = target.many(cells, effect, size, panel)
    squares = target.many(cells, effect**2, size, panel)
    if isinstance(estimate, Refused):
        return estimate
    if isinstance(squares, Refused):
        return squares
    gaps = ~cells.post
    if not gaps.any():
        return Measured(estimate, np.sqrt(squares), None)
    mean = np.zeros(effect.shape)
    for group in np.unique(cells.group):
        own = cells.group == group
        if (own & gaps).any():
            mean[:, own] = (effect[:, own & gaps] ** 2).mean(axis=1)[:, None]
    before = target.many(cells, mean, size, panel)
    return before if isinstance(before, Refused) else Measured(estimate, np.sqrt(squares), np.sqrt(before))


def paths(target: Target, cells: Cells, effect: Float2) -> PlaceboPaths | None:
    """Where sets of the cells (S, C) lie by periods since the start; groups count as the treated themselves count.

    None where the target is about single groups, or no period has a value in every set.
    """
    if target.kind not in ("average", "event") or not len(effect):
        return None
    events = np.unique(cells.event)
    share = np.where(cells.event[:, None] == events, cells.size[:, None], 0.0)
    share /= share.sum(axis=0)
    whole = [place for place in range(len(events)) if np.isfinite(effect[:, share[:, place] > 0]).all()]
    if not whole:
        return None
    found = np.column_stack([effect[:, own] @ share[own, place] for place in whole for own in [share[:, place] > 0]])
    return PlaceboPaths(events[whole].astype(np.intp), np.quantile(found, SHARES, axis=0).T, len(found))


def ratio(measured: Measured, floor: Float1) -> Float2 | Refused:
    """(S, m) root mean square after the start over that before; `floor` (m,) is the least that counts before."""
    if measured.before is None:
        return Refused(
            "the RMSPE ratio", "there is no pre-period gap", "Use statistic='estimate', or add earlier periods."
        )
    return np.asarray(measured.after / np.maximum(measured.before, floor))


def least(placebos: Measured, outcome: Float2) -> Float1:
    """(m,) the least root mean square before the start that counts."""
    return np.maximum(_PERFECT * np.median(placebos.after, axis=0), _nothing(outcome))


def _nothing(outcome: Float2) -> float:
    """The largest gap that may be rounding."""
    level = max(float(np.nanmax(np.abs(outcome))), float(np.finfo(np.float64).tiny))
    return max(_NOTHING * float(np.nanstd(outcome)), _ROUNDING * level)


def sizes(
    target: Target, cells: Cells, size: Float2, panel: Panel, treated: Int1, weight: Float2, residents: Float2
) -> Float3 | Refused:
    """(S, m, 2) what multiplies A and B in the variance of every term; see `studentised`.

    A term is the sum of its areas' effects with shares w that sum to 1: the variance is Σ w² (A + B / M).

    Parameters
    ----------
    target : Target
        What is asked of the cells.
    cells : Cells
        Of any one set.
    size : (S, C) float
        Sizes of the cells.
    panel : Panel
        Prepared by the target.
    treated : (n,) int
        Rows whose groups and areas these are.
    weight, residents : (S, n) float
        What the treated units, or those in their place, count for, and their residents.
    """
    group, member = panel.group[treated], (panel.area[treated][:, None] == np.unique(panel.area[treated])).astype(float)
    people = residents @ member
    shares = np.zeros((len(size), member.shape[1], 1))
    for one in np.unique(cells.group):
        of_group = target.many(cells, np.broadcast_to(cells.group == one, size.shape).astype(float), size, panel)
        if isinstance(of_group, Refused):
            return of_group
        held = (weight * (group == one)) @ member
        shares = shares + (held / held.sum(axis=1, keepdims=True))[:, :, None] * of_group[:, None, :]
    squares = shares**2
    return np.stack([squares.sum(axis=1), (squares / people[:, :, None]).sum(axis=1)], axis=-1)


def studentised(
    estimate: Float2, size: Float3, observed: Float1, own: Float2
) -> tuple[Float2, Float1, tuple[Refused | None, ...]]:
    """Absolute estimates over the root of the variance that their sizes give them.

    The variance of an area's effect is A + B / M with M its residents: A what all residents share, B what each has of
    his own. Both come from the placebos, by least squares of their squared estimates with A and B not negative.

    Parameters
    ----------
    estimate, size : (S, m) and (S, m, 2) float
        Of the placebos; see `sizes`.
    observed, own : (m,) and (m, 2) float
        Of the treated.

    Returns
    -------
    (S, m) float, (m,) float, tuple of Refused or None
        The statistic of the placebos, of the treated, and why a term has none.

    References
    ----------
    Ferman & Pinto (2019), Review of Economics and Statistics 101(3), section III. Several areas: as independent.
    """
    from scipy.optimize import nnls

    placebos, treated = np.zeros(estimate.shape), np.zeros(len(observed))
    refused: list[Refused | None] = []
    for term in range(len(observed)):
        scale = np.maximum(size[:, term].mean(axis=0), np.finfo(np.float64).tiny)
        design, ours = size[:, term] / scale, own[term] / scale
        # One size only: A and B cannot be told apart, which matters where the treated are of another.
        apart = np.linalg.matrix_rank(np.vstack([design, ours]), tol=1e-9 * np.sqrt(len(design)))
        if apart > np.linalg.matrix_rank(design, tol=1e-9 * np.sqrt(len(design))):
            refused.append(
                Refused(
                    "a studentised p-value",
                    "the placebo areas are all of one size and the treated of another, so what size does is not known",
                    "Use sets='random', or statistic='rmspe-ratio'.",
                )
            )
            continue
        typical = float(np.mean(estimate[:, term] ** 2)) or 1.0
        parts = nnls(design, estimate[:, term] ** 2 / typical)[0] * typical
        least = 1e-12 * typical
        placebos[:, term] = np.abs(estimate[:, term]) / np.sqrt(np.maximum(design @ parts, least))
        treated[term] = np.abs(observed[term]) / np.sqrt(max(float(ours @ parts), least))
        refused.append(None)
    return placebos, treated, tuple(refused)
