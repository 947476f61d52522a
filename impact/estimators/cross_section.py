"""Difference-in-differences with covariates for repeated cross-sections (Sant'Anna & Zhao 2020, sections 2 and 3.2).

Whoever is seen before is not seen after, so nobody has a change: levels of four sides are compared, each in its own
regression. The doubly robust estimator is the locally efficient one (their eq. 3.4; R's ``drdid_rc``), which also needs
regressions among the treated; its improved form is their eq. 3.10 (R's ``drdid_imp_rc``). All rest on a composition of
the groups that does not change over time (their assumption of stationarity).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from impact.arrays import Float1, Float2, Int1
from impact.errors import Refused
from impact.estimators.drdid import (
    Arm,
    Method,
    Products,
    collinear,
    no_control_left,
    odds_of,
    propensity_refused,
    solved,
)
from impact.numerics.propensity import expit, logit, tilting

__all__ = ["Cut", "Section", "Surveys"]


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """One of the two periods of a cell: its treated rows and its controls, with sums of products over each.

    Attributes
    ----------
    sign : float
        1 for the period of the cell, -1 for its base.
    treated : Arm
    controls : tuple of Arm
        Outcomes are (n, 1).
    ours, theirs : Products
    """

    sign: float
    treated: Arm
    controls: tuple[Arm, ...]
    ours: Products
    theirs: Products


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """What was learned in one period; every number enters the effect with the sign of its cut.

    Attributes
    ----------
    cut : Cut
    own : (p,) float
        Regression of the outcome among the treated: on the covariates, or on the constant alone.
    own_reach : (p,) float
        What the covariates of a treated row make of its residual there.
    slope : (p,) float
        Regression among the controls; 0 for "ipw".
    reach : (p,) float or None
        The same for a control; None where the estimation of the regression adds no error.
    mean_control : float
        Mean residual of the controls under their odds.
    odds_mass : float
        Weight of the controls under their odds; 0 without a propensity score.
    """

    cut: Cut
    own: Float1
    own_reach: Float1
    slope: Float1
    reach: Float1 | None
    mean_control: float
    odds_mass: float


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """One cell, estimated.

    Attributes
    ----------
    effect : float
    sides : (Side, Side)
    method : Method
    mass : float
        Weight of the treated rows of both periods.
    mean_x : (p,) float
        Their mean covariates.
    delta : (p,) float
        Effect as a function of the covariates, as far as regressions tell it.
    gamma : (p,) float or None
        Coefficients of the propensity score, which is that of both periods together.
    lever : (p,) float or None
        Derivative of the effect along the propensity score, over its information.
    trimmed : int
        Controls left out because they look almost surely treated.
    """

    effect: float
    sides: tuple[Side, Side]
    method: Method
    mass: float
    mean_x: Float1
    delta: Float1
    gamma: Float1 | None
    lever: Float1 | None
    trimmed: int

    @staticmethod
    def of(cuts: tuple[Cut, Cut], method: Method, what: str, names: tuple[str, ...]) -> Section | Refused:
        """The cell whose period and base are `cuts`, or why it cannot be adjusted for covariates; see `Comparison`."""
        refused = _undetermined(cuts, method, what)
        if refused is not None:
            return refused
        both = cuts[0].ours + cuts[1].ours
        mean_x = both.x / both.mass
        gamma = None
        weighted: list[Products | None] = [None, None]
        trimmed = 0
        if method != "reg":
            treated = [cut.treated.part for cut in cuts]
            controls = [arm.part for cut in cuts for arm in cut.controls]
            gamma = (tilting if method == "dr-improved" else logit)(treated, controls)
            if gamma is None:
                return propensity_refused(treated, controls, method, what, names)
            for number, cut in enumerate(cuts):
                odds = [odds_of(expit(arm.x @ gamma), method) for arm in cut.controls]
                parts = [Products.of(arm, arm.weight * odd) for arm, odd in zip(cut.controls, odds, strict=True)]
                total = sum(parts[1:], parts[0])
                if total.mass == 0:
                    return no_control_left(what)
                weighted[number] = total
                trimmed += sum(int((odd == 0).sum()) for odd in odds)
        sides = (_side(cuts[0], weighted[0], mean_x, method), _side(cuts[1], weighted[1], mean_x, method))
        effect, delta = _effect(sides, mean_x, method)
        lever = None
        if gamma is not None and method != "dr-improved":
            moment = np.zeros(len(mean_x))
            for side, products in zip(sides, weighted, strict=True):
                if products is not None:
                    gap = products.xy[:, 0] - products.xx @ side.slope - products.x * side.mean_control
                    moment += side.cut.sign * gap / products.mass
            lever = solved(_information(cuts, gamma), moment)
        return Section(effect, sides, method, both.mass, mean_x, delta, gamma, lever, trimmed)

    def scores(self) -> Iterator[tuple[Arm, Float1]]:
        """Every arm with the scores (n,) of its rows; they sum to 0 over all arms."""
        for side in self.sides:
            arm, sign = side.cut.treated, side.cut.sign
            score = sign * (arm.y[:, 0] - arm.x @ side.own) * (arm.x @ side.own_reach)
            score += ((arm.x - self.mean_x) @ self.delta) / self.mass
            if self.lever is not None and self.gamma is not None:
                score -= (1 - expit(arm.x @ self.gamma)) * (arm.x @ self.lever)
            yield arm, arm.weight * score
            for arm in side.cut.controls:
                rest = arm.y[:, 0] - arm.x @ side.slope
                score = np.zeros(len(rest))
                if side.reach is not None:
                    score -= sign * rest * (arm.x @ side.reach)
                if self.gamma is not None:
                    share = expit(arm.x @ self.gamma)
                    score -= sign * odds_of(share, self.method) * (rest - side.mean_control) / side.odds_mass
                    if self.lever is not None:
                        score += share * (arm.x @ self.lever)
                yield arm, arm.weight * score


@dataclass(frozen=True, slots=True, eq=False)
class Surveys:
    """Scores of the rows of a sample in all cells, computed when they are asked for.

    Attributes
    ----------
    sections : tuple of Section
        One a cell.
    cluster : (n,) int
        Of all rows of the sample.
    """

    sections: tuple[Section, ...]
    cluster: Int1

    def at(self, weights: Float2, clusters: int) -> Float2:
        """(G, m) sums by cluster of the scores of `m` weighted sums of cells; see ``Scores``."""
        out = np.zeros((clusters, weights.shape[1]))
        for section, weight in zip(self.sections, weights, strict=True):
            used = np.flatnonzero(weight)
            if not used.size:
                continue
            row = np.zeros(len(self.cluster))
            for arm, score in section.scores():
                row[arm.rows] = score
            total = np.bincount(self.cluster, weights=row, minlength=clusters)
            for column in used:
                out[:, column] += total * weight[column]
        return out


def _side(cut: Cut, weighted: Products | None, mean_x: Float1, method: Method) -> Side:
    """The regressions of one period."""
    p = len(mean_x)
    ours, theirs = cut.ours, cut.theirs
    constant = np.zeros(p)
    constant[0] = 1.0
    regressed = method in ("dr", "dr-improved")
    own = solved(ours.xx, ours.xy[:, 0]) if regressed else constant * (ours.y[0] / ours.mass)
    own_reach = solved(ours.xx, mean_x) if method == "dr" else constant / ours.mass
    if method == "dr-improved" and weighted is not None:
        slope = solved(weighted.xx, weighted.xy[:, 0])
    elif method == "ipw":
        slope = np.zeros(p)
    else:
        slope = solved(theirs.xx, theirs.xy[:, 0])
    if weighted is None:
        return Side(cut, own, own_reach, slope, solved(theirs.xx, mean_x), 0.0, 0.0)
    reach = solved(theirs.xx, mean_x - weighted.x / weighted.mass) if method == "dr" else None
    mean_control = float((weighted.y[0] - weighted.x @ slope) / weighted.mass)
    return Side(cut, own, own_reach, slope, reach, mean_control, weighted.mass)


def _effect(sides: tuple[Side, Side], mean_x: Float1, method: Method) -> tuple[float, Float1]:
    """The effect, and how it moves with the covariates (p,)."""
    delta = np.zeros(len(mean_x))
    effect = 0.0
    for side in sides:
        sign = side.cut.sign
        effect -= sign * side.mean_control
        if method in ("dr", "dr-improved"):
            delta += sign * (side.own - side.slope)
        else:
            effect += sign * side.own[0]
            delta -= sign * side.slope
    return float(effect + mean_x @ delta), delta


def _information(cuts: tuple[Cut, Cut], gamma: Float1) -> Float2:
    """(p, p) information on the propensity score."""
    out = np.zeros((len(gamma), len(gamma)))
    for cut in cuts:
        for arm in (cut.treated, *cut.controls):
            share = expit(arm.x @ gamma)
            out += (arm.x * (arm.weight * share * (1 - share))[:, None]).T @ arm.x
    return out


def _undetermined(cuts: tuple[Cut, Cut], method: Method, what: str) -> Refused | None:
    """Why the rows do not determine the regressions that `method` needs, or None."""
    if method == "ipw":
        both = cuts[0].theirs + cuts[1].theirs
        return collinear(both.xx, sum(len(arm.rows) for cut in cuts for arm in cut.controls), what)
    for cut in cuts:
        refused = collinear(cut.theirs.xx, sum(len(arm.rows) for arm in cut.controls), what)
        if refused is not None:
            return refused
        if method != "reg" and collinear(cut.ours.xx, 0, what) is not None:
            return Refused(
                what,
                f"the {len(cut.treated.rows)} treated rows of a period do not determine a regression of their own, "
                "which the doubly robust estimator of cross-sections needs",
                "Use method='reg' or method='ipw', or fewer covariates.",
            )
    return None
