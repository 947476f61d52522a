"""Worlds with a known factor structure, for every synthetic estimator with every inference.

Without the programme an outcome is a common course, two factors that the wijken load on differently, and noise that
lasts; so no mean of wijken is parallel, and weights of donors that match the loadings are. Worlds differ in who is
treated: *one* area of 40 wijken or *several* (20 areas in 19 of 40 gemeenten), drawn like the others (*alike*) or among
those with the highest loadings (*chosen*, as focusgebieden were).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

import impact
from impact.errors import Refused
from impact.evidence.result import Result
from impact.panel import NEVER, Panel
from impact.streams import Streams

BEFORE, AFTER = 16, 4
PERIODS = BEFORE + AFTER
EFFECT = 1.0
WORLDS = ("one, alike", "one, chosen", "several, alike", "several, chosen")
LEVEL = 0.05
ENOUGH = 150  # with fewer worlds a rate is too uncertain to call anything sized


@dataclass(frozen=True)
class Case:
    """An estimator with its options; with `outcomes` it is also given two more indicators of the same loadings."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    outcomes: bool = False

    @property
    def label(self) -> str:
        told = ", ".join(f"{key}={value}" for key, value in self.options.items() if key != "outcomes")
        return self.name + (f" ({told})" if told else "")


@cache
def design(several: bool) -> Panel:
    """One treated unit and 39 donors; or 20 areas of 2 wijken in 19 of 40 gemeenten, each with 3 wijken more."""
    if several:
        area = np.repeat(np.arange(20), 2)
        gemeente = np.concatenate([np.maximum(area - 1, 0), np.repeat(np.arange(40), 3)])
        first = np.where(np.arange(len(gemeente)) < len(area), float(BEFORE), NEVER)
        areas = tuple(f"A{number:02}" for number in range(20))
    else:
        area, gemeente = np.zeros(1, dtype=int), np.arange(40)
        first = np.where(gemeente == 0, float(BEFORE), NEVER)
        areas = ("A00",)
    count = len(gemeente)
    blank = Panel(
        y=np.zeros((count, PERIODS)),
        first=np.full(count, NEVER),
        units=tuple(f"w{row:03}" for row in range(count)),
        periods=tuple(str(2000 + t) for t in range(PERIODS)),
        cluster=gemeente,
        clusters=tuple(f"g{number:02}" for number in range(gemeente.max() + 1)),
        area=np.full(count, -1),
        areas=(),
        weight=np.ones(count),
        group=np.full(count, -1),
    )
    return blank.assign(first, np.concatenate([area, np.full(count - len(area), -1)]), areas)


def draw(world: str, seed: int) -> Panel:
    """A panel of the world, in which nothing was done to anybody."""
    rng = Streams(20261126).at("factors", world, str(seed)).generator()
    panel = design(world.startswith("several"))
    count = len(panel.units)
    loadings = rng.uniform(size=(count, 2))
    if world.endswith("chosen"):
        # The highest of a few draws, of the whole area: most of them stay inside the range of the donors.
        high = rng.uniform(size=(len(panel.areas), 2, 3)).max(axis=2)
        loadings[panel.treated] = high[panel.area[panel.treated]]
    shared = 0.3 * lasting(rng, len(panel.clusters)) if world.startswith("several") else np.zeros((count, PERIODS))
    kinds = [
        loadings @ (2.0 * lasting(rng, 2))
        + 3.0 * loadings.sum(axis=1, keepdims=True)
        + 0.5 * lasting(rng, 1)
        + shared[panel.cluster]
        + 0.4 * lasting(rng, count)
        for _ in range(3)
    ]
    return replace(panel, y=kinds[0], covariates={"second": kinds[1], "third": kinds[2]})


def lasting(rng: np.random.Generator, count: int) -> np.ndarray:
    """(count, T) shocks of standard deviation 1 of which half lasts a period."""
    steps = np.sqrt(1 - 0.25) * rng.normal(size=(count, PERIODS + 12))
    for t in range(1, steps.shape[1]):
        steps[:, t] += 0.5 * steps[:, t - 1]
    return steps[:, 12:]


@dataclass(frozen=True)
class Once:
    """One world: estimate of no effect, whether it was called an effect, and whether the interval held an effect of 1.

    None where the inference gives no p-value, or no interval.
    """

    estimate: float
    rejected: bool | None
    covered: bool | None
    width: float


def once(case: Case, inference: str, options: Mapping[str, Any], world: str, seed: int) -> Once | Refused:
    """One world; a refusal where there is no uncertainty."""
    panel = draw(world, seed)
    if not case.outcomes:
        panel = replace(panel, covariates={})
    found = _asked(panel, case, inference, options, seed)
    if isinstance(found, Refused):
        return found
    row = found.tidy().iloc[0]
    rejected = None if np.isnan(row["p_value"]) else bool(row["p_value"] <= LEVEL)
    if rejected is None and np.isnan(row["ci_low"]):
        assert not isinstance(found.uncertainty, Refused) and found.uncertainty.refused[0] is not None
        return found.uncertainty.refused[0]
    low, high = float(row["ci_low"]), float(row["ci_high"])
    if np.isnan(low):
        return Once(float(row["estimate"]), rejected, None, np.nan)
    # An effect that is added to the treated cells moves estimate and interval by itself: every estimator here is
    # equivariant (the contract), so the interval holds 1 exactly when that of no effect holds 0.
    return Once(float(row["estimate"]), rejected, bool(low <= 0 <= high), high - low)


def _asked(panel: Panel, case: Case, inference: str, options: Mapping[str, Any], seed: int) -> Result | Refused:
    found = impact.estimate(
        panel, case.name, inference=inference, weighting="area", seed=seed + 1, **case.options, **options
    )
    if isinstance(found, Refused):
        return found
    return found.uncertainty if isinstance(found.uncertainty, Refused) else found


@dataclass(frozen=True)
class Line:
    """What many seeds gave, with the Monte-Carlo error of a rate that is what it should be; None: not given.

    `worlds` is the least number that a rate rests on: an inference may refuse an interval in one world and not in
    another, and a rate over those in which it gives one is all that can be said.
    """

    worlds: int
    bias: float
    bias_error: float
    rmse: float
    size: float | None
    coverage: float | None
    width: float
    refused: str

    @property
    def spread(self) -> float | None:
        """Mean width of the interval, where there is one."""
        return None if self.coverage is None else self.width

    @property
    def mc_error(self) -> float:
        return float(np.sqrt(LEVEL * (1 - LEVEL) / max(self.worlds, 1)))

    @property
    def status(self) -> str:
        """What the support table says of this line."""
        if self.refused:
            return "refused"
        if self.worlds < ENOUGH:
            return "unsized"
        rates = [rate for rate in (self.size, None if self.coverage is None else 1 - self.coverage) if rate is not None]
        slack = 2 * self.mc_error
        if max(rates) > LEVEL + slack:
            return "unsized"
        return "conservative" if min(rates) < LEVEL - slack else "sized"


def many(case: Case, inference: str, options: Mapping[str, Any], world: str, seeds: int) -> Line:
    """The same over seeds 0, 1, ...; refused when the first three refuse, for they look at the design."""
    found: list[Once | Refused] = []
    for seed in range(seeds):
        found.append(once(case, inference, options, world, seed))
        if seed == 2 and all(isinstance(one, Refused) for one in found):
            break
    return summed(found)


def summed(worlds: Sequence[Once | Refused]) -> Line:
    """What these worlds show; see `many`."""
    found = [one for one in worlds if not isinstance(one, Refused)]
    if not found:
        why = "".join(one.because for one in worlds[-1:] if isinstance(one, Refused))
        return Line(0, np.nan, np.nan, np.nan, None, None, np.nan, why)
    estimates = np.array([one.estimate for one in found])
    rejected = [one.rejected for one in found if one.rejected is not None]
    covered = [one.covered for one in found if one.covered is not None]
    return Line(
        min(len(rates) for rates in (rejected, covered) if rates),
        float(estimates.mean()),
        float(estimates.std(ddof=1) / np.sqrt(len(found))),
        float(np.sqrt((estimates**2).mean())),
        float(np.mean(rejected)) if rejected else None,
        float(np.mean(covered)) if covered else None,
        float(np.nanmean([one.width for one in found])) if covered else np.nan,
        "",
    )
