"""Missing characteristics in a study leave by name, are marked, or are drawn."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from impact.design.imputation import imputed
from impact.errors import Refused
from impact.streams import Streams
from tests.study.conftest import Project
from tests.study.test_weighting_methods import MATCH, ON


def holes(project: Project) -> list[str]:
    """Some units of the pool lose a characteristic."""
    gone = {row["unit"] for row in ran(project)["excluded"]}
    units = pd.read_csv(project.units, sep=";", dtype=str, keep_default_na=False)
    rows = units.index[(units["area"] == "") & ~units["region"].isin(gone)][40:90:7]
    units.loc[rows, "huur_pct"] = ""
    units.to_csv(project.units, sep=";", index=False)
    return list(units.loc[rows, "region"])


def ran(project: Project) -> dict[str, Any]:
    ended = project.run()
    assert ended.code in (0, 1), ended.err
    found: dict[str, Any] = json.loads((project.out / "results.json").read_text(encoding="utf-8"))["outcomes"][0]
    return found


def test_a_mark_keeps_who_would_leave(project: Project) -> None:
    before = ran(project)["pool"]
    gone = holes(project)
    strict = ran(project)
    left = {row["unit"]: row["reason"] for row in strict["excluded"]}
    assert all("kenmerk ontbreekt" in left[unit] for unit in gone) and before - strict["pool"] == len(gone)
    project.change(project.study, (MATCH, MATCH.replace("ratio: 5", "ratio: 5, missing: indicator")))
    found = ran(project)
    assert strict["pool"] < found["pool"] == before
    assert "missing(huur_pct)" in {row["name"] for row in found["balance"] if row["matched_on"]}
    assert any("met een kenmerk dat zegt waar het ontbrak: huur_pct" in note for note in found["notes"])


def test_draws_are_matched_on_their_mean_and_their_spread_is_said(project: Project) -> None:
    holes(project)
    project.change(project.study, (MATCH, MATCH.replace("ratio: 5", "ratio: 5, missing: {impute: 5}")))
    found = ran(project)
    assert any(note.startswith("Met elk van de 5 ingevulde tabellen") for note in found["notes"])
    # A study with the mean of the same draws in its table finds the same.
    units = pd.read_csv(project.units, sep=";", decimal=",", dtype={"region": str}, keep_default_na=False)
    inside = {unit for area in found["areas"] if not area["left_out"] for unit in area["units"]}
    gone = {row["unit"] for row in found["excluded"]}
    pairs = zip(units["region"], units["area"], strict=True)
    part = units[[unit in inside or (unit not in gone and not area) for unit, area in pairs]].sort_values("region")
    plain = part["huur_pct"].astype(str).str.replace(",", ".")
    values = part[ON].assign(huur_pct=pd.to_numeric(plain, errors="coerce")).to_numpy(dtype=float)
    both = np.column_stack([values, part["region"].isin(inside)])
    tables = imputed(both, (*ON, "treated"), 5, Streams(20261123).at("imputation"))
    assert not isinstance(tables, Refused)
    text = pd.read_csv(project.units, sep=";", dtype=str, keep_default_na=False)
    blank = part.index[np.isnan(values[:, 0])]
    filled = pd.Series(tables.mean(axis=0)[:, 0], index=part.index)
    text.loc[blank, "huur_pct"] = [f"{value:.17g}".replace(".", ",") for value in filled[blank]]
    text.to_csv(project.units, sep=";", index=False)
    project.change(project.study, (", missing: {impute: 5}", ""))
    assert ran(project)["primary"]["value"] == pytest.approx(found["primary"]["value"], rel=1e-9)
