"""What estimators and inferences would say in many worlds whose truth is known: bias, size, coverage, what can be seen.

One runner for the plan of a study, its calibration on its own past, the support table and the simulations in the tests:
they differ in where the worlds come from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np

from impact.arrays import Bool1, Float1, frozen
from impact.errors import Refused
from impact.estimators.protocol import Estimator
from impact.inference.protocol import Found, Inference, Uncertainty, evaluate
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target

__all__ = ["Diagnosis", "Pair", "Rate", "World", "diagnose"]

World: TypeAlias = Callable[[int], Panel | Refused]
"""A panel by its number, in which the effect is known; the same number is the same panel. It must survive a pickle."""


@dataclass(frozen=True, slots=True)
class Pair:
    """An estimator and the inference that judges it, under a name."""

    label: str
    estimator: Estimator
    inference: Inference


@dataclass(frozen=True, slots=True)
class Rate:
    """A number over worlds, with its Monte-Carlo standard error and the number of worlds behind it."""

    value: float
    mc_error: float
    worlds: int


@dataclass(frozen=True, slots=True, eq=False)
class Diagnosis:
    """One pair in `n` worlds; nan where a world gives no such number.

    Attributes
    ----------
    label : str
    level : float
        Of the intervals.
    error : (n,) float
        Estimate less the truth.
    std_error : (n,) float
        What the inference says of it.
    p_value : (n,) float
        Of no effect, in a world without effect.
    low, high : (n,) float
        Interval less the truth.
    refused : mapping of str to int
        In how many worlds there was no estimate, no interval or no p-value, by the reason.
    """

    label: str
    level: float
    error: Float1
    std_error: Float1
    p_value: Float1
    low: Float1
    high: Float1
    refused: Mapping[str, int]

    def __post_init__(self) -> None:
        for name in ("error", "std_error", "p_value", "low", "high"):
            object.__setattr__(self, name, frozen(getattr(self, name)))

    @property
    def worlds(self) -> int:
        """All worlds, also those that were refused."""
        return len(self.error)

    @property
    def bias(self) -> Rate | None:
        """Mean error."""
        return _mean(self.error)

    @property
    def rmse(self) -> Rate | None:
        """Root of the mean squared error; its Monte-Carlo error by the delta method."""
        squared = _mean(self.error**2)
        if squared is None:
            return None
        root = float(np.sqrt(squared.value))
        return Rate(root, squared.mc_error / (2 * root) if root > 0 else 0.0, squared.worlds)

    @property
    def size(self) -> Rate | None:
        """Share of worlds, of those with a p-value, in which an effect is seen that is not there."""
        return _share(self.p_value[~np.isnan(self.p_value)] <= 1 - self.level + 1e-12)

    @property
    def coverage(self) -> Rate | None:
        """Share of intervals that hold the truth."""
        low, high = self._intervals
        return _share((low <= 0) & (high >= 0))

    @property
    def width(self) -> Rate | None:
        """Mean width of the interval."""
        low, high = self._intervals
        return _mean(high - low)

    def power(self, effect: float) -> Rate | None:
        """Share of worlds in which the interval lies wholly on the side of `effect`, if that is the effect.

        An effect that is added to the treated cells moves estimate and interval by itself (every estimator is held to
        that by the contract suite), so the worlds need not be drawn again.
        """
        low, high = self._intervals
        return _share(low + effect > 0 if effect > 0 else high + effect < 0)

    def detectable(self, power: float = 0.8) -> Rate | None:
        """The smallest effect that is seen with probability `power`, whichever its direction; None without intervals.

        Its Monte-Carlo error is half the distance between the effects seen with one standard error more and less of
        that probability. None also where so many intervals have no end that no effect is large enough.
        """
        low, high = self._intervals
        count = len(low)
        if not count:
            return None
        off = float(np.sqrt(power * (1 - power) / count))
        ranks = [
            int(np.clip(np.ceil(share * count - 1e-9), 1, count)) - 1 for share in (power - off, power, power + off)
        ]
        least, middle, most = np.maximum(np.sort(-low)[ranks], np.sort(high)[ranks]).clip(0.0).tolist()
        return Rate(middle, (most - least) / 2, count) if np.isfinite(most) else None

    @property
    def _intervals(self) -> tuple[Float1, Float1]:
        there = ~np.isnan(self.low)
        return self.low[there], self.high[there]


def diagnose(
    world: World,
    worlds: int,
    pairs: Sequence[Pair],
    target: Target,
    *,
    streams: Streams,
    truth: float = 0.0,
    level: float = 0.95,
    parallel: Parallel | None = None,
    label: str = "worlds",
) -> tuple[Diagnosis, ...]:
    """Every pair in every world.

    Parameters
    ----------
    world : callable
        Panel by number; a refusal counts as one for every pair.
    worlds : int
        How many.
    pairs : sequence of Pair
        All see the same worlds, so that their difference is not one of luck. A fit serves all inferences of one
        estimator (the same object).
    target : Target
        Its last term is judged: the mean, where there are several.
    streams : Streams
        Of the draws within a world; each world and pair has its own.
    truth : float
        The effect in every world. With another than 0 the p-values say nothing of size, and are left out.
    level : float
        That of the inferences, for size and coverage.
    parallel : Parallel, optional
        In this process by default.
    label : str
        Of the progress.

    Returns
    -------
    tuple of Diagnosis
        In the order of `pairs`.

    Raises
    ------
    ValueError
        There is no pair or no world, or two pairs have one label.
    """
    if not pairs or worlds < 1:
        raise ValueError("diagnose needs at least one pair and one world")
    if len({pair.label for pair in pairs}) < len(pairs):
        raise ValueError("two pairs have one label")
    task = partial(_world, world, tuple(pairs), target, streams)
    rows = (parallel or Parallel()).map(task, range(worlds), label)
    return tuple(
        _diagnosis(pair.label, level, truth, [row[number] for row in rows]) for number, pair in enumerate(pairs)
    )


_Numbers: TypeAlias = tuple[tuple[float, float, float, float, float], str]


def _world(
    world: World, pairs: tuple[Pair, ...], target: Target, streams: Streams, number: int
) -> tuple[_Numbers, ...]:
    panel = world(number)
    if isinstance(panel, Refused):
        return ((_NOTHING, panel.because),) * len(pairs)
    fitted: dict[int, Found | Refused] = {}
    rows = []
    for pair in pairs:
        if id(pair.estimator) not in fitted:
            fitted[id(pair.estimator)] = evaluate(pair.estimator, panel, target)
        found = fitted[id(pair.estimator)]
        rows.append(
            (_NOTHING, found.because)
            if isinstance(found, Refused)
            else _judged(pair, panel, target, found, streams.at(number, pair.label))
        )
    return tuple(rows)


_NOTHING = (np.nan,) * 5


def _judged(pair: Pair, panel: Panel, target: Target, found: Found, streams: Streams) -> _Numbers:
    estimate = float(found.effects.estimate[-1])
    given: Uncertainty | Refused = pair.inference.run(
        pair.estimator, panel, target, streams=streams, parallel=Parallel(), full=found
    )
    if isinstance(given, Refused):
        return (estimate, *_NOTHING[1:]), given.because
    why = given.refused[-1]
    ends = (given.std_error, given.p_value, given.low, given.high)
    std_error, p_value, low, high = (float(values[-1]) for values in ends)
    return (estimate, std_error, p_value, low, high), "" if why is None else why.because


def _diagnosis(label: str, level: float, truth: float, rows: Sequence[_Numbers]) -> Diagnosis:
    error, std_error, p_value, low, high = np.array([numbers for numbers, _ in rows]).T
    refused: dict[str, int] = {}
    for _, why in rows:
        if why:
            refused[why] = refused.get(why, 0) + 1
    if truth != 0:
        p_value = np.full(len(rows), np.nan)
    return Diagnosis(label, level, error - truth, std_error, p_value, low - truth, high - truth, refused)


def _mean(values: Float1) -> Rate | None:
    there = values[~np.isnan(values)]
    if not len(there):
        return None
    spread = float(there.std(ddof=1)) if len(there) > 1 else np.nan
    return Rate(float(there.mean()), spread / float(np.sqrt(len(there))), len(there))


def _share(hits: Bool1) -> Rate | None:
    """A rate that is 0 or 1 is not known without error: its error is that of one world more that differs."""
    count = len(hits)
    if not count:
        return None
    rate = float(hits.mean())
    shrunk = (hits.sum() + 1) / (count + 2)
    return Rate(rate, float(np.sqrt(shrunk * (1 - shrunk) / count)), count)
