"""Borders of regions from GeoJSON: in metres on the Dutch grid, repaired where they cross themselves, and saying so.

Needs the optional ``spatial`` (shapely).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from impact.arrays import Float1, Float2, frozen
from impact.errors import DataError, Problem, UsageError, raise_all
from impact.sources import rd
from impact.sources.frame import listed
from impact.sources.geojson import geometries, read_features

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LONLAT", "METRES", "Polygons", "Repair", "needs_shapely", "polygons", "read_numbers", "read_polygons"]

LONLAT, METRES = "EPSG:4326", "EPSG:28992"
"""Longitude and latitude in degrees; the Dutch grid in metres."""

_NAMES = {
    "urn:ogc:def:crs:OGC:1.3:CRS84": LONLAT,
    "urn:ogc:def:crs:EPSG::4326": LONLAT,
    "urn:ogc:def:crs:EPSG::4258": LONLAT,
    "urn:ogc:def:crs:EPSG::28992": METRES,
    "EPSG:4326": LONLAT,
    "EPSG:28992": METRES,
}


@dataclass(frozen=True, slots=True)
class Repair:
    """What was changed in the border of one region.

    Attributes
    ----------
    region : str
    why : str
        ``Self-intersection`` and the like, as GEOS calls it; ``parts overlap``; or ``lines beside polygons``, which
        have no area: an earlier repair of the same border leaves them.
    before, after : float
        Area in m², before the repair by the shoelace formula over the rings as they were drawn.
    left_out : float
        Length in metres of the lines that were left out.
    """

    region: str
    why: str
    before: float
    after: float
    left_out: float

    @property
    def change(self) -> float:
        """Change in area as a part of the area afterwards."""
        return (self.after - self.before) / self.after


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Polygons:
    """Borders of regions, in metres.

    Attributes
    ----------
    regions : (N,) tuple of str
        In sorted order, whatever the order of the file.
    shapes : (N,) shapely geometries
        Polygons and multi-polygons, valid, on the Dutch grid.
    repairs : tuple of Repair
    source : str
        ``EPSG:4326`` where the borders were projected, ``EPSG:28992`` where they were in metres already.
    """

    regions: tuple[str, ...]
    shapes: NDArray[Any]
    repairs: tuple[Repair, ...]
    source: str

    def __len__(self) -> int:
        return len(self.regions)

    def __repr__(self) -> str:
        return f"Polygons({len(self)} regions, {len(self.repairs)} repaired, from {self.source})"

    def rows(self, regions: Iterable[str], what: str = "regions") -> NDArray[np.intp]:
        """Places of `regions`; ValueError naming all that have no polygon."""
        place = {region: row for row, region in enumerate(self.regions)}
        wanted = list(regions)
        absent = sorted({region for region in wanted if region not in place})
        if absent:
            raise ValueError(f"{what} without a polygon: {', '.join(absent)}")
        return np.array([place[region] for region in wanted], dtype=np.intp)

    def take(self, regions: Iterable[str]) -> Polygons:
        """Only these regions."""
        kept = sorted(set(regions))
        shapes = _shapes(self.shapes[self.rows(kept)])
        return Polygons(tuple(kept), shapes, tuple(r for r in self.repairs if r.region in set(kept)), self.source)

    def joined(self, members: Mapping[str, Iterable[str]]) -> Polygons:
        """Borders of units that are unions of whole regions; gaps between their regions stay gaps.

        Parameters
        ----------
        members : mapping of str to names
            The regions of every unit, such as ``Unions.members()`` where no share is below 1.
        """
        shapely = needs_shapely()
        rows = {unit: np.unique(self.rows(own, f"parts of {unit}")) for unit, own in sorted(members.items())}
        shapes = [shapely.union_all(self.shapes[own]) for own in rows.values()]
        return Polygons(tuple(rows), _shapes(shapes), (), self.source)

    def area(self) -> Float1:
        """(N,) area in km²."""
        return np.asarray(needs_shapely().area(self.shapes) / 1e6, dtype=np.float64)

    def centroid(self) -> Float2:
        """(N, 2) centroid in metres; it may lie outside a bent region."""
        points = needs_shapely().centroid(self.shapes)
        return np.column_stack([needs_shapely().get_x(points), needs_shapely().get_y(points)])

    def notes(self) -> tuple[str, ...]:
        """What was done to the borders, in sentences: which were repaired and how much area that changed."""
        said = []
        if self.source == LONLAT:
            said.append(f"Borders projected from degrees to the Dutch grid, to within {rd.ACCURACY:g} m: {len(self)}.")
        for why, count in sorted(Counter(repair.why for repair in self.repairs).items()):
            kind = [repair for repair in self.repairs if repair.why == why]
            moved = sum(abs(repair.after - repair.before) for repair in kind) / 1e6
            whole = sum(repair.after for repair in kind) / 1e6
            lines = sum(repair.left_out for repair in kind) / 1e3
            most = max(kind, key=lambda repair: (abs(round(repair.change, 6)), repair.left_out, repair.region))
            tail = f", {lines:.1f} km of lines left out" if lines else ""
            said.append(
                f"Borders repaired ({why}): {count}; area changed by {moved:.3f} of {whole:.3f} km²{tail}, "
                f"most in {most.region} ({100 * most.change:+.2f} %): {', '.join(repair.region for repair in kind)}."
            )
        return tuple(said)

    def table(self) -> pd.DataFrame:
        """One row per region: area in km², number of parts, and what was repaired."""
        import pandas as pd

        done = {repair.region: repair for repair in self.repairs}
        columns = {
            "region": list(self.regions),
            "area_km2": self.area(),
            "parts": needs_shapely().get_num_geometries(self.shapes),
            "repaired": [done[r].why if r in done else "" for r in self.regions],
            "area_change_m2": [done[r].after - done[r].before if r in done else 0.0 for r in self.regions],
            "lines_left_out_m": [done[r].left_out if r in done else 0.0 for r in self.regions],
        }
        return pd.DataFrame(columns)


def needs_shapely() -> Any:
    """The library shapely.

    Raises
    ------
    UsageError
        ``MAP-001``, saying how to install it.
    """
    try:
        import shapely
    except ImportError:
        hint = 'Install the optional part: python -m pip install -c constraints.txt ".[spatial]"'
        raise UsageError(Problem("MAP-001", "borders of regions need the library shapely.", hint)) from None
    return shapely


def read_polygons(path: Path | str, region: str, crs: str | None = None) -> Polygons:
    """Borders from a GeoJSON file.

    Parameters
    ----------
    path : path
        A FeatureCollection.
    region : str
        The property that holds the code of the region; several features of one region become one.
    crs : str, optional
        ``EPSG:4326`` (longitude, latitude) or ``EPSG:28992`` (metres). By default what the file says; a file that says
        nothing is in degrees, as the standard (RFC 7946) has it.

    Raises
    ------
    DataError
        ``MAP-002`` a file that is no FeatureCollection or an empty one, or in other coordinates than it says;
        ``MAP-003`` features without a code or without area, places outside the Netherlands; all at once.
    """
    name = Path(path).name
    features, said = read_features(Path(path))
    known = crs if crs is not None else _NAMES.get(said)
    if known not in (LONLAT, METRES):
        hint = f"Save it in {LONLAT} (longitude, latitude) or {METRES} (metres)."
        raise DataError(Problem("MAP-002", f"coordinates in {known or said} are not read.", hint, name))
    parts: list[tuple[str, Any]] = []
    without: dict[str, list[str]] = {"code": [], "geometry": []}
    for number, feature in enumerate(features, 1):
        code = str((feature.get("properties") or {}).get(region) or "").strip()
        if not code:
            without["code"].append(str(number))
        elif not feature.get("geometry"):
            without["geometry"].append(f"{number} ({code})")
        else:
            parts.append((code, feature["geometry"]))
    held = sorted({key for feature in features for key in feature.get("properties") or {}})
    hint = f"Name the property that holds the codes; there are {listed(held, 12)}."
    problems = [
        Problem("MAP-003", f"{'features' if odd[1:] else 'feature'} {listed(odd)} without {what}.", do, name)
        for odd, what, do in ((without["code"], repr(region), hint), (without["geometry"], "geometry", ""))
        if odd
    ]
    raise_all(problems, DataError)
    if not parts:
        raise DataError(Problem("MAP-002", "this file holds no regions.", "", name))
    drawn = geometries(parts, needs_shapely(), name)
    reach = needs_shapely().total_bounds([shape for _, shape in drawn])
    if known == METRES and np.abs(reach).max() <= 360:
        hint = f"Take the statement of {METRES} out (`crs`), or state {LONLAT}."
        raise DataError(Problem("MAP-002", f"these coordinates are degrees, not metres as {METRES} has.", hint, name))
    if known == LONLAT and np.abs(reach).max() > 360:
        hint = f"State what they are, on the Dutch grid `crs: {METRES}`; a file that states nothing is in degrees."
        raise DataError(Problem("MAP-002", f"these coordinates are metres, not degrees as {LONLAT} has.", hint, name))
    return polygons(drawn, known, name)


def read_numbers(path: Path | str, region: str, column: str) -> dict[str, float]:
    """A property of every region of a GeoJSON file that `read_polygons` has read, such as its residents.

    Parameters
    ----------
    path : path
        As `read_polygons` was given it.
    region : str
        The property that holds the code of the region.
    column : str
        The property that holds a number of 0 or more. What is absent, or below 0 as CBS marks it, is nan.

    Raises
    ------
    DataError
        ``MAP-004`` a property that no feature has, that holds something else, or that differs within one region.
    """
    name = Path(path).name
    found: dict[str, float] = {}
    odd: list[str] = []
    features, _ = read_features(Path(path))
    if not any(column in (feature.get("properties") or {}) for feature in features):
        raise DataError(Problem("MAP-004", f"no feature has {column!r}.", "Name the property with numbers.", name))
    for feature in features:
        given = feature["properties"]
        code, value = str(given[region]).strip(), given.get(column)
        if value is None or (isinstance(value, int | float) and value < 0):
            found.setdefault(code, np.nan)
        elif (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or found.get(code, value) not in (value, np.nan)
        ):
            odd.append(f"{code} ({value!r})")
        else:
            found[code] = float(value)
    if odd:
        message = f"{column!r} is one number for every region; it is not for {', '.join(odd[:8])}."
        raise DataError(Problem("MAP-004", message, "Give numbers, without quotes.", name))
    return found


def polygons(parts: Mapping[str, Any] | Sequence[tuple[str, Any]], crs: str = METRES, file: str = "") -> Polygons:
    """Borders from shapely geometries.

    A border that crosses itself is made valid (GEOS ``make_valid``: what an odd number of its windings encloses belongs
    to the region), in the coordinates in which it was drawn. Parts that overlap count once. What has no area, lines and
    points, is left out.

    Parameters
    ----------
    parts : mapping or sequence of pairs
        Region and shapely geometry; a region may occur more than once and is then the union.
    crs : {"EPSG:28992", "EPSG:4326"}
        Metres, or longitude and latitude in degrees.
    file : str
        Where they come from, for messages.

    Raises
    ------
    DataError
        ``MAP-003`` for regions without area or outside the Netherlands, all at once.
    """
    shapely = needs_shapely()
    if crs not in (LONLAT, METRES):
        raise ValueError(f"crs is {LONLAT!r} or {METRES!r}, not {crs!r}")
    pairs = list(parts.items()) if isinstance(parts, Mapping) else list(parts)
    drawn: dict[str, list[Any]] = {}
    for region, shape in pairs:
        drawn.setdefault(region, []).append(shapely.force_2d(shape))

    def metres(shape: Any) -> Any:
        return shape if crs == METRES else shapely.transform(shape, rd.from_lonlat)

    shapes, repairs = [], []
    away, empty = dict[str, str](), list[str]()
    for region, pieces in sorted(drawn.items()):
        try:
            shape, repair = _repaired(region, pieces, metres)
        except ValueError as error:
            away[region] = str(error)
            continue
        if shape.is_empty:
            empty.append(region)
        shapes.append(shape)
        repairs += [repair] if repair else []
    problems = []
    if away:
        region, said = next(iter(away.items()))
        more = f" ({len(away)} of {len(drawn)} regions: {listed(list(away), 8)})" if len(away) > 1 else ""
        hint = f"State the coordinates: {LONLAT} or {METRES}."
        problems.append(Problem("MAP-003", f"{region}: {said}{more}", hint, file))
    if empty:
        message = f"{listed(empty, 8)} {'has' if len(empty) == 1 else 'have'} no area."
        problems.append(Problem("MAP-003", message, "Draw a polygon, or leave it out.", file))
    raise_all(problems, DataError)
    return Polygons(tuple(sorted(drawn)), _shapes(shapes), tuple(repairs), crs)


def _repaired(region: str, pieces: Sequence[Any], metres: Callable[[Any], Any]) -> tuple[Any, Repair | None]:
    """One valid shape with area for a region, in metres, and what had to be changed for it as it was drawn."""
    shapely = needs_shapely()
    leaves = [leaf for piece in pieces for leaf in _leaves(piece) if not leaf.is_empty]
    flat = [leaf for leaf in leaves if leaf.geom_type == "Polygon"]
    if not flat:
        return shapely.MultiPolygon(), None
    drawn = flat[0] if len(flat) == 1 else shapely.multipolygons(flat)
    shape = metres(drawn if drawn.is_valid else _united(flat))
    if not shape.is_valid:  # rounding can close a hairline
        shape = _united([shape])
    before = sum(_shoelace(metres(leaf)) for leaf in flat)
    lines = sum(metres(leaf).length for leaf in leaves if leaf.geom_type != "Polygon")
    wrong = next((leaf for leaf in flat if not leaf.is_valid), None)
    if wrong is not None:
        why = shapely.is_valid_reason(wrong).split("[")[0]
    elif abs(shape.area - before) > 1e-6 * before:
        why = "parts overlap"
    elif lines or len(flat) < len(leaves):
        why = "lines beside polygons"
    else:
        return shape, None
    return shape, Repair(region, why, before, float(shape.area), float(lines))


def _united(shapes: Sequence[Any]) -> Any:
    """The union of shapes after each was made valid, without what has no area."""
    shapely = needs_shapely()
    valid = [leaf for shape in shapes for leaf in _leaves(shapely.make_valid(shape))]
    return shapely.union_all([leaf for leaf in valid if leaf.geom_type == "Polygon"])


def _shoelace(shape: Any) -> float:
    """Area of a polygon as drawn, its holes subtracted."""
    shapely = needs_shapely()
    outer, *holes = (abs(_signed(shapely.get_coordinates(r))) for r in [shape.exterior, *shape.interiors])
    return float(outer - sum(holes))


def _signed(ring: Float2) -> float:
    x, y = (ring - ring[0]).T
    return float(0.5 * np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))


def _leaves(shape: Any) -> Iterator[Any]:
    """The polygons, lines and points a geometry consists of."""
    if hasattr(shape, "geoms"):
        for part in shape.geoms:
            yield from _leaves(part)
    else:
        yield shape


def _shapes(shapes: Iterable[Any]) -> NDArray[Any]:
    kept = np.empty(len(every := list(shapes)), dtype=object)
    kept[:] = every
    return frozen(kept, object)
