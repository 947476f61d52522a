"""What a study that names its selection waves says of them: reliability and the placebo, by hand; nothing of later."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

import impact
from impact.design.matched import Matched
from tests.study.conftest import Project
from tests.study.conftest import impact as command
from tests.study.test_weighting_methods import MATCH, ON, table

WAVES = MATCH.replace("ratio: 5", "ratio: 5, selection_waves: [2018, 2020]")


@pytest.fixture
def found(project: Project) -> dict[str, Any]:
    project.change(project.study, (MATCH, WAVES))
    ended = project.run()
    assert ended.code in (0, 1), ended.err
    outcome: dict[str, Any] = json.loads((project.out / "results.json").read_text(encoding="utf-8"))["outcomes"][0]
    return outcome


def test_reliability_is_one_less_the_ratio_of_the_mean_squares(project: Project, found: dict[str, Any]) -> None:
    units = table(project, found)
    y = units[["2018", "2020"]].to_numpy(dtype=float)
    x = np.column_stack([np.ones(len(y)), units["treated"], units[ON].astype(float)])
    left = y - x @ np.linalg.lstsq(x, y)[0]
    free = len(y) - x.shape[1]
    mean = left.mean(axis=1)
    between = 2 * (mean @ mean) / free
    within = ((left - mean[:, None]) ** 2).sum() / free
    said = found["selection"]
    assert said["reliability"] == pytest.approx(max(1 - within / between, 0), rel=1e-8)
    assert said["low"] <= said["reliability"] <= said["high"] and said["units"] == len(y)


def test_the_placebo_is_the_same_choice_at_earlier_starts(project: Project, found: dict[str, Any]) -> None:
    """The waves lie 4 and 2 years before the start, and the estimate has one base year and three years after."""
    units = table(project, found)
    count = int(units["treated"].sum())
    free = units[units["treated"] == 0]
    y = free[[str(year) for year in range(2013, 2022)]].astype(float)
    plain, matched, dates = [], [], []
    for date in range(2017, 2020):
        score = y[[str(date - 4), str(date - 2)]].mean(axis=1)
        worst = score.sort_values(ascending=False, kind="stable").index[:count]
        change = y[[str(date + step) for step in range(3)]].mean(axis=1) - y[str(date - 1)]
        rest = change.index.difference(worst)
        plain.append(change[worst].mean() - change[rest].mean())
        frame = free[ON].astype(float).assign(chosen=free.index.isin(worst).astype(float))
        done = impact.match(frame, treated="chosen", on=ON, ratio=5)
        assert isinstance(done, Matched)
        weights = done.weights[rest]
        matched.append(change[worst].mean() - weights @ change[rest] / weights.sum())
        dates.append(str(date))
    said = found["selection"]
    assert said["dates"] == dates and said["refused"] == []
    assert said["unmatched"] == pytest.approx(np.mean(plain), rel=1e-8)
    assert said["matched"] == pytest.approx(np.mean(matched), rel=1e-8)


def test_it_stands_in_the_report_and_in_the_check(project: Project, found: dict[str, Any]) -> None:
    page = " ".join((project.out / "report.html").read_text(encoding="utf-8").split())
    assert "Blijvend deel van de verschillen in die score" in page and "terugval naar het gemiddelde" in page
    said = command("check", project.study)
    assert said.code == 0 and "chosen on 2018, 2020" in said.out and "reliability of that score" in said.out


def test_nothing_of_later_outcomes_is_in_it(project: Project, found: dict[str, Any]) -> None:
    rows = pd.read_csv(project.outcomes, sep=None, engine="python", dtype=str)
    late = rows["period"].astype(int) >= 2022
    rows.loc[late, "vsv"] = "1"
    text = project.outcomes.read_text(encoding="utf-8")
    rows.to_csv(project.outcomes, sep=";" if ";" in text.splitlines()[0] else ",", index=False)
    assert project.run().code in (0, 1)
    again = json.loads((project.out / "results.json").read_text(encoding="utf-8"))["outcomes"][0]
    assert again["selection"] == found["selection"] and again["primary"]["value"] != found["primary"]["value"]


def test_waves_after_the_start_are_refused_in_words(project: Project) -> None:
    project.change(project.study, (MATCH, MATCH.replace("ratio: 5", "ratio: 5, selection_waves: [2023]")))
    assert project.run().code in (0, 1)
    (outcome,) = json.loads((project.out / "results.json").read_text(encoding="utf-8"))["outcomes"]
    assert outcome["selection"]["reliability"] is None
    assert "2023 are not among the periods before" in outcome["selection"]["refused"][0]["because"]
