"""Synthetic difference-in-differences: weighted donors, weighted base periods, and a fixed difference in level."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Literal, get_args

import numpy as np

from impact.arrays import Bool2, Float1, Float2
from impact.cells import Fit, Note, Weights
from impact.errors import Refused
from impact.estimators.diagnostics import EVEN
from impact.estimators.did import DiD
from impact.estimators.projection import project
from impact.estimators.protocol import Replicates, StandIns, guard
from impact.estimators.reassigned import reassign
from impact.estimators.synthetic import Piece, Solved, Synthetic, placed, trace
from impact.estimators.synthetic_did_many import LAMBDA, doubly_weighted, omega, unsolved
from impact.numerics.simplex import Simplex, solve, solve_fw
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
    weighted base periods; a note says so. Grouped by area the ridge is smaller.

    The noise includes change that all units share: a common shock before the start changes the ridge, as in the paper.

    Covariates that change over time are taken out of the outcome beforehand, with slopes learned from untreated cells
    (see ``impact.estimators.projection``); weights and noise are then those of the adjusted outcome, and so are the
    outcomes that the weights reproduce the cells from. Fixed covariates say nothing beside the intercepts.

    Parameters
    ----------
    solver : {"exact", "fw"}
        ``exact`` solves both programs to their certificate. ``fw`` stops as the R package ``synthdid`` 0.0.9 does, for
        comparison with it.
    zeta : float
        What ``ζ_ω`` of the paper is multiplied by; above 0.
    anticipation, missing
        See `Synthetic`.

    References
    ----------
    Arkhangelsky, Athey, Hirshberg, Imbens & Wager (2021), American Economic Review 111(12), Algorithm 1, eqs. 4-6;
    Clarke, Pailañir, Athey & Imbens (2023), IZA DP 15907, for staggered starts; Kranz (2022), for covariates.
    """

    solver: Solver = "exact"
    zeta: float = 1.0

    name: ClassVar[str] = "synthetic-did"
    by_area: ClassVar[bool] = False

    def __post_init__(self) -> None:
        Synthetic.__post_init__(self)
        if self.solver not in get_args(Solver):
            raise ValueError(f"solver={self.solver!r} is not one of {', '.join(get_args(Solver))}")
        if not 0 < self.zeta < np.inf:
            raise ValueError(f"zeta={self.zeta!r} multiplies the ridge of the paper; a number above 0")

    def null_model(self) -> DiD:
        """Difference-in-differences: refitted under a null, weights that see the tested periods leave no power."""
        return DiD(self.anticipation)

    def fit(self, panel: Panel, *, learn: Bool2 | None = None, hold: Weights | None = None) -> Fit | Refused:
        """As `Synthetic.fit`, on the outcome without what covariates explain of it. Under `hold` the slopes are learned
        anew."""
        if not panel.covariates:
            return Synthetic.fit(self, panel, learn=learn, hold=hold)
        refused = guard(panel, replace(self.asks, balanced=self.missing == "refuse"), self.name)
        if refused is not None:
            return refused
        adjusted = project(panel, self.name, self.anticipation, learn)
        if isinstance(adjusted, Refused):
            return adjusted
        found = Synthetic.fit(self, adjusted.panel, learn=learn, hold=hold)
        if isinstance(found, Refused) or found.untreated is None:
            return found
        return replace(found, surface=found.untreated + adjusted.part, notes=(*adjusted.notes, *found.notes))

    def reassigned(self, panel: Panel, stand_ins: StandIns) -> Replicates | Refused:
        """See `Reassigns`. Not at once: the rule of ``fw``, and covariates, whose slopes follow the assignment."""
        if self.solver != "exact" or any(values.shape[1] > 1 for values in panel.covariates.values()):
            return Refused("placebos at once", "every assignment has outcomes or a rule of its own", "Refit.")
        return reassign(self, panel, stand_ins, partial(doubly_weighted, zeta=self.zeta))

    def remarks(self, panel: Panel) -> tuple[str, ...]:
        """Covariates are used; see `fit`."""
        return Synthetic.remarks(self, replace(panel, covariates={}))

    def solved(self, panel: Panel, part: Piece) -> Solved | Refused:
        """Two programs: weights of the units, and of the periods before the start."""
        donors = panel.y[part.donors]
        before = donors[:, part.before]
        treated = part.share @ panel.y[np.ix_(part.rows, part.before)]
        after = donors[:, int(panel.first[part.rows[0]]) :]
        noise = float(np.std(np.diff(before, axis=1), ddof=1))
        ridge = self.zeta * omega(len(part.rows), after.shape[1]) * noise
        unit = self._program(before.T, treated, ridge, noise)
        lam = self._program(before, after.mean(axis=1), LAMBDA * noise, noise)
        for found, what in ((unit, "unit"), (lam, "time")):
            if found.status == "not converged":
                return unsolved(part.name, what, found.gap)
        time = np.zeros(len(panel.periods))
        time[part.before] = lam.weights
        return Solved(
            placed(panel, part, unit.weights),
            time,
            (trace(self.solver, unit), trace(self.solver, lam)),
            notes=_alike(part.name, unit.weights, panel.grouped),
        )

    def _program(self, a: Float2, b: Float1, zeta: float, noise: float) -> Simplex:
        """Least squares of b on the columns of a, with intercept: both are centred over the rows."""
        a, b, penalty = a - a.mean(axis=0), b - b.mean(), len(b) * zeta**2
        if self.solver == "exact":
            return solve(a, b, ridge=penalty)
        return solve_fw(a, b, ridge=penalty, min_decrease=1e-5 * noise)


def _alike(name: str, omega: Float1, grouped: str) -> tuple[str, ...]:
    """A note where the donors weigh about as much as each other."""
    effective, donors = 1 / float(omega @ omega), len(omega)
    if effective < EVEN * donors:
        return ()
    finer = "; per area (target unit) the ridge is smaller" if grouped == "cohort" else ""
    says = (
        f"the donors of {name} weigh almost alike (as {effective:.0f} equal ones of {donors}): this is practically "
        f"difference-in-differences with weighted base periods{finer}"
    )
    return (Note(says, "did-in-disguise", name=name, effective=round(effective), donors=donors),)
