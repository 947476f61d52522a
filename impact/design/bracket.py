"""Both ends of what matching can do: the bracket of estimates, and what a rule of selection finds where nothing was.

Areas chosen for what they are (structure) regress to their own mean when they are matched on outcomes that are partly
chance; areas chosen for a score that was partly chance recover by themselves when they are not. Data cannot tell which
it was, so estimates are given for both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from impact.arrays import Bool1, Float1, Float2, require
from impact.errors import Refused

__all__ = ["Bracket", "Lowest", "Selects", "Spurious", "Weighs", "spurious_effect"]


# --- the placebo for regression to the mean ---------------------------------------------------------------------------


class Selects(Protocol):
    """A rule by which units are chosen."""

    def __call__(self, y: Float2) -> Bool1:
        """(n,) who would be chosen on outcomes (n, t) of the periods up to then."""
        ...


class Weighs(Protocol):
    """A rule by which units are compared."""

    def __call__(self, y: Float2, chosen: Bool1) -> Float1 | Refused:
        """(n,) weight of every unit that was not chosen, on outcomes (n, t) of the periods up to then."""
        ...


@dataclass(frozen=True, slots=True)
class Lowest:
    """Choose the `count` units with the lowest mean over the last `waves` periods; of equal ones the first.

    Where a high score is bad, give outcomes with the sign turned.
    """

    count: int
    waves: int = 1

    def __post_init__(self) -> None:
        if self.count < 1 or self.waves < 1:
            raise ValueError("count and waves must be at least 1")

    def __call__(self, y: Float2) -> Bool1:
        """(n,) who is among the lowest."""
        chosen = np.zeros(len(y), dtype=bool)
        chosen[np.argsort(y[:, -self.waves :].mean(axis=1), kind="stable")[: self.count]] = True
        return chosen


@dataclass(frozen=True, slots=True, eq=False)
class Spurious:
    """What would have been found where nothing happened.

    Attributes
    ----------
    dates : tuple of int
        Numbers of the first periods after each invented start.
    effects : (d,) float
        Per date: the change of the chosen less that of their comparison, in the unit of the outcome.
    chosen : tuple of int
        How many units were chosen at each date.
    refused : tuple of (date, Refused)
        Dates without a comparison.
    """

    dates: tuple[int, ...]
    effects: Float1
    chosen: tuple[int, ...]
    refused: tuple[tuple[int, Refused], ...] = ()

    @property
    def mean(self) -> float:
        """The mean over the dates. Dates share units and periods: their spread is no standard error."""
        return float(self.effects.mean())


def spurious_effect(
    y: ArrayLike, *, dates: Sequence[int], base: int, after: int, select: Selects, weigh: Weighs
) -> Spurious | Refused:
    """The rule of selection and matching at earlier dates, among units that were never treated.

    Nothing happened at those dates, so what comes out is regression to the mean (and chance). At each date both rules
    see the outcomes before it and no others.

    Parameters
    ----------
    y : (n, T) float
        Outcomes of untreated units in periods before the programme, all known.
    dates : sequence of int
        Numbers of the first periods after invented starts.
    base, after : int
        How many periods before and from a date on are averaged.
    select : Selects
        For instance `Lowest`.
    weigh : Weighs
        Weights of the comparison; those of chosen units do not count. A refusal leaves the date out, by number.

    Returns
    -------
    Spurious, or Refused
        A refusal when no date has both groups, and for missing values.

    Raises
    ------
    ValueError
        For dates that leave fewer than `base` periods before or `after` periods from then on, and for weights that are
        no weights.
    """
    values = np.asarray(y, dtype=float)
    require("y", values, (None, None))
    n, periods = values.shape
    what = "the placebo for regression to the mean"
    if base < 1 or after < 1 or not dates:
        raise ValueError("base and after must be at least 1, and there must be a date")
    if wrong := [date for date in dates if date < base or date + after > periods]:
        raise ValueError(f"dates {wrong} leave fewer than {base} periods before or {after} after among {periods}")
    if not np.isfinite(values).all():
        return Refused(what, "some outcomes are missing", "Take units and periods in which all are known.")
    done, effects, counts, refused = [], [], [], []
    for date in dates:
        past = values[:, :date]
        chosen = np.asarray(select(past), dtype=bool)
        require("chosen", chosen, (n,))
        weight = (
            weigh(past, chosen) if 0 < chosen.sum() < n else Refused(what, "all or none are chosen", "Choose some.")
        )
        if isinstance(weight, Refused):
            refused.append((int(date), weight))
            continue
        share = _share(weight, chosen, n)
        change = values[:, date : date + after].mean(axis=1) - past[:, -base:].mean(axis=1)
        done.append(int(date))
        effects.append(float(change[chosen].mean() - share @ change))
        counts.append(int(chosen.sum()))
    if not done:
        return Refused(what, f"at no date is there a comparison: {refused[0][1].because}", "Widen the matching.")
    return Spurious(tuple(done), np.array(effects), tuple(counts), tuple(refused))


def _share(weight: Float1, chosen: Bool1, n: int) -> Float1:
    given = np.where(chosen, 0.0, np.asarray(weight, dtype=float))
    require("weight", given, (n,))
    if not (np.isfinite(given).all() and (given >= 0).all() and given.sum() > 0):
        raise ValueError("weights of a comparison are at least 0, and not all 0")
    return np.asarray(given / given.sum())


# --- the bracket ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bracket:
    """The same estimate without matching, matched on structure, and matched on the score areas were chosen by.

    Attributes
    ----------
    estimates : mapping of str to float
        Those that could be made, in the unit of the outcome.
    """

    estimates: Mapping[str, float]

    def __post_init__(self) -> None:
        if not self.estimates or not np.isfinite(list(self.estimates.values())).all():
            raise ValueError("a bracket holds at least one estimate, and they are numbers")

    @property
    def low(self) -> float:
        """The lowest of the estimates."""
        return min(self.estimates.values())

    @property
    def high(self) -> float:
        """The highest of the estimates."""
        return max(self.estimates.values())

    @property
    def signs_differ(self) -> bool:
        """Whether one estimate is below 0 and another above: then which way it goes cannot be established."""
        return self.low < 0 < self.high
