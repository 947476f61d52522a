"""Waves that are not a year apart, and units that miss one: every base is the last that was observed, and is told."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import impact
from impact.errors import Refused


def waves(missing: tuple[int, ...] = (), years: tuple[int, ...] = (2012, 2014, 2017, 2019, 2021, 2023)) -> impact.Panel:
    rng = np.random.default_rng(0)
    rows = [
        {"wijk": f"w{unit:02}", "jaar": year, "y": 3 * rng.normal() + unit, "start": 2022 if unit < 8 else 0}
        for unit in range(30)
        for year in years
        if not (unit in missing and year == 2021)
    ]
    return impact.Panel.from_frame(pd.DataFrame(rows), unit="wijk", time="jaar", outcome="y", first_treated="start")


def notes(panel: impact.Panel) -> tuple[str, ...]:
    result = impact.estimate(panel, "group-time", inference="scores")
    assert not isinstance(result, Refused)
    return result.fit.notes


def test_the_base_is_the_last_wave_before_the_start_and_is_told() -> None:
    panel = waves()
    result = impact.estimate(panel, "group-time", inference="scores")
    assert not isinstance(result, Refused)
    y, treated = panel.y, panel.treated
    change = y[:, 5] - y[:, 4]
    assert result.effects.estimate[0] == pytest.approx(change[treated].mean() - change[~treated].mean(), abs=1e-12)
    assert result.fit.notes == ("the base of 2023 is 2021, the last wave before",)


def test_evenly_spaced_periods_need_no_word() -> None:
    assert notes(waves(years=(2015, 2017, 2019, 2021, 2023))) == ()


def test_units_without_the_last_wave_have_an_earlier_base_and_controls_that_have_it_too() -> None:
    panel = waves(missing=(1, 2, 20))
    found = notes(panel)
    assert any("3 of 30 units miss the outcome in some period (w01, w02, w20)" in note for note in found)
    assert any(note.endswith("2021 for 6 units, 2019 for 2 units") for note in found)
    y, late = panel.y, np.isin(np.arange(30), (1, 2))
    seen = ~np.isnan(y)
    parts = []
    for rows, base in ((panel.treated & ~late, 4), (panel.treated & late, 3)):
        change = y[:, 5] - y[:, base]
        controls = ~panel.treated & seen[:, base] & seen[:, 5]
        parts += [change[rows].mean() - change[controls].mean()] * int(rows.sum())
    result = impact.estimate(panel, "group-time", inference="scores")
    assert not isinstance(result, Refused)
    assert result.effects.estimate[0] == pytest.approx(np.mean(parts), abs=1e-12)
