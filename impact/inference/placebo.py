"""Placebo in space: the programme as if it had fallen on donors instead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations, islice
from math import comb
from typing import ClassVar, Literal, get_args

import numpy as np

from impact.arrays import Float1, Int1
from impact.errors import Refused
from impact.estimators.protocol import Estimator, Gives
from impact.inference.protocol import Found, Uncertainty, evaluate, without_interval
from impact.panel import Panel
from impact.parallel import Parallel
from impact.sample import Sample
from impact.streams import Streams
from impact.targets import Target

__all__ = ["PlaceboSpace", "Statistic"]

Statistic = Literal["rmspe-ratio", "estimate"]
Rematch = Callable[[Panel], "Panel | Refused"]

_BLOCK = 32
_MOST_FAILURES = 0.05


@dataclass(frozen=True, slots=True)
class PlaceboSpace:
    """Rank of the estimate among estimates for sets of donors that take the place of the treated areas.

    The treated units leave; donors (never-treated units with weight) take their number, areas and starts. With one
    treated area and no more sets than `draws` all sets are enumerated, and p = (1 + exceedances) / (1 + sets): the real
    assignment counts, so p is never 0. Valid when treated and donors are exchangeable under the null; areas that were
    chosen for what makes them different are not, so this is a supplement.

    Parameters
    ----------
    draws : int
        Random sets of donors.
    statistic : {"rmspe-ratio", "estimate"}
        Root mean square of the effects over that of the pre-period gaps, or the absolute estimate.
    rematch : callable, optional
        The matching rule, for a matched panel: gives the placebo panel its own matched controls.

    References
    ----------
    Abadie, Diamond & Hainmueller (2010), JASA 105(490), section 2.4; Abadie (2021), JEL 59(2), section 3.5;
    Arkhangelsky et al. (2021), Algorithm 4, for the standard error (standard deviation of the placebo estimates).
    """

    draws: int = 999
    statistic: Statistic = "rmspe-ratio"
    level: float = 0.95
    rematch: Rematch | None = None

    name: ClassVar[str] = "placebo-space"
    needs: ClassVar[Gives] = Gives.NOTHING

    def __post_init__(self) -> None:
        if self.statistic not in get_args(Statistic):
            raise ValueError(f"statistic={self.statistic!r} is not one of {', '.join(get_args(Statistic))}")

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
        if isinstance(panel, Sample):
            return Refused(
                "a p-value by placebo-space",
                "the programme cannot fall on donors that are seen once only",
                "Use cluster-jackknife or score-flip.",
            )
        if panel.pairs is not None and self.rematch is None:
            return Refused(
                "a p-value by placebo-space",
                "the panel is matched and the placebo areas would need controls of their own",
                "Give the matching rule, or run it on the unmatched panel.",
            )
        observed = _statistics(found, self.statistic)
        if isinstance(observed, Refused):
            return observed
        sets, enumerated = self._sets(panel, streams)
        if len(sets) < 1:
            return Refused(
                "a p-value by placebo-space", "there are fewer donors than treated units", "Widen the donor pool."
            )
        draw = partial(_placebo, estimator, panel, target, found.effects.terms, self)
        blocks = [sets[start : start + _BLOCK] for start in range(0, len(sets), _BLOCK)]
        results = [result for block in parallel.map(draw, blocks, self.name) for result in block]
        failures = tuple(str(result) for result in results if isinstance(result, Refused))
        if len(failures) > _MOST_FAILURES * len(results):
            return Refused(
                "a p-value by placebo-space",
                f"{len(failures)} of {len(results)} placebo sets gave no estimate ({failures[0]})",
                "Widen the donor pool or choose a simpler estimator.",
            )
        kept = np.array([result for result in results if not isinstance(result, Refused)])
        estimates, statistics = kept[:, 0], kept[:, 1]
        # A failed set counts against the estimate: it could have been more extreme.
        beyond = (statistics >= observed * (1 - 1e-12)).sum(axis=0) + len(failures)
        p_value = (1 + beyond) / (1 + len(results))
        mc_error = np.zeros(len(p_value)) if enumerated else np.sqrt(p_value * (1 - p_value) / (1 + len(results)))
        error = estimates.std(axis=0, ddof=0) if len(estimates) > 1 else np.full(len(p_value), np.nan)
        return without_interval(
            found,
            self.name,
            "no effect, treated areas exchangeable with donors",
            p_value,
            self.level,
            draws=len(kept),
            attempted=len(results),
            mc_error=mc_error,
            std_error=error,
            failures=failures,
        )

    def _sets(self, panel: Panel, streams: Streams) -> tuple[list[Int1], bool]:
        """Donors (rows of the panel) that stand in for the treated units, in the order of `_template`."""
        donors = np.flatnonzero(panel.never & (panel.weight > 0))
        size = int(np.isfinite(panel.first).sum())
        if len(donors) < size:
            return [], True
        one_area = len(panel.areas) == 1
        if one_area and comb(len(donors), size) <= self.draws:
            return [donors[list(pick)] for pick in islice(combinations(range(len(donors)), size), self.draws)], True
        stream = streams.at("placebo-space")
        return [
            stream.at(draw).generator().choice(donors, size=size, replace=False) for draw in range(self.draws)
        ], False


def _placebo(
    estimator: Estimator, panel: Panel, target: Target, terms: tuple[str, ...], how: PlaceboSpace, sets: list[Int1]
) -> list[tuple[Float1, Float1] | Refused]:
    """Estimate and statistic (m,) of every set, or why there is none."""
    return [_one(estimator, panel, target, terms, how, chosen) for chosen in sets]


def _one(
    estimator: Estimator, panel: Panel, target: Target, terms: tuple[str, ...], how: PlaceboSpace, chosen: Int1
) -> tuple[Float1, Float1] | Refused:
    pretend: Panel | Refused = _pretend(panel, chosen)
    if how.rematch is not None and not isinstance(pretend, Refused):
        pretend = how.rematch(pretend)
    if isinstance(pretend, Refused):
        return pretend
    found = evaluate(estimator, pretend, target)
    if isinstance(found, Refused):
        return found
    statistic = _statistics(found, how.statistic)
    if isinstance(statistic, Refused):
        return statistic
    if len(found.effects.terms) != len(terms):
        return Refused("a placebo estimate", "it has other terms than the estimate")
    return found.effects.estimate, statistic


def _pretend(panel: Panel, chosen: Int1) -> Panel:
    """The panel without the treated units, in which the `chosen` donors have their areas and starts."""
    real = np.flatnonzero(np.isfinite(panel.first))
    order = real[np.lexsort((real, panel.area[real]))]
    first = np.full(len(panel.units), np.inf)
    area = np.full(len(panel.units), -1, dtype=np.intp)
    first[chosen], area[chosen] = panel.first[order], panel.area[order]
    by_area = panel.grouped == "area"
    pretend = replace(panel, pairs=None).assign(first, area, panel.areas).drop(order)
    return pretend.by_area() if by_area else pretend


def _statistics(found: Found, statistic: Statistic) -> Float1 | Refused:
    """(m,) what is ranked."""
    if statistic == "estimate":
        return np.abs(found.effects.estimate)
    cells, weights = found.fit.cells, found.effects.weights
    before = ~cells.post
    if not before.any():
        return Refused(
            "the RMSPE ratio", "there is no pre-period gap", "Use statistic='estimate', or add earlier periods."
        )
    carried = np.zeros((len(found.panel.groups), weights.shape[1]))
    np.add.at(carried, cells.group, weights)
    squares = np.bincount(cells.group[before], weights=cells.effect[before] ** 2, minlength=len(carried))
    count = np.bincount(cells.group[before], minlength=len(carried))
    pre = np.sqrt(np.divide(squares, count, out=np.zeros_like(squares), where=count > 0) @ carried)
    post = np.sqrt((cells.effect**2) @ weights)
    tiny = 1e-12 * max(float(np.abs(found.panel.y).max()), 1.0)  # a perfect pre-period fit is no infinite evidence
    return np.asarray(post / np.maximum(pre, tiny))
