"""From a dense table to the fields of a panel: who is whose cluster and area, and which characteristics go along."""

from __future__ import annotations

from typing import Any

import numpy as np

from impact.arrays import renumbered
from impact.covariates import Coding
from impact.groups import cohorts
from impact.longtable import Columns, Dense

__all__ = ["fields"]


def fields(table: Dense, columns: Columns, coding: Coding) -> dict[str, Any]:
    """Arguments of ``Panel`` for all units; of those treated from the first period on the start is a stand-in."""
    covariates, levels = coding.covariates(
        table.varying, table.units, table.periods, np.isfinite(table.y), np.isinf(table.first)
    )
    count, length = len(table.units), len(table.periods)
    everyone = (np.arange(count, dtype=np.intp), table.units)
    cluster, clusters = table.labels[columns.cluster] if columns.cluster is not None else everyone
    if columns.area is not None:
        codes, areas = table.labels[columns.area]
        area = np.where(np.isfinite(table.first), codes, -1)
    else:
        area, areas = np.where(np.isfinite(table.first), everyone[0], -1), table.units
    area, areas = renumbered(area, areas)
    first = np.where(table.first <= 0, 1.0, table.first)
    return {
        "y": table.y,
        "first": first,
        "units": table.units,
        "periods": table.periods,
        "cluster": cluster,
        "clusters": clusters,
        "area": area,
        "areas": areas,
        "weight": np.ones(count) if columns.weight is None else table.fixed[columns.weight],
        "group": cohorts(first, length),
        "covariates": covariates,
        "series": {name: table.varying[name] for name in columns.series},
        "residents": None if columns.residents is None else table.fixed[columns.residents],
        "place": None if columns.place is None else np.column_stack([table.fixed[name] for name in columns.place]),
        "se": None if columns.se is None else table.varying[columns.se],
        "notes": tuple(map(str, levels)),
    }
