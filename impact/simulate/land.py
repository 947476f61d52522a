"""The country: a map, people, focus areas, and the factor that all indicators of a wijk share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from impact.arrays import Bool1, Float1, Float2, Int1, frozen
from impact.register.areas import areas
from impact.simulate.draws import ar1, built_up, factors
from impact.simulate.geography import Geography, geography
from impact.simulate.membership import Membership, membership
from impact.simulate.settings import Settings
from impact.streams import Streams

__all__ = ["Country", "country", "truth"]


@dataclass(frozen=True, slots=True, eq=False)
class Country:
    """`B` buurten in `W` wijken in `G` gemeenten over `T` periods, with `A` focus areas.

    Attributes
    ----------
    settings : Settings
    streams : Streams
        Every indicator draws from a stream of its own below these.
    land : Geography
        Codes, borders and structure.
    members : Membership
        Which buurten are an area, and who borders on one.
    areas : (A,) tuple of str
        Slugs, in the order of the register.
    periods : (T,) tuple of int
        Calendar years, or the years in which school years begin.
    residents : (B,) float
    start : (A,) int
        First treated year.
    factor : (W, T) float
        What the indicators of a wijk share, sd 1; positive is bad.
    score : (W,) float
        ``lbm_2018``, on which the areas were chosen; low is bad.
    """

    settings: Settings
    streams: Streams
    land: Geography
    members: Membership
    areas: tuple[str, ...]
    periods: tuple[int, ...]
    residents: Float1
    start: Int1
    factor: Float2
    score: Float1

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", frozen(self.start, np.intp))
        for name in ("residents", "factor", "score"):
            object.__setattr__(self, name, frozen(getattr(self, name)))

    @property
    def wijk_residents(self) -> Float1:
        """(W,) residents of every wijk."""
        return np.asarray(np.bincount(self.land.wijk, self.residents), dtype=np.float64)

    @property
    def share(self) -> Float1:
        """(W,) share of the residents of a wijk who live in a focus area; exactly 1 when all do."""
        inside = np.bincount(self.land.wijk, np.where(self.members.buurt >= 0, self.residents, 0.0))
        return np.asarray(inside / self.wijk_residents)

    @property
    def whole(self) -> Int1:
        """(W,) area of the wijken that lie in one as a whole, -1 for all others."""
        found = np.full(len(self.land.wijken), -1)
        for a, wijken in enumerate(self.members.order):
            found[wijken] = a
        return found

    @property
    def redrawn(self) -> Bool1:
        """(W,) wijken of the gemeente that was re-divided."""
        if not self.settings.traps.redivision:
            return np.zeros(len(self.land.wijken), dtype=bool)
        return np.asarray(self.land.wijk_gemeente == self.land.gemeenten.index(self.settings.redivided))


def country(settings: Settings, streams: Streams) -> Country:
    """Generate the country, without any indicator yet.

    Areas are chosen on deprivation, on where the wijken happened to stand in the year of the score, and on an error;
    with the trap ``selection`` off on deprivation alone. Only the effect of the programme and the shocks that wijken of
    an area share depend on who is in an area.

    Parameters
    ----------
    settings : Settings
        See ``read_settings``.
    streams : Streams
        ``Streams(settings.seed)`` gives the published country; another seed another country of the same kind.
    """
    land = geography(settings, streams.at("map"))
    periods = settings.periods
    count = len(land.wijken)
    factor = ar1(
        streams.at("factor").generator(),
        count,
        len(periods),
        settings.factor_persistence if settings.traps.serial else 0.0,
    )
    need = np.bincount(land.wijk, land.need * land.residents) / np.bincount(land.wijk, land.residents)
    badness = settings.score_structure * need
    if settings.traps.selection:
        error = streams.at("score").generator().standard_normal(count)
        badness = badness + settings.score_factor * factor[:, periods.index(settings.score_year)]
        badness = badness + settings.score_noise * error
    members = membership(settings, land, badness, streams)
    return Country(
        settings,
        streams,
        land,
        members,
        tuple(one.slug for one in areas()),
        periods,
        _resized(settings, land, members),
        np.array([one.since if settings.traps.staggered else settings.together for one in areas()]),
        factor,
        np.round(4.1 - 0.05 * badness, 3),
    )


def truth(of: Country, slug: str) -> Float2:
    """(A, T) what the programme changes in the areas, in the unit of the outcome; 0 before the start.

    Areas in the order of the register. A wijk of which a part lies in an area moves by that part of it.
    """
    settings, recipe = of.settings, of.settings.indicators[slug]
    factor = np.ones(len(of.areas))
    if settings.traps.heterogeneity:
        # Areas of stated size started long before the others and stay out of the average of 1.
        late = [a for a, area in enumerate(of.areas) if area not in settings.large]
        factor[late] = factors(of.streams.at("effect", slug).generator(), len(late), settings.spread)
    steps = recipe.effect if settings.traps.build_up else recipe.effect[-1:]
    return built_up(np.array(of.periods)[None, :] - of.start[:, None], steps, factor)


def _resized(settings: Settings, land: Geography, members: Membership) -> Float1:
    """(B,) residents, with the wijken of some areas made as large as stated."""
    residents = np.array(land.residents)
    for a, one in enumerate(areas()):
        for wijk, size in zip(members.order[a], settings.large.get(one.slug, ()), strict=False):
            own = land.wijk == wijk
            residents[own] = np.round(residents[own] * size / residents[own].sum())
    return residents
