"""The small-sample conventions that analytic errors of a regression can have, each by its name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import impact
from impact.errors import Refused, UsageError
from tests.contract.worlds import PERIODS, frame, panel_of


def test_the_named_conventions_are_those_of_the_packages() -> None:
    """Against linearmodels itself, and its ratio to fixest by the sizes; nothing is multiplied unless asked for."""
    from linearmodels.panel import PanelOLS

    panel = panel_of(frame())
    panel = replace(panel, weight=np.ones(len(panel.units)))
    found = {
        name: impact.estimate(panel, "twfe", inference="scores", small_sample=name).tidy().iloc[0]["std_error"]
        for name in ("none", "fixest", "linearmodels")
    }
    rows = pd.DataFrame(
        {
            "y": panel.y.reshape(-1),
            "d": panel.treated_cells().reshape(-1).astype(float),
            "cluster": np.repeat(panel.cluster, PERIODS),
        },
        index=pd.MultiIndex.from_product([panel.units, range(PERIODS)]),
    )
    theirs = PanelOLS(rows["y"], rows[["d"]], entity_effects=True, time_effects=True).fit(
        cov_type="clustered", clusters=rows["cluster"]
    )
    assert found["linearmodels"] == pytest.approx(float(theirs.std_errors["d"]), rel=1e-9)
    n, units, groups = panel.y.size, len(panel.units), len(panel.clusters)
    periods_and_d = PERIODS - 1 + 1
    assert found["fixest"] / found["none"] == pytest.approx(
        np.sqrt(groups / (groups - 1) * (n - 1) / (n - periods_and_d - 1)), rel=1e-12
    )
    assert found["linearmodels"] / found["none"] == pytest.approx(np.sqrt(n / (n - periods_and_d - units)), rel=1e-12)


def test_a_convention_for_what_is_no_regression_is_refused() -> None:
    result = impact.estimate(panel_of(frame()), "group-time", inference="scores", small_sample="fixest")
    assert isinstance(result.uncertainty, Refused)
    assert "group-time is no regression" in result.uncertainty.because
    with pytest.raises(UsageError, match="small_sample"):
        impact.estimate(panel_of(frame()), "twfe", inference="scores", small_sample="stata")
