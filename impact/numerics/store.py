"""Moments in a parquet file, to be added up elsewhere: sums per stratum and cluster instead of rows."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from impact import files
from impact.arrays import Float1, Int1, frozen
from impact.errors import DataError, Problem
from impact.numerics.moments import Moments, Strata
from impact.numerics.sums import Sums

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["read_moments", "write_moments"]

_FORMAT = "impact.moments/1"
_KEY = b"impact.moments"
# Which sums a row belongs to.
_LAYERS = ("weight", "serving", "squares")
_COLUMNS = ("layer", "cluster", "group", "first", "seen", "count", "weight", "total", "products")


def write_moments(path: Path, moments: Moments) -> None:
    """Write `moments` to `path`: a row a part, with its cluster, group, start and observed periods by name.

    The columns `total` and `products` are lists over the periods (and pairs of periods, row by row) of the sums of
    ``y - shift``; the shifts stand in the metadata of the file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    layers = {"weight": moments, "serving": moments.serving}
    rows: list[dict[str, Any]] = []
    for layer, one in layers.items():
        if one is not None:
            clusters = [one.clusters[cluster] if cluster >= 0 else None for cluster in one.rows[:, 0]]
            rows += _rows(layer, one.strata, clusters, one.rows[:, 1], one.parts)
    if moments.squares is not None:
        every = np.arange(len(moments.strata.first))
        rows += _rows("squares", moments.strata, [None] * len(every), every, moments.squares)
    about = {
        "format": _FORMAT,
        "periods": moments.periods,
        "clusters": moments.clusters,
        "groups": moments.strata.names,
        "shift": {layer: one.shift.tolist() for layer, one in layers.items() if one is not None},
    }
    schema = pa.schema(
        [
            ("layer", pa.string()),
            ("cluster", pa.string()),
            ("group", pa.string()),
            ("first", pa.float64()),
            ("seen", pa.string()),
            ("count", pa.int64()),
            ("weight", pa.float64()),
            ("total", pa.list_(pa.float64())),
            ("products", pa.list_(pa.float64())),
        ],
        metadata={_KEY: json.dumps(about)},
    )
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), buffer)
    files.write(path, buffer.getvalue())


def read_moments(path: Path) -> Moments:
    """Read what `write_moments` wrote.

    Raises
    ------
    DataError
        ``MOMENTS-001``: the file is no such table, or its sums do not fit its periods.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
        about = json.loads((table.schema.metadata or {})[_KEY])
        if about["format"] != _FORMAT or tuple(table.column_names) != _COLUMNS:
            raise ValueError(f"the format is {about['format']!r} with columns {', '.join(table.column_names)}")
        return _moments(table, about)
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise DataError(
            Problem(
                "MOMENTS-001",
                f"these are no moments as this version writes them ({error})",
                "write the file again with write_moments",
                file=str(path),
            )
        ) from error


def _rows(layer: str, known: Strata, clusters: list[str | None], strata: Int1, parts: Sums) -> list[dict[str, Any]]:
    names = [known.names[group] if group >= 0 else None for group in known.group]
    seen = ["".join("1" if one else "0" for one in row) for row in known.seen]
    return [
        {
            "layer": layer,
            "cluster": cluster,
            "group": names[stratum],
            "first": float(known.first[stratum]),
            "seen": seen[stratum],
            "count": int(parts.count[row]),
            "weight": float(parts.weight[row]),
            "total": parts.total[row].tolist(),
            "products": None if parts.products is None else parts.products[row].reshape(-1).tolist(),
        }
        for row, (cluster, stratum) in enumerate(zip(clusters, strata, strict=True))
    ]


def _moments(table: pa.Table, about: dict[str, Any]) -> Moments:
    periods, clusters, names = (tuple(map(str, about[key])) for key in ("periods", "clusters", "groups"))
    rows = table.to_pylist()
    keys = dict.fromkeys((row["group"], row["first"], row["seen"]) for row in rows if row["layer"] == "weight")
    seen = np.array([[one == "1" for one in text] for *_, text in keys], dtype=bool).reshape(len(keys), -1)
    known = Strata(
        np.array([-1 if name is None else names.index(name) for name, *_ in keys], dtype=np.intp),
        names,
        np.array([first for _, first, _ in keys], dtype=np.float64),
        seen.reshape(len(keys), len(periods)),
    )
    place = {key: number for number, key in enumerate(keys)}
    layers = {layer: [row for row in rows if row["layer"] == layer] for layer in _LAYERS}
    serving = None
    if layers["serving"]:
        serving = _one(layers["serving"], known, periods, clusters, place, about["shift"]["serving"], None)
    squares = None
    if layers["squares"]:
        order = sorted(layers["squares"], key=lambda row: place[row["group"], row["first"], row["seen"]])
        squares = _sums(order, len(periods))
    whole = _one(layers["weight"], known, periods, clusters, place, about["shift"]["weight"], squares)
    return Moments(
        whole.strata, periods, clusters, whole.shift, whole.rows, whole.parts, serving=serving, squares=squares
    )


def _one(
    rows: list[dict[str, Any]],
    known: Strata,
    periods: tuple[str, ...],
    clusters: tuple[str, ...],
    place: dict[tuple[str | None, float, str], int],
    shift: list[float],
    squares: Sums | None,
) -> Moments:
    number = {name: at for at, name in enumerate(clusters)}
    at = [
        (-1 if row["cluster"] is None else number[row["cluster"]], place[row["group"], row["first"], row["seen"]])
        for row in rows
    ]
    near: Float1 = frozen(shift)
    if near.shape != (len(periods),):
        raise ValueError(f"{near.size} shifts for {len(periods)} periods")
    parts = _sums(rows, len(periods))
    return Moments(known, periods, clusters, near, np.array(at, dtype=np.intp).reshape(-1, 2), parts, squares=squares)


def _sums(rows: list[dict[str, Any]], length: int) -> Sums:
    products = None
    if rows and rows[0]["products"] is not None:
        products = np.array([row["products"] for row in rows], dtype=np.float64).reshape(-1, length, length)
    return Sums(
        np.array([row["count"] for row in rows], dtype=np.intp),
        np.array([row["weight"] for row in rows], dtype=np.float64),
        np.array([row["total"] for row in rows], dtype=np.float64).reshape(-1, length),
        products,
    )
