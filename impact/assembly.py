"""The panel of a dense table: who is whose cluster and area, and who goes aside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from impact.arrays import renumbered
from impact.covariates import Coding
from impact.groups import cohorts
from impact.longtable import Columns, Dense
from impact.panel import Panel

__all__ = ["assemble"]


def assemble(table: Dense, columns: Columns, outcome_unit: str, coding: Coding) -> Panel:
    """The panel of a dense table; units without a pre-period go aside by name."""
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
    place = None if columns.place is None else np.column_stack([table.fixed[name] for name in columns.place])
    first = np.where(table.first <= 0, 1.0, table.first)  # a stand-in; these rows leave at once
    panel = Panel(
        y=table.y,
        first=first,
        units=table.units,
        periods=table.periods,
        cluster=cluster,
        clusters=clusters,
        area=area,
        areas=areas,
        weight=np.ones(count) if columns.weight is None else table.fixed[columns.weight],
        group=cohorts(first, length),
        covariates=covariates,
        series={name: table.varying[name] for name in columns.series},
        residents=None if columns.residents is None else table.fixed[columns.residents],
        place=place,
        se=None if columns.se is None else table.varying[columns.se],
        unit=outcome_unit,
        notes=tuple(map(str, levels)),
    )
    late = table.first > 0
    if late.all():
        return panel
    aside = tuple(name for name, stays in zip(table.units, late, strict=True) if not stays)
    return replace(panel.take(np.flatnonzero(late)), aside=aside)
