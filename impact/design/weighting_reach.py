"""Why no weights balance: which moments stay off, by how much, and whom of those aimed at nobody can stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from impact.arrays import Bool1, Float1, Float2
from impact.design.weighting import Side
from impact.design.weighting_moments import Aims
from impact.errors import Refused
from impact.longtable import few

__all__ = ["Reach", "closest", "out_of_reach"]

_MET = 1e-9  # standard deviations that the linear program may leave by rounding
_LEFT_OUT = 25  # units that are taken out one by one before that is given up


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """How near weights can come.

    Attributes
    ----------
    short : (p,) float
        What is left of every moment, beyond its tolerance, at the least total; in standard deviations.
    direction : (p,) float
        A combination of the moments in which all that weights can reach falls below 0, the target; 0 where balance can
        be had.
    edge : float
        The most of it that weights can reach.
    """

    short: Float1
    direction: Float1
    edge: float

    @property
    def met(self) -> bool:
        """Whether there are weights that balance."""
        return bool(np.abs(self.short).sum() <= _MET * len(self.short))


def closest(z: Float2, tolerance: Float1, most: float = 1.0) -> Reach:
    """Shares whose mean of `z` is nearest to 0: a linear program for the least total of what is left.

    Parameters
    ----------
    z : (n, p) float
        Moments minus their targets, in standard deviations.
    tolerance : (p,) float
        How far from 0 each may stay.
    most : float
        Largest share.
    """
    from scipy.optimize import linprog

    count, width = z.shape
    # Shares, what is too much, what is too little, and what is within the tolerance.
    cost = np.r_[np.zeros(count), np.ones(2 * width), np.zeros(width)]
    unit = np.eye(width)
    equal = np.vstack([np.hstack([z.T, -unit, unit, -unit]), np.r_[np.ones(count), np.zeros(3 * width)][None, :]])
    bounds = [*[(0.0, most)] * count, *[(0.0, np.inf)] * (2 * width), *zip(-tolerance, tolerance, strict=True)]
    found = linprog(
        cost,
        A_eq=equal,
        b_eq=np.r_[np.zeros(width), 1.0],
        bounds=bounds,
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if found.x is None:
        raise RuntimeError(f"the linear program of the nearest balance has an answer, but: {found.message}")
    short = found.x[count : count + width] - found.x[count + width : count + 2 * width]
    direction = np.asarray(found.eqlin.marginals[:width], dtype=np.float64)
    # Within the largest share, the most that weights can reach is what those who score highest reach.
    scores, left, edge = np.sort(z @ direction)[::-1], 1.0, 0.0
    for score in scores[: int(np.ceil(1 / most))]:
        edge, left = edge + min(most, left) * float(score), left - min(most, left)
    return Reach(np.where(np.abs(short) > _MET, short, 0.0), direction, edge)


def out_of_reach(aims: Aims, side: Side, units: Sequence[str], tolerance: Float1, most: float = 1.0) -> Refused | None:
    """Why no weights of `side` meet the aims; None where some do."""
    members = aims.sides[side]
    reach = closest(aims.z[members], tolerance, most)
    if reach.met:
        return None
    who, enough = _beyond(aims, members, reach, tolerance, most)
    told = [_short(aims, side, k, reach.short[k]) for k in np.argsort(-np.abs(reach.short)) if reach.short[k]]
    because = f"no weights of the {_many(side)} meet the moments; the nearest leave {'; '.join(told)}"
    names = [units[row] for row in who]
    if names:
        because += f". {_CULPRITS[enough]}: {few(names, most=20)}"
    cures = ["ask for fewer moments"] + (["or a larger tolerance"] if tolerance.any() else ["or for method='stable'"])
    cures += ["or a larger max_weight"] if most < 1.0 else []
    if names and enough:
        cures.append("or leave those units out by name with a reason")
    return Refused("the weighting", because, f"{', '.join(cures).capitalize()}.")


_CULPRITS = {
    True: "Without these units, whom nobody can stand for, they can be met",
    False: "Farthest from whom anybody can stand for, and not the only ones",
}


def _beyond(aims: Aims, members: Bool1, reach: Reach, tolerance: Float1, most: float) -> tuple[list[int], bool]:
    """Units aimed at that lie beyond all that weights reach, and whether balance can be had without them.

    The farthest in the direction in which the target is out of reach is taken out, until the mean of the others is in
    reach.
    """
    left, z = aims.people.copy(), aims.z
    out: list[int] = []
    while not reach.met:
        score = np.where(left, z @ reach.direction, -np.inf)
        far = int(np.argmax(score))
        slack = float(tolerance @ np.abs(reach.direction))
        beyond = float(score[far]) > reach.edge + slack + _MET
        if not beyond or left.sum() == 1 or len(out) == _LEFT_OUT:
            return out, False
        out.append(far)
        left[far] = False
        z = aims.z - aims.counts[left] @ aims.z[left] / aims.counts[left].sum()
        reach = closest(z[members], tolerance, most)
    return out, True


def _short(aims: Aims, side: Side, k: int, gap: float) -> str:
    """One moment that is not met, in its own unit."""
    own = aims.z[aims.sides[side], k] * aims.sd[k] + aims.target[k]
    own = np.where(np.abs(own) > 1e-12 * (aims.sd[k] + abs(aims.target[k])), own, 0.0)
    where = "above" if gap > 0 else "below"
    reaches = f"the {_many(side)} run from {own.min():.4g} to {own.max():.4g}"
    return f"{aims.names[k]} {abs(gap):.2g} sd {where} its target of {aims.target[k]:.4g} ({reaches})"


def _many(side: Side) -> str:
    return "controls" if side == "control" else "treated"
