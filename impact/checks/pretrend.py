"""Did the areas and their comparison already drift apart before the start? Reported, never a gate.

A test that is passed says little where it has no power, and whoever goes on only after passing selects: so beside the
test stand how large a difference it could have seen, how small a difference it rules out, and what selection does.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from impact.arrays import Float1
from impact.checks.event_study import EventStudy, Leads
from impact.checks.protocol import Check, Verdict
from impact.errors import Refused
from impact.numerics.pretest import passing, slope_for_power

__all__ = ["Equivalence", "Power", "Wald", "equivalence", "joint", "power", "pretrend"]

_FEWEST = 4  # degrees of freedom that the joint test may leave, as in `impact.inference.contrast`


def pretrend(
    terms: tuple[str, ...],
    p_values: Float1,
    threshold: float,
    *,
    used: Collection[str] = (),
    together: Wald | None = None,
) -> Check:
    """The p-value of all pre-period terms is above `threshold`: that of the joint test, where there is one.

    Without it the smallest one counts, adjusted after Bonferroni. Passing is weak evidence when the test has little
    power: see `power` and `equivalence`.

    Parameters
    ----------
    terms : tuple of str
        Event times; those below 0 are pre-periods.
    p_values : (m,) float
        By the declared inference; nan where it was refused, and such terms do not count.
    threshold : float
        Smallest adjusted p-value that passes.
    used : collection of str
        Event times of outcomes that were used for matching or weights: of them the check would be circular, so the
        other periods serve, and with none left nothing is known.
    together : Wald, optional
        Of the terms that count; see `joint`.
    """

    def check(statistic: float | None, verdict: Verdict, because: str = "") -> Check:
        return Check("pre-trend", statistic, threshold, verdict, False, "pre", "pre-trend", because)

    before = np.array([term.lstrip("-").isdigit() and int(term) < 0 and term not in used for term in terms])
    if used and not before.any():
        return check(None, "not_evaluated", "matched-on-outcomes")
    if not before.any():
        return check(None, "not_evaluated", "no-pre-period")
    known = p_values[before & np.isfinite(p_values)]
    if not len(known):
        return check(None, "not_evaluated", "no-interval")
    adjusted = min(1.0, float(known.min()) * len(known)) if together is None else together.p_value
    some = "some-intervals" if len(known) < before.sum() else "some-matched" if used else ""
    return check(adjusted, "pass" if adjusted > threshold else "fail", some)


@dataclass(frozen=True, slots=True)
class Wald:
    """A joint test that all means before the start are 0.

    Attributes
    ----------
    statistic : float
        F.
    rank, df : int
        Its degrees of freedom.
    p_value : float
    """

    statistic: float
    rank: int
    df: int
    p_value: float


@dataclass(frozen=True, slots=True)
class Equivalence:
    """A test that all means before the start are smaller than a bound.

    Attributes
    ----------
    bound : float or None
        The declared one, in units of the outcome.
    p_value : float or None
        Of the null that some mean is at least as large as `bound`; None without a bound.
    smallest : float
        The smallest bound that the test would confirm at the level of the interval.
    """

    bound: float | None
    p_value: float | None
    smallest: float


@dataclass(frozen=True, slots=True)
class Power:
    """What the test "no estimate before the start is significant" can see, and what going on after it does.

    Attributes
    ----------
    size : float
        Probability of failing without any trend.
    slope50, slope80 : float or None
        Slopes per period of the linear trends that it detects in half and in 80 % of cases; None where it fails that
        often without a trend.
    slope : float
        Of the linear trend that would be the whole estimate.
    detected : float
        Probability of detecting that one.
    bias : float
        Mean of the estimate under that trend and no effect.
    bias_after_passing : float or None
        The same among the cases that pass; None where none does.
    """

    size: float
    slope50: float | None
    slope80: float | None
    slope: float
    detected: float
    bias: float
    bias_after_passing: float | None


def joint(found: Leads) -> Wald | Refused:
    """All estimates before the start together.

    With k treated clusters and r estimates, ``F = (k - r) / ((k - 1) r) b' V⁻¹ b`` has r and k - r degrees of freedom:
    Hotelling's T², which with one estimate is the test of the declared interval, t(k - 1). It is exact for the means of
    k clusters alone; where controls add to V, and under the jackknife, it rejects a little less often than it says.

    Returns
    -------
    Wald or Refused
        Refused where fewer than 4 degrees of freedom are left, or the covariance is singular.

    References
    ----------
    Hotelling (1931), Annals of Mathematical Statistics 2(3).
    """
    from scipy import stats

    what, rank = "a joint test of the time before the start", len(found.beta)
    df = found.clusters - rank
    if df < _FEWEST:
        return Refused(
            what,
            f"{found.clusters} treated clusters leave {max(df, 0)} degrees of freedom beside {rank} periods",
            "Read the periods one by one.",
        )
    scale = np.sqrt(np.diag(found.covariance))
    relative = found.covariance / np.outer(scale, scale)
    if np.linalg.matrix_rank(relative, hermitian=True) < rank:
        return Refused(what, "some estimate before the start follows from the others", "Read the periods one by one.")
    z = found.beta / scale
    statistic = df / ((found.clusters - 1) * rank) * float(z @ np.linalg.solve(relative, z))
    return Wald(statistic, rank, df, float(stats.f.sf(statistic, rank, df)))


def equivalence(found: Leads, bound: float | None = None) -> Equivalence:
    """Two one-sided tests for every period, all of which must reject: the largest p-value is that of the whole.

    Parameters
    ----------
    found : Leads
        The estimates before the start.
    bound : float, optional
        A difference that would not matter, declared before the outcomes were seen; in units of the outcome.

    Raises
    ------
    ValueError
        A bound that is not above 0.

    References
    ----------
    Hartman & Hidalgo (2018), American Journal of Political Science 62(4); Dette & Schumann (2024), Journal of Business
    and Economic Statistics 42(4), section 3.1 (the largest difference).
    """
    from scipy import stats

    size = np.abs(found.beta)
    smallest = float(np.max(size + stats.t.isf(1 - found.level, found.df) * found.error))
    if bound is None:
        return Equivalence(None, None, smallest)
    if not bound > 0:
        raise ValueError(f"bound={bound} is not above 0")
    return Equivalence(bound, float(np.max(stats.t.cdf((size - bound) / found.error, found.df))), smallest)


def power(found: EventStudy) -> Power:
    """What the declared intervals before the start could have shown.

    References
    ----------
    Roth (2022), American Economic Review: Insights 4(3).
    """
    before = found.before
    times = found.times
    sigma, critical = found.sampling, found.critical
    inner = sigma[:before, :before]
    asked = np.r_[np.zeros(before), found.combination]
    estimate = float(asked @ found.beta)
    slope = estimate / float(asked @ times) if asked @ times else np.nan
    size = 1 - passing(np.zeros(len(times)), sigma, critical).probability
    slopes = [slope_for_power(p, times[:before], inner, critical) if p > size else None for p in (0.5, 0.8)]
    under = passing(slope * times, sigma, critical)
    after = float(asked @ under.mean)
    return Power(
        size, slopes[0], slopes[1], slope, 1 - under.probability, estimate, after if np.isfinite(after) else None
    )
