"""Difference-in-differences with covariates for panels (Sant'Anna & Zhao 2020, Journal of Econometrics 219(1)).

Outcome regression (their eq. 2.2), inverse-probability weighting with normalised weights (Abadie 2005, Review of
Economic Studies 72(1), as Hájek), the doubly robust combination of both (eq. 3.1), and its improved form (section 3.1),
whose propensity score balances the covariates exactly and whose error owes nothing to what was estimated on the way.

Every number is linear in the outcomes. One logit and one set of sums of products therefore serve all cells that compare
the same units under the same covariates, and a unit's score is two or three factors of its own times its outcomes and
covariates: it is computed when it is asked for, and (units, cells) is never in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from impact.arrays import Float1, Float2, Int1
from impact.errors import Refused
from impact.numerics.propensity import Part, expit, logit, separating, tilting
from impact.scores import by_cluster

__all__ = [
    "TRIM",
    "Arm",
    "Cellwise",
    "Comparison",
    "Method",
    "Products",
    "Pull",
    "collinear",
    "no_control_left",
    "odds_of",
    "propensity_refused",
    "solved",
]

Method = Literal["dr", "dr-improved", "ipw", "reg"]

# As in the R package DRDID: controls that look almost surely treated are left out of the comparison.
TRIM = 0.995
# Smallest eigenvalue of the correlations: below it a covariate is told by the others up to one part in a hundred
# thousand, and the normal equations lose what a regression needs.
_COLLINEAR = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class Arm:
    """Units that start together, on one side of a comparison.

    Attributes
    ----------
    rows, cluster : (n,) int
        Rows of the panel, and their clusters.
    x : (n, p) float
        Covariates, the first column constant.
    y : (n, T) float
        Outcomes less one number per unit, which no change depends on and which would cost digits.
    weight : (n,) float
        Positive.
    """

    rows: Int1
    cluster: Int1
    x: Float2
    y: Float2
    weight: Float1

    @property
    def part(self) -> Part:
        """Covariates and weights."""
        return self.x, self.weight


@dataclass(frozen=True, slots=True, eq=False)
class Products:
    """Sums of products over units, which add up over arms: the weight, ``x`` (p,), ``y`` (T,), ``xx`` (p, p) and
    ``xy`` (p, T)."""

    mass: float
    x: Float1
    y: Float1
    xx: Float2
    xy: Float2

    @staticmethod
    def of(arm: Arm, weight: Float1) -> Products:
        """Over the units of `arm` under `weight` (n,)."""
        weighted = arm.x * weight[:, None]
        return Products(
            float(weight.sum()), weight @ arm.x, weight @ arm.y, weighted.T @ arm.x, np.asarray(weighted.T @ arm.y)
        )

    def __add__(self, other: Products) -> Products:
        return Products(
            self.mass + other.mass, self.x + other.x, self.y + other.y, self.xx + other.xx, self.xy + other.xy
        )


@dataclass(frozen=True, slots=True, eq=False)
class Cellwise:
    """What the `C` cells of one comparison came to.

    Attributes
    ----------
    effect : (C,) float
    change : (C, T) float
        1 in the period of the cell, minus the weights of its base.
    slope : (p, C) float
        Regression of the controls' change on the covariates; 0 where there is none.
    mean_treated, mean_control : (C,) float
        Mean change that the regression leaves.
    lever : (p, C) float or None
        Derivative of `mean_control` along the propensity score, over its information.
    """

    effect: Float1
    change: Float2
    slope: Float2
    mean_treated: Float1
    mean_control: Float1
    lever: Float2 | None


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """One group and its controls: what depends on who is compared and on the covariates, and on no cell.

    Attributes
    ----------
    treated : Arm
    controls : tuple of Arm
    ours : Products
        Of the treated.
    gamma : (p,) float or None
        Coefficients of the propensity score.
    weighted : Products or None
        Of the controls, weighted by their odds.
    slopes : (p, T) float
        Regression of the controls' outcomes on the covariates; 0 for "ipw".
    pull : (p,) float or None
        How far the regression has to reach, over its Gram matrix; None where its estimation adds no error.
    information : (p, p) float or None
        Of the logit; None where the propensity score adds no error.
    trimmed : int
        Controls left out because they look almost surely treated.
    """

    treated: Arm
    controls: tuple[Arm, ...]
    ours: Products
    gamma: Float1 | None
    weighted: Products | None
    slopes: Float2
    pull: Float1 | None
    information: Float2 | None
    trimmed: int

    @staticmethod
    def of(
        treated: Arm, controls: tuple[Arm, ...], theirs: Products, method: Method, what: str, names: tuple[str, ...]
    ) -> Comparison | Refused:
        """The comparison, or why the covariates cannot be adjusted for.

        `theirs` are the sums over the controls under their weights; `what` and `names` (of the covariates) are for the
        refusal.
        """
        refused = collinear(theirs.xx, sum(len(arm.rows) for arm in controls), what)
        if refused is not None:
            return refused
        ours = Products.of(treated, treated.weight)
        slopes = solved(theirs.xx, theirs.xy)
        if method == "reg":
            return Comparison(
                treated, controls, ours, None, None, slopes, solved(theirs.xx, ours.x / ours.mass), None, 0
            )
        parts = [arm.part for arm in controls]
        gamma = (tilting if method == "dr-improved" else logit)([treated.part], parts)
        if gamma is None:
            return propensity_refused([treated.part], parts, method, what, names)
        shares = [expit(arm.x @ gamma) for arm in controls]
        odds = [odds_of(share, method) for share in shares]
        tilted = [Products.of(arm, arm.weight * odd) for arm, odd in zip(controls, odds, strict=True)]
        weighted = sum(tilted[1:], tilted[0])
        if weighted.mass == 0:
            return no_control_left(what)
        if method == "dr-improved":
            slopes = solved(weighted.xx, weighted.xy)
            return Comparison(treated, controls, ours, gamma, weighted, slopes, None, None, 0)
        share = expit(treated.x @ gamma)
        information = (treated.x * (treated.weight * share * (1 - share))[:, None]).T @ treated.x
        for arm, share in zip(controls, shares, strict=True):
            information = information + (arm.x * (arm.weight * share * (1 - share))[:, None]).T @ arm.x
        trimmed = sum(int((odd == 0).sum()) for odd in odds)
        if method == "ipw":
            nothing = np.zeros_like(slopes)
            return Comparison(treated, controls, ours, gamma, weighted, nothing, None, information, trimmed)
        pull = solved(theirs.xx, ours.x / ours.mass - weighted.x / weighted.mass)
        return Comparison(treated, controls, ours, gamma, weighted, slopes, pull, information, trimmed)

    def cells(self, change: Float2) -> Cellwise:
        """The effects of cells with `change` (C, T)."""
        slope = self.slopes @ change.T
        mean_treated = (change @ self.ours.y - self.ours.x @ slope) / self.ours.mass
        if self.weighted is None:
            return Cellwise(mean_treated, change, slope, mean_treated, np.zeros(len(change)), None)
        w = self.weighted
        mean_control = (change @ w.y - w.x @ slope) / w.mass
        lever = None
        if self.information is not None:
            moment = w.xy @ change.T - w.xx @ slope - np.outer(w.x, mean_control)
            lever = solved(self.information, moment / w.mass)
        return Cellwise(mean_treated - mean_control, change, slope, mean_treated, mean_control, lever)

    def scores(self, cells: Cellwise, columns: Int1) -> list[Pull]:
        """The scores of all units in `cells`, an arm each, the treated first; they sum to 0 over all arms."""
        ours = Pull(self, cells, self.treated, True, columns)
        return [ours, *(Pull(self, cells, arm, False, columns) for arm in self.controls)]


@dataclass(frozen=True, slots=True, eq=False)
class Pull:
    """Scores of the units of one arm, computed when they are asked for.

    Attributes
    ----------
    comparison : Comparison
    cells : Cellwise
    arm : Arm
    treated : bool
        Whether the arm is that of the treated.
    columns : (C,) int
        Where the cells stand among all cells of the fit.
    """

    comparison: Comparison
    cells: Cellwise
    arm: Arm
    treated: bool
    columns: Int1

    def at(self, weights: Float2, clusters: int) -> Float2:
        """(G, m) sums by cluster of the scores of `m` weighted sums of cells; see ``Scores``."""
        own = weights[self.columns]
        used = own.any(axis=0)
        out = np.zeros((clusters, weights.shape[1]))
        out[:, used] = by_cluster(self.of(own[:, used]), self.arm.cluster, clusters)
        return out

    def of(self, weights: Float2) -> Float2:
        """(n, m) scores of the units; `weights` is (C, m) over the cells of the comparison."""
        found, cells, x, w = self.comparison, self.cells, self.arm.x, self.arm.weight
        rest = self.arm.y @ (cells.change.T @ weights) - x @ (cells.slope @ weights)
        share = np.zeros(0) if found.gamma is None else expit(x @ found.gamma)
        if self.treated:
            scores = (rest - cells.mean_treated @ weights) * (w / found.ours.mass)[:, None]
            missed = -(1 - share)
        else:
            scores = np.zeros_like(rest)
            if found.weighted is not None:
                odds = w * odds_of(share, "dr-improved" if found.information is None else "dr")
                scores -= (rest - cells.mean_control @ weights) * (odds / found.weighted.mass)[:, None]
            if found.pull is not None:
                scores -= rest * (w * (x @ found.pull))[:, None]
            missed = share
        if cells.lever is not None:
            scores += (x @ (cells.lever @ weights)) * (w * missed)[:, None]
        return scores


def solved(matrix: Float2, right: Float2) -> Float2:
    """The solution of a system that is known to have one; `right` is a vector or a matrix."""
    return np.asarray(np.linalg.solve(matrix, right), dtype=np.float64)


def odds_of(share: Float1, method: Method) -> Float1:
    """Odds of controls; 0 for those who look almost surely treated, unless their weights are tied by balance."""
    with np.errstate(divide="ignore"):
        odds = share / (1 - share)
    return odds if method == "dr-improved" else np.where(share < TRIM, odds, 0.0)


def collinear(gram: Float2, controls: int, what: str) -> Refused | None:
    """Why controls with the weighted products `gram` (p, p) do not determine a regression, or None."""
    size = np.sqrt(np.diag(gram))
    if (size > 0).all() and np.linalg.eigvalsh(gram / np.outer(size, size))[0] > _COLLINEAR:
        return None
    return Refused(
        what,
        f"the {controls} controls do not determine the regression (covariates are constant, collinear, or more than "
        "the controls)",
        "Use fewer covariates or a wider donor pool.",
    )


def propensity_refused(
    treated: list[Part], controls: list[Part], method: Method, what: str, names: tuple[str, ...]
) -> Refused:
    """Which covariates leave the propensity score without an estimate; `names` are those of the columns after the
    constant."""
    columns, alone = separating(treated, controls, tilting if method == "dr-improved" else logit)
    named = [names[column - 1] for column in columns]
    who = ", ".join(named)
    if not alone and len(named) > 1:
        who = f"a combination of {who}"
    several = alone and len(named) > 1
    if method == "dr-improved":
        because = f"no weights of the controls reach the treated mean of {who}, so the covariates cannot be balanced"
    else:
        each = ", each alone," if several else ""
        because = (
            f"{who}{each} {'separate' if several else 'separates'} the treated units from the controls, so the "
            "propensity score has no finite estimate"
        )
    return Refused(what, because, f"Use method='reg', or leave out {' or '.join(named)}.")


def no_control_left(what: str) -> Refused:
    """The refusal when every control is trimmed."""
    return Refused(
        what,
        f"every control looks almost surely treated (a propensity of {TRIM} or more)",
        "Use method='reg', fewer covariates, or controls that resemble the treated units.",
    )
