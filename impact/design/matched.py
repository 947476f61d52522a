"""What a matching came to: pairs, sets, weights, and how alike both groups are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from impact.arrays import Bool1, Float1, Int1, frozen, require
from impact.design.characteristics import Characteristics
from impact.design.distances import METRICS
from impact.design.matching import Match
from impact.design.strata import Estimand
from impact.displayed import Displayed
from impact.errors import Refused
from impact.longtable import few

if TYPE_CHECKING:
    import pandas as pd

    from impact.design.balance import Yardstick
    from impact.design.balance_table import Balance
    from impact.design.charts import BalancePlots

__all__ = ["Matched", "shortfall", "too_few"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Matched(Displayed):
    """Who is compared with whom; everything that is indexed has the index of the table that was matched.

    Attributes
    ----------
    index : Index
        Names of the `n` units.
    treated : (n,) bool
    weight : (n,) float
        See `weights`.
    numbers : (n,) int or None
        Number of everybody's set, -1 for none; None where a control may serve several treated units.
    match : Match or None
        Treated units against controls, both in the order of the table; None for strata.
    characteristics : Characteristics
        What was matched on, in numbers.
    method, distance : str
        `distance` is "" for strata.
    estimand : {"ATT", "ATE", "ATC", "ATO", "ATM"}
        Whom the weights stand for: the treated who were matched, or all who were; of weightings also the controls, and
        those in the overlap of both groups.
    calipers : mapping of name to float
        Widths in the unit of each number.
    score : (n,) float or None
        The score that distances or calipers are about.
    notes : tuple of str
        Who was left without controls or with fewer than asked for, and what was filled in.
    """

    index: pd.Index[str]
    treated: Bool1
    weight: Float1
    numbers: Int1 | None
    match: Match | None
    characteristics: Characteristics
    method: str
    distance: str
    estimand: Estimand
    calipers: Mapping[str, float]
    score: Float1 | None
    notes: tuple[str, ...]

    def __post_init__(self) -> None:
        for name, dtype in (("treated", np.bool_), ("weight", np.float64), ("numbers", np.intp), ("score", np.float64)):
            if (given := getattr(self, name)) is not None:
                object.__setattr__(self, name, frozen(given, dtype))
                require(name, getattr(self, name), (len(self.index),))

    @property
    def weights(self) -> pd.Series[float]:
        """Weight of every unit, 0 for who is in no pair or set.

        For the ATT a matched treated unit weighs 1 and gives every one of its k controls 1/k; in a set of several
        treated units and one control that control gets the sum. For the ATE both groups are given the shares of the
        sets among all. In either group weights have mean 1 over those with any, as in MatchIt.
        """
        import pandas as pd

        return pd.Series(self.weight, index=self.index, name="weight")

    @property
    def sets(self) -> pd.Series[int] | None:
        """Number of everybody's set, in the order of the rows, missing for none; None with replacement."""
        import pandas as pd

        if self.numbers is None:
            return None
        numbers = pd.array(self.numbers + 1, dtype="Int64")
        return pd.Series(numbers, index=self.index, name="set").mask(self.numbers < 0)

    @property
    def pairs(self) -> pd.DataFrame:
        """One row per treated unit and control that stand together: `treated`, `control` and their `distance`.

        In the order of the treated in the table, nearest first, and of those equally near the first in the table. In
        strata everybody stands with everybody of the other group, and there is no distance.
        """
        import pandas as pd

        here, there = np.flatnonzero(self.treated), np.flatnonzero(~self.treated)
        if self.match is None:
            assert self.numbers is not None
            inside = self.numbers[here] >= 0
            one, other = np.nonzero((self.numbers[here][:, None] == self.numbers[there][None, :]) & inside[:, None])
            return pd.DataFrame({"treated": self.index[here[one]], "control": self.index[there[other]]})
        one, other = np.nonzero(self.match.pairs)
        away = self.match.distance[one, other]
        order = np.lexsort((np.round(away / (away.max() or 1.0), 12), one))
        return pd.DataFrame(
            {
                "treated": self.index[here[one[order]]],
                "control": self.index[there[other[order]]],
                "distance": away[order],
            }
        )

    @property
    def total_distance(self) -> float | None:
        """Sum of the distances of all pairs, in standard deviations or in the unit of the score; None for strata."""
        return None if self.match is None else self.match.total_distance

    @property
    def unmatched(self) -> tuple[str, ...]:
        """Treated units without a control: the comparison says nothing about them."""
        return tuple(self.index[self.treated & (self.weight == 0)])

    @property
    def effective(self) -> dict[str, float]:
        """Effective numbers of `treated` and `control` units: (Σw)²/Σw² (Kish 1965)."""
        groups = {"treated": self.weight[self.treated], "control": self.weight[~self.treated]}
        return {name: float(w.sum() ** 2 / (w**2).sum()) for name, w in groups.items()}

    def table(self) -> pd.DataFrame:
        """One row per treated unit: number of `controls`, and the distance to the `nearest`, `mean` and `farthest`.

        Distances are missing for who has no control, and in strata.
        """
        import pandas as pd

        pairs = self.pairs
        by = pairs.groupby("treated", sort=False)
        found = by.size().reindex(self.index[self.treated], fill_value=0)
        table = pd.DataFrame({"controls": found})
        if self.match is not None:
            away = by["distance"].agg(nearest="min", mean="mean", farthest="max")
            table = table.join(away.reindex(table.index).astype("Float64"))
        return table.rename_axis("treated")

    def balance(self, *, sd: Yardstick = "pooled", squares: bool = False) -> Balance | Refused:
        """How alike both groups are in what was matched on, before matching (everybody) and after; ``impact.balance``
        says the same of any other column, with `weights` from here.

        Parameters
        ----------
        sd : {"pooled", "treated"}
            Yardstick of the standardised differences.
        squares : bool
            Whether the squares of numbers get rows too.
        """
        from impact.design.balance_table import balance_of

        odds = self.score if self.distance in ("propensity", *METRICS) else None
        if self.score is not None and self.distance == "propensity-probability":
            inside = bool(((self.score > 0) & (self.score < 1)).all())  # rounding can end at 0 or 1
            odds = np.log(self.score) - np.log1p(-self.score) if inside else None
        return balance_of(
            self.index, self.characteristics, self.treated, self.weight, sd=sd, squares=squares, score=odds
        )

    @property
    def plot(self) -> BalancePlots | Refused:
        """The figures of ``balance()``; refused where that is."""
        found = self.balance()
        return found if isinstance(found, Refused) else found.plot

    def summary(self) -> str:
        """How many were matched, how far apart, and what to know about it."""
        groups = {"treated": self.treated, "controls": ~self.treated}
        effective = dict(zip(groups, self.effective.values(), strict=True))
        lines = [f"{self.method} matching" + (f" on {self.distance}" if self.distance else "") + f", {self.estimand}"]
        for name, group in groups.items():
            used = int((self.weight[group] > 0).sum())
            lines.append(f"{name}: {used} of {int(group.sum())} matched, effective number {effective[name]:.1f}")
        if self.match is not None:
            pairs = int((self.match.pairs > 0).sum())
            lines.append(f"total distance {self.match.total_distance:.6g} over {pairs} pairs")
        lines += [f"caliper {name}: {width:.6g}" for name, width in self.calipers.items()]
        return "\n".join([*lines, *self.notes])

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.summary().splitlines()[0]}>"


def too_few(is_treated: Bool1, ratio: int) -> Refused | None:
    """Why nothing can be matched at all."""
    here, there = int(is_treated.sum()), int((~is_treated).sum())
    if here and there >= ratio:
        return None
    return Refused(
        "the matching",
        f"there are {here} treated units and {there} controls, and every treated unit is to get {ratio}",
        "Bring data on more units, or ask for fewer controls.",
    )


def shortfall(short: Sequence[tuple[str, int]], ratio: int) -> list[str]:
    """What to know about treated units that got less than was asked for."""
    none, fewer = [name for name, got in short if not got], [f"{name}: {got}" for name, got in short if got]
    notes = []
    if none:
        notes.append(f"{len(none)} treated units found no control, and the comparison is not about them: {few(none)}")
    if fewer:
        notes.append(f"{len(fewer)} treated units found fewer than {ratio} controls: {few(fewer)}")
    return notes
