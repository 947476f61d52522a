"""How often two estimators of one true effect are said to differ, in this programme's design (see ``test_size``)."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy import stats

from impact.estimators.did import DiD
from impact.estimators.group_time import GroupTime
from impact.estimators.imputation import Imputation
from impact.inference.contrast import Contrast, Joint, contrast
from impact.inference.protocol import Found, evaluate
from impact.streams import Streams
from impact.targets import Target
from tests.simulation.test_size import RHO, design, outcome

WORLDS = 2000
PAIRS = {
    "one base or all": (GroupTime(), DiD()),
    "one base or all, not-yet-treated controls": (GroupTime(control="not-yet"), Imputation()),
    "other controls": (GroupTime(), GroupTime(control="not-yet")),
}


@cache
def rejected(name: str) -> dict[str, float]:
    """Rejections at 5 % by the t test of the average, by the joint F test, and by chi-squared, as in large samples."""
    one, two = PAIRS[name]
    found: dict[str, list[bool]] = {"t": [], "F": [], "chi-squared": []}
    target = Target("average", "area")
    for number in range(WORLDS):
        panel = design().with_outcome(outcome(RHO, Streams(20).at("contrast", number).generator()))
        pair: list[Any] = [evaluate(estimator, panel, target) for estimator in (one, two)]
        assert all(isinstance(each, Found) for each in pair)
        answer = contrast(pair[0], pair[1], target)
        assert isinstance(answer, Contrast) and isinstance(answer.joint, Joint)
        joint = answer.joint
        # 19 clusters with treated wijken in two cohorts; F was W times this.
        wald = joint.statistic * 19 * joint.rank / joint.df
        found["t"].append(bool(answer.p_value[0] <= 0.05))
        found["F"].append(bool(joint.p_value <= 0.05))
        found["chi-squared"].append(bool(stats.chi2.sf(wald, joint.rank) <= 0.05))
    return {test: float(np.mean(each)) for test, each in found.items()}


@pytest.mark.simulation
@pytest.mark.parametrize("name", PAIRS)
def test_two_estimators_of_one_effect_seldom_seem_to_differ(name: str) -> None:
    slack = 3 * np.sqrt(0.05 * 0.95 / WORLDS)
    rates = rejected(name)
    print(name, rates)
    assert rates["t"] <= 0.065 + slack
    assert rates["F"] <= 0.06 + slack


@pytest.mark.simulation
def test_with_the_large_sample_distribution_they_would() -> None:
    assert rejected("one base or all, not-yet-treated controls")["chi-squared"] > 0.1
