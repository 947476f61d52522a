"""The doors to placebos, leave-one-out and earlier starts: names and options reach what they are meant for."""

from __future__ import annotations

import numpy as np
import pytest

import impact
from impact.inference.placebo import PlaceboSpace
from impact.parallel import Parallel
from impact.streams import Streams
from impact.targets import Target
from tests.contract.worlds import CONFIGURED, frame, panel_of

CASE = next(case for case in CONFIGURED if case.label == "synthetic-control")


@pytest.fixture(scope="module")
def panel() -> impact.Panel:
    return panel_of(frame(), CASE)


def test_placebos_are_those_of_the_inference(panel: impact.Panel) -> None:
    mine = impact.placebos(panel, "synthetic-control", target="event", weighting="area", draws=19, intercept=True)
    assert not isinstance(mine, impact.Refused)
    from impact.estimators.synthetic_control import SyntheticControl

    theirs = PlaceboSpace(draws=19).placebos(
        SyntheticControl(intercept=True), panel, Target("event", "area"), streams=Streams(1), parallel=Parallel()
    )
    assert not isinstance(theirs, impact.Refused)
    np.testing.assert_array_equal(mine.effect, theirs.effect)


def test_leaving_one_out_is_the_estimate_without_it(panel: impact.Panel) -> None:
    """Of donors: the estimate on the panel without the unit. Of periods: as many as there are before the last start."""
    found = impact.leave_one_out(panel, "synthetic-control", intercept=True)
    assert not isinstance(found, impact.Refused)
    row = found.table().iloc[1]
    gone = panel.units.index(str(row["left_out"]))
    rest = impact.estimate(panel.drop([gone]), "synthetic-control", intercept=True)
    assert isinstance(rest, impact.Result)
    assert row["estimate"] == pytest.approx(float(rest.effects.estimate[0]), abs=1e-10)
    periods = impact.leave_one_out(panel, "synthetic-control", of="period")
    assert not isinstance(periods, impact.Refused)
    assert set(periods.table()["left_out"][1:]) == set(panel.periods[: int(panel.groups.max())])


def test_a_start_that_never_was_uses_nothing_from_the_real_one_on(panel: impact.Panel) -> None:
    later = np.where(panel.treated_cells(), 1e6, panel.y)
    one = impact.backdate(panel, "synthetic-control", back=[1, 2])
    other = impact.backdate(panel.with_outcome(later), "synthetic-control", back=[1, 2])
    assert not isinstance(one, impact.Refused) and not isinstance(other, impact.Refused)
    assert one.table().equals(other.table())


def test_an_option_of_nobody_is_named(panel: impact.Panel) -> None:
    for call in (impact.leave_one_out, impact.backdate):
        with pytest.raises(impact.UsageError, match=r"USAGE-002.*'drawz' is no parameter of synthetic-control"):
            call(panel, "synthetic-control", drawz=3)
    with pytest.raises(impact.UsageError, match="USAGE-003"):
        impact.leave_one_out(panel, of="week")  # type: ignore[arg-type]
