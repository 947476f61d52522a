"""How reliable outcomes before the start are, and what a rule of thumb says of matching on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from impact.arrays import Float2, require
from impact.errors import Refused

__all__ = ["Advice", "Reliability", "advise", "reliability"]


@dataclass(frozen=True, slots=True)
class Reliability:
    """How much of the differences between units in their mean outcome before the start is lasting.

    Attributes
    ----------
    value : float
        Lasting share of the variance of a mean over `periods`, from 0 to 1.
    low, high : float
        Interval of that share at `level`, when outcomes are normal.
    level : float
    lasting, passing : float
        Variances of what lasts and of what passes in one period, in squared units of the outcome.
    periods : int
    units : int
    notes : tuple of str
    """

    value: float
    low: float
    high: float
    level: float
    lasting: float
    passing: float
    periods: int
    units: int
    notes: tuple[str, ...] = ()


def reliability(
    y: ArrayLike, *, se: ArrayLike | None = None, given: ArrayLike | None = None, level: float = 0.95
) -> Reliability | Refused:
    """The reliability of mean outcomes over periods before the start, from variance components.

    With y_it = m_t + θ_i + ε_it the mean squares between units, B, and within them, W, have means T·Var(θ) + Var(ε) and
    Var(ε); the reliability is Var(θ)/(Var(θ) + Var(ε)/T) = 1 − W/B (Ham & Miratrix, arXiv 2205.08644; the interval is
    the exact one of the one-way random model, Searle, Casella & McCulloch 1992, section 3.6).

    Chance that lasts for some periods (autocorrelation) counts as lasting here, so then the value is too high.

    Parameters
    ----------
    y : (n, T) float
        Outcomes before the start, all known; of one group, or of both with the group among `given`.
    se : (n, T) float, optional
        Known standard errors of `y` (surveys). The passing variance is at least their mean square; with one period
        it is that.
    given : (n, p) float, optional
        Characteristics that are matched on anyway: the reliability of what they leave unexplained.
    level : float
        Of the interval.

    Returns
    -------
    Reliability or Refused
        A refusal for missing values, too few units, one period without known errors, and outcomes that do not differ.

    Raises
    ------
    ValueError
        For a level outside (0, 1), negative errors, and arrays that do not fit.
    """
    values = np.asarray(y, dtype=float)
    require("y", values, (None, None))
    n, periods = values.shape
    if not 0 < level < 1:
        raise ValueError("level must lie between 0 and 1")
    known = None if se is None else _known_variance(np.asarray(se, dtype=float), values.shape)
    x = np.zeros((n, 0)) if given is None else np.asarray(given, dtype=float)
    require("given", x, (n, None))
    if not (np.isfinite(values).all() and np.isfinite(x).all()) or (known is not None and not np.isfinite(known)):
        return _refuse("some values are missing", "Take units and periods in which all are known.")
    if periods < 2 and known is None:
        return _refuse(
            "one period shows no chance, and its errors are not known", "Bring more periods or known errors."
        )
    left, rank = _without(values, x)
    free = n - rank
    if free < 2:
        return _refuse(f"{n} units are too few for {rank} means and characteristics", "Bring more units.")
    mean = left.mean(axis=1)
    between = periods * float(mean @ mean) / free
    inside = float(((left - mean[:, None]) ** 2).sum())
    if between <= 1e-24 * max(float((values**2).mean()), np.finfo(float).tiny):
        return _refuse("units do not differ in their means", "There is nothing to match on in these outcomes.")
    within = inside / (free * (periods - 1)) if periods > 1 else 0.0
    if known is not None and (periods < 2 or known > within):
        passing, inside_free = known, 0
        notes = ["the passing variance is that of the known errors"]
    else:
        passing, inside_free = within, free * (periods - 1)
        notes = ["chance that lasts for several periods counts as lasting: the value is an upper bound"]
    low, high = _interval(passing / between, free, inside_free, level)
    if passing > between:
        notes.append("units differ by no more than chance in this sample, so the value is 0")
    lasting = max(between - passing, 0.0) / periods
    value = max(1 - passing / between, 0.0)
    return Reliability(value, low, high, level, lasting, passing, periods, n, tuple(notes))


def _known_variance(se: Float2, shape: tuple[int, ...]) -> float:
    require("se", se, shape)
    if (se < 0).any():
        raise ValueError("se must not be negative")
    return float((se**2).mean())


def _without(y: Float2, x: Float2) -> tuple[Float2, int]:
    """What a constant and `x` leave unexplained in every period, and their rank."""
    centred = x - x.mean(axis=0)
    size = np.sqrt((centred**2).sum(axis=0))
    varies = size > 1e-12 * np.abs(x).sum(axis=0)  # a constant leaves rounding noise
    columns = np.column_stack([np.full(len(y), len(y) ** -0.5), centred[:, varies] / size[varies]])
    basis, strength, _ = np.linalg.svd(columns, full_matrices=False)
    basis = basis[:, strength > 1e-10]
    return y - basis @ (basis.T @ y), basis.shape[1]


def _interval(ratio: float, between: int, within: int, level: float) -> tuple[float, float]:
    """Of 1 − W/B, with degrees of freedom of both; `within` 0 when W is known."""
    from scipy.stats import chi2, f

    tail = np.array([(1 + level) / 2, (1 - level) / 2])
    bounds = f.ppf(tail, between, within) if within else chi2.ppf(tail, between) / between
    low, high = (min(max(1 - float(bound) * ratio, 0.0), 1.0) for bound in bounds)
    return low, high


def _refuse(because: str, instead: str) -> Refused:
    return Refused("the reliability of outcomes before the start", because, instead)


# --- the rule of thumb ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Advice:
    """What to match on if areas were chosen for what they are, and the bias that stays either way.

    Attributes
    ----------
    on : {"nothing", "structure", "structure-and-outcomes", "outcomes"}
    unmatched, matched : float
        Absolute bias left by what structure does not explain, without and with matching on outcomes too: in units of
        the lasting difference between both groups, times its weight in the outcome after the start.
    because : str
    """

    on: Literal["nothing", "structure", "structure-and-outcomes", "outcomes"]
    unmatched: float
    matched: float
    because: str


def advise(reliability: float, *, drift: float, structure: bool = True) -> Advice:
    """The rule of thumb of Ham & Miratrix (arXiv 2205.08644): match on outcomes too where that leaves less bias.

    Of a lasting difference δ that characteristics do not explain, difference-in-differences leaves ``|drift|·δ`` and
    matching on outcomes ``(1 − reliability)·δ``: matching gives up the second difference for as far as outcomes show
    who is who. So outcomes are matched on only where ``reliability > 1 − |drift|``. Characteristics are always matched
    on when there are any: they are known without chance.

    This holds for areas that were chosen for what they are. It says nothing of areas chosen for a score that was bad
    by chance; that is what ``impact.design.bracket`` is for. Nor may outcomes of a base period or a selection wave be
    matched on.

    Parameters
    ----------
    reliability : float
        Of the outcomes that would be matched on, given the characteristics; from 0 to 1.
    drift : float
        How much less a lasting difference shows before the start than after it, as a share: 1 − β_before/β_after. 0 is
        parallel trends. To be argued; periods before the start may show how it moved there.
    structure : bool
        Whether there are characteristics to match on.

    Raises
    ------
    ValueError
        For a reliability outside [0, 1] or a drift that is no number.
    """
    if not 0 <= reliability <= 1:
        raise ValueError("reliability must lie between 0 and 1")
    if not np.isfinite(drift):
        raise ValueError("drift must be a number")
    unmatched, matched = abs(drift), 1 - reliability
    left = f"of a lasting difference {matched:.2f} would stay with matching on outcomes, and {unmatched:.2f} without"
    if matched < unmatched:
        return Advice("structure-and-outcomes" if structure else "outcomes", unmatched, matched, left)
    return Advice("structure" if structure else "nothing", unmatched, matched, left)
