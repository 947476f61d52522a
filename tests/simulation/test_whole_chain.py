"""From the tables of a country with a known truth to the number in the report: is it the truth, and how often?

The short set runs always: without noise the truth comes back, and over the seeds 0–19 the mean error is no more than
chance. The long one (``tox -e simulation``) counts over the seeds 0–199 how often the interval holds the truth and how
often an invented start is called a difference, and holds the table in ``docs/whole-chain.md`` to what it found. Seeds
and design were fixed before either was run. ``python -m tests.simulation.test_whole_chain`` writes the table again.
"""

from __future__ import annotations

import math
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from impact.parallel import Parallel
from impact.simulate import Settings
from tests.shared import ROOT
from tests.simulation.chain import WEIGHTINGS, Found, estimates, settings

DOC = ROOT / "docs" / "whole-chain.md"
FEW, MANY = range(20), range(200)
MATCHES = {
    "none": ("no matching: all wijken of other gemeenten", "none"),
    "structure": ("matched on structure and size (the study)", ""),
    "selection": (
        "matched on structure, size and the selection score",
        "{method: nearest, ratio: 5, on: [structure, size, selection]}",
    ),
}


def one(task: tuple[Settings, int, bool, str]) -> list[Found]:
    made, seed, placebo, match = task
    with tempfile.TemporaryDirectory() as folder:
        return estimates(made, seed, Path(folder), placebo=placebo, match=match)


def over(
    seeds: range, *, placebo: bool = False, match: str = "", workers: int = 1, **changes: object
) -> list[list[Found]]:
    """Per seed the estimates of all weightings."""
    made = settings(**changes)
    return Parallel(workers).map(one, [(made, seed, placebo, match) for seed in seeds])


def column(found: list[list[Found]], weighting: str) -> list[Found]:
    return [row for rows in found for row in rows if row.weighting == weighting]


# --- short ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("selection", [False, True])
def test_without_noise_the_study_gives_the_truth(tmp_path: Path, selection: bool) -> None:
    """With staggered starts, effects that build up and differ, a spillover, corona, a break and re-used codes."""
    for row in estimates(settings(noise=False, selection=selection), 1, tmp_path):
        assert row.value == pytest.approx(row.truth, abs=1e-8), row.weighting
        assert -1 < row.truth < -0.3


def test_without_noise_a_placebo_finds_nothing(tmp_path: Path) -> None:
    for row in estimates(settings(noise=False), 1, tmp_path, placebo=True):
        assert row.value == pytest.approx(0, abs=1e-8) and row.truth == 0


def test_a_comparison_that_the_spillover_reaches_gives_another_number(tmp_path: Path) -> None:
    """The exclusions of the study are what makes the truth come back: with neighbours in the pool it does not."""
    leave = {r"    - \{rule: same-gemeente.*\n": "", r"    - \{rule: adjacent.*\n": ""}
    found = estimates(settings(noise=False), 1, tmp_path, match="none", change=leave)
    assert all(row.value > row.truth + 0.001 for row in found), "neighbours that gain too make the effect look smaller"


@pytest.fixture(scope="module")
def few() -> list[list[Found]]:
    return over(FEW, selection=False)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_over_twenty_countries_the_mean_error_is_chance(few: list[list[Found]], weighting: str) -> None:
    errors = np.array([row.error for row in column(few, weighting)])
    assert len(errors) == len(FEW) and np.isfinite(errors).all()
    assert abs(errors.mean()) <= 3 * errors.std(ddof=1) / math.sqrt(len(errors))
    assert errors.std() > 0.01, "there is noise"


# --- long -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """One row of the published table: what was asked, by which weighting, the answer and its Monte-Carlo error."""

    what: str
    weighting: str
    seeds: int
    value: float
    error: float

    def __str__(self) -> str:
        return f"| {self.what} | {self.weighting} | {self.seeds} | {self.value:.3f} | {self.error:.3f} |"


def share(what: str, weighting: str, hits: list[bool], expected: float) -> Line:
    """A share with the Monte-Carlo error that it has when it is what it should be."""
    return Line(what, weighting, len(hits), float(np.mean(hits)), math.sqrt(expected * (1 - expected) / len(hits)))


def mean(what: str, weighting: str, values: list[float]) -> Line:
    return Line(
        what, weighting, len(values), float(np.mean(values)), float(np.std(values, ddof=1) / math.sqrt(len(values)))
    )


def lines(workers: int = 2) -> list[Line]:
    """The whole table, in the order in which it is published."""
    out: list[Line] = []
    honest = over(MANY, selection=False, workers=workers)
    fake = over(MANY, selection=False, placebo=True, workers=workers)
    for weighting in WEIGHTINGS:
        rows = column(honest, weighting)
        out.append(mean("bias (pp), areas chosen on structure alone", weighting, [row.error for row in rows]))
        out.append(share("coverage of the 95 % interval", weighting, [row.covered for row in rows], 0.95))
        rejected = [row.p_value < 0.05 for row in column(fake, weighting)]
        out.append(share("rejection of an invented start at 5 %", weighting, rejected, 0.05))
    for words, match in MATCHES.values():
        for selection in (False, True):
            if match == "" and not selection:
                continue  # stands above
            chosen = "chosen on a noisy bad score" if selection else "chosen on structure alone"
            found = column(over(MANY, selection=selection, match=match, workers=workers), "area")
            out.append(mean(f"bias (pp), areas {chosen}; {words}", "area", [row.error for row in found]))
    return out


@pytest.fixture(scope="module")
def long() -> list[Line]:
    return lines()


@pytest.mark.simulation
@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_the_interval_holds_the_truth_as_often_as_it_says(long: list[Line], weighting: str) -> None:
    line = next(line for line in long if line.what.startswith("coverage") and line.weighting == weighting)
    assert abs(line.value - 0.95) <= 3 * line.error


@pytest.mark.simulation
@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_an_invented_start_is_rejected_as_often_as_it_should(long: list[Line], weighting: str) -> None:
    line = next(line for line in long if line.what.startswith("rejection") and line.weighting == weighting)
    assert abs(line.value - 0.05) <= 3 * line.error


@pytest.mark.simulation
def test_the_published_table_is_what_was_found(long: list[Line]) -> None:
    rows = re.findall(r"^\|.*\|$", DOC.read_text(encoding="utf-8"), re.MULTILINE)[2:]
    assert rows == [str(line) for line in long]


def published(found: list[Line]) -> str:
    """The page with the table."""
    head = DOC.read_text(encoding="utf-8").split("| what |")[0]
    table = ["| what | weighting | seeds | value | Monte-Carlo error |", "|---|---|--:|--:|--:|", *map(str, found)]
    return head + "\n".join(table) + "\n"


if __name__ == "__main__":
    DOC.write_text(published(lines(int(sys.argv[1]) if len(sys.argv) > 1 else 2)), encoding="utf-8")
