"""The matching of a study: who stands beside whom, or with which weight, for any panel of its units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from impact.arrays import Bool1, Float1, Float2, Int1
from impact.design.assignment import Assigns, Full, Nearest, Optimal
from impact.design.distances import Metric
from impact.design.matching import paired
from impact.design.methods import resolve
from impact.design.strata import classes, sets_of, strata, sturges
from impact.design.weighting import Weighted
from impact.errors import Refused
from impact.longtable import few
from impact.panel import Panel, Weighting
from impact.study import comparing

__all__ = ["Matcher", "Placed", "how", "options"]

_TREATED, _COUNTS = "(treated)", "(counts)"
_COUNTED: Final = ("entropy", "stable", "inverse-probability")


def how(match: comparing.Match) -> Assigns:
    """The rule that gives treated units their controls."""
    if match.method == "full":
        return Full()
    ratio = match.ratio or 1
    return Optimal(ratio) if match.method == "optimal" else Nearest(ratio, match.replace)


def options(match: comparing.Match, names: tuple[str, ...]) -> dict[str, Any]:
    """What a method of weighting or of classes is told, of the characteristics `names`."""
    if match.method == "coarsened-exact":
        return {"cutpoints": {name: cut for name, cut in match.cutpoints.items() if name in names}}
    given: dict[str, Any] = {}
    if match.moments is not None:
        own = match.moments
        given["moments"] = own if isinstance(own, int) else {name: k for name, k in own.items() if name in names}
    if match.tolerance is not None:
        given["tolerance"] = match.tolerance
    if match.trim is not None:
        given["trim"] = match.trim
    if match.method == "overlap":
        given["estimand"] = match.estimand
    return given


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A panel with its comparison.

    Attributes
    ----------
    panel : Panel
        With pairs: for every area its matched controls, or the weights of the pool that all areas of one start share.
    short : tuple of (unit, number)
        Treated units that got fewer controls than were asked for.
    out : tuple of str
        Treated units that nobody stands beside, or that were trimmed; they have no weight.
    notes : tuple of str
    """

    panel: Panel
    short: tuple[tuple[str, int], ...] = ()
    out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Matcher:
    """The matching rule of a study; it gives any panel of the same units its matched or weighted controls.

    Attributes
    ----------
    units : (n,) tuple of str
    x : (n, p) float
        Characteristics, never an outcome after the start.
    names : (p,) tuple of str
    method : str
    how : Nearest, Optimal or Full
    distance : str
    caliper : float or None
        In pooled standard deviations of every characteristic.
    labels : tuple of (n,) tuple of str
        What both must be equal in.
    options : mapping
        What the method is told beside.
    every : {"area", "resident", "unit"}
        Who counts once in the target; weights, and pairs within an area, stand for the treated as they count there.
    lenient : bool
        Whether treated units that nobody stands beside are left out instead of refused.
    """

    units: tuple[str, ...]
    x: Float2
    names: tuple[str, ...]
    method: str
    how: Assigns
    distance: Metric
    caliper: float | None
    labels: tuple[tuple[str, ...], ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    every: Weighting = "unit"
    lenient: bool = False

    @property
    def shared(self) -> bool:
        """Whether all areas of one start are compared with the same weights of the whole pool."""
        return self.method in comparing.WEIGHTS

    def __call__(self, panel: Panel) -> Panel | Refused:
        """`panel` with its controls: every treated unit its own, every area the sum over its units; or shared."""
        found = self.matched(panel)
        return found if isinstance(found, Refused) else found.panel

    def matched(self, panel: Panel) -> Placed | Refused:
        """`panel` with its controls, and who has none or few; refused when a treated unit has nobody."""
        row = {name: number for number, name in enumerate(self.units)}
        at = np.array([row[name] for name in panel.units], dtype=np.intp)
        treated = np.flatnonzero(np.isfinite(panel.first))
        donors = np.flatnonzero(panel.never & (panel.weight > 0))
        if self.shared:
            found = self._weighed(panel, at, treated, donors)
        elif self.method in comparing.IN_STRATA:
            found = self._placed(panel, treated, donors, self._strata(at, treated, donors))
        else:
            found = self._nearest(panel, at, treated, donors)
        if isinstance(found, Refused) or not found.out or self.lenient:
            return found
        lacks = "no comparison unit" + (" within the caliper" if self.caliper else "")
        return Refused(
            "the weighting" if self.shared else "the matching",
            f"{', '.join(found.out)} has {'a score out of reach' if self.shared else lacks}",
            "Widen the caliper, match with replacement or less strictly, leave these areas out with a reason, or say "
            "beforehand how many may have nobody: `checks: {unmatched: {at_most: …}}`.",
        )

    def aimed(self, panel: Panel, every: Weighting) -> Panel | Refused:
        """`panel` compared with what stands for the treated as `every` counts them, unless shared weights do not.

        Pairs go with every area, and stand within it for its units as these count.
        """
        if every == self.every or (not self.shared and "resident" not in (every, self.every)):
            return panel
        if not self.shared:
            return replace(self, every=every)(panel)
        ours, theirs = (panel.weighted(one).weight for one in (self.every, every))
        for start in np.unique(panel.first[panel.treated]):
            mine = (panel.first == start) & (panel.weight > 0)
            if not np.allclose(ours[mine] / ours[mine].sum(), theirs[mine] / theirs[mine].sum(), rtol=1e-9):
                return Refused(
                    "an estimate with this weighting",
                    f"the weights of the comparison stand for the treated as every {self.every} counts once, and not "
                    f"every {every}",
                    f"Declare a study or an alternative with `target: {{every: {every}}}`.",
                )
        return panel

    def _nearest(self, panel: Panel, at: Int1, treated: Int1, donors: Int1) -> Placed | Refused:
        code = strata(self.labels).astype(str) if self.labels else None
        match = paired(
            self.x[at[treated]],
            self.x[at[donors]],
            areas=[panel.units[unit] for unit in treated],
            units=[panel.units[unit] for unit in donors],
            names=self.names,
            how=self.how,
            distance=self.distance,
            caliper=self.caliper,
            exact=None if code is None else (list(code[at[treated]]), list(code[at[donors]])),
        )
        if isinstance(match, Refused):
            return match
        return replace(self._placed(panel, treated, donors, match.pairs), short=match.short)

    def _strata(self, at: Int1, treated: Int1, donors: Int1) -> Float2:
        """(A, N) equal weights of the donors that are equal to every treated unit."""
        rows = np.r_[treated, donors]
        cut = self.options.get("cutpoints", {})
        labels: list[Any] = [np.array(label)[at[rows]] for label in self.labels]
        for name, values in zip(self.names, self.x[at[rows]].T, strict=True):
            whole = self.method == "exact"
            labels.append(values if whole else classes(values, cut.get(name, sturges(len(rows)))))
        inside: Bool1 = np.arange(len(rows)) < len(treated)
        number = sets_of(strata(labels), inside)
        mine, theirs = number[inside], number[~inside]
        equal = (mine[:, None] == theirs[None, :]) & (mine >= 0)[:, None]
        return np.asarray(equal / np.maximum(equal.sum(axis=1, keepdims=True), 1))

    def _placed(self, panel: Panel, treated: Int1, donors: Int1, rows: Float2) -> Placed:
        """The panel in which every treated unit brings its own `rows` (A, N) to its area, for what it counts there."""
        alone = treated[~(rows > 0).any(axis=1)]
        weight = panel.weight.copy()
        weight[alone] = 0.0
        counts = panel.weighted(self.every).weight[treated]
        pairs = np.zeros((len(panel.areas), len(panel.units)))
        np.add.at(pairs, (panel.area[treated][:, None], donors[None, :]), rows * counts[:, None])
        return Placed(replace(panel, weight=weight).with_pairs(pairs), out=tuple(panel.units[row] for row in alone))

    def _weighed(self, panel: Panel, at: Int1, treated: Int1, donors: Int1) -> Placed | Refused:
        """The weights of the pool, for the areas of every start apart: each comparison is then about its own areas."""
        starts = np.unique(panel.first[treated])
        if self.method == "overlap" and len(starts) > 1:
            return Refused(
                "the weighting",
                f"areas start at {len(starts)} times, and overlap weights of different starts are on no common scale",
                "Make a study for every start, or use entropy.",
            )
        counts = panel.weighted(self.every).weight
        weight, notes = panel.weight.copy(), list[str]()
        pairs = np.zeros((len(panel.areas), len(panel.units)))
        for start in starts:
            mine = treated[panel.first[treated] == start]
            found = self._weights(panel, at, np.r_[mine, donors], counts)
            if not isinstance(found, Refused) and not (left := found.weight > 0)[: len(mine)].all():
                found = self._left(panel, at, np.r_[mine, donors], left, found)
            if isinstance(found, Refused):
                when = f", for the areas that start in period {int(start) + 1}" if len(starts) > 1 else ""
                return replace(found, because=f"{found.because}{when}")
            given = found.weight[: len(mine)]
            weight[mine] *= given if self.method == "overlap" else given > 0
            pairs[np.ix_(np.unique(panel.area[mine]), donors)] = found.weight[len(mine) :]
            notes += found.notes
        out = tuple(panel.units[row] for row in treated if weight[row] == 0)
        return Placed(replace(panel, weight=weight).with_pairs(pairs), out=out, notes=tuple(dict.fromkeys(notes)))

    def _left(self, panel: Panel, at: Int1, rows: Int1, left: Bool1, found: Weighted) -> Weighted | Refused:
        """`found` once those trimmed no longer count: who is left of an area counts for all of it."""
        weight = panel.weight.copy()
        weight[rows[~left]] = 0.0
        counts = replace(panel, weight=weight).weighted(self.every).weight
        untrimmed = replace(self, options={key: value for key, value in self.options.items() if key != "trim"})
        again = untrimmed._weights(panel, at, rows[left], counts)
        if isinstance(again, Refused):
            return replace(again, because=f"{again.because}, among those left by trimming")
        whole = np.zeros(len(rows))
        whole[left] = again.weight
        return replace(found, weight=whole)

    def _weights(self, panel: Panel, at: Int1, rows: Int1, counts: Float1) -> Weighted | Refused:
        """The weights of `rows`, as ``impact.match`` gives them for the table of their characteristics."""
        import pandas as pd

        frame = pd.DataFrame(self.x[at[rows]], columns=list(self.names), index=[panel.units[row] for row in rows])
        frame[_TREATED] = np.isfinite(panel.first[rows]).astype(float)
        given = dict(self.options)
        if self.method in _COUNTED:
            frame[_COUNTS], given["counts"] = counts[rows], _COUNTS
        found: Weighted | Refused = resolve(self.method)(frame, treated=_TREATED, on=list(self.names), **given)
        if isinstance(found, Refused) or (found.weight[frame[_TREATED] == 0] > 0).any():
            return found
        return Refused("the weighting", f"no control has weight among {few(list(frame.index))}", "Trim less.")
