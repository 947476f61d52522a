"""Which regions border on which, along how many metres, and how far apart they lie; from their polygons.

Borders of different files, or drawn with few decimals, do not run along each other exactly: there are gaps and
overlaps. So two regions share what of the border of the one lies within a stated `tolerance` of the other. Two regions
that meet in a corner share about two tolerances in that way, which is why a border counts (rook) from `least` metres on
only; whatever is nearer than the tolerance counts as touching (queen).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from impact.arrays import Float1, Int1, frozen, require
from impact.sources.polygons import Polygons, needs_shapely

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Adjacency", "Between", "Contiguity", "adjacency", "border_along", "nearest"]

Contiguity = Literal["queen", "rook"]
Between = Literal["borders", "centroids"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Adjacency:
    """Which regions border on which.

    Attributes
    ----------
    regions : (N,) tuple of str
    first, second : (E,) int
        Pairs of regions that touch, ``first < second``, every pair once, sorted.
    border : (E,) float
        Metres that the two share: the mean of what of either border lies within `tolerance` of the other region.
    overlap : (E,) float
        Area in m² that both claim; regions that were drawn well share none.
    contiguity : {"queen", "rook"}
        Whether a corner is enough (queen), or a border of `least` metres is asked for (rook).
    tolerance : float
        Metres that a gap between neighbours may be wide.
    least : float
        Metres of border that make rook neighbours.
    """

    regions: tuple[str, ...]
    first: Int1
    second: Int1
    border: Float1
    overlap: Float1
    contiguity: Contiguity
    tolerance: float
    least: float

    def __post_init__(self) -> None:
        for name, dtype in (("first", np.intp), ("second", np.intp), ("border", float), ("overlap", float)):
            object.__setattr__(self, name, frozen(getattr(self, name), dtype))
            require(name, getattr(self, name), (len(self.first),))

    def __repr__(self) -> str:
        return f"Adjacency({self.contiguity}, {len(self.regions)} regions, {len(self.first)} pairs)"

    def neighbours(self) -> dict[str, tuple[str, ...]]:
        """Every region with its neighbours, in sorted order; empty where it has none."""
        found: dict[str, list[str]] = {region: [] for region in self.regions}
        for one, other in zip(self.first.tolist(), self.second.tolist(), strict=True):
            found[self.regions[one]].append(self.regions[other])
            found[self.regions[other]].append(self.regions[one])
        return {region: tuple(sorted(names)) for region, names in found.items()}

    def rook(self) -> Adjacency:
        """Only the neighbours that share a border of `least` metres: a corner is not enough."""
        kept = self.border >= self.least
        parts = (self.first[kept], self.second[kept], self.border[kept], self.overlap[kept])
        return Adjacency(self.regions, *parts, "rook", self.tolerance, self.least)

    def isolated(self) -> tuple[str, ...]:
        """Regions without any neighbour: islands, or gaps in the map wider than the tolerance."""
        return tuple(region for region, names in self.neighbours().items() if not names)

    def notes(self) -> tuple[str, ...]:
        """What counts as a neighbour, and how well the map fits together, in sentences."""
        asked = "touch" if self.contiguity == "queen" else f"share a border of at least {self.least:g} m"
        said = [f"Neighbours {asked}, where gaps up to {self.tolerance:g} m count as none ({self.contiguity})."]
        doubled = int((self.overlap > self.tolerance**2).sum())
        if doubled:
            said.append(f"Pairs of neighbours that overlap: {doubled}, together by {self.overlap.sum() / 1e6:.3f} km².")
        alone = self.isolated()
        if alone:
            said.append(f"Regions without a neighbour: {len(alone)} ({', '.join(alone)}).")
        return tuple(said)

    def table(self) -> pd.DataFrame:
        """One row per pair: both regions, metres of border and m² of overlap."""
        import pandas as pd

        names = np.asarray(self.regions, dtype=object)
        columns = {"region": names[self.first], "neighbour": names[self.second]}
        return pd.DataFrame({**columns, "border_m": self.border, "overlap_m2": self.overlap})


def adjacency(
    polygons: Polygons, contiguity: Contiguity = "queen", tolerance: float = 1.0, least: float | None = None
) -> Adjacency:
    """Which polygons border on which.

    Parameters
    ----------
    polygons : Polygons
        Of N regions.
    contiguity : {"queen", "rook"}
        Named after the pieces of chess: ``queen`` counts corners, ``rook`` borders only.
    tolerance : float
        Metres that a gap between neighbours may be wide; above 0. In a map of Statistics Netherlands neighbours share
        the corners of their borders, and 1 m absorbs rounding. Maps of different origin need more: try several, and
        look where the number of pairs settles.
    least : float, optional
        Metres of border that make rook neighbours; by default ten tolerances. Two regions that meet in a corner have
        two tolerances of border, and more where the corner is sharp.

    Returns
    -------
    Adjacency
    """
    if contiguity not in ("queen", "rook"):
        raise ValueError(f"contiguity is 'queen' or 'rook', not {contiguity!r}")
    if not 0 < tolerance < np.inf:
        raise ValueError(f"tolerance is a number of metres above 0, not {tolerance!r}")
    least = 10 * tolerance if least is None else least
    if not 2 * tolerance < least < np.inf:
        raise ValueError(f"least must be above two tolerances ({2 * tolerance:g} m), not {least!r}")
    shapely = needs_shapely()
    shapes = polygons.shapes
    one, other = shapely.STRtree(shapes).query(shapes, predicate="dwithin", distance=tolerance)
    first, second = np.unique(np.stack([one, other])[:, one < other], axis=1)
    wide = shapely.buffer(shapes, tolerance)
    lines = shapely.boundary(shapes)
    there = shapely.length(shapely.intersection(lines[first], wide[second]))
    back = shapely.length(shapely.intersection(lines[second], wide[first]))
    border = (there + back) / 2
    overlap = shapely.area(shapely.intersection(shapes[first], shapes[second]))
    found = Adjacency(polygons.regions, first, second, border, overlap, "queen", tolerance, least)
    return found if contiguity == "queen" else found.rook()


def border_along(polygons: Polygons, sources: Iterable[str], tolerance: float = 1.0) -> tuple[Float1, Float1]:
    """How much of every border runs along regions of `sources`.

    Parameters
    ----------
    polygons : Polygons
        Of N regions.
    sources : iterable of str
        Regions that something may come from.
    tolerance : float
        Metres that a gap between neighbours may be wide.

    Returns
    -------
    along : (N,) float
        Metres of the border of every region that lie within `tolerance` of a source, each metre once; of a source those
        along *other* sources.
    whole : (N,) float
        Metres of the whole border, those along the sea or the edge of the map included.
    """
    if not 0 < tolerance < np.inf:
        raise ValueError(f"tolerance is a number of metres above 0, not {tolerance!r}")
    shapely = needs_shapely()
    origin = polygons.rows(sources, "sources")
    lines = shapely.boundary(polygons.shapes)
    tree = shapely.STRtree(polygons.shapes[origin])
    row, near = tree.query(polygons.shapes, predicate="dwithin", distance=tolerance)
    wide = shapely.buffer(polygons.shapes[origin], tolerance)
    along = np.zeros(len(polygons))
    for region in np.unique(row).tolist():
        beside = [wide[place] for place in near[row == region] if origin[place] != region]
        if beside:
            along[region] = shapely.intersection(lines[region], shapely.union_all(beside)).length
    return along, np.asarray(shapely.length(lines), dtype=np.float64)


def nearest(polygons: Polygons, sources: Iterable[str], between: Between = "borders") -> tuple[Float1, tuple[str, ...]]:
    """How far every region lies from the nearest source, in kilometres as the crow flies, and which one that is.

    Parameters
    ----------
    polygons : Polygons
        Of N regions.
    sources : iterable of str
        At least one.
    between : {"borders", "centroids"}
        From border to border, 0 for neighbours; or from centroid to centroid, which tells neighbours apart by size.

    Returns
    -------
    kilometres : (N,) float
        0 for the sources themselves.
    source : (N,) tuple of str
        The nearest; of several equally near ones the first by name.
    """
    if between not in ("borders", "centroids"):
        raise ValueError(f"between is 'borders' or 'centroids', not {between!r}")
    shapely = needs_shapely()
    origin = np.unique(polygons.rows(sources, "sources"))
    if not origin.size:
        raise ValueError("name at least one source")
    shapes = polygons.shapes if between == "borders" else shapely.centroid(polygons.shapes)
    (row, place), metres = shapely.STRtree(shapes[origin]).query_nearest(shapes, all_matches=True, return_distance=True)
    itself = origin[place] == row
    order = np.lexsort([place, ~itself, row])
    _, at = np.unique(row[order], return_index=True)
    chosen = order[at]
    names = tuple(polygons.regions[origin[found]] for found in place[chosen].tolist())
    return np.asarray(metres[chosen] / 1000.0, dtype=np.float64), names
