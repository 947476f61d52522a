"""Systematic error, learned from negative controls: the same design where nothing can be expected, and what it adds.

Where nothing happened, every estimate is error: chance, of which the standard error speaks, and a systematic part that
it says nothing of. Calibrated intervals and p-values count both. They stand beside the declared ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impact.arrays import Float1, Float2
from impact.errors import Refused

__all__ = ["FEWEST", "Calibrated", "SystematicError", "calibrated", "movement", "systematic_error"]

FEWEST = 5
"""Controls below which their spread says next to nothing."""

_WHAT = "a calibration by negative controls"
_SOLVED = 1e-12


@dataclass(frozen=True, slots=True)
class SystematicError:
    """The normal distribution of the systematic error over controls.

    Attributes
    ----------
    mean, sd : float
        In the unit of the estimates; `sd` 0 where chance alone explains how they differ.
    mean_error : float
        Standard error of `mean`.
    controls : int
    """

    mean: float
    sd: float
    mean_error: float
    controls: int


@dataclass(frozen=True, slots=True)
class Calibrated:
    """An estimate with its systematic error taken off and counted.

    Attributes
    ----------
    value : float
        The estimate less the mean systematic error.
    std_error : float
        Of chance, of the spread of the systematic error and of its estimated mean together.
    low, high : float
    p_value : float
        Two-sided, of no effect; at most 1 - level exactly when the interval does not hold 0.
    level : float
    """

    value: float
    std_error: float
    low: float
    high: float
    p_value: float
    level: float


def systematic_error(estimate: Float1, std_error: Float1) -> SystematicError | Refused:
    """Maximum likelihood of ``estimate_i ~ N(mean, sd² + std_error_i²)``, the true effect of every control being 0.

    Parameters
    ----------
    estimate : (K,) float
        Of every control, all in one unit.
    std_error : (K,) float
        Above 0; of chance alone.

    Returns
    -------
    SystematicError or Refused
        Refused with fewer than 5 controls.

    Raises
    ------
    ValueError
        Arrays of two lengths, numbers that are not finite, standard errors that are not above 0.

    References
    ----------
    Schuemie, Ryan, DuMouchel, Suchard & Madigan (2014), Statistics in Medicine 33(2), section 2.3.
    """
    from scipy import optimize

    found, error = np.asarray(estimate, dtype=np.float64), np.asarray(std_error, dtype=np.float64)
    if found.ndim != 1 or found.shape != error.shape or not np.isfinite([found, error]).all() or not (error > 0).all():
        raise ValueError("negative controls have one finite estimate each, with a standard error above 0")
    if len(found) < FEWEST:
        return Refused(
            _WHAT,
            f"{len(found)} negative controls with an estimate and its error are too few to know how they spread",
            f"Name at least {FEWEST} that can be estimated.",
        )
    squared = error[:, None] ** 2

    def profile(variance: Float1) -> Float1:
        """(V,) minus twice the log-likelihood at the best mean for every variance of the systematic error."""
        total = squared + variance
        away = found[:, None] - (found[:, None] / total).sum(axis=0) / (1 / total).sum(axis=0)
        return np.asarray((np.log(total) + away**2 / total).sum(axis=0))

    # No maximum lies above the sum of squares. The profile may have several tops: look everywhere first.
    most = float(((found - found.mean()) ** 2).sum() + squared.max())
    grid = np.r_[0.0, np.geomspace(most * 1e-10, most, 400)]
    best = int(np.argmin(profile(grid)))
    ends = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    near = optimize.minimize_scalar(
        lambda x: float(profile(np.array([x]))[0]), bounds=ends, method="bounded", options={"xatol": _SOLVED * most}
    )
    # At 0 itself the minimiser never looks.
    variance = float(near.x) if near.fun < profile(np.zeros(1))[0] else 0.0
    weight = 1 / (error**2 + variance)
    mean = float((weight * found).sum() / weight.sum())
    return SystematicError(mean, float(np.sqrt(variance)), float(weight.sum() ** -0.5), len(found))


def calibrated(estimate: float, low: float, high: float, error: SystematicError, *, level: float = 0.95) -> Calibrated:
    """Take the systematic error off an estimate, and count what is not known of it.

    ``value = estimate - mean``, with the variance ``s² + sd² K / (K - 1) + mean_error²`` and K - 1 degrees of freedom.
    Chance has ``s``: half the declared interval over the normal quantile of its level, so that the calibrated interval
    is never shorter than the declared one. The systematic error is taken to be the same whatever the effect (no
    positive controls).

    The papers count neither what few controls leave unknown of the spread nor `mean_error`. Where they have 5 controls
    their interval of 95 % holds the truth in 82 % of draws, if the spread is three times the error of chance, and in
    87 % with 10 controls; this one in 94 to 95 %, and in more where there is hardly any systematic error.

    Parameters
    ----------
    estimate : float
        The declared one.
    low, high : float
        Its declared interval.
    error : SystematicError
        In the unit of the estimate.
    level : float
        Of both intervals.

    Raises
    ------
    ValueError
        An interval that is not finite, or has no width.

    References
    ----------
    Schuemie, Hripcsak, Ryan, Madigan & Suchard (2018), PNAS 115(11), with the slope of the error 0; Higgins, Thompson &
    Spiegelhalter (2009), JRSS A 172(1), section 3 (the interval for a new member of an estimated normal population).
    """
    from scipy import special, stats

    if not (np.isfinite([estimate, low, high]).all() and low < high):
        raise ValueError("a calibrated interval is made from a finite interval")
    chance = (high - low) / 2 / float(special.ndtri((1 + level) / 2))
    value, df = estimate - error.mean, error.controls - 1
    spread = error.sd**2 * error.controls / df
    total = float(np.sqrt(chance**2 + spread + error.mean_error**2))
    away = float(stats.t.isf((1 - level) / 2, df)) * total
    p_value = float(2 * stats.t.sf(abs(value) / total, df))
    return Calibrated(value, total, value - away, value + away, p_value, level)


def movement(y: Float2) -> float | None:
    """How much outcomes move by themselves: the standard deviation of ``y`` around unit and period means.

    A scale on which outcomes of different units of measurement can be compared: an error of a difference in differences
    is a difference in movement, however far apart the levels lie.

    Parameters
    ----------
    y : (N, T) float
        Outcomes of units that were never treated, in periods before any start; units with a gap do not count.

    Returns
    -------
    float or None
        None with fewer than two units or periods, or where nothing moves.
    """
    known = np.asarray(y, dtype=np.float64)
    known = known[np.isfinite(known).all(axis=1)]
    count, periods = known.shape
    if count < 2 or periods < 2:
        return None
    rest = known - known.mean(axis=1, keepdims=True) - known.mean(axis=0) + known.mean()
    found = float(np.sqrt((rest**2).sum() / ((count - 1) * (periods - 1))))
    return found if found > _SOLVED * float(np.abs(known).max()) else None
