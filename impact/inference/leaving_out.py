"""What an estimate rests on: the same without each donor that has weight, period before the start, area or cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from impact.arrays import Float1, Float2, Int1
from impact.errors import Refused
from impact.estimators.protocol import Estimator
from impact.inference.protocol import Found, evaluate
from impact.longtable import few
from impact.panel import Panel
from impact.parallel import Parallel
from impact.plotted import Plotted
from impact.sample import Sample
from impact.targets import Target

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Kind",
    "LeaveOneOut",
    "leave_one_area_out",
    "leave_one_cluster_out",
    "leave_one_donor_out",
    "leave_one_period_out",
]

Kind = Literal["donor", "period", "area", "cluster"]


@dataclass(frozen=True, slots=True, eq=False)
class LeaveOneOut(Plotted):
    """An estimate without each of `n` things it rests on.

    Attributes
    ----------
    what : {"donor", "period", "area", "cluster"}
        What was left out.
    terms : tuple of str
        `m` terms of the target.
    full : (m,) float
        The estimate with everything.
    left_out : tuple of str
        Names of what was left out, one a time; `n` of them.
    estimate : (n, m) float
        In the order of `left_out`; nan in the rows of the refused, and where a term is gone with what was left out.
    refused : mapping of str to Refused
        Why there is no estimate without it, by name.
    """

    what: Kind
    terms: tuple[str, ...]
    full: Float1
    left_out: tuple[str, ...]
    estimate: Float2
    refused: Mapping[str, Refused]

    @property
    def low(self) -> Float1:
        """(m,) the least estimate, that with everything among them."""
        return np.asarray(np.nanmin(np.vstack([self.full, self.estimate]), axis=0))

    @property
    def high(self) -> Float1:
        """(m,) the largest estimate, that with everything among them."""
        return np.asarray(np.nanmax(np.vstack([self.full, self.estimate]), axis=0))

    @property
    def most_influential(self) -> tuple[str | Refused, ...]:
        """For every term what changes it most when it is left out; of several that change it alike, the first."""
        if len(self.refused) == len(self.left_out):
            return (Refused(f"the most influential {self.what}", "nothing could be left out"),) * len(self.terms)
        away = np.nan_to_num(np.abs(self.estimate - self.full), nan=-1.0)
        return tuple(self.left_out[row] for row in away.argmax(axis=0))

    def summary(self) -> str:
        """For every term the estimate with everything, the range without any one, and what changes it most."""
        lines = [f"without each {self.what} in turn ({len(self.left_out)})"]
        most = self.most_influential if self.left_out else (Refused("", "nothing was left out"),) * len(self.terms)
        for term, full, low, high, one in zip(self.terms, self.full, self.low, self.high, most, strict=True):
            lines.append(f"  {term}: {full:.4g}, from {low:.4g} to {high:.4g}; most changed without: {one or 'none'}")
        return "\n".join([*lines, *(f"not without {name}: {why.because}" for name, why in self.refused.items())])

    def table(self) -> pd.DataFrame:
        """One row a thing left out and term: ``left_out, term, estimate, change, refused``; the whole comes first.

        `refused` is the reason where there is no estimate, and empty where there is one.
        """
        import pandas as pd

        names, count = ("", *self.left_out), len(self.terms)
        estimate = np.vstack([self.full, self.estimate])
        why = [str(self.refused[name]) if name in self.refused else "" for name in names]
        return pd.DataFrame(
            {
                "left_out": np.repeat(names, count),
                "term": np.tile(self.terms, len(names)),
                "estimate": estimate.ravel(),
                "change": (estimate - self.full).ravel(),
                "refused": np.repeat(np.array(why, dtype=object), count),
            }
        )


def leave_one_donor_out(
    estimator: Estimator, panel: Panel, target: Target, *, parallel: Parallel | None = None, full: Found | None = None
) -> LeaveOneOut | Refused:
    """The estimate without each never-treated unit that has weight in it, everything fitted anew.

    Of an estimator that gives no weights every control is left out once. A donor that is the only match of a treated
    area cannot be left out, and is kept by name among the refused.

    Parameters
    ----------
    estimator : Estimator
        Any.
    panel : Panel
        The unprepared one.
    target : Target
        What is asked of the cells.
    parallel : Parallel, optional
        In this process by default.
    full : Found, optional
        The estimate with all donors, where it is known.

    Returns
    -------
    LeaveOneOut or Refused

    References
    ----------
    Abadie, Diamond & Hainmueller (2015), American Journal of Political Science 59(2), section on leave-one-out.
    """
    found = _found(estimator, panel, target, full)
    if isinstance(found, Refused):
        return found
    serving = panel.never & (panel.weight > 0)
    if panel.pairs is not None:
        serving = serving & (panel.pairs > 0).any(axis=0)
    weights = found.fit.weights
    if weights is not None:
        heavy = np.array(weights.units)[(weights.unit != 0).any(axis=0)]
        serving = serving & np.isin(panel.units, heavy)
    rows = np.flatnonzero(serving)
    names = [panel.units[row] for row in rows]
    return _left_out("donor", partial(_without_donor, estimator, panel, target, found), rows, names, found, parallel)


def leave_one_period_out(
    estimator: Estimator, panel: Panel, target: Target, *, parallel: Parallel | None = None, full: Found | None = None
) -> LeaveOneOut | Refused:
    """The estimate without each period before a start, from which then nothing is learned for the treated.

    A period is closed to all treated units that have not started in it; a group that is left without the periods it
    needs makes a refusal, kept by name. Refused where a synthetic estimator takes its donors from those units too: with
    a closed period they would serve no more. Parameters as in `leave_one_donor_out`.
    """
    found = _found(estimator, panel, target, full)
    if isinstance(found, Refused):
        return found
    if any(np.isfinite(found.panel.first[part.donors]).any() for part in found.fit.compared):
        return Refused(
            "leaving one period out",
            "units that start later are donors, and would be none without one of their periods: what changes would be "
            "the donors",
            "Use control='never'.",
        )
    starts = found.panel.groups[np.unique(found.fit.cells.group)]
    rows = np.arange(int(starts.max()), dtype=np.intp)
    names = [panel.periods[row] for row in rows]
    return _left_out("period", partial(_without_period, estimator, panel, target, found), rows, names, found, parallel)


def leave_one_area_out(
    estimator: Estimator, panel: Panel, target: Target, *, parallel: Parallel | None = None, full: Found | None = None
) -> LeaveOneOut | Refused:
    """The estimate without each treated area, everything fitted anew; its own matched controls go with it.

    The target's weights are then those of the areas that are left, also where the area was a cohort by itself.
    Parameters as in `leave_one_donor_out`.
    """
    found = _found(estimator, panel, target, full)
    if isinstance(found, Refused):
        return found
    rows = np.unique(panel.area[panel.treated & (panel.weight > 0)])
    names = [panel.areas[area] for area in rows]
    return _left_out(
        "area", partial(_without, estimator, panel, target, found, panel.area), rows, names, found, parallel
    )


def leave_one_cluster_out(
    estimator: Estimator, panel: Panel, target: Target, *, parallel: Parallel | None = None, full: Found | None = None
) -> LeaveOneOut | Refused:
    """The estimate without each cluster that has treated units, treated and controls of it alike.

    These are the replicates of ``cluster-jackknife`` where it refits everything. Parameters as in
    `leave_one_donor_out`.
    """
    found = _found(estimator, panel, target, full)
    if isinstance(found, Refused):
        return found
    rows = np.unique(panel.cluster[panel.treated & (panel.weight > 0)])
    names = [panel.clusters[cluster] for cluster in rows]
    task = partial(_without, estimator, panel, target, found, panel.cluster)
    return _left_out("cluster", task, rows, names, found, parallel)


def _found(estimator: Estimator, panel: Panel, target: Target, full: Found | None) -> Found | Refused:
    if isinstance(panel, Sample):
        return Refused("leaving one out", "units are seen once only, and each says little", "Use cluster-jackknife.")
    return full or evaluate(estimator, panel, target)


def _left_out(
    what: Kind,
    without: Callable[[int], Float1 | Refused],
    rows: Int1,
    names: Sequence[str],
    found: Found,
    parallel: Parallel | None,
) -> LeaveOneOut:
    results = (parallel or Parallel()).map(without, rows.tolist(), f"leave one {what} out")
    nothing = np.full(len(found.effects.terms), np.nan)
    estimate = np.array([nothing if isinstance(one, Refused) else one for one in results])
    return LeaveOneOut(
        what,
        found.effects.terms,
        found.effects.estimate,
        tuple(names),
        estimate.reshape(-1, len(nothing)),
        {name: one for name, one in zip(names, results, strict=True) if isinstance(one, Refused)},
    )


def _without_donor(estimator: Estimator, panel: Panel, target: Target, full: Found, row: int) -> Float1 | Refused:
    rest = panel.drop([row])
    gone = [area for area in panel.areas if area not in rest.areas]
    if gone:
        return Refused("the estimate", f"it is the only control of {few(gone)}", "Match more controls to the area.")
    return _terms(evaluate(estimator, rest, target), full)


def _without(
    estimator: Estimator, panel: Panel, target: Target, full: Found, group: Int1, one: int
) -> Float1 | Refused:
    """Without the units of an area or cluster; cohorts may go with them, and terms that are theirs alone."""
    rest = evaluate(estimator, panel.drop(np.flatnonzero(group == one)), target)
    return rest if isinstance(rest, Refused) else _by_name(rest, full)


def _without_period(estimator: Estimator, panel: Panel, target: Target, full: Found, period: int) -> Float1 | Refused:
    learn = np.ones(panel.y.shape, dtype=bool)
    learn[np.isfinite(panel.first) & (panel.first > period), period] = False
    return _terms(evaluate(estimator, panel, target, learn=learn), full)


def _terms(found: Found | Refused, full: Found) -> Float1 | Refused:
    """(m,) the terms of the full estimate; refused where one of its groups, or a term, is gone."""
    if isinstance(found, Refused):
        return found
    lost = set(np.unique(full.fit.cells.group)) - set(np.unique(found.fit.cells.group))
    if lost:
        names = few([full.panel.group_names[group] for group in sorted(lost)])
        return Refused("the estimate", f"nothing is left to compare {names} with")
    return _by_name(found, full)


def _by_name(found: Found, full: Found) -> Float1:
    values = dict(zip(found.effects.terms, found.effects.estimate.tolist(), strict=True))
    return np.array([values.get(term, np.nan) for term in full.effects.terms])
