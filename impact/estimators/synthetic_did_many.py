"""Synthetic difference-in-differences for many assignments of treatment at once: one set of donors, two programs each.

In the program of the periods the donors are rows, of which only the products matter: those of all donors, less those of
the few that are treated.
"""

from __future__ import annotations

import numpy as np

from impact.arrays import Float1, Float2, Float3, Int1
from impact.errors import Refused
from impact.estimators.reassigned import Comparisons, Found
from impact.numerics.simplex import GAP, Simplex, solve, solve_many

__all__ = ["LAMBDA", "doubly_weighted", "omega", "unsolved"]

LAMBDA = 1e-6
"""The ridge of the weights of the periods, as a multiple of the noise."""

# Below this share of the largest, differences of sums have lost too many digits: the donors themselves are used.
_DIGITS = 1e-7


def omega(units: int, after: int) -> float:
    """ζ_ω as a multiple of the noise: `units` treated units, `after` periods from the start on.

    Arkhangelsky et al. (2021), eq. 5.
    """
    return float(np.sqrt(np.sqrt(units * after)))


def unsolved(name: str, what: str, gap: float) -> Refused:
    """Why there are no weights of the units, or of the periods, of a piece."""
    return Refused(
        f"the {what} weights of {name}",
        f"the solver stopped at a gap of {gap:.1g}, above {GAP:.0g}",
        "Leave out donors whose course is far from all others.",
    )


def doubly_weighted(one: Comparisons, zeta: float) -> Found:
    """Gaps (S, T) of all assignments, less their mean over the periods before the start under λ.

    Parameters
    ----------
    one : Comparisons
        The donors, the targets and who is treated.
    zeta : float
        What ζ_ω is multiplied by.
    """
    before, after = one.donors[:, one.before], one.donors[:, one.start :]
    noise = _noise(before, one.without)
    ridge = len(one.before) * (zeta * omega(one.units, after.shape[1]) * noise) ** 2
    pre = one.targets[:, one.before]
    centred, wanted = (values - values.mean(axis=1, keepdims=True) for values in (before, pre))
    time = _periods(before, after.mean(axis=1), one.without, LAMBDA * noise)
    refused: dict[int, Refused] = {}
    units = solve_many(centred, wanted, without=one.without, ridge=ridge)
    paths = one.targets - units.combine(one.donors)
    gap = np.empty(one.targets.shape)
    for row, path in enumerate(paths):
        gap[row] = path - time[row].weights @ path[one.before]
        if not units.optimal[row]:
            refused[row] = unsolved(one.name, "unit", float(units.gap[row]))
        elif time[row].status != "optimal":
            refused[row] = unsolved(one.name, "time", time[row].gap)
    return gap, refused


def _rest(values: Float2, gone: Int1) -> Float2:
    """`values` (J, k) of the donors that are left; -1 in `gone` stands for none."""
    return np.delete(values, gone[gone >= 0], axis=0)


def _gone(values: Float2, without: Int1) -> Float3:
    """(S, n, k) the rows of `values` (J, k) that are left out; 0 for -1."""
    return np.concatenate([values, np.zeros((1, values.shape[1]))])[without]


def _noise(before: Float2, without: Int1) -> Float1:
    """(S,) the standard deviation of the changes between periods of the donors that are left."""
    change = np.diff(before, axis=1)
    change = change - change.mean()
    sums = np.column_stack([change.sum(axis=1), (change**2).sum(axis=1)])
    total, squares = (sums.sum(axis=0) - _gone(sums, without).sum(axis=1)).T
    count = (len(before) - (without >= 0).sum(axis=1)) * change.shape[1]
    spread = squares - total**2 / count
    for row in np.flatnonzero(spread <= _DIGITS * sums[:, 1].sum()):
        rest = _rest(change, without[row])
        spread[row] = np.sum((rest - rest.mean()) ** 2)
    return np.asarray(np.sqrt(spread / (count - 1)))


def _periods(before: Float2, after: Float1, without: Int1, zeta: Float1) -> list[Simplex]:
    """The programs of the weights of the periods, with intercept.

    With the upper root R of the products of (before, after), ``‖before λ − after‖ = ‖R (λ, −1)‖``.
    """
    raw = np.column_stack([before, after])
    values = raw - raw.mean(axis=0)
    gone, count = _gone(values, without), len(raw) - (without >= 0).sum(axis=1)
    lost = gone.sum(axis=1)
    products = values.T @ values - np.matmul(gone.transpose(0, 2, 1), gone)
    products -= lost[:, :, None] * lost[:, None, :] / count[:, None, None]
    sizes = np.linalg.eigvalsh(products)
    found = []
    for row, product in enumerate(products):
        if sizes[row, 0] > _DIGITS * sizes[row, -1]:
            rows = np.linalg.cholesky(product).T
        else:
            rest = _rest(raw, without[row])
            rows = rest - rest.mean(axis=0)
        found.append(solve(rows[:, :-1], rows[:, -1], ridge=float(count[row] * zeta[row] ** 2)))
    return found
