"""Looking more than once: what every look may spend of the error that was declared, and what was spent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from impact.arrays import Float1, Float2
from impact.inference.crossing import MOST, Walk, walks

__all__ = ["Boundaries", "Ledger", "Look", "Spending", "boundaries", "constant_shape", "spent_by"]

Spending = Literal["obrien-fleming", "pocock"]
Shape = Literal["obrien-fleming", "pocock"]

_ROUNDING = 1e-9


def spent_by(fraction: Float1, alpha: float, spending: Spending) -> Float1:
    """(K,) error that may have been spent when these fractions of the information are in.

    ``obrien-fleming`` is ``4 - 4 Φ(z(1 - alpha/4) / √t)``: next to nothing early. ``pocock`` is
    ``alpha ln(1 + (e - 1) t)``: about as much at every look. Both for a two-sided test, half of it to either side.

    References
    ----------
    Lan & DeMets (1983), Biometrika 70(3).
    """
    from scipy import special

    if spending not in get_args(Spending):
        raise ValueError(f"spending={spending!r} is not one of {', '.join(get_args(Spending))}")
    t = np.clip(np.asarray(fraction, dtype=np.float64), 0.0, 1.0)
    if spending == "pocock":
        return np.asarray(alpha * np.log1p((np.e - 1) * t))
    with np.errstate(divide="ignore"):
        return np.asarray(4 * special.ndtr(special.ndtri(alpha / 4) / np.sqrt(t)))


@dataclass(frozen=True, slots=True, eq=False)
class Boundaries:
    """Where the looks stop.

    Attributes
    ----------
    critical : (K,) float
        Standard errors beyond which a look finds a difference; infinite where nothing is left to spend.
    nominal : (K,) float
        The two-sided p-value at which a look does: hold the p-value of the declared inference against it, whose
        degrees of freedom are then in it; 1 less it is the level of the interval of that look.
    spent : (K,) float
        Probability under no effect that this look is the first to find one.
    mc_error : (K,) float
        Monte-Carlo standard error of `critical`.
    """

    critical: Float1
    nominal: Float1
    spent: Float1
    mc_error: Float1


def boundaries(
    covariance: Float2,
    cumulative: Float1,
    generator: np.random.Generator,
    *,
    past: Sequence[float] = (),
    draws: int = 2**14,
) -> Boundaries:
    """The boundary of every look, so that so much error has been spent by then.

    The estimates of the looks share their base period and the years before, so they are not sums of independent
    increments; all that is used is their joint covariance. The boundary of a look solves, given those before it,
    ``P(some look so far goes beyond its boundary) = cumulative``. What a look cannot spend (a covariance that has
    changed since, a boundary of the past that took more) is spent by the next, and where more is gone than may be,
    nothing crosses: the boundary is infinite.

    Where every look depends on those before through the last alone (independent increments) the probabilities are
    repeated integrals, without chance. Otherwise they are averages over estimates drawn look by look between their
    boundaries (Geweke, Hajivassiliou and Keane) at the points of a shifted lattice: smooth in the boundary, the tails
    as exact as the middle, and with a Monte-Carlo error that is given.

    Parameters
    ----------
    covariance : (K, K) float
        Of the estimates at the looks; ``S' S`` of their scores by cluster. Its scale does not matter.
    cumulative : (K,) float
        Error that may be spent up to each look, rising, as `spent_by` gives it.
    generator : Generator
        Of the shifts.
    past : sequence of float
        Boundaries of the first looks, as they were used; they stand.
    draws : int
        Points for every shift.

    Raises
    ------
    ValueError
        A covariance that is none, error that falls, more looks in the past than there are.

    References
    ----------
    Jennison & Turnbull (2000), chapters 2, 7 and 11 (joint distribution, spending, non-independent increments); Lan &
    DeMets (1983).
    """
    ways = walks(covariance, generator, draws)
    count = len(covariance)
    budget = np.asarray(cumulative, dtype=np.float64)
    if budget.shape != (count,) or not ((budget >= 0) & (budget < 1)).all() or (np.diff(budget) < -_ROUNDING).any():
        raise ValueError("`cumulative` is error from 0 to 1 that does not fall, one number for every look")
    if len(past) > count or any(not bound > 0 for bound in past):
        raise ValueError("boundaries of the past are above 0, and no more than there are looks")
    found = np.array([_solved(way(), budget, past) for way in ways])
    critical = found[:, 0].mean(axis=0)  # infinite where one walk finds nothing left
    return Boundaries(critical, _two_sided(critical), found[:, 1].mean(axis=0), _error(found[:, 0]))


def constant_shape(
    covariance: Float2, shape: Shape, alpha: float, generator: np.random.Generator, *, draws: int = 2**14
) -> Boundaries:
    """The classical boundaries for looks that are all planned: constant (Pocock), or falling (O'Brien and Fleming).

    ``pocock``: ``c`` at every look. ``obrien-fleming``: ``c √(V_k / V_K)``, with V the variances of the estimates, so
    ``c √(K / k)`` for equal independent steps. The constant makes the error over all looks `alpha`.

    Parameters
    ----------
    covariance : (K, K) float
        Of the estimates at the looks.
    shape : {"obrien-fleming", "pocock"}
        Falling, or constant.
    alpha : float
        Over all looks.
    generator, draws
        As in `boundaries`.

    References
    ----------
    Pocock (1977), Biometrika 64(2); O'Brien & Fleming (1979), Biometrics 35(3).
    """
    from scipy import optimize

    if shape not in get_args(Shape):
        raise ValueError(f"shape={shape!r} is not one of {', '.join(get_args(Shape))}")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha={alpha} is not between 0 and 1")
    ways = walks(covariance, generator, draws)
    variance = np.diag(np.asarray(covariance, dtype=np.float64))
    form = np.ones(len(variance)) if shape == "pocock" else np.sqrt(variance / variance[-1])

    def spending(way: Callable[[], Walk], c: float) -> Float1:
        walk = way()
        return np.array([walk.go(c * bound) for bound in form])

    every = np.array(
        [optimize.brentq(lambda c, way=way: spending(way, c).sum() - alpha, 0.1, MOST, xtol=1e-10) for way in ways]
    )
    critical = float(every.mean()) * form
    spent = np.mean([spending(way, float(every.mean())) for way in ways], axis=0)
    return Boundaries(critical, _two_sided(critical), np.asarray(spent), _error(every[:, None]) * form)


def _solved(walk: Walk, budget: Float1, past: Sequence[float]) -> Float2:
    """(2, K) boundaries and what each spends."""
    from scipy import optimize

    gone = 0.0
    out = np.zeros((2, len(budget)))
    for look, limit in enumerate(budget):
        left = float(limit) - gone
        if look < len(past):
            bound = float(past[look])
        elif left <= walk.beyond(MOST):
            bound = np.inf
        elif walk.beyond(0.0) <= left:
            bound = 0.0
        else:
            bound = float(optimize.brentq(lambda c, left=left: walk.beyond(c) - left, 0.0, MOST, xtol=1e-10))
        out[:, look] = bound, walk.go(bound)
        gone += out[1, look]
    return out


def _error(values: Float2) -> Float1:
    """(K,) standard error of the mean over the walks (rows); 0 where there is one."""
    with np.errstate(invalid="ignore"):
        spread = values.std(axis=0, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.zeros(values.shape[1])
    return np.where(np.isfinite(spread), spread, 0.0)


def _two_sided(critical: Float1) -> Float1:
    from scipy import special

    return np.asarray(2 * special.ndtr(-critical))


# What was spent -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the outcomes.

    Attributes
    ----------
    label : str
        When, as ``2026-11``.
    fraction : float
        Of all information that will be looked at, from above 0 to 1; of the planned time where that is declared.
    planned : bool
        One that was not planned is exploratory: it spends as declared, and finds nothing that counts.
    critical, nominal, spent : float
        See `Boundaries`.
    """

    label: str
    fraction: float
    planned: bool
    critical: float
    nominal: float
    spent: float

    @property
    def exploratory(self) -> bool:
        """Whether what this look finds is exploratory."""
        return not self.planned


@dataclass(frozen=True, slots=True)
class Ledger:
    """What was declared of looking, and every look that was taken: a value, to be kept with the study.

    Parameters
    ----------
    alpha : float
        Error over all looks together.
    spending : {"obrien-fleming", "pocock"}
    planned : tuple of str
        Labels of the planned looks in order; the i-th of K has information i / K, unless `fractions` says otherwise.
    fractions : tuple of float
        Of the planned looks, rising to 1.
    taken : tuple of Look
    """

    alpha: float
    spending: Spending
    planned: tuple[str, ...]
    fractions: tuple[float, ...] = ()
    taken: tuple[Look, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha={self.alpha} is not between 0 and 1")
        if self.spending not in get_args(Spending):
            raise ValueError(f"spending={self.spending!r} is not one of {', '.join(get_args(Spending))}")
        if not self.planned or len(set(self.planned)) != len(self.planned):
            raise ValueError("planned looks have labels of their own, one or more")
        if self.fractions and (
            len(self.fractions) != len(self.planned)
            or not self.fractions[0] > 0
            or any(after <= before for before, after in zip(self.fractions, self.fractions[1:], strict=False))
            or self.fractions[-1] != 1
        ):
            raise ValueError("`fractions` rise from above 0 to 1, one for every planned look")

    @property
    def spent(self) -> float:
        """The error that was spent by the looks so far."""
        return sum(look.spent for look in self.taken)

    def fraction(self, label: str) -> float:
        """Of a planned look.

        Raises
        ------
        ValueError
            The look was not planned: its fraction must be given.
        """
        if label not in self.planned:
            raise ValueError(f"the look {label!r} was not planned: {', '.join(self.planned)}; give its fraction")
        place = self.planned.index(label)
        return self.fractions[place] if self.fractions else (place + 1) / len(self.planned)

    def look(
        self,
        label: str,
        covariance: Float2,
        generator: np.random.Generator,
        *,
        fraction: float | None = None,
        draws: int = 2**14,
    ) -> Ledger:
        """The ledger with one look more, whose boundary is conditional on those of the looks before.

        Parameters
        ----------
        label : str
            A planned one, or another, which is then exploratory.
        covariance : (k, k) float
            Of the estimates of all looks so far, this one last, as they are known today.
        generator, draws
            As in `boundaries`.
        fraction : float, optional
            Of a look that was not planned; it is fixed before its outcome is seen.

        Raises
        ------
        ValueError
            A look that was taken before, one that goes back in time, or a covariance of another number of looks.
        """
        if any(look.label == label for look in self.taken):
            raise ValueError(f"the look {label!r} was taken before; a revision of its figures is a new look")
        planned = label in self.planned
        if planned and fraction is not None and fraction != self.fraction(label):
            raise ValueError(f"the planned look {label!r} has the fraction {self.fraction(label):g}")
        now = self.fraction(label) if fraction is None else fraction
        before = self.taken[-1].fraction if self.taken else 0.0
        if not before < now <= 1:
            raise ValueError(f"the fraction {now:g} of look {label!r} is not above {before:g}, that of the one before")
        if np.shape(covariance) != (len(self.taken) + 1,) * 2:
            raise ValueError(f"the covariance is of {len(self.taken) + 1} looks, this one last")
        cumulative = spent_by(np.array([*(look.fraction for look in self.taken), now]), self.alpha, self.spending)
        past = [look.critical for look in self.taken]
        found = boundaries(covariance, cumulative, generator, past=past, draws=draws)
        new = Look(label, now, planned, *(float(part[-1]) for part in (found.critical, found.nominal, found.spent)))
        return replace(self, taken=(*self.taken, new))
