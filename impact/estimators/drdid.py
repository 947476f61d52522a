"""Two-period difference-in-differences with covariates (Sant'Anna & Zhao 2020, Journal of Econometrics 219(1)).

The three estimators for panel data, with their influence functions: outcome regression (eq. 2.2), inverse-probability
weighting with normalised weights (eq. 2.3, Hájek), and the doubly robust combination (eq. 2.6, section 3.1).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np

from impact.arrays import Bool1, Float1, Float2, Int1
from impact.errors import Refused

__all__ = ["Method", "Sample"]

Method = Literal["dr", "ipw", "reg"]

# As in the R package DRDID: controls that look almost surely treated are left out of the comparison.
_TRIM = 0.995


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One group and its controls, ready for any pair of periods: what depends on covariates only is computed once.

    Attributes
    ----------
    rows : (n,) int
        Rows of the panel.
    treated : (n,) bool
    x : (n, p) float
        Covariates, the first column constant.
    weight : (n,) float
    odds : (n,) float or None
        Weight of every unit as a control: propensity odds; 1 without a propensity score.
    ps_scores : (n, p) float or None
        Influence of every unit on the coefficients of the propensity score.
    method : {"dr", "ipw", "reg"}
    """

    rows: Int1
    treated: Bool1
    x: Float2
    weight: Float1
    odds: Float1 | None
    ps_scores: Float2 | None
    method: Method

    @staticmethod
    def of(
        x: Float2,
        treated: Bool1,
        weight: Float1,
        rows: Int1,
        method: Method,
        names: tuple[str, ...],
        group: str,
    ) -> Sample | Refused:
        """The sample, or the reason why the covariates cannot be adjusted for."""
        what = f"the adjustment for {', '.join(names)} in group {group}"
        control = ~treated
        if np.linalg.matrix_rank(x[control] * np.sqrt(weight[control, None])) < x.shape[1]:
            return Refused(
                what,
                f"the {int(control.sum())} controls do not determine the regression (covariates are constant, "
                "collinear, or more than the controls)",
                "Use fewer covariates or a wider donor pool.",
            )
        if method == "reg":
            return Sample(rows, treated, x, weight, None, None, method)
        found = _propensity(x, treated, weight)
        if found is None:
            return Refused(
                what,
                f"a combination of {', '.join(names)} separates the treated units from the controls, so the "
                "propensity score has no finite estimate",
                "Use method='reg', or fewer covariates.",
            )
        probability, influence = found
        odds = probability / (1.0 - probability)
        odds[control & (probability >= _TRIM)] = 0.0
        if not odds[control].any():
            return Refused(
                what,
                f"every control looks almost surely treated (a propensity of {_TRIM} or more)",
                "Use method='reg', fewer covariates, or controls that resemble the treated units.",
            )
        return Sample(rows, treated, x, weight, odds, influence, method)

    def att(self, change: Float1) -> tuple[float, Float1, Float1]:
        """Effect, scores (n,) that sum to 0, and the imputed change without treatment of the treated units.

        `change` (n,) is the outcome minus its base.
        """
        d, w = self.treated, self.weight
        fitted = np.zeros(len(change))
        slope_scores = None
        if self.method != "ipw":
            fitted, slope_scores = self._regression(change)
        rest = change - fitted
        w_treated = np.where(d, w, 0.0)
        mass = w_treated.sum()
        mean_treated = (w_treated @ rest) / mass
        score = w_treated * (rest - mean_treated)
        if slope_scores is not None:
            score = score - slope_scores @ (w_treated @ self.x)
        score = score / mass
        if self.odds is None or self.ps_scores is None:
            return float(mean_treated), score, fitted[d]
        w_control = np.where(d, 0.0, w * self.odds)
        mass = w_control.sum()
        mean_control = (w_control @ rest) / mass
        other = w_control * (rest - mean_control) + self.ps_scores @ ((w_control * (rest - mean_control)) @ self.x)
        if slope_scores is not None:
            other = other - slope_scores @ (w_control @ self.x)
        return float(mean_treated - mean_control), score - other / mass, fitted[d] + mean_control

    def _regression(self, change: Float1) -> tuple[Float1, Float2]:
        """Weighted least squares among the controls: fitted change of all, influence (n, p) on the coefficients."""
        control = np.where(self.treated, 0.0, self.weight)
        bread = np.linalg.inv((self.x * control[:, None]).T @ self.x)
        slope = bread @ (self.x.T @ (control * change))
        fitted = self.x @ slope
        return fitted, (self.x * (control * (change - fitted))[:, None]) @ bread


def _propensity(x: Float2, treated: Bool1, weight: Float1) -> tuple[Float1, Float2] | None:
    """Logit probabilities (n,) and the influence (n, p) of every unit on the coefficients; None under separation.

    Under separation the likelihood has no maximum: the iterations do not settle, or the information vanishes.
    """
    from statsmodels.genmod.families import Binomial
    from statsmodels.genmod.generalized_linear_model import GLM
    from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

    spread = x.std(axis=0)
    z = (x - np.where(spread > 0, x.mean(axis=0), 0.0)) / np.where(spread > 0, spread, 1.0)
    with warnings.catch_warnings():
        # Separation is told by the return value, with the names of the covariates.
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        fit = GLM(treated.astype(float), z, family=Binomial(), var_weights=weight).fit(
            maxiter=100, tol=1e-12, tol_criterion="params"
        )
        probability = np.asarray(fit.fittedvalues)
    information = (x * (weight * probability * (1 - probability))[:, None]).T @ x
    standardised = (z * (weight * probability * (1 - probability))[:, None]).T @ z / weight.sum()
    if not fit.converged or np.linalg.eigvalsh(standardised)[0] < 1e-8:
        return None
    influence = (x * (weight * (treated - probability))[:, None]) @ np.linalg.inv(information)
    return np.minimum(probability, 1 - 1e-6), influence
