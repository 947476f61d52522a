"""Repeated cross-sections against R did 2.5.1 (with DRDID 1.2.3): every effect, error, covariance and aggregate.

Claimed here: ``did_mpdtaRC_*`` (``panel=FALSE``), ``did_mpdtaUB_allow_*`` (``allow_unbalanced_panel=TRUE``, where R
reads a panel as cross-sections whose scores it adds up by unit) and ``did_mpdtaUB_balanced_*`` (without the units that
miss a period).

R's error of the doubly robust estimator with covariates carries a slip, which is repeated here to the last digit and
nowhere else; see `AsInR`. That ours is right is tested against derivatives in ``tests/estimators``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, cast

import numpy as np
import pytest

from impact.cells import Fit
from impact.errors import Refused
from impact.estimators.cross_section import Section, Surveys
from impact.estimators.drdid import odds_of
from impact.estimators.group_time import GroupTime
from impact.estimators.protocol import Asks
from impact.numerics.propensity import expit
from impact.sample import Sample
from impact.scores import by_cluster
from tests.golden.test_group_time import CONTROLS, EXACT, ITERATED, assert_all_as_in_r, counties, table
from tests.shared import golden


@dataclass(frozen=True)
class Slip:
    """What R adds to the scores of the doubly robust estimator for cross-sections.

    With the mean covariates ``x1`` of the treated and ``x0`` of the weighted controls in the base period, the
    estimation of the controls' regression enters the influence function times ``x1 - x0``. ``drdid_rc`` (DRDID 1.2.3)
    subtracts the base period from the period in the means, but adds up both in the derivatives (`inf.treat.or` and
    `inf.cont.or`), so the base period enters with the wrong sign: the difference is twice ``x0 - x1``.
    """

    surveys: Surveys

    def at(self, weights: np.ndarray, clusters: int) -> np.ndarray:
        rows = np.zeros((len(self.surveys.cluster), len(self.surveys.sections)))
        for cell, section in enumerate(self.surveys.sections):
            for arm_rows, score in self.of(section):
                rows[arm_rows, cell] = score
        return self.surveys.at(weights, clusters) + by_cluster(rows @ weights, self.surveys.cluster, clusters)

    def of(self, section: Section) -> list[tuple[np.ndarray, np.ndarray]]:
        side = section.sides[1]
        assert side.cut.sign == -1 and section.gamma is not None
        odds = [arm.weight * odds_of(expit(arm.x @ section.gamma), "dr") for arm in side.cut.controls]
        x0 = sum(odd @ arm.x for odd, arm in zip(odds, side.cut.controls, strict=True)) / sum(map(np.sum, odds))
        reach = np.linalg.solve(side.cut.theirs.xx, x0 - side.cut.ours.x / side.cut.ours.mass)
        return [
            (arm.rows, 2 * arm.weight * (arm.y[:, 0] - arm.x @ side.slope) * (arm.x @ reach))
            for arm in side.cut.controls
        ]


@dataclass(frozen=True)
class AsInR:
    """Group-time effects of a sample with the scores that R reports."""

    estimator: GroupTime

    asks: ClassVar[Asks] = GroupTime.asks

    def fit(self, panel: Any, **how: Any) -> Fit | Refused:
        found = self.estimator.fit(panel, **how)
        if isinstance(found, Refused):
            return found
        assert found.cells.scores is not None
        blocks = tuple(Slip(cast("Surveys", block)) for block in found.cells.scores.blocks)
        scores = replace(found.cells.scores, blocks=cast("Any", blocks))
        return replace(found, cells=replace(found.cells, scores=scores))


def as_in_r(method: str, covariate: str, estimator: GroupTime) -> Any:
    return AsInR(estimator) if method == "dr" and covariate != "none" else estimator


@pytest.mark.parametrize("method", ["dr", "reg"])
@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("covariate", ["none", "lpop"])
def test_mpdta_as_cross_sections(method: Any, control: str, covariate: str) -> None:
    results = golden(f"did_mpdtaRC_{method}_{control}_{covariate}")["results"]
    sample = Sample.from_frame(
        table("mpdta.csv"),
        time="year",
        outcome="lemp",
        first_treated="first.treat",
        covariates=[] if covariate == "none" else [covariate],
    )
    estimator = GroupTime(control=CONTROLS[control], method=method)  # type: ignore[arg-type]
    near = ITERATED if covariate != "none" and method == "dr" else EXACT
    assert_all_as_in_r(cast("Any", sample), as_in_r(method, covariate, estimator), results, near)


@pytest.mark.parametrize("method", ["dr", "ipw"])
@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("covariate", ["none", "lpop"])
def test_a_panel_with_holes_read_as_cross_sections(method: Any, control: str, covariate: str) -> None:
    """Levels of counties do not drop out: without covariates the effect is +0.076 where the panel says -0.04."""
    results = golden(f"did_mpdtaUB_allow_{method}_{control}_{covariate}")["results"]
    panel = counties("mpdta_unbalanced.csv", covariate)
    assert np.isnan(panel.y).sum() == 192
    estimator = GroupTime(control=CONTROLS[control], method=method)  # type: ignore[arg-type]
    near = EXACT if covariate == "none" else ITERATED
    assert_all_as_in_r(cast("Any", Sample.from_panel(panel)), as_in_r(method, covariate, estimator), results, near)


@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("covariate", ["none", "lpop"])
def test_without_the_counties_that_miss_a_year(control: str, covariate: str) -> None:
    results = golden(f"did_mpdtaUB_balanced_dr_{control}_{covariate}")["results"]
    panel = counties("mpdta_unbalanced.csv", covariate)
    whole = panel.drop(np.flatnonzero(np.isnan(panel.y).any(axis=1)))
    estimator = GroupTime(control=CONTROLS[control])  # type: ignore[arg-type]
    assert_all_as_in_r(whole, estimator, results, EXACT if covariate == "none" else ITERATED)
