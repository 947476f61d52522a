"""Thresholds that a study gives seal its estimate, unless it foresaw the failure; sealed is absent from everything."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from impact.checks.design import balance
from tests.study.conftest import Project
from tests.study.test_weighting_methods import MATCH


def ran(project: Project, *changes: tuple[str, str]) -> dict[str, Any]:
    if changes:
        project.change(project.study, *changes)
    ended = project.run()
    assert ended.code in (0, 1), ended.err
    found: dict[str, Any] = json.loads((project.out / "results.json").read_text(encoding="utf-8"))["outcomes"][0]
    return found


def made(found: dict[str, Any], name: str) -> dict[str, Any]:
    (check,) = [check for check in found["checks"] if check["name"] == name]
    return dict(check)


CHECKS = ("overlap: 0", "effective-controls: 5000", "largest-weight: 0.0001", "bracket: 3", "largest-share: 0.01")


def test_a_declared_threshold_seals_everything_and_a_foreseen_failure_nothing(project: Project) -> None:
    free = ran(project)["primary"]["value"]
    project.change(project.study, ("largest-share: 0.5, ", ""))
    declared = "checks: {"
    for check in CHECKS:
        found = ran(project, (declared, f"checks: {{{check}, "))
        declared = f"checks: {{{check}, "
        name, limit = check.split(": ")
        one = made(found, name)
        assert (one["verdict"], one["gates"]) == ("fail", True)
        assert found["primary"]["value"] is None and found["bracket"] == found["event"] == found["weightings"] == []
        assert found["change"] is None and found["path"] == []
        written = "".join(
            file.read_text("utf-8") for file in project.out.iterdir() if file.suffix in (".html", ".json", ".csv")
        )
        assert f"{free:.5g}" not in written and f"{free:.2f}".replace("-", "−").replace(".", ",") not in written
        side = "at_least" if name in ("effective-controls", "bracket") else "at_most"
        foreseen = f"checks: {{{name}: {{{side}: {limit}, if_failed: report, why: grote steden}}, "
        found = ran(project, (declared, foreseen))
        one = made(found, name)
        assert (one["verdict"], one["gates"]) == ("fail", False) and "grote steden" in one["because"]
        assert found["primary"]["value"] == free
        project.change(project.study, (foreseen, "checks: {"))
        declared = "checks: {"


def test_who_nobody_stands_beside_is_left_out_only_where_that_is_foreseen(project: Project) -> None:
    narrow = MATCH.replace("ratio: 5", "ratio: 1, caliper: 0.35")
    project.change(project.study, (MATCH, narrow), ("controls: 20", "controls: 2"))
    assert "DATA-131" in project.run().err
    found = ran(project, ("checks: {", "checks: {unmatched: 0.95, "))
    one = made(found, "unmatched")
    assert one["verdict"] == "pass" and one["statistic"] > 0 and found["primary"]["value"] is not None
    gone = [row for row in found["excluded"] if "lijkt er genoeg op" in row["reason"]]
    units = sum(len(area["units"]) for area in found["areas"] if not area["left_out"])
    assert gone and one["statistic"] == pytest.approx(len(gone) / (len(gone) + units))
    assert ran(project, ("unmatched: 0.95", "unmatched: 0.001"))["primary"]["value"] is None


def test_what_differs_and_does_not_vary_is_shown_and_fails(project: Project) -> None:
    """Every treated wijk has it and no other: nothing can mend that."""
    units = pd.read_csv(project.units, sep=";", dtype=str, keep_default_na=False)
    units["score"] = np.where(units["area"] != "", "1", "0")
    units.to_csv(project.units, sep=";", index=False)
    found = ran(project, ("size: [inwoners]", "size: [inwoners]\n      selection: [score]"))
    (row,) = [row for row in found["balance"] if row["name"] == "score"]
    assert (row["focus"], row["pool"]) == pytest.approx((1, 0), abs=1e-15) and row["smd_pool"] is row[
        "smd_matched"
    ] is None
    page = " ".join((project.out / "report.html").read_text(encoding="utf-8").split())
    assert "er is geen standaardafwijking om het verschil in uit te drukken" in page
    check = balance({"rent": 0.1, "score": None}, 0.25, gates=True)
    assert (check.verdict, check.statistic, check.gates, check.because) == ("fail", None, True, "score")
    assert balance({"rent": -0.3, "same": 0.0}, 0.25).statistic == 0.3
