"""Many worlds through the one runner, without waiting for pairs that refuse all of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from impact.inference.diagnose import Diagnosis, Pair, World, diagnose
from impact.streams import Streams
from impact.targets import Target

FIRST = 3


def tried(
    world: World, worlds: int, pairs: Sequence[Pair], target: Target, streams: Streams, truth: float = 0.0
) -> tuple[Diagnosis, ...]:
    """As `diagnose`; a pair that gives nothing in the first few worlds refuses the design, and is left at that."""
    rows = {row.label: row for row in diagnose(world, FIRST, pairs, target, streams=streams, truth=truth)}
    given = [pair for pair in pairs if gives(rows[pair.label])]
    if given:
        rows |= {row.label: row for row in diagnose(world, worlds, given, target, streams=streams, truth=truth)}
    return tuple(rows[pair.label] for pair in pairs)


def gives(row: Diagnosis) -> bool:
    """Whether there is a p-value or an interval in any world."""
    return not (np.isnan(row.p_value).all() and np.isnan(row.low).all())
