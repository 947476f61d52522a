"""Which controls stand beside which treated unit or area, on what was known before the start: one engine on arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from impact.arrays import Bool2, Float1, Float2, Int1, frozen, require
from impact.design.assignment import Assigns, Nearest, Offer
from impact.design.distances import METRICS, Metric, embedded, pooled_sd
from impact.errors import Refused

__all__ = ["Match", "Reach", "Score", "area_means", "paired"]

_DIGITS = 10  # distances that agree to this many decimals are tied; rounding noise must not decide
_MOST = 100_000_000  # pairs of a treated unit and a control (per place); a table of so many numbers takes 800 MB


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """One number per unit whose differences are the distances: a propensity score, or any other.

    Attributes
    ----------
    here, there : (A,), (N,) float
        Of the treated and of the controls.
    """

    here: Float1
    there: Float1

    @property
    def sd(self) -> float:
        """Standard deviation over all units, as in MatchIt."""
        return float(np.concatenate([self.here, self.there]).std(ddof=1))


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """A caliper: treated and control may differ by at most `width` in this number.

    Attributes
    ----------
    here, there : (A,), (N,) float
    width : float
        In the unit of the number; more than 0.
    """

    here: Float1
    there: Float1
    width: float

    def __post_init__(self) -> None:
        if not self.width > 0:
            raise ValueError("a caliper must be more than 0 wide")


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """Matched controls of every treated unit or area.

    Attributes
    ----------
    areas : (A,) tuple of str
    units : (N,) tuple of str
        The donors that were offered.
    pairs : (A, N) float
        Weight of donor n for area a: one over the number of donors the area got, so that rows sum to 1; a row of zeros
        for an area in `unmatched`. Give it to ``Panel.with_pairs`` after placing the columns.
    distance : (A, N) float
        Between every area and every donor: in standard deviations, or in the unit of the score.
    scale : (p,) float
        The standard deviations of the covariates: pooled within areas and donors.
    asked : int
        Donors asked for per area.
    """

    areas: tuple[str, ...]
    units: tuple[str, ...]
    pairs: Float2
    distance: Float2
    scale: Float1
    asked: int

    def __post_init__(self) -> None:
        shape = (len(self.areas), len(self.units))
        for name in ("pairs", "distance"):
            object.__setattr__(self, name, frozen(getattr(self, name)))
            require(name, getattr(self, name), shape)
        object.__setattr__(self, "scale", frozen(self.scale))

    @property
    def found(self) -> Int1:
        """(A,) number of donors each area got."""
        return np.asarray((self.pairs > 0).sum(axis=1), dtype=np.intp)

    @property
    def short(self) -> tuple[tuple[str, int], ...]:
        """Areas that got fewer donors than asked for, with their number; `unmatched` ones are among them."""
        return tuple((area, int(got)) for area, got in zip(self.areas, self.found, strict=True) if got < self.asked)

    @property
    def unmatched(self) -> tuple[str, ...]:
        """Areas without any donor: nothing can be said about them in this comparison."""
        return tuple(area for area, got in self.short if got == 0)

    @property
    def total_distance(self) -> float:
        """Sum of the distances of all pairs."""
        return float(self.distance[self.pairs > 0].sum())

    @property
    def used(self) -> Int1:
        """(N,) number of areas each donor serves."""
        return np.asarray((self.pairs > 0).sum(axis=0), dtype=np.intp)


def area_means(
    values: ArrayLike, area: ArrayLike, size: ArrayLike, *, units: Sequence[str], areas: Sequence[str]
) -> Float2 | Refused:
    """Characteristics of areas that consist of several units: means of the members weighted by their size.

    Parameters
    ----------
    values : (M, p) float
        Characteristics of the member units. Shares and densities; a size itself is summed, not averaged.
    area : (M,) int
        Number of the area each member belongs to.
    size : (M,) float
        Residents of each member.
    units : (M,) str
        Names of the members.
    areas : (A,) str
        Names of the areas.

    Returns
    -------
    (A, p) float, or Refused when a member lacks a value or a size, or an area has no members.
    """
    table, weight = np.asarray(values, dtype=float), np.asarray(size, dtype=float)
    member = np.asarray(area, dtype=np.intp)
    require("values", table, (len(units), None))
    require("area", member, (len(units),))
    require("size", weight, (len(units),))
    lacking = ~np.isfinite(table).all(axis=1) | ~(weight > 0) | np.isinf(weight)
    if lacking.any():
        return _lacking([units[unit] for unit in np.flatnonzero(lacking).tolist()], "a characteristic or a size")
    total = np.bincount(member, weights=weight, minlength=len(areas))
    if (total == 0).any():
        return _lacking([areas[index] for index in np.flatnonzero(total == 0).tolist()], "members")
    sums = np.zeros((len(areas), table.shape[1]))
    np.add.at(sums, member, table * weight[:, None])
    return np.asarray(sums / total[:, None])


def paired(
    areas_x: ArrayLike,
    units_x: ArrayLike,
    *,
    areas: Sequence[str],
    units: Sequence[str],
    names: Sequence[str],
    how: Assigns | None = None,
    distance: Metric | Score = "mahalanobis",
    caliper: float | None = None,
    reaches: Sequence[Reach] = (),
    exact: tuple[Sequence[str], Sequence[str]] | None = None,
    redundant: Sequence[int] = (),
    hard: Float1 | None = None,
) -> Match | Refused:
    """The donors that `how` gives to every treated area.

    Nearest donors with replacement are the default of a study: good donors for deprived city districts are scarce, and
    every area then keeps its nearest ones whatever the other areas are (Stuart 2010, Statistical Science 25, section
    3.1); the price, fewer different donors, is in ``Match.used``.

    Donors at the same distance are taken in the order of their names (numbers by size), so that the order of the rows
    changes nothing.

    Parameters
    ----------
    areas_x : (A, p) float
        Covariates of the treated areas; see `area_means`.
    units_x : (N, p) float
        Covariates of the donors.
    areas : (A,) str
        Names of the areas.
    units : (N,) str
        Names of the donors.
    names : (p,) str
        Names of the covariates.
    how : Nearest, Optimal or Full
        ``Nearest()`` by default: one donor each, with replacement.
    distance : str or Score
        See ``impact.design.distances.embedded``, or a score.
    caliper : float, optional
        The most an area and its donor may differ on any one covariate, in pooled standard deviations.
    reaches : sequence of Reach
        Further calipers.
    exact : pair of (A,) and (N,) labels, optional
        Areas and donors are matched only where their labels are equal.
    redundant : sequence of int
        Covariates known to follow from others; see ``impact.design.distances.embedded``.
    hard : (A,) float, optional
        How hard areas are to match, for an order of choice; the score or the distance to the nearest donor by default.

    Returns
    -------
    Match or Refused
        A refusal when a value is missing (naming who lacks it), when a covariate does not vary or repeats others, when
        no area finds any donor, and when there are more pairs than fit in memory. Areas that find fewer donors than
        asked for are listed in the match.
    """
    how = how or Nearest()
    here, there = np.asarray(areas_x, dtype=float), np.asarray(units_x, dtype=float)
    _require(here, there, areas, units, names, distance, caliper)
    lacking = [*_without_value(here, areas, names), *_without_value(there, units, names)]
    if lacking:
        return _lacking(lacking, "a characteristic")
    if len(areas) * len(units) * how.ratio > _MOST:
        return Refused(
            "the matching",
            f"{len(areas)} treated with {how.ratio} of {len(units)} controls are more than {_MOST:,} distances",
            "Match within classes one by one, or leave out controls that are far away beforehand.",
        )
    # Everything below happens in the order of the names: no rounding and no tie can depend on the order of the rows.
    row, column = _in_order(areas), _in_order(units)
    here, there = here[row], there[column]
    if isinstance(distance, Score):
        distance = Score(distance.here[row], distance.there[column])
    found = _distances(here, there, names, distance, redundant)
    if isinstance(found, Refused):
        return found
    between, spread = found
    scale = pooled_sd(here, there) if len(here) + len(there) > 2 else np.zeros(len(names))
    widths = [Reach(reach.here[row], reach.there[column], reach.width) for reach in reaches]
    widths += [Reach(a, b, caliper * sd) for a, b, sd in zip(here.T, there.T, scale, strict=True)] if caliper else []
    allowed = _within(widths) if widths else np.ones(between.shape, dtype=bool)
    if exact is not None:
        left, right = np.array(exact[0], dtype=str)[row], np.array(exact[1], dtype=str)[column]
        allowed &= left[:, None] == right[None, :]
    if not allowed.any():
        return Refused(
            "the matching",
            "no area finds a donor within the caliper and the exact characteristics",
            "Widen the caliper, or match on fewer characteristics.",
        )
    rounded = np.round(between / spread, _DIGITS)
    if hard is not None:
        first = hard[row]
    else:
        first = distance.here if isinstance(distance, Score) else np.where(allowed, rounded, np.inf).min(axis=1)
    chosen = how.choose(Offer(rounded, allowed, first, row))
    back = np.ix_(np.argsort(row), np.argsort(column))
    count = chosen.sum(axis=1, keepdims=True)
    return Match(tuple(areas), tuple(units), (chosen / np.maximum(count, 1))[back], between[back], scale, how.ratio)


def _require(
    here: Float2,
    there: Float2,
    areas: Sequence[str],
    units: Sequence[str],
    names: Sequence[str],
    distance: Metric | Score,
    caliper: float | None,
) -> None:
    if not isinstance(distance, Score) and distance not in METRICS:
        raise ValueError(f"distance {distance!r} is not one of {', '.join(METRICS)}")
    if caliper is not None and not caliper > 0:
        raise ValueError("caliper must be more than 0")
    for label, given in (("areas", areas), ("units", units), ("names", names)):
        if len(set(given)) != len(given):
            raise ValueError(f"{label} holds the same name twice")
    require("areas_x", here, (len(areas), len(names)))
    require("units_x", there, (len(units), len(names)))


def _within(reaches: Sequence[Reach]) -> Bool2:
    """(A, N) who is within every caliper."""
    from scipy.spatial.distance import cdist

    here = np.column_stack([(reach.here - reach.there.mean()) / reach.width for reach in reaches])
    there = np.column_stack([(reach.there - reach.there.mean()) / reach.width for reach in reaches])
    return np.asarray(cdist(here, there, metric="chebyshev") <= 1 + 1e-12)


def _in_order(names: Sequence[str]) -> Int1:
    """Places of the names in their order: by size where all are whole numbers."""
    text = np.array(names, dtype=str)
    if all(name.isdecimal() for name in names):
        return np.lexsort([text, np.array([int(name) for name in names], dtype=object)])
    return np.argsort(text)


def _distances(
    here: Float2, there: Float2, names: Sequence[str], distance: Metric | Score, redundant: Sequence[int]
) -> tuple[Float2, float] | Refused:
    """(A, N) distances, and the size of one that is of any account."""
    if isinstance(distance, Score):
        spread = distance.sd
        if not spread > 0:
            return Refused("the matching", "the score is the same for all units", "Match on covariates.")
        return np.abs(distance.here[:, None] - distance.there[None, :]), spread
    points = embedded(here, there, names, distance, redundant)
    if isinstance(points, Refused):
        return points
    from scipy.spatial.distance import cdist

    return cdist(*points), 1.0


def _without_value(table: Float2, labels: Sequence[str], names: Sequence[str]) -> list[str]:
    absent = ~np.isfinite(table)
    return [
        f"{labels[row]} ({', '.join(names[column] for column in np.flatnonzero(absent[row]).tolist())})"
        for row in np.flatnonzero(absent.any(axis=1)).tolist()
    ]


def _lacking(who: Sequence[str], what: str) -> Refused:
    shown = ", ".join(who[:20]) + (f" and {len(who) - 20} more" if len(who) > 20 else "")
    return Refused(
        "the matching",
        f"{len(who)} lack {what}: {shown}",
        "Complete the values, or leave these units out by name with a reason; nothing is filled in.",
    )
