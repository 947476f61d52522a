"""A made study of 12 gemeenten with four wijken each, small enough to take its sums by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.study.conftest import impact

YEARS = range(2015, 2025)
GEMEENTEN = [f"GM91{number:02d}" for number in range(12)]
AREAS = {"gebied-a": 0, "gebied-b": 1, "gebied-c": 2, "gebied-d": 3, "gebied-e": 3}  # the last two in one gemeente


def wijk(gemeente: int, number: int) -> str:
    return f"WK91{gemeente:02d}{number:02d}"


# Whole wijken, and of the first area a quarter of one more.
MEMBERS: dict[str, dict[str, float]] = {
    "gebied-a": {wijk(0, 1): 1, wijk(0, 2): 1, wijk(0, 3): 0.25},
    "gebied-b": {wijk(1, 1): 1},
    "gebied-c": {wijk(2, 1): 1, wijk(2, 4): 1},
    "gebied-d": {wijk(3, 1): 1},
    "gebied-e": {wijk(3, 2): 1},
}

SPEC = """\
schema: 1
id: niveau
title: Niveau
question: Veranderde het?
seen_before: Niets.
data:
  outcomes:
    file: uitkomst.csv
    columns: {region: wijk, period: jaar, numerator: teller, denominator: noemer}
  units:
    file: wijken.csv
    columns: {region: wijk, residents: inwoners, structure: [huur], size: [inwoners]}
periods: {first: 2015, last: 2024}
treatment:
  areas: AREAS
  start: {event: start, first_treated: 2022}
outcome:
  indicator: iets
  name: {nl: Iets}
  measure: {rate: numerator/denominator, per: 100, unit: procentpunt}
  better: lower
target: {kind: average, window: [2022, 2024], every: area}
comparison:
  leave_out: [{rule: focus-area, why: programma}]
  match: none
estimator: {name: group-time, control: never}
inference: {name: cluster-jackknife, cluster: gemeente}
checks: {treated-clusters: 2, controls: 2, largest-share: 0.9}
seed: 7
"""


@dataclass
class Small:
    """A made study of 12 gemeenten with 4 wijken each."""

    root: Path
    outcomes: pd.DataFrame
    units: pd.DataFrame
    areas: Any = field(default_factory=lambda: {slug: list(parts) for slug, parts in MEMBERS.items()})

    @property
    def out(self) -> Path:
        return self.root / "uit"

    @property
    def study(self) -> Path:
        return self.root / "study.yaml"

    @property
    def listed(self) -> str:
        """The areas as the study lists them."""
        listed = ", ".join(f"{slug}: {{members: [{', '.join(codes)}]}}" for slug, codes in self.areas.items())
        return f"{{{listed}}}"

    def write(self, *changes: tuple[str, str]) -> None:
        self.outcomes.to_csv(self.root / "uitkomst.csv", sep=";", index=False)
        self.units.to_csv(self.root / "wijken.csv", sep=";", decimal=",", index=False)
        text = SPEC.replace("AREAS", self.listed)
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        self.study.write_text(text, encoding="utf-8")

    def run(self, *changes: tuple[str, str]) -> dict[str, Any]:
        self.write(*changes)
        ended = impact("run", self.study, "--out", self.out)
        assert ended.code in (0, 1), ended.err
        found: dict[str, Any] = json.loads((self.out / "results.json").read_text(encoding="utf-8"))["outcomes"][0]
        return found


def made(root: Path) -> Small:
    rng = np.random.default_rng(20261126)
    wijken = [(gemeente, number) for gemeente in range(12) for number in range(1, 5)]
    units = pd.DataFrame({"wijk": [wijk(*pair) for pair in wijken]})
    units["inwoners"] = rng.integers(1_000, 9_000, len(units))
    units["huur"] = rng.integers(20, 80, len(units))
    rows = []
    for row, (gemeente, number) in enumerate(wijken):
        size = int(units["inwoners"][row])
        for year in YEARS:
            below = size + 10 * (year - 2015)
            rows.append((wijk(gemeente, number), year, int(below * rng.uniform(0.02, 0.08)), below))
    outcomes = pd.DataFrame(rows, columns=["wijk", "jaar", "teller", "noemer"])
    return Small(root, outcomes, units)


UNIT = "treatment:\n"


def unit(text: str) -> tuple[str, str]:
    return UNIT, f"unit: {text}\n{UNIT}"


def difference(rates: pd.DataFrame, treated: list[str], controls: list[str]) -> float:
    """The mean over treated rows of the mean change from 2021 to 2022-2024, minus that of the controls."""
    change = rates[[2022, 2023, 2024]].mean(axis=1) - rates[2021]
    return float(change[treated].mean() - change[controls].mean())


def rates(outcomes: pd.DataFrame, key: Callable[[str], str]) -> pd.DataFrame:
    """Rates per 100 of added counts, units by years."""
    summed = outcomes.assign(unit=outcomes["wijk"].map(key)).groupby(["unit", "jaar"])[["teller", "noemer"]].sum()
    return (100 * summed["teller"] / summed["noemer"]).unstack()


def of_gemeente(code: str) -> str:
    return f"GM{code[2:6]}"
