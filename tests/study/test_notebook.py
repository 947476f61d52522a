"""What a notebook does: run a study from Python and read its bundle."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

import impact
from tests.shared import ROOT


def test_an_interval_that_was_not_sized_is_marked(first: Path) -> None:
    """Of a synthetic control by cluster-jackknife nothing is known yet; table and report say so."""
    table = pd.read_csv(first / "tidy.csv")
    assert table.loc[table["status"] != "ok", ["name", "status"]].to_numpy().tolist() == [
        ["gewogen-vergelijking", "unsized"]
    ]
    assert "Van gewogen-vergelijking is niet bekend" in (first / "report.html").read_text(encoding="utf-8")


def test_from_python_the_same_numbers(first: Path, tmp_path: Path) -> None:
    bundle = impact.run(impact.read_study(ROOT / "studies" / "eerste-studie"), out=tmp_path / "b")
    assert bundle.tidy()["estimate"].tolist() == impact.read_bundle(first).tidy()["estimate"].tolist()
    assert impact.read_bundle(bundle.path).outcomes == bundle.outcomes
