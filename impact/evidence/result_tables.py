"""Tables of a result: columns of its terms, weights of units, diagnostics of donors, what was chosen from the data."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from impact.arrays import Float1
from impact.cells import Fit
from impact.errors import Problem, Refused, UsageError
from impact.estimators.diagnostics import Diagnosis, diagnose, piece_names
from impact.panel import Panel

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "By", "diagnostics_table", "tuned_table", "weights_table"]

By = Literal["group", "area"]

COLUMNS = (
    "target",
    "term",
    "weighting",
    "estimate",
    "std_error",
    "df",
    "statistic",
    "p_value",
    "ci_low",
    "ci_high",
    "band_low",
    "band_high",
    "n",
    "areas",
    "clusters",
    "method",
    "unit",
    "status",
)


def weights_table(panel: Panel, fit: Fit, method: str, by: By) -> pd.DataFrame:
    """See ``impact.Result.weights``."""
    import pandas as pd

    if by not in get_args(By):
        raise UsageError(Problem("USAGE-003", f"by={by!r} is not one of {', '.join(get_args(By))}"))
    found, names = fit.weights, () if fit.weights is None else fit.weights.groups
    if by == "area" and found is not None:
        if fit.pieces is None:
            raise UsageError(
                Problem("USAGE-008", f"{method} has no weights by area", "use by='group', or target='unit'")
            )
        found, names = fit.pieces, piece_names(panel, fit)
    rows = [
        (name, unit, float(weight))
        for name, row in zip(names, () if found is None else found.unit, strict=True)
        for unit, weight in zip(() if found is None else found.units, row, strict=True)
        if weight != 0
    ]
    return pd.DataFrame(rows, columns=[by, "unit", "weight"])


def diagnostics_table(panel: Panel, fit: Fit) -> pd.DataFrame | Refused:
    """See ``impact.Result.diagnostics``."""
    import pandas as pd

    found = diagnose(panel, fit)
    if isinstance(found, Refused):
        return found
    names = [field.name for field in fields(Diagnosis) if field.name != "cautions"]
    table = pd.DataFrame([{name: getattr(one, name) for name in names} for one in found], columns=names)
    table = table.astype({"rmspe_relative": float, "noise": float, "in_hull": "boolean"})
    return table.assign(warnings=[" ".join(caution.says for caution in one.cautions) for one in found])


def tuned_table(fit: Fit) -> pd.DataFrame:
    """See ``impact.Result.tuned``."""
    import pandas as pd

    columns = ["piece", "parameter", "label", "value", "loss", "tried", "loss_low", "loss_high"]
    rows = [
        (one.piece, one.parameter, label, float(value), one.loss, len(one.losses), *_ends(one.losses))
        for one in fit.tuned
        for label, value in zip(one.labels or ("",), np.atleast_1d(one.value), strict=True)
    ]
    return pd.DataFrame(rows, columns=columns)


def _ends(losses: Float1) -> tuple[float, float]:
    """Least and greatest of the losses that are known."""
    known = losses[np.isfinite(losses)]
    return (float(known.min()), float(known.max())) if known.size else (np.nan, np.nan)
