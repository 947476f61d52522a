"""What a two-way fixed effects coefficient is made of: all comparisons of two groups (Goodman-Bacon 2021)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from impact.arrays import Float1, Float2, frozen, require
from impact.errors import Refused
from impact.estimators.regression import weights
from impact.estimators.twfe import TWFE
from impact.panel import Panel
from impact.plotted import Plotted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Comparison", "Decomposition", "decompose"]

Comparison = Literal["treated vs untreated", "earlier vs later", "later vs earlier"]


@dataclass(frozen=True, slots=True, eq=False)
class Decomposition(Plotted):
    """`m` comparisons of two groups by means of two spans of time, whose weighted sum is the coefficient.

    Attributes
    ----------
    treated, other : (m,) tuple of str
        Start of the group whose treatment changes, and of the group it is compared with; "untreated" for units that
        stay untreated in the panel.
    kind : (m,) tuple of {"treated vs untreated", "earlier vs later", "later vs earlier"}
        In the last kind the other group is treated already; its effects, if they change, are subtracted.
    weight : (m,) float
        At least 0; they sum to 1.
    estimate : (m,) float
        The two-by-two difference-in-differences, in units of the outcome.
    coefficient : float
        Of the regression, computed as a regression.
    unit : str
        Of the outcome.
    notes : tuple of str
    """

    treated: tuple[str, ...]
    other: tuple[str, ...]
    kind: tuple[Comparison, ...]
    weight: Float1
    estimate: Float1
    coefficient: float
    unit: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("weight", "estimate"):
            array = frozen(getattr(self, name))
            require(name, array, (len(self.kind),))
            object.__setattr__(self, name, array)

    @property
    def total(self) -> float:
        """The weighted sum of the comparisons, equal to `coefficient`."""
        return float(self.weight @ self.estimate)

    def by_kind(self) -> dict[Comparison, tuple[float, float]]:
        """Weight of every kind that occurs, and the weighted mean of its estimates."""
        out: dict[Comparison, tuple[float, float]] = {}
        for kind in get_args(Comparison):
            inside = np.array([one == kind for one in self.kind])
            mass = float(self.weight[inside].sum())
            if mass > 0:
                out[kind] = mass, float(self.weight[inside] @ self.estimate[inside]) / mass
        return out

    def summary(self) -> str:
        """The coefficient, and what every kind of comparison adds to it."""
        lines = [f"coefficient {self.coefficient:.4g}{f' {self.unit}' if self.unit else ''}"]
        lines += [f"  {kind}: weight {mass:.1%}, mean {mean:.4g}" for kind, (mass, mean) in self.by_kind().items()]
        return "\n".join([*lines, *self.notes])

    def table(self) -> pd.DataFrame:
        """One row per comparison, heaviest first: treated, other, kind, weight, estimate."""
        import pandas as pd

        columns = {name: getattr(self, name) for name in ("treated", "other", "kind", "weight", "estimate")}
        return pd.DataFrame(columns).sort_values("weight", ascending=False, kind="stable", ignore_index=True)


def decompose(panel: Panel) -> Decomposition | Refused:
    """The coefficient of `TWFE` with a constant effect as a weighted sum of two-by-two comparisons.

    Covariates are left out of it, with a note. Units that were treated from the first period on are not in a panel
    (``Panel.aside``), so no comparison is with them. Weights are those of the regression: matched controls count as
    matching says.

    Parameters
    ----------
    panel : Panel
        Balanced; a unit without weight takes no part.

    Returns
    -------
    Decomposition or Refused
        Refused where the regression has no coefficient, and with missing cells: the theorem is for balanced panels.

    References
    ----------
    Goodman-Bacon (2021), Journal of Econometrics 225(2), Theorem 1 (eqs. 10a-10g). Unit weights take the place of unit
    counts; the squares of the paper cancel against its shares within a pair.
    """
    plain = replace(panel, covariates={})
    found = TWFE().regress(plain)
    if isinstance(found, Refused):
        return replace(found, what="a decomposition")
    missing = ~np.isfinite(panel.y) & (found.weight > 0)[:, None]
    if missing.any():
        return Refused(
            "a decomposition",
            f"{int(missing.any(axis=1).sum())} units miss the outcome in some period and it is one of balanced panels",
            "Leave these units or periods out by name; impact.estimators.twfe.cell_weights needs no balance.",
        )
    coefficient = float(found.solved.coefficient[0])
    if not np.isfinite(coefficient):
        return Refused(
            "a decomposition",
            "treatment cannot be told apart from the unit and period effects",
            "Add units that stay untreated, or periods in which some are treated and others are not.",
        )
    starts, names, share, mean = _groups(panel)
    rows = [*_with_untreated(starts, share, mean), *_with_each_other(starts, share, mean)]
    mass = np.array([row[3] for row in rows])
    note = f"the covariates {', '.join(panel.covariates)} are not in this regression"
    return Decomposition(
        tuple(names[row[0]] for row in rows),
        tuple(names[row[1]] for row in rows),
        tuple(row[2] for row in rows),
        mass / mass.sum(),
        np.array([row[4] for row in rows]),
        coefficient,
        panel.unit,
        (note,) if panel.covariates else (),
    )


_Row = tuple[int, int, Comparison, float, float]


def _groups(panel: Panel) -> tuple[list[int], list[str], Float1, Float2]:
    """Starts of the groups, their names, shares of the weight and mean courses; those who stay untreated come last."""
    weight, length = weights(panel), len(panel.periods)
    first = np.where(panel.treated, panel.first, length).astype(np.intp)
    starts = [int(start) for start in np.unique(first[weight > 0])]
    inside = [(first == start) * weight for start in starts]
    share = np.array([own.sum() for own in inside]) / weight.sum()
    mean = np.array([own @ np.where(own[:, None] > 0, panel.y, 0.0) / own.sum() for own in inside])
    return starts, [panel.periods[start] if start < length else "untreated" for start in starts], share, mean


def _with_untreated(starts: list[int], share: Float1, mean: Float2) -> list[_Row]:
    """Every cohort against those who stay untreated: weight n_k n_U D_k (1 - D_k), eq. 10e."""
    length = mean.shape[1]
    last = len(starts) - 1
    if starts[last] < length:
        return []
    rows: list[_Row] = []
    for k, start in enumerate(starts[:last]):
        treated = (length - start) / length
        change = _change(mean[k] - mean[last], slice(0, start), slice(start, length))
        rows.append((k, last, "treated vs untreated", share[k] * share[last] * treated * (1 - treated), change))
    return rows


def _with_each_other(starts: list[int], share: Float1, mean: Float2) -> list[_Row]:
    """Every pair of cohorts, k before l: before l starts (weight n_k n_l (D_k - D_l) (1 - D_k), eq. 10f) and after k
    has started (n_k n_l D_l (D_k - D_l), eq. 10g)."""
    length = mean.shape[1]
    rows: list[_Row] = []
    for k, early in enumerate(starts):
        for l, late in enumerate(starts[k + 1 :], start=k + 1):  # noqa: E741 (the letters of the paper)
            if late >= length:
                continue
            d_k, d_l = (length - early) / length, (length - late) / length
            both = share[k] * share[l] * (d_k - d_l)
            gap = mean[k] - mean[l]
            before = _change(gap, slice(0, early), slice(early, late))
            after = -_change(gap, slice(early, late), slice(late, length))
            rows.append((k, l, "earlier vs later", both * (1 - d_k), before))
            rows.append((l, k, "later vs earlier", both * d_l, after))
    return rows


def _change(gap: Float1, before: slice, after: slice) -> float:
    return float(gap[after].mean() - gap[before].mean())
