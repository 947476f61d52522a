"""How far the propensities of the treated and of the controls overlap: support, equipoise, concordance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from impact.arrays import Bool1, Float1, frozen, require
from impact.longtable import as_names, few
from impact.numerics.propensity import expit
from impact.plotted import Plotted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EQUIPOISE", "Overlap", "concordance"]

EQUIPOISE: Final = (0.3, 0.7)  # Walker et al. 2013


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Overlap(Plotted):
    """The propensities of both groups. Draw it with ``impact.design.charts.overlap``.

    Attributes
    ----------
    index : Index
        Names of the `n` units.
    treated : (n,) bool
        Some are, some are not.
    weight : (n,) float or None
    score : (n,) float
        Log odds of being treated.
    """

    index: pd.Index[Any]
    treated: Bool1
    weight: Float1 | None
    score: Float1

    def __post_init__(self) -> None:
        for name, dtype in (("treated", np.bool_), ("weight", np.float64), ("score", np.float64)):
            if (given := getattr(self, name)) is not None:
                object.__setattr__(self, name, frozen(given, dtype))
                require(name, getattr(self, name), (len(self.index),))

    @property
    def preference(self) -> Float1:
        """(n,) the propensity as it would be if as many were treated as not: its log odds less those of the share that
        is treated (Walker et al. 2013, Comparative Effectiveness Research 3, 11-20).
        """
        return np.asarray(expit(self.score - self.middle))

    @property
    def middle(self) -> float:
        """Log odds of the share that is treated, where the preference is a half."""
        return float(np.log(self.treated.sum() / (~self.treated).sum()))

    @property
    def equipoise(self) -> dict[str, float]:
        """Shares of `treated` and `control` whose preference is from 0.3 to 0.7.

        Walker et al. (2013) call two groups in empirical equipoise when both are at least a half.
        """
        inside = (self.preference >= EQUIPOISE[0]) & (self.preference <= EQUIPOISE[1])
        return {"treated": float(inside[self.treated].mean()), "control": float(inside[~self.treated].mean())}

    @property
    def support(self) -> dict[str, float]:
        """Shares of `treated` and `control` whose score lies within the range of the other group."""
        here, there = self.score[self.treated], self.score[~self.treated]
        return {"treated": _within(here, there), "control": _within(there, here)}

    @property
    def outside(self) -> tuple[str, ...]:
        """Treated units beyond the range of all controls: nobody is like them in propensity."""
        there = self.score[~self.treated]
        out = self.treated & ((self.score < there.min()) | (self.score > there.max()))
        return as_names(self.index[out])

    @property
    def concordance(self) -> dict[str, float]:
        """Chance that a treated unit has a higher score than a control, ties half, `before` and `after` weighting.

        A half is what groups of one distribution have, 1 what groups have that do not overlap.
        """
        even = np.ones(len(self.score))
        found = {"before": concordance(self.score, self.treated, even)}
        return found if self.weight is None else {**found, "after": concordance(self.score, self.treated, self.weight)}

    def table(self) -> pd.DataFrame:
        """One row per unit: `treated`, `score` (log odds), `propensity`, `preference`, and its `weight` if any."""
        import pandas as pd

        columns: dict[str, Any] = {
            "treated": self.treated,
            "score": self.score,
            "propensity": expit(self.score),
            "preference": self.preference,
        }
        if self.weight is not None:
            columns["weight"] = self.weight
        return pd.DataFrame(columns, index=self.index)

    def summary(self) -> str:
        """Support, equipoise and concordance in words."""
        support, equipoise = self.support, self.equipoise
        lines = [
            f"within the range of the other group: {support['treated']:.0%} of the treated, "
            f"{support['control']:.0%} of the controls",
            f"preference from {EQUIPOISE[0]} to {EQUIPOISE[1]}: {equipoise['treated']:.0%} of the treated, "
            f"{equipoise['control']:.0%} of the controls",
            "concordance: " + ", ".join(f"{value:.2f} {stage}" for stage, value in self.concordance.items()),
        ]
        if self.outside:
            lines.append(f"beyond all controls: {few([*self.outside])}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        return f"<Overlap: {self.summary().splitlines()[0]}>"


def concordance(score: Float1, treated: Bool1, weight: Float1) -> float:
    """Weighted share of pairs of a treated unit and a control in which the former has the higher score; ties half."""
    values, place = np.unique(score, return_inverse=True)
    here, there = (np.bincount(place, weight * group, minlength=len(values)) for group in (treated, ~treated))
    below = np.cumsum(there) - there / 2
    return float(here @ below / (here.sum() * there.sum()))


def _within(one: Float1, other: Float1) -> float:
    return float(((one >= other.min()) & (one <= other.max())).mean())
