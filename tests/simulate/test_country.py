"""The country: its shape, its areas, and that the truth comes back when there is no noise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from impact.errors import SpecError
from impact.estimators.did import DiD
from impact.inference.protocol import Found, evaluate
from impact.panel import Panel
from impact.register.areas import areas
from impact.register.indicators import Direction, indicators
from impact.register.indicators import indicator as registered
from impact.simulate import Country, Settings, country, indicator, read_settings, truth
from impact.simulate.division import lengths, shares, wijken_of
from impact.sources.regions import Level, gemeente_of, level_of
from impact.streams import Streams
from impact.targets import Target
from tests.simulate.conftest import SETTINGS, untouched, without

VSV, WEALTH = "voortijdig-schoolverlaten", "relatieve-welvaart"
SOUTH = 8  # rotterdam-zuid


# The truth ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", [VSV, WEALTH, "criminaliteit", "uitkering", "schooladvies"])
def test_without_noise_difference_in_differences_gives_the_truth(quiet: Country, slug: str) -> None:
    """Wijken that are an area as a whole against wijken that the programme does not reach, with every trap on."""
    series = indicator(quiet, slug)
    whole = quiet.whole
    units = np.flatnonzero(((whole >= 0) & (whole != SOUTH)) | untouched(quiet))
    times = np.flatnonzero(series.listed[units[0]])
    start = [quiet.start[whole[u]] if whole[u] >= 0 else 0 for u in units]
    frame = pd.DataFrame(
        {
            "unit": np.repeat(np.array(series.regions)[units], len(times)),
            "year": np.tile(np.array(quiet.periods)[times], len(units)),
            "y": series.value[np.ix_(units, times)].ravel(),
            "start": np.repeat(start, len(times)),
            "area": np.repeat([quiet.areas[whole[u]] if whole[u] >= 0 else "" for u in units], len(times)),
            "gemeente": np.repeat(quiet.land.wijk_gemeente[units], len(times)),
        }
    )
    data = Panel.from_frame(
        frame, unit="unit", time="year", outcome="y", first_treated="start", area="area", cluster="gemeente"
    )
    found = evaluate(DiD(), data, Target("unit", "area"))
    assert isinstance(found, Found), found
    effect = truth(quiet, slug)
    after = [np.array(quiet.periods) >= since for since in quiet.start]
    wanted = {name: effect[a, after[a]].mean() for a, name in enumerate(quiet.areas) if a != SOUTH}
    assert dict(zip(found.effects.terms, found.effects.estimate, strict=True)) == pytest.approx(wanted, abs=1e-8)


def test_a_wijk_of_which_a_part_is_an_area_moves_by_that_part(quiet: Country) -> None:
    rate = indicator(quiet, VSV).value
    change = rate[:, -1] - rate[:, 9]
    free = change[untouched(quiet)].mean()
    partial = np.flatnonzero((quiet.share > 0) & (quiet.share < 1))
    assert len(partial) == 3
    for w in partial:
        own = quiet.land.wijk == w
        inside = quiet.members.buurt[own]
        assert (inside >= 0).sum() == own.sum() // 2
        residents = quiet.residents[own]
        share = residents[inside >= 0].sum() / residents.sum()
        assert change[w] - free == pytest.approx(share * truth(quiet, VSV)[inside.max(), -1], abs=1e-8)


def test_the_truth_is_what_the_settings_say(settings: Settings, made: Country) -> None:
    """Averaged over the nineteen areas that started late: exactly the effects of the recipe, year after year."""
    for slug, recipe in settings.indicators.items():
        effect = truth(made, slug)
        assert effect.shape == (20, 16)
        for step in range(4):
            late = [effect[a, made.periods.index(made.start[a] + step)] for a in range(20) if a != SOUTH]
            assert np.mean(late) == pytest.approx(recipe.effect[min(step, len(recipe.effect) - 1)], abs=1e-9)
        assert effect[SOUTH, 0] == 0
        assert effect[SOUTH, 1] == recipe.effect[0]
        assert (effect[SOUTH, 3:] == recipe.effect[-1]).all()
        for a, since in enumerate(made.start):
            assert (effect[a, np.array(made.periods) < since] == 0).all()


def test_effects_are_on_the_favourable_side(settings: Settings) -> None:
    for slug, recipe in settings.indicators.items():
        side = {Direction.LOWER: -1, Direction.HIGHER: 1}.get(registered(slug).direction)
        if side is not None:
            assert all(step * side >= 0 for step in recipe.effect), slug
    safe, vsv = settings.indicators["ervaren-veiligheid"], settings.indicators[VSV]
    assert (safe.mean, safe.effect[-1]) == (17.0, -3.0)
    assert (vsv.mean, vsv.effect) == (3.0, (-0.3, -0.5, -0.7))


# Its shape ----------------------------------------------------------------------------------------------------------


def test_the_country_has_the_size_that_was_asked(made: Country) -> None:
    land = made.land
    assert (len(land.gemeenten), len(land.wijken), len(land.buurten)) == (60, 900, 3600)
    assert made.periods == tuple(range(2010, 2026))
    assert made.areas == tuple(one.slug for one in areas())
    assert made.start.tolist() == [one.since for one in areas()]
    buurten = np.bincount(land.wijk)
    assert (buurten.min(), buurten.max()) == (2, 6)
    for codes, level in ((land.gemeenten, Level.GEMEENTE), (land.wijken, Level.WIJK), (land.buurten, Level.BUURT)):
        assert len(set(codes)) == len(codes)
        assert {level_of(code) for code in codes} == {level}
    assert all(gemeente_of(code) == land.gemeenten[g] for code, g in zip(land.wijken, land.wijk_gemeente, strict=True))
    assert all(b[2:8] == land.wijken[w][2:] for b, w in zip(land.buurten, land.wijk, strict=True))
    south = made.members.order[SOUTH]
    assert sorted(made.wijk_residents[south]) == pytest.approx([63000, 70000, 80000], abs=3)
    others = np.delete(made.wijk_residents, south)
    assert others.min() > 1990
    assert others.max() < 12010


def test_areas_hold_together_and_leave_half_of_their_gemeente(made: Country) -> None:
    edges = {frozenset(pair) for pair in made.land.borders[:, :2].tolist()}
    homes = []
    for a in range(20):
        wijken = np.unique(made.land.wijk[made.members.buurt == a]).tolist()
        gemeente = set(made.land.wijk_gemeente[wijken].tolist())
        assert len(gemeente) == 1
        homes += gemeente
        reached = {wijken[0]}
        while more := {w for w in wijken if w not in reached and any(frozenset((w, r)) in edges for r in reached)}:
            reached |= more
        assert reached == set(wijken)
        assert 1 <= len(made.members.order[a]) <= 5
    assert len(set(homes)) == 19
    assert homes[10] == homes[11]
    for home in set(homes):
        own = made.land.wijk_gemeente == home
        assert (made.share[own] > 0).sum() <= own.sum() / 2


def test_structure_is_worse_in_the_areas_and_found_elsewhere(made: Country) -> None:
    focus, free = made.whole >= 0, untouched(made)
    assert (made.land.structure[focus].mean(axis=0) > made.land.structure[free].mean(axis=0)).all()
    assert made.score[focus].mean() < made.score[~focus].mean()
    means = np.array([made.land.structure[made.whole == a].mean(axis=0) for a in range(20)])
    assert (means.max(axis=0) < made.land.structure[free].max(axis=0)).all()


def test_denominators_follow_one_path(quiet: Country) -> None:
    students = indicator(quiet, VSV).denominator
    path = students / students[:, :1]
    assert path[~quiet.redrawn] == pytest.approx(np.tile(path[0], ((~quiet.redrawn).sum(), 1)), abs=1e-12)
    there = ~np.isnan(students[:, 0])
    assert (~there).sum() == 3  # codes that exist since the re-division
    residents = np.bincount(quiet.land.old_wijk, quiet.residents, minlength=900)
    assert students[there, 0] == pytest.approx(0.12 * residents[there], rel=1e-12)


def test_series_say_where_they_have_no_number(made: Country) -> None:
    for slug in made.settings.indicators:
        series = indicator(made, slug)
        number = ~np.isnan(series.value)
        assert (number == np.isin(series.status, ["ok", "provisional"])).all()
        assert set(np.unique(series.status)) <= {"ok", "provisional", "suppressed", "missing"}
        assert not number[~series.listed].any()
        kind = made.settings.indicators[slug].kind
        assert np.isnan(series.n).all() == (kind != "survey")
        assert np.isnan(series.numerator).all() == (kind not in ("share", "count"))
        if kind in ("share", "count"):
            assert set(series.status[:, -1]) <= {"provisional", "suppressed", "missing"}
            assert "provisional" not in series.status[:, :-1]
            assert (np.mod(series.numerator[number], 1) == 0).all()
        assert series.periods[-1] == ("2025/'26" if made.settings.indicators[slug].time == "school-year" else "2025")


# Reproducible -------------------------------------------------------------------------------------------------------


def test_an_indicator_depends_on_neither_order_nor_other_indicators(settings: Settings, made: Country) -> None:
    again = country(settings, Streams(settings.seed))
    later = indicator(again, VSV)
    indicator(again, WEALTH)
    assert np.array_equal(later.value, indicator(made, VSV).value, equal_nan=True)
    other = country(settings, Streams(settings.seed + 1))
    assert not np.array_equal(other.residents, made.residents)
    assert not np.array_equal(indicator(other, VSV).value, later.value, equal_nan=True)


def test_arrays_are_read_only(made: Country) -> None:
    for array in (made.factor, made.land.need, made.members.buurt, indicator(made, VSV).value):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


# Parts --------------------------------------------------------------------------------------------------------------


def test_parts_add_up_whatever_is_asked() -> None:
    draw = np.random.default_rng(1)
    for total, parts in ((60, 10), (60, 6), (17, 4), (5, 5)):
        found = lengths(draw, total, parts)
        assert (found.sum(), len(found), found.min() > 0) == (total, parts, True)
    assert shares(np.array([1, 1, 2]), 10).tolist() in ([3, 2, 5], [2, 3, 5])
    assert shares(np.array([50, 30, 20]), 10).tolist() == [5, 3, 2]
    with pytest.raises(ValueError, match="cannot be cut"):
        wijken_of(draw, np.ones(9, dtype=bool), 3, 2, (1, 3))


def test_impossible_settings_are_refused(settings: Settings) -> None:
    recipes = {**settings.indicators, VSV: replace(settings.indicators[VSV], mean=150.0)}
    still = replace(without(settings, "covid"), noise=False, indicators=recipes)
    with pytest.raises(ValueError, match="voortijdig-schoolverlaten"):
        indicator(country(still, Streams(1)), VSV)


# Settings -----------------------------------------------------------------------------------------------------------


def test_all_that_is_wrong_with_the_settings_is_said_at_once(tmp_path: Path) -> None:
    text = SETTINGS.read_text(encoding="utf-8")
    for old, new in (
        ("side =", "syde ="),
        ("serial = true", 'serial = "yes"'),
        ("waves = true", "weaves = true"),
        ("[indicators.nieuwbouw]\nkind", "[indicators.neuwbouw]\nkind"),
        (
            'kind = "score"\nlevel = "gemeente"\ntime = "year"\nmean = 100.0',
            'kind = "points"\nlevel = "gemeente"\nmean = 1',
        ),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    (tmp_path / "wrong.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as error:
        read_settings(tmp_path / "wrong.toml")
    assert sorted((problem.code, problem.path) for problem in error.value.problems) == [
        ("SIM-002", "indicators.achterstandsscore.time"),
        ("SIM-002", "indicators.neuwbouw"),
        ("SIM-002", "indicators.nieuwbouw"),
        ("SIM-002", "side"),
        ("SIM-002", "syde"),
        ("SIM-002", "traps.waves"),
        ("SIM-002", "traps.weaves"),
        ("SIM-003", "indicators.achterstandsscore.kind"),
        ("SIM-003", "traps.serial"),
    ]
    (tmp_path / "broken.toml").write_text("seed = ", encoding="utf-8")
    with pytest.raises(SpecError, match="SIM-001"):
        read_settings(tmp_path / "broken.toml")


def test_the_settings_know_the_fifteen_indicators(settings: Settings) -> None:
    assert list(settings.indicators) == [one.slug for one in indicators()]
    for slug, recipe in settings.indicators.items():
        assert set(recipe.waves) <= set(registered(slug).waves), slug
