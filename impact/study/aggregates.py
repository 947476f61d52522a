"""The table from which the numbers of a bundle can be computed again without the data: sums by cell and by cluster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from impact.evidence.basis import Basis
from impact.evidence.record import Evidence
from impact.evidence.result import Result
from impact.harmless import as_csv
from impact.inference.protocol import Found, Uncertainty, serving
from impact.study.tidy import entries

__all__ = ["AGGREGATES", "aggregates", "basis_of"]

AGGREGATES = ("outcome", "role", "name", "term", "kind", "label", "value", "weight")
"""Columns of the table; `kind` is cell, cluster, left-out, score, placebo or observed."""


def basis_of(result: Result, term: int) -> Basis:
    """What stands behind a term of `result`."""
    panel, cells, effects = result.panel, result.fit.cells, result.effects
    share = effects.share[:, term]
    own = np.zeros(len(share)) if effects.imposed is None else effects.imposed[:, term]
    there = serving(Found(panel, result.fit, effects)) | (share > 0) | (own != 0)
    known = result.uncertainty.replicates if isinstance(result.uncertainty, Uncertainty) else None
    kept = () if known is None else tuple(zip(known.names, known.values[:, term].tolist(), strict=True))
    return Basis(
        cells=tuple(
            (
                f"{panel.group_names[cells.group[cell]]} in {panel.periods[cells.period[cell]]}",
                float(cells.effect[cell]),
                float(effects.weights[cell, term]),
            )
            for cell in np.flatnonzero(effects.weights[:, term]).tolist()
        ),
        clusters=tuple(
            (panel.clusters[row], None if effects.imposed is None else float(own[row]), float(share[row]))
            for row in np.flatnonzero(there).tolist()
        ),
        kind="" if known is None else known.kind,
        replicates=tuple((name, value if np.isfinite(value) else None) for name, value in kept),
        observed=None if known is None or known.observed is None else float(known.observed[term]),
    )


def aggregates(outcomes: Sequence[Evidence]) -> bytes:
    """The table as CSV; nothing of a sealed outcome is in it."""
    lines: list[Sequence[object]] = [AGGREGATES]
    for evidence in outcomes:
        for role, name, _, estimate in entries(evidence):
            if estimate.basis is not None:
                about = (evidence.indicator, role, name, estimate.term)
                lines += [(*about, *row) for row in _rows(estimate.basis)]
    return as_csv(lines).encode("utf-8")


def _rows(basis: Basis) -> Iterator[tuple[str, str, float | None, float | None]]:
    """Kind, label, value and weight."""
    yield from (("cell", *cell) for cell in basis.cells)
    yield from (("cluster", *cluster) for cluster in basis.clusters)
    yield from ((basis.kind, name, value, None) for name, value in basis.replicates)
    if basis.observed is not None and np.isfinite(basis.observed):
        yield ("observed", "", basis.observed, None)
