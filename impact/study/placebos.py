"""What the inferences of a study say of placebos by periods since the start, for its record."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from impact.errors import Refused
from impact.evidence.placebos import PlaceboRow, PlaceboSpread
from impact.inference.protocol import Uncertainty

__all__ = ["enumerated", "spread_of"]


def enumerated(found: Uncertainty) -> bool:
    """Whether its p-value rests on everything there is, and not on draws."""
    return found.mc_error is not None and bool(found.mc_error[-1] == 0)


def spread_of(inferences: Sequence[Uncertainty | Refused]) -> PlaceboSpread | None:
    """Where placebos lie, of the first inference that ranks the areas among them; None where none does."""
    for found in inferences:
        if isinstance(found, Uncertainty) and found.placebos is not None:
            known, p_value = found.placebos, float(found.p_value[-1])
            rows = zip(known.events.tolist(), known.quantiles.tolist(), strict=True)
            lines = tuple(PlaceboRow(str(event), *ends) for event, ends in rows)
            return PlaceboSpread(known.sets, lines, p_value if np.isfinite(p_value) else None, enumerated(found))
    return None
