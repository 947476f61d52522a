"""One race: what we do, and what does the same beside it, timed in turns in the same run."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import pytest

TABLE = pytest.StashKey[list["Row"]]()


@dataclass(frozen=True, slots=True)
class Beside:
    """Who does the same.

    `agrees`, given both answers, raises where they are not one: speed of a wrong answer is none. `times` is how often
    we must be faster; below it the benchmark fails.
    """

    name: str
    run: Callable[[], Any]
    agrees: Callable[[Any, Any], None]
    times: float = 1.0


@dataclass(frozen=True, slots=True)
class Row:
    what: str
    target: float
    ours: float
    name: str = ""
    other: float | None = None

    def __str__(self) -> str:
        beside = f"{self.name} {seconds(self.other)} | {self.other / self.ours:.1f}" if self.other else " | "
        return f"| {self.what} | {seconds(self.target)} | {seconds(self.ours)} | {beside} |"


def seconds(value: float) -> str:
    return f"{value:.3g} s" if value >= 1 else f"{value * 1000:.3g} ms"


@pytest.fixture
def race(benchmark: Any, request: pytest.FixtureRequest) -> Callable[..., None]:
    """``race(what, target, ours, beside=None, rounds=5)``: medians over rounds after one that warms up.

    `target` is in seconds, for a quiet machine; it is printed and not held, since a ratio is the same on any machine.
    """

    def run(what: str, target: float, ours: Callable[[], Any], beside: Beside | None = None, rounds: int = 5) -> None:
        answer = ours()  # numba compiles, or reads its cache, at the first call
        if beside is None:
            benchmark.pedantic(ours, rounds=rounds)
            row = Row(what, target, float(benchmark.stats.stats.median))
        else:
            beside.agrees(answer, beside.run())
            del answer
            other: list[float] = []

            def in_turns() -> None:
                other.append(timed(beside.run))

            benchmark.pedantic(ours, setup=in_turns, rounds=rounds)
            row = Row(what, target, float(benchmark.stats.stats.median), beside.name, median(other))
        benchmark.extra_info.update(target=target, beside=row.name, other=row.other)
        request.config.stash.setdefault(TABLE, []).append(row)
        if beside is not None and row.other is not None:
            assert row.other >= beside.times * row.ours, f"{row}: less than {beside.times} times as fast"

    return run


def timed(run: Callable[[], Any]) -> float:
    gc.collect()
    start = perf_counter()
    run()
    return perf_counter() - start


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The rows as they stand in the README beside this file."""
    if rows := config.stash.get(TABLE, []):
        terminalreporter.section("beside")
        terminalreporter.write_line("| what | target | `impact` | beside | ratio |\n|---|---|---|---|---|")
        for row in rows:
            terminalreporter.write_line(str(row))
