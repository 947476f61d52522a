"""Synthetic control: a weighted mean of donors that follows the treated area until the start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from impact.errors import Refused
from impact.estimators.synthetic import Piece, Solved, Synthetic, placed, trace
from impact.numerics.simplex import GAP, solve
from impact.panel import Panel

__all__ = ["SyntheticControl"]


@dataclass(frozen=True, slots=True)
class SyntheticControl(Synthetic):
    """One exact simplex program per treated area, on its outcomes before the start.

    The weights minimise ``Σ_t (Ȳ_t − Σ_j w_j Y_jt)²`` over ``w ≥ 0, Σ w = 1``, with ``Ȳ`` the weighted mean of the
    area's units and every pre-period counting the same. Levels are compared: there is no base. On a panel grouped by
    cohort the programs are still solved per area, and a cohort's cells and donor weights are the means over its areas
    by treated weight. Where several weightings fit equally well the one of least norm is taken, and a note says so.
    Covariates are not used.

    See `Synthetic` for the parameters.

    References
    ----------
    Abadie, Diamond & Hainmueller (2010), JASA 105(490), section 2.3, with all pre-period outcomes as predictors of
    equal weight; Abadie (2021), JEL 59(2), section 3.2.
    """

    name: ClassVar[str] = "synthetic-control"

    def null_model(self) -> SyntheticControl:
        """Itself."""
        return self

    def solved(self, panel: Panel, part: Piece) -> Solved | Refused:
        """One exact program."""
        donors = panel.y[np.ix_(part.donors, part.before)]
        found = solve(donors.T, part.share @ panel.y[np.ix_(part.rows, part.before)])
        if found.status != "optimal":
            return Refused(
                f"the synthetic control of {part.name}",
                f"the solver stopped at a gap of {found.gap:.1g}, above {GAP:.0g}",
                "Leave out donors whose level is far from all others.",
            )
        # A corner of the set of minimisers has at most T0 + 1 donors (Carathéodory); with more, it is not one point.
        unique = int((found.weights > 0).sum()) <= len(part.before) + 1
        none = np.zeros(len(panel.periods))
        return Solved(placed(panel, part, found.weights), none, (trace("exact", found),), unique)
