"""What the country is made with: sizes, shocks, traps with a switch each, and a recipe per indicator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from impact.errors import Problem, SpecError
from impact.register.areas import areas
from impact.register.indicators import indicators
from impact.simulate.keys import arguments, flat, misfits, read_toml

__all__ = ["Kind", "Recipe", "Settings", "Traps", "read_settings"]

Kind = Literal["share", "count", "survey", "score"]


@dataclass(frozen=True, slots=True)
class Traps:
    """One switch per trap; what each does is explained beside it in the settings file."""

    selection: bool
    staggered: bool
    build_up: bool
    heterogeneity: bool
    gemeente_shocks: bool
    area_shocks: bool
    serial: bool
    spillover: bool
    covid: bool
    waves: bool
    survey_error: bool
    rounding: bool
    suppression: bool
    breaks: bool
    redivision: bool
    levels: bool


@dataclass(frozen=True, slots=True)
class Recipe:
    """What one indicator is made with; sizes are in the unit of the outcome.

    Attributes
    ----------
    kind : {"share", "count", "survey", "score"}
        100 × counted ÷ counted (binomial); counted per 1,000 (Poisson); percentage of respondents; a number (normal).
    level : {"wijk", "gemeente"}
        Lowest level at which it exists.
    time : {"year", "school-year"}
        Label of the periods.
    mean, structure, level_sd : float
        Level of the average buurt, per standard deviation of deprivation, and other lasting differences.
    gemeente_sd, area_sd, wijk_sd : float
        Shocks shared by a gemeente, shared by a focus area, and of the wijk.
    factor : float
        Correlation of the shock of the wijk with the factor that all indicators share, from -1 to 1.
    effect : tuple of float
        In the 1st, 2nd, 3rd period; later as in the last.
    lowest, highest : float
        Between these lies the lasting level.
    trend, covid, break_at, break_size : float
        Per period; in the worst year; first period after the break and its jump.
    first : int
        First year of the series.
    waves : tuple of int
        Years of measurement; empty = every year.
    of : float
        Denominator per resident.
    rounded, suppressed : bool
        Randomly to multiples of `base`; counts below `threshold` are secret.
    score_sd : float
        Error of a score.
    digits : int
        Decimals of a published score or survey percentage.
    """

    kind: Kind
    level: Literal["wijk", "gemeente"]
    time: Literal["year", "school-year"]
    mean: float
    structure: float
    level_sd: float
    gemeente_sd: float
    area_sd: float
    wijk_sd: float
    factor: float
    effect: tuple[float, ...]
    lowest: float = -1e9
    highest: float = 1e9
    trend: float = 0.0
    covid: float = 0.0
    break_at: int = 0
    break_size: float = 0.0
    first: int = 0
    waves: tuple[int, ...] = ()
    of: float = 1.0
    rounded: bool = False
    suppressed: bool = False
    score_sd: float = 0.0
    digits: int = 1

    @property
    def per(self) -> float:
        """What a numerator is expressed per: 100 (percent) or 1,000 residents."""
        return 1000.0 if self.kind == "count" else 100.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What a country is made with; every attribute is explained beside its value in the settings file."""

    seed: int
    noise: bool
    rows: int
    columns: int
    bands: int
    across: int
    wijken: int
    buurten_per_wijk: tuple[int, int]
    side: int
    corner: tuple[int, int]
    first: int
    last: int
    residents: tuple[int, int]
    need_of_homes: float
    members: tuple[int, int]
    partial: tuple[str, ...]
    large: Mapping[str, tuple[int, ...]]
    together: int
    spread: float
    spillover_share: float
    score_year: int
    score_structure: float
    score_factor: float
    score_noise: float
    persistence: float
    factor_persistence: float
    covid_years: Mapping[int, float]
    covid_urban: float
    redivided: str
    redivided_from: int
    fewer_before: int
    base: int
    threshold: int
    missing: float
    respondents: tuple[int, int]
    few: int
    cities: tuple[str, ...]
    traps: Traps
    indicators: Mapping[str, Recipe]

    @property
    def periods(self) -> tuple[int, ...]:
        """(T,) calendar years; a school year has the index of the year in which it begins."""
        return tuple(range(self.first, self.last + 1))


def read_settings(path: Path) -> Settings:
    """Read a settings file (TOML).

    Raises
    ------
    SpecError
        ``SIM-001`` when it is no TOML; ``SIM-002`` when keys are missing or unknown; ``SIM-003`` when a value is none
        of those that are possible. All of them at once.
    """
    given = flat(read_toml(path), deep=("traps", "indicators"))
    problems = misfits(given, Settings.__dataclass_fields__, path)
    traps, recipes = _table(given.get("traps")), _table(given.get("indicators"))
    problems += misfits(traps, Traps.__dataclass_fields__, path, "traps")
    known = [one.slug for one in indicators()]
    for slug in dict.fromkeys((*known, *recipes)):
        if slug not in recipes or slug not in known:
            what = "missing" if slug in known else "not an indicator of the programme"
            problems.append(Problem("SIM-002", f"{slug} is {what}", file=str(path), path=f"indicators.{slug}"))
        else:
            problems += misfits(recipes[slug], Recipe.__dataclass_fields__, path, f"indicators.{slug}")
    problems += [
        Problem("SIM-003", f"{what} is not one of {', '.join(map(str, possible))}", file=str(path), path=place)
        for place, what, possible in _choices(given, traps, recipes)
        if what not in possible
    ]
    if problems:
        raise SpecError(problems)
    given["large"] = {slug: tuple(sizes) for slug, sizes in given["large"].items()}
    given["covid_years"] = {int(year): part for year, part in given["covid_years"].items()}
    given["traps"] = Traps(**traps)
    given["indicators"] = {slug: Recipe(**arguments(recipes[slug])) for slug in known}
    return Settings(**arguments(given))


def _table(part: object) -> dict[str, Any]:
    return part if isinstance(part, dict) else {}


def _choices(
    given: Mapping[str, Any], traps: Mapping[str, Any], recipes: Mapping[str, Any]
) -> list[tuple[str, Any, tuple[Any, ...]]]:
    """Place, value and possible values of every setting that is a choice."""
    slugs = tuple(one.slug for one in areas())
    found: list[tuple[str, Any, tuple[Any, ...]]] = [(f"traps.{key}", on, (True, False)) for key, on in traps.items()]
    for key in ("partial", "large", "cities"):
        found += [(key, slug, slugs) for slug in given.get(key, ())]
    possible = {"kind": get_args(Kind), "level": ("wijk", "gemeente"), "time": ("year", "school-year")}
    return found + [
        (f"indicators.{slug}.{key}", recipe[key], possible[key])
        for slug, recipe in recipes.items()
        for key in possible
        if key in _table(recipe)
    ]
