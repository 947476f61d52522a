"""What is assumed of the trend that treated and controls do not share, as inequalities, and their extreme combinations.

The estimates by event time are ``beta = effect + trend + error``: `P` before the start, a reference period that is 0,
and `Q` after it. An assumption on the trend is a set of systems ``A trend <= d``, one of which holds. The effects after
the start are free but for ``combination @ effect = theta``; whichever non-negative combinations of the inequalities do
not depend on the rest of them say all that is left to test (Farkas). Of these only the extreme ones matter: the rays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from impact.arrays import Float1, Float2, Float3

__all__ = ["MOST_RAYS", "Monotonicity", "Rays", "Restriction", "Sign", "extreme_rays", "rays"]

Restriction = Literal["relative-magnitudes", "smoothness", "smoothness-relative-magnitudes"]
Sign = Literal["positive", "negative"]
Monotonicity = Literal["increasing", "decreasing"]

MOST_RAYS = 20_000
_NOTHING = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class Rays:
    """The rays of `S` systems, each normalised so that its inequalities' standard errors add up to 1.

    At ``combination @ effect = theta`` a ray says ``E[weight @ beta] - offset - slope theta <= 0``.

    Attributes
    ----------
    weight : (S, J, K) float
    offset, slope : (S, J) float
    covariance : (S, J, J) float
        Of ``weight @ beta``.
    """

    weight: Float3
    offset: Float2
    slope: Float2
    covariance: Float3


def rays(
    sigma: Float2,
    before: int,
    combination: Float1,
    bound: float,
    restriction: Restriction,
    sign: Sign | None = None,
    monotonicity: Monotonicity | None = None,
) -> Rays:
    """The rays of a restriction, from the inequalities that involve periods after the start.

    ``relative-magnitudes``: the trend changes by at most `bound` times its largest change between two neighbouring
    periods before the start. ``smoothness``: its slope changes by at most `bound`. ``smoothness-relative-magnitudes``:
    by at most `bound` times the largest change of slope before the start. Which change was the largest, and its sign,
    is not known: each possibility is a system of its own.

    Parameters
    ----------
    sigma : (K, K) float
        Covariance of the estimates, those before the start first and without the reference.
    before : int
        `P`.
    combination : (Q,) float
        Weights of the effects in theta; not all 0.
    bound : float
        At least 0.
    restriction, sign, monotonicity
        See above; `sign` is that of the trend after the start, `monotonicity` its direction.

    Raises
    ------
    ValueError
        Over `MOST_RAYS` rays; or an inequality has no sampling error, so that nothing can be tested.

    References
    ----------
    Rambachan & Roth (2023), Review of Economic Studies 90(5), section 2.4 and equations 8 to 13.
    """
    order = 1 if restriction == "relative-magnitudes" else 2
    late, early = _changes(before, len(combination), order)
    size = early if restriction != "smoothness" else np.zeros((0, len(sigma)))
    systems = np.concatenate([size, -size])[:, None, :] if len(size) else np.zeros((1, 1, len(sigma)))
    shape = _shape(before, len(combination), sign, monotonicity)
    moments = np.concatenate(
        [
            late[None] - bound * systems,
            -late[None] - bound * systems,
            np.broadcast_to(shape, (len(systems), *shape.shape)),
        ],
        axis=1,
    )
    limit = np.zeros(moments.shape[1])
    if restriction == "smoothness":
        limit[: 2 * len(late)] = bound
    after = moments[0][:, before:]
    if len(shape):
        combined = extreme_rays(after @ _complement(combination))
    else:
        combined = _pairs_and_ends(after[: len(late)], combination)
    error = np.sqrt(np.einsum("srk,kl,srl->sr", moments, sigma, moments))
    if (error <= _NOTHING * np.sqrt(np.diag(sigma).max())).any():
        raise ValueError("an inequality between the estimates has no sampling error: the covariance is singular")
    scale = error @ combined.T
    weight = (combined @ moments) / scale[..., None]
    slope = (combined @ after @ combination) / (combination @ combination)
    return Rays(weight, combined @ limit / scale, slope / scale, weight @ sigma @ weight.transpose(0, 2, 1))


def extreme_rays(equations: Float2) -> Float2:
    """(J, R) the extreme rays of the cone of ``x >= 0`` with ``equations' x = 0``, each with largest entry 1.

    Parameters
    ----------
    equations : (R, E) float
        One a column.

    Raises
    ------
    ValueError
        Over `MOST_RAYS` rays.

    References
    ----------
    Motzkin, Raiffa, Thompson & Thrall (1953), The double description method; Fukuda & Prodon (1996), on neighbours.
    """
    found = np.eye(len(equations))
    for column in (equations / np.maximum(np.abs(equations).max(axis=0), _NOTHING)).T:
        value = found @ column
        plus, minus = np.flatnonzero(value > _NOTHING), np.flatnonzero(value < -_NOTHING)
        support = found > _NOTHING
        kept = [found[np.abs(value) <= _NOTHING]]
        for up in plus:
            both = support[up] | support[minus]
            # Two rays are neighbours when no third one lies in the face that both span.
            inside = (support.astype(np.float64) @ ~both.T) == 0
            near = minus[inside.sum(axis=0) == 2]
            made = value[up] * found[near] - value[near, None] * found[up]
            kept.append(made / made.max(axis=1, keepdims=True))
        found = np.concatenate(kept)
        if len(found) > MOST_RAYS:
            raise ValueError(f"the shape of the trend leads to over {MOST_RAYS} inequalities: use fewer periods")
    return found


def _changes(before: int, after: int, order: int) -> tuple[Float2, Float2]:
    """Changes (of changes) of a course in the periods after the start, and in those before; the reference is 0."""
    every = np.delete(np.diff(np.eye(before + 1 + after), n=order, axis=0), before, axis=1)
    first = before + 1 - order
    return every[max(first, 0) :], every[: max(first, 0)]


def _shape(before: int, after: int, sign: Sign | None, monotonicity: Monotonicity | None) -> Float2:
    """(., K) inequalities for the sign and the direction of the trend after the start."""
    levels = np.eye(before + after)[before:]
    steps = _changes(before, after, 1)[0]
    parts = [np.zeros((0, before + after))]
    parts += [levels if sign == "negative" else -levels] if sign else []
    parts += [steps if monotonicity == "decreasing" else -steps] if monotonicity else []
    # The trend is 0 in the reference period: a direction in the first step is also a sign, said once.
    return np.unique(np.concatenate(parts), axis=0)


def _complement(combination: Float1) -> Float2:
    """(Q, Q - 1) directions in which effects move without changing ``combination @ effect``."""
    pivot = int(np.argmax(np.abs(combination)))
    out = np.eye(len(combination))
    out[pivot] = -combination / combination[pivot]
    return np.delete(out, pivot, axis=1)


def _pairs_and_ends(late: Float2, combination: Float1) -> Float2:
    """(Q + 2, 2 Q) the rays where every change has an upper and a lower bound and nothing else is assumed.

    (Where only one change has a worth, its pair is the sum of both ends: no extreme ray, and harmless.)

    Both bounds of one change add up to what no effect enters. Otherwise the multipliers of a change differ by what it
    is worth in theta, which leaves two: the greatest and the least theta.
    """
    worth = np.linalg.solve(late.T, combination)
    up, down = np.maximum(worth, 0), np.maximum(-worth, 0)
    both = np.hstack([np.eye(len(worth)), np.eye(len(worth))])
    return np.vstack([both, np.r_[up, down], np.r_[down, up]])
