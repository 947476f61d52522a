"""A Frictionless Data Package: files with their digests, columns with a Table Schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from impact.files import sha256

__all__ = ["Field", "Resource", "package"]


@dataclass(frozen=True, slots=True)
class Field:
    """One column; `type` is that of Table Schema, `rules` are its constraints."""

    name: str
    type: Literal["string", "number", "integer", "year", "any"]
    description: str
    unit: str = ""
    rules: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Resource:
    """One file. `key` names its rows; `links` lead from a column to the column of another resource."""

    path: str
    title: str
    fields: tuple[Field, ...] = ()
    key: tuple[str, ...] = ()
    links: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    dialect: Mapping[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = ("",)

    @property
    def name(self) -> str:
        """Name of the resource; the suffix tells files of one stem apart."""
        stem, suffix = self.path.rsplit(".", 1)
        return stem if suffix != "geojson" else f"{stem}-geojson"


def package(resources: Iterable[Resource], folder: Path) -> dict[str, Any]:
    """The descriptor of those of `resources` that stand in `folder`, with their sizes and digests."""
    there = [one for one in resources if (folder / one.path).exists()]
    return {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "name": "impact-data-synthetic",
        "title": "A generated country with a known truth",
        "description": "Everything is made up; see README.md.",
        "licenses": [{"name": "EUPL-1.2", "title": "European Union Public Licence 1.2"}],
        "resources": [_descriptor(one, folder / one.path) for one in there],
    }


def _descriptor(one: Resource, path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": one.name,
        "path": one.path,
        "title": one.title,
        "format": path.suffix[1:],
        "bytes": path.stat().st_size,
        "hash": f"sha256:{sha256(path)}",
    }
    if path.suffix in (".csv", ".geojson"):
        found["encoding"] = "utf-8"
    if one.dialect:
        found["dialect"] = dict(one.dialect)
    if one.fields:
        found["type"] = "table"
        found["schema"] = _schema(one, path.suffix)
    return found


def _schema(one: Resource, suffix: str) -> dict[str, Any]:
    described = []
    for column in one.fields:
        found: dict[str, Any] = {"name": column.name, "type": column.type, "description": column.description}
        if column.unit:
            found["unit"] = column.unit
        if column.rules:
            found["constraints"] = dict(column.rules)
        if column.type == "number" and suffix == ".csv":
            found["decimalChar"] = ","
        described.append(found)
    schema: dict[str, Any] = {"fields": described, "missingValues": list(one.missing), "primaryKey": list(one.key)}
    if one.links:
        schema["foreignKeys"] = [
            {"fields": [column], "reference": {"resource": resource, "fields": [other]}}
            for column, (resource, other) in one.links.items()
        ]
    return schema
