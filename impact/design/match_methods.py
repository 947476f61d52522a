"""Matching of a table by distance: nearest, optimal and full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from impact.arrays import Bool1, Float1
from impact.design.assignment import Assigns, Full, Nearest, Optimal, Order
from impact.design.characteristics import (
    Characteristics,
    Cut,
    Missing,
    as_usage,
    check_table,
    number_column,
    one_of,
    read_characteristics,
    read_labels,
    row_names,
    treatment,
)
from impact.design.distances import METRICS, Metric, pooled_sd
from impact.design.matched import Matched, shortfall, too_few
from impact.design.matching import Reach, Score, paired
from impact.design.propensity import log_odds
from impact.design.strata import Estimand, leveled, of_pairs, renumbered_sets, strata
from impact.errors import Refused
from impact.longtable import as_names, few
from impact.numerics.propensity import expit
from impact.terms import Spelled

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["full", "nearest", "optimal"]

Caliper: TypeAlias = float | Mapping[str, float] | None

_SCORES = ("propensity", "propensity-probability")


def nearest(
    frame: pd.DataFrame,
    *,
    treated: str,
    on: Sequence[Spelled],
    estimand: Estimand = "ATT",
    distance: str = "mahalanobis",
    ratio: int = 1,
    caliper: Caliper = None,
    exact: Sequence[str] = (),
    cutpoints: Cut | None = None,
    propensity_on: Sequence[Spelled] | None = None,
    replace: bool = True,
    order: Order | None = None,
    seed: int = 1,
    missing: Missing = "refuse",
) -> Matched | Refused:
    """The `ratio` nearest controls of every treated unit; see ``impact.match``."""
    with as_usage():
        if replace and order is not None:
            raise ValueError("order is for replace=False: with replacement nobody's choice depends on another's")
        how = Nearest(ratio, replace, order or "largest", seed)
        asked = _Asked(treated, on, distance, caliper, exact, cutpoints or {}, propensity_on, missing)
        one_of("estimand of nearest", estimand, ("ATT",))
    return _by_distance(frame, asked, how, "nearest", estimand, shared=replace)


def optimal(
    frame: pd.DataFrame,
    *,
    treated: str,
    on: Sequence[Spelled],
    estimand: Estimand = "ATT",
    distance: str = "mahalanobis",
    ratio: int = 1,
    caliper: Caliper = None,
    exact: Sequence[str] = (),
    cutpoints: Cut | None = None,
    propensity_on: Sequence[Spelled] | None = None,
    missing: Missing = "refuse",
) -> Matched | Refused:
    """Every control at most once, at the smallest total distance; see ``impact.match``."""
    with as_usage():
        how = Optimal(ratio)
        asked = _Asked(treated, on, distance, caliper, exact, cutpoints or {}, propensity_on, missing)
        one_of("estimand of optimal", estimand, ("ATT",))
    return _by_distance(frame, asked, how, "optimal", estimand)


def full(
    frame: pd.DataFrame,
    *,
    treated: str,
    on: Sequence[Spelled],
    estimand: Estimand = "ATT",
    distance: str = "mahalanobis",
    caliper: Caliper = None,
    exact: Sequence[str] = (),
    cutpoints: Cut | None = None,
    propensity_on: Sequence[Spelled] | None = None,
    missing: Missing = "refuse",
) -> Matched | Refused:
    """Sets of one treated unit or one control, at the smallest total distance; see ``impact.match``."""
    with as_usage():
        asked = _Asked(treated, on, distance, caliper, exact, cutpoints or {}, propensity_on, missing)
        one_of("estimand", estimand, ("ATT", "ATE"))
    return _by_distance(frame, asked, Full(), "full", estimand)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the methods with distances share."""

    treated: str
    on: Sequence[Spelled]
    distance: str
    caliper: Caliper
    exact: Sequence[str]
    cutpoints: Cut
    propensity_on: Sequence[Spelled] | None
    missing: Missing

    def __post_init__(self) -> None:
        one_of("missing", self.missing, ("refuse", "indicator"))
        if not self.on:
            raise ValueError("on names nothing to match on")
        if isinstance(self.exact, str):
            object.__setattr__(self, "exact", (self.exact,))
        widths = self.caliper.values() if isinstance(self.caliper, Mapping) else [self.caliper]
        if not all(width is None or width > 0 for width in widths):
            raise ValueError("caliper must be more than 0")
        if stray := [name for name in self.cutpoints if name not in self.exact]:
            raise ValueError(f"cutpoints of {', '.join(stray)}, which exact does not name")
        if self.propensity_on is not None and not self.needs_score:
            raise ValueError("propensity_on is for a distance or a caliper of the propensity")

    @property
    def needs_score(self) -> bool:
        named = [*(self.caliper if isinstance(self.caliper, Mapping) else ()), self.distance]
        return any(name in _SCORES for name in named)


@dataclass(frozen=True, slots=True, eq=False)
class _Numbers:
    """The table in numbers, as far as the matching needs it."""

    frame: pd.DataFrame
    asked: _Asked
    treated: Bool1
    base: Characteristics
    odds: Float1 | None

    def one(self, name: str) -> Float1 | Refused:
        """(n,) the number called `name`: a propensity, a characteristic, or a column of the table."""
        if name in _SCORES and self.odds is not None:
            return self.odds if name == "propensity" else expit(self.odds)
        if name in self.base.names:
            return self.base.x[:, self.base.names.index(name)]
        check_table(self.frame, [name])
        values = number_column(self.frame, name)
        absent = self.frame.index[np.isnan(values)]
        if len(absent):
            return Refused(
                "the matching", f"{name} is missing for {few([*as_names(absent)], most=20)}", "Complete the values."
            )
        return values


def _by_distance(
    frame: pd.DataFrame, asked: _Asked, how: Assigns, method: str, estimand: Estimand, *, shared: bool = False
) -> Matched | Refused:
    check_table(frame, [asked.treated, *asked.exact])
    is_treated = treatment(frame, asked.treated)
    if (refused := too_few(is_treated, how.ratio)) is not None:
        return refused
    numbers = _numbers(frame, asked, is_treated)
    if isinstance(numbers, Refused):
        return numbers
    measure = _measure(numbers)
    if isinstance(measure, Refused):
        return measure
    calipers = _calipers(numbers, measure)
    if isinstance(calipers, Refused):
        return calipers
    labels = read_labels(frame, asked.exact, asked.cutpoints, asked.missing)
    if isinstance(labels, Refused):
        return labels
    here, there = is_treated, ~is_treated
    codes = strata(labels).astype(str) if labels else None
    base, names = numbers.base, row_names(frame)
    match = paired(
        base.x[here],
        base.x[there],
        areas=[names[row] for row in np.flatnonzero(here).tolist()],
        units=[names[row] for row in np.flatnonzero(there).tolist()],
        names=base.names,
        how=how,
        distance=Score(measure[here], measure[there]) if isinstance(measure, np.ndarray) else measure,
        reaches=[Reach(values[here], values[there], width) for values, width in calipers.values()],
        exact=None if codes is None else (list(codes[here]), list(codes[there])),
        redundant=base.redundant,
        hard=None if numbers.odds is None else numbers.odds[here],
    )
    if isinstance(match, Refused):
        return match
    number = None
    if not shared:
        number = np.full(len(frame), -1, dtype=np.intp)
        number[here], number[there] = of_pairs(match.pairs > 0)
        number = renumbered_sets(number)
    if estimand == "ATE":
        assert number is not None
        weight = leveled(number, is_treated, estimand)
    else:
        weight = np.zeros(len(frame))
        given = match.pairs.sum(axis=0)
        weight[here], weight[there] = match.found > 0, given / given[given > 0].mean()
    score = measure if isinstance(measure, np.ndarray) else numbers.odds
    widths = {name: width for name, (_, width) in calipers.items()}
    notes = (*base.notes, *shortfall(match.short, how.ratio))
    parts = (frame.index, is_treated, weight, number, match, base, method, asked.distance, estimand, widths, score)
    return Matched(*parts, notes)


def _numbers(frame: pd.DataFrame, asked: _Asked, is_treated: Bool1) -> _Numbers | Refused:
    fill = asked.missing == "indicator"
    base = read_characteristics(frame, asked.on, is_treated, fill=fill, role=asked.treated)
    if isinstance(base, Refused):
        return base
    if not asked.needs_score:
        return _Numbers(frame, asked, is_treated, base, None)
    other = base
    if asked.propensity_on is not None:
        read = read_characteristics(frame, asked.propensity_on, is_treated, fill=fill, role=asked.treated)
        if isinstance(read, Refused):
            return read
        other = read
    odds = log_odds(other.x, is_treated, other.names, other.redundant)
    return odds if isinstance(odds, Refused) else _Numbers(frame, asked, is_treated, base, odds)


def _measure(numbers: _Numbers) -> Metric | Float1 | Refused:
    """The distance: a metric of the covariates, or the score it is the difference of."""
    name = numbers.asked.distance
    for metric in METRICS:
        if name == metric:
            return metric
    if name not in _SCORES and name not in numbers.frame.columns:
        with as_usage():
            one_of("distance", name, (*METRICS, *_SCORES), "or a column with a score")
    return numbers.one(name)


def _calipers(numbers: _Numbers, measure: Metric | Float1) -> dict[str, tuple[Float1, float]] | Refused:
    """Numbers that may differ by so much, in their own unit."""
    given, found = numbers.asked.caliper, {}
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        names = [numbers.asked.distance] if isinstance(measure, np.ndarray) else numbers.base.names
        given = dict.fromkeys(names, given)
    for name, width in given.items():
        values = measure if isinstance(measure, np.ndarray) and name == numbers.asked.distance else numbers.one(name)
        if isinstance(values, Refused):
            return values
        yardstick = _yardstick(name, values, numbers)
        if not yardstick > 0:
            return Refused("the matching", f"{name}, which has a caliper, does not vary", "Leave its caliper out.")
        found[name] = values, width * yardstick
    return found


def _yardstick(name: str, values: Float1, numbers: _Numbers) -> float:
    """Standard deviation of a score over all units, of a covariate within both groups."""
    here, there = values[numbers.treated], values[~numbers.treated]
    if name in _SCORES or name == numbers.asked.distance:
        return Score(here, there).sd
    return float(pooled_sd(here[:, None], there[:, None])[0]) if len(values) > 2 else 0.0
