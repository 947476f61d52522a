"""What cells are made of, where they are sums of outcomes: how much every outcome counts in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impact.arrays import Float1, Float2, Float3, Int1

__all__ = ["Part", "Pull"]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Units whose outcomes count alike but for their weight: ``weight_i right[place_i]``.

    Attributes
    ----------
    place : (N,) int
        Row of `right` of every unit; -1 for units that are no part of it.
    weight : (N,) float
    right : (K, T, C) float
    """

    place: Int1
    weight: Float1
    right: Float3


@dataclass(frozen=True, slots=True, eq=False)
class Pull:
    """Cells as sums of outcomes, ``effect_c = Σ_it pull_itc y_it``, with weights that no outcome moves.

    Those of a unit sum to 0 over its periods, and those of a period over the units: what a unit or a period adds to all
    its outcomes leaves the effects alone. A cell that was not observed counts for 0.

    Attributes
    ----------
    parts : tuple of Part
        Added up.
    shape : (int, int)
        N and T.
    """

    parts: tuple[Part, ...]
    shape: tuple[int, int]

    def __call__(self, weights: Float1) -> Float2:
        """(N, T) how much every outcome counts in the sum of cells with these weights (C,)."""
        out = np.zeros(self.shape)
        for part in self.parts:
            right = part.right @ weights
            there = np.flatnonzero((part.place >= 0) & (part.weight != 0))
            out[there, : right.shape[1]] += part.weight[there, None] * right[part.place[there]]
        return out
