"""What is known of the two errors of a synthetic control: that of its weights, and that of the outcome to come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from impact.arrays import Bool1, Float1, Float2, Int1
from impact.errors import Refused
from impact.numerics.quantiles import Restricted, restricted_quantiles

__all__ = ["Comparison", "Local", "Moments", "Outcome", "Shape", "active", "local", "outcome"]

Shape = Literal["gaussian", "location-scale", "quantile"]

_CARRIES = 1e-6  # a weight from which on a donor counts among the degrees of freedom
_LEAST_RHO, _MOST_RHO = 0.001, 0.2
_SPARE = 10  # observations that a regression of the errors needs beyond its coefficients
_LEAST = 5
_IQR = 1.34  # of a standard normal distribution
_NOTHING = 1e-9  # of the largest residual


@dataclass(frozen=True, slots=True)
class Moments:
    """How the moments of both errors are modelled.

    Attributes
    ----------
    order : {0, 1}
        1: linear in the outcomes of the donors whose weight is told apart from 0; 0: constant.
    lags : int
        Earlier periods of those outcomes that are in the model as well.
    cointegrated : bool
        Whether changes take the place of outcomes in the model, because these have trends that the weights remove.
    misspecified : bool
        Whether the residuals may have a mean, which the model then tells.
    """

    order: Literal[0, 1]
    lags: int
    cointegrated: bool
    misspecified: bool


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """One treated path and its donors.

    Attributes
    ----------
    treated : (T,) float
    donors : (T, J) float
    weights : (J,) float
        On the simplex.
    before : (T0,) int
        Periods from which they were learned.
    """

    treated: Float1
    donors: Float2
    weights: Float1
    before: Int1

    @property
    def residuals(self) -> Float1:
        """(T,) the treated path less the weighted donors; after the start, the effects."""
        return np.asarray(self.treated - self.donors @ self.weights)


@dataclass(frozen=True, slots=True, eq=False)
class Local:
    """The error of the weights.

    Attributes
    ----------
    rows : (n,) int
        Periods before the start that it is learned from.
    factor : (n,) float
        A draw of the shock is this times independent standard normal numbers: ``G = z'shock / n`` then has the
        covariance ``Σ`` of HC1.
    room : (J,) float
        How far every weight may fall: a weight below ρ may only rise.
    """

    rows: Int1
    factor: Float1
    room: Float1


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The error of the untreated outcome that the right weights would leave, in all periods.

    Attributes
    ----------
    shape : Shape
    mean, scale : (T,) float
        nan in periods whose lags are not known.
    standard : (n,) float
        Residuals divided by their scale.
    x : (T, c) float
        Regressors.
    quantiles : Restricted
    """

    shape: Shape
    mean: Float1
    scale: Float1
    standard: Float1
    x: Float2
    quantiles: Restricted

    def bounds(self, alpha: float) -> tuple[Float1, Float1]:
        """(T,) bounds which the error passes on either side with a probability of ``alpha / 2``."""
        if self.shape == "quantile":
            ends = np.array([self.x @ self.quantiles.at(tail) for tail in (alpha / 2, 1 - alpha / 2)])
            return np.asarray(ends.min(axis=0)), np.asarray(ends.max(axis=0))
        if self.shape == "gaussian":
            reach = float(np.sqrt(-2 * np.log(alpha / 2)))
            below, above = -reach, reach
        else:
            below, above = np.quantile(self.standard, [alpha / 2, 1 - alpha / 2])
        return np.asarray(self.mean + below * self.scale), np.asarray(self.mean + above * self.scale)


def active(known: Comparison) -> tuple[Bool1, float]:
    """(J,) the donors whose weight is told apart from 0, and the ρ from which on it is.

    ``ρ = σ_u max_j σ_j / min_j σ_j² · √(d log(J) log(T0) / T0)`` with the standard deviations of the residuals and of
    the outcomes of every donor, and ``d`` weights that are not 0. It is at most 0.2, and 0.2 where it is below 0.001 or
    a donor never changes. Where no weight reaches it the largest is taken.

    References
    ----------
    Cattaneo, Feng, Palomba & Titiunik (2025b), Journal of Statistical Software 113(1), on the local set: "type-2" of
    the R package scpi 3.0.1.
    """
    donors, residuals = known.donors[known.before], known.residuals[known.before]
    spread = donors.std(axis=0, ddof=1)
    carrying = int((known.weights >= _CARRIES).sum())
    growth = np.sqrt(carrying * np.log(donors.shape[1]) * np.log(len(residuals)) / len(residuals))
    least = float(spread.min()) ** 2
    rho = min(float(residuals.std() * spread.max() * growth) / least, _MOST_RHO) if least > 0 else _MOST_RHO
    rho = rho if rho >= _LEAST_RHO else _MOST_RHO
    found: Bool1 = np.asarray(known.weights > rho)
    return (found if found.any() else np.asarray(known.weights == known.weights.max())), rho


def _design(known: Comparison, moments: Moments) -> tuple[Float2, Int1]:
    """(T, c) regressors of the errors, and the periods before the start that have them all.

    With too few periods for its coefficients the model is constant.
    """
    length = len(known.treated)
    course = known.donors[:, active(known)[0]]
    if moments.cointegrated:
        course = np.vstack([np.full((1, course.shape[1]), np.nan), np.diff(course, axis=0)])
    columns = [course] if moments.order else []
    for lag in range(1, moments.lags + 1):
        columns.append(np.vstack([np.full((lag, course.shape[1]), np.nan), course[:-lag]]))
    x = np.column_stack([*columns, np.ones(length)])
    rows = known.before[np.isfinite(x[known.before]).all(axis=1)]
    return (x if len(rows) - _SPARE > x.shape[1] else np.ones((length, 1))), rows


def _projected(x: Float2, rows: Int1, y: Float1) -> Float1:
    """(T,) fitted values of the regression of `y` on the rows of `x`, in all periods."""
    return np.asarray(x @ np.linalg.lstsq(x[rows], y, rcond=None)[0])


def local(known: Comparison, moments: Moments) -> Local:
    """The error of the weights, by a regression of the residuals for their mean, and HC1 for the rest.

    References
    ----------
    Cattaneo, Feng & Titiunik (2021), JASA 116(536), section 4.1: ``Σ = z' diag(u²) z / n²`` with residuals ``u`` less
    their mean, times ``n / (n - df)``, with one degree of freedom less than there are donors with weight.
    """
    x, rows = _design(known, moments)
    residuals = known.residuals[rows]
    mean = _projected(x, rows, residuals)[rows] if moments.misspecified else 0.0
    count = len(rows)
    df = min(int((known.weights >= _CARRIES).sum()) - 1, count - 1)
    rho = active(known)[1]
    room = np.where(known.weights < rho, 0.0, known.weights)
    return Local(rows, np.asarray((residuals - mean) * np.sqrt(count / (count - df))), room)


def outcome(known: Comparison, moments: Moments, shape: Shape) -> Outcome | Refused:
    """The error of the outcome to come, from how the residuals before the start were spread.

    ``gaussian``: sub-Gaussian around a mean by least squares, with the smaller of two scales: one by least squares of
    the logarithm of the squared residuals, and one from their quartiles. ``location-scale``: the quantiles of the
    residuals by that scale. ``quantile``: restricted quantile regression.

    References
    ----------
    Cattaneo, Feng & Titiunik (2021), JASA 116(536), section 4.2; Cattaneo, Feng, Palomba & Titiunik (2025b), Journal
    of Statistical Software, section 2.4; the second scale is that of the R package scpi since 2.0.
    """
    x, rows = _design(known, moments)
    if len(rows) < _LEAST:
        return Refused(
            "the error of the outcome to come",
            f"{len(rows)} periods before the start are fewer than the {_LEAST} that tell how gaps are spread",
            "Add earlier periods, or lower the lags.",
        )
    residuals = known.residuals[rows]
    mean = _projected(x, rows, residuals)
    around = residuals - mean[rows]
    largest = float(np.abs(residuals).max(initial=0.0))
    if shape != "quantile" and (np.abs(around) <= _NOTHING * largest).any():
        return Refused(
            "the error of the outcome to come",
            "a gap before the start is what its model says exactly, and the logarithm of 0 says nothing of the spread",
            "Use error='quantile'.",
        )
    spread = np.exp(_projected(x, rows, np.log(np.maximum(around**2, _NOTHING**2 * largest**2))) / 2)
    inner = restricted_quantiles(x[rows], around)
    scale = np.minimum(spread, np.abs(x @ (inner.at(0.75) - inner.at(0.25))) / _IQR)
    quantiles = restricted_quantiles(x[rows], residuals)
    return Outcome(shape, mean, np.asarray(scale), np.asarray(around / spread[rows]), x, quantiles)
