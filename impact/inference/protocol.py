"""How sure we are: the value every inference returns, and the protocol it follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, runtime_checkable

import numpy as np

from impact.arrays import Bool1, Bool2, Float1, Float2, Int1
from impact.cells import Fit, Weights
from impact.errors import Refused
from impact.estimators.protocol import Estimator, Gives
from impact.panel import Panel
from impact.parallel import Parallel
from impact.sample import Sample
from impact.streams import Streams
from impact.targets import Effects, Target

__all__ = [
    "Band",
    "Found",
    "Inference",
    "PlaceboPaths",
    "Replicates",
    "Uncertainty",
    "drawn_error",
    "evaluate",
    "serving",
]


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Intervals that hold for several terms at once.

    Attributes
    ----------
    low, high : (m,) float
        nan for a term that is not among them.
    critical : float or None
        Standard errors that the band reaches to either side; None where it is not put together in that way.
    mc_error : float or None
        Monte-Carlo standard error of `critical`; 0 where nothing was drawn.
    """

    low: Float1
    high: Float1
    critical: float | None = None
    mc_error: float | None = None

    @property
    def inside(self) -> Bool1:
        """(m,) the terms that it holds for."""
        return np.isfinite(self.low)


@dataclass(frozen=True, slots=True, eq=False)
class Replicates:
    """What an error or a p-value was computed from, so that others can compute it again.

    Attributes
    ----------
    kind : {"left-out", "score", "placebo"}
        Estimates without each cluster or unit; influence scores by cluster; statistics of placebo sets.
    names : (k,) tuple of str
        Of the clusters or units; numbers of the sets.
    values : (k, m) float
    observed : (m,) float or None
        The statistic of the estimate itself, where those of others are ranked with it.
    """

    kind: Literal["left-out", "score", "placebo"]
    names: tuple[str, ...]
    values: Float2
    observed: Float1 | None = None


@dataclass(frozen=True, slots=True, eq=False)
class PlaceboPaths:
    """Between which values placebos lie, by periods since the start.

    Attributes
    ----------
    events : (e,) int
        Periods since the start in which every set has a value.
    quantiles : (e, q) float
        Of the sets, at the shares that ``impact.inference.placebo_statistics.SHARES`` names, in units of the outcome.
    sets : int
        With an estimate.
    """

    events: Int1
    quantiles: Float2
    sets: int


@dataclass(frozen=True, slots=True, eq=False)
class Uncertainty:
    """Uncertainty of `m` terms; where a term has none, `refused` says why and its numbers are nan.

    Attributes
    ----------
    name : str
        The inference.
    null : str
        The hypothesis behind the p-values, in words.
    std_error, df, low, high, p_value : (m,) float
    level : float
        Of the interval.
    refused : tuple of Refused or None, one per term
        Why the term has no interval or no p-value.
    kind : {"pointwise", "uniform", "joint"}
        ``pointwise``: every interval holds by itself. ``uniform``: beside these, `band` holds for its terms at once.
    clusters, treated_clusters : (m,) int
        Clusters with weight, and treated clusters with weight, in this term.
    largest_share, effective : (m,) float
        Largest share of one cluster in the treated weight, and G* = 1 / sum of squared shares.
    draws, attempted : int
        Draws (or deletions) used and tried.
    failures : tuple of str
        Names of the draws that failed, with the reason.
    mc_error : (m,) float
        Monte-Carlo standard error of the p-value; 0 where everything was enumerated, and only there (see
        `drawn_error`), save for terms without p-value.
    band : Band or None
        The simultaneous band of a ``uniform`` kind, and of no other.
    covariance : (m, m) float or None
        Of the terms, with ``std_error²`` on its diagonal, where the inference gives one; nan in the rows and columns of
        a term that has none.
    replicates : Replicates or None
        What it was computed from, where that is little enough to keep.
    placebos : PlaceboPaths or None
        Where placebos lie by periods since the start, of an inference that ranks among them.
    """

    name: str
    null: str
    std_error: Float1
    df: Float1
    low: Float1
    high: Float1
    p_value: Float1
    level: float
    refused: tuple[Refused | None, ...]
    clusters: Int1
    treated_clusters: Int1
    largest_share: Float1
    effective: Float1
    draws: int = 0
    attempted: int = 0
    failures: tuple[str, ...] = ()
    mc_error: Float1 | None = None
    kind: Literal["pointwise", "uniform", "joint"] = "pointwise"
    band: Band | None = None
    covariance: Float2 | None = None
    replicates: Replicates | None = None
    placebos: PlaceboPaths | None = None

    def __post_init__(self) -> None:
        if (self.kind == "uniform") != (self.band is not None):
            raise ValueError("an uncertainty is called uniform when it has a simultaneous band, and only then")


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """An estimate before its uncertainty: the prepared panel, the fit and the terms."""

    panel: Panel
    fit: Fit
    effects: Effects


@runtime_checkable
class Inference(Protocol):
    """One kind of uncertainty, written against the estimator protocol; never asks for an estimator's type."""

    name: ClassVar[str]
    needs: ClassVar[Gives]

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
        """Uncertainty of every term of `target`.

        `panel` is the unprepared one; `full` is the estimate on it, for a caller that has it already.
        """
        ...


def drawn_error(p_value: Float1, draws: int) -> Float1:
    """(m,) Monte-Carlo standard error of p-values that rest on `draws`: ``√(p (1 - p) / n)``, and nowhere 0.

    Where every draw was as extreme, ``p = 1`` and that root is 0 though nothing was enumerated. The error is then half
    of ``3 / n``: with a chance of 95 % ``1 - p`` is less than that (the rule of three, Hanley & Lippman-Hand 1983,
    JAMA 249(13)), as it is within two standard errors elsewhere.
    """
    return np.where(p_value == 1, 1.5 / draws, np.sqrt(p_value * (1 - p_value) / draws))


def evaluate(
    estimator: Estimator, panel: Panel, target: Target, *, learn: Bool2 | None = None, hold: Weights | None = None
) -> Found | Refused:
    """Prepare, fit and apply the target: the one path from panel (or `Sample`) to terms."""
    if isinstance(panel, Sample) and not estimator.asks.samples:
        return Refused(
            f"an estimate by {estimator.name}",
            "it needs units that are seen again, and these are repeated cross-sections",
            "Use group-time.",
        )
    prepared = target.prepare(panel)
    fit = estimator.fit(prepared, learn=learn, hold=hold)
    if isinstance(fit, Refused):
        return fit
    effects = target.of(fit.cells, prepared)
    return effects if isinstance(effects, Refused) else Found(prepared, fit, effects)


def serving(found: Found) -> Bool1:
    """(G,) the clusters with a unit that others are compared with."""
    panel = found.panel
    controls = np.flatnonzero(
        (panel.weight > 0) & (~panel.treated if panel.pairs is None else (panel.pairs > 0).any(axis=0))
    )
    there = np.zeros(len(panel.clusters), dtype=bool)
    there[panel.cluster[controls]] = True
    return there


def spread(found: Found) -> tuple[Int1, Int1, Float1, Float1]:
    """Per term: clusters with weight, treated clusters with weight, largest cluster share, effective clusters."""
    share = found.effects.share
    treated = share > 0
    count = (treated | serving(found)[:, None]).sum(axis=0)
    return (count.astype(np.intp), treated.sum(axis=0).astype(np.intp), share.max(axis=0), 1.0 / (share**2).sum(axis=0))


def without_interval(
    found: Found,
    name: str,
    null: str,
    p_value: Float1,
    level: float,
    *,
    draws: int,
    attempted: int,
    mc_error: Float1,
    std_error: Float1 | None = None,
    failures: tuple[str, ...] = (),
    refused: tuple[Refused | None, ...] | None = None,
    replicates: Replicates | None = None,
    placebos: PlaceboPaths | None = None,
) -> Uncertainty:
    """The uncertainty of an inference that gives a p-value and no interval."""
    nothing = np.full(len(p_value), np.nan)
    return Uncertainty(
        name,
        null,
        nothing if std_error is None else std_error,
        nothing,
        nothing,
        nothing,
        p_value,
        level,
        (None,) * len(p_value) if refused is None else refused,
        *spread(found),
        draws=draws,
        attempted=attempted,
        failures=failures,
        mc_error=mc_error,
        replicates=replicates,
        placebos=placebos,
    )
