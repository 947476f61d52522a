"""Which donors stand beside which treated area: nearest neighbours on what was known before the start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from impact.arrays import Bool2, Float1, Float2, Int1, frozen, require
from impact.errors import Refused

__all__ = ["Distance", "Match", "area_means", "nearest"]

Distance = Literal["mahalanobis", "scaled-euclidean"]
_FLAT = 1e-10  # a correlation matrix with a smaller eigenvalue is singular for our purpose
_DIGITS = 10  # distances that agree to this many decimals are tied; rounding noise must not decide


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """Matched controls of every treated area.

    Attributes
    ----------
    areas : (A,) tuple of str
    units : (N,) tuple of str
        The donors that were offered.
    pairs : (A, N) float
        Weight of donor n for area a: one over the number of donors the area got, so that rows sum to 1; a row of zeros
        for an area in `unmatched`. Give it to ``Panel.with_pairs`` after placing the columns.
    distance : (A, N) float
        Between every area and every donor, in standard deviations.
    scale : (p,) float
        The standard deviations: pooled within areas and donors.
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


def nearest(
    areas_x: ArrayLike,
    units_x: ArrayLike,
    *,
    areas: Sequence[str],
    units: Sequence[str],
    names: Sequence[str],
    ratio: int,
    distance: Distance = "mahalanobis",
    caliper: float | None = None,
    replace: bool = True,
    exact: tuple[Sequence[str], Sequence[str]] | None = None,
) -> Match | Refused:
    """The `ratio` nearest donors of every treated area.

    Covariates are standardised by the covariance pooled within areas and within donors, so that the difference between
    the two groups does not stretch the yardstick: with few areas it is in effect the spread among the donors. Distances
    are those of MatchIt 4 (``mahalanobis``, ``scaled_euclidean``; Rubin 1980, Biometrics 36, 293-298).

    With replacement (the default) a donor may serve several areas. Good donors for deprived city districts are scarce,
    and every area then keeps its nearest ones whatever the other areas are (Stuart 2010, Statistical Science 25,
    section 3.1); the price, fewer different donors, is in ``Match.used``. Without replacement the assignment has the
    smallest total distance (not a greedy one), after giving as many areas as possible a first donor, then a second, and
    so on.

    Donors at the same distance are taken in the order of their names, so that the order of the rows changes nothing.

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
    ratio : int
        Donors per area, at least 1.
    distance : {"mahalanobis", "scaled-euclidean"}
        With or without taking out the correlations among the covariates.
    caliper : float, optional
        The most an area and its donor may differ on any one covariate, in pooled standard deviations.
    replace : bool
        Whether a donor may serve more than one area.
    exact : pair of (A,) and (N,) labels, optional
        Areas and donors are matched only where their labels are equal.

    Returns
    -------
    Match or Refused
        A refusal when a value is missing (naming who lacks it), when a covariate does not vary or repeats others, and
        when no area finds any donor. Areas that find fewer than `ratio` are listed in the match.
    """
    if distance not in get_args(Distance):
        raise ValueError(f"distance {distance!r} is not one of {', '.join(get_args(Distance))}")
    if ratio < 1 or (caliper is not None and not caliper > 0):
        raise ValueError("ratio must be at least 1 and caliper more than 0")
    for label, given in (("areas", areas), ("units", units), ("names", names)):
        if len(set(given)) != len(given):
            raise ValueError(f"{label} holds the same name twice")
    here, there = np.asarray(areas_x, dtype=float), np.asarray(units_x, dtype=float)
    require("areas_x", here, (len(areas), len(names)))
    require("units_x", there, (len(units), len(names)))
    lacking = [*_without_value(here, areas, names), *_without_value(there, units, names)]
    if lacking:
        return _lacking(lacking, "a characteristic")
    # Everything below happens in the order of the names: no rounding and no tie can depend on the order of the rows.
    row, column = np.argsort(np.array(areas)), np.argsort(np.array(units))
    here, there = here[row], there[column]
    scaled = _standardised(here, there, names, distance)
    if isinstance(scaled, Refused):
        return scaled
    from scipy.spatial.distance import cdist

    a, u, scale = scaled
    between = cdist(a, u)
    allowed = np.ones(between.shape, dtype=bool)
    if caliper is not None:
        allowed &= cdist(here / scale, there / scale, metric="chebyshev") <= caliper * (1 + 1e-12)
    if exact is not None:
        left, right = np.array(exact[0], dtype=str)[row], np.array(exact[1], dtype=str)[column]
        allowed &= left[:, None] == right[None, :]
    if not allowed.any():
        return Refused(
            "the matching",
            "no area finds a donor within the caliper and the exact characteristics",
            "Widen the caliper, or match on fewer characteristics.",
        )
    rounded = np.round(between, _DIGITS)
    chosen = _each_for_itself(rounded, allowed, ratio) if replace else _shared_out(rounded, allowed, ratio)
    back = np.ix_(np.argsort(row), np.argsort(column))
    count = chosen.sum(axis=1, keepdims=True)
    return Match(tuple(areas), tuple(units), (chosen / np.maximum(count, 1))[back], between[back], scale, ratio)


def _standardised(
    here: Float2, there: Float2, names: Sequence[str], distance: Distance
) -> tuple[Float2, Float2, Float1] | Refused:
    """Areas and donors in units in which the distance is Euclidean, and the pooled standard deviations (p,)."""
    freedom = len(here) + len(there) - 2
    if freedom < 1:
        return Refused(
            "the matching",
            "one area and one donor show no spread to measure a distance by",
            "Bring data on more units.",
        )
    away = np.vstack([here - here.mean(axis=0), there - there.mean(axis=0)])
    scale = np.sqrt((away**2).sum(axis=0) / freedom)
    flat = [name for name, sd, size in zip(names, scale, np.abs(there).max(axis=0), strict=True) if sd <= _FLAT * size]
    if flat:
        return Refused(
            "the matching", f"{', '.join(flat)} does not vary within the areas and the donors", "Leave it out."
        )
    a, u = here / scale, there / scale
    if distance == "scaled-euclidean":
        return a, u, scale
    correlation = (away / scale).T @ (away / scale) / freedom
    if np.linalg.eigvalsh(correlation)[0] < _FLAT:
        return Refused(
            "the matching",
            f"among {', '.join(names)} one characteristic follows from the others, or there "
            f"are too few units ({freedom + 2}) for so many",
            "Leave one out, or use the distance scaled-euclidean.",
        )
    from scipy.linalg import solve_triangular

    root = np.linalg.cholesky(correlation)
    return solve_triangular(root, a.T, lower=True).T, solve_triangular(root, u.T, lower=True).T, scale


def _each_for_itself(distance: Float2, allowed: Bool2, ratio: int) -> Bool2:
    """(A, N) the `ratio` nearest allowed donors of every area; among equals the first column."""
    order = np.argsort(np.where(allowed, distance, np.inf), axis=1, kind="stable")[:, :ratio]
    chosen = np.zeros(distance.shape, dtype=bool)
    np.put_along_axis(chosen, order, True, axis=1)
    return chosen & allowed


def _shared_out(distance: Float2, allowed: Bool2, ratio: int) -> Bool2:
    """(A, N) every donor at most once, with the smallest total distance; an area has `ratio` rows in the assignment."""
    from scipy.optimize import linear_sum_assignment

    areas, donors = distance.shape
    # An empty place costs more than all distances together, and an area's first place more than its second.
    cost = np.where(allowed, distance, np.inf).repeat(ratio, axis=0)
    empty = np.full((len(cost), len(cost)), np.inf)
    np.fill_diagonal(empty, (1.0 + distance[allowed].max() * len(cost)) * np.tile(np.arange(ratio, 0, -1), areas))
    place, taken = linear_sum_assignment(np.hstack([cost, empty]))
    real = taken < donors
    chosen = np.zeros(distance.shape, dtype=bool)
    chosen[place[real] // ratio, taken[real]] = True
    return chosen


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
