"""Synthetic control: a weighted mean of donors that follows the treated area until the start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final, Literal, get_args

import numpy as np

from impact.arrays import Float1, Float2, Int1
from impact.cells import Trace, Tuned
from impact.errors import Refused
from impact.estimators.predicted import SEARCHED, Given, Importance, Predicted, Program, importance
from impact.estimators.predictors import Predictor, Spelled, read_predictors
from impact.estimators.protocol import Replicates, StandIns
from impact.estimators.reassigned import Comparisons, Found, levels, reassign
from impact.estimators.synthetic import Piece, Solved, Synthetic, placed
from impact.numerics.constrained import (
    Constrained,
    absolute,
    budget_of_ridge,
    euclidean,
    free,
    summing,
    unique_on_face,
)
from impact.numerics.simplex import GAP, solve
from impact.panel import Panel

__all__ = ["Constraint", "Importance", "SyntheticControl"]

Constraint = Literal["simplex", "sum-to-one", "lasso", "ridge", "none"]

_AUTO: Final = "auto"


@dataclass(frozen=True, slots=True)
class SyntheticControl(Synthetic):
    """One exact program per treated area.

    The weights minimise ``Σ_k v_k (X_k − Σ_j w_j X_jk)²`` under `constraint`, with ``X`` the area's predictors (the
    weighted mean over its units) and ``X_j`` those of donor j. Without `predictors` these are all outcomes before the
    start, as they are and all counting the same. Levels are compared: there is no base, unless with `intercept`. On a
    panel grouped by cohort the programs are still solved per area, and a cohort's cells and donor weights are the means
    over its areas by treated weight. Where several weightings fit equally well the one of least norm is taken, and a
    note says so.

    Parameters
    ----------
    predictors : sequence of str or mapping
        What the donors should agree on with the area: see ``impact.estimators.predictors`` for the spelling. Each is
        divided by its standard deviation over the donors and the area, as in the R package Synth.
    v : {"equal", "inverse-variance", "nested", "cross-validated"} or mapping of predictor to weight
        How much each predictor counts. ``equal``: all the same, once standardised; in their own units that is
        ``inverse-variance``, another name for it. ``nested``: as makes the outcomes before the start (of `fit_window`)
        fit best; where donors reproduce all predictors exactly, whatever V, those of all such weights are taken that
        follow these outcomes best. ``cross-validated``: with predictors of a training period, as makes the outcomes of
        the validation period after it fit best; the weights are then those of the predictors as they are spelled, open
        windows narrowed to the validation period. Validation is `fit_window`, or the later half of the periods before
        the start; training is all before that. A predictor with a window of its own says with ``training`` what stands
        for it. Where several V validate equally well, which would lead to other weights, that of least norm is taken.
    starts : int
        Searches of ``nested`` and ``cross-validated``; what each of them found is in ``Fit.tuned``.
    fit_window : pair of str, optional
        First and last period of the outcomes that V is to fit.
    intercept : bool
        Outcomes, also those among the predictors, are taken less the unit's own mean over the periods before the start,
        so that fixed differences in level are allowed (a demeaned synthetic control). Covariates stay as they are.
    constraint : {"simplex", "sum-to-one", "lasso", "ridge", "none"}
        Of the weights: not negative and summing to 1; summing to 1; ``Σ |w| <= budget``; ``Σ w² <= budget²``; none.
        ``sum-to-one`` and ``none`` are refused where there are so many donors that any area would be fitted exactly.
    budget : float or "auto"
        Of ``lasso`` and ``ridge``. ``auto``: 1 for ``lasso``, and for ``ridge`` a rule of thumb, see
        ``impact.numerics.constrained.budget_of_ridge``.
    anticipation, missing
        See `Synthetic`; ``drop-donors`` goes for donors without any observation of a predictor too.

    References
    ----------
    Abadie, Diamond & Hainmueller (2010), JASA 105(490), section 2.3; Abadie (2021), JEL 59(2), section 3.2. For
    ``cross-validated``: Abadie, Diamond & Hainmueller (2015), American Journal of Political Science 59(2), and Klößner,
    Kaul, Pfeifer & Schieler (2018), Swiss Journal of Economics and Statistics 154. For `intercept` and `constraint`:
    Doudchenko & Imbens (2016), NBER Working Paper 22791, section 4; Ferman & Pinto (2021), Quantitative Economics
    12(4); Cattaneo, Feng, Palomba & Titiunik (2025), Journal of Statistical Software 113(1).
    """

    predictors: Sequence[Spelled] = ()
    v: str | Mapping[str, float] | Given = "equal"
    starts: int = 10
    fit_window: tuple[str, str] | None = None
    intercept: bool = False
    constraint: Constraint = "simplex"
    budget: float | str = _AUTO

    name: ClassVar[str] = "synthetic-control"

    def __post_init__(self) -> None:
        Synthetic.__post_init__(self)
        object.__setattr__(self, "predictors", read_predictors(self.predictors))
        object.__setattr__(self, "v", importance(self.v))
        if self.v != "equal" and not self.predictors:
            raise ValueError("v says how much predictors count, and there are none: name them in predictors")
        if isinstance(self.starts, bool) or self.starts < 1:
            raise ValueError("starts is a number of searches, 1 or more")
        if self.fit_window is not None:
            if self.v not in SEARCHED:
                raise ValueError(f"fit_window belongs to v={' and '.join(SEARCHED)}")
            first, last = self.fit_window
            object.__setattr__(self, "fit_window", (str(first), str(last)))
        if self.constraint not in get_args(Constraint):
            raise ValueError(f"constraint={self.constraint!r} is not one of {', '.join(get_args(Constraint))}")
        if self.constraint != "simplex" and self.v in SEARCHED:
            raise ValueError(f"v={self.v} belongs to constraint=simplex; give v by name to another one")
        if self.budget != _AUTO:
            if self.constraint not in ("lasso", "ridge"):
                raise ValueError("budget belongs to constraint=lasso and ridge")
            if isinstance(self.budget, (str, bool)) or not 0 < self.budget < np.inf:
                raise ValueError(f"budget={self.budget!r} is not a positive number or {_AUTO}")

    def null_model(self) -> SyntheticControl:
        """Itself on outcomes alone: a null is tested with all periods alike, and windows are of some."""
        return replace(self, predictors=(), v="equal", fit_window=None) if self.predictors else self

    @property
    def projects(self) -> bool:
        """Whether residuals never move farther than the treated outcomes: the fit is the nearest point of a convex set,
        unless these outcomes choose its size."""
        return not self.predictors and not (self.constraint == "ridge" and self.budget == _AUTO)

    def remarks(self, panel: Panel) -> tuple[str, ...]:
        """Covariates that no predictor is of."""
        used = {one.of for each in self._spelled for one in (each, each.training) if one is not None}
        unused = {name: values for name, values in panel.covariates.items() if name not in used}
        return Synthetic.remarks(self, replace(panel, covariates=unused))

    def reassigned(self, panel: Panel, stand_ins: StandIns) -> Replicates | Refused:
        """Many assignments at once, for outcomes alone on the simplex; see ``Reassigns``. Others are refitted."""
        if self.predictors or self.constraint != "simplex":
            return Refused("many assignments at once", "predictors and other constraints than the simplex need refits")
        return reassign(self, panel, stand_ins, _demeaned if self.intercept else levels)

    def solved(self, panel: Panel, part: Piece) -> Solved | Refused:
        """One exact program, after those that choose V."""
        compared = panel
        time = np.zeros(len(panel.periods))
        if self.intercept:
            time[part.before] = 1.0 / len(part.before)
            compared = panel.with_outcome(_less_own_mean(panel.y, part.before))
        made = self._predicted.program(compared, part) if self.predictors else _outcomes(compared, part)
        if isinstance(made, Refused):
            return made
        part = made.part
        lost = int(self.intercept and not self.predictors)
        refused = self._interpolates(part, len(made.b) - lost)
        if refused is not None:
            return refused
        budget = self._budget(made, lost)
        if isinstance(budget, Refused):
            return budget
        found = _fitted(self.constraint, made.a, made.b, budget)
        if found.status != "optimal":
            return Refused(
                f"the synthetic control of {part.name}",
                f"the solver stopped at a gap of {found.gap:.1g}, above {GAP:.0g}",
                "Leave out donors whose level is far from all others.",
            )
        tuned = made.tuned
        if self.constraint == "ridge" and self.budget == _AUTO:
            at = np.array([budget])
            tuned = (*tuned, Tuned(part.name, "budget", (), at, found.objective, at[None], np.array([found.objective])))
        step = Trace("exact", found.status, found.objective, found.gap, found.iterations)
        return Solved(placed(panel, part, found.weights), time, (step,), found.unique, tuned, made.notes)

    @property
    def _spelled(self) -> tuple[Predictor, ...]:
        return read_predictors(self.predictors)

    @property
    def _predicted(self) -> Predicted:
        return Predicted(
            self._spelled, importance(self.v), self.starts, self.fit_window, self.anticipation, self.missing
        )

    def _interpolates(self, part: Piece, count: int) -> Refused | None:
        """Why weights without bounds would say nothing, or None; `count` rows are free to be missed."""
        spare = len(part.donors) - (self.constraint == "sum-to-one")
        if self.constraint not in ("sum-to-one", "none") or spare < count:
            return None
        return Refused(
            f"the synthetic control of {part.name}",
            f"with {len(part.donors)} donors, weights under constraint={self.constraint} fit {count} numbers exactly, "
            "whatever they are",
            "Take fewer donors, or constraint=ridge, lasso or simplex.",
        )

    def _budget(self, made: Program, lost: int) -> float | Refused:
        if self.budget != _AUTO:
            return float(self.budget)
        if self.constraint != "ridge":
            return 1.0
        found = budget_of_ridge(made.a, made.b, lost)
        return found or Refused(
            f"the budget of {made.part.name}", "there are too few periods for the rule of thumb", "Give a budget."
        )


def _outcomes(panel: Panel, part: Piece) -> Program:
    donors = panel.y[np.ix_(part.donors, part.before)]
    return Program(part, donors.T, part.share @ panel.y[np.ix_(part.rows, part.before)])


def _less_own_mean(y: Float2, before: Int1) -> Float2:
    """(N, T) deviations from the unit's mean over some periods; 0 where only rounding is left of them."""
    mean = y[:, before].mean(axis=1, keepdims=True)
    return np.where(np.abs(y - mean) > 1e-14 * np.abs(mean), y - mean, 0.0)


def _demeaned(one: Comparisons) -> Found:
    """Gaps less their mean before the start."""
    donors, targets = (_less_own_mean(y, one.before) for y in (one.donors, one.targets))
    return levels(replace(one, donors=donors, targets=targets))


def _fitted(constraint: Constraint, a: Float2, b: Float1, budget: float) -> Constrained:
    if constraint == "lasso":
        return absolute(a, b, budget)
    if constraint == "ridge":
        return euclidean(a, b, budget)
    if constraint == "simplex":
        found = solve(a, b)
        unique = found.status == "optimal" and unique_on_face(a, b, found.weights)
        return Constrained(found.weights, found.objective, found.gap, found.iterations, found.status, unique)
    return summing(a, b) if constraint == "sum-to-one" else free(a, b)
