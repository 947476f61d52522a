"""Write a country: every file with the same bytes each time, and the data dictionary last."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from impact import files
from impact.simulate.dictionary import resources
from impact.simulate.draws import write_csv
from impact.simulate.land import Country
from impact.simulate.lattice import ring
from impact.simulate.package import Resource, package
from impact.simulate.tables import (
    Columns,
    buurten,
    cities,
    indicators,
    members,
    names,
    school_leavers,
    truths,
    wijken,
)
from impact.workbook import Sheet, workbook

__all__ = ["write"]

_ABOVE = (
    "Voortijdig schoolverlaters naar wijk en schooljaar (gegenereerd)",
    "Tabel in de vorm van CBS-maatwerk; geen gegevens van CBS.",
    "x = geheim; . = onbekend; * = voorlopig; aantallen zijn afgerond op vijftallen.",
)


def write(of: Country, folder: Path) -> tuple[Path, ...]:
    """Write the country into `folder`; returns the paths.

    The data dictionary also describes the files of the small panel where they stand in the folder. Bytes of parquet
    files depend on the version of pyarrow too, which notes itself in them.
    """
    described = {one.path: one for one in resources()}
    parquet: dict[str, Columns] = {
        "land-wijken.parquet": wijken(of),
        "land-buurten.parquet": buurten(of),
        "land-indicatoren.parquet": indicators(of, "wijk"),
        "land-gemeenten.parquet": indicators(of, "gemeente"),
        "land-truth.parquet": truths(of),
    }
    for name, columns in parquet.items():
        files.write(folder / name, _parquet(described[name], columns))
    rows = {
        "land-gebieden-wijken.csv": list(members(of, "wijk")),
        "land-gebieden-buurten.csv": list(members(of, "buurt")),
        "vm-wijken-9-steden.csv": cities(of),
    }
    for name, lines in rows.items():
        write_csv(folder / name, tuple(column.name for column in described[name].fields), lines)
    table = "cbs-maatwerk-vsv.xlsx"
    heads = tuple(column.name for column in described[table].fields)
    files.write(folder / table, workbook([Sheet("Tabel 1", heads, school_leavers(of), _ABOVE)]))
    files.write(folder / "land-wijken.geojson", _compact(_polygons(of)))
    files.write(folder / "datapackage.json", _compact(package(described.values(), folder)))
    return tuple(folder / name for name in (*parquet, *rows, table, "land-wijken.geojson", "datapackage.json"))


def _parquet(described: Resource, columns: Columns) -> bytes:
    """A parquet file without anything that depends on who wrote it."""
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {"string": pa.string(), "number": pa.float64(), "integer": pa.int32()}
    schema = pa.schema([pa.field(column.name, kinds[column.type]) for column in described.fields])
    table = pa.table([pa.array(columns[name], type=schema.field(name).type) for name in schema.names], schema=schema)
    content = io.BytesIO()
    parquet.write_table(
        table,
        content,
        compression="zstd",
        compression_level=9,
        store_schema=False,
        version="2.6",
        data_page_version="1.0",
    )
    return content.getvalue()


def _polygons(of: Country) -> dict[str, Any]:
    """The wijken as GeoJSON features in RD."""
    land, called = of.land, names(of)
    whole = of.whole
    cells = np.split(land.cell, np.flatnonzero(np.diff(land.wijk)) + 1)
    return {
        "type": "FeatureCollection",
        "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::28992"}},
        "features": [
            {
                "type": "Feature",
                "properties": {
                    "region": code,
                    "naam": called[w],
                    "gemeente": land.gemeenten[land.wijk_gemeente[w]],
                    "focusgebied": of.areas[whole[w]] if whole[w] >= 0 else "",
                },
                "geometry": {"type": "Polygon", "coordinates": [ring(cells[w], land.points).tolist()]},
            }
            for w, code in enumerate(land.wijken)
        ],
    }


def _compact(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"
