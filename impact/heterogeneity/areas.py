"""The table of single areas: what was estimated, what is left of it after shrinkage, and which ranks it allows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from impact.arrays import Float1, Float2
from impact.errors import Refused
from impact.heterogeneity.ranks import Better, ranks
from impact.heterogeneity.shrinkage import shrink

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "table"]

COLUMNS = (
    "area",
    "estimate",
    "std_error",
    "centre",
    "weight",
    "shrunken",
    "low",
    "high",
    "rank",
    "rank_low",
    "rank_high",
)


def table(
    names: Sequence[str],
    estimate: Float1,
    std_error: Float1,
    covariates: Float2 | None,
    generator: np.random.Generator,
    *,
    better: Better = "higher",
    level: float = 0.95,
) -> pd.DataFrame | Refused:
    """One row per area, in the order of the panel and not of the effects.

    ``estimate`` and ``std_error`` are the area's own; ``shrunken`` lies between it and ``centre``, the mean of the
    areas (or the line through them), and keeps ``weight`` of its own deviation; ``low`` to ``high`` is the interval
    around that, see `shrink`. ``rank`` goes by the estimates and stands between ``rank_low`` and ``rank_high``, which
    hold for all areas at once, see `ranks`: where these reach from the first to the last place nothing is known of it.

    Attributes of the table (``attrs``): the ``variance`` between areas, whether that is the least that can be told
    (``floored``), and how many areas are ``told_apart`` from some other.

    Parameters
    ----------
    names : sequence of str
        Of the areas.
    estimate, std_error : (k,) float
        Of their effects; nan for an error that is not known.
    covariates : (k, p) float or None
        See `shrink`.
    generator : Generator
        Of the draws for the ranks.
    better, level
        See `ranks` and `shrink`.
    """
    import pandas as pd

    if len(std_error) != len(names):
        raise ValueError(f"std_error has one number for every area: {len(names)}, not {len(std_error)}")
    without = [name for name, error in zip(names, std_error, strict=True) if not (np.isfinite(error) and error > 0)]
    if without:
        return Refused(
            "the effects of single areas, drawn together",
            f"{len(without)} of {len(names)} areas have no standard error of their own ({', '.join(without[:3])})",
            "Use inference='placebo-space', whose spread among placebo areas is one, or give std_error=.",
        )
    drawn = shrink(estimate, std_error, covariates, level=level)
    if isinstance(drawn, Refused):
        return drawn
    places = ranks(estimate, np.diag(std_error**2), generator, better=better, level=level)
    columns = (
        list(names),
        drawn.estimate,
        drawn.std_error,
        drawn.centre,
        drawn.weight,
        drawn.value,
        drawn.low,
        drawn.high,
        places.rank,
        places.low_all,
        places.high_all,
    )
    frame = pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))
    frame.attrs = {"variance": drawn.variance, "floored": drawn.floored, "told_apart": places.told_apart}
    return frame
