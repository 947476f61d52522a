"""Where placebos lie by periods since the start: sums by hand for difference-in-differences with two starts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from impact.estimators.registry import resolve
from impact.inference.placebo import PlaceboSpace
from impact.inference.placebo_statistics import SHARES, paths
from impact.inference.protocol import Found, Uncertainty, evaluate
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target

UNITS, PERIODS, STARTS = 14, 10, (5, 7)
NAMES = tuple(f"w{row:02d}" for row in range(UNITS))


def panel() -> Panel:
    rng = np.random.default_rng(3)
    first = np.full(UNITS, np.inf)
    first[:2] = STARTS
    return Panel(
        y=rng.normal(size=(UNITS, PERIODS)).cumsum(axis=1),
        first=first,
        units=NAMES,
        periods=tuple(map(str, range(PERIODS))),
        cluster=np.arange(UNITS),
        clusters=NAMES,
        area=np.where(np.isfinite(first), np.arange(UNITS), -1),
        areas=("early", "late"),
        weight=np.ones(UNITS),
        group=np.where(first == 5, 0, np.where(first == 7, 1, -1)),
    )


def quantile(values: list[float], share: float) -> float:
    """Between the two values around the place ``share (n - 1)``, counted from 0."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


@pytest.mark.parametrize("statistic", ["rmspe-ratio", "estimate"])
def test_the_quantiles_are_those_of_every_set(statistic: str) -> None:
    one, target, how = panel(), Target("average"), PlaceboSpace(draws=40, statistic=statistic)  # type: ignore[arg-type]
    estimator = resolve("did")()
    found = how.run(estimator, one, target, streams=Streams(5), parallel=Parallel())
    placebos = how.placebos(estimator, one, target, streams=Streams(5), parallel=Parallel())
    assert isinstance(found, Uncertainty) and found.placebos is not None and not hasattr(placebos, "because")
    sets = [[NAMES.index(name) for name in names] for names in placebos.sets]  # type: ignore[union-attr]
    assert len(sets) == found.placebos.sets == 40
    by_event: dict[int, list[float]] = {}
    for chosen in sets:
        controls = one.y[[row for row in range(2, UNITS) if row not in chosen]].mean(axis=0)
        gaps: dict[int, list[float]] = {}
        for unit, start in zip(chosen, STARTS, strict=True):
            gap = one.y[unit] - controls
            for period in range(PERIODS):
                gaps.setdefault(period - start, []).append(gap[period] - gap[:start].mean())
        for event, values in gaps.items():
            by_event.setdefault(event, []).append(sum(values) / len(values))
    events = found.placebos.events.tolist()
    assert set(events) <= set(by_event) and {0, 1, 2, 3, 4} <= set(events)
    assert statistic == "estimate" or set(events) == set(by_event)
    for event, row in zip(events, found.placebos.quantiles, strict=True):
        assert row == pytest.approx([quantile(by_event[event], share) for share in SHARES], abs=1e-10)


def test_a_target_of_single_areas_has_none() -> None:
    how = replace(PlaceboSpace(), draws=20)
    found = how.run(resolve("did")(), panel(), Target("unit"), streams=Streams(5), parallel=Parallel())
    assert isinstance(found, Uncertainty) and found.placebos is None


def test_the_areas_themselves_lie_where_their_event_study_puts_them() -> None:
    """The one set that is no placebo: its quantiles are all the estimates by periods since the start."""
    found = evaluate(resolve("did")(), panel(), Target("average"))
    events = evaluate(resolve("did")(), panel(), Target("event"))
    assert isinstance(found, Found) and isinstance(events, Found)
    own = paths(Target("average"), found.fit.cells, found.fit.cells.effect[None])
    assert own is not None
    known = dict(zip(events.effects.terms, events.effects.estimate, strict=True))
    for event, row in zip(own.events.tolist(), own.quantiles, strict=True):
        assert row == pytest.approx([known[str(event)]] * 4, abs=1e-12)
