"""How often every pair of estimator and inference errs, by the number of treated gemeenten: the runs behind the table.

``python -m tests.simulation.support FILE`` measures what FILE does not have yet, line by line, so that it may be
stopped and started again; ``python -m tests.simulation.support FILE table`` makes the support table of FILE,
and its page.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from impact.estimators.protocol import Estimator
from impact.estimators.registry import resolve as estimator_of
from impact.inference.diagnose import Diagnosis, Pair
from impact.inference.protocol import Found, evaluate
from impact.inference.registry import resolve as inference_of
from impact.inference.support import ENOUGH, Cell, cells, judged
from impact.panel import Weighting
from impact.streams import Streams
from impact.targets import Target
from tests.shared import ROOT
from tests.simulation.programme import Draw, World
from tests.simulation.table import cell, rewrite, save
from tests.simulation.trial import tried

PAGE = ROOT / "docs" / "error-rates.md"
WORLDS = ENOUGH
COUNTS = (19, 10, 4, 6, 3, 1)
ESTIMATORS: Mapping[str, Mapping[str, Any]] = {
    "did": {},
    "group-time": {},
    "imputation": {},
    "stacked": {"before": 2, "after": 2},
    "two-stage": {},
    "extended-twfe": {},
    "sun-abraham": {},
    "twfe": {},
}
# What is drawn is kept small: 0.05 is a whole number of draws, so the test is exact all the same.
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "score-flip": {"draws": 399},
    "wild": {"draws": 399},
    "subcluster-wild": {"draws": 399},
    "conley-taber": {"draws": 999},
    "ferman-pinto": {"draws": 999},
    "randomization-t": {"draws": 99},
    "placebo-space": {"draws": 99},
    "bootstrap": {"draws": 99},
}
DEFAULT = ("cluster-jackknife", "score-flip")
QUICK = (*DEFAULT, "scores")
HOLDING = (*QUICK, "wild", "subcluster-wild", "ibragimov-mueller")
FAILING = ("conley", "conley-taber", "ferman-pinto")
# Where two estimators give the same numbers one is simulated for both (`SAME`). Inferences that do not hold with `did`
# and `group-time` are not tried with the others: a pair that is not listed is unsized as well.
FIRST: Mapping[str, tuple[str, ...]] = dict.fromkeys(("did", "group-time", "imputation"), HOLDING)
NEXT: Mapping[str, tuple[str, ...]] = {
    "stacked": HOLDING,
    "twfe": (*HOLDING[1:], "randomization-t", "driscoll-kraay"),
    "two-stage": QUICK[1:],
    "extended-twfe": QUICK[1:],
    "sun-abraham": QUICK[1:],
    "group-time": (*FAILING, "randomization-t"),
    "did": FAILING,
}
# Estimators that give the same numbers on panels without gaps or covariates as another, but for these inferences
# (tests/simulation/test_support.py shows it); `multiplier` gives one term the error and the interval of `scores`.
SAME: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "two-stage": ("imputation", QUICK[1:]),
    "extended-twfe": ("imputation", QUICK[1:]),
    "sun-abraham": ("group-time", (*QUICK[1:], *FAILING)),
}
# Refits: minutes for a hundred worlds.
SLOW: Mapping[str, tuple[str, ...]] = {
    "did": ("jackknife", "placebo-space", "bootstrap"),
    "group-time": ("jackknife", "placebo-space", "bootstrap"),
    "twfe": ("cluster-jackknife",),
}
FEWER = 100


@dataclass(frozen=True)
class Setting:
    """A world of ``tests/simulation/programme.py`` and how wijken count in it."""

    world: World
    weighting: Weighting

    def __str__(self) -> str:
        return f"{self.world}, by {self.weighting}"


HARD = Setting(World(0.1, 0.2, 1.5, few=True), "area")
MANY = Setting(World(0.3), "unit")
RESIDENTS = Setting(World(0.3), "resident")


@dataclass(frozen=True)
class Line:
    """What one pair gave in one setting: how many p-values and intervals, and how many of these erred."""

    estimator: str
    inference: str
    treated: int
    setting: str
    worlds: int
    p_values: int
    rejections: int
    intervals: int
    misses: int
    largest: float
    refused: Mapping[str, int]

    @property
    def rates(self) -> tuple[float, ...]:
        """Share of p-values and of intervals that erred."""
        both = ((self.rejections, self.p_values), (self.misses, self.intervals))
        return tuple(wrong / count for wrong, count in both if count)

    @property
    def least(self) -> int:
        """Worlds behind each rate, at least."""
        return min((count for count in (self.p_values, self.intervals) if count), default=self.worlds)

    @property
    def key(self) -> tuple[str, str, int, str]:
        return self.estimator, self.inference, self.treated, self.setting


@dataclass(frozen=True)
class Job:
    """Some inferences of one estimator, in one setting with so many treated gemeenten."""

    estimator: str
    inferences: tuple[str, ...]
    treated: int
    setting: Setting
    worlds: int


def jobs() -> Iterator[Job]:
    """The most wanted first: what is quick in many gemeenten, before what is not."""
    for name, inferences in FIRST.items():
        for treated in COUNTS:
            yield Job(name, inferences, treated, HARD, WORLDS)
    every = [*FIRST.items(), *((name, some) for name, some in NEXT.items() if name not in FIRST)]
    quick = {name: tuple(one for one in some if one in QUICK) for name, some in every}
    for name, some in quick.items():
        yield Job(name, some, 19, RESIDENTS, WORLDS)
    for treated in COUNTS:
        for name, some in quick.items():
            yield Job(name, some, treated, HARD, WORLDS)
        for name, some in quick.items():
            yield Job(name, some, treated, MANY, WORLDS)
    for setting in (HARD, MANY):
        for name, inferences in (*NEXT.items(), *FIRST.items()):
            for treated in COUNTS:
                yield Job(name, inferences, treated, setting, WORLDS)
    for treated in (19, 4):
        for name, inferences in SLOW.items():
            yield Job(name, inferences, treated, HARD, FEWER)


def made(name: str) -> Estimator:
    return estimator_of(name)(**ESTIMATORS[name])


def pairs(job: Job) -> tuple[Pair, ...]:
    estimator = made(job.estimator)
    return tuple(Pair(name, estimator, inference_of(name)(**OPTIONS.get(name, {}))) for name in job.inferences)


def measure(job: Job) -> list[Line]:
    """What the inferences of a job give."""
    target, draw = Target("average", job.setting.weighting), Draw(job.setting.world, hosts=job.treated)
    found = evaluate(made(job.estimator), draw(0), target)
    assert isinstance(found, Found)
    largest = float(found.effects.share.max())

    rows = tried(draw, job.worlds, pairs(job), target, Streams(23))
    return [_line(job, row, largest) for row in rows]


def _line(job: Job, row: Diagnosis, largest: float) -> Line:
    size, coverage = row.size, row.coverage
    return Line(
        job.estimator,
        row.label,
        job.treated,
        str(job.setting),
        row.worlds,
        0 if size is None else size.worlds,
        0 if size is None else round(size.value * size.worlds),
        0 if coverage is None else coverage.worlds,
        0 if coverage is None else round((1 - coverage.value) * coverage.worlds),
        largest,
        row.refused,
    )


def read(path: Path) -> dict[tuple[str, str, int, str], Line]:
    if not path.exists():
        return {}
    lines = (Line(**json.loads(text)) for text in path.read_text(encoding="utf-8").splitlines())
    return {line.key: line for line in lines}


def main(path: Path) -> None:
    """Measure what is not there yet. A pair that errs too often in one setting is not tried in the next."""
    for job in jobs():
        there = read(path)
        left = tuple(
            name
            for name in job.inferences
            if not any(
                line.setting == str(job.setting) or judged(line.rates, line.least) == "unsized"
                for line in there.values()
                if line.key[:3] == (job.estimator, name, job.treated)
            )
        )
        if not left:
            continue
        lines = measure(Job(job.estimator, left, job.treated, job.setting, job.worlds))
        with path.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(asdict(line)) + "\n" for line in lines)


def made_of(lines: Iterable[Line]) -> list[Cell]:
    """The cells of all settings of a pair together, and those of pairs that give the same numbers."""
    together: dict[tuple[str, str, int], list[Line]] = {}
    for line in lines:
        together.setdefault(line.key[:3], []).append(line)
    found = []
    for (estimator, inference, treated), some in together.items():
        given = [line for line in some if line.rates] or some[:1]
        told = "; ".join(line.setting for line in given)
        if not given[0].rates:
            told += f"; refused: {next(iter(given[0].refused))}"
        common = (
            treated,
            [rate for line in given for rate in line.rates],
            min((1 - line.misses / line.intervals for line in given if line.intervals), default=None),
            min(line.least for line in given),
            max(line.largest for line in given),
            told,
        )
        found.append(cell((estimator, inference), *common))
        found += [cell(pair, *common, f"{estimator}, {inference}") for pair in alike(estimator, inference)]
    return found


def alike(estimator: str, inference: str) -> Iterator[tuple[str, str]]:
    """Pairs that give the same numbers in these worlds; see `SAME`."""
    if inference == "scores":
        yield estimator, "multiplier"
    for other, (same, but) in SAME.items():
        if same == estimator and inference not in (*but, *SLOW.get(estimator, ())):
            yield other, inference


HEAD = "| estimator | inference |"


def page(table: Sequence[Cell]) -> list[str]:
    """One line a pair, one column a number of treated gemeenten."""
    counts = sorted(COUNTS)
    found = {(one.estimator, one.inference, one.treated): one for one in table}
    rows = [
        f"{HEAD} " + " | ".join(map(str, counts)) + " |",
        "|---|---|" + "--:|" * len(counts),
    ]
    for name in ESTIMATORS:
        for inference in sorted({one.inference for one in table if one.estimator == name}):
            shown = " | ".join(_shown(found.get((name, inference, count))) for count in counts)
            rows.append(f"| {name} | {inference} | {shown} |")
    return rows


def _shown(one: Cell | None) -> str:
    if one is None:
        return "–"
    if one.most is None or one.mc_error is None:
        return one.status
    few = "" if one.worlds >= ENOUGH else f" ({one.worlds})"
    return f"{100 * one.most:.1f} ± {100 * one.mc_error:.1f} {one.status}{few}"


if __name__ == "__main__":
    if sys.argv[2:] == ["table"]:
        save(made_of(read(Path(sys.argv[1])).values()))
        cells.cache_clear()
        rewrite(PAGE, HEAD, page(cells()))
    else:
        main(Path(sys.argv[1]))
