"""How the untreated course of the outcome is learned: as a mean of controls, or by regression on untreated cells.

A *path* (T,) is what the outcome would have done without treatment, up to a level of each unit. It is linear in the
means of the strata: ``path = Σ_k P_k mean_k``, and a unit ``i`` of stratum ``k`` has the influence
``w_i / W_k · P_k (y_i - path)`` on it. All arrays may carry leading axes (one entry a left-out cluster).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from impact.arrays import Bool2, Float1, Float2, Float3, Int1

__all__ = ["Dummies", "Learned", "Pooled", "Regressed", "Rule"]

# A direction that carries less than this share of the largest one is not identified.
_RANK = 1e-10
# A cell that keeps less than this share of its weight beside its dummy is needed to learn the path at all.
_KEPT = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """`R` paths as learned from one set of means.

    Attributes
    ----------
    path : (..., R, T) float
    mass : (..., R) float
        Weight of the untreated units behind the path; 0 when there is none.
    unknown : (..., T, T) float or None
        Projector on the directions in which the path is not identified; None when it is wherever there is mass.
    inverse : (..., T, T) float or None
        Of the normal equations of a regression.
    """

    path: Float3
    mass: Float2
    unknown: Float3 | None = None
    inverse: Float3 | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Dummies:
    """A dummy for each of `C` cells of a regression, one at a time.

    Attributes
    ----------
    known : (..., C) bool
        Whether the cell can be left to its dummy.
    coefficient : (..., C) float
    effects : (..., C, T) float
        Period effects of the dummy itself.
    kept : (..., C) float
        Weight of the cell that is left as residual of the dummy; 1 where it is not known.
    path : (..., C, T) float
        What is learned from all other cells.
    """

    known: Bool2
    coefficient: Float2
    effects: Float3
    kept: Float2
    path: Float3


class Rule(Protocol):
    """What a path is made of."""

    def learn(self, weight: Float2, mean: Float3) -> Learned:
        """Paths from weights (..., K) and means (..., K, T)."""
        ...

    def pull(self, learned: Learned, weight: Float1, reference: Int1, change: Float2) -> Float3:
        """(K, T, E) ``P_k' change_e / W_k`` of entries that use the paths `reference` (E,) with `change` (E, T)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """The weighted mean of all units in the strata that serve: `serves` is (R, K)."""

    serves: Bool2

    def learn(self, weight: Float2, mean: Float3) -> Learned:
        """See `Rule.learn`."""
        share = weight[..., None, :] * self.serves
        mass = share.sum(axis=-1)
        share = np.divide(share, mass[..., None], out=np.zeros_like(share), where=mass[..., None] > 0)
        return Learned(share @ mean, mass)

    def pull(self, learned: Learned, weight: Float1, reference: Int1, change: Float2) -> Float3:
        """See `Rule.pull`; the share over the weight of a stratum is one over the mass."""
        per = np.divide(1.0, learned.mass, out=np.zeros_like(learned.mass), where=learned.mass > 0)
        share = np.where(self.serves & (weight > 0), per[:, None], 0.0)
        return np.asarray(np.einsum("ck,ct->ktc", share[reference], change))


@dataclass(frozen=True, slots=True, eq=False)
class Regressed:
    """Period effects of a regression on unit and period effects over the `open` (K, T) cells.

    With unit effects partialled out, a stratum enters through ``B_k = D_k - d_k d_k' / |d_k|``, with ``d_k`` its open
    periods, and the period effects solve ``Σ W_k B_k β = Σ W_k B_k mean_k``.
    """

    open: Bool2

    @property
    def within(self) -> Float3:
        """(K, T, T) the matrices B."""
        d = self.open.astype(np.float64)
        count = np.maximum(d.sum(axis=1), 1.0)
        return np.asarray(
            np.einsum("kt,ts->kts", d, np.eye(d.shape[1])) - d[:, :, None] * d[:, None, :] / count[:, None, None]
        )

    def learn(self, weight: Float2, mean: Float3) -> Learned:
        """See `Rule.learn`; what is not identified stays 0 in the path and is told in `unknown`."""
        within = self.within
        normal = np.einsum("...k,kts->...ts", weight, within)
        right = np.einsum("...k,kts,...ks->...t", weight, within, mean, optimize=True)
        values, vectors = np.linalg.eigh(normal)
        known = values > _RANK * np.maximum(values[..., -1:], np.finfo(float).tiny)
        inverse = (
            vectors * np.divide(1.0, values, out=np.zeros_like(values), where=known)[..., None, :]
        ) @ np.swapaxes(vectors, -1, -2)
        unknown = (vectors * ~known[..., None, :]) @ np.swapaxes(vectors, -1, -2)
        path = np.einsum("...ts,...s->...t", inverse, right)
        mass = (weight * self.open.any(axis=1)).sum(axis=-1)
        return Learned(path[..., None, :], mass[..., None], unknown, inverse)

    def pull(self, learned: Learned, weight: Float1, reference: Int1, change: Float2) -> Float3:
        """See `Rule.pull`."""
        if learned.inverse is None:
            raise ValueError("a regression carries its inverse")
        return np.asarray(
            np.einsum("kts,cs->ktc", np.where((weight > 0)[:, None, None], self.within, 0.0), change @ learned.inverse)
        )

    def dummies(self, learned: Learned, weight: Float2, mean: Float3, group: Bool2, period: Int1) -> Dummies:
        """What happens when every one of `C` cells gets a dummy, each alone.

        `group` (C, K) are the strata of a cell, `period` (C,) its period; `weight` and `mean` as in `learn`.
        """
        if learned.inverse is None:
            raise ValueError("a regression carries its inverse")
        # A unit with one open period says nothing once that period has a dummy.
        open_ = self.open & (self.open.sum(axis=1) > 1)[:, None]
        own = weight[..., None, :] * (group & open_[:, period].T)
        within = self.within[:, period, :]
        effects = np.einsum("...ck,kct->...ct", own, within) @ learned.inverse
        column = np.einsum("...ck,kct->...ct", own, within)
        kept = np.einsum("...ck,kc->...c", own, within[:, np.arange(within.shape[1]), period])
        kept = kept - (column * effects).sum(axis=-1)
        rest = mean - learned.path
        moved = np.einsum("...ck,kct,...kt->...c", own, within, rest, optimize=True)
        total = own.sum(axis=-1)
        share = np.divide(kept, total, out=np.zeros_like(kept), where=total > 0)
        known = share > _KEPT
        coefficient = np.divide(moved, kept, out=np.zeros_like(kept), where=known)
        return Dummies(
            known, coefficient, effects, np.where(known, kept, 1.0), learned.path - coefficient[..., None] * effects
        )
