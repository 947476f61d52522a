"""Placebo in space: the programme as if it had fallen on donors instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, get_args

import numpy as np

from impact.arrays import Float1, Float2, Float3, Int1
from impact.cells import Cells
from impact.errors import Refused
from impact.estimators.protocol import Estimator, Gives, Reassigns
from impact.inference.placebo_refits import Again, Rematch, own_size, reassigned
from impact.inference.placebo_sets import Drawn, Sets, draw, without_residents
from impact.inference.placebo_statistics import Measured, Statistic, least, measure, paths, ratio, studentised
from impact.inference.protocol import Found, Replicates, Uncertainty, drawn_error, evaluate, without_interval
from impact.longtable import few
from impact.panel import Panel
from impact.parallel import Parallel
from impact.plotted import Plotted
from impact.sample import Sample
from impact.streams import Streams
from impact.targets import Target

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PlaceboSpace", "Placebos", "Sets", "Statistic"]

_WHAT = "a p-value by placebo-space"
_MOST_FAILURES = 0.05
_TIE = 1e-9  # statistics closer than this are as far apart as two ways of solving one program may be
_NULL = "no effect, treated areas exchangeable with donors"


@dataclass(frozen=True, slots=True, eq=False)
class Placebos(Plotted):
    """What an estimator finds for `S` sets of donors that take the place of the treated units.

    Attributes
    ----------
    terms : tuple of str
        `m` terms of the target.
    sets : tuple of tuple of str
        The donors of every set.
    measured : Measured
        Estimates and root mean squares (S, m); nan where the set has none.
    cells : Cells
        Of the real estimate.
    effect : (S, C) float
        The same cells of every set: its gaps before the start, and its effects. nan where it has none.
    size : (S, m, 2) float or None
        How the variance of the terms depends on the sizes of the areas; only where that was asked for.
    refused : mapping of int to Refused
        Why a set has no estimate.
    enumerated : bool
        Whether these are all sets there are.
    missing : int
        Draws that found no set.
    """

    terms: tuple[str, ...]
    sets: tuple[tuple[str, ...], ...]
    measured: Measured
    cells: Cells
    effect: Float2
    size: Float3 | None
    refused: Mapping[int, Refused]
    enumerated: bool
    missing: int

    @property
    def kept(self) -> Int1:
        """(n,) the sets that have an estimate."""
        return np.array([row for row in range(len(self.sets)) if row not in self.refused], dtype=np.intp)

    @property
    def failures(self) -> tuple[str, ...]:
        """What has no estimate, and why."""
        named = tuple(f"{few(list(self.sets[row]))}: {why}" for row, why in sorted(self.refused.items()))
        return (*named, *("a draw found no donors for the areas left over",) * self.missing)

    def summary(self) -> str:
        """How many placebo programmes there are, how far their estimates lie apart, and what has none."""
        how = "all there are" if self.enumerated else "drawn"
        lines = [f"{len(self.kept)} of {len(self.sets) + self.missing} placebo sets with an estimate ({how})"]
        for term, values in zip(self.terms, self.measured.estimate[self.kept].T, strict=True):
            middle = np.quantile(values, (0.025, 0.975)) if len(values) else (np.nan, np.nan)
            lines.append(f"  {term}: 95% of them from {middle[0]:.4g} to {middle[1]:.4g}")
        return "\n".join([*lines, *self.failures])

    def table(self) -> pd.DataFrame:
        """One row a set and term: ``set, term, estimate, before, after``, the last two root mean squares."""
        import pandas as pd

        shape = self.measured.estimate.shape
        before = self.measured.before
        return pd.DataFrame(
            {
                "set": np.repeat([", ".join(names) for names in self.sets], shape[1]),
                "term": np.tile(self.terms, shape[0]),
                "estimate": self.measured.estimate.ravel(),
                "before": np.full(shape, np.nan).ravel() if before is None else before.ravel(),
                "after": self.measured.after.ravel(),
            }
        )


@dataclass(frozen=True, slots=True)
class PlaceboSpace:
    """Rank of the estimate among estimates for sets of donors that take the place of the treated areas.

    The treated units leave; donors (never-treated units with weight) take their number, areas and starts, and serve no
    more as donors. With one treated area and no more sets than `draws` all sets are enumerated, and with one treated
    unit all donors are, however many, where the estimator solves them at once (`Reassigns`). The p-value is
    (1 + exceedances) / (1 + sets): the real assignment counts, so it is never 0.

    Valid when treated and donors are exchangeable under the null. Areas that were chosen for what makes them different
    are not, and areas with shocks of their own, or of another size, are not: under a true null a nominal 5 % test was
    then found to reject in up to 22 % of simulated programmes when wijken were shuffled, and in up to 13 % when
    contiguous sets were. So this stands beside another inference and never alone; `statistic` and `sets` make the
    placebos more like the treated.

    Parameters
    ----------
    draws : int
        Random sets of donors.
    statistic : {"rmspe-ratio", "estimate", "studentised"}
        Root mean square of the effects over that of the pre-period gaps; the absolute estimate; or that over the
        standard error that goes with the residents of the treated areas, learned from the placebos (`studentised` in
        ``impact.inference.placebo_statistics``).
    sets : {"random", "similar-population", "in-cluster", "contiguous", "contiguous-in-cluster"}
        Any donors; donors that each have about the residents of the unit they stand in for; for every area donors of
        one cluster, a donor and those nearest to it, or those nearest within one cluster. Sets of one
        draw do not overlap.
    tolerance : float
        Of ``similar-population``: 0.25 is up to a quarter more, either way.
    rematch : callable, optional
        The matching rule, for a matched panel: gives the placebo panel its own matched controls.

    References
    ----------
    Abadie, Diamond & Hainmueller (2010), JASA 105(490), section 2.4; Abadie (2021), JEL 59(2), section 3.5;
    Arkhangelsky et al. (2021), Algorithm 4, for the standard error (standard deviation of the placebo estimates);
    Ferman & Pinto (2019), Review of Economics and Statistics 101(3), for size.
    """

    draws: int = 999
    statistic: Statistic = "rmspe-ratio"
    level: float = 0.95
    rematch: Rematch | None = None
    sets: Sets = "random"
    tolerance: float = 0.25

    name: ClassVar[str] = "placebo-space"
    needs: ClassVar[Gives] = Gives.NOTHING

    def __post_init__(self) -> None:
        if self.statistic not in get_args(Statistic):
            raise ValueError(f"statistic={self.statistic!r} is not one of {', '.join(get_args(Statistic))}")
        if self.sets not in get_args(Sets):
            raise ValueError(f"sets={self.sets!r} is not one of {', '.join(get_args(Sets))}")
        if not self.tolerance > 0:
            raise ValueError("tolerance is a share above 0, as 0.25")
        if self.draws < 1:
            raise ValueError("draws is a number of sets, 1 or more")

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
        placebos = self.placebos(estimator, panel, target, streams=streams, parallel=parallel, full=found)
        if isinstance(placebos, Refused):
            return placebos
        attempted = len(placebos.sets) + placebos.missing
        failures = placebos.failures
        if len(failures) > _MOST_FAILURES * attempted:
            return Refused(
                _WHAT,
                f"{len(failures)} of {attempted} placebo sets gave no estimate ({failures[0]})",
                "Widen the donor pool or choose a simpler estimator.",
            )
        ranked = self._ranked(target, found, placebos)
        if isinstance(ranked, Refused):
            return ranked
        statistics, observed, terms = ranked
        # A failed set counts against the estimate: it could have been more extreme.
        beyond = (statistics >= observed * (1 - _TIE)).sum(axis=0) + len(failures)
        given = np.array([reason is None for reason in terms])
        p_value = np.where(given, (1 + beyond) / (1 + attempted), np.nan)
        estimates = placebos.measured.estimate[placebos.kept]
        return without_interval(
            found,
            self.name,
            _NULL,
            p_value,
            self.level,
            draws=len(estimates),
            attempted=attempted,
            mc_error=np.zeros(len(p_value)) if placebos.enumerated else drawn_error(p_value, 1 + attempted),
            std_error=estimates.std(axis=0) if len(estimates) > 1 else np.full(len(p_value), np.nan),
            failures=failures,
            refused=terms,
            replicates=_kept(statistics, observed, attempted),
            placebos=paths(target, found.fit.cells, placebos.effect[placebos.kept]),
        )

    def placebos(
        self,
        estimator: Estimator,
        panel: Panel,
        target: Target,
        *,
        streams: Streams,
        parallel: Parallel,
        full: Found | None = None,
    ) -> Placebos | Refused:
        """What is ranked in `run`, for tables and figures; arguments as there."""
        found = full or evaluate(estimator, panel, target)
        if isinstance(found, Refused):
            return found
        refused = self._unfit(panel, target, found)
        if refused is not None:
            return refused
        at_once = self.rematch is None and isinstance(estimator, Reassigns)
        drawn = self._draw(estimator, found.panel, streams, every=at_once)
        if isinstance(drawn, Refused):
            return drawn
        sized = self.statistic == "studentised"
        made = reassigned(estimator, target, found, drawn.rows, parallel, sized=sized) if at_once else None
        if made is None:
            if len(drawn.rows) > self.draws:
                drawn = self._draw(estimator, found.panel, streams, every=False)
            if isinstance(drawn, Refused):
                return drawn
            gaps = self.statistic == "rmspe-ratio"
            again = Again.after(found, estimator, panel, target, self.rematch, sized, gaps)
            made = again.of(drawn.rows, parallel)
        return Placebos(
            found.effects.terms,
            tuple(tuple(panel.units[row] for row in chosen) for chosen in drawn.rows),
            made.measured,
            found.fit.cells,
            made.effect,
            made.size,
            made.refused,
            drawn.enumerated,
            drawn.missing,
        )

    def _draw(self, estimator: Estimator, panel: Panel, streams: Streams, *, every: bool) -> Drawn | Refused:
        return draw(
            panel,
            self.sets,
            self.draws,
            streams.at("placebo-space"),
            tolerance=self.tolerance,
            every=every,
            complete=estimator.asks.balanced,  # who is not complete is no donor, and the fit names him
        )

    def _ranked(
        self, target: Target, found: Found, placebos: Placebos
    ) -> tuple[Float2, Float1, tuple[Refused | None, ...]] | Refused:
        """What is ranked: of the placebos (n, m), of the treated (m,), and why a term has none."""
        theirs = placebos.measured.each(lambda part: part[placebos.kept])
        cells, fine = found.fit.cells, (None,) * len(placebos.terms)
        ours = measure(target, cells, cells.effect[None], cells.size[None], found.panel)
        if isinstance(ours, Refused):
            return ours
        if self.statistic == "estimate":
            return np.abs(theirs.estimate), np.abs(ours.estimate[0]), fine
        if self.statistic == "rmspe-ratio":
            floor = least(theirs, found.panel.y)
            statistics, observed = ratio(theirs, floor), ratio(ours, floor)
            if isinstance(statistics, Refused):
                return statistics
            return observed if isinstance(observed, Refused) else (statistics, observed[0], fine)
        own = own_size(target, found)
        if isinstance(own, Refused):
            return own
        assert placebos.size is not None
        return studentised(theirs.estimate, placebos.size[placebos.kept], ours.estimate[0], own)

    def _unfit(self, panel: Panel, target: Target, found: Found) -> Refused | None:
        """Why there is no p-value, before anything is drawn."""
        if isinstance(panel, Sample):
            return Refused(
                _WHAT,
                "the programme cannot fall on donors that are seen once only",
                "Use cluster-jackknife or score-flip.",
            )
        if panel.pairs is not None and self.rematch is None:
            return Refused(
                _WHAT,
                "the panel is matched and the placebo areas would need controls of their own",
                "Give the matching rule, or run it on the unmatched panel.",
            )
        if self.statistic == "rmspe-ratio" and found.fit.cells.post.all():
            return Refused(
                "the RMSPE ratio", "there is no pre-period gap", "Use statistic='estimate', or add earlier periods."
            )
        if target.weighting != "resident" and self.statistic != "studentised":
            return None
        unknown = without_residents(found.panel)
        if not unknown:
            return None
        return Refused(
            _WHAT,
            f"{len(unknown)} units have no residents, or none that are known ({few(unknown)}), and what a placebo area "
            "counts for, or how exact it is, goes by them",
            "Name the column with residents= in Panel.from_frame, leave these units out of the donor pool, or use "
            "another weighting and statistic.",
        )


def _kept(statistics: Float2, observed: Float1, attempted: int) -> Replicates:
    """What was ranked, a row a set; nan for sets that failed, which come last."""
    values = np.full((attempted, len(observed)), np.nan)
    values[: len(statistics)] = statistics
    return Replicates("placebo", tuple(str(number) for number in range(1, attempted + 1)), values, observed)
