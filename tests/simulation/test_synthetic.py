"""Bias, size and coverage of every synthetic estimator with every inference, in worlds with a known factor structure.

``python -m tests.simulation.test_synthetic 150`` makes the table in docs/synthetic-family.md and the cells of the
support table (impact/inference/support.csv) that rest on it. The short set runs always, the long one with
``tox -e simulation``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from impact.estimators.protocol import Gives
from impact.estimators.registry import ESTIMATORS
from impact.inference.registry import INFERENCES, resolve
from impact.inference.support import Cell, cells
from tests.shared import ROOT
from tests.simulation.factors import WORLDS, Case, Line, draw, many
from tests.simulation.table import cell, rewrite, save
from tests.simulation.trial import FIRST

PAGE = ROOT / "docs" / "synthetic-family.md"
SHORT, LONG = 25, 150
CASES = (
    Case("synthetic-control"),
    Case("penalized-synthetic-control"),
    Case("augmented-synthetic-control"),
    Case("partially-pooled"),
    Case("multi-outcome-synthetic-control", {"outcomes": ("second", "third")}, outcomes=True),
    Case("synthetic-did"),
)
# What is drawn is kept small here; the table says with how much.
DRAWS: Mapping[str, Mapping[str, Any]] = {
    "placebo-space": {"draws": 39},
    "bootstrap": {"draws": 49},
    "prediction-interval": {"draws": 100},
}
# Refits that take minutes a hundred worlds: they get fewer.
SLOW: Mapping[tuple[str, str], int] = {
    **{("augmented-synthetic-control", name): 12 for name in ("placebo-space", "bootstrap", "conformal")},
    **{("partially-pooled", name): 12 for name in ("placebo-space", "bootstrap", "conformal")},
    ("penalized-synthetic-control", "bootstrap"): 12,
    ("multi-outcome-synthetic-control", "bootstrap"): 12,
}
# Those that need influence scores, or sums of outcomes, no synthetic estimator gives; and of randomization-t, which
# takes two refits a set, nothing is known yet.
JUDGES = tuple(
    name for name in INFERENCES if name != "randomization-t" and not resolve(name).needs & (Gives.SCORES | Gives.LINEAR)
)
TREATED = {"one": 1, "several": 19}
LARGEST = {"one": 1.0, "several": 0.1}  # share of one gemeente in the treated weight


@cache
def line(number: int, inference: str, world: str, seeds: int) -> Line:
    fewer = SLOW.get((CASES[number].name, inference), seeds) if world.startswith("several") else seeds
    return many(CASES[number], inference, DRAWS.get(inference, {}), world, min(seeds, fewer))


def made_of(case: Case, inference: str, kind: str, lines: Mapping[str, Line]) -> Cell | None:
    """What the worlds of one kind say of a pair; None where it was not tried."""
    here = {world: one for world, one in lines.items() if world.startswith(kind) and one is not NONE}
    given = {world: one for world, one in here.items() if not one.refused}
    if not here:
        return None
    design = "; ".join(given or here) + ("" if given else f"; refused: {next(iter(here.values())).refused}")
    return cell(
        (case.name, inference),
        TREATED[kind],
        [rate for one in given.values() for rate in one.rates],
        min((one.coverage for one in given.values() if one.coverage is not None), default=None),
        min((one.worlds for one in given.values()), default=FIRST),
        LARGEST[kind],
        design,
    )


EACH = pytest.mark.parametrize("number", range(len(CASES)), ids=[case.label for case in CASES])
"""Worlds: too slow for a table, quick enough for a test."""


@EACH
def test_the_estimate_is_right_where_weights_of_donors_match_the_loadings(number: int) -> None:
    """Drawn like the donors, the treated lie among them; a difference is a difference of noise."""
    for world in ("one, alike", "several, alike"):
        inference = "placebo-space" if world.startswith("one") else "jackknife"
        found = line(number, inference, world, SHORT)
        assert not found.refused, found.refused
        assert abs(found.bias) <= 3 * found.bias_error
        assert found.rmse < 0.6


def test_the_same_seed_is_the_same_world_and_worlds_are_what_they_say() -> None:
    for world in WORLDS:
        panel, again, other = draw(world, 0), draw(world, 0), draw(world, 1)
        assert panel.y.tobytes() == again.y.tobytes() != other.y.tobytes()
        assert int(panel.treated.sum()) == (40 if world.startswith("several") else 1)


def test_every_synthetic_estimator_and_every_inference_is_in_the_tables() -> None:
    family = {name for name in ESTIMATORS if "synthetic" in name} | {"partially-pooled"}
    assert {case.name for case in CASES} == family
    known = {(one.estimator, one.inference, one.treated) for one in cells()}
    assert {(case.name, inference, n) for case in CASES for inference in JUDGES for n in TREATED.values()} <= known


@pytest.mark.simulation
@EACH
@pytest.mark.parametrize("inference", JUDGES)
def test_the_support_table_says_what_many_worlds_show(number: int, inference: str) -> None:
    """Rates that are drawn anew differ by chance: no more than four errors from those in the table."""
    known = {one.treated: one for one in cells() if (one.estimator, one.inference) == (CASES[number].name, inference)}
    for world in WORLDS:
        one = line(number, inference, world, LONG)
        there = known[TREATED[world.split(",")[0]]]
        if not one.refused and there.most is not None and there.worlds >= LONG:
            assert max(one.rates) <= there.most + 4 * one.mc_error


def _one(number: int, inference: str, world: str, seeds: int) -> Line:
    found = line(number, inference, world, seeds)
    print(CASES[number].label, inference, world, found, file=sys.stderr, flush=True)
    return found


def _rate(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _few(one: Line) -> str:
    """How sure a line is that rests on fewer worlds than the page says of all."""
    return "" if one.worlds >= LONG else f"{one.worlds} worlds, error {one.mc_error:.3f}"


NONE = Line(0, float("nan"), float("nan"), float("nan"), None, None, float("nan"), "")
"""A pair that was not simulated: nothing is known of it."""


def main(seeds: int, workers: int) -> None:
    """Compute all lines, and write both tables."""
    import joblib

    keys = [(n, inference, world) for n in range(len(CASES)) for inference in JUDGES for world in WORLDS]
    found = joblib.Parallel(n_jobs=workers)(joblib.delayed(_one)(*key, seeds) for key in keys)
    write(dict(zip(keys, found, strict=True)))


def write(lines: Mapping[tuple[int, str, str], Line]) -> None:
    """The table of the page, and the cells of the support table."""
    told = [
        "| estimator | inference | world | bias | RMSE | rejects no effect | covers | width | |",
        "|---|---|---|--:|--:|--:|--:|--:|---|",
    ]
    made = []
    for number, case in enumerate(CASES):
        for inference in JUDGES:
            here = {world: lines.get((number, inference, world), NONE) for world in WORLDS}
            for world, one in here.items():
                told.append(
                    f"| {case.label} | {inference} | {world} | – | – | – | – | – | refused: {one.refused} |"
                    if one.refused
                    else f"| {case.label} | {inference} | {world} | – | – | – | – | – | not simulated |"
                    if one is NONE
                    else f"| {case.label} | {inference} | {world} | {one.bias:.3f} | {one.rmse:.3f} | "
                    f"{_rate(one.size)} | {_rate(one.coverage)} | {_rate(one.spread)} | {_few(one)} |"
                )
            made += [one for kind in TREATED if (one := made_of(case, inference, kind, here)) is not None]
    rewrite(PAGE, "| estimator | inference | world |", told)
    save(made)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else LONG, int(sys.argv[2]) if len(sys.argv) > 2 else 2)
