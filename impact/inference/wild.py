"""The wild cluster bootstrap: residuals with random signs by cluster, and the t-statistic anew in every draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np

from impact.arrays import Int1
from impact.errors import Refused
from impact.estimators.protocol import Estimator, Gives
from impact.inference.few import too_few
from impact.inference.inversion import outermost
from impact.inference.protocol import Found, Uncertainty, evaluate, spread
from impact.inference.two_way import Term, TwoWay
from impact.numerics.resample import Studentised, Weights, count_all, draw_blocks, studentise
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target

__all__ = ["Parts", "Residuals", "SubclusterWild", "Wild"]

Residuals = Literal["restricted", "unrestricted"]
Parts = Literal["area", "unit"]

_NULL = "the effect is 0"
_NEAR, _FAR = 1e-3, 100.0  # standard errors from the estimate between which an end of the interval is looked for
_WIDE, _STEP = 10.0, 1 / 12  # up to so many errors the search takes steps of this share
_TIE = 1e-9
_ROUNDING = 64 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class Wild:
    """p-value and interval from outcomes that keep the null and whose residuals change sign cluster by cluster.

    An outcome is drawn as what the model says under the null, plus the residuals of its cluster times a random weight;
    estimate and clustered error are worked out anew, and p is the share of draws whose \\|t\\| is at least that of the
    estimate. The model has effects of units and periods, and under the null one effect in all cells of the term
    (see ``impact.inference.two_way``); for `twfe` its residuals are the restricted ones of the regression. The interval
    has every value that the test does not reject.

    All weights are enumerated when they are no more than `draws`; otherwise, and without the null in the draws,
    p = (1 + exceedances) / (1 + draws), never 0. Who is treated when, and matched weights, are held. Below 4 treated
    clusters it is refused: the restricted form then rejects hardly ever and the unrestricted one far too often.

    Parameters
    ----------
    draws : int
        Random vectors of weights.
    weights : {"rademacher", "webb"}
        Plus or minus 1; or six values, which give more different draws with fewer than about 12 clusters.
    residuals : {"restricted", "unrestricted"}
        With the null imposed (WCR, the default), or without (WCU).

    References
    ----------
    Cameron, Gelbach & Miller (2008), Review of Economics and Statistics 90(3); Roodman, MacKinnon, Nielsen & Webb
    (2019), Stata Journal 19(1), section 3 (interval by inversion) and 5 (scores instead of refits); Webb (2023),
    Canadian Journal of Economics 56(3), for the six points; MacKinnon & Webb (2018), Econometrics Journal 21(2), on few
    treated clusters.
    """

    draws: int = 9999
    weights: Weights = "rademacher"
    residuals: Residuals = "restricted"
    level: float = 0.95

    name: ClassVar[str] = "wild"
    needs: ClassVar[Gives] = Gives.SCORES | Gives.LINEAR

    def __post_init__(self) -> None:
        _checked(self.draws, self.weights, self.residuals, self.level)

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
        return _run(self, found, estimator, found.panel.cluster, streams)


@dataclass(frozen=True, slots=True)
class SubclusterWild:
    """The wild bootstrap with a sign for every part of a cluster; the errors stay those of clusters.

    For few treated clusters, of which the ordinary form has too few different draws: parts of a cluster are drawn as if
    independent, while the error of every draw allows for their dependence. It stands beside `wild`, and where the two
    tell different stories neither is to be trusted.

    Parameters
    ----------
    draws, weights, residuals
        As in `Wild`.
    parts : {"area", "unit"}
        What changes sign as one: the units of a treated area that lie in one cluster, and every control by itself; or
        every unit by itself, which leaves out whatever an area has in common.

    References
    ----------
    MacKinnon & Webb (2018), "The wild bootstrap for few (treated) clusters", Econometrics Journal 21(2), section 4.
    """

    draws: int = 9999
    weights: Weights = "rademacher"
    residuals: Residuals = "restricted"
    parts: Parts = "area"
    level: float = 0.95

    name: ClassVar[str] = "subcluster-wild"
    needs: ClassVar[Gives] = Gives.SCORES | Gives.LINEAR

    def __post_init__(self) -> None:
        _checked(self.draws, self.weights, self.residuals, self.level)
        if self.parts not in get_args(Parts):
            raise ValueError(f"parts={self.parts!r} is not one of {', '.join(get_args(Parts))}")

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
        count = len(found.panel.units)
        part = np.arange(count, dtype=np.intp)
        if self.parts == "area":
            part = np.where(found.panel.area >= 0, count + found.panel.area, part).astype(np.intp)
        return _run(self, found, estimator, part, streams)


def _checked(draws: int, weights: str, residuals: str, level: float) -> None:
    if weights not in get_args(Weights):
        raise ValueError(f"weights={weights!r} is not one of {', '.join(get_args(Weights))}")
    if residuals not in get_args(Residuals):
        raise ValueError(f"residuals={residuals!r} is not one of {', '.join(get_args(Residuals))}")
    if not 0 < level < 1:
        raise ValueError(f"level={level} is not between 0 and 1")
    if (1 + draws) * (1 - level) < 1 - _TIE:
        raise ValueError(f"draws={draws} are too few to tell a level of {level:g}")


# One term after the other ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """The draws of one term beside what was found."""

    estimate: float
    error: float
    draws: Studentised
    count: int
    all: bool
    restricted: bool

    def beyond(self, value: float) -> int:
        """Draws at least as far out as the estimate when the effect is `value`."""
        away = self.estimate - value
        return self.draws.beyond(away / self.error, away if self.restricted else 0.0)

    def p_value(self, value: float) -> float:
        """Of the effect being `value`."""
        return (self._itself + self.beyond(value)) / (self._itself + self.count)

    @property
    def _itself(self) -> int:
        """1 where the estimate is not among the draws and counts beside them: with the null in all of them, it is."""
        return 0 if self.all and self.restricted else 1

    def interval(self, level: float) -> tuple[float, float]:
        """The outermost values that are not rejected; infinite where none far away is."""
        if self.restricted:
            near, far, wide = (many * self.error for many in (_NEAR, _FAR, _WIDE))
            found = outermost(self._room(1 - level), self.estimate, near, far, wide=wide, step=_STEP)
            return found.low, found.high
        # Without the null in the draws their t is the same for every value: the interval ends at a draw.
        place = int((1 - level) * (self.count + 1) + _TIE)
        if place < 1:
            return -np.inf, np.inf
        with np.errstate(divide="ignore"):
            size = np.abs(self.draws.top[0]) / np.sqrt(np.maximum(self.draws.square[0], 0.0))
        reach = float(np.sort(size)[-place]) * self.error
        return self.estimate - reach, self.estimate + reach

    def _room(self, share: float) -> Callable[[float], float]:
        """Nothing is known of the values beside one that is rejected."""
        return lambda value: 0.0 if self.p_value(value) > share + 1e-12 else np.finfo(float).tiny


def _run(
    how: Wild | SubclusterWild, found: Found, estimator: Estimator, part: Int1, streams: Streams
) -> Uncertainty | Refused:
    model = TwoWay.of(found, estimator, how.name)
    if isinstance(model, Refused):
        return model
    clusters, treated, largest, effective = spread(found)
    terms = len(found.effects.terms)
    low, high, p_value, error, mc_error = (np.full(terms, np.nan) for _ in range(5))
    refused = list(too_few(treated))
    drawn = 0
    rounding = _ROUNDING * float(np.nanmax(np.abs(found.panel.y), initial=0.0))
    for number, term in enumerate(model.terms()):
        if refused[number] is not None:
            continue
        if isinstance(term, Refused):
            refused[number] = term
            continue
        bare = _bare(model, number) if how.residuals == "unrestricted" else None
        if bare is not None:
            refused[number] = bare
            continue
        made = _draw(how, model, term, float(found.effects.estimate[number]), part, streams)
        if not made.error > rounding:
            refused[number] = Refused("an interval", "no error shows between its clusters", "Read it as it stands.")
            continue
        drawn, error[number], p_value[number] = made.count, made.error, made.p_value(0.0)
        low[number], high[number] = made.interval(how.level)
        mc_error[number] = 0.0 if made.all else np.sqrt(p_value[number] * (1 - p_value[number]) / (1 + made.count))
    return Uncertainty(
        how.name,
        _NULL,
        error,
        np.full(terms, np.nan),
        low,
        high,
        p_value,
        how.level,
        tuple(refused),
        clusters,
        treated,
        largest,
        effective,
        draws=drawn,
        attempted=drawn,
        mc_error=mc_error,
    )


def _bare(model: TwoWay, number: int) -> Refused | None:
    """Why there are no draws without the null: the effect of a cohort in one cluster takes all that it deviates."""
    panel = model.found.panel
    own = [at for at, cell in enumerate(model.taken) if model.found.effects.weights[cell, number]]
    for at in own:
        group = model.group[at]
        homes = np.unique(panel.cluster[(panel.group == group) & (panel.weight > 0)])
        shared = any(model.group[it] != group and np.array_equal(model.pulled(it), model.pulled(at)) for it in own)
        if len(homes) == 1 and not shared:
            return Refused(
                "an interval without the null in the draws",
                f"{panel.group_names[group]} is treated in {panel.clusters[homes[0]]} alone, and its effect takes all "
                "that this one deviates",
                "Use residuals='restricted'.",
            )
    return None


def _draw(
    how: Wild | SubclusterWild, model: TwoWay, term: Term, estimate: float, part: Int1, streams: Streams
) -> _Drawn:
    """The draws of one term; parts without a residual that counts have no sign."""
    cluster = model.found.panel.cluster
    # Parts in the order of their clusters, so that those of one lie together.
    pairs, member = np.unique(np.column_stack([cluster, part]), axis=0, return_inverse=True)
    member, homes = member.reshape(-1).astype(np.intp), pairs[:, 0].astype(np.intp)
    sets = (term.alike if how.residuals == "restricted" else term.free, term.direction)
    own = np.array([np.bincount(member, weights=(term.pull * one).sum(axis=1), minlength=len(homes)) for one in sets])
    pooled = tuple(model.estimated(term, one, member, len(homes)) for one in sets)
    spread_ = model.taken_off(term, cluster, len(model.found.panel.clusters))
    active = np.flatnonzero((own != 0).any(axis=0) | np.any([(one != 0).any(axis=1) for one in pooled], axis=0))
    own, pooled, homes = own[:, active], (pooled[0][active], pooled[1][active]), homes[active]
    alone = len(np.unique(homes)) == len(homes)
    if alone:
        spread_, home = spread_[homes], None
    else:
        known, home = np.unique(homes, return_inverse=True)
        spread_ = spread_[known]
    size = len(active)
    total = count_all(how.weights, size)
    every = total <= how.draws
    count = int(total) if every else how.draws
    generator = streams.at(how.name).generator()
    blocks = draw_blocks(how.weights, size, count, generator, enumerate_all=every)
    signs = how.weights == "rademacher"
    draws = studentise(own, spread_, pooled, blocks, signs=signs, home=home)
    observed = studentise(own, spread_, pooled, iter([np.ones((1, size))]), signs=True, home=home)
    error = float(np.sqrt(max(float(observed.square[0, 0]), 0.0)))
    return _Drawn(estimate, error, draws, count, every, how.residuals == "restricted")
