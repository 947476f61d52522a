"""The balance of any columns of a table, as it is asked for from outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from impact.arrays import Float1
from impact.design.balance import Yardstick
from impact.design.balance_table import Balance, balance_of
from impact.design.characteristics import (
    Missing,
    as_usage,
    check_table,
    number_column,
    one_of,
    read_characteristics,
    treatment,
)
from impact.errors import DataError, Problem, Refused, UsageError
from impact.longtable import as_names, few
from impact.terms import Spelled

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Weights", "balance"]

Weights: TypeAlias = "str | pd.Series[Any] | Sequence[float] | Float1"
"""A column, weights by the names of the rows, or one for every row in their order."""


def balance(
    frame: pd.DataFrame,
    *,
    treated: str,
    on: Sequence[Spelled],
    weights: Weights | None = None,
    sd: Yardstick = "pooled",
    squares: bool = False,
    missing: Missing = "refuse",
) -> Balance | Refused:
    """How alike treated units and controls are, before and after weighting: means, spreads and distributions.

    Any column can be looked at, whether it was matched on or not: characteristics, their squares, and outcomes before
    the start. An effect on a later outcome is no imbalance.

    Parameters
    ----------
    frame : DataFrame
        One row per unit, which the index names; it is not changed.
    treated : str
        Column of true and false, or of 1 and 0.
    on : sequence of str or mapping
        Columns of numbers, or logarithms, squares, categories and so on of columns: see ``impact.terms``. A category
        gets a row for every level.
    weights : str, Series or sequence of float, optional
        A column, weights by the names of the rows such as those of ``impact.match``, or one for every row in their
        order. Of the treated too, as those for the ATE; 0 for who is left out. Without them there is no after.
    sd : {"pooled", "treated"}
        What a difference in means is divided by, before weighting and after: sqrt((s²_treated + s²_control) / 2), or
        s_treated; both of before weighting. See ``impact.design.balance.differences``.
    squares : bool
        Whether the squares of numbers get rows too.
    missing : {"refuse", "indicator"}
        What to do where a value is missing: nothing, or the mean in its place and a row for how often.

    Returns
    -------
    Balance or Refused
        ``table()``, ``summary()``, ``largest``, ``effective`` and ``overlap()``; ``impact.design.charts``
        draws it. A refusal says who lacks a value, or that a group is empty or has no weight.

    Raises
    ------
    UsageError
        ``USAGE-003`` a value that is not allowed; ``USAGE-010`` no table; ``TERM-`` a wrong spelling.
    DataError
        ``PANEL-001`` a column that is not there; ``MATCH-`` and ``TERM-`` values that cannot be; ``BALANCE-001``
        weights of other units; ``BALANCE-002`` weights that are blank, negative or infinite.

    Examples
    --------
    >>> import impact, pandas as pd
    >>> frame = pd.DataFrame({"focus": [1, 1, 0, 0], "huur": [0.7, 0.5, 0.2, 0.4]}, index=["a", "b", "c", "d"])
    >>> round(impact.balance(frame, treated="focus", on=["huur"]).largest["before"][0], 2)
    2.12
    """
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        message = f"a table with one row per unit is needed, and this is a {type(frame).__name__}"
        raise UsageError(Problem("USAGE-010", message, "give a DataFrame, with the names of the units as its index"))
    with as_usage():
        one_of("missing", missing, ("refuse", "indicator"))
        if not on:
            raise ValueError("on names no characteristic")
    check_table(frame, [treated, *([weights] if isinstance(weights, str) else [])])
    is_treated = treatment(frame, treated)
    weight = None if weights is None else _weights(frame, weights)
    read = read_characteristics(frame, on, is_treated, fill=missing == "indicator", role=treated)
    if isinstance(read, Refused):
        return read
    return balance_of(frame.index, read, is_treated, weight, sd=sd, squares=squares)


def _weights(frame: pd.DataFrame, given: Weights) -> Float1:
    """(n,) weights in the order of the rows.

    Raises
    ------
    DataError
        ``BALANCE-001`` for weights of other units or another number of them, ``BALANCE-002`` for values that are none.
    """
    import pandas as pd

    if isinstance(given, str):
        values, path = number_column(frame, given), given
    elif isinstance(given, pd.Series):
        path = "weights"
        if not given.index.is_unique or len(frame.index.symmetric_difference(given.index)):
            other = [*as_names(frame.index.symmetric_difference(given.index))]
            what = f"not in both: {few(other, most=8)}" if other else "a unit has more than one weight"
            raise DataError(
                Problem(
                    "BALANCE-001", f"weights and table are of other units ({what})", "one weight per row, 0 for none"
                )
            )
        values = given.reindex(frame.index).to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        path, values = "weights", np.asarray(given, dtype=np.float64)
        if values.shape != (len(frame),):
            raise DataError(
                Problem("BALANCE-001", f"weights have shape {values.shape}, and the table {len(frame)} rows", "")
            )
    bad = ~np.isfinite(values) | (values < 0)
    if bad.any():
        rows = few([str(row) for row in frame.index[bad]], most=8)
        raise DataError(
            Problem(
                "BALANCE-002", f"blank, negative or infinite in rows {rows}", "write 0 for who is left out", path=path
            )
        )
    return values
