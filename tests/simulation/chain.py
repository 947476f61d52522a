"""The whole chain on the generated country: its tables are written, a shipped study reads them, the truth is known.

The study is ``voortijdig-schoolverlaten`` itself, with its own areas, matching, estimator and inference; only its
workbook is replaced by a parquet table, which is written a hundred times faster.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from impact.parallel import Parallel
from impact.register.areas import areas
from impact.simulate import Country, Settings, country, indicator, read_settings, truth
from impact.simulate.tables import members, wijken
from impact.streams import Streams
from impact.study.answers import answers
from impact.study.areas import focus_areas
from impact.study.load import load
from impact.study.panels import Comparison, compare
from impact.study.read import Study, locate, read_study
from impact.study.roots import Roots
from tests.shared import ROOT

SLUG = "voortijdig-schoolverlaten"
SETTINGS = ROOT / "data_synthetic" / "land.settings.toml"
COLUMNS = "columns: {region: region, period: period, numerator: numerator, denominator: denominator}"
WEIGHTINGS = ("area", "resident", "unit")
PLACEBO = "2015/'16"
"""An invented start, in years in which nothing happened; the figures end before the first real one (but of 2011)."""


@dataclass(frozen=True)
class Found:
    """An estimate of the study beside the truth, by one weighting; percentage points."""

    weighting: str
    value: float
    low: float
    high: float
    p_value: float
    truth: float

    @property
    def error(self) -> float:
        return self.value - self.truth

    @property
    def covered(self) -> bool:
        return self.low <= self.truth <= self.high


def settings(**changes: object) -> Settings:
    """The settings of the shipped country, with switches (`selection=False`) or other settings changed."""
    base = read_settings(SETTINGS)
    switches = {name: value for name, value in changes.items() if name in type(base.traps).__slots__}
    others = {name: value for name, value in changes.items() if name not in switches}
    return replace(base, traps=replace(base.traps, **switches), **others)  # type: ignore[arg-type]


def spec(folder: Path, *, placebo: bool = False, match: str = "", change: Mapping[str, str] | None = None) -> Study:
    """The shipped study over the tables in `folder`; without alternatives, which take time and are not asked here."""
    text = (ROOT / "studies" / SLUG / "study.yaml").read_text(encoding="utf-8")
    text = re.sub(r"alternatives:\n.*?(?=\nchecks:)", "", text, flags=re.DOTALL)
    swaps = {
        r"data_synthetic/cbs-maatwerk-vsv\.xlsx\n    sheet: .*\n    header_row: .*\n": "uitkomsten.parquet\n",
        r"data_synthetic/land-wijken\.parquet": "wijken.parquet",
        r"data_synthetic/land-gebieden-wijken\.csv": "gebieden.csv",
        r"columns: \{region: Regiocode.*\}": COLUMNS,
        r"    rounded_to: 5\n": "",
        # Who borders on an area stands in the table as well, which saves drawing every country.
        r"  polygons: .*\n(    .*\n){4}": "",
        r"adjacent, sharing: border": "adjacent, column: grenst_aan",
    }
    if placebo:
        swaps |= {
            r"start: \{event: aanwijzing, .*\}": f'start: {{event: nepstart, first_treated: "{PLACEBO}"}}',
            r"last: \"2025/'26\"": 'last: "2018/\'19"',
            r"window: \[.*?\]": f'window: ["{PLACEBO}", "2018/\'19"]',
            r"leave_out:\n  - \{periods: .*\n": "",
            r"seed: ": "placebo: true\nseed: ",
        }
    if match:
        swaps[r"match: \{.*\}"] = f"match: {match}"
    for old, new in (swaps | dict(change or {})).items():
        assert len(re.findall(old, text)) == 1, f"{old} must stand once in the study"
        text = re.sub(old, lambda _, new=new: new, text)  # type: ignore[misc]
    (folder / "study.yaml").write_text(text, encoding="utf-8")
    return read_study(folder / "study.yaml")


def written(land: Country, folder: Path) -> None:
    """The three tables that the study reads."""
    series = indicator(land, SLUG)
    rows, columns = np.nonzero(series.listed)
    outcomes = {
        "region": np.array(series.regions)[rows],
        "period": np.array(series.periods)[columns],
        "numerator": series.numerator[rows, columns],
        "denominator": series.denominator[rows, columns],
    }
    pd.DataFrame(outcomes).to_parquet(folder / "uitkomsten.parquet")
    pd.DataFrame(wijken(land)).to_parquet(folder / "wijken.parquet")
    lines = ["area;code;vintage;share;source", *(";".join(row) for row in members(land, "wijk")), ""]
    (folder / "gebieden.csv").write_text("\n".join(lines), encoding="utf-8")


def estimates(
    made: Settings,
    seed: int,
    folder: Path,
    *,
    placebo: bool = False,
    match: str = "",
    change: Mapping[str, str] | None = None,
) -> list[Found]:
    """What the study finds in the country of `seed`, by each weighting, beside what was put in."""
    land = country(made, Streams(seed))
    written(land, folder)
    study = spec(folder, placebo=placebo, match=match, change=change)
    data = load(study.model, locate(study, Roots.of(study.path)))
    comparison = compare(study.model, data, data.series[0], focus_areas(study.model, data))
    found = answers(study.model, comparison, Parallel(), sealed=False)
    rows = {found.primary.weighting: found.primary} | {row.name: row.estimate for row in found.weightings}
    effects = np.zeros((len(areas()), len(made.periods))) if placebo else truth(land, SLUG)
    return [
        Found(
            name,
            np.nan if row.value is None else row.value,
            np.nan if row.low is None else row.low,
            np.nan if row.high is None else row.high,
            np.nan if row.p_value is None else row.p_value,
            put_in(study, comparison, effects, made, name),
        )
        for name, row in sorted(rows.items())
    ]


def put_in(study: Study, comparison: Comparison, effects: np.ndarray, made: Settings, weighting: str) -> float:
    """The effect that was put in, averaged as the weighting says, counted by hand over the units of the study.

    ``area``: the mean over areas of the mean over their periods in the window. Otherwise the mean over all units and
    periods, each unit counting once or by its residents.
    """
    panel = comparison.panel
    low, high = study.model.target.window or (panel.periods[0], panel.periods[-1])
    number = {area.slug: row for row, area in enumerate(areas())}
    year = {period: made.periods.index(int(period[:4])) for period in panel.periods}
    by_area: dict[str, list[float]] = {}
    total = weight = 0.0
    for unit in np.flatnonzero(panel.treated):
        slug = panel.areas[panel.area[unit]]
        counts = 1.0 if weighting != "resident" or panel.residents is None else float(panel.residents[unit])
        for place, period in enumerate(panel.periods):
            if place >= panel.first[unit] and low <= period <= high:
                effect = float(effects[number[slug], year[period]])
                by_area.setdefault(slug, []).append(effect)
                total, weight = total + counts * effect, weight + counts
    return float(np.mean([np.mean(values) for values in by_area.values()])) if weighting == "area" else total / weight
