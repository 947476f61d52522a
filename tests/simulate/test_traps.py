"""Every trap of real data: switched off alone, it moves the statistic that the test names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from impact.simulate import Country, Series, Settings, country, indicator, truth
from impact.streams import Streams
from tests.simulate.conftest import untouched, without

VSV, SAFE, WEALTH, CRIME = "voortijdig-schoolverlaten", "ervaren-veiligheid", "relatieve-welvaart", "criminaliteit"
LATE = [a for a in range(20) if a != 8]  # all but rotterdam-zuid


def pair(settings: Settings, trap: str, slug: str) -> tuple[Series, Series]:
    """One indicator with the trap on and off, everything else the same."""
    on, off = (country(given, Streams(settings.seed)) for given in (settings, without(settings, trap)))
    return indicator(on, slug), indicator(off, slug)


def changed(settings: Settings, slug: str, **recipe: float) -> Settings:
    recipes = dict(settings.indicators)
    recipes[slug] = replace(recipes[slug], **recipe)  # type: ignore[arg-type]
    return replace(settings, indicators=recipes)


def test_selection_moves_the_mean_of_the_common_factor_in_the_areas_in_2018(settings: Settings) -> None:
    """Over six countries: about one standard deviation bad, or nothing; four years later most of it is gone."""
    means = {}
    for on, given in ((True, settings), (False, without(settings, "selection"))):
        some = [country(given, Streams(seed)) for seed in range(6)]
        means[on] = np.mean([of.factor[of.whole >= 0].mean(axis=0) for of in some], axis=0)
    year = settings.periods.index(2018)
    assert 0.75 < means[True][year] < 1.25
    assert abs(means[False][year]) < 0.15
    # A stationary process forgets at its own pace: 0.75 ** 4 = 0.32 of it is left, give or take the Monte Carlo error.
    assert means[True][year + 4] / means[True][year] == pytest.approx(0.32, abs=0.2)


def test_selection_makes_the_areas_fall_back_without_any_programme(settings: Settings) -> None:
    """Regression to the mean: change of vsv from 2018/'19 to 2022/'23-2024/'25 in areas minus elsewhere, no effect."""
    none = changed(settings, VSV, effect=(0.0,), area_sd=0.0)  # type: ignore[arg-type]
    size = {}
    for on, given in ((True, none), (False, without(none, "selection"))):
        some = []
        for seed in range(12):
            of = country(given, Streams(seed))
            rate = indicator(of, VSV).value
            change = rate[:, 12:15].mean(axis=1) - rate[:, 8]  # where all four are known
            some.append(np.nanmean(change[of.whole >= 0]) - np.nanmean(change[untouched(of)]))
        size[on] = np.mean(some)
    # By hand: 0.3 (sd of the wijk) · 0.8 (loading) · 0.9 (mean factor) · (1 - mean of 0.75 ** 4, 5, 6) = 0.16.
    assert size[True] == pytest.approx(-0.16, abs=0.08)
    assert size[False] == pytest.approx(0.0, abs=0.08)


def test_staggered_moves_the_number_of_areas_treated_by_2021(settings: Settings, made: Country) -> None:
    off = country(without(settings, "staggered"), Streams(settings.seed))
    assert np.unique(made.start, return_counts=True)[0].tolist() == [2011, 2020, 2022]
    assert [(of.start <= 2021).sum() for of in (made, off)] == [16, 0]


def test_build_up_moves_the_effect_in_the_first_year(settings: Settings, made: Country) -> None:
    off = country(without(settings, "build_up"), Streams(settings.seed))
    first = [np.mean([truth(of, VSV)[a, of.periods.index(of.start[a])] for a in LATE]) for of in (made, off)]
    assert first == pytest.approx([-0.3, -0.7], abs=1e-12)


def test_heterogeneity_moves_the_spread_of_effects_over_areas(settings: Settings, made: Country) -> None:
    off = country(without(settings, "heterogeneity"), Streams(settings.seed))
    spread = [truth(of, VSV)[LATE, -1].std() for of in (made, off)]
    # Nineteen equal steps of 0.04 · 0.7: sd = 0.028 · sqrt((19² - 1) / 12).
    assert spread == pytest.approx([0.028 * np.sqrt(30), 0.0], abs=1e-9)


def alike(changes: np.ndarray, group: np.ndarray) -> float:
    """Mean product of the changes of two wijken of one group, over groups and periods."""
    products = []
    for one in np.unique(group[group >= 0]):
        own = changes[group == one]
        count = len(own)
        if count > 1:
            products.append((own.sum(axis=0) ** 2 - (own**2).sum(axis=0)) / (count * (count - 1)))
    return float(np.mean(products))


def changes_of(series: Series) -> np.ndarray:
    """Yearly changes of wijken that were always observed, less the change of the country; others are 0."""
    change = np.diff(series.value[:, series.listed.any(axis=0)], axis=1)
    return np.nan_to_num(change - np.nanmean(change, axis=0))


def test_gemeente_shocks_move_how_alike_wijken_of_a_gemeente_change(settings: Settings, made: Country) -> None:
    group = np.where(untouched(made), made.land.wijk_gemeente, -1)
    on, off = (alike(changes_of(series), group) for series in pair(settings, "gemeente_shocks", WEALTH))
    # By hand: a change of an AR(1) with sd 0.01 and persistence 0.5 has variance 2 · 0.01² · (1 - 0.5).
    assert on == pytest.approx(1e-4, rel=0.3)
    assert abs(off) < 1e-5


def test_area_shocks_move_how_alike_wijken_of_an_area_change(settings: Settings) -> None:
    large = changed(without(settings, "gemeente_shocks", "spillover"), WEALTH, area_sd=0.1, effect=(0.0,))  # type: ignore[arg-type]
    group = country(large, Streams(settings.seed)).whole
    on, off = (alike(changes_of(series), group) for series in pair(large, "area_shocks", WEALTH))
    assert on == pytest.approx(0.01, rel=0.4)  # 2 · 0.1² · (1 - 0.5), from fifteen areas of two wijken or more
    assert abs(off) < 5e-4


def test_serial_moves_the_correlation_of_a_year_with_the_next(settings: Settings, made: Country) -> None:
    found = []
    for series in pair(settings, "serial", WEALTH):
        value = series.value[untouched(made)][:, series.listed.any(axis=0)]
        value = value[~np.isnan(value).any(axis=1)]
        value = value - value.mean(axis=0)
        value = value - value.mean(axis=1, keepdims=True)
        found.append((value[:, 1:] * value[:, :-1]).sum() / (value**2).sum())
    # Twelve years less their mean: independent years correlate by about -1/12.
    assert found[0] > 0.2
    assert found[1] == pytest.approx(-1 / 12, abs=0.03)


def test_spillover_moves_the_change_of_wijken_beside_an_area(settings: Settings) -> None:
    """Without noise: 0.3 of the effect of the area next door, or nothing."""
    still = replace(settings, noise=False)
    of = country(still, Streams(settings.seed))
    beside = np.flatnonzero((of.members.neighbour >= 0) & (of.members.neighbour != 8))
    next_door = truth(of, WEALTH)[of.members.neighbour[beside], -1]
    for series, share in zip(pair(still, "spillover", WEALTH), (0.3, 0.0), strict=True):
        change = series.value[:, -1] - series.value[:, 9]
        assert change[beside] - change[untouched(of)].mean() == pytest.approx(share * next_door, abs=1e-9)


def test_covid_moves_2020_below_the_years_around_it_and_more_in_towns(settings: Settings, made: Country) -> None:
    dips, slopes = [], []
    for series in pair(settings, "covid", CRIME):
        rate = series.value[untouched(made)]
        dip = rate[:, 10] - (rate[:, 9] + rate[:, 12]) / 2
        there = ~np.isnan(dip)
        density = np.log(made.land.structure[untouched(made), 2])
        urban = (density - density.mean()) / density.std()
        dips.append(dip[there].mean())
        slopes.append(np.polyfit(urban[there], dip[there], 1)[0])
    # 2020 lies 0.3 above the middle of 2019 and 2022, as 0.6 a year is lost.
    assert dips == pytest.approx([-3.0 + 0.3, 0.3], abs=0.5)
    assert slopes == pytest.approx([-1.5, 0.0], abs=0.5)


def test_waves_move_the_number_of_years_with_a_measurement(settings: Settings) -> None:
    on, off = (series.listed.any(axis=0).sum() for series in pair(settings, "waves", SAFE))
    assert (on, off) == (7, 13)  # 2013, 2015, ..., 2025; 2013-2025


def test_survey_error_moves_the_spread_of_changes_between_waves(settings: Settings, made: Country) -> None:
    spread = []
    for series in pair(settings, "survey_error", SAFE):
        value = series.value[untouched(made)][:, series.listed.any(axis=0)]
        spread.append(np.nanvar(np.diff(value, axis=1) - np.nanmean(np.diff(value, axis=1), axis=0)))
    # 19 % of about 60 to 250 respondents, twice: the mean of 1/n is ln(250/60)/190.
    assert spread[0] - spread[1] == pytest.approx(2 * 1e4 * 0.19 * 0.81 * np.log(250 / 60) / 190, rel=0.15)


def test_margins_hold_the_true_percentage_in_95_of_100_cases(settings: Settings) -> None:
    asked, everyone = pair(settings, "survey_error", SAFE)
    there = ~np.isnan(asked.value) & ~np.isnan(everyone.value)
    held = (asked.low <= everyone.value) & (everyone.value <= asked.high)
    assert held[there].mean() == pytest.approx(0.94, abs=0.02)
    # By hand: 20 % of 100 respondents ± 1.96 · 4 percentage points.
    half = (asked.high - asked.low)[there] / 2
    p = asked.value[there] / 100
    wanted = 196 * np.sqrt(p * (1 - p) / asked.n[there])
    whole = asked.low[there] > 0  # a margin ends at 0
    assert half[whole] == pytest.approx(wanted[whole], abs=0.11)


def test_rounding_moves_the_share_of_counts_that_are_fives(settings: Settings) -> None:
    on, off = pair(settings, "rounding", VSV)
    fives = [np.mean(np.mod(series.numerator[~np.isnan(series.numerator)], 5) == 0) for series in (on, off)]
    assert fives[0] == 1.0
    assert fives[1] == pytest.approx(0.2, abs=0.05)
    for counts in (on.numerator - off.numerator, on.denominator - off.denominator):
        error = counts[~np.isnan(counts)]
        assert np.abs(error).max() < 5
        assert error.mean() == pytest.approx(0.0, abs=5 * 2.1 / np.sqrt(len(error)))  # unbiased


def test_suppression_moves_the_number_of_secret_cells(settings: Settings) -> None:
    """And they are exactly the cells with fewer than five leavers before rounding."""
    exact = without(settings, "rounding")
    on, off = pair(exact, "suppression", VSV)
    small = off.numerator < 5
    assert small.sum() > 50
    assert ((on.status == "suppressed") == small).all()
    assert (off.status == "suppressed").sum() == 0
    assert np.isnan(on.numerator[small]).all() and np.isnan(on.value[small]).all()
    assert not np.isnan(on.denominator[small]).any()
    few, all_of_them = pair(settings, "suppression", SAFE)
    assert ((few.status == "suppressed") == ((all_of_them.n < 60) & (all_of_them.status == "ok"))).all()
    assert 10 < (few.status == "suppressed").sum() < 200


def test_breaks_move_the_jump_from_2019_to_2021(settings: Settings, made: Country) -> None:
    """Without noise, in every wijk that the programme does not reach; 0.15 a year comes from the trend."""
    for series, jump in zip(pair(replace(settings, noise=False), "breaks", SAFE), (2.3, 0.3), strict=True):
        found = (series.value[:, 11] - series.value[:, 9])[untouched(made)]
        assert found == pytest.approx(np.full(len(found), jump), abs=1e-9)


def test_redivision_moves_the_residents_behind_a_code(settings: Settings, made: Country) -> None:
    """Codes of the re-divided gemeente whose denominator changes by more than a tenth from 2021 to 2022."""
    moved = []
    for series in pair(settings, "redivision", CRIME):
        own = np.array([code.startswith("WK9036") for code in series.regions])
        change = np.abs(series.denominator[:, 12] / series.denominator[:, 11] - 1)
        moved.append(int((change[own] > 0.1).sum()))
        assert np.nanmax(change[~own]) < 0.05
        total = np.nansum(series.denominator[own], axis=0)
        assert total[12] / total[11] == pytest.approx(1.0, abs=0.05)  # no resident is lost
    assert moved[0] >= 8
    assert moved[1] == 0
    own = made.redrawn
    assert own.sum() == sum(code.startswith("WK9036") for code in made.land.wijken)
    kept = made.land.wijk == made.land.old_wijk
    assert kept[~own[made.land.wijk]].all()
    assert kept[own[made.land.wijk]].mean() < 0.5


def test_levels_move_the_number_of_indicators_without_wijken(settings: Settings, made: Country) -> None:
    off = country(without(settings, "levels"), Streams(settings.seed))
    found = [[slug for slug in settings.indicators if indicator(of, slug).level == "gemeente"] for of in (made, off)]
    assert found == [["herstructurering", "achterstandsscore", "risicoscores"], []]
    assert indicator(made, "risicoscores").regions == made.land.gemeenten


def test_every_trap_has_a_test(settings: Settings) -> None:
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    for trap in type(settings.traps).__dataclass_fields__:
        assert any(name.startswith((f"{trap}_move", f"{trap}_makes")) for name in tested), trap
