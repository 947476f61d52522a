"""The answer of ``impact.estimate``: terms, their uncertainty, and everything needed to draw or tabulate them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from impact.cells import Fit
from impact.checks.event_study import Combination
from impact.checks.honest import DRAWS, Method, bounds
from impact.checks.pretrend_table import pretrend_table
from impact.displayed import Displayed
from impact.errors import Problem, Refused, UsageError
from impact.estimators.diagnostics import briefly, diagnose
from impact.evidence.departures import breakdown, departures
from impact.evidence.result_tables import COLUMNS, By, diagnostics_table, tuned_table, weights_table
from impact.evidence.result_words import band_words, breakdown_words, known_words
from impact.inference.known_error import KnownError
from impact.inference.protocol import Uncertainty
from impact.inference.support import status
from impact.numerics.trend_bounds import Monotonicity, Restriction, Sign
from impact.panel import Panel
from impact.streams import Streams
from impact.targets import Effects, Target

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike

    from impact.evidence.charts import ResultPlots
    from impact.heterogeneity.ranks import Better

__all__ = ["COLUMNS", "Result"]

_SHOWN = 6  # terms in the short form


@dataclass(frozen=True, slots=True, eq=False)
class Result(Displayed):
    """An estimate with its uncertainty.

    Attributes
    ----------
    panel : Panel
        As prepared for the target.
    target : Target
    fit : Fit
    effects : Effects
    uncertainty : Uncertainty or Refused
        A refusal leaves the estimates standing, without interval or p-value.
    method, inference : str
        Names of the estimator and the inference.
    seed : int
    known : KnownError or Refused or None
        What the known errors of the figures add to the error of the terms; None when the panel has none.
    again : callable or None
        The same effects for another target, with changes since one period as estimates before the start.
    """

    panel: Panel
    target: Target
    fit: Fit
    effects: Effects
    uncertainty: Uncertainty | Refused
    method: str
    inference: str
    seed: int
    known: KnownError | Refused | None = None
    again: Callable[[Target], Result | Refused] | None = None

    @property
    def unit(self) -> str:
        """Unit of the effects: that of the outcome, or "proportion"."""
        return self.fit.unit or self.panel.unit

    def tidy(self) -> pd.DataFrame:
        """One row per term; numbers that are not given are nan and `status` says why.

        `n` counts the units with weight, treated and control; `clusters` those with weight in the term.
        """
        import pandas as pd

        from impact.inference.protocol import Found, spread

        clusters, _, _, _ = spread(Found(self.panel, self.fit, self.effects))
        known = self.uncertainty if isinstance(self.uncertainty, Uncertainty) else None
        nothing = np.full(len(self.effects.terms), np.nan)
        band = None if known is None else known.band
        error = nothing if known is None else known.std_error
        with np.errstate(divide="ignore", invalid="ignore"):
            statistic = self.effects.estimate / error
        controls = self.panel.never if self.panel.pairs is None else (self.panel.pairs > 0).any(axis=0)
        table: dict[str, Any] = {
            "target": self.target.kind,
            "term": self.effects.terms,
            "weighting": self.target.weighting,
            "estimate": self.effects.estimate,
            "std_error": error,
            "df": nothing if known is None else known.df,
            "statistic": statistic,
            "p_value": nothing if known is None else known.p_value,
            "ci_low": nothing if known is None else known.low,
            "ci_high": nothing if known is None else known.high,
            "band_low": nothing if band is None else band.low,
            "band_high": nothing if band is None else band.high,
            "n": int(((self.panel.treated | controls) & (self.panel.weight > 0)).sum()),
            "areas": self.effects.areas,
            "clusters": clusters,
            "method": self.method,
            "unit": self.unit,
            "status": [self.status(term) for term in range(len(self.effects.terms))],
        }
        return pd.DataFrame(table)[list(COLUMNS)]

    def status(self, term: int) -> str:
        """ "ok", "unsized", or why the term has no interval; nothing is known of the level of adjusted estimates."""
        refused = self.uncertainty if isinstance(self.uncertainty, Refused) else self.uncertainty.refused[term]
        share = self.effects.share[:, term]
        found = status(self.method, self.inference, refused, int((share > 0).sum()), float(share.max()))
        return "unsized" if found == "ok" and self.panel.covariates else found

    def known_error(self, level: float = 0.95) -> pd.DataFrame | Refused:
        """How much of the error of every term is known beforehand: that of the figures, from samples or rounding.

        One row per term. `known_error` is the error that the figures' own errors give it, and `share` its part of the
        variance ``std_error²``: what more respondents would take away and more areas would not. (It may exceed 1, as
        that variance is an estimate.) `full_low` to `full_high` is a `level` interval for what would have been
        estimated from figures without those errors, as from a full count.

        That interval may be given for a single area, which has no other. It is *not* one for the effect of the
        programme there: what else happened in that area and nowhere else is no error of the figures. It says how well
        the difference in development is known, and the effect is known less well.

        Parameters
        ----------
        level : float
            Of the interval.

        Returns
        -------
        DataFrame or Refused
            Columns target, term, weighting, estimate, std_error, known_error, share, full_low, full_high, status.
        """
        from scipy import stats

        if self.known is None:
            return Refused(
                "the known error", "the panel has no errors of its figures", "Name their column with se= in from_frame."
            )
        if isinstance(self.known, Refused):
            return self.known
        table = self.tidy()[["target", "term", "weighting", "estimate", "std_error", "status"]]
        known = self.known.std_error
        reach = float(stats.norm.ppf(0.5 + level / 2)) * known
        added: dict[str, Any] = {
            "known_error": known,
            "share": self.known.share(table["std_error"].to_numpy()),
            "full_low": self.effects.estimate - reach,
            "full_high": self.effects.estimate + reach,
        }
        status = table.pop("status")
        return table.assign(**added, status=status)

    def honest(
        self,
        restriction: Restriction = "relative-magnitudes",
        grid: Sequence[float] | None = None,
        combination: Combination = "mean",
        sign: Sign | None = None,
        monotonicity: Monotonicity | None = None,
        *,
        method: Method | None = None,
        draws: int = DRAWS,
    ) -> pd.DataFrame | Refused:
        """Intervals that hold although treated and controls may drift apart, by how far they may; see `impact.honest`.

        For an estimate with ``target="event"`` or ``"average"``. Its estimates before the start have to be changes
        since one reference period; where they are not, the same effects are estimated again with such ones beside them
        (``impact.evidence.departures``). The covariance is that of the inference, enlarged by (t / 1.96)²: with no
        departure the interval is never shorter than the declared one. Where the base is the mean of several periods,
        departures count from that mean.

        Parameters
        ----------
        restriction, grid, sign, monotonicity, method, draws
            As in `impact.honest`.
        combination : "mean", int or sequence of float
            The mean over the event times from 0 on, one event time, or a weight for each of them.

        Returns
        -------
        DataFrame or Refused
            As `impact.honest` gives it, with a column `left_out`. Refused where estimates by event time have a varying
            base, and where weights were fitted to the time before the start.

        Raises
        ------
        UsageError
            ``USAGE-008`` another target; ``USAGE-003`` a value that is not allowed.
        """
        found = departures(self, combination)
        if isinstance(found, Refused):
            return found
        return bounds(found, restriction, grid, sign, monotonicity, method, draws, self.seed)

    def breakdown(self) -> float | Refused:
        """How far parallel trends may fail before no effect fits the data as well: a number for every result.

        The smallest bound, in times the largest change before the start, at which the interval of `honest` by relative
        magnitudes holds 0; inf when none does.
        """
        return breakdown(self)

    def pretrend(self, bound: float | None = None, combination: Combination = "mean") -> pd.DataFrame | Refused:
        """What the time before the start says of parallel trends, and what it could have said.

        One row per question, for an estimate with ``target="event"``: whether all estimates before the start are 0 (a
        joint test), whether all are smaller than `bound` (an equivalence test), and (where they are changes since one
        reference period) how large a linear trend the intervals before the start would have shown, with the bias among
        those who go on because they showed none. See `impact.checks.pretrend`. None of this is a gate.

        Parameters
        ----------
        bound : float, optional
            A difference that would not matter, in units of the outcome.
        combination : "mean", int or sequence of float
            Of which the bias is told; as in `honest`.

        Returns
        -------
        DataFrame or Refused
            Columns question, value, p_value, df, status.

        Raises
        ------
        UsageError
            ``USAGE-008`` another target; ``USAGE-003`` a value that is not allowed.
        """
        return pretrend_table(self.effects, self.uncertainty, self.fit, self.target, bound, combination)

    def weights(self, by: By = "group") -> pd.DataFrame:
        """Unit weights in long form, those of 0 left out; empty without weights.

        Parameters
        ----------
        by : {"group", "area"}
            ``group``: the weights of the cells, by cohort (or by area where the target asks for areas). ``area``: those
            of every comparison by itself, of which the former are the mean.

        Returns
        -------
        DataFrame
            Columns `by`, unit, weight. Weights may be negative and need not sum to 1: see the estimator.

        Raises
        ------
        UsageError
            ``USAGE-003`` another `by`; ``USAGE-008`` weights by area of an estimator that has them by group only.
        """
        return weights_table(self.panel, self.fit, self.method, by)

    def diagnostics(self) -> pd.DataFrame | Refused:
        """How far every comparison can be trusted, for an estimator that weights donors: one row per treated area.

        See ``impact.estimators.diagnostics.Diagnosis`` for what the columns are, and in which units.

        Returns
        -------
        DataFrame or Refused
            Columns area, periods, donors, rmspe, rmspe_relative, noise, in_hull, distance, weighted, effective_donors,
            largest_share, largest_donor, negative, outside, beyond, warnings (sentences; "" where there is nothing to
            warn of). What is not known is missing.
        """
        return diagnostics_table(self.panel, self.fit)

    def areas(
        self,
        std_error: ArrayLike | None = None,
        covariates: ArrayLike | None = None,
        *,
        better: Better = "higher",
        level: float = 0.95,
    ) -> pd.DataFrame | Refused:
        """The treated areas by themselves, each drawn towards what they have in common, with the ranks they may have.

        See ``impact.heterogeneity.areas.table`` for the columns. Of a result with target "unit"; the standard errors
        are those of its inference where that gives them for single areas, as placebo-space does.

        Parameters
        ----------
        std_error : array of one number an area, optional
            Standard errors from elsewhere.
        covariates : array of one row an area, optional
            Characteristics that explain part of the differences.
        better : {"higher", "lower"}
            Which effects come first.
        level : float
            Of the intervals and of the sets of ranks.

        Returns
        -------
        DataFrame or Refused
            Refused where single areas have no standard error, and below 5 areas.

        Raises
        ------
        UsageError
            ``USAGE-003`` the target is not "unit".
        """
        from impact.heterogeneity.areas import table

        if self.target.kind != "unit":
            message = f"areas() is about single areas, and the target of this result is {self.target.kind!r}"
            raise UsageError(Problem("USAGE-003", message, "estimate with target='unit'"))
        known = self.uncertainty if isinstance(self.uncertainty, Uncertainty) else None
        own = np.full(len(self.effects.terms), np.nan) if known is None else known.std_error
        error = own if std_error is None else np.asarray(std_error, dtype=np.float64)
        generator = Streams(self.seed).at("areas").generator()
        rows = None if covariates is None else np.asarray(covariates, dtype=np.float64)
        return table(self.effects.terms, self.effects.estimate, error, rows, generator, better=better, level=level)

    def tuned(self) -> pd.DataFrame:
        """What the estimator chose from the data; empty where it chose nothing.

        Returns
        -------
        DataFrame
            One row per chosen number. Columns piece (the area or group; "" where all share it), parameter, label (of
            what), value, loss (what was minimised, at the choice), tried (candidates, or starts), loss_low and
            loss_high (over these: close together where the choice is flat, or where every start came to the same).
        """
        return tuned_table(self.fit)

    def __repr__(self) -> str:
        """What was estimated, and its first terms."""
        lines = [self._title(), *map(self._line, range(min(len(self.effects.terms), _SHOWN)))]
        more = len(self.effects.terms) - _SHOWN
        return "\n".join([*lines, *([f"  and {more} more terms: see summary() or tidy()"] if more > 0 else [])])

    def _title(self) -> str:
        return f"{self.method}, {self.inference}, target {self.target.kind} weighted by {self.target.weighting}"

    def _line(self, number: int) -> str:
        """One term with its interval and p-value, as far as it has them."""
        known = self.uncertainty if isinstance(self.uncertainty, Uncertainty) else None
        line = f"  {self.effects.terms[number]:>10}  {self.effects.estimate[number]:.4g}"
        if known is not None and np.isfinite(known.low[number]):
            line += f" [{known.low[number]:.4g}, {known.high[number]:.4g}]"
        if known is not None and np.isfinite(known.p_value[number]):
            line += f" p = {known.p_value[number]:.3g}"
        status = self.status(number)
        return line if status == "ok" else f"{line}  ({status})"

    def summary(self) -> str:
        """A few lines of text for a terminal."""
        from impact.inference.protocol import Found, spread

        clusters, treated, largest, effective = spread(Found(self.panel, self.fit, self.effects))
        named = "" if self.panel.clustered else " (no cluster was given: every unit is its own)"
        known = self.uncertainty if isinstance(self.uncertainty, Uncertainty) else None
        lines = [self._title(), *map(self._line, range(len(self.effects.terms)))]
        lines.append(
            f"clusters {clusters[-1]}, treated {treated[-1]}, largest share {largest[-1]:.0%}, "
            f"effective {effective[-1]:.1f}{named}"
        )
        if known is not None and known.band is not None:
            lines.append(band_words(known, known.band))
        lines += (
            [f"set aside, treated from the first period: {', '.join(self.panel.aside)}"] if self.panel.aside else []
        )
        if isinstance(self.uncertainty, Refused):
            lines.append(str(self.uncertainty))
        if self.known is not None:
            lines.append(known_words(self.known, self.effects.terms, self.uncertainty))
        if self.target.kind in ("average", "event"):
            lines.append(breakdown_words(self.breakdown()))
        found = diagnose(self.panel, self.fit)
        cautions = [] if isinstance(found, Refused) else briefly(found)
        return "\n".join([*lines, *self.panel.notes, *self.fit.notes, *cautions])

    @property
    def plot(self) -> ResultPlots:
        """Figures: see ``impact.evidence.charts.ResultPlots``."""
        from impact.evidence.charts import ResultPlots

        return ResultPlots(self)
