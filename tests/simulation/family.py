"""Three worlds for every difference-in-differences estimator: what it should find, and how sure it says it is.

*Parallel*: one effect of 1 for all. *Heterogeneous*: effects that differ by cohort and grow with time. *Covariate*: the
untreated course of a wijk depends on a characteristic that treated wijken have more of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from impact.estimators.registry import resolve as estimator_of
from impact.inference.diagnose import Pair, diagnose
from impact.inference.registry import resolve as inference_of
from impact.panel import NEVER, Panel
from impact.streams import Streams
from impact.targets import Target

HOSTS, GEMEENTEN, WIJKEN, PERIODS = 20, 60, 4, 8
STARTS = (3, 5)
WORLDS = ("parallel", "heterogeneous", "covariate")


@dataclass(frozen=True)
class Case:
    """An estimator with its options; `covariates` are given to it in every world. It fails in `fails`, and why.

    The truth is the mean effect over the treated cells, or over those up to `last` periods after the first.
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    covariates: tuple[str, ...] = ()
    fails: Mapping[str, str] = field(default_factory=dict)
    last: int = PERIODS

    @property
    def label(self) -> str:
        told = ", ".join(f"{key}={value}" for key, value in self.options.items())
        return (
            self.name
            + (f" ({told})" if told else "")
            + (f", with {' and '.join(self.covariates)}" if self.covariates else "")
        )

    @property
    def inference(self) -> str:
        """Leave-one-out by subtraction where that is possible; refits with covariates would take hours."""
        return "scores" if self.covariates else "cluster-jackknife"


@cache
def design() -> Panel:
    """60 gemeenten of 4 wijken; in 20 of them 2 wijken are treated, from period 3 or 5 on."""
    gemeente = np.repeat(np.arange(GEMEENTEN), WIJKEN)
    count = len(gemeente)
    treated = (gemeente < HOSTS) & (np.arange(count) % WIJKEN < 2)
    names = tuple(f"w{row:03}" for row in range(count))
    blank = Panel(
        y=np.zeros((count, PERIODS)),
        first=np.full(count, NEVER),
        units=names,
        periods=tuple(str(t) for t in range(PERIODS)),
        cluster=gemeente,
        clusters=tuple(f"g{number:02}" for number in range(GEMEENTEN)),
        area=np.full(count, -1),
        areas=(),
        weight=np.ones(count),
        group=np.full(count, -1),
    )
    return blank.assign(np.where(treated, np.array(STARTS)[gemeente % 2], NEVER))


def draw(world: str, seed: int) -> tuple[Panel, np.ndarray]:
    """A panel of the world, and the effect in every cell (N, T)."""
    rng = Streams(20261125).at("family", world, str(seed)).generator()
    panel = design()
    count = len(panel.units)
    event = np.arange(PERIODS) - panel.first[:, None]
    effect = np.where(event >= 0, 1.0, 0.0)
    if world == "heterogeneous":
        own = np.where(panel.first == STARTS[0], 2.0, 0.5)[:, None]
        effect = np.where(event >= 0, own * (1 + 0.5 * np.where(event >= 0, event, 0)), 0.0)
    x = rng.normal(size=(count, 1)) + panel.treated[:, None]
    course = 0.25 * x * np.arange(PERIODS) if world == "covariate" else 0.0
    noise = _persistent(rng, GEMEENTEN)[panel.cluster] + _persistent(rng, count)
    y = 2 * rng.normal(size=(count, 1)) + rng.normal(size=PERIODS) + course + noise + effect
    both = {"x": x, "xt": x * np.arange(PERIODS)}
    return replace(panel, y=y, covariates=both), effect


def _persistent(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, T) shocks of which half lasts a period."""
    steps = 0.5 * rng.normal(size=(count, PERIODS + 8))
    for t in range(1, steps.shape[1]):
        steps[:, t] += 0.5 * steps[:, t - 1]
    return steps[:, 8:]


@dataclass(frozen=True)
class Draw:
    """The panels of a world by number, with the covariates of a case."""

    world: str
    covariates: tuple[str, ...]

    def __call__(self, number: int) -> Panel:
        panel, _ = draw(self.world, number)
        return replace(panel, covariates={name: panel.covariates[name] for name in self.covariates})


@dataclass(frozen=True)
class Line:
    """What many seeds gave."""

    bias: float
    bias_error: float
    coverage: float
    coverage_error: float


def many(case: Case, world: str, seeds: int) -> Line:
    """Estimate minus truth, and intervals that hold the truth, over seeds 0, 1, ...

    The error of a coverage is that of a method that keeps 95 %.
    """
    panel, effect = draw(world, 0)
    event = np.arange(PERIODS) - panel.first[:, None]
    truth = float(effect[(event >= 0) & (event <= case.last)].mean())  # the same for every seed
    pair = Pair(case.label, estimator_of(case.name)(**case.options), inference_of(case.inference)())
    (row,) = diagnose(Draw(world, case.covariates), seeds, (pair,), Target("average"), streams=Streams(1), truth=truth)
    bias, coverage = row.bias, row.coverage
    assert not row.refused, f"{case.label} in {world}: {row.refused}"
    assert bias is not None and coverage is not None
    return Line(bias.value, bias.mc_error, coverage.value, float(np.sqrt(0.05 * 0.95 / seeds)))
