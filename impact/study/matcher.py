"""The matching of a study: who stands beside whom, for any panel of its units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impact.arrays import Float2
from impact.design.assignment import Assigns, Full, Nearest, Optimal
from impact.design.distances import Metric
from impact.design.matching import Match, paired
from impact.errors import Refused
from impact.panel import Panel
from impact.study import model

__all__ = ["Matcher", "how"]


def how(match: model.Match) -> Assigns:
    """The rule that gives treated units their controls."""
    if match.method == "full":
        return Full()
    ratio = match.ratio or 1
    return Optimal(ratio) if match.method == "optimal" else Nearest(ratio, match.replace)


@dataclass(frozen=True, slots=True, eq=False)
class Matcher:
    """The matching rule of a study; it gives any panel of the same units its matched controls.

    Attributes
    ----------
    units : (n,) tuple of str
    x : (n, p) float
        Characteristics, never an outcome after the start.
    names : (p,) tuple of str
    how : Nearest, Optimal or Full
    distance : str
    caliper : float or None
        In pooled standard deviations of every characteristic.
    """

    units: tuple[str, ...]
    x: Float2
    names: tuple[str, ...]
    how: Assigns
    distance: Metric
    caliper: float | None

    def __call__(self, panel: Panel) -> Panel | Refused:
        """`panel` with matched controls: every treated unit its own, every area the sum over its units."""
        found = self.matched(panel)
        return found if isinstance(found, Refused) else found[0]

    def matched(self, panel: Panel) -> tuple[Panel, Match] | Refused:
        """`panel` with matched controls, and who was matched with whom; refused when a treated unit has nobody."""
        row = {name: number for number, name in enumerate(self.units)}
        at = np.array([row[name] for name in panel.units], dtype=np.intp)
        treated = np.flatnonzero(np.isfinite(panel.first))
        donors = np.flatnonzero(panel.never & (panel.weight > 0))
        match = paired(
            self.x[at[treated]],
            self.x[at[donors]],
            areas=[panel.units[unit] for unit in treated],
            units=[panel.units[unit] for unit in donors],
            names=self.names,
            how=self.how,
            distance=self.distance,
            caliper=self.caliper,
        )
        if isinstance(match, Refused):
            return match
        if match.unmatched:
            return Refused(
                "the matching",
                f"{', '.join(match.unmatched)} has no comparison unit"
                + (" within the caliper" if self.caliper else ""),
                "Widen the caliper, match with replacement, or leave these areas out with a reason.",
            )
        pairs = np.zeros((len(panel.areas), len(panel.units)))
        np.add.at(pairs, (panel.area[treated][:, None], donors[None, :]), match.pairs * panel.weight[treated][:, None])
        return panel.with_pairs(pairs), match
