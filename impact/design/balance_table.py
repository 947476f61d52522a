"""The balance of a table: how alike treated units and controls are in its columns, before and after weighting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from impact.arrays import Bool1, Float1, Float2, frozen, require
from impact.design.balance import Difference, Row, Yardstick, differences, effective_number
from impact.design.balance_overlap import Overlap
from impact.design.characteristics import (
    Characteristics,
    as_usage,
    one_of,
)
from impact.design.propensity import log_odds
from impact.displayed import Displayed
from impact.errors import Problem, Refused, UsageError
from impact.longtable import as_names, few

if TYPE_CHECKING:
    import pandas as pd

    from impact.design.charts import BalancePlots

__all__ = ["YARDSTICKS", "Balance", "balance_of"]

YARDSTICKS: Final = {"pooled": "the pooled standard deviation", "treated": "the standard deviation of the treated"}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Balance(Displayed):
    """How alike the treated and the controls are, before and after weighting; ``balance_of`` makes it.

    Draw it with ``plot``: ``plot.love()``, ``plot.ecdf(name)``, ``plot.density(name)``, ``plot.overlap()``.

    Attributes
    ----------
    index : Index
        Names of the `n` units.
    treated : (n,) bool
    weight : (n,) float or None
        After weighting, 0 for who is left out; None where there are no weights.
    characteristics : Characteristics
        In numbers, a category by level; the squares that were asked for come last.
    sd : {"pooled", "treated"}
        The yardstick; see ``impact.design.balance.differences``.
    rows : tuple of Row
        One per characteristic, the levels of a category together.
    score : (n,) float or None
        Log odds of being treated that the matching or weighting used.
    squares : int
        How many of the characteristics are squares that were added; the propensity is of the others.
    notes : tuple of str
        What was filled in, who is left out by the weights, and what has no yardstick.
    """

    index: pd.Index[Any]
    treated: Bool1
    weight: Float1 | None
    characteristics: Characteristics
    sd: Yardstick
    rows: tuple[Row, ...]
    score: Float1 | None = None
    squares: int = 0
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, dtype in (("treated", np.bool_), ("weight", np.float64), ("score", np.float64)):
            if (given := getattr(self, name)) is not None:
                object.__setattr__(self, name, frozen(given, dtype))
                require(name, getattr(self, name), (len(self.index),))

    def values(self, name: str) -> Float1:
        """(n,) the characteristic called `name`.

        Raises
        ------
        UsageError
            ``USAGE-008`` when there is none.
        """
        names = self.characteristics.names
        if name not in names:
            known = few([*names], most=12)
            raise UsageError(Problem("USAGE-008", f"there is no characteristic {name!r}", f"there are {known}"))
        return self.characteristics.x[:, names.index(name)]

    @property
    def plot(self) -> BalancePlots:
        """Its figures."""
        from impact.design.charts import BalancePlots

        return BalancePlots(self)

    @property
    def size(self) -> dict[str, int]:
        """Number of `treated` and `control` units in the table."""
        return {"treated": int(self.treated.sum()), "control": int((~self.treated).sum())}

    @property
    def effective(self) -> dict[str, float] | None:
        """Effective numbers of both after weighting, (Σw)²/Σw² (Kish 1965); None without weights."""
        if self.weight is None:
            return None
        groups = {"treated": self.treated, "control": ~self.treated}
        return {name: effective_number(self.weight[group]) for name, group in groups.items()}

    @property
    def largest(self) -> dict[str, tuple[float, str]]:
        """The largest absolute standardised difference `before` and `after`, and whose it is.

        Infinite where a characteristic varies in neither group and yet differs between them: no weights can mend that.
        """
        stages = ("before",) if self.weight is None else ("before", "after")
        return {stage: max((_size(getattr(row, stage)), row.name) for row in self.rows) for stage in stages}

    def table(self) -> pd.DataFrame:
        """One row per characteristic.

        Columns `treated` and `control` (means), `smd`, `ratio` (of variances), `ks` and `ecdf` (largest and mean
        distance of the cumulative distributions), each with ``_before`` and, where there are weights, ``_after``.
        Missing where there is no such number; see ``impact.design.balance.Difference``.
        """
        import pandas as pd

        stages = ("before",) if self.weight is None else ("before", "after")
        columns = {
            f"{name}_{stage}": pd.array([getattr(getattr(row, stage), name) for row in self.rows], dtype="Float64")
            for stage in stages
            for name in ("treated", "control", "smd", "ratio", "ks", "ecdf")
        }
        names = pd.Index([row.name for row in self.rows], name="characteristic")
        return pd.DataFrame(columns, index=names)

    def overlap(self) -> Overlap | Refused:
        """The propensities of both groups: of the matching or weighting itself where it used one, else a logit.

        A refusal says which characteristics separate the treated from the controls, or follow from others.
        """
        score = self.score
        if score is None:
            of, plain = self.characteristics, len(self.rows) - self.squares
            found = log_odds(of.x[:, :plain], self.treated, of.names[:plain], of.redundant)
            if isinstance(found, Refused):
                return found
            score = found
        return Overlap(self.index, self.treated, self.weight, score)

    def summary(self) -> str:
        """Numbers of units, the largest difference, and the main numbers of every characteristic."""
        size, effective = self.size, self.effective
        lines = [f"{size['treated']} treated units and {size['control']} controls"]
        if effective is not None:
            lines.append(
                "effective numbers after weighting: "
                f"{effective['treated']:.1f} treated, {effective['control']:.1f} controls"
            )
        said = [f"{value:.2f} {stage} ({name})" for stage, (value, name) in self.largest.items()]
        lines.append(f"largest standardised difference: {', '.join(said)}")
        lines.append(f"yardstick: {YARDSTICKS[self.sd]} before weighting")
        width = max(len(row.name) for row in self.rows)
        after = self.weight is not None
        heads = ("before", "after", "ratio", "KS") if after else ("before", "ratio", "KS")
        lines.append(" " * width + "".join(f"{head:>8}" for head in heads))
        for row in self.rows:
            last = row.after or row.before
            shown = [row.before.smd, *([last.smd] if after else []), last.ratio, last.ks]
            lines.append(f"{row.name:<{width}}" + "".join(f"{'–' if v is None else f'{v:.2f}':>8}" for v in shown))
        return "\n".join([*lines, *self.notes])

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        size = self.size
        return (
            f"<Balance: {len(self.rows)} characteristics of {size['treated']} treated and {size['control']} controls>"
        )


def balance_of(
    index: pd.Index[Any],
    characteristics: Characteristics,
    treated: Bool1,
    weight: Float1 | None = None,
    *,
    sd: Yardstick = "pooled",
    squares: bool = False,
    score: Float1 | None = None,
) -> Balance | Refused:
    """The balance of units whose characteristics are read.

    Parameters
    ----------
    index : Index
        Names of the `n` units.
    characteristics : Characteristics
        In numbers, every value known.
    treated : (n,) bool
        Who is treated.
    weight : (n,) float, optional
        After matching or weighting, of the treated too; not negative.
    sd : {"pooled", "treated"}
        The yardstick.
    squares : bool
        Whether the squares of characteristics of more than two values get rows too.
    score : (n,) float, optional
        Log odds of being treated, where the matching or weighting had them.

    Returns
    -------
    Balance, or Refused
        A refusal when there are no numbers, a group is empty or without weight, or the yardstick does not exist.

    Raises
    ------
    UsageError
        ``USAGE-003`` another `sd`.
    ValueError
        Weights that are negative or not finite.
    """
    with as_usage():
        one_of("sd", sd, ("pooled", "treated"))
    if not characteristics.names:
        return Refused("the balance", "no characteristic is a number", "Give numbers, or {'category': COLUMN}.")
    treated = np.asarray(treated, dtype=bool)
    here, there = int(treated.sum()), int((~treated).sum())
    if not (here and there):
        return Refused("the balance", f"there are {here} treated units and {there} controls", "Bring both.")
    if weight is not None and not (weight[treated].any() and weight[~treated].any()):
        who = "controls" if weight[treated].any() else "treated units"
        return Refused("the balance", f"every weight of the {who} is 0", "Give weights of those who are compared.")
    if sd == "treated" and here < 2:
        return Refused("the balance", "one treated unit has no standard deviation", "Say sd='pooled'.")
    whole = _with_squares(characteristics) if squares else characteristics
    found = differences(whole.x, whole.names, treated, weight, sd=sd)
    rows = tuple(found[column] for column in _together(whole))
    notes = (*characteristics.notes, *_remarks(index, treated, weight, rows))
    added = len(whole.names) - len(characteristics.names)
    return Balance(index, treated, weight, whole, sd, rows, score, added, notes)


def _with_squares(given: Characteristics) -> Characteristics:
    """`given` with the square of every number of more than two values that has none yet."""
    extra: dict[str, Float2] = {}
    for column, name in enumerate(given.names):
        square = f"square({name})"
        if not name.startswith("square(") and square not in given.names and len(np.unique(given.x[:, column])) > 2:
            extra[square] = given.x[:, column] ** 2
    if not extra:
        return given
    x = np.column_stack([given.x, *extra.values()])
    return Characteristics(x, (*given.names, *extra), given.redundant, given.notes)


def _together(given: Characteristics) -> list[int]:
    """Columns in the order of the rows: the first level of a category, which comes last, before the others."""
    order = list(range(len(given.names)))
    for column in given.redundant:
        head = given.names[column].split("=")[0] + "="
        first = next(place for place, other in enumerate(order) if given.names[other].startswith(head))
        order.insert(first, order.pop(order.index(column)))
    return order


def _remarks(index: pd.Index[Any], treated: Bool1, weight: Float1 | None, rows: Sequence[Row]) -> list[str]:
    notes = []
    if weight is not None and (out := treated & (weight == 0)).any():
        who = few([*as_names(index[out])])
        notes.append(
            f"{int(out.sum())} treated units have weight 0, and what is said of after is not about them: {who}"
        )
    apart = [row.name for row in rows if row.before.smd is None and row.before.ks > 0]
    if apart:
        notes.append(f"varies in neither group and yet differs between them, without a yardstick: {few(apart)}")
    flat = [row.name for row in rows if row.before.smd is None and row.before.ks == 0]
    if flat:
        notes.append(f"the same for everybody: {few(flat)}")
    return notes


def _size(one: Difference) -> float:
    if one.smd is not None:
        return abs(one.smd)
    return 0.0 if one.ks == 0 else np.inf
