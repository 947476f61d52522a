"""The checks of the time before the start side by side, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from impact.cells import Fit
from impact.checks.event_study import Combination, event_study, leads
from impact.checks.pretrend import equivalence, joint, power
from impact.errors import Problem, Refused, UsageError
from impact.inference.protocol import Uncertainty
from impact.targets import Effects, Target

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COLUMNS", "pretrend_table"]

COLUMNS = ("question", "value", "p_value", "df", "status")

_POWER = "the power of the time before the start"


def pretrend_table(
    effects: Effects,
    uncertainty: Uncertainty | Refused,
    fit: Fit,
    target: Target,
    bound: float | None,
    combination: Combination,
) -> pd.DataFrame | Refused:
    """See ``Result.pretrend``."""
    import pandas as pd

    if bound is not None and not bound > 0:
        raise UsageError(Problem("USAGE-003", f"bound={bound} is not above 0"))
    before = leads(effects, uncertainty, fit, target)
    if isinstance(before, Refused):
        return before
    rows: list[tuple[str, float, float, float, str]] = []

    def add(question: str, value: float | None, p_value: float | None = None, df: float | None = None) -> None:
        missing = value is None and p_value is None
        numbers = [np.nan if number is None else float(number) for number in (value, p_value, df)]
        rows.append((question, numbers[0], numbers[1], numbers[2], "refused: it is never reached" if missing else "ok"))

    def refuse(question: str, why: Refused) -> None:
        rows.append((question, np.nan, np.nan, np.nan, f"refused: {why.because}"))

    together = joint(before)
    name = f"all {len(before.events)} estimates before the start are 0 (F)"
    if isinstance(together, Refused):
        refuse(name, together)
    else:
        add(name, together.statistic, together.p_value, together.df)
    same = equivalence(before, bound)
    if bound is not None:
        add(f"some difference before the start is {bound:g} or more", None, same.p_value)
    add(f"smallest bound on these differences that holds at {before.level:.0%}", same.smallest)
    study = event_study(effects, uncertainty, fit, target, combination)
    if isinstance(study, Refused):
        refuse(_POWER, study)
    else:
        seen = power(study)
        add("probability of a significant period before the start without any trend", seen.size)
        add("slope per period that shows in half of cases", seen.slope50)
        add("slope per period that shows in 80% of cases", seen.slope80)
        add("slope per period that would be the whole estimate", seen.slope)
        add("probability that this slope shows", seen.detected)
        add("the estimate, if this slope were all of it", seen.bias)
        add("its mean among cases in which nothing shows", seen.bias_after_passing)
    return pd.DataFrame(rows, columns=list(COLUMNS))
