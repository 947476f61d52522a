"""What every pair of the support table gives on three fixed panels, to see whether the table is of this code.

``python -m tests.simulation.digest`` writes the numbers anew. That is right when they were *meant* to change, and then
the table must be made again as well (``tests/simulation/support.py``).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from impact.errors import Refused
from impact.estimators.protocol import Estimator
from impact.inference.protocol import Found, Uncertainty, evaluate
from impact.inference.registry import resolve as inference_of
from impact.inference.support import cells
from impact.panel import Panel
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target
from tests.shared import ROOT
from tests.simulation.family import Draw as Effects
from tests.simulation.programme import Draw, World
from tests.simulation.support import ESTIMATORS, OPTIONS, SLOW, made

FILE = ROOT / "impact" / "inference" / "support_digest.csv"
COLUMNS = ("estimate", "std_error", "low", "high", "p_value")
DIGITS = 12
# Sums in another order differ in the sixteenth digit, and what is solved or searched for from them some digits earlier.
# A change of a method moves more than the eighth.
NEAR = 1e-8

Pair = tuple[str, str]


@dataclass(frozen=True)
class Numbers:
    """Of one pair on one panel; nan for what is not given."""

    panel: str
    estimator: str
    inference: str
    values: tuple[float, ...]

    @property
    def key(self) -> tuple[str, str, str]:
        return self.panel, self.estimator, self.inference


@cache
def panels() -> dict[str, Panel]:
    """Four and ten treated gemeenten of the programme, and twenty with effects that differ; all with places."""
    return {
        "four": Draw(World(0.1, 0.2, 1.5, few=True), hosts=4)(1),
        "ten": Draw(World(0.3, few=True), hosts=10)(2),
        "effects": replace(Effects("heterogeneous", ())(3), place=_places()),
    }


def _places() -> np.ndarray:
    """(240, 2) metres: gemeenten of 4 wijken on a lattice, so that near wijken are of one or of two of them."""
    row = np.arange(240)
    return 2_000.0 * np.stack([row % 16, row // 16], axis=1)


def listed(slow: bool) -> list[Pair]:
    """Pairs of difference-in-differences in the table: those that are quick, or those that refit everything."""
    refits = {(name, inference) for name, some in SLOW.items() for inference in some}
    found = {(one.estimator, one.inference) for one in cells() if one.estimator in ESTIMATORS}
    return sorted(pair for pair in found if (pair in refits) == slow)


def numbers(pairs: list[Pair]) -> Iterator[Numbers]:
    """On every panel, with 199 draws where any are drawn."""
    target = Target("average", "unit")
    fitted: dict[Pair, tuple[Estimator, Found | Refused]] = {}
    for where, panel in panels().items():
        for estimator, inference in pairs:
            if (where, estimator) not in fitted:
                one = made(estimator)
                fitted[where, estimator] = one, evaluate(one, panel, target)
            one, found = fitted[where, estimator]
            assert isinstance(found, Found), (where, estimator, found)
            how = inference_of(inference)(**({"draws": 199} if "draws" in OPTIONS.get(inference, {}) else {}))
            given = how.run(one, panel, target, streams=Streams(5), parallel=Parallel(), full=found)
            yield Numbers(where, estimator, inference, (float(found.effects.estimate[-1]), *_of(given)))


def _of(given: Uncertainty | Refused) -> tuple[float, ...]:
    if isinstance(given, Refused):
        return (np.nan,) * 4
    return tuple(float(one[-1]) for one in (given.std_error, given.low, given.high, given.p_value))


def away(one: Numbers, other: Numbers) -> bool:
    """Whether two sets of numbers differ by more than noise, beside the largest of the estimate, its error and ends."""
    first, second = np.array(one.values), np.array(other.values)
    inside = first[:4][np.isfinite(first[:4])]
    scale = np.array([np.abs(inside).max()] * 4 + [1.0])
    return not (np.isclose(first / scale, second / scale, rtol=0, atol=NEAR, equal_nan=True)).all()


def stored() -> dict[tuple[str, str, str], Numbers]:
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = [
            Numbers(
                row["panel"], row["estimator"], row["inference"], tuple(float(row[name] or "nan") for name in COLUMNS)
            )
            for row in csv.DictReader(file)
        ]
    return {row.key: row for row in rows}


def main() -> None:
    """Write the file."""
    with FILE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("panel", "estimator", "inference", *COLUMNS))
        for one in sorted(numbers([*listed(False), *listed(True)]), key=lambda one: one.key):
            writer.writerow((*one.key, *("" if np.isnan(x) else f"{x:.{DIGITS}g}" for x in one.values)))


if __name__ == "__main__":
    main()
