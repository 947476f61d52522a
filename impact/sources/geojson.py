"""The features of a GeoJSON file, and their geometries as shapely has them; every one that is none is named."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from impact.errors import DataError, Problem
from impact.files import read_json
from impact.sources.frame import listed

__all__ = ["Feature", "geometries", "read_features"]

Feature: TypeAlias = Mapping[str, Any]


def read_features(path: Path) -> tuple[list[Feature], str]:
    """The features of a FeatureCollection, and the coordinates that it says it is in; ``EPSG:4326`` when it says none.

    Raises
    ------
    DataError
        ``MAP-002`` a file that cannot be read or is no FeatureCollection.
    """
    try:
        content = read_json(path)
        features = content["features"]
        said = str(content.get("crs", {}).get("properties", {}).get("name", "EPSG:4326"))
        whole = isinstance(features, list) and all(_is_feature(feature) for feature in features)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        hint = "Save it as GeoJSON with one feature per region."
        raise DataError(Problem("MAP-002", "this is no GeoJSON FeatureCollection.", hint, path.name))
    return features, said


def geometries(parts: Iterable[tuple[str, object]], shapely: Any, file: str) -> list[tuple[str, Any]]:
    """What is drawn of every region.

    Raises
    ------
    DataError
        ``MAP-003`` with all whose geometry is none.
    """
    odd, drawn = [], []
    for code, geometry in parts:
        try:
            drawn.append((code, shapely.from_geojson(json.dumps(geometry))))
        except (shapely.errors.ShapelyError, ValueError, TypeError, RecursionError):
            odd.append(code)
    if odd:
        hint = "Draw polygons, as GeoJSON writes them."
        raise DataError(Problem("MAP-003", f"the geometry of {listed(odd, 8)} cannot be read.", hint, file))
    return drawn


def _is_feature(feature: object) -> bool:
    return isinstance(feature, dict) and isinstance(feature.get("properties") or {}, dict)
