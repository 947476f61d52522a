"""One outcome of a study over regions and periods: its figures, their sampling error, and what has no number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from impact.arrays import Bool1, Bool2, Float1, Float2, frozen
from impact.errors import Problem
from impact.sources.contract import listed
from impact.sources.rows import Long
from impact.sources.values import Status, rounding_sd
from impact.study.model import Outcome
from impact.study.tables import OutcomeColumns, OutcomeTable

__all__ = ["Series", "provisional", "read_series", "unfit_figures"]


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One outcome over all regions and periods.

    Attributes
    ----------
    outcome : Outcome
    y : (n, T) float
        In the unit of the measure; nan where there is no number.
    raw : (n, T) float
        Before it was taken relative to the region's own mean; equal to `y` otherwise.
    baseline : (n,) float or None
        The region's own mean.
    without : mapping of status to int
        Cells of the table that have no number, by what the table says of them.
    se : (n, T) float or None
        Sampling error of `y`, in the same unit; None when the figures are counted.
    respondents : (n, T) float or None
        Number of people asked.
    there : (n,) bool or None
        Regions that the table has a row for; None means all.
    rounding : (n, T) float or None
        Error of `y` that rounded counts add, in the same unit; None when they are not rounded, or are sums of rounded
        ones.
    suppressed : (n, T) bool or None
        Figures that the source has and does not publish; None for none.
    """

    outcome: Outcome
    y: Float2
    raw: Float2
    baseline: Float1 | None
    without: Mapping[str, int]
    se: Float2 | None = None
    respondents: Float2 | None = None
    there: Bool1 | None = None
    rounding: Float2 | None = None
    suppressed: Bool2 | None = None

    @property
    def error(self) -> Float2 | None:
        """(n, T) what is known of the error of `y`, of its sample and of rounding together."""
        if self.se is None or self.rounding is None:
            return self.rounding if self.se is None else self.se
        return np.hypot(self.se, self.rounding)


def read_series(
    outcome: Outcome,
    long: Long,
    file: OutcomeTable,
    regions: Sequence[str],
    periods: Sequence[str],
    summed: Sequence[float] | None = None,
) -> Series:
    """The outcome that `long` holds, over `regions` (n) and `periods` (T).

    `summed` (n,) is how many times larger the error of rounding is than that of one count: the root of the sum of the
    squared shares of what was added up.
    """
    row = {region: number for number, region in enumerate(regions)}
    column = {period: number for number, period in enumerate(periods)}
    inside = np.array([period in column for period in long.period], dtype=bool)
    at = (
        np.array([row[region] for region in long.region[inside]], dtype=np.intp),
        np.array([column[period] for period in long.period[inside]], dtype=np.intp),
    )

    def grid(name: str) -> Float2:
        out = np.full((len(regions), len(periods)), np.nan)
        out[at] = long.values[name].number[inside]
        return out

    columns, rounding = file.columns, None
    off: Float2 | None = None
    if file.rounded_to and not file.rows.add_up_to:
        off = rounding_sd(file.rounded_to, "random") * np.ones((len(regions), 1))
        off = off if summed is None else off * np.asarray(summed)[:, None]
    if columns.value is not None:
        y = grid(columns.value)
        rounding = None if off is None else np.where(np.isfinite(y), off, np.nan)
    else:
        above, below = grid(str(columns.numerator)), grid(str(columns.denominator))
        per = outcome.measure.per or 1.0
        # A rate over nobody does not exist; it is not 0 and not infinite.
        y = np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0) * per
        if off is not None:
            # To first order, both counts rounded by themselves.
            rounding = off * np.divide(np.hypot(per, y), below, out=np.full_like(y, np.nan), where=below > 0)
    without: dict[str, int] = {}
    hidden = np.zeros(y.shape, dtype=bool)
    for name in columns.figures:
        hidden[at] |= long.values[name].has(Status.SUPPRESSED)[inside]
        for kind in (Status.SUPPRESSED, Status.MISSING, Status.IMPOSSIBLE):
            if count := int(long.values[name].has(kind)[inside].sum()):
                without[kind.value] = without.get(kind.value, 0) + count
    respondents = None if columns.n is None else grid(columns.n)
    se = _sampling_error(columns, y, respondents, grid)
    there = np.bincount(at[0], minlength=len(regions)) > 0
    secret = frozen(hidden, np.bool_) if hidden.any() else None
    own = outcome.measure.as_percent_of_own
    if own is None:
        return Series(outcome, frozen(y), frozen(y), None, without, se, respondents, there, rounding, secret)
    baseline = y[:, [column[period] for period in own.periods]].mean(axis=1)
    fit = baseline >= own.minimum_mean
    relative, error, rounding = (
        None
        if values is None
        else np.divide(100 * values, baseline[:, None], out=np.full_like(values, np.nan), where=fit[:, None])
        for values in (y, se, rounding)
    )
    assert relative is not None
    return Series(
        outcome, frozen(relative), frozen(y), frozen(baseline), without, error, respondents, there, rounding, secret
    )


def _sampling_error(
    columns: OutcomeColumns, y: Float2, respondents: Float2 | None, grid: Callable[[str], Float2]
) -> Float2 | None:
    """(n, T) standard error as given, from the width of the margin, or of a percentage from the respondents.

    The last takes the respondents for a simple random sample; weighting makes the true error larger.
    """
    if columns.se is not None:
        return grid(columns.se)
    if columns.margin is not None:
        width = grid(columns.margin.high) - grid(columns.margin.low)
        return np.asarray(width / (2 * norm.ppf(0.5 + columns.margin.level / 2)))
    if respondents is None:
        return None
    spread = np.clip(y, 0, 100) * np.clip(100 - y, 0, 100)
    return np.sqrt(np.divide(spread, respondents, out=np.full_like(y, np.nan), where=respondents > 0))


def provisional(long: Long, columns: OutcomeColumns) -> frozenset[str]:
    """Periods of which any figure is marked as provisional."""
    marked = np.logical_or.reduce([long.values[name].has(Status.PROVISIONAL) for name in columns.figures])
    return frozenset(str(period) for period in np.asarray(long.period)[marked])


def unfit_figures(long: Long, file: OutcomeTable) -> Iterator[Problem]:
    """What the figures contradict: counts that are not rounded as stated, margins that do not hold their value."""
    columns = file.columns
    base = file.rounded_to or 1
    for name in columns.figures if file.rounded_to else ():
        number = long.values[name].number
        odd = np.flatnonzero(np.isfinite(number) & (np.remainder(number, base) != 0))
        if len(odd):
            stated = f"column '{name}' is stated to be rounded to {base}"
            message = f"{stated}, and {len(odd)} cells are not: {_named(long, odd, number)}."
            yield Problem("DATA-115", message, "Correct or remove `rounded_to`.", long.file, path=name)
    seen = np.logical_and.reduce([np.isfinite(long.values[name].number) for name in columns.figures])
    margin = columns.margin
    for name in filter(None, (columns.n, columns.se, *((margin.low, margin.high) if margin is not None else ()))):
        odd = np.flatnonzero(seen & ~np.isfinite(long.values[name].number))
        if len(odd):
            message = f"column '{name}' says nothing of {len(odd)} figures: {_named(long, odd)}."
            hint = "A figure of which the error is unknown is left empty or marked as missing."
            yield Problem("DATA-118", message, hint, long.file, path=name)
    if margin is not None and columns.value is not None:
        value, low, high = (long.values[name].number for name in (columns.value, margin.low, margin.high))
        odd = np.flatnonzero((low > value) | (value > high))
        if len(odd):
            message = f"the margin does not hold the value itself for {_named(long, odd)}."
            yield Problem("DATA-118", message, "Check which columns hold the bounds.", long.file, path=margin.low)
    if columns.n is not None:
        count = long.values[columns.n].number
        odd = np.flatnonzero((count <= 0) | (count != np.floor(count)) & np.isfinite(count))
        if len(odd):
            message = f"column '{columns.n}' must hold numbers of respondents: {_named(long, odd, count)}."
            yield Problem("DATA-118", message, "Whole numbers above 0.", long.file, path=columns.n)


def _named(long: Long, odd: Iterable[int], number: Float1 | None = None) -> str:
    """Regions and periods of some rows, with their numbers when given."""
    said = (f"{long.region[i]} {long.period[i]}" + ("" if number is None else f": {number[i]:g}") for i in odd)
    return listed(said)
