"""The inferences for few treated clusters in a study: declared or beside, with their numbers in the bundle."""

from __future__ import annotations

import pytest

from tests.study.conftest import Project
from tests.study.test_estimators import bundle

INFERENCE = "inference: {name: cluster-jackknife, cluster: gemeente, level: 0.95, beside: [score-flip]}"
MATCH = "match: {method: nearest, ratio: 5, on: [structure, size]}"
BESIDE = (
    "{name: wild, draws: 499}, {name: subcluster-wild, draws: 499, parts: unit}, {name: randomization-t, draws: 99}, "
    "{name: ferman-pinto, draws: 499}, {name: conley-taber, draws: 499}, ibragimov-mueller"
)


def test_all_of_them_beside_the_declared_one(project: Project) -> None:
    project.change(project.study, (INFERENCE, INFERENCE.replace("[score-flip]", f"[{BESIDE}]")))
    found, report = bundle(project.study, project.out)
    beside = {one["name"]: one for one in found["primary"]["beside"]}
    assert len(beside) == 6 and all(name in report for name in beside)
    # Matched controls belong to an area: nobody else can stand in for it.
    assert "matched" in beside.pop("randomization-t")["refused"]["because"]
    assert all(one["refused"] is None and 0 < one["p_value"] < 0.5 for one in beside.values())


@pytest.mark.parametrize("name", ["wild", "ferman-pinto", "randomization-t"])
def test_each_as_the_declared_one(name: str, project: Project) -> None:
    how = f"inference: {{name: {name}, draws: 199, cluster: gemeente, beside: [cluster-jackknife]}}"
    project.change(project.study, (INFERENCE, how), (MATCH, "match: none"))
    found, report = bundle(project.study, project.out)
    primary = found["primary"]
    assert primary["inference"] == name and f"({name}" in report
    assert primary["low"] < primary["value"] < primary["high"] and 0 < primary["p_value"] <= 1
