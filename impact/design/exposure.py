"""How near every unit lies to where something happens: rings of neighbours, distance bands, shares that are exposed.

What is done in a focus area may reach the places around it. Units that are reached are no clean comparison (leave them
out: `Exposure.donut`), and what reaches them is an effect of its own (rings as groups of units).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from impact.arrays import Bool1, Float1, Int1, canonical, frozen, require
from impact.design.geometry import Adjacency, Between, border_along, nearest
from impact.sources.polygons import Polygons

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Exposure", "bands", "exposed_residents", "exposure", "rings"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Exposure:
    """How near `N` units lie to the sources.

    Attributes
    ----------
    units : (N,) tuple of str
    source : (N,) bool
        Units in which it happens, such as those of focus areas.
    ring : (N,) int
        0 for sources, 1 for their neighbours, 2 for neighbours of those, and so on; -1 where no chain of neighbours
        leads to a source.
    kilometres : (N,) float
        To the nearest source, as the crow flies; 0 for sources.
    nearest : (N,) tuple of str
        That source.
    border : (N,) float
        Share of the border that runs along sources; of a source along *other* sources.
    between : {"borders", "centroids"}
        What the kilometres lie between.
    adjacency : Adjacency
        What counts as a neighbour, with its tolerance.
    """

    units: tuple[str, ...]
    source: Bool1
    ring: Int1
    kilometres: Float1
    nearest: tuple[str, ...]
    border: Float1
    between: Between
    adjacency: Adjacency

    def __post_init__(self) -> None:
        for name, dtype in (("source", np.bool_), ("ring", np.intp), ("kilometres", float), ("border", float)):
            object.__setattr__(self, name, frozen(getattr(self, name), dtype))
            require(name, getattr(self, name), (len(self.units),))

    def __repr__(self) -> str:
        return (
            f"Exposure({len(self.units)} units, {int(self.source.sum())} sources, {int((self.ring == 1).sum())} beside)"
        )

    def donut(self, rings: int = 0, km: float | None = None) -> dict[str, str]:
        """Units to leave out of a comparison because they lie near a source, each with the reason.

        Sources are not in it: they are no comparison anyway.

        Parameters
        ----------
        rings : int
            Leave out this many rings of neighbours; 0 for none.
        km : float, optional
            Leave out units nearer than this; 0 leaves out nobody.

        Returns
        -------
        dict of str to str
            As `impact.design.donors.listed` and `adjacent` take it.
        """
        if rings < 0 or (km is not None and not km >= 0):
            raise ValueError("rings and km are 0 or more")
        left_out = {}
        for row, unit in enumerate(self.units):
            ring, distance = int(self.ring[row]), float(self.kilometres[row])
            if self.source[row]:
                continue
            if 1 <= ring <= rings:
                left_out[unit] = f"ring {ring}; the nearest is {self.nearest[row]}"
            elif km is not None and distance < km:
                left_out[unit] = f"{canonical(distance, 3)} km from {self.nearest[row]}"
        return left_out

    def notes(self) -> tuple[str, ...]:
        """What the numbers mean, in sentences."""
        return (
            f"Kilometres lie between {self.between}, as the crow flies.",
            "The share of a border counts its whole length, along water and the edge of the map too.",
            *self.adjacency.notes(),
        )

    def table(self) -> pd.DataFrame:
        """One row per unit: source or not, ring (blank where no neighbours lead there), kilometres, nearest, border."""
        import pandas as pd

        ring = pd.array(self.ring, dtype="Int64")
        ring[self.ring < 0] = pd.NA
        columns = {
            "unit": list(self.units),
            "source": self.source,
            "ring": ring,
            "km": self.kilometres,
            "nearest": list(self.nearest),
            "border_share": self.border,
        }
        return pd.DataFrame(columns)


def exposure(
    polygons: Polygons, sources: Iterable[str], adjacency: Adjacency, between: Between = "borders"
) -> Exposure:
    """How near every region lies to the sources.

    Parameters
    ----------
    polygons : Polygons
        Of N regions.
    sources : iterable of str
        Regions in which it happens; at least one, all with a polygon.
    adjacency : Adjacency
        Of the same regions; see `impact.design.geometry.adjacency`.
    between : {"borders", "centroids"}
        From where to where the kilometres are taken.

    Returns
    -------
    Exposure
    """
    if adjacency.regions != polygons.regions:
        raise ValueError("the neighbours are those of other regions than the polygons")
    named = frozenset(sources)
    kilometres, near = nearest(polygons, named, between)
    ring = rings(polygons.regions, adjacency.neighbours(), named)
    along, whole = border_along(polygons, named, adjacency.tolerance)
    return Exposure(polygons.regions, ring == 0, ring, kilometres, near, along / whole, between, adjacency)


def rings(units: Sequence[str], neighbours: Mapping[str, Iterable[str]], sources: Iterable[str]) -> Int1:
    """In how many steps over neighbours every unit is reached from a source.

    Parameters
    ----------
    units : (N,) str
        Names, each once.
    neighbours : mapping of str to names
        Being neighbours goes both ways, also where only one of both says so; names that are no units are stepped over.
    sources : iterable of str
        Must be among the units.

    Returns
    -------
    (N,) int
        0 for sources, 1 for their neighbours, ..., -1 where no chain of neighbours leads.
    """
    if len(set(units)) < len(units):
        raise ValueError("a unit is named twice")
    beside: dict[str, set[str]] = {unit: set() for unit in units}
    absent = sorted(set(sources := list(sources)) - set(beside))
    if absent:
        raise ValueError(f"sources that are no units: {', '.join(absent)}")
    for unit, names in neighbours.items():
        for name in names:
            if unit in beside and name in beside:
                beside[unit].add(name)
                beside[name].add(unit)
    step, reached, front = 0, {name: 0 for name in sources}, set(sources)
    while front:
        step += 1
        front = {name for unit in front for name in beside[unit]} - set(reached)
        reached |= {name: step for name in front}
    return np.array([reached.get(unit, -1) for unit in units], dtype=np.intp)


def bands(kilometres: ArrayLike, edges: Sequence[float]) -> tuple[str, ...]:
    """The distance band of every unit: ``0-1 km``, ``1-2 km``, ``2 km and more``; a source (0 km) is in the first too.

    Parameters
    ----------
    kilometres : (N,) float
        0 or more.
    edges : sequence of float
        Where a band ends and the next begins, rising and above 0; a unit on an edge is in the band beyond it.

    Returns
    -------
    (N,) tuple of str
    """
    ends = np.asarray(edges, dtype=np.float64)
    if not ends.size or not (np.diff(ends, prepend=0.0) > 0).all():
        raise ValueError(f"edges rise and lie above 0, not {list(edges)}")
    distance = np.asarray(kilometres, dtype=np.float64)
    if not (distance >= 0).all():
        raise ValueError("kilometres are known and 0 or more")
    text = [f"{end:g}" for end in (0.0, *ends.tolist())]
    names = [*(f"{low}-{high} km" for low, high in pairwise(text)), f"{text[-1]} km and more"]
    return tuple(names[place] for place in np.searchsorted(ends, distance, side="right").tolist())


def exposed_residents(
    units: Sequence[str], parts: Sequence[str], residents: ArrayLike, exposed: ArrayLike
) -> dict[str, float | None]:
    """Which share of the residents of every unit lives in parts that are exposed.

    Parameters
    ----------
    units : (N,) str
        The unit that every part belongs to, such as the wijk of a buurt.
    parts : (N,) str
        Names of the parts, each once.
    residents : (N,) float
        0 or more; nan where unknown.
    exposed : (N,) bool
        For instance ``(0 <= ring) & (ring <= 1)``, or ``kilometres < 1``, of the parts.

    Returns
    -------
    dict of str to (float or None)
        In sorted order; None where nobody lives in the unit, or the residents of a part of it are unknown.
    """
    if len(set(parts)) < len(parts):
        raise ValueError("a part is named twice")
    count, hit = np.asarray(residents, dtype=np.float64), np.asarray(exposed, dtype=bool)
    require("residents", count, (len(units),))
    require("exposed", hit, (len(units),))
    require("parts", np.asarray(parts, dtype=object), (len(units),))
    if (count < 0).any():
        raise ValueError("residents are 0 or more")
    names, place = np.unique(np.asarray(units, dtype=str), return_inverse=True)
    whole = np.bincount(place, weights=count, minlength=len(names))
    inside = np.bincount(place, weights=np.where(hit, count, 0.0), minlength=len(names))

    def share(row: int) -> float | None:
        return float(inside[row] / whole[row]) if whole[row] > 0 else None

    return {str(name): share(row) for row, name in enumerate(names)}
