"""The odds of being treated given covariates: the logit by maximum likelihood, and odds that balance the covariates.

Both losses are convex with a third derivative no larger than the second along any line of slope 1, so a Newton step
cut to ``log(1 + b) / b``, where ``b`` is the largest change it makes to any index, always goes down (Bach 2010,
Electronic Journal of Statistics 4; Sun & Tran-Dinh 2019, Mathematical Programming 178). No search along the line is
needed, and the last steps are full ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from impact.arrays import Float1, Float2

__all__ = ["Part", "expit", "logit", "separating", "tilting"]

# Covariates (n, p), the first of them constant, and positive weights (n,). Rows of one side need not be joined.
Part: TypeAlias = tuple[Float2, Float1]
Side: TypeAlias = Sequence[Part]

_STEPS = 200
# Below this change of every index the next step is its square: nothing in double precision.
_SETTLED = 1e-7
# From this change of every index on, a full step leaves less than half of the error.
_FULL = 0.5
# Information that has fallen this far below that of equal odds, in some direction, is falling to 0.
_VANISHED = 1e-8


def expit(index: Float1) -> Float1:
    """``1 / (1 + exp(-index))``, 0 and 1 at the far ends."""
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / (1.0 + np.exp(-index)))


def logit(treated: Side, controls: Side) -> Float1 | None:
    """Coefficients (p,) of the logit of being treated, by maximum likelihood.

    Parameters
    ----------
    treated, controls : sequence of Part
        Both sides, each in any number of parts with a row or more.

    Returns
    -------
    (p,) float or None
        None when the covariates separate the treated from the controls: there is no maximum.
    """

    def derivatives(gamma: Float1) -> tuple[Float1, Float2]:
        gradient, curvature = np.zeros(len(gamma)), np.zeros((len(gamma), len(gamma)))
        for side, sign in ((treated, 1.0), (controls, -1.0)):
            for x, weight in side:
                wrong = expit(-sign * (x @ gamma))
                pull = weight * wrong
                gradient -= sign * (pull @ x)
                curvature += _gram(x, pull * (1.0 - wrong))
        return gradient, curvature

    every = [*treated, *controls]
    share = _mass(treated) / _mass(every)
    return _newton(derivatives, every, _level(every) * share * (1.0 - share), np.log(share / (1.0 - share)))


def tilting(treated: Side, controls: Side) -> Float1 | None:
    """Coefficients (p,) whose odds ``exp(x'γ)`` give the controls the totals of the treated in every covariate.

    The sum of ``w exp(x'γ) x`` over the controls equals that of ``w x`` over the treated: inverse probability tilting
    (Graham, Pinto & Egel 2012, Review of Economic Studies 79(3)) for the treated, as in Sant'Anna & Zhao (2020),
    section 3.1. The solution minimises ``Σ_controls w exp(x'γ) - Σ_treated w x'γ``.

    Returns
    -------
    (p,) float or None
        None when no positive weights of the controls reach the means of the treated.
    """
    aim = np.asarray(sum((weight @ x for x, weight in treated[1:]), treated[0][1] @ treated[0][0]))

    def derivatives(gamma: Float1) -> tuple[Float1, Float2]:
        gradient, curvature = -aim, np.zeros((len(gamma), len(gamma)))
        for x, weight in controls:
            odds = weight * np.exp(x @ gamma)
            gradient = gradient + odds @ x
            curvature += _gram(x, odds)
        return gradient, curvature

    ratio = _mass(treated) / _mass(controls)
    return _newton(derivatives, controls, _level(controls) * ratio, np.log(ratio))


def separating(treated: Side, controls: Side, fit: Callable[[Side, Side], Float1 | None]) -> tuple[list[int], bool]:
    """Which covariates leave `fit` (`logit` or `tilting`) without an answer.

    Returns
    -------
    columns : list of int
        Columns of the covariates (never 0, the constant): all that do so alone, or else some that do so together and
        of which none can be left out.
    alone : bool
        Whether each does so alone.
    """
    columns = list(range(1, treated[0][0].shape[1]))

    def fails(kept: list[int]) -> bool:
        place = [0, *kept]
        sides = [[(x[:, place], weight) for x, weight in side] for side in (treated, controls)]
        return fit(sides[0], sides[1]) is None

    single = [column for column in columns if fails([column])]
    if single:
        return single, True
    for column in list(columns):
        rest = [other for other in columns if other != column]
        if rest and fails(rest):
            columns = rest
    return columns, False


def _newton(
    derivatives: Callable[[Float1], tuple[Float1, Float2]], curved: Side, level: Float2, intercept: float
) -> Float1 | None:
    """The minimum, or None where there is none; `level` is the curvature at equal odds, `curved` who bends the loss."""
    root = np.linalg.cholesky(level)
    gamma = np.zeros(len(level))
    gamma[0] = intercept
    for _ in range(_STEPS):
        gradient, curvature = derivatives(gamma)
        relative = np.linalg.solve(root, np.linalg.solve(root, curvature).T)
        if np.linalg.eigvalsh(relative)[0] < _VANISHED:
            return None
        step = -np.linalg.solve(curvature, gradient)
        reach = max(float(np.abs(x @ step).max()) for x, _ in curved)
        gamma = gamma + (step if reach <= _FULL else step * (np.log1p(reach) / reach))
        if reach <= _SETTLED:
            return gamma
    return None


def _level(side: Side) -> Float2:
    return np.asarray(sum((_gram(x, weight) for x, weight in side[1:]), _gram(*side[0])))


def _mass(side: Side) -> float:
    return sum(float(weight.sum()) for _, weight in side)


def _gram(x: Float2, weight: Float1) -> Float2:
    return np.asarray((x * weight[:, None]).T @ x)
