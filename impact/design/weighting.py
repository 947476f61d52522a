"""What a weighting came to: the weights, and how near every moment came to what it should be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from impact.design.matched import Matched

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Moment", "Side", "Weighted"]

Side: TypeAlias = Literal["treated", "control"]


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment of a group that was given weights.

    Attributes
    ----------
    name : str
        ``huur`` for the mean, ``huur^2`` and ``huur^3`` for the mean square and cube of the distance to `target`.
    group : {"treated", "control"}
        Who was given weights.
    target : float
        The moment among those whom the weights stand for.
    before, after : float
        The moment of the group, unweighted and weighted.
    sd : float
        Of what the moment is the mean of: the yardstick of ``impact.balance``.
    tolerance : float or None
        How far from the target it was allowed to stay, in `sd`; None where nothing was asked of it.
    multiplier : float or None
        ``entropy``: the coefficient of the log weight. ``stable``: how much the variance of the weights falls for every
        `sd` of more tolerance, 0 where the constraint does not bind. None for weights of a propensity.
    """

    name: str
    group: Side
    target: float
    before: float
    after: float
    sd: float
    tolerance: float | None = None
    multiplier: float | None = None

    @property
    def gap(self) -> float:
        """What is left of the difference, in `sd`: after minus target."""
        return (self.after - self.target) / self.sd


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Weighted(Matched):
    """A ``Matched`` without pairs: everybody is compared with everybody, by weight.

    `numbers` and `match` are None, and `distance` is ``propensity`` where there is a score, else "". Weights have mean
    1 over those with any in either group, so that only their ratios within a group mean something.

    Attributes
    ----------
    moments : tuple of Moment
        Of every group that was given weights.
    """

    moments: tuple[Moment, ...]

    @property
    def sets(self) -> None:
        """None: there are no sets."""
        return None

    @property
    def pairs(self) -> pd.DataFrame:
        """No row: nobody stands with anybody in particular."""
        import pandas as pd

        return pd.DataFrame({"treated": self.index[:0], "control": self.index[:0]})

    def table(self) -> pd.DataFrame:
        """One row per moment of every group with weights of its own.

        `moment`, `group`, `target`, `before`, `after`, `sd`, `gap` (after minus target, in sd), `tolerance` and
        `multiplier`: see ``Moment``; missing where there is none.
        """
        import pandas as pd

        names = ("group", "target", "before", "after", "sd", "gap", "tolerance", "multiplier")
        columns = {name: [getattr(moment, name) for moment in self.moments] for name in names}
        table = pd.DataFrame({"moment": [moment.name for moment in self.moments], **columns})
        return table.astype({name: "Float64" for name in names if name != "group"})

    @property
    def differences(self) -> dict[str, float]:
        """What is left between both groups, treated minus control, by moment and in sd.

        A group without weights of its own is what the other is aimed at.
        """
        found: dict[str, float] = {}
        for moment in self.moments:
            sign = 1.0 if moment.group == "treated" else -1.0
            found[moment.name] = found.get(moment.name, 0.0) + sign * moment.gap
        return found

    @property
    def binding(self) -> tuple[str, ...]:
        """Moments (``stable``) that stay as far off as they may: more tolerance would even out the weights."""
        return tuple(
            f"{moment.name} ({moment.group})" for moment in self.moments if moment.tolerance and moment.multiplier
        )

    def summary(self) -> str:
        """How many have weight, how many that is worth, how near the moments came, and what to know about it."""
        groups = {"treated": self.treated, "control": ~self.treated}
        lines = [f"{self.method} weighting, {self.estimand}"]
        for name, group in groups.items():
            used = int((self.weight[group] > 0).sum())
            share = float(self.weight[group].max() / self.weight[group].sum())
            lines.append(
                f"{name}: {used} of {int(group.sum())} have weight, effective number {self.effective[name]:.1f}, "
                f"largest share {share:.1%}"
            )
        worst, left = max(self.differences.items(), key=lambda one: abs(one[1]))
        lines.append(f"largest difference left: {worst}, {left:+.2g} sd")
        if self.binding:
            lines.append(f"as far off as allowed: {', '.join(self.binding)}")
        return "\n".join([*lines, *self.notes])
