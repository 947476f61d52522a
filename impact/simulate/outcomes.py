"""One indicator of the country: the lasting level, what moves it, and what is seen of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from impact.arrays import Bool2, Float2, frozen
from impact.simulate.draws import ar1
from impact.simulate.land import Country, truth
from impact.simulate.published import Counted, published_counts, published_score, published_survey
from impact.simulate.settings import Recipe

__all__ = ["Series", "expected", "indicator", "labels"]


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One indicator as published, for `N` regions over `T` periods; nan where there is no number.

    Attributes
    ----------
    slug, level : str
        Which indicator, and "wijk" or "gemeente".
    regions, periods : (N,), (T,) tuple of str
        Codes; years or school years (``2020/'21``).
    numerator, denominator : (N, T) float
        Counts; nan for surveys and scores.
    value : (N, T) float
        In the unit of the outcome.
    n : (N, T) float
        Respondents; nan but for surveys.
    low, high : (N, T) float
        95 % margins; nan but for surveys.
    status : (N, T) str
        ``ok``, ``provisional``, ``suppressed`` or ``missing``.
    listed : (N, T) bool
        Cells that a table has a row for: the indicator was measured and the code existed.
    """

    slug: str
    level: str
    regions: tuple[str, ...]
    periods: tuple[str, ...]
    numerator: Float2
    denominator: Float2
    value: Float2
    n: Float2
    low: Float2
    high: Float2
    status: NDArray[np.str_]
    listed: Bool2

    def __post_init__(self) -> None:
        for name in ("numerator", "denominator", "value", "n", "low", "high"):
            object.__setattr__(self, name, frozen(getattr(self, name)))
        object.__setattr__(self, "status", frozen(self.status, np.str_))
        object.__setattr__(self, "listed", frozen(self.listed, np.bool_))


def indicator(of: Country, slug: str) -> Series:
    """One indicator of a country, as it is published.

    Raises
    ------
    ValueError
        When the settings lead to a share outside 0-100 percent or a negative rate.
    """
    settings, recipe = of.settings, of.settings.indicators[slug]
    streams = of.streams.at("indicator", slug)
    level = recipe.level if settings.traps.levels else "wijk"
    rate = expected(of, slug)
    size = _sizes(of, recipe)
    regions = of.land.gemeenten if level == "gemeente" else of.land.wijken
    if recipe.kind in ("share", "count"):
        counts = size * rate / recipe.per
        if settings.noise:
            size = np.round(size)
            draw = streams.at("chance").generator()
            whole = size.astype(np.int64)
            drawn = (
                draw.binomial(whole, rate / 100.0) if recipe.kind == "share" else draw.poisson(whole * rate / 1000.0)
            )
            counts = drawn.astype(float)
        seen = published_counts(settings, recipe, _summed(of, counts, level), _summed(of, size, level), streams)
    else:
        total = _summed(of, size, level)
        mean = np.divide(_summed(of, size * rate, level), total, out=np.full(total.shape, np.nan), where=total > 0)
        publish = published_survey if recipe.kind == "survey" else published_score
        seen = publish(settings, recipe, mean, streams)
    return _series(of, slug, level, regions, seen)


def expected(of: Country, slug: str) -> Float2:
    """(B, T) what is expected in every buurt, in the unit of the outcome.

    level of the buurt + path of the country + COVID + break + effect in the area and beside it + shocks of gemeente,
    focus area and wijk. Without noise there are no shocks and COVID is everywhere the same.
    """
    settings, traps, recipe, land = of.settings, of.settings.traps, of.settings.indicators[slug], of.land
    streams = of.streams.at("indicator", slug)
    years = np.array(of.periods)
    draw = streams.at("level").generator()
    # Also wijken differ, not only buurten, whose differences would average out.
    lasting = 0.8 * draw.standard_normal(len(land.wijken))[land.wijk] + 0.6 * draw.standard_normal(len(land.buurten))
    level = np.clip(
        recipe.mean + recipe.structure * land.need + recipe.level_sd * lasting, recipe.lowest, recipe.highest
    )
    path = recipe.trend * (years - years[0])
    if traps.breaks and recipe.break_at:
        path = path + recipe.break_size * (years >= recipe.break_at)
    rate = level[:, None] + path
    if traps.covid:
        pulse = recipe.covid * np.array([settings.covid_years.get(int(year), 0.0) for year in years])
        urban = settings.covid_urban * land.urban if settings.noise else np.zeros(len(land.buurten))
        rate = rate + (1.0 + urban)[:, None] * pulse
    effect = truth(of, slug)
    inside = of.members.buurt >= 0
    rate[inside] += effect[of.members.buurt[inside]]
    if traps.spillover:
        beside = of.members.neighbour[land.wijk]
        rate[beside >= 0] += settings.spillover_share * effect[beside[beside >= 0]]
    if settings.noise:
        rate = rate + _shocks(of, slug)
    if recipe.kind != "score":
        if settings.noise:
            highest = np.inf if recipe.kind == "count" else 99.9
            rate = np.clip(rate, 0.1, highest)
        if rate.min() <= 0 or (recipe.kind != "count" and rate.max() >= 100):
            raise ValueError(f"the settings give {slug} of {rate.min():.2f} to {rate.max():.2f}")
    # Nine decimals: the last bits of a sum may differ between machines, a draw may not.
    return np.asarray(rate.round(9) if settings.noise else rate)


def labels(of: Country, slug: str) -> tuple[str, ...]:
    """(T,) the periods as they are written: years, or school years."""
    if of.settings.indicators[slug].time == "year":
        return tuple(str(year) for year in of.periods)
    return tuple(f"{year}/'{(year + 1) % 100:02d}" for year in of.periods)


def _shocks(of: Country, slug: str) -> Float2:
    """(B, T) shocks shared by a gemeente, by a focus area, and by a wijk."""
    settings, traps, recipe, land = of.settings, of.settings.traps, of.settings.indicators[slug], of.land
    streams = of.streams.at("indicator", slug, "shocks")
    length = len(of.periods)
    lasting = settings.persistence if traps.serial else 0.0

    def process(name: str, count: int) -> Float2:
        return ar1(streams.at(name).generator(), count, length, lasting)

    own = process("wijk", len(land.wijken))
    wijk = recipe.wijk_sd * (recipe.factor * of.factor + np.sqrt(1.0 - recipe.factor**2) * own)
    if traps.gemeente_shocks:
        wijk = wijk + recipe.gemeente_sd * process("gemeente", len(land.gemeenten))[land.wijk_gemeente]
    shocks = wijk[land.wijk]
    if traps.area_shocks:
        inside = of.members.buurt >= 0
        shocks[inside] += recipe.area_sd * process("area", len(of.areas))[of.members.buurt[inside]]
    return np.asarray(shocks)


def _sizes(of: Country, recipe: Recipe) -> Float2:
    """(B, T) denominators: one common path, so that wijken and areas keep their composition."""
    path = 1.0 + 0.04 * np.sin(np.arange(len(of.periods)) / 3.0)
    return np.asarray((recipe.of * of.residents)[:, None] * path.round(9))


def _summed(of: Country, values: Float2, level: str) -> Float2:
    """(regions, T) sums over buurten, in the division of every period."""
    land, length = of.land, values.shape[1]

    def added(region: NDArray[np.intp], count: int) -> Float2:
        place = (region[:, None] * length + np.arange(length)).ravel()
        sums = np.bincount(place, values.ravel(), minlength=count * length)
        return np.asarray(sums.reshape(count, length), dtype=np.float64)

    if level == "gemeente":
        return added(land.wijk_gemeente[land.wijk], len(land.gemeenten))
    found = added(land.wijk, len(land.wijken))
    if of.settings.traps.redivision:
        before = np.array(of.periods) < of.settings.redivided_from
        found[:, before] = added(land.old_wijk, len(land.wijken))[:, before]
    return found


def _series(of: Country, slug: str, level: str, regions: tuple[str, ...], seen: Counted) -> Series:
    """Take out the periods without a measurement and the codes that did not exist yet; mark what is provisional."""
    settings, recipe = of.settings, of.settings.indicators[slug]
    years = np.array(of.periods)
    measured = years >= recipe.first
    if settings.traps.waves and recipe.waves:
        measured &= np.isin(years, recipe.waves)
    exists = _summed(of, np.ones((len(of.land.buurten), len(years))), level) > 0
    listed = exists & measured
    status = np.where(listed, seen.status, "missing")
    if recipe.kind in ("share", "count"):
        status[:, -1] = np.where(status[:, -1] == "ok", "provisional", status[:, -1])
    number = listed & (seen.status == "ok")

    def shown(values: Float2, where: Bool2) -> Float2:
        return np.where(where, values, np.nan)

    there = listed & (seen.status != "missing")
    return Series(
        slug,
        level,
        regions,
        labels(of, slug),
        shown(seen.numerator, number),
        shown(seen.denominator, there),
        shown(seen.value, number),
        shown(seen.n, there),
        shown(seen.low, number),
        shown(seen.high, number),
        status,
        listed,
    )
