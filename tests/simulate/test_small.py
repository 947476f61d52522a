"""The small generated panel: reproducible, shaped as its settings say, and found by estimators when noise is off."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from impact.errors import SpecError
from impact.estimators.did import DiD
from impact.estimators.group_time import GroupTime
from impact.inference.protocol import Found, evaluate
from impact.panel import Panel
from impact.register.areas import areas
from impact.simulate.small import Settings, World, read_settings, world, write
from impact.sources.regions import Level, gemeente_of, level_of
from impact.streams import Streams
from impact.targets import Target
from tests.shared import ROOT

FOLDER = ROOT / "data_synthetic"
SETTINGS = FOLDER / "eerste-studie.settings.toml"


@pytest.fixture(scope="module")
def settings() -> Settings:
    return read_settings(SETTINGS)


@pytest.fixture(scope="module")
def made(settings: Settings) -> World:
    return world(settings, Streams(settings.seed))


@pytest.fixture(scope="module")
def quiet(settings: Settings) -> World:
    return world(replace(settings, noise=False), Streams(settings.seed))


def rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def panel(of: World, y: np.ndarray) -> Panel:
    count, length = y.shape
    return Panel.from_frame(
        pd.DataFrame(
            {
                "region": np.repeat(of.units, length),
                "year": np.tile(of.periods, count),
                "y": y.ravel(),
                "start": np.repeat([of.start[a] if a >= 0 else 0 for a in of.area], length),
                "area": np.repeat([of.areas[a] if a >= 0 else "" for a in of.area], length),
                "gemeente": np.repeat(of.gemeente, length),
            }
        ),
        unit="region",
        time="year",
        outcome="y",
        first_treated="start",
        area="area",
        cluster="gemeente",
    )


def effects(estimator: object, data: Panel, kind: str) -> dict[str, float]:
    found = evaluate(estimator, data, Target(kind, "area"))  # type: ignore[arg-type]
    assert isinstance(found, Found), found
    return dict(zip(found.effects.terms, found.effects.estimate, strict=True))


# The truth ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [DiD(), GroupTime()])
def test_without_noise_the_truth_comes_back(quiet: World, estimator: object) -> None:
    data = panel(quiet, quiet.rate)
    late = quiet.start == 2022
    after = [quiet.periods.index(year) for year in (2022, 2023, 2024)]
    truth = quiet.effect[late][:, after]
    assert effects(estimator, data, "average")["average"] == pytest.approx(truth.mean(), abs=1e-8)
    by_area = dict(zip(np.array(quiet.areas)[late].tolist(), truth.mean(axis=1), strict=True))
    assert effects(estimator, data, "unit") == pytest.approx(by_area, abs=1e-8)


def test_without_noise_every_year_has_its_own_effect_and_the_years_before_have_none(quiet: World) -> None:
    found = effects(GroupTime(base="universal"), panel(quiet, quiet.rate), "event")
    assert [found[str(event)] for event in (0, 1, 2)] == pytest.approx([-0.3, -0.5, -0.7], abs=1e-8)
    before = [value for event, value in found.items() if event.startswith("-")]
    assert len(before) >= 8  # 2013-2021, with or without the base itself
    assert before == pytest.approx([0.0] * len(before), abs=1e-8)


def test_areas_as_one_unit_give_the_truth_too(quiet: World) -> None:
    """Numerator and denominator summed over the wijken of an area, as a study does it."""
    controls = np.flatnonzero(quiet.area < 0)
    own = [np.flatnonzero(quiet.area == a) for a in range(len(quiet.areas))]
    rate = np.vstack(
        [
            *(100 * quiet.leavers[one].sum(axis=0) / quiet.students[one].sum(axis=0) for one in own),
            quiet.rate[controls],
        ]
    )
    names = [*quiet.areas, *(quiet.units[i] for i in controls)]
    frame = pd.DataFrame(
        {
            "unit": np.repeat(names, len(quiet.periods)),
            "year": np.tile(quiet.periods, len(names)),
            "y": rate.ravel(),
            "start": np.repeat([*quiet.start, *[0] * len(controls)], len(quiet.periods)),
        }
    )
    data = Panel.from_frame(frame, unit="unit", time="year", outcome="y", first_treated="start")
    assert data.aside == ("rotterdam-zuid",)
    assert effects(DiD(), data, "average")["average"] == pytest.approx(-0.5, abs=1e-8)


def test_the_truth_is_what_the_settings_and_the_readme_say(made: World) -> None:
    table = rows("eerste-studie-truth.csv")
    truth = {(row["area"], int(row["period"])): float(row["effect"].replace(",", ".")) for row in table}
    late = [area for area in made.areas if area != "rotterdam-zuid"]
    assert len(late) == 19
    for year, average in ((2022, -0.3), (2023, -0.5), (2024, -0.7)):
        values = [truth[area, year] for area in late]
        assert np.mean(values) == pytest.approx(average, abs=1e-12)
        assert (min(values), max(values)) == pytest.approx((1.36 * average, 0.64 * average))
    assert {year for area, year in truth if area == "rotterdam-zuid"} == set(range(2013, 2025))
    assert len(truth) == 19 * 3 + 12


# Reproducible -------------------------------------------------------------------------------------------------------


def test_making_it_again_gives_the_same_bytes(made: World, tmp_path: Path) -> None:
    for path in write(made, tmp_path, "eerste-studie"):
        assert path.read_bytes() == (FOLDER / path.name).read_bytes(), path.name


def test_another_seed_is_another_country(settings: Settings, made: World) -> None:
    assert not np.array_equal(world(settings, Streams(settings.seed + 1)).residents, made.residents)


# Its shape ----------------------------------------------------------------------------------------------------------


def test_the_country_has_the_shape_the_readme_gives() -> None:
    wijken = rows("eerste-studie-wijken.csv")
    assert list(wijken[0]) == [
        "region",
        "naam",
        "gemeente",
        "area",
        "first_treated",
        "inwoners",
        "huur_pct",
        "uitkering_pct",
        "adres_dichtheid",
    ]
    assert (len(wijken), len({row["gemeente"] for row in wijken})) == (415, 60)
    focus = [row for row in wijken if row["area"]]
    assert {row["area"] for row in focus} == {area.slug for area in areas()}
    assert len({row["gemeente"] for row in focus}) == 19
    assert set(Counter(row["area"] for row in focus).values()) <= set(range(1, 6))
    assert {row["first_treated"] for row in wijken if not row["area"]} == {""}
    assert {row["first_treated"] for row in focus if row["area"] != "rotterdam-zuid"} == {"2022"}
    assert {row["first_treated"] for row in focus if row["area"] == "rotterdam-zuid"} == {"2011"}
    amsterdam = {row["gemeente"] for row in focus if row["area"].startswith("amsterdam")}
    assert len(amsterdam) == 1
    for row in wijken:
        assert level_of(row["region"]) is Level.WIJK
        assert gemeente_of(row["region"]) == row["gemeente"]
        assert "gegenereerd" in row["naam"]


def test_outcomes_are_counts_and_four_cells_have_none() -> None:
    outcomes = rows("eerste-studie.csv")
    assert list(outcomes[0]) == ["region", "period", "vsv", "deelnemers"]
    assert len(outcomes) == 415 * 12
    marked = {(row["region"], row["period"]): row["vsv"] for row in outcomes if not row["vsv"].isdigit()}
    assert sorted(marked.values()) == [".", "x", "x", "x"]
    assert len({region for region, _ in marked}) == 3
    focus = {row["gemeente"] for row in rows("eerste-studie-wijken.csv") if row["area"]}
    assert not {gemeente_of(region) for region, _ in marked} & focus
    for row in outcomes:
        assert row["vsv"] in ("x", ".") or 0 <= int(row["vsv"]) <= int(row["deelnemers"])


def test_areas_are_the_most_deprived_wijken_and_have_a_higher_level(made: World) -> None:
    focus = made.area >= 0
    assert (made.structure[focus].mean(axis=0) > made.structure[~focus].mean(axis=0)).all()
    assert made.rate[focus, :9].mean() > made.rate[~focus, :9].mean() + 0.3
    # A donor exists: every area lies within what wijken elsewhere show.
    free = ~np.isin(made.gemeente, np.array(made.gemeente)[focus])
    means = np.array([made.structure[made.area == a].mean(axis=0) for a in range(len(made.areas))])
    assert (means.max(axis=0) < made.structure[free].max(axis=0)).all()


def test_noise_is_serially_correlated_and_shared_within_a_gemeente(settings: Settings) -> None:
    """Over two centuries, with large shocks of the gemeenten and none of the wijken; controls only."""
    long = replace(settings, first=1820, common={}, trend=0.0, mean=30.0, gemeente_sd=2.0, area_sd=0.0, wijk_sd=0.0)
    of = world(long, Streams(7))
    first = [of.gemeente.index(code) for code in dict.fromkeys(of.gemeente)][19:]
    second = [i + 1 for i in first]
    shock = of.rate - of.rate.mean(axis=1, keepdims=True)
    lagged = np.mean([np.corrcoef(shock[i, 1:], shock[i, :-1])[0, 1] for i in first])
    shared = np.mean([np.corrcoef(shock[i], shock[j])[0, 1] for i, j in zip(first, second, strict=True)])
    # Gemeente shocks have variance 4; the binomial adds about 30 · 70 / 900 = 2.3: 0.5 · 4 / 6.3 and 4 / 6.3, or less.
    assert 0.2 < lagged < 0.5
    assert 0.4 < shared < 0.85


# Settings -----------------------------------------------------------------------------------------------------------


def test_settings_that_are_not_known_are_refused_by_name(tmp_path: Path) -> None:
    text = SETTINGS.read_text(encoding="utf-8")
    (tmp_path / "wrong.toml").write_text(text.replace("spread =", "spraed ="), encoding="utf-8")
    with pytest.raises(SpecError) as error:
        read_settings(tmp_path / "wrong.toml")
    assert sorted(problem.path for problem in error.value.problems) == ["spraed", "spread"]
    (tmp_path / "broken.toml").write_text("seed = ", encoding="utf-8")
    with pytest.raises(SpecError, match="SIM-001"):
        read_settings(tmp_path / "broken.toml")


def test_impossible_settings_are_refused(settings: Settings) -> None:
    with pytest.raises(ValueError, match="percent"):
        world(replace(settings, mean=150.0), Streams(1))
    with pytest.raises(ValueError, match="WK999999"):
        world(replace(settings, missing={"WK999999": (2015,)}), Streams(1))
