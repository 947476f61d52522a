"""The cluster bootstrap: everything estimated anew on clusters drawn with replacement."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np

from impact.arrays import Float1, Float2, Int1
from impact.errors import Refused
from impact.estimators.protocol import Estimator, Gives
from impact.inference.few import FEWEST
from impact.inference.intervals import interval
from impact.inference.protocol import Found, Uncertainty, evaluate, spread
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target

__all__ = ["Bootstrap", "resampled"]

_BLOCK = 10
_MOST_FAILURES = 0.05


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """As many clusters as there are, drawn with replacement; ``V = Σ (θ_b - mean)² / B``, with normal quantiles.

    Every draw is estimated from the start, weights and covariate slopes included. A draw without any treated unit, or
    without any never-treated one where the panel has them, is drawn anew (as in Algorithm 2); `attempted` counts those
    too. A cluster that is drawn twice is two clusters, and an area inside it is two areas; an area that lies in several
    clusters stays one. A draw that lacks a cohort is an estimate over the others, as with ``cluster-jackknife``.

    Refused with one treated unit, whose own error no draw shows, and on matched panels, for which the bootstrap is
    known to fail. Terms with fewer than 4 treated clusters have no interval.

    Parameters
    ----------
    draws : int
        2 or more.
    level : float
        Of the interval.

    References
    ----------
    Arkhangelsky, Athey, Hirshberg, Imbens & Wager (2021), American Economic Review 111(12), Algorithm 2; Clarke,
    Pailañir, Athey & Imbens (2023), IZA DP 15907, for staggered starts; Abadie & Imbens (2008), Econometrica 76(6), for
    matching. The R package ``synthdid`` keeps the ridge of the full estimate in every draw; here it is part of
    Algorithm 1, which is run anew.
    """

    draws: int = 200
    level: float = 0.95

    name: ClassVar[str] = "bootstrap"
    needs: ClassVar[Gives] = Gives.NOTHING

    def __post_init__(self) -> None:
        if self.draws < 2:
            raise ValueError(f"draws={self.draws} is fewer than the 2 that a spread needs")
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
        refused = _unsuited(panel)
        if refused is not None:
            return refused
        terms = found.effects.terms
        _, treated, _, _ = spread(found)
        reasons = [_too_few(int(count)) for count in treated]
        nothing = np.full(len(terms), np.nan)
        normal = np.full(len(terms), np.inf)
        if None not in reasons:
            return interval(found, self.name, nothing, normal, self.level, tuple(reasons), 0, 0)
        draw = partial(_drawn, estimator, panel, target, terms, streams.at(self.name))
        blocks = [range(start, min(start + _BLOCK, self.draws)) for start in range(0, self.draws, _BLOCK)]
        results = [result for block in parallel.map(draw, blocks, self.name) for result in block]
        attempted = sum(tries for tries, _ in results)
        failures = [f"draw {n}: {one.because}" for n, (_, one) in enumerate(results) if isinstance(one, Refused)]
        if len(failures) > _MOST_FAILURES * self.draws:
            return Refused(
                "an error by the bootstrap",
                f"{len(failures)} of {self.draws} draws gave no estimate ({failures[0]}), and leaving them out would "
                "misstate the error",
                "Widen the donor pool, choose a simpler estimator, or use cluster-jackknife or placebo-space.",
            )
        kept = np.array([one for _, one in results if not isinstance(one, Refused)])
        given = np.array([reason is None for reason in reasons])
        # At least four clusters are all missing from less than one draw in fifty.
        gone = np.isnan(kept).sum(axis=0) * given
        failures += [f"{terms[n]}: not in {gone[n]} of {len(kept)} draws" for n in np.flatnonzero(gone)]
        error = nothing.copy()
        error[given] = np.nanstd(kept[:, given], axis=0)
        answer = interval(found, self.name, error, normal, self.level, tuple(reasons), len(kept), attempted)
        return replace(answer, failures=tuple(failures), mc_error=_mc_error(kept, found.effects.estimate, error))


def resampled(panel: Panel, picks: Int1) -> Panel:
    """The panel of the clusters `picks`; one that is picked again is another cluster, with units and areas of its own.

    Parameters
    ----------
    panel : Panel
        Or a `Sample`, whose rows then stand for the units.
    picks : (G,) int
        Numbers of clusters, any number of times.

    Returns
    -------
    Panel
        Names of the second copy end in `` (2)``. An area in several clusters stays one area.
    """
    order = np.argsort(panel.cluster, kind="stable")
    edges = np.searchsorted(panel.cluster[order], np.arange(len(panel.clusters) + 1))
    members = [order[edges[pick] : edges[pick + 1]] for pick in picks]
    rows = np.concatenate(members)
    copy = np.repeat(_earlier(picks), [len(inside) for inside in members])
    cluster, clusters = _copies(panel.cluster[rows], copy, panel.clusters)
    inside = panel.area >= 0
    pairs = np.unique(np.column_stack([panel.area[inside], panel.cluster[inside]]), axis=0)
    whole = np.bincount(pairs[:, 0], minlength=len(panel.areas) + 1) == 1
    area, areas = _copies(panel.area[rows], np.where(whole[panel.area[rows]], copy, 0), panel.areas)
    taken = replace(panel.take(rows), cluster=cluster, clusters=clusters, area=area, areas=areas)
    if isinstance(taken, Panel):
        named = tuple(_copied(panel.units[row], again) for row, again in zip(rows.tolist(), copy.tolist(), strict=True))
        taken = replace(taken, units=named)
    return taken.by_area() if panel.grouped == "area" else taken


def _earlier(picks: Int1) -> Int1:
    """(G,) how often each pick was picked before."""
    order = np.argsort(picks, kind="stable")
    ranked = picks[order]
    earlier = np.empty(len(picks), dtype=np.intp)
    earlier[order] = np.arange(len(picks)) - np.searchsorted(ranked, ranked)
    return earlier


def _copies(codes: Int1, copy: Int1, names: tuple[str, ...]) -> tuple[Int1, tuple[str, ...]]:
    """Numbers and names of the pairs of code and copy; -1 stays."""
    there = codes >= 0
    pairs, number = np.unique(np.column_stack([codes[there], copy[there]]), axis=0, return_inverse=True)
    out = np.full(len(codes), -1, dtype=np.intp)
    out[there] = number.reshape(-1)
    return out, tuple(_copied(names[code], again) for code, again in pairs.tolist())


def _copied(name: str, again: int) -> str:
    return f"{name} ({again + 1})" if again else name


def _unsuited(panel: Panel) -> Refused | None:
    what = "an error by the bootstrap"
    if panel.pairs is not None:
        return Refused(
            what,
            "the panel is matched, and the bootstrap is known to misstate the error of matched comparisons",
            "Use cluster-jackknife.",
        )
    if int((panel.treated & (panel.weight > 0)).sum()) < 2:
        return Refused(
            what,
            "there is one treated unit: every draw that has it has the same one, so its own error shows in none",
            "Use placebo-space.",
        )
    return None


def _too_few(treated: int) -> Refused | None:
    if treated >= FEWEST:
        return None
    return Refused(
        "an interval",
        f"{treated} treated clusters carry weight in it, and draws of fewer than {FEWEST} do not show their error",
        "Use placebo-space for a p-value, or a target over more areas.",
    )


def _drawn(
    estimator: Estimator, panel: Panel, target: Target, terms: tuple[str, ...], streams: Streams, draws: range
) -> list[tuple[int, Float1 | Refused]]:
    """How often each draw was drawn, and its terms (m,), nan where the draw has none of their clusters."""
    return [_one(estimator, panel, target, terms, streams.at(draw).generator()) for draw in draws]


def _one(
    estimator: Estimator, panel: Panel, target: Target, terms: tuple[str, ...], generator: np.random.Generator
) -> tuple[int, Float1 | Refused]:
    heavy = panel.weight > 0
    weighing = np.unique(panel.cluster[heavy])
    needed = [
        np.bincount(panel.cluster[side & heavy], minlength=len(panel.clusters)) > 0
        for side in (panel.treated, panel.never)
        if (side & heavy).any()
    ]
    tries = 1
    picks = generator.choice(weighing, size=len(weighing))
    while not all(side[picks].any() for side in needed):
        tries += 1
        picks = generator.choice(weighing, size=len(weighing))
    found = evaluate(estimator, resampled(panel, picks), target)
    if isinstance(found, Refused):
        return tries, found
    values = dict(zip(found.effects.terms, found.effects.estimate, strict=True))
    return tries, np.array([values.get(term, np.nan) for term in terms])


def _mc_error(kept: Float2, estimate: Float1, error: Float1) -> Float1:
    """(m,) Monte-Carlo standard error of the p-values, from that of the standard errors, ``s/2 √((kurtosis - 1)/B)``;
    that of `drawn_error` where p = 1, and 0 for terms without an interval only."""
    from scipy import stats

    away = kept - np.nanmean(kept, axis=0) if len(kept) else kept
    with np.errstate(divide="ignore", invalid="ignore"):
        kurtosis = np.nanmean(away**4, axis=0) / error**4
        ratio = np.abs(estimate) / error
        draws = (~np.isnan(kept)).sum(axis=0)
        relative = np.sqrt(np.maximum(kurtosis - 1, 0) / draws) / 2
        found = np.maximum(2 * stats.norm.pdf(ratio) * ratio * relative, np.finfo(float).tiny)
        return np.asarray(np.nan_to_num(np.where(ratio == 0, 1.5 / draws, found), posinf=0.0))
