"""Randomisation inference on t: the programme as if it had fallen on other areas, every set with its own error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, get_args

import numpy as np

from impact.arrays import Float2, Int1
from impact.errors import Refused
from impact.estimators.protocol import Estimator, Gives
from impact.inference.area_errors import Stood, stand_ins, themselves
from impact.inference.few import FEWEST, too_few
from impact.inference.placebo_sets import Sets, draw, without_residents
from impact.inference.protocol import Found, Uncertainty, evaluate, spread
from impact.longtable import few
from impact.panel import Panel
from impact.parallel import Parallel
from impact.sample import Sample
from impact.streams import Streams
from impact.targets import Target

__all__ = ["RandomizationT"]

_WHAT = "a p-value by randomization-t"
_MOST_FAILURES = 0.05
_TIE = 1e-9
_ROUNDING = 64 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class RandomizationT:
    """Rank of \\|t\\| among those of sets of donors that take the place of the treated areas.

    As `PlaceboSpace`, but never of the estimate by itself: every set is divided by an error of its own, from how its
    areas differ, ``A / (A - 1) Σ s_a² (θ_a - θ)²`` with the shares ``s_a`` of its A areas. A set of areas that happen
    to have much noise, or the treated when they have more than others, then have a larger error too, where a rank of
    estimates would take that for an effect. What areas have in common it does not mend: give `sets` that are as
    contiguous as the treated areas are.

    p = (1 + exceedances) / (1 + sets). The placebo sets hold no treated unit, so a constant effect moves the estimate
    alone, and the interval has every effect that is not rejected. A set that fails counts as an exceedance; with more
    than 5 % of failures it is refused, as it is below 4 treated clusters or areas, and on a matched panel. Where the
    sets are worked out at once, a cohort keeps the share in the term that it has in the programme.

    Parameters
    ----------
    draws : int
        Random sets of donors.
    sets : {"random", "similar-population", "in-cluster", "contiguous", "contiguous-in-cluster"}
        As in `PlaceboSpace`.
    tolerance : float
        Of ``similar-population``: 0.25 is up to a quarter more, either way.

    References
    ----------
    MacKinnon & Webb (2020), Journal of Econometrics 218(2), on t and on coefficients in randomisation inference;
    Young (2019), Quarterly Journal of Economics 134(2).
    """

    draws: int = 999
    sets: Sets = "random"
    tolerance: float = 0.25
    level: float = 0.95

    name: ClassVar[str] = "randomization-t"
    needs: ClassVar[Gives] = Gives.NOTHING

    def __post_init__(self) -> None:
        if self.sets not in get_args(Sets):
            raise ValueError(f"sets={self.sets!r} is not one of {', '.join(get_args(Sets))}")
        if not self.tolerance > 0:
            raise ValueError("tolerance is a share above 0, as 0.25")
        if self.draws < 1:
            raise ValueError("draws is a number of sets, 1 or more")
        if not 0 < self.level < 1:
            raise ValueError(f"level={self.level} is not between 0 and 1")

    def run(
        self,
        estimator: Estimator,
        panel: Panel,
        target: Target,
        *,
        streams: Streams,
        parallel: Parallel,
        full: Found | None = None,
    ) -> Uncertainty | Refused:
        """See ``Inference.run``."""
        found = full or evaluate(estimator, panel, target)
        if isinstance(found, Refused):
            return found
        refused = _unfit(panel, target, found)
        if refused is not None:
            return refused
        own = themselves(estimator, target, found)
        if isinstance(own, Refused):
            return own
        rounding = _ROUNDING * float(np.nanmax(np.abs(found.panel.y), initial=0.0))
        refused_terms = _without(spread(found)[1], own, rounding)
        if all(reason is not None for reason in refused_terms):
            return self._uncertainty(found, own, None, 0, (), refused_terms)
        drawn = draw(
            found.panel,
            self.sets,
            self.draws,
            streams.at(self.name),
            tolerance=self.tolerance,
            complete=estimator.asks.balanced,  # who is not complete is no donor, and the fit names him
        )
        if isinstance(drawn, Refused):
            return Refused(_WHAT, drawn.because, drawn.instead)
        theirs = stand_ins(estimator, panel, target, found, drawn.rows, parallel)
        failures = (
            *(f"{few([panel.units[row] for row in drawn.rows[at]])}: {why}" for at, why in theirs.refused.items()),
            *("a draw found no donors for the areas left over",) * drawn.missing,
        )
        attempted = len(drawn.rows) + drawn.missing
        if len(failures) > _MOST_FAILURES * attempted:
            return Refused(
                _WHAT,
                f"{len(failures)} of {attempted} placebo sets gave no estimate ({failures[0]})",
                "Widen the donor pool or choose a simpler estimator.",
            )
        return self._uncertainty(found, own, theirs, attempted, failures, refused_terms)

    def _uncertainty(
        self,
        found: Found,
        own: Stood,
        theirs: Stood | None,
        attempted: int,
        failures: tuple[str, ...],
        refused: tuple[Refused | None, ...],
    ) -> Uncertainty:
        """The rank of every term that is not refused; `theirs` is None when all are."""
        estimate, given = found.effects.estimate, np.array([reason is None for reason in refused])
        error, p_value, reach = np.where(given, own.error[0], np.nan), *(np.full(len(given), np.nan) for _ in range(2))
        if theirs is not None:
            t = _statistic(theirs)
            t = np.sort(t[~np.isnan(t).any(axis=1)][:, given], axis=0)
            lost = attempted - len(t)
            beyond = (t >= _statistic(own)[:, given] * (1 - _TIE)).sum(axis=0) + lost
            p_value[given] = (1 + beyond) / (1 + attempted)
            place = int((1 - self.level) * (attempted + 1) + _TIE) - lost
            ends = t[-place] if place >= 1 else np.full(int(given.sum()), np.inf)
            reach[given] = ends * error[given]
        centre = np.where(given, own.estimate[0], np.nan)
        exact = np.abs(centre - estimate) <= _TIE * (np.abs(estimate) + np.nan_to_num(error))
        reach = np.where(exact, reach, np.nan)
        return Uncertainty(
            self.name,
            "no effect, treated areas exchangeable with donors",
            error,
            np.full(len(given), np.nan),
            estimate - reach,
            estimate + reach,
            p_value,
            self.level,
            refused,
            *spread(found),
            draws=attempted - len(failures),
            attempted=attempted,
            failures=failures,
            mc_error=np.sqrt(p_value * (1 - p_value) / (1 + attempted)),
        )


def _statistic(stood: Stood) -> Float2:
    """(S, m) |t|; infinite where areas do not differ and the estimate is not 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(stood.estimate) / stood.error
    return np.where((stood.error == 0) & (stood.estimate == 0), 0.0, t)


def _without(clusters: Int1, own: Stood, rounding: float) -> tuple[Refused | None, ...]:
    """Why a term has no p-value: too few treated clusters or areas carry weight in it, or these do not differ."""
    reasons = list(too_few(clusters, "a p-value"))
    for term, (count, error) in enumerate(zip(own.areas, own.error[0], strict=True)):
        if reasons[term] is None and count < FEWEST:
            reasons[term] = Refused(
                "a p-value",
                f"{count} treated areas carry weight in it, and how fewer than {FEWEST} differ tells too little",
                "Use placebo-space, or a target over more areas.",
            )
        elif reasons[term] is None and error <= rounding:
            reasons[term] = Refused(
                "a p-value",
                "the estimator gives all areas one effect, or their outcomes do not move, so no error shows",
                "Use wild or cluster-jackknife.",
            )
    return tuple(reasons)


def _unfit(panel: Panel, target: Target, found: Found) -> Refused | None:
    """Why there is no p-value, before anything is drawn."""
    if isinstance(panel, Sample):
        return Refused(
            _WHAT,
            "the programme cannot fall on donors that are seen once only",
            "Use cluster-jackknife or score-flip.",
        )
    if panel.pairs is not None:
        return Refused(
            _WHAT,
            "the panel is matched, and who stands in for an area would need controls of its own",
            "Run it on the unmatched panel, or use placebo-space with the matching rule.",
        )
    unknown = without_residents(found.panel) if target.weighting == "resident" else []
    if unknown:
        return Refused(
            _WHAT,
            f"{len(unknown)} units have no residents, or none that are known ({few(unknown)}), and what a placebo area "
            "counts for goes by them",
            "Name the column with residents= in Panel.from_frame, leave these units out, or use another weighting.",
        )
    return None
