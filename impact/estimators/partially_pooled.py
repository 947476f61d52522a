"""Partially pooled synthetic controls: donors fit every treated area, and also the mean of the areas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, get_args

import numpy as np

from impact.arrays import Bool1, Bool2, Float1
from impact.cells import Cells, Fit, Note, Piece, Trace, Tuned, Weights
from impact.errors import Refused
from impact.estimators.protocol import Asks, guard
from impact.estimators.synthetic import Solved, Synthetic, placed
from impact.numerics.constrained import unique_on_face
from impact.numerics.pooled import Block, Pooled, imbalance, paths, solve_pooled
from impact.numerics.simplex import GAP
from impact.panel import Panel

__all__ = ["Control", "PartiallyPooled", "PooledBalance", "pooled_balance"]

Control = Literal["never", "not-yet"]


@dataclass(frozen=True, slots=True)
class PartiallyPooled(Synthetic):
    """One program for all treated areas: a compromise between the fit of each and the fit of their mean.

    With ``r_kl`` the difference between area `k` and its weighted donors, `l` periods before its start, and ``m_k`` the
    share of the area in the target (so areas, residents or units count alike, as the target says), the imbalance of the
    mean and that of the areas are

        q_pool² = 1/L Σ_l (Σ_k m_k r_kl)²    and    q_sep² = Σ_k m_k 1/L_k Σ_l r_kl²,

    and the weights minimise ``nu (q_pool / p)² + (1 − nu) (q_sep / s)² + lam/s² Σ_k m_k ‖w_k‖²``, with `p` and `s` the
    two imbalances of separate synthetic controls, over weights of the donors of every area that are not negative and
    sum to 1. The errors of separate synthetic controls often point the same way and then remain in their mean; here
    they are made to cancel. At lags that an area does not have it adds 0 to the mean. Covariates are not used.

    Parameters
    ----------
    nu : float, optional
        From 0, separate synthetic controls, to 1, the mean only (of all such weights those whose areas fit best). From
        the data by default: how long the mean of the paths of differences is, relative to the mean of their lengths,
        when every area is fitted for itself; 0 when the differences cancel or all fit exactly, 1 when they are alike.
    lam : float
        Penalty on large weights, in squared units of the outcome; it spreads them over more donors. On another scale
        than in R ``multisynth``.
    intercept : bool
        Every unit less its own mean over the periods before the start, so that fixed differences in level are allowed.
    lags : int, optional
        How many of the last periods before the start are fitted; all by default. The intercept rests on all of them.
    leads : int, optional
        For how many periods from the start on effects are given; all by default.
    control : {"never", "not-yet"}
        Who may be a donor: never-treated units, or all that start (less `anticipation`) after the last of the `leads`,
        so that a donor is untreated wherever it is used. Without `leads` these are units that start after the panel.
    anticipation, missing
        See `Synthetic`.

    References
    ----------
    Ben-Michael, Feller & Rothstein (2022), JRSS-B 84(2), sections 4 and 5; the choice of `nu` as in ``multisynth`` of
    the R package ``augsynth`` 0.2.0.
    """

    nu: float | None = None
    lam: float = 0.0
    intercept: bool = True
    lags: int | None = None
    leads: int | None = None
    control: Control = "never"

    name: ClassVar[str] = "partially-pooled"
    asks: ClassVar[Asks] = Asks(min_pre=2, min_controls=2, never_treated=False)

    def __post_init__(self) -> None:
        Synthetic.__post_init__(self)
        if self.nu is not None and not 0 <= self.nu <= 1:
            raise ValueError(f"nu={self.nu!r} is not between 0 and 1")
        if not 0 <= self.lam < np.inf:
            raise ValueError(f"lam={self.lam!r} is a penalty, 0 or more")
        for name in ("lags", "leads"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is a number of periods, 1 or more")
        if self.control not in get_args(Control):
            raise ValueError(f"control={self.control!r} is not one of {', '.join(get_args(Control))}")

    def null_model(self) -> PartiallyPooled:
        """Itself."""
        return self

    def fit(self, panel: Panel, *, learn: Bool2 | None = None, hold: Weights | None = None) -> Fit | Refused:
        """As `Synthetic.fit`; effects end with the last of the `leads`."""
        asks = replace(self.asks, never_treated=self.control == "never", balanced=self.missing == "refuse")
        refused = guard(panel, asks, self.name)
        if refused is not None:
            return refused
        found = Synthetic.fit(self, panel, learn=learn, hold=hold)
        return found if isinstance(found, Refused) or self.leads is None else _until(found, panel, self.leads)

    def serving(self, panel: Panel, start: int) -> Bool1:
        """See `control`."""
        if self.control == "never":
            return panel.never
        end = len(panel.periods) if self.leads is None else min(start + self.leads, len(panel.periods))
        return np.asarray(panel.first - self.anticipation >= end)

    def solved(self, panel: Panel, part: Piece) -> Solved | Refused:
        """The weights of one piece alone."""
        return self.solve_all(panel, [part])[0]

    def solve_all(self, panel: Panel, parts: Sequence[Piece]) -> Sequence[Solved | Refused]:
        """The weights of all pieces together."""
        blocks = [_block(panel, part, self.lags, intercept=self.intercept) for part in parts]
        separate = solve_pooled(blocks, 0.0, lam=self.lam)
        found, nu = _pooled(blocks, separate, self.nu, self.lam)
        if found.status != "optimal":
            what = "the partially pooled synthetic controls"
            because = f"the solver stopped at a gap of {found.gap:.1g}, above {GAP:.0g}"
            return [Refused(what, because, "Leave out donors whose course is far from all others.")] * len(parts)
        solved = []
        for part, block, weights in zip(parts, blocks, found.weights, strict=True):
            time = np.zeros(len(panel.periods))
            if self.intercept:
                time[part.before] = 1 / len(part.before)
            held = np.flatnonzero(weights)  # others may fit as well where the donors with weight cannot be told apart
            unique = self.lam > 0 or unique_on_face(block.a[:, held], block.a @ weights, weights[held])
            solved.append(Solved(placed(panel, part, weights), time, unique=unique))
        trace = Trace("pooled", found.status, found.objective, found.gap, found.iterations)
        tuned = (_tuned(blocks, nu, separate, found),) if self.nu is None and len(parts) > 1 else ()
        solved[0] = replace(solved[0], trace=(trace,), tuned=tuned, notes=_notes(blocks, nu, separate, found))
        return solved


@dataclass(frozen=True, slots=True, eq=False)
class PooledBalance:
    """How close treated areas and their donors were before the start: root mean squares, in units of the outcome.

    Attributes
    ----------
    pieces : tuple of str
        The areas.
    pooled, pooled_uniform : float
        Of the mean of the areas, over the lags; with the weights found, and with every donor weighted alike.
    separate, separate_uniform : float
        Of all areas, over areas and lags.
    own, own_uniform : (K,) float
        Of every area.
    """

    pieces: tuple[str, ...]
    pooled: float
    separate: float
    own: Float1
    pooled_uniform: float
    separate_uniform: float
    own_uniform: Float1


def pooled_balance(panel: Panel, fit: Fit, lags: int | None = None) -> PooledBalance | Refused:
    """The balance of a fit of any synthetic estimator, by area and pooled over them by time since the start.

    Parameters
    ----------
    panel : Panel
        The one that was given to the estimator.
    fit : Fit
        What it gave.
    lags : int, optional
        How many of the last periods before the start count; all by default.
    """
    if fit.pieces is None or not fit.compared:
        return Refused("the balance of the areas", "the fit has no weights of donors", "Use a synthetic control.")
    blocks, found, uniform = [], [], []
    for part, unit, time in zip(fit.compared, fit.pieces.unit, fit.pieces.time, strict=True):
        blocks.append(_block(panel, part, lags, intercept=bool(time.any()), base=time))
        found.append(unit[part.donors])
        uniform.append(np.full(len(part.donors), 1 / len(part.donors)))
    own = [_own(blocks, weights) for weights in (found, uniform)]
    pooled, separate = imbalance(blocks, found)
    pooled_uniform, separate_uniform = imbalance(blocks, uniform)
    names = tuple(part.name for part in fit.compared)
    return PooledBalance(names, pooled, separate, own[0], pooled_uniform, separate_uniform, own[1])


def _block(panel: Panel, part: Piece, lags: int | None, *, intercept: bool, base: Float1 | None = None) -> Block:
    """The rows of one piece in the program: periods that are fitted, in time before its start."""
    fitted = part.before if lags is None else part.before[-lags:]
    donors, treated = panel.y[np.ix_(part.donors, fitted)].T, part.share @ panel.y[np.ix_(part.rows, fitted)]
    if intercept:
        time = np.full(len(part.before), 1 / len(part.before)) if base is None else base[part.before]
        donors = donors - panel.y[np.ix_(part.donors, part.before)] @ time
        treated = treated - part.share @ panel.y[np.ix_(part.rows, part.before)] @ time
    start = int(panel.first[part.rows[0]])
    return Block(donors, treated, start - fitted, float(panel.weight[part.rows].sum()))


def _own(blocks: Sequence[Block], weights: Sequence[Float1]) -> Float1:
    return np.array([np.sqrt(np.mean((b.a @ w - b.b) ** 2)) for b, w in zip(blocks, weights, strict=True)])


def _pooled(blocks: Sequence[Block], separate: Pooled, nu: float | None, lam: float) -> tuple[Pooled, float]:
    """The weights that weigh both imbalances against those of `separate` synthetic controls, and the degree of pooling.

    Where the mean fits up to what the solver certifies it cannot be made to fit better. The objective of what is
    returned is `nu` (q_pool / p)² + (1 − `nu`) (q_sep / s)² + ..., times s².
    """
    mean, each = imbalance(blocks, separate.weights)
    if nu is None:
        nu = _alike(blocks, separate)
    if nu == 0 or mean**2 <= GAP * separate.scale:
        return separate, nu
    weight = nu * (each / mean) ** 2
    total = weight + (1 - nu)  # in this order the share of the mean cannot round to more than all
    found = solve_pooled(blocks, weight / total, lam=lam / total, start=separate.weights)
    return replace(found, objective=total * found.objective), nu


def _alike(blocks: Sequence[Block], separate: Pooled) -> float:
    """The length of the mean of the paths of residuals over the mean of their lengths.

    0 where there is one piece, or where all fit up to what the solver certifies: nothing is left to pool.
    """
    share, found = paths(blocks, separate.weights)
    lengths = np.linalg.norm(found, axis=1)
    if len(blocks) == 1 or imbalance(blocks, separate.weights)[1] ** 2 <= GAP * separate.scale:
        return 0.0
    return min(1.0, float(np.linalg.norm(share @ found) / (share @ lengths)))


def _tuned(blocks: Sequence[Block], nu: float, separate: Pooled, found: Pooled) -> Tuned:
    """`nu`, with the imbalance of the mean before pooling (nu 0) and after it."""
    before, after = (imbalance(blocks, one.weights)[0] for one in (separate, found))
    return Tuned("", "nu", (), np.array([nu]), after, np.array([[0.0], [nu]]), np.array([before, after]))


def _notes(blocks: Sequence[Block], nu: float, separate: Pooled, found: Pooled) -> tuple[str, ...]:
    """What pooling did to the balance; what the solver cannot tell from 0 is 0."""
    if len(blocks) == 1:
        return ("one treated area: there is nothing to pool, and this is its own synthetic control",)
    least = float(np.sqrt(GAP * separate.scale))
    before, after = (
        [0.0 if one <= least else one for one in imbalance(blocks, fit.weights)] for fit in (separate, found)
    )
    if before[1] == 0:
        return ("every area fits exactly before the start, which leaves nothing to pool; a penalty (lam) would",)
    says = (
        f"with nu {nu:.3g} the areas differ from their donors before the start by {after[1]:.3g} each (root mean "
        f"square) and by {after[0]:.3g} in the mean; separate synthetic controls by {before[1]:.3g} and "
        f"{before[0]:.3g}"
    )
    numbers = {"each": after[1], "mean": after[0], "separate": before[1], "apart": before[0]}
    return (Note(says, "pooled", nu=nu, **numbers),)


def _until(fit: Fit, panel: Panel, leads: int) -> Fit:
    """The fit without what lies beyond the last of the leads, where donors may be treated themselves."""
    cells = fit.cells
    keep = cells.event < leads
    beyond = np.arange(len(panel.periods)) >= panel.first[:, None] + leads
    return replace(
        fit,
        cells=Cells(cells.effect[keep], cells.group[keep], cells.cohort[keep], cells.period[keep], cells.size[keep]),
        surface=None if fit.untreated is None else np.where(beyond, np.nan, fit.untreated),
    )
