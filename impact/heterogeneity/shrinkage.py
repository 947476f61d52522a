"""Effects of single areas, drawn towards what the areas have in common, with intervals that allow for the drawing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from impact.arrays import Float1, Float2
from impact.errors import Refused
from impact.heterogeneity.robust import cva

__all__ = ["Between", "Shrunken", "between", "shrink"]

Between = Literal["reml", "morris"]

_WHAT = "the effects of single areas, drawn together"
_FEWEST = 4  # areas beyond the coefficients: with fewer the spread between areas is not known at all
_ROUNDS = 200
_DONE = 1e-12
_SAME = 1e-10  # of a log likelihood


@dataclass(frozen=True, slots=True, eq=False)
class Shrunken:
    """Effects of `k` areas under ``tau ~ (mu + z'b, A)``.

    Attributes
    ----------
    estimate, std_error : (k,) float
        As given.
    centre : (k,) float
        Fitted mean ``mu + z'b`` of an area like this one.
    weight : (k,) float
        ``A / (A + std_error²)``: how much of the area's own deviation is kept.
    value : (k,) float
        ``centre + weight (estimate - centre)``.
    low, high : (k,) float
        Robust interval around `value`.
    reach : (k,) float
        Of the interval, in units of ``weight × std_error``; see ``robust.cva``.
    coefficients : (q,) float
        Of the mean: a constant, then the characteristics.
    variance : float
        A, the variance between areas, as it is used; never below `floor`.
    fitted : float
        A as estimated; 0 where the estimates vary no more than their errors alone would make them.
    floor : float
        The least A that so many estimates with these errors can tell from 0.
    kurtosis : float
        Of the deviations of the areas from their centre, as it is used.
    level : float
    """

    estimate: Float1
    std_error: Float1
    centre: Float1
    weight: Float1
    value: Float1
    low: Float1
    high: Float1
    reach: Float1
    coefficients: Float1
    variance: float
    fitted: float
    floor: float
    kurtosis: float
    level: float

    @property
    def floored(self) -> bool:
        """Whether the areas vary so little that `floor` stands for the variance between them."""
        return self.fitted < self.floor


def shrink(
    estimate: Float1,
    std_error: Float1,
    covariates: Float2 | None = None,
    *,
    method: Between = "reml",
    level: float = 0.95,
) -> Shrunken | Refused:
    """Draw the effects of areas towards their common mean, each by as much as its own error is large.

    The intervals are those of Armstrong, Kolesár & Plagborg-Møller: they hold their level on average over the areas,
    whatever the distribution of the true effects is, and not for every single area. (Intervals that take the normal
    distribution for granted reach 1.96 and may hold far less.) Two things they do not know: that the mean and `A` are
    themselves estimated from few areas, and errors that the areas share, such as that of common controls, which move
    all of them together.

    Parameters
    ----------
    estimate, std_error : (k,) float
        Of every area; standard errors above 0, taken as known.
    covariates : (k, p) float, optional
        Characteristics whose line the areas are drawn to, instead of one mean.
    method : {"reml", "morris"}
        How A is estimated: by restricted maximum likelihood, or as Morris does, by moments with the weights of A.
    level : float
        Of the interval.

    Returns
    -------
    Shrunken or Refused
        A refusal below 4 areas more than coefficients.

    Raises
    ------
    ValueError
        Numbers that are not finite, an error that is not above 0, characteristics that are no independent columns.

    References
    ----------
    Morris (1983), JASA 78(381); Armstrong, Kolesár & Plagborg-Møller (2022), Econometrica 90(6), 2567-2602; the floors
    of the variance and the kurtosis are those of their R package ebci (``fs_correction = "PMT"``).
    """
    y, error, x = _checked(estimate, std_error, covariates, method, level)
    count, terms = x.shape
    if count - terms < _FEWEST:
        return Refused(
            _WHAT,
            f"{count} areas and {terms} coefficients leave {count - terms} to learn from how areas differ, "
            f"and {_FEWEST} are needed",
            "Use more areas, or fewer characteristics.",
        )
    fitted = between(y, error, x, method)
    variance = error**2
    floor = float(2 * (variance**2).mean() / (count * variance.mean()))
    used = max(fitted, floor)
    coefficients = _line(y, x, 1.0 / (used + variance))
    centre = x @ coefficients
    away = y - centre
    fourth = float((away**4 - 6 * variance * away**2 + 3 * variance**2).mean())
    least = 1 + float(32 * (variance**4).mean() / (count * (variance**2).mean())) / used**2
    kurtosis = max(fourth / used**2, least)
    weight = used / (used + variance)
    reach = np.array([cva(float(ratio), kurtosis, 1 - level) for ratio in variance / used])
    value = centre + weight * away
    half = reach * weight * error
    return Shrunken(
        y,
        error,
        centre,
        weight,
        value,
        value - half,
        value + half,
        reach,
        coefficients,
        used,
        fitted,
        floor,
        kurtosis,
        level,
    )


def _checked(
    estimate: Float1, std_error: Float1, covariates: Float2 | None, method: str, level: float
) -> tuple[Float1, Float1, Float2]:
    """Estimates, errors and the columns of the mean, the constant first."""
    y, error = np.asarray(estimate, dtype=np.float64), np.asarray(std_error, dtype=np.float64)
    given = np.zeros((len(y), 0)) if covariates is None else np.asarray(covariates, dtype=np.float64)
    if y.ndim != 1 or error.shape != y.shape or given.ndim != 2 or len(given) != len(y):
        raise ValueError("estimates and errors are one number an area, covariates one row an area")
    if not (np.isfinite(y).all() and np.isfinite(error).all() and np.isfinite(given).all() and (error > 0).all()):
        raise ValueError("estimates and covariates are finite, and every standard error is above 0")
    if method not in get_args(Between):
        raise ValueError(f"method={method!r} is not one of {', '.join(get_args(Between))}")
    if not 0 < level < 1:
        raise ValueError(f"level={level} is not between 0 and 1")
    x = np.column_stack([np.ones(len(y)), given])
    if len(y) >= x.shape[1] and np.linalg.matrix_rank(x) < x.shape[1]:
        raise ValueError("the covariates and the constant are not independent columns")
    return y, error, x


def _line(y: Float1, x: Float2, precision: Float1) -> Float1:
    """(q,) coefficients of the weighted regression."""
    weighted = x * precision[:, None]
    return np.asarray(np.linalg.solve(x.T @ weighted, weighted.T @ y))


def between(y: Float1, std_error: Float1, x: Float2, method: Between = "reml") -> float:
    """The variance A between areas beyond their errors; 0 at least.

    ``reml`` maximises the restricted likelihood of ``y ~ N(x b, A + std_error²)``; ``morris`` solves
    ``Σ w ((k / (k - q)) (y - x b)² - std_error²) = A Σ w`` with ``w = 1 / (A + std_error²)``.

    Parameters
    ----------
    y : (k,) float
        Estimates.
    std_error : (k,) float
        Of them, taken as known.
    x : (k, q) float
        Columns of the mean, the constant among them.
    method : {"reml", "morris"}
        Which of the two.
    """
    variance = std_error**2
    if method == "morris":
        return _morris(y, variance, x)
    from scipy import optimize

    def loss(a: float) -> float:
        precision = 1.0 / (a + variance)
        away = y - x @ _line(y, x, precision)
        _, logdet = np.linalg.slogdet((x * precision[:, None]).T @ x)
        return float(np.log(a + variance).sum() + logdet + (precision * away**2).sum())

    # The likelihood may have more than one top, so it is looked at over the whole range before one is refined.
    most = float(((y - x @ _line(y, x, np.ones(len(y)))) ** 2).sum())
    if most <= _DONE * float(variance.max()):
        return 0.0
    grid = np.concatenate([[0.0], np.geomspace(1e-6 * min(most, float(variance.min())), 2 * most, 300)])
    values = np.array([loss(float(a)) for a in grid])
    best = int(values.argmin())
    bounds = (float(grid[max(best - 1, 0)]), float(grid[min(best + 1, len(grid) - 1)]))
    found = optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": _DONE * bounds[1]})
    return 0.0 if values[0] <= found.fun + _SAME else float(found.x)


def _morris(y: Float1, variance: Float1, x: Float2) -> float:
    from scipy import optimize

    count, terms = x.shape

    def over(a: float) -> float:
        precision = 1.0 / (a + variance)
        away = y - x @ _line(y, x, precision)
        return float((precision * (count / (count - terms) * away**2 - variance - a)).sum())

    if over(0.0) <= 0:
        return 0.0
    high = float(variance.max())
    for _ in range(_ROUNDS):
        if over(high) < 0:
            break
        high *= 2
    return float(optimize.brentq(over, 0.0, high, xtol=_DONE * high))
