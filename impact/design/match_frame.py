"""``impact.match``: pairs, sets or weights of a table, by the name of a method."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from impact.design.characteristics import as_usage, check_table, number_column, treatment
from impact.design.imputation import imputed
from impact.design.matched import Matched
from impact.design.methods import resolve
from impact.design.strata import Estimand
from impact.errors import Problem, Refused, UsageError
from impact.parallel import one_thread
from impact.streams import Streams
from impact.terms import Spelled, read_terms

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["match"]


def match(
    frame: pd.DataFrame,
    *,
    treated: str,
    on: Sequence[Spelled],
    method: str = "nearest",
    estimand: Estimand | None = None,
    **options: Any,
) -> Matched | Refused:
    """Match treated units with controls on what was known before the start.

    No single choice of `on` is safe. Where areas were chosen for lasting reasons, matching on all earlier outcomes
    biases the comparison; where they were chosen on a score that is partly chance, *not* matching on it does. Match on
    structure and size, and on outcomes only of periods that are neither base nor selection wave.

    Parameters
    ----------
    frame : DataFrame
        One row per unit, which the index names; it is not changed. Treated areas of several units are rows of their
        means (``impact.design.matching.area_means``).
    treated : str
        Column of true and false, or of 1 and 0.
    on : sequence of str or mapping
        Columns of numbers to match on, or logarithms, categories and so on of columns: see ``impact.terms``. For
        ``exact`` and ``coarsened-exact`` columns of any kind.
    method : str
        ``nearest``: the nearest controls of every treated unit. ``optimal``: every control at most once and the
        smallest total distance. ``full``: everybody who may be matched, in sets of one treated unit or one control.
        ``exact`` and ``coarsened-exact``: everybody who has an equal, numbers in classes for the latter.
        Weights without pairs: ``entropy`` (as even as moments that are met exactly allow: Hainmueller 2012), ``stable``
        (of the least variance with moments within a tolerance: Zubizarreta 2015), ``inverse-probability`` and
        ``overlap`` (of a propensity score: Li, Morgan & Zaslavsky 2018). These give a ``Matched`` whose ``table()`` has
        a row per moment, and refuse with the moments that cannot be met, by how much, and the units that make it so.
    estimand : {"ATT", "ATE", "ATC", "ATO", "ATM"}, optional
        Whom the weights stand for: the treated (the default), all units (``full``, the two of strata and weights), the
        controls (weights); for ``overlap`` those who could as well have been treated as not (ATO, its default) or could
        be matched in pairs (ATM).
    **options
        Those of the method, ``USAGE-002`` lists them:

        - `distance`: ``mahalanobis`` (the default), ``robust-mahalanobis``, ``scaled-euclidean``; ``propensity`` (the
          log odds of a logit on the covariates) or ``propensity-probability``; or a column that holds a score.
        - `ratio`: controls per treated unit, 1 by default; ``nearest`` and ``optimal``.
        - `caliper`: the most that a treated unit and its control may differ, in standard deviations: of the score over
          all units, or of every covariate within both groups. A mapping gives each its own; its names are those of
          covariates, columns, ``propensity`` or ``propensity-probability``.
        - `exact`: columns in which both must be equal. `cutpoints`: for columns of numbers among them (or among `on`
          of ``coarsened-exact``) the number of classes of one width, or the points between classes.
        - `propensity_on`: covariates of the propensity where they are not those of `on`.
        - `replace`, for ``nearest``: whether a control may serve several treated units; true by default, as good
          controls are scarce. `order`: who chooses first where it may not, ``largest`` (the highest score, or who has
          its nearest control farthest away), ``smallest``, ``data`` or ``random`` with `seed`.
        - `missing`: ``refuse``, or ``indicator`` for means in the place of gaps and a covariate that says where; or
          ``{"impute": N}`` (with a ``seed``, 1 by default) for the mean of N draws from what the other numbers say
          (``impact.design.imputation``).
        - `moments`, for ``entropy`` and ``stable``: 1, 2 or 3 for means, also squares, also cubes of every number, or
          a mapping of names to these. Products are spelled in `on`.
        - `tolerance`, for ``stable``: standard deviations that a moment may differ, 0.05 by default, or a mapping.
        - `base_weights`, for ``entropy``: column of the weights to stay near to. `max_weight`: the largest share of its
          group's weight that a unit may have.
        - `counts`, for ``entropy``, ``stable`` and ``inverse-probability`` (ATT): column of what every treated unit
          counts for, such as its residents, or one over the number of units of its area; once each by default.
        - `trim`, for ``inverse-probability``: leave out scores nearer than this to 1 (ATT), 0 (ATC) or either (ATE);
          ``optimal`` is the most precise (Crump, Hotz, Imbens & Mitnik 2009).

    Returns
    -------
    Matched or Refused
        A refusal says which units lack a value, which covariates do not vary, follow from others or separate the
        treated from the controls, and that calipers leave nobody.

    Raises
    ------
    UsageError
        ``USAGE-001`` unknown method; ``USAGE-002`` an option that it does not have; ``USAGE-003`` a value that is not
        allowed; ``USAGE-010`` no table; ``TERM-`` a wrong spelling of a covariate.
    DataError
        ``PANEL-001`` a column that is not there, ``MATCH-`` and ``TERM-`` values that cannot be.

    Examples
    --------
    >>> import impact, pandas as pd
    >>> frame = pd.DataFrame({"focus": [1, 0, 0, 0], "huur": [0.7, 0.2, 0.6, 0.4]}, index=["a", "b", "c", "d"])
    >>> impact.match(frame, treated="focus", on=["huur"], ratio=2).pairs["control"].tolist()
    ['c', 'd']
    """
    import pandas as pd

    if not isinstance(frame, pd.DataFrame):
        message = f"a table with one row per unit is needed, and this is a {type(frame).__name__}"
        raise UsageError(Problem("USAGE-010", message, "give a DataFrame, with the names of the units as its index"))
    chosen = resolve(method)
    known = list(inspect.signature(chosen).parameters)[1:]
    if wrong := [name for name in options if name not in known]:
        message = f"{', '.join(wrong)} is no option of {method}"
        raise UsageError(Problem("USAGE-002", message, f"it has {', '.join(known)}"))
    if estimand is not None:
        options["estimand"] = estimand
    with one_thread():
        filled = _completed(frame, treated, on, options)
        if isinstance(filled, Refused):
            return filled
        frame, notes = filled
        found: Matched | Refused = chosen(frame, treated=treated, on=on, **options)
    return found if isinstance(found, Refused) or not notes else replace(found, notes=(*found.notes, *notes))


def _completed(
    frame: pd.DataFrame, treated: str, on: Sequence[Spelled], options: dict[str, Any]
) -> tuple[pd.DataFrame, tuple[str, ...]] | Refused:
    """The table with the numbers of `on` completed where `options` ask so, and what to know about it."""
    asked = options.get("missing")
    if not isinstance(asked, Mapping):
        return frame, ()
    with as_usage():
        draws, seed = asked.get("impute"), asked.get("seed", 1)
        if not set(asked) <= {"impute", "seed"} or not isinstance(draws, int) or draws < 2 or not isinstance(seed, int):
            raise ValueError("missing is 'refuse', 'indicator', or {'impute': N} of 2 or more, with a 'seed' if any")
    options["missing"] = "refuse"
    names = list(dict.fromkeys(name for term in read_terms(on) for name in term.numbers))
    check_table(frame, [treated, *names])
    x = np.column_stack([*(number_column(frame, name) for name in names), treatment(frame, treated)])
    gaps = {name: int(count) for name, count in zip(names, np.isnan(x).sum(axis=0), strict=False) if count}
    if not gaps:
        return frame, ()
    tables = imputed(x, (*names, treated), draws, Streams(seed).at("imputation"))
    if isinstance(tables, Refused):
        return tables
    spread = tables.std(axis=0, ddof=1)
    notes = tuple(
        f"{name} is missing for {count} units; the mean of {draws} draws from the other numbers stands in, each with a "
        f"standard deviation up to {spread[:, names.index(name)].max():.3g}"
        for name, count in gaps.items()
    )
    mean = np.where(np.isnan(x), tables.mean(axis=0), x)
    return frame.assign(**{name: mean[:, names.index(name)] for name in gaps}), notes
