"""Two periods with covariates against R DRDID 1.2.3, and a second staggered panel against R did 2.5.1.

Claimed here: ``drdid_nsw`` (panel and repeated cross-sections; but for ``ipw_ht_*``) and ``did_basestagg_*``. The
comparison with cross-sections at length is in ``test_cross_sections.py``.

Horvitz-Thompson weighting (``ipw_ht_*``) is not offered: its weights do not sum to one, so a constant added to all
changes moves the estimate, and here it has the largest error of all. The normalised one is "ipw".
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from impact.estimators.group_time import GroupTime
from impact.panel import Panel
from impact.sample import Sample
from impact.targets import Target
from tests.golden.test_cross_sections import AsInR
from tests.golden.test_group_time import EXACT, ITERATED, assert_all_as_in_r, found, table
from tests.shared import golden

COVARIATES = ("age", "educ", "black", "married", "nodegree", "hisp", "re74")
PLAIN = [("reg", "reg"), ("ipw", "ipw_hajek"), ("dr", "drdid_trad"), ("dr-improved", "drdid_imp")]
# Closed forms, and a logit that both sides solve to rounding. R minimises the balancing loss until it gains less than
# 1.5e-8 of itself, so its odds are near the optimum only; the estimate does not depend on them to first order, but its
# error does (3.5e-8 here).
NEAR = {"reg": EXACT, "ipw": EXACT, "dr": EXACT, "dr-improved": ITERATED}


def nsw() -> Any:
    """425 experimental controls as if treated in 1978, and 15,992 of the CPS, seven covariates on different scales."""
    frame = table("nsw_long_eval.csv.gz")
    return frame.assign(first=np.where(frame["experimental"] == 1, 1978, 0))


@pytest.mark.parametrize(("method", "key"), PLAIN)
def test_two_periods_of_nsw(method: Any, key: str) -> None:
    expected = golden("drdid_nsw")["results"][f"{key}_panel"]
    panel = Panel.from_frame(
        nsw(), unit="id", time="year", outcome="re", first_treated="first", covariates=list(COVARIATES)
    )
    answer, uncertainty = found(GroupTime(method=method), panel, Target("average"))
    assert answer.effects.estimate[0] == pytest.approx(expected["ATT"], rel=EXACT)
    assert uncertainty.std_error[0] == pytest.approx(expected["se"], rel=NEAR[method])


@pytest.mark.parametrize(("method", "key"), PLAIN)
def test_the_same_people_as_if_drawn_anew(method: Any, key: str) -> None:
    """For "dr" the error is R's with the slip in its influence function (see ``AsInR``): 0.04 % above ours."""
    expected = golden("drdid_nsw")["results"][f"{key}_rc"]
    sample = Sample.from_frame(nsw(), time="year", outcome="re", first_treated="first", covariates=list(COVARIATES))
    plain: Any = GroupTime(method=method)
    answer, uncertainty = found(AsInR(plain) if method == "dr" else plain, sample, Target("average"))  # type: ignore[arg-type]
    assert answer.effects.estimate[0] == pytest.approx(expected["ATT"], rel=EXACT)
    assert uncertainty.std_error[0] == pytest.approx(expected["se"], rel=NEAR[method])


@pytest.mark.parametrize("covariate", ["none", "x1"])
def test_nine_small_cohorts_and_a_covariate_that_changes(covariate: str) -> None:
    """Five units a cohort, the first starting in the second period; the covariate is that of the earlier period."""
    results = golden(f"did_basestagg_dr_nevertreated_{covariate}_varying")["results"]
    panel = Panel.from_frame(
        table("base_stagg.csv"),
        unit="id",
        time="year",
        outcome="y",
        first_treated="g",
        covariates=[] if covariate == "none" else [covariate],
    )
    assert panel.groups.tolist() == list(range(1, 10))
    assert_all_as_in_r(panel, GroupTime(), results, EXACT if covariate == "none" else ITERATED)
