"""The moments that weights have to bring together: of whom, towards whom, in which unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from impact.arrays import Bool1, Float1, Float2
from impact.design.characteristics import Characteristics
from impact.design.strata import Estimand
from impact.design.weighting import Moment, Side
from impact.errors import Refused

__all__ = ["MOST", "Aims", "Order", "aims", "spread", "whom"]

Order: TypeAlias = int | Mapping[str, int]
"""Highest power for every number, or for each by name (1 for those not named)."""

MOST = 3
_FLAT = 1e-10  # as for distances and the propensity
_FOLLOWS = 1e-10  # of its own variance: what is left of a moment when the others are known


@dataclass(frozen=True, slots=True, eq=False)
class Aims:
    """Moments of all units, and the groups that are to meet those of `people`.

    Attributes
    ----------
    z : (n, p) float
        What the moments are the means of, minus the target, in `sd`: the weighted mean of a group is to be 0.
    names : (p,) tuple of str
    target, sd : (p,) float
    people : (n,) bool
        Whom the weights stand for.
    sides : mapping of side to (n,) bool
        Who is given weights.
    counts : (n,) float
        What each of `people` counts for.
    """

    z: Float2
    names: tuple[str, ...]
    target: Float1
    sd: Float1
    people: Bool1
    sides: Mapping[Side, Bool1]
    counts: Float1

    def moments(
        self, side: Side, weight: Float1, tolerance: Float1 | None = None, multiplier: Float1 | None = None
    ) -> tuple[Moment, ...]:
        """What `weight` (n,) made of the moments of `side`."""
        members = self.sides[side]
        before = self.z[members].mean(axis=0)
        after = weight[members] @ self.z[members] / weight[members].sum()
        return tuple(
            Moment(
                name,
                side,
                float(self.target[k]),
                float(self.target[k] + self.sd[k] * before[k]),
                float(self.target[k] + self.sd[k] * after[k]),
                float(self.sd[k]),
                None if tolerance is None else float(tolerance[k]),
                None if multiplier is None else float(multiplier[k]),
            )
            for k, name in enumerate(self.names)
        )


def whom(estimand: Estimand, treated: Bool1) -> tuple[Bool1, dict[Side, Bool1]]:
    """Whom the weights stand for, and who is given any: (n,) bool, and the same by side."""
    groups: dict[Side, Bool1] = {"control": ~treated, "treated": treated}
    if estimand == "ATT":
        return treated, {"control": ~treated}
    if estimand == "ATC":
        return ~treated, {"treated": treated}
    return np.ones(len(treated), dtype=bool), groups


def aims(
    base: Characteristics,
    treated: Bool1,
    estimand: Estimand,
    order: Order = 1,
    *,
    levels: bool = False,
    counts: Float1 | None = None,
) -> Aims | Refused:
    """Moments of `base` up to `order`, and who is to meet whom.

    The second and third moment of a number are about its mean among those whom the weights stand for. A number of few
    values has no more moments than the values but one.

    Parameters
    ----------
    base : Characteristics
        In numbers, every value known.
    treated : (n,) bool
        Some are, some are not.
    estimand : {"ATT", "ATC", "ATE"}
        Whom the weights stand for.
    order : int or mapping
        Highest power.
    levels : bool
        Whether the first level of a category, which follows from the others, is a moment too: within a tolerance
        it is one more thing to ask.
    counts : (n,) float, optional
        What each of those whom the weights stand for counts for; all alike by default.

    Returns
    -------
    Aims, or Refused
        A refusal names characteristics that do not vary or follow from others.

    Raises
    ------
    ValueError
        For orders other than 1 to 3, or of names that are no characteristics.
    """
    orders = _orders(order, base.names)
    people, sides = whom(estimand, treated)
    counts = np.ones(len(treated)) if counts is None else counts
    share = counts[people] / counts[people].sum()
    columns, names, target = [], [], []
    free: list[int] = []
    for column in range(len(base.names)):
        if column in base.redundant and not levels:
            continue
        x = base.x[:, column]
        unit = x.std()
        if unit <= _FLAT * np.abs(x).max():
            return Refused("the weighting", f"{base.names[column]} does not vary", "Leave it out.")
        mean = float(share @ x[people])
        # In standard deviations as long as powers are taken: cubes of incomes leave double precision behind.
        scaled = (x - mean) / unit
        raised = np.ones(len(x))
        for k in range(1, min(orders[column], len(np.unique(x)) - 1) + 1):
            raised = raised * scaled
            aim = float(share @ raised[people]) if k > 1 else 0.0
            columns.append((raised - aim) * unit**k)
            names.append(base.names[column] + (f"^{k}" if k > 1 else ""))
            target.append(aim * unit**k if k > 1 else mean)
            if column not in base.redundant:
                free.append(len(names) - 1)
    away = np.column_stack(columns)
    sd = spread(away, treated)
    z = away / sd
    follows = _following(z[:, free], [names[k] for k in free])
    if follows is not None:
        return follows
    return Aims(z, tuple(names), np.array(target), sd, people, sides, counts)


def spread(x: Float2, treated: Bool1) -> Float1:
    """(p,) standard deviations within both groups, averaged as variances: the yardstick of ``impact.balance``.

    A group of one has none; that of shares of two values is p(1 - p); and where a number varies in neither group it is
    that of all units.
    """
    two = ((x == x.min(axis=0)) | (x == x.max(axis=0))).all(axis=0)
    groups = [(x[group], group.sum()) for group in (treated, ~treated) if group.sum() > 1]
    known = [one.var(axis=0) * np.where(two, 1.0, count / (count - 1)) for one, count in groups]
    sd = np.sqrt(np.mean(known, axis=0)) if known else np.zeros(x.shape[1])
    whole = x.std(axis=0)
    return np.where(sd > _FLAT * whole, sd, whole)


def _orders(order: Order, names: Sequence[str]) -> list[int]:
    given = order.values() if isinstance(order, Mapping) else [order]
    if any(isinstance(one, bool) or one not in range(1, MOST + 1) for one in given):
        raise ValueError(f"moments {order!r} must be whole numbers from 1 to {MOST}")
    if not isinstance(order, Mapping):
        return [order] * len(names)
    if stray := [name for name in order if name not in names]:
        raise ValueError(f"moments of {', '.join(stray)}, which is none of {', '.join(names)}")
    return [order.get(name, 1) for name in names]


def _following(z: Float2, names: Sequence[str]) -> Refused | None:
    """Why moments cannot all be asked for: one is a sum of others."""
    centred = z - z.mean(axis=0)
    centred = centred / centred.std(axis=0)
    gram = centred.T @ centred / len(z)
    values, vectors = np.linalg.eigh(gram)
    if values[0] > _FOLLOWS:
        return None
    if len(z) <= len(names):
        return Refused(
            "the weighting", f"there are {len(z)} units for {len(names)} moments", "Ask for fewer moments or units."
        )
    involved = [names[column] for column in np.flatnonzero(np.abs(vectors[:, 0]) > 1e-5).tolist()]
    return Refused(
        "the weighting",
        f"{', '.join(involved[:-1])} and {involved[-1]} say the same: each follows from the others"
        if len(involved) > 1
        else f"{involved[0]} hardly varies",
        f"Leave out {' or '.join(involved)}.",
    )
