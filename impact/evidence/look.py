"""One look at outcomes that are looked at more than once, as values that a record holds."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Look", "Revised", "Taken"]


@dataclass(frozen=True, slots=True)
class Taken:
    """An earlier look, with what was then found.

    Attributes
    ----------
    number, label : int, str
        Which look, and when it was planned.
    until : str
        Last period that it saw.
    fraction, critical, nominal, spent : float
        See ``impact.inference.looks.Look``.
    value, low, high : float or None
        The estimate and its interval then.
    path : tuple of (period, focus, comparison)
        Means of both groups then.
    """

    number: int
    label: str
    until: str
    fraction: float
    critical: float
    nominal: float
    spent: float
    value: float | None = None
    low: float | None = None
    high: float | None = None
    path: tuple[tuple[str, float | None, float | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Revised:
    """A mean of an earlier period that an earlier look saw otherwise; `group` is ``focus`` or ``comparison``."""

    look: int
    period: str
    group: str
    was: float
    now: float


@dataclass(frozen=True, slots=True)
class Look:
    """This look.

    Attributes
    ----------
    number, label : int, str
        Which look, and when it was planned; "" when it was not, and what it finds is exploratory.
    planned : int
        How many looks were.
    spending : str
        How the error is spread over them.
    alpha : float
        Error over all looks together.
    until : str
        Last period that it sees.
    fraction, critical, nominal, spent : float
        See ``impact.inference.looks.Look``; the interval has level ``1 - nominal``.
    joint : bool
        Whether the boundary comes from the joint covariance of the looks; otherwise the error is split, which holds
        whatever the looks have in common.
    fresh : bool
        Whether there is a measurement that the look before did not see; without one nothing is spent.
    before : tuple of Taken
    revised : tuple of Revised
        Where the source changed earlier figures since.
    """

    number: int
    label: str
    planned: int
    spending: str
    alpha: float
    until: str
    fraction: float
    critical: float
    nominal: float
    spent: float
    joint: bool = True
    fresh: bool = True
    before: tuple[Taken, ...] = ()
    revised: tuple[Revised, ...] = ()

    @property
    def spent_so_far(self) -> float:
        """Error spent by this look and those before."""
        return self.spent + sum(look.spent for look in self.before)
