"""Borders with few points, to be drawn: neighbours keep one border between them, and a map stays small."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from impact.sources.polygons import Polygons, needs_shapely

__all__ = ["outlines", "read_rings"]

_STEPS = tuple((1 / 1500) * 1.6**power for power in range(7))  # of the larger side of the map: from under half a dot


def outlines(polygons: Polygons, groups: Mapping[str, Sequence[str]], most: int = 10_000) -> dict[str, str]:
    """The borders of groups of regions as text, with about `most` points together, or fewer.

    Borders are simplified together (GEOS ``CoverageSimplify``, after Visvalingam & Whyatt 1993), coarser until there
    are few enough points. Where that does not do, a group is drawn as one shape, without the borders inside it.

    Parameters
    ----------
    polygons : Polygons
        Whatever is in no group is not drawn.
    groups : mapping of name to regions
        Regions of the polygons, each in one group.
    most : int
        Number of points to stay under.

    Returns
    -------
    dict of str to str
        By group, in its order: rings with ``|`` between them, outer ones counter-clockwise and holes clockwise, each
        ``x y x y`` in whole metres; `read_rings` reads them. A group without regions is left out. No region is lost: of
        what is too small to draw a small square stays.
    """
    shapely = needs_shapely()
    named = {name: polygons.shapes[polygons.rows(sorted(regions))] for name, regions in groups.items() if regions}
    if not named:
        return {}
    west, south, east, north = shapely.total_bounds(np.concatenate(list(named.values())))
    side = float(max(east - west, north - south))
    found: dict[str, str] = {}
    for whole in (False, True):
        parts = {name: _union(shapes) for name, shapes in named.items()} if whole else dict(named)
        for step in _STEPS:  # each from the one before, which has fewer points to look at
            parts = _simplified(parts, step * side)
            found = {name: _text(shapes, step * side) for name, shapes in parts.items()}
            if sum(text.count(" ") + text.count("|") + 1 for text in found.values()) <= 2 * most:
                return found
    return found


def read_rings(text: str) -> list[NDArray[np.int64]]:
    """The rings of a group, each (n, 2) whole metres with its first point once more at its end."""
    return [np.array(ring.split(), dtype=np.int64).reshape(-1, 2) for ring in text.split("|")]


def _union(shapes: NDArray[Any]) -> NDArray[Any]:
    return np.array([needs_shapely().union_all(shapes)], dtype=object)


def _simplified(parts: Mapping[str, NDArray[Any]], step: float) -> dict[str, NDArray[Any]]:
    """Every group with its borders simplified beside those of the others."""
    shapely, drawn = needs_shapely(), np.concatenate(list(parts.values()))
    simple = shapely.coverage_simplify(drawn, step)
    simple = np.where(shapely.is_empty(simple), drawn, simple)  # where borders overlap, GEOS promises nothing
    ends = np.cumsum([len(shapes) for shapes in parts.values()])[:-1]
    return dict(zip(parts, np.split(simple, ends), strict=True))


def _text(shapes: NDArray[Any], step: float) -> str:
    grain = max(round(step / 4), 1)
    return "|".join(ring for shape in needs_shapely().orient_polygons(shapes) for ring in _rings(shape, grain))


def _rings(shape: Any, grain: int) -> list[str]:
    """The rings of one shape, rounded to `grain` metres."""
    shapely = needs_shapely()
    found = []
    for part in shapely.get_parts(shape):
        for ring in (part.exterior, *part.interiors):
            points = np.rint(shapely.get_coordinates(ring) / grain).astype(np.int64) * grain
            points = points[np.r_[True, (np.diff(points, axis=0) != 0).any(axis=1)]]
            if len(points) > 3:
                found.append(" ".join(map(str, points.ravel().tolist())))
    if not found:
        point = shape.representative_point()
        x, y = (round(value / grain) * grain for value in (point.x, point.y))
        corners = ((0, 0), (1, 0), (1, 1), (0, 1), (0, 0))
        found.append(" ".join(f"{x + right * grain} {y + up * grain}" for right, up in corners))
    return found
