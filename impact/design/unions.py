"""Units that are unions of whole or partial regions: their counts, their rates, and other ways to draw them.

A focus area is some wijken, a few buurten, and half of one more; a comparison unit is some buurten. Counts are added
up, a part by its share; a rate is taken anew from added counts, because the mean of rates is the rate of no place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from impact.arrays import Float1, Float2, Int1, frozen, require

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Overlap", "Unions", "overlap"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Unions:
    """Which parts, and how much of each, make up every unit.

    Attributes
    ----------
    units : (U,) tuple of str
    parts : (P,) tuple of str
        Regions that are used, sorted.
    unit, part : (M,) int
        Every pair of a unit and a part of it, sorted.
    share : (M,) float
        How much of the part lies in the unit, above 0 and at most 1; the shares of one part add up to 1 at most.
    """

    units: tuple[str, ...]
    parts: tuple[str, ...]
    unit: Int1
    part: Int1
    share: Float1

    def __post_init__(self) -> None:
        for name, dtype in (("unit", np.intp), ("part", np.intp), ("share", float)):
            object.__setattr__(self, name, frozen(getattr(self, name), dtype))
            require(name, getattr(self, name), (len(self.share),))
        wrong = ~((self.share > 0) & (self.share <= 1))
        if wrong.any():
            named = ", ".join(self.parts[part] for part in self.part[wrong].tolist())
            raise ValueError(f"a share lies above 0 and is 1 at most; look at {named}")
        used = np.bincount(self.part, weights=self.share, minlength=len(self.parts))
        twice = [self.parts[part] for part in np.flatnonzero(used > 1 + 1e-9).tolist()]
        if twice:
            raise ValueError(f"used more than once: {', '.join(twice)}")
        empty = sorted(set(range(len(self.units))) - set(self.unit.tolist()))
        if empty:
            raise ValueError(f"units without any part: {', '.join(self.units[unit] for unit in empty)}")

    def __repr__(self) -> str:
        return f"Unions({len(self.units)} units of {len(self.parts)} parts)"

    @classmethod
    def of(cls, members: Mapping[str, Mapping[str, float] | Iterable[str]]) -> Unions:
        """From the members of every unit: names of whole parts, or a mapping of part to share.

        Raises
        ------
        ValueError
            For a share outside (0, 1], a part that is used more than once, or a unit without parts.
        """
        whole = {unit: dict(own) if isinstance(own, Mapping) else _once(unit, own) for unit, own in members.items()}
        parts = sorted({part for own in whole.values() for part in own})
        place = {part: number for number, part in enumerate(parts)}
        rows = [(unit, place[part], own[part]) for unit, own in enumerate(whole.values()) for part in sorted(own)]
        unit, part, share = zip(*rows, strict=True) if rows else ((), (), ())
        return cls(tuple(whole), tuple(parts), np.array(unit), np.array(part), np.array(share))

    def members(self) -> dict[str, dict[str, float]]:
        """Every unit with its parts and their shares."""
        found: dict[str, dict[str, float]] = {unit: {} for unit in self.units}
        for unit, part, share in zip(self.unit.tolist(), self.part.tolist(), self.share.tolist(), strict=True):
            found[self.units[unit]][self.parts[part]] = share
        return found

    def counts(self, regions: Sequence[str], counts: ArrayLike) -> Float2:
        """Counts of the units: those of their parts, added up by their shares.

        A part of a region is taken to hold that share of its count. A unit has no number (nan) where a part of it has
        none; see `gaps`.

        Parameters
        ----------
        regions : (N,) str
            Regions of the counts, in any order; every part must be among them.
        counts : (N,) or (N, T) float
            Counts or other quantities that may be added up; nan where unknown. Rates may not: see `rates`.

        Returns
        -------
        (U,) or (U, T) float
        """
        values = self._of_parts(regions, counts)
        shape = (len(self.units), *values.shape[1:])
        share = self.share.reshape(-1, *(1,) * (values.ndim - 1))
        total = np.zeros(shape)
        np.add.at(total, self.unit, share * values[self.part])
        return total

    def rates(self, regions: Sequence[str], numerator: ArrayLike, denominator: ArrayLike, per: float = 1.0) -> Float2:
        """Rates of the units: the added numerators over the added denominators, times `per`.

        A unit has no rate (nan) where a part of it lacks a number, or where its denominator is 0.

        Parameters
        ----------
        regions : (N,) str
            Regions of the counts, in any order; every part must be among them.
        numerator, denominator : (N,) or (N, T) float
            Counts.
        per : float
            1,000 for a number per 1,000 residents.

        Returns
        -------
        (U,) or (U, T) float
        """
        above, below = self.counts(regions, numerator), self.counts(regions, denominator)
        require("denominator", below, above.shape)
        return np.asarray(np.divide(per * above, below, out=np.full(above.shape, np.nan), where=below > 0))

    def gaps(self, regions: Sequence[str], counts: ArrayLike) -> tuple[tuple[str, str], ...]:
        """Units without a number somewhere, each with a part that causes it; see `counts`."""
        values = self._of_parts(regions, counts)
        missing = np.asarray(np.isnan(values).any(axis=tuple(range(1, values.ndim))))[self.part]
        pairs = zip(self.unit[missing].tolist(), self.part[missing].tolist(), strict=True)
        return tuple((self.units[unit], self.parts[part]) for unit, part in pairs)

    def table(self) -> pd.DataFrame:
        """One row per unit and part, with the share."""
        import pandas as pd

        units, parts = np.asarray(self.units, dtype=object), np.asarray(self.parts, dtype=object)
        return pd.DataFrame({"unit": units[self.unit], "part": parts[self.part], "share": self.share})

    def _of_parts(self, regions: Sequence[str], counts: ArrayLike) -> Float2:
        """The counts of the parts, in their order."""
        values = np.asarray(counts, dtype=np.float64)
        if values.shape[:1] != (len(regions),):
            raise ValueError(f"counts have shape {values.shape} for {len(regions)} regions")
        place = {region: row for row, region in enumerate(regions)}
        if len(place) < len(regions):
            raise ValueError("a region is named twice")
        absent = [part for part in self.parts if part not in place]
        if absent:
            raise ValueError(f"parts without a row: {', '.join(absent)}")
        return values[[place[part] for part in self.parts]]


@dataclass(frozen=True, slots=True)
class Overlap:
    """One unit in two delineations, in residents.

    Attributes
    ----------
    unit : str
    one, other : float or None
        Residents in either; None where the delineation does not have the unit, or residents of a part are unknown.
    least, most : float or None
        Residents in both. Two parts of one region may lie apart or cover each other, so that this is a range where both
        delineations cut the same region.
    """

    unit: str
    one: float | None
    other: float | None
    least: float | None
    most: float | None


def overlap(one: Unions, other: Unions, regions: Sequence[str], residents: ArrayLike) -> tuple[Overlap, ...]:
    """How far two delineations of the same areas agree.

    Parameters
    ----------
    one, other : Unions
        Compared by the names of their units.
    regions : (N,) str
        Regions of the residents; every part of both must be among them.
    residents : (N,) float
        nan where unknown.

    Returns
    -------
    tuple of Overlap
        Every unit of either, sorted by name.
    """
    count = np.asarray(residents, dtype=np.float64)
    require("residents", count, (len(regions),))
    first, second = (
        dict(zip(unions.units, unions.counts(regions, count).tolist(), strict=True)) for unions in (one, other)
    )
    parts, others = one.members(), other.members()
    live = dict(zip(regions, count.tolist(), strict=True))
    found = []
    for unit in sorted({*first, *second}):
        mine, theirs = parts.get(unit, {}), others.get(unit, {})
        both = [part for part in sorted(mine) if part in theirs]
        least = sum(max(0.0, mine[part] + theirs[part] - 1) * live[part] for part in both)
        most = sum(min(mine[part], theirs[part]) * live[part] for part in both)
        found.append(Overlap(unit, *(_known(value) for value in (first.get(unit), second.get(unit), least, most))))
    return tuple(found)


def _known(value: float | None) -> float | None:
    return None if value is None or value != value else float(value)


def _once(unit: str, parts: Iterable[str]) -> dict[str, float]:
    if isinstance(parts, str):
        raise ValueError(f"the parts of {unit} are names, not one text: {parts!r}")
    listed = list(parts)
    twice = sorted({part for part in listed if listed.count(part) > 1})
    if twice:
        raise ValueError(f"used more than once: {', '.join(twice)}")
    return dict.fromkeys(listed, 1.0)
