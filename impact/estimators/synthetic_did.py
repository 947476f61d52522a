"""Synthetic difference-in-differences: weighted donors, weighted base periods, and a fixed difference in level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np

from impact.arrays import Float1, Float2
from impact.errors import Refused
from impact.estimators.did import DiD
from impact.estimators.synthetic import Piece, Solved, Synthetic, placed, trace
from impact.numerics.simplex import GAP, Simplex, solve, solve_fw
from impact.panel import Panel

__all__ = ["Solver", "SyntheticDiD"]

Solver = Literal["exact", "fw"]


@dataclass(frozen=True, slots=True)
class SyntheticDiD(Synthetic):
    """Per group two simplex programs: unit weights ω with a ridge, and weights λ of the periods before the start.

    ``ω`` makes the donors run parallel to the treated mean before the start, ``λ`` makes the pre-periods predict the
    donors' mean afterwards; both have an intercept. With ``noise`` the standard deviation of the donors' changes
    between pre-periods, the ridges are ``ζ_ω = (N_treated T_post)^(1/4) noise`` and ``ζ_λ = 1e-6 noise``. Cells are
    ``(Ȳ_t − ω'Y_t) − λ'(Ȳ − ω'Y)``. A group is a cohort (Clarke et al. 2023), or a treated area on a panel grouped by
    area. With many treated units the ridge makes ω almost uniform, and this becomes difference-in-differences with
    weighted base periods; grouped by area it does not. Covariates are not used.

    The noise includes change that all units share: a common shock before the start changes the ridge, as in the paper.

    Parameters
    ----------
    solver : {"exact", "fw"}
        ``exact`` solves both programs to their certificate. ``fw`` stops as the R package ``synthdid`` 0.0.9 does, for
        comparison with it.
    anticipation, missing
        See `Synthetic`.

    References
    ----------
    Arkhangelsky, Athey, Hirshberg, Imbens & Wager (2021), American Economic Review 111(12), Algorithm 1, eqs. 4-6;
    Clarke, Pailañir, Athey & Imbens (2023), IZA DP 15907, for staggered starts.
    """

    solver: Solver = "exact"

    name: ClassVar[str] = "synthetic-did"
    by_area: ClassVar[bool] = False

    def __post_init__(self) -> None:
        Synthetic.__post_init__(self)
        if self.solver not in get_args(Solver):
            raise ValueError(f"solver={self.solver!r} is not one of {', '.join(get_args(Solver))}")

    def null_model(self) -> DiD:
        """Difference-in-differences: refitted under a null, weights that see the tested periods leave no power."""
        return DiD(self.anticipation)

    def solved(self, panel: Panel, part: Piece) -> Solved | Refused:
        """Two programs: weights of the units, and of the periods before the start."""
        donors = panel.y[part.donors]
        before = donors[:, part.before]
        treated = part.share @ panel.y[np.ix_(part.rows, part.before)]
        after = donors[:, int(panel.first[part.rows[0]]) :]
        noise = float(np.std(np.diff(before, axis=1), ddof=1))
        ridge = (len(part.rows) * after.shape[1]) ** 0.25 * noise
        omega = self._program(before.T, treated, ridge, noise)
        lam = self._program(before, after.mean(axis=1), 1e-6 * noise, noise)
        for found, what in ((omega, "unit"), (lam, "time")):
            if found.status == "not converged":
                return Refused(
                    f"the {what} weights of {part.name}",
                    f"the solver stopped at a gap of {found.gap:.1g}, above {GAP:.0g}",
                    "Leave out donors whose course is far from all others.",
                )
        time = np.zeros(len(panel.periods))
        time[part.before] = lam.weights
        return Solved(placed(panel, part, omega.weights), time, (trace(self.solver, omega), trace(self.solver, lam)))

    def _program(self, a: Float2, b: Float1, zeta: float, noise: float) -> Simplex:
        """Least squares of b on the columns of a, with intercept: both are centred over the rows."""
        a, b, penalty = a - a.mean(axis=0), b - b.mean(), len(b) * zeta**2
        if self.solver == "exact":
            return solve(a, b, ridge=penalty)
        return solve_fw(a, b, ridge=penalty, min_decrease=1e-5 * noise)
