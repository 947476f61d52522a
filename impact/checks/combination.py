"""Which combination of effects by event time is asked about: the mean, one of them, or a weight for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from impact.errors import Problem, UsageError
from impact.inference.protocol import Uncertainty

__all__ = ["Combination", "declared_of", "weights_of"]

Combination: TypeAlias = Literal["mean"] | int | Sequence[float]


def weights_of(after: list[int], combination: Combination) -> list[float]:
    """A weight for every event time from 0 on."""
    if combination == "mean":
        return [1 / len(after)] * len(after)
    if isinstance(combination, int | np.integer):
        if combination not in after:
            raise UsageError(
                Problem(
                    "USAGE-003",
                    f"combination={combination} is not an event time after the start",
                    f"there are: {', '.join(map(str, after))}",
                )
            )
        return [float(event == combination) for event in after]
    weights = [] if isinstance(combination, str) else [float(weight) for weight in combination]
    if len(weights) != len(after) or not np.isfinite(weights).all() or not any(weights):
        raise UsageError(
            Problem(
                "USAGE-003",
                f"combination has {len(weights)} weights, not all 0 and finite for {len(after)} event times",
                f"the event times are {', '.join(map(str, after))}; or give 'mean', or one event time",
            )
        )
    return weights


def declared_of(combination: Combination, given: Uncertainty, row_of: dict[int, int]) -> int | None:
    """The term that is asked for, where it is one with an interval of its own; the mean is the last."""
    if isinstance(combination, int | np.integer):
        return row_of[int(combination)]
    return len(given.refused) - 1 if combination == "mean" and given.refused[-1] is None else None
