"""The answer of ``impact.estimate``: terms, their uncertainty, and everything needed to draw or tabulate them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from impact.cells import Fit
from impact.errors import Refused
from impact.inference.known_error import KnownError
from impact.inference.protocol import Band, Uncertainty
from impact.inference.support import status
from impact.panel import Panel
from impact.targets import Effects, Target

if TYPE_CHECKING:
    import pandas as pd

    from impact.evidence.charts import ResultPlots

__all__ = ["COLUMNS", "Result"]

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


@dataclass(frozen=True, slots=True, eq=False)
class Result:
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
        found = status(self.method, self.inference, refused)
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

    def weights(self) -> pd.DataFrame:
        """Unit weights in long form: group, unit, weight; empty without weights. Weights of 0 are left out."""
        import pandas as pd

        found = self.fit.weights
        rows = (
            []
            if found is None
            else [
                (group, unit, float(weight))
                for group, row in zip(found.groups, found.unit, strict=True)
                for unit, weight in zip(found.units, row, strict=True)
                if weight > 0
            ]
        )
        return pd.DataFrame(rows, columns=["group", "unit", "weight"])

    def summary(self) -> str:
        """A few lines of text for a terminal."""
        from impact.inference.protocol import Found, spread

        clusters, treated, largest, effective = spread(Found(self.panel, self.fit, self.effects))
        named = "" if self.panel.clustered else " (no cluster was given: every unit is its own)"
        lines = [f"{self.method}, {self.inference}, target {self.target.kind} weighted by {self.target.weighting}"]
        known = self.uncertainty if isinstance(self.uncertainty, Uncertainty) else None
        for number, term in enumerate(self.effects.terms):
            line = f"  {term:>10}  {self.effects.estimate[number]:.4g}"
            if known is not None and np.isfinite(known.low[number]):
                line += f" [{known.low[number]:.4g}, {known.high[number]:.4g}]"
            if known is not None and np.isfinite(known.p_value[number]):
                line += f" p = {known.p_value[number]:.3g}"
            status = self.status(number)
            lines.append(line if status == "ok" else f"{line}  ({status})")
        lines.append(
            f"clusters {clusters[-1]}, treated {treated[-1]}, largest share {largest[-1]:.0%}, "
            f"effective {effective[-1]:.1f}{named}"
        )
        if known is not None and known.band is not None:
            lines.append(_band(known, known.band))
        lines += (
            [f"set aside, treated from the first period: {', '.join(self.panel.aside)}"] if self.panel.aside else []
        )
        if isinstance(self.uncertainty, Refused):
            lines.append(str(self.uncertainty))
        if self.known is not None:
            lines.append(_known(self.known, self.effects.terms, self.uncertainty))
        return "\n".join([*lines, *self.panel.notes, *self.fit.notes])

    @property
    def plot(self) -> ResultPlots:
        """Figures: ``event_study()``, ``gap()``, ``weights()``."""
        from impact.evidence.charts import ResultPlots

        return ResultPlots(self)


def _known(known: KnownError | Refused, terms: tuple[str, ...], uncertainty: Uncertainty | Refused) -> str:
    """How much of the error of the last term that has one was known beforehand."""
    if isinstance(known, Refused):
        return str(known)
    held = ", with the weights taken as given" if known.given_weights else ""
    error = np.full(len(terms), np.nan) if isinstance(uncertainty, Refused) else uncertainty.std_error
    share = known.share(error)
    given = np.flatnonzero(np.isfinite(share))
    if not given.size:
        low, high = known.std_error.min(), known.std_error.max()
        spread = f"{low:.4g}" if len(terms) == 1 else f"{low:.4g} to {high:.4g}"
        return f"known error of the figures (samples, rounding): {spread}{held}; no variance to hold it against"
    last = int(given[-1])
    part = "all" if share[last] >= 1 else f"{share[last]:.0%}"
    whose = "" if len(terms) == 1 else f" of {terms[last]}"
    return f"known error of the figures (samples, rounding) is {part} of the variance{whose}{held}"


def _band(known: Uncertainty, band: Band) -> str:
    """What the intervals say together."""
    count = int(band.inside.sum())
    if count == 1:
        return "the band is over one term and is its interval"
    return (
        f"each interval holds by itself; the band over {count} terms holds for all of them at once and reaches "
        f"{band.critical:.2f} standard errors to either side "
        f"({known.draws} draws, Monte-Carlo error {band.mc_error:.2g})"
    )
