"""Prediction intervals: what the treated areas would have shown, up to two errors that are bounded apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal, get_args

import numpy as np

from impact.arrays import Bool1, Float1, Float2, Float3, Int1
from impact.errors import Refused
from impact.estimators.protocol import Estimator, Gives
from impact.inference.prediction_errors import Comparison, Local, Moments, Outcome, Shape, local, outcome
from impact.inference.prediction_terms import Asked, comparison, term
from impact.inference.protocol import Band, Found, Uncertainty, drawn_error, evaluate, spread
from impact.numerics.widest import extremes
from impact.panel import Panel
from impact.parallel import Parallel
from impact.sample import Sample
from impact.streams import Streams
from impact.targets import Target

__all__ = ["PredictionInterval"]

_BLOCK = 16
_MOST_FAILURES = 0.05
_CLOSE = 1e-3  # share of the range of a linear function up to which its extreme is known
_HALVINGS = 40


@dataclass(frozen=True, slots=True)
class PredictionInterval:
    """Intervals for the effect in the treated areas themselves, from the errors of the synthetic control.

    The untreated outcome is ``p'w + e``, with ``p`` the donors' outcomes and ``w`` the right weights, so the effect is
    the estimate plus ``p'(ŵ − w)`` less ``e``. The first error is bounded by simulation, with ``ŵ`` in the place of the
    right weights: for every draw of a shock to the fit before the start, the least and the most of ``p'(v − ŵ)`` over
    weights ``v`` near ``ŵ`` that fit the shock at least as well (see `extremes`). The bounds are the ``α/4`` and
    ``1 − α/4`` quantiles over the draws, with ``α = 1 - level``. The second is bounded from how the gaps
    before the start were spread, at ``α/4`` on either side; together they hold with at least `level`. With several
    areas every error is bounded for each and added with the weights of the term, so the areas may depend on each other
    in any way; in one draw a period has the same shock in all areas, up to the size and sign of each area's residual.

    An interval predicts what *these* areas would have shown in *these* periods, given the donors. It is none for what
    the programme does elsewhere, and its p-value is the largest ``1 - level`` whose interval holds 0. The band holds
    for all terms after the start at once: the quantiles are those of the extremes over the terms, and the second error
    is bounded at ``α/4`` divided by their number.

    Weights must be non-negative, sum to one, compare levels, and minimise the squares before the start: the theory is
    for those. It asks for errors whose spread before and after the start is the same, given the donors.

    Parameters
    ----------
    error : {"gaussian", "location-scale", "quantile"}
        How the second error is bounded: as a sub-Gaussian one, by quantiles of residuals that are scaled to their
        spread, or by quantile regression.
    order : {0, 1}
        Whether the residuals are modelled as linear in the outcomes of the donors that carry weight, or as constant;
        with no more than 10 periods beyond the coefficients it is always constant.
    lags : int
        Earlier periods of those outcomes in that model.
    cointegrated : bool
        Whether the model holds changes instead of outcomes: for outcomes with a trend.
    misspecified : bool
        Whether the residuals may have a mean other than 0, which the model then takes away.
    draws : int
        Of the shock.

    References
    ----------
    Cattaneo, Feng & Titiunik (2021), JASA 116(536); Cattaneo, Feng, Palomba & Titiunik (2025a), Review of Economics
    and Statistics, for several areas, averages and staggered starts; (2025b), Journal of Statistical Software 113(1).
    Where these leave a choice it is that of the R package scpi 3.0.1, save that its areas have shocks of their own,
    and that its bands multiply the bounds of the second error by ``√log(m + 1)``, their mean included.
    """

    error: Shape = "gaussian"
    order: Literal[0, 1] = 1
    lags: int = 0
    cointegrated: bool = False
    misspecified: bool = True
    draws: int = 200
    level: float = 0.95

    name: ClassVar[str] = "prediction-interval"
    needs: ClassVar[Gives] = Gives.WEIGHTS

    def __post_init__(self) -> None:
        if self.error not in get_args(Shape):
            raise ValueError(f"error={self.error!r} is not one of {', '.join(get_args(Shape))}")
        if self.order not in (0, 1) or self.lags < 0:
            raise ValueError(f"order={self.order!r} is not 0 or 1, or lags={self.lags!r} is below 0")
        if not 0 < self.level < 1:
            raise ValueError(f"level={self.level} is not between 0 and 1")
        if self.draws * (1 - self.level) / 4 < 1 - 1e-9:
            raise ValueError(f"draws={self.draws} are too few to tell a level of {self.level:g}")

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
        if isinstance(panel, Sample):
            return Refused(
                "a prediction interval",
                "it predicts areas that are seen again, and these are repeated cross-sections",
                "Use cluster-jackknife or score-flip.",
            )
        if Gives.WEIGHTS not in estimator.gives:
            return Refused(
                "a prediction interval", f"{estimator.name} gives no weights of donors", "Use synthetic-control."
            )
        found = full or evaluate(estimator, panel, target)
        if isinstance(found, Refused):
            return found
        known = [comparison(found, row) for row in range(len(found.fit.compared))]
        moments = Moments(self.order, self.lags, self.cointegrated, self.misspecified)
        models = [one if isinstance(one, Refused) else _model(one, moments, self.error) for one in known]
        asked = [_with(models, term(found, known, column)) for column in range(len(found.effects.terms))]
        terms = tuple(one for one in asked if not isinstance(one, Refused))
        sources = tuple(_source(row, model, terms) for row, model in enumerate(models) if isinstance(model, _Model))
        numbers = [range(start, min(start + _BLOCK, self.draws)) for start in range(0, self.draws, _BLOCK)]
        draw = partial(_simulated, sources, len(terms), len(found.panel.periods), streams.at(self.name))
        results = [one for block in (parallel.map(draw, numbers, self.name) if terms else []) for one in block]
        failures = tuple(one for one in results if isinstance(one, str))
        if len(failures) > _MOST_FAILURES * len(results):
            return Refused(
                "a prediction interval",
                f"{len(failures)} of {len(results)} draws failed ({failures[0]})",
                "Leave out donors whose level is far from all others.",
            )
        kept = [one for one in results if not isinstance(one, str)]
        drawn = np.array(kept) if kept else np.zeros((0, 0, 2))
        outcomes = tuple(None if isinstance(one, Refused) else one.outcome for one in models)
        given = np.array([not isinstance(one, Refused) for one in asked])
        predicted = _Predicted(found.effects.estimate[given], drawn, terms, outcomes)
        return _uncertainty(self, found, asked, predicted, failures, _family(target, found))


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """One comparison with its two errors."""

    known: Comparison
    local: Local
    outcome: Outcome


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """What the draws of one comparison need: its fit (n, J) and shock, and functions (m, J) for the terms it is in."""

    z: Float2
    local: Local
    functions: Float2
    terms: Int1


def _model(known: Comparison, moments: Moments, shape: Shape) -> _Model | Refused:
    error = outcome(known, moments, shape)
    return error if isinstance(error, Refused) else _Model(known, local(known, moments), error)


def _with(models: list[_Model | Refused], asked: Asked | Refused) -> Asked | Refused:
    """The term, unless a comparison in it has no model."""
    if isinstance(asked, Refused):
        return asked
    missing = [model for row in asked.shares if isinstance(model := models[row], Refused)]
    return missing[0] if missing else asked


def _source(row: int, model: _Model, terms: tuple[Asked, ...]) -> _Source:
    inside = np.array([number for number, one in enumerate(terms) if row in one.shares], dtype=np.intp)
    shares = [terms[number].shares[row] for number in inside]
    functions = np.array(shares) @ model.known.donors if shares else np.zeros((0, len(model.known.weights)))
    return _Source(model.known.donors[model.local.rows], model.local, functions, inside)


def _simulated(
    sources: tuple[_Source, ...], terms: int, length: int, streams: Streams, numbers: Sequence[int]
) -> list[Float2 | str]:
    """(terms, 2) the least and the most error of the weights in every draw, or why the draw failed."""
    factors = np.array([streams.at(number).generator().standard_normal(length) for number in numbers])
    sums, gap = np.zeros((len(numbers), terms, 2)), np.zeros(len(numbers))
    for source in sources:
        if not len(source.terms):
            continue
        shocks = source.local.factor * factors[:, source.local.rows]
        ends = extremes(source.z, shocks, source.functions, source.local.room)
        sums[:, source.terms] += np.stack([ends.least, ends.most], axis=2)
        gap = np.maximum(gap, ends.gap.max(axis=1))
    return [
        one if left <= _CLOSE else f"draw {number}: an extreme is known to {left:.1g} of its range only"
        for number, one, left in zip(numbers, sums, gap, strict=True)
    ]


@dataclass(frozen=True, slots=True, eq=False)
class _Predicted:
    """Terms with an interval: estimates (m,), draws (n, m, 2) of the error of the weights, and the other error."""

    estimate: Float1
    drawn: Float3
    terms: tuple[Asked, ...]
    outcomes: tuple[Outcome | None, ...]

    def ends(self, alpha: float, *, at_once: Int1 | None = None) -> Float2:
        """(2, m) intervals of level ``1 - alpha``, or such as hold for the terms `at_once` together."""
        family = np.arange(len(self.terms))[:, None] if at_once is None else np.tile(at_once, (len(self.terms), 1))
        least, most = self.drawn[:, family, 0].min(axis=2), self.drawn[:, family, 1].max(axis=2)
        below, above = self._outer(alpha / 2 / family.shape[1])
        return np.array(
            [
                self.estimate + np.quantile(least, alpha / 4, axis=0) - above,
                self.estimate + np.quantile(most, 1 - alpha / 4, axis=0) - below,
            ]
        )

    def _outer(self, alpha: float) -> Float2:
        """(2, m) bounds of the error of the outcome, each area's added with its weight."""
        known = [None if one is None else one.bounds(alpha) for one in self.outcomes]
        sums = np.zeros((2, len(self.terms)))
        for number, term_ in enumerate(self.terms):
            for row, share in term_.shares.items():
                used, ends = share != 0, known[row]
                if ends is not None:
                    sums[:, number] += [share[used] @ end[used] for end in ends]
        return sums

    def p_values(self) -> Float1:
        """(m,) the largest ``1 - level`` whose interval holds 0; at least one over the draws and one."""
        least = 1 / (1 + len(self.drawn))
        low, high = np.full(len(self.terms), least), np.ones(len(self.terms))
        for number in range(len(low)):
            if self._holds(1.0, number):
                low[number] = 1.0
            for _ in range(_HALVINGS if low[number] < 1 and self._holds(least, number) else 0):
                middle = float(np.sqrt(low[number] * high[number]))
                if self._holds(middle, number):
                    low[number] = middle
                else:
                    high[number] = middle
        return low

    def _holds(self, alpha: float, number: int) -> bool:
        low, high = self.ends(alpha)[:, number]
        return bool(low <= 0 <= high)


def _uncertainty(
    how: PredictionInterval,
    found: Found,
    asked: list[Asked | Refused],
    predicted: _Predicted,
    failures: tuple[str, ...],
    family: Bool1,
) -> Uncertainty:
    given = np.array([not isinstance(one, Refused) for one in asked])
    count, draws = len(asked), len(predicted.drawn)
    low, high, p_value = (np.full(count, np.nan) for _ in range(3))
    if given.any():
        low[given], high[given] = predicted.ends(1 - how.level)
        p_value[given] = predicted.p_values()
    nothing = np.full(count, np.nan)
    inside = given & family
    band = None
    if inside.sum() > 1:
        ends = np.full((2, count), np.nan)
        ends[:, inside] = predicted.ends(1 - how.level, at_once=np.flatnonzero(inside[given]))[:, inside[given]]
        band = Band(ends[0], ends[1])
    return Uncertainty(
        how.name,
        "no effect on these areas in these periods, given their donors",
        nothing,
        nothing,
        low,
        high,
        p_value,
        how.level,
        tuple(one if isinstance(one, Refused) else None for one in asked),
        *spread(found),
        draws=draws,
        attempted=draws + len(failures),
        failures=failures,
        mc_error=np.where(given, drawn_error(p_value, 1 + draws), 0.0),
        kind="pointwise" if band is None else "uniform",
        band=band,
    )


def _family(target: Target, found: Found) -> Bool1:
    """(m,) the terms that a band is over: those after the start, without the mean over the others."""
    cells, weights = found.fit.cells, found.effects.weights
    after = np.array([bool(cells.post[weights[:, number] != 0].all()) for number in range(weights.shape[1])])
    if target.kind in ("event", "calendar", "cohort"):
        after[-1] = False
    return after
