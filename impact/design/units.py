"""Comparison units of similar population, built from buurten.

A wijk has 3,000 residents and Rotterdam-Zuid 212,000: what happens in a place of 3,000 is chance and secrecy for a good
part, and says little beside a place of 212,000. So neighbouring buurten of a gemeente are put together until they are
about as large as the areas they are compared with. Only borders and residents count, no outcome.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from impact.arrays import Float1, frozen, require
from impact.design.unions import Unions
from impact.errors import Refused
from impact.numerics.regionalise import Links, components, regionalise

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ComparisonUnits", "LeftOver", "comparison_units"]


@dataclass(frozen=True, slots=True)
class LeftOver:
    """A part that is in no unit, and why."""

    part: str
    within: str
    residents: float | None
    why: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ComparisonUnits:
    """Units of similar population, and what is in none.

    Attributes
    ----------
    unions : Unions
        Which parts make up every unit; a unit bears the name of its gemeente and a number.
    within : (U,) tuple of str
        The gemeente of every unit.
    residents : (U,) float
        Of every unit.
    left_over : tuple of LeftOver
        Sorted by name.
    target, least, most : float
        Residents that were asked for.
    contiguous : bool
        Whether the parts of a unit border on each other; otherwise they follow each other in the order of their codes.
    """

    unions: Unions
    within: tuple[str, ...]
    residents: Float1
    left_over: tuple[LeftOver, ...]
    target: float
    least: float
    most: float
    contiguous: bool

    def __post_init__(self) -> None:
        object.__setattr__(self, "residents", frozen(self.residents))
        require("residents", self.residents, (len(self.unions.units),))

    def __repr__(self) -> str:
        return (
            f"ComparisonUnits({len(self.residents)} of {len(self.unions.parts)} parts, {len(self.left_over)} left over)"
        )

    @property
    def spread(self) -> float:
        """Standard deviation of the residents of the units as a part of their mean; 0 when all are alike."""
        return float(self.residents.std() / self.residents.mean())

    def notes(self) -> tuple[str, ...]:
        """What was built and what was left over, in sentences."""
        size = self.residents
        how = (
            "bordering on each other" if self.contiguous else "in the order of their codes, since no borders were given"
        )
        said = [
            f"Units of parts {how}: {len(size)}, of {size.min():,.0f} to {size.max():,.0f} residents (median "
            f"{np.median(size):,.0f}, asked {self.target:,.0f} and from {self.least:,.0f} to {self.most:,.0f}); "
            f"the spread is {self.spread:.0%} of the mean."
        ]
        reasons: dict[str, list[LeftOver]] = {}
        for left in self.left_over:
            reasons.setdefault(left.why, []).append(left)
        for why, parts in sorted(reasons.items()):
            known = [left.residents for left in parts if left.residents is not None]
            tail = f", with {sum(known):,.0f} residents" if len(known) == len(parts) else ""
            said.append(f"Left over because {why}: {len(parts)}{tail}.")
        return tuple(said)

    def table(self) -> pd.DataFrame:
        """One row per unit: gemeente, residents and number of parts."""
        import pandas as pd

        parts = np.bincount(self.unions.unit, minlength=len(self.within))
        columns = {"unit": self.unions.units, "within": self.within, "residents": self.residents, "parts": parts}
        return pd.DataFrame({name: list(values) for name, values in columns.items()})

    def left_over_table(self) -> pd.DataFrame:
        """One row per part that is in no unit: gemeente, residents (blank where unknown) and why."""
        import pandas as pd

        rows = [(left.part, left.within, left.residents, left.why) for left in self.left_over]
        table = pd.DataFrame(rows, columns=["part", "within", "residents", "why"])
        return table.astype({"residents": "float64"})


def comparison_units(
    parts: Sequence[str],
    residents: ArrayLike,
    within: Sequence[str],
    *,
    target: float,
    least: float | None = None,
    most: float | None = None,
    neighbours: Mapping[str, Iterable[str]] | None = None,
    reserved: Mapping[str, str] | None = None,
) -> ComparisonUnits | Refused:
    """Put parts together until every unit has about `target` residents.

    The outcome depends on names, residents and neighbours only: neither on the order of the rows nor on chance. Every
    part is in one unit at most. The method is a good one, not one that is proven best: see
    `impact.numerics.regionalise`.

    Parameters
    ----------
    parts : (N,) str
        Names of the buurten, each once.
    residents : (N,) float
        0 or more; nan where unknown. Take them from before the start.
    within : (N,) str
        Where a unit has to lie as a whole, such as the gemeente; names of units begin with it.
    target : float
        Residents of a unit, above 0: about those of the areas that are to be compared.
    least, most : float, optional
        Residents that a unit has at least and at most; by default 0.75 and 1.25 times the target.
    neighbours : mapping of str to names, optional
        What every part borders on (`Adjacency.neighbours`, for units that hang together by more than a corner from the
        contiguity ``rook``); one of both is enough. Without it, parts follow each other in the order of their codes:
        the buurten of a wijk then stay together mostly, but need not border on each other.
    reserved : mapping of str to str, optional
        Parts that are used elsewhere, such as in focus areas, each with the reason; also those of which only a share is
        used there: no unit gets the rest.

    Returns
    -------
    ComparisonUnits or Refused
        A refusal when no unit can be built.
    """
    least, most = (0.75 * target if least is None else least), (1.25 * target if most is None else most)
    if not 0 < least <= target <= most < np.inf:
        raise ValueError(f"0 < least <= target <= most is needed, not {least}, {target}, {most}")
    count, reserved = np.asarray(residents, dtype=np.float64), reserved or {}
    require("residents", count, (len(parts),))
    _check(parts, count, within, neighbours, reserved)
    order = np.argsort(np.asarray(parts, dtype=object), kind="stable")
    names, size, place = [parts[row] for row in order], count[order], [within[row] for row in order]
    why = {name: f"it is used elsewhere: {reason}" for name, reason in reserved.items()}
    for name, number in zip(names, size.tolist(), strict=True):
        if name not in why and not number <= most:
            large = f"it has more than {most:,.0f} residents by itself"
            why[name] = large if number > most else "its residents are unknown"
    usable = [row for row, name in enumerate(names) if name not in why]
    names_of, weight = [names[row] for row in usable], size[usable]
    links = _links(names, place, usable, neighbours)
    label = regionalise(weight, links, target, least, most)
    why |= _reasons(names_of, weight, links, label.tolist(), least, most)
    left = tuple(
        LeftOver(name, where, None if number != number else float(number), why[name])
        for name, where, number in zip(names, place, size.tolist(), strict=True)
        if name in why
    )
    if not (label >= 0).any():
        counted = "; ".join(sorted({found.why for found in left})) or "there are no parts"
        instead = "Ask for another number of residents, or bring residents and borders of more parts."
        return Refused(
            "comparison units", f"none of {least:,.0f} to {most:,.0f} residents can be built: {counted}", instead
        )
    return _named(
        names_of, [place[row] for row in usable], weight, label.tolist(), left, (target, least, most), neighbours
    )


def _named(
    parts: Sequence[str],
    within: Sequence[str],
    weight: Float1,
    label: Sequence[int],
    left: tuple[LeftOver, ...],
    asked: tuple[float, float, float],
    neighbours: object,
) -> ComparisonUnits:
    """The units with names: the gemeente and a number that runs in the order of their first parts."""
    groups: dict[int, list[int]] = {}
    for row, number in enumerate(label):
        if number >= 0:
            groups.setdefault(number, []).append(row)
    per_place: dict[str, list[list[int]]] = {}
    for rows in sorted(groups.values()):
        per_place.setdefault(within[rows[0]], []).append(rows)
    members, place, size = {}, [], []
    for where, units in sorted(per_place.items()):
        for number, rows in enumerate(units, 1):
            members[f"{where}-{number:0{len(str(len(units)))}d}"] = [parts[row] for row in rows]
            place.append(where)
            size.append(float(weight[rows].sum()))
    unions = Unions.of(members)
    return ComparisonUnits(unions, tuple(place), np.array(size), left, *asked, neighbours is not None)


def _links(
    names: Sequence[str], within: Sequence[str], usable: Sequence[int], neighbours: Mapping[str, Iterable[str]] | None
) -> Links:
    """Neighbours of the usable parts, by number, both ways, within one gemeente."""
    number = {names[row]: place for place, row in enumerate(usable)}
    links: list[set[int]] = [set() for _ in usable]
    if neighbours is None:
        last: dict[str, int] = {}
        for place, row in enumerate(usable):
            before = last.get(within[row])
            if before is not None:
                links[place].add(before)
                links[before].add(place)
            last[within[row]] = place
    else:
        where = {names[row]: within[row] for row in usable}
        for name, beside in neighbours.items():
            for other in beside:
                if name in number and other in number and where[name] == where[other]:
                    links[number[name]].add(number[other])
                    links[number[other]].add(number[name])
    return [sorted(beside) for beside in links]


def _reasons(
    names: Sequence[str], weight: Float1, links: Links, label: Sequence[int], least: float, most: float
) -> dict[str, str]:
    """Why parts that could have been used are in no unit."""
    small = f"it and all it is connected with have fewer than {least:,.0f} residents"
    other = f"no unit of {least:,.0f} to {most:,.0f} residents was found with it"
    return {
        names[row]: small if weight[piece].sum() < least else other
        for piece in components(links, range(len(names)))
        for row in piece
        if label[row] < 0
    }


def _check(
    parts: Sequence[str],
    residents: Float1,
    within: Sequence[str],
    neighbours: Mapping[str, Iterable[str]] | None,
    reserved: Mapping[str, str],
) -> None:
    """ValueError for what cannot be meant."""
    known = set(parts)
    if len(known) < len(parts):
        raise ValueError("a part is named twice")
    if len(within) != len(parts):
        raise ValueError(f"within has {len(within)} names for {len(parts)} parts")
    if (residents < 0).any() or np.isinf(residents).any():
        raise ValueError("residents are 0 or more, and nan where unknown")
    absent = sorted(set(reserved) - known)
    if absent:
        raise ValueError(f"reserved, but not among the parts: {', '.join(absent)}")
    if neighbours is not None:
        lost = sorted(known - set(neighbours) - {other for beside in neighbours.values() for other in beside})
        if lost:
            raise ValueError(f"parts of which the neighbours are not given: {', '.join(lost)}")
