"""Synthetic control: a weighted mean of donors that follows the treated area until the start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from impact.arrays import Bool2
from impact.cells import Fit, Weights
from impact.errors import Refused
from impact.estimators.protocol import Asks, Gives, guard
from impact.estimators.synthetic import Piece, Solved, fit_pieces, held, ignored, pieces, trace
from impact.numerics.simplex import GAP, solve
from impact.panel import Panel

__all__ = ["SyntheticControl"]


@dataclass(frozen=True, slots=True)
class SyntheticControl:
    """One exact simplex program per treated area, on its outcomes before the start.

    The weights minimise ``Σ_t (Ȳ_t − Σ_j w_j Y_jt)²`` over ``w ≥ 0, Σ w = 1``, with ``Ȳ`` the weighted mean of the
    area's units and every pre-period counting the same. Levels are compared: there is no base. On a panel grouped by
    cohort the programs are still solved per area, and a cohort's cells and donor weights are the means over its areas
    by treated weight. Where several weightings fit equally well the one of least norm is taken, and a note says so.
    Covariates are not used.

    Parameters
    ----------
    anticipation : int
        Periods before the start that are not fitted.

    References
    ----------
    Abadie, Diamond & Hainmueller (2010), JASA 105(490), section 2.3, with all pre-period outcomes as predictors of
    equal weight; Abadie (2021), JEL 59(2), section 3.2.
    """

    anticipation: int = 0

    name: ClassVar[str] = "synthetic-control"
    gives: ClassVar[Gives] = Gives.SURFACE | Gives.WEIGHTS
    asks: ClassVar[Asks] = Asks(min_pre=2, min_controls=2)

    def __post_init__(self) -> None:
        if self.anticipation < 0:
            raise ValueError("anticipation is a number of periods, 0 or more")

    def null_model(self) -> SyntheticControl:
        """Itself."""
        return self

    def fit(self, panel: Panel, *, learn: Bool2 | None = None, hold: Weights | None = None) -> Fit | Refused:
        """Cells for all periods (gaps before the start, effects after), surface, weights and one trace per area; see
        ``Estimator.fit``. Held weights are those of the groups."""
        refused = guard(panel, self.asks, self.name)
        if refused is not None:
            return refused
        parts = pieces(panel, learn, self.anticipation, by_area=hold is None)
        return fit_pieces(
            panel,
            parts,
            _solved if hold is None else held(hold),
            self.name,
            self.asks,
            learn,
            ignored(panel, self.name),
        )


def _solved(panel: Panel, part: Piece) -> Solved | Refused:
    donors = panel.y[np.ix_(part.donors, part.before)]
    found = solve(donors.T, part.share @ panel.y[np.ix_(part.rows, part.before)])
    if found.status != "optimal":
        return Refused(
            f"the synthetic control of {part.name}",
            f"the solver stopped at a gap of {found.gap:.1g}, above {GAP:.0g}",
            "Leave out donors whose level is far from all others.",
        )
    unit = np.zeros(len(panel.units))
    unit[part.donors] = found.weights
    # A corner of the set of minimisers has at most T0 + 1 donors (Carathéodory); with more, the set is not one point.
    unique = int((found.weights > 0).sum()) <= len(part.before) + 1
    return Solved(unit, np.zeros(len(panel.periods)), (trace("exact", found),), unique)
