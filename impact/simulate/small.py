"""A small panel with a known truth: one outcome per wijk and year, and an effect as the settings say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from impact.arrays import Float1, Float2, Int1, frozen, require
from impact.errors import SpecError
from impact.register.areas import areas
from impact.simulate.draws import STRUCTURE, ar1, built_up, characteristics, factors, number, write_csv
from impact.simulate.keys import arguments, flat, misfits, read_toml
from impact.streams import Streams

__all__ = ["Settings", "World", "read_settings", "world", "write"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a world is made with; every attribute is explained beside its value in the settings file."""

    seed: int
    noise: bool
    gemeenten: int
    wijken_with_area: tuple[int, int]
    wijken_other: tuple[int, int]
    members: tuple[int, int]
    first: int
    last: int
    first_treated: int
    already: Mapping[str, int]
    build_up: tuple[float, ...]
    spread: float
    mean: float
    structure: float
    level_sd: float
    trend: float
    common: Mapping[int, float]
    persistence: float
    gemeente_sd: float
    area_sd: float
    wijk_sd: float
    suppressed: Mapping[str, tuple[int, ...]]
    missing: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """A generated country of `N` wijken over `T` years, with the truth for its `A` focus areas.

    Attributes
    ----------
    units, names, gemeente : (N,) tuple of str
        Code of the wijk, its made-up name, and the code of its gemeente.
    periods : (T,) tuple of int
    areas : (A,) tuple of str
        Slugs of the register.
    area : (N,) int
        Focus area of the wijk, -1 for none.
    start : (A,) int
        First treated year.
    residents : (N,) float
    structure : (N, 3) float
        ``huur_pct``, ``uitkering_pct``, ``adres_dichtheid``: percent, percent, addresses per square kilometre.
    students, leavers : (N, T) float
        Deelnemers and, among them, voortijdig schoolverlaters. Whole numbers unless the world has no noise.
    effect : (A, T) float
        The truth: percentage points by which the programme changes the share of leavers; 0 before the start.
    marks : mapping of (unit, period) to str
        Cells that are published without a number, with the mark that stands there.
    """

    units: tuple[str, ...]
    names: tuple[str, ...]
    gemeente: tuple[str, ...]
    periods: tuple[int, ...]
    areas: tuple[str, ...]
    area: Int1
    start: Int1
    residents: Float1
    structure: Float2
    students: Float2
    leavers: Float2
    effect: Float2
    marks: Mapping[tuple[str, int], str]

    def __post_init__(self) -> None:
        n, t, a = len(self.units), len(self.periods), len(self.areas)
        shapes = {
            "area": (n,),
            "start": (a,),
            "residents": (n,),
            "structure": (n, len(STRUCTURE)),
            "students": (n, t),
            "leavers": (n, t),
            "effect": (a, t),
        }
        for name, shape in shapes.items():
            array = frozen(getattr(self, name), np.intp if name in ("area", "start") else np.float64)
            require(name, array, shape)
            object.__setattr__(self, name, array)

    @property
    def rate(self) -> Float2:
        """(N, T) leavers as a percentage of students, also where the published cell has no number."""
        return np.asarray(100.0 * self.leavers / self.students)


def read_settings(path: Path) -> Settings:
    """Read a settings file (TOML).

    Raises
    ------
    SpecError
        ``SIM-001`` when it is no TOML; ``SIM-002`` when keys are missing or unknown.
    """
    given = flat(read_toml(path))
    problems = misfits(given, Settings.__dataclass_fields__, path)
    if problems:
        raise SpecError(problems)
    given["common"] = {int(year): value for year, value in given["common"].items()}
    return Settings(**arguments(given))


def world(settings: Settings, streams: Streams) -> World:
    """Generate a world.

    The share of leavers of wijk i in year t, in percent, is

        mean + structure · s_i + level_sd · e_i + common path_t + effect_{a(i), t} + shocks of gemeente, area and wijk,

    where s_i is deprivation. In every gemeente with a focus area the wijken with the largest s_i are the area, so areas
    differ from the others in level but not in trend. Shocks are stationary AR(1); leavers are binomial. Without noise
    the shocks and the chance are gone and no count is rounded, so that difference-in-differences gives the truth.

    Parameters
    ----------
    settings : Settings
        How large the country is and how much noise there is.
    streams : Streams
        Every part of the world draws from its own stream: ``Streams(settings.seed)`` gives the published one.

    Raises
    ------
    ValueError
        When the settings lead to a share outside 0-100 percent, or mark a cell that does not exist.
    """
    place = _places(settings, streams)
    count = len(place.units)
    periods = tuple(range(settings.first, settings.last + 1))
    residents, size = _sizes(count, streams)
    effect = _effects(settings, place, periods, streams)
    other = streams.at("level").generator().standard_normal(count)
    level = settings.mean + settings.structure * place.need + settings.level_sd * other
    path = [settings.trend * t + settings.common.get(year, 0.0) for t, year in enumerate(periods)]
    expected = np.maximum(level, 1.2)[:, None] + path
    inside = place.area >= 0
    expected[inside] += effect[place.area[inside]]
    if settings.noise:
        expected = expected + _shocks(settings, place, len(periods), streams)
        # Nine decimals: the last bits of a sum may differ between machines, a draw may not.
        expected = np.maximum(expected, 0.1).round(9)
    if expected.min() <= 0 or expected.max() >= 100:
        raise ValueError(f"the settings give a share of {expected.min():.2f} to {expected.max():.2f} percent")
    # The number of students follows one common path, so that areas of several wijken keep their composition.
    students = size[:, None] * (1.0 + 0.04 * np.sin(np.arange(len(periods)) / 3.0))
    leavers = students * expected / 100.0
    if settings.noise:
        students = np.round(students)
        leavers = streams.at("leavers").generator().binomial(students.astype(np.int64), expected / 100.0).astype(float)
    marks = {
        (unit, year): mark
        for mark, cells in (("x", settings.suppressed), (".", settings.missing))
        for unit, years in cells.items()
        for year in years
    }
    unknown = [f"{unit} {year}" for unit, year in marks if unit not in place.units or year not in periods]
    if unknown:
        raise ValueError(f"cells without a number that do not exist: {', '.join(unknown)}")
    return World(
        place.units,
        place.names,
        place.gemeente,
        periods,
        place.areas,
        place.area,
        place.start,
        residents,
        characteristics(place.need, streams.at("structure").generator().standard_normal((count, 3))),
        students,
        leavers,
        effect,
        marks,
    )


def write(made: World, folder: Path, name: str) -> tuple[Path, Path, Path]:
    """Write ``{name}.csv``, ``{name}-wijken.csv`` and ``{name}-truth.csv``; the same world gives the same bytes.

    Semicolons and decimal commas, as Dutch spreadsheets write them. Returns the three paths.
    """
    outcomes = [
        (unit, str(year), made.marks.get((unit, year), number(leavers)), number(students))
        for unit, left, there in zip(made.units, made.leavers, made.students, strict=True)
        for year, leavers, students in zip(made.periods, left, there, strict=True)
    ]
    wijken = [
        (
            unit,
            made.names[i],
            made.gemeente[i],
            made.areas[made.area[i]] if made.area[i] >= 0 else "",
            str(made.start[made.area[i]]) if made.area[i] >= 0 else "",
            number(made.residents[i]),
            *map(number, made.structure[i].tolist()),
        )
        for i, unit in enumerate(made.units)
    ]
    truth = [
        (slug, str(year), number(made.effect[a, t]))
        for a, slug in enumerate(made.areas)
        for t, year in enumerate(made.periods)
        if year >= made.start[a]
    ]
    return (
        write_csv(folder / f"{name}.csv", ("region", "period", "vsv", "deelnemers"), outcomes),
        write_csv(
            folder / f"{name}-wijken.csv",
            ("region", "naam", "gemeente", "area", "first_treated", "inwoners", *STRUCTURE),
            wijken,
        ),
        write_csv(folder / f"{name}-truth.csv", ("area", "period", "effect"), truth),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Where the wijken lie: `N` of them, `A` areas, deprivation `need` (N,) in standard deviations."""

    units: tuple[str, ...]
    names: tuple[str, ...]
    gemeente: tuple[str, ...]
    area: Int1
    areas: tuple[str, ...]
    start: Int1
    need: Float1


def _places(settings: Settings, streams: Streams) -> _Places:
    """Gemeenten with their wijken; the most deprived wijken of a gemeente in the register become its focus areas."""
    real = areas()
    homes = tuple(dict.fromkeys(one.gemeente_code for one in real))
    draw = streams.at("places").generator()
    units: list[str] = []
    gemeente: list[str] = []
    need: list[float] = []
    member: list[int] = []
    for row in range(settings.gemeenten):
        code = f"GM{9001 + row}"
        own = [a for a, one in enumerate(real) if row < len(homes) and one.gemeente_code == homes[row]]
        low, high = settings.wijken_with_area if own else settings.wijken_other
        here = int(draw.integers(low, high + 1))
        score = draw.standard_normal() * 0.4 + draw.standard_normal(here) * 0.9
        belongs = np.full(here, -1)
        worst = iter(np.argsort(-score))
        for a in own:
            # Never more than half of the gemeente, so that it keeps wijken outside the programme.
            most = min(settings.members[1], here // (2 * len(own)))
            for _ in range(int(draw.integers(settings.members[0], most + 1))):
                belongs[next(worst)] = a
        units += [f"WK{code[2:]}{wijk:02d}" for wijk in range(1, here + 1)]
        gemeente += [code] * here
        need += score.tolist()
        member += belongs.tolist()
    names = tuple(
        f"{real[a].name if a >= 0 else f'Gemeente {unit[2:6]}'} (gegenereerd), wijk {unit[-2:]}"
        for unit, a in zip(units, member, strict=True)
    )
    start = np.array([settings.already.get(one.slug, settings.first_treated) for one in real])
    return _Places(
        tuple(units),
        names,
        tuple(gemeente),
        np.array(member, dtype=np.intp),
        tuple(one.slug for one in real),
        start,
        np.array(need),
    )


def _sizes(count: int, streams: Streams) -> tuple[Float1, Float1]:
    """Residents and students aged 12-23 of every wijk; both whole numbers."""
    draw = streams.at("sizes").generator()
    residents = np.round(np.clip(np.exp(8.7 + 0.6 * draw.standard_normal(count)), 1500, 30000))
    return residents, np.round(residents * draw.uniform(0.11, 0.15, count))


def _effects(settings: Settings, place: _Places, periods: Iterable[int], streams: Streams) -> Float2:
    """(A, T) the build-up times a factor per area; the factors of the areas that start within the panel average 1."""
    late = np.flatnonzero(place.start >= settings.first)
    factor = np.ones(len(place.areas))
    factor[late] = factors(streams.at("effect").generator(), len(late), settings.spread)
    return built_up(np.array(list(periods))[None, :] - place.start[:, None], settings.build_up, factor)


def _shocks(settings: Settings, place: _Places, length: int, streams: Streams) -> Float2:
    """(N, T) shocks shared by a gemeente, shared by a focus area, and of the wijk itself."""

    def process(name: str, count: int, sd: float) -> Float2:
        return sd * ar1(streams.at("shocks", name).generator(), count, length, settings.persistence)

    codes = {code: row for row, code in enumerate(dict.fromkeys(place.gemeente))}
    rows = np.array([codes[code] for code in place.gemeente])
    shared = process("gemeente", len(codes), settings.gemeente_sd)[rows]
    inside = (place.area >= 0)[:, None]
    common = np.where(inside, process("area", len(place.areas), settings.area_sd)[place.area], 0.0)
    return np.asarray(shared + common + process("wijk", len(place.units), settings.wijk_sd))
