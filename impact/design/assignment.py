"""Who is given to whom, once all distances are known: nearest (greedy or shared), optimal, and full matching."""

from __future__ import annotations

from dataclasses import dataclass
from operator import index
from typing import Literal, Protocol, get_args

import numpy as np

from impact.arrays import Bool2, Float1, Float2, Int1
from impact.streams import Streams

__all__ = ["Assigns", "Full", "Nearest", "Offer", "Optimal", "Order"]

Order = Literal["largest", "smallest", "data", "random"]


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """What there is to choose from; rows and columns stand in the order of their names, so that ties go by name.

    Attributes
    ----------
    distance : (A, N) float
        Rounded, so that equal distances are equal.
    allowed : (A, N) bool
    hard : (A,) float
        How hard a treated unit is to match: its score, or the distance to the nearest control it may have.
    place : (A,) int
        Where it stood in the data.
    """

    distance: Float2
    allowed: Bool2
    hard: Float1
    place: Int1


class Assigns(Protocol):
    """A rule that gives treated units their controls."""

    @property
    def ratio(self) -> int:
        """Controls asked for per treated unit."""
        ...

    def choose(self, offer: Offer) -> Bool2:
        """(A, N) who is paired with whom."""
        ...


@dataclass(frozen=True, slots=True)
class Nearest:
    """The `ratio` nearest controls of every treated unit.

    With replacement a control may serve several, and nobody's choice depends on another's. Without it treated units
    choose in turn (greedy): everybody a first control, then everybody a second, and so on.

    Parameters
    ----------
    ratio : int
    replace : bool
    order : {"largest", "smallest", "data", "random"}
        Who chooses first, without replacement: who is hardest or easiest to match (`Offer.hard`), the order of the
        rows, or an order drawn with `seed`.
    seed : int
    """

    ratio: int = 1
    replace: bool = True
    order: Order = "largest"
    seed: int = 1

    def __post_init__(self) -> None:
        _counted(self.ratio)
        if self.order not in get_args(Order):
            raise ValueError(f"order {self.order!r} is not one of {', '.join(get_args(Order))}")

    def choose(self, offer: Offer) -> Bool2:
        """(A, N) who is paired with whom."""
        return _each_for_itself(offer, self.ratio) if self.replace else _in_turn(offer, self.ratio, self._turns(offer))

    def _turns(self, offer: Offer) -> Int1:
        if self.order == "data":
            return np.argsort(offer.place)
        if self.order == "random":
            return Streams(self.seed).at("match", "order").generator().permutation(len(offer.place))
        size = np.ptp(offer.hard[np.isfinite(offer.hard)]) or 1.0
        hard = np.round(offer.hard / size, 10)  # equal but for rounding noise is equal, and goes by name
        return np.argsort(-hard if self.order == "largest" else hard, kind="stable")


@dataclass(frozen=True, slots=True)
class Optimal:
    """Every control at most once and the smallest total distance, among all ways that leave the fewest places empty.

    As many treated units as possible get a first control, then as many as possible a second, and so on; only then does
    distance count. Solved exactly as an assignment in which a treated unit has `ratio` rows.
    """

    ratio: int = 1

    def __post_init__(self) -> None:
        _counted(self.ratio)

    def choose(self, offer: Offer) -> Bool2:
        """(A, N) who is paired with whom."""
        from scipy.optimize import linear_sum_assignment

        treated, controls = offer.distance.shape
        rows = treated * self.ratio
        # An empty place costs more than all distances together, and a first place more than a second. Sets of places
        # that can be filled are a matroid, so with costs in this order no first place is given up for later ones.
        cost = np.full((rows, controls + rows), np.inf)
        cost.reshape(treated, self.ratio, -1)[:, :, :controls] = np.where(offer.allowed, offer.distance, np.inf)[
            :, None
        ]
        most = 1.0 + float(offer.distance[offer.allowed].max(initial=0.0)) * rows
        cost[np.arange(rows), controls + np.arange(rows)] = most * np.tile(np.arange(self.ratio, 0, -1), treated)
        place, taken = linear_sum_assignment(cost)
        real = taken < controls
        chosen = np.zeros(offer.distance.shape, dtype=bool)
        chosen[place[real] // self.ratio, taken[real]] = True
        return chosen


@dataclass(frozen=True, slots=True)
class Full:
    """Full matching: all who may be matched lie in a set of one treated unit or of one control, at the smallest total.

    The sum is over all pairs of a treated unit and a control of one set (Rosenbaum 1991, Journal of the Royal
    Statistical Society B 53(3); Hansen 2004, Journal of the American Statistical Association 99). Such sets are the
    stars of a cheapest edge cover. A cover is everybody's cheapest pair, less what is saved by pairs that serve as the
    cover of both their ends, and those are an assignment (Schrijver 2003, Combinatorial Optimization, section 19.3): so
    it is solved exactly.
    """

    @property
    def ratio(self) -> int:
        """Everybody gets one control or more, if any is allowed."""
        return 1

    def choose(self, offer: Offer) -> Bool2:
        """(A, N) who is paired with whom."""
        from scipy.optimize import linear_sum_assignment

        cost = np.where(offer.allowed, offer.distance, np.inf)
        row, column = cost.min(axis=1), cost.min(axis=0)
        saved = np.zeros(cost.shape)
        one, other = np.nonzero(offer.allowed)
        saved[one, other] = np.minimum(cost[one, other] - row[one] - column[other], 0.0)
        one, other = linear_sum_assignment(saved)
        both = saved[one, other] < 0
        chosen = np.zeros(cost.shape, dtype=bool)
        chosen[one[both], other[both]] = True
        left = np.flatnonzero(~chosen.any(axis=1) & np.isfinite(row))
        chosen[left, cost[left].argmin(axis=1)] = True
        left = np.flatnonzero(~chosen.any(axis=0) & np.isfinite(column))
        chosen[cost[:, left].argmin(axis=0), left] = True
        return _stars(chosen, cost)


def _counted(ratio: int) -> None:
    if index(ratio) < 1:
        raise ValueError("ratio must be at least 1")


def _each_for_itself(offer: Offer, ratio: int) -> Bool2:
    """The `ratio` nearest allowed controls of every treated unit; among equals the first column."""
    cost = np.where(offer.allowed, offer.distance, np.inf)
    chosen = np.zeros(cost.shape, dtype=bool)
    last = min(ratio, cost.shape[1]) - 1
    reach = np.partition(cost, last, axis=1)[:, last]
    for one, row in enumerate(cost):
        near = np.flatnonzero(row <= reach[one])
        chosen[one, near[np.argsort(row[near], kind="stable")[:ratio]]] = True
    return chosen & offer.allowed


def _in_turn(offer: Offer, ratio: int, turns: Int1) -> Bool2:
    """Every control at most once, taken by who comes first."""
    cost = np.where(offer.allowed, offer.distance, np.inf)
    chosen = np.zeros(cost.shape, dtype=bool)
    for _ in range(ratio):
        for one in turns:
            taken = cost[one].argmin()
            if np.isfinite(cost[one, taken]):
                chosen[one, taken] = True
                cost[:, taken] = np.inf
    return chosen


def _stars(chosen: Bool2, cost: Float2) -> Bool2:
    """Without pairs that neither end needs: they come of distances of 0 only, since a cheapest cover has no others."""
    one, other = np.nonzero(chosen)
    rows, columns = chosen.sum(axis=1), chosen.sum(axis=0)
    for pair in np.argsort(-cost[one, other], kind="stable"):
        if rows[one[pair]] > 1 and columns[other[pair]] > 1:
            chosen[one[pair], other[pair]] = False
            rows[one[pair]] -= 1
            columns[other[pair]] -= 1
    return chosen
