"""A study whose errors near units share: the places are those of its units table, and without them it says so."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from tests.study.conftest import Project


def test_places_come_from_the_units_table(project: Project) -> None:
    units = pd.read_csv(project.units, sep=";", dtype=str, keep_default_na=False)
    generator = np.random.default_rng(1)
    for name in ("x", "y"):
        units[name] = generator.integers(0, 300_000, len(units)).astype(str)
    units.to_csv(project.units, sep=";", index=False)
    text = project.study.read_text(encoding="utf-8")
    project.study.write_text(text.replace("name: cluster-jackknife", "name: conley, cutoff: 25000"), encoding="utf-8")
    assert "name: conley" in project.study.read_text(encoding="utf-8")
    project.run()
    found = json.loads((project.out / "results.json").read_text(encoding="utf-8"))["outcomes"][0]["primary"]
    assert found["low"] is None and "place" in found["refused"]["because"]
    project.change(project.study, ("      residents: inwoners\n", "      residents: inwoners\n      place: [x, y]\n"))
    project.run()
    found = json.loads((project.out / "results.json").read_text(encoding="utf-8"))["outcomes"][0]["primary"]
    assert found["inference"] == "conley" and found["low"] < found["value"] < found["high"]
