"""What the numbers that are shown say about those that are not, and which more must go so that they say little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from impact.arrays import Bool1, Float1, Float2, frozen, require

__all__ = ["System", "complement", "exposed", "reach"]

_SLACK = 1e-7


@dataclass(frozen=True, slots=True, eq=False)
class System:
    """Numbers that are tied together, as everybody knows.

    Attributes
    ----------
    values : (m,) float
    relations : (r, m) float
        Every row times `values` is 0: a total minus its parts.
    lower : (m,) float
        Below which a number cannot lie, as everybody knows; -inf for none.
    """

    values: Float1
    relations: Float2
    lower: Float1

    def __post_init__(self) -> None:
        for name in ("values", "relations", "lower"):
            object.__setattr__(self, name, frozen(getattr(self, name)))
        require("relations", self.relations, (len(self.relations), len(self.values)))
        require("lower", self.lower, (len(self.values),))


def reach(system: System, hidden: Bool1, cell: int, known: Sequence[int] = ()) -> tuple[float, float]:
    """From where to where the number `cell` may lie, for who sees all that is not `hidden`; two linear programs.

    `known`: hidden cells whose number this reader knows, as he is the only one in it. An end that does not exist is
    infinite. Fischetti and Salazar (2001), Management Science 47(7): the attacker's problems.
    """
    free = hidden.copy()
    free[list(known)] = False
    value = float(system.values[cell])
    if not free[cell]:
        return value, value
    low, high = (_push(system, free, cell, sign) for sign in (-1.0, 1.0))
    return value - low, value + high


def _push(system: System, free: Bool1, cell: int, sign: float) -> float:
    """How far a number can move one way when only the free ones move with it."""
    from scipy.optimize import linprog

    at = np.flatnonzero(free)
    cost = np.where(at == cell, -sign, 0.0)
    found = linprog(
        cost,
        A_eq=system.relations[:, at],
        b_eq=np.zeros(len(system.relations)),
        bounds=_bounds(system, at),
        method="highs",
    )
    if found.status == 3:
        return np.inf
    # Standing still is always possible; what the solver cannot settle counts as known.
    return 0.0 if found.fun is None else abs(float(found.fun))


def _bounds(system: System, at: np.ndarray) -> list[tuple[float | None, float | None]]:
    room = np.minimum(system.lower[at] - system.values[at], 0.0)
    return [(None if np.isneginf(down) else float(down), None) for down in room]


def exposed(system: System, hidden: Bool1, cell: int, needs: float, known: Sequence[int] = ()) -> tuple[bool, bool]:
    """Whether a hidden number is known from below, and from above, any closer than `needs`.

    At the bound below which it cannot lie, there is nothing to hide.
    """
    low, high = reach(system, hidden, cell, known)
    value, slack = float(system.values[cell]), _SLACK * max(1.0, needs)
    down = min(needs, value - float(system.lower[cell]))
    return value - low < down - slack, high - value < needs - slack


def complement(system: System, primary: Bool1, needs: Float1, cost: Float1, alone: Bool1 | None = None) -> Bool1 | None:
    """(m,) which numbers are not shown so that none of the `primary` ones can be derived; None where nothing will do.

    For every end at which a number is known too closely, the least costly pattern of numbers that could move with it is
    hidden too (a linear program: Kelly, Golden and Assad 1992, Networks 22; Hundepool et al. 2012, section 4.4). Hiding
    a pattern makes the other end feasible, so the result is right by construction; it need not be the smallest.

    Parameters
    ----------
    system : System
        What is tied to what.
    primary : (m,) bool
        Numbers that must not be known.
    needs : (m,) float
        How far the true number must lie from both ends of what can be derived, above 0.
    cost : (m,) float
        Of not showing a number, above 0; infinite for one that must be shown.
    alone : (m,) bool, optional
        Numbers that one contributor makes up by himself: he knows them, and must not derive another from that.
    """
    hidden = primary.copy()
    lone = np.flatnonzero(primary & alone) if alone is not None else np.zeros(0, dtype=np.intp)
    readers: list[tuple[int, ...]] = [(), *((one,) for one in lone.tolist())]
    # The most valuable first: what hides it often hides others too.
    for cell in sorted(np.flatnonzero(primary).tolist(), key=lambda one: (-float(needs[one]), one)):
        for known in readers:
            if cell in known:
                continue
            down, up = exposed(system, hidden, cell, float(needs[cell]), known)
            for sign, wanted in ((-1.0, down), (1.0, up)):
                if not wanted:
                    continue
                moved = _pattern(system, hidden, cell, sign, float(needs[cell]), cost, known)
                if moved is None:
                    return None
                hidden |= moved
    return hidden


def _pattern(
    system: System, hidden: Bool1, cell: int, sign: float, needs: float, cost: Float1, known: Sequence[int]
) -> Bool1 | None:
    """(m,) the cheapest numbers that move when one moves as far as it must; hidden ones cost nothing."""
    from scipy.optimize import linprog

    may = np.isfinite(cost) | hidden
    may[list(known)] = False
    at = np.flatnonzero(may)
    own = int(np.flatnonzero(at == cell)[0])
    room = np.minimum(system.lower[at] - system.values[at], 0.0)
    distance = min(needs, -float(room[own])) if sign < 0 else needs
    price = np.where(hidden[at], 0.0, cost[at])
    # Every move is a rise minus a fall, both of them at least 0, and a fall ends at the lower bound.
    falls = [(0.0, None if np.isneginf(down) else -float(down)) for down in room]
    bounds: list[tuple[float, float | None]] = [(0.0, None)] * len(at) + falls
    bounds[own], bounds[len(at) + own] = (
        ((0.0, 0.0), (distance, distance))
        if sign < 0
        else (
            (distance, distance),
            (0.0, 0.0),
        )
    )
    ties = system.relations[:, at]
    found = linprog(
        np.concatenate([price, price]) + 1e-9,
        A_eq=np.hstack([ties, -ties]),
        b_eq=np.zeros(len(ties)),
        bounds=bounds,
        method="highs",
    )
    if found.x is None or found.status != 0:
        return None
    moves = np.abs(found.x[: len(at)] - found.x[len(at) :])
    out = np.zeros(len(system.values), dtype=bool)
    out[at[moves > _SLACK * max(distance, 1e-12)]] = True
    return out
