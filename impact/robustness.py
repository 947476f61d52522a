"""How much an estimate rests on: placebo programmes, single donors and periods, and starts that never were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from impact.configure import checked, configured, estimator_of, target_of
from impact.errors import Problem, Refused, UsageError
from impact.estimators.protocol import Estimator
from impact.inference.earlier_starts import EarlierStarts, earlier_starts
from impact.inference.leaving_out import (
    Kind as LeftOut,
)
from impact.inference.leaving_out import (
    LeaveOneOut,
    leave_one_area_out,
    leave_one_cluster_out,
    leave_one_donor_out,
    leave_one_period_out,
)
from impact.inference.placebo import Placebos, PlaceboSpace
from impact.panel import Panel, Weighting
from impact.parallel import Parallel, one_thread
from impact.streams import Streams
from impact.targets import Kind, Target

__all__ = ["backdate", "leave_one_out", "placebos"]

_LEAVE = {
    "donor": leave_one_donor_out,
    "period": leave_one_period_out,
    "area": leave_one_area_out,
    "cluster": leave_one_cluster_out,
}


def placebos(
    panel: Panel,
    estimator: str | Estimator = "synthetic-control",
    *,
    target: Kind | Target = "average",
    weighting: Weighting = "unit",
    seed: int = 1,
    parallel: Parallel | None = None,
    **options: Any,
) -> Placebos | Refused:
    """Placebo programmes on donors, as the inference ``placebo-space`` runs them, with their gaps for figures.

    Parameters are those of ``impact.estimate``; `options` are those of the estimator, then of ``placebo-space``. Draw
    them with ``result.plot.placebos(...)`` and ``result.plot.ranking(...)``.

    Raises
    ------
    UsageError
        As ``impact.estimate``.
    """
    checked(panel)
    chosen, how = configured(estimator, "placebo-space", 0.95, options)
    asked = target_of(target, weighting)
    with one_thread():
        return cast("PlaceboSpace", how).placebos(
            chosen, panel, asked, streams=Streams(seed), parallel=parallel or Parallel()
        )


def leave_one_out(
    panel: Panel,
    estimator: str | Estimator = "synthetic-control",
    *,
    of: LeftOut = "donor",
    target: Kind | Target = "average",
    weighting: Weighting = "unit",
    parallel: Parallel | None = None,
    **options: Any,
) -> LeaveOneOut | Refused:
    """The estimate without each donor that has weight, period before the start, treated area or cluster, in turn.

    Parameters are those of ``impact.estimate``; `options` are those of the estimator.

    Raises
    ------
    UsageError
        As ``impact.estimate``; ``USAGE-003`` for another `of`.
    """
    checked(panel)
    if of not in _LEAVE:
        raise UsageError(Problem("USAGE-003", f"of={of!r} is not one of {', '.join(_LEAVE)}"))
    with one_thread():
        return _LEAVE[of](estimator_of(estimator, options), panel, target_of(target, weighting), parallel=parallel)


def backdate(
    panel: Panel,
    estimator: str | Estimator = "synthetic-control",
    *,
    back: Sequence[int] | None = None,
    target: Kind | Target = "average",
    weighting: Weighting = "unit",
    parallel: Parallel | None = None,
    **options: Any,
) -> EarlierStarts | Refused:
    """The estimate as if the programme had started earlier, from periods before the real start alone.

    An in-time placebo (Abadie 2021, JEL 59(2), section 3.5). Parameters are those of ``impact.estimate``; `back` gives
    how many periods earlier (all that can be by default); `options` are those of the estimator.

    Raises
    ------
    UsageError
        As ``impact.estimate``.
    """
    checked(panel)
    asked = target_of(target, weighting)
    with one_thread():
        return earlier_starts(estimator_of(estimator, options), panel, asked, back=back, parallel=parallel)
